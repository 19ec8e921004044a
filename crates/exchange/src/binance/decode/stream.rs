//! One frame of a WebSocket: which message it is, raw or wrapped.

use super::commands::{Reply, read_reply};
use super::depth_stream::{DepthUpdate, depth};
use super::market_stream::{
    AggTrade, BookTicker, ForceOrder, Found, Kline, Mark, StreamTrade, Ticker, agg_trade, book_ticker, force_order, kline, mark, ticker,
    trade,
};
use super::orders::AlgoOrder;
use super::quick;
use super::user_stream::{
    AccountConfig, AccountUpdate, ListenKeyExpired, MarginCall, OrderUpdate, TradeLite, TriggerReject, account_config, account_update,
    algo_update, listen_key_expired, margin_call, order_update, trade_lite, trigger_reject,
};
use crate::binance::wire::{DecodeError, Limited, Quoted, parse, parse_any};
use crate::instruments::Instruments;
use crate::limits::LIST_MAX;
use plimsoll_market::Symbol;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Everything that one frame can say.
///
/// Small messages are inline, so that the busy ones allocate nothing; the rest is boxed.
#[derive(Debug, PartialEq)]
pub enum Message<'a> {
    /// The book changed; the changes are in the buffer given.
    Depth(&'a DepthUpdate),
    /// Best bid and ask.
    BookTicker(BookTicker),
    /// Trades of one taker order.
    AggTrade(AggTrade),
    /// A single trade.
    Trade(StreamTrade),
    /// A candle.
    Kline(Box<Kline>),
    /// Mark price and funding.
    Mark(Mark),
    /// Figures of 24 hours.
    Ticker(Box<Ticker>),
    /// Figures of 24 hours, the short form.
    MiniTicker(Box<Ticker>),
    /// Somebody was liquidated.
    ForceOrder(Box<ForceOrder>),
    /// An order of the account changed.
    OrderUpdate(Box<OrderUpdate>),
    /// Balances or positions changed.
    AccountUpdate(Box<AccountUpdate>),
    /// A fill, told early.
    TradeLite(Box<TradeLite>),
    /// A conditional order changed.
    AlgoUpdate(Box<AlgoOrder>),
    /// A setting of the account changed.
    AccountConfig(AccountConfig),
    /// Margin runs short.
    MarginCall(Box<MarginCall>),
    /// The listen key has ended.
    ListenKeyExpired(Box<ListenKeyExpired>),
    /// A conditional order was refused when triggered.
    TriggerReject(Box<TriggerReject>),
    /// The answer to a subscribe or other command.
    Reply(Reply),
    /// An event that needs no answer: known and not used, or unknown. Never a fault.
    Ignored {
        /// Its name, cut.
        kind: Quoted,
    },
    /// An event of a symbol that is not in use.
    Unlisted {
        /// Its name.
        kind: &'static str,
        /// The symbol.
        symbol: Symbol,
    },
    /// Several events in one frame (`!markPrice@arr` and the like); none of them is of depth.
    Batch(Vec<Message<'a>>), // tidy: bounded by LIST_MAX, lives while a frame is handled
}

/// An event without its wrapping.
struct Envelope<'a> {
    kind: Cow<'a, str>,
    stream: Option<&'a str>,
    event: &'a [u8],
}

