//! What the API sends: plain data with names in snake case.
//!
//! Prices, quantities and money are decimal text, never floats: prices and quantities with the symbol's decimals, money
//! and averages with eight. Times are milliseconds since the Unix epoch, UTC; ids are text. `null` means not known.

// tidy: short-lived, answers of the API; each list is cut by its route's limit
use serde::{Deserialize, Serialize};

/// Answer of `/api/status`: the whole system at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusDto {
    /// Always `plimsoll`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Exchange traded on.
    pub exchange: String,
    /// `local`, `live`, `paper` or `replay`.
    pub mode: String,
    /// Configured name of the account.
    pub account: String,
    /// Where the dashboard is.
    pub dashboard: String,
    /// When this was made.
    pub time_ms: u64,
    /// When the process started.
    pub started_ms: u64,
    /// Seconds since then.
    pub uptime_s: u64,
    /// Whether the process is stopping.
    pub stopping: bool,
    /// Connections to the exchange.
    pub links: Vec<LinkDto>,
    /// How the account's rules stand; `null` before its equity is known.
    pub risk: Option<RiskDto>,
    /// Everything together.
    pub totals: TotalsDto,
    /// Each symbol.
    pub symbols: Vec<SummaryDto>,
    /// What a person may want to do next.
    pub hints: Vec<String>,
}

/// A connection to the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkDto {
    /// What it carries: `market`, `account` or `requests`.
    pub feed: String,
    /// Whether it delivers now.
    pub up: bool,
}

/// All symbols together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TotalsDto {
    /// Symbols that trade now.
    pub trading: usize,
    /// Symbols in all.
    pub symbols: usize,
    /// Orders at the exchange or on their way.
    pub orders_working: u64,
    /// Orders sent since the start.
    pub orders_placed: u64,
    /// Cancels sent since the start.
    pub orders_canceled: u64,
    /// Orders refused since the start.
    pub orders_rejected: u64,
    /// Executions booked, ever.
    pub fills: u64,
    /// Profit by asset; one entry when all symbols settle in one.
    pub pnl: Vec<PnlDto>,
    /// The account's equity.
    pub equity: Option<MoneyDto>,
}

/// An amount of an asset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MoneyDto {
    /// The asset.
    pub asset: String,
    /// Decimal text, eight digits.
    pub amount: String,
}

/// Profit. `net` is realized − fees + funding + unrealized.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PnlDto {
    /// The asset it is counted in.
    pub asset: String,
    /// Realised, before fees.
    pub realized: String,
    /// Fees; positive is paid.
    pub fees: String,
    /// Funding; positive is received.
    pub funding: String,
    /// What closing at the mark price would add; `null` without a price.
    pub unrealized: Option<String>,
    /// All of it together, without the unrealised part when that is `null`.
    pub net: String,
    /// Sum of closed buy-and-sell round trips of the slots, before fees.
    pub round_trips: String,
}

/// How the rules of the account stand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RiskDto {
    /// Rung of the drawdown ladder: `green`, `yellow`, `orange` or `red`.
    pub tier: String,
    /// Fall of the equity from its peak that counts, in percent.
    pub drawdown_percent: String,
    /// Highest equity since the last re-arming, in the quote asset.
    pub peak: String,
    /// Equity when the day began, UTC, in the quote asset.
    pub day_start: String,
    /// The rule that stops opening on all symbols; `null` when there is none.
    pub stopped_by: Option<String>,
    /// Whether it has positions closed, too.
    pub closing: bool,
    /// What the wallet gained beyond what our books say, in the quote asset; `null` before both are known.
    pub drift: Option<String>,
    /// Symbols that the risk monitor finds falling with unusual volume.
    pub abnormal_symbols: u16,
}

