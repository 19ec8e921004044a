//! What the matching engine does, as scripts.

use crate::world::{START, USDT, World, btc, config, market, order};
use core::time::Duration;
use plimsoll_market::{Instrument, Price, Qty, Side, Trading};
use plimsoll_sim::venue::{AccountId, OrderRef, SourceSpec, Tif};
use plimsoll_sim::{ConfigError, VenueError};

/// Carries out a script; position updates are left out of the comparison unless asked for.
#[track_caller]
fn check(script: &[&str], expected: &[&str]) {
    let mut world = World::new();
    for line in script {
        world.line(line);
    }
    let told: Vec<&str> = world.heard.log.iter().map(String::as_str).filter(|l| !l.contains(" position ")).collect();
    assert_eq!(told, expected);
}

#[test]
fn better_prices_and_earlier_orders_fill_first() {
    check(
        &["a sell 10 @ 60000 a1", "b sell 10 @ 60000 b1", "b sell 10 @ 59990 b2", "c buy 25 @ 60000 c1"],
        &[
            "a NEW a1 new 0/10",
            "b NEW b1 new 0/10",
            "b NEW b2 new 0/10",
            "c NEW c1 new 0/25",
            "b TRADE b2 filled 10/10 10@59990 maker",
            "c TRADE c1 partially_filled 10/25 10@59990 taker",
            "a TRADE a1 filled 10/10 10@60000 maker",
            "c TRADE c1 partially_filled 20/25 10@60000 taker",
            "b TRADE b1 partially_filled 5/10 5@60000 maker",
            "c TRADE c1 filled 25/25 5@60000 taker",
        ],
    );
}

#[test]
fn the_rest_of_a_taker_rests() {
    check(
        &["a sell 10 @ 60000 a1", "b buy 15 @ 60000 b1", "a sell 5 @ 59999 a2"],
        &[
            "a NEW a1 new 0/10",
            "b NEW b1 new 0/15",
            "a TRADE a1 filled 10/10 10@60000 maker",
            "b TRADE b1 partially_filled 10/15 10@60000 taker",
            "a NEW a2 new 0/5",
            "b TRADE b1 filled 15/15 5@60000 maker",
            "a TRADE a2 filled 5/5 5@60000 taker",
        ],
    );
}

#[test]
fn times_in_force_end_orders() {
    check(
        &["a sell 10 @ 60000 a1", "b buy 15 @ 60000 ioc b1"],
        &[
            "a NEW a1 new 0/10",
            "b NEW b1 new 0/15",
            "a TRADE a1 filled 10/10 10@60000 maker",
            "b TRADE b1 partially_filled 10/15 10@60000 taker",
            "b EXPIRED b1 expired 10/15",
        ],
    );
    // Post-only and fill-or-kill are refused without a trace.
    check(&["a sell 10 @ 60000 a1", "b buy 5 @ 60000 gtx b1"], &["a NEW a1 new 0/10", "error -5022"]);
    check(&["a sell 10 @ 60000 a1", "b buy 5 @ 59999 gtx b1"], &["a NEW a1 new 0/10", "b NEW b1 new 0/5"]);
    check(&["a sell 10 @ 60000 a1", "b buy 11 @ 60000 fok b1"], &["a NEW a1 new 0/10", "error -5021"]);
    check(&["a sell 10 @ 60000 gtd a1", "wait 600000", "wait 2000"], &["a NEW a1 new 0/10", "a EXPIRED a1 expired 0/10"]);
}

#[test]
fn a_market_order_is_new_then_trades_then_expires() {
    check(
        &["a sell 10 @ 60000 a1", "b buy 15 market b1", "b buy 15 market b2"],
        &[
            "a NEW a1 new 0/10",
            "b NEW b1 new 0/15",
            "a TRADE a1 filled 10/10 10@60000 maker",
            "b TRADE b1 partially_filled 10/15 10@60000 taker",
            "b EXPIRED b1 expired 10/15",
            "error -1112",
        ],
    );
}

