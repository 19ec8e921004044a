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
