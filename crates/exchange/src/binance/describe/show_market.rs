use super::report::{Exact, Report, When, limit_text, money, reference};
use super::show_stream::{mark, ticker};
use super::{Context, Kind};
use crate::binance::decode as d;
use crate::binance::wire::DecodeError;
use crate::limits::DESCRIBE_ROWS_MAX;
use plimsoll_market::{Candle, Instrument, Trading};
use serde_json::Value;

pub(super) fn show(report: &mut Report, context: &Context<'_>, kind: Kind, bytes: &[u8]) -> Result<Option<()>, DecodeError> {
    match kind {
        Kind::Time => {
            report.title("time");
            report.field("time", When(d::server_time(bytes)?));
        }
        Kind::ExchangeInfo => exchange_info(report, bytes)?,
        Kind::Depth => {
            let snapshot = d::depth_snapshot(bytes, &context.scales)?;
            report.title("depth snapshot");
            report.field("update id", snapshot.last_id);
            report.field("time", When(snapshot.time));
            for (name, levels) in [("bids", &snapshot.bids), ("asks", &snapshot.asks)] {
                report.rows(name, levels, |l| format!("{} x {}", context.price(l.price), context.qty(l.qty)));
            }
        }
        Kind::Klines => {
            report.title("klines");
            report.rows("candles", &d::klines(bytes, &context.scales)?, |k| {
                format!("{} {}", When(k.candle.open_time), candle_text(context, &k.candle))
            });
        }
        Kind::AggTrades => {
            report.title("aggTrades");
            report.rows("trades", &d::agg_trades(bytes, &context.scales)?, |t| trade_text(context, t));
        }
        Kind::Trades => {
            report.title("trades");
            report.rows("trades", &d::trades(bytes, &context.scales)?, |t| trade_text(context, &t.trade));
        }
        Kind::Ticker24h => {
            for figures in d::tickers(bytes, &context.instruments)?.items.iter().take(DESCRIBE_ROWS_MAX) {
                ticker(report, context, figures);
            }
        }
        Kind::TickerPrice => {
            report.title("ticker/price");
            report.rows("prices", &d::price_tickers(bytes, &context.instruments)?.items, |p| {
                format!("{} {} {}", context.name(p.symbol), reference(p.price), When(p.time))
            });
        }
        Kind::TickerBook => {
            report.title("ticker/bookTicker");
            report.rows("tops", &d::book_tickers(bytes, &context.instruments)?.items, |b| {
                let top = &b.top;
                format!(
                    "{} bid {} x {} ask {} x {} update {} {}",
                    context.name(b.symbol),
                    context.price(top.bid),
                    context.qty(top.bid_qty),
                    context.price(top.ask),
                    context.qty(top.ask_qty),
                    b.update_id,
                    When(top.time)
                )
            });
        }
        Kind::PremiumIndex => {
            for price in d::premium_index(bytes, &context.instruments)?.items.iter().take(DESCRIBE_ROWS_MAX) {
                mark(report, context, price);
            }
        }
        _ => return reference_data(report, kind, bytes),
    }
    Ok(Some(()))
}

