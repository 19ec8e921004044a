//! The look-ahead check on runs: what trades passes it, and a strategy that knows the future does not.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use plimsoll_backtest::tape::{Bar, TapeHead, TapeReader, TapeWriter, Tick};
use plimsoll_backtest::{Figures, Latency, Setup};
use plimsoll_engine::{AccountConfig, EngineConfig};
use plimsoll_market::{Event, Instrument, Leg, Price, Qty, Round, Side, Tag, Time};
use plimsoll_position::{Changes, PositionConfig, View};
use plimsoll_safety::{GateConfig, GuardConfig, LadderConfig};
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::{Grid, GridConfig, Intent, Quotes, Strategy};
use plimsoll_sweep::{Cut, Window, look_ahead, play};
use std::path::{Path, PathBuf};
use std::time::Duration;

const BEGIN_MS: u64 = 1_704_067_200_000;
const MINUTES: u64 = 600;

fn price(text: &str) -> Price {
    Instrument::example_btcusdt().parse_price(text, Round::Exact).unwrap()
}

/// Ten hours of minutes in waves of 300 dollars around 60,000, the second half of them higher.
fn tape(dir: &Path) -> PathBuf {
    let path = dir.join("t.tape");
    let head = TapeHead::new(&Instrument::example_btcusdt(), 60);
    let mut writer = TapeWriter::create(&path, &head).unwrap();
    let at = |minute: u64| {
        let wave = (minute as f64 / 4.0).sin() * 300.0 + if minute > 320 { 700.0 } else { 0.0 };
        Price::from_units(((60_000.0 + wave) * 10.0) as i64)
    };
    for minute in 0..MINUTES {
        let (open, close) = (at(minute), at(minute + 1));
        let bar = Bar { open, close, high: open.max(close), low: open.min(close), volume: Qty::from_units(50_000) };
        writer.push(Time::from_millis(BEGIN_MS + minute * 60_000), &Tick::Candle(bar)).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn setup(strategy: Box<dyn Strategy>) -> Setup {
    let btc = Instrument::example_btcusdt();
    let off = 1_000_000;
    Setup {
        engine: EngineConfig {
            position: PositionConfig {
                tag: Tag(7),
                run: 1,
                series: 0,
                placed_before: 0,
                recv_window_ms: 5_000,
                compare_every: Duration::from_secs(86_400),
                accept_position: true,
            },
            gate: GateConfig { stale_after: Duration::from_secs(60), exposure_max: 1_000_000 * 100_000_000, guard: GuardConfig::OFF },
            interval: plimsoll_market::Spacing::Even(price("50")),
            countdown: None,
        },
        strategy,
        account: AccountConfig {
            quote: btc.quote,
            exposure_max: 1_000_000 * 100_000_000,
            orders_per_10s: 1_000,
            ladder: LadderConfig { yellow: off, orange: off, red: off, smoothing: Duration::ZERO },
            close_on_red: false,
            daily_loss: off,
            monitor: None,
        },
        market: SoloConfig {
            instrument: btc,
            brackets: Vec::new(),
            wallet: 100_000 * 100_000_000,
            leverage: 10,
            queue: QueueModel::RiskAverse,
        },
        latency: Latency::Constant { order: Duration::from_millis(5), answer: Duration::from_millis(5) },
        candle_secs: 60,
        funding: None,
    }
}

fn grid() -> Grid {
    Grid::new(GridConfig { interval: price("50"), order_quote: 200 * 100_000_000, buy_window: 5, sell_window: 5 }, 0)
}

/// A grid that only trades when the price will be higher at the end than it is now: it was told how the data end.
struct Clairvoyant {
    grid: Grid,
    end: Price,
}

impl Strategy for Clairvoyant {
    fn name(&self) -> &'static str {
        "clairvoyant"
    }
    fn anchored(&mut self, anchor: Price) {
        self.grid.anchored(anchor);
    }
    fn watch(&mut self, event: &Event, view: &View<'_>) {
        self.grid.watch(event, view);
    }
    fn owns(&self, leg: Leg) -> bool {
        self.grid.owns(leg)
    }
    fn on_event(&mut self, event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        match event {
            Event::Top(top) if top.bid >= self.end => Intent::Keep,
            _ => self.grid.on_event(event, changes, view, want),
        }
    }
    fn bytes(&self) -> usize {
        self.grid.bytes()
    }
}

fn window() -> Window {
    Window { from: Time::from_millis(BEGIN_MS), until: Time::from_millis(BEGIN_MS + MINUTES * 60_000) }
}

/// The last price before a time, moved up from another time on.
fn last_price(tape: &Path, until: Time, moved: Option<plimsoll_sweep::Moved>) -> Price {
    let mut reader = TapeReader::open(tape).unwrap();
    let mut last = Price::ZERO;
    while let Some((time, tick)) = reader.next().unwrap().filter(|(time, _)| *time < until) {
        if let Tick::Candle(bar) = tick {
            let by = moved.filter(|moved| time >= moved.at).map_or(0, |moved| moved.by);
            last = bar.close.offset(by).unwrap();
        }
    }
    last
}

fn check(dir: &Path, strategy: impl Fn(Price) -> Box<dyn Strategy>) -> Vec<Cut> {
    let tape = tape(dir);
    let tapes = [tape.clone()];
    look_ahead(window(), 30_000, |window, moved, observer| {
        play(&tapes, setup(strategy(last_price(&tape, window.until, moved))), window, moved, observer)
    })
    .unwrap()
}

#[test]
fn what_trades_by_the_past_alone_passes() {
    let dir = tempfile::tempdir().unwrap();
    let cuts = check(dir.path(), |_| Box::new(grid()));
    assert_eq!(cuts.len(), 3);
    for (at, cut) in cuts.iter().enumerate() {
        assert_eq!(cut.at_ms, BEGIN_MS + (at as u64 + 1) * MINUTES / 4 * 60_000);
        assert!(cut.decisions > 10 && cut.same_when_cut && cut.same_when_moved, "{cut:?}");
    }
}

#[test]
fn what_knows_the_future_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let cuts = check(dir.path(), |end| Box::new(Clairvoyant { grid: grid(), end }));
    assert!(cuts.iter().any(|cut| !cut.same_when_cut), "{cuts:?}");
    assert!(cuts.iter().any(|cut| !cut.same_when_moved), "{cuts:?}");
}

