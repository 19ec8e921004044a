//! The configuration: read, checked as a whole, and typed.

mod alerts;
mod combo;
pub mod diff;
pub mod keys;
pub(crate) mod reader;
mod risk;
mod schema;
mod shown;
mod single;
mod strategy;
mod symbol_keys;

pub use alerts::AlertsConfig;
pub use combo::ComboSettings;
pub use reader::{Checked, Mistake, Values, read};
pub use risk::{OwnRules, RiskConfig};
pub use schema::schema;
pub use shown::ShownStrategy;
pub use single::check_one;
pub use strategy::GridSettings;

use crate::limits::JOURNAL_SYMBOL_MIN;
use keys::KEYS;
use plimsoll_market::{LogLevel, Name, StopMode, Symbol};
use plimsoll_storage::Keep;
use plimsoll_strategy::StrategyConfig;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use symbol_keys::SYMBOL_KEYS;
use thiserror::Error;

/// Symbols the configuration may list.
const SYMBOLS_MAX: usize = plimsoll_engine::limits::SYMBOLS_MAX;
/// Samples that the watchdog's window may hold.
const WINDOW_SAMPLES_MAX: u32 = 100;
/// A configuration file larger than this is not one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where to trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exchange {
    /// The local exchange inside the process.
    Local,
    /// The real market of Binance USDⓈ-M futures, traded on the exchange inside the process.
    Paper,
    /// Binance USDⓈ-M futures.
    Binance,
}

/// A symbol to trade.
#[derive(Clone, Debug)]
pub struct SymbolConfig {
    /// The exchange's name.
    pub symbol: Symbol,
    /// What trades it, if it is neither a grid nor more than one strategy by itself.
    pub strategy: Option<StrategyConfig>,
    /// Several strategies, or one that does not always open.
    pub combo: Option<ComboSettings>,
    /// What a grid has beside its levels.
    pub grid: GridSettings,
    /// Distance of two levels of a grid, units of 1e-8 of the quote asset; zero for other strategies.
    pub interval: i128,
    /// What each buy of a grid, or an entry of another strategy, may cost, units of 1e-8 of the quote asset.
    pub order_quote: i128,
    /// Buy levels.
    pub buy_window: u8,
    /// Sell orders.
    pub sell_window: u8,
    /// Rules of its own.
    pub own: OwnRules,
    /// The strategies as they are written, for people to look at.
    pub shown: Vec<ShownStrategy>, // tidy: bounded by CHILDREN_MAX, lives as long as the configuration
}

impl SymbolConfig {
    /// Whether it has levels: it is a grid, or there is one among its strategies.
    pub fn has_grid(&self) -> bool {
        match &self.combo {
            Some(combo) => combo.grid().is_some(),
            None => self.strategy.is_none(),
        }
    }

    /// The longest bar that all bars are made of that its strategies go by; `None` when they go by prices alone.
    pub fn bar(&self) -> Option<Duration> {
        match &self.combo {
            Some(combo) => {
                let children = combo.children.iter().filter_map(|child| child.strategy?.bar());
                plimsoll_strategy::common_bar(children.chain(combo.choice.bar()))
            }
            None => self.strategy?.bar(),
        }
    }

    /// Whether it is a grid whose spacing is chosen.
    pub fn is_adjusted(&self) -> bool {
        self.combo.as_ref().is_some_and(|combo| matches!(combo.choice, plimsoll_strategy::Choice::Spacing(_)))
    }
}

/// Settings of the local exchange.
#[derive(Clone, Copy, Debug)]
pub struct LocalConfig {
    /// Seed of its market.
    pub seed: u64,
    /// Speed, in millionths.
    pub speed_ppm: u64,
    /// USDT of a new account, units of 1e-8.
    pub balance: i128,
}

/// Settings of Binance.
#[derive(Clone, Debug)]
pub struct BinanceConfig {
    /// REST address.
    pub rest_url: String,
    /// Streams' address.
    pub websocket_url: String,
    /// Whether streams use the routed form.
    pub routed: bool,
    /// Address that tells what the key may do.
    pub permissions_url: String,
    /// Whether a key that may withdraw is accepted.
    pub accept_withdrawals: bool,
    /// Variable or file of the key.
    pub key: SecretSource,
    /// Variable or file of the secret.
    pub secret: SecretSource,
    /// Request window.
    pub recv_window: Duration,
}

/// Where a secret comes from: never the configuration itself.
#[derive(Clone, Debug)]
pub struct SecretSource {
    /// Environment variable.
    pub env: String,
    /// File, read when the variable is not set.
    pub file: Option<PathBuf>,
}

