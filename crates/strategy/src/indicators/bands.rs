use super::window::{Highest, Spread};
use super::{Atr, Bar, Ema, Indicator, PeriodError, period, takes, width};

/// A middle line with one above and one below.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Band {
    /// The upper line.
    pub upper: f64,
    /// The middle.
    pub middle: f64,
    /// The lower line.
    pub lower: f64,
}

/// Bollinger bands: the mean of the last values, and so many deviations (of the population) above and below. Warm after `period` values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bollinger {
    spread: Spread,
    width: f64,
}

impl Bollinger {
    /// Makes them over 2 to [`crate::limits::PERIOD_MAX`] values, `deviations` wide on each side.
    ///
    /// # Errors
    /// A period or width out of range.
    pub fn new(n: u16, deviations: f64) -> Result<Self, PeriodError> {
        Ok(Self { spread: Spread::new(period(n, 2)?), width: width(deviations)? })
    }
}

impl Indicator for Bollinger {
    type Input = f64;
    type Output = Band;

    fn update(&mut self, value: f64) -> Option<Band> {
        if !takes(value) {
            return None;
        }
        self.spread.push(value);
        self.value()
    }

    fn value(&self) -> Option<Band> {
        let (middle, deviation) = self.spread.get()?;
        let away = deviation * self.width;
        Some(Band { upper: middle + away, middle, lower: middle - away })
    }

    fn warm_up(&self) -> usize {
        usize::from(self.spread.period())
    }

    fn reset(&mut self) {
        self.spread.clear();
    }
}

/// How many deviations (of the population) the newest value is from the mean of the last ones. Warm after `period` values; zero in a
/// window without any deviation.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ZScore {
    spread: Spread,
    last: f64,
}

impl ZScore {
    /// Makes one over 2 to [`crate::limits::PERIOD_MAX`] values.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        Ok(Self { spread: Spread::new(period(n, 2)?), last: 0.0 })
    }
}

impl Indicator for ZScore {
    type Input = f64;
    type Output = f64;

    fn update(&mut self, value: f64) -> Option<f64> {
        if !takes(value) {
            return None;
        }
        self.spread.push(value);
        self.last = value;
        self.value()
    }

    fn value(&self) -> Option<f64> {
        let (mean, deviation) = self.spread.get()?;
        Some(if deviation > 0.0 { (self.last - mean) / deviation } else { 0.0 })
    }

    fn warm_up(&self) -> usize {
        usize::from(self.spread.period())
    }

    fn reset(&mut self) {
        self.spread.clear();
        self.last = 0.0;
    }
}

/// The deviation (of the population) of the logarithmic returns of the last prices, times the root of how many there are in a year.
/// Warm after `period` + 1 prices.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RealizedVolatility {
    spread: Spread,
    last: Option<f64>,
    scale: f64,
}

impl RealizedVolatility {
    /// Makes one over 2 to [`crate::limits::PERIOD_MAX`] returns; with `per_year` of 1 it is that of a single return.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16, per_year: u32) -> Result<Self, PeriodError> {
        Ok(Self { spread: Spread::new(period(n, 2)?), last: None, scale: f64::from(per_year.max(1)).sqrt() })
    }
}

impl Indicator for RealizedVolatility {
    type Input = f64;
    type Output = f64;

    /// A price of zero or less is refused, too.
    fn update(&mut self, price: f64) -> Option<f64> {
        if !takes(price) || price <= 0.0 {
            return None;
        }
        if let Some(last) = self.last.replace(price) {
            self.spread.push((price / last).ln());
        }
        self.value()
    }

    fn value(&self) -> Option<f64> {
        self.spread.get().map(|(_, deviation)| deviation * self.scale)
    }

    fn warm_up(&self) -> usize {
        usize::from(self.spread.period()) + 1
    }

    fn reset(&mut self) {
        self.spread.clear();
        self.last = None;
    }
}

/// Keltner channels: an exponential mean of the closes, and so many average true ranges above and below. Warm when both are.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Keltner {
    mean: Ema,
    range: Atr,
    width: f64,
}

impl Keltner {
    /// Makes them with a mean over `n` closes and a range over `range` bars, `ranges` wide on each side.
    ///
    /// # Errors
    /// A period or width out of range.
    pub fn new(n: u16, range: u16, ranges: f64) -> Result<Self, PeriodError> {
        Ok(Self { mean: Ema::new(n)?, range: Atr::new(range)?, width: width(ranges)? })
    }
}

impl Indicator for Keltner {
    type Input = Bar;
    type Output = Band;

    fn update(&mut self, bar: Bar) -> Option<Band> {
        if !bar.is_sound() {
            return None;
        }
        self.mean.update(bar.close);
        self.range.update(bar);
        self.value()
    }

    fn value(&self) -> Option<Band> {
        let middle = self.mean.value()?;
        let away = self.range.value()? * self.width;
        Some(Band { upper: middle + away, middle, lower: middle - away })
    }

    fn warm_up(&self) -> usize {
        self.mean.warm_up().max(self.range.warm_up())
    }

    fn reset(&mut self) {
        self.mean.reset();
        self.range.reset();
    }
}

/// Donchian channels: the highest high and the lowest low of the last bars, the newest included. Warm after `period` bars.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Donchian {
    highest: Highest,
    /// Of the lows below zero: their highest is the lowest low.
    lowest: Highest,
}

impl Donchian {
    /// Makes them over 1 to [`crate::limits::PERIOD_MAX`] bars.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        let n = period(n, 1)?;
        Ok(Self { highest: Highest::new(n), lowest: Highest::new(n) })
    }
}

impl Indicator for Donchian {
    type Input = Bar;
    type Output = Band;

    fn update(&mut self, bar: Bar) -> Option<Band> {
        if !bar.is_sound() {
            return None;
        }
        self.highest.push(bar.high);
        self.lowest.push(-bar.low);
        self.value()
    }

    fn value(&self) -> Option<Band> {
        let (upper, lower) = (self.highest.get()?, -self.lowest.get()?);
        Some(Band { upper, middle: f64::midpoint(upper, lower), lower })
    }

    fn warm_up(&self) -> usize {
        usize::from(self.highest.period())
    }

    fn reset(&mut self) {
        self.highest.clear();
        self.lowest.clear();
    }
}
