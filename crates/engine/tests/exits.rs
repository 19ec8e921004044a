//! Whatever happens around it, what is to be closed is closed, and nothing is opened that could not be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::Boot;
use plimsoll_market::*;
use plimsoll_strategy::*;
use shared::desk::{Desk, USDT, common, momentum};
use std::time::Duration;

/// Strength is 50 while nothing moves; the fifth close is weak.
const WEAK: [i64; 5] = [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000];
const STRONG: [i64; 5] = [6_000_000, 6_000_000, 6_000_000, 6_000_000, 6_010_000];

fn minutes(d: &mut Desk, bids: &[i64]) {
    for bid in bids {
        d.minute(*bid);
    }
}

/// Two layers: one at once, one per cent below another; a target one per cent above their mean; a stop.
fn two_layers(stop_loss: u32) -> Desk {
    let cfg = MartingaleConfig {
        direction: Direction::Long,
        amount: 300 * USDT,
        multiplier: 2_000_000,
        layers: 2,
        step: 10_000,
        decay: 900_000,
        multiplier_min: 1_200_000,
        take_profit: 10_000,
        reverse: false,
        trend: 0,
    };
    let common =
        common(|c| (c.direction, c.slippage, c.stop_loss, c.cooldown) = (Direction::Long, 0, stop_loss, Duration::from_secs(3_600)));
    Desk::new(MartingalePlan::new(cfg).unwrap(), common)
}

/// What another one fills of a resting order.
fn partly(d: &mut Desk, at: usize, units: u64) -> Event {
    let order = d.open[at];
    let Event::Order(mut report) = d.told(&order, units, OrderStatus::PartiallyFilled) else { unreachable!() };
    d.w.next_trade += 1;
    report.fill = Some(Fill {
        trade_id: TradeId(d.w.next_trade),
        order_id: report.order_id,
        id: Some(order.id),
        side: order.id.side(),
        price: order.price,
        qty: Qty::from_units(units),
        fee: shared::usdt(0),
        realized: shared::usdt(0),
        maker: true,
        time: d.w.now,
    });
    Event::Order(report)
}

#[test]
fn nothing_opens_against_what_somebody_else_holds() {
    for (theirs, bids, opens) in [(-100, WEAK, false), (100, WEAK, true), (100, STRONG, false), (-100, STRONG, true)] {
        let mut d = Desk::boot(momentum(0), common(|_| ()), &Boot::default(), theirs);
        minutes(&mut d, &bids);
        assert_eq!(d.log.len(), usize::from(opens), "{theirs}: {:?}", d.log);
        assert_eq!(d.alerts.iter().filter(|code| **code == AlertCode::PositionMismatch).count(), usize::from(!opens), "told once");
        assert_eq!(d.holding() == theirs, !opens);
    }
}

#[test]
fn what_somebody_else_has_closed_is_in_nobodys_way() {
    let btc = Instrument::example_btcusdt();
    let grid =
        GridConfig { interval: btc.parse_price("100", Round::Exact).unwrap(), order_quote: 200 * USDT, buy_window: 3, sell_window: 3 };
    let mut w = shared::World::refusing(&Boot::default(), Box::new(Grid::new(grid, 0)), grid.interval);
    w.feed(Event::Link(Link { feed: Feed::Account, up: true }));
    w.feed(w.page(vec![], Some(1_000)));
    w.feed(w.lease());
    w.feed(w.top("60000.0", "60000.1"));
    let told = w.feed(w.snapshot("0.020", vec![]));
    assert!(told.contains(&"alert position_mismatch".to_owned()), "{told:?}");
    // They sell it, which the stream tells too.
    let mut gone = w.report(
        ClientId::new(Tag(9), 1, Leg::new(0, 0).unwrap(), Side::Sell, 1),
        "60000",
        "0.020",
        "0.020",
        OrderStatus::Filled,
        Source::Stream,
    );
    (gone.id, gone.side) = (None, Side::Sell);
    gone.fill = Some(Fill {
        trade_id: TradeId(1_001),
        order_id: gone.order_id,
        id: None,
        side: Side::Sell,
        price: gone.price,
        qty: gone.qty,
        fee: shared::usdt(0),
        realized: shared::usdt(0),
        maker: false,
        time: w.now,
    });
    w.feed(Event::Order(Box::new(gone)));
    w.now = w.now + Duration::from_secs(1);
    w.feed(w.page(vec![], None));
    w.check(w.snapshot("0", vec![]), &["commit 2 anchor Some(\"60000.00\")"]);
    w.feed(Event::Committed { version: 2 });
    let told = w.feed(w.top("60000.0", "60000.2"));
    assert_eq!(told.iter().filter(|line| line.starts_with("place")).count(), 3, "{told:?}");
}

