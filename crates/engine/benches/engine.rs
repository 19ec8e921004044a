//! Latency of `Engine::on_event`: events that change nothing, and market events that cause orders.
//!
//! Prints p50, p99 and p99.9 in nanoseconds, with the cost of reading the clock subtracted: of the calmest of some rounds, and
//! the range of the p50 over all of them, which is the neighbours' doing. Bounded: some seconds.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{Grid, GridConfig};
use std::time::{Duration, Instant};

fn report(id: ClientId, price: Price, qty: Qty, filled: Qty, status: OrderStatus, fill: Option<Fill>, now: Time) -> Event {
    Event::Order(Box::new(OrderReport {
        id: Some(id),
        order_id: OrderId(u128::from(id.generation())),
        side: id.side(),
        price,
        qty,
        filled,
        average: RefPrice::ZERO,
        status,
        kind: OrderType::Limit,
        tif: TimeInForce::Gtx,
        reduce_only: id.side() == Side::Sell,
        fill,
        time: now,
        source: Source::Stream,
    }))
}

/// Samples of one round, sorted.
struct Samples {
    idle: Vec<u64>,
    acting: Vec<u64>,
    about: String,
}

fn main() {
    let rounds: Vec<Samples> = (0..ROUNDS).map(|_| round()).collect();
    let Some(first) = rounds.first() else { return };
    println!("{}; calmest of {ROUNDS} rounds", first.about);
    show("market event, nothing to do", &rounds, |r| &r.idle);
    show("market event -> orders", &rounds, |r| &r.acting);
}

fn at(sorted: &[u64], permille: usize) -> u64 {
    sorted[(sorted.len() - 1) * permille / 1_000]
}

fn show(name: &str, rounds: &[Samples], samples: impl Fn(&Samples) -> &Vec<u64>) {
    let p50 = |r: &Samples| at(samples(r), 500);
    let Some(best) = rounds.iter().min_by_key(|r| (p50(r), at(samples(r), 990))) else { return };
    let worst = rounds.iter().map(p50).max().unwrap_or(0);
    let s = samples(best);
    println!(
        "{name:<28} n {:>8}  p50 {:>4} ns  p99 {:>4} ns  p99.9 {:>5} ns   (p50 of all rounds {} to {worst})",
        s.len(),
        at(s, 500),
        at(s, 990),
        at(s, 999),
        at(s, 500)
    );
}

const ROUNDS: usize = 7;
const EVENTS: usize = 2_000_000;

fn round() -> Samples {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("5", Round::Exact).unwrap();
    let grid = Grid::new(GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 10, sell_window: 10 }, 0);
    let cfg = EngineConfig {
        position: PositionConfig {
            tag: Tag(7),
            run: 100,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 10_000_000 * 100_000_000, guard: GuardConfig::OFF },
        interval: interval.into(),
        countdown: None,
    };
    let mut engine = Engine::new(btc, cfg, Box::new(grid), &Boot::default()).unwrap();
    let mut out = Actions::new();
    let mut now = Time::from_millis(1_700_000_000_000);
    let position = PositionReport {
        side: PositionSide::Both,
        holding: Holding::FLAT,
        entry: RefPrice::ZERO,
        liquidation: RefPrice::ZERO,
        leverage: 10,
    };
    let top = |bid: i64, now| {
        let (bid, qty) = (Price::from_units(bid), Qty::from_units(1_000));
        Event::Top(Top { bid, bid_qty: qty, ask: bid.offset(10).unwrap(), ask_qty: qty, time: now })
    };
    let boot = [
        Event::Link(Link { feed: Feed::Account, up: true }),
        Event::Fills(Box::new(FillPage { fills: vec![], baseline: Some(TradeId(1)), last: true, asked_at: now })),
        Event::Snapshot(Box::new(Snapshot { asked_at: now, position, open: vec![] })),
        Event::Lease(Lease {
            exposure_max: 10_000_000 * 100_000_000,
            orders_per_10s: 10_000,
            until: now + Duration::from_secs(1_000_000),
            demand: None,
        }),
        top(6_000_000, now),
        Event::Committed { version: 1 },
    ];
    for event in &boot {
        engine.on_event(now, event, &mut out);
        out.drain().for_each(drop);
    }

    let mut clock: Vec<u64> = (0..100_000)
        .map(|_| {
            let t = Instant::now();
            t.elapsed().as_nanos() as u64
        })
        .collect();
    clock.sort_unstable();
    let overhead = clock[clock.len() / 2];

    let (mut idle, mut acting): (Vec<u64>, Vec<u64>) = (Vec::with_capacity(EVENTS), Vec::with_capacity(EVENTS));
    let (mut bid, mut seed, mut trade) = (6_000_000_i64, 0x9e37_79b9_7f4a_7c15_u64, 1_u64);
    let (mut resting, mut todo): (Vec<Place>, Vec<Event>) = (Vec::new(), Vec::new());
    let (mut orders, mut fills) = (0_u64, 0_u64);
    for _ in 0..EVENTS {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        now = now + Duration::from_micros(2_000);
        // One event in eight moves the touch, by up to thirty ticks, on a grid of fifty ticks.
        if seed & 7 == 0 {
            bid += ((seed >> 8) % 61) as i64 * 10 - 300;
            bid = bid.clamp(5_900_000, 6_100_000);
        }
        let event = top(bid, now);
        let start = Instant::now();
        engine.on_event(now, &event, &mut out);
        let nanos = (start.elapsed().as_nanos() as u64).saturating_sub(overhead);
        let acted = out.as_slice().iter().any(|a| matches!(a, Action::Place(_) | Action::Cancel(_)));
        if acted {
            acting.push(nanos)
        } else {
            idle.push(nanos)
        }
        for place in resting.extract_if(.., |p| match p.id.side() {
            Side::Buy => p.price.units() > bid,
            Side::Sell => p.price.units() <= bid,
        }) {
            trade += 1;
            fills += 1;
            let fill = Fill {
                trade_id: TradeId(trade),
                order_id: OrderId(u128::from(place.id.generation())),
                id: Some(place.id),
                side: place.id.side(),
                price: place.price,
                qty: place.qty,
                fee: btc.fee(place.price * place.qty, btc.maker_fee),
                realized: Amount::zero(btc.quote),
                maker: true,
                time: now,
            };
            todo.push(report(place.id, place.price, place.qty, place.qty, OrderStatus::Filled, Some(fill), now));
        }
        loop {
            for action in out.drain() {
                match action {
                    Action::Place(p) => {
                        orders += 1;
                        resting.push(p);
                        todo.push(report(p.id, p.price, p.qty, Qty::ZERO, OrderStatus::New, None, now));
                    }
                    Action::Cancel(c) => {
                        if let Some(at) = resting.iter().position(|p| p.id == c.id) {
                            let p = resting.swap_remove(at);
                            todo.push(report(p.id, p.price, p.qty, Qty::ZERO, OrderStatus::Canceled, None, now));
                        }
                    }
                    Action::Query { .. }
                    | Action::Commit(_)
                    | Action::Record(_)
                    | Action::Alert(_)
                    | Action::Countdown { .. }
                    | Action::History => {}
                    Action::Resync { .. } => {}
                }
            }
            let Some(event) = todo.pop() else { break };
            engine.on_event(now, &event, &mut out);
        }
    }
    idle.sort_unstable();
    acting.sort_unstable();
    let about = format!(
        "engine: grid 10+10, {EVENTS} market events, {orders} orders, {fills} fills; clock {overhead} ns subtracted; engine {} bytes",
        engine.bytes()
    );
    Samples { idle, acting, about }
}
