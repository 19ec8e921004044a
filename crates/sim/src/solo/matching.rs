//! Who trades with whom: recorded trades and levels against the account's orders, and its orders against the recorded book.

use super::{Own, QueueModel, Seen, Solo, Told, UNKNOWN};
use crate::limits::{MATCHES_PER_ORDER_MAX, SOLO_ORDERS_MAX};
use plimsoll_market::{
    Amount, CancelFailure, ClientId, Fill, Level, Notional, OrderId, OrderReport, OrderStatus, OrderType, Place, Price, Qty, Reject, Side,
    Source, Time, TimeInForce, Top, TradeId, Trading,
};

/// How an order that is open stands.
pub(super) fn standing(own: &Own) -> OrderStatus {
    if own.filled.is_zero() { OrderStatus::New } else { OrderStatus::PartiallyFilled }
}

/// Whether `a` is at least as good as `b` for somebody who takes from `side`.
fn at_least(side: Side, a: Price, b: Price) -> bool {
    match side {
        Side::Buy => a >= b,
        Side::Sell => a <= b,
    }
}

impl Solo {
    pub(super) fn report(&self, own: &Own, status: OrderStatus, fill: Option<Fill>, source: Source) -> OrderReport {
        OrderReport {
            id: own.id,
            order_id: OrderId(u128::from(own.order_id)),
            side: own.side,
            price: own.price,
            qty: own.qty,
            filled: own.filled,
            average: self.instrument.average(own.cost, own.filled),
            status,
            kind: own.kind,
            tif: own.tif,
            reduce_only: own.reduce_only,
            fill,
            time: self.now,
            source,
        }
    }

    fn tell(&self, own: &Own, status: OrderStatus, fill: Option<Fill>, out: &mut impl FnMut(Told)) {
        out(Told::Order(self.report(own, status, fill, Source::Stream)));
    }

    fn reducible(&self, side: Side) -> Qty {
        if self.holding.side() == Some(side.opposite()) { self.holding.qty() } else { Qty::ZERO }
    }

    fn fillable(&self, own: &Own) -> Qty {
        if own.reduce_only { own.remaining().min(self.reducible(own.side)) } else { own.remaining() }
    }

    /// Places an order that has arrived now, and tells how it stands when that is done.
    ///
    /// # Errors
    /// Why the exchange refuses it; nothing has happened then.
    pub fn place(&mut self, now: Time, place: &Place, out: &mut impl FnMut(Told)) -> Result<OrderReport, Reject> {
        self.now(now);
        let side = place.id.side();
        self.admit(place, side)?;
        let mut own = Own {
            id: Some(place.id),
            order_id: self.next_order,
            side,
            price: place.price,
            qty: place.qty,
            filled: Qty::ZERO,
            cost: Notional::ZERO,
            kind: place.kind,
            tif: place.tif,
            reduce_only: place.reduce_only,
            ahead: UNKNOWN,
            traded: 0,
        };
        self.next_order += 1;
        self.tell(&own, OrderStatus::New, None, out);
        self.take(&mut own, out);
        let idle = own.reduce_only && self.reducible(side).is_zero();
        let rests = own.kind == OrderType::Limit && !idle && matches!(own.tif, TimeInForce::Gtc | TimeInForce::Gtx);
        let status = if own.remaining().is_zero() {
            OrderStatus::Filled
        } else if rests {
            own.ahead = self.ahead_at(side, own.price);
            self.orders.push(own);
            self.index();
            standing(&own)
        } else {
            self.tell(&own, OrderStatus::Expired, None, out);
            OrderStatus::Expired
        };
        Ok(self.report(&own, status, None, Source::Reply))
    }

