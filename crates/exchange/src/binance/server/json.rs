//! A writer for the small, flat documents of the protocol.

use core::fmt::{Display, Write};

/// Appends what a value shows.
pub(crate) fn put(out: &mut String, value: impl Display) {
    if write!(out, "{value}").is_err() {
        unreachable!("a string takes any text");
    }
}

/// Appends a text as a quoted and escaped JSON string.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => put(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// An object being written; its closing brace comes with [`Object::end`].
pub struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    /// Writes a bare value: a number, a flag, or a finished document.
    pub fn bare(&mut self, key: &str, value: impl Display) -> &mut Self {
        put(self.key(key), value);
        self
    }

    /// Writes a value in quotes that needs no escaping: a decimal or one of the protocol's words.
    pub fn quoted(&mut self, key: &str, value: impl Display) -> &mut Self {
        let out = self.key(key);
        out.push('"');
        put(out, value);
        out.push('"');
        self
    }

    /// Writes a text that came from outside, escaped.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        write_text(self.key(key), value);
        self
    }

    /// Writes a value by a function.
    pub fn with(&mut self, key: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        write(self.key(key));
        self
    }

    /// Closes the object.
    pub fn end(&mut self) {
        self.out.push('}');
    }
}

/// An array being written; its closing bracket comes with [`List::end`].
pub struct List<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> List<'a> {
    /// Opens an array.
    pub fn new(out: &'a mut String) -> Self {
        out.push('[');
        Self { out, first: true }
    }

    /// Writes one element by a function.
    pub fn item(&mut self, write: impl FnOnce(&mut String)) -> &mut Self {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        write(self.out);
        self
    }

    /// Closes the array.
    pub fn end(&mut self) {
        self.out.push(']');
    }
}

/// Money at eight digits, shown with as few as it needs but at least `digits_min`.
pub(crate) fn short(units: i128, digits_min: usize) -> impl Display {
    Short { units, scale: 8, digits_min }
}

/// A number of any scale, shown with as few digits as it needs but at least `digits_min`.
pub(crate) fn short_scaled(units: i128, scale: u8, digits_min: usize) -> impl Display {
    Short { units, scale, digits_min }
}

struct Short {
    units: i128,
    scale: u8,
    digits_min: usize,
}

impl Display for Short {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (mut units, mut scale) = (self.units, self.scale);
        while usize::from(scale) > self.digits_min && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        plimsoll_market::format_units(units, scale).fmt(f)
    }
}

/// Money at eight digits, all of them.
pub(crate) fn money(units: i128) -> impl Display {
    plimsoll_market::format_units(units, plimsoll_market::limits::MONEY_SCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_json_cannot_hold() {
        let mut out = String::new();
        write_text(&mut out, "a\"b\\c\n\u{1}é");
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001é\"");
    }

    #[test]
    fn shows_as_few_digits_as_needed() {
        assert_eq!(short(12_340_000_000, 0).to_string(), "123.4");
        assert_eq!(short(10_000_000_000, 0).to_string(), "100");
        assert_eq!(short(10_000_000_000, 2).to_string(), "100.00");
        assert_eq!(short(0, 0).to_string(), "0");
        assert_eq!(short(-1, 0).to_string(), "-0.00000001");
    }
}
