use crate::decimal::{DecimalError, Round, divide, format_units, parse_units, rescale};
use crate::ids::{Asset, Symbol};
use crate::limits::MONEY_SCALE;
use crate::money::{Amount, Bps, Holding, Notional, Price, Qty, RefPrice};
use crate::order::OrderType;
use core::fmt;
use thiserror::Error;

/// A factor in parts per million (`PERCENT_PRICE` bounds: 1.05 is 1,050,000).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Percent(pub u32);

/// Whether the exchange trades a contract now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Trading {
    /// Orders are taken.
    Open,
    /// Listed, but not tradable (pre-trading, break, delivering, closed).
    Halted,
}

/// Why an order does not pass an instrument's filters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FilterError {
    /// The price is not a multiple of the tick.
    #[error("price {price} is off tick {tick}")]
    OffTick {
        /// Price, in units.
        price: i64,
        /// Tick, in units.
        tick: i64,
    },
    /// The price is outside the allowed range.
    #[error("price {price} is outside {min} to {max}")]
    PriceRange {
        /// Price, in units.
        price: i64,
        /// Lowest price, in units.
        min: i64,
        /// Highest price, in units.
        max: i64,
    },
    /// The quantity is not a multiple of the step.
    #[error("quantity {qty} is off step {step}")]
    OffStep {
        /// Quantity, in units.
        qty: u64,
        /// Step, in units.
        step: u64,
    },
    /// The quantity is outside the allowed range.
    #[error("quantity {qty} is outside {min} to {max}")]
    QtyRange {
        /// Quantity, in units.
        qty: u64,
        /// Smallest quantity, in units.
        min: u64,
        /// Largest quantity, in units.
        max: u64,
    },
    /// The order is worth less than the exchange takes.
    #[error("order value {value} is below the least of {min}")]
    MinNotional {
        /// Value, in units of the notional.
        value: i128,
        /// Least value, in the same units.
        min: i128,
    },
}

/// A tradable contract and its rules. Scales are fixed for ever; every other rule may change by [`crate::Event::Instrument`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instrument {
    /// The exchange's name of it.
    pub symbol: Symbol,
    /// What is traded.
    pub base: Asset,
    /// What it is priced and settled in.
    pub quote: Asset,
    /// Digits after the point of every price, 0 to 12. Never changes for a symbol.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::wire::scale"))]
    pub price_scale: u8,
    /// Digits after the point of every quantity, 0 to 12. Never changes for a symbol.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::wire::scale"))]
    pub qty_scale: u8,
    /// Prices are multiples of this.
    pub tick: Price,
    /// Lowest price of an order.
    pub price_min: Price,
    /// Highest price of an order.
    pub price_max: Price,
    /// Quantities are multiples of this.
    pub step: Qty,
    /// Smallest quantity of a limit order.
    pub qty_min: Qty,
    /// Largest quantity of a limit order.
    pub qty_max: Qty,
    /// Quantity step of a market order.
    pub market_step: Qty,
    /// Smallest quantity of a market order.
    pub market_qty_min: Qty,
    /// Largest quantity of a market order.
    pub market_qty_max: Qty,
    /// Least value of an order that does not only reduce.
    pub notional_min: Notional,
    /// Limit prices may be at most this factor of the mark price.
    pub percent_up: Percent,
    /// Limit prices must be at least this factor of the mark price.
    pub percent_down: Percent,
    /// Open orders that the exchange allows on this symbol.
    pub orders_max: u16,
    /// Fee of an order that rested; negative is a rebate.
    pub maker_fee: Bps,
    /// Fee of an order that took.
    pub taker_fee: Bps,
    /// Whether orders are taken now.
    pub trading: Trading,
}

impl Instrument {
    /// Reads a price; the result is on the scale, not necessarily on the tick.
    ///
    /// # Errors
    /// Malformed text, negative, out of range, or off the scale under [`Round::Exact`].
    pub fn parse_price(&self, text: &str, round: Round) -> Result<Price, DecimalError> {
        let units = parse_units(text, self.price_scale, round)?;
        i64::try_from(units).ok().filter(|u| *u >= 0).map(Price::from_units).ok_or(DecimalError::OutOfRange)
    }

