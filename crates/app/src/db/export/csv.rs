//! CSV as RFC 4180 has it, safe to open in a spreadsheet.

use super::Lines;
use super::columns::{Cell, Column, Kind};
use plimsoll_market::{Time, format_units};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// Bytes that are written at once.
const BUFFER: usize = 64 * 1_024;

/// Writes lines.
pub struct Csv {
    out: BufWriter<File>,
    columns: &'static [Column],
    line: String,
}

impl Csv {
    /// Begins a file with the columns' names.
    pub fn new(file: File, columns: &'static [Column]) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        write!(out, "{}\r\n", names.join(","))?;
        Ok(Self { out, columns, line: String::new() })
    }
}

impl Lines for Csv {
    fn row(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        self.line.clear();
        for (n, (cell, column)) in cells.iter().zip(self.columns).enumerate() {
            if n > 0 {
                self.line.push(',');
            }
            match cell {
                Cell::Nothing => {}
                Cell::Text(text) => put_text(&mut self.line, text),
                Cell::Decimal(units, scale) => write!(self.line, "{}", decimal(*units, *scale, column.kind))?,
                Cell::Time(time) => self.line.push_str(&rfc3339(*time)),
                Cell::Number(number) => write!(self.line, "{number}")?,
                Cell::Signed(number) => write!(self.line, "{number}")?,
                Cell::Flag(flag) => self.line.push_str(if *flag { "true" } else { "false" }),
            }
        }
        self.line.push_str("\r\n");
        Ok(self.out.write_all(self.line.as_bytes())?)
    }

    fn finish(self: Box<Self>) -> anyhow::Result<File> {
        Ok(self.out.into_inner().map_err(io::IntoInnerError::into_error)?)
    }
}

/// All digits of the scale stay, zeros too, so that columns line up.
fn decimal(units: i128, scale: u8, kind: Kind) -> String {
    match kind {
        Kind::Money => format_units(units, super::columns::MONEY_DIGITS).to_string(),
        _ => format_units(units, scale).to_string(),
    }
}

/// Adds a text, in quotes where it needs them. Spreadsheets take what begins so for a formula, which could do anything.
fn put_text(line: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quotes = formula || text.contains([',', '"', '\r', '\n']);
    if quotes {
        line.push('"');
    }
    if formula {
        line.push('\'');
    }
    for c in text.chars() {
        if c == '"' {
            line.push('"');
        }
        line.push(c);
    }
    if quotes {
        line.push('"');
    }
}

/// Writes a time with all its digits.
pub fn rfc3339(time: Time) -> String {
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.nanos())) else { return String::new() };
    let (date, hms) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        hms.hour(),
        hms.minute(),
        hms.second(),
        at.nanosecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_they_must_be_and_no_formula_stays_one() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("-x", "\"'-x\""),
            ("-5", "\"'-5\""),
            ("\tx", "\"'\tx\""),
            ("Ω", "Ω"),
        ];
        for (text, expected) in cases {
            let mut line = String::new();
            put_text(&mut line, text);
            assert_eq!(line, expected, "{text}");
        }
    }

    #[test]
    fn times_have_all_their_digits() {
        assert_eq!(rfc3339(Time::from_nanos(1_709_164_799_000_000_001)), "2024-02-28T23:59:59.000000001Z");
        assert_eq!(rfc3339(Time::ZERO), "1970-01-01T00:00:00.000000000Z");
    }
}
