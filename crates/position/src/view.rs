use crate::orders::Orders;
use crate::slots::Slots;
use plimsoll_market::{Holding, Instrument, Leg, MarkPrice, Side, Time, Top, Totals};

/// What changed by an event: one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Changes(u16);

impl Changes {
    /// Nothing that matters to a decision.
    pub const NONE: Self = Self(0);
    /// Best bid or ask.
    pub const TOP: Self = Self(1);
    /// What slots or the symbol hold.
    pub const INVENTORY: Self = Self(2);
    /// A slot's order ended, or a slot can be used again.
    pub const FREED: Self = Self(4);
    /// Mark price or funding rate.
    pub const MARK: Self = Self(8);
    /// Links, synchronisation, lease, records: what the gate looks at.
    pub const GATE: Self = Self(16);
    /// A trade of the market or a closed candle.
    pub const MARKET: Self = Self(32);
    /// Rules of the instrument.
    pub const RULES: Self = Self(64);

    /// The exchange confirmed an order that was on its way.
    pub const ACKED: Self = Self(128);
    /// An order with our mark appeared that none of our runs can have placed.
    pub const WRITER: Self = Self(256);
    /// Books and exchange did not come to agree within the rounds that are allowed.
    pub const DIVERGED: Self = Self(512);
    /// The account holds a position of which the books know nothing, and which they may not take over.
    pub const FOREIGN: Self = Self(1024);

    /// Whether any bit of `other` is set.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Sets the bits of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What each strategy of a symbol has earned since the process began: the profit of its round trips, less the fees that were paid in
/// the quote asset, in units of 1e-8 of that. Long and short legs of a strategy count together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Earned([i128; Leg::SHORT as usize]);

impl Earned {
    pub(crate) fn add(&mut self, leg: Leg, units: i128) {
        // What closes the whole position has no strategy: its gain is told for each slot that it closes.
        if leg.opening().is_some()
            && let Some(sum) = self.0.get_mut(usize::from(leg.strategy() % Leg::SHORT))
        {
            *sum += units;
        }
    }

    /// That of a strategy, by the number of its long legs.
    pub fn of(&self, number: u8) -> i128 {
        self.0.get(usize::from(number)).copied().unwrap_or(0)
    }
}

/// What is true of a symbol, read in place by strategy and safety.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Now.
    pub now: Time,
    /// The contract's rules.
    pub instrument: &'a Instrument,
    /// Best bid and ask; `None` before the first and after a gap.
    pub top: Option<&'a Top>,
    /// Mark price; `None` before the first.
    pub mark: Option<&'a MarkPrice>,
    /// The slots.
    pub slots: &'a Slots,
    /// Orders that may be open.
    pub orders: &'a Orders,
    /// Holding, cost and profit.
    pub totals: &'a Totals,
    /// What each strategy has earned since the process began.
    pub earned: &'a Earned,
    /// What the account holds beyond the slots, long or short: somebody else's, as far as these books know.
    pub beyond: Holding,
    /// Grows with each change of what is held.
    pub inventory_epoch: u64,
    /// Whether fills, orders and position are in step with the exchange.
    pub in_step: bool,
}

impl View<'_> {
    /// Whether an opening of a side would only take from what somebody else holds the other way: nothing of ours could be closed
    /// then, because an account has one position.
    #[inline]
    pub fn is_opposed(&self, opening: Side) -> bool {
        self.beyond.side() == Some(opening.opposite()) && self.beyond.qty() >= self.instrument.qty_min
    }

    /// Whether what takes from a leg can be sent as an order that only reduces: nothing is held the other way. One-way accounts have
    /// one position, and an order reduces that or nothing.
    #[inline]
    pub fn only_reduces(&self, leg: Leg) -> bool {
        // Too little to be traded is no position: a rest of it must not make everybody's closings plain orders.
        let least = self.instrument.qty_min;
        leg.opening().is_none_or(|side| {
            !self.slots.holds(side.opposite()) || !self.slots.holding().any(|s| s.leg.opens(side.opposite()) && s.held >= least)
        })
    }
}
