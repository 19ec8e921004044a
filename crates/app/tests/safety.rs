//! The bot on a testnet in another process: what it does about strangers' orders and positions, losses, its own death, and the
//! modes of a stop. Everything is confirmed at the exchange.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use serde_json::{Value, json};
use shared::{KEY, Running, SECRET, free_port, get, signed, until};
use std::process::Command;
use std::time::Duration;

const KEYS: [(&str, &str); 2] = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];

struct Desk {
    folder: tempfile::TempDir,
    exchange: Running,
    address: String,
    web: u16,
    /// Distance of two levels.
    interval: u32,
}

impl Desk {
    fn new(speed: &str) -> Self {
        let account = format!("{KEY}:{SECRET}:100000");
        let exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--speed", speed, "--account", &account], &[]);
        let address = exchange.first_line.trim_start_matches("http://").to_owned();
        Self { folder: tempfile::tempdir().unwrap(), exchange, address, web: free_port(), interval: 30 }
    }

    /// Starts a bot for BTCUSDT; `top`, `trading` and `risk` are further lines of the configuration.
    fn bot(&self, top: &str, trading: &str, risk: &str) -> Running {
        let text = format!(
            "exchange: binance\ndata_dir: {}\n{top}binance: {{ rest_url: \"http://{at}\", websocket_url: \"ws://{at}\" }}\n\
             storage: {{ flush_interval: 300ms }}\nweb: {{ listen: \"127.0.0.1:{}\" }}\nlog: {{ level: warn }}\nrisk_control: {{ enabled: false, {risk} }}\n\
             trading:\n  {trading}\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: {}, order_quantity: 250 }}\n",
            self.folder.path().display(),
            self.web,
            self.interval,
            at = self.address
        );
        std::fs::write(self.file(), text).unwrap();
        Running::start(&["run", "--config", &self.file()], &KEYS)
    }

    fn file(&self) -> String {
        self.folder.path().join("plimsoll.yaml").display().to_string()
    }

    fn symbol(&self) -> Option<Value> {
        get(&format!("127.0.0.1:{}", self.web), "/api/symbols/BTCUSDT")
    }

    fn wait_for(&self, what: &str, mut is: impl FnMut(&Value) -> bool) {
        until(Duration::from_secs(40), what, || self.symbol().is_some_and(|s| is(&s)));
    }

    fn open(&self) -> Vec<Value> {
        signed(&self.address, "GET", "/fapi/v1/openOrders", "symbol=BTCUSDT").as_array().unwrap().clone()
    }

    fn position(&self) -> String {
        let rows = signed(&self.address, "GET", "/fapi/v3/positionRisk", "symbol=BTCUSDT");
        rows[0]["positionAmt"].as_str().unwrap_or("0").to_owned()
    }

    fn is_flat(&self) -> bool {
        self.position().trim_matches(['0', '.']).is_empty()
    }

    fn order(&self, query: &str) {
        signed(&self.address, "POST", "/fapi/v1/order", &format!("symbol=BTCUSDT&{query}"));
    }

    fn ctl(&self, verb: &str) {
        let status = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["ctl", verb, "--config", &self.file()]).output().unwrap();
        assert!(status.status.success(), "ctl {verb}: {status:?}");
    }
}

#[test]
fn a_dead_bots_orders_are_withdrawn_by_the_exchange() {
    // So far apart that some seconds of the market do not fill them all.
    let mut desk = Desk { interval: 200, ..Desk::new("1") };
    let mut bot = desk.bot("", "countdown: 15s", "");
    desk.wait_for("orders", |s| s["orders_working"].as_u64().unwrap() >= 5);
    // It outlives the switch as long as it lives.
    std::thread::sleep(Duration::from_secs(18));
    assert!(!desk.open().is_empty(), "the living bot's orders were withdrawn: {:?}", desk.symbol());
    bot.signal("-KILL");
    bot.wait(Duration::from_secs(5));
    assert!(!desk.open().is_empty(), "the switch has fired at once");
    until(Duration::from_secs(25), "withdrawal by the exchange", || desk.open().is_empty());
    assert_eq!(desk.exchange.stop(Duration::from_secs(10)).code(), Some(0));
}

