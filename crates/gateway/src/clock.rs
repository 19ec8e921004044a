use plimsoll_market::Time;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The process's clock: UTC at boot plus monotonic time elapsed. Copies agree; it never goes backwards, whatever becomes
/// of the system's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    utc: Time,
    since: Instant,
}

impl Clock {
    /// Reads UTC once.
    pub fn start() -> Self {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { utc: Time::ZERO + utc, since: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.utc + self.since.elapsed()
    }

    /// The time at a monotonic instant; instants before the boot count as the boot.
    pub fn at(&self, instant: Instant) -> Time {
        self.utc + instant.saturating_duration_since(self.since)
    }

    /// The monotonic instant of a time; the present for times that have passed.
    pub fn instant(&self, time: Time) -> Instant {
        let now = Instant::now();
        now + time.since(self.at(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn never_goes_backwards_and_agrees_with_its_copies() {
        let clock = Clock::start();
        let copy = clock;
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = copy.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn instants_and_times_convert_both_ways() {
        let clock = Clock::start();
        let instant = Instant::now() + Duration::from_secs(5);
        let back = clock.instant(clock.at(instant));
        let apart = back.max(instant) - back.min(instant);
        assert!(apart < Duration::from_millis(1), "{apart:?}");
        assert!(clock.instant(Time::ZERO) <= Instant::now());
    }
}
