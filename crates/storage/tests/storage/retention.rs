//! The room that old rows leave: who goes first, and what the file has afterwards.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Place, all_fills, check_prefix, everywhere, key, open, records};
use crate::faults::STATE;
use crate::tool::config;
use plimsoll_market::Time;
use plimsoll_storage::tool::{self, Advice, Weight};
use plimsoll_storage::{Keep, RawStoreConfig, Retained, Store};

const DEADLINE: Duration = Duration::from_secs(30);
const DAY: u64 = 86_400;
const NOW: u64 = 20_000 * DAY;

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

/// Puts rows of 400 bytes into a table, all of them of one age.
async fn put(place: &Place, table: &str, rows: u64, age: Duration) {
    let time_ns = at(NOW).nanos() - age.as_nanos() as u64;
    let text = "x".repeat(360);
    let (columns, values) = match table {
        "logs" => ("time_ns, level, target, message", format!("{time_ns} + n, 3, 'test', '{text}'")),
        "events" => ("time_ns, severity, code, text", format!("{time_ns} + n, 'info', 'started', '{text}'")),
        "equity" => ("time_ns, account, wallet, unrealized, equity", format!("{time_ns} + n, 'main', '{}', '2', '3'", "1".repeat(360))),
        other => panic!("no rows for {other}"),
    };
    let numbers = format!("WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})");
    place.meddle(&format!("INSERT INTO {table} ({columns}) {numbers} SELECT {values} FROM numbers")).await;
}

async fn count(place: &Place, table: &str) -> u64 {
    place.number(&[], &format!("SELECT COUNT(*) FROM {table}")).await.unsigned_abs()
}

async fn file_bytes(store: &Store) -> u64 {
    store.sizes().await.unwrap().database
}

async fn book(store: &Store, number: u64) {
    let mut recorder = store.recorder(key("BTCUSDT"));
    for record in records(number) {
        recorder.record(record).unwrap();
    }
    store.flush().await.unwrap();
}

