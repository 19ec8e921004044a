//! `plimsoll top` in a terminal of its own: what it shows of a running bot, and that its keys reach the exchange.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{Running, free_port, get, quick, until, verb};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn shows_the_bot_and_its_keys_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = quick(folder.path(), port);
    let web = format!("127.0.0.1:{port}");
    let (code, said) = verb(&["top", "--once", "--config", &file]);
    assert_eq!(code, Some(2), "without a bot: {said}");
    assert!(said.contains("no admin token"), "{said}");
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    let symbol = || get(&web, "/api/symbols/BTCUSDT").unwrap_or_default();
    until(LONG, "orders", || symbol()["orders_working"].as_u64().unwrap_or(0) > 4);
    let (code, picture) = verb(&["top", "--once", "--config", &file]);
    assert_eq!(code, Some(0), "{picture}");
    for part in ["BTCUSDT orders", "◀ price", "trading", "worth ", "● account", "Events (UTC)"] {
        assert!(picture.contains(part), "{part} is missing:\n{picture}");
    }
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("left out: the keys, for `script` (util-linux) is not installed");
    } else {
        let call = format!("stty rows 40 cols 120; {} top --config {file}", env!("CARGO_BIN_EXE_plimsoll"));
        let mut top = Command::new("script")
            .args(["-qfec", &call, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env("TERM", "xterm-256color")
            .spawn()
            .unwrap();
        let mut keys = top.stdin.take().unwrap();
        let mut press = |key: &str| {
            keys.write_all(key.as_bytes()).unwrap();
            keys.flush().unwrap();
            std::thread::sleep(Duration::from_secs(1));
        };
        std::thread::sleep(Duration::from_secs(3));
        // A question that is not answered with yes does nothing.
        press("f");
        press("n");
        assert!(symbol()["closed"].is_null(), "{}", symbol()["closed"]);
        press("p");
        press("y");
        until(LONG, "the pause", || symbol()["closed"] == "paused");
        press("c");
        press("y");
        until(LONG, "no orders", || symbol()["orders_working"] == 0);
        press("\t");
        press("r");
        press("y");
        until(LONG, "orders again", || symbol()["closed"].is_null());
        press("q");
        assert!(top.wait().unwrap().success());
    }
    assert!(bot.stop(LONG).success());
}
