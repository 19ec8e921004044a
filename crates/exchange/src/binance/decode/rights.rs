use crate::binance::wire::{DecodeError, Flag, parse};
use serde::Deserialize;

/// What a key may do (`apiRestrictions`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRights {
    /// Move money out of the account.
    pub withdraw: bool,
    /// Trade futures.
    pub futures: bool,
    /// Be used from some addresses only.
    pub bound_to_addresses: bool,
}

/// Reads `apiRestrictions`.
///
/// # Errors
/// A malformed body.
pub fn api_restrictions(body: &[u8]) -> Result<KeyRights, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        enable_withdrawals: Flag,
        enable_futures: Flag,
        ip_restrict: Flag,
    }
    let wire = parse::<Wire>("apiRestrictions", body)?;
    Ok(KeyRights { withdraw: wire.enable_withdrawals.0, futures: wire.enable_futures.0, bound_to_addresses: wire.ip_restrict.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_and_nonsense_is_refused() {
        let body = br#"{"ipRestrict":true,"createTime":1,"enableReading":true,"enableWithdrawals":false,"enableFutures":true}"#;
        assert_eq!(api_restrictions(body).unwrap(), KeyRights { withdraw: false, futures: true, bound_to_addresses: true });
        assert!(api_restrictions(b"{}").is_err() && api_restrictions(b"[]").is_err());
    }
}
