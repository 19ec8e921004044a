//! `plimsoll rebuild` on real processes: books that agree, books that were spoilt, and a database that is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use serde_json::{Value, json};
use shared::{KEY, Running, SECRET, free_port, get, signed, until};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const KEYS: [(&str, &str); 2] = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];

fn config(folder: &Path, exchange: &str, web: u16) -> String {
    let file = folder.join("plimsoll.yaml");
    let text = format!(
        "exchange: binance\ndata_dir: {}\non_stop: cancel\nbinance: {{ rest_url: \"http://{exchange}\", websocket_url: \"ws://{exchange}\" }}\n\
         storage: {{ flush_interval: 300ms }}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: warn }}\nrisk_control: {{ enabled: false }}\n\
         trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 30, order_quantity: 250 }}\n",
        folder.display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn rebuild(file: &str, more: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["rebuild", "--config", file]).args(more).envs(KEYS).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
}

fn sql(folder: &Path, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sea_orm::{ConnectionTrait, Database};
        let db = Database::connect(format!("sqlite://{}", folder.join("plimsoll.db").display())).await.unwrap();
        db.execute_unprepared(statement).await.unwrap();
        db.close().await.unwrap();
    });
}

fn holds(symbol: &Value) -> bool {
    !symbol["holding"].as_str().unwrap().trim_matches(['0', '.']).is_empty()
}

#[test]
fn spoilt_books_are_found_and_mended_and_a_lost_database_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let account = format!("{KEY}:{SECRET}:100000");
    let exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--speed", "10", "--account", &account], &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let web = free_port();
    let (file, api) = (config(folder.path(), &address, web), format!("127.0.0.1:{web}"));
    let run = || Running::start(&["run", "--config", &file], &KEYS);
    let symbol = || get(&api, "/api/symbols/BTCUSDT");
    let position =
        || signed(&address, "GET", "/fapi/v3/positionRisk", "symbol=BTCUSDT")[0]["positionAmt"].as_str().unwrap_or("0").to_owned();

    let mut bot = run();
    until(Duration::from_secs(60), "some dozen executions and a position", || {
        symbol().is_some_and(|s| s["fills"].as_u64().unwrap() >= 30 && holds(&s))
    });
    let (code, told) = rebuild(&file, &[]);
    assert!(code != Some(0) && told.contains("in use"), "a bot that runs is rebuilt: {told}");
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));

    let (code, told) = rebuild(&file, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("what is stored is what the exchange tells"), "{told}");

    sql(folder.path(), "update totals set fills = fills + 1; delete from slots");
    let (code, told) = rebuild(&file, &[]);
    assert!(code == Some(1) && told.contains("executions: stored") && told.contains("in slots: stored 0.000"), "{told}");
    let (code, told) = rebuild(&file, &["--write"]);
    assert!(code == Some(0) && told.contains("backup:"), "{told}");
    let mut bot = run();
    until(Duration::from_secs(40), "trading on mended books", || symbol().is_some_and(|s| s["phase"] == json!("trading")));
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    let (code, told) = rebuild(&file, &[]);
    assert_eq!(code, Some(0), "{told}");

    // The database is lost; what the account holds is nobody's, until its own history says whose it is.
    for name in ["plimsoll.db", "plimsoll.db-wal", "plimsoll.db-shm"] {
        std::fs::remove_file(folder.path().join(name)).ok();
    }
    if position().trim_matches(['0', '.']).is_empty() {
        eprintln!("the bot happened to hold nothing when it stopped");
    }
    let (code, told) = rebuild(&file, &["--write"]);
    assert!(code == Some(0) && told.contains("cannot be known"), "{told}");
    let held = position();
    let mut bot = run();
    until(Duration::from_secs(40), "trading on books made good", || symbol().is_some_and(|s| s["phase"] == json!("trading")));
    let now = symbol().unwrap();
    assert!(now["closed"] != json!("foreign_position"), "{now}");
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    let (code, told) = rebuild(&file, &[]);
    assert_eq!(code, Some(0), "held {held} before: {told}");
}
