//! What is said while a line is made or handed out. In a process of its own, because it is about the process's subscriber.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fmt;
use std::sync::{Arc, Mutex};

use plimsoll_logs::{LogFigures, Logs, SinkFigures};
use plimsoll_market::LogLevel;
use tracing_subscriber::prelude::*;

#[test]
fn nothing_that_is_said_while_a_line_is_handed_out_is_a_line() {
    struct Talkative;
    impl fmt::Display for Talkative {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            tracing::error!("said by a value");
            f.write_str("a value")
        }
    }
    let screen = Arc::new(Mutex::new(String::new()));
    let shown = Arc::clone(&screen);
    let logs = Logs::new(move |line| {
        tracing::error!("said by the terminal");
        shown.lock().unwrap().push_str(line);
        true
    });
    logs.store(LogLevel::Info, |_| tracing::error!("said by the store"));
    // Of the whole process: a subscriber of one thread alone would not be asked again anyway.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(logs.layer())).unwrap();
    tracing::info!("{}", Talkative);
    assert_eq!(&screen.lock().unwrap()[27..], "  INFO a value\n");
    let LogFigures { nested, store, .. } = logs.figures();
    assert_eq!((nested, store), (3, SinkFigures { written: 1, dropped: 0 }));
}
