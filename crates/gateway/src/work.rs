use crate::dial::Stream;
use futures_util::stream::FuturesUnordered;
use http_body_util::Empty;
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper_util::rt::TokioIo;
use plimsoll_exchange::session::{ConnId, RequestId, Sent, Used};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;

pub(crate) type Body = Empty<bytes::Bytes>;
pub(crate) type Requester = SendRequest<Body>;
pub(crate) type HttpConnection = Connection<TokioIo<Stream>, Body>;

/// What the driver waits for beside frames, orders and time. All of it runs inside the driver's own task, so that an order
/// is written by the turn that decided it, without a hop to another task.
///
/// # Bounds
/// [`crate::limits::WORK_MAX`], by construction: one opening or one connection and one answer for each HTTP slot, one opening and
/// one closing for each WebSocket.
pub(crate) type Work = FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>;

/// Something waited for has happened.
pub(crate) enum Done {
    /// An HTTP connection was opened, or not.
    HttpOpened { slot: usize, opened: Option<Box<(Requester, HttpConnection)>> },
    /// An HTTP connection has ended.
    HttpEnded { slot: usize, generation: u64 },
    /// A request was answered, or not.
    Answered { slot: usize, generation: u64, request: RequestId, answer: Result<Answer, Sent>, requester: Option<Requester> },
    /// A WebSocket was opened, or not.
    SocketOpened { conn: ConnId, generation: u64, socket: Option<Box<WebSocketStream<Stream>>> },
    /// A WebSocket that we closed is closed.
    SocketClosed { conn: ConnId, generation: u64 },
}

/// The whole answer to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) used: Used,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: bytes::Bytes,
}
