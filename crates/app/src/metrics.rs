//! The process's figures: sampled every few seconds, shown by API, page and Prometheus.

use plimsoll_bounded::{Grant, Grants, Ledger, Sealed, Task, TaskSpec, Tasks, WatchReceiver, watch};
use plimsoll_gateway::Clock;
use plimsoll_monitor::{Exporter, Sample, Sampler, StorageFigures};
use plimsoll_storage::Store;
use std::time::Duration;

/// How often the process is looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Samples remembered: an hour.
pub const SAMPLES: usize = 720;
/// How often the size of the database is asked for: it costs a query.
const SIZES_EVERY: u32 = 12;

/// The latest figures, and all of them as text for Prometheus.
pub struct Monitor {
    exporter: Exporter,
    latest: WatchReceiver<Option<Sample>>,
    trading: Tasks,
    symbols: usize,
}

/// What the monitor is made of.
pub struct MonitorParts {
    /// Loops of symbols that must live.
    pub symbols: usize,
    /// All metrics.
    pub exporter: Exporter,
    /// Memory of samples.
    pub history: Grant,
    /// The clock.
    pub clock: Clock,
    /// Storage.
    pub store: Store,
}

impl Monitor {
    /// Starts to sample.
    ///
    /// # Errors
    /// When a task or line was not planned.
    pub fn start(parts: MonitorParts, common: &mut Grants, ledger: &Ledger<Sealed>, edge: &Tasks, trading: &Tasks) -> anyhow::Result<Self> {
        let MonitorParts { symbols, exporter, history, clock, store } = parts;
        let (shown, latest) = watch(common.take("app.sample")?, None);
        let mut sampler = Sampler::new(history, ledger.handle(), [edge.clone(), trading.clone()], exporter.clone());
        let figures = exporter.storage();
        edge.spawn(TaskSpec { name: "sampler", group: "app" }, move |task: Task| {
            Box::pin(async move {
                let mut tick = tokio::time::interval(SAMPLE_EVERY);
                tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                let (mut turn, mut database_bytes) = (0_u32, None);
                while task.stop.or(tick.tick()).await.is_some() {
                    task.pulse.beat();
                    shown.put(Some(sampler.sample(clock.now())));
                    if turn.is_multiple_of(SIZES_EVERY) {
                        database_bytes = store.sizes().await.ok().map(|sizes| sizes.database);
                    }
                    turn = turn.wrapping_add(1);
                    let (counts, health) = (store.counts(), store.health().get());
                    figures.observe(&StorageFigures {
                        records: counts.records,
                        batches: counts.batches,
                        failures: counts.failures,
                        failing: health.failing.is_some(),
                        records_full: health.records_full,
                        history_dropped: counts.history_dropped,
                        database_bytes,
                    });
                }
            })
        })?;
        Ok(Self { exporter, latest, trading: trading.clone(), symbols })
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.exporter.render()
    }

    /// The latest sample in the web server's words.
    pub fn web(&self) -> plimsoll_web::SystemMetrics {
        let Some(sample) = self.latest.get() else { return plimsoll_web::SystemMetrics::default() };
        plimsoll_web::SystemMetrics {
            time: sample.time,
            allocated_bytes: sample.allocator.map(|a| a.allocated),
            active_bytes: sample.allocator.map(|a| a.active),
            mapped_bytes: sample.allocator.map(|a| a.mapped),
            retained_bytes: sample.allocator.map(|a| a.retained),
            rss_bytes: sample.process.map(|p| p.resident_bytes),
            rss_anon_bytes: sample.process.and_then(|p| p.anonymous_bytes),
            purges: 0,
            next_purge_bytes: None,
            manager_cpu_share: None,
            cgroup_current_bytes: sample.cgroup.map(|c| c.current_bytes),
            cgroup_max_bytes: sample.cgroup.and_then(|c| c.limit_bytes),
            memory_pressure: None,
            cpu_cores: sample.cpu_load,
            open_files: sample.process.and_then(|p| p.open_files),
            tasks: sample.tasks.live as u64,
        }
    }

    /// Why the process should be started again: tasks of the trading thread that ended though they should not.
    pub fn dead(&self) -> Vec<String> {
        let missing = |group: &str, wanted: usize| self.trading.live_in(group) < wanted;
        [("gateway", 1), ("account", 1), ("symbols", self.symbols)]
            .into_iter()
            .filter(|(group, wanted)| missing(group, *wanted))
            .map(|(group, wanted)| format!("of the {wanted} tasks of {group} at least one has ended"))
            .collect()
    }
}
