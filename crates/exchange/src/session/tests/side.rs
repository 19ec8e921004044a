use super::streams::TAPE;
use super::*;
use crate::binance::encode::Interval;
use limits::SIDE_RETRY;

fn countdown(secs: u64) -> Action {
    Action::Countdown { after: Duration::from_secs(secs) }
}

#[test]
fn the_switch_is_told_until_the_exchange_has_heard_it() {
    let mut world = World::running(&["BTCUSDT", "ETHUSDT"]);
    world.rule("countdownCancelAll", Answer::Failed(Sent::Maybe), 2);
    world.rule("countdownCancelAll", ok("{}"), 99);
    world.order(&countdown(120));
    assert_eq!(world.sent("symbol=BTCUSDT&countdownTime=120000"), 1);
    world.advance_alive(SIDE_RETRY * 3);
    assert_eq!(world.sent("countdownTime=120000"), 3, "twice without an answer, then heard");
    world.advance_alive(Duration::from_secs(600));
    assert_eq!(world.sent("countdownTime"), 3, "told again only when the engine says so");
    world.order(&countdown(0));
    assert_eq!((world.sent("countdownTime=0&"), world.session.stats().countdowns_failed), (1, 2));
}

#[test]
fn a_later_word_to_the_switch_voids_an_earlier_one() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("countdownCancelAll", Answer::Failed(Sent::No), 1);
    world.rule("countdownCancelAll", ok("{}"), 99);
    world.order(&countdown(120));
    world.order(&countdown(0));
    world.advance_alive(SIDE_RETRY * 3);
    assert_eq!(
        (world.sent("countdownTime=120000"), world.sent("countdownTime=0&")),
        (1, 1),
        "an armed switch must not outlive a disarming"
    );
}

#[test]
fn candles_of_the_past_are_told_when_market_data_begins_and_only_closed_ones() {
    let (minute, mut world) = (60_000, World::new(&["BTCUSDT"], Routing::Routed));
    world.session.config.candles = 2;
    let start = START / minute * minute;
    let row = |open: u64, close: &str| {
        format!(r#"[{open},"1.00","9.00","1.00","{close}","1.000",{},"5.00",3,"0.500","2.00","0"]"#, open + minute - 1)
    };
    let body = format!("[{},{},{}]", row(start - 2 * minute, "2.00"), row(start - minute, "3.00"), row(start, "4.00"));
    world.rule("v1/klines", error(-1001), 1);
    world.rule("v1/klines", ok(body), 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    world.advance_alive(SIDE_RETRY * 2);
    assert_eq!(world.sent("klines?symbol=BTCUSDT&interval=1m&limit=3"), 2);
    let told: Vec<_> = world.log.iter().filter(|line| line.contains("candle")).cloned().collect();
    assert_eq!(told, ["0 candle 200", "0 candle 300"]);
}

fn kline(open: u64, length: u64, close: &str) -> String {
    format!(r#"[{open},"1.00","9.00","1.00","{close}","1.000",{},"5.00",3,"0.500","2.00","0"]"#, open + length - 1)
}

/// A closed candle of the stream.
fn stream(open: u64, close: &str) -> String {
    let end = open + 59_999;
    format!(
        r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{end},"s":"BTCUSDT","k":{{"t":{open},"T":{end},"s":"BTCUSDT","i":"1m","f":1,"L":3,"o":"1.00","c":"{close}","h":"9.00","l":"1.00","v":"1.000","n":3,"x":true,"q":"5.00","V":"0.500","Q":"2.00","B":"0"}}}}}}"#
    )
}

