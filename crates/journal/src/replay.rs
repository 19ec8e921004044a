//! Tells an engine again what it was told, and compares what it answers.

use crate::format::{End, Entry, Head};
use crate::read::{Beginning, Damage, Ending, Next, SegmentReader};
use plimsoll_engine::Engine;
use plimsoll_market::{Action, Actions, Event, Time};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What an engine was told.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// An event.
    Event(Event),
    /// That it is halted.
    Halted,
}

/// What it answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// These actions.
    Actions(Vec<Action>), // tidy: bounded by ACTIONS_MAX
    /// It failed, with these words.
    Failed(String),
}

impl Answer {
    /// The words of a failure may change; that it failed may not.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Actions(a), Self::Actions(b)) => a == b,
            (Self::Failed(_), Self::Failed(_)) => true,
            (Self::Actions(_), Self::Failed(_)) | (Self::Failed(_), Self::Actions(_)) => false,
        }
    }
}

/// One thing that happened, whole.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// When.
    pub now: Time,
    /// What the engine was told.
    pub told: Told,
    /// What it answered.
    pub answer: Answer,
}

/// Where the replay answers otherwise.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// The event's number in the segment, from 1.
    pub number: u64,
    /// What is recorded.
    pub step: Step,
    /// What the engine answers now.
    pub got: Answer,
}

/// How a segment was replayed.
#[derive(Debug)]
pub struct Report {
    /// What it says of itself.
    pub head: Head,
    /// Events told.
    pub events: u64,
    /// Actions recorded.
    pub actions: u64,
    /// When the last event happened.
    pub until: Time,
    /// What it ends with.
    pub ending: Ending,
    /// The first difference; nothing after it was compared.
    pub difference: Option<Difference>,
    /// The engine as the segment began, as it is written.
    pub began: Vec<u8>, // tidy: bounded by the engine it is written from
    /// The engine as it stands at the end, as it would be written.
    pub state: Vec<u8>, // tidy: bounded by the engine it is written from
}

/// The steps of a segment, whole ones only: of the last event of a file that was torn, actions may be missing.
pub struct Steps<R> {
    reader: SegmentReader<R>,
    now: Time,
    ahead: Option<Entry>,
    ending: Option<Ending>,
}

impl<R: Read> Steps<R> {
    /// Begins after the head.
    pub const fn new(reader: SegmentReader<R>, began: Time) -> Self {
        Self { reader, now: began, ahead: None, ending: None }
    }

    /// The next step; `None` at the end.
    ///
    /// # Errors
    /// What was damaged or is not understood.
    pub fn next_step(&mut self) -> Result<Option<Step>, Damage> {
        while self.ending.is_none() {
            let entry = match self.ahead.take() {
                Some(entry) => entry,
                None => match self.reader.read_on()? {
                    Next::Entry(entry) => entry,
                    Next::Over(ending) => {
                        self.ending = Some(ending);
                        break;
                    }
                },
            };
            let (since, count, told) = match entry {
                Entry::Event { since, actions, event } => (since, actions, Told::Event(event)),
                Entry::Halted { since, actions } => (since, actions, Told::Halted),
                Entry::Fault { since, event } => {
                    self.pass(since);
                    return Ok(Some(Step { now: self.now, told: Told::Event(event), answer: Answer::Failed(String::new()) }));
                }
                Entry::Action(_) => return Err(Damage::Order { at: self.reader.frame_at() }),
                Entry::End(_) => continue,
            };
            self.pass(since);
            let mut actions = Vec::new();
            while actions.len() < usize::from(count) {
                match self.reader.read_on()? {
                    Next::Entry(Entry::Action(action)) => actions.push(action),
                    // The file was torn here, or a gap begins: the event is left out.
                    Next::Entry(other @ Entry::End(End::Gap(_))) => {
                        self.ahead = Some(other);
                        break;
                    }
                    Next::Entry(_) => return Err(Damage::Order { at: self.reader.frame_at() }),
                    Next::Over(ending) => {
                        self.ending = Some(ending);
                        return Ok(None);
                    }
                }
            }
            if self.ahead.is_none() {
                return Ok(Some(Step { now: self.now, told, answer: Answer::Actions(actions) }));
            }
        }
        Ok(None)
    }

    /// What the file ends with, once all was read.
    pub fn ending(&self) -> Ending {
        self.ending.unwrap_or(Ending::Unmarked)
    }

    const fn pass(&mut self, since: u64) {
        self.now = Time::from_nanos(self.now.nanos().wrapping_add(since));
    }
}

/// Tells an engine something and returns what it answers.
pub fn tell(engine: &mut Engine, actions: &mut Actions, now: Time, told: &Told) -> Answer {
    let done = catch_unwind(AssertUnwindSafe(|| match told {
        Told::Event(event) => engine.on_event(now, event, actions),
        Told::Halted => engine.halt(now, actions),
    }));
    let taken = actions.drain().collect();
    match done {
        Ok(()) => Answer::Actions(taken),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Answer::Failed(text.unwrap_or("without a word").to_owned())
        }
    }
}

/// A segment replayed; `None` when there was nothing to replay. With what was damaged comes what was read before it.
pub type Replayed = Result<Option<Report>, (Damage, Option<Box<Report>>)>;

/// Replays one segment; `each` sees every step with what the engine answers now. `None`: its writer was killed before the
/// beginning was whole.
///
/// # Errors
/// What was damaged or is not understood.
pub fn replay<R: Read>(input: R, each: impl Fn(&Head, &Step)) -> Replayed {
    let Some((Beginning { head, mut engine, state }, reader)) = SegmentReader::open(input).map_err(|damage| (damage, None))? else {
        return Ok(None);
    };
    let mut steps = Steps::new(reader, head.began);
    let mut actions = Actions::new();
    let until = head.began;
    let mut report =
        Report { head, events: 0, actions: 0, until, ending: Ending::Unread, difference: None, began: state, state: Vec::new() };
    loop {
        let step = match steps.next_step() {
            Ok(Some(step)) => step,
            Ok(None) => break,
            Err(damage) => return Err((damage, Some(Box::new(report)))),
        };
        report.events += 1;
        report.until = step.now;
        if let Answer::Actions(recorded) = &step.answer {
            report.actions += recorded.len() as u64;
        }
        each(&report.head, &step);
        if report.difference.is_none() {
            let got = tell(&mut engine, &mut actions, step.now, &step.told);
            if !got.is(&step.answer) {
                report.difference = Some(Difference { number: report.events, step, got });
            }
        }
    }
    report.ending = steps.ending();
    report.state = postcard::to_stdvec(&engine).unwrap_or_default();
    Ok(Some(report))
}
