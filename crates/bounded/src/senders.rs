//! How many senders a queue has.

use crate::sync::AtomicUsize;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed};

/// Counts the senders of a queue, so that the last one to go ends it.
#[derive(Debug)]
pub(crate) struct Senders(AtomicUsize);

impl Senders {
    pub(crate) fn one() -> Self {
        Self(AtomicUsize::new(1))
    }

    /// Counts one more, made by one that is there.
    pub(crate) fn join(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Counts one less, after what it has put, and tells whether it was the last.
    pub(crate) fn leave(&self) -> bool {
        self.0.fetch_sub(1, AcqRel) == 1
    }

    /// Tells whether all have gone; if so, what they put can be seen from here on.
    pub(crate) fn gone(&self) -> bool {
        self.0.load(Acquire) == 0
    }
}
