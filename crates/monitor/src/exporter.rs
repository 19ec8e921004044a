//! Prometheus: every family of [`FAMILIES`], with labels that cannot multiply.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use plimsoll_bounded::{
    Class, Gauge as LineGauge, Grant, Ledger, LedgerError, Map, Open, TaskState, TaskStatus, TemplateStatus, Text, WhenFull,
};

use crate::families as f;
use crate::families::{FAMILIES, Family, Kind};
use crate::limits::{
    ACCOUNT_SERIES, ACCOUNTS_MAX, GROUPS_MAX, LATENCIES_PENDING_MAX, LATENCY_BYTES, PROCESS_SERIES, SERIES_BYTES, SERIES_MAX,
    SYMBOL_SERIES, SYMBOLS_MAX, TEMPLATE_SERIES, TEMPLATES_MAX,
};
use crate::sample::Sample;

/// The exporter's lines in the ledger.
#[derive(Debug)]
pub struct ExporterGrants {
    owners: Grant,
    templates: Grant,
    groups: Grant,
    series: LineGauge,
    latencies: LineGauge,
}

const OWNERS: &str = "monitor.owners";
const TEMPLATES: &str = "monitor.templates";
const GROUPS: &str = "monitor.groups";

impl ExporterGrants {
    /// Puts down what an exporter needs, the series and pending latencies that its library keeps included.
    ///
    /// # Errors
    /// When the ledger has such lines already, or has no room for lines.
    pub fn take(ledger: &Ledger<Open>) -> Result<Self, LedgerError> {
        let series = ledger.external("monitor.series", SERIES_MAX * SERIES_BYTES)?;
        let latencies = ledger.external("monitor.latencies", LATENCIES_PENDING_MAX * LATENCY_BYTES)?;
        let [owners, templates, groups] = lines();
        let [owners, templates, groups] = [ledger.grant(owners)?, ledger.grant(templates)?, ledger.grant(groups)?];
        Ok(Self { owners, templates, groups, series, latencies })
    }

    /// Makes the grants without a ledger, for tests and tools.
    pub fn detached() -> Self {
        let [owners, templates, groups] = lines();
        let [owners, templates, groups] = [owners, templates, groups].map(Grant::detached);
        Self { owners, templates, groups, series: LineGauge::detached(), latencies: LineGauge::detached() }
    }
}

fn lines() -> [plimsoll_bounded::Line<'static>; 3] {
    [
        Map::<Owner, ()>::line(OWNERS, SYMBOLS_MAX + ACCOUNTS_MAX, WhenFull::Refuse, Class::BestEffort),
        Map::<Template, LineSeries>::line(TEMPLATES, TEMPLATES_MAX, WhenFull::Refuse, Class::BestEffort),
        Map::<&'static str, GroupSeries>::line(GROUPS, GROUPS_MAX, WhenFull::Refuse, Class::BestEffort),
    ]
}

/// Who has series of his own: an account, or an account and a symbol.
type Owner = (Text<24>, Text<32>);
type Template = Text<96>;

/// No further symbols or accounts get series: the limit was set for the labels, not for trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no series for another symbol or account: {max} have some")]
pub struct SeriesFull {
    /// How many may have.
    pub max: usize,
}

/// Another recorder of the crate `metrics` is installed in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another metrics recorder is installed already")]
pub struct AlreadyInstalled;

/// Holds all metrics and writes them as Prometheus reads them. Cheap to clone.
///
/// # Bounds
/// Series: [`SERIES_MAX`], because labels are names that are configured or compiled in. Latencies between two upkeeps:
/// [`LATENCIES_PENDING_MAX`]. What is left out is counted in `plimsoll_metrics_dropped_total`.
#[derive(Clone)]
pub struct Exporter {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    pending: Arc<Pending>,
    fixed: Fixed,
    tables: Mutex<Tables>,
    /// The live figures of what the library keeps, in bytes.
    series: LineGauge,
    latencies: LineGauge,
}

