//! Queries: what the venue tells when asked.

use core::time::Duration;
use plimsoll_market::{Bps, Candle, MarkPrice, Price, Qty, RefPrice, Symbol, Time, Top, Trade};

use super::Venue;
use super::candles::{Interval, merge};
use super::types::{
    AccountId, AggTrade, BalanceRow, DepthSnapshot, IncomeKind, IncomeRow, OrderRef, OrderRow, Page, PositionRow, Ticker, TradeRow,
};
use crate::error::VenueError;
use crate::limits::PAGE_MAX;
use crate::replay::Faults;
use crate::source::MarketSource;

/// Picks a page out of rows in growing order.
fn pick<T>(rows: impl Iterator<Item = T>, page: Page, id: impl Fn(&T) -> u64, time: impl Fn(&T) -> Time) -> Vec<T> {
    let limit = page.limit.min(PAGE_MAX);
    let wanted = |row: &T| match page.from_id {
        Some(from) => id(row) >= from,
        None => page.start.is_none_or(|start| time(row) >= start) && page.end.is_none_or(|end| time(row) <= end),
    };
    let mut rows: Vec<T> = rows.filter(wanted).collect();
    if page.from_id.is_some() || page.start.is_some() {
        rows.truncate(limit);
    } else {
        rows.drain(..rows.len().saturating_sub(limit));
    }
    rows
}

impl Venue {
    /// An order, open or remembered.
    ///
    /// # Errors
    /// [`VenueError::NoSuchOrder`], an unknown symbol or account.
    pub fn order(&self, account: AccountId, symbol: Symbol, order: OrderRef) -> Result<OrderRow, VenueError> {
        self.find(symbol)?;
        let held = self.account(account).ok_or(VenueError::UnknownAccount)?;
        let same = |row: &&OrderRow| match order {
            OrderRef::Id(id) => row.order_id == id,
            OrderRef::Client(text) => row.client_id == text,
        };
        let finished = || held.finished.iter().rev().filter(|row| row.symbol == symbol).find(same).copied();
        self.find_open(account, symbol, order).or_else(finished).ok_or(VenueError::NoSuchOrder)
    }

    /// An order, only if it is open.
    ///
    /// # Errors
    /// [`VenueError::NoSuchOrder`], an unknown symbol or account.
    pub fn open_order(&self, account: AccountId, symbol: Symbol, order: OrderRef) -> Result<OrderRow, VenueError> {
        self.find(symbol)?;
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        self.find_open(account, symbol, order).ok_or(VenueError::NoSuchOrder)
    }

