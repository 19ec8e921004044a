//! Scripts: events in, actions out, as text.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::Boot;
use plimsoll_market::*;
use plimsoll_position::Restored;
use plimsoll_safety::GuardConfig;
use plimsoll_strategy::{Grid, GridConfig, GridOptions};
use shared::{World, usdt};
use std::time::Duration;

#[test]
fn places_nothing_before_the_anchor_is_on_disk() {
    World::trading();
}

#[test]
fn sells_one_interval_above_and_buys_again() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(fill, &["place 0:S+0#4 0.003 60100.00"]);
    let ack = w.ack(0, Side::Sell, 4, "60100", "0.003");
    w.check(ack, &[]);
    let sold = w.fill(0, Side::Sell, 4, "60100", "0.003", "0.003", OrderStatus::Filled);
    w.check(sold, &["place 0:B+0#5 0.003 60000.00"]);
    let status = w.engine.status(w.now);
    // 0.003 × 100 earned, two fees of 0.04 paid.
    assert_eq!((status.pnl.realized, status.pnl.fees, status.pnl.round_trips), (30_000_000, 8_000_000, 30_000_000));
    assert!(status.holding.is_flat());
}

#[test]
fn what_was_sold_while_there_was_no_price_is_not_sold_again() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(fill, &["place 0:S+0#4 0.003 60100.00"]);
    let ack = w.ack(0, Side::Sell, 4, "60100", "0.003");
    w.check(ack, &[]);
    w.feed(Event::Gap(Feed::Market));
    let sold = w.fill(0, Side::Sell, 4, "60100", "0.003", "0.003", OrderStatus::Filled);
    w.check(sold, &[]);
    // The price is back where it was: what is wanted is written anew, not what was wanted before the gap.
    let done = w.feed(w.top("60000.0", "60000.1"));
    assert!(done.iter().any(|action| action.starts_with("place 0:B+0#")), "{done:?}");
    assert!(!done.iter().any(|action| action.contains(":S+")), "{done:?}");
    assert!(w.engine.status(w.now).holding.is_flat());
}

#[test]
fn the_same_fill_twice_counts_once() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.002", OrderStatus::PartiallyFilled);
    w.check(fill.clone(), &[]);
    w.check(fill, &[]);
    assert_eq!(w.engine.status(w.now).holding.units(), 2);
}

#[test]
fn a_partly_filled_buy_is_sold_only_when_it_ends() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.002", OrderStatus::PartiallyFilled);
    w.check(fill, &[]);
    let end = w.report(World::id(0, Side::Buy, 1), "60000", "0.003", "0.002", OrderStatus::Canceled, Source::Stream);
    w.check(Event::Order(Box::new(end)), &["place 0:S+0#4 0.002 60100.00"]);
}

#[test]
fn the_window_follows_the_price_with_half_an_interval_of_patience() {
    let mut w = World::trading();
    w.check(w.top("60149.9", "60150.0"), &[]);
    w.check(w.top("60150.0", "60150.1"), &["cancel 0:B-2#3", "place 0:B+1#4 0.003 60100.00"]);
    let gone = w.report(World::id(-2, Side::Buy, 3), "59800", "0.003", "0", OrderStatus::Canceled, Source::Reply);
    w.check(Event::Order(Box::new(gone)), &[]);
    w.check(w.top("60060.0", "60060.1"), &[]);
}

#[test]
fn an_unknown_outcome_is_queried_and_never_sent_again() {
    let mut w = World::trading();
    w.check(w.top("60150.0", "60150.1"), &["cancel 0:B-2#3", "place 0:B+1#4 0.003 60100.00"]);
    let id = World::id(1, Side::Buy, 4);
    w.check(Event::Unknown { id, request: Request::Place }, &["query 0:B+1#4"]);
    // Not found right away proves nothing: the request may still be on its way.
    w.check(Event::NotFound { id }, &[]);
    w.now = w.now + Duration::from_millis(1_001);
    w.check(Event::Wake, &["query 0:B+1#4"]);
    w.now = w.now + Duration::from_secs(6);
    w.feed(w.top("60150.0", "60150.1"));
    w.check(Event::NotFound { id }, &["place 0:B+1#5 0.003 60100.00"]);
}

