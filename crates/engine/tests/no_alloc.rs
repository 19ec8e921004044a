//! After warm-up the path from a market event to an order allocates nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]
#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{Grid, GridConfig};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator; only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

fn top(btc: &Instrument, ticks: i64, now: Time) -> Event {
    let bid = Price::from_units(6_000_000 + ticks * btc.tick.units());
    let qty = Qty::from_units(1_000);
    Event::Top(Top { bid, bid_qty: qty, ask: bid.offset(btc.tick.units()).unwrap(), ask_qty: qty, time: now })
}

#[test]
fn market_event_to_order_allocates_nothing() {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("20", Round::Exact).unwrap();
    let grid = Grid::new(GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 20, sell_window: 20 }, 0);
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
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000_000 * 100_000_000, guard: GuardConfig::OFF },
        interval,
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
    let boot = [
        Event::Link(Link { feed: Feed::Account, up: true }),
        Event::Fills(Box::new(FillPage { fills: vec![], baseline: Some(TradeId(1)), last: true, asked_at: now })),
        Event::Snapshot(Box::new(Snapshot { asked_at: now, position, open: vec![] })),
        Event::Lease(Lease {
            exposure_max: 1_000_000 * 100_000_000,
            orders_per_10s: 10_000,
            until: now + Duration::from_secs(1_000_000),
            demand: None,
        }),
        top(&btc, 0, now),
        Event::Committed { version: 1 },
    ];
    for event in &boot {
        engine.on_event(now, event, &mut out);
        out.drain().for_each(drop);
    }
    let (mut placed, mut canceled, mut allocations) = (0_u32, 0_u32, 0);
    let mut answers: Vec<Action> = Vec::with_capacity(256);
    for step in 0..20_000_i64 {
        now = now + Duration::from_millis(5);
        // Wanders over many levels and back.
        let ticks = (step * 7) % 4_000 - 2_000;
        let event = top(&btc, if step / 4_000 % 2 == 0 { ticks } else { -ticks }, now);
        let before = ALLOCATIONS.with(Cell::get);
        engine.on_event(now, &event, &mut out);
        allocations += ALLOCATIONS.with(Cell::get) - before;
        answers.clear();
        answers.extend(out.drain());
        for action in &answers {
            let (id, status) = match action {
                Action::Place(place) => {
                    placed += 1;
                    (place.id, OrderStatus::New)
                }
                Action::Cancel(cancel) => {
                    canceled += 1;
                    (cancel.id, OrderStatus::Canceled)
                }
                Action::Query { .. }
                | Action::Resync { .. }
                | Action::Commit(_)
                | Action::Record(_)
                | Action::Alert(_)
                | Action::Countdown { .. } => continue,
            };
            let report = OrderReport {
                id: Some(id),
                order_id: OrderId(u128::from(id.generation())),
                side: id.side(),
                price: Price::ZERO,
                qty: Qty::from_units(3),
                filled: Qty::ZERO,
                average: RefPrice::ZERO,
                status,
                kind: OrderType::Limit,
                tif: TimeInForce::Gtx,
                reduce_only: false,
                fill: None,
                time: now,
                source: Source::Stream,
            };
            engine.on_event(now, &Event::Order(Box::new(report)), &mut out);
            out.drain().for_each(drop);
        }
    }
    assert!(placed > 500 && canceled > 500, "the market moved nothing: {placed} placed, {canceled} canceled");
    assert_eq!(allocations, 0);
}
