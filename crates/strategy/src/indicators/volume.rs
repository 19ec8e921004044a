use super::window::{Sum, Window};
use super::{Bar, Indicator, PeriodError, period};

/// On-balance volume: what was traded in rising bars less what was traded in falling ones. Warm with the first bar, whose volume it
/// begins with.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Obv {
    close: Option<f64>,
    sum: Sum,
}

impl Obv {
    /// Makes one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for Obv {
    type Input = Bar;
    type Output = f64;

    fn update(&mut self, bar: Bar) -> Option<f64> {
        if !bar.is_sound() {
            return None;
        }
        match self.close.replace(bar.close) {
            Some(close) if bar.close < close => self.sum.add(-bar.volume),
            Some(close) if bar.close > close => self.sum.add(bar.volume),
            None => self.sum.add(bar.volume),
            Some(_) => {}
        }
        self.value()
    }

    fn value(&self) -> Option<f64> {
        self.close.map(|_| self.sum.get())
    }

    fn warm_up(&self) -> usize {
        1
    }

    fn reset(&mut self) {
        *self = Self::new();
    }
}

/// The mean of the typical prices of the last bars, weighted by their volume. Warm after `period` bars; `None` while none of them
/// traded anything.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Vwap {
    worth: Window,
    volume: Window,
}

impl Vwap {
    /// Makes one over 1 to [`crate::limits::PERIOD_MAX`] bars.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        let n = period(n, 1)?;
        Ok(Self { worth: Window::new(n), volume: Window::new(n) })
    }
}

impl Indicator for Vwap {
    type Input = Bar;
    type Output = f64;

    fn update(&mut self, bar: Bar) -> Option<f64> {
        if !bar.is_sound() {
            return None;
        }
        self.worth.push(bar.typical() * bar.volume);
        self.volume.push(bar.volume);
        self.value()
    }

    fn value(&self) -> Option<f64> {
        let volume = self.volume.sum();
        (self.volume.is_full() && volume > 0.0).then(|| self.worth.sum() / volume)
    }

    fn warm_up(&self) -> usize {
        usize::from(self.volume.period())
    }

    fn reset(&mut self) {
        self.worth.clear();
        self.volume.clear();
    }
}
