//! Binance USDⓈ-M futures, the client's side.
//!
//! [`decode`] reads what comes from the exchange (stream messages, REST replies, WebSocket-API replies, errors),
//! [`encode`] writes requests and stream names, [`sign`] signs them, [`book_sync`] keeps a book by the documented
//! procedure, and [`describe`] tells a person what a message says.

pub mod book_sync;
pub mod decode;
pub mod describe;
pub mod encode;
mod error;
pub mod server;
pub mod sign;
mod wire;

pub use error::{ApiError, RETRY_AFTER_DEFAULT};
pub use wire::{DecodeError, Quoted};
