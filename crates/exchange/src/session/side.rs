//! What a symbol needs beside its book and its orders: the exchange's own switch, candles of the past, and what an asset is worth
//! in which fees are paid.

use super::answers::Answer;
use super::core::{Fetch, Session};
use super::io::Outputs;
use super::jobs::Job;
use super::limits::{CANDLES_MAX, PAST_MAX, PAST_TRIES, PAST_WAIT_MAX, RATE_MAX_AGE, RATE_RETRY, SIDE_RETRY};
use crate::SymbolIndex;
use crate::binance::decode;
use crate::binance::encode::Interval;
use crate::instruments::Scales;
use core::time::Duration;
use plimsoll_market::{Amount, Asset, AssetRate, Candle, Event, PastCandle, RefPrice, Symbol, Time};

/// Hours that are fetched of an unfinished bar of up to a day.
const HOURS: u16 = 25;

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
        let n = self.symbols.iter().position(|state| matches!(state.past.fetch, Fetch::Wanted(at) if at <= now))?;
        let (symbol, step) = (SymbolIndex(n as u16), self.symbols.get(n)?.past.step);
        let (interval, count) = self.past_of(symbol)?.nth(usize::from(step))?;
        Some((Job::Candles(interval, count), symbol))
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
            Job::Candles(..) => state.past.fetch = Fetch::InFlight,
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

    /// A candle closed. While the past is still asked for it waits: told first, it would make the past out of date. A past that does
    /// not come, because requests have no room or are not answered, is waited for no longer than [`PAST_WAIT_MAX`].
    pub(super) fn candle(&mut self, now: Time, symbol: SymbolIndex, candle: Candle, out: &mut Outputs) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        if state.past.fetch != Fetch::None && now.since(state.past.begun) > PAST_WAIT_MAX {
            state.past = Past::default();
        }
        if state.past.fetch == Fetch::None {
            out.event(symbol, Event::Candle(Box::new(candle)));
        } else {
            // An older one that waits is among those that are fetched.
            state.past.waits = Some(candle);
        }
    }

    /// Tells the closed candles, oldest first; those that the stream tells too are told twice.
    pub(super) fn candles_answered(
        &mut self,
        now: Time,
        symbol: SymbolIndex,
        asked: (Interval, u16),
        answer: Answer<'_>,
        out: &mut Outputs,
    ) {
        let scales = self.instruments.get(symbol).map(|i| Scales { index: symbol, price: i.price_scale, qty: i.qty_scale, quote: i.quote });
        let exchange_now = self.offset.exchange_time(now);
        let steps = self.past_of(symbol).map_or(0, Iterator::count);
        let (Some(scales), Some(state)) = (scales, self.symbols.get_mut(symbol.usize())) else { return };
        if state.past.fetch != Fetch::InFlight {
            // Given up meanwhile.
            return;
        }
        if core::mem::take(&mut state.past.again) {
            // For an engine that is no more: from the beginning, with the stream's candle still waiting.
            (state.past.fetch, state.past.step, state.past.failures) = (Fetch::Wanted(now), 0, 0);
            return;
        }
        let (interval, most) = asked;
        match answer.map(|body| decode::klines(body, &scales)) {
            Ok(Ok(candles)) => {
                (state.past.step, state.past.failures) = (state.past.step + 1, 0);
                state.past.fetch = if usize::from(state.past.step) < steps { Fetch::Wanted(now) } else { Fetch::None };
                for past in candles.iter().filter(|past| past.close_time < exchange_now).take(usize::from(most)) {
                    let candle = past.candle;
                    out.event(
                        symbol,
                        match interval {
                            Interval::M1 => Event::Candle(Box::new(candle)),
                            longer => Event::Past(Box::new(PastCandle { interval: longer.duration(), candle })),
                        },
                    );
                }
            }
            failed => {
                if matches!(failed, Ok(Err(_))) {
                    self.stats.replies_malformed += 1;
                }
                state.past.failures += 1;
                state.past.fetch = if state.past.failures < PAST_TRIES { Fetch::Wanted(now + SIDE_RETRY) } else { Fetch::None };
            }
        }
        if state.past.fetch == Fetch::None
            && let Some(candle) = state.past.waits.take()
        {
            out.event(symbol, Event::Candle(Box::new(candle)));
        }
    }
}

/// What is fetched of a symbol's past when its market data begins.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) fetch: Fetch,
    /// Which of its requests is next.
    pub(super) step: u8,
    failures: u8,
    /// Since when it is asked for.
    begun: Time,
    /// Who heard the first of it is no more: it is told from the beginning.
    again: bool,
    /// The newest candle of the stream since then.
    waits: Option<Candle>,
}

impl Default for Past {
    fn default() -> Self {
        Self { fetch: Fetch::None, step: 0, failures: 0, begun: Time::ZERO, again: false, waits: None }
    }
}

impl Past {
    /// Market data begins: the past is asked for, if it is wanted and not on its way already.
    pub(super) fn begin(&mut self, now: Time, wanted: bool) {
        if wanted && self.fetch == Fetch::None {
            *self = Self { fetch: Fetch::Wanted(now), begun: now, ..Self::default() };
        }
    }

    /// Somebody new must hear all of it.
    fn begin_again(&mut self, now: Time) {
        match self.fetch {
            Fetch::None => self.begin(now, true),
            Fetch::Wanted(_) => (self.fetch, self.step, self.failures) = (Fetch::Wanted(now), 0, 0),
            Fetch::InFlight => self.again = true,
        }
    }
}

impl Session {
    /// An engine begins anew and knows nothing of the past. While market data do not come, their beginning tells it.
    pub(super) fn tell_past_again(&mut self, now: Time, symbol: SymbolIndex) {
        let wanted = self.past_of(symbol).is_some();
        if let Some(state) = self.symbols.get_mut(symbol.usize()).filter(|state| wanted && state.market_up) {
            state.past.begin_again(now);
        }
    }

    /// The requests for a symbol's past, one after the other: whole bars, then the hours and the minutes of the unfinished one.
    /// `None` when nothing is wanted.
    pub(super) fn past_of(&self, symbol: SymbolIndex) -> Option<impl Iterator<Item = (Interval, u16)> + use<>> {
        let name = self.instruments.get(symbol)?.symbol;
        let bar = self.config.bars.iter().find(|(of, _)| *of == name).map(|(_, bar)| *bar);
        let minutes = match bar {
            None if self.config.candles == 0 => return None,
            None => self.config.candles,
            Some(Interval::M1) => PAST_MAX,
            Some(_) => CANDLES_MAX,
        };
        let bars = bar.filter(|bar| *bar != Interval::M1).map(|bar| (bar, PAST_MAX));
        let hours = bar.filter(|bar| bar.duration() > Interval::H1.duration()).map(|_| (Interval::H1, HOURS));
        Some(bars.into_iter().chain(hours).chain([(Interval::M1, minutes)]))
    }
}
