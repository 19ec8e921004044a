//! What waits to be written to one connection.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use tokio::sync::Notify;

use crate::faults::Twist;
use crate::limits::{HELD_BEATS_MAX, OUTBOX_KEPT_BYTES, OUTBOX_KEPT_MAX, OUTBOX_LATEST_BYTES, OUTBOX_LATEST_MAX};

/// How precious a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// Must arrive: without it the client's picture is wrong. When there is no room the connection is closed.
    Kept,
    /// Goes in its turn; when half of the room is taken it is left out. Trades of the market, which a client that is overrun by a
    /// market of a thousand times the usual speed can miss better than its connection.
    Tape,
    /// Only the latest matter: when there is no room the oldest go.
    Latest,
}

/// What the writer of a connection is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Write this.
    Frame(Utf8Bytes),
    /// Close, for this reason.
    Close(&'static str),
}

/// The queue between the engine and one connection.
///
/// # Bounds
/// Both lanes have a number of frames and of bytes; see [`Lane`] for what happens at them.
pub(crate) struct Outbox {
    state: Mutex<State>,
    arrived: Notify,
}

struct State {
    kept: Ring<Utf8Bytes>,
    kept_bytes: usize,
    latest: Ring<Utf8Bytes>,
    latest_bytes: usize,
    close: Option<&'static str>,
    /// An event that waits for the next one to go first, and the beats that it has waited.
    held: Option<(Utf8Bytes, u8)>,
}

impl State {
    /// Adds a frame that must arrive, or has the connection closed.
    fn keep(&mut self, frame: Utf8Bytes) {
        let bytes = self.kept_bytes + frame.len();
        if bytes > OUTBOX_KEPT_BYTES || self.kept.push(frame).is_err() {
            self.close = Some("too slow: events would be lost");
        } else {
            self.kept_bytes = bytes;
        }
    }
}

