//! Every path of the server and what answers it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router, middleware};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use plimsoll_bounded::{Gauge, Grant, LedgerHandle, TaskSpec, Tasks, reply};
use plimsoll_market::{Symbol, Time};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Caller, Keeper};
use crate::dto::{DetailDto, EquityDto, HealthDto, LedgerDto, PageDto, SummaryDto};
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::guard::{Hosts, Refusals, gate, shield};
use crate::limits::{
    CHUNK_BYTES, CLIENT_MESSAGE_BYTES, LIST_MAX, PAGE_DEFAULT, PAGE_SMALL, POINTS_DEFAULT, POINTS_MAX, RANGE_DEFAULT, RANGE_MAX, WATCH_MAX,
    WRITE_BUFFER_BYTES,
};
use crate::live::Live;
use crate::ports::{Cursor, EquityRange, Page, PageRequest, Ports, SymbolNow};
use crate::pprof::Pprof;
use crate::session::Session;
use crate::{assets, convert, table, when};

/// What all handlers share.
pub(crate) struct Shared {
    pub(crate) ports: Ports,
    pub(crate) hosts: Hosts,
    /// Who may do what.
    pub(crate) keeper: Arc<Keeper>,
    /// Wrong tokens that were shown.
    pub(crate) refusals: Refusals,
    /// Whether a few answers need no login on this machine.
    pub(crate) open_reading: bool,
    /// Whether a proxy speaks for our visitors.
    pub(crate) behind_proxy: bool,
    /// Whether we speak TLS ourselves.
    pub(crate) tls: bool,
    /// The dashboard's address.
    pub(crate) url: String,
    pub(crate) live: Arc<Live>,
    pub(crate) live_tasks: Tasks,
    /// The tasks that serve viewers of the log.
    pub(crate) log_tasks: Tasks,
    pub(crate) ledger: LedgerHandle,
    /// One permit a page that is being made or sent.
    pub(crate) pages: Arc<Semaphore>,
    /// The line of those pages.
    pub(crate) pages_grant: Grant,
    /// The tasks that serve connections.
    pub(crate) connections: Tasks,
    /// Profiles; `None` where they are not enabled.
    pub(crate) pprof: Option<Pprof>,
}

pub(crate) type App = State<Arc<Shared>>;
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    table::router(&shared)
        .fallback(page)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), gate))
        .layer(middleware::from_fn(shield))
        .with_state(shared)
}

pub(crate) async fn status(State(shared): App) -> Json<crate::dto::StatusDto> {
    Json(shared.live.status(&shared.live.symbols()))
}

pub(crate) async fn symbols(State(shared): App) -> Json<Vec<SummaryDto>> {
    Json(shared.live.symbols().iter().map(|now| SummaryDto::new(now)).collect())
}

pub(crate) async fn symbol(State(shared): App, Path(id): Path<String>) -> Answer<DetailDto> {
    Ok(Json(DetailDto::new(&shared.find(&id)?.1)))
}

pub(crate) async fn slots(State(shared): App, Path(id): Path<String>, Query(query): Query<PageQuery>) -> Result<Response, ApiError> {
    let (_, now) = shared.find(&id)?;
    let request = query.page()?;
    let mut items = convert::slots(&now, usize::MAX);
    // Slots lie in memory, highest first: the cursor is a place in that order.
    let from = match request.before {
        Some(before) => before.parse::<usize>().map_err(|_| ApiError::bad_query("before", &before, CURSOR_WANTED))?.min(items.len()),
        None => 0,
    };
    let until = (from + request.limit).min(items.len());
    let next = (until < items.len()).then(|| until.to_string());
    items.truncate(until);
    items.drain(..from);
    shared.send_page(shared.turn(request.limit).await?, &PageDto { items, next })
}

pub(crate) async fn orders(State(shared): App, Path(id): Path<String>, Query(query): Query<PageQuery>) -> Result<Response, ApiError> {
    let (symbol, _) = shared.find(&id)?;
    let request = query.page()?;
    let turn = shared.turn(request.limit).await?;
    let page = shared.ports.history.orders(&symbol, request).await?;
    shared.send_page(turn, &written(page, request))
}

pub(crate) async fn funding(State(shared): App, Path(id): Path<String>, Query(query): Query<PageQuery>) -> Result<Response, ApiError> {
    let (symbol, _) = shared.find(&id)?;
    let request = query.page()?;
    let turn = shared.turn(request.limit).await?;
    let page = shared.ports.history.funding(&symbol, request).await?;
    shared.send_page(turn, &written(page, request))
}

pub(crate) async fn fills(State(shared): App, Path(id): Path<String>, Query(query): Query<PageQuery>) -> Result<Response, ApiError> {
    let (symbol, _) = shared.find(&id)?;
    let request = query.page()?;
    let turn = shared.turn(request.limit).await?;
    let page = shared.ports.history.fills(&symbol, request).await?;
    shared.send_page(turn, &written(page, request))
}

