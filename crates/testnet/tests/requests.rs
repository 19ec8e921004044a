//! Letting in and refusing requests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use common::{Client, Exchange, config, now_ms};
use plimsoll_bounded::{Grant, Grants, Tasks};
use plimsoll_testnet::{AccountConfig, RateLimits, StartError, Testnet, TestnetConfig};

async fn refusal(config: TestnetConfig) -> StartError {
    let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 8, 4096)));
    let grants = Grants::detached(&Testnet::plan(&config).unwrap());
    Testnet::start(config, grants, &tasks).await.unwrap_err()
}

#[tokio::test]
async fn listens_on_loopback_only() {
    for listen in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let config = TestnetConfig { listen: listen.parse().unwrap(), ..config() };
        assert!(matches!(refusal(config).await, StartError::NotLoopback(_)), "{listen}");
    }
    assert!(matches!(refusal(TestnetConfig::new(1, Vec::new())).await, StartError::NoAccount));
    let account = || AccountConfig::parse("a:b:1").unwrap();
    assert!(matches!(refusal(TestnetConfig::new(1, vec![account(), account()])).await, StartError::KeyTwice(_)));
    let exchange = Exchange::start(config()).await;
    let taken = TestnetConfig { listen: exchange.handle.addr(), ..config() };
    assert!(matches!(refusal(taken).await, StartError::Bind { .. }));
    exchange.stop().await;
}

#[tokio::test]
async fn signatures_are_checked_over_the_bytes_sent() {
    let exchange = Exchange::start(config()).await;
    let client = exchange.client();
    let path = "/fapi/v3/balance";
    let balance = client.call("GET", path, "").await.ok();
    assert_eq!(balance[0]["balance"], "100000.00000000");

    let check = async |target: String, key: Option<&str>, expected: (u16, i64)| {
        let answer = client.raw("GET", &target, key, "").await;
        assert_eq!((answer.status, answer.code()), expected, "{target} {}", answer.body);
        answer.body["msg"].as_str().unwrap_or_default().to_owned()
    };
    let good = client.signed("recvWindow=5000");
    check(format!("{path}?{good}"), None, (401, -2014)).await;
    check(format!("{path}?{good}"), Some("other"), (401, -2015)).await;
    check(format!("{path}?x=1&{good}"), Some("testkey"), (400, -1022)).await;
    check(format!("{path}?timestamp={}&signature=zz", now_ms()), Some("testkey"), (400, -1022)).await;
    let msg = check(format!("{path}?timestamp={}", now_ms()), Some("testkey"), (400, -1102)).await;
    assert!(msg.contains("'signature'"), "{msg}");
    let msg = check(path.to_owned(), Some("testkey"), (400, -1102)).await;
    assert!(msg.contains("'timestamp'"), "{msg}");
    let msg = check(format!("{path}?timestamp={}&signature=00", now_ms() - 6000), Some("testkey"), (400, -1021)).await;
    assert_eq!(msg, "Timestamp for this request is outside of the recvWindow.");
    let msg = check(format!("{path}?timestamp={}&signature=00", now_ms() + 3000), Some("testkey"), (400, -1021)).await;
    assert_eq!(msg, "Timestamp for this request was 1000ms ahead of the server's time.");
    check(format!("{path}?timestamp={}&recvWindow=60001&signature=00", now_ms()), Some("testkey"), (400, -1131)).await;

    // Another account's secret does not open this one's door.
    let thief = Client::new(&exchange.handle, "testkey", "othersecret");
    assert_eq!(thief.call("GET", path, "").await.code(), -1022);
    exchange.stop().await;
}

