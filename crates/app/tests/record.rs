//! `plimsoll data record` on a local exchange: what it wrote is imported and traded, after a kill and a break of the exchange, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{Running, free_port, until, verb};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn exchange(listen: &str) -> Running {
    Running::start(&["testnet", "--listen", listen, "--speed", "20", "--seed", "7"], &[])
}

fn config(folder: &Path, at: &str) -> String {
    let file = folder.join("plimsoll.yaml");
    let text = format!(
        "exchange: paper\nbinance: {{ rest_url: \"http://{at}\", websocket_url: \"ws://{at}\" }}\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 30, order_quantity: 250 }}\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn recordings(folder: &Path, symbol: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(symbol)).collect();
    files.sort();
    files
}

fn bytes(folder: &Path, symbol: &str) -> u64 {
    recordings(folder, symbol).iter().map(|path| path.metadata().unwrap().len()).sum()
}

#[test]
fn what_was_recorded_is_imported_and_traded() {
    let dir = tempfile::tempdir().unwrap();
    let (into, address) = (dir.path().join("recordings"), format!("127.0.0.1:{}", free_port()));
    let market = exchange(&address);
    let (file, folder) = (config(dir.path(), &address), into.display().to_string());
    let arguments = ["data", "record", "ETHUSDT", "BTCUSDT", "--config", &file, "--into", &folder];
    let mut recorder = Running::start(&arguments, &[]);
    assert!(recorder.first_line.starts_with("recording BTCUSDT, ETHUSDT into"), "{}", recorder.first_line);
    until(Duration::from_secs(60), "something on disk", || bytes(&into, "BTCUSDT") > 100_000 && bytes(&into, "ETHUSDT") > 100_000);
    // The exchange breaks off and comes back: what it told before and after is in the same recording.
    drop(market);
    std::thread::sleep(Duration::from_secs(2));
    let _market = exchange(&address);
    let before = bytes(&into, "BTCUSDT");
    until(Duration::from_secs(60), "something after the break", || bytes(&into, "BTCUSDT") > before + 100_000);
    recorder.signal("-KILL");
    recorder.wait(Duration::from_secs(10));

    let files = recordings(&into, "BTCUSDT");
    assert_eq!(files.len(), 1, "{files:?}");
    let (recording, tape, rules) = (
        files[0].display().to_string(),
        dir.path().join("b.tape").display().to_string(),
        into.join("exchange-info.json").display().to_string(),
    );
    let (code, told) = verb(&["data", "import", &recording, "--out", &tape, "--exchange-info", &rules]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = verb(&["data", "check", &tape]);
    assert!(code == Some(0) && told.contains("levels") && told.contains("trades") && told.contains("marks"), "{told}");
    let report = dir.path().join("report").display().to_string();
    let (code, told) = verb(&["backtest", "--config", &file, "--data", &tape, "--exchange-info", &rules, "--report", &report]);
    assert_eq!(code, Some(0), "{told}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(Path::new(&report).join("report.json")).unwrap()).unwrap();
    assert!(json["summary"]["orders"].as_u64().unwrap() > 0, "{json}");

    // Torn within its last part, it is read up to there.
    let torn = dir.path().join("BTCUSDT_torn.dat.gz");
    let whole = std::fs::read(&files[0]).unwrap();
    std::fs::write(&torn, &whole[..whole.len() - 50]).unwrap();
    let (code, told) = verb(&["data", "import", &torn.display().to_string(), "--out", &tape, "--exchange-info", &rules]);
    assert!(code == Some(0) && told.contains("1 lines could not be read"), "{told}");
}

#[test]
fn a_recording_ends_by_itself_and_keeps_no_more_than_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("recordings");
    std::fs::create_dir(&into).unwrap();
    let market = exchange("127.0.0.1:0");
    let file = config(dir.path(), market.first_line.trim_start_matches("http://"));
    // What was recorded before: the oldest goes, others' files stay.
    for (name, size) in [
        ("BTCUSDT_20200101T000000.dat.gz", 20 << 20),
        ("BTCUSDT_20200101T010000.dat.gz", 1 << 20),
        ("SOLUSDT_20200101T000000.dat.gz", 30 << 20),
    ] {
        std::fs::write(into.join(name), vec![0_u8; size]).unwrap();
    }
    let folder = into.display().to_string();
    let (code, told) = verb(&["data", "record", "--config", &file, "--into", &folder, "--for", "8s", "--keep", "16MB"]);
    assert!(code == Some(0) && told.contains("BTCUSDT: ") && told.contains("messages"), "{told}");
    let left = recordings(&into, "");
    let names: Vec<_> = left.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(
        names.contains(&"BTCUSDT_20200101T010000.dat.gz".to_owned()) && names.contains(&"SOLUSDT_20200101T000000.dat.gz".to_owned()),
        "{names:?}"
    );

    for (arguments, says) in [
        (vec!["NOPEUSDT"], "has no contract NOPEUSDT"),
        (vec!["--for", "5x"], "--for 5x is no duration"),
        (vec!["--keep", "1KB"], "--keep 1KB is no size of at least 16MB"),
    ] {
        let all: Vec<&str> = ["data", "record", "--config", &file, "--into", &folder].into_iter().chain(arguments).collect();
        let (code, told) = verb(&all);
        assert!(code != Some(0) && told.contains(says), "{told}");
    }
    let nobody = config(dir.path(), &format!("127.0.0.1:{}", free_port()));
    let (code, told) = verb(&["data", "record", "--config", &nobody, "--into", &folder]);
    assert!(code != Some(0) && told.contains("does not tell its rules"), "{told}");
}
