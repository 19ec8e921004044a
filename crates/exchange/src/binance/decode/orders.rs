//! Orders and executions, as REST and the WebSocket-API tell them.

use super::market_stream::{Found, listed, scales};
use crate::binance::error::ApiError;
use crate::binance::wire::{Dec, DecodeError, Flag, Int, Limited, MaybeUint, Reader, Uint, cut, parse, parse_any, parse_list};
use crate::instruments::{Instruments, SymbolIndex};
use crate::limits::{CLIENT_TEXT_MAX, LIST_MAX};
use arrayvec::ArrayString;
use plimsoll_market::{
    Amount, ClientId, Fill, OrderId, OrderReport, OrderStatus, OrderType, PositionSide, Price, RefPrice, Side, Source, Symbol, Time,
    TimeInForce, TradeId,
};
use serde::Deserialize;
use std::borrow::Cow;

/// A client order id as text, ours or not; longer ones are cut.
pub type ClientText = ArrayString<CLIENT_TEXT_MAX>;

/// The exchange's kinds of orders; those beyond limit and market are other people's or placed by hand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrderKind {
    /// At a price or better.
    Limit,
    /// At once, at any price.
    Market,
    /// A limit order when a price is touched.
    Stop,
    /// A market order when a price is touched.
    StopMarket,
    /// A limit order in profit.
    TakeProfit,
    /// A market order in profit.
    TakeProfitMarket,
    /// A market order behind a trailing price.
    TrailingStopMarket,
    /// Made by the exchange to liquidate.
    Liquidation,
    /// A kind that this build does not know.
    Other,
}

impl OrderKind {
    pub(super) fn read(text: &str) -> Self {
        match text {
            "LIMIT" => Self::Limit,
            "MARKET" => Self::Market,
            "STOP" => Self::Stop,
            "STOP_MARKET" => Self::StopMarket,
            "TAKE_PROFIT" => Self::TakeProfit,
            "TAKE_PROFIT_MARKET" => Self::TakeProfitMarket,
            "TRAILING_STOP_MARKET" => Self::TrailingStopMarket,
            "LIQUIDATION" => Self::Liquidation,
            _ => Self::Other,
        }
    }

    /// What it is in the shared words: how it executes once it does.
    pub const fn order_type(self) -> OrderType {
        match self {
            Self::Limit | Self::Stop | Self::TakeProfit | Self::Other => OrderType::Limit,
            Self::Market | Self::StopMarket | Self::TakeProfitMarket | Self::TrailingStopMarket | Self::Liquidation => OrderType::Market,
        }
    }

    /// Whether it waits for a trigger and is not in the book.
    pub const fn is_conditional(self) -> bool {
        matches!(self, Self::Stop | Self::StopMarket | Self::TakeProfit | Self::TakeProfitMarket | Self::TrailingStopMarket)
    }
}

/// The exchange's times in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrderTif {
    /// Until cancelled.
    Gtc,
    /// At once; the rest expires.
    Ioc,
    /// All at once or not at all.
    Fok,
    /// Post-only.
    Gtx,
    /// Until a date.
    Gtd,
    /// Post-only against retail orders.
    Rpi,
    /// Until the position is closed.
    GteGtc,
    /// One that this build does not know.
    Other,
}

impl OrderTif {
    pub(super) fn read(text: &str) -> Self {
        match text {
            "GTC" => Self::Gtc,
            "IOC" => Self::Ioc,
            "FOK" => Self::Fok,
            "GTX" => Self::Gtx,
            "GTD" => Self::Gtd,
            "RPI" => Self::Rpi,
            "GTE_GTC" => Self::GteGtc,
            _ => Self::Other,
        }
    }

    /// The nearest of the shared words.
    pub const fn time_in_force(self) -> TimeInForce {
        match self {
            Self::Gtc | Self::Gtd | Self::GteGtc | Self::Other => TimeInForce::Gtc,
            Self::Ioc => TimeInForce::Ioc,
            Self::Fok => TimeInForce::Fok,
            Self::Gtx | Self::Rpi => TimeInForce::Gtx,
        }
    }
}

/// Who made an order, by its client id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// This bot, some installation of it.
    Ours,
    /// A person or another program.
    Foreign,
    /// The exchange, liquidating (`autoclose-`).
    Liquidation,
    /// The exchange, deleveraging (`adl_autoclose`).
    Adl,
    /// The exchange, settling a delisted or delivered contract (`settlement_autoclose-`, `delivery_autoclose-`).
    Settlement,
}