#[tokio::test]
async fn parameters_come_in_query_or_body_or_both() {
    let exchange = Exchange::start(config()).await;
    let client = exchange.client();
    let path = "/fapi/v1/leverage";
    // All in the body, all in the query, and taken apart: the text signed is always query then body.
    client.call("POST", path, "symbol=BTCUSDT&leverage=11").await.ok();
    let text = client.signed("symbol=BTCUSDT&leverage=12");
    assert_eq!(client.raw("POST", &format!("{path}?{text}"), Some("testkey"), "").await.ok()["leverage"], 12);
    let text = client.signed("symbol=BTCUSDTleverage=13");
    let (query, body) = text.split_at("symbol=BTCUSDT".len());
    let answer = client.raw("POST", &format!("{path}?{query}"), Some("testkey"), body).await.ok();
    assert_eq!((answer["leverage"].as_i64(), answer["symbol"].as_str()), (Some(13), Some("BTCUSDT")));
    // ccxt signs the encoded brackets of its batch cancel.
    let answer = client.call("DELETE", "/fapi/v1/batchOrders", "symbol=BTCUSDT&orderidlist=%5B1%2C2%5D").await.ok();
    assert_eq!((answer[0]["code"].as_i64(), answer[1]["code"].as_i64()), (Some(-2011), Some(-2011)));
    exchange.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let exchange = Exchange::start(config()).await;
    let client = exchange.client();
    assert_eq!(client.get("/fapi/v1/nothing").await.status, 404);
    assert_eq!(client.get("/").await.status, 404);
    assert_eq!(client.raw("POST", "/fapi/v1/ping", None, "").await.status, 405);
    assert_eq!(client.get("/fapi/v1/ping").await.status, 200);
    exchange.stop().await;
}

#[tokio::test]
async fn weight_is_told_and_limited() {
    let limits = RateLimits { weight_per_minute: 50, orders_per_10s: 2, ..RateLimits::default() };
    let exchange = Exchange::start(TestnetConfig { limits, ..config() }).await;
    let client = exchange.client();
    // A minute may turn between two requests; then the count starts over and the test looks again.
    let mut used = 0;
    for _ in 0..4 {
        let answer = client.get("/fapi/v1/depth?symbol=BTCUSDT&limit=1000").await;
        let before = used;
        used = answer.header("x-mbx-used-weight-1m").unwrap().parse().unwrap();
        assert!(used == before + 20 || used == 20, "{used}");
        if used > 50 {
            assert_eq!((answer.status, answer.code()), (429, -1003));
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=61).contains(&seconds));
        }
    }
    let mut last = client.get("/fapi/v1/ping").await;
    for _ in 0..200 {
        last = client.get("/fapi/v1/ping").await;
        if last.status == 418 {
            break;
        }
    }
    assert_eq!((last.status, last.code()), (418, -1003));
    exchange.stop().await;
}

#[tokio::test]
async fn orders_are_counted_by_account() {
    let limits = RateLimits { orders_per_10s: 2, ..RateLimits::default() };
    let exchange = Exchange::start(TestnetConfig { limits, ..config() }).await;
    let client = exchange.client();
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=1";
    let mut refused = None;
    for _ in 0..5 {
        let answer = client.call("POST", "/fapi/v1/order", order).await;
        if answer.status == 429 {
            refused = Some(answer.code());
            break;
        }
        assert!(answer.header("x-mbx-order-count-10s").is_some() && answer.header("x-mbx-order-count-1m").is_some());
    }
    assert_eq!(refused, Some(-1015));
    exchange.stop().await;
}

#[tokio::test]
async fn every_public_route_answers() {
    let exchange = Exchange::start(config()).await;
    let client = exchange.client();
    let info = client.get("/fapi/v1/exchangeInfo").await.ok();
    let symbols: Vec<_> = info["symbols"].as_array().unwrap().iter().map(|symbol| symbol["symbol"].as_str().unwrap()).collect();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"]);
    let filter = |at: usize, kind: &str, field: &str| {
        let filters = info["symbols"][at]["filters"].as_array().unwrap();
        filters.iter().find(|filter| filter["filterType"] == kind).unwrap()[field].as_str().unwrap().to_owned()
    };
    assert_eq!((filter(0, "PRICE_FILTER", "tickSize"), filter(0, "LOT_SIZE", "stepSize")), ("0.10".to_owned(), "0.001".to_owned()));
    assert_eq!((filter(0, "MIN_NOTIONAL", "notional"), filter(1, "MIN_NOTIONAL", "notional")), ("100".to_owned(), "20".to_owned()));
    assert_eq!(filter(0, "PERCENT_PRICE", "multiplierUp"), "1.0500");

    for (target, array) in [
        ("/fapi/v1/time", false),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=5", false),
        ("/fapi/v1/trades?symbol=BTCUSDT", true),
        ("/fapi/v1/aggTrades?symbol=BTCUSDT", true),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=10", true),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1M&limit=10", true),
        ("/fapi/v1/continuousKlines?pair=BTCUSDT&contractType=PERPETUAL&interval=1h", true),
        ("/fapi/v1/premiumIndex", true),
        ("/fapi/v1/premiumIndex?symbol=BTCUSDT", false),
        ("/fapi/v1/fundingRate?symbol=BTCUSDT", true),
        ("/fapi/v1/fundingInfo", true),
        ("/fapi/v1/ticker/24hr", true),
        ("/fapi/v1/ticker/24hr?symbol=ETHUSDT", false),
        ("/fapi/v1/ticker/price?symbol=ETHUSDT", false),
        ("/fapi/v2/ticker/price", true),
        ("/fapi/v1/ticker/bookTicker", true),
        ("/fapi/v1/openInterest?symbol=BTCUSDT", false),
    ] {
        let body = client.get(target).await.ok();
        assert_eq!(body.is_array(), array, "{target} {body}");
    }
    let candles = client.get("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=10").await.ok();
    assert_eq!(candles.as_array().unwrap().len(), 10);
    assert_eq!(candles[0].as_array().unwrap().len(), 12);

    for (target, code) in [
        ("/fapi/v1/depth", -1102),
        ("/fapi/v1/depth?symbol=NOUSDT", -1121),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=7", -1130),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=7m", -1120),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=2&endTime=1", -1023),
        ("/fapi/v1/historicalTrades?symbol=BTCUSDT", -2014),
        ("/fapi/v1/ticker/24hr?symbol=", -1105),
    ] {
        assert_eq!(client.get(target).await.code(), code, "{target}");
    }
    exchange.stop().await;
}

