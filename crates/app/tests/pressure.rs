//! The pressure ladder under a real limit: rungs in order, orders withdrawn, and an end before the kernel makes one.
#![cfg(all(feature = "leak", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{KEY, Running, SECRET, free_port, get, http, signed, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A memory control group of our own; removed when dropped.
struct Group {
    path: PathBuf,
    version: u8,
}

impl Group {
    fn make() -> Option<Self> {
        let name = format!("plimsoll-test-{}", std::process::id());
        let (root, version) = if Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() {
            (Path::new("/sys/fs/cgroup/memory"), 1)
        } else {
            (Path::new("/sys/fs/cgroup"), 2)
        };
        let path = root.join(name);
        if std::fs::create_dir(&path).is_err() {
            return None;
        }
        let group = Self { path, version };
        // A version 2 group without the memory controller has no such file: then there is nothing to test with.
        group.path.join(group.limit_file()).exists().then_some(group)
    }

    const fn limit_file(&self) -> &'static str {
        if self.version == 1 { "memory.limit_in_bytes" } else { "memory.max" }
    }

    fn limit(&self, bytes: u64) {
        std::fs::write(self.path.join(self.limit_file()), bytes.to_string()).unwrap();
    }

    fn kills(&self) -> u64 {
        let file = if self.version == 1 { "memory.oom_control" } else { "memory.events" };
        let text = std::fs::read_to_string(self.path.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).map_or(0, |n| n.trim().parse().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have ended; the kernel may need a moment to see it.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Opens a live view without a library: what the server says is text within unmasked frames.
fn view(address: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let token = shared::token(address).unwrap();
    let key = format!("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n");
    write!(stream, "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n").unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    (String::from_utf8_lossy(&head).into_owned(), stream)
}

/// Whether the bot's metrics have a series of at least this value.
fn at_least(api: &str, series: &str, least: f64) -> bool {
    let Ok((_, text)) = http("GET", api, "/metrics", &[]) else { return false };
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
    value.is_some_and(|value| value >= least)
}

#[test]
fn a_process_that_runs_out_of_memory_stops_in_order_before_it_is_killed() {
    let Some(group) = Group::make() else {
        eprintln!(
            "left out: the pressure ladder under a real limit (install: run as root on a machine whose memory control groups can be written)"
        );
        return;
    };
    // More than the plan wants, less than the leak will.
    group.limit(352 << 20);
    let folder = tempfile::tempdir().unwrap();
    let account = format!("{KEY}:{SECRET}:100000");
    let mut exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--speed", "10", "--account", &account], &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let web = free_port();
    let (file, log) = (folder.path().join("plimsoll.yaml"), folder.path().join("log.txt"));
    let text = format!(
        "exchange: binance\ndata_dir: {}\non_stop: cancel\nbinance:\n  rest_url: http://{address}\n  websocket_url: ws://{address}\n\
         web:\n  listen: 127.0.0.1:{web}\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n",
        folder.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let join = group.path.join("cgroup.procs");
    let script = format!("echo $$ > {} && exec \"$0\" run --config {} 2> {}", join.display(), file.display(), log.display());
    let keys = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET), ("PLIMSOLL_LEAK", "allocator:12000000")];
    // The script hides where its configuration is.
    shared::remember(&["--config", &file.display().to_string()]);
    let mut bot = Running::start_by(&["sh", "-c", &script], &keys);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(30), "orders", || get(&api, "/api/status").is_some_and(|s| s["totals"]["orders_working"].as_u64() > Some(0)));
    let current = get(&api, "/api/system/metrics/current").unwrap();
    assert_eq!(current["memory_limit_bytes"].as_u64(), Some(352 << 20), "{current}");
    let (opened, mut viewer) = view(&api);
    assert_eq!(opened, "HTTP/1.1 101");
    // Its task is watched with all others: hub, server, and the viewer's own.
    until(Duration::from_secs(20), "tasks of the web server", || at_least(&api, "plimsoll_tasks_group_live{group=\"web\"} ", 3.0));
    for line in ["storage.database", "monitor.series"] {
        let series = format!("plimsoll_ledger_line_length{{line=\"{line}\"}} ");
        until(Duration::from_secs(20), line, || at_least(&api, &series, 100_000.0));
    }
    let mut told = Vec::new();
    // The first rung: the view ends with a reason while the bot still trades.
    viewer.read_to_end(&mut told).unwrap();
    assert!(String::from_utf8_lossy(&told).contains("\"bye\",\"reason\":\"memory_short\""), "the view ended without the reason");
    let (refused, mut answer) = view(&api);
    let mut why = [0; 600];
    let read = answer.read(&mut why).unwrap();
    let why = String::from_utf8_lossy(&why[..read]).into_owned();
    assert!(refused.ends_with("503") && why.to_ascii_lowercase().contains("retry-after: 2"), "{refused}{why}");
    assert_eq!(bot.exited(), None, "views go long before the process");
    let status = bot.wait(Duration::from_secs(120));
    let log = std::fs::read_to_string(&log).unwrap();
    eprintln!("{log}");
    assert_eq!(status.code(), Some(4), "it ended by itself and says that memory was the reason");
    assert_eq!(group.kills(), 0, "the kernel killed nothing");
    let rungs = [
        "histories of the dashboard are dropped",
        "caches are dropped",
        "nothing is opened any more",
        "stops in order before it is killed",
    ];
    let places: Vec<usize> = rungs.iter().map(|rung| log.find(rung).unwrap_or_else(|| panic!("{rung:?} is not in the log"))).collect();
    assert!(places.is_sorted(), "the rungs came out of order: {places:?}");
    assert_eq!(signed(&address, "GET", "/fapi/v1/openOrders", ""), serde_json::json!([]), "no order is left open");
    assert_eq!(exchange.stop(Duration::from_secs(10)).code(), Some(0));
}
