//! The list of contracts and their rules (`exchangeInfo`).

use super::orders::{OrderKind, OrderTif};
use super::ws_api::{RateLimit, WireLimit, read_limit};
use crate::binance::wire::{Dec, DecodeError, Limited, Quoted, Reader, Uint, parse, units};
use crate::limits::LIST_MAX;
use arrayvec::ArrayVec;
use core::fmt;
use plimsoll_market::limits::SCALE_MAX;
use plimsoll_market::{Asset, Bps, Instrument, Notional, Percent, Price, Qty, Round, Symbol, Time, Trading, parse_units};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fee of a resting order, until `commissionRate` tells the account's own: the exchange's ordinary rate.
const MAKER_FEE: Bps = Bps::from_ppm(200);
/// Fee of a taking order, likewise.
const TAKER_FEE: Bps = Bps::from_ppm(500);

/// What kind of contract it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ContractType {
    /// Without end.
    Perpetual,
    /// Without end, on a share or index of ordinary finance; closed at times.
    TradifiPerpetual,
    /// Ends on its delivery date.
    Delivery,
}

/// A contract that we can trade.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contract {
    /// Its rules; fees are the exchange's ordinary ones until the account's are known.
    pub instrument: Instrument,
    /// What kind it is.
    pub kind: ContractType,
    /// What margin is paid in.
    pub margin: Asset,
    /// When it is delivered; far in the future for perpetuals.
    pub delivery: Time,
    /// The exchange's word for its state (`TRADING`, `SETTLING`), cut.
    pub status: Quoted,
    /// The kinds of orders taken.
    pub order_kinds: ArrayVec<OrderKind, 16>,
    /// The times in force taken.
    pub times_in_force: ArrayVec<OrderTif, 16>,
}

/// A contract that was left out, and why.
#[derive(Debug)]
pub struct Skipped {
    /// Its name as sent, cut.
    pub symbol: Quoted,
    /// Why it cannot be traded by us.
    pub reason: SkipReason,
}

/// Why a contract was left out.
#[derive(Debug)]
pub enum SkipReason {
    /// Not yet a contract: the exchange names no type.
    NoType,
    /// A type that this build does not know.
    Type(Quoted),
    /// Its rules could not be read.
    Rules(DecodeError),
    /// More digits than the integers here carry.
    Scale {
        /// Digits needed.
        digits: u8,
        /// The most there may be.
        max: u8,
    },
    /// A rule that makes no order possible (a tick or step of zero, a least above a most).
    Impossible(&'static str),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoType => f.write_str("it has no contract type yet"),
            Self::Type(kind) => write!(f, "contract type {kind} is unknown"),
            Self::Rules(error) => write!(f, "{}", error.chain()),
            Self::Scale { digits, max } => write!(f, "{digits} digits after the point are needed, {max} are the most"),
            Self::Impossible(what) => f.write_str(what),
        }
    }
}

/// The exchange's contracts, limits and time.
#[derive(Debug)]
pub struct ExchangeInfo {
    /// The exchange's time.
    pub server_time: Time,
    /// The limits of requests and orders.
    pub limits: Vec<RateLimit>, // tidy: bounded by the reply's limit, lives while a reply is handled
    /// The contracts that we can trade, whatever their state, in the reply's order.
    pub contracts: Vec<Contract>, // tidy: bounded by LIST_MAX, lives while a reply is handled
    /// The contracts left out.
    pub skipped: Vec<Skipped>, // tidy: bounded by LIST_MAX, lives while a reply is handled
}

