//! Alerts of a running bot reach a webhook, and `plimsoll alert test` says whether a channel works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{Running, free_port, get, until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server that takes whatever is posted to it, until the test ends.
fn recorder() -> (String, Arc<Mutex<Vec<serde_json::Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
            }
        }
    });
    (format!("http://{address}/hook"), heard)
}

#[test]
fn alerts_reach_a_webhook_and_can_be_tried() {
    let folder = tempfile::tempdir().unwrap();
    let (url, heard) = recorder();
    let (web, file) = (free_port(), folder.path().join("plimsoll.yaml"));
    let text = format!(
        "exchange: local\ndata_dir: {}\nweb:\n  listen: 127.0.0.1:{web}\ntrading:\n  symbols:\n    \
         - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\nalerts:\n  channels:\n    \
         - {{ name: hook, kind: webhook, secret_env: HOOK_URL }}\n    - {{ name: dead, kind: webhook, secret_env: DEAD_URL }}\n  \
         rules:\n    - {{ severity: info, channels: [hook] }}\n",
        folder.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let dead = format!("http://127.0.0.1:{}/nobody", free_port());
    let envs = [("HOOK_URL", url.as_str()), ("DEAD_URL", dead.as_str())];
    let test = |channel: &str| {
        let args = ["alert", "test", channel, "--config", file.to_str().unwrap()];
        Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(args).envs(envs).output().unwrap()
    };
    let tried = test("hook");
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    assert_eq!(heard.lock().unwrap().len(), 1);
    let failed = test("dead");
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && said.contains("channel dead (webhook)") && !said.contains("nobody"), "{said}");
    assert!(!test("other").status.success());

    let mut bot = Running::start(&["run", "--config", file.to_str().unwrap()], &envs);
    until(Duration::from_secs(30), "the alert that trading began", || {
        heard.lock().unwrap().iter().any(|alert| alert.to_string().contains("BTCUSDT: trading"))
    });
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(10), "the channel's figures", || {
        get(&api, "/api/alerts/channels").is_some_and(|channels| channels["channels"][0]["sent"].as_u64() >= Some(1))
    });
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
}
