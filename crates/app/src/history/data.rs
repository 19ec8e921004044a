//! `plimsoll data`: tapes of history.

use super::{ContractArgs, bar, name_of, tapes};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use plimsoll_backtest::Timeline;
use plimsoll_backtest::import::{ImportOptions, RowKind, import, show_time};
use plimsoll_backtest::tape::{EXTENSION, Info, Tick, inspect};
use plimsoll_market::{Round, Symbol, Time};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Work on tapes.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Make a tape of files: Binance Vision's klines, aggTrades, trades, bookTicker and fundingRate (CSV or zip), candles with named
    /// columns, Parquet with such columns, or raw recordings (`<local time> <JSON>`); gzipped ones too.
    ///
    /// Files become one tape in the order given. What is out of order, repeated or missing is refused with its place.
    Import(ImportArgs),
    /// Download files of Binance Vision, with their checksums; what broke off goes on where it ended.
    Download(super::download::DownloadArgs),
    /// Record what an exchange tells of its market, for backtests: every message as it came, gzipped, a file an hour.
    Record(super::record::RecordArgs),
    /// Fetch candles by an exchange's REST; a file that is there is continued.
    Candles(super::candles::CandlesArgs),
    /// Write what a tape holds as Parquet or CSV, for other programs; import takes candles, trades, tops and funding back.
    Export(super::export::TapeExportArgs),
    /// Show what tapes hold.
    List(ListArgs),
    /// Read tapes from beginning to end: checksums, order, gaps, candles that cannot be.
    Check(CheckArgs),
}

/// What to import.
#[derive(Debug, Args, Clone)]
pub struct ImportArgs {
    /// The files, in the order of time.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>, // tidy: bounded by the command line
    /// The contract, as BTCUSDT; by default what the first file's name begins with.
    #[arg(long)]
    symbol: Option<String>,
    /// What the rows are, when names and rows do not tell: klines, agg-trades, trades, book-ticker, funding, recording.
    #[arg(long)]
    kind: Option<String>,
    /// The tape; by default data/history/SYMBOL/ and the first file's name.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Seconds without anything that are accepted; of candles, beyond their own length.
    #[arg(long, default_value_t = 300)]
    max_gap: u64,
    /// Accept trades whose numbers are missing, and depth updates that do not follow each other.
    #[arg(long)]
    allow_missing: bool,
    /// Round prices that have more digits than the contract's, instead of refusing them.
    #[arg(long)]
    round_prices: bool,
    /// Rules of the contract.
    #[command(flatten)]
    contract: ContractArgs,
}

/// What to list.
#[derive(Debug, Args, Clone)]
pub struct ListArgs {
    /// Tapes, or folders of them.
    #[arg(value_name = "PATH", default_value = "data/history")]
    paths: Vec<PathBuf>, // tidy: bounded by the command line
}

/// What to check.
#[derive(Debug, Args, Clone)]
pub struct CheckArgs {
    /// Tapes, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>, // tidy: bounded by the command line
    /// Seconds without anything that are no gap.
    #[arg(long, default_value_t = 300)]
    max_gap: u64,
}

/// Does it.
///
/// # Errors
/// A sentence with the place.
pub fn main(command: &DataCommand) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::Import(args) => run_import(args),
        DataCommand::Download(args) => super::download::main(args),
        DataCommand::Candles(args) => super::candles::main(args),
        DataCommand::Export(args) => super::export::main(args),
        DataCommand::Record(args) => super::record::main(args),
        DataCommand::List(args) => list(args),
        DataCommand::Check(args) => check(args),
    }
}

/// The contract that a file's name begins with: `BTCUSDT-1m-2024-01.zip`, `btcusdt_20240808.gz`.
fn symbol_of(path: &Path) -> Option<Symbol> {
    let name = name_of(path).to_ascii_uppercase();
    let end = name.find(['-', '_', '.']).unwrap_or(name.len());
    Symbol::new(name.get(..end)?).ok()
}

