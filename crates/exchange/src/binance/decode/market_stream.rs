//! Market streams: depth, best price, trades, candles, mark prices, tickers, liquidations.

use super::orders::{OrderKind, OrderTif, read_side, read_status};
use crate::binance::wire::{Dec, DecodeError, Flag, MaybeUint, Reader, Uint, cut, parse};
use crate::instruments::{Instruments, Scales, SymbolIndex};
use arrayvec::ArrayString;
use plimsoll_market::{Candle, MarkPrice, OrderStatus, Qty, RefPrice, Round, Side, Symbol, Time, Top, Trade, TradeId};
use serde::Deserialize;

/// A message about a symbol that is not in the table, or what was read from it.
pub(super) type Found<T> = Result<T, Symbol>;

/// Best bid and ask with their update id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BookTicker {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The book's update id (`u`): equal ids mean equal books.
    pub update_id: u64,
    /// Prices and quantities; its time is the transaction's (`T`), or the event's.
    pub top: Top,
    /// When the message was sent; zero where absent.
    pub event_time: Time,
}

/// Trades of one taker order at one price within 100 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AggTrade {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The id of the aggregate; `None` in old recordings.
    pub id: Option<u64>,
    /// The first trade in it; the last is `trade.id`.
    pub first_id: TradeId,
    /// Price, quantity, side, time; its id is that of the last trade.
    pub trade: Trade,
    /// When the message was sent.
    pub event_time: Time,
}

/// What made a trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TradeOrigin {
    /// Two orders met in the book.
    Market,
    /// The insurance fund took a position over.
    InsuranceFund,
    /// Automatic deleveraging.
    Adl,
    /// A liquidation.
    Liquidation,
    /// The exchange does not say; price and quantity may be zero.
    Other,
}

/// A single trade of the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamTrade {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// What made it: only those of [`TradeOrigin::Market`] belong into candles.
    pub origin: TradeOrigin,
    /// Id, price, quantity, side, time.
    pub trade: Trade,
    /// When the message was sent.
    pub event_time: Time,
}

/// A candle, finished or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kline {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The exchange's word for the interval (`1m`).
    pub interval: ArrayString<4>,
    /// The bar.
    pub candle: Candle,
    /// Its last millisecond.
    pub close_time: Time,
    /// Whether it is finished.
    pub closed: bool,
    /// First and last trade in it; `None` when nothing was traded.
    pub trades: Option<(TradeId, TradeId)>,
    /// When the message was sent.
    pub event_time: Time,
}

/// Mark price, index price and funding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The prices; the funding rate is rounded to parts per million.
    pub price: MarkPrice,
    /// The funding rate in units of 1e-8, as sent; `None` for contracts without funding.
    pub funding_e8: Option<i64>,
    /// The estimated settlement price; `None` where absent.
    pub settle: Option<RefPrice>,
}

/// Figures of the last 24 hours; reference data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticker {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// Last price.
    pub last: RefPrice,
    /// Price 24 hours ago.
    pub open: RefPrice,
    /// Highest price.
    pub high: RefPrice,
    /// Lowest price.
    pub low: RefPrice,
    /// Volume-weighted average price; `None` in the mini form.
    pub average: Option<RefPrice>,
    /// Base quantity traded.
    pub volume: Qty,
    /// Quote value traded, units of 1e-8.
    pub turnover: i128,
    /// Trades; `None` in the mini form.
    pub trades: Option<u64>,
    /// Whether it came in the mini form.
    pub mini: bool,
    /// When the message was sent.
    pub event_time: Time,
}

/// A liquidation order of anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForceOrder {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// Direction of the order.
    pub side: Side,
    /// Kind.
    pub kind: OrderKind,
    /// Time in force.
    pub tif: OrderTif,
    /// Limit price.
    pub price: RefPrice,
    /// Average price of what filled.
    pub average: RefPrice,
    /// Quantity ordered.
    pub qty: Qty,
    /// Quantity of the last execution.
    pub last_qty: Qty,
    /// Quantity filled.
    pub filled: Qty,
    /// Where it stands.
    pub status: OrderStatus,
    /// The exchange's time of it.
    pub time: Time,
}

pub(super) fn scales(instruments: &Instruments, reader: Reader, symbol: &str) -> Result<Found<Scales>, DecodeError> {
    match instruments.scales(symbol) {
        Some(scales) => Ok(Ok(scales)),
        None => reader.symbol("s", symbol).map(Err),
    }
}

