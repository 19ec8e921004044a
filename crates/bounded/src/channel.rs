//! A queue between tasks whose senders are told when it is full.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};
use tokio::task::coop;

use crate::grant::{Gauge, Grant};
use crate::line::WhenFull;
use crate::{Closed, lock};

/// Makes a queue from many senders to one receiver.
///
/// A ring allocated once, with a semaphore that hands out its places: a place can be reserved before its item exists, and
/// sending never allocates. (A linked list of blocks, as tokio's own channel has, would take several times the bytes of a
/// small queue at worst, and allocate while running.)
///
/// # Panics
/// When the line's policy is not `Refuse`, `Halt`, `DropNewest` or `Wait`, or its item is smaller than `T`.
///
/// # Bounds
/// The grant's capacity, counting items queued and places reserved.
#[track_caller]
pub fn channel<T>(grant: Grant) -> (Sender<T>, Receiver<T>) {
    let policies = [WhenFull::Refuse, WhenFull::Halt, WhenFull::DropNewest, WhenFull::Wait];
    grant.check("channel", &policies, size_of::<T>());
    let capacity = grant.capacity();
    let shared = Arc::new(Shared {
        state: Mutex::new(State { items: VecDeque::with_capacity(capacity), receiver_gone: false }),
        room: Semaphore::new(capacity),
        arrived: Notify::new(),
        left: Notify::new(),
        senders: AtomicUsize::new(1),
        grant,
    });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// A permit for every place that is neither filled nor reserved; closed when the receiver wants no more.
    room: Semaphore,
    /// Tells the receiver that the queue is not empty any more, or may have ended.
    arrived: Notify,
    /// Tells the senders that the receiver wants no more.
    left: Notify,
    senders: AtomicUsize,
    grant: Grant,
}

struct State<T> {
    items: VecDeque<T>,
    receiver_gone: bool,
}

impl<T> Shared<T> {
    /// Puts an item into a place that the caller has reserved.
    fn put(&self, item: T) {
        let mut state = lock(&self.state);
        if state.receiver_gone {
            drop(state);
            // The item is dropped without the lock: what its drop does is not ours.
            drop(item);
            return;
        }
        assert!(state.items.len() < self.grant.capacity(), "line {}: a channel grew", self.grant.name());
        state.items.push_back(item);
        let len = state.items.len();
        self.grant.figures().set_len(len);
        drop(state);
        // The receiver sleeps only after it has seen the queue empty.
        if len == 1 {
            self.arrived.notify_one();
        }
    }
}

/// What became of an item that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is in the queue.
    Queued,
    /// The queue was full and an item was let go, by policy: this one (`DropNewest`) or the oldest (`DropOldest`).
    Dropped,
}

