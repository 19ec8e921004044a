//! State out to rows and back.

use core::str::FromStr;
use plimsoll_market::{Holding, Name, Notional, OrderStatus, OrderType, Price, Qty, Side, Symbol, Time};

use super::account::{Position, Sums};
use super::book::Resting;
use super::types::{AccountId, ClientText, IncomeKind, IncomeRow, MarginType, OrderRow, Origin, SelfTrade, Tif, TradeRow};
use super::{Reserved, Venue};
use crate::error::RestoreError;
use crate::limits::{COIN_DEPOSIT, IDS_RESERVED};
use crate::rows::{AccountRecord, IncomeRecord, MarketRecord, OrderRecord, PositionRecord, Row, TradeRecord};
use crate::source::MarketSource;

impl Venue {
    fn name_of(&self, account: AccountId) -> String {
        self.account(account).map_or_else(String::new, |a| a.name.to_string())
    }

    pub(crate) fn order_as_row(&self, row: &OrderRow) -> Row {
        Row::Order(OrderRecord {
            id: row.order_id.to_string(),
            account: self.name_of(row.account),
            symbol: row.symbol.to_string(),
            client_id: row.client_id.to_string(),
            side: row.side.as_str().to_owned(),
            kind: if row.kind == OrderType::Limit { "limit" } else { "market" }.to_owned(),
            tif: row.tif.as_str().to_owned(),
            good_till: if let Tif::Gtd(until) = row.tif { Some(until.nanos()) } else { None },
            price: row.price.units(),
            qty: row.qty.units(),
            filled: row.filled.units(),
            cost: row.cost.units().to_string(),
            reduce_only: row.reduce_only,
            self_trade: row.self_trade.as_str().to_owned(),
            status: row.status.as_str().to_owned(),
            in_match: row.in_match,
            liquidation: row.origin != Origin::Client,
            amends: row.amends,
            created: row.created.nanos(),
            updated: row.updated.nanos(),
        })
    }

    pub(crate) fn trade_as_row(&self, row: &TradeRow) -> Row {
        Row::Trade(TradeRecord {
            id: row.trade_id.to_string(),
            order_id: row.order_id.to_string(),
            account: self.name_of(row.account),
            symbol: row.symbol.to_string(),
            side: row.side.as_str().to_owned(),
            price: row.price.units(),
            qty: row.qty.units(),
            realized: row.realized.to_string(),
            commission: row.commission.to_string(),
            in_coin: row.in_coin,
            maker: row.maker,
            time: row.time.nanos(),
        })
    }

    pub(crate) fn income_as_row(&self, account: AccountId, row: &IncomeRow) -> Row {
        Row::Income(IncomeRecord {
            id: row.id.to_string(),
            account: self.name_of(account),
            symbol: row.symbol.to_string(),
            kind: row.kind.as_str().to_owned(),
            amount: row.amount.to_string(),
            time: row.time.nanos(),
        })
    }

    pub(crate) fn position_as_row(&self, account: AccountId, market: usize) -> Option<Row> {
        let position = self.account(account)?.positions.get(market)?;
        Some(Row::Position(PositionRecord {
            account: self.name_of(account),
            symbol: self.markets.get(market)?.instrument.symbol.to_string(),
            holding: position.holding.units(),
            cost: position.cost.units().to_string(),
            realized: position.realized.units().to_string(),
            flow: position.flow.units().to_string(),
            bought: position.bought.units(),
            sold: position.sold.units(),
            leverage: position.leverage,
            isolated: position.margin == MarginType::Isolated,
            updated: position.updated.nanos(),
        }))
    }

    pub(crate) fn account_as_row(&self, account: AccountId) -> Option<Row> {
        let held = self.account(account)?;
        Some(Row::Account(AccountRecord {
            account: held.name.to_string(),
            wallet: held.wallet.to_string(),
            deposited: held.sums.deposited.to_string(),
            realized: held.sums.realized.to_string(),
            commission: held.sums.commission.to_string(),
            funding: held.sums.funding.to_string(),
            insurance: held.sums.insurance.to_string(),
            burned: held.sums.burned.to_string(),
            burn: held.burn,
            updated: held.updated.nanos(),
        }))
    }

