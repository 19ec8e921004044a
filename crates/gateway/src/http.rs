use crate::config::{Endpoint, GatewayConfig};
use crate::dial::Dialer;
use crate::limits::{CONNECT_TIMEOUT, HTTP_BUFFER_MAX, WARM_CONNS, WARM_FIRST, WARM_MAX};
use crate::work::{Answer, Body, Done, Requester, Work};
use futures_util::future::{AbortHandle, abortable};
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use plimsoll_exchange::binance::encode::Method as Verb;
use plimsoll_exchange::session::limits::{ORDER_REQUESTS_MAX, REQUESTS_MAX};
use plimsoll_exchange::session::{HttpRequest, RequestId, Sent, read_headers};
use std::time::Instant;
use tokio::time::{timeout, timeout_at};

const API_KEY: HeaderName = HeaderName::from_static("x-mbx-apikey");

/// The HTTP/1.1 connections: one request at a time on each, kept open between requests. The first
/// [`ORDER_REQUESTS_MAX`] are for orders, and [`WARM_CONNS`] of these are opened in advance and again when lost.
///
/// # Bounds
/// [`REQUESTS_MAX`] connections; the session never has more requests on the way.
pub(crate) struct Http {
    end: Endpoint,
    host: HeaderValue,
    key: HeaderValue,
    dialer: Dialer,
    slots: [Slot; REQUESTS_MAX],
    pub(crate) opened: u64,
    pub(crate) open_failures: u64,
}

#[derive(Default)]
struct Slot {
    state: State,
    generation: u64,
    abort: Option<AbortHandle>,
    warm_at: Option<Instant>,
    warm_failures: u32,
}

#[derive(Default)]
enum State {
    #[default]
    Down,
    /// Perhaps with the request that it is opened for, and when that must be answered.
    Opening(Option<(HttpRequest, Instant)>),
    Idle(Requester),
    Busy,
}

/// A request that never left.
pub(crate) struct NotSent(pub(crate) RequestId);

impl Http {
    pub(crate) fn new(config: &GatewayConfig, dialer: Dialer, now: Instant) -> Self {
        let mut slots: [Slot; REQUESTS_MAX] = std::array::from_fn(|_| Slot::default());
        for slot in slots.iter_mut().take(WARM_CONNS) {
            slot.warm_at = Some(now);
        }
        let host = HeaderValue::from_str(&config.rest.authority).unwrap_or(HeaderValue::from_static(""));
        Self { end: config.rest.clone(), host, key: config.key().clone(), dialer, slots, opened: 0, open_failures: 0 }
    }

    /// Sends a request on an idle connection, or opens one for it.
    pub(crate) fn send(&mut self, request: HttpRequest, now: Instant, work: &Work) -> Result<(), NotSent> {
        let deadline = now + request.timeout;
        let range = if request.lane.is_order() { 0..ORDER_REQUESTS_MAX } else { ORDER_REQUESTS_MAX..REQUESTS_MAX };
        let ready = |s: &Slot| matches!(&s.state, State::Idle(r) if !r.is_closed());
        let free = |s: &Slot| matches!(s.state, State::Down | State::Idle(_) | State::Opening(None));
        let find = |want: &dyn Fn(&Slot) -> bool| range.clone().find(|n| self.slots.get(*n).is_some_and(want));
        // Open first; else one that is being opened or can be.
        let Some(n) = find(&ready).or_else(|| find(&free)) else { return Err(NotSent(request.id)) };
        let Some(slot) = self.slots.get_mut(n) else { return Err(NotSent(request.id)) };
        match std::mem::replace(&mut slot.state, State::Busy) {
            State::Idle(requester) if !requester.is_closed() => self.write(n, requester, request, deadline, work),
            State::Opening(_) => {
                slot.state = State::Opening(Some((request, deadline)));
                Ok(())
            }
            State::Idle(_) | State::Down | State::Busy => {
                self.open(n, Some((request, deadline)), now, work);
                Ok(())
            }
        }
    }

    /// Opens connections in advance that are due.
    pub(crate) fn warm(&mut self, now: Instant, work: &Work) {
        for n in 0..WARM_CONNS {
            let due = self.slots.get(n).is_some_and(|s| matches!(s.state, State::Down) && s.warm_at.is_some_and(|at| at <= now));
            if due {
                self.open(n, None, now, work);
            }
        }
    }

