//! `plimsoll backtest`: history through the engine that trades.

use super::market::{Market, MarketArgs, notes};
use super::{bar, written};
use crate::cli::ConfigArgs;
use crate::config::{Config, parse_map, read_file};
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_backtest::import::show_time;
use plimsoll_backtest::report::{About, write};
use plimsoll_backtest::{Figures, Run, Summary, Timeline};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// What to test on what.
#[derive(Debug, Args, Clone)]
pub struct BacktestArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub file: ConfigArgs,
    /// Where the report goes.
    #[arg(long, value_name = "FOLDER", default_value = "backtest")]
    report: PathBuf,
    /// What it is run on.
    #[command(flatten)]
    market: MarketArgs,
}

/// Events between two looks at the clock.
const LOOK_EVERY: u64 = 1 << 18;

/// Does it.
///
/// # Errors
/// A sentence with what to change.
pub fn main(args: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let path = &args.file.config;
    let map = parse_map(&read_file(path)?, path)?;
    let config = Config::of(&map, path)?;
    let market = Market::open(&args.market)?;
    let mut timeline = Timeline::open(&market.tapes)?;
    let (place, settings) = (market.place_in(&config)?, market.settings(&config)?);
    let instrument = market.instrument;
    let setup = market.setup(&config, settings)?;
    std::fs::create_dir_all(&args.report).with_context(|| format!("cannot make {}", args.report.display()))?;
    let fills = args.report.join("fills.csv");
    let fills = std::fs::File::create(&fills).with_context(|| format!("cannot write {}", fills.display()))?;
    let figures = Figures::new(instrument, Some(Box::new(BufWriter::new(fills))));
    let mut run = Run::new(setup, figures)?;
    let (began, bar) = (Instant::now(), bar(timeline.progress().1, "trading")?);
    let mut look = LOOK_EVERY;
    while let Some((time, tick)) = timeline.next()? {
        run.feed(time, &tick)?;
        look -= 1;
        if look == 0 {
            look = LOOK_EVERY;
            bar.set_position(timeline.progress().0);
        }
    }
    run.finish()?;
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    let (events, alerts, crossed) = (run.events(), run.alerts(), run.market().crossed());
    let never = !run.is_trading();
    let mut notes = notes(&timeline, alerts, crossed);
    if let Some(top) = market.first_top(market.span.0)? {
        // A test may be of what would not be started; who reads its report must know.
        let (_, against) = market.against(&config, settings, top)?;
        notes.splice(0..0, against.iter().map(|why| format!("Live it would not start: {why}.")));
    }
    let settings = written(&map, place).into_iter().chain(market.shown(&config)).collect();
    let about = About { settings, notes, events, seconds };
    let (summary, figures) = run.into_observer().summary()?;
    let files = write(&args.report, &summary, &about, &figures, &instrument)?;
    if never {
        let (begin, end) = market.span;
        bail!("the engine never began to trade: between {} and {} there was no price to begin with", show_time(begin), show_time(end));
    }
    say(&summary, events, seconds, &files.html);
    Ok(ExitCode::SUCCESS)
}

fn say(summary: &Summary, events: u64, seconds: f64, page: &Path) {
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} %"));
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    crate::screen::say(&format!(
        "{}  {} – {}  ({:.1} days, {events} events in {seconds:.2} s)\n\
         return {}  a year {}  largest fall {:.2} %  Sharpe {}  Sortino {}\n\
         profit {:.2} {} (fees {:.2}, funding {:.2})  price moved {}\n\
         {} round trips, win rate {}, profit factor {}  fills {} of {} orders  liquidations {}\n\
         {}",
        summary.symbol,
        summary.begin.get(..16).unwrap_or_default(),
        summary.end.get(..16).unwrap_or_default(),
        summary.days,
        percent(summary.return_percent),
        percent(summary.annual_percent),
        summary.drawdown_percent,
        number(summary.sharpe),
        number(summary.sortino),
        summary.profit,
        summary.quote,
        summary.fees,
        summary.funding,
        percent(summary.hold_percent),
        summary.round_trips,
        percent(summary.win_rate_percent),
        number(summary.profit_factor),
        summary.fills,
        summary.orders,
        summary.liquidations,
        page.display()
    ));
}
