//! The recorded book: levels near the top in a row of ticks, the others in a sorted list.
//!
//! Nearly every change is near the top, where a level's place is a subtraction away. The row is a ring: when the top comes near its end
//! it moves on, and only the levels that leave or enter it are touched.

use crate::limits::SOLO_LEVELS_MAX;
use plimsoll_market::{Book, Level, LevelChange, Price, Qty, Side, Time, Top};

/// Ticks in a side's row. Two rows of 16 KiB stay in the processor's nearest caches.
const ROW: usize = 2_048;
const WORDS: usize = ROW / 64;

/// The recorded book of one symbol.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    tick: i64,
    /// 2^64 by the tick, rounded up: a division by it is a multiplication.
    reciprocal: u64,
    bids: Row,
    asks: Row,
    /// Levels outside the rows, and those off the tick.
    far: Book,
    best_bid: i64,
    best_ask: i64,
    /// The side whose top was told last: when both overlap, the other one is old.
    newest: Side,
    crossed: u64,
}

/// The quantities of neighbouring ticks.
#[derive(Clone, Debug)]
struct Row {
    /// Number of the first tick.
    base: i64,
    qtys: Box<[u64; ROW]>,
    filled: [u64; WORDS],
}

impl Row {
    fn new() -> Self {
        Self { base: 0, qtys: Box::new([0; ROW]), filled: [0; WORDS] }
    }

    #[inline]
    const fn holds(&self, tick: i64) -> bool {
        (tick.wrapping_sub(self.base) as u64) < ROW as u64
    }

    #[inline]
    fn put(&mut self, tick: i64, qty: u64) {
        let at = tick as usize % ROW;
        self.qtys[at] = qty;
        let bit = 1 << (at % 64);
        if qty == 0 {
            self.filled[at / 64] &= !bit;
        } else {
            self.filled[at / 64] |= bit;
        }
    }

    #[inline]
    fn get(&self, tick: i64) -> u64 {
        self.qtys[tick as usize % ROW]
    }

    /// The highest filled tick at or below one of the row.
    fn below(&self, tick: i64) -> Option<i64> {
        let mut left = tick - self.base + 1;
        let mut tick = tick;
        while left > 0 {
            let at = tick as usize % ROW;
            let (word, bit) = (self.filled[at / 64], at % 64);
            // The bits at and below this one; the ones above belong to the ring's other end or to ticks above.
            let found = word & (u64::MAX >> (63 - bit));
            if found != 0 {
                let down = bit as i64 - i64::from(63 - found.leading_zeros());
                return (down < left).then(|| tick - down);
            }
            tick -= bit as i64 + 1;
            left -= bit as i64 + 1;
        }
        None
    }

    /// The lowest filled tick at or above one of the row.
    fn above(&self, tick: i64) -> Option<i64> {
        let mut left = self.base + ROW as i64 - tick;
        let mut tick = tick;
        while left > 0 {
            let at = tick as usize % ROW;
            let (word, bit) = (self.filled[at / 64], at % 64);
            let found = word >> bit;
            if found != 0 {
                let up = i64::from(found.trailing_zeros());
                return (up < left).then(|| tick + up);
            }
            tick += 64 - bit as i64;
            left -= 64 - bit as i64;
        }
        None
    }

    fn ticks(&self) -> impl Iterator<Item = i64> + '_ {
        (self.base..self.base + ROW as i64).filter(|tick| self.get(*tick) != 0)
    }

    fn clear(&mut self) {
        self.qtys.fill(0);
        self.filled.fill(0);
    }
}

