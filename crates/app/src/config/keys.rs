//! Every key of the configuration: one table for parsing, messages, the schema and the annotated default.

/// What a key's value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Int {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// A decimal number, kept exact: at most eight digits after the point.
    Decimal {
        /// Least, as text.
        min: &'static str,
        /// Most, as text.
        max: &'static str,
    },
    /// A time: `250ms`, `5s`, `5m`, `1h`.
    Duration {
        /// Least, in milliseconds.
        min_ms: u64,
        /// Most, in milliseconds.
        max_ms: u64,
    },
    /// A size: `64MB`, `1GB` (powers of 1,024: `64MB` is 64 MiB).
    Bytes {
        /// Least, in bytes.
        min: u64,
        /// Most, in bytes.
        max: u64,
    },
    /// A size like [`Kind::Bytes`], or a bare number of megabytes, as the original wrote it.
    Megabytes {
        /// Least, in bytes.
        min: u64,
        /// Most, in bytes.
        max: u64,
    },
    /// A text of 1 to so many characters.
    Text {
        /// Longest, in characters.
        max: usize,
    },
    /// An address that begins with one of these schemes.
    Url(&'static [&'static str]),
    /// An IP address and port.
    Listen,
    /// A list of host names.
    Hosts,
    /// A list of words.
    Words,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it is: sections and name, joined by points.
    pub path: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Its value when it is not written; `None`: it must be written. An empty text: absent unless written.
    pub default: Option<&'static str>,
    /// What it means, in a sentence.
    pub doc: &'static str,
}

pub(super) const fn key(path: &'static str, kind: Kind, default: Option<&'static str>, doc: &'static str) -> Key {
    Key { path, kind, default, doc }
}

/// A day.
pub(super) const DAY_MS: u64 = 86_400_000;

