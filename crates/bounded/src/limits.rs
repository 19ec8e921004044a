//! The limits of this crate: what each bounds, why it has this value, what it costs at worst.

use std::time::Duration;

/// Lines one ledger may hold at a time.
///
/// 500 symbols × 30 lines + 1,000 for the process. The ledger's index for them takes [`LINE_INDEX_BYTES`] each
/// (563 KiB), which is a line of its own, `bounded.ledger`.
pub const LINES_MAX: usize = 16_000;

/// Bytes a line's name may have: `template/exchange:account:SYMBOL`.
///
/// The longest we form is about 60 (`storage.records.outbox/hyperliquid:main-account:kPEPE-USDC-PERP`).
pub const NAME_MAX: usize = 96;

/// Bytes a line costs beside its items: its entry in the ledger and its container's own head.
///
/// Counted in the line's bytes, so that thousands of tiny lines are not free.
pub const LINE_BYTES: usize = 640;

/// Bytes the ledger's index takes for one line: a slot, a place in the free list, and a hash table at its worst.
pub const LINE_INDEX_BYTES: usize = 8 + 4 + 24;

/// Lines that one plan may hold.
///
/// A symbol needs about 30; several strategies on it add some each.
pub const PLAN_LINES_MAX: usize = 128;

/// Rows of the table that [`OverBudget`](crate::OverBudget) prints: enough to find the culprit, fits a terminal.
pub const TABLE_ROWS_MAX: usize = 16;

/// Items one container may hold.
///
/// Links and indices in `Map` are `u32` with two values kept back; a semaphore of tokio counts to 2^61.
pub const CAPACITY_MAX: usize = (u32::MAX - 2) as usize;

/// How many batches may wait in a [`Batch`](crate::Batch) whose sink does not take them.
///
/// The hard limit of the storage writer: 10 × `batch_size`.
pub const BATCHES_MAX: usize = 10;

/// Workers that one pool may have: work off the trading path never takes more.
pub const POOL_WORKERS_MAX: usize = 10;

/// Subscribers that one broadcast may have; when a further one comes, the oldest leaves.
pub const SUBSCRIBERS_MAX: usize = 100;

/// Bytes a task's name may have; longer ones are cut.
pub const TASK_NAME_MAX: usize = 64;

/// Bytes kept of why a task failed or panicked; longer texts are cut.
pub const EXIT_TEXT_MAX: usize = 160;

/// Ended tasks that a task set remembers, the latest ones: 64 × 320 B = 20 KiB.
pub const EXITS_KEPT: usize = 64;

/// Restarts that one task may have within the span of its policy.
///
/// With pauses that double, 16 of them take a second to half a day. Each is remembered by its time: 8 bytes.
pub const RESTARTS_MAX: usize = 16;

/// Bytes a task costs beside its future: its record, its token, the runtime's header, its place in the tables.
pub const TASK_BYTES: usize = 1152;

/// How long an aborted task is given to let go before it is reported as not responding.
///
/// An abort takes effect at the task's next await; one that does not get there in a second is blocking its thread.
pub const ABORT_GRACE: Duration = Duration::from_secs(1);

const _: () = assert!(NAME_MAX <= u8::MAX as usize);
const _: () = assert!(PLAN_LINES_MAX <= LINES_MAX);
const _: () = assert!(LINES_MAX <= CAPACITY_MAX);
