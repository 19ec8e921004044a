//! WebSocket connections: streams, and the WebSocket API.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures_util::SinkExt;
use plimsoll_bounded::{Sender, reply};
use plimsoll_exchange::binance::server::{ApiError, SocketUrl, Used, parse_ws_request, write_ws_error};
use tokio::time::{Duration, Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tracing::debug;

use crate::engine::Command;
use crate::faults::{Asked, StreamStrike, Strike};
use crate::hub::NotOpened;
use crate::limits::{
    ANSWER_WITHIN, CONNECTION_LIFE, FRAMES_PER_FLUSH, HALF_OPEN_MOST, MESSAGES_PER_SECOND_MAX, PING_EVERY, PONG_WITHIN, WRITE_WITHIN,
};
use crate::outbox::{Next, Outbox};
use crate::server::{Port, Refusal, Wire, busy_though_done, refusal};

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

/// How a stream fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Well,
    /// Nothing comes for a while; then everything.
    Stalled,
    /// Nothing comes any more.
    Silent,
}

/// What goes wrong with a stream, and for how long.
struct Mood {
    opened: Instant,
    second: Interval,
    state: State,
    until: Instant,
}

impl Mood {
    fn new() -> Self {
        let opened = Instant::now();
        let mut second = interval_at(opened + SECOND, SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { opened, second, state: State::Well, until: opened }
    }
}

/// How often a stream's faults are asked for: their rates count by it.
const SECOND: Duration = Duration::from_secs(1);

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
    wire: Wire,
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
    pub(crate) async fn open(port: &Port, wire: Wire, url: SocketUrl) -> Result<Self, ApiError> {
        let (sender, receiver) = reply();
        let command = Command::Open { url: Box::new(url), reply: sender };
        port.commands.try_send(command).map_err(|_| ApiError::busy())?;
        match receiver.wait(ANSWER_WITHIN).await {
            Ok(Ok((slot, outbox))) => {
                let place = Place { slot, closes: port.closes.clone() };
                Ok(Self { slot, outbox, port: port.clone(), wire, _place: place })
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
        let mut mood = Mood::new();
        loop {
            // Stopping first; then what the client says, which is little and limited; then what goes wrong; then what it is told.
            tokio::select! {
                biased;
                () = self.port.stop.stopped() => return Err(Failure::End(End::away("the exchange stops"))),
                message = socket.recv() => self.hear(&mut pace, message)?,
                _ = mood.second.tick(), if self.port.faults.any() => self.suffer(&mut mood)?,
                () = sleep_until(mood.until), if mood.state != State::Well => mood = self.get_over(mood)?,
                next = self.outbox.next(), if mood.state != State::Stalled => match (mood.state, next) {
                    // It is thrown away, as if it had been lost on the way.
                    (State::Silent, Next::Frame(_)) => {}
                    (_, next) => self.tell(socket, next).await?,
                },
                _ = pace.ping.tick() => {
                    let ping = pace.ping()?;
                    write(socket, ping).await?;
                }
                () = sleep_until(pace.until) => return Err(Failure::End(End::away("24 hours are over"))),
            }
        }
    }

    /// Asks once a second what goes wrong.
    fn suffer(&self, mood: &mut Mood) -> Result<(), Failure> {
        if mood.state != State::Well {
            return Ok(());
        }
        let now = Instant::now();
        match self.port.faults.second(now.duration_since(mood.opened)) {
            None => {}
            Some(StreamStrike::Reset) => {
                self.wire.cut();
                return Err(Failure::Gone);
            }
            Some(StreamStrike::Stall(time)) => (mood.state, mood.until) = (State::Stalled, now + time),
            Some(StreamStrike::HalfOpen) => (mood.state, mood.until) = (State::Silent, now + HALF_OPEN_MOST),
        }
        Ok(())
    }

    /// What was wrong is over: after a stall it goes on, after silence it is cut.
    fn get_over(&self, mut mood: Mood) -> Result<Mood, Failure> {
        if mood.state == State::Silent {
            self.wire.cut();
            return Err(Failure::Gone);
        }
        mood.state = State::Well;
        Ok(mood)
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
pub(crate) async fn serve_api(mut socket: WebSocket, port: Port, wire: Wire) {
    let failure = match exchange_api(&mut socket, &port, &wire).await {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    part(socket, failure).await;
}

async fn exchange_api(socket: &mut WebSocket, port: &Port, wire: &Wire) -> Result<std::convert::Infallible, Failure> {
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
                if let Some(answer) = answer_api(port, wire, text.as_str()).await? {
                    write(socket, Message::Text(Utf8Bytes::from(answer))).await?;
                }
            }
            Message::Pong(_) => pace.pong_at = Instant::now(),
            Message::Ping(_) => {}
            Message::Binary(_) => return Err(Failure::End(End::policy("binary messages are not understood"))),
            Message::Close(_) => return Err(Failure::Gone),
        }
    }
}

/// Has a request carried out, or what a fault makes of it; `None` when it is never answered.
async fn answer_api(port: &Port, wire: &Wire, text: &str) -> Result<Option<String>, Failure> {
    let changes = ["order.place", "order.modify", "order.cancel"].iter().any(|method| text.contains(method));
    let strike = port.faults.request(Asked { changes, signed: text.contains("\"signature\"") });
    if let Some(refusal) = strike.and_then(refusal) {
        return refused_api(wire, text, refusal).map(Some);
    }
    let (sender, receiver) = reply();
    let command = Command::WsCall { text: text.to_owned(), reply: sender };
    let command = match strike {
        Some(Strike::LateRequest(late)) => Command::Late { due: Instant::now() + late, command: Box::new(command) },
        _ => command,
    };
    if port.commands.try_send(command).is_err() {
        return Err(Failure::End(End::policy("the exchange is too busy")));
    }
    let Ok(answer) = receiver.wait(ANSWER_WITHIN).await else { return Err(Failure::End(End::away("no answer in time"))) };
    match strike {
        Some(Strike::Reset) => refused_api(wire, text, Refusal::Cut).map(Some),
        Some(Strike::BusyAccepted { .. }) => refused_api(wire, text, busy_though_done(true)).map(Some),
        Some(Strike::TimeoutAccepted { told: true }) => refused_api(wire, text, Refusal::Error(ApiError::timeout())).map(Some),
        Some(Strike::TimeoutAccepted { told: false }) => Ok(None),
        Some(Strike::LateAnswer(late)) => {
            sleep(late).await;
            Ok(Some(answer))
        }
        _ => Ok(Some(answer)),
    }
}

/// Words a fault's refusal as the WebSocket API does, or cuts the connection.
fn refused_api(wire: &Wire, text: &str, refusal: Refusal) -> Result<String, Failure> {
    let error = match refusal {
        Refusal::Cut => {
            wire.cut();
            return Err(Failure::Gone);
        }
        Refusal::Error(error) => error,
        Refusal::Said(429, ..) => ApiError::too_many_requests(2_400),
        Refusal::Said(status, ..) => ApiError { status, ..ApiError::busy() },
    };
    let id = match parse_ws_request(text) {
        Ok(request) => request.id,
        Err((id, _)) => id,
    };
    let mut out = String::new();
    write_ws_error(&mut out, &id, &error, Used { weight_limit: 2_400, weight: 0 });
    Ok(out)
}
