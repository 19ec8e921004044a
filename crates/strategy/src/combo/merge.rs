//! What of all that the children want becomes orders.

use super::{Combo, Member};
use crate::limits::{PATIENCE, REACH};
use crate::{Quote, Quotes, Style};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Price, Round, Side, Top, rescale};
use plimsoll_position::{View, WorkState, Working};

impl Combo {
    pub(super) fn merge(&mut self, view: &View<'_>, want: &mut Quotes) {
        want.clear();
        let waits = self.merge_closings(view, want);
        self.waits_since = waits.then(|| self.waits_since.unwrap_or(view.now));
        for place in 0..self.members.len() {
            self.merge_openings(place, view, want);
        }
    }

    /// What closes at market first; then what rests, unless it is in the way of that. Tells whether something waits.
    fn merge_closings(&self, view: &View<'_>, want: &mut Quotes) -> bool {
        let patient = self.waits_since.is_none_or(|since| view.now.since(since) < PATIENCE);
        let mut waits = false;
        for quote in self.closings(view).filter(|quote| quote.style == Style::Market) {
            let meets = |order: &Working| {
                // An order whose fate is not known is not waited for: it may take seconds, and a stop does not.
                order.id.leg() != quote.leg
                    && order.id.side() != quote.side
                    && matches!(order.state, WorkState::Sent | WorkState::Live | WorkState::Canceling)
                    && reaches(quote.side, order.price, view.top)
            };
            if patient && view.orders.iter().any(|(_, order)| meets(order)) {
                waits = true;
            } else {
                want.push(*quote);
            }
        }
        for quote in self.closings(view).filter(|quote| quote.style != Style::Market) {
            if !self.is_taken(quote, view) {
                want.push(*quote);
            }
        }
        // What ran out of patience stays so until it is over.
        waits || !patient && want.as_slice().iter().any(|quote| quote.style == Style::Market)
    }

    fn closings<'a>(&'a self, view: &'a View<'_>) -> impl Iterator<Item = &'a Quote> {
        let fresh = move |member: &'a Member| member.current(view).filter(|quote| !quote.leg.opens(quote.side));
        self.members.iter().flat_map(fresh)
    }

    /// Whether something of ours that closes at market would take an order at a quote's price.
    fn is_taken(&self, quote: &Quote, view: &View<'_>) -> bool {
        let mut takers = self.closings(view).filter(|taker| taker.style == Style::Market && taker.side != quote.side);
        takers.any(|taker| reaches(taker.side, quote.price, view.top))
    }

    fn merge_openings(&self, place: usize, view: &View<'_>, want: &mut Quotes) {
        let Some(member) = self.members.get(place).filter(|_| self.may_open(place)) else { return };
        let mut room = self.room(place, view);
        for quote in member.current(view).filter(|quote| quote.leg.opens(quote.side)) {
            if is_opposed(quote.side, view, want) || self.is_taken(quote, view) {
                continue;
            }
            let Some(quote) = beyond_closings(quote, view, want) else { continue };
            let works = view.slots.get(quote.leg).and_then(|slot| slot.order).and_then(|at| view.orders.get(at));
            let works = works.filter(|order| order.id.leg() == quote.leg && order.id.side() == quote.side);
            if room.as_mut().is_none_or(|room| room.takes(&quote, works)) {
                want.push(quote);
            }
        }
    }

    fn room(&self, place: usize, view: &View<'_>) -> Option<Room> {
        let capital = self.capital.as_ref()?;
        let member = self.members.get(place)?;
        let scale = view.instrument.price_scale + view.instrument.qty_scale;
        let share = rescale(capital.share(place), MONEY_SCALE, scale, Round::Down).unwrap_or(0);
        let child = member.strategy.as_ref();
        let held: i128 = view.slots.holding().filter(|slot| child.owns(slot.leg)).map(|slot| slot.cost.units().abs()).sum();
        let opens = |order: &Working| child.owns(order.id.leg()) && order.id.leg().opens(order.id.side());
        let working: i128 = view.orders.iter().filter(|(_, order)| opens(order)).map(|(_, order)| worth(order)).sum();
        Some(Room { share, kept: held, taken: held + working })
    }
}

