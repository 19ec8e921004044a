//! Strategies of one position, from entry to exit, on a little exchange that fills what the price reaches.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::Engine;
use plimsoll_market::*;
use plimsoll_strategy::*;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;
use shared::desk::{Desk, USDT, common, momentum, show};
use shared::usdt;
use std::time::Duration;

#[test]
fn momentum_buys_weakness_and_sells_strength() {
    let mut d = Desk::new(momentum(0), common(|c| c.direction = Direction::Long));
    // Strength is 50 while nothing moves, and needs four closes.
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000] {
        d.minute(bid);
    }
    d.check(&[]);
    d.minute(5_990_000);
    d.check(&["fill long 0 buy limit 0.016 59960.00 at 59900.10"]);
    // Weaker still: it is bought once.
    d.minute(5_980_000);
    d.check(&[]);
    d.minute(6_100_000);
    d.check(&["fill long 0 sell market 0.016 0.00 reduces at 61000.00"]);
    assert_eq!(d.holding(), 0);
}

#[test]
fn momentum_sells_strength_short_and_turns() {
    let mut d = Desk::new(momentum(0), common(|c| c.slippage = 0));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 6_010_000] {
        d.minute(bid);
    }
    d.check(&["fill short 0 sell limit 0.016 60100.00 at 60100.00"]);
    assert_eq!(d.holding(), -16);
    // The same close ends the one and begins the other.
    d.minute(5_900_000);
    d.check(&["fill short 0 buy market 0.016 0.00 reduces at 59000.10", "fill long 0 buy limit 0.016 59000.10 at 59000.10"]);
    assert_eq!(d.holding(), 16);
    let status = d.w.engine.status(d.w.now);
    assert_eq!(status.pnl.realized, 16 * (6_010_000 - 5_900_010) * 1_000);
}

#[test]
fn a_stop_closes_at_market_and_the_same_fall_is_not_bought_again() {
    let mut d = Desk::new(momentum(20_000), common(|c| c.stop_loss = 10_000));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000] {
        d.minute(bid);
    }
    // The target rests at once: 2 % over 59,900.1.
    d.check(&["fill long 0 buy limit 0.016 59960.00 at 59900.10", "rest long 0 sell maker 0.016 61098.20 reduces"]);
    d.price(5_930_200);
    d.check(&[]);
    d.price(5_930_100);
    d.check(&["cancel long 0 sell maker 0.016 61098.20 reduces", "fill long 0 sell market 0.016 0.00 reduces at 59301.00"]);
    d.minute(5_920_000);
    d.check(&[]);
    // A target that is reached fills where it rests.
    for bid in [6_000_000, 5_990_000, 5_900_000, 5_890_000] {
        d.minute(bid);
    }
    d.check(&["fill long 0 buy limit 0.016 59059.10 at 59000.10", "rest long 0 sell maker 0.016 60180.20 reduces"]);
    d.price(6_019_000);
    d.check(&["fill long 0 sell maker 0.016 60180.20 reduces at 60180.20"]);
}

#[test]
fn a_trail_follows_the_best_price() {
    let cfg = common(|c| (c.direction, c.trailing_from, c.trailing) = (Direction::Long, 10_000, 5_000));
    let mut d = Desk::new(momentum(0), cfg);
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000] {
        d.minute(bid);
    }
    d.check(&["fill long 0 buy limit 0.016 59960.00 at 59900.10"]);
    // Up by less than a per cent, down again: nothing is trailed yet.
    for bid in [6_040_000, 5_990_000, 6_060_000, 6_080_000, 6_049_700] {
        d.price(bid);
    }
    d.check(&[]);
    d.price(6_049_600);
    d.check(&["fill long 0 sell market 0.016 0.00 reduces at 60496.00"]);
}

