//! Where a market comes from, behind one small interface.

use plimsoll_market::{Bps, Price, Qty, RefPrice, Side, Time};

use crate::generator::Generator;
use crate::replay::Replay;

/// What a source does to its market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SourceEvent {
    /// A level of the outside liquidity has this quantity now.
    Level { side: Side, price: Price, qty: Qty },
    /// Somebody outside takes, at the limit or better.
    Take { side: Side, qty: Qty, limit: Price },
    /// A recorded trade.
    Trade { price: Price, qty: Qty, taker: Side },
    /// A recorded mark price.
    Mark { mark: RefPrice, index: RefPrice, funding: Bps },
}

/// Where a market comes from.
pub(crate) enum MarketSource {
    Generator(Box<Generator>),
    Replay(Box<Replay>),
    /// Nothing comes; only the accounts trade.
    Empty,
}

impl MarketSource {
    /// When the next step is due; `None` when nothing more comes.
    pub(crate) fn next_at(&self) -> Option<Time> {
        match self {
            Self::Generator(generator) => Some(generator.next_at()),
            Self::Replay(replay) => replay.next_at(),
            Self::Empty => None,
        }
    }

    /// Takes the step that is due.
    pub(crate) fn step(&mut self, book: &plimsoll_market::Book, events: &mut Vec<SourceEvent>) {
        match self {
            Self::Generator(generator) => generator.step(book, events),
            Self::Replay(replay) => replay.step(book, events),
            Self::Empty => {}
        }
    }

    /// Goes on at `now` as if no time had passed.
    pub(crate) fn skip_to(&mut self, now: Time) {
        match self {
            Self::Generator(generator) => generator.skip_to(now),
            Self::Replay(replay) => replay.skip_to(now),
            Self::Empty => {}
        }
    }
}