/// Counts the latencies that the recorder keeps until the next upkeep.
#[derive(Default)]
struct Pending {
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

/// What grows with configuration, each within its grant.
struct Tables {
    owners: Map<Owner, ()>,
    templates: Map<Template, LineSeries>,
    groups: Map<&'static str, GroupSeries>,
    /// The fullest containers, written out: whose they are changes, and a recorder never forgets a label.
    worst: String, // tidy: bounded by TEMPLATES_MAX lines of WORST_LINE_MAX bytes
}

struct LineSeries {
    lines: Gauge,
    bytes: Gauge,
    capacity: Gauge,
    length: Gauge,
    fill: Gauge,
    high_water: Gauge,
    overflow: Counter,
    seen: bool,
}

struct GroupSeries {
    live: Gauge,
    count: usize,
}

/// Series without labels.
struct Fixed {
    uptime: Gauge,
    cpu: Counter,
    live: Gauge,
    overdue: Gauge,
    spawned: Counter,
    finished: Counter,
    failed: Counter,
    panicked: Counter,
    cancelled: Counter,
    refused: Counter,
    restarted: Counter,
    budget: Gauge,
    total: Gauge,
    used: Gauge,
    dropped: Counter,
}

impl Exporter {
    /// Makes an exporter that nobody else in the process writes to.
    pub fn new(grants: ExporterGrants) -> Self {
        let recorder = Arc::new(builder().build_recorder());
        let handle = recorder.handle();
        let series = Series { recorder: &recorder };
        for family in FAMILIES {
            series.describe(family);
        }
        series.gauge(&f::BUILD_INFO, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        let fixed = Fixed {
            uptime: series.gauge(&f::UPTIME, &[]),
            cpu: series.counter(&f::PROCESS_CPU, &[]),
            live: series.gauge(&f::TASKS_LIVE, &[]),
            overdue: series.gauge(&f::TASKS_OVERDUE, &[]),
            spawned: series.counter(&f::TASKS_SPAWNED, &[]),
            finished: series.counter(&f::TASKS_FINISHED, &[]),
            failed: series.counter(&f::TASKS_FAILED, &[]),
            panicked: series.counter(&f::TASKS_PANICKED, &[]),
            cancelled: series.counter(&f::TASKS_CANCELLED, &[]),
            refused: series.counter(&f::TASKS_REFUSED, &[]),
            restarted: series.counter(&f::TASKS_RESTARTED, &[]),
            budget: series.gauge(&f::LEDGER_BUDGET, &[]),
            total: series.gauge(&f::LEDGER_TOTAL, &[]),
            used: series.gauge(&f::LEDGER_USED, &[]),
            dropped: series.counter(&f::DROPPED, &[]),
        };
        // A counter that begins at its first increase is not seen to increase.
        for rule in crate::watchdog::Rule::ALL {
            series.counter(&f::WATCHDOG_ALERTS, &[rule.as_str()]).increment(0);
        }
        let ExporterGrants { owners, templates, groups, series, latencies } = grants;
        let tables = Tables { owners: Map::new(owners), templates: Map::new(templates), groups: Map::new(groups), worst: String::new() };
        let inner = Inner { recorder, handle, pending: Arc::default(), fixed, tables: Mutex::new(tables), series, latencies };
        let exporter = Self { inner: Arc::new(inner) };
        exporter.weigh();
        exporter
    }

    /// Makes an exporter and the process's recorder of it, so that libraries which use the crate `metrics` write to it, too.
    ///
    /// # Errors
    /// When the process has a recorder already.
    pub fn install(grants: ExporterGrants) -> Result<Self, AlreadyInstalled> {
        let exporter = Self::new(grants);
        let shared = SharedRecorder { recorder: Arc::clone(&exporter.inner.recorder) };
        metrics::set_global_recorder(shared).map_err(|_| AlreadyInstalled)?;
        Ok(exporter)
    }

    /// Writes everything in Prometheus's text format.
    pub fn render(&self) -> String {
        let mut text = self.inner.handle.render();
        text.push_str(&self.tables().worst);
        text
    }

    /// Sorts pending latencies into their buckets. [`crate::Sampler::sample`] does it.
    pub fn upkeep(&self) {
        let Inner { handle, pending, fixed, latencies, .. } = &*self.inner;
        // Only what was there before is taken off: what comes meanwhile stays counted, sorted or not.
        let waiting = pending.waiting.load(Relaxed);
        latencies.set_len(waiting.min(LATENCIES_PENDING_MAX) * LATENCY_BYTES);
        handle.run_upkeep();
        pending.waiting.fetch_sub(waiting, Relaxed);
        fixed.dropped.increment(pending.dropped.swap(0, Relaxed));
    }

    /// Takes a place for the series of an account, or of a symbol on it; the same owner again needs no further place.
    pub(crate) fn admit(&self, account: &str, symbol: &str) -> Result<Series<'_>, SeriesFull> {
        let mut tables = self.tables();
        let max = tables.owners.capacity();
        if tables.owners.get_or_insert_with((Text::cut(account), Text::cut(symbol)), || ()).is_err() {
            drop(tables);
            self.inner.fixed.dropped.increment(1);
            return Err(SeriesFull { max });
        }
        Ok(self.series())
    }