#[test]
fn a_stop_outlives_a_refusal_a_partial_fill_and_a_better_price() {
    let mut d = Desk::new(momentum(0), common(|c| c.stop_loss = 10_000));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000] {
        d.minute(bid);
    }
    d.log.clear();
    let top = |bid: i64, now| {
        let (qty, price) = (Qty::from_units(1), Price::from_units);
        Event::Top(Top { bid: price(bid), bid_qty: qty, ask: price(bid + 10), ask_qty: qty, time: now })
    };
    // By hand: the exchange is busy, then fills a part.
    let sent = d.w.feed(top(5_900_000, d.w.now));
    assert_eq!(sent, ["commit 2 anchor Some(\"60000.00\")", "place 1:S+0#2 0.016 0.00"], "what it is about is stored while it goes out");
    let id = |generation| ClientId::new(Tag(7), 100, Leg::new(1, 0).unwrap(), Side::Sell, generation);
    assert_eq!(d.w.feed(Event::Rejected { id: id(2), request: Request::Place, reason: Reject::Busy }), ["alert order_refused"]);
    assert!(d.w.feed(top(5_999_000, d.w.now)).is_empty(), "the slot waits");
    d.w.now = d.w.now + Duration::from_secs(1);
    let mut sent = d.w.feed(Event::Wake);
    sent.retain(|line| !line.starts_with("resync"));
    assert_eq!(sent, ["place 1:S+0#3 0.016 0.00"], "the price is better, the stop stands");
    let mut part = d.w.report(id(3), "0", "0.016", "0.010", OrderStatus::Expired, Source::Stream);
    part.fill = Some(Fill {
        trade_id: TradeId(9_000),
        order_id: part.order_id,
        id: Some(id(3)),
        side: Side::Sell,
        price: Price::from_units(5_999_000),
        qty: Qty::from_units(10),
        fee: usdt(0),
        realized: usdt(0),
        maker: false,
        time: d.w.now,
    });
    assert_eq!(d.w.feed(Event::Order(Box::new(part))), ["place 1:S+0#4 0.006 0.00"]);
}

#[test]
fn an_entry_stands_until_its_bar_ends() {
    let mut d = Desk::new(momentum(0), common(|c| c.entry = Entry::Maker));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000] {
        d.minute(bid);
    }
    d.check(&["rest long 0 buy maker 0.016 59900.00"]);
    d.price(5_995_000);
    d.check(&[]);
    d.minute(5_995_000);
    d.check(&["cancel long 0 buy maker 0.016 59900.00"]);
    assert_eq!(d.holding(), 0);
}

#[test]
fn an_entry_that_would_take_by_now_rests_at_the_price_of_now() {
    let mut d = Desk::new(momentum(0), common(|c| c.entry = Entry::Maker));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000] {
        d.minute(bid);
    }
    d.check(&["rest long 0 buy maker 0.016 59900.00"]);
    // The exchange ends it, while nothing has changed: it comes back where it was, because it still rests there.
    let order = d.open.remove(0);
    let ended = d.told(&order, 0, OrderStatus::Expired);
    d.price(5_992_000);
    d.feed(ended);
    d.check(&["rest long 0 buy maker 0.016 59900.00"]);
    // It ends again, and by now the price has fallen below it.
    let order = d.open.remove(0);
    let ended = d.told(&order, 0, OrderStatus::Expired);
    d.price(5_980_000);
    d.check(&[]);
    d.feed(ended);
    d.check(&["rest long 0 buy maker 0.016 59800.00"]);
}

#[test]
fn what_was_told_of_the_past_only_warms_up() {
    let mut d = Desk::new(momentum(0), common(|c| c.direction = Direction::Long));
    d.w.now = d.w.now + Duration::from_secs(600);
    for (minute, bid) in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000].into_iter().enumerate() {
        let candle = d.candle(minute as u64, bid);
        d.feed(candle);
    }
    d.check(&[]);
    // It is warm: strength, then weakness, of which the second is news.
    d.minute = 9;
    d.feed(d.candle(5, 6_000_000));
    d.feed(d.candle(6, 6_000_000));
    d.feed(d.candle(7, 6_000_000));
    d.feed(d.candle(8, 6_050_000));
    d.minute(5_900_000);
    d.check(&["fill long 0 buy limit 0.016 59059.10 at 59000.10"]);
}

#[test]
fn a_restart_keeps_the_position_and_its_stop() {
    let cfg = common(|c| c.stop_loss = 10_000);
    let mut d = Desk::new(momentum(20_000), cfg);
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 6_010_000] {
        d.minute(bid);
    }
    d.check(&["fill short 0 sell limit 0.016 60039.90 at 60100.00", "rest short 0 buy maker 0.016 58898.00 reduces"]);
    let (boot, holding) = d.stored();
    assert_eq!(holding, -16);
    let mut d = Desk::boot(momentum(20_000), cfg, &boot, holding);
    assert_eq!(d.open.iter().map(show).collect::<Vec<_>>(), ["short 0 buy maker 0.016 58898.00 reduces"]);
    d.price(6_070_000);
    d.check(&[]);
    d.price(6_071_000);
    d.check(&["cancel short 0 buy maker 0.016 58898.00 reduces", "fill short 0 buy market 0.016 0.00 reduces at 60710.10"]);
}

