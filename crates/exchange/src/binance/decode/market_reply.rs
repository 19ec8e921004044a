//! Market data by REST: snapshots, candles, trades, tickers, funding.

use super::depth_stream::{WireLevel, levels};
use super::market_stream::{BookTicker, Mark, StreamTrade, Ticker, TradeOrigin, listed, scales};
use super::orders::Listing;
use crate::binance::wire::{Dec, DecodeError, Flag, Limited, MaybeUint, Reader, Uint, parse, parse_any, parse_list};
use crate::instruments::{Instruments, Scales, SymbolIndex};
use crate::limits::{LIST_MAX, SNAPSHOT_LEVELS_MAX};
use core::fmt;
use plimsoll_market::{Bps, Candle, Level, MarkPrice, RefPrice, Round, Side, Symbol, Time, Top, Trade, TradeId};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

/// Reads `time`.
///
/// # Errors
/// A malformed body.
pub fn server_time(body: &[u8]) -> Result<Time, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        server_time: Uint,
    }
    Ok(parse::<Wire>("time", body)?.server_time.time())
}

/// A book as a whole, at one update id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DepthSnapshot {
    /// The last update in it.
    pub last_id: u64,
    /// When the reply was made; zero where absent.
    pub event_time: Time,
    /// When the book last changed; zero where absent.
    pub time: Time,
    /// Bids, best first; at most [`SNAPSHOT_LEVELS_MAX`].
    pub bids: Vec<Level>, // tidy: bounded by SNAPSHOT_LEVELS_MAX, lives while a reply is handled
    /// Asks, best first; at most [`SNAPSHOT_LEVELS_MAX`].
    pub asks: Vec<Level>, // tidy: bounded by SNAPSHOT_LEVELS_MAX, lives while a reply is handled
}

/// Reads `depth`; the body does not name the symbol.
///
/// # Errors
/// A malformed body, a level off the symbol's scale, or more than [`SNAPSHOT_LEVELS_MAX`] levels a side.
pub fn depth_snapshot(body: &[u8], scales: &Scales) -> Result<DepthSnapshot, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        last_update_id: Uint,
        #[serde(rename = "E", default)]
        event_time: MaybeUint,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        #[serde(borrow)]
        bids: Limited<WireLevel<'a>, SNAPSHOT_LEVELS_MAX>,
        #[serde(borrow)]
        asks: Limited<WireLevel<'a>, SNAPSHOT_LEVELS_MAX>,
    }
    let reader = Reader { message: "depth snapshot" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok(DepthSnapshot {
        last_id: wire.last_update_id.0,
        event_time: Time::from_millis(wire.event_time.0.unwrap_or(0)),
        time: Time::from_millis(wire.time.0.unwrap_or(0)),
        bids: levels(reader, "bids", &wire.bids.0, scales)?,
        asks: levels(reader, "asks", &wire.asks.0, scales)?,
    })
}

/// One row of `klines`: an array of twelve.
struct WireKline<'a> {
    open_time: Uint,
    prices: [Dec<'a>; 4],
    volume: Dec<'a>,
    close_time: Uint,
    turnover: Dec<'a>,
    trades: MaybeUint,
    taker_buy: Dec<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireKline<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;
        impl<'de> Visitor<'de> for RowVisitor {
            type Value = WireKline<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a candle of twelve elements")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                fn next<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(seq: &mut A, at: usize) -> Result<T, A::Error> {
                    seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &RowVisitor))
                }
                let row = WireKline {
                    open_time: next(&mut seq, 0)?,
                    prices: [next(&mut seq, 1)?, next(&mut seq, 2)?, next(&mut seq, 3)?, next(&mut seq, 4)?],
                    volume: next(&mut seq, 5)?,
                    close_time: next(&mut seq, 6)?,
                    turnover: next(&mut seq, 7)?,
                    trades: next(&mut seq, 8)?,
                    taker_buy: next(&mut seq, 9)?,
                };
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(row)
            }
        }
        deserializer.deserialize_seq(RowVisitor)
    }
}

/// A candle of the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PastCandle {
    /// The bar; prices that are no trade prices (mark, index) are rounded to the symbol's scale.
    pub candle: Candle,
    /// Its last millisecond. The newest candle of a reply is not finished while this lies in the future.
    pub close_time: Time,
}