    pub(crate) fn series(&self) -> Series<'_> {
        Series { recorder: &self.inner.recorder }
    }

    pub(crate) fn latency(&self, family: &Family, labels: &[&str]) -> Latency {
        Latency { histogram: self.series().histogram(family, labels), pending: Arc::clone(&self.inner.pending) }
    }

    /// Brings the exported figures up to a sample.
    pub(crate) fn publish(&self, sample: &Sample, uptime: Duration, lines: &[TemplateStatus], tasks: &[TaskStatus]) {
        let Fixed { uptime: up, cpu, live, overdue, spawned, finished, failed, panicked, cancelled, refused, budget, total, used, .. } =
            &self.inner.fixed;
        up.set(uptime.as_secs_f64());
        self.inner.fixed.restarted.absolute(sample.tasks_restarted);
        live.set(sample.tasks.live as f64);
        overdue.set(sample.tasks_overdue as f64);
        spawned.absolute(sample.tasks.spawned);
        finished.absolute(sample.tasks.finished);
        failed.absolute(sample.tasks.failed);
        panicked.absolute(sample.tasks.panicked);
        cancelled.absolute(sample.tasks.cancelled);
        refused.absolute(sample.tasks.refused);
        budget.set(sample.budget_bytes as f64);
        total.set(sample.ledger_bytes as f64);
        used.set(sample.ledger_used_bytes as f64);
        if let Some(process) = sample.process {
            cpu.absolute(process.cpu.as_secs());
            self.known(&f::PROCESS_RESIDENT, Some(process.resident_bytes));
            self.known(&f::PROCESS_ANONYMOUS, process.anonymous_bytes);
            self.known(&f::PROCESS_THREADS, Some(process.threads));
            self.known(&f::PROCESS_FILES, process.open_files);
            self.known(&f::PROCESS_FILES_MAX, process.files_limit);
        }
        if let Some(figures) = sample.allocator {
            self.known(&f::ALLOCATED, Some(figures.allocated));
            self.known(&f::ACTIVE, Some(figures.active));
            self.known(&f::RESIDENT, Some(figures.resident));
            self.known(&f::MAPPED, Some(figures.mapped));
            self.known(&f::RETAINED, Some(figures.retained));
        }
        if let Some(group) = sample.cgroup {
            self.known(&f::CGROUP_CURRENT, Some(group.current_bytes));
            self.known(&f::CGROUP_LIMIT, group.limit_bytes);
        }
        self.known(&f::MACHINE_AVAILABLE, sample.machine.map(|machine| machine.available_bytes));
        if let Some(load) = sample.cpu_load {
            self.series().gauge(&f::PROCESS_LOAD, &[]).set(load);
        }
        self.publish_lines(lines);
        self.publish_groups(tasks);
        self.weigh();
    }

