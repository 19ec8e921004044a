//! Who has the connections to the database, since when, and who waits for one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;
use crate::limits::{CACHE_READER_KIB, CACHE_WRITER_KIB, CHECK_TEXT_MAX, CONNECTION_BYTES, CONNECTIONS, HELD_MAX, HOLDERS_MAX};

/// The connections of a store: the one that writes and those that read, together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolFigures {
    /// Connections at most.
    pub max: u32,
    /// Connections that are open.
    pub size: u32,
    /// Connections that somebody has now.
    pub in_use: u32,
    /// Open connections that wait in the pool.
    pub idle: u32,
    /// Who waits for a connection now.
    pub waiting: u32,
    /// Connections handed out since the start.
    pub acquires: u64,
    /// Times that nobody could be given a connection since the start: none came free in time, or none could be opened.
    pub refused: u64,
    /// What everybody together waited since the start, from asking to being able to use it.
    pub wait_total: Duration,
    /// The longest that anybody waited since the start.
    pub wait_max: Duration,
    /// Who has a connection now, the longest first; at most [`HOLDERS_MAX`].
    pub held: Vec<HeldConnection>, // tidy: bounded by HOLDERS_MAX
    /// How many of these have had it for longer than [`HELD_MAX`]: they leak it.
    pub held_too_long: u32,
    /// Whether the last health check worked; `None` before the first one.
    pub healthy: Option<bool>,
    /// How long ago the last health check ended.
    pub checked: Option<Duration>,
    /// How long the last health check took.
    pub check_took: Option<Duration>,
    /// Why the last health check failed, with its causes, cut at [`CHECK_TEXT_MAX`] bytes; `None` when it did not.
    pub failing: Option<String>,
}

impl PoolFigures {
    /// Returns what the open connections and their caches may take in memory, in bytes; the rows of a query that runs come on top.
    ///
    /// The first one writes. A server's cache is its own, so that for its connections this is too much rather than too little.
    pub fn memory_bytes(&self) -> usize {
        let readers = self.size.saturating_sub(1);
        let caches = self.size.min(1) * CACHE_WRITER_KIB + readers * CACHE_READER_KIB;
        caches as usize * 1_024 + self.size as usize * CONNECTION_BYTES
    }

    /// Iterates over those who have had a connection for longer than [`HELD_MAX`].
    pub fn leaks(&self) -> impl Iterator<Item = &HeldConnection> {
        self.held.iter().filter(|held| held.is_too_long())
    }
}

/// Who has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldConnection {
    /// What it is used for: `storage.equity`.
    pub holder: &'static str,
    /// For how long already.
    pub held: Duration,
}

impl HeldConnection {
    /// Tells whether this is longer than any use may take: [`HELD_MAX`].
    pub fn is_too_long(&self) -> bool {
        self.held > HELD_MAX
    }
}

/// Keeps the books of all connections of a store.
#[derive(Default)]
pub(crate) struct Pool {
    waiting: AtomicU32,
    acquires: AtomicU64,
    refused: AtomicU64,
    wait_ns: AtomicU64,
    wait_ns_max: AtomicU64,
    seats: Mutex<[Option<Seated>; HOLDERS_MAX]>,
    check: Mutex<Option<Checked>>,
}

#[derive(Clone, Copy)]
struct Seated {
    holder: &'static str,
    since: Instant,
}

struct Checked {
    at: Instant,
    took: Duration,
    failing: Option<String>,
}

