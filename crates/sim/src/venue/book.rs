//! One symbol's book: outside liquidity by level, the accounts' orders one by one, and the update ids.
//!
//! Price-time priority is kept exactly: each resting order knows how much outside quantity of its level came before it.
//! Outside quantity that is withdrawn is taken from the back of the level's queue (the cautious assumption): an order
//! moves forward only by trades, and by withdrawals when nothing is left behind it.

use plimsoll_bounded::{Class, Grant, Line, List, WhenFull};
use plimsoll_market::{Book, Level, LevelChange, Notional, Price, Qty, Side, Time, Top};

use super::types::{AccountId, Cadence, DepthDiff, DepthSnapshot, MarketEvent};
use crate::limits::{CHANGES_MAX, RESTING_MAX};

/// An account's order in the book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resting {
    pub price: Price,
    pub order_id: u64,
    /// Grows with each queueing.
    pub seq: u64,
    /// Outside quantity at this price that came before it.
    pub ahead: Qty,
    pub remaining: Qty,
    pub account: AccountId,
    pub reduce_only: bool,
}

/// What an arriving order meets first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub price: Price,
    pub maker: Maker,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker {
    Outside(Qty),
    Order(Resting),
}

pub(crate) struct MatchBook {
    outside: Book,
    /// Best last; of equal prices the oldest last.
    bids: List<Resting>,
    asks: List<Resting>,
    seq: u64,
    /// Levels touched since the last flush, and since the last tick.
    fresh: List<(Side, Price)>,
    batch: List<(Side, Price)>,
    changes: List<LevelChange>,
    last_update: u64,
    previous_real_time: u64,
    previous_tick: u64,
    batch_first: u64,
    told: Option<Top>,
    changed_at: Time,
}

/// Whether `a` is at least as good as `b` for somebody who takes from `side`.
pub(crate) fn at_least(side: Side, a: Price, b: Price) -> bool {
    match side {
        Side::Buy => a >= b,
        Side::Sell => a <= b,
    }
}

impl MatchBook {
    pub(crate) fn new(symbol: &str, levels_max: usize) -> Self {
        // Every level and every order can change in one step, so a step never overflows this.
        let touched = 4 * levels_max + 2 * RESTING_MAX;
        Self {
            outside: Book::new(levels_max),
            bids: list("sim.bids", symbol, RESTING_MAX),
            asks: list("sim.asks", symbol, RESTING_MAX),
            seq: 0,
            fresh: list("sim.touched", symbol, touched),
            batch: list("sim.batch", symbol, touched + CHANGES_MAX),
            changes: list("sim.changes", symbol, touched + CHANGES_MAX),
            last_update: 0,
            previous_real_time: 0,
            previous_tick: 0,
            batch_first: 0,
            told: None,
            changed_at: Time::ZERO,
        }
    }

    pub(crate) fn outside(&self) -> &Book {
        &self.outside
    }

    pub(crate) fn last_update(&self) -> u64 {
        self.last_update
    }

    /// Goes on counting at `from` after a restart.
    pub(crate) fn continue_at(&mut self, from: u64) {
        (self.last_update, self.previous_real_time, self.previous_tick) = (from, from, from);
    }

    pub(crate) fn resting(&self, side: Side) -> &[Resting] {
        match side {
            Side::Buy => self.bids.as_slice(),
            Side::Sell => self.asks.as_slice(),
        }
    }

    /// The accounts' orders of both sides.
    pub(crate) fn all_resting(&self) -> impl Iterator<Item = (Side, &Resting)> {
        self.bids.iter().map(|r| (Side::Buy, r)).chain(self.asks.iter().map(|r| (Side::Sell, r)))
    }

    pub(crate) fn is_full(&self, side: Side) -> bool {
        match side {
            Side::Buy => self.bids.is_full(),
            Side::Sell => self.asks.is_full(),
        }
    }

    fn list_mut(&mut self, side: Side) -> &mut List<Resting> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// The places of the orders at a price: from the youngest to the oldest.
    fn range(&self, side: Side, price: Price) -> core::ops::Range<usize> {
        let list = self.resting(side);
        match side {
            Side::Buy => list.partition_point(|r| r.price < price)..list.partition_point(|r| r.price <= price),
            Side::Sell => list.partition_point(|r| r.price > price)..list.partition_point(|r| r.price >= price),
        }
    }

