//! A book kept by the exchange's procedure: buffer changes, fetch a snapshot, drop what is older, apply what follows, and
//! begin again at the first sign of a loss.
//!
//! Procedure: <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly>,
//! read November 2026.

use super::decode::{DepthSnapshot, DepthUpdate};
use crate::limits::{PENDING_CHANGES_MAX, PENDING_UPDATES_MAX};
use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use plimsoll_market::{Book, BookError, Level, LevelChange, Side, Time, Top};
use thiserror::Error;

/// Why a book is worthless and a new snapshot is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BookGap {
    /// Updates are missing in between.
    #[error("update {found} does not follow {expected}")]
    Sequence {
        /// The update that the next one had to follow.
        expected: u64,
        /// The update that it follows by its own word.
        found: u64,
    },
    /// The snapshot is older than the first update that we have.
    #[error("snapshot {snapshot} is older than the first update {first}")]
    SnapshotOld {
        /// The snapshot's update id.
        snapshot: u64,
        /// The first id of the first update.
        first: u64,
    },
    /// More changes came than may wait for a snapshot.
    #[error("more updates wait for a snapshot than may")]
    Overflow,
    /// Bid and ask overlap.
    #[error(transparent)]
    Crossed(#[from] BookError),
}

/// What an update or snapshot did to the book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BookStep {
    /// It waits for a snapshot.
    Waiting,
    /// The book is up to date with it.
    Applied,
    /// It is older than the book and changed nothing.
    Dropped,
    /// The book is worthless: whoever used it must be told, and a snapshot fetched.
    Gap(BookGap),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No book; updates wait for a snapshot.
    Waiting,
    /// The snapshot is in the book; the first update that overlaps it has still to come.
    Bridging,
    /// The book is true.
    Synced,
}

/// An update that waits; its changes are the next so many of the ring of changes.
#[derive(Clone, Copy, Debug)]
struct Pending {
    first_id: u64,
    last_id: u64,
    time: Time,
    changes: u32,
}

/// Keeps the book of one symbol.
///
/// ```text
///             snapshot                 U <= last <= u              pu == last
///  Waiting ─────────────▶ Bridging ─────────────────────▶ Synced ─────────────▶ Synced
///     ▲                      │ gap                            │ gap, crossed
///     └──────────────────────┴────────────────────────────────┘
/// ```
///
/// # Bounds
/// Levels a side as granted; [`PENDING_UPDATES_MAX`] updates and [`PENDING_CHANGES_MAX`] changes waiting for a snapshot. What
/// does not fit is a gap.
pub struct BookSync {
    book: Book,
    state: State,
    /// The last update in the book or among those waiting.
    last_id: u64,
    time: Time,
    pending: Ring<Pending>,
    changes: Ring<LevelChange>,
    counts: BookCounts,
    _levels: Grant,
}

/// What became of all updates so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BookCounts {
    /// Applied to the book.
    pub applied: u64,
    /// Older than the book.
    pub dropped: u64,
    /// Times the book became worthless.
    pub gaps: u64,
}

