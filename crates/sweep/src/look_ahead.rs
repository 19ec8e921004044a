//! The look-ahead check: what is decided may not depend on what comes later.

use crate::limits::CUTS;
use crate::play::{Moved, PlayError, Window};
use arrayvec::ArrayVec;
use core::fmt::{self, Write as _};
use core::time::Duration;
use plimsoll_backtest::{Observer, Run, Sample};
use plimsoll_market::{Action, Record, Time};
use serde::Serialize;

/// What the check found at one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Cut {
    /// Milliseconds since the epoch: the future begins here.
    pub at_ms: u64,
    /// Orders placed and withdrawn before it.
    pub decisions: u64,
    /// Whether they are the same when the data end here.
    pub same_when_cut: bool,
    /// Whether they are the same when every later price is a twentieth higher.
    pub same_when_moved: bool,
}

/// FNV-1a over everything that is written to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sum(u64);

impl fmt::Write for Sum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

/// The decisions so far, and before the present moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Count {
    sum: Sum,
    decisions: u64,
}

/// Watches a run of the look-ahead check: sums up its orders, and knows the sums before each of a few times.
pub struct Decisions {
    now: Time,
    all: Count,
    before_now: Count,
    /// Times that are still to come, the next one last, and the sums before those that came.
    ahead: ArrayVec<Time, CUTS>,
    passed: ArrayVec<Count, CUTS>,
}

const NOTHING: Count = Count { sum: Sum(0xcbf2_9ce4_8422_2325), decisions: 0 };

impl Decisions {
    fn new(cuts: impl DoubleEndedIterator<Item = Time>) -> Self {
        Self { now: Time::ZERO, all: NOTHING, before_now: NOTHING, ahead: cuts.rev().take(CUTS).collect(), passed: ArrayVec::new() }
    }

    /// The sum of what was decided before a time that is not earlier than the last decision.
    fn before(&self, end: Time) -> Count {
        if self.now < end { self.all } else { self.before_now }
    }
}

impl Observer for Decisions {
    fn asked(&mut self, now: Time, action: &Action) {
        if !matches!(action, Action::Place(_) | Action::Cancel(_)) {
            return;
        }
        while self.ahead.last().is_some_and(|cut| *cut <= now) {
            self.ahead.pop();
            // As many as were ahead: there is room.
            self.passed.push(self.all);
        }
        if now > self.now {
            (self.now, self.before_now) = (now, self.all);
        }
        self.all.decisions += 1;
        // Its text has every field; writing to a sum cannot fail.
        let _written = write!(self.all.sum, "{} {action:?};", now.nanos());
    }

    fn booked(&mut self, _: Time, _: &Record) {}
    fn liquidated(&mut self, _: Time) {}
    fn sample(&mut self, _: &Sample) {}
}

/// Runs a window whole, cut short at [`CUTS`] places, and with another future from each of them on, and compares what was decided
/// before. `run` plays a window with the same settings each time; `by` is what later prices are moved by.
///
/// # Errors
/// As `run`.
pub fn look_ahead(
    window: Window,
    by: i64,
    mut run: impl FnMut(Window, Option<Moved>, Decisions) -> Result<Run<Decisions>, PlayError>,
) -> Result<Vec<Cut>, PlayError> {
    let length = window.until.since(window.from).as_nanos() as u64;
    let parts = CUTS as u64 + 1;
    // Whole minutes: candles begin there.
    let minute = Duration::from_secs(60).as_nanos() as u64;
    let at = |part: u64| Time::from_nanos((window.from.nanos() + length / parts * part) / minute * minute);
    let mut cuts: ArrayVec<(Time, Time, Count), CUTS> = ArrayVec::new();
    for cut in (1..=CUTS as u64).map(at).filter(|cut| *cut > window.from) {
        let short = match run(Window { until: cut, ..window }, None, Decisions::new(core::iter::empty())) {
            // So early nothing had happened yet.
            Err(PlayError::NeverBegan) => continue,
            other => other?,
        };
        // What is under way when the data end never arrives: what was decided until then is compared.
        let end = short.now();
        if cuts.last().is_none_or(|(_, before, _)| *before < end) {
            cuts.push((cut, end, short.into_observer().before(end)));
        }
    }
    let whole = run(window, None, Decisions::new(cuts.iter().map(|(_, end, _)| *end)))?.into_observer();
    let mut found = Vec::new();
    for (place, (cut, end, short)) in cuts.iter().enumerate() {
        // A time after the last decision was never passed.
        let expected = whole.passed.get(place).copied().unwrap_or(whole.all);
        let moved = run(window, Some(Moved { at: *cut, by }), Decisions::new(core::iter::once(*end)))?.into_observer();
        let moved = moved.passed.first().copied().unwrap_or(moved.all);
        found.push(Cut {
            at_ms: cut.millis(),
            decisions: expected.decisions,
            same_when_cut: *short == expected,
            same_when_moved: moved == expected,
        });
    }
    Ok(found)
}
