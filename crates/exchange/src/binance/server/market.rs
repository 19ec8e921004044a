//! Market data as REST returns it.

use plimsoll_market::{
    Bps, Candle, Instrument, Level, MarkPrice, Notional, Percent, Price, Qty, RefPrice, Side, Symbol, Trading, format_units,
};

use super::json::{List, Object, money, put, short, short_scaled};

/// What `exchangeInfo` tells of a symbol beside its filters.
#[derive(Clone, Copy, Debug)]
pub struct SymbolFacts {
    /// When trading began, in milliseconds.
    pub onboard_ms: u64,
    /// What an underlying it has (`PoW`, `Layer-1` …).
    pub sub_type: &'static str,
    /// Fee of a liquidation, as a share in parts per million.
    pub liquidation_fee: Bps,
}

impl Default for SymbolFacts {
    fn default() -> Self {
        // BTCUSDT's: first contract of the exchange.
        Self { onboard_ms: 1_569_398_400_000, sub_type: "PoW", liquidation_fee: Bps::from_ppm(12_500) }
    }
}

/// The end of a perpetual contract, as the exchange writes it.
const DELIVERY_MS: u64 = 4_133_404_800_000;

fn notional_text(instrument: &Instrument, notional: Notional) -> impl core::fmt::Display {
    format_units(notional.units(), instrument.price_scale + instrument.qty_scale)
}

fn percent_text(percent: Percent) -> impl core::fmt::Display {
    format_units(i128::from(percent.0) / 100, 4)
}

/// Writes `exchangeInfo`; weight and order limits are those that the server enforces.
pub fn write_exchange_info<'a>(
    out: &mut String,
    time_ms: u64,
    weight_limit: u32,
    order_limits: [(u32, &str, u32); 2],
    symbols: impl Iterator<Item = (&'a Instrument, SymbolFacts)> + Clone,
) {
    let limit = |out: &mut String, kind: &str, interval: &str, count: u32, limit: u32| {
        Object::new(out).quoted("rateLimitType", kind).quoted("interval", interval).bare("intervalNum", count).bare("limit", limit).end();
    };
    Object::new(out)
        .quoted("timezone", "UTC")
        .bare("serverTime", time_ms)
        .quoted("futuresType", "U_MARGINED")
        .with("rateLimits", |out| {
            let mut list = List::new(out);
            list.item(|out| limit(out, "REQUEST_WEIGHT", "MINUTE", 1, weight_limit));
            for (count, interval, most) in order_limits {
                list.item(|out| limit(out, "ORDERS", interval, count, most));
            }
            list.end();
        })
        .bare("exchangeFilters", "[]")
        .with("assets", |out| {
            let mut list = List::new(out);
            if let Some((instrument, _)) = symbols.clone().next() {
                list.item(|out| {
                    Object::new(out)
                        .quoted("asset", instrument.quote)
                        .bare("marginAvailable", true)
                        .quoted("autoAssetExchange", "-10000")
                        .end();
                });
            }
            list.end();
        })
        .with("symbols", |out| {
            let mut list = List::new(out);
            for (instrument, facts) in symbols {
                list.item(|out| write_symbol(out, instrument, facts));
            }
            list.end();
        })
        .end();
}

