//! Time: steps of the sources, ticks, seconds, minutes and fundings, in order.

use core::time::Duration;
use plimsoll_market::{Bps, MarkPrice, RefPrice, Side, Time};

use super::book::MatchBook;
use super::types::{MarketEvent, Sink, VenueEvent};
use super::{Market, Venue};
use crate::limits::{STEPS_PER_TURN, TICK_MS};
use crate::source::{MarketSource, SourceEvent};

const TICK: Duration = Duration::from_millis(TICK_MS);

/// How often the last price and the id counters are stored although no account did anything.
const KEEP: Duration = Duration::from_secs(10);

impl Venue {
    /// Lets everything happen that is due up to `now`, in order of time; of equal times markets first, in their order.
    ///
    /// # Bounds
    /// At most [`STEPS_PER_TURN`] steps; the rest follows at the next call, for which [`Venue::wake_at`] then asks at once.
    pub fn advance(&mut self, now: Time, out: &mut Sink<'_>) {
        self.run_to(now, out);
    }

    /// When [`Venue::advance`] has something to do next.
    pub fn wake_at(&self) -> Option<Time> {
        if !self.begun {
            return Some(self.now);
        }
        let sources = self.markets.iter().filter_map(|m| m.source.next_at()).min();
        Time::earliest(sources, Some(self.next_tick))
    }

    /// Whether every recording has been played to its end; `false` when there is none.
    pub fn finished(&self) -> bool {
        let mut recordings = self.markets.iter().filter(|m| matches!(m.source, MarketSource::Replay(_))).peekable();
        recordings.peek().is_some() && recordings.all(|m| m.source.next_at().is_none())
    }

    pub(crate) fn run_to(&mut self, now: Time, out: &mut Sink<'_>) {
        if !self.begun {
            self.begin(out);
        }
        self.skip_lag(now);
        for _ in 0..STEPS_PER_TURN {
            let next = self.markets.iter().enumerate().filter_map(|(i, m)| m.source.next_at().map(|at| (at, i))).min();
            match next {
                Some((at, market)) if at <= now && at <= self.next_tick => self.step_source(market, at, out),
                _ if self.next_tick <= now => self.tick(out),
                _ => {
                    self.now = self.now.max(now);
                    return;
                }
            }
        }
    }

    /// The venue opens: past candles, and the first timers.
    fn begin(&mut self, out: &mut Sink<'_>) {
        self.begun = true;
        let start = self.now;
        for market in &mut self.markets {
            if let MarketSource::Generator(generator) = &mut market.source {
                let past = generator.past(&market.instrument, start);
                market.candles.seed(&past);
            }
        }
        self.next_tick = next_multiple(start, TICK);
        self.next_second = next_multiple(start, Duration::from_secs(1));
        self.next_minute = next_multiple(start, Duration::from_secs(60));
        self.next_funding = next_multiple(start, self.funding_interval);
        self.next_keep = start;
        for market in 0..self.markets.len() {
            // What was restored is on the book already.
            self.settle(market, out);
        }
    }

    /// After the caller slept longer than allowed, the sources go on from now.
    fn skip_lag(&mut self, now: Time) {
        let Some(lag_max) = self.lag_max else { return };
        if now.since(self.next_tick) <= lag_max {
            return;
        }
        for market in &mut self.markets {
            market.source.skip_to(now);
        }
        self.now = self.now.max(now);
        self.next_tick = next_multiple(now, TICK);
    }

    fn step_source(&mut self, market: usize, at: Time, out: &mut Sink<'_>) {
        self.now = self.now.max(at);
        let Some(m) = self.markets.get_mut(market) else { return };
        let mut events = core::mem::take(&mut self.scratch);
        m.source.step(m.book.outside(), &mut events);
        let mut levels = false;
        for event in &events {
            match *event {
                SourceEvent::Level { side, price, qty } => {
                    self.book_mut(market, |book| book.set_outside(side, price, qty));
                    levels = true;
                }
                SourceEvent::Take { side, qty, limit } => {
                    self.cross(market, out);
                    self.take(market, side, qty, Some(limit), None, out);
                }
                SourceEvent::Trade { price, qty, taker } => self.recorded_trade(market, price, qty, taker, out),
                SourceEvent::Mark { mark, index, funding } => self.set_mark(market, mark, index, Some(funding), out),
            }
        }
        events.clear();
        self.scratch = events;
        if levels {
            let dropped = self.book_mut(market, MatchBook::uncross).unwrap_or(0);
            if dropped > 0
                && let Some(MarketSource::Replay(replay)) = self.markets.get_mut(market).map(|m| &mut m.source)
            {
                replay.note_crossed(dropped);
            }
            self.cross(market, out);
        }
        let Some(m) = self.markets.get_mut(market) else { return };
        let both = m.book.best_outside(Side::Buy).is_some() && m.book.best_outside(Side::Sell).is_some();
        if both && core::mem::replace(&mut m.requeue, false) {
            m.book.requeue_all();
        }
        if both && m.mark.mark == RefPrice::ZERO {
            self.follow_mark(market, out);
        }
        self.settle(market, out);
    }