impl Origin {
    /// Reads the origin from a client id.
    pub fn read(client: &str) -> Self {
        if client.starts_with("autoclose-") {
            Self::Liquidation
        } else if client.starts_with("adl_autoclose") {
            Self::Adl
        } else if client.starts_with("settlement_autoclose") || client.starts_with("delivery_autoclose") {
            Self::Settlement
        } else if ClientId::parse(client).is_ok() {
            Self::Ours
        } else {
            Self::Foreign
        }
    }

    /// Whether the exchange made it by itself.
    pub const fn is_forced(self) -> bool {
        matches!(self, Self::Liquidation | Self::Adl | Self::Settlement)
    }
}

/// An order as a reply tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderReply {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The state in the shared words.
    pub report: OrderReport,
    /// The position it works on.
    pub position_side: PositionSide,
    /// The client id as text.
    pub client: ClientText,
    /// Who made it.
    pub origin: Origin,
    /// The exchange's kind.
    pub kind: OrderKind,
    /// The kind that it was placed as: a triggered stop is a limit or market order now.
    pub original_kind: OrderKind,
    /// The exchange's time in force.
    pub tif: OrderTif,
    /// What filled so far is worth, units of 1e-8 of the quote asset; `None` where absent.
    pub filled_value: Option<i128>,
    /// When it was made; `None` where absent.
    pub created: Option<Time>,
}

/// A list of things about symbols; those of symbols not in use are only counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing<T> {
    /// What was listed of symbols in use, in the reply's order; at most [`LIST_MAX`].
    pub items: Vec<T>, // tidy: bounded by LIST_MAX, lives while a reply is handled
    /// How many were of other symbols.
    pub unlisted: usize,
}

impl<T> Listing<T> {
    pub(super) fn collect<W>(wire: &[W], mut read: impl FnMut(&W) -> Result<Found<T>, DecodeError>) -> Result<Self, DecodeError> {
        let mut listing = Self { items: Vec::with_capacity(wire.len()), unlisted: 0 };
        for element in wire {
            match read(element)? {
                Ok(item) => listing.items.push(item),
                Err(_) => listing.unlisted += 1,
            }
        }
        Ok(listing)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireOrder<'a> {
    pub symbol: &'a str,
    pub order_id: Uint,
    #[serde(borrow)]
    pub client_order_id: Cow<'a, str>,
    pub side: &'a str,
    #[serde(default)]
    pub position_side: Option<&'a str>,
    pub status: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    #[serde(default)]
    pub orig_type: Option<&'a str>,
    pub time_in_force: &'a str,
    pub price: Dec<'a>,
    pub orig_qty: Dec<'a>,
    pub executed_qty: Dec<'a>,
    #[serde(default)]
    pub avg_price: Dec<'a>,
    #[serde(default)]
    pub cum_quote: Dec<'a>,
    #[serde(default)]
    pub reduce_only: Flag,
    #[serde(default)]
    pub update_time: MaybeUint,
    #[serde(default)]
    pub time: MaybeUint,
}

pub(super) fn read_side(reader: Reader, field: &'static str, text: &str) -> Result<Side, DecodeError> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(reader.word(field, text)),
    }
}

pub(super) fn read_position_side(reader: Reader, field: &'static str, text: Option<&str>) -> Result<PositionSide, DecodeError> {
    match text {
        None | Some("BOTH") => Ok(PositionSide::Both),
        Some("LONG") => Ok(PositionSide::Long),
        Some("SHORT") => Ok(PositionSide::Short),
        Some(text) => Err(reader.word(field, text)),
    }
}

pub(super) fn read_status(reader: Reader, field: &'static str, text: &str) -> Result<OrderStatus, DecodeError> {
    match text {
        // The last two are of orders that the exchange makes when it liquidates and deleverages.
        "NEW" | "NEW_INSURANCE" | "NEW_ADL" | "PENDING_CANCEL" => Ok(OrderStatus::New),
        "PARTIALLY_FILLED" => Ok(OrderStatus::PartiallyFilled),
        "FILLED" => Ok(OrderStatus::Filled),
        "CANCELED" => Ok(OrderStatus::Canceled),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Ok(OrderStatus::Expired),
        "REJECTED" => Ok(OrderStatus::Rejected),
        _ => Err(reader.word(field, text)),
    }
}

