//! `plimsoll sweep`, as a person calls it, and as a machine that dies ends it.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests may panic")]

mod shared;

use shared::until;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn plimsoll(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.current_dir(folder).args(arguments);
    command
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output, parts: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
}

/// Days of minutes in uneven waves, drawn by a generator of its own.
fn candles(days: u64) -> String {
    let (mut state, mut price) = (7_u64, 60_000_i64);
    let mut draw = |range: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % range) as i64
    };
    (0..days * 1_440)
        .map(|m| {
            let open = price;
            // Back to the middle by a little.
            price += draw(81) - 40 - (price - 60_000) / 50;
            let (low, high) = (open.min(price) - draw(20), open.max(price) + draw(20));
            let time = 1_704_067_200_000 + m * 60_000;
            format!("{time},{open}.0,{high}.0,{low}.0,{price}.0,{}.5,0,0,0,0,0,0\n", 20 + draw(9_973))
        })
        .collect()
}

const RANGES: &str = "
search: tpe
trials: 120
seed: 11
walk_forward: { folds: 2, train_percent: 50 }
reshuffles: 200
parameters:
  - { key: \"trading.symbols[0].price_interval\", kind: float, min: 10, max: 200, step: 5 }
  - { key: \"trading.symbols[0].order_quantity\", kind: log, min: 50, max: 800, step: 2, round: 1 }
  - { key: \"trading.symbols[0].buy_window_size\", kind: int, min: 2, max: 20, step: 2 }
  - { key: \"trading.symbols[0].grid.direction\", kind: choice, values: [long, short] }
";

const CONFIG: &str = "exchange: local\ntrading:\n  symbols:\n    - { symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }\n    - { symbol: ETHUSDT, price_interval: 2, order_quantity: 200 }\n";

/// A folder with a tape, a configuration and ranges.
fn folder(days: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("BTCUSDT-1m.csv"), candles(days)).unwrap();
    done(&plimsoll(dir.path(), &["data", "import", "BTCUSDT-1m.csv", "--out", "t.tape"]));
    std::fs::write(dir.path().join("c.yaml"), CONFIG).unwrap();
    std::fs::write(dir.path().join("r.yaml"), RANGES).unwrap();
    dir
}

const SWEEP: [&str; 7] = ["sweep", "--config", "c.yaml", "--data", "t.tape", "--ranges", "r.yaml"];

fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SWEEP[..], more].concat()
}

/// All that a sweep leaves behind.
fn files(out: &Path) -> Vec<Vec<u8>> {
    ["trials.csv", "sweep.json", "sweep.html", "best.yaml"].map(|name| std::fs::read(out.join(name)).unwrap()).to_vec()
}

#[test]
fn a_sweep_finds_tries_and_leaves_a_configuration_that_is_right() {
    let dir = folder(4);
    let folder = dir.path();
    let told = done(&plimsoll(folder, &sweep(&["--workers", "1", "--out", "one"])));
    assert!(
        told.contains("part 2: 120 runs") && told.contains("no decision looked ahead") && told.contains("best: trading.symbols[0]"),
        "{told}"
    );
    // The number of threads never shows.
    done(&plimsoll(folder, &sweep(&["--workers", "3", "--out", "three"])));
    assert!(files(&folder.join("one")) == files(&folder.join("three")));
    // The best is a configuration that is right, has the settings that were found, and does what was found.
    let checked = done(&plimsoll(folder, &["config", "check", "--config", "one/best.yaml"]));
    assert!(checked.contains("one/best.yaml is right: 2 symbols"), "{checked}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("one/sweep.json")).unwrap()).unwrap();
    let ready = std::fs::read_to_string(folder.join("one/best.yaml")).unwrap();
    let fold = &json["folds"][1];
    for pair in fold["settings"].as_array().unwrap() {
        let key = pair[0].as_str().unwrap().rsplit(['.', ']']).next().unwrap();
        let line = format!("{key}: {}", pair[1].as_str().unwrap());
        assert!(ready.contains(&line), "{line} is not in {ready}");
    }
    assert!(fold["tried"]["fills"].as_u64().unwrap() > 0, "{fold}");
    assert_eq!(json["guards"]["look_ahead"].as_array().unwrap().len(), 3);
    assert!(json["guards"]["deflated"]["probability"].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)), "{}", json["guards"]);
    let page = std::fs::read_to_string(folder.join("one/sweep.html")).unwrap();
    assert!(!page.contains("{{") && !page.contains("http://") && !page.contains("https://"), "the page needs nothing else");
    // Done again it runs nothing and says the same.
    let rows = std::fs::read_to_string(folder.join("one/trials.csv")).unwrap();
    assert_eq!(rows.lines().count(), 241);
    assert_eq!(done(&plimsoll(folder, &sweep(&["--workers", "2", "--out", "one"]))), told);
    assert_eq!(std::fs::read_to_string(folder.join("one/trials.csv")).unwrap(), rows);
}

