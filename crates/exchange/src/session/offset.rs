use super::limits::{CLOCK_EVERY, CLOCK_SAMPLES};
use core::time::Duration;
use plimsoll_market::Time;

/// How far the exchange's clock is ahead of ours, measured by the sample with the shortest round trip.
#[derive(Clone, Debug)]
pub(crate) struct Offset {
    /// Exchange minus ours.
    nanos: i64,
    /// Round trip of the sample that `nanos` is from.
    round_trip: Duration,
    best: Option<(Duration, i64)>,
    samples: u8,
    /// A measurement has begun and is not complete.
    measuring: bool,
    next_at: Option<Time>,
}

impl Offset {
    pub(crate) fn new() -> Self {
        Self { nanos: 0, round_trip: Duration::ZERO, best: None, samples: 0, measuring: false, next_at: None }
    }

    /// When the next sample is due; `None` while none is planned.
    pub(crate) fn due_at(&self) -> Option<Time> {
        self.next_at
    }

    /// Begins a measurement, unless one is under way.
    pub(crate) fn measure(&mut self, now: Time) {
        if !self.measuring {
            self.measuring = true;
            self.next_at = Some(now);
        }
    }

    /// Notes that a sample was asked for: none is due until its answer.
    pub(crate) fn asked(&mut self) {
        self.measuring = true;
        self.next_at = None;
    }

    /// Tries again later after a sample that failed.
    pub(crate) fn failed(&mut self, at: Time) {
        self.next_at = Some(at);
    }

    /// Takes a sample: sent, answered, and what the exchange's clock said in between. True when the measurement is complete.
    pub(crate) fn sample(&mut self, sent: Time, now: Time, server: Time) -> bool {
        let round_trip = now.since(sent);
        let middle = sent + round_trip / 2;
        let nanos = i128::from(server.nanos()) - i128::from(middle.nanos());
        let nanos = i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX });
        if self.best.is_none_or(|(best, _)| round_trip < best) {
            self.best = Some((round_trip, nanos));
        }
        self.samples += 1;
        if self.samples < CLOCK_SAMPLES {
            self.next_at = Some(now);
            return false;
        }
        if let Some((round_trip, nanos)) = self.best.take() {
            (self.round_trip, self.nanos) = (round_trip, nanos);
        }
        self.samples = 0;
        self.measuring = false;
        self.next_at = Some(now + CLOCK_EVERY);
        true
    }

    /// The exchange's time at our `now`.
    pub(crate) fn exchange_time(&self, now: Time) -> Time {
        Time::from_nanos(now.nanos().saturating_add_signed(self.nanos))
    }

    /// Exchange minus ours, in milliseconds, rounded toward zero.
    pub(crate) fn millis(&self) -> i64 {
        self.nanos / 1_000_000
    }

    /// Round trip of the sample that counts.
    pub(crate) fn round_trip(&self) -> Duration {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn the_shortest_round_trip_counts() {
        let mut offset = Offset::new();
        offset.measure(at(0));
        assert!(!offset.sample(at(0), at(100), at(5_000)));
        assert!(!offset.sample(at(200), at(210), at(1_205)));
        assert!(offset.sample(at(300), at(380), at(9_000)));
        assert_eq!((offset.millis(), offset.round_trip()), (1_000, Duration::from_millis(10)));
        assert_eq!(offset.exchange_time(at(0)), at(1_000));
        assert_eq!(offset.due_at(), Some(at(380) + CLOCK_EVERY));
    }

    #[test]
    fn complaints_do_not_begin_a_measurement_anew() {
        let mut offset = Offset::new();
        offset.measure(at(0));
        for sample in 1..CLOCK_SAMPLES {
            offset.asked();
            offset.measure(at(1));
            assert_eq!(offset.due_at(), None, "one is on its way");
            assert!(!offset.sample(at(0), at(10), at(1_000)), "{sample}");
        }
        offset.asked();
        offset.measure(at(2));
        assert!(offset.sample(at(0), at(10), at(1_000)));
        assert_eq!(offset.millis(), 995);
    }

    #[test]
    fn a_clock_ahead_of_the_exchange_gives_a_negative_offset() {
        let mut offset = Offset::new();
        for _ in 0..CLOCK_SAMPLES {
            offset.sample(at(5_000), at(5_000), at(2_000));
        }
        assert_eq!(offset.millis(), -3_000);
        assert_eq!(offset.exchange_time(at(5_000)), at(2_000));
    }

    #[test]
    fn absurd_times_do_not_overflow() {
        let mut offset = Offset::new();
        for _ in 0..CLOCK_SAMPLES {
            offset.sample(Time::ZERO, Time::ZERO, Time::from_nanos(u64::MAX));
        }
        assert_eq!(offset.exchange_time(Time::from_nanos(u64::MAX)), Time::from_nanos(u64::MAX));
    }
}