/// Reads `klines` (also of mark, index and premium prices, and continuous ones); the body names neither symbol nor interval.
///
/// # Errors
/// A malformed body, or more than [`LIST_MAX`] candles.
pub fn klines(body: &[u8], scales: &Scales) -> Result<Vec<PastCandle>, DecodeError> {
    let reader = Reader { message: "klines" };
    let wire: Limited<WireKline<'_>, LIST_MAX> = parse_any(reader.message, body)?;
    let price = |field: &'static str, value: Dec<'_>| {
        let units = reader.number(field, value, scales.price, Round::Nearest)?;
        // Premium candles may be negative; they are no prices.
        if units < 0 { Err(reader.word(field, value.0)) } else { Ok(plimsoll_market::Price::from_units(units)) }
    };
    let read = |w: &WireKline<'_>| {
        let [open, high, low, close] = w.prices;
        Ok(PastCandle {
            candle: Candle {
                open_time: w.open_time.time(),
                open: price("open", open)?,
                high: price("high", high)?,
                low: price("low", low)?,
                close: price("close", close)?,
                volume: reader.volume("volume", w.volume, scales)?,
                turnover: reader.notional("quote volume", w.turnover, scales)?,
                taker_buy: reader.volume("taker volume", w.taker_buy, scales)?,
                trades: u32::try_from(w.trades.0.unwrap_or(0)).unwrap_or(u32::MAX),
            },
            close_time: w.close_time.time(),
        })
    };
    wire.0.iter().map(read).collect()
}

/// Reads `aggTrades`; the body does not name the symbol.
///
/// # Errors
/// A malformed body, a value off the symbol's scale, or more than [`LIST_MAX`] trades.
pub fn agg_trades(body: &[u8], scales: &Scales) -> Result<Vec<Trade>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        p: Dec<'a>,
        q: Dec<'a>,
        l: Uint,
        #[serde(rename = "T")]
        time: Uint,
        m: Flag,
    }
    let reader = Reader { message: "aggTrades" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        Ok(Trade {
            id: TradeId(w.l.0),
            price: reader.price("p", w.p, scales)?,
            qty: reader.qty("q", w.q, scales)?,
            taker: if w.m.0 { Side::Sell } else { Side::Buy },
            time: w.time.time(),
        })
    };
    wire.0.iter().map(read).collect()
}

/// Reads `trades` or `historicalTrades`; the body does not name the symbol.
///
/// # Errors
/// A malformed body, a value off the symbol's scale, or more than [`LIST_MAX`] trades.
pub fn trades(body: &[u8], scales: &Scales) -> Result<Vec<StreamTrade>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        id: Uint,
        #[serde(borrow)]
        price: Dec<'a>,
        qty: Dec<'a>,
        time: Uint,
        is_buyer_maker: Flag,
    }
    let reader = Reader { message: "trades" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        let trade = Trade {
            id: TradeId(w.id.0),
            price: reader.price("price", w.price, scales)?,
            qty: reader.qty("qty", w.qty, scales)?,
            taker: if w.is_buyer_maker.0 { Side::Sell } else { Side::Buy },
            time: w.time.time(),
        };
        Ok(StreamTrade { symbol: scales.index, origin: TradeOrigin::Market, trade, event_time: trade.time })
    };
    wire.0.iter().map(read).collect()
}

/// Reads a list, or one object in its place: asked for one symbol the exchange sends the object alone.
fn one_or_many<'a, W: Deserialize<'a>>(message: &'static str, body: &'a [u8]) -> Result<Vec<W>, DecodeError> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        parse_list::<W, LIST_MAX>(message, body).map(|list| list.0)
    } else {
        Ok(vec![parse(message, body)?])
    }
}

/// Reads `ticker/24hr`, of one symbol or all.
///
/// # Errors
/// A malformed body.
pub fn tickers(body: &[u8], instruments: &Instruments) -> Result<Listing<Ticker>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        last_price: Dec<'a>,
        open_price: Dec<'a>,
        high_price: Dec<'a>,
        low_price: Dec<'a>,
        #[serde(default)]
        weighted_avg_price: Dec<'a>,
        volume: Dec<'a>,
        quote_volume: Dec<'a>,
        #[serde(default)]
        count: MaybeUint,
        close_time: Uint,
    }
    let reader = Reader { message: "ticker/24hr" };
    Listing::collect(&one_or_many::<Wire<'_>>(reader.message, body)?, |w| {
        let scales = listed!(instruments, reader, w.symbol);
        Ok(Ok(Ticker {
            symbol: scales.index,
            last: reader.reference("lastPrice", w.last_price)?,
            open: reader.reference("openPrice", w.open_price)?,
            high: reader.reference("highPrice", w.high_price)?,
            low: reader.reference("lowPrice", w.low_price)?,
            average: reader.maybe_reference("weightedAvgPrice", w.weighted_avg_price)?,
            volume: reader.volume("volume", w.volume, &scales)?,
            turnover: reader.money("quoteVolume", w.quote_volume)?,
            trades: w.count.0,
            mini: false,
            event_time: w.close_time.time(),
        }))
    })
}

