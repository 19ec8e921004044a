//! A queue between tasks whose senders are told when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, Semaphore};
use tokio::task::coop;

use crate::Closed;
use crate::grant::{Gauge, Grant};
use crate::line::WhenFull;
use crate::senders::Senders;
use crate::sync::lock;

/// Makes a queue from many senders to one receiver.
///
/// A ring allocated once whose places can be reserved before their items exist; sending never allocates. (A linked list of
/// blocks, as tokio's own channel has, would take several times the bytes of a small queue at worst, and allocate while
/// running.)
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
    let (wanted, handed) = (0, 0);
    let (closed, receiver_waits, receiver_gone) = (false, false, false);
    let items = VecDeque::with_capacity(capacity);
    let shared = Arc::new(Shared {
        state: OwnCacheLine(Mutex::new(State { items, free: capacity, wanted, handed, closed, receiver_waits, receiver_gone })),
        turns: Semaphore::new(0),
        arrived: Notify::new(),
        left: Notify::new(),
        senders: Senders::one(),
        grant,
    });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

struct Shared<T> {
    state: OwnCacheLine<Mutex<State<T>>>,
    /// Places on their way to senders who wait for them, in their turn; closed when the receiver wants no more.
    turns: Semaphore,
    /// Tells the receiver that the queue is not empty any more, or may have ended.
    arrived: Notify,
    /// Tells the senders that the receiver wants no more.
    left: Notify,
    senders: Senders,
    grant: Grant,
}

/// What both ends write, and nothing else: one line of the processors' caches goes to and fro.
#[repr(align(64))]
struct OwnCacheLine<T>(T);

const _: () = assert!(size_of::<OwnCacheLine<Mutex<State<u64>>>>() == 64);

/// Every place is filled (`items`), reserved, free, or handed to those who wait. None is free while these want more.
struct State<T> {
    items: VecDeque<T>,
    free: usize,
    /// Places that senders who wait have asked for.
    wanted: usize,
    /// Places on their way to them through the semaphore; when one gives up, these can be more than are wanted. Never more
    /// than the capacity, which fits: so the state is one cache line.
    handed: u32,
    closed: bool,
    /// The receiver has seen the queue empty and wants to be told of the next item.
    receiver_waits: bool,
    receiver_gone: bool,
}

impl<T> State<T> {
    /// Takes places if there are so many that nobody waits for.
    fn take(&mut self, turns: &Semaphore, places: usize) -> Result<(), ReserveError> {
        if self.closed {
            return Err(ReserveError::Closed);
        }
        if self.free < places {
            self.reclaim(turns);
        }
        if self.free < places {
            return Err(ReserveError::Full);
        }
        self.free -= places;
        Ok(())
    }

    /// Frees what was handed to somebody who has given up since.
    fn reclaim(&mut self, turns: &Semaphore) {
        let excess = (self.handed as usize).saturating_sub(self.wanted);
        if excess > 0 {
            let back = turns.forget_permits(excess);
            self.handed -= back as u32;
            self.free += back;
        }
    }

    /// Frees places and returns how many of them are to be handed to those who wait.
    fn hand(&mut self, places: usize) -> usize {
        let hand = places.min(self.wanted.saturating_sub(self.handed as usize));
        self.handed += hand as u32;
        self.free += places - hand;
        hand
    }
}

impl<T> Shared<T> {
    /// Puts an item into a place that was taken, and tells a receiver who waits for it.
    fn fill(&self, mut state: MutexGuard<'_, State<T>>, item: T) {
        if state.receiver_gone {
            // The item is dropped without the lock: what its drop does is not ours.
            drop(state);
            return;
        }
        assert!(state.items.len() < self.grant.capacity(), "line {}: a channel grew", self.grant.name());
        state.items.push_back(item);
        self.grant.figures().set_len(state.items.len());
        let waits = std::mem::take(&mut state.receiver_waits);
        drop(state);
        if waits {
            self.arrived.notify_one();
        }
    }

    /// Takes a place and fills it at once.
    fn try_put(&self, item: T) -> Result<(), SendError<T>> {
        let mut state = lock(&self.state.0);
        match state.take(&self.turns, 1) {
            Ok(()) => {
                self.fill(state, item);
                Ok(())
            }
            Err(ReserveError::Full) => Err(SendError::Full(item)),
            Err(ReserveError::Closed) => Err(SendError::Closed(item)),
        }
    }

