//! The words that every crate of the bot shares: exact prices and quantities, orders, fills, events and actions.
//!
//! It is data and arithmetic only: no clock, no socket, no decision. Numbers are integers of a scale that is
//! fixed per symbol; nothing here is a float. It deliberately knows no exchange's protocol.
//!
//! Read [`Instrument`] and [`Event`] first.
//!
//! ```
//! use plimsoll_market::{Instrument, Price, Qty, Round};
//!
//! let btc = Instrument::example_btcusdt();
//! let price = btc.parse_price("61659.70", Round::Exact).unwrap();
//! let qty = btc.parse_qty("0.125", Round::Exact).unwrap();
//! assert_eq!(btc.amount(price * qty, Round::Exact).unwrap().to_string(), "7707.46250000 USDT");
//! ```

mod action;
mod book;
mod candle;
mod decimal;
mod event;
mod ids;
mod instrument;
pub mod limits;
mod log;
mod money;
mod order;
mod risk;
mod spacing;
mod status;
mod time;
#[cfg(feature = "serde")]
mod wire;

pub use action::{
    Action, Actions, Alert, AlertCode, Booked, Cancel, Memo, MemoError, Place, Record, Severity, SlotRow, StateRecord, Totals, WaitingFees,
};
pub use book::{Book, BookError, Level, LevelChange, Top};
pub use candle::{Candle, CandleBuilder, PastCandle, Trade};
pub use decimal::{DecimalError, Round, format_units, parse_units, rescale};
pub use event::{
    AccountEvent, AssetRate, Balance, CancelFailure, Command, Event, Feed, FillPage, FundingPayment, Lease, Link, MarkPrice,
    PositionReport, Reject, Request, Snapshot, StopMode,
};
pub use ids::{Asset, ClientId, ClientIdError, Leg, Name, NameError, OrderId, PositionSide, Side, Symbol, Tag, TradeId};
pub use instrument::{FilterError, Instrument, Percent, Trading};
pub use log::LogLevel;
pub use money::{Amount, Bps, Holding, Notional, Price, Qty, RefPrice};
pub use order::{Fill, Order, OrderReport, OrderStatus, OrderType, Source, TimeInForce};
pub use risk::{AccountRecord, Demand, Lock, Rule};
pub use spacing::Spacing;
pub use status::{OrderView, Phase, Pnl, SlotView, Status};
pub use time::Time;
