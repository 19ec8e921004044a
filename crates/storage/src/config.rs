//! What can be configured, and how it is checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::limits::{
    BATCH_SIZE, BATCH_SIZE_MAX, DATABASE_BYTES_MAX, DATABASE_BYTES_MIN, FLUSH_INTERVAL, FLUSH_INTERVAL_MAX, FLUSH_INTERVAL_MIN,
};

/// Storage's part of the configuration as it is written; nothing is checked yet.
///
/// Every key has a default but the url.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStoreConfig {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// Records a transaction, 1 to [`BATCH_SIZE_MAX`].
    #[serde(default = "batch_size")]
    pub batch_size: usize,
    /// Milliseconds that a record waits at most, [`FLUSH_INTERVAL_MIN`] to [`FLUSH_INTERVAL_MAX`].
    #[serde(default = "flush_interval_ms")]
    pub flush_interval_ms: u64,
    /// Bytes that the database file may have, at least [`DATABASE_BYTES_MIN`]; SQLite only.
    #[serde(default = "size_max_bytes")]
    pub size_max_bytes: u64,
    /// What is kept, and how long.
    #[serde(default)]
    pub retention: RawRetention,
}

fn batch_size() -> usize {
    BATCH_SIZE
}

fn flush_interval_ms() -> u64 {
    FLUSH_INTERVAL.as_millis() as u64
}

fn size_max_bytes() -> u64 {
    DATABASE_BYTES_MAX
}

impl RawStoreConfig {
    /// Makes a configuration of an url and defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            batch_size: batch_size(),
            flush_interval_ms: flush_interval_ms(),
            size_max_bytes: size_max_bytes(),
            retention: RawRetention::default(),
        }
    }
}

/// The url may carry a password: it is not shown.
impl fmt::Debug for RawStoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, batch_size, flush_interval_ms, size_max_bytes, retention } = self;
        f.debug_struct("RawStoreConfig")
            .field("batch_size", batch_size)
            .field("flush_interval_ms", flush_interval_ms)
            .field("size_max_bytes", size_max_bytes)
            .field("retention", retention)
            .finish_non_exhaustive()
    }
}

/// How long rows are kept, as written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRetention {
    /// Days and rows of equity points.
    pub equity: Keep,
    /// Days and rows of events.
    pub events: Keep,
    /// Days and rows of orders that ended; open ones always stay.
    pub orders: Keep,
    /// Days and rows of fills. Totals do not depend on them.
    pub fills: Keep,
    /// Days and rows of funding payments.
    pub funding: Keep,
    /// Days and rows of the samples of the process; each is added to its day before it goes.
    pub system: Keep,
    /// Days and rows of the days of the process.
    pub system_daily: Keep,
    /// Days and rows of the lines of the log that are no errors.
    pub logs: Keep,
    /// Days and rows of the lines of the log that are errors.
    pub log_errors: Keep,
    /// Days and rows of what was done through the API.
    pub audit: Keep,
}

impl Default for RawRetention {
    /// A month of equity and a quarter of events for the dashboard; ten years of fills, because tax offices ask for them.
    /// A week of samples (10,080 at one a minute, and as many again) and a quarter of days.
    /// A year of what was done through the API: 50,000 rows of 300 bytes are 15 MB.
    /// A week of the log, its errors a month: 60,000 lines of 200 bytes are 12 MB, with the longest texts 260 MB.
    fn default() -> Self {
        Self {
            equity: Keep { days: 35, rows: 3_000_000 },
            events: Keep { days: 90, rows: 100_000 },
            orders: Keep { days: 90, rows: 1_000_000 },
            fills: Keep { days: 3_650, rows: 5_000_000 },
            funding: Keep { days: 3_650, rows: 2_000_000 },
            system: Keep { days: 7, rows: 20_160 },
            system_daily: Keep { days: 90, rows: 36_500 },
            logs: Keep { days: 7, rows: 50_000 },
            log_errors: Keep { days: 30, rows: 10_000 },
            audit: Keep { days: 365, rows: 50_000 },
        }
    }
}

