//! A run skips what cannot come of a price; nothing of its result may depend on that. Each history is told twice, once to a strategy
//! that wants to hear of every top: all that was asked, booked and seen, and where everything stands in the end, is the same.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests may panic, and say what they have done")]

mod common;

use common::kinds::{kinds, spacing};
use common::{START_MS, account_config, engine_config, grid_config};
use plimsoll_backtest::tape::{Bar, Tick};
use plimsoll_backtest::{Figures, FundingPlan, Latency, Observer, Run, Sample, Setup};
use plimsoll_market::*;
use plimsoll_position::{Changes, View};
use plimsoll_safety::{GuardConfig, LadderConfig};
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::{GridConfig, Intent, Quotes, Strategy, StrategyConfig};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts how often the strategy heard of something, and perhaps wants to hear of every top.
struct Listener {
    strategy: Box<dyn Strategy>,
    every: bool,
    heard: Arc<AtomicU64>,
}

impl Strategy for Listener {
    fn name(&self) -> &'static str {
        self.strategy.name()
    }
    fn anchored(&mut self, anchor: Price) {
        self.strategy.anchored(anchor);
    }
    fn watch(&mut self, event: &Event, view: &View<'_>) {
        self.strategy.watch(event, view);
    }
    fn takes_candles(&self) -> bool {
        self.strategy.takes_candles()
    }
    fn level_price(&self, leg: Leg, tick: Price) -> Option<Price> {
        self.strategy.level_price(leg, tick)
    }
    fn memo(&self) -> Memo {
        self.strategy.memo()
    }
    fn recall(&mut self, memo: Memo) {
        self.strategy.recall(memo);
    }
    fn is_warm(&self) -> bool {
        self.strategy.is_warm()
    }
    fn owns(&self, leg: Leg) -> bool {
        self.strategy.owns(leg)
    }
    fn on_event(&mut self, event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.strategy.on_event(event, changes, view, want)
    }
    fn is_indifferent(&self, top: &Top) -> bool {
        !self.every && self.strategy.is_indifferent(top)
    }
    fn bytes(&self) -> usize {
        self.strategy.bytes()
    }
}

/// All that is seen of a run.
struct Seen {
    lines: Vec<String>,
    samples: Vec<Sample>,
    figures: Figures,
    orders: Rc<Cell<usize>>,
}

impl Observer for Seen {
    fn asked(&mut self, now: Time, action: &Action) {
        self.orders.set(self.orders.get() + usize::from(matches!(action, Action::Place(_))));
        self.lines.push(format!("{now:?} {action:?}"));
        self.figures.asked(now, action);
    }
    fn booked(&mut self, now: Time, record: &Record) {
        self.lines.push(format!("{now:?} {record:?}"));
        self.figures.booked(now, record);
    }
    fn liquidated(&mut self, now: Time) {
        self.lines.push(format!("{now:?} liquidated"));
        self.figures.liquidated(now);
    }
    fn sample(&mut self, sample: &Sample) {
        self.samples.push(*sample);
        self.figures.sample(sample);
    }
}

/// What differs between histories.
#[derive(Clone, Copy, Debug)]
struct World {
    seed: u64,
    /// Length of candles; zero for ticks.
    candle_secs: u32,
    /// Whether marks are told, and between them the rate of funding.
    marks: bool,
    /// Whether the rules of symbol and account are near enough to be broken.
    rules: bool,
    leverage: u16,
    wallet: i128,
}

