//! Events of the streams, raw; [`super::write_wrapped`] puts the stream's name around one.

use plimsoll_market::{Amount, Instrument, Level, LevelChange, MarkPrice, Notional, Side, Symbol, Top, format_units};

use super::account::PositionRow;
use super::json::{List, Object, money, put, short};
use super::market::{KlineRow, MarketTrade, TickerRow, rate_text, write_levels};
use super::orders::{OrderRow, TradeRow, kind_word, position_side_word, side_word};
use super::stream::Interval;

/// Puts a stream's name around an event.
pub fn write_wrapped(out: &mut String, stream: &str, event: &str) {
    Object::new(out).text("stream", stream).bare("data", event).end();
}

/// Writes `bookTicker`.
pub fn write_book_ticker(out: &mut String, instrument: &Instrument, update_id: u64, top: &Top, now_ms: u64) {
    Object::new(out)
        .quoted("e", "bookTicker")
        .bare("u", update_id)
        .quoted("s", instrument.symbol)
        .quoted("b", instrument.show_price(top.bid))
        .quoted("B", instrument.show_qty(top.bid_qty))
        .quoted("a", instrument.show_price(top.ask))
        .quoted("A", instrument.show_qty(top.ask_qty))
        .bare("T", top.time.millis())
        .bare("E", now_ms)
        .end();
}

/// The ids and times of a `depthUpdate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DepthIds {
    /// First update in it.
    pub first: u64,
    /// Last update in it.
    pub last: u64,
    /// Last update of the event before.
    pub previous: u64,
    /// When the last update happened, in milliseconds.
    pub time_ms: u64,
    /// When the event goes out, in milliseconds.
    pub now_ms: u64,
}

fn depth_head(object: &mut Object<'_>, symbol: Symbol, ids: &DepthIds) {
    object
        .quoted("e", "depthUpdate")
        .bare("E", ids.now_ms)
        .bare("T", ids.time_ms)
        .quoted("s", symbol)
        .bare("U", ids.first)
        .bare("u", ids.last)
        .bare("pu", ids.previous);
}

/// Writes changed levels as `depthUpdate`.
pub fn write_depth_update(out: &mut String, instrument: &Instrument, ids: &DepthIds, changes: &[LevelChange]) {
    let side = |wanted: Side| changes.iter().filter(move |change| change.side == wanted).map(|change| &change.level);
    let mut object = Object::new(out);
    depth_head(&mut object, instrument.symbol, ids);
    object
        .with("b", |out| write_levels(out, instrument, side(Side::Buy)))
        .with("a", |out| write_levels(out, instrument, side(Side::Sell)))
        .end();
}

/// Writes the first levels of a book as `depthUpdate`, as the streams of 5, 10 and 20 levels carry it.
pub fn write_partial_depth(out: &mut String, instrument: &Instrument, ids: &DepthIds, bids: &[Level], asks: &[Level]) {
    let mut object = Object::new(out);
    depth_head(&mut object, instrument.symbol, ids);
    object.with("b", |out| write_levels(out, instrument, bids.iter())).with("a", |out| write_levels(out, instrument, asks.iter())).end();
}

/// Writes `trade`.
pub fn write_trade(out: &mut String, instrument: &Instrument, trade: &MarketTrade, now_ms: u64) {
    Object::new(out)
        .quoted("e", "trade")
        .bare("E", now_ms)
        .bare("T", trade.time_ms)
        .quoted("s", instrument.symbol)
        .bare("t", trade.id)
        .quoted("p", instrument.show_price(trade.price))
        .quoted("q", instrument.show_qty(trade.qty))
        .quoted("X", "MARKET")
        .bare("m", trade.taker == Side::Sell)
        .end();
}

/// Writes `aggTrade`.
pub fn write_agg_trade(out: &mut String, instrument: &Instrument, trade: &MarketTrade, now_ms: u64) {
    Object::new(out)
        .quoted("e", "aggTrade")
        .bare("E", now_ms)
        .bare("a", trade.id)
        .quoted("s", instrument.symbol)
        .quoted("p", instrument.show_price(trade.price))
        .quoted("q", instrument.show_qty(trade.qty))
        .bare("f", trade.first)
        .bare("l", trade.last)
        .bare("T", trade.time_ms)
        .bare("m", trade.taker == Side::Sell)
        .end();
}

