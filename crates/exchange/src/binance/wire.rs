//! The atoms of the wire: decimals, integers and flags as the exchange writes them, and what is wrong with those that are not.

use crate::class::Class;
use crate::instruments::Scales;
use arrayvec::ArrayString;
use core::fmt;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{
    Amount, Asset, Bps, DecimalError, Holding, NameError, Notional, Price, Qty, RefPrice, Round, Symbol, Time, parse_units,
};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

/// A value of the message, cut to 40 bytes, for errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quoted(ArrayString<40>);

impl Quoted {
    /// Keeps the beginning of a text.
    pub fn new(text: &str) -> Self {
        Self(cut(text))
    }

    /// The text kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Control characters of a hostile message never reach a terminal.
        write!(f, "{:?}", self.0.as_str())
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The beginning of a text, cut at a character.
pub(super) fn cut<const N: usize>(text: &str) -> ArrayString<N> {
    let mut out = ArrayString::new();
    for c in text.chars() {
        if out.try_push(c).is_err() {
            break;
        }
    }
    out
}

/// Why a message cannot be understood. It names the message, the place and the value.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Not JSON, cut off, or without a field that the message must have.
    #[error("{message} is malformed")]
    Malformed {
        /// What it was taken for.
        message: &'static str,
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
    /// A JSON text of no known shape.
    #[error("{what}")]
    Shape {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A number that is none, or that does not fit the symbol's scale.
    #[error("{message}: {field} is {value}")]
    Number {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What stands there.
        value: Quoted,
        /// Why it does not fit.
        #[source]
        source: DecimalError,
    },
    /// A word that is none of those known.
    #[error("{message}: {field} is {value}, an unknown word")]
    Word {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What stands there.
        value: Quoted,
    },
    /// A symbol or asset name that cannot be one.
    #[error("{message}: {field} is {value}")]
    Name {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What stands there.
        value: Quoted,
        /// Why it is no name.
        #[source]
        source: NameError,
    },
    /// A needed field that is absent or empty.
    #[error("{message}: {field} is missing")]
    Missing {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// More elements than the limit allows.
    #[error("{message}: more than {max} {field}")]
    TooMany {
        /// The message.
        message: &'static str,
        /// What there are too many of.
        field: &'static str,
        /// The limit.
        max: usize,
    },
    /// An answer about a symbol that is not in use.
    #[error("{message}: {symbol} is not in use")]
    Unlisted {
        /// The message.
        message: &'static str,
        /// The symbol.
        symbol: Symbol,
    },
}

impl DecodeError {
    /// A message that cannot be read is a gap: what it said is lost, and asking anew may help.
    pub const fn class(&self) -> Class {
        match self {
            Self::Malformed { .. } | Self::Shape { .. } | Self::TooMany { .. } | Self::Missing { .. } => Class::Unavailable,
            Self::Number { .. } | Self::Word { .. } | Self::Name { .. } | Self::Unlisted { .. } => Class::Fatal,
        }
    }

    /// Shows the error with its causes, on one line.
    pub fn chain(&self) -> impl fmt::Display + '_ {
        Chain(self)
    }
}

struct Chain<'a>(&'a DecodeError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = std::error::Error::source(self.0);
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// Parses a whole message that is an object, naming what it was taken for when it fails.
pub(super) fn parse<'a, T: Deserialize<'a>>(message: &'static str, bytes: &'a [u8]) -> Result<T, DecodeError> {
    // serde would read the array of its values as an object too, by position.
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => parse_any(message, bytes),
        Some(b'[') => Err(DecodeError::Shape { what: "an object is expected, this is an array" }),
        _ => parse_any(message, bytes),
    }
}

/// Parses a whole message that is a list of objects.
pub(super) fn parse_list<'a, T: Deserialize<'a>, const MAX: usize>(
    message: &'static str,
    bytes: &'a [u8],
) -> Result<Limited<T, MAX>, DecodeError> {
    let list: Limited<Object<T>, MAX> = parse_any(message, bytes)?;
    Ok(Limited(list.0.into_iter().map(|o| o.0).collect()))
}

/// Parses a whole message of any shape.
pub(super) fn parse_any<'a, T: Deserialize<'a>>(message: &'static str, bytes: &'a [u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(bytes).map_err(|source| DecodeError::Malformed { message, source })
}

/// A value that is an object and not, as serde allows too, the array of its values.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(core::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(ObjectVisitor(core::marker::PhantomData)).map(Self)
    }
}

