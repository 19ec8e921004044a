use crate::Price;

/// How the levels of a grid lie: what a level's number means. Levels are counted upwards from level 0, which lies at the anchor.
///
/// A level's price follows from the anchor and the number alone, in whole numbers, so that every process finds the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Spacing {
    /// So much apart.
    Even(Price),
    /// Each so many millionths above the one below, [`Spacing::RATIO_MIN`] to [`Spacing::RATIO_MAX`], brought down to the tick.
    Ratio(u32),
}

impl From<Price> for Spacing {
    fn from(interval: Price) -> Self {
        Self::Even(interval)
    }
}

/// One, as powers of a ratio are counted.
const ONE: u128 = 1 << 63;
/// Below it a power is too inexact to divide by: prices a million times the anchor's are none.
const LEAST: u128 = 1 << 43;
/// Levels that are looked through: with the least ratio they reach a price a million times the anchor's.
const REACH: i32 = 1 << 18;

impl Spacing {
    /// The least ratio, in millionths: 0.01 %.
    pub const RATIO_MIN: u32 = 100;
    /// The largest ratio, in millionths: 20 %.
    pub const RATIO_MAX: u32 = 200_000;

    /// Where a level lies; `None` when that is no price.
    pub fn price(self, anchor: Price, level: i32, tick: Price) -> Option<Price> {
        match self {
            Self::Even(interval) => {
                anchor.units().checked_add(interval.units().checked_mul(i64::from(level))?).filter(|u| *u > 0).map(Price::from_units)
            }
            Self::Ratio(ratio) => {
                let (anchor, power) = (u128::from(u64::try_from(anchor.units()).ok()?), shrunk(ratio, level.unsigned_abs()));
                let units = match level {
                    0 => anchor,
                    1.. if power < LEAST => return None,
                    // To the nearest unit first: what is exact on paper stays so.
                    1.. => ((anchor << 63) + power / 2) / power,
                    _ => (anchor * power + (ONE >> 1)) >> 63,
                };
                // The anchor itself stays where it is, whatever becomes of the tick.
                let tick = if level == 0 { 1 } else { u128::from(tick.units().max(1).unsigned_abs()) };
                i64::try_from(units / tick * tick).ok().filter(|units| *units > 0).map(Price::from_units)
            }
        }
    }

    /// The highest level that does not lie above a price.
    ///
    /// # Bounds
    /// Of levels a ratio apart those within 2^18 of the anchor are looked through, in 19 steps.
    pub fn level_at(self, anchor: Price, price: Price, tick: Price) -> i32 {
        if let Self::Even(interval) = self {
            let level = (price.units().saturating_sub(anchor.units())).div_euclid(interval.units().max(1));
            return i32::try_from(level).unwrap_or(if level < 0 { i32::MIN } else { i32::MAX });
        }
        let (mut low, mut high) = (-REACH, REACH);
        // Ends: each turn halves what is between them.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let is_above = match self.price(anchor, middle, tick) {
                Some(at) => at > price,
                // Too far up; too far down is below every price.
                None => middle > 0,
            };
            if is_above {
                high = middle;
            } else {
                low = middle;
            }
        }
        low
    }

    /// So many times as wide.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        match self {
            Self::Even(interval) => Self::Even(Price::from_units(interval.units().saturating_mul(factor as i64))),
            Self::Ratio(ratio) => Self::Ratio(ratio.saturating_mul(factor)),
        }
    }

    /// Distance of two levels about a price, at least one unit.
    pub fn interval_at(self, price: Price) -> Price {
        match self {
            Self::Even(interval) => interval,
            Self::Ratio(ratio) => {
                let units = i128::from(price.units()) * i128::from(ratio) / 1_000_000;
                Price::from_units(i64::try_from(units).unwrap_or(i64::MAX).max(1))
            }
        }
    }
}

/// 1 / (1 + ratio)^n, in units of [`ONE`]: exact to some parts in 10^12, and the same everywhere.
fn shrunk(ratio: u32, mut n: u32) -> u128 {
    let times = |a: u128, b: u128| (a * b + (ONE >> 1)) >> 63;
    let mut base = (1_000_000 * ONE) / (1_000_000 + u128::from(ratio));
    let mut power = ONE;
    // Ends: n has 32 bits.
    while n > 0 {
        if n & 1 == 1 {
            power = times(power, base);
        }
        base = times(base, base);
        n >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Price = Price::from_units(10);

    #[test]
    fn levels_a_ratio_apart_lie_where_a_calculator_says() {
        let at = |level| Spacing::Ratio(5_000).price(Price::from_units(6_000_000), level, TICK).map(Price::units);
        // 60,000 × 1.005^n, to the tick of 0.10.
        for (level, units) in [(0, 6_000_000), (1, 6_030_000), (2, 6_060_150), (10, 6_306_840), (-1, 5_970_140), (-100, 3_643_720)] {
            assert_eq!(at(level), Some(units), "{level}");
        }
        assert_eq!((at(10_000), at(-10_000)), (None, None), "no price is a million times the anchor's");
    }

    #[test]
    fn a_level_is_found_again_by_its_price() {
        for ratio in [Spacing::RATIO_MIN, 777, 5_000, Spacing::RATIO_MAX] {
            let spacing = Spacing::Ratio(ratio);
            for anchor in [6_000_000, 123_456_780, 10_000_000] {
                let anchor = Price::from_units(anchor);
                let mut last = Price::ZERO;
                for level in -60..60 {
                    let price = spacing.price(anchor, level, TICK).unwrap();
                    assert!(price > last, "{ratio} {level}");
                    last = price;
                    let just = |away| spacing.level_at(anchor, Price::from_units(price.units() + away), TICK);
                    assert_eq!((just(0), just(-1), just(1)), (level, level - 1, level), "{ratio} {level} {price:?}");
                }
            }
        }
    }

    #[test]
    fn far_from_the_anchor_nothing_overflows() {
        for units in [1, 10, 1_000_000, i64::MAX / 2] {
            for spacing in [Spacing::Ratio(Spacing::RATIO_MIN), Spacing::Ratio(Spacing::RATIO_MAX), Spacing::Even(TICK)] {
                for price in [1, 1_000, i64::MAX] {
                    spacing.level_at(Price::from_units(units), Price::from_units(price), TICK);
                }
                for level in [i32::MIN, -1_000_000, 1_000_000, i32::MAX] {
                    spacing.price(Price::from_units(units), level, TICK);
                }
            }
        }
    }

    #[test]
    fn even_levels_count_from_the_anchor() {
        let (spacing, anchor) = (Spacing::Even(Price::from_units(100)), Price::from_units(1_000));
        assert_eq!(spacing.price(anchor, -3, TICK), Some(Price::from_units(700)));
        assert_eq!(spacing.price(anchor, -10, TICK), None);
        assert_eq!([799, 800, 801].map(|units| spacing.level_at(anchor, Price::from_units(units), TICK)), [-3, -2, -2]);
    }
}
