//! The market that a test, a sweep or an adviser runs on: tapes, the contract, and how orders travel, wait and pay.

use super::{ContractArgs, percent, tapes};
use crate::config::{Config, SymbolConfig};
use crate::trade::{Prospects, engine_config, interval_of, strategy_config};
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_backtest::tape::{TapeHead, Tick};
use plimsoll_backtest::{FundingPlan, Latency, Measured, Point, Setup, Timeline};
use plimsoll_engine::AccountConfig;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Bps, Instrument, Qty, Round, Tag, Time, Top, format_units, parse_units};
use plimsoll_position::PositionConfig;
use plimsoll_safety::outlook::Outlook;
use plimsoll_safety::preflight;
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::StrategyConfig;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What history is run on, and how.
#[derive(Debug, Args, Clone)]
pub struct MarketArgs {
    /// Tapes, or folders of them; several are played together.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>, // tidy: bounded by the command line
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
    #[arg(long, visible_alias = "capital", value_parser = money)]
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

/// Tapes and a contract, ready to be run on.
pub struct Market {
    /// The tapes.
    pub tapes: Vec<PathBuf>, // tidy: bounded by TAPES_MAX, checked when the first timeline is opened
    /// What they are of.
    pub head: TapeHead,
    /// First and last event.
    pub span: (Time, Time),
    /// The contract, with the fees of the command line.
    pub instrument: Instrument,
    latency: Latency,
    args: MarketArgs,
}

impl Market {
    /// Opens the tapes and finds the contract's rules.
    ///
    /// # Errors
    /// A sentence with what to change.
    pub fn open(args: &MarketArgs) -> anyhow::Result<Self> {
        let tapes = tapes(&args.data)?;
        let timeline = Timeline::open(&tapes)?;
        let head = timeline.head().context("there is no tape to play")?;
        let span = timeline.span().context("the tapes hold no prices")?;
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
        let latency = match &args.latency {
            Some(path) => Latency::Measured(measured(path)?),
            None => Latency::Constant {
                order: millis(args.order_latency, "--order-latency")?,
                answer: millis(args.answer_latency, "--answer-latency")?,
            },
        };
        Ok(Self { tapes, head, span, instrument, latency, args: args.clone() })
    }

    /// The first moment after the data.
    pub fn end(&self) -> Time {
        self.span.1 + Duration::from_secs(u64::from(self.head.candle_secs)).max(Duration::from_nanos(1))
    }

    /// The place in `trading.symbols` of the contract that the tapes are of.
    ///
    /// # Errors
    /// The configuration does not have it.
    pub fn place_in(&self, config: &Config) -> anyhow::Result<usize> {
        config
            .symbols
            .iter()
            .position(|s| s.symbol == self.head.symbol)
            .with_context(|| format!("the tapes are of {}, which trading.symbols of the configuration does not have", self.head.symbol))
    }

