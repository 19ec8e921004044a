use super::{Held, Plan, Target};
use crate::Style;
use crate::indicators::PeriodError;
use crate::limits::{LAYERS_MAX, SHARE_MAX};
use core::time::Duration;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Asset, FilterError, Instrument, Price, Round, Side, Symbol, format_units};
use thiserror::Error;

/// Which positions a strategy may hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Direction {
    /// Long ones.
    Long,
    /// Short ones.
    Short,
    /// Either, one at a time.
    Both,
}

impl Direction {
    /// Whether a side may open.
    pub const fn allows(self, side: Side) -> bool {
        matches!((self, side), (Self::Both, _) | (Self::Long, Side::Buy) | (Self::Short, Side::Sell))
    }
}

/// How an entry is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Entry {
    /// It rests at the best price of its own side; it may not fill before its bar ends, and then there is none.
    Maker,
    /// It takes, up to the slippage that is allowed; the rest stays until its bar ends.
    Taker,
}

impl Entry {
    pub(super) const fn style(self) -> Style {
        match self {
            Self::Maker => Style::PostOnly,
            Self::Taker => Style::Limit,
        }
    }
}

/// What is common to all of them. Shares are in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TradeConfig {
    /// Which positions it may hold.
    pub direction: Direction,
    /// Length of a bar, whole minutes up to a day.
    pub bar: Duration,
    /// How entries are sent.
    pub entry: Entry,
    /// How much worse than the best price an entry may take, up to 5 %.
    pub slippage: u32,
    /// Loss, as a share of what the position cost, at which it is closed at market; zero for none.
    pub stop_loss: u32,
    /// Gain from which on the best price is trailed.
    pub trailing_from: u32,
    /// Fall from the best price at which the position is closed at market; zero for none.
    pub trailing: u32,
    /// Pause between a position and the next one.
    pub cooldown: Duration,
}

/// Why a strategy cannot run on a symbol.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum ParameterError {
    /// A parameter is out of range.
    #[error("{key} is {value}; allowed: {allowed}")]
    Range {
        /// The parameter.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// An indicator cannot be made.
    #[error("{key}: {source}")]
    Period {
        /// The parameter.
        key: &'static str,
        /// Why.
        source: PeriodError,
    },
    /// An order would break the exchange's filters.
    #[error(transparent)]
    Order(Box<BadOrder>),
}

/// An order that the exchange would not take.
#[derive(Clone, PartialEq, Debug, Error)]
#[error("{symbol}: layer {layer} of {amount} {quote} at {price} is {qty} {base}: {reason}")]
pub struct BadOrder {
    /// Symbol.
    pub symbol: Symbol,
    /// Which layer, from 0.
    pub layer: u8,
    /// What it may cost.
    pub amount: String,
    /// Quote asset.
    pub quote: Asset,
    /// Price looked at.
    pub price: String,
    /// Quantity it makes.
    pub qty: String,
    /// Base asset.
    pub base: Asset,
    /// The filter.
    pub reason: FilterError,
}

impl ParameterError {
    pub(crate) fn range(key: &'static str, value: impl core::fmt::Display, allowed: &'static str) -> Self {
        Self::Range { key, value: value.to_string(), allowed }
    }
}

impl TradeConfig {
    /// Checks what is common to all strategies.
    ///
    /// # Errors
    /// The first parameter that is out of range.
    pub fn check(&self) -> Result<(), ParameterError> {
        let minutes = self.bar.as_secs() / 60;
        if !(1..=1_440).contains(&minutes) || self.bar != Duration::from_secs(minutes * 60) {
            return Err(ParameterError::range("bar", format_args!("{} s", self.bar.as_secs()), "whole minutes, 1 to 1,440"));
        }
        let shares = [("stop_loss", self.stop_loss), ("trailing_from", self.trailing_from), ("trailing", self.trailing)];
        for (key, share) in shares {
            if share > SHARE_MAX {
                return Err(ParameterError::range(key, share, "0 to 900,000 millionths"));
            }
        }
        if self.slippage > 50_000 {
            return Err(ParameterError::range("slippage", self.slippage, "0 to 50,000 millionths"));
        }
        Ok(())
    }