/// Orders beyond limit and market carry a price that means nothing ("0", or a trigger); only a limit order's is read.
pub(super) fn read_price(
    reader: Reader,
    field: &'static str,
    value: Dec<'_>,
    scales: &crate::instruments::Scales,
) -> Result<Price, DecodeError> {
    if value.is_empty() { Ok(Price::ZERO) } else { reader.price(field, value, scales) }
}

pub(super) fn read_order(
    reader: Reader,
    wire: &WireOrder<'_>,
    instruments: &Instruments,
    source: Source,
) -> Result<Found<OrderReply>, DecodeError> {
    let scales = listed!(instruments, reader, wire.symbol);
    let kind = OrderKind::read(wire.kind);
    let tif = OrderTif::read(wire.time_in_force);
    let report = OrderReport {
        id: ClientId::parse(&wire.client_order_id).ok(),
        order_id: OrderId(u128::from(wire.order_id.0)),
        side: read_side(reader, "side", wire.side)?,
        price: read_price(reader, "price", wire.price, &scales)?,
        qty: reader.qty("origQty", wire.orig_qty, &scales)?,
        filled: reader.qty("executedQty", wire.executed_qty, &scales)?,
        average: reader.maybe_reference("avgPrice", wire.avg_price)?.unwrap_or(RefPrice::ZERO),
        status: read_status(reader, "status", wire.status)?,
        kind: kind.order_type(),
        tif: tif.time_in_force(),
        reduce_only: wire.reduce_only.0,
        fill: None,
        time: Time::from_millis(wire.update_time.0.or(wire.time.0).unwrap_or(0)),
        source,
    };
    Ok(Ok(OrderReply {
        symbol: scales.index,
        report,
        position_side: read_position_side(reader, "positionSide", wire.position_side)?,
        client: cut(&wire.client_order_id),
        origin: Origin::read(&wire.client_order_id),
        kind,
        original_kind: wire.orig_type.map_or(kind, OrderKind::read),
        tif,
        filled_value: reader.maybe_money("cumQuote", wire.cum_quote)?,
        created: wire.time.0.map(Time::from_millis),
    }))
}

/// Reads the reply to placing, amending, cancelling or querying one order.
///
/// `source` says how we learned of it: [`Source::Reply`] for what we asked to be done, [`Source::Query`] for a question.
///
/// # Errors
/// A malformed body, a value off the symbol's scale, or a symbol that is not in use.
pub fn order(body: &[u8], instruments: &Instruments, source: Source) -> Result<OrderReply, DecodeError> {
    let reader = Reader { message: "order" };
    let wire: WireOrder<'_> = parse(reader.message, body)?;
    read_order(reader, &wire, instruments, source)?.map_err(|symbol| DecodeError::Unlisted { message: reader.message, symbol })
}

/// Reads `openOrders`, `allOrders` or `forceOrders`.
///
/// # Errors
/// A malformed body, a value off the symbol's scale, or more than [`LIST_MAX`] orders.
pub fn orders(body: &[u8], instruments: &Instruments) -> Result<Listing<OrderReply>, DecodeError> {
    let reader = Reader { message: "orders" };
    let wire: Limited<WireOrder<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    Listing::collect(&wire.0, |order| read_order(reader, order, instruments, Source::Query))
}

/// One element of a batch's reply: the order, or why it was not done.
pub type BatchElement = Result<OrderReply, ApiError>;

/// Reads the reply to a batch of placements, amendments or cancels: one element a request, in their order.
///
/// An element with an error code is an error, whatever else it carries.
///
/// # Errors
/// A malformed body, a value off the symbol's scale, or a symbol that is not in use.
pub fn batch(body: &[u8], instruments: &Instruments) -> Result<Vec<BatchElement>, DecodeError> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(default)]
        code: Int,
        #[serde(borrow, default)]
        msg: Cow<'a, str>,
    }
    let reader = Reader { message: "batch" };
    let wire: Limited<&serde_json::value::RawValue, LIST_MAX> = parse_any(reader.message, body)?;
    let element = |raw: &&serde_json::value::RawValue| -> Result<BatchElement, DecodeError> {
        let head: Head<'_> = parse("element of a batch", raw.get().as_bytes())?;
        if head.code.0 < 0 {
            return Ok(Err(ApiError::new(200, head.code.0, None, &head.msg)));
        }
        let wire: WireOrder<'_> = parse("element of a batch", raw.get().as_bytes())?;
        match read_order(reader, &wire, instruments, Source::Reply)? {
            Ok(order) => Ok(Ok(order)),
            Err(symbol) => Err(DecodeError::Unlisted { message: reader.message, symbol }),
        }
    };
    wire.0.iter().map(element).collect()
}

