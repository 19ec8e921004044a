//! A queue or window of fixed capacity.

use std::collections::VecDeque;

use crate::Full;
use crate::grant::Grant;
use crate::line::WhenFull;

/// Keeps items in the order they came, the oldest first, in memory taken once.
///
/// # Bounds
/// The grant's capacity. Allocated when made; pushing never allocates.
pub struct Ring<T> {
    items: VecDeque<T>,
    grant: Grant,
}

impl<T> Ring<T> {
    /// Takes the memory for as many items as granted.
    ///
    /// # Panics
    /// When the line's policy is not `DropOldest`, `DropNewest`, `Refuse` or `Halt`, or its item is smaller than `T`.
    #[track_caller]
    pub fn new(grant: Grant) -> Self {
        let policies = [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Refuse, WhenFull::Halt];
        grant.check("Ring", &policies, size_of::<T>());
        Self { items: VecDeque::with_capacity(grant.capacity()), grant }
    }

    /// Adds the newest item. When full, acts by the line's policy: lets the oldest go, lets this one go, or refuses.
    ///
    /// # Errors
    /// Gives the item back when full and the policy is `Refuse` or `Halt`.
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if self.is_full() {
            self.grant.figures().overflowed(1);
            match self.grant.policy() {
                WhenFull::DropOldest => drop(self.items.pop_front()),
                WhenFull::DropNewest => return Ok(()),
                WhenFull::Refuse | WhenFull::Halt | WhenFull::Conflate | WhenFull::Wait => return Err(Full(item)),
            }
        }
        self.items.push_back(item);
        self.count();
        Ok(())
    }

    /// Adds the newest item and returns the oldest one if it had to go, as a moving window needs.
    ///
    /// # Panics
    /// When the line's policy is not `DropOldest`.
    #[track_caller]
    pub fn roll(&mut self, item: T) -> Option<T> {
        let policy = self.grant.policy();
        assert!(policy == WhenFull::DropOldest, "line {}: a ring of policy {policy} does not roll", self.grant.name());
        let evicted = if self.is_full() {
            self.grant.figures().overflowed(1);
            self.items.pop_front()
        } else {
            None
        };
        self.items.push_back(item);
        self.count();
        evicted
    }

    /// Takes the oldest item.
    pub fn pop_front(&mut self) -> Option<T> {
        let item = self.items.pop_front();
        self.count();
        item
    }

    /// Takes the newest item.
    pub fn pop_back(&mut self) -> Option<T> {
        let item = self.items.pop_back();
        self.count();
        item
    }

    /// Returns the item `index` places after the oldest.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)
    }

    /// Returns the item `index` places after the oldest, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)
    }

    /// Returns the oldest item.
    pub fn first(&self) -> Option<&T> {
        self.items.front()
    }

    /// Returns the newest item.
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }

    /// Returns the newest item, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// Iterates from the oldest to the newest; reversible.
    pub fn iter(&self) -> std::collections::vec_deque::Iter<'_, T> {
        self.items.iter()
    }

    /// Iterates from the oldest to the newest, to change them.
    pub fn iter_mut(&mut self) -> std::collections::vec_deque::IterMut<'_, T> {
        self.items.iter_mut()
    }

    /// Returns the items as two slices, the older first: for arithmetic over a window.
    pub fn as_slices(&self) -> (&[T], &[T]) {
        self.items.as_slices()
    }

    /// Lets all items go and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.count();
    }

    /// Returns how many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns how many items there may be.
    pub fn capacity(&self) -> usize {
        self.grant.capacity()
    }

    /// Tells whether the limit acts on the next item.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Returns the most items there ever were.
    pub fn high_water(&self) -> usize {
        self.grant.figures().high_water()
    }

    /// Returns the grant that the ring lives by.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    fn count(&self) {
        self.grant.figures().set_len(self.items.len());
    }
}

impl<'a, T> IntoIterator for &'a Ring<T> {
    type Item = &'a T;
    type IntoIter = std::collections::vec_deque::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
