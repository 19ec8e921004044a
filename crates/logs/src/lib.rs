//! One layer of `tracing` that gives every line of the log to the terminal, to files, to a store and to live viewers.
//!
//! Whoever speaks never waits: each of them has a bounded queue, and what does not fit is lost and counted. A line is one line,
//! has [`limits::TEXT_MAX`] bytes at most, and no secret that was named in it. Repeats become one line with their count.
//!
//! It deliberately has no thread and no database of its own: the program runs the [`FileWriter`] where a disk may hang, and lends a
//! function that hands lines to its store. It does not filter by level, because filters of `tracing-subscriber` do.
//!
//! Read [`Logs`] and [`Record`] first.
//!
//! ```
//! use plimsoll_logs::Logs;
//! use std::sync::{Arc, Mutex};
//! use tracing_subscriber::prelude::*;
//!
//! let shown = Arc::new(Mutex::new(String::new()));
//! let screen = Arc::clone(&shown);
//! let logs = Logs::new(move |line| {
//!     screen.lock().unwrap().push_str(line);
//!     true
//! });
//! logs.hide("hunter2hunter2");
//! tracing::subscriber::with_default(tracing_subscriber::registry().with(logs.layer()), || {
//!     tracing::info!(symbol = "BTCUSDT", "signed\nwith hunter2hunter2");
//! });
//! assert!(shown.lock().unwrap().ends_with("  INFO signed\\nwith [redacted] symbol=\"BTCUSDT\"\n"));
//! ```

mod capture;
mod files;
mod gate;
mod layer;
pub mod limits;
mod logs;
mod record;
mod redact;

pub use files::{FileWriter, FilesConfig};
pub use layer::LogLayer;
pub use logs::{LogFigures, Logs, SinkFigures, Viewer};
pub use record::Record;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
