use crate::event::FundingPayment;
use crate::ids::{ClientId, Leg, TradeId};
use crate::limits::ACTIONS_MAX;
use crate::money::{Amount, Holding, Notional, Price, Qty};
use crate::order::{Fill, Order, OrderType, TimeInForce};
use crate::risk::Lock;
use crate::spacing::Spacing;
use crate::time::Time;
use core::time::Duration;

/// Everything an engine can ask of the world.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Action {
    /// Withdraw an order. Carried out before anything else.
    Cancel(Cancel),
    /// Send an order.
    Place(Place),
    /// Ask the state of an order by its client id.
    Query {
        /// The order.
        id: ClientId,
    },
    /// Fetch executions after a trade id, then position and open orders.
    Resync {
        /// The last execution booked; `None` when nothing was ever booked.
        after: Option<TradeId>,
    },
    /// Put state on disk now and answer with [`crate::Event::Committed`]; what relies on it waits.
    Commit(Box<StateRecord>),
    /// Store what happened; batched.
    Record(Box<Record>),
    /// Tell a human.
    Alert(Box<Alert>),
    /// Have the exchange withdraw all orders of the symbol, foreign ones too, unless it is told again in time; zero disarms it.
    Countdown {
        /// For so long; whole milliseconds.
        after: Duration,
    },
    /// Tell the candles of the past again: the engine was built anew and knows none.
    History,
}

const _: () = assert!(size_of::<Action>() <= 48);

/// The actions of one event, in the order they are to be carried out; reused from event to event.
///
/// # Bounds
/// [`ACTIONS_MAX`]. The caller drains it after each event.
#[derive(Debug, Default)]
pub struct Actions {
    list: arrayvec::ArrayVec<Action, ACTIONS_MAX>,
}

impl Actions {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many more fit.
    pub fn room(&self) -> usize {
        self.list.remaining_capacity()
    }

    /// Adds an action.
    ///
    /// # Panics
    /// When it is full: who adds checks [`Actions::room`] first, or the sum of what one event can cause is below the bound.
    pub fn push(&mut self, action: Action) {
        assert!(self.list.remaining_capacity() > 0, "an event caused more actions than fit");
        self.list.push(action);
    }

    /// The actions.
    pub fn as_slice(&self) -> &[Action] {
        &self.list
    }

    /// Takes all actions out.
    pub fn drain(&mut self) -> impl Iterator<Item = Action> + '_ {
        self.list.drain(..)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// An order to send. Its side is in its id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Place {
    /// Our id.
    pub id: ClientId,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Kind.
    pub kind: OrderType,
    /// Time in force.
    pub tif: TimeInForce,
    /// Whether it can only reduce the position.
    pub reduce_only: bool,
}

/// An order to withdraw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cancel {
    /// Our id.
    pub id: ClientId,
}

/// State that must be on disk before the action that relies on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StateRecord {
    /// Grows by one with each commit of this symbol.
    pub version: u64,
    /// Where the grid's level 0 lies; `None` before the first price.
    pub anchor: Option<Price>,
    /// How the levels lie; a stored anchor is void when the configured spacing differs.
    pub interval: Spacing,
    /// The newest execution when trading began: what came after it is ours to book, even if nothing was ever stored.
    pub baseline: Option<TradeId>,
    /// Whether an operator paused the symbol.
    pub paused: bool,
    /// Whether the symbol was halted and must not trade until an operator resumes it.
    pub halted: bool,
    /// What a rule has locked.
    pub lock: Option<Lock>,
    /// Whether the position is being closed: a restart goes on with it.
    pub closing: bool,
    /// Whether nothing is to work until an operator resumes: a restart leaves it so.
    pub idle: bool,
    /// What the strategy must know again after a restart.
    pub memo: Memo,
}

/// What strategies must know again after a restart and nothing else tells: a stop that is being carried out, a pause. A word for each
/// strategy of a symbol; what it means only that strategy knows. Zero is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Memo(pub [u64; Memo::WORDS]);

impl Memo {
    /// Strategies that share a symbol, at most.
    pub const WORDS: usize = 4;
    /// Nothing to be known.
    pub const NONE: Self = Self([0; Self::WORDS]);

    /// That of a symbol's only strategy.
    pub const fn of(word: u64) -> Self {
        let mut memo = Self::NONE;
        memo.0[0] = word;
        memo
    }
}

