//! Exchange protocols without sockets: what the bytes of an exchange mean, what bytes to send, and when.
//!
//! It has no socket, clock, thread or file, and decides nothing about trading. Each exchange is a folder: decoding of its
//! messages into the words of `plimsoll_market`, requests and signatures, its error codes, and the book's synchronisation.
//!
//! Read [`binance::decode`] and [`Instruments`] first.
//!
//! ```
//! use plimsoll_bounded::Ledger;
//! use plimsoll_exchange::Instruments;
//! use plimsoll_exchange::binance::decode::{DepthUpdate, Message, decode};
//! use plimsoll_market::Instrument;
//!
//! let ledger = Ledger::open(1 << 20);
//! let mut instruments = Instruments::new(ledger.grant(Instruments::line("doc.instruments", 4))?);
//! instruments.put(Instrument::example_btcusdt())?;
//! let mut depth = DepthUpdate::new(ledger.grant(DepthUpdate::line("doc.depth"))?);
//!
//! let frame = br#"{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.522","T":5,"E":6}"#;
//! let Message::BookTicker(ticker) = decode(frame, &instruments, &mut depth)? else { panic!("another message") };
//! assert_eq!(ticker.top.bid.units(), 6_180_020);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod binance;
mod class;
mod instruments;
pub mod limits;
pub mod session;

pub use class::{Class, Outcome};
pub use instruments::{Entry as InstrumentsEntry, Instruments, InstrumentsError, Scales, SymbolIndex};
