//! A slope that a few wild readings cannot bend.

/// Points that the slope is taken of; more are thinned out evenly. Pairs grow with the square.
const POINTS_MAX: usize = 1_200;

/// The median of the slopes of all pairs of points (Theil and Sen), or `None` below two different abscissae.
pub(crate) fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let stride = points.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<(f64, f64)> = points.iter().copied().step_by(stride).collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (at, (x, y)) in points.iter().enumerate() {
        for (later_x, later_y) in points.iter().skip(at + 1) {
            if later_x > x {
                slopes.push((later_y - y) / (later_x - x));
            }
        }
    }
    median(&mut slopes)
}

/// The middle of the values, or the mean of the two in the middle.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(values.len() / 2 - 1).map(|lower| f64::midpoint(*lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: &[(f64, f64)], expected: Option<f64>) {
        let found = theil_sen(points);
        let equal = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(equal, "{found:?}, expected {expected:?}");
    }

    #[test]
    fn a_line_has_its_slope() {
        let line: Vec<(f64, f64)> = (0..50).map(|x| (f64::from(x), 3.0 - 0.5 * f64::from(x))).collect();
        check(&line, Some(-0.5));
    }

    #[test]
    fn a_fifth_of_wild_readings_changes_little() {
        let wild: Vec<(f64, f64)> = (0..100).map(|x| (f64::from(x), if x % 5 == 0 { 1e6 } else { 10.0 + 0.25 * f64::from(x) })).collect();
        let slope = theil_sen(&wild).unwrap();
        assert!((slope - 0.25).abs() < 0.1, "{slope}");
    }

    #[test]
    fn a_step_in_the_middle_is_no_slope_of_either_half_but_shows() {
        let step: Vec<(f64, f64)> = (0..40).map(|x| (f64::from(x), if x < 20 { 1.0 } else { 9.0 })).collect();
        assert!(theil_sen(&step).unwrap() > 0.0);
    }

    #[test]
    fn long_series_are_thinned_out_and_keep_their_slope() {
        let line: Vec<(f64, f64)> = (0..20_000).map(|x| (f64::from(x), 2.0 * f64::from(x))).collect();
        check(&line, Some(2.0));
    }

    #[test]
    fn without_two_places_there_is_none() {
        check(&[], None);
        check(&[(1.0, 5.0)], None);
        check(&[(1.0, 5.0), (1.0, 6.0)], None);
        check(&[(1.0, 5.0), (2.0, 6.0)], Some(1.0));
    }

    #[test]
    fn medians_of_even_and_odd_numbers() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