fn history(world: World, price: i64, candles: usize) -> Vec<(Time, Tick)> {
    let mut random = Pcg64Mcg::seed_from_u64(world.seed);
    let mut out = Vec::new();
    let (mut price, mut ms) = (price, START_MS);
    for n in 0..candles {
        let dice = random.next_u64();
        // Now and then nothing is traded, a minute is missing, or more than the gate waits for, or the price leaps.
        ms += match dice % 97 {
            0 => 120_000,
            1 => 1_000_000,
            _ => 60_000,
        };
        let wide = if dice.is_multiple_of(41) { 60_000 } else { 6_000 };
        let mut step = |most: u64| (random.next_u64() % most) as i64 * 10;
        let (up, down) = if dice.is_multiple_of(7) { (0, 0) } else { (step(wide / 10), step(wide / 10)) };
        let (high, low) = (price + up, (price - down).max(100_000));
        let close = low + step(((high - low) / 10).max(1) as u64 + 1).min(high - low);
        let volume = match dice >> 20 & 7 {
            0 => 0,
            1 => 3,
            _ => 50_000,
        };
        let at = |units: i64| Price::from_units(units);
        let bar = Bar { open: at(price), high: at(high), low: at(low), close: at(close), volume: Qty::from_units(volume) };
        out.push((Time::from_millis(ms), Tick::Candle(bar)));
        if world.marks && dice.is_multiple_of(3) {
            let mark = RefPrice::from_units((close + step(50)) * 1_000_000);
            out.push((Time::from_millis(ms + dice % 59_000), Tick::Mark(mark)));
        }
        if world.marks && n % 480 == 479 {
            out.push((Time::from_millis(ms + 59_500), Tick::Funding(Bps::from_ppm((dice % 2_000) as i32 - 1_000))));
        }
        price = close;
    }
    out
}

/// Tops and trades about every second, with marks, breaks and silences.
fn ticks(world: World, price: i64, count: usize) -> Vec<(Time, Tick)> {
    let mut random = Pcg64Mcg::seed_from_u64(world.seed);
    let mut out = Vec::new();
    let (mut price, mut ms) = (price, START_MS);
    for n in 0..count {
        let dice = random.next_u64();
        ms += if dice.is_multiple_of(499) { 90_000 } else { 100 + dice % 1_500 };
        let time = Time::from_millis(ms);
        price += ((dice >> 16) % 401) as i64 * 10 - 2_000;
        let (at, qty) = (Price::from_units, Qty::from_units(1 + (dice >> 32) % 3_000));
        out.push((time, Tick::Top { bid: (at(price), qty), ask: (at(price + 10), Qty::from_units(700)) }));
        if dice.is_multiple_of(3) {
            let (taker, price) = if dice & 64 == 0 { (Side::Buy, price + 10) } else { (Side::Sell, price) };
            out.push((time, Tick::Trade { taker, price: at(price), qty }));
        }
        if world.marks && dice.is_multiple_of(5) {
            out.push((time, Tick::Mark(RefPrice::from_units(price * 1_000_000))));
        }
        if n % 2_000 == 1_999 {
            out.push((time, Tick::Reset));
        }
    }
    out
}

fn told(world: World, trades: &StrategyConfig, ticks: &[(Time, Tick)], every: bool) -> (Run<Seen>, u64, usize) {
    let btc = Instrument::example_btcusdt();
    let mut engine = engine_config(spacing(&btc, trades));
    let mut account = account_config(btc.quote);
    if world.rules {
        engine.gate.guard = GuardConfig {
            stop_loss: 10_000,
            stop_loss_pause: Some(Duration::from_secs(1_800)),
            take_profit: 6_000,
            trailing: 1_000,
            liquidation: 60_000,
            layers_max: 4,
            orders_max: 9,
            cancels_per_minute: 10,
            ..GuardConfig::OFF
        };
        account.ladder = LadderConfig { yellow: 5_000, orange: 20_000, red: 60_000, smoothing: Duration::from_secs(300) };
        account.close_on_red = true;
        account.daily_loss = 15_000;
    }
    let heard = Arc::new(AtomicU64::new(0));
    let strategy = Listener { strategy: trades.build().unwrap(), every, heard: heard.clone() };
    let setup = Setup {
        engine,
        strategy: Box::new(strategy),
        account,
        market: SoloConfig {
            instrument: btc,
            brackets: Vec::new(),
            wallet: world.wallet * 100_000_000,
            leverage: world.leverage,
            queue: QueueModel::RiskAverse,
        },
        latency: Latency::Constant { order: Duration::from_millis(900), answer: Duration::from_millis(700) },
        candle_secs: world.candle_secs,
        funding: (!world.marks).then_some(FundingPlan { rate: Bps::from_ppm(100), every: Duration::from_secs(8 * 3_600) }),
    };
    let orders = Rc::new(Cell::new(0));
    let seen = Seen { lines: Vec::new(), samples: Vec::new(), figures: Figures::new(btc, None), orders: orders.clone() };
    let mut run = Run::new(setup, seen).unwrap();
    for (time, tick) in ticks {
        run.feed(*time, tick).unwrap();
    }
    run.finish().unwrap();
    (run, heard.load(Ordering::Relaxed), orders.get())
}

