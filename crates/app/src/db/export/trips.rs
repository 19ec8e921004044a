//! Round trips: what a slot opened and closed again, first in first out.

use anyhow::bail;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Asset, Leg, Qty, Round, Side, Time, rescale};
use plimsoll_position::limits::CLOSING_STRATEGY;
use plimsoll_storage::tool::FillLine;
use plimsoll_storage::{Key, StoredScales};
use std::collections::{BTreeMap, VecDeque};

/// Slots of one symbol that may hold something at a time: a grid's ring has some hundred places.
const SLOTS_MAX: usize = 10_000;
/// Openings of a slot that are told apart; what one more opens counts as opened together with the last.
const LOTS_MAX: usize = 256;

/// A slot that was closed, or a part of it, by one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    pub key: Key,
    pub leg: Leg,
    pub opened: Time,
    pub closed: Time,
    pub qty: Qty,
    /// Units of price and quantity together.
    pub buy_value: i128,
    pub sell_value: i128,
    /// Units of 1e-8 of the quote asset.
    pub fees: i128,
    pub other: Other,
    pub openings: u64,
    pub close_trade_id: u64,
}

/// Fees that were not paid in the quote asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    None,
    /// All in this one.
    In(Asset, i128),
    Mixed,
}

impl Other {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (Self::In(a, x), Self::In(b, y)) if a == b => Self::In(a, x + y),
            _ => Self::Mixed,
        }
    }

    /// Splits off the share of `part` of `whole`; the rest stays.
    fn take(&mut self, part: u64, whole: u64) -> Self {
        match self {
            Self::In(asset, units) => {
                let taken = share(*units, part, whole);
                *units -= taken;
                Self::In(*asset, taken)
            }
            other => *other,
        }
    }
}

impl Trip {
    /// Profit before fees, units of 1e-8 of the quote asset.
    pub fn profit(&self, scales: &StoredScales) -> Option<i128> {
        let scale = scales.price_scale + scales.qty_scale;
        rescale(self.sell_value - self.buy_value, scale, MONEY_SCALE, Round::Nearest).ok()
    }
}

/// An opening of which something is still held.
#[derive(Clone, Copy, Debug)]
struct Lot {
    time: Time,
    qty: u64,
    /// Units of price and quantity together.
    value: i128,
    fees: i128,
    other: Other,
    openings: u64,
}

/// Matches the fills of one symbol after the other.
#[derive(Default)]
pub struct Trips {
    key: Option<Key>,
    slots: BTreeMap<(i32, u8), VecDeque<Lot>>, // tidy: bounded by SLOTS_MAX and LOTS_MAX, lives as long as the command
    /// Closing executions that closed, in part at least, what no stored one of their slot had opened.
    pub unmatched: u64,
}