    fn tick(&mut self, out: &mut Sink<'_>) {
        let now = self.next_tick;
        self.now = self.now.max(now);
        self.next_tick = now + TICK;
        let minute = due(&mut self.next_minute, now, Duration::from_secs(60));
        for m in &mut self.markets {
            let symbol = m.instrument.symbol;
            if minute && let Some(candle) = m.candles.close_minute(now) {
                out(VenueEvent::Market { symbol, event: MarketEvent::Candle { candle, closed: true } });
            }
            m.flush_agg(out);
            m.book.flush_batch(now, &mut |event| out(VenueEvent::Market { symbol, event }));
            if let Some(candle) = m.candles.take_changed() {
                out(VenueEvent::Market { symbol, event: MarketEvent::Candle { candle, closed: false } });
            }
        }
        self.expire_due(out);
        if due(&mut self.next_second, now, Duration::from_secs(1)) {
            for market in 0..self.markets.len() {
                self.follow_mark(market, out);
            }
            self.watch_margins(out);
        }
        if due(&mut self.next_funding, now, self.funding_interval) {
            for market in 0..self.markets.len() {
                self.pay_funding(market);
            }
        }
        if due(&mut self.next_keep, now, KEEP) {
            for market in 0..self.markets.len() {
                self.step.touch_market(market);
            }
        }
        for market in 0..self.markets.len() {
            self.settle(market, out);
        }
    }

    /// The mark price follows the middle of the book, unless a recording tells it.
    fn follow_mark(&mut self, market: usize, out: &mut Sink<'_>) {
        let Some(m) = self.markets.get(market) else { return };
        if let MarketSource::Replay(replay) = &m.source
            && replay.tells_marks()
        {
            return;
        }
        let middle = match m.book.top() {
            Some(top) => (m.instrument.ref_price(top.bid).units() + m.instrument.ref_price(top.ask).units()) / 2,
            None => match m.last_price {
                Some(price) => m.instrument.ref_price(price).units(),
                None => return,
            },
        };
        // The index is a slow average of the mark; their difference drives the funding rate.
        let index = match m.mark.index {
            RefPrice::ZERO => middle,
            index => index.units() + (middle - index.units()) / 16,
        };
        self.set_mark(market, RefPrice::from_units(middle), RefPrice::from_units(index), None, out);
    }

    fn set_mark(&mut self, market: usize, mark: RefPrice, index: RefPrice, funding: Option<Bps>, out: &mut Sink<'_>) {
        let (now, next_funding) = (self.now, self.next_funding);
        let Some(m) = self.markets.get_mut(market) else { return };
        m.follow_premium(mark, index);
        let funding = Some(funding.unwrap_or_else(|| m.funding_rate()));
        m.mark = MarkPrice { mark, index, funding, next_funding, time: now };
        out(VenueEvent::Market { symbol: m.instrument.symbol, event: MarketEvent::Mark(m.mark) });
    }
}

impl Market {
    fn follow_premium(&mut self, mark: RefPrice, index: RefPrice) {
        let premium = i128::from(mark.units() - index.units()) * 1_000_000 / i128::from(index.units().max(1));
        let premium = i64::try_from(premium).unwrap_or(0);
        self.premium_ppm += (premium - self.premium_ppm) / 64;
    }

    /// Binance's formula: premium plus the interest rate of 0.01 % clamped to within 0.05 % of it, here capped at 0.3 %.
    fn funding_rate(&self) -> Bps {
        let rate = self.premium_ppm + (100 - self.premium_ppm).clamp(-500, 500);
        Bps::from_ppm(i32::try_from(rate.clamp(-3_000, 3_000)).unwrap_or(0))
    }
}

/// Whether a timer is due; if so sets it to its next multiple after `now`.
fn due(timer: &mut Time, now: Time, every: Duration) -> bool {
    let due = *timer <= now;
    if due {
        *timer = next_multiple(now, every);
    }
    due
}

/// The first multiple of `every` since the epoch after `now`.
fn next_multiple(now: Time, every: Duration) -> Time {
    let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
    Time::from_millis((now.millis() / every + 1).saturating_mul(every))
}
