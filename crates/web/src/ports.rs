//! What the web server needs of the rest of the system. The binary implements these over the other crates.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use plimsoll_bounded::{Pool, TaskStatus};
use plimsoll_market::{Amount, Command, Feed, Instrument, LogLevel, OrderStatus, Side, Status, Symbol, Time};
use thiserror::Error;

use crate::auth::Vault;

use crate::dto::{
    CandleDto, ChannelDto, DiskDto, EquityPointDto, EventDto, FillDto, FundingDto, GuardsDto, JournalDto, LogDto, OrderDto, PnlDayDto,
    PoolDto, RatesDto, RiskDto, StrategyDto, StreamsDto, SystemDayDto, SystemPointDto,
};

/// Tells what is the case now. Every answer is a copy of the latest values: no method may wait or do I/O.
pub trait Source: Send + Sync + 'static {
    /// Returns the time of the process's clock.
    fn now(&self) -> Time;

    /// Returns what concerns the process and the account as a whole.
    fn system(&self) -> System;

    /// Returns every symbol, always in the same order; at most [`crate::limits::SYMBOLS_MAX`] are shown.
    fn symbols(&self) -> Vec<Arc<SymbolNow>>;

    /// Returns one symbol; `None` when it is not traded here.
    fn symbol(&self, symbol: &Symbol) -> Option<Arc<SymbolNow>>;

    /// Returns the latest fills of a symbol, newest first; at most [`crate::limits::FILLS_RECENT`] are shown.
    ///
    /// [`crate::FillTape`] keeps them.
    fn fills(&self, symbol: &Symbol) -> Vec<FillDto>;

    /// Returns memory and CPU figures.
    fn metrics(&self) -> SystemMetrics;

    /// Returns the tasks that run and those that ended lately, without the web server's own ones; `None` while they are not known.
    /// At most [`crate::limits::TASKS_MAX`] are shown.
    fn tasks(&self) -> Option<Vec<TaskStatus>> {
        None
    }

    /// Returns who has connections to the database; `None` while that is not known.
    fn pool(&self) -> Option<PoolDto> {
        None
    }

    /// Returns how the channels for alerts do; `None` while that is not known. At most [`crate::limits::CHANNELS_MAX`] are shown.
    fn channels(&self) -> Option<Vec<ChannelDto>> {
        None
    }

    /// Tells whether the process lives and is ready.
    fn health(&self) -> Health;

    /// Returns all metrics in Prometheus' text format 0.0.4.
    fn prometheus(&self) -> String;
}

/// Reads what was stored.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Returns stored orders of a symbol, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn orders(&self, symbol: &Symbol, page: PageRequest) -> Result<Page<OrderDto>, HistoryError>;

    /// Returns stored executions of a symbol, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn fills(&self, symbol: &Symbol, page: PageRequest) -> Result<Page<FillDto>, HistoryError>;

    /// Returns stored events (alerts, commands, lifecycle), newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn events(&self, page: PageRequest) -> Result<Page<EventDto>, HistoryError>;

    /// Returns the equity line of a range, oldest first, thinned out to at most `range.points` keeping extremes.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn equity(&self, range: EquityRange) -> Result<EquityLine, HistoryError>;

    /// Returns samples of the process, oldest first, thinned out to at most `range.points` keeping extremes.
    ///
    /// # Errors
    /// [`HistoryError`]; always unless overridden.
    async fn system(&self, _range: SystemRange) -> Result<Vec<SystemPointDto>, HistoryError> {
        Err(HistoryError::Unavailable { reason: "samples of the process are not kept".to_owned() })
    }

    /// Returns days of the process, oldest first.
    ///
    /// # Errors
    /// [`HistoryError`]; always unless overridden.
    async fn system_daily(&self, _range: DaysRange) -> Result<Vec<SystemDayDto>, HistoryError> {
        Err(HistoryError::Unavailable { reason: "days of the process are not kept".to_owned() })
    }

    /// Returns funding payments of a symbol, newest first.
    ///
    /// # Errors
    /// [`HistoryError`]; always unless overridden.
    async fn funding(&self, _symbol: &Symbol, _page: PageRequest) -> Result<Page<FundingDto>, HistoryError> {
        Err(HistoryError::Unavailable { reason: "funding payments are not kept".to_owned() })
    }

    /// Returns what a symbol earned on each day, or all symbols together for `None`, oldest first.
    ///
    /// # Errors
    /// [`HistoryError`]; always unless overridden.
    async fn pnl_daily(&self, _symbol: Option<&Symbol>, _range: DaysRange) -> Result<Vec<PnlDayDto>, HistoryError> {
        Err(HistoryError::Unavailable { reason: "days of trading are not kept".to_owned() })
    }

    /// Returns stored lines of the log, newest first. While a text is sought, a page can have fewer than asked for and still a cursor.
    ///
    /// # Errors
    /// [`HistoryError`]; always unless overridden.
    async fn logs(&self, _wanted: LogsWanted) -> Result<Page<LogDto>, HistoryError> {
        Err(HistoryError::Unavailable { reason: "lines of the log are not kept".to_owned() })
    }
}