impl ExchangeInfo {
    /// Finds a contract by its name.
    pub fn contract(&self, symbol: &str) -> Option<&Contract> {
        self.contracts.iter().find(|c| c.instrument.symbol.as_str() == symbol)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSymbol<'a> {
    symbol: &'a str,
    contract_type: &'a str,
    // One old reply says `contractStatus`.
    #[serde(alias = "contractStatus")]
    status: &'a str,
    #[serde(default)]
    delivery_date: Uint,
    base_asset: &'a str,
    quote_asset: &'a str,
    #[serde(default)]
    margin_asset: Option<&'a str>,
    #[serde(default)]
    price_precision: Option<Uint>,
    #[serde(default)]
    quantity_precision: Option<Uint>,
    #[serde(borrow)]
    filters: Limited<WireFilter<'a>, 64>,
    // One old reply says `OrderType`.
    #[serde(default, borrow, alias = "OrderType")]
    order_types: Limited<&'a str, 64>,
    #[serde(default, borrow)]
    time_in_force: Limited<&'a str, 64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFilter<'a> {
    filter_type: &'a str,
    #[serde(borrow, default)]
    tick_size: Dec<'a>,
    #[serde(default)]
    min_price: Dec<'a>,
    #[serde(default)]
    max_price: Dec<'a>,
    #[serde(default)]
    step_size: Dec<'a>,
    #[serde(default)]
    min_qty: Dec<'a>,
    #[serde(default)]
    max_qty: Dec<'a>,
    #[serde(default)]
    notional: Dec<'a>,
    #[serde(default)]
    multiplier_up: Dec<'a>,
    #[serde(default)]
    multiplier_down: Dec<'a>,
    #[serde(default)]
    limit: Dec<'a>,
}

/// Reads the exchange's contracts. One that cannot be read is left out by name; the others are not harmed by it.
///
/// # Errors
/// A malformed body, or more than [`LIST_MAX`] symbols.
pub fn exchange_info(body: &[u8]) -> Result<ExchangeInfo, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        server_time: Uint,
        #[serde(borrow)]
        rate_limits: Limited<WireLimit<'a>, 64>,
        #[serde(borrow)]
        symbols: Limited<&'a RawValue, LIST_MAX>,
    }
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        symbol: std::borrow::Cow<'a, str>,
    }
    let wire: Wire<'_> = parse("exchangeInfo", body)?;
    let mut info = ExchangeInfo {
        server_time: wire.server_time.time(),
        limits: wire.rate_limits.0.iter().filter_map(read_limit).collect(),
        contracts: Vec::with_capacity(wire.symbols.0.len()),
        skipped: Vec::new(),
    };
    for raw in &wire.symbols.0 {
        let bytes = raw.get().as_bytes();
        let read = parse::<WireSymbol<'_>>("symbol of exchangeInfo", bytes).map_err(SkipReason::Rules).and_then(|w| contract(&w));
        match read {
            Ok(contract) => info.contracts.push(contract),
            Err(reason) => {
                let name = parse::<Named<'_>>("symbol of exchangeInfo", bytes).map_or(Quoted::new(""), |n| Quoted::new(&n.symbol));
                info.skipped.push(Skipped { symbol: name, reason });
            }
        }
    }
    Ok(info)
}

