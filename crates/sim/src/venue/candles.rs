//! One-minute candles, and longer ones summed from them.

use core::time::Duration;
use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use plimsoll_market::{Candle, CandleBuilder, Price, Qty, Time, Trade};

use super::types::Page;
use crate::limits::{CANDLES_MAX, PAGE_MAX};

const MINUTE_MS: u64 = 60_000;

/// A time frame of candles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Interval(u8);

const INTERVALS: [(&str, u64); 15] = [
    ("1m", 1),
    ("3m", 3),
    ("5m", 5),
    ("15m", 15),
    ("30m", 30),
    ("1h", 60),
    ("2h", 120),
    ("4h", 240),
    ("6h", 360),
    ("8h", 480),
    ("12h", 720),
    ("1d", 1_440),
    ("3d", 4_320),
    ("1w", 10_080),
    ("1M", 43_200),
];

impl Interval {
    /// One minute.
    pub const MINUTE: Self = Self(0);

    /// Reads `1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M`.
    pub fn parse(text: &str) -> Option<Self> {
        INTERVALS.iter().position(|(name, _)| *name == text).and_then(|i| u8::try_from(i).ok()).map(Self)
    }

    /// All intervals, shortest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..INTERVALS.len() as u8).map(Self)
    }

    /// As Binance writes it.
    pub fn as_str(self) -> &'static str {
        self.entry().0
    }

    /// Its length in milliseconds. A month counts as 30 days here; its candles follow the calendar.
    pub fn millis(self) -> u64 {
        self.entry().1 * MINUTE_MS
    }

    /// Start of the candle that an instant lies in. Weeks begin on Monday, months on their first day, UTC.
    pub fn open_time(self, time: Time) -> Time {
        const DAY_MS: u64 = 86_400_000;
        let ms = time.millis();
        let open = match self.as_str() {
            // The epoch was a Thursday.
            "1w" => ((ms + 3 * DAY_MS) / self.millis() * self.millis()).saturating_sub(3 * DAY_MS),
            "1M" => (ms / DAY_MS + 1 - day_of_month(ms / DAY_MS)) * DAY_MS,
            _ => ms / self.millis() * self.millis(),
        };
        Time::from_millis(open)
    }

    /// Start of the candle after the one that an instant lies in.
    pub fn next_open(self, time: Time) -> Time {
        let open = self.open_time(time);
        if self.as_str() == "1M" {
            // 31 days after the first lies in the next month.
            return self.open_time(open + Duration::from_millis(31 * 86_400_000));
        }
        Time::from_millis(open.millis() + self.millis())
    }

    fn entry(self) -> (&'static str, u64) {
        INTERVALS.get(usize::from(self.0)).copied().unwrap_or(("1m", 1))
    }
}

/// Day of the month, 1 to 31, of a day counted from the epoch (Howard Hinnant's civil-from-days).
fn day_of_month(days: u64) -> u64 {
    let z = days + 719_468;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    doy - (153 * mp + 2) / 5 + 1
}

/// The candles of one symbol.
pub(crate) struct Candles {
    closed: Ring<Candle>,
    builder: CandleBuilder,
    last: Option<Price>,
    /// The open candle changed since it was last told.
    changed: bool,
}

impl Candles {
    pub(crate) fn new(symbol: &str) -> Self {
        let name = format!("sim.candles/{symbol}");
        let line = Line::of::<Candle>(&name, CANDLES_MAX, WhenFull::DropOldest, Class::BestEffort);
        let builder = CandleBuilder::new(Duration::from_millis(MINUTE_MS));
        Self { closed: Ring::new(Grant::detached(line)), builder, last: None, changed: false }
    }

    /// Takes a made-up past.
    pub(crate) fn seed(&mut self, candles: &[Candle]) {
        for candle in candles {
            self.last = Some(candle.close);
            self.closed.roll(*candle);
        }
    }

    /// Takes a trade; returns the candle that it closed.
    pub(crate) fn push(&mut self, trade: &Trade) -> Option<Candle> {
        let closed = self.builder.push(trade);
        if let Some(candle) = closed {
            self.keep(candle);
        }
        self.last = Some(trade.price);
        self.changed = true;
        closed
    }