/// Writes `kline`; `closed` says that the candle is final.
pub fn write_kline_event(out: &mut String, instrument: &Instrument, interval: Interval, row: &KlineRow, closed: bool, now_ms: u64) {
    let candle = &row.candle;
    let scale = instrument.price_scale + instrument.qty_scale;
    Object::new(out)
        .quoted("e", "kline")
        .bare("E", now_ms)
        .quoted("s", instrument.symbol)
        .with("k", |out| {
            Object::new(out)
                .bare("t", candle.open_time.millis())
                .bare("T", row.close_ms)
                .quoted("s", instrument.symbol)
                .quoted("i", interval.as_str())
                // The ids of its first and last trade are not kept; the exchange itself writes -1 when it has none.
                .bare("f", -1)
                .bare("L", -1)
                .quoted("o", instrument.show_price(candle.open))
                .quoted("c", instrument.show_price(candle.close))
                .quoted("h", instrument.show_price(candle.high))
                .quoted("l", instrument.show_price(candle.low))
                .quoted("v", instrument.show_qty(candle.volume))
                .bare("n", candle.trades)
                .bare("x", closed)
                .quoted("q", format_units(candle.turnover.units(), scale))
                .quoted("V", instrument.show_qty(candle.taker_buy))
                .quoted("Q", format_units(row.taker_turnover().units(), scale))
                .quoted("B", "0")
                .end();
        })
        .end();
}

/// Writes `markPriceUpdate`.
pub fn write_mark_price(out: &mut String, symbol: Symbol, mark: &MarkPrice, now_ms: u64) {
    Object::new(out)
        .quoted("e", "markPriceUpdate")
        .bare("E", now_ms)
        .quoted("s", symbol)
        .quoted("p", money(mark.mark.units().into()))
        .quoted("P", money(mark.index.units().into()))
        .quoted("i", money(mark.index.units().into()))
        .quoted("r", rate_text(mark.funding))
        .bare("T", mark.next_funding.millis())
        .end();
}

/// Writes `24hrTicker`.
pub fn write_ticker_event(out: &mut String, instrument: &Instrument, ticker: &TickerRow, now_ms: u64) {
    let scale = instrument.price_scale + instrument.qty_scale;
    Object::new(out)
        .quoted("e", "24hrTicker")
        .bare("E", now_ms)
        .quoted("s", instrument.symbol)
        .quoted("p", ticker.change(instrument))
        .quoted("P", ticker.change_percent())
        .quoted("w", ticker.average(instrument))
        .quoted("c", instrument.show_price(ticker.last))
        .quoted("Q", instrument.show_qty(ticker.last_qty))
        .quoted("o", instrument.show_price(ticker.open))
        .quoted("h", instrument.show_price(ticker.high))
        .quoted("l", instrument.show_price(ticker.low))
        .quoted("v", instrument.show_qty(ticker.volume))
        .quoted("q", format_units(ticker.turnover.units(), scale))
        .bare("O", ticker.open_ms)
        .bare("C", ticker.close_ms)
        .bare("F", ticker.first_id)
        .bare("L", ticker.last_id)
        .bare("n", ticker.trades)
        .end();
}

/// Writes `24hrMiniTicker`.
pub fn write_mini_ticker(out: &mut String, instrument: &Instrument, ticker: &TickerRow, now_ms: u64) {
    let scale = instrument.price_scale + instrument.qty_scale;
    Object::new(out)
        .quoted("e", "24hrMiniTicker")
        .bare("E", now_ms)
        .quoted("s", instrument.symbol)
        .quoted("c", instrument.show_price(ticker.last))
        .quoted("o", instrument.show_price(ticker.open))
        .quoted("h", instrument.show_price(ticker.high))
        .quoted("l", instrument.show_price(ticker.low))
        .quoted("v", instrument.show_qty(ticker.volume))
        .quoted("q", format_units(ticker.turnover.units(), scale))
        .end();
}