/// Carries out what an operator orders.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Hands a command to one symbol, or to all for `None`, and returns once it was taken (not: carried out).
    ///
    /// # Errors
    /// [`ControlError`].
    async fn command(&self, symbol: Option<Symbol>, verb: Verb) -> Result<Taken, ControlError>;
}

/// Tells what trades, what guards it, and what carries it; and lists rows of all symbols.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Returns stored orders of all symbols, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn orders(&self, wanted: RowsWanted) -> Result<Page<OrderDto>, HistoryError>;

    /// Returns stored executions of all symbols, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn fills(&self, wanted: RowsWanted) -> Result<Page<FillDto>, HistoryError>;

    /// Returns the latest candles of a symbol, oldest first; at most [`crate::limits::CANDLES_MAX`] are shown. What it asks of the
    /// exchange must never be missing for orders.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn candles(&self, symbol: Symbol, length: CandleLength) -> Result<Vec<CandleDto>, HistoryError>;

    /// Returns the strategies, with what each has earned since an instant.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn strategies(&self, since: Time) -> Result<Vec<StrategyDto>, HistoryError>;

    /// Returns everything that guards; how the account's rules stand is told by [`Source::system`]. May not wait or do I/O.
    fn guards(&self) -> GuardsDto;

    /// Returns the connections to the exchange. May not wait or do I/O.
    fn streams(&self) -> StreamsDto;

    /// Returns what the exchange allows. May not wait or do I/O.
    fn rates(&self) -> RatesDto;

    /// Returns what our files took when they were last measured. May not wait or do I/O.
    fn disk(&self) -> Option<DiskDto>;

    /// Returns what is recorded of the engines.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn journal(&self) -> Result<JournalDto, HistoryError>;
}

/// Which rows of all symbols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowsWanted {
    /// Only of this symbol.
    pub symbol: Option<Symbol>,
    /// Only orders in this state.
    pub status: Option<OrderStatus>,
    /// Only of this side.
    pub side: Option<Side>,
    /// From when.
    pub since: Option<Time>,
    /// Up to when.
    pub until: Option<Time>,
    /// Rows at most, and where to go on.
    pub page: PageRequest,
}

/// How long a candle is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CandleLength {
    /// A minute.
    Minute,
    /// Five minutes.
    FiveMinutes,
    /// A quarter of an hour.
    Quarter,
    /// An hour.
    Hour,
    /// Four hours.
    FourHours,
    /// A day, UTC.
    Day,
}

impl CandleLength {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] = [Self::Minute, Self::FiveMinutes, Self::Quarter, Self::Hour, Self::FourHours, Self::Day];

    /// The word in queries, which exchanges use as well.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::FourHours => "4h",
            Self::Day => "1d",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.as_str() == word)
    }

    /// How long it is.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::Quarter => 900,
            Self::Hour => 3_600,
            Self::FourHours => 14_400,
            Self::Day => 86_400,
        })
    }
}

