//! Indicators: figures that follow a stream of values, each update in constant time and in memory taken once.
//!
//! All of them keep the same rules. [`Indicator::update`] takes one value or [`Bar`] and gives the figure as soon as it is warm;
//! how many inputs that takes is [`Indicator::warm_up`]. An input that is no number, infinite or beyond
//! [`crate::limits::INPUT_MAX`] is refused: nothing changes, and that update has no figure. Sums over a window are compensated and
//! begun anew with each turn of the window, so that they are as exact after a year as on the first day, whatever came between.
//!
//! They are our own: of the crates that are incremental the best one (quantedge-ta 0.21) lets one NaN poison an average for ever,
//! keeps the error of one absurd tick for ever, lets the deviation of a window drift, and cannot be written down for the journal.
//! Definitions are those of TA-Lib where it has the indicator; `tests/indicators` compares them to 1e-9.
//!
//! ```
//! use plimsoll_strategy::indicators::{Indicator, Sma};
//!
//! let mut mean = Sma::new(3)?;
//! assert_eq!([1.0, 2.0, f64::NAN, 6.0, 4.0].map(|x| mean.update(x)), [None, None, None, Some(3.0), Some(4.0)]);
//! # Ok::<(), plimsoll_strategy::indicators::PeriodError>(())
//! ```

mod averages;
mod bands;
mod bars;
mod oscillators;
mod trend;
mod volume;
mod window;

pub use averages::{Ema, Sma, Wma};
pub use bands::{Band, Bollinger, Donchian, Keltner, RealizedVolatility, ZScore};
pub use bars::{Bar, Bars, Closed};
pub use oscillators::{Cci, Macd, MacdValue, Rsi, Stochastic, StochasticValue};
pub use trend::{Adx, AdxValue, Atr, SuperTrend, SuperTrendValue};
pub use volume::{Obv, Vwap};

use crate::limits::{INPUT_MAX, PERIOD_MAX};
use thiserror::Error;

/// A figure that follows a stream.
pub trait Indicator {
    /// What it is fed.
    type Input;
    /// What it tells.
    type Output;

    /// Takes the next input and tells the figure; `None` until it is warm, and for an input that is refused.
    fn update(&mut self, input: Self::Input) -> Option<Self::Output>;

    /// The figure after the last input that was taken; `None` until it is warm.
    fn value(&self) -> Option<Self::Output>;

    /// Inputs that it takes until there is a figure, at least 1.
    fn warm_up(&self) -> usize;

    /// Forgets all inputs.
    fn reset(&mut self);
}

/// A parameter that an indicator cannot have.
#[derive(Clone, Copy, PartialEq, Debug, Error)]
pub enum PeriodError {
    /// Too few or too many values to look back over.
    #[error("a period of {period} is not within {least} to {PERIOD_MAX}")]
    Range {
        /// What was asked for.
        period: u16,
        /// The least that has a meaning.
        least: u16,
    },
    /// The shorter of two periods is not shorter.
    #[error("a short period of {short} is not below the long one of {long}")]
    Order {
        /// The short one.
        short: u16,
        /// The long one.
        long: u16,
    },
    /// A width that is no positive number.
    #[error("a width of {0} is not above 0 and at most 100")]
    Width(f64),
}

fn period(period: u16, least: u16) -> Result<u16, PeriodError> {
    if (least..=PERIOD_MAX).contains(&period) { Ok(period) } else { Err(PeriodError::Range { period, least }) }
}

fn width(width: f64) -> Result<f64, PeriodError> {
    if width > 0.0 && width <= 100.0 { Ok(width) } else { Err(PeriodError::Width(width)) }
}

/// Whether an indicator takes a value.
fn takes(value: f64) -> bool {
    value.abs() <= INPUT_MAX
}

#[cfg(test)]
mod tests;