    pub(crate) fn market_as_row(&self, market: usize) -> Option<Row> {
        let m = self.markets.get(market)?;
        Some(Row::Market(MarketRecord {
            symbol: m.instrument.symbol.to_string(),
            price: m.last_price.map_or(0, Price::units),
            next_trade: m.reserved.trade.max(m.next_trade).to_string(),
            next_agg: m.reserved.agg.max(m.next_agg).to_string(),
            next_update: m.reserved.update.max(m.book.last_update()).to_string(),
        }))
    }

    /// Gives out everything that rows describe, as one batch closed by its commit: for making a long journal short.
    ///
    /// # Bounds
    /// As many rows as there are open and remembered orders, executions, incomes and positions.
    pub fn snapshot(&self, out: &mut dyn FnMut(&Row)) {
        for index in 0..self.accounts.len() {
            let account = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            let Some(held) = self.account(account) else { continue };
            held.finished.iter().for_each(|row| out(&self.order_as_row(row)));
            held.trades.iter().for_each(|row| out(&self.trade_as_row(row)));
            held.income.iter().for_each(|row| out(&self.income_as_row(account, row)));
            (0..self.markets.len()).filter_map(|m| self.position_as_row(account, m)).for_each(|row| out(&row));
            self.account_as_row(account).iter().for_each(&mut *out);
        }
        self.open.values().for_each(|row| out(&self.order_as_row(row)));
        (0..self.markets.len()).filter_map(|m| self.market_as_row(m)).for_each(|row| out(&row));
        out(&Row::Ids { next_order: self.reserved_orders.max(self.next_order + IDS_RESERVED).to_string() });
        out(&Row::Commit { seq: self.commits + 1 });
    }

    /// Takes stored rows back: accounts, positions, settings, histories, ids, and open orders, which queue behind whatever the
    /// market shows at their price. Rows after the last commit are left out, and so are rows of accounts and symbols that the
    /// configuration does not name.
    ///
    /// # Errors
    /// The venue has begun; a row that cannot be read; rows that contradict each other.
    pub fn restore(&mut self, rows: impl IntoIterator<Item = Row>) -> Result<(), RestoreError> {
        if self.begun {
            return Err(RestoreError::Begun);
        }
        let mut batch: Vec<Row> = Vec::new();
        for row in rows {
            if let Row::Commit { seq } = row {
                for row in batch.drain(..) {
                    self.take_row(row)?;
                }
                self.commits = self.commits.max(seq);
            } else {
                batch.push(row);
            }
        }
        let mut open: Vec<OrderRow> = self.open.values().copied().collect();
        open.sort_unstable_by_key(|row| row.order_id);
        for row in open {
            let Ok(market) = self.find(row.symbol) else { continue };
            let order = Resting {
                price: row.price,
                order_id: row.order_id,
                seq: 0,
                ahead: Qty::ZERO,
                remaining: row.remaining(),
                account: row.account,
                reduce_only: row.reduce_only,
            };
            self.book_mut(market, |book| book.join(row.side, row.price, order));
        }
        for market in &mut self.markets {
            market.requeue = true;
        }
        self.check().map_err(RestoreError::Inconsistent)
    }

    fn take_row(&mut self, row: Row) -> Result<(), RestoreError> {
        match row {
            Row::Order(record) => self.take_order(&record),
            Row::Trade(record) => self.take_trade(&record),
            Row::Income(record) => self.take_income(&record),
            Row::Position(record) => self.take_position(&record),
            Row::Account(record) => self.take_account(&record),
            Row::Market(record) => self.take_market(&record),
            Row::Ids { next_order } => {
                self.next_order = self.next_order.max(number("next_order", &next_order)?);
                Ok(())
            }
            Row::Commit { .. } => Ok(()),
        }
    }

