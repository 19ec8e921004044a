//! The counters of one line.

use crate::sync::AtomicU64;
use crate::sync::AtomicUsize;
use crate::sync::Ordering::Relaxed;
#[cfg(feature = "spsc")]
use crate::sync::Ordering::{Acquire, Release};

/// Length, high-water mark and overflow count of a line.
///
/// Nothing is decided by them, so that most accesses are relaxed: each figure is exact once its writers rest. A length has
/// one of three kinds of writer, which do not mix: `set_len` (one writer, or several under a lock), `add` and `sub` (any
/// number), the two ends of a [`Passage`].
#[derive(Debug)]
pub(crate) struct Figures {
    len: AtomicUsize,
    high_water: AtomicUsize,
    overflows: AtomicU64,
}

/// How much went into a queue and came out of it, counted by a thread at each end.
///
/// Each count is on a pair of cache lines of its own: processors fetch lines in pairs.
#[cfg(feature = "spsc")]
#[derive(Debug)]
pub(crate) struct Passage {
    put: Padded,
    taken: Padded,
}

#[cfg(feature = "spsc")]
#[derive(Debug)]
#[repr(align(128))]
struct Padded(AtomicUsize);

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

    pub(crate) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }
}

#[cfg(feature = "spsc")]
impl Passage {
    pub(crate) fn new() -> Self {
        let none = || Padded(AtomicUsize::new(0));
        Self { put: none(), taken: none() }
    }

    /// Reads the length: what was put less what was taken.
    pub(crate) fn len(&self, capacity: usize) -> usize {
        // First what was taken: of what is put meanwhile, nothing can be missing then. An item can be taken before its
        // producer has come to count it; and one that was taken, but is not counted yet, can have a successor.
        let taken = self.taken();
        (self.put.0.load(Relaxed).wrapping_sub(taken).cast_signed().max(0).cast_unsigned()).min(capacity)
    }

    /// Writes down how many items were ever put.
    #[inline]
    pub(crate) fn set_put(&self, all: usize) {
        self.put.0.store(all, Relaxed);
    }

    /// Writes down how many items were ever taken.
    #[inline]
    pub(crate) fn set_taken(&self, all: usize) {
        self.taken.0.store(all, Release);
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.0.load(Acquire)
    }
}
