//! After warm-up the path from a market event to an order allocates nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]
#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{
    AdjusterConfig, CapitalConfig, Cascade, Child, ChildConfig, Choice, ComboConfig, DcaConfig, DcaPlan, Direction, Entry, Grid,
    GridConfig, GridOptions, MeanReversionConfig, MeanReversionPlan, Regime, Regimes, Size, Strategy, StrategyConfig, TradeConfig, Trader,
    TrendConfig,
};
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

fn candle(minute: u64, close: i64) -> Event {
    let (price, now) = (Price::from_units, 1_700_000_040_000);
    Event::Candle(Box::new(Candle {
        open_time: Time::from_millis(now + minute * 60_000),
        open: price(close),
        high: price(close + 500),
        low: price(close - 500),
        close: price(close),
        volume: Qty::from_units(1_000),
        turnover: Notional::ZERO,
        taker_buy: Qty::ZERO,
        trades: 1,
    }))
}

#[test]
fn market_event_to_order_allocates_nothing() {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("20", Round::Exact).unwrap();
    let cfg = GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 20, sell_window: 20 };
    check(Box::new(Grid::new(cfg, 0)), interval, 500);
    check(Box::new(Grid::short(cfg, 0)), interval, 500);
}

#[test]
fn a_candle_to_an_order_allocates_nothing_either() {
    let trade = TradeConfig {
        direction: Direction::Long,
        bar: Duration::from_secs(60),
        entry: Entry::Taker,
        slippage: 0,
        stop_loss: 10_000,
        trailing_from: 0,
        trailing: 0,
        cooldown: Duration::ZERO,
    };
    let dca = DcaConfig {
        direction: Direction::Long,
        amount: 300 * 100_000_000,
        safety_amount: 300 * 100_000_000,
        safety_orders: 5,
        atr: 14,
        atr_multiplier: 1_500_000,
        step_min: 1_000,
        step_max: 50_000,
        amount_scale: 1_050_000,
        step_scale: 1_000_000,
        take_first: 10_000,
        take_last: 5_000,
        take_total: 20_000,
        cascade: Some(Cascade { drop: 50_000, bars: 10, pause: 2 }),
        trend: 0,
    };
    check(Box::new(Trader::new(DcaPlan::new(dca).unwrap(), trade)), Price::from_units(10), 100);
    let bands = MeanReversionConfig { amount: 300 * 100_000_000, period: 5, enter_milli: 500, leave_milli: 100, take_profit: 0 };
    let both = TradeConfig { direction: Direction::Both, ..trade };
    check(Box::new(Trader::new(MeanReversionPlan::new(bands).unwrap(), both)), Price::from_units(10), 20);
}

#[test]
fn several_strategies_and_a_chosen_spacing_allocate_nothing_either() {
    let interval = Instrument::example_btcusdt().parse_price("5", Round::Exact).unwrap();
    let cfg = GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 8, sell_window: 8 };
    let grid = |opening| ChildConfig::Grid(cfg, GridOptions { opening, ..GridOptions::LONG });
    let (calm, wild) = (Regimes::NONE.with(Regime::Ranging), Regimes::NONE.with(Regime::Up).with(Regime::Down));
    let child = |strategy, when| Some(Child { strategy, when, weight: 500_000 });
    let bar = Duration::from_secs(60);
    let trend = TrendConfig {
        bar,
        adx: 2,
        trend_from: 50_000,
        trend_until: 40_000,
        mean: 2,
        volatility: 2,
        volatile_from: 0,
        volatile_until: 0,
        confirm: 1,
    };
    let capital = CapitalConfig { amount: 2_000 * 100_000_000, period: bar, window: 3, floor: 0, ceiling: 1_000_000, step: 10_000 };
    let children = [child(grid(Side::Buy), calm), child(grid(Side::Sell), wild), None, None];
    let combo = ComboConfig { children, choice: Choice::Trend(trend), capital: Some(capital) };
    check(StrategyConfig::Combo(combo).build().unwrap(), interval, 100);
    // Five apart earn no fees: which spacing does is looked at with each bar.
    let adjuster = AdjusterConfig { bar, volatility: 2, deviations: 1, spacings: 4, margin: 0, size: Size::Fixed };
    let config = StrategyConfig::Combo(ComboConfig::adjusted(grid(Side::Buy), adjuster));
    check(config.build().unwrap(), interval, 100);
}

/// Feeds prices and candles; at least so many orders must be placed and withdrawn meanwhile.
fn check(strategy: Box<dyn Strategy>, interval: Price, least: u32) {
    let btc = Instrument::example_btcusdt();
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
        interval: interval.into(),
        countdown: None,
    };
    let mut engine = Engine::new(btc, cfg, strategy, &Boot::default()).unwrap();
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
        // A candle with every hundredth price.
        let event = if step % 100 == 99 { candle(step as u64 / 100, 6_000_000 + (step * step) % 20_000) } else { event };
        let before = ALLOCATIONS.with(Cell::get);
        engine.on_event(now, &event, &mut out);
        allocations += ALLOCATIONS.with(Cell::get) - before;
        answers.clear();
        answers.extend(out.drain());
        // What an answer causes is answered, too.
        let mut at = 0;
        while let Some(action) = answers.get(at) {
            at += 1;
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
                | Action::Countdown { .. }
                | Action::History => continue,
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
            answers.extend(out.drain());
        }
    }
    assert!(placed > least && canceled > least, "the market moved nothing: {placed} placed, {canceled} canceled");
    assert_eq!(allocations, 0);
}
