//! The port: HTTP requests and WebSocket upgrades.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{io, net::SocketAddr};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::serve::Listener;
use plimsoll_bounded::{Class, Gauge, Grant, Line, Sender, Stop, Task, WhenFull, reply};
use plimsoll_exchange::binance::server::{ApiError, parse_socket_url};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::desk::{Call, Reply};
use crate::engine::Command;
use crate::limits::{ANSWER_WITHIN, BODY_BYTES_MAX, MESSAGE_BYTES_MAX, SOCKET_BUFFER_BYTES, SOCKETS_MAX};
use crate::socket;

/// What every request and connection needs.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) commands: Sender<Command>,
    pub(crate) closes: Sender<usize>,
    pub(crate) stop: Stop,
}

/// Serves until told to stop, then until every socket is closed.
///
/// # Cancel safety
/// Dropped, sockets that are open end with the runtime.
pub(crate) async fn run(
    listener: TcpListener,
    sockets: Grant,
    commands: Sender<Command>,
    closes: Sender<usize>,
    task: Task,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(sockets.capacity()));
    let gate = Gate { listener, room: Arc::clone(&room), gauge: sockets.gauge() };
    let port = Port { commands, closes, stop: task.stop.clone() };
    let router = Router::new().fallback(enter).with_state(port);
    let stop = task.stop;
    axum::serve(gate, router).with_graceful_shutdown(async move { stop.stopped().await }).await?;
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
                    return (Guarded { stream, gauge: self.gauge.clone(), _permit: permit }, address);
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
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.gauge.sub(1);
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Takes every request: a stream address with an upgrade is a connection, everything else a call.
async fn enter(State(port): State<Port>, request: Request) -> Response<Body> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    if request.headers().contains_key(UPGRADE) {
        return upgrade(port, &path, &query, request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return refuse(&ApiError { status: 413, ..ApiError::illegal("body", "at most 65536 bytes") });
    };
    let key = parts.headers.get("x-mbx-apikey").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let call = Box::new(Call { method: parts.method.as_str().to_owned(), path, query, body, key });
    let (sender, receiver) = reply();
    if port.commands.try_send(Command::Call { call, reply: sender }).is_err() {
        return refuse(&ApiError::busy());
    }
    match receiver.wait(ANSWER_WITHIN).await {
        Ok(reply) => respond(reply),
        // Taken over and not answered: whether it was done is not known.
        Err(_) => refuse(&ApiError::timeout()),
    }
}

async fn upgrade(port: Port, path: &str, query: &str, request: Request) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &port).await {
        Ok(upgrade) => sized(upgrade),
        Err(_) => return refuse(&ApiError::illegal("Upgrade", "websocket, version 13")),
    };
    if path.trim_end_matches('/') == "/ws-fapi/v1" {
        return upgrade.on_upgrade(move |socket| socket::serve_api(socket, port));
    }
    let Some(url) = parse_socket_url(path, query) else { return refuse(&ApiError::not_found()) };
    match socket::Connection::open(&port, url).await {
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
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
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
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
