//! Grids with options, on a little exchange that fills what the price reaches.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::{Boot, Engine, EngineError};
use plimsoll_market::*;
use plimsoll_strategy::*;
use shared::desk::{Desk, USDT, show};
use std::time::Duration;

/// 100 USDT apart, 200 USDT an order, two levels and two exits.
fn grid(change: impl Fn(&mut GridOptions)) -> StrategyConfig {
    let mut options = GridOptions::LONG;
    change(&mut options);
    let interval = Price::from_units(10_000);
    let config = StrategyConfig::GridWith(GridConfig { interval, order_quote: 200 * USDT, buy_window: 2, sell_window: 2 }, options);
    config.check(&Instrument::example_btcusdt(), Price::from_units(6_000_000)).unwrap();
    config
}

fn desk(config: StrategyConfig) -> Desk {
    Desk::at(config.build().unwrap(), config.interval().unwrap(), &Boot::default(), 0, 6_000_000)
}

/// The same after a restart, at a price; its resting orders are gone.
fn again(d: &Desk, config: StrategyConfig, bid: i64) -> Desk {
    let (boot, holding) = d.stored();
    Desk::at(config.build().unwrap(), config.interval().unwrap(), &boot, holding, bid)
}

/// The price goes there in steps of ten, one a second.
fn walk(d: &mut Desk, to: i64) {
    while d.bid != to {
        d.w.now = d.w.now + Duration::from_secs(1);
        d.feed(d.w.lease());
        let step = (to - d.bid).clamp(-1_000, 1_000);
        d.price(d.bid + step);
    }
}

/// Levels by which the bounds have moved, as it is stored.
fn shift(d: &Desk) -> i32 {
    u32::try_from(d.memo.0[0]).unwrap().cast_signed()
}

