use super::*;

const BOOKS: u8 = 1;
pub(super) const TAPE: u8 = 2;

/// A running session whose book is true at update 110.
fn synced() -> World {
    let mut world = World::running(&["BTCUSDT"]);
    world.frame(BOOKS, &depth_json("BTCUSDT", 95, 110, 94, "1.000"));
    world.expect(&["0 top 10000x1000 u"]);
    world
}

#[test]
fn a_book_is_made_of_a_snapshot_and_what_follows() {
    let mut world = synced();
    assert_eq!(world.sent("v1/depth"), 1);
    world.frame(BOOKS, &depth_json("BTCUSDT", 111, 112, 110, "4.000"));
    world.frame(BOOKS, &depth_json("BTCUSDT", 113, 113, 112, "4.000"));
    world.expect(&["0 top 10000x4000 u"]);
}

#[test]
fn the_fast_word_counts_when_it_is_newer_and_repeats_nothing() {
    let mut world = synced();
    world.frame(BOOKS, &ticker_json("BTCUSDT", 111, "3.000"));
    world.frame(BOOKS, &ticker_json("BTCUSDT", 112, "3.000"));
    world.frame(BOOKS, &ticker_json("BTCUSDT", 105, "9.000"));
    world.expect(&["0 top 10000x3000 u"]);
    // The book comes later to the same update and says the same.
    world.frame(BOOKS, &depth_json("BTCUSDT", 111, 112, 110, "3.000"));
    world.expect(&[]);
}

#[test]
fn a_book_that_disagrees_with_the_best_prices_is_fetched_again() {
    let mut world = synced();
    world.snapshot_id = 120;
    world.frame(BOOKS, &ticker_json("BTCUSDT", 112, "3.000"));
    world.frame(BOOKS, &depth_json("BTCUSDT", 111, 112, 110, "8.000"));
    world.expect(&["0 top 10000x3000 u", "0 gap Market"]);
    assert_eq!(world.session.stats().book_mismatches, 1);
    world.frame(BOOKS, &depth_json("BTCUSDT", 115, 121, 114, "2.000"));
    world.advance(Duration::from_secs(2));
    world.expect(&["0 top 10000x2000 u"]);
}

#[test]
fn a_missing_update_is_a_gap_and_the_book_is_fetched_again() {
    let mut world = synced();
    world.snapshot_id = 120;
    world.frame(BOOKS, &depth_json("BTCUSDT", 119, 121, 118, "7.000"));
    world.expect(&["0 gap Market", "0 top 10000x7000 u"]);
    assert_eq!((world.sent("v1/depth"), world.session.stats().book_gaps), (2, 1));
}

#[test]
fn a_snapshot_older_than_the_updates_is_asked_for_again_later_and_later() {
    let mut world = World::running(&["BTCUSDT"]);
    world.frame(BOOKS, &depth_json("BTCUSDT", 200, 210, 199, "1.000"));
    for _ in 0..4 {
        world.advance(Duration::from_secs(3));
        world.data(BOOKS);
        world.data(TAPE);
    }
    let asked = world.sent("v1/depth");
    assert!(world.log.is_empty(), "{:?}", world.log);
    assert!((4..=7).contains(&asked), "{asked}");
    world.snapshot_id = 205;
    world.advance_alive(limits::BACKOFF_MAX);
    world.expect(&["0 top 10000x1000 u"]);
}

