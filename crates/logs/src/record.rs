//! A line of the log.

use std::sync::Arc;

use plimsoll_market::{LogLevel, Name, Symbol, Time};

/// A line of the log: one line, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub time: Time,
    /// How urgent.
    pub level: LogLevel,
    /// Which part of the program speaks: a path of modules.
    pub target: &'static str,
    /// What it says: spans, message and fields; [`crate::limits::TEXT_MAX`] bytes at most.
    pub text: Arc<str>,
    /// The account it is about, if a field said so.
    pub account: Option<Name>,
    /// The symbol it is about, if a field said so.
    pub symbol: Option<Symbol>,
}

impl Record {
    /// Writes the line for the terminal, its end included.
    pub(crate) fn terminal(&self) -> String {
        format!("{} {} {}\n", Stamp(self.time), word(self.level), self.text)
    }

    /// Appends the line for a file, its end included.
    pub(crate) fn append_to(&self, out: &mut String) {
        use std::fmt::Write;
        // Writing to a string does not fail.
        if writeln!(out, "{} {} {}: {}", Stamp(self.time), word(self.level), self.target, self.text).is_err() {
            out.push('\n');
        }
    }
}

/// The level in capitals, five characters wide.
const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "ERROR",
        LogLevel::Warn => " WARN",
        LogLevel::Info => " INFO",
        LogLevel::Debug => "DEBUG",
        LogLevel::Trace => "TRACE",
    }
}

/// A time as RFC 3339 has it, with microseconds.
pub(crate) struct Stamp(pub(crate) Time);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.nanos() / 1_000;
        let (days, of_day) = (micros / 86_400_000_000, micros % 86_400_000_000);
        let (year, month, day) = date(days);
        let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// The date so many days after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that the leap day is their last.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999000Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Stamp(Time::from_millis(millis)).to_string(), expected);
        }
        assert_eq!(Stamp(Time::from_nanos(1_999)).to_string(), "1970-01-01T00:00:00.000001Z");
    }

    #[test]
    fn lines_of_terminal_and_file_differ_by_the_target() {
        let record =
            Record { time: Time::ZERO, level: LogLevel::Info, target: "a::b", text: "said n=1".into(), account: None, symbol: None };
        assert_eq!(record.terminal(), "1970-01-01T00:00:00.000000Z  INFO said n=1\n");
        let mut line = String::new();
        record.append_to(&mut line);
        assert_eq!(line, "1970-01-01T00:00:00.000000Z  INFO a::b: said n=1\n");
    }
}
