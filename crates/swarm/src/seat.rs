//! One symbol's engine in made-up time, told things as the program's loop tells them.

use plimsoll_engine::{Engine, Shell, turn};
use plimsoll_market::{Action, Actions, Event, Instrument, Time};
use std::collections::VecDeque;

/// A moment in which an engine is told an event.
#[derive(Debug)]
pub enum Moment<'a> {
    /// It is about to be told.
    Told(&'a Event),
    /// It is to have this done.
    Answered(Action),
}

/// What a check looks at.
pub(crate) struct Desk<'a> {
    pub(crate) instrument: Instrument,
    pub(crate) engine: &'a Engine,
    /// When the market last told something.
    pub(crate) heard: Time,
}

/// One symbol's engine, and what its loop keeps beside it.
pub struct Seat {
    pub(crate) instrument: Instrument,
    pub(crate) engine: Engine,
    /// When the market last told something.
    pub(crate) heard: Time,
    actions: Actions,
    echoes: VecDeque<Event>, // tidy: bounded by the actions of one event
}

impl Seat {
    /// A seat for an engine.
    pub fn new(instrument: Instrument, engine: Engine) -> Self {
        Self { instrument, engine, heard: Time::ZERO, actions: Actions::new(), echoes: VecDeque::new() }
    }

    pub(crate) const fn desk(&self) -> Desk<'_> {
        Desk { instrument: self.instrument, engine: &self.engine, heard: self.heard }
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether the engine asked to be woken by now: in made-up time a wake comes before anything later does.
    pub fn is_due(&self, now: Time) -> bool {
        self.engine.wake_at().is_some_and(|due| due <= now)
    }

    /// Tells the engine an event, has its actions done, and before anything else tells it what came of them at once: what
    /// `world` answers to an action that it did not carry out.
    pub fn tell(&mut self, now: Time, event: &Event, world: impl FnMut(&Engine, Moment<'_>) -> Option<Event>) {
        turn(&mut Telling { seat: self, now, world }, event);
    }
}

struct Telling<'a, W> {
    seat: &'a mut Seat,
    now: Time,
    world: W,
}

impl<W: FnMut(&Engine, Moment<'_>) -> Option<Event>> Shell for Telling<'_, W> {
    fn step(&mut self, event: &Event) {
        let Seat { engine, actions, echoes, .. } = &mut *self.seat;
        echoes.extend((self.world)(engine, Moment::Told(event)));
        engine.on_event(self.now, event, actions);
        for action in actions.drain() {
            echoes.extend((self.world)(engine, Moment::Answered(action)));
        }
    }

    fn next_echo(&mut self) -> Option<Event> {
        self.seat.echoes.pop_front()
    }
}
