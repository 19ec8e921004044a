//! `plimsoll data record`: what an exchange's public streams tell, as it came. No key is used.

use crate::config::{Config, reader};
use crate::limits::{EDGE_TASKS, FUTURE_BYTES, PAPER_LINE_BYTES};
use anyhow::{Context, bail};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll_bounded::{Grant, Grants, Receiver, Tasks};
use plimsoll_gateway::Clock;
use plimsoll_market::{Symbol, Time};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use time::OffsetDateTime;

/// Contracts recorded by one call.
const SYMBOLS_MAX: usize = 32;
/// Text that is compressed at once; a kill costs no more than that, or than [`AGE`].
const MEMBER_BYTES: usize = 1 << 20;
/// What came is on disk after so long.
const AGE: Duration = Duration::from_secs(5);
/// Files are begun anew every hour, and when they have this share of what may be kept.
const SHARE: u64 = 16;
/// Messages of a contract that may wait for the disk: seconds of a wild market, of a kilobyte each at most times.
const LINES: usize = 4_096;
/// Between two lines about how it goes.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How long tasks may take to end.
const STOP: Duration = Duration::from_secs(10);
/// The name of the rules beside the recordings.
const RULES: &str = "exchange-info.json";
/// What recordings end in.
const EXTENSION: &str = ".dat.gz";

/// What to record.
#[derive(Debug, Args, Clone)]
pub struct RecordArgs {
    /// The contracts; by default those of the configuration.
    #[arg(value_name = "SYMBOL")]
    symbols: Vec<String>, // tidy: bounded by the command line
    /// Where the exchange is: its binance.rest_url and binance.websocket_url.
    #[arg(long, value_name = "FILE", default_value = "config/plimsoll.yaml")]
    config: PathBuf,
    /// Where the recordings go.
    #[arg(long, value_name = "FOLDER", default_value = "data/recordings")]
    into: PathBuf,
    /// How long, as 90m or 24h; by default until it is stopped.
    #[arg(long = "for", value_name = "DURATION")]
    span: Option<String>,
    /// How much is kept, as 20GB: beyond it the oldest recordings of these contracts are removed.
    #[arg(long, value_name = "SIZE", default_value = "20GB")]
    keep: String,
}

/// Does it.
///
/// # Errors
/// A sentence with what stands against it.
pub fn main(args: &RecordArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let mut symbols: Vec<Symbol> = Vec::new();
    for name in &args.symbols {
        symbols.push(Symbol::new(name).with_context(|| format!("{name:?} is no contract's name"))?);
    }
    if symbols.is_empty() {
        symbols = config.symbols.iter().map(|settings| settings.symbol).collect();
    }
    symbols.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    symbols.dedup();
    if symbols.len() > SYMBOLS_MAX {
        bail!("{} contracts are more than {SYMBOLS_MAX}; record them in several calls", symbols.len());
    }
    let span = match &args.span {
        Some(text) => {
            Some(reader::duration_ms(text).map(Duration::from_millis).with_context(|| format!("--for {text} is no duration, as 90m"))?)
        }
        None => None,
    };
    let keep = reader::size_bytes(&args.keep).filter(|keep| *keep >= 16 << 20);
    let keep = keep.with_context(|| format!("--keep {} is no size of at least 16MB, as 20GB", args.keep))?;
    std::fs::create_dir_all(&args.into).with_context(|| format!("cannot make {}", args.into.display()))?;
    crate::log::begin("warn");
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    crate::threads::edge().context("cannot start threads")?.block_on(record(&config, &symbols, args, span, keep))
}

async fn record(config: &Config, symbols: &[Symbol], args: &RecordArgs, span: Option<Duration>, keep: u64) -> anyhow::Result<ExitCode> {
    let mut signals = crate::signals::Signals::catch();
    save_rules(&config.binance.rest_url, &args.into, symbols).await?;
    let tasks = Tasks::new(Grant::detached(Tasks::line("record.tasks", EDGE_TASKS, FUTURE_BYTES)));
    // Nothing else is in this process: the plan is the budget.
    let grants = Grants::detached(&crate::paper::plan(symbols.iter().copied(), LINES)?);
    let clock = Clock::start();
    let followed = crate::paper::follow(&config.binance, symbols, grants, clock, &tasks)?;
    crate::screen::say(&format!("recording {} into {}; Ctrl-C ends it", list(symbols), args.into.display()));
    let store = Store { folder: args.into.clone(), symbols: symbols.to_vec(), keep };
    let mut writing = Vec::with_capacity(followed.len());
    for (symbol, lines) in followed {
        writing.push(write(Recording::new(symbol, store.clone()), lines, clock));
    }
    let mut all = std::pin::pin!(futures_util::future::try_join_all(writing));
    let end = async {
        match span {
            Some(span) => tokio::time::sleep(span).await,
            None => std::future::pending().await,
        }
    };
    let early = tokio::select! {
        () = signals.wait() => None,
        () = end => None,
        () = crate::log::ticking() => None,
        // Only a disk that takes nothing more ends it before.
        ended = &mut all => Some(ended?),
    };
    // The channels' senders go with the tasks: what is written ends by itself.
    let report = tasks.shutdown(STOP).await;
    if !report.is_clean() {
        tracing::warn!(?report, "not everything ended by itself");
    }
    let sums = match early {
        Some(sums) => sums,
        None => all.await?,
    };
    for (symbol, sum) in symbols.iter().zip(&sums) {
        crate::screen::say(&format!("{symbol}: {sum}"));
    }
    crate::log::finish().await;
    Ok(ExitCode::SUCCESS)
}