#[test]
fn bars_of_the_past_come_before_those_of_the_stream() {
    let (minute, hour, mut world) = (60_000, 3_600_000, World::new(&["BTCUSDT"], Routing::Routed));
    world.session.config.candles = 2;
    world.session.config.bars = vec![(Symbol::new("BTCUSDT").unwrap(), Interval::H4)];
    let now = START / minute * minute;
    let bars = format!(
        "[{},{}]",
        kline(now / (4 * hour) * 4 * hour - 4 * hour, 4 * hour, "2.00"),
        kline(now / (4 * hour) * 4 * hour, 4 * hour, "7.00")
    );
    world.rule("interval=4h", ok(bars), 99);
    world.rule("interval=1h", ok(format!("[{}]", kline(now / hour * hour - hour, hour, "3.00"))), 99);
    world.rule("interval=1m", error(-1001), 1);
    world.rule("interval=1m", ok(format!("[{}]", kline(now - minute, minute, "4.00"))), 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    world.frame(TAPE, &stream(now - minute, "4.00"));
    assert!(!world.log.iter().any(|line| line.contains("candle")), "the past is not complete");
    world.advance_alive(SIDE_RETRY * 2);
    let asked = |what: &str| world.sent(&format!("klines?symbol=BTCUSDT&interval={what}"));
    assert_eq!((asked("4h&limit=385"), asked("1h&limit=26"), asked("1m&limit=99")), (1, 1, 2));
    let told: Vec<_> = world.log.iter().filter(|line| line.contains("candle") || line.contains("past")).cloned().collect();
    assert_eq!(told, ["0 past 14400 s 200", "0 past 3600 s 300", "0 candle 400", "0 candle 400"], "what is not over is not told");
}

#[test]
fn candles_of_the_stream_do_not_wait_for_ever() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.session.config.candles = 2;
    world.rule("v1/klines", error(-1001), 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    let now = START / 60_000 * 60_000;
    world.frame(TAPE, &stream(now - 120_000, "3.00"));
    world.frame(TAPE, &stream(now - 60_000, "4.00"));
    world.advance_alive(SIDE_RETRY * u32::from(limits::PAST_TRIES) * 2);
    assert_eq!(world.sent("klines?"), usize::from(limits::PAST_TRIES));
    world.frame(TAPE, &stream(now, "5.00"));
    let told: Vec<_> = world.log.iter().filter(|line| line.contains("candle")).cloned().collect();
    assert_eq!(told, ["0 candle 400", "0 candle 500"]);
}

/// A session that has told bars of four hours, hours and minutes of the past, as they are asked for.
fn with_bars() -> World {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.session.config.bars = vec![(Symbol::new("BTCUSDT").unwrap(), Interval::H4)];
    world.rule("interval=4h", ok(format!("[{}]", kline(START / 14_400_000 * 14_400_000 - 14_400_000, 14_400_000, "2.00"))), 99);
    world.rule("interval=1h", ok("[]"), 99);
    world
}

#[test]
fn an_engine_that_begins_anew_is_told_the_past_again() {
    let mut world = with_bars();
    world.rule("interval=1m", ok(format!("[{}]", kline(START / 60_000 * 60_000 - 60_000, 60_000, "4.00"))), 99);
    let told = |world: &mut World| {
        let told: Vec<_> = world.log.iter().filter(|line| line.contains("candle") || line.contains("past")).cloned().collect();
        world.log.clear();
        told
    };
    let all = ["0 past 14400 s 200", "0 candle 400"];
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&mut world), all);
    world.order(&Action::History);
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&mut world), all);
    // While it is being told: from the beginning, and the whole of it once.
    world.rules.retain(|(part, ..)| *part != "interval=1h");
    world.rule("interval=1h", error(-1001), 1);
    world.rule("interval=1h", ok("[]"), 99);
    world.order(&Action::History);
    world.advance(Duration::from_secs(1));
    assert_eq!(told(&mut world), ["0 past 14400 s 200"], "hours are missing");
    world.order(&Action::History);
    world.advance_alive(SIDE_RETRY * 2);
    assert_eq!(told(&mut world), all);
    // Without a strategy that looks back nothing is asked.
    let mut world = World::running(&["BTCUSDT"]);
    world.order(&Action::History);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.sent("klines"), 0);
}

