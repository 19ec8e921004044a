//! The process watches itself: samples, memory manager, pressure ladder, watchdog, leak detector. One task on the edge runtime.

use crate::alerts::Alerts;
use crate::config::Config;
use crate::memory::External;
use crate::metrics::Seen;
use crate::profiles::LeakProfiles;
use crate::trade::{Control, Inlet, LinkState, Refusal};
use arrayvec::ArrayVec;
use plimsoll_bounded::{Backoff, ExitStatus, Restart, SpawnError, Task, TaskHandle, TaskSpec, Tasks, WatchReceiver, WatchSender};
use plimsoll_gateway::{Clock, GatewayStats};
use plimsoll_market::{Alert, AlertCode, Event, Feed, Name, Severity, Symbol, Time};
use plimsoll_monitor::{
    AllocatorSample, Exporter, Ladder, LadderConfig, LeakDetector, ManagerConfig, MemoryManager, PoolSample, Room, Rule, Rung, Sample,
    Sampler, SessionSample, StorageFigures, StorageMetrics, Stream, Watchdog, WatchdogConfig,
};
use plimsoll_storage::Store;
use plimsoll_web::{FillTape, SymbolNow, Viewers, WebHandle};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the room that is left is looked at.
const ROOM_EVERY: Duration = Duration::from_secs(1);
/// Looks at the room between two samples.
const SAMPLE_EVERY: u32 = 5;
/// How long a database may take to make its caches smaller.
const SHRINK_WITHIN: Duration = Duration::from_secs(10);
/// Samples between two looks at the database.
const STORE_EVERY: u32 = 12;
/// A stream may be silent for so many times the time after which market data is stale.
const SILENT_TIMES: u32 = 6;

/// The settings of the watchdog, of the configuration and the plan.
pub fn watchdog_config(config: &Config, planned_tasks: usize) -> WatchdogConfig {
    let watchdog = &config.watchdog;
    WatchdogConfig {
        memory_bytes: config.memory.high_memory,
        // As planned and a quarter more; a task too many is a leak of tasks.
        tasks: config.memory.high_tasks.unwrap_or(planned_tasks + planned_tasks.div_ceil(4)),
        cpu_cores: f64::from(watchdog.cpu_percent) / 100.0,
        memory_growth_bytes: watchdog.growth,
        memory_growth_share: f64::from(watchdog.growth_percent) / 100.0,
        window: watchdog.window,
        cool_down: watchdog.cool_down,
    }
}

/// The settings of the memory manager.
pub fn manager_config(config: &Config) -> ManagerConfig {
    let memory = &config.memory;
    ManagerConfig { purge_every: memory.purge_every, cleanup_every: memory.cleanup_every, high_memory_bytes: memory.high_memory }
}

/// The settings of the ladder: the last rung as configured, the others five points apart below it.
pub fn ladder_config(config: &Config) -> LadderConfig {
    let last = f64::from(config.memory.leave_at_percent) / 100.0;
    LadderConfig { at: [last - 0.15, last - 0.10, last - 0.05, last], ..LadderConfig::default() }
}

/// A symbol, as far as the watcher needs it.
pub struct Watched {
    /// The way to its loop.
    pub inlet: Inlet,
    /// Its latest fills, for display.
    pub tape: Arc<FillTape>,
    /// What it shows.
    pub view: WatchReceiver<Option<Arc<SymbolNow>>>,
    /// The symbol's name.
    pub name: Symbol,
    /// Whether it was told that memory is short.
    pub told: bool,
}

