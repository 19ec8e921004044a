//! Events of markets and accounts on their way to those who listen.

use plimsoll_exchange::binance::server::{
    AccountUpdate, DepthIds, DepthSpeed, Interval, List as JsonList, OrderEvent, Seconds, StreamKind, write_account_update,
    write_agg_trade, write_book_ticker, write_depth_update, write_kline_event, write_leverage_update, write_margin_call, write_mark_price,
    write_mini_ticker, write_order_update, write_partial_depth, write_ticker_event, write_trade, write_trade_lite,
};
use plimsoll_market::{Amount, Level, LevelChange, Price, Side, Symbol, Time};
use plimsoll_sim::venue::{AccountEvent, AccountId, Cadence, DepthDiff, MarketEvent, Page, Venue};

use crate::convert;
use crate::hub::{ALL_SYMBOLS, Chain, Heard, Hub, SlowLevel, Topic};
use crate::klines;
use crate::outbox::Lane;

/// The speeds that are collected here from the changes of every 100 ms.
const SLOW_SPEEDS: [DepthSpeed; 2] = [DepthSpeed::Ms250, DepthSpeed::Ms500];

/// Time between two events of an open candle.
const KLINE_MS: u64 = 250;

/// Time between two events of a mark price at the slower speed, less what a beat may come early.
const MARK_SLOW_MS: u64 = 2_900;

/// Time between two looks at what is told by the clock.
const BEAT_MS: u64 = 50;

impl Hub {
    fn topic(&self, place: usize, kind: StreamKind) -> Option<Topic> {
        let topic = Topic { symbol: u16::try_from(place).ok()?, kind };
        self.topics.contains_key(&topic).then_some(topic)
    }

    /// Tells an event of a market.
    pub(crate) fn market(&mut self, now: Time, symbol: Symbol, event: &MarketEvent<'_>) {
        let now_ms = now.millis();
        let Some(place) = self.place(symbol) else { return };
        let Some(instrument) = self.listed.get(place).map(|listed| listed.listing.instrument) else { return };
        let instrument = &instrument;
        match event {
            MarketEvent::Trade(trade) => {
                if let Some(topic) = self.topic(place, StreamKind::Trade) {
                    self.publish(topic, Lane::Tape, text(|out| write_trade(out, instrument, &convert::trade(trade), now_ms)));
                }
            }
            MarketEvent::AggTrade(trade) => {
                if let Some(topic) = self.topic(place, StreamKind::AggTrade) {
                    self.publish(topic, Lane::Tape, text(|out| write_agg_trade(out, instrument, &convert::agg_trade(trade), now_ms)));
                }
            }
            MarketEvent::Depth(diff) => self.depth(now_ms, place, diff),
            MarketEvent::BookTicker { update_id, top } => {
                let write = || text(|out| write_book_ticker(out, instrument, *update_id, top, now_ms));
                if let Some(topic) = self.topic(place, StreamKind::BookTicker) {
                    self.publish(topic, Lane::Latest, write());
                }
                if let Some(topic) = self.topic(usize::from(ALL_SYMBOLS), StreamKind::BookTicker) {
                    self.publish(topic, Lane::Latest, write());
                }
            }
            MarketEvent::Mark(mark) => {
                for seconds in [Seconds::One, Seconds::Three] {
                    let Some(topic) = self.topic(place, StreamKind::MarkPrice(seconds)) else { continue };
                    let told_ms = self.topics.get(&topic).map_or(0, |heard| heard.told_ms);
                    if seconds == Seconds::Three && now_ms < told_ms + MARK_SLOW_MS {
                        continue;
                    }
                    self.note(topic, |heard| heard.told_ms = now_ms);
                    self.publish(topic, Lane::Latest, text(|out| write_mark_price(out, symbol, mark, now_ms)));
                }
            }
            MarketEvent::Candle { candle, closed } => {
                let Some(topic) = self.topic(place, StreamKind::Kline(Interval::M1)) else { return };
                let told_ms = self.topics.get(&topic).map_or(0, |heard| heard.told_ms);
                if !closed && now_ms < told_ms + KLINE_MS {
                    return;
                }
                self.note(topic, |heard| heard.told_ms = now_ms);
                let row = convert::kline(Interval::M1, *candle);
                let lane = if *closed { Lane::Kept } else { Lane::Latest };
                self.publish(topic, lane, text(|out| write_kline_event(out, instrument, Interval::M1, &row, *closed, now_ms)));
            }
        }
    }

