//! What frames of the streams mean, by messages written by hand: values, forms, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests may panic, and say what they leave out")]

#[path = "shared/messages.rs"]
mod fixtures;
mod shared;

use fixtures::EVENTS;
use plimsoll_bounded::Ledger;
use plimsoll_exchange::binance::DecodeError;
use plimsoll_exchange::binance::decode::{
    AccountConfig, AccountReason, Message, ReplyId, SkipReason, TradeOrigin, decode, exchange_info, leverage_brackets, ws_api_reply,
};
use plimsoll_exchange::binance::describe::{DescribeError, Kind, describe};
use plimsoll_exchange::limits::DEPTH_CHANGES_MAX;
use plimsoll_market::{ClientId, Leg, Side, Tag};
use std::time::Duration;

/// Decodes a frame with BTCUSDT at 2 and 3 digits in use, and hands the message over as text: exact, and comparable.
fn read(frame: &str) -> Result<String, String> {
    let ledger = Ledger::open(1 << 20);
    let instruments = shared::instruments(&ledger, &[("BTCUSDT", 2, 3)]);
    let mut buffer = shared::depth_buffer(&ledger);
    match decode(frame.as_bytes(), &instruments, &mut buffer) {
        Ok(Message::Depth(update)) => {
            let levels: Vec<String> = update
                .changes()
                .iter()
                .map(|c| format!("{}{}x{}", if c.side == Side::Buy { 'b' } else { 'a' }, c.level.price.units(), c.level.qty.units()))
                .collect();
            let (first, last, previous) = (update.first_id, update.last_id, update.previous_id);
            Ok(format!(
                "depth {first}-{last} after {previous:?} at {} partial {} {}",
                update.time.millis(),
                update.partial,
                levels.join(" ")
            ))
        }
        Ok(message) => Ok(format!("{message:?}")),
        Err(error) => Err(error.chain().to_string()),
    }
}

fn event(name: &str) -> &'static str {
    EVENTS.iter().find(|(n, _)| *n == name).unwrap().1
}

#[track_caller]
fn check(frame: &str, expected: &str) {
    assert_eq!(read(frame).as_deref(), Ok(expected), "{frame}");
}

#[track_caller]
fn refuses(frame: &str, expected: &str) {
    let found = read(frame).expect_err(frame);
    assert!(found.contains(expected), "{frame}\n  {found}\n  lacks {expected:?}");
}

