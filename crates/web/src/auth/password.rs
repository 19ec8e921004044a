//! Passwords: argon2id, one at a time, by the workers.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use http::StatusCode;
use plimsoll_bounded::{Class, Grant, Line, Pool, WhenFull, reply};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Deserializer};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::ApiError;
use crate::limits::{HASH_BYTES, HASH_TIMEOUT, PASSWORD_MAX, PASSWORD_MIN};

const _: () = assert!(HASH_BYTES >= Params::DEFAULT_M_COST as usize * 1_024);

/// A password or a code as it was typed. Zeroed when dropped, and never shown.
#[derive(Clone)]
pub(crate) struct Phrase(Zeroizing<String>);

impl Phrase {
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Refuses what is too short to be a password.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let length = self.0.chars().count();
        let first = self.0.chars().next();
        if (PASSWORD_MIN..=PASSWORD_MAX).contains(&length) && self.0.chars().any(|c| Some(c) != first) {
            return Ok(());
        }
        let detail = format!("a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters, not all the same");
        Err(ApiError::new(StatusCode::BAD_REQUEST, "weak_password", detail).hint("four random words are good, and easy to type"))
    }
}

impl<'de> Deserialize<'de> for Phrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Hashes passwords, one at a time.
pub(crate) struct Passwords {
    workers: Pool,
    turn: Arc<Semaphore>,
    grant: Grant,
}

impl Passwords {
    pub(crate) const fn line() -> Line<'static> {
        Line { name: "web.login.hash", capacity: 1, item_bytes: HASH_BYTES, policy: WhenFull::Wait, class: Class::BestEffort }
    }

    pub(crate) fn new(grant: Grant, workers: Pool) -> Self {
        Self { workers, turn: Arc::new(Semaphore::new(1)), grant }
    }

    /// Makes the text that is kept of a password.
    pub(crate) async fn hash(&self, password: Phrase) -> Result<String, ApiError> {
        self.work(move || hash(password.reveal())).await?.ok_or_else(failed)
    }

    /// Tells whether a password is the one of which this text was kept.
    pub(crate) async fn fits(&self, password: Phrase, kept: String) -> Result<bool, ApiError> {
        self.work(move || fits(password.reveal(), &kept)).await
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let permit = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| busy())?;
        let gauge = self.grant.gauge();
        gauge.add(1);
        let (sender, receiver) = reply();
        let submitted = self.workers.submit_blocking(move || {
            let done = job();
            // The memory is given back before the next one is let in, whether or not somebody still waits for this.
            gauge.sub(1);
            drop(permit);
            drop(sender.send(done));
        });
        submitted.map_err(|_| {
            self.grant.gauge().sub(1);
            busy()
        })?;
        receiver.wait(HASH_TIMEOUT).await.map_err(|_| busy())
    }
}

fn busy() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "the machine is too busy to check a password").hint("try again in a moment")
}

fn failed() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the password could not be hashed")
}

pub(super) fn hash(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).ok()?;
    let hash: PasswordHash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

fn fits(password: &str, kept: &str) -> bool {
    let Ok(kept) = PasswordHash::new(kept) else { return false };
    // Whoever writes into the database does not get to say how much memory is taken here.
    let modest = Params::try_from(&kept).is_ok_and(|params| params.m_cost() as usize * 1_024 <= HASH_BYTES && params.t_cost() <= 16);
    modest && Argon2::default().verify_password(password.as_bytes(), &kept).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_alone_and_has_a_salt_of_its_own() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(fits("correct horse battery", &kept));
        for (password, kept) in [("correct horse batterz", kept.as_str()), ("", &kept), ("x", ""), ("x", "$argon2id$")] {
            assert!(!fits(password, kept));
        }
        assert_ne!(hash("correct horse battery").unwrap(), kept);
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_more_memory_than_is_planned() {
        let greedy = hash("correct horse battery").unwrap().replace("m=19456", "m=4194304");
        assert!(!fits("correct horse battery", &greedy));
    }

    #[test]
    fn passwords_have_a_length() {
        for (text, good) in [("", false), ("aaaaaaaaaaaa", false), ("short", false), ("correct horse", true), (&"ab".repeat(129), false)] {
            let phrase: Phrase = serde_json::from_value(serde_json::Value::from(text)).unwrap();
            assert_eq!(phrase.check().is_ok(), good, "{text}");
        }
    }
}
