use crate::ParameterError;
use crate::limits::{CHILDREN_MAX, PERIODS_MAX};
use core::time::Duration;
use plimsoll_market::Time;

/// One, in millionths.
const WHOLE: i64 = 1_000_000;

/// Parameters of [`CapitalAllocator`]. Weights are shares in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CapitalConfig {
    /// What all children may hold and open together, at cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// Time between two looks at what was earned, whole minutes up to a day.
    pub period: Duration,
    /// Periods that count, 1 to 48.
    pub window: u8,
    /// The least that a weight may shrink to.
    pub floor: u32,
    /// The most that it may grow to.
    pub ceiling: u32,
    /// The most that it changes in a period; zero keeps all weights as they are configured.
    pub step: u32,
}

impl CapitalConfig {
    /// Checks all ranges, for children with these weights.
    ///
    /// # Errors
    /// The first that is out of range.
    pub fn check(&self, weights: &[u32]) -> Result<(), ParameterError> {
        if self.amount <= 0 {
            return Err(ParameterError::range("capital", self.amount, "above 0"));
        }
        let minutes = self.period.as_secs() / 60;
        if !(1..=1_440).contains(&minutes) || self.period != Duration::from_secs(minutes * 60) {
            return Err(ParameterError::range("period", format_args!("{} s", self.period.as_secs()), "whole minutes, 1 to 1,440"));
        }
        if !(1..=PERIODS_MAX as u8).contains(&self.window) {
            return Err(ParameterError::range("window", self.window, "1 to 48 periods"));
        }
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        if weights.contains(&0) || sum > WHOLE as u64 {
            return Err(ParameterError::range(
                "weight",
                format_args!("{sum} together"),
                "above 0 each, 1,000,000 millionths together at most",
            ));
        }
        let (count, whole) = (weights.len() as u32, WHOLE as u32);
        if self.floor > self.ceiling || self.ceiling > whole || self.floor.saturating_mul(count) > whole || self.step > whole {
            let value = format_args!("{} and {}", self.floor, self.ceiling);
            return Err(ParameterError::range("floor and ceiling", value, "in this order, and room for everybody's floor"));
        }
        if self.step != 0 && weights.iter().any(|weight| !(self.floor..=self.ceiling).contains(weight)) {
            return Err(ParameterError::range("weight", format_args!("{weights:?}"), "between floor and ceiling"));
        }
        Ok(())
    }
}

/// Shares one budget of capital between strategies.
///
/// It counts nothing itself: what a child has taken is what it holds, at cost, and what its opening orders may still fill, read from
/// the books each time. Whatever ends an order frees what it had taken, and a restart finds the same.
///
/// With a `step` weights follow what was earned: after each period a child's configured weight is multiplied by 1 + ten times the
/// return on its share over the window, between a half and two; then brought within floor and ceiling, and no farther from the last
/// weight than the step. What was earned before the process began is not known.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CapitalAllocator {
    cfg: CapitalConfig,
    count: usize,
    base: [u32; CHILDREN_MAX],
    weights: [u32; CHILDREN_MAX],
    /// What each child earned in each of the last periods; a place is written over after a turn.
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_bounded::array"))]
    earned: [[i64; CHILDREN_MAX]; PERIODS_MAX],
    at: usize,
    /// What each had earned altogether at the end of the last period.
    totals: [i128; CHILDREN_MAX],
    next: Option<Time>,
}

