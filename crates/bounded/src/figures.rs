//! The counters of one line.

use crate::sync::AtomicU64;
use crate::sync::AtomicUsize;
#[cfg(feature = "spsc")]
use crate::sync::Ordering::Release;
use crate::sync::Ordering::{Acquire, Relaxed};

/// Length, high-water mark and overflow count of a line.
///
/// Nothing is decided by them, so that most accesses are relaxed: each figure is exact once its writers rest. A length has
/// one of three kinds of writer, which do not mix: `set_len` (one writer, or several under a lock), `add` and `sub` (any
/// number), `put` and `took` (one of each, which may be different threads).
#[derive(Debug)]
// In this order, so that what a consumer writes is on another cache line than what its producer does: see `Entry`.
#[repr(C)]
pub(crate) struct Figures {
    /// Items held; with a consumer that counts, items ever put.
    len: AtomicUsize,
    high_water: AtomicUsize,
    overflows: AtomicU64,
}

/// Items ever taken by a consumer that counts for itself; [`NO_CONSUMER`] where `len` is the length.
#[derive(Debug)]
pub(crate) struct Taken(AtomicUsize);

const NO_CONSUMER: usize = usize::MAX;

impl Figures {
    pub(crate) fn new() -> Self {
        Self { len: AtomicUsize::new(0), high_water: AtomicUsize::new(0), overflows: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn set_len(&self, len: usize) {
        self.len.store(len, Relaxed);
        self.raise(len);
    }

    /// Sets a length that cannot be a new maximum.
    #[inline]
    pub(crate) fn lower_len(&self, len: usize) {
        self.len.store(len, Relaxed);
    }

    #[inline]
    pub(crate) fn add(&self, items: usize) {
        let before = self.len.fetch_add(items, Relaxed);
        self.raise(before.saturating_add(items));
    }

    /// Counts fewer; tells whether there were so many.
    #[inline]
    pub(crate) fn sub(&self, items: usize) -> bool {
        self.len.fetch_sub(items, Relaxed) >= items
    }

    #[inline]
    pub(crate) fn overflowed(&self, items: u64) {
        self.overflows.fetch_add(items, Relaxed);
    }

    /// Counts an overflow of which there is one writer: without a locked instruction.
    #[inline]
    pub(crate) fn overflowed_alone(&self) {
        self.overflows.store(self.overflows.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Raises the high-water mark; the plain read spares the usual case a locked instruction.
    #[inline]
    pub(crate) fn raise(&self, len: usize) {
        if len > self.high_water.load(Relaxed) {
            self.high_water.fetch_max(len, Relaxed);
        }
    }

    pub(crate) fn high_water(&self) -> usize {
        self.high_water.load(Relaxed)
    }

    pub(crate) fn overflows(&self) -> u64 {
        self.overflows.load(Relaxed)
    }

    /// Reads the length: what was put less what was taken.
    pub(crate) fn len(&self, taken: &Taken, capacity: usize) -> usize {
        // First what was taken: of what is put meanwhile, nothing can be missing then.
        match taken.0.load(Acquire) {
            NO_CONSUMER => self.len.load(Relaxed),
            // An item can be taken before its producer has come to count it; and one that was taken, but is not counted yet,
            // can have a successor.
            taken => self.len.load(Relaxed).saturating_sub(taken).min(capacity),
        }
    }

    /// Writes down how many items were ever put.
    #[cfg(feature = "spsc")]
    #[inline]
    pub(crate) fn put(&self, all: usize) {
        self.len.store(all, Relaxed);
    }
}

impl Taken {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(NO_CONSUMER))
    }

    /// Writes down how many items were ever taken.
    #[cfg(feature = "spsc")]
    #[inline]
    pub(crate) fn took(&self, all: usize) {
        self.0.store(all, Release);
    }

    /// Reads how many were taken, for the producer.
    #[cfg(feature = "spsc")]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Acquire)
    }
}