/// Settings of the memory manager and the pressure ladder.
#[derive(Clone, Copy, Debug)]
pub struct MemoryConfig {
    /// Free pages are returned this often.
    pub purge_every: Duration,
    /// What has expired is dropped this often.
    pub cleanup_every: Duration,
    /// Resident bytes that raise an alert.
    pub high_memory: u64,
    /// Tasks that raise an alert; `None`: as planned and a quarter more.
    pub high_tasks: Option<usize>,
    /// Share of the tightest limit at which the process leaves, in percent.
    pub leave_at_percent: u8,
}

/// Settings of the watchdog.
#[derive(Clone, Copy, Debug)]
pub struct WatchdogSettings {
    /// A sample is stored and looked at this often.
    pub every: Duration,
    /// Processor use, 100 is one processor.
    pub cpu_percent: u32,
    /// Growth, in bytes.
    pub growth: u64,
    /// Growth, in percent.
    pub growth_percent: u32,
    /// Window of growth.
    pub window: Duration,
    /// Silence after an alert.
    pub cool_down: Duration,
    /// Days of detail.
    pub detail_days: u32,
    /// Days of daily figures.
    pub daily_days: u32,
}

/// What the database and all our files may take.
#[derive(Clone, Copy, Debug)]
pub struct StorageSettings {
    /// Bytes of the database file.
    pub size_max: u64,
    /// Bytes of all our files.
    pub disk_budget: u64,
    /// They are measured this often.
    pub disk_every: Duration,
    /// Points of the equity curve.
    pub equity: Keep,
    /// Events.
    pub events: Keep,
    /// Orders that ended.
    pub orders: Keep,
    /// Fills.
    pub fills: Keep,
    /// Funding payments.
    pub funding: Keep,
}

/// Settings of the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Bytes of all segments.
    pub keep_bytes: u64,
}

/// Settings of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// How much is logged.
    pub level: String,
    /// Whether there are files.
    pub files: bool,
    /// Bytes of a file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub keep_bytes: u64,
    /// The least level that is stored; `None`: nothing is.
    pub store: Option<LogLevel>,
    /// Days that stored lines are kept.
    pub keep_days: u32,
    /// Days that stored errors are kept.
    pub keep_error_days: u32,
}

/// The whole configuration; every value is in its range.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to trade.
    pub exchange: Exchange,
    /// Name of the account.
    pub account: Name,
    /// Data folder.
    pub data_dir: PathBuf,
    /// What a stop does.
    pub on_stop: StopMode,
    /// How long a stop may take.
    pub stop_timeout: Duration,
    /// Local exchange.
    pub local: LocalConfig,
    /// Binance.
    pub binance: BinanceConfig,
    /// Leverage to set.
    pub leverage: u16,
    /// Whether changes of its file are taken over.
    pub watch_file: bool,
    /// Cleanup of empty slots.
    pub slot_cleanup: Duration,
    /// Staleness.
    pub stale_after: Duration,
    /// Symbols.
    pub symbols: Vec<SymbolConfig>, // tidy: bounded by SYMBOLS_MAX, checked here
    /// Limits of risk.
    pub risk: RiskConfig,
    /// Database.
    pub storage_url: Option<String>,
    /// Variable that overrides the database.
    pub storage_url_env: String,
    /// Records in a batch.
    pub batch_size: usize,
    /// Flush interval.
    pub flush_interval: Duration,
    /// Sizes and ages.
    pub storage: StorageSettings,
    /// Journal.
    pub journal: JournalConfig,
    /// Memory budget.
    pub memory_budget: Option<u64>,
    /// Memory manager and ladder.
    pub memory: MemoryConfig,
    /// Watchdog.
    pub watchdog: WatchdogSettings,
    /// Alerts.
    pub alerts: AlertsConfig,
    /// Whether profiles are served.
    pub pprof: bool,
    /// Whether a few answers need no login on this machine.
    pub web_open_reading: bool,
    /// Certificate and key.
    pub web_tls: Option<(PathBuf, PathBuf)>,
    /// Whether a proxy stands before the dashboard.
    pub web_behind_proxy: bool,
    /// Web address; `None` when it is off.
    pub web_listen: Option<SocketAddr>,
    /// Further host names.
    pub web_hosts: Vec<String>, // tidy: bounded by the reader, lives as long as the start
    /// The log.
    pub log: LogConfig,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; give a file with --config, or run in a folder with config/plimsoll.yaml")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too large to be a configuration.
    #[error("{path} has {size} bytes, more than the {FILE_BYTES_MAX} of a configuration")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// Not YAML.
    #[error("{path} is not well-formed YAML: {text}")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why and where.
        text: String,
    },
    /// Values out of range, unknown keys.
    #[error("{}", list(.path, .mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them.
        mistakes: Vec<Mistake>, // tidy: short-lived
    },
}