/// Takes the scales out of a lookup, or leaves the function with the symbol that is not in use.
macro_rules! listed {
    ($instruments:expr, $reader:expr, $symbol:expr) => {
        match scales($instruments, $reader, $symbol)? {
            Ok(scales) => scales,
            Err(symbol) => return Ok(Err(symbol)),
        }
    };
}
pub(super) use listed;

pub(super) fn trade_origin(word: Option<&str>) -> TradeOrigin {
    match word {
        // Recordings of before the field existed have only trades of the market.
        None | Some("MARKET") => TradeOrigin::Market,
        Some("INSURANCE_FUND") => TradeOrigin::InsuranceFund,
        Some("ADL") => TradeOrigin::Adl,
        Some("LIQUIDATION") => TradeOrigin::Liquidation,
        Some(_) => TradeOrigin::Other,
    }
}

/// The taker sold when the buyer was the resting side.
pub(super) const fn taker(buyer_is_maker: bool) -> Side {
    if buyer_is_maker { Side::Sell } else { Side::Buy }
}

pub(super) fn book_ticker(bytes: &[u8], instruments: &Instruments) -> Result<Found<BookTicker>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        u: Uint,
        s: &'a str,
        b: Dec<'a>,
        #[serde(rename = "B")]
        bid_qty: Dec<'a>,
        a: Dec<'a>,
        #[serde(rename = "A")]
        ask_qty: Dec<'a>,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        #[serde(rename = "E", default)]
        event_time: MaybeUint,
    }
    let reader = Reader { message: "bookTicker" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    let event_time = wire.event_time.0.unwrap_or(0);
    let top = Top {
        bid: reader.price("b", wire.b, &scales)?,
        bid_qty: reader.qty("B", wire.bid_qty, &scales)?,
        ask: reader.price("a", wire.a, &scales)?,
        ask_qty: reader.qty("A", wire.ask_qty, &scales)?,
        time: Time::from_millis(wire.time.0.unwrap_or(event_time)),
    };
    Ok(Ok(BookTicker { symbol: scales.index, update_id: wire.u.0, top, event_time: Time::from_millis(event_time) }))
}

pub(super) fn agg_trade(bytes: &[u8], instruments: &Instruments) -> Result<Found<AggTrade>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(default)]
        a: MaybeUint,
        s: &'a str,
        p: Dec<'a>,
        q: Dec<'a>,
        f: Uint,
        l: Uint,
        #[serde(rename = "T")]
        time: Uint,
        m: Flag,
    }
    let reader = Reader { message: "aggTrade" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    let trade = Trade {
        id: TradeId(wire.l.0),
        price: reader.price("p", wire.p, &scales)?,
        qty: reader.qty("q", wire.q, &scales)?,
        taker: taker(wire.m.0),
        time: wire.time.time(),
    };
    Ok(Ok(AggTrade { symbol: scales.index, id: wire.a.0, first_id: TradeId(wire.f.0), trade, event_time: wire.event_time.time() }))
}

pub(super) fn trade(bytes: &[u8], instruments: &Instruments) -> Result<Found<StreamTrade>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "T")]
        time: Uint,
        s: &'a str,
        t: Uint,
        p: Dec<'a>,
        q: Dec<'a>,
        #[serde(rename = "X", default)]
        origin: Option<&'a str>,
        m: Flag,
    }
    let reader = Reader { message: "trade" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    let trade = Trade {
        id: TradeId(wire.t.0),
        price: reader.price("p", wire.p, &scales)?,
        qty: reader.qty("q", wire.q, &scales)?,
        taker: taker(wire.m.0),
        time: wire.time.time(),
    };
    Ok(Ok(StreamTrade { symbol: scales.index, origin: trade_origin(wire.origin), trade, event_time: wire.event_time.time() }))
}

pub(super) fn kline(bytes: &[u8], instruments: &Instruments) -> Result<Found<Kline>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        s: &'a str,
        #[serde(borrow)]
        k: Bar<'a>,
    }
    #[derive(Deserialize)]
    struct Bar<'a> {
        t: Uint,
        #[serde(rename = "T")]
        close_time: Uint,
        i: &'a str,
        #[serde(default)]
        f: MaybeUint,
        #[serde(rename = "L", default)]
        last: MaybeUint,
        #[serde(borrow)]
        o: Dec<'a>,
        c: Dec<'a>,
        h: Dec<'a>,
        l: Dec<'a>,
        v: Dec<'a>,
        #[serde(default)]
        n: MaybeUint,
        x: Flag,
        q: Dec<'a>,
        #[serde(rename = "V")]
        taker_buy: Dec<'a>,
    }
    let reader = Reader { message: "kline" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    let bar = wire.k;
    let candle = Candle {
        open_time: bar.t.time(),
        open: reader.price("k.o", bar.o, &scales)?,
        high: reader.price("k.h", bar.h, &scales)?,
        low: reader.price("k.l", bar.l, &scales)?,
        close: reader.price("k.c", bar.c, &scales)?,
        volume: reader.volume("k.v", bar.v, &scales)?,
        turnover: reader.notional("k.q", bar.q, &scales)?,
        taker_buy: reader.volume("k.V", bar.taker_buy, &scales)?,
        trades: u32::try_from(bar.n.0.unwrap_or(0)).unwrap_or(u32::MAX),
    };
    Ok(Ok(Kline {
        symbol: scales.index,
        interval: cut(bar.i),
        candle,
        close_time: bar.close_time.time(),
        closed: bar.x.0,
        trades: bar.f.0.zip(bar.last.0).map(|(f, l)| (TradeId(f), TradeId(l))),
        event_time: wire.event_time.time(),
    }))
}

