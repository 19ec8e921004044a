//! What becomes of lines, from `tracing` to each place where they go.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll_bounded::{Ended, Grants, Ledger};
use plimsoll_logs::limits::{FILE_QUEUE, STORE_BURST, TEXT_MAX, VIEWER_QUEUE, VIEWERS_MAX};
use plimsoll_logs::{FilesConfig, LogFigures, Logs, SinkFigures};
use plimsoll_market::LogLevel;
use tracing_subscriber::prelude::*;

/// A terminal that remembers what it was shown.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<String>>);

impl Screen {
    fn logs(&self) -> Logs {
        let screen = Arc::clone(&self.0);
        Logs::new(move |line| {
            screen.lock().unwrap().push_str(line);
            true
        })
    }

    /// Everything shown, without the times.
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().lines().map(|line| line[28..].to_owned()).collect()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn grants(files: bool) -> Grants {
    Ledger::open(64 << 20).admit(&Logs::plan(files).unwrap()).unwrap()
}

fn logged(logs: &Logs, work: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logs.layer()), work);
}

#[derive(Debug)]
struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a failure")
    }
}

impl std::error::Error for Failure {}

#[test]
fn lines_of_the_terminal_look_as_those_of_tracing_subscriber() {
    let speak = || {
        let _outer = tracing::info_span!("engine", exchange = "local", symbol = %"BTCUSDT").entered();
        tracing::info!("plain");
        tracing::error!(error = %Failure, code = "io", n = 7, ratio = 0.5, ok = true, "a \"quoted\" message");
        {
            let span = tracing::debug_span!("inner", late = tracing::field::Empty);
            span.record("late", 3);
            let _inner = span.entered();
            tracing::warn!(list = ?[1, 2], text = "a \"b\"", "{} of {}", 1, 2);
        }
        tracing::trace!(only = 1);
        tracing::debug!(target: "elsewhere", "from elsewhere");
    };
    let (ours, theirs) = (Screen::default(), Screen::default());
    logged(&ours.logs(), speak);
    let writer = theirs.clone();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), speak);
    assert_eq!(ours.lines(), theirs.lines());
    assert_eq!(ours.lines().len(), 5);
    let stamps = |screen: &Screen| screen.0.lock().unwrap().lines().all(|line| line.as_bytes()[26] == b'Z' && line.as_bytes()[10] == b'T');
    assert!(stamps(&ours) && stamps(&theirs));
}

#[test]
fn a_line_has_a_limit_and_whoever_writes_more_is_stopped() {
    struct Endless<'a>(&'a AtomicUsize);
    impl fmt::Display for Endless<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                self.0.fetch_add(1, Relaxed);
                f.write_str("0123456789\n")?;
            }
        }
    }
    let (screen, written) = (Screen::default(), AtomicUsize::new(0));
    let logs = screen.logs();
    logged(&logs, || {
        tracing::info!("{}", Endless(&written));
        tracing::info!(field = %Endless(&written), "and more");
    });
    for line in screen.lines() {
        let text = line.strip_prefix(" INFO ").unwrap();
        assert!(text.len() <= TEXT_MAX && text.len() > TEXT_MAX - 16 && text.ends_with('…'), "{}", text.len());
    }
    assert!(written.load(Relaxed) < 10_000);
}

#[test]
fn a_secret_is_in_no_line_whatever_carries_it() {
    let screen = Screen::default();
    let logs = screen.logs();
    assert!(logs.hide("hunter2hunter2"));
    logged(&logs, || {
        let _span = tracing::info_span!("with", key = "hunter2hunter2").entered();
        tracing::info!(url = "https://host/hunter2hunter2/x", "signed by hunter2hunter2");
        tracing::info!(bytes = ?b"hunter2hunter2", text = ?"hunter2hunter2", split = %format_args!("hunter2{}", "hunter2"), "again");
        tracing::info!("{}hunter2hunter2", "x".repeat(TEXT_MAX - 5));
    });
    let text = screen.lines().join("\n");
    assert!(!text.contains("hunter2h") && text.matches("[redacted]").count() >= 7, "{text}");
}

#[test]
fn the_101st_viewer_takes_the_place_of_the_oldest_who_is_told() {
    let logs = Logs::new(|_| true);
    assert!(logs.subscribe().is_none(), "nobody is let in before the start");
    logs.start(&mut grants(false), None).unwrap();
    let mut viewers: Vec<_> = (0..VIEWERS_MAX).map(|_| logs.subscribe().unwrap()).collect();
    assert_eq!((logs.figures().viewers, logs.figures().replaced), (VIEWERS_MAX as u64, 0));
    let mut last = logs.subscribe().unwrap();
    let figures = logs.figures();
    assert_eq!((figures.viewers, figures.replaced), (VIEWERS_MAX as u64, 1));
    logged(&logs, || tracing::info!("for all"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert_eq!(viewers[0].next().await.unwrap_err(), Ended::Replaced);
        for viewer in viewers.iter_mut().skip(1).chain([&mut last]) {
            assert_eq!(&*viewer.next().await.unwrap().item.text, "for all");
        }
    });
    assert_eq!(logs.figures().live, SinkFigures { written: VIEWERS_MAX as u64, dropped: 0 });
    // One that leaves by itself makes room without anybody having to go.
    drop(viewers.pop());
    let _newer = logs.subscribe().unwrap();
    assert_eq!(logs.figures().replaced, 1);
}

