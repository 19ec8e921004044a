//! What a step has to tell: collected while it runs, given out when it is complete.

use plimsoll_market::Symbol;

use super::types::{AccountEvent, AccountId, Execution, IncomeKind, IncomeRow, Journal, OrderRow, Sink, TradeRow, VenueEvent};
use super::{Reserved, Venue};
use crate::limits::{IDS_LEFT, IDS_RESERVED};
use crate::rows::Row;

/// What one step changed. Emptied at its end, so it never holds more than one command or market event can cause.
#[derive(Default)]
pub(crate) struct Step {
    pub events: Vec<(AccountId, AccountEvent)>, // tidy: bounded by one step
    pub orders: Vec<OrderRow>,                  // tidy: bounded by one step
    pub trades: Vec<TradeRow>,                  // tidy: bounded by one step
    income: Vec<(AccountId, IncomeRow)>,        // tidy: bounded by one step
    wallets: Vec<AccountId>,                    // tidy: bounded by ACCOUNTS_MAX
    positions: Vec<(AccountId, usize)>,         // tidy: bounded by ACCOUNTS_MAX × INSTRUMENTS_MAX
    markets: Vec<usize>,                        // tidy: bounded by INSTRUMENTS_MAX
}

impl Step {
    pub(crate) fn touch_wallet(&mut self, account: AccountId) {
        if !self.wallets.contains(&account) {
            self.wallets.push(account);
        }
    }

    pub(crate) fn touch_position(&mut self, account: AccountId, market: usize) {
        if !self.positions.contains(&(account, market)) {
            self.positions.push((account, market));
        }
    }

    pub(crate) fn touch_market(&mut self, market: usize) {
        if !self.markets.contains(&market) {
            self.markets.push(market);
        }
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.orders.is_empty()
            && self.trades.is_empty()
            && self.income.is_empty()
            && self.wallets.is_empty()
            && self.positions.is_empty()
            && self.markets.is_empty()
    }
}

impl Venue {
    pub(crate) fn tell(&mut self, account: AccountId, event: AccountEvent) {
        self.step.events.push((account, event));
    }

    /// Tells an order's owner how it stands, and notes it for the rows.
    pub(crate) fn tell_order(&mut self, order_id: u64, execution: Execution, fill: Option<TradeRow>) {
        let Some(row) = self.open.get(&order_id).copied() else { return };
        let Ok(market) = self.market(row.symbol) else { return };
        let bids = market.book.value_of(plimsoll_market::Side::Buy, row.account, false);
        let asks = market.book.value_of(plimsoll_market::Side::Sell, row.account, false);
        self.step.orders.push(row);
        self.tell(row.account, AccountEvent::Order { row, execution, fill, bids, asks });
    }

    pub(crate) fn note_income(&mut self, account: AccountId, symbol: Symbol, kind: IncomeKind, amount: i128, trade_id: Option<u64>) {
        let time = self.now;
        let Some(held) = self.account_mut(account) else { return };
        let row = IncomeRow { id: held.next_income, symbol, kind, amount, in_coin: false, trade_id, time };
        held.next_income += 1;
        held.income.roll(row);
        self.step.income.push((account, row));
    }

    /// Ends what happened on a market: its diff and top, then rows and account events.
    pub(crate) fn settle(&mut self, market: usize, out: &mut Sink<'_>) {
        let now = self.now;
        if let Some(m) = self.markets.get_mut(market) {
            let symbol = m.instrument.symbol;
            m.book.flush(now, &mut |event| out(VenueEvent::Market { symbol, event }));
            let (used, kept) = (Reserved { trade: m.next_trade, agg: m.next_agg, update: m.book.last_update() }, m.reserved);
            let low = |used: u64, kept: u64| used + IDS_LEFT >= kept;
            if low(used.trade, kept.trade) || low(used.agg, kept.agg) || low(used.update, kept.update) {
                self.step.touch_market(market);
            }
        }
        self.commit(out);
    }

    /// Gives out the rows of the step and closes them with a commit, then tells the accounts.
    ///
    /// Rows: orders, executions, income, positions, accounts, markets, ids. Any of them alone would leave an account
    /// contradictory; only batches with their commit are taken back.
    pub(crate) fn commit(&mut self, out: &mut Sink<'_>) {
        if self.step.is_empty() {
            return;
        }
        let step = core::mem::take(&mut self.step);
        let reserve = self.next_order + IDS_LEFT >= self.reserved_orders;
        if reserve {
            self.reserved_orders = self.next_order + IDS_RESERVED;
        }
        for &market in &step.markets {
            if let Some(m) = self.markets.get_mut(market) {
                m.reserved = Reserved {
                    trade: m.next_trade + IDS_RESERVED,
                    agg: m.next_agg + IDS_RESERVED,
                    update: m.book.last_update() + IDS_RESERVED,
                };
            }
        }
        if self.journal == Journal::On {
            self.write(&step, reserve, &mut |row| out(VenueEvent::Row(row)));
        }
        for (account, event) in &step.events {
            out(VenueEvent::Account { account: *account, event });
        }
        self.step = step;
        self.step.events.clear();
        self.step.orders.clear();
        self.step.trades.clear();
        self.step.income.clear();
        self.step.wallets.clear();
        self.step.positions.clear();
        self.step.markets.clear();
    }

    fn write(&mut self, step: &Step, reserve: bool, out: &mut dyn FnMut(&Row)) {
        for (at, order) in step.orders.iter().enumerate() {
            let told_later = step.orders.get(at + 1..).unwrap_or_default().iter().any(|later| later.order_id == order.order_id);
            if !told_later {
                out(&self.order_as_row(order));
            }
        }
        for trade in &step.trades {
            out(&self.trade_as_row(trade));
        }
        for (account, income) in &step.income {
            out(&self.income_as_row(*account, income));
        }
        for &(account, market) in &step.positions {
            if let Some(row) = self.position_as_row(account, market) {
                out(&row);
            }
        }
        for &account in &step.wallets {
            if let Some(row) = self.account_as_row(account) {
                out(&row);
            }
        }
        for &market in &step.markets {
            if let Some(row) = self.market_as_row(market) {
                out(&row);
            }
        }
        if reserve {
            out(&Row::Ids { next_order: self.reserved_orders.to_string() });
        }
        self.commits += 1;
        out(&Row::Commit { seq: self.commits });
    }
}
