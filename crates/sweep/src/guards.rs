//! Guards against believing the best of many: how good it had to be by luck alone, and how much worse its losses could have come.

use crate::limits::RESHUFFLES_MAX;
use crate::propose::{below, generator};
use serde::Serialize;

/// Euler's and Mascheroni's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// The distribution function of the standard normal distribution.
pub fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / core::f64::consts::SQRT_2)
}

/// The x at which [`normal`] is `p`, between 0 and 1; right to 1e-9 from 1e-9 to 1 − 1e-9, infinite at the ends.
pub fn quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    // Halves of where it can be: sixty steps from 80 apart leave less than 1e-16.
    let (mut low, mut high) = (-40.0_f64, 40.0_f64);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if normal(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// What the best Sharpe ratio is worth when it was chosen out of many. All ratios are of one period, not annualised.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Deflated {
    /// The Sharpe ratio that was found.
    pub sharpe: f64,
    /// Returns it is made of.
    pub periods: u64,
    /// Their skewness.
    pub skewness: f64,
    /// Their kurtosis; 3 of a normal distribution.
    pub kurtosis: f64,
    /// Trials it was chosen from.
    pub trials: u64,
    /// Variance of their Sharpe ratios.
    pub variance: f64,
    /// The best Sharpe ratio that so many trials without any skill would be expected to have.
    pub by_luck: f64,
    /// Probability that the true Sharpe ratio is above that: the deflated Sharpe ratio. Above 0.95 is usually asked for.
    pub probability: f64,
}

/// The deflated Sharpe ratio (Bailey and López de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40, 2014):
///
/// ```text
/// SR₀ = √V · ((1 − γ) · Z⁻¹(1 − 1/N) + γ · Z⁻¹(1 − 1/(N·e)))
/// DSR = Z( (SR − SR₀) · √(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4 · SR²) )
/// ```
///
/// with N trials whose Sharpe ratios have the variance V, T returns of skewness γ₃ and kurtosis γ₄, and γ of Euler and Mascheroni.
/// Trials of a search resemble each other; that they count as independent makes it stricter, not milder. Of a single trial SR₀ is 0.
///
/// `None` when there are fewer than two returns, or when the figures contradict each other.
pub fn deflated(sharpe: f64, periods: u64, skewness: f64, kurtosis: f64, trials: u64, variance: f64) -> Option<Deflated> {
    if periods < 2 || trials == 0 || variance.is_nan() || variance < 0.0 {
        return None;
    }
    let n = trials as f64;
    let by_luck = if trials == 1 {
        0.0
    } else {
        variance.sqrt() * ((1.0 - GAMMA) * quantile(1.0 - 1.0 / n) + GAMMA * quantile(1.0 - 1.0 / (n * core::f64::consts::E)))
    };
    let spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
    if spread.is_nan() || spread <= 0.0 {
        return None;
    }
    let probability = normal((sharpe - by_luck) * ((periods - 1) as f64).sqrt() / spread.sqrt());
    Some(Deflated { sharpe, periods, skewness, kurtosis, trials, variance, by_luck, probability })
}

/// The variance of numbers as that of a sample (n − 1); zero of fewer than two.
pub fn variance(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
    for number in numbers {
        count += 1.0;
        let off = number - mean;
        mean += off / count;
        squares += off * (number - mean);
    }
    if count < 2.0 { 0.0 } else { squares / (count - 1.0) }
}

/// What changes the worth, one after the other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Steps<'a> {
    /// Amounts, in units of the worth: results of round trips.
    Amounts(&'a [f64]),
    /// Parts of the worth before: returns of periods.
    Returns(&'a [f64]),
}

impl Steps<'_> {
    const fn all(&self) -> &[f64] {
        match self {
            Self::Amounts(steps) | Self::Returns(steps) => steps,
        }
    }
}

/// How deep the falls are when the same steps come in other orders.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Reshuffled {
    /// What the steps are: round trips, hours, minutes.
    pub of: String,
    /// How many.
    pub steps: usize,
    /// Orders that were drawn.
    pub runs: usize,
    /// Largest fall in the order in which they came, in percent of the highest worth before.
    pub as_it_was: f64,
    /// The fall that half of the orders stay below.
    pub median: f64,
    /// The fall that 95 of 100 stay below.
    pub worst_20th: f64,
    /// The fall that 99 of 100 stay below.
    pub worst_100th: f64,
    /// The deepest of all.
    pub worst: f64,
    /// Share of the orders that fall deeper than the one that was, in percent.
    pub deeper_percent: f64,
    /// How many fell how deep: bars of equal width from zero to the deepest.
    pub bars: Vec<u32>, // tidy: bounded by BARS
}