#[test]
fn mean_reversion_enters_beyond_the_band_and_leaves_near_the_mean() {
    let plan = || {
        MeanReversionPlan::new(MeanReversionConfig {
            amount: 1_000 * USDT,
            period: 5,
            enter_milli: 1_500,
            leave_milli: 500,
            take_profit: 0,
        })
        .unwrap()
    };
    for sign in [1, -1] {
        let mut d = Desk::new(plan(), common(|c| c.slippage = 0));
        let at = |away: i64| 6_000_000 + sign * away;
        for away in [100, -100, 100, -100, 100, -100] {
            d.minute(at(away));
        }
        d.check(&[]);
        d.minute(at(-5_000));
        let entry = if sign == 1 {
            "fill long 0 buy limit 0.016 59950.10 at 59950.10"
        } else {
            "fill short 0 sell limit 0.016 60050.00 at 60050.00"
        };
        d.check(&[entry]);
        d.minute(at(-4_900));
        d.check(&[]);
        d.minute(at(-2_000));
        let exit = if sign == 1 {
            "fill long 0 sell market 0.016 0.00 reduces at 59980.00"
        } else {
            "fill short 0 buy market 0.016 0.00 reduces at 60020.10"
        };
        d.check(&[exit]);
    }
}

fn crossing() -> TrendFollowingPlan {
    let cfg = TrendFollowingConfig { amount: 1_000 * USDT, short: 2, long: 4, average: Average::Simple, take_profit: 0 };
    TrendFollowingPlan::new(cfg).unwrap()
}

#[test]
fn trend_following_enters_at_a_crossing_and_turns_at_the_next() {
    let mut d = Desk::new(crossing(), common(|c| c.slippage = 0));
    // A trend that was there before is none of its own.
    for bid in [6_000_000, 5_999_000, 5_998_000, 5_997_000, 5_996_000] {
        d.minute(bid);
    }
    d.check(&[]);
    for bid in [6_000_000, 6_005_000] {
        d.minute(bid);
    }
    d.check(&["fill long 0 buy limit 0.016 60000.10 at 60000.10"]);
    for bid in [6_004_000, 5_990_000, 5_980_000] {
        d.minute(bid);
    }
    d.check(&["fill long 0 sell market 0.016 0.00 reduces at 59900.00", "fill short 0 sell limit 0.016 59900.00 at 59900.00"]);
}

fn martingale(change: impl Fn(&mut MartingaleConfig)) -> MartingalePlan {
    let mut cfg = MartingaleConfig {
        direction: Direction::Long,
        amount: 300 * USDT,
        multiplier: 2_000_000,
        layers: 4,
        step: 10_000,
        decay: 900_000,
        multiplier_min: 1_200_000,
        take_profit: 10_000,
        reverse: false,
        trend: 0,
    };
    change(&mut cfg);
    MartingalePlan::new(cfg).unwrap()
}

#[test]
fn martingale_adds_where_it_loses_and_closes_all_at_its_mean() {
    let mut d = Desk::new(martingale(|_| ()), common(|c| (c.direction, c.slippage, c.stop_loss) = (Direction::Long, 0, 150_000)));
    d.minute(6_000_000);
    // 300 at once; 600 one per cent below; the target one per cent above.
    d.check(&[
        "fill long 0 buy limit 0.004 60000.10 at 60000.10",
        "rest long 0 sell maker 0.004 60600.20 reduces",
        "rest long 1 buy maker 0.010 59400.00",
    ]);
    // The bar that follows is another entry, of which there is but one.
    d.minute(5_950_000);
    d.check(&[]);
    d.price(5_939_000);
    d.check(&[
        "fill long 1 buy maker 0.010 59400.00 at 59400.00",
        "cancel long 0 sell maker 0.004 60600.20 reduces",
        "rest long 1 sell maker 0.010 60167.20 reduces",
        "rest long 2 buy maker 0.018 58806.00",
        "rest long 0 sell maker 0.004 60167.20 reduces",
    ]);
    // The mean is 59,571.46 and a per cent above it everything is sold, part by part at the same price; the next layer goes with it.
    d.price(6_016_720);
    d.check(&[
        "fill long 1 sell maker 0.010 60167.20 reduces at 60167.20",
        "cancel long 2 buy maker 0.018 58806.00",
        "rest long 1 buy maker 0.010 59390.00",
        "fill long 0 sell maker 0.004 60167.20 reduces at 60167.20",
        "cancel long 1 buy maker 0.010 59390.00",
    ]);
    assert_eq!((d.holding(), d.open.len()), (0, 0));
}

