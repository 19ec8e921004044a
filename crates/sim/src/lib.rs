//! Made-up worlds: a venue with accounts and a price-time matching engine, and markets from a seed or from a recording.
//!
//! It has no clock, socket, file or thread: time comes in with each call, events go out through a callback, and equal calls
//! make equal events. It knows no exchange's wire; the testnet puts one around it. It does not model latency of its own:
//! whoever calls decides when a command arrives.
//!
//! Read [`venue::Venue`] and [`venue::VenueEvent`] first.
//!
//! ```
//! use core::time::Duration;
//! use plimsoll_market::{Instrument, Name, OrderType, Price, Qty, Side, Time};
//! use plimsoll_sim::generator::GeneratorSpec;
//! use plimsoll_sim::venue::{
//!     AccountEvent, AccountId, AccountSpec, Journal, MarketSpec, NewOrder, SelfTrade, SourceSpec, Tif, Venue, VenueConfig, VenueEvent,
//! };
//!
//! let btc = Instrument::example_btcusdt();
//! let spec = GeneratorSpec { seed: 7, start_price: Price::from_units(6_000_000), speed_milli: 1_000, history: 60 };
//! let start = Time::from_millis(1_700_000_000_000);
//! let mut venue = Venue::new(VenueConfig {
//!     markets: vec![MarketSpec { instrument: btc, brackets: Vec::new(), source: SourceSpec::Generator(spec) }],
//!     accounts: vec![AccountSpec { name: Name::new("alice")?, wallet: 10_000 * 100_000_000 }],
//!     start,
//!     funding_interval: Duration::from_secs(8 * 3600),
//!     leverage: 20,
//!     journal: Journal::Off,
//!     lag_max: None,
//! })?;
//! let mut fills = 0;
//! let mut out = |event: VenueEvent<'_>| {
//!     if let VenueEvent::Account { event: AccountEvent::Order { fill: Some(_), .. }, .. } = event {
//!         fills += 1;
//!     }
//! };
//! let order = NewOrder {
//!     symbol: btc.symbol,
//!     client_id: None,
//!     side: Side::Buy,
//!     kind: OrderType::Market,
//!     tif: Tif::Gtc,
//!     price: Price::ZERO,
//!     qty: Qty::from_units(5),
//!     reduce_only: false,
//!     self_trade: SelfTrade::default(),
//! };
//! venue.advance(start + Duration::from_secs(1), &mut out);
//! let row = venue.place(start + Duration::from_secs(1), AccountId(0), order, &mut out)?;
//! assert_eq!(row.filled, Qty::from_units(5));
//! assert!(fills >= 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
pub mod generator;
pub mod limits;
pub mod replay;
pub mod rows;
pub mod solo;
mod source;
pub mod venue;

pub use error::{Broken, ConfigError, RestoreError, VenueError};