/// A decimal as text: exactly what the exchange wrote, be it a string or a bare number. Absent, null and "" are empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Dec<'a>(pub &'a str);

impl Dec<'_> {
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a str> for Dec<'a> {
    fn from(text: &'a str) -> Self {
        Self(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Dec<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The raw text keeps bare numbers exact, which a float would not.
        let text = <&'de RawValue>::deserialize(deserializer)?.get();
        match text.as_bytes().first() {
            Some(b'"') => Ok(Self(text.get(1..text.len().saturating_sub(1)).unwrap_or_default())),
            Some(b'n') => Ok(Self("")),
            Some(b'-' | b'0'..=b'9') => Ok(Self(text)),
            _ => Err(D::Error::custom("expected a decimal number")),
        }
    }
}

/// Reads text of `scale` digits as units: the short plain numbers of the hot messages in one pass, all others in full.
pub(super) fn units(text: &str, scale: u8, round: Round) -> Result<i64, DecimalError> {
    if text.len() <= 17 {
        let mut mantissa = 0_i64;
        let mut after_point = None::<u8>;
        let mut plain = !text.is_empty() && text != ".";
        for byte in text.bytes() {
            match byte {
                b'0'..=b'9' => {
                    mantissa = mantissa * 10 + i64::from(byte - b'0');
                    after_point = after_point.map(|n| n + 1);
                }
                b'.' if after_point.is_none() => after_point = Some(0),
                _ => {
                    plain = false;
                    break;
                }
            }
        }
        let digits = after_point.unwrap_or(0);
        if plain {
            if let Some(missing) = scale.checked_sub(digits) {
                if let Some(units) = mantissa.checked_mul(POWERS[usize::from(missing.min(18))]) {
                    return Ok(units);
                }
            } else {
                let divisor = POWERS[usize::from((digits - scale).min(18))];
                if mantissa % divisor == 0 {
                    return Ok(mantissa / divisor);
                }
            }
        }
    }
    i64::try_from(parse_units(text, scale, round)?).map_err(|_| DecimalError::OutOfRange)
}

/// A power of ten that 64 bits hold.
pub(super) fn power(exponent: u8) -> Option<i64> {
    POWERS.get(usize::from(exponent)).copied()
}

const POWERS: [i64; 19] = {
    let mut powers = [1_i64; 19];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The message being read, for its errors; turns wire atoms into checked values.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    pub message: &'static str,
}

impl Reader {
    pub fn number(self, field: &'static str, value: Dec<'_>, scale: u8, round: Round) -> Result<i64, DecodeError> {
        units(value.0, scale, round).map_err(|source| DecodeError::Number {
            message: self.message,
            field,
            value: Quoted::new(value.0),
            source,
        })
    }

    fn unsigned(self, field: &'static str, value: Dec<'_>, scale: u8, round: Round) -> Result<i64, DecodeError> {
        let units = self.number(field, value, scale, round)?;
        if units < 0 {
            let source = DecimalError::OutOfRange;
            return Err(DecodeError::Number { message: self.message, field, value: Quoted::new(value.0), source });
        }
        Ok(units)
    }

    /// An exact price of the symbol.
    pub fn price(self, field: &'static str, value: Dec<'_>, scales: &Scales) -> Result<Price, DecodeError> {
        self.unsigned(field, value, scales.price, Round::Exact).map(Price::from_units)
    }

    /// An exact quantity of the symbol.
    pub fn qty(self, field: &'static str, value: Dec<'_>, scales: &Scales) -> Result<Qty, DecodeError> {
        self.unsigned(field, value, scales.qty, Round::Exact).map(|u| Qty::from_units(u.unsigned_abs()))
    }

    /// A summed quantity of the market, rounded to the symbol's scale: reference data.
    pub fn volume(self, field: &'static str, value: Dec<'_>, scales: &Scales) -> Result<Qty, DecodeError> {
        self.unsigned(field, value, scales.qty, Round::Nearest).map(|u| Qty::from_units(u.unsigned_abs()))
    }

