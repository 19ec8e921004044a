use plimsoll_market::limits::QUOTES_MAX;
use plimsoll_market::{Actions, OrderType, Time};
use plimsoll_position::{NewOrder, Orders, Position, Slot, Slots, WorkState, Working};
use plimsoll_safety::{Gate, Wanted};
use plimsoll_strategy::{Quote, Quotes};

/// What orders at market may overdraw the lease by, in thousandths of an order: what every slot takes to be closed twice.
const OVERDRAFT_MAX: i64 = 2_000 * QUOTES_MAX as i64;

/// What a comparison did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) placed: u32,
    pub(crate) canceled: u32,
    /// An order was held back by the rate the lease allows.
    pub(crate) throttled: bool,
    /// An order that is not wanted is still on its way: its answer must bring another look.
    pub(crate) blocked: bool,
    /// An opening was withheld because of what somebody else holds the other way.
    pub(crate) opposed: bool,
}

/// What works of what is wanted.
#[derive(Default)]
struct Found {
    /// Quotes without an order, whose slot is ready for one.
    fresh: u64,
    /// Quotes whose slot has an order of their side.
    has_order: u64,
    /// Quotes whose order is what they want.
    served: u64,
    /// Orders of the quotes in `served`.
    keep: u64,
}

fn find(quotes: &[Quote], slots: &Slots, orders: &Orders, now: Time) -> Found {
    let mut found = Found::default();
    for (i, quote) in quotes.iter().enumerate() {
        let bit = 1_u64 << i;
        match slots.get(quote.leg) {
            Some(Slot { order: Some(at), order_side, .. }) => {
                if *order_side == quote.side {
                    found.has_order |= bit;
                    if orders.get(*at).is_some_and(|order| serves(order, quote)) {
                        found.served |= bit;
                        found.keep |= 1 << at;
                    }
                }
            }
            Some(slot) if slot.waits_until(quote.style.order().0) > now => {}
            Some(_) | None => found.fresh |= bit,
        }
    }
    found
}

/// Lines 4 and 5: asks the gate which quotes may be wanted, and sends the difference to what works. Cancels come first; a
/// leg's next order waits until its last one is gone. Quotes that are not `current`, because something was bought or sold since
/// they were written, place nothing: what they want may just have been filled.
pub(crate) fn reconcile(
    position: &mut Position,
    gate: &Gate,
    quotes: &Quotes,
    current: bool,
    budget: &mut Budget,
    now: Time,
    out: &mut Actions,
) -> Outcome {
    let quotes = quotes.as_slice();
    let mut unwanted: u64 = 0;
    let mut blocked = false;
    let opposed;
    let place;
    {
        let view = position.view(now);
        let found = find(quotes, view.slots, view.orders, now);
        let wanted = quotes.iter().enumerate().map(|(i, quote)| Wanted {
            side: quote.side,
            reduce_only: quote.reduce_only,
            price: quote.price,
            qty: quote.qty,
            works: found.has_order & 1 << i != 0,
        });
        // An order that does not serve its quote counts at its own worth until it is gone, and its quote besides.
        let cleared = gate.clear(wanted, found.keep, &view);
        place = if current { found.fresh & cleared.allowed } else { 0 };
        opposed = cleared.opposed;
        let mut keep = found.keep;
        for i in bits(found.served & !cleared.tolerated) {
            let order = quotes.get(usize::from(i)).and_then(|quote| view.slots.get(quote.leg)).and_then(|slot| slot.order);
            keep &= !order.map_or(0, |at| 1 << at);
        }
        for (at, order) in view.orders.except(keep) {
            match order.state {
                WorkState::Live => unwanted |= 1 << at,
                WorkState::Sent | WorkState::Unknown => blocked = true,
                WorkState::Canceling | WorkState::Closing => {}
            }
        }
    }
    let mut outcome = Outcome { blocked, opposed, ..Outcome::default() };
    for at in bits(unwanted) {
        outcome.canceled += u32::from(position.cancel(now, at, out));
    }
    for i in bits(place) {
        let Some(quote) = quotes.get(usize::from(i)) else { continue };
        let (kind, tif) = quote.style.order();
        // A stop waits for nobody's share: what closes at market may overdraw the lease, and what opens pays it back.
        if kind == OrderType::Market {
            budget.overdraw(now);
        } else if !budget.take(now) {
            outcome.throttled = true;
            continue;
        }
        let order =
            NewOrder { leg: quote.leg, side: quote.side, price: quote.price, qty: quote.qty, kind, tif, reduce_only: quote.reduce_only };
        if position.place(now, &order, out).is_ok() {
            outcome.placed += 1;
        } else {
            budget.give_back();
        }
    }
    outcome
}

/// The positions of the set bits, lowest first.
fn bits(mut mask: u64) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let at = mask.trailing_zeros() as u8;
        mask &= mask.checked_sub(1)?;
        Some(at)
    })
}

/// Whether a working order is what the quote wants.
fn serves(order: &Working, quote: &Quote) -> bool {
    if order.id.side() != quote.side || order.price != quote.price || order.reduce_only != quote.reduce_only {
        return false;
    }
    if quote.leg.opens(quote.side) {
        // What opens is wanted whole: what it has filled already is part of it.
        order.qty == quote.qty
    } else {
        // What closes is wanted for what is held now.
        order.open_qty() == quote.qty
    }
}

/// How many orders may still be placed: a bucket that the lease's rate fills.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Budget {
    per_10s: u16,
    /// Orders available, in thousandths.
    milli: i64,
    filled_at: Time,
}

impl Budget {
    pub(crate) fn set_rate(&mut self, per_10s: u16) {
        if self.per_10s == 0 {
            self.milli = i64::from(per_10s) * 1_000;
        }
        self.per_10s = per_10s;
    }

    fn fill(&mut self, now: Time) {
        let elapsed_us = i64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(i64::MAX).min(10_000_000);
        let add = elapsed_us * i64::from(self.per_10s) / 10_000;
        if add > 0 {
            self.milli = (self.milli + add).min(i64::from(self.per_10s) * 1_000);
            self.filled_at = now;
        }
    }

    fn take(&mut self, now: Time) -> bool {
        self.fill(now);
        let has = self.milli >= 1_000;
        if has {
            self.milli -= 1_000;
        }
        has
    }

    fn overdraw(&mut self, now: Time) {
        self.fill(now);
        self.milli = (self.milli - 1_000).max(-OVERDRAFT_MAX);
    }

    fn give_back(&mut self) {
        self.milli += 1_000;
    }
}
