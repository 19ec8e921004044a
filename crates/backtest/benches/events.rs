//! Events per second of processor time of a grid on generated levels and trades, from a tape; the decoding alone; candles.
//!
//! `PLIMSOLL_BENCH_EVENTS` sets how many (5,000,000), `PLIMSOLL_BENCH_ONLY` which (`levels` or `candles`). Bounded: about a minute.
//! `PLIMSOLL_BENCH_DUMP` names a file that the levels and trades are written to instead, for comparisons with other programs.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use plimsoll_backtest::tape::{Bar, TapeHead, TapeReader, TapeWriter, Tick};
use plimsoll_backtest::{Latency, Observer, Run, Sample, Setup, Timeline};
use plimsoll_engine::{AccountConfig, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig, LadderConfig};
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::{Grid, GridConfig};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const START: u64 = 1_700_000_000_000_000_000;

/// Levels and trades: 20 levels a side around a price that walks, a message of one to six events each 2 ms, every tenth a trade.
pub fn levels(path: &Path, events: u64) {
    let btc = Instrument::example_btcusdt();
    let mut random = Pcg64Mcg::seed_from_u64(7);
    let mut writer = TapeWriter::create(path, &TapeHead::new(&btc, 0)).unwrap();
    let mut now = START;
    let mut mid: i64 = 600_000;
    let price = |ticks: i64| Price::from_units(ticks * 10);
    for depth in 1..=20 {
        for (side, ticks) in [(Side::Buy, mid - depth), (Side::Sell, mid + depth)] {
            writer.push(Time::from_nanos(now), &Tick::Level { side, price: price(ticks), qty: Qty::from_units(3_000) }).unwrap();
        }
    }
    let mut left = events.saturating_sub(40);
    while left > 0 {
        now += 500_000 + random.next_u64() % 3_000_000;
        let time = Time::from_nanos(now);
        let dice = random.next_u64();
        if dice.is_multiple_of(12) {
            // The price goes a tick: the level it leaves goes, the one behind it appears.
            let up = dice & 64 == 0;
            mid += if up { 1 } else { -1 };
            let (gone, new) = if up { (Side::Sell, Side::Buy) } else { (Side::Buy, Side::Sell) };
            let far = |side| if side == Side::Sell { mid + 20 } else { mid - 20 };
            let steps = [
                Tick::Level { side: gone, price: price(mid), qty: Qty::ZERO },
                Tick::Level {
                    side: new,
                    price: price(if new == Side::Buy { mid - 1 } else { mid + 1 }),
                    qty: Qty::from_units(1 + dice % 2_000),
                },
                Tick::Level { side: gone, price: price(far(gone)), qty: Qty::from_units(3_000) },
                Tick::Level { side: new, price: price(if new == Side::Buy { mid - 21 } else { mid + 21 }), qty: Qty::ZERO },
            ];
            for step in &steps {
                writer.push(time, step).unwrap();
            }
            left = left.saturating_sub(4);
        } else if dice.is_multiple_of(10) {
            let taker = if dice & 32 == 0 { Side::Buy } else { Side::Sell };
            let at = if taker == Side::Buy { mid + 1 } else { mid - 1 };
            writer.push(time, &Tick::Trade { taker, price: price(at), qty: Qty::from_units(1 + dice % 400) }).unwrap();
            left = left.saturating_sub(1);
        } else {
            for _ in 0..1 + dice % 5 {
                let r = random.next_u64();
                let depth = 1 + (r % 20) as i64;
                let side = if r & 128 == 0 { Side::Buy } else { Side::Sell };
                let at = if side == Side::Buy { mid - depth } else { mid + depth };
                writer.push(time, &Tick::Level { side, price: price(at), qty: Qty::from_units(1 + (r >> 32) % 5_000) }).unwrap();
                left = left.saturating_sub(1);
            }
        }
    }
    writer.finish().unwrap();
}

/// One-minute candles of a price that walks about 0.05 % a minute.
fn candles(path: &Path, count: u64) {
    let btc = Instrument::example_btcusdt();
    let mut random = Pcg64Mcg::seed_from_u64(9);
    let mut writer = TapeWriter::create(path, &TapeHead::new(&btc, 60)).unwrap();
    let mut price: i64 = 6_000_000;
    for i in 0..count {
        let mut step = || (random.next_u64() % 600) as i64 * 10;
        let (up, down, close) = (step(), step(), step());
        let (high, low) = (price + up, price - down);
        let close = low + close.min(up + down);
        let bar = Bar {
            open: Price::from_units(price),
            high: Price::from_units(high),
            low: Price::from_units(low),
            close: Price::from_units(close),
            volume: Qty::from_units(50_000),
        };
        writer.push(Time::from_millis(1_700_000_040_000 + i * 60_000), &Tick::Candle(bar)).unwrap();
        // Drawn back to where it began, so that it never leaves the instrument's range.
        price = close + (6_000_000 - close) / 1_000 / 10 * 10;
    }
    writer.finish().unwrap();
}

#[derive(Default)]
struct Count {
    placed: u64,
    canceled: u64,
    fills: u64,
    equity: i128,
}