#[test]
fn long_and_short_of_one_strategy_are_closed_against_each_other() {
    let long = common(|c| c.direction = Direction::Long);
    let (mut boot, _) = Desk::new(momentum(0), long).stored();
    let slot = |number, held: i64, price: i64| SlotRow {
        leg: Leg::new(number, 0).unwrap(),
        held: Qty::from_units(held.unsigned_abs()),
        cost: Price::from_units(price) * Holding::from_units(held),
    };
    boot.books.slots = vec![slot(1, 10, 6_000_000), slot(1 + Leg::SHORT, -4, 6_100_000)];
    let totals = boot.books.totals.get_or_insert(Totals::EMPTY);
    (totals.holding, totals.cost, totals.fills) = (Holding::from_units(6), Price::from_units(5_930_000) * Holding::from_units(6), 2);
    let mut d = Desk::boot(momentum(0), long, &boot, 6);
    let view = d.w.engine.position().view(d.w.now);
    let held: Vec<_> = view.slots.holding().map(|slot| (slot.leg.opening(), slot.held.units())).collect();
    assert_eq!((held, view.totals.holding.units()), (vec![(Some(Side::Buy), 6)], 6));
    // The rest is an ordinary position.
    minutes(&mut d, &WEAK);
    d.minute(6_100_000);
    d.check(&["fill long 0 sell market 0.006 0.00 reduces at 61000.00"]);
}

#[test]
fn a_stop_does_not_wait_for_the_share_of_orders() {
    let mut d = two_layers(30_000);
    d.minute(6_000_000);
    d.price(5_939_000);
    assert_eq!(d.holding(), 14);
    d.log.clear();
    // One order in ten seconds, which another target has taken.
    d.feed(Event::Lease(Lease {
        exposure_max: 100_000 * USDT,
        orders_per_10s: 1,
        until: d.w.now + Duration::from_secs(3_600),
        demand: None,
    }));
    d.w.now = d.w.now + Duration::from_millis(20);
    let target = d.open[0];
    d.open.remove(0);
    let gone = d.told(&target, 0, OrderStatus::Canceled);
    d.feed(gone);
    d.log.clear();
    d.price(5_700_000);
    let closed = d.log.iter().filter(|line| line.starts_with("fill long") && line.contains("market")).count();
    assert_eq!((closed, d.holding()), (2, 0), "{:?}", d.log);
}

#[test]
fn a_stop_does_not_wait_for_the_pause_after_other_refusals() {
    let mut d = Desk::new(momentum(20_000), common(|c| c.stop_loss = 10_000));
    d.busy = 100;
    minutes(&mut d, &WEAK);
    // The target is refused again and again: the leg waits half a minute.
    for _ in 0..5 {
        d.w.now = d.w.now + Duration::from_secs(40);
        d.feed(d.w.lease());
        d.price(5_990_000);
        d.feed(Event::Wake);
    }
    assert!(d.open.is_empty());
    d.log.clear();
    d.busy = 6;
    d.price(5_900_000);
    d.check(&["refuse long 0 sell market 0.016 0.00 reduces"]);
    // Its own refusals hold it up for two seconds at most.
    for _ in 0..6 {
        d.w.now = d.w.now + Duration::from_secs(2);
        d.price(5_900_000);
        d.feed(Event::Wake);
    }
    assert_eq!((d.log.last().map(String::as_str), d.holding()), (Some("fill long 0 sell market 0.016 0.00 reduces at 59000.00"), 0));
}