    /// Reads a quantity; the result is on the scale, not necessarily on the step.
    ///
    /// # Errors
    /// Malformed text, negative, out of range, or off the scale under [`Round::Exact`].
    pub fn parse_qty(&self, text: &str, round: Round) -> Result<Qty, DecimalError> {
        let units = parse_units(text, self.qty_scale, round)?;
        i64::try_from(units).ok().filter(|u| *u >= 0).map(|u| Qty::from_units(u.unsigned_abs())).ok_or(DecimalError::OutOfRange)
    }

    /// Reads a signed position.
    ///
    /// # Errors
    /// Malformed text, out of range, or off the scale.
    pub fn parse_holding(&self, text: &str) -> Result<Holding, DecimalError> {
        let units = parse_units(text, self.qty_scale, Round::Exact)?;
        i64::try_from(units).map(Holding::from_units).map_err(|_| DecimalError::OutOfRange)
    }

    /// Brings a price onto the tick.
    pub fn round_price(&self, price: Price, round: Round) -> Option<Price> {
        let ticks = divide(i128::from(price.units()), i128::from(self.tick.units().max(1)), round)?;
        i64::try_from(ticks * i128::from(self.tick.units().max(1))).ok().map(Price::from_units)
    }

    /// Brings a quantity onto the step.
    pub fn round_qty(&self, qty: Qty, round: Round) -> Option<Qty> {
        let step = i128::from(self.step.units().max(1));
        let steps = divide(i128::from(qty.units()), step, round)?;
        u64::try_from(steps * step).ok().filter(|u| *u <= i64::MAX.unsigned_abs()).map(Qty::from_units)
    }

    /// What one order of a kind closes of what is held: at most the largest quantity that the kind may have, on its step. What is
    /// left over stays; less than a step, after the rules have changed, cannot be closed by an order.
    pub fn closing_qty(&self, held: Qty, kind: OrderType) -> Qty {
        let (step, most) = match kind {
            OrderType::Market => (self.market_step, self.market_qty_max),
            OrderType::Limit => (self.step, self.qty_max),
        };
        let units = held.units().min(most.units());
        Qty::from_units(units - units % step.units().max(1))
    }

    /// Turns a computed price into one on the tick.
    ///
    /// `None` for NaN, infinities, negatives and what is out of range: an indicator that went wrong never becomes an order.
    pub fn price(&self, value: f64, round: Round) -> Option<Price> {
        if !value.is_finite() || value < 0.0 {
            return None;
        }
        let tick = self.tick.units().max(1);
        let ticks = value * 10_f64.powi(i32::from(self.price_scale)) / tick as f64;
        let ticks = match round {
            Round::Down => ticks.floor(),
            Round::Up => ticks.ceil(),
            Round::Nearest | Round::Exact => ticks.round(),
        };
        if ticks * tick as f64 >= i64::MAX as f64 {
            return None;
        }
        (ticks as i64).checked_mul(tick).map(Price::from_units)
    }

    /// The most of the base asset that `money` (units of 1e-8 of the quote asset) buys at `price`, on the step, rounded down.
    pub fn qty_for(&self, money: i128, price: Price) -> Qty {
        if price.is_zero() || money <= 0 {
            return Qty::ZERO;
        }
        let scale = self.price_scale + self.qty_scale;
        let Ok(units) = rescale(money, MONEY_SCALE, scale, Round::Down) else { return Qty::ZERO };
        let raw = units / i128::from(price.units());
        let step = i128::from(self.step.units().max(1));
        u64::try_from(raw / step * step).ok().filter(|u| *u <= i64::MAX.unsigned_abs()).map_or(Qty::ZERO, Qty::from_units)
    }

    /// The value of a notional in the quote asset.
    ///
    /// # Errors
    /// Under [`Round::Exact`] when the two scales sum to more than eight digits and the value needs them.
    pub fn amount(&self, notional: Notional, round: Round) -> Result<Amount, DecimalError> {
        let units = rescale(notional.units(), self.price_scale + self.qty_scale, MONEY_SCALE, round)?;
        Ok(Amount::new(self.quote, units))
    }

    /// The fee of a fill, rounded to the nearest 1e-8 with halves away from zero; positive is paid.
    pub fn fee(&self, notional: Notional, rate: Bps) -> Amount {
        let product = notional.units() * i128::from(rate.ppm());
        let scale = self.price_scale + self.qty_scale + 6;
        let units = rescale(product, scale, MONEY_SCALE, Round::Nearest).unwrap_or(0);
        Amount::new(self.quote, units)
    }

