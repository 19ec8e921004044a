//! Commands about orders: place, cancel, amend, and the dead man's switch.

use core::fmt::Write;
use core::time::Duration;
use plimsoll_market::{Notional, OrderStatus, OrderType, Price, Qty, Round, Side, Symbol, Time, Trading};

use super::book::{Resting, at_least};
use super::margin::Extra;
use super::types::{AccountId, ClientText, Execution, NewOrder, OrderRef, OrderRow, Origin, SelfTrade, Sink, Tif};
use super::{Market, Venue};
use crate::error::VenueError;
use crate::limits::{AMENDS_MAX, GTD_LEAST, OPEN_PER_SYMBOL_MAX, OPEN_TOTAL_MAX};

impl Market {
    /// The lowest and highest price that the mark price allows; `None` before there is one.
    fn band(&self) -> Option<(Price, Price)> {
        let mark = self.instrument.price_of_ref(self.valuation(), Round::Nearest).filter(|p| !p.is_zero())?;
        let times = |ppm: u32| i64::try_from(i128::from(mark.units()) * i128::from(ppm) / 1_000_000).unwrap_or(i64::MAX);
        Some((Price::from_units(times(self.instrument.percent_down.0)), Price::from_units(times(self.instrument.percent_up.0))))
    }

    /// Checks price, quantity and value of an order against the filters.
    fn check_filters(&self, kind: OrderType, price: Price, qty: Qty, reduce_only: bool, side: Side) -> Result<(), VenueError> {
        let i = &self.instrument;
        let (step, qty_min, qty_max) = match kind {
            OrderType::Limit => (i.step, i.qty_min, i.qty_max),
            OrderType::Market => (i.market_step, i.market_qty_min, i.market_qty_max),
        };
        if qty.is_zero() {
            return Err(VenueError::QtyZero);
        }
        if qty < qty_min {
            return Err(VenueError::QtyBelowMin { qty, min: qty_min });
        }
        if qty > qty_max {
            return Err(VenueError::QtyAboveMax { qty, max: qty_max });
        }
        if !qty.units().is_multiple_of(step.units().max(1)) {
            return Err(VenueError::OffStep { qty, step });
        }
        let valued_at = match kind {
            OrderType::Limit => {
                self.check_price(price)?;
                price
            }
            OrderType::Market => {
                let best = self.book.best(side.opposite()).ok_or(VenueError::NoDepth)?;
                if self.band().is_some_and(|(low, high)| best < low || best > high) {
                    return Err(VenueError::CounterpartyOutOfBand);
                }
                best
            }
        };
        let value = valued_at * qty;
        if !reduce_only && value < i.notional_min {
            return Err(VenueError::NotionalBelowMin { value, min: i.notional_min, scale: i.price_scale + i.qty_scale });
        }
        Ok(())
    }

    fn check_price(&self, price: Price) -> Result<(), VenueError> {
        let i = &self.instrument;
        if price < i.price_min || price.is_zero() {
            return Err(VenueError::PriceBelowMin { price, min: i.price_min });
        }
        if price > i.price_max {
            return Err(VenueError::PriceAboveMax { price, max: i.price_max });
        }
        if price.units() % i.tick.units().max(1) != 0 {
            return Err(VenueError::OffTick { price, tick: i.tick });
        }
        match self.band() {
            Some((min, _)) if price < min => Err(VenueError::PriceTooLow { min, scale: i.price_scale }),
            Some((_, max)) if price > max => Err(VenueError::PriceTooHigh { max, scale: i.price_scale }),
            _ => Ok(()),
        }
    }

    /// Whether an order at this price would take.
    fn would_take(&self, side: Side, price: Price) -> bool {
        self.book.best(side.opposite()).is_some_and(|best| at_least(side.opposite(), best, price))
    }
}