#[test]
fn self_trades_are_prevented_as_asked() {
    let ended = |id: &str| format!("a EXPIRED {id} expired 0/10 in match");
    let (old, new) = (ended("a1"), ended("a2"));
    let news = ["a NEW a1 new 0/10", "a NEW a2 new 0/10"];
    let script = |word: &str| format!("a buy 10 @ 60000 {word} a2");
    check(&["a sell 10 @ 60000 a1", &script("maker")], &[news[0], news[1], &old]);
    check(&["a sell 10 @ 60000 a1", &script("taker")], &[news[0], news[1], &new]);
    check(&["a sell 10 @ 60000 a1", &script("both")], &[news[0], news[1], &old, &new]);
    check(
        &["a sell 10 @ 60000 a1", &script("none")],
        &[news[0], news[1], "a TRADE a1 filled 10/10 10@60000 maker", "a TRADE a2 filled 10/10 10@60000 taker"],
    );
}

#[test]
fn reduce_only_never_flips() {
    check(&["a sell 5 @ 60000 ro a1"], &["error -2022"]);
    check(
        &["b sell 10 @ 60000 b1", "a buy 10 @ 60000 a1", "a sell 8 @ 60100 ro a2", "a sell 8 @ 60200 ro a3", "b buy 16 @ 60200 b2"],
        &[
            "b NEW b1 new 0/10",
            "a NEW a1 new 0/10",
            "b TRADE b1 filled 10/10 10@60000 maker",
            "a TRADE a1 filled 10/10 10@60000 taker",
            "a NEW a2 new 0/8",
            "a NEW a3 new 0/8",
            "b NEW b2 new 0/16",
            "a TRADE a2 filled 8/8 8@60100 maker",
            "b TRADE b2 partially_filled 8/16 8@60100 taker",
            // Two are left to reduce: the order fills that much, and expires with the position.
            "a TRADE a3 partially_filled 2/8 2@60200 maker",
            "a EXPIRED a3 expired 2/8",
            "b TRADE b2 partially_filled 10/16 2@60200 taker",
        ],
    );
    // A taking one stops at the position, too.
    check(
        &["b sell 10 @ 60000 b1", "a buy 4 @ 60000 a1", "b buy 20 @ 59900 b2", "a sell 9 market ro a2"],
        &[
            "b NEW b1 new 0/10",
            "a NEW a1 new 0/4",
            "b TRADE b1 partially_filled 4/10 4@60000 maker",
            "a TRADE a1 filled 4/4 4@60000 taker",
            "b NEW b2 new 0/20",
            "a NEW a2 new 0/9",
            "b TRADE b2 partially_filled 4/20 4@59900 maker",
            "a TRADE a2 partially_filled 4/9 4@59900 taker",
            "a EXPIRED a2 expired 4/9",
        ],
    );
}

#[test]
fn an_amended_order_goes_to_the_back() {
    check(
        &["a buy 10 @ 60000 a1", "b buy 10 @ 60000 b1", "a amend a1 9 @ 60000", "c sell 12 @ 60000 c1"],
        &[
            "a NEW a1 new 0/10",
            "b NEW b1 new 0/10",
            "a AMENDMENT a1 new 0/9",
            "c NEW c1 new 0/12",
            "b TRADE b1 filled 10/10 10@60000 maker",
            "c TRADE c1 partially_filled 10/12 10@60000 taker",
            "a TRADE a1 partially_filled 2/9 2@60000 maker",
            "c TRADE c1 filled 12/12 2@60000 taker",
        ],
    );
}

