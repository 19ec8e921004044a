//! The exchange's statistics (`/futures/data/*`) and other bodies that the bot shows but does not act on.

use crate::binance::wire::{Dec, DecodeError, Int, Limited, Reader, Uint, parse, parse_list};
use crate::limits::LIST_MAX;
use plimsoll_market::Time;
use serde::Deserialize;

/// What a statistic counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StatisticKind {
    /// Open interest, quantity and value.
    OpenInterest,
    /// Longs to shorts, of accounts or positions.
    LongShortRatio,
    /// What takers bought and sold.
    TakerVolume,
    /// Futures price against index.
    Basis,
    /// Delivery prices of the past.
    DeliveryPrice,
}

/// One point of a statistic: a time and up to three numbers at 1e-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statistic {
    /// What is counted.
    pub kind: StatisticKind,
    /// The main figure: open quantity, ratio, buy-to-sell ratio, basis, delivery price.
    pub value: i128,
    /// The figure's first part: value of the open interest, longs, bought, futures price.
    pub first: Option<i128>,
    /// The figure's second part: shorts, sold, index price.
    pub second: Option<i128>,
    /// The point's time.
    pub time: Time,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default)]
    sum_open_interest: Dec<'a>,
    #[serde(default)]
    sum_open_interest_value: Dec<'a>,
    #[serde(default)]
    long_short_ratio: Dec<'a>,
    #[serde(default)]
    long_account: Dec<'a>,
    #[serde(default)]
    short_account: Dec<'a>,
    #[serde(default)]
    buy_sell_ratio: Dec<'a>,
    #[serde(default)]
    buy_vol: Dec<'a>,
    #[serde(default)]
    sell_vol: Dec<'a>,
    #[serde(default)]
    basis: Dec<'a>,
    #[serde(default)]
    futures_price: Dec<'a>,
    #[serde(default)]
    index_price: Dec<'a>,
    #[serde(default)]
    delivery_price: Dec<'a>,
    #[serde(default, alias = "deliveryTime")]
    timestamp: Option<Uint>,
}

/// Reads any of the `/futures/data/*` lists.
///
/// # Errors
/// A malformed body, or points that are of no known statistic.
pub fn statistics(body: &[u8]) -> Result<Vec<Statistic>, DecodeError> {
    let reader = Reader { message: "statistic" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        let (kind, value, first, second) = if !w.sum_open_interest.is_empty() {
            (StatisticKind::OpenInterest, w.sum_open_interest, w.sum_open_interest_value, Dec(""))
        } else if !w.long_short_ratio.is_empty() {
            (StatisticKind::LongShortRatio, w.long_short_ratio, w.long_account, w.short_account)
        } else if !w.buy_sell_ratio.is_empty() {
            (StatisticKind::TakerVolume, w.buy_sell_ratio, w.buy_vol, w.sell_vol)
        } else if !w.basis.is_empty() {
            (StatisticKind::Basis, w.basis, w.futures_price, w.index_price)
        } else if !w.delivery_price.is_empty() {
            (StatisticKind::DeliveryPrice, w.delivery_price, Dec(""), Dec(""))
        } else {
            return Err(DecodeError::Shape { what: "list is of no known statistic" });
        };
        Ok(Statistic {
            kind,
            value: reader.money("value", value)?,
            first: reader.maybe_money("first part", first)?,
            second: reader.maybe_money("second part", second)?,
            time: w.timestamp.ok_or(reader.missing("timestamp"))?.time(),
        })
    };
    wire.0.iter().map(read).collect()
}

/// The answer to cancelling a conditional order, when it is only confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlgoCanceled {
    /// The service's id of it.
    pub algo_id: u64,
    /// Whether it is done.
    pub done: bool,
}

/// Reads the short answer to `DELETE algoOrder`.
///
/// # Errors
/// A malformed body.
pub fn algo_canceled(body: &[u8]) -> Result<AlgoCanceled, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        algo_id: Uint,
        code: Int,
    }
    let wire: Wire = parse("algoOrder", body)?;
    Ok(AlgoCanceled { algo_id: wire.algo_id.0, done: wire.code.0 == 200 })
}