#[test]
fn a_post_only_refusal_waits_and_tries_again() {
    let mut w = World::trading();
    w.feed(w.top("60150.0", "60150.1"));
    let id = World::id(1, Side::Buy, 4);
    w.check(Event::Rejected { id, request: Request::Place, reason: Reject::WouldTake }, &[]);
    w.now = w.now + Duration::from_millis(999);
    w.check(Event::Wake, &[]);
    w.now = w.now + Duration::from_millis(1);
    w.check(Event::Wake, &["place 0:B+1#5 0.003 60100.00"]);
}

#[test]
fn a_terminal_report_before_the_ack_frees_the_slot_for_good() {
    let mut w = World::trading();
    w.feed(w.top("60150.0", "60150.1"));
    let id = World::id(1, Side::Buy, 4);
    let ended = w.report(id, "60100", "0.003", "0", OrderStatus::Expired, Source::Stream);
    w.check(Event::Order(Box::new(ended)), &["place 0:B+1#5 0.003 60100.00"]);
    let late = w.report(id, "60100", "0.003", "0", OrderStatus::New, Source::Reply);
    w.check(Event::Order(Box::new(late)), &[]);
}

#[test]
fn a_pause_withdraws_buys_and_goes_on_selling() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.feed(fill);
    let ack = w.ack(0, Side::Sell, 4, "60100", "0.003");
    w.feed(ack);
    let anchor = "commit 2 anchor Some(\"60000.00\")";
    w.check(Event::Command(Command::Pause), &[anchor, "cancel 0:B-1#2", "cancel 0:B-2#3"]);
    let sold = w.fill(0, Side::Sell, 4, "60100", "0.003", "0.003", OrderStatus::Filled);
    w.check(sold, &[]);
}

#[test]
fn stop_with_cancel_is_done_only_when_the_exchange_says_so() {
    let mut w = World::trading();
    w.check(Event::Shutdown(StopMode::Cancel), &["cancel 0:B+0#1", "cancel 0:B-1#2", "cancel 0:B-2#3"]);
    for (leg, generation, price) in [(0, 1, "60000"), (-1, 2, "59900")] {
        let gone = w.report(World::id(leg, Side::Buy, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Reply);
        w.check(Event::Order(Box::new(gone)), &[]);
    }
    let gone = w.report(World::id(-2, Side::Buy, 3), "59800", "0.003", "0", OrderStatus::Canceled, Source::Reply);
    w.check(Event::Order(Box::new(gone)), &["resync 1000"]);
    assert_eq!(w.engine.phase(), Phase::Draining);
    w.check(w.page(vec![], None), &[]);
    w.check(w.snapshot("0", vec![]), &[]);
    assert_eq!(w.engine.phase(), Phase::Drained);
}

#[test]
fn restart_adopts_orders_and_books_missed_fills_once() {
    let btc = Instrument::example_btcusdt();
    let anchor = btc.parse_price("60000", Round::Exact).unwrap();
    let interval = btc.parse_price("100", Round::Exact).unwrap();
    let state = StateRecord {
        version: 5,
        anchor: Some(anchor),
        interval: interval.into(),
        baseline: Some(TradeId(1_000)),
        paused: false,
        halted: false,
        lock: None,
        closing: false,
        idle: false,
        memo: Memo::NONE,
    };
    let totals = Totals { watermark: Some(TradeId(1_000)), ..Totals::EMPTY };
    let boot = Boot { state: Some(state), books: Restored { totals: Some(totals), slots: vec![], recent: vec![] }, open_orders: 0 };
    let mut w = World::new(&boot);
    w.check(Event::Link(Link { feed: Feed::Account, up: true }), &["resync 1000"]);
    // Bought on level 0 while we were away, by an order of the run before.
    let old = |leg: i32, generation| ClientId::new(Tag(7), 99, Leg::new(0, leg).unwrap(), Side::Buy, generation);
    let Event::Order(mut report) = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled) else { unreachable!() };
    let fill = report.fill.as_mut().unwrap();
    fill.id = Some(old(0, 1));
    let fill = *fill;
    w.check(w.page(vec![fill], None), &[]);
    let open = w.report(old(-1, 2), "59900", "0.003", "0", OrderStatus::New, Source::Query);
    w.check(w.snapshot("0.003", vec![open]), &[]);
    w.check(w.lease(), &[]);
    w.check(w.top("59950.0", "59950.1"), &[]);
    // A request of the dead process may still be taken: nothing is placed before its window is over and all is seen again.
    w.now = w.now + Duration::from_millis(5_999);
    w.check(Event::Wake, &[]);
    w.now = w.now + Duration::from_millis(1);
    w.check(Event::Wake, &["resync 1001"]);
    w.check(w.page(vec![], None), &[]);
    w.feed(w.top("59950.0", "59950.1"));
    let open = w.report(old(-1, 2), "59900", "0.003", "0", OrderStatus::New, Source::Query);
    let placed = ["alert started", "place 0:S+0#1 0.003 60100.00", "place 0:B-2#2 0.003 59800.00", "place 0:B-3#3 0.003 59700.00"];
    w.check(w.snapshot("0.003", vec![open]), &placed);
    // The stream repeats the fill after the reconnect: it is booked already.
    report.id = Some(old(0, 1));
    w.check(Event::Order(report), &[]);
    assert_eq!(w.engine.status(w.now).holding.units(), 3);
}

