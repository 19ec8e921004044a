//! Market data over WebSocket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::collections::BTreeMap;

use common::{Exchange, Frame, Socket, config};
use plimsoll_testnet::TestnetConfig;
use serde_json::{Value, json};

/// A book as a client keeps it: prices and quantities as they came, by price.
#[derive(Default)]
struct Book {
    sides: [BTreeMap<u64, String>; 2],
}

impl Book {
    fn apply(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in self.sides.iter_mut().zip([bids, asks]) {
            for level in levels.as_array().unwrap() {
                let (price, qty) = (level[0].as_str().unwrap(), level[1].as_str().unwrap());
                let price: u64 = price.replace('.', "").parse().unwrap();
                if qty.bytes().all(|byte| byte == b'0' || byte == b'.') {
                    side.remove(&price);
                } else {
                    side.insert(price, qty.to_owned());
                }
            }
        }
    }

    /// The best levels of a side.
    fn best(&self, side: usize, count: usize) -> Vec<(u64, String)> {
        let levels = self.sides[side].iter().map(|(price, qty)| (*price, qty.clone()));
        if side == 0 { levels.rev().take(count).collect() } else { levels.take(count).collect() }
    }
}

/// Follows a chain of book changes and holds the book built from it against the exchange's own.
async fn follow(speed: &str, config: TestnetConfig) {
    let exchange = Exchange::start(config).await;
    let client = exchange.client();
    let mut stream = exchange.socket(&format!("/public/ws/btcusdt@depth{speed}")).await;
    // The documented procedure: buffer, snapshot, drop what is older, apply the rest.
    let mut held = stream.event("depthUpdate").await;
    let mut book = Book::default();
    let snapshot = client.get("/fapi/v1/depth?symbol=BTCUSDT&limit=1000").await.ok();
    let id = snapshot["lastUpdateId"].as_u64().unwrap();
    book.apply(&snapshot["bids"], &snapshot["asks"]);
    while held["u"].as_u64().unwrap() < id {
        held = stream.event("depthUpdate").await;
    }
    assert!(held["U"].as_u64().unwrap() <= id, "the first event kept reaches back to the snapshot {id}: {}", held["U"]);
    book.apply(&held["b"], &held["a"]);
    let mut last = held["u"].clone();
    for _ in 0..12 {
        let event = stream.event("depthUpdate").await;
        assert_eq!(event["pu"], last, "the chain is unbroken");
        book.apply(&event["b"], &event["a"]);
        last = event["u"].clone();
    }
    // A later snapshot equals the book once both stand at the same update.
    let mut compared = false;
    for _ in 0..200 {
        let other = client.get("/fapi/v1/depth?symbol=BTCUSDT&limit=20").await.ok();
        // A snapshot is named by the update that comes next, so that an event which reaches over it always follows.
        let target = other["lastUpdateId"].as_u64().unwrap() - 1;
        while last.as_u64().unwrap() < target {
            let event = stream.event("depthUpdate").await;
            assert_eq!(event["pu"], last);
            book.apply(&event["b"], &event["a"]);
            last = event["u"].clone();
        }
        if last.as_u64().unwrap() != target {
            // The event reached beyond the snapshot: ask again.
            continue;
        }
        let mut theirs = Book::default();
        theirs.apply(&other["bids"], &other["asks"]);
        for side in 0..2 {
            assert_eq!(book.best(side, 15), theirs.best(side, 15));
        }
        compared = true;
        break;
    }
    assert!(compared, "no snapshot met the stream at one update");
    exchange.stop().await;
}

/// A market that often stands still between two ticks, so that a snapshot soon meets the stream at one update.
fn slow() -> TestnetConfig {
    TestnetConfig { speed_milli: 150, ..config() }
}

#[tokio::test]
async fn the_book_built_from_real_time_changes_equals_the_snapshot() {
    follow("@0ms", config()).await;
}

#[tokio::test]
async fn the_book_built_from_changes_every_100_ms_equals_the_snapshot() {
    follow("@100ms", slow()).await;
}

#[tokio::test]
async fn the_book_built_from_collected_changes_equals_the_snapshot() {
    follow("", slow()).await;
}

#[tokio::test]
async fn the_book_of_a_recorded_day_equals_the_snapshot() {
    let Some(shared) = common::shared() else {
        eprintln!("left out: recordings are not at PLIMSOLL_SHARED or ../shared");
        return;
    };
    let replay = vec![shared.join("data/market/hftbacktest/usdm/btcusdt_20240808.gz")];
    follow("@100ms", TestnetConfig { replay, speed_milli: 5_000, ..config() }).await;
}

#[tokio::test]
async fn the_top_agrees_with_the_book_at_the_same_update() {
    let exchange = Exchange::start(TestnetConfig { speed_milli: 20_000, ..config() }).await;
    let mut stream = exchange.socket("/stream?streams=btcusdt@bookTicker/btcusdt@depth20@100ms").await;
    let (mut tops, mut books, mut agreed) = (BTreeMap::new(), 0, 0);
    while agreed < 3 {
        let event = stream.text().await;
        let data = &event["data"];
        let id = data["u"].as_u64().unwrap();
        if data["e"] == "bookTicker" {
            tops.insert(id, (json!([data["b"], data["B"]]), json!([data["a"], data["A"]])));
            continue;
        }
        books += 1;
        assert!(books < 150, "tops and books never meet at one update");
        // The top changes only with an update that says so: until then the last one told holds.
        if let Some((_, (bid, ask))) = tops.range(..=id).next_back() {
            assert_eq!((bid, ask), (&data["b"][0], &data["a"][0]), "at update {id}");
            agreed += u32::from(tops.contains_key(&id));
        }
    }
    exchange.stop().await;
}