/// What the watcher works with.
pub struct WatchParts {
    /// Samples.
    pub sampler: Sampler,
    /// Memory manager.
    pub manager: MemoryManager,
    /// Pressure ladder.
    pub ladder: Ladder,
    /// Watchdog.
    pub watchdog: Watchdog,
    /// Leak detector.
    pub leaks: LeakDetector,
    /// Heap profiles at an alarm.
    pub profiles: LeakProfiles,
    /// What we do not allocate ourselves.
    pub external: External,
    /// All metrics.
    pub exporter: Exporter,
    /// Where alerts go.
    pub alerts: Alerts,
    /// Where the latest is shown.
    pub shown: WatchSender<Seen>,
    /// Whether memory is short, as every symbol is to know.
    pub short: bool,
    /// Tells the watcher of storage to make caches smaller.
    pub shrink: Arc<AtomicBool>,
    /// When the process began to trade.
    pub started: Time,
    /// The symbols.
    pub symbols: Vec<Watched>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    /// Connections.
    pub links: Arc<LinkState>,
    /// How long market data may be silent before it is stale.
    pub stale_after: Duration,
    /// A sample is stored and held against the thresholds so often.
    pub every: Duration,
    /// The account's name.
    pub account: Name,
    /// What the gateway says of itself.
    pub gateway: WatchReceiver<GatewayStats>,
    /// Ends the process in order, telling why.
    pub leave: Box<dyn Fn(&str) + Send>,
    /// The clock.
    pub clock: Clock,
    /// The door of the dashboard's live subscribers; `None` without a web server.
    pub viewers: Option<Viewers>,
    /// Free pages are to be returned with the next sample: what was shed a moment ago has gone by then.
    pub purge_next: bool,
}

/// A watcher that panicked is started again: at once the first time, later after a minute, 16 times an hour at most.
const AGAIN: Restart = Restart::OnFailure {
    max: 16,
    within: Duration::from_secs(3_600),
    backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) },
};

/// Starts a watcher that no panic ends: `failed` is told before every further attempt, and how many there were.
///
/// # Errors
/// As [`Tasks::spawn_restarting`].
pub fn start<F>(
    tasks: &Tasks,
    spec: TaskSpec<'_>,
    failed: impl Fn(u32) + Send + 'static,
    mut attempt: impl FnMut(Task) -> F + Send + 'static,
) -> Result<TaskHandle, SpawnError>
where
    F: Future + Send + 'static,
    F::Output: Into<ExitStatus>,
{
    let mut attempts = 0_u32;
    tasks.spawn_restarting(spec, AGAIN, move |task| {
        if attempts > 0 {
            failed(attempts);
        }
        attempts += 1;
        attempt(task)
    })
}

