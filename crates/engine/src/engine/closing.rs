//! How what is held is closed, and when that is done.

use super::{Engine, Goal};
use crate::limits::RECONCILE_ROOM;
use plimsoll_market::Phase;
use plimsoll_market::{Action, Actions, Alert, AlertCode, Leg, OrderType, Price, Rule, Severity, Side, Time, Top};
use plimsoll_position::limits::{CLOSING_STRATEGY, SLOTS};
use plimsoll_strategy::{Intent, Quote, Quotes, Style};

impl Engine {
    /// Wants nothing until all orders are gone, then one order at market that closes the position.
    pub(super) fn close(&mut self, now: Time) -> Intent {
        let view = self.position.view(now);
        let holding = view.totals.holding;
        let Some(leg) = Leg::new(CLOSING_STRATEGY, 0) else { return Intent::Flat };
        let others = view.orders.iter().any(|(_, o)| o.id.leg() != leg);
        let Some(side) = holding.side().map(Side::opposite) else { return Intent::Flat };
        if others || !view.in_step {
            return Intent::Flat;
        }
        let qty = view.instrument.closing_qty(holding.qty(), OrderType::Market);
        let quote = Quote { leg, side, style: Style::Market, reduce_only: true, price: Price::ZERO, qty };
        // Of a position larger than one order may be, the next part is the same quote again.
        let wanted = self.quotes.as_slice() == [quote] && self.wanted_epoch == view.inventory_epoch;
        if view.orders.iter().next().is_some() || wanted {
            return Intent::Keep;
        }
        self.quotes.clear();
        self.quotes.push(quote);
        Intent::Want
    }

    /// A closing is done when nothing is held and nothing works; a draining when nothing is held.
    pub(super) fn end_closing(&mut self, now: Time, out: &mut Actions) {
        if matches!(self.goal, Goal::Flatten | Goal::Close { .. }) {
            self.close_offsets(now, out);
        }
        let view = self.position.view(now);
        if !view.totals.holding.is_flat() || !view.in_step {
            return;
        }
        match self.goal {
            Goal::Flatten if view.orders.is_empty() => self.goal = Goal::Idle,
            Goal::Close { idle } if view.orders.is_empty() => {
                self.goal = if idle { Goal::Idle } else { Goal::Trade };
                self.write_anew();
            }
            Goal::Drain if view.orders.iter().all(|(_, order)| order.reduce_only) => {
                let text = format_args!("{}: drained: nothing is held, and nothing will be opened", view.instrument.symbol);
                out.push(Action::Alert(Box::new(Alert::new(Severity::Info, AlertCode::Command, now, &text))));
                self.goal = Goal::Idle;
            }
            Goal::Trade | Goal::Idle | Goal::Flatten | Goal::Close { .. } | Goal::Drain | Goal::Stop(_) => {}
        }
    }

    /// Long and short slots that offset each other hold nothing at the exchange: with the position closed they are closed, too.
    pub(super) fn close_offsets(&mut self, now: Time, out: &mut Actions) {
        let view = self.position.view(now);
        if view.in_step
            && view.orders.is_empty()
            && view.totals.holding.is_flat()
            && let Some(price) = view.top.map(Top::mid)
        {
            self.position.close_offsets(price, out);
        }
    }

    /// One strategy holds long and short at once: what offsets each other is closed, because the account holds only the difference.
    /// Tells whether anything was.
    pub(super) fn close_own_offsets(&mut self, now: Time, out: &mut Actions) -> bool {
        let view = self.position.view(now);
        if self.phase != Phase::Trading || !(view.slots.holds(Side::Buy) && view.slots.holds(Side::Sell)) || !view.in_step {
            return false;
        }
        let Some(price) = view.top.map(Top::mid) else { return false };
        // Ends: each strategy's number once, and only while there is room for what it records.
        let mut numbers = arrayvec::ArrayVec::<u8, { Leg::SHORT as usize }>::new();
        for leg in view.slots.holding().map(|slot| slot.leg).filter(|leg| leg.opening() == Some(Side::Sell)) {
            let number = leg.strategy() % Leg::SHORT;
            if !numbers.contains(&number) {
                let _full = numbers.try_push(number);
            }
        }
        let mut closed = false;
        for number in numbers {
            if out.room() > SLOTS + RECONCILE_ROOM {
                closed |= self.position.close_own_offsets(number, price, out);
            }
        }
        closed
    }

    /// What is wanted while both directions are held; `None` when only one is.
    ///
    /// An account has one position: of all that closes, what goes against it reduces it, as far as it reaches, and is sent so that it can
    /// do nothing else. A closed gate withholds none of that. The rest of the closings would bring the position beyond zero, or enlarge
    /// it; they are sent as orders that may open, and wait for the gate.
    pub(super) fn wanted_within_net(&self, now: Time) -> Option<Quotes> {
        let view = self.position.view(now);
        if !(view.slots.holds(Side::Buy) && view.slots.holds(Side::Sell)) {
            return None;
        }
        let side = view.totals.holding.side()?.opposite();
        let mut rest = view.totals.holding.qty();
        let mut quotes = Quotes::new();
        for quote in self.quotes.as_slice() {
            let mut quote = *quote;
            if quote.side == side && !quote.leg.opens(side) {
                let most = view.instrument.closing_qty(rest, quote.style.order().0);
                if !quote.reduce_only && !most.is_zero() && most >= view.instrument.qty_min {
                    (quote.qty, quote.reduce_only) = (quote.qty.min(most), true);
                }
                if quote.reduce_only {
                    rest = rest.saturating_sub(quote.qty);
                }
            }
            quotes.push(quote);
        }
        Some(quotes)
    }

    /// A rule demands that the position be closed. A stop and an operator's word go before.
    pub(super) fn close_by(&mut self, rule: Rule) {
        self.gate.closes(Some(rule));
        if matches!(self.goal, Goal::Trade | Goal::Drain | Goal::Idle) {
            self.goal = Goal::Close { idle: self.goal != Goal::Trade };
            self.quotes.clear();
            self.dirty = true;
        }
    }
}