#[test]
fn the_switch_never_takes_orders_of_others_and_a_stop_that_keeps_orders_disarms_it() {
    let desk = Desk { interval: 200, ..Desk::new("1") };
    desk.order("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=59000");
    let mut bot = desk.bot("on_stop: keep\n", "countdown: 15s", "");
    desk.wait_for("orders beside a foreign one", |s| s["orders_working"].as_u64().unwrap() >= 5 && s["orders_foreign"] == json!(1));
    bot.signal("-KILL");
    bot.wait(Duration::from_secs(5));
    std::thread::sleep(Duration::from_secs(17));
    let left = desk.open();
    assert!(left.len() > 1, "the switch was armed though a foreign order was there: {left:?}");
    // Without it, the switch is armed; a stop that keeps orders must disarm it.
    signed(&desk.address, "DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT");
    let mut bot = desk.bot("on_stop: keep\n", "countdown: 15s", "");
    desk.wait_for("orders", |s| s["orders_working"].as_u64().unwrap() >= 5 && s["orders_foreign"] == json!(0));
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    let kept = desk.open().len();
    std::thread::sleep(Duration::from_secs(17));
    assert!(kept > 0 && !desk.open().is_empty(), "{kept} orders were kept, and then withdrawn");
}

#[test]
fn a_position_that_is_not_ours_is_named_and_nothing_is_traded_until_it_is_gone() {
    let desk = Desk::new("1");
    desk.order("side=BUY&type=MARKET&quantity=0.020");
    let mut bot = desk.bot("", "", "");
    desk.wait_for("the refusal", |s| s["closed"] == json!("foreign_position"));
    std::thread::sleep(Duration::from_secs(3));
    let now = desk.symbol().unwrap();
    assert_eq!((now["orders_placed"].as_u64(), desk.position().as_str()), (Some(0), "0.020"), "{now}");
    desk.order("side=SELL&type=MARKET&quantity=0.020&reduceOnly=true");
    desk.wait_for("trading", |s| s["phase"] == json!("trading") && s["orders_working"].as_u64().unwrap() >= 5);
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    assert!(desk.open().is_empty());
}

/// Acceptance test 5 of the original, its second half.
#[test]
fn g05_a_stop_that_flattens_leaves_neither_orders_nor_a_position_in_a_busy_market() {
    let desk = Desk::new("20");
    let mut bot = desk.bot("on_stop: flatten\n", "", "");
    desk.wait_for("a position", |s| !s["holding"].as_str().unwrap().trim_matches(['0', '.']).is_empty());
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    assert!(desk.open().is_empty() && desk.is_flat(), "{:?}, position {}", desk.open(), desk.position());
}

#[test]
fn a_stop_loss_closes_the_position_and_stays_latched_over_a_kill_until_it_is_rearmed() {
    let desk = Desk::new("40");
    let tight = "stop_loss_percent: 0.06";
    let mut bot = desk.bot("", "", tight);
    desk.wait_for("the stop-loss, and its closing", |s| {
        s["closed"] == json!("stop_loss")
            && s["closing"] == json!(false)
            && s["holding"].as_str().unwrap().trim_matches(['0', '.']).is_empty()
    });
    assert!(desk.is_flat(), "{}", desk.position());
    bot.signal("-KILL");
    bot.wait(Duration::from_secs(5));
    let mut bot = desk.bot("", "", tight);
    desk.wait_for("the latch after the restart", |s| s["closed"] == json!("stop_loss"));
    // An operator's resume does not lift it.
    desk.ctl("resume");
    std::thread::sleep(Duration::from_secs(9));
    assert!(desk.open().is_empty() && desk.is_flat(), "a latched symbol has opened");
    desk.ctl("rearm");
    desk.wait_for("orders after the re-arming", |s| s["orders_placed"].as_u64().unwrap() > 0);
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
}

