//! Lines of the log: those that are stored, and those that are written now.

use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::response::Response;
use http::StatusCode;
use plimsoll_bounded::{ReplyReceiver, Task, TaskSpec, reply};
use plimsoll_market::{LogLevel, Time};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::auth::Caller;
use crate::dto::LogDto;
use crate::error::ApiError;
use crate::extract::Query;
use crate::limits::{
    CLIENT_MESSAGE_BYTES, CLIENT_MESSAGES_PER_10S, LIVE_SILENCE_MAX, LOG_ROWS, LOG_WRITE_BUFFER_BYTES, LOGS_CONTAINS_MAX, LOGS_DEFAULT,
    LOGS_MAX, LOGS_RANGE_MAX, PASS_LOOKED_EVERY, PING_INTERVAL, UPGRADE_TIMEOUT,
};
use crate::live::Live;
use crate::ports::{LogListener, LogNews, LogsWanted, PageRequest};
use crate::routes::{App, Pass, cursor, number, too_many, written};
use crate::session::{End, ping_once, send};
use crate::when;

/// `?level=warn&contains=TEXT&from=INSTANT&to=INSTANT&limit=100&before=CURSOR`. Text, so that a wrong figure is answered with a
/// sentence.
#[derive(Deserialize)]
pub(crate) struct LogsQuery {
    level: Option<String>,
    contains: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    before: Option<String>,
}

impl LogsQuery {
    fn wanted(&self, now: Time) -> Result<LogsWanted, ApiError> {
        let instant = |key: &str, text: &Option<String>| {
            let read = |text: &String| when::parse(text).ok_or_else(|| ApiError::bad_query(key, text, when::WANTED));
            text.as_ref().map(read).transpose()
        };
        // What is said in this millisecond is asked for, too.
        let to = instant("to", &self.to)?.unwrap_or_else(|| Time::from_millis(now.millis() + 1));
        let earlier = Time::from_millis(to.millis().saturating_sub(LOGS_RANGE_MAX.as_millis() as u64));
        let from = instant("from", &self.from)?.unwrap_or(earlier);
        if from >= to || to.since(from) > LOGS_RANGE_MAX {
            let value = format!("{} to={}", from.millis(), to.millis());
            return Err(ApiError::bad_query("from", &value, "an instant before `to`, at most 7 days"));
        }
        let limit = number(self.limit.as_deref(), "limit", 1..=LOGS_MAX as u64, "a number from 1 to 1000")?;
        let page = PageRequest { limit: limit.map_or(LOGS_DEFAULT, |limit| limit as usize), before: cursor(self.before.as_deref())? };
        Ok(LogsWanted { from, to, level: level(self.level.as_deref())?, contains: sought(self.contains.as_deref())?, page })
    }
}

/// The least level; all of them when the request does not say.
fn level(text: Option<&str>) -> Result<LogLevel, ApiError> {
    let read = |text: &str| LogLevel::parse(text).ok_or_else(|| ApiError::bad_query("level", text, "error, warn, info, debug or trace"));
    text.map_or(Ok(LogLevel::Trace), read)
}

fn sought(text: Option<&str>) -> Result<String, ApiError> {
    let text = text.unwrap_or_default();
    if text.len() > LOGS_CONTAINS_MAX {
        return Err(ApiError::bad_query("contains", text, "a text of at most 200 bytes"));
    }
    Ok(text.to_owned())
}

pub(crate) async fn list(State(shared): App, Query(query): Query<LogsQuery>) -> Result<Response, ApiError> {
    let wanted = query.wanted(shared.ports.source.now())?;
    let request = wanted.page;
    let turn = shared.turn(request.limit * LOG_ROWS).await?;
    let page = shared.ports.history.logs(wanted).await?;
    shared.send_page(turn, &written(page, request))
}

/// `?level=info&contains=TEXT`: what a viewer wants to see.
#[derive(Deserialize)]
pub(crate) struct LiveQuery {
    level: Option<String>,
    contains: Option<String>,
}

pub(crate) async fn live(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Query(query): Query<LiveQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = shared.may_upgrade(upgrade)?;
    let (least, contains) = (level(query.level.as_deref())?, sought(query.contains.as_deref())?.to_ascii_lowercase());
    let listener = shared.ports.logs.listen().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the log cannot be followed now").hint("ask /api/logs instead")
    })?;
    let (sender, receiver) = reply();
    let viewer = LogViewer { live: Arc::clone(&shared.live), listener, least, contains, pass: shared.pass(caller) };
    let spec = TaskSpec { name: "web/logs", group: "web" };
    if let Err(error) = shared.log_tasks.spawn(spec, |task| viewer.run(receiver, task)) {
        tracing::warn!(%error, "viewer of the log refused");
        return Err(too_many());
    }
    let upgrade = upgrade
        .max_message_size(CLIENT_MESSAGE_BYTES)
        .max_frame_size(CLIENT_MESSAGE_BYTES)
        .read_buffer_size(CLIENT_MESSAGE_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(LOG_WRITE_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(async move |socket| {
        // Closed means that the viewer stopped waiting: dropping the socket closes it.
        drop(sender.send(socket));
    }))
}

