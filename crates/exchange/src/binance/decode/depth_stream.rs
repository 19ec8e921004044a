//! Depth: changes of a book, read straight into a buffer that is used again.

use super::market_stream::{Found, scales};
use crate::binance::wire::{Dec, DecodeError, MaybeUint, Reader, Uint, parse};
use crate::instruments::{Instruments, Scales, SymbolIndex};
use crate::limits::DEPTH_CHANGES_MAX;
use core::fmt;
use plimsoll_bounded::{Class, Grant, Line, List, WhenFull};
use plimsoll_market::{Level, LevelChange, Side, Symbol, Time};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Changes of a book, in a buffer that is used again and again.
///
/// # Bounds
/// [`DEPTH_CHANGES_MAX`] changes, or what the grant gives; a longer message is refused.
pub struct DepthUpdate {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// First update id in it (`U`).
    pub first_id: u64,
    /// Last update id in it (`u`).
    pub last_id: u64,
    /// Last update id of the message before (`pu`); `None` in the spot form, which has none.
    pub previous_id: Option<u64>,
    /// When the message was sent (`E`).
    pub event_time: Time,
    /// When the book changed (`T`); the event's time where absent.
    pub time: Time,
    /// Whether it tells the whole top of the book (`@depth5`, `@depth10`, `@depth20`) instead of changes. Known only by the
    /// stream's name: the raw form does not tell.
    pub partial: bool,
    changes: List<LevelChange>,
}

impl DepthUpdate {
    /// Declares a buffer's memory.
    pub const fn line(name: &str) -> Line<'_> {
        Line::of::<LevelChange>(name, DEPTH_CHANGES_MAX, WhenFull::Refuse, Class::LatestWins)
    }

    /// Makes an empty buffer.
    pub fn new(grant: Grant) -> Self {
        Self {
            symbol: SymbolIndex::ANY,
            first_id: 0,
            last_id: 0,
            previous_id: None,
            event_time: Time::ZERO,
            time: Time::ZERO,
            partial: false,
            changes: List::new(grant),
        }
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
    }

    /// Adds a change; `false` when there is no room.
    pub(super) fn push(&mut self, side: Side, level: Level) -> bool {
        self.changes.push(LevelChange { side, level }).is_ok()
    }

    /// The changes in the message's order.
    pub fn changes(&self) -> &[LevelChange] {
        self.changes.as_slice()
    }
}

impl fmt::Debug for DepthUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, first_id, last_id, previous_id, .. } = self;
        write!(f, "DepthUpdate({symbol:?} {first_id}..={last_id} after {previous_id:?}, {} changes)", self.changes.len())
    }
}

impl PartialEq for DepthUpdate {
    fn eq(&self, other: &Self) -> bool {
        let key = |d: &Self| (d.symbol, d.first_id, d.last_id, d.previous_id, d.event_time, d.time, d.partial);
        key(self) == key(other) && self.changes() == other.changes()
    }
}

/// One `["price","qty"]` pair; further elements (an old form has a third, empty one) are passed over.
#[derive(Clone, Copy)]
pub(super) struct WireLevel<'a> {
    pub price: Dec<'a>,
    pub qty: Dec<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireLevel<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LevelVisitor;
        impl<'de> Visitor<'de> for LevelVisitor {
            type Value = WireLevel<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a level of price and quantity")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let price = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let qty = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(WireLevel { price, qty })
            }
        }
        deserializer.deserialize_seq(LevelVisitor)
    }
}

/// Reads a depth message straight into the buffer: no list of levels is made in between.
///
/// The symbol stands before the levels in everything the exchange sends; a message in another order is read in two passes.
pub(super) fn depth(bytes: &[u8], instruments: &Instruments, into: &mut DepthUpdate) -> Result<Found<()>, DecodeError> {
    let reader = Reader { message: "depthUpdate" };
    let mut filler = Filler { instruments, reader, into, scales: None, unlisted: None, fault: None };
    let mut outcome = read_depth(bytes, &mut filler);
    if filler.fault.as_ref().is_some_and(|f| matches!(f, DecodeError::Missing { field: "s", .. })) {
        #[derive(Deserialize)]
        struct Head<'a> {
            s: &'a str,
        }
        let head: Head<'_> = parse(reader.message, bytes)?;
        filler.fault = None;
        match scales(instruments, reader, head.s)? {
            Ok(scales) => filler.scales = Some(scales),
            Err(symbol) => return Ok(Err(symbol)),
        }
        outcome = read_depth(bytes, &mut filler);
    }
    if let Some(fault) = filler.fault {
        return Err(fault);
    }
    let unlisted = filler.unlisted;
    outcome.map_err(|source| DecodeError::Malformed { message: reader.message, source })?;
    match unlisted {
        Some(symbol) => Ok(Err(symbol)),
        None => Ok(Ok(())),
    }
}

