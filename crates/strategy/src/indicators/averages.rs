use super::window::{Sum, Window};
use super::{Indicator, PeriodError, period, takes};

/// The mean of the last so many values. Warm after `period` values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sma {
    window: Window,
}

impl Sma {
    /// Makes one over 1 to [`crate::limits::PERIOD_MAX`] values.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        Ok(Self { window: Window::new(period(n, 1)?) })
    }
}

impl Indicator for Sma {
    type Input = f64;
    type Output = f64;

    fn update(&mut self, value: f64) -> Option<f64> {
        if !takes(value) {
            return None;
        }
        self.window.push(value);
        self.value()
    }

    fn value(&self) -> Option<f64> {
        self.window.mean()
    }

    fn warm_up(&self) -> usize {
        usize::from(self.window.period())
    }

    fn reset(&mut self) {
        self.window.clear();
    }
}

/// The exponential mean with a weight of 2 / (period + 1), begun with the plain mean of the first values. Warm after `period` values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ema {
    smooth: Smooth,
}

impl Ema {
    /// Makes one over 1 to [`crate::limits::PERIOD_MAX`] values.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        let n = period(n, 1)?;
        Ok(Self { smooth: Smooth::new(n, 2.0 / (f64::from(n) + 1.0)) })
    }
}

impl Indicator for Ema {
    type Input = f64;
    type Output = f64;

    fn update(&mut self, value: f64) -> Option<f64> {
        if takes(value) { self.smooth.push(value) } else { None }
    }

    fn value(&self) -> Option<f64> {
        self.smooth.get()
    }

    fn warm_up(&self) -> usize {
        usize::from(self.smooth.period())
    }

    fn reset(&mut self) {
        self.smooth.clear();
    }
}

/// An exponential mean of any weight, begun with the plain mean of the first values: Wilder's has a weight of 1 / period.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Smooth {
    period: u16,
    weight: f64,
    seen: u16,
    first: Sum,
    mean: f64,
}

impl Smooth {
    pub(super) fn new(period: u16, weight: f64) -> Self {
        Self { period, weight, seen: 0, first: Sum::default(), mean: 0.0 }
    }

    pub(super) fn wilder(period: u16) -> Self {
        Self::new(period, 1.0 / f64::from(period))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.period, self.weight);
    }

    pub(super) const fn period(&self) -> u16 {
        self.period
    }

    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.period {
            self.seen += 1;
            self.first.add(value);
            self.mean = self.first.get() / f64::from(self.period);
        } else {
            self.mean += (value - self.mean) * self.weight;
        }
        self.get()
    }

    pub(super) fn get(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.mean)
    }
}

/// The mean with linear weights, the newest value's being `period`. Warm after `period` values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Wma {
    window: Window,
    weighted: Sum,
}

impl Wma {
    /// Makes one over 1 to [`crate::limits::PERIOD_MAX`] values.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        Ok(Self { window: Window::new(period(n, 1)?), weighted: Sum::default() })
    }
}

impl Indicator for Wma {
    type Input = f64;
    type Output = f64;

    fn update(&mut self, value: f64) -> Option<f64> {
        if !takes(value) {
            return None;
        }
        let (before, full) = (self.window.sum(), self.window.is_full());
        self.window.push(value);
        if !full || self.window.turned() {
            self.weighted = Sum::default();
            for (n, value) in self.window.iter().enumerate() {
                self.weighted.add(value * (n + 1) as f64);
            }
        } else {
            // Every value's weight falls by one, and the newest one's is the period.
            self.weighted.add(f64::from(self.window.period()) * value);
            self.weighted.add(-before);
        }
        self.value()
    }

    fn value(&self) -> Option<f64> {
        let n = f64::from(self.window.period());
        self.window.is_full().then(|| self.weighted.get() / (n * (n + 1.0) / 2.0))
    }

    fn warm_up(&self) -> usize {
        usize::from(self.window.period())
    }

    fn reset(&mut self) {
        self.window.clear();
        self.weighted = Sum::default();
    }
}