#[test]
fn a_decided_stop_needs_no_price() {
    let mut d = Desk::new(momentum(0), common(|c| c.stop_loss = 10_000));
    minutes(&mut d, &WEAK);
    d.busy = 1;
    d.price(5_900_000);
    d.log.clear();
    d.feed(Event::Gap(Feed::Market));
    d.w.now = d.w.now + Duration::from_secs(2);
    d.feed(Event::Wake);
    d.check(&["fill long 0 sell market 0.016 0.00 reduces at 59000.00"]);
}

#[test]
fn a_stop_is_over_when_nothing_of_its_own_can_fill_any_more() {
    let mut d = two_layers(5_000);
    d.minute(6_000_000);
    assert_eq!(d.open.iter().filter(|order| !order.reduce_only).count(), 1, "the next layer rests a per cent below");
    d.deaf = true;
    d.price(5_969_000);
    let fills = |d: &Desk| d.log.iter().filter(|line| line.contains("market")).count();
    // The first layer waits for its target to be gone; nobody hears it.
    assert_eq!((fills(&d), d.holding()), (0, 4));
    let target = d.open.remove(d.open.iter().position(|order| order.reduce_only).unwrap());
    let gone = d.told(&target, 0, OrderStatus::Canceled);
    d.feed(gone);
    assert_eq!((fills(&d), d.holding()), (1, 0));
    // The other cancel comes too late: the layer is bought, and sold at once.
    d.price(5_930_000);
    assert_eq!((fills(&d), d.holding(), d.open.len()), (2, 0, 0), "{:?}", d.log);
}

#[test]
fn a_layer_that_fills_in_part_gets_its_target_when_its_bar_ends() {
    let mut d = two_layers(0);
    d.minute(6_000_000);
    d.log.clear();
    let layer = d.open.iter().position(|order| !order.reduce_only).unwrap();
    let part = partly(&mut d, layer, 6);
    d.feed(part);
    assert!(!d.log.iter().any(|line| line.contains("long 1")), "it may be filled on: {:?}", d.log);
    d.minute(5_980_000);
    assert!(d.log.contains(&"cancel long 1 buy maker 0.010 59400.00".to_owned()), "{:?}", d.log);
    let resting = d.open.iter().filter(|order| order.reduce_only).map(|order| order.qty.units()).sum::<u64>();
    assert_eq!((resting as i64, d.holding()), (10, 10));
}

#[test]
fn a_layer_that_fills_in_part_is_not_left_behind_at_the_target() {
    let mut d = two_layers(0);
    d.minute(6_000_000);
    let layer = d.open.iter().position(|order| !order.reduce_only).unwrap();
    let part = partly(&mut d, layer, 6);
    d.feed(part);
    d.price(6_070_000);
    d.w.now = d.w.now + Duration::from_secs(2);
    d.feed(Event::Wake);
    d.price(6_070_100);
    assert_eq!((d.holding(), d.open.len()), (0, 0), "{:?}", d.log);
}

#[test]
fn a_stop_and_its_pause_outlive_a_restart() {
    let cfg = common(|c| (c.stop_loss, c.cooldown) = (10_000, Duration::from_secs(3_600)));
    let mut d = Desk::new(momentum(0), cfg);
    minutes(&mut d, &WEAK);
    d.busy = 1;
    d.price(5_900_000);
    assert_eq!(d.holding(), 16);
    let (boot, holding) = d.stored();
    assert_ne!(d.memo, Memo::NONE);
    // The price is better now: the stop stands.
    let again = Desk::boot(momentum(0), cfg, &boot, holding);
    assert_eq!(again.holding(), 0);
    let (boot, holding) = again.stored();
    let mut again = Desk::boot(momentum(0), cfg, &boot, holding);
    minutes(&mut again, &WEAK);
    again.check(&[]);
    // An hour later the same is a reason.
    for _ in 0..60 {
        again.minute(6_000_000);
    }
    again.minute(5_990_000);
    assert_eq!(again.holding(), 16);
}

