//! Several strategies on one symbol: who may open, who closes, and what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::Boot;
use plimsoll_market::*;
use plimsoll_strategy::*;
use proptest::prelude::{any, prop, prop_assert, proptest};
use shared::desk::{Desk, USDT, show};
use std::time::Duration;

const INTERVAL: Price = Price::from_units(10_000);

fn trend() -> TrendConfig {
    TrendConfig {
        bar: Duration::from_secs(60),
        adx: 3,
        trend_from: 40_000,
        trend_until: 30_000,
        mean: 3,
        volatility: 3,
        volatile_from: 0,
        volatile_until: 0,
        confirm: 1,
    }
}

fn grid(opening: Side, window: u8) -> ChildConfig {
    let cfg = GridConfig { interval: INTERVAL, order_quote: 200 * USDT, buy_window: window, sell_window: window };
    ChildConfig::Grid(cfg, GridOptions { opening, ..GridOptions::LONG })
}

fn trade(stop_loss: u32) -> TradeConfig {
    TradeConfig {
        direction: Direction::Both,
        bar: Duration::from_secs(60),
        entry: Entry::Taker,
        slippage: 1_000,
        stop_loss,
        trailing_from: 0,
        trailing: 0,
        cooldown: Duration::ZERO,
    }
}

fn momentum(direction: Direction, stop_loss: u32, take_profit: u32) -> ChildConfig {
    let plan = MomentumConfig { amount: 600 * USDT, period: 3, oversold: 300_000, overbought: 700_000, take_profit };
    ChildConfig::Momentum(TradeConfig { direction, ..trade(stop_loss) }, plan)
}

fn combo(children: &[(ChildConfig, Regimes, u32)], choice: Choice, capital: Option<CapitalConfig>) -> ComboConfig {
    let mut all = [None; 4];
    for (to, (strategy, when, weight)) in all.iter_mut().zip(children) {
        *to = Some(Child { strategy: *strategy, when: *when, weight: *weight });
    }
    ComboConfig { children: all, choice, capital }
}

fn desk(cfg: ComboConfig) -> Desk {
    let config = StrategyConfig::Combo(cfg);
    config.check(&Instrument::example_btcusdt(), Price::from_units(6_000_000)).unwrap();
    Desk::at(config.build().unwrap(), INTERVAL.into(), &Boot::default(), 0, 6_000_000)
}

fn again(d: &Desk, cfg: ComboConfig) -> Desk {
    let (boot, holding) = d.stored();
    Desk::at(StrategyConfig::Combo(cfg).build().unwrap(), INTERVAL.into(), &boot, holding, d.bid)
}

