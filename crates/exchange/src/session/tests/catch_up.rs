use super::*;

fn trades(from: u64, count: u64, order: impl Fn(u64) -> u64) -> Answer {
    let rows: Vec<_> = (from..from + count).map(|n| trade_json("BTCUSDT", n, order(n))).collect();
    ok(format!("[{}]", rows.join(",")))
}

fn orders(ids: impl IntoIterator<Item = u64>, client: impl Fn(u64) -> String) -> Answer {
    let rows: Vec<_> = ids.into_iter().map(|n| order_json("BTCUSDT", &client(n), n, "FILLED")).collect();
    ok(format!("[{}]", rows.join(",")))
}

#[test]
fn without_a_watermark_the_newest_execution_is_the_baseline() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("userTrades", trades(77, 1, |_| 1), 1);
    world.order(&resync(None));
    world.expect(&["0 fills 0 ours 0 baseline 77 last", "0 snapshot holding 0 open 0 at 1000"]);
    assert_eq!(world.sent("userTrades?symbol=BTCUSDT&limit=1&"), 1);
    world.order(&resync(None));
    world.expect(&["0 fills 0 ours 0 last", "0 snapshot holding 0 open 0 at 1000"]);
}

#[test]
fn executions_after_the_watermark_come_in_pages_with_their_client_ids() {
    let mut world = World::running(&["BTCUSDT"]);
    // A full page of the exchange and a bit of a second; each order has ten executions; every third order is not ours.
    let order = |trade: u64| 5_000 + trade / 10;
    let client = |order: u64| if order.is_multiple_of(3) { format!("web_{order}") } else { id(order).text().to_string() };
    world.rule("userTrades?symbol=BTCUSDT&fromId=101", trades(101, 1_000, order), 1);
    world.rule("userTrades?symbol=BTCUSDT&fromId=1101", trades(1_101, 70, order), 1);
    world.rule("allOrders?symbol=BTCUSDT&orderId=5010", orders(5_010..=5_110, client), 1);
    world.rule("allOrders?symbol=BTCUSDT&orderId=5111", orders(5_111..=5_117, client), 1);
    world.order(&resync(Some(100)));
    let pages: Vec<_> = world.log.iter().filter(|l| l.contains("fills")).cloned().collect();
    assert_eq!(pages.len(), 11, "{pages:#?}");
    assert!(pages[0].starts_with("0 fills 100 101..=200 ours "), "{}", pages[0]);
    assert!(pages[9].starts_with("0 fills 100 1001..=1100 ours ") && !pages[9].ends_with("last"), "{}", pages[9]);
    assert!(pages[10].starts_with("0 fills 70 1101..=1170 ours ") && pages[10].ends_with("last"), "{}", pages[10]);
    let ours: usize = pages.iter().map(|p| p.split("ours ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    let expected = (101..=1_170).filter(|t| order(*t) % 3 != 0).count();
    assert_eq!(ours, expected);
    assert!(world.log.last().unwrap().contains("snapshot"));
    assert_eq!(world.session.stats().fills_unattributed, 0);
}

#[test]
fn orders_already_seen_are_not_asked_for() {
    let mut world = World::running(&["BTCUSDT"]);
    world.order(&place(1));
    world.rule("userTrades", trades(5, 3, |_| 11), 1);
    world.log.clear();
    world.order(&resync(Some(4)));
    world.expect(&["0 fills 3 5..=7 ours 3 last", "0 snapshot holding 0 open 0 at 1000"]);
    assert_eq!(world.sent("allOrders") + world.sent("GET /fapi/v1/order?"), 0);
}

#[test]
fn an_order_that_the_exchange_has_forgotten_counts_as_foreign() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("userTrades", trades(5, 2, |n| n), 1);
    world.rule("GET /fapi/v1/order?symbol=BTCUSDT&orderId=6", ok(order_json("BTCUSDT", &id(6).text(), 6, "FILLED")), 1);
    world.order(&resync(Some(4)));
    world.expect(&["0 fills 2 5..=6 ours 1 last", "0 snapshot holding 0 open 0 at 1000"]);
}

#[test]
fn position_and_open_orders_follow_with_the_time_they_were_asked_for() {
    let mut world = World::running(&["BTCUSDT"]);
    let position = r#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.250","entryPrice":"100.5","breakEvenPrice":"0","markPrice":"100",
    "unRealizedProfit":"0","liquidationPrice":"190","isolatedMargin":"0","notional":"-25","marginAsset":"USDT","isolatedWallet":"0",
    "initialMargin":"0","maintMargin":"0","positionInitialMargin":"0","openOrderInitialMargin":"0","adl":1,"bidNotional":"0","askNotional":"0","updateTime":5}]"#;
    world.rule("positionRisk", ok(position), 1);
    let open = format!("[{},{}]", order_json("BTCUSDT", &id(1).text(), 8, "NEW"), order_json("BTCUSDT", "by_hand", 9, "NEW"));
    world.rule("openOrders", ok(open), 1);
    world.advance(Duration::from_secs(3));
    world.order(&resync(Some(4)));
    world.expect(&["0 fills 0 ours 0 last", "0 snapshot holding -250 open 2 at 4000"]);
}

