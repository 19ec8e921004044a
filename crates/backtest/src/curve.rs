//! A curve of fixed size over data of any length.

use crate::limits::{CURVE_POINTS, FILLS_SHOWN};
use crate::run::Sample;
use plimsoll_market::{Price, Qty, Side, Time};

/// What a span of time looked like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurvePoint {
    /// Time of its first sample.
    pub time: Time,
    /// Lowest worth, units of 1e-8.
    pub equity_min: i128,
    /// Highest worth.
    pub equity_max: i128,
    /// Last worth.
    pub equity: i128,
    /// Lowest price, 1e-8.
    pub price_min: i64,
    /// Highest price.
    pub price_max: i64,
    /// Last price.
    pub price: i64,
    /// Last signed size of the position.
    pub holding: i64,
    /// Deepest fall below the highest worth so far, units of 1e-8, not negative.
    pub fall: i128,
    /// The highest worth when the fall was deepest.
    pub peak: i128,
}

/// A curve: spans of equal length, twice as long whenever it is full.
///
/// # Bounds
/// [`CURVE_POINTS`] points.
#[derive(Clone, Debug)]
pub struct Curve {
    points: Vec<CurvePoint>, // tidy: bounded by CURVE_POINTS
    width: u64,
    until: Time,
}

impl Curve {
    /// An empty curve of spans of a second.
    pub fn new() -> Self {
        Self { points: Vec::with_capacity(CURVE_POINTS), width: 1_000_000_000, until: Time::ZERO }
    }

    /// Its points in the order of time.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }

    /// Adds a look at the account.
    #[inline]
    pub fn push(&mut self, sample: &Sample, peak: i128) {
        let (price, fall) = (sample.price.units(), (peak - sample.equity).max(0));
        if sample.time < self.until
            && let Some(point) = self.points.last_mut()
        {
            let one = CurvePoint { time: point.time, ..of(sample, price, fall, peak) };
            *point = join(point, &one);
            return;
        }
        if self.points.len() == CURVE_POINTS {
            self.halve();
        }
        self.until = Time::from_nanos((sample.time.nanos() / self.width + 1) * self.width);
        self.points.push(of(sample, price, fall, peak));
    }

    fn halve(&mut self) {
        self.width *= 2;
        let mut joined: Vec<CurvePoint> = Vec::with_capacity(CURVE_POINTS);
        for point in &self.points {
            match joined.last_mut() {
                Some(last) if last.time.nanos() / self.width == point.time.nanos() / self.width => *last = join(last, point),
                _ => joined.push(*point),
            }
        }
        // Samples far apart have a span each: then every second one is joined with its neighbour.
        if joined.len() > CURVE_POINTS * 3 / 4 {
            joined = joined.chunks(2).filter_map(|pair| pair.iter().copied().reduce(|a, b| join(&a, &b))).collect();
        }
        self.points = joined;
    }
}

impl Default for Curve {
    fn default() -> Self {
        Self::new()
    }
}

fn of(sample: &Sample, price: i64, fall: i128, peak: i128) -> CurvePoint {
    CurvePoint {
        time: sample.time,
        equity_min: sample.equity,
        equity_max: sample.equity,
        equity: sample.equity,
        price_min: price,
        price_max: price,
        price,
        holding: sample.holding,
        fall,
        peak,
    }
}

fn join(a: &CurvePoint, b: &CurvePoint) -> CurvePoint {
    let (fall, peak) = if b.fall > a.fall { (b.fall, b.peak) } else { (a.fall, a.peak) };
    CurvePoint {
        time: a.time,
        equity_min: a.equity_min.min(b.equity_min),
        equity_max: a.equity_max.max(b.equity_max),
        equity: b.equity,
        price_min: a.price_min.min(b.price_min),
        price_max: a.price_max.max(b.price_max),
        price: b.price,
        holding: b.holding,
        fall,
        peak,
    }
}

/// A mark in the price chart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// When.
    pub time: Time,
    /// At what price; zero for orders at market.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Direction.
    pub side: Side,
}

/// Marks of any number in a list of fixed size: when it is full, every second one goes, and of the later ones fewer come.
///
/// # Bounds
/// [`FILLS_SHOWN`] marks.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    list: Vec<Mark>, // tidy: bounded by FILLS_SHOWN
    every: u64,
    seen: u64,
}

impl Marks {
    /// Adds one.
    pub fn push(&mut self, mark: Mark) {
        self.every = self.every.max(1);
        self.seen += 1;
        if !(self.seen - 1).is_multiple_of(self.every) {
            return;
        }
        if self.list.len() == FILLS_SHOWN {
            let mut odd = false;
            self.list.retain(|_| {
                odd = !odd;
                odd
            });
            self.every *= 2;
        }
        self.list.push(mark);
    }

    /// Those that are kept.
    pub fn as_slice(&self) -> &[Mark] {
        &self.list
    }

    /// One in how many is kept.
    pub fn every(&self) -> u64 {
        self.every.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::RefPrice;

    #[test]
    fn a_long_curve_keeps_its_extremes_and_its_size() {
        let mut curve = Curve::new();
        for i in 0..100_000_u64 {
            let equity = if i == 77_777 { -5 } else { 1_000 + i as i128 % 7 };
            let price = RefPrice::from_units(if i == 3 { 9_999 } else { 100 });
            let time = Time::from_millis(1_700_000_000_000 + i * 60_000);
            let sample = Sample { time, price, equity, wallet: 0, notional: 0, holding: i as i64, liquidation: RefPrice::ZERO };
            curve.push(&sample, 1_006);
        }
        let points = curve.points();
        assert!(points.len() <= CURVE_POINTS && points.len() > CURVE_POINTS / 4, "{}", points.len());
        assert_eq!(points.iter().map(|p| p.equity_min).min(), Some(-5));
        assert_eq!(points.iter().map(|p| p.fall).max(), Some(1_011));
        assert_eq!(points.iter().map(|p| p.price_max).max(), Some(9_999));
        assert_eq!(points.last().map(|p| p.holding), Some(99_999));
        assert!(points.is_sorted_by_key(|p| p.time));
    }

    #[test]
    fn marks_thin_out_evenly() {
        let mut marks = Marks::default();
        for i in 0..100_000 {
            marks.push(Mark { time: Time::from_millis(i), price: Price::ZERO, qty: Qty::ZERO, side: Side::Buy });
        }
        let kept = marks.as_slice();
        assert!(kept.len() <= FILLS_SHOWN && kept.len() >= FILLS_SHOWN / 2 - 1, "{}", kept.len());
        let steps: Vec<u64> = kept.windows(2).map(|w| w[1].time.millis() - w[0].time.millis()).collect();
        assert!(steps.iter().all(|step| *step == marks.every()), "{:?}", marks.every());
    }
}