/// Says that a watcher panicked; every time, for nobody else would.
pub fn failed(name: &'static str, exporter: Exporter, alerts: Alerts, clock: Clock) -> impl Fn(u32) + Send + 'static {
    move |times| {
        exporter.watchdog(Rule::TaskRestarted);
        let text = format_args!("task {name} panicked and is started again, {times} times so far; /api/tasks says why");
        alerts.raise_of(name, Alert::new(Severity::Critical, AlertCode::Task, clock.now(), &text));
    }
}

/// Watches until the process stops.
///
/// It never waits for anybody but its clock: a database that hangs must not hold up the ladder. What it works with outlives a
/// panic: the next attempt goes on with the same rung, thresholds and suspects.
pub async fn watch(parts: Arc<Mutex<WatchParts>>, task: Task) {
    task.pulse.expect_every(ROOM_EVERY * 30);
    let mut tick = tokio::time::interval(ROOM_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut turn = 0_u32;
    let mut stored_at: Option<Time> = None;
    while task.stop.or(tick.tick()).await.is_some() {
        task.pulse.beat();
        // A panic leaves figures behind that are whole each by itself.
        let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.look(turn.is_multiple_of(SAMPLE_EVERY), &mut stored_at);
        crate::log::tick();
        turn = turn.wrapping_add(1);
    }
}

/// What the watcher of storage works with; an attempt after a panic begins with a copy.
#[derive(Clone)]
pub struct StorageWatch {
    /// Storage.
    pub store: Store,
    /// All metrics.
    pub exporter: Exporter,
    /// Where alerts go.
    pub alerts: Alerts,
    /// Its caches are to be made smaller.
    pub shrink: Arc<AtomicBool>,
    /// Silence after a complaint.
    pub cool_down: Duration,
    /// The folder of the database: its disk is watched.
    pub data_dir: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// What was complained of, and when: the database, and each connection.
    pub spoken: ArrayVec<(&'static str, Time), COMPLAINTS_MAX>,
}

/// Things that the watcher of storage remembers having complained of.
pub const COMPLAINTS_MAX: usize = 16;

/// Watches storage until the process stops. Everything here may wait for a database.
pub async fn watch_storage(mut parts: StorageWatch, task: Task) {
    task.pulse.expect_every(SHRINK_WITHIN * 12);
    let (storage, log) = (parts.exporter.storage(), parts.exporter.log());
    let mut tick = tokio::time::interval(ROOM_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut turn = 0_u32;
    while task.stop.or(tick.tick()).await.is_some() {
        task.pulse.beat();
        if parts.shrink.swap(false, Ordering::Relaxed) {
            match tokio::time::timeout(SHRINK_WITHIN, parts.store.shrink()).await {
                Ok(Ok(())) => tracing::debug!("the database's caches were made smaller"),
                Ok(Err(error)) => tracing::debug!(%error, "the database kept its caches"),
                Err(_) => tracing::debug!("the database did not say whether it made its caches smaller"),
            }
        }
        if turn.is_multiple_of(SAMPLE_EVERY) {
            crate::log::observe(&log, &parts.store);
            parts.look(&storage, turn.is_multiple_of(SAMPLE_EVERY * STORE_EVERY)).await;
        }
        turn = turn.wrapping_add(1);
    }
}

impl StorageWatch {
    async fn look(&mut self, metrics: &StorageMetrics, minute: bool) {
        let database_bytes = if minute { self.store.sizes().await.ok().map(|sizes| sizes.database) } else { None };
        let (counts, health) = (self.store.counts(), self.store.health().get());
        metrics.observe(&StorageFigures {
            records: counts.records,
            batches: counts.batches,
            failures: counts.failures,
            waiting: self.store.waiting() as u64,
            oldest: counts.oldest,
            commit_time: counts.commit_time,
            failing: health.failing.is_some(),
            records_full: health.records_full,
            history_dropped: counts.history_dropped,
            database_bytes,
        });
        // A server that does not answer tells no sizes either: it is asked all the same.
        let checked = if minute { self.store.check().await } else { Ok(()) };
        let pool = self.store.pool();
        self.store.memory().set_len(pool.memory_bytes());
        self.exporter.pool(&PoolSample {
            max: pool.max as usize,
            in_use: pool.in_use as usize,
            idle: pool.idle as usize,
            waiting: pool.waiting as usize,
            acquires: pool.acquires,
            longest_wait: pool.wait_max,
            held_too_long: pool.held_too_long as usize,
            healthy: pool.healthy,
        });
        if let Err(error) = checked {
            let text = format_args!("the database does not answer its health check: {error}");
            self.complain(Rule::DatabaseUnwell, "database", Severity::Critical, &text);
        }
        for held in pool.leaks() {
            let text = format_args!("{} has held a connection to the database for {} s", held.holder, held.held.as_secs());
            self.complain(Rule::ConnectionHeld, held.holder, Severity::Warning, &text);
        }
        if minute && let Some(free) = crate::metrics::disk_free(&self.data_dir) {
            self.exporter.disk_free(free);
        }
    }

    fn complain(&mut self, rule: Rule, subject: &'static str, severity: Severity, text: &dyn std::fmt::Display) {
        let now = self.clock.now();
        let cool_down = self.cool_down;
        self.spoken.retain(|(_, at)| now.since(*at) < cool_down);
        if self.spoken.iter().any(|(known, _)| *known == subject) || self.spoken.try_push((subject, now)).is_err() {
            return;
        }
        self.exporter.watchdog(rule);
        self.alerts.raise_of(subject, Alert::new(severity, AlertCode::Database, now, text));
    }
}

impl WatchParts {
    /// Watches a web server's tasks as well, and sends its live subscribers away when memory is short.
    pub fn include(&mut self, web: &WebHandle) {
        self.sampler.watch_also(web.task_sets());
        self.viewers = Some(web.viewers());
    }

    /// Looks at the room that is left and, when a sample is due, at everything.
    fn look(&mut self, sample_due: bool, stored_at: &mut Option<Time>) {
        let began = Instant::now();
        let now = self.clock.now();
        let (room, stall) = self.sampler.room();
        let before = self.ladder.rung();
        let steps: Vec<Rung> = self.ladder.look(now, room.as_ref(), stall).collect();
        for rung in steps {
            self.step(now, before, rung, room);
        }
        self.tell_viewers();
        self.tell_symbols();
        if !sample_due {
            self.manager.spent(began.elapsed());
            return;
        }
        let sample = self.sampler.sample(now);
        self.external.observe(&sample);
        let due = self.manager.due(&sample);
        if due.purge || std::mem::take(&mut self.purge_next) {
            self.purge(now);
        }
        self.look_for_leaks(&sample);
        let store_now = stored_at.is_none_or(|at| now.since(at) + ROOM_EVERY >= self.every);
        if store_now {
            *stored_at = Some(now);
            self.look_at_thresholds(&sample);
        }
        self.show(sample);
        self.manager.spent(began.elapsed());
        if due.cleanup {
            self.clean_up(now);
        }
        if store_now {
            self.store_sample(&sample);
        }
    }

    /// Drops what has expired and has caches give back what they can spare; free pages go with the next sample.
    fn clean_up(&mut self, now: Time) {
        self.manager.cleaned(now);
        self.watchdog.forget(now);
        if let Some(viewers) = &self.viewers {
            viewers.sweep();
        }
        self.shrink.store(true, Ordering::Relaxed);
        self.purge_next = true;
    }

    /// Sends live subscribers away while a rung holds; each look says it anew.
    fn tell_viewers(&self) {
        let Some(viewers) = &self.viewers else { return };
        if self.ladder.rung() >= Rung::ShedViews { viewers.send_away() } else { viewers.let_in() }
    }

    /// Carries out a rung of the ladder.
    fn step(&mut self, now: Time, from: Rung, rung: Rung, room: Option<Room>) {
        let up = rung > from;
        let used = room.map_or_else(
            || "tasks wait for memory".to_owned(),
            |room| {
                let (used, limit) = (room.used_bytes >> 20, room.limit_bytes >> 20);
                format!("{used} MiB of the {limit} MiB of {} are used ({:.0} %)", room.limiter.as_str(), room.ratio() * 100.0)
            },
        );
        let (severity, what) = match rung {
            Rung::Calm => (Severity::Info, "memory suffices again"),
            Rung::ShedViews if up => {
                (Severity::Warning, "memory runs short: live viewers are sent away, histories of the dashboard are dropped")
            }
            Rung::ShedCaches if up => (Severity::Warning, "memory runs short: caches are dropped and free pages returned"),
            Rung::StopOpening if up => (Severity::Critical, "memory runs short: nothing is opened any more"),
            Rung::Leave => (Severity::Critical, "memory is at its limit: the process stops in order before it is killed"),
            Rung::ShedViews | Rung::ShedCaches | Rung::StopOpening => (Severity::Info, "memory is less short"),
        };
        self.alerts.raise_of(rung.as_str(), Alert::new(severity, AlertCode::Memory, now, &format_args!("{what}: {used}")));
        match rung {
            Rung::ShedViews if up => {
                self.sampler.shed();
                self.symbols.iter().for_each(|symbol| symbol.tape.clear());
                self.purge_next = true;
            }
            Rung::ShedCaches if up => {
                self.shrink.store(true, Ordering::Relaxed);
                self.purge(now);
            }
            Rung::StopOpening if up => self.short = true,
            Rung::ShedCaches => self.short = false,
            Rung::Leave => (self.leave)(&used),
            Rung::Calm | Rung::ShedViews | Rung::StopOpening => {}
        }
    }

    /// Tells every symbol whether memory is short; one whose lane is full is told at the next look.
    fn tell_symbols(&mut self) {
        let short = self.short;
        for symbol in self.symbols.iter_mut().filter(|symbol| symbol.told != short) {
            if symbol.inlet.control(Control::Event(Event::MemoryShort(short))) != Err(Refusal::Full) {
                symbol.told = short;
            }
        }
    }

    fn purge(&mut self, now: Time) {
        let purged = AllocatorSample::purge();
        let resident = plimsoll_monitor::ProcessSample::read().map_or(0, |process| process.resident_bytes);
        self.manager.purged(now, resident);
        tracing::debug!(purged, resident, "free pages were returned to the system");
    }

    fn look_for_leaks(&mut self, sample: &Sample) {
        let found = self.leaks.look(sample, &self.sampler.templates());
        if let Some(leak) = found {
            self.alerts.raise_of(&leak.culprit.to_string(), leak.alert);
            self.profiles.alarm(sample.time);
        }
        for (culprit, suspected) in self.leaks.suspects(sample.time) {
            self.exporter.suspect(culprit, suspected);
        }
        self.profiles.look(sample.time, sample.room());
    }

    fn look_at_thresholds(&mut self, sample: &Sample) {
        let allowed = self.stale_after * SILENT_TIMES;
        let now = sample.time;
        let mut streams: Vec<(String, Duration)> = Vec::new();
        for symbol in &self.symbols {
            // One that never had a price has been silent since the start.
            let last = symbol.view.get().and_then(|view| view.status.top).map_or(self.started, |top| top.time);
            streams.push((format!("{} market", symbol.name), now.since(last)));
        }
        for feed in [Feed::Market, Feed::Account, Feed::Requests] {
            if let Some(down) = self.links.down_for(feed, now) {
                streams.push((format!("{} feed", crate::metrics::feed_name(feed)), down));
            }
        }
        let overdue = self.sampler.overdue();
        let names = overdue.iter().map(|task| task.name.as_str());
        let streams = streams.iter().map(|(name, silent_for)| Stream { name, silent_for: *silent_for, allowed });
        for finding in self.watchdog.look(sample, names, streams) {
            self.exporter.watchdog(finding.rule);
            let subject = if finding.subject.as_str().is_empty() { finding.rule.as_str() } else { finding.subject.as_str() };
            self.alerts.raise_of(subject, finding.alert);
        }
    }

    fn show(&mut self, sample: Sample) {
        let (figures, rung, slope) = (self.manager.figures(), self.ladder.rung(), self.leaks.slope_bytes_per_hour());
        self.exporter.memory(&sample, &figures, rung, slope);
        self.alerts.show();
        let session = self.gateway.get().session;
        self.exporter.session(
            self.account.as_str(),
            &SessionSample {
                weight: (session.weight_used, session.weight_limit),
                orders: (session.orders_used, session.orders_limit),
                malformed: session.frames_malformed + session.frames_oversized + session.replies_malformed,
                mismatches: session.book_mismatches,
                requests: session.requests,
                requests_failed: session.requests_failed,
                rate_limited: session.rate_limited,
                countdowns_failed: session.countdowns_failed,
                fills_unattributed: session.fills_unattributed,
                connects: session.connects,
            },
        );
        for feed in [Feed::Market, Feed::Account, Feed::Requests] {
            let age = self.links.down_for(feed, sample.time).unwrap_or_default();
            self.exporter.feed_age(self.account.as_str(), crate::metrics::feed_name(feed), age);
        }
        let suspects = self.leaks.suspects(sample.time).filter(|(_, now)| *now).map(|(name, _)| name.to_owned()).take(8).collect();
        self.shown.put(Seen { sample: Some(sample), manager: figures, rung, slope, suspects });
    }

    fn store_sample(&self, sample: &Sample) {
        self.alerts.history().system(&crate::metrics::system_row(sample, &self.manager.figures(), self.ladder.rung()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_bounded::Grant;

    /// Longer than the first two pauses together with what their names add.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_watcher_that_panics_is_told_of_and_goes_on_with_what_it_knew() {
        let tasks = Tasks::new(Grant::detached(Tasks::line("tasks", 2, 8 * 1024)));
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        // As the watcher's parts: behind a lock that the panic leaves poisoned.
        let looks = Arc::new(Mutex::new(0_u32));
        let kept = Arc::clone(&looks);
        let spec = TaskSpec { name: "watch", group: "watch" };
        let handle = start(
            &tasks,
            spec,
            move |times| tell.lock().unwrap().push(times),
            move |_| {
                let looks = Arc::clone(&kept);
                Box::pin(async move {
                    let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
                    *looks += 1;
                    assert!(*looks > 2, "a made-up panic at look {looks}");
                })
            },
        )
        .unwrap();
        let exit = tokio::time::timeout(PATIENCE, handle.join()).await.expect("it was not started again");
        assert!(exit.is_ok(), "{exit}");
        assert_eq!(*told.lock().unwrap(), [1, 2]);
        assert_eq!((*looks.lock().unwrap_or_else(PoisonError::into_inner), tasks.restarts()), (3, 2));
        assert_eq!(tasks.counts().panicked, 0, "it lives");
    }
}
