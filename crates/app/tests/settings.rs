//! The configuration of a running bot: what is written into its file counts at once where it can, and what cannot be changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use serde_json::{Value, json};
use shared::{Running, free_port, get, send_json, until};
use std::path::PathBuf;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

struct Bot {
    _folder: tempfile::TempDir,
    file: PathBuf,
    web: String,
    running: Running,
}

impl Bot {
    fn start(interval: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, web) = (folder.path().join("plimsoll.yaml"), format!("127.0.0.1:{}", free_port()));
        let text = format!(
            "exchange: local\ndata_dir: {}\nlocal: {{ speed: 10 }}\nweb: {{ listen: \"{web}\" }}\nrisk_control: {{ enabled: false }}\n\
             trading:\n  slot_cleanup_interval: 1h\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: {interval}, order_quantity: 250, buy_window_size: 3, sell_window_size: 3 }}\n",
            folder.path().join("data").display()
        );
        std::fs::write(&file, text).unwrap();
        let running = Running::start(&["run", "--config", &file.display().to_string()], &[]);
        Self { _folder: folder, file, web, running }
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.file).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&self.file, text.replacen(from, to, 1)).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.file.with_file_name("data")
    }

    /// Texts of what was told about the configuration, newest first.
    fn told(&self) -> Vec<String> {
        let events = get(&self.web, "/api/events?limit=100").unwrap_or_default();
        let items = events["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter(|e| e["code"] == "command").map(|e| e["text"].as_str().unwrap().to_owned()).collect()
    }

    fn wait_told(&self, part: &str) {
        until(LONG, part, || self.told().first().is_some_and(|text| text.contains(part)));
    }

    fn symbol(&self) -> Value {
        get(&self.web, "/api/symbols/BTCUSDT").unwrap_or_default()
    }

    /// Open buy orders.
    fn buys(&self) -> usize {
        self.symbol()["orders"].as_array().map_or(0, |orders| orders.iter().filter(|order| order["side"] == "buy").count())
    }
}

#[test]
fn what_is_written_into_the_file_counts_at_once_or_changes_nothing() {
    // A spacing that cannot earn its fees: the symbol does not trade until it is mended, in the file alone.
    let mut bot = Bot::start(10);
    until(LONG, "the refusal", || {
        get(&bot.web, "/api/status").is_some_and(|status| status["hints"].to_string().contains("raise price_interval"))
    });
    assert_eq!(bot.buys(), 0);
    // A symbol that does not trade keeps nobody from tighter limits.
    bot.edit("enabled: false", "enabled: false, max_daily_loss_percent: 7");
    bot.wait_told("1 values count from now on");
    bot.edit("price_interval: 10", "price_interval: 60");
    bot.wait_told("1 values count from now on");
    until(LONG, "three buys", || bot.buys() == 3);
    // More levels, larger orders.
    bot.edit("buy_window_size: 3", "buy_window_size: 6");
    bot.edit("order_quantity: 250", "order_quantity: 400");
    bot.wait_told("2 values count from now on");
    until(LONG, "six buys of the new size", || {
        let symbol = bot.symbol();
        let worth = |order: &Value| {
            let number = |key: &str| order[key].as_str().unwrap().parse::<f64>().unwrap();
            number("price") * number("qty")
        };
        let orders = symbol["orders"].as_array().cloned().unwrap_or_default();
        let buys: Vec<f64> = orders.iter().filter(|order| order["side"] == "buy").map(worth).collect();
        buys.len() == 6 && buys.iter().all(|worth| *worth > 300.0)
    });
    // Another spacing does not go with what is held, or with what may be open.
    until(LONG, "a buy that filled", || bot.symbol()["slots_held"].as_u64().unwrap_or(0) > 0);
    bot.edit("price_interval: 60", "price_interval: 61");
    bot.wait_told("price_interval is 61.00 but");
    assert_eq!(bot.symbol()["interval"], "60.00");
    bot.edit("price_interval: 61", "price_interval: 60");
    // Mistakes are told, once, and nothing is taken over; what is right and cannot count at once waits.
    bot.edit("buy_window_size: 6", "buy_window_size: 600");
    bot.wait_told("has 1 mistakes: trading.symbols[0].buy_window_size");
    bot.edit("buy_window_size: 600", "buy_window_size: 6");
    bot.edit("speed: 10", "speed: 11");
    bot.wait_told("0 values count from now on, 1 with the next start");
    let mistakes = bot.told().iter().filter(|text| text.contains("mistakes")).count();
    assert_eq!(mistakes, 1, "{:?}", bot.told());
    until(LONG, "six buys", || bot.buys() == 6);
    assert!(bot.running.stop(LONG).success());
}

