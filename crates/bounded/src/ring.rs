//! A queue or window of fixed capacity.

use std::collections::VecDeque;
use std::iter::Chain;
use std::slice;

use crate::Full;
use crate::grant::{Grant, Meter};
use crate::line::WhenFull;

/// Keeps items in the order they came, the oldest first, in memory taken once.
///
/// # Bounds
/// The grant's capacity. Allocated when made; pushing never allocates.
pub struct Ring<T> {
    items: VecDeque<T>,
    /// Where the oldest item is, while a full ring rolls: an item then takes the place of the oldest, and nothing else moves.
    /// Otherwise [`NO_SEAM`], and `items` is in order. While there is a seam, `items` is full and one slice.
    seam: usize,
    policy: WhenFull,
    meter: Meter,
}

const NO_SEAM: usize = usize::MAX;

impl<T> Ring<T> {
    /// Takes the memory for as many items as granted.
    ///
    /// # Panics
    /// When the line's policy is not `DropOldest`, `DropNewest`, `Refuse` or `Halt`, or its item is smaller than `T`.
    #[track_caller]
    pub fn new(grant: Grant) -> Self {
        let policies = [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Refuse, WhenFull::Halt];
        grant.check("Ring", &policies, size_of::<T>());
        let items = VecDeque::with_capacity(grant.capacity());
        Self { items, seam: NO_SEAM, policy: grant.policy(), meter: Meter::new(grant) }
    }

    /// Adds the newest item. When full, acts by the line's policy: lets the oldest go, lets this one go, or refuses.
    ///
    /// # Errors
    /// Gives the item back when full and the policy is `Refuse` or `Halt`.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if !self.is_full() {
            self.append(item);
            return Ok(());
        }
        match self.policy {
            WhenFull::DropOldest => drop(self.roll(item)),
            WhenFull::DropNewest => self.meter.overflowed(),
            WhenFull::Refuse | WhenFull::Halt | WhenFull::Conflate | WhenFull::Wait => {
                self.meter.overflowed();
                return Err(Full(item));
            }
        }
        Ok(())
    }

    /// Adds the newest item and returns the oldest one if it had to go, as a moving window needs.
    ///
    /// # Panics
    /// When the line's policy is not `DropOldest`.
    #[track_caller]
    #[inline]
    pub fn roll(&mut self, item: T) -> Option<T> {
        let len = self.items.len();
        // There is a seam only in a full ring that may roll.
        if let Some(place) = self.items.get_mut(self.seam) {
            let next = self.seam.wrapping_add(1);
            self.seam = if next == len { 0 } else { next };
            self.meter.overflowed();
            return Some(std::mem::replace(place, item));
        }
        if self.policy != WhenFull::DropOldest {
            self.cannot_roll();
        }
        if self.is_full() {
            return self.roll_over(item);
        }
        self.append(item);
        None
    }

    /// Takes the oldest item.
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        self.settle();
        let item = self.items.pop_front();
        self.meter.shrunk(self.items.len());
        item
    }

    /// Takes the newest item.
    #[inline]
    pub fn pop_back(&mut self) -> Option<T> {
        self.settle();
        let item = self.items.pop_back();
        self.meter.shrunk(self.items.len());
        item
    }

    /// Returns the item `index` places after the oldest.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.items.get(self.place(index))
    }

    /// Returns the item `index` places after the oldest, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let place = self.place(index);
        self.items.get_mut(place)
    }

    /// Returns the oldest item.
    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    /// Returns the newest item.
    pub fn last(&self) -> Option<&T> {
        self.get(self.len().wrapping_sub(1))
    }

    /// Returns the newest item, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.get_mut(self.len().wrapping_sub(1))
    }

    /// Iterates from the oldest to the newest; reversible.
    pub fn iter(&self) -> RingIter<'_, T> {
        let (older, newer) = self.as_slices();
        RingIter { items: older.iter().chain(newer), left: self.len() }
    }

    /// Iterates from the oldest to the newest, to change them.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.settle();
        self.items.iter_mut()
    }

    /// Returns the items as two slices, the older first: for arithmetic over a window.
    pub fn as_slices(&self) -> (&[T], &[T]) {
        let (front, back) = self.items.as_slices();
        // With a seam there is one slice, whose older part is the later.
        match front.split_at_checked(self.seam) {
            Some((newer, older)) => (older, newer),
            None => (front, back),
        }
    }

    /// Lets all items go and keeps the memory.
    pub fn clear(&mut self) {
        self.seam = NO_SEAM;
        self.items.clear();
        self.meter.shrunk(0);
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
        self.meter.capacity()
    }

    /// Tells whether the limit acts on the next item.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.meter.capacity()
    }

    /// Returns the most items there ever were.
    pub fn high_water(&self) -> usize {
        self.meter.high_water()
    }

    /// Returns the grant that the ring lives by.
    pub fn grant(&self) -> &Grant {
        self.meter.grant()
    }

    /// Adds an item for which there is room.
    #[inline]
    fn append(&mut self, item: T) {
        self.items.push_back(item);
        self.meter.grown(self.items.len());
    }

    /// Replaces the oldest item while there is no seam; once the items are one slice, there is.
    #[cold]
    #[inline(never)]
    fn roll_over(&mut self, item: T) -> Option<T> {
        self.meter.overflowed();
        let oldest = self.items.pop_front();
        self.items.push_back(item);
        if self.items.as_slices().1.is_empty() {
            self.seam = 0;
        }
        oldest
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn cannot_roll(&self) -> ! {
        panic!("line {}: a ring of policy {} does not roll", self.meter.grant().name(), self.policy);
    }

    /// Puts the items in order: in a full deque a rotation moves nothing but its head.
    #[inline]
    fn settle(&mut self) {
        if self.seam != NO_SEAM {
            self.rotate();
        }
    }

    #[cold]
    #[inline(never)]
    fn rotate(&mut self) {
        self.items.rotate_left(self.seam);
        self.seam = NO_SEAM;
    }

    /// Returns where the item `index` places after the oldest lies in `items`.
    #[inline]
    fn place(&self, index: usize) -> usize {
        let len = self.items.len();
        match self.seam {
            NO_SEAM => index,
            _ if index >= len => NO_SEAM,
            seam if index >= len - seam => index - (len - seam),
            seam => index + seam,
        }
    }
}