/// Sends into a [`channel`]. Cheap to clone.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends without waiting. When full, acts by the line's policy: `DropNewest` counts and forgets the item, every other
    /// gives it back.
    ///
    /// # Errors
    /// Gives the item back when the queue is full or the receiver has gone.
    pub fn try_send(&self, item: T) -> Result<Sent, SendError<T>> {
        match self.shared.room.try_acquire() {
            Ok(permit) => {
                permit.forget();
                self.shared.put(item);
                Ok(Sent::Queued)
            }
            Err(TryAcquireError::Closed) => Err(SendError::Closed(item)),
            Err(TryAcquireError::NoPermits) => {
                self.shared.grant.figures().overflowed(1);
                match self.shared.grant.policy() {
                    WhenFull::DropNewest => Ok(Sent::Dropped),
                    _ => Err(SendError::Full(item)),
                }
            }
        }
    }

    /// Sends, waiting for room.
    ///
    /// # Errors
    /// Gives the item back when the receiver has gone.
    ///
    /// # Panics
    /// When the line's policy is not `Wait`: the others promised that their senders never wait.
    ///
    /// # Cancel safety
    /// Given up, it has sent nothing and the item is lost; use [`Sender::reserve`] in a `select!`.
    #[track_caller]
    pub fn send(&self, item: T) -> impl Future<Output = Result<(), Closed<T>>> {
        let grant = &self.shared.grant;
        assert!(grant.policy() == WhenFull::Wait, "line {}: a sender of policy {} does not wait", grant.name(), grant.policy());
        async move {
            match self.reserve().await {
                Ok(permit) => {
                    permit.send(item);
                    Ok(())
                }
                Err(Closed(())) => Err(Closed(item)),
            }
        }
    }

    /// Takes a place without waiting, for an item that does not exist yet.
    ///
    /// # Errors
    /// When the queue is full (counted) or the receiver has gone.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, ReserveError> {
        self.shared.try_acquire(1).map(|permit| Permit { shared: &self.shared, permit: Some(permit) })
    }

    /// Takes several places at once without waiting.
    ///
    /// # Errors
    /// When there are not so many (counted) or the receiver has gone; then none is taken.
    pub fn try_reserve_many(&self, places: usize) -> Result<Permits<'_, T>, ReserveError> {
        self.shared.try_acquire(places).map(|permit| Permits { shared: &self.shared, permit: Some(permit) })
    }

    /// Takes a place, waiting for it: reserve the output, then receive the input that fills it. Allowed by every policy.
    ///
    /// # Errors
    /// When the receiver has gone.
    ///
    /// # Cancel safety
    /// Safe, but the turn in the line of those who wait is lost.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, Closed<()>> {
        let permit = self.shared.room.acquire().await.map_err(|_| Closed(()))?;
        Ok(Permit { shared: &self.shared, permit: Some(permit) })
    }

    /// Takes several places at once, waiting for them.
    ///
    /// # Errors
    /// When the receiver has gone.
    ///
    /// # Panics
    /// When there are not so many in all: it would wait for ever.
    ///
    /// # Cancel safety
    /// As [`Sender::reserve`].
    pub async fn reserve_many(&self, places: usize) -> Result<Permits<'_, T>, Closed<()>> {
        let (name, capacity) = (self.shared.grant.name(), self.capacity());
        assert!(places <= capacity, "line {name}: {places} places reserved of {capacity}");
        let permit = self.shared.room.acquire_many(places as u32).await.map_err(|_| Closed(()))?;
        Ok(Permits { shared: &self.shared, permit: Some(permit) })
    }

    /// Waits until the receiver wants no more.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) {
        loop {
            let left = self.shared.left.notified();
            if self.is_closed() {
                return;
            }
            left.await;
        }
    }

    /// Tells whether the receiver wants no more.
    pub fn is_closed(&self) -> bool {
        self.shared.room.is_closed()
    }

    /// Returns how many places are neither filled nor reserved.
    pub fn room(&self) -> usize {
        self.shared.room.available_permits()
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        lock(&self.shared.state).items.len()
    }

    /// Tells whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many items may wait.
    pub fn capacity(&self) -> usize {
        self.shared.grant.capacity()
    }

    /// Returns the figures of the queue's line.
    pub fn gauge(&self) -> Gauge {
        self.shared.grant.gauge()
    }
}

impl<T> Shared<T> {
    fn try_acquire(&self, places: usize) -> Result<SemaphorePermit<'_>, ReserveError> {
        let permits = u32::try_from(places).map_err(|_| ReserveError::Full)?;
        self.room.try_acquire_many(permits).map_err(|error| match error {
            TryAcquireError::Closed => ReserveError::Closed,
            TryAcquireError::NoPermits => {
                self.grant.figures().overflowed(1);
                ReserveError::Full
            }
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Released after what this sender put, so that a receiver who sees zero also sees its items.
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.arrived.notify_one();
        }
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({})", self.shared.grant.name())
    }
}

/// A place in a [`channel`], given back when dropped unused.
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
    permit: Option<SemaphorePermit<'a>>,
}

impl<T> Permit<'_, T> {
    /// Fills the place. Should the receiver have gone meanwhile, the item is dropped.
    pub fn send(mut self, item: T) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
            self.shared.put(item);
        }
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        give_back(self.shared, self.permit.take());
    }
}

impl<T> std::fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit({})", self.shared.grant.name())
    }
}

/// Several places in a [`channel`]; those unused are given back when dropped.
pub struct Permits<'a, T> {
    shared: &'a Shared<T>,
    permit: Option<SemaphorePermit<'a>>,
}

