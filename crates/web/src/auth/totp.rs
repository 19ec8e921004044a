//! One-time codes of RFC 6238: six digits of HMAC-SHA-1 over steps of 30 seconds, as every authenticator app makes them.

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes of a secret: as many as RFC 4226 recommends.
pub(crate) const SECRET_BYTES: usize = 20;
/// Seconds of a step.
const STEP_S: u64 = 30;
/// Steps before and after the present one whose codes are taken: clocks differ, and people type slowly.
const SLACK: u64 = 1;
/// Digits of a code.
const DIGITS: u32 = 6;
/// The letters of base 32 (RFC 4648).
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The secret of one-time codes. Zeroed when dropped.
pub(crate) struct Totp(Zeroizing<Vec<u8>>); // tidy: bounded by SECRET_BYTES

impl Totp {
    /// Makes one; `None` when the operating system gives no random bytes.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
        SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn of(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The step whose code this is, later than `last`; `None` when it is wrong or was used.
    pub(crate) fn step_of(&self, code: &str, now_ms: u64, last: u64) -> Option<u64> {
        if code.len() != DIGITS as usize || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let wanted: u32 = code.parse().ok()?;
        let now = now_ms / 1_000 / STEP_S;
        (now.saturating_sub(SLACK)..=now + SLACK).find(|step| *step > last && self.code(*step) == wanted)
    }

    fn code(&self, step: u64) -> u32 {
        truncated(&self.0, step) % 10_u32.pow(DIGITS)
    }

    /// The secret as apps take it.
    pub(crate) fn base32(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.0.len().div_ceil(5) * 8));
        let (mut bits, mut count) = (0_u32, 0_u32);
        for byte in self.0.iter() {
            bits = bits << 8 | u32::from(*byte);
            count += 8;
            while count >= 5 {
                count -= 5;
                text.push(letter(bits >> count));
            }
        }
        if count > 0 {
            text.push(letter(bits << (5 - count)));
        }
        text
    }

    /// The address that apps read from a picture.
    pub(crate) fn url(&self, account: &str) -> Zeroizing<String> {
        let account: String = account.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
        Zeroizing::new(format!("otpauth://totp/Plimsoll:{account}?secret={}&issuer=Plimsoll", self.base32().as_str()))
    }
}

fn letter(bits: u32) -> char {
    LETTERS.get((bits & 31) as usize).map_or('A', |letter| char::from(*letter))
}

/// The dynamic truncation of RFC 4226, 31 bits.
fn truncated(secret: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let offset = tag.as_ref().last().map_or(0, |last| usize::from(last & 15));
    let four = tag.as_ref().get(offset..offset + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
    u32::from_be_bytes(four.unwrap_or_default()) & 0x7FFF_FFFF
}

/// Draws the address as a picture.
pub(crate) fn picture(url: &str) -> Option<String> {
    let code = qrcode::QrCode::new(url.as_bytes()).ok()?;
    Some(code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(200, 200).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totp(secret: &str) -> Totp {
        Totp::of(Zeroizing::new(secret.as_bytes().to_vec()))
    }

    #[test]
    fn codes_are_those_of_the_rfcs() {
        // RFC 6238, appendix B, the SHA-1 column of eight digits.
        let secret = b"12345678901234567890";
        for (second, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(truncated(secret, second / STEP_S) % 100_000_000, code, "{second}");
        }
        // RFC 4226, appendix D.
        let codes = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (counter, code) in codes.into_iter().enumerate() {
            assert_eq!(totp("12345678901234567890").code(counter as u64), code, "{counter}");
        }
    }

    #[test]
    fn a_code_is_taken_once_and_near_its_time_only() {
        let totp = totp("12345678901234567890");
        // The code of step 1, which is seconds 30 to 59.
        for (second, last, step) in
            [(30, 0, Some(1)), (59, 0, Some(1)), (0, 0, Some(1)), (89, 0, Some(1)), (90, 0, None), (30, 1, None), (30, 2, None)]
        {
            assert_eq!(totp.step_of("287082", second * 1_000, last), step, "at {second} after {last}");
        }
        for wrong in ["", "28708", "2870822", "287083", "28708a", "+87082", "２８７０８２"] {
            assert_eq!(totp.step_of(wrong, 30_000, 0), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_written_in_base_32() {
        // RFC 4648, section 10, without padding.
        for (plain, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB")] {
            assert_eq!(totp(plain).base32().as_str(), text);
        }
        let random = Totp::random().unwrap();
        assert_eq!(random.base32().len(), 32);
        assert!(picture(&random.url("main & co")).unwrap().contains("<svg"));
        assert!(random.url("main & co").starts_with("otpauth://totp/Plimsoll:mainco?secret="));
    }
}
