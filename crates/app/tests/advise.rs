//! `plimsoll advise`, as a person calls it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn plimsoll(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll")).current_dir(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ten days of minutes that wander a thirtieth of a percent each: about one and a quarter percent a day.
fn candles() -> String {
    let (mut state, mut price) = (7_u64, 600_000_i64);
    let mut draw = |range: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % range) as i64
    };
    let show = |tenths: i64| format!("{}.{}", tenths / 10, tenths % 10);
    (0..14_400_u64)
        .map(|m| {
            let open = price;
            price += draw(681) - 340 - (price - 600_000) / 400;
            let (low, high) = (open.min(price) - draw(50), open.max(price) + draw(50));
            let time = 1_704_067_200_000 + m * 60_000;
            format!("{time},{},{},{},{},{}.5,0,0,0,0,0,0\n", show(open), show(high), show(low), show(price), 20 + draw(9_973))
        })
        .collect()
}

const CONFIG: &str = "exchange: local\ntrading:\n  symbols:\n    - { symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }\n    - { symbol: ETHUSDT, price_interval: 2, order_quantity: 200 }\nweb: { listen: \"127.0.0.1:15999\" }\n";

#[test]
fn a_proposal_is_explained_tried_and_ready() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    std::fs::write(folder.join("BTCUSDT-1m.csv"), candles()).unwrap();
    done(&plimsoll(folder, &["data", "import", "BTCUSDT-1m.csv", "--out", "t.tape"]));
    std::fs::write(folder.join("c.yaml"), CONFIG).unwrap();
    let advise = ["advise", "BTCUSDT", "--config", "c.yaml", "--data", "t.tape", "--capital", "10000"];
    let told = done(&plimsoll(folder, &advise));
    for part in [
        "BTCUSDT with 10000 USDT",
        "1. Measured over 7.0 days",
        "2. A fall of",
        "3. A round trip pays 0.040 % in maker fees",
        "For fees to take at most 20 % of what it earns",
        "<- proposed",
        "where it was made: 7.0 days",
        "on what came after: 3.0 days",
        "ready: advice/grid.yaml",
    ] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    // What is proposed is ready, keeps the rest of the configuration, and trades.
    assert!(done(&plimsoll(folder, &["config", "check", "--config", "advice/grid.yaml"])).contains("is right: 1 symbols"));
    let ready = std::fs::read_to_string(folder.join("advice/grid.yaml")).unwrap();
    assert!(ready.contains("127.0.0.1:15999") && ready.contains("max_exposure:") && !ready.contains("ETHUSDT"), "{ready}");
    for part in ["in-sample", "out-of-sample"] {
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("advice").join(part).join("report.json")).unwrap()).unwrap();
        assert!(json["summary"]["round_trips"].as_u64().unwrap() > 5, "{part}: {}", json["summary"]);
        assert_eq!(json["summary"]["equity_begin"], 10_000.0);
    }
    // The proposal is made of the first part alone: of other data behind it the same one is made.
    let split = told.lines().find(|line| line.starts_with("The proposal")).unwrap().to_owned();
    let mut rows: Vec<String> = candles().lines().map(str::to_owned).collect();
    for row in rows.iter_mut().skip(10_080) {
        let mut fields: Vec<String> = row.split(',').map(str::to_owned).collect();
        for field in &mut fields[1..5] {
            *field = format!("{:.1}", field.parse::<f64>().unwrap() + 900.0);
        }
        *row = fields.join(",");
    }
    std::fs::write(folder.join("BTCUSDT-1m.csv"), rows.join("\n")).unwrap();
    done(&plimsoll(folder, &["data", "import", "BTCUSDT-1m.csv", "--out", "u.tape"]));
    let again = done(&plimsoll(folder, &["advise", "BTCUSDT", "--config", "c.yaml", "--data", "u.tape", "--capital", "10000"]));
    assert!(again.contains(&split), "{split} is not in: {again}");
    // With too little it says how much would do; for another contract nothing is said.
    let poor = plimsoll(folder, &["advise", "BTCUSDT", "--config", "c.yaml", "--data", "t.tape", "--capital", "50"]);
    let text = String::from_utf8_lossy(&poor.stderr).into_owned();
    assert!(poor.status.code() == Some(2) && text.contains("at least") && text.contains("would do"), "{text}");
    let other = plimsoll(folder, &["advise", "ETHUSDT", "--config", "c.yaml", "--data", "t.tape"]);
    assert!(String::from_utf8_lossy(&other.stderr).contains("the tapes are of BTCUSDT, not of ETHUSDT"));
}
