use crate::book::Top;
use crate::event::MarkPrice;
use crate::ids::{ClientId, Leg, Side, Symbol};
use crate::money::{Holding, Notional, Price, Qty, RefPrice};
use crate::risk::Lock;
use crate::time::Time;
use core::time::Duration;

/// Where an engine is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Phase {
    /// Learning what is true at the exchange; trades nothing yet.
    Booting,
    /// Keeping its wanted orders at the exchange.
    Trading,
    /// Withdrawing its orders because the process stops or an operator said so.
    Draining,
    /// Nothing of ours is open; the engine is done.
    Drained,
    /// Stopped by a fault; waits for an operator.
    Halted,
}

impl Phase {
    /// Lower-case word for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Trading => "trading",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Halted => "halted",
        }
    }
}

/// Profit of a symbol, units of 1e-8 of the quote asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pnl {
    /// Realised against the average entry, before fees.
    pub realized: i128,
    /// Fees paid; positive is paid.
    pub fees: i128,
    /// Worth of the fees paid in other assets.
    pub other_fees: i128,
    /// Funding received; negative is paid.
    pub funding: i128,
    /// What closing at the mark price would add; `None` without a price.
    pub unrealized: Option<i128>,
    /// Sum of the slots' closed round trips, before fees.
    pub round_trips: i128,
}

impl Pnl {
    /// Realised and unrealised, after fees and funding. Without a price the unrealised part is left out.
    pub fn net(&self) -> i128 {
        self.realized - self.fees - self.other_fees + self.funding + self.unrealized.unwrap_or(0)
    }
}

/// A slot for display.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotView {
    /// Whose slot.
    pub leg: Leg,
    /// Price it opens at; of legs that are no grid's the mean price of what is held.
    pub price: Price,
    /// Base quantity held; the leg tells whether it is long or short.
    pub held: Qty,
    /// What it cost, negative for a short one.
    pub cost: Notional,
    /// Its live order.
    pub order: Option<ClientId>,
}

/// A working order for display.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderView {
    /// Our id.
    pub id: ClientId,
    /// Direction.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Quantity ordered.
    pub qty: Qty,
    /// Quantity filled.
    pub filled: Qty,
    /// `sent`, `live`, `canceling` or `unknown`.
    pub state: &'static str,
    /// When it was sent.
    pub sent_at: Time,
}

/// What an engine tells the world about itself: plain data, made on request, never on the hot path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The symbol.
    pub symbol: Symbol,
    /// Phase of life.
    pub phase: Phase,
    /// Why nothing may be opened now; `None` when it may.
    pub closed: Option<&'static str>,
    /// What a rule has locked.
    pub lock: Option<Lock>,
    /// Whether the position is being closed.
    pub closing: bool,
    /// Last best bid and ask.
    pub top: Option<Top>,
    /// Last mark price.
    pub mark: Option<MarkPrice>,
    /// Net position by our books.
    pub holding: Holding,
    /// Average entry price of it.
    pub entry: RefPrice,
    /// Profit.
    pub pnl: Pnl,
    /// Level 0 of the grid.
    pub anchor: Option<Price>,
    /// Distance of two levels.
    pub interval: Price,
    /// Slots that hold something or have an order; bounded by the position's slot ring.
    pub slots: Vec<SlotView>, // tidy: bounded by the slot ring it copies
    /// Orders at the exchange or on their way; at most [`crate::limits::QUOTES_MAX`].
    pub orders: Vec<OrderView>, // tidy: bounded by QUOTES_MAX
    /// Orders that are not ours, at the last snapshot.
    pub foreign_orders: u32,
    /// What the exchange's position was beyond ours at the last comparison; flat when they agreed.
    pub drift: Holding,
    /// How long the last divergence from the exchange took to end; zero before the first.
    pub healed_in: Duration,
    /// Times that the exchange's position was taken over, since the start.
    pub taken_over: u32,
    /// Executions booked after one with a higher trade id, since the start.
    pub late_fills: u64,
    /// Orders sent since the start.
    pub placed: u64,
    /// Cancels sent since the start.
    pub canceled: u64,
    /// Orders refused since the start.
    pub rejected: u64,
    /// Empty slots dropped by the cleanup since the start.
    pub slots_cleaned: u64,
    /// Executions whose fee, paid in another asset, is not among the fees yet.
    pub fees_unconverted: u64,
    /// Executions booked, ever.
    pub fills: u64,
    /// When the engine made this.
    pub time: Time,
}
