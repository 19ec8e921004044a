use super::config::shifted;
use plimsoll_market::{Instrument, Price, Qty, Round, Side};
use plimsoll_position::View;

/// What a strategy holds, read from its slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Held {
    /// The side that opened it.
    pub side: Side,
    /// How much.
    pub qty: Qty,
    /// What it cost, or brought when it is short, by the symbol's average cost; units of price and quantity together, positive.
    pub cost: i128,
    /// Slots that hold something.
    pub layers: u8,
    /// The highest layer that holds something.
    pub last_layer: u8,
    /// Mean price of that layer.
    pub last: Price,
    /// Whether that layer's opening has ended.
    pub is_whole: bool,
}

impl Held {
    /// Reads what slots of a number hold; too little to be traded is nothing.
    pub(super) fn read(view: &View<'_>, strategy: u8, side: Side) -> Option<Self> {
        let mut held: Option<Self> = None;
        for slot in view.slots.holding().filter(|s| s.leg.strategy() == strategy && s.held >= view.instrument.qty_min) {
            let cost = slot.cost.units().abs();
            let layer = u8::try_from(slot.leg.index()).unwrap_or(0);
            let mean = i64::try_from(cost / i128::from(slot.held.units().max(1))).map_or(Price::ZERO, Price::from_units);
            let sum = held.get_or_insert(Self { side, qty: Qty::ZERO, cost: 0, layers: 0, last_layer: layer, last: mean, is_whole: true });
            sum.qty += slot.held;
            sum.cost += cost;
            sum.layers = sum.layers.saturating_add(1);
            if layer >= sum.last_layer {
                (sum.last_layer, sum.last, sum.is_whole) = (layer, mean, slot.exiting);
            }
        }
        // With nothing else on the symbol its average cost counts: what a part of the layers has earned already stays with the rest.
        held.map(|held| {
            let alone = view.totals.holding == held.qty.signed(side) && view.totals.cost.units() != 0;
            Self { cost: if alone { view.totals.cost.units().abs() } else { held.cost }, ..held }
        })
    }

    /// What closing at a price would gain, in millionths of what it cost.
    pub fn gain(&self, price: Price) -> i64 {
        let worth = (price * self.qty).units();
        let gain = if self.side == Side::Buy { worth - self.cost } else { self.cost - worth };
        i64::try_from(gain.saturating_mul(1_000_000) / self.cost.max(1)).unwrap_or(i64::MAX)
    }

    /// How far a price is from the last layer's on the winning side, in millionths of that.
    pub fn from_last(&self, price: Price) -> i64 {
        let away = if self.side == Side::Buy { price.minus(self.last) } else { self.last.minus(price) };
        i64::try_from(i128::from(away) * 1_000_000 / i128::from(self.last.units().max(1))).unwrap_or(i64::MAX)
    }

    /// The price at which everything has gained so many millionths.
    pub(super) fn target(&self, gain: u32, instrument: &Instrument) -> Option<Price> {
        // The mean price, rounded against ourselves: a target never earns less than it says.
        let (cost, qty) = (self.cost, i128::from(self.qty.units().max(1)));
        let (mean, round) = match self.side {
            Side::Buy => ((cost + qty - 1) / qty, Round::Up),
            Side::Sell => (cost / qty, Round::Down),
        };
        let mean = i64::try_from(mean).ok().map(Price::from_units)?;
        shifted(mean, self.side, i64::from(gain), instrument, round)
    }
}
