use super::averages::Smooth;
use super::window::Sum;
use super::{Bar, Indicator, PeriodError, period, width};

/// Wilder's average true range. Warm after `period` + 1 bars: a bar's true range needs the close before it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Atr {
    close: Option<f64>,
    mean: Smooth,
}

impl Atr {
    /// Makes one over 1 to [`crate::limits::PERIOD_MAX`] bars.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        Ok(Self { close: None, mean: Smooth::wilder(period(n, 1)?) })
    }
}

impl Indicator for Atr {
    type Input = Bar;
    type Output = f64;

    fn update(&mut self, bar: Bar) -> Option<f64> {
        if !bar.is_sound() {
            return None;
        }
        if let Some(close) = self.close.replace(bar.close) {
            self.mean.push(bar.true_range(close));
        }
        self.value()
    }

    fn value(&self) -> Option<f64> {
        self.mean.get()
    }

    fn warm_up(&self) -> usize {
        usize::from(self.mean.period()) + 1
    }

    fn reset(&mut self) {
        self.close = None;
        self.mean.clear();
    }
}

/// What [`Adx`] tells, each 0 to 100.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdxValue {
    /// How strong the trend is, whichever way.
    pub adx: f64,
    /// How much goes up.
    pub plus: f64,
    /// How much goes down.
    pub minus: f64,
}

/// Wilder's average directional index. Warm after 2 × `period` bars. As TA-Lib has it: the first sums are of `period` − 1 bars.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Adx {
    period: u16,
    last: Option<Bar>,
    /// Bars taken after the first, until it is warm.
    seen: u16,
    plus: f64,
    minus: f64,
    range: f64,
    first: Sum,
    adx: f64,
}

impl Adx {
    /// Makes one over 2 to [`crate::limits::PERIOD_MAX`] bars.
    ///
    /// # Errors
    /// A period out of range.
    pub fn new(n: u16) -> Result<Self, PeriodError> {
        let period = period(n, 2)?;
        Ok(Self { period, last: None, seen: 0, plus: 0.0, minus: 0.0, range: 0.0, first: Sum::default(), adx: 0.0 })
    }

    /// Both directions, 0 to 100; `None` when nothing moved.
    fn directions(&self) -> Option<(f64, f64)> {
        (self.range > 0.0).then(|| (100.0 * self.plus / self.range, 100.0 * self.minus / self.range))
    }
}

impl Indicator for Adx {
    type Input = Bar;
    type Output = AdxValue;

    fn update(&mut self, bar: Bar) -> Option<AdxValue> {
        if !bar.is_sound() {
            return None;
        }
        let last = self.last.replace(bar)?;
        let (up, down) = (bar.high - last.high, last.low - bar.low);
        let plus = if up > down && up > 0.0 { up } else { 0.0 };
        let minus = if down > up && down > 0.0 { down } else { 0.0 };
        let range = bar.true_range(last.close);
        let n = f64::from(self.period);
        if self.seen < self.period - 1 {
            self.seen += 1;
            self.plus += plus;
            self.minus += minus;
            self.range += range;
            return None;
        }
        self.plus += plus - self.plus / n;
        self.minus += minus - self.minus / n;
        self.range += range - self.range / n;
        let index = self.directions().filter(|(p, m)| p + m > 0.0).map(|(p, m)| 100.0 * (p - m).abs() / (p + m));
        if self.seen < 2 * self.period - 1 {
            self.seen += 1;
            self.first.add(index.unwrap_or(0.0));
            self.adx = self.first.get() / n;
        } else if let Some(index) = index {
            self.adx = (self.adx * (n - 1.0) + index) / n;
        }
        self.value()
    }

    fn value(&self) -> Option<AdxValue> {
        if self.seen < 2 * self.period - 1 {
            return None;
        }
        let (plus, minus) = self.directions().unwrap_or((0.0, 0.0));
        Some(AdxValue { adx: self.adx, plus, minus })
    }

    fn warm_up(&self) -> usize {
        2 * usize::from(self.period)
    }

    fn reset(&mut self) {
        *self = Self { last: None, seen: 0, plus: 0.0, minus: 0.0, range: 0.0, first: Sum::default(), adx: 0.0, period: self.period };
    }
}

/// What [`SuperTrend`] tells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SuperTrendValue {
    /// The line: below the price while it rises, above it while it falls.
    pub line: f64,
    /// Whether it rises.
    pub up: bool,
}

/// A line so many average true ranges away from the price that moves only with the trend and turns when a close passes it. Warm with
/// the range, after `period` + 1 bars; it begins rising.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SuperTrend {
    range: Atr,
    width: f64,
    /// Upper and lower line, the close before and the direction.
    state: Option<(f64, f64, f64, bool)>,
}

impl SuperTrend {
    /// Makes one; usual are 10 bars and 3 ranges.
    ///
    /// # Errors
    /// A period or width out of range.
    pub fn new(n: u16, ranges: f64) -> Result<Self, PeriodError> {
        Ok(Self { range: Atr::new(n)?, width: width(ranges)?, state: None })
    }
}

impl Indicator for SuperTrend {
    type Input = Bar;
    type Output = SuperTrendValue;

    fn update(&mut self, bar: Bar) -> Option<SuperTrendValue> {
        if !bar.is_sound() {
            return None;
        }
        let away = self.range.update(bar)? * self.width;
        let middle = f64::midpoint(bar.high, bar.low);
        let (mut upper, mut lower) = (middle + away, middle - away);
        let mut up = true;
        if let Some((last_upper, last_lower, close, was_up)) = self.state {
            // A line moves towards the price only, until a close was beyond it.
            if close <= last_upper {
                upper = upper.min(last_upper);
            }
            if close >= last_lower {
                lower = lower.max(last_lower);
            }
            up = if was_up { bar.close >= lower } else { bar.close > upper };
        }
        self.state = Some((upper, lower, bar.close, up));
        self.value()
    }

    fn value(&self) -> Option<SuperTrendValue> {
        self.state.map(|(upper, lower, _, up)| SuperTrendValue { line: if up { lower } else { upper }, up })
    }

    fn warm_up(&self) -> usize {
        self.range.warm_up()
    }

    fn reset(&mut self) {
        self.range.reset();
        self.state = None;
    }
}