    fn note(&mut self, topic: Topic, change: impl FnOnce(&mut Heard)) {
        if let Some(heard) = self.topics.get_mut(&topic) {
            change(heard);
        }
    }

    fn depth(&mut self, now_ms: u64, place: usize, diff: &DepthDiff<'_>) {
        let speed = match diff.cadence {
            Cadence::RealTime => DepthSpeed::Ms0,
            Cadence::Tick => DepthSpeed::Ms100,
        };
        let time_ms = diff.time.millis();
        if let Some(topic) = self.topic(place, StreamKind::Depth(speed))
            && let Some(listed) = self.listed.get(place)
        {
            let ids = DepthIds { first: diff.first, last: diff.last, previous: diff.previous, time_ms, now_ms };
            let event = text(|out| write_depth_update(out, &listed.listing.instrument, &ids, diff.changes));
            self.publish(topic, Lane::Kept, event);
        }
        if diff.cadence == Cadence::RealTime {
            return;
        }
        for (chain, speed) in SLOW_SPEEDS.into_iter().enumerate() {
            if self.is_heard(place, StreamKind::Depth(speed)) {
                self.collect(now_ms, place, chain, diff);
            } else if let Some(chain) = self.listed.get_mut(place).and_then(|listed| listed.chains.get_mut(chain)) {
                *chain = Chain::default();
            }
        }
    }

    /// Adds changes to a slow chain; when there is no room the chain goes out early.
    fn collect(&mut self, now_ms: u64, place: usize, chain: usize, diff: &DepthDiff<'_>) {
        if self.slow.len() + diff.changes.len() > self.slow.capacity() {
            for place in 0..self.listed.len() {
                for chain in 0..SLOW_SPEEDS.len() {
                    self.flush(now_ms, place, chain);
                }
            }
        }
        let Some(open) = self.listed.get_mut(place).and_then(|listed| listed.chains.get_mut(chain)) else { return };
        if !open.open {
            *open = Chain { open: true, first: diff.first, previous: diff.previous, ..Chain::default() };
        }
        (open.last, open.time_ms) = (diff.last, diff.time.millis());
        let (Ok(symbol), Ok(chain)) = (u16::try_from(place), u8::try_from(chain)) else { return };
        for change in diff.changes {
            let key = SlowLevel { symbol, chain, side: change.side, price: change.level.price.units() };
            if self.slow.insert(key, change.level.qty).is_err() {
                // One event alone has more levels than there is room: those who listen must start over.
                self.close_all("book changes were lost");
                return;
            }
        }
    }

    /// Tells what a slow chain has collected.
    fn flush(&mut self, now_ms: u64, place: usize, chain: usize) {
        let Some(listed) = self.listed.get_mut(place) else { return };
        let instrument = listed.listing.instrument;
        let Some(open) = listed.chains.get_mut(chain) else { return };
        if !open.open {
            return;
        }
        let ids = DepthIds { first: open.first, last: open.last, previous: open.previous, time_ms: open.time_ms, now_ms };
        *open = Chain::default();
        let mut changes = Vec::new();
        self.slow.retain(|key, qty| {
            let mine = usize::from(key.symbol) == place && usize::from(key.chain) == chain;
            if mine {
                changes.push(LevelChange { side: key.side, level: Level { price: Price::from_units(key.price), qty: *qty } });
            }
            !mine
        });
        changes.sort_unstable_by_key(|change| (change.side == Side::Sell, change.level.price));
        let Some(speed) = SLOW_SPEEDS.get(chain) else { return };
        if let Some(topic) = self.topic(place, StreamKind::Depth(*speed)) {
            self.publish(topic, Lane::Kept, text(|out| write_depth_update(out, &instrument, &ids, &changes)));
        }
    }

