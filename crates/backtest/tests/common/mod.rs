#![allow(dead_code, clippy::print_stderr, reason = "shared by tests, which say what they leave out")]

pub mod kinds;

use plimsoll_backtest::tape::Tick;
use plimsoll_backtest::{Figures, Latency, Observer, Run, Sample, Setup, Summary};
use plimsoll_engine::{AccountConfig, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig, LadderConfig};
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::{Grid, GridConfig};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const START_MS: u64 = 1_700_000_040_000;

pub fn event(ms: u64, tick: Tick) -> (u64, Tick) {
    (ms, tick)
}

pub fn engine_config(interval: impl Into<Spacing>) -> EngineConfig {
    EngineConfig {
        position: PositionConfig {
            tag: Tag(7),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: Duration::from_secs(60), exposure_max: 1_000_000 * 100_000_000, guard: GuardConfig::OFF },
        interval: interval.into(),
        countdown: None,
    }
}

pub fn account_config(quote: Asset) -> AccountConfig {
    let off = 1_000_000;
    AccountConfig {
        quote,
        exposure_max: 1_000_000 * 100_000_000,
        orders_per_10s: 1_000,
        ladder: LadderConfig { yellow: off, orange: off, red: off, smoothing: Duration::ZERO },
        close_on_red: false,
        daily_loss: off,
        monitor: None,
    }
}

pub fn grid_config(interval: Price) -> GridConfig {
    GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 5, sell_window: 5 }
}

/// A grid on BTCUSDT with a wallet of whole dollars; answers take a millisecond each way.
pub fn setup(interval: &str, wallet: i128) -> Setup {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price(interval, Round::Exact).unwrap();
    Setup {
        engine: engine_config(interval),
        strategy: Box::new(Grid::new(grid_config(interval), 0)),
        account: account_config(btc.quote),
        market: SoloConfig {
            instrument: btc,
            brackets: Vec::new(),
            wallet: wallet * 100_000_000,
            leverage: 10,
            queue: QueueModel::RiskAverse,
        },
        latency: Latency::Constant { order: Duration::from_millis(1), answer: Duration::from_millis(1) },
        candle_secs: 0,
        funding: None,
    }
}

/// What a run came to.
pub struct Told {
    pub wallet: i128,
    pub equity: i128,
    pub holding: i64,
    pub fees: i128,
    pub realized: i128,
    pub books_realized: i128,
    pub books_fees: i128,
    pub books_funding: i128,
    pub liquidations: u32,
    pub fills: Vec<String>,
    pub summary: Summary,
}

struct Both {
    figures: Figures,
    fills: Vec<String>,
}

impl Observer for Both {
    fn asked(&mut self, now: Time, action: &Action) {
        self.figures.asked(now, action);
    }
    fn booked(&mut self, now: Time, record: &Record) {
        if let Some(booked) = &record.fill {
            let fill = &booked.fill;
            self.fills.push(format!("{} {} {}", fill.side.as_str(), fill.price.units(), fill.qty.units()));
        }
        self.figures.booked(now, record);
    }
    fn liquidated(&mut self, now: Time) {
        self.figures.liquidated(now);
    }
    fn sample(&mut self, sample: &Sample) {
        self.figures.sample(sample);
    }
}

pub fn run(setup: Setup, ticks: &[(u64, Tick)]) -> Told {
    let instrument = setup.market.instrument;
    let mut run = Run::new(setup, Both { figures: Figures::new(instrument, None), fills: Vec::new() }).unwrap();
    for (ms, tick) in ticks {
        run.feed(Time::from_millis(START_MS + ms), tick).unwrap();
    }
    run.finish().unwrap();
    let market = run.market();
    let (sums, wallet, holding) = (market.sums(), market.wallet(), market.holding().units());
    let equity = wallet + market.worth().0 * i128::from(holding != 0);
    let totals = *run.engine().position().view(run.now()).totals;
    let liquidations = market.liquidations();
    assert_eq!(sums.wallet(), wallet);
    assert_eq!(totals.holding.units(), holding, "the engine's books are the exchange's");
    let both = run.into_observer();
    let (summary, _) = both.figures.summary().unwrap();
    Told {
        wallet,
        equity,
        holding,
        fees: sums.commission,
        realized: sums.realized,
        books_realized: totals.realized,
        books_fees: totals.fees,
        books_funding: totals.funding,
        liquidations,
        fills: both.fills,
        summary,
    }
}

/// A file of real market data, when there is one here.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("PLIMSOLL_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("data/market").join(name);
    if !path.exists() {
        eprintln!("left out: {} is not here", path.display());
    }
    path.exists().then_some(path)
}
