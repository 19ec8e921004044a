//! Orders and executions of all symbols.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::{everywhere, key, record};
use plimsoll_market::{Name, OrderStatus, Side, Symbol, Time, Totals};
use plimsoll_storage::{RowCursor, RowLimit, RowQuery, Store};

const DEADLINE: Duration = Duration::from_secs(20);
/// Records of each symbol.
const EACH: u64 = 40;

fn account() -> Name {
    Name::new("main").unwrap()
}

async fn fill(store: &Store) {
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let mut recorder = store.recorder(key(symbol));
        let mut totals = Totals::EMPTY;
        for number in 1..=EACH {
            let record = record(number, &totals);
            totals = record.totals;
            recorder.record(record).unwrap();
        }
    }
    store.flush().await.unwrap();
}

/// Every row of a list, page by page.
async fn all(store: &Store, orders: bool, query: RowQuery, rows: u32) -> Vec<(Symbol, Time, Side)> {
    let (reader, limit) = (store.reader(), RowLimit::new(rows).unwrap());
    let (mut found, mut before): (Vec<_>, Option<RowCursor>) = (Vec::new(), None);
    loop {
        let query = RowQuery { before, ..query };
        let next = if orders {
            let page = reader.all_orders(&account(), &query, limit).await.unwrap();
            found.extend(page.rows.iter().map(|(symbol, order)| (*symbol, order.time, order.id.side())));
            page.next
        } else {
            let page = reader.all_fills(&account(), &query, limit).await.unwrap();
            found.extend(page.rows.iter().map(|(symbol, booked)| (*symbol, booked.fill.time, booked.fill.side)));
            page.next
        };
        // What is written into an url comes back.
        match next {
            Some(next) => before = Some(next.to_string().parse().unwrap()),
            None => return found,
        }
    }
}

#[tokio::test]
async fn lists_over_all_symbols_are_paged_in_order_and_filtered() {
    everywhere("lists_all", async |place| {
        let store = place.open().await;
        fill(&store).await;
        for orders in [true, false] {
            let everything = all(&store, orders, RowQuery::default(), 1_000).await;
            assert_eq!(everything.iter().map(|row| row.0).collect::<BTreeSet<_>>().len(), 2);
            assert!(everything.is_sorted_by(|a, b| a.1 >= b.1), "newest first");
            for rows in [1, 7, 40] {
                assert_eq!(all(&store, orders, RowQuery::default(), rows).await, everything, "{rows} at a time");
            }
            let one = Symbol::new("ETHUSDT").unwrap();
            let of =
                |wanted: &dyn Fn(&(Symbol, Time, Side)) -> bool| everything.iter().filter(|row| wanted(row)).copied().collect::<Vec<_>>();
            let query = RowQuery { symbol: Some(one), ..RowQuery::default() };
            assert_eq!(all(&store, orders, query, 7).await, of(&|row| row.0 == one));
            for side in [Side::Buy, Side::Sell] {
                let query = RowQuery { side: Some(side), ..RowQuery::default() };
                assert_eq!(all(&store, orders, query, 7).await, of(&|row| row.2 == side));
            }
            let (since, until) = (everything[everything.len() * 3 / 4].1, everything[everything.len() / 4].1);
            let query = RowQuery { since: Some(since), until: Some(until), ..RowQuery::default() };
            assert_eq!(all(&store, orders, query, 7).await, of(&|row| since <= row.1 && row.1 < until));
            let query = RowQuery { symbol: Some(one), since: Some(since), ..RowQuery::default() };
            assert_eq!(all(&store, orders, query, 7).await, of(&|row| row.0 == one && since <= row.1));
        }
        let count = async |status| all(&store, true, RowQuery { status, ..RowQuery::default() }, 100).await.len();
        let states = [
            OrderStatus::New,
            OrderStatus::PartiallyFilled,
            OrderStatus::Filled,
            OrderStatus::Canceled,
            OrderStatus::Expired,
            OrderStatus::Rejected,
        ];
        let mut sum = 0;
        for status in states {
            sum += count(Some(status)).await;
        }
        assert_eq!(sum, count(None).await);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_strategies_earned_is_the_sum_of_their_executions() {
    everywhere("lists_earned", async |place| {
        let store = place.open().await;
        fill(&store).await;
        let reader = store.reader();
        let page = reader.all_fills(&account(), &RowQuery::default(), RowLimit::new(1_000).unwrap()).await.unwrap();
        let middle = page.rows[page.rows.len() / 2].1.fill.time;
        for since in [Time::ZERO, middle, Time::from_millis(u64::MAX / 2_000_000)] {
            let earned = reader.earned(&account(), since).await.unwrap();
            let rows = || page.rows.iter().filter(|(_, booked)| booked.fill.time >= since);
            assert_eq!(earned.iter().map(|row| row.fills).sum::<u64>(), rows().count() as u64);
            for row in &earned {
                let own = rows().filter(|(symbol, booked)| *symbol == row.symbol && booked.leg.map(|leg| leg.strategy()) == row.strategy);
                assert_eq!(own.map(|(_, booked)| booked.slot_realized).sum::<i128>(), row.earned);
            }
        }
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}