impl<T> Permits<'_, T> {
    /// Fills one place. Should the receiver have gone meanwhile, the item is dropped.
    ///
    /// # Errors
    /// Gives the item back when all places are used.
    pub fn send(&mut self, item: T) -> Result<(), crate::Full<T>> {
        match self.permit.as_mut().and_then(|permit| permit.split(1)) {
            Some(place) => {
                place.forget();
                self.shared.put(item);
                Ok(())
            }
            None => Err(crate::Full(item)),
        }
    }

    /// Returns how many places are left.
    pub fn left(&self) -> usize {
        self.permit.as_ref().map_or(0, SemaphorePermit::num_permits)
    }
}

impl<T> Drop for Permits<'_, T> {
    fn drop(&mut self) {
        give_back(self.shared, self.permit.take());
    }
}

impl<T> std::fmt::Debug for Permits<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permits({}, {} left)", self.shared.grant.name(), self.left())
    }
}

/// Returns places unused. A receiver that has closed waits for the last of them.
fn give_back<T>(shared: &Shared<T>, permit: Option<SemaphorePermit<'_>>) {
    if let Some(permit) = permit {
        drop(permit);
        if shared.room.is_closed() {
            shared.arrived.notify_one();
        }
    }
}

/// Receives from a [`channel`].
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Waits for the oldest item; `None` once nothing is left and nothing more can come.
    ///
    /// # Cancel safety
    /// Safe: an item is taken only by the call that returns it.
    pub async fn recv(&mut self) -> Option<T> {
        loop {
            // A queue that never runs dry must still let the other tasks of this thread run.
            coop::consume_budget().await;
            match self.try_recv() {
                Ok(item) => return Some(item),
                Err(TryRecvError::Closed) => return None,
                Err(TryRecvError::Empty) => self.shared.arrived.notified().await,
            }
        }
    }

    /// Takes the oldest item without waiting.
    ///
    /// # Errors
    /// When there is none now, or there will be none.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        // Read before the queue: a sender puts its items before it goes.
        let over = self.shared.senders.load(Ordering::Acquire) == 0 || self.all_returned();
        let mut state = lock(&self.shared.state);
        match state.items.pop_front() {
            Some(item) => {
                self.shared.grant.figures().set_len(state.items.len());
                drop(state);
                self.shared.room.add_permits(1);
                Ok(item)
            }
            None if over => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Refuses new items from now on; those queued and those for places already reserved can still be received.
    pub fn close(&mut self) {
        self.shared.room.close();
        self.shared.left.notify_waiters();
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        lock(&self.shared.state).items.len()
    }

    /// Tells whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many items may wait.
    pub fn capacity(&self) -> usize {
        self.shared.grant.capacity()
    }

    /// Returns the figures of the queue's line.
    pub fn gauge(&self) -> Gauge {
        self.shared.grant.gauge()
    }

    /// Tells whether the queue is closed and no place is filled or reserved.
    fn all_returned(&self) -> bool {
        self.shared.room.is_closed() && self.shared.room.available_permits() == self.capacity()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
        let mut state = lock(&self.shared.state);
        state.receiver_gone = true;
        let items = std::mem::take(&mut state.items);
        self.shared.grant.figures().set_len(0);
        drop(state);
        // Outside the lock: what the items' drops do is not ours.
        drop(items);
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({})", self.shared.grant.name())
    }
}

/// Why an item was not sent.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError<T> {
    /// The queue is full.
    #[error("queue is full")]
    Full(T),
    /// The receiver has gone.
    #[error("receiver has gone")]
    Closed(T),
}

impl<T> SendError<T> {
    /// Returns the item that was not sent.
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }

    /// Tells whether the queue was full (rather than closed).
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> std::fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "Closed(..)" })
    }
}

/// Why no place was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// There are not so many places.
    #[error("queue is full")]
    Full,
    /// The receiver has gone.
    #[error("receiver has gone")]
    Closed,
}

/// Why there is no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// None waits now.
    #[error("queue is empty")]
    Empty,
    /// None will come.
    #[error("queue is empty and closed")]
    Closed,
}
