//! From the venue's words to the protocol's.

use plimsoll_exchange::binance::server as wire;
use plimsoll_market::{Amount, Candle, Instrument, PositionSide, Time, Trade};
use plimsoll_sim::venue as sim;

pub(crate) fn order<'a>(instrument: &'a Instrument, row: &'a sim::OrderRow) -> wire::OrderRow<'a> {
    wire::OrderRow {
        instrument,
        order_id: row.order_id,
        client_id: &row.client_id,
        side: row.side,
        position_side: PositionSide::Both,
        kind: row.kind,
        tif: tif(row.tif),
        price: row.price,
        qty: row.qty,
        filled: row.filled,
        cost: row.cost,
        status: row.status,
        in_match: row.in_match,
        reduce_only: row.reduce_only,
        self_trade: self_trade(row.self_trade),
        time_ms: row.created.millis(),
        updated_ms: row.updated.millis(),
    }
}

const fn tif(tif: sim::Tif) -> wire::Tif {
    match tif {
        sim::Tif::Gtc => wire::Tif::Gtc,
        sim::Tif::Ioc => wire::Tif::Ioc,
        sim::Tif::Fok => wire::Tif::Fok,
        sim::Tif::Gtx => wire::Tif::Gtx,
        sim::Tif::Gtd(until) => wire::Tif::Gtd(until.millis()),
    }
}

const fn self_trade(mode: sim::SelfTrade) -> wire::SelfTrade {
    match mode {
        sim::SelfTrade::None => wire::SelfTrade::None,
        sim::SelfTrade::ExpireTaker => wire::SelfTrade::ExpireTaker,
        sim::SelfTrade::ExpireMaker => wire::SelfTrade::ExpireMaker,
        sim::SelfTrade::ExpireBoth => wire::SelfTrade::ExpireBoth,
    }
}

pub(crate) fn new_order(order: &wire::NewOrder) -> sim::NewOrder {
    sim::NewOrder {
        symbol: order.symbol,
        client_id: order.client_id,
        side: order.side,
        kind: order.kind,
        tif: match order.tif {
            wire::Tif::Gtc => sim::Tif::Gtc,
            wire::Tif::Ioc => sim::Tif::Ioc,
            wire::Tif::Fok => sim::Tif::Fok,
            wire::Tif::Gtx => sim::Tif::Gtx,
            wire::Tif::Gtd(until_ms) => sim::Tif::Gtd(Time::from_millis(until_ms)),
        },
        price: order.price,
        qty: order.qty,
        reduce_only: order.reduce_only,
        self_trade: match order.self_trade {
            wire::SelfTrade::None => sim::SelfTrade::None,
            wire::SelfTrade::ExpireTaker => sim::SelfTrade::ExpireTaker,
            wire::SelfTrade::ExpireMaker => sim::SelfTrade::ExpireMaker,
            wire::SelfTrade::ExpireBoth => sim::SelfTrade::ExpireBoth,
        },
    }
}

pub(crate) const fn order_ref(target: wire::CancelTarget) -> sim::OrderRef {
    match target {
        wire::CancelTarget::OrderId(id) => sim::OrderRef::Id(id),
        wire::CancelTarget::ClientId(text) => sim::OrderRef::Client(text),
    }
}

/// The exchange's own coin, in which fees may be paid.
pub(crate) fn coin(instrument: &Instrument) -> plimsoll_market::Asset {
    plimsoll_market::Asset::new(plimsoll_sim::limits::COIN).unwrap_or(instrument.quote)
}

pub(crate) fn fill<'a>(instrument: &'a Instrument, row: &sim::TradeRow) -> wire::TradeRow<'a> {
    wire::TradeRow {
        instrument,
        id: row.trade_id,
        order_id: row.order_id,
        side: row.side,
        position_side: PositionSide::Both,
        price: row.price,
        qty: row.qty,
        fee: Amount::new(if row.in_coin { coin(instrument) } else { instrument.quote }, row.commission),
        realized: row.realized,
        maker: row.maker,
        time_ms: row.time.millis(),
    }
}

pub(crate) fn position<'a>(instrument: &'a Instrument, row: &sim::PositionRow) -> wire::PositionRow<'a> {
    wire::PositionRow {
        instrument,
        side: PositionSide::Both,
        holding: row.holding,
        entry: row.entry,
        break_even: row.break_even,
        mark: row.mark,
        unrealized: row.unrealized,
        notional: row.notional,
        position_margin: row.initial_margin - row.order_margin,
        order_margin: row.order_margin,
        maintenance: row.maintenance,
        liquidation: row.liquidation,
        leverage: row.leverage,
        notional_max: row.notional_max,
        isolated: row.margin == sim::MarginType::Isolated,
        updated_ms: row.updated.millis(),
    }
}

/// A wallet that nothing has touched changed when it was filled: clients skip one that says that it never did.
pub(crate) fn balance(asset: plimsoll_market::Asset, row: &sim::BalanceRow, opened: Time) -> wire::BalanceRow {
    wire::BalanceRow {
        asset,
        wallet: row.wallet,
        coin: plimsoll_market::Asset::new(plimsoll_sim::limits::COIN).ok().map(|asset| Amount::new(asset, row.coin)),
        unrealized: row.unrealized,
        position_margin: row.position_margin,
        order_margin: row.order_margin,
        maintenance: row.maintenance,
        available: row.available,
        updated_ms: if row.updated == Time::ZERO { opened.millis() } else { row.updated.millis() },
    }
}

pub(crate) fn trade(trade: &Trade) -> wire::MarketTrade {
    let id = trade.id.0;
    wire::MarketTrade { id, price: trade.price, qty: trade.qty, first: id, last: id, taker: trade.taker, time_ms: trade.time.millis() }
}

pub(crate) fn agg_trade(trade: &sim::AggTrade) -> wire::MarketTrade {
    wire::MarketTrade {
        id: trade.id,
        price: trade.price,
        qty: trade.qty,
        first: trade.first,
        last: trade.last,
        taker: trade.taker,
        time_ms: trade.time.millis(),
    }
}

pub(crate) fn ticker(row: &sim::Ticker) -> wire::TickerRow {
    wire::TickerRow {
        open: row.open,
        high: row.high,
        low: row.low,
        last: row.last,
        last_qty: row.last_qty,
        volume: row.volume,
        turnover: row.turnover,
        average: row.average,
        trades: row.trades,
        first_id: row.first_id,
        last_id: row.last_id,
        open_ms: row.open_time.millis(),
        close_ms: row.close_time.millis(),
    }
}

pub(crate) fn kline(interval: wire::Interval, candle: Candle) -> wire::KlineRow {
    wire::KlineRow { candle, close_ms: interval.end_ms(candle.open_time.millis()) - 1 }
}

pub(crate) fn refused(error: &plimsoll_sim::VenueError) -> wire::ApiError {
    wire::ApiError::refused(error.code(), error.to_string())
}
