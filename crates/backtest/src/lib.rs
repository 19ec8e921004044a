//! History through the engine that trades: tapes, imports, the run, its figures and its report.
//!
//! It decides nothing: engine, account and strategy are those that trade live, and the market is [`plimsoll_sim::solo`]. It has no
//! strategy of its own and fetches nothing.
//!
//! Read [`Run`] and [`tape`] first.
//!
//! ```
//! use core::time::Duration;
//! use plimsoll_backtest::import::{ImportOptions, import};
//! use plimsoll_backtest::Timeline;
//! use plimsoll_market::{Instrument, Round};
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("BTCUSDT-1m-2024-01.csv");
//! std::fs::write(&csv, "1704067200000,42000,42100,41900,42050,12\n1704067260000,42050,42060,42000,42010,7\n")?;
//! let options = ImportOptions {
//!     instrument: Instrument::example_btcusdt(),
//!     kind: Some(plimsoll_backtest::import::RowKind::Klines),
//!     gap_max: Duration::from_secs(300),
//!     allow_missing: false,
//!     prices: Round::Exact,
//! };
//! let imported = import(&[csv], &folder.path().join("january.tape"), &options, &mut |_| {})?;
//! let mut timeline = Timeline::open(&[imported.path])?;
//! let mut events = 0;
//! while timeline.next()?.is_some() {
//!     events += 1;
//! }
//! assert_eq!(events, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod curve;
mod figures;
pub mod import;
mod latency;
pub mod limits;
pub mod report;
mod returns;
mod run;
pub mod tape;
mod timeline;

pub use figures::{Figures, MonthRow, Summary, YEAR};
pub use latency::{Latency, LatencyError, Measured, Point};
pub use run::{FundingPlan, Observer, Run, RunError, Sample, Setup};
pub use timeline::{Timeline, TimelineError, tapes_in};