/// A change of an order as its owner is told.
#[derive(Clone, Copy, Debug)]
pub struct OrderEvent<'a> {
    /// The order after the change.
    pub order: OrderRow<'a>,
    /// The exchange's word for why it is told: `NEW`, `TRADE`, `CANCELED`, `EXPIRED`, `AMENDMENT`, `CALCULATED`.
    pub execution: &'a str,
    /// The execution, when there was one.
    pub fill: Option<TradeRow<'a>>,
    /// Value of the account's open buy orders on the symbol.
    pub bids: Notional,
    /// Value of its open sell orders.
    pub asks: Notional,
    /// When it goes out, in milliseconds.
    pub now_ms: u64,
}

/// Writes `ORDER_TRADE_UPDATE`.
pub fn write_order_update(out: &mut String, event: &OrderEvent<'_>) {
    let (order, instrument) = (&event.order, event.order.instrument);
    let scale = instrument.price_scale + instrument.qty_scale;
    let zero_qty = plimsoll_market::Qty::ZERO;
    let (last_qty, last_price) = event.fill.map_or((zero_qty, plimsoll_market::Price::ZERO), |fill| (fill.qty, fill.price));
    Object::new(out)
        .quoted("e", "ORDER_TRADE_UPDATE")
        .bare("T", order.updated_ms)
        .bare("E", event.now_ms)
        .with("o", |out| {
            let mut o = Object::new(out);
            o.quoted("s", instrument.symbol)
                .text("c", order.client_id)
                .quoted("S", side_word(order.side))
                .quoted("o", kind_word(order.kind))
                .quoted("f", order.tif.as_str())
                .quoted("q", instrument.show_qty(order.qty))
                .quoted("p", instrument.show_price(order.price))
                .quoted("ap", order.average())
                .quoted("sp", "0")
                .quoted("x", event.execution)
                .quoted("X", order.status())
                .bare("i", order.order_id)
                .quoted("l", instrument.show_qty(last_qty))
                .quoted("z", instrument.show_qty(order.filled))
                .quoted("L", instrument.show_price(last_price));
            if let Some(fill) = event.fill {
                o.quoted("n", money(fill.fee.units)).quoted("N", fill.fee.asset);
            }
            o.bare("T", order.updated_ms)
                .bare("t", event.fill.map_or(0, |fill| fill.id))
                .quoted("b", format_units(event.bids.units(), scale))
                .quoted("a", format_units(event.asks.units(), scale))
                .bare("m", event.fill.is_some_and(|fill| fill.maker))
                .bare("R", order.reduce_only)
                .quoted("wt", "CONTRACT_PRICE")
                .quoted("ot", kind_word(order.kind))
                .quoted("ps", position_side_word(order.position_side))
                .bare("cp", false)
                .quoted("rp", money(event.fill.map_or(0, |fill| fill.realized)))
                .bare("pP", false)
                .bare("si", 0)
                .bare("ss", 0)
                .quoted("V", order.self_trade.as_str())
                .quoted("pm", "NONE")
                .bare("gtd", order.tif.good_till_ms())
                .end();
        })
        .end();
}

/// Writes `TRADE_LITE`.
pub fn write_trade_lite(out: &mut String, order: &OrderRow<'_>, fill: &TradeRow<'_>, now_ms: u64) {
    let instrument = order.instrument;
    Object::new(out)
        .quoted("e", "TRADE_LITE")
        .bare("E", now_ms)
        .bare("T", fill.time_ms)
        .quoted("s", instrument.symbol)
        .quoted("q", instrument.show_qty(order.qty))
        .quoted("p", instrument.show_price(order.price))
        .bare("m", fill.maker)
        .text("c", order.client_id)
        .quoted("S", side_word(order.side))
        .quoted("L", instrument.show_price(fill.price))
        .quoted("l", instrument.show_qty(fill.qty))
        .bare("t", fill.id)
        .bare("i", fill.order_id)
        .end();
}

/// A change of balance and position as the owner is told.
#[derive(Clone, Copy, Debug)]
pub struct AccountUpdate<'a> {
    /// The exchange's word for why: `ORDER`, `FUNDING_FEE` …
    pub reason: &'a str,
    /// The wallet after it.
    pub wallet: Amount,
    /// Change of the wallet that is neither profit nor commission, units of 1e-8.
    pub change: i128,
    /// The position that changed, with what it realised so far in units of 1e-8.
    pub position: Option<(PositionRow<'a>, i128)>,
    /// When it happened, in milliseconds.
    pub time_ms: u64,
    /// When it goes out, in milliseconds.
    pub now_ms: u64,
}