/// The last price of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PriceTicker {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The price.
    pub price: RefPrice,
    /// When; zero where absent.
    pub time: Time,
}

/// Reads `ticker/price`, of one symbol or all.
///
/// # Errors
/// A malformed body.
pub fn price_tickers(body: &[u8], instruments: &Instruments) -> Result<Listing<PriceTicker>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        price: Dec<'a>,
        #[serde(default)]
        time: MaybeUint,
    }
    let reader = Reader { message: "ticker/price" };
    Listing::collect(&one_or_many::<Wire<'_>>(reader.message, body)?, |w| {
        let scales = listed!(instruments, reader, w.symbol);
        let time = Time::from_millis(w.time.0.unwrap_or(0));
        Ok(Ok(PriceTicker { symbol: scales.index, price: reader.reference("price", w.price)?, time }))
    })
}

/// Reads `ticker/bookTicker`, of one symbol or all. The update id is zero where absent.
///
/// # Errors
/// A malformed body or a value off its symbol's scale.
pub fn book_tickers(body: &[u8], instruments: &Instruments) -> Result<Listing<BookTicker>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        bid_price: Dec<'a>,
        bid_qty: Dec<'a>,
        ask_price: Dec<'a>,
        ask_qty: Dec<'a>,
        #[serde(default)]
        time: MaybeUint,
        #[serde(default)]
        last_update_id: MaybeUint,
    }
    let reader = Reader { message: "ticker/bookTicker" };
    Listing::collect(&one_or_many::<Wire<'_>>(reader.message, body)?, |w| {
        let scales = listed!(instruments, reader, w.symbol);
        let time = Time::from_millis(w.time.0.unwrap_or(0));
        let top = Top {
            bid: reader.price("bidPrice", w.bid_price, &scales)?,
            bid_qty: reader.qty("bidQty", w.bid_qty, &scales)?,
            ask: reader.price("askPrice", w.ask_price, &scales)?,
            ask_qty: reader.qty("askQty", w.ask_qty, &scales)?,
            time,
        };
        Ok(Ok(BookTicker { symbol: scales.index, update_id: w.last_update_id.0.unwrap_or(0), top, event_time: time }))
    })
}

/// Reads `premiumIndex`, of one symbol or all.
///
/// # Errors
/// A malformed body.
pub fn premium_index(body: &[u8], instruments: &Instruments) -> Result<Listing<Mark>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        mark_price: Dec<'a>,
        #[serde(default)]
        index_price: Dec<'a>,
        #[serde(default)]
        estimated_settle_price: Dec<'a>,
        #[serde(default)]
        last_funding_rate: Dec<'a>,
        #[serde(default)]
        next_funding_time: MaybeUint,
        time: Uint,
    }
    let reader = Reader { message: "premiumIndex" };
    Listing::collect(&one_or_many::<Wire<'_>>(reader.message, body)?, |w| {
        let scales = listed!(instruments, reader, w.symbol);
        let next = w.next_funding_time.0.unwrap_or(0);
        let funded = !w.last_funding_rate.is_empty() && next > 0;
        let rate = |funded: bool| -> Result<(Option<Bps>, Option<i64>), DecodeError> {
            if !funded {
                return Ok((None, None));
            }
            let fine = reader.number("lastFundingRate", w.last_funding_rate, 8, Round::Nearest)?;
            Ok((Some(reader.rate("lastFundingRate", w.last_funding_rate)?), Some(fine)))
        };
        let (funding, funding_e8) = rate(funded)?;
        let price = MarkPrice {
            mark: reader.reference("markPrice", w.mark_price)?,
            index: reader.maybe_reference("indexPrice", w.index_price)?.unwrap_or(RefPrice::ZERO),
            funding,
            next_funding: Time::from_millis(next),
            time: w.time.time(),
        };
        let settle = reader.maybe_reference("estimatedSettlePrice", w.estimated_settle_price)?;
        Ok(Ok(Mark { symbol: scales.index, price, funding_e8, settle }))
    })
}

/// Reads the index price of a `premiumIndex` of one symbol, whether or not it is traded here.
///
/// # Errors
/// A malformed body, or one without an index price.
pub fn index_price(body: &[u8]) -> Result<(Symbol, RefPrice), DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        index_price: Dec<'a>,
    }
    let reader = Reader { message: "premiumIndex" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok((reader.symbol("symbol", wire.symbol)?, reader.reference("indexPrice", wire.index_price)?))
}

