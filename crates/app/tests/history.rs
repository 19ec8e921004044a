//! `plimsoll data` and `plimsoll backtest`, as a person calls them.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn plimsoll(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll")).current_dir(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two days of minutes that swing by two percent every two hours.
fn candles(days: u64) -> String {
    let price = |minute: u64| {
        let of = minute % 120;
        60_000 + 20 * if of < 60 { of } else { 120 - of }
    };
    let row = |m: u64| {
        let (open, close) = (price(m), price(m + 1));
        let (low, high) = (open.min(close) - 1, open.max(close) + 1);
        format!("{},{open}.0,{high}.0,{low}.0,{close}.0,{}.5,0,0,0,0,0,0\n", 1_704_067_200_000 + m * 60_000, 20 + m * m % 9_973)
    };
    (0..days * 1_440).map(row).collect()
}

#[test]
fn history_is_imported_checked_and_traded() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let text = candles(2);
    std::fs::write(folder.join("BTCUSDT-1m-2024-01.csv"), &text).unwrap();
    let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/plimsoll.yaml")).unwrap();
    std::fs::write(folder.join("c.yaml"), config).unwrap();
    // Swings that are alike to the unit are what a repeated file looks like: their volume tells them apart.
    let told = done(&plimsoll(folder, &["data", "import", "BTCUSDT-1m-2024-01.csv"]));
    let tape = "data/history/BTCUSDT/BTCUSDT-1m-2024-01.tape";
    assert!(told.contains(tape) && told.contains("2880 events, 2024-01-01 00:00:00.000Z to 2024-01-02 23:59:00.000Z"), "{told}");
    let told = done(&plimsoll(folder, &["data", "list"]));
    assert!(told.contains("2880 candles of 60 s"), "{told}");
    let told = done(&plimsoll(folder, &["data", "check", tape]));
    assert!(told.contains("well; 2880 candles"), "{told}");
    let told = done(&plimsoll(folder, &["backtest", "--config", "c.yaml", "--data", tape, "--funding", "0.01", "--wallet", "20000"]));
    assert!(told.contains("BTCUSDT  2024-01-01 00:00") && told.contains("liquidations 0"), "{told}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("backtest/report.json")).unwrap()).unwrap();
    let summary = &json["summary"];
    assert_eq!(summary["equity_begin"], 20_000.0);
    assert!(summary["round_trips"].as_u64().unwrap() > 100, "{summary}");
    assert!(summary["profit"].as_f64().unwrap() > 0.0 && summary["funding"].as_f64().unwrap() < 0.0, "{summary}");
    let fills = std::fs::read_to_string(folder.join("backtest/fills.csv")).unwrap();
    assert_eq!(fills.lines().count() as u64, summary["fills"].as_u64().unwrap() + 1);
    let page = std::fs::read_to_string(folder.join("backtest/report.html")).unwrap();
    assert!(!page.contains("{{") && !page.contains("http://") && !page.contains("https://"), "the page needs nothing else");
    let equity = std::fs::read_to_string(folder.join("backtest/equity.csv")).unwrap();
    assert!(equity.lines().count() > 1_000);
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let mut rows: Vec<String> = candles(1).lines().map(str::to_owned).collect();
    rows.swap(700, 701);
    std::fs::write(folder.join("BTCUSDT-1m-x.csv"), rows.join("\n")).unwrap();
    let refused = plimsoll(folder, &["data", "import", "BTCUSDT-1m-x.csv"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("BTCUSDT-1m-x.csv, line 702, 2024-01-01 11:40:00.000Z: out of order"), "{told}");
    assert_eq!(refused.status.code(), Some(2));
    std::fs::write(folder.join("XYZUSDT-1m-x.csv"), candles(1)).unwrap();
    let refused = plimsoll(folder, &["data", "import", "XYZUSDT-1m-x.csv"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("--exchange-info"), "{told}");
    let refused = plimsoll(folder, &["backtest", "--data", "nowhere.tape"]);
    assert_eq!(refused.status.code(), Some(2));
}