fn write_symbol(out: &mut String, instrument: &Instrument, facts: SymbolFacts) {
    let status = match instrument.trading {
        Trading::Open => "TRADING",
        Trading::Halted => "SETTLING",
    };
    Object::new(out)
        .quoted("symbol", instrument.symbol)
        .quoted("pair", instrument.symbol)
        .quoted("contractType", "PERPETUAL")
        .bare("deliveryDate", DELIVERY_MS)
        .bare("onboardDate", facts.onboard_ms)
        .quoted("status", status)
        .quoted("maintMarginPercent", "2.5000")
        .quoted("requiredMarginPercent", "5.0000")
        .quoted("baseAsset", instrument.base)
        .quoted("quoteAsset", instrument.quote)
        .quoted("marginAsset", instrument.quote)
        .bare("pricePrecision", instrument.price_scale)
        .bare("quantityPrecision", instrument.qty_scale)
        .bare("baseAssetPrecision", 8)
        .bare("quotePrecision", 8)
        .quoted("underlyingType", "COIN")
        .with("underlyingSubType", |out| put(out, format_args!("[\"{}\"]", facts.sub_type)))
        .quoted("triggerProtect", "0.0500")
        .quoted("liquidationFee", format_units(facts.liquidation_fee.ppm().into(), 6))
        .quoted("marketTakeBound", "0.05")
        .bare("maxMoveOrderLimit", 10_000)
        .with("filters", |out| write_filters(out, instrument))
        .bare("orderTypes", r#"["LIMIT","MARKET","STOP","STOP_MARKET","TAKE_PROFIT","TAKE_PROFIT_MARKET","TRAILING_STOP_MARKET"]"#)
        .bare("timeInForce", r#"["GTC","IOC","FOK","GTX","GTD"]"#)
        .end();
}

fn write_filters(out: &mut String, instrument: &Instrument) {
    let qty_filter = |out: &mut String, kind: &str, min: Qty, max: Qty, step: Qty| {
        Object::new(out)
            .quoted("filterType", kind)
            .quoted("minQty", instrument.show_qty(min))
            .quoted("maxQty", short_scaled(i128::from(max.units()), instrument.qty_scale, 0))
            .quoted("stepSize", instrument.show_qty(step))
            .end();
    };
    let price_scale = instrument.price_scale;
    List::new(out)
        .item(|out| {
            Object::new(out)
                .quoted("filterType", "PRICE_FILTER")
                .quoted("minPrice", short_scaled(instrument.price_min.units().into(), price_scale, 0))
                .quoted("maxPrice", short_scaled(instrument.price_max.units().into(), price_scale, 0))
                .quoted("tickSize", instrument.show_price(instrument.tick))
                .end();
        })
        .item(|out| qty_filter(out, "LOT_SIZE", instrument.qty_min, instrument.qty_max, instrument.step))
        .item(|out| qty_filter(out, "MARKET_LOT_SIZE", instrument.market_qty_min, instrument.market_qty_max, instrument.market_step))
        .item(|out| Object::new(out).quoted("filterType", "MAX_NUM_ORDERS").bare("limit", instrument.orders_max).end())
        .item(|out| Object::new(out).quoted("filterType", "MAX_NUM_ALGO_ORDERS").bare("limit", 10).end())
        .item(|out| {
            let scale = instrument.price_scale + instrument.qty_scale;
            let notional = short_scaled(instrument.notional_min.units(), scale, 0);
            Object::new(out).quoted("filterType", "MIN_NOTIONAL").quoted("notional", notional).end();
        })
        .item(|out| {
            Object::new(out)
                .quoted("filterType", "PERCENT_PRICE")
                .quoted("multiplierUp", percent_text(instrument.percent_up))
                .quoted("multiplierDown", percent_text(instrument.percent_down))
                .quoted("multiplierDecimal", "4")
                .end();
        })
        .item(|out| Object::new(out).quoted("filterType", "POSITION_RISK_CONTROL").quoted("positionControlSide", "NONE").end())
        .end();
}

/// Writes levels as pairs of texts.
pub(super) fn write_levels<'a>(out: &mut String, instrument: &Instrument, levels: impl Iterator<Item = &'a Level>) {
    let mut list = List::new(out);
    for level in levels {
        let (price, qty) = (instrument.show_price(level.price), instrument.show_qty(level.qty));
        list.item(|out| put(out, format_args!("[\"{price}\",\"{qty}\"]")));
    }
    list.end();
}

/// Writes a book; `time_ms` is that of its last change, `now_ms` that of the message.
pub fn write_depth(out: &mut String, instrument: &Instrument, update_id: u64, now_ms: u64, time_ms: u64, bids: &[Level], asks: &[Level]) {
    Object::new(out)
        .bare("lastUpdateId", update_id)
        .bare("E", now_ms)
        .bare("T", time_ms)
        .with("bids", |out| write_levels(out, instrument, bids.iter()))
        .with("asks", |out| write_levels(out, instrument, asks.iter()))
        .end();
}

/// A trade of the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarketTrade {
    /// Its id; for trades of one taker at one price that of the whole.
    pub id: u64,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// First trade in it.
    pub first: u64,
    /// Last trade in it.
    pub last: u64,
    /// Side of the order that took.
    pub taker: Side,
    /// When, in milliseconds.
    pub time_ms: u64,
}

