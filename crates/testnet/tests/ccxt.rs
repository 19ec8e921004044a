//! An unmodified ccxt trades on the exchange: `tests/ccxt/check.py` holds what is claimed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::process::Command;

use common::{Exchange, config};

/// The Python to use: `PLIMSOLL_PYTHON`, or what is on the path.
fn python() -> Option<String> {
    let python = std::env::var("PLIMSOLL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import ccxt.pro"]).output().is_ok_and(|output| output.status.success());
    found.then_some(python)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unmodified_ccxt_trades() {
    let Some(python) = python() else {
        eprintln!("left out: ccxt is not installed (pip install ccxt, and PLIMSOLL_PYTHON names the Python that has it)");
        return;
    };
    let exchange = Exchange::start(config()).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ccxt/check.py");
    let output = Command::new(python).args([script, &exchange.handle.http_url()]).output().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim_end().ends_with("all good"), "{said}\n{failed}");
    exchange.stop().await;
}