#[test]
fn martingale_falls_through_all_layers_to_its_stop() {
    let cfg = common(|c| (c.direction, c.slippage, c.stop_loss) = (Direction::Short, 0, 20_000));
    let mut d = Desk::new(martingale(|c| (c.direction, c.layers) = (Direction::Short, 3)), cfg);
    d.minute(6_000_000);
    d.price(6_070_000);
    d.price(6_140_000);
    d.log.clear();
    assert_eq!((d.holding(), d.open.iter().filter(|order| !order.reduce_only).count()), (-31, 0), "three layers and no more");
    d.price(6_220_000);
    let mut closed = std::mem::take(&mut d.log);
    closed.retain(|line| line.starts_with("fill"));
    assert_eq!(closed.len(), 3, "{closed:?}");
    assert_eq!((d.holding(), d.open.len()), (0, 0));
}

#[test]
fn martingale_reversed_adds_where_it_wins() {
    let plan = martingale(|c| (c.reverse, c.take_profit, c.multiplier, c.decay) = (true, 0, 1_500_000, 1_000_000));
    let mut d = Desk::new(plan, common(|c| (c.direction, c.slippage, c.trailing, c.trailing_from) = (Direction::Long, 0, 10_000, 10_000)));
    d.minute(6_000_000);
    d.check(&["fill long 0 buy limit 0.004 60000.10 at 60000.10"]);
    d.price(6_060_020);
    d.check(&["fill long 1 buy limit 0.007 60600.30 at 60600.30"]);
    d.price(6_130_000);
    d.check(&["fill long 2 buy limit 0.011 61300.10 at 61300.10"]);
    // Filled, it must not be bought again in the same bar; a layer further down it is.
    d.price(6_160_000);
    d.price(6_098_400);
    d.check(&[
        "fill long 0 sell market 0.004 0.00 reduces at 60984.00",
        "fill long 1 sell market 0.007 0.00 reduces at 60984.00",
        "fill long 2 sell market 0.011 0.00 reduces at 60984.00",
    ]);
}

#[test]
fn martingale_goes_with_the_trend_and_not_before_it_is_known() {
    let mut d = Desk::new(martingale(|c| (c.direction, c.trend) = (Direction::Both, 2)), common(|c| c.slippage = 0));
    for bid in [6_000_000, 5_999_000, 5_998_000] {
        d.minute(bid);
    }
    d.check(&[]);
    d.minute(5_997_000);
    assert!(d.log[0].starts_with("fill short 0 sell limit"), "{:?}", d.log);
}

fn dca(change: impl Fn(&mut DcaConfig)) -> DcaPlan {
    let mut cfg = DcaConfig {
        direction: Direction::Long,
        amount: 300 * USDT,
        safety_amount: 400 * USDT,
        safety_orders: 5,
        atr: 2,
        atr_multiplier: 1_500_000,
        step_min: 10_000,
        step_max: 50_000,
        amount_scale: 1_500_000,
        step_scale: 2_000_000,
        take_first: 10_000,
        take_last: 5_000,
        take_total: 20_000,
        cascade: None,
        trend: 0,
    };
    change(&mut cfg);
    DcaPlan::new(cfg).unwrap()
}

#[test]
fn dca_widens_its_steps_and_takes_profit_layer_by_layer() {
    let mut d = Desk::new(dca(|_| ()), common(|c| (c.direction, c.slippage) = (Direction::Long, 0)));
    for _ in 0..3 {
        d.minute(6_000_000);
    }
    // The range is narrow: the least step.
    d.check(&[
        "fill long 0 buy limit 0.004 60000.10 at 60000.10",
        "rest long 0 sell maker 0.004 60600.20 reduces",
        "rest long 1 buy maker 0.006 59400.00",
    ]);
    d.price(5_939_000);
    // The last layer half a per cent above its own price, as soon as the market is below that; the first two above the mean.
    d.check(&[
        "fill long 1 buy maker 0.006 59400.00 at 59400.00",
        "cancel long 0 sell maker 0.004 60600.20 reduces",
        "rest long 1 sell maker 0.006 60000.10 reduces",
        "rest long 2 buy maker 0.010 58212.00",
        "rest long 0 sell maker 0.004 60832.90 reduces",
        "cancel long 1 sell maker 0.006 60000.10 reduces",
        "rest long 1 sell maker 0.006 59697.00 reduces",
    ]);
    d.price(5_969_700);
    d.check(&[
        "fill long 1 sell maker 0.006 59697.00 reduces at 59697.00",
        "cancel long 0 sell maker 0.004 60832.90 reduces",
        "cancel long 2 buy maker 0.010 58212.00",
        // The fill is told before the price that it happened at: what would take rests beside the market, until that is known.
        "rest long 1 buy maker 0.006 59390.00",
        "rest long 0 sell maker 0.004 60236.50 reduces",
        "cancel long 1 buy maker 0.006 59390.00",
        "rest long 1 buy maker 0.006 59400.00",
    ]);
    // One per cent above the average cost, which what the last layer earned has not raised.
    d.price(6_023_650);
    assert_eq!((d.holding(), d.open.len()), (0, 0));
}