pub(super) fn mark(bytes: &[u8], instruments: &Instruments) -> Result<Found<Mark>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        s: &'a str,
        #[serde(borrow)]
        p: Dec<'a>,
        #[serde(default)]
        i: Dec<'a>,
        #[serde(rename = "P", default)]
        settle: Dec<'a>,
        #[serde(default)]
        r: Dec<'a>,
        #[serde(rename = "T", default)]
        next: MaybeUint,
    }
    let reader = Reader { message: "markPriceUpdate" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    let next = wire.next.0.unwrap_or(0);
    // Delivery contracts send a rate of "" or zero and a next time of 0.
    let funded = !wire.r.is_empty() && next > 0;
    let price = MarkPrice {
        mark: reader.reference("p", wire.p)?,
        index: reader.maybe_reference("i", wire.i)?.unwrap_or(RefPrice::ZERO),
        funding: if funded { Some(reader.rate("r", wire.r)?) } else { None },
        next_funding: Time::from_millis(next),
        time: wire.event_time.time(),
    };
    let funding_e8 = if funded { Some(reader.number("r", wire.r, 8, Round::Nearest)?) } else { None };
    Ok(Ok(Mark { symbol: scales.index, price, funding_e8, settle: reader.maybe_reference("P", wire.settle)? }))
}

pub(super) fn ticker(bytes: &[u8], instruments: &Instruments, mini: bool) -> Result<Found<Ticker>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        s: &'a str,
        #[serde(borrow)]
        c: Dec<'a>,
        o: Dec<'a>,
        h: Dec<'a>,
        l: Dec<'a>,
        v: Dec<'a>,
        q: Dec<'a>,
        #[serde(default)]
        w: Dec<'a>,
        #[serde(default)]
        n: MaybeUint,
    }
    let reader = Reader { message: if mini { "24hrMiniTicker" } else { "24hrTicker" } };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    Ok(Ok(Ticker {
        symbol: scales.index,
        last: reader.reference("c", wire.c)?,
        open: reader.reference("o", wire.o)?,
        high: reader.reference("h", wire.h)?,
        low: reader.reference("l", wire.l)?,
        average: reader.maybe_reference("w", wire.w)?,
        volume: reader.volume("v", wire.v, &scales)?,
        turnover: reader.money("q", wire.q)?,
        trades: wire.n.0,
        mini,
        event_time: wire.event_time.time(),
    }))
}

pub(super) fn force_order(bytes: &[u8], instruments: &Instruments) -> Result<Found<ForceOrder>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        o: Body<'a>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        s: &'a str,
        #[serde(rename = "S")]
        side: &'a str,
        o: &'a str,
        f: &'a str,
        #[serde(borrow)]
        q: Dec<'a>,
        p: Dec<'a>,
        ap: Dec<'a>,
        #[serde(rename = "X")]
        status: &'a str,
        l: Dec<'a>,
        z: Dec<'a>,
        #[serde(rename = "T")]
        time: Uint,
    }
    let reader = Reader { message: "forceOrder" };
    let order = parse::<Wire<'_>>(reader.message, bytes)?.o;
    let scales = listed!(instruments, reader, order.s);
    Ok(Ok(ForceOrder {
        symbol: scales.index,
        side: read_side(reader, "o.S", order.side)?,
        kind: OrderKind::read(order.o),
        tif: OrderTif::read(order.f),
        price: reader.reference("o.p", order.p)?,
        average: reader.reference("o.ap", order.ap)?,
        qty: reader.qty("o.q", order.q, &scales)?,
        last_qty: reader.qty("o.l", order.l, &scales)?,
        filled: reader.qty("o.z", order.z, &scales)?,
        status: read_status(reader, "o.X", order.status)?,
        time: order.time.time(),
    }))
}