fn list(path: &Path, mistakes: &[Mistake]) -> String {
    use std::fmt::Write;
    let mut text = format!("{} has {} mistake{}:", path.display(), mistakes.len(), if mistakes.len() == 1 { "" } else { "s" });
    for mistake in mistakes {
        // Writing to a string cannot fail.
        if write!(text, "\n  {mistake}").is_err() {
            break;
        }
    }
    text
}

/// The keys of a symbol.
pub const fn symbol_keys() -> &'static [keys::Key] {
    SYMBOL_KEYS
}

/// Reads a file that has the size of a configuration.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn read_file(path: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.to_owned(), size });
    }
    std::fs::read_to_string(path).map_err(read)
}

/// The keys and values of a YAML text; `path` is for messages.
///
/// # Errors
/// It is no YAML, or no mapping.
pub fn parse_map(text: &str, path: &Path) -> Result<Map<String, Value>, ConfigError> {
    // The first line says what and where; those after it repeat the text, which may hold a password.
    let told = |error: serde_saphyr::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
    let value: Value = serde_saphyr::from_str(text).map_err(|error| ConfigError::Yaml { path: path.to_owned(), text: told(error) })?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(ConfigError::Yaml { path: path.to_owned(), text: "the document is not a mapping of keys".to_owned() }),
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read_file(path)?, path)
    }

    /// Checks the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::of(&parse_map(text, path)?, path)
    }

    /// Checks a document that was read already; `path` is for messages.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn of(map: &Map<String, Value>, path: &Path) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        let values = read(map, KEYS, "", &["trading.symbols", "alerts.channels", "alerts.rules"], &mut mistakes);
        let alerts = alerts::read_alerts(map, &values, &mut mistakes);
        let symbols = read_symbols(map, &mut mistakes);
        let config = build(&values, symbols, alerts, &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(ConfigError::Mistakes { path: path.to_owned(), mistakes }),
        }
    }
}

fn read_symbols(map: &Map<String, Value>, mistakes: &mut Vec<Mistake>) -> Vec<SymbolConfig> {
    let mut symbols: Vec<SymbolConfig> = Vec::new();
    let key = || "trading.symbols".to_owned();
    let items = match map.get("trading").and_then(|t| t.get("symbols")) {
        Some(Value::Array(items)) if (1..=SYMBOLS_MAX).contains(&items.len()) => items,
        _ => {
            mistakes.push(Mistake { key: key(), what: format!("must be a list of 1 to {SYMBOLS_MAX} symbols") });
            return symbols;
        }
    };
    for (i, item) in items.iter().enumerate() {
        let prefix = format!("trading.symbols[{i}].");
        let Value::Object(map) = item else {
            mistakes.push(Mistake { key: format!("trading.symbols[{i}]"), what: "must be a mapping of keys".to_owned() });
            continue;
        };
        let before = mistakes.len();
        let values = read(map, SYMBOL_KEYS, &prefix, &["combo.children"], mistakes);
        if mistakes.len() > before {
            continue;
        }
        let name = text(&values, "symbol");
        let Ok(symbol) = Symbol::new(&name) else {
            mistakes.push(Mistake { key: format!("{prefix}symbol"), what: format!("{name:?} is no contract's name") });
            continue;
        };
        if symbols.iter().any(|s| s.symbol == symbol) {
            mistakes.push(Mistake { key: format!("{prefix}symbol"), what: format!("{symbol} is listed twice") });
            continue;
        }
        let (buy, sell) = (int(&values, "buy_window_size"), int(&values, "sell_window_size"));
        if buy + sell > 64 {
            mistakes.push(Mistake {
                key: format!("{prefix}sell_window_size"),
                what: format!("buy_window_size {buy} and sell_window_size {sell} are {} together; allowed: at most 64", buy + sell),
            });
            continue;
        }
        let strategy = strategy::read_strategy(map, &values, &prefix, mistakes);
        let combo = combo::read_combo(map, &values, &prefix, mistakes);
        // The levels of a combo are those of its grid.
        let levels = combo.as_ref().and_then(ComboSettings::grid);
        let interval = levels.map_or_else(|| units(&values, "price_interval"), |grid| grid.interval);
        let grid = levels.map_or_else(|| GridSettings::read(&values), |grid| grid.grid);
        symbols.push(SymbolConfig {
            symbol,
            strategy: strategy.filter(|_| combo.is_none()),
            combo,
            grid,
            interval,
            order_quote: units(&values, "order_quantity"),
            buy_window: u8::try_from(buy).unwrap_or(0),
            sell_window: u8::try_from(sell).unwrap_or(0),
            own: risk::own_rules(&values),
            shown: shown::strategies(map, &text(&values, "strategy")),
        });
    }
    symbols
}

