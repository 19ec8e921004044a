//! The process begins anew in its own place: symbols come and go, what the memory cannot hold is refused, and a configuration that cannot
//! start gives way to the one before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use serde_json::{Value, json};
use shared::{Running, free_port, get, send_json, until};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const ETH: &str = "    - { symbol: ETHUSDT, price_interval: 5, order_quantity: 250, buy_window_size: 3, sell_window_size: 3 }\n";

struct Bot {
    _folder: tempfile::TempDir,
    file: PathBuf,
    web: String,
    running: Running,
}

impl Bot {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, web) = (folder.path().join("plimsoll.yaml"), format!("127.0.0.1:{}", free_port()));
        let text = format!(
            "exchange: local\non_stop: flatten\ndata_dir: {}\nlocal: {{ speed: 5 }}\nweb: {{ listen: \"{web}\" }}\nrisk_control: {{ enabled: false }}\n\
             trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250, buy_window_size: 3, sell_window_size: 3 }}\n",
            folder.path().join("data").display()
        );
        std::fs::write(&file, text).unwrap();
        let running = Running::start(&["run", "--fresh", "--config", &file.display().to_string()], &[]);
        let bot = Self { _folder: folder, file, web, running };
        until(LONG, "three buys", || bot.orders("BTCUSDT").len() >= 3);
        bot
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    fn symbol(&self, name: &str) -> Value {
        get(&self.web, &format!("/api/symbols/{name}")).unwrap_or_default()
    }

    /// Ids of its open orders.
    fn orders(&self, name: &str) -> Vec<String> {
        let orders = self.symbol(name)["orders"].as_array().cloned().unwrap_or_default();
        orders.iter().map(|order| order["id"].to_string()).collect()
    }

    fn preview(&self, yaml: &str) -> Value {
        send_json("POST", &self.web, "/api/config/preview", &json!({ "yaml": yaml })).1
    }

    fn apply(&self, yaml: &str) -> (u16, Value) {
        let revision = get(&self.web, "/api/config").unwrap()["revision"].clone();
        send_json("POST", &self.web, "/api/config/apply", &json!({ "yaml": yaml, "revision": revision }))
    }

    fn started(&self) -> u64 {
        get(&self.web, "/api/status").map_or(0, |status| status["started_ms"].as_u64().unwrap())
    }

    /// Begins anew, and waits until it is back.
    fn restart(&self) {
        let before = self.started();
        let (status, done) = send_json("POST", &self.web, "/api/control/restart", &json!({}));
        assert_eq!((status, &done["verb"]), (200, &json!("restart")), "{done}");
        until(LONG, "another start", || {
            // Nobody answers for a moment, and asking a socket that is not there is an answer of its own.
            let asked = std::panic::catch_unwind(|| self.started());
            asked.is_ok_and(|started| started > before)
        });
    }
}

