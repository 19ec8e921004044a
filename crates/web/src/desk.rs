//! Answers about what trades, what guards it, and what carries it; and lists over all symbols, as JSON or CSV.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use plimsoll_market::{OrderStatus, Side, Symbol, Time};
use serde::{Deserialize, Serialize};

use crate::dto::{CandlesDto, DiskDto, GuardsDto, JournalDto, RatesDto, StrategiesDto, StreamsDto};
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::limits::{CANDLES_DEFAULT, CANDLES_MAX, EARNED_FOR};
use crate::ports::{CandleLength, Page, PageRequest, RowsWanted};
use crate::routes::{Answer, App, PageQuery, Turn, in_pieces, number, written};
use crate::when;

/// `?symbol=BTCUSDT&status=filled&side=buy&since=INSTANT&until=INSTANT&limit=100&before=CURSOR`.
#[derive(Deserialize)]
pub(crate) struct RowsQuery {
    symbol: Option<String>,
    status: Option<String>,
    side: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
    before: Option<String>,
}

const STATUSES: [OrderStatus; 6] = [
    OrderStatus::New,
    OrderStatus::PartiallyFilled,
    OrderStatus::Filled,
    OrderStatus::Canceled,
    OrderStatus::Expired,
    OrderStatus::Rejected,
];

impl RowsQuery {
    fn wanted(self) -> Result<RowsWanted, ApiError> {
        let Self { symbol, status, side, since, until, limit, before } = self;
        let symbol =
            symbol.map(|text| Symbol::new(&text).map_err(|_| ApiError::bad_query("symbol", &text, "a contract's name"))).transpose()?;
        let parse = |text: String| {
            let found = STATUSES.into_iter().find(|status| status.as_str() == text);
            found.ok_or_else(|| ApiError::bad_query("status", &text, "one of new, partially_filled, filled, canceled, expired, rejected"))
        };
        let status = status.map(parse).transpose()?;
        let parse = |text: String| {
            let found = [Side::Buy, Side::Sell].into_iter().find(|side| side.as_str() == text);
            found.ok_or_else(|| ApiError::bad_query("side", &text, "buy or sell"))
        };
        let side = side.map(parse).transpose()?;
        let instant = |key: &str, text: Option<String>| {
            text.map(|text| when::parse(&text).ok_or_else(|| ApiError::bad_query(key, &text, when::WANTED))).transpose()
        };
        let (since, until) = (instant("since", since)?, instant("until", until)?);
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(ApiError::bad_query("since", &since.millis().to_string(), "an instant before `until`"));
        }
        Ok(RowsWanted { symbol, status, side, since, until, page: PageQuery { limit, before }.page()? })
    }
}

pub(crate) async fn orders(State(shared): App, headers: HeaderMap, Query(query): Query<RowsQuery>) -> Result<Response, ApiError> {
    let wanted = query.wanted()?;
    let turn = shared.turn(wanted.page.limit).await?;
    let page = shared.ports.desk.orders(wanted).await?;
    if wants_csv(&headers) { csv(turn, page, wanted.page, &ORDERS) } else { shared.send_page(turn, &written(page, wanted.page)) }
}

pub(crate) async fn fills(State(shared): App, headers: HeaderMap, Query(query): Query<RowsQuery>) -> Result<Response, ApiError> {
    if let Some(status) = &query.status {
        return Err(ApiError::bad_query("status", status, "left out: an execution has none"));
    }
    let wanted = query.wanted()?;
    let turn = shared.turn(wanted.page.limit).await?;
    let page = shared.ports.desk.fills(wanted).await?;
    if wants_csv(&headers) { csv(turn, page, wanted.page, &FILLS) } else { shared.send_page(turn, &written(page, wanted.page)) }
}

fn wants_csv(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.starts_with("text/csv"))
}

/// Columns of an order's row, and where they are in its JSON.
const ORDERS: [(&str, &str); 12] = [
    ("time_ms", "/time_ms"),
    ("symbol", "/symbol"),
    ("id", "/id"),
    ("order_id", "/order_id"),
    ("strategy", "/strategy"),
    ("level", "/level"),
    ("side", "/side"),
    ("price", "/price"),
    ("qty", "/qty"),
    ("filled", "/filled"),
    ("status", "/status"),
    ("reduce_only", "/reduce_only"),
];