impl BookSync {
    /// Declares the memory of the book itself.
    pub const fn levels_line(name: &str, levels_max: usize) -> Line<'_> {
        Line { name, capacity: levels_max, item_bytes: Book::bytes(1), policy: WhenFull::DropOldest, class: Class::LatestWins }
    }

    /// Declares the memory of the updates that wait for a snapshot.
    pub const fn pending_line(name: &str) -> Line<'_> {
        Line::of::<Pending>(name, PENDING_UPDATES_MAX, WhenFull::Refuse, Class::LatestWins)
    }

    /// Declares the memory of the changes of those updates.
    pub const fn changes_line(name: &str) -> Line<'_> {
        Line::of::<LevelChange>(name, PENDING_CHANGES_MAX, WhenFull::Refuse, Class::LatestWins)
    }

    /// Makes an empty book.
    pub fn new(levels: Grant, pending: Grant, changes: Grant) -> Self {
        Self {
            book: Book::new(levels.capacity()),
            state: State::Waiting,
            last_id: 0,
            time: Time::ZERO,
            pending: Ring::new(pending),
            changes: Ring::new(changes),
            counts: BookCounts::default(),
            _levels: levels,
        }
    }

    /// Whether the book is true.
    pub fn is_synced(&self) -> bool {
        self.state == State::Synced
    }

    /// Whether it is time to fetch a snapshot: updates are waiting, so none can fall between them and it.
    pub fn wants_snapshot(&self) -> bool {
        self.state == State::Waiting && !self.pending.is_empty()
    }

    /// Best bid and ask; `None` while the book is not true or a side is empty.
    pub fn top(&self) -> Option<Top> {
        // A crossed book was already declared a gap.
        if self.is_synced() { self.book.top(self.time).ok().flatten() } else { None }
    }

    /// Levels of a side, best first; none while the book is not true.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = &Level> {
        let shown = if self.is_synced() { usize::MAX } else { 0 };
        self.book.levels(side).take(shown)
    }

    /// The book; `None` while it is not true.
    pub fn book(&self) -> Option<&Book> {
        self.is_synced().then_some(&self.book)
    }

    /// The id of the last update in the book; `None` while it is not true.
    pub fn last_id(&self) -> Option<u64> {
        self.is_synced().then_some(self.last_id)
    }

    /// What became of all updates so far.
    pub fn counts(&self) -> BookCounts {
        self.counts
    }

    /// Forgets the book and all that waits: the connection was lost.
    pub fn reset(&mut self) {
        self.state = State::Waiting;
        self.book.clear();
        self.pending.clear();
        self.changes.clear();
        self.last_id = 0;
    }

    /// Takes a depth update. One that tells the top of the book instead of changes is dropped.
    pub fn on_update(&mut self, update: &DepthUpdate) -> BookStep {
        if update.partial {
            self.counts.dropped += 1;
            return BookStep::Dropped;
        }
        match self.state {
            State::Waiting => self.keep(update),
            State::Bridging if update.last_id < self.last_id => self.drop_one(),
            State::Bridging if update.first_id <= self.last_id => {
                self.state = State::Synced;
                self.apply(update)
            }
            State::Bridging => {
                let gap = BookGap::SnapshotOld { snapshot: self.last_id, first: update.first_id };
                self.begin_again(gap, Some(update))
            }
            State::Synced if update.last_id <= self.last_id => self.drop_one(),
            State::Synced => match predecessor(update) {
                before if before == self.last_id => self.apply(update),
                found => {
                    let gap = BookGap::Sequence { expected: self.last_id, found };
                    self.begin_again(gap, Some(update))
                }
            },
        }
    }

    /// Takes the snapshot asked for. One that comes while the book is true changes nothing.
    pub fn on_snapshot(&mut self, snapshot: &DepthSnapshot) -> BookStep {
        if self.state == State::Synced {
            return BookStep::Dropped;
        }
        if let Some(first) = self.pending.first().map(|p| p.first_id)
            && first > snapshot.last_id
        {
            // What waits stays: a newer snapshot will fit it.
            self.state = State::Waiting;
            self.counts.gaps += 1;
            return BookStep::Gap(BookGap::SnapshotOld { snapshot: snapshot.last_id, first });
        }
        self.book.clear();
        for (side, levels) in [(Side::Buy, &snapshot.bids), (Side::Sell, &snapshot.asks)] {
            for level in levels {
                self.book.set(LevelChange { side, level: *level });
            }
        }
        self.state = State::Bridging;
        self.last_id = snapshot.last_id;
        self.time = snapshot.time;
        while let Some(pending) = self.pending.pop_front() {
            let skip = self.state == State::Bridging && pending.last_id < snapshot.last_id;
            for _ in 0..pending.changes {
                let change = self.changes.pop_front();
                if let (Some(change), false) = (change, skip) {
                    self.book.set(change);
                }
            }
            if skip {
                self.counts.dropped += 1;
                continue;
            }
            // The chain of what waits was checked as it came, and its first update is not after the snapshot: so this one
            // overlaps it or follows the one before.
            self.state = State::Synced;
            self.counts.applied += 1;
            self.last_id = pending.last_id;
            self.time = pending.time;
        }
        match self.book.top(self.time) {
            Err(crossed) => self.begin_again(BookGap::Crossed(crossed), None),
            Ok(_) if self.state == State::Synced => BookStep::Applied,
            Ok(_) => BookStep::Waiting,
        }
    }

    fn drop_one(&mut self) -> BookStep {
        self.counts.dropped += 1;
        BookStep::Dropped
    }

    fn apply(&mut self, update: &DepthUpdate) -> BookStep {
        for change in update.changes() {
            self.book.set(*change);
        }
        self.last_id = update.last_id;
        self.time = update.time;
        self.counts.applied += 1;
        match self.book.top(self.time) {
            Ok(_) => BookStep::Applied,
            Err(crossed) => self.begin_again(BookGap::Crossed(crossed), None),
        }
    }

    /// Keeps an update for the snapshot to come. A break in the chain makes all before it useless: they go, uncounted as a gap
    /// because nobody has a book to lose.
    fn keep(&mut self, update: &DepthUpdate) -> BookStep {
        if !self.pending.is_empty() {
            if update.last_id <= self.last_id {
                return self.drop_one();
            }
            if predecessor(update) != self.last_id {
                self.counts.dropped += self.pending.len() as u64;
                self.pending.clear();
                self.changes.clear();
            }
        }
        let room = self.changes.capacity() - self.changes.len();
        if self.pending.is_full() || update.changes().len() > room {
            return self.begin_again(BookGap::Overflow, None);
        }
        for change in update.changes() {
            if self.changes.push(*change).is_err() {
                return self.begin_again(BookGap::Overflow, None);
            }
        }
        let changes = update.changes().len() as u32;
        let pending = Pending { first_id: update.first_id, last_id: update.last_id, time: update.time, changes };
        if self.pending.push(pending).is_err() {
            return self.begin_again(BookGap::Overflow, None);
        }
        self.last_id = update.last_id;
        BookStep::Waiting
    }

    /// Forgets everything; the update that showed the gap is the first of the new chain.
    fn begin_again(&mut self, gap: BookGap, update: Option<&DepthUpdate>) -> BookStep {
        self.reset();
        self.counts.gaps += 1;
        if let Some(update) = update {
            self.keep(update);
        }
        BookStep::Gap(gap)
    }
}

/// The update that this one follows by its own word; the spot form only tells by its first id.
fn predecessor(update: &DepthUpdate) -> u64 {
    update.previous_id.unwrap_or_else(|| update.first_id.saturating_sub(1))
}

#[cfg(test)]
#[path = "book_sync_tests.rs"]
mod tests;