fn read_depth(bytes: &[u8], filler: &mut Filler<'_>) -> Result<(), serde_json::Error> {
    filler.into.changes.clear();
    filler.into.partial = false;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_map(filler)?;
    deserializer.end()
}

struct Filler<'f> {
    instruments: &'f Instruments,
    reader: Reader,
    into: &'f mut DepthUpdate,
    scales: Option<Scales>,
    unlisted: Option<Symbol>,
    /// What is wrong with a value; serde's own error then only stops the reading.
    fault: Option<DecodeError>,
}

impl Filler<'_> {
    fn set_symbol(&mut self, text: &str) -> Result<(), DecodeError> {
        match scales(self.instruments, self.reader, text)? {
            Ok(scales) => {
                self.into.symbol = scales.index;
                self.scales = Some(scales);
            }
            Err(symbol) => self.unlisted = Some(symbol),
        }
        Ok(())
    }

    fn push(&mut self, side: Side, level: WireLevel<'_>) -> Result<(), DecodeError> {
        if self.unlisted.is_some() {
            return Ok(());
        }
        let Some(scales) = &self.scales else { return Err(self.reader.missing("s")) };
        let field = match side {
            Side::Buy => "b",
            Side::Sell => "a",
        };
        let level = Level { price: self.reader.price(field, level.price, scales)?, qty: self.reader.qty(field, level.qty, scales)? };
        self.into.changes.push(LevelChange { side, level }).map_err(|_| DecodeError::TooMany {
            message: self.reader.message,
            field: "changes",
            max: self.into.changes.capacity(),
        })
    }
}

impl<'de> Visitor<'de> for &mut Filler<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a depth update")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        #[derive(Deserialize)]
        enum Field {
            #[serde(rename = "E")]
            EventTime,
            #[serde(rename = "T")]
            Time,
            #[serde(rename = "s")]
            Symbol,
            #[serde(rename = "U")]
            First,
            #[serde(rename = "u")]
            Last,
            #[serde(rename = "pu")]
            Previous,
            #[serde(rename = "b")]
            Bids,
            #[serde(rename = "a")]
            Asks,
            #[serde(other)]
            Other,
        }
        let (mut event_time, mut time, mut first, mut last, mut previous) = (None, None, None, None, None);
        let (mut symbol, mut bids, mut asks) = (false, false, false);
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::EventTime => event_time = Some(map.next_value::<Uint>()?.time()),
                Field::Time => time = Some(map.next_value::<Uint>()?.time()),
                Field::First => first = Some(map.next_value::<Uint>()?.0),
                Field::Last => last = Some(map.next_value::<Uint>()?.0),
                Field::Previous => previous = map.next_value::<MaybeUint>()?.0,
                Field::Symbol if symbol => return Err(A::Error::duplicate_field("s")),
                Field::Symbol => {
                    symbol = true;
                    let text = map.next_value::<&str>()?;
                    if let Err(fault) = self.set_symbol(text) {
                        self.fault = Some(fault);
                        return Err(A::Error::custom("symbol"));
                    }
                }
                Field::Bids if bids => return Err(A::Error::duplicate_field("b")),
                Field::Bids => {
                    bids = true;
                    map.next_value_seed(Levels { filler: self, side: Side::Buy })?;
                }
                Field::Asks if asks => return Err(A::Error::duplicate_field("a")),
                Field::Asks => {
                    asks = true;
                    map.next_value_seed(Levels { filler: self, side: Side::Sell })?;
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let event_time = event_time.ok_or_else(|| A::Error::missing_field("E"))?;
        self.into.event_time = event_time;
        self.into.time = time.unwrap_or(event_time);
        self.into.first_id = first.ok_or_else(|| A::Error::missing_field("U"))?;
        self.into.last_id = last.ok_or_else(|| A::Error::missing_field("u"))?;
        self.into.previous_id = previous;
        for (there, field) in [(symbol, "s"), (bids, "b"), (asks, "a")] {
            if !there {
                return Err(A::Error::missing_field(field));
            }
        }
        Ok(())
    }
}

struct Levels<'l, 'f> {
    filler: &'l mut Filler<'f>,
    side: Side,
}

impl<'de> DeserializeSeed<'de> for Levels<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Levels<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of levels")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(level) = seq.next_element::<WireLevel<'de>>()? {
            if let Err(fault) = self.filler.push(self.side, level) {
                self.filler.fault = Some(fault);
                return Err(A::Error::custom("level"));
            }
        }
        Ok(())
    }
}

/// Levels of a snapshot, converted.
pub(super) fn levels(reader: Reader, field: &'static str, wire: &[WireLevel<'_>], scales: &Scales) -> Result<Vec<Level>, DecodeError> {
    let level = |l: &WireLevel<'_>| -> Result<Level, DecodeError> {
        Ok(Level { price: reader.price(field, l.price, scales)?, qty: reader.qty(field, l.qty, scales)? })
    };
    wire.iter().map(level).collect()
}
