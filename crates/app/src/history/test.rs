//! `plimsoll backtest`: history through the engine that trades.

use super::{ContractArgs, bar, percent, tapes};
use crate::cli::ConfigArgs;
use crate::config::{Config, SymbolConfig};
use crate::trade::{engine_config, interval_of, strategy_config};
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_backtest::import::show_time;
use plimsoll_backtest::report::{About, write};
use plimsoll_backtest::{Figures, FundingPlan, Latency, Measured, Point, Run, Setup, Summary, Timeline};
use plimsoll_engine::AccountConfig;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Bps, Instrument, Round, Spacing, Tag, Time, format_units, parse_units};
use plimsoll_position::PositionConfig;
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What to test on what.
#[derive(Debug, Args, Clone)]
pub struct BacktestArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub file: ConfigArgs,
    /// Tapes, or folders of them; several are played together.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>, // tidy: bounded by the command line
    /// Where the report goes.
    #[arg(long, value_name = "FOLDER", default_value = "backtest")]
    report: PathBuf,
    /// Milliseconds that an order travels to the exchange, market data's way included.
    #[arg(long, value_name = "MS", default_value_t = 5.0)]
    order_latency: f64,
    /// Milliseconds that an answer travels back.
    #[arg(long, value_name = "MS", default_value_t = 5.0)]
    answer_latency: f64,
    /// Measured latencies instead: lines of time in milliseconds, and microseconds of order and answer, with commas.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["order_latency", "answer_latency"])]
    latency: Option<PathBuf>,
    /// Who leaves a queue first when part of a level is withdrawn: risk-averse (whoever is behind us), or probability with a power
    /// of 1 to 8, as probability:3.
    #[arg(long, value_parser = queue, default_value = "risk-averse")]
    queue: QueueModel,
    /// Money at the beginning, in the quote asset; by default that of a new account of the local exchange.
    #[arg(long, value_parser = money)]
    wallet: Option<i128>,
    /// Fee of orders that rest, in percent; negative is a rebate.
    #[arg(long, value_parser = percent, allow_negative_numbers = true)]
    maker_fee: Option<Bps>,
    /// Fee of orders that take, in percent.
    #[arg(long, value_parser = percent, allow_negative_numbers = true)]
    taker_fee: Option<Bps>,
    /// Funding in percent each eight hours, for data that tell none.
    #[arg(long, value_parser = percent, allow_negative_numbers = true)]
    funding: Option<Bps>,
    /// Rules of the contract.
    #[command(flatten)]
    contract: ContractArgs,
}

fn queue(text: &str) -> Result<QueueModel, String> {
    match text.split_once(':').unwrap_or((text, "3")) {
        ("risk-averse", _) => Ok(QueueModel::RiskAverse),
        ("probability", power) => match power.parse::<u8>() {
            Ok(power) if (1..=8).contains(&power) => Ok(QueueModel::Probability { power }),
            _ => Err("the power must be 1 to 8".to_owned()),
        },
        _ => Err("it must be risk-averse or probability".to_owned()),
    }
}

fn money(text: &str) -> Result<i128, String> {
    let units = parse_units(text, MONEY_SCALE, Round::Exact).map_err(|error| error.to_string())?;
    if units > 0 { Ok(units) } else { Err("it must be above zero".to_owned()) }
}

/// Events between two looks at the clock.
const LOOK_EVERY: u64 = 1 << 18;

/// Does it.
///
/// # Errors
/// A sentence with what to change.
pub fn main(config: &Config, args: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let mut timeline = Timeline::open(&tapes(&args.data)?)?;
    let head = timeline.head().context("there is no tape to play")?;
    let (begin, end) = timeline.span().context("the tapes hold no prices")?;
    let settings = config
        .symbols
        .iter()
        .find(|s| s.symbol == head.symbol)
        .with_context(|| format!("the tapes are of {}, which trading.symbols of the configuration does not have", head.symbol))?;
    let mut instrument = args.contract.instrument(head.symbol)?;
    if (instrument.price_scale, instrument.qty_scale) != (head.price_scale, head.qty_scale) {
        bail!(
            "the tapes count prices with {} digits and quantities with {}, the contract's rules with {} and {}; import them again",
            head.price_scale,
            head.qty_scale,
            instrument.price_scale,
            instrument.qty_scale
        );
    }
    instrument.maker_fee = args.maker_fee.unwrap_or(instrument.maker_fee);
    instrument.taker_fee = args.taker_fee.unwrap_or(instrument.taker_fee);
    let setup = setup(config, settings, args, instrument, head.candle_secs)?;
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
    let about = About { settings: shown(config, settings, args, &instrument), notes: notes(&timeline, alerts, crossed), events, seconds };
    let (summary, figures) = run.into_observer().summary()?;
    let files = write(&args.report, &summary, &about, &figures, &instrument)?;
    if never {
        bail!("the engine never began to trade: between {} and {} there was no price to begin with", show_time(begin), show_time(end));
    }
    say(&summary, events, seconds, &files.html);
    Ok(ExitCode::SUCCESS)
}

