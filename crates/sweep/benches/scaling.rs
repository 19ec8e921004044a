//! How much faster a search is on all processors than on one: both in turn, several times, in one process.
//!
//! `cargo bench -p plimsoll-sweep`. Each round runs the same trials by one thread and by as many as there are processors; the
//! median of the ratios is what counts. On a machine that others use, too, it says little: two more figures do not depend on them.
//! *Work* is the processor time of one thread by that of all together: below one, threads are in each other's way. *Runnable* is the
//! part of the time in which every thread had something to do, whether it got a processor or waited for one. Their product is what
//! the ratio would be if the machine were ours.
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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BEGIN_MS: u64 = 1_704_067_200_000;
/// A month of minutes in which much is traded: a run takes a twentieth of a second.
const MINUTES: u64 = 30 * 1_440;
const TRIALS: usize = 96;
const ROUNDS: usize = 5;

fn tape(folder: &Path) -> PathBuf {
    let path = folder.join("month.tape");
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
            interval: plimsoll_market::Spacing::Even(interval),
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

/// Nanoseconds that this thread ran, and that it was ready but did not get a processor; `None` where the system does not tell.
fn schedule() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut fields = text.split_whitespace().map_while(|field| field.parse::<u64>().ok());
    Some((fields.next()?, fields.next()?))
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
    let (ran, waited) = (AtomicU64::new(0), AtomicU64::new(0));
    let run = |point: &Point| -> Result<Outcome, PlayError> {
        let before = schedule();
        let numbers: Vec<i64> = space.settings(point).map(|(_, value)| value.parse().unwrap()).collect();
        let setup = setup(Price::from_units(numbers[0]), numbers[1] as u8);
        let run = play(&tapes, setup, window, None, Figures::new(Instrument::example_btcusdt(), None))?;
        let (summary, _) = run.into_observer().summary().unwrap();
        if let (Some(before), Some(after)) = (before, schedule()) {
            ran.fetch_add(after.0 - before.0, Ordering::Relaxed);
            waited.fetch_add(after.1 - before.1, Ordering::Relaxed);
        }
        Ok(Outcome::of(&summary, Objective::Sharpe))
    };
    let timed = |workers: usize, name: &str| {
        let path = folder.path().join(name);
        let mut file = TrialFile::open(&path, &space).unwrap();
        let began = Instant::now();
        let asked = Search { space: &space, method: Method::Random, seed: 3, trials: TRIALS, workers };
        let trials = search(&asked, 0, &mut file, &run, &|_, _| {}).unwrap();
        assert_eq!(trials.len(), TRIALS);
        let seconds = began.elapsed().as_secs_f64();
        let [ran, waited] = [&ran, &waited].map(|sum| sum.swap(0, Ordering::Relaxed) as f64 / 1e9);
        (seconds, ran, (ran + waited) / (seconds * workers as f64), std::fs::read(path).unwrap())
    };
    println!("{TRIALS} runs of {MINUTES} candles, {cores} processors");
    let (mut ratios, mut alone) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (one, one_ran, _, bytes) = timed(1, &format!("one{round}.csv"));
        let (all, all_ran, runnable, same) = timed(cores, &format!("all{round}.csv"));
        assert!(bytes == same, "the number of threads must not show");
        let (ratio, work) = (one / all / cores as f64, one_ran / all_ran.max(1e-9));
        println!(
            "round {round}: one thread {one:.2} s, {cores} threads {all:.2} s: {ratio:.2} a core; work {work:.2} ({one_ran:.2} by {all_ran:.2} s), runnable {runnable:.2}: {:.2} a core if alone",
            work * runnable
        );
        ratios.push(ratio);
        alone.push(work * runnable);
    }
    for list in [&mut ratios, &mut alone] {
        list.sort_by(f64::total_cmp);
    }
    let candles = TRIALS as f64 * MINUTES as f64;
    println!("median {:.3} a core, {:.3} if alone (target 0.9)", ratios[ROUNDS / 2], alone[ROUNDS / 2]);
    println!("{candles:.0} candles a search; most memory {:.1} MB", resident_kb() as f64 / 1_024.0);
}