#[test]
fn an_amendment_may_trade_cancel_or_be_refused() {
    let opened = ["b NEW b1 new 0/10", "a NEW a1 new 0/10"];
    let with = |line: &'static str| ["b sell 10 @ 60000 b1", "a buy 10 @ 59000 a1", line];
    check(&with("a amend a1 10 @ 59000"), &[opened[0], opened[1], "error -5027"]);
    check(&with("a amend a1 0 @ 59000"), &[opened[0], opened[1], "error -4003"]);
    check(&with("a amend a9 10 @ 59001"), &[opened[0], opened[1], "error -2011"]);
    check(
        &with("a amend a1 4 @ 60000"),
        &[
            opened[0],
            opened[1],
            "a AMENDMENT a1 new 0/4",
            "b TRADE b1 partially_filled 4/10 4@60000 maker",
            "a TRADE a1 filled 4/4 4@60000 taker",
        ],
    );
    // A post-only order whose new price would take is cancelled.
    check(
        &["b sell 10 @ 60000 b1", "a buy 10 @ 59000 gtx a1", "a amend a1 10 @ 60000"],
        &["b NEW b1 new 0/10", "a NEW a1 new 0/10", "a CANCELED a1 canceled 0/10"],
    );
    // So is one whose new quantity is not above what is filled.
    check(
        &["a buy 10 @ 60000 a1", "b sell 4 @ 60000 b1", "a amend a1 4 @ 60000"],
        &[
            "a NEW a1 new 0/10",
            "b NEW b1 new 0/4",
            "a TRADE a1 partially_filled 4/10 4@60000 maker",
            "b TRADE b1 filled 4/4 4@60000 taker",
            "a CANCELED a1 canceled 4/10",
        ],
    );
}

#[test]
fn cancels_and_the_dead_mans_switch() {
    check(
        &["a buy 10 @ 60000 a1", "b cancel a1", "a cancel a1", "a cancel a1"],
        &["a NEW a1 new 0/10", "error -2011", "a CANCELED a1 canceled 0/10", "error -2011"],
    );
    check(
        &["a buy 10 @ 60000 a1", "a sell 10 @ 61000 a2", "b buy 10 @ 59000 b1", "a all"],
        &["a NEW a1 new 0/10", "a NEW a2 new 0/10", "b NEW b1 new 0/10", "a CANCELED a1 canceled 0/10", "a CANCELED a2 canceled 0/10"],
    );
    check(
        &["a buy 10 @ 60000 a1", "a countdown 5000", "wait 4000", "a countdown 5000", "wait 4900", "wait 300"],
        &["a NEW a1 new 0/10", "a CANCELED a1 canceled 0/10"],
    );
    check(&["a buy 10 @ 60000 a1", "a countdown 5000", "a countdown 0", "wait 9000"], &["a NEW a1 new 0/10"]);
}

#[test]
fn client_ids_are_unique_among_open_orders_only() {
    check(
        &["a buy 10 @ 60000 x", "a buy 10 @ 60000 x", "b buy 10 @ 60000 x", "a cancel x", "a buy 10 @ 60000 x", "a buy 10 @ 60000 bäd"],
        &["a NEW x new 0/10", "error -4116", "b NEW x new 0/10", "a CANCELED x canceled 0/10", "a NEW x new 0/10", "error -1100"],
    );
}