impl Pool {
    /// Waits for a connection and writes down who has it until the guard is dropped.
    ///
    /// Cancel safe: who gives up is not counted as waiting any more.
    pub(crate) async fn acquire<T>(
        self: &Arc<Self>,
        holder: &'static str,
        get: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Held<T>, StoreError> {
        let asked = Instant::now();
        let waiting = Waiting::new(self);
        let got = get.await;
        drop(waiting);
        let now = Instant::now();
        let waited = u64::try_from(now.duration_since(asked).as_nanos()).unwrap_or(u64::MAX);
        self.wait_ns.fetch_add(waited, Relaxed);
        self.wait_ns_max.fetch_max(waited, Relaxed);
        match got {
            Ok(connection) => {
                self.acquires.fetch_add(1, Relaxed);
                Ok(Held { seat: Seat::take(self, Seated { holder, since: now }), connection })
            }
            Err(error) => {
                self.refused.fetch_add(1, Relaxed);
                Err(error)
            }
        }
    }

    /// Writes down how a health check went.
    pub(crate) fn checked(&self, asked: Instant, result: &Result<(), StoreError>) {
        let at = Instant::now();
        let failing = result.as_ref().err().map(|error| {
            let mut text = error.chain();
            text.truncate(text.floor_char_boundary(CHECK_TEXT_MAX));
            text
        });
        *lock(&self.check) = Some(Checked { at, took: at.duration_since(asked), failing });
    }

    /// Reads the books as they are `now`, with what the driver says of its open and its idle connections.
    pub(crate) fn figures(&self, now: Instant, size: u32, idle: u32) -> PoolFigures {
        let mut held: Vec<HeldConnection> = lock(&self.seats)
            .iter()
            .flatten()
            .map(|seated| HeldConnection { holder: seated.holder, held: now.saturating_duration_since(seated.since) })
            .collect();
        held.sort_by_key(|held| std::cmp::Reverse(held.held));
        let held_too_long = held.iter().filter(|held| held.is_too_long()).count() as u32;
        let check = lock(&self.check);
        PoolFigures {
            max: CONNECTIONS as u32,
            size,
            in_use: held.len() as u32,
            idle,
            waiting: self.waiting.load(Relaxed),
            acquires: self.acquires.load(Relaxed),
            refused: self.refused.load(Relaxed),
            wait_total: Duration::from_nanos(self.wait_ns.load(Relaxed)),
            wait_max: Duration::from_nanos(self.wait_ns_max.load(Relaxed)),
            held,
            held_too_long,
            healthy: check.as_ref().map(|check| check.failing.is_none()),
            checked: check.as_ref().map(|check| now.saturating_duration_since(check.at)),
            check_took: check.as_ref().map(|check| check.took),
            failing: check.as_ref().and_then(|check| check.failing.clone()),
        }
    }
}

/// Whoever panicked while holding one of these locks left plain figures behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts as waiting while it lives.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.waiting.fetch_add(1, Relaxed);
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// A connection (or a transaction on one), and the note of who has it.
///
/// The note goes first, then the connection: the next holder may be written down before this one's connection is back, but
/// never the other way around.
pub(crate) struct Held<T> {
    seat: Seat,
    connection: T,
}

impl<T> Held<T> {
    /// Takes the connection out; the note stays until the seat is dropped.
    pub(crate) fn into_parts(self) -> (Seat, T) {
        (self.seat, self.connection)
    }
}

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.connection
    }
}

impl<T> std::ops::DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.connection
    }
}

/// The note that somebody has a connection.
pub(crate) struct Seat {
    pool: Arc<Pool>,
    /// `None` when every place was taken by notes of those who are just giving theirs back.
    place: Option<usize>,
}

impl Seat {
    fn take(pool: &Arc<Pool>, seated: Seated) -> Self {
        let mut seats = lock(&pool.seats);
        let place = seats.iter().position(Option::is_none);
        if let Some(free) = place.and_then(|place| seats.get_mut(place)) {
            *free = Some(seated);
        }
        drop(seats);
        Self { pool: Arc::clone(pool), place }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.pool.seats);
        if let Some(taken) = self.place.and_then(|place| seats.get_mut(place)) {
            *taken = None;
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod memory {
    use super::PoolFigures;

    #[test]
    fn memory_follows_the_connections_that_are_open() {
        let bytes = |size| PoolFigures { size, ..PoolFigures::default() }.memory_bytes();
        // The writer with 2 MiB of cache, a reader with 1 MiB, and half a MiB for each connection.
        assert_eq!([0, 1, 2, 3].map(bytes), [0, 5 << 19, 8 << 19, 11 << 19]);
    }
}