pub(crate) async fn events(State(shared): App, Query(query): Query<PageQuery>) -> Result<Response, ApiError> {
    let request = query.page()?;
    let turn = shared.turn(request.limit).await?;
    let page = shared.ports.history.events(request).await?;
    shared.send_page(turn, &written(page, request))
}

pub(crate) async fn equity(State(shared): App, Query(query): Query<EquityQuery>) -> Result<Response, ApiError> {
    let range = query.range(shared.ports.source.now())?;
    // Ten points make a row.
    let turn = shared.turn(range.points / 10).await?;
    let mut line = shared.ports.history.equity(range).await?;
    line.points.truncate(range.points);
    let (since_ms, until_ms) = (range.since.millis(), range.until.millis());
    shared.send_page(turn, &EquityDto { asset: line.asset, since_ms, until_ms, points: line.points })
}

pub(crate) async fn ledger(State(shared): App) -> Result<Response, ApiError> {
    let lines = shared.ledger.lines();
    // Thousands of lines with hundreds of symbols: as large as a page. A line is half a row.
    let turn = shared.turn(lines.len() / 2).await?;
    shared.send_page(turn, &LedgerDto::new(shared.ledger.budget(), shared.ledger.total_bytes(), &lines))
}

pub(crate) async fn metrics(State(shared): App) -> Json<crate::dto::MetricsDto> {
    Json(shared.live.metrics())
}

pub(crate) async fn livez(State(shared): App) -> Response {
    health(shared.ports.source.health().dead)
}

pub(crate) async fn readyz(State(shared): App) -> Response {
    let health_now = shared.ports.source.health();
    health(health_now.dead.into_iter().chain(health_now.unready).collect())
}

fn health(reasons: Vec<String>) -> Response {
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(HealthDto { ok: reasons.is_empty(), reasons })).into_response()
}

pub(crate) async fn prometheus(State(shared): App) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], shared.ports.source.prometheus()).into_response()
}

/// `?watch=BTCUSDT,ETHUSDT`: what a subscriber watches from the start.
#[derive(Deserialize)]
pub(crate) struct LiveQuery {
    #[serde(default)]
    watch: String,
}

pub(crate) async fn live(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Query(query): Query<LiveQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = shared.may_upgrade(upgrade)?;
    let names: Vec<&str> = query.watch.split(',').filter(|name| !name.is_empty()).collect();
    if names.len() > WATCH_MAX {
        return Err(ApiError::bad_query("watch", &query.watch, "at most 4 symbols"));
    }
    let watch = names.iter().map(|name| shared.find(name).map(|(symbol, _)| symbol)).collect::<Result<Vec<_>, _>>()?;
    let (sender, receiver) = reply();
    let (session, pass) = (Arc::clone(&shared.live), shared.pass(caller));
    let spec = TaskSpec { name: "web/live", group: "web" };
    let spawned = shared.live_tasks.spawn(spec, |task| Session::run(session, receiver, watch, pass, task));
    if let Err(error) = spawned {
        tracing::warn!(%error, "live subscriber refused");
        return Err(too_many());
    }
    let upgrade = upgrade
        .max_message_size(CLIENT_MESSAGE_BYTES)
        .max_frame_size(CLIENT_MESSAGE_BYTES)
        .read_buffer_size(CLIENT_MESSAGE_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(async move |socket| {
        // Closed means that the session stopped waiting: dropping the socket closes it.
        drop(sender.send(socket));
    }))
}

async fn page(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        return ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such path").hint("begin at /api/status").into_response();
    }
    match *request.method() {
        http::Method::GET | http::Method::HEAD => assets::serve(path, request.headers()),
        _ => wrong_method().await.into_response(),
    }
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this path does not take this method")
        .hint("read with GET; command with POST")
}

/// More come at once than those who leave make room.
pub(crate) fn too_many() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many live subscribers come at once")
        .hint("the page falls back to asking; try again in a moment")
}

/// What `before` must be.
pub(crate) const CURSOR_WANTED: &str = "the `next` of an earlier page";

/// `?limit=100&before=CURSOR`. Text, so that a wrong figure is answered with a sentence.
#[derive(Deserialize)]
pub(crate) struct PageQuery {
    pub(crate) limit: Option<String>,
    pub(crate) before: Option<String>,
}

impl PageQuery {
    pub(crate) fn page(&self) -> Result<PageRequest, ApiError> {
        let limit = number(self.limit.as_deref(), "limit", 1..=LIST_MAX as u64, "a number from 1 to 1000")?;
        let before = cursor(self.before.as_deref())?;
        Ok(PageRequest { limit: limit.map_or(PAGE_DEFAULT, |limit| limit as usize), before })
    }
}

/// `?since=MS&until=MS&points=500`.
#[derive(Deserialize)]
pub(crate) struct EquityQuery {
    since: Option<String>,
    until: Option<String>,
    points: Option<String>,
}

