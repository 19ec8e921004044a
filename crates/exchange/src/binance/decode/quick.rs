//! A scanner for the four busiest messages in exactly the form that the exchange writes: no spaces, no escapes, plain numbers.
//!
//! It gives up at anything else, and at anything wrong, so that the full reading decides and names the fault. Where it does not
//! give up it must read what the full reading reads: that is tested.

use super::depth_stream::DepthUpdate;
use super::market_stream::{AggTrade, BookTicker, StreamTrade, taker, trade_origin};
use crate::binance::wire::{power, units};
use crate::instruments::{Instruments, Scales};
use plimsoll_market::{Level, Price, Qty, Round, Side, Time, Top, Trade, TradeId};

/// The fields of an object without nested objects.
struct Fields<'a> {
    rest: &'a [u8],
    seen: u128,
}

enum Item<'a> {
    Text(&'a str),
    Number(u64),
    Flag(bool),
    /// A list begins; the caller moves `rest` behind it.
    List,
}

impl<'a> Fields<'a> {
    fn new(object: &'a [u8]) -> Option<Self> {
        Some(Self { rest: object.strip_prefix(b"{")?, seen: 0 })
    }

    /// The next field; `Some(None)` at the object's end, `None` at anything unexpected.
    #[expect(clippy::option_option, reason = "giving up and being done differ")]
    fn next(&mut self) -> Option<Option<(&'a [u8], Item<'a>)>> {
        match self.rest {
            // Only an object without fields ends at once, and whatever ends must end the text.
            b"}" => return if self.seen == 0 { None } else { Some(None) },
            [b',', rest @ ..] if self.seen != 0 => self.rest = rest,
            _ if self.seen == 0 => {}
            _ => return None,
        }
        let (key, rest) = text(self.rest.strip_prefix(b"\"")?)?;
        // A key of one letter that comes twice is a fault; longer ones that matter are marked by their length.
        let mark = match key.as_bytes() {
            [letter] => 1 << (letter & 127),
            b"pu" => 1,
            _ => 2,
        };
        if mark != 2 && self.seen & mark != 0 {
            return None;
        }
        self.seen |= mark;
        let rest = rest.strip_prefix(b":")?;
        let (item, rest) = match rest {
            [b'"', rest @ ..] => {
                let (text, rest) = text(rest)?;
                (Item::Text(text), rest)
            }
            [b'0'..=b'9', ..] => {
                let (number, rest) = integer(rest)?;
                (Item::Number(number), rest)
            }
            [b't', b'r', b'u', b'e', rest @ ..] => (Item::Flag(true), rest),
            [b'f', b'a', b'l', b's', b'e', rest @ ..] => (Item::Flag(false), rest),
            [b'[', ..] => (Item::List, rest),
            _ => return None,
        };
        self.rest = rest;
        Some(Some((key.as_bytes(), item)))
    }
}

/// A text of printable ASCII up to its closing quote.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f | 0x80..))?;
    let (text, rest) = bytes.split_at(end);
    Some((core::str::from_utf8(text).ok()?, rest.strip_prefix(b"\"")?))
}