    /// Takes a place and fills it, waiting for it in turn.
    async fn put(&self, item: T) -> Result<(), Closed<T>> {
        // A sender that never has to wait must still let the other tasks of this thread run.
        coop::consume_budget().await;
        let mut waiting = {
            let mut state = lock(&self.state.0);
            match state.take(&self.turns, 1) {
                Ok(()) => {
                    self.fill(state, item);
                    return Ok(());
                }
                Err(ReserveError::Full) => self.queue_up(&mut state, 1),
                Err(ReserveError::Closed) => return Err(Closed(item)),
            }
        };
        match waiting.turn().await {
            Ok(()) => {
                let mut state = lock(&self.state.0);
                waiting.served(&mut state);
                self.fill(state, item);
                Ok(())
            }
            Err(Closed(())) => Err(Closed(item)),
        }
    }

    fn try_take(&self, places: usize) -> Result<(), ReserveError> {
        let taken = lock(&self.state.0).take(&self.turns, places);
        if taken == Err(ReserveError::Full) {
            self.grant.figures().overflowed(1);
        }
        taken
    }

    /// Takes places, waiting for them in turn.
    async fn take(&self, places: usize) -> Result<(), Closed<()>> {
        coop::consume_budget().await;
        let mut waiting = {
            let mut state = lock(&self.state.0);
            match state.take(&self.turns, places) {
                Ok(()) => return Ok(()),
                Err(ReserveError::Full) => self.queue_up(&mut state, places),
                Err(ReserveError::Closed) => return Err(Closed(())),
            }
        };
        waiting.turn().await?;
        waiting.served(&mut lock(&self.state.0));
        Ok(())
    }

    /// Has one more wait: from here on whoever gives places back hands them over.
    fn queue_up(&self, state: &mut State<T>, places: usize) -> Waiting<'_, T> {
        state.wanted += places;
        let free = std::mem::take(&mut state.free);
        let hand = state.hand(free);
        // Wakes nobody: had somebody waited for them, they would not have been free.
        self.turns.add_permits(hand);
        Waiting { shared: self, places }
    }

    /// Returns places unused. A receiver that has closed waits for the last of them.
    fn give_back(&self, places: usize) {
        if places == 0 {
            return;
        }
        let mut state = lock(&self.state.0);
        let closed = state.closed;
        let hand = state.hand(places);
        drop(state);
        // Without the lock, as this wakes. Should the one who waits give up meanwhile, they are found by `State::reclaim`.
        self.turns.add_permits(hand);
        if closed {
            self.arrived.notify_one();
        }
    }

    fn room(&self) -> usize {
        lock(&self.state.0).free + self.turns.available_permits()
    }
}

/// A sender who waits, until it has its places or gives up.
struct Waiting<'a, T> {
    shared: &'a Shared<T>,
    /// 0 once it has them.
    places: usize,
}