fn list(symbols: &[Symbol]) -> String {
    symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Keeps the exchange's rules beside the recordings, for `--exchange-info`; a contract that it does not have is told at once.
async fn save_rules(rest_url: &str, folder: &Path, symbols: &[Symbol]) -> anyhow::Result<()> {
    let body = crate::paper::exchange_info(rest_url).await?;
    let info = plimsoll_exchange::binance::decode::exchange_info(&body).context("the exchange's rules cannot be read")?;
    for symbol in symbols {
        if !info.contracts.iter().any(|contract| contract.instrument.symbol == *symbol) {
            bail!("{rest_url} has no contract {symbol}");
        }
    }
    let path = folder.join(RULES);
    std::fs::write(&path, &body).with_context(|| format!("cannot write {}", path.display()))
}

/// Where recordings are kept.
#[derive(Clone)]
struct Store {
    folder: PathBuf,
    symbols: Vec<Symbol>, // tidy: bounded by SYMBOLS_MAX
    keep: u64,
}

impl Store {
    /// Removes the oldest recordings until no more is kept than may be. Files that are being written are the newest, and stay.
    fn prune(&self) -> anyhow::Result<()> {
        let mut files: Vec<(String, PathBuf, u64)> = Vec::new();
        for entry in std::fs::read_dir(&self.folder).with_context(|| format!("cannot read {}", self.folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.ends_with(EXTENSION)
                && self.symbols.iter().any(|s| name.strip_prefix(s.as_str()).is_some_and(|rest| rest.starts_with('_')));
            if let (true, Some((_, begun))) = (ours, name.split_once('_')) {
                files.push((begun.to_owned(), entry.path(), entry.metadata()?.len()));
            }
        }
        files.sort_unstable();
        let mut sum: u64 = files.iter().map(|(_, _, bytes)| bytes).sum();
        let open = self.symbols.len();
        let old = files.len().saturating_sub(open);
        for (_, path, bytes) in files.into_iter().take(old) {
            if sum <= self.keep {
                break;
            }
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            sum -= bytes;
        }
        Ok(())
    }
}

/// A file that is being written.
struct Recording {
    symbol: Symbol,
    store: Store,
    file: Option<(File, PathBuf)>,
    hour: u64,
    file_bytes: u64,
    text: String,
    /// When the first line of `text` came.
    since: Time,
    sum: Sum,
}

/// What was recorded.
#[derive(Clone, Copy, Default)]
struct Sum {
    lines: u64,
    bytes: u64,
    files: u64,
    gaps: u64,
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lines, bytes, files, gaps } = self;
        write!(f, "{lines} messages, {:.1} MB in {files} files", *bytes as f64 / 1e6)?;
        // Each opening of the stream begins with one.
        if *gaps > 1 { write!(f, ", {} gaps", gaps - 1) } else { Ok(()) }
    }
}

impl Recording {
    fn new(symbol: Symbol, store: Store) -> Self {
        Self {
            symbol,
            store,
            file: None,
            hour: 0,
            file_bytes: 0,
            text: String::with_capacity(MEMBER_BYTES + PAPER_LINE_BYTES),
            since: Time::ZERO,
            sum: Sum::default(),
        }
    }

    fn take(&mut self, now: Time, line: &str) -> anyhow::Result<()> {
        if line == plimsoll_sim::replay::RESTART {
            self.sum.gaps += 1;
        }
        if self.text.is_empty() {
            self.since = now;
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.sum.lines += 1;
        if self.text.len() >= MEMBER_BYTES || now.since(self.since) >= AGE { self.flush(now) } else { Ok(()) }
    }

    /// Writes what came as a gzip member of its own: however the process ends, what is behind it can be read.
    fn flush(&mut self, now: Time) -> anyhow::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let hour = self.since.nanos() / 3_600_000_000_000;
        if hour != self.hour || self.file_bytes > self.store.keep / SHARE {
            self.file = None;
            self.hour = hour;
        }
        if self.file.is_none() {
            let begun = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.nanos())).context("a time beyond the calendar")?;
            let (date, time) = (begun.date(), begun.time());
            let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
            let (hour, minute, second) = (time.hour(), time.minute(), time.second());
            let name = format!("{}_{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}{EXTENSION}", self.symbol);
            let path = self.store.folder.join(name);
            let file = File::options().create(true).append(true).open(&path).with_context(|| format!("cannot write {}", path.display()))?;
            (self.file, self.file_bytes) = (Some((file, path)), 0);
            self.sum.files += 1;
            self.store.prune()?;
        }
        let mut member = GzEncoder::new(Vec::with_capacity(self.text.len() / 4), Compression::fast());
        member.write_all(self.text.as_bytes())?;
        let member = member.finish()?;
        if let Some((file, path)) = &mut self.file {
            file.write_all(&member).with_context(|| format!("cannot write {}", path.display()))?;
        }
        self.file_bytes += member.len() as u64;
        self.sum.bytes += member.len() as u64;
        self.text.clear();
        Ok(())
    }
}

/// Writes a contract's lines until there are no more.
async fn write(mut recording: Recording, mut lines: Receiver<String>, clock: Clock) -> anyhow::Result<Sum> {
    let mut told_at = clock.now();
    // Ends: with the channel.
    loop {
        let line = match tokio::time::timeout(AGE, lines.recv()).await {
            Ok(Some(line)) => Some(line),
            Ok(None) => break,
            Err(_) => None,
        };
        let now = clock.now();
        match line {
            Some(line) => recording.take(now, &line)?,
            None => recording.flush(now)?,
        }
        if now.since(told_at) >= TOLD_EVERY {
            told_at = now;
            crate::screen::say(&format!("{}: {}", recording.symbol, recording.sum));
        }
    }
    recording.flush(clock.now())?;
    Ok(recording.sum)
}