impl Trips {
    /// Takes the next fill, by account, symbol and trade id, and tells what it closed.
    ///
    /// # Errors
    /// More slots than can be.
    pub fn take(&mut self, line: &FillLine, quote: Asset, mut told: impl FnMut(Trip) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if self.key != Some(line.key) {
            self.key = Some(line.key);
            self.slots.clear();
        }
        let (fill, leg) = (&line.booked.fill, line.booked.leg);
        let (mut fees, mut other) = if fill.fee.asset == quote {
            (fill.fee.units, Other::None)
        } else if fill.fee.units == 0 {
            (0, Other::None)
        } else {
            (0, Other::In(fill.fee.asset, fill.fee.units))
        };
        let closing = leg.is_some_and(|leg| leg.strategy() == CLOSING_STRATEGY);
        // What was bought by hand opens no slot, and what was sold by hand is counted.
        if leg.is_none() && fill.side == Side::Buy {
            return Ok(());
        }
        if let Some(leg) = leg.filter(|leg| leg.opens(fill.side)) {
            let lots = self.slots.entry((leg.index(), leg.strategy())).or_default();
            let lot = Lot { time: fill.time, qty: fill.qty.units(), value: (fill.price * fill.qty).units(), fees, other, openings: 1 };
            let full = lots.len() == LOTS_MAX;
            match lots.back_mut() {
                Some(last) if full => join(last, lot),
                _ => lots.push_back(lot),
            }
            if self.slots.len() > SLOTS_MAX {
                bail!("more than {SLOTS_MAX} slots of {} hold something: run `plimsoll db check`", line.key.symbol);
            }
            return Ok(());
        }
        let mut rest = fill.qty.units();
        while rest > 0 {
            // A closing order takes from the highest index first, whosever it is.
            let is_short = |(_, strategy): &&(i32, u8)| *strategy >= Leg::SHORT;
            let slot = match (closing, fill.side) {
                (true, Side::Sell) => self.slots.keys().rev().find(|slot| !is_short(slot)).copied(),
                (true, Side::Buy) => self.slots.keys().rev().find(is_short).copied(),
                (false, _) => leg.map(|leg| (leg.index(), leg.strategy())),
            };
            let Some((slot, lots)) = slot.and_then(|slot| Some((slot, self.slots.get_mut(&slot)?))) else { break };
            let held: u64 = lots.iter().map(|lot| lot.qty).sum();
            let part = rest.min(held);
            let Some(opened) = from(lots, part) else { break };
            if lots.is_empty() {
                self.slots.remove(&slot);
            }
            let Some(leg) = Leg::new(slot.1, slot.0) else { break };
            let paid = share(fees, part, rest);
            let paid_other = other.take(part, rest);
            fees -= paid;
            rest -= part;
            let qty = Qty::from_units(part);
            let closing_value = (fill.price * qty).units();
            let (buy_value, sell_value) =
                if fill.side == Side::Sell { (opened.value, closing_value) } else { (closing_value, opened.value) };
            told(Trip {
                key: line.key,
                leg,
                opened: opened.time,
                closed: fill.time,
                qty,
                buy_value,
                sell_value,
                fees: opened.fees + paid,
                other: opened.other.and(paid_other),
                openings: opened.openings,
                close_trade_id: fill.trade_id.0,
            })?;
        }
        self.unmatched += u64::from(rest > 0);
        Ok(())
    }
}

/// Takes a quantity out of the oldest lots; `None` for nothing.
fn from(lots: &mut VecDeque<Lot>, qty: u64) -> Option<Lot> {
    let mut rest = qty;
    let mut sum: Option<Lot> = None;
    while rest > 0 {
        let first = lots.front_mut()?;
        let part = rest.min(first.qty);
        let (value, fees) = (share(first.value, part, first.qty), share(first.fees, part, first.qty));
        let other = first.other.take(part, first.qty);
        let taken = Lot { time: first.time, qty: part, value, fees, other, openings: if part == first.qty { first.openings } else { 1 } };
        first.value -= value;
        first.fees -= fees;
        first.qty -= part;
        if first.qty == 0 {
            lots.pop_front();
        }
        rest -= part;
        match &mut sum {
            Some(sum) => join(sum, taken),
            None => sum = Some(taken),
        }
    }
    sum
}

fn join(to: &mut Lot, more: Lot) {
    to.qty += more.qty;
    to.value += more.value;
    to.fees += more.fees;
    to.other = to.other.and(more.other);
    to.openings += more.openings;
}

/// The share of a part in a whole, toward zero: what is lost by rounding stays with the rest, and goes with it in the end.
///
/// Of a lot of one price it is exact.
fn share(units: i128, part: u64, whole: u64) -> i128 {
    if part == whole {
        return units;
    }
    // By parts, so that nothing overflows: what is whole of the share, and the share of what is not.
    let whole = i128::from(whole.max(1));
    let (each, rest) = (units / whole, units % whole);
    each * i128::from(part) + rest * i128::from(part) / whole
}

#[cfg(test)]
mod tests;