impl Outbox {
    /// Declares the lane of what must arrive.
    pub(crate) fn kept_line(name: &str) -> Line<'_> {
        let heap = OUTBOX_KEPT_BYTES / OUTBOX_KEPT_MAX;
        Line::of::<Utf8Bytes>(name, OUTBOX_KEPT_MAX, WhenFull::Refuse, Class::MustKeep).with_heap(heap)
    }

    /// Declares the lane of what may be overtaken.
    pub(crate) fn latest_line(name: &str) -> Line<'_> {
        let heap = OUTBOX_LATEST_BYTES / OUTBOX_LATEST_MAX;
        Line::of::<Utf8Bytes>(name, OUTBOX_LATEST_MAX, WhenFull::DropOldest, Class::LatestWins).with_heap(heap)
    }

    pub(crate) fn new(kept: Grant, latest: Grant) -> Self {
        let (kept, latest) = (Ring::new(kept), Ring::new(latest));
        let state = State { kept, kept_bytes: 0, latest, latest_bytes: 0, close: None, held: None };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole at each step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it ready for another connection.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.kept.clear();
        state.latest.clear();
        (state.kept_bytes, state.latest_bytes, state.close, state.held) = (0, 0, None, None);
    }

    /// Adds a frame, by the rule of its lane.
    pub(crate) fn push(&self, lane: Lane, frame: Utf8Bytes) {
        let mut state = self.lock();
        if state.close.is_some() {
            return;
        }
        match lane {
            Lane::Kept => state.keep(frame),
            Lane::Tape if state.kept.len() >= OUTBOX_KEPT_MAX / 2 || state.kept_bytes >= OUTBOX_KEPT_BYTES / 2 => {
                state.kept.grant().gauge().overflowed(1);
            }
            Lane::Tape => state.keep(frame),
            Lane::Latest => {
                while state.latest_bytes + frame.len() > OUTBOX_LATEST_BYTES || state.latest.is_full() {
                    let Some(oldest) = state.latest.pop_front() else { break };
                    state.latest_bytes -= oldest.len();
                    state.latest.grant().gauge().overflowed(1);
                }
                state.latest_bytes += frame.len();
                if state.latest.push(frame).is_err() {
                    unreachable!("a ring that drops its oldest takes every frame");
                }
            }
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Adds an event of the owner's, which a fault may twist. What is held back follows the event after it.
    pub(crate) fn push_event(&self, frame: Utf8Bytes, twist: Option<Twist>) {
        let mut state = self.lock();
        if state.close.is_some() {
            return;
        }
        match (state.held.take(), twist) {
            (None, Some(Twist::Later)) => state.held = Some((frame, 0)),
            (held, twist) => {
                if twist == Some(Twist::Twice) {
                    state.keep(frame.clone());
                }
                state.keep(frame);
                if let Some((held, _)) = held {
                    state.keep(held);
                }
            }
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Lets an event go that no other has followed.
    pub(crate) fn beat(&self) {
        let mut state = self.lock();
        let Some((_, beats)) = &mut state.held else { return };
        *beats += 1;
        if *beats >= HELD_BEATS_MAX
            && let Some((frame, _)) = state.held.take()
        {
            state.keep(frame);
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// Asks for the connection to be closed once what waits is written.
    pub(crate) fn close(&self, reason: &'static str) {
        self.lock().close.get_or_insert(reason);
        self.arrived.notify_one();
    }

    /// Takes what is to be done next, if there is anything; what must arrive goes first.
    pub(crate) fn try_next(&self) -> Option<Next> {
        let mut state = self.lock();
        if let Some(frame) = state.kept.pop_front() {
            state.kept_bytes -= frame.len();
            return Some(Next::Frame(frame));
        }
        if let Some(reason) = state.close {
            return Some(Next::Close(reason));
        }
        let frame = state.latest.pop_front()?;
        state.latest_bytes -= frame.len();
        Some(Next::Frame(frame))
    }

    /// Waits until there is something to be done.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken before it is returned.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Grant::detached(Outbox::kept_line("a")), Grant::detached(Outbox::latest_line("b")))
    }

    fn text(text: &str) -> Utf8Bytes {
        Utf8Bytes::from(text.to_owned())
    }

    #[test]
    fn what_must_arrive_is_never_dropped_but_closes_the_connection() {
        let outbox = outbox();
        for at in 0..OUTBOX_KEPT_MAX {
            outbox.push(Lane::Kept, text(&at.to_string()));
        }
        outbox.push(Lane::Kept, text("one too many"));
        for at in 0..OUTBOX_KEPT_MAX {
            assert_eq!(outbox.try_next(), Some(Next::Frame(text(&at.to_string()))));
        }
        assert!(matches!(outbox.try_next(), Some(Next::Close(_))));
        outbox.reset();
        assert_eq!(outbox.try_next(), None);
    }

    #[test]
    fn trades_of_the_market_leave_half_of_the_room() {
        let outbox = outbox();
        for at in 0..2 * OUTBOX_KEPT_MAX {
            outbox.push(Lane::Tape, text(&at.to_string()));
        }
        outbox.push(Lane::Kept, text("fill"));
        let taken: Vec<_> = std::iter::from_fn(|| outbox.try_next()).collect();
        assert_eq!((taken.len(), taken.last()), (OUTBOX_KEPT_MAX / 2 + 1, Some(&Next::Frame(text("fill")))));
        outbox.push(Lane::Tape, text("later"));
        assert_eq!(outbox.try_next(), Some(Next::Frame(text("later"))));
    }

    #[test]
    fn bytes_are_a_limit_too() {
        let outbox = outbox();
        outbox.push(Lane::Kept, text(&"x".repeat(OUTBOX_KEPT_BYTES)));
        outbox.push(Lane::Kept, text("y"));
        assert!(matches!(outbox.try_next(), Some(Next::Frame(_))));
        assert!(matches!(outbox.try_next(), Some(Next::Close(_))));
    }

    #[test]
    fn of_what_may_be_overtaken_the_latest_stay() {
        let outbox = outbox();
        for at in 0..OUTBOX_LATEST_MAX + 2 {
            outbox.push(Lane::Latest, text(&at.to_string()));
        }
        assert_eq!(outbox.try_next(), Some(Next::Frame(text("2"))));
        outbox.push(Lane::Latest, text(&"x".repeat(OUTBOX_LATEST_BYTES)));
        assert_eq!(outbox.try_next(), Some(Next::Frame(text(&"x".repeat(OUTBOX_LATEST_BYTES)))));
        assert_eq!(outbox.try_next(), None);
    }

    #[test]
    fn an_event_held_back_follows_the_next_or_goes_alone_in_time() {
        let outbox = outbox();
        let taken = || std::iter::from_fn(|| outbox.try_next()).collect::<Vec<_>>();
        let frames = |texts: &[&str]| texts.iter().map(|one| Next::Frame(text(one))).collect::<Vec<_>>();
        outbox.push_event(text("a"), Some(Twist::Later));
        assert_eq!(taken(), []);
        outbox.push_event(text("b"), None);
        assert_eq!(taken(), frames(&["b", "a"]));
        outbox.push_event(text("c"), Some(Twist::Twice));
        assert_eq!(taken(), frames(&["c", "c"]));
        outbox.push_event(text("d"), Some(Twist::Later));
        outbox.push_event(text("e"), Some(Twist::Later));
        assert_eq!(taken(), frames(&["e", "d"]), "two that are held back have changed places, too");
        outbox.push_event(text("f"), Some(Twist::Later));
        (1..HELD_BEATS_MAX).for_each(|_| outbox.beat());
        assert_eq!(taken(), []);
        outbox.beat();
        assert_eq!(taken(), frames(&["f"]));
        outbox.push_event(text("g"), Some(Twist::Later));
        outbox.reset();
        (0..HELD_BEATS_MAX).for_each(|_| outbox.beat());
        assert_eq!(taken(), [], "another connection gets nothing of it");
    }

    #[tokio::test]
    async fn the_owners_events_overtake_the_market() {
        let outbox = outbox();
        outbox.push(Lane::Latest, text("top"));
        outbox.push(Lane::Kept, text("fill"));
        assert_eq!(outbox.next().await, Next::Frame(text("fill")));
        assert_eq!(outbox.next().await, Next::Frame(text("top")));
    }
}
