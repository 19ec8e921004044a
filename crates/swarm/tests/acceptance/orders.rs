//! Orders, their events and the rules that they must keep.

use crate::{price, qty, settle, working};
use plimsoll_market::{ClientId, Notional, Side};
use plimsoll_strategy::{GridConfig, GridError};
use plimsoll_swarm::script::{Frames, Requests, Script, Setup};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const ORDER: &str = "POST /fapi/v1/order";

#[test]
fn g01_a_final_event_before_the_ack_leaves_no_ghost() {
    let mut script = Script::new(Setup::btcusdt()).unwrap();
    script.requests(ORDER, 1, Requests::Late(Duration::from_millis(1_500)));
    script.pass_until("three are open", 30 * SECOND, |script| script.open().len() == 3).unwrap();
    let first = ClientId::parse(&script.open_rows()[2].client_id).unwrap();
    script.go(price(5_995_000)).unwrap();
    script.pass(SECOND / 2).unwrap();
    // The stream has told everything, and the answer to the request is still under way: it will say that the order is new.
    assert!(!script.known().contains(&first), "{}", script.tail());
    assert_eq!(script.slots(), [(0, qty(4), 6_000_000 * 4)]);
    assert_eq!(working(&script), ["B-3", "B-2", "B-1", "S+0"]);
    script.pass(3 * SECOND).unwrap();
    assert!(script.tail().contains("\"status\":\"NEW\"") && !script.known().contains(&first));
    assert_eq!(script.totals().fills, 1);
    settle(&mut script);
}

#[test]
fn g02_what_comes_twice_late_or_with_a_cancel_is_booked_once() {
    let mut script = Script::new(Setup { windows: (1, 3), ..Setup::btcusdt() }).unwrap();
    // New after filled.
    script.frames(&["ORDER_TRADE_UPDATE", "\"x\":\"NEW\"", "\"p\":\"60000.00\""], 1, Frames::Late(3 * SECOND));
    // Filled twice.
    script.frames(&["ORDER_TRADE_UPDATE", "\"X\":\"FILLED\"", "\"p\":\"60000.00\""], 1, Frames::Twice);
    script.pass_until("it is open", 30 * SECOND, |script| script.open().len() == 1).unwrap();
    script.go(price(5_995_000)).unwrap();
    script.pass(5 * SECOND).unwrap();
    assert_eq!((script.totals().fills, script.slots()), (1, vec![(0, qty(4), 6_000_000 * 4)]));
    // A part of the next fills; the stream tells it only after the answer to the cancel did.
    script.frames(&["ORDER_TRADE_UPDATE", "\"X\":\"PARTIALLY_FILLED\"", "\"p\":\"59900.00\""], 1, Frames::Late(SECOND));
    script.go(price(5_990_000)).unwrap();
    script.pass(SECOND).unwrap();
    script.take(Side::Sell, price(5_990_000), qty(2)).unwrap();
    script.go(price(6_009_000)).unwrap();
    script.pass(SECOND / 2).unwrap();
    assert!(script.tail().contains("\"status\":\"CANCELED\"") && script.tail().contains("\"executedQty\":\"0.002\""), "{}", script.tail());
    settle(&mut script);
    assert_eq!((script.totals().holding.units(), script.totals().bought), (6, qty(6)), "{}", script.tail());
}

#[test]
fn g03_orders_stay_ours_where_prices_grow_a_digit() {
    let setup = Setup { bid: price(9_995_000), order_quote: 500 * 100_000_000, ..Setup::btcusdt() };
    let mut script = Script::trading(setup).unwrap();
    for cents in [10_007_000, 10_027_000, 9_976_000, 10_033_000, 9_991_000] {
        script.go(price(cents)).unwrap();
        script.pass(3 * SECOND).unwrap();
        assert_eq!(script.known(), script.open(), "{}", script.tail());
    }
    let rows = script.all_rows();
    let (below, above) = rows.iter().copied().partition::<Vec<_>, _>(|row| row.price < price(10_000_000));
    assert!(below.len() > 5 && above.len() > 5, "{} below, {} above", below.len(), above.len());
    for row in &rows {
        let id = ClientId::parse(&row.client_id).unwrap();
        // Level 0 lies where the market opened. A buy rests on its level, a sell one above, or beyond where the market already was.
        let level = price(9_995_000 + 10_000 * i64::from(id.leg().index()));
        match id.side() {
            Side::Buy => assert_eq!(row.price, level, "{row:?}"),
            Side::Sell => assert!(row.price >= level.offset(10_000).unwrap(), "{row:?}"),
        }
    }
    settle(&mut script);
}

