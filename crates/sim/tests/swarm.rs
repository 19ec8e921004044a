//! The engine against the venue in made-up time, with everything that goes wrong between them: delays, requests and answers
//! that are lost, streams that are cut, and crashes that lose what was not yet on disk.
//!
//! A seed decides everything; a failure names it. `PLIMSOLL_SWARM_SEEDS=500` runs more of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

#[path = "swarm/world.rs"]
mod world;

use plimsoll_market::*;
use plimsoll_sim::venue::Page;
use std::time::Duration;
use world::{ACCOUNT, World};

fn one(seed: u64) -> (u64, u64) {
    let mut world = World::new(seed);
    world.lend();
    world.connect();
    world.run_for(seed, Duration::from_secs(120));
    // Peace: what went wrong must heal by itself.
    world.faults = false;
    if !world.stream_up {
        world.connect();
    }
    world.run_for(seed, Duration::from_secs(90));
    world.feed(&Event::Shutdown(StopMode::Cancel));
    let until = world.now + Duration::from_secs(60);
    while world.engine.phase() != Phase::Drained {
        let view = world.engine.position().view(world.now);
        let orders: Vec<_> = view.orders.iter().collect();
        let sync = world.engine.position().sync_state();
        assert!(world.now < until, "seed {seed}: did not drain at {:?}: {sync:?} {orders:#?}; {:#?}", world.now, world.told);
        world.step();
    }
    let all = world.disk.waiting.len();
    world.disk.flush(all);
    let open = world.venue.open_orders(ACCOUNT, None).unwrap();
    assert!(open.is_empty(), "seed {seed}: left open: {open:#?}");
    let trades =
        world.venue.user_trades(ACCOUNT, world.btc.symbol, None, Page { from_id: Some(0), start: None, end: None, limit: 20_000 }).unwrap();
    let totals = world.disk.totals.unwrap_or(Totals::EMPTY);
    let position = world.venue.position(ACCOUNT, world.btc.symbol).unwrap();
    let (fees, realized) = trades.iter().fold((0, 0), |(f, r), t| (f + t.commission, r + t.realized));
    let told = &world.told;
    assert_eq!(totals.fills, trades.len() as u64, "seed {seed}: executions; {told:#?}");
    assert_eq!((totals.holding, totals.cost), (position.holding, position.cost), "seed {seed}: position; {told:#?}");
    assert_eq!((totals.fees, totals.realized), (fees, realized), "seed {seed}: money; {told:#?}");
    let held: u64 = world.disk.slots.values().map(|s| s.held.units()).sum();
    assert_eq!(held as i64, position.holding.units(), "seed {seed}: slots; {told:#?}");
    (totals.fills, world.run)
}

#[test]
fn whatever_goes_wrong_the_books_agree_in_the_end() {
    let seeds = std::env::var("PLIMSOLL_SWARM_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(16);
    let first = std::env::var("PLIMSOLL_SWARM_FIRST").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let (mut fills, mut crashes) = (0, 0);
    for seed in first..first + seeds {
        let (f, run) = one(seed);
        fills += f;
        crashes += run - 1;
    }
    eprintln!("{seeds} seeds: {fills} fills, {crashes} crashes");
    assert!(fills > 20 * seeds && crashes > 0, "too little happened: {fills} fills, {crashes} crashes");
}
