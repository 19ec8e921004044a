//! Short texts of fixed size.

use std::fmt;
use std::ops::Deref;

use arrayvec::ArrayString;

/// A text of at most `N` bytes, kept inline; longer ones are cut at a character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<const N: usize>(ArrayString<N>);

impl<const N: usize> Text<N> {
    /// Takes as much of the text as fits.
    pub fn cut(text: &str) -> Self {
        let fits = text.get(..text.floor_char_boundary(N)).unwrap_or_default();
        Self(ArrayString::from(fits).unwrap_or_default())
    }

    /// Writes a value down, as much of it as fits.
    pub fn of(value: &impl fmt::Display) -> Self {
        let mut text = Self::default();
        let mut writer = Cut { text: &mut text };
        match fmt::Write::write_fmt(&mut writer, format_args!("{value}")) {
            // An error is how the writer says that it is full: what fitted is there.
            Ok(()) | Err(fmt::Error) => text,
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

struct Cut<'a, const N: usize> {
    text: &'a mut Text<N>,
}

impl<const N: usize> fmt::Write for Cut<'_, N> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.text.0.remaining_capacity();
        let fits = part.get(..part.floor_char_boundary(room)).unwrap_or_default();
        self.text.0.try_push_str(fits).map_err(|_| fmt::Error)?;
        if fits.len() == part.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl<const N: usize> Deref for Text<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn cuts_at_a_character() {
        assert_eq!(Text::<4>::cut("abcd").as_str(), "abcd");
        assert_eq!(Text::<4>::cut("abcde").as_str(), "abcd");
        assert_eq!(Text::<4>::cut("abcö").as_str(), "abc");
        assert_eq!(Text::<4>::of(&"abcö").as_str(), "abc");
        assert_eq!(Text::<4>::of(&123_456).as_str(), "1234");
    }
}