/// The age and the number beyond which rows of a table go, whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Days, 1 to 36,500.
    pub days: u32,
    /// Rows, 1 to 100,000,000.
    pub rows: u64,
}

/// How to open a store; every value is in its range.
#[derive(Clone)]
pub struct StoreConfig {
    target: Target,
    batch_size: usize,
    flush_interval: Duration,
    size_max_bytes: u64,
    retention: RawRetention,
    /// Where backups go; `None` for the usual place.
    backups: Option<PathBuf>,
}

/// Where the database is.
#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(String),
}

impl StoreConfig {
    /// Makes the configuration of a database at an url, with defaults for the rest.
    ///
    /// # Errors
    /// When the url is neither SQLite's nor PostgreSQL's.
    pub fn of_url(url: impl Into<String>) -> Result<Self, ConfigMistakes> {
        Self::try_from(RawStoreConfig::new(url))
    }

    /// Returns the records that a transaction takes.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Returns how long a record waits at most.
    pub fn flush_interval(&self) -> Duration {
        self.flush_interval
    }

    /// Returns the path of the database file; `None` for a server.
    pub fn path(&self) -> Option<&Path> {
        match &self.target {
            Target::Sqlite(path) => Some(path),
            Target::Postgres(_) => None,
        }
    }

    /// Sets the folder in which backups are made.
    #[must_use]
    pub fn with_backups(self, folder: impl Into<PathBuf>) -> Self {
        Self { backups: Some(folder.into()), ..self }
    }

    /// Returns the folder in which backups are made: what was set, or `backups` beside the file. For a server there is no usual one.
    pub fn backups(&self) -> Option<PathBuf> {
        self.backups.clone().or_else(|| Some(self.path()?.with_file_name("backups")))
    }

    /// The same for another file.
    pub(crate) fn with_file(&self, path: &Path) -> Self {
        Self { target: Target::Sqlite(path.to_owned()), ..self.clone() }
    }

    /// A file to be looked at, whatever its size.
    pub(crate) fn of_file(path: &Path) -> Self {
        Self {
            target: Target::Sqlite(path.to_owned()),
            batch_size: BATCH_SIZE,
            flush_interval: FLUSH_INTERVAL,
            size_max_bytes: u64::MAX >> 12,
            retention: RawRetention::default(),
            backups: None,
        }
    }

    /// Whether both are the same url of a server.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        matches!((&self.target, &other.target), (Target::Postgres(one), Target::Postgres(two)) if one == two)
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn size_max_bytes(&self) -> u64 {
        self.size_max_bytes
    }

    pub(crate) fn retention(&self) -> RawRetention {
        self.retention
    }

    /// Names the database without its password, for messages.
    pub(crate) fn display(&self) -> String {
        match &self.target {
            Target::Sqlite(path) => path.display().to_string(),
            Target::Postgres(url) => without_password(url),
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("database", &self.display())
            .field("batch_size", &self.batch_size)
            .field("flush_interval", &self.flush_interval)
            .field("size_max_bytes", &self.size_max_bytes)
            .field("retention", &self.retention)
            .finish()
    }
}

impl TryFrom<RawStoreConfig> for StoreConfig {
    type Error = ConfigMistakes;