/// One symbol at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SummaryDto {
    /// The exchange's name of it.
    pub symbol: String,
    /// What is traded.
    pub base: String,
    /// What it is priced in.
    pub quote: String,
    /// Digits after the point of prices.
    pub price_decimals: u8,
    /// Digits after the point of quantities.
    pub qty_decimals: u8,
    /// `booting`, `trading`, `draining`, `drained` or `halted`.
    pub phase: String,
    /// Why nothing may be opened now; `null` when it may.
    pub closed: Option<String>,
    /// When a lock by a rule ends by itself; `null` when there is none, or an operator must re-arm.
    pub locked_until_ms: Option<u64>,
    /// Whether the position is being closed.
    pub closing: bool,
    /// Middle of bid and ask, or the mark price without them.
    pub price: Option<String>,
    /// Best bid.
    pub bid: Option<String>,
    /// Best ask.
    pub ask: Option<String>,
    /// Mark price.
    pub mark: Option<String>,
    /// Exchange's time of the price.
    pub price_time_ms: Option<u64>,
    /// Net position; negative is short.
    pub holding: String,
    /// Average entry price of it, eight digits; `null` when flat.
    pub entry: Option<String>,
    /// Level 0 of the grid.
    pub anchor: Option<String>,
    /// Distance of two levels.
    pub interval: String,
    /// Slots that hold something.
    pub slots_held: usize,
    /// Empty slots dropped since the start.
    pub slots_cleaned: u64,
    /// Executions whose fee, paid in another asset, waits for its rate and is not among the fees yet.
    pub fees_unconverted: u64,
    /// Orders at the exchange or on their way.
    pub orders_working: usize,
    /// Orders sent since the start.
    pub orders_placed: u64,
    /// Cancels sent since the start.
    pub orders_canceled: u64,
    /// Orders refused since the start.
    pub orders_rejected: u64,
    /// Orders on the symbol that are not ours.
    pub orders_foreign: u32,
    /// Executions booked, ever.
    pub fills: u64,
    /// Profit.
    pub pnl: PnlDto,
    /// When the engine made this.
    pub time_ms: u64,
}

/// One symbol in full: answer of `/api/symbols/{id}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DetailDto {
    /// At a glance.
    #[serde(flatten)]
    pub summary: SummaryDto,
    /// Slots that hold something or have an order, highest price first.
    pub slots: Vec<SlotDto>,
    /// Working orders, highest price first.
    pub orders: Vec<WorkingDto>,
}

/// A slot of the grid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SlotDto {
    /// Number of the strategy on the symbol.
    pub strategy: u8,
    /// Grid level; 0 is the anchor.
    pub level: i32,
    /// Price it buys at.
    pub price: String,
    /// Base quantity held.
    pub held: String,
    /// What that cost in the quote asset, eight digits.
    pub cost: String,
    /// Client id of its live order.
    pub order: Option<String>,
}

/// An order at the exchange or on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkingDto {
    /// Our client id.
    pub id: String,
    /// Number of the strategy on the symbol.
    pub strategy: u8,
    /// Grid level it serves.
    pub level: i32,
    /// `buy` or `sell`.
    pub side: String,
    /// Limit price.
    pub price: String,
    /// Quantity ordered.
    pub qty: String,
    /// Quantity filled.
    pub filled: String,
    /// `sent`, `live`, `canceling` or `unknown`.
    pub state: String,
    /// When it was sent.
    pub sent_ms: u64,
}

/// An order of ours as it is stored: a row of `/api/symbols/{id}/orders`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderDto {
    /// Our client id.
    pub id: String,
    /// The exchange's id, once known.
    pub order_id: Option<String>,
    /// The symbol.
    pub symbol: String,
    /// Number of the strategy on the symbol.
    pub strategy: u8,
    /// Grid level it served.
    pub level: i32,
    /// `buy` or `sell`.
    pub side: String,
    /// Limit price; `null` for orders at market.
    pub price: Option<String>,
    /// Quantity ordered.
    pub qty: String,
    /// Quantity filled.
    pub filled: String,
    /// `new`, `partially_filled`, `filled`, `canceled`, `expired` or `rejected`.
    pub status: String,
    /// Whether it could only reduce the position.
    pub reduce_only: bool,
    /// Exchange's time of the last change.
    pub time_ms: u64,
}

/// An execution: a row of `/api/symbols/{id}/fills`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FillDto {
    /// The exchange's trade id.
    pub trade_id: String,
    /// The exchange's order id.
    pub order_id: String,
    /// Our client id, when the order is ours.
    pub id: Option<String>,
    /// The symbol.
    pub symbol: String,
    /// Number of the strategy, when the order is ours.
    pub strategy: Option<u8>,
    /// Grid level, when the order is ours.
    pub level: Option<i32>,
    /// `buy` or `sell`.
    pub side: String,
    /// Price of the execution.
    pub price: String,
    /// Quantity of the execution.
    pub qty: String,
    /// Price × quantity in the quote asset, eight digits.
    pub value: String,
    /// Commission; positive is paid.
    pub fee: MoneyDto,
    /// Profit against the average entry, before fees, in the quote asset.
    pub realized: String,
    /// Profit of the slot's round trip that it closed, before fees, in the quote asset.
    pub slot_realized: String,
    /// Whether our order rested.
    pub maker: bool,
    /// Exchange's time.
    pub time_ms: u64,
}

