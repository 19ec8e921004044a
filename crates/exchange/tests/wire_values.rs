//! What each type of message must yield, checked by value against recorded and documented messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests may panic, and say what they leave out")]

mod shared;

use plimsoll_bounded::Ledger;
use plimsoll_exchange::binance::ApiError;
use plimsoll_exchange::binance::decode::{
    AccountReason, ContractType, ExchangeInfo, Execution, Message, OrderKind, OrderTif, Origin, SkipReason, decode, exchange_info,
};
use plimsoll_exchange::binance::describe::describe;
use plimsoll_market::{OrderStatus, PositionSide, Qty, Reject, Side, Trading};

/// File, and lines that its description must have.
#[rustfmt::skip]
const VALUES: &[(&str, &[&str])] = &[
    ("rest/POST_fapi_v1_order__PlaceOrder.json", &[
        "BTCUSDT order 22542179 client testOrder Foreign buy Short TrailingStopMarket/Gtd new price 0 quantity 10 filled 0 worth 0 at 1566818724722"]),
    ("wsapi/EditOrder_2.json", &[
        "BTCUSDT order 328971409 client xGHfltUMExx0TbQstQQfRX Foreign sell Short Limit/Gtc new price 43769.1 quantity 0.11 filled 0 worth 0 at 1703426756190"]),
    ("rest/GET_fapi_v1_forceOrders__GetForcedOrders.json", &[
        "BTCUSDT order 6071832819 client autoclose-1596107620040000020 Liquidation sell Both Limit/Ioc filled price 10871.09 quantity 0.001 \
         filled 0.001 average 10913.21 worth 10.91321 at 1596107620087",
        "client adl_autoclose Adl buy Short"]),
    ("rest/PUT_fapi_v1_batchOrders__EditMultipleOrders.json", &[
        "BTCUSDT order 20072994037 client LJ9R4QZDihCaS8UAOOLpgW Foreign buy Long Limit/Gtc new price 30005 quantity 1 filled 0 at 1629182711600",
        "refused: -2022 ReduceOnly Order is rejected. (NothingToReduce)"]),
    ("rest/official_cancel_multiple_orders.json", &["refused: -2011 Unknown order sent. (Other(-2011))"]),
    ("rest/nautilus_http_futures_account_trades.json", &[
        "ETHUSDT trade 82357626 order 831238666 sell Both 2778.35 x 0.005 fee 0.0055567 USDT realised 0 taker 1645930322371",
        "ETHUSDT trade 82357629 order 831238690 buy Both 2779 x 0.005 fee 0.005558 USDT realised -0.00325 taker 1645930333910"]),
    ("rest/official_account_trade_list.json", &[
        "BTCUSDT trade 698759 order 25851813 sell Short 7819.01 x 0.002 fee 0.0781901 USDT realised -0.91539999 taker 1569514978020"]),
    ("rest/official_account_information_v3.json", &[
        "wallet           126.72469206", "USDT wallet 23.72469206 cross 23.72469206 available 23.72469206", "BTCUSDT Both 1 entry 0"]),
    ("rest/GET_fapi_v2_account__GetAccountInfo.json", &[
        "may trade        yes", "BUSD wallet 103.12345678 cross 103.12345678 available 103.12345678", "leverage 100 isolated"]),
    ("rest/GET_fapi_v3_balance__GetBalances.json", &["USDT wallet 122607.35137903 cross 23.72469206 available 23.72469206"]),
    ("rest/nautilus_http_futures_account_positions_hedge.json", &[
        "BTCUSDT Long 20 entry 6563.665 mark 6679.50671178 unrealised 2316.8342356 liquidation 5930.78 leverage 10 isolated",
        "BTCUSDT Short -10 entry 0 mark 6679.50671178 unrealised -1156.4671178 liquidation 7189.95 leverage 10 isolated"]),
    ("rest/official_position_information_v3.json", &["ADAUSDT Both 30 entry 0.385 mark 0.4104759 unrealised 0.764277 liquidation 0"]),
    ("wsapi/GetPositions_2.json", &["BTCUSDT Both 1 entry 0 mark 6679.50671178 unrealised 0 liquidation 0"]),
    ("rest/GET_fapi_v1_klines__GetKlines.json", &[
        "1499040000000", "open 0.0163479 high 0.8 low 0.015758 close 0.015771 volume 148976.11427815 turnover 2434.19055334 \
         taker bought 1756.87402397 trades 308"]),
    ("rest/hft2024_REST_depth_snapshot_1.json", &["update id        5123107852948", "bids             1000", "61800.2 x 2.909", "61800.3 x 1.072"]),
    ("rest/GET_fapi_v1_premiumIndex__GetMarkPrice.json", &[
        "mark             11793.63104562", "index            11781.8049597", "funding rate     0.00038246", "next funding     1597392000000"]),
    ("rest/GET_fapi_v1_income__GetIncomeHistory.json", &[
        "- Transfer -0.375 USDT transaction 9689322392 1570608000000",
        "BTCUSDT Commission -0.01 USDT transaction 9689322392 trade 2059192 1570636800000"]),
    ("rest/nautilus_http_futures_account_symbol_config.json", &["ETHUSDT crossed leverage 20 most 1000000", "BTCUSDT isolated leverage 25 most 2000000 adds margin"]),
    ("rest/GET_fapi_v1_algoOrder__GetConditionalOrder.json", &["order id         974828356187", "status           Finished", "trigger          69080.2"]),
    ("rest/official_get_order_modify_history.json", &["BTCUSDT order 20072994037 price 30004 to 30003.2 quantity 1 to 1 number 3 1629184560899"]),
    ("rest/GET_futures_data_basis__GetBasis.json", &["Basis 13.94054945 parts 34414.1 34400.15945055 1698742800000"]),
    ("rest/official_quarterly_contract_settlement_price.json", &["DeliveryPrice 27103 parts - - 1695945600000"]),
    ("ws/tardis_btcusdt-trade_11.json", &["id               173525189", "price            11343.67", "quantity         0.467", "taker            sell", "1596240000519"]),
    ("ws/tardis_ethusdt-trade_10.json", &["origin           InsuranceFund"]),
    ("ws/tardis_btcusdt-aggTrade_0.json", &["trades           181349 to 181349", "price            10223.74", "taker            buy"]),
    ("ws/recorded_aggTrade_1.json", &["symbol           CTKUSDT", "id               16599292", "trades           23961322 to 23961322", "price            1.011", "1626992741421"]),
    ("ws/recorded_bookTicker_3.json", &["update id        600859609004", "bid              1.01 x 85782", "ask              1.011 x 6483"]),
    ("ws/recorded_depthUpdate_2.json", &["updates          600859599831 to 600859599831", "follows          600859598737", "bids             0", "0.01737 x 437848"]),
    ("ws/recorded_kline_2.json", &[
        "interval         1m", "closed           no", "trade ids        27931328 to 27931348",
        "open 0.01731 high 0.01733 low 0.01731 close 0.01731 volume 156058 turnover 2702.2077 taker bought 68508 trades 21"]),
    ("ws/nautilus_kline_stream_closed.json", &["closed           yes"]),
    ("ws/tardis_btcusdt-markPrice-1s_9.json", &["mark             11857.56", "index            11851.86949091", "funding rate     0.0001564"]),
    ("ws/tardis_btcbusd_210129-markPrice-1s_13.json", &["symbol           BTCBUSD_210129", "settlement       31235.82439517", "next funding     none"]),
    ("ws/nautilus_ticker_stream.json", &[
        "prices           open 16716 high 16764.89 low 16456.51 last 16584.6", "average          16628.97377498", "volume           122474.816",
        "turnover         2036102085.697464", "trades           142853"]),
    ("ws/barter_futures_liquidation_0.json", &["side             sell", "price            18917.15", "average          18990", "filled           0.009"]),
    ("ws/nautilus_trade_lite.json", &["order id         8886774", "fill             7100.5 x 0.001 trade 12345678", "maker            yes"]),
    ("ws/nautilus_ws_futures_algo_update_triggered.json", &["algo id          1000000033225453", "status           Triggered", "order id         88937381063"]),
    ("ws/listenKeyExpired_E_as_string_recorded.json", &["event time       1693427319838"]),
    ("ws/nautilus_account_update_bnfcr.json", &["BNFCR wallet 5001.28983031 cross 5001.28983031 change 0", "positions        0"]),
    ("ws/MarginUpdate_3.json", &["cross wallet     3.16812045", "ETHUSDT Long 1.327 mark 187.17127 unrealised -1.166074 maintenance 1.614445"]),
];

