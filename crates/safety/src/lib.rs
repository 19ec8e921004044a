//! What is allowed: the checks before a symbol starts, and the gate that every intent must pass.
//!
//! The gate stops opening; it never stops closing or cancelling. It sends nothing.
//!
//! Read [`Gate`] and [`preflight`] first.

mod gate;
pub mod preflight;

pub use gate::{Cleared, Closed, Gate, GateConfig, Mode, Wanted};
