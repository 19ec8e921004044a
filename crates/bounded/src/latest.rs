//! One place where the latest value wins: for one reader who takes it, and for many who look at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::watch as tokio_watch;

use crate::grant::{Gauge, Grant};
use crate::line::WhenFull;
use crate::lossy::{Popped, Queue, ReceiverSide, SenderSide};
use crate::{Closed, Received};

/// Makes a place for one value, put by many and taken by one. A value that was not taken is replaced and counted.
///
/// # Panics
/// When the line's policy is not `Conflate`, its capacity not 1, or its item smaller than `T`.
///
/// # Bounds
/// One value. Allocated when made; putting never allocates.
#[track_caller]
pub fn latest<T>(grant: Grant) -> (LatestSender<T>, LatestReceiver<T>) {
    check(&grant, "latest", size_of::<T>());
    let queue = Arc::new(Queue::new(Arc::new(grant), 1));
    (LatestSender { side: SenderSide::new(&queue) }, LatestReceiver { side: ReceiverSide { queue } })
}

#[track_caller]
fn check(grant: &Grant, container: &str, item_bytes: usize) {
    grant.check(container, &[WhenFull::Conflate], item_bytes);
    assert!(grant.capacity() == 1, "line {}: {container} holds 1 item, not {}", grant.name(), grant.capacity());
}

/// What a value that was put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The place was empty.
    Fresh,
    /// An older value that nobody took is gone.
    Replaced,
}

/// Puts values. Cheap to clone.
///
/// # Bounds
/// One value.
pub struct LatestSender<T> {
    side: SenderSide<T>,
}

impl<T> LatestSender<T> {
    /// Puts a value, replacing one that was not taken. Never waits.
    ///
    /// # Errors
    /// Gives the value back when the receiver has gone.
    pub fn put(&self, value: T) -> Result<Put, Closed<T>> {
        let replaced = self.side.queue.push(value)?;
        Ok(if replaced.is_some() { Put::Replaced } else { Put::Fresh })
    }

    /// Tells whether the receiver has gone.
    pub fn is_closed(&self) -> bool {
        self.side.queue.receiver_gone()
    }

    /// Returns the figures of the line.
    pub fn gauge(&self) -> Gauge {
        self.side.queue.grant.gauge()
    }
}

impl<T> Clone for LatestSender<T> {
    fn clone(&self) -> Self {
        Self { side: self.side.clone() }
    }
}

impl<T> std::fmt::Debug for LatestSender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LatestSender({})", self.side.queue.grant.name())
    }
}

/// Takes values.
///
/// # Bounds
/// One value.
pub struct LatestReceiver<T> {
    side: ReceiverSide<T>,
}

impl<T> LatestReceiver<T> {
    /// Waits until a value is there, without taking it.
    ///
    /// # Errors
    /// When there is none and all senders have gone.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn changed(&mut self) -> Result<(), Closed<()>> {
        self.side.queue.ready().await.map_err(|_| Closed(()))
    }

    /// Takes the value if there is one, with the number of those that were replaced before it.
    pub fn take(&mut self) -> Option<Received<T>> {
        match self.side.queue.pop() {
            Popped::Item(received) => Some(received),
            Popped::Empty | Popped::Ended(_) => None,
        }
    }

    /// Waits for a value and takes it; `None` once there is none and all senders have gone.
    ///
    /// # Cancel safety
    /// Safe: the value is taken only by the call that returns it.
    pub async fn recv(&mut self) -> Option<Received<T>> {
        self.side.queue.recv().await.ok()
    }

    /// Looks at the value without taking it. Senders wait for `look`, so it must be short.
    pub fn with<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        self.side.queue.peek(look)
    }

    /// Returns the figures of the line.
    pub fn gauge(&self) -> Gauge {
        self.side.queue.grant.gauge()
    }
}

impl<T> std::fmt::Debug for LatestReceiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LatestReceiver({})", self.side.queue.grant.name())
    }
}

