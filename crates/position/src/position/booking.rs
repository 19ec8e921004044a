//! What reports and executions change in the books.

use super::Position;
use crate::holding::book_fill;
use crate::limits::{CLOSING_STRATEGY, SLOTS};
use crate::orders::{WorkState, Working};
use crate::slots::Slot;
use crate::sync::{SyncState, Verdict};
use crate::view::Changes;
use arrayvec::ArrayVec;
use plimsoll_market::{
    Action, Actions, Booked, Cancel, ClientId, Fill, FillPage, Leg, Notional, Order, OrderReport, OrderStatus, OrderType, Price, Qty,
    Record, Reject, Round, Side, SlotRow, Source, Time, Totals,
};

impl Position {
    pub(super) fn is_ours(&self, id: Option<ClientId>) -> Option<ClientId> {
        id.filter(|id| id.tag() == self.cfg.tag)
    }

    pub(super) fn on_report(&mut self, now: Time, report: &OrderReport, out: &mut Actions) -> Changes {
        let Some(id) = self.is_ours(report.id) else {
            // Until the next snapshot counts them.
            if !report.status.is_final() {
                self.foreign_orders = self.foreign_orders.max(1);
            }
            return match report.fill {
                Some(fill) => self.on_stream_fill(now, &fill, None, out),
                None => Changes::NONE,
            };
        };
        let mut changes = Changes::NONE;
        if let Some(at) = self.orders.find(id) {
            if let Some(order) = self.orders.get_mut(at) {
                order.order_id = Some(report.order_id);
                order.reported = order.reported.max(report.filled);
                match (order.state, report.status.is_final()) {
                    (_, true) => order.state = WorkState::Closing,
                    (WorkState::Sent | WorkState::Unknown, false) => {
                        order.state = WorkState::Live;
                        changes.add(Changes::ACKED);
                    }
                    // A query that finds an order open whose cancel was sent long ago: cancel again.
                    (WorkState::Canceling, false) if report.source == Source::Query => {
                        order.asked_at = now;
                        out.push(Action::Cancel(Cancel { id }));
                    }
                    (WorkState::Live | WorkState::Canceling | WorkState::Closing, false) => {}
                }
            }
            if let Some(fill) = report.fill {
                changes.add(self.on_stream_fill(now, &fill, Some((id, report)), out));
            } else {
                let row = self.orders.get(at).map(|w| order_row(w, report));
                out.push(Action::Record(Box::new(self.record(row, None, None))));
            }
            changes.add(self.settle(now, at));
        } else if let Some(fill) = report.fill {
            changes.add(self.on_stream_fill(now, &fill, Some((id, report)), out));
        } else if !report.status.is_final() && self.is_anothers(id, report) {
            changes.add(Changes::WRITER);
        } else if !report.status.is_final() && report.source == Source::Query {
            changes.add(self.adopt(now, id, report, out));
        }
        changes
    }

    /// Removes an order whose final state is known and whose fills are all booked.
    pub(super) fn settle(&mut self, now: Time, at: u8) -> Changes {
        let Some(order) = self.orders.get_mut(at) else { return Changes::NONE };
        if order.reported > order.booked {
            if order.short_since == Time::ZERO {
                order.short_since = now;
            }
            return Changes::NONE;
        }
        order.short_since = Time::ZERO;
        if order.state != WorkState::Closing && order.booked < order.qty {
            return Changes::NONE;
        }
        // At market and nothing filled: there is nobody to trade with, or not at such a price. Asked again at once it would be no
        // different, and take up the orders that others' stops need.
        let vain = order.kind == OrderType::Market && order.booked.is_zero();
        let leg = order.id.leg();
        self.drop_order(at);
        if vain {
            self.refuse(now, leg, OrderType::Market, Reject::Busy);
        }
        Changes::FREED
    }

    pub(super) fn drop_order(&mut self, at: u8) {
        let Some(order) = self.orders.remove(at) else { return };
        if let Some(slot) = self.slots.get_mut(order.id.leg()) {
            if slot.order == Some(at) {
                slot.order = None;
            }
            // What is too little to be closed by the rules is opened on, not stuck.
            slot.exiting = slot.held >= self.instrument.qty_min && !slot.held.is_zero();
            if !order.booked.is_zero() {
                slot.refusals = 0;
            }
        }
    }

    pub(super) fn on_stream_fill(&mut self, now: Time, fill: &Fill, ours: Option<(ClientId, &OrderReport)>, out: &mut Actions) -> Changes {
        match self.sync.judge_stream(fill.trade_id, now) {
            Verdict::Book => self.book(now, fill, ours.map(|(id, _)| id), ours.map(|(_, r)| r), out),
            Verdict::Seen | Verdict::Later => Changes::NONE,
        }
    }

