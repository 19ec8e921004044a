//! What a symbol needs beside its book and its orders: the exchange's own switch, and candles of the past.

use super::answers::Answer;
use super::core::{Fetch, Session};
use super::io::Outputs;
use super::jobs::Job;
use super::limits::SIDE_RETRY;
use crate::SymbolIndex;
use crate::binance::decode;
use crate::instruments::Scales;
use core::time::Duration;
use plimsoll_market::{Event, Time};

/// What the exchange's switch is to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Arming {
    after: Duration,
    at: Time,
    in_flight: bool,
}

impl Arming {
    /// When it is to be told, if it is not being told now.
    pub(super) fn due_at(&self) -> Option<Time> {
        (!self.in_flight).then_some(self.at)
    }
}

impl Session {
    /// An engine tells its switch; what it said before and was not sent yet is void.
    pub(super) fn arm(&mut self, now: Time, symbol: SymbolIndex, after: Duration) {
        if let Some(state) = self.symbols.get_mut(symbol.usize()) {
            state.arming = Some(Arming { after, at: now, in_flight: false });
        }
    }

    /// The next switch to be told. What was said before must have been answered: two words on their way could change places.
    pub(super) fn next_arming(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        let due = |arming: Arming| arming.due_at().is_some_and(|at| at <= now).then_some(arming.after);
        let told = |n: usize| self.pending.iter().any(|p| matches!(p.job, Job::Countdown(_)) && p.symbol.usize() == n);
        let mut symbols = self.symbols.iter().enumerate().filter(|(n, state)| state.arming.is_some() && !told(*n));
        symbols.find_map(|(n, state)| state.arming.and_then(due).map(|after| (Job::Countdown(after), SymbolIndex(n as u16))))
    }

    /// The next symbol whose candles of the past are wanted.
    pub(super) fn next_candles(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        let n = self.symbols.iter().position(|state| matches!(state.candles, Fetch::Wanted(at) if at <= now))?;
        Some((Job::Candles(self.config.candles), SymbolIndex(n as u16)))
    }

    pub(super) fn side_started(&mut self, job: Job, symbol: SymbolIndex) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        match job {
            Job::Candles(_) => state.candles = Fetch::InFlight,
            Job::Countdown(_) => state.arming = state.arming.map(|arming| Arming { in_flight: true, ..arming }),
            _ => {}
        }
    }

    pub(super) fn armed(&mut self, now: Time, symbol: SymbolIndex, after: Duration, answer: &Answer<'_>) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        // Told anew meanwhile, it goes by that.
        let Some(arming) = state.arming.filter(|arming| arming.in_flight && arming.after == after) else { return };
        state.arming = match answer {
            Ok(_) => None,
            Err(trouble) if trouble.is_retry() => Some(Arming { at: now + SIDE_RETRY, in_flight: false, ..arming }),
            // What the exchange does not take it will not take the next moment; the engine tells it again in its time.
            Err(_) => None,
        };
        if answer.is_err() {
            self.stats.countdowns_failed += 1;
        }
    }

    /// Tells the closed candles, oldest first; those that the stream tells too are told twice.
    pub(super) fn candles_answered(&mut self, now: Time, symbol: SymbolIndex, answer: Answer<'_>, out: &mut Outputs) {
        let scales = self.instruments.get(symbol).map(|i| Scales { index: symbol, price: i.price_scale, qty: i.qty_scale, quote: i.quote });
        let exchange_now = self.offset.exchange_time(now);
        let (Some(scales), Some(state)) = (scales, self.symbols.get_mut(symbol.usize())) else { return };
        match answer.map(|body| decode::klines(body, &scales)) {
            Ok(Ok(candles)) => {
                state.candles = Fetch::None;
                let most = usize::from(self.config.candles);
                for past in candles.iter().filter(|past| past.close_time < exchange_now).take(most) {
                    out.event(symbol, Event::Candle(Box::new(past.candle)));
                }
            }
            failed => {
                if matches!(failed, Ok(Err(_))) {
                    self.stats.replies_malformed += 1;
                }
                state.candles = Fetch::Wanted(now + SIDE_RETRY);
            }
        }
    }
}
