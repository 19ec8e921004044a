//! Whether and when a task that failed is started again.

use std::hash::BuildHasher;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::hash::FixedState;
use crate::limits::RESTARTS_MAX;

/// What becomes of a task that fails, that is returns an error or panics. One that returns or is aborted has not failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It stays ended.
    #[default]
    Never,
    /// It is started again after a pause. One that fails more often than this stays failed.
    ///
    /// # Bounds
    /// `max` restarts within any span of length `within`, each after a pause.
    OnFailure {
        /// Restarts at most within the span, 1 to [`RESTARTS_MAX`].
        max: usize,
        /// The span over which restarts count; longer than all pauses together, or the limit would never act.
        within: Duration,
        /// How long the pauses are.
        backoff: Backoff,
    },
}

/// How long a task pauses before it is started again: twice as long for each restart that still counts.
///
/// Up to a quarter is added by the task's name, so that tasks that failed together do not come back together.
///
/// # Bounds
/// From `first` to `most`, and a quarter of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest pause, not shorter than the first; what is added by the name comes on top.
    pub most: Duration,
}

impl Backoff {
    /// Returns the pause after `before` restarts that still count.
    fn pause(&self, before: usize) -> Duration {
        let doubled = u32::try_from(before).ok().and_then(|before| 2u32.checked_pow(before));
        doubled.map_or(self.most, |factor| self.first.saturating_mul(factor).min(self.most))
    }
}

impl Restart {
    /// Asserts that the policy can be kept and that its limit can act.
    #[track_caller]
    pub(crate) fn check(&self, task: &str) {
        if let Self::OnFailure { max, within, backoff } = self {
            let Backoff { first, most } = backoff;
            assert!((1..=RESTARTS_MAX).contains(max), "task {task}: 1 to {RESTARTS_MAX} restarts, not {max}");
            assert!(!first.is_zero() && first <= most, "task {task}: a first pause of {first:?} and {most:?} at most");
            let pauses = (0..*max).fold(Duration::ZERO, |sum, before| sum.saturating_add(longest(backoff.pause(before))));
            assert!(*within > pauses, "task {task}: {max} restarts take {pauses:?} of pauses, so not all can be within {within:?}");
        }
    }
}

const fn longest(pause: Duration) -> Duration {
    pause.saturating_add(Duration::from_millis((pause.as_millis() / 4) as u64))
}

/// The restarts of one task that still count.
#[derive(Debug)]
pub(crate) struct RestartLog {
    policy: Restart,
    /// Out of the task's name: how many 256ths of a quarter are added.
    spread: u8,
    /// When they were decided, the oldest first, in milliseconds of the task set.
    at_ms: ArrayVec<u64, RESTARTS_MAX>,
}

impl RestartLog {
    pub(crate) fn new(policy: Restart, task: &str) -> Self {
        Self { policy, spread: FixedState.hash_one(task) as u8, at_ms: ArrayVec::new() }
    }

    /// Decides on a failure: how long to pause before the task is started again, or that it stays failed.
    pub(crate) fn decide(&mut self, now_ms: u64) -> Option<Duration> {
        let Restart::OnFailure { max, within, backoff } = self.policy else { return None };
        self.at_ms.retain(|at| u128::from(now_ms - *at) < within.as_millis());
        if self.at_ms.len() >= max {
            return None;
        }
        let pause = backoff.pause(self.at_ms.len());
        // `max` is within the array's capacity.
        self.at_ms.push(now_ms);
        let spread = (longest(pause) - pause) * u32::from(self.spread) / 256;
        // In whole milliseconds, as timers go, so that what is shown is what is waited.
        Some(Duration::from_millis((pause + spread).as_millis().max(1) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(max: usize) -> Restart {
        Restart::OnFailure { max, within: SECOND * 60, backoff: Backoff { first: SECOND, most: SECOND * 4 } }
    }

    #[test]
    fn pauses_double_to_the_longest_and_end_at_the_limit() {
        let mut log = RestartLog { spread: 0, ..RestartLog::new(policy(4), "t") };
        let pauses: Vec<_> = (0..5u64).map(|turn| log.decide(turn).map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(4), Some(4), None]);
        // The first two are forgotten when the span is over, to the millisecond.
        assert_eq!(log.decide(59_999), None);
        assert_eq!(log.decide(60_001), Some(SECOND * 4));
        assert_eq!((log.at_ms.len(), RestartLog::new(Restart::Never, "t").decide(0)), (3, None));
        assert_eq!(log.decide(10_000_000), Some(SECOND), "after a quiet time it begins again with the first pause");
    }

    #[test]
    fn tasks_that_fail_together_come_back_apart_but_no_later_than_a_quarter() {
        let pauses: Vec<_> = (0..100).filter_map(|at| RestartLog::new(policy(1), &format!("engine/{at}")).decide(0)).collect();
        assert!(pauses.iter().all(|pause| (SECOND..=SECOND * 5 / 4).contains(pause)), "{pauses:?}");
        let mut apart = pauses.clone();
        apart.sort();
        apart.dedup();
        assert!(apart.len() > 60, "{apart:?}");
    }

    #[test]
    #[should_panic(expected = "1 to 16 restarts, not 17")]
    fn refuses_more_restarts_than_are_remembered() {
        let policy = |max| Restart::OnFailure { max, within: SECOND * 600, backoff: Backoff { first: SECOND, most: SECOND } };
        policy(RESTARTS_MAX).check("t");
        policy(RESTARTS_MAX + 1).check("t");
    }

    #[test]
    #[should_panic(expected = "2 restarts take 3.75s of pauses, so not all can be within 3.75s")]
    fn refuses_a_limit_that_never_acts() {
        let backoff = Backoff { first: SECOND, most: SECOND * 4 };
        Restart::OnFailure { max: 2, within: SECOND * 4, backoff }.check("t");
        Restart::OnFailure { max: 2, within: SECOND * 15 / 4, backoff }.check("t");
    }
}
