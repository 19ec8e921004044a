use plimsoll_market::Time;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// UTC at the start plus the runtime's monotonic time, so that tests can hold the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    utc: Time,
    since: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { utc: Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        self.utc + self.since.elapsed()
    }

    /// When `time` comes; the present for times that have passed.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        Instant::now() + time.since(self.now())
    }
}