    fn try_from(raw: RawStoreConfig) -> Result<Self, ConfigMistakes> {
        let mut mistakes = Vec::new();
        let mut range = |key: &'static str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                mistakes.push(ConfigMistake { key, value: value.to_string(), allowed: format!("{least} to {most}") });
            }
        };
        let RawStoreConfig { url, batch_size, flush_interval_ms, size_max_bytes, retention } = raw;
        range("batch_size", batch_size as u64, 1, BATCH_SIZE_MAX as u64);
        range("flush_interval_ms", flush_interval_ms, FLUSH_INTERVAL_MIN.as_millis() as u64, FLUSH_INTERVAL_MAX.as_millis() as u64);
        range("size_max_bytes", size_max_bytes, DATABASE_BYTES_MIN, 1 << 44);
        for (days, rows, keep) in [
            ("retention.equity.days", "retention.equity.rows", retention.equity),
            ("retention.events.days", "retention.events.rows", retention.events),
            ("retention.orders.days", "retention.orders.rows", retention.orders),
            ("retention.fills.days", "retention.fills.rows", retention.fills),
            ("retention.funding.days", "retention.funding.rows", retention.funding),
            ("retention.system.days", "retention.system.rows", retention.system),
            ("retention.system_daily.days", "retention.system_daily.rows", retention.system_daily),
            ("retention.logs.days", "retention.logs.rows", retention.logs),
            ("retention.log_errors.days", "retention.log_errors.rows", retention.log_errors),
            ("retention.audit.days", "retention.audit.rows", retention.audit),
        ] {
            range(days, u64::from(keep.days), 1, 36_500);
            range(rows, keep.rows, 1, 100_000_000);
        }
        let Some(target) = Target::parse(&url) else {
            let allowed = "sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned();
            mistakes.push(ConfigMistake { key: "url", value: without_password(&url), allowed });
            return Err(ConfigMistakes(mistakes));
        };
        if !mistakes.is_empty() {
            return Err(ConfigMistakes(mistakes));
        }
        Ok(Self { target, batch_size, flush_interval: Duration::from_millis(flush_interval_ms), size_max_bytes, retention, backups: None })
    }
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            // A database in memory would forget every order: no state is kept there.
            return (!path.is_empty() && path != ":memory:").then(|| Self::Sqlite(PathBuf::from(path)));
        }
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        (!rest.is_empty()).then(|| Self::Postgres(url.to_owned()))
    }
}

/// Replaces what stands between the scheme and the last `@`, and the query, where drivers take passwords, too.
fn without_password(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

/// Everything that is wrong with a configuration, all of it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistakes(Vec<ConfigMistake>); // tidy: bounded by the number of keys

impl ConfigMistakes {
    /// Iterates over the mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigMistake> {
        self.0.iter()
    }
}

/// A value out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistake {
    /// The key, relative to storage's section.
    pub key: &'static str,
    /// What was written; a password is left out.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is not allowed, only {}", self.key, self.value, self.allowed)
    }
}

impl fmt::Display for ConfigMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigMistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_all_mistakes_at_once_without_the_password() {
        let mut raw = RawStoreConfig::new("mysql://me:hunter2@host/db");
        raw.batch_size = 0;
        raw.flush_interval_ms = 60_001;
        raw.retention.equity.days = 0;
        raw.retention.system.days = 36_501;
        raw.retention.system_daily.rows = 0;
        let mistakes = StoreConfig::try_from(raw).unwrap_err();
        let keys: Vec<_> = mistakes.iter().map(|m| m.key).collect();
        assert_eq!(
            keys,
            ["batch_size", "flush_interval_ms", "retention.equity.days", "retention.system.days", "retention.system_daily.rows", "url"]
        );
        assert!(!mistakes.to_string().contains("hunter2"), "{mistakes}");
    }

    #[test]
    fn limits_are_allowed_and_one_beyond_is_not() {
        for (batch_size, good) in [(0, false), (1, true), (BATCH_SIZE_MAX, true), (BATCH_SIZE_MAX + 1, false)] {
            let raw = RawStoreConfig { batch_size, ..RawStoreConfig::new("sqlite:a.db") };
            assert_eq!(StoreConfig::try_from(raw).is_ok(), good, "{batch_size}");
        }
    }

    #[test]
    fn urls_name_a_file_or_a_server() {
        assert_eq!(StoreConfig::of_url("sqlite:///a/b c.db").unwrap().path(), Some(Path::new("/a/b c.db")));
        assert_eq!(StoreConfig::of_url("sqlite:data/x.db").unwrap().path(), Some(Path::new("data/x.db")));
        let server = StoreConfig::of_url("postgres://me:p@ss@db:5432/bot?password=x").unwrap();
        assert_eq!((server.path(), server.display().as_str()), (None, "postgres://…@db:5432/bot"));
        assert!(!format!("{server:?}").contains("p@ss"), "{server:?}");
        for bad in ["sqlite::memory:", "sqlite:", "", "postgres://"] {
            assert!(StoreConfig::of_url(bad).is_err(), "{bad}");
        }
    }
}