/// Takes profiles of the running process. Asked only where [`crate::WebConfig::pprof`] is set, with the admin token, one at a
/// time; given up when the client goes.
#[async_trait]
pub trait Profiler: Send + Sync + 'static {
    /// Returns who holds memory: a gzipped profile in pprof's format, [`crate::limits::PROFILE_BYTES_MAX`] at most.
    ///
    /// # Errors
    /// [`ProfileRefused`].
    async fn heap(&self) -> Result<Vec<u8>, ProfileRefused>;

    /// Returns who uses the processor over the next 1 to 60 seconds: a gzipped profile in pprof's format.
    ///
    /// # Errors
    /// [`ProfileRefused`].
    async fn cpu(&self, duration: Duration) -> Result<Vec<u8>, ProfileRefused>;
}

/// Tells what is said from now on.
pub trait LogFeed: Send + Sync + 'static {
    /// Begins to listen; `None` while there is nothing to listen to. With more than [`crate::limits::LOG_VIEWERS_MAX`] listeners the
    /// oldest is told [`LogNews::Replaced`].
    fn listen(&self) -> Option<Box<dyn LogListener>>;
}

/// Hears lines of the log.
#[async_trait]
pub trait LogListener: Send {
    /// Waits for what comes next.
    ///
    /// # Cancel safety
    /// Must be safe: given up, nothing is lost.
    async fn next(&mut self) -> LogNews;
}

/// What a listener hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogNews {
    /// A line.
    Line {
        /// The line.
        line: LogDto,
        /// How urgent it is.
        level: LogLevel,
        /// Lines before it that this listener was too slow for.
        missed: u64,
    },
    /// A newer listener has this place.
    Replaced,
    /// Nothing more comes.
    Ended,
}

/// Why there is no profile.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProfileRefused {
    /// Another one is being taken.
    #[error("a profile is being taken already")]
    Busy,
    /// It cannot be taken: why, without secrets.
    #[error("no profile: {0}")]
    Failed(
        /// Why.
        String,
    ),
}

/// The ports together.
#[derive(Clone)]
pub struct Ports {
    /// What is the case now.
    pub source: Arc<dyn Source>,
    /// What was stored.
    pub history: Arc<dyn History>,
    /// What an operator orders.
    pub control: Arc<dyn Control>,
    /// Profiles.
    pub profiler: Arc<dyn Profiler>,
    /// The log as it is written.
    pub logs: Arc<dyn LogFeed>,
    /// The configuration.
    pub settings: Arc<dyn crate::Settings>,
    /// Who may do what, and what was done.
    pub vault: Arc<dyn Vault>,
    /// What trades, what guards it, and what carries it.
    pub desk: Arc<dyn Desk>,
    /// Workers for what would block: passwords are hashed by them.
    pub workers: Pool,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports")
    }
}

/// What kind of money is at stake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// The local exchange: nothing real.
    Local,
    /// A real exchange.
    Live,
    /// Real market data, simulated orders.
    Paper,
    /// Recorded market data.
    Replay,
}

impl Mode {
    /// Lower-case word for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Live => "live",
            Self::Paper => "paper",
            Self::Replay => "replay",
        }
    }
}

/// What concerns the process and the account as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct System {
    /// Version of the program.
    pub version: &'static str,
    /// Exchange traded on.
    pub exchange: String,
    /// What kind of money is at stake.
    pub mode: Mode,
    /// Configured name of the account.
    pub account: String,
    /// When the process started.
    pub started: Time,
    /// The account's equity, once known.
    pub equity: Option<Amount>,
    /// How the account's rules stand, once its equity is known.
    pub risk: Option<RiskDto>,
    /// Connections to the exchange.
    pub links: Vec<LinkNow>, // tidy: bounded by the number of feeds
    /// What a person may want to do next.
    pub hints: Vec<String>, // tidy: bounded by the symbols refused and one hint a mode
    /// Whether the process is stopping.
    pub stopping: bool,
    /// What becomes of orders and positions at a stop: `keep`, `cancel`, `flatten`.
    pub on_stop: &'static str,
}

/// A connection to the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkNow {
    /// What it carries.
    pub feed: Feed,
    /// Whether it delivers now.
    pub up: bool,
}