/// A funding payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FundingDto {
    /// Exchange's time.
    pub time_ms: u64,
    /// The symbol.
    pub symbol: String,
    /// What was received; negative is paid.
    pub amount: MoneyDto,
}

/// Answer of `/api/pnl/daily`, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PnlDailyDto {
    /// Start of the range.
    pub from_ms: u64,
    /// End of the range.
    pub to_ms: u64,
    /// The UTC days of it on which something was executed or funding was paid; of all symbols one row for each asset.
    pub days: Vec<PnlDayDto>,
}

/// What was earned on a day. Money has eight digits, in [`PnlDayDto::asset`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PnlDayDto {
    /// When it began.
    pub day_ms: u64,
    /// What it is settled in.
    pub asset: String,
    /// Realised profit less fees, with funding.
    pub net: String,
    /// Profit against the average entry, before fees.
    pub realized: String,
    /// Profit of the slots' round trips, before fees.
    pub slot_realized: String,
    /// Fees in that asset; positive is paid.
    pub fees: String,
    /// Funding received; negative is paid.
    pub funding: String,
    /// What was bought and sold, at the prices of the executions.
    pub turnover: String,
    /// Executions.
    pub fills: u64,
    /// Executions that closed a part of a slot with profit.
    pub wins: u64,
    /// Executions that closed a part of a slot with a loss.
    pub losses: u64,
    /// Executions whose fee was paid in another asset, and is not in `fees`.
    pub other_fees: u64,
}

/// A stored event: an alert, a lifecycle step, a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventDto {
    /// When.
    pub time_ms: u64,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What about, snake case.
    pub code: String,
    /// The symbol, when it is about one.
    pub symbol: Option<String>,
    /// One sentence with the numbers.
    pub text: String,
}

/// A line of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogDto {
    /// When.
    pub time_ms: u64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// Which part of the program speaks: a path of modules.
    pub target: String,
    /// What it says, fields included, without secrets.
    pub text: String,
    /// The account, when it is about one.
    pub account: Option<String>,
    /// The symbol, when it is about one.
    pub symbol: Option<String>,
}

/// One page of a list, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PageDto<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it as `before` for the next page; `null` on the last.
    pub next: Option<String>,
}

/// A point of an equity line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EquityPointDto {
    /// When.
    pub time_ms: u64,
    /// Equity of the account; `null` when it was not known.
    pub equity: Option<String>,
    /// Net profit of all symbols.
    pub net: String,
}

/// Answer of `/api/equity`, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EquityDto {
    /// The asset it is counted in.
    pub asset: String,
    /// Start of the range.
    pub since_ms: u64,
    /// End of the range.
    pub until_ms: u64,
    /// The points, thinned out to the number asked for.
    pub points: Vec<EquityPointDto>,
}

/// Answer of `/api/ledger`: every declared limit and how full it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SystemDto {
    /// Start of the range.
    pub from_ms: u64,
    /// End of the range.
    pub to_ms: u64,
    /// Samples, thinned out to the number asked for: the least and the greatest of each span stay.
    pub points: Vec<SystemPointDto>,
}

/// A sample of the process.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SystemDailyDto {
    /// Start of the range.
    pub from_ms: u64,
    /// End of the range.
    pub to_ms: u64,
    /// The UTC days of it that have ended.
    pub days: Vec<SystemDayDto>,
}

/// The samples of a day, summed up; a figure is `null` when no sample knew it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpreadDto<T> {
    /// The least.
    pub min: T,
    /// The mean.
    pub avg: T,
    /// The greatest.
    pub max: T,
}

/// Answer of `/api/tasks`: those that need attention first, then those that run, then those that ended lately.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeldDto {
    /// What it is used for.
    pub holder: String,
    /// For how long already.
    pub held_ms: u64,
    /// Whether that is too long.
    pub too_long: bool,
}

/// Answer of `/api/alerts/channels`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelsDto {
    /// The channels, as configured.
    pub channels: Vec<ChannelDto>,
}

/// A channel for alerts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HealthDto {
    /// Whether it is.
    pub ok: bool,
    /// Why not; empty when it is.
    pub reasons: Vec<String>,
}

/// Answer of a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DoneDto {
    /// The command, as in the path.
    pub verb: String,
    /// The symbols it went to.
    pub symbols: Vec<String>,
    /// What follows, in a sentence.
    pub detail: String,
}

/// Every answer that is not a success.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorDto {
    /// Snake-case word to branch on.
    pub error: String,
    /// What went wrong.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
}
