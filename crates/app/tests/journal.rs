//! The journal of the real binary on its local exchange replays to identical actions, however the process ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use sea_orm::{ConnectionTrait, Database};
use shared::{Running, free_port, get, until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn config(folder: &Path, web: u16, more: &str) -> String {
    let file = folder.join("plimsoll.yaml");
    let text = format!(
        "exchange: local\nlocal: {{ speed: 20 }}\ndata_dir: {}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: warn }}\n{more}\
         trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n    - {{ symbol: ETHUSDT, price_interval: 2.5, order_quantity: 100 }}\n",
        folder.join("data").display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// Exit code and what was said.
fn replay(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).arg("replay").args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn trades(api: &str) {
    until(Duration::from_secs(30), "fills of both symbols", || {
        let Some(status) = get(api, "/api/status") else { return false };
        let symbols = status["symbols"].as_array().unwrap();
        // At first there are none.
        symbols.len() == 2 && symbols.iter().all(|s| s["phase"] == "trading" && s["fills"].as_u64() > Some(5))
    });
}

#[test]
fn a_live_run_replays_to_identical_actions_even_after_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let (file, api) = (config(folder.path(), web, ""), format!("127.0.0.1:{web}"));
    let journal = folder.path().join("data/journal");
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    trades(&api);
    // What a second has not taken to the disk is lost with the process.
    std::thread::sleep(Duration::from_millis(1_300));
    bot.signal("-KILL");
    bot.wait(Duration::from_secs(5));
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    trades(&api);
    until(Duration::from_secs(5), "both segments", || {
        shared::http("GET", &api, "/metrics", &[]).is_ok_and(|(_, text)| text.contains("\nplimsoll_journal_segments_total 2\n"))
    });
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));

    let files = segments(&journal);
    assert_eq!(files.len(), 4, "two symbols, two starts");
    let (code, text) = replay(&[journal.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("  identical").count(), 4, "{text}");
    assert_eq!(text.matches("ends because the symbol stopped").count(), 2, "{text}");
    assert_eq!(text.matches("its writer was killed").count(), 2, "{text}");
    assert!(!text.contains("another build"), "{text}");
    // What was recorded can be read by people. Whichever symbol was first to begin, its file sorts first.
    let first = files.iter().find(|path| path.display().to_string().contains("BTCUSDT")).unwrap();
    let (code, text) = replay(&["--show", first.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    for needle in ["feed Account is up", "#1 buy 0.004 at", "execution ", "Z BTCUSDT top "] {
        assert!(text.contains(needle), "{needle} is missing in\n{}", text.lines().take(60).collect::<Vec<_>>().join("\n"));
    }
    // A byte that changed on the disk is found.
    let mut bytes = std::fs::read(&files[3]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[3], bytes).unwrap();
    let (code, text) = replay(&[files[3].to_str().unwrap()]);
    assert!(code == Some(2) && text.contains("DAMAGED") && text.contains("checksum"), "{code:?} {text}");
    let (code, text) = replay(&[folder.path().join("nowhere").to_str().unwrap()]);
    assert!(code == Some(2) && text.contains("cannot open"), "{code:?} {text}");
}

/// While somebody else holds the database, records find no room; what was refused is fetched anew by an engine built anew.
#[test]
fn an_engine_built_anew_begins_a_segment_that_replays() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let storage = "storage: { batch_size: 1, flush_interval: 100ms }\n";
    let (file, api) = (config(folder.path(), web, storage), format!("127.0.0.1:{web}"));
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    trades(&api);
    let closed = || get(&api, "/api/symbols/BTCUSDT").map(|symbol| symbol["closed"].clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", folder.path().join("data/plimsoll.db").display());
        let holder = Database::connect(url).await.unwrap();
        holder.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
        until(Duration::from_secs(60), "records without room", || closed().is_some_and(|why| why == "records_full"));
        holder.execute_unprepared("ROLLBACK").await.unwrap();
        holder.close().await.unwrap();
    });
    until(Duration::from_secs(60), "the way back", || closed().is_some_and(|why| why.is_null()));
    let journal = folder.path().join("data/journal");
    until(Duration::from_secs(30), "engines built anew", || journal.exists() && segments(&journal).len() >= 3);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    let (code, text) = replay(&[journal.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("ends because the engine was built anew"), "{text}");
    assert_eq!(text.matches("  identical").count(), segments(&journal).len(), "{text}");
}

#[test]
fn files_are_capped_and_none_are_written_when_it_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let (file, api) = (config(folder.path(), web, "journal: { enabled: false }\n"), format!("127.0.0.1:{web}"));
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    trades(&api);
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    assert!(!folder.path().join("data/journal").exists());
    // Older segments leave when a start needs their room.
    let journal = folder.path().join("data/journal");
    std::fs::create_dir(&journal).unwrap();
    for n in 1..=4 {
        std::fs::write(journal.join(format!("2020010{n}T000000.000-OLD-000000.journal")), vec![0; 4 << 20]).unwrap();
    }
    config(folder.path(), web, "journal: { keep: 16MB, segment_size: 1MB }\n");
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    trades(&api);
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    let files = segments(&journal);
    let total: u64 = files.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    assert!(total <= 16 << 20, "{total} bytes");
    assert!(!files[0].display().to_string().contains("20200101") && files.iter().any(|f| f.display().to_string().contains("BTCUSDT")));
    let text = std::fs::read_to_string(&file).unwrap().replace("keep: 16MB", "keep: 1MB");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["config", "check", "--config", &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("journal.keep"));
}
