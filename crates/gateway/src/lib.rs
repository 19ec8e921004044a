//! Carries out an exchange session on real sockets: WebSockets, REST over HTTP/1.1, TLS.
//!
//! It decides nothing: when to connect, what to send, what is a gap and what to do about it is said by the
//! [`Session`](plimsoll_exchange::session::Session). One task owns the session and all its sockets, so an order leaves in the
//! turn of the message that caused it. It keeps no messages: what is not read stays in the socket, and TCP slows the sender.
//!
//! Read [`Gateway`] and [`Sink`] first.
//!
//! ```
//! use plimsoll_gateway::{Endpoint, GatewayConfig};
//!
//! let config = GatewayConfig::new("local:main", "http://127.0.0.1:8080", "ws://127.0.0.1:8080", "testkey");
//! assert!(config.is_ok());
//! let refused = Endpoint::rest("ftp://127.0.0.1").unwrap_err();
//! assert_eq!(refused.to_string(), r#""ftp://127.0.0.1" does not begin with one of http:// or https://"#);
//! ```

mod clock;
mod config;
mod dial;
mod driver;
mod fetch;
mod gateway;
mod http;
pub mod limits;
mod once;
mod sockets;
mod tap;
mod work;

pub use clock::Clock;
pub use config::{ConfigError, Endpoint, GatewayConfig};
pub use fetch::{FetchError, Part, fetch};
pub use gateway::{Gateway, GatewayError, GatewayHandle, GatewayStats, OrderRefused, OrderSender, Report, Sink};
pub use once::{AskError, ask_once};
pub use tap::{TapError, Tapped, tap};