#[test]
fn dca_does_not_buy_into_a_cascade() {
    let cascade = Cascade { drop: 30_000, bars: 3, pause: 2 };
    let mut d = Desk::new(dca(|c| c.cascade = Some(cascade)), common(|c| (c.direction, c.slippage) = (Direction::Long, 0)));
    for bid in [6_000_000, 6_000_000, 6_000_000] {
        d.minute(bid);
    }
    assert_eq!(d.open.len(), 2);
    // Down by more than three per cent within a bar: what it passes fills, nothing more is bought.
    d.minute(5_800_000);
    assert_eq!(d.open.iter().filter(|order| !order.reduce_only).count(), 0, "{:?}", d.log);
    d.log.clear();
    d.minute(5_800_000);
    d.minute(5_800_000);
    assert!(d.log.is_empty(), "{:?}", d.log);
    d.minute(5_800_000);
    d.minute(5_800_000);
    assert_eq!(d.open.iter().filter(|order| !order.reduce_only).count(), 1, "{:?}", d.log);
}

#[test]
fn parameters_have_ranges() {
    let mut cfg = MomentumConfig { amount: USDT, period: 14, oversold: 300_000, overbought: 700_000, take_profit: 0 };
    assert!(MomentumPlan::new(cfg).is_ok());
    cfg.oversold = 700_000;
    assert!(MomentumPlan::new(cfg).unwrap_err().to_string().starts_with("oversold and overbought is 700000 and 700000"));
    cfg.oversold = 300_000;
    let btc = Instrument::example_btcusdt();
    let error = common(|_| ()).check_layers(&MomentumPlan::new(cfg).unwrap(), &btc, Price::from_units(6_000_000)).unwrap_err();
    assert!(error.to_string().starts_with("BTCUSDT: layer 0 of 1.00000000 USDT at 60000.00 is 0.000 BTC: quantity 0"), "{error}");
    let bad = |change: &dyn Fn(&mut TradeConfig)| {
        let mut cfg = common(|_| ());
        change(&mut cfg);
        cfg.check().is_err()
    };
    assert!(bad(&|c| c.bar = Duration::from_secs(90)) && bad(&|c| c.bar = Duration::ZERO) && bad(&|c| c.stop_loss = 900_001));
    // What earns no more than its fees, or more than a short position can, and a price that the exchange would not take.
    let refused = |take_profit: u32, change: &dyn Fn(&mut TradeConfig)| {
        let mut cfg = common(|_| ());
        change(&mut cfg);
        let told = cfg.check_layers(&momentum(take_profit), &btc, Price::from_units(6_000_000)).map_err(|error| error.to_string());
        told.err().unwrap_or_default()
    };
    let fees = (btc.taker_fee.ppm() + btc.maker_fee.ppm()) as u32;
    assert!(refused(fees, &|_| ()).starts_with(&format!("take_profit is {fees} millionths, with fees of {fees}; allowed: more than")));
    assert_eq!(refused(fees + 1, &|_| ()), "");
    assert!(refused(900_001, &|_| ()).contains("short positions") && refused(900_001, &|c| c.direction = Direction::Long).is_empty());
    assert!(refused(0, &|c| c.slippage = btc.percent_up.0 - 1_000_000 + 1).starts_with("slippage is"));
    assert!(bad(&|c| c.slippage = 50_001) && !bad(&|c| c.slippage = 50_000));
    let both = MartingaleConfig {
        direction: Direction::Both,
        amount: USDT,
        multiplier: 2_000_000,
        layers: 4,
        step: 10_000,
        decay: 900_000,
        multiplier_min: 1_200_000,
        take_profit: 10_000,
        reverse: false,
        trend: 0,
    };
    assert!(MartingalePlan::new(both).is_err() && MartingalePlan::new(MartingaleConfig { trend: 5, ..both }).is_ok());
    assert!(MartingalePlan::new(MartingaleConfig { trend: 5, layers: 61, ..both }).is_err());
    assert!(MartingalePlan::new(MartingaleConfig { trend: 129, ..both }).is_err(), "the long mean would need 258 bars");
}

