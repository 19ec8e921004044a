//! Thinning out a chart without losing its extremes.

use plimsoll_market::Time;

use crate::limits::MEASURES_MAX;
use crate::{EquityPoint, SystemRow};

/// What a chart is made of.
pub(crate) trait Point: Copy + PartialEq {
    /// How many of its figures keep their extremes, 1 to [`MEASURES_MAX`].
    const MEASURES: usize;

    fn time(&self) -> Time;

    /// Returns one of these figures; `None` when it is unknown.
    fn measure(&self, at: usize) -> Option<i128>;
}

impl Point for EquityPoint {
    const MEASURES: usize = 1;

    fn time(&self) -> Time {
        self.time
    }

    fn measure(&self, _at: usize) -> Option<i128> {
        Some(self.equity())
    }
}

impl Point for SystemRow {
    const MEASURES: usize = 4;

    fn time(&self) -> Time {
        self.time
    }

    fn measure(&self, at: usize) -> Option<i128> {
        match at {
            0 => self.rss.map(i128::from),
            1 => self.cpu_milli.map(i128::from),
            2 => self.allocated.map(i128::from),
            _ => self.tasks.map(i128::from),
        }
    }
}

const _: () = assert!(EquityPoint::MEASURES <= MEASURES_MAX && SystemRow::MEASURES <= MEASURES_MAX);

/// Takes points in the order of their times and keeps at most a given number: all of them while they fit, and else the
/// least and the greatest by each measure of equal spans of time, as many spans as then fit.
pub(crate) struct Thinner<P> {
    from: Time,
    /// Nanoseconds of a span, 1 or more.
    span_ns: u64,
    points_max: usize,
    /// At most `points_max`.
    all: Vec<P>, // tidy: bounded by points_max
    /// Once there are too many: the spans done, two points a measure each at most.
    thin: Option<Vec<P>>, // tidy: bounded by two points a measure and span
    span: Option<Span<P>>,
}

struct Span<P> {
    at: u64,
    /// The least and the greatest by each measure.
    extremes: [Option<(P, P)>; MEASURES_MAX],
    /// Kept when no measure of any point is known.
    first: P,
}

impl<P: Point> Thinner<P> {
    /// Begins a chart of `points_max` points, 2 a measure or more, from `from` up to `to`.
    pub(crate) fn new(from: Time, to: Time, points_max: usize) -> Self {
        let points_max = points_max.max(2 * P::MEASURES);
        let spans = (points_max / (2 * P::MEASURES)) as u64;
        let range_ns = u64::try_from(to.since(from).as_nanos()).unwrap_or(u64::MAX);
        // Rounded up and one more: the last instant must not open a further span.
        let span_ns = range_ns / spans + 1;
        Self { from, span_ns, points_max, all: Vec::new(), thin: None, span: None }
    }

    pub(crate) fn push(&mut self, point: P) {
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

    pub(crate) fn finish(mut self) -> Vec<P> {
        self.close();
        self.thin.unwrap_or(self.all)
    }

    fn put(&mut self, point: P) {
        let since_ns = point.time().nanos().saturating_sub(self.from.nanos());
        let at = since_ns / self.span_ns;
        if self.span.as_ref().is_none_or(|span| span.at != at) {
            self.close();
            self.span = Some(Span { at, extremes: [None; MEASURES_MAX], first: point });
        }
        let Some(span) = &mut self.span else { return };
        for (measure, extreme) in span.extremes.iter_mut().take(P::MEASURES).enumerate() {
            if point.measure(measure).is_none() {
                continue;
            }
            match extreme {
                None => *extreme = Some((point, point)),
                Some((least, greatest)) => {
                    if point.measure(measure) < least.measure(measure) {
                        *least = point;
                    }
                    if point.measure(measure) > greatest.measure(measure) {
                        *greatest = point;
                    }
                }
            }
        }
    }

    /// Puts down the points of the span, in the order of their times, each once.
    fn close(&mut self) {
        let (Some(span), Some(thin)) = (self.span.take(), &mut self.thin) else { return };
        let begin = thin.len();
        thin.extend(span.extremes.into_iter().flatten().flat_map(|(least, greatest)| [least, greatest]));
        if thin.len() == begin {
            thin.push(span.first);
        }
        let mut kept: Vec<P> = thin.drain(begin..).collect();
        kept.sort_by_key(Point::time);
        for point in kept {
            // Equal ones need not be neighbours when they share their instant with another.
            if !thin.iter().skip(begin).any(|other| *other == point) {
                thin.push(point);
            }
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
    fn span_of_which_nothing_is_known_keeps_its_first_sample() {
        let mut thinner = Thinner::new(Time::ZERO, Time::from_millis(20), 8);
        (0..20).for_each(|at| thinner.push(sample(at, [None; 4])));
        assert_eq!(thinner.finish(), [sample(0, [None; 4])]);
    }

    #[test]
    fn keeps_all_that_fit_and_thins_out_one_more() {
        assert_eq!(thin(&[1, 9, 2, 3], 4), [1, 9, 2, 3]);
        assert_eq!(thin(&[1, 9, 2, 3, 3], 4), [1, 9, 3]);
        assert_eq!(thin(&[], 4), []);
    }

    fn sample(at: u64, values: [Option<u32>; 4]) -> SystemRow {
        let [rss, cpu_milli, allocated, tasks] = values;
        let time = Time::from_millis(at);
        SystemRow { rss: rss.map(u64::from), cpu_milli, allocated: allocated.map(u64::from), tasks, ..SystemRow::at(time) }
    }

    proptest! {
        #[test]
        fn keeps_the_extremes_of_every_figure_of_a_sample(
            values in proptest::collection::vec(any::<[Option<u32>; 4]>(), 0..200),
            points_max in 8_usize..60,
        ) {
            let samples: Vec<_> = values.iter().enumerate().map(|(at, values)| sample(at as u64, *values)).collect();
            let mut thinner = Thinner::new(Time::ZERO, Time::from_millis(samples.len() as u64), points_max);
            samples.iter().for_each(|sample| thinner.push(*sample));
            let thin = thinner.finish();
            prop_assert!(thin.len() <= points_max, "{}", thin.len());
            prop_assert!(thin.iter().all(|row| samples[row.time.millis() as usize] == *row), "a row that was never taken");
            prop_assert!(thin.is_sorted_by(|a, b| a.time < b.time), "out of order or twice");
            for measure in 0..SystemRow::MEASURES {
                let extremes = |rows: &[SystemRow]| {
                    let known = rows.iter().filter_map(|row| row.measure(measure));
                    (known.clone().min(), known.max())
                };
                prop_assert_eq!(extremes(&thin), extremes(&samples));
            }
        }

        #[test]
        fn keeps_extremes_and_the_limit(values in proptest::collection::vec(any::<i64>(), 0..400), points_max in 2_usize..50) {
            let thin = thin(&values, points_max);
            prop_assert!(thin.len() <= points_max);
            prop_assert_eq!(thin.iter().min().copied(), values.iter().min().map(|v| i128::from(*v)));
            prop_assert_eq!(thin.iter().max().copied(), values.iter().max().map(|v| i128::from(*v)));
        }
    }
}
