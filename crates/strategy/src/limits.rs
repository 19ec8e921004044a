//! The limits of wanting, each with its reason.

use plimsoll_market::limits::QUOTES_MAX;

/// Buy and sell window of a grid together: all of them may be wanted at once.
pub const GRID_WINDOWS_MAX: usize = QUOTES_MAX;
