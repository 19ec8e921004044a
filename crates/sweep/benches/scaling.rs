//! How much faster a search is on all processors than on one: both in turn, several times, in one process.
//!
//! `cargo bench -p plimsoll-sweep`. Each round runs the same trials by one thread and by as many as there are processors; the
//! median of the ratios is what counts, and the processor time that both took tells how much somebody else was at work.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and must print")]

use plimsoll_backtest::tape::{Bar, TapeHead, TapeWriter, Tick};
use plimsoll_backtest::{Figures, Latency, Setup};
use plimsoll_engine::{AccountConfig, EngineConfig};
use plimsoll_market::{Instrument, Price, Qty, Tag, Time};
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig, LadderConfig};
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::{Grid, GridConfig};
use plimsoll_sweep::{Method, Objective, Outcome, Parameter, PlayError, Point, Search, Space, TrialFile, Window, play, search};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const BEGIN_MS: u64 = 1_704_067_200_000;
/// Half a year of minutes: a run takes about a tenth of a second.
const MINUTES: u64 = 180 * 1_440;
const TRIALS: usize = 48;
const ROUNDS: usize = 5;

fn tape(folder: &Path) -> PathBuf {
    let path = folder.join("half-a-year.tape");
    let mut writer = TapeWriter::create(&path, &TapeHead::new(&Instrument::example_btcusdt(), 60)).unwrap();
    let (mut state, mut price) = (7_u64, 600_000_i64);
    for minute in 0..MINUTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let open = price;
        price += (state % 1_001) as i64 - 500 - (price - 600_000) / 400;
        let bar = Bar {
            open: Price::from_units(open),
            close: Price::from_units(price),
            high: Price::from_units(open.max(price) + 100),
            low: Price::from_units(open.min(price) - 100),
            volume: Qty::from_units(50_000),
        };
        writer.push(Time::from_millis(BEGIN_MS + minute * 60_000), &Tick::Candle(bar)).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn setup(interval: Price, window: u8) -> Setup {
    let btc = Instrument::example_btcusdt();
    let off = 1_000_000;
    let grid = GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: window, sell_window: window };
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
            interval,
            countdown: None,
        },
        strategy: Box::new(Grid::new(grid, 0)),
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

/// Processor time of this process, user and system.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    let ticks: u64 = fields.get(11..13)?.iter().filter_map(|f| f.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = tempfile::tempdir().unwrap();
    let tapes = [tape(folder.path())];
    let intervals = Parameter::int("interval", 200, 2_000, 10).unwrap();
    let windows = Parameter::int("window", 4, 30, 2).unwrap();
    let space = Space::new(vec![intervals, windows]).unwrap();
    let window = Window { from: Time::from_millis(BEGIN_MS), until: Time::from_millis(BEGIN_MS + MINUTES * 60_000) };
    let run = |point: &Point| -> Result<Outcome, PlayError> {
        let numbers: Vec<i64> = space.settings(point).map(|(_, value)| value.parse().unwrap()).collect();
        let setup = setup(Price::from_units(numbers[0]), numbers[1] as u8);
        let run = play(&tapes, setup, window, None, Figures::new(Instrument::example_btcusdt(), None))?;
        let (summary, _) = run.into_observer().summary().unwrap();
        Ok(Outcome::of(&summary, Objective::Sharpe))
    };
    let timed = |workers: usize, name: &str| {
        let path = folder.path().join(name);
        let mut file = TrialFile::open(&path, &space).unwrap();
        let (began, busy) = (Instant::now(), processor_time());
        let asked = Search { space: &space, method: Method::Random, seed: 3, trials: TRIALS, workers };
        let trials = search(&asked, 0, &mut file, &run, &|_, _| {}).unwrap();
        assert_eq!(trials.len(), TRIALS);
        let busy = processor_time().zip(busy).map_or(0.0, |(now, then)| (now - then).as_secs_f64());
        (began.elapsed().as_secs_f64(), busy, std::fs::read(path).unwrap())
    };
    println!("{TRIALS} runs of {MINUTES} candles, {cores} processors");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let (one, one_busy, bytes) = timed(1, &format!("one{round}.csv"));
        let (all, all_busy, same) = timed(cores, &format!("all{round}.csv"));
        assert!(bytes == same, "the number of threads must not show");
        // What the threads got of the processors: below the cores when others are at work.
        println!(
            "round {round}: one thread {one:.2} s ({one_busy:.2} s of processor), {cores} threads {all:.2} s ({all_busy:.2} s); {:.2} times as fast, {:.2} a core",
            one / all,
            one / all / cores as f64
        );
        ratios.push(one / all / cores as f64);
    }
    ratios.sort_by(f64::total_cmp);
    let events = TRIALS as f64 * MINUTES as f64;
    println!(
        "median {:.3} a core (target 0.9); most memory {:.1} MB; {events:.0} candles a search",
        ratios[ROUNDS / 2],
        resident_kb() as f64 / 1_024.0
    );
}
