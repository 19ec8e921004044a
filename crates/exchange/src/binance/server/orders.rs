//! Orders: requests read and checked, rows written.

use arrayvec::ArrayString;
use plimsoll_market::{
    Amount, DecimalError, Instrument, Notional, OrderStatus, OrderType, PositionSide, Price, Qty, Round, Side, Symbol, format_units,
};

use super::error::ApiError;
use super::json::{Object, money, short};
use super::params::Params;

/// Characters a client order id may have.
pub const CLIENT_ID_MAX: usize = 36;

/// A client order id as the exchange keeps it: 1 to [`CLIENT_ID_MAX`] of `.A-Z:/a-z0-9_-`.
pub type ClientText = ArrayString<CLIENT_ID_MAX>;

/// How much of an order's fate its reply tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseType {
    /// That it was taken: `NEW`, nothing filled.
    Ack,
    /// Where it stands after matching.
    Result,
}

/// Which order expires when two of one account would trade with each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SelfTrade {
    /// Neither: they trade.
    None,
    /// The one that comes.
    ExpireTaker,
    /// The one that rests: the default.
    ExpireMaker,
    /// Both.
    ExpireBoth,
}

impl SelfTrade {
    /// The exchange's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
        }
    }
}

/// How long an order stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tif {
    /// Until cancelled.
    Gtc,
    /// What fills at once; the rest expires.
    Ioc,
    /// All at once or not at all.
    Fok,
    /// Post-only.
    Gtx,
    /// Until a time, in milliseconds.
    Gtd(u64),
}

impl Tif {
    /// The exchange's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::Gtx => "GTX",
            Self::Gtd(_) => "GTD",
        }
    }

    /// When the order ends by itself, in milliseconds; zero is never.
    pub const fn good_till_ms(self) -> u64 {
        match self {
            Self::Gtd(until_ms) => until_ms,
            Self::Gtc | Self::Ioc | Self::Fok | Self::Gtx => 0,
        }
    }
}

/// A request to place an order, read and well-formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// The contract.
    pub symbol: Symbol,
    /// Direction.
    pub side: Side,
    /// Which position, when the client says.
    pub position_side: PositionSide,
    /// Kind.
    pub kind: OrderType,
    /// Time in force; [`Tif::Gtc`] for orders at market.
    pub tif: Tif,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Whether it can only reduce.
    pub reduce_only: bool,
    /// The client's id of it.
    pub client_id: Option<ClientText>,
    /// What the reply tells.
    pub response: ResponseType,
    /// What happens when it meets an order of the same account.
    pub self_trade: SelfTrade,
}

impl NewOrder {
    /// Reads an order; `find` knows the symbols.
    ///
    /// # Errors
    /// The exchange's error for the first thing wrong.
    pub fn parse<'i>(params: &Params, find: impl Fn(&str) -> Option<&'i Instrument>) -> Result<Self, ApiError> {
        let instrument = find(params.need("symbol")?).ok_or_else(ApiError::bad_symbol)?;
        let side = parse_side(params.need("side")?)?;
        let kind = parse_kind(params.need("type")?)?;
        let position_side = parse_position_side(params)?;
        let self_trade = parse_self_trade(params)?;
        let response = match params.maybe("newOrderRespType")? {
            None | Some("ACK") => ResponseType::Ack,
            Some("RESULT") => ResponseType::Result,
            Some(_) => return Err(ApiError::bad_response_type()),
        };
        let reduce_only = params.maybe_flag("reduceOnly")?.unwrap_or(false);
        if params.maybe_flag("closePosition")?.unwrap_or(false) {
            return Err(ApiError::not_required("closePosition"));
        }
        if params.maybe("priceMatch")?.is_some_and(|word| word != "NONE") {
            return Err(ApiError::unsupported("priceMatch"));
        }
        let (tif, price) = match kind {
            OrderType::Limit => {
                let tif = parse_tif(params)?;
                (tif, parse_price(instrument, params.need("price")?)?)
            }
            OrderType::Market => {
                if let Some(name) = ["timeInForce", "price", "stopPrice"].into_iter().find(|name| params.has(name)) {
                    return Err(ApiError::not_required(name));
                }
                (Tif::Gtc, Price::ZERO)
            }
        };
        let qty = parse_qty(instrument, params.need("quantity")?)?;
        let client_id = params.maybe("newClientOrderId")?.map(|text| parse_client_id("newClientOrderId", text)).transpose()?;
        let symbol = instrument.symbol;
        Ok(Self { symbol, side, position_side, kind, tif, price, qty, reduce_only, client_id, response, self_trade })
    }
}

