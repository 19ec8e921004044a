use crate::limits::{ASSET_LEN_MAX, NAME_LEN_MAX, SYMBOL_LEN_MAX};
use arrayvec::ArrayString;
use core::fmt;
use thiserror::Error;

/// Direction of an order or fill.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Side {
    /// Adds to a long holding or takes from a short one.
    Buy,
    /// The reverse.
    Sell,
}

impl Side {
    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Lower-case word for display and storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// Which position of a symbol is meant; one-way accounts have only `Both`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PositionSide {
    /// The net position of a one-way account.
    #[default]
    Both,
    /// The long leg of a hedge-mode account.
    Long,
    /// The short leg of a hedge-mode account.
    Short,
}

/// Why a text cannot be a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NameError {
    /// Nothing there.
    #[error("name is empty")]
    Empty,
    /// Longer than the type allows.
    #[error("name is longer than {0} bytes")]
    TooLong(usize),
    /// A control character, white space or a character with a meaning in paths.
    #[error("name has a character that is not allowed")]
    Character,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ArrayString<$max>);

        impl $name {
            /// Checks and keeps a text.
            ///
            /// # Errors
            /// Empty, too long, or with control characters, spaces, `/`, `?`, `&`, `#` or `%`.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if text.is_empty() {
                    return Err(NameError::Empty);
                }
                if text.chars().any(|c| c.is_control() || c.is_whitespace() || "/?&#%\"\\".contains(c)) {
                    return Err(NameError::Character);
                }
                ArrayString::from(text).map(Self).map_err(|_| NameError::TooLong($max))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.0.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.0.as_str(), f)
            }
        }
    };
}

name!(
    /// An exchange's name of a contract, as the exchange writes it (`BTCUSDT`).
    Symbol,
    SYMBOL_LEN_MAX
);
name!(
    /// A currency (`USDT`).
    Asset,
    ASSET_LEN_MAX
);
name!(
    /// A configured name: exchange, account or strategy.
    Name,
    NAME_LEN_MAX
);

/// An exchange's id of an order; integers and UUIDs fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderId(pub u128);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An exchange's id of a trade; it grows within a symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TradeId(pub u64);

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which part of which strategy an order serves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Leg {
    /// The strategy's number on this symbol, 0 to 63.
    strategy: u8,
    /// The strategy's own index: for a grid the level. 24 bits, signed.
    index: i32,
}

impl Leg {
    /// The first number of those that hold short positions; the numbers below it hold long ones.
    ///
    /// A strategy that does both has two numbers, the second this much above the first: a fill's client id alone tells whether it
    /// opened or closed.
    pub const SHORT: u8 = 32;

    /// The number of orders that close a position as a whole, at an operator's or a rule's word. It opens nothing.
    pub const CLOSING: u8 = 63;

    /// Largest magnitude of an index: 24 bits, signed.
    pub const INDEX_MAX: i32 = (1 << 23) - 1;

    /// Makes a leg; `None` when the strategy is above 63 or the index needs more than 24 bits.
    pub const fn new(strategy: u8, index: i32) -> Option<Self> {
        if strategy > 63 || index > Self::INDEX_MAX || index < -Self::INDEX_MAX { None } else { Some(Self { strategy, index }) }
    }

    /// The strategy's number, 0 to 63.
    pub const fn strategy(self) -> u8 {
        self.strategy
    }

    /// The strategy's own index.
    pub const fn index(self) -> i32 {
        self.index
    }

    /// The side whose orders open what the leg holds; `None` for what only closes.
    pub const fn opening(self) -> Option<Side> {
        match self.strategy {
            Self::CLOSING => None,
            Self::SHORT.. => Some(Side::Sell),
            _ => Some(Side::Buy),
        }
    }

    /// Whether an order of this side adds to what the leg holds; else it takes from it.
    pub const fn opens(self, side: Side) -> bool {
        matches!((self.opening(), side), (Some(Side::Buy), Side::Buy) | (Some(Side::Sell), Side::Sell))
    }
}

/// Tells the orders of one installation and account from all others at the exchange; 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tag(pub u16);

/// Why a text is not one of our client order ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ClientIdError {
    /// Not 22 base-62 digits.
    #[error("not 22 base-62 digits")]
    Form,
    /// Another version of the id's layout.
    #[error("unknown version {0}")]
    Version(u8),
}

/// Our id of an order, 128 bits: version 4, tag 16, run 40, strategy 6, leg 24, side 1, generation 37.
///
/// Any order found at the exchange maps to its slot by its id alone. `run` grows with each start of the bot and is at
/// least the Unix second, so ids are unique for ever even when our database is lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    // Two halves, so that the alignment stays at eight bytes and an order within a cache line.
    high: u64,
    low: u64,
}

impl ClientId {
    /// The layout that this build writes.
    pub const VERSION: u8 = 1;
    /// Characters of the text form.
    pub const TEXT_LEN: usize = 22;
    /// Largest run number, 40 bits.
    pub const RUN_MAX: u64 = (1 << 40) - 1;
    /// Largest generation, 37 bits.
    pub const GENERATION_MAX: u64 = (1 << 37) - 1;

