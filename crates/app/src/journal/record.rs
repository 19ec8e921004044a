//! The loop's end of the journal: encodes into a buffer, hands over whole chunks, never waits.

use super::writer::{Buffer, Chunk, buffer};
use crate::limits::{JOURNAL_BUFFERS, JOURNAL_CHUNK_BYTES};
use plimsoll_bounded::{Receiver, Sender};
use plimsoll_engine::Engine;
use plimsoll_journal::{End, EntryRef, FRAME_HEAD, Head};
use plimsoll_market::{Action, Event, Time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long an entry may wait in a buffer that is not full: what `kill -9` may take.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// What is left free in every buffer for the entry that ends a segment.
const END_BYTES: usize = 16;
/// Pause before a segment begins after a gap: a disk that fails is not asked at every event.
const GAP_PAUSE: Duration = Duration::from_secs(5);

/// What a symbol's journal is made of.
pub struct JournalParts {
    /// What every segment says of itself.
    pub head: Head,
    /// The symbol's number.
    pub index: u16,
    /// Where chunks go.
    pub out: Sender<Chunk>,
    /// Where buffers come back.
    pub spare: Receiver<Buffer>,
    /// Set by the writer when a chunk could not be written.
    pub failed: Arc<AtomicBool>,
    /// Bytes of a segment.
    pub segment_bytes: u64,
}

/// The journal of one symbol, as its loop sees it.
///
/// # Bounds
/// [`JOURNAL_BUFFERS`] buffers of [`JOURNAL_CHUNK_BYTES`]. Nothing is allocated after it was made.
pub struct Journal(Option<Open>);

struct Open {
    parts: JournalParts,
    filling: Buffer,
    /// Where the next entry goes.
    len: usize,
    /// Events whose last bytes are in the buffer.
    events: u64,
    state: State,
    /// When the last entry happened.
    last: Time,
    /// When a buffer was last handed over.
    flushed: Time,
    /// Bytes of this segment, the buffer left out.
    written: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The buffer belongs to a segment; the first of it begins one.
    Recording { first: bool },
    /// Nothing is recorded since then; the next segment begins with the engine as it stands then.
    Lost(Time),
    /// The segment has its end.
    Ended,
}

/// The buffer has no room and there is no other.
struct NoRoom;

impl Journal {
    /// A journal that keeps nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Makes a journal, and the buffers that go to and fro: one stays here, the others are given to `spare`.
    pub fn new(parts: JournalParts, spare: &Sender<Buffer>) -> Self {
        for _ in 1..JOURNAL_BUFFERS {
            if spare.try_send(buffer()).is_err() {
                tracing::error!("a buffer of the journal found no room");
            }
        }
        let open = Open {
            parts,
            filling: buffer(),
            len: FRAME_HEAD,
            events: 0,
            state: State::Ended,
            last: Time::ZERO,
            flushed: Time::ZERO,
            written: 0,
        };
        Self(Some(open))
    }

    /// Begins to record an engine that was just built.
    pub fn begin(&mut self, now: Time, engine: &Engine) {
        let Some(open) = &mut self.0 else { return };
        if matches!(open.state, State::Recording { .. }) {
            open.end(now, End::Rebuilt);
        }
        open.parts.head.follows = false;
        let ready = open.begin(now, engine);
        self.keep(ready);
    }

    /// Records what the engine was told and what it answered; `engine` is as it stands after it.
    #[inline]
    pub fn record(&mut self, now: Time, event: &Event, actions: &[Action], engine: &Engine) {
        self.step(now, actions, engine, |since, actions| EntryRef::Event { since, actions, event });
    }

    /// Records that the engine was halted, and what it answered.
    pub fn halted(&mut self, now: Time, actions: &[Action], engine: &Engine) {
        self.step(now, actions, engine, |since, actions| EntryRef::Halted { since, actions });
    }

    /// Records what the engine was told when it failed. Nothing follows until it begins anew.
    pub fn fault(&mut self, now: Time, event: &Event) {
        let Some(open) = &mut self.0 else { return };
        if !matches!(open.state, State::Recording { .. }) {
            return;
        }
        let since = open.since(now);
        match open.put(now, EntryRef::Fault { since, event }) {
            Ok(()) => open.end(now, End::Fault),
            Err(NoRoom) => open.lose(now, 1),
        }
    }

    /// Hands over what has waited long enough.
    pub fn tick(&mut self, now: Time) {
        if let Some(open) = &mut self.0
            && matches!(open.state, State::Recording { .. })
            && open.len > FRAME_HEAD
            && now.since(open.flushed) >= FLUSH_EVERY
        {
            // Without another buffer it is tried again at the next tick.
            drop(open.hand_over(now));
        }
    }

    /// Ends the segment.
    pub fn close(&mut self, now: Time) {
        if let Some(open) = &mut self.0
            && matches!(open.state, State::Recording { .. })
        {
            open.close(now);
        }
    }

    #[inline]
    fn step<'a>(&mut self, now: Time, actions: &'a [Action], engine: &Engine, entry: impl FnOnce(u64, u16) -> EntryRef<'a>) {
        let Some(open) = &mut self.0 else { return };
        let ready = open.step(now, actions, engine, entry);
        self.keep(ready);
    }

    /// What cannot be written down has no journal.
    fn keep(&mut self, ready: Result<(), postcard::Error>) {
        if let Err(error) = ready {
            tracing::error!(%error, "the engine cannot be written down; its symbol has no journal");
            self.0 = None;
        }
    }
}

