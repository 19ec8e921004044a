//! Answers about the process itself: its memory, its tasks, its connections to the database, its channels.

// tidy: short-lived, answers of the API; each list is cut by its route's limit
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `/api/ledger`: every declared limit and how full it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LedgerDto {
    /// Budget in bytes.
    pub budget_bytes: u64,
    /// What all lines take at worst.
    pub planned_bytes: u64,
    /// What the items there now take at worst.
    pub used_bytes: u64,
    /// Times that a limit acted, all lines together.
    pub overflows: u64,
    /// The lines.
    pub lines: Vec<LedgerLineDto>,
}

/// One line of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LedgerLineDto {
    /// `template/owner`.
    pub name: String,
    /// Items at most.
    pub capacity: u64,
    /// Items now.
    pub len: u64,
    /// Most items ever.
    pub high_water: u64,
    /// Times that the limit acted.
    pub overflows: u64,
    /// Bytes an item takes at worst.
    pub item_bytes: u64,
    /// Bytes the line takes at worst.
    pub bytes: u64,
    /// What happens when it is full.
    pub policy: String,
    /// How precious its content is.
    pub class: String,
}

/// Answer of `/api/system/metrics/current`. The first ten names are those of the original; megabytes are 10^6 bytes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct MetricsDto {
    /// Allocated by the program.
    pub alloc_mb: Option<f64>,
    /// Resident.
    pub sys_mb: Option<f64>,
    /// Allocated by the program.
    pub heap_alloc_mb: Option<f64>,
    /// Mapped by the allocator.
    pub heap_sys_mb: Option<f64>,
    /// In active pages of the allocator.
    pub heap_inuse_mb: Option<f64>,
    /// Mapped and not active.
    pub heap_idle_mb: Option<f64>,
    /// Purge cycles done.
    pub num_gc: u64,
    /// Resident size at which the next purge comes early.
    pub next_gc_mb: Option<f64>,
    /// The memory manager's share of the process's CPU time, 0 to 1.
    pub gc_cpu_fraction: Option<f64>,
    /// Live tasks.
    pub goroutines: u64,
    /// When it was read.
    pub time_ms: u64,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Resident memory that is not backed by files.
    pub rss_anon_bytes: Option<u64>,
    /// Kept by the allocator without physical pages.
    pub retained_bytes: Option<u64>,
    /// Memory of the control group.
    pub cgroup_current_bytes: Option<u64>,
    /// Its limit.
    pub cgroup_max_bytes: Option<u64>,
    /// Share of the last ten seconds in which some task waited for memory, 0 to 1.
    pub memory_pressure: Option<f64>,
    /// Rung of the pressure ladder: 0 is calm, 4 is leaving.
    pub pressure_rung: u8,
    /// `calm`, `shed_views`, `shed_caches`, `stop_opening` or `leave`; `unknown` before the first sample.
    pub pressure_word: String,
    /// The tightest limit of memory.
    pub memory_limit_bytes: Option<u64>,
    /// Who sets that limit.
    pub memory_limiter: Option<String>,
    /// How much of that limit is used, 0 to 1.
    pub memory_used_ratio: Option<f64>,
    /// Who is suspected of a leak; at most eight.
    pub leak_suspects: Vec<String>,
    /// How fast memory grows, bytes an hour.
    pub leak_slope_bytes_per_hour: Option<f64>,
    /// Purge cycles done, as in `num_gc`.
    pub purges: u64,
    /// Clean-ups done.
    pub cleanups: u64,
    /// CPU cores used on average since the reading before.
    pub cpu_cores: Option<f64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// Live tasks.
    pub tasks: u64,
    /// Budget of the ledger.
    pub ledger_budget_bytes: u64,
    /// What its lines take at worst.
    pub ledger_planned_bytes: u64,
    /// What the items there now take at worst.
    pub ledger_used_bytes: u64,
    /// Times that a limit acted.
    pub ledger_overflows: u64,
}

/// Answer of `/api/system/metrics`, oldest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemDto {
    /// Start of the range.
    pub from_ms: u64,
    /// End of the range.
    pub to_ms: u64,
    /// Samples, thinned out to the number asked for: the least and the greatest of each span stay.
    pub points: Vec<SystemPointDto>,
}

/// A sample of the process.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SystemPointDto {
    /// When it was taken.
    pub time_ms: u64,
    /// CPU cores used on average since the sample before.
    pub cpu_cores: Option<f64>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Resident memory that is not backed by files.
    pub rss_anon_bytes: Option<u64>,
    /// Allocated by the program.
    pub allocated_bytes: Option<u64>,
    /// In active pages of the allocator.
    pub active_bytes: Option<u64>,
    /// In pages of the allocator that are backed by memory.
    pub resident_bytes: Option<u64>,
    /// Mapped by the allocator.
    pub mapped_bytes: Option<u64>,
    /// Kept by the allocator without physical pages.
    pub retained_bytes: Option<u64>,
    /// Memory of the control group.
    pub cgroup_current_bytes: Option<u64>,
    /// Its limit.
    pub cgroup_max_bytes: Option<u64>,
    /// What the items in the ledger's containers took at worst.
    pub ledger_used_bytes: Option<u64>,
    /// Live tasks.
    pub tasks: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// Purge cycles done.
    pub purges: Option<u64>,
    /// Rung of the pressure ladder: 0 is calm, 4 is leaving.
    pub pressure_rung: Option<u8>,
}