#[track_caller]
fn rests(d: &Desk, expected: &[&str]) {
    let mut open: Vec<_> = d.open.iter().map(|order| (order.price, show(order))).collect();
    open.sort();
    assert_eq!(open.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
}

/// What is held by the long legs of a number, and by its short ones.
fn held(d: &Desk, number: u8) -> (u64, u64) {
    let view = d.w.engine.position().view(d.w.now);
    let sum = |number: u8| view.slots.holding().filter(|s| s.leg.strategy() == number).map(|s| s.held.units()).sum();
    (sum(number), sum(number + Leg::SHORT))
}

#[test]
fn a_filtered_grid_opens_only_in_its_regimes_and_sells_in_all() {
    let cfg = ComboConfig::filtered(grid(Side::Buy, 2), Regimes::NONE.with(Regime::Ranging), trend());
    let mut d = desk(cfg);
    // An ADX over three bars is warm after six; until then nothing is known and nothing opens.
    for bid in [6_001_000, 5_999_000, 6_001_000, 5_999_000, 6_001_000] {
        d.minute(bid);
        d.check(&[]);
    }
    d.minute(6_000_000);
    rests(&d, &["long -1 buy maker 0.003 59900.00", "long 0 buy maker 0.003 60000.00"]);
    d.minute(5_999_000);
    d.log.clear();
    // It falls bar by bar: what opens is withdrawn, what is held keeps its exit.
    for bid in [5_998_000, 5_997_000, 5_996_500, 5_996_000, 5_995_500] {
        d.minute(bid);
    }
    rests(&d, &["long 0 sell maker 0.003 60100.00 reduces"]);
    for bid in [5_970_000, 5_990_000, 6_005_000] {
        d.minute(bid);
    }
    assert_eq!(d.holding(), 3, "it bought nothing on the way");
    d.price(6_010_000);
    assert_eq!(d.holding(), 0);
}

#[test]
fn whoever_holds_keeps_its_stop_in_a_regime_that_does_not_suit_it() {
    let ranging = Regimes::NONE.with(Regime::Ranging);
    let children = [(momentum(Direction::Long, 10_000, 0), ranging, 1), (grid(Side::Buy, 2), Regimes::NONE.with(Regime::Up), 1)];
    let mut d = desk(combo(&children, Choice::Trend(trend()), None));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_999_000] {
        d.minute(bid);
    }
    // The second child does not open: the market ranges.
    d.check(&["fill long 0 buy limit 0.009 60050.00 at 59990.10"]);
    assert_eq!((held(&d, 1), held(&d, 8)), ((9, 0), (0, 0)));
    for bid in [5_990_000, 5_980_000, 5_970_000, 5_960_000, 5_950_000, 5_940_000] {
        d.minute(bid);
    }
    d.check(&[]);
    d.price(5_939_000);
    d.check(&["fill long 0 sell market 0.009 0.00 reduces at 59390.00"]);
    // It fell on: weaker still, but this is no market for it.
    for bid in [5_935_000, 5_930_000, 5_920_000] {
        d.minute(bid);
    }
    d.check(&[]);
}

#[test]
fn only_one_direction_is_held_at_a_time() {
    let children = [(grid(Side::Buy, 2), Regimes::ALL, 1), (grid(Side::Sell, 2), Regimes::ALL, 1)];
    let cfg = combo(&children, Choice::All, None);
    let mut d = desk(cfg);
    // The first one's orders open long: the second one waits while one of them works.
    rests(&d, &["long -1 buy maker 0.003 59900.00", "long 0 buy maker 0.003 60000.00"]);
    d.price(5_995_000);
    d.price(6_005_000);
    assert_eq!((held(&d, 0), held(&d, 8)), ((3, 0), (0, 0)));
    assert!(d.open.iter().all(|order| order.id.leg().opening() == Some(Side::Buy)));
    let d = again(&d, cfg);
    rests(&d, &["long -1 buy maker 0.003 59900.00", "long 0 sell maker 0.003 60100.00 reduces"]);
}

#[test]
fn a_stop_never_takes_an_order_of_another_child() {
    let children = [(momentum(Direction::Long, 5_000, 0), Regimes::ALL, 1), (grid(Side::Buy, 3), Regimes::ALL, 1)];
    let mut d = desk(combo(&children, Choice::All, None));
    for bid in [6_005_000, 6_005_000, 6_005_000, 6_005_000, 6_004_000] {
        d.minute(bid);
    }
    assert_eq!(held(&d, 1), (9, 0));
    for bid in [5_991_000, 5_984_000, 5_978_000] {
        d.price(bid);
    }
    d.log.clear();
    // The desk refuses to let an order of ours take another: those near the price go first, then all is sold, then they come back.
    d.price(5_973_000);
    let log = std::mem::take(&mut d.log);
    let stop = log.iter().position(|line| line == "fill long 0 sell market 0.009 0.00 reduces at 59730.00").unwrap();
    assert!(log[..stop].iter().any(|line| line == "cancel long -4 buy maker 0.003 59600.00"), "{log:#?}");
    assert!(log[stop..].iter().any(|line| line == "rest long -3 buy maker 0.003 59700.00"), "{log:#?}");
    assert_eq!(held(&d, 1), (0, 0));
}

