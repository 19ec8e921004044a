//! A queue whose sender never waits: the oldest items go, and the receiver learns how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::coop;

use crate::grant::{Gauge, Grant};
use crate::line::WhenFull;
use crate::senders::Senders;
use crate::sync::lock;
use crate::{Closed, Sent};

/// Makes a queue from many senders to one receiver that drops its oldest items when full.
///
/// # Panics
/// When the line's policy is not `DropOldest`, or its item is smaller than `T`.
///
/// # Bounds
/// The grant's capacity. Allocated when made; sending never allocates.
#[track_caller]
pub fn lossy<T>(grant: Grant) -> (LossySender<T>, LossyReceiver<T>) {
    grant.check("lossy", &[WhenFull::DropOldest], size_of::<T>());
    let capacity = grant.capacity();
    let queue = Arc::new(Queue::new(Arc::new(grant), capacity));
    (LossySender { side: SenderSide::new(&queue) }, LossyReceiver { side: ReceiverSide { queue } })
}

/// An item, and how many were dropped between it and the one received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<T> {
    /// The item.
    pub item: T,
    /// Items that were dropped just before it.
    pub missed: u64,
}

/// Sends into a [`lossy`] queue. Cheap to clone.
///
/// # Bounds
/// The queue's capacity.
pub struct LossySender<T> {
    side: SenderSide<T>,
}

impl<T> LossySender<T> {
    /// Sends without waiting; when full, the oldest item goes.
    ///
    /// # Errors
    /// Gives the item back when the receiver has gone.
    pub fn send(&self, item: T) -> Result<Sent, Closed<T>> {
        let evicted = self.side.queue.push(item)?;
        Ok(if evicted.is_some() { Sent::Dropped } else { Sent::Queued })
    }

    /// Tells whether the receiver has gone.
    pub fn is_closed(&self) -> bool {
        self.side.queue.receiver_gone()
    }

    /// Returns the figures of the queue's line.
    pub fn gauge(&self) -> Gauge {
        self.side.queue.grant.gauge()
    }
}

impl<T> Clone for LossySender<T> {
    fn clone(&self) -> Self {
        Self { side: self.side.clone() }
    }
}

impl<T> std::fmt::Debug for LossySender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LossySender({})", self.side.queue.grant.name())
    }
}

/// Receives from a [`lossy`] queue.
///
/// # Bounds
/// The queue's capacity.
pub struct LossyReceiver<T> {
    side: ReceiverSide<T>,
}

impl<T> LossyReceiver<T> {
    /// Waits for the oldest item; `None` once nothing is left and all senders have gone.
    ///
    /// # Cancel safety
    /// Safe: an item is taken, and its gap told, only by the call that returns it.
    pub async fn recv(&mut self) -> Option<Received<T>> {
        self.side.queue.recv().await.ok()
    }

    /// Takes the oldest item without waiting.
    pub fn try_recv(&mut self) -> Option<Received<T>> {
        match self.side.queue.pop() {
            Popped::Item(received) => Some(received),
            Popped::Empty | Popped::Ended(_) => None,
        }
    }

    /// Returns how many items wait.
    pub fn len(&self) -> usize {
        self.side.queue.len()
    }

    /// Tells whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the figures of the queue's line.
    pub fn gauge(&self) -> Gauge {
        self.side.queue.grant.gauge()
    }
}

impl<T> std::fmt::Debug for LossyReceiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LossyReceiver({})", self.side.queue.grant.name())
    }
}

/// The queue under `lossy`, `latest` (one place) and `Broadcast` (one each subscriber).
pub(crate) struct Queue<T> {
    pub(crate) grant: Arc<Grant>,
    capacity: usize,
    state: Mutex<State<T>>,
    arrived: Notify,
}

struct State<T> {
    items: VecDeque<T>,
    missed: u64,
    /// All that were ever dropped.
    dropped: u64,
    ended: Option<End>,
    receiver_gone: bool,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All senders have gone; what is queued can still be received.
    Closed,
    /// A newer receiver has taken this one's place; what was queued is gone.
    Replaced,
}

pub(crate) enum Popped<T> {
    Item(Received<T>),
    Empty,
    Ended(End),
}

