use super::budget::{Charge, Cost};
use super::io::{Lane, RequestId};
use super::limits::{BOOK_SNAPSHOT_LEVELS, ORDER_REQUESTS_MAX, ORDER_TIMEOUT, OTHER_REQUESTS_MAX, OTHER_TIMEOUT, SNAPSHOTS_SINGLE_MAX};
use crate::SymbolIndex;
use crate::binance::encode::Interval;
use core::time::Duration;
use plimsoll_market::{ClientId, OrderId, Place, Time, TradeId};

/// Everything a session asks of the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    Place(Place),
    Cancel(ClientId),
    Query(ClientId),
    Clock,
    ExchangeInfo,
    PositionMode,
    MultiAssets,
    Balances,
    SymbolConfig,
    Fees,
    Leverage(u16),
    ListenKey,
    KeepAlive,
    /// The newest execution.
    Baseline,
    /// Executions from this one on.
    Trades(TradeId),
    /// Orders from this one on.
    OrdersFrom(OrderId),
    OrderById(OrderId),
    Position,
    OpenOrders,
    AllPositions,
    AllOpenOrders,
    BookSnapshot,
    /// Funding payments from this time on.
    Income(Time),
    /// The exchange withdraws the symbol's orders unless it is told again within this time.
    Countdown(Duration),
    /// The newest so many candles of a length.
    Candles(Interval, u16),
    /// What the asset with this number, in which fees were paid, is worth.
    Rate(u8),
}

impl Job {
    pub(crate) const fn lane(self) -> Lane {
        match self {
            Self::Cancel(_) => Lane::Cancel,
            Self::Place(place) => {
                if place.reduce_only {
                    Lane::Reduce
                } else {
                    Lane::Open
                }
            }
            Self::Query(_)
            | Self::Clock
            | Self::ListenKey
            | Self::KeepAlive
            | Self::Baseline
            | Self::Trades(_)
            | Self::OrdersFrom(_)
            | Self::OrderById(_)
            | Self::Position
            | Self::OpenOrders
            | Self::AllPositions
            | Self::AllOpenOrders
            | Self::Income(_)
            | Self::Countdown(_) => Lane::Reconcile,
            Self::ExchangeInfo
            | Self::PositionMode
            | Self::MultiAssets
            | Self::Balances
            | Self::SymbolConfig
            | Self::Fees
            | Self::Leverage(_)
            | Self::Candles(..)
            | Self::Rate(_)
            | Self::BookSnapshot => Lane::Info,
        }
    }

    pub(crate) const fn cost(self) -> Cost {
        let weight = match self {
            Self::Place(_) => return Cost { weight: 0, orders: 1 },
            Self::Cancel(_)
            | Self::Query(_)
            | Self::Clock
            | Self::ExchangeInfo
            | Self::Leverage(_)
            | Self::ListenKey
            | Self::KeepAlive
            | Self::OrderById(_)
            | Self::Rate(_)
            | Self::OpenOrders => 1,
            Self::Countdown(_) => 10,
            Self::Candles(_, limit) => {
                if limit < 100 {
                    1
                } else {
                    2
                }
            }
            Self::Balances
            | Self::SymbolConfig
            | Self::Baseline
            | Self::Trades(_)
            | Self::OrdersFrom(_)
            | Self::Position
            | Self::AllPositions => 5,
            Self::BookSnapshot => match BOOK_SNAPSHOT_LEVELS {
                0..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            },
            Self::Fees => 20,
            Self::PositionMode | Self::MultiAssets | Self::Income(_) => 30,
            Self::AllOpenOrders => 40,
        };
        Cost { weight, orders: 0 }
    }

    pub(crate) const fn timeout(self) -> Duration {
        match self {
            Self::Place(_) | Self::Cancel(_) | Self::Query(_) => ORDER_TIMEOUT,
            // A late answer about the time says nothing.
            Self::Clock => Duration::from_secs(2),
            _ => OTHER_TIMEOUT,
        }
    }

    /// The most bytes that its answer may have.
    pub(crate) const fn body_max(self) -> usize {
        match self {
            Self::Place(_)
            | Self::Cancel(_)
            | Self::Query(_)
            | Self::Clock
            | Self::PositionMode
            | Self::MultiAssets
            | Self::Fees
            | Self::Leverage(_)
            | Self::ListenKey
            | Self::KeepAlive
            | Self::Baseline
            | Self::OrderById(_)
            | Self::Countdown(_)
            | Self::Rate(_)
            | Self::Position => 64 << 10,
            // A thousand elements of at most 600 bytes.
            Self::Balances
            | Self::Trades(_)
            | Self::OrdersFrom(_)
            | Self::OpenOrders
            | Self::BookSnapshot
            | Self::Income(_)
            | Self::Candles(..) => 1 << 20,
            Self::SymbolConfig | Self::AllPositions | Self::AllOpenOrders => 4 << 20,
            Self::ExchangeInfo => 16 << 20,
        }
    }

    /// What it is, for a person.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Place(_) => "place",
            Self::Cancel(_) => "cancel",
            Self::Query(_) => "query",
            Self::Clock => "server time",
            Self::ExchangeInfo => "exchange information",
            Self::PositionMode => "position mode",
            Self::MultiAssets => "multi-assets mode",
            Self::Balances => "balances",
            Self::SymbolConfig => "symbol configuration",
            Self::Fees => "commission rate",
            Self::Leverage(_) => "leverage",
            Self::ListenKey => "listen key",
            Self::KeepAlive => "listen key extension",
            Self::Baseline | Self::Trades(_) => "executions",
            Self::OrdersFrom(_) | Self::OrderById(_) => "orders",
            Self::Position | Self::AllPositions => "position",
            Self::OpenOrders | Self::AllOpenOrders => "open orders",
            Self::BookSnapshot => "book snapshot",
            Self::Income(_) => "funding payments",
            Self::Countdown(_) => "countdown",
            Self::Candles(..) => "candles",
            Self::Rate(_) => "rate of an asset",
        }
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) job: Job,
    pub(crate) symbol: SymbolIndex,
    pub(crate) sent_at: Time,
    /// When the gateway must have told; then the session gives it up itself.
    pub(crate) deadline: Time,
    pub(crate) charge: Charge,
    /// A cancel that waits for the placing to be answered: sent earlier it could overtake it.
    pub(crate) cancel_asked: bool,
}

/// Bytes that the bodies of all answers on their way take at most.
///
/// Orders have small ones; of the others one may be exchange information, one a list of the whole account.
pub const fn body_bytes_max(symbols: usize) -> usize {
    let orders = ORDER_REQUESTS_MAX * (64 << 10);
    let lists = if symbols > SNAPSHOTS_SINGLE_MAX { 4 << 20 } else { 1 << 20 };
    orders + (16 << 20) + lists + (OTHER_REQUESTS_MAX - 2) * (1 << 20)
}