#[test]
fn a_stop_waits_for_a_cancel_that_is_not_heard_two_seconds_at_most() {
    let children = [(momentum(Direction::Long, 5_000, 0), Regimes::ALL, 1), (grid(Side::Buy, 3), Regimes::ALL, 1)];
    let mut d = desk(combo(&children, Choice::All, None));
    for bid in [6_005_000, 6_005_000, 6_005_000, 6_005_000, 6_004_000] {
        d.minute(bid);
    }
    for bid in [5_991_000, 5_984_000, 5_978_000] {
        d.price(bid);
    }
    d.log.clear();
    d.deaf = true;
    d.price(5_973_000);
    d.w.now = d.w.now + Duration::from_millis(1_900);
    d.price(5_973_000);
    assert_eq!(held(&d, 1), (9, 0));
    d.w.now = d.w.now + Duration::from_millis(100);
    d.price(5_973_000);
    assert_eq!(d.log.first().map(String::as_str), Some("fill long 0 sell market 0.009 0.00 reduces at 59730.00"));
    assert_eq!(held(&d, 1), (0, 0));
}

#[test]
fn an_entry_that_takes_stays_short_of_what_another_child_sells() {
    let children = [(grid(Side::Buy, 2), Regimes::ALL, 1), (momentum(Direction::Long, 0, 0), Regimes::ALL, 1)];
    let mut d = desk(combo(&children, Choice::All, None));
    d.price(5_999_000);
    for bid in [6_007_000, 6_007_000, 6_007_000, 6_007_000] {
        d.minute(bid);
    }
    d.log.clear();
    // It would go up to 60,126: the first child sells at 60,100.
    d.minute(6_006_500);
    d.check(&["fill long 0 buy limit 0.009 60099.90 at 60065.10"]);
}

#[test]
fn a_share_of_capital_is_taken_by_what_is_held_and_works_and_freed_whatever_ends_it() {
    let capital =
        CapitalConfig { amount: 1_000 * USDT, period: Duration::from_secs(3_600), window: 1, floor: 0, ceiling: 1_000_000, step: 0 };
    // 400 USDT for each: two orders of 180.
    let children = [(grid(Side::Buy, 4), Regimes::ALL, 400_000), (grid(Side::Buy, 4), Regimes::ALL, 400_000)];
    let cfg = combo(&children, Choice::All, Some(capital));
    let mut d = desk(cfg);
    let buys = |d: &Desk, number: u8| d.open.iter().filter(|o| o.id.side() == Side::Buy && o.id.leg().strategy() == number).count();
    assert_eq!((buys(&d, 0), buys(&d, 8)), (2, 2));
    // Filled: it holds, and one order less is open; sold, there is room again.
    d.price(5_995_000);
    assert_eq!((held(&d, 0), buys(&d, 0), held(&d, 8), buys(&d, 8)), ((3, 0), 1, (3, 0), 1));
    let mut d = again(&d, cfg);
    assert_eq!((buys(&d, 0), buys(&d, 8)), (1, 1), "a restart finds the same");
    d.price(6_010_000);
    assert_eq!((held(&d, 0), buys(&d, 0), buys(&d, 8)), ((0, 0), 2, 2));
    // Withdrawn by the exchange, expired: both are there again, at once.
    for status in [OrderStatus::Canceled, OrderStatus::Expired] {
        let order = d.open.remove(0);
        let told = d.told(&order, 0, status);
        d.feed(told);
        assert_eq!((buys(&d, 0), buys(&d, 8)), (2, 2), "{status:?}");
    }
    // Refused: after the pause it is placed again.
    let order = d.open.remove(0);
    let gone = d.told(&order, 0, OrderStatus::Canceled);
    d.w.engine.on_event(d.w.now, &gone, &mut d.w.out);
    let placed: Vec<_> = d.w.out.drain().filter_map(|a| if let Action::Place(p) = a { Some(p) } else { None }).collect();
    let [again] = placed.as_slice() else { panic!("{placed:?}") };
    d.feed(Event::Rejected { id: again.id, request: Request::Place, reason: Reject::Busy });
    assert_eq!(buys(&d, 0) + buys(&d, 8), 3, "the slot waits, and nobody takes its place beyond the share");
    d.w.now = d.w.now + Duration::from_secs(5);
    d.feed(d.w.lease());
    d.price(6_010_000);
    d.feed(Event::Wake);
    assert_eq!((buys(&d, 0), buys(&d, 8)), (2, 2));
}

