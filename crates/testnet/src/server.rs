//! The port: HTTP requests and WebSocket upgrades.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, net::SocketAddr};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::serve::{IncomingStream, Listener};
use plimsoll_bounded::{Class, Gauge, Grant, Line, ReplyReceiver, Sender, Stop, Task, WhenFull, reply};
use plimsoll_exchange::binance::server::{ApiError, parse_socket_url};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::desk::{Call, Reply};
use crate::engine::Command;
use crate::faults::{Asked, SharedFaults, Strike};
use crate::limits::{ANSWER_WITHIN, BODY_BYTES_MAX, MESSAGE_BYTES_MAX, RATE_LIMIT_FOR, SOCKET_BUFFER_BYTES, SOCKETS_MAX, UNANSWERED_MOST};
use crate::socket;

/// What every request and connection needs.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) commands: Sender<Command>,
    pub(crate) closes: Sender<usize>,
    pub(crate) faults: SharedFaults,
    pub(crate) stop: Stop,
}

/// The ways into the engine, and what goes wrong on them.
pub(crate) struct Inlets {
    pub(crate) commands: Sender<Command>,
    pub(crate) closes: Sender<usize>,
    pub(crate) faults: SharedFaults,
}

/// Where the faults that have struck are counted.
const COUNTS_PATH: &str = "/fault/counts";

/// A `GET` with this header is answered past faults and limits: for whoever watches how a client fares.
const AUDIT_HEADER: &str = "x-plimsoll-audit";

/// A connection's wire, which a fault can cut.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<AtomicBool>);

impl Wire {
    /// From now on nothing is written any more, and the far side sees a reset.
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, Gate>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        stream.io().wire.clone()
    }
}

/// Serves until told to stop, then until every socket is closed.
///
/// # Cancel safety
/// Dropped, sockets that are open end with the runtime.
pub(crate) async fn run(listener: TcpListener, sockets: Grant, inlets: Inlets, task: Task) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(sockets.capacity()));
    let gate = Gate { listener, room: Arc::clone(&room), gauge: sockets.gauge() };
    let Inlets { commands, closes, faults } = inlets;
    let port = Port { commands, closes, faults, stop: task.stop.clone() };
    let router = Router::new().fallback(enter).with_state(port);
    let stop = task.stop;
    axum::serve(gate, router.into_make_service_with_connect_info::<Wire>())
        .with_graceful_shutdown(async move { stop.stopped().await })
        .await?;
    // Upgraded sockets are not the server's any more; all permits back means that none is left.
    let all = u32::try_from(sockets.capacity()).unwrap_or(u32::MAX);
    if room.acquire_many(all).await.is_err() {
        unreachable!("nobody closes the semaphore");
    }
    Ok(())
}

/// Declares the sockets with what the libraries keep for each: their buffers, and one request's head and body.
pub(crate) const fn sockets_line(name: &str) -> Line<'_> {
    let item_bytes = 2 * SOCKET_BUFFER_BYTES + BODY_BYTES_MAX + HEAD_BYTES;
    Line { name, capacity: SOCKETS_MAX, item_bytes, policy: WhenFull::Wait, class: Class::MustKeep }
}

/// Bytes that the HTTP library keeps of a request's head, and a connection's task.
const HEAD_BYTES: usize = 16 * 1024;

/// Accepts no more sockets than there is room for.
struct Gate {
    listener: TcpListener,
    room: Arc<Semaphore>,
    gauge: Gauge,
}

