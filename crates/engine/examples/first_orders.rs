//! Boots an engine by hand, as the exchange's answers would, and prints its first orders.
#![allow(clippy::print_stdout, reason = "an example")]

use core::time::Duration;
use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_market::{
    Action, Actions, Event, Feed, FillPage, Holding, Instrument, Lease, Link, PositionReport, PositionSide, RefPrice, Round, Snapshot, Tag,
    Time, Top, TradeId,
};
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{Grid, GridConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("60", Round::Exact)?;
    let grid = Grid::new(GridConfig { interval, order_quote: 250 * 100_000_000, buy_window: 3, sell_window: 3 }, 0);
    let cfg = EngineConfig {
        position: PositionConfig {
            tag: Tag(1),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 10_000 * 100_000_000, guard: GuardConfig::OFF },
        interval: interval.into(),
        countdown: None,
    };
    let mut engine = Engine::new(btc, cfg, Box::new(grid), &Boot::default())?;
    let now = Time::from_millis(1_700_000_000_000);
    let flat = PositionReport {
        side: PositionSide::Both,
        holding: Holding::FLAT,
        entry: RefPrice::ZERO,
        liquidation: RefPrice::ZERO,
        leverage: 10,
    };
    let qty = btc.parse_qty("1", Round::Exact)?;
    let (bid, ask) = (btc.parse_price("61659.7", Round::Exact)?, btc.parse_price("61659.8", Round::Exact)?);
    let story = [
        Event::Link(Link { feed: Feed::Account, up: true }),
        Event::Fills(Box::new(FillPage { fills: vec![], baseline: Some(TradeId(1)), last: true, asked_at: now })),
        Event::Snapshot(Box::new(Snapshot { asked_at: now, position: flat, open: vec![] })),
        Event::Lease(Lease { exposure_max: 10_000 * 100_000_000, orders_per_10s: 50, until: now + Duration::from_secs(60), demand: None }),
        Event::Top(Top { bid, bid_qty: qty, ask, ask_qty: qty, time: now }),
        Event::Committed { version: 1 },
    ];
    let mut actions = Actions::new();
    for event in &story {
        engine.on_event(now, event, &mut actions);
        for action in actions.drain() {
            match action {
                Action::Place(place) => {
                    println!("place {} {} at {}", place.id.side().as_str(), btc.show_qty(place.qty), btc.show_price(place.price))
                }
                Action::Alert(alert) => println!("told: {}", alert.text),
                other => println!("{other:?}"),
            }
        }
    }
    Ok(())
}
