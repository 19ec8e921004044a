//! Connections held, waited for, refused and checked, on every database there is.

#![allow(clippy::print_stderr, reason = "a test says what it leaves out")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::StoreConfig;
use crate::db::Db;
use crate::limits::{QUERY_TIMEOUT, READERS};
use crate::read::Reader;

/// Runs a test with readers of a file, and with readers of the server if there is one.
async fn everywhere(test: impl AsyncFn(Db, &Pool)) {
    let folder = tempfile::tempdir().unwrap();
    let pool = Arc::new(Pool::default());
    let config = StoreConfig::of_url(format!("sqlite:{}", folder.path().join("bot.db").display())).unwrap();
    let writer = Db::writer(&config, &pool).await.unwrap();
    test(Db::readers(&config, &pool).await.unwrap(), &pool).await;
    drop(writer);
    let Ok(url) = std::env::var("PLIMSOLL_TEST_POSTGRES") else {
        eprintln!("left out: connections of PostgreSQL, because PLIMSOLL_TEST_POSTGRES is not set");
        return;
    };
    let pool = Arc::new(Pool::default());
    let config = StoreConfig::of_url(url).unwrap();
    test(Db::readers(&config, &pool).await.unwrap(), &pool).await;
}

fn figures(pool: &Pool, db: &Db, later: Duration) -> PoolFigures {
    let (size, idle) = db.open_and_idle();
    pool.figures(Instant::now() + later, size, idle)
}

