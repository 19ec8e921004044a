use crate::binance::decode::{LimitKind, RateLimit};
use crate::limits::DESCRIBE_ROWS_MAX;
use core::fmt::{self, Display, Write};
use plimsoll_market::{Amount, RefPrice, Time, format_units};

/// The text of a description, built line by line.
#[derive(Default)]
pub(super) struct Report {
    text: String,
}

impl Report {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line that says what follows.
    pub fn title(&mut self, title: impl Display) {
        // Writing into a text cannot fail.
        writeln!(self.text, "{title}").unwrap_or_default();
    }

    /// A name and its value.
    pub fn field(&mut self, name: &str, value: impl Display) {
        writeln!(self.text, "  {name:<16} {value}").unwrap_or_default();
    }

    /// A name and its value, if there is one.
    pub fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// A list: how many, then a line each; long ones are cut.
    pub fn rows<T>(&mut self, name: &str, rows: &[T], mut show: impl FnMut(&T) -> String) {
        self.field(name, rows.len());
        for row in rows.iter().take(DESCRIBE_ROWS_MAX) {
            writeln!(self.text, "    {}", show(row)).unwrap_or_default();
        }
        if rows.len() > DESCRIBE_ROWS_MAX {
            writeln!(self.text, "    … {} more", rows.len() - DESCRIBE_ROWS_MAX).unwrap_or_default();
        }
    }
}

/// A number with all digits that it has and no zeros behind.
pub(super) struct Exact(pub i128, pub u8);

impl Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format_units(self.0, self.1).to_string();
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        f.pad(text)
    }
}

/// Money at 1e-8.
pub(super) fn money(units: i128) -> Exact {
    Exact(units, 8)
}

pub(super) fn reference(price: RefPrice) -> Exact {
    Exact(i128::from(price.units()), 8)
}

pub(super) fn amount(amount: Amount) -> String {
    format!("{} {}", money(amount.units), amount.asset)
}

/// Milliseconds since 1970 with the date behind it.
pub(super) struct When(pub Time);

impl Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.millis();
        if ms == 0 {
            return f.write_str("none");
        }
        let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
        let (year, month, day) = civil(days);
        let (h, m, s, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
        write!(f, "{ms} ({year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}.{milli:03} UTC)")
    }
}

/// The date of a day since 1970, by Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

pub(super) fn limit_text(limit: &RateLimit) -> String {
    let kind = match limit.kind {
        LimitKind::RequestWeight => "weight",
        LimitKind::Orders => "orders",
        LimitKind::RawRequests => "requests",
    };
    let used = limit.count.map(|c| format!(", {c} used")).unwrap_or_default();
    format!("{} {kind} in {} s{used}", limit.limit, limit.interval.as_secs())
}

pub(super) const fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_numbers_are_exact() {
        assert_eq!(When(Time::from_millis(1_723_161_256_322)).to_string(), "1723161256322 (2024-08-08 23:54:16.322 UTC)");
        assert_eq!(When(Time::from_millis(951_782_400_000)).to_string(), "951782400000 (2000-02-29 00:00:00.000 UTC)");
        assert_eq!(When(Time::ZERO).to_string(), "none");
        assert_eq!(money(12_262_412_345_678).to_string(), "122624.12345678");
        assert_eq!(
            (money(0).to_string(), money(-50_000_000).to_string(), Exact(1_200, 0).to_string()),
            ("0".into(), "-0.5".into(), "1200".into())
        );
    }
}
