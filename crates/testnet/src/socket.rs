//! WebSocket connections: streams, and the WebSocket API.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures_util::SinkExt;
use plimsoll_bounded::{Sender, reply};
use plimsoll_exchange::binance::server::{ApiError, SocketUrl};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout};
use tracing::debug;

use crate::engine::Command;
use crate::hub::NotOpened;
use crate::limits::{ANSWER_WITHIN, CONNECTION_LIFE, FRAMES_PER_FLUSH, MESSAGES_PER_SECOND_MAX, PING_EVERY, PONG_WITHIN, WRITE_WITHIN};
use crate::outbox::{Next, Outbox};
use crate::server::Port;

/// Why a connection ends, as the client is told.
struct End {
    code: u16,
    reason: &'static str,
}

impl End {
    const fn policy(reason: &'static str) -> Self {
        Self { code: close_code::POLICY, reason }
    }

    const fn away(reason: &'static str) -> Self {
        Self { code: close_code::AWAY, reason }
    }
}

/// What the far side did, or that it has gone without a word.
enum Failure {
    End(End),
    Gone,
}

/// Pings, pongs and the end of a connection's life.
struct Pace {
    ping: Interval,
    pong_at: Instant,
    until: Instant,
    second: Instant,
    messages: u32,
}

impl Pace {
    fn new() -> Self {
        let now = Instant::now();
        let mut ping = interval_at(now + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ping, pong_at: now, until: now + CONNECTION_LIFE, second: now, messages: 0 }
    }

    /// Counts a message from the client.
    fn message(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if now.duration_since(self.second).as_secs() >= 1 {
            (self.second, self.messages) = (now, 0);
        }
        self.messages += 1;
        if self.messages > MESSAGES_PER_SECOND_MAX { Err(Failure::End(End::policy("Too many requests"))) } else { Ok(()) }
    }

    /// A ping is due: looks for the pongs of those before.
    fn ping(&self) -> Result<Message, Failure> {
        let silent = Instant::now().duration_since(self.pong_at) > PONG_WITHIN;
        if silent { Err(Failure::End(End::policy("Pong timeout"))) } else { Ok(Message::Ping(Bytes::from_static(b"plimsoll"))) }
    }
}

async fn write(socket: &mut WebSocket, message: Message) -> Result<(), Failure> {
    match timeout(WRITE_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Failure::Gone),
    }
}

/// Says why, if the far side is still there to hear it.
async fn part(mut socket: WebSocket, failure: Failure) {
    let Failure::End(end) = failure else { return };
    debug!(reason = end.reason, "connection closed");
    let frame = CloseFrame { code: end.code, reason: Utf8Bytes::from_static(end.reason) };
    if write(&mut socket, Message::Close(Some(frame))).await.is_err() {
        debug!("the client had gone already");
    }
}

/// A stream connection: a place in the hub, given back when this is dropped.
pub(crate) struct Connection {
    slot: usize,
    outbox: Arc<Outbox>,
    port: Port,
    _place: Place,
}

/// Tells the hub that a connection has ended, however it ended.
struct Place {
    slot: usize,
    closes: Sender<usize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        // There is room for every connection; when the engine has gone, so has its hub.
        if self.closes.try_send(self.slot).is_err() {
            debug!(slot = self.slot, "the engine had gone before a connection");
        }
    }
}

impl Connection {
    /// Takes a place for an address.
    ///
    /// # Errors
    /// No place is left, or the address asks for what is not served.
    pub(crate) async fn open(port: &Port, url: SocketUrl) -> Result<Self, ApiError> {
        let (sender, receiver) = reply();
        let command = Command::Open { url: Box::new(url), reply: sender };
        port.commands.try_send(command).map_err(|_| ApiError::busy())?;
        match receiver.wait(ANSWER_WITHIN).await {
            Ok(Ok((slot, outbox))) => {
                let place = Place { slot, closes: port.closes.clone() };
                Ok(Self { slot, outbox, port: port.clone(), _place: place })
            }
            Ok(Err(NotOpened::Full)) => Err(ApiError { status: 503, ..ApiError::busy() }),
            Ok(Err(NotOpened::Refused(why))) => Err(ApiError::refused(-1130, why)),
            Err(_) => Err(ApiError::timeout()),
        }
    }