/// Reads a frame: an event raw or wrapped in `{"stream","data"}`, an array of events, or the answer to a command.
///
/// Depth, best price and trades allocate nothing. `buffer` is used by depth alone; after an error its content means nothing.
///
/// # Errors
/// Malformed JSON, an event without a needed field, or a number that does not fit its symbol's scale. What the frame said is
/// lost then: the caller declares a gap.
pub fn decode<'a>(frame: &'a [u8], instruments: &Instruments, buffer: &'a mut DepthUpdate) -> Result<Message<'a>, DecodeError> {
    if let Some(envelope) = quick_envelope(frame) {
        let event = envelope.event;
        let quick = match envelope.kind.as_ref() {
            "bookTicker" => quick::book_ticker(event, instruments).map(Message::BookTicker),
            "trade" => quick::trade(event, instruments).map(Message::Trade),
            "aggTrade" => quick::agg_trade(event, instruments).map(Message::AggTrade),
            "depthUpdate" if quick::depth(event, instruments, buffer).is_some() => {
                buffer.partial = envelope.stream.is_some_and(is_partial_depth);
                return Ok(Message::Depth(buffer));
            }
            _ => None,
        };
        if let Some(message) = quick {
            return Ok(message);
        }
    }
    let other = match quick_envelope(frame).map(|envelope| read(&envelope, instruments, buffer)) {
        // The quick look takes the rest of a wrapped frame for the event; one with more keys behind it is read in full.
        None | Some(Err(DecodeError::Malformed { .. })) => match full_envelope(frame, instruments)? {
            Frame::Event(envelope) => read(&envelope, instruments, buffer)?,
            Frame::Done(message) => return Ok(message),
        },
        Some(read) => read?,
    };
    Ok(other.unwrap_or(Message::Depth(buffer)))
}

/// Reads an event; `None` for depth, which is in the buffer then.
fn read(envelope: &Envelope<'_>, instruments: &Instruments, buffer: &mut DepthUpdate) -> Result<Option<Message<'static>>, DecodeError> {
    // The name was read from the text's beginning; the event's own reading checks that the text is whole.
    match envelope.kind.as_ref() {
        "depthUpdate" => match depth(envelope.event, instruments, buffer)? {
            Ok(()) => {
                buffer.partial = envelope.stream.is_some_and(is_partial_depth);
                Ok(None)
            }
            Err(symbol) => Ok(Some(Message::Unlisted { kind: "depthUpdate", symbol })),
        },
        kind => event(kind, envelope.event, instruments).map(Some),
    }
}

/// Whether a stream's name is that of the top of the book (`btcusdt@depth5@100ms`) and not of changes (`btcusdt@depth@100ms`).
fn is_partial_depth(stream: &str) -> bool {
    let depth = stream.split('@').find_map(|part| part.strip_prefix("depth"));
    depth.is_some_and(|levels| matches!(levels, "5" | "10" | "20"))
}

fn event(kind: &str, bytes: &[u8], instruments: &Instruments) -> Result<Message<'static>, DecodeError> {
    fn found<T>(name: &'static str, found: Found<T>, make: impl FnOnce(T) -> Message<'static>) -> Message<'static> {
        match found {
            Ok(value) => make(value),
            Err(symbol) => Message::Unlisted { kind: name, symbol },
        }
    }
    Ok(match kind {
        "bookTicker" => found("bookTicker", book_ticker(bytes, instruments)?, Message::BookTicker),
        "aggTrade" => found("aggTrade", agg_trade(bytes, instruments)?, Message::AggTrade),
        "trade" => found("trade", trade(bytes, instruments)?, Message::Trade),
        "kline" => found("kline", kline(bytes, instruments)?, |k| Message::Kline(Box::new(k))),
        "markPriceUpdate" => found("markPriceUpdate", mark(bytes, instruments)?, Message::Mark),
        "24hrTicker" => found("24hrTicker", ticker(bytes, instruments, false)?, |t| Message::Ticker(Box::new(t))),
        "24hrMiniTicker" => found("24hrMiniTicker", ticker(bytes, instruments, true)?, |t| Message::MiniTicker(Box::new(t))),
        "forceOrder" => found("forceOrder", force_order(bytes, instruments)?, |f| Message::ForceOrder(Box::new(f))),
        "ORDER_TRADE_UPDATE" => found("ORDER_TRADE_UPDATE", order_update(bytes, instruments)?, |o| Message::OrderUpdate(Box::new(o))),
        "TRADE_LITE" => found("TRADE_LITE", trade_lite(bytes, instruments)?, |t| Message::TradeLite(Box::new(t))),
        "ACCOUNT_UPDATE" => Message::AccountUpdate(Box::new(account_update(bytes, instruments)?)),
        "ALGO_UPDATE" => Message::AlgoUpdate(Box::new(algo_update(bytes)?)),
        "ACCOUNT_CONFIG_UPDATE" => match account_config(bytes)? {
            Some(config) => Message::AccountConfig(config),
            None => ignored(bytes, kind)?,
        },
        "MARGIN_CALL" => Message::MarginCall(Box::new(margin_call(bytes, instruments)?)),
        "listenKeyExpired" => Message::ListenKeyExpired(Box::new(listen_key_expired(bytes)?)),
        "CONDITIONAL_ORDER_TRIGGER_REJECT" => Message::TriggerReject(Box::new(trigger_reject(bytes)?)),
        _ => ignored(bytes, kind)?,
    })
}

