//! What the memory manager, the watchdog, the alert channels and the pool show of themselves.

use std::time::Duration;

use metrics::{Counter, Gauge};
use plimsoll_market::Severity;

use crate::disk::{DiskDecision, DiskKind, DiskUse};
use crate::exporter::Exporter;
use crate::families as f;
use crate::limits::CHANNELS_MAX;
use crate::manager::ManagerFigures;
use crate::pressure::Rung;
use crate::sample::Sample;
use crate::system::SystemMetrics;
use crate::watchdog::Rule;

impl Exporter {
    /// Shows memory: the original's ten figures, the memory manager's, the ladder's.
    pub fn memory(&self, sample: &Sample, manager: &ManagerFigures, rung: Rung, slope_bytes_per_hour: Option<f64>) {
        let series = self.series();
        let set = |family, value: Option<f64>| {
            if let Some(value) = value {
                series.gauge(family, &[]).set(value);
            }
        };
        let ten = SystemMetrics::of(sample, manager);
        let bytes = |mb: Option<f64>| mb.map(|mb| (mb * 1e6).round());
        set(&f::RUNTIME_ALLOC, bytes(ten.alloc_mb));
        set(&f::RUNTIME_HEAP_ALLOC, bytes(ten.heap_alloc_mb));
        set(&f::RUNTIME_SYS, bytes(ten.sys_mb));
        set(&f::RUNTIME_HEAP_SYS, bytes(ten.heap_sys_mb));
        set(&f::RUNTIME_HEAP_INUSE, bytes(ten.heap_inuse_mb));
        set(&f::RUNTIME_HEAP_IDLE, bytes(ten.heap_idle_mb));
        series.counter(&f::RUNTIME_GC, &[]).absolute(ten.num_gc);
        set(&f::RUNTIME_NEXT_GC, bytes(Some(ten.next_gc_mb)));
        set(&f::RUNTIME_GC_CPU, ten.gc_cpu_fraction);
        set(&f::RUNTIME_GOROUTINES, Some(ten.goroutines as f64));
        series.counter(&f::MEMORY_PURGES, &[]).absolute(manager.purges);
        series.counter(&f::MEMORY_CLEANUPS, &[]).absolute(manager.cleanups);
        let room = sample.room();
        set(&f::MEMORY_LIMIT, room.map(|room| room.limit_bytes as f64));
        set(&f::MEMORY_USED, room.map(|room| room.ratio()));
        set(&f::MEMORY_RUNG, Some(f64::from(rung.number())));
        set(&f::MEMORY_STALL, sample.stall().map(|stall| stall.some));
        set(&f::LEAK_SLOPE, slope_bytes_per_hour);
    }

    /// Shows who is suspected of a leak and who no longer is.
    ///
    /// # Bounds
    /// Containers come by kind, of which the ledger has a limited number.
    pub fn suspect(&self, culprit: &str, suspected: bool) {
        self.series().gauge(&f::LEAK_SUSPECTED, &[culprit]).set(if suspected { 1.0 } else { 0.0 });
    }

    /// Counts what the watchdog had to say.
    pub fn watchdog(&self, rule: Rule) {
        self.series().counter(&f::WATCHDOG_ALERTS, &[rule.as_str()]).increment(1);
    }

