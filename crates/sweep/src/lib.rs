//! Searches over the settings of backtests, and what keeps their results honest.
//!
//! It runs nothing but [`plimsoll_backtest`] and knows no configuration: which settings a [`Point`] means is said by whoever calls
//! it. It decides nothing about trading.
//!
//! Read [`Space`] and [`search`] first.
//!
//! ```
//! use plimsoll_sweep::{Parameter, Space};
//!
//! let interval = Parameter::float("price_interval", 20_00000000, 60_00000000, 10_00000000)?;
//! let buys = Parameter::int("buy_window_size", 5, 20, 5)?;
//! let space = Space::new(vec![interval, buys])?;
//! assert_eq!(space.size(), 20);
//! let point = space.point(7);
//! let settings: Vec<_> = space.settings(&point).collect();
//! assert_eq!(settings, [("price_interval", "30"), ("buy_window_size", "20")]);
//! # Ok::<(), plimsoll_sweep::SpaceError>(())
//! ```

pub mod advise;
mod board;
mod folds;
pub mod guards;
pub mod limits;
mod look_ahead;
mod page;
mod play;
mod propose;
mod space;
mod trial;

pub use board::{Search, SearchError, best, search};
pub use folds::{Fold, FoldError, WalkForward};
pub use look_ahead::{Cut, Decisions, look_ahead};
pub use page::{About, FoldResult, Guards, Report, page};
pub use play::{Moved, PlayError, Window, play};
pub use propose::Method;
pub use space::{Kind, Parameter, Point, Space, SpaceError};
pub use trial::{Objective, Outcome, Trial, TrialFile, TrialFileError, frontier};
