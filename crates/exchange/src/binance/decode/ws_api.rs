//! Answers of the WebSocket-API: an envelope around the same bodies as REST.

use super::commands::{ReplyId, read_id};
use crate::binance::error::{ApiError, ErrorBody};
use crate::binance::wire::{DecodeError, Limited, MaybeUint, Uint, parse, parse_list};
use arrayvec::ArrayVec;
use core::time::Duration;
use plimsoll_market::Time;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LimitKind {
    /// Weight of requests, by address.
    RequestWeight,
    /// Orders, by account.
    Orders,
    /// Requests, by address.
    RawRequests,
}

/// A limit of the exchange, with its use where told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// What it counts.
    pub kind: LimitKind,
    /// Over how long.
    pub interval: Duration,
    /// How much is allowed.
    pub limit: u32,
    /// How much is used; `None` where not told.
    pub count: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireLimit<'a> {
    rate_limit_type: &'a str,
    interval: &'a str,
    interval_num: Uint,
    limit: Uint,
    #[serde(default)]
    count: MaybeUint,
}

/// Reads a limit; `None` for a kind or unit that this build does not know.
pub(super) fn read_limit(wire: &WireLimit<'_>) -> Option<RateLimit> {
    let kind = match wire.rate_limit_type {
        "REQUEST_WEIGHT" => LimitKind::RequestWeight,
        "ORDERS" => LimitKind::Orders,
        "RAW_REQUESTS" => LimitKind::RawRequests,
        _ => return None,
    };
    let unit = match wire.interval {
        "SECOND" => 1,
        "MINUTE" => 60,
        "HOUR" => 3_600,
        "DAY" => 86_400,
        _ => return None,
    };
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Some(RateLimit {
        kind,
        interval: Duration::from_secs(wire.interval_num.0.checked_mul(unit)?),
        limit: narrow(wire.limit.0),
        count: wire.count.0.map(narrow),
    })
}

/// Reads the account's order limits (`rateLimit/order`).
///
/// # Errors
/// A malformed body.
pub fn order_limits(body: &[u8]) -> Result<Vec<RateLimit>, DecodeError> {
    let wire: Limited<WireLimit<'_>, 16> = parse_list("rateLimit/order", body)?;
    Ok(wire.0.iter().filter_map(read_limit).collect())
}

/// An answer of the WebSocket-API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WsApiReply<'a> {
    /// The request's id.
    pub id: ReplyId,
    /// The status, as HTTP counts.
    pub status: u16,
    /// The body, to be read by the function for the same REST reply; or why the request failed.
    pub result: Result<&'a [u8], ApiError>,
    /// The limits touched, with their use.
    pub limits: ArrayVec<RateLimit, 8>,
}

/// Reads an answer of the WebSocket-API.
///
/// # Errors
/// Anything that is not `{"id","status","result"|"error"}`.
pub fn ws_api_reply(bytes: &[u8]) -> Result<WsApiReply<'_>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        status: Uint,
        #[serde(borrow, default)]
        result: Option<&'a RawValue>,
        #[serde(borrow, default)]
        error: Option<WireError<'a>>,
        #[serde(borrow, default)]
        rate_limits: Limited<WireLimit<'a>, 16>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireError<'a> {
        #[serde(flatten, borrow)]
        body: ErrorBody<'a>,
        #[serde(default)]
        data: Option<WireWait>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireWait {
        #[serde(default)]
        retry_after: MaybeUint,
        #[serde(default)]
        server_time: MaybeUint,
    }
    let wire: Wire<'_> = parse("answer of the WebSocket-API", bytes)?;
    let status = u16::try_from(wire.status.0).unwrap_or(u16::MAX);
    let result = match (wire.error, wire.result) {
        (Some(error), _) => {
            // Here the wait is told as an instant, not as a span.
            let span = |d: WireWait| {
                let until = Time::from_millis(d.retry_after.0?);
                Some(until.since(Time::from_millis(d.server_time.0?)))
            };
            Err(ApiError::new(status, error.body.code.0, error.data.and_then(span), &error.body.msg))
        }
        (None, Some(result)) => Ok(result.get().as_bytes()),
        (None, None) => return Err(DecodeError::Shape { what: "answer of the WebSocket-API has neither result nor error" }),
    };
    let limits = wire.rate_limits.0.iter().filter_map(read_limit).take(8).collect();
    Ok(WsApiReply { id: read_id(wire.id), status, result, limits })
}
