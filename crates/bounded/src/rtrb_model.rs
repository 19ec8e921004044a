//! A queue with the interface of `rtrb` for loom, which cannot look into `rtrb`: what is checked is how we count.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::{Mutex, lock};

pub(crate) struct RingBuffer;

pub(crate) enum PushError<T> {
    Full(T),
}

struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    capacity: usize,
}

pub(crate) struct Producer<T>(Arc<Queue<T>>);

pub(crate) struct Consumer<T>(Arc<Queue<T>>);

impl RingBuffer {
    #[expect(clippy::new_ret_no_self, reason = "as in rtrb")]
    pub(crate) fn new<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
        let queue = Arc::new(Queue { items: Mutex::new(VecDeque::with_capacity(capacity)), capacity });
        (Producer(Arc::clone(&queue)), Consumer(queue))
    }
}

impl<T> Producer<T> {
    pub(crate) fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let mut items = lock(&self.0.items);
        if items.len() == self.0.capacity {
            return Err(PushError::Full(item));
        }
        items.push_back(item);
        Ok(())
    }

    pub(crate) fn is_full(&self) -> bool {
        lock(&self.0.items).len() == self.0.capacity
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl<T> Consumer<T> {
    pub(crate) fn pop(&mut self) -> Result<T, ()> {
        lock(&self.0.items).pop_front().ok_or(())
    }

    /// The lock cannot be lent out: the models do not peek.
    pub(crate) fn peek(&self) -> Result<&T, ()> {
        Err(())
    }

    pub(crate) fn slots(&self) -> usize {
        lock(&self.0.items).len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots() == 0
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}