#[test]
fn each_type_yields_its_values() {
    let Some(folder) = shared::folder("data/wire/binance-usdm") else { return };
    for (file, lines) in VALUES {
        let mut text = String::new();
        describe(&mut text, &std::fs::read(folder.join(file)).unwrap(), None).unwrap_or_else(|e| panic!("{file}: {}", e.chain()));
        for line in *lines {
            assert!(text.contains(line), "{file}: {line:?} is not in\n{text}");
        }
    }
}

#[test]
fn orders_and_fills_of_the_stream_arrive_in_the_shared_words() {
    let Some(folder) = shared::folder("data/wire/binance-usdm/ws") else { return };
    let ledger = Ledger::open(1 << 20);
    let instruments = shared::instruments(&ledger, &[("BTCUSDT", 2, 3), ("ETHUSDT", 2, 3)]);
    let mut buffer = shared::depth_buffer(&ledger);
    let mut read = |file: &str| {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        match decode(&bytes, &instruments, &mut buffer).unwrap_or_else(|e| panic!("{file}: {}", e.chain())) {
            Message::OrderUpdate(update) => *update,
            other => panic!("{file}: {other:?}"),
        }
    };
    let partial = read("nautilus_order_update_trade_partial.json");
    assert_eq!(partial.symbol, instruments.index("BTCUSDT").unwrap());
    assert_eq!((partial.execution, partial.origin, partial.position_side), (Execution::Trade, Origin::Foreign, PositionSide::Long));
    assert_eq!((partial.kind, partial.original_kind, partial.tif), (OrderKind::Limit, OrderKind::Limit, OrderTif::Gtc));
    let report = partial.report;
    assert_eq!((report.order_id.0, report.id, report.side), (8_886_774, None, Side::Buy));
    assert_eq!((report.price.units(), report.qty.units(), report.filled.units()), (710_050, 2, 1));
    assert_eq!((report.average.units(), report.status, report.reduce_only), (710_050_000_000, OrderStatus::PartiallyFilled, false));
    let fill = report.fill.unwrap();
    assert_eq!((fill.trade_id.0, fill.price.units(), fill.qty, fill.maker), (12_345_678, 710_050, Qty::from_units(1), true));
    assert_eq!((fill.fee.to_string(), fill.realized.to_string()), ("0.01000000 USDT".into(), "12.34000000 USDT".into()));
    assert_eq!(fill.time.millis(), 1_568_879_465_651);

    for (file, origin, execution, filled) in [
        ("nautilus_order_update_calculated.json", Origin::Liquidation, Execution::Calculated, true),
        ("nautilus_order_update_calculated_pending.json", Origin::Liquidation, Execution::Calculated, false),
        ("nautilus_order_update_settlement.json", Origin::Settlement, Execution::Trade, true),
        ("nautilus_ws_futures_order_update_adl.json", Origin::Adl, Execution::Calculated, true),
        ("nautilus_ws_futures_order_update_adl_filled.json", Origin::Adl, Execution::Trade, true),
        ("nautilus_ws_futures_order_update_liquidation.json", Origin::Liquidation, Execution::Calculated, true),
        ("nautilus_ws_futures_order_update_settlement.json", Origin::Settlement, Execution::Calculated, true),
        ("nautilus_ws_futures_order_update_new_price_match.json", Origin::Foreign, Execution::New, false),
        ("nautilus_ws_futures_order_update_new_reduce_only_qty.json", Origin::Foreign, Execution::New, false),
    ] {
        let update = read(file);
        assert_eq!((update.origin, update.execution, update.report.fill.is_some()), (origin, execution, filled), "{file}");
        assert_eq!(update.report.id, None, "{file}: an order of the exchange is never ours");
    }
    let stop = read("nautilus_ws_futures_order_update_new_stop_limit_price_match.json");
    assert_eq!((stop.kind, stop.kind.is_conditional(), stop.report.price.units()), (OrderKind::Stop, true, 240_575));
    assert!(read("nautilus_ws_futures_order_update_new_reduce_only_qty.json").report.reduce_only);
}

