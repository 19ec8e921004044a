//! What the safety layer adds to an event: `Gate::observe` and `Gate::clear` of twenty quotes, with every rule on and with none.
//!
//! Prints the mean of the calmest of some rounds in nanoseconds, and the range over all rounds, which is the neighbours' doing;
//! and how often it allocates, which must be never. The limit for both calls together is 200 ns. Bounded: some seconds.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use plimsoll_market::*;
use plimsoll_position::{Position, PositionConfig};
use plimsoll_safety::{Gate, GateConfig, GuardConfig, Protections, Streak, Wanted};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call is handed to the system's allocator as it came.
#[allow(unsafe_code, reason = "an allocator that counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 9;
const CALLS: u32 = 400_000;

fn rules() -> GuardConfig {
    let streak = Streak { trades: 3, look_back: Duration::from_secs(86_400), pause: Duration::from_secs(60) };
    GuardConfig {
        order_max: 100_000 * 100_000_000,
        stop_loss: 300_000,
        stop_loss_pause: None,
        take_profit: 200_000,
        trailing: 50_000,
        take_profit_pause: Duration::from_secs(60),
        layers_max: 60,
        orders_max: 50,
        liquidation: 50_000,
        funding: 5_000,
        funding_before: Duration::from_secs(600),
        margin_lock: Duration::from_secs(10),
        cancels_per_minute: 600,
        protections: Protections {
            stoploss_guard: Some(streak),
            loss_guard: Some((streak, 100_000)),
            low_profit: Some((streak, 0)),
            cooldown: Some(Duration::from_secs(60)),
        },
    }
}

/// Nanoseconds for an event of this kind, and allocations.
fn round(guard: GuardConfig, event: &Event) -> (f64, u64) {
    const USDT: i128 = 100_000_000;
    let btc = Instrument::example_btcusdt();
    let cfg = PositionConfig {
        tag: Tag(1),
        run: 1,
        series: 0,
        placed_before: 0,
        recv_window_ms: 5_000,
        compare_every: PositionConfig::COMPARE_EVERY,
        accept_position: true,
    };
    let mut books = Position::new(btc, cfg, None);
    let mut gate = Gate::new(GateConfig { stale_after: Duration::from_secs(10), exposure_max: 100_000 * USDT, guard }, false, false, None);
    let (now, mut out) = (Time::from_millis(1_700_000_000_000), Actions::new());
    let held = PositionReport {
        side: PositionSide::Both,
        holding: Holding::from_units(100),
        entry: RefPrice::from_units(6_000_000_000_000),
        liquidation: RefPrice::from_units(4_000_000_000_000),
        leverage: 10,
    };
    let qty = Qty::from_units(5);
    let top = Top { bid: Price::from_units(6_000_000), bid_qty: qty, ask: Price::from_units(6_000_010), ask_qty: qty, time: now };
    let lease = Lease { exposure_max: 100_000 * USDT, orders_per_10s: 100, until: now + Duration::from_secs(30), demand: None };
    let before = [
        Event::Link(Link { feed: Feed::Account, up: true }),
        Event::Fills(Box::new(FillPage { fills: vec![], baseline: Some(TradeId(1)), last: true, asked_at: now })),
        Event::Snapshot(Box::new(Snapshot { asked_at: now, position: held, open: vec![] })),
        Event::Lease(lease),
        Event::Top(top),
    ];
    for event in before.iter().chain([event]) {
        books.apply(now, event, &mut out);
        out.drain().for_each(drop);
        gate.observe(event, &books.view(now), &mut out);
        out.drain().for_each(drop);
    }
    assert_eq!(gate.closed(), None, "a gate that is closed shows nothing");
    let quotes: Vec<Wanted> = (1..=10)
        .flat_map(|n| {
            let (buy, sell) = (Price::from_units(6_000_000 - n * 500), Price::from_units(6_000_000 + n * 500));
            let wanted = |side, price| Wanted { side, reduce_only: side == Side::Sell, price, qty, works: true };
            [wanted(Side::Buy, buy), wanted(Side::Sell, sell)]
        })
        .collect();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let began = Instant::now();
    for _ in 0..CALLS {
        let view = books.view(now);
        black_box(gate.observe(black_box(event), &view, &mut out));
        black_box(gate.clear(black_box(&quotes).iter().copied(), 0, &view));
    }
    let nanos = began.elapsed().as_nanos() as f64 / f64::from(CALLS);
    (nanos, ALLOCATIONS.load(Ordering::Relaxed) - allocations)
}

fn main() {
    let qty = Qty::from_units(5);
    let now = Time::from_millis(1_700_000_000_000);
    let top =
        Event::Top(Top { bid: Price::from_units(6_000_000), bid_qty: qty, ask: Price::from_units(6_000_010), ask_qty: qty, time: now });
    let price = RefPrice::from_units(6_000_000_000_000);
    let mark = Event::Mark(MarkPrice {
        mark: price,
        index: price,
        funding: Some(Bps::from_ppm(100)),
        next_funding: now + Duration::from_secs(60),
        time: now,
    });
    for (name, guard, event) in [
        ("best price, no rules", GuardConfig::OFF, &top),
        ("best price, every rule", rules(), &top),
        ("mark price, no rules", GuardConfig::OFF, &mark),
        ("mark price, every rule", rules(), &mark),
    ] {
        let rounds: Vec<(f64, u64)> = (0..ROUNDS).map(|_| round(guard, event)).collect();
        let (best, worst) = rounds.iter().fold((f64::MAX, 0.0_f64), |(b, w), (n, _)| (b.min(*n), w.max(*n)));
        let allocations: u64 = rounds.iter().map(|(_, n)| n).sum();
        let verdict = if best < 200.0 && allocations == 0 { "ok" } else { "MISSED" };
        println!("{name:<24} {best:>6.0} ns (all rounds up to {worst:.0}), {allocations} allocations, limit 200 ns: {verdict}");
    }
}