    /// Shows what the series of those who have some may take, in the ledger's own line. What the process has is counted whole.
    fn weigh(&self) {
        let tables = self.tables();
        let symbols = tables.owners.iter().filter(|((_, symbol), ())| !symbol.as_str().is_empty()).count();
        let accounts = tables.owners.len() - symbols;
        let of_owners = symbols * SYMBOL_SERIES + accounts * ACCOUNT_SERIES;
        let series = PROCESS_SERIES + of_owners + tables.templates.len() * TEMPLATE_SERIES + tables.groups.len();
        self.inner.series.set_len(series * SERIES_BYTES);
    }

    /// Sets a figure that is known; one that is not has no series, rather than a wrong one.
    fn known(&self, family: &Family, figure: Option<u64>) {
        if let Some(figure) = figure {
            self.series().gauge(family, &[]).set(figure as f64);
        }
    }

    fn publish_lines(&self, lines: &[TemplateStatus]) {
        let mut tables = self.tables();
        tables.templates.for_each_mut(|_, series| series.seen = false);
        tables.worst = worst(lines);
        for status in lines {
            let name = status.template();
            let made = tables.templates.get_or_insert_with(Text::cut(name), || LineSeries::of(&self.series(), name, status.worst.policy));
            let Ok(series) = made else {
                self.inner.fixed.dropped.increment(1);
                continue;
            };
            series.seen = true;
            series.lines.set(status.lines as f64);
            series.bytes.set(status.bytes as f64);
            series.capacity.set(status.capacity as f64);
            series.length.set(status.len as f64);
            series.fill.set(f64::from(status.worst.fill_permille()) / 1_000.0);
            series.high_water.set(status.high_water_max as f64);
            series.overflow.absolute(status.overflows);
        }
        tables.templates.for_each_mut(|_, series| {
            if !series.seen {
                series.clear();
            }
        });
    }

    fn publish_groups(&self, tasks: &[TaskStatus]) {
        let mut tables = self.tables();
        tables.groups.for_each_mut(|_, group| group.count = 0);
        for task in tasks.iter().filter(|task| task.state == TaskState::Running) {
            let made = tables
                .groups
                .get_or_insert_with(task.group, || GroupSeries { live: self.series().gauge(&f::TASKS_GROUP, &[task.group]), count: 0 });
            match made {
                Ok(group) => group.count += 1,
                Err(_) => self.inner.fixed.dropped.increment(1),
            }
        }
        tables.groups.for_each_mut(|_, group| group.live.set(group.count as f64));
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every change leaves the tables whole at each step.
        self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter")
    }
}

impl LineSeries {
    fn of(series: &Series<'_>, name: &str, policy: WhenFull) -> Self {
        Self {
            lines: series.gauge(&f::LEDGER_LINES, &[name]),
            bytes: series.gauge(&f::LEDGER_BYTES, &[name]),
            capacity: series.gauge(&f::LEDGER_CAPACITY, &[name]),
            length: series.gauge(&f::LEDGER_LENGTH, &[name]),
            fill: series.gauge(&f::LEDGER_FILL, &[name]),
            high_water: series.gauge(&f::LEDGER_HIGH_WATER, &[name]),
            overflow: series.counter(&f::LEDGER_OVERFLOW, &[name, policy.as_str()]),
            seen: true,
        }
    }

    /// Shows that there is no such line any more; what was counted stays counted.
    fn clear(&self) {
        for gauge in [&self.lines, &self.bytes, &self.capacity, &self.length, &self.fill, &self.high_water] {
            gauge.set(0.0);
        }
    }
}

