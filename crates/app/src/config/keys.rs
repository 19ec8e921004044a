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
    /// A size: `64MB`, `1GB` (powers of 1,024).
    Bytes {
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

const fn key(path: &'static str, kind: Kind, default: Option<&'static str>, doc: &'static str) -> Key {
    Key { path, kind, default, doc }
}

const DAY_MS: u64 = 86_400_000;

/// The keys outside the list of symbols.
pub const KEYS: &[Key] = &[
    key(
        "exchange",
        Kind::Choice(&["local", "binance"]),
        None,
        "Where to trade: the local exchange inside the process, or Binance USDⓈ-M futures.",
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
        Kind::Decimal { min: "0.1", max: "100" },
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
        "risk_control.max_drawdown_percent",
        Kind::Decimal { min: "0.1", max: "100" },
        Some("30"),
        "Fall of the equity from its peak at which nothing more is opened; 100 turns it off.",
    ),
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
        "memory.budget",
        Kind::Bytes { min: 32 << 20, max: 1 << 40 },
        Some(""),
        "What all buffers together may take; without it the smaller of 256 MB and 70 % of the control group's limit.",
    ),
    key("web.listen", Kind::Listen, Some("127.0.0.1:15173"), "Address of API and dashboard."),
    key("web.hosts", Kind::Hosts, Some(""), "Names under which the dashboard may be called besides loopback, for example behind a proxy."),
    key("web.enabled", Kind::Choice(&["true", "false"]), Some("true"), "Whether API, dashboard and metrics are served."),
    key("log.level", Kind::Choice(&["error", "warn", "info", "debug", "trace"]), Some("info"), "How much is logged to standard error."),
];

/// The keys of each entry of `trading.symbols`.
pub const SYMBOL_KEYS: &[Key] = &[
    key("symbol", Kind::Text { max: 32 }, None, "The exchange's name of the contract, as BTCUSDT."),
    key("strategy", Kind::Choice(&["grid"]), Some("grid"), "What trades it."),
    key(
        "price_interval",
        Kind::Decimal { min: "0.00000001", max: "1000000000" },
        None,
        "Distance of two grid levels, in the quote asset; a multiple of the tick.",
    ),
    key("order_quantity", Kind::Decimal { min: "0.00000001", max: "1000000000" }, None, "What each buy may cost, in the quote asset."),
    key("buy_window_size", Kind::Int { min: 1, max: 63 }, Some("10"), "Buy levels kept below the price."),
    key(
        "sell_window_size",
        Kind::Int { min: 1, max: 63 },
        Some("10"),
        "Sell orders kept, nearest to the price first; both windows together at most 64.",
    ),
];
