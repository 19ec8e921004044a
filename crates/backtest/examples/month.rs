//! A grid over a made-up month of minutes, with its report in a folder of the system's temporary files.

use plimsoll_backtest::report::{About, write};
use plimsoll_backtest::tape::{Bar, Tick};
use plimsoll_backtest::{Figures, Latency, Run, Setup};
use plimsoll_engine::{AccountConfig, EngineConfig};
use plimsoll_market::{Instrument, Price, Qty, Round, Tag, Time};
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig, LadderConfig};
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_strategy::{Grid, GridConfig};
use std::time::Duration;

const USDT: i128 = 100_000_000;
const OFF: u32 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("150", Round::Exact)?;
    let position = PositionConfig {
        tag: Tag(0),
        run: 1,
        series: 0,
        placed_before: 0,
        recv_window_ms: 5_000,
        compare_every: Duration::from_secs(86_400),
        accept_position: true,
    };
    let gate = GateConfig { stale_after: Duration::from_secs(10), exposure_max: 20_000 * USDT, guard: GuardConfig::OFF };
    let setup = Setup {
        engine: EngineConfig { position, gate, interval: interval.into(), countdown: None },
        strategy: Box::new(Grid::new(GridConfig { interval, order_quote: 500 * USDT, buy_window: 10, sell_window: 10 }, 0)),
        account: AccountConfig {
            quote: btc.quote,
            exposure_max: 20_000 * USDT,
            orders_per_10s: 100,
            ladder: LadderConfig { yellow: OFF, orange: OFF, red: OFF, smoothing: Duration::ZERO },
            close_on_red: false,
            daily_loss: OFF,
            monitor: None,
        },
        market: SoloConfig { instrument: btc, brackets: Vec::new(), wallet: 10_000 * USDT, leverage: 5, queue: QueueModel::RiskAverse },
        latency: Latency::Constant { order: Duration::from_millis(5), answer: Duration::from_millis(5) },
        candle_secs: 60,
        funding: None,
    };
    let mut run = Run::new(setup, Figures::new(btc, None))?;
    let mut dice = 1_u64;
    let mut price = 6_000_000_i64;
    for minute in 0..30 * 24 * 60 {
        let mut step = || {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as i64 % 500 * 10
        };
        let (up, down) = (step(), step());
        let close = price - down + step().min(up + down);
        let [open, high, low, last] = [price, price + up, price - down, close].map(Price::from_units);
        let bar = Bar { open, high, low, close: last, volume: Qty::from_units(20_000) };
        run.feed(Time::from_millis(1_704_067_200_000 + minute * 60_000), &Tick::Candle(bar))?;
        // Drawn back a little to where it began.
        price = close + (6_000_000 - close) / 2_000 / 10 * 10;
    }
    run.finish()?;
    let about = About { events: run.events(), notes: vec!["The month is made up.".to_owned()], ..About::default() };
    let (summary, figures) = run.into_observer().summary()?;
    let folder = std::env::temp_dir().join("plimsoll-month");
    let files = write(&folder, &summary, &about, &figures, &btc)?;
    use std::io::Write;
    writeln!(std::io::stdout(), "{} round trips, {:.2} {}: {}", summary.round_trips, summary.profit, summary.quote, files.html.display())?;
    Ok(())
}