    fn admit(&self, place: &Place, side: Side) -> Result<(), Reject> {
        let instrument = &self.instrument;
        if instrument.trading != Trading::Open {
            return Err(Reject::Closed);
        }
        if self.orders.iter().any(|own| own.id == Some(place.id)) {
            return Err(Reject::Duplicate);
        }
        if self.orders.len() >= SOLO_ORDERS_MAX.min(usize::from(instrument.orders_max)) {
            return Err(Reject::TooManyOrders);
        }
        let reference = match place.kind {
            OrderType::Limit => {
                instrument.check_limit(place.price, place.qty, place.reduce_only).map_err(|_| Reject::Filter)?;
                place.price
            }
            OrderType::Market => {
                let step = instrument.market_step.units().max(1);
                let in_range = place.qty >= instrument.market_qty_min && place.qty <= instrument.market_qty_max;
                if !in_range || place.qty.is_zero() || !place.qty.units().is_multiple_of(step) {
                    return Err(Reject::Filter);
                }
                self.best_for(side).map_or(self.last, |level| level.price)
            }
        };
        if place.reduce_only && self.reducible(side).is_zero() {
            return Err(Reject::NothingToReduce);
        }
        if !place.reduce_only {
            self.check_margin(side, reference, place.qty)?;
        }
        let takes = self.best_for(side).is_some_and(|level| at_least(side, place.price, level.price));
        if place.tif == TimeInForce::Gtx && place.kind == OrderType::Limit && takes {
            return Err(Reject::WouldTake);
        }
        let fills_whole = || self.seen != Seen::Levels || self.ladder.offered(side.opposite(), place.price) >= place.qty;
        if place.tif == TimeInForce::Fok && place.kind == OrderType::Limit && !(takes && fills_whole()) {
            return Err(Reject::Other(-5021));
        }
        Ok(())
    }

    /// What somebody who trades on `side` meets first.
    fn best_for(&self, side: Side) -> Option<Level> {
        match self.seen {
            Seen::Levels | Seen::Top => self.ladder.best(side.opposite()),
            Seen::Prices => {
                let top = self.prices_top()?;
                Some(match side {
                    Side::Buy => Level { price: top.ask, qty: top.ask_qty },
                    Side::Sell => Level { price: top.bid, qty: top.bid_qty },
                })
            }
        }
    }

    /// Quantity that waits at a price before an order that joins it now.
    fn ahead_at(&self, side: Side, price: Price) -> u64 {
        match self.seen {
            Seen::Levels => self.ladder.qty_at(side, price).units(),
            Seen::Top if self.ladder.best(side).is_some_and(|level| level.price == price) => self.ladder.qty_at(side, price).units(),
            // Better than the best: nobody is there.
            Seen::Top if self.ladder.best(side).is_some_and(|level| !at_least(side, level.price, price)) => 0,
            Seen::Top | Seen::Prices => UNKNOWN,
        }
    }

    /// Lets an order take what the recorded book offers within its limit.
    fn take(&mut self, own: &mut Own, out: &mut impl FnMut(Told)) {
        for _ in 0..MATCHES_PER_ORDER_MAX {
            let left = self.fillable(own);
            if left.is_zero() {
                return;
            }
            let Some(level) = self.best_for(own.side) else { return };
            if own.kind == OrderType::Limit && !at_least(own.side, own.price, level.price) {
                return;
            }
            match self.seen {
                Seen::Levels => {
                    let qty = left.min(level.qty);
                    self.ladder.eat(own.side.opposite(), level.price, qty);
                    self.dirty = true;
                    self.fill(own, level.price, qty, Taken::Market, out);
                }
                // What is behind the top is not known: the rest pays a tick more.
                Seen::Top => {
                    let shown = left.min(level.qty);
                    self.fill(own, level.price, shown, Taken::Market, out);
                    let (rest, tick) = (left.saturating_sub(shown), self.instrument.tick.units());
                    let worse = level.price.offset(if own.side == Side::Buy { tick } else { -tick }).unwrap_or(level.price);
                    let allowed = own.kind == OrderType::Market || at_least(own.side, own.price, worse);
                    if !rest.is_zero() && allowed {
                        self.fill(own, worse, rest, Taken::Market, out);
                    }
                    return;
                }
                // A price at which nobody traded is no price: takers pay the last one.
                Seen::Prices => {
                    self.fill(own, self.last, left, Taken::Market, out);
                    return;
                }
            }
        }
    }