impl Venue {
    /// Places an order.
    ///
    /// The answer is the order after whatever happened to it at once. A refused order leaves no trace: no event, no record.
    ///
    /// # Errors
    /// A broken filter, too little margin, or whatever else [`VenueError`] says.
    ///
    /// # Bounds
    /// Open orders a symbol and account: the instrument's `orders_max`, at most [`OPEN_PER_SYMBOL_MAX`]; all together
    /// [`OPEN_TOTAL_MAX`].
    pub fn place(&mut self, now: Time, account: AccountId, order: NewOrder, out: &mut Sink<'_>) -> Result<OrderRow, VenueError> {
        self.run_to(now, out);
        let market = self.admit(account, &order)?;
        let order_id = self.next_id();
        let client_id = order.client_id.unwrap_or_else(|| {
            let mut text = ClientText::new();
            // At most 24 characters of 36.
            if write!(text, "auto{order_id}").is_err() {
                text.clear();
            }
            text
        });
        let (price, tif) = match order.kind {
            OrderType::Limit => (order.price, order.tif),
            OrderType::Market => (Price::ZERO, Tif::Gtc),
        };
        let row = OrderRow {
            order_id,
            account,
            symbol: order.symbol,
            client_id,
            side: order.side,
            kind: order.kind,
            tif,
            price,
            qty: order.qty,
            filled: Qty::ZERO,
            cost: Notional::ZERO,
            reduce_only: order.reduce_only,
            self_trade: order.self_trade,
            status: OrderStatus::New,
            in_match: false,
            origin: Origin::Client,
            amends: 0,
            created: self.now,
            updated: self.now,
        };
        let kept = self.open.insert(order_id, row).is_ok();
        assert!(kept, "room for the order was checked when it was admitted");
        self.tell_order(order_id, Execution::New, None);
        let done = self.work(market, row, out);
        self.settle(market, out);
        Ok(done)
    }

    /// Checks an order as [`Venue::place`] would, and does nothing.
    ///
    /// # Errors
    /// What `place` would answer.
    pub fn check_order(&mut self, now: Time, account: AccountId, order: &NewOrder, out: &mut Sink<'_>) -> Result<(), VenueError> {
        self.run_to(now, out);
        self.admit(account, order).map(|_| ())
    }

    /// Decides whether an order may enter; returns its market.
    fn admit(&self, account: AccountId, order: &NewOrder) -> Result<usize, VenueError> {
        let market = self.find(order.symbol)?;
        let (Some(m), Some(held)) = (self.markets.get(market), self.account(account)) else { return Err(VenueError::UnknownAccount) };
        if m.instrument.trading != Trading::Open {
            return Err(VenueError::Closed);
        }
        if held.liquidating {
            return Err(VenueError::Liquidating);
        }
        if let Some(client_id) = &order.client_id {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b".:/_-".contains(&b);
            if client_id.is_empty() || !client_id.bytes().all(legal) {
                return Err(VenueError::BadClientId);
            }
            if self.open_by_client(account, client_id).is_some() {
                return Err(VenueError::DuplicateClientId);
            }
        }
        m.check_filters(order.kind, order.price, order.qty, order.reduce_only, order.side)?;
        if order.kind == OrderType::Limit
            && let Tif::Gtd(until) = order.tif
            && until < self.now + GTD_LEAST
        {
            return Err(VenueError::BadGoodTill);
        }
        let reducible = held.positions.get(market).map_or(Qty::ZERO, |p| p.reducible(order.side));
        if order.reduce_only && reducible.is_zero() {
            return Err(VenueError::NothingToReduce);
        }
        let per_symbol = usize::from(m.instrument.orders_max).min(OPEN_PER_SYMBOL_MAX);
        if m.book.count_of(account) >= per_symbol {
            return Err(VenueError::TooManyOrders { max: per_symbol });
        }
        if self.open.is_full() || m.book.is_full(order.side) {
            return Err(VenueError::TooManyOrders { max: OPEN_TOTAL_MAX });
        }
        let taking = order.kind == OrderType::Limit && m.would_take(order.side, order.price);
        match order.tif {
            Tif::Gtx if order.kind == OrderType::Limit && taking => return Err(VenueError::WouldTake),
            Tif::Fok if order.kind == OrderType::Limit => {
                let except = if order.self_trade == SelfTrade::None { None } else { Some(account) };
                let wanted = if order.reduce_only { order.qty.min(reducible) } else { order.qty };
                if m.book.reachable(order.side.opposite(), Some(order.price), except) < wanted || wanted < order.qty {
                    return Err(VenueError::FokUnfillable);
                }
            }
            Tif::Gtx | Tif::Fok | Tif::Gtc | Tif::Ioc | Tif::Gtd(_) => {}
        }
        if !order.reduce_only {
            let valued_at = match order.kind {
                OrderType::Limit => order.price,
                OrderType::Market => m.book.best(order.side.opposite()).ok_or(VenueError::NoDepth)?,
            };
            self.check_margin(account, market, extra(order.side, valued_at * order.qty))?;
        }
        Ok(market)
    }