impl Member {
    /// What it wants; of what it wrote before the last change of what is held only what works already.
    fn current<'a>(&'a self, view: &'a View<'_>) -> impl Iterator<Item = &'a Quote> {
        let is_current = self.epoch == view.inventory_epoch;
        let works = |quote: &&Quote| view.slots.get(quote.leg).is_some_and(|slot| slot.order.is_some());
        self.quotes.as_slice().iter().filter(move |quote| is_current || works(quote))
    }
}

/// A child's capital, in the symbol's own units.
struct Room {
    share: i128,
    /// What is held, and wanted so far.
    kept: i128,
    /// What is held, what works, wanted or not, and what is to be placed.
    taken: i128,
}

impl Room {
    /// Whether an opening finds room. What works stays as long as it fits by itself; what is new waits until what it replaces is gone.
    fn takes(&mut self, quote: &Quote, works: Option<&Working>) -> bool {
        let value = works.map_or(0, worth).max(if works.is_some_and(|order| order.price == quote.price && order.qty == quote.qty) {
            0
        } else {
            (quote.price * quote.qty).units()
        });
        let fresh = if works.is_none() { value } else { 0 };
        if self.kept + value > self.share || works.is_none() && self.taken + fresh > self.share {
            return false;
        }
        self.kept += value;
        self.taken += fresh;
        true
    }
}

/// What an order may still fill.
fn worth(order: &Working) -> i128 {
    (order.price * order.open_qty()).units()
}

/// Whether anything of ours is held the other way, or may be soon.
fn is_opposed(side: Side, view: &View<'_>, want: &Quotes) -> bool {
    let other = side.opposite();
    // What is too little to be closed keeps nobody.
    view.slots.holding().any(|slot| slot.leg.opens(other) && slot.held >= view.instrument.qty_min)
        || view.orders.iter().any(|(_, order)| order.id.side() == other && order.id.leg().opens(other))
        || want.as_slice().iter().any(|quote| quote.side == other && quote.leg.opens(other))
}

/// Whether an order at market would reach an order at a price. Without prices nothing is known of it, and nothing waits for it.
fn reaches(taker: Side, price: Price, top: Option<&Top>) -> bool {
    let Some(top) = top else { return false };
    let at = |best: Price, share: i64| i128::from(best.units()) * i128::from(1_000_000 + share);
    let price = i128::from(price.units()) * 1_000_000;
    match taker {
        Side::Sell => price >= at(top.bid, -REACH),
        Side::Buy => price <= at(top.ask, REACH),
    }
}

/// An opening that does not meet what closes: one that rests at its own price only is not wanted there, another one stays short of it.
fn beyond_closings(quote: &Quote, view: &View<'_>, want: &Quotes) -> Option<Quote> {
    let wanted = want.as_slice().iter().filter(|other| other.side != quote.side && !other.price.is_zero()).map(|other| other.price);
    let working = view.orders.iter().filter(|(_, order)| order.id.side() != quote.side && !order.price.is_zero());
    let prices = wanted.chain(working.map(|(_, order)| order.price));
    let tick = view.instrument.tick.units();
    let (limit, meets) = match quote.side {
        Side::Buy => {
            let nearest = prices.min();
            (nearest.and_then(|price| price.offset(-tick)), nearest.is_some_and(|price| quote.price >= price))
        }
        Side::Sell => {
            let nearest = prices.max();
            (nearest.and_then(|price| price.offset(tick)), nearest.is_some_and(|price| quote.price <= price))
        }
    };
    match quote.style {
        _ if !meets => Some(*quote),
        Style::PostOnly | Style::Market => None,
        Style::Limit | Style::Ioc => limit.filter(|price| !price.is_zero()).map(|price| Quote { price, ..*quote }),
    }
}
