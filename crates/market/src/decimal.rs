use core::fmt;
use thiserror::Error;

/// Which way a number that does not fit is brought onto the grid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
    /// To the nearest, halves away from zero.
    Nearest,
    /// Not at all: a number that does not fit is an error.
    Exact,
}

/// Why a text or number is not a decimal of the wanted scale.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecimalError {
    /// The text is empty or has characters other than one sign, digits and one point.
    #[error("not a decimal number")]
    Malformed,
    /// More digits after the point than the scale has, and rounding was refused.
    #[error("more than {0} digits after the point")]
    TooFine(u8),
    /// Beyond what the integer can hold.
    #[error("number is out of range")]
    OutOfRange,
}

/// Reads a plain decimal ("-12.3400") as an integer of 10^-`scale`.
///
/// Trailing zeros are free. Exponents ("1e-8") are accepted because exchanges send them for tiny steps.
///
/// # Errors
/// Malformed text, more digits than the scale has under [`Round::Exact`], or a value beyond `i128`.
pub fn parse_units(text: &str, scale: u8, round: Round) -> Result<i128, DecimalError> {
    let bytes = text.as_bytes();
    let (negative, mut i) = match bytes.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        Some(_) => (false, 0),
        None => return Err(DecimalError::Malformed),
    };
    let mut mantissa: i128 = 0;
    let mut digits = 0_u32;
    let mut fraction: i32 = 0;
    let mut point = false;
    let mut exponent: i32 = 0;
    while i < bytes.len() {
        match bytes[i] {
            d @ b'0'..=b'9' => {
                mantissa = mantissa.checked_mul(10).and_then(|m| m.checked_add(i128::from(d - b'0'))).ok_or(DecimalError::OutOfRange)?;
                digits += 1;
                if point {
                    fraction += 1;
                }
            }
            b'.' if !point => point = true,
            b'e' | b'E' if digits > 0 => {
                let tail = text.get(i + 1..).ok_or(DecimalError::Malformed)?;
                exponent = tail.parse::<i32>().map_err(|_| DecimalError::Malformed)?;
                if exponent.abs() > 60 {
                    return Err(DecimalError::OutOfRange);
                }
                break;
            }
            _ => return Err(DecimalError::Malformed),
        }
        i += 1;
    }
    if digits == 0 {
        return Err(DecimalError::Malformed);
    }
    if negative {
        mantissa = -mantissa;
    }
    shift(mantissa, i32::from(scale) - fraction + exponent, scale, round)
}

/// Brings an integer of 10^-`from` to an integer of 10^-`to`.
///
/// # Errors
/// Digits lost under [`Round::Exact`], or a value beyond `i128`.
pub fn rescale(units: i128, from: u8, to: u8, round: Round) -> Result<i128, DecimalError> {
    shift(units, i32::from(to) - i32::from(from), to, round)
}

/// The powers of ten that there are.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

fn shift(value: i128, places: i32, scale: u8, round: Round) -> Result<i128, DecimalError> {
    if value == 0 || places == 0 {
        return Ok(value);
    }
    let power = POWERS.get(places.unsigned_abs() as usize).copied();
    if places > 0 {
        return power.and_then(|p| value.checked_mul(p)).ok_or(DecimalError::OutOfRange);
    }
    let Some(divisor) = power else {
        // Every digit lies beyond the scale.
        return match round {
            Round::Exact => Err(DecimalError::TooFine(scale)),
            Round::Down => Ok(if value < 0 { -1 } else { 0 }),
            Round::Up => Ok(if value > 0 { 1 } else { 0 }),
            Round::Nearest => Ok(0),
        };
    };
    divide(value, divisor, round).ok_or(DecimalError::TooFine(scale))
}

/// Divides with explicit rounding; `None` when [`Round::Exact`] leaves a rest.
///
/// # Panics
/// When `divisor` is not positive.
pub(crate) fn divide(value: i128, divisor: i128, round: Round) -> Option<i128> {
    assert!(divisor > 0, "divisor must be positive");
    let (quotient, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    if rest == 0 {
        return Some(quotient);
    }
    match round {
        Round::Exact => None,
        Round::Down => Some(quotient),
        Round::Up => Some(quotient + 1),
        Round::Nearest => {
            // Halves away from zero: for negatives the quotient below is the far side.
            let up = if value < 0 { rest > divisor - rest } else { rest >= divisor - rest };
            Some(quotient + i128::from(up))
        }
    }
}

/// Writes an integer of 10^-`scale` with all its digits: `format_units(-5, 2)` shows `-0.05`.
pub fn format_units(units: i128, scale: u8) -> impl fmt::Display {
    Units(units, scale)
}

struct Units(i128, u8);

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        if self.1 == 0 {
            return write!(f, "{sign}{magnitude}");
        }
        let power = 10_u128.pow(u32::from(self.1));
        write!(f, "{sign}{}.{:0width$}", magnitude / power, magnitude % power, width = usize::from(self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, scale: u8, round: Round, expected: Result<i128, DecimalError>) {
        assert_eq!(parse_units(text, scale, round), expected, "{text} at scale {scale}");
    }

    #[test]
    fn reads_plain_decimals() {
        check("61659.70", 1, Round::Exact, Ok(616_597));
        check("0", 8, Round::Exact, Ok(0));
        check("-0.05", 2, Round::Exact, Ok(-5));
        check("1e-8", 8, Round::Exact, Ok(1));
        check("5E+2", 0, Round::Exact, Ok(500));
        check(".5", 1, Round::Exact, Ok(5));
        check("7.", 1, Round::Exact, Ok(70));
    }

    #[test]
    fn refuses_what_is_no_decimal() {
        for text in ["", "-", ".", "1.2.3", "0x10", "1e", "NaN", "inf", " 1", "1 ", "1,0", "e5"] {
            check(text, 2, Round::Exact, Err(DecimalError::Malformed));
        }
        check("1.234", 2, Round::Exact, Err(DecimalError::TooFine(2)));
        check(&"9".repeat(60), 2, Round::Exact, Err(DecimalError::OutOfRange));
    }

    #[test]
    fn rounds_as_told_on_both_sides_of_zero() {
        for (text, down, up, nearest) in
            [("1.25", 12, 13, 13), ("1.24", 12, 13, 12), ("-1.25", -13, -12, -13), ("-1.24", -13, -12, -12), ("0.001", 0, 1, 0)]
        {
            check(text, 1, Round::Down, Ok(down));
            check(text, 1, Round::Up, Ok(up));
            check(text, 1, Round::Nearest, Ok(nearest));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(units in any::<i64>(), scale in 0_u8..=12) {
            let text = format_units(i128::from(units), scale).to_string();
            prop_assert_eq!(parse_units(&text, scale, Round::Exact), Ok(i128::from(units)));
        }

        #[test]
        fn any_text_is_refused_or_read(text in "\\PC{0,40}") {
            let _outcome = parse_units(&text, 8, Round::Nearest);
        }

        #[test]
        fn rounding_stays_within_one_unit(units in any::<i64>(), from in 0_u8..=12, to in 0_u8..=12) {
            let down = rescale(i128::from(units), from, to, Round::Down).unwrap();
            let up = rescale(i128::from(units), from, to, Round::Up).unwrap();
            let nearest = rescale(i128::from(units), from, to, Round::Nearest).unwrap();
            prop_assert!(up - down <= 1 && down <= nearest && nearest <= up);
        }
    }
}