    /// Matches an order that just entered (or was amended) and lets the rest rest or expire.
    fn work(&mut self, market: usize, row: OrderRow, out: &mut Sink<'_>) -> OrderRow {
        let order_id = row.order_id;
        let limit = match row.kind {
            OrderType::Limit => Some(row.price),
            // An order at market goes no further than the band around the mark price.
            OrderType::Market => self.markets.get(market).and_then(Market::band).map(|(low, high)| match row.side {
                Side::Buy => high,
                Side::Sell => low,
            }),
        };
        self.take(market, row.side, row.remaining(), limit, Some(order_id), out);
        let Some(after) = self.open.get(&order_id).copied() else {
            return self.finished_row(row.account, order_id).unwrap_or(row);
        };
        let idle = row.reduce_only
            && self.account(row.account).and_then(|a| a.positions.get(market)).is_none_or(|p| p.reducible(row.side).is_zero());
        let rests = row.kind == OrderType::Limit && !idle && matches!(row.tif, Tif::Gtc | Tif::Gtx | Tif::Gtd(_));
        if !rests {
            return self.finish(order_id, OrderStatus::Expired, Execution::Expired).unwrap_or(after);
        }
        let resting = Resting {
            price: after.price,
            order_id,
            seq: 0,
            ahead: Qty::ZERO,
            remaining: after.remaining(),
            account: after.account,
            reduce_only: after.reduce_only,
        };
        self.book_mut(market, |book| book.join(after.side, after.price, resting));
        after
    }