fn reference_data(report: &mut Report, kind: Kind, bytes: &[u8]) -> Result<Option<()>, DecodeError> {
    match kind {
        Kind::FundingRate => {
            report.title("fundingRate");
            report.rows("rates", &d::funding_rates(bytes)?, |r| {
                let mark = r.mark.map_or(String::new(), |m| format!(" mark {}", reference(m)));
                format!("{} {}{mark} {}", r.symbol, money(i128::from(r.rate_e8)), When(r.time))
            });
        }
        Kind::FundingInfo => {
            report.title("fundingInfo");
            report.rows("symbols", &d::funding_infos(bytes)?, |i| {
                let (floor, cap) = (money(i128::from(i.floor_e8)), money(i128::from(i.cap_e8)));
                format!("{} every {} h from {floor} to {cap}", i.symbol, i.interval_hours)
            });
        }
        Kind::OpenInterest => {
            let open = d::open_interest(bytes)?;
            report.title("openInterest");
            report.field("symbol", open.symbol);
            report.field("quantity", money(open.qty_e8));
            report.field("time", When(open.time));
        }
        Kind::AssetIndex => {
            report.title("assetIndex");
            report.rows("pairs", &d::asset_indexes(bytes)?, |i| {
                format!("{} {} bid {} ask {} {}", i.symbol, reference(i.index), reference(i.bid), reference(i.ask), When(i.time))
            });
        }
        Kind::Statistic => {
            report.title("statistic");
            report.rows("points", &d::statistics(bytes)?, |p| {
                let part = |v: Option<i128>| v.map_or("-".to_owned(), |v| money(v).to_string());
                format!("{:?} {} parts {} {} {}", p.kind, money(p.value), part(p.first), part(p.second), When(p.time))
            });
        }
        _ => return Ok(None),
    }
    Ok(Some(()))
}

fn exchange_info(report: &mut Report, bytes: &[u8]) -> Result<(), DecodeError> {
    let info = d::exchange_info(bytes)?;
    report.title("exchangeInfo");
    report.field("time", When(info.server_time));
    report.rows("limits", &info.limits, limit_text);
    report.rows("contracts", &info.contracts, |c| {
        let i = &c.instrument;
        format!(
            "{} {:?} {} tick {} price {} to {} step {} quantity {} to {} market {} to {} least value {} mark x {} to {} orders {} kinds {:?} {:?} {}",
            i.symbol,
            c.kind,
            c.status,
            price(i, i.tick.units()),
            price(i, i.price_min.units()),
            price(i, i.price_max.units()),
            qty(i, i.step.units()),
            qty(i, i.qty_min.units()),
            qty(i, i.qty_max.units()),
            qty(i, i.market_qty_min.units()),
            qty(i, i.market_qty_max.units()),
            Exact(i.notional_min.units(), i.price_scale + i.qty_scale),
            Exact(i128::from(i.percent_down.0), 6),
            Exact(i128::from(i.percent_up.0), 6),
            i.orders_max,
            c.order_kinds.as_slice(),
            c.times_in_force.as_slice(),
            if i.trading == Trading::Open { "open" } else { "halted" }
        )
    });
    report.rows("left out", &info.skipped, |s| format!("{}: {}", s.symbol, s.reason));
    Ok(())
}

fn price(instrument: &Instrument, units: i64) -> Exact {
    Exact(i128::from(units), instrument.price_scale)
}

fn qty(instrument: &Instrument, units: u64) -> Exact {
    Exact(i128::from(units), instrument.qty_scale)
}

pub(super) fn candle_text(context: &Context<'_>, candle: &Candle) -> String {
    let [o, h, l, c] = [candle.open, candle.high, candle.low, candle.close].map(|p| context.price(p));
    format!(
        "open {o} high {h} low {l} close {c} volume {} turnover {} taker bought {} trades {}",
        context.qty(candle.volume),
        Exact(candle.turnover.units(), context.scales.price + context.scales.qty),
        context.qty(candle.taker_buy),
        candle.trades
    )
}

fn trade_text(context: &Context<'_>, trade: &plimsoll_market::Trade) -> String {
    format!("{} {} x {} taker {} {}", trade.id, context.price(trade.price), context.qty(trade.qty), trade.taker.as_str(), When(trade.time))
}

/// A message that is known and not used: its plain fields as they are.
pub(super) fn unused(report: &mut Report, kind: Kind, value: &Value) {
    report.title(format_args!("{kind}"));
    report.field("use", "none: the bot does not read it");
    let first = value.get(0).unwrap_or(value);
    let Value::Object(map) = first else { return };
    for (name, value) in map.iter().take(DESCRIBE_ROWS_MAX) {
        match value {
            Value::Array(list) => report.field(name, format_args!("{} elements", list.len())),
            Value::Object(inner) => report.field(name, format_args!("{} fields", inner.len())),
            plain => report.field(name, plain),
        }
    }
}
