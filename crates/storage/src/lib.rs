//! Keeps what a trading bot must not forget, in SQLite beside it or in PostgreSQL, with one writer and bounded queues.
//!
//! Three classes. **State** (a grid's anchor, pauses, the number of the start) is on the disk before [`Store::commit`]
//! returns. **Records** (orders, fills, slots, totals) are taken by a [`Recorder`] without waiting, batched, and committed
//! with their watermark in one transaction: what is stored is always a prefix of what was recorded, each fill once. When the
//! queue is full the recorder refuses, and the caller fetches the rest from the exchange later. **History** (equity, events, samples of the process,
//! lines of the log) is stored as far as there is room; what is lost is counted.
//!
//! It deliberately decides nothing, caches nothing, and never stores a number as a float. It does not serve several
//! instances: the first to come locks the database.
//!
//! Read [`Store`] and [`Recorder`] first.
//!
//! ```
//! use plimsoll_bounded::{Grant, Tasks};
//! use plimsoll_market::{Name, Record, Symbol, Time, Totals};
//! use plimsoll_storage::{Key, Store, StoreConfig, StoreGrants};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let url = format!("sqlite:{}", folder.path().join("bot.db").display());
//! let config = StoreConfig::of_url(url)?;
//! let tasks = Tasks::new(Grant::detached(Tasks::line("app.tasks", 8, 1_024)));
//! let grants = StoreGrants::detached(&config);
//! let store = Store::open(config, grants, &tasks).await?;
//!
//! let run = store.next_run(Time::from_millis(1_700_000_000_000)).await?;
//! assert_eq!(run, 1_700_000_000);
//!
//! let key = Key { account: Name::new("main")?, symbol: Symbol::new("BTCUSDT")? };
//! let mut recorder = store.recorder(key);
//! recorder.record(Record { order: None, fill: None, slot: None, funding: None, totals: Totals { fills: 1, ..Totals::EMPTY } })?;
//! assert_eq!(store.load(&key).await?.totals.map(|totals| totals.fills), Some(1));
//! store.stop(std::time::Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
//! ```

mod commit;
mod config;
mod days;
mod db;
mod entity;
mod error;
mod history;
pub mod limits;
mod lists;
mod lock;
mod login;
mod logs;
mod migration;
mod pool;
mod read;
mod readers;
mod retention;
mod rollup;
mod rows;
mod store;
mod system;
mod thin;
pub mod tool;
mod vacuum;
mod writer;

pub use config::{ConfigMistake, ConfigMistakes, Keep, RawRetention, RawStoreConfig, StoreConfig};
pub use days::TradingDay;
pub use error::{Cause, ErrorClass, Holder, StoreError};
pub use history::{EquityPoint, EventId, EventRow, HistoryEvent};
pub use lists::{EarnedRow, RowCursor, RowQuery};
pub use login::{AuditEntry, AuditRow, LoginChange, LoginRows, SessionRow, TokenRow, UserRow};
pub use logs::{LogCursor, LogLimit, LogLine, LogQuery, LogRow, LogWriter};
pub use pool::{HeldConnection, PoolFigures};
pub use read::{CursorError, DayRange, OrderCursor, Page, Reader, RowLimit, Stored, TimeRange};
pub use readers::ForeignReader;
pub use retention::Retained;
pub use store::{Key, Sizes, Store, StoreGrants, StoredScales, Table};
pub use system::{Spread, SystemDay, SystemRow};
pub use writer::{Counts, Health, HistoryWriter, RecordRefused, Recorder};

pub(crate) use history::History;