/// The keys outside the list of symbols.
pub const KEYS: &[Key] = &[
    key(
        "exchange",
        Kind::Choice(&["local", "paper", "binance"]),
        None,
        "Where to trade: the local exchange inside the process, on paper (the real market of binance.*, orders inside the process), or Binance USDⓈ-M futures.",
    ),
    key("account", Kind::Text { max: 24 }, Some("main"), "A name for the account, in metrics, log and storage."),
    key("data_dir", Kind::Text { max: 1_000 }, Some("./data"), "Folder of database, local exchange and admin token."),
    key(
        "on_stop",
        Kind::Choice(&["keep", "cancel", "flatten"]),
        Some("cancel"),
        "What becomes of orders and positions at a stop: keep both; withdraw our orders; or also close our positions at market.",
    ),
    key(
        "watch_config",
        Kind::Choice(&["true", "false"]),
        Some("true"),
        "Whether a change of this file is taken over while the process runs; what cannot be counts with the next start.",
    ),
    key(
        "stop_timeout",
        Kind::Duration { min_ms: 1_000, max_ms: 300_000 },
        Some("20s"),
        "How long a stop may take before it ends with exit code 3 and says what is still open.",
    ),
    key(
        "local.seed",
        Kind::Int { min: 0, max: i64::MAX },
        Some("7"),
        "Seed of the local exchange's market; the same seed makes the same market.",
    ),
    key(
        "local.speed",
        Kind::Decimal { min: "0.1", max: "2000" },
        Some("1"),
        "How much happens a second on the local exchange: 1 is an ordinary lively day.",
    ),
    key("local.balance", Kind::Decimal { min: "1", max: "1000000000" }, Some("100000"), "USDT of a new account on the local exchange."),
    key("binance.rest_url", Kind::Url(&["http://", "https://"]), Some("https://fapi.binance.com"), "Address of Binance's REST API."),
    key("binance.websocket_url", Kind::Url(&["ws://", "wss://"]), Some("wss://fstream.binance.com"), "Address of Binance's streams."),
    key(
        "binance.routes",
        Kind::Choice(&["routed", "legacy"]),
        Some("routed"),
        "Form of stream addresses: /public, /market and /private, or the older single one.",
    ),
    key(
        "binance.permissions_url",
        Kind::Url(&["http://", "https://"]),
        Some(""),
        "Address that tells what the key may do; without it https://api.binance.com for the real exchange, and rest_url for others.",
    ),
    key(
        "binance.accept_withdrawals",
        Kind::Choice(&["true", "false"]),
        Some("false"),
        "Whether a key that may withdraw is accepted: whoever steals it has the money.",
    ),
    key("binance.api_key_env", Kind::Text { max: 100 }, Some("PLIMSOLL_BINANCE_API_KEY"), "Environment variable that holds the API key."),
    key(
        "binance.api_secret_env",
        Kind::Text { max: 100 },
        Some("PLIMSOLL_BINANCE_API_SECRET"),
        "Environment variable that holds the API secret.",
    ),
    key("binance.api_key_file", Kind::Text { max: 1_000 }, Some(""), "File that holds the API key; read when the variable is not set."),
    key(
        "binance.api_secret_file",
        Kind::Text { max: 1_000 },
        Some(""),
        "File that holds the API secret; read when the variable is not set.",
    ),
    key(
        "binance.recv_window",
        Kind::Duration { min_ms: 1_000, max_ms: 60_000 },
        Some("5s"),
        "How long after its time stamp the exchange may take a request.",
    ),
    key("trading.leverage", Kind::Int { min: 1, max: 125 }, Some("10"), "Leverage set for every symbol at the start."),
    key(
        "trading.slot_cleanup_interval",
        Kind::Duration { min_ms: 1_000, max_ms: 7 * DAY_MS },
        Some("1h"),
        "How often slots that hold nothing and have no order are dropped.",
    ),
    key(
        "trading.stale_after",
        Kind::Duration { min_ms: 1_000, max_ms: 300_000 },
        Some("10s"),
        "Market data older than this is stale: buys are withdrawn.",
    ),
    key(
        "trading.reconcile_interval",
        Kind::Duration { min_ms: 5_000, max_ms: 3_600_000 },
        Some("60s"),
        "How often orders, position and executions are compared with the exchange though nothing seems wrong.",
    ),
    key(
        "trading.order_cleanup_threshold",
        Kind::Int { min: 2, max: 64 },
        Some("50"),
        "Orders that a symbol may have working; those farthest from the price give way.",
    ),
    key(
        "trading.countdown",
        Kind::Duration { min_ms: 0, max_ms: 3_600_000 },
        Some("2m"),
        "Dead man's switch: without a sign of life for so long the exchange withdraws a symbol's orders; longer with many symbols; 0s turns it off.",
    ),
    key(
        "trading.countdown_with_foreign_orders",
        Kind::Choice(&["true", "false"]),
        Some("false"),
        "Whether the switch is armed though orders that are not ours are on the symbol: it would withdraw them, too.",
    ),
    key(
        "trading.accept_positions",
        Kind::Choice(&["true", "false"]),
        Some("false"),
        "Whether a symbol starts though the account holds a position that its books do not know; the position is left alone.",
    ),
    key(
        "risk_control.max_leverage",
        Kind::Int { min: 1, max: 125 },
        Some("20"),
        "A symbol whose leverage at the exchange is higher is refused.",
    ),
    key(
        "risk_control.max_exposure",
        Kind::Decimal { min: "1", max: "1000000000" },
        Some("50000"),
        "The most that all holdings and opening orders together may be worth, in the quote asset.",
    ),
    key(
        "risk_control.max_order",
        Kind::Decimal { min: "0", max: "1000000000" },
        Some("0"),
        "The most that a single opening order may be worth, in the quote asset, whatever a strategy wants; 0 turns it off.",
    ),
    key(
        "risk_control.max_drawdown_percent",
        Kind::Decimal { min: "0.1", max: "100" },
        Some("30"),
        "Red: fall of the equity from its peak at which nothing more is opened until re-armed, over restarts too; 100 turns it off.",
    ),
    key(
        "risk_control.drawdown_orange_percent",
        Kind::Decimal { min: "0.1", max: "100" },
        Some("20"),
        "Orange: fall at which nothing more is opened until it is a tenth less; 100 turns it off.",
    ),
    key(
        "risk_control.drawdown_yellow_percent",
        Kind::Decimal { min: "0.1", max: "100" },
        Some("10"),
        "Yellow: fall that is told; 100 turns it off.",
    ),
    key(
        "risk_control.drawdown_smoothing",
        Kind::Duration { min_ms: 0, max_ms: 3_600_000 },
        Some("30s"),
        "A fall counts as the lesser of itself and its mean over this time, so that one wrong price stops nothing.",
    ),
    key(
        "risk_control.on_max_drawdown",
        Kind::Choice(&["hold", "flatten"]),
        Some("hold"),
        "What becomes of positions on red: they stay and are sold by their orders, or are closed at market.",
    ),
    key(
        "risk_control.max_daily_loss_percent",
        Kind::Decimal { min: "0.1", max: "100" },
        Some("25"),
        "Loss since midnight UTC at which nothing more is opened that day; 100 turns it off.",
    ),
    key(
        "risk_control.enabled",
        Kind::Choice(&["true", "false"]),
        Some("true"),
        "Whether the risk monitor stops opening when the whole market falls with unusual volume, or cannot be seen.",
    ),
    key(
        "risk_control.monitor_symbols",
        Kind::Words,
        Some(""),
        "Symbols that the risk monitor watches, of those that are traded; none means all, at most 64.",
    ),
    key("risk_control.average_window", Kind::Int { min: 2, max: 97 }, Some("20"), "Candles of a minute that make the risk monitor's mean."),
    key("risk_control.volume_multiplier", Kind::Decimal { min: "1", max: "1000" }, Some("3"), "How many times the mean volume is unusual."),
    key(
        "risk_control.recovery_threshold",
        Kind::Int { min: 1, max: 64 },
        Some("3"),
        "Symbols that must have recovered; more than are watched means all.",
    ),
    key(
        "risk_control.monitor_stale_after",
        Kind::Duration { min_ms: 60_000, max_ms: 3_600_000 },
        Some("3m"),
        "A watched symbol without a closed candle for so long counts as falling.",
    ),
    key(
        "risk_control.stop_loss_percent",
        Kind::Decimal { min: "0", max: "99" },
        Some("0"),
        "Loss of a symbol's holding, of what it cost, at which it is closed at market; 0 turns it off.",
    ),
    key(
        "risk_control.stop_loss_pause",
        Kind::Duration { min_ms: 0, max_ms: 7 * DAY_MS },
        Some("0s"),
        "How long the symbol opens nothing after a stop-loss; 0s: until it is re-armed.",
    ),
    key(
        "risk_control.take_profit_percent",
        Kind::Decimal { min: "0", max: "1000" },
        Some("0"),
        "Profit of a symbol's holding, of what it cost, from which on it is trailed; 0 turns it off.",
    ),
    key(
        "risk_control.trailing_percent",
        Kind::Decimal { min: "0", max: "100" },
        Some("0"),
        "Fall of that profit from its peak at which the holding is closed at market; 0 closes as soon as take_profit_percent is reached.",
    ),
    key(
        "risk_control.take_profit_pause",
        Kind::Duration { min_ms: 0, max_ms: 7 * DAY_MS },
        Some("1m"),
        "How long the symbol opens nothing after a profit was taken.",
    ),
    key(
        "risk_control.max_layers",
        Kind::Int { min: 0, max: 256 },
        Some("0"),
        "Levels of a symbol that may hold something or buy at the same time; 0 turns it off. max_grid_layers of the original.",
    ),
    key(
        "risk_control.min_liquidation_percent",
        Kind::Decimal { min: "0", max: "100" },
        Some("5"),
        "Distance of mark and liquidation price, of the mark price, below which a symbol opens nothing more; 0 turns it off.",
    ),
    key(
        "risk_control.accept_liquidation",
        Kind::Choice(&["true", "false"]),
        Some("false"),
        "Whether a symbol starts though its position would be liquidated before its last level is filled.",
    ),
    key(
        "risk_control.max_funding_percent",
        Kind::Decimal { min: "0", max: "10" },
        Some("0.5"),
        "Funding rate that a holding would pay, above which its symbol opens nothing before the payment; 0 turns it off.",
    ),
    key("risk_control.funding_window", Kind::Duration { min_ms: 1_000, max_ms: 28_800_000 }, Some("10m"), "How long before the payment."),
    key(
        "risk_control.margin_lock_duration",
        Kind::Duration { min_ms: 1_000, max_ms: 300_000 },
        Some("10s"),
        "How long a symbol opens nothing after a refusal for want of margin; doubled with each, up to five minutes.",
    ),
    key(
        "risk_control.max_cancels_per_minute",
        Kind::Int { min: 0, max: 100_000 },
        Some("600"),
        "Orders of a symbol withdrawn in a minute, above which nothing new is placed for a minute; 0 turns it off.",
    ),
    key(
        "risk_control.cooldown",
        Kind::Duration { min_ms: 0, max_ms: 7 * DAY_MS },
        Some("0s"),
        "How long a symbol opens nothing after its position was closed by a rule or an operator.",
    ),
    key(
        "risk_control.stoploss_guard_trades",
        Kind::Int { min: 0, max: 64 },
        Some("0"),
        "Trades of a symbol closed at a loss by a stop within the look-back that make it pause; 0 turns it off.",
    ),
    key("risk_control.stoploss_guard_look_back", Kind::Duration { min_ms: 60_000, max_ms: 30 * DAY_MS }, Some("24h"), "That look-back."),
    key("risk_control.stoploss_guard_pause", Kind::Duration { min_ms: 1_000, max_ms: 30 * DAY_MS }, Some("1h"), "That pause."),
    key(
        "risk_control.loss_guard_trades",
        Kind::Int { min: 0, max: 64 },
        Some("0"),
        "Trades within the look-back from which on their summed returns are watched; 0 turns it off.",
    ),
    key(
        "risk_control.loss_guard_percent",
        Kind::Decimal { min: "0.01", max: "1000" },
        Some("10"),
        "Fall of the summed returns from their peak that makes the symbol pause.",
    ),
    key("risk_control.loss_guard_look_back", Kind::Duration { min_ms: 60_000, max_ms: 30 * DAY_MS }, Some("24h"), "That look-back."),
    key("risk_control.loss_guard_pause", Kind::Duration { min_ms: 1_000, max_ms: 30 * DAY_MS }, Some("1h"), "That pause."),
    key(
        "risk_control.low_profit_trades",
        Kind::Int { min: 0, max: 64 },
        Some("0"),
        "Trades within the look-back from which on their return together is watched; 0 turns it off.",
    ),
    key(
        "risk_control.low_profit_percent",
        Kind::Decimal { min: "0", max: "100" },
        Some("0"),
        "Return together below which the symbol pauses.",
    ),
    key("risk_control.low_profit_look_back", Kind::Duration { min_ms: 60_000, max_ms: 30 * DAY_MS }, Some("24h"), "That look-back."),
    key("risk_control.low_profit_pause", Kind::Duration { min_ms: 1_000, max_ms: 30 * DAY_MS }, Some("1h"), "That pause."),
    key(
        "risk_control.position_safety_check",
        Kind::Int { min: 0, max: 100_000 },
        Some("20"),
        "Orders that the free margin must be able to carry before a symbol starts; 0 turns it off.",
    ),
    key(
        "risk_control.orders_per_10s",
        Kind::Int { min: 1, max: 300 },
        Some("100"),
        "Orders that all symbols together may place in ten seconds.",
    ),
    key(
        "storage.url",
        Kind::Url(&["sqlite:", "postgres://", "postgresql://"]),
        Some(""),
        "Database; without it SQLite in data_dir. A password belongs into storage.url_env.",
    ),
    key("storage.url_env", Kind::Text { max: 100 }, Some("PLIMSOLL_STORAGE_URL"), "Environment variable that overrides storage.url."),
    key(
        "storage.batch_size",
        Kind::Int { min: 1, max: 1_000 },
        Some("100"),
        "Records written in one transaction; ten times as many may wait.",
    ),
    key("storage.flush_interval", Kind::Duration { min_ms: 100, max_ms: 60_000 }, Some("5s"), "Longest time a record waits for its batch."),
    key(
        "storage.size_max",
        Kind::Bytes { min: 4 << 20, max: 1 << 44 },
        Some("8GB"),
        "Size of the SQLite file at which writing ends; from 90 % on old history gives way: log, system figures, equity, events, ended orders.",
    ),
    key(
        "storage.disk_budget",
        Kind::Bytes { min: 16 << 20, max: 1 << 44 },
        Some("12GB"),
        "What database, backups, logs, journal, profiles and reports may take together: told at 80 %, old history and backups go at 90 %, opening stops at 97 %.",
    ),
    key(
        "storage.disk_interval",
        Kind::Duration { min_ms: 1_000, max_ms: 600_000 },
        Some("60s"),
        "How often the files are measured; a watermark is left after two times without it.",
    ),
    key(
        "storage.retention.equity_days",
        Kind::Int { min: 1, max: 36_500 },
        Some("35"),
        "Days for which points of the equity curve are kept.",
    ),
    key(
        "storage.retention.equity_rows",
        Kind::Int { min: 1, max: 100_000_000 },
        Some("3000000"),
        "How many of them at most; the oldest go first.",
    ),
    key("storage.retention.events_days", Kind::Int { min: 1, max: 36_500 }, Some("90"), "Days for which events are kept."),
    key(
        "storage.retention.events_rows",
        Kind::Int { min: 1, max: 100_000_000 },
        Some("100000"),
        "How many of them at most; the oldest go first.",
    ),
    key(
        "storage.retention.orders_days",
        Kind::Int { min: 1, max: 36_500 },
        Some("90"),
        "Days for which orders that ended are kept; open ones always stay.",
    ),
    key(
        "storage.retention.orders_rows",
        Kind::Int { min: 1, max: 100_000_000 },
        Some("1000000"),
        "How many of them at most; the oldest go first.",
    ),
    key("storage.retention.fills_days", Kind::Int { min: 1, max: 36_500 }, Some("3650"), "Days for which fills are kept."),
    key(
        "storage.retention.fills_rows",
        Kind::Int { min: 1, max: 100_000_000 },
        Some("5000000"),
        "How many of them at most; the oldest go first.",
    ),
    key("storage.retention.funding_days", Kind::Int { min: 1, max: 36_500 }, Some("3650"), "Days for which funding payments are kept."),
    key(
        "storage.retention.funding_rows",
        Kind::Int { min: 1, max: 100_000_000 },
        Some("2000000"),
        "How many of them at most; the oldest go first.",
    ),
    key(
        "journal.enabled",
        Kind::Choice(&["true", "false"]),
        Some("true"),
        "Whether all that the engines are told and answer is recorded in data_dir/journal, to be replayed with `plimsoll replay`.",
    ),
    key(
        "journal.segment_size",
        Kind::Bytes { min: 1 << 20, max: 1 << 30 },
        Some("8MB"),
        "Size of a file of the journal; smaller when many symbols share journal.keep, so that each has room for four.",
    ),
    key(
        "journal.keep",
        Kind::Bytes { min: 16 << 20, max: 1 << 40 },
        Some("256MB"),
        "Size of all files of the journal together, at least 512 kB for each symbol; the oldest leave first.",
    ),
    key(
        "memory.budget",
        Kind::Bytes { min: 32 << 20, max: 1 << 40 },
        Some(""),
        "What all buffers together may take; without it the smaller of 256 MiB and 70 % of the tightest limit (control group, RLIMIT_DATA, RLIMIT_AS).",
    ),
    key(
        "memory.purge_interval",
        Kind::Duration { min_ms: 1_000, max_ms: DAY_MS },
        Some("5m"),
        "How often free pages are returned to the system; gc_interval of the original.",
    ),
    key(
        "memory.cleanup_interval",
        Kind::Duration { min_ms: 1_000, max_ms: DAY_MS },
        Some("30m"),
        "How often what has expired is dropped: viewers of the dashboard too slow to follow, entries of the watchdog; and the database gives back what its caches can spare.",
    ),
    key(
        "memory.high_memory_threshold",
        Kind::Megabytes { min: 16 << 20, max: 1 << 40 },
        Some("500MB"),
        "Memory in RAM from which an alert is raised and free pages are returned early; a bare number is megabytes.",
    ),
    key(
        "memory.high_task_threshold",
        Kind::Int { min: 1, max: 100_000 },
        Some(""),
        "Live tasks from which an alert is raised; without it the planned tasks and a quarter more. high_goroutine_threshold of the original.",
    ),
    key(
        "memory.leave_at_percent",
        Kind::Int { min: 50, max: 99 },
        Some("95"),
        "Share of the tightest memory limit at which the process stops in order by itself; opening stops 5 points below, caches go 10 and views 15 points below.",
    ),
    key(
        "watchdog.interval",
        Kind::Duration { min_ms: 5_000, max_ms: 3_600_000 },
        Some("60s"),
        "How often a sample is stored and thresholds are looked at.",
    ),
    key(
        "watchdog.cpu_percent",
        Kind::Int { min: 1, max: 100_000 },
        Some("80"),
        "Processor use that raises an alert; 100 is one processor.",
    ),
    key(
        "watchdog.growth",
        Kind::Megabytes { min: 1 << 20, max: 1 << 40 },
        Some("200MB"),
        "Growth of memory within the window that raises an alert.",
    ),
    key(
        "watchdog.growth_percent",
        Kind::Int { min: 1, max: 10_000 },
        Some("30"),
        "The same as a share of what it was; growth below 20 MiB never counts.",
    ),
    key("watchdog.window", Kind::Duration { min_ms: 60_000, max_ms: 3_600_000 }, Some("5m"), "The window of growth."),
    key(
        "watchdog.cool_down",
        Kind::Duration { min_ms: 1_000, max_ms: DAY_MS },
        Some("30m"),
        "For so long nothing is said of the same thing again.",
    ),
    key("watchdog.detail_days", Kind::Int { min: 1, max: 31 }, Some("7"), "Days for which each sample is kept."),
    key("watchdog.daily_days", Kind::Int { min: 1, max: 3_650 }, Some("90"), "Days for which daily figures are kept."),
    key(
        "web.pprof",
        Kind::Choice(&["true", "false"]),
        Some("false"),
        "Whether /debug/pprof/heap and /debug/pprof/profile answer, to the holder of the admin token.",
    ),
    key(
        "web.open_reading",
        Kind::Choice(&["true", "false"]),
        Some("true"),
        "Whether status, figures of the process and metrics are told to this machine without a login.",
    ),
    key("web.tls_cert", Kind::Text { max: 1_000 }, Some(""), "File of the certificate in PEM, with those between it and its root."),
    key("web.tls_key", Kind::Text { max: 1_000 }, Some(""), "File of its key in PEM, which not everybody may read."),
    key(
        "web.behind_proxy",
        Kind::Choice(&["true", "false"]),
        Some("false"),
        "Whether a proxy that speaks TLS stands before the dashboard: it alone reaches it, and tells addresses in X-Forwarded-For.",
    ),
    key("web.listen", Kind::Listen, Some("127.0.0.1:15173"), "Address of API and dashboard."),
    key("web.hosts", Kind::Hosts, Some(""), "Names under which the dashboard may be called besides loopback, for example behind a proxy."),
    key("web.enabled", Kind::Choice(&["true", "false"]), Some("true"), "Whether API, dashboard and metrics are served."),
    key(
        "alerts.cooldown",
        Kind::Duration { min_ms: 0, max_ms: DAY_MS },
        Some("30m"),
        "After an alert the same one is silent for so long; what comes meanwhile is counted and told once at the end.",
    ),
    key("alerts.cooldown_critical", Kind::Duration { min_ms: 0, max_ms: DAY_MS }, Some("5m"), "The same for critical alerts."),
    key(
        "log.level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Some("info"),
        "How much is logged: to standard error, files, database and live viewers; the environment variable PLIMSOLL_LOG overrides it.",
    ),
    key("log.files", Kind::Choice(&["true", "false"]), Some("true"), "Whether the log is also written to files in data_dir/logs."),
    key("log.file_size", Kind::Bytes { min: 1 << 20, max: 1 << 30 }, Some("8MB"), "Size of a log file before the next is begun."),
    key(
        "log.keep",
        Kind::Bytes { min: 2 << 20, max: 1 << 40 },
        Some("64MB"),
        "Size of all log files together, at least twice log.file_size; the oldest leave first.",
    ),
    key(
        "log.store",
        Kind::Choice(&["none", "error", "warn", "info", "debug"]),
        Some("info"),
        "The least level of lines that are also stored in the database, 20 a second in the long run.",
    ),
    key("log.keep_days", Kind::Int { min: 1, max: 365 }, Some("7"), "Days for which stored lines are kept, 50,000 at most."),
    key("log.keep_error_days", Kind::Int { min: 1, max: 3_650 }, Some("30"), "The same for errors, 10,000 at most."),
];

