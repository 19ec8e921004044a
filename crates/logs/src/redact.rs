//! Takes secrets out of what is said.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::limits::{SECRET_FORMS, SECRET_MAX, SECRET_MIN, SECRETS_MAX};

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[redacted]";

/// Words behind which a secret stands, after `=` or `:`, with or without quotes; in lower case.
const WORDS: &[&str] =
    &["signature", "listenkey", "apikey", "api_key", "api-key", "apisecret", "api_secret", "password", "passwd", "secret", "token"];

/// Knows secrets by name, and where in a text others stand.
#[derive(Default)]
pub(crate) struct Redactor {
    known: RwLock<Known>,
    longest: AtomicUsize,
}

/// What to look for, the longest first, so that no part of a longer one is left.
#[derive(Default)]
struct Known {
    needles: Vec<Zeroizing<String>>, // tidy: bounded by SECRETS_MAX × SECRET_FORMS
}

impl Redactor {
    /// Learns a secret; what is too short or too long to be one, or one too many, is not taken, and `false` says so.
    pub(crate) fn learn(&self, secret: &str) -> bool {
        if !(SECRET_MIN..=SECRET_MAX).contains(&secret.len()) {
            return false;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let quoted: String = secret.escape_debug().collect();
        for form in [secret.to_owned(), percent(secret), base64(secret.as_bytes()), quoted] {
            let form = Zeroizing::new(form);
            if known.needles.contains(&form) {
                continue;
            }
            if known.needles.len() == SECRETS_MAX * SECRET_FORMS {
                return false;
            }
            known.needles.push(form);
        }
        self.longest.fetch_max(known.needles.iter().map(|needle| needle.len()).max().unwrap_or(0), Relaxed);
        known.needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        true
    }

    /// Returns the bytes of the longest form of a secret.
    pub(crate) fn longest(&self) -> usize {
        self.longest.load(Relaxed)
    }

    /// Takes secrets out of a text. Of one that was `cut` off, its end goes, too: it may be the beginning of a secret.
    pub(crate) fn clean(&self, mut text: String, cut: bool) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for needle in &known.needles {
            if text.contains(needle.as_str()) {
                text = text.replace(needle.as_str(), REDACTED);
            }
        }
        let longest = known.needles.first().map_or(0, |needle| needle.len());
        drop(known);
        if cut {
            let end = text.len().saturating_sub(longest.saturating_sub(1));
            text.truncate(text.floor_char_boundary(end));
        }
        by_place(text)
    }
}

/// Takes out what stands where secrets stand. Looks at each byte once, and at the few before it where one may begin.
fn by_place(text: String) -> String {
    let bytes = text.as_bytes();
    let mut clean: Option<String> = None;
    // What is written already of the original.
    let mut done = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let found = match byte {
            b':' if bytes.get(at..).is_some_and(|rest| rest.starts_with(b"://")) => login(&text, at + 3),
            b'=' | b':' if word_before(bytes, at) => value(bytes, behind_marks(bytes, at), 4),
            b' ' if ends_with(bytes, at, "bearer") => value(bytes, at + 1, 8),
            b'/' if ends_with(bytes, at, "/ws") => value(bytes, at + 1, 32),
            _ => None,
        };
        let Some((from, to)) = found else {
            at += 1;
            continue;
        };
        let out = clean.get_or_insert_default();
        out.push_str(text.get(done..from).unwrap_or_default());
        out.push_str(REDACTED);
        (done, at) = (to, to);
    }
    match clean {
        Some(mut out) => {
            out.push_str(text.get(done..).unwrap_or_default());
            out
        }
        None => text,
    }
}

/// Whether what ends at a place is this word, in either case.
fn ends_with(bytes: &[u8], end: usize, word: &str) -> bool {
    let from = end.checked_sub(word.len());
    from.and_then(|from| bytes.get(from..end)).is_some_and(|tail| tail.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a word behind which secrets stand ends here, before quotes.
fn word_before(bytes: &[u8], at: usize) -> bool {
    let quotes = bytes.get(..at).unwrap_or_default().iter().rev().take(MARKS_MAX);
    let end = at - quotes.take_while(|byte| matches!(byte, b'"' | b'\'' | b'\\')).count();
    WORDS.iter().any(|word| ends_with(bytes, end, word))
}

/// Where a value begins behind `=` or `:`.
fn behind_marks(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at + 1..).unwrap_or_default().iter().take(MARKS_MAX);
    at + 1 + rest.take_while(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b' ')).count()
}

/// Quotes, backslashes and blanks between a word and its value, on either side.
const MARKS_MAX: usize = 6;

/// A run of characters of which keys and tokens are made, if it is long enough to be one.
fn value(bytes: &[u8], from: usize, least: usize) -> Option<(usize, usize)> {
    let run = bytes.get(from..)?.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.~+/=%!$*".contains(byte)).count();
    (run >= least).then_some((from, from + run))
}

/// What stands between `://` and `@` in an address.
fn login(text: &str, from: usize) -> Option<(usize, usize)> {
    let authority = text.get(from..)?;
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#' | '<' | '>');
    let authority = authority.get(..authority.find(ends).unwrap_or(authority.len()))?;
    let sign = authority.rfind('@')?;
    (sign > 0).then_some((from, from + sign))
}

