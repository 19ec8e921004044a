//! `plimsoll data download`: files of Binance Vision, or of a server of its layout.

use super::bar;
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_gateway::{Endpoint, FetchError, ask_once, fetch};
use plimsoll_market::Symbol;
use ring::digest::{Context as Digest, SHA256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Attempts at one file; each goes on where the last one ended.
const ATTEMPTS: u32 = 5;
/// Pause before another attempt, times how many there were.
const PAUSE: Duration = Duration::from_millis(500);
/// A checksum file is one line.
const CHECKSUM_BYTES_MAX: usize = 4_096;
/// Files of one call: ten years of days.
const FILES_MAX: usize = 3_700;

/// What to download.
#[derive(Debug, Args, Clone)]
pub struct DownloadArgs {
    /// The contract.
    symbol: String,
    /// klines, aggTrades, trades, bookTicker or fundingRate.
    #[arg(long, default_value = "klines")]
    kind: String,
    /// Length of candles, as 1m.
    #[arg(long, default_value = "1m")]
    interval: String,
    /// First month (2024-01) or day (2024-01-31).
    #[arg(long)]
    from: String,
    /// Last month or day; by default the first one.
    #[arg(long)]
    to: Option<String>,
    /// Where the files go.
    #[arg(long, value_name = "FOLDER", default_value = "data/download")]
    into: PathBuf,
    /// The server.
    #[arg(long, default_value = "https://data.binance.vision")]
    url: String,
}

/// A month, or a day of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Period {
    year: u32,
    month: u32,
    day: Option<u32>,
}

impl Period {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let day = match parts.next() {
            Some(day) => Some(day.parse().ok()?),
            None => None,
        };
        let new = Self { year, month, day };
        let sound = (2_015..=2_200).contains(&year) && (1..=12).contains(&month) && parts.next().is_none();
        (sound && day.is_none_or(|day| (1..=new.days()).contains(&day))).then_some(new)
    }

    const fn days(self) -> u32 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) => 29,
            2 => 28,
            _ => 31,
        }
    }

    const fn next(self) -> Self {
        match self.day {
            Some(day) if day < self.days() => Self { day: Some(day + 1), ..self },
            day => {
                let day = if day.is_some() { Some(1) } else { None };
                if self.month == 12 { Self { year: self.year + 1, month: 1, day } } else { Self { month: self.month + 1, day, ..self } }
            }
        }
    }

    fn name(self) -> String {
        let Self { year, month, .. } = self;
        self.day.map_or_else(|| format!("{year}-{month:02}"), |day| format!("{year}-{month:02}-{day:02}"))
    }
}

/// Does it.
///
/// # Errors
/// A sentence with the file.
pub fn main(args: &DownloadArgs) -> anyhow::Result<ExitCode> {
    let symbol = Symbol::new(&args.symbol).with_context(|| format!("{:?} is no contract's name", args.symbol))?;
    let wrong = |text: &str| format!("{text:?} is neither a month (2024-01) nor a day (2024-01-31)");
    let from = Period::parse(&args.from).with_context(|| wrong(&args.from))?;
    let to = args.to.as_deref().map_or(Ok(from), |text| Period::parse(text).with_context(|| wrong(text)))?;
    if from > to || from.day.is_some() != to.day.is_some() {
        bail!("--from {} and --to {} must both be months or both be days, in their order", from.name(), to.name());
    }
    if !["klines", "aggTrades", "trades", "bookTicker", "fundingRate"].contains(&args.kind.as_str()) {
        bail!("--kind {} is none of klines, aggTrades, trades, bookTicker, fundingRate", args.kind);
    }
    let interval: Option<&str> = (args.kind == "klines").then_some(&args.interval);
    if interval.is_some_and(|i| i.is_empty() || i.len() > 4 || !i.bytes().all(|b| b.is_ascii_alphanumeric())) {
        bail!("--interval {} is no length of candles", args.interval);
    }
    let end = Endpoint::rest(&args.url)?;
    let folder = args.into.join(symbol.as_str());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let runtime = crate::threads::edge().context("cannot start threads")?;
    // Two providers could be linked in; the first one installed decides.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    let mut periods = Vec::new();
    let mut next = from;
    while next <= to {
        if periods.len() == FILES_MAX {
            bail!("more than {FILES_MAX} files; download months instead of days");
        }
        periods.push(next);
        next = next.next();
    }
    for period in periods {
        let rate = if period.day.is_some() { "daily" } else { "monthly" };
        let name = format!("{symbol}-{}-{}.zip", interval.unwrap_or(&args.kind), period.name());
        let middle = interval.map_or_else(|| symbol.to_string(), |interval| format!("{symbol}/{interval}"));
        let target = format!("/data/futures/um/{rate}/{}/{middle}/{name}", args.kind);
        let file = folder.join(&name);
        if file.exists() {
            crate::screen::say(&format!("{}: is there", file.display()));
            continue;
        }
        let bytes = runtime.block_on(download(&end, &target, &file))?;
        crate::screen::say(&format!("{}: {:.1} MB, checksum right", file.display(), bytes as f64 / 1e6));
    }
    Ok(ExitCode::SUCCESS)
}

