use super::*;

const GOOD: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&price=60000.10&quantity=0.010&newClientOrderId=a.B:/_-9";

fn parse(query: &str) -> Result<NewOrder, ApiError> {
    let btc = Instrument::example_btcusdt();
    NewOrder::parse(&Params::parse(query, b"").unwrap(), |name| (name == "BTCUSDT").then_some(&btc))
}

/// Replaces one part of a good order and expects a code.
#[track_caller]
fn check(from: &str, to: &str, code: i32) {
    assert!(GOOD.contains(from), "{from}");
    assert_eq!(parse(&GOOD.replace(from, to)).map(|_| ()).map_err(|error| error.code), Err(code), "{to}");
}

#[test]
fn reads_a_good_order() {
    let order = parse(GOOD).unwrap();
    assert_eq!((order.price, order.qty, order.tif), (Price::from_units(6_000_010), Qty::from_units(10), Tif::Gtx));
    assert_eq!(order.client_id.unwrap().as_str(), "a.B:/_-9");
    assert_eq!((order.response, order.reduce_only, order.self_trade), (ResponseType::Ack, false, SelfTrade::ExpireMaker));
    let market = parse("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.002&newOrderRespType=RESULT&reduceOnly=False").unwrap();
    assert_eq!((market.kind, market.price, market.response), (OrderType::Market, Price::ZERO, ResponseType::Result));
}

#[test]
fn names_what_is_wrong_by_the_exchanges_code() {
    check("symbol=BTCUSDT&", "", -1102);
    check("BTCUSDT", "NOUSDT", -1121);
    check("side=BUY", "side=HOLD", -1117);
    check("LIMIT", "LIMIT_MAKER", -1116);
    check("LIMIT", "STOP_MARKET", -4120);
    check("GTX", "GTZ", -1115);
    check("timeInForce=GTX&", "", -1102);
    check("price=60000.10&", "", -1102);
    check("60000.10", "60000.105", -1111);
    check("60000.10", "0", -4001);
    check("60000.10", "-1", -4001);
    check("60000.10", "abc", -1102);
    check("0.010", "0.0101", -1111);
    check("0.010", "0", -4003);
    check("a.B:/_-9", "a%20b", -1100);
    check("a.B:/_-9", &"x".repeat(37), -4015);
    check("LIMIT", "MARKET", -1106);
    assert!(parse(&GOOD.replace("a.B:/_-9", &"x".repeat(36))).is_ok());
}

#[test]
fn reads_an_order_that_ends_at_a_time() {
    assert_eq!(parse(&GOOD.replace("GTX", "GTD&goodTillDate=9")).unwrap().tif, Tif::Gtd(9));
    check("GTX", "GTD", -1102);
    check("GTX", "GTD&goodTillDate=-9", -1100);
}

#[test]
fn reads_batches_and_targets() {
    let params = |query: &str| Params::parse(query, b"").unwrap();
    let batch = params("batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22price%22%3A1.5%2C%22reduceOnly%22%3Afalse%7D%5D");
    let orders = parse_batch(&batch, 5).unwrap();
    assert_eq!(orders.first().unwrap().iter().count(), 3);
    assert_eq!(parse_batch(&params("batchOrders=[]"), 5).unwrap_err().code, -4082);
    assert_eq!(parse_batch(&params("batchOrders=[{},{}]"), 1).unwrap_err().code, -4082);
    assert_eq!(parse_batch(&params("batchOrders=x"), 5).unwrap_err().code, -1100);
    assert_eq!(CancelTarget::parse(&params("orderId=7&origClientOrderId=a")), Ok(CancelTarget::OrderId(7)));
    assert_eq!(CancelTarget::parse(&params("symbol=a")).unwrap_err().code, -1102);
}

#[test]
fn writes_an_order_as_the_exchange_does() {
    let btc = Instrument::example_btcusdt();
    let row = OrderRow {
        instrument: &btc,
        order_id: 12,
        client_id: "abc",
        side: Side::Buy,
        position_side: PositionSide::Both,
        kind: OrderType::Limit,
        tif: Tif::Gtc,
        price: Price::from_units(6_000_010),
        qty: Qty::from_units(30),
        filled: Qty::from_units(30),
        cost: Notional::from_units(10 * 6_000_000 + 20 * 6_000_010),
        status: OrderStatus::Filled,
        in_match: false,
        reduce_only: false,
        self_trade: SelfTrade::ExpireMaker,
        time_ms: 1,
        updated_ms: 2,
    };
    let mut out = String::new();
    write_order(&mut out, &row);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    for (key, expected) in [
        ("orderId", "12"),
        ("status", "\"FILLED\""),
        ("price", "\"60000.10\""),
        ("avgPrice", "\"60000.06666667\""),
        ("executedQty", "\"0.030\""),
        ("cumQuote", "\"1800.00200\""),
        ("reduceOnly", "false"),
        ("updateTime", "2"),
    ] {
        assert_eq!(value[key].to_string(), expected, "{key}");
    }
}