#[test]
fn filters_refuse_with_their_codes() {
    let mut world = World::new();
    let mut refuse = |change: &dyn Fn(&mut plimsoll_sim::venue::NewOrder), code: i32, text: &str| {
        let mut new = order(Side::Buy, Tif::Gtc, 10, 60_000, "x");
        change(&mut new);
        let error = world.place(0, new).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    };
    refuse(&|o| o.price = Price::from_units(6_000_001), -4014, "Price not increased by tick size.");
    refuse(&|o| o.price = Price::from_units(55_670), -4013, "Price less than min price.");
    refuse(&|o| o.price = Price::from_units(452_930_610), -4002, "Price greater than max price.");
    refuse(&|o| o.qty = Qty::ZERO, -4003, "Quantity less than or equal to zero.");
    refuse(&|o| o.qty = Qty::from_units(1_000_001), -4005, "Quantity greater than max quantity.");
    refuse(&|o| o.qty = Qty::from_units(1), -4164, "Order's notional must be no smaller than 100 (unless you choose reduce only).");
    refuse(&|o| o.symbol = plimsoll_market::Symbol::new("NONE").unwrap(), -1121, "Invalid symbol.");
    refuse(&|o| o.tif = Tif::Gtd(START), -1130, "Data sent for parameter 'goodTillDate' is not valid.");
    assert_eq!(world.place(9, order(Side::Buy, Tif::Gtc, 10, 60_000, "x")).unwrap_err().code(), -2015);
    assert!(world.heard.log.is_empty() && world.heard.rows.iter().all(|r| !matches!(r, plimsoll_sim::rows::Row::Order(_))));
    // At the limits it passes.
    world.place(0, order(Side::Buy, Tif::Gtc, 2, 50_000, "x")).unwrap();

    let coarse = Instrument { step: Qty::from_units(5), qty_min: Qty::from_units(5), ..btc() };
    let mut world = World::of(config(vec![market(coarse, SourceSpec::Empty)], 1_000 * USDT));
    assert_eq!(world.place(0, order(Side::Buy, Tif::Gtc, 4, 60_000, "x")).unwrap_err().code(), -4004);
    assert_eq!(world.place(0, order(Side::Buy, Tif::Gtc, 6, 60_000, "x")).unwrap_err().code(), -4023);
    let closed = Instrument { trading: Trading::Halted, ..btc() };
    let mut world = World::of(config(vec![market(closed, SourceSpec::Empty)], 1_000 * USDT));
    assert_eq!(world.place(0, order(Side::Buy, Tif::Gtc, 10, 60_000, "x")).unwrap_err().code(), -4140);
}

#[test]
fn limit_prices_stay_near_the_mark() {
    let mut world = World::new();
    for line in ["a buy 10 @ 59990 a1", "b sell 10 @ 60010 b1", "wait 1000"] {
        world.line(line);
    }
    let error = world.place(2, order(Side::Buy, Tif::Gtc, 10, 63_001, "x")).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (-4016, "Limit price can't be higher than 63000.00."));
    let error = world.place(2, order(Side::Sell, Tif::Gtc, 10, 56_999, "x")).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (-4024, "Limit price can't be lower than 57000.00."));
    // At the border it passes, and meets the best price.
    assert_eq!(world.place(2, order(Side::Buy, Tif::Gtc, 10, 63_000, "x")).unwrap().filled, Qty::from_units(10));
}

#[test]
fn margin_brackets_and_leverage_bind() {
    let mut world = World::of(config(vec![market(btc(), SourceSpec::Empty)], 1_000 * USDT));
    // 1,000 × 20 = 20,000 USDT: 0.333 BTC at 60,000 is 19,980.
    assert_eq!(world.place(0, order(Side::Buy, Tif::Gtc, 334, 60_000, "x")).unwrap_err().code(), -2019);
    world.place(0, order(Side::Buy, Tif::Gtc, 333, 60_000, "x")).unwrap();
    let balance = world.venue.balance(AccountId(0)).unwrap();
    assert_eq!((balance.available, balance.order_margin), (USDT, 999 * USDT));
    // The other side is not added: the larger one counts.
    world.place(0, order(Side::Sell, Tif::Gtc, 300, 60_100, "y")).unwrap();
    world.line("a leverage 0");
    world.line("a leverage 126");
    world.line("a leverage 10");
    world.line("a leverage 125");
    world.line("a leverage 125");
    assert_eq!(world.heard.log.split_off(2), ["error -4028", "error -4028", "error -2028", "a leverage 125"]);
    // At 125× the largest position is worth 50,000.
    assert_eq!(world.place(0, order(Side::Buy, Tif::Gtc, 501, 60_000, "z")).unwrap_err().code(), -2027);
    assert_eq!(world.venue.position(AccountId(0), btc().symbol).unwrap().notional_max, 50_000 * USDT);
}