fn setup(config: &Config, settings: &SymbolConfig, args: &BacktestArgs, instrument: Instrument, candle_secs: u32) -> anyhow::Result<Setup> {
    let interval = interval_of(settings, &instrument);
    let interval = interval.with_context(|| format!("{}: price_interval has more digits than the symbol's prices", settings.symbol))?;
    let position = PositionConfig {
        tag: Tag(0),
        run: 1,
        series: 0,
        placed_before: 0,
        recv_window_ms: 5_000,
        // History loses nothing on its way: comparing now and then checks the books, not the wires.
        compare_every: Duration::from_secs(86_400),
        accept_position: true,
    };
    let mut engine = engine_config(config, settings, position, interval);
    engine.countdown = None;
    let account = AccountConfig { monitor: None, ..config.risk.account(instrument.quote) };
    let latency = match &args.latency {
        Some(path) => Latency::Measured(measured(path)?),
        None => Latency::Constant {
            order: millis(args.order_latency, "--order-latency")?,
            answer: millis(args.answer_latency, "--answer-latency")?,
        },
    };
    Ok(Setup {
        engine,
        strategy: strategy_config(settings, &instrument, interval).map_err(anyhow::Error::msg)?.build()?,
        account,
        market: SoloConfig {
            instrument,
            brackets: Vec::new(),
            wallet: args.wallet.unwrap_or(config.local.balance),
            leverage: config.leverage,
            queue: args.queue,
        },
        latency,
        candle_secs,
        funding: args.funding.map(|rate| FundingPlan { rate, every: Duration::from_secs(8 * 3_600) }),
    })
}

fn millis(value: f64, name: &str) -> anyhow::Result<Duration> {
    if !(0.0..=60_000.0).contains(&value) {
        bail!("{name} {value} is not between 0 and 60000 milliseconds");
    }
    Ok(Duration::from_nanos((value * 1e6) as u64))
}

fn measured(path: &Path) -> anyhow::Result<Measured> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut points = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let fields: Vec<u64> = line.split(',').filter_map(|field| field.trim().parse().ok()).collect();
        match fields.as_slice() {
            [time, order, answer] => points.push(Point {
                time: Time::from_millis(*time),
                order_ns: order.saturating_mul(1_000),
                answer_ns: answer.saturating_mul(1_000),
            }),
            // The names of the columns.
            _ if at == 0 => {}
            _ => bail!("{}, line {}: {line:?} is not a time and two latencies", path.display(), at + 1),
        }
    }
    Measured::new(points).with_context(|| format!("cannot use {}", path.display()))
}

/// The settings as the report shows them.
fn shown(config: &Config, settings: &SymbolConfig, args: &BacktestArgs, instrument: &Instrument) -> Vec<(String, String)> {
    let amount = |units: i128| format_units(units, MONEY_SCALE).to_string();
    let trimmed = |text: String| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    let percent = |rate: Bps| trimmed(format_units(i128::from(rate.ppm()), 4).to_string()) + " %";
    let latency = match &args.latency {
        Some(path) => format!("as measured in {}", path.display()),
        None => format!("{} ms there, {} ms back", args.order_latency, args.answer_latency),
    };
    let interval = match (settings.has_grid(), settings.grid.ratio()) {
        (true, Some(Spacing::Ratio(ratio))) => trimmed(format_units(i128::from(ratio), 4).to_string()) + " %",
        (true, _) => trimmed(amount(settings.interval)),
        (false, _) => "none".to_owned(),
    };
    let queue = match args.queue {
        QueueModel::RiskAverse => "risk-averse".to_owned(),
        QueueModel::Probability { power } => format!("probability, power {power}"),
    };
    [
        ("Strategy", settings.strategy_name().to_owned()),
        ("Price interval", interval),
        ("Order", trimmed(amount(settings.order_quote)) + " " + instrument.quote.as_str()),
        ("Windows", format!("{} buys, {} sells", settings.buy_window, settings.sell_window)),
        ("Leverage", config.leverage.to_string()),
        ("Most exposure", trimmed(amount(config.risk.max_exposure))),
        ("Fees", format!("{} maker, {} taker", percent(instrument.maker_fee), percent(instrument.taker_fee))),
        ("Latency", latency),
        ("Queue", queue),
        ("Funding", args.funding.map_or_else(|| "as the data tell".to_owned(), |rate| percent(rate) + " each 8 h, unless the data tell")),
        ("Data", timeline_name(&args.data)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn timeline_name(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| super::name_of(path)).collect::<Vec<_>>().join(", ")
}

/// What makes results of these data better or worse than they would have been.
fn notes(timeline: &Timeline, alerts: u64, crossed: u64) -> Vec<String> {
    let infos = timeline.infos();
    let sum = |of: fn(&plimsoll_backtest::tape::Info) -> u64| infos.iter().map(of).sum::<u64>();
    let mut notes = Vec::new();
    if sum(|i| i.candles) > 0 {
        notes.push("Candles: open, then the extreme against the candle's direction, then the other one, then close, a third of its length apart. An order fills when the price goes beyond its own, never when it is only touched, and all orders together never get more than was traded. Between these four prices nothing is decided.".to_owned());
    }
    if sum(|i| i.levels) > 0 {
        notes.push("Levels and trades: an order waits behind what its level showed when it arrived. The market does not react to the orders, but for the quantity they take.".to_owned());
    } else if sum(|i| i.tops) > 0 {
        notes.push("Best bid and ask only: what waits deeper is not known; an order that joins there is behind everything that its level shows when it becomes the best.".to_owned());
    } else if sum(|i| i.trades) > 0 {
        notes.push("Trades only: bid and ask are what the last trades show, a tick apart at least; an order fills when a trade goes beyond its price.".to_owned());
    }
    if sum(|i| i.marks) == 0 {
        notes.push("The data have no mark prices: margin and liquidation go by the last price.".to_owned());
    }
    if sum(|i| i.fundings) == 0 {
        notes.push("The data tell no funding; without --funding none was paid.".to_owned());
    }
    notes.push("The market-wide risk monitor is off: it needs the candles of other contracts.".to_owned());
    if crossed > 0 {
        notes.push(format!("In the data bid and ask overlapped; {crossed} levels were dropped for it."));
    }
    if alerts > 0 {
        notes.push(format!("Rules and engine told {alerts} alerts."));
    }
    notes
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