    /// Withdraws an open order.
    ///
    /// # Errors
    /// [`VenueError::UnknownOrder`] when none is open by that name.
    pub fn cancel(
        &mut self,
        now: Time,
        account: AccountId,
        symbol: Symbol,
        order: OrderRef,
        out: &mut Sink<'_>,
    ) -> Result<OrderRow, VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        let row = self.find_open(account, symbol, order).ok_or(VenueError::UnknownOrder)?;
        let row = self.finish(row.order_id, OrderStatus::Canceled, Execution::Canceled).ok_or(VenueError::UnknownOrder)?;
        self.settle(market, out);
        Ok(row)
    }

    /// Withdraws all open orders of a symbol; returns how many.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn cancel_all(&mut self, now: Time, account: AccountId, symbol: Symbol, out: &mut Sink<'_>) -> Result<usize, VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        let count = self.cancel_all_of(account, market);
        self.settle(market, out);
        Ok(count)
    }

    pub(crate) fn cancel_all_of(&mut self, account: AccountId, market: usize) -> usize {
        let Some(m) = self.markets.get(market) else { return 0 };
        let mut ids: Vec<u64> = m.book.all_resting().filter(|(_, r)| r.account == account).map(|(_, r)| r.order_id).collect();
        ids.sort_unstable();
        for order_id in &ids {
            self.finish(*order_id, OrderStatus::Canceled, Execution::Canceled);
        }
        ids.len()
    }

    /// Changes price and quantity of an open limit order, which then queues at the back and may take at once.
    ///
    /// When the new quantity is not above what is filled, or a post-only order's new price would take, the order is cancelled
    /// and the answer is the cancelled order.
    ///
    /// # Errors
    /// A broken filter, too little margin, nothing changed, too many changes: the order stays as it was.
    #[expect(clippy::too_many_arguments, reason = "mirrors the exchange's call; the types cannot be swapped")]
    pub fn amend(
        &mut self,
        now: Time,
        account: AccountId,
        symbol: Symbol,
        order: OrderRef,
        price: Price,
        qty: Qty,
        out: &mut Sink<'_>,
    ) -> Result<OrderRow, VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        let row = self.find_open(account, symbol, order).ok_or(VenueError::UnknownOrder)?;
        let Some(m) = self.markets.get(market) else { return Err(VenueError::UnknownSymbol) };
        if row.kind != OrderType::Limit {
            return Err(VenueError::AmendNotLimit);
        }
        if (row.price, row.qty) == (price, qty) {
            return Err(VenueError::AmendUnchanged);
        }
        if row.amends >= AMENDS_MAX {
            return Err(VenueError::AmendTooOften);
        }
        m.check_filters(OrderType::Limit, price, qty, row.reduce_only, row.side)?;
        if qty <= row.filled || (row.tif == Tif::Gtx && m.would_take(row.side, price)) {
            let row = self.finish(row.order_id, OrderStatus::Canceled, Execution::Canceled).ok_or(VenueError::UnknownOrder)?;
            self.settle(market, out);
            return Ok(row);
        }
        if !row.reduce_only {
            // Only the difference is new; a smaller order frees margin and always passes.
            let (new, old) = (price * (qty - row.filled), row.price * row.remaining());
            self.check_margin(account, market, extra(row.side, new - old))?;
        }
        self.book_mut(market, |book| book.leave(row.side, row.price, row.order_id));
        let now = self.now;
        if let Some(open) = self.open.get_mut(&row.order_id) {
            open.price = price;
            open.qty = qty;
            open.amends += 1;
            open.updated = now;
        }
        self.tell_order(row.order_id, Execution::Amendment, None);
        let row = self.open.get(&row.order_id).copied().unwrap_or(row);
        let done = self.work(market, row, out);
        self.settle(market, out);
        Ok(done)
    }

    /// Arms, or with `None` disarms, the withdrawal of all orders of a symbol after a time. It is carried out at the first
    /// tick (100 ms) at or after it. A restart disarms it.
    ///
    /// # Errors
    /// An unknown symbol or account.
    pub fn countdown_cancel_all(
        &mut self,
        now: Time,
        account: AccountId,
        symbol: Symbol,
        after: Option<Duration>,
        out: &mut Sink<'_>,
    ) -> Result<(), VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        let due = after.map(|after| self.now + after);
        self.position_mut(account, market).ok_or(VenueError::UnknownAccount)?.countdown = due;
        Ok(())
    }

    /// Carries out countdowns and good-till-dates that are due.
    pub(crate) fn expire_due(&mut self, out: &mut Sink<'_>) {
        let now = self.now;
        for index in 0..self.accounts.len() {
            let account = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            for market in 0..self.markets.len() {
                let due = self.position_mut(account, market).is_some_and(|p| p.countdown.take_if(|due| *due <= now).is_some());
                if due {
                    self.cancel_all_of(account, market);
                    self.settle(market, out);
                }
            }
        }
        let late = |row: &&OrderRow| matches!(row.tif, Tif::Gtd(until) if until <= now);
        let ids: Vec<(u64, Symbol)> = self.open.values().filter(late).map(|row| (row.order_id, row.symbol)).collect();
        for (order_id, symbol) in ids {
            self.finish(order_id, OrderStatus::Expired, Execution::Expired);
            if let Ok(market) = self.find(symbol) {
                self.settle(market, out);
            }
        }
    }
}

fn extra(side: Side, notional: Notional) -> Extra {
    match side {
        Side::Buy => Extra { bids: notional, asks: Notional::ZERO },
        Side::Sell => Extra { bids: Notional::ZERO, asks: notional },
    }
}