/// An execution of the account, as `userTrades` tells it. Its client id is unknown: it maps by its order id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserTrade {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// The execution; `fill.id` is `None`.
    pub fill: Fill,
    /// The position it changed.
    pub position_side: PositionSide,
}

/// Reads `userTrades`, oldest first as the exchange sends them.
///
/// # Errors
/// A malformed body, a value off the symbol's scale, or more than [`LIST_MAX`] executions.
pub fn user_trades(body: &[u8], instruments: &Instruments) -> Result<Listing<UserTrade>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        id: Uint,
        order_id: Uint,
        side: &'a str,
        #[serde(default)]
        position_side: Option<&'a str>,
        #[serde(borrow)]
        price: Dec<'a>,
        qty: Dec<'a>,
        commission: Dec<'a>,
        commission_asset: &'a str,
        #[serde(default)]
        realized_pnl: Dec<'a>,
        maker: Flag,
        time: Uint,
    }
    let reader = Reader { message: "userTrades" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    Listing::collect(&wire.0, |trade| {
        let scales = listed!(instruments, reader, trade.symbol);
        let fee = reader.asset("commissionAsset", trade.commission_asset)?;
        Ok(Ok(UserTrade {
            symbol: scales.index,
            fill: Fill {
                trade_id: TradeId(trade.id.0),
                order_id: OrderId(u128::from(trade.order_id.0)),
                id: None,
                side: read_side(reader, "side", trade.side)?,
                price: reader.price("price", trade.price, &scales)?,
                qty: reader.qty("qty", trade.qty, &scales)?,
                fee: Amount::new(fee, reader.money("commission", trade.commission)?),
                realized: reader.amount("realizedPnl", trade.realized_pnl, scales.quote)?,
                maker: trade.maker.0,
                time: trade.time.time(),
            },
            position_side: read_position_side(reader, "positionSide", trade.position_side)?,
        }))
    })
}

/// A conditional order of the algo service; it is not in the book until triggered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlgoOrder {
    /// The symbol's name.
    pub symbol: Symbol,
    /// The service's id of it.
    pub algo_id: u64,
    /// The client's id of it, as text.
    pub client: ClientText,
    /// Direction.
    pub side: Side,
    /// The position it works on.
    pub position_side: PositionSide,
    /// What it becomes when triggered.
    pub kind: OrderKind,
    /// Time in force.
    pub tif: OrderTif,
    /// Where it stands.
    pub status: AlgoStatus,
    /// Price that triggers it; `None` for trailing ones.
    pub trigger: Option<RefPrice>,
    /// Limit price; `None` or zero for orders at market.
    pub price: Option<RefPrice>,
    /// Quantity, units of 1e-8 of the base asset; `None` when it closes the whole position.
    pub qty_e8: Option<i128>,
    /// Whether it can only reduce the position.
    pub reduce_only: bool,
    /// The order that it became.
    pub order_id: Option<OrderId>,
    /// The exchange's time of the state.
    pub time: Time,
}

/// Where a conditional order stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AlgoStatus {
    /// Waiting for its trigger.
    New,
    /// Withdrawn.
    Canceled,
    /// Its order is being made.
    Triggering,
    /// Its order is in the book.
    Triggered,
    /// Its order is final.
    Finished,
    /// Its order was refused.
    Rejected,
    /// Ended by the exchange.
    Expired,
}

