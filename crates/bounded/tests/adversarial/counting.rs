//! What the tests share: an allocator that counts, items that count, a generator, a judge.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

use plimsoll_bounded::{Gauge, Grant, Line};

struct Counting;

thread_local! {
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    // A thread that is going away has nothing to count.
    BYTES.try_with(|cell| cell.set(cell.get() + bytes)).unwrap_or(());
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the bytes that this thread holds on the heap.
pub fn heap() -> i64 {
    BYTES.get()
}

/// An item that knows how many of its kind there are on this thread.
#[derive(Debug, PartialEq, Eq)]
pub struct Item(pub u64);

impl Item {
    pub fn new(value: u64) -> Self {
        LIVE.set(LIVE.get() + 1);
        Self(value)
    }

    /// Returns how many there are on this thread.
    pub fn live() -> u64 {
        LIVE.get() as u64
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        LIVE.set(LIVE.get() - 1);
    }
}

/// A generator (xorshift64*), the same in every run.
pub struct Random {
    state: u64,
    /// Out of 16, how many operations add something; changes from time to time, so that all is filled, emptied, and held at
    /// the limit.
    push: u64,
    turns: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1, push: 8, turns: 0 }
    }

    pub fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Tells whether the next operation adds something.
    pub fn adds(&mut self) -> bool {
        if self.turns == 0 {
            self.turns = 1 + self.below(700);
            self.push = [1, 6, 8, 8, 10, 15][self.below(6) as usize];
        }
        self.turns -= 1;
        self.below(16) < self.push
    }
}

/// Holds a container to its declaration.
pub struct Judge {
    name: String,
    before: i64,
    declared: u64,
    capacity: usize,
    gauge: Gauge,
    peak: i64,
    begun: Instant,
}

impl Judge {
    /// Makes the grant of a line, and the judge of its container: what the grant allocates counts too.
    pub fn of(name: &str, line: Line<'_>) -> (Self, Grant) {
        let (name, before) = (name.to_owned(), heap());
        let grant = Grant::detached(line);
        let (declared, capacity, gauge) = (grant.bytes(), grant.capacity(), grant.gauge());
        (Self { name, before, declared, capacity, gauge, peak: 0, begun: Instant::now() }, grant)
    }

    pub fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Adds another line for the same thing.
    pub fn and(&mut self, line: Line<'_>) -> Grant {
        let grant = Grant::detached(line);
        self.declared += grant.bytes();
        grant
    }

    /// Checks length and bytes; `outside` are bytes on the heap that are not the container's.
    #[track_caller]
    pub fn check(&mut self, len: usize, outside: i64) {
        let held = heap() - self.before - outside;
        self.peak = self.peak.max(held);
        assert!(len <= self.capacity, "{}: {len} items of {}", self.name, self.capacity);
        assert!(held <= self.declared as i64, "{}: {held} bytes on the heap, {} declared", self.name, self.declared);
        let (shown, high) = (self.gauge.len(), self.gauge.high_water());
        assert!(shown == len && high >= len && high <= self.capacity, "{}: shows {shown} of {len} items, at most {high}", self.name);
    }

    /// Prints what it came to.
    pub fn report(&self, operations: u64) {
        let Self { name, declared, peak, capacity, gauge, begun, .. } = self;
        let (high, lost, ms) = (gauge.high_water(), gauge.overflows(), begun.elapsed().as_millis());
        eprintln!(
            "{name:<32} {operations:>9} operations {ms:>6} ms  {peak:>7} of {declared:>7} bytes  {high:>4} of {capacity:>4} items  {lost:>8} overflows"
        );
        assert_eq!(high, *capacity, "{name}: the limit was never reached");
    }
}
