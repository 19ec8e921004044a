use arrayvec::ArrayVec;
use plimsoll_market::limits::QUOTES_MAX;
use plimsoll_market::{Actions, Side, Time};
use plimsoll_position::{NewOrder, Position, Slots, WorkState, Working};
use plimsoll_safety::{Gate, Wanted};
use plimsoll_strategy::{Quote, Quotes};

/// What a comparison did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) placed: u32,
    pub(crate) canceled: u32,
    /// An order was held back by the rate the lease allows.
    pub(crate) throttled: bool,
    /// An order that is not wanted is still on its way: its answer must bring another look.
    pub(crate) blocked: bool,
}

/// The working order of each quote, looked up once; [`NO_ORDER`] where the slot has none, [`OTHER_SIDE`] where the slot's
/// order is of the other side.
type Matches = [u8; QUOTES_MAX];
const NO_ORDER: u8 = u8::MAX;
const OTHER_SIDE: u8 = u8::MAX - 1;
/// The quote's slot waits after a refusal, or its place is another level's.
const WAITS: u8 = u8::MAX - 2;

fn matches(quotes: &Quotes, slots: &Slots, now: Time) -> (Matches, u64) {
    let mut found = [NO_ORDER; QUOTES_MAX];
    let mut matched = 0;
    for (at, quote) in found.iter_mut().zip(quotes.as_slice()) {
        if let Some(slot) = slots.get(quote.leg) {
            *at = match slot.order {
                Some(order) if slot.order_side == quote.side => {
                    matched |= 1 << order;
                    order
                }
                Some(_) => OTHER_SIDE,
                None if slot.blocked_until > now => WAITS,
                None => NO_ORDER,
            };
        }
    }
    (found, matched)
}

/// Lines 4 and 5: asks the gate which quotes may be wanted, and sends the difference to what works. Cancels come first; a
/// leg's next order waits until its last one is gone.
pub(crate) fn reconcile(
    position: &mut Position,
    gate: &Gate,
    quotes: &Quotes,
    budget: &mut Budget,
    now: Time,
    out: &mut Actions,
) -> Outcome {
    let mut keep: u64 = 0;
    let mut place: ArrayVec<u8, QUOTES_MAX> = ArrayVec::new();
    let mut unwanted: u64 = 0;
    let mut blocked = false;
    {
        let view = position.view(now);
        let (found, matched) = matches(quotes, view.slots, now);
        let wanted = quotes.as_slice().iter().zip(&found).map(|(quote, at)| Wanted {
            side: quote.side,
            reduce_only: quote.reduce_only,
            price: quote.price,
            qty: quote.qty,
            order: Some(*at).filter(|at| *at < WAITS),
        });
        let cleared = gate.clear(wanted, matched, &view);
        for (i, (quote, at)) in quotes.as_slice().iter().zip(&found).enumerate() {
            let bit = 1_u64 << i;
            match *at {
                NO_ORDER if cleared.allowed & bit != 0 => place.push(i as u8),
                NO_ORDER | OTHER_SIDE | WAITS => {}
                at => {
                    if cleared.tolerated & bit != 0 && view.orders.get(at).is_some_and(|order| serves(order, quote)) {
                        keep |= 1 << at;
                    }
                }
            }
        }
        for (at, order) in view.orders.except(keep) {
            match order.state {
                WorkState::Live => unwanted |= 1 << at,
                WorkState::Sent | WorkState::Unknown => blocked = true,
                WorkState::Canceling | WorkState::Closing => {}
            }
        }
    }
    let mut outcome = Outcome { blocked, ..Outcome::default() };
    while unwanted != 0 {
        let at = unwanted.trailing_zeros() as u8;
        unwanted &= unwanted - 1;
        outcome.canceled += u32::from(position.cancel(now, at, out));
    }
    for i in place {
        let Some(quote) = quotes.as_slice().get(usize::from(i)) else { continue };
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
