//! Lines that break, lie and fall silent.

use crate::{price, qty, settle, working};
use plimsoll_market::{AlertCode, ClientId, Command, Severity};
use plimsoll_swarm::script::{Frames, Requests, Script, Setup};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const ORDER: &str = "POST /fapi/v1/order";

#[test]
fn g07_a_placement_without_an_answer_makes_one_order() {
    for what in [Requests::LoseAnswer, Requests::Lose] {
        let mut script = Script::new(Setup::btcusdt()).unwrap();
        script.requests(ORDER, 1, what);
        script.pass(40 * SECOND).unwrap();
        assert_eq!(working(&script), ["B-2", "B-1", "B+0"], "{}", script.tail());
        let of_level = |level| {
            let rows = script.all_rows();
            rows.iter().filter(|row| ClientId::parse(&row.client_id).unwrap().leg().index() == level).count()
        };
        assert_eq!([of_level(0), of_level(-1), of_level(-2)], [1, 1, 1]);
        // What was carried out is asked for, not sent again. What never arrived is sent anew, under another id, once that is known.
        let sent = if what == Requests::Lose { 4 } else { 3 };
        assert_eq!(script.count(ORDER), sent);
        assert!(script.count("GET /fapi/v1/order?") > 0);
        settle(&mut script);
    }
}

#[test]
fn g09_nothing_is_opened_on_a_silent_market_and_trading_comes_back() {
    let mut script = Script::trading(Setup::btcusdt()).unwrap();
    script.go(price(5_995_000)).unwrap();
    script.pass(2 * SECOND).unwrap();
    assert_eq!(working(&script), ["B-3", "B-2", "B-1", "S+0"]);
    script.deafen(&[1, 2]);
    let deaf_at = script.now();
    script.pass(Duration::from_millis(11_500)).unwrap();
    assert_eq!(working(&script), ["S+0"], "what opens is withdrawn, what closes stays\n{}", script.tail());
    script.pass_until("it is open again", 60 * SECOND, |script| script.engine().unwrap().closed().is_none()).unwrap();
    // It opens within the last step of the script, and not before.
    let reopened = script.now();
    let opens = |line: &str| line.starts_with(ORDER) && line.contains("side=BUY");
    let early = script
        .asked()
        .iter()
        .filter(|asked| asked.at > deaf_at && reopened.since(asked.at) > Duration::from_millis(20) && opens(&asked.line))
        .count();
    assert_eq!(early, 0, "{}", script.tail());
    settle(&mut script);
    assert_eq!(working(&script), ["B-3", "B-2", "B-1", "S+0"]);
    let told: Vec<_> = script.alerts().iter().filter(|alert| alert.code == AlertCode::Stale).map(|alert| alert.severity).collect();
    assert_eq!(told, [Severity::Warning, Severity::Info], "once that it is silent, once that it is back");
}

#[test]
fn g10_a_user_stream_whose_key_ended_comes_back_with_all_that_was_missed() {
    let mut script = Script::trading(Setup::btcusdt()).unwrap();
    script.requests("POST /fapi/v1/listenKey", 2, Requests::Refuse(503, -1000));
    script.end_listen_key();
    script.pass(Duration::from_millis(20)).unwrap();
    script.go(price(5_985_000)).unwrap();
    script.pass(Duration::from_millis(100)).unwrap();
    assert_eq!(script.totals().fills, 0, "nobody has told yet");
    settle(&mut script);
    assert_eq!(script.slots(), [(-1, qty(4), 5_990_000 * 4), (0, qty(4), 6_000_000 * 4)]);
    assert_eq!(script.count("POST /fapi/v1/listenKey"), 4, "one at the start, two refused, one taken");
}

#[test]
fn g11_one_reading_of_nothing_erases_nothing() {
    let mut script = Script::trading(Setup::btcusdt()).unwrap();
    script.go(price(5_995_000)).unwrap();
    script.pass(2 * SECOND).unwrap();
    // The second level fills, the stream is late with it, and the exchange says once that nothing is held.
    script.frames(&["ORDER_TRADE_UPDATE", "\"X\":\"FILLED\"", "\"p\":\"59900.00\""], 1, Frames::Late(2 * SECOND));
    script.requests("GET /fapi/v3/positionRisk", 1, Requests::Edit("\"positionAmt\":\"0.008\"", "\"positionAmt\":\"0.000\""));
    script.go(price(5_985_000)).unwrap();
    script.command(Command::Resync).unwrap();
    let both = [(-1, qty(4), 5_990_000 * 4), (0, qty(4), 6_000_000 * 4)];
    script.pass_until("the reading was taken", 5 * SECOND, |script| script.tail().contains("holding: Holding(0)")).unwrap();
    assert!(script.slots().contains(&both[1]), "{}", script.tail());
    settle(&mut script);
    assert_eq!(script.slots(), both);
    assert!(!script.alerts().iter().any(|alert| alert.text.contains("taken over") || alert.text.contains("slots hold")));
}
