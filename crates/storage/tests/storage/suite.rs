//! The same on every database.

use std::time::Duration;

use crate::common::{all_fills, check_prefix, everywhere, key, open, record, records};
use plimsoll_bounded::{Grant, Tasks};
use plimsoll_market::{
    AccountRecord, Alert, AlertCode, Amount, Asset, Booked, ClientId, Fill, FundingPayment, Holding, Leg, Lock, Name, Notional, Order,
    OrderId, OrderStatus, Price, Qty, Record, Rule, Severity, Side, SlotRow, Spacing, StateRecord, Tag, Time, Totals, TradeId, WaitingFees,
};
use plimsoll_storage::limits::{HISTORY_QUEUE, RANGE_MAX, ROWS_MAX};
use plimsoll_storage::{
    EquityPoint, HistoryEvent, Keep, OrderCursor, RawStoreConfig, Retained, RowLimit, Store, StoreConfig, StoreGrants, TimeRange,
};

const DEADLINE: Duration = Duration::from_secs(20);

fn state(version: u64) -> StateRecord {
    let anchor = (version > 1).then_some(Price::from_units(i64::MAX));
    StateRecord {
        version,
        anchor,
        interval: if version.is_multiple_of(2) { Spacing::Ratio(5_000) } else { Spacing::Even(Price::from_units(7)) },
        baseline: anchor.map(|_| TradeId(9)),
        paused: version > 2,
        halted: version > 3,
        lock: match version {
            0..=2 => None,
            3 => Some(Lock { rule: Rule::StopLoss, until: None }),
            _ => Some(Lock { rule: Rule::LossGuard, until: Some(Time::from_millis(version)) }),
        },
        closing: version == 4,
        idle: version == 3,
        memo: if version == 3 { plimsoll_market::Memo([1, u64::MAX, 0, 7]) } else { plimsoll_market::Memo::NONE },
    }
}

