//! The rules of the risk ladder, from the event to the orders: what closes, what stops opening, and what comes after.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::{Boot, Countdown};
use plimsoll_market::*;
use plimsoll_safety::GuardConfig;
use shared::World;
use std::time::Duration;

fn with(change: impl Fn(&mut GuardConfig)) -> World {
    let mut guard = GuardConfig::OFF;
    change(&mut guard);
    World::with(&Boot::default(), guard, None).begin()
}

fn mark(price: i64) -> Event {
    let mark = RefPrice::from_units(price * 100_000_000);
    Event::Mark(MarkPrice { mark, index: mark, funding: None, next_funding: Time::ZERO, time: Time::ZERO })
}

fn alerts(done: &[String]) -> Vec<&str> {
    done.iter().filter_map(|line| line.strip_prefix("alert ")).collect()
}

fn opened(done: &[String]) -> bool {
    done.iter().any(|line| line.starts_with("place") && line.contains(":B"))
}

/// Holds 0.003 of level 0, its sell resting; the buys of levels -1 and -2 rest.
fn holding(change: impl Fn(&mut GuardConfig)) -> World {
    let mut w = with(change);
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(fill, &["place 0:S+0#4 0.003 60100.00"]);
    let ack = w.ack(0, Side::Sell, 4, "60100", "0.003");
    w.check(ack, &[]);
    w
}

fn demand(rule: Rule, close: bool) -> Event {
    Event::Lease(Lease {
        exposure_max: 100_000 * 100_000_000,
        orders_per_10s: 100,
        until: Time::from_millis(1_700_009_000_000),
        demand: Some(Demand { rule, close }),
    })
}