impl<T> Waiting<'_, T> {
    /// Waits until the places are there.
    async fn turn(&self) -> Result<(), Closed<()>> {
        // At most the capacity, which fits.
        let permits = self.shared.turns.acquire_many(self.places as u32).await.map_err(|_| Closed(()))?;
        permits.forget();
        Ok(())
    }

    /// Takes the places that have come.
    fn served(&mut self, state: &mut State<T>) {
        let places = std::mem::take(&mut self.places);
        state.wanted -= places;
        state.handed -= places as u32;
    }
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        if self.places == 0 {
            return;
        }
        let shared = self.shared;
        let mut state = lock(&shared.state.0);
        state.wanted -= self.places;
        state.reclaim(&shared.turns);
        let closed = state.closed;
        drop(state);
        // What it had been handed by then is back: it may have been the last.
        if closed {
            shared.arrived.notify_one();
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
///
/// # Bounds
/// The queue's capacity. Senders who wait hold their item themselves; they are as many as there are tasks that send.
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
        match self.shared.try_put(item) {
            Ok(()) => Ok(Sent::Queued),
            Err(SendError::Closed(item)) => Err(SendError::Closed(item)),
            Err(SendError::Full(item)) => {
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
        self.shared.put(item)
    }

    /// Takes a place without waiting, for an item that does not exist yet.
    ///
    /// # Errors
    /// When the queue is full (counted) or the receiver has gone.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, ReserveError> {
        self.shared.try_take(1).map(|()| Permit { shared: &self.shared, places: 1 })
    }

    /// Takes several places at once without waiting.
    ///
    /// # Errors
    /// When there are not so many (counted) or the receiver has gone; then none is taken.
    pub fn try_reserve_many(&self, places: usize) -> Result<Permits<'_, T>, ReserveError> {
        self.shared.try_take(places).map(|()| Permits { shared: &self.shared, places })
    }

    /// Takes a place, waiting for it: reserve the output, then receive the input that fills it. Allowed by every policy.
    ///
    /// # Errors
    /// When the receiver has gone.
    ///
    /// # Cancel safety
    /// Safe, but the turn in the line of those who wait is lost.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, Closed<()>> {
        self.shared.take(1).await?;
        Ok(Permit { shared: &self.shared, places: 1 })
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
        self.shared.take(places).await?;
        Ok(Permits { shared: &self.shared, places })
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
        self.shared.turns.is_closed()
    }

    /// Returns how many places are neither filled nor reserved.
    pub fn room(&self) -> usize {
        self.shared.room()
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        lock(&self.shared.state.0).items.len()
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

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.join();
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.senders.leave() {
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
///
/// # Bounds
/// One of the queue's capacity.
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
    /// 1, or 0 once filled.
    places: usize,
}

impl<T> Permit<'_, T> {
    /// Fills the place. Should the receiver have gone meanwhile, the item is dropped.
    pub fn send(mut self, item: T) {
        self.places = 0;
        self.shared.fill(lock(&self.shared.state.0), item);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.shared.give_back(self.places);
    }
}

impl<T> std::fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit({})", self.shared.grant.name())
    }
}

/// Several places in a [`channel`]; those unused are given back when dropped.
///
/// # Bounds
/// Out of the queue's capacity.
pub struct Permits<'a, T> {
    shared: &'a Shared<T>,
    places: usize,
}

impl<T> Permits<'_, T> {
    /// Fills one place. Should the receiver have gone meanwhile, the item is dropped.
    ///
    /// # Errors
    /// Gives the item back when all places are used.
    pub fn send(&mut self, item: T) -> Result<(), crate::Full<T>> {
        let Some(left) = self.places.checked_sub(1) else { return Err(crate::Full(item)) };
        self.places = left;
        self.shared.fill(lock(&self.shared.state.0), item);
        Ok(())
    }

    /// Returns how many places are left.
    pub fn left(&self) -> usize {
        self.places
    }
}

impl<T> Drop for Permits<'_, T> {
    fn drop(&mut self) {
        self.shared.give_back(self.places);
    }
}

impl<T> std::fmt::Debug for Permits<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permits({}, {} left)", self.shared.grant.name(), self.left())
    }
}

/// Receives from a [`channel`].
///
/// # Bounds
/// The queue's capacity.
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
            match self.pop(true) {
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
        self.pop(false)
    }

    /// Takes the oldest item; if there is none, the next sender is told whether the receiver waits for it.
    fn pop(&mut self, waits: bool) -> Result<T, TryRecvError> {
        let shared = &*self.shared;
        // Read before the queue: a sender puts its items before it goes.
        let senders_gone = shared.senders.gone();
        let mut state = lock(&shared.state.0);
        let Some(item) = state.items.pop_front() else {
            state.receiver_waits = waits;
            // Closed, and no place reserved or being waited for.
            let returned = state.closed && state.free + shared.turns.available_permits() == shared.grant.capacity();
            return Err(if senders_gone || returned { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        shared.grant.figures().lower_len(state.items.len());
        let hand = state.hand(1);
        drop(state);
        if hand > 0 {
            shared.turns.add_permits(hand);
        }
        Ok(item)
    }

    /// Refuses new items from now on; those queued and those for places already reserved can still be received.
    pub fn close(&mut self) {
        lock(&self.shared.state.0).closed = true;
        self.shared.turns.close();
        self.shared.left.notify_waiters();
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        lock(&self.shared.state.0).items.len()
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

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
        let mut state = lock(&self.shared.state.0);
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