fn run_import(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let first = args.files.first().context("no file is given")?;
    let symbol = match &args.symbol {
        Some(name) => Symbol::new(name).with_context(|| format!("{name:?} is no contract's name"))?,
        None => {
            symbol_of(first).with_context(|| format!("{} does not begin with a contract's name; give it with --symbol", name_of(first)))?
        }
    };
    let kind = match &args.kind {
        Some(word) => Some(
            RowKind::parse(word)
                .with_context(|| format!("--kind {word} is none of klines, agg-trades, trades, book-ticker, funding, recording"))?,
        ),
        None => None,
    };
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let name = name_of(first);
            let stem = name.strip_suffix(".gz").unwrap_or(&name);
            let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
            Path::new("data/history").join(symbol.as_str()).join(format!("{stem}.{EXTENSION}"))
        }
    };
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let options = ImportOptions {
        instrument: args.contract.instrument(symbol)?,
        kind,
        gap_max: Duration::from_secs(args.max_gap),
        allow_missing: args.allow_missing,
        prices: if args.round_prices { Round::Nearest } else { Round::Exact },
    };
    let sizes: Vec<u64> = args.files.iter().map(|path| std::fs::metadata(path).map_or(0, |m| m.len())).collect();
    let bar = bar(sizes.iter().sum(), "importing")?;
    let imported = import(&args.files, &out, &options, &mut |file| bar.set_position(sizes.iter().take(file).sum()));
    bar.finish_and_clear();
    let imported = imported?;
    crate::screen::say(&format!(
        "{}: {} events, {} to {}, {:.1} MB{}",
        imported.path.display(),
        imported.events,
        show_time(imported.span.0),
        show_time(imported.span.1),
        imported.bytes as f64 / 1e6,
        if imported.skipped > 0 { format!("; {} lines could not be read", imported.skipped) } else { String::new() }
    ));
    Ok(ExitCode::SUCCESS)
}

fn content(info: &Info) -> String {
    let parts = [
        (info.levels, "levels"),
        (info.tops, "tops"),
        (info.trades, "trades"),
        (info.marks, "marks"),
        (info.fundings, "fundings"),
        (info.candles, "candles"),
    ];
    let told: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let candles = if info.candles > 0 { format!(" of {} s", info.head.candle_secs) } else { String::new() };
    told.join(", ") + &candles
}

/// Tapes in a folder and in the folders of it.
fn under(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = plimsoll_backtest::tapes_in(path).with_context(|| format!("cannot read {}", path.display()))?;
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
            let inner = entry?.path();
            if inner.is_dir() {
                found.extend(plimsoll_backtest::tapes_in(&inner)?);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for path in &args.paths {
        for tape in under(path)? {
            match inspect(&tape) {
                Ok(info) => crate::screen::say(&format!(
                    "{:<44} {:<12} {} – {}  {:>8.1} MB  {}",
                    tape.display(),
                    info.head.symbol.as_str(),
                    show_time(info.first).get(..16).unwrap_or_default(),
                    show_time(info.last).get(..16).unwrap_or_default(),
                    info.bytes as f64 / 1e6,
                    content(&info)
                )),
                Err(error) => {
                    crate::screen::say(&error.to_string());
                    code = ExitCode::FAILURE;
                }
            }
        }
    }
    Ok(code)
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let paths = tapes(&args.paths)?;
    let bytes = paths.iter().map(|path| std::fs::metadata(path).map_or(0, |m| m.len())).sum();
    let bar = bar(bytes, "checking")?;
    let mut done = 0;
    for path in &paths {
        let info = inspect(path)?;
        let mut timeline = Timeline::open(std::slice::from_ref(path))?;
        let (mut last, mut events) = (Time::ZERO, 0_u64);
        let patience = Duration::from_secs(args.max_gap.saturating_add(u64::from(info.head.candle_secs)));
        while let Some((time, tick)) = timeline.next()? {
            if last > Time::ZERO && time.since(last) > patience && !matches!(tick, Tick::Funding(_)) {
                bail!("{}: nothing between {} and {}", path.display(), show_time(last), show_time(time));
            }
            if let Tick::Candle(bar) = tick
                && (!bar.is_sound() || last > Time::ZERO && time == last)
            {
                bail!("{}: the candle of {} cannot be", path.display(), show_time(time));
            }
            last = time;
            events += u64::from(!matches!(tick, Tick::Reset));
            if events.is_multiple_of(1 << 18) {
                bar.set_position(done + timeline.progress().0);
            }
        }
        if events != info.events() {
            bail!("{}: it holds {events} events, and its end says {}", path.display(), info.events());
        }
        done += info.bytes;
        bar.println(format!("{}: well; {}", path.display(), content(&info)));
        if bar.is_hidden() {
            crate::screen::say(&format!("{}: well; {}", path.display(), content(&info)));
        }
    }
    bar.finish_and_clear();
    // Together they must be one course of events, too.
    let all = Timeline::open(&paths).err().map(|error| error.to_string());
    if let Some(why) = all {
        crate::screen::say(&format!("each is well by itself; together they cannot be played: {why}"));
    }
    Ok(ExitCode::SUCCESS)
}
