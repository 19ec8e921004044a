mod answers;
mod booking;
mod snapshot;

use crate::orders::{Orders, WorkState, Working};
use crate::slots::Slots;
use crate::sync::{Sync, SyncState};
use crate::view::{Changes, Earned, View};
use core::time::Duration;
use plimsoll_market::{
    Action, Actions, Cancel, ClientId, Event, Feed, Holding, Instrument, Leg, MarkPrice, OrderType, Place, Price, Qty, Round, Side,
    SlotRow, Tag, Time, TimeInForce, Top, Totals, TradeId,
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
/// Longest such pause of an order at market: those are stops, and a price does not wait.
const MARKET_REFUSAL_PAUSE: Duration = Duration::from_secs(2);

/// Orders that a symbol can place in one run: 2^28, or eight a second for a year. Of the 37 bits of a generation the rest tells
/// the symbol.
const SERIES_BITS: u32 = 28;
const _: () = assert!((512_u64 << SERIES_BITS) - 1 <= ClientId::GENERATION_MAX);

/// What a symbol's books must know of the installation.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PositionConfig {
    /// The mark of this account in every client id.
    pub tag: Tag,
    /// This start's number; on disk before the first order.
    pub run: u64,
    /// The symbol's number within the run, 0 to 511: keeps its client ids apart from those of the account's other symbols.
    pub series: u16,
    /// Orders that an earlier engine of this run placed for the symbol: an engine built anew counts on from there.
    pub placed_before: u64,
    /// How long the exchange may still take a request after it was stamped, milliseconds: until then "no such order"
    /// is no proof that an order will not appear.
    pub recv_window_ms: u64,
    /// Pause between routine comparisons with the exchange.
    pub compare_every: Duration,
    /// Whether a position that the account held before us, and of which the books know nothing, is taken over; else nothing is
    /// traded until it is gone.
    pub accept_position: bool,
}

impl PositionConfig {
    /// Pause between routine comparisons when nothing else is wanted.
    pub const COMPARE_EVERY: Duration = Duration::from_secs(60);
}

/// What storage brings back at boot.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// The totals, with the watermark they were stored with.
    pub totals: Option<Totals>,
    /// Slots that held something.
    pub slots: Vec<SlotRow>, // tidy: bounded by the storage reader; dropped after boot
    /// Executions above the totals' watermark that are booked, in the order of their ids.
    pub recent: Vec<TradeId>, // tidy: bounded by the storage reader; dropped after boot
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

/// How far books and exchange are apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Drift {
    /// What the exchange holds beyond our books, base quantity; zero while they agree.
    pub units: i64,
    /// Since when they are apart.
    pub since: Option<Time>,
    /// Comparisons in a row that did not agree.
    pub rounds: u8,
    /// How long the last divergence took to end; zero before the first.
    pub healed_in: Duration,
    /// Times that the exchange's position was taken over.
    pub taken_over: u32,
}

/// The books of one symbol.
///
/// # Bounds
/// Fixed: [`Slots::BYTES`] + [`Orders::BYTES`] + itself. Nothing grows.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Position {
    instrument: Instrument,
    cfg: PositionConfig,
    slots: Slots,
    orders: Orders,
    totals: Totals,
    round_trips: i128,
    earned: Earned,
    sync: Sync,
    account_up: bool,
    top: Option<Top>,
    mark: Option<MarkPrice>,
    generation: u64,
    /// The last generation of those before us: what is younger is our own.
    first_generation: u64,
    inventory_epoch: u64,
    /// By how much the exchange's position was beyond ours at the last readings, and how many in a row.
    mismatch: Option<(i64, u8)>,
    drift: Drift,
    /// Orders with our mark that are placed later than this, by the exchange's time, are placed by us.
    trades_from: Option<Time>,
    /// The account held something that was not taken over.
    foreign_held: bool,
    foreign_orders: u32,
    /// Books and exchange have agreed once.
    compared: bool,
    compare_at: Time,
    unblock_at: Option<Time>,
    /// What the account holds beyond the slots.
    beyond: Holding,
}

impl Position {
    /// Bytes the books of a symbol take, all together.
    pub const BYTES: usize = size_of::<Self>() + Slots::BYTES + Orders::BYTES;

    /// Makes the books, from what was stored if there is any.
    pub fn new(instrument: Instrument, cfg: PositionConfig, restored: Option<&Restored>) -> Self {
        let first_generation = (u64::from(cfg.series) << SERIES_BITS) + cfg.placed_before;
        let totals = restored.and_then(|r| r.totals).unwrap_or(Totals::EMPTY);
        let mut slots = Slots::default();
        for row in restored.map_or(&[][..], |r| &r.slots) {
            // Storage keeps at most one row a place, because a place is only taken when its slot holds nothing.
            if let Some(slot) = slots.claim(row.leg) {
                slot.held = row.held;
                slot.cost = row.cost;
                slot.exiting = row.held >= instrument.qty_min && !row.held.is_zero();
                slots.note_held(row.leg);
            }
        }
        let mut books = Self {
            instrument,
            cfg,
            slots,
            orders: Orders::default(),
            totals,
            round_trips: 0,
            earned: Earned::default(),
            sync: Sync::new(totals.watermark, restored.map_or(&[], |r| &r.recent)),
            account_up: false,
            top: None,
            mark: None,
            generation: first_generation,
            first_generation,
            inventory_epoch: 0,
            mismatch: None,
            drift: Drift::default(),
            trades_from: None,
            foreign_held: false,
            foreign_orders: 0,
            compared: false,
            compare_at: Time::ZERO,
            unblock_at: None,
            beyond: Holding::FLAT,
        };
        books.note_beyond();
        books
    }