    /// A signed position of the symbol.
    pub fn holding(self, field: &'static str, value: Dec<'_>, scales: &Scales) -> Result<Holding, DecodeError> {
        self.number(field, value, scales.qty, Round::Exact).map(Holding::from_units)
    }

    /// A value in the quote asset, rounded to the scale of the symbol's notional: reference data.
    pub fn notional(self, field: &'static str, value: Dec<'_>, scales: &Scales) -> Result<Notional, DecodeError> {
        let units = parse_units(value.0, scales.price + scales.qty, Round::Nearest);
        units.map(Notional::from_units).map_err(|source| DecodeError::Number {
            message: self.message,
            field,
            value: Quoted::new(value.0),
            source,
        })
    }

    /// A reference price, rounded to 1e-8.
    pub fn reference(self, field: &'static str, value: Dec<'_>) -> Result<RefPrice, DecodeError> {
        self.number(field, value, MONEY_SCALE, Round::Nearest).map(RefPrice::from_units)
    }

    /// A reference price that may be absent or empty.
    pub fn maybe_reference(self, field: &'static str, value: Dec<'_>) -> Result<Option<RefPrice>, DecodeError> {
        if value.is_empty() { Ok(None) } else { self.reference(field, value).map(Some) }
    }

    /// Money, rounded to 1e-8 of the asset.
    pub fn money(self, field: &'static str, value: Dec<'_>) -> Result<i128, DecodeError> {
        parse_units(value.0, MONEY_SCALE, Round::Nearest).map_err(|source| DecodeError::Number {
            message: self.message,
            field,
            value: Quoted::new(value.0),
            source,
        })
    }

    /// Money that may be absent or empty.
    pub fn maybe_money(self, field: &'static str, value: Dec<'_>) -> Result<Option<i128>, DecodeError> {
        if value.is_empty() { Ok(None) } else { self.money(field, value).map(Some) }
    }

    /// Money of an asset; zero of it when the message has none.
    pub fn amount(self, field: &'static str, value: Dec<'_>, asset: Asset) -> Result<Amount, DecodeError> {
        Ok(Amount::new(asset, self.maybe_money(field, value)?.unwrap_or(0)))
    }

    /// A rate, rounded to parts per million.
    pub fn rate(self, field: &'static str, value: Dec<'_>) -> Result<Bps, DecodeError> {
        let ppm = self.number(field, value, 6, Round::Nearest)?;
        i32::try_from(ppm).map(Bps::from_ppm).map_err(|_| DecodeError::Number {
            message: self.message,
            field,
            value: Quoted::new(value.0),
            source: DecimalError::OutOfRange,
        })
    }

    pub fn symbol(self, field: &'static str, text: &str) -> Result<Symbol, DecodeError> {
        Symbol::new(text).map_err(|source| DecodeError::Name { message: self.message, field, value: Quoted::new(text), source })
    }

    pub fn asset(self, field: &'static str, text: &str) -> Result<Asset, DecodeError> {
        Asset::new(text).map_err(|source| DecodeError::Name { message: self.message, field, value: Quoted::new(text), source })
    }

    pub fn word(self, field: &'static str, text: &str) -> DecodeError {
        DecodeError::Word { message: self.message, field, value: Quoted::new(text) }
    }

    pub const fn missing(self, field: &'static str) -> DecodeError {
        DecodeError::Missing { message: self.message, field }
    }

    pub fn unlisted(self, symbol: &str) -> DecodeError {
        match self.symbol("symbol", symbol) {
            Ok(symbol) => DecodeError::Unlisted { message: self.message, symbol },
            Err(error) => error,
        }
    }
}

/// An unsigned integer, written as a number or as a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Uint(pub u64);

impl Uint {
    pub const fn time(self) -> Time {
        Time::from_millis(self.0)
    }
}

impl<'de> Deserialize<'de> for Uint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor).and_then(|n| match n {
            Some(n) => u64::try_from(n).map(Self).map_err(|_| D::Error::custom("expected an unsigned integer of 64 bits")),
            None => Err(D::Error::custom("expected an unsigned integer, found nothing")),
        })
    }
}

