//! What must hold in a world, and where it is looked at.

use super::*;
use plimsoll_strategy::limits::{GRID_NUMBER, NUMBERS_A_CHILD};

impl World {
    pub(super) fn breach(&mut self, broken: Broken) {
        self.say(|| format!("BROKEN {broken}"));
        self.broken.get_or_insert(broken);
    }

    pub(super) fn hold(&mut self, held: Result<(), Broken>) {
        if let Err(broken) = held {
            self.breach(broken);
        }
    }

    /// In step and trading, all of them.
    pub(super) fn is_well(&self) -> bool {
        self.bot.as_ref().is_some_and(|bot| {
            bot.seats.len() == self.options.symbols
                && bot.seats.iter().all(|seat| {
                    seat.engine.phase() == Phase::Trading
                        && seat.engine.position().sync_state() == SyncState::InStep
                        && seat.engine.closed().is_none()
                })
        })
    }

    pub(super) fn standing(&self) -> String {
        let Some(bot) = &self.bot else { return "the bot is down".to_owned() };
        let seats = bot.seats.iter().map(|seat| {
            let sync = seat.engine.position().sync_state();
            let orders = seat.engine.position().view(self.now).orders.len();
            let closed = seat.engine.closed().map_or("open", |closed| closed.as_str());
            format!("{} {:?} {sync:?} {closed} {orders} orders", seat.instrument.symbol, seat.engine.phase())
        });
        let seats: Vec<String> = seats.collect();
        if seats.is_empty() { "the session has not booted".to_owned() } else { seats.join(", ") }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.bot.as_ref().is_some_and(|bot| bot.seats.iter().all(|seat| seat.engine.phase() == Phase::Drained))
    }

    pub(super) fn compare(&mut self) {
        for (at, symbol) in symbols(&self.options).into_iter().enumerate() {
            let all = self.disks.get(at).map_or(0, Disk::waiting);
            if let Some(disk) = self.disks.get_mut(at) {
                disk.flush(all);
            }
            let left = ours_open(self.counter.venue(), symbol);
            if !left.is_empty() {
                self.breach(Broken::new(Invariant::NothingLeftOpen, &format_args!("{symbol}: {left:?}")));
            }
            let Some(disk) = self.disks.get(at) else { continue };
            let began = self.began.get(at).copied().flatten();
            let held = books(self.counter.venue(), symbol, disk, began, self.compare);
            self.hold(held);
            if let Some(truth) = crate::check::truth(self.counter.venue(), symbol, None) {
                self.outcome.fills += truth.fills;
            }
            let seat = self.bot.as_ref().and_then(|bot| bot.seats.get(at));
            let alone = !self.traded_by_others(symbol) && self.compare != Compare::Position;
            if let Some(view) = seat.map(|seat| seat.engine.position().view(self.now))
                && alone
            {
                let held = invariants::slots_are_covered(&view);
                self.hold(held);
            }
        }
        for (symbol, id) in self.hands.clone() {
            let order = self.counter.venue().order(ACCOUNT, symbol, OrderRef::Id(id));
            if order.is_ok_and(|order| order.status == OrderStatus::Canceled) {
                self.breach(Broken::new(Invariant::ForeignUntouched, &format_args!("{symbol}: order {id} by hand was withdrawn")));
            }
        }
    }

    /// The books had to give way to the exchange: right only where they could not know.
    pub(super) fn mismatch(&mut self, seat: &Desk<'_>, alert: &Alert) {
        let critical = alert.severity == Severity::Critical;
        if alert.text.contains("slots hold") {
            // A crash has lost the slots of a closing, which follow from its execution; or somebody else has closed.
            if critical && !self.traded_by_others(seat.instrument.symbol) && self.compare != Compare::Position {
                self.breach(Broken::new(Invariant::SlotsAreCovered, &alert.text));
            }
        } else if !critical || self.held_before(seat) {
            self.compare = Compare::Position;
        } else if self.compare != Compare::Position {
            self.breach(Broken::new(Invariant::PositionAgrees, &alert.text));
        }
    }

