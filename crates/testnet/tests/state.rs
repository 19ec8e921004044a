//! What an exchange keeps over restarts, and what a recording becomes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::fs::OpenOptions;
use std::io::Write;

use common::{Exchange, config};
use plimsoll_bounded::{Grant, Grants, Tasks};
use plimsoll_testnet::{StartError, Testnet, TestnetConfig};

fn kept(folder: &tempfile::TempDir) -> TestnetConfig {
    TestnetConfig { state_dir: Some(folder.path().to_owned()), ..config() }
}

async fn refusal(config: TestnetConfig) -> StartError {
    let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 8, 4096)));
    let grants = Grants::detached(&Testnet::plan(&config).unwrap());
    Testnet::start(config, grants, &tasks).await.unwrap_err()
}

#[tokio::test]
async fn a_crash_forgets_nothing_that_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let exchange = Exchange::start(kept(&folder)).await;
    let client = exchange.client();
    client.call("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=7").await.ok();
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newOrderRespType=RESULT";
    let filled = client.call("POST", "/fapi/v1/order", market).await.ok();
    let price = client.price("BTCUSDT", -40).await;
    let order = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price={price}&newClientOrderId=resting");
    let resting = client.call("POST", "/fapi/v1/order", &order).await.ok();
    let balance = client.call("GET", "/fapi/v2/balance", "").await.ok()[0]["balance"].clone();
    let trades = client.call("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT").await.ok();
    exchange.handle.abort().await;

    // The power went in the middle of a line.
    let mut journal = OpenOptions::new().append(true).open(folder.path().join("venue.jsonl")).unwrap();
    journal.write_all(b"{\"row\":\"ord").unwrap();
    drop(journal);

    let exchange = Exchange::start(kept(&folder)).await;
    let client = exchange.client();
    let risk = client.call("GET", "/fapi/v2/positionRisk", "symbol=BTCUSDT").await.ok();
    assert_eq!((risk[0]["positionAmt"].as_str(), risk[0]["leverage"].as_str()), (Some("0.010"), Some("7")));
    assert_eq!(client.call("GET", "/fapi/v2/balance", "").await.ok()[0]["balance"], balance);
    assert_eq!(client.call("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT").await.ok(), trades);
    let open = client.call("GET", "/fapi/v1/openOrders", "").await.ok();
    assert_eq!((open.as_array().unwrap().len(), open[0]["orderId"].as_u64()), (1, resting["orderId"].as_u64()));
    let old = client.call("GET", "/fapi/v1/order", &format!("symbol=BTCUSDT&orderId={}", filled["orderId"])).await.ok();
    assert_eq!(old["status"], "FILLED");
    // Ids go on; none is used twice.
    let next = client.call("POST", "/fapi/v1/order", market).await.ok();
    assert!(next["orderId"].as_u64() > resting["orderId"].as_u64());
    exchange.handle.with_venue(|venue| venue.check()).await.unwrap().unwrap();

    // A second exchange on the same folder is refused while the first one runs.
    assert!(matches!(refusal(kept(&folder)).await, StartError::Locked { .. }));
    exchange.stop().await;

    let exchange = Exchange::start(TestnetConfig { fresh: true, ..kept(&folder) }).await;
    let balance = exchange.client().call("GET", "/fapi/v2/balance", "").await.ok();
    assert_eq!(balance[0]["balance"], "100000.00000000");
    exchange.stop().await;
}

#[tokio::test]
async fn a_damaged_journal_is_named_and_not_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venue.jsonl");
    std::fs::write(&path, "garbage\n{\"row\":\"commit\",\"seq\":1}\n").unwrap();
    match refusal(kept(&folder)).await {
        StartError::Damaged { line, .. } => assert_eq!(line, 1),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_recorded_day_is_played_and_traded_on() {
    let Some(shared) = common::shared() else {
        eprintln!("left out: recordings are not at PLIMSOLL_SHARED or ../shared");
        return;
    };
    let replay = vec![shared.join("data/market/hftbacktest/usdm/btcusdt_20240808.gz")];
    let exchange = Exchange::start(TestnetConfig { replay, speed_milli: 10_000, ..config() }).await;
    let client = exchange.client();
    let mut stream = exchange.socket("/public/ws/btcusdt@bookTicker").await;
    for _ in 0..20 {
        let event = stream.event("bookTicker").await;
        let bid: f64 = event["b"].as_str().unwrap().parse().unwrap();
        assert!((61_000.0..62_500.0).contains(&bid), "{bid}");
    }
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newOrderRespType=RESULT";
    let filled = client.call("POST", "/fapi/v1/order", market).await.ok();
    assert_eq!(filled["status"], "FILLED");
    exchange.stop().await;
}
