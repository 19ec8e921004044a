use crate::secret::percent;
use ring::hmac;
use std::fmt::Write;

/// HMAC-SHA256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

/// The header of the generic webhook: over the time in seconds, a full stop, and the body.
pub(crate) fn webhook(secret: &str, seconds: u64, body: &[u8]) -> String {
    let mut message = format!("{seconds}.").into_bytes();
    message.extend_from_slice(body);
    let mut out = String::from("sha256=");
    for byte in hmac_sha256(secret.as_bytes(), &message).as_ref() {
        if write!(out, "{byte:02x}").is_err() {
            // A `String` takes everything.
        }
    }
    out
}

/// Feishu's rule: the time in seconds and the secret are the *key*, the message is empty.
///
/// <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.
pub(crate) fn feishu(secret: &str, seconds: u64) -> String {
    base64(hmac_sha256(format!("{seconds}\n{secret}").as_bytes(), b"").as_ref())
}

/// DingTalk's rule: the secret is the key, the time in milliseconds and the secret are the message; written for an address.
///
/// <https://open.dingtalk.com/document/robots/customize-robot-security-settings>.
pub(crate) fn dingtalk(secret: &str, millis: u64) -> String {
    percent(&base64(hmac_sha256(secret.as_bytes(), format!("{millis}\n{secret}").as_bytes()).as_ref()))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0_u32, |group, (place, byte)| group | (u32::from(*byte) << (16 - 8 * place)));
        for place in 0..4 {
            let letter = ALPHABET.get((group >> (18 - 6 * place)) as usize & 63).filter(|_| place <= chunk.len());
            out.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_examples_of_rfc_4648() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    // Expected values were computed with another implementation (Python's hmac and base64).
    #[test]
    fn signatures_agree_with_another_implementation() {
        assert_eq!(webhook("topsecret", 1_700_000_000, b"{}"), "sha256=9ec0a0b3a9ebf7b4b512e23475f03d264dd11ea5aec41b6acdd5fff59a6a947c");
        assert_eq!(feishu("topsecret", 1_599_360_473), "cjN/DR6vQn2Z2pC7/l8z98ysGsA63SfLPjiWOpRZNd8=");
        assert_eq!(dingtalk("SECtopsecret", 1_577_262_236_757), "Mar9xEug%2FxY%2ByYOotPzlpWOdpwWara%2FKrRt1vSFGqF8%3D");
    }
}
