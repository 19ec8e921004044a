//! Everything the exchange says is understood by the decoders of our own client, with the right values.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use common::{Exchange, config};
use plimsoll_bounded::Grant;
use plimsoll_exchange::Instruments;
use plimsoll_exchange::binance::decode::{self, DepthUpdate, Message};
use plimsoll_market::Source;
use plimsoll_testnet::{Listing, TestnetConfig};

fn instruments() -> Instruments {
    let mut instruments = Instruments::new(Grant::detached(Instruments::line("test.instruments", 4)));
    instruments.put(Listing::btcusdt().instrument).unwrap();
    instruments.put(Listing::ethusdt().instrument).unwrap();
    instruments
}

#[tokio::test]
async fn replies_are_understood() {
    let exchange = Exchange::start(config()).await;
    let client = exchange.client();
    let known = instruments();
    let scales = known.scales("BTCUSDT").unwrap();
    let get = async |target: &str| client.get(target).await.text.into_bytes();
    let signed = async |method: &str, path: &str, query: &str| client.call(method, path, query).await.text.into_bytes();

    let info = decode::exchange_info(&get("/fapi/v1/exchangeInfo").await).unwrap();
    let contract = info.contract("BTCUSDT").unwrap();
    let mut expected = Listing::btcusdt().instrument;
    // Fees are told elsewhere.
    (expected.maker_fee, expected.taker_fee) = (contract.instrument.maker_fee, contract.instrument.taker_fee);
    assert_eq!(contract.instrument, expected);

    decode::server_time(&get("/fapi/v1/time").await).unwrap();
    let book = decode::depth_snapshot(&get("/fapi/v1/depth?symbol=BTCUSDT&limit=20").await, &scales).unwrap();
    assert!(!book.bids.is_empty() && !book.asks.is_empty());
    assert_eq!(decode::klines(&get("/fapi/v1/klines?symbol=BTCUSDT&interval=5m&limit=7").await, &scales).unwrap().len(), 7);
    decode::agg_trades(&get("/fapi/v1/aggTrades?symbol=BTCUSDT").await, &scales).unwrap();
    decode::trades(&get("/fapi/v1/trades?symbol=BTCUSDT").await, &scales).unwrap();
    decode::tickers(&get("/fapi/v1/ticker/24hr").await, &known).unwrap();
    decode::price_tickers(&get("/fapi/v1/ticker/price").await, &known).unwrap();
    decode::book_tickers(&get("/fapi/v1/ticker/bookTicker").await, &known).unwrap();
    decode::premium_index(&get("/fapi/v1/premiumIndex").await, &known).unwrap();
    decode::funding_rates(&get("/fapi/v1/fundingRate?symbol=BTCUSDT").await).unwrap();
    decode::funding_infos(&get("/fapi/v1/fundingInfo").await).unwrap();
    decode::open_interest(&get("/fapi/v1/openInterest?symbol=BTCUSDT").await).unwrap();

    let price = client.price("BTCUSDT", -30).await;
    let limit = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.010&price={price}");
    decode::order(&signed("POST", "/fapi/v1/order", &limit).await, &known, Source::Reply).unwrap();
    let market = "symbol=ETHUSDT&side=SELL&type=MARKET&quantity=0.100&newOrderRespType=RESULT";
    decode::order(&signed("POST", "/fapi/v1/order", market).await, &known, Source::Reply).unwrap();
    decode::orders(&signed("GET", "/fapi/v1/openOrders", "").await, &known).unwrap();
    decode::orders(&signed("GET", "/fapi/v1/allOrders", "symbol=ETHUSDT").await, &known).unwrap();
    decode::user_trades(&signed("GET", "/fapi/v1/userTrades", "symbol=ETHUSDT").await, &known).unwrap();
    for path in ["/fapi/v2/positionRisk", "/fapi/v3/positionRisk"] {
        decode::positions(&signed("GET", path, "").await, &known).unwrap();
    }
    for path in ["/fapi/v2/account", "/fapi/v3/account"] {
        decode::account(&signed("GET", path, "").await, &known).unwrap();
    }
    decode::balances(&signed("GET", "/fapi/v2/balance", "").await).unwrap();
    decode::leverage_brackets(&signed("GET", "/fapi/v1/leverageBracket", "").await).unwrap();
    decode::symbol_configs(&signed("GET", "/fapi/v1/symbolConfig", "").await).unwrap();
    decode::account_settings(&signed("GET", "/fapi/v1/accountConfig", "").await).unwrap();
    decode::commission_rate(&signed("GET", "/fapi/v1/commissionRate", "symbol=BTCUSDT").await).unwrap();
    assert!(!decode::hedge_mode(&signed("GET", "/fapi/v1/positionSide/dual", "").await).unwrap());
    decode::multi_assets(&signed("GET", "/fapi/v1/multiAssetsMargin", "").await).unwrap();
    decode::fee_burn(&signed("GET", "/fapi/v1/feeBurn", "").await).unwrap();
    decode::leverage_set(&signed("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=5").await).unwrap();
    decode::done(&signed("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT").await).unwrap();
    decode::countdown(&signed("POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=0").await).unwrap();
    decode::income(&signed("GET", "/fapi/v1/income", "").await).unwrap();
    decode::adl_quantiles(&signed("GET", "/fapi/v1/adlQuantile", "").await).unwrap();
    decode::order_limits(&signed("GET", "/fapi/v1/rateLimit/order", "").await).unwrap();
    decode::algo_orders(&signed("GET", "/fapi/v1/openAlgoOrders", "").await).unwrap();
    let key = client.raw("POST", "/fapi/v1/listenKey", Some("testkey"), "").await.text;
    assert!(decode::listen_key(key.as_bytes()).unwrap().is_some());
    exchange.stop().await;
}

#[tokio::test]
async fn events_are_understood() {
    let exchange = Exchange::start(TestnetConfig { speed_milli: 20_000, ..config() }).await;
    let client = exchange.client();
    let key = client.listen_key().await;
    let names = "btcusdt@aggTrade/btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@kline_1m/btcusdt@markPrice@1s/btcusdt@ticker/btcusdt@miniTicker";
    let mut stream = exchange.socket(&format!("/stream?streams={names}/{key}")).await;
    let known = instruments();
    let mut depth = DepthUpdate::new(Grant::detached(DepthUpdate::line("test.depth")));
    client.call("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=9").await.ok();
    client.call("POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010").await.ok();
    let mut missing = vec![
        "aggTrade",
        "trade",
        "bookTicker",
        "depthUpdate",
        "kline",
        "markPriceUpdate",
        "24hrTicker",
        "24hrMiniTicker",
        "TRADE_LITE",
        "ORDER_TRADE_UPDATE",
        "ACCOUNT_UPDATE",
        "ACCOUNT_CONFIG_UPDATE",
    ];
    while !missing.is_empty() {
        let event = stream.text().await;
        let text = stream.last.clone();
        let message = decode::decode(text.as_bytes(), &known, &mut depth).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(!matches!(message, Message::Ignored { .. } | Message::Unlisted { .. }), "{text}");
        let kind = event["data"]["e"].as_str().unwrap();
        missing.retain(|wanted| *wanted != kind);
    }
    exchange.stop().await;
}
