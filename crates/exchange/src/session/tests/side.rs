use super::*;
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