/// A request to change an order's price and quantity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModifyOrder {
    /// The contract.
    pub symbol: Symbol,
    /// Which order.
    pub target: CancelTarget,
    /// Direction; must be the order's own.
    pub side: Side,
    /// New price.
    pub price: Price,
    /// New quantity, what has filled included.
    pub qty: Qty,
}

impl ModifyOrder {
    /// Reads a modification; `find` knows the symbols.
    ///
    /// # Errors
    /// The exchange's error for the first thing wrong.
    pub fn parse<'i>(params: &Params, find: impl Fn(&str) -> Option<&'i Instrument>) -> Result<Self, ApiError> {
        let instrument = find(params.need("symbol")?).ok_or_else(ApiError::bad_symbol)?;
        let target = CancelTarget::parse(params)?;
        let side = parse_side(params.need("side")?)?;
        let qty = parse_qty(instrument, params.need("quantity")?)?;
        let price = parse_price(instrument, params.need("price")?)?;
        Ok(Self { symbol: instrument.symbol, target, side, price, qty })
    }
}

/// Which order a request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelTarget {
    /// By the exchange's id.
    OrderId(u64),
    /// By the client's id.
    ClientId(ClientText),
}

impl CancelTarget {
    /// Reads `orderId` or `origClientOrderId`; the first wins.
    ///
    /// # Errors
    /// Neither was sent, or the id cannot be one.
    pub fn parse(params: &Params) -> Result<Self, ApiError> {
        if params.has("orderId") {
            let id = params.need_integer("orderId")?;
            return u64::try_from(id).map(Self::OrderId).map_err(|_| ApiError::illegal("orderId", "^[0-9]{1,20}$"));
        }
        match params.maybe("origClientOrderId")? {
            Some(text) => parse_client_id("origClientOrderId", text).map(Self::ClientId),
            None => Err(ApiError::either("origClientOrderId", "orderId")),
        }
    }
}

/// Reads the `batchOrders` array into the parameters of each of its orders; `most` is the longest it may be.
///
/// # Errors
/// Not such an array, empty, or too long.
pub fn parse_batch(params: &Params, most: usize) -> Result<Vec<Params>, ApiError> {
    let bad = || ApiError::illegal("batchOrders", "a JSON array of orders");
    let list: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(params.need("batchOrders")?).map_err(|_| bad())?;
    if list.is_empty() || list.len() > most {
        return Err(ApiError::batch_length());
    }
    list.into_iter().map(|order| json_params(order).ok_or_else(bad).and_then(Params::from_pairs)).collect()
}

/// Turns a flat JSON object into parameters; `None` when a value is no scalar. Nulls count as absent.
pub(super) fn json_params(object: serde_json::Map<String, serde_json::Value>) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::with_capacity(object.len());
    for (name, value) in object {
        match value {
            serde_json::Value::Null => {}
            serde_json::Value::String(text) => pairs.push((name, text)),
            serde_json::Value::Number(number) => pairs.push((name, number.to_string())),
            serde_json::Value::Bool(flag) => pairs.push((name, flag.to_string())),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
        }
    }
    Some(pairs)
}

fn parse_side(text: &str) -> Result<Side, ApiError> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::bad_side()),
    }
}

fn parse_kind(text: &str) -> Result<OrderType, ApiError> {
    match text {
        "LIMIT" => Ok(OrderType::Limit),
        "MARKET" => Ok(OrderType::Market),
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => Err(ApiError::algo_endpoint()),
        _ => Err(ApiError::bad_order_type()),
    }
}

fn parse_tif(params: &Params) -> Result<Tif, ApiError> {
    match params.need("timeInForce")? {
        "GTC" => Ok(Tif::Gtc),
        "IOC" => Ok(Tif::Ioc),
        "FOK" => Ok(Tif::Fok),
        "GTX" => Ok(Tif::Gtx),
        "GTD" => {
            params.need("goodTillDate")?;
            Ok(Tif::Gtd(params.maybe_millis("goodTillDate")?.unwrap_or(0)))
        }
        "RPI" => Err(ApiError::unsupported("timeInForce RPI")),
        _ => Err(ApiError::bad_time_in_force()),
    }
}