    fn touch(&mut self, side: Side, price: Price) {
        if self.fresh.last() == Some(&(side, price)) {
            return;
        }
        if self.fresh.is_full() {
            squeeze(&mut self.fresh);
        }
        let kept = self.fresh.push((side, price)).is_ok();
        assert!(kept, "a step touched more levels than there can be");
    }

    /// Puts an order at the back of its level's queue.
    pub(crate) fn join(&mut self, side: Side, price: Price, mut order: Resting) {
        self.seq += 1;
        order.price = price;
        order.seq = self.seq;
        order.ahead = self.outside.qty_at(side, price);
        let at = self.range(side, price).start;
        let kept = self.list_mut(side).insert(at, order).is_ok();
        assert!(kept, "room in the book is checked when an order is admitted");
        self.touch(side, price);
    }

    /// Takes an order out; returns it when it was there.
    pub(crate) fn leave(&mut self, side: Side, price: Price, order_id: u64) -> Option<Resting> {
        let range = self.range(side, price);
        let at = self.resting(side).get(range.clone())?.iter().position(|r| r.order_id == order_id)? + range.start;
        self.touch(side, price);
        self.list_mut(side).remove(at)
    }

    /// Takes a filled part off an order, and the order out when nothing is left.
    pub(crate) fn reduce(&mut self, side: Side, price: Price, order_id: u64, qty: Qty) {
        let range = self.range(side, price);
        self.touch(side, price);
        let list = self.list_mut(side);
        let found =
            list.as_mut_slice().get_mut(range.clone()).and_then(|at| at.iter_mut().enumerate().find(|(_, r)| r.order_id == order_id));
        if let Some((at, order)) = found {
            order.remaining -= qty;
            if order.remaining.is_zero() {
                list.remove(range.start + at);
            }
        }
    }

    /// Sets a level of the outside liquidity; orders there move forward when less is left than was ahead of them.
    pub(crate) fn set_outside(&mut self, side: Side, price: Price, qty: Qty) {
        if self.outside.qty_at(side, price) == qty {
            return;
        }
        self.outside.set(LevelChange { side, level: Level { price, qty } });
        self.touch(side, price);
        let range = self.range(side, price);
        for order in self.list_mut(side).as_mut_slice().get_mut(range).unwrap_or_default() {
            order.ahead = order.ahead.min(qty);
        }
    }

    /// Drops outside levels of both sides that overlap, as a recording with a hole in it makes them; returns how many.
    /// Their next updates bring them back.
    pub(crate) fn uncross(&mut self) -> u64 {
        let (Some(bid), Some(ask)) = (self.best_outside(Side::Buy), self.best_outside(Side::Sell)) else { return 0 };
        let mut dropped = 0;
        for (side, reach) in [(Side::Buy, ask.price), (Side::Sell, bid.price)] {
            while let Some(level) = self.best_outside(side).filter(|l| at_least(side, l.price, reach)) {
                self.set_outside(side, level.price, Qty::ZERO);
                dropped += 1;
            }
        }
        dropped
    }

    /// Takes outside liquidity from the front of a level's queue.
    pub(crate) fn eat_outside(&mut self, side: Side, price: Price, qty: Qty) {
        let left = self.outside.qty_at(side, price).saturating_sub(qty);
        self.outside.set(LevelChange { side, level: Level { price, qty: left } });
        self.touch(side, price);
        self.advance_queue(side, price, qty);
    }

    /// Lets the orders at a price move forward by a traded quantity.
    pub(crate) fn advance_queue(&mut self, side: Side, price: Price, qty: Qty) {
        let range = self.range(side, price);
        for order in self.list_mut(side).as_mut_slice().get_mut(range).unwrap_or_default() {
            order.ahead = order.ahead.saturating_sub(qty);
        }
    }

