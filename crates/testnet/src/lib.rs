//! A local exchange on loopback that speaks Binance's USDⓈ-M futures protocol, for bots and client libraries to trade on.
//!
//! One port serves REST, all stream addresses and the WebSocket API. Behind it runs the venue of `plimsoll_sim`: markets
//! made up from a seed or played from recordings, a matching engine, accounts with margin and fees. Times told are real
//! even when the market runs faster. With a folder it keeps accounts and orders over restarts.
//!
//! It deliberately does not match orders itself, moves no real money, and refuses to listen anywhere but on loopback.
//! Hedge mode and conditional orders are refused by the exchange's own errors.
//!
//! Read [`TestnetConfig`] and [`TestnetHandle`] first.
//!
//! ```
//! use plimsoll_bounded::{Ledger, Tasks};
//! use plimsoll_testnet::{AccountConfig, Testnet, TestnetConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = TestnetConfig::new(7, vec![AccountConfig::parse("testkey:testsecret:100000")?]);
//! let ledger = Ledger::open(64 << 20);
//! let tasks = Tasks::new(ledger.grant(Tasks::line("doc.tasks", 4, 1024))?);
//! let grants = ledger.admit(&Testnet::plan(&config)?)?;
//! let exchange = Testnet::start(config, grants, &tasks).await?;
//! println!("{}", exchange.http_url());
//! exchange.stop(std::time::Duration::from_secs(5)).await?;
//! # Ok(()) }
//! ```

mod config;
mod convert;
pub mod counter;
mod desk;
mod engine;
mod error;
mod faults;
mod feed;
mod hub;
mod journal;
mod keys;
mod klines;
pub mod limits;
mod outbox;
mod rates;
mod recording;
mod server;
mod socket;
mod start;

pub use config::{AccountConfig, AccountTextError, Listing, RateLimits, TestnetConfig};
pub use error::{StartError, Stopped};
pub use faults::{Fault, FaultConfig, FaultTextError};
pub use start::{Testnet, TestnetHandle};
