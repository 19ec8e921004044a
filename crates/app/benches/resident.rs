//! Resident memory of the bot with two symbols on the made-up market at real speed: with the local exchange inside, and
//! with it in another process. Prints both; bounded: about two minutes.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "../tests/shared/mod.rs"]
mod shared;

use shared::{KEY, Running, SECRET, free_port, get, until};
use std::path::Path;
use std::time::Duration;

const SETTLE: Duration = Duration::from_secs(45);
const SYMBOLS: &str = "trading:\n  symbols:\n    - { symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }\n    - { symbol: ETHUSDT, price_interval: 2.5, order_quantity: 100 }\n";

fn measure(name: &str, folder: &Path, exchange: &str, envs: &[(&str, &str)]) {
    let web = free_port();
    let file = folder.join("plimsoll.yaml");
    let text =
        format!("{exchange}data_dir: {}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: warn }}\n{SYMBOLS}", folder.display());
    std::fs::write(&file, text).unwrap();
    let mut bot = Running::start(&["run", "--config", file.to_str().unwrap()], envs);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(30), "trading", || get(&api, "/api/status").is_some_and(|s| s["totals"]["trading"] == 2));
    let early = bot.rss();
    std::thread::sleep(SETTLE);
    let (late, status) = (bot.rss(), get(&api, "/api/status").unwrap());
    println!(
        "{name:<36} resident {:>5.1} MB at the first order, {:>5.1} MB after {} s; {} orders, {} fills",
        early as f64 / 1e6,
        late as f64 / 1e6,
        SETTLE.as_secs(),
        status["totals"]["orders_placed"],
        status["totals"]["fills"]
    );
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    measure("local exchange inside", folder.path(), "exchange: local\n", &[]);
    let account = format!("{KEY}:{SECRET}:100000");
    let mut exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--account", &account], &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("exchange: binance\nbinance: {{ rest_url: \"http://{address}\", websocket_url: \"ws://{address}\" }}\n");
    let envs = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];
    measure("local exchange in another process", folder.path(), &text, &envs);
    println!("the exchange's own process: resident {:.1} MB", exchange.rss() as f64 / 1e6);
    exchange.stop(Duration::from_secs(10));
}