pub(super) fn read_algo_status(reader: Reader, field: &'static str, text: &str) -> Result<AlgoStatus, DecodeError> {
    match text {
        "NEW" => Ok(AlgoStatus::New),
        "CANCELED" => Ok(AlgoStatus::Canceled),
        "TRIGGERING" => Ok(AlgoStatus::Triggering),
        "TRIGGERED" => Ok(AlgoStatus::Triggered),
        "FINISHED" => Ok(AlgoStatus::Finished),
        "REJECTED" => Ok(AlgoStatus::Rejected),
        "EXPIRED" => Ok(AlgoStatus::Expired),
        _ => Err(reader.word(field, text)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAlgo<'a> {
    symbol: &'a str,
    algo_id: Uint,
    #[serde(borrow)]
    client_algo_id: Cow<'a, str>,
    side: &'a str,
    #[serde(default)]
    position_side: Option<&'a str>,
    // Older replies say `type`.
    #[serde(alias = "type")]
    order_type: &'a str,
    time_in_force: &'a str,
    algo_status: &'a str,
    #[serde(default)]
    trigger_price: Dec<'a>,
    #[serde(default)]
    price: Dec<'a>,
    #[serde(default)]
    quantity: Dec<'a>,
    #[serde(default)]
    reduce_only: Flag,
    #[serde(default)]
    actual_order_id: MaybeUint,
    #[serde(default)]
    update_time: MaybeUint,
}

fn read_algo(reader: Reader, wire: &WireAlgo<'_>) -> Result<AlgoOrder, DecodeError> {
    Ok(AlgoOrder {
        symbol: reader.symbol("symbol", wire.symbol)?,
        algo_id: wire.algo_id.0,
        client: cut(&wire.client_algo_id),
        side: read_side(reader, "side", wire.side)?,
        position_side: read_position_side(reader, "positionSide", wire.position_side)?,
        kind: OrderKind::read(wire.order_type),
        tif: OrderTif::read(wire.time_in_force),
        status: read_algo_status(reader, "algoStatus", wire.algo_status)?,
        trigger: reader.maybe_reference("triggerPrice", wire.trigger_price)?,
        price: reader.maybe_reference("price", wire.price)?,
        qty_e8: reader.maybe_money("quantity", wire.quantity)?,
        reduce_only: wire.reduce_only.0,
        order_id: wire.actual_order_id.0.map(|id| OrderId(u128::from(id))),
        time: Time::from_millis(wire.update_time.0.unwrap_or(0)),
    })
}

/// Reads one conditional order (`algoOrder`).
///
/// # Errors
/// A malformed body or an unknown word.
pub fn algo_order(body: &[u8]) -> Result<AlgoOrder, DecodeError> {
    let reader = Reader { message: "algoOrder" };
    read_algo(reader, &parse(reader.message, body)?)
}

/// Reads a list of conditional orders (`openAlgoOrders`, `allAlgoOrders`).
///
/// # Errors
/// A malformed body, an unknown word, or more than [`LIST_MAX`] orders.
pub fn algo_orders(body: &[u8]) -> Result<Vec<AlgoOrder>, DecodeError> {
    let reader = Reader { message: "algoOrders" };
    let wire: Limited<WireAlgo<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    wire.0.iter().map(|order| read_algo(reader, order)).collect()
}

/// One amendment of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Amendment {
    /// The amendment's id.
    pub id: u64,
    /// The symbol's name.
    pub symbol: Symbol,
    /// The order.
    pub order_id: OrderId,
    /// The client id as text.
    pub client: ClientText,
    /// Price before and after.
    pub price: (RefPrice, RefPrice),
    /// Quantity before and after, units of 1e-8 of the base asset.
    pub qty_e8: (i128, i128),
    /// How often the order was amended until then.
    pub count: u64,
    /// When.
    pub time: Time,
}

/// Reads the amendments of an order (`orderAmendment`).
///
/// # Errors
/// A malformed body or more than [`LIST_MAX`] amendments.
pub fn amendments(body: &[u8]) -> Result<Vec<Amendment>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        amendment_id: Uint,
        symbol: &'a str,
        order_id: Uint,
        #[serde(borrow)]
        client_order_id: Cow<'a, str>,
        time: Uint,
        amendment: Change<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Change<'a> {
        #[serde(borrow)]
        price: Pair<'a>,
        #[serde(borrow)]
        orig_qty: Pair<'a>,
        count: Uint,
    }
    #[derive(Deserialize)]
    struct Pair<'a> {
        #[serde(borrow)]
        before: Dec<'a>,
        #[serde(borrow)]
        after: Dec<'a>,
    }
    let reader = Reader { message: "orderAmendment" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        let Change { price, orig_qty, count } = &w.amendment;
        Ok(Amendment {
            id: w.amendment_id.0,
            symbol: reader.symbol("symbol", w.symbol)?,
            order_id: OrderId(u128::from(w.order_id.0)),
            client: cut(&w.client_order_id),
            price: (reader.reference("price.before", price.before)?, reader.reference("price.after", price.after)?),
            qty_e8: (reader.money("origQty.before", orig_qty.before)?, reader.money("origQty.after", orig_qty.after)?),
            count: count.0,
            time: w.time.time(),
        })
    };
    wire.0.iter().map(read).collect()
}