    /// Tells what goes by the clock: slow books, partial books, longer candles, tickers.
    pub(crate) fn beat(&mut self, now: Time, venue: &Venue) {
        let now_ms = now.millis();
        let before = self.beat_ms;
        if now_ms < before + BEAT_MS {
            return;
        }
        self.beat_ms = now_ms;
        self.release();
        let crossed = |period_ms: u64| period_ms == 0 || now_ms / period_ms != before / period_ms;
        for (chain, speed) in SLOW_SPEEDS.into_iter().enumerate() {
            if crossed(speed.millis()) {
                for place in 0..self.listed.len() {
                    self.flush(now_ms, place, chain);
                }
            }
        }
        // Short-lived, and as long as what clients subscribe to.
        let topics: Vec<(Topic, Heard)> = self.topics.iter().map(|(topic, heard)| (*topic, *heard)).collect();
        for (topic, heard) in topics {
            match topic.kind {
                StreamKind::PartialDepth(levels, speed) if crossed(speed.millis()) => {
                    self.partial_depth(now_ms, venue, topic, heard, usize::from(levels));
                }
                StreamKind::Kline(interval) if interval != Interval::M1 => self.longer_kline(now, venue, topic, heard, interval),
                StreamKind::Ticker | StreamKind::MiniTicker if crossed(1_000) => self.tickers(now_ms, venue, topic),
                StreamKind::MarkPrice(seconds) if topic.symbol == ALL_SYMBOLS && crossed(1_000) => {
                    if seconds == Seconds::One || crossed(3_000) {
                        self.all_marks(now_ms, venue, topic);
                    }
                }
                StreamKind::PartialDepth(..)
                | StreamKind::Kline(_)
                | StreamKind::Ticker
                | StreamKind::MiniTicker
                | StreamKind::MarkPrice(_)
                | StreamKind::AggTrade
                | StreamKind::Trade
                | StreamKind::BookTicker
                | StreamKind::Depth(_)
                | StreamKind::Silent => {}
            }
        }
    }

    fn partial_depth(&mut self, now_ms: u64, venue: &Venue, topic: Topic, heard: Heard, levels: usize) {
        let Some(listed) = self.listed.get(usize::from(topic.symbol)) else { return };
        let instrument = listed.listing.instrument;
        let Ok(book) = venue.depth(instrument.symbol, levels) else { return };
        // A snapshot is named by the update that comes next; an event by the last one in it.
        let last = book.last_update_id.saturating_sub(1);
        if last == heard.mark {
            return;
        }
        self.note(topic, |heard| heard.mark = last);
        let (first, previous) = if heard.mark == 0 { (last, last.saturating_sub(1)) } else { (heard.mark + 1, heard.mark) };
        let ids = DepthIds { first, last, previous, time_ms: book.time.millis(), now_ms };
        self.publish(topic, Lane::Latest, text(|out| write_partial_depth(out, &instrument, &ids, &book.bids, &book.asks)));
    }

    /// Candles longer than a minute are read from the venue; each is told closed exactly once.
    fn longer_kline(&mut self, now: Time, venue: &Venue, topic: Topic, heard: Heard, interval: Interval) {
        let now_ms = now.millis();
        let Some(listed) = self.listed.get(usize::from(topic.symbol)) else { return };
        let instrument = listed.listing.instrument;
        let symbol = instrument.symbol;
        let Some(candle) = klines::query(venue, symbol, interval, Page::latest(1)).ok().and_then(|mut rows| rows.pop()) else { return };
        let row = convert::kline(interval, candle);
        let start_ms = candle.open_time.millis();
        if heard.mark != 0 && heard.mark != start_ms {
            // The candle told open before is over, and a new one has begun.
            let at = Time::from_millis(heard.mark);
            let page = Page { from_id: None, start: Some(at), end: Some(at), limit: 1 };
            if let Some(ended) = klines::query(venue, symbol, interval, page).ok().and_then(|mut rows| rows.pop()) {
                let ended = convert::kline(interval, ended);
                self.publish(topic, Lane::Kept, text(|out| write_kline_event(out, &instrument, interval, &ended, true, now_ms)));
            }
            self.note(topic, |heard| (heard.closed, heard.mark) = (heard.mark, 0));
        }
        if start_ms == heard.closed {
            return;
        }
        if row.close_ms < now_ms {
            if heard.mark == start_ms {
                self.publish(topic, Lane::Kept, text(|out| write_kline_event(out, &instrument, interval, &row, true, now_ms)));
                self.note(topic, |heard| (heard.closed, heard.mark) = (start_ms, 0));
            }
            return;
        }
        let trades = u64::from(candle.trades);
        if now_ms >= heard.told_ms + KLINE_MS && (heard.mark != start_ms || heard.seen != trades) {
            self.note(topic, |heard| (heard.told_ms, heard.mark, heard.seen) = (now_ms, start_ms, trades));
            self.publish(topic, Lane::Latest, text(|out| write_kline_event(out, &instrument, interval, &row, false, now_ms)));
        }
    }

