use crate::holding::book_fill;
use crate::limits::{CLOSING_STRATEGY, MISMATCH_READINGS};
use crate::orders::{Orders, WorkState, Working};
use crate::slots::Slots;
use crate::sync::{Sync, SyncState, Verdict};
use crate::view::{Changes, View};
use core::time::Duration;
use plimsoll_market::{
    Action, Actions, Alert, AlertCode, Booked, Cancel, CancelFailure, ClientId, Event, Feed, Fill, FillPage, Holding, Instrument, Leg,
    MarkPrice, Order, OrderReport, OrderStatus, OrderType, Place, PositionSide, Price, Qty, Record, Reject, Request, Round, Severity, Side,
    SlotRow, Snapshot, Source, Tag, Time, TimeInForce, Top, Totals,
};
use thiserror::Error;

/// How long a fill that a reply has told may take to come by the stream before it is fetched.
const SHORT_GRACE: Duration = Duration::from_secs(2);
/// How long a request may stay unanswered before its order's state is asked for.
const ANSWER_GRACE: Duration = Duration::from_secs(10);
/// Pause between two questions about the same order.
const QUERY_PAUSE: Duration = Duration::from_secs(1);
/// Pause before a catch-up is asked for again; doubled with each failure.
const RESYNC_PAUSE: Duration = Duration::from_millis(200);
/// Longest such pause.
const RESYNC_PAUSE_MAX: Duration = Duration::from_secs(30);
/// First pause after a refusal of a leg's order; doubled with each refusal.
const REFUSAL_PAUSE: Duration = Duration::from_millis(500);
/// Longest such pause.
const REFUSAL_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Pause between routine comparisons with the exchange.
const COMPARE_EVERY: Duration = Duration::from_secs(60);

/// What a symbol's books must know of the installation.
#[derive(Clone, Copy, Debug)]
pub struct PositionConfig {
    /// The mark of this installation and account in every client id.
    pub tag: Tag,
    /// This start's number; on disk before the first order.
    pub run: u64,
    /// How long the exchange may still take a request after it was stamped, milliseconds: until then "no such order"
    /// is no proof that an order will not appear.
    pub recv_window_ms: u64,
}

/// What storage brings back at boot.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// The totals, with the watermark they were stored with.
    pub totals: Option<Totals>,
    /// Slots that held something.
    pub slots: Vec<SlotRow>, // tidy: bounded by the storage reader; dropped after boot
}

/// An order to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// Whose.
    pub leg: Leg,
    /// Direction.
    pub side: Side,
    /// Limit price; zero at market.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Kind.
    pub kind: OrderType,
    /// Time in force.
    pub tif: TimeInForce,
    /// Whether it can only reduce.
    pub reduce_only: bool,
}

/// Why an order was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PlaceError {
    /// The slot has a live order.
    #[error("the slot has a live order")]
    SlotBusy,
    /// Another level holds the slot's place.
    #[error("another level holds the slot's place")]
    SlotTaken,
    /// The table of orders is full.
    #[error("as many orders are open as are allowed")]
    Full,
}

/// The books of one symbol.
///
/// # Bounds
/// Fixed: [`Slots::BYTES`] + [`Orders::BYTES`] + itself. Nothing grows.
#[derive(Clone, Debug)]
pub struct Position {
    instrument: Instrument,
    cfg: PositionConfig,
    slots: Slots,
    orders: Orders,
    totals: Totals,
    round_trips: i128,
    sync: Sync,
    account_up: bool,
    top: Option<Top>,
    mark: Option<MarkPrice>,
    generation: u64,
    inventory_epoch: u64,
    mismatch: Option<(Holding, u8)>,
    foreign_orders: u32,
    compare_at: Time,
    unblock_at: Option<Time>,
}

impl Position {
    /// Bytes the books of a symbol take, all together.
    pub const BYTES: usize = size_of::<Self>() + Slots::BYTES + Orders::BYTES;