#[test]
fn over_the_api_a_change_is_looked_at_applied_backed_up_and_put_back() {
    let mut bot = Bot::start(60);
    until(LONG, "three buys", || bot.buys() == 3);
    let config = || get(&bot.web, "/api/config").unwrap();
    let before = config();
    let (yaml, revision) = (before["yaml"].as_str().unwrap().to_owned(), before["revision"].as_str().unwrap().to_owned());
    assert_eq!(yaml, std::fs::read_to_string(&bot.file).unwrap());
    let described = |key: &str| before["values"].as_array().unwrap().iter().find(|value| value["key"] == key).cloned().unwrap_or_default();
    let size = described("trading.symbols.BTCUSDT.order_quantity");
    assert_eq!((&size["value"], &size["applies"]), (&json!("250"), &json!("live")));
    assert!(size["doc"].as_str().is_some_and(|doc| !doc.is_empty()) && described("web.listen")["applies"] == "restart");
    // What is wrong is told with its key, all of it; what is right with what it changes. Neither changes anything.
    let wrong = yaml.replace("price_interval: 60", "price_interval: -1").replace("speed: 10", "speed: x");
    let (status, preview) = send_json("POST", &bot.web, "/api/config/preview", &json!({ "yaml": wrong }));
    let keys: Vec<_> = preview["problems"].as_array().unwrap().iter().map(|problem| problem["key"].clone()).collect();
    assert_eq!((status, keys), (200, vec![json!("local.speed"), json!("trading.symbols[0].price_interval")]));
    let next = yaml.replace("buy_window_size: 3", "buy_window_size: 5").replace("speed: 10", "speed: 12");
    let (_, preview) = send_json("POST", &bot.web, "/api/config/preview", &json!({ "yaml": next }));
    assert_eq!(
        preview["changes"],
        json!([
            { "key": "local.speed", "from": "10", "to": "12", "applies": "restart" },
            { "key": "trading.symbols.BTCUSDT.buy_window_size", "from": "3", "to": "5", "applies": "live" },
        ])
    );
    assert!(preview["diff"].as_str().unwrap().contains("+local: { speed: 12 }"));
    assert_eq!(config()["revision"], revision);
    let apply =
        |yaml: &str, revision: &str| send_json("POST", &bot.web, "/api/config/apply", &json!({ "yaml": yaml, "revision": revision }));
    assert_eq!(apply(&wrong, &revision).1["code"], "config_wrong");
    assert_eq!(apply(&next, "0000000000000000").1["code"], "config_changed");
    let (status, applied) = apply(&next, &revision);
    assert_eq!(
        (status, applied["applied"].as_array().unwrap().len(), applied["restart"].as_array().unwrap().len()),
        (200, 1, 1),
        "{applied}"
    );
    assert_eq!(std::fs::read_to_string(&bot.file).unwrap(), next);
    until(LONG, "five buys", || bot.buys() == 5);
    assert_eq!(config()["waiting"][0]["key"], "local.speed");
    // The file that we wrote ourselves is no news to whoever watches it.
    std::thread::sleep(Duration::from_secs(5));
    assert!(bot.told().is_empty(), "{:?}", bot.told());
    // What a symbol does not take changes neither it nor the file.
    until(LONG, "a buy that filled", || bot.symbol()["slots_held"].as_u64().unwrap_or(0) > 0);
    let (status, refused) = apply(&next.replace("price_interval: 60", "price_interval: 61"), applied["revision"].as_str().unwrap());
    assert_eq!((status, &refused["code"]), (409, &json!("config_refused")), "{refused}");
    assert_eq!(std::fs::read_to_string(&bot.file).unwrap(), next);
    // Back to what it was.
    let backups = get(&bot.web, "/api/config/backups").unwrap();
    let backup = applied["backup"].as_str().unwrap();
    assert!(backups["backups"].as_array().unwrap().iter().any(|entry| entry["id"] == backup), "{backups}");
    assert_eq!(get(&bot.web, &format!("/api/config/backups/{backup}")).unwrap()["yaml"], yaml);
    let restore = json!({ "revision": applied["revision"] });
    let (status, back) = send_json("POST", &bot.web, &format!("/api/config/backups/{backup}/restore"), &restore);
    assert_eq!(status, 200, "{back}");
    assert_eq!(std::fs::read_to_string(&bot.file).unwrap(), yaml);
    until(LONG, "three buys again", || bot.buys() == 3);
    assert_eq!(config()["waiting"], json!([]));
    let (status, _) = send_json("DELETE", &bot.web, &format!("/api/config/backups/{backup}"), &json!(null));
    assert_eq!(status, 204);
    let (status, unknown) = send_json("DELETE", &bot.web, "/api/config/backups/..%2f..%2fplimsoll.yaml", &json!(null));
    assert_eq!((status, &unknown["code"]), (404, &json!("unknown_backup")));
    let audit = get(&bot.web, "/api/audit?limit=100").unwrap();
    let outcomes = |action: &str| -> Vec<Value> {
        audit["items"].as_array().unwrap().iter().filter(|e| e["action"] == action).map(|e| e["outcome"].clone()).collect()
    };
    assert_eq!(outcomes("config.apply"), ["config_refused", "done", "config_changed", "config_wrong"]);
    assert_eq!(outcomes("config.restore"), ["done"]);
    assert!(bot.running.stop(LONG).success());
}

