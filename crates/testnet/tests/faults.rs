//! What goes wrong on purpose, as clients meet it on real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::time::{Duration, Instant};

use common::{Exchange, Frame, config};
use plimsoll_testnet::{FaultConfig, TestnetConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn exchange(faults: &[&str]) -> Exchange {
    let mut chosen = FaultConfig::none();
    chosen.seed = 3;
    faults.iter().for_each(|text| chosen.set(text).unwrap());
    Exchange::start(TestnetConfig { faults: chosen, ..config() }).await
}

async fn struck(exchange: &Exchange, name: &str) -> u64 {
    let counts = exchange.client().get("/fault/counts").await.ok();
    assert_eq!(counts.as_object().unwrap().len(), 12);
    counts[name].as_u64().unwrap()
}

/// Sends a request as it is; what came until the connection ended, or within the time.
async fn raw(exchange: &Exchange, head: &str, within: Duration) -> (String, bool) {
    let mut stream = TcpStream::connect(exchange.handle.addr()).await.unwrap();
    stream.write_all(format!("{head}\r\nhost: local\r\nx-mbx-apikey: testkey\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
    let (mut text, mut ended) = (Vec::new(), false);
    let reading = async {
        let mut bytes = [0; 4096];
        loop {
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => break ended = true,
                Ok(read) => text.extend_from_slice(&bytes[..read]),
            }
        }
    };
    drop(timeout(within, reading).await);
    (String::from_utf8(text).unwrap(), ended)
}

/// An order far below the market, signed, as a line of a request.
async fn order(exchange: &Exchange, id: &str) -> String {
    let client = exchange.client();
    // Asked past the faults: other requests must not use up their strikes.
    let price = price(exchange).await;
    let text = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price={price}&newClientOrderId={id}");
    format!("POST /fapi/v1/order?{} HTTP/1.1", client.signed(&text))
}

async fn price(exchange: &Exchange) -> String {
    let top = audited(exchange, "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT").await;
    let bid: f64 = top["bidPrice"].as_str().unwrap().parse().unwrap();
    format!("{:.1}0", bid * 0.97)
}

/// Asks as one who watches.
async fn audited(exchange: &Exchange, target: &str) -> Value {
    let head = format!("GET {target} HTTP/1.1\r\nconnection: close\r\nx-plimsoll-audit: 1");
    let (text, _) = raw(exchange, &head, common::PATIENCE).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Client ids of open orders.
async fn open(exchange: &Exchange) -> Vec<String> {
    let rows = audited(exchange, &format!("/fapi/v1/openOrders?{}", exchange.client().signed("symbol=BTCUSDT"))).await;
    rows.as_array().unwrap().iter().map(|row| row["clientOrderId"].as_str().unwrap().to_owned()).collect()
}

/// Looks at status and body of an answer.
#[track_caller]
fn check_head(text: &str, status: u16, parts: &[&str]) {
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn requests_refused_as_busy_are_not_carried_out() {
    let exchange = exchange(&["reject_busy=1"]).await;
    for id in ["a", "b", "c"] {
        let (text, _) = raw(&exchange, &order(&exchange, id).await, SHORT).await;
        check_head(&text, 503, &["{\"msg\":\"Service Unavailable.\"}"]);
    }
    assert_eq!(open(&exchange).await, Vec::<String>::new());
    let (text, _) = raw(&exchange, &order(&exchange, "d").await, SHORT).await;
    check_head(&text, 200, &["\"clientOrderId\":\"d\""]);
    assert_eq!((open(&exchange).await, struck(&exchange, "reject_busy").await), (vec!["d".to_owned()], 3));
    exchange.stop().await;
}

#[tokio::test]
async fn busy_answers_hide_orders_that_were_taken() {
    let exchange = exchange(&["busy_accepted=1"]).await;
    let mut coded = 0;
    for id in ["a", "b", "c"] {
        let (text, _) = raw(&exchange, &order(&exchange, id).await, SHORT).await;
        check_head(&text, 503, &["\"msg\":\"Unknown error, please check your request or try again later.\"}"]);
        coded += u32::from(text.contains("\"code\":-1000"));
    }
    assert!(coded > 0, "the code is there at times");
    assert_eq!(open(&exchange).await, ["a", "b", "c"]);
    // What reads meets no such fault.
    assert_eq!(exchange.client().get("/fapi/v1/time").await.status, 200);
    exchange.stop().await;
}

#[tokio::test]
async fn unanswered_orders_are_there() {
    let exchange = exchange(&["timeout_accepted=1"]).await;
    let mut told = Vec::new();
    for id in ["a", "b", "c"] {
        let (text, ended) = raw(&exchange, &order(&exchange, id).await, SHORT).await;
        assert!(!ended, "the connection stays open");
        if text.is_empty() {
            told.push(false);
        } else {
            check_head(&text, 503, &["\"code\":-1007"]);
            told.push(true);
        }
    }
    assert!(told.contains(&false), "{told:?}");
    assert_eq!(open(&exchange).await, ["a", "b", "c"]);
    exchange.stop().await;
}

#[tokio::test]
async fn dropped_requests_do_nothing_and_reset_ones_do() {
    for (fault, expected) in [("drop_request=1", vec![]), ("reset=1", vec!["a", "b"])] {
        let exchange = exchange(&[fault]).await;
        for id in ["a", "b"] {
            assert_eq!(raw(&exchange, &order(&exchange, id).await, common::PATIENCE).await, (String::new(), true), "{fault}");
        }
        assert_eq!(open(&exchange).await, expected, "{fault}");
        exchange.stop().await;
    }
}

#[tokio::test]
async fn a_limit_holds_for_a_second_and_stamps_are_refused() {
    let limited = exchange(&["rate_limit=1"]).await;
    for _ in 0..5 {
        let answer = limited.client().get("/fapi/v1/time").await;
        assert_eq!((answer.status, answer.code(), answer.header("retry-after")), (429, -1003, Some("1")));
    }
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(limited.client().get("/fapi/v1/time").await.status, 200);
    assert_eq!(struck(&limited, "rate_limit").await, 5);
    limited.stop().await;

    let exchange = exchange(&["stamp=1"]).await;
    let (text, _) = raw(&exchange, &order(&exchange, "a").await, SHORT).await;
    check_head(&text, 400, &["\"code\":-1021"]);
    assert_eq!(exchange.client().get("/fapi/v1/time").await.status, 200, "nothing to be wrong without a stamp");
    assert_eq!(open(&exchange).await, Vec::<String>::new());
    exchange.stop().await;
}

#[tokio::test]
async fn late_requests_are_carried_out_though_their_sender_has_gone() {
    let exchange = exchange(&["delay=1"]).await;
    for id in 0..12 {
        // Nobody waits for the answer.
        let (_, _) = raw(&exchange, &order(&exchange, &format!("o{id}")).await, Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    while open(&exchange).await.len() < 12 {
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", open(&exchange).await);
    }
    assert_eq!(struck(&exchange, "delay").await, 12);
    exchange.stop().await;
}

#[tokio::test]
async fn events_come_twice_or_after_the_next() {
    for (fault, expected) in [("duplicate=1", ["NEW", "NEW", "CANCELED", "CANCELED"]), ("reorder=1", ["CANCELED", "NEW", "", ""])] {
        let exchange = exchange(&[fault]).await;
        let client = exchange.client();
        let key = client.listen_key().await;
        let mut stream = exchange.socket(&format!("/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE")).await;
        let text = order(&exchange, "a").await;
        let cancel = format!("DELETE /fapi/v1/order?{} HTTP/1.1", client.signed("symbol=BTCUSDT&origClientOrderId=a"));
        for head in [text, cancel] {
            check_head(&raw(&exchange, &head, Duration::from_millis(20)).await.0, 200, &[]);
        }
        for kind in expected.iter().filter(|kind| !kind.is_empty()) {
            assert_eq!(stream.event("ORDER_TRADE_UPDATE").await["o"]["x"], *kind, "{fault}");
        }
        exchange.stop().await;
    }
}

#[tokio::test]
async fn streams_are_cut_after_their_first_seconds() {
    let exchange = exchange(&["reset=1"]).await;
    let began = Instant::now();
    let mut stream = loop {
        // The connection itself is a request, which the fault cuts three times of four.
        let mut tcp = TcpStream::connect(exchange.handle.addr()).await.unwrap();
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n";
        let head = format!("GET /ws/btcusdt@trade HTTP/1.1\r\nhost: local\r\nconnection: Upgrade\r\nupgrade: websocket\r\n{key}\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = [0; 4096];
        match tcp.read(&mut bytes).await {
            Ok(read) if bytes[..read].starts_with(b"HTTP/1.1 101") => break tcp,
            Ok(_) | Err(_) => assert!(began.elapsed() < common::PATIENCE),
        }
    };
    let opened = Instant::now();
    let mut bytes = [0; 4096];
    while matches!(timeout(common::PATIENCE, stream.read(&mut bytes)).await.unwrap(), Ok(1..)) {}
    assert!(opened.elapsed() > Duration::from_millis(2_500), "{:?}", opened.elapsed());
    exchange.stop().await;
}

#[tokio::test]
async fn a_half_open_stream_answers_pings_and_is_silent() {
    let exchange = exchange(&["half_open=1"]).await;
    let mut stream = exchange.socket("/ws/btcusdt@bookTicker").await;
    let began = Instant::now();
    // It falls silent after its first seconds, and not before.
    while let Ok(frame) = timeout(Duration::from_millis(1_500), stream.next()).await {
        assert!(matches!(frame, Frame::Text(_)), "{frame:?}");
        assert!(began.elapsed() < common::PATIENCE, "it never falls silent");
    }
    assert!(began.elapsed() > Duration::from_millis(2_500));
    stream.ping().await;
    assert!(stream.pong().await, "pings are answered");
    assert_eq!(struck(&exchange, "half_open").await, 1);
    exchange.stop().await;
}

#[tokio::test]
async fn a_listen_key_ends_before_its_time_and_says_so() {
    let exchange = exchange(&["listen_key_expired=1"]).await;
    let key = exchange.client().listen_key().await;
    let mut stream = exchange.socket(&format!("/private/ws?listenKey={key}")).await;
    let told = stream.event("listenKeyExpired").await;
    assert_eq!(told["listenKey"], key.as_str());
    assert!(matches!(stream.next().await, Frame::Closed(..)));
    assert_ne!(exchange.client().listen_key().await, key);
    exchange.stop().await;
}

#[tokio::test]
async fn weight_is_counted_unless_asked_otherwise_and_never_for_who_watches() {
    for (weightless, used) in [(false, "1"), (true, "0")] {
        let exchange = Exchange::start(TestnetConfig { weightless, ..config() }).await;
        audited(&exchange, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000").await;
        let answer = exchange.client().get("/fapi/v1/time").await;
        assert_eq!(answer.header("x-mbx-used-weight-1m"), Some(used));
        exchange.stop().await;
    }
}