    /// Open orders of one or all symbols, by id.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn open_orders(&self, account: AccountId, symbol: Option<Symbol>) -> Result<Vec<OrderRow>, VenueError> {
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        if let Some(symbol) = symbol {
            self.find(symbol)?;
        }
        let wanted = |row: &&OrderRow| row.account == account && symbol.is_none_or(|s| row.symbol == s);
        let mut rows: Vec<OrderRow> = self.open.values().filter(wanted).copied().collect();
        rows.sort_unstable_by_key(|row| row.order_id);
        Ok(rows)
    }

    /// Open and remembered orders of a symbol, by id; the page's times are of placing.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn all_orders(&self, account: AccountId, symbol: Symbol, page: Page) -> Result<Vec<OrderRow>, VenueError> {
        self.find(symbol)?;
        let held = self.account(account).ok_or(VenueError::UnknownAccount)?;
        let open = self.open.values().filter(|row| row.account == account);
        let mut rows: Vec<OrderRow> = open.chain(&held.finished).filter(|row| row.symbol == symbol).copied().collect();
        rows.sort_unstable_by_key(|row| row.order_id);
        Ok(pick(rows.into_iter(), page, |row| row.order_id, |row| row.created))
    }

    /// Executions on a symbol, by trade id; with `order` those of one order.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn user_trades(&self, account: AccountId, symbol: Symbol, order: Option<u64>, page: Page) -> Result<Vec<TradeRow>, VenueError> {
        self.find(symbol)?;
        let held = self.account(account).ok_or(VenueError::UnknownAccount)?;
        let wanted = |row: &&TradeRow| row.symbol == symbol && order.is_none_or(|id| row.order_id == id);
        Ok(pick(held.trades.iter().filter(wanted).copied(), page, |row| row.trade_id, |row| row.time))
    }

    /// All positions, flat ones too, in the order of the contracts.
    ///
    /// # Errors
    /// An unknown account.
    pub fn positions(&self, account: AccountId) -> Result<Vec<PositionRow>, VenueError> {
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        Ok((0..self.markets.len()).filter_map(|market| self.position_row(account, market)).collect())
    }

    /// One position, flat or not.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn position(&self, account: AccountId, symbol: Symbol) -> Result<PositionRow, VenueError> {
        let market = self.find(symbol)?;
        self.position_row(account, market).ok_or(VenueError::UnknownAccount)
    }

    /// The money of an account.
    ///
    /// # Errors
    /// An unknown account.
    pub fn balance(&self, account: AccountId) -> Result<BalanceRow, VenueError> {
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        let money = self.money_of(account);
        Ok(BalanceRow { available: money.available.max(0), ..money })
    }

    /// Whether an account pays its fees in the exchange's own coin.
    pub fn burns(&self, account: AccountId) -> bool {
        self.account(account).is_some_and(|held| held.burn)
    }

    /// Income, oldest first: funding and insurance as remembered, profit and commission from the remembered executions.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn income(
        &self,
        account: AccountId,
        symbol: Option<Symbol>,
        kind: Option<IncomeKind>,
        page: Page,
    ) -> Result<Vec<IncomeRow>, VenueError> {
        if let Some(symbol) = symbol {
            self.find(symbol)?;
        }
        let held = self.account(account).ok_or(VenueError::UnknownAccount)?;
        let of_trade = |t: &TradeRow| {
            let (id, symbol, trade_id, time) = (t.trade_id, t.symbol, Some(t.trade_id), t.time);
            let row = |kind, amount, in_coin| IncomeRow { id, symbol, kind, amount, in_coin, trade_id, time };
            let profit = (t.realized != 0).then(|| row(IncomeKind::RealizedPnl, t.realized, false));
            [profit, Some(row(IncomeKind::Commission, -t.commission, t.in_coin))].into_iter().flatten()
        };
        let wanted = |row: &IncomeRow| symbol.is_none_or(|s| row.symbol == s) && kind.is_none_or(|k| row.kind == k);
        let mut rows: Vec<IncomeRow> = held.income.iter().copied().chain(held.trades.iter().flat_map(of_trade)).filter(wanted).collect();
        rows.sort_by_key(|row| row.time);
        Ok(pick(rows.into_iter(), Page { from_id: None, ..page }, |row| row.id, |row| row.time))
    }

    /// The book's best `limit` levels a side.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn depth(&self, symbol: Symbol, limit: usize) -> Result<DepthSnapshot, VenueError> {
        self.market(symbol).map(|m| m.book.snapshot(limit))
    }

    /// The top with its update id; `None` while a side is empty.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn top(&self, symbol: Symbol) -> Result<Option<(u64, Top)>, VenueError> {
        let m = self.market(symbol)?;
        Ok(m.book.top().map(|top| (m.book.last_update(), top)))
    }

    /// Candles by open time, the open one last; the page's id is ignored.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn klines(&self, symbol: Symbol, interval: Interval, page: Page) -> Result<Vec<Candle>, VenueError> {
        self.market(symbol).map(|m| m.candles.query(interval, page))
    }

    /// Recent trades by id.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn trades(&self, symbol: Symbol, page: Page) -> Result<Vec<Trade>, VenueError> {
        let m = self.market(symbol)?;
        Ok(pick(m.trades.iter().copied(), page, |t| t.id.0, |t| t.time))
    }

    /// Recent aggregated trades by id.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn agg_trades(&self, symbol: Symbol, page: Page) -> Result<Vec<AggTrade>, VenueError> {
        let m = self.market(symbol)?;
        Ok(pick(m.aggs.iter().copied().chain(m.aggregating), page, |t| t.id, |t| t.time))
    }

    /// The last 24 hours, from one-minute candles; `None` before the first one.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn ticker(&self, symbol: Symbol) -> Result<Option<Ticker>, VenueError> {
        const DAY: Duration = Duration::from_secs(86_400);
        let m = self.market(symbol)?;
        let open_time = Time::from_nanos(self.now.nanos().saturating_sub(u64::try_from(DAY.as_nanos()).unwrap_or(0)));
        let mut minutes = m.candles.since(open_time);
        let Some(mut day) = minutes.next().copied() else { return Ok(None) };
        let mut trades = u64::from(day.trades);
        for minute in minutes {
            merge(&mut day, minute);
            trades += u64::from(minute.trades);
        }
        let last_id = m.trades.last().map_or(0, |t| t.id.0);
        Ok(Some(Ticker {
            open: day.open,
            high: day.high,
            low: day.low,
            last: m.last_price.unwrap_or(day.close),
            last_qty: m.trades.last().map_or(Qty::ZERO, |t| t.qty),
            volume: day.volume,
            turnover: day.turnover,
            average: m.instrument.average(day.turnover, day.volume),
            trades,
            first_id: last_id.saturating_sub(trades.saturating_sub(1)).max(u64::from(last_id > 0)),
            last_id,
            open_time,
            close_time: self.now,
        }))
    }

    /// The last traded price; `None` before the first trade.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn last_price(&self, symbol: Symbol) -> Result<Option<Price>, VenueError> {
        self.market(symbol).map(|m| m.last_price)
    }

    /// Mark and index price and the funding to come; zero prices before there is a market.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn mark(&self, symbol: Symbol) -> Result<MarkPrice, VenueError> {
        self.market(symbol).map(|m| MarkPrice { next_funding: self.next_funding, ..m.mark })
    }

    /// Past fundings, oldest first: when, at what rate, at what mark price. The page's id is ignored.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn funding_rates(&self, symbol: Symbol, page: Page) -> Result<Vec<(Time, Bps, RefPrice)>, VenueError> {
        let m = self.market(symbol)?;
        Ok(pick(m.fundings.iter().copied(), Page { from_id: None, ..page }, |_| 0, |(time, _, _)| *time))
    }

    /// What was wrong with the recording that a market is played from; `None` when it is not.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn recording_faults(&self, symbol: Symbol) -> Result<Option<Faults>, VenueError> {
        let m = self.market(symbol)?;
        Ok(match &m.source {
            MarketSource::Replay(replay) => Some(replay.faults()),
            MarketSource::Generator(_) | MarketSource::Empty => None,
        })
    }

    /// Open interest: what the accounts hold long, or short if that is more.
    ///
    /// # Errors
    /// An unknown symbol.
    pub fn open_interest(&self, symbol: Symbol) -> Result<Qty, VenueError> {
        let market = self.find(symbol)?;
        let held = self.accounts.iter().filter_map(|a| a.positions.get(market)).map(|p| p.holding.units());
        let (long, short) = held.fold((0_u64, 0_u64), |(long, short), units| match units {
            0.. => (long + units.unsigned_abs(), short),
            _ => (long, short + units.unsigned_abs()),
        });
        Ok(Qty::from_units(long.max(short)))
    }
}