impl Listener for Gate {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { unreachable!("nobody closes the semaphore") };
            let (stream, address) = Listener::accept(&mut self.listener).await;
            match stream.set_nodelay(true) {
                Ok(()) => {
                    self.gauge.add(1);
                    return (Guarded { stream, wire: Wire::default(), gauge: self.gauge.clone(), _permit: permit }, address);
                }
                Err(error) => warn!(%error, "a socket closed before it was served"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A socket that gives its room back when it is gone.
struct Guarded {
    stream: TcpStream,
    wire: Wire,
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.gauge.sub(1);
        if self.wire.is_cut()
            && let Err(error) = self.stream.set_zero_linger()
        {
            debug!(%error, "a connection that was to be reset has gone already");
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.wire.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Cut, there are no last words.
        if self.wire.is_cut() { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_shutdown(context) }
    }
}

/// Takes every request: a stream address with an upgrade is a connection, everything else a call.
async fn enter(State(port): State<Port>, ConnectInfo(wire): ConnectInfo<Wire>, request: Request) -> Response<Body> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    if request.headers().contains_key(UPGRADE) {
        return upgrade(port, wire, &path, &query, request).await;
    }
    let (parts, body) = request.into_parts();
    if parts.method == Method::GET && path == COUNTS_PATH {
        return json(StatusCode::OK, port.faults.document());
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return refuse(&ApiError { status: 413, ..ApiError::illegal("body", "at most 65536 bytes") });
    };
    let key = parts.headers.get("x-mbx-apikey").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let call = Box::new(Call { method: parts.method.as_str().to_owned(), path, query, body, key });
    let (sender, receiver) = reply();
    if parts.method == Method::GET && parts.headers.contains_key(AUDIT_HEADER) {
        return answer(&port, Command::Audit { call, reply: sender }, receiver).await;
    }
    let asked = Asked { changes: parts.method != Method::GET, signed: has_signature(&call) };
    let strike = port.faults.request(asked);
    if let Some(refusal) = strike.and_then(refusal) {
        return struck(&wire, refusal);
    }
    let command = Command::Call { call, reply: sender };
    let command = match strike {
        Some(Strike::LateRequest(late)) => Command::Late { due: Instant::now() + late, command: Box::new(command) },
        _ => command,
    };
    let response = answer(&port, command, receiver).await;
    match strike {
        None | Some(Strike::LateRequest(_) | Strike::RejectBusy | Strike::RateLimit | Strike::Stamp | Strike::DropRequest) => response,
        Some(Strike::LateAnswer(late)) => {
            pause(&port, late).await;
            response
        }
        Some(Strike::Reset) => struck(&wire, Refusal::Cut),
        Some(Strike::BusyAccepted { coded }) => struck(&wire, busy_though_done(coded)),
        Some(Strike::TimeoutAccepted { told: true }) => refuse(&ApiError::timeout()),
        Some(Strike::TimeoutAccepted { told: false }) => {
            pause(&port, UNANSWERED_MOST).await;
            struck(&wire, Refusal::Cut)
        }
    }
}

/// Has the engine do something and waits for its answer.
async fn answer(port: &Port, command: Command, receiver: ReplyReceiver<Reply>) -> Response<Body> {
    if port.commands.try_send(command).is_err() {
        return refuse(&ApiError::busy());
    }
    match receiver.wait(ANSWER_WITHIN).await {
        Ok(reply) => respond(reply),
        // Taken over and not answered: whether it was done is not known.
        Err(_) => refuse(&ApiError::timeout()),
    }
}

fn has_signature(call: &Call) -> bool {
    const NAME: &[u8] = b"signature=";
    call.query.contains("signature=") || call.body.windows(NAME.len()).any(|part| part == NAME)
}

/// Waits, unless the exchange stops first.
async fn pause(port: &Port, time: Duration) {
    tokio::select! {
        biased;
        // Stopping ends every wait.
        () = port.stop.stopped() => {}
        () = sleep(time) => {}
    }
}

/// How a fault ends a request.
pub(crate) enum Refusal {
    /// The connection is cut.
    Cut,
    /// An answer with this status, body and `Retry-After`.
    Said(u16, String, Option<u64>),
    /// The exchange's own error.
    Error(ApiError),
}

/// What is said instead of carrying a request out; `None` when it is carried out.
pub(crate) fn refusal(strike: Strike) -> Option<Refusal> {
    match strike {
        Strike::DropRequest => Some(Refusal::Cut),
        Strike::RejectBusy => Some(Refusal::Said(503, document("Service Unavailable."), None)),
        Strike::RateLimit => {
            let mut body = String::new();
            ApiError::too_many_requests(2_400).write(&mut body);
            Some(Refusal::Said(429, body, Some(RATE_LIMIT_FOR.as_secs())))
        }
        Strike::Stamp => Some(Refusal::Error(ApiError::timestamp_old())),
        Strike::LateRequest(_) | Strike::LateAnswer(_) | Strike::Reset | Strike::BusyAccepted { .. } | Strike::TimeoutAccepted { .. } => {
            None
        }
    }
}

/// The exchange's words when it does not know what became of a request. They are known with a code and without one
/// (<https://github.com/daisy613/LHPControl/issues/16>, read 2026-11).
pub(crate) fn busy_though_done(coded: bool) -> Refusal {
    const MSG: &str = "Unknown error, please check your request or try again later.";
    if coded {
        Refusal::Error(ApiError { status: 503, msg: MSG.into(), ..ApiError::unknown() })
    } else {
        Refusal::Said(503, document(MSG), None)
    }
}

fn document(msg: &str) -> String {
    format!("{{\"msg\":\"{msg}\"}}")
}

fn struck(wire: &Wire, refusal: Refusal) -> Response<Body> {
    match refusal {
        Refusal::Cut => {
            wire.cut();
            json(StatusCode::SERVICE_UNAVAILABLE, String::new())
        }
        Refusal::Error(error) => refuse(&error),
        Refusal::Said(status, body, retry_after_s) => {
            let mut response = json(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), body);
            if let Some(seconds) = retry_after_s {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

async fn upgrade(port: Port, wire: Wire, path: &str, query: &str, request: Request) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &port).await {
        Ok(upgrade) => sized(upgrade),
        Err(_) => return refuse(&ApiError::illegal("Upgrade", "websocket, version 13")),
    };
    match port.faults.request(Asked { changes: false, signed: false }) {
        None => {}
        // A connection that is cut before it is one.
        Some(Strike::Reset) => return struck(&wire, Refusal::Cut),
        Some(Strike::LateRequest(late) | Strike::LateAnswer(late)) => pause(&port, late).await,
        Some(strike) => {
            if let Some(refusal) = refusal(strike) {
                return struck(&wire, refusal);
            }
        }
    }
    if path.trim_end_matches('/') == "/ws-fapi/v1" {
        return upgrade.on_upgrade(move |socket| socket::serve_api(socket, port, wire));
    }
    let Some(url) = parse_socket_url(path, query) else { return refuse(&ApiError::not_found()) };
    match socket::Connection::open(&port, wire, url).await {
        Ok(connection) => upgrade.on_upgrade(move |socket| connection.serve(socket)),
        Err(error) => refuse(&error),
    }
}

fn sized<F: axum::extract::ws::OnFailedUpgrade>(upgrade: WebSocketUpgrade<F>) -> WebSocketUpgrade<F> {
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(SOCKET_BUFFER_BYTES)
        .write_buffer_size(SOCKET_BUFFER_BYTES)
}

fn respond(reply: Reply) -> Response<Body> {
    let mut response = json(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), reply.body);
    let headers = response.headers_mut();
    headers.insert("x-mbx-used-weight-1m", HeaderValue::from(reply.weight));
    if let Some((ten_seconds, minute)) = reply.orders {
        headers.insert("x-mbx-order-count-10s", HeaderValue::from(ten_seconds));
        headers.insert("x-mbx-order-count-1m", HeaderValue::from(minute));
    }
    if let Some(seconds) = reply.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn refuse(error: &ApiError) -> Response<Body> {
    let mut body = String::new();
    error.write(&mut body);
    json(StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST), body)
}

fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