#[test]
fn open_orders_are_limited_at_admission() {
    let tight = Instrument { orders_max: 3, ..btc() };
    let mut world = World::of(config(vec![market(tight, SourceSpec::Empty)], 100_000 * USDT));
    for id in ["1", "2", "3"] {
        world.place(0, order(Side::Buy, Tif::Gtc, 10, 60_000, id)).unwrap();
    }
    assert_eq!(world.place(0, order(Side::Buy, Tif::Gtc, 10, 60_000, "4")).unwrap_err(), VenueError::TooManyOrders { max: 3 });
    world.place(1, order(Side::Buy, Tif::Gtc, 10, 60_000, "4")).unwrap();
    world.line("a cancel 2");
    world.place(0, order(Side::Buy, Tif::Gtc, 10, 60_000, "4")).unwrap();
}

#[test]
fn settings_of_margin_and_mode_answer_as_the_exchange() {
    use plimsoll_sim::venue::MarginType::{Cross, Isolated};
    let mut world = World::new();
    let symbol = btc().symbol;
    let mut out = |_: plimsoll_sim::venue::VenueEvent<'_>| {};
    let code = |result: Result<(), VenueError>| result.map_or_else(|e| e.code(), |()| 200);
    let now = world.now;
    assert_eq!(code(world.venue.set_margin_type(now, AccountId(0), symbol, Cross, &mut out)), -4046);
    assert_eq!(code(world.venue.set_margin_type(now, AccountId(0), symbol, Isolated, &mut out)), 200);
    assert_eq!(code(world.venue.set_hedge_mode(now, AccountId(0), false, &mut out)), -4059);
    assert_eq!(code(world.venue.set_hedge_mode(now, AccountId(0), true, &mut out)), -1130);
    world.place(0, order(Side::Buy, Tif::Gtc, 10, 60_000, "x")).unwrap();
    assert_eq!(code(world.venue.set_margin_type(now, AccountId(0), symbol, Cross, &mut out)), -4047);
    assert_eq!(code(world.venue.set_hedge_mode(now, AccountId(0), true, &mut out)), -4067);
    world.place(1, order(Side::Sell, Tif::Gtc, 10, 60_000, "y")).unwrap();
    assert_eq!(code(world.venue.set_margin_type(now, AccountId(0), symbol, Cross, &mut out)), -4048);
    assert_eq!(code(world.venue.set_hedge_mode(now, AccountId(0), true, &mut out)), -4068);
    assert_eq!(world.venue.set_leverage(now, AccountId(0), symbol, 10, &mut out).unwrap_err().code(), -4161);
}

#[test]
fn money_is_exact_to_the_last_unit() {
    let mut world = World::new();
    for line in ["a buy 10 @ 60000 a1", "b sell 10 @ 60000 b1", "b buy 4 @ 60100 b2", "a sell 4 @ 60100 a2"] {
        world.line(line);
    }
    // Bought 0.010 at 60,000 as maker: 0.12 USDT. Sold 0.004 at 60,100 as taker: profit 0.4, commission 0.1202.
    let a = world.venue.balance(AccountId(0)).unwrap();
    assert_eq!(a.wallet, 100_000 * USDT - 12_000_000 + 40_000_000 - 12_020_000);
    let b = world.venue.balance(AccountId(1)).unwrap();
    assert_eq!(b.wallet, 100_000 * USDT - 30_000_000 - 40_000_000 - 4_808_000);
    let position = world.venue.position(AccountId(0), btc().symbol).unwrap();
    assert_eq!((position.holding.units(), position.entry.to_string().as_str()), (6, "60000.00000000"));
    assert_eq!(position.realized, 40_000_000);
    let trades = world.venue.user_trades(AccountId(0), btc().symbol, None, plimsoll_sim::venue::Page::latest(10)).unwrap();
    assert_eq!(trades.iter().map(|t| (t.maker, t.realized)).collect::<Vec<_>>(), [(true, 0), (false, 40_000_000)]);
}

