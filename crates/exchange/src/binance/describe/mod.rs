//! What a message says, for a person: recognised without being told, decoded by the same code that trades, printed exactly.

mod recognise;
mod report;
mod show_account;
mod show_market;
mod show_stream;

use super::wire::DecodeError;
use crate::instruments::{Instruments, Scales};
use crate::limits::{DESCRIBE_BYTES_MAX, INSTRUMENTS_MAX};
use core::fmt;
use plimsoll_bounded::Ledger;
use plimsoll_market::{Asset, Instrument, Round, Symbol, parse_units};
use recognise::recognise;
pub use recognise::{Kind, UnknownKind};
use report::Report;
use serde_json::Value;
use thiserror::Error;

/// Why a message could not be described.
#[derive(Debug, Error)]
pub enum DescribeError {
    /// Too long to be a message of the exchange.
    #[error("message has {bytes} bytes, more than the {DESCRIBE_BYTES_MAX} that are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or cut off.
    #[error("message is not JSON")]
    NotJson {
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
    /// JSON, but no message that this build knows.
    #[error("message is not recognised: {reason}")]
    Unrecognised {
        /// What was seen.
        reason: &'static str,
    },
    /// Recognised, but wrong.
    #[error("recognised as {kind}, but it is refused")]
    Refused {
        /// What it was taken for.
        kind: Kind,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// The text could not be written.
    #[error("description could not be written")]
    Write(#[from] fmt::Error),
}

impl DescribeError {
    /// Shows the error with its causes, on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// Recognises a message and writes what was understood: its type and its fields with their exact values.
///
/// Replies to REST requests carry no type; they are recognised by their fields, or by `hint` where given. Long lists are cut
/// and counted.
///
/// # Errors
/// A message that is not recognised or is refused, with the reason; nothing was written then but perhaps the type's name.
pub fn describe(out: &mut impl fmt::Write, message: &[u8], hint: Option<Kind>) -> Result<Kind, DescribeError> {
    if message.len() > DESCRIBE_BYTES_MAX {
        return Err(DescribeError::TooLong { bytes: message.len() });
    }
    let value: Value = serde_json::from_slice(message).map_err(|source| DescribeError::NotJson { source })?;
    let kind = match hint {
        Some(kind) => kind,
        None => recognise(&value).map_err(|reason| DescribeError::Unrecognised { reason })?,
    };
    let ledger = Ledger::open(64 << 20);
    let context = Context::new(&ledger, &value)?;
    // Written whole or not at all: a half-described message would mislead.
    let mut report = Report::default();
    show(&mut report, &context, kind, message, &value)?;
    out.write_str(report.text())?;
    Ok(kind)
}

/// What the decoders need to be told: the symbols that the message itself names, at the digits that it uses.
struct Context<'l> {
    ledger: &'l Ledger<plimsoll_bounded::Open>,
    instruments: Instruments,
    scales: Scales,
}

impl<'l> Context<'l> {
    fn new(ledger: &'l Ledger<plimsoll_bounded::Open>, value: &Value) -> Result<Self, DescribeError> {
        let mut found = Found { symbols: Vec::new(), digits: 0 };
        found.search(value, 0);
        let unnamed = |_| DescribeError::Unrecognised { reason: "it names no symbol that can be one" };
        let quote = Asset::new("quote").map_err(unnamed)?;
        let line = Instruments::line("describe.instruments", found.symbols.len().max(1));
        let grant = ledger.grant(line).map_err(|_| DescribeError::Unrecognised { reason: "it names too many symbols" })?;
        let mut instruments = Instruments::new(grant);
        for symbol in found.symbols {
            let instrument =
                Instrument { symbol, quote, price_scale: found.digits, qty_scale: found.digits, ..Instrument::example_btcusdt() };
            // There is room for each of them, and none comes twice.
            instruments.put(instrument).map_err(|_| DescribeError::Unrecognised { reason: "it names a symbol twice" })?;
        }
        let scales = Scales { index: crate::SymbolIndex::ANY, price: found.digits, qty: found.digits, quote };
        Ok(Self { ledger, instruments, scales })
    }
}

struct Found {
    symbols: Vec<Symbol>, // tidy: bounded by INSTRUMENTS_MAX, lives while a message is described
    digits: u8,
}

impl Found {
    /// Collects what stands under `s` and `symbol`, and the digits of the finest number.
    fn search(&mut self, value: &Value, depth: u8) {
        match value {
            Value::String(text) => {
                let fine = (self.digits..=8).find(|d| parse_units(text, *d, Round::Exact).is_ok());
                self.digits = fine.unwrap_or(self.digits);
            }
            // serde reads at most 128 levels; a message of the exchange has five.
            Value::Array(list) if depth < 16 => list.iter().for_each(|v| self.search(v, depth + 1)),
            Value::Object(map) if depth < 16 => {
                for (key, value) in map {
                    if let ("s" | "symbol", Value::String(name)) = (key.as_str(), value) {
                        self.add(name);
                    } else {
                        self.search(value, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, name: &str) {
        let Ok(symbol) = Symbol::new(name) else { return };
        if self.symbols.len() < INSTRUMENTS_MAX
            && let Err(at) = self.symbols.binary_search(&symbol)
        {
            self.symbols.insert(at, symbol);
        }
    }
}

fn show(report: &mut Report, context: &Context<'_>, kind: Kind, bytes: &[u8], value: &Value) -> Result<(), DescribeError> {
    let refused = |source| DescribeError::Refused { kind, source };
    if kind == Kind::WebSocketApi {
        let reply = super::decode::ws_api_reply(bytes).map_err(refused)?;
        report.title("answer of the WebSocket-API");
        report.field("id", reply.id);
        report.field("status", reply.status);
        for limit in &reply.limits {
            report.field("limit", report::limit_text(limit));
        }
        return match reply.result {
            Ok(body) => {
                let inner = value.get("result").unwrap_or(&Value::Null);
                let kind = recognise(inner).map_err(|reason| DescribeError::Unrecognised { reason })?;
                show(report, context, kind, body, inner)
            }
            Err(error) => {
                show_stream::error(report, &error);
                Ok(())
            }
        };
    }
    if kind == Kind::Wrapped {
        // Only recordings wrap replies like events; the exchange itself does not.
        let inner = value.get("data").unwrap_or(&Value::Null);
        let text = inner.to_string();
        report.title("recording");
        report.field("stream", value.get("stream").and_then(Value::as_str).unwrap_or("?"));
        let kind = recognise(inner).map_err(|reason| DescribeError::Unrecognised { reason })?;
        if matches!(kind, Kind::Wrapped | Kind::WebSocketApi) {
            return Err(DescribeError::Unrecognised { reason: "one envelope lies in another" });
        }
        return show(report, context, kind, text.as_bytes(), inner);
    }
    let shown = show_stream::show(report, context, kind, bytes)
        .transpose()
        .or_else(|| show_account::show(report, context, kind, bytes).transpose())
        .or_else(|| show_market::show(report, context, kind, bytes).transpose());
    match shown {
        Some(shown) => shown.map_err(refused),
        None => {
            show_market::unused(report, kind, value);
            Ok(())
        }
    }
}