#[test]
fn flatten_withdraws_then_closes_at_market() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(fill, &["place 0:S+0#4 0.003 60100.00"]);
    let ack = w.ack(0, Side::Sell, 4, "60100", "0.003");
    w.feed(ack);
    let anchor = "commit 2 anchor Some(\"60000.00\")";
    w.check(Event::Command(Command::Flatten), &[anchor, "cancel 0:S+0#4", "cancel 0:B-1#2", "cancel 0:B-2#3"]);
    for (leg, side, generation, price) in [(-1, Side::Buy, 2, "59900"), (-2, Side::Buy, 3, "59800"), (0, Side::Sell, 4, "60100")] {
        let gone = w.report(World::id(leg, side, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Stream);
        let expected: &[&str] = if generation == 4 { &["place 63:S+0#5 0.003 0.00"] } else { &[] };
        w.check(Event::Order(Box::new(gone)), expected);
    }
    let id = ClientId::new(Tag(7), 100, Leg::new(63, 0).unwrap(), Side::Sell, 5);
    let Event::Order(mut report) = w.fill(0, Side::Sell, 5, "59990", "0.003", "0.003", OrderStatus::Filled) else { unreachable!() };
    report.id = Some(id);
    if let Some(fill) = report.fill.as_mut() {
        fill.id = Some(id);
    }
    w.check(Event::Order(report), &["commit 3 anchor Some(\"60000.00\")"]);
    let status = w.engine.status(w.now);
    assert!(status.holding.is_flat() && status.slots.is_empty() && status.orders.is_empty());
    w.check(w.top("60000.0", "60000.1"), &[]);
}

#[test]
fn a_lost_account_stream_keeps_orders_but_opens_nothing() {
    let mut w = World::trading();
    w.check(Event::Link(Link { feed: Feed::Account, up: false }), &[]);
    w.check(w.top("60150.0", "60150.1"), &["cancel 0:B-2#3"]);
    w.check(Event::Link(Link { feed: Feed::Account, up: true }), &["resync 1000"]);
    w.check(w.page(vec![], None), &[]);
    let keep = [(0, 1, "60000"), (-1, 2, "59900")].map(|(leg, generation, price)| {
        w.report(World::id(leg, Side::Buy, generation), price, "0.003", "0", OrderStatus::New, Source::Query)
    });
    w.check(w.snapshot("0", keep.to_vec()), &["place 0:B+1#4 0.003 60100.00"]);
}