/// An unsigned integer of at most 18 digits, not followed by what makes it a fraction.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|b| !b.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at(end);
    if end == 0 || end > 18 || (end > 1 && digits.first() == Some(&b'0')) || matches!(rest.first(), Some(b'.' | b'e' | b'E')) {
        return None;
    }
    Some((digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')), rest))
}

fn price(text: Option<&str>, scales: &Scales) -> Option<Price> {
    units(text?, scales.price, Round::Exact).ok().filter(|u| *u >= 0).map(Price::from_units)
}

fn qty(text: Option<&str>, scales: &Scales) -> Option<Qty> {
    units(text?, scales.qty, Round::Exact).ok().filter(|u| *u >= 0).map(|u| Qty::from_units(u.unsigned_abs()))
}

pub(super) fn book_ticker(bytes: &[u8], instruments: &Instruments) -> Option<BookTicker> {
    let (mut symbol, mut bid, mut bid_qty, mut ask, mut ask_qty) = (None, None, None, None, None);
    let (mut update, mut time, mut event_time) = (None, None, None);
    let mut fields = Fields::new(bytes)?;
    while let Some((key, item)) = fields.next()? {
        match (key, item) {
            (b"s", Item::Text(text)) => symbol = Some(text),
            (b"b", Item::Text(text)) => bid = Some(text),
            (b"B", Item::Text(text)) => bid_qty = Some(text),
            (b"a", Item::Text(text)) => ask = Some(text),
            (b"A", Item::Text(text)) => ask_qty = Some(text),
            (b"u", Item::Number(n)) => update = Some(n),
            (b"T", Item::Number(n)) => time = Some(n),
            (b"E", Item::Number(n)) => event_time = Some(n),
            (b"s" | b"b" | b"B" | b"a" | b"A" | b"u" | b"T" | b"E", _) | (_, Item::List) => return None,
            _ => {}
        }
    }
    let scales = instruments.scales(symbol?)?;
    let top = Top {
        bid: price(bid, &scales)?,
        bid_qty: qty(bid_qty, &scales)?,
        ask: price(ask, &scales)?,
        ask_qty: qty(ask_qty, &scales)?,
        time: Time::from_millis(time?),
    };
    Some(BookTicker { symbol: scales.index, update_id: update?, top, event_time: Time::from_millis(event_time?) })
}

pub(super) fn trade(bytes: &[u8], instruments: &Instruments) -> Option<StreamTrade> {
    let (mut symbol, mut at, mut amount, mut origin, mut maker) = (None, None, None, None, None);
    let (mut id, mut time, mut event_time) = (None, None, None);
    let mut fields = Fields::new(bytes)?;
    while let Some((key, item)) = fields.next()? {
        match (key, item) {
            (b"s", Item::Text(text)) => symbol = Some(text),
            (b"p", Item::Text(text)) => at = Some(text),
            (b"q", Item::Text(text)) => amount = Some(text),
            (b"X", Item::Text(text)) => origin = Some(text),
            (b"m", Item::Flag(flag)) => maker = Some(flag),
            (b"t", Item::Number(n)) => id = Some(n),
            (b"T", Item::Number(n)) => time = Some(n),
            (b"E", Item::Number(n)) => event_time = Some(n),
            (b"s" | b"p" | b"q" | b"X" | b"m" | b"t" | b"T" | b"E", _) | (_, Item::List) => return None,
            _ => {}
        }
    }
    let scales = instruments.scales(symbol?)?;
    let trade = Trade {
        id: TradeId(id?),
        price: price(at, &scales)?,
        qty: qty(amount, &scales)?,
        taker: taker(maker?),
        time: Time::from_millis(time?),
    };
    Some(StreamTrade { symbol: scales.index, origin: trade_origin(origin), trade, event_time: Time::from_millis(event_time?) })
}

pub(super) fn agg_trade(bytes: &[u8], instruments: &Instruments) -> Option<AggTrade> {
    let (mut symbol, mut at, mut amount, mut maker) = (None, None, None, None);
    let (mut id, mut first, mut last, mut time, mut event_time) = (None, None, None, None, None);
    let mut fields = Fields::new(bytes)?;
    while let Some((key, item)) = fields.next()? {
        match (key, item) {
            (b"s", Item::Text(text)) => symbol = Some(text),
            (b"p", Item::Text(text)) => at = Some(text),
            (b"q", Item::Text(text)) => amount = Some(text),
            (b"m", Item::Flag(flag)) => maker = Some(flag),
            (b"a", Item::Number(n)) => id = Some(n),
            (b"f", Item::Number(n)) => first = Some(n),
            (b"l", Item::Number(n)) => last = Some(n),
            (b"T", Item::Number(n)) => time = Some(n),
            (b"E", Item::Number(n)) => event_time = Some(n),
            (b"s" | b"p" | b"q" | b"m" | b"a" | b"f" | b"l" | b"T" | b"E", _) | (_, Item::List) => return None,
            _ => {}
        }
    }
    let scales = instruments.scales(symbol?)?;
    let trade = Trade {
        id: TradeId(last?),
        price: price(at, &scales)?,
        qty: qty(amount, &scales)?,
        taker: taker(maker?),
        time: Time::from_millis(time?),
    };
    Some(AggTrade { symbol: scales.index, id, first_id: TradeId(first?), trade, event_time: Time::from_millis(event_time?) })
}

/// Reads a depth message into the buffer; after `None` the buffer's content means nothing.
pub(super) fn depth(bytes: &[u8], instruments: &Instruments, into: &mut DepthUpdate) -> Option<()> {
    into.clear();
    let mut scales: Option<Scales> = None;
    let (mut first, mut last, mut previous, mut time, mut event_time) = (None, None, None, None, None);
    let (mut bids, mut asks) = (false, false);
    let mut fields = Fields::new(bytes)?;
    while let Some((key, item)) = fields.next()? {
        match (key, item) {
            (b"s", Item::Text(text)) => scales = Some(instruments.scales(text)?),
            (b"U", Item::Number(n)) => first = Some(n),
            (b"u", Item::Number(n)) => last = Some(n),
            (b"pu", Item::Number(n)) => previous = Some(n),
            (b"T", Item::Number(n)) => time = Some(n),
            (b"E", Item::Number(n)) => event_time = Some(n),
            (b"b", Item::List) => {
                bids = true;
                fields.rest = levels(fields.rest, scales.as_ref()?, |level| into.push(Side::Buy, level))?;
            }
            (b"a", Item::List) => {
                asks = true;
                fields.rest = levels(fields.rest, scales.as_ref()?, |level| into.push(Side::Sell, level))?;
            }
            (b"s" | b"U" | b"u" | b"pu" | b"T" | b"E" | b"b" | b"a", _) | (_, Item::List) => return None,
            _ => {}
        }
    }
    if !bids || !asks {
        return None;
    }
    into.symbol = scales?.index;
    into.first_id = first?;
    into.last_id = last?;
    into.previous_id = previous;
    into.event_time = Time::from_millis(event_time?);
    into.time = Time::from_millis(time?);
    into.partial = false;
    Some(())
}

/// Reads `[["price","qty"],…]` and returns what is behind it; gives up when `push` has no room.
fn levels<'a>(list: &'a [u8], scales: &Scales, mut push: impl FnMut(Level) -> bool) -> Option<&'a [u8]> {
    let mut rest = list.strip_prefix(b"[")?;
    if let [b']', behind @ ..] = rest {
        return Some(behind);
    }
    loop {
        let (price, after) = decimal(rest.strip_prefix(b"[\"")?, scales.price)?;
        let (qty, after) = decimal(after.strip_prefix(b",\"")?, scales.qty)?;
        if !push(Level { price: Price::from_units(price), qty: Qty::from_units(qty.unsigned_abs()) }) {
            return None;
        }
        match after {
            [b']', b']', behind @ ..] => return Some(behind),
            [b']', b',', next @ ..] => rest = next,
            _ => return None,
        }
    }
}

/// Reads digits with at most one point up to the closing quote, as units of the scale; at most 17 digits, so that none is lost.
fn decimal(bytes: &[u8], scale: u8) -> Option<(i64, &[u8])> {
    let mut value = 0_i64;
    let mut digits = 0_u8;
    let mut behind = None::<u8>;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if digits > 17 {
                    return None;
                }
                value = value * 10 + i64::from(byte - b'0');
                behind = behind.map(|n| n + 1);
            }
            b'.' if behind.is_none() => behind = Some(0),
            b'"' if digits > 0 => {
                let behind = behind.unwrap_or(0);
                let value = match scale.checked_sub(behind) {
                    Some(missing) => value.checked_mul(power(missing)?)?,
                    None => {
                        let divisor = power(behind - scale)?;
                        if value % divisor != 0 {
                            return None;
                        }
                        value / divisor
                    }
                };
                return Some((value, bytes.get(at + 1..)?));
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
#[path = "quick_tests.rs"]
mod tests;