fn contract(wire: &WireSymbol<'_>) -> Result<Contract, SkipReason> {
    let reader = Reader { message: "symbol of exchangeInfo" };
    let kind = match wire.contract_type {
        "PERPETUAL" => ContractType::Perpetual,
        "TRADIFI_PERPETUAL" => ContractType::TradifiPerpetual,
        "CURRENT_MONTH"
        | "NEXT_MONTH"
        | "CURRENT_QUARTER"
        | "NEXT_QUARTER"
        | "CURRENT_QUARTER DELIVERING"
        | "NEXT_QUARTER DELIVERING"
        | "PERPETUAL DELIVERING" => ContractType::Delivery,
        "" => return Err(SkipReason::NoType),
        other => return Err(SkipReason::Type(Quoted::new(other))),
    };
    let filter = |name: &'static str| {
        let found = wire.filters.0.iter().find(|f| f.filter_type == name);
        found.ok_or(SkipReason::Rules(DecodeError::Missing { message: reader.message, field: name }))
    };
    let prices = filter("PRICE_FILTER")?;
    let lots = filter("LOT_SIZE")?;
    // Contracts without a filter of their own for market orders use the one for all.
    let market_lots = filter("MARKET_LOT_SIZE").unwrap_or(lots);
    let precision = |precision: Option<Uint>| precision.map_or(0, |p| u8::try_from(p.0).unwrap_or(u8::MAX));
    // The tick decides what prices are allowed, but the exchange writes (and once allowed) as many digits as its precision says.
    let price_scale = scale(&[digits(prices.tick_size.0), digits(prices.min_price.0), precision(wire.price_precision)])?;
    let qty_scale =
        scale(&[digits(lots.step_size.0), digits(market_lots.step_size.0), digits(lots.min_qty.0), precision(wire.quantity_precision)])?;
    let scales = crate::instruments::Scales {
        index: crate::SymbolIndex::ANY,
        price: price_scale,
        qty: qty_scale,
        quote: reader.asset("quoteAsset", wire.quote_asset).map_err(SkipReason::Rules)?,
    };
    let price = |field: &'static str, value: Dec<'_>| reader.price(field, value, &scales).map_err(SkipReason::Rules);
    let qty = |field: &'static str, value: Dec<'_>| reader.qty(field, value, &scales).map_err(SkipReason::Rules);
    let notional_min = match wire.filters.0.iter().find(|f| f.filter_type == "MIN_NOTIONAL") {
        // Rounded up: an order of exactly the least value that we can express always passes.
        Some(f) => Notional::from_units(parse_units(f.notional.0, price_scale + qty_scale, Round::Up).map_err(|source| {
            SkipReason::Rules(DecodeError::Number { message: reader.message, field: "notional", value: Quoted::new(f.notional.0), source })
        })?),
        None => Notional::ZERO,
    };
    let percent = wire.filters.0.iter().find(|f| f.filter_type == "PERCENT_PRICE");
    let factor = |field: &'static str, value: Option<Dec<'_>>, none: u32, round: Round| match value {
        Some(value) => reader
            .number(field, value, 6, round)
            .map_err(SkipReason::Rules)
            .and_then(|n| u32::try_from(n).map(Percent).map_err(|_| SkipReason::Impossible("a price multiplier is out of range"))),
        None => Ok(Percent(none)),
    };
    let orders = wire.filters.0.iter().find(|f| f.filter_type == "MAX_NUM_ORDERS");
    let orders_max = match orders {
        Some(f) => {
            let limit = reader.number("limit", f.limit, 0, Round::Exact).map_err(SkipReason::Rules)?;
            u16::try_from(limit).map_err(|_| SkipReason::Impossible("the number of orders is out of range"))?
        }
        None => 200,
    };
    let instrument = Instrument {
        symbol: Symbol::new(wire.symbol).map_err(|_| SkipReason::Rules(reader.unlisted(wire.symbol)))?,
        base: reader.asset("baseAsset", wire.base_asset).map_err(SkipReason::Rules)?,
        quote: scales.quote,
        price_scale,
        qty_scale,
        tick: price("tickSize", prices.tick_size)?,
        price_min: price("minPrice", prices.min_price)?,
        price_max: price("maxPrice", prices.max_price)?,
        step: qty("stepSize", lots.step_size)?,
        qty_min: qty("minQty", lots.min_qty)?,
        qty_max: qty("maxQty", lots.max_qty)?,
        market_step: qty("stepSize", market_lots.step_size)?,
        market_qty_min: qty("minQty", market_lots.min_qty)?,
        market_qty_max: qty("maxQty", market_lots.max_qty)?,
        notional_min,
        percent_up: factor("multiplierUp", percent.map(|p| p.multiplier_up), u32::MAX, Round::Down)?,
        percent_down: factor("multiplierDown", percent.map(|p| p.multiplier_down), 0, Round::Up)?,
        orders_max,
        maker_fee: MAKER_FEE,
        taker_fee: TAKER_FEE,
        trading: if wire.status == "TRADING" { Trading::Open } else { Trading::Halted },
    };
    check(&instrument)?;
    Ok(Contract {
        instrument,
        kind,
        margin: reader.asset("marginAsset", wire.margin_asset.unwrap_or(wire.quote_asset)).map_err(SkipReason::Rules)?,
        delivery: wire.delivery_date.time(),
        status: Quoted::new(wire.status),
        order_kinds: wire.order_types.0.iter().map(|t| OrderKind::read(t)).take(16).collect(),
        times_in_force: wire.time_in_force.0.iter().map(|t| OrderTif::read(t)).take(16).collect(),
    })
}

fn check(instrument: &Instrument) -> Result<(), SkipReason> {
    if instrument.tick == Price::ZERO {
        return Err(SkipReason::Impossible("the tick is zero"));
    }
    if instrument.step == Qty::ZERO || instrument.market_step == Qty::ZERO {
        return Err(SkipReason::Impossible("the quantity step is zero"));
    }
    if instrument.price_min > instrument.price_max || instrument.qty_min > instrument.qty_max {
        return Err(SkipReason::Impossible("the least is above the most"));
    }
    if instrument.qty_max == Qty::ZERO || instrument.price_max == Price::ZERO {
        return Err(SkipReason::Impossible("the most is zero"));
    }
    Ok(())
}

/// Digits after the point that a value needs, trailing zeros left out.
fn digits(text: &str) -> u8 {
    (0..=SCALE_MAX).find(|scale| units(text, *scale, Round::Exact).is_ok()).unwrap_or(0)
}

fn scale(needs: &[u8]) -> Result<u8, SkipReason> {
    let digits = needs.iter().copied().max().unwrap_or(0);
    if digits > SCALE_MAX { Err(SkipReason::Scale { digits, max: SCALE_MAX }) } else { Ok(digits) }
}