/// Downloads one file, going on where an earlier attempt or call ended; it has its name only when its checksum is right.
async fn download(end: &Endpoint, target: &str, file: &Path) -> anyhow::Result<u64> {
    let name = super::name_of(file);
    let expected = checksum(end, target).await.with_context(|| format!("{name}: no checksum"))?;
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let bar = bar(0, &name)?;
    let mut anew = false;
    for attempt in 1..=ATTEMPTS {
        let have = std::fs::metadata(&part).map_or(0, |m| m.len());
        let mut out = File::options().append(true).create(true).open(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let mut at = have;
        let got = fetch(end, target, have, PATIENCE, |came| {
            if came.at < at {
                // The server begins anew.
                out.set_len(0)?;
                at = 0;
            }
            bar.set_length(came.whole.unwrap_or(0));
            out.write_all(came.bytes)?;
            at += came.bytes.len() as u64;
            bar.set_position(at);
            Ok(())
        })
        .await;
        match got {
            // What is there may be the whole of it: its checksum says.
            Ok(()) | Err(FetchError::Status(416)) => {}
            Err(FetchError::Status(404)) => {
                std::fs::remove_file(&part)?;
                bail!("{name}: the server does not have it");
            }
            Err(FetchError::Broken(error)) if attempt < ATTEMPTS => {
                bar.println(format!("{name}: {error}; going on at byte {at}"));
                tokio::time::sleep(PAUSE * attempt).await;
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("{name}: call again, it goes on where it ended")),
        }
        out.sync_all()?;
        if digest(&part)? == expected {
            bar.finish_and_clear();
            std::fs::rename(&part, file)?;
            return Ok(at);
        }
        std::fs::remove_file(&part)?;
        // Half of an old file and half of a new one: once from the beginning.
        if have == 0 || anew {
            break;
        }
        anew = true;
    }
    bail!("{name}: what came does not have the checksum {}", hex(&expected))
}

/// The checksum that the server tells of a file.
async fn checksum(end: &Endpoint, target: &str) -> anyhow::Result<Vec<u8>> {
    let (status, body) = ask_once(end, "", &format!("{target}.CHECKSUM"), PATIENCE, CHECKSUM_BYTES_MAX).await?;
    if status != 200 {
        bail!("the server answers {status} for {target}.CHECKSUM");
    }
    let text = core::str::from_utf8(&body)?;
    let word = text.split_whitespace().next().unwrap_or_default();
    let bytes: Option<Vec<u8>> = (0..word.len()).step_by(2).map(|at| u8::from_str_radix(word.get(at..at + 2)?, 16).ok()).collect();
    bytes.filter(|bytes| bytes.len() == 32).with_context(|| format!("{word:?} is no SHA-256"))
}

fn digest(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut digest = Digest::new(&SHA256);
    let mut buffer = vec![0; 64 << 10];
    // bounded: by the file's end.
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finish().as_ref().to_vec()),
            got => digest.update(buffer.get(..got).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_follow_each_other() {
        let walk = |from: &str, steps: usize| {
            let first = Period::parse(from);
            first.and_then(|first| std::iter::successors(Some(first), |p| Some(p.next())).nth(steps)).map(Period::name)
        };
        assert_eq!(walk("2023-12", 2).as_deref(), Some("2024-02"));
        assert_eq!(walk("2024-02-28", 2).as_deref(), Some("2024-03-01"));
        assert_eq!(walk("2023-12-31", 1).as_deref(), Some("2024-01-01"));
        for wrong in ["2024", "2024-13", "2023-02-29", "2024-01-01-01", "x-y", "1999-01"] {
            assert_eq!(Period::parse(wrong), None, "{wrong}");
        }
    }
}