    /// Books one execution: totals, slot, order, and the record that stores all of it together.
    pub(super) fn book(
        &mut self,
        now: Time,
        fill: &Fill,
        id: Option<ClientId>,
        report: Option<&OrderReport>,
        out: &mut Actions,
    ) -> Changes {
        let at = id.and_then(|id| self.orders.find(id)).or_else(|| self.orders.find_order(fill.order_id));
        let id = id.or_else(|| at.and_then(|at| self.orders.get(at)).map(|w| w.id));
        let realized = book_fill(&mut self.totals, &self.instrument, fill);
        self.totals.watermark = self.sync.watermark;
        self.inventory_epoch += 1;
        let mut row = None;
        if let Some(order) = at.and_then(|at| self.orders.get_mut(at)) {
            let sum = order.booked + fill.qty;
            order.booked = match report {
                Some(report) if report.filled <= order.base => order.booked,
                None if !order.base.is_zero() => sum.min(order.reported.max(order.booked)),
                Some(_) | None => sum,
            }
            .min(order.qty);
            order.reported = order.reported.max(order.booked);
            order.order_id = Some(fill.order_id);
            if order.state == WorkState::Sent || order.state == WorkState::Unknown {
                order.state = WorkState::Live;
            }
            row = Some(match report {
                Some(report) => order_row(order, report),
                None => Order {
                    id: order.id,
                    order_id: order.order_id,
                    price: order.price,
                    qty: order.qty,
                    filled: order.booked,
                    status: if order.booked >= order.qty { OrderStatus::Filled } else { OrderStatus::PartiallyFilled },
                    reduce_only: order.reduce_only,
                    time: fill.time,
                },
            });
        }
        let leg = id.map(ClientId::leg);
        let closing = leg.is_some_and(|l| l.strategy() == CLOSING_STRATEGY);
        let mut slot_row = None;
        let mut slot_realized = 0;
        let mut closed = ArrayVec::new();
        if closing {
            slot_realized = self.close_slots(fill, &mut closed);
        } else if let Some(slot) = leg.and_then(|leg| self.slots.claim(leg)) {
            if slot.leg.opens(fill.side) {
                slot.held += fill.qty;
                slot.cost += fill.price * fill.qty.signed(fill.side);
                slot.exiting |= slot.order.is_none();
            } else {
                let gain = take(slot, fill.qty, fill.price);
                slot_realized = self.instrument.amount(gain, Round::Nearest).map_or(0, |a| a.units);
                self.earned.add(slot.leg, slot_realized);
            }
            slot_row = Some(slot.row());
        }
        if let Some(leg) = leg.filter(|_| !closing) {
            self.slots.note_held(leg);
        }
        self.round_trips += slot_realized;
        if let Some(leg) = leg.filter(|_| fill.fee.asset == self.instrument.quote) {
            self.earned.add(leg, -fill.fee.units);
        }
        let booked = Booked { fill: Fill { id, ..*fill }, leg, realized, slot_realized };
        // The execution first: what follows it has its totals, and of what is stored a crash leaves a beginning.
        out.push(Action::Record(Box::new(self.record(row, Some(booked), slot_row))));
        for slot in closed {
            out.push(Action::Record(Box::new(self.record(None, None, Some(slot)))));
        }
        let mut changes = Changes::INVENTORY;
        if let Some(at) = at {
            changes.add(self.settle(now, at));
        }
        changes
    }

    /// Books a closing execution to the slots of the side that it closes, highest index first; returns what it realised against their cost, and adds the slots that it changed.
    fn close_slots(&mut self, fill: &Fill, closed: &mut ArrayVec<SlotRow, SLOTS>) -> i128 {
        let mut realized = self.close_at(fill.side.opposite(), fill.qty, fill.price, closed);
        // Slots that offset each other are closed with the position whose rest they were, each against the other.
        if self.totals.holding.is_flat() {
            for side in [Side::Buy, Side::Sell] {
                realized += self.close_at(side, self.slots.held_by(side), fill.price, closed);
            }
        }
        realized
    }

    /// Takes a quantity out of the slots that a side opens.
    fn close_at(&mut self, opening: Side, qty: Qty, price: Price, closed: &mut ArrayVec<SlotRow, SLOTS>) -> i128 {
        let (mut rest, mut realized) = (qty, 0);
        // Ends: each turn empties a slot or takes the rest.
        while !rest.is_zero() {
            let Some(leg) = self.slots.first_to_close(opening) else { break };
            let Some(slot) = self.slots.get_mut(leg) else { break };
            let part = slot.held.min(rest);
            let gain = self.instrument.amount(take(slot, part, price), Round::Nearest).map_or(0, |a| a.units);
            self.earned.add(leg, gain);
            realized += gain;
            rest -= part;
            let row = slot.row();
            // One row a slot: of two parts the later one has all.
            match closed.iter_mut().find(|other| other.leg == leg) {
                Some(other) => *other = row,
                None => closed.push(row),
            }
            self.slots.note_held(leg);
        }
        realized
    }