#[test]
fn exposure_lent_is_never_passed() {
    let mut w = World::trading();
    let lease = Lease { exposure_max: 400 * 100_000_000, orders_per_10s: 100, until: w.now + Duration::from_secs(60), demand: None };
    // Three orders of about 180 each: only two fit into 400.
    w.check(Event::Lease(lease), &["cancel 0:B-2#3"]);
    // Orders on their way out still count: the nearest of the new window waits until there is room for it.
    let moved = w.top("60150.0", "60150.1");
    w.check(moved, &["cancel 0:B+0#1", "cancel 0:B-1#2"]);
    for (leg, generation, price, placed) in [(-2, 3, "59800", &[][..]), (-1, 2, "59900", &["place 0:B+1#4 0.003 60100.00"])] {
        let gone = w.report(World::id(leg, Side::Buy, generation), price, "0.003", "0", OrderStatus::Canceled, Source::Reply);
        w.check(Event::Order(Box::new(gone)), placed);
    }
}

#[test]
fn an_answer_from_before_a_gap_does_not_close_it() {
    let mut w = World::trading();
    w.check(Event::Link(Link { feed: Feed::Account, up: false }), &[]);
    w.now = w.now + Duration::from_secs(1);
    let early = w.page(vec![], None);
    w.now = w.now + Duration::from_secs(1);
    w.check(Event::Link(Link { feed: Feed::Account, up: true }), &["resync 1000"]);
    w.check(early, &[]);
    // A fill by the stream now: the gap is still open, so it is noted, not booked.
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(fill, &[]);
    assert!(w.engine.status(w.now).holding.is_flat());
}

#[test]
fn a_page_of_closing_executions_over_many_slots_fits() {
    let btc = Instrument::example_btcusdt();
    let anchor = btc.parse_price("60000", Round::Exact).unwrap();
    let interval = btc.parse_price("100", Round::Exact).unwrap();
    let state = StateRecord {
        version: 5,
        anchor: Some(anchor),
        interval: interval.into(),
        baseline: Some(TradeId(1_000)),
        paused: false,
        halted: false,
        lock: None,
        closing: false,
        idle: false,
        memo: Memo::NONE,
    };
    let slots: Vec<SlotRow> = (0..200)
        .map(|level| SlotRow { leg: Leg::new(0, level).unwrap(), held: Qty::from_units(3), cost: Notional::from_units(18_000_000) })
        .collect();
    let totals = Totals {
        watermark: Some(TradeId(1_000)),
        holding: Holding::from_units(600),
        cost: Notional::from_units(200 * 18_000_000),
        ..Totals::EMPTY
    };
    let mut w = World::new(&Boot { state: Some(state), books: Restored { totals: Some(totals), slots, recent: vec![] }, open_orders: 0 });
    w.check(Event::Link(Link { feed: Feed::Account, up: true }), &["resync 1000"]);
    // While we were away an order of the run before closed all of it, in a hundred executions.
    let id = ClientId::new(Tag(7), 99, Leg::new(63, 0).unwrap(), Side::Sell, 1);
    let fills: Vec<Fill> = (0..limits::FILL_PAGE_MAX as u64)
        .map(|n| Fill {
            trade_id: TradeId(1_001 + n),
            order_id: OrderId(9),
            id: Some(id),
            side: Side::Sell,
            price: anchor,
            qty: Qty::from_units(6),
            fee: usdt(1),
            realized: usdt(0),
            maker: false,
            time: w.now,
        })
        .collect();
    w.check(w.page(fills, None), &[]);
    assert!(w.engine.status(w.now).holding.is_flat() && w.engine.status(w.now).slots.is_empty());
}

#[test]
fn funding_told_again_counts_once() {
    let mut w = World::trading();
    let paid = |secs: u64, units| {
        Event::Funding(Box::new(FundingPayment { amount: usdt(units), time: Time::from_millis(1_700_000_000_000 + secs * 1_000) }))
    };
    for event in [paid(1, -5), paid(1, -5), paid(2, -7), paid(1, -5)] {
        w.feed(event);
    }
    assert_eq!(w.engine.status(w.now).pnl.funding, -12);
}

#[test]
fn a_position_read_before_an_execution_does_not_replace_books_that_have_it() {
    let mut w = World::trading();
    let fill = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.feed(fill);
    let read = |w: &mut World, held: &str| {
        let snapshot = w.snapshot(held, vec![]);
        w.feed(snapshot);
        w.engine.status(w.now).holding.units()
    };
    assert_eq!([read(&mut w, "0.012"), read(&mut w, "0.012")], [3, 3]);
    let fill = w.fill(-1, Side::Buy, 2, "59900", "0.003", "0.003", OrderStatus::Filled);
    w.feed(fill);
    assert_eq!(read(&mut w, "0.012"), 6, "it was read before the second execution");
    assert_eq!([read(&mut w, "0.015"), read(&mut w, "0.015"), read(&mut w, "0.015")], [6, 6, 15]);
}