    /// Puts an id together.
    ///
    /// # Panics
    /// When run or generation need more bits than they have: that is after 34,000 years or 137 thousand million orders a run.
    pub const fn new(tag: Tag, run: u64, leg: Leg, side: Side, generation: u64) -> Self {
        assert!(run <= Self::RUN_MAX && generation <= Self::GENERATION_MAX, "client id field overflows");
        let side = match side {
            Side::Buy => 0,
            Side::Sell => 1,
        };
        let leg_bits = (leg.index & 0x00ff_ffff) as u128;
        Self::split(
            (Self::VERSION as u128) << 124
                | (tag.0 as u128) << 108
                | (run as u128) << 68
                | (leg.strategy as u128) << 62
                | leg_bits << 38
                | (side as u128) << 37
                | generation as u128,
        )
    }

    const fn split(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// The installation's and account's mark.
    pub const fn tag(self) -> Tag {
        Tag((self.bits() >> 108) as u16)
    }

    /// The start of the bot that made it.
    pub const fn run(self) -> u64 {
        (self.bits() >> 68) as u64 & Self::RUN_MAX
    }

    /// The leg it serves.
    pub const fn leg(self) -> Leg {
        let raw = (self.bits() >> 38) as u32 & 0x00ff_ffff;
        // Shifts the 24-bit sign into place.
        Leg { strategy: (self.bits() >> 62) as u8 & 63, index: ((raw << 8) as i32) >> 8 }
    }

    /// The order's direction.
    pub const fn side(self) -> Side {
        if self.low >> 37 & 1 == 0 { Side::Buy } else { Side::Sell }
    }

    /// The engine's running number of the order within the run.
    pub const fn generation(self) -> u64 {
        self.low & Self::GENERATION_MAX
    }

    /// The 128 bits.
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The 22 base-62 digits that go to the exchange.
    pub fn text(self) -> ArrayString<22> {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut rest = self.bits();
        let mut bytes = [b'0'; Self::TEXT_LEN];
        for byte in bytes.iter_mut().rev() {
            *byte = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        let mut text = ArrayString::new();
        for byte in bytes {
            text.push(char::from(byte));
        }
        text
    }

    /// Reads an id back from its bits.
    ///
    /// # Errors
    /// An unknown layout version.
    pub const fn from_bits(bits: u128) -> Result<Self, ClientIdError> {
        let version = (bits >> 124) as u8;
        if version == Self::VERSION { Ok(Self::split(bits)) } else { Err(ClientIdError::Version(version)) }
    }

    /// Reads an id back from the text that the exchange returns.
    ///
    /// # Errors
    /// Anything that is not one of ours.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        if text.len() != Self::TEXT_LEN {
            return Err(ClientIdError::Form);
        }
        let mut bits: u128 = 0;
        for byte in text.bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                b'a'..=b'z' => byte - b'a' + 36,
                _ => return Err(ClientIdError::Form),
            };
            bits = bits.checked_mul(62).and_then(|b| b.checked_add(u128::from(digit))).ok_or(ClientIdError::Form)?;
        }
        Self::from_bits(bits)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leg = self.leg();
        write!(f, "{}:{}{:+}#{}", leg.strategy, if self.side() == Side::Buy { 'B' } else { 'S' }, leg.index, self.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn client_id_reads_back(tag: u16, run in 0..=ClientId::RUN_MAX, strategy in 0_u8..64,
                                index in -Leg::INDEX_MAX..=Leg::INDEX_MAX, sell: bool, generation in 0..=ClientId::GENERATION_MAX) {
            let leg = Leg::new(strategy, index).unwrap();
            let side = if sell { Side::Sell } else { Side::Buy };
            let id = ClientId::new(Tag(tag), run, leg, side, generation);
            prop_assert_eq!(id.text().len(), 22);
            let back = ClientId::parse(&id.text()).unwrap();
            prop_assert_eq!((back.tag(), back.run(), back.leg(), back.side(), back.generation()), (Tag(tag), run, leg, side, generation));
        }

        #[test]
        fn foreign_ids_never_panic(text in "\\PC{0,40}") {
            let _outcome = ClientId::parse(&text);
        }
    }

    #[test]
    fn refuses_foreign_ids() {
        for text in ["", "autoclose-1234567890", "web_abc", "zzzzzzzzzzzzzzzzzzzzzz", "0000000000000000000000"] {
            assert!(ClientId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn legs_beyond_24_bits_are_refused() {
        assert!(Leg::new(0, Leg::INDEX_MAX).is_some() && Leg::new(0, Leg::INDEX_MAX + 1).is_none());
        assert!(Leg::new(63, 0).is_some() && Leg::new(64, 0).is_none());
    }

    #[test]
    fn names_have_a_longest_length() {
        assert!(Symbol::new(&"A".repeat(32)).is_ok());
        assert_eq!(Symbol::new(&"A".repeat(33)), Err(NameError::TooLong(32)));
        assert_eq!(Symbol::new("BTC/USDT"), Err(NameError::Character));
    }
}