#[test]
fn a_bar_that_ended_long_ago_is_not_acted_on() {
    let mut d = Desk::new(momentum(0), common(|c| c.bar = Duration::from_secs(120)));
    d.minute = 1;
    // The last bar lacks its second minute: it is known to be over only when the next candle comes, two minutes late.
    minutes(&mut d, &[6_000_000; 11]);
    d.minute(5_900_000);
    d.minute += 1;
    d.minute(5_900_000);
    d.check(&[]);
    d.minute(5_900_000);
    assert_eq!(d.holding(), 0);
}

#[test]
fn what_is_off_the_step_is_closed_as_far_as_orders_go() {
    let mut d = Desk::new(momentum(0), common(|c| c.direction = Direction::Long));
    minutes(&mut d, &WEAK);
    d.log.clear();
    let step = Qty::from_units(5);
    let rules = Instrument { step, market_step: step, qty_min: step, market_qty_min: step, ..d.w.btc };
    d.feed(Event::Instrument(Box::new(rules)));
    d.minute(6_100_000);
    d.check(&["fill long 0 sell market 0.015 0.00 reduces at 61000.00"]);
    assert_eq!(d.holding(), 1, "less than can be ordered is no position");
}

#[test]
fn who_holds_without_warm_figures_is_told_so() {
    let mut d = Desk::new(momentum(0), common(|_| ()));
    minutes(&mut d, &WEAK);
    let (boot, holding) = d.stored();
    assert!(!d.alerts.contains(&AlertCode::Risk));
    let mut again = Desk::boot(momentum(0), common(|_| ()), &boot, holding);
    minutes(&mut again, &WEAK);
    assert_eq!(again.alerts, [AlertCode::Risk]);
}

#[test]
fn a_stop_that_finds_nobody_to_trade_with_does_not_spin() {
    let mut d = Desk::new(momentum(0), common(|c| c.stop_loss = 10_000));
    minutes(&mut d, &WEAK);
    d.log.clear();
    d.empty = 2;
    d.price(5_900_000);
    d.price(5_899_000);
    d.check(&["expire long 0 sell market 0.016 0.00 reduces"]);
    for (bid, line) in
        [(5_890_000, "expire long 0 sell market 0.016 0.00 reduces"), (5_880_000, "fill long 0 sell market 0.016 0.00 reduces at 58800.00")]
    {
        d.w.now = d.w.now + Duration::from_secs(2);
        d.price(bid);
        d.feed(Event::Wake);
        d.check(&[line]);
    }
    assert_eq!(d.holding(), 0);
}

#[test]
fn a_bar_that_is_told_late_still_closes_what_is_held() {
    let mut d = Desk::new(momentum(0), common(|c| c.direction = Direction::Long));
    minutes(&mut d, &WEAK);
    assert_eq!(d.holding(), 16);
    d.log.clear();
    d.w.now = d.w.now + Duration::from_secs(300);
    for at in 0..4 {
        let (minute, event) = (d.minute + 1, d.candle(d.minute, 6_000_000 + 40_000 * at));
        d.minute = minute;
        d.feed(event);
    }
    d.check(&[]);
    d.price(6_120_000);
    d.check(&["fill long 0 sell market 0.016 0.00 reduces at 61200.00"]);
    // Weakness that was told late opens nothing.
    for at in 0..5 {
        let (minute, event) = (d.minute + 1, d.candle(d.minute, 6_100_000 - 40_000 * at));
        d.minute = minute;
        d.w.now = d.w.now.max(Time::from_millis(1_700_000_040_000 + (minute + 3) * 60_000));
        d.feed(event);
        d.price(6_000_000);
    }
    assert_eq!(d.holding(), 0);
}