impl<T> Queue<T> {
    /// Takes the memory for `capacity` items, which is the grant's or this queue's share of it.
    pub(crate) fn new(grant: Arc<Grant>, capacity: usize) -> Self {
        let items = VecDeque::with_capacity(capacity);
        let state = Mutex::new(State { items, missed: 0, dropped: 0, ended: None, receiver_gone: false });
        Self { grant, capacity, state, arrived: Notify::new() }
    }

    /// Adds an item and returns the one that had to go, to be dropped without the lock.
    pub(crate) fn push(&self, item: T) -> Result<Option<T>, Closed<T>> {
        let mut state = lock(&self.state);
        if state.receiver_gone || state.ended.is_some() {
            return Err(Closed(item));
        }
        let evicted = if state.items.len() == self.capacity { state.items.pop_front() } else { None };
        state.items.push_back(item);
        if evicted.is_some() {
            state.missed += 1;
            state.dropped += 1;
            self.grant.figures().overflowed(1);
        } else {
            self.grant.figures().add(1);
        }
        let first = state.items.len() == 1;
        drop(state);
        // The receiver sleeps only after it has seen the queue empty; with one place, it may not have been.
        if first {
            self.arrived.notify_one();
        }
        Ok(evicted)
    }

    pub(crate) fn pop(&self) -> Popped<T> {
        let mut state = lock(&self.state);
        match state.items.pop_front() {
            Some(item) => {
                self.grant.figures().sub(1);
                Popped::Item(Received { item, missed: std::mem::take(&mut state.missed) })
            }
            None => state.ended.map_or(Popped::Empty, Popped::Ended),
        }
    }

    pub(crate) async fn recv(&self) -> Result<Received<T>, End> {
        loop {
            // A queue that never runs dry must still let the other tasks of this thread run.
            coop::consume_budget().await;
            match self.pop() {
                Popped::Item(received) => return Ok(received),
                Popped::Ended(end) => return Err(end),
                Popped::Empty => self.arrived.notified().await,
            }
        }
    }

    /// Waits until an item is there, without taking it.
    pub(crate) async fn ready(&self) -> Result<(), End> {
        loop {
            coop::consume_budget().await;
            {
                let state = lock(&self.state);
                match state.ended {
                    _ if !state.items.is_empty() => return Ok(()),
                    Some(end) => return Err(end),
                    None => {}
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Shows the oldest item, under the lock.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        look(lock(&self.state).items.front())
    }

    /// Ends the queue from the sending side.
    pub(crate) fn end(&self, end: End) {
        let mut state = lock(&self.state);
        state.ended.get_or_insert(end);
        let gone = match end {
            End::Closed => VecDeque::new(),
            // The successor needs the room at once.
            End::Replaced => std::mem::take(&mut state.items),
        };
        self.grant.figures().sub(gone.len());
        drop(state);
        drop(gone);
        self.arrived.notify_one();
    }

    /// Ends the queue from the receiving side and frees its memory.
    pub(crate) fn leave(&self) {
        let mut state = lock(&self.state);
        state.receiver_gone = true;
        let gone = std::mem::take(&mut state.items);
        self.grant.figures().sub(gone.len());
        drop(state);
        drop(gone);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.state).items.len()
    }

    pub(crate) fn dropped(&self) -> u64 {
        lock(&self.state).dropped
    }

    pub(crate) fn receiver_gone(&self) -> bool {
        lock(&self.state).receiver_gone
    }
}

/// Counts the senders of a queue and ends it with the last.
pub(crate) struct SenderSide<T> {
    pub(crate) queue: Arc<Queue<T>>,
    senders: Arc<Senders>,
}

impl<T> SenderSide<T> {
    pub(crate) fn new(queue: &Arc<Queue<T>>) -> Self {
        Self { queue: Arc::clone(queue), senders: Arc::new(Senders::one()) }
    }
}

impl<T> Clone for SenderSide<T> {
    fn clone(&self) -> Self {
        self.senders.join();
        Self { queue: Arc::clone(&self.queue), senders: Arc::clone(&self.senders) }
    }
}

impl<T> Drop for SenderSide<T> {
    fn drop(&mut self) {
        if self.senders.leave() {
            self.queue.end(End::Closed);
        }
    }
}

/// Frees the queue when its only receiver goes.
pub(crate) struct ReceiverSide<T> {
    pub(crate) queue: Arc<Queue<T>>,
}

impl<T> Drop for ReceiverSide<T> {
    fn drop(&mut self) {
        self.queue.leave();
    }
}
