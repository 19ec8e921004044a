//! What the API sends: plain data with names in snake case.
//!
//! Prices, quantities and money are decimal text, never floats: prices and quantities with the symbol's decimals, money
//! and averages with eight. Times are milliseconds since the Unix epoch, UTC; ids are text. `null` means not known.

// tidy: short-lived, answers of the API; each list is cut by its route's limit
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod control;
mod desk;
mod login;
mod process;
mod settings;

pub use control::{AtStakeDto, PreviewDto};
pub use desk::{
    BreakerDto, CandleDto, CandlesDto, CheckDto, DiskDto, DiskKindDto, DriftDto, GuardsDto, JournalDto, JournalSymbolDto, RatesDto,
    ReconciliationDto, RungDto, StrategiesDto, StrategyDto, StreamsDto,
};
pub use login::{
    AuditDto, AuthStatusDto, EndedDto, RecoveryDto, ResetDto, SessionDto, SessionsDto, TokenDto, TokenMadeDto, TokensDto, TotpDto,
};
pub use process::{
    ChannelDto, ChannelsDto, HealthDto, HeldDto, LedgerDto, LedgerLineDto, MetricsDto, PoolDto, SpreadDto, SystemDailyDto, SystemDayDto,
    SystemDto, SystemPointDto, TaskDto, TasksDto,
};
pub use settings::{
    ConfigAppliedDto, ConfigBackupDto, ConfigBackupTextDto, ConfigBackupsDto, ConfigChangeDto, ConfigDto, ConfigPreviewDto,
    ConfigProblemDto, ConfigValueDto,
};

/// Answer of `/api/status`: the whole system at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LinkDto {
    /// What it carries: `market`, `account` or `requests`.
    pub feed: String,
    /// Whether it delivers now.
    pub up: bool,
}

/// All symbols together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct MoneyDto {
    /// The asset.
    pub asset: String,
    /// Decimal text, eight digits.
    pub amount: String,
}

/// Profit. `net` is realized − fees + funding + unrealized.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FundingDto {
    /// Exchange's time.
    pub time_ms: u64,
    /// The symbol.
    pub symbol: String,
    /// What was received; negative is paid.
    pub amount: MoneyDto,
}

/// Answer of `/api/pnl/daily`, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PnlDailyDto {
    /// Start of the range.
    pub from_ms: u64,
    /// End of the range.
    pub to_ms: u64,
    /// The UTC days of it on which something was executed or funding was paid; of all symbols one row for each asset.
    pub days: Vec<PnlDayDto>,
}

/// What was earned on a day. Money has eight digits, in [`PnlDayDto::asset`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PageDto<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it as `before` for the next page; `null` on the last.
    pub next: Option<String>,
}

/// A point of an equity line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EquityPointDto {
    /// When.
    pub time_ms: u64,
    /// Equity of the account; `null` when it was not known.
    pub equity: Option<String>,
    /// Net profit of all symbols.
    pub net: String,
}

/// Answer of `/api/equity`, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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

/// Answer of a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DoneDto {
    /// The command, as in the path.
    pub verb: String,
    /// The symbols it went to.
    pub symbols: Vec<String>,
    /// What follows, in a sentence.
    pub detail: String,
}

/// Every answer that is not a success: problem details after RFC 9457, as `application/problem+json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDto {
    /// Where the code is explained, relative to the dashboard.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words; the same for every answer of this status.
    pub title: String,
    /// The status as a number.
    pub status: u16,
    /// What went wrong.
    pub detail: String,
    /// Snake-case word to branch on.
    pub code: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// When to come again, in seconds; with status 429 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}
