use super::limits::{BACKOFF_FIRST, BACKOFF_MAX};
use super::random::Random;
use core::time::Duration;

/// How long to wait before the next attempt: doubles from [`BACKOFF_FIRST`] to [`BACKOFF_MAX`], half of it jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u8,
}

impl Backoff {
    /// Counts a failure and tells how long to wait: between half and all of the current step.
    pub(crate) fn next(&mut self, random: &mut Random) -> Duration {
        let step = BACKOFF_FIRST.saturating_mul(1_u32 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        step / 2 + random.up_to(step / 2)
    }

    /// Begins again with the shortest wait.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub(crate) fn failures(self) -> u8 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_longest_and_begins_again() {
        let mut random = Random::new(7);
        let mut backoff = Backoff::default();
        let mut step = BACKOFF_FIRST;
        for _ in 0..40 {
            let wait = backoff.next(&mut random);
            assert!(wait >= step / 2 && wait <= step, "{wait:?} is outside {step:?}");
            step = (step * 2).min(BACKOFF_MAX);
        }
        assert_eq!(backoff.failures(), 40);
        backoff.reset();
        assert!(backoff.next(&mut random) <= BACKOFF_FIRST);
    }

    #[test]
    fn two_seeds_do_not_wait_in_step() {
        let waits = |seed| {
            let (mut random, mut backoff) = (Random::new(seed), Backoff::default());
            [0; 6].map(|_| backoff.next(&mut random))
        };
        assert_ne!(waits(1), waits(2));
        assert_eq!(waits(1), waits(1));
    }
}