#[test]
fn a_spacing_is_chosen_by_volatility_and_what_was_bought_is_sold_at_its_own_level() {
    let adjuster =
        AdjusterConfig { bar: Duration::from_secs(60), volatility: 3, deviations: 1_000, spacings: 3, margin: 0, size: Size::Scaled };
    let cfg = ComboConfig::adjusted(grid(Side::Buy, 2), adjuster);
    let mut d = desk(cfg);
    d.minute(6_000_000);
    d.check(&[]);
    for bid in [6_000_500, 6_000_000, 6_000_500] {
        d.minute(bid);
    }
    // 100 USDT apart are more than a bar moves.
    rests(&d, &["long -1 buy maker 0.003 59900.00", "long 0 buy maker 0.003 60000.00"]);
    d.price(5_995_000);
    assert_eq!(held(&d, 0), (3, 0));
    // Half a per cent each minute: levels are 400 apart, orders four times as large. What is held is not touched.
    d.minute(6_005_000);
    for bid in [5_991_000, 5_988_000] {
        d.price(bid);
    }
    for bid in [5_975_000, 6_005_000] {
        d.minute(bid);
    }
    rests(&d, &["long -2 buy maker 0.013 59200.00", "long -1 buy maker 0.013 59600.00", "long 0 sell maker 0.003 60100.00 reduces"]);
    assert_eq!((held(&d, 0), held(&d, 8), held(&d, 16)), ((3, 0), (0, 0), (0, 0)));
    let mut d2 = again(&d, cfg);
    rests(&d2, &["long 0 sell maker 0.003 60100.00 reduces"]);
    d2.price(6_010_000);
    assert_eq!(d2.holding(), 0);
    // Calm again, and back to the narrowest.
    for bid in [6_005_000, 6_004_500, 6_005_000, 6_004_500] {
        d.minute(bid);
    }
    rests(&d, &["long -1 buy maker 0.003 59900.00", "long 0 sell maker 0.003 60100.00 reduces"]);
    // Fees that no spacing but the widest earns: the rules say so before an order does.
    let dear = |ppm: i32| Event::Instrument(Box::new(Instrument { maker_fee: Bps::from_ppm(ppm), ..Instrument::example_btcusdt() }));
    d.feed(dear(2_000));
    rests(&d, &["long -2 buy maker 0.013 59200.00", "long -1 buy maker 0.013 59600.00", "long 0 sell maker 0.003 60100.00 reduces"]);
    d.feed(dear(4_000));
    rests(&d, &["long 0 sell maker 0.003 60100.00 reduces"]);
}

/// An order of a child that was thought gone has sold something, while another child is long.
fn sold_after_all(d: &mut Desk, number: u8, layer: i32, qty: u64) {
    let known = d.w.engine.position().view(d.w.now).slots.holding().count();
    let leg = Leg::new(number + Leg::SHORT, layer).unwrap();
    let order = Place {
        id: ClientId::new(Tag(7), 100, leg, Side::Sell, 900 + qty),
        price: Price::from_units(d.bid),
        qty: Qty::from_units(qty),
        kind: OrderType::Limit,
        tif: TimeInForce::Gtx,
        reduce_only: false,
    };
    let event = d.filled(&order, d.bid);
    d.feed(event);
    assert_eq!(d.w.engine.position().view(d.w.now).slots.holding().count(), known + 1);
}