/// As it is stored: hexadecimal words with blanks between.
impl core::fmt::Display for Memo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:x}")?;
        rest.iter().try_for_each(|word| write!(f, " {word:x}"))
    }
}

/// What is stored was something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not {} hexadecimal words", Memo::WORDS)]
pub struct MemoError;

impl core::str::FromStr for Memo {
    type Err = MemoError;

    fn from_str(text: &str) -> Result<Self, MemoError> {
        let mut words = text.split(' ').map(|word| u64::from_str_radix(word, 16).map_err(|_| MemoError));
        let mut memo = Self::NONE;
        for word in &mut memo.0 {
            *word = words.next().ok_or(MemoError)??;
        }
        words.next().map_or(Ok(memo), |_| Err(MemoError))
    }
}

/// What one event of the account changed; stored as a whole or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// The order that changed.
    pub order: Option<Order>,
    /// The execution booked.
    pub fill: Option<Booked>,
    /// The slot that changed.
    pub slot: Option<SlotRow>,
    /// The funding booked.
    pub funding: Option<FundingPayment>,
    /// The symbol's totals after it.
    pub totals: Totals,
}

/// An execution as we booked it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Booked {
    /// As the exchange told it.
    pub fill: Fill,
    /// The leg it was booked to; `None` for orders that are not ours.
    pub leg: Option<Leg>,
    /// Profit that this execution realised against the symbol's average entry, before fees, units of 1e-8 of the quote asset.
    pub realized: i128,
    /// Profit of the slot's round trip that this execution closed, before fees, units of 1e-8 of the quote asset.
    pub slot_realized: i128,
}

/// What a slot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotRow {
    /// Whose slot it is.
    pub leg: Leg,
    /// Base quantity opened and not yet closed; the leg tells whether it is long or short.
    pub held: Qty,
    /// What `held` cost, signed like a position: negative for a short one.
    pub cost: Notional,
}

/// Fees in an asset that is not the symbol's quote asset, not yet converted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WaitingFees {
    /// What was paid; positive is paid.
    pub amount: Amount,
    /// In how many executions.
    pub fills: u64,
}

/// The running totals of a symbol, and how far its fills are booked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Totals {
    /// The last execution booked; all before it are booked too.
    pub watermark: Option<TradeId>,
    /// Net position by our books.
    pub holding: Holding,
    /// What the position cost, signed like it.
    pub cost: Notional,
    /// Realised profit before fees, units of 1e-8 of the quote asset.
    pub realized: i128,
    /// Fees paid in the quote asset, units of 1e-8; positive is paid.
    pub fees: i128,
    /// Worth of the fees paid in other assets, by the rate soon after, units of 1e-8 of the quote asset. They do not touch the
    /// quote asset's wallet.
    pub other_fees: i128,
    /// Fees in another asset that wait for its rate.
    pub waiting: Option<WaitingFees>,
    /// Funding received, units of 1e-8 of the quote asset; negative is paid.
    pub funding: i128,
    /// Executions booked.
    pub fills: u64,
    /// Base quantity bought.
    pub bought: Qty,
    /// Base quantity sold.
    pub sold: Qty,
    /// Fees of a third asset that came while those of a second waited for its rate, and are in no sum: how many executions.
    pub foreign_fees: u64,
    /// The exchange's time of the last funding booked; zero before the first.
    pub funded_to: Time,
}

impl Totals {
    /// Nothing booked.
    pub const EMPTY: Self = Self {
        watermark: None,
        holding: Holding::FLAT,
        cost: Notional::ZERO,
        realized: 0,
        fees: 0,
        other_fees: 0,
        waiting: None,
        funding: 0,
        fills: 0,
        bought: Qty::ZERO,
        sold: Qty::ZERO,
        foreign_fees: 0,
        funded_to: Time::ZERO,
    };
}

/// How urgently a human is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Severity {
    /// Good to know.
    Info,
    /// Degraded; will heal by itself.
    Warning,
    /// Somebody must act.
    Critical,
}

impl Severity {
    /// Lower-case word for display and storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Reads the word that [`Severity::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Critical].into_iter().find(|severity| severity.as_str() == word)
    }
}

