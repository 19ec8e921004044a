use super::*;

#[test]
fn boots_connects_and_tells_what_it_found() {
    let mut world = World::new(&["BTCUSDT", "NOSUCH", "ETHUSDT"], Routing::Routed);
    world.input(Input::Start);
    world.expect(&[
        "booted",
        "account link Requests up",
        "0 link Requests up",
        "1 link Requests up",
        "account link Account up",
        "0 link Account up",
        "1 link Account up",
        "0 link Market up",
        "1 link Market up",
        "account link Market up",
    ]);
    let report = &world.reports[0];
    let names: Vec<_> = report.symbols.iter().map(|s| (s.index.0, s.instrument.symbol.to_string(), s.leverage, s.isolated)).collect();
    assert_eq!(names, [(0, "BTCUSDT".into(), 5, false), (1, "ETHUSDT".into(), 5, false)]);
    assert_eq!(report.unknown, [Symbol::new("NOSUCH").unwrap()]);
    assert_eq!((report.symbols[1].instrument.maker_fee.ppm(), report.symbols[1].instrument.taker_fee.ppm()), (180, 450));
    assert_eq!((report.position_mode, report.multi_assets, report.clock_offset_ms), (PositionMode::OneWay, false, AHEAD_MS as i64));
    assert_eq!(report.balances[0].available, Some(90_000_000_000));
    assert_eq!(world.sent("POST /fapi/v1/leverage"), 2);
    let targets: Vec<_> = world.connects.iter().map(|(_, conn, target)| (*conn, target.as_str())).collect();
    assert_eq!(
        targets,
        [
            (0, "/private/ws?listenKey=listenkey1"),
            (1, "/public/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms/ethusdt@bookTicker/ethusdt@depth@100ms"),
            (
                2,
                "/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s/btcusdt@kline_1m/ethusdt@aggTrade/ethusdt@markPrice@1s/ethusdt@kline_1m"
            ),
        ]
    );
    // Signed with the exchange's time.
    let balance = world.requests.iter().find(|r| r.target.starts_with("/fapi/v3/balance")).unwrap();
    assert!(balance.target.contains(&format!("timestamp={}", START + AHEAD_MS)) && balance.api_key, "{}", balance.target);
    assert!(!format!("{balance:?}").contains("signature"), "a request's debug output hides its signature");
}

#[test]
fn the_old_form_has_one_market_connection() {
    let mut world = World::new(&["BTCUSDT"], Routing::Legacy);
    world.input(Input::Start);
    let targets: Vec<_> = world.connects.iter().map(|(_, conn, target)| (*conn, target.as_str())).collect();
    let streams = "/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@aggTrade/btcusdt@markPrice@1s/btcusdt@kline_1m";
    assert_eq!(targets, [(0, "/ws/listenkey1"), (1, streams)]);
}

#[test]
fn a_wrong_key_fails_for_good_and_start_tries_again() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.rule("positionSide", Answer::Status(401, r#"{"code":-2015,"msg":"Invalid API-key"}"#.into()), 1);
    world.input(Input::Start);
    world.expect(&[r#"failed for good: boot failed at position mode: exchange answers -2015 (status 401): "Invalid API-key""#]);
    world.input(Input::Start);
    assert_eq!(world.reports.len(), 1);
}

#[test]
fn an_exchange_out_of_order_is_tried_again_and_then_given_up() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.rule("exchangeInfo", Answer::Failed(Sent::No), 2);
    world.rule("commissionRate", Answer::Status(503, "<html>".into()), 2);
    world.input(Input::Start);
    world.expect(&[]);
    world.advance(Duration::from_secs(5));
    assert_eq!(world.reports.len(), 1, "two failures of a step are healed");

    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.rule("exchangeInfo", Answer::Never, 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(200));
    world.expect(&["failed: boot failed at exchange information: exchange does not answer"]);
    assert_eq!(world.sent("exchangeInfo"), usize::from(limits::BOOT_ATTEMPTS));
}

#[test]
fn a_leverage_that_the_exchange_refuses_names_the_symbol() {
    let mut world = World::new(&["BTCUSDT", "ETHUSDT"], Routing::Routed);
    world.rule("leverage?symbol=ETHUSDT", error(-4028), 1);
    world.input(Input::Start);
    world.expect(&[r#"failed for good: boot failed at leverage of ETHUSDT: exchange answers -4028 (status 400): "scripted""#]);
}

#[test]
fn nonsense_as_an_answer_fails_for_good() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.rule("v3/balance", ok("[{]"), 1);
    world.input(Input::Start);
    world.expect(&["failed for good: boot failed at balances: answer cannot be understood"]);
}

#[test]
fn the_clock_is_measured_again_when_the_exchange_complains() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", error(-1021), 1);
    world.order(&place(1));
    world.expect(&["0 rejected #1 Place Stamp"]);
    assert_eq!(world.sent("v1/time"), usize::from(limits::CLOCK_SAMPLES));
    world.requests.clear();
    world.advance_alive(limits::CLOCK_EVERY + Duration::from_secs(1));
    assert_eq!(world.sent("v1/time"), usize::from(limits::CLOCK_SAMPLES), "and from time to time");
}

#[test]
fn changed_rules_are_told_and_changed_scales_refused() {
    let mut world = World::running(&["BTCUSDT"]);
    let changed = world.exchange_info("0.50");
    world.rule("exchangeInfo", ok(changed), 1);
    let finer = world.exchange_info("0.001");
    world.rule("exchangeInfo", ok(finer), 1);
    world.advance_alive(limits::INSTRUMENTS_EVERY + Duration::from_secs(1));
    assert!(world.log.contains(&"0 instrument tick 50".to_owned()), "{:?}", world.log);
    assert_eq!(world.session.instruments().get(SymbolIndex(0)).unwrap().maker_fee.ppm(), 180, "the account's fees stay");
    world.advance_alive(limits::INSTRUMENTS_EVERY + Duration::from_secs(1));
    assert_eq!(world.session.stats().instruments_refused, 1);
}

#[test]
fn requests_that_never_end_are_given_up_by_the_session_itself() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/order", Answer::Never, 1);
    world.order(&place(1));
    world.advance(limits::ORDER_TIMEOUT + limits::TIMEOUT_GRACE);
    world.expect(&["0 unknown #1 Place"]);
    assert_eq!(world.session.stats().requests_in_flight, 0);
}

#[test]
fn a_leverage_that_open_positions_need_is_named_with_the_way_out() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.rule("POST /fapi/v1/leverage", error(-2028), 1);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    let said = world.log.last().unwrap();
    assert!(
        said.contains("leverage of BTCUSDT: it is 20 and cannot become 5 while a position or orders need it: want 20, or close them"),
        "{said}"
    );
}
