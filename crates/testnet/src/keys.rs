//! API keys, and the listen keys they open.

use core::time::Duration;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use plimsoll_bounded::{Grant, List};
use plimsoll_exchange::binance::server::ApiError;
use plimsoll_exchange::binance::sign::Signer;
use plimsoll_market::Time;
use plimsoll_sim::venue::AccountId;

use crate::config::AccountConfig;

/// One account's keys.
pub(crate) struct KeyEntry {
    account: AccountConfig,
    listen: Option<ListenKey>,
    /// Whether it is in multi-assets mode: with one asset it makes no difference but is remembered.
    pub(crate) multi_assets: bool,
}

struct ListenKey {
    text: String,
    until: Time,
}

/// The accounts' keys; an account's place is its [`AccountId`].
///
/// # Bounds
/// The accounts given at start; at most one listen key each.
pub(crate) struct Keys {
    entries: List<KeyEntry>,
    life: Duration,
}

impl Keys {
    pub(crate) fn new(grant: Grant, accounts: Vec<AccountConfig>, life: Duration) -> Option<Self> {
        let mut entries = List::new(grant);
        for account in accounts {
            entries.push(KeyEntry { account, listen: None, multi_assets: false }).ok()?;
        }
        Some(Self { entries, life })
    }

    /// Finds the account of an API key.
    ///
    /// # Errors
    /// No key was sent, or an unknown one.
    pub(crate) fn account(&self, key: Option<&str>) -> Result<AccountId, ApiError> {
        let key = key.filter(|key| !key.is_empty()).ok_or_else(ApiError::key_format)?;
        let at = self.entries.iter().position(|entry| entry.account.key() == key).ok_or_else(ApiError::key_refused)?;
        u16::try_from(at).map(AccountId).map_err(|_| ApiError::key_refused())
    }

    /// Whether the account's key may withdraw.
    pub(crate) fn may_withdraw(&self, account: AccountId) -> bool {
        self.entries.get(usize::from(account.0)).is_some_and(|entry| entry.account.withdraw)
    }

    pub(crate) fn signer(&self, account: AccountId) -> Result<&Signer, ApiError> {
        self.entries.get(usize::from(account.0)).map(|entry| entry.account.signer()).ok_or_else(ApiError::key_refused)
    }

    pub(crate) fn entry(&mut self, account: AccountId) -> Option<&mut KeyEntry> {
        self.entries.get_mut(usize::from(account.0))
    }

    /// Makes a listen key, or extends the one there is.
    pub(crate) fn start_listen(&mut self, now: Time, account: AccountId) -> Result<&str, ApiError> {
        let until = now + self.life;
        let entry = self.entries.get_mut(usize::from(account.0)).ok_or_else(ApiError::key_refused)?;
        let listen = entry.listen.get_or_insert_with(|| ListenKey { text: random_text(), until });
        listen.until = until;
        Ok(&listen.text)
    }

    /// Extends the listen key there is; `text`, when sent, must be it.
    pub(crate) fn keep_listen(&mut self, now: Time, account: AccountId, text: Option<&str>) -> Result<&str, ApiError> {
        let until = now + self.life;
        let entry = self.entries.get_mut(usize::from(account.0)).ok_or_else(ApiError::key_refused)?;
        match &mut entry.listen {
            Some(listen) if text.is_none_or(|text| text == listen.text) => {
                listen.until = until;
                Ok(&listen.text)
            }
            _ => Err(ApiError::no_listen_key()),
        }
    }

    /// Ends the listen key there is.
    pub(crate) fn stop_listen(&mut self, account: AccountId) -> Result<(), ApiError> {
        let entry = self.entries.get_mut(usize::from(account.0)).ok_or_else(ApiError::key_refused)?;
        entry.listen.take().map(|_| ()).ok_or_else(ApiError::no_listen_key)
    }

    /// Finds the account of a live listen key.
    pub(crate) fn listener(&self, text: &str) -> Option<AccountId> {
        let at = self.entries.iter().position(|entry| entry.listen.as_ref().is_some_and(|listen| listen.text == text))?;
        u16::try_from(at).ok().map(AccountId)
    }

    /// Takes an account's listen key before its time.
    pub(crate) fn cut_short(&mut self, account: AccountId) -> Option<String> {
        self.entries.get_mut(usize::from(account.0))?.listen.take().map(|listen| listen.text)
    }

    /// How many accounts there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes one listen key whose life is over.
    pub(crate) fn pop_expired(&mut self, now: Time) -> Option<(AccountId, String)> {
        let at = self.entries.iter().position(|entry| entry.listen.as_ref().is_some_and(|listen| listen.until <= now))?;
        let listen = self.entries.get_mut(at)?.listen.take()?;
        Some((AccountId(u16::try_from(at).ok()?), listen.text))
    }
}

/// A name that no client can guess: 64 letters and digits from the randomness of the standard hasher.
fn random_text() -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(64);
    while text.len() < 64 {
        let mut bits = RandomState::new().build_hasher().finish();
        for _ in 0..8 {
            let digit = DIGITS.get((bits % 62) as usize).copied().unwrap_or(b'0');
            text.push(char::from(digit));
            bits /= 62;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_bounded::{Class, Line, WhenFull};

    fn keys() -> Keys {
        let grant = Grant::detached(Line::of::<KeyEntry>("keys", 2, WhenFull::Refuse, Class::MustKeep));
        let accounts = vec![AccountConfig::parse("k1:s1:1").unwrap(), AccountConfig::parse("k2:s2:1").unwrap()];
        Keys::new(grant, accounts, Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn tells_a_missing_key_from_an_unknown_one() {
        let keys = keys();
        assert_eq!(keys.account(Some("k2")), Ok(AccountId(1)));
        assert_eq!(keys.account(None).unwrap_err().code, -2014);
        assert_eq!(keys.account(Some("")).unwrap_err().code, -2014);
        assert_eq!(keys.account(Some("k3")).unwrap_err().code, -2015);
    }

    #[test]
    fn a_listen_key_lives_as_long_as_it_is_renewed() {
        let mut keys = keys();
        let at = |seconds: u64| Time::from_millis(seconds * 1000);
        let text = keys.start_listen(at(0), AccountId(0)).unwrap().to_owned();
        assert_eq!(text.len(), 64);
        assert_eq!(keys.start_listen(at(30), AccountId(0)).unwrap(), text, "the same key, extended");
        assert_eq!(keys.listener(&text), Some(AccountId(0)));
        assert_eq!(keys.pop_expired(at(89)), None);
        keys.keep_listen(at(89), AccountId(0), Some(&text)).unwrap();
        assert_eq!(keys.keep_listen(at(89), AccountId(0), Some("other")).unwrap_err().code, -1125);
        assert_eq!(keys.pop_expired(at(149)), Some((AccountId(0), text.clone())));
        assert_eq!(keys.listener(&text), None);
        assert_eq!(keys.keep_listen(at(150), AccountId(0), None).unwrap_err().code, -1125);
        assert_ne!(keys.start_listen(at(151), AccountId(0)).unwrap(), text);
        keys.stop_listen(AccountId(0)).unwrap();
        assert_eq!(keys.stop_listen(AccountId(0)).unwrap_err().code, -1125);
    }
}