#[test]
fn a_key_that_may_withdraw_is_refused_unless_it_is_accepted() {
    let account = format!("{KEY}:{SECRET}:100000:withdraw");
    let exchange = Running::start(&["testnet", "--listen", "127.0.0.1:0", "--account", &account], &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let desk = Desk { exchange, address, ..Desk::new("1") };
    desk.bot("", "", "").wait(Duration::from_secs(20));
    let refused = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["run", "--config", &desk.file()]).envs(KEYS).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("may withdraw") && told.contains("accept_withdrawals"), "{told}");
    let text = std::fs::read_to_string(desk.file()).unwrap().replace("binance: {", "binance: { accept_withdrawals: true,");
    std::fs::write(desk.file(), text).unwrap();
    let mut bot = Running::start(&["run", "--config", &desk.file()], &KEYS);
    desk.wait_for("trading", |s| s["phase"] == json!("trading"));
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
}

/// Decimal text with at most eight digits, in units of 1e-8.
fn units(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let part = format!("{part:0<8}");
    whole.trim_start_matches('-').parse::<i128>().unwrap() * 100_000_000 * sign + part.parse::<i128>().unwrap() * sign
}

#[test]
fn fees_in_the_exchanges_own_coin_are_counted_at_what_it_is_worth() {
    let desk = Desk::new("20");
    signed(&desk.address, "POST", "/fapi/v1/feeBurn", "feeBurn=true");
    assert_eq!(signed(&desk.address, "GET", "/fapi/v1/feeBurn", "")["feeBurn"], json!(true));
    let mut bot = desk.bot("", "", "");
    desk.wait_for("executions", |s| s["fills"].as_u64().unwrap() >= 20);
    // Nothing new from now on; what waits for a rate gets it within a minute.
    let ctl = |word: &str| Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["ctl", word, "--config", &desk.file()]).status().unwrap();
    assert!(ctl("flatten").success());
    desk.wait_for("a flat position", |s| s["holding"].as_str().unwrap().trim_matches(['0', '.']).is_empty());
    until(Duration::from_secs(100), "every fee converted", || desk.symbol().is_some_and(|s| s["fees_unconverted"] == json!(0)));

    let trades = signed(&desk.address, "GET", "/fapi/v1/userTrades", "symbol=BTCUSDT&limit=1000");
    let trades = trades.as_array().unwrap();
    assert!(trades.iter().all(|trade| trade["commissionAsset"] == json!("BNB")), "the account pays in BNB");
    let paid: i128 = trades.iter().map(|trade| units(&trade["commission"])).sum();
    let books = desk.symbol().unwrap();
    assert_eq!(books["fills"].as_u64().unwrap() as usize, trades.len());
    assert_eq!(units(&books["pnl"]["fees"]), paid * 600, "{books}");
    assert!(paid > 0);
    // The wallet in USDT never paid them.
    until(Duration::from_secs(20), "books and wallet that agree", || {
        let account = get(&format!("127.0.0.1:{}", desk.web), "/api/status").unwrap();
        account["risk"]["drift"].as_str().is_some_and(|drift| drift.trim_matches(['0', '.']).is_empty())
    });
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));

    // A restart keeps what was converted.
    let mut bot = desk.bot("", "", "");
    desk.wait_for("the books of before", |s| units(&s["pnl"]["fees"]) == paid * 600);
    // The days add up to the same; they are counted at the start and every minute.
    let api = format!("127.0.0.1:{}", desk.web);
    for path in ["/api/pnl/daily", "/api/symbols/BTCUSDT/pnl/daily"] {
        until(Duration::from_secs(20), "days that are counted", || {
            let days = get(&api, path).unwrap()["days"].as_array().unwrap().clone();
            let count = |what: &str| days.iter().map(|day| day[what].as_u64().unwrap()).sum::<u64>() as usize;
            let realized: i128 = days.iter().map(|day| units(&day["realized"])).sum();
            (count("fills"), count("other_fees"), realized) == (trades.len(), trades.len(), units(&books["pnl"]["realized"]))
        });
    }
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
}
