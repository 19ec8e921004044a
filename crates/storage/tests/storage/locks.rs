//! Other programs that hold a database file: its lock, or an instant of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll_storage::{RawStoreConfig, StoreError};
use sea_orm::sqlx::{self, Connection as _, Executor as _};

use crate::common::{Loop, Place, all_fills, check_prefix, health, key, open};
use crate::faults::STATE;

const STOP: Duration = Duration::from_secs(20);

/// The statement that a child of this program runs before it waits, and on which file.
const HOLD: &str = "PLIMSOLL_TEST_HOLD";

/// Another process that holds something of a database.
struct Foreign {
    child: Child,
    /// Kept open: it says more at its end.
    _out: BufReader<ChildStdout>,
}

impl Foreign {
    fn hold(database: &Path, sql: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "locks::holds_what_it_is_told", "--nocapture"])
            .env(HOLD, format!("{}|{sql}", database.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("it is held") {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "the other program could not do {sql}");
        }
        Self { child, _out: out }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn let_go(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the child does; without being told, nothing.
#[tokio::test]
async fn holds_what_it_is_told() {
    let Ok(told) = std::env::var(HOLD) else { return };
    let (database, sql) = told.split_once('|').unwrap();
    let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite:{database}")).await.unwrap();
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "it is held").unwrap();
    out.flush().unwrap();
    // Until the parent closes its end, or ends.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[tokio::test]
async fn file_locked_by_a_foreign_process_stops_records_and_nothing_is_lost() {
    let place = Place::file();
    let raw = RawStoreConfig { batch_size: 2, flush_interval_ms: 10, ..place.config() };
    let store = open(raw).await.unwrap();
    let mut one = Loop::new(&store);
    assert!(one.record(4));
    store.flush().await.unwrap();
    let foreign = Foreign::hold(&place.path(), "BEGIN EXCLUSIVE");
    let began = Instant::now();
    // Records go on coming until there is no room.
    while one.record(1) {
        tokio::task::yield_now().await;
    }
    let recorded = one.totals.fills;
    let failing = health(&store, |health| health.failures >= 2 && health.records_full).await;
    assert!(began.elapsed() >= Duration::from_secs(10), "each attempt waits for its five seconds");
    let text = failing.failing.clone().unwrap();
    assert!(text.contains(&place.path().display().to_string()) && text.contains("close it there"), "{text}");
    let who = if cfg!(target_os = "linux") { format!("process {} (", foreign.id()) } else { "another program".to_owned() };
    assert!(text.contains(&format!("is locked by {who}")), "{text}");
    let error = store.commit(key("BTCUSDT"), STATE).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{}", error.chain());
    // Whoever only looks is not disturbed.
    assert_eq!(store.reader().totals(&key("BTCUSDT")).await.unwrap().unwrap().fills, 4);
    // A minute in all, and it is tried again and again.
    tokio::time::sleep(Duration::from_secs(60).saturating_sub(began.elapsed())).await;
    let later = health(&store, |_| true).await;
    assert!(later.records_full && later.failures > failing.failures, "{} failures", later.failures);
    foreign.let_go();
    health(&store, |health| health.failing.is_none() && !health.records_full).await;
    one.resume(&store, recorded).await;
    assert_eq!(one.totals.fills, recorded, "everything that was taken is there");
    store.commit(key("BTCUSDT"), STATE).await.unwrap();
    store.stop(STOP).await.unwrap();
}

/// Collects what is said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn has(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line.contains(text))
    }
}

impl tracing::Subscriber for Said {
    fn enabled(&self, of: &tracing::Metadata<'_>) -> bool {
        *of.level() <= tracing::Level::INFO && of.target().starts_with("plimsoll")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!(" {}={value:?}", field.name()));
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn foreign_reader_that_stays_is_named_delays_nobody_and_the_log_is_cut_when_it_goes() {
    const CAP: u64 = 32 << 20;
    let said = Said::default();
    let _here = tracing::subscriber::set_default(said.clone());
    let place = Place::file();
    let store = open(RawStoreConfig { flush_interval_ms: 10, ..place.config() }).await.unwrap();
    let mut one = Loop::new(&store);
    assert!(one.record(10));
    store.flush().await.unwrap();
    let foreign = Foreign::hold(&place.path(), "BEGIN; SELECT COUNT(*) FROM fills");
    place.meddle("CREATE TABLE ballast (text TEXT)").await;
    for _ in 0..40 {
        place.meddle("INSERT INTO ballast VALUES (printf('%.*c', 1000000, 'x'))").await;
    }
    // Time for the writer to look at it, and to be stopped by it if it were.
    let longest = busy_for(&store, &mut one, Duration::from_secs(2)).await;
    assert!(longest < Duration::from_secs(3), "a state waited {longest:?} for a reader");
    let log = store.sizes().await.unwrap().log;
    assert!(log > CAP, "{log}: as large as it is, it is told");
    let who = if cfg!(target_os = "linux") { format!("process {} (", foreign.id()) } else { "another program".to_owned() };
    let lines = said.0.lock().unwrap().clone();
    let line = lines.iter().find(|line| line.contains("cannot be cut")).unwrap();
    assert!(line.contains(&who) && line.contains("end it there") && line.contains("size_bytes="), "{line}");
    assert_eq!(lines.iter().filter(|line| line.contains("cannot be cut")).count(), 1, "said seldom");
    foreign.let_go();
    let began = Instant::now();
    while store.sizes().await.unwrap().log > CAP || !said.has("cut again") {
        assert!(began.elapsed() < Duration::from_secs(20), "the log stays");
        busy_for(&store, &mut one, Duration::from_millis(50)).await;
    }
    let key = key("BTCUSDT");
    let stored = check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await);
    assert_eq!(stored, one.totals.fills);
    store.stop(STOP).await.unwrap();
}

/// Records and commits states for a while; returns how long the slowest took.
async fn busy_for(store: &plimsoll_storage::Store, one: &mut Loop, time: Duration) -> Duration {
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    while began.elapsed() < time {
        assert!(one.record(5));
        let asked = Instant::now();
        store.commit(key("BTCUSDT"), STATE).await.unwrap();
        store.flush().await.unwrap();
        longest = longest.max(asked.elapsed());
    }
    longest
}