#[track_caller]
fn rests(d: &Desk, expected: &[&str]) {
    let mut open: Vec<_> = d.open.iter().map(|order| (order.price, show(order))).collect();
    open.sort();
    assert_eq!(open.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
}

#[test]
fn levels_a_ratio_apart_are_found_again_after_a_restart() {
    let config = grid(|o| o.ratio = 5_000);
    let mut d = desk(config);
    rests(&d, &["long -1 buy maker 0.003 59701.40", "long 0 buy maker 0.003 60000.00"]);
    walk(&mut d, 5_990_000);
    walk(&mut d, 5_960_000);
    d.check(&[
        "fill long 0 buy maker 0.003 60000.00 at 60000.00",
        "rest long 0 sell maker 0.003 60300.00 reduces",
        "rest long -2 buy maker 0.003 59404.40",
        "fill long -1 buy maker 0.003 59701.40 at 59701.40",
        "rest long -1 sell maker 0.003 60000.00 reduces",
    ]);
    let mut d = again(&d, config, 5_950_000);
    let sells = ["long -1 sell maker 0.003 60000.00 reduces", "long 0 sell maker 0.003 60300.00 reduces"];
    rests(&d, &["long -3 buy maker 0.003 59108.90", "long -2 buy maker 0.003 59404.40", sells[0], sells[1]]);
    walk(&mut d, 6_030_000);
    assert_eq!(d.holding(), 0);
    assert_eq!(d.w.engine.status(d.w.now).pnl.round_trips, (3 * (6_030_000 - 6_000_000) + 3 * (6_000_000 - 5_970_140)) * 1_000);
}

#[test]
fn a_short_grid_a_ratio_apart_is_the_mirror() {
    let config = grid(|o| (o.opening, o.ratio) = (Side::Sell, 5_000));
    let mut d = desk(config);
    // The ask is above the level at 60,000: the first one that rests is half a per cent higher.
    rests(&d, &["short -1 sell maker 0.003 60300.00", "short -2 sell maker 0.003 60601.50"]);
    walk(&mut d, 6_040_000);
    d.check(&["fill short -1 sell maker 0.003 60300.00 at 60300.00", "rest short -1 buy maker 0.003 60000.00 reduces"]);
    let mut d = again(&d, config, 6_040_000);
    rests(&d, &["short -1 buy maker 0.003 60000.00 reduces", "short -2 sell maker 0.003 60601.50", "short -3 sell maker 0.003 60904.50"]);
    walk(&mut d, 5_999_900);
    assert_eq!(d.holding(), 0);
    assert_eq!(d.w.engine.status(d.w.now).pnl.round_trips, 3 * 30_000 * 1_000);
}

#[test]
fn another_spacing_is_refused_while_something_is_held() {
    let mut d = desk(grid(|o| o.ratio = 5_000));
    walk(&mut d, 5_990_000);
    let (boot, _) = d.stored();
    let btc = Instrument::example_btcusdt();
    let refused = |spacing: Spacing| match Engine::check_boot(&btc, spacing, &boot) {
        Err(EngineError::IntervalChanged { now, stored, .. }) => Some((now, stored)),
        Ok(()) | Err(_) => None,
    };
    assert_eq!(refused(Spacing::Ratio(5_000)), None);
    assert_eq!(refused(Spacing::Ratio(6_000)), Some(("0.6000 %".to_owned(), "0.5000 %".to_owned())));
    assert_eq!(refused(Price::from_units(10_000).into()), Some(("100.00".to_owned(), "0.5000 %".to_owned())));
}

#[test]
fn a_ratio_that_is_no_tick_or_does_not_earn_its_fees_is_refused() {
    let btc = Instrument::example_btcusdt();
    let check = |ratio: u32, price: i64, amount: i128| {
        let cfg = GridConfig { interval: btc.tick, order_quote: amount * USDT, buy_window: 10, sell_window: 10 };
        let options = GridOptions { ratio, ..GridOptions::LONG };
        StrategyConfig::GridWith(cfg, options).check(&btc, Price::from_units(price)).err().map(|error| error.to_string())
    };
    assert_eq!(check(500, 6_000_000, 250), None);
    // Two fees of 0.02 % each.
    let fees = "BTCUSDT: a round trip at 60000.00 earns 0.09600000 USDT but costs 0.09601920 USDT in fees; raise price_interval";
    assert_eq!(check(400, 6_000_000, 250).as_deref(), Some(fees));
    let tick = "BTCUSDT: at 500.00 levels 0.0100 % apart are not a tick of 0.10 apart; raise ratio_percent";
    assert_eq!(check(100, 50_000, 250).as_deref(), Some(tick));
    assert!(check(99, 6_000_000, 250).unwrap().contains("100 to 200,000"));
}

#[test]
fn bounds_follow_the_price_up_level_by_level_and_stay_there_over_a_restart() {
    let price = |units| Some(Price::from_units(units));
    let config = grid(|o| (o.lower, o.upper, o.trailing) = (price(5_980_000), price(6_000_000), Trailing::Up));
    let mut d = desk(config);
    rests(&d, &["long -1 buy maker 0.003 59900.00", "long 0 buy maker 0.003 60000.00"]);
    walk(&mut d, 5_995_000);
    d.log.clear();
    // What is held keeps its exit; beyond the bound the window moves on by one level, and the lowest one goes.
    walk(&mut d, 6_015_100);
    d.check(&[
        "fill long 0 sell maker 0.003 60100.00 reduces at 60100.00",
        "rest long 0 buy maker 0.003 60000.00",
        "cancel long -1 buy maker 0.003 59900.00",
        "rest long 1 buy maker 0.003 60100.00",
    ]);
    walk(&mut d, 6_039_000);
    rests(&d, &["long 2 buy maker 0.003 60200.00", "long 3 buy maker 0.003 60300.00"]);
    // Three levels up: the lowest is at 60,100 now.
    walk(&mut d, 6_011_000);
    rests(&d, &["long 1 buy maker 0.003 60100.00", "long 2 sell maker 0.003 60300.00 reduces", "long 3 sell maker 0.003 60400.00 reduces"]);
    assert_eq!(shift(&d), 3);
    let mut d = again(&d, config, 6_011_000);
    let sells = ["long 2 sell maker 0.003 60300.00 reduces", "long 3 sell maker 0.003 60400.00 reduces"];
    rests(&d, &["long 1 buy maker 0.003 60100.00", sells[0], sells[1]]);
    walk(&mut d, 6_005_000);
    rests(&d, &["long 1 sell maker 0.003 60200.00 reduces", sells[0]]);
    assert_eq!(d.holding(), 9);
}

#[test]
fn bounds_that_follow_both_ways_hold_what_they_left_behind() {
    let price = |units| Some(Price::from_units(units));
    for opening in [Side::Buy, Side::Sell] {
        let config = grid(|o| (o.opening, o.lower, o.upper, o.trailing) = (opening, price(5_980_000), price(6_020_000), Trailing::Both));
        let mut d = desk(config);
        let mut down = 6_000_000;
        while down > 5_900_000 {
            down -= 5_000;
            walk(&mut d, down);
        }
        let held = d.holding();
        assert_eq!(held > 20, opening == Side::Buy, "{held}");
        let mut d = again(&d, config, 5_900_000);
        for up in 0..=60 {
            walk(&mut d, 5_900_000 + up * 5_000);
        }
        // Whatever the bounds were when it was bought, all of it was sold at its level's price.
        assert_eq!(d.holding() == 0, opening == Side::Buy, "{}", d.holding());
        // Two levels above 60,000 was the bound; the centre has half an interval of patience.
        assert_eq!(shift(&d), if opening == Side::Buy { 17 } else { 18 });
    }
}

#[test]
fn profit_makes_orders_grow_up_to_a_bound_and_a_restart_keeps_it() {
    // All of the profit, on two levels; at most half as much again.
    let config = grid(|o| (o.compound, o.compound_max) = (1_000_000, 1_500_000));
    let mut d = desk(config);
    let fresh = |d: &Desk| d.open.iter().filter(|order| order.id.side() == Side::Buy).map(|order| order.qty.units()).max().unwrap();
    assert_eq!(fresh(&d), 3);
    // A round trip earns 0.3 USDT: 400 of them are worth 60 USDT more an order.
    for _ in 0..150 {
        walk(&mut d, 5_995_000);
        walk(&mut d, 6_012_000);
    }
    // 45 USDT over two levels: 222.5 USDT are 0.003 still.
    assert_eq!(fresh(&d), 3);
    for _ in 0..150 {
        walk(&mut d, 5_995_000);
        walk(&mut d, 6_012_000);
    }
    assert_eq!(fresh(&d), 4);
    let d2 = again(&d, config, 6_000_000);
    assert_eq!(fresh(&d2), 4);
    for _ in 0..600 {
        walk(&mut d, 5_995_000);
        walk(&mut d, 6_012_000);
    }
    assert_eq!(fresh(&d), 5, "300 USDT buy 0.005, and more is not allowed");
}

#[test]
fn the_more_levels_hold_the_less_is_opened() {
    let cfg = GridConfig { interval: Price::from_units(10_000), order_quote: 2_000 * USDT, buy_window: 2, sell_window: 2 };
    let options = GridOptions { skew: 500_000, skew_layers: 4, ..GridOptions::LONG };
    let config = StrategyConfig::GridWith(cfg, options);
    config.check(&Instrument::example_btcusdt(), Price::from_units(6_000_000)).unwrap();
    let mut d = desk(config);
    let bought = |d: &mut Desk| {
        walk(d, d.bid - 10_000);
        let log = std::mem::take(&mut d.log);
        log.iter().filter(|line| line.contains(" buy ") && line.starts_with("fill")).cloned().collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for _ in 0..7 {
        all.extend(bought(&mut d));
    }
    let qtys: Vec<_> = all.iter().map(|line| line.split(' ').nth(5).unwrap()).collect();
    // 2,000 USDT, an eighth of it less with each level that holds, and half of it from the fourth on.
    assert_eq!(qtys, ["0.033", "0.029", "0.025", "0.020", "0.016", "0.016", "0.016"]);
    let mut d = again(&d, config, 5_935_000);
    assert_eq!(bought(&mut d).len(), 1);
}

#[test]
fn orders_beyond_the_windows_are_virtual() {
    let mut d = desk(grid(|_| ()));
    // Whatever it holds: two levels below and two exits rest, the nearest to the price.
    for step in 0..40 {
        walk(&mut d, 6_000_000 - step * 5_000);
        assert!(d.open.len() <= 4, "{}", d.open.len());
    }
    assert_eq!(d.holding(), 3 * 20);
    rests(
        &d,
        &["long -20 buy maker 0.003 58000.00", "long -19 sell maker 0.003 58200.00 reduces", "long -18 sell maker 0.003 58300.00 reduces"],
    );
    for step in 0..43 {
        walk(&mut d, 5_805_000 + step * 5_000);
    }
    assert_eq!(d.holding(), 0);
}
