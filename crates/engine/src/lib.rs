//! One pure engine per account and symbol: facts, mode, intent, clearance, actions.
//!
//! Events go in with the time they happened; actions come out. The engine waits for nothing, knows no exchange and has
//! no clock, so live trading, paper, backtest, simulation and replay run this same code.
//!
//! Read [`Engine`] and [`plimsoll_market::Event`] first.

mod account;
mod countdown;
mod engine;
pub mod limits;
mod reconcile;
mod turn;

pub use account::{Account, AccountAction, AccountConfig, AccountInput, Equity};
pub use countdown::Countdown;
pub use engine::{Boot, Engine, EngineConfig, EngineError};
pub use turn::{Shell, turn};
