use super::*;
use limits::{ORDER_REQUESTS_KEPT, ORDER_REQUESTS_MAX, PLACE_WAIT_MAX};

#[test]
fn opening_leaves_connections_for_reducing_and_cancelling() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("v1/order", Answer::Never, 99);
    for n in 0..10 {
        world.order(&place(n));
    }
    assert_eq!(world.sent("POST"), ORDER_REQUESTS_MAX - ORDER_REQUESTS_KEPT);
    for n in 20..30 {
        world.order(&reduce(n));
    }
    assert_eq!(world.sent("reduceOnly=true"), 1);
    for n in 40..50 {
        world.order(&cancel(n));
    }
    assert_eq!(world.sent("DELETE"), 1);
    let stats = world.session.stats();
    assert_eq!((stats.requests_in_flight as usize, stats.requests_waiting), (ORDER_REQUESTS_MAX, 6 + 9 + 9));
}

#[test]
fn a_free_connection_goes_to_the_most_urgent_lane() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("v1/order", Answer::Never, 99);
    for n in 0..6 {
        world.order(&place(n));
    }
    for n in 20..24 {
        world.order(&reduce(n));
    }
    for n in 40..44 {
        world.order(&cancel(n));
    }
    let (first, before) = (world.requests[0].id, world.requests.len());
    world.reply(first, &error(-5022));
    world.settle();
    let next: Vec<_> = world.requests[before..].iter().map(|r| r.lane).collect();
    assert_eq!(next, [Lane::Cancel]);
}

#[test]
fn opening_rests_when_its_share_of_the_order_limit_is_used_up() {
    let mut world = World::running(&["BTCUSDT"]);
    world.now = Time::from_millis(START + 10_000 - AHEAD_MS);
    for n in 0..300 {
        world.order(&place(n));
    }
    assert_eq!(world.sent("POST"), 255);
    for n in 400..460 {
        world.order(&reduce(n));
    }
    assert_eq!(world.sent("POST"), 300, "the rest is for reducing");
    world.order(&cancel(1));
    assert_eq!(world.sent("DELETE"), 1, "cancels do not count as orders");
    world.log.clear();
    world.advance(PLACE_WAIT_MAX);
    let not_sent = world.log.iter().filter(|l| l.contains("not sent")).count();
    assert_eq!(not_sent, 45 + 15, "orders that waited for too long are answered");
    world.advance(Duration::from_secs(8));
    world.order(&place(500));
    assert_eq!(world.sent("POST"), 301, "the next ten seconds are free");
}

#[test]
fn too_many_requests_rest_everything_for_as_long_as_the_exchange_says() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("DELETE", Answer::Later(429, r#"{"code":-1003,"msg":"too many"}"#.into(), 7), 1);
    world.order(&cancel(1));
    world.expect(&["account link Requests down", "0 link Requests down", "0 not sent #1 Cancel"]);
    world.requests.clear();
    world.order(&cancel(2));
    world.order(&place(3));
    assert!(world.requests.is_empty());
    world.advance(Duration::from_secs(6));
    world.expect(&["0 not sent #3 Place"]);
    world.advance(Duration::from_secs(2));
    let told: Vec<_> = world.log.iter().map(String::as_str).collect();
    assert_eq!(told, ["account link Requests up", "0 link Requests up", "0 order #2 canceled by Reply"]);
}

#[test]
fn a_ban_without_a_time_is_the_shortest_one() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("DELETE", Answer::Status(418, r#"{"code":-1003,"msg":"banned"}"#.into()), 1);
    world.order(&cancel(1));
    world.requests.clear();
    world.advance_alive(limits::BANNED_REST - Duration::from_secs(1));
    assert!(world.requests.is_empty(), "{:?}", world.requests);
    world.advance_alive(Duration::from_secs(2));
    assert!(world.log.contains(&"0 link Requests up".to_owned()));
}

#[test]
fn the_order_limit_rests_orders_only() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Status(429, r#"{"code":-1015,"msg":"too many orders"}"#.into()), 1);
    world.order(&place(1));
    world.expect(&["0 not sent #1 Place"]);
    world.order(&cancel(2));
    world.order(&place(3));
    world.expect(&["0 order #2 canceled by Reply"]);
    world.advance(PLACE_WAIT_MAX);
    world.expect(&["0 not sent #3 Place"]);
}

#[test]
fn requests_without_answers_are_told_and_the_first_answer_too() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Failed(Sent::No), 3);
    for n in 1..=4 {
        world.order(&place(n));
    }
    world.expect(&[
        "0 not sent #1 Place",
        "0 not sent #2 Place",
        "account link Requests down",
        "0 link Requests down",
        "0 not sent #3 Place",
        "account link Requests up",
        "0 link Requests up",
        "0 order #4 new by Reply",
    ]);
}

#[test]
fn a_full_lane_answers_at_once_and_the_lane_for_cancels_holds_every_working_order() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("v1/order", Answer::Never, 99);
    let busy = ORDER_REQUESTS_MAX - ORDER_REQUESTS_KEPT;
    for n in 0..(busy + limits::PLACES_WAITING) as u64 {
        world.order(&place(n));
    }
    world.expect(&[]);
    world.order(&place(999));
    world.expect(&["0 not sent #999 Place"]);
    for n in 1_000..1_000 + plimsoll_market::limits::QUOTES_MAX as u64 {
        world.order(&cancel(n));
    }
    world.expect(&[]);
}

#[test]
fn a_hundred_symbols_catch_up_within_the_limits() {
    let symbols: Vec<&'static str> = (0..100).map(|n| &*Box::leak(format!("S{n}USDT").into_boxed_str())).collect();
    let mut world = World::running(&symbols);
    for n in 0..100 {
        world.input(Input::Order { symbol: SymbolIndex(n), action: &resync(None) });
    }
    for minute in 0..3 {
        world.advance_alive(Duration::from_secs(60));
        let weight = world.session.stats().weight_used;
        assert!(weight <= 2_400 * 9 / 10, "minute {minute}: {weight}");
    }
    let snapshots = world.log.iter().filter(|l| l.contains("snapshot")).count();
    assert_eq!(snapshots, 100);
}
