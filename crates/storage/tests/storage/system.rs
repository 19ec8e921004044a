//! Figures of the process: samples, days, and what becomes of the one when it is time for the other.

use std::time::Duration;

use crate::common::{everywhere, key, open, record};
use plimsoll_market::{Time, Totals};
use plimsoll_storage::limits::{POINTS_MAX, RANGE_MAX, SYSTEM_POINTS_MIN};
use plimsoll_storage::{DayRange, Keep, Retained, RowLimit, Spread, Store, SystemDay, SystemRow, TimeRange};

const DEADLINE: Duration = Duration::from_secs(20);
const DAY: u64 = 86_400;

fn at(second: u64) -> Time {
    Time::from_millis(second * 1_000)
}

fn range(from: u64, to: u64) -> TimeRange {
    TimeRange::new(at(from), at(to)).unwrap()
}

fn days(from: u64, to: u64) -> DayRange {
    DayRange::new(at(from * DAY), at(to * DAY)).unwrap()
}

/// A sample whose figures all follow from one number.
fn sample(second: u64, figure: u32) -> SystemRow {
    let big = Some(u64::from(figure));
    SystemRow { cpu_milli: Some(figure + 1), rss: big, allocated: big, tasks: Some(figure + 2), ..SystemRow::at(at(second)) }
}

async fn put(store: &Store, rows: impl IntoIterator<Item = SystemRow>) {
    for (number, row) in rows.into_iter().enumerate() {
        store.history().system(&row);
        if number % 500 == 499 {
            store.flush().await.unwrap();
        }
    }
    store.flush().await.unwrap();
    assert_eq!(store.counts().history_dropped, 0);
}

async fn samples(store: &Store, from: u64, to: u64) -> Vec<SystemRow> {
    store.reader().system(range(from, to), POINTS_MAX).await.unwrap()
}

fn spread(min: u64, avg: u64, max: u64) -> Option<Spread> {
    Some(Spread { min, avg, max })
}

/// What a day says when its samples' figures are these.
fn day(day: u64, samples: u64, min: u64, avg: u64, max: u64) -> SystemDay {
    SystemDay {
        day: at(day * DAY),
        samples,
        rss: spread(min, avg, max),
        cpu_milli: spread(min + 1, avg + 1, max + 1),
        tasks: spread(min + 2, avg + 2, max + 2),
        allocated: spread(min, avg, max),
    }
}