#[tokio::test]
async fn file_becomes_smaller_and_states_are_committed_meanwhile() {
    everywhere("shrinks", async |place| {
        let mut raw = RawStoreConfig { flush_interval_ms: 100, ..place.config() };
        raw.retention.orders = Keep { days: 36_500, rows: 1_000_000 };
        let store = open(raw).await.unwrap();
        book(&store, 50).await;
        put(place, "logs", 40_000, Duration::from_secs(8 * DAY)).await;
        put(place, "logs", 1_000, Duration::from_secs(DAY)).await;
        let retained = async {
            let began = Instant::now();
            let done = store.retain(at(NOW)).await.unwrap();
            (done, began.elapsed())
        };
        let mut slowest = Duration::ZERO;
        let mut commits = 0_u32;
        let (done, took) = {
            let mut retained = std::pin::pin!(retained);
            loop {
                let began = Instant::now();
                store.commit(key("BTCUSDT"), STATE).await.unwrap();
                (slowest, commits) = (slowest.max(began.elapsed()), commits + 1);
                if let Ok(done) = tokio::time::timeout(Duration::from_millis(1), &mut retained).await {
                    break done;
                }
            }
        };
        eprintln!("{done:?} in {took:?}; {commits} commits meanwhile, the slowest in {slowest:?}");
        assert_eq!((done.logs, done.rows(), done.gave_way, done.more), (40_000, 40_000, false, false));
        assert!(commits > 40, "{commits}: nobody else had a turn");
        assert_eq!(count(place, "logs").await, 1_000);
        check_prefix(&store.load(&key("BTCUSDT")).await.unwrap(), &all_fills(&store, &key("BTCUSDT")).await);
        if place.is_file() {
            assert!(done.returned_bytes > 15_000_000 && !done.log_held, "{done:?}");
            let sizes = store.sizes().await.unwrap();
            assert!(sizes.database < 3_000_000, "{sizes:?}");
            assert_eq!(sizes.log, 0, "{sizes:?}");
        }
        assert_eq!(store.retain(at(NOW)).await.unwrap(), Retained::default(), "once is enough");
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn history_gives_way_in_its_order_and_fills_never() {
    let place = Place::file();
    let mut raw = RawStoreConfig { size_max_bytes: 8 << 20, ..place.config() };
    raw.retention.orders = Keep { days: 36_500, rows: 1_000_000 };
    let store = open(raw).await.unwrap();
    book(&store, 300).await;
    // All of them may stay by their age, and may be shed by a quarter of it.
    put(&place, "logs", 6_000, Duration::from_secs(3 * DAY)).await;
    put(&place, "logs", 500, Duration::from_secs(DAY)).await;
    put(&place, "equity", 4_000, Duration::from_secs(20 * DAY)).await;
    put(&place, "events", 4_000, Duration::from_secs(60 * DAY)).await;
    // 14,500 rows are some 6 MB: less than nine tenths.
    assert_eq!(store.retain(at(NOW)).await.unwrap().rows(), 0);
    put(&place, "equity", 4_500, Duration::from_secs(20 * DAY)).await;
    let done = store.retain(at(NOW)).await.unwrap();
    assert!(done.gave_way, "{done:?}, {} bytes", file_bytes(&store).await);
    assert_eq!((done.logs, done.equity, done.events), (6_000, 0, 0), "the log alone made room enough");
    assert_eq!(count(&place, "logs").await, 500);
    put(&place, "events", 6_000, Duration::from_secs(60 * DAY)).await;
    let done = store.retain(at(NOW)).await.unwrap();
    assert_eq!((done.gave_way, done.logs, done.equity, done.events), (true, 0, 8_500, 0), "{done:?}");
    // Whoever needs the disk has all of it, and the free pages, too.
    let done = store.shed(at(NOW)).await.unwrap();
    assert_eq!((done.gave_way, done.logs, done.events), (true, 0, 10_000));
    assert_eq!(place.number(&[], "PRAGMA freelist_count").await, 0);
    assert_eq!(check_prefix(&store.load(&key("BTCUSDT")).await.unwrap(), &all_fills(&store, &key("BTCUSDT")).await), 300);
    assert!(file_bytes(&store).await < 1 << 20, "{}", file_bytes(&store).await);
    store.stop(DEADLINE).await.unwrap();
}

/// Not a test by itself: reads a database for as long as somebody holds the other end of its input.
#[tokio::test]
async fn a_reader_in_a_process_of_its_own() {
    use sea_orm::{ConnectionTrait, TransactionTrait};
    let Ok(path) = std::env::var("PLIMSOLL_TEST_READS") else { return };
    let back = sea_orm::Database::connect(format!("sqlite:{path}")).await.unwrap();
    let reading = back.begin().await.unwrap();
    reading.query_one_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT COUNT(*) FROM logs")).await.unwrap();
    println!("reading");
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    drop(reading);
}

#[tokio::test]
async fn a_foreign_reader_is_named_and_holds_up_nobody() {
    let place = Place::file();
    let store = place.open().await;
    put(&place, "logs", 3_000, Duration::from_secs(8 * DAY)).await;
    assert_eq!(store.foreign_readers(), []);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "retention::a_reader_in_a_process_of_its_own", "--nocapture"])
        .env("PLIMSOLL_TEST_READS", place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("reading")), "it did not begin");
    put(&place, "logs", 3_000, Duration::from_secs(DAY)).await;
    let began = Instant::now();
    let done = store.shed(at(NOW)).await.unwrap();
    let took = began.elapsed();
    assert!(done.log_held && done.logs == 3_000, "{done:?}");
    assert!(took < Duration::from_secs(4), "it waited for the reader: {took:?}");
    assert!(store.sizes().await.unwrap().log > 0);
    let readers = store.foreign_readers();
    if cfg!(target_os = "linux") {
        assert_eq!(readers.iter().map(|reader| reader.process).collect::<Vec<_>>(), [child.id()], "{readers:?}");
        assert!(readers[0].to_string().contains("(storage"), "{}", readers[0]);
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
    let done = store.shed(at(NOW)).await.unwrap();
    assert!(!done.log_held, "{done:?}");
    assert_eq!((store.sizes().await.unwrap().log, store.foreign_readers()), (0, Vec::new()));
    store.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn an_older_file_is_told_of_and_made_anew_on_demand() {
    let place = Place::file();
    let store = place.open().await;
    book(&store, 40).await;
    store.stop(DEADLINE).await.unwrap();
    assert!(!tool::plan(&config(&place)).await.unwrap().rigid, "new files are made as they should be");
    assert_eq!(tool::loosen(&config(&place)).await.unwrap(), None);
    // As versions before made it.
    place.number(&["PRAGMA auto_vacuum = NONE", "VACUUM"], "PRAGMA auto_vacuum").await;
    assert!(tool::plan(&config(&place)).await.unwrap().rigid);

    let store = place.open().await;
    put(&place, "logs", 5_000, Duration::from_secs(8 * DAY)).await;
    let full = file_bytes(&store).await.max(2 << 20);
    let done = store.retain(at(NOW)).await.unwrap();
    assert_eq!((done.logs, done.returned_bytes), (5_000, 0), "it runs with it as it is");
    let error = tool::loosen(&config(&place)).await.unwrap_err();
    assert!(error.to_string().contains("stop that one"), "a bot has it: {error}");
    store.stop(DEADLINE).await.unwrap();
    assert!(file_bytes_of(&place) >= full);

    let note = |findings: &tool::Findings| findings.list.iter().any(|f| f.weight == Weight::Note && f.advice == Advice::Migrate);
    let findings = tool::check(&config(&place)).await.unwrap();
    assert!(note(&findings) && findings.list.iter().any(|f| f.what.contains("never becomes smaller")), "{:?}", findings.list);
    let made = tool::backup(&config(&place)).await.unwrap();
    let done = tool::loosen(&config(&place)).await.unwrap().unwrap();
    assert!(done.after < done.before / 4 && done.before >= full, "{done:?}");
    assert!(done.replaced.as_ref().is_some_and(|old| old.is_file()), "{done:?}");
    let findings = tool::check(&config(&place)).await.unwrap();
    assert!(!note(&findings) && findings.wrong == 0, "{:?}", findings.list);
    let store = place.open().await;
    assert_eq!(check_prefix(&store.load(&key("BTCUSDT")).await.unwrap(), &all_fills(&store, &key("BTCUSDT")).await), 40);
    store.stop(DEADLINE).await.unwrap();

    // A backup of an older file is one of the new kind.
    tool::restore(&config(&place), &made.file).await.unwrap();
    assert!(!tool::plan(&config(&place)).await.unwrap().rigid);
}

#[tokio::test]
async fn all_backups_but_the_newest_go_when_the_disk_is_short() {
    let place = Place::file();
    place.open().await.stop(DEADLINE).await.unwrap();
    let config = config(&place);
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(tool::backup(&config).await.unwrap().file);
    }
    for _ in 0..2 {
        tool::restore(&config, &made[0]).await.unwrap();
    }
    let unfinished = config.backups().unwrap().join("plimsoll-20261123T161116.123Z.db.77.part");
    std::fs::write(&unfinished, "half of it").unwrap();
    let size = std::fs::metadata(&made[0]).unwrap().len();
    let done = tool::thin_backups(&config, 1).unwrap();
    assert!(done.files == 3 && done.bytes >= 3 * size, "{done:?}: two backups and a database that was replaced");
    assert_eq!(made.iter().map(|file| file.exists()).collect::<Vec<_>>(), [false, false, true]);
    assert!(unfinished.exists(), "somebody may be writing it");
    assert_eq!(tool::thin_backups(&config, 1).unwrap(), tool::Thinned::default());
}

fn file_bytes_of(place: &Place) -> u64 {
    std::fs::metadata(place.path()).unwrap().len()
}
