//! A hash table of fixed capacity that iterates in the order of insertion.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::Full;
use crate::grant::Grant;
use crate::hash::FixedState;
use crate::line::{Class, Line, WhenFull};

/// Maps keys to values in memory taken once; iterates in the order in which keys came, the same in every run.
///
/// Replacing a value keeps its key's place. Entries lie in a slab linked in order of insertion; a table of indices beside it
/// has twice the room needed, so that it cleans up after removals in place and never grows.
///
/// # Bounds
/// The grant's capacity. Allocated when made; inserting never allocates.
pub struct Map<K, V> {
    slots: Vec<Slot<K, V>>,
    index: HashTable<u32>,
    /// The oldest, the newest, and the first unused slot.
    oldest: u32,
    newest: u32,
    unused: u32,
    grant: Grant,
}

/// An entry with its neighbours in order of insertion; `next` of an unused one is the next unused.
struct Slot<K, V> {
    entry: Option<(K, V)>,
    older: u32,
    newer: u32,
}

/// No slot.
const NONE: u32 = u32::MAX;

/// Returns the bytes that a [`Map`] of `capacity` entries takes at worst, without what keys and values hold on the heap.
///
/// The slab, and a table of indices: twice the capacity at a load of 7/8, rounded up to a power of two, of 5 bytes each.
pub const fn worst_map_bytes<K, V>(capacity: usize) -> usize {
    let wanted = capacity.saturating_mul(2).saturating_mul(8).div_ceil(7);
    let buckets = if wanted < 16 { 16 } else { wanted.next_power_of_two() };
    // A control byte each, a last group of up to 16 more, and the alignment between the two parts.
    capacity.saturating_mul(size_of::<Slot<K, V>>()).saturating_add(buckets * 5 + 32)
}

impl<K, V> Map<K, V> {
    /// Declares a map of `capacity` entries that hold nothing on the heap.
    pub const fn line(name: &str, capacity: usize, policy: WhenFull, class: Class) -> Line<'_> {
        Line { name, capacity, item_bytes: Self::item_bytes(capacity), policy, class }
    }

    /// Returns the bytes an entry takes at worst in a map of `capacity` entries, without what it holds on the heap.
    pub const fn item_bytes(capacity: usize) -> usize {
        let capacity = if capacity == 0 { 1 } else { capacity };
        worst_map_bytes::<K, V>(capacity).div_ceil(capacity)
    }
}

impl<K: Hash + Eq, V> Map<K, V> {
    /// Takes the memory for as many entries as granted.
    ///
    /// # Panics
    /// When the line's policy is not `Refuse`, `Halt`, `Conflate` or `DropOldest`, or its item is smaller than
    /// [`Map::item_bytes`].
    #[track_caller]
    pub fn new(grant: Grant) -> Self {
        let capacity = grant.capacity();
        let policies = [WhenFull::Refuse, WhenFull::Halt, WhenFull::Conflate, WhenFull::DropOldest];
        grant.check("Map", &policies, Self::item_bytes(capacity));
        let (oldest, newest, unused) = (NONE, NONE, NONE);
        let index = HashTable::with_capacity(capacity * 2);
        Self { slots: Vec::with_capacity(capacity), index, oldest, newest, unused, grant }
    }