impl Ladder {
    /// An empty book of a contract with this tick.
    pub(super) fn new(tick: Price) -> Self {
        let tick = tick.units().max(1);
        Self {
            tick,
            reciprocal: (u64::MAX / tick as u64).saturating_add(1),
            bids: Row::new(),
            asks: Row::new(),
            far: Book::new(SOLO_LEVELS_MAX),
            best_bid: i64::MIN,
            best_ask: i64::MAX,
            newest: Side::Buy,
            crossed: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        Book::bytes(SOLO_LEVELS_MAX) + 2 * ROW * size_of::<u64>()
    }

    pub(super) const fn crossed(&self) -> u64 {
        self.crossed
    }

    pub(super) fn clear(&mut self) {
        self.far.clear();
        self.bids.clear();
        self.asks.clear();
        (self.best_bid, self.best_ask) = (i64::MIN, i64::MAX);
    }

    /// The tick of a price; `None` for one off the tick.
    #[inline]
    fn tick_of(&self, price: i64) -> Option<i64> {
        if self.tick == 1 {
            return Some(price);
        }
        let tick = ((u128::from(price as u64) * u128::from(self.reciprocal)) >> 64) as i64;
        // A quotient that the multiplication gets wrong does not pass this: such a level goes to the far ones, and is right there.
        (tick.wrapping_mul(self.tick) == price).then_some(tick)
    }

    #[inline]
    const fn row(&self, side: Side) -> &Row {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    #[inline]
    const fn row_mut(&mut self, side: Side) -> &mut Row {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Sets a level; tells whether the top may have changed.
    #[inline]
    pub(super) fn set(&mut self, side: Side, price: Price, qty: Qty) -> bool {
        let units = price.units();
        let best = match side {
            Side::Buy => self.best_bid,
            Side::Sell => self.best_ask,
        };
        let better = match side {
            Side::Buy => units > best,
            Side::Sell => units < best,
        };
        match self.tick_of(units).filter(|tick| self.row(side).holds(*tick)) {
            Some(tick) => self.row_mut(side).put(tick, qty.units()),
            None => self.set_far(side, price, qty, better),
        }
        if better {
            if qty.is_zero() {
                return false;
            }
            self.newest = side;
            self.set_best(side, units);
            return true;
        }
        if units != best {
            return false;
        }
        self.newest = side;
        if qty.is_zero() {
            self.find_best(side);
        }
        true
    }

    fn set_best(&mut self, side: Side, units: i64) {
        match side {
            Side::Buy => self.best_bid = units,
            Side::Sell => self.best_ask = units,
        }
    }

    #[cold]
    fn set_far(&mut self, side: Side, price: Price, qty: Qty, better: bool) {
        if better
            && !qty.is_zero()
            && let Some(tick) = self.tick_of(price.units())
        {
            self.slide(side, tick);
            self.row_mut(side).put(tick, qty.units());
            return;
        }
        self.far.set(LevelChange { side, level: Level { price, qty } });
    }

    /// Looks for the best level after it has gone.
    fn find_best(&mut self, side: Side) {
        let far = self.far.levels(side).next().map(|level| level.price.units());
        let (tick, was) = (self.tick, if side == Side::Buy { self.best_bid } else { self.best_ask });
        let from = was.div_euclid(tick);
        let row = self.row(side);
        let (low, high) = (row.base, row.base + ROW as i64 - 1);
        let near = match side {
            Side::Buy => row.below(from.min(high)).filter(|_| from >= low),
            // Off the tick the next one is above.
            Side::Sell => row.above((from + i64::from(was % tick != 0)).max(low)).filter(|_| from <= high),
        };
        let near = near.map(|found| found * tick);
        let best = match (side, near, far) {
            (Side::Buy, near, far) => near.max(far).unwrap_or(i64::MIN),
            (Side::Sell, Some(near), Some(far)) => near.min(far),
            (Side::Sell, near, far) => near.or(far).unwrap_or(i64::MAX),
        };
        self.set_best(side, best);
        if best == i64::MIN || best == i64::MAX {
            return;
        }
        // What is best belongs into the row, with room on both sides.
        if let Some(tick) = self.tick_of(best) {
            let edge = ROW as i64 / 8;
            let base = self.row(side).base;
            if tick < base + edge || tick >= base + ROW as i64 - edge {
                self.slide(side, tick);
            }
        }
    }

    /// Moves a side's row so that a tick lies in it with room on both sides.
    fn slide(&mut self, side: Side, tick: i64) {
        let before = match side {
            Side::Buy => ROW as i64 * 3 / 4,
            Side::Sell => ROW as i64 / 4,
        };
        let (old, new) = (self.row(side).base, tick - before);
        let stays = |tick: i64| (tick.wrapping_sub(new) as u64) < ROW as u64;
        let leaving: Vec<i64> = self.row(side).ticks().filter(|tick| !stays(*tick)).collect();
        for tick in leaving {
            let row = self.row_mut(side);
            let qty = Qty::from_units(row.get(tick));
            row.put(tick, 0);
            // A tick of a row came from a price, so that its product is one.
            let price = Price::from_units(tick * self.tick);
            self.far.set(LevelChange { side, level: Level { price, qty } });
        }
        self.row_mut(side).base = new;
        if old == new {
            return;
        }
        let entering: Vec<(i64, Level)> = self
            .far
            .levels(side)
            .filter_map(|level| Some((self.tick_of(level.price.units())?, *level)))
            .filter(|(t, _)| stays(*t))
            .collect();
        for (tick, level) in entering {
            self.far.set(LevelChange { side, level: Level { price: level.price, qty: Qty::ZERO } });
            self.row_mut(side).put(tick, level.qty.units());
        }
    }

    /// Lets a level be the best of its side, and the only one of it when nothing else is known.
    pub(super) fn set_top(&mut self, side: Side, price: Price, qty: Qty, only: bool) {
        while let Some(level) = self.best(side) {
            let better = match side {
                Side::Buy => level.price > price,
                Side::Sell => level.price < price,
            };
            let passes = better || only && level.price != price;
            if !passes {
                break;
            }
            self.set(side, level.price, Qty::ZERO);
        }
        self.set(side, price, qty);
    }

    #[inline]
    pub(super) fn best(&self, side: Side) -> Option<Level> {
        let units = match side {
            Side::Buy => self.best_bid,
            Side::Sell => self.best_ask,
        };
        if units == i64::MIN || units == i64::MAX {
            return None;
        }
        let price = Price::from_units(units);
        Some(Level { price, qty: self.qty_at(side, price) })
    }

    #[inline]
    pub(super) fn qty_at(&self, side: Side, price: Price) -> Qty {
        match self.tick_of(price.units()).filter(|tick| self.row(side).holds(*tick)) {
            Some(tick) => Qty::from_units(self.row(side).get(tick)),
            None => self.far.qty_at(side, price),
        }
    }

    /// All that is offered on a side at a price or better.
    pub(super) fn offered(&self, side: Side, limit: Price) -> Qty {
        let within = |price: i64| match side {
            Side::Buy => price >= limit.units(),
            Side::Sell => price <= limit.units(),
        };
        let row = self.row(side);
        let near = row.ticks().filter(|tick| within(tick * self.tick)).map(|tick| row.get(tick));
        let far = self.far.levels(side).filter(|level| within(level.price.units())).map(|level| level.qty.units());
        Qty::from_units(near.chain(far).fold(0_u64, u64::saturating_add).min(i64::MAX as u64))
    }

    /// Takes away from a level.
    pub(super) fn eat(&mut self, side: Side, price: Price, qty: Qty) {
        let left = self.qty_at(side, price).saturating_sub(qty);
        let newest = self.newest;
        self.set(side, price, left);
        self.newest = newest;
    }

    /// Drops what overlaps with the side that was told last.
    #[inline]
    pub(super) fn uncross(&mut self) {
        while self.best_bid >= self.best_ask {
            let old = self.newest.opposite();
            let Some(level) = self.best(old) else { return };
            self.set(old, level.price, Qty::ZERO);
            self.newest = old.opposite();
            self.crossed += 1;
        }
    }

    #[inline]
    pub(super) fn top(&self, time: Time) -> Option<Top> {
        let (bid, ask) = (self.best(Side::Buy)?, self.best(Side::Sell)?);
        (bid.price < ask.price).then_some(Top { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// Walks far enough for the rows to slide, leaps beyond them, and tells prices off the tick.
        #[test]
        fn agrees_with_a_map(
            tick in prop_oneof![Just(1_i64), Just(10), Just(25)],
            steps in proptest::collection::vec((any::<bool>(), -400_i64..400, 0_u64..4, -900_i64..900, 0_u8..20), 1..300),
        ) {
            let mut ladder = Ladder::new(Price::from_units(tick));
            let mut model: [BTreeMap<i64, u64>; 2] = Default::default();
            let mut centre = 600_000_i64;
            for (buy, near, qty, walk, dice) in steps {
                let side = if buy { Side::Buy } else { Side::Sell };
                if dice < 6 { centre += walk; }
                if dice == 19 { centre += walk * 20; }
                let price = (centre + near) * tick + i64::from(dice == 18 && tick > 1);
                // Half of the changes meet what is the best.
                let best = if buy { model[1].last_key_value() } else { model[0].first_key_value() };
                let (price, qty) = match best { Some((best, _)) if dice % 4 == 1 => (*best, qty % 2), _ => (price, qty) };
                ladder.set(side, Price::from_units(price), Qty::from_units(qty));
                let of = &mut model[usize::from(buy)];
                if qty == 0 { of.remove(&price); } else { of.insert(price, qty); }
                let found = [Side::Sell, Side::Buy].map(|side| ladder.best(side).map(|l| (l.price.units(), l.qty.units())));
                let expected = [model[0].first_key_value(), model[1].last_key_value()].map(|l| l.map(|(p, q)| (*p, *q)));
                prop_assert_eq!(found, expected);
                prop_assert_eq!(ladder.qty_at(side, Price::from_units(price)).units(), qty);
                let offered: u64 = model[0].range(..=centre * tick).map(|(_, q)| *q).sum();
                prop_assert_eq!(ladder.offered(Side::Sell, Price::from_units(centre * tick)).units(), offered);
            }
        }
    }
}