/// Writes `ACCOUNT_UPDATE`.
pub fn write_account_update(out: &mut String, update: &AccountUpdate<'_>) {
    Object::new(out)
        .quoted("e", "ACCOUNT_UPDATE")
        .bare("T", update.time_ms)
        .bare("E", update.now_ms)
        .with("a", |out| {
            Object::new(out)
                .quoted("m", update.reason)
                .with("B", |out| {
                    let wallet = money(update.wallet.units);
                    let (asset, change) = (update.wallet.asset, money(update.change));
                    put(out, format_args!("[{{\"a\":\"{asset}\",\"wb\":\"{wallet}\",\"cw\":\"{wallet}\",\"bc\":\"{change}\"}}]"));
                })
                .with("P", |out| {
                    let mut list = List::new(out);
                    if let Some((position, realized)) = &update.position {
                        list.item(|out| write_event_position(out, position, *realized));
                    }
                    list.end();
                })
                .end();
        })
        .end();
}

fn write_event_position(out: &mut String, position: &PositionRow<'_>, realized: i128) {
    let digits = usize::from(position.instrument.price_scale);
    Object::new(out)
        .quoted("s", position.instrument.symbol)
        .quoted("pa", position.instrument.show_holding(position.holding))
        .quoted("ep", short(position.entry.units().into(), digits))
        .quoted("bep", short(position.break_even.units().into(), digits))
        .quoted("cr", money(realized))
        .quoted("up", money(position.unrealized))
        .quoted("mt", if position.isolated { "isolated" } else { "cross" })
        .quoted("iw", money(if position.isolated { position.position_margin } else { 0 }))
        .quoted("ps", position_side_word(position.side))
        .end();
}

/// Writes `ACCOUNT_CONFIG_UPDATE` for a changed leverage.
pub fn write_leverage_update(out: &mut String, symbol: Symbol, leverage: u16, time_ms: u64, now_ms: u64) {
    Object::new(out)
        .quoted("e", "ACCOUNT_CONFIG_UPDATE")
        .bare("E", now_ms)
        .bare("T", time_ms)
        .with("ac", |out| Object::new(out).quoted("s", symbol).bare("l", leverage).end())
        .end();
}

/// Writes `ACCOUNT_CONFIG_UPDATE` for a changed asset mode.
pub fn write_assets_mode_update(out: &mut String, multi_assets: bool, now_ms: u64) {
    Object::new(out)
        .quoted("e", "ACCOUNT_CONFIG_UPDATE")
        .bare("E", now_ms)
        .bare("T", now_ms)
        .with("ai", |out| Object::new(out).bare("j", multi_assets).end())
        .end();
}

/// Writes `MARGIN_CALL`.
pub fn write_margin_call(out: &mut String, wallet: i128, position: &PositionRow<'_>, now_ms: u64) {
    let side = if position.holding.units() < 0 { "SHORT" } else { "LONG" };
    Object::new(out)
        .quoted("e", "MARGIN_CALL")
        .bare("E", now_ms)
        .quoted("cw", money(wallet))
        .with("p", |out| {
            List::new(out)
                .item(|out| {
                    Object::new(out)
                        .quoted("s", position.instrument.symbol)
                        .quoted("ps", side)
                        .quoted("pa", position.instrument.show_holding(position.holding))
                        .quoted("mt", if position.isolated { "ISOLATED" } else { "CROSSED" })
                        .quoted("iw", money(if position.isolated { position.position_margin } else { 0 }))
                        .quoted("mp", money(position.mark.units().into()))
                        .quoted("up", money(position.unrealized))
                        .quoted("mm", money(position.maintenance))
                        .end();
                })
                .end();
        })
        .end();
}

/// Writes `listenKeyExpired`.
pub fn write_listen_key_expired(out: &mut String, key: &str, now_ms: u64) {
    Object::new(out).quoted("e", "listenKeyExpired").bare("E", now_ms).text("listenKey", key).end();
}