    /// The account and market of a row; `None` when the configuration no longer names one of them.
    fn place_of(&self, account: &str, symbol: &str) -> Result<Option<(AccountId, usize, Symbol)>, RestoreError> {
        let name = Name::new(account).map_err(|_| bad("account", account))?;
        let symbol = Symbol::new(symbol).map_err(|_| bad("symbol", symbol))?;
        let account = self.accounts.iter().position(|a| a.name == name).and_then(|i| u16::try_from(i).ok()).map(AccountId);
        Ok(account.zip(self.find(symbol).ok()).map(|(account, market)| (account, market, symbol)))
    }

    fn take_order(&mut self, r: &OrderRecord) -> Result<(), RestoreError> {
        let order_id: u64 = number("id", &r.id)?;
        self.next_order = self.next_order.max(order_id + 1);
        let Some((account, _, symbol)) = self.place_of(&r.account, &r.symbol)? else { return Ok(()) };
        let row = OrderRow {
            order_id,
            account,
            symbol,
            client_id: ClientText::from(&r.client_id).map_err(|_| bad("client_id", &r.client_id))?,
            side: side(&r.side)?,
            kind: match r.kind.as_str() {
                "limit" => OrderType::Limit,
                "market" => OrderType::Market,
                other => return Err(bad("kind", other)),
            },
            tif: match (r.tif.as_str(), r.good_till) {
                ("GTC", _) => Tif::Gtc,
                ("IOC", _) => Tif::Ioc,
                ("FOK", _) => Tif::Fok,
                ("GTX", _) => Tif::Gtx,
                ("GTD", Some(until)) => Tif::Gtd(Time::from_nanos(until)),
                (other, _) => return Err(bad("tif", other)),
            },
            price: price("price", r.price)?,
            qty: qty("qty", r.qty)?,
            filled: qty("filled", r.filled)?,
            cost: Notional::from_units(number("cost", &r.cost)?),
            reduce_only: r.reduce_only,
            self_trade: SelfTrade::parse(&r.self_trade).ok_or_else(|| bad("self_trade", &r.self_trade))?,
            status: [
                OrderStatus::New,
                OrderStatus::PartiallyFilled,
                OrderStatus::Filled,
                OrderStatus::Canceled,
                OrderStatus::Expired,
                OrderStatus::Rejected,
            ]
            .into_iter()
            .find(|status| status.as_str() == r.status)
            .ok_or_else(|| bad("status", &r.status))?,
            in_match: r.in_match,
            origin: if r.liquidation { Origin::Liquidation } else { Origin::Client },
            amends: r.amends,
            created: Time::from_nanos(r.created),
            updated: Time::from_nanos(r.updated),
        };
        if row.status.is_final() {
            self.open.remove(&order_id);
            if let Some(held) = self.account_mut(account) {
                held.finished.roll(row);
            }
        } else if row.remaining().is_zero() || row.price.is_zero() || self.open.insert(order_id, row).is_err() {
            return Err(bad("id", &r.id));
        }
        Ok(())
    }

    fn take_trade(&mut self, r: &TradeRecord) -> Result<(), RestoreError> {
        let Some((account, market, symbol)) = self.place_of(&r.account, &r.symbol)? else { return Ok(()) };
        let row = TradeRow {
            trade_id: number("id", &r.id)?,
            order_id: number("order_id", &r.order_id)?,
            account,
            symbol,
            side: side(&r.side)?,
            price: price("price", r.price)?,
            qty: qty("qty", r.qty)?,
            realized: number("realized", &r.realized)?,
            commission: number("commission", &r.commission)?,
            in_coin: r.in_coin,
            maker: r.maker,
            time: Time::from_nanos(r.time),
        };
        if let Some(m) = self.markets.get_mut(market) {
            m.next_trade = m.next_trade.max(row.trade_id + 1);
        }
        if let Some(held) = self.account_mut(account) {
            held.trades.roll(row);
        }
        Ok(())
    }