#[test]
fn funding_moves_between_long_and_short() {
    let mut world = World::of(plimsoll_sim::venue::VenueConfig {
        funding_interval: Duration::from_secs(60),
        ..config(vec![market(btc(), SourceSpec::Empty)], 100_000 * USDT)
    });
    for line in ["a buy 100 @ 60000 a1", "b sell 100 @ 60000 b1", "c buy 10 @ 59990 c1", "c sell 10 @ 60010 c2"] {
        world.line(line);
    }
    world.advance(Duration::from_secs(60));
    // 6,000 USDT at the interest rate of 0.01 %: 0.6 from the long side to the short one.
    let funding: Vec<&str> = world.heard.log.iter().map(String::as_str).filter(|l| l.contains("FUNDING")).collect();
    assert_eq!(funding, ["a FUNDING_FEE -60000000", "b FUNDING_FEE 60000000"]);
    let income = world.venue.income(AccountId(0), None, None, plimsoll_sim::venue::Page::latest(9)).unwrap();
    assert_eq!(
        income.iter().map(|i| (i.kind.as_str(), i.amount)).collect::<Vec<_>>(),
        [("COMMISSION", -120_000_000), ("FUNDING_FEE", -60_000_000)]
    );
    assert_eq!(world.venue.funding_rates(btc().symbol, plimsoll_sim::venue::Page::latest(9)).unwrap().len(), 1);
}

#[test]
fn whoever_runs_out_of_margin_is_liquidated() {
    let mut world = World::of(config(vec![market(btc(), SourceSpec::Empty)], 400 * USDT));
    // b trades with small steps; c provides the falling market, a holds 0.1 BTC with 400 USDT behind it.
    for line in ["b sell 100 @ 60000 b1", "a buy 100 @ 60000 a1", "a sell 2 @ 61000 ro a2"] {
        world.line(line);
    }
    let liquidation = world.venue.position(AccountId(0), btc().symbol).unwrap().liquidation;
    // (397 − 6,000) + p × 0.1 = p × 0.1 × 0.4 %, at p = 56,255 and a bit.
    assert!((56_200 * USDT..56_300 * USDT).contains(&liquidation.units().into()), "{liquidation}");
    for line in ["c buy 100 @ 57100 c1", "c sell 2 @ 57110 c2", "wait 1100"] {
        world.line(line);
    }
    assert!(!world.heard.log.iter().any(|l| l.contains("margin call") || l.contains("autoclose")));
    for line in ["c all", "c buy 60 @ 56220 c3", "c sell 2 @ 56230 c4", "wait 1100"] {
        world.line(line);
    }
    let log: Vec<&str> = world.heard.log.iter().map(String::as_str).filter(|l| l.starts_with("a ") && !l.contains("a1")).collect();
    let tail = log.iter().position(|l| l.contains("CANCELED a2")).unwrap();
    assert_eq!(log[tail], "a CANCELED a2 canceled 0/2");
    assert!(log[tail + 1].starts_with("a NEW auto new 0/100"), "{log:?}");
    assert!(log.iter().any(|l| l.contains("CALCULATED auto partially_filled 60/100 60@56220 taker")), "{log:?}");
    assert!(log.iter().any(|l| l.contains("CALCULATED auto filled 100/100 40@56225 taker")), "{log:?}");
    assert!(world.venue.position(AccountId(0), btc().symbol).unwrap().holding.is_flat());
    let last = world.venue.all_orders(AccountId(0), btc().symbol, plimsoll_sim::venue::Page::latest(1)).unwrap()[0];
    assert!(last.client_id.starts_with("autoclose-"));
}

