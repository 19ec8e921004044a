use crate::ids::Side;
use crate::money::{Price, Qty};
use crate::time::Time;
use thiserror::Error;

/// Best bid and ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Top {
    /// Highest bid.
    pub bid: Price,
    /// Quantity at the highest bid.
    pub bid_qty: Qty,
    /// Lowest ask.
    pub ask: Price,
    /// Quantity at the lowest ask.
    pub ask_qty: Qty,
    /// The exchange's time of it.
    pub time: Time,
}

impl Top {
    /// The middle, rounded down to a unit.
    pub fn mid(&self) -> Price {
        Price::from_units((self.bid.units() + self.ask.units()) / 2)
    }

    /// Whether another one shows the same prices and quantities, at whatever time.
    #[inline]
    pub fn is_like(&self, other: &Self) -> bool {
        (self.bid, self.bid_qty, self.ask, self.ask_qty) == (other.bid, other.bid_qty, other.ask, other.ask_qty)
    }
}

/// A price level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// All that rests there.
    pub qty: Qty,
}

/// One change of a level; quantity zero deletes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LevelChange {
    /// Which side of the book.
    pub side: Side,
    /// The level with its new quantity.
    pub level: Level,
}

/// Why a book cannot take an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BookError {
    /// Bid and ask overlap after the update: something was lost.
    #[error("book is crossed: bid {bid} is not below ask {ask}")]
    Crossed {
        /// Best bid, in units.
        bid: i64,
        /// Best ask, in units.
        ask: i64,
    },
}

/// The order book of one symbol: two sorted arrays, best level last, so that the busy end is cheap to change.
///
/// # Bounds
/// `levels_max` a side, allocated once. Past it the level farthest from the top is dropped and counted in
/// [`Book::truncated`]; what lies beyond the farthest kept level is unknown from then on.
#[derive(Clone, Debug)]
pub struct Book {
    bids: Vec<Level>, // tidy: bounded by levels_max, never grows past it
    asks: Vec<Level>, // tidy: bounded by levels_max, never grows past it
    levels_max: usize,
    truncated: u64,
}

impl Book {
    /// Makes an empty book that keeps at most `levels_max` levels a side.
    ///
    /// # Panics
    /// When `levels_max` is zero or above [`crate::limits::BOOK_LEVELS_MAX`].
    pub fn new(levels_max: usize) -> Self {
        assert!((1..=crate::limits::BOOK_LEVELS_MAX).contains(&levels_max), "levels_max is out of range");
        Self { bids: Vec::with_capacity(levels_max), asks: Vec::with_capacity(levels_max), levels_max, truncated: 0 }
    }

    /// Bytes that a book of `levels_max` levels a side takes.
    pub const fn bytes(levels_max: usize) -> usize {
        2 * levels_max * size_of::<Level>()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Levels dropped because the side was full.
    pub const fn truncated(&self) -> u64 {
        self.truncated
    }

    /// Sets a level; quantity zero deletes it.
    pub fn set(&mut self, change: LevelChange) {
        let Level { price, qty } = change.level;
        let (levels, found) = match change.side {
            // Best last: bids ascend, asks descend.
            Side::Buy => {
                let found = self.bids.binary_search_by(|l| l.price.cmp(&price));
                (&mut self.bids, found)
            }
            Side::Sell => {
                let found = self.asks.binary_search_by(|l| price.cmp(&l.price));
                (&mut self.asks, found)
            }
        };
        match found {
            Ok(at) if qty.is_zero() => {
                levels.remove(at);
            }
            Ok(at) => levels[at].qty = qty,
            Err(_) if qty.is_zero() => {}
            Err(at) if levels.len() < self.levels_max => levels.insert(at, change.level),
            Err(at) => {
                self.truncated += 1;
                if at > 0 {
                    // The farthest level is first; the new one belongs nearer to the top.
                    levels.copy_within(1..at, 0);
                    levels[at - 1] = change.level;
                }
            }
        }
    }

    /// The top, when both sides have a level.
    ///
    /// # Errors
    /// A crossed book.
    pub fn top(&self, time: Time) -> Result<Option<Top>, BookError> {
        let (Some(bid), Some(ask)) = (self.bids.last(), self.asks.last()) else { return Ok(None) };
        if bid.price >= ask.price {
            return Err(BookError::Crossed { bid: bid.price.units(), ask: ask.price.units() });
        }
        Ok(Some(Top { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty, time }))
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = &Level> {
        match side {
            Side::Buy => self.bids.iter().rev(),
            Side::Sell => self.asks.iter().rev(),
        }
    }

    /// The quantity at a price.
    pub fn qty_at(&self, side: Side, price: Price) -> Qty {
        let found = match side {
            Side::Buy => self.bids.binary_search_by(|l| l.price.cmp(&price)).ok().map(|i| self.bids[i].qty),
            Side::Sell => self.asks.binary_search_by(|l| price.cmp(&l.price)).ok().map(|i| self.asks[i].qty),
        };
        found.unwrap_or(Qty::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn change(side: Side, price: i64, qty: u64) -> LevelChange {
        LevelChange { side, level: Level { price: Price::from_units(price), qty: Qty::from_units(qty) } }
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(changes in proptest::collection::vec((any::<bool>(), 1_i64..60, 0_u64..5), 0..400)) {
            let mut book = Book::new(64);
            let mut model: [BTreeMap<i64, u64>; 2] = Default::default();
            for (buy, price, qty) in changes {
                book.set(change(if buy { Side::Buy } else { Side::Sell }, price, qty));
                let side = &mut model[usize::from(buy)];
                if qty == 0 { side.remove(&price); } else { side.insert(price, qty); }
            }
            let bids: Vec<_> = book.levels(Side::Buy).map(|l| (l.price.units(), l.qty.units())).collect();
            let asks: Vec<_> = book.levels(Side::Sell).map(|l| (l.price.units(), l.qty.units())).collect();
            prop_assert_eq!(bids, model[1].iter().rev().map(|(p, q)| (*p, *q)).collect::<Vec<_>>());
            prop_assert_eq!(asks, model[0].iter().map(|(p, q)| (*p, *q)).collect::<Vec<_>>());
        }

        #[test]
        fn keeps_the_best_when_full(prices in proptest::collection::vec(1_i64..500, 1..200)) {
            let mut book = Book::new(8);
            let mut all = std::collections::BTreeSet::new();
            for price in prices {
                book.set(change(Side::Buy, price, 1));
                all.insert(price);
            }
            let kept: Vec<_> = book.levels(Side::Buy).map(|l| l.price.units()).collect();
            prop_assert_eq!(kept, all.iter().rev().take(8).copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn reports_a_crossed_book() {
        let mut book = Book::new(4);
        book.set(change(Side::Buy, 10, 1));
        assert_eq!(book.top(Time::ZERO), Ok(None));
        book.set(change(Side::Sell, 10, 1));
        assert_eq!(book.top(Time::ZERO), Err(BookError::Crossed { bid: 10, ask: 10 }));
        book.set(change(Side::Sell, 10, 0));
        book.set(change(Side::Sell, 11, 3));
        assert_eq!(book.top(Time::ZERO).unwrap().unwrap().ask_qty, Qty::from_units(3));
    }
}