/// SIGKILL at four places, one of them in the middle of a row: the end is the same to the last byte.
#[test]
fn a_sweep_that_was_killed_goes_on_to_the_same_end() {
    let dir = folder(8);
    let folder = dir.path();
    done(&plimsoll(folder, &sweep(&["--out", "whole"])));
    let trials = folder.join("cut/trials.csv");
    let rows = || std::fs::read(&trials).map_or(0, |bytes| bytes.iter().filter(|b| **b == b'\n').count());
    for kill_at in [5, 60, 130, 200] {
        let mut child = command(folder, &sweep(&["--out", "cut"])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until(Duration::from_secs(120), "enough rows", || rows() >= kill_at || child.try_wait().unwrap().is_some());
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((kill_at..241).contains(&rows()), "{} rows", rows());
        assert!(!folder.join("cut/best.yaml").exists());
    }
    // A row that was half written.
    let bytes = std::fs::read(&trials).unwrap();
    std::fs::write(&trials, &bytes[..bytes.len() - 20]).unwrap();
    done(&plimsoll(folder, &sweep(&["--out", "cut"])));
    assert!(files(&folder.join("whole")) == files(&folder.join("cut")));
}

/// Every strategy, short and in layers, too: what it orders by a time is the same whatever comes after it.
#[test]
fn no_strategy_looks_ahead() {
    let dir = folder(4);
    let folder = dir.path();
    let ranges = "search: grid\nwalk_forward: { folds: 1, train_percent: 70 }\nparameters:\n  - { key: trading.leverage, kind: choice, values: [5] }\n";
    std::fs::write(folder.join("r.yaml"), ranges).unwrap();
    let trade = |direction: &str| format!("trade: {{ direction: {direction}, bar: 2m, stop_loss_percent: 0.5, take_profit_percent: 0.3 }}");
    let strategies = [
        ("long grid", "price_interval: 60, grid: { direction: long }".to_owned()),
        ("short grid", "price_interval: 60, grid: { direction: short }".to_owned()),
        ("momentum", format!("strategy: momentum, {}, momentum: {{ period: 5, oversold: 40, overbought: 60 }}", trade("both"))),
        ("mean_reversion", format!("strategy: mean_reversion, {}, mean_reversion: {{ period: 10, deviations: 1 }}", trade("both"))),
        (
            "trend_following",
            format!("strategy: trend_following, {}, trend_following: {{ short_period: 3, long_period: 8 }}", trade("short")),
        ),
        (
            "martingale",
            format!("strategy: martingale, {}, martingale: {{ price_step_percent: 0.1, trend_period: 0, max_levels: 3 }}", trade("long")),
        ),
        (
            "dca_enhanced",
            "strategy: dca_enhanced, trade: { direction: short, bar: 2m }, dca_enhanced: { min_step_percent: 0.05, max_step_percent: 0.2, trend_period: 0, max_safety_orders: 5, first_take_profit_percent: 0.2, total_take_profit_percent: 0.3, last_take_profit_percent: 0 }".to_owned(),
        ),
        ("market_maker", "strategy: market_maker, market_maker: { half_spread_percent: 0.05 }".to_owned()),
    ];
    for (name, keys) in strategies {
        let config = format!("exchange: local\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, order_quantity: 250, {keys} }}\n");
        std::fs::write(folder.join("c.yaml"), config).unwrap();
        let told = done(&plimsoll(folder, &sweep(&["--out", name])));
        assert!(told.contains("no decision looked ahead"), "{name}: {told}");
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join(name).join("sweep.json")).unwrap()).unwrap();
        let cuts = json["guards"]["look_ahead"].as_array().unwrap();
        assert_eq!(cuts.len(), 3, "{name}");
        for cut in cuts {
            assert!(cut["decisions"].as_u64().unwrap() > 5, "{name}: {cut}");
            assert!(cut["same_when_cut"] == true && cut["same_when_moved"] == true, "{name}: {cut}");
        }
    }
}

#[test]
fn what_cannot_be_swept_is_refused_with_what_to_do() {
    let dir = folder(1);
    let folder = dir.path();
    let with = |text: &str, arguments: &[&str], parts: &[&str]| {
        std::fs::write(folder.join("r.yaml"), text).unwrap();
        refused(&plimsoll(folder, &sweep(arguments)), parts);
    };
    with(
        "search: bayes\n",
        &[],
        &["r.yaml has 2 mistakes", "search: \"bayes\"", "allowed: grid | random | tpe", "parameters: must be a list"],
    );
    with(
        &RANGES.replace("folds: 2", "folds: 24").replace("train_percent: 50", "train_percent: 90"),
        &[],
        &["use fewer folds or longer data"],
    );
    with(&RANGES.replace("search: tpe", "search: grid").replace("step: 5", "step: 0.1"), &[], &["more than 1000 values"]);
    with(
        &RANGES.replace("search: tpe", "search: grid").replace("step: 5", "step: 1"),
        &[],
        &["the grid has 19100 points, more than 10000"],
    );
    // Intervals that no level earns its fees with are refused one by one, and there is no best then.
    let all = "search: grid\nparameters:\n  - { key: \"trading.symbols[0].price_interval\", kind: float, min: 1, max: 3, step: 1 }\n";
    with(all, &["--out", "none"], &["no run of the last part could be the best", "the first one: BTCUSDT"]);
    // What another sweep has left is not mixed up with.
    let few = RANGES.replace("trials: 120", "trials: 10");
    std::fs::write(folder.join("r.yaml"), &few).unwrap();
    done(&plimsoll(folder, &sweep(&["--out", "few"])));
    with(&few.replace("seed: 11", "seed: 12"), &["--out", "few"], &["few holds the results of a sweep with another ranges", "--fresh"]);
    std::fs::write(folder.join("r.yaml"), &few).unwrap();
    refused(&plimsoll(folder, &sweep(&["--out", "few", "--wallet", "777"])), &["with another wallet"]);
    done(&plimsoll(folder, &sweep(&["--out", "few", "--wallet", "7777", "--fresh"])));
    // Two at once in the same folder.
    std::fs::write(folder.join("r.yaml"), RANGES).unwrap();
    let mut first =
        command(folder, &sweep(&["--out", "two", "--workers", "1"])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(Duration::from_secs(60), "the first sweep", || folder.join("two/trials.csv").exists());
    refused(&plimsoll(folder, &sweep(&["--out", "two"])), &["another sweep is at work in two"]);
    first.kill().unwrap();
    first.wait().unwrap();
}
