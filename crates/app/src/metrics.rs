//! The process's figures as others show them: API, page, database.

use plimsoll_bounded::{TaskState, TaskStatus, Tasks, WatchReceiver};
use plimsoll_market::Feed;
use plimsoll_monitor::{Exporter, ManagerFigures, Rung, Sample};
use plimsoll_storage::SystemRow;
use std::path::Path;

/// Samples remembered: an hour of one each 5 s.
pub const SAMPLES: usize = 720;

/// What the watcher saw last.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The sample; nothing before the first.
    pub sample: Option<Sample>,
    /// The memory manager.
    pub manager: ManagerFigures,
    /// The pressure ladder.
    pub rung: Rung,
    /// Growth of anonymous memory, bytes an hour.
    pub slope: Option<f64>,
    /// Who is suspected of a leak.
    pub suspects: Vec<String>, // tidy: bounded by the 8 that are shown
}

/// The latest figures, and all of them as text for Prometheus.
pub struct Monitor {
    exporter: Exporter,
    seen: WatchReceiver<Seen>,
    edge: Tasks,
    trading: Tasks,
    symbols: usize,
}

impl Monitor {
    /// Shows what a watcher sees; `symbols` loops must live.
    pub fn new(exporter: Exporter, seen: WatchReceiver<Seen>, edge: Tasks, trading: Tasks, symbols: usize) -> Self {
        Self { exporter, seen, edge, trading, symbols }
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.exporter.render()
    }

    /// All tasks that are and, for a while, those that were.
    pub fn tasks(&self) -> Vec<TaskStatus> {
        [&self.edge, &self.trading].into_iter().flat_map(Tasks::status).collect()
    }

    /// The latest sample in the web server's words.
    pub fn web(&self) -> plimsoll_web::SystemMetrics {
        let Seen { sample, manager, rung, slope, suspects } = self.seen.get();
        let Some(sample) = sample else { return plimsoll_web::SystemMetrics::default() };
        let room = sample.room();
        plimsoll_web::SystemMetrics {
            time: sample.time,
            allocated_bytes: sample.allocator.map(|a| a.allocated),
            active_bytes: sample.allocator.map(|a| a.active),
            mapped_bytes: sample.allocator.map(|a| a.mapped),
            retained_bytes: sample.allocator.map(|a| a.retained),
            rss_bytes: sample.process.map(|p| p.resident_bytes),
            rss_anon_bytes: sample.process.and_then(|p| p.anonymous_bytes),
            purges: manager.purges,
            cleanups: manager.cleanups,
            next_purge_bytes: Some(manager.next_purge_bytes),
            manager_cpu_share: manager.cpu_share,
            cgroup_current_bytes: sample.cgroup.map(|c| c.current_bytes),
            cgroup_max_bytes: sample.cgroup.and_then(|c| c.limit_bytes),
            memory_pressure: sample.stall().map(|stall| stall.some),
            pressure_rung: rung.number(),
            pressure_word: rung.as_str(),
            memory_limit_bytes: room.map(|room| room.limit_bytes),
            memory_limiter: room.map(|room| room.limiter.as_str()),
            memory_used_ratio: room.map(|room| room.ratio()),
            leak_suspects: suspects,
            leak_slope_bytes_per_hour: slope,
            cpu_cores: sample.cpu_load,
            open_files: sample.process.and_then(|p| p.open_files),
            tasks: sample.tasks.live as u64,
        }
    }

    /// Why the process should be started again: tasks of the trading thread that ended though they should not.
    pub fn dead(&self) -> Vec<String> {
        let missing = |group: &str, wanted: usize| self.trading.live_in(group) < wanted;
        let ended = [("gateway", 1), ("account", 1), ("symbols", self.symbols)]
            .into_iter()
            .filter(|(group, wanted)| missing(group, *wanted))
            .map(|(group, wanted)| format!("of the {wanted} tasks of {group} at least one has ended"));
        // Nobody else watches the watcher.
        let watcher = self.edge.status().into_iter().find(|task| task.group == "watch" && task.state == TaskState::Running);
        let blind = match watcher {
            None => Some("the watcher of memory and tasks has ended".to_owned()),
            Some(task) if task.overdue => Some("the watcher of memory and tasks shows no sign of life".to_owned()),
            Some(_) => None,
        };
        ended.chain(blind).collect()
    }
}

/// A sample as it is stored.
pub fn system_row(sample: &Sample, manager: &ManagerFigures, rung: Rung) -> SystemRow {
    let (process, allocator) = (sample.process, sample.allocator);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    SystemRow {
        cpu_milli: sample.cpu_load.map(|load| (load * 1_000.0).round() as u32),
        rss: process.map(|p| p.resident_bytes),
        anonymous: process.and_then(|p| p.anonymous_bytes),
        allocated: allocator.map(|a| a.allocated),
        active: allocator.map(|a| a.active),
        resident: allocator.map(|a| a.resident),
        mapped: allocator.map(|a| a.mapped),
        retained: allocator.map(|a| a.retained),
        cgroup_used: sample.cgroup.map(|c| c.current_bytes),
        cgroup_limit: sample.cgroup.and_then(|c| c.limit_bytes),
        ledger_used: Some(sample.ledger_used_bytes),
        tasks: Some(small(sample.tasks.live as u64)),
        threads: process.map(|p| small(p.threads)),
        open_files: process.and_then(|p| p.open_files).map(small),
        purges: Some(manager.purges),
        rung: Some(rung.number()),
        ..SystemRow::at(sample.time)
    }
}

/// Free space on the disk of a folder, in bytes; `None` where it is not told.
pub fn disk_free(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// A feed's name for people.
pub const fn feed_name(feed: Feed) -> &'static str {
    match feed {
        Feed::Market => "market",
        Feed::Account => "account",
        Feed::Requests => "requests",
    }
}