/// The fullest container of each kind, in Prometheus's text format.
fn worst(lines: &[TemplateStatus]) -> String {
    use std::fmt::Write;
    let family = &f::LEDGER_WORST;
    let mut text = format!("# HELP {0} {1}\n# TYPE {0} gauge\n", family.name, family.help);
    for status in lines.iter().take(TEMPLATES_MAX) {
        let owner = status.worst.name.owner().replace('\\', "\\\\").replace('"', "\\\"");
        let full = f64::from(status.worst.fill_permille()) / 1_000.0;
        // Writing to a string does not fail.
        if writeln!(text, "{}{{line=\"{}\",owner=\"{owner}\"}} {full}", family.name, status.template()).is_err() {
            break;
        }
    }
    text.push('\n');
    text
}

fn builder() -> PrometheusBuilder {
    let builder = PrometheusBuilder::new();
    let histograms = FAMILIES.iter().filter(|family| family.kind == Kind::Histogram);
    histograms.fold(builder, |builder, family| {
        let buckets: &[f64] = if *family == f::DECISION { &f::DECISION_BUCKETS } else { &f::NETWORK_BUCKETS };
        let name = Matcher::Full(family.name.to_owned());
        match builder.set_buckets_for_metric(name, buckets) {
            Ok(builder) => builder,
            Err(error) => unreachable!("buckets of {} are constants: {error}", family.name),
        }
    })
}

/// Makes series in a recorder.
#[derive(Clone, Copy)]
pub(crate) struct Series<'a> {
    recorder: &'a PrometheusRecorder,
}

const METADATA: Metadata<'static> = Metadata::new("plimsoll", Level::INFO, None);

impl Series<'_> {
    fn describe(&self, family: &Family) {
        let (name, help) = (KeyName::from_const_str(family.name), SharedString::const_str(family.help));
        match family.kind {
            Kind::Counter => self.recorder.describe_counter(name, None, help),
            Kind::Gauge => self.recorder.describe_gauge(name, None, help),
            Kind::Histogram => self.recorder.describe_histogram(name, Some(Unit::Seconds), help),
        }
    }

    pub(crate) fn counter(&self, family: &Family, labels: &[&str]) -> Counter {
        self.recorder.register_counter(&key(family, Kind::Counter, labels), &METADATA)
    }

    pub(crate) fn gauge(&self, family: &Family, labels: &[&str]) -> Gauge {
        self.recorder.register_gauge(&key(family, Kind::Gauge, labels), &METADATA)
    }

    fn histogram(&self, family: &Family, labels: &[&str]) -> Histogram {
        self.recorder.register_histogram(&key(family, Kind::Histogram, labels), &METADATA)
    }
}

fn key(family: &Family, kind: Kind, labels: &[&str]) -> Key {
    assert!(family.kind == kind && family.labels.len() == labels.len(), "{} is made as something else", family.name);
    let labels: Vec<Label> = family.labels.iter().zip(labels).map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(family.name, labels)
}

/// Counts latencies by size. Cheap to clone; never waits.
#[derive(Clone)]
pub struct Latency {
    histogram: Histogram,
    pending: Arc<Pending>,
}

impl Latency {
    /// Counts one.
    ///
    /// # Bounds
    /// [`LATENCIES_PENDING_MAX`] between two upkeeps, all histograms together; beyond, it is dropped and that is counted.
    pub fn record(&self, latency: Duration) {
        if self.pending.waiting.fetch_add(1, Relaxed) < LATENCIES_PENDING_MAX {
            self.histogram.record(latency.as_secs_f64());
        } else {
            self.pending.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl std::fmt::Debug for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Latency")
    }
}

/// The process's recorder: the same one that the exporter writes out.
struct SharedRecorder {
    recorder: Arc<PrometheusRecorder>,
}

impl Recorder for SharedRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_histogram(name, unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.recorder.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.recorder.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.recorder.register_histogram(key, metadata)
    }
}