#[test]
fn many_symbols_are_asked_for_together() {
    let symbols: Vec<&'static str> = (0..8).map(|n| &*Box::leak(format!("S{n}USDT").into_boxed_str())).collect();
    let mut world = World::running(&symbols);
    // The first four fetch executions when the others come: one query does for all that are due together.
    world.rule("userTrades", Answer::Never, 4);
    for n in 0..8 {
        world.input(Input::Order { symbol: SymbolIndex(n), action: &resync(None) });
    }
    let asked: Vec<_> = world.requests.iter().map(|r| r.id).collect();
    for request in asked {
        world.reply(request, &ok("[]"));
        world.settle();
    }
    assert_eq!(world.log.iter().filter(|l| l.contains("snapshot")).count(), 8);
    assert_eq!((world.sent("openOrders?recv"), world.sent("openOrders?symbol")), (1, 2), "{:#?}", world.requests);
}

#[test]
fn asked_for_again_meanwhile_it_runs_once_more_with_the_newest_watermark() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("userTrades", Answer::Never, 1);
    world.order(&resync(Some(10)));
    for after in [11, 12, 13] {
        world.order(&resync(Some(after)));
    }
    let first = world.requests[0].id;
    world.reply(first, &ok("[]"));
    world.settle();
    assert_eq!(world.log.iter().filter(|l| l.contains("snapshot")).count(), 2);
    assert_eq!((world.sent("fromId=11&"), world.sent("fromId=14&"), world.sent("userTrades")), (1, 1, 2));
}

#[test]
fn failures_are_healed_or_told() {
    let mut world = World::running(&["BTCUSDT"]);
    world.rule("openOrders", Answer::Status(503, String::new()), 2);
    world.order(&resync(Some(1)));
    world.advance(Duration::from_secs(5));
    assert!(world.log.last().unwrap().contains("snapshot"), "{:?}", world.log);
    world.log.clear();
    world.rule("userTrades", Answer::Failed(Sent::Maybe), 99);
    world.order(&resync(Some(1)));
    world.advance_alive(Duration::from_secs(9));
    let told: Vec<_> = world.log.iter().filter(|l| !l.contains("link")).map(String::as_str).collect();
    assert_eq!(told, ["0 resync failed"]);
    assert_eq!(world.session.stats().resyncs_failed, 1);
    world.rules.clear();
    world.log.clear();
    world.order(&resync(Some(1)));
    assert!(world.log.last().unwrap().contains("snapshot"), "and it can be asked for again");
    world.log.clear();
    world.rule("positionRisk", ok("[{]"), 1);
    world.order(&resync(Some(1)));
    world.expect(&["0 fills 0 ours 0 last", "0 resync failed"]);
}