    /// Its settings.
    ///
    /// # Errors
    /// The configuration does not have it.
    pub fn settings<'c>(&self, config: &'c Config) -> anyhow::Result<&'c SymbolConfig> {
        let place = self.place_in(config)?;
        config.symbols.get(place).context("the contract is not in trading.symbols")
    }

    /// What it begins with.
    pub fn wallet(&self, config: &Config) -> i128 {
        self.args.wallet.unwrap_or(config.local.balance)
    }

    /// What trades it.
    ///
    /// # Errors
    /// A price with more digits than the contract's.
    pub fn strategy(&self, settings: &SymbolConfig) -> anyhow::Result<StrategyConfig> {
        let interval = interval_of(settings, &self.instrument);
        let interval = interval.with_context(|| format!("{}: price_interval has more digits than the symbol's prices", settings.symbol))?;
        strategy_config(settings, &self.instrument, interval).map_err(anyhow::Error::msg)
    }

    /// What a run with this configuration is made of.
    ///
    /// # Errors
    /// Settings that the contract does not take.
    pub fn setup(&self, config: &Config, settings: &SymbolConfig) -> anyhow::Result<Setup> {
        let instrument = self.instrument;
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
        Ok(Setup {
            engine,
            strategy: self.strategy(settings)?.build()?,
            account,
            market: SoloConfig {
                instrument,
                brackets: Vec::new(),
                wallet: self.wallet(config),
                leverage: config.leverage,
                queue: self.args.queue,
            },
            latency: self.latency.clone(),
            candle_secs: self.head.candle_secs,
            funding: self.args.funding.map(|rate| FundingPlan { rate, every: Duration::from_secs(8 * 3_600) }),
        })
    }

    /// The first price at a time or after it; `None` when there is none.
    ///
    /// # Errors
    /// A tape is damaged.
    pub fn first_top(&self, from: Time) -> anyhow::Result<Option<Top>> {
        let mut timeline = Timeline::open(&self.tapes)?;
        while let Some((time, tick)) = timeline.next()? {
            let at = |price| Top { bid: price, bid_qty: Qty::ZERO, ask: price, ask_qty: Qty::ZERO, time };
            match tick {
                _ if time < from => {}
                Tick::Candle(bar) => return Ok(Some(at(bar.open))),
                Tick::Trade { price, .. } => return Ok(Some(at(price))),
                Tick::Top { bid, ask } => return Ok(Some(Top { bid: bid.0, ask: ask.0, ..at(bid.0) })),
                Tick::Level { .. } | Tick::Mark(_) | Tick::Funding(_) | Tick::Reset => {}
            }
        }
        Ok(None)
    }

    /// All that would keep the live program from trading this at that price, one sentence each; and what a long grid can come to.
    ///
    /// # Errors
    /// A price with more digits than the contract's.
    pub fn against(&self, config: &Config, settings: &SymbolConfig, top: Top) -> anyhow::Result<(Option<Outlook>, Vec<String>)> {
        let facts = preflight::Facts {
            instrument: &self.instrument,
            hedge_mode: false,
            available: self.wallet(config),
            leverage: config.leverage,
            order_quote: settings.order_quote,
        };
        let limits = preflight::Limits { max_leverage: config.risk.max_leverage, layers_min: config.risk.layers_min };
        let guard = config.risk.guard_of(settings);
        let prospects = Prospects {
            exposure_max: config.risk.max_exposure / config.symbols.len().max(1) as i128,
            layers_max: u32::from(guard.layers_max),
            margin: self.wallet(config),
            leverage: config.leverage,
            isolated: false,
            stop_loss: guard.stop_loss,
            accept_liquidation: config.risk.accept_liquidation,
        };
        let mut against: Vec<String> = preflight::check(&facts, &limits).iter().map(ToString::to_string).collect();
        let (outlook, more) = prospects.against(&self.strategy(settings)?, &self.instrument, top);
        against.extend(more);
        Ok((outlook, against))
    }

    /// How orders travel, wait and pay, for a report.
    pub fn shown(&self, config: &Config) -> Vec<(String, String)> {
        let args = &self.args;
        let latency = match &args.latency {
            Some(path) => format!("as measured in {}", path.display()),
            None => format!("{} ms there, {} ms back", args.order_latency, args.answer_latency),
        };
        let queue = match args.queue {
            QueueModel::RiskAverse => "risk-averse".to_owned(),
            QueueModel::Probability { power } => format!("probability, power {power}"),
        };
        let fees = format!("{} maker, {} taker", show_percent(self.instrument.maker_fee), show_percent(self.instrument.taker_fee));
        let funding =
            args.funding.map_or_else(|| "as the data tell".to_owned(), |rate| show_percent(rate) + " each 8 h, unless the data tell");
        [
            ("Wallet", show_money(self.wallet(config)) + " " + self.instrument.quote.as_str()),
            ("Leverage", config.leverage.to_string()),
            ("Most exposure", show_money(config.risk.max_exposure)),
            ("Fees", fees),
            ("Latency", latency),
            ("Queue", queue),
            ("Funding", funding),
            ("Data", self.args.data.iter().map(|path| super::name_of(path)).collect::<Vec<_>>().join(", ")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// What tells these data, this contract and these ways of orders from others: for a sweep that goes on.
    ///
    /// # Errors
    /// A tape cannot be read.
    pub fn identity(&self, config: &Config) -> anyhow::Result<Vec<(String, String)>> {
        let timeline = Timeline::open(&self.tapes)?;
        let data = timeline.infos().iter().map(|i| {
            format!("{} {} bytes, {} events, {} to {}", super::name_of(&i.path), i.bytes, i.events(), i.first.nanos(), i.last.nanos())
        });
        let mut identity =
            vec![("data".to_owned(), data.collect::<Vec<_>>().join("; ")), ("contract".to_owned(), format!("{:?}", self.instrument))];
        identity.push(("latency".to_owned(), format!("{:?}", self.latency)));
        identity.extend(self.shown(config).into_iter().filter(|(name, _)| matches!(name.as_str(), "Wallet" | "Queue" | "Funding")));
        Ok(identity)
    }
}

/// An amount in the quote asset without zeros at its end.
pub fn show_money(units: i128) -> String {
    trimmed(format_units(units, MONEY_SCALE).to_string())
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A rate in percent.
pub fn show_percent(rate: Bps) -> String {
    trimmed(format_units(i128::from(rate.ppm()), 4).to_string()) + " %"
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

/// What makes results of these data better or worse than they would have been.
pub fn notes(timeline: &Timeline, alerts: u64, crossed: u64) -> Vec<String> {
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
