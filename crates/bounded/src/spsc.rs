//! A queue from one thread to one other, without locks.

use std::sync::Arc;

use crate::Full;
use crate::figures::Passage;
use crate::grant::{Gauge, Grant};
use crate::line::{Class, Line, WhenFull};

#[cfg(loom)]
use crate::rtrb_model as rtrb;

/// Makes a queue from one producer to one consumer, for threads that neither wait nor share a runtime.
///
/// A thin layer over the crate `rtrb`, which is wait-free: it adds the line, its policy and its figures.
///
/// ```
/// use plimsoll_bounded::{Class, Grant, Producer, WhenFull, spsc};
///
/// let line = Producer::<u64>::line("demo.ticks", 2, WhenFull::DropNewest, Class::BestEffort);
/// let (mut producer, mut consumer) = spsc::<u64>(Grant::detached(line));
/// std::thread::spawn(move || (1..=3).for_each(|tick| producer.push(tick).unwrap_or_default())).join().unwrap();
/// assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(1), Some(2), None));
/// assert_eq!(consumer.gauge().overflows(), 1);
/// ```
///
/// # Panics
/// When the line's policy is not `Refuse`, `Halt` or `DropNewest`, or its item is smaller than [`Producer::item_bytes`].
///
/// # Bounds
/// The grant's capacity. Allocated when made; pushing never allocates.
#[track_caller]
pub fn spsc<T>(grant: Grant) -> (Producer<T>, Consumer<T>) {
    let capacity = grant.capacity();
    let policies = [WhenFull::Refuse, WhenFull::Halt, WhenFull::DropNewest];
    grant.check("spsc", &policies, Producer::<T>::item_bytes(capacity));
    let (input, output) = rtrb::RingBuffer::new(capacity);
    let (passage, grant) = (grant.passage(), Arc::new(grant));
    let producer = Producer { input, put: 0, look_after: 0, high_water: 0, passage: Arc::clone(&passage), grant: Arc::clone(&grant) };
    (producer, Consumer { output, taken: 0, passage, grant })
}

/// Puts items into an [`spsc`] queue.
///
/// # Bounds
/// The grant's capacity.
pub struct Producer<T> {
    input: rtrb::Producer<T>,
    /// Items ever put.
    put: usize,
    /// How many may be put before the high-water mark could rise: it, and the items taken when that was last looked at.
    look_after: usize,
    high_water: usize,
    passage: Arc<Passage>,
    grant: Arc<Grant>,
}

/// What the queue allocates beside its items: positions and counts on cache lines of their own and the grant, in their `Arc`s.
const HEAD_BYTES: usize = 1152;

impl<T> Producer<T> {
    /// Declares a queue of `capacity` items that hold nothing on the heap.
    pub const fn line(name: &str, capacity: usize, policy: WhenFull, class: Class) -> Line<'_> {
        Line { name, capacity, item_bytes: Self::item_bytes(capacity), policy, class }
    }

    /// Returns the bytes of an item with its share of the queue's head.
    pub const fn item_bytes(capacity: usize) -> usize {
        size_of::<T>() + HEAD_BYTES.div_ceil(if capacity == 0 { 1 } else { capacity })
    }

    /// Puts an item. When full, acts by the line's policy: `DropNewest` counts and forgets the item, the others give it back.
    ///
    /// # Errors
    /// Gives the item back when full and the policy is `Refuse` or `Halt`.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        match self.input.push(item) {
            Ok(()) => {
                self.put = self.put.wrapping_add(1);
                self.passage.set_put(self.put);
                // What is known to be taken is never too much, so that no length above the mark is missed.
                if (self.put.wrapping_sub(self.look_after) as isize) > 0 {
                    self.look();
                }
                Ok(())
            }
            Err(rtrb::PushError::Full(item)) => self.overflow(item),
        }
    }

    /// Tells whether the consumer has gone; what is put is then dropped with the queue.
    pub fn is_closed(&self) -> bool {
        self.input.is_abandoned()
    }

    /// Tells whether the limit acts on the next item.
    pub fn is_full(&self) -> bool {
        self.input.is_full()
    }

    /// Returns how many items may wait.
    pub fn capacity(&self) -> usize {
        self.grant.capacity()
    }

    /// Returns the figures of the queue's line.
    pub fn gauge(&self) -> Gauge {
        self.grant.gauge()
    }

    /// Looks at what was taken and raises the high-water mark if that is due.
    #[cold]
    fn look(&mut self) {
        let taken = self.passage.taken();
        // The consumer may have taken what it has not counted yet: no more than there is room for.
        let len = self.put.wrapping_sub(taken).min(self.grant.capacity());
        if len > self.high_water {
            self.high_water = len;
            self.grant.figures().raise(len);
        }
        self.look_after = taken.wrapping_add(self.high_water);
    }

    #[cold]
    fn overflow(&mut self, item: T) -> Result<(), Full<T>> {
        self.grant.figures().overflowed_alone();
        if self.grant.policy() == WhenFull::DropNewest { Ok(()) } else { Err(Full(item)) }
    }
}

impl<T> std::fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Producer({})", self.grant.name())
    }
}

/// Takes items out of an [`spsc`] queue.
///
/// # Bounds
/// The grant's capacity.
pub struct Consumer<T> {
    output: rtrb::Consumer<T>,
    /// Items ever taken.
    taken: usize,
    passage: Arc<Passage>,
    grant: Arc<Grant>,
}

impl<T> Consumer<T> {
    /// Takes the oldest item.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let item = self.output.pop().ok()?;
        self.taken = self.taken.wrapping_add(1);
        self.passage.set_taken(self.taken);
        Some(item)
    }

    /// Returns the oldest item.
    pub fn peek(&self) -> Option<&T> {
        self.output.peek().ok()
    }

    /// Tells whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        self.output.slots()
    }

    /// Tells whether the producer has gone; what waits can still be taken.
    pub fn is_closed(&self) -> bool {
        self.output.is_abandoned()
    }

    /// Returns the figures of the queue's line.
    pub fn gauge(&self) -> Gauge {
        self.grant.gauge()
    }
}

impl<T> std::fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consumer({})", self.grant.name())
    }
}
