//! The life of the bot on its own local exchange: start, stop, start again, and what it says when it cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{Running, free_port, get, http, until};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn config(folder: &Path, web: u16, more: &str) -> String {
    let file = folder.join("plimsoll.yaml");
    let text = format!(
        "exchange: local\nlocal: {{ speed: 10 }}\ndata_dir: {}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: warn }}\n{more}\
         trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n    - {{ symbol: ETHUSDT, price_interval: 2.5, order_quantity: 100 }}\n",
        folder.join("data").display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn run(file: &str) -> Running {
    Running::start(&["run", "--config", file], &[])
}

/// Runs to the end and returns exit code and what was told.
fn told(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[test]
fn trades_within_half_a_minute_stops_clean_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let (file, api) = (config(folder.path(), web, "storage: { flush_interval: 300ms }\n"), format!("127.0.0.1:{web}"));
    let mut bot = run(&file);
    assert!(bot.first_line.starts_with("admin token"), "the token is told at the first start: {}", bot.first_line);
    until(Duration::from_secs(30), "two symbols with orders and fills", || {
        let Some(status) = get(&api, "/api/status") else { return false };
        let symbols = status["symbols"].as_array().unwrap();
        symbols.len() == 2
            && symbols.iter().all(|s| {
                s["phase"] == "trading"
                    && s["orders_placed"].as_u64().unwrap() > 0
                    && s["fills"].as_u64().unwrap() > 0
                    && s["pnl"]["net"].is_string()
            })
    });
    for (path, needle) in [
        ("/metrics", "plimsoll_ledger_budget_bytes"),
        ("/api/system/metrics/current", "heap_alloc_mb"),
        ("/api/ledger", "engine.state"),
        ("/livez", ""),
        ("/readyz", ""),
        ("/api/symbols", "ETHUSDT"),
        ("/api/symbols/BTCUSDT/slots", "price"),
        ("/api/symbols/BTCUSDT/orders", "BTC"),
        ("/api/orders?side=buy&limit=10", "BTCUSDT"),
        ("/api/fills?symbol=ETHUSDT", "ETHUSDT"),
        ("/api/symbols/BTCUSDT/candles?interval=1m&limit=10", "\"close\":\""),
        ("/api/strategies", "\"price_interval\":\"60\""),
        ("/api/risk", "\"tier\":\"red\""),
        ("/api/streams", "\"feed\":\"market\""),
        ("/api/rates", "\"weight_limit\":"),
        ("/api/disk", "\"kind\":\"database\""),
        ("/api/journal", "\"symbol\":\"BTCUSDT\""),
        ("/api/audit", "items"),
        ("/", "<html"),
    ] {
        // What is stored gets there with the next flush.
        until(Duration::from_secs(10), path, || {
            let (status, body) = http("GET", &api, path, &[]).unwrap();
            status == 200 && body.contains(needle)
        });
    }
    // Ids of the two symbols never meet: the exchange refuses none of them as used already.
    let rejected = get(&api, "/api/status").unwrap()["totals"]["orders_rejected"].as_u64().unwrap();
    assert!(rejected < 5, "{rejected} orders were refused");
    // A second instance on the same data is refused.
    let (code, text) = told(&["run", "--config", &file]);
    assert!(code == Some(2) && text.contains("in use by"), "{code:?} {text}");
    let status = bot.stop(Duration::from_secs(40));
    assert_eq!(status.code(), Some(0));

    let mut bot = run(&file);
    until(Duration::from_secs(30), "trading again", || get(&api, "/api/status").is_some_and(|s| s["totals"]["trading"] == 2));
    let after = get(&api, "/api/status").unwrap();
    assert!(after["totals"]["fills"].as_u64().unwrap() > 0, "fills of the first run are part of the books");
    let (code, text) = told(&["ctl", "pause", "BTCUSDT", "--config", &file]);
    assert_eq!(code, Some(0), "{text}");
    until(Duration::from_secs(10), "the pause", || get(&api, "/api/symbols/BTCUSDT").is_some_and(|s| s["closed"] == "paused"));
    let (code, text) = told(&["ctl", "resume", "--config", &file]);
    assert_eq!(code, Some(0), "{text}");
    until(Duration::from_secs(10), "the way back", || get(&api, "/api/symbols/BTCUSDT").is_some_and(|s| s["closed"].is_null()));
    let (status, _) = http("POST", &api, "/api/control/stop", &[("Authorization", "none")]).unwrap();
    assert_eq!(status, 401, "orders need the token");
    let (code, _) = told(&["ctl", "stop", "--config", &file]);
    assert_eq!(code, Some(0));
    assert_eq!(bot.wait(Duration::from_secs(40)).code(), Some(0));
}

#[test]
fn killed_at_any_moment_it_counts_every_fill_once() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    // With the default flush interval most kills find records that were never stored.
    let (file, api) = (config(folder.path(), web, ""), format!("127.0.0.1:{web}"));
    for round in 0..4_u64 {
        let mut bot = run(&file);
        until(Duration::from_secs(30), "trading", || get(&api, "/api/status").is_some_and(|s| s["totals"]["trading"] == 2));
        std::thread::sleep(Duration::from_millis(1_500 + 700 * round));
        if round < 3 {
            bot.signal("-KILL");
            bot.wait(Duration::from_secs(5));
            continue;
        }
        // The exchange's own figures and ours, at the same moment: nothing may be missing or double after three kills.
        let status = get(&api, "/api/status").unwrap();
        for symbol in status["symbols"].as_array().unwrap() {
            let name = symbol["symbol"].as_str().unwrap();
            let events = get(&api, "/api/events?limit=1000").unwrap().to_string();
            assert!(!events.contains("position_mismatch"), "{name}: positions differed: {events}");
        }
        assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    }
}

