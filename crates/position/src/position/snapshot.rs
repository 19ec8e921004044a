//! How the books are compared with what the exchange holds, and brought in step.

use super::Position;
use crate::limits::{DIVERGENCE_ROUNDS, FOREIGN_PAUSE, MISMATCH_READINGS, WRITER_GRACE};
use crate::orders::{WorkState, Working};
use crate::sync::SyncState;
use crate::view::Changes;
use plimsoll_market::{
    Action, Actions, Alert, AlertCode, Cancel, ClientId, Notional, OrderReport, PositionSide, Price, Qty, Round, Severity, Side, Snapshot,
    Time,
};

impl Position {
    pub(super) fn on_snapshot(&mut self, now: Time, snapshot: &Snapshot, out: &mut Actions) -> Changes {
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
                // An order that these books have placed and do not know ended between the snapshot and now, or is a stray: ask.
                None if id.run() == self.cfg.run && id.generation() > self.first_generation => {
                    if out.room() > crate::limits::WORKING_MAX {
                        out.push(Action::Query { id });
                    }
                }
                // While executions are still being fetched it is not known which of its fills are booked; the next snapshot
                // takes it over.
                None if self.is_anothers(id, report) => changes.add(Changes::WRITER),
                None if matches!(self.sync.state, SyncState::Lost | SyncState::Fetching) => {}
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

    pub(super) fn compare(&mut self, now: Time, snapshot: &Snapshot, out: &mut Actions) -> Changes {
        let theirs = snapshot.position.holding;
        if self.foreign_held && theirs.is_flat() {
            // Whoever held it has closed it; what was booked of that says nothing of us.
            self.foreign_held = false;
            (self.totals.holding, self.totals.cost) = (theirs, Notional::ZERO);
            out.push(Action::Record(Box::new(self.record(None, None, None))));
        }
        if theirs == self.totals.holding {
            self.agreed(now);
            self.mismatch = None;
            self.sync.state = SyncState::InStep;
            self.sync.failures = 0;
            self.sync.ask_at = None;
            self.compare_at = now + self.cfg.compare_every;
            let settled = self.settle_short(now);
            let trimmed = self.trim_slots(now, out);
            self.compared = true;
            return trimmed.and(settled);
        }
        // Nothing was ever booked: what the account holds was there before us, and is not ours to trade.
        let ours_open = snapshot.open.iter().any(|r| self.is_ours(r.id).is_some());
        let nothing = self.totals.fills == 0 && self.totals.holding.is_flat() || self.foreign_held;
        let first = self.sync.state == SyncState::Settling && nothing && !ours_open;
        // By how much they are apart, not what theirs is: an execution between two readings moves both, and a position read before
        // it must not replace books that have it.
        let apart = theirs.units() - self.totals.holding.units();
        let readings = match self.mismatch {
            Some((before, n)) if before == apart => n.saturating_add(1),
            _ => 1,
        };
        self.mismatch = Some((apart, readings));
        if !first {
            self.drift.units = apart;
            self.drift.since.get_or_insert(now);
            self.drift.rounds = self.drift.rounds.saturating_add(1);
        }
        if first && !self.cfg.accept_position {
            self.foreign_held = true;
            // Looked at again like everything: once it is gone, trading begins.
            (self.sync.asked, self.sync.ask_at) = (false, Some(now + self.cfg.compare_every.min(FOREIGN_PAUSE)));
            return Changes::FOREIGN;
        }
        if !first && readings < MISMATCH_READINGS {
            self.ask_again(now);
            return if self.drift.rounds >= DIVERGENCE_ROUNDS { Changes::DIVERGED } else { Changes::NONE };
        }
        if !first {
            self.drift.taken_over += 1;
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
        self.agreed(now);
        self.totals.holding = theirs;
        let entry = self.instrument.price_of_ref(snapshot.position.entry, Round::Nearest).unwrap_or(Price::ZERO);
        self.totals.cost = entry * theirs;
        self.inventory_epoch += 1;
        self.mismatch = None;
        self.sync.state = SyncState::InStep;
        self.sync.ask_at = None;
        self.sync.failures = 0;
        self.compare_at = now + self.cfg.compare_every;
        out.push(Action::Record(Box::new(self.record(None, None, None))));
        self.trim_slots(now, out).and(Changes::INVENTORY)
    }

    /// Books and exchange agree again.
    fn agreed(&mut self, now: Time) {
        if let Some(since) = self.drift.since.take() {
            self.drift.healed_in = now.since(since);
        }
        (self.drift.units, self.drift.rounds) = (0, 0);
    }

    /// Whether an open order with our mark, which the books do not know, was placed by another instance: neither our run nor one
    /// before it can have placed it, because it is younger than our first order.
    pub(super) fn is_anothers(&self, id: ClientId, report: &OrderReport) -> bool {
        id.run() != self.cfg.run && report.filled.is_zero() && self.trades_from.is_some_and(|began| report.time > began + WRITER_GRACE)
    }

    /// The positions agree and every execution up to the catch-up is booked: an order that still seems short of one was
    /// booked before it came into the table, by an answer older than its fill.
    fn settle_short(&mut self, now: Time) -> Changes {
        let mut changes = Changes::NONE;
        for at in 0..crate::limits::WORKING_MAX as u8 {
            let Some(order) = self.orders.get_mut(at) else { continue };
            if order.short_since != Time::ZERO && order.short_since <= self.sync.complete_to {
                order.booked = order.reported;
                changes.add(self.settle(now, at));
            }
        }
        changes
    }

    /// Slots may not hold more than the account does, long or short: the highest indices give way first.
    pub(super) fn trim_slots(&mut self, now: Time, out: &mut Actions) -> Changes {
        let (net, held) = (self.slots.net().units(), self.totals.holding.units());
        // What the account holds beyond the slots, or the other way than they, is not theirs.
        let (opening, excess) = if net > held.max(0) {
            (Side::Buy, net - held.max(0))
        } else if net < held.min(0) {
            (Side::Sell, held.min(0) - net)
        } else {
            return Changes::NONE;
        };
        let mut excess = Qty::from_units(excess.unsigned_abs()).min(self.slots.held_by(opening));
        // A crash can lose the slots of a closing whose execution was stored; they give way in the order that it took them.
        let severity = if self.compared { Severity::Critical } else { Severity::Warning };
        let word = if opening == Side::Buy { "long" } else { "short" };
        out.push(Action::Alert(Box::new(Alert::new(
            severity,
            AlertCode::PositionMismatch,
            now,
            &format_args!(
                "{}: {word} slots hold {} but the account {}; the highest are reduced",
                self.instrument.symbol,
                self.instrument.show_holding(self.slots.net()),
                self.instrument.show_holding(self.totals.holding)
            ),
        ))));
        // Ends: each turn empties a slot or takes the rest.
        while !excess.is_zero() {
            let Some(leg) = self.slots.first_to_close(opening) else { break };
            let Some(slot) = self.slots.get_mut(leg) else { break };
            let take = slot.held.min(excess);
            slot.cost -= slot.cost.share(take, slot.held);
            slot.held -= take;
            slot.exiting = slot.held >= self.instrument.qty_min && !slot.held.is_zero();
            excess -= take;
            let row = slot.row();
            self.slots.note_held(leg);
            out.push(Action::Record(Box::new(self.record(None, None, Some(row)))));
        }
        self.inventory_epoch += 1;
        Changes::INVENTORY
    }

    /// Takes an open order of ours into the table that we did not know: of an earlier run, or one whose fate was unknown.
    pub(super) fn adopt(&mut self, now: Time, id: ClientId, report: &OrderReport, out: &mut Actions) -> Changes {
        let booked = report.filled;
        let working = Working {
            id,
            order_id: Some(report.order_id),
            price: report.price,
            qty: report.qty,
            reported: report.filled,
            // The catch-up before the snapshot has booked what is filled.
            booked,
            base: booked,
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
            if id.leg().opens(id.side()) {
                slot.exiting = false;
            }
        } else {
            // A second order on the slot is one too many.
            self.cancel(now, at, out);
        }
        Changes::FREED
    }
}
