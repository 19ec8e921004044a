//! The latest fills of one symbol, for the live view.

use std::sync::{Mutex, PoisonError};

use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use plimsoll_market::{Booked, Instrument};

use crate::dto::FillDto;
use crate::limits::FILLS_RECENT;

/// Keeps the latest fills of one symbol; whoever books them pushes, [`crate::Source::fills`] reads.
///
/// # Bounds
/// The grant's capacity; the oldest goes.
pub struct FillTape {
    fills: Mutex<Ring<(Booked, Instrument)>>,
}

impl FillTape {
    /// Declares the line of one symbol's tape; `name` is `web.tape/` and the owner.
    pub const fn line(name: &str) -> Line<'_> {
        Line::of::<(Booked, Instrument)>(name, FILLS_RECENT, WhenFull::DropOldest, Class::BestEffort)
    }

    /// Makes an empty tape.
    ///
    /// # Panics
    /// When the grant is not of [`FillTape::line`].
    pub fn new(grant: Grant) -> Self {
        Self { fills: Mutex::new(Ring::new(grant)) }
    }

    /// Adds a fill with the rules that it was made under.
    pub fn push(&self, booked: &Booked, instrument: &Instrument) {
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        // What falls off the end is meant to.
        fills.roll((*booked, *instrument));
    }

    /// Forgets all fills: memory is short.
    pub fn clear(&self) {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the fills, newest first.
    pub fn newest_first(&self) -> Vec<FillDto> {
        let fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        fills.iter().rev().map(|(booked, instrument)| FillDto::new(booked, instrument)).collect()
    }
}

impl std::fmt::Debug for FillTape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FillTape")
    }
}
