//! The limits of this crate, each with its reason.

use core::time::Duration;

/// Closed round trips a symbol remembers for its protections.
///
/// As many as the busiest look-back needs; older ones are forgotten first, and then count for nothing. 64 × 64 B = 4 KiB.
pub const TRIPS_KEPT: usize = 64;

/// Candles of one symbol that the risk monitor keeps at most: its window and the one that is looked at.
pub const WINDOW_MAX: usize = 100;

/// Symbols that the risk monitor watches at most; each costs [`WINDOW_MAX`] candles of 24 bytes.
pub const MONITORED_MAX: usize = 64;

/// Longest pause after refusals; each further one doubles it up to here.
pub const REFUSAL_LOCK_MAX: Duration = Duration::from_secs(3_600);

/// Longest pause after refusals for want of margin.
pub const MARGIN_LOCK_MAX: Duration = Duration::from_secs(300);
