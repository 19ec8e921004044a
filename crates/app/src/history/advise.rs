//! `plimsoll advise`: a grid for a contract, out of what its history and its rules say.

use super::market::{Market, MarketArgs, notes, show_money};
use super::overrides::{put, value_of};
use super::written;
use super::yaml::to_yaml;
use crate::cli::ConfigArgs;
use crate::config::{Config, parse_map, read_file};
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_backtest::report::{About, write};
use plimsoll_backtest::{Figures, Summary, Timeline};
use plimsoll_market::{Symbol, Time};
use plimsoll_sweep::advise::{Advice, Measure, Wishes, advise};
use plimsoll_sweep::{Window, play};
use serde_json::{Map, Value, json};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// For what to propose a grid, and out of what.
#[derive(Debug, Args, Clone)]
pub struct AdviseArgs {
    /// The contract.
    #[arg(value_parser = |name: &str| Symbol::new(name).map_err(|_| "it is no contract's name"))]
    symbol: Symbol,
    /// Where the configuration is that the proposal is written into.
    #[command(flatten)]
    file: ConfigArgs,
    /// Where the proposal and the reports of its backtests go.
    #[arg(long, value_name = "FOLDER", default_value = "advice")]
    out: PathBuf,
    /// Percent of the capital that may be lost, not realised, when the price has fallen as far as is reckoned with.
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=90))]
    max_loss: u8,
    /// Days for which that fall is reckoned.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=365))]
    horizon: u16,
    /// Percent of the data that the proposal is made of; it is tried on the rest.
    #[arg(long, value_name = "PERCENT", default_value_t = 70, value_parser = clap::value_parser!(u8).range(10..=90))]
    train_percent: u8,
    /// What it is run on; the capital is its wallet.
    #[command(flatten)]
    market: MarketArgs,
}

/// Narrower and wider grids of the same reach and exposure, for comparison.
const NEIGHBOURS: [f64; 5] = [0.5, 0.7, 1.0, 1.4, 2.0];