#[test]
fn positions_are_taken_over_and_closed_on_demand() {
    let mut world = World::new();
    for line in ["b sell 100 @ 60000 b1", "a buy 30 @ 60000 a1", "a sell 5 @ 61000 ro a2", "b buy 50 @ 59000 b2"] {
        world.line(line);
    }
    let (a, symbol) = (AccountId(0), btc().symbol);
    let heard = &mut world.heard;
    world.venue.deleverage(world.now, a, symbol, Qty::from_units(10), &mut |event| heard.take(event)).unwrap();
    world.check();
    assert_eq!(world.venue.position(a, symbol).unwrap().holding.units(), 20);
    let last = world.venue.all_orders(a, symbol, plimsoll_sim::venue::Page::latest(1)).unwrap()[0];
    assert!(last.client_id.starts_with("adl_autoclose-"), "{last:?}");
    assert_eq!((last.filled, world.venue.open_orders(a, None).unwrap().len()), (Qty::from_units(10), 1), "a resting order stays");
    let heard = &mut world.heard;
    world.venue.liquidate_now(world.now, a, &mut |event| heard.take(event)).unwrap();
    world.check();
    let log: Vec<&str> = world.heard.log.iter().map(String::as_str).filter(|l| l.starts_with("a ") && !l.contains("position")).collect();
    let taken_over = log.iter().position(|l| l.contains("adl_")).unwrap();
    assert_eq!(
        log[taken_over..],
        [
            "a NEW adl_autoclose-5 new 0/10",
            "a CALCULATED adl_autoclose-5 filled 10/10 10@60000 taker",
            "a CANCELED a2 canceled 0/5",
            "a NEW auto new 0/20",
            "a CALCULATED auto filled 20/20 20@59000 taker"
        ]
    );
    assert!(world.venue.position(a, symbol).unwrap().holding.is_flat());
    // With nothing left there is nothing to take over.
    let heard = &mut world.heard;
    world.venue.deleverage(world.now, a, symbol, Qty::from_units(10), &mut |event| heard.take(event)).unwrap();
    assert_eq!(world.heard.log.last().map(String::as_str).filter(|l| l.contains("adl")), None);
}

#[test]
fn queries_find_open_and_finished_orders() {
    let mut world = World::new();
    for line in ["a buy 10 @ 60000 x", "a cancel x", "a buy 11 @ 60000 x", "a buy 12 @ 60000 y", "b sell 11 @ 60000 z"] {
        world.line(line);
    }
    let symbol = btc().symbol;
    let client = |text: &str| OrderRef::Client(plimsoll_sim::venue::ClientText::from(text).unwrap());
    let a = AccountId(0);
    assert_eq!(world.venue.order(a, symbol, client("x")).unwrap().qty, Qty::from_units(11));
    assert_eq!(world.venue.open_order(a, symbol, client("x")).unwrap_err(), VenueError::NoSuchOrder);
    assert_eq!(world.venue.order(a, symbol, OrderRef::Id(99)).unwrap_err().code(), -2013);
    assert_eq!(world.venue.open_orders(a, None).unwrap().len(), 1);
    let page = plimsoll_sim::venue::Page { from_id: Some(2), ..plimsoll_sim::venue::Page::latest(10) };
    let ids: Vec<u64> = world.venue.all_orders(a, symbol, page).unwrap().iter().map(|o| o.order_id).collect();
    assert_eq!(ids, [2, 3]);
    assert_eq!(world.venue.depth(symbol, 5).unwrap().bids[0].qty, Qty::from_units(12));
}

#[test]
fn bad_configurations_are_named() {
    let spec = || market(btc(), SourceSpec::Empty);
    let reason = |config| plimsoll_sim::venue::Venue::new(config).err().unwrap();
    assert_eq!(reason(config(Vec::new(), 0)), ConfigError::NoInstrument);
    assert_eq!(reason(config(vec![spec(), spec()], 0)), ConfigError::SymbolTwice(btc().symbol));
    let twice = plimsoll_sim::venue::VenueConfig { funding_interval: Duration::ZERO, ..config(vec![spec()], 0) };
    assert_eq!(reason(twice), ConfigError::FundingInterval);
}