#[test]
fn a_short_grid_sells_above_and_buys_back_one_interval_below() {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("100", Round::Exact).unwrap();
    let cfg = GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 3, sell_window: 3 };
    let mut w = World::of(&Boot::default(), Box::new(Grid::short(cfg, 0)), interval, GuardConfig::OFF, None);
    w.check(Event::Link(Link { feed: Feed::Account, up: true }), &["resync -"]);
    w.feed(w.page(vec![], Some(1_000)));
    w.feed(w.snapshot("0", vec![]));
    w.feed(w.lease());
    w.feed(w.top("60000.0", "60000.1"));
    w.feed(w.top("59999.9", "60000.0"));
    // Level 0 is the anchor; the lower index lies higher.
    let placed = ["alert started", "place 32:S+0#1 0.003 60000.00", "place 32:S-1#2 0.003 60100.00", "place 32:S-2#3 0.003 60200.00"];
    w.check(Event::Committed { version: 1 }, &placed);
    let id = |leg: i32, side, generation| ClientId::new(Tag(7), 100, Leg::new(Leg::SHORT, leg).unwrap(), side, generation);
    for (leg, price) in [(0, "60000"), (-1, "60100"), (-2, "60200")] {
        let ack = w.report(id(leg, Side::Sell, u64::from(leg.unsigned_abs()) + 1), price, "0.003", "0", OrderStatus::New, Source::Stream);
        w.check(Event::Order(Box::new(ack)), &[]);
    }
    let filled = |w: &mut World, id: ClientId, price: &str| {
        let mut report = w.report(id, price, "0.003", "0.003", OrderStatus::Filled, Source::Stream);
        w.next_trade += 1;
        report.fill = Some(Fill {
            trade_id: TradeId(w.next_trade),
            order_id: report.order_id,
            id: Some(id),
            side: id.side(),
            price: report.price,
            qty: report.filled,
            fee: usdt(0),
            realized: usdt(0),
            maker: true,
            time: w.now,
        });
        Event::Order(Box::new(report))
    };
    let sold = filled(&mut w, id(0, Side::Sell, 1), "60000");
    w.check(sold, &["place 32:B+0#4 0.003 59900.00"]);
    let status = w.engine.status(w.now);
    let prices: Vec<_> = status.slots.iter().map(|slot| (slot.leg.index(), slot.price.units())).collect();
    assert_eq!(status.holding.units(), -3);
    assert!(prices.contains(&(0, 6_000_000)) && prices.contains(&(-2, 6_020_000)), "{prices:?}");
    let ack = w.report(id(0, Side::Buy, 4), "59900", "0.003", "0", OrderStatus::New, Source::Stream);
    w.check(Event::Order(Box::new(ack)), &[]);
    // Half an interval of patience, upwards for a short grid.
    w.check(w.top("59849.9", "59850.0"), &["cancel 32:S-2#3", "place 32:S+1#5 0.003 59900.00"]);
    let bought = filled(&mut w, id(0, Side::Buy, 4), "59900");
    let done = w.feed(bought);
    assert!(done.contains(&"place 32:S+0#6 0.003 60000.00".to_owned()), "{done:?}");
    assert_eq!(w.engine.status(w.now).pnl.round_trips, 30_000_000);
}

/// A world of a grid with options, at 60,000, in which what is placed is acknowledged.
fn with_options(options: GridOptions) -> World {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("100", Round::Exact).unwrap();
    let cfg = GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 2, sell_window: 2 };
    options.check(&btc).unwrap();
    let mut w = World::of(&Boot::default(), Box::new(Grid::with(cfg, 0, options)), interval, GuardConfig::OFF, None);
    for event in [Event::Link(Link { feed: Feed::Account, up: true }), w.page(vec![], Some(1_000)), w.snapshot("0", vec![]), w.lease()] {
        w.feed(event);
    }
    w.feed(w.top("60000.0", "60000.1"));
    w.check(w.top("60000.0", "60000.2"), &[]);
    w
}