#[test]
fn with_both_directions_held_a_closed_gate_lets_through_what_reduces_the_position() {
    let children = [(momentum(Direction::Long, 10_000, 0), Regimes::ALL, 1), (momentum(Direction::Short, 10_000, 0), Regimes::ALL, 1)];
    let mut d = desk(combo(&children, Choice::All, None));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_999_000] {
        d.minute(bid);
    }
    sold_after_all(&mut d, 9, 0, 4);
    assert_eq!((held(&d, 1), held(&d, 9), d.holding()), ((9, 0), (0, 4), 5));
    d.feed(Event::Command(Command::Pause));
    d.log.clear();
    // The stop of what is long: as much as the account holds is sold, which nothing may hold up.
    d.price(5_939_000);
    d.check(&["fill long 0 sell market 0.005 0.00 reduces at 59390.00"]);
    assert_eq!((held(&d, 1), held(&d, 9), d.holding()), ((4, 0), (0, 4), 0));
    // What is left of both is no position: to close one of them alone would open one.
    d.price(5_900_000);
    d.check(&[]);
    d.feed(Event::Command(Command::Resume));
    d.check(&["fill long 0 sell market 0.004 0.00 at 59000.00"]);
    // Now only one direction is held, and its stop is its own.
    d.feed(Event::Command(Command::Pause));
    d.price(6_080_000);
    d.check(&["fill short 0 buy market 0.004 0.00 reduces at 60800.10"]);
    assert_eq!(d.holding(), 0);
}