    fn take_income(&mut self, r: &IncomeRecord) -> Result<(), RestoreError> {
        let Some((account, _, symbol)) = self.place_of(&r.account, &r.symbol)? else { return Ok(()) };
        let row = IncomeRow {
            id: number("id", &r.id)?,
            symbol,
            kind: IncomeKind::parse(&r.kind).ok_or_else(|| bad("kind", &r.kind))?,
            amount: number("amount", &r.amount)?,
            in_coin: false,
            trade_id: None,
            time: Time::from_nanos(r.time),
        };
        if let Some(held) = self.account_mut(account) {
            held.next_income = held.next_income.max(row.id + 1);
            held.income.roll(row);
        }
        Ok(())
    }

    fn take_position(&mut self, r: &PositionRecord) -> Result<(), RestoreError> {
        let Some((account, market, _)) = self.place_of(&r.account, &r.symbol)? else { return Ok(()) };
        let leverage = r.leverage.clamp(1, self.markets.get(market).map_or(1, super::Market::leverage_max));
        let restored = Position {
            holding: Holding::from_units(r.holding),
            cost: Notional::from_units(number("cost", &r.cost)?),
            realized: Notional::from_units(number("realized", &r.realized)?),
            flow: Notional::from_units(number("flow", &r.flow)?),
            bought: qty("bought", r.bought)?,
            sold: qty("sold", r.sold)?,
            leverage,
            margin: if r.isolated { MarginType::Isolated } else { MarginType::Cross },
            updated: Time::from_nanos(r.updated),
            countdown: None,
        };
        if let Some(position) = self.position_mut(account, market) {
            *position = restored;
        }
        Ok(())
    }

    fn take_account(&mut self, r: &AccountRecord) -> Result<(), RestoreError> {
        let name = Name::new(&r.account).map_err(|_| bad("account", &r.account))?;
        let wallet = number("wallet", &r.wallet)?;
        let sums = Sums {
            deposited: number("deposited", &r.deposited)?,
            realized: number("realized", &r.realized)?,
            commission: number("commission", &r.commission)?,
            funding: number("funding", &r.funding)?,
            insurance: number("insurance", &r.insurance)?,
            burned: number("burned", &r.burned)?,
        };
        if let Some(held) = self.accounts.iter_mut().find(|a| a.name == name) {
            held.wallet = wallet;
            held.coin = COIN_DEPOSIT - sums.burned;
            held.burn = r.burn;
            held.sums = sums;
            held.updated = Time::from_nanos(r.updated);
        }
        Ok(())
    }

    fn take_market(&mut self, r: &MarketRecord) -> Result<(), RestoreError> {
        let symbol = Symbol::new(&r.symbol).map_err(|_| bad("symbol", &r.symbol))?;
        let Some(m) = self.markets.iter_mut().find(|m| m.instrument.symbol == symbol) else { return Ok(()) };
        let last = price("price", r.price)?;
        m.next_trade = m.next_trade.max(number("next_trade", &r.next_trade)?);
        m.next_agg = m.next_agg.max(number("next_agg", &r.next_agg)?);
        let update: u64 = number("next_update", &r.next_update)?;
        m.book.continue_at(m.book.last_update().max(update));
        m.reserved = Reserved::default();
        if !last.is_zero() {
            m.last_price = Some(last);
            if let MarketSource::Generator(generator) = &mut m.source {
                generator.continue_at(last);
            }
        }
        Ok(())
    }
}

fn bad(field: &'static str, text: &str) -> RestoreError {
    RestoreError::Field { field, text: text.chars().take(80).collect() }
}

fn number<T: FromStr>(field: &'static str, text: &str) -> Result<T, RestoreError> {
    text.parse().map_err(|_| bad(field, text))
}

fn price(field: &'static str, units: i64) -> Result<Price, RestoreError> {
    if units < 0 { Err(bad(field, &units.to_string())) } else { Ok(Price::from_units(units)) }
}

fn qty(field: &'static str, units: u64) -> Result<Qty, RestoreError> {
    if units > i64::MAX as u64 { Err(bad(field, &units.to_string())) } else { Ok(Qty::from_units(units)) }
}

fn side(text: &str) -> Result<Side, RestoreError> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(bad("side", other)),
    }
}
