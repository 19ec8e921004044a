//! History through the engine that trades.

pub mod import;
mod latency;
pub mod limits;
mod run;
pub mod tape;
mod timeline;

pub use latency::{Latency, LatencyError, Measured, Point};
pub use run::{FundingPlan, Observer, Run, RunError, Sample, Setup};
pub use timeline::{Timeline, TimelineError, tapes_in};