/// Does it.
///
/// # Errors
/// A sentence with what to change.
pub fn main(args: &AdviseArgs) -> anyhow::Result<ExitCode> {
    let path = &args.file.config;
    let map = parse_map(&read_file(path)?, path)?;
    let base = Config::of(&map, path)?;
    let market = Market::open(&args.market)?;
    if market.head.symbol != args.symbol {
        bail!("the tapes are of {}, not of {}", market.head.symbol, args.symbol);
    }
    let (begin, end) = (market.span.0, market.end());
    let minute = 60_000_000_000;
    let seen = end.since(begin) * u32::from(args.train_percent) / 100;
    let split = Time::from_nanos((begin + seen).nanos() / minute * minute);
    let mut timeline = Timeline::open(&market.tapes)?;
    let mut measure = Measure::default();
    while let Some((time, tick)) = timeline.next()?.filter(|(time, _)| *time < split) {
        measure.push(time, &tick, market.head.price_scale);
    }
    let measured =
        measure.end().context("the first part of the data has less than an hour of prices; use longer data, or --train-percent")?;
    let capital = market.wallet(&base) as f64 / 1e8;
    let wishes = Wishes {
        capital,
        loss: f64::from(args.max_loss) / 100.0,
        horizon_days: f64::from(args.horizon),
        leverage: f64::from(base.leverage),
    };
    let advice = advise(&market.instrument, &measured, &wishes)?;
    let ready = configuration(&map, &market, &advice, advice.interval);
    let config = Config::of(&ready, path).context("the proposal is no configuration")?;
    let settings = market.settings(&config)?;
    if let Some(top) = market.first_top(split)? {
        let (_, against) = market.against(&config, settings, top)?;
        if !against.is_empty() {
            bail!("the proposal would not start: {}", against.join("; "));
        }
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let mut said = vec![format!("{} with {} {}\n", args.symbol, show_money(market.wallet(&base)), market.instrument.quote)];
    said.extend(advice.reasons.iter().enumerate().map(|(at, reason)| format!("{}. {reason}", at + 1)));
    said.push(format!(
        "\nThe proposal: price_interval {}, order_quantity {}, buy_window_size {}, sell_window_size {}, risk_control.max_exposure {}",
        number(advice.interval),
        number(advice.order),
        advice.buy_window,
        advice.sell_window,
        number(advice.exposure)
    ));
    let (first, second) = (Window { from: begin, until: split }, Window { from: split, until: end });
    said.push("\nOn the data it was made of, beside narrower and wider grids of the same reach and exposure:".to_owned());
    said.push(neighbours(&market, &map, path, &advice, first)?);
    let parts = [("where it was made", "in-sample", first), ("on what came after", "out-of-sample", second)];
    for (what, folder, window) in parts {
        let folder = args.out.join(folder);
        let (summary, page) = reported(&market, &ready, &config, &advice, window, &folder)?;
        said.push(format!("{what}: {}; {}", line(&summary), page.display()));
    }
    let file = args.out.join("grid.yaml");
    let head =
        format!("# A grid proposed for {} by what was measured until {}; why:\n", args.symbol, plimsoll_backtest::import::show_time(split));
    let why: String = advice.reasons.iter().map(|reason| format!("#   {reason}\n")).collect();
    let text = head + &why + &to_yaml(&ready);
    Config::parse(&text, &file).context("the proposal is no configuration")?;
    std::fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    said.push(format!("\nready: {}", file.display()));
    crate::screen::say(&said.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// A number as short as it is.
fn number(value: f64) -> String {
    let text = format!("{value:.8}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The base with this contract alone, and the proposal for it; another distance has as many levels less or more.
fn configuration(map: &Map<String, Value>, market: &Market, advice: &Advice, interval: f64) -> Map<String, Value> {
    let mut ready = map.clone();
    let levels = (f64::from(advice.levels) * advice.interval / interval).floor().max(1.0);
    let order =
        if (interval - advice.interval).abs() < 1e-9 { advice.order } else { (advice.order * f64::from(advice.levels) / levels).floor() };
    let symbol = json!({
        "symbol": market.head.symbol.as_str(),
        "strategy": "grid",
        "price_interval": value_of(&number(interval)),
        "order_quantity": value_of(&number(order)),
        "buy_window_size": advice.buy_window,
        "sell_window_size": advice.sell_window,
    });
    for (key, value) in [("trading.symbols", json!([symbol])), ("risk_control.max_exposure", value_of(&number(advice.exposure)))] {
        // Both sections are sections, or the base would not have been read; what is refused is found when this is read.
        if put(&mut ready, key, value).is_none() {
            ready.remove(key);
        }
    }
    ready
}

fn line(summary: &Summary) -> String {
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} %"));
    format!(
        "{:.1} days, return {}, largest fall {:.2} %, {} round trips ({:.1} a day), price moved {}",
        summary.days,
        percent(summary.return_percent),
        summary.drawdown_percent,
        summary.round_trips,
        summary.round_trips as f64 / summary.days.max(1e-9),
        percent(summary.hold_percent)
    )
}

fn neighbours(market: &Market, map: &Map<String, Value>, path: &Path, advice: &Advice, window: Window) -> anyhow::Result<String> {
    let scale = 10_f64.powi(i32::from(market.instrument.price_scale));
    let tick = market.instrument.tick.units() as f64 / scale;
    let mut lines = Vec::new();
    let top = market.first_top(window.from)?;
    for factor in NEIGHBOURS {
        let interval = (advice.interval * factor / tick).round().max(1.0) * tick;
        let ready = configuration(map, market, advice, interval);
        let mark = if (factor - 1.0).abs() < 1e-9 { "  <- proposed" } else { "" };
        let outcome = Config::of(&ready, path).map_err(anyhow::Error::from).and_then(|config| {
            let settings = market.settings(&config)?;
            if let Some(top) = top
                && let (_, against) = market.against(&config, settings, top)?
                && let Some(why) = against.first()
            {
                bail!("{why}");
            }
            let setup = market.setup(&config, settings)?;
            let run = play(&market.tapes, setup, window, None, Figures::new(market.instrument, None))?;
            Ok(run.into_observer().summary()?.0)
        });
        lines.push(match outcome {
            Ok(summary) => format!("  {:>10} apart: {}{mark}", number(interval), line(&summary)),
            Err(why) => format!("  {:>10} apart: would not start: {why}{mark}", number(interval)),
        });
    }
    Ok(lines.join("\n"))
}

/// Runs a part and writes its report.
fn reported(
    market: &Market,
    map: &Map<String, Value>,
    config: &Config,
    advice: &Advice,
    window: Window,
    folder: &Path,
) -> anyhow::Result<(Summary, PathBuf)> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let fills = folder.join("fills.csv");
    let fills = std::fs::File::create(&fills).with_context(|| format!("cannot write {}", fills.display()))?;
    let figures = Figures::new(market.instrument, Some(Box::new(BufWriter::new(fills))));
    let (setup, began) = (market.setup(config, market.settings(config)?)?, Instant::now());
    let run = play(&market.tapes, setup, window, None, figures)?;
    let (events, alerts, crossed) = (run.events(), run.alerts(), run.market().crossed());
    let (summary, figures) = run.into_observer().summary()?;
    let settings = written(map, 0).into_iter().chain(market.shown(config)).collect();
    let notes = advice.reasons.iter().cloned().chain(notes(&Timeline::open(&market.tapes)?, alerts, crossed)).collect();
    let about = About { settings, notes, events, seconds: began.elapsed().as_secs_f64() };
    let files = write(folder, &summary, &about, &figures, &market.instrument)?;
    Ok((summary, files.html))
}