/// A funding rate of the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FundingRate {
    /// The symbol's name.
    pub symbol: Symbol,
    /// The rate, units of 1e-8.
    pub rate_e8: i64,
    /// When it was paid.
    pub time: Time,
    /// The mark price then; `None` where absent.
    pub mark: Option<RefPrice>,
}

/// Reads `fundingRate`.
///
/// # Errors
/// A malformed body.
pub fn funding_rates(body: &[u8]) -> Result<Vec<FundingRate>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        funding_rate: Dec<'a>,
        funding_time: Uint,
        #[serde(default)]
        mark_price: Dec<'a>,
    }
    let reader = Reader { message: "fundingRate" };
    let read = |w: &Wire<'_>| {
        Ok(FundingRate {
            symbol: reader.symbol("symbol", w.symbol)?,
            rate_e8: reader.number("fundingRate", w.funding_rate, 8, Round::Nearest)?,
            time: w.funding_time.time(),
            mark: reader.maybe_reference("markPrice", w.mark_price)?,
        })
    };
    parse_list::<Wire<'_>, LIST_MAX>(reader.message, body)?.0.iter().map(read).collect()
}

/// A symbol whose funding differs from the ordinary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FundingInfo {
    /// The symbol's name.
    pub symbol: Symbol,
    /// The highest rate, units of 1e-8.
    pub cap_e8: i64,
    /// The lowest rate, units of 1e-8.
    pub floor_e8: i64,
    /// Hours between payments.
    pub interval_hours: u64,
}

/// Reads `fundingInfo`.
///
/// # Errors
/// A malformed body.
pub fn funding_infos(body: &[u8]) -> Result<Vec<FundingInfo>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        adjusted_funding_rate_cap: Dec<'a>,
        adjusted_funding_rate_floor: Dec<'a>,
        funding_interval_hours: Uint,
    }
    let reader = Reader { message: "fundingInfo" };
    let read = |w: &Wire<'_>| {
        Ok(FundingInfo {
            symbol: reader.symbol("symbol", w.symbol)?,
            cap_e8: reader.number("adjustedFundingRateCap", w.adjusted_funding_rate_cap, 8, Round::Nearest)?,
            floor_e8: reader.number("adjustedFundingRateFloor", w.adjusted_funding_rate_floor, 8, Round::Nearest)?,
            interval_hours: w.funding_interval_hours.0,
        })
    };
    parse_list::<Wire<'_>, LIST_MAX>(reader.message, body)?.0.iter().map(read).collect()
}

/// All contracts open on a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenInterest {
    /// The symbol's name.
    pub symbol: Symbol,
    /// Open quantity, units of 1e-8 of the base asset.
    pub qty_e8: i128,
    /// When; zero where absent.
    pub time: Time,
}

/// Reads `openInterest`.
///
/// # Errors
/// A malformed body.
pub fn open_interest(body: &[u8]) -> Result<OpenInterest, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        open_interest: Dec<'a>,
        #[serde(default)]
        time: MaybeUint,
    }
    let reader = Reader { message: "openInterest" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok(OpenInterest {
        symbol: reader.symbol("symbol", wire.symbol)?,
        qty_e8: reader.money("openInterest", wire.open_interest)?,
        time: Time::from_millis(wire.time.0.unwrap_or(0)),
    })
}

/// An asset's price for margin in other assets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AssetIndex {
    /// The pair's name (`BTCUSD`).
    pub symbol: Symbol,
    /// The price.
    pub index: RefPrice,
    /// What one gets when it is sold for margin.
    pub bid: RefPrice,
    /// What one pays.
    pub ask: RefPrice,
    /// When.
    pub time: Time,
}

/// Reads `assetIndex`, of one pair or all.
///
/// # Errors
/// A malformed body.
pub fn asset_indexes(body: &[u8]) -> Result<Vec<AssetIndex>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        time: Uint,
        #[serde(borrow)]
        index: Dec<'a>,
        bid_rate: Dec<'a>,
        ask_rate: Dec<'a>,
    }
    let reader = Reader { message: "assetIndex" };
    let read = |w: &Wire<'_>| {
        Ok(AssetIndex {
            symbol: reader.symbol("symbol", w.symbol)?,
            index: reader.reference("index", w.index)?,
            bid: reader.reference("bidRate", w.bid_rate)?,
            ask: reader.reference("askRate", w.ask_rate)?,
            time: w.time.time(),
        })
    };
    one_or_many::<Wire<'_>>(reader.message, body)?.iter().map(read).collect()
}
