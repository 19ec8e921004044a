//! `plimsoll data candles`: candles of the past by an exchange's REST, for contracts and hours that no archive has yet.

use super::bar;
use crate::config::Config;
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_exchange::binance::encode::{Interval, klines};
use plimsoll_gateway::{Clock, Endpoint, ask_once};
use plimsoll_market::{Symbol, Time};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Candles of a page: with a weight of five, and a pause behind it, half of what an address may ask for in a minute.
const PAGE: u16 = 1_000;
/// Pause between two pages.
const PAUSE: Duration = Duration::from_millis(250);
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer.
const BYTES_MAX: usize = 2 << 20;
/// Pages of one call: ten years of minutes.
const PAGES_MAX: u32 = 5_300;
/// Names of the columns: those of Binance Vision's files.
const HEAD: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";

/// What to fetch.
#[derive(Debug, Args, Clone)]
pub struct CandlesArgs {
    /// The contract.
    symbol: String,
    /// Length of candles, as 1m.
    #[arg(long, default_value = "1m")]
    interval: String,
    /// First day (2024-01-31), UTC; a file that is there is continued where it ends.
    #[arg(long)]
    from: String,
    /// Day before which it ends; by default now.
    #[arg(long)]
    to: Option<String>,
    /// Where the exchange is: its binance.rest_url.
    #[arg(long, value_name = "FILE", default_value = "config/plimsoll.yaml")]
    config: PathBuf,
    /// Where the file goes.
    #[arg(long, value_name = "FOLDER", default_value = "data/download")]
    into: PathBuf,
}

fn day(text: &str) -> anyhow::Result<Time> {
    let wrong = || format!("{text:?} is no day, as 2024-01-31");
    let mut parts = text.split('-');
    let mut next = || parts.next().and_then(|part| part.parse::<u16>().ok());
    let (year, month, day) = (next().with_context(wrong)?, next().with_context(wrong)?, next().with_context(wrong)?);
    let month = u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok()).with_context(wrong)?;
    let day = u8::try_from(day).with_context(wrong)?;
    let date = time::Date::from_calendar_date(i32::from(year), month, day).ok().with_context(wrong)?;
    let seconds = u64::try_from(date.midnight().assume_utc().unix_timestamp()).ok().with_context(wrong)?;
    Ok(Time::from_millis(seconds * 1_000))
}

/// Does it.
///
/// # Errors
/// A sentence with what stands against it.
pub fn main(args: &CandlesArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let symbol = Symbol::new(&args.symbol).with_context(|| format!("{:?} is no contract's name", args.symbol))?;
    let interval = Interval::parse(&args.interval).with_context(|| {
        let known: Vec<&str> = Interval::ALL.iter().map(|interval| interval.as_str()).collect();
        format!("--interval {} is none of {}", args.interval, known.join(", "))
    })?;
    let from = day(&args.from)?;
    let now = Clock::start().now();
    let to = args.to.as_deref().map_or(Ok(now), day)?.min(now);
    if from >= to {
        bail!("--from {} is not before the end", args.from);
    }
    let folder = args.into.join(symbol.as_str());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    let file = folder.join(format!("{symbol}-{}.csv", interval.as_str()));
    let runtime = crate::threads::edge().context("cannot start threads")?;
    let rows = runtime.block_on(fetch(&Endpoint::rest(&config.binance.rest_url)?, symbol, interval, (from, to), &file))?;
    crate::screen::say(&format!("{}: {rows} more candles", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// Opens a file to be continued: a row that a kill has torn is cut off. Tells when its last candle begins.
fn open(path: &Path) -> anyhow::Result<(File, Option<u64>)> {
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    // The end holds the last whole row.
    let tail = length.min(4_096);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let keep = length - tail + whole as u64;
    file.set_len(keep)?;
    file.seek(SeekFrom::Start(keep))?;
    let text = String::from_utf8_lossy(text.get(..whole).unwrap_or_default()).into_owned();
    let last = text.lines().last().and_then(|row| row.split(',').next()).and_then(|word| word.parse().ok());
    if keep == 0 {
        writeln!(file, "{HEAD}")?;
    }
    Ok((file, last))
}

async fn fetch(end: &Endpoint, symbol: Symbol, interval: Interval, span: (Time, Time), path: &Path) -> anyhow::Result<u64> {
    let length = interval.duration().as_millis() as u64;
    let (mut file, last) = open(path).with_context(|| format!("cannot write {}", path.display()))?;
    let begin = last.map_or(span.0.millis(), |last| last + length);
    let stop = span.1.millis();
    let progress = bar(stop.saturating_sub(begin) / length, &super::name_of(path))?;
    let (mut next, mut rows) = (begin, 0);
    for _ in 0..PAGES_MAX {
        if next + length > stop {
            break;
        }
        let mut query = String::new();
        let spec = klines(&mut query, &symbol, interval, PAGE, Some(Time::from_millis(next)), Some(Time::from_millis(stop - 1)));
        let answer = ask_once(end, "", &format!("{}?{query}", spec.path), TIMEOUT, BYTES_MAX).await;
        let (status, body) = answer.context("the exchange does not answer; call again, it goes on where it ended")?;
        if status != 200 {
            let text = String::from_utf8_lossy(&body);
            let text: String = text.chars().take(200).collect();
            bail!("the exchange answers {status}: {text}; call again later, it goes on where it ended");
        }
        let page: Vec<Vec<serde_json::Value>> = serde_json::from_slice(&body).context("the exchange's candles cannot be read")?;
        let mut text = String::new();
        let whole = page.len();
        for row in page {
            let number = |at: usize| row.get(at).and_then(serde_json::Value::as_u64).context("a candle without its times");
            let (opened, closed) = (number(0)?, number(6)?);
            if opened < next {
                bail!("the exchange tells a candle twice, or out of order: {opened}");
            }
            // What is not over yet is left out.
            if closed >= stop {
                break;
            }
            next = opened + length;
            rows += 1;
            for (at, value) in row.iter().enumerate() {
                let separator = if at == 0 { "" } else { "," };
                match value {
                    serde_json::Value::String(word) if word.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                        write!(text, "{separator}{word}")?
                    }
                    serde_json::Value::Number(number) => write!(text, "{separator}{number}")?,
                    other => bail!("a candle holds {other}"),
                }
            }
            text.push('\n');
        }
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        progress.set_position((next - begin) / length);
        if whole < usize::from(PAGE) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    file.sync_all()?;
    progress.finish_and_clear();
    Ok(rows)
}
