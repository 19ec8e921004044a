//! Signatures: HMAC-SHA256 in hex over the query's bytes exactly as sent.

use crate::limits::{RECV_WINDOW_MAX_MS, SECRET_MAX};
use core::fmt::Write;
use plimsoll_market::Time;
use ring::hmac;
use thiserror::Error;
use zeroize::Zeroizing;

/// A text that nobody may see: it cannot be printed or stored, and its memory is zeroed when it is dropped.
///
/// ```compile_fail
/// println!("{:?}", plimsoll_exchange::binance::sign::Secret::new("x".to_owned()));
/// ```
pub struct Secret(Zeroizing<String>);

/// Why a text cannot be an API key or secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SecretError {
    /// Nothing there.
    #[error("key or secret is empty")]
    Empty,
    /// Longer than any the exchange makes.
    #[error("key or secret is longer than {SECRET_MAX} bytes")]
    TooLong,
    /// A space, line break or other character that no key has; often a copying mistake.
    #[error("key or secret has a character that no key has, at byte {0}")]
    Character(usize),
}

impl Secret {
    /// Takes a text over; the caller's copy should be gone after it.
    ///
    /// # Errors
    /// Empty, longer than [`SECRET_MAX`], or with characters other than visible ASCII.
    pub fn new(text: String) -> Result<Self, SecretError> {
        let text = Zeroizing::new(text);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > SECRET_MAX {
            return Err(SecretError::TooLong);
        }
        match text.bytes().position(|b| !b.is_ascii_graphic()) {
            Some(at) => Err(SecretError::Character(at)),
            None => Ok(Self(text)),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Signs requests of one account.
///
/// It keeps the prepared HMAC key, not the secret, and the API key for the header `X-MBX-APIKEY`. The prepared key is not
/// zeroed when dropped: signers live as long as the process.
pub struct Signer {
    key: Secret,
    hmac: hmac::Key,
}

impl Signer {
    /// Prepares a signer; the secret is zeroed.
    pub fn new(key: Secret, secret: &Secret) -> Self {
        Self { key, hmac: hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()) }
    }

    /// The API key, for the header `X-MBX-APIKEY` and nothing else.
    pub fn key(&self) -> &str {
        &self.key.0
    }

    /// Appends `recvWindow`, `timestamp` and `signature` to a query.
    ///
    /// `timestamp` is the exchange's time, by the measured clock offset; `recv_window_ms` is cut to the exchange's most.
    pub fn sign(&self, query: &mut String, timestamp: Time, recv_window_ms: u32) {
        let separator = if query.is_empty() { "" } else { "&" };
        let window = recv_window_ms.min(RECV_WINDOW_MAX_MS);
        // Writing into a text cannot fail.
        write!(query, "{separator}recvWindow={window}&timestamp={}", timestamp.millis()).unwrap_or_default();
        self.append_signature(query);
    }

    /// Appends `signature` alone, over all that stands there.
    pub fn append_signature(&self, query: &mut String) {
        let tag = hmac::sign(&self.hmac, query.as_bytes());
        query.push_str("&signature=");
        for byte in tag.as_ref() {
            for nibble in [byte >> 4, byte & 15] {
                query.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
    }

    /// Whether a signature (hex, either case) is that of `signed`; takes the same time for every wrong one.
    pub fn verify(&self, signed: &[u8], signature: &str) -> bool {
        let mut bytes = [0_u8; 32];
        if signature.len() != 64 || !signature.is_ascii() {
            return false;
        }
        for (byte, pair) in bytes.iter_mut().zip(signature.as_bytes().chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16);
            match pair {
                [high, low] => match (digit(*high), digit(*low)) {
                    (Some(high), Some(low)) => *byte = (high * 16 + low) as u8,
                    _ => return false,
                },
                _ => return false,
            }
        }
        hmac::verify(&self.hmac, signed, &bytes).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(key: &str, secret: &str) -> Signer {
        Signer::new(Secret::new(key.to_owned()).unwrap(), &Secret::new(secret.to_owned()).unwrap())
    }

    #[test]
    fn agrees_with_the_published_examples() {
        // Spot documentation, "SIGNED endpoint security", example 1.
        let spot = signer(
            "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
        );
        let mut query =
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559".to_owned();
        spot.append_signature(&mut query);
        assert!(query.ends_with("&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"), "{query}");
        // Futures documentation, "SIGNED endpoint examples for POST /fapi/v1/order".
        let futures = signer(
            "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83",
            "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
        );
        let mut query =
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943".to_owned();
        futures.append_signature(&mut query);
        assert!(query.ends_with("&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"), "{query}");
    }

    #[test]
    fn appends_window_time_and_signature_and_verifies_them() {
        let signer = signer("key", "secret");
        let mut query = "symbol=BTCUSDT".to_owned();
        signer.sign(&mut query, Time::from_millis(1_700_000_000_123), 90_000);
        let (signed, signature) = query.rsplit_once("&signature=").unwrap();
        assert_eq!(signed, "symbol=BTCUSDT&recvWindow=60000&timestamp=1700000000123");
        assert!(signer.verify(signed.as_bytes(), signature));
        assert!(signer.verify(signed.as_bytes(), &signature.to_uppercase()));
        assert!(!signer.verify(b"symbol=BTCUSDT", signature));
        for bad in ["", "zz", &signature[..63], &"g".repeat(64), &"é".repeat(32)] {
            assert!(!signer.verify(signed.as_bytes(), bad), "{bad}");
        }
        let mut empty = String::new();
        signer.sign(&mut empty, Time::from_millis(5), 5_000);
        assert!(empty.starts_with("recvWindow=5000&timestamp=5&signature="));
    }

    #[test]
    fn secrets_are_checked() {
        assert_eq!(Secret::new(String::new()).err(), Some(SecretError::Empty));
        assert_eq!(Secret::new("ab c".to_owned()).err(), Some(SecretError::Character(2)));
        assert_eq!(Secret::new("abc\n".to_owned()).err(), Some(SecretError::Character(3)));
        assert!(Secret::new("a".repeat(SECRET_MAX)).is_ok());
        assert_eq!(Secret::new("a".repeat(SECRET_MAX + 1)).err(), Some(SecretError::TooLong));
    }
}
