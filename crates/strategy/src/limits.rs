//! The limits of wanting, each with its reason.

use plimsoll_market::limits::QUOTES_MAX;

/// Buy and sell window of a grid together: all of them may be wanted at once.
pub const GRID_WINDOWS_MAX: usize = QUOTES_MAX;

/// The number of a grid's legs.
pub const GRID_NUMBER: u8 = 0;

/// Layers of one position: the slots of a strategy that holds one position at a time.
///
/// Each is closed by an order of its own, and one more opens the next: together they are wanted at once.
pub const LAYERS_MAX: u8 = 60;
const _: () = assert!((LAYERS_MAX as usize) < QUOTES_MAX);

/// Stops, targets and trails in millionths: a position that has lost nine tenths is past saving.
pub const SHARE_MAX: u32 = 900_000;

/// Values that an indicator looks back over at most.
///
/// Four hours of minutes, a year of weekdays. A window costs eight bytes a value: 256 × 8 B = 2 KiB each.
pub const PERIOD_MAX: u16 = 256;

/// The largest magnitude of a price or volume that an indicator takes: beyond it sums of a window would lose what is after the point.
pub const INPUT_MAX: f64 = 1e15;