/// Columns of an execution's row, and where they are in its JSON.
const FILLS: [(&str, &str); 16] = [
    ("time_ms", "/time_ms"),
    ("symbol", "/symbol"),
    ("trade_id", "/trade_id"),
    ("order_id", "/order_id"),
    ("id", "/id"),
    ("strategy", "/strategy"),
    ("level", "/level"),
    ("side", "/side"),
    ("price", "/price"),
    ("qty", "/qty"),
    ("value", "/value"),
    ("fee", "/fee/amount"),
    ("fee_asset", "/fee/asset"),
    ("realized", "/realized"),
    ("slot_realized", "/slot_realized"),
    ("maker", "/maker"),
];

/// Sends rows as CSV (RFC 4180); where the list goes on is in the header `x-next`.
fn csv<T: Serialize>(turn: Turn, mut page: Page<T>, request: PageRequest, columns: &[(&str, &str)]) -> Result<Response, ApiError> {
    page.items.truncate(request.limit);
    let mut text: String = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    for item in &page.items {
        let row = serde_json::to_value(item)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("answer cannot be written: {error}")))?;
        for (at, (_, place)) in columns.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            match row.pointer(place) {
                Some(serde_json::Value::String(value)) => push_escaped(&mut text, value),
                None | Some(serde_json::Value::Null) => {}
                Some(other) => text.push_str(&other.to_string()),
            }
        }
        text.push_str("\r\n");
    }
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let length = HeaderValue::from(text.len());
    let mut response =
        ([(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, length)], in_pieces(Bytes::from(text), turn)).into_response();
    if let Some(next) = page.next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert("x-next", next);
    }
    Ok(response)
}

fn push_escaped(text: &mut String, value: &str) {
    if value.contains([',', '"', '\r', '\n']) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}

/// `?interval=1m&limit=500`.
#[derive(Deserialize)]
pub(crate) struct CandlesQuery {
    interval: Option<String>,
    limit: Option<String>,
}

pub(crate) async fn candles(State(shared): App, Path(id): Path<String>, Query(query): Query<CandlesQuery>) -> Result<Response, ApiError> {
    let (symbol, _) = shared.find(&id)?;
    let text = query.interval.as_deref().unwrap_or("1m");
    let length = CandleLength::parse(text).ok_or_else(|| ApiError::bad_query("interval", text, "one of 1m, 5m, 15m, 1h, 4h, 1d"))?;
    let limit = number(query.limit.as_deref(), "limit", 1..=CANDLES_MAX as u64, "a number from 1 to 1000")?;
    let limit = limit.map_or(CANDLES_DEFAULT, |limit| limit as usize);
    // Five candles make a row.
    let turn = shared.turn(limit / 5).await?;
    let mut candles = shared.ports.desk.candles(symbol, length).await?;
    candles.drain(..candles.len().saturating_sub(limit));
    shared.send_page(turn, &CandlesDto { interval: length.as_str().to_owned(), candles })
}

pub(crate) async fn strategies(State(shared): App) -> Result<Response, ApiError> {
    let since = shared.ports.source.now().millis().saturating_sub(EARNED_FOR.as_millis() as u64);
    let strategies = shared.ports.desk.strategies(Time::from_millis(since)).await?;
    // With its parameters a strategy is four rows.
    let turn = shared.turn(4 * strategies.len()).await?;
    shared.send_page(turn, &StrategiesDto { strategies, earned_days: EARNED_FOR.as_secs() / 86_400 })
}

pub(crate) async fn risk(State(shared): App) -> Result<Response, ApiError> {
    let mut guards: GuardsDto = shared.ports.desk.guards();
    guards.account = shared.ports.source.system().risk;
    let rows = guards.breakers.len() + guards.preflight.len() + guards.drift.len() + guards.reconciliations.len();
    let turn = shared.turn(rows).await?;
    shared.send_page(turn, &guards)
}

pub(crate) async fn streams(State(shared): App) -> Json<StreamsDto> {
    Json(shared.ports.desk.streams())
}

pub(crate) async fn rates(State(shared): App) -> Json<RatesDto> {
    Json(shared.ports.desk.rates())
}

pub(crate) async fn disk(State(shared): App) -> Answer<DiskDto> {
    let unknown = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the disk has not been measured yet");
    Ok(Json(shared.ports.desk.disk().ok_or_else(|| unknown().hint("trading goes on; try again in a moment"))?))
}

pub(crate) async fn journal(State(shared): App) -> Result<Response, ApiError> {
    let journal: JournalDto = shared.ports.desk.journal().await?;
    let turn = shared.turn(journal.symbols.len()).await?;
    shared.send_page(turn, &journal)
}
