//! One live subscriber: sends it frames, listens for what it wants to watch, lets it go when it is too slow.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use plimsoll_bounded::{Ended, ReplyReceiver, Subscriber, Task};
use plimsoll_market::Symbol;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::limits::{
    CLIENT_MESSAGES_PER_10S, LIVE_SILENCE_MAX, PASS_LOOKED_EVERY, PING_INTERVAL, SEND_TIMEOUT, UPGRADE_TIMEOUT, WATCH_MAX,
};
use crate::live::{Frame, Live, Watches};
use crate::routes::Pass;

/// What a subscriber can say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Symbols to watch in detail from now on; at most [`WATCH_MAX`].
    watch: Vec<String>, // tidy: bounded by CLIENT_MESSAGE_BYTES
}

/// Why a session ends.
pub(crate) enum End {
    /// The subscriber went, or its socket failed.
    Gone,
    /// It did not take a frame, or answer a ping, in time.
    Slow,
    /// It sent too much.
    Chatty,
    /// A newer subscriber has its place.
    Replaced,
    /// Memory is short.
    Shed,
    /// The login it came with has ended.
    LoggedOut,
    /// The server stops.
    Stopping,
}

impl End {
    /// Says good-bye and why.
    pub(crate) async fn say(self, socket: &mut WebSocket) {
        let (code, reason) = match self {
            Self::Gone => return,
            Self::Slow => (close_code::POLICY, "too_slow"),
            Self::Chatty => (close_code::POLICY, "too_many_messages"),
            Self::Replaced => (close_code::AGAIN, "replaced_by_newer"),
            Self::Shed => (close_code::AGAIN, "memory_short"),
            Self::LoggedOut => (close_code::POLICY, "logged_out"),
            Self::Stopping => (close_code::AWAY, "stopping"),
        };
        // A subscriber that does not take even this has gone; nothing is left to tell it.
        if send(socket, Live::bye(reason)).await.is_ok() {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            drop(timeout(SEND_TIMEOUT, socket.send(close)).await);
        }
    }
}

pub(crate) struct Session {
    live: Arc<Live>,
    watches: Watches,
    frames: Subscriber<Frame>,
    /// The last sweep it knows, and whether it has lost frames since.
    sweep: u64,
    behind: bool,
    pass: Pass,
}

impl Session {
    /// Waits for the socket and serves it until it ends.
    pub(crate) async fn run(live: Arc<Live>, socket: ReplyReceiver<WebSocket>, watch: Vec<Symbol>, pass: Pass, task: Task) {
        task.pulse.expect_every(LIVE_SILENCE_MAX);
        let Ok(mut socket) = socket.wait(UPGRADE_TIMEOUT).await else { return };
        // Subscribed before the first status is read, so that no change falls in between.
        let frames = live.frames.subscribe();
        let sweep = live.sweeps();
        let mut session = Self { watches: Watches::none(Arc::clone(&live)), live: Arc::clone(&live), frames, sweep, behind: false, pass };
        let end = tokio::select! {
            // Who is sent away must not hold on by being slow; what it was being told stays in the socket's buffer.
            biased;
            () = live.closed() => End::Shed,
            end = session.live(&mut socket, &watch, &task) => end,
        };
        // What waits for it goes before the good-bye, which may take a while.
        drop(session);
        task.pulse.beat();
        end.say(&mut socket).await;
    }

    async fn live(&mut self, socket: &mut WebSocket, watch: &[Symbol], task: &Task) -> End {
        match self.greet(socket, watch).await {
            Ok(()) => self.serve(socket, task).await,
            Err(end) => end,
        }
    }

    async fn greet(&mut self, socket: &mut WebSocket, watch: &[Symbol]) -> Result<(), End> {
        for text in self.live.greeting() {
            send(socket, text).await?;
        }
        self.watch(socket, watch).await
    }

    async fn watch(&mut self, socket: &mut WebSocket, wanted: &[Symbol]) -> Result<(), End> {
        for symbol in self.watches.replace(wanted) {
            if let Some(text) = self.live.opening(&symbol) {
                send(socket, text).await?;
            }
        }
        Ok(())
    }

    async fn serve(&mut self, socket: &mut WebSocket, task: &Task) -> End {
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut answered = true;
        let (mut messages, mut counted_from) = (0, Instant::now());
        let mut looked = Instant::now();
        loop {
            task.pulse.beat();
            if looked.elapsed() >= PASS_LOOKED_EVERY {
                looked = Instant::now();
                if !self.pass.stands() {
                    return End::LoggedOut;
                }
            }
            let outcome = tokio::select! {
                // A stop first; then what the subscriber wants, which is little and limited; then frames, which never end.
                biased;
                () = task.stop.stopped() => Err(End::Stopping),
                message = socket.recv() => {
                    if counted_from.elapsed().as_secs() >= 10 {
                        (messages, counted_from) = (0, Instant::now());
                    }
                    messages += 1;
                    answered = true;
                    match message {
                        _ if messages > CLIENT_MESSAGES_PER_10S => Err(End::Chatty),
                        Some(Ok(Message::Text(text))) => self.wish(socket, &text).await,
                        Some(Ok(Message::Binary(_))) => send(socket, Live::error("messages are JSON text")).await,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    }
                }
                received = self.frames.recv() => match received {
                    Ok(received) => self.forward(socket, received.item, received.missed).await,
                    Err(Ended::Replaced) => Err(End::Replaced),
                    Err(Ended::Closed) => Err(End::Stopping),
                },
                _ = ping.tick() => {
                    if std::mem::replace(&mut answered, false) {
                        ping_once(socket).await
                    } else {
                        Err(End::Slow)
                    }
                }
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    async fn forward(&mut self, socket: &mut WebSocket, frame: Frame, missed: u64) -> Result<(), End> {
        let sweep = self.live.sweeps();
        if std::mem::replace(&mut self.sweep, sweep) != sweep && std::mem::take(&mut self.behind) {
            return Err(End::Slow);
        }
        if missed > 0 {
            self.behind = true;
            // The whole picture is told again, newer than this frame, which therefore goes too.
            send(socket, Live::lost(missed + 1)).await?;
            let watched: arrayvec::ArrayVec<Symbol, WATCH_MAX> = self.watches.symbols().iter().copied().collect();
            self.watches.replace(&[]);
            return self.greet(socket, &watched).await;
        }
        match frame.watchers_of {
            Some(symbol) if !self.watches.symbols().contains(&symbol) => Ok(()),
            Some(_) | None => send(socket, frame.text).await,
        }
    }

    async fn wish(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), End> {
        let Ok(wish) = serde_json::from_str::<Wish>(text) else {
            return send(socket, Live::error("say {\"watch\":[\"SYMBOL\"]}")).await;
        };
        if wish.watch.len() > WATCH_MAX {
            return send(socket, Live::error("too many symbols: at most 4 are watched at once")).await;
        }
        let mut wanted = Vec::new();
        for name in &wish.watch {
            match Symbol::new(name).ok().filter(|symbol| self.live.knows(symbol)) {
                Some(symbol) => wanted.push(symbol),
                None => send(socket, Live::error("a symbol is not traded here")).await?,
            }
        }
        self.watch(socket, &wanted).await
    }
}

pub(crate) async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> Result<(), End> {
    give(socket, Message::Text(text)).await
}

/// Asks for a sign of life.
pub(crate) async fn ping_once(socket: &mut WebSocket) -> Result<(), End> {
    give(socket, Message::Ping(bytes::Bytes::new())).await
}

async fn give(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}