#[test]
fn balances_and_positions_of_the_stream_keep_their_signs() {
    let Some(folder) = shared::folder("data/wire/binance-usdm/ws") else { return };
    let ledger = Ledger::open(1 << 20);
    let instruments = shared::instruments(&ledger, &[("BTCUSDT", 2, 3)]);
    let mut buffer = shared::depth_buffer(&ledger);
    let bytes = std::fs::read(folder.join("nautilus_account_update.json")).unwrap();
    let Message::AccountUpdate(update) = decode(&bytes, &instruments, &mut buffer).unwrap() else { panic!("no account update") };
    assert_eq!(update.reason, AccountReason::Order);
    assert_eq!((update.balances[0].wallet, update.balances[0].change), (12_262_412_345_678, 5_012_345_678));
    let positions: Vec<_> = update.positions.iter().map(|p| (p.report.side, p.report.holding.units(), p.unrealized)).collect();
    let expected =
        [(PositionSide::Both, 0, 0), (PositionSide::Long, 20_000, 285_021_200_000), (PositionSide::Short, -10_000, -142_315_600_000)];
    assert_eq!(positions, expected);
    assert_eq!(update.positions[1].break_even.unwrap().to_string(), "6563.55900000");
    assert_eq!(update.positions[1].report.entry.to_string(), "6563.60000000");
}