/// As `application/x-www-form-urlencoded` has it.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// RFC 4648, without padding: what follows in a longer text changes it.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        // The last sign of a short chunk depends on what follows it.
        for place in 0..(chunk.len() * 8) / 6 {
            let sign = bits >> (18 - 6 * place) & 63;
            out.extend(SIGNS.get(sign as usize).map(|sign| char::from(*sign)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CAPTURE_MAX;
    use proptest::prelude::*;

    fn knows(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        for secret in secrets {
            assert!(redactor.learn(secret));
        }
        redactor
    }

    #[track_caller]
    fn check(secrets: &[&str], text: &str, expected: &str) {
        assert_eq!(knows(secrets).clean(text.to_owned(), false), expected);
    }

    #[test]
    fn known_secrets_go_in_every_form() {
        check(&["s3cr\"t/word"], "a s3cr\"t/word b", "a [redacted] b");
        check(&["s3cr\"t/word"], "key s3cr%22t%2Fword!", "key [redacted]!");
        check(&["s3cr\"t/word"], "said \"s3cr\\\"t/word\"", "said \"[redacted]\"");
        check(&["user12:pass34"], "basic dXNlcjEyOnBhc3MzNA==", "basic [redacted]A==");
        check(&["abcdef", "abcdefghi"], "abcdefghi abcdef", "[redacted] [redacted]");
    }

    #[test]
    fn secrets_are_found_by_where_they_stand() {
        for (text, expected) in [
            ("GET /fapi/v1/order?symbol=A&signature=0f0e0d0c&x=1", "GET /fapi/v1/order?symbol=A&signature=[redacted]&x=1"),
            ("{\"listenKey\":\"pqia91ma19a5s61cv6a81va65sd\"}", "{\"listenKey\":\"[redacted]\"}"),
            ("body=\"{\\\"listenKey\\\": \\\"pqia91ma1\\\"}\"", "body=\"{\\\"listenKey\\\": \\\"[redacted]\\\"}\""),
            ("X-MBX-APIKEY: vmPUZE6mv9SD5VNH", "X-MBX-APIKEY: [redacted]"),
            ("Authorization: Bearer plm_0123456789abcdef", "Authorization: Bearer [redacted]"),
            ("cannot reach postgres://me:hunter2@db:5432/bot", "cannot reach postgres://[redacted]@db:5432/bot"),
            ("password=hunter2 user=me token='abcd'", "password=[redacted] user=me token='[redacted]'"),
            ("wss://host/ws/0123456789012345678901234567890123456789", "wss://host/ws/[redacted]"),
        ] {
            check(&[], text, expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "wrong token presented refused=3",
            "cannot read the secret of the alert channel from /run/secrets/mail_password",
            "GET http://127.0.0.1:15173/ws/ and a@b.example",
            "the API key works from any address",
            "token: no",
            "",
        ] {
            check(&["unrelated-secret"], text, text);
        }
    }

    #[test]
    fn too_short_too_long_and_too_many_are_not_taken() {
        let redactor = Redactor::default();
        assert!(!redactor.learn("12345") && redactor.learn("123456"));
        assert!(redactor.learn(&"x".repeat(SECRET_MAX)) && !redactor.learn(&"y".repeat(SECRET_MAX + 1)));
        let mut taken = 2;
        while redactor.learn(&format!("secret number {taken}")) {
            taken += 1;
            assert!(taken <= SECRETS_MAX * SECRET_FORMS);
        }
        assert!(taken >= SECRETS_MAX, "{taken}");
    }

    proptest! {
        #[test]
        fn no_secret_is_left_wherever_it_stands(
            secret in "[!-~]{6,40}", before in "[ -~]{0,60}", after in "[ -~]{0,60}", times in 1..4_usize,
        ) {
            let text = format!("{before}{}{after}", format!("{secret} ").repeat(times));
            let clean = knows(&[&secret]).clean(text, false);
            // What stands in its place may have a part of it that is a part of the mark itself.
            prop_assert!(!clean.replace(REDACTED, "\u{0}").contains(&secret), "{}", clean);
        }

        #[test]
        fn no_beginning_of_a_secret_is_left_where_a_text_was_cut(
            secret in "[a-z0-9]{12,40}", filler in 0..80_usize, times in 1..6_usize, cut_at in 0..300_usize,
        ) {
            // As capturing does it: so much is taken down, and no more.
            let whole = "#".repeat(filler) + &secret.repeat(times);
            let end = cut_at.min(whole.len());
            let clean = knows(&[&secret]).clean(whole[..end].to_owned(), end < whole.len());
            prop_assert!(!clean.contains(&secret[..12]), "{}", clean);
        }

        #[test]
        fn any_text_is_cleaned_in_time(text in "(?s).{0,400}") {
            let clean = knows(&["a secret"]).clean(text.clone(), false);
            prop_assert!(clean.len() <= text.len() * REDACTED.len());
        }
    }

    #[test]
    fn the_longest_capture_is_cleaned_at_once() {
        // Many places that look like one and are none.
        for pattern in ["token:", "://", "bearer ", "secret=\"", "/ws/x"] {
            let text = pattern.repeat((CAPTURE_MAX + 3 * SECRET_MAX) / pattern.len());
            let began = std::time::Instant::now();
            let clean = knows(&["a secret"]).clean(text, true);
            assert!(!clean.is_empty());
            // Some 100 µs; a search that begins anew at each place takes seconds.
            assert!(began.elapsed() < std::time::Duration::from_millis(200), "{pattern}: {:?}", began.elapsed());
        }
    }
}
