//! The one task that owns the venue: takes requests, moves the market, tells what happened.

use std::io;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use plimsoll_bounded::{List, Receiver, ReplySender, Task};
use plimsoll_exchange::binance::server::SocketUrl;
use plimsoll_market::Time;
use plimsoll_sim::venue::Venue;
use thiserror::Error;
use tokio::time::{Instant as Alarm, sleep_until};
use tracing::error;

use crate::desk::{Call, Desk, Reply};
use crate::hub::NotOpened;
use crate::limits::{COMMANDS_PER_TURN, STEP_LEAST, STEP_MOST};
use crate::outbox::Outbox;

/// UTC when it was made plus what a monotonic clock has counted since: never goes backwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Time,
    from: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { base: Time::ZERO + since_epoch, from: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        self.base + self.from.elapsed()
    }
}

/// Something that a look at the venue does.
pub(crate) type Look = Box<dyn FnOnce(&Venue) + Send>;

/// What the engine is asked for.
pub(crate) enum Command {
    /// To answer a request over HTTP.
    Call {
        /// The request.
        call: Box<Call>,
        /// Where the answer goes.
        reply: ReplySender<Reply>,
    },
    /// To answer a request over HTTP of somebody who watches.
    Audit {
        /// The request.
        call: Box<Call>,
        /// Where the answer goes.
        reply: ReplySender<Reply>,
    },
    /// To do something later.
    Late {
        /// When.
        due: Alarm,
        /// What.
        command: Box<Self>,
    },
    /// To answer a message of the WebSocket API.
    WsCall {
        /// The message.
        text: String,
        /// Where the answer goes.
        reply: ReplySender<String>,
    },
    /// To open a stream connection.
    Open {
        /// Its address.
        url: Box<SocketUrl>,
        /// Where its place and outbox go.
        reply: ReplySender<Result<(usize, std::sync::Arc<Outbox>), NotOpened>>,
    },
    /// To carry out a control message.
    Control {
        /// The connection's place.
        slot: usize,
        /// The message.
        text: String,
    },
    /// To count the stream connections.
    Connections(ReplySender<usize>),
    /// To let somebody look at the venue.
    Look(Look),
}

/// Why the engine ended by itself.
#[derive(Debug, Error)]
#[error("the journal cannot be written: see that the disk is not full: {0}")]
pub(crate) struct JournalFailed(#[source] io::Error);

/// The engine's inputs.
pub(crate) struct Inputs {
    pub(crate) commands: Receiver<Command>,
    /// Connections that have ended. A lane of its own, with room for all of them, so that none stays open by mistake.
    pub(crate) closes: Receiver<usize>,
    /// Requests that a fault holds back. A lost connection does not take them back, as on the way to a real exchange.
    pub(crate) late: List<Late>,
    pub(crate) clock: Clock,
}

/// Something to do later.
pub(crate) struct Late {
    due: Alarm,
    command: Box<Command>,
}

impl Inputs {
    /// Puts off what is to be done later, as long as there is room; returns what is to be done now.
    fn put_off(&mut self, command: Command) -> Option<Command> {
        let Command::Late { due, command } = command else { return Some(command) };
        self.late.push(Late { due, command }).err().map(|full| *full.0.command)
    }

    /// Takes something that is due.
    fn pop_due(&mut self) -> Option<Command> {
        let now = Alarm::now();
        let at = self.late.iter().position(|late| late.due <= now)?;
        self.late.remove(at).map(|late| *late.command)
    }
}

/// Runs until told to stop or until nothing can be kept any more.
///
/// # Cancel safety
/// Dropped, what was answered is in the journal; the last sync is missing.
pub(crate) async fn run(mut desk: Box<Desk>, mut inputs: Inputs, task: Task) -> Result<(), JournalFailed> {
    let clock = inputs.clock;
    let mut due = Alarm::now();
    task.pulse.expect_every(STEP_MOST * 20);
    loop {
        // Stopping first; then what frees connections, then the market, which must not starve behind requests.
        tokio::select! {
            biased;
            () = task.stop.stopped() => break,
            Some(slot) = inputs.closes.recv() => desk.hub.close(slot),
            () = sleep_until(inputs.late.iter().map(|late| late.due).fold(due, Alarm::min)) => {}
            command = inputs.commands.recv() => match command {
                Some(command) => {
                    if let Some(command) = inputs.put_off(command) {
                        take(&mut desk, clock.now(), command);
                    }
                }
                None => break,
            },
        }
        for _ in 0..COMMANDS_PER_TURN {
            let Ok(command) = inputs.commands.try_recv() else { break };
            if let Some(command) = inputs.put_off(command) {
                take(&mut desk, clock.now(), command);
            }
        }
        while let Some(command) = inputs.pop_due() {
            take(&mut desk, clock.now(), command);
        }
        if Alarm::now() >= due {
            let now = clock.now();
            desk.step(now);
            task.pulse.beat();
            let wait = desk.venue.wake_at().map_or(STEP_MOST, |at| at.since(now));
            due = Alarm::now() + wait.clamp(STEP_LEAST, STEP_MOST);
        }
        if desk.journal.failure().is_some() {
            break;
        }
    }
    desk.hub.close_all("the exchange stops");
    if let Some(failure) = desk.journal.failure() {
        error!(error = %failure, "journal cannot be written, the exchange stops");
        return Err(JournalFailed(io::Error::new(failure.kind(), failure.to_string())));
    }
    desk.journal.close().map_err(JournalFailed)
}

/// Carries out one command. Whoever has gone meanwhile misses the answer; what was done stays done.
fn take(desk: &mut Desk, now: Time, command: Command) {
    let answered = match command {
        Command::Call { call, reply } => reply.send(desk.call(now, &call)).is_ok(),
        Command::Audit { call, reply } => reply.send(desk.audit(now, &call)).is_ok(),
        Command::Late { .. } => unreachable!("what comes later is put off or unpacked"),
        Command::WsCall { text, reply } => reply.send(desk.ws_call(now, &text)).is_ok(),
        Command::Open { url, reply } => {
            let opened = desk.hub.open(&url, &desk.keys);
            let slot = opened.as_ref().ok().map(|(slot, _)| *slot);
            let answered = reply.send(opened).is_ok();
            if let (false, Some(slot)) = (answered, slot) {
                desk.hub.close(slot);
            }
            answered
        }
        Command::Control { slot, text } => {
            desk.hub.control(slot, &text, &desk.keys);
            true
        }
        Command::Connections(reply) => reply.send(desk.hub.live()).is_ok(),
        Command::Look(look) => {
            look(&desk.venue);
            true
        }
    };
    if !answered {
        tracing::debug!("an answer came too late for its client");
    }
}
