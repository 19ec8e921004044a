//! Thinning out a chart without losing its extremes.

use plimsoll_market::Time;

use crate::EquityPoint;

/// Takes points in the order of their times and keeps at most a given number: all of them while they fit, and else the
/// least and the greatest of each of half as many equal spans of time.
pub(crate) struct Thinner {
    from: Time,
    /// Nanoseconds of a span, 1 or more.
    span_ns: u64,
    points_max: usize,
    /// At most `points_max`.
    all: Vec<EquityPoint>, // tidy: bounded by points_max
    /// Once there are too many: the spans done, two points each at most.
    thin: Option<Vec<EquityPoint>>, // tidy: bounded by two points a span
    span: Option<Span>,
}

struct Span {
    at: u64,
    least: EquityPoint,
    greatest: EquityPoint,
}

impl Thinner {
    /// Begins a chart of `points_max` points, 2 or more, from `from` up to `to`.
    pub(crate) fn new(from: Time, to: Time, points_max: usize) -> Self {
        let spans = (points_max.max(2) / 2) as u64;
        let range_ns = u64::try_from(to.since(from).as_nanos()).unwrap_or(u64::MAX);
        // Rounded up and one more: the last instant must not open a further span.
        let span_ns = range_ns / spans + 1;
        Self { from, span_ns, points_max: points_max.max(2), all: Vec::new(), thin: None, span: None }
    }

    pub(crate) fn push(&mut self, point: EquityPoint) {
        if self.thin.is_none() {
            if self.all.len() < self.points_max {
                self.all.push(point);
                return;
            }
            self.thin = Some(Vec::new());
            for point in std::mem::take(&mut self.all) {
                self.put(point);
            }
        }
        self.put(point);
    }

    pub(crate) fn finish(mut self) -> Vec<EquityPoint> {
        self.close();
        self.thin.unwrap_or(self.all)
    }

    fn put(&mut self, point: EquityPoint) {
        let since_ns = point.time.nanos().saturating_sub(self.from.nanos());
        let at = since_ns / self.span_ns;
        match &mut self.span {
            Some(span) if span.at == at => {
                if point.equity() < span.least.equity() {
                    span.least = point;
                }
                if point.equity() > span.greatest.equity() {
                    span.greatest = point;
                }
            }
            _ => {
                self.close();
                self.span = Some(Span { at, least: point, greatest: point });
            }
        }
    }

    /// Puts down the two points of the span, in the order of their times.
    fn close(&mut self) {
        let (Some(span), Some(thin)) = (self.span.take(), &mut self.thin) else { return };
        let Span { at: _, least, greatest } = span;
        let (first, second) = if least.time <= greatest.time { (least, greatest) } else { (greatest, least) };
        thin.push(first);
        if first != second {
            thin.push(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::Name;
    use proptest::prelude::*;

    fn thin(values: &[i64], points_max: usize) -> Vec<i128> {
        let to = Time::from_millis(values.len() as u64);
        let mut thinner = Thinner::new(Time::ZERO, to, points_max);
        for (at, value) in values.iter().enumerate() {
            let time = Time::from_millis(at as u64);
            thinner.push(EquityPoint { time, account: Name::new("main").unwrap(), wallet: i128::from(*value), unrealized: 0 });
        }
        let points = thinner.finish();
        assert!(points.is_sorted_by_key(|point| point.time), "out of order");
        points.iter().map(EquityPoint::equity).collect()
    }

    #[test]
    fn keeps_all_that_fit_and_thins_out_one_more() {
        assert_eq!(thin(&[1, 9, 2, 3], 4), [1, 9, 2, 3]);
        assert_eq!(thin(&[1, 9, 2, 3, 3], 4), [1, 9, 3]);
        assert_eq!(thin(&[], 4), []);
    }

    proptest! {
        #[test]
        fn keeps_extremes_and_the_limit(values in proptest::collection::vec(any::<i64>(), 0..400), points_max in 2_usize..50) {
            let thin = thin(&values, points_max);
            prop_assert!(thin.len() <= points_max);
            prop_assert_eq!(thin.iter().min().copied(), values.iter().min().map(|v| i128::from(*v)));
            prop_assert_eq!(thin.iter().max().copied(), values.iter().max().map(|v| i128::from(*v)));
        }
    }
}
