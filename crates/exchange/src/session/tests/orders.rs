use super::*;

/// One order, answered so; what the engine is told.
#[track_caller]
fn check(part: &'static str, action: &Action, answer: Answer, expected: &[&str]) {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule(part, answer, 1);
    world.order(action);
    world.expect(expected);
}

fn status(status: u16, code: i32) -> Answer {
    Answer::Status(status, format!(r#"{{"code":{code},"msg":"scripted"}}"#))
}

#[test]
fn placing_has_exactly_one_answer_of_the_right_kind() {
    let post = "POST /fapi/v1/order";
    let client = id(1).text();
    check(post, &place(1), ok(order_json("BTCUSDT", &client, 9, "NEW")), &["0 order #1 new by Reply"]);
    check(post, &place(1), ok(order_json("BTCUSDT", &client, 9, "FILLED")), &["0 order #1 filled by Reply"]);
    check(post, &place(1), ok(order_json("BTCUSDT", &client, 9, "EXPIRED")), &["0 order #1 expired by Reply"]);
    check(post, &place(1), error(-5022), &["0 rejected #1 Place WouldTake"]);
    check(post, &place(1), error(-2019), &["0 rejected #1 Place Margin"]);
    check(post, &reduce(1), error(-2022), &["0 rejected #1 Place NothingToReduce"]);
    check(post, &place(1), error(-4014), &["0 rejected #1 Place Filter"]);
    check(post, &place(1), error(-2025), &["0 rejected #1 Place TooManyOrders"]);
    check(post, &place(1), error(-4116), &["0 rejected #1 Place Duplicate"]);
    check(post, &place(1), status(401, -2015), &["0 rejected #1 Place Permission"]);
    check(post, &place(1), error(-9999), &["0 rejected #1 Place Other(-9999)"]);
    // The exchange did not look at it.
    check(post, &place(1), status(503, -1008), &["0 not sent #1 Place"]);
    check(post, &place(1), status(429, -1015), &["0 not sent #1 Place"]);
    check(post, &place(1), Answer::Failed(Sent::No), &["0 not sent #1 Place"]);
    let down = ["account link Requests down", "0 link Requests down", "0 not sent #1 Place"];
    check(post, &place(1), status(429, -1003), &down);
    check(post, &place(1), status(418, -1003), &down);
    // Nobody knows.
    check(post, &place(1), Answer::Failed(Sent::Maybe), &["0 unknown #1 Place"]);
    check(post, &place(1), status(503, -1006), &["0 unknown #1 Place"]);
    check(post, &place(1), status(503, -1007), &["0 unknown #1 Place"]);
    check(post, &place(1), Answer::Status(502, "<html>".into()), &["0 unknown #1 Place"]);
    check(post, &place(1), ok("{\"orderId\":"), &["0 unknown #1 Place"]);
    check(post, &place(1), ok(order_json("BTCUSDT", &id(2).text(), 9, "NEW")), &["0 unknown #1 Place"]);
}

#[test]
fn cancelling_and_querying_have_one_answer_too() {
    let (delete, get) = ("DELETE /fapi/v1/order", "GET /fapi/v1/order?");
    let client = id(1).text();
    check(delete, &cancel(1), ok(order_json("BTCUSDT", &client, 9, "CANCELED")), &["0 order #1 canceled by Reply"]);
    check(delete, &cancel(1), error(-2011), &["0 cancel failed #1 NotOpen"]);
    check(delete, &cancel(1), error(-1022), &["0 cancel failed #1 Refused(Stamp)"]);
    check(delete, &cancel(1), status(503, -1007), &["0 unknown #1 Cancel"]);
    check(delete, &cancel(1), status(503, -1008), &["0 not sent #1 Cancel"]);
    check(delete, &cancel(1), Answer::Failed(Sent::Maybe), &["0 unknown #1 Cancel"]);
    check(get, &query(1), ok(order_json("BTCUSDT", &client, 9, "FILLED")), &["0 order #1 filled by Query"]);
    check(get, &query(1), error(-2013), &["0 not found #1"]);
    check(get, &query(1), error(-1121), &["0 rejected #1 Query Closed"]);
    check(get, &query(1), status(503, -1007), &["0 unknown #1 Query"]);
    check(get, &query(1), Answer::Failed(Sent::No), &["0 not sent #1 Query"]);
}

#[test]
fn orders_ask_for_their_result_and_are_signed() {
    let mut world = World::running(&["BTCUSDT"]);
    world.order(&reduce(3));
    let request = &world.requests[0];
    assert_eq!((request.method, request.lane, request.api_key), (Method::Post, Lane::Reduce, true));
    let start = format!(
        "/fapi/v1/order?symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&price=100.00&quantity=0.500&reduceOnly=true\
         &newClientOrderId={}&newOrderRespType=RESULT&recvWindow=5000&timestamp=",
        id(3).text()
    );
    assert!(request.target.starts_with(&start) && request.target.contains("&signature="), "{}", request.target);
}

#[test]
fn a_cancel_never_overtakes_its_order() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Never, 2);
    world.order(&place(1));
    world.order(&place(2));
    world.order(&cancel(1));
    world.order(&cancel(2));
    assert_eq!(world.sent("DELETE"), 0, "the cancel waits for the answer to the order");
    let first = world.requests[0].id;
    let second = world.requests[1].id;
    world.reply(first, &ok(order_json("BTCUSDT", &id(1).text(), 5, "NEW")));
    world.settle();
    world.expect(&["0 order #1 new by Reply", "0 order #1 canceled by Reply"]);
    world.reply(second, &error(-5022));
    world.settle();
    world.expect(&["0 rejected #2 Place WouldTake", "0 cancel failed #2 NotOpen"]);
    assert_eq!(world.sent("DELETE"), 1);
}

