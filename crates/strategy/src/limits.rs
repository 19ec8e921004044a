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

/// Strategies that share a symbol: each has a word of what is stored for a restart, and numbers of its own.
pub const CHILDREN_MAX: usize = 4;
const _: () = assert!(CHILDREN_MAX <= plimsoll_market::Memo::WORDS);

/// Numbers that each of them has, from the first one's 0 on: a number tells the kind and which of them it is.
pub const NUMBERS_A_CHILD: u8 = 8;
const _: () = assert!(CHILDREN_MAX * NUMBERS_A_CHILD as usize <= plimsoll_market::Leg::SHORT as usize);

/// Periods of what was earned that weights go by: two days of hours, 48 × 4 × 8 B = 1.5 KiB.
pub const PERIODS_MAX: usize = 48;

/// How far an order at market is taken to reach into the book, in millionths of the price: an own order within it must be gone first.
/// A book thinner than one per cent is left to the exchange, which lets nobody trade with himself.
pub const REACH: i64 = 10_000;

/// How long what closes at market waits for an order of ours that it would take to be withdrawn: a stop outranks everything.
pub const PATIENCE: core::time::Duration = core::time::Duration::from_secs(2);
