//! The disk budget with the real binary: it tells, makes room, opens nothing, and goes on once there is room.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{KEY, Running, SECRET, free_port, get, http, until};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// A bot on its own exchange, which looks at its disk every second.
struct Bot {
    running: Running,
    api: String,
    data: PathBuf,
    file: PathBuf,
}

impl Bot {
    fn start(folder: &Path, data: &Path, budget: &str, exchange: &str) -> Self {
        let (web, file) = (free_port(), folder.join("plimsoll.yaml"));
        let text = format!(
            "{exchange}\ndata_dir: {}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\n\
             log: {{ level: warn, file_size: 1MB, keep: 2MB }}\njournal: {{ segment_size: 1MB, keep: 16MB }}\n\
             risk_control: {{ enabled: false }}\nwatchdog: {{ cool_down: 1s }}\n\
             storage: {{ flush_interval: 300ms, disk_budget: {budget}, disk_interval: 1s }}\n\
             trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n",
            data.display()
        );
        std::fs::write(&file, text).unwrap();
        let keys = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];
        let running = Running::start(&["run", "--config", file.to_str().unwrap()], &keys);
        let bot = Self { running, api: format!("127.0.0.1:{web}"), data: data.to_owned(), file };
        bot.until("fills", || bot.fills() > 0);
        bot
    }

    #[track_caller]
    fn until(&self, what: &str, done: impl FnMut() -> bool) {
        until(PATIENCE, what, done);
    }

    fn symbol(&self) -> serde_json::Value {
        let status = get(&self.api, "/api/status").unwrap_or_default();
        status["symbols"].get(0).cloned().unwrap_or_default()
    }

    fn fills(&self) -> u64 {
        self.symbol()["fills"].as_u64().unwrap_or(0)
    }

    fn is_closed(&self) -> bool {
        self.symbol()["closed"] == "records_full"
    }

    /// A metric that is a whole number; `None` while there is none.
    fn metric(&self, series: &str) -> Option<u64> {
        let (_, text) = http("GET", &self.api, "/metrics", &[]).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok())?;
        Some(value as u64)
    }

    fn level(&self) -> Option<u64> {
        self.metric("plimsoll_disk_level ")
    }

    fn bytes(&self, kind: &str) -> u64 {
        self.metric(&format!("plimsoll_disk_bytes{{kind=\"{kind}\"}} ")).unwrap_or(0)
    }

    /// Whether an alert with these words was stored.
    fn told(&self, words: &[&str]) -> bool {
        let Some(page) = get(&self.api, "/api/events?limit=1000") else { return false };
        page["items"].as_array().unwrap().iter().any(|event| {
            let text = event["text"].as_str().unwrap();
            words.iter().all(|word| text.contains(word))
        })
    }

    /// Has a file take so much that all files together take this share of a budget.
    fn fill(&self, budget: u64, percent: u64) {
        let path = self.data.join("ballast");
        let kinds = ["database", "wal", "backups", "logs", "journal", "profiles", "reports", "other"];
        let used: u64 = kinds.iter().map(|kind| self.bytes(kind)).sum();
        let there = std::fs::metadata(&path).map_or(0, |file| file.len());
        let wanted = (budget * percent / 100).saturating_sub(used.saturating_sub(there));
        std::fs::write(&path, vec![7; wanted as usize]).unwrap();
    }

    fn stop(mut self) {
        assert!(self.running.stop(PATIENCE).success());
        let check = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["db", "check", "--config"]).arg(&self.file).output().unwrap();
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    }
}

