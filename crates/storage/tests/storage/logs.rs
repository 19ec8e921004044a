//! Lines of the log: what comes back, in pages and by what is sought, what goes when, and what a database in trouble costs.

use std::time::Duration;

use crate::common::{Place, everywhere, open};
use plimsoll_market::{LogLevel, Name, Symbol, Time};
use plimsoll_storage::limits::{LOG_BATCH, LOG_CONTAINS_MAX, LOG_QUEUE, LOG_ROWS_MAX, LOG_TEXT_MAX};
use plimsoll_storage::{Keep, LogCursor, LogLimit, LogLine, LogQuery, LogRow, Retained, Store, TimeRange};

const DEADLINE: Duration = Duration::from_secs(20);
const DAY: u64 = 86_400;

fn at(second: u64) -> Time {
    Time::from_millis(second * 1_000)
}

fn line(second: u64, level: LogLevel, text: &str) -> LogLine {
    LogLine { time: at(second), level, target: "plimsoll_test::part", text: text.into(), account: None, symbol: None }
}

fn query(from: u64, to: u64) -> LogQuery {
    let range = TimeRange::new(at(from), at(to)).unwrap();
    LogQuery { range, level: LogLevel::Trace, contains: String::new(), before: None, limit: LogLimit::default() }
}

async fn put(store: &Store, lines: impl IntoIterator<Item = LogLine>) {
    for (number, line) in lines.into_iter().enumerate() {
        store.logs().write(line);
        if number % LOG_QUEUE == LOG_QUEUE - 1 {
            store.flush().await.unwrap();
        }
    }
    store.flush().await.unwrap();
    assert_eq!(store.counts().logs_dropped, 0);
}

async fn texts(store: &Store, query: &LogQuery) -> Vec<String> {
    store.reader().logs(query).await.unwrap().rows.into_iter().map(|row| row.text).collect()
}