    /// Puts all orders behind what is displayed now, as after a restart.
    pub(crate) fn requeue_all(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            let outside = &self.outside;
            let list = match side {
                Side::Buy => &mut self.bids,
                Side::Sell => &mut self.asks,
            };
            for order in list.iter_mut() {
                order.ahead = outside.qty_at(side, order.price);
            }
        }
    }

    /// Orders at a price, oldest first.
    pub(crate) fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = &Resting> {
        self.resting(side).get(self.range(side, price)).unwrap_or_default().iter().rev()
    }

    /// The best order of the accounts on a side.
    pub(crate) fn best_resting(&self, side: Side) -> Option<&Resting> {
        self.resting(side).last()
    }

    pub(crate) fn best_outside(&self, side: Side) -> Option<Level> {
        self.outside.levels(side).next().copied()
    }

    /// The best price of a side, all liquidity together.
    pub(crate) fn best(&self, side: Side) -> Option<Price> {
        match (self.best_outside(side), self.best_resting(side)) {
            (Some(level), Some(order)) => Some(if at_least(side, level.price, order.price) { level.price } else { order.price }),
            (level, order) => level.map(|l| l.price).or(order.map(|r| r.price)),
        }
    }

    /// What a taker from `side` meets first at `limit` or better.
    pub(crate) fn front(&self, side: Side, limit: Option<Price>) -> Option<Hit> {
        let price = self.best(side)?;
        if limit.is_some_and(|limit| !at_least(side, price, limit)) {
            return None;
        }
        let order = self.best_resting(side).filter(|r| r.price == price);
        let outside = self.outside.qty_at(side, price);
        let maker = match order {
            Some(order) if order.ahead.is_zero() => Maker::Order(*order),
            Some(order) => Maker::Outside(order.ahead.min(outside)),
            None => Maker::Outside(outside),
        };
        Some(Hit { price, maker })
    }

    /// What can be taken from a side at `limit` or better, leaving out the orders of `except`.
    pub(crate) fn reachable(&self, side: Side, limit: Option<Price>, except: Option<AccountId>) -> Qty {
        let within = |price: Price| limit.is_none_or(|limit| at_least(side, price, limit));
        let outside: Qty = self.outside.levels(side).take_while(|l| within(l.price)).map(|l| l.qty).sum();
        let orders: Qty = self
            .resting(side)
            .iter()
            .rev()
            .take_while(|r| within(r.price))
            .filter(|r| Some(r.account) != except)
            .map(|r| r.remaining)
            .sum();
        outside + orders
    }

    /// All that rests at a price.
    pub(crate) fn displayed(&self, side: Side, price: Price) -> Qty {
        self.outside.qty_at(side, price) + self.queue(side, price).map(|r| r.remaining).sum()
    }

    pub(crate) fn top(&self) -> Option<Top> {
        let (bid, ask) = (self.best(Side::Buy)?, self.best(Side::Sell)?);
        let (bid_qty, ask_qty) = (self.displayed(Side::Buy, bid), self.displayed(Side::Sell, ask));
        Some(Top { bid, bid_qty, ask, ask_qty, time: self.changed_at })
    }

    /// Value of an account's orders on a side; with `opening`, only of those that are not reduce-only.
    pub(crate) fn value_of(&self, side: Side, account: AccountId, opening: bool) -> Notional {
        let orders = self.resting(side).iter().filter(|r| r.account == account && !(opening && r.reduce_only));
        orders.map(|r| r.price * r.remaining).sum()
    }

    pub(crate) fn count_of(&self, account: AccountId) -> usize {
        self.all_resting().filter(|(_, r)| r.account == account).count()
    }

    /// Gives out what changed since the last flush: the real-time diff and the top.
    pub(crate) fn flush(&mut self, now: Time, tell: &mut dyn FnMut(MarketEvent<'_>)) {
        if self.fresh.is_empty() {
            return;
        }
        squeeze(&mut self.fresh);
        if self.batch.len() + self.fresh.len() > self.batch.capacity() {
            self.flush_batch(now, tell);
        }
        self.changed_at = now;
        // One id more than there are changes: `first` is the id that a snapshot taken before them carries, so that
        // the rule `U <= lastUpdateId <= u` finds its diff even when nothing else happened since.
        let first = self.last_update + 1;
        self.last_update += 1 + self.fresh.len() as u64;
        if self.batch.is_empty() {
            self.batch_first = first;
        }
        describe(&self.fresh, &mut self.changes, &self.outside, &self.bids, &self.asks);
        for touched in self.fresh.drain() {
            let kept = self.batch.push(touched).is_ok();
            assert!(kept, "room for the batch was made above");
        }
        let (last, previous) = (self.last_update, self.previous_real_time);
        self.previous_real_time = last;
        let changes = self.changes.as_slice();
        tell(MarketEvent::Depth(DepthDiff { cadence: Cadence::RealTime, first, last, previous, changes, time: now }));
        let top = self.top();
        let same = match (top, self.told) {
            (Some(a), Some(b)) => (a.bid, a.bid_qty, a.ask, a.ask_qty) == (b.bid, b.bid_qty, b.ask, b.ask_qty),
            (top, told) => top.is_none() && told.is_none(),
        };
        if !same {
            self.told = top;
            if let Some(top) = top {
                tell(MarketEvent::BookTicker { update_id: last, top });
            }
        }
    }

    /// Gives out the batched diff of the tick.
    pub(crate) fn flush_batch(&mut self, now: Time, tell: &mut dyn FnMut(MarketEvent<'_>)) {
        if self.batch.is_empty() {
            return;
        }
        squeeze(&mut self.batch);
        describe(&self.batch, &mut self.changes, &self.outside, &self.bids, &self.asks);
        self.batch.clear();
        let (first, last, previous) = (self.batch_first, self.last_update, self.previous_tick);
        self.previous_tick = last;
        let changes = self.changes.as_slice();
        tell(MarketEvent::Depth(DepthDiff { cadence: Cadence::Tick, first, last, previous, changes, time: now }));
    }

    pub(crate) fn snapshot(&self, limit: usize) -> DepthSnapshot {
        let side = |side: Side| {
            let mut levels: Vec<Level> = Vec::new();
            let mut outside = self.outside.levels(side).peekable();
            let mut orders = self.resting(side).iter().rev().peekable();
            while levels.len() < limit {
                let price = match (outside.peek(), orders.peek()) {
                    (Some(level), Some(order)) if at_least(side, level.price, order.price) => level.price,
                    (_, Some(order)) => order.price,
                    (Some(level), None) => level.price,
                    (None, None) => break,
                };
                let mut qty = outside.next_if(|l| l.price == price).map_or(Qty::ZERO, |l| l.qty);
                while let Some(order) = orders.next_if(|r| r.price == price) {
                    qty += order.remaining;
                }
                levels.push(Level { price, qty });
            }
            levels
        };
        DepthSnapshot { last_update_id: self.last_update + 1, bids: side(Side::Buy), asks: side(Side::Sell), time: self.changed_at }
    }
}

fn list<T>(what: &str, symbol: &str, capacity: usize) -> List<T> {
    let name = format!("{what}/{symbol}");
    List::new(Grant::detached(Line::of::<T>(&name, capacity, WhenFull::Refuse, Class::MustKeep)))
}

/// Sorts and drops what is there twice: bids first, ascending prices.
fn squeeze(touched: &mut List<(Side, Price)>) {
    let key = |(side, price): &(Side, Price)| (*side == Side::Sell, *price);
    touched.as_mut_slice().sort_unstable_by_key(key);
    let mut last = None;
    touched.retain(|item| last.replace(*item) != Some(*item));
}

fn describe(touched: &List<(Side, Price)>, changes: &mut List<LevelChange>, outside: &Book, bids: &List<Resting>, asks: &List<Resting>) {
    changes.clear();
    for &(side, price) in touched {
        let list = match side {
            Side::Buy => bids,
            Side::Sell => asks,
        };
        let orders = list.as_slice();
        let own: Qty = if orders.is_empty() {
            Qty::ZERO
        } else {
            let start = orders.partition_point(|r| !at_least(side, r.price, price));
            orders.iter().skip(start).take_while(|r| r.price == price).map(|r| r.remaining).sum()
        };
        let level = Level { price, qty: outside.qty_at(side, price) + own };
        let kept = changes.push(LevelChange { side, level }).is_ok();
        assert!(kept, "changes have the room of what was touched");
    }
}
