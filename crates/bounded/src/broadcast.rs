//! One sender, a limited number of subscribers, none of whom can hold it up.

use std::sync::{Arc, Mutex, Weak};

use crate::grant::{Gauge, Grant};
use crate::limits::SUBSCRIBERS_MAX;
use crate::line::{Class, Line, WhenFull};
use crate::lossy::{End, Popped, Queue, Received};
use crate::sync::lock;

/// Sends clones of every item to all subscribers. Cheap to clone.
///
/// A subscriber who is slow loses its oldest items and is told how many. When one more subscribes than there may be, the
/// oldest leaves and is told so.
///
/// # Bounds
/// Subscribers × depth items: the grant's capacity. A subscriber's queue is allocated when it subscribes, and freed when it
/// leaves, before the queue of its successor is made.
pub struct Broadcast<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    grant: Arc<Grant>,
    subscribers_max: usize,
    depth: usize,
    /// In the order in which they came.
    subscribers: Mutex<Vec<Arc<Queue<T>>>>,
}

impl<T> Broadcast<T> {
    /// Declares a broadcast to at most `subscribers` of items that hold nothing on the heap, `depth` for each.
    pub const fn line(name: &str, subscribers: usize, depth: usize, class: Class) -> Line<'_> {
        let item_bytes = Self::item_bytes(depth);
        Line { name, capacity: subscribers.saturating_mul(depth), item_bytes, policy: WhenFull::DropOldest, class }
    }

    /// Returns the bytes an item takes with its share of a queue of `depth`.
    pub const fn item_bytes(depth: usize) -> usize {
        // The queue's head in its `Arc`, and its place in the list of subscribers.
        let head = size_of::<Queue<T>>() + 16 + size_of::<usize>();
        size_of::<T>() + head.div_ceil(if depth == 0 { 1 } else { depth })
    }
}

impl<T: Clone> Broadcast<T> {
    /// Makes a broadcast to at most `subscribers` (1 to [`SUBSCRIBERS_MAX`]), each with an equal share of the capacity.
    ///
    /// # Panics
    /// When the line's policy is not `DropOldest`, the capacity is not a multiple of `subscribers`, these are out of range,
    /// or its item is smaller than [`Broadcast::item_bytes`].
    #[track_caller]
    pub fn new(grant: Grant, subscribers: usize) -> Self {
        let (name, capacity) = (grant.name(), grant.capacity());
        assert!((1..=SUBSCRIBERS_MAX).contains(&subscribers), "line {name}: 1 to {SUBSCRIBERS_MAX} subscribers, not {subscribers}");
        assert!(capacity.is_multiple_of(subscribers), "line {name}: {capacity} items cannot be shared by {subscribers}");
        let depth = capacity / subscribers;
        grant.check("Broadcast", &[WhenFull::DropOldest], Self::item_bytes(depth));
        let list = Mutex::new(Vec::with_capacity(subscribers));
        Self { shared: Arc::new(Shared { grant: Arc::new(grant), subscribers_max: subscribers, depth, subscribers: list }) }
    }

    /// Sends an item to all and returns how many they are. Never waits.
    pub fn publish(&self, item: &T) -> usize {
        let subscribers = lock(&self.shared.subscribers);
        subscribers.iter().filter(|queue| queue.push(item.clone()).is_ok()).count()
    }

    /// Subscribes. If there are as many as there may be, the one who came first leaves.
    pub fn subscribe(&self) -> Subscriber<T> {
        let Shared { grant, subscribers_max, depth, subscribers } = &*self.shared;
        let mut subscribers = lock(subscribers);
        if subscribers.len() == *subscribers_max {
            // Freed before the successor's queue is allocated.
            subscribers.remove(0).end(End::Replaced);
        }
        let queue = Arc::new(Queue::new(Arc::clone(grant), *depth));
        subscribers.push(Arc::clone(&queue));
        Subscriber { queue, broadcast: Arc::downgrade(&self.shared) }
    }

    /// Returns how many subscribe.
    pub fn subscribers(&self) -> usize {
        lock(&self.shared.subscribers).len()
    }

    /// Returns the figures of the line: items waiting for all subscribers, and items lost.
    pub fn gauge(&self) -> Gauge {
        self.shared.grant.gauge()
    }
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        for queue in lock(&self.subscribers).drain(..) {
            queue.end(End::Closed);
        }
    }
}

impl<T> std::fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broadcast({})", self.shared.grant.name())
    }
}

/// Receives what is broadcast from the moment it subscribed.
///
/// # Bounds
/// The broadcast's depth. One that has lost its place holds no items any more, only its own head until it is dropped.
pub struct Subscriber<T> {
    queue: Arc<Queue<T>>,
    broadcast: Weak<Shared<T>>,
}

impl<T> Subscriber<T> {
    /// Waits for the next item.
    ///
    /// # Errors
    /// When nothing more comes: the broadcast has gone and everything was received, or a newer subscriber took this place.
    ///
    /// # Cancel safety
    /// Safe: an item is taken, and its gap told, only by the call that returns it.
    pub async fn recv(&mut self) -> Result<Received<T>, Ended> {
        self.queue.recv().await.map_err(Ended::from)
    }

    /// Takes the next item without waiting; `None` when none waits.
    ///
    /// # Errors
    /// As [`Subscriber::recv`].
    pub fn try_recv(&mut self) -> Result<Option<Received<T>>, Ended> {
        match self.queue.pop() {
            Popped::Item(received) => Ok(Some(received)),
            Popped::Empty => Ok(None),
            Popped::Ended(end) => Err(end.into()),
        }
    }

    /// Returns how many items this subscriber has lost because it was slow; not those that left with its place.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Returns how many items wait for this subscriber.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Tells whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Drop for Subscriber<T> {
    fn drop(&mut self) {
        // The lock of the list first, as everywhere, so that no other gets the place before the memory is free.
        let shared = self.broadcast.upgrade();
        let mut list = shared.as_ref().map(|shared| lock(&shared.subscribers));
        self.queue.leave();
        if let Some(list) = &mut list {
            list.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        }
    }
}

impl<T> std::fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscriber({})", self.queue.grant.name())
    }
}

/// Why a subscriber gets nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The broadcast has gone.
    #[error("the broadcast has ended")]
    Closed,
    /// There were too many subscribers and this one was the oldest.
    #[error("a newer subscriber has taken this place")]
    Replaced,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        match end {
            End::Closed => Self::Closed,
            End::Replaced => Self::Replaced,
        }
    }
}
