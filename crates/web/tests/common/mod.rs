//! What the tests of routes and of live updates share.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use plimsoll_bounded::{Ledger, Open};
use plimsoll_market::Time;
use plimsoll_web::{AdminToken, Peer, WebConfig};

use crate::made_up::MadeUp;

/// A market of a fixed seed at a fixed time, ten minutes old.
pub fn market() -> Arc<MadeUp> {
    MadeUp::new(7, Time::from_millis(1_700_000_000_000), Duration::from_secs(600))
}

pub fn ledger() -> Ledger<Open> {
    Ledger::with_lines(64_000_000, 64)
}

/// A configuration on a free port, and its token's text.
pub fn config() -> (WebConfig, String) {
    let token = AdminToken::random().unwrap();
    let text = token.reveal().to_owned();
    let mut config = WebConfig::new(token);
    config.listen = "127.0.0.1:0".parse().unwrap();
    (config, text)
}

/// This machine, as a visitor.
pub fn near() -> Peer {
    Peer("127.0.0.1".parse().unwrap())
}
