//! What a symbol needs beside its book and its orders: the exchange's own switch, candles of the past, and what an asset is worth
//! in which fees are paid.

use super::answers::Answer;
use super::core::{Fetch, Session};
use super::io::Outputs;
use super::jobs::Job;
use super::limits::{RATE_MAX_AGE, RATE_RETRY, SIDE_RETRY};
use crate::SymbolIndex;
use crate::binance::decode;
use crate::instruments::Scales;
use core::time::Duration;
use plimsoll_market::{Amount, Asset, AssetRate, Event, RefPrice, Symbol, Time};

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

/// An asset in which fees are paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FeeAsset {
    asset: Asset,
    quote: Asset,
    fetch: Fetch,
    /// Whether a fee was paid while a request was on its way: its answer may be from before it.
    again: bool,
    /// When it was last told; zero before the first time.
    told: Time,
}

impl FeeAsset {
    /// When its rate is to be asked for, if it is wanted.
    pub(super) fn due_at(&self) -> Option<Time> {
        if let Fetch::Wanted(at) = self.fetch { Some(at) } else { None }
    }

    fn wanted(&mut self, now: Time) {
        match self.fetch {
            Fetch::None => self.fetch = Fetch::Wanted(now.max(self.told + RATE_MAX_AGE)),
            Fetch::InFlight => self.again = true,
            Fetch::Wanted(_) => {}
        }
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
        if let Job::Rate(at) = job {
            if let Some(rate) = self.rates.get_mut(usize::from(at)) {
                rate.fetch = Fetch::InFlight;
            }
            return;
        }
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        match job {
            Job::Candles(_) => state.candles = Fetch::InFlight,
            Job::Countdown(_) => state.arming = state.arming.map(|arming| Arming { in_flight: true, ..arming }),
            _ => {}
        }
    }

    /// A fee was paid: if not in the quote asset, its rate is wanted.
    pub(super) fn fee_paid(&mut self, now: Time, symbol: SymbolIndex, fee: Amount) {
        let Some(quote) = self.instruments.get(symbol).map(|i| i.quote) else { return };
        if fee.asset != quote && fee.units != 0 {
            self.want_rate(now, fee.asset, quote);
        }
    }

    /// Fees of an earlier run wait for rates.
    pub(super) fn want_rates(&mut self, now: Time) {
        for at in 0..self.config.rates.len() {
            let Some((symbol, asset)) = self.config.rates.get(at).copied() else { continue };
            let index = self.instruments.index(symbol.as_str());
            if let Some(quote) = index.and_then(|index| self.instruments.get(index)).map(|i| i.quote) {
                self.want_rate(now, asset, quote);
            }
        }
    }

    fn want_rate(&mut self, now: Time, asset: Asset, quote: Asset) {
        self.dirty = true;
        if let Some(known) = self.rates.iter_mut().find(|known| (known.asset, known.quote) == (asset, quote)) {
            known.wanted(now);
            return;
        }
        // Beyond the limit the engine says how many fees are not converted.
        let _full = self.rates.try_push(FeeAsset { asset, quote, fetch: Fetch::Wanted(now), again: false, told: Time::ZERO });
    }

    /// The next asset whose rate is wanted.
    pub(super) fn next_rate(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        let at = self.rates.iter().position(|rate| rate.due_at().is_some_and(|at| at <= now))?;
        Some((Job::Rate(at as u8), SymbolIndex::ANY))
    }

    /// The symbol that tells an asset's rate: of its perpetual contract the index price.
    pub(super) fn rate_symbol(&self, at: u8) -> Option<Symbol> {
        let known = self.rates.get(usize::from(at))?;
        Symbol::new(&format!("{}{}", known.asset, known.quote)).ok()
    }

    /// Tells a rate to all symbols that are settled in its quote asset.
    pub(super) fn rate_answered(&mut self, now: Time, at: u8, answer: Answer<'_>, out: &mut Outputs) {
        let symbol = self.rate_symbol(at);
        let Some(known) = self.rates.get_mut(usize::from(at)) else { return };
        let again = core::mem::take(&mut known.again);
        let price = match answer.map(decode::index_price) {
            Ok(Ok((named, price))) if Some(named) == symbol && price > RefPrice::ZERO => price,
            Ok(_) => {
                self.stats.replies_malformed += 1;
                known.fetch = Fetch::Wanted(now + RATE_RETRY);
                return;
            }
            // Without such a contract it stays unknown; one may be listed yet.
            Err(trouble) => {
                known.fetch = Fetch::Wanted(now + if trouble.is_retry() { SIDE_RETRY } else { RATE_RETRY });
                return;
            }
        };
        (known.fetch, known.told) = (Fetch::None, now);
        if again {
            known.wanted(now);
        }
        let rate = AssetRate { asset: known.asset, quote: known.quote, rate: price };
        for n in 0..self.symbols.len() {
            let index = SymbolIndex(n as u16);
            if self.instruments.get(index).is_some_and(|i| i.quote == rate.quote) {
                out.event(index, Event::Rate(Box::new(rate)));
            }
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