impl EquityQuery {
    fn range(&self, now: Time) -> Result<EquityRange, ApiError> {
        let until = number(self.until.as_deref(), "until", 0..=when::LATEST_MS, "milliseconds since 1970")?.map_or(now, Time::from_millis);
        let default_ms = until.millis().saturating_sub(RANGE_DEFAULT.as_millis() as u64);
        let since = number(self.since.as_deref(), "since", 0..=when::LATEST_MS, "milliseconds since 1970")?.unwrap_or(default_ms);
        let since = Time::from_millis(since);
        if since >= until || until.since(since) > RANGE_MAX {
            let value = format!("{} until={}", since.millis(), until.millis());
            return Err(ApiError::bad_query("since", &value, "a time before `until`, at most 365 days"));
        }
        let points = number(self.points.as_deref(), "points", 2..=POINTS_MAX as u64, "a number from 2 to 10000")?;
        Ok(EquityRange { since, until, points: points.map_or(POINTS_DEFAULT, |points| points as usize) })
    }
}

/// Reads a place in a list; what it means is up to whoever gave it.
pub(crate) fn cursor(text: Option<&str>) -> Result<Option<Cursor>, ApiError> {
    let read = |text: &str| {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        Cursor::from(text).ok().filter(|_| fits).ok_or_else(|| ApiError::bad_query("before", text, CURSOR_WANTED))
    };
    text.map(read).transpose()
}

pub(crate) fn number(text: Option<&str>, key: &str, range: std::ops::RangeInclusive<u64>, wanted: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    match text.parse().ok().filter(|number| range.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(ApiError::bad_query(key, text, wanted)),
    }
}

pub(crate) fn written<T>(mut page: Page<T>, request: PageRequest) -> PageDto<T> {
    // A storage that gives more than was asked for does not get to break the plan.
    page.items.truncate(request.limit);
    PageDto { items: page.items, next: page.next.map(|next| next.to_string()) }
}

/// The right to make and send one large answer; a small one needs none.
pub(crate) struct Turn {
    large: Option<(OwnedSemaphorePermit, Gauge)>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((_, gauge)) = &self.large {
            gauge.sub(1);
        }
    }
}

/// The right to go on listening: it ends with the session or token that it was given for.
pub(crate) struct Pass {
    shared: Arc<Shared>,
    caller: Caller,
}

impl Pass {
    pub(crate) fn stands(&self) -> bool {
        self.shared.keeper.stands(&self.caller.via, self.shared.ports.source.now())
    }
}

impl Shared {
    pub(crate) fn pass(self: &Arc<Self>, caller: Caller) -> Pass {
        Pass { shared: Arc::clone(self), caller }
    }

    /// Lets a request become a WebSocket, unless it is none or memory is short.
    pub(crate) fn may_upgrade(&self, upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Result<WebSocketUpgrade, ApiError> {
        let upgrade = upgrade.map_err(|error| {
            ApiError::new(StatusCode::UPGRADE_REQUIRED, "websocket_needed", error.to_string())
                .hint("open this path with a WebSocket client")
        })?;
        if self.live.is_closed() {
            let detail = "memory is short: nothing is shown live until it suffices";
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "memory_short", detail)
                .hint("trading goes on; the page falls back to asking, and /api/status says what is the case"));
        }
        Ok(upgrade)
    }

    pub(crate) fn find(&self, id: &str) -> Result<(Symbol, Arc<SymbolNow>), ApiError> {
        let found = Symbol::new(id).ok().and_then(|symbol| self.ports.source.symbol(&symbol).map(|now| (symbol, now)));
        found.ok_or_else(|| ApiError::unknown_symbol(id, self.live.symbols().iter().map(|now| now.status.symbol.to_string())))
    }

    /// Waits for the turn to make an answer of so many rows; the request's timeout bounds the wait.
    pub(crate) async fn turn(&self, rows: usize) -> Result<Turn, ApiError> {
        if rows <= PAGE_SMALL {
            return Ok(Turn { large: None });
        }
        let stopping = |_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the process is stopping");
        let permit = Arc::clone(&self.pages).acquire_owned().await.map_err(stopping)?;
        let gauge = self.pages_grant.gauge();
        gauge.add(1);
        Ok(Turn { large: Some((permit, gauge)) })
    }

    /// Sends JSON piece by piece, holding the turn until the last piece has left.
    pub(crate) fn send_page<T: Serialize>(&self, turn: Turn, value: &T) -> Result<Response, ApiError> {
        let text = serde_json::to_vec(value)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("answer cannot be written: {error}")))?;
        let length = HeaderValue::from(text.len());
        let kind = HeaderValue::from_static("application/json");
        Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, length)], in_pieces(Bytes::from(text), turn)).into_response())
    }
}

/// Makes a body of pieces as large as a socket's buffer; what is kept meanwhile is dropped when the last piece has left.
pub(crate) fn in_pieces<K: Send + 'static>(bytes: Bytes, kept: K) -> Body {
    Body::from_stream(futures_util::stream::unfold((bytes, kept), |(mut rest, kept)| async move {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(CHUNK_BYTES));
        Some((Ok::<_, std::convert::Infallible>(piece), (rest, kept)))
    }))
}