#[test]
fn says_what_to_do_when_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let file = config(folder.path(), web, "");
    // The port is taken.
    let listener = std::net::TcpListener::bind(("127.0.0.1", web)).unwrap();
    let (code, text) = told(&["run", "--config", &file]);
    assert!(code == Some(2) && text.contains(&web.to_string()), "{code:?} {text}");
    drop(listener);
    // A real exchange without keys.
    let text = std::fs::read_to_string(&file).unwrap().replace("exchange: local", "exchange: binance");
    std::fs::write(&file, text).unwrap();
    let (code, text) = told(&["run", "--config", &file]);
    assert!(code == Some(2) && text.contains("PLIMSOLL_BINANCE_API_KEY") && text.contains("exchange: local"), "{code:?} {text}");
    // All mistakes at once.
    std::fs::write(&file, "exchange: mars\nweb: { port: 3 }\ntrading: { symbols: [] }\n").unwrap();
    let (code, text) = told(&["run", "--config", &file]);
    assert!(code == Some(2) && text.contains("exchange:") && text.contains("web.port") && text.contains("trading.symbols"), "{text}");
    // No room in the budget.
    let file = config(folder.path(), web, "memory: { budget: 32MB }\n");
    let (code, text) = told(&["run", "--config", &file]);
    assert!(code == Some(2) && text.contains("memory.budget"), "{code:?} {text}");
}

#[test]
fn a_stop_during_the_start_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    // An exchange that takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let file =
        config(folder.path(), free_port(), &format!("binance: {{ rest_url: \"http://{address}\", websocket_url: \"ws://{address}\" }}\n"));
    let text = std::fs::read_to_string(&file).unwrap().replace("exchange: local", "exchange: binance");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(["run", "--config", &file]).env("PLIMSOLL_BINANCE_API_KEY", "key").env("PLIMSOLL_BINANCE_API_SECRET", "secret");
    let mut bot = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    // Its first question shows that it is in the middle of its start.
    drop(silent.accept().unwrap());
    let asked = silent.accept().unwrap();
    assert!(Command::new("kill").args(["-TERM", &bot.id().to_string()]).status().unwrap().success());
    let mut exit = None;
    until(Duration::from_secs(20), "the end", || {
        exit = bot.try_wait().unwrap();
        exit.is_some()
    });
    drop(asked);
    assert_eq!(exit.and_then(|status| status.code()), Some(0), "a signal must not end it where it stands");
}

#[test]
fn a_grid_that_cannot_earn_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let file = config(folder.path(), web, "");
    let text = std::fs::read_to_string(&file).unwrap().replace("price_interval: 2.5", "price_interval: 0.5");
    std::fs::write(&file, text).unwrap();
    let mut bot = run(&file);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(30), "the refusal", || {
        get(&api, "/api/status").is_some_and(|s| s["hints"].to_string().contains("ETHUSDT: a round trip at"))
    });
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_budget_beyond_the_limits_of_the_process_is_refused_with_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), free_port(), "memory: { budget: 256MB }\n");
    let limited = |command: &str| {
        let script = format!("ulimit -d 204800 && exec \"$0\" {command} --config {file}");
        let output = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_plimsoll")]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = limited("run");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("memory.budget of 256 MB is more than the 200 MB that RLIMIT_DATA allows; set it to at most 140 MB"), "{said}");
    // Without one the budget follows the limit, and the plan does not fit: the table says what is largest.
    config(folder.path(), free_port(), "");
    let (code, said) = limited("run");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("the memory plan needs") && said.contains("storage.database") && said.contains("each of the 2 symbols takes"),
        "{said}"
    );
}