/// The keys of each entry of `alerts.channels`.
pub const CHANNEL_KEYS: &[Key] = &[
    key("name", Kind::Text { max: 32 }, None, "Its name in rules, logs and metrics: a-z, 0-9, - and _."),
    key(
        "kind",
        Kind::Choice(&["log", "webhook", "telegram", "slack", "discord", "email", "feishu", "dingtalk", "wecom"]),
        None,
        "Where it sends to.",
    ),
    key(
        "secret_env",
        Kind::Text { max: 100 },
        Some(""),
        "Environment variable with its secret: the address of a webhook, Slack, Discord, Feishu, DingTalk or WeCom hook, a Telegram bot's token, a mail password.",
    ),
    key("secret_file", Kind::Text { max: 1_000 }, Some(""), "File with that secret, read when the variable is not set."),
    key(
        "signing_env",
        Kind::Text { max: 100 },
        Some(""),
        "Environment variable with the secret that signs messages (webhook, Feishu, DingTalk).",
    ),
    key("signing_file", Kind::Text { max: 1_000 }, Some(""), "File with that secret, read when the variable is not set."),
    key("base", Kind::Url(&["https://", "http://"]), Some(""), "Another address than the service's own, for a proxy."),
    key("chat", Kind::Text { max: 64 }, Some(""), "Telegram: number of the chat, negative for groups, or @name of a channel."),
    key("thread", Kind::Int { min: 1, max: i64::MAX }, Some(""), "Telegram: topic of a group with topics."),
    key(
        "commanders",
        Kind::Words,
        Some(""),
        "Telegram: numbers of the people who may ask and command over it, eight at most; none means that nobody may.",
    ),
    key("host", Kind::Text { max: 253 }, Some(""), "E-mail: the server."),
    key("port", Kind::Int { min: 1, max: 65_535 }, Some(""), "E-mail: its port; 465 with tls, 587 with starttls, 25 without."),
    key("security", Kind::Choice(&["none", "starttls", "tls"]), Some("tls"), "E-mail: how the server is spoken to."),
    key("user", Kind::Text { max: 200 }, Some(""), "E-mail: user; its password is the secret."),
    key("from", Kind::Text { max: 200 }, Some(""), "E-mail: who writes."),
    key("to", Kind::Words, Some(""), "E-mail: who is written to."),
    key(
        "per_minute",
        Kind::Int { min: 1, max: 6_000 },
        Some(""),
        "Messages a minute in the long run; each service has its own default below its limit.",
    ),
    key("timeout", Kind::Duration { min_ms: 50, max_ms: 120_000 }, Some("10s"), "Time for one attempt."),
    key("attempts", Kind::Int { min: 1, max: 1_000 }, Some("100"), "Attempts for one message; within an hour."),
    key("ca_file", Kind::Text { max: 1_000 }, Some(""), "File with certificates (PEM) that are trusted besides the usual ones."),
    key("allow_plain", Kind::Choice(&["true", "false"]), Some("false"), "Whether addresses of other machines may be without TLS."),
];

/// The keys of each entry of `alerts.rules`.
pub const RULE_KEYS: &[Key] = &[
    key("severity", Kind::Choice(&["info", "warning", "critical"]), Some("info"), "The least severity that it fits."),
    key("codes", Kind::Words, Some(""), "Codes that it fits, as memory_leak or order_refused; none means all."),
    key("accounts", Kind::Words, Some(""), "Accounts that it fits; none means all."),
    key("symbols", Kind::Words, Some(""), "Symbols that it fits; none means all."),
    key("channels", Kind::Words, None, "Names of the channels that are told; an empty list keeps these alerts silent."),
    key("cooldown", Kind::Duration { min_ms: 0, max_ms: DAY_MS }, Some(""), "Instead of alerts.cooldown."),
    key("cooldown_critical", Kind::Duration { min_ms: 0, max_ms: DAY_MS }, Some(""), "Instead of alerts.cooldown_critical."),
];

/// Names that the original had for keys, and ours.
pub const ALIASES: &[(&str, &str)] =
    &[("memory.gc_interval", "memory.purge_interval"), ("memory.high_goroutine_threshold", "memory.high_task_threshold")];
