use crate::book::Top;
use crate::candle::{Candle, PastCandle, Trade};
use crate::ids::{Asset, ClientId, PositionSide, Symbol, TradeId};
use crate::instrument::Instrument;
use crate::money::{Amount, Bps, Holding, RefPrice};
use crate::order::{Fill, OrderReport};
use crate::risk::Demand;
use crate::time::Time;

/// Everything that can happen to an engine. What is not here cannot influence a decision.
///
/// Fat payloads are boxed, so that the enum stays within 48 bytes; market data is inline.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Event {
    /// The best bid and ask changed.
    Top(Top),
    /// A trade of the market happened.
    Trade(Trade),
    /// A candle closed.
    Candle(Box<Candle>),
    /// A candle of another length that closed before the market data began: it only warms figures up.
    Past(Box<PastCandle>),
    /// Mark price, index price or funding rate changed.
    Mark(MarkPrice),
    /// Data of a feed was lost; what depends on it is unknown until it comes again.
    Gap(Feed),
    /// A feed or the request channel went up or down.
    Link(Link),
    /// The exchange told the state of an order, perhaps with a fill.
    Order(Box<OrderReport>),
    /// The exchange refused a request of ours.
    Rejected {
        /// The order meant.
        id: ClientId,
        /// What was asked.
        request: Request,
        /// Why not.
        reason: Reject,
    },
    /// A cancel failed because the exchange has no such open order.
    CancelFailed {
        /// The order meant.
        id: ClientId,
        /// Why.
        reason: CancelFailure,
    },
    /// No answer, or one that leaves open whether the request was carried out.
    Unknown {
        /// The order meant.
        id: ClientId,
        /// What was asked.
        request: Request,
    },
    /// The exchange has never seen this order (the answer to a query).
    NotFound {
        /// The order meant.
        id: ClientId,
    },
    /// The request never left; nothing happened at the exchange.
    NotSent {
        /// The order meant.
        id: ClientId,
        /// What was to be asked.
        request: Request,
    },
    /// Executions fetched by a catch-up, in order of their trade ids.
    Fills(Box<FillPage>),
    /// Position and open orders, fetched after the catch-up's last page.
    Snapshot(Box<Snapshot>),
    /// A catch-up or snapshot could not be fetched; it must be asked for again.
    ResyncFailed,
    /// Funding was paid or received for this symbol.
    Funding(Box<FundingPayment>),
    /// What an asset in which fees were paid is worth.
    Rate(Box<AssetRate>),
    /// The instrument's rules changed.
    Instrument(Box<Instrument>),
    /// The account lends this symbol a share of its limits.
    Lease(Lease),
    /// The state with this version is on disk.
    Committed {
        /// The version given in [`crate::StateRecord`].
        version: u64,
    },
    /// The queue for records is full (`true`) or has room again: while full nothing may be opened.
    RecordsFull(bool),
    /// Memory runs short, so that nothing may be opened; or does no longer.
    MemoryShort(bool),
    /// An operator's order.
    Command(Command),
    /// The time asked for by `wake_at` has come.
    Wake,
    /// The process stops.
    Shutdown(StopMode),
}

const _: () = assert!(size_of::<Event>() <= 48);

/// What one asset is worth in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AssetRate {
    /// What is valued.
    pub asset: Asset,
    /// In what.
    pub quote: Asset,
    /// How much of it one of the asset is worth; positive.
    pub rate: RefPrice,
}

impl AssetRate {
    /// Converts an amount of the asset, units of 1e-8 of both, rounded to the nearest with halves away from zero.
    ///
    /// `None` for another asset, or beyond what 128 bits hold.
    pub fn convert(&self, amount: Amount) -> Option<i128> {
        const ONE: i128 = 100_000_000;
        let product = amount.units.checked_mul(i128::from(self.rate.units()))?;
        let half = if product < 0 { -ONE / 2 } else { ONE / 2 };
        (amount.asset == self.asset).then_some(product.checked_add(half)? / ONE)
    }
}

/// What a feed carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Feed {
    /// Book, trades, marks.
    Market,
    /// Orders, fills, balances.
    Account,
    /// Requests and their answers.
    Requests,
}

/// A feed's connection changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Link {
    /// Which feed.
    pub feed: Feed,
    /// Whether it delivers now.
    pub up: bool,
}

/// Mark and index price and the funding to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MarkPrice {
    /// The price that margin and liquidation go by.
    pub mark: RefPrice,
    /// The index behind it.
    pub index: RefPrice,
    /// The rate of the next funding, if there is one.
    pub funding: Option<Bps>,
    /// When funding is due next; zero when there is none.
    pub next_funding: Time,
    /// The exchange's time of it.
    pub time: Time,
}

/// What was asked of the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Request {
    /// To place an order.
    Place,
    /// To cancel an order.
    Cancel,
    /// To tell an order's state.
    Query,
}

