//! Times as files write them.

use plimsoll_market::Time;

/// Reads a time: seconds, milliseconds, microseconds or nanoseconds since the epoch by their size, or a date with a time of day,
/// with `Z`, an offset, or neither (UTC).
pub(super) fn parse(text: &str) -> Option<Time> {
    let text = text.trim().trim_matches('"');
    if let Ok(number) = text.parse::<u64>() {
        let factor = match number {
            0..100_000_000_000 => 1_000_000_000,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        };
        return number.checked_mul(factor).map(Time::from_nanos);
    }
    let (date, rest) = text.split_once([' ', 'T'])?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let rest = rest.trim_end_matches('Z');
    let (clock, offset) = match rest.find(['+', '-']) {
        Some(at) => {
            let (clock, offset) = rest.split_at(at);
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
            (clock, if offset.starts_with('-') { -seconds } else { seconds })
        }
        None => (rest, 0),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0));
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) || fraction.len() > 9 {
        return None;
    }
    let nanos = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? * 10_u64.pow(9 - fraction.len() as u32) };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(nanos).map(Time::from_nanos)
}

/// Days from the epoch to a date of the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March: the day of leap years is its last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a time, UTC.
pub(crate) const fn date(time: Time) -> (i64, i64, i64) {
    let day = (time.nanos() / 86_400_000_000_000) as i64 + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (month_of_year, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + carry, month_of_year, of_year - (153 * month + 2) / 5 + 1)
}

/// Writes a time as a date with milliseconds, UTC.
pub fn show(time: Time) -> String {
    let (year, month, day) = date(time);
    let ms = time.millis() % 86_400_000;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).map_or_else(|| "-".to_owned(), show), expected);
    }

    #[test]
    fn times_are_read_in_every_unit() {
        check("1637971200", "2021-11-27 00:00:00.000Z");
        check("1637971200000", "2021-11-27 00:00:00.000Z");
        check("1637971200000001", "2021-11-27 00:00:00.000Z");
        check("1723161255088176367", "2024-08-08 23:54:15.088Z");
        check("2021-12-31 23:01:00.000000", "2021-12-31 23:01:00.000Z");
        check("2024-12-01 00:00:59.999000+01:00", "2024-11-30 23:00:59.999Z");
        check("2024-02-29T12:00:00Z", "2024-02-29 12:00:00.000Z");
        check("2024-02-29T12:00:00-05:30", "2024-02-29 17:30:00.000Z");
        check("2000-03-01 00:00", "2000-03-01 00:00:00.000Z");
        check("open_time", "-");
        check("2024-13-01 00:00:00", "-");
        check("", "-");
    }
}
