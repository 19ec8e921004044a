use super::averages::Smooth;
use super::window::{Highest, Window};
use super::{Bar, Ema, Indicator, PeriodError, Sma, period, takes};

/// Wilder's relative strength: how much of the movement was upwards, 0 to 100. Warm after `period` + 1 values. A price that does not
/// move at all has a strength of 50: it is neither.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rsi {
    last: Option<f64>,
    gain: Smooth,
    loss: Smooth,
}

impl Rsi {
    /// Makes one over 2 to [`crate::limits::PERIOD_MAX`] changes.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        let n = period(n, 2)?;
        Ok(Self { last: None, gain: Smooth::wilder(n), loss: Smooth::wilder(n) })
    }
}

impl Indicator for Rsi {
    type Input = f64;
    type Output = f64;

    fn update(&mut self, value: f64) -> Option<f64> {
        if !takes(value) {
            return None;
        }
        if let Some(last) = self.last.replace(value) {
            self.gain.push((value - last).max(0.0));
            self.loss.push((last - value).max(0.0));
        }
        self.value()
    }

    fn value(&self) -> Option<f64> {
        let (gain, loss) = (self.gain.get()?, self.loss.get()?);
        Some(if gain + loss > 0.0 { 100.0 * gain / (gain + loss) } else { 50.0 })
    }

    fn warm_up(&self) -> usize {
        usize::from(self.gain.period()) + 1
    }

    fn reset(&mut self) {
        self.last = None;
        self.gain.clear();
        self.loss.clear();
    }
}

/// What [`Macd`] tells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MacdValue {
    /// The short mean less the long one.
    pub macd: f64,
    /// The exponential mean of that.
    pub signal: f64,
    /// The one less the other.
    pub histogram: f64,
}

/// Two exponential means apart, and the mean of their distance. Warm after `long` + `signal` − 1 values. Each mean begins with the
/// plain mean of its own first values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Macd {
    short: Ema,
    long: Ema,
    signal: Ema,
}

impl Macd {
    /// Makes one; usual are 12, 26 and 9.
    ///
    /// # Errors
    /// A period out of range, or a short one that is not shorter.
    pub fn new(short: u16, long: u16, signal: u16) -> Result<Self, PeriodError> {
        if short >= long {
            return Err(PeriodError::Order { short, long });
        }
        Ok(Self { short: Ema::new(short)?, long: Ema::new(long)?, signal: Ema::new(signal)? })
    }
}

impl Indicator for Macd {
    type Input = f64;
    type Output = MacdValue;

    fn update(&mut self, value: f64) -> Option<MacdValue> {
        if !takes(value) {
            return None;
        }
        if let (Some(short), Some(long)) = (self.short.update(value), self.long.update(value)) {
            self.signal.update(short - long);
        }
        self.value()
    }

    fn value(&self) -> Option<MacdValue> {
        let (macd, signal) = (self.short.value()? - self.long.value()?, self.signal.value()?);
        Some(MacdValue { macd, signal, histogram: macd - signal })
    }

    fn warm_up(&self) -> usize {
        self.long.warm_up() + self.signal.warm_up() - 1
    }

    fn reset(&mut self) {
        self.short.reset();
        self.long.reset();
        self.signal.reset();
    }
}

/// What [`Stochastic`] tells, both 0 to 100.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StochasticValue {
    /// Where the close lies between lowest low and highest high, smoothed.
    pub k: f64,
    /// The mean of that.
    pub d: f64,
}

/// The slow stochastic oscillator. Warm after `period` + `slow` + `signal` − 2 bars. Zero where highest and lowest are the same.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stochastic {
    highest: Highest,
    lowest: Highest,
    k: Sma,
    d: Sma,
}

impl Stochastic {
    /// Makes one; usual are 14, 3 and 3.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16, slow: u16, signal: u16) -> Result<Self, PeriodError> {
        let n = period(n, 1)?;
        Ok(Self { highest: Highest::new(n), lowest: Highest::new(n), k: Sma::new(slow)?, d: Sma::new(signal)? })
    }
}

impl Indicator for Stochastic {
    type Input = Bar;
    type Output = StochasticValue;

    fn update(&mut self, bar: Bar) -> Option<StochasticValue> {
        if !bar.is_sound() {
            return None;
        }
        self.highest.push(bar.high);
        self.lowest.push(-bar.low);
        if let (Some(high), Some(low)) = (self.highest.get(), self.lowest.get()) {
            let range = high + low;
            let raw = if range > 0.0 { (bar.close + low) / range * 100.0 } else { 0.0 };
            if let Some(k) = self.k.update(raw) {
                self.d.update(k);
            }
        }
        self.value()
    }

    fn value(&self) -> Option<StochasticValue> {
        Some(StochasticValue { k: self.k.value()?, d: self.d.value()? })
    }

    fn warm_up(&self) -> usize {
        usize::from(self.highest.period()) + self.k.warm_up() + self.d.warm_up() - 2
    }

    fn reset(&mut self) {
        self.highest.clear();
        self.lowest.clear();
        self.k.reset();
        self.d.reset();
    }
}

/// The commodity channel index: how far the typical price is from its mean, in units of 0.015 mean distances. Warm after `period` bars.
/// Zero where nothing is away from the mean.
///
/// # Bounds
/// The mean distance has no constant-time form: an update passes over the window once, at most [`crate::limits::PERIOD_MAX`] values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cci {
    window: Window,
    last: f64,
}

impl Cci {
    /// Makes one over 2 to [`crate::limits::PERIOD_MAX`] bars.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        Ok(Self { window: Window::new(period(n, 2)?), last: 0.0 })
    }
}

impl Indicator for Cci {
    type Input = Bar;
    type Output = f64;

    fn update(&mut self, bar: Bar) -> Option<f64> {
        if !bar.is_sound() {
            return None;
        }
        self.last = bar.typical();
        self.window.push(self.last);
        self.value()
    }

    fn value(&self) -> Option<f64> {
        let mean = self.window.mean()?;
        let away = self.window.iter().map(|value| (value - mean).abs()).sum::<f64>() / f64::from(self.window.period());
        Some(if away > 0.0 { (self.last - mean) / (0.015 * away) } else { 0.0 })
    }

    fn warm_up(&self) -> usize {
        usize::from(self.window.period())
    }

    fn reset(&mut self) {
        self.window.clear();
        self.last = 0.0;
    }
}