    fn tickers(&self, now_ms: u64, venue: &Venue, topic: Topic) {
        let write = |out: &mut String, place: usize| -> bool {
            let Some(listed) = self.listed.get(place) else { return false };
            let instrument = &listed.listing.instrument;
            let Ok(Some(ticker)) = venue.ticker(instrument.symbol) else { return false };
            let ticker = convert::ticker(&ticker);
            match topic.kind {
                StreamKind::Ticker => write_ticker_event(out, instrument, &ticker, now_ms),
                _ => write_mini_ticker(out, instrument, &ticker, now_ms),
            }
            true
        };
        let mut event = String::new();
        if topic.symbol != ALL_SYMBOLS {
            if write(&mut event, usize::from(topic.symbol)) {
                self.publish(topic, Lane::Latest, event);
            }
            return;
        }
        let mut list = JsonList::new(&mut event);
        for place in 0..self.listed.len() {
            let mut one = String::new();
            if write(&mut one, place) {
                list.item(|out| out.push_str(&one));
            }
        }
        list.end();
        self.publish(topic, Lane::Latest, event);
    }

    fn all_marks(&self, now_ms: u64, venue: &Venue, topic: Topic) {
        let mut event = String::new();
        let mut list = JsonList::new(&mut event);
        for listed in self.listed.iter() {
            let symbol = listed.listing.instrument.symbol;
            if let Ok(mark) = venue.mark(symbol) {
                list.item(|out| write_mark_price(out, symbol, &mark, now_ms));
            }
        }
        list.end();
        self.publish(topic, Lane::Latest, event);
    }

    /// Tells an event to the owner of an account.
    pub(crate) fn account(&self, now: Time, account: AccountId, event: &AccountEvent) {
        if !self.has_owner(account) {
            return;
        }
        let now_ms = now.millis();
        match event {
            AccountEvent::Order { row, execution, fill, bids, asks } => {
                let Some(listing) = self.listing(row.symbol) else { return };
                let instrument = &listing.instrument;
                let order = convert::order(instrument, row);
                let fill = fill.as_ref().map(|fill| convert::fill(instrument, fill));
                if let Some(fill) = &fill {
                    self.tell_owner(account, "TRADE_LITE", text(|out| write_trade_lite(out, &order, fill, now_ms)));
                }
                let event = OrderEvent { order, execution: execution.as_str(), fill, bids: *bids, asks: *asks, now_ms };
                self.tell_owner(account, "ORDER_TRADE_UPDATE", text(|out| write_order_update(out, &event)));
            }
            AccountEvent::Account { reason, wallet, change, position, time } => {
                let Some(asset) = self.listed.get(0).map(|listed| listed.listing.instrument.quote) else { return };
                let listing = position.as_ref().and_then(|position| self.listing(position.symbol));
                let position = position.as_ref().zip(listing);
                let position = position.map(|(row, listing)| (convert::position(&listing.instrument, row), row.realized));
                let wallet = Amount::new(asset, *wallet);
                let time_ms = time.millis();
                let update = AccountUpdate { reason: reason.as_str(), wallet, change: *change, position, time_ms, now_ms };
                self.tell_owner(account, "ACCOUNT_UPDATE", text(|out| write_account_update(out, &update)));
            }
            AccountEvent::Leverage { symbol, leverage, time } => {
                let event = text(|out| write_leverage_update(out, *symbol, *leverage, time.millis(), now_ms));
                self.tell_owner(account, "ACCOUNT_CONFIG_UPDATE", event);
            }
            AccountEvent::MarginCall { wallet, position, time: _ } => {
                let Some(listing) = self.listing(position.symbol) else { return };
                let position = convert::position(&listing.instrument, position);
                self.tell_owner(account, "MARGIN_CALL", text(|out| write_margin_call(out, *wallet, &position, now_ms)));
            }
        }
    }
}

fn text(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(256);
    write(&mut out);
    out
}

#[cfg(test)]
mod tests;