    /// Checks a plan's layers against the exchange's filters at a price.
    ///
    /// # Errors
    /// The first layer that could not be ordered.
    pub fn check_layers(&self, plan: &impl Plan, instrument: &Instrument, price: Price) -> Result<(), ParameterError> {
        let layers = plan.layers_max();
        if layers == 0 || layers > LAYERS_MAX {
            return Err(ParameterError::range("layers", layers, "1 to 60"));
        }
        let price = instrument.round_price(price, Round::Down).unwrap_or(price);
        let band = instrument.percent_up.0.saturating_sub(1_000_000).min(1_000_000_u32.saturating_sub(instrument.percent_down.0));
        if self.entry == Entry::Taker && self.slippage > band {
            return Err(ParameterError::range("slippage", self.slippage, "no more than the exchange lets a price be off the mark price"));
        }
        for layer in 0..layers {
            self.check_target(plan, layer, instrument, price)?;
            let qty = instrument.qty_for(plan.amount(layer), price);
            match instrument.check_limit(price, qty, false) {
                Ok(()) | Err(FilterError::PriceRange { .. } | FilterError::OffTick { .. } | FilterError::OffStep { .. }) => {}
                Err(reason @ (FilterError::QtyRange { .. } | FilterError::MinNotional { .. })) => {
                    return Err(ParameterError::Order(Box::new(BadOrder {
                        symbol: instrument.symbol,
                        layer,
                        amount: format_units(plan.amount(layer), MONEY_SCALE).to_string(),
                        quote: instrument.quote,
                        price: instrument.show_price(price).to_string(),
                        qty: instrument.show_qty(qty).to_string(),
                        base: instrument.base,
                        reason,
                    })));
                }
            }
        }
        Ok(())
    }
}

impl TradeConfig {
    /// A target must bring more than the fees of its way in and out, and a short position can at most gain all that it brought.
    fn check_target<P: Plan>(&self, plan: &P, layer: u8, instrument: &Instrument, price: Price) -> Result<(), ParameterError> {
        let side = if self.direction.allows(Side::Sell) { Side::Sell } else { Side::Buy };
        let qty = instrument.qty_for(plan.amount(layer), price);
        let held = Held {
            side,
            qty,
            cost: (price * qty).units(),
            layers: layer.saturating_add(1),
            last_layer: layer,
            last: price,
            is_whole: true,
        };
        let Some(Target::Mean(gain) | Target::Own(gain)) = plan.target(&held, layer) else { return Ok(()) };
        let entry = if self.entry == Entry::Taker { instrument.taker_fee } else { instrument.maker_fee };
        let fees = i64::from(entry.ppm().max(0)) + i64::from(instrument.maker_fee.ppm().max(0));
        if i64::from(gain) <= fees {
            let told = format!("{gain} millionths, with fees of {fees}");
            return Err(ParameterError::range(P::TARGET, told, "more than the fees of an entry and an exit"));
        }
        if side == Side::Sell && gain > SHARE_MAX {
            return Err(ParameterError::range(P::TARGET, gain, "up to 900,000 millionths where short positions are allowed"));
        }
        Ok(())
    }
}

/// A price so many millionths away, on the side where what `side` opened gains (or loses, when negative), on the tick.
pub(super) fn shifted(price: Price, side: Side, ppm: i64, instrument: &Instrument, round: Round) -> Option<Price> {
    let ppm = if side == Side::Buy { ppm } else { -ppm };
    let product = i128::from(price.units()) * i128::from(1_000_000 + ppm);
    let units = match round {
        Round::Up => product.checked_add(999_999)?.div_euclid(1_000_000),
        Round::Down | Round::Nearest | Round::Exact => product.div_euclid(1_000_000),
    };
    let price = i64::try_from(units).ok().filter(|units| *units > 0).map(Price::from_units)?;
    instrument.round_price(price, round).filter(|price| !price.is_zero())
}
