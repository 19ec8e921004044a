//! A session with an exchange: what to connect and send, and what it all means, without a socket.
//!
//! [`Session`] takes [`Input`]s (connections, frames, replies, orders, the time) and gives [`Output`]s (connect, request,
//! events). It boots (clock, instruments, account, listen key), keeps books by snapshot and changes, declares every gap, catches up
//! after every reconnect, keeps within the rate limits with lanes that cannot starve each other, and answers every order once.
//!
//! It deliberately keeps no watermark, decides nothing about trading and never sends an order twice.

mod answers;
mod backoff;
mod boot;
mod budget;
mod config;
mod conns;
mod core;
mod headers;
mod io;
mod jobs;
mod lanes;
pub mod limits;
mod market;
mod offset;
mod orders;
mod random;
mod report;
mod requests;
mod resync;
mod resync_state;
mod side;
mod user;

pub use self::core::Session;
pub use budget::{RateLimits, Used};
pub use config::{Routing, SessionConfig};
pub use headers::read_headers;
pub use io::{BootFailure, Closed, ConnId, Dropped, HttpRequest, Input, Lane, Output, Outputs, Reply, RequestId, Sent};
pub use jobs::body_bytes_max;
pub use limits::conns_of;
pub use report::{BootReport, PositionMode, SessionStats, SymbolReport};

#[cfg(test)]
mod tests;