/// The log with long and short, buy and sell exchanged, and without prices and quantities.
fn mirrored(log: &[String]) -> Vec<String> {
    let swap = |word: &str| {
        match word {
            "long" => "short",
            "short" => "long",
            "buy" => "sell",
            "sell" => "buy",
            other => other,
        }
        .to_owned()
    };
    log.iter().map(|line| line.split(' ').filter(|word| word.parse::<f64>().is_err()).map(swap).collect::<Vec<_>>().join(" ")).collect()
}

proptest! {
    /// In a mirrored market every strategy that goes by differences does the mirrored thing, and all of them end up holding what their
    /// fills add up to.
    #[test]
    fn mirrored_prices_give_mirrored_orders(moves in proptest::collection::vec(-3_000..3_000_i64, 10..60)) {
        fn run<P: Plan>(plan: P, moves: &[i64], sign: i64) -> (Vec<String>, i64) {
            let mut d = Desk::new(plan, common(|c| c.slippage = 0));
            let mut at = 0;
            for step in moves {
                at += step / 10 * 10;
                // The middle is mirrored: bid and ask change places.
                d.minute(if sign == 1 { 6_000_000 + at } else { 6_000_000 - at - 10 });
            }
            (d.log.clone(), d.holding())
        }
        fn both<P: Plan>(plan: P, moves: &[i64]) -> Result<(), TestCaseError> {
            let (up, held) = run(plan.clone(), moves, 1);
            let (down, mirrored_held) = run(plan, moves, -1);
            prop_assert_eq!(mirrored(&up).iter().map(|l| l.to_owned()).collect::<Vec<_>>(), mirrored(&mirrored_twice(&down)));
            prop_assert_eq!(held, -mirrored_held);
            Ok(())
        }
        fn mirrored_twice(log: &[String]) -> Vec<String> {
            mirrored(log)
        }
        both(crossing(), &moves)?;
        both(MeanReversionPlan::new(MeanReversionConfig { amount: 1_000 * USDT, period: 5, enter_milli: 1_200, leave_milli: 300, take_profit: 0 }).unwrap(), &moves)?;
        both(momentum(0), &moves)?;
    }

    /// Whatever the market does: no more layers than allowed, never both ways, and what is open never opens beyond the last layer.
    #[test]
    fn layers_stay_within_their_number(moves in proptest::collection::vec(-60_000..60_000_i64, 10..80), short in any::<bool>()) {
        let direction = if short { Direction::Short } else { Direction::Long };
        let cfg = common(|c| (c.direction, c.stop_loss) = (direction, 100_000));
        let mut d = Desk::new(dca(|c| (c.direction, c.safety_orders) = (direction, 3)), cfg);
        let mut bid = 6_000_000;
        for step in moves {
            bid = (bid + step / 10 * 10).clamp(3_000_000, 9_000_000);
            d.minute(bid);
            let view = d.w.engine.position().view(d.w.now);
            prop_assert!(view.slots.holding_count() <= 4);
            prop_assert!(!(view.slots.holds(Side::Buy) && view.slots.holds(Side::Sell)));
            prop_assert!(d.open.iter().filter(|order| !order.reduce_only).count() <= 1);
            prop_assert!(d.open.iter().all(|order| order.id.leg().index() <= 3));
        }
    }
}

#[test]
fn the_engine_refuses_what_another_strategy_holds() {
    let mut d = Desk::new(momentum(0), common(|c| c.direction = Direction::Long));
    for bid in [6_000_000, 6_000_000, 6_000_000, 6_000_000, 5_990_000] {
        d.minute(bid);
    }
    let (boot, _) = d.stored();
    let cfg = common(|_| ());
    let btc = d.w.btc;
    assert!(Engine::check_owner(&btc, &Trader::new(momentum(0), cfg), &boot).is_ok());
    let error = Engine::check_owner(&btc, &Trader::new(crossing(), cfg), &boot).unwrap_err().to_string();
    assert!(error.contains("trend_following") && error.contains("strategy 1"), "{error}");
}