fn parse_position_side(params: &Params) -> Result<PositionSide, ApiError> {
    match params.maybe("positionSide")? {
        None | Some("BOTH") => Ok(PositionSide::Both),
        Some("LONG") => Ok(PositionSide::Long),
        Some("SHORT") => Ok(PositionSide::Short),
        Some(_) => Err(ApiError::bad_position_side()),
    }
}

fn parse_self_trade(params: &Params) -> Result<SelfTrade, ApiError> {
    match params.maybe("selfTradePreventionMode")? {
        None | Some("EXPIRE_MAKER") => Ok(SelfTrade::ExpireMaker),
        Some("EXPIRE_TAKER") => Ok(SelfTrade::ExpireTaker),
        Some("EXPIRE_BOTH") => Ok(SelfTrade::ExpireBoth),
        Some("NONE") => Ok(SelfTrade::None),
        Some(_) => Err(ApiError::invalid_data("selfTradePreventionMode")),
    }
}

/// Reads a client order id.
///
/// # Errors
/// Too long, or with characters it cannot have.
pub(super) fn parse_client_id(name: &str, text: &str) -> Result<ClientText, ApiError> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/_-".contains(&byte)) {
        return Err(ApiError::illegal(name, r"^[\.A-Z\:/a-z0-9_-]{1,36}$"));
    }
    ClientText::from(text).map_err(|_| ApiError::client_id_long())
}

fn parse_price(instrument: &Instrument, text: &str) -> Result<Price, ApiError> {
    match instrument.parse_price(text, Round::Exact) {
        Ok(price) if price.is_zero() => Err(ApiError::price_not_positive()),
        Err(_) if text.starts_with('-') => Err(ApiError::price_not_positive()),
        outcome => outcome.map_err(|error| decimal_error("price", error)),
    }
}

fn parse_qty(instrument: &Instrument, text: &str) -> Result<Qty, ApiError> {
    match instrument.parse_qty(text, Round::Exact) {
        Ok(qty) if qty.is_zero() => Err(ApiError::qty_not_positive()),
        Err(_) if text.starts_with('-') => Err(ApiError::qty_not_positive()),
        outcome => outcome.map_err(|error| decimal_error("quantity", error)),
    }
}

fn decimal_error(name: &str, error: DecimalError) -> ApiError {
    match error {
        DecimalError::TooFine(_) => ApiError::precision(),
        DecimalError::Malformed | DecimalError::OutOfRange => ApiError::missing(name),
    }
}

/// An order as the exchange tells it.
#[derive(Clone, Copy, Debug)]
pub struct OrderRow<'a> {
    /// The contract and its digits.
    pub instrument: &'a Instrument,
    /// The exchange's id.
    pub order_id: u64,
    /// The client's id, or the one made for it.
    pub client_id: &'a str,
    /// Direction.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Kind.
    pub kind: OrderType,
    /// Time in force.
    pub tif: Tif,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity ordered.
    pub qty: Qty,
    /// Quantity filled.
    pub filled: Qty,
    /// What the filled quantity cost.
    pub cost: Notional,
    /// Where it stands.
    pub status: OrderStatus,
    /// Whether self-trade prevention ended it.
    pub in_match: bool,
    /// Whether it can only reduce.
    pub reduce_only: bool,
    /// What happens when it meets an order of the same account.
    pub self_trade: SelfTrade,
    /// When it came, in milliseconds.
    pub time_ms: u64,
    /// When it last changed, in milliseconds.
    pub updated_ms: u64,
}

/// The exchange's word for a side.
pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// The exchange's word for a position side.
pub(super) const fn position_side_word(side: PositionSide) -> &'static str {
    match side {
        PositionSide::Both => "BOTH",
        PositionSide::Long => "LONG",
        PositionSide::Short => "SHORT",
    }
}

/// The exchange's word for an order's kind.
pub(super) const fn kind_word(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Limit => "LIMIT",
        OrderType::Market => "MARKET",
    }
}