#[tokio::test]
async fn what_an_accounts_rules_remember_is_there_after_a_restart() {
    everywhere("account", async |place| {
        let store = place.open().await;
        let (main, other) = (Name::new("main").unwrap(), Name::new("other").unwrap());
        let wide = AccountRecord {
            peak: i128::MAX,
            latched: Some(Rule::Drawdown),
            day: u32::MAX,
            day_start: -1,
            day_lost: true,
            basis: Some(i128::MIN),
        };
        assert_eq!(store.load_account(&main).await.unwrap(), None);
        store.commit_account(main, wide).await.unwrap();
        store.commit_account(other, AccountRecord::default()).await.unwrap();
        store.stop(DEADLINE).await.unwrap();
        let store = place.open().await;
        assert_eq!(store.load_account(&main).await.unwrap(), Some(wide));
        store.commit_account(main, AccountRecord { latched: None, ..wide }).await.unwrap();
        assert_eq!(store.load_account(&main).await.unwrap(), Some(AccountRecord { latched: None, ..wide }));
        assert_eq!(store.load_account(&other).await.unwrap(), Some(AccountRecord::default()));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn state_is_there_after_it_was_committed() {
    everywhere("state", async |place| {
        let store = place.open().await;
        let (btc, eth) = (key("BTCUSDT"), key("币安人生USDT"));
        assert_eq!(store.load(&btc).await.unwrap().state, None);
        for version in 1..=4 {
            store.commit(btc, state(version)).await.unwrap();
            assert_eq!(store.load(&btc).await.unwrap().state, Some(state(version)));
        }
        // Many at once share a commit; each is answered.
        let (first, second, third) = tokio::join!(store.commit(eth, state(1)), store.commit(btc, state(5)), store.commit(eth, state(2)));
        first.and(second).and(third).unwrap();
        store.stop(DEADLINE).await.unwrap();
        let store = place.open().await;
        assert_eq!(store.load(&btc).await.unwrap().state, Some(state(5)));
        assert_eq!(store.load(&eth).await.unwrap().state, Some(state(2)));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn runs_only_grow_even_if_the_clock_goes_back() {
    everywhere("runs", async |place| {
        let mut last = Vec::new();
        for seconds in [1_000, 1_000, 500, 5_000, 5_001] {
            let store = place.open().await;
            last.push(store.next_run(Time::from_millis(seconds * 1_000)).await.unwrap());
            store.stop(DEADLINE).await.unwrap();
        }
        assert_eq!(last, [1_000, 1_001, 1_002, 5_000, 5_001]);
    })
    .await;
}

/// A record whose every number is as large as its type.
fn extreme() -> Record {
    let leg = Leg::new(63, -Leg::INDEX_MAX).unwrap();
    let id = ClientId::new(Tag(u16::MAX), ClientId::RUN_MAX, leg, Side::Sell, ClientId::GENERATION_MAX);
    let asset = Asset::new("币安人生X").unwrap();
    let (price, qty) = (Price::from_units(i64::MAX), Qty::from_units(i64::MAX as u64));
    let time = Time::from_nanos(i64::MAX as u64);
    let fill = Fill {
        trade_id: TradeId(i64::MAX as u64),
        order_id: OrderId(u128::MAX),
        id: Some(id),
        side: Side::Sell,
        price,
        qty,
        fee: Amount::new(asset, i128::MIN),
        realized: Amount::new(asset, i128::MAX),
        maker: false,
        time,
    };
    let order = Order {
        id,
        order_id: Some(OrderId(u128::MAX)),
        price,
        qty,
        filled: qty,
        status: OrderStatus::PartiallyFilled,
        reduce_only: true,
        time,
    };
    let totals = Totals {
        watermark: Some(TradeId(u64::MAX)),
        holding: Holding::from_units(i64::MIN),
        cost: Notional::from_units(i128::MIN),
        realized: i128::MAX,
        fees: i128::MIN,
        other_fees: i128::MAX,
        waiting: Some(WaitingFees { amount: Amount::new(Asset::new("BNB").unwrap(), i128::MIN), fills: 9 }),
        funding: -1,
        fills: i64::MAX as u64,
        bought: qty,
        sold: qty,
        foreign_fees: u64::MAX,
        funded_to: Time::from_millis(9),
    };
    let slot = SlotRow { leg, held: qty, cost: Notional::from_units(i128::MAX) };
    Record {
        order: Some(order),
        fill: Some(Booked { fill, leg: Some(leg), realized: i128::MIN, slot_realized: i128::MAX }),
        slot: Some(slot),
        funding: Some(FundingPayment { amount: Amount::new(Asset::new("USDT").unwrap(), i128::MIN), time: Time::from_millis(7) }),
        totals,
    }
}

#[tokio::test]
async fn every_number_comes_back_as_it_was() {
    everywhere("numbers", async |place| {
        let store = place.open().await;
        let key = key("BTCUSDT");
        let record = extreme();
        // A fill of an order that is not ours, with an id beyond 63 bits.
        let mut foreign = record;
        let booked = foreign.fill.as_mut().unwrap();
        (booked.leg, booked.fill.id, booked.fill.trade_id, booked.fill.side) = (None, None, TradeId(u64::MAX), Side::Buy);
        foreign.order = None;
        let mut recorder = store.recorder(key);
        recorder.record(record).unwrap();
        recorder.record(foreign).unwrap();
        let stored = store.load(&key).await.unwrap();
        assert_eq!(stored.totals, Some(record.totals));
        assert_eq!(stored.slots, [record.slot.unwrap()]);
        assert_eq!(stored.open_orders, [record.order.unwrap()]);
        let fills = store.reader().fills(&key, None, RowLimit::default()).await.unwrap().rows;
        assert_eq!(fills, [record.fill.unwrap(), foreign.fill.unwrap()]);
        // A record of funding has nothing but the payment and the totals; told again, it is the same payment.
        let paid = |millis| FundingPayment { time: Time::from_millis(millis), ..record.funding.unwrap() };
        for payment in [paid(8), paid(9), paid(8)] {
            let totals = Totals { funding: 5, ..record.totals };
            recorder.record(Record { order: None, fill: None, slot: None, funding: Some(payment), totals }).unwrap();
        }
        assert_eq!(store.load(&key).await.unwrap().totals.unwrap().funding, 5);
        let page = store.reader().funding(&key, None, RowLimit::new(2).unwrap()).await.unwrap();
        assert_eq!((page.rows.as_slice(), page.next), ([paid(9), paid(8)].as_slice(), Some(Time::from_millis(8))));
        let rest = store.reader().funding(&key, page.next, RowLimit::default()).await.unwrap();
        assert_eq!((rest.rows.as_slice(), rest.next), ([paid(7)].as_slice(), None));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn records_told_again_change_nothing() {
    everywhere("again", async |place| {
        let store = place.open().await;
        let (btc, eth) = (key("BTCUSDT"), key("ETHUSDT"));
        let books = records(45);
        let (mut first, mut second) = (store.recorder(btc), store.recorder(eth));
        for record in &books {
            first.record(*record).unwrap();
            // The same trade ids on another symbol are other trades.
            second.record(*record).unwrap();
        }
        store.flush().await.unwrap();
        for record in books.iter().skip(20) {
            first.record(*record).unwrap();
        }
        for key in [btc, eth] {
            assert_eq!(check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await), 45);
        }
        // The same again within one batch.
        for record in [&books[44], &books[44]] {
            first.record(*record).unwrap();
        }
        assert_eq!(check_prefix(&store.load(&btc).await.unwrap(), &all_fills(&store, &btc).await), 45);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn batches_are_written_when_large_enough_or_old_enough() {
    everywhere("batches", async |place| {
        let raw = RawStoreConfig { batch_size: 10, flush_interval_ms: 60_000, ..place.config() };
        let store = open(raw).await.unwrap();
        let mut recorder = store.recorder(key("BTCUSDT"));
        for record in records(25) {
            recorder.record(record).unwrap();
        }
        while store.counts().records < 20 {
            tokio::task::yield_now().await;
        }
        store.flush().await.unwrap();
        let counts = store.counts();
        assert_eq!((counts.records, counts.batches), (25, 3), "two of ten by themselves, the rest by the flush");
        store.stop(DEADLINE).await.unwrap();

        let raw = RawStoreConfig { batch_size: 100, flush_interval_ms: 10, ..place.config() };
        let store = open(raw).await.unwrap();
        let mut recorder = store.recorder(key("BTCUSDT"));
        recorder.record(record(26, &records(25)[24].totals)).unwrap();
        while store.counts().records < 1 {
            tokio::task::yield_now().await;
        }
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn lists_page_from_the_newest_to_the_oldest() {
    everywhere("lists", async |place| {
        let store = place.open().await;
        let key = key("BTCUSDT");
        let mut recorder = store.recorder(key);
        for mut record in records(25) {
            // Several orders share an instant.
            let order = record.order.as_mut().unwrap();
            order.time = Time::from_millis(order.time.millis() / 4 * 4);
            recorder.record(record).unwrap();
        }
        for number in 0..25 {
            let alert = Alert::new(Severity::Warning, AlertCode::Stale, Time::from_millis(number), &number);
            store.history().event(HistoryEvent { account: Some(key.account), symbol: Some(key.symbol), alert });
        }
        store.flush().await.unwrap();
        let reader = store.reader();
        let limit = RowLimit::new(10).unwrap();

        let (mut fills, mut before, mut sizes) = (Vec::new(), None, Vec::new());
        loop {
            let page = reader.fills(&key, before, limit).await.unwrap();
            sizes.push(page.rows.len());
            fills.extend(page.rows.iter().map(|booked| booked.fill.trade_id.0));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!((fills, sizes), ((1..=25).rev().collect(), vec![10, 10, 5]));

        let (mut orders, mut before) = (Vec::new(), None);
        loop {
            let page = reader.orders(&key, before, limit).await.unwrap();
            orders.extend(page.rows.iter().map(|order| (order.time, order.id)));
            // The cursor goes through its text, as over HTTP.
            before = page.next.map(|next| next.to_string().parse::<OrderCursor>().unwrap());
            if before.is_none() {
                break;
            }
        }
        assert_eq!(orders.len(), 25);
        assert!(orders.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 != b.1)), "{orders:?}");
        let all = reader.orders(&key, None, RowLimit::default()).await.unwrap();
        assert_eq!(all.rows.iter().map(|order| (order.time, order.id)).collect::<Vec<_>>(), orders);
        assert_eq!(all.next, None);

        let page = reader.events(None, limit).await.unwrap();
        assert_eq!(page.rows[0].text, "24");
        assert_eq!((page.rows[0].severity, page.rows[0].code.as_str()), (Severity::Warning, "stale_market"));
        assert_eq!((page.rows[0].account, page.rows[0].symbol), (Some(key.account), Some(key.symbol)));
        let page = reader.events(page.next, limit).await.unwrap();
        assert_eq!(page.rows[0].text, "14");

        assert_eq!(reader.fills(&self::key("NONE"), None, limit).await.unwrap().rows, []);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[test]
fn queries_have_limits() {
    for (rows, good) in [(0, false), (1, true), (ROWS_MAX, true), (ROWS_MAX + 1, false)] {
        assert_eq!(RowLimit::new(rows).is_ok(), good, "{rows}");
    }
    assert_eq!(RowLimit::default().rows(), 100);
    let week = Time::ZERO + RANGE_MAX;
    assert!(TimeRange::new(Time::ZERO, week).is_ok());
    let error = TimeRange::new(Time::ZERO, week + Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "the query is out of range: range in seconds is 604801, at most 604800");
    for bad in ["", "5", "x-y", "5-", "-0000000000000000000000", "5-short"] {
        assert!(bad.parse::<OrderCursor>().is_err(), "{bad}");
    }
}

fn point(second: u64, wallet: i128) -> EquityPoint {
    EquityPoint { time: Time::from_millis(second * 1_000), account: Name::new("main").unwrap(), wallet, unrealized: -1 }
}

/// Stores points, as many at a time as there is room for.
async fn put_equity(store: &Store, points: impl IntoIterator<Item = EquityPoint>) {
    for (at, point) in points.into_iter().enumerate() {
        store.history().equity(point);
        if at % HISTORY_QUEUE == HISTORY_QUEUE - 1 {
            store.flush().await.unwrap();
        }
    }
    store.flush().await.unwrap();
    assert_eq!(store.counts().history_dropped, 0);
}

#[tokio::test]
async fn equity_is_thinned_out_keeping_its_extremes() {
    everywhere("equity", async |place| {
        let store = place.open().await;
        // More than two chunks; pairs share an instant; one peak and one trough.
        let value = |at: u64| match at {
            1_234 => 1_000_000,
            4_321 => -1_000_000,
            _ => i128::from(at % 7),
        };
        put_equity(&store, (0..5_000).map(|at| point(at / 2, value(at)))).await;
        let (reader, account) = (store.reader(), Name::new("main").unwrap());
        let range = |from: u64, to: u64| TimeRange::new(Time::from_millis(from * 1_000), Time::from_millis(to * 1_000)).unwrap();

        let all = reader.equity(&account, range(0, 2_500), 5_000).await.unwrap();
        assert_eq!(all.len(), 5_000);
        assert_eq!(all[1_234], point(617, 1_000_000));
        let thin = reader.equity(&account, range(0, 2_500), 100).await.unwrap();
        assert!(thin.len() <= 100 && thin.len() > 50, "{}", thin.len());
        assert!(thin.is_sorted_by_key(|point| point.time));
        let (least, most) = (thin.iter().map(EquityPoint::equity).min(), thin.iter().map(EquityPoint::equity).max());
        assert_eq!((least, most), (Some(-1_000_001), Some(999_999)));
        assert_eq!(reader.equity(&account, range(10, 12), 100).await.unwrap().len(), 4, "the end is not included");
        assert_eq!(reader.equity(&Name::new("other").unwrap(), range(0, 2_500), 100).await.unwrap(), []);
        assert!(reader.equity(&account, range(0, 1), 1).await.is_err());
        assert!(reader.equity(&account, range(0, 1), 10_001).await.is_err());
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn retention_keeps_what_is_young_and_not_too_much() {
    everywhere("retention", async |place| {
        let mut raw = place.config();
        raw.retention.equity = Keep { days: 1, rows: 1_500 };
        raw.retention.events = Keep { days: 36_500, rows: 3 };
        raw.retention.orders = Keep { days: 36_500, rows: 5 };
        raw.retention.fills = Keep { days: 36_500, rows: 20 };
        let store = open(raw).await.unwrap();
        let day = 86_400;
        // 2,500 points older than a day and 2,000 younger ones, of which 1,500 may stay.
        put_equity(&store, (0..4_500).map(|at| point(if at < 2_500 { at } else { 10 * day + at }, i128::from(at)))).await;
        let key = key("BTCUSDT");
        let mut recorder = store.recorder(key);
        for record in records(30) {
            recorder.record(record).unwrap();
        }
        for number in 0..5 {
            let alert = Alert::new(Severity::Info, AlertCode::Started, Time::from_millis(number), &number);
            store.history().event(HistoryEvent { account: None, symbol: None, alert });
        }
        store.flush().await.unwrap();

        let now = Time::from_millis((10 * day + 5_000) * 1_000);
        let done = store.retain(now).await.unwrap();
        // 20 orders ended and may be 5; the 10 open ones stay.
        assert_eq!(done, Retained { equity: 3_000, events: 2, orders: 15, fills: 10, ..Retained::default() });
        assert_eq!(store.retain(now).await.unwrap(), Retained::default());

        let reader = store.reader();
        let range = TimeRange::new(Time::from_millis(10 * day * 1_000), now).unwrap();
        let points = reader.equity(&key.account, range, 10_000).await.unwrap();
        assert_eq!((points.len(), points[0].wallet), (1_500, 3_000));
        let fills = all_fills(&store, &key).await;
        assert_eq!((fills.len(), fills[0].fill.trade_id), (20, TradeId(11)));
        let stored = store.load(&key).await.unwrap();
        assert_eq!((stored.open_orders.len(), stored.totals), (10, Some(records(30)[29].totals)), "totals do not depend on fills");
        let events = reader.events(None, RowLimit::default()).await.unwrap();
        assert_eq!(events.rows.iter().map(|event| event.text.as_str()).collect::<Vec<_>>(), ["4", "3", "2"]);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn history_beyond_its_room_is_counted() {
    everywhere("history", async |place| {
        let store = place.open().await;
        let more = 7;
        // The writer does not run before the first await.
        for at in 0..HISTORY_QUEUE as u64 + more {
            store.history().equity(point(at, i128::from(at)));
        }
        store.flush().await.unwrap();
        let counts = store.counts();
        assert_eq!((counts.history, counts.history_dropped), (HISTORY_QUEUE as u64, more));
        let range = TimeRange::new(Time::ZERO, Time::from_millis(10_000_000)).unwrap();
        let points = store.reader().equity(&Name::new("main").unwrap(), range, 10_000).await.unwrap();
        assert_eq!((points.len(), points[0]), (HISTORY_QUEUE, point(more, i128::from(more))), "the oldest went");
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn sizes_are_told_and_a_stop_leaves_no_log() {
    everywhere("sizes", async |place| {
        let store = place.open().await;
        let mut recorder = store.recorder(key("BTCUSDT"));
        for record in records(500) {
            recorder.record(record).unwrap();
        }
        store.flush().await.unwrap();
        let sizes = store.sizes().await.unwrap();
        assert!(sizes.database >= 4_096 && sizes.database + sizes.log > 100_000, "{sizes:?}");
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
    let place = crate::common::Place::file();
    let store = place.open().await;
    store.commit(key("BTCUSDT"), state(1)).await.unwrap();
    assert!(store.sizes().await.unwrap().log > 0);
    store.stop(DEADLINE).await.unwrap();
    assert_eq!(store.sizes().await.unwrap().log, 0);
}

#[tokio::test]
async fn writer_ends_with_its_task_set_and_commits_first() {
    everywhere("task_set", async |place| {
        let config = StoreConfig::try_from(place.config()).unwrap();
        let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 1, 1_024)));
        let store = Store::open(config.clone(), StoreGrants::detached(&config), &tasks).await.unwrap();
        let mut recorder = store.recorder(key("BTCUSDT"));
        for record in records(150) {
            recorder.record(record).unwrap();
        }
        let report = tasks.shutdown(DEADLINE).await;
        assert!(report.is_clean() && report.ended == 1, "{report:?}");
        let store = place.open().await;
        assert_eq!(store.load(&key("BTCUSDT")).await.unwrap().totals.map(|totals| totals.fills), Some(150));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn how_long_records_wait_is_told() {
    everywhere("waiting", async |place| {
        let store = open(RawStoreConfig { flush_interval_ms: 60_000, ..place.config() }).await.unwrap();
        assert_eq!((store.counts().oldest, store.counts().commit_time), (Duration::ZERO, Duration::ZERO));
        store.recorder(key("BTCUSDT")).record(records(1)[0]).unwrap();
        while store.counts().oldest < Duration::from_millis(20) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        store.flush().await.unwrap();
        let counts = store.counts();
        assert_eq!(counts.oldest, Duration::ZERO);
        assert!(counts.commit_time > Duration::ZERO);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}
