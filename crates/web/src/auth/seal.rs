//! Random texts, hashes of them, and what can be read again only by whoever has the admin token.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::token::{AdminToken, TokenError};

/// The hash under which a secret is kept and found. The secrets are random: nobody guesses them from their hashes.
pub(crate) type Hash = [u8; 32];

pub(crate) fn hash(secret: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| <[u8; 2]>::try_from(pair).ok().and_then(|[high, low]| Some(digit(high)? << 4 | digit(low)?))).collect()
}

pub(crate) fn unhash(text: &str) -> Option<Hash> {
    unhex(text)?.try_into().ok()
}

/// Makes a text of so many random bytes, in hexadecimal digits; `None` when the operating system gives none.
pub(crate) fn random<const N: usize>() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
    Some(Zeroizing::new(hex(bytes.as_slice())))
}

/// Compares without telling by the time where the difference is.
pub(crate) fn same(a: &str, b: &str) -> bool {
    // Hashes of secrets say nothing about them, so that it does not matter how they are compared.
    hash(a) == hash(b)
}

/// What a page must show to prove that it can read our answers: it follows from the session, so that it needs not be kept.
pub(crate) fn csrf(session: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session.as_bytes());
    let tag = hmac::sign(&key, b"csrf");
    hex(tag.as_ref().get(..16).unwrap_or_default())
}

/// Seals what must be read again: the secret of one-time codes.
pub(crate) struct Seal(LessSafeKey);

impl Seal {
    /// Its key follows from the admin token: who has the database alone reads nothing.
    pub(crate) fn new(token: &AdminToken) -> Result<Self, TokenError> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, token.reveal().as_bytes()), b"plimsoll seal 1");
        UnboundKey::new(&AES_256_GCM, tag.as_ref()).map(|key| Self(LessSafeKey::new(key))).map_err(|_| TokenError::Random)
    }

    pub(crate) fn close(&self, plain: &[u8]) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
        Some(hex(&nonce) + &hex(&sealed))
    }

    /// `None` when it was sealed under another token, or is damaged.
    pub(crate) fn open(&self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = unhex(text)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let length = self.0.open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, Aad::empty(), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_token_alone() {
        let (one, other) = (AdminToken::random().unwrap(), AdminToken::random().unwrap());
        let sealed = Seal::new(&one).unwrap().close(b"secret").unwrap();
        assert_eq!(Seal::new(&one).unwrap().open(&sealed).unwrap().as_slice(), b"secret");
        assert_ne!(Seal::new(&one).unwrap().close(b"secret").unwrap(), sealed);
        for bad in [sealed.replace(&sealed[30..31], if &sealed[30..31] == "0" { "1" } else { "0" }), String::new(), "zz".into(), "0".into()]
        {
            assert!(Seal::new(&one).unwrap().open(&bad).is_none());
        }
        assert!(Seal::new(&other).unwrap().open(&sealed).is_none());
    }

    #[test]
    fn digits_come_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhash(&hex(&hash("x"))), Some(hash("x")));
        assert_eq!(unhash("00"), None);
        assert!(random::<32>().unwrap().len() == 64 && random::<8>() != random::<8>());
    }
}