    /// Closes slots that offset each other, so that nothing is held by them either: the account holds nothing.
    pub fn close_offsets(&mut self, price: Price, out: &mut Actions) {
        if !self.totals.holding.is_flat() || self.slots.holding_count() == 0 || !self.slots.net().is_flat() {
            return;
        }
        let mut closed = ArrayVec::new();
        for side in [Side::Buy, Side::Sell] {
            self.round_trips += self.close_at(side, self.slots.held_by(side), price, &mut closed);
        }
        self.inventory_epoch += 1;
        for slot in closed {
            out.push(Action::Record(Box::new(self.record(None, None, Some(slot)))));
        }
    }

    /// Closes what long and short slots of one strategy offset each other of, at a price: the account holds only the difference.
    ///
    /// Nothing is done while one of its orders works. The smaller side goes first: of what is stored after a crash between, the
    /// larger one holds too much, and is brought down to what the account holds.
    pub fn close_own_offsets(&mut self, strategy: u8, price: Price, out: &mut Actions) -> bool {
        let number = strategy % Leg::SHORT;
        let own = |leg: Leg| leg.opening().is_some() && leg.strategy() % Leg::SHORT == number;
        let sum = |side: Side| self.slots.holding().filter(|s| own(s.leg) && s.leg.opens(side)).map(|s| s.held).sum::<Qty>();
        let (long, short) = (sum(Side::Buy), sum(Side::Sell));
        let both = long.min(short);
        if both.is_zero() || self.orders.iter().any(|(_, order)| own(order.id.leg())) {
            return false;
        }
        let smaller = if long < short { Side::Buy } else { Side::Sell };
        let mut closed = ArrayVec::<SlotRow, SLOTS>::new();
        for side in [smaller, smaller.opposite()] {
            let mut rest = both;
            // Ends: each turn empties a slot or takes the rest.
            while !rest.is_zero() {
                let last = self.slots.holding().map(|s| s.leg).filter(|leg| own(*leg) && leg.opens(side)).max_by_key(|leg| leg.index());
                let Some(slot) = last.and_then(|leg| self.slots.get_mut(leg)) else { break };
                let part = slot.held.min(rest);
                let gain = take(slot, part, price);
                rest -= part;
                let row = slot.row();
                self.slots.note_held(row.leg);
                let gain = self.instrument.amount(gain, Round::Nearest).map_or(0, |a| a.units);
                self.earned.add(row.leg, gain);
                self.round_trips += gain;
                closed.push(row);
            }
        }
        self.inventory_epoch += 1;
        for slot in closed {
            out.push(Action::Record(Box::new(self.record(None, None, Some(slot)))));
        }
        true
    }

    pub(super) fn record(&self, order: Option<Order>, fill: Option<Booked>, slot: Option<SlotRow>) -> Record {
        Record { order, fill, slot, funding: None, totals: Totals { watermark: self.sync.watermark, ..self.totals } }
    }

    pub(super) fn on_page(&mut self, now: Time, page: &FillPage, out: &mut Actions) -> Changes {
        let mut changes = Changes::NONE;
        for fill in &page.fills {
            if self.sync.judge_page(fill.trade_id) == Verdict::Book {
                let id = self.is_ours(fill.id);
                changes.add(self.book(now, fill, id, None, out));
            }
        }
        if page.last && page.asked_at >= self.sync.since {
            self.sync.complete_to = page.asked_at;
        }
        // An answer to a question from before the gap closes nothing: the one that follows will.
        if page.last && self.sync.state == SyncState::Fetching && page.asked_at >= self.sync.since {
            if !self.sync.pages_done(page.baseline) {
                self.ask_again(now);
            } else if self.totals.watermark.is_none() {
                self.totals.watermark = self.sync.watermark;
                out.push(Action::Record(Box::new(self.record(None, None, None))));
            }
        }
        changes
    }
}

/// Takes what is held of a quantity out of a slot at a price, and tells the gain.
fn take(slot: &mut Slot, qty: Qty, price: Price) -> Notional {
    let Some(opening) = slot.leg.opening() else { return Notional::ZERO };
    let part = qty.min(slot.held);
    if part.is_zero() {
        return Notional::ZERO;
    }
    let cost = slot.cost.share(part, slot.held);
    slot.cost -= cost;
    slot.held -= part;
    slot.exiting &= !slot.held.is_zero();
    price * part.signed(opening) - cost
}

fn order_row(order: &Working, report: &OrderReport) -> Order {
    Order {
        id: order.id,
        order_id: Some(report.order_id),
        price: order.price,
        qty: order.qty,
        filled: order.reported.max(report.filled),
        status: report.status,
        reduce_only: order.reduce_only,
        time: report.time,
    }
}
