//! Takes down what an event says, within limits.

use std::fmt::{self, Debug, Write};

use plimsoll_market::{Name, Symbol};
use tracing::field::{Field, Visit};

use crate::limits::CAPTURE_MAX;

/// A text that takes so many bytes and no more. Control characters are written out, so that it stays one line and moves no cursor.
pub(crate) struct Capped {
    text: String,
    max: usize,
    cut: bool,
}

impl Capped {
    pub(crate) fn new(max: usize) -> Self {
        Self { text: String::new(), max, cut: false }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Tells whether something did not fit.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }

    /// Takes what fits. A value that cannot be written out leaves the text as one that was cut.
    pub(crate) fn say(&mut self, text: fmt::Arguments<'_>) {
        if self.write_fmt(text).is_err() {
            self.cut = true;
        }
    }

    fn push(&mut self, part: &str) -> fmt::Result {
        if self.cut {
            return Err(fmt::Error);
        }
        let room = self.max - self.text.len();
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        self.cut = true;
        self.text.push_str(part.get(..part.floor_char_boundary(room)).unwrap_or_default());
        Err(fmt::Error)
    }
}

impl Write for Capped {
    /// Fails when it is full, so that whoever writes does not go on in vain.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(char::is_control) {
            let (plain, odd) = rest.split_at(at);
            self.push(plain)?;
            let mut chars = odd.chars();
            if let Some(c) = chars.next() {
                let mut escaped = arrayvec::ArrayString::<12>::new();
                for c in c.escape_default() {
                    // The longest, \u{10ffff}, has ten.
                    if escaped.try_push(c).is_err() {
                        break;
                    }
                }
                self.push(&escaped)?;
            }
            rest = chars.as_str();
        }
        self.push(rest)
    }
}

/// What an event says.
pub(crate) struct Said {
    pub(crate) message: Capped,
    pub(crate) fields: Capped,
    pub(crate) account: Option<Name>,
    pub(crate) symbol: Option<Symbol>,
}

impl Said {
    pub(crate) fn new() -> Self {
        Self { message: Capped::new(CAPTURE_MAX), fields: Capped::new(CAPTURE_MAX), account: None, symbol: None }
    }

    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            self.message.say(value);
            return;
        }
        let gap = if self.fields.is_empty() { "" } else { " " };
        self.fields.say(format_args!("{gap}{}={value}", field.name()));
    }

    /// Remembers whom it is about.
    fn about(&mut self, field: &Field, value: &str) {
        match field.name() {
            "account" => self.account = Name::new(value).ok().or(self.account),
            "symbol" => self.symbol = Symbol::new(value).ok().or(self.symbol),
            _ => {}
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format_args!("{value:?}"));
        if matches!(field.name(), "account" | "symbol") {
            let mut text = Capped::new(64);
            text.say(format_args!("{value:?}"));
            self.about(field, text.as_str().trim_matches('"'));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.put(field, format_args!("{value}"));
        } else {
            self.put(field, format_args!("{value:?}"));
            self.about(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{value}"));
        let mut cause = value.source();
        for _ in 0..CAUSES_MAX {
            let Some(error) = cause else { break };
            self.fields.say(format_args!(": {error}"));
            cause = error.source();
        }
    }
}

/// Causes beneath an error that are told.
const CAUSES_MAX: usize = 8;

/// Takes down the fields of a span.
pub(crate) struct SpanFields(pub(crate) Capped);

impl Visit for SpanFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let gap = if self.0.is_empty() { "" } else { " " };
        self.0.say(format_args!("{gap}{}={value:?}", field.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_are_written_out() {
        let mut text = Capped::new(100);
        write!(text, "a\nb\r\t\0\u{1b}[2J\u{9b}c").unwrap();
        assert_eq!(text.as_str(), "a\\nb\\r\\t\\u{0}\\u{1b}[2J\\u{9b}c");
        assert!(!text.is_cut());
    }

    #[test]
    fn whoever_writes_too_much_is_stopped() {
        let mut written = 0;
        struct Endless<'a>(&'a mut u32);
        let mut text = Capped::new(10);
        let endless = Endless(&mut written);
        let done = loop {
            if write!(text, "abc").is_err() {
                break true;
            }
            *endless.0 += 1;
        };
        assert!(done && text.is_cut());
        assert_eq!((text.as_str(), written), ("abcabcabca", 3));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_line_within_its_limit(parts in proptest::collection::vec(any::<String>(), 0..6), max in 0..40_usize) {
            let mut text = Capped::new(max);
            for part in &parts {
                if text.write_str(part).is_err() {
                    prop_assert!(text.is_cut());
                }
            }
            prop_assert!(text.as_str().len() <= max);
            prop_assert!(!text.as_str().chars().any(char::is_control));
            if !text.is_cut() && !parts.iter().any(|part| part.contains(char::is_control)) {
                prop_assert_eq!(text.as_str(), parts.concat());
            }
        }
    }
}