/// An event that is not used must still be whole: a cut frame is a gap, whatever it was.
fn ignored(bytes: &[u8], kind: &str) -> Result<Message<'static>, DecodeError> {
    parse::<serde::de::IgnoredAny>("event", bytes)?;
    Ok(Message::Ignored { kind: Quoted::new(kind) })
}

/// Reads the name at the very beginning, where the exchange always writes it, without reading the rest.
///
/// `None` for any other order of keys: then [`full_envelope`] reads the frame as a whole.
fn quick_envelope(frame: &[u8]) -> Option<Envelope<'_>> {
    let (stream, event) = match frame.strip_prefix(br#"{"stream":""#) {
        Some(rest) => {
            let (stream, rest) = until_quote(rest)?;
            let event = rest.strip_prefix(br#","data":"#)?.strip_suffix(b"}")?;
            (Some(stream), event)
        }
        None => (None, frame),
    };
    let (kind, _) = until_quote(event.strip_prefix(br#"{"e":""#)?)?;
    Some(Envelope { kind: Cow::Borrowed(kind), stream, event })
}

/// A plain text of at most 64 bytes up to its closing quote.
fn until_quote(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().take(64).position(|b| *b == b'"' || *b == b'\\')?;
    if bytes.get(end) != Some(&b'"') {
        return None;
    }
    Some((core::str::from_utf8(bytes.get(..end)?).ok()?, bytes.get(end + 1..)?))
}

enum Frame<'a> {
    Event(Envelope<'a>),
    Done(Message<'a>),
}

fn full_envelope<'a>(frame: &'a [u8], instruments: &Instruments) -> Result<Frame<'a>, DecodeError> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow, default)]
        e: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        stream: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        error: Option<&'a RawValue>,
    }
    let start = frame.iter().find(|b| !b.is_ascii_whitespace());
    if start == Some(&b'[') {
        return events(frame, instruments).map(|batch| Frame::Done(Message::Batch(batch)));
    }
    let head: Head<'_> = parse("frame", frame)?;
    match head {
        Head { e: Some(kind), .. } => Ok(Frame::Event(Envelope { kind, stream: None, event: frame })),
        Head { stream, data: Some(data), .. } => {
            let event = data.get().as_bytes();
            if event.first() == Some(&b'[') {
                return events(event, instruments).map(|batch| Frame::Done(Message::Batch(batch)));
            }
            let inner: Head<'_> = parse("data of a frame", event)?;
            let Some(kind) = inner.e else {
                return Err(DecodeError::Shape { what: "data of a frame names no event" });
            };
            // A borrowed name outlives this function; one with escapes is of no stream that we subscribe to.
            let stream = stream.and_then(|name| if let Cow::Borrowed(name) = name { Some(name) } else { None });
            Ok(Frame::Event(Envelope { kind, stream, event }))
        }
        Head { id, error, .. } if id.is_some() || error.is_some() => read_reply(frame).map(|reply| Frame::Done(Message::Reply(reply))),
        Head { .. } => Err(DecodeError::Shape { what: "frame is neither an event nor an answer" }),
    }
}

fn events<'a>(bytes: &[u8], instruments: &Instruments) -> Result<Vec<Message<'a>>, DecodeError> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        e: Cow<'a, str>,
    }
    let list: Limited<&RawValue, LIST_MAX> = parse_any("array of events", bytes)?;
    let read = |raw: &&RawValue| {
        let bytes = raw.get().as_bytes();
        let head: Head<'_> = parse("event of an array", bytes)?;
        event(&head.e, bytes, instruments)
    };
    list.0.iter().map(read).collect()
}