/// Bars of the histogram.
const BARS: usize = 40;

/// The largest fall of a worth by these steps, in percent of the highest worth before.
fn fall(begin: f64, steps: &Steps<'_>) -> f64 {
    let (mut worth, mut peak, mut fall) = (begin, begin, 0.0_f64);
    for step in steps.all() {
        worth += match steps {
            Steps::Amounts(_) => *step,
            Steps::Returns(_) => worth * step,
        };
        peak = peak.max(worth);
        fall = fall.max((peak - worth) / peak);
    }
    fall * 100.0
}

/// Draws orders of a result's steps: all of them together come to the same, the way there does not. `begin` is the worth they
/// began with, `of` what they are called.
///
/// Of round trips, what was held and not closed has no part in it; of periods, what hung together from one to the next is torn apart.
/// `None` of fewer than two steps, or a worth that is not above zero.
///
/// # Bounds
/// At most [`RESHUFFLES_MAX`] orders.
pub fn reshuffle(of: &str, begin: f64, steps: Steps<'_>, runs: usize, seed: u64) -> Option<Reshuffled> {
    let runs = runs.clamp(1, RESHUFFLES_MAX);
    if steps.all().len() < 2 || begin.is_nan() || begin <= 0.0 {
        return None;
    }
    let as_it_was = fall(begin, &steps);
    let (mut order, mut draws) = (steps.all().to_vec(), generator(seed));
    let mut falls: Vec<f64> = Vec::with_capacity(runs);
    for _ in 0..runs {
        // Fisher and Yates.
        for last in (1..order.len()).rev() {
            order.swap(last, below(&mut draws, last + 1));
        }
        let shuffled = match steps {
            Steps::Amounts(_) => Steps::Amounts(&order),
            Steps::Returns(_) => Steps::Returns(&order),
        };
        falls.push(fall(begin, &shuffled));
    }
    falls.sort_by(f64::total_cmp);
    // The least fall that so many of a hundred do not exceed.
    let at = |percent: usize| falls.get((runs * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0.0);
    let worst = falls.last().copied().unwrap_or(0.0);
    let mut bars = vec![0_u32; BARS];
    for fall in &falls {
        let place = if worst > 0.0 { (fall / worst * BARS as f64) as usize } else { 0 };
        if let Some(bar) = bars.get_mut(place.min(BARS - 1)) {
            *bar += 1;
        }
    }
    // What a float loses by another order of its sums is no deeper fall.
    let deeper = falls.iter().filter(|fall| **fall > as_it_was + 1e-9).count();
    Some(Reshuffled {
        of: of.to_owned(),
        steps: steps.all().len(),
        runs,
        as_it_was,
        median: at(50),
        worst_20th: at(95),
        worst_100th: at(99),
        worst,
        deeper_percent: deeper as f64 / runs as f64 * 100.0,
        bars,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} is not {expected}");
    }

    /// Tables of the normal distribution.
    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        near(normal(0.0), 0.5, 1e-15);
        near(normal(1.0), 0.841_344_746_068_543, 1e-14);
        near(normal(-1.959_963_984_540_054), 0.025, 1e-14);
        near(normal(3.090_232_306_167_814), 0.999, 1e-14);
        near(quantile(0.975), 1.959_963_984_540_054, 1e-12);
        near(quantile(0.99), 2.326_347_874_040_841, 1e-12);
        near(quantile(1e-9), -5.997_807_015_007_687, 1e-9);
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }

    /// The example of the paper: the best of 100 strategies, annualised Sharpe ratio 2.5 on five years of 250 days, annualised
    /// variance ½, skewness −3, kurtosis 10. It gives 0.1132 a day by luck, and 0.9004; and about 0.95 had there been 46 trials.
    #[test]
    fn the_example_of_the_paper_comes_out() {
        let daily = 2.5 / 250_f64.sqrt();
        let found = deflated(daily, 1_250, -3.0, 10.0, 100, 0.5 / 250.0).unwrap();
        near(found.by_luck, 0.1132, 5e-5);
        near(found.probability, 0.9004, 5e-5);
        let fewer = deflated(daily, 1_250, -3.0, 10.0, 46, 0.5 / 250.0).unwrap();
        near(fewer.probability, 0.9505, 5e-5);
    }

    /// By hand: N = 2, V = 0.01. Z⁻¹(½) = 0 and Z⁻¹(1 − 1/2e) = Z⁻¹(0.8160603) = 0.9004526, so SR₀ = 0.1 · 0.5772157 · 0.9004526 =
    /// 0.0519755. With SR 0.1, T = 101, skewness 0, kurtosis 3: √(1 + 0.5 · 0.01) = 1.0024969, (0.1 − 0.0519755) · 10 / 1.0024969 =
    /// 0.4790484.
    #[test]
    fn a_small_case_by_hand() {
        let found = deflated(0.1, 101, 0.0, 3.0, 2, 0.01).unwrap();
        near(found.by_luck, 0.1 * 0.577_215_664_9 * quantile(1.0 - 0.5 / core::f64::consts::E), 1e-12);
        near(quantile(1.0 - 0.5 / core::f64::consts::E), 0.9004526, 5e-6);
        near(found.probability, normal(0.4790484), 5e-6);
        // One trial is not the best of several.
        let alone = deflated(0.1, 101, 0.0, 3.0, 1, 0.0).unwrap();
        near(alone.probability, normal(0.1 * 10.0 / 1.005_f64.sqrt()), 1e-12);
        assert_eq!(deflated(0.1, 1, 0.0, 3.0, 2, 0.01), None);
        assert_eq!(deflated(0.1, 10, f64::NAN, 3.0, 2, 0.01), None);
    }

    /// Results +10, −5, −5 from 100: six orders. Falls: +,−,− 10/110; −,+,− 5/100 and then 5/105; −,−,+ 10/100.
    #[test]
    fn orders_fall_as_they_do_by_hand() {
        let amounts = |steps: &[f64]| fall(100.0, &Steps::Amounts(steps));
        near(amounts(&[10.0, -5.0, -5.0]), 100.0 / 11.0, 1e-12);
        near(amounts(&[-5.0, 10.0, -5.0]), 5.0, 1e-12);
        near(amounts(&[-5.0, -5.0, 10.0]), 10.0, 1e-12);
        let shuffle = |steps: &[f64], seed| reshuffle("round trips", 100.0, Steps::Amounts(steps), 6_000, seed);
        let found = shuffle(&[-5.0, 10.0, -5.0], 7).unwrap();
        near(found.as_it_was, 5.0, 1e-12);
        near(found.worst, 10.0, 1e-12);
        near(found.median, 100.0 / 11.0, 1e-9);
        // Two of three orders fall deeper.
        near(found.deeper_percent, 200.0 / 3.0, 2.0);
        assert_eq!(found.bars.iter().sum::<u32>(), 6_000);
        assert_eq!(shuffle(&[-5.0, 10.0, -5.0], 7), Some(found.clone()));
        assert_ne!(shuffle(&[-5.0, 10.0, -5.0], 8), Some(found));
        assert_eq!(shuffle(&[1.0], 7), None);
    }

    /// Returns compound: +10 %, −50 %, −50 % from any worth fall to a quarter of the peak, and −50 % comes before or after.
    #[test]
    fn returns_compound() {
        near(fall(100.0, &Steps::Returns(&[0.1, -0.5, -0.5])), 75.0, 1e-12);
        near(fall(7.0, &Steps::Returns(&[-0.5, 0.1, -0.5])), 72.5, 1e-12);
        let found = reshuffle("hours", 100.0, Steps::Returns(&[-0.5, 0.1, -0.5]), 3_000, 1).unwrap();
        near(found.worst, 75.0, 1e-9);
        near(found.deeper_percent, 200.0 / 3.0, 3.0);
    }

    #[test]
    fn the_variance_is_that_of_a_sample() {
        near(variance([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter()), 32.0 / 7.0, 1e-12);
        near(variance([3.0].into_iter()), 0.0, 0.0);
    }
}
