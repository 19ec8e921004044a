//! Instants as people write them in a query.

use plimsoll_market::Time;

/// What an instant must be.
pub(crate) const WANTED: &str = "RFC 3339 (2026-01-31T12:00:00Z) or milliseconds since 1970";

/// Later than any clock of ours, and still exact in nanoseconds.
pub(crate) const LATEST_MS: u64 = u64::MAX / 1_000_000;

/// Reads milliseconds since 1970, or RFC 3339 with seconds and offset, or a date alone, which is its midnight UTC.
///
/// A `+` that was not escaped in the query has become a space by now; before an offset that is still understood.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let millis = match text.parse::<u64>() {
        Ok(millis) => millis,
        Err(_) => u64::try_from(parse_rfc3339(text)?).ok()?,
    };
    (millis <= LATEST_MS).then(|| Time::from_millis(millis))
}

/// Milliseconds since 1970 of `2026-01-31`, `2026-01-31T12:00:00Z`, `2026-01-31t12:00:00.25+01:00`.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let (year, month, day) = (digits(&mut rest, 4)?, expect(&mut rest, b"-", 2)?, expect(&mut rest, b"-", 2)?);
    let days = days_since_1970(year, month, day)?;
    if rest.is_empty() {
        return Some(days * DAY_MS);
    }
    let (hour, minute, second) = (expect(&mut rest, b"Tt ", 2)?, expect(&mut rest, b":", 2)?, expect(&mut rest, b":", 2)?);
    // A leap second is the second before it to every clock of ours.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut millis = days * DAY_MS + ((hour * 60 + minute) * 60 + second.min(59)) * 1_000;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        let (fraction, after) = fraction.split_at(length);
        let thousandths = fraction.iter().chain(b"00").take(3);
        millis += thousandths.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        rest = after;
    }
    match rest {
        b"Z" | b"z" => Some(millis),
        [sign @ (b'+' | b' ' | b'-'), offset @ ..] => {
            let mut offset = offset;
            let (hours, minutes) = (digits(&mut offset, 2)?, expect(&mut offset, b":", 2)?);
            if !offset.is_empty() || hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = (hours * 60 + minutes) * 60_000;
            Some(if *sign == b'-' { millis + ahead } else { millis - ahead })
        }
        _ => None,
    }
}

const DAY_MS: i64 = 86_400_000;

/// Takes a separator and so many digits.
fn expect(rest: &mut &[u8], separators: &[u8], count: usize) -> Option<i64> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    separators.contains(first).then(|| digits(rest, count)).flatten()
}

/// Takes so many digits.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_both_ways_of_writing() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1700000000000", Some(1_700_000_000_000)),
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-14t22:13:20.5z", Some(1_700_000_000_500)),
            ("2023-11-14 22:13:20.123456789Z", Some(1_700_000_000_123)),
            ("2023-11-15T00:13:20+02:00", Some(1_700_000_000_000)),
            ("2023-11-15T00:13:20 02:00", Some(1_700_000_000_000)),
            ("2023-11-14T16:43:20-05:30", Some(1_700_000_000_000)),
            ("2000-02-29", Some(951_782_400_000)),
            ("2024-02-29T23:59:60Z", Some(1_709_251_199_000)),
            ("2100-03-01", Some(4_107_542_400_000)),
            ("9999-12-31T23:59:59Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("1970-01-01T00:00:00+00:01", None),
            ("18446744073709551615", None),
            ("99999999999999999999999", None),
            ("-1", None),
            ("", None),
            ("yesterday", None),
            ("2023-11-14T22:13:20", None),
            ("2023-11-14T22:13Z", None),
            ("2023-11-14T22:13:20.Z", None),
            ("2023-11-14T22:13:20.1234567890Z", None),
            ("2023-11-14T24:00:00Z", None),
            ("2023-11-14T22:60:00Z", None),
            ("2023-11-14T22:13:61Z", None),
            ("2023-11-14T22:13:20+24:00", None),
            ("2023-11-14T22:13:20+02", None),
            ("2023-11-14T22:13:20+02:00x", None),
            ("2023-02-29", None),
            ("2100-02-29", None),
            ("2023-13-01", None),
            ("2023-00-01", None),
            ("2023-04-31", None),
            ("2023-4-01", None),
            ("二0二三-01-01", None),
        ] {
            assert_eq!(parse(text).map(Time::millis), expected, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = days_since_1970(1970, 1, 1).unwrap();
        assert_eq!(expected, 0);
        for year in 1970..2370 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(year, month, day) {
                        assert_eq!(days, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 146_097);
    }
}
