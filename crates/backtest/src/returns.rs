//! Returns of periods of one length, and their moments.

use crate::figures::YEAR;
use crate::limits::TRIPS_KEPT;
use core::time::Duration;

/// Of fewer returns a ratio says nothing.
const PERIODS_MIN: u64 = 20;

/// Returns of periods of one length: what Sharpe and Sortino are made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Returns {
    /// Nanoseconds.
    length: u64,
    /// End of the present period, and the worth at its beginning.
    until: u64,
    begin: f64,
    pub(crate) count: u64,
    mean: f64,
    squares: f64,
    cubes: f64,
    fourths: f64,
    down: f64,
    /// Each of them, when that is asked for.
    pub(crate) kept: Option<Vec<f64>>, // tidy: bounded by TRIPS_KEPT
}

impl Returns {
    pub(crate) const fn new(length: Duration) -> Self {
        Self {
            length: length.as_nanos() as u64,
            until: 0,
            begin: 0.0,
            count: 0,
            mean: 0.0,
            squares: 0.0,
            cubes: 0.0,
            fourths: 0.0,
            down: 0.0,
            kept: None,
        }
    }

    /// Takes the worth at a time. Periods begin at whole multiples of their length; one that nobody looked at has no return.
    #[inline]
    pub(crate) fn push(&mut self, time: u64, equity: i128, last: i128) {
        if time < self.until {
            return;
        }
        if self.until > 0 && self.begin > 0.0 {
            let ended = (time - self.until) / self.length;
            // The period ended with the last look before its end; those after it that nobody looked at earned nothing.
            self.add(last as f64 / self.begin - 1.0);
            for _ in 0..ended.min(10_000) {
                self.add(0.0);
            }
            self.begin = last as f64;
        } else {
            self.begin = equity as f64;
        }
        self.until = (time / self.length + 1) * self.length;
    }

    fn add(&mut self, value: f64) {
        if let Some(kept) = self.kept.as_mut().filter(|kept| kept.len() < TRIPS_KEPT) {
            kept.push(value);
        }
        // Moments about the mean, one value at a time: Pébay, Sandia report SAND2008-6212, equations 2.1 with one value.
        let before = self.count as f64;
        self.count += 1;
        let n = self.count as f64;
        let off = (value - self.mean) / n;
        let square = off * off;
        let term = (value - self.mean) * off * before;
        self.fourths += term * square * (n * n - 3.0 * n + 3.0) + 6.0 * square * self.squares - 4.0 * off * self.cubes;
        self.cubes += term * off * (n - 2.0) - 3.0 * off * self.squares;
        self.squares += term;
        self.mean += off;
        self.down += value.min(0.0).powi(2);
    }

    fn a_year(&self) -> f64 {
        (YEAR.as_nanos() as f64 / self.length as f64).sqrt()
    }

    pub(crate) fn sharpe(&self) -> Option<f64> {
        let deviation = (self.squares / (self.count.checked_sub(1)? as f64)).sqrt();
        (self.count >= PERIODS_MIN && deviation > 0.0).then(|| self.mean / deviation * self.a_year())
    }

    /// Third moment by the 1.5th power of the second, both of all n: 0 of a normal distribution.
    pub(crate) fn skewness(&self) -> Option<f64> {
        (self.count > 2 && self.squares > 0.0).then(|| (self.count as f64).sqrt() * self.cubes / self.squares.powf(1.5))
    }

    /// Fourth moment by the square of the second, both of all n: 3 of a normal distribution.
    pub(crate) fn kurtosis(&self) -> Option<f64> {
        (self.count > 3 && self.squares > 0.0).then(|| self.count as f64 * self.fourths / self.squares.powi(2))
    }

    pub(crate) fn sortino(&self) -> Option<f64> {
        let deviation = (self.down / self.count as f64).sqrt();
        (self.count >= PERIODS_MIN && deviation > 0.0).then(|| self.mean / deviation * self.a_year())
    }
}