#[test]
fn a_budget_is_told_kept_by_shedding_and_stops_opening_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let bot = Bot::start(folder.path(), &data, "256MB", "exchange: local\nlocal: { speed: 5 }");
    bot.until("a first look", || bot.level() == Some(0) && bot.bytes("database") > 0);
    assert_eq!(bot.metric("plimsoll_disk_budget_bytes "), Some(256 * MIB));
    let backup = |second: u32| data.join(format!("backups/plimsoll-20260101T0000{second:02}.000Z.db"));
    std::fs::create_dir_all(data.join("backups")).unwrap();
    std::fs::create_dir_all(data.join("profiles")).unwrap();
    for second in 0..3 {
        std::fs::write(backup(second), vec![1; MIB as usize]).unwrap();
        std::fs::write(data.join(format!("profiles/leak-160000000000{second}.heap.pb.gz")), "profile").unwrap();
    }
    std::fs::write(data.join("profiles/mine.pb.gz"), "somebody's own").unwrap();
    bot.until("a second look", || bot.bytes("backups") >= 3 * MIB);

    bot.fill(256 * MIB, 83);
    bot.until("the first level", || bot.level() == Some(1));
    bot.until("its alert", || bot.told(&["the disk runs short:", "are taken of 256 MB (storage.disk_budget)", "other 2"]));
    assert!(backup(0).exists() && !bot.is_closed());

    bot.fill(256 * MIB, 93);
    bot.until("the second level", || bot.level() == Some(2));
    bot.until("room that was made", || bot.told(&["room was made on the disk", "4 files are gone"]));
    assert_eq!([0, 1, 2].map(|second| backup(second).exists()), [false, false, true]);
    let mut profiles: Vec<_> = std::fs::read_dir(data.join("profiles")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    profiles.sort();
    assert_eq!(profiles, ["leak-1600000000002.heap.pb.gz", "mine.pb.gz"]);
    assert!(!bot.is_closed());

    bot.fill(256 * MIB, 99);
    bot.until("the third level", || bot.level() == Some(3));
    bot.until("closed symbols", || bot.is_closed());
    bot.until("its alert", || bot.told(&["the disk is nearly full, nothing is opened any more"]));
    bot.until("the metric that says so", || bot.metric("plimsoll_symbol_opening{account=\"main\",symbol=\"BTCUSDT\"} ") == Some(0));

    std::fs::remove_file(data.join("ballast")).unwrap();
    bot.until("open symbols", || bot.symbol()["closed"].is_null());
    bot.until("the ground", || bot.level() == Some(0));
    bot.until("its alert", || bot.told(&["the disk has room again"]));
    let before = bot.fills();
    bot.until("further fills", || bot.fills() > before);
    bot.stop();
}

/// Not a test by itself: reads a database for as long as somebody holds the other end of its input.
#[test]
fn a_reader_in_a_process_of_its_own() {
    use sea_orm::{ConnectionTrait, Database, DbBackend, Statement, TransactionTrait};
    let Ok(path) = std::env::var("PLIMSOLL_TEST_READS") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let back = Database::connect(format!("sqlite:{path}")).await.unwrap();
        let reading = back.begin().await.unwrap();
        reading.query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) FROM fills")).await.unwrap();
        println!("reading");
        std::io::stdout().flush().unwrap();
        std::io::stdin().read_line(&mut String::new()).unwrap();
        drop(reading);
    });
}

#[test]
fn a_reader_that_keeps_the_log_from_being_cut_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let bot = Bot::start(folder.path(), &data, "64MB", "exchange: local\nlocal: { speed: 5 }");
    let mut reader = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_reader_in_a_process_of_its_own", "--nocapture"])
        .env("PLIMSOLL_TEST_READS", data.join("plimsoll.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("reading")), "it did not begin");
    let before = bot.fills();
    bot.until("further fills", || bot.fills() > before);
    bot.until("a first look", || bot.level() == Some(0) && bot.bytes("database") > 0);
    bot.fill(64 * MIB, 93);
    let named = format!("process {}", reader.id());
    let words = if cfg!(target_os = "linux") { ["the write-ahead log cannot be cut", named.as_str()] } else { ["cannot be cut", "who"] };
    bot.until("its name", || bot.told(&words));
    let before = bot.fills();
    bot.until("further fills while it reads", || bot.fills() > before);
    reader.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(reader.wait().unwrap().success());
    bot.until("a log that was cut", || bot.bytes("wal") < MIB);
    std::fs::remove_file(data.join("ballast")).unwrap();
    bot.until("the ground", || bot.level() == Some(0));
    bot.stop();
}

/// A small file system of its own; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|done| done.status.success()).then_some(Self(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

#[test]
fn a_file_system_that_is_full_stops_opening_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(folder.path().join("data"), "48m") else {
        eprintln!("left out: a full file system (install: run as root, so that a small tmpfs can be mounted)");
        return;
    };
    // The budget is far; the reserve that stays free is a sixteenth of it.
    let account = format!("{KEY}:{SECRET}:100000");
    let exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--speed", "5", "--account", &account, "--log", "error"], &[]);
    let at = exchange.first_line.trim_start_matches("http://");
    let address = format!("exchange: binance\nbinance: {{ rest_url: \"http://{at}\", websocket_url: \"ws://{at}\" }}");
    let bot = Bot::start(folder.path(), &small.0, "128MB", &address);
    bot.until("a first look", || bot.level() == Some(0));
    let mut ballast = std::fs::File::create(small.0.join("ballast")).unwrap();
    // Until nothing fits any more: not even what must be kept.
    while ballast.write_all(&[7; 65_536]).is_ok() {}
    bot.until("the last level", || bot.level() == Some(3));
    bot.until("closed symbols", || bot.is_closed());
    bot.until("a failing storage", || bot.metric("plimsoll_storage_failures_total ") > Some(0));
    std::fs::remove_file(small.0.join("ballast")).unwrap();
    drop(ballast);
    bot.until("open symbols", || bot.symbol()["closed"].is_null());
    let before = bot.fills();
    bot.until("further fills", || bot.fills() > before);
    bot.until("storage that works", || bot.metric("plimsoll_storage_failing ") == Some(0));
    bot.stop();
}