/// Makes a place for one value that is always there: written by one, looked at by many.
///
/// A value that goes before anybody has looked at it is counted in the line's overflows.
///
/// # Panics
/// When the line's policy is not `Conflate`, its capacity not 1, or its item smaller than `T`.
///
/// # Bounds
/// One value; readers hold no copy. Readers are as many as were subscribed: each is a few words of its owner.
#[track_caller]
pub fn watch<T>(grant: Grant, first: T) -> (WatchSender<T>, WatchReceiver<T>) {
    check(&grant, "watch", size_of::<T>());
    grant.figures().set_len(1);
    let shared = Arc::new(WatchShared { seen: AtomicBool::new(false), grant });
    let (sender, receiver) = tokio_watch::channel(first);
    (WatchSender { sender, shared: Arc::clone(&shared) }, WatchReceiver { receiver, shared })
}

struct WatchShared {
    /// Whether somebody has looked at the present value; written under the lock of the value.
    seen: AtomicBool,
    grant: Grant,
}

impl WatchShared {
    /// Counts the value that goes, if nobody has looked at it. To be called where the value is changed.
    fn replaced(&self) {
        if !self.seen.swap(false, Relaxed) {
            self.grant.figures().overflowed(1);
        }
    }
}

/// Writes the value that all look at.
///
/// # Bounds
/// One value.
pub struct WatchSender<T> {
    sender: tokio_watch::Sender<T>,
    shared: Arc<WatchShared>,
}

impl<T> WatchSender<T> {
    /// Replaces the value and wakes those who wait; without readers it is kept for those to come.
    pub fn put(&self, value: T) {
        let mut value = value;
        self.sender.send_modify(|place| {
            self.shared.replaced();
            std::mem::swap(place, &mut value);
        });
        // The old value is dropped here, without the lock: what its drop does is not ours.
    }

    /// Changes the value in place and wakes those who wait. Readers wait for `change`, so it must be short.
    pub fn modify(&self, change: impl FnOnce(&mut T)) {
        self.sender.send_modify(|value| {
            self.shared.replaced();
            change(value);
        });
    }

    /// Looks at the value, which does not count as seen. The writer waits for `look`, so it must be short.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.sender.borrow())
    }

    /// Makes another reader, who has seen the present value.
    pub fn subscribe(&self) -> WatchReceiver<T> {
        WatchReceiver { receiver: self.sender.subscribe(), shared: Arc::clone(&self.shared) }
    }

    /// Returns the figures of the line.
    pub fn gauge(&self) -> Gauge {
        self.shared.grant.gauge()
    }
}

impl<T> std::fmt::Debug for WatchSender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WatchSender({})", self.shared.grant.name())
    }
}

/// Looks at the value. Cheap to clone; a clone has seen what its original had.
///
/// # Bounds
/// No copy of the value.
pub struct WatchReceiver<T> {
    receiver: tokio_watch::Receiver<T>,
    shared: Arc<WatchShared>,
}

impl<T> WatchReceiver<T> {
    /// Waits until there is a value that this reader has not seen.
    ///
    /// # Errors
    /// When the writer has gone.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn changed(&mut self) -> Result<(), Closed<()>> {
        self.receiver.changed().await.map_err(|_| Closed(()))
    }

    /// Looks at the value and marks it as seen. The writer waits for `look`, so it must be short.
    pub fn with<R>(&mut self, look: impl FnOnce(&T) -> R) -> R {
        let value = self.receiver.borrow_and_update();
        self.shared.seen.store(true, Relaxed);
        look(&value)
    }

    /// Copies the value without marking it as seen by this reader.
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        let value = self.receiver.borrow();
        self.shared.seen.store(true, Relaxed);
        value.clone()
    }

    /// Returns the figures of the line.
    pub fn gauge(&self) -> Gauge {
        self.shared.grant.gauge()
    }
}

impl<T> Clone for WatchReceiver<T> {
    fn clone(&self) -> Self {
        Self { receiver: self.receiver.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<T> std::fmt::Debug for WatchReceiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WatchReceiver({})", self.shared.grant.name())
    }
}
