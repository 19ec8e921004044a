//! What refusals, silence and unknown outcomes change.

use super::{ANSWER_GRACE, MARKET_REFUSAL_PAUSE, Position, QUERY_PAUSE, REFUSAL_PAUSE, REFUSAL_PAUSE_MAX};
use crate::orders::WorkState;
use crate::view::Changes;
use core::time::Duration;
use plimsoll_market::{
    Action, Actions, Alert, AlertCode, CancelFailure, ClientId, Leg, Order, OrderStatus, OrderType, Qty, Reject, Request, Severity, Time,
};

impl Position {
    pub(super) fn on_rejected(&mut self, now: Time, id: ClientId, request: Request, reason: Reject, out: &mut Actions) -> Changes {
        let Some(at) = self.orders.find(id) else { return Changes::NONE };
        match request {
            Request::Place => {
                if reason == Reject::Duplicate {
                    // The exchange has an open order with our id: the request came through after all.
                    return self.on_unknown(now, id, request, out);
                }
                let kind = self.orders.get(at).map_or(OrderType::Limit, |order| order.kind);
                let refusals = self.refuse(now, id.leg(), kind, reason);
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
                // A post-only order that would have taken is the market's ordinary course; want of margin is told once for all legs.
                if !matches!(reason, Reject::WouldTake | Reject::Margin) && refusals <= 1 {
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

    /// Makes a leg wait after a refusal, the longer the more there were in a row; returns how many.
    pub(super) fn refuse(&mut self, now: Time, leg: Leg, kind: OrderType, reason: Reject) -> u8 {
        let Some(slot) = self.slots.get_mut(leg) else { return 0 };
        slot.refusals = slot.refusals.saturating_add(1);
        let pause = REFUSAL_PAUSE.saturating_mul(1 << slot.refusals.min(8)).min(REFUSAL_PAUSE_MAX);
        let until = match (kind, reason) {
            (OrderType::Market, _) => now + pause.min(MARKET_REFUSAL_PAUSE),
            // Would-take heals with the next price; it only must not spin.
            (OrderType::Limit, Reject::WouldTake) => now + pause.min(Duration::from_secs(2)),
            (OrderType::Limit, _) => now + pause,
        };
        match kind {
            OrderType::Market => slot.market_blocked_until = until,
            OrderType::Limit => slot.blocked_until = until,
        }
        let refusals = slot.refusals;
        self.unblock_at = Time::earliest(self.unblock_at, Some(until));
        refusals
    }

    pub(super) fn on_cancel_failed(&mut self, now: Time, id: ClientId, reason: CancelFailure, out: &mut Actions) -> Changes {
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

    pub(super) fn on_unknown(&mut self, now: Time, id: ClientId, request: Request, out: &mut Actions) -> Changes {
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

    pub(super) fn on_not_found(&mut self, now: Time, id: ClientId) -> Changes {
        let Some(at) = self.orders.find(id) else { return Changes::NONE };
        let Some(order) = self.orders.get_mut(at) else { return Changes::NONE };
        let window = Duration::from_millis(self.cfg.recv_window_ms) + QUERY_PAUSE;
        if now < order.sent_at + window {
            // The request may still be on its way, or has arrived since the question: that proves nothing. An order whose
            // fate is unknown is asked for again by the clock.
            order.asked_at = now;
            return Changes::NONE;
        }
        if order.state == WorkState::Live || (order.state == WorkState::Canceling && order.order_id.is_some()) {
            // The exchange has confirmed it: the answer may be older than that. Asked once more, it is the truth.
            order.state = WorkState::Unknown;
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

    pub(super) fn on_not_sent(&mut self, now: Time, id: ClientId, request: Request) -> Changes {
        let Some(at) = self.orders.find(id) else { return Changes::NONE };
        match request {
            Request::Place => {
                let kind = self.orders.get(at).map_or(OrderType::Limit, |order| order.kind);
                self.refuse(now, id.leg(), kind, Reject::Busy);
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
