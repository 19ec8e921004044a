use crate::config::Endpoint;
use crate::dial::{Dialer, Stream};
use crate::limits::{CLOSE_TIMEOUT, CONNECT_TIMEOUT, MESSAGE_MAX, READ_BUFFER, WRITE_BUFFER_MAX};
use crate::work::{Done, Work};
use futures_util::StreamExt;
use futures_util::future::{AbortHandle, abortable};
use futures_util::sink::Sink as _;
use futures_util::stream::Stream as _;
use plimsoll_exchange::session::limits::CONNS_MAX;
use plimsoll_exchange::session::{Closed, ConnId, Dropped};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// The WebSockets, read by the driver itself: what is not read stays in the socket, and TCP slows the sender down.
///
/// # Bounds
/// [`CONNS_MAX`] sockets, each with one message of at most [`MESSAGE_MAX`] bytes under way.
pub(crate) struct Sockets {
    end: Endpoint,
    dialer: Dialer,
    slots: [Slot; CONNS_MAX],
    generation: u64,
    /// Whose turn it is to be asked first, so that a busy socket does not starve the others.
    turn: usize,
}

#[derive(Default)]
enum Slot {
    #[default]
    None,
    Opening {
        generation: u64,
        abort: AbortHandle,
    },
    Open(Box<WebSocketStream<Stream>>),
    Closing {
        generation: u64,
    },
}

/// What came from a socket.
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Alive,
    Dropped(Dropped),
    /// The socket is gone; perhaps with something that could not be read.
    Ended(Option<Dropped>, Closed),
}

impl Sockets {
    pub(crate) fn new(end: Endpoint, dialer: Dialer) -> Self {
        Self { end, dialer, slots: std::array::from_fn(|_| Slot::None), generation: 0, turn: 0 }
    }

    /// Begins to open a socket; `false` when it can never succeed.
    pub(crate) fn connect(&mut self, conn: ConnId, target: &str, work: &Work) -> bool {
        let scheme = if self.end.tls { "wss" } else { "ws" };
        let Some(slot) = self.slots.get_mut(conn.usize()) else { return false };
        let Some(path) = self.end.path(target) else { return false };
        let Ok(request) = format!("{scheme}://{}{path}", self.end.authority).into_client_request() else { return false };
        self.generation += 1;
        let generation = self.generation;
        let (dialer, end) = (self.dialer.clone(), self.end.clone());
        let (opening, abort) = abortable(timeout(CONNECT_TIMEOUT, async move {
            let stream = dialer.dial(&end).await.ok()?;
            let mut config = WebSocketConfig::default();
            config.read_buffer_size = READ_BUFFER;
            // Written at once: what we send are pongs and the end.
            config.write_buffer_size = 0;
            config.max_write_buffer_size = WRITE_BUFFER_MAX;
            config.max_message_size = Some(MESSAGE_MAX);
            config.max_frame_size = Some(MESSAGE_MAX);
            let (socket, _response) = client_async_with_config(request, stream, Some(config)).await.ok()?;
            Some(Box::new(socket))
        }));
        *slot = Slot::Opening { generation, abort };
        work.push(Box::pin(async move {
            let socket = opening.await.ok().and_then(Result::ok).flatten();
            Done::SocketOpened { conn, generation, socket }
        }));
        true
    }

    /// Takes a socket that was opened, or not; `None` when nobody waits for it any more.
    pub(crate) fn opened(&mut self, conn: ConnId, generation: u64, socket: Option<Box<WebSocketStream<Stream>>>) -> Option<bool> {
        let slot = self.slots.get_mut(conn.usize())?;
        match slot {
            Slot::Opening { generation: waiting, .. } if *waiting == generation => {
                let open = socket.is_some();
                *slot = socket.map_or(Slot::None, Slot::Open);
                Some(open)
            }
            Slot::None | Slot::Opening { .. } | Slot::Open(_) | Slot::Closing { .. } => None,
        }
    }

