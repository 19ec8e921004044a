use crate::ids::{Asset, Side};
use crate::limits::MONEY_SCALE;
use core::fmt;
use core::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

/// A price of one symbol: an integer of 10^-`price_scale` of its [`crate::Instrument`]. Never negative.
///
/// Two prices compare only within a symbol; `Price × Qty` is the only product there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Price(i64);

impl Price {
    /// No price: orders at market carry it.
    pub const ZERO: Self = Self(0);

    /// Makes a price from units of the symbol's scale.
    ///
    /// # Panics
    /// When `units` is negative.
    #[inline]
    pub const fn from_units(units: i64) -> Self {
        assert!(units >= 0, "a price is never negative");
        Self(units)
    }

    /// Units of the symbol's scale.
    #[inline]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The difference to another price of the same symbol, in units, signed.
    #[inline]
    pub const fn minus(self, other: Self) -> i64 {
        self.0 - other.0
    }

    /// This price moved by `units`; `None` below zero or on overflow.
    #[inline]
    pub fn offset(self, units: i64) -> Option<Self> {
        self.0.checked_add(units).filter(|u| *u >= 0).map(Self)
    }

    /// Whether there is a price at all.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// An unsigned quantity of the base asset: an integer of 10^-`qty_scale` of its [`crate::Instrument`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Qty(u64);

impl Qty {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Makes a quantity from units of the symbol's scale.
    ///
    /// # Panics
    /// Beyond `i64::MAX`, so that every quantity also fits a [`Holding`].
    #[inline]
    pub const fn from_units(units: u64) -> Self {
        assert!(units <= i64::MAX as u64, "a quantity must fit a holding");
        Self(units)
    }

    /// Units of the symbol's scale.
    #[inline]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left after taking `other`; zero when `other` is more.
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// As a signed holding: bought is positive, sold is negative.
    #[inline]
    pub const fn signed(self, side: Side) -> Holding {
        match side {
            Side::Buy => Holding(self.0 as i64),
            Side::Sell => Holding(-(self.0 as i64)),
        }
    }
}

impl Add for Qty {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Self) -> Self {
        Self::from_units(self.0 + rhs.0)
    }
}

impl AddAssign for Qty {
    #[inline]
    fn add_assign(&mut self, rhs: Self) {
        *self = *self + rhs;
    }
}

impl Sub for Qty {
    type Output = Self;
    /// # Panics
    /// When `rhs` is more than there is.
    #[inline]
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl SubAssign for Qty {
    #[inline]
    fn sub_assign(&mut self, rhs: Self) {
        *self = *self - rhs;
    }
}

impl core::iter::Sum for Qty {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a + b)
    }
}

/// A signed position in units of the symbol's quantity scale; long is positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Holding(i64);

impl Holding {
    /// No position.
    pub const FLAT: Self = Self(0);

    /// Makes a holding from signed units.
    #[inline]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Signed units of the symbol's quantity scale.
    #[inline]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The size without the direction.
    #[inline]
    pub const fn qty(self) -> Qty {
        Qty(self.0.unsigned_abs())
    }

    /// The side that opened it; `None` when flat.
    #[inline]
    pub const fn side(self) -> Option<Side> {
        match self.0 {
            0 => None,
            1.. => Some(Side::Buy),
            _ => Some(Side::Sell),
        }
    }

    /// Whether there is no position.
    #[inline]
    pub const fn is_flat(self) -> bool {
        self.0 == 0
    }
}

impl Add for Holding {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl AddAssign for Holding {
    #[inline]
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl Sub for Holding {
    type Output = Self;
    #[inline]
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl Neg for Holding {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// Price times quantity: exact, in units of 10^-(price_scale + qty_scale) of the quote asset, signed.
///
/// [`crate::Instrument::amount`] turns it into money.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Notional(i128);

impl Notional {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Makes a notional from its units.
    #[inline]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// Units of 10^-(price_scale + qty_scale).
    #[inline]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// `part / whole` of this, rounded to the nearest unit, halves away from zero.
    ///
    /// # Panics
    /// When `whole` is zero.
    pub fn share(self, part: Qty, whole: Qty) -> Self {
        let numerator = self.0 * i128::from(part.units());
        Self(crate::decimal::divide(numerator, i128::from(whole.units()), crate::Round::Nearest).unwrap_or(0))
    }
}

impl Mul<Qty> for Price {
    type Output = Notional;
    #[inline]
    fn mul(self, rhs: Qty) -> Notional {
        // A quantity fits `i64`, and two of those cannot overflow 128 bits: the product needs no check.
        Notional(i128::from(self.0) * i128::from(rhs.units() as i64))
    }
}

impl Mul<Holding> for Price {
    type Output = Notional;
    #[inline]
    fn mul(self, rhs: Holding) -> Notional {
        Notional(i128::from(self.0) * i128::from(rhs.units()))
    }
}

impl Add for Notional {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl AddAssign for Notional {
    #[inline]
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl Sub for Notional {
    type Output = Self;
    #[inline]
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl SubAssign for Notional {
    #[inline]
    fn sub_assign(&mut self, rhs: Self) {
        self.0 -= rhs.0;
    }
}

impl Neg for Notional {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl core::iter::Sum for Notional {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a + b)
    }
}

/// A price that is never sent in an order: mark, index, entry or average, in units of 1e-8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RefPrice(i64);

impl RefPrice {
    /// No price.
    pub const ZERO: Self = Self(0);

    /// Makes a reference price from units of 1e-8.
    #[inline]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Units of 1e-8.
    #[inline]
    pub const fn units(self) -> i64 {
        self.0
    }
}

impl fmt::Display for RefPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::format_units(i128::from(self.0), MONEY_SCALE).fmt(f)
    }
}

/// Money: an asset and a signed integer of 1e-8 of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Amount {
    /// The asset it is counted in.
    pub asset: Asset,
    /// Signed units of 1e-8.
    pub units: i128,
}

impl Amount {
    /// Nothing of an asset.
    pub const fn zero(asset: Asset) -> Self {
        Self { asset, units: 0 }
    }

    /// Makes an amount from units of 1e-8.
    pub const fn new(asset: Asset, units: i128) -> Self {
        Self { asset, units }
    }

    /// The sum of two amounts of one asset; `None` when the assets differ.
    pub fn checked_add(self, rhs: Self) -> Option<Self> {
        (self.asset == rhs.asset).then(|| Self { asset: self.asset, units: self.units + rhs.units })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", crate::format_units(self.units, MONEY_SCALE), self.asset)
    }
}

/// Hundredths of a percent, signed, in millionths (a fee of 0.02 % is `Bps::from_ppm(200)`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bps(i32);

impl Bps {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Makes a rate from parts per million.
    pub const fn from_ppm(ppm: i32) -> Self {
        Self(ppm)
    }

    /// Parts per million.
    pub const fn ppm(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", crate::format_units(i128::from(self.0), 4))
    }
}