#[tokio::test]
async fn every_field_comes_back() {
    everywhere("log_fields", async |place| {
        let store = place.open().await;
        let full = LogLine {
            account: Some(Name::new("main").unwrap()),
            symbol: Some(Symbol::new("币安人生USDT").unwrap()),
            ..line(2, LogLevel::Error, "order 7 refused: \"50 %\" of 'x_y' \\ 币安 \u{1f6a2}")
        };
        let long = line(1, LogLevel::Trace, &"ä".repeat(LOG_TEXT_MAX));
        put(&store, [long, full.clone(), line(0, LogLevel::Info, "a\0b")]).await;
        let page = store.reader().logs(&query(0, 10)).await.unwrap();
        let [first, second, third] = page.rows.as_slice() else { panic!("{page:?}") };
        let LogLine { time, level, target, text, account, symbol } = full;
        assert_eq!(*first, LogRow { id: first.id, time, level, target: target.to_owned(), text: text.to_string(), account, symbol });
        assert_eq!((second.text.len(), second.level), (LOG_TEXT_MAX, LogLevel::Trace));
        assert_eq!((third.text.as_str(), page.next), ("a\\0b", None));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn lines_are_found_by_time_level_and_text() {
    everywhere("log_found", async |place| {
        let store = place.open().await;
        let lines = [
            (1, LogLevel::Debug, "quotes kept"),
            (2, LogLevel::Info, "Order placed at 50%"),
            (3, LogLevel::Warn, "order_id unknown"),
            (4, LogLevel::Error, "order\\id refused"),
            (5, LogLevel::Trace, "frame"),
        ];
        put(&store, lines.map(|(second, level, text)| line(second, level, text))).await;
        let newest = ["frame", "order\\id refused", "order_id unknown", "Order placed at 50%", "quotes kept"];
        assert_eq!(texts(&store, &query(0, 10)).await, newest);
        assert_eq!(texts(&store, &query(2, 4)).await, ["order_id unknown", "Order placed at 50%"], "the end is not included");
        for (level, left) in [(LogLevel::Trace, 5), (LogLevel::Debug, 4), (LogLevel::Info, 3), (LogLevel::Warn, 2), (LogLevel::Error, 1)] {
            assert_eq!(texts(&store, &LogQuery { level, ..query(0, 10) }).await.len(), left, "{level:?}");
        }
        for (contains, expected) in [
            ("ORDER", &["order\\id refused", "order_id unknown", "Order placed at 50%"][..]),
            ("50%", &["Order placed at 50%"]),
            ("%", &["Order placed at 50%"]),
            ("r_i", &["order_id unknown"]),
            ("r\\i", &["order\\id refused"]),
            ("' OR 1=1 --", &[]),
        ] {
            let found = texts(&store, &LogQuery { contains: contains.to_owned(), ..query(0, 10) }).await;
            assert_eq!(found, expected, "{contains}");
        }
        let both = LogQuery { level: LogLevel::Warn, contains: "order".to_owned(), ..query(0, 4) };
        assert_eq!(texts(&store, &both).await, ["order_id unknown"]);
        let long = LogQuery { contains: "x".repeat(LOG_CONTAINS_MAX + 1), ..query(0, 4) };
        let error = store.reader().logs(&long).await.unwrap_err().to_string();
        assert!(error.starts_with("the query is out of range: bytes of the text sought is 201"), "{error}");
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn pages_lead_through_all_lines_once_though_they_share_instants() {
    everywhere("log_pages", async |place| {
        let store = place.open().await;
        // A clock that went back: the order of time is not that of writing.
        put(&store, (0..1_234_u64).map(|number| line((number * 7) % 100, LogLevel::Info, &number.to_string()))).await;
        let mut seen = Vec::new();
        let mut asked = LogQuery { limit: LogLimit::new(LOG_ROWS_MAX / 3).unwrap(), ..query(0, 100) };
        loop {
            let page = store.reader().logs(&asked).await.unwrap();
            seen.extend(page.rows);
            match page.next {
                Some(next) => asked.before = Some(next),
                None => break,
            }
        }
        assert!(seen.is_sorted_by(|a, b| (a.time, a.id) > (b.time, b.id)));
        let mut numbers: Vec<u64> = seen.iter().map(|row| row.text.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..1_234));
        let most = LogQuery { limit: LogLimit::new(LOG_ROWS_MAX).unwrap(), ..query(0, 100) };
        assert_eq!(store.reader().logs(&most).await.unwrap().rows.len(), LOG_ROWS_MAX as usize);
        let before = Some(LogCursor { time: at(0), id: 0 });
        assert_eq!(texts(&store, &LogQuery { before, ..query(0, 100) }).await, [""; 0]);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn errors_stay_longer_than_the_rest_and_none_are_too_many() {
    everywhere("log_retention", async |place| {
        let mut raw = place.config();
        raw.retention.logs = Keep { days: 7, rows: 1_500 };
        raw.retention.log_errors = Keep { days: 30, rows: 3 };
        let store = open(raw).await.unwrap();
        let now = 100 * DAY;
        // Two errors and 1,200 other lines that are a week old, five and 2,000 that are young.
        let (week, young) = (now - 7 * DAY - 1, now - 1_000);
        put(&store, (0..1_200).map(|_| line(week, LogLevel::Info, "old"))).await;
        put(&store, (0..2).map(|_| line(week, LogLevel::Error, "old error"))).await;
        put(&store, (0..2_000).map(|_| line(young, LogLevel::Warn, "young"))).await;
        put(&store, (0..5).map(|_| line(young, LogLevel::Error, "young error"))).await;
        put(&store, [line(now - 31 * DAY, LogLevel::Error, "a month old")]).await;
        let done = store.retain(at(now)).await.unwrap();
        assert_eq!(done, Retained { logs: 1_700, log_errors: 5, ..Retained::default() });
        assert_eq!(store.retain(at(now)).await.unwrap(), Retained::default());
        let errors = LogQuery { level: LogLevel::Error, ..query(now - 7 * DAY, now) };
        assert_eq!(texts(&store, &errors).await, ["young error"; 3]);
        store.stop(DEADLINE).await.unwrap();
        // With room for them, errors of a week stay when the other lines go.
        let store = place.open().await;
        put(&store, [line(week, LogLevel::Warn, "old"), line(week, LogLevel::Error, "old error")]).await;
        assert_eq!(store.retain(at(now)).await.unwrap(), Retained { logs: 1, ..Retained::default() });
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn lines_beyond_the_queue_are_counted_and_the_youngest_stay() {
    everywhere("log_overflow", async |place| {
        let store = place.open().await;
        let more = 7;
        // The writer does not run before the first await.
        for number in 0..(LOG_QUEUE + more) as u64 {
            store.logs().write(line(number, LogLevel::Info, &number.to_string()));
        }
        store.flush().await.unwrap();
        let counts = store.counts();
        assert_eq!((counts.logs, counts.logs_dropped), (LOG_QUEUE as u64, more as u64));
        let all = LogQuery { limit: LogLimit::new(LOG_ROWS_MAX).unwrap(), ..query(0, 10_000) };
        let texts = texts(&store, &all).await;
        assert_eq!((texts.len(), texts.last().map(String::as_str)), (LOG_QUEUE, Some("7")));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_line_alone_is_stored_within_a_second_and_what_waits_at_the_end_too() {
    everywhere("log_flush", async |place| {
        let store = place.open().await;
        store.logs().write(line(1, LogLevel::Info, "alone"));
        let began = std::time::Instant::now();
        while texts(&store, &query(0, 10)).await.is_empty() {
            assert!(began.elapsed() < DEADLINE, "it never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for _ in 0..LOG_BATCH + 1 {
            store.logs().write(line(2, LogLevel::Info, "last words"));
        }
        store.stop(DEADLINE).await.unwrap();
        store.logs().write(line(3, LogLevel::Info, "too late"));
        assert_eq!(store.counts().logs_dropped, 1);
        let store = place.open().await;
        let all = LogQuery { limit: LogLimit::new(LOG_ROWS_MAX).unwrap(), ..query(0, 10) };
        assert_eq!(texts(&store, &all).await.len(), LOG_BATCH + 2);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_table_that_refuses_lines_costs_lines_and_nothing_else() {
    let place = Place::file();
    let store = place.open().await;
    place.meddle("ALTER TABLE logs RENAME TO away").await;
    for _ in 0..3 * LOG_BATCH {
        store.logs().write(line(1, LogLevel::Info, "lost"));
    }
    store.flush().await.unwrap();
    let counts = store.counts();
    assert_eq!((counts.logs, counts.logs_dropped), (0, 3 * LOG_BATCH as u64));
    assert!(!store.health().with(|health| health.records_full || health.failing.is_some()), "records are not concerned");
    place.meddle("ALTER TABLE away RENAME TO logs").await;
    put_after_loss(&store).await;
    store.stop(DEADLINE).await.unwrap();
}

async fn put_after_loss(store: &Store) {
    store.logs().write(line(1, LogLevel::Info, "stored"));
    store.flush().await.unwrap();
    assert_eq!(texts(store, &query(0, 10)).await, ["stored"]);
}