/// Decodes a frame and hands the message to a closure that looks into it.
#[track_caller]
fn with(frame: &str, look: impl FnOnce(Message<'_>)) {
    let ledger = Ledger::open(1 << 20);
    let instruments = shared::instruments(&ledger, &[("BTCUSDT", 2, 3)]);
    let mut buffer = shared::depth_buffer(&ledger);
    look(decode(frame.as_bytes(), &instruments, &mut buffer).unwrap());
}

#[test]
fn raw_wrapped_spaced_and_reordered_frames_mean_the_same() {
    for (name, raw) in EVENTS {
        let plain = read(raw).unwrap_or_else(|e| panic!("{name}: {e}"));
        let wrapped = format!(r#"{{"stream":"btcusdt@x","data":{raw}}}"#);
        assert_eq!(read(&wrapped).as_ref(), Ok(&plain), "{name} wrapped");
        let reversed = format!(r#" {{ "data" : {raw} , "stream" : "btcusdt@x" }} "#);
        assert_eq!(read(&reversed).as_ref(), Ok(&plain), "{name} wrapped the other way round");
        let extended = format!(r#"{{"stream":"btcusdt@x","data":{raw},"more":[1]}}"#);
        assert_eq!(read(&extended).is_ok(), read(&format!(r#"{{"more":[1],"data":{raw},"stream":"s"}}"#)).is_ok(), "{name} extended");
        let spaced = raw.replacen('{', "{ \n\t", 1);
        assert_eq!(read(&spaced).as_ref(), Ok(&plain), "{name} with spaces");
        let unknown_keys = raw.replacen('{', r#"{"zz":{"e":"trade"},"#, 1);
        assert_eq!(read(&unknown_keys).as_ref(), Ok(&plain), "{name} with another key first");
    }
}

#[test]
fn hot_messages_yield_their_values() {
    check(event("depthUpdate"), "depth 101-105 after Some(100) at 1700000000100 partial false b6180020x1500 b6179990x0 a6180030x250");
    let partial = format!(r#"{{"stream":"btcusdt@depth5@100ms","data":{}}}"#, event("depthUpdate"));
    assert!(read(&partial).unwrap().contains("partial true"));
    let diff = format!(r#"{{"stream":"btcusdt@depth@100ms","data":{}}}"#, event("depthUpdate"));
    assert!(read(&diff).unwrap().contains("partial false"));
    with(event("bookTicker"), |m| {
        let Message::BookTicker(ticker) = m else { panic!("{m:?}") };
        let top = ticker.top;
        assert_eq!((ticker.update_id, top.bid.units(), top.bid_qty.units()), (105, 6_180_020, 1_500));
        assert_eq!((top.ask.units(), top.ask_qty.units(), top.time.millis()), (6_180_030, 250, 1_700_000_000_100));
    });
    with(event("aggTrade"), |m| {
        let Message::AggTrade(agg) = m else { panic!("{m:?}") };
        assert_eq!((agg.id, agg.first_id.0, agg.trade.id.0, agg.trade.taker), (Some(77), 900, 902, Side::Buy));
        assert_eq!((agg.trade.price.units(), agg.trade.qty.units()), (6_180_030, 125));
    });
    with(event("trade"), |m| {
        let Message::Trade(trade) = m else { panic!("{m:?}") };
        assert_eq!((trade.trade.id.0, trade.trade.taker, trade.origin), (902, Side::Sell, TradeOrigin::Market));
    });
    with(event("kline"), |m| {
        let Message::Kline(kline) = m else { panic!("{m:?}") };
        assert!(kline.closed);
        assert_eq!((kline.interval.as_str(), kline.candle.turnover.units(), kline.candle.taker_buy.units()), ("1m", 803_403_900, 125));
    });
    with(event("markPriceUpdate"), |m| {
        let Message::Mark(mark) = m else { panic!("{m:?}") };
        assert_eq!((mark.price.mark.to_string(), mark.price.index.to_string()), ("61795.12345678".into(), "61796.87654321".into()));
        assert_eq!((mark.price.funding.map(|f| f.ppm()), mark.funding_e8), (Some(-123), Some(-12_345)));
    });
}

#[test]
fn odd_but_legal_values_are_read() {
    // A candle without trades.
    let quiet = event("kline").replace(r#""f":900,"L":902"#, r#""f":-1,"L":-1"#).replace(r#""n":3"#, r#""n":0"#);
    with(&quiet, |m| {
        let Message::Kline(kline) = m else { panic!("{m:?}") };
        assert_eq!((kline.trades, kline.candle.trades), (None, 0));
    });
    // A delivery contract has no funding.
    let delivery = event("markPriceUpdate").replace(r#""r":"-0.00012345","T":1700006400000"#, r#""r":"","T":0"#);
    with(&delivery, |m| {
        let Message::Mark(mark) = m else { panic!("{m:?}") };
        assert_eq!((mark.price.funding, mark.price.next_funding.millis()), (None, 0));
    });
    // A trade of the exchange itself may have no price.
    let own = event("trade").replace(r#""p":"61800.30""#, r#""p":"0""#).replace("MARKET", "NA");
    with(&own, |m| {
        let Message::Trade(trade) = m else { panic!("{m:?}") };
        assert_eq!((trade.origin, trade.trade.price.units()), (TradeOrigin::Other, 0));
    });
    // Integers as texts, prices as bare numbers, finer zeros than the scale has.
    let mixed = event("bookTicker").replace(r#""u":105"#, r#""u":"105""#).replace(r#""b":"61800.20""#, r#""b":61800.2000"#);
    assert_eq!(read(&mixed), read(event("bookTicker")));
    // The symbol behind the levels.
    let late = event("depthUpdate").replace(r#""s":"BTCUSDT","#, "").replace(r#"]]}"#, r#"]],"s":"BTCUSDT"}"#);
    assert_eq!(read(&late), read(event("depthUpdate")));
    // No balances and no positions.
    let empty = r#"{"e":"ACCOUNT_UPDATE","E":1,"a":{"m":"AUTO_EXCHANGE"}}"#;
    with(empty, |m| {
        let Message::AccountUpdate(update) = m else { panic!("{m:?}") };
        assert!(update.balances.is_empty() && update.positions.is_empty());
        assert!(matches!(update.reason, AccountReason::Other(word) if word.as_str() == "AUTO_EXCHANGE"));
    });
    with(event("ACCOUNT_UPDATE"), |m| {
        let Message::AccountUpdate(update) = m else { panic!("{m:?}") };
        assert_eq!((update.reason, update.balances[0].change, update.unlisted), (AccountReason::FundingFee, -50_000_000, 1));
        assert_eq!((update.positions.len(), update.positions[0].report.holding.units()), (1, -5));
    });
    with(event("ACCOUNT_CONFIG_UPDATE"), |m| {
        assert!(matches!(m, Message::AccountConfig(AccountConfig::Leverage { leverage: 25, .. })));
    });
    with(event("listenKeyExpired"), |m| {
        let Message::ListenKeyExpired(expired) = m else { panic!("{m:?}") };
        assert_eq!((expired.event_time.millis(), expired.key.unwrap().as_str()), (1_700_000_008_000, "abcdef"));
    });
    check(event("SOMETHING_NEW"), r#"Ignored { kind: "SOMETHING_NEW" }"#);
}

#[test]
fn our_orders_are_known_by_their_id_alone() {
    let id = ClientId::new(Tag(3), 1_700_000_000, Leg::new(1, -7).unwrap(), Side::Buy, 9);
    let ours = event("ORDER_TRADE_UPDATE").replace("by-hand-1", &id.text());
    with(&ours, |m| {
        let Message::OrderUpdate(update) = m else { panic!("{m:?}") };
        assert_eq!((update.report.id, update.report.fill.unwrap().id), (Some(id), Some(id)));
        let fill = update.report.fill.unwrap();
        assert_eq!((fill.trade_id.0, fill.fee.units, fill.realized.units, fill.maker), (903, 6_170_010, -25_000_000, true));
    });
    let lite = event("TRADE_LITE").replace("by-hand-1", &id.text());
    with(&lite, |m| {
        let Message::TradeLite(fill) = m else { panic!("{m:?}") };
        assert_eq!((fill.id, fill.trade_id.0, fill.last_qty.units()), (Some(id), 903, 5));
    });
    // No fee and no trade id while nothing is filled.
    let new = r#"{"e":"ORDER_TRADE_UPDATE","E":2,"o":{"s":"BTCUSDT","c":"x","S":"SELL","o":"MARKET","f":"GTC","q":"1","p":"0","x":"NEW","X":"NEW","i":1,"z":"0","t":0}}"#;
    with(new, |m| {
        let Message::OrderUpdate(update) = m else { panic!("{m:?}") };
        assert_eq!((update.report.fill, update.report.average.units()), (None, 0));
    });
    let unbooked = event("ORDER_TRADE_UPDATE").replace(r#""t":903,"#, "");
    refuses(&unbooked, "ORDER_TRADE_UPDATE: o.t is missing");
    // Half a fee: booked without the other half, it would be wrong for ever.
    refuses(&event("ORDER_TRADE_UPDATE").replace(r#""n":"#, r#""gone":"#), "ORDER_TRADE_UPDATE: o.n is missing");
    refuses(&event("ORDER_TRADE_UPDATE").replace(r#""N":"#, r#""gone":"#), "ORDER_TRADE_UPDATE: o.N is missing");
}

#[test]
fn other_symbols_are_named_and_never_a_fault() {
    for name in ["depthUpdate", "bookTicker", "aggTrade", "trade", "kline", "markPriceUpdate", "24hrTicker", "forceOrder", "TRADE_LITE"] {
        let other = event(name).replace("BTCUSDT", "币安人生USDT").replace("61800.30", "0.000000001");
        check(&other, &format!(r#"Unlisted {{ kind: "{name}", symbol: "币安人生USDT" }}"#));
    }
}

#[test]
fn numbers_off_the_scale_are_refused_by_field_and_value() {
    let off = |name: &str, from: &str, to: &str| event(name).replacen(from, to, 1);
    refuses(&off("bookTicker", "61800.20", "61800.201"), r#"bookTicker: b is "61800.201": more than 2 digits after the point"#);
    refuses(&off("bookTicker", "1.500", "1.5001"), r#"bookTicker: B is "1.5001": more than 3 digits"#);
    refuses(&off("bookTicker", "1.500", "-1"), r#"bookTicker: B is "-1": number is out of range"#);
    refuses(&off("trade", "61800.30", "1e3x"), r#"trade: p is "1e3x": not a decimal"#);
    refuses(&off("trade", "61800.30", ""), r#"trade: p is "": not a decimal"#);
    refuses(&off("depthUpdate", "61799.90", "61799.999"), r#"depthUpdate: b is "61799.999": more than 2 digits"#);
    refuses(&off("depthUpdate", r#""0.250""#, r#""1\u0030""#), r#"depthUpdate: a is"#);
    refuses(&off("trade", "61800.30", "99999999999999999999"), "out of range");
    refuses(&off("ORDER_TRADE_UPDATE", "PARTIALLY_FILLED", "HALF"), r#"ORDER_TRADE_UPDATE: o.X is "HALF", an unknown word"#);
    refuses(&off("ORDER_TRADE_UPDATE", "BUY", "BOTH"), r#"o.S is "BOTH""#);
    refuses(&off("trade", "BTCUSDT", "A/B"), r#"trade: s is "A/B""#);
}

#[test]
fn malformed_frames_are_refused_with_the_place() {
    for (name, raw) in EVENTS {
        for end in 0..raw.len() {
            if raw.is_char_boundary(end) {
                assert!(read(&raw[..end]).is_err(), "{name} cut at {end} was taken");
            }
        }
        let wrapped = format!(r#"{{"stream":"s","data":{raw}"#);
        assert!(read(&wrapped).is_err(), "{name} without the last brace was taken");
        assert!(read(&format!("{raw}{raw}")).is_err(), "{name} twice was taken");
    }
    refuses(&event("trade").replace(r#""t":902,"#, ""), "trade is malformed: missing field `t`");
    refuses(&event("depthUpdate").replace(r#""u":105,"#, ""), "depthUpdate is malformed: missing field `u`");
    refuses(&event("depthUpdate").replace(r#""b":[["61800.20","1.500"],["61799.90","0.000"]],"#, ""), "missing field `b`");
    refuses(&event("depthUpdate").replace(r#""s":"BTCUSDT","#, ""), "missing field `s`");
    refuses(&event("depthUpdate").replace(r#""a":["#, r#""b":["#), "duplicate field `b`");
    refuses(&event("depthUpdate").replace(r#"["61800.30","0.250"]"#, r#"["61800.30"]"#), "expected a level of price and quantity");
    refuses("{}", "frame is neither an event nor an answer");
    refuses(r#"{"stream":"s","data":{}}"#, "data of a frame names no event");
    refuses("12", "frame is malformed");
    refuses("", "frame is malformed");
    refuses(r#"[["e"]]"#, "an object is expected");
}

#[test]
fn a_depth_message_has_a_most() {
    let message = |levels: usize| {
        let list = vec![r#"["61800.20","1.500"]"#; levels].join(",");
        event("depthUpdate").replace(r#"["61800.20","1.500"],["61799.90","0.000"]"#, &list).replace(r#"["61800.30","0.250"]"#, "")
    };
    assert!(read(&message(DEPTH_CHANGES_MAX)).is_ok());
    refuses(&message(DEPTH_CHANGES_MAX + 1), "depthUpdate: more than 4096 changes");
    // The buffer serves the next message.
    assert!(read(event("depthUpdate")).is_ok());
}

#[test]
fn answers_to_commands_carry_their_id() {
    with(r#"{"result":null,"id":7}"#, |m| {
        let Message::Reply(reply) = m else { panic!("{m:?}") };
        assert_eq!((reply.id, reply.listed, reply.error), (ReplyId::Number(7), None, None));
    });
    with(r#"{"result":["a","b"],"id":"eight"}"#, |m| {
        let Message::Reply(reply) = m else { panic!("{m:?}") };
        assert_eq!((reply.id.to_string(), reply.listed), ("\"eight\"".to_owned(), Some(2)));
    });
    with(r#"{"error":{"code":2,"msg":"Invalid request: x"},"id":9}"#, |m| {
        let Message::Reply(reply) = m else { panic!("{m:?}") };
        assert_eq!((reply.id, reply.error.map(|e| e.code)), (ReplyId::Number(9), Some(2)));
    });
    with(r#"{"error":{"code":3,"msg":"Invalid JSON"}}"#, |m| {
        let Message::Reply(reply) = m else { panic!("{m:?}") };
        assert_eq!((reply.id, reply.error.map(|e| e.code)), (ReplyId::None, Some(3)));
    });
}

#[test]
fn several_events_in_one_frame_are_read_in_order() {
    let frame = format!("[{},{},{}]", event("markPriceUpdate"), event("SOMETHING_NEW"), event("markPriceUpdate"));
    for frame in [frame.clone(), format!(r#"{{"stream":"!markPrice@arr","data":{frame}}}"#)] {
        with(&frame, |m| {
            let Message::Batch(events) = m else { panic!("{m:?}") };
            assert!(matches!(events[..], [Message::Mark(_), Message::Ignored { .. }, Message::Mark(_)]));
        });
    }
    // Depth needs a buffer each and never comes so; it is passed over, by name.
    check(&format!("[{}]", event("depthUpdate")), r#"Batch([Ignored { kind: "depthUpdate" }])"#);
}

#[test]
fn the_socket_api_tells_waits_and_limits() {
    let text = br#"{"id":"x","status":429,"error":{"code":-1003,"msg":"m","data":{"serverTime":1700000000000,"retryAfter":1700000007000}},
        "rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":2401}]}"#;
    let reply = ws_api_reply(text).unwrap();
    let error = reply.result.unwrap_err();
    assert_eq!((error.code, error.retry_after), (-1003, Some(Duration::from_secs(7))));
    assert_eq!((reply.limits[0].limit, reply.limits[0].count, reply.limits[0].interval.as_secs()), (2_400, Some(2_401), 60));
    let done = ws_api_reply(br#"{"id":1,"status":200,"result":{"serverTime":5}}"#).unwrap();
    assert_eq!((done.id, done.result.unwrap()), (ReplyId::Number(1), &br#"{"serverTime":5}"#[..]));
    assert!(matches!(ws_api_reply(br#"{"id":1,"status":200}"#), Err(DecodeError::Shape { .. })));
}

#[test]
fn leverage_tables_are_read_with_bare_numbers() {
    let body = br#"[{"symbol":"BTCUSDT","notionalCoef":1.5,"brackets":[{"bracket":1,"initialLeverage":125,"notionalCap":50000,
        "notionalFloor":0,"maintMarginRatio":0.004,"cum":0.0},{"bracket":2,"initialLeverage":100,"notionalCap":600000,
        "notionalFloor":50000,"maintMarginRatio":0.005,"cum":50.0}]}]"#;
    let tables = leverage_brackets(body).unwrap();
    let second = tables[0].brackets[1];
    assert_eq!((second.number, second.leverage, second.floor, second.cap), (2, 100, 5_000_000_000_000, 60_000_000_000_000));
    assert_eq!((second.maintenance, second.deduction), (500_000, 5_000_000_000));
    let list = std::str::from_utf8(body).unwrap();
    let alone = &list[1..list.len() - 1];
    assert_eq!(leverage_brackets(alone.as_bytes()).unwrap(), tables);
}

/// A contract with some of its text replaced.
fn contract(changes: &[(&str, &str)]) -> String {
    let mut text = r#"{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
        "marginAsset":"USDT","pricePrecision":2,"quantityPrecision":3,"deliveryDate":4133404800000,"filters":[
        {"filterType":"PRICE_FILTER","tickSize":"0.10","minPrice":"556.80","maxPrice":"4529764"},
        {"filterType":"LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"1000"},
        {"filterType":"MARKET_LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"120"},
        {"filterType":"MAX_NUM_ORDERS","limit":200},{"filterType":"MIN_NOTIONAL","notional":"100"},
        {"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}],
        "orderTypes":["LIMIT"],"timeInForce":["GTC","GTX"]}"#
        .to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

fn info(symbols: &[String]) -> plimsoll_exchange::binance::decode::ExchangeInfo {
    let body = format!(r#"{{"serverTime":1,"rateLimits":[],"symbols":[{}]}}"#, symbols.join(","));
    exchange_info(body.as_bytes()).unwrap()
}

#[test]
fn the_tick_rules_prices_and_the_precision_their_digits() {
    let btc = info(&[contract(&[])]).contracts[0].instrument;
    assert_eq!((btc.price_scale, btc.tick.units(), btc.price_min.units()), (2, 10, 55_680));
    assert_eq!((btc.qty_scale, btc.step.units(), btc.market_qty_max.units(), btc.notional_min.units()), (3, 1, 120_000, 10_000_000));
    // A tick finer than the precision counts; so does a coarse one under a fine precision.
    let fine = info(&[contract(&[("0.10", "0.0001"), (r#""pricePrecision":2"#, r#""pricePrecision":1"#)])]).contracts[0].instrument;
    assert_eq!((fine.price_scale, fine.tick.units()), (4, 1));
    let coarse = info(&[contract(&[("0.001", "1"), (r#""quantityPrecision":3"#, r#""quantityPrecision":0"#)])]).contracts[0].instrument;
    assert_eq!((coarse.qty_scale, coarse.step.units()), (0, 1));
}

#[test]
fn contracts_that_do_not_fit_are_left_out_by_name_and_reason() {
    let reasons = [
        (("PERPETUAL", ""), "it has no contract type yet"),
        (("PERPETUAL", "OPTION"), r#"contract type "OPTION" is unknown"#),
        (("0.10", "0.0"), "the tick is zero"),
        ((r#""stepSize":"0.001""#, r#""stepSize":"0""#), "the quantity step is zero"),
        (("556.80", "9999999"), "the least is above the most"),
        (("PRICE_FILTER", "OTHER"), "symbol of exchangeInfo: PRICE_FILTER is missing"),
        ((r#""pricePrecision":2"#, r#""pricePrecision":13"#), "13 digits after the point are needed, 12 are the most"),
        (("0.10", "a"), r#"tickSize is "a": not a decimal number"#),
        ((r#""baseAsset":"BTC","#, ""), "missing field `baseAsset`"),
        (("200", "-1"), "the number of orders is out of range"),
    ];
    for ((from, to), reason) in reasons {
        let info = info(&[contract(&[(from, to)]), contract(&[("BTCUSDT", "ETHUSDT")])]);
        assert_eq!((info.contracts.len(), info.skipped.len()), (1, 1), "{reason}");
        assert!(info.skipped[0].reason.to_string().contains(reason), "{} is not {reason}", info.skipped[0].reason);
        assert_eq!(info.skipped[0].symbol.as_str(), "BTCUSDT");
        assert_eq!(info.contracts[0].instrument.symbol.as_str(), "ETHUSDT");
    }
    let delivery = info(&[contract(&[("PERPETUAL", "CURRENT_QUARTER"), ("TRADING", "SETTLING")])]);
    assert_eq!(delivery.contracts[0].instrument.trading, plimsoll_market::Trading::Halted);
    assert!(matches!(info(&["{}".to_owned()]).skipped[0].reason, SkipReason::Rules(_)));
}

#[test]
fn descriptions_are_whole_or_absent() {
    let mut text = String::new();
    assert_eq!(describe(&mut text, event("trade").as_bytes(), None).unwrap(), Kind::Event);
    assert!(text.contains("price            61800.3\n"), "{text}");
    for (bad, reason) in [
        ("", "message is not JSON"),
        ("{", "message is not JSON: EOF"),
        ("5", "a bare value is no message"),
        (r#"{"hello":1}"#, "its fields are of no known message"),
        (r#"[{"hello":1}]"#, "the fields of its first element are of no known message"),
        (r#"{"stream":"a","data":{"stream":"b","data":{}}}"#, "one envelope lies in another"),
    ] {
        let mut text = String::new();
        let error = describe(&mut text, bad.as_bytes(), None).unwrap_err();
        assert!(error.chain().contains(reason), "{bad}: {}", error.chain());
        assert!(text.is_empty());
    }
    // A hint decides where the shape does not tell.
    let mut text = String::new();
    assert_eq!(describe(&mut text, b"[]", Some(Kind::Klines)).unwrap(), Kind::Klines);
    assert!(matches!(describe(&mut text, b"{}", Some(Kind::Order)), Err(DescribeError::Refused { kind: Kind::Order, .. })));
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
}