impl Observer for Count {
    fn asked(&mut self, _: Time, action: &Action) {
        match action {
            Action::Place(_) => self.placed += 1,
            Action::Cancel(_) => self.canceled += 1,
            _ => {}
        }
    }
    fn booked(&mut self, _: Time, record: &Record) {
        self.fills += u64::from(record.fill.is_some());
    }
    fn liquidated(&mut self, _: Time) {}
    fn sample(&mut self, sample: &Sample) {
        self.equity = sample.equity;
    }
}

pub fn setup(candle_secs: u32, interval: &str) -> Setup {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price(interval, Round::Exact).unwrap();
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
            gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000_000 * 100_000_000, guard: GuardConfig::OFF },
            interval: interval.into(),
            countdown: None,
        },
        strategy: Box::new(Grid::new(GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 10, sell_window: 10 }, 0)),
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
            wallet: 1_000_000 * 100_000_000,
            leverage: 10,
            queue: QueueModel::RiskAverse,
        },
        latency: Latency::Constant { order: Duration::from_millis(3), answer: Duration::from_millis(2) },
        candle_secs,
        funding: None,
    }
}

pub fn cpu() -> Duration {
    // Fields 14 and 15, ticks of a hundredth; without /proc the wall's time.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
}

pub fn play(path: &Path, setup: Setup, name: &str) -> f64 {
    let mut timeline = Timeline::open(&[path.to_owned()]).unwrap();
    let mut run = Run::new(setup, Count::default()).unwrap();
    let (wall, begin) = (Instant::now(), cpu());
    while let Some((time, tick)) = timeline.next().unwrap() {
        run.feed(time, &tick).unwrap();
    }
    run.finish().unwrap();
    let spent = cpu() - begin;
    let events = run.events();
    let Count { placed, canceled, fills, equity } = *run.observer();
    let speed = events as f64 / spent.as_secs_f64() / 1e6;
    println!(
        "{name:<28} {speed:>6.2} M/cpu s ({:>6.2} M/s wall)  events {events}  placed {placed}  cancelled {canceled}  fills {fills}  equity {}  peak rss {} KiB",
        events as f64 / wall.elapsed().as_secs_f64() / 1e6,
        format_units(equity, 8),
        rss()
    );
    speed
}

/// Writes a tape's levels and trades as records of 32 bytes: time in nanoseconds, price in 0.01, quantity in 0.001, whether it is a trade,
/// and side, 0 for bids and buyers; little-endian.
fn dump(tape: &Path, to: &str) {
    let mut reader = TapeReader::open(tape).unwrap();
    let mut file = std::io::BufWriter::new(std::fs::File::create(to).unwrap());
    while let Some((time, tick)) = reader.next().unwrap() {
        let (trade, side, price, qty) = match tick {
            Tick::Level { side, price, qty } => (0, side, price, qty),
            Tick::Trade { taker, price, qty } => (1, taker, price, qty),
            Tick::Top { .. } | Tick::Mark(_) | Tick::Funding(_) | Tick::Candle(_) | Tick::Reset => continue,
        };
        let mut record = [0; 32];
        record[..8].copy_from_slice(&time.nanos().to_le_bytes());
        record[8..16].copy_from_slice(&price.units().to_le_bytes());
        record[16..24].copy_from_slice(&qty.units().to_le_bytes());
        (record[24], record[25]) = (trade, u8::from(side == Side::Sell));
        file.write_all(&record).unwrap();
    }
    file.flush().unwrap();
}

fn main() {
    let events: u64 = std::env::var("PLIMSOLL_BENCH_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(5_000_000);
    let only = std::env::var("PLIMSOLL_BENCH_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only == name;
    let dir = tempfile::tempdir().unwrap();
    let (l2, bars) = (dir.path().join("l2.tape"), dir.path().join("bars.tape"));
    levels(&l2, events);
    if let Ok(to) = std::env::var("PLIMSOLL_BENCH_DUMP") {
        dump(&l2, &to);
        return;
    }
    candles(&bars, events / 5);
    println!("tape: {:.2} bytes an event", std::fs::metadata(&l2).unwrap().len() as f64 / events as f64);
    for _ in 0..3 {
        let mut reader = TapeReader::open(&l2).unwrap();
        let (begin, mut sum, mut count) = (cpu(), 0_u64, 0_u64);
        while let Some((time, _)) = reader.next().unwrap() {
            sum = sum.wrapping_add(time.nanos());
            count += 1;
        }
        println!("decoding alone               {:>6.2} M/cpu s  ({sum:x})", count as f64 / (cpu() - begin).as_secs_f64() / 1e6);
    }
    for (interval, name) in [("0.5", "grid, 5 ticks apart"), ("0.1", "grid, 1 tick apart")] {
        for _ in 0..3 {
            if wanted("levels") {
                play(&l2, setup(0, interval), name);
            }
        }
    }
    for _ in 0..if wanted("candles") { 3 } else { 0 } {
        play(&bars, setup(60, "400"), "grid on candles");
    }
}
