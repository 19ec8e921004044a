//! The bot on a testnet in another process: when it stops, its books and the exchange's agree to the last unit.
//!
//! A short run by default; `PLIMSOLL_BOOKS_SECONDS=600` trades for ten minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_bounded::{Grant, Tasks};
use plimsoll_market::{ClientId, Name, Round, Symbol, TradeId, parse_units};
use plimsoll_storage::{Key, RowLimit, Store, StoreConfig, StoreGrants};
use shared::{KEY, Running, SECRET, free_port, get, signed, until};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

struct Setting<'a> {
    testnet: &'a [&'a str],
    /// Symbol, interval, order quantity.
    symbols: &'a [(&'a str, &'a str, &'a str)],
    run: Duration,
    fills_min: usize,
}

fn config(folder: &Path, testnet: &str, web: u16, symbols: &[(&str, &str, &str)]) -> String {
    let mut text = format!(
        "exchange: binance\ndata_dir: {}\non_stop: cancel\nbinance:\n  rest_url: http://{testnet}\n  websocket_url: ws://{testnet}\n\
         storage:\n  flush_interval: 500ms\nweb:\n  listen: 127.0.0.1:{web}\nlog:\n  level: warn\nrisk_control:\n  enabled: false\ntrading:\n  symbols:\n",
        folder.display()
    );
    for (symbol, interval, quantity) in symbols {
        text.push_str(&format!("    - {{ symbol: {symbol}, price_interval: {interval}, order_quantity: {quantity} }}\n"));
    }
    text
}

/// No leg may have two open orders at the exchange.
fn check_legs(testnet: &str, symbol: &str) {
    // With a symbol it weighs 1: the bot shares the limit with us.
    let open = signed(testnet, "GET", "/fapi/v1/openOrders", &format!("symbol={symbol}"));
    let mut legs = BTreeMap::new();
    for order in open.as_array().unwrap() {
        let id = ClientId::parse(order["clientOrderId"].as_str().unwrap()).unwrap();
        let leg = (order["symbol"].as_str().unwrap().to_owned(), id.leg().strategy(), id.leg().index());
        if let Some(other) = legs.insert(leg.clone(), id) {
            panic!("{leg:?} has two open orders: {other:?} and {id:?}");
        }
    }
}

/// Decimal text as an integer of 1e-8.
fn units(value: &serde_json::Value) -> i128 {
    parse_units(value.as_str().unwrap(), 8, Round::Exact).unwrap()
}

fn trade_and_compare(setting: &Setting<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let account = format!("{KEY}:{SECRET}:100000");
    let mut args = vec!["testnet", "--listen", "127.0.0.1:0", "--account", &account];
    args.extend(setting.testnet);
    let mut exchange = Running::start(&args, &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let web = free_port();
    let file = folder.path().join("plimsoll.yaml");
    std::fs::write(&file, config(folder.path(), &address, web, setting.symbols)).unwrap();
    let keys = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];
    let mut bot = Running::start(&["run", "--config", file.to_str().unwrap()], &keys);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(30), "trading", || {
        let status = get(&api, "/api/status");
        status.is_some_and(|s| s["symbols"].as_array().unwrap().iter().all(|s| s["phase"] == "trading"))
    });
    let began = Instant::now();
    while began.elapsed() < setting.run {
        assert!(bot.exited().is_none(), "the bot ended by itself");
        for (symbol, ..) in setting.symbols {
            check_legs(&address, symbol);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let rss = bot.rss();
    let status = bot.stop(Duration::from_secs(40));
    assert_eq!(status.code(), Some(0), "the stop was not clean");
    assert_eq!(signed(&address, "GET", "/fapi/v1/openOrders", ""), serde_json::json!([]));
    let fills = compare(folder.path(), &address, setting.symbols);
    eprintln!("{fills} fills in {:?}, resident {:.1} MB: books and exchange agree", setting.run, rss as f64 / 1e6);
    assert!(fills >= setting.fills_min, "only {fills} fills: nothing was proved");
    assert_eq!(exchange.stop(Duration::from_secs(10)).code(), Some(0));
}

/// Compares what is stored with what the exchange tells; returns the number of fills.
fn compare(folder: &Path, address: &str, symbols: &[(&str, &str, &str)]) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = StoreConfig::of_url(format!("sqlite:{}", folder.join("plimsoll.db").display())).unwrap();
    let mut all = 0;
    runtime.block_on(async {
        let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 8, 8_192)));
        let store = Store::open(config.clone(), StoreGrants::detached(&config), &tasks).await.unwrap();
        for (symbol, ..) in symbols {
            let key = Key { account: Name::new("main").unwrap(), symbol: Symbol::new(symbol).unwrap() };
            let mut ours = BTreeMap::new();
            let mut before: Option<TradeId> = None;
            loop {
                let page = store.reader().fills(&key, before, RowLimit::new(1_000).unwrap()).await.unwrap();
                for booked in &page.rows {
                    let old = ours.insert(booked.fill.trade_id.0, *booked);
                    assert!(old.is_none(), "{symbol}: trade {} is stored twice", booked.fill.trade_id);
                }
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            let theirs = exchange_trades(address, symbol);
            let our_ids: BTreeSet<u64> = ours.keys().copied().collect();
            let their_ids: BTreeSet<u64> = theirs.keys().copied().collect();
            assert_eq!(our_ids, their_ids, "{symbol}: the fills differ");
            let (mut fees, mut realized) = (0, 0);
            for (id, trade) in &theirs {
                let booked = &ours[id];
                fees += units(&trade["commission"]);
                realized += units(&trade["realizedPnl"]);
                assert_eq!(booked.fill.fee.units, units(&trade["commission"]), "{symbol}: commission of trade {id}");
                assert_eq!(booked.realized, units(&trade["realizedPnl"]), "{symbol}: realised profit of trade {id}");
            }
            let totals = store.load(&key).await.unwrap().totals.unwrap();
            let positions = signed(address, "GET", "/fapi/v2/positionRisk", &format!("symbol={symbol}"));
            // Both contracts have three digits of quantity: 1e-8 over 1e-3.
            assert_eq!(i128::from(totals.holding.units()) * 100_000, units(&positions[0]["positionAmt"]), "{symbol}: the positions differ");
            assert_eq!((totals.fees, totals.realized), (fees, realized), "{symbol}: fees and realised profit differ");
            assert_eq!(totals.fills as usize, theirs.len(), "{symbol}: number of fills");
            all += theirs.len();
        }
        store.stop(Duration::from_secs(5)).await.unwrap();
        tasks.shutdown(Duration::from_secs(5)).await;
    });
    all
}

