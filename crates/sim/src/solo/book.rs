//! The recorded book: levels near the top in dense rows, the others in a sorted list.

use crate::limits::SOLO_LEVELS_MAX;
use plimsoll_market::{Book, Level, LevelChange, Price, Qty, Side, Time, Top};

/// The recorded book of one symbol.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    book: Book,
    best_bid: i64,
    best_ask: i64,
    /// The side whose top was told last: when both overlap, the other one is old.
    newest: Side,
    crossed: u64,
}

impl Ladder {
    pub(super) fn new() -> Self {
        Self { book: Book::new(SOLO_LEVELS_MAX), best_bid: i64::MIN, best_ask: i64::MAX, newest: Side::Buy, crossed: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        Book::bytes(SOLO_LEVELS_MAX)
    }

    pub(super) const fn crossed(&self) -> u64 {
        self.crossed
    }

    pub(super) fn clear(&mut self) {
        self.book.clear();
        (self.best_bid, self.best_ask) = (i64::MIN, i64::MAX);
    }

    /// Sets a level; tells whether the top may have changed.
    #[inline]
    pub(super) fn set(&mut self, side: Side, price: Price, qty: Qty) -> bool {
        self.book.set(LevelChange { side, level: Level { price, qty } });
        match side {
            Side::Buy if price.units() >= self.best_bid => {
                self.newest = side;
                self.best_bid = self.best(side).map_or(i64::MIN, |l| l.price.units());
                true
            }
            Side::Sell if price.units() <= self.best_ask => {
                self.newest = side;
                self.best_ask = self.best(side).map_or(i64::MAX, |l| l.price.units());
                true
            }
            Side::Buy | Side::Sell => false,
        }
    }

    /// Lets a level be the best of its side, and the only one of it when nothing else is known.
    pub(super) fn set_best(&mut self, side: Side, price: Price, qty: Qty, only: bool) {
        while let Some(level) = self.best(side).copied() {
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

    pub(super) fn best(&self, side: Side) -> Option<&Level> {
        self.book.levels(side).next()
    }

    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = &Level> {
        self.book.levels(side)
    }

    pub(super) fn qty_at(&self, side: Side, price: Price) -> Qty {
        self.book.qty_at(side, price)
    }

    /// Takes away from a level.
    pub(super) fn eat(&mut self, side: Side, price: Price, qty: Qty) {
        let left = self.qty_at(side, price).saturating_sub(qty);
        let newest = self.newest;
        self.set(side, price, left);
        self.newest = newest;
    }

    /// Drops what overlaps with the side that was told last.
    pub(super) fn uncross(&mut self) {
        while self.best_bid >= self.best_ask {
            let old = self.newest.opposite();
            let Some(level) = self.best(old).copied() else { return };
            self.set(old, level.price, Qty::ZERO);
            self.newest = old.opposite();
            self.crossed += 1;
        }
    }

    #[inline]
    pub(super) fn top(&self, time: Time) -> Option<Top> {
        self.book.top(time).ok().flatten()
    }
}