#[test]
fn g08_an_order_keeps_the_filters_or_is_not_sent() {
    // Too little for the exchange: refused before anything is sent, by name, and never tried.
    let setup = Setup { order_quote: 90 * 100_000_000, ..Setup::btcusdt() };
    let grid = GridConfig { interval: setup.interval, order_quote: setup.order_quote, buy_window: 3, sell_window: 3 };
    let refused = grid.check(&setup.instrument, setup.bid).unwrap_err();
    assert!(matches!(*refused, GridError::TooSmall { .. }), "{refused}");
    let mut script = Script::trading(setup).unwrap();
    script.pass(300 * SECOND).unwrap();
    assert_eq!(script.count(ORDER), 0);

    // A coarse tick, an odd step and a least value just below an order's: everything that is sent is taken.
    let mut setup = Setup::btcusdt();
    setup.instrument.tick = price(50);
    setup.instrument.step = qty(3);
    setup.instrument.qty_min = qty(3);
    setup.instrument.notional_min = Notional::from_units(6_000_000 * 3 - 3 * 50_000);
    setup.interval = price(12_350);
    let mut script = Script::trading(setup).unwrap();
    for cents in [5_983_000, 5_971_000, 6_011_000, 5_977_500, 6_050_000] {
        script.go(price(cents)).unwrap();
        script.pass(2 * SECOND).unwrap();
    }
    let rows = script.all_rows();
    assert!(rows.len() > 10, "{}", rows.len());
    assert!(rows.iter().all(|row| row.price.units() % 50 == 0 && row.qty.units() % 3 == 0), "{rows:?}");
    assert_eq!(script.engine().unwrap().status(script.now()).rejected, 0);
    settle(&mut script);

    // A rule that nobody told of: after five refusals of the same kind the symbol is locked, for longer and longer. Until then one
    // word is said about each level, then one about each lock.
    let mut script = Script::new(Setup::btcusdt()).unwrap();
    script.requests(ORDER, u32::MAX, Requests::Refuse(400, -1111));
    script.pass(600 * SECOND).unwrap();
    let tries = script.count(ORDER);
    let told = |what: &str| script.alerts().iter().filter(|alert| alert.text.contains(what)).count();
    assert!((5..=5 * 6).contains(&tries), "{tries}");
    assert_eq!((told("was refused"), told("rejections:")), (3, tries / 5), "three levels");
}