#[tokio::test]
async fn every_stream_says_what_it_is() {
    let exchange = Exchange::start(TestnetConfig { speed_milli: 20_000, ..config() }).await;
    let wanted = [
        ("btcusdt@aggTrade", "aggTrade"),
        ("btcusdt@trade", "trade"),
        ("btcusdt@bookTicker", "bookTicker"),
        ("btcusdt@depth@500ms", "depthUpdate"),
        ("btcusdt@depth5@100ms", "depthUpdate"),
        ("btcusdt@kline_1m", "kline"),
        ("btcusdt@kline_1h", "kline"),
        ("btcusdt@markPrice@1s", "markPriceUpdate"),
        ("btcusdt@ticker", "24hrTicker"),
        ("btcusdt@miniTicker", "24hrMiniTicker"),
    ];
    let names: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
    let mut stream = exchange.socket(&format!("/stream?streams={}", names.join("/"))).await;
    let mut missing: BTreeMap<&str, &str> = wanted.into_iter().collect();
    while !missing.is_empty() {
        let event = stream.text().await;
        let name = event["stream"].as_str().unwrap();
        if let Some(kind) = missing.remove(name) {
            assert_eq!((event["data"]["e"].as_str(), event["data"]["s"].as_str()), (Some(kind), Some("BTCUSDT")), "{event}");
        }
    }
    let mut all = exchange.socket("/ws/!ticker@arr").await;
    assert_eq!(all.text().await.as_array().unwrap().len(), 2);
    exchange.stop().await;
}

#[tokio::test]
async fn streams_are_taken_up_and_given_up() {
    let exchange = Exchange::start(config()).await;
    // ccxt's counter behind the route is no stream.
    let mut stream = exchange.socket("/public/ws/1").await;
    stream.send(r#"{"method":"SUBSCRIBE","params":["btcusdt@bookTicker","ethusdt@depth"],"id":1}"#).await;
    stream.until(|event| *event == json!({"result": null, "id": 1})).await;
    stream.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":"list"}"#).await;
    let list = stream.until(|event| event["id"] == "list").await;
    assert_eq!(list["result"], json!(["btcusdt@bookTicker", "ethusdt@depth"]));
    stream.event("bookTicker").await;
    stream.send(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@bookTicker","ethusdt@depth"],"id":2}"#).await;
    stream.until(|event| event["id"] == 2).await;
    stream.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#).await;
    // What was queued before may still come; after it only the reply.
    let list = stream.until(|event| event["id"] == 3).await;
    assert_eq!(list["result"], json!([]));
    stream.send(r#"{"method":"FLY","id":4}"#).await;
    assert_eq!(stream.until(|event| event["id"] == 4).await["error"]["code"], 2);
    exchange.stop().await;
}

#[tokio::test]
async fn too_many_messages_end_a_connection() {
    let exchange = Exchange::start(config()).await;
    let mut stream = exchange.socket("/ws").await;
    for id in 0..30 {
        stream.send(&format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#)).await;
    }
    loop {
        match stream.next().await {
            Frame::Text(_) => {}
            Frame::Closed(code, reason) => {
                assert!(code == 1008 || code == 1006, "{code} {reason}");
                break;
            }
        }
    }
    exchange.stop().await;
}

#[tokio::test]
async fn connections_are_limited_and_given_back() {
    let exchange = Exchange::start(TestnetConfig { connections: 2, ..config() }).await;
    let first = exchange.socket("/ws/btcusdt@trade").await;
    let _second = exchange.socket("/stream").await;
    assert!(matches!(Socket::open(&exchange.handle, "/ws").await, Err(503)));
    assert_eq!(exchange.handle.connections().await.unwrap(), 2);
    drop(first);
    // The place comes back once the exchange has noticed; every try is a round trip through it.
    let mut third = Err(503);
    for _ in 0..2_000 {
        third = Socket::open(&exchange.handle, "/ws").await;
        if third.is_ok() {
            break;
        }
    }
    assert!(third.is_ok());
    assert!(matches!(Socket::open(&exchange.handle, "/nothing").await, Err(404)));
    exchange.stop().await;
}

#[tokio::test]
async fn strict_routes_refuse_what_the_exchange_would_not_send() {
    let exchange = Exchange::start(TestnetConfig { strict_routes: true, ..config() }).await;
    assert!(matches!(Socket::open(&exchange.handle, "/ws/btcusdt@depth").await, Err(400)));
    assert!(matches!(Socket::open(&exchange.handle, "/public/ws/btcusdt@aggTrade").await, Err(400)));
    let mut stream = exchange.socket("/market/ws/btcusdt@aggTrade").await;
    stream.send(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":1}"#).await;
    assert_eq!(stream.until(|event| event["id"] == 1).await["error"]["code"], 2);
    exchange.stop().await;
}

#[tokio::test]
async fn stopping_tells_every_connection() {
    let exchange = Exchange::start(config()).await;
    let mut stream = exchange.socket("/ws/btcusdt@markPrice").await;
    let mut api = exchange.socket("/ws-fapi/v1").await;
    let (handle, tasks) = (exchange.handle, exchange.tasks);
    handle.stop(common::PATIENCE).await.unwrap();
    for socket in [&mut stream, &mut api] {
        loop {
            match socket.next().await {
                Frame::Text(_) => {}
                Frame::Closed(code, _) => {
                    assert_eq!(code, 1001);
                    break;
                }
            }
        }
    }
    assert_eq!(tasks.counts().live, 0);
}
