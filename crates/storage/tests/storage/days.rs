//! What each symbol did on each day: counted once, whenever and however often, and kept when the executions go.

use crate::common::{everywhere, key, records};
use plimsoll_market::{Amount, Asset, FundingPayment, Name, Record, Time, Totals, TradeId};
use plimsoll_storage::{DayRange, Keep, Key, RawRetention, RawStoreConfig, Store, StoredScales, TradingDay};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);
const DAY: u64 = 86_400_000;
/// The day of the first record.
const FIRST: u64 = 1_700_000_000_000 / DAY * DAY;

fn all() -> DayRange {
    DayRange::new(Time::from_millis(FIRST - 10 * DAY), Time::from_millis(FIRST + 300 * DAY)).unwrap()
}

/// The record some days later.
fn later(record: &Record, days: u64) -> Record {
    let mut record = *record;
    let fill = &mut record.fill.as_mut().unwrap().fill;
    fill.time = fill.time + Duration::from_millis(days * DAY);
    record
}

async fn put(store: &Store, key: Key, records: &[Record]) {
    let mut recorder = store.recorder(key);
    for record in records {
        recorder.record(*record).unwrap();
    }
    store.flush().await.unwrap();
}

fn payment(day: u64, units: i128) -> Record {
    let amount = Amount::new(Asset::new("USDT").unwrap(), units);
    let time = Time::from_millis(FIRST + day * DAY);
    Record { order: None, fill: None, slot: None, funding: Some(FundingPayment { amount, time }), totals: Totals::EMPTY }
}

/// Executions, net and turnover of each day.
fn seen(days: &[TradingDay]) -> Vec<(u64, u64, i128, i128)> {
    days.iter().map(|day| ((day.day.millis() - FIRST) / DAY, day.fills, day.net(), day.turnover)).collect()
}

#[tokio::test]
async fn days_add_up_whatever_comes_late_or_twice() {
    everywhere("days", async |place| {
        let store = place.open().await;
        let (btc, eth, account) = (key("BTCUSDT"), key("ETHUSDT"), Name::new("main").unwrap());
        let asset = |text| Asset::new(text).unwrap();
        let scales = StoredScales { base: asset("BTC"), quote: asset("USDT"), price_scale: 2, qty_scale: 3 };
        store.commit_scales(btc, scales).await.unwrap();
        let books = records(6);
        // Two round trips on the first day, one on the third; funding on the first and, alone, on the second.
        put(&store, btc, &books[..4]).await;
        put(&store, btc, &[later(&books[4], 2), later(&books[5], 2), payment(0, -30), payment(1, 9)]).await;
        assert_eq!(store.reader().symbol_days(&btc, all()).await.unwrap(), [], "nothing is told that was not counted");
        assert_eq!(store.count_days().await.unwrap(), 3);
        let days = store.reader().symbol_days(&btc, all()).await.unwrap();
        // 5 at 60,000.00 and 60,001.00 up, and 60,001.00 and 60,002.00: 0.005 each, in units of 1e-8.
        let turnover = |cents: i128| cents * 5 * 1_000;
        assert_eq!(
            seen(&days),
            [
                (0, 4, 2 * (500 - 10) - 30, turnover(6_000_000 + 6_000_100 + 6_000_100 + 6_000_200)),
                (1, 0, 9, 0),
                (2, 2, 490, turnover(6_000_200 + 6_000_300))
            ]
        );
        let first = days[0];
        assert_eq!((first.wins, first.losses, first.realized, first.slot_realized), (2, 0, 1_000, 1_000));
        assert_eq!((first.fees, first.other_fees, first.funding, first.asset), (20, 0, -30, Some(asset("USDT"))));
        assert_eq!(store.count_days().await.unwrap(), 0, "what was counted is not counted again");
        // Told again, an execution is the same; its day is looked at and does not change.
        put(&store, btc, &books[..4]).await;
        assert_eq!(store.count_days().await.unwrap(), 1);
        assert_eq!(store.reader().symbol_days(&btc, all()).await.unwrap(), days);
        // One that comes late counts, whatever its day; a fee in another asset is no part of the sum.
        let mut late = books[3];
        let fill = &mut late.fill.as_mut().unwrap().fill;
        (fill.trade_id, fill.fee) = (TradeId(90), Amount::new(asset("BNB"), 5));
        put(&store, btc, &[late]).await;
        put(&store, eth, &books[..2]).await;
        assert_eq!(store.count_days().await.unwrap(), 2);
        let changed = store.reader().symbol_days(&btc, all()).await.unwrap()[0];
        assert_eq!((changed.fills, changed.fees, changed.other_fees, changed.realized), (5, 20, 1, 1_500));
        // The account's day is that of its symbols together; without its scales a symbol has no turnover.
        let together = store.reader().account_days(&account, all()).await.unwrap();
        assert_eq!(seen(&together)[0], (0, 7, first.net() + 500 + 490, changed.turnover));
        assert_eq!((together.len(), together[0].asset), (3, Some(asset("USDT"))));
        let part = DayRange::new(Time::from_millis(FIRST + DAY), Time::from_millis(FIRST + 2 * DAY)).unwrap();
        assert_eq!(seen(&store.reader().account_days(&account, part).await.unwrap()), [(1, 0, 9, 0)]);
        // Books that are made anew: what is forgotten is not counted any more, what is booked again is.
        store.forget_books(btc, TradeId(4)).await.unwrap();
        store.count_days().await.unwrap();
        let left = store.reader().symbol_days(&btc, all()).await.unwrap();
        assert_eq!(left, days[..2], "nothing was done on the third day");
        put(&store, btc, &[later(&books[4], 2), later(&books[5], 2)]).await;
        store.count_days().await.unwrap();
        assert_eq!(store.reader().symbol_days(&btc, all()).await.unwrap(), days);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn executions_are_counted_before_they_go_and_their_days_stay() {
    everywhere("days_stay", async |place| {
        let retention = RawRetention { fills: Keep { days: 30, rows: 1_000 }, ..RawRetention::default() };
        let store = crate::common::open(RawStoreConfig { retention, ..place.config() }).await.unwrap();
        let (btc, books) = (key("BTCUSDT"), records(8));
        put(&store, btc, &books[..6]).await;
        let done = store.retain(Time::from_millis(FIRST + 40 * DAY)).await.unwrap();
        assert_eq!(done.fills, 6);
        let days = store.reader().symbol_days(&btc, all()).await.unwrap();
        assert_eq!((days[0].fills, days[0].realized), (6, 1_500));
        // One of that day that comes later still does not take away what is known of it.
        put(&store, btc, &books[6..]).await;
        assert_eq!(store.count_days().await.unwrap(), 1);
        assert_eq!(store.reader().symbol_days(&btc, all()).await.unwrap(), days);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}