#[test]
fn with_both_directions_held_exits_reduce_as_far_as_the_position_reaches() {
    let children = [(grid(Side::Buy, 3), Regimes::ALL, 1), (momentum(Direction::Short, 90_000, 0), Regimes::ALL, 1)];
    let mut d = desk(combo(&children, Choice::All, None));
    for bid in [5_998_000, 5_988_000, 5_978_000] {
        d.price(bid);
    }
    assert_eq!(held(&d, 0), (9, 0));
    sold_after_all(&mut d, 9, 0, 4);
    let exits = |d: &Desk| {
        let mut open: Vec<_> =
            d.open.iter().filter(|order| order.id.side() == Side::Sell).map(|order| (order.price, show(order))).collect();
        open.sort();
        open.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    let (first, second) = ("long -2 sell maker 0.003 59900.00 reduces", "long -1 sell maker 0.002 60000.00 reduces");
    assert_eq!(exits(&d), [first, second, "long 0 sell maker 0.003 60100.00"]);
    d.feed(Event::Command(Command::Pause));
    assert_eq!(exits(&d), [first, second], "what could open something waits until it may");
    d.price(5_991_000);
    assert_eq!((d.holding(), exits(&d)), (2, vec![second.to_owned()]));
    d.feed(Event::Command(Command::Resume));
    assert_eq!(exits(&d), [second, "long 0 sell maker 0.003 60100.00"]);
}

#[test]
fn what_each_child_earned_is_told_apart() {
    let children = [(grid(Side::Buy, 2), Regimes::ALL, 1), (momentum(Direction::Long, 0, 0), Regimes::ALL, 1)];
    let mut d = desk(combo(&children, Choice::All, None));
    d.price(5_995_000);
    d.price(6_010_000);
    let earned = |d: &Desk, number: u8| d.w.engine.position().view(d.w.now).earned.of(number);
    assert_eq!((earned(&d, 0), earned(&d, 9)), (3 * 10_000 * 1_000, 0));
    for bid in [6_007_000, 6_007_000, 6_007_000, 6_007_000, 6_006_500] {
        d.minute(bid);
    }
    d.minute(6_009_000);
    let (grid, momentum) = (earned(&d, 0), earned(&d, 9));
    assert_eq!((grid, momentum), (30_000_000, 9 * (6_009_000 - 6_006_510) * 1_000));
    assert_eq!(grid + momentum, d.w.engine.status(d.w.now).pnl.round_trips);
}

#[test]
fn children_that_do_not_go_together_are_refused() {
    let told = |children: &[(ChildConfig, Regimes, u32)], choice: Choice| {
        combo(children, choice, None).check_all().err().map(|error| error.to_string())
    };
    let long = grid(Side::Buy, 30);
    assert_eq!(told(&[(long, Regimes::ALL, 1)], Choice::All), None);
    let many = told(&[(long, Regimes::ALL, 1), (grid(Side::Buy, 3), Regimes::ALL, 1)], Choice::All).unwrap();
    assert!(many.contains("66 for all children"), "{many}");
    let other = GridConfig { interval: Price::from_units(20_000), order_quote: USDT, buy_window: 1, sell_window: 1 };
    let other =
        told(&[(grid(Side::Buy, 1), Regimes::ALL, 1), (ChildConfig::Grid(other, GridOptions::SHORT), Regimes::ALL, 1)], Choice::All);
    assert!(other.unwrap().contains("one for all grids"));
    assert!(told(&[(long, Regimes::NONE, 1)], Choice::Trend(trend())).unwrap().starts_with("when"));
    assert!(told(&[], Choice::All).is_some());
    let bad = TrendConfig { trend_until: 50_000, ..trend() };
    assert!(told(&[(long, Regimes::ALL, 1)], Choice::Trend(bad)).unwrap().contains("not above the first"));
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 60, ..Default::default() })]
    /// Whatever the price does: one direction, no order meets another of ours (the desk asserts it), no more capital than there is,
    /// and after a restart the same holds.
    #[test]
    fn children_keep_out_of_each_others_way(steps in prop::collection::vec((-60_i64..60, any::<bool>()), 1..150), order in any::<bool>()) {
        let capital = CapitalConfig {
            amount: 3_000 * USDT, period: Duration::from_secs(60), window: 4, floor: 100_000, ceiling: 600_000, step: 50_000,
        };
        let martingale = ChildConfig::Martingale(trade(20_000), MartingaleConfig {
            direction: Direction::Short, amount: 200 * USDT, multiplier: 1_000_000, layers: 4, step: 1_000, decay: 1_000_000,
            multiplier_min: 1_000_000, take_profit: 2_000, reverse: false, trend: 0,
        });
        let mut children = [
            (grid(Side::Buy, 5), Regimes::NONE.with(Regime::Ranging).with(Regime::Up), 300_000),
            (momentum(Direction::Both, 5_000, 3_000), Regimes::ALL, 300_000),
            (martingale, Regimes::NONE.with(Regime::Down), 300_000),
        ];
        if order {
            children.reverse();
        }
        let cfg = combo(&children, Choice::Trend(trend()), Some(capital));
        let mut d = desk(cfg);
        for (at, (step, closes)) in steps.iter().enumerate() {
            let bid = (d.bid + step * 250).clamp(5_700_000, 6_300_000);
            if *closes { d.minute(bid) } else { d.price(bid) }
            let view = d.w.engine.position().view(d.w.now);
            prop_assert!(!(view.slots.holds(Side::Buy) && view.slots.holds(Side::Sell)));
            let opening: i128 = view.orders.iter().filter(|(_, o)| !o.reduce_only).map(|(_, o)| (o.price * o.qty).units()).sum();
            let cost: i128 = view.slots.holding().map(|s| s.cost.units().abs()).sum();
            // Cents and thousandths: units of 1e-5.
            prop_assert!(opening + cost <= 3_000 * 100_000, "{} and {}", opening, cost);
            if at % 40 == 39 {
                d = again(&d, cfg);
            }
        }
    }
}