    /// Makes the series of alerts. Only the first [`CHANNELS_MAX`] channels get some.
    pub fn alerts<'a>(&self, channels: impl IntoIterator<Item = &'a str>) -> AlertMetrics {
        let series = self.series();
        let channels = channels.into_iter().take(CHANNELS_MAX).map(|name| {
            let label = [name];
            let up = series.gauge(&f::CHANNEL_UP, &label);
            up.set(1.0);
            Channel {
                up,
                sent: series.counter(&f::CHANNEL_SENT, &label),
                failed: series.counter(&f::CHANNEL_FAILED, &label),
                dropped: series.counter(&f::CHANNEL_DROPPED, &label),
                queued: series.gauge(&f::CHANNEL_QUEUED, &label),
            }
        });
        let severity = |severity: Severity| series.counter(&f::ALERTS, &[severity.as_str()]);
        AlertMetrics {
            raised: [severity(Severity::Info), severity(Severity::Warning), severity(Severity::Critical)],
            suppressed: series.counter(&f::ALERTS_SUPPRESSED, &[]),
            channels: channels.collect(),
        }
    }

    /// Shows the database's connections.
    pub fn pool(&self, figures: &PoolSample) {
        let series = self.series();
        series.gauge(&f::POOL_CONNECTIONS, &["in_use"]).set(figures.in_use as f64);
        series.gauge(&f::POOL_CONNECTIONS, &["idle"]).set(figures.idle as f64);
        series.gauge(&f::POOL_MAX, &[]).set(figures.max as f64);
        series.gauge(&f::POOL_WAITING, &[]).set(figures.waiting as f64);
        series.counter(&f::POOL_ACQUIRES, &[]).absolute(figures.acquires);
        series.gauge(&f::POOL_WAITED, &[]).set(figures.longest_wait.as_secs_f64());
        series.gauge(&f::POOL_HELD, &[]).set(figures.held_too_long as f64);
        if let Some(healthy) = figures.healthy {
            series.gauge(&f::POOL_HEALTHY, &[]).set(if healthy { 1.0 } else { 0.0 });
        }
    }

    /// Shows the session with the exchange of an account.
    ///
    /// # Bounds
    /// For accounts that have series already: see [`Exporter::account`].
    pub fn session(&self, account: &str, sample: &SessionSample) {
        let series = self.series();
        let ratio = |limit: &str, (used, most): (u32, u32)| {
            let share = if most == 0 { 0.0 } else { f64::from(used) / f64::from(most) };
            series.gauge(&f::RATE_USED, &[account, limit]).set(share);
        };
        ratio("weight_1m", sample.weight);
        ratio("orders_10s", sample.orders);
        let count = |family, value| series.counter(family, &[account]).absolute(value);
        count(&f::FRAMES_BAD, sample.malformed);
        count(&f::BOOK_MISMATCHES, sample.mismatches);
        count(&f::REQUESTS, sample.requests);
        count(&f::REQUESTS_FAILED, sample.requests_failed);
        count(&f::RATE_LIMITED, sample.rate_limited);
        count(&f::COUNTDOWNS_FAILED, sample.countdowns_failed);
        count(&f::FILLS_UNATTRIBUTED, sample.fills_unattributed);
        count(&f::CONNECTS, sample.connects);
    }

    /// Shows how long a feed of an account has been silent.
    pub fn feed_age(&self, account: &str, feed: &str, age: Duration) {
        self.series().gauge(&f::FEED_AGE, &[account, feed]).set(age.as_secs_f64());
    }

    /// Shows what our files take on the disk, and how far up the ladder that is.
    pub fn disk(&self, disk: &DiskUse, decision: &DiskDecision, budget_bytes: u64) {
        let series = self.series();
        for kind in DiskKind::ALL {
            series.gauge(&f::DISK_BYTES, &[kind.as_str()]).set(disk.of(kind) as f64);
        }
        if let Some(free) = disk.free {
            series.gauge(&f::DISK_FREE, &[]).set(free as f64);
        }
        series.gauge(&f::DISK_BUDGET, &[]).set(budget_bytes as f64);
        series.gauge(&f::DISK_USED, &[]).set(decision.percent.min(1_000) as f64 / 100.0);
        series.gauge(&f::DISK_LEVEL, &[]).set(f64::from(decision.level.number()));
    }
}

/// What the session with the exchange says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSample {
    /// Weight used in this minute, and what is allowed.
    pub weight: (u32, u32),
    /// Orders used in ten seconds, and what is allowed.
    pub orders: (u32, u32),
    /// Frames that could not be read, since the start.
    pub malformed: u64,
    /// Differences between a book's top and the exchange's own best prices, since the start.
    pub mismatches: u64,
    /// Requests sent since the start.
    pub requests: u64,
    /// Requests without an answer since the start.
    pub requests_failed: u64,
    /// Answers since the start that say we asked too much.
    pub rate_limited: u64,
    /// Times that the exchange's dead man's switch could not be told.
    pub countdowns_failed: u64,
    /// Executions since the start whose order stayed unknown.
    pub fills_unattributed: u64,
    /// Connections opened since the start.
    pub connects: u64,
}

/// The database's connections at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSample {
    /// Connections at most.
    pub max: usize,
    /// Taken.
    pub in_use: usize,
    /// Open and free.
    pub idle: usize,
    /// Who waits for one.
    pub waiting: usize,
    /// Taken since the start.
    pub acquires: u64,
    /// The longest wait since the start.
    pub longest_wait: Duration,
    /// Held for longer than any query may take.
    pub held_too_long: usize,
    /// Whether the last health check worked; `None` before the first.
    pub healthy: Option<bool>,
}

/// The series of alerts. Owned by whoever hands alerts on.
pub struct AlertMetrics {
    raised: [Counter; 3],
    suppressed: Counter,
    channels: Box<[Channel]>,
}

struct Channel {
    up: Gauge,
    sent: Counter,
    failed: Counter,
    dropped: Counter,
    queued: Gauge,
}

/// What a channel says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelSample {
    /// Whether its last delivery worked.
    pub up: bool,
    /// Alerts that wait.
    pub queued: usize,
    /// Messages delivered since the start.
    pub sent: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
    /// Alerts given up since the start.
    pub dropped: u64,
}

impl AlertMetrics {
    /// Counts an alert.
    pub fn raised(&self, severity: Severity) {
        let [info, warning, critical] = &self.raised;
        match severity {
            Severity::Info => info.increment(1),
            Severity::Warning => warning.increment(1),
            Severity::Critical => critical.increment(1),
        }
    }

    /// Shows the channels, in the order in which they were made, and how many alerts were suppressed since the start.
    pub fn observe(&self, channels: impl IntoIterator<Item = ChannelSample>, suppressed: u64) {
        self.suppressed.absolute(suppressed);
        for (series, sample) in self.channels.iter().zip(channels) {
            series.up.set(if sample.up { 1.0 } else { 0.0 });
            series.sent.absolute(sample.sent);
            series.failed.absolute(sample.failed);
            series.dropped.absolute(sample.dropped);
            series.queued.set(sample.queued as f64);
        }
    }
}

impl std::fmt::Debug for AlertMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AlertMetrics")
    }
}