/// Writes `trades` and `historicalTrades`.
pub fn write_rest_trades(out: &mut String, instrument: &Instrument, trades: impl Iterator<Item = MarketTrade>) {
    let mut list = List::new(out);
    for trade in trades {
        list.item(|out| {
            Object::new(out)
                .bare("id", trade.id)
                .quoted("price", instrument.show_price(trade.price))
                .quoted("qty", instrument.show_qty(trade.qty))
                .quoted("quoteQty", notional_text(instrument, trade.price * trade.qty))
                .bare("time", trade.time_ms)
                .bare("isBuyerMaker", trade.taker == Side::Sell)
                .bare("isRPITrade", false)
                .end();
        });
    }
    list.end();
}

/// Writes `aggTrades`.
pub fn write_rest_agg_trades(out: &mut String, instrument: &Instrument, trades: impl Iterator<Item = MarketTrade>) {
    let mut list = List::new(out);
    for trade in trades {
        list.item(|out| {
            Object::new(out)
                .bare("a", trade.id)
                .quoted("p", instrument.show_price(trade.price))
                .quoted("q", instrument.show_qty(trade.qty))
                .bare("f", trade.first)
                .bare("l", trade.last)
                .bare("T", trade.time_ms)
                .bare("m", trade.taker == Side::Sell)
                .end();
        });
    }
    list.end();
}

/// A candle and where it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KlineRow {
    /// The candle.
    pub candle: Candle,
    /// Its last millisecond.
    pub close_ms: u64,
}

impl KlineRow {
    /// Value bought by takers: at the candle's average price, the one thing it does not keep.
    pub(super) fn taker_turnover(&self) -> Notional {
        let candle = &self.candle;
        if candle.volume.is_zero() { Notional::ZERO } else { candle.turnover.share(candle.taker_buy, candle.volume) }
    }
}

/// Writes candles as arrays of twelve.
pub fn write_klines(out: &mut String, instrument: &Instrument, rows: impl Iterator<Item = KlineRow>) {
    let mut list = List::new(out);
    for row in rows {
        let candle = &row.candle;
        let price = |price| instrument.show_price(price);
        list.item(|out| {
            put(
                out,
                format_args!(
                    "[{},\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",{},\"{}\",{},\"{}\",\"{}\",\"0\"]",
                    candle.open_time.millis(),
                    price(candle.open),
                    price(candle.high),
                    price(candle.low),
                    price(candle.close),
                    instrument.show_qty(candle.volume),
                    row.close_ms,
                    notional_text(instrument, candle.turnover),
                    candle.trades,
                    instrument.show_qty(candle.taker_buy),
                    notional_text(instrument, row.taker_turnover()),
                ),
            );
        });
    }
    list.end();
}

/// The last 24 hours of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TickerRow {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub last: Price,
    /// Quantity of the last trade.
    pub last_qty: Qty,
    /// Base quantity traded.
    pub volume: Qty,
    /// Quote value traded.
    pub turnover: Notional,
    /// Volume-weighted average price.
    pub average: RefPrice,
    /// Trades.
    pub trades: u64,
    /// First trade's id.
    pub first_id: u64,
    /// Last trade's id.
    pub last_id: u64,
    /// When the window opens, in milliseconds.
    pub open_ms: u64,
    /// When it ends, in milliseconds.
    pub close_ms: u64,
}

impl TickerRow {
    /// Change since the window opened, in the symbol's digits.
    pub(super) fn change(&self, instrument: &Instrument) -> impl core::fmt::Display + use<> {
        format_units(self.last.minus(self.open).into(), instrument.price_scale)
    }

    /// Change in percent with three digits.
    pub(super) fn change_percent(&self) -> impl core::fmt::Display + use<> {
        let open = i128::from(self.open.units()).max(1);
        format_units(i128::from(self.last.minus(self.open)) * 100_000 / open, 3)
    }