#[test]
fn a_slow_viewer_loses_the_oldest_lines_and_learns_how_many() {
    let logs = Logs::new(|_| true);
    logs.start(&mut grants(false), None).unwrap();
    let mut viewer = logs.subscribe().unwrap();
    logged(&logs, || {
        for number in 0..VIEWER_QUEUE + 7 {
            tracing::debug!(number);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = runtime.block_on(viewer.next()).unwrap();
    assert_eq!((first.missed, &*first.item.text), (7, "number=7"));
    assert_eq!(logs.figures().live.dropped, 7);
}

#[test]
fn a_value_that_panics_leaves_the_log_as_it_was() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a made-up panic")
        }
    }
    let screen = Screen::default();
    let logs = screen.logs();
    logged(&logs, || {
        let caught = std::panic::catch_unwind(|| tracing::info!("{}", Broken));
        assert!(caught.is_err());
        tracing::info!("goes on");
    });
    assert_eq!(screen.lines(), [" INFO goes on"]);
}

#[test]
fn who_carries_lines_is_not_told_of_carrying_them() {
    let logs = Logs::new(|_| true);
    logs.start(&mut grants(false), None).unwrap();
    let stored = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&stored);
    logs.store(LogLevel::Debug, move |record| kept.lock().unwrap().push(record.text.to_string()));
    let mut viewer = logs.subscribe().unwrap();
    logged(&logs, || {
        tracing::debug!(target: "sqlx::query", "1 insert");
        tracing::debug!(target: "sea_orm::database", "2 transaction");
        tracing::debug!(target: "tungstenite::protocol", "3 frame");
        tracing::trace!("4 below the store's level");
        tracing::debug!("5 ours");
    });
    assert_eq!(*stored.lock().unwrap(), ["3 frame", "5 ours"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut seen = Vec::new();
    runtime.block_on(async {
        while let Ok(Ok(received)) = tokio::time::timeout(Duration::from_millis(50), viewer.next()).await {
            seen.push(received.item.text.to_string());
        }
    });
    assert_eq!(seen, ["1 insert", "2 transaction", "4 below the store's level", "5 ours"]);
}

#[test]
fn the_store_is_not_given_more_than_its_rate() {
    let logs = Logs::new(|_| true);
    logs.store(LogLevel::Debug, |_| {});
    let began = Instant::now();
    logged(&logs, || {
        for number in 0..STORE_BURST + 500 {
            tracing::debug!(number);
        }
    });
    let store = logs.figures().store;
    let since = began.elapsed().as_secs() + 1;
    assert!(store.written >= u64::from(STORE_BURST) && store.written <= u64::from(STORE_BURST) + 20 * since, "{store:?}");
    assert_eq!(store.written + store.dropped, u64::from(STORE_BURST) + 500);
}

#[test]
fn a_disk_that_takes_nothing_holds_up_nobody_and_the_rest_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::new(|_| true);
    let config = FilesConfig { folder: folder.path().join("logs"), file_bytes: 1 << 20, keep_bytes: 2 << 20 };
    let writer = logs.start(&mut grants(true), Some(config)).unwrap().unwrap();
    // The writer does not run: as one whose disk hangs.
    let more = 40;
    logged(&logs, || {
        for number in 0..FILE_QUEUE + more {
            tracing::debug!(number, "waits");
        }
    });
    assert_eq!(logs.figures().files, SinkFigures { written: 0, dropped: more as u64 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        // Nobody answers: the end does not wait for ever either.
        let began = Instant::now();
        logs.finish(Duration::from_millis(50)).await;
        assert!(began.elapsed() < Duration::from_secs(5));
        // The disk comes back.
        logged(&logs, || {
            for _ in 0..10 {
                tracing::warn!("the same again");
            }
        });
        let writing = writer.run();
        tokio::select! {
            biased; // all is in the queue before the writer begins
            () = logs.finish(Duration::from_secs(20)) => {}
            () = writing => panic!("it writes as long as there is a log"),
        }
    });
    let text = std::fs::read_to_string(folder.path().join("logs/plimsoll.log")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // 40 went at first; two marks, three lines and one with the count of the others took the place of six more.
    assert!(lines[0].starts_with("46 lines were lost here"), "{}", lines[0]);
    assert!(lines[1].ends_with("logs: waits number=46"), "{}", lines[1]);
    assert!(text.ends_with(" WARN logs: the same again (repeated 7 times)\n"), "{}", lines[lines.len() - 1]);
    let LogFigures { files, file_bytes, repeated, .. } = logs.figures();
    assert_eq!((files.written, file_bytes, repeated), (FILE_QUEUE as u64 - 2, text.len() as u64, 7));
}

#[test]
fn floods_are_left_out_counted_and_told() {
    let screen = Screen::default();
    let logs = screen.logs();
    logged(&logs, || {
        for number in 0..20_000 {
            tracing::trace!(number);
        }
        tracing::error!("still heard");
    });
    logs.tick();
    let (lines, figures) = (screen.lines(), logs.figures());
    assert!(figures.limited > 0 && lines.len() as u64 == 20_000 - figures.limited + 2, "{figures:?}, {} lines", lines.len());
    assert_eq!(lines[lines.len() - 2], "ERROR still heard");
    let told = format!(" WARN lines left out of the log, because there were too many a second lines={}", figures.limited);
    assert_eq!(lines[lines.len() - 1], told);
}
