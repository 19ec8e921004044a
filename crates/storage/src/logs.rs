//! Lines of the log: what is stored of them, and what is asked for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use plimsoll_bounded::{LossySender, Sent};
use plimsoll_market::{LogLevel, Name, Symbol, Time};

use crate::error::StoreError;
use crate::limits::{LOG_CONTAINS_MAX, LOG_ROWS, LOG_ROWS_MAX, LOG_TEXT_MAX};
use crate::read::{CursorError, TimeRange};
use crate::writer::Counters;

/// A line of the log on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: Time,
    /// How urgent.
    pub level: LogLevel,
    /// Which part of the program speaks.
    pub target: &'static str,
    /// What it says, fields included. Shared with whoever else is told; beyond [`LOG_TEXT_MAX`] bytes it is cut.
    pub text: Arc<str>,
    /// The account it is about, if one.
    pub account: Option<Name>,
    /// The symbol it is about, if one.
    pub symbol: Option<Symbol>,
}

/// A line of the log as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its place in the list.
    pub id: i64,
    /// When.
    pub time: Time,
    /// How urgent.
    pub level: LogLevel,
    /// Which part of the program spoke.
    pub target: String,
    /// What it said.
    pub text: String,
    /// The account it is about, if one.
    pub account: Option<Name>,
    /// The symbol it is about, if one.
    pub symbol: Option<Symbol>,
}

/// Which lines of the log are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// From when up to when.
    pub range: TimeRange,
    /// Only lines at least so urgent.
    pub level: LogLevel,
    /// Only lines whose text has this in it, in either case of the letters A to Z; empty means all. At most
    /// [`LOG_CONTAINS_MAX`] bytes.
    pub contains: String,
    /// Only lines before this place, which an earlier page gave.
    pub before: Option<LogCursor>,
    /// Lines at most.
    pub limit: LogLimit,
}

impl LogQuery {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let (value, most) = (self.contains.len() as u64, LOG_CONTAINS_MAX as u64);
        if value > most { Err(StoreError::TooMuch { what: "bytes of the text sought", value, most }) } else { Ok(()) }
    }

    /// The text sought as a pattern: what means something in patterns means itself.
    pub(crate) fn pattern(&self) -> Option<String> {
        if self.contains.is_empty() {
            return None;
        }
        let mut pattern = String::with_capacity(2 * self.contains.len() + 2);
        pattern.push('%');
        for c in self.contains.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        Some(pattern)
    }
}

/// Lines of the log that a query returns at most, 1 to [`LOG_ROWS_MAX`]; [`LOG_ROWS`] by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimit(u32);

impl LogLimit {
    /// Checks a limit.
    ///
    /// # Errors
    /// Zero, or more than [`LOG_ROWS_MAX`].
    pub fn new(rows: u32) -> Result<Self, StoreError> {
        if (1..=LOG_ROWS_MAX).contains(&rows) {
            Ok(Self(rows))
        } else {
            Err(StoreError::TooMuch { what: "limit", value: u64::from(rows), most: u64::from(LOG_ROWS_MAX) })
        }
    }

    /// Returns the rows.
    pub fn rows(self) -> u32 {
        self.0
    }
}

impl Default for LogLimit {
    fn default() -> Self {
        Self(LOG_ROWS)
    }
}

/// A place in the list of lines; its text form survives an url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCursor {
    /// The last line's time.
    pub time: Time,
    /// The last line's place among all.
    pub id: i64,
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time.nanos(), self.id)
    }
}

impl FromStr for LogCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (time, id) = text.split_once('-').ok_or(CursorError)?;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(time) || !plain(id) {
            return Err(CursorError);
        }
        let time = time.parse().map(Time::from_nanos).map_err(|_| CursorError)?;
        Ok(Self { time, id: id.parse().map_err(|_| CursorError)? })
    }
}

/// Takes lines of the log, as far as there is room. Never waits, never fails. Cheap to clone.
#[derive(Clone)]
pub struct LogWriter {
    lane: LossySender<LogLine>,
    counters: Arc<Counters>,
}

impl LogWriter {
    pub(crate) fn new(lane: LossySender<LogLine>, counters: Arc<Counters>) -> Self {
        Self { lane, counters }
    }

    /// Takes a line. Whatever is lost is counted: the oldest when full, this one after the end.
    pub fn write(&self, line: LogLine) {
        if !matches!(self.lane.send(line), Ok(Sent::Queued)) {
            self.counters.logs_dropped.fetch_add(1, Relaxed);
        }
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogWriter")
    }
}

/// Cuts a text to what is stored of it.
pub(crate) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LOG_TEXT_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_means_something_in_patterns_means_itself() {
        let range = TimeRange::new(Time::ZERO, Time::ZERO).unwrap();
        let query = |contains: &str| LogQuery {
            range,
            level: LogLevel::Trace,
            contains: contains.to_owned(),
            before: None,
            limit: LogLimit::default(),
        };
        assert_eq!(query("").pattern(), None);
        assert_eq!(query("5 % of a_b\\").pattern().as_deref(), Some("%5 \\% of a\\_b\\\\%"));
        assert!(query(&"x".repeat(LOG_CONTAINS_MAX)).check().is_ok());
        assert!(query(&"x".repeat(LOG_CONTAINS_MAX + 1)).check().is_err());
    }

    #[test]
    fn limits_are_allowed_and_one_beyond_is_not() {
        for (rows, good) in [(0, false), (1, true), (LOG_ROWS_MAX, true), (LOG_ROWS_MAX + 1, false)] {
            assert_eq!(LogLimit::new(rows).is_ok(), good, "{rows}");
        }
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let text = "ä".repeat(LOG_TEXT_MAX);
        assert_eq!(cut(&text).len(), LOG_TEXT_MAX / 2 * 2);
        assert_eq!(cut("short"), "short");
    }

    proptest! {
        #[test]
        fn cursors_come_back(nanos: u64, id in 0..i64::MAX) {
            let cursor = LogCursor { time: Time::from_nanos(nanos), id };
            prop_assert_eq!(cursor.to_string().parse::<LogCursor>(), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_none(text in ".*") {
            if let Ok(cursor) = text.parse::<LogCursor>() {
                prop_assert!(cursor.id >= 0);
            }
        }
    }
}