#[test]
fn an_order_that_still_waits_is_withdrawn_here() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Never, 99);
    let busy = (limits::ORDER_REQUESTS_MAX - limits::ORDER_REQUESTS_KEPT) as u64;
    for n in 0..=busy {
        world.order(&place(n));
    }
    assert_eq!(world.sent("POST"), busy as usize);
    world.order(&cancel(busy));
    world.expect(&[&format!("0 not sent #{busy} Place"), &format!("0 cancel failed #{busy} NotOpen")]);
    assert_eq!(world.sent("DELETE"), 0);
}

#[test]
fn no_such_order_is_believed_only_when_the_order_can_no_longer_arrive() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Failed(Sent::Maybe), 1);
    world.rule("GET /fapi/v1/order?", error(-2013), 2);
    world.order(&place(1));
    world.order(&query(1));
    world.expect(&["0 unknown #1 Place", "0 unknown #1 Query"]);
    world.advance(Duration::from_secs(5) + limits::SETTLE_MARGIN);
    world.order(&query(1));
    world.expect(&["0 not found #1"]);
}

#[test]
fn a_query_during_placing_is_no_answer() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Never, 1);
    world.order(&place(1));
    world.order(&query(1));
    world.expect(&["0 unknown #1 Query"]);
    assert_eq!(world.sent("GET /fapi/v1/order"), 0);
}

#[test]
fn before_the_boot_and_for_unknown_symbols_nothing_is_sent() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    for action in [place(1), cancel(2), query(3), resync(None)] {
        world.order(&action);
    }
    world.expect(&["0 not sent #1 Place", "0 not sent #2 Cancel", "0 not sent #3 Query", "0 resync failed"]);
    let mut world = World::running(&["BTCUSDT"]);
    world.input(Input::Order { symbol: SymbolIndex(1), action: &place(1) });
    world.expect(&["1 not sent #1 Place"]);
    assert!(world.requests.is_empty());
}

#[test]
fn stopping_answers_what_waits_and_what_is_under_way() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Never, 99);
    let busy = (limits::ORDER_REQUESTS_MAX - limits::ORDER_REQUESTS_KEPT) as u64;
    for n in 0..=busy {
        world.order(&place(n));
    }
    world.input(Input::Stop);
    world.expect(&[&format!("0 not sent #{busy} Place"), "close 0", "close 1", "close 2"]);
    let first = world.requests[0].id;
    world.reply(first, &ok(order_json("BTCUSDT", &id(0).text(), 5, "NEW")));
    world.settle();
    world.expect(&["0 order #0 new by Reply"]);
    world.order(&place(90));
    world.expect(&["0 not sent #90 Place"]);
    world.advance(limits::STOP_WAIT);
    world.log[..3].sort();
    world.expect(&["0 unknown #1 Place", "0 unknown #2 Place", "0 unknown #3 Place", "stopped"]);
    world.order(&place(91));
    world.expect(&["0 not sent #91 Place"]);
    assert_eq!(world.session.wake_at(), None);
}

#[test]
fn stopping_with_nothing_under_way_ends_at_once() {
    let mut world = World::running(&["BTCUSDT"]);
    world.input(Input::Stop);
    world.expect(&["close 0", "close 1", "close 2", "stopped"]);
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.input(Input::Stop);
    world.expect(&["stopped"]);
}
