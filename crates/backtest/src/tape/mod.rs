//! Our own store of history: one file of one contract, coded for speed.
//!
//! # Format, version 1
//!
//! All numbers are little-endian. A file is a head of 64 bytes, blocks, and an end.
//!
//! | bytes | head |
//! |---|---|
//! | 0–7 | `plimtape` |
//! | 8–9 | version |
//! | 10, 11 | digits after the point of prices, of quantities |
//! | 12–15 | length of its candles in seconds; zero without candles |
//! | 16–47 | symbol, filled with zeros |
//! | 48–59 | zeros |
//! | 60–63 | CRC-32 of what is before |
//!
//! | bytes | block |
//! |---|---|
//! | 0–3 | `PBLK`, of the end `PEND` |
//! | 4–7 | bytes of its records, at most [`crate::limits::BLOCK_BYTES_MAX`] |
//! | 8–11 | how many records |
//! | 12–15 | CRC-32 of bytes 0–11 and 16–31, then of the records |
//! | 16–23 | time of the first record, nanoseconds since the epoch |
//! | 24–31 | zeros |
//!
//! A record is a head of two bytes, four bits each: kind, and the lengths in bytes (0 to 8) of time, price and quantity; then
//! these three. Time is counted in nanoseconds from the record before, price in units from the price before (zigzag), the block's
//! first from zero. Kinds 4 and 7 have a second head with the lengths of up to four more fields.
//!
//! | kind | what | price | quantity | more |
//! |---|---|---|---|---|
//! | 0, 1 | level of bid, of ask | price | new quantity, 0 deletes | |
//! | 2, 3 | trade, taker bought, sold | price | quantity | |
//! | 4 | top | bid | of the bid | ask − bid, quantity of the ask |
//! | 5 | mark price | units of 1e-8, from the mark before | | |
//! | 6 | funding falls due | rate in millionths | | |
//! | 7 | candle; its time is its beginning | open | volume | high − open, open − low, close − low |
//! | 8 | the book is not known any more | | | |
//!
//! The end's records are 16 counts of eight bytes, one a kind, then the times of the first and the last record. A file without an
//! end is not whole.

mod read;
mod write;

pub use read::{Info, TapeReader, inspect};
pub use write::TapeWriter;

use plimsoll_market::{Bps, Instrument, Price, Qty, RefPrice, Side, Symbol, Time};
use std::path::PathBuf;
use thiserror::Error;

/// First bytes of a tape.
pub const MAGIC: [u8; 8] = *b"plimtape";
/// The version that is written, and the only one that is read.
pub const VERSION: u16 = 1;
const BLOCK: [u8; 4] = *b"PBLK";
const END: [u8; 4] = *b"PEND";
const HEAD_BYTES: usize = 64;
const BLOCK_HEAD_BYTES: usize = 32;
const KINDS: usize = 16;
const END_BYTES: usize = (KINDS + 2) * 8;

/// The name that tapes end in.
pub const EXTENSION: &str = "tape";

/// One thing that happened on a market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tick {
    /// A level of the book has this quantity now; zero deletes it.
    Level {
        /// Its side.
        side: Side,
        /// Its price.
        price: Price,
        /// Its quantity.
        qty: Qty,
    },
    /// A trade.
    Trade {
        /// Side of the order that took.
        taker: Side,
        /// Price.
        price: Price,
        /// Quantity.
        qty: Qty,
    },
    /// The best bid and ask are these.
    Top {
        /// Highest bid.
        bid: (Price, Qty),
        /// Lowest ask.
        ask: (Price, Qty),
    },
    /// A mark price.
    Mark(RefPrice),
    /// Funding falls due now at this rate.
    Funding(Bps),
    /// A candle begins now, and these will be its prices: nobody is told of one before its time has come.
    Candle(Bar),
    /// The book is not known any more.
    Reset,
}

/// A candle as a tape keeps it; its length is the tape's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Price of the first trade.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Price of the last trade.
    pub close: Price,
    /// Base quantity traded; zero when it is not known.
    pub volume: Qty,
}

impl Bar {
    /// Whether its prices can be those of one candle.
    pub fn is_sound(&self) -> bool {
        let inside = |price: Price| self.low <= price && price <= self.high;
        self.low > Price::ZERO && inside(self.open) && inside(self.close)
    }
}

impl Tick {
    const fn kind(&self) -> usize {
        match self {
            Self::Level { side: Side::Buy, .. } => 0,
            Self::Level { side: Side::Sell, .. } => 1,
            Self::Trade { taker: Side::Buy, .. } => 2,
            Self::Trade { taker: Side::Sell, .. } => 3,
            Self::Top { .. } => 4,
            Self::Mark(_) => 5,
            Self::Funding(_) => 6,
            Self::Candle(_) => 7,
            Self::Reset => 8,
        }
    }
}

/// What a tape is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TapeHead {
    /// The contract.
    pub symbol: Symbol,
    /// Digits after the point of its prices.
    pub price_scale: u8,
    /// Digits after the point of its quantities.
    pub qty_scale: u8,
    /// Length of its candles in seconds; zero without candles.
    pub candle_secs: u32,
}

impl TapeHead {
    /// The head of a tape of a contract.
    pub const fn new(instrument: &Instrument, candle_secs: u32) -> Self {
        Self { symbol: instrument.symbol, price_scale: instrument.price_scale, qty_scale: instrument.qty_scale, candle_secs }
    }
}

/// Why a tape cannot be written or read.
#[derive(Debug, Error)]
pub enum TapeError {
    /// The file system says no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a tape, or one of another version.
    #[error("{path} is no tape of version {VERSION}")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A checksum, length or order does not hold.
    #[error("{path}: damaged at byte {at}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the block begins.
        at: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// The file ends before its end.
    #[error("{path}: it breaks off at byte {at}; import it again")]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// What is written goes back in time.
    #[error("{path}: {time:?} comes after {last:?}")]
    Backwards {
        /// The file.
        path: PathBuf,
        /// What was to be written.
        time: Time,
        /// What was written before.
        last: Time,
    },
}

/// Signed numbers with the small ones first.
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// Bytes that a number needs.
const fn width(value: u64) -> usize {
    (71 - value.leading_zeros() as usize) / 8
}

#[cfg(test)]
mod tests;