    /// A price of this symbol as a reference price.
    pub fn ref_price(&self, price: Price) -> RefPrice {
        let units = rescale(i128::from(price.units()), self.price_scale, MONEY_SCALE, Round::Nearest).unwrap_or(0);
        RefPrice::from_units(i64::try_from(units).unwrap_or(i64::MAX))
    }

    /// A reference price on this symbol's scale (not its tick).
    pub fn price_of_ref(&self, price: RefPrice, round: Round) -> Option<Price> {
        let units = rescale(i128::from(price.units()), MONEY_SCALE, self.price_scale, round).ok()?;
        i64::try_from(units).ok().filter(|u| *u >= 0).map(Price::from_units)
    }

    /// The average price of a quantity that cost `cost`, at 1e-8, rounded to the nearest. Zero for no quantity.
    pub fn average(&self, cost: Notional, qty: Qty) -> RefPrice {
        if qty.is_zero() {
            return RefPrice::ZERO;
        }
        let scaled = rescale(cost.units(), self.price_scale, MONEY_SCALE, Round::Nearest).unwrap_or(0);
        let units = divide(scaled, i128::from(qty.units()), Round::Nearest).unwrap_or(0);
        RefPrice::from_units(i64::try_from(units).unwrap_or(i64::MAX))
    }

    /// Checks a limit order against the rules that need no market data.
    ///
    /// # Errors
    /// The first rule broken, with its numbers.
    #[inline]
    pub fn check_limit(&self, price: Price, qty: Qty, reduce_only: bool) -> Result<(), FilterError> {
        if price < self.price_min || price > self.price_max {
            return Err(FilterError::PriceRange { price: price.units(), min: self.price_min.units(), max: self.price_max.units() });
        }
        if price.units() % self.tick.units().max(1) != 0 {
            return Err(FilterError::OffTick { price: price.units(), tick: self.tick.units() });
        }
        if qty < self.qty_min || qty > self.qty_max || qty.is_zero() {
            return Err(FilterError::QtyRange { qty: qty.units(), min: self.qty_min.units(), max: self.qty_max.units() });
        }
        if !qty.units().is_multiple_of(self.step.units().max(1)) {
            return Err(FilterError::OffStep { qty: qty.units(), step: self.step.units() });
        }
        if !reduce_only && price * qty < self.notional_min {
            return Err(FilterError::MinNotional { value: (price * qty).units(), min: self.notional_min.units() });
        }
        Ok(())
    }

    /// Writes a price with all digits of its scale.
    pub fn show_price(&self, price: Price) -> impl fmt::Display {
        format_units(i128::from(price.units()), self.price_scale)
    }

    /// Writes a quantity with all digits of its scale.
    pub fn show_qty(&self, qty: Qty) -> impl fmt::Display {
        format_units(i128::from(qty.units()), self.qty_scale)
    }

    /// Writes a signed position with all digits of its scale.
    pub fn show_holding(&self, holding: Holding) -> impl fmt::Display {
        format_units(i128::from(holding.units()), self.qty_scale)
    }

    /// BTCUSDT perpetual with Binance's rules of 2024: for examples and tests.
    ///
    /// # Panics
    /// Never: the names are constants.
    #[expect(clippy::expect_used, reason = "constant names")]
    pub fn example_btcusdt() -> Self {
        Self {
            symbol: Symbol::new("BTCUSDT").expect("a constant name"),
            base: Asset::new("BTC").expect("a constant name"),
            quote: Asset::new("USDT").expect("a constant name"),
            price_scale: 2,
            qty_scale: 3,
            tick: Price::from_units(10),
            price_min: Price::from_units(55_680),
            price_max: Price::from_units(452_930_600),
            step: Qty::from_units(1),
            qty_min: Qty::from_units(1),
            qty_max: Qty::from_units(1_000_000),
            market_step: Qty::from_units(1),
            market_qty_min: Qty::from_units(1),
            market_qty_max: Qty::from_units(120_000),
            notional_min: Notional::from_units(100 * 100_000),
            percent_up: Percent(1_050_000),
            percent_down: Percent(950_000),
            orders_max: 200,
            maker_fee: Bps::from_ppm(200),
            taker_fee: Bps::from_ppm(500),
            trading: Trading::Open,
        }
    }
}
