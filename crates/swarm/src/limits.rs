//! The limits of a world.

/// Records that may wait for a database that takes none: few, so that worlds get there.
pub const RECORDS_WAITING: usize = 200;

/// Records that are written together as soon as there are so many, as the real writer does; the rest goes every five seconds.
pub const RECORDS_BATCH: usize = RECORDS_WAITING / 2;

/// Lines of what happened that are kept for a world that fails.
pub const TRACE_LINES: usize = 4_000;

/// Steps that may happen at one moment of a world's time: more, and time stands still.
pub const STEPS_AT_ONCE: u32 = 200_000;

/// Orders by hand that a world keeps an eye on.
pub const HANDS_MAX: usize = 1_000;