/// A symbol now: its rules and what its engine last told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolNow {
    /// Its rules; they give numbers their decimals.
    pub instrument: Instrument,
    /// What its engine last told.
    pub status: Status,
}

/// Memory and CPU figures; `None` is what this machine does not tell.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SystemMetrics {
    /// When they were read.
    pub time: Time,
    /// Bytes allocated by the program.
    pub allocated_bytes: Option<u64>,
    /// Bytes in active pages of the allocator.
    pub active_bytes: Option<u64>,
    /// Bytes mapped by the allocator.
    pub mapped_bytes: Option<u64>,
    /// Bytes kept by the allocator without physical pages.
    pub retained_bytes: Option<u64>,
    /// Resident bytes of the process.
    pub rss_bytes: Option<u64>,
    /// Resident bytes that no file backs.
    pub rss_anon_bytes: Option<u64>,
    /// Purge cycles done.
    pub purges: u64,
    /// Clean-ups done.
    pub cleanups: u64,
    /// Resident size at which the next purge comes early.
    pub next_purge_bytes: Option<u64>,
    /// The memory manager's share of the process's CPU time, 0 to 1.
    pub manager_cpu_share: Option<f64>,
    /// Memory of the control group.
    pub cgroup_current_bytes: Option<u64>,
    /// Its limit.
    pub cgroup_max_bytes: Option<u64>,
    /// Share of the last ten seconds in which some task waited for memory, 0 to 1.
    pub memory_pressure: Option<f64>,
    /// Rung of the pressure ladder: 0 is calm, 4 is leaving.
    pub pressure_rung: u8,
    /// The rung in a word; empty while it is not known.
    pub pressure_word: &'static str,
    /// The tightest limit of memory, bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Who sets that limit.
    pub memory_limiter: Option<&'static str>,
    /// How much of that limit is used, 0 to 1.
    pub memory_used_ratio: Option<f64>,
    /// Who is suspected of a leak, in a few words each; the first [`crate::limits::SUSPECTS_MAX`] are shown.
    pub leak_suspects: Vec<String>, // tidy: bounded by SUSPECTS_MAX, lives as long as its request
    /// How fast memory grows, bytes an hour.
    pub leak_slope_bytes_per_hour: Option<f64>,
    /// CPU cores used on average since the reading before.
    pub cpu_cores: Option<f64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// Live tasks.
    pub tasks: u64,
}

/// Whether the process lives and is ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Why it should be started again; empty when it lives.
    pub dead: Vec<String>, // tidy: bounded by the tasks that must live; lives as long as its request
    /// Why it is not ready; empty when it is.
    pub unready: Vec<String>, // tidy: bounded by the symbols; lives as long as its request
}

/// A place in a list, in the words of whoever keeps it; printable ASCII.
pub type Cursor = arrayvec::ArrayString<64>;

/// Which rows of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// Rows at most: 1 to [`crate::limits::LIST_MAX`].
    pub limit: usize,
    /// Only rows before this cursor, which an earlier page gave; `None` begins with the newest.
    pub before: Option<Cursor>,
}

/// Rows of a list, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows; at most as many as asked for.
    pub items: Vec<T>, // tidy: bounded by LIST_MAX, lives as long as its request
    /// Cursor of the next page; `None` on the last.
    pub next: Option<Cursor>,
}

/// Which part of the equity line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EquityRange {
    /// From here.
    pub since: Time,
    /// To here.
    pub until: Time,
    /// Points at most: 2 to [`crate::limits::POINTS_MAX`].
    pub points: usize,
}

/// Which samples of the process: from an instant up to another, at most [`crate::limits::SAMPLES_RANGE_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemRange {
    /// From here.
    pub from: Time,
    /// To here.
    pub to: Time,
    /// Points at most: [`crate::limits::SYSTEM_POINTS_MIN`] to [`crate::limits::POINTS_MAX`].
    pub points: usize,
}

/// Which days of the process: from that of an instant up to another instant, at most [`crate::limits::DAYS_MAX`] days.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DaysRange {
    /// From the day of this instant.
    pub from: Time,
    /// To here.
    pub to: Time,
}

