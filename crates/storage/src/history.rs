//! What is kept for people to look at.

use plimsoll_market::{Alert, Name, Severity, Symbol, Time};

use crate::SystemRow;

/// What an account was worth at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EquityPoint {
    /// When.
    pub time: Time,
    /// The account.
    pub account: Name,
    /// Its wallet, units of 1e-8 of the quote asset.
    pub wallet: i128,
    /// What closing all positions would add, units of 1e-8 of the quote asset.
    pub unrealized: i128,
}

impl EquityPoint {
    /// Returns wallet and unrealised profit together, units of 1e-8 of the quote asset.
    pub fn equity(&self) -> i128 {
        self.wallet.saturating_add(self.unrealized)
    }
}

/// What a person was told, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The account it is about, if one.
    pub account: Option<Name>,
    /// The symbol it is about, if one.
    pub symbol: Option<Symbol>,
    /// What was told, and when.
    pub alert: Alert,
}

/// A place in the list of events; grows with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(
    /// The number.
    pub i64,
);

/// What a person was told, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the list.
    pub id: EventId,
    /// When.
    pub time: Time,
    /// How urgently a person was needed.
    pub severity: Severity,
    /// What about: an [`plimsoll_market::AlertCode`] as text, perhaps of an older version.
    pub code: String,
    /// The account it is about, if one.
    pub account: Option<Name>,
    /// The symbol it is about, if one.
    pub symbol: Option<Symbol>,
    /// One sentence.
    pub text: String,
}

/// One item of history on its way.
#[derive(Clone, Debug)]
pub(crate) enum History {
    /// What an account was worth.
    Equity(EquityPoint),
    /// What a person was told.
    Event(Box<HistoryEvent>),
    /// What the process took.
    System(Box<SystemRow>),
}

impl History {
    /// Bytes that one has on the heap at most.
    pub(crate) const HEAP_BYTES: usize = {
        let (event, system) = (size_of::<HistoryEvent>(), size_of::<SystemRow>());
        if event > system { event } else { system }
    };
}
