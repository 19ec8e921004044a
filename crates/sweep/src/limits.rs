//! The limits of a sweep, each with its reason.

/// Parameters that are searched together.
///
/// Beyond a handful no search of some thousand runs says anything; twelve leave room for a strategy's every number.
pub const PARAMETERS_MAX: usize = 12;

/// Values that a parameter may take. An axis of a heat map has no more pixels.
pub const POINTS_MAX: usize = 1_000;
const _: () = assert!(POINTS_MAX <= u16::MAX as usize);

/// Runs of one fold's search.
///
/// All of a fold are in memory, 10,000 × 400 B = 4 MB at worst; those of other folds are on disk only.
pub const TRIALS_MAX: usize = 10_000;

/// Folds of a walk forward: two years of months.
pub const FOLDS_MAX: usize = 24;

/// Threads that run backtests. Each has one run of fixed size, about 4 MB: 256 MB at worst.
pub const WORKERS_MAX: usize = 64;

/// Runs under way at the same time, and how far a proposal looks past the latest of them.
///
/// A proposal is made of the results of all runs but the last so many, whoever finished first: so it is the same whatever the
/// number of threads, and after a sweep was cut short. More would be blinder, fewer would leave threads without work.
pub const LAG: usize = 64;
const _: () = assert!(LAG >= WORKERS_MAX, "every thread has a run");

/// The same for the search that learns from results: it would be too blind with more.
pub const LAG_LEARNING: usize = 16;
const _: () = assert!(LAG_LEARNING <= LAG);

/// Runs drawn at random before a search begins to learn, a run that is not yet known not counted.
pub const STARTUP: usize = 20;

/// Draws before a point that was tried already is replaced by the next one that was not.
pub const REDRAWS: usize = 32;

/// Reshuffles of a result's round trips.
pub const RESHUFFLES_MAX: usize = 10_000;

/// Runs shown in the page; of more every so-manieth, and all that nothing beats. 4,000 × 60 B = 240 KB of text.
pub const SHOWN_MAX: usize = 4_000;

/// Characters of the reason that is kept for a run that was refused.
pub const REASON_MAX: usize = 200;

/// Places at which the look-ahead check cuts the data.
pub const CUTS: usize = 3;