/// Why the exchange refused, as far as a decision depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reject {
    /// A post-only order would have taken.
    WouldTake,
    /// Not enough margin or balance.
    Margin,
    /// A reduce-only order had nothing to reduce.
    NothingToReduce,
    /// Price, quantity or value breaks a filter.
    Filter,
    /// Too many open orders on the symbol.
    TooManyOrders,
    /// Too many requests.
    RateLimited,
    /// An open order has the same client id.
    Duplicate,
    /// The exchange is busy; nothing was done.
    Busy,
    /// The symbol is not traded now.
    Closed,
    /// The account is being liquidated, or the position is beyond its leverage.
    Restricted,
    /// Our clock or signature is off.
    Stamp,
    /// The key is unknown or lacks a permission.
    Permission,
    /// Anything else; the exchange's code.
    Other(i32),
}

/// Why an order could not be cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CancelFailure {
    /// No open order has this id: it is final, or was never there.
    NotOpen,
    /// The exchange did not take the request.
    Refused(Reject),
}

/// One page of executions.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FillPage {
    /// Executions in order of their trade ids; at most [`crate::limits::FILL_PAGE_MAX`].
    pub fills: Vec<Fill>, // tidy: bounded by FILL_PAGE_MAX
    /// Without a stored watermark: fills up to this one happened before we began and are not ours to book.
    pub baseline: Option<TradeId>,
    /// Whether this was the last page.
    pub last: bool,
    /// When the request for this page was sent: what was executed later may be missing in it.
    pub asked_at: Time,
}

/// The exchange's view of a symbol's position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PositionReport {
    /// Which position; one-way accounts have `Both`.
    pub side: PositionSide,
    /// Size and direction.
    pub holding: Holding,
    /// Average entry price.
    pub entry: RefPrice,
    /// Price of liquidation; zero when there is none.
    pub liquidation: RefPrice,
    /// Leverage set for the symbol; zero when the exchange did not say.
    pub leverage: u16,
}

/// The exchange's view of a symbol, fetched by request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    /// When the first of its requests was sent: what we did later may be missing in it.
    pub asked_at: Time,
    /// The position.
    pub position: PositionReport,
    /// All open orders of the symbol, ours and foreign; at most [`crate::limits::SNAPSHOT_ORDERS_MAX`].
    pub open: Vec<OrderReport>, // tidy: bounded by SNAPSHOT_ORDERS_MAX
}

/// An account's holding of an asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// The asset.
    pub asset: Asset,
    /// Deposits, realised profit, fees and funding together, units of 1e-8.
    pub wallet: i128,
    /// What is free as margin for new orders, units of 1e-8; `None` when the message does not tell.
    pub available: Option<i128>,
    /// The exchange's time of it.
    pub time: Time,
}

/// A share of the account's limits, lent to one symbol until it expires, so that its checks are local.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    /// The most that position and opening orders may be worth together, units of 1e-8 of the quote asset.
    pub exposure_max: i128,
    /// Orders that may be placed in ten seconds.
    pub orders_per_10s: u16,
    /// When it ends; without a lease nothing is opened.
    pub until: Time,
    /// What a rule of the account demands now.
    pub demand: Option<Demand>,
}

/// A funding payment of one symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FundingPayment {
    /// Signed: positive is received.
    pub amount: Amount,
    /// The exchange's time of it.
    pub time: Time,
}

/// What happens to an account as a whole, beside what happens to its symbols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountEvent {
    /// A balance changed or was fetched.
    Balance(Balance),
    /// The exchange told a position; for comparison, never for booking.
    Position {
        /// The symbol.
        symbol: Symbol,
        /// The position.
        position: PositionReport,
    },
    /// Money came to the account or left it, by a transfer: neither profit nor loss.
    Transfer {
        /// Signed: positive came in.
        amount: Amount,
    },
    /// The exchange warns that margin runs short.
    MarginCall,
    /// The leverage of a symbol changed.
    Leverage {
        /// The symbol.
        symbol: Symbol,
        /// The new leverage.
        leverage: u16,
    },
    /// A connection or the request channel went up or down.
    Link(Link),
}

/// What an operator can ask of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Command {
    /// Opens nothing more; closing goes on.
    Pause,
    /// Lifts a pause by an operator. What a rule has locked stays locked.
    Resume,
    /// Opens nothing more, and tells when nothing is held and nothing works any more.
    Drain,
    /// Lifts what a rule has locked, and a halt.
    Rearm,
    /// Withdraws all our orders and opens nothing more.
    CancelAll,
    /// Withdraws all, closes our position at market and opens nothing more.
    Flatten,
    /// Drops slots that hold nothing and have no order.
    CleanupSlots,
    /// Fetches fills, position and open orders again.
    Resync,
}

/// What becomes of orders and position when the process stops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum StopMode {
    /// Orders stay; the next start adopts them.
    Keep,
    /// Our orders are withdrawn; the position stays.
    Cancel,
    /// Our orders are withdrawn and the position is closed.
    Flatten,
}