    /// When the next connection is due to be opened in advance.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.slots.iter().filter(|s| matches!(s.state, State::Down)).filter_map(|s| s.warm_at).min()
    }

    /// Takes a connection that was opened, or not; the request that waited for it may have failed.
    pub(crate) fn opened(
        &mut self,
        n: usize,
        opened: Option<Box<(Requester, crate::work::HttpConnection)>>,
        now: Instant,
        work: &Work,
    ) -> Result<(), NotSent> {
        let Some(slot) = self.slots.get_mut(n) else { return Ok(()) };
        let State::Opening(waiting) = std::mem::take(&mut slot.state) else { return Ok(()) };
        let Some(opened) = opened else {
            self.open_failures += 1;
            if n < WARM_CONNS {
                let wait = WARM_FIRST.saturating_mul(1 << slot.warm_failures.min(10)).min(WARM_MAX);
                slot.warm_failures = slot.warm_failures.saturating_add(1);
                slot.warm_at = Some(now + wait);
            }
            return waiting.map_or(Ok(()), |(request, _)| Err(NotSent(request.id)));
        };
        let (requester, connection) = *opened;
        self.opened += 1;
        slot.generation += 1;
        slot.warm_failures = 0;
        slot.warm_at = None;
        let generation = slot.generation;
        let (connection, abort) = abortable(connection);
        slot.abort = Some(abort);
        work.push(Box::pin(async move {
            // How it ended is told by the answer that it did not give.
            drop(connection.await);
            Done::HttpEnded { slot: n, generation }
        }));
        match waiting {
            Some((request, deadline)) => {
                slot.state = State::Busy;
                self.write(n, requester, request, deadline, work)
            }
            None => {
                slot.state = State::Idle(requester);
                Ok(())
            }
        }
    }

    /// Notes that a connection has ended. One that is busy still owes its answer, which fails by itself.
    pub(crate) fn ended(&mut self, n: usize, generation: u64, now: Instant) {
        let Some(slot) = self.slots.get_mut(n).filter(|s| s.generation == generation) else { return };
        slot.abort = None;
        if matches!(slot.state, State::Idle(_)) {
            slot.state = State::Down;
            slot.lost(n, now);
        }
    }

    /// Takes a connection back after its answer; `None` when it cannot be used again.
    pub(crate) fn answered(&mut self, n: usize, generation: u64, requester: Option<Requester>, now: Instant) {
        let Some(slot) = self.slots.get_mut(n).filter(|s| s.generation == generation) else { return };
        match requester.filter(|r| !r.is_closed()) {
            Some(requester) => slot.state = State::Idle(requester),
            None => {
                slot.state = State::Down;
                if let Some(abort) = slot.abort.take() {
                    abort.abort();
                }
                slot.lost(n, now);
            }
        }
    }

    fn open(&mut self, n: usize, waiting: Option<(HttpRequest, Instant)>, now: Instant, work: &Work) {
        let Some(slot) = self.slots.get_mut(n) else { return };
        slot.warm_at = None;
        let limit = waiting.as_ref().map_or(CONNECT_TIMEOUT, |(_, deadline)| deadline.saturating_duration_since(now).min(CONNECT_TIMEOUT));
        slot.state = State::Opening(waiting);
        let (dialer, end) = (self.dialer.clone(), self.end.clone());
        work.push(Box::pin(async move {
            let opened = timeout(limit, async {
                let stream = dialer.dial(&end).await.ok()?;
                let mut builder = hyper::client::conn::http1::Builder::new();
                builder.max_buf_size(HTTP_BUFFER_MAX);
                builder.handshake(TokioIo::new(stream)).await.ok()
            });
            let opened = opened.await.ok().flatten().map(Box::new);
            Done::HttpOpened { slot: n, opened }
        }));
    }

    /// Writes a request: `try_send_request` queues it at once, and the connection, polled next, puts it on the socket.
    fn write(&mut self, n: usize, mut requester: Requester, request: HttpRequest, deadline: Instant, work: &Work) -> Result<(), NotSent> {
        let id = request.id;
        let (generation, message) = match (self.slots.get(n), self.message(&request)) {
            (Some(slot), Some(message)) => (slot.generation, message),
            _ => {
                if let Some(slot) = self.slots.get_mut(n) {
                    slot.state = State::Idle(requester);
                }
                return Err(NotSent(id));
            }
        };
        let response = requester.try_send_request(message);
        let body_max = request.body_max;
        work.push(Box::pin(async move {
            let exchange = async {
                let response = match response.await {
                    Ok(response) => response,
                    Err(mut error) => return Err(if error.take_message().is_some() { Sent::No } else { Sent::Maybe }),
                };
                let (head, body) = response.into_parts();
                let body = Limited::new(body, body_max).collect().await.map_err(|_| Sent::Maybe)?.to_bytes();
                let (used, retry_after) = read_headers(|name| text(&head.headers, name));
                Ok(Answer { status: head.status.as_u16(), used, retry_after, body })
            };
            let answer = timeout_at(deadline.into(), exchange).await.unwrap_or(Err(Sent::Maybe));
            let mut reusable = None;
            if answer.is_ok() && matches!(timeout_at(deadline.into(), requester.ready()).await, Ok(Ok(()))) {
                reusable = Some(requester);
            }
            Done::Answered { slot: n, generation, request: id, answer, requester: reusable }
        }));
        Ok(())
    }

    fn message(&self, request: &HttpRequest) -> Option<Request<Body>> {
        let mut message = Request::new(Empty::new());
        *message.method_mut() = match request.method {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Delete => Method::DELETE,
        };
        *message.uri_mut() = Uri::from(self.end.path(&request.target)?);
        message.headers_mut().insert(HOST, self.host.clone());
        if request.api_key {
            message.headers_mut().insert(API_KEY, self.key.clone());
        }
        Some(message)
    }
}

impl Slot {
    fn lost(&mut self, n: usize, now: Instant) {
        if n < WARM_CONNS {
            self.warm_at = Some(now + WARM_FIRST);
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
