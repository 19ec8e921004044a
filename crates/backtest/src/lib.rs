//! History through the engine that trades.

pub mod curve;
mod figures;
pub mod import;
mod latency;
pub mod limits;
pub mod report;
mod run;
pub mod tape;
mod timeline;

pub use figures::{Figures, MonthRow, Summary, YEAR};
pub use latency::{Latency, LatencyError, Measured, Point};
pub use run::{FundingPlan, Observer, Run, RunError, Sample, Setup};
pub use timeline::{Timeline, TimelineError, tapes_in};
