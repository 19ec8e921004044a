//! How long orders and answers travel.

use crate::limits::LATENCY_POINTS_MAX;
use core::time::Duration;
use plimsoll_market::Time;
use thiserror::Error;

/// How long an order travels to the exchange, and an answer back.
///
/// What market data need to arrive is part of the way of an order: to see everything so much later and to be heard so much
/// later is the same, as long as the delay is constant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Latency {
    /// Always the same.
    Constant {
        /// From a market's event to the arrival of the order that it caused.
        order: Duration,
        /// From what happened to an order to our learning of it.
        answer: Duration,
    },
    /// As it was measured; between two points the straight line, before the first and after the last these.
    Measured(Measured),
}

/// Latencies at known times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
    points: Vec<Point>, // tidy: bounded by LATENCY_POINTS_MAX, checked when it is made
    at: usize,
}

/// A measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    /// When.
    pub time: Time,
    /// The way of an order, nanoseconds.
    pub order_ns: u64,
    /// The way of an answer, nanoseconds.
    pub answer_ns: u64,
}

/// Why measurements cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LatencyError {
    /// There is none.
    #[error("there is no measurement")]
    Empty,
    /// More than are kept.
    #[error("{0} measurements are more than {LATENCY_POINTS_MAX}; take one of a minute or of an hour")]
    TooMany(usize),
    /// They are not in order.
    #[error("measurement {place} at {time:?} does not come after the one before")]
    Unordered {
        /// Its place, counted from zero.
        place: usize,
        /// Its time.
        time: Time,
    },
}

impl Measured {
    /// Takes measurements, in the order of their times.
    ///
    /// # Errors
    /// None, too many, or out of order.
    pub fn new(points: Vec<Point>) -> Result<Self, LatencyError> {
        if points.is_empty() {
            return Err(LatencyError::Empty);
        }
        if points.len() > LATENCY_POINTS_MAX {
            return Err(LatencyError::TooMany(points.len()));
        }
        let bad = points.windows(2).position(|pair| matches!(pair, [a, b] if a.time >= b.time));
        if let Some(place) = bad.map(|at| at + 1) {
            return Err(LatencyError::Unordered { place, time: points.get(place).map_or(Time::ZERO, |p| p.time) });
        }
        Ok(Self { points, at: 0 })
    }

    /// Both ways at a time; times are asked for in about their order.
    fn at(&mut self, now: Time) -> (u64, u64) {
        while self.points.get(self.at + 1).is_some_and(|next| next.time <= now) {
            self.at += 1;
        }
        while self.at > 0 && self.points.get(self.at).is_some_and(|p| p.time > now) {
            self.at -= 1;
        }
        let Some(before) = self.points.get(self.at) else { return (0, 0) };
        let Some(after) = self.points.get(self.at + 1).filter(|_| before.time <= now) else { return (before.order_ns, before.answer_ns) };
        let (part, whole) = (now.since(before.time).as_nanos(), after.time.since(before.time).as_nanos());
        let between = |a: u64, b: u64| {
            let way = (i128::from(b) - i128::from(a)) * part as i128 / whole.max(1) as i128;
            u64::try_from(i128::from(a) + way).unwrap_or(a)
        };
        (between(before.order_ns, after.order_ns), between(before.answer_ns, after.answer_ns))
    }
}

impl Latency {
    /// The way of an order that is sent now, and of an answer.
    pub(crate) fn ways(&mut self, now: Time) -> (Duration, Duration) {
        match self {
            Self::Constant { order, answer } => (*order, *answer),
            Self::Measured(measured) => {
                let (order, answer) = measured.at(now);
                (Duration::from_nanos(order), Duration::from_nanos(answer))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn point(ms: u64, order_ns: u64, answer_ns: u64) -> Point {
        Point { time: Time::from_millis(ms), order_ns, answer_ns }
    }

    #[test]
    fn between_two_measurements_lies_the_straight_line() {
        let mut measured = Measured::new(vec![point(10, 1_000, 500), point(20, 3_000, 100), point(30, 2_000, 100)]).unwrap();
        let asked = [0, 10, 15, 20, 25, 29, 30, 99, 15].map(|ms| measured.at(Time::from_millis(ms)));
        let expected =
            [(1_000, 500), (1_000, 500), (2_000, 300), (3_000, 100), (2_500, 100), (2_100, 100), (2_000, 100), (2_000, 100), (2_000, 300)];
        assert_eq!(asked, expected);
    }

    #[test]
    fn measurements_out_of_order_are_refused() {
        assert_eq!(Measured::new(vec![]), Err(LatencyError::Empty));
        let error = Measured::new(vec![point(1, 0, 0), point(1, 0, 0)]).unwrap_err();
        assert_eq!(error, LatencyError::Unordered { place: 1, time: Time::from_millis(1) });
    }
}