/// Answer of `/api/system/metrics/daily`, oldest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemDailyDto {
    /// Start of the range.
    pub from_ms: u64,
    /// End of the range.
    pub to_ms: u64,
    /// The UTC days of it that have ended.
    pub days: Vec<SystemDayDto>,
}

/// The samples of a day, summed up; a figure is `null` when no sample knew it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemDayDto {
    /// When it began.
    pub day_ms: u64,
    /// Samples of it.
    pub samples: u64,
    /// Resident memory.
    pub rss_bytes: Option<SpreadDto<u64>>,
    /// CPU cores used.
    pub cpu_cores: Option<SpreadDto<f64>>,
    /// Live tasks.
    pub tasks: Option<SpreadDto<u64>>,
    /// Allocated by the program.
    pub allocated_bytes: Option<SpreadDto<u64>>,
}

/// How a figure was spread over a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SpreadDto<T> {
    /// The least.
    pub min: T,
    /// The mean.
    pub avg: T,
    /// The greatest.
    pub max: T,
}

/// Answer of `/api/tasks`: those that need attention first, then those that run, then those that ended lately.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TasksDto {
    /// Tasks that run.
    pub live: usize,
    /// Of these, those that have been quiet for longer than they promised.
    pub overdue: usize,
    /// Tasks for which there is no room in this answer.
    pub left_out: usize,
    /// The tasks.
    pub tasks: Vec<TaskDto>,
}

/// A task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskDto {
    /// Its name.
    pub name: String,
    /// What kind of task it is.
    pub group: String,
    /// Who joins it.
    pub owner: String,
    /// `running`, `pausing` (before it is started again) or `ended`.
    pub state: String,
    /// How long it has run, all attempts included.
    pub age_ms: u64,
    /// Time since its last sign of life, or since it began.
    pub quiet_ms: u64,
    /// Signs of life since it began.
    pub beats: u64,
    /// Whether it has been quiet for longer than it promised.
    pub overdue: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended; `null` while it runs.
    pub exit: Option<String>,
    /// How its last failed attempt ended.
    pub last_failure: Option<String>,
}

/// Answer of `/api/pool`: the connections to the database.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PoolDto {
    /// Connections at most.
    pub max: u32,
    /// Connections that are open.
    pub size: u32,
    /// Connections that somebody has now.
    pub in_use: u32,
    /// Open connections that nobody has.
    pub idle: u32,
    /// Who waits for a connection now.
    pub waiting: u32,
    /// Connections handed out since the start.
    pub acquires: u64,
    /// Times that nobody could be given one since the start.
    pub refused: u64,
    /// What everybody together waited since the start.
    pub wait_total_ms: u64,
    /// The longest that anybody waited since the start.
    pub wait_max_ms: u64,
    /// Who has a connection now, the longest first.
    pub held: Vec<HeldDto>,
    /// How many of these have had it for too long: they leak it.
    pub held_too_long: u32,
    /// Whether the last health check worked; `null` before the first.
    pub healthy: Option<bool>,
    /// How long ago that was.
    pub checked_ago_ms: Option<u64>,
    /// How long it took.
    pub check_took_ms: Option<u64>,
    /// Why it failed.
    pub failing: Option<String>,
}

/// Who has a connection to the database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeldDto {
    /// What it is used for.
    pub holder: String,
    /// For how long already.
    pub held_ms: u64,
    /// Whether that is too long.
    pub too_long: bool,
}

/// Answer of `/api/alerts/channels`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChannelsDto {
    /// The channels, as configured.
    pub channels: Vec<ChannelDto>,
}

/// A channel for alerts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ChannelDto {
    /// Its configured name.
    pub name: String,
    /// What it is: `telegram`.
    pub kind: String,
    /// Whether its last attempt worked; true before the first.
    pub up: bool,
    /// Messages that wait.
    pub queued: u64,
    /// Messages that were taken.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Of these, attempts that were or will be repeated.
    pub retried: u64,
    /// Alerts lost.
    pub dropped: u64,
    /// Alerts kept for a digest because their like cooled down.
    pub suppressed: u64,
    /// Messages counted to one like them because a queue was full.
    pub folded: u64,
    /// Why the last attempt failed that did, without secrets.
    pub last_error: Option<String>,
    /// When it did.
    pub last_error_ms: Option<u64>,
    /// When the last message was taken.
    pub last_ok_ms: Option<u64>,
}

/// Answer of `/livez` and `/readyz`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthDto {
    /// Whether it is.
    pub ok: bool,
    /// Why not; empty when it is.
    pub reasons: Vec<String>,
}
