use crate::limits::{NOTE_MAX, SECRET_MIN};
use crate::sign::base64;
use arrayvec::ArrayString;
use std::fmt;
use zeroize::Zeroizing;

/// A token, password or address that nobody may read. It is never shown and is overwritten when dropped.
///
/// ```
/// use plimsoll_notify::Secret;
///
/// let token = Secret::new("123:abc".to_owned());
/// assert_eq!(format!("{token} {token:?}"), "[redacted] [redacted]");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret. What the caller copied before stays where it is.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

const REDACTED: &str = "[redacted]";

/// What somebody else said about a failure: without secrets and control characters, cut at [`NOTE_MAX`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Note(Box<str>);

impl Note {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Cuts a text that holds no secret.
    pub(crate) fn plain(text: &str) -> Self {
        let mut note = ArrayString::<NOTE_MAX>::new();
        for c in text.chars() {
            let c = if c.is_control() { ' ' } else { c };
            if note.try_push(c).is_err() {
                break;
            }
        }
        Self(note.as_str().into())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Takes a channel's secrets out of what others say: services and libraries may repeat what they were sent.
pub(crate) struct Redactor {
    /// Longest first, so that no part of a longer one is left.
    needles: Box<[Secret]>,
}

impl Redactor {
    /// Knows the secrets, their parts between slashes and other marks of addresses, and how they look in an address and in base64.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            needles.push(secret.to_owned());
            needles.extend(secret.split(['/', '?', '&', '=', ':', '@', '\0']).map(str::to_owned));
            needles.push(base64(secret.as_bytes()));
            needles.push(percent(secret));
        }
        needles.retain(|needle| needle.len() >= SECRET_MIN && !COMMON.contains(&needle.as_str()));
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles: needles.into_iter().map(Secret::new).collect() }
    }

    /// Makes a note of a text. Redacted first and cut then, so that no beginning of a secret is left at the end.
    pub(crate) fn note(&self, text: &str) -> Note {
        let mut clean = text.to_owned();
        for needle in &self.needles {
            if clean.contains(needle.expose()) {
                clean = clean.replace(needle.expose(), REDACTED);
            }
        }
        Note::plain(&clean)
    }
}

/// Parts of addresses that are no secrets.
const COMMON: &[&str] = &["https", "services", "webhooks", "open-apis", "access_token", "cgi-bin", "webhook"];

/// As `application/x-www-form-urlencoded` has it.
pub(crate) fn percent(text: &str) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else if write!(out, "%{byte:02X}").is_err() {
            // A `String` takes everything.
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(secrets: &[&str], text: &str, expected: &str) {
        assert_eq!(Redactor::new(secrets.iter().copied()).note(text).as_str(), expected);
    }

    #[test]
    fn secrets_and_their_parts_are_taken_out() {
        check(&["123456:AAabcdef"], "GET /bot123456:AAabcdef/sendMessage", "GET /bot[redacted]/sendMessage");
        check(&["T0001/B0001/XyZxYz99"], "no XyZxYz99 here", "no [redacted] here");
        check(&["pass word&"], "pass%20word%26 cGFzcyB3b3JkJg==", "[redacted] [redacted]");
        check(&["\0user@x\0hunter2"], "AUTH PLAIN AHVzZXJAeABodW50ZXIy: hunter2", "AUTH PLAIN [redacted]: [redacted]");
        check(&["https://hooks.example/services/T1/abcdefgh"], "bad services abcdefgh", "bad services [redacted]");
    }

    #[test]
    fn ordinary_text_is_left_alone_and_cut_at_a_character() {
        check(&["abcdefgh"], "chat not found\r\n", "chat not found  ");
        check(&["abc"], "abc is too short to be told from text", "abc is too short to be told from text");
        let long = "é".repeat(NOTE_MAX);
        assert_eq!(Note::plain(&long).as_str().len(), NOTE_MAX);
        let (head, token) = ("x".repeat(NOTE_MAX - 4), "tokentoken");
        let note = Redactor::new([token]).note(&format!("{head}{token}"));
        assert!(!note.as_str().contains("toke"), "{note}");
    }
}