#[tokio::test]
async fn every_figure_comes_back_and_an_instant_has_one_row() {
    everywhere("system_figures", async |place| {
        let store = place.open().await;
        let most = i64::MAX as u64;
        let full = SystemRow {
            time: at(1),
            cpu_milli: Some(u32::MAX),
            rss: Some(most),
            anonymous: Some(most - 1),
            allocated: Some(most - 2),
            active: Some(most - 3),
            resident: Some(most - 4),
            mapped: Some(most - 5),
            retained: Some(most - 6),
            cgroup_used: Some(most - 7),
            cgroup_limit: Some(u64::MAX),
            ledger_used: Some(0),
            tasks: Some(7),
            threads: Some(8),
            open_files: Some(9),
            purges: Some(10),
            rung: Some(4),
        };
        let empty = SystemRow::at(at(2));
        put(&store, [full, empty, SystemRow { rss: Some(1), ..full }]).await;
        put(&store, [SystemRow { rss: Some(2), ..full }, SystemRow { rss: Some(3), ..empty }]).await;
        let expected = SystemRow { cgroup_limit: Some(most), ..full };
        assert_eq!(samples(&store, 0, 10).await, [expected, empty], "the first row of an instant stays");
        assert_eq!(samples(&store, 1, 2).await, [expected], "the end is not included");
        assert_eq!(samples(&store, 3, 10).await, []);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn week_of_samples_is_thinned_out_keeping_what_was_least_and_greatest() {
    everywhere("system_thin", async |place| {
        let store = place.open().await;
        let figure = |minute: u64| match minute {
            1_234 => 0,
            8_765 => 1_000_000,
            _ => 1_000 + (minute % 7) as u32,
        };
        let minutes = 7 * 24 * 60;
        put(&store, (0..minutes).map(|minute| sample(minute * 60, figure(minute)))).await;
        let reader = store.reader();
        let week = range(0, minutes * 60);
        for points in [SYSTEM_POINTS_MIN, 500, POINTS_MAX] {
            let thin = reader.system(week, points).await.unwrap();
            assert!(thin.len() <= points && thin.len() >= 2, "{points}: {}", thin.len());
            assert!(thin.is_sorted_by(|a, b| a.time < b.time));
            for sought in [1_234, 8_765] {
                assert!(thin.contains(&sample(sought * 60, figure(sought))), "{points}");
            }
        }
        assert_eq!(samples(&store, 0, 9_000 * 60).await.len(), 9_000, "all while they fit");
        for points in [0, SYSTEM_POINTS_MIN - 1, POINTS_MAX + 1] {
            let error = reader.system(week, points).await.unwrap_err();
            assert!(error.to_string().starts_with(&format!("the query is out of range: points is {points}, at ")), "{error}");
        }
        assert!(TimeRange::new(Time::ZERO, Time::ZERO + RANGE_MAX + Duration::from_nanos(1)).is_err());
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn days_are_summed_up_when_they_have_ended_and_when_samples_come_late() {
    everywhere("system_days", async |place| {
        let store = place.open().await;
        let reader = store.reader();
        // Three days of four samples; the third has not ended.
        put(&store, (0..12).map(|number| sample(number * DAY / 4, number as u32 * 10))).await;
        let now = at(2 * DAY + DAY / 2);
        let done = store.retain(now).await.unwrap();
        assert_eq!(done, Retained { rolled_up: 8, ..Retained::default() });
        let expected = [day(0, 4, 0, 15, 30), day(1, 4, 40, 55, 70)];
        assert_eq!(reader.system_daily(days(0, 10)).await.unwrap(), expected);
        assert_eq!(store.retain(now).await.unwrap(), Retained::default(), "nothing is added twice");
        assert_eq!(reader.system_daily(days(0, 10)).await.unwrap(), expected);
        assert_eq!(samples(&store, 0, 3 * DAY).await.len(), 12, "samples stay as long as they are young");

        // One comes late, one is told again, and one knows next to nothing.
        let unknown = SystemRow { tasks: Some(1_000), ..SystemRow::at(at(DAY + 2)) };
        put(&store, [sample(1, 1_000), sample(0, 77), unknown]).await;
        assert_eq!(store.retain(now).await.unwrap().rolled_up, 2);
        let second = SystemDay { samples: 5, tasks: spread(42, (4 * 57 + 1_000) / 5, 1_000), ..day(1, 4, 40, 55, 70) };
        assert_eq!(reader.system_daily(days(0, 10)).await.unwrap(), [day(0, 5, 0, 212, 1_000), second]);
        assert_eq!(reader.system_daily(days(1, 2)).await.unwrap(), [second], "the end is not included");
        let within = DayRange::new(at(DAY + 5), at(DAY + 6)).unwrap();
        assert_eq!(reader.system_daily(within).await.unwrap(), [second], "a range within a day has that day");
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn samples_go_after_a_week_and_days_after_a_quarter_and_nothing_goes_unsummed() {
    everywhere("system_retention", async |place| {
        let store = place.open().await;
        let reader = store.reader();
        // More than a step of samples on the first day.
        put(&store, (0..1_300).map(|number| sample(number * 60, 5))).await;
        put(&store, [sample(DAY, 7), sample(9 * DAY, 9)]).await;
        let done = store.retain(at(8 * DAY - 1)).await.unwrap();
        assert_eq!((done.rolled_up, done.system), (1_301, 1_300), "what is a week old, to the second");
        let first = day(0, 1_300, 5, 5, 5);
        assert_eq!(reader.system_daily(days(0, 20)).await.unwrap(), [first, day(1, 1, 7, 7, 7)]);
        assert_eq!(samples(&store, DAY, 2 * DAY).await, [sample(DAY, 7)]);
        assert_eq!(store.retain(at(8 * DAY)).await.unwrap(), Retained::default(), "exactly a week is not too old");
        assert_eq!(store.retain(at(8 * DAY) + Duration::from_nanos(1)).await.unwrap().system, 1);

        // A sample of a day whose samples have gone is added to them, once, and goes.
        put(&store, [sample(30, 1_306)]).await;
        let done = store.retain(at(9 * DAY)).await.unwrap();
        assert_eq!((done.rolled_up, done.system), (1, 1));
        assert_eq!(reader.system_daily(days(0, 1)).await.unwrap(), [day(0, 1_301, 5, 6, 1_306)]);

        // The first day goes when it began more than ninety days ago.
        assert_eq!(store.retain(at(90 * DAY)).await.unwrap(), Retained { rolled_up: 1, system: 1, ..Retained::default() });
        assert_eq!(store.retain(at(90 * DAY + 1)).await.unwrap(), Retained { system_daily: 1, ..Retained::default() });
        assert_eq!(reader.system_daily(days(0, 20)).await.unwrap(), [day(1, 1, 7, 7, 7), day(9, 1, 9, 9, 9)]);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn too_many_samples_are_summed_up_before_they_go_even_those_of_today() {
    everywhere("system_excess", async |place| {
        let mut raw = place.config();
        raw.retention.system = Keep { days: 36_500, rows: 10 };
        raw.retention.system_daily = Keep { days: 36_500, rows: 1 };
        let store = open(raw).await.unwrap();
        put(&store, [sample(1, 1)]).await;
        put(&store, (0..1_500).map(|number| sample(DAY + number, number as u32))).await;
        let done = store.retain(at(DAY + 2_000)).await.unwrap();
        assert_eq!((done.rolled_up, done.system, done.system_daily, done.more), (1_491, 1_491, 1, false));
        let left = samples(&store, 0, 2 * DAY).await;
        assert_eq!((left.len(), left[0]), (10, sample(DAY + 1_490, 1_490)));
        // The rest is added when the day has ended, each sample once.
        let done = store.retain(at(2 * DAY)).await.unwrap();
        assert_eq!((done.rolled_up, done.system), (10, 0));
        assert_eq!(store.reader().system_daily(days(0, 3)).await.unwrap(), [day(1, 1_500, 0, 749, 1_499)]);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[test]
fn range_of_days_has_a_limit() {
    assert!(DayRange::new(at(0), at(365 * DAY)).is_ok());
    let error = DayRange::new(at(0), at(365 * DAY + 1)).unwrap_err();
    assert_eq!(error.to_string(), "the query is out of range: range in days is 366, at most 365");
}

#[tokio::test]
async fn database_of_the_first_schema_gets_the_tables_and_keeps_its_rows() {
    everywhere("system_schema", async |place| {
        let store = place.open().await;
        let key = key("BTCUSDT");
        store.recorder(key).record(record(1, &Totals::EMPTY)).unwrap();
        store.stop(DEADLINE).await.unwrap();
        place
            .meddle(
                "DROP TABLE system_metrics; DROP TABLE system_metrics_daily; DELETE FROM seaql_migrations WHERE version = 'm0002_system'",
            )
            .await;
        let store = place.open().await;
        put(&store, [sample(1, 1)]).await;
        assert_eq!(samples(&store, 0, 2).await, [sample(1, 1)]);
        assert_eq!(store.reader().fills(&key, None, RowLimit::default()).await.unwrap().rows.len(), 1);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn pool_of_a_store_at_rest_is_free_and_well_and_says_when_it_is_not() {
    everywhere("pool", async |place| {
        let store = place.open().await;
        assert_eq!(store.pool().healthy, None);
        store.check().await.unwrap();
        let mut recorder = store.recorder(key("BTCUSDT"));
        recorder.record(record(1, &Totals::EMPTY)).unwrap();
        let before = store.pool().acquires;
        store.load(&recorder.key()).await.unwrap();
        let pool = store.pool();
        // The batch, and four queries.
        assert!(pool.acquires >= before + 5, "{pool:?}");
        assert_eq!((pool.max, pool.in_use, pool.waiting, pool.refused, pool.held_too_long), (3, 0, 0, 0, 0), "{pool:?}");
        assert!(pool.size >= 2 && pool.size <= pool.max, "{pool:?}");
        assert_eq!((pool.healthy, pool.failing), (Some(true), None));
        store.stop(DEADLINE).await.unwrap();
        store.check().await.unwrap_err();
        let pool = store.pool();
        assert_eq!((pool.healthy, pool.size, pool.in_use), (Some(false), 0, 0), "{pool:?}");
        assert!(pool.failing.is_some());
    })
    .await;
}