/// A window is a run of its own: it begins with nothing, and what lies outside has no part in it.
#[test]
fn a_window_is_played_as_if_the_rest_were_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let tapes = [tape(dir.path())];
    let part = Window { from: Time::from_millis(BEGIN_MS + 120 * 60_000), until: Time::from_millis(BEGIN_MS + 300 * 60_000) };
    let run = play(&tapes, setup(Box::new(grid())), part, None, Figures::new(Instrument::example_btcusdt(), None)).unwrap();
    assert_eq!(run.events(), 180);
    let (summary, _) = run.into_observer().summary().unwrap();
    assert_eq!((summary.begin.as_str(), summary.end.as_str()), ("2024-01-01 02:00:00.000Z", "2024-01-01 04:59:59.999Z"));
    assert!(summary.fills > 10 && summary.round_trips > 5, "{summary:?}");
}

/// The book that a window finds is what the tape told before it.
#[test]
fn a_window_begins_with_the_book_as_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("book.tape");
    let mut writer = TapeWriter::create(&path, &TapeHead::new(&Instrument::example_btcusdt(), 0)).unwrap();
    let level = |side, text: &str, qty: u64| Tick::Level { side, price: price(text), qty: Qty::from_units(qty) };
    let at = |ms: u64| Time::from_millis(BEGIN_MS + ms);
    for (ms, tick) in [
        (0, level(Side::Buy, "59000", 900)),
        (0, level(Side::Sell, "59000.1", 900)),
        (10, level(Side::Buy, "59000", 0)),
        (10, level(Side::Sell, "59000.1", 0)),
        (20, level(Side::Buy, "60000", 7)),
        (30, level(Side::Sell, "60010", 8)),
        // The window begins here, with a level that is not the best.
        (1_000, level(Side::Buy, "59990", 1)),
        (2_000, level(Side::Buy, "59980", 1)),
    ] {
        writer.push(at(ms), &tick).unwrap();
    }
    writer.finish().unwrap();
    let mut setup = setup(Box::new(grid()));
    setup.candle_secs = 0;
    let part = Window { from: at(1_000), until: at(3_000) };
    let run = play(&[path], setup, part, None, ()).unwrap();
    let top = run.market().top().unwrap();
    assert_eq!((top.bid, top.bid_qty.units(), top.ask, top.ask_qty.units()), (price("60000"), 7, price("60010"), 8));
    assert_eq!(run.events(), 2);
}