fn exchange_trades(address: &str, symbol: &str) -> BTreeMap<u64, serde_json::Value> {
    let mut trades = BTreeMap::new();
    let mut from = 1;
    loop {
        let page = signed(address, "GET", "/fapi/v1/userTrades", &format!("symbol={symbol}&fromId={from}&limit=1000"));
        let page = page.as_array().unwrap().clone();
        for trade in &page {
            let id = trade["id"].as_u64().unwrap();
            from = from.max(id + 1);
            trades.insert(id, trade.clone());
        }
        if page.len() < 1_000 {
            return trades;
        }
    }
}

#[test]
fn books_agree_on_a_made_up_market() {
    let seconds = std::env::var("PLIMSOLL_BOOKS_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    trade_and_compare(&Setting {
        testnet: &["--seed", "11", "--speed", "20"],
        symbols: &[("BTCUSDT", "60", "250"), ("ETHUSDT", "2.5", "100")],
        run: Duration::from_secs(seconds),
        fills_min: 20,
    });
}

fn replay(files: &[&str], symbols: &[(&str, &str, &str)], span_s: u64, speed: u64, fills_min: usize) {
    let Some(folder) = shared::shared("data/market/hftbacktest/usdm") else { return };
    let paths: Vec<String> = files.iter().map(|f| folder.join(f).display().to_string()).collect();
    let speed_text = speed.to_string();
    let mut testnet = vec!["--speed", speed_text.as_str()];
    for path in &paths {
        testnet.extend(["--replay", path.as_str()]);
    }
    trade_and_compare(&Setting { testnet: &testnet, symbols, run: Duration::from_secs(span_s / speed + 3), fills_min });
}

#[test]
fn books_agree_on_the_recorded_day_of_2024() {
    replay(&["btcusdt_20240808.gz", "ethusdt_20240808.gz"], &[("BTCUSDT", "26", "250"), ("ETHUSDT", "1.2", "100")], 344, 12, 10);
}

#[test]
fn books_agree_on_the_recorded_night_of_2023() {
    // The price stays within a few levels of the narrowest grid that earns its fees.
    replay(&["btcusdt_20230404.dat.gz", "btcusdt_20230405.dat.gz"], &[("BTCUSDT", "11.6", "250")], 514, 17, 1);
}

#[test]
fn a_symbol_refused_at_a_restart_is_still_withdrawn_at_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let account = format!("{KEY}:{SECRET}:100000");
    let mut exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--speed", "10", "--account", &account], &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let web = free_port();
    let (file, api) = (folder.path().join("plimsoll.yaml"), format!("127.0.0.1:{web}"));
    let keys = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];
    let start = |interval: &str| {
        std::fs::write(&file, config(folder.path(), &address, web, &[("BTCUSDT", interval, "250")])).unwrap();
        Running::start(&["run", "--config", file.to_str().unwrap()], &keys)
    };
    let mut bot = start("60");
    until(Duration::from_secs(30), "a fill", || get(&api, "/api/status").is_some_and(|s| s["totals"]["fills"].as_u64() > Some(0)));
    // Fills reach the disk every half second.
    std::thread::sleep(Duration::from_millis(1_200));
    bot.signal("-KILL");
    bot.wait(Duration::from_secs(5));
    let mut bot = start("120");
    until(Duration::from_secs(30), "the refusal", || {
        get(&api, "/api/status").is_some_and(|s| s["hints"].to_string().contains("set price_interval back to 60"))
    });
    assert_ne!(signed(&address, "GET", "/fapi/v1/openOrders", "symbol=BTCUSDT"), serde_json::json!([]));
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    assert_eq!(signed(&address, "GET", "/fapi/v1/openOrders", "symbol=BTCUSDT"), serde_json::json!([]));
    exchange.stop(Duration::from_secs(10));
}