/// Compares both runs; tells what the strategy heard with and without shortcuts, orders, and liquidations.
fn compare(name: &str, world: World, trades: &StrategyConfig) -> (u64, u64, usize, u32) {
    let ticks = if world.candle_secs == 0 { ticks(world, 6_000_000, 8_000) } else { history(world, 6_000_000, 3_000) };
    let (short, few, orders) = told(world, trades, &ticks, false);
    let (long, all, _) = told(world, trades, &ticks, true);
    let (a, b) = (short.observer(), long.observer());
    for (at, (a, b)) in a.lines.iter().zip(&b.lines).enumerate() {
        assert_eq!(a, b, "{name} {world:?}: line {at}");
    }
    assert_eq!(a.lines.len(), b.lines.len(), "{name} {world:?}");
    for (at, (a, b)) in a.samples.iter().zip(&b.samples).enumerate() {
        assert_eq!(a, b, "{name} {world:?}: sample {at}");
    }
    assert_eq!(a.samples.len(), b.samples.len(), "{name} {world:?}");
    assert_eq!(short.engine().status(short.now()), long.engine().status(long.now()), "{name} {world:?}");
    assert_eq!(short.engine().wake_at(), long.engine().wake_at(), "{name} {world:?}");
    assert_eq!(short.market().sums(), long.market().sums(), "{name} {world:?}");
    assert_eq!(short.market().money(), long.market().money(), "{name} {world:?}");
    assert_eq!((short.alerts(), short.events(), short.now()), (long.alerts(), long.events(), long.now()), "{name} {world:?}");
    let liquidations = short.market().liquidations();
    let figures = |run: Run<Seen>| format!("{:?}", run.into_observer().figures.summary().unwrap().0);
    assert_eq!(figures(short), figures(long), "{name} {world:?}");
    (few, all, orders, liquidations)
}

#[track_caller]
fn all_kinds(candle_secs: u32, seeds: core::ops::Range<u64>, step: u32, least: usize) {
    let btc = Instrument::example_btcusdt();
    let (mut liquidations, mut skipped) = (0, 0_u64);
    for (name, trades) in kinds(&btc, Price::from_units(6_000_000), step) {
        let mut placed = 0;
        for seed in seeds.clone() {
            let world = World {
                seed,
                candle_secs,
                marks: seed % 3 == 2,
                rules: seed % 2 == 1,
                leverage: if seed == 4 { 100 } else { 10 },
                wallet: if seed == 4 { 120 } else { 20_000 },
            };
            let (few, all, orders, ends) = compare(name, world, &trades);
            placed += orders;
            liquidations += ends;
            skipped += all - few;
            eprintln!("{name} {seed}: heard {few} of {all}, {orders} orders, {ends} liquidations");
        }
        assert!(placed > least, "{name}: only {placed} orders");
    }
    assert!(liquidations > 0 || candle_secs == 0, "nobody was liquidated");
    assert!(skipped > 100_000, "only {skipped} tops were skipped");
}

#[test]
fn what_is_skipped_of_candles_changes_nothing() {
    all_kinds(60, 0..6, 800, 1_000);
}

#[test]
fn what_is_skipped_of_ticks_changes_nothing() {
    all_kinds(0, 3..6, 800, 50);
}

#[test]
fn a_margin_that_runs_out_between_orders_is_seen() {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("3000", Round::Exact).unwrap();
    let trades = StrategyConfig::Grid(GridConfig { order_quote: 300 * 100_000_000, buy_window: 1, ..grid_config(interval) });
    let mut liquidations = 0;
    for seed in 0..8 {
        let world = World { seed, candle_secs: 60, marks: false, rules: false, leverage: 100, wallet: 5 };
        let (few, all, _, ends) = compare("wide grid", world, &trades);
        assert!(few < all);
        liquidations += ends;
    }
    assert!(liquidations > 2, "only {liquidations} liquidations");
}
