//! What is allowed: the checks before a symbol starts, and the gate that every intent must pass.
//!
//! The gate stops opening; it never stops closing or cancelling. It sends nothing.
//!
//! Read [`Gate`] and [`preflight`] first.

mod drawdown;
mod gate;
mod guard;
pub mod limits;
mod monitor;
pub mod outlook;
pub mod preflight;
mod trips;

pub use drawdown::{DailyLoss, Drawdown, LadderConfig, Tier};
pub use gate::{Cleared, Closed, Gate, GateConfig, Mode, Verdict, Wanted};
pub use guard::GuardConfig;
pub use monitor::{Alarm, MonitorConfig, RiskMonitor};
pub use trips::{Protections, Streak};
