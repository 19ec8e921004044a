use crate::ids::{ClientId, OrderId, Side, TradeId};
use crate::money::{Amount, Price, Qty, RefPrice};
use crate::time::Time;

/// What kind of order it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OrderType {
    /// At a price or better.
    Limit,
    /// At once, at whatever price there is.
    Market,
}

/// How long an order stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc,
    /// What fills at once; the rest expires.
    Ioc,
    /// All at once or not at all.
    Fok,
    /// Post-only: refused when it would take.
    Gtx,
}

/// Where an order stands at the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OrderStatus {
    /// Resting, nothing filled.
    New,
    /// Resting, some filled.
    PartiallyFilled,
    /// All filled. Final.
    Filled,
    /// Withdrawn by us or the exchange. Final.
    Canceled,
    /// Ended by its time in force, by liquidation or by self-trade prevention. Final.
    Expired,
    /// Never entered the book. Final.
    Rejected,
}

impl OrderStatus {
    /// Whether nothing can happen to it any more.
    pub const fn is_final(self) -> bool {
        match self {
            Self::New | Self::PartiallyFilled => false,
            Self::Filled | Self::Canceled | Self::Expired | Self::Rejected => true,
        }
    }

    /// Lower-case word for display and storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::PartiallyFilled => "partially_filled",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
        }
    }
}

/// How we learned of an order's state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Source {
    /// The user-data stream: in order within a connection, and with its fill.
    Stream,
    /// The answer to our own request; it may arrive before or after the stream's word.
    Reply,
    /// A query or a snapshot.
    Query,
}

/// One execution of an order of the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fill {
    /// The exchange's trade id; grows within a symbol.
    pub trade_id: TradeId,
    /// The exchange's order id.
    pub order_id: OrderId,
    /// Our id, when the order is ours.
    pub id: Option<ClientId>,
    /// Direction of the order.
    pub side: Side,
    /// Price of this execution.
    pub price: Price,
    /// Quantity of this execution.
    pub qty: Qty,
    /// Commission as reported, in its own asset; positive is paid.
    pub fee: Amount,
    /// Realised profit as the exchange reports it, before commission.
    pub realized: Amount,
    /// Whether our order was the resting one.
    pub maker: bool,
    /// The exchange's time of it.
    pub time: Time,
}

/// The state of one order, told by the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderReport {
    /// Our id; `None` for an order that is not ours.
    pub id: Option<ClientId>,
    /// The exchange's id.
    pub order_id: OrderId,
    /// Direction.
    pub side: Side,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity ordered.
    pub qty: Qty,
    /// Quantity filled so far, all executions together.
    pub filled: Qty,
    /// Average price of what filled; zero when nothing has.
    pub average: RefPrice,
    /// Where it stands.
    pub status: OrderStatus,
    /// Kind.
    pub kind: OrderType,
    /// Time in force.
    pub tif: TimeInForce,
    /// Whether it can only reduce the position.
    pub reduce_only: bool,
    /// The execution that caused this report; only the stream has it.
    pub fill: Option<Fill>,
    /// The exchange's time of the state.
    pub time: Time,
    /// How we learned of it.
    pub source: Source,
}

/// An order of ours as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Order {
    /// Our id; it tells strategy, leg and side.
    pub id: ClientId,
    /// The exchange's id, once known.
    pub order_id: Option<OrderId>,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity ordered.
    pub qty: Qty,
    /// Quantity filled so far.
    pub filled: Qty,
    /// Where it stands.
    pub status: OrderStatus,
    /// Whether it can only reduce the position.
    pub reduce_only: bool,
    /// The exchange's time of the last change.
    pub time: Time,
}