/// Which lines of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogsWanted {
    /// From here.
    pub from: Time,
    /// To here; at most [`crate::limits::LOGS_RANGE_MAX`] later.
    pub to: Time,
    /// At least so urgent.
    pub level: LogLevel,
    /// With this in their text, in either case of A to Z; at most [`crate::limits::LOGS_CONTAINS_MAX`] bytes, empty for all.
    pub contains: String,
    /// Lines at most: 1 to [`crate::limits::LOGS_MAX`]; only those before a cursor that an earlier page gave.
    pub page: PageRequest,
}

/// An equity line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EquityLine {
    /// The asset it is counted in.
    pub asset: String,
    /// Its points, oldest first.
    pub points: Vec<EquityPointDto>, // tidy: bounded by POINTS_MAX, lives as long as its request
}

/// Why stored rows cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum HistoryError {
    /// Try again later.
    #[error("history is unavailable: {reason}")]
    Unavailable {
        /// Why, without secrets.
        reason: String,
    },
    /// The cursor or range makes no sense to the storage.
    #[error("request was refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

/// What an operator can order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verb {
    /// Opens nothing more; closing goes on.
    Pause,
    /// Lifts a pause; what a rule has locked stays locked.
    Resume,
    /// Opens nothing more and tells when nothing is left to sell.
    Drain,
    /// Lifts what a rule has locked, and a halt; for all symbols also what the account's rules have latched.
    Rearm,
    /// Withdraws all our orders and opens nothing more.
    CancelAll,
    /// Withdraws all, closes our position and opens nothing more.
    Flatten,
    /// Drops slots that hold nothing and have no order.
    CleanupSlots,
    /// Fetches fills, position and open orders again.
    Resync,
    /// Stops the process as Ctrl-C does. Never for a single symbol.
    Stop,
    /// Begins anew with the configuration's file as it is; orders and positions stay at the exchange. Never for a single symbol.
    Restart,
}

impl Verb {
    /// All of them, in the order of documentation.
    pub const ALL: [Self; 10] = [
        Self::Pause,
        Self::Resume,
        Self::Drain,
        Self::Rearm,
        Self::CancelAll,
        Self::Flatten,
        Self::CleanupSlots,
        Self::Resync,
        Self::Stop,
        Self::Restart,
    ];

    /// The word in paths and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Drain => "drain",
            Self::Rearm => "rearm",
            Self::CancelAll => "cancel_all",
            Self::Flatten => "flatten",
            Self::CleanupSlots => "cleanup_slots",
            Self::Resync => "resync",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == word)
    }

    /// The engine's command for it; `None` for [`Verb::Stop`] and [`Verb::Restart`], which are for the process.
    pub const fn command(self) -> Option<Command> {
        match self {
            Self::Pause => Some(Command::Pause),
            Self::Resume => Some(Command::Resume),
            Self::Drain => Some(Command::Drain),
            Self::Rearm => Some(Command::Rearm),
            Self::CancelAll => Some(Command::CancelAll),
            Self::Flatten => Some(Command::Flatten),
            Self::CleanupSlots => Some(Command::CleanupSlots),
            Self::Resync => Some(Command::Resync),
            Self::Stop | Self::Restart => None,
        }
    }
}

/// A command was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The symbols it went to; empty for [`Verb::Stop`] and [`Verb::Restart`].
    pub symbols: Vec<Symbol>, // tidy: bounded by SYMBOLS_MAX, lives as long as its request
    /// What follows, in a sentence.
    pub detail: String,
}

/// Why a command was not taken.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ControlError {
    /// No such symbol is traded here.
    #[error("symbol {0} is not traded here")]
    UnknownSymbol(Symbol),
    /// It makes no sense now.
    #[error("command was refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The command lane of a symbol is full; nothing was done for it.
    #[error("commands of {0} are full")]
    Busy(Symbol),
    /// The process is stopping, or the symbol's loop has ended.
    #[error("the process is stopping")]
    Stopping,
}
