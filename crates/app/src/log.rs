//! The process's log: where it is begun, what it is joined to, and what it must never say.

use crate::config::{Config, LogConfig};
use crate::screen;
use anyhow::Context;
use async_trait::async_trait;
use plimsoll_bounded::{Ended, Grants};
use plimsoll_logs::limits::{SECRET_MIN, TICK};
use plimsoll_logs::{FileWriter, FilesConfig, Logs, Viewer};
use plimsoll_monitor::{LogMetrics, LogSample};
use plimsoll_storage::{LogLine, Store};
use plimsoll_web::dto::LogDto;
use plimsoll_web::{LogFeed, LogListener, LogNews};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The log. It is there before anything else, so that no secret is read that it does not know.
static LOGS: OnceLock<Logs> = OnceLock::new();

/// Variable that decides what is logged.
const LEVEL_ENV: &str = "PLIMSOLL_LOG";
/// How long the last lines may take to get to the files.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Parts of a secret address that are shorter are words.
const PART_MIN: usize = 12;

fn logs() -> &'static Logs {
    LOGS.get_or_init(|| Logs::new(screen::logged))
}

/// The one way to another level.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// What is logged at a level; foreign crates' chatter stays at warnings.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!(
        "warn,{}",
        ["app", "bounded", "exchange", "gateway", "testnet", "storage", "monitor", "notify", "logs", "web"]
            .map(|c| if c == "app" { format!("plimsoll={level}") } else { format!("plimsoll_{c}={level}") })
            .join(",")
    ))
}

/// Begins to log, at first to standard error alone. What the environment asks for goes before the level.
pub fn begin(level: &str) {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_from_env(LEVEL_ENV).unwrap_or_else(|_| filter(level)));
    if tracing_subscriber::registry().with(logs().layer().with_filter(filter)).try_init().is_err() {
        tracing::debug!("logging was begun before");
    } else if LEVEL.set(handle).is_err() {
        tracing::debug!("the level has its handle");
    }
}

/// Logs at another level from now on.
///
/// # Errors
/// A sentence that says why it stays at the level that it has.
pub fn set_level(level: &str) -> Result<(), String> {
    if std::env::var_os(LEVEL_ENV).is_some() {
        return Err(format!("log.level: the environment's {LEVEL_ENV} decides as long as the process runs"));
    }
    let handle = LEVEL.get().ok_or("log.level: the log has not begun")?;
    handle.reload(filter(level)).map_err(|error| format!("log.level: {error}"))
}

/// Keeps a secret out of the log: the whole of it, and those of its parts that say something by themselves, as those of an address.
pub fn hide(secret: &str) {
    let parts = secret.split(['/', '?', '&', '=', ':', '@']).filter(|part| part.len() >= PART_MIN && !part.contains('.'));
    for text in std::iter::once(secret).chain(parts) {
        if !logs().hide(text) && text.len() >= SECRET_MIN {
            tracing::warn!("there are more secrets than the log can know");
        }
    }
}

/// Keeps the password of a database's address out of the log.
pub fn hide_login(url: &str) {
    let login = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    if let Some((_, password)) = login.and_then(|login| login.split_once(':')) {
        hide(password);
        hide(&unescape(password));
    }
}

/// Turns `%41` into `A`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folder of log files.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("logs")
}

/// Joins the log to what it was granted: viewers may come, and what is said waits for the files.
///
/// # Errors
/// When it was not planned.
pub fn join(config: &Config, grants: &mut Grants) -> anyhow::Result<Option<FileWriter>> {
    let LogConfig { files, file_bytes, keep_bytes, .. } = config.log;
    let files = files.then(|| FilesConfig { folder: folder(&config.data_dir), file_bytes, keep_bytes });
    Ok(logs().start(grants, files)?)
}

/// Starts the files, and hands lines to the database.
///
/// # Errors
/// When no thread can be started.
pub fn start(config: &Config, files: Option<FileWriter>, store: &Store) -> anyhow::Result<()> {
    if let Some(files) = files {
        crate::threads::writer("plimsoll-logs", move || files.run()).context("cannot start threads")?;
    }
    if let Some(least) = config.log.store {
        let lines = store.logs();
        logs().store(least, move |record| {
            let text = std::sync::Arc::clone(&record.text);
            let (account, symbol) = (record.account, record.symbol);
            lines.write(LogLine { time: record.time, level: record.level, target: record.target, text, account, symbol });
        });
    }
    Ok(())
}

/// Writes what was held back for long enough; to be called every second.
pub fn tick() {
    logs().tick();
}

/// Does so for ever, for who has nobody else to do it.
pub async fn ticking() {
    let mut every = tokio::time::interval(TICK);
    // bounded: by whoever lets it go.
    loop {
        every.tick().await;
        tick();
    }
}

/// Writes what is held back, and waits until the files have all, but not for a disk that hangs.
pub async fn finish() {
    logs().finish(LAST_LINES).await;
}

/// Shows what became of all lines.
pub fn observe(metrics: &LogMetrics, store: &Store) {
    let (figures, counts) = (logs().figures(), store.counts());
    let pair = |sink: plimsoll_logs::SinkFigures| (sink.written, sink.dropped);
    metrics.observe(&LogSample {
        sinks: [
            pair(figures.terminal),
            pair(figures.files),
            (counts.logs, counts.logs_dropped + figures.store.dropped),
            pair(figures.live),
        ],
        repeated: figures.repeated,
        limited: figures.limited,
        viewers: figures.viewers,
        replaced: figures.replaced,
        file_bytes: figures.file_bytes,
        file_failures: figures.file_failures,
    });
}

/// The log for the web server's viewers.
pub struct Feed;

impl LogFeed for Feed {
    fn listen(&self) -> Option<Box<dyn LogListener>> {
        logs().subscribe().map(|viewer| Box::new(Listener(viewer)) as Box<dyn LogListener>)
    }
}

struct Listener(Viewer);

#[async_trait]
impl LogListener for Listener {
    async fn next(&mut self) -> LogNews {
        match self.0.next().await {
            Ok(received) => {
                let record = received.item;
                let line = LogDto {
                    time_ms: record.time.millis(),
                    level: record.level.as_str().to_owned(),
                    target: record.target.to_owned(),
                    text: record.text.to_string(),
                    account: record.account.map(|name| name.to_string()),
                    symbol: record.symbol.map(|symbol| symbol.to_string()),
                };
                LogNews::Line { line, level: record.level, missed: received.missed }
            }
            Err(Ended::Replaced) => LogNews::Replaced,
            Err(Ended::Closed) => LogNews::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn passwords_in_addresses_are_read_as_a_server_reads_them() {
        for (text, expected) in
            [("p%40ss%2Fword", "p@ss/word"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%C3%A4", "aä"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(unescape(text), expected);
        }
    }
}