    /// Books an execution of an order and tells it; the order is not in the list, or is put back by the caller.
    fn fill(&mut self, own: &mut Own, price: Price, qty: Qty, taken: Taken, out: &mut impl FnMut(Told)) {
        if qty.is_zero() {
            return;
        }
        assert!(qty <= own.remaining(), "an order was filled beyond its quantity");
        own.filled += qty;
        own.cost += price * qty;
        let maker = taken == Taken::Resting;
        let (realized, commission) = self.book(own.side, price, qty, maker);
        let (trade_id, quote) = (TradeId(self.next_trade), self.instrument.quote);
        self.next_trade += 1;
        let fill = Fill {
            trade_id,
            order_id: OrderId(u128::from(own.order_id)),
            id: own.id,
            side: own.side,
            price,
            qty,
            fee: Amount::new(quote, commission),
            realized: Amount::new(quote, realized),
            maker,
            time: self.now,
        };
        out(Told::Wallet(self.wallet));
        let status = if own.remaining().is_zero() { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        self.tell(own, status, Some(fill), out);
        if self.holding.side() != Some(own.side.opposite()) {
            self.end_idle_reducers(out);
        }
    }

    /// Ends resting reduce-only orders that have nothing to reduce any more.
    fn end_idle_reducers(&mut self, out: &mut impl FnMut(Told)) {
        let mut at = 0;
        while let Some(own) = self.orders.get(at).copied() {
            if own.reduce_only && self.reducible(own.side).is_zero() {
                self.orders.remove(at);
                self.tell(&own, OrderStatus::Expired, None, out);
            } else {
                at += 1;
            }
        }
        self.index();
    }

    /// Fills a resting order at its own price; it goes when nothing is left of it.
    pub(super) fn fill_resting(&mut self, order_id: u64, qty: Qty, out: &mut impl FnMut(Told)) {
        let Some(at) = self.orders.iter().position(|own| own.order_id == order_id) else { return };
        let mut own = self.orders.remove(at);
        let qty = qty.min(self.fillable(&own));
        if qty.is_zero() {
            self.index();
            self.tell(&own, OrderStatus::Expired, None, out);
            return;
        }
        // Back before it is told: what ends because of it must find it, unless it is done.
        let price = own.price;
        self.fill(&mut own, price, qty, Taken::Resting, out);
        if own.remaining().is_zero() {
            self.index();
            return;
        }
        if own.reduce_only && self.reducible(own.side).is_zero() {
            self.index();
            self.tell(&own, OrderStatus::Expired, None, out);
            return;
        }
        self.orders.insert(at.min(self.orders.len()), own);
        self.index();
    }

    /// The order that somebody who takes from `side` meets first: the best, of equal prices the oldest.
    pub(super) fn best_own(&self, side: Side) -> Option<&Own> {
        self.orders.iter().filter(|own| own.side == side).reduce(|best, own| {
            let better = own.price != best.price && at_least(side, own.price, best.price);
            let older = own.price == best.price && own.order_id < best.order_id;
            if better || older { own } else { best }
        })
    }

    /// A recorded trade happened.
    ///
    /// Orders at a better price are filled whole: the taker emptied their level on its way. At the trade's price its quantity
    /// first uses up what was ahead, then fills. The recorded book is not reduced: its own next update tells what is left.
    #[inline]
    pub fn trade(&mut self, now: Time, price: Price, qty: Qty, taker: Side, out: &mut impl FnMut(Told)) {
        self.now(now);
        self.last = price;
        self.dirty |= self.seen == Seen::Prices;
        if self.seen == Seen::Prices {
            self.note_price(price, qty, taker);
        }
        let reached = match taker {
            Side::Sell => self.best_bid >= price.units(),
            Side::Buy => self.best_ask <= price.units(),
        };
        if reached {
            self.match_trade(price, qty, taker.opposite(), out);
        }
    }

    fn match_trade(&mut self, price: Price, qty: Qty, side: Side, out: &mut impl FnMut(Told)) {
        for _ in 0..SOLO_ORDERS_MAX {
            let Some(own) = self.best_own(side).copied() else { return };
            if own.price == price || !at_least(side, own.price, price) {
                break;
            }
            self.fill_resting(own.order_id, own.remaining(), out);
        }
        let mut ours = 0_u64;
        let mut after = 0_u64;
        for _ in 0..SOLO_ORDERS_MAX {
            let here = |own: &&Own| own.side == side && own.price == price && own.order_id > after;
            let Some(own) = self.orders.iter().filter(here).min_by_key(|own| own.order_id).copied() else { break };
            after = own.order_id;
            if own.ahead == UNKNOWN {
                continue;
            }
            let amount = qty.units().saturating_sub(own.ahead).saturating_sub(ours).min(own.remaining().units());
            if amount > 0 {
                ours += amount;
                self.fill_resting(own.order_id, Qty::from_units(amount), out);
            }
        }
        let rest = qty.units().saturating_sub(ours);
        for own in self.orders.iter_mut().filter(|own| own.side == side && own.price == price && own.ahead != UNKNOWN) {
            own.ahead = own.ahead.saturating_sub(rest);
            own.traded = own.traded.saturating_add(qty.units());
        }
    }

    /// The quantity of a level changes at which an order of ours may wait.
    pub(super) fn queue_changed(&mut self, side: Side, price: Price, qty: Qty) {
        let before = self.ladder.qty_at(side, price).units();
        let (queue, now) = (self.queue, qty.units());
        for own in self.orders.iter_mut().filter(|own| own.side == side && own.price == price) {
            if own.ahead == UNKNOWN {
                // Seen for the first time: all of it may have come before.
                own.ahead = now;
                continue;
            }
            let gone = before.saturating_sub(own.traded).saturating_sub(now);
            own.traded = 0;
            if let QueueModel::Probability { power } = queue
                && gone > 0
            {
                let behind = before.saturating_sub(own.ahead);
                let (front, back) = ((own.ahead as f64).powi(i32::from(power)), (behind as f64).powi(i32::from(power)));
                let share = if front + back > 0.0 { front / (front + back) } else { 0.0 };
                own.ahead = own.ahead.saturating_sub((gone as f64 * share).floor() as u64);
            }
            own.ahead = own.ahead.min(now);
        }
    }

    /// Withdraws an order; tells how it stood.
    ///
    /// # Errors
    /// No open order has this id.
    pub fn cancel(&mut self, now: Time, id: ClientId, out: &mut impl FnMut(Told)) -> Result<OrderReport, CancelFailure> {
        self.now(now);
        let at = self.orders.iter().position(|own| own.id == Some(id)).ok_or(CancelFailure::NotOpen)?;
        let own = self.orders.remove(at);
        self.index();
        self.tell(&own, OrderStatus::Canceled, None, out);
        Ok(self.report(&own, OrderStatus::Canceled, None, Source::Reply))
    }

    pub(super) fn withdraw_all(&mut self, out: &mut impl FnMut(Told)) {
        while !self.orders.is_empty() {
            let own = self.orders.remove(0);
            self.tell(&own, OrderStatus::Canceled, None, out);
        }
        self.index();
    }

    /// Closes a position for the exchange: at market, and what the book cannot take at the mark.
    pub(super) fn close_by_force(&mut self, side: Side, qty: Qty, out: &mut impl FnMut(Told)) {
        let mut own = Own {
            id: None,
            order_id: self.next_order,
            side,
            price: Price::ZERO,
            qty,
            filled: Qty::ZERO,
            cost: Notional::ZERO,
            kind: OrderType::Market,
            tif: TimeInForce::Ioc,
            reduce_only: true,
            ahead: 0,
            traded: 0,
        };
        self.next_order += 1;
        self.tell(&own, OrderStatus::New, None, out);
        self.take(&mut own, out);
        let (left, mark) = (own.remaining(), self.mark_price());
        if !mark.is_zero() {
            self.fill(&mut own, mark, left, Taken::Market, out);
        }
    }

    /// Ends a message: what overlaps is dropped, what crosses the account's orders trades with them, margin is looked after.
    /// Tells the top when it is another one than before.
    #[inline]
    pub fn settle(&mut self, now: Time, out: &mut impl FnMut(Told)) -> Option<Top> {
        if !self.dirty {
            return None;
        }
        self.settle_changed(now, out)
    }

    fn settle_changed(&mut self, now: Time, out: &mut impl FnMut(Told)) -> Option<Top> {
        self.now(now);
        self.dirty = false;
        if self.seen != Seen::Prices {
            self.ladder.uncross();
            self.cross(out);
        }
        let top = match self.seen {
            Seen::Levels | Seen::Top => self.ladder.top(now),
            Seen::Prices => self.prices_top().map(|top| Top { time: now, ..top }),
        };
        let changed = match (top, self.told) {
            (Some(new), Some(old)) => !new.is_like(&old),
            (Some(_), None) => true,
            // A side is empty: what was known of the top is not true any more, but nothing replaces it.
            (None, _) => false,
        };
        if changed {
            self.told = top;
        }
        self.watch_margin(out);
        if changed { top } else { None }
    }

    /// Lets recorded levels that reach an order trade with it: the order is the maker, at its price.
    fn cross(&mut self, out: &mut impl FnMut(Told)) {
        for side in [Side::Buy, Side::Sell] {
            for _ in 0..MATCHES_PER_ORDER_MAX {
                let Some(level) = self.ladder.best(side.opposite()) else { break };
                let reached = match side {
                    Side::Buy => self.best_bid >= level.price.units(),
                    Side::Sell => self.best_ask <= level.price.units(),
                };
                if !reached {
                    break;
                }
                let Some(own) = self.best_own(side).copied() else { break };
                let qty = self.fillable(&own).min(level.qty);
                if !qty.is_zero() {
                    self.ladder.eat(side.opposite(), level.price, qty);
                    self.dirty = false;
                }
                self.fill_resting(own.order_id, qty, out);
            }
        }
    }
}

/// Whose order was there first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    /// Ours rested.
    Resting,
    /// Ours took.
    Market,
}
