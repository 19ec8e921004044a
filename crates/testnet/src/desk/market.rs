use plimsoll_exchange::binance::server::{
    ApiError, FundingRow, Interval, List, Object, Params, write_depth, write_exchange_info, write_funding, write_klines,
    write_premium_index, write_rest_agg_trades, write_rest_trades, write_ticker_24h,
};
use plimsoll_market::{Instrument, MarkPrice, Symbol, Time};
use plimsoll_sim::venue::Page;

use super::Desk;
use crate::limits::{KLINES_MAX, PAGE_MAX};
use crate::{convert, klines};

/// Depths that the exchange serves.
const DEPTHS: [usize; 7] = [5, 10, 20, 50, 100, 500, 1000];

/// A page of a history with both ends in milliseconds.
pub(super) fn page(params: &Params, from: &str, default: usize, most: usize) -> Result<Page, ApiError> {
    let (start, end) = params.span()?;
    let from_id = params.maybe_millis(from)?;
    let limit = params.limit(default, most)?;
    Ok(Page { from_id, start: start.map(Time::from_millis), end: end.map(last_instant), limit })
}

/// The last instant of a millisecond: ends are inclusive, and the venue counts in nanoseconds.
fn last_instant(end_ms: u64) -> Time {
    Time::from_nanos(Time::from_millis(end_ms).nanos().saturating_add(999_999))
}

impl Desk {
    pub(super) fn exchange_info(&self, now: Time) -> String {
        let mut out = String::with_capacity(4096);
        let limits = self.rates.limits();
        let orders = [(10, "SECOND", limits.orders_per_10s), (1, "MINUTE", limits.orders_per_minute)];
        let symbols = self.hub.listed.iter().map(|listed| (&listed.listing.instrument, listed.listing.facts));
        write_exchange_info(&mut out, now.millis(), limits.weight_per_minute, orders, symbols);
        out
    }

    pub(super) fn depth(&self, now: Time, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let limit = params.limit(500, 1000)?;
        if !DEPTHS.contains(&limit) {
            return Err(ApiError::invalid_data("limit"));
        }
        let book = self.venue.depth(instrument.symbol, limit).map_err(|error| convert::refused(&error))?;
        let mut out = String::with_capacity(64 * limit);
        write_depth(&mut out, &instrument, book.last_update_id, now.millis(), book.time.millis(), &book.bids, &book.asks);
        Ok(out)
    }

    pub(super) fn trades(&self, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let page = Page { start: None, end: None, ..page(params, "fromId", 500, PAGE_MAX)? };
        let trades = self.venue.trades(instrument.symbol, page).map_err(|error| convert::refused(&error))?;
        let mut out = String::new();
        write_rest_trades(&mut out, &instrument, trades.iter().map(convert::trade));
        Ok(out)
    }

    pub(super) fn agg_trades(&self, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let page = page(params, "fromId", 500, PAGE_MAX)?;
        let trades = self.venue.agg_trades(instrument.symbol, page).map_err(|error| convert::refused(&error))?;
        let mut out = String::new();
        write_rest_agg_trades(&mut out, &instrument, trades.iter().map(convert::agg_trade));
        Ok(out)
    }

    pub(super) fn klines(&self, symbol: &str, params: &Params) -> Result<String, ApiError> {
        let instrument = self.named(symbol)?;
        let interval = Interval::parse(params.need("interval")?).ok_or_else(ApiError::bad_interval)?;
        let (start, end) = params.span()?;
        let limit = params.limit(500, KLINES_MAX)?;
        let page = Page { from_id: None, start: start.map(Time::from_millis), end: end.map(last_instant), limit };
        let rows = klines::query(&self.venue, instrument.symbol, interval, page).map_err(|error| convert::refused(&error))?;
        let mut out = String::with_capacity(rows.len() * 160);
        write_klines(&mut out, &instrument, rows.into_iter().map(|candle| convert::kline(interval, candle)));
        Ok(out)
    }

    /// Writes one document for the symbol named, or an array of all.
    fn one_or_all(&self, params: &Params, write: impl Fn(&mut String, &Instrument) -> Result<bool, ApiError>) -> Result<String, ApiError> {
        let mut out = String::new();
        if let Some(instrument) = self.maybe_instrument(params)? {
            return if write(&mut out, &instrument)? { Ok(out) } else { Err(ApiError::unknown()) };
        }
        let mut list = List::new(&mut out);
        for listed in self.hub.listed.iter() {
            let mut one = String::new();
            if write(&mut one, &listed.listing.instrument)? {
                list.item(|out| out.push_str(&one));
            }
        }
        list.end();
        Ok(out)
    }

