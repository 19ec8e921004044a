use crate::ids::{Side, TradeId};
use crate::money::{Notional, Price, Qty};
use crate::time::Time;
use core::time::Duration;

/// One trade of the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trade {
    /// The exchange's id; for aggregated trades the id of the last one in it.
    pub id: TradeId,
    /// Price it happened at.
    pub price: Price,
    /// Quantity that changed hands.
    pub qty: Qty,
    /// Side of the order that took.
    pub taker: Side,
    /// The exchange's time of it.
    pub time: Time,
}

/// One bar: open, high, low, close and what was traded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Candle {
    /// Start of the bar, a multiple of its interval.
    pub open_time: Time,
    /// Price of the first trade.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Price of the last trade.
    pub close: Price,
    /// Base quantity traded.
    pub volume: Qty,
    /// Quote value traded.
    pub turnover: Notional,
    /// Base quantity bought by takers.
    pub taker_buy: Qty,
    /// Trades in the bar.
    pub trades: u32,
}

/// A closed candle of the past, of any length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PastCandle {
    /// Its length.
    pub interval: Duration,
    /// What happened in it.
    pub candle: Candle,
}

/// Aggregates trades into candles of one interval.
///
/// # Bounds
/// One candle; a minute without trades yields no candle, as on the exchange's own trade-built bars.
#[derive(Clone, Debug)]
pub struct CandleBuilder {
    interval_ms: u64,
    current: Option<Candle>,
}

impl CandleBuilder {
    /// Makes a builder.
    ///
    /// # Panics
    /// When the interval is below a millisecond.
    pub fn new(interval: Duration) -> Self {
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        assert!(interval_ms > 0, "a candle's interval is at least a millisecond");
        Self { interval_ms, current: None }
    }

    /// The unfinished candle.
    pub fn current(&self) -> Option<&Candle> {
        self.current.as_ref()
    }

    /// Takes a trade and returns the candle that it closed. A trade older than the current candle counts into that candle.
    pub fn push(&mut self, trade: &Trade) -> Option<Candle> {
        let start = Time::from_millis(trade.time.millis() / self.interval_ms * self.interval_ms);
        let closed = match self.current {
            Some(candle) if start > candle.open_time => self.current.take(),
            _ => None,
        };
        let bought = match trade.taker {
            Side::Buy => trade.qty,
            Side::Sell => Qty::ZERO,
        };
        match &mut self.current {
            Some(candle) => {
                candle.high = candle.high.max(trade.price);
                candle.low = candle.low.min(trade.price);
                candle.close = trade.price;
                candle.volume += trade.qty;
                candle.turnover += trade.price * trade.qty;
                candle.taker_buy += bought;
                candle.trades = candle.trades.saturating_add(1);
            }
            None => {
                self.current = Some(Candle {
                    open_time: start,
                    open: trade.price,
                    high: trade.price,
                    low: trade.price,
                    close: trade.price,
                    volume: trade.qty,
                    turnover: trade.price * trade.qty,
                    taker_buy: bought,
                    trades: 1,
                });
            }
        }
        closed
    }

    /// Closes the candle when its time is over.
    pub fn close_due(&mut self, now: Time) -> Option<Candle> {
        let due = self.current.is_some_and(|c| now.millis() >= c.open_time.millis() + self.interval_ms);
        if due { self.current.take() } else { None }
    }
}