#[test]
fn rules_alone_are_taken_over_without_a_pause_and_a_wrong_file_keeps_nobody_from_mending_it() {
    let mut bot = Bot::start(60);
    until(LONG, "three buys", || bot.buys() == 3);
    let placed = || bot.symbol()["orders_placed"].as_u64().unwrap_or(0);
    let before = placed();
    // An engine built anew counts its orders anew, and places nothing for six seconds.
    bot.edit("enabled: false", "enabled: false, max_layers: 40, max_drawdown_percent: 50");
    bot.wait_told("2 values count from now on");
    assert!(placed() >= before, "{} after {before}", placed());
    until(LONG, "three buys", || bot.buys() == 3);
    let ladder = get(&bot.web, "/api/risk").unwrap()["ladder"].to_string();
    assert!(ladder.contains("50"), "{ladder}");
    assert_eq!(std::fs::read_dir(bot.data().join("backups/config")).unwrap().count(), 1, "one for each change that was taken over");
    // The switch that is turned off is turned off at the exchange; what waits for a start does not come in by another change.
    bot.edit("trading:\n", "trading:\n  countdown: 0s\n");
    bot.wait_told("1 values count from now on");
    let grid = "price_interval: 60, order_quantity: 250, buy_window_size: 3, sell_window_size: 3";
    bot.edit(grid, "order_quantity: 250, strategy: trend_following, trade: { bar: 4h }");
    bot.wait_told("with the next start");
    bot.edit("max_layers: 40", "max_layers: 41");
    bot.wait_told("1 values count from now on");
    until(LONG, "three buys of the grid", || bot.buys() == 3 && bot.symbol()["interval"] == "60.00");
    // A file that is wrong.
    let yaml = std::fs::read_to_string(&bot.file).unwrap();
    std::fs::write(&bot.file, "nonsense: [\n").unwrap();
    bot.wait_told("nothing of the configuration's file was taken over");
    let revision = get(&bot.web, "/api/config").unwrap()["revision"].clone();
    let mended = yaml.replace("max_layers: 41", "max_layers: 42");
    let (status, applied) = send_json("POST", &bot.web, "/api/config/apply", &json!({ "yaml": mended, "revision": revision }));
    assert_eq!(status, 200, "{applied}");
    assert_eq!(std::fs::read_to_string(&bot.file).unwrap(), mended);
    assert!(bot.running.stop(LONG).success());
}
