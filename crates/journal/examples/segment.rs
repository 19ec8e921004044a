//! Writes a segment by hand, replays it, and shows what a changed answer looks like.

use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_journal::{End, EntryRef, FRAME_HEAD, Head, MAGIC, Settings, replay, seal, show_event};
use plimsoll_market::{Actions, Event, Feed, Instrument, Link, Name, Price, Tag, Time};
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{Grid, GridConfig, StrategyConfig};
use std::time::Duration;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let interval = Price::from_units(10_000);
    let grid = GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 3, sell_window: 3 };
    let config = EngineConfig {
        position: PositionConfig {
            tag: Tag(7),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000 * 100_000_000, guard: GuardConfig::OFF },
        interval: interval.into(),
        countdown: None,
    };
    let (btc, now) = (Instrument::example_btcusdt(), Time::from_millis(1_700_000_000_000));
    let mut engine = Engine::new(btc, config, Box::new(Grid::new(grid, 0)), &Boot::default())?;
    let head = Head {
        program: "example".to_owned(),
        build: 0,
        account: Name::new("main")?,
        run: 1,
        segment: 0,
        follows: false,
        lost: 0,
        began: now,
        instrument: btc,
        engine: Settings(config),
        strategy: StrategyConfig::Grid(grid),
    };
    let mut frame = vec![0; FRAME_HEAD];
    frame.extend(postcard::to_stdvec(&(&head, &engine))?);
    let (event, mut actions) = (Event::Link(Link { feed: Feed::Account, up: true }), Actions::new());
    engine.on_event(now, &event, &mut actions);
    frame.extend(postcard::to_stdvec(&EntryRef::Event { since: 0, actions: 1, event: &event })?);
    for action in actions.as_slice() {
        frame.extend(postcard::to_stdvec(&EntryRef::Action(action))?);
    }
    frame.extend(postcard::to_stdvec(&EntryRef::End(End::Stopped))?);
    let length = frame.len();
    seal(&mut frame, length, 0);
    let file = [&MAGIC[..], &frame].concat();
    let report = replay(file.as_slice(), |_, step| println!("{:?}", step.answer)).map_err(|(damage, _)| damage)?;
    let report = report.ok_or("nothing to replay")?;
    println!("{}: {} events, {:?}, {:?}", show_event(&event, &btc), report.events, report.ending, report.difference);
    Ok(())
}
