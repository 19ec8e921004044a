//! Paper: the market of another exchange, in another process; the orders on the one inside. Nothing but questions reaches the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{KEY, Running, SECRET, free_port, get, http, signed, until};
use std::path::Path;
use std::time::Duration;

fn exchange(listen: &str) -> Running {
    let account = format!("{KEY}:{SECRET}:100000");
    Running::start(&["testnet", "--listen", listen, "--speed", "20", "--account", &account], &[])
}

fn config(folder: &Path, web: u16, at: &str, symbol: &str) -> String {
    let file = folder.join("plimsoll.yaml");
    let text = format!(
        "exchange: paper\ndata_dir: {}\nbinance: {{ rest_url: \"http://{at}\", websocket_url: \"ws://{at}\" }}\nlocal: {{ balance: 5000 }}\n\
         web: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: warn }}\nrisk_control: {{ enabled: false }}\n\
         trading:\n  stale_after: 3s\n  symbols:\n    - {{ symbol: {symbol}, price_interval: 30, order_quantity: 250 }}\n",
        folder.display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn the_market_is_the_other_exchanges_and_the_orders_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (web, real) = (free_port(), exchange("127.0.0.1:0"));
    let address = real.first_line.trim_start_matches("http://").to_owned();
    let (file, api) = (config(folder.path(), web, &address, "BTCUSDT"), format!("127.0.0.1:{web}"));
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    let symbol = || get(&api, "/api/symbols/BTCUSDT");
    let fills = || symbol().map_or(0, |symbol| symbol["fills"].as_u64().unwrap());
    until(Duration::from_secs(60), "executions on paper", || fills() >= 10);
    assert_eq!(get(&api, "/api/status").unwrap()["mode"], "paper");
    // The best prices are the other's; they move between the two questions.
    until(Duration::from_secs(20), "the other's prices", || {
        let number = |value: &serde_json::Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
        let (_, theirs) = http("GET", &address, "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT", &[]).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(&theirs).unwrap();
        let ours = symbol().unwrap();
        let (Some(bid), Some(ask)) = (number(&ours["bid"]), number(&ours["ask"])) else { return false };
        let (their_bid, their_ask) = (number(&theirs["bidPrice"]).unwrap(), number(&theirs["askPrice"]).unwrap());
        bid < ask && (bid - their_bid).abs() < their_bid * 2e-4 && (ask - their_ask).abs() < their_ask * 2e-4
    });
    // The other never saw an order of ours.
    for list in ["/fapi/v1/openOrders", "/fapi/v1/userTrades", "/fapi/v1/allOrders"] {
        let rows = signed(&address, "GET", list, "symbol=BTCUSDT");
        assert_eq!(rows.as_array().map(Vec::len), Some(0), "{list}: {rows}");
    }

    // While the market is silent nothing is opened; it comes back with a book that is whole.
    drop(real);
    until(Duration::from_secs(40), "a market that is stale", || symbol().is_some_and(|symbol| symbol["closed"] == "stale_market"));
    let before = fills();
    let _real = exchange(&address);
    until(Duration::from_secs(60), "executions after the silence", || fills() >= before + 5);
    until(Duration::from_secs(20), "an open symbol", || symbol().is_some_and(|symbol| symbol["closed"].is_null()));
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));

    // The account on paper is kept.
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    until(Duration::from_secs(40), "the books of before", || fills() >= before + 5);
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
}

#[test]
fn what_stands_against_paper_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("127.0.0.1:{}", free_port());
    let run = |file: &str| {
        let (code, text) = shared::verb(&["run", "--config", file]);
        assert_ne!(code, Some(0), "{text}");
        text
    };
    let text = run(&config(folder.path(), 0, &nobody, "BTCUSDT"));
    assert!(text.contains("does not tell its rules") && text.contains("binance.rest_url"), "{text}");
    let real = exchange("127.0.0.1:0");
    let address = real.first_line.trim_start_matches("http://");
    let text = run(&config(folder.path(), 0, address, "NOSUCHUSDT"));
    assert!(text.contains("has no contract NOSUCHUSDT"), "{text}");
}