// The getters answer for keys that the reader has checked; a key that was a mistake is not asked for.

fn int(values: &Values, key: &str) -> i64 {
    match values.get(key) {
        Some(Checked::Int(n)) => *n,
        _ => 0,
    }
}

fn units(values: &Values, key: &str) -> i128 {
    match values.get(key) {
        Some(Checked::Units(n)) => *n,
        _ => 0,
    }
}

fn text(values: &Values, key: &str) -> String {
    match values.get(key) {
        Some(Checked::Text(t)) => t.clone(),
        _ => String::new(),
    }
}

fn duration(values: &Values, key: &str) -> Duration {
    match values.get(key) {
        Some(Checked::Duration(d)) => *d,
        _ => Duration::ZERO,
    }
}

fn optional(values: &Values, key: &str) -> Option<String> {
    Some(text(values, key)).filter(|t| !t.is_empty())
}

/// Certificate and key: both or neither.
fn read_tls(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<(PathBuf, PathBuf)> {
    match (optional(values, "web.tls_cert"), optional(values, "web.tls_key")) {
        (Some(certificate), Some(key)) => Some((PathBuf::from(certificate), PathBuf::from(key))),
        (None, None) => None,
        (Some(_), None) => {
            mistakes.push(Mistake { key: "web.tls_key".to_owned(), what: "is missing: web.tls_cert needs it".to_owned() });
            None
        }
        (None, Some(_)) => {
            mistakes.push(Mistake { key: "web.tls_cert".to_owned(), what: "is missing: web.tls_key needs it".to_owned() });
            None
        }
    }
}

fn build(values: &Values, symbols: Vec<SymbolConfig>, alerts: AlertsConfig, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    if values.len() < KEYS.len() {
        return None;
    }
    let account = match Name::new(&text(values, "account")) {
        Ok(name) => name,
        Err(e) => {
            mistakes.push(Mistake { key: "account".to_owned(), what: e.to_string() });
            return None;
        }
    };
    let secret = |name: &str| SecretSource {
        env: text(values, &format!("binance.api_{name}_env")),
        file: optional(values, &format!("binance.api_{name}_file")).map(PathBuf::from),
    };
    let (every, window) = (duration(values, "watchdog.interval"), duration(values, "watchdog.window"));
    if window < every * 2 || window > every * WINDOW_SAMPLES_MAX {
        mistakes.push(Mistake {
            key: "watchdog.window".to_owned(),
            what: format!(
                "{} s holds too few or too many samples of one each {} s; allowed: 2 to {WINDOW_SAMPLES_MAX} of them",
                window.as_secs(),
                every.as_secs()
            ),
        });
    }
    let risk = risk::read_risk(values, &symbols, mistakes);
    let journal = JournalConfig {
        enabled: text(values, "journal.enabled") == "true",
        segment_bytes: int(values, "journal.segment_size").unsigned_abs(),
        keep_bytes: int(values, "journal.keep").unsigned_abs(),
    };
    let least = symbols.len() as u64 * JOURNAL_SYMBOL_MIN;
    if journal.enabled && journal.keep_bytes < least {
        mistakes.push(Mistake {
            key: "journal.keep".to_owned(),
            what: format!(
                "{} MB is too little for {} symbols; allowed: at least {} MB, or journal.enabled: false",
                journal.keep_bytes >> 20,
                symbols.len(),
                least.div_ceil(1 << 20)
            ),
        });
    }
    let log = LogConfig {
        level: text(values, "log.level"),
        files: text(values, "log.files") == "true",
        file_bytes: int(values, "log.file_size").unsigned_abs(),
        keep_bytes: int(values, "log.keep").unsigned_abs(),
        store: LogLevel::parse(&text(values, "log.store")),
        keep_days: u32::try_from(int(values, "log.keep_days")).unwrap_or(7),
        keep_error_days: u32::try_from(int(values, "log.keep_error_days")).unwrap_or(30),
    };
    if log.keep_bytes < 2 * log.file_bytes {
        mistakes.push(Mistake {
            key: "log.keep".to_owned(),
            what: format!("{} MB is less than twice log.file_size, which is {} MB", log.keep_bytes >> 20, log.file_bytes >> 20),
        });
    }
    let keep = |what: &str| Keep {
        days: u32::try_from(int(values, &format!("storage.retention.{what}_days"))).unwrap_or(1),
        rows: int(values, &format!("storage.retention.{what}_rows")).unsigned_abs(),
    };
    let per_million = |units: i128| u64::try_from(units / 100).unwrap_or(0);
    Some(Config {
        exchange: match text(values, "exchange").as_str() {
            "binance" => Exchange::Binance,
            "paper" => Exchange::Paper,
            _ => Exchange::Local,
        },
        account,
        data_dir: PathBuf::from(text(values, "data_dir")),
        on_stop: match text(values, "on_stop").as_str() {
            "keep" => StopMode::Keep,
            "flatten" => StopMode::Flatten,
            _ => StopMode::Cancel,
        },
        stop_timeout: duration(values, "stop_timeout"),
        local: LocalConfig {
            seed: int(values, "local.seed").unsigned_abs(),
            speed_ppm: per_million(units(values, "local.speed")),
            balance: units(values, "local.balance"),
        },
        binance: BinanceConfig {
            rest_url: text(values, "binance.rest_url"),
            websocket_url: text(values, "binance.websocket_url"),
            routed: text(values, "binance.routes") == "routed",
            permissions_url: optional(values, "binance.permissions_url").unwrap_or_else(|| {
                let rest = text(values, "binance.rest_url");
                if rest.trim_end_matches('/') == "https://fapi.binance.com" { "https://api.binance.com".to_owned() } else { rest }
            }),
            accept_withdrawals: text(values, "binance.accept_withdrawals") == "true",
            key: secret("key"),
            secret: secret("secret"),
            recv_window: duration(values, "binance.recv_window"),
        },
        leverage: u16::try_from(int(values, "trading.leverage")).unwrap_or(1),
        watch_file: text(values, "watch_config") == "true",
        slot_cleanup: duration(values, "trading.slot_cleanup_interval"),
        stale_after: duration(values, "trading.stale_after"),
        symbols,
        risk,
        storage_url: optional(values, "storage.url"),
        storage_url_env: text(values, "storage.url_env"),
        batch_size: usize::try_from(int(values, "storage.batch_size")).unwrap_or(1),
        flush_interval: duration(values, "storage.flush_interval"),
        storage: StorageSettings {
            size_max: int(values, "storage.size_max").unsigned_abs(),
            disk_budget: int(values, "storage.disk_budget").unsigned_abs(),
            disk_every: duration(values, "storage.disk_interval"),
            equity: keep("equity"),
            events: keep("events"),
            orders: keep("orders"),
            fills: keep("fills"),
            funding: keep("funding"),
        },
        journal,
        memory_budget: match values.get("memory.budget") {
            Some(Checked::Int(n)) => Some(n.unsigned_abs()),
            _ => None,
        },
        memory: MemoryConfig {
            purge_every: duration(values, "memory.purge_interval"),
            cleanup_every: duration(values, "memory.cleanup_interval"),
            high_memory: int(values, "memory.high_memory_threshold").unsigned_abs(),
            high_tasks: match values.get("memory.high_task_threshold") {
                Some(Checked::Int(n)) => usize::try_from(*n).ok(),
                _ => None,
            },
            leave_at_percent: u8::try_from(int(values, "memory.leave_at_percent")).unwrap_or(95),
        },
        watchdog: WatchdogSettings {
            every: duration(values, "watchdog.interval"),
            cpu_percent: u32::try_from(int(values, "watchdog.cpu_percent")).unwrap_or(80),
            growth: int(values, "watchdog.growth").unsigned_abs(),
            growth_percent: u32::try_from(int(values, "watchdog.growth_percent")).unwrap_or(30),
            window: duration(values, "watchdog.window"),
            cool_down: duration(values, "watchdog.cool_down"),
            detail_days: u32::try_from(int(values, "watchdog.detail_days")).unwrap_or(7),
            daily_days: u32::try_from(int(values, "watchdog.daily_days")).unwrap_or(90),
        },
        alerts,
        pprof: text(values, "web.pprof") == "true",
        web_open_reading: text(values, "web.open_reading") == "true",
        web_tls: read_tls(values, mistakes),
        web_behind_proxy: text(values, "web.behind_proxy") == "true",
        web_listen: text(values, "web.listen").parse().ok().filter(|_| text(values, "web.enabled") == "true"),
        web_hosts: match values.get("web.hosts") {
            Some(Checked::List(names)) => names.clone(),
            _ => Vec::new(),
        },
        log,
    })
}

#[cfg(test)]
mod tests;