    /// Closes the candle of the minute that ended at `now`; a minute without trades becomes a flat one, as the exchange shows it.
    pub(crate) fn close_minute(&mut self, now: Time) -> Option<Candle> {
        let candle = match self.builder.close_due(now) {
            Some(candle) => candle,
            None => {
                let open_time = Time::from_millis((now.millis() / MINUTE_MS).saturating_sub(1) * MINUTE_MS);
                if self.closed.last().is_some_and(|c| c.open_time >= open_time) || self.builder.current().is_some() {
                    return None;
                }
                flat(open_time, self.last?)
            }
        };
        self.keep(candle);
        self.changed = false;
        Some(candle)
    }

    /// Remembers a closed candle, after flat ones for minutes that were slept through.
    fn keep(&mut self, candle: Candle) {
        for _ in 0..CANDLES_MAX {
            let Some((next, close)) = self.closed.last().map(|c| (Time::from_millis(c.open_time.millis() + MINUTE_MS), c.close)) else {
                break;
            };
            if next >= candle.open_time {
                break;
            }
            self.closed.roll(flat(next, close));
        }
        self.closed.roll(candle);
    }

    /// The open candle when it changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Option<Candle> {
        let changed = core::mem::replace(&mut self.changed, false);
        self.builder.current().copied().filter(|_| changed)
    }

    /// One-minute candles from a time on, oldest first, the open one last.
    pub(crate) fn since(&self, start: Time) -> impl Iterator<Item = &Candle> {
        let (older, newer) = self.closed.as_slices();
        let skip = older.partition_point(|c| c.open_time < start);
        let skip_newer = newer.partition_point(|c| c.open_time < start);
        let closed = older.iter().skip(skip).chain(newer.iter().skip(skip_newer));
        closed.chain(self.builder.current().filter(|c| c.open_time >= start))
    }

    pub(crate) fn query(&self, interval: Interval, page: Page) -> Vec<Candle> {
        let limit = page.limit.min(PAGE_MAX);
        let mut out: Vec<Candle> = Vec::new();
        for minute in self.since(interval.open_time(page.start.unwrap_or(Time::ZERO))) {
            let open_time = interval.open_time(minute.open_time);
            match out.last_mut() {
                Some(candle) if candle.open_time == open_time => merge(candle, minute),
                _ => out.push(Candle { open_time, ..*minute }),
            }
        }
        out.retain(|c| page.start.is_none_or(|s| c.open_time >= s) && page.end.is_none_or(|e| c.open_time <= e));
        if page.start.is_some() {
            out.truncate(limit);
        } else {
            out.drain(..out.len().saturating_sub(limit));
        }
        out
    }
}

fn flat(open_time: Time, price: Price) -> Candle {
    let none = Qty::ZERO;
    let turnover = plimsoll_market::Notional::ZERO;
    Candle { open_time, open: price, high: price, low: price, close: price, volume: none, turnover, taker_buy: none, trades: 0 }
}

/// Adds a later candle to an earlier one.
pub(crate) fn merge(into: &mut Candle, later: &Candle) {
    into.high = into.high.max(later.high);
    into.low = into.low.min(later.low);
    into.close = later.close;
    into.volume += later.volume;
    into.turnover += later.turnover;
    into.taker_buy += later.taker_buy;
    into.trades = into.trades.saturating_add(later.trades);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(interval: &str, at_ms: u64, open_ms: u64, next_ms: u64) {
        let interval = Interval::parse(interval).unwrap();
        let at = Time::from_millis(at_ms);
        assert_eq!((interval.open_time(at).millis(), interval.next_open(at).millis()), (open_ms, next_ms));
    }

    #[test]
    fn candles_open_where_the_exchange_opens_them() {
        // 2024-08-08 23:54:15 UTC, a Thursday.
        let at = 1_723_161_255_000;
        check("1m", at, 1_723_161_240_000, 1_723_161_300_000);
        check("4h", at, 1_723_147_200_000, 1_723_161_600_000);
        check("1d", at, 1_723_075_200_000, 1_723_161_600_000);
        check("1w", at, 1_722_816_000_000, 1_723_420_800_000); // Monday 5 August
        check("1M", at, 1_722_470_400_000, 1_725_148_800_000); // 1 August, 1 September
    }
}
