//! Candles: the way of their prices.

use super::{NEVER, Observer, Run, sample_of};
use crate::tape::Bar;
use arrayvec::ArrayVec;
use core::time::Duration;
use plimsoll_market::{Candle, Event, Notional, Price, Qty, Time, Top};

/// So many candles may pass between two looks at the account of somebody who holds nothing.
pub(super) const QUIET_CANDLES: u32 = 16;

/// How history comes.
pub(super) enum Pace {
    Ticks,
    Candles(Course),
}

/// The way of a candle.
pub(super) struct Course {
    pub(super) length: Duration,
    /// Prices still to come, the next one last.
    points: ArrayVec<(Time, Price), POINTS>,
    volume: Qty,
    bar: Option<(Time, Bar)>,
}

/// Prices that are told of a candle.
const POINTS: usize = 4;

impl Course {
    /// Before the first candle.
    pub(super) const fn new(length: Duration) -> Self {
        Self { length, points: ArrayVec::new_const(), volume: Qty::ZERO, bar: None }
    }
}

impl<O: Observer> Run<O> {
    /// A candle begins: its prices come one after the other.
    pub(super) fn candle(&mut self, time: Time, bar: Bar) {
        self.finish_candle();
        let Pace::Candles(course) = &mut self.candles else { return };
        let (third, last) = (course.length / 3, course.length.saturating_sub(Duration::from_millis(1)));
        // Against its direction first: what a position could lose in it, it loses before it gains.
        let (first, second) = if bar.close >= bar.open { (bar.low, bar.high) } else { (bar.high, bar.low) };
        course.points.clear();
        course.points.extend([(time + last, bar.close), (time + third * 2, second), (time + third, first), (time, bar.open)]);
        course.volume = if bar.volume.is_zero() { Qty::from_units(i64::MAX as u64) } else { bar.volume };
        course.bar = Some((time, bar));
        // A flat account's worth stands still; it is asked now and then for what time alone changes.
        self.quiet = if self.solo.holding().is_flat() { self.quiet + 1 } else { QUIET_CANDLES };
        if self.quiet >= QUIET_CANDLES {
            self.quiet = 0;
            self.figures();
        }
        self.walk(time);
    }

    /// Goes the candle's way as far as a time.
    pub(super) fn walk(&mut self, until: Time) {
        if self.glide(until) {
            return;
        }
        // bounded: by the four prices of a candle.
        loop {
            let Pace::Candles(course) = &mut self.candles else { return };
            let Some((at, price)) = course.points.last().copied().filter(|(at, _)| *at <= until) else { return };
            course.points.pop();
            let mut volume = course.volume;
            if at >= self.due {
                self.advance(at);
            }
            self.now = self.now.max(at);
            let (now, wires) = (self.now, &mut self.wires);
            let before = wires.answers.len();
            self.solo.travel(now, price, &mut volume, &mut |told| wires.told(now, told));
            if let Pace::Candles(course) = &mut self.candles {
                course.volume = volume;
            }
            if self.wires.answers.len() != before {
                self.plan();
            }
            self.end_message();
            self.sample();
        }
    }

    /// Goes the candle's way as far as a time at once, where nothing can come of it but a price: no order is reached, nothing is due,
    /// neither engine nor margin would do anything. Says `false` where something might, and has gone nowhere then.
    ///
    /// It is the same as the way point by point, at a fraction of the work: most candles reach nothing.
    fn glide(&mut self, until: Time) -> bool {
        let Pace::Candles(course) = &self.candles else { return false };
        // The next one is the last of them.
        let Some(begin) = course.points.iter().position(|(at, _)| *at <= until) else { return true };
        let (Some((last, to)), Some((first, _))) = (course.points.get(begin).copied(), course.points.last().copied()) else { return true };
        if last >= self.due {
            self.advance(first);
        }
        if last >= self.due || first < self.now || self.wires.liquidated.is_some() {
            return false;
        }
        let Self { candles: Pace::Candles(course), solo, engine, watched, .. } = self else { return false };
        let (way, volume) = (course.points.get(begin..).unwrap_or_default(), course.volume);
        let (low, high) = way.iter().fold((to, to), |(low, high), (_, price)| (low.min(*price), high.max(*price)));
        if !solo.is_clear(low, high) {
            return false;
        }
        let mut tops: ArrayVec<Top, POINTS> = ArrayVec::new();
        for (at, price) in way.iter().rev() {
            let Some(top) = solo.top_at(*at, *price, volume) else { return false };
            // As after each point: a top like the last one is told to nobody.
            if !tops.last().or(solo.top()).is_some_and(|told| told.is_like(&top)) {
                tops.push(top);
            }
        }
        if let Some(newest) = tops.last() {
            if !engine.pass(newest.time, &tops) {
                return false;
            }
            self.passed = true;
        }
        solo.glide(last, to, volume, tops.last());
        for (at, price) in way.iter().rev() {
            watched.sample(&sample_of(solo, *at, solo.reference(*price)));
        }
        course.points.truncate(begin);
        self.now = last;
        true
    }

    /// What is left of a candle happens, and the candle is told.
    pub(super) fn finish_candle(&mut self) {
        self.walk(NEVER);
        let Pace::Candles(course) = &mut self.candles else { return };
        let Some((open_time, bar)) = course.bar.take().filter(|_| self.takes_candles) else { return };
        let candle = Candle {
            open_time,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            turnover: Notional::ZERO,
            taker_buy: Qty::ZERO,
            trades: 0,
        };
        self.tell(&Event::Candle(Box::new(candle)));
    }
}