#[test]
fn the_full_list_of_contracts_is_read() {
    let Some(folder) = shared::folder("data/wire/binance-usdm/rest") else { return };
    let body = std::fs::read(folder.join("recorded_exchangeInfo_full_2021-07-21.json")).unwrap();
    let ExchangeInfo { server_time, limits, contracts, skipped } = exchange_info(&body).unwrap();
    assert_eq!(server_time.millis(), 1_626_858_243_909);
    assert_eq!(limits.iter().map(|l| (l.limit, l.interval.as_secs())).collect::<Vec<_>>(), [(2_400, 60), (1_200, 60), (300, 10)]);
    assert_eq!((contracts.len(), skipped.len()), (121, 1));
    assert!(matches!(skipped[0].reason, SkipReason::NoType), "{:?}", skipped[0]);
    assert_eq!(contracts.iter().filter(|c| c.kind == ContractType::Delivery).count(), 2);
    let find = |name: &str| contracts.iter().find(|c| c.instrument.symbol.as_str() == name).unwrap();
    let btc = &find("BTCUSDT").instrument;
    assert_eq!((btc.price_scale, btc.qty_scale, btc.tick.units(), btc.step.units()), (2, 3, 1, 1));
    assert_eq!((btc.price_min.units(), btc.price_max.units()), (55_672, 100_000_000));
    assert_eq!((btc.qty_min.units(), btc.qty_max.units(), btc.market_qty_max.units()), (1, 1_000_000, 1_000_000));
    assert_eq!((btc.notional_min.units(), btc.orders_max, btc.trading), (500_000, 200, Trading::Open));
    assert_eq!((btc.percent_up.0, btc.percent_down.0), (1_150_000, 850_000));
    assert_eq!(find("BTCUSDT").times_in_force.as_slice(), [OrderTif::Gtc, OrderTif::Ioc, OrderTif::Fok, OrderTif::Gtx]);
    assert!(find("BTCUSDT").order_kinds.contains(&OrderKind::TrailingStopMarket));
    for contract in &contracts {
        let i = &contract.instrument;
        assert!(i.check_limit(i.round_price(i.price_max, plimsoll_market::Round::Down).unwrap(), i.qty_min, true).is_ok(), "{}", i.symbol);
    }
}

#[test]
fn a_batch_mixes_orders_and_refusals() {
    let Some(folder) = shared::folder("data/wire/binance-usdm/rest") else { return };
    let ledger = Ledger::open(1 << 20);
    let instruments = shared::instruments(&ledger, &[("BTCUSDT", 2, 3)]);
    let body = std::fs::read(folder.join("PUT_fapi_v1_batchOrders__EditMultipleOrders.json")).unwrap();
    let elements = plimsoll_exchange::binance::decode::batch(&body, &instruments).unwrap();
    let refused: Vec<Option<Reject>> = elements.iter().map(|e| e.as_ref().err().map(ApiError::reject)).collect();
    assert_eq!(refused, [None, Some(Reject::NothingToReduce)]);
    assert_eq!(elements[0].as_ref().unwrap().report.price.units(), 3_000_500);
}
