//! The memory manager: when free pages are given back, and when what has expired is dropped.

use std::time::Duration;

use plimsoll_market::Time;

use crate::sample::Sample;

/// When the memory manager works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagerConfig {
    /// Free pages go back to the system this often; 1 s to 1 day.
    pub purge_every: Duration,
    /// What has expired is dropped this often; 1 s to 1 day.
    pub cleanup_every: Duration,
    /// Resident bytes from which a purge comes early, and an alert is due.
    pub high_memory_bytes: u64,
}

/// What is due now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// Return free pages to the system: [`crate::AllocatorSample::purge`].
    pub purge: bool,
    /// Have caches give back what they can spare.
    pub cleanup: bool,
}

/// Counts of the memory manager, for display.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ManagerFigures {
    /// Purges done.
    pub purges: u64,
    /// Cleanups done.
    pub cleanups: u64,
    /// The resident size at which the next purge comes early, in bytes.
    pub next_purge_bytes: u64,
    /// Processor time that watching and purging took since the start.
    pub spent: Duration,
    /// Its share of the process's processor time, 0 to 1; `None` while that is not known.
    pub cpu_share: Option<f64>,
}

/// Resident bytes above the threshold after a purge may grow by this factor before the next early one.
const EARLY_GROWTH: f64 = 1.25;

/// Decides; the caller carries out and reports back.
#[derive(Clone, Debug)]
pub struct MemoryManager {
    config: ManagerConfig,
    purge_at: Option<Time>,
    cleanup_at: Option<Time>,
    figures: ManagerFigures,
}

impl MemoryManager {
    /// Begins its intervals with the first look.
    pub fn new(config: ManagerConfig) -> Self {
        let figures = ManagerFigures { next_purge_bytes: config.high_memory_bytes, ..ManagerFigures::default() };
        Self { config, purge_at: None, cleanup_at: None, figures }
    }

    /// What is due at a sample.
    pub fn due(&mut self, sample: &Sample) -> Duties {
        let now = sample.time;
        let purge_at = *self.purge_at.get_or_insert(now + self.config.purge_every);
        let cleanup_at = *self.cleanup_at.get_or_insert(now + self.config.cleanup_every);
        let resident = sample.process.map_or(0, |process| process.resident_bytes);
        if let Some(process) = sample.process.filter(|process| !process.cpu.is_zero()) {
            self.figures.cpu_share = Some(self.figures.spent.as_secs_f64() / process.cpu.as_secs_f64());
        }
        Duties { purge: now >= purge_at || resident >= self.figures.next_purge_bytes, cleanup: now >= cleanup_at }
    }

    /// A purge was done; `resident` is what is left in RAM.
    pub fn purged(&mut self, now: Time, resident: u64) {
        self.figures.purges += 1;
        self.purge_at = Some(now + self.config.purge_every);
        // What stays high after a purge is in use: to purge at each look would help nobody.
        let high = self.config.high_memory_bytes;
        self.figures.next_purge_bytes = if resident < high { high } else { (resident as f64 * EARLY_GROWTH) as u64 };
    }

    /// A cleanup was done.
    pub fn cleaned(&mut self, now: Time) {
        self.figures.cleanups += 1;
        self.cleanup_at = Some(now + self.config.cleanup_every);
    }

    /// Adds processor time that watching took.
    pub fn spent(&mut self, time: Duration) {
        self.figures.spent += time;
    }

    /// The counts.
    pub const fn figures(&self) -> ManagerFigures {
        self.figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessSample;

    fn sample(seconds: u64, resident: u64) -> Sample {
        let process = ProcessSample { resident_bytes: resident, cpu: Duration::from_secs(100), ..ProcessSample::default() };
        Sample { process: Some(process), ..Sample::blank(Time::from_millis(seconds * 1_000)) }
    }

    fn manager() -> MemoryManager {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        MemoryManager::new(ManagerConfig { purge_every: minutes(5), cleanup_every: minutes(30), high_memory_bytes: 500 })
    }

    #[test]
    fn works_at_its_intervals() {
        let mut manager = manager();
        assert_eq!(manager.due(&sample(0, 100)), Duties::default());
        assert_eq!(manager.due(&sample(299, 100)), Duties::default());
        assert_eq!(manager.due(&sample(300, 100)), Duties { purge: true, cleanup: false });
        manager.purged(Time::from_millis(300_000), 90);
        assert!(!manager.due(&sample(599, 100)).purge && manager.due(&sample(600, 100)).purge);
        assert!(manager.due(&sample(1_800, 100)).cleanup);
        manager.cleaned(Time::from_millis(1_800_000));
        assert!(!manager.due(&sample(1_801, 100)).cleanup);
        assert_eq!((manager.figures().purges, manager.figures().cleanups), (1, 1));
    }

    #[test]
    fn purges_early_when_high_but_not_at_every_look() {
        let mut manager = manager();
        assert!(manager.due(&sample(1, 500)).purge);
        manager.purged(Time::from_millis(1_000), 480);
        assert_eq!(manager.figures().next_purge_bytes, 500);
        manager.purged(Time::from_millis(1_000), 600);
        assert_eq!(manager.figures().next_purge_bytes, 750);
        assert!(!manager.due(&sample(2, 700)).purge && manager.due(&sample(3, 750)).purge);
    }

    #[test]
    fn its_own_share_is_of_the_process() {
        let mut manager = manager();
        manager.spent(Duration::from_millis(50));
        manager.due(&sample(1, 1));
        assert!((manager.figures().cpu_share.unwrap() - 0.0005).abs() < 1e-9);
    }
}