#[tokio::test]
async fn every_private_route_answers() {
    let exchange = Exchange::start(config()).await;
    let client = exchange.client();
    for (method, path, query) in [
        ("GET", "/fapi/v2/balance", ""),
        ("GET", "/fapi/v2/account", ""),
        ("GET", "/fapi/v3/account", ""),
        ("GET", "/fapi/v2/positionRisk", ""),
        ("GET", "/fapi/v3/positionRisk", ""),
        ("GET", "/fapi/v1/leverageBracket", "symbol=BTCUSDT"),
        ("GET", "/fapi/v1/symbolConfig", ""),
        ("GET", "/fapi/v1/accountConfig", ""),
        ("GET", "/fapi/v1/commissionRate", "symbol=BTCUSDT"),
        ("GET", "/fapi/v1/multiAssetsMargin", ""),
        ("GET", "/fapi/v1/feeBurn", ""),
        ("GET", "/fapi/v1/rateLimit/order", ""),
        ("GET", "/fapi/v1/apiTradingStatus", ""),
        ("GET", "/fapi/v1/adlQuantile", ""),
        ("GET", "/fapi/v1/income", ""),
        ("GET", "/fapi/v1/positionSide/dual", ""),
        ("GET", "/fapi/v1/openOrders", ""),
        ("GET", "/fapi/v1/allOrders", "symbol=BTCUSDT"),
        ("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT"),
        ("GET", "/fapi/v1/openAlgoOrders", ""),
        ("GET", "/fapi/v1/allAlgoOrders", "symbol=BTCUSDT"),
        ("DELETE", "/fapi/v1/algoOpenOrders", "symbol=BTCUSDT"),
        ("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT"),
        ("POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=0"),
        ("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED"),
        ("POST", "/fapi/v1/multiAssetsMargin", "multiAssetsMargin=true"),
        ("GET", "/fapi/v1/historicalTrades", "symbol=BTCUSDT"),
    ] {
        let answer = client.call(method, path, query).await;
        assert_eq!(answer.status, 200, "{method} {path} {}", answer.body);
    }
    for (method, path, query, code) in [
        ("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED", -4046),
        ("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=0", -4028),
        ("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=126", -4028),
        ("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=-1", -4028),
        ("POST", "/fapi/v1/positionSide/dual", "dualSidePosition=false", -4059),
        ("POST", "/fapi/v1/multiAssetsMargin", "multiAssetsMargin=true", -4171),
        ("GET", "/fapi/v1/order", "symbol=BTCUSDT&orderId=1", -2013),
        ("GET", "/fapi/v1/openOrder", "symbol=BTCUSDT&orderId=1", -2013),
        ("GET", "/fapi/v1/order", "symbol=BTCUSDT", -1102),
        ("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=none", -2011),
        ("PUT", "/fapi/v1/listenKey", "", -1125),
        ("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT&startTime=0&endTime=604800001", -1127),
    ] {
        assert_eq!(client.call(method, path, query).await.code(), code, "{method} {path} {query}");
    }
    exchange.stop().await;
}
