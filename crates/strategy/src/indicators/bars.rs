use super::takes;
use arrayvec::ArrayVec;
use core::time::Duration;
use plimsoll_market::{Candle, Instrument, PastCandle, Time};

const MINUTE_MS: u64 = 60_000;

/// Bars that may be missing in a row because nothing was traded; after more of them indicators begin anew.
const HOLE_BARS: u64 = 3;

/// A bar as indicators see it.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bar {
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Base quantity traded.
    pub volume: f64,
}

impl Bar {
    /// The bar of a candle.
    pub fn of(candle: &Candle, instrument: &Instrument) -> Self {
        let price = |units: i64| units as f64 / 10_f64.powi(i32::from(instrument.price_scale));
        Self {
            high: price(candle.high.units()),
            low: price(candle.low.units()),
            close: price(candle.close.units()),
            volume: candle.volume.units() as f64 / 10_f64.powi(i32::from(instrument.qty_scale)),
        }
    }

    /// Whether an indicator takes it: numbers within range, the close between low and high, no negative volume.
    pub fn is_sound(&self) -> bool {
        takes(self.high)
            && takes(self.volume)
            && -crate::limits::INPUT_MAX <= self.low
            && self.low <= self.close
            && self.close <= self.high
            && self.volume >= 0.0
    }

    /// Mean of high, low and close.
    pub fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    /// The span of the bar and the close before it.
    pub fn true_range(&self, close: f64) -> f64 {
        self.high.max(close) - self.low.min(close)
    }
}

/// What a candle came to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Closed {
    /// Too much is missing before it: what followed the bars begins anew, before it takes these.
    pub hole: bool,
    /// The bars that are complete now, the oldest first.
    pub bars: ArrayVec<Bar, 2>,
    /// When the last of them ended, by the clock that bars are aligned to.
    pub end: Option<Time>,
}

/// Puts minutes together to bars of so many of them, aligned to the clock (UTC). Of the past it takes longer candles, too.
///
/// A candle that was told before counts once. A bar begins at its first minute only, so that the first one is whole; a minute
/// without a candle had no trade, and a bar that lost its last minute closes with the next candle.
///
/// # Bounds
/// One unfinished bar.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bars {
    span_ms: u64,
    /// End of the last candle taken, in milliseconds.
    told_to: Option<u64>,
    /// Start of the unfinished bar, and what it is so far.
    open: Option<(u64, Bar)>,
    /// A bar has begun with its first minute, and nothing was missing since.
    whole: bool,
}

impl Bars {
    /// Makes one for bars of 1 minute to a day.
    pub fn new(span: Duration) -> Self {
        let minutes = u64::try_from(span.as_millis()).unwrap_or(u64::MAX) / MINUTE_MS;
        Self { span_ms: minutes.clamp(1, 1_440) * MINUTE_MS, told_to: None, open: None, whole: false }
    }

    /// Length of a bar.
    pub const fn span(&self) -> Duration {
        Duration::from_millis(self.span_ms)
    }

    /// Takes a closed candle of a minute.
    pub fn push(&mut self, candle: &Candle, instrument: &Instrument) -> Closed {
        self.take(candle, MINUTE_MS, instrument)
    }

    /// Takes a closed candle of the past: whole bars, or parts of one. What does not fit into one is left out.
    pub fn push_past(&mut self, past: &PastCandle, instrument: &Instrument) -> Closed {
        let length = u64::try_from(past.interval.as_millis()).unwrap_or(0);
        if length < MINUTE_MS || !self.span_ms.is_multiple_of(length) {
            return Closed::default();
        }
        self.take(&past.candle, length, instrument)
    }

    fn take(&mut self, candle: &Candle, length: u64, instrument: &Instrument) -> Closed {
        let mut closed = Closed::default();
        let at = candle.open_time.millis();
        // The whole of a bar of which only a part was told, before a connection broke.
        let whole = length == self.span_ms && self.open.as_ref().is_some_and(|(began, _)| *began == at);
        if whole {
            self.open = None;
        } else if self.told_to.is_some_and(|end| at < end) {
            return closed;
        }
        let told_to = self.told_to.replace(at + length);
        let begins = at / self.span_ms * self.span_ms;
        if told_to.is_some_and(|end| at.saturating_sub(end) > self.span_ms * HOLE_BARS) {
            closed.hole = true;
            (self.open, self.whole) = (None, false);
        }
        let bar = Bar::of(candle, instrument);
        match &mut self.open {
            Some((began, open)) if *began == begins => {
                open.high = open.high.max(bar.high);
                open.low = open.low.min(bar.low);
                open.close = bar.close;
                open.volume += bar.volume;
            }
            open => {
                if let Some((began, late)) = open.take() {
                    closed.bars.push(late);
                    closed.end = Some(Time::from_millis(began + self.span_ms));
                }
                self.whole |= at == begins;
                if self.whole {
                    *open = Some((begins, bar));
                }
            }
        }
        if at + length >= begins + self.span_ms
            && let Some((began, done)) = self.open.take()
        {
            closed.bars.push(done);
            closed.end = Some(Time::from_millis(began + self.span_ms));
        }
        closed
    }
}
