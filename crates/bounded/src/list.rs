//! A vector of fixed capacity.

use crate::Full;
use crate::grant::Grant;
use crate::line::WhenFull;

/// Keeps items in a row, in memory taken once; refuses what does not fit.
///
/// # Bounds
/// The grant's capacity. Allocated when made; pushing never allocates.
pub struct List<T> {
    items: Vec<T>,
    grant: Grant,
}

impl<T> List<T> {
    /// Takes the memory for as many items as granted.
    ///
    /// # Panics
    /// When the line's policy is not `Refuse` or `Halt`, or its item is smaller than `T`.
    #[track_caller]
    pub fn new(grant: Grant) -> Self {
        grant.check("List", &[WhenFull::Refuse, WhenFull::Halt], size_of::<T>());
        Self { items: Vec::with_capacity(grant.capacity()), grant }
    }

    /// Adds an item at the end.
    ///
    /// # Errors
    /// Gives the item back when full.
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        self.insert(self.items.len(), item)
    }

    /// Adds an item at `index`, moving those behind it.
    ///
    /// # Errors
    /// Gives the item back when full.
    ///
    /// # Panics
    /// When `index` is behind the end.
    #[track_caller]
    pub fn insert(&mut self, index: usize, item: T) -> Result<(), Full<T>> {
        if self.is_full() {
            self.grant.figures().overflowed(1);
            return Err(Full(item));
        }
        self.items.insert(index, item);
        self.count();
        Ok(())
    }

    /// Takes the last item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.pop();
        self.count();
        item
    }

    /// Takes the item at `index`, if there is one, and moves those behind it up.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        if index >= self.items.len() {
            return None;
        }
        let item = self.items.remove(index);
        self.count();
        Some(item)
    }

    /// Takes the item at `index`, if there is one, and puts the last one in its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        if index >= self.items.len() {
            return None;
        }
        let item = self.items.swap_remove(index);
        self.count();
        Some(item)
    }

    /// Keeps only the items for which `keep` says so, in their order.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
        self.count();
    }

    /// Keeps only the first `len` items.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
        self.count();
    }

    /// Takes all items out in their order and keeps the memory.
    pub fn drain(&mut self) -> std::vec::Drain<'_, T> {
        self.grant.figures().set_len(0);
        self.items.drain(..)
    }

    /// Lets all items go and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.count();
    }

    /// Returns the item at `index`.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)
    }

    /// Returns the item at `index`, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)
    }

    /// Returns the last item.
    pub fn last(&self) -> Option<&T> {
        self.items.last()
    }

    /// Returns all items, for searching and slicing.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// Returns all items, for sorting and changing in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// Iterates from the first to the last.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// Iterates from the first to the last, to change them.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
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

    /// Tells whether the next item will be refused.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Returns the most items there ever were.
    pub fn high_water(&self) -> usize {
        self.grant.figures().high_water()
    }

    /// Returns the grant that the list lives by.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    fn count(&self) {
        self.grant.figures().set_len(self.items.len());
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