/// Answers the cancels of everything that rests, and fills the order that closes; returns what was done since.
fn close_all(w: &mut World, cancels: &[(i32, Side, u64, &str)], closing: u64) -> Vec<String> {
    let mut done = Vec::new();
    for (leg, side, generation, price) in cancels {
        let gone = w.report(World::id(*leg, *side, *generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        done.extend(w.feed(Event::Order(Box::new(gone))));
    }
    let id = ClientId::new(Tag(7), 100, Leg::new(63, 0).unwrap(), Side::Sell, closing);
    let Event::Order(mut report) = w.fill(0, Side::Sell, closing, "58000", "0.003", "0.003", OrderStatus::Filled) else { unreachable!() };
    report.id = Some(id);
    if let Some(fill) = report.fill.as_mut() {
        fill.id = Some(id);
    }
    done.extend(w.feed(Event::Order(report)));
    done
}

const RESTING: [(i32, Side, u64, &str); 2] = [(-1, Side::Buy, 2, "59900"), (-2, Side::Buy, 3, "59800")];
const SELLING: [(i32, Side, u64, &str); 3] = [(-1, Side::Buy, 2, "59900"), (-2, Side::Buy, 3, "59800"), (0, Side::Sell, 4, "60100")];

/// Acceptance test 6 of the original.
#[test]
fn g06_a_stop_loss_fires_while_the_risk_monitor_holds_and_nothing_enters_until_rearmed() {
    let mut w = holding(|g| g.stop_loss = 30_000);
    // The market-wide pause withdraws the buys; the sell stays.
    let paused = w.feed(demand(Rule::RiskMonitor, false));
    assert_eq!(paused, ["cancel 0:B-1#2", "cancel 0:B-2#3"]);
    for (leg, side, generation, price) in RESTING {
        let gone = w.report(World::id(leg, side, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        w.check(Event::Order(Box::new(gone)), &[]);
    }
    // Three percent exactly is the limit.
    assert_eq!(w.feed(mark(58_201)), Vec::<String>::new());
    let fired = w.feed(mark(58_200));
    assert_eq!(fired, ["alert risk", "commit 2 anchor Some(\"60000.00\")", "cancel 0:S+0#4"]);
    let closing = close_all(&mut w, &SELLING[2..], 5);
    assert_eq!(closing[0], "place 63:S+0#5 0.003 0.00");
    let status = w.engine.status(w.now);
    assert!(status.holding.is_flat() && status.orders.is_empty() && !status.closing);
    assert_eq!((status.closed, status.lock), (Some("stop_loss"), Some(Lock { rule: Rule::StopLoss, until: None })));
    // The pause ends, the price recovers, an operator resumes: it stays shut until it is re-armed.
    let lease = w.lease();
    for event in [lease, mark(60_000), Event::Command(Command::Resume)] {
        assert!(!opened(&w.feed(event)));
    }
    w.now = w.now + Duration::from_secs(3_000);
    let top = w.top("60000.0", "60000.1");
    assert!(!opened(&w.feed(top)));
    let lease = w.lease();
    w.feed(lease);
    let rearmed = w.feed(Event::Command(Command::Rearm));
    assert!(opened(&rearmed) && rearmed.iter().any(|line| line.starts_with("commit")), "{rearmed:?}");
}

#[test]
fn a_stop_that_was_begun_goes_on_after_a_restart_and_stays_latched() {
    let lock = Some(Lock { rule: Rule::StopLoss, until: None });
    let state = StateRecord {
        version: 5,
        anchor: Some(Price::from_units(6_000_000)),
        interval: Price::from_units(10_000).into(),
        baseline: Some(TradeId(1_000)),
        paused: false,
        halted: false,
        lock,
        closing: true,
        idle: false,
        memo: Memo::NONE,
    };
    let boot = Boot { state: Some(state), ..Boot::default() };
    let mut w = World::with(&boot, GuardConfig::OFF, None);
    w.feed(Event::Link(Link { feed: Feed::Account, up: true }));
    let Event::Order(report) = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled) else { unreachable!() };
    let page = w.page(vec![report.fill.unwrap()], None);
    w.feed(page);
    let snapshot = w.snapshot("0.003", vec![]);
    let mut done = w.feed(snapshot);
    let lease = w.lease();
    done.extend(w.feed(lease));
    let top = w.top("58000.0", "58000.1");
    done.extend(w.feed(top));
    assert_eq!(done, ["place 63:S+0#1 0.003 0.00"]);
    close_all(&mut w, &[], 1);
    let status = w.engine.status(w.now);
    assert!(status.holding.is_flat() && !status.closing && status.lock == lock);
}

#[test]
fn a_profit_is_trailed_and_trading_goes_on_after_its_pause() {
    let mut w = holding(|g| {
        (g.take_profit, g.trailing, g.take_profit_pause) = (10_000, 4_000, Duration::from_secs(60));
    });
    for price in [60_590, 60_300, 60_600, 60_900, 60_661] {
        assert_eq!(w.feed(mark(price)), Vec::<String>::new(), "at {price}");
    }
    let taken = w.feed(mark(60_660));
    assert_eq!(alerts(&taken), ["risk"], "1.5 % fell to 1.1 %");
    close_all(&mut w, &SELLING, 5);
    let status = w.engine.status(w.now);
    assert_eq!((status.holding.is_flat(), status.closed), (true, Some("take_profit")));
    w.now = w.now + Duration::from_secs(60);
    let wake = w.feed(Event::Wake);
    assert_eq!(alerts(&wake), ["risk", "stale_market"], "the pause is over, and in the meantime no price came");
    let top = w.top("60600.0", "60600.1");
    assert!(opened(&w.feed(top)));
}

#[test]
fn the_account_can_have_positions_closed_and_says_why() {
    let mut w = holding(|_| {});
    let red = w.feed(demand(Rule::Drawdown, true));
    assert_eq!(red[..2], ["alert risk", "commit 2 anchor Some(\"60000.00\")"]);
    assert_eq!(red.iter().filter(|line| line.starts_with("cancel")).count(), 3);
    assert!(w.feed(demand(Rule::Drawdown, true)).is_empty(), "the next lease says nothing new");
    close_all(&mut w, &SELLING, 5);
    let status = w.engine.status(w.now);
    assert_eq!((status.holding.is_flat(), status.closed), (true, Some("drawdown")));
}

/// Acceptance test 18 of the original.
#[test]
fn g18_want_of_margin_withdraws_buys_keeps_sells_and_tries_again_later() {
    let mut w = holding(|_| {});
    let top = w.top("59850.0", "59850.1");
    let moved = w.feed(top);
    assert_eq!(moved, ["cancel 0:B-1#2", "place 0:B-3#5 0.003 59700.00", "place 0:B-4#6 0.003 59600.00"]);
    let refused =
        |leg, generation| Event::Rejected { id: World::id(leg, Side::Buy, generation), request: Request::Place, reason: Reject::Margin };
    let done = w.feed(refused(-3, 5));
    assert_eq!(done, ["alert order_refused", "cancel 0:B-2#3"], "the sell stays");
    assert!(w.feed(refused(-4, 6)).is_empty(), "the second refusal says nothing new");
    for _ in 0..50 {
        w.now = w.now + Duration::from_millis(100);
        let top = w.top("59850.0", "59850.1");
        assert!(w.feed(top).is_empty(), "nothing is sent while it is locked");
    }
    for (leg, side, generation, price) in RESTING {
        let gone = w.report(World::id(leg, side, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        w.check(Event::Order(Box::new(gone)), &[]);
    }
    w.now = w.now + Duration::from_secs(5);
    let tried = w.feed(Event::Wake);
    assert!(opened(&tried), "{tried:?}");
    // Refused again: one alert was enough, and the pause is longer.
    let again = w.feed(refused(-2, 7));
    assert!(alerts(&again).is_empty());
    w.now = w.now + Duration::from_secs(19);
    let top = w.top("59850.0", "59850.1");
    assert!(!opened(&w.feed(top)));
    w.now = w.now + Duration::from_secs(1);
    assert!(opened(&w.feed(Event::Wake)));
}

#[test]
fn the_same_refusal_again_and_again_locks_the_symbol() {
    let mut w = with(|_| {});
    let mut said = Vec::new();
    let mut next = 4;
    for bid in 0..40 {
        // The grid moves, so that each refusal is of another leg.
        let top = w.top(&format!("{}.0", 60_150 + bid * 100), &format!("{}.1", 60_150 + bid * 100));
        for line in w.feed(top) {
            let Some(place) = line.strip_prefix("place 0:B") else { continue };
            let (leg, rest) = place.split_once('#').unwrap();
            let generation: u64 = rest.split(' ').next().unwrap().parse().unwrap();
            next = next.max(generation);
            let id = World::id(leg.parse().unwrap(), Side::Buy, generation);
            said.extend(w.feed(Event::Rejected { id, request: Request::Place, reason: Reject::Other(-4003) }));
        }
        w.now = w.now + Duration::from_millis(100);
    }
    let status = w.engine.status(w.now);
    assert_eq!(status.closed, Some("rejections"));
    assert_eq!(next, 8, "five were refused, and then nothing more was sent");
    assert_eq!(alerts(&said).len(), 6, "{said:?}");
}

#[test]
fn layers_and_orders_are_limited_and_the_farthest_give_way() {
    let mut w = with(|g| (g.layers_max, g.orders_max) = (3, 0));
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(fill, &["place 0:S+0#4 0.003 60100.00"]);
    let ack = w.ack(0, Side::Sell, 4, "60100", "0.003");
    w.check(ack, &[]);
    let top = w.top("59850.0", "59850.1");
    assert!(!opened(&w.feed(top)), "one holds, two buy: that makes three");

    let mut w = holding(|g| g.orders_max = 3);
    let top = w.top("59850.0", "59850.1");
    // The sell at 60,100 is nearer than the buy at 59,600, which would be the fourth.
    assert_eq!(w.feed(top), ["cancel 0:B-1#2", "place 0:B-3#5 0.003 59700.00"]);
}

#[test]
fn a_drain_opens_nothing_sells_on_and_tells_when_nothing_is_left() {
    let mut w = holding(|_| {});
    let drained = w.feed(Event::Command(Command::Drain));
    assert_eq!(drained, ["commit 2 anchor Some(\"60000.00\")", "cancel 0:B-1#2", "cancel 0:B-2#3"], "the sell stays");
    for (leg, side, generation, price) in RESTING {
        let gone = w.report(World::id(leg, side, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        w.check(Event::Order(Box::new(gone)), &[]);
    }
    let sold = w.fill(0, Side::Sell, 4, "60100", "0.003", "0.003", OrderStatus::Filled);
    assert_eq!(w.feed(sold), ["alert command", "commit 3 anchor Some(\"60000.00\")"]);
    let top = w.top("60000.0", "60000.1");
    assert!(w.feed(top).is_empty());
    assert!(opened(&w.feed(Event::Command(Command::Resume))));
}

#[test]
fn another_instance_with_our_mark_stops_opening_until_rearmed() {
    let mut w = World::trading();
    let theirs = |w: &mut World, later: u64| {
        let id = ClientId::new(Tag(7), 101, Leg::new(0, -1).unwrap(), Side::Buy, 2);
        let mut report = w.report(id, "59900", "0.003", "0", OrderStatus::New, Source::Stream);
        report.time = w.now + Duration::from_secs(later);
        Event::Order(Box::new(report))
    };
    let (early, late) = (theirs(&mut w, 10), theirs(&mut w, 11));
    assert!(w.feed(early).is_empty(), "it can be from before us");
    assert_eq!(alerts(&w.feed(late)), ["other_writer"]);
    assert_eq!(w.engine.status(w.now).closed, Some("other_writer"));
    assert_eq!(w.engine.status(w.now).orders.len(), 3, "theirs is not taken over");
}

#[test]
fn the_switch_is_told_by_what_the_engine_does_and_never_with_foreign_orders() {
    let countdown = Countdown { after: Duration::from_secs(120), every: Duration::from_secs(40), foreign: false };
    let mut w = World::with(&Boot::default(), GuardConfig::OFF, Some(countdown));
    for event in [Event::Link(Link { feed: Feed::Account, up: true }), w.page(vec![], Some(1_000)), w.snapshot("0", vec![]), w.lease()] {
        w.feed(event);
    }
    let mut done = Vec::new();
    for event in [w.top("60000.0", "60000.1"), Event::Committed { version: 1 }] {
        done.extend(w.feed(event));
    }
    let armed = |done: &[String]| done.iter().filter(|line| line.starts_with("countdown")).cloned().collect::<Vec<_>>();
    assert_eq!(armed(&done), ["countdown 120"]);
    w.now = w.now + Duration::from_secs(39);
    assert!(armed(&w.feed(Event::Wake)).is_empty());
    w.now = w.now + Duration::from_secs(1);
    assert!(w.engine.wake_at().is_some_and(|at| at <= w.now), "it asks to be woken for it");
    assert_eq!(armed(&w.feed(Event::Wake)), ["countdown 120"]);
    // Somebody's own order appears: the switch would take it, too.
    let mut foreign = w.report(World::id(0, Side::Buy, 9), "50000", "0.003", "0", OrderStatus::New, Source::Query);
    foreign.id = None;
    let snapshot = w.snapshot("0", vec![foreign]);
    assert_eq!(armed(&w.feed(snapshot)), ["countdown 0"]);
    w.now = w.now + Duration::from_secs(100);
    assert!(armed(&w.feed(Event::Wake)).is_empty());
    let snapshot = w.snapshot("0", vec![]);
    assert_eq!(armed(&w.feed(snapshot)), ["countdown 120"]);
    assert_eq!(armed(&w.feed(Event::Shutdown(StopMode::Keep))), ["countdown 0"], "orders that are kept are kept");
}

#[test]
fn a_level_in_the_way_does_not_keep_a_closing_from_going_out() {
    // Level 27 lies where a closing of strategy 63 would lie in a ring of 256.
    let mut w = World::new(&Boot::default());
    for event in [Event::Link(Link { feed: Feed::Account, up: true }), w.page(vec![], Some(1_000)), w.snapshot("0", vec![]), w.lease()] {
        w.feed(event);
    }
    let top = w.top("60000.0", "60000.1");
    w.feed(top);
    w.feed(Event::Committed { version: 1 });
    let top = w.top("62750.0", "62750.1");
    w.feed(top);
    let done: Vec<String> = (0..6)
        .flat_map(|n| {
            let gone = |leg: i32, generation| (World::id(leg, Side::Buy, generation), leg);
            let (id, leg) = gone([0, -1, -2, 0, 0, 0][n], [1, 2, 3, 1, 1, 1][n]);
            let price = format!("{}", 60_000 + leg * 100);
            let report = w.report(id, &price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
            w.feed(Event::Order(Box::new(report)))
        })
        .collect();
    let placed = done.iter().find(|line| line.starts_with("place 0:B+27#")).cloned();
    let placed = placed.or_else(|| {
        let top = w.top("62750.0", "62750.2");
        w.feed(top).into_iter().find(|line| line.starts_with("place 0:B+27#"))
    });
    let status = w.engine.status(w.now);
    let order = status.orders.iter().find(|o| o.id.leg().index() == 27).copied().unwrap_or_else(|| panic!("{placed:?} {status:?}"));
    let qty = w.btc.show_qty(order.qty).to_string();
    let fill = w.fill(27, Side::Buy, order.id.generation(), "62700", &qty, &qty, OrderStatus::Filled);
    w.feed(fill);
    let mut flat = w.feed(Event::Command(Command::Flatten));
    for order in w.engine.status(w.now).orders {
        let price = w.btc.show_price(order.price).to_string();
        let qty = w.btc.show_qty(order.qty).to_string();
        let report = w.report(order.id, &price, &qty, "0", OrderStatus::Canceled, Source::Stream);
        flat.extend(w.feed(Event::Order(Box::new(report))));
    }
    assert!(flat.iter().any(|line| line.starts_with("place 63:S+0")), "{flat:?}");
}

#[test]
fn a_stop_fires_again_after_an_operators_flatten_was_given_up() {
    let mut w = holding(|g| g.stop_loss = 30_000);
    w.feed(Event::Command(Command::Flatten));
    w.feed(Event::Command(Command::Resume));
    assert_eq!(alerts(&w.feed(mark(58_000))), ["risk"], "the stop is as sharp as before");
    // What a rule closes is closed, whatever an operator orders meanwhile.
    for command in [Command::CancelAll, Command::Resume, Command::Drain] {
        w.feed(Event::Command(command));
        assert!(w.engine.status(w.now).closing, "{command:?}");
    }
}

#[test]
fn flatten_of_nothing_leaves_the_stop_sharp() {
    let mut w = with(|g| g.stop_loss = 30_000);
    w.feed(Event::Command(Command::Flatten));
    for (leg, generation, price) in [(0, 1, "60000"), (-1, 2, "59900"), (-2, 3, "59800")] {
        let gone = w.report(World::id(leg, Side::Buy, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        w.feed(Event::Order(Box::new(gone)));
    }
    let resumed = w.feed(Event::Command(Command::Resume));
    let placed = resumed.iter().find_map(|line| line.strip_prefix("place 0:B+0#")).unwrap();
    let generation: u64 = placed.split(' ').next().unwrap().parse().unwrap();
    let fill = w.fill(0, Side::Buy, generation, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.feed(fill);
    assert_eq!(alerts(&w.feed(mark(58_000))), ["risk"]);
}

#[test]
fn what_fills_after_the_accounts_demand_is_closed_too() {
    let mut w = World::trading();
    w.feed(demand(Rule::Drawdown, true));
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    let mut done = w.feed(fill);
    for (leg, side, generation, price) in RESTING {
        let gone = w.report(World::id(leg, side, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        done.extend(w.feed(Event::Order(Box::new(gone))));
    }
    assert!(done.iter().any(|line| line.starts_with("place 63:S+0")), "{done:?}");
}

#[test]
fn a_lock_that_keeps_orders_does_not_hide_a_reason_that_withdraws_them() {
    let mut w = with(|g| g.cancels_per_minute = 1);
    let top = w.top("60250.0", "60250.1");
    assert_eq!(alerts(&w.feed(top)), ["risk"], "two orders withdrawn");
    let resting = w.engine.status(w.now).orders.iter().filter(|o| o.state == "live").count();
    let stopped = w.feed(demand(Rule::RiskMonitor, false));
    assert_eq!(stopped.iter().filter(|line| line.starts_with("cancel")).count(), resting);
}

#[test]
fn a_drain_waits_for_its_buys_and_cancel_all_is_remembered() {
    let mut w = World::trading();
    let drained = w.feed(Event::Command(Command::Drain));
    assert!(alerts(&drained).is_empty(), "buys are still on their way out: {drained:?}");
    let mut last = Vec::new();
    for (leg, generation, price) in [(0, 1, "60000"), (-1, 2, "59900"), (-2, 3, "59800")] {
        let gone = w.report(World::id(leg, Side::Buy, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        last = w.feed(Event::Order(Box::new(gone)));
    }
    assert_eq!(alerts(&last), ["command"]);

    let state = StateRecord {
        version: 5,
        anchor: Some(Price::from_units(6_000_000)),
        interval: Price::from_units(10_000).into(),
        baseline: Some(TradeId(1_000)),
        paused: true,
        halted: false,
        lock: None,
        closing: false,
        idle: true,
        memo: Memo::NONE,
    };
    let mut w = World::new(&Boot { state: Some(state), ..Boot::default() });
    let Event::Order(report) = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled) else { unreachable!() };
    let events = [
        Event::Link(Link { feed: Feed::Account, up: true }),
        w.page(vec![report.fill.unwrap()], None),
        w.snapshot("0.003", vec![]),
        w.lease(),
        w.top("60000.0", "60000.1"),
    ];
    let done: Vec<String> = events.into_iter().flat_map(|event| w.feed(event)).collect();
    assert!(!done.iter().any(|line| line.starts_with("place")), "nothing works until an operator resumes: {done:?}");
}

#[test]
fn a_foreign_order_at_the_start_disarms_what_was_armed_and_causes_no_endless_waking() {
    let countdown = Countdown { after: Duration::from_secs(120), every: Duration::from_secs(40), foreign: false };
    let state = StateRecord {
        version: 5,
        anchor: Some(Price::from_units(6_000_000)),
        interval: Price::from_units(10_000).into(),
        baseline: Some(TradeId(1_000)),
        paused: false,
        halted: false,
        lock: None,
        closing: false,
        idle: false,
        memo: Memo::NONE,
    };
    let mut w = World::with(&Boot { state: Some(state), ..Boot::default() }, GuardConfig::OFF, Some(countdown));
    let mut foreign = w.report(World::id(0, Side::Buy, 9), "50000", "0.003", "0", OrderStatus::New, Source::Query);
    foreign.id = None;
    let snapshot = |w: &World| w.snapshot("0", vec![foreign]);
    let events =
        [Event::Link(Link { feed: Feed::Account, up: true }), w.page(vec![], None), snapshot(&w), w.lease(), w.top("60000.0", "60000.1")];
    let done: Vec<String> = events.into_iter().flat_map(|event| w.feed(event)).collect();
    assert_eq!(done.iter().filter(|line| line.starts_with("countdown")).collect::<Vec<_>>(), ["countdown 0"]);
    for _ in 0..3 {
        w.now = w.now + Duration::from_secs(7);
        w.feed(Event::Wake);
        let (page, snapshot, top) = (w.page(vec![], None), snapshot(&w), w.top("60000.0", "60000.1"));
        for event in [page, snapshot, top] {
            w.feed(event);
        }
    }
    assert_eq!(w.engine.status(w.now).phase, Phase::Trading);
    assert!(w.engine.wake_at().is_none_or(|at| at > w.now), "{:?}", w.engine.wake_at());
}

#[test]
fn a_position_larger_than_one_order_may_be_is_closed_in_parts() {
    let mut w = holding(|_| {});
    let rules = Instrument { market_qty_max: Qty::from_units(2), ..w.btc };
    w.feed(Event::Instrument(Box::new(rules)));
    w.feed(Event::Command(Command::Flatten));
    let mut done = Vec::new();
    for (leg, side, generation, price) in SELLING {
        let gone = w.report(World::id(leg, side, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        done.extend(w.feed(Event::Order(Box::new(gone))));
    }
    assert_eq!(done, ["place 63:S+0#5 0.002 0.00"]);
    let id = ClientId::new(Tag(7), 100, Leg::new(63, 0).unwrap(), Side::Sell, 5);
    let Event::Order(mut report) = w.fill(0, Side::Sell, 5, "59990", "0.002", "0.002", OrderStatus::Filled) else { unreachable!() };
    report.id = Some(id);
    if let Some(fill) = report.fill.as_mut() {
        fill.id = Some(id);
    }
    assert_eq!(w.feed(Event::Order(report)), ["place 63:S+0#6 0.001 0.00"]);
}

#[test]
fn a_halted_symbol_is_still_closed_by_its_stop() {
    let mut w = holding(|g| g.stop_loss = 30_000);
    w.engine.halt(w.now, &mut w.out);
    w.out.drain().for_each(drop);
    let fired = w.feed(mark(58_000));
    assert_eq!(fired.iter().filter(|line| line.starts_with("cancel")).count(), 3, "{fired:?}");
    let closed = close_all(&mut w, &SELLING, 5);
    assert!(closed.iter().any(|line| line.starts_with("place 63:S+0")), "{closed:?}");
    let status = w.engine.status(w.now);
    assert_eq!((status.phase, status.holding.is_flat()), (Phase::Halted, true));
    let top = w.top("60000.0", "60000.1");
    assert!(!opened(&w.feed(top)));
}