    /// Makes the books, from what was stored if there is any.
    pub fn new(instrument: Instrument, cfg: PositionConfig, restored: Option<&Restored>) -> Self {
        let totals = restored.and_then(|r| r.totals).unwrap_or(Totals::EMPTY);
        let mut slots = Slots::default();
        for row in restored.map_or(&[][..], |r| &r.slots) {
            // Storage keeps at most one row a place, because a place is only taken when its slot holds nothing.
            if let Some(slot) = slots.claim(row.leg) {
                slot.held = row.held;
                slot.cost = row.cost;
                slot.selling = !row.held.is_zero();
                slots.note_held(row.leg);
            }
        }
        Self {
            instrument,
            cfg,
            slots,
            orders: Orders::default(),
            totals,
            round_trips: 0,
            sync: Sync::new(totals.watermark),
            account_up: false,
            top: None,
            mark: None,
            generation: 0,
            inventory_epoch: 0,
            mismatch: None,
            foreign_orders: 0,
            compare_at: Time::ZERO,
            unblock_at: None,
        }
    }

    /// What strategy and safety read.
    #[inline]
    pub fn view(&self, now: Time) -> View<'_> {
        View {
            now,
            instrument: &self.instrument,
            top: self.top,
            mark: self.mark,
            slots: &self.slots,
            orders: &self.orders,
            totals: &self.totals,
            inventory_epoch: self.inventory_epoch,
            in_step: self.sync.state == SyncState::InStep,
        }
    }

    /// Whether our books are in step with the exchange.
    pub const fn sync_state(&self) -> SyncState {
        self.sync.state
    }

    /// Profit of the slots' closed round trips since the start, before fees, units of 1e-8 of the quote asset.
    pub const fn round_trips(&self) -> i128 {
        self.round_trips
    }

    /// Open orders at the last snapshot that are not ours.
    pub const fn foreign_orders(&self) -> u32 {
        self.foreign_orders
    }

    /// What closing the holding at the mark price (or the middle) would add; units of 1e-8 of the quote asset.
    pub fn unrealized(&self) -> Option<i128> {
        if self.totals.holding.is_flat() {
            return Some(0);
        }
        let price = self.mark.and_then(|m| self.instrument.price_of_ref(m.mark, Round::Nearest)).or_else(|| self.top.map(|t| t.mid()))?;
        let value = price * self.totals.holding - self.totals.cost;
        self.instrument.amount(value, Round::Down).ok().map(|a| a.units)
    }

    /// Drops slots that hold nothing and have no order; returns how many.
    pub fn cleanup_empty_slots(&mut self, now: Time) -> usize {
        self.slots.cleanup_empty(now)
    }

    /// When something must be looked at again though nothing happened.
    pub fn wake_at(&self) -> Option<Time> {
        let mut at = if self.account_up { self.sync.ask_at } else { None };
        for (_, order) in self.orders.iter() {
            let due = match order.state {
                WorkState::Sent | WorkState::Canceling => Some(order.asked_at + ANSWER_GRACE),
                WorkState::Unknown => Some(order.asked_at + QUERY_PAUSE),
                WorkState::Live | WorkState::Closing => None,
            };
            at = Time::earliest(at, due);
            if order.short_since != Time::ZERO && !self.sync.asked {
                at = Time::earliest(at, Some(order.short_since + SHORT_GRACE));
            }
        }
        if self.account_up && self.sync.state == SyncState::InStep {
            at = Time::earliest(at, Some(self.compare_at));
        }
        Time::earliest(at, self.unblock_at)
    }

    /// Takes what happened into the books and says what changed.
    pub fn apply(&mut self, now: Time, event: &Event, out: &mut Actions) -> Changes {
        match event {
            Event::Top(top) => {
                let moved = self.top.is_none_or(|t| t.bid != top.bid || t.ask != top.ask);
                self.top = Some(*top);
                if moved { Changes::TOP } else { Changes::NONE }
            }
            Event::Trade(_) | Event::Candle(_) => Changes::MARKET,
            Event::Mark(mark) => {
                self.mark = Some(*mark);
                Changes::MARK
            }
            Event::Gap(Feed::Market) => {
                self.top = None;
                Changes::TOP.and(Changes::GATE)
            }
            Event::Gap(Feed::Account) => {
                if self.account_up {
                    self.sync.lose();
                    self.resync(now, out);
                }
                Changes::GATE
            }
            Event::Gap(Feed::Requests) => Changes::NONE,
            Event::Link(link) => {
                match (link.feed, link.up) {
                    (Feed::Account, true) => {
                        self.account_up = true;
                        self.sync.lose();
                        self.resync(now, out);
                    }
                    (Feed::Account, false) => {
                        self.account_up = false;
                        self.sync.lose();
                    }
                    (Feed::Market, false) => self.top = None,
                    (Feed::Market, true) | (Feed::Requests, _) => {}
                }
                Changes::GATE
            }
            Event::Order(report) => self.on_report(now, report, out),
            Event::Rejected { id, request, reason } => self.on_rejected(now, *id, *request, *reason, out),
            Event::CancelFailed { id, reason } => self.on_cancel_failed(now, *id, *reason, out),
            Event::Unknown { id, request } => self.on_unknown(now, *id, *request, out),
            Event::NotFound { id } => self.on_not_found(now, *id),
            Event::NotSent { id, request } => self.on_not_sent(now, *id, *request),
            Event::Fills(page) => self.on_page(now, page, out),
            Event::Snapshot(snapshot) => self.on_snapshot(now, snapshot, out),
            Event::ResyncFailed => {
                self.sync.failures = self.sync.failures.saturating_add(1);
                self.ask_again(now);
                Changes::NONE
            }
            Event::Funding(payment) => {
                if payment.amount.asset == self.instrument.quote {
                    self.totals.funding += payment.amount.units;
                }
                out.push(Action::Record(Box::new(self.record(None, None, None))));
                Changes::INVENTORY
            }
            Event::Instrument(instrument) => {
                assert!(
                    instrument.symbol == self.instrument.symbol
                        && instrument.price_scale == self.instrument.price_scale
                        && instrument.qty_scale == self.instrument.qty_scale,
                    "a symbol's scales never change"
                );
                self.instrument = **instrument;
                Changes::RULES
            }
            Event::Wake => self.on_wake(now, out),
            Event::Command(plimsoll_market::Command::Resync) => {
                if self.account_up {
                    self.sync.lose();
                    self.resync(now, out);
                }
                Changes::GATE
            }
            Event::Lease(_) | Event::Committed { .. } | Event::RecordsFull(_) | Event::Command(_) | Event::Shutdown(_) => Changes::GATE,
        }
    }

    /// Enters an order into the books and emits its request.
    ///
    /// # Errors
    /// When the leg's slot cannot take it or the table is full; nothing is changed then.
    pub fn place(&mut self, now: Time, order: &NewOrder, out: &mut Actions) -> Result<ClientId, PlaceError> {
        if self.orders.room() == 0 {
            return Err(PlaceError::Full);
        }
        let slot = self.slots.claim(order.leg).ok_or(PlaceError::SlotTaken)?;
        if slot.order.is_some() {
            return Err(PlaceError::SlotBusy);
        }
        self.generation += 1;
        let id = ClientId::new(self.cfg.tag, self.cfg.run, order.leg, order.side, self.generation);
        let at = self
            .orders
            .insert(Working {
                id,
                order_id: None,
                price: order.price,
                qty: order.qty,
                reported: Qty::ZERO,
                booked: Qty::ZERO,
                state: WorkState::Sent,
                kind: order.kind,
                reduce_only: order.reduce_only,
                sent_at: now,
                asked_at: now,
                short_since: Time::ZERO,
            })
            .ok_or(PlaceError::Full)?;
        slot.order = Some(at);
        slot.order_side = order.side;
        out.push(Action::Place(Place {
            id,
            price: order.price,
            qty: order.qty,
            kind: order.kind,
            tif: order.tif,
            reduce_only: order.reduce_only,
        }));
        Ok(id)
    }

    /// Emits a cancel for a live order; does nothing for one that is on its way or unknown.
    #[inline]
    pub fn cancel(&mut self, now: Time, at: u8, out: &mut Actions) -> bool {
        match self.orders.get_mut(at) {
            Some(order) if order.state == WorkState::Live => {
                order.state = WorkState::Canceling;
                order.asked_at = now;
                out.push(Action::Cancel(Cancel { id: order.id }));
                true
            }
            _ => false,
        }
    }

    fn resync(&mut self, now: Time, out: &mut Actions) {
        self.sync.state = SyncState::Fetching;
        self.sync.asked = true;
        // Without an answer the question is repeated.
        self.sync.ask_at = Some(now + RESYNC_PAUSE_MAX);
        out.push(Action::Resync { after: self.sync.watermark });
    }

    fn ask_again(&mut self, now: Time) {
        let pause = RESYNC_PAUSE.saturating_mul(1 << self.sync.failures.min(8)).min(RESYNC_PAUSE_MAX);
        self.sync.asked = false;
        self.sync.ask_at = Some(now + pause);
    }

    fn on_wake(&mut self, now: Time, out: &mut Actions) -> Changes {
        let mut changes = Changes::NONE;
        let due = self.sync.ask_at.is_some_and(|t| t <= now);
        let routine = self.sync.state == SyncState::InStep && self.compare_at <= now;
        if self.account_up && (due || routine) {
            // A routine comparison keeps the stream's executions flowing; only a lost stream stops them.
            let state = self.sync.state;
            self.resync(now, out);
            if matches!(state, SyncState::InStep | SyncState::Settling) {
                self.sync.state = state;
            }
            self.compare_at = now + COMPARE_EVERY;
        }
        let mut short = false;
        for at in 0..crate::limits::WORKING_MAX as u8 {
            let Some(order) = self.orders.get_mut(at) else { continue };
            let due = match order.state {
                WorkState::Sent | WorkState::Canceling => order.asked_at + ANSWER_GRACE <= now,
                WorkState::Unknown => order.asked_at + QUERY_PAUSE <= now,
                WorkState::Live | WorkState::Closing => false,
            };
            if due {
                if order.state != WorkState::Canceling {
                    order.state = WorkState::Unknown;
                }
                order.asked_at = now;
                out.push(Action::Query { id: order.id });
            }
            if order.short_since != Time::ZERO && order.short_since + SHORT_GRACE <= now {
                order.short_since = now;
                short = true;
            }
        }
        if short && self.account_up && !self.sync.asked {
            self.sync.lose();
            self.resync(now, out);
            changes.add(Changes::GATE);
        }
        if self.unblock_at.is_some_and(|t| t <= now) {
            self.unblock_at = self.slots.next_unblock(now);
        }
        // A slot's pause may be over.
        changes.and(Changes::FREED)
    }

    fn is_ours(&self, id: Option<ClientId>) -> Option<ClientId> {
        id.filter(|id| id.tag() == self.cfg.tag)
    }

    fn on_report(&mut self, now: Time, report: &OrderReport, out: &mut Actions) -> Changes {
        let Some(id) = self.is_ours(report.id) else {
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
        } else if !report.status.is_final() && report.source == Source::Query {
            changes.add(self.adopt(now, id, report, out));
        }
        changes
    }

    /// Removes an order whose final state is known and whose fills are all booked.
    fn settle(&mut self, now: Time, at: u8) -> Changes {
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
        self.drop_order(at);
        Changes::FREED
    }

    fn drop_order(&mut self, at: u8) {
        let Some(order) = self.orders.remove(at) else { return };
        if let Some(slot) = self.slots.get_mut(order.id.leg()) {
            if slot.order == Some(at) {
                slot.order = None;
            }
            // What cannot be sold by the rules is bought on, not stuck.
            slot.selling = slot.held >= self.instrument.qty_min && !slot.held.is_zero();
            if !order.booked.is_zero() {
                slot.refusals = 0;
            }
        }
    }

    fn on_stream_fill(&mut self, now: Time, fill: &Fill, ours: Option<(ClientId, &OrderReport)>, out: &mut Actions) -> Changes {
        match self.sync.judge_stream(fill.trade_id) {
            Verdict::Book => self.book(now, fill, ours.map(|(id, _)| id), ours.map(|(_, r)| r), out),
            Verdict::Seen | Verdict::Later => Changes::NONE,
        }
    }

    /// Books one execution: totals, slot, order, and the record that stores all of it together.
    fn book(&mut self, now: Time, fill: &Fill, id: Option<ClientId>, report: Option<&OrderReport>, out: &mut Actions) -> Changes {
        let at = id.and_then(|id| self.orders.find(id)).or_else(|| self.orders.find_order(fill.order_id));
        let id = id.or_else(|| at.and_then(|at| self.orders.get(at)).map(|w| w.id));
        let realized = book_fill(&mut self.totals, &self.instrument, fill);
        self.totals.watermark = self.sync.watermark;
        self.inventory_epoch += 1;
        let mut row = None;
        if let Some(order) = at.and_then(|at| self.orders.get_mut(at)) {
            // The stream tells the sum, and everything before it is booked; a page tells single executions.
            order.booked = match report {
                Some(report) => report.filled,
                None => (order.booked + fill.qty).min(order.qty),
            };
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
        if closing {
            slot_realized = self.close_slots(fill, out);
        } else if let Some(slot) = leg.and_then(|leg| self.slots.claim(leg)) {
            let notional = fill.price * fill.qty;
            match fill.side {
                Side::Buy => {
                    slot.held += fill.qty;
                    slot.cost += notional;
                    if slot.order.is_none() {
                        slot.selling = true;
                    }
                }
                Side::Sell => {
                    let sold = fill.qty.min(slot.held);
                    if !sold.is_zero() {
                        let out_cost = slot.cost.share(sold, slot.held);
                        let gain = fill.price * sold - out_cost;
                        slot_realized = self.instrument.amount(gain, Round::Nearest).map_or(0, |a| a.units);
                        slot.cost -= out_cost;
                        slot.held -= sold;
                    }
                    if slot.held.is_zero() {
                        slot.selling = false;
                    }
                }
            }
            slot_row = Some(slot.row());
        }
        if let Some(leg) = leg.filter(|_| !closing) {
            self.slots.note_held(leg);
        }
        self.round_trips += slot_realized;
        let booked = Booked { fill: Fill { id, ..*fill }, leg, realized, slot_realized };
        out.push(Action::Record(Box::new(self.record(row, Some(booked), slot_row))));
        let mut changes = Changes::INVENTORY;
        if let Some(at) = at {
            changes.add(self.settle(now, at));
        }
        changes
    }

    /// Books a closing execution to the slots, highest level first; returns what it realised against their cost.
    fn close_slots(&mut self, fill: &Fill, out: &mut Actions) -> i128 {
        let mut rest = if fill.side == Side::Sell { fill.qty } else { Qty::ZERO };
        let mut realized = 0;
        while !rest.is_zero() && out.room() > 8 {
            let Some(leg) = self.slots.holding().map(|s| s.leg).max_by_key(|l| l.index()) else { break };
            let Some(slot) = self.slots.get_mut(leg) else { break };
            let take = slot.held.min(rest);
            let cost = slot.cost.share(take, slot.held);
            realized += self.instrument.amount(fill.price * take - cost, Round::Nearest).map_or(0, |a| a.units);
            slot.cost -= cost;
            slot.held -= take;
            slot.selling = !slot.held.is_zero();
            rest -= take;
            let row = slot.row();
            self.slots.note_held(leg);
            out.push(Action::Record(Box::new(self.record(None, None, Some(row)))));
        }
        realized
    }

    fn record(&self, order: Option<Order>, fill: Option<Booked>, slot: Option<SlotRow>) -> Record {
        Record { order, fill, slot, totals: Totals { watermark: self.sync.watermark, ..self.totals } }
    }

    fn on_page(&mut self, now: Time, page: &FillPage, out: &mut Actions) -> Changes {
        let mut changes = Changes::NONE;
        for fill in &page.fills {
            if self.sync.judge_page(fill.trade_id) == Verdict::Book {
                let id = self.is_ours(fill.id);
                changes.add(self.book(now, fill, id, None, out));
            }
        }
        if page.last && self.sync.state == SyncState::Fetching {
            if !self.sync.pages_done(page.baseline) {
                self.ask_again(now);
            } else if self.totals.watermark.is_none() {
                self.totals.watermark = self.sync.watermark;
                out.push(Action::Record(Box::new(self.record(None, None, None))));
            }
        }
        changes
    }

    fn on_snapshot(&mut self, now: Time, snapshot: &Snapshot, out: &mut Actions) -> Changes {
        self.sync.asked = false;
        if snapshot.position.side != PositionSide::Both {
            return Changes::NONE;
        }
        self.foreign_orders = 0;
        let mut changes = Changes::GATE;
        let mut seen: u64 = 0;
        for report in &snapshot.open {
            let Some(id) = self.is_ours(report.id) else {
                self.foreign_orders += 1;
                continue;
            };
            match self.orders.find(id) {
                Some(at) => {
                    seen |= 1 << at;
                    changes.add(self.on_report(now, report, out));
                }
                // An order of this run that we do not know ended between the snapshot and now, or is a stray: ask.
                None if id.run() == self.cfg.run => {
                    if out.room() > crate::limits::WORKING_MAX {
                        out.push(Action::Query { id });
                    }
                }
                None => changes.add(self.adopt(now, id, report, out)),
            }
        }
        // What we thought open and the exchange does not list is asked for, unless it was sent later than the snapshot.
        for at in 0..crate::limits::WORKING_MAX as u8 {
            let Some(order) = self.orders.get_mut(at) else { continue };
            let older = order.sent_at < snapshot.asked_at && order.asked_at < snapshot.asked_at;
            if seen & 1 << at == 0 && older && order.state != WorkState::Closing && out.room() > 8 {
                if order.state == WorkState::Sent {
                    order.state = WorkState::Unknown;
                }
                order.asked_at = now;
                out.push(Action::Query { id: order.id });
            }
        }
        if matches!(self.sync.state, SyncState::Settling | SyncState::InStep) {
            changes.add(self.compare(now, snapshot, out));
        }
        changes
    }

    fn compare(&mut self, now: Time, snapshot: &Snapshot, out: &mut Actions) -> Changes {
        let theirs = snapshot.position.holding;
        if theirs == self.totals.holding {
            self.mismatch = None;
            self.sync.state = SyncState::InStep;
            self.sync.failures = 0;
            self.sync.ask_at = None;
            self.compare_at = now + COMPARE_EVERY;
            return self.trim_slots(now, out);
        }
        // Nothing was ever booked: what the account holds was there before us, and is not ours to trade.
        let first = self.totals.fills == 0 && self.totals.holding.is_flat();
        let readings = match self.mismatch {
            Some((holding, n)) if holding == theirs => n.saturating_add(1),
            _ => 1,
        };
        self.mismatch = Some((theirs, readings));
        if !first && readings < MISMATCH_READINGS {
            self.ask_again(now);
            return Changes::NONE;
        }
        out.push(Action::Alert(Box::new(Alert::new(
            if first { Severity::Warning } else { Severity::Critical },
            AlertCode::PositionMismatch,
            now,
            &format_args!(
                "{}: the exchange holds {}, our books {}; the exchange's position is taken over",
                self.instrument.symbol,
                self.instrument.show_holding(theirs),
                self.instrument.show_holding(self.totals.holding)
            ),
        ))));
        self.totals.holding = theirs;
        let entry = self.instrument.price_of_ref(snapshot.position.entry, Round::Nearest).unwrap_or(Price::ZERO);
        self.totals.cost = entry * theirs;
        self.inventory_epoch += 1;
        self.mismatch = None;
        self.sync.state = SyncState::InStep;
        self.sync.ask_at = None;
        self.sync.failures = 0;
        self.compare_at = now + COMPARE_EVERY;
        out.push(Action::Record(Box::new(self.record(None, None, None))));
        self.trim_slots(now, out).and(Changes::INVENTORY)
    }

    /// Slots may not hold more than the account does: the highest levels give way first.
    fn trim_slots(&mut self, now: Time, out: &mut Actions) -> Changes {
        let held = self.slots.held_total();
        let long = Qty::from_units(u64::try_from(self.totals.holding.units()).unwrap_or(0));
        let mut excess = held.saturating_sub(long);
        if excess.is_zero() {
            return Changes::NONE;
        }
        out.push(Action::Alert(Box::new(Alert::new(
            Severity::Critical,
            AlertCode::PositionMismatch,
            now,
            &format_args!(
                "{}: slots hold {} but the account only {}; the highest slots are reduced",
                self.instrument.symbol,
                self.instrument.show_qty(held),
                self.instrument.show_qty(long)
            ),
        ))));
        while !excess.is_zero() && out.room() > 8 {
            let Some(leg) = self.slots.holding().map(|s| s.leg).max_by_key(|l| l.index()) else { break };
            let Some(slot) = self.slots.get_mut(leg) else { break };
            let take = slot.held.min(excess);
            slot.cost -= slot.cost.share(take, slot.held);
            slot.held -= take;
            slot.selling = !slot.held.is_zero();
            excess -= take;
            let row = slot.row();
            self.slots.note_held(leg);
            out.push(Action::Record(Box::new(self.record(None, None, Some(row)))));
        }
        self.inventory_epoch += 1;
        Changes::INVENTORY
    }

    /// Takes an open order of ours into the table that we did not know: of an earlier run, or one whose fate was unknown.
    fn adopt(&mut self, now: Time, id: ClientId, report: &OrderReport, out: &mut Actions) -> Changes {
        let booked = report.filled;
        let working = Working {
            id,
            order_id: Some(report.order_id),
            price: report.price,
            qty: report.qty,
            reported: report.filled,
            // The catch-up before the snapshot has booked what is filled.
            booked,
            state: WorkState::Live,
            kind: report.kind,
            reduce_only: report.reduce_only,
            sent_at: now,
            asked_at: now,
            short_since: Time::ZERO,
        };
        let free = self.slots.claim(id.leg()).is_some_and(|slot| slot.order.is_none());
        let Some(at) = self.orders.insert(working) else {
            // No room: it cannot be kept, so it is withdrawn; a later snapshot shows whether it is gone.
            out.push(Action::Cancel(Cancel { id }));
            return Changes::NONE;
        };
        if free && let Some(slot) = self.slots.get_mut(id.leg()) {
            slot.order = Some(at);
            slot.order_side = id.side();
            if id.side() == Side::Buy {
                slot.selling = false;
            }
        } else {
            // A second order on the slot is one too many.
            self.cancel(now, at, out);
        }
        Changes::FREED
    }

    fn on_rejected(&mut self, now: Time, id: ClientId, request: Request, reason: Reject, out: &mut Actions) -> Changes {
        let Some(at) = self.orders.find(id) else { return Changes::NONE };
        match request {
            Request::Place => {
                if reason == Reject::Duplicate {
                    // The exchange has an open order with our id: the request came through after all.
                    return self.on_unknown(now, id, request, out);
                }
                let refusals = self.refuse(now, id.leg(), reason);
                let order = self.orders.get(at).map(|w| Order {
                    id,
                    order_id: None,
                    price: w.price,
                    qty: w.qty,
                    filled: Qty::ZERO,
                    status: OrderStatus::Rejected,
                    reduce_only: w.reduce_only,
                    time: now,
                });
                self.drop_order(at);
                out.push(Action::Record(Box::new(self.record(order, None, None))));
                // A post-only order that would have taken is the market's ordinary course.
                if reason != Reject::WouldTake && refusals <= 1 {
                    out.push(Action::Alert(Box::new(Alert::new(
                        Severity::Warning,
                        AlertCode::OrderRefused,
                        now,
                        &format_args!("{}: order {id:?} was refused: {reason:?}", self.instrument.symbol),
                    ))));
                }
                Changes::FREED
            }
            Request::Cancel | Request::Query => self.on_cancel_failed(now, id, CancelFailure::Refused(reason), out),
        }
    }

    fn refuse(&mut self, now: Time, leg: Leg, reason: Reject) -> u8 {
        let Some(slot) = self.slots.get_mut(leg) else { return 0 };
        slot.refusals = slot.refusals.saturating_add(1);
        let pause = REFUSAL_PAUSE.saturating_mul(1 << slot.refusals.min(8)).min(REFUSAL_PAUSE_MAX);
        // Would-take heals with the next price; it only must not spin.
        slot.blocked_until = now + if reason == Reject::WouldTake { pause.min(Duration::from_secs(2)) } else { pause };
        let (refusals, until) = (slot.refusals, slot.blocked_until);
        self.unblock_at = Time::earliest(self.unblock_at, Some(until));
        refusals
    }

    fn on_cancel_failed(&mut self, now: Time, id: ClientId, reason: CancelFailure, out: &mut Actions) -> Changes {
        let Some(order) = self.orders.find(id).and_then(|at| self.orders.get_mut(at)) else { return Changes::NONE };
        match reason {
            // It is final; which final state, and what it filled, only a query tells.
            CancelFailure::NotOpen => {
                order.asked_at = now;
                out.push(Action::Query { id });
                Changes::NONE
            }
            // Asked again after a pause, by a query that finds it open.
            CancelFailure::Refused(_) => {
                if order.state == WorkState::Canceling {
                    order.asked_at = Time::from_nanos(now.nanos().saturating_sub((ANSWER_GRACE - QUERY_PAUSE).as_nanos() as u64));
                }
                Changes::NONE
            }
        }
    }

    fn on_unknown(&mut self, now: Time, id: ClientId, request: Request, out: &mut Actions) -> Changes {
        let Some(order) = self.orders.find(id).and_then(|at| self.orders.get_mut(at)) else { return Changes::NONE };
        if request == Request::Place && order.state == WorkState::Sent {
            order.state = WorkState::Unknown;
        }
        order.asked_at = now;
        if request != Request::Query {
            out.push(Action::Query { id });
        }
        Changes::NONE
    }

    fn on_not_found(&mut self, now: Time, id: ClientId) -> Changes {
        let Some(at) = self.orders.find(id) else { return Changes::NONE };
        let Some(order) = self.orders.get_mut(at) else { return Changes::NONE };
        let window = Duration::from_millis(self.cfg.recv_window_ms) + QUERY_PAUSE;
        if order.state == WorkState::Unknown && now < order.sent_at + window {
            // The request may still be on its way; the next query follows by the clock.
            order.asked_at = now;
            return Changes::NONE;
        }
        if order.reported > order.booked {
            order.state = WorkState::Closing;
            return Changes::NONE;
        }
        self.drop_order(at);
        Changes::FREED
    }

    fn on_not_sent(&mut self, now: Time, id: ClientId, request: Request) -> Changes {
        let Some(at) = self.orders.find(id) else { return Changes::NONE };
        match request {
            Request::Place => {
                self.refuse(now, id.leg(), Reject::Busy);
                self.drop_order(at);
                Changes::FREED
            }
            Request::Cancel => {
                if let Some(order) = self.orders.get_mut(at)
                    && order.state == WorkState::Canceling
                {
                    order.state = WorkState::Live;
                }
                Changes::FREED
            }
            Request::Query => Changes::NONE,
        }
    }
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