    /// Puts a value under a key and returns the one that was there.
    ///
    /// A new key in a full map evicts the oldest entry by policy `DropOldest` and is refused by the others; `Conflate` says
    /// that keys repeat and the latest value counts.
    ///
    /// # Errors
    /// Gives key and value back when the key is new and the map full.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, Full<(K, V)>> {
        let hash = FixedState.hash_one(&key);
        let found = self.find(hash, &key);
        if let Some((_, place)) = found.and_then(|slot| self.slots.get_mut(slot as usize)?.entry.as_mut()) {
            return Ok(Some(std::mem::replace(place, value)));
        }
        if self.is_full() {
            self.grant.figures().overflowed(1);
            if self.grant.policy() != WhenFull::DropOldest {
                return Err(Full((key, value)));
            }
            drop(self.pop_first());
        }
        self.append(hash, key, value);
        Ok(None)
    }

    /// Returns the value under a key, made first if it is not there.
    ///
    /// # Errors
    /// Gives the key back when it is new and the map refuses it.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> Result<&mut V, Full<K>> {
        let hash = FixedState.hash_one(&key);
        let found = match self.find(hash, &key) {
            Some(slot) => slot,
            None => {
                if self.is_full() {
                    self.grant.figures().overflowed(1);
                    if self.grant.policy() != WhenFull::DropOldest {
                        return Err(Full(key));
                    }
                    drop(self.pop_first());
                }
                self.append(hash, key, make())
            }
        };
        match self.slots.get_mut(found as usize).and_then(|slot| slot.entry.as_mut()) {
            Some((_, value)) => Ok(value),
            None => unreachable!("the index points at entries only"),
        }
    }

    /// Returns the value under a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let slot = self.find(FixedState.hash_one(key), key)?;
        self.entry(slot).map(|(_, value)| value)
    }

    /// Returns the value under a key, to be changed.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let slot = self.find(FixedState.hash_one(key), key)?;
        self.slots.get_mut(slot as usize)?.entry.as_mut().map(|(_, value)| value)
    }

    /// Tells whether there is a value under a key.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(FixedState.hash_one(key), key).is_some()
    }

    /// Takes the value under a key.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // Found and taken from the index in one probe.
        let slots = &self.slots;
        let same = |&slot: &u32| {
            let entry = slots.get(slot as usize).and_then(|slot| slot.entry.as_ref());
            entry.is_some_and(|(other, _)| other.borrow() == key)
        };
        let (slot, _) = self.index.find_entry(FixedState.hash_one(key), same).ok()?.remove();
        self.unlink(slot).map(|(_, value)| value)
    }

    /// Returns the entry that came first.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.entry(self.oldest).map(|(key, value)| (key, value))
    }

    /// Takes the entry that came first.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.take(self.oldest)
    }

    /// Keeps only the entries for which `keep` says so, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let mut at = self.oldest;
        while let Some(slot) = self.slots.get_mut(at as usize) {
            let newer = slot.newer;
            if slot.entry.as_mut().is_some_and(|(key, value)| !keep(key, value)) {
                drop(self.take(at));
            }
            at = newer;
        }
    }

    /// Lets all entries go and keeps the memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.index.clear();
        (self.oldest, self.newest, self.unused) = (NONE, NONE, NONE);
        self.count();
    }

    fn find<Q: Hash + Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
    {
        let same = |&slot: &u32| self.entry(slot).is_some_and(|(other, _)| other.borrow() == key);
        self.index.find(hash, same).copied()
    }

    /// Adds an entry as the newest; the caller has made sure that the key is new and that there is room.
    fn append(&mut self, hash: u64, key: K, value: V) -> u32 {
        let slot = Slot { entry: Some((key, value)), older: self.newest, newer: NONE };
        let at = match self.slots.get_mut(self.unused as usize) {
            Some(unused) => {
                let at = self.unused;
                self.unused = unused.newer;
                *unused = slot;
                at
            }
            None => {
                assert!(self.slots.len() < self.grant.capacity(), "line {}: a map grew", self.grant.name());
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        match self.slots.get_mut(self.newest as usize) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |&slot| {
            slots.get(slot as usize).and_then(|slot| slot.entry.as_ref()).map_or(0, |(key, _)| FixedState.hash_one(key))
        });
        self.count();
        at
    }

    /// Takes the entry out of a slot, its place in the order and the index.
    fn take(&mut self, at: u32) -> Option<(K, V)> {
        let (key, _) = self.entry(at)?;
        if let Ok(found) = self.index.find_entry(FixedState.hash_one(key), |&other| other == at) {
            found.remove();
        }
        self.unlink(at)
    }

    /// Takes the entry that is not in the index any more out of its slot and its place in the order.
    fn unlink(&mut self, at: u32) -> Option<(K, V)> {
        let slot = self.slots.get_mut(at as usize)?;
        let entry = slot.entry.take();
        let (older, newer) = (slot.older, slot.newer);
        slot.newer = self.unused;
        self.unused = at;
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        self.grant.figures().lower_len(self.index.len());
        entry
    }
}

impl<K, V> Map<K, V> {
    /// Iterates over the entries in the order in which their keys came.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slots.get(at as usize)?;
            at = slot.newer;
            slot.entry.as_ref().map(|(key, value)| (key, value))
        })
    }

    /// Iterates over the keys in the order in which they came.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Iterates over the values in the order in which their keys came.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Calls `change` with every value in the order in which their keys came.
    pub fn for_each_mut(&mut self, mut change: impl FnMut(&K, &mut V)) {
        let mut at = self.oldest;
        while let Some(slot) = self.slots.get_mut(at as usize) {
            at = slot.newer;
            if let Some((key, value)) = &mut slot.entry {
                change(key, value);
            }
        }
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns how many entries there may be.
    pub fn capacity(&self) -> usize {
        self.grant.capacity()
    }

    /// Tells whether the limit acts on the next new key.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Returns the most entries there ever were.
    pub fn high_water(&self) -> usize {
        self.grant.figures().high_water()
    }

    /// Returns the grant that the map lives by.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    fn entry(&self, at: u32) -> Option<&(K, V)> {
        self.slots.get(at as usize)?.entry.as_ref()
    }

    fn count(&self) {
        self.grant.figures().set_len(self.index.len());
    }
}

impl<K: std::fmt::Debug, V: std::fmt::Debug> std::fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