impl Open {
    #[inline]
    fn step<'a>(
        &mut self,
        now: Time,
        actions: &'a [Action],
        engine: &Engine,
        entry: impl FnOnce(u64, u16) -> EntryRef<'a>,
    ) -> Result<(), postcard::Error> {
        match self.state {
            State::Recording { .. } if self.parts.failed.swap(false, Ordering::Relaxed) => {
                self.lose(now, 1);
                return Ok(());
            }
            State::Recording { .. } => {}
            State::Lost(since) => {
                self.parts.head.lost += 1;
                return if now.since(since) >= GAP_PAUSE { self.begin(now, engine) } else { Ok(()) };
            }
            State::Ended => return Ok(()),
        }
        let entry = entry(self.since(now), actions.len() as u16);
        let mut put = self.put(now, entry);
        for action in actions {
            put = put.and_then(|()| self.put(now, EntryRef::Action(action)));
        }
        if put.is_err() {
            self.lose(now, 1);
            return Ok(());
        }
        self.events += 1;
        if self.written + self.len as u64 >= self.parts.segment_bytes {
            self.end(now, End::Full);
            if self.state == State::Ended {
                self.parts.head.follows = true;
                return self.begin(now, engine);
            }
        }
        Ok(())
    }

    fn since(&mut self, now: Time) -> u64 {
        let since = now.nanos().wrapping_sub(self.last.nanos());
        self.last = now;
        since
    }

    /// Encodes an entry into the buffer, or into the next when it does not fit.
    #[inline]
    fn put(&mut self, now: Time, entry: EntryRef<'_>) -> Result<(), NoRoom> {
        if self.encode(&entry) {
            return Ok(());
        }
        self.hand_over(now)?;
        if self.encode(&entry) { Ok(()) } else { Err(NoRoom) }
    }

    #[inline]
    fn encode(&mut self, entry: &EntryRef<'_>) -> bool {
        let room = self.filling.get_mut(self.len..JOURNAL_CHUNK_BYTES - END_BYTES).unwrap_or_default();
        // The only error is that the room does not do.
        let Ok(used) = postcard::to_slice(entry, room) else { return false };
        self.len += used.len();
        true
    }

    /// Gives the buffer to the writer and goes on with another.
    fn hand_over(&mut self, now: Time) -> Result<(), NoRoom> {
        let Ok(next) = self.parts.spare.try_recv() else { return Err(NoRoom) };
        self.send(now, next)
    }

    /// Gives the buffer to the writer.
    fn send(&mut self, now: Time, next: Buffer) -> Result<(), NoRoom> {
        let bytes = std::mem::replace(&mut self.filling, next);
        let opens = match self.state {
            State::Recording { first: true } => Some((self.parts.head.segment, self.parts.head.lost)),
            State::Recording { first: false } | State::Lost(_) | State::Ended => None,
        };
        let chunk = Chunk { symbol: self.parts.index, opens, len: self.len, bytes };
        self.written += self.len as u64;
        (self.len, self.events, self.flushed) = (FRAME_HEAD, 0, now);
        if opens.is_some() {
            (self.parts.head.segment, self.parts.head.lost) = (self.parts.head.segment + 1, 0);
        }
        if matches!(self.state, State::Recording { .. }) {
            self.state = State::Recording { first: false };
        }
        // There is a place for every buffer; without a writer nothing is kept.
        self.parts.out.try_send(chunk).map(drop).map_err(|_| NoRoom)
    }

    /// What is in the buffer and `more` events are lost; the segment ends before them.
    fn lose(&mut self, now: Time, more: u64) {
        self.parts.head.lost += self.events + more;
        (self.len, self.events) = (FRAME_HEAD, 0);
        self.state = State::Lost(now);
    }

    /// Writes why the segment ends, and hands over the last of it.
    fn end(&mut self, now: Time, why: End) {
        let ended = self.put(now, EntryRef::End(why)).and_then(|()| self.hand_over(now));
        match ended {
            Ok(()) => self.state = State::Ended,
            Err(NoRoom) => self.lose(now, 0),
        }
    }

    /// Writes that the symbol stopped. The end has its room in every buffer, and no other buffer is needed after it: a disk
    /// that is behind does not leave the segment without its end.
    fn close(&mut self, now: Time) {
        let room = self.filling.get_mut(self.len..).unwrap_or_default();
        let used = postcard::to_slice(&EntryRef::End(End::Stopped), room).map_or(0, |used| used.len());
        self.len += used;
        // There is a place for every buffer.
        drop(self.send(now, Buffer::default()));
        self.state = State::Ended;
    }

    /// Begins a segment with the engine as it stands.
    fn begin(&mut self, now: Time, engine: &Engine) -> Result<(), postcard::Error> {
        let head = &mut self.parts.head;
        head.began = now;
        head.instrument = *engine.position().view(now).instrument;
        // A segment that follows has lost nothing.
        head.follows &= head.lost == 0;
        self.parts.failed.store(false, Ordering::Relaxed);
        let room = self.filling.get_mut(FRAME_HEAD..JOURNAL_CHUNK_BYTES - END_BYTES).unwrap_or_default();
        let used = postcard::to_slice(&(&*head, engine), room)?.len();
        (self.len, self.events, self.written) = (FRAME_HEAD + used, 0, 0);
        self.state = State::Recording { first: true };
        (self.last, self.flushed) = (now, now);
        Ok(())
    }
}

const _: () = assert!(JOURNAL_BUFFERS >= 2 && JOURNAL_CHUNK_BYTES > FRAME_HEAD);