#[test]
fn trades_marks_and_closed_candles_are_told() {
    let mut world = World::running(&["BTCUSDT"]);
    world.frame(TAPE, r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1,"a":5,"s":"BTCUSDT","p":"100.00","q":"0.100","f":5,"l":6,"T":1,"m":true}}"#);
    world.frame(TAPE, r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"100.05","i":"100.01","P":"100.0","r":"0.0001","T":9000}"#);
    for closed in [false, true] {
        let kline = r#"{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":0,"T":59999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"100.00","c":"101.00",
        "h":"102.00","l":"99.00","v":"1.000","n":2,"x":CLOSED,"q":"100.50","V":"0.500","Q":"50.0","B":"0"}}"#;
        world.frame(TAPE, &kline.replace("CLOSED", if closed { "true" } else { "false" }));
    }
    world.frame(TAPE, r#"{"e":"contractInfo","E":1,"s":"BTCUSDT"}"#);
    world.frame(TAPE, r#"{"e":"aggTrade","E":1,"a":5,"s":"DOGEUSDT","p":"1","q":"1","f":5,"l":6,"T":1,"m":true}"#);
    world.expect(&["0 trade 10000", "0 mark 100.05000000", "0 candle 10100"]);
    let stats = world.session.stats();
    assert_eq!((stats.frames, stats.frames_ignored, stats.frames_malformed), (6, 2, 0));
}

#[test]
fn what_cannot_be_read_is_a_gap_for_all_that_it_may_have_carried() {
    let mut world = World::running(&["BTCUSDT", "ETHUSDT"]);
    let gaps = ["0 gap Market", "1 gap Market"];
    world.frame(BOOKS, r#"{"e":"bookTicker","u":1,"s":"BTCUSDT""#);
    world.expect(&gaps);
    world.frame(TAPE, r#"{"e":"aggTrade","E":1,"a":5,"s":"BTCUSDT","p":"1.001","q":"1","f":5,"l":6,"T":1,"m":true}"#);
    world.expect(&gaps);
    world.input(Input::Dropped { conn: ConnId(TAPE), why: Dropped::Oversized });
    world.expect(&gaps);
    world.frame(0, "not json");
    world.expect(&["0 gap Account", "1 gap Account"]);
    let stats = world.session.stats();
    assert_eq!((stats.frames_malformed, stats.frames_oversized), (3, 1));
}

#[test]
fn a_lost_market_connection_is_told_and_opened_again_later_and_later() {
    let mut world = synced();
    world.connects.clear();
    world.refused = vec![BOOKS];
    let lost_at = world.now;
    world.input(Input::Closed { conn: ConnId(BOOKS), why: Closed::Broken });
    world.expect(&["0 gap Market", "0 link Market down", "account link Market down"]);
    world.advance(Duration::from_secs(14));
    let waits: Vec<_> = world.connects.iter().filter(|(_, conn, _)| *conn == BOOKS).map(|(at, ..)| at.since(lost_at)).collect();
    assert!((4..=8).contains(&waits.len()), "{waits:?}");
    assert!(waits[0] >= Duration::from_millis(125) && waits[0] <= Duration::from_millis(250), "{waits:?}");
    for pair in waits.windows(3) {
        assert!(pair[2] - pair[1] > (pair[1] - pair[0]) / 2, "waits grow: {waits:?}");
    }
    world.refused.clear();
    world.data(TAPE);
    world.input(Input::Alive { conn: ConnId(0) });
    world.log.clear();
    world.advance(Duration::from_secs(14));
    world.expect(&["0 link Market up", "account link Market up"]);
    world.frame(BOOKS, &depth_json("BTCUSDT", 95, 110, 94, "1.000"));
    world.expect(&["0 top 10000x1000 u"]);
}

#[test]
fn silence_counts_as_loss() {
    let mut world = World::running(&["BTCUSDT"]);
    world.advance(limits::MARKET_SILENCE_MAX - Duration::from_secs(2));
    // A ping is no data: only what brings some counts as alive.
    world.data(BOOKS);
    world.input(Input::Alive { conn: ConnId(TAPE) });
    world.advance(Duration::from_secs(3));
    let told = ["0 gap Market", "0 link Market down", "account link Market down", "0 link Market up", "account link Market up"];
    let mut log = vec!["close 2"];
    log.extend(told);
    world.expect(&log);
    // The user stream lives by pings.
    world.advance_alive(limits::USER_SILENCE_MAX + Duration::from_secs(30));
    world.expect(&[]);
    assert_eq!(world.sent("POST /fapi/v1/listenKey"), 0);
    world.advance(limits::USER_SILENCE_MAX);
    assert!(world.log.contains(&"account link Account down".to_owned()));
}

#[test]
fn a_connection_whose_end_takes_long_is_opened_again() {
    let mut world = World::running(&["BTCUSDT"]);
    world.connects.clear();
    world.lingering = true;
    world.advance(limits::MARKET_SILENCE_MAX + Duration::from_millis(1));
    assert_eq!(world.connects.len(), 0);
    // Longer than the first pause, less than what the gateway has for it.
    world.now = world.now + limits::BACKOFF_FIRST * 2;
    world.lingering = false;
    for conn in [BOOKS, TAPE] {
        world.input(Input::Closed { conn: ConnId(conn), why: Closed::Local });
    }
    world.advance(Duration::from_millis(1));
    assert_eq!(world.connects.iter().map(|(_, conn, _)| *conn).collect::<Vec<_>>(), [BOOKS, TAPE]);
    assert!(world.log.contains(&"0 link Market up".to_owned()), "{:?}", world.log);
}

#[test]
fn a_connection_that_does_not_open_is_given_up() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.mute = true;
    world.input(Input::Start);
    assert_eq!(world.connects.len(), 3);
    world.advance(limits::CONNECT_TIMEOUT);
    assert_eq!(world.log.iter().filter(|l| l.starts_with("close")).count(), 3);
    world.mute = false;
    world.advance(Duration::from_secs(1));
    assert!(world.log.contains(&"0 link Market up".to_owned()) && world.log.contains(&"0 link Account up".to_owned()));
}

#[test]
fn connections_are_renewed_before_the_exchange_ends_them() {
    let mut world = World::running(&["BTCUSDT"]);
    world.connects.clear();
    let start = world.now;
    for _ in 0..24 {
        world.advance_alive(Duration::from_secs(3_600));
    }
    for conn in 0..3 {
        let times: Vec<_> = world.connects.iter().filter(|(_, c, _)| *c == conn).map(|(at, ..)| at.since(start)).collect();
        assert_eq!(times.len(), 1, "connection {conn}: {times:?}");
        assert!(times[0] > Duration::from_secs(22 * 3_600) && times[0] < Duration::from_secs(24 * 3_600 - 300), "{times:?}");
    }
}

#[test]
fn the_listen_key_is_extended_and_replaced_when_it_is_gone() {
    let mut world = World::running(&["BTCUSDT"]);
    world.advance_alive(limits::LISTEN_KEY_EVERY + Duration::from_secs(1));
    assert_eq!((world.sent("PUT /fapi/v1/listenKey"), world.sent("POST /fapi/v1/listenKey")), (1, 0));
    world.log.clear();
    world.connects.clear();
    world.rule("PUT /fapi/v1/listenKey", error(-1125), 1);
    world.rule("POST /fapi/v1/listenKey", ok(r#"{"listenKey":"listenkey2"}"#), 1);
    world.advance_alive(limits::LISTEN_KEY_EVERY);
    assert_eq!(world.connects.iter().map(|(_, c, t)| (*c, t.as_str())).collect::<Vec<_>>(), [(0, "/private/ws?listenKey=listenkey2")]);
    let told: Vec<_> = world.log.iter().filter(|l| l.contains("Account") || l.starts_with("close")).map(String::as_str).collect();
    let whole =
        ["close 0", "0 gap Account", "account link Account down", "0 link Account down", "account link Account up", "0 link Account up"];
    assert_eq!(told, whole);
    // Balances are fetched again, since changes may have been missed.
    assert!(world.log.contains(&"account balance USDT 100000000000".to_owned()));
}

#[test]
fn an_expired_listen_key_is_replaced_at_once_and_late_words_about_it_are_none() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("POST /fapi/v1/listenKey", ok(r#"{"listenKey":"listenkey2"}"#), 1);
    world.frame(0, r#"{"e":"listenKeyExpired","E":"1700000000000","listenKey":"listenkey1"}"#);
    assert_eq!(world.connects.last().unwrap().2, "/private/ws?listenKey=listenkey2");
    world.log.clear();
    world.frame(0, r#"{"e":"listenKeyExpired","E":1700000000000,"listenKey":"listenkey1"}"#);
    world.expect(&[]);
}

#[test]
fn a_key_that_cannot_be_extended_is_given_up_after_some_attempts() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("PUT /fapi/v1/listenKey", Answer::Failed(Sent::Maybe), usize::from(limits::LISTEN_KEY_ATTEMPTS));
    world.advance_alive(limits::LISTEN_KEY_EVERY + Duration::from_secs(30));
    assert_eq!(world.sent("PUT /fapi/v1/listenKey"), usize::from(limits::LISTEN_KEY_ATTEMPTS));
    assert_eq!(world.sent("POST /fapi/v1/listenKey"), 1);
}

pub(super) fn order_update(client: &str, execution: &str, status: &str, trade: u64) -> String {
    let last = if trade > 0 { r#""l":"0.100","L":"100.00","n":"0.01","N":"USDT","# } else { r#""l":"0","L":"0","# };
    format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","E":5,"T":5,"o":{{"s":"BTCUSDT","c":"{client}","S":"BUY","o":"LIMIT","f":"GTX","q":"0.500","p":"100.00",
        "ap":"0","sp":"0","x":"{execution}","X":"{status}","i":55,{last}"z":"0.100","T":5,"t":{trade},"b":"0","a":"0","m":true,"R":false,
        "wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"rp":"0","pP":false,"si":0,"ss":0}}}}"#
    )
}

#[test]
fn the_user_stream_tells_orders_and_whose_they_are() {
    let mut world = World::running(&["BTCUSDT"]);
    world.frame(0, &order_update(&id(4).text(), "NEW", "NEW", 0));
    world.frame(0, &order_update(&id(4).text(), "TRADE", "PARTIALLY_FILLED", 9));
    world.frame(0, &order_update("web_abc", "NEW", "NEW", 0));
    let other = ClientId::new(Tag(8), 1, Leg::new(0, 0).unwrap(), Side::Buy, 4);
    world.frame(0, &order_update(&other.text(), "TRADE", "PARTIALLY_FILLED", 10));
    world.frame(0, &order_update("autoclose-1700000000000", "TRADE", "FILLED", 11));
    world.expect(&[
        "0 order #4 new by Stream",
        "0 order #4 partially_filled by Stream fill 9",
        "0 order foreign new by Stream",
        "0 order foreign partially_filled by Stream fill 10",
        "0 order foreign filled by Stream fill 11",
    ]);
}

#[test]
fn the_user_stream_tells_balances_positions_and_settings() {
    let mut world = World::running(&["BTCUSDT"]);
    world.frame(
        0,
        r#"{"e":"ACCOUNT_UPDATE","E":5,"T":5,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"999.5","cw":"999.5","bc":"0"}],
        "P":[{"s":"BTCUSDT","pa":"0.100","ep":"100.0","cr":"0","up":"0","mt":"cross","iw":"0","ps":"BOTH"}]}}"#,
    );
    world.frame(0, r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":5,"T":5,"ac":{"s":"BTCUSDT","l":9}}"#);
    world.frame(0, r#"{"e":"MARGIN_CALL","E":5,"cw":"3.1","p":[]}"#);
    world.expect(&[
        "account balance USDT 99950000000",
        "account position BTCUSDT 100",
        "account leverage BTCUSDT 9",
        "account margin call",
    ]);
}

#[test]
fn funding_is_fetched_after_its_hint_and_told_once() {
    let mut world = World::running(&["BTCUSDT", "ETHUSDT"]);
    let time = START + 60_000;
    let row = |symbol: &str, n: u64| {
        format!(
            r#"{{"symbol":"{symbol}","incomeType":"FUNDING_FEE","income":"-0.05000000","asset":"USDT","info":"FUNDING_FEE","time":{time},"tranId":{n},"tradeId":""}}"#
        )
    };
    let both = format!("[{},{}]", row("BTCUSDT", 1), row("ETHUSDT", 2));
    world.rule("v1/income", Answer::Status(503, String::new()), 1);
    world.rule("v1/income", ok(format!("[{}]", row("BTCUSDT", 1))), 1);
    world.rule("v1/income", ok(both), 1);
    let hint = r#"{"e":"ACCOUNT_UPDATE","E":5,"T":5,"a":{"m":"FUNDING_FEE","B":[{"a":"USDT","wb":"999.9","cw":"999.9","bc":"-0.1"}]}}"#;
    world.frame(0, hint);
    world.advance_alive(Duration::from_secs(60));
    world.frame(0, hint);
    world.advance_alive(Duration::from_secs(5));
    let funding: Vec<_> = world.log.iter().filter(|l| l.contains("funding")).map(String::as_str).collect();
    assert_eq!(funding, ["0 funding -0.05000000 USDT", "1 funding -0.05000000 USDT"]);
    assert_eq!(world.sent("v1/income"), 3);
}

#[test]
fn a_user_stream_that_does_not_tell_what_an_answer_told_is_given_up() {
    let mut world = World::running(&["BTCUSDT"]);
    world.advance_alive(Duration::from_secs(5));
    world.log.clear();
    world.order(&place(1));
    // Pings come, and no word of the order.
    world.advance_alive(limits::USER_ECHO_MAX + Duration::from_secs(6));
    let told: Vec<_> = world.log.iter().filter(|l| l.contains("Account") || l.starts_with("close")).map(String::as_str).collect();
    assert_eq!(told[..3], ["close 0", "0 gap Account", "account link Account down"], "{:?}", world.log);
}

#[test]
fn money_that_comes_by_a_transfer_is_told_as_such_before_the_balance() {
    let mut world = World::running(&["BTCUSDT"]);
    for reason in ["DEPOSIT", "ORDER"] {
        let update =
            r#"{"e":"ACCOUNT_UPDATE","E":5,"T":5,"a":{"m":"REASON","B":[{"a":"USDT","wb":"1001","cw":"1001","bc":"100"}],"P":[]}}"#;
        world.frame(0, &update.replace("REASON", reason));
    }
    world.expect(&["account transfer 100.00000000 USDT", "account balance USDT 100100000000", "account balance USDT 100100000000"]);
}

#[test]
fn funding_paid_while_nobody_listened_is_fetched_page_by_page_and_told_once() {
    let mut world = World::new(&["BTCUSDT", "ETHUSDT"], Routing::Routed);
    let paid = |n: u64| START - 3_600_000 + n * 1_000;
    // ETHUSDT has nothing booked: it counts from the start.
    world.session.config.funded_to = vec![(plimsoll_market::Symbol::new("BTCUSDT").unwrap(), Time::from_millis(paid(1)))];
    let row = |symbol: &str, n: u64| {
        format!(
            r#"{{"symbol":"{symbol}","incomeType":"FUNDING_FEE","income":"-0.05000000","asset":"USDT","info":"FUNDING_FEE","time":{},"tranId":{n},"tradeId":""}}"#,
            paid(n)
        )
    };
    // A full page of another symbol stands before ours; asked for from its beginning again, it would never end.
    let mut first: Vec<String> = (0..999).map(|n| row("ETHUSDT", n)).collect();
    first.push(row("BTCUSDT", 999));
    world.rule("v1/income", ok(format!("[{}]", first.join(","))), 1);
    world.rule("v1/income", ok(format!("[{},{}]", row("BTCUSDT", 999), row("BTCUSDT", 1_000))), 1);
    world.input(Input::Start);
    world.advance_alive(Duration::from_secs(10));
    let told = world.log.iter().filter(|line| line.contains("0 funding")).count();
    let of_others = world.log.iter().filter(|line| line.contains("1 funding")).count();
    assert_eq!((told, of_others, world.sent("v1/income")), (2, 0, 2), "{:#?}", world.log);
    assert_eq!((world.sent(&format!("startTime={}", paid(1) - 60_000)), world.sent(&format!("startTime={}", paid(999)))), (1, 1));
}