/// What a viewer is told beside good-bye.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told<'a> {
    /// The first: what is said from now on follows.
    Hello,
    /// A line.
    Log(&'a LogDto),
    /// Lines that this viewer was too slow for; `/api/logs` has those that are stored.
    Lost { lines: u64 },
}

fn encode(told: &Told<'_>) -> Utf8Bytes {
    // Texts and numbers are always written; should they not be, the viewer sees an empty frame.
    serde_json::to_string(told).unwrap_or_default().into()
}

/// One who follows the log.
struct LogViewer {
    live: Arc<Live>,
    listener: Box<dyn LogListener>,
    least: LogLevel,
    /// In lower case.
    contains: String,
    pass: Pass,
}

impl LogViewer {
    /// Waits for the socket and serves it until it ends.
    async fn run(self, socket: ReplyReceiver<WebSocket>, task: Task) {
        task.pulse.expect_every(LIVE_SILENCE_MAX);
        let Ok(mut socket) = socket.wait(UPGRADE_TIMEOUT).await else { return };
        let Self { live, mut listener, least, contains, pass } = self;
        let end = tokio::select! {
            // Who is sent away must not hold on by being slow.
            biased;
            () = live.closed() => End::Shed,
            end = serve(&mut socket, &mut listener, (least, &contains), &pass, &task) => end,
        };
        // Its place goes before the good-bye, which may take a while.
        drop(listener);
        task.pulse.beat();
        end.say(&mut socket).await;
    }
}

async fn serve(
    socket: &mut WebSocket,
    listener: &mut Box<dyn LogListener>,
    (least, contains): (LogLevel, &str),
    pass: &Pass,
    task: &Task,
) -> End {
    if let Err(end) = send(socket, encode(&Told::Hello)).await {
        return end;
    }
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
            if !pass.stands() {
                return End::LoggedOut;
            }
        }
        let outcome = tokio::select! {
            // A stop first; then what the viewer says, which means nothing but that it lives; then lines, which never end.
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
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    Some(Ok(_)) => Ok(()),
                }
            }
            news = listener.next() => match news {
                LogNews::Line { line, level, missed } => tell(socket, &line, level >= least, contains, missed).await,
                LogNews::Replaced => Err(End::Replaced),
                LogNews::Ended => Err(End::Stopping),
            },
            _ = ping.tick() => {
                if std::mem::replace(&mut answered, false) { ping_once(socket).await } else { Err(End::Slow) }
            }
        };
        if let Err(end) = outcome {
            return end;
        }
    }
}

async fn tell(socket: &mut WebSocket, line: &LogDto, urgent: bool, contains: &str, missed: u64) -> Result<(), End> {
    if missed > 0 {
        send(socket, encode(&Told::Lost { lines: missed })).await?;
    }
    if urgent && (contains.is_empty() || line.text.to_ascii_lowercase().contains(contains)) {
        send(socket, encode(&Told::Log(line))).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(change: impl FnOnce(&mut LogsQuery)) -> Result<LogsWanted, ApiError> {
        let mut query = LogsQuery { level: None, contains: None, from: None, to: None, limit: None, before: None };
        change(&mut query);
        query.wanted(Time::from_millis(1_700_000_000_000))
    }

    #[test]
    fn without_a_word_the_last_week_is_asked_for() {
        let LogsWanted { from, to, level, contains, page } = wanted(|_| {}).unwrap();
        assert_eq!((to.millis(), to.since(from)), (1_700_000_000_001, LOGS_RANGE_MAX));
        assert_eq!((level, contains.as_str(), page.limit, page.before), (LogLevel::Trace, "", LOGS_DEFAULT, None));
    }

    #[test]
    fn a_range_is_a_week_at_most() {
        let range = |from: u64, to: u64| wanted(|query| (query.from, query.to) = (Some(from.to_string()), Some(to.to_string()))).is_ok();
        let week = LOGS_RANGE_MAX.as_millis() as u64;
        assert!(range(0, week) && range(5, 6));
        assert!(!range(0, week + 1) && !range(6, 6) && !range(7, 6));
    }
}