    /// Also of the exchange's own coin, which is not traded here: what fees paid in it are worth.
    pub(super) fn premium_index(&self, now: Time, params: &Params) -> Result<String, ApiError> {
        for listed in self.hub.listed.iter() {
            let quote = listed.listing.instrument.quote;
            let coin = Symbol::new(&format!("{}{quote}", plimsoll_sim::limits::COIN)).ok();
            let asked = params.maybe("symbol")?;
            if let Some(symbol) = coin.filter(|coin| asked == Some(coin.as_str()) && self.hub.listing(*coin).is_none()) {
                let price = plimsoll_sim::limits::COIN_PRICE;
                let mark = MarkPrice { mark: price, index: price, funding: None, next_funding: Time::ZERO, time: now };
                let mut out = String::new();
                write_premium_index(&mut out, symbol, &mark);
                return Ok(out);
            }
        }
        self.one_or_all(params, |out, instrument| {
            let mark = self.venue.mark(instrument.symbol).map_err(|error| convert::refused(&error))?;
            write_premium_index(out, instrument.symbol, &mark);
            Ok(true)
        })
    }

    pub(super) fn funding_rate(&self, params: &Params) -> Result<String, ApiError> {
        let page = page(params, "none", 100, PAGE_MAX)?;
        let mut rows = Vec::new();
        let one = self.maybe_instrument(params)?;
        for listed in self.hub.listed.iter() {
            let symbol = listed.listing.instrument.symbol;
            if one.is_some_and(|instrument| instrument.symbol != symbol) {
                continue;
            }
            let rates = self.venue.funding_rates(symbol, page).map_err(|error| convert::refused(&error))?;
            rows.extend(rates.into_iter().map(|(time, rate, mark)| FundingRow { symbol, time_ms: time.millis(), rate, mark }));
        }
        rows.sort_by_key(|row| row.time_ms);
        let surplus = rows.len().saturating_sub(page.limit);
        let mut out = String::new();
        write_funding(&mut out, rows.into_iter().skip(if page.start.is_some() { 0 } else { surplus }).take(page.limit));
        Ok(out)
    }

    pub(super) fn funding_info(&self) -> String {
        let mut out = String::new();
        let mut list = List::new(&mut out);
        for listed in self.hub.listed.iter() {
            list.item(|out| {
                Object::new(out)
                    .quoted("symbol", listed.listing.instrument.symbol)
                    .quoted("adjustedFundingRateCap", "0.00300000")
                    .quoted("adjustedFundingRateFloor", "-0.00300000")
                    .bare("fundingIntervalHours", 8)
                    .bare("disclaimer", false)
                    .end();
            });
        }
        list.end();
        out
    }

    pub(super) fn ticker_24h(&self, params: &Params) -> Result<String, ApiError> {
        self.one_or_all(params, |out, instrument| {
            let ticker = self.venue.ticker(instrument.symbol).map_err(|error| convert::refused(&error))?;
            let Some(ticker) = ticker else { return Ok(false) };
            write_ticker_24h(out, instrument, &convert::ticker(&ticker));
            Ok(true)
        })
    }

    pub(super) fn ticker_price(&self, now: Time, params: &Params) -> Result<String, ApiError> {
        self.one_or_all(params, |out, instrument| {
            let ticker = self.venue.ticker(instrument.symbol).map_err(|error| convert::refused(&error))?;
            let Some(ticker) = ticker else { return Ok(false) };
            Object::new(out)
                .quoted("symbol", instrument.symbol)
                .quoted("price", instrument.show_price(ticker.last))
                .bare("time", now.millis())
                .end();
            Ok(true)
        })
    }

    pub(super) fn ticker_book(&self, params: &Params) -> Result<String, ApiError> {
        self.one_or_all(params, |out, instrument| {
            let top = self.venue.top(instrument.symbol).map_err(|error| convert::refused(&error))?;
            let Some((update_id, top)) = top else { return Ok(false) };
            Object::new(out)
                .bare("lastUpdateId", update_id)
                .quoted("symbol", instrument.symbol)
                .quoted("bidPrice", instrument.show_price(top.bid))
                .quoted("bidQty", instrument.show_qty(top.bid_qty))
                .quoted("askPrice", instrument.show_price(top.ask))
                .quoted("askQty", instrument.show_qty(top.ask_qty))
                .bare("time", top.time.millis())
                .end();
            Ok(true)
        })
    }

    pub(super) fn open_interest(&self, now: Time, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let qty = self.venue.open_interest(instrument.symbol).map_err(|error| convert::refused(&error))?;
        let mut out = String::new();
        Object::new(&mut out)
            .quoted("symbol", instrument.symbol)
            .quoted("openInterest", instrument.show_qty(qty))
            .bare("time", now.millis())
            .end();
        Ok(out)
    }
}