#[test]
fn g18_want_of_margin_withdraws_buys_and_is_tried_again_later() {
    let mut script = Script::trading(Setup::btcusdt()).unwrap();
    script.requests("side=BUY", 2, Requests::Refuse(400, -2019));
    script.go(price(5_995_000)).unwrap();
    script.pass(SECOND).unwrap();
    // The fourth level was refused: all buys go, the sell of the first stays, and one word is said.
    assert_eq!(working(&script), ["S+0"], "{}", script.tail());
    let told = |script: &Script, what: &str| script.alerts().iter().filter(|alert| alert.text.contains(what)).count();
    assert_eq!(told(&script, "margin_short: the exchange refuses"), 1);
    // While the lock holds, prices cause no request.
    let asked = script.asked().len();
    for n in 0..80 {
        script.go(price(5_991_000 + 4_000 * (n % 3))).unwrap();
        script.pass(Duration::from_millis(100)).unwrap();
    }
    assert_eq!(script.asked().len(), asked, "{:?}", &script.asked()[asked..]);
    // Tried again, refused again, for twice as long; and then taken.
    script.pass(8 * SECOND).unwrap();
    assert_eq!(
        (script.engine().unwrap().closed().map(|closed| closed.as_str()), working(&script)),
        (Some("margin_short"), vec!["S+0".into()])
    );
    script.pass(60 * SECOND).unwrap();
    assert_eq!(working(&script), ["B-3", "B-2", "B-1", "S+0"], "{}", script.tail());
    script.go(price(5_985_000)).unwrap();
    settle(&mut script);
    assert_eq!((told(&script, "margin_short: the exchange refuses"), told(&script, "margin_short is over")), (1, 1));

    // Margin for one of the three: the one that is taken each time proves nothing.
    let mut script = Script::trading(Setup { wallet: 40, ..Setup::btcusdt() }).unwrap();
    script.pass(600 * SECOND).unwrap();
    assert_eq!((told(&script, "margin_short: the exchange refuses"), told(&script, "margin_short is over")), (1, 0), "{}", script.tail());
    // 10, 20, 40 … 300 seconds: six or seven times three buys.
    assert!((15..=24).contains(&script.count(ORDER)), "{}", script.count(ORDER));
    settle(&mut script);
}

#[test]
fn g17_a_rest_that_cannot_be_sold_is_bought_on_and_sold() {
    let mut setup = Setup::btcusdt();
    setup.instrument.qty_min = qty(2);
    let mut script = Script::trading(setup).unwrap();
    // Level 0 fills whole, level -1 by one of its four.
    script.take(Side::Sell, price(5_990_000), qty(5)).unwrap();
    script.pass(SECOND).unwrap();
    // The market leaves: level 0 is sold, and the rest of the other is withdrawn, with less than may be sold.
    script.go(price(6_023_500)).unwrap();
    script.pass(5 * SECOND).unwrap();
    assert_eq!(script.slots(), [(-1, qty(1), 5_990_000)], "{}", script.tail());
    assert_eq!(working(&script), ["B+0", "B+1", "B+2"]);
    // It comes back, and the level buys its full order on top of the rest.
    for cents in [5_990_500, 5_989_500] {
        script.go(price(cents)).unwrap();
        script.pass(5 * SECOND).unwrap();
    }
    let slot = script.slots().into_iter().find(|(level, ..)| *level == -1).unwrap();
    assert_eq!(slot, (-1, qty(5), 5_990_000 * 5), "{}", script.tail());
    for cents in [6_034_500, 6_050_000] {
        script.go(price(cents)).unwrap();
        settle(&mut script);
    }
    assert!(script.totals().holding.is_flat(), "{:?}\n{}", script.slots(), script.tail());
    let sold = script.all_rows().into_iter().find(|row| row.side == Side::Sell && row.qty == qty(5)).unwrap();
    assert_eq!((sold.filled, sold.price), (qty(5), price(6_000_000)));
}

#[test]
fn g20_refused_buys_are_counted_and_never_take() {
    let mut script = Script::new(Setup::btcusdt()).unwrap();
    script.requests(ORDER, 7, Requests::Refuse(400, -5022));
    script.pass(60 * SECOND).unwrap();
    assert_eq!(script.engine().unwrap().status(script.now()).rejected, 7);
    assert_eq!(working(&script), ["B-2", "B-1", "B+0"]);
    // The market leaps back and forth, faster than the orders follow.
    for cents in [5_985_000, 6_025_000, 5_965_000, 6_055_000, 5_990_000, 6_040_000] {
        script.go(price(cents)).unwrap();
        script.pass(Duration::from_millis(3)).unwrap();
    }
    settle(&mut script);
    assert!(script.count(ORDER) > 7 && script.count(ORDER) == script.count("timeInForce=GTX"));
    let trades = script.executions();
    assert!(!trades.is_empty() && trades.iter().all(|trade| trade.maker), "{trades:?}");
}
