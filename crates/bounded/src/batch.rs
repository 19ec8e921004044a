//! Collecting items until it is worth writing them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::Full;
use crate::grant::Grant;
use crate::limits::BATCHES_MAX;
use crate::line::{Class, WhenFull};

/// When a batch is worth writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSpec {
    /// Items written at once, 1 or more.
    pub size: usize,
    /// How long the oldest item waits at most.
    pub flush_interval: Duration,
}

/// Collects items and says when a batch is due. An item stays until [`Batch::written`] confirms it.
///
/// Should the sink fail for so long that the hard limit is reached, the class decides: `MustKeep` pushes back (`Refuse` or
/// `Halt`), and whoever feeds the batch stops taking input; the other classes may instead let new items go (`DropNewest`),
/// counted. The oldest never go: they may be on their way into the sink.
///
/// ```no_run
/// # use plimsoll_bounded::{Batch, Receiver};
/// # async fn write(rows: &[u64]) -> bool { true }
/// # async fn run(mut input: Receiver<u64>, mut batch: Batch<u64>) {
/// loop {
///     tokio::select! {
///         biased; // what is due goes first: it makes room
///         () = batch.due() => {
///             if write(batch.front()).await {
///                 batch.written();
///             } else {
///                 batch.put_off(std::time::Duration::from_secs(1));
///             }
///         }
///         item = input.recv(), if !batch.is_full() => match item {
///             Some(item) => batch.push(item).unwrap(),
///             None => break,
///         }
///     }
/// }
/// # }
/// ```
///
/// # Bounds
/// The grant's capacity, at most [`BATCHES_MAX`] batches. Allocated when made.
pub struct Batch<T> {
    items: VecDeque<T>,
    spec: BatchSpec,
    /// When the oldest item that was not offered yet came.
    since: Instant,
    /// Not due before, after a write failed.
    not_before: Option<Instant>,
    /// The oldest items that are due whatever their number and age.
    forced: usize,
    grant: Grant,
}

impl<T> Batch<T> {
    /// Takes the memory for as many items as granted.
    ///
    /// # Panics
    /// When the line's policy is not `Refuse` or `Halt` (or `DropNewest`, unless its class is `MustKeep`), its item is smaller
    /// than `T`, the size is 0, or the capacity is not between one batch and [`BATCHES_MAX`].
    #[track_caller]
    pub fn new(grant: Grant, spec: BatchSpec) -> Self {
        let policies: &[WhenFull] = match grant.class() {
            Class::MustKeep => &[WhenFull::Refuse, WhenFull::Halt],
            Class::LatestWins | Class::BestEffort | Class::External => &[WhenFull::Refuse, WhenFull::Halt, WhenFull::DropNewest],
        };
        grant.check("Batch", policies, size_of::<T>());
        let (name, capacity, size) = (grant.name(), grant.capacity(), spec.size);
        let fits = size > 0 && capacity >= size && capacity <= size.saturating_mul(BATCHES_MAX);
        assert!(fits, "line {name}: {capacity} items for batches of {size}, of which there may be 1 to {BATCHES_MAX}");
        Self { items: VecDeque::with_capacity(capacity), spec, since: Instant::now(), not_before: None, forced: 0, grant }
    }

    /// Adds an item. When as many wait as may, acts by the line's policy: refuses, or counts and forgets it.
    ///
    /// # Errors
    /// Gives it back when full, unless the policy is `DropNewest`.
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if self.is_full() {
            self.grant.figures().overflowed(1);
            return if self.grant.policy() == WhenFull::DropNewest { Ok(()) } else { Err(Full(item)) };
        }
        if self.items.is_empty() {
            self.since = Instant::now();
        }
        self.items.push_back(item);
        self.grant.figures().set_len(self.items.len());
        Ok(())
    }

    /// Waits until a batch is due: there are enough items, or the oldest has waited long enough. For ever while empty.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn due(&self) {
        match self.due_at() {
            // A timer rounds up to the next millisecond, which a full batch need not wait for.
            Some(at) if at <= Instant::now() => {}
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Tells whether a batch is due now.
    pub fn is_due(&self) -> bool {
        self.due_at().is_some_and(|at| at <= Instant::now())
    }

    /// Returns the oldest items, at most one batch.
    pub fn front(&mut self) -> &[T] {
        let size = self.spec.size.min(self.items.len());
        // Rotates in place, and only when the ring's seam lies within.
        self.items.make_contiguous().get(..size).unwrap_or_default()
    }

    /// Lets go of what [`Batch::front`] returns now: it is written.
    pub fn written(&mut self) {
        let size = self.spec.size.min(self.items.len());
        self.items.drain(..size);
        self.forced = self.forced.saturating_sub(size);
        self.grant.figures().set_len(self.items.len());
        // Those left came after what was written; counting from now delays them by one interval at most.
        self.since = Instant::now();
        self.not_before = None;
    }

    /// Makes everything that waits now due at once, whatever its number and age, also while it is put off.
    pub fn flush(&mut self) {
        self.forced = self.items.len();
        self.not_before = None;
    }

    /// Keeps everything and is not due before `pause` is over: the sink failed.
    pub fn put_off(&mut self, pause: Duration) {
        self.not_before = Some(Instant::now() + pause);
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns how many items may wait: the hard limit.
    pub fn capacity(&self) -> usize {
        self.grant.capacity()
    }

    /// Tells whether the next item will be refused.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Returns the grant that the batch lives by.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    fn due_at(&self) -> Option<Instant> {
        let at = match self.items.len() {
            0 => return None,
            len if len >= self.spec.size || self.forced > 0 => self.since,
            _ => self.since + self.spec.flush_interval,
        };
        Some(self.not_before.map_or(at, |not_before| at.max(not_before)))
    }
}

impl<T> std::fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({}, {} of {})", self.grant.name(), self.len(), self.capacity())
    }
}