#[test]
fn an_answer_under_way_for_an_engine_that_is_no_more_is_not_the_beginning_of_the_next_ones_past() {
    let mut world = with_bars();
    world.rule("interval=1m", ok("[]"), 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    world.log.clear();
    world.rules.insert(0, ("interval=4h", Answer::Never, 1));
    world.order(&Action::History);
    world.order(&Action::History);
    world.advance_alive(Duration::from_secs(60));
    let told: Vec<_> = world.log.iter().filter(|line| line.contains("past")).cloned().collect();
    assert_eq!(told, ["0 past 14400 s 200"]);
}

#[test]
fn candles_of_the_stream_do_not_wait_for_a_past_that_has_no_room() {
    let mut world = with_bars();
    world.rule("interval=1m", Answer::Later(429, "{}".to_owned(), 100_000), 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    let now = START / 60_000 * 60_000;
    let candles = |world: &World| world.log.iter().filter(|line| line.contains("candle")).count();
    world.frame(TAPE, &stream(now, "3.00"));
    assert_eq!(candles(&world), 0);
    world.advance_alive(limits::PAST_WAIT_MAX + Duration::from_secs(1));
    world.frame(TAPE, &stream(now + 600_000, "4.00"));
    world.frame(TAPE, &stream(now + 660_000, "5.00"));
    assert_eq!(candles(&world), 2);
}

/// An execution whose fee was paid in BNB.
fn paid_in_bnb(trade: u64) -> String {
    super::streams::order_update(&id(4).text(), "TRADE", "PARTIALLY_FILLED", trade).replace(r#""N":"USDT""#, r#""N":"BNB""#)
}

#[test]
fn what_a_fee_in_another_asset_is_worth_is_asked_for_and_told_to_every_symbol() {
    let mut world = World::running(&["BTCUSDT", "ETHUSDT"]);
    world.rule("premiumIndex", error(-1001), 1);
    world.rule(
        "premiumIndex",
        ok(r#"{"symbol":"BNBUSDT","markPrice":"601.0","indexPrice":"600.5","lastFundingRate":"","nextFundingTime":0,"time":1}"#),
        99,
    );
    world.frame(0, &paid_in_bnb(9));
    world.advance_alive(SIDE_RETRY * 2);
    assert_eq!(world.sent("premiumIndex?symbol=BNBUSDT"), 2, "asked again after an error");
    let told: Vec<_> = world.log.iter().filter(|line| line.contains("rate")).cloned().collect();
    assert_eq!(told, ["0 rate BNB 600.50000000 USDT", "1 rate BNB 600.50000000 USDT"]);
    // Many fees in a minute are one question.
    for trade in 10..20 {
        world.frame(0, &paid_in_bnb(trade));
    }
    world.advance_alive(limits::RATE_MAX_AGE * 3);
    assert_eq!(world.sent("premiumIndex?symbol=BNBUSDT"), 3);
    // And none without a fee.
    world.advance_alive(Duration::from_secs(3_600));
    assert_eq!(world.sent("premiumIndex?symbol=BNBUSDT"), 3);
}

#[test]
fn an_asset_that_nobody_quotes_is_asked_for_seldom() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("premiumIndex", error(-1121), 99);
    world.frame(0, &paid_in_bnb(9));
    world.advance_alive(limits::RATE_RETRY * 2 + Duration::from_secs(30));
    assert_eq!(world.sent("premiumIndex?symbol=BNBUSDT"), 3);
}

#[test]
fn what_an_earlier_run_left_to_convert_is_asked_for_at_once() {
    let mut world = World::new(&["BTCUSDT"], Routing::Routed);
    world.session.config.rates = vec![(Symbol::new("BTCUSDT").unwrap(), plimsoll_market::Asset::new("BNB").unwrap())];
    world.rule("premiumIndex", error(-1121), 99);
    world.input(Input::Start);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.sent("premiumIndex?symbol=BNBUSDT"), 1);
}