impl CapitalAllocator {
    /// Makes one for children with these weights.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: CapitalConfig, weights: &[u32]) -> Result<Self, ParameterError> {
        cfg.check(weights)?;
        let mut base = [0; CHILDREN_MAX];
        base.iter_mut().zip(weights).for_each(|(to, weight)| *to = *weight);
        Ok(Self {
            cfg,
            count: weights.len().min(CHILDREN_MAX),
            base,
            weights: base,
            earned: [[0; CHILDREN_MAX]; PERIODS_MAX],
            at: 0,
            totals: [0; CHILDREN_MAX],
            next: None,
        })
    }

    /// What a child may hold and open, units of 1e-8 of the quote asset.
    pub fn share(&self, child: usize) -> i128 {
        self.cfg.amount * i128::from(self.weights.get(child).copied().unwrap_or(0)) / i128::from(WHOLE)
    }

    /// Looks whether a period is over; `earned` is what each child has earned since the process began. Tells whether weights changed.
    pub fn look(&mut self, now: Time, earned: [i128; CHILDREN_MAX]) -> bool {
        if self.cfg.step == 0 {
            return false;
        }
        let Some(next) = self.next else {
            (self.next, self.totals) = (Some(now + self.cfg.period), earned);
            return false;
        };
        if now < next {
            return false;
        }
        self.next = Some(now + self.cfg.period);
        let place = self.at % usize::from(self.cfg.window);
        self.at = place + 1;
        let clamp = |units: i128| i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX });
        self.earned[place] = core::array::from_fn(|child| clamp(earned[child] - self.totals[child]));
        self.totals = earned;
        let before = self.weights;
        self.weigh();
        self.weights != before
    }

    fn weigh(&mut self) {
        let (floor, ceiling, step) = (i64::from(self.cfg.floor), i64::from(self.cfg.ceiling), i64::from(self.cfg.step));
        let mut wanted = [0_i64; CHILDREN_MAX];
        for child in 0..self.count {
            let window = self.earned.iter().take(usize::from(self.cfg.window));
            let sum: i128 = window.map(|period| i128::from(period[child])).sum();
            // Of the share that it was given at first: a weight that grows does not lessen its own return.
            let share = self.cfg.amount * i128::from(self.base[child]) / i128::from(WHOLE);
            let factor = i128::from(WHOLE) + (sum * i128::from(WHOLE) * 10 / share.max(1));
            let factor = factor.clamp(i128::from(WHOLE / 2), i128::from(WHOLE * 2));
            wanted[child] = i64::try_from(i128::from(self.base[child]) * factor / i128::from(WHOLE)).unwrap_or(0);
        }
        // What was given out together stays so.
        let whole: i64 = self.base.iter().map(|weight| i64::from(*weight)).sum();
        let sum: i64 = wanted.iter().sum::<i64>().max(1);
        for (wanted, last) in wanted.iter_mut().zip(self.weights).take(self.count) {
            let (scaled, last) = ((*wanted * whole / sum).clamp(floor, ceiling), i64::from(last));
            *wanted = scaled.clamp(last - step, last + step);
        }
        // Floors and steps can ask for more than there is: what is above the floors shrinks.
        let sum: i64 = wanted.iter().sum();
        let above: i64 = wanted.iter().take(self.count).map(|weight| (weight - floor).max(0)).sum();
        let excess = sum - whole.max(floor * self.count as i64);
        for (weight, mut wanted) in self.weights.iter_mut().zip(wanted).take(self.count) {
            if excess > 0 && above > 0 {
                // Rounded up: never more than the whole is given out.
                wanted -= ((wanted - floor).max(0) * excess + above - 1) / above;
            }
            *weight = u32::try_from(wanted.max(floor)).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDT: i128 = 100_000_000;

    fn cfg() -> CapitalConfig {
        CapitalConfig {
            amount: 1_000 * USDT,
            period: Duration::from_secs(3_600),
            window: 3,
            floor: 100_000,
            ceiling: 700_000,
            step: 50_000,
        }
    }

    fn run(hours: &[[i128; 4]]) -> Vec<[u32; 4]> {
        let mut allocator = CapitalAllocator::new(cfg(), &[500_000, 300_000, 200_000]).unwrap();
        let (mut now, mut sums) = (Time::from_millis(1_000), [0; 4]);
        assert!(!allocator.look(now, sums));
        let each = |hour: &[i128; 4]| {
            now = now + Duration::from_secs(3_600);
            (0..4).for_each(|child| sums[child] += hour[child] * USDT);
            allocator.look(now, sums);
            allocator.weights
        };
        hours.iter().map(each).collect()
    }

    #[test]
    fn weights_follow_what_was_earned_by_steps_and_forget() {
        // 25 of 500 is a return of 5 %: half as much again, of which a step is taken each hour.
        let weights = run(&[[25, 0, 0, 0], [0; 4], [0; 4], [0; 4], [0; 4], [0; 4]]);
        assert_eq!(weights[0], [550_000, 250_000, 160_000, 0]);
        assert_eq!(weights[1], [600_000, 240_000, 160_000, 0]);
        assert_eq!(weights[2], weights[1]);
        // The window is over: what was earned before it does not count.
        assert_eq!(weights[5], [500_000, 300_000, 200_000, 0]);
    }

    #[test]
    fn floor_and_ceiling_hold_and_never_more_than_the_whole_is_given() {
        let gains = [[400, -400, -400, 0]; 30];
        let weights = run(&gains);
        let last = weights.last().unwrap();
        assert_eq!((last[0], last[1] >= 100_000, last[2] >= 100_000), (700_000, true, true), "{last:?}");
        for (hour, weights) in weights.iter().enumerate() {
            assert!(weights.iter().sum::<u32>() <= 1_000_000, "{hour}: {weights:?}");
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_refused() {
        let bad = |change: fn(&mut CapitalConfig), weights: &[u32]| {
            let mut cfg = cfg();
            change(&mut cfg);
            cfg.check(weights).is_err()
        };
        assert!(!bad(|_| (), &[500_000, 500_000]));
        assert!(bad(|_| (), &[500_000, 500_001]));
        assert!(bad(|_| (), &[700_001, 200_000]));
        assert!(bad(|_| (), &[500_000, 0]));
        assert!(bad(|c| c.floor = 600_000, &[600_000, 400_000]));
        assert!(bad(|c| c.window = 49, &[500_000]) && bad(|c| c.amount = 0, &[500_000]));
        assert!(!bad(|c| c.step = 0, &[50_000, 900_000]), "weights that stay are not bounded");
    }
}
