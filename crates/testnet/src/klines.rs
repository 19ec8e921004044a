//! Candles of every interval that the exchange has.

use plimsoll_exchange::binance::server::Interval;
use plimsoll_market::{Candle, Symbol, Time};
use plimsoll_sim::VenueError;
use plimsoll_sim::venue::{self, Page, Venue};

/// Candles of a contract; those of a month are put together from days.
pub(crate) fn query(venue: &Venue, symbol: Symbol, interval: Interval, page: Page) -> Result<Vec<Candle>, VenueError> {
    if let Some(known) = venue::Interval::parse(interval.as_str()) {
        return venue.klines(symbol, known, page);
    }
    let days = Page { from_id: None, start: page.start.map(|start| interval_start(interval, start)), ..Page::latest(usize::MAX) };
    let Some(day) = venue::Interval::parse(Interval::D1.as_str()) else { return Ok(Vec::new()) };
    let mut months: Vec<Candle> = Vec::new();
    for candle in venue.klines(symbol, day, days)? {
        let open_time = interval_start(interval, candle.open_time);
        match months.last_mut().filter(|month| month.open_time == open_time) {
            Some(month) => add(month, &candle),
            None => months.push(Candle { open_time, ..candle }),
        }
    }
    months.retain(|month| page.start.is_none_or(|start| month.open_time >= start) && page.end.is_none_or(|end| month.open_time <= end));
    let surplus = months.len().saturating_sub(page.limit);
    if page.start.is_some() {
        months.truncate(page.limit);
    } else {
        months.drain(..surplus);
    }
    Ok(months)
}

fn interval_start(interval: Interval, at: Time) -> Time {
    Time::from_millis(interval.start_ms(at.millis()))
}

fn add(month: &mut Candle, day: &Candle) {
    month.high = month.high.max(day.high);
    month.low = month.low.min(day.low);
    month.close = day.close;
    month.volume += day.volume;
    month.turnover += day.turnover;
    month.taker_buy += day.taker_buy;
    month.trades = month.trades.saturating_add(day.trades);
}