#[test]
fn a_symbol_comes_and_goes_by_a_restart_that_keeps_orders_positions_and_books() {
    let mut bot = Bot::start();
    until(LONG, "a buy that filled", || bot.symbol("BTCUSDT")["slots_held"].as_u64().unwrap_or(0) > 0);
    let (status, refused) = send_json("POST", &bot.web, "/api/symbols/BTCUSDT/control/restart", &json!({}));
    assert_eq!((status, &refused["code"]), (400, &json!("refused")));
    let one = bot.text();
    let two = one.clone() + ETH;
    let (status, applied) = bot.apply(&two);
    assert_eq!((status, &applied["restart"][0]["key"]), (200, &json!("trading.symbols.ETHUSDT.symbol")), "{applied}");
    let preview = send_json("POST", &bot.web, "/api/control/restart/preview", &json!({})).1;
    let said = preview["text"].as_str().unwrap();
    assert!(said.contains("from then on count trading.symbols.ETHUSDT.symbol.") && said.contains("stay at the exchange"), "{said}");
    assert_eq!((preview["orders_canceled"].as_u64(), preview["confirm"].is_string()), (Some(0), true));
    let (pid, fills) = (bot.running.pid(), bot.symbol("BTCUSDT")["fills"].as_u64().unwrap());
    bot.restart();
    until(LONG, "both symbols", || bot.orders("BTCUSDT").len() >= 3 && bot.orders("ETHUSDT").len() >= 3);
    assert!(bot.running.exited().is_none() && bot.running.pid() == pid, "the same process");
    let after = bot.symbol("BTCUSDT");
    assert!(after["fills"].as_u64().unwrap() >= fills && after["orders_placed"].as_u64().unwrap() < 40, "--fresh counts once: {after}");
    assert_eq!(get(&bot.web, "/api/config").unwrap()["waiting"], json!([]));

    // What a symbol has at the exchange is never left alone.
    let problem = |answer: &Value| answer["problems"][0]["text"].as_str().unwrap_or_default().to_owned();
    let told = bot.preview(&one);
    assert!(problem(&told).contains("flatten ETHUSDT first"), "{told}");
    assert_eq!(bot.apply(&one).1["code"], "config_wrong");
    std::fs::write(&bot.file, &one).unwrap();
    let (status, refused) = send_json("POST", &bot.web, "/api/control/restart", &json!({}));
    assert_eq!((status, &refused["code"]), (409, &json!("refused")), "{refused}");
    std::fs::write(&bot.file, &two).unwrap();
    assert_eq!(send_json("POST", &bot.web, "/api/symbols/ETHUSDT/control/flatten", &json!({})).0, 200);
    until(LONG, "nothing is left of ETHUSDT", || bot.preview(&one)["problems"] == json!([]));
    assert_eq!(bot.apply(&one).0, 200);
    bot.restart();
    until(LONG, "three buys", || bot.orders("BTCUSDT").len() >= 3);
    let all = get(&bot.web, "/api/symbols").unwrap().to_string();
    assert!(all.contains("BTCUSDT") && !all.contains("ETHUSDT"), "{all}");

    // What the memory cannot hold is not begun.
    let many: String = (0..90).map(|n| ETH.replace("ETHUSDT", &format!("A{n}USDT"))).collect();
    let told = bot.preview(&(one.clone() + &many));
    assert_eq!(told["problems"][0]["key"], "memory.budget", "{told}");
    assert!(problem(&told).contains("more than the budget of"), "{told}");
    assert!(bot.running.stop(LONG).success());
}

#[test]
fn orders_stay_where_they_are_while_the_process_begins_anew() {
    let bot = Bot::start();
    let before = bot.orders("BTCUSDT");
    bot.restart();
    until(LONG, "its orders", || !bot.orders("BTCUSDT").is_empty());
    let after = bot.orders("BTCUSDT");
    assert!(before.iter().any(|id| after.contains(id)), "none of {before:?} is among {after:?}, and on_stop: flatten was not meant");
}

#[test]
fn a_configuration_that_cannot_start_gives_way_to_the_one_before() {
    let mut bot = Bot::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = bot.text();
    let next = before.replace(&bot.web, &taken.local_addr().unwrap().to_string());
    assert_eq!(bot.apply(&next).0, 200);
    bot.restart();
    let told = || {
        let events = get(&bot.web, "/api/events?limit=100").unwrap_or_default();
        let items = events["items"].as_array().cloned().unwrap_or_default();
        items.iter().find(|event| event["text"].as_str().unwrap().contains("the restart failed")).cloned()
    };
    until(LONG, "the alert", || told().is_some());
    let told = told().unwrap();
    assert_eq!(told["severity"], "critical");
    assert!(told["text"].as_str().unwrap().contains("is taken by another process"), "{told}");
    assert_eq!(bot.text(), before);
    let backups = get(&bot.web, "/api/config/backups").unwrap();
    let newest = backups["backups"][0]["id"].as_str().unwrap();
    assert_eq!(get(&bot.web, &format!("/api/config/backups/{newest}")).unwrap()["yaml"], next, "what was meant is not lost");
    until(LONG, "three buys", || bot.orders("BTCUSDT").len() >= 3);
    assert!(bot.running.stop(LONG).success());
}