    /// What strategy and safety read.
    #[inline]
    pub fn view(&self, now: Time) -> View<'_> {
        View {
            now,
            instrument: &self.instrument,
            top: self.top.as_ref(),
            mark: self.mark.as_ref(),
            slots: &self.slots,
            orders: &self.orders,
            totals: &self.totals,
            earned: &self.earned,
            beyond: self.beyond,
            inventory_epoch: self.inventory_epoch,
            in_step: self.sync.state == SyncState::InStep,
        }
    }

    /// Takes a top of which nothing but itself follows.
    #[inline]
    pub const fn note_top(&mut self, top: Top) {
        self.top = Some(top);
    }

    /// Whether our books are in step with the exchange.
    pub const fn sync_state(&self) -> SyncState {
        self.sync.state
    }

    /// Learns that trading begins, at a time of the exchange: whatever is placed with our mark from now on is placed by us.
    pub fn trades_from(&mut self, time: Time) {
        self.trades_from.get_or_insert(time);
    }

    /// How far books and exchange were apart, and how long it took to bring them together.
    pub const fn drift(&self) -> Drift {
        self.drift
    }

    /// Where the books begin: nothing up to it is ours to book. `None` before the exchange has told.
    pub const fn baseline(&self) -> Option<TradeId> {
        self.sync.baseline
    }

    /// Executions that were booked after one with a higher trade id: average cost and realised profit then differ from the
    /// exchange's, which books in the order of ids; their sum does not.
    pub const fn late_fills(&self) -> u64 {
        self.sync.late
    }

    /// Orders placed for the symbol in this run, by this engine and those before it.
    pub const fn placed_in_run(&self) -> u64 {
        self.generation & ((1 << SERIES_BITS) - 1)
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
        let changes = self.take(now, event, out);
        // What is not of the market may have changed what is held, by comparisons too.
        if !matches!(event, Event::Top(_) | Event::Trade(_) | Event::Mark(_) | Event::Candle(_) | Event::Past(_)) {
            self.note_beyond();
        }
        changes
    }

    fn note_beyond(&mut self) {
        self.beyond = Holding::from_units(self.totals.holding.units() - self.slots.net().units());
    }

    fn take(&mut self, now: Time, event: &Event, out: &mut Actions) -> Changes {
        match event {
            Event::Top(top) => {
                let moved = self.top.is_none_or(|t| t.bid != top.bid || t.ask != top.ask);
                self.top = Some(*top);
                if moved { Changes::TOP } else { Changes::NONE }
            }
            Event::Trade(_) | Event::Candle(_) => Changes::MARKET,
            // It says nothing of now.
            Event::Past(_) => Changes::NONE,
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
                // Told again after a restart, it is booked already.
                if payment.time <= self.totals.funded_to {
                    return Changes::NONE;
                }
                self.totals.funded_to = payment.time;
                if payment.amount.asset == self.instrument.quote {
                    self.totals.funding += payment.amount.units;
                }
                let record = plimsoll_market::Record { funding: Some(**payment), ..self.record(None, None, None) };
                out.push(Action::Record(Box::new(record)));
                Changes::INVENTORY
            }
            Event::Rate(rate) => {
                if crate::holding::convert_fees(&mut self.totals, &self.instrument, rate) {
                    out.push(Action::Record(Box::new(self.record(None, None, None))));
                }
                Changes::NONE
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
            Event::Lease(_)
            | Event::Committed { .. }
            | Event::RecordsFull(_)
            | Event::MemoryShort(_)
            | Event::Command(_)
            | Event::Shutdown(_) => Changes::GATE,
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
                base: Qty::ZERO,
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

    /// Asks the exchange for executions, position and open orders, while the stream's executions are booked on.
    pub fn compare_now(&mut self, now: Time, out: &mut Actions) {
        let state = self.sync.state;
        self.resync(now, out);
        // Only a lost stream stops the booking.
        if matches!(state, SyncState::InStep | SyncState::Settling) {
            self.sync.state = state;
        }
        self.compare_at = now + self.cfg.compare_every;
    }

    fn resync(&mut self, now: Time, out: &mut Actions) {
        if self.sync.state == SyncState::Lost {
            self.sync.since = now;
        }
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
            self.compare_now(now, out);
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
}
