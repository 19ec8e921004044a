use super::budget::RateLimits;
use crate::SymbolIndex;
use core::time::Duration;
use plimsoll_market::{Balance, Instrument, PositionSide, Symbol, Time};

/// A symbol as the boot found it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolReport {
    /// Its number in events and orders.
    pub index: SymbolIndex,
    /// Its rules, with the account's own fees.
    pub instrument: Instrument,
    /// Leverage now set; the configured one where one was configured.
    pub leverage: u16,
    /// Whether its margin is isolated.
    pub isolated: bool,
}

/// What the boot learned: all that pre-flight needs to decide whether trading may begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BootReport {
    /// The symbols that the exchange has, numbered from 0 in the order of the configuration.
    pub symbols: Vec<SymbolReport>, // tidy: bounded by SYMBOLS_MAX
    /// Configured symbols that the exchange does not have; they take no part.
    pub unknown: Vec<Symbol>, // tidy: bounded by SYMBOLS_MAX
    /// `Both` in one-way mode; hedge mode is told as `Long`, and is for pre-flight to refuse.
    pub position_mode: PositionMode,
    /// Whether all assets count as margin together.
    pub multi_assets: bool,
    /// The account's balances that are not nothing.
    pub balances: Vec<Balance>, // tidy: bounded by BALANCES_MAX
    /// The exchange's rate limits.
    pub limits: RateLimits,
    /// How far the exchange's clock is ahead of ours, in milliseconds.
    pub clock_offset_ms: i64,
    /// Round trip of the best clock sample.
    pub round_trip: Duration,
    /// When the boot was complete.
    pub at: Time,
}

/// How positions of one symbol are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PositionMode {
    /// One net position a symbol ([`PositionSide::Both`]).
    OneWay,
    /// A long and a short position a symbol.
    Hedge,
}

impl PositionMode {
    /// Whether positions carry this side.
    pub const fn has(self, side: PositionSide) -> bool {
        match (self, side) {
            (Self::OneWay, PositionSide::Both) | (Self::Hedge, PositionSide::Long | PositionSide::Short) => true,
            (Self::OneWay, PositionSide::Long | PositionSide::Short) | (Self::Hedge, PositionSide::Both) => false,
        }
    }
}

/// What a session did so far, and how it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SessionStats {
    /// Text messages taken.
    pub frames: u64,
    /// Messages of a kind that is not used.
    pub frames_ignored: u64,
    /// Messages that could not be understood; each was declared a gap.
    pub frames_malformed: u64,
    /// Messages too long to take; each was declared a gap.
    pub frames_oversized: u64,
    /// Gaps in books, each healed by a snapshot.
    pub book_gaps: u64,
    /// Times a book's top and the exchange's own best prices of the same update differed.
    pub book_mismatches: u64,
    /// Snapshots of books taken.
    pub book_snapshots: u64,
    /// Connections opened.
    pub connects: u64,
    /// Connections lost or refused.
    pub disconnects: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests without an answer.
    pub requests_failed: u64,
    /// Answers that say we asked too much.
    pub rate_limited: u64,
    /// Answers without a request: too late, or to nothing.
    pub stray_replies: u64,
    /// Answers that could not be understood.
    pub replies_malformed: u64,
    /// Orders placed: requests that left.
    pub places: u64,
    /// Orders that never left.
    pub places_not_sent: u64,
    /// Orders whose outcome stayed open.
    pub places_unknown: u64,
    /// Cancels that left.
    pub cancels: u64,
    /// Times that the exchange's switch could not be told.
    pub countdowns_failed: u64,
    /// Actions that are not for the exchange.
    pub actions_ignored: u64,
    /// Catch-ups complete.
    pub resyncs: u64,
    /// Catch-ups given up.
    pub resyncs_failed: u64,
    /// Executions whose order stayed unknown and that count as foreign.
    pub fills_unattributed: u64,
    /// Open orders beyond what a snapshot can carry.
    pub open_orders_cut: u64,
    /// Listen keys made.
    pub listen_keys: u64,
    /// Attempts to learn funding payments that were given up until the next occasion.
    pub funding_failed: u64,
    /// Rules of instruments that could not be taken because a scale would change.
    pub instruments_refused: u64,
    /// Weight used in this minute, what is on the way included.
    pub weight_used: u32,
    /// Weight that the exchange allows in a minute.
    pub weight_limit: u32,
    /// Orders that the exchange allows in ten seconds.
    pub orders_limit: u32,
    /// Orders used in these ten seconds, what is on the way included.
    pub orders_used: u32,
    /// Requests on the way.
    pub requests_in_flight: u32,
    /// Requests waiting in the lanes.
    pub requests_waiting: u32,
    /// Connections open.
    pub conns_open: u32,
    /// How far the exchange's clock is ahead of ours, in milliseconds.
    pub clock_offset_ms: i64,
}