/// An integer that may be absent, null, empty or negative (no such thing); then it is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct MaybeUint(pub Option<u64>);

impl<'de> Deserialize<'de> for MaybeUint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(IntVisitor)?;
        match number {
            Some(n) if n >= 0 => u64::try_from(n).map(|n| Self(Some(n))).map_err(|_| D::Error::custom("expected an integer of 64 bits")),
            _ => Ok(Self(None)),
        }
    }
}

/// A signed integer (error codes).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Int(pub i64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor).and_then(|n| match n {
            Some(n) => i64::try_from(n).map(Self).map_err(|_| D::Error::custom("expected an integer of 64 bits")),
            None => Err(D::Error::custom("expected an integer, found nothing")),
        })
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = Option<i128>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or a text that is one")
    }

    fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
        Ok(Some(i128::from(n)))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Some(i128::from(n)))
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Self::Value, E> {
        // Some encoders write whole numbers with a point; up to 2^53 nothing is lost.
        if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 {
            return Ok(Some(n as i128));
        }
        Err(E::custom("expected an integer, found a fraction"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse::<i64>()
            .map(i128::from)
            .or_else(|_| text.parse::<u64>().map(i128::from))
            .map(Some)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A flag, written as a boolean or as a text ("true", "False").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = bool;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean or a text that is one")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<bool, E> {
                Ok(flag)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<bool, E> {
                if text.eq_ignore_ascii_case("true") {
                    Ok(true)
                } else if text.eq_ignore_ascii_case("false") || text.is_empty() {
                    Ok(false)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
            fn visit_unit<E>(self) -> Result<bool, E> {
                Ok(false)
            }
        }
        deserializer.deserialize_any(FlagVisitor).map(Self)
    }
}

/// A list that is refused beyond a number of elements, while it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Limited<T, const MAX: usize>(pub Vec<T>); // tidy: bounded by MAX, lives while a message is read

impl<T, const MAX: usize> Default for Limited<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Limited<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(core::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} elements")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if list.len() == MAX {
                        return Err(A::Error::invalid_length(MAX + 1, &self));
                    }
                    list.push(item);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(ListVisitor::<T, MAX>(core::marker::PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quick_numbers_equal_the_full_reading(text in "-?[0-9]{0,12}\\.?[0-9]{0,9}", scale in 0_u8..=12, nearest: bool) {
            let round = if nearest { Round::Nearest } else { Round::Exact };
            let full = parse_units(&text, scale, round).and_then(|u| i64::try_from(u).map_err(|_| DecimalError::OutOfRange));
            prop_assert_eq!(units(&text, scale, round), full, "{} at {}", text, scale);
        }
    }

    #[test]
    fn decimals_are_read_from_texts_and_numbers_exactly() {
        let read = |json: &str| serde_json::from_str::<Dec<'_>>(json).map(|d| d.0.to_owned());
        assert_eq!(read("\"0.10\"").unwrap(), "0.10");
        assert_eq!(read("27103.123456789012345678").unwrap(), "27103.123456789012345678");
        assert_eq!(read("null").unwrap(), "");
        assert_eq!(read("\"\"").unwrap(), "");
        assert!(read("[1]").is_err() && read("true").is_err());
    }

    #[test]
    fn integers_and_flags_are_read_from_texts() {
        assert_eq!(serde_json::from_str::<Uint>("\"1693427319838\"").unwrap(), Uint(1_693_427_319_838));
        assert_eq!(serde_json::from_str::<Uint>("18446744073709551615").unwrap(), Uint(u64::MAX));
        assert!(serde_json::from_str::<Uint>("-1").is_err() && serde_json::from_str::<Uint>("\"\"").is_err());
        assert_eq!(serde_json::from_str::<MaybeUint>("-1").unwrap(), MaybeUint(None));
        assert_eq!(serde_json::from_str::<MaybeUint>("\"\"").unwrap(), MaybeUint(None));
        assert_eq!(serde_json::from_str::<Flag>("\"False\"").unwrap(), Flag(false));
        assert!(serde_json::from_str::<Flag>("\"yes\"").is_err());
    }
}
