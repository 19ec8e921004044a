use arrayvec::ArrayVec;
use plimsoll_market::limits::QUOTES_MAX;
use plimsoll_market::{Actions, Side, Time};
use plimsoll_position::{NewOrder, Position, WorkState, Working};
use plimsoll_safety::{Cleared, Gate, Wanted};
use plimsoll_strategy::{Quote, Quotes};

/// What a comparison did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) placed: u32,
    pub(crate) canceled: u32,
    /// An order was held back by the rate the lease allows.
    pub(crate) throttled: bool,
}

/// Line 4: asks the gate which of the quotes may be wanted.
pub(crate) fn clear(position: &Position, gate: &Gate, quotes: &Quotes, now: Time) -> Cleared {
    let view = position.view(now);
    let wanted = quotes.as_slice().iter().map(|quote| {
        let order = view.slots.get(quote.leg).filter(|s| s.order_side == quote.side).and_then(|s| s.order);
        Wanted { side: quote.side, reduce_only: quote.reduce_only, price: quote.price, qty: quote.qty, order }
    });
    gate.clear(wanted, &view)
}

/// Line 5: sends the difference between what is wanted and what works. Cancels come first; a leg's next order waits until
/// its last one is gone.
pub(crate) fn reconcile(
    position: &mut Position,
    quotes: &Quotes,
    cleared: Cleared,
    budget: &mut Budget,
    now: Time,
    out: &mut Actions,
) -> Outcome {
    let mut keep: u64 = 0;
    let mut place: ArrayVec<usize, QUOTES_MAX> = ArrayVec::new();
    {
        let view = position.view(now);
        for (i, quote) in quotes.as_slice().iter().enumerate() {
            let bit = 1_u64 << i;
            let slot = view.slots.get(quote.leg);
            match slot.and_then(|s| s.order) {
                Some(at) => {
                    let serves = view.orders.get(at).is_some_and(|order| serves(order, quote));
                    if serves && cleared.tolerated & bit != 0 {
                        keep |= 1 << at;
                    }
                }
                None if cleared.allowed & bit != 0 && slot.is_none_or(|s| s.blocked_until <= now) => place.push(i),
                None => {}
            }
        }
    }
    let mut outcome = Outcome::default();
    let mut unwanted: u64 = 0;
    for (at, order) in position.view(now).orders.iter() {
        if keep & 1 << at == 0 && order.state == WorkState::Live {
            unwanted |= 1 << at;
        }
    }
    while unwanted != 0 {
        let at = unwanted.trailing_zeros() as u8;
        unwanted &= unwanted - 1;
        outcome.canceled += u32::from(position.cancel(now, at, out));
    }
    for i in place {
        let Some(quote) = quotes.as_slice().get(i) else { continue };
        if !budget.take(now) {
            outcome.throttled = true;
            break;
        }
        let (kind, tif) = quote.style.order();
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

/// Whether a working order is what the quote wants.
fn serves(order: &Working, quote: &Quote) -> bool {
    if order.id.side() != quote.side || order.price != quote.price || order.reduce_only != quote.reduce_only {
        return false;
    }
    match quote.side {
        // A buy is wanted whole: what it has filled already is part of it.
        Side::Buy => order.qty == quote.qty,
        // A sell is wanted for what is held now.
        Side::Sell => order.open_qty() == quote.qty,
    }
}

/// How many orders may still be placed: a bucket that the lease's rate fills.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    per_10s: u16,
    /// Orders available, in thousandths.
    milli: u64,
    filled_at: Time,
}

impl Budget {
    pub(crate) fn set_rate(&mut self, per_10s: u16) {
        if self.per_10s == 0 {
            self.milli = u64::from(per_10s) * 1_000;
        }
        self.per_10s = per_10s;
    }

    fn fill(&mut self, now: Time) {
        let elapsed_us = u64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(u64::MAX).min(10_000_000);
        let add = elapsed_us * u64::from(self.per_10s) / 10_000;
        if add > 0 {
            self.milli = (self.milli + add).min(u64::from(self.per_10s) * 1_000);
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

    fn give_back(&mut self) {
        self.milli += 1_000;
    }
}