#[test]
fn a_grid_opens_nothing_before_its_trigger_and_nothing_outside_its_bounds() {
    let price = |units| Some(Price::from_units(units));
    let mut w = with_options(GridOptions { trigger: price(5_995_000), lower: price(5_985_000), ..GridOptions::LONG });
    w.check(Event::Committed { version: 1 }, &["alert started"]);
    w.check(w.top("59950.1", "59950.2"), &[]);
    // The level at 59,800 is below its bound.
    w.check(w.top("59949.9", "59950.0"), &["place 0:B-1#1 0.003 59900.00"]);
    w.check(w.top("60060.0", "60060.1"), &["place 0:B+0#2 0.003 60000.00"]);
}

#[test]
fn beyond_its_stop_or_target_a_grid_holds_nothing_and_opens_nothing() {
    let price = |units| Some(Price::from_units(units));
    let mut w = with_options(GridOptions { stop: price(5_970_000), take_profit: price(6_030_000), ..GridOptions::LONG });
    w.check(Event::Committed { version: 1 }, &["alert started", "place 0:B+0#1 0.003 60000.00", "place 0:B-1#2 0.003 59900.00"]);
    for (leg, price) in [(0, "60000"), (-1, "59900")] {
        let ack = w.ack(leg, Side::Buy, u64::from(leg.unsigned_abs()) + 1, price, "0.003");
        w.feed(ack);
    }
    let bought = w.fill(0, Side::Buy, 1, "60000", "0.003", "0.003", OrderStatus::Filled);
    w.check(bought, &["place 0:S+0#3 0.003 60100.00"]);
    let ack = w.ack(0, Side::Sell, 3, "60100", "0.003");
    w.feed(ack);
    w.check(w.top("59700.0", "59700.1"), &["cancel 0:S+0#3", "cancel 0:B-1#2"]);
    let gone = w.report(World::id(-1, Side::Buy, 2), "59900", "0.003", "0", OrderStatus::Canceled, Source::Stream);
    w.check(Event::Order(Box::new(gone)), &[]);
    let gone = w.report(World::id(0, Side::Sell, 3), "60100", "0.003", "0", OrderStatus::Canceled, Source::Stream);
    w.check(Event::Order(Box::new(gone)), &["place 0:S+0#4 0.003 0.00"]);
    let mut sold = w.fill(0, Side::Sell, 4, "59700", "0.003", "0.003", OrderStatus::Filled);
    if let Event::Order(report) = &mut sold {
        report.price = Price::ZERO;
    }
    w.check(sold, &[]);
    assert!(w.engine.status(w.now).holding.is_flat());
    // One interval back it opens again, and not before.
    w.check(w.top("59799.9", "59800.0"), &[]);
    let placed = w.feed(w.top("59800.0", "59800.1"));
    assert_eq!(placed.len(), 2, "{placed:?}");
    let placed = w.feed(w.top("60300.0", "60300.1"));
    assert!(placed.iter().all(|action| !action.starts_with("place")), "beyond the target: {placed:?}");
}

#[test]
fn options_of_a_grid_stand_in_their_order() {
    let (btc, price) = (Instrument::example_btcusdt(), |units| Some(Price::from_units(units)));
    let bad = |options: GridOptions| options.check(&btc).is_err();
    let (low, mid, high) = (price(5_000_000), price(6_000_000), price(7_000_000));
    assert!(!bad(GridOptions { stop: low, lower: mid, upper: high, take_profit: price(7_100_000), ..GridOptions::LONG }));
    assert!(bad(GridOptions { stop: high, take_profit: mid, ..GridOptions::LONG }));
    assert!(!bad(GridOptions { stop: high, take_profit: mid, ..GridOptions::SHORT }));
    assert!(bad(GridOptions { lower: mid, upper: mid, ..GridOptions::LONG }));
    assert!(bad(GridOptions { stop: mid, lower: mid, ..GridOptions::LONG }));
    assert!(bad(GridOptions { stop: mid, upper: mid, ..GridOptions::SHORT }));
}