    /// The average with at least the symbol's digits.
    pub(super) fn average(&self, instrument: &Instrument) -> impl core::fmt::Display + use<> {
        short(self.average.units().into(), usize::from(instrument.price_scale))
    }
}

/// Writes one symbol of `ticker/24hr`.
pub fn write_ticker_24h(out: &mut String, instrument: &Instrument, ticker: &TickerRow) {
    Object::new(out)
        .quoted("symbol", instrument.symbol)
        .quoted("priceChange", ticker.change(instrument))
        .quoted("priceChangePercent", ticker.change_percent())
        .quoted("weightedAvgPrice", ticker.average(instrument))
        .quoted("lastPrice", instrument.show_price(ticker.last))
        .quoted("lastQty", instrument.show_qty(ticker.last_qty))
        .quoted("openPrice", instrument.show_price(ticker.open))
        .quoted("highPrice", instrument.show_price(ticker.high))
        .quoted("lowPrice", instrument.show_price(ticker.low))
        .quoted("volume", instrument.show_qty(ticker.volume))
        .quoted("quoteVolume", notional_text(instrument, ticker.turnover))
        .bare("openTime", ticker.open_ms)
        .bare("closeTime", ticker.close_ms)
        .bare("firstId", ticker.first_id)
        .bare("lastId", ticker.last_id)
        .bare("count", ticker.trades)
        .end();
}

/// A funding rate with eight digits.
pub(super) fn rate_text(rate: Option<Bps>) -> impl core::fmt::Display {
    format_units(i128::from(rate.unwrap_or_default().ppm()) * 100, 8)
}

/// Writes one symbol of `premiumIndex`.
pub fn write_premium_index(out: &mut String, symbol: Symbol, mark: &MarkPrice) {
    Object::new(out)
        .quoted("symbol", symbol)
        .quoted("markPrice", money(mark.mark.units().into()))
        .quoted("indexPrice", money(mark.index.units().into()))
        .quoted("estimatedSettlePrice", money(mark.index.units().into()))
        .quoted("lastFundingRate", rate_text(mark.funding))
        .quoted("interestRate", "0.00010000")
        .bare("nextFundingTime", mark.next_funding.millis())
        .bare("time", mark.time.millis())
        .end();
}

/// A funding that was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FundingRow {
    /// The contract.
    pub symbol: Symbol,
    /// When, in milliseconds.
    pub time_ms: u64,
    /// The rate.
    pub rate: Bps,
    /// The mark price it went by.
    pub mark: RefPrice,
}

/// Writes `fundingRate`.
pub fn write_funding(out: &mut String, rows: impl Iterator<Item = FundingRow>) {
    let mut list = List::new(out);
    for row in rows {
        list.item(|out| {
            Object::new(out)
                .quoted("symbol", row.symbol)
                .bare("fundingTime", row.time_ms)
                .quoted("fundingRate", rate_text(Some(row.rate)))
                .quoted("markPrice", money(row.mark.units().into()))
                .end();
        });
    }
    list.end();
}

/// One bracket of position value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bracket {
    /// Where it ends, units of 1e-8.
    pub cap: i128,
    /// Largest leverage.
    pub leverage: u16,
    /// Maintenance margin as a share of the value.
    pub maintenance: Bps,
    /// What is taken off, units of 1e-8.
    pub deduction: i128,
}

/// Writes one symbol of `leverageBracket`.
pub fn write_brackets(out: &mut String, symbol: Symbol, brackets: impl Iterator<Item = Bracket>) {
    let mut floor = 0;
    Object::new(out)
        .quoted("symbol", symbol)
        .with("brackets", |out| {
            let mut list = List::new(out);
            for (at, bracket) in brackets.enumerate() {
                list.item(|out| {
                    Object::new(out)
                        .bare("bracket", at + 1)
                        .bare("initialLeverage", bracket.leverage)
                        .bare("notionalCap", short(bracket.cap, 0))
                        .bare("notionalFloor", short(floor, 0))
                        .bare("maintMarginRatio", short_scaled(bracket.maintenance.ppm().into(), 6, 0))
                        .bare("cum", short(bracket.deduction, 1))
                        .end();
                });
                floor = bracket.cap;
            }
            list.end();
        })
        .end();
}