impl OrderRow<'_> {
    /// The exchange's word for its status.
    pub(super) const fn status(&self) -> &'static str {
        match self.status {
            OrderStatus::New => "NEW",
            OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
            OrderStatus::Filled => "FILLED",
            OrderStatus::Canceled => "CANCELED",
            OrderStatus::Expired if self.in_match => "EXPIRED_IN_MATCH",
            OrderStatus::Expired => "EXPIRED",
            OrderStatus::Rejected => "REJECTED",
        }
    }

    /// The average price of what filled, with at least the symbol's digits.
    pub(super) fn average(&self) -> impl core::fmt::Display {
        short(i128::from(self.instrument.average(self.cost, self.filled).units()), usize::from(self.instrument.price_scale))
    }

    fn cost(&self) -> impl core::fmt::Display {
        let scale = self.instrument.price_scale + self.instrument.qty_scale;
        format_units(self.cost.units(), scale)
    }

    fn write_head(&self, object: &mut Object<'_>) {
        let instrument = self.instrument;
        object
            .bare("orderId", self.order_id)
            .quoted("symbol", instrument.symbol)
            .quoted("status", self.status())
            .text("clientOrderId", self.client_id)
            .quoted("price", instrument.show_price(self.price))
            .quoted("avgPrice", self.average())
            .quoted("origQty", instrument.show_qty(self.qty))
            .quoted("executedQty", instrument.show_qty(self.filled))
            .quoted("cumQuote", self.cost())
            .quoted("timeInForce", self.tif.as_str())
            .quoted("type", kind_word(self.kind))
            .bare("reduceOnly", self.reduce_only)
            .bare("closePosition", false)
            .quoted("side", side_word(self.side))
            .quoted("positionSide", position_side_word(self.position_side))
            .quoted("stopPrice", instrument.show_price(Price::ZERO))
            .quoted("workingType", "CONTRACT_PRICE")
            .bare("priceProtect", false)
            .quoted("origType", kind_word(self.kind))
            .quoted("priceMatch", "NONE")
            .quoted("selfTradePreventionMode", self.self_trade.as_str())
            .bare("goodTillDate", self.tif.good_till_ms());
    }
}

/// Writes the reply to placing, changing or cancelling an order.
pub fn write_order(out: &mut String, order: &OrderRow<'_>) {
    let mut object = Object::new(out);
    order.write_head(&mut object);
    object.quoted("cumQty", order.instrument.show_qty(order.filled)).bare("updateTime", order.updated_ms).end();
}

/// Writes an order as queries return it.
pub fn write_queried_order(out: &mut String, order: &OrderRow<'_>) {
    let mut object = Object::new(out);
    order.write_head(&mut object);
    object.bare("time", order.time_ms).bare("updateTime", order.updated_ms).end();
}

/// An execution as the exchange tells it.
#[derive(Clone, Copy, Debug)]
pub struct TradeRow<'a> {
    /// The contract and its digits.
    pub instrument: &'a Instrument,
    /// The exchange's id of it.
    pub id: u64,
    /// The order's id.
    pub order_id: u64,
    /// Direction of the order.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Commission; positive is paid.
    pub fee: Amount,
    /// Profit realised, before commission, units of 1e-8.
    pub realized: i128,
    /// Whether the order rested.
    pub maker: bool,
    /// When, in milliseconds.
    pub time_ms: u64,
}

/// Writes an execution as `userTrades` returns it.
pub fn write_user_trade(out: &mut String, trade: &TradeRow<'_>) {
    let instrument = trade.instrument;
    let value = (trade.price * trade.qty).units();
    Object::new(out)
        .quoted("symbol", instrument.symbol)
        .quoted("pair", instrument.symbol)
        .bare("id", trade.id)
        .bare("orderId", trade.order_id)
        .quoted("side", side_word(trade.side))
        .quoted("price", instrument.show_price(trade.price))
        .quoted("qty", instrument.show_qty(trade.qty))
        .quoted("realizedPnl", money(trade.realized))
        .quoted("marginAsset", instrument.quote)
        .quoted("quoteQty", format_units(value, instrument.price_scale + instrument.qty_scale))
        .quoted("commission", money(trade.fee.units))
        .quoted("commissionAsset", trade.fee.asset)
        .bare("time", trade.time_ms)
        .quoted("positionSide", position_side_word(trade.position_side))
        .bare("buyer", trade.side == Side::Buy)
        .bare("maker", trade.maker)
        .end();
}

#[cfg(test)]
mod tests;
