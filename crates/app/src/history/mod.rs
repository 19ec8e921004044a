//! Commands about history: `plimsoll data`, `plimsoll backtest`, `plimsoll sweep` and `plimsoll advise`.

mod advise;
mod candles;
mod data;
mod download;
mod export;
mod market;
mod overrides;
mod ranges;
mod record;
mod sweep;
mod test;
mod yaml;

pub use advise::{AdviseArgs, main as advise};
pub use data::{DataCommand, main as data};
pub use ranges::HELP as RANGES_HELP;
pub use sweep::{SweepArgs, main as sweep};
pub use test::{BacktestArgs, main as backtest};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_exchange::binance::decode;
use plimsoll_market::{Bps, Instrument, Round, Symbol, parse_units};
use plimsoll_testnet::Listing;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Where a contract's rules come from.
#[derive(Debug, Args, Clone)]
pub struct ContractArgs {
    /// The exchange's answer to `GET /fapi/v1/exchangeInfo`, saved to a file; without it BTCUSDT, ETHUSDT and SOLUSDT have the rules
    /// of 2024.
    #[arg(long, value_name = "FILE")]
    pub exchange_info: Option<PathBuf>,
}

impl ContractArgs {
    /// The rules of a contract.
    ///
    /// # Errors
    /// Nobody knows it.
    pub fn instrument(&self, symbol: Symbol) -> anyhow::Result<Instrument> {
        let Some(path) = &self.exchange_info else {
            let known = [Listing::btcusdt(), Listing::ethusdt(), Listing::solusdt()].map(|listing| listing.instrument);
            return known.into_iter().find(|i| i.symbol == symbol).with_context(|| {
                format!("the rules of {symbol} are not known; save https://fapi.binance.com/fapi/v1/exchangeInfo and give it with --exchange-info")
            });
        };
        let body = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let info = decode::exchange_info(&body).with_context(|| format!("cannot read {}", path.display()))?;
        let found = info.contracts.iter().map(|contract| contract.instrument).find(|i| i.symbol == symbol);
        found.with_context(|| format!("{} has no contract {symbol} that can be traded", path.display()))
    }
}

/// A share in percent, up to four digits after the point.
fn percent(text: &str) -> Result<Bps, String> {
    let units = parse_units(text, 4, Round::Exact).map_err(|error| error.to_string())?;
    i32::try_from(units).ok().filter(|ppm| ppm.abs() <= 1_000_000).map(Bps::from_ppm).ok_or_else(|| "it is beyond 100".to_owned())
}

/// A bar that shows how far a work of so many bytes is, and when it will be done; nothing where nobody looks.
fn bar(bytes: u64, what: &str) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %  {bytes_per_sec}  {eta} left")?;
    bar.set_style(style);
    bar.set_message(what.to_owned());
    Ok(bar)
}

/// A bar that shows how many of so many runs are done, and when all will be; nothing where nobody looks.
fn runs_bar(runs: u64) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len} runs  {per_sec}  {eta} left")?);
    Ok(bar)
}

/// The tapes that are named, and those in named folders.
fn tapes(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut tapes = Vec::new();
    for path in paths {
        let found = plimsoll_backtest::tapes_in(path).with_context(|| format!("cannot read {}", path.display()))?;
        if found.is_empty() {
            bail!("{} holds no tape; make some with plimsoll data import", path.display());
        }
        tapes.extend(found);
    }
    Ok(tapes)
}

/// What the configuration says of a symbol, and of risk: keys and values as they are written, in their order.
fn written(map: &Map<String, Value>, place: usize) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    let symbol = map.get("trading").and_then(|trading| trading.get("symbols")).and_then(|symbols| symbols.get(place));
    for of in [symbol, map.get("risk_control")].into_iter().flatten() {
        flatten("", of, &mut shown);
    }
    shown.retain(|(key, _)| key != "symbol");
    shown
}

fn flatten(prefix: &str, value: &Value, shown: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, value, shown);
            }
        }
        Value::Null => {}
        Value::String(text) => shown.push((prefix.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => shown.push((prefix.to_owned(), value.to_string())),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