    /// Whether somebody else has traded on the account: by hand, or the exchange when margin ran out in a wild market.
    fn traded_by_others(&self, symbol: Symbol) -> bool {
        let closed = |row: &plimsoll_sim::venue::OrderRow| row.client_id.as_str().contains("autoclose");
        self.others
            || self
                .counter
                .venue()
                .all_orders(ACCOUNT, symbol, plimsoll_sim::venue::Page::latest(1_000))
                .is_ok_and(|rows| rows.iter().any(closed))
    }

    /// Whether the account held something before we ever traded.
    fn held_before(&self, seat: &Desk<'_>) -> bool {
        let truth = crate::check::truth(self.counter.venue(), seat.instrument.symbol, seat.engine.position().baseline());
        truth.is_some_and(|truth| truth.bought.signed(Side::Buy).units() + truth.sold.signed(Side::Sell).units() != truth.holding.units())
    }

    /// What must hold of an order that an engine has just sent, with everything else that it has sent.
    pub(super) fn check_place(&mut self, at: usize, seat: &Desk<'_>, place: &Place) {
        let symbol = seat.instrument.symbol;
        // They grow within a run and symbol, so that none comes twice.
        let series = place.id.generation() >> 28;
        let before = self.ids.insert((place.id.run(), series), place.id);
        if before.is_some_and(|before| before.generation() >= place.id.generation()) {
            self.breach(Broken::new(Invariant::IdsAreUnique, &format_args!("{symbol}: {:?} again", place.id)));
        }
        if place.reduce_only {
            return;
        }
        // What closes may open only while something is held the other way, which it would then reduce instead.
        let leg = place.id.leg();
        if !leg.opens(place.id.side()) && seat.engine.position().view(self.now).only_reduces(leg) {
            self.breach(Broken::new(Invariant::ReducesOnly, &format_args!("{symbol}: {place:?} could open")));
        }
        if let Some(closed) = seat.engine.closed() {
            self.breach(Broken::new(Invariant::ClosedOpensNothing, &format_args!("{symbol}: {place:?} while {}", closed.as_str())));
        }
        let silence = self.now.since(seat.heard);
        if silence > STALE_AFTER {
            self.breach(Broken::new(Invariant::ClosedOpensNothing, &format_args!("{symbol}: {place:?} after {silence:?} of silence")));
        }
        // Orders that are left from a grid that nobody remembers are worth something else than what its levels want.
        let known = self.compare != Compare::Position;
        let scale = seat.instrument.price_scale + seat.instrument.qty_scale;
        let share = exposure_max(&self.options) / self.options.symbols as i128;
        let share = plimsoll_market::rescale(share, MONEY_SCALE, scale, Round::Down).unwrap_or(0);
        let held = invariants::within_exposure(&seat.engine.position().view(self.now), share);
        self.hold(if known { held } else { Ok(()) });
        // Of several strategies a grid is one.
        let is_grid = place.id.leg().strategy() % NUMBERS_A_CHILD == GRID_NUMBER;
        if self.options.layered || self.options.makers || !is_grid {
            return;
        }
        let price = *self.levels.entry((at, place.id.leg())).or_insert(place.price);
        if price != place.price {
            let (new, old) = (seat.instrument.show_price(place.price), seat.instrument.show_price(price));
            let detail = format_args!("{symbol}: {:?} buys at {new}, before at {old}", place.id.leg());
            self.breach(Broken::new(Invariant::GridStays, &detail));
        }
    }

    /// What the books must say of themselves.
    pub(super) fn check_books(&mut self, at: usize, seat: &Desk<'_>) {
        let view = seat.engine.position().view(self.now);
        self.hold(invariants::books(&view));
        if self.compare != Compare::Position {
            let most = |leg: Leg| self.ground.order_quote * i128::from(crate::bot::growth(&self.options, leg));
            let buys = |leg: Leg| self.levels.get(&(at, leg)).map(|price| seat.instrument.qty_for(most(leg), *price));
            let held = invariants::slots_hold_one_order(&view, buys);
            self.hold(held);
        }
    }

    pub(super) fn check_orders(&mut self) {
        for symbol in symbols(&self.options) {
            let held = legs(self.counter.venue(), symbol);
            self.hold(held);
            // A maker holds both ways for moments; its orders are looked at when they are sent.
            if !self.options.makers {
                let held = only_reduces(self.counter.venue(), symbol);
                self.hold(held);
            }
        }
    }
}