/// Goes on with something once and tells whether it still waits.
async fn waits<T>(mut work: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn who_has_a_connection_is_named_and_after_too_long_as_a_leak() {
    everywhere(async |db, pool| {
        let before = figures(pool, &db, Duration::ZERO);
        assert_eq!((before.max, before.in_use, before.held.len(), before.acquires), (3, 0, 0, 0));
        let forgotten = db.read("test.forgotten").await.unwrap();
        let held = figures(pool, &db, Duration::ZERO);
        assert_eq!((held.in_use, held.acquires, held.held_too_long), (1, 1, 0), "{held:?}");
        assert!(held.size > held.idle, "the driver knows it, too: {held:?}");
        assert_eq!(held.held[0].holder, "test.forgotten");
        assert_eq!(held.leaks().count(), 0);

        let young = db.read("test.young").await.unwrap();
        let since = lock(&pool.seats)[0].unwrap().since;
        assert_eq!(pool.figures(since + HELD_MAX, 2, 0).held_too_long, 0, "exactly the time that is allowed");
        let leaked = pool.figures(since + HELD_MAX + Duration::from_nanos(1), 2, 0);
        assert_eq!(leaked.leaks().map(|held| held.holder).collect::<Vec<_>>(), ["test.forgotten"]);
        assert_eq!((leaked.held_too_long, leaked.in_use, leaked.held[1].holder), (1, 2, "test.young"), "the longest first");

        drop((forgotten, young));
        let after = figures(pool, &db, HELD_MAX * 2);
        assert_eq!((after.in_use, after.held_too_long, after.waiting, after.held), (0, 0, 0, vec![]));
        db.connection.clone().close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn who_waits_is_counted_until_a_connection_is_free_or_it_gives_up() {
    everywhere(async |db, pool| {
        let mut taken = Vec::new();
        for _ in 0..READERS {
            taken.push(db.read("test.taken").await.unwrap());
        }
        assert_eq!(figures(pool, &db, Duration::ZERO).waiting, 0);
        {
            let mut one = pin!(db.read("test.one"));
            let mut other = pin!(db.read("test.other"));
            assert!(waits(one.as_mut()).await && waits(other.as_mut()).await);
            assert_eq!(figures(pool, &db, Duration::ZERO).waiting, 2);
        }
        assert_eq!(figures(pool, &db, Duration::ZERO).waiting, 0, "who gave up does not wait");

        let mut next = pin!(db.read("test.next"));
        assert!(waits(next.as_mut()).await);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_millis(2) {
            tokio::task::yield_now().await;
        }
        drop(taken.pop());
        let next = next.await.unwrap();
        let now = figures(pool, &db, Duration::ZERO);
        assert_eq!((now.waiting, now.in_use, now.acquires), (0, READERS, u64::from(READERS) + 1));
        assert!(now.wait_max >= Duration::from_millis(2) && now.wait_total >= now.wait_max, "{now:?}");
        drop((taken, next));
        assert_eq!(figures(pool, &db, Duration::ZERO).in_use, 0);
        db.connection.clone().close().await.unwrap();
        assert!(db.read("test.late").await.is_err());
        let closed = figures(pool, &db, Duration::ZERO);
        assert_eq!((closed.refused, closed.waiting, closed.in_use), (1, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn health_check_fails_while_no_connection_is_to_be_had_and_heals() {
    everywhere(async |db, pool| {
        let reader = Reader::new(db.clone());
        assert_eq!(figures(pool, &db, Duration::ZERO).healthy, None);
        let taken = [db.read("test.taken").await.unwrap(), db.read("test.taken").await.unwrap()];
        assert!(matches!(reader.check(Duration::from_millis(5)).await, Err(StoreError::Busy { .. })));
        let sick = figures(pool, &db, Duration::from_secs(9));
        assert_eq!(sick.healthy, Some(false));
        assert!(sick.failing.unwrap().contains("is busy"));
        assert!(sick.checked.unwrap() >= Duration::from_secs(9) && sick.check_took.unwrap() >= Duration::from_millis(5));
        drop(taken);
        reader.check(Duration::from_secs(10)).await.unwrap();
        let well = figures(pool, &db, Duration::ZERO);
        assert_eq!((well.healthy, well.failing, well.in_use), (Some(true), None, 0));
        db.connection.clone().close().await.unwrap();
        assert!(reader.check(Duration::from_secs(10)).await.is_err());
        assert_eq!(figures(pool, &db, Duration::ZERO).healthy, Some(false));
    })
    .await;
}

#[tokio::test]
async fn more_holders_than_places_are_counted_as_far_as_there_are_places() {
    let pool = Arc::new(Pool::default());
    let mut seats = Vec::new();
    for _ in 0..HOLDERS_MAX + 1 {
        seats.push(pool.acquire("test.many", async { Ok(()) }).await.unwrap());
    }
    assert_eq!(pool.figures(Instant::now(), 0, 0).in_use, HOLDERS_MAX as u32);
    drop(seats);
    assert_eq!(pool.figures(Instant::now(), 0, 0).in_use, 0);
}

/// What takes for ever: sums have their only row at the end, so nobody can stop them by not reading on.
fn endless(db: &Db) -> &'static str {
    if db.is_sqlite() {
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n WHERE i < 0"
    } else {
        "SELECT COUNT(pg_sleep(3600))"
    }
}

#[tokio::test]
async fn query_that_nobody_waits_for_is_broken_off_and_its_connection_comes_back() {
    everywhere(async |db, pool| {
        let reader = Reader::new(db.clone());
        let began = Instant::now();
        let given_up = reader.run_for_test(Duration::from_millis(300), endless(&db)).await.unwrap_err();
        assert!(given_up.to_string().contains("is busy: it did not answer within"), "{given_up}");
        assert!(began.elapsed() < Duration::from_secs(5), "who asked is told at once");
        assert_eq!(figures(pool, &db, Duration::ZERO).in_use, 0);
        let (size, idle) = db.open_and_idle();
        assert!(idle < size, "it still works for nobody");
        while db.open_and_idle().1 < db.open_and_idle().0 {
            assert!(began.elapsed() < QUERY_TIMEOUT + Duration::from_secs(5), "it works on for ever");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // A server's is closed, because the answer on it was an error that nobody took.
        assert_eq!(db.open_and_idle().1 > 0, db.is_sqlite());
        reader.check(Duration::from_secs(5)).await.unwrap();
        if !db.is_sqlite() {
            let active = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND state = 'active' AND pid <> pg_backend_pid()";
            assert_eq!(reader.run_for_test(Duration::from_secs(5), active).await.unwrap(), 0, "the server works on for ever");
        }
        db.connection.clone().close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn reader_that_would_stay_for_an_hour_does_not_hold_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let pool = Arc::new(Pool::default());
    let file = folder.path().join("bot.db");
    let config = StoreConfig::of_url(format!("sqlite:{}", file.display())).unwrap();
    let writer = Db::writer(&config, &pool).await.unwrap();
    writer.run("test", "CREATE TABLE rows (text TEXT)").await.unwrap();
    let db = Db::readers(&config, &pool).await.unwrap();
    let reader = Reader::new(db.clone());
    let sql = "WITH RECURSIVE n(i) AS (SELECT COUNT(*) FROM rows UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n WHERE i < 0";
    let began = Instant::now();
    reader.run_for_test(Duration::from_millis(300), sql).await.unwrap_err();
    for _ in 0..3 {
        writer.run("test", "INSERT INTO rows VALUES (printf('%.*c', 1000000, 'x'))").await.unwrap();
    }
    let size = || std::fs::metadata(crate::writer::log_path(&file)).unwrap().len();
    let cut = async || writer.run("test", "PRAGMA busy_timeout = 10; PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    cut().await;
    assert!(size() > 3_000_000, "what it reads is held while it reads");
    while size() > 0 {
        assert!(began.elapsed() < QUERY_TIMEOUT + Duration::from_secs(5), "the log is held for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
        cut().await;
    }
    reader.check(Duration::from_secs(5)).await.unwrap();
}
