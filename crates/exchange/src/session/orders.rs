//! What engines ask for.

use super::core::{Phase, Session};
use super::io::Outputs;
use super::jobs::Job;
use super::lanes::{Waiting, expired};
use super::limits::{CANCEL_WAIT_MAX, PLACE_WAIT_MAX};
use crate::SymbolIndex;
use plimsoll_market::{Action, CancelFailure, ClientId, Event, Place, Request, Time, TradeId};

impl Session {
    pub(super) fn order(&mut self, now: Time, symbol: SymbolIndex, action: &Action, out: &mut Outputs) {
        let open = self.phase == Phase::Running && self.symbols.get(symbol.usize()).is_some();
        if !open {
            self.refuse(symbol, action, out);
            return;
        }
        self.dirty = true;
        match action {
            Action::Place(place) => self.queue_place(now, symbol, *place, out),
            Action::Cancel(cancel) => self.cancel(now, symbol, cancel.id, out),
            Action::Query { id } => self.query(now, symbol, *id, out),
            Action::Resync { after } => self.ask_resync(symbol, *after),
            Action::Countdown { after } => self.arm(now, symbol, *after),
            Action::History => self.tell_past_again(now, symbol),
            Action::Commit(_) | Action::Record(_) | Action::Alert(_) => self.stats.actions_ignored += 1,
        }
    }

    /// Answers an action that cannot be carried out now.
    pub(super) fn refuse(&mut self, symbol: SymbolIndex, action: &Action, out: &mut Outputs) {
        match action {
            Action::Place(place) => self.not_sent(symbol, place.id, Request::Place, out),
            Action::Cancel(cancel) => self.not_sent(symbol, cancel.id, Request::Cancel, out),
            Action::Query { id } => self.not_sent(symbol, *id, Request::Query, out),
            Action::Resync { .. } => out.event(symbol, Event::ResyncFailed),
            // Told again in its time, like everything of a dead man's switch.
            Action::Countdown { .. } => {}
            // The past is told whenever market data begin.
            Action::History => {}
            Action::Commit(_) | Action::Record(_) | Action::Alert(_) => self.stats.actions_ignored += 1,
        }
    }

    fn not_sent(&mut self, symbol: SymbolIndex, id: ClientId, request: Request, out: &mut Outputs) {
        if request == Request::Place {
            self.stats.places_not_sent += 1;
        }
        out.event(symbol, Event::NotSent { id, request });
    }

    fn queue_place(&mut self, now: Time, symbol: SymbolIndex, place: Place, out: &mut Outputs) {
        let lane = if place.reduce_only { &mut self.lanes.reduces } else { &mut self.lanes.opens };
        if lane.push(Waiting { symbol, what: place, since: now }).is_err() {
            self.not_sent(symbol, place.id, Request::Place, out);
        }
    }

    /// A cancel must never overtake the order that it is for: the exchange would know no such order, and then open it.
    fn cancel(&mut self, now: Time, symbol: SymbolIndex, id: ClientId, out: &mut Outputs) {
        if self.lanes.take_place(id).is_some() {
            self.not_sent(symbol, id, Request::Place, out);
            out.event(symbol, Event::CancelFailed { id, reason: CancelFailure::NotOpen });
            return;
        }
        let placing = self.pending.iter_mut().find(|p| matches!(p.job, Job::Place(place) if place.id == id));
        match placing {
            // Its answer comes within the timeout, and then the cancel goes.
            Some(pending) => pending.cancel_asked = true,
            None => self.queue_cancel(now, symbol, id, out),
        }
    }

    pub(super) fn queue_cancel(&mut self, now: Time, symbol: SymbolIndex, id: ClientId, out: &mut Outputs) {
        // Asked for twice, one answer is enough.
        if self.lanes.cancels.iter().any(|w| w.what == id) {
            return;
        }
        if self.phase != Phase::Running || self.lanes.cancels.push(Waiting { symbol, what: id, since: now }).is_err() {
            self.not_sent(symbol, id, Request::Cancel, out);
        }
    }

    fn query(&mut self, now: Time, symbol: SymbolIndex, id: ClientId, out: &mut Outputs) {
        let placing = self.pending.iter().any(|p| matches!(p.job, Job::Place(place) if place.id == id))
            || self.lanes.opens.iter().chain(self.lanes.reduces.iter()).any(|w| w.what.id == id);
        if placing {
            // Asked now, the exchange might not know the order yet.
            out.event(symbol, Event::Unknown { id, request: Request::Query });
            return;
        }
        if self.lanes.queries.iter().any(|w| w.what == id) {
            return;
        }
        if self.lanes.queries.push(Waiting { symbol, what: id, since: now }).is_err() {
            self.not_sent(symbol, id, Request::Query, out);
        }
    }

    fn ask_resync(&mut self, symbol: SymbolIndex, after: Option<TradeId>) {
        self.begin_resync(symbol, after);
    }

    /// Answers what has waited for too long.
    pub(super) fn expire(&mut self, now: Time, out: &mut Outputs) {
        while let Some(w) = expired(&mut self.lanes.opens, PLACE_WAIT_MAX, now) {
            self.not_sent(w.symbol, w.what.id, Request::Place, out);
        }
        while let Some(w) = expired(&mut self.lanes.reduces, PLACE_WAIT_MAX, now) {
            self.not_sent(w.symbol, w.what.id, Request::Place, out);
        }
        while let Some(w) = expired(&mut self.lanes.cancels, CANCEL_WAIT_MAX, now) {
            self.not_sent(w.symbol, w.what, Request::Cancel, out);
        }
        while let Some(w) = expired(&mut self.lanes.queries, CANCEL_WAIT_MAX, now) {
            self.not_sent(w.symbol, w.what, Request::Query, out);
        }
    }

    /// Answers everything that waits: the end has come.
    pub(super) fn refuse_waiting(&mut self, out: &mut Outputs) {
        while let Some(w) = self.lanes.opens.pop_front() {
            self.not_sent(w.symbol, w.what.id, Request::Place, out);
        }
        while let Some(w) = self.lanes.reduces.pop_front() {
            self.not_sent(w.symbol, w.what.id, Request::Place, out);
        }
        while let Some(w) = self.lanes.cancels.pop_front() {
            self.not_sent(w.symbol, w.what, Request::Cancel, out);
        }
        while let Some(w) = self.lanes.queries.pop_front() {
            self.not_sent(w.symbol, w.what, Request::Query, out);
        }
    }
}