    /// Serves the connection to its end.
    ///
    /// # Cancel safety
    /// Dropped, its place is given back.
    pub(crate) async fn serve(self, mut socket: WebSocket) {
        let failure = match self.exchange(&mut socket).await {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        part(socket, failure).await;
    }

    async fn exchange(&self, socket: &mut WebSocket) -> Result<std::convert::Infallible, Failure> {
        let mut pace = Pace::new();
        loop {
            // Stopping first; then what the client says, which is little and limited; then what it is told.
            tokio::select! {
                biased;
                () = self.port.stop.stopped() => return Err(Failure::End(End::away("the exchange stops"))),
                message = socket.recv() => self.hear(&mut pace, message)?,
                next = self.outbox.next() => self.tell(socket, next).await?,
                _ = pace.ping.tick() => {
                    let ping = pace.ping()?;
                    write(socket, ping).await?;
                }
                () = sleep_until(pace.until) => return Err(Failure::End(End::away("24 hours are over"))),
            }
        }
    }

    fn hear(&self, pace: &mut Pace, message: Option<Result<Message, axum::Error>>) -> Result<(), Failure> {
        let Some(Ok(message)) = message else { return Err(Failure::Gone) };
        match message {
            Message::Text(text) => {
                pace.message()?;
                let command = Command::Control { slot: self.slot, text: text.to_string() };
                self.port.commands.try_send(command).map(|_| ()).map_err(|_| Failure::End(End::policy("the exchange is too busy")))
            }
            Message::Pong(_) => {
                pace.pong_at = Instant::now();
                pace.message()
            }
            // The library has queued the pong.
            Message::Ping(_) => pace.message(),
            Message::Binary(_) => Err(Failure::End(End::policy("binary messages are not understood"))),
            Message::Close(_) => Err(Failure::Gone),
        }
    }

    /// Writes a frame and what waits behind it, then flushes.
    async fn tell(&self, socket: &mut WebSocket, first: Next) -> Result<(), Failure> {
        let writing = async {
            let mut next = Some(first);
            for _ in 0..FRAMES_PER_FLUSH {
                match next {
                    Some(Next::Frame(text)) => socket.feed(Message::Text(text)).await.map_err(|_| Failure::Gone)?,
                    Some(Next::Close(reason)) => return Err(Failure::End(End::policy(reason))),
                    None => break,
                }
                next = self.outbox.try_next();
            }
            if let Some(Next::Frame(text)) = next {
                socket.feed(Message::Text(text)).await.map_err(|_| Failure::Gone)?;
            }
            socket.flush().await.map_err(|_| Failure::Gone)
        };
        timeout(WRITE_WITHIN, writing).await.unwrap_or(Err(Failure::Gone))
    }
}

/// Serves a connection of the WebSocket API to its end: one request after the other.
pub(crate) async fn serve_api(mut socket: WebSocket, port: Port) {
    let failure = match exchange_api(&mut socket, &port).await {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    part(socket, failure).await;
}

async fn exchange_api(socket: &mut WebSocket, port: &Port) -> Result<std::convert::Infallible, Failure> {
    let mut pace = Pace::new();
    loop {
        // Stopping first; then requests.
        let message = tokio::select! {
            biased;
            () = port.stop.stopped() => return Err(Failure::End(End::away("the exchange stops"))),
            message = socket.recv() => message,
            _ = pace.ping.tick() => {
                let ping = pace.ping()?;
                write(socket, ping).await?;
                continue;
            }
            () = sleep_until(pace.until) => return Err(Failure::End(End::away("24 hours are over"))),
        };
        let Some(Ok(message)) = message else { return Err(Failure::Gone) };
        match message {
            Message::Text(text) => {
                let (sender, receiver) = reply();
                let command = Command::WsCall { text: text.to_string(), reply: sender };
                if port.commands.try_send(command).is_err() {
                    return Err(Failure::End(End::policy("the exchange is too busy")));
                }
                let Ok(answer) = receiver.wait(ANSWER_WITHIN).await else { return Err(Failure::End(End::away("no answer in time"))) };
                write(socket, Message::Text(Utf8Bytes::from(answer))).await?;
            }
            Message::Pong(_) => pace.pong_at = Instant::now(),
            Message::Ping(_) => {}
            Message::Binary(_) => return Err(Failure::End(End::policy("binary messages are not understood"))),
            Message::Close(_) => return Err(Failure::Gone),
        }
    }
}