impl<'a, T> IntoIterator for &'a Ring<T> {
    type Item = &'a T;
    type IntoIter = RingIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Iterates over a [`Ring`] from the oldest to the newest item.
#[derive(Debug)]
pub struct RingIter<'a, T> {
    items: Chain<slice::Iter<'a, T>, slice::Iter<'a, T>>,
    left: usize,
}

impl<T> Clone for RingIter<'_, T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), left: self.left }
    }
}

impl<'a, T> Iterator for RingIter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        let item = self.items.next();
        self.left -= usize::from(item.is_some());
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    fn nth(&mut self, count: usize) -> Option<&'a T> {
        self.left = self.left.saturating_sub(count.saturating_add(1));
        self.items.nth(count)
    }

    fn fold<B, F: FnMut(B, &'a T) -> B>(self, first: B, fold: F) -> B {
        self.items.fold(first, fold)
    }
}

impl<'a, T> DoubleEndedIterator for RingIter<'a, T> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a T> {
        let item = self.items.next_back();
        self.left -= usize::from(item.is_some());
        item
    }

    fn nth_back(&mut self, count: usize) -> Option<&'a T> {
        self.left = self.left.saturating_sub(count.saturating_add(1));
        self.items.nth_back(count)
    }

    fn rfold<B, F: FnMut(B, &'a T) -> B>(self, first: B, fold: F) -> B {
        self.items.rfold(first, fold)
    }
}

impl<T> ExactSizeIterator for RingIter<'_, T> {}

impl<T> std::iter::FusedIterator for RingIter<'_, T> {}