/// What an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AlertCode {
    /// Trading of the symbol began.
    Started,
    /// The position at the exchange and ours differ.
    PositionMismatch,
    /// Orders that are not ours are on the symbol.
    ForeignOrders,
    /// An order of ours was found that no leg wants.
    Stray,
    /// A request's outcome stayed unknown and is being queried.
    OutcomeUnknown,
    /// An order was refused.
    OrderRefused,
    /// Market data is stale.
    Stale,
    /// Opening stopped because records cannot be stored.
    RecordsFull,
    /// The grid cannot run: a filter or the fees make it impossible.
    GridImpossible,
    /// The risk gate closed or opened.
    Gate,
    /// An order or position was liquidated or deleveraged by the exchange.
    Liquidation,
    /// The symbol was halted after a bug.
    Halted,
    /// Drawdown of the account passed its limit.
    Drawdown,
    /// An operator's command was carried out.
    Command,
    /// Trading stopped, or the process is about to end.
    Stopped,
    /// Memory of the process or of its control group passed a threshold.
    Memory,
    /// Memory grows without an end.
    Leak,
    /// The processor is busier than its threshold.
    Cpu,
    /// Disk or database is full or grows too fast.
    Disk,
    /// A task stalled, failed or is missing.
    Task,
    /// A connection to the exchange was lost or came back.
    Stream,
    /// The database or its pool of connections is in trouble.
    Database,
    /// A rule of the risk ladder stopped opening, had a position closed, or let go.
    Risk,
    /// Somebody else trades with the mark of this account.
    OtherWriter,
    /// Something that must always hold does not.
    Invariant,
}

impl AlertCode {
    /// Snake-case word for display and storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::PositionMismatch => "position_mismatch",
            Self::ForeignOrders => "foreign_orders",
            Self::Stray => "stray_order",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::OrderRefused => "order_refused",
            Self::Stale => "stale_market",
            Self::RecordsFull => "records_full",
            Self::GridImpossible => "grid_impossible",
            Self::Gate => "gate",
            Self::Liquidation => "liquidation",
            Self::Halted => "halted",
            Self::Drawdown => "drawdown",
            Self::Command => "command",
            Self::Stopped => "stopped",
            Self::Memory => "memory",
            Self::Leak => "memory_leak",
            Self::Cpu => "cpu",
            Self::Disk => "disk",
            Self::Task => "task",
            Self::Stream => "stream",
            Self::Database => "database",
            Self::Risk => "risk",
            Self::OtherWriter => "other_writer",
            Self::Invariant => "invariant",
        }
    }

    /// All codes, in the order of their discriminants.
    pub const ALL: [Self; Self::Invariant as usize + 1] = [
        Self::Started,
        Self::PositionMismatch,
        Self::ForeignOrders,
        Self::Stray,
        Self::OutcomeUnknown,
        Self::OrderRefused,
        Self::Stale,
        Self::RecordsFull,
        Self::GridImpossible,
        Self::Gate,
        Self::Liquidation,
        Self::Halted,
        Self::Drawdown,
        Self::Command,
        Self::Stopped,
        Self::Memory,
        Self::Leak,
        Self::Cpu,
        Self::Disk,
        Self::Task,
        Self::Stream,
        Self::Database,
        Self::Risk,
        Self::OtherWriter,
        Self::Invariant,
    ];

    /// Reads the word that [`AlertCode::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }
}

/// Something a human should know.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Alert {
    /// How urgent.
    pub severity: Severity,
    /// What about.
    pub code: AlertCode,
    /// One sentence with the numbers; longer text is cut.
    pub text: arrayvec::ArrayString<200>,
    /// When the engine noticed.
    pub time: Time,
}

impl Alert {
    /// Makes an alert; text beyond 200 bytes is cut at a character.
    pub fn new(severity: Severity, code: AlertCode, time: Time, text: &dyn core::fmt::Display) -> Self {
        use core::fmt::Write;
        struct Cut<'a>(&'a mut arrayvec::ArrayString<200>);
        impl Write for Cut<'_> {
            fn write_str(&mut self, s: &str) -> core::fmt::Result {
                for c in s.chars() {
                    if self.0.try_push(c).is_err() {
                        break;
                    }
                }
                Ok(())
            }
        }
        let mut out = arrayvec::ArrayString::new();
        // A `Cut` never fails; a broken `Display` leaves the text short.
        if write!(Cut(&mut out), "{text}").is_err() {
            out.clear();
        }
        Self { severity, code, text: out, time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_severities_are_read_back_from_their_words() {
        for (place, code) in AlertCode::ALL.into_iter().enumerate() {
            assert_eq!((code as usize, AlertCode::parse(code.as_str())), (place, Some(code)));
        }
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
        }
        assert_eq!((AlertCode::parse("Started"), Severity::parse("")), (None, None));
    }
}