    /// Closes a socket, in order where it is open; `true` when it is gone at once.
    pub(crate) fn close(&mut self, conn: ConnId, work: &Work) -> bool {
        let Some(slot) = self.slots.get_mut(conn.usize()) else { return true };
        match std::mem::take(slot) {
            Slot::None => true,
            Slot::Opening { abort, .. } => {
                abort.abort();
                true
            }
            Slot::Open(mut socket) => {
                self.generation += 1;
                let generation = self.generation;
                *slot = Slot::Closing { generation };
                work.push(Box::pin(async move {
                    let closing = async {
                        if socket.close(None).await.is_ok() {
                            while let Some(Ok(_)) = socket.next().await {}
                        }
                    };
                    // Whether the other side answered or not, the socket goes with this future.
                    drop(timeout(CLOSE_TIMEOUT, closing).await);
                    Done::SocketClosed { conn, generation }
                }));
                false
            }
            closing @ Slot::Closing { .. } => {
                *slot = closing;
                false
            }
        }
    }

    /// Notes that a socket we closed is closed; `false` when a newer one has its place.
    pub(crate) fn closed(&mut self, conn: ConnId, generation: u64) -> bool {
        let Some(slot) = self.slots.get_mut(conn.usize()) else { return false };
        let current = matches!(slot, Slot::Closing { generation: closing } if *closing == generation);
        if current {
            *slot = Slot::None;
        }
        current
    }

    /// Marks a socket that can never open as opening, for the refusal that is told next.
    pub(crate) fn expect_refusal(&mut self, conn: ConnId) -> u64 {
        self.generation += 1;
        let generation = self.generation;
        if let Some(slot) = self.slots.get_mut(conn.usize()) {
            *slot = Slot::Opening { generation, abort: AbortHandle::new_pair().0 };
        }
        generation
    }

    /// Marks a socket that is gone as closing, for the end that is told next.
    pub(crate) fn expect_close(&mut self, conn: ConnId) -> u64 {
        self.generation += 1;
        let generation = self.generation;
        if let Some(slot) = self.slots.get_mut(conn.usize()) {
            *slot = Slot::Closing { generation };
        }
        generation
    }

    /// The next message of any socket.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(ConnId, Incoming)> {
        for step in 0..CONNS_MAX {
            let n = (self.turn + step) % CONNS_MAX;
            let Some(slot) = self.slots.get_mut(n) else { continue };
            let Slot::Open(socket) = slot else { continue };
            let Poll::Ready(next) = Pin::new(&mut **socket).poll_next(cx) else { continue };
            let incoming = match next {
                Some(Ok(Message::Text(text))) => Incoming::Text(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Incoming::Alive,
                Some(Ok(Message::Close(_))) => {
                    // Nothing more comes. The answer to it is written if that needs no waiting; the exchange is not waited for.
                    let _flushed = Pin::new(&mut **socket).poll_flush(cx);
                    Incoming::Ended(None, Closed::Remote)
                }
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => Incoming::Dropped(Dropped::Malformed),
                Some(Err(error)) => broken(&error),
                None => Incoming::Ended(None, Closed::Remote),
            };
            if matches!(incoming, Incoming::Ended(..)) {
                *slot = Slot::None;
            }
            self.turn = (n + 1) % CONNS_MAX;
            return Poll::Ready((ConnId(n as u8), incoming));
        }
        Poll::Pending
    }
}

fn broken(error: &Error) -> Incoming {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Incoming::Ended(None, Closed::Remote),
        Error::Capacity(CapacityError::MessageTooLong { .. } | CapacityError::TooManyHeaders) => {
            Incoming::Ended(Some(Dropped::Oversized), Closed::Broken)
        }
        // The peer just went: nothing was malformed.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) => Incoming::Ended(None, Closed::Broken),
        Error::Protocol(_) | Error::Utf8(_) => Incoming::Ended(Some(Dropped::Malformed), Closed::Broken),
        _ => Incoming::Ended(None, Closed::Broken),
    }
}
