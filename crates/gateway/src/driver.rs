use crate::clock::Clock;
use crate::gateway::{GatewayStats, Sink};
use crate::http::{Http, NotSent};
use crate::limits::{SLEEP_MAX, STATS_EVERY};
use crate::sockets::{Incoming, Sockets};
use crate::work::{Done, Work};
use futures_util::StreamExt;
use plimsoll_bounded::{Grant, Receiver, Task, TryRecvError, WatchSender};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::session::{Closed, ConnId, Input, Output, Outputs, Reply, Sent, Session};
use plimsoll_market::{Action, Time};
use std::future::poll_fn;
use std::time::Instant;
use tokio::time::sleep_until;

/// An action on its way to the session.
pub(crate) type Order = (SymbolIndex, Action);

/// The one task of a gateway: owns the session and every socket, and carries out what the session says.
pub(crate) struct Driver<S> {
    pub(crate) session: Session,
    pub(crate) sink: S,
    pub(crate) clock: Clock,
    pub(crate) outputs: Outputs,
    pub(crate) http: Http,
    pub(crate) sockets: Sockets,
    pub(crate) cancels: Receiver<Order>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) stats: WatchSender<GatewayStats>,
    pub(crate) stats_at: Instant,
    /// Whether something happened since the figures were published.
    pub(crate) stats_old: bool,
    pub(crate) counts: Counts,
    pub(crate) work: Work,
    /// The memory that sockets, answers and the work under way take at worst; given back when the driver ends.
    pub(crate) grants: [Grant; 3],
    pub(crate) ended: bool,
}

/// What the driver counts itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) turns: u64,
    pub(crate) socket_failures: u64,
}

/// What the driver waits for next.
enum Step {
    Stop,
    Done(Done),
    Order(Order),
    Incoming(ConnId, Incoming),
    Time,
}

impl<S: Sink> Driver<S> {
    /// Runs until the session has stopped.
    pub(crate) async fn run(mut self: Box<Self>, task: Task) {
        task.pulse.expect_every(SLEEP_MAX * 3);
        let stopped = task.stop.stopped();
        tokio::pin!(stopped);
        let timer = sleep_until(Instant::now().into());
        tokio::pin!(timer);
        let mut timer_at: Option<Instant> = None;
        let mut stopping = false;
        self.input(Input::Start);
        while !self.ended {
            self.counts.turns += 1;
            task.pulse.beat();
            let now = Instant::now();
            self.http.warm(now, &self.work);
            self.publish(now);
            if self.session.wake_at().is_some_and(|at| at <= self.clock.at(now)) {
                self.input(Input::Wake);
                // The session may ask for the next turn at once; orders and answers still come first.
            } else {
                let wake = self.session.wake_at().map(|at| now + at.since(self.clock.at(now)));
                let stats = self.stats_old.then(|| self.stats_at + STATS_EVERY);
                let wake = [wake, self.http.wake_at(), stats].into_iter().flatten().min().unwrap_or(now + SLEEP_MAX);
                if timer_at != Some(wake) {
                    timer.as_mut().reset(wake.into());
                    timer_at = Some(wake);
                }
            }
            let due = self.session.wake_at().is_some_and(|at| at <= self.clock.now());
            let Self { work, cancels, orders, sockets, .. } = &mut *self;
            let step = tokio::select! {
                // What is asked for first goes first: the end; then work, which writes requests and brings answers; then
                // cancels before orders; then what the market says; time last, for it is looked at in each turn.
                biased;
                () = &mut stopped, if !stopping => Step::Stop,
                Some(done) = work.next(), if !work.is_empty() => Step::Done(done),
                Some(order) = cancels.recv() => Step::Order(order),
                Some(order) = orders.recv() => Step::Order(order),
                (conn, incoming) = poll_fn(|cx| sockets.poll_next(cx)) => Step::Incoming(conn, incoming),
                () = std::future::ready(()), if due => Step::Time,
                () = &mut timer => Step::Time,
            };
            match step {
                Step::Stop => {
                    stopping = true;
                    self.cancels.close();
                    self.orders.close();
                    self.input(Input::Stop);
                }
                Step::Done(done) => self.done(done),
                Step::Order((symbol, action)) => self.input(Input::Order { symbol, action: &action }),
                Step::Incoming(conn, incoming) => self.incoming(conn, &incoming),
                Step::Time => timer_at = None,
            }
            self.take_orders();
        }
        // What engines asked for while the end was on its way is answered too.
        self.take_orders();
        self.publish(Instant::now() + STATS_EVERY);
    }

    /// Takes orders that came meanwhile, most of all those that the sink sent in answer to an event: cancels first.
    fn take_orders(&mut self) {
        // Bounded by what the lanes hold; what the answers to these cause is taken in the next turn.
        for _ in 0..self.cancels.capacity() {
            match self.cancels.try_recv() {
                Ok((symbol, action)) => self.input(Input::Order { symbol, action: &action }),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for _ in 0..self.orders.capacity() {
            match self.orders.try_recv() {
                Ok((symbol, action)) => self.input(Input::Order { symbol, action: &action }),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }

    fn done(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::HttpOpened { slot, opened } => {
                let sent = self.http.opened(slot, opened, now, &self.work);
                self.not_sent(sent);
            }
            Done::HttpEnded { slot, generation } => self.http.ended(slot, generation, now),
            Done::Answered { slot, generation, request, answer, requester } => {
                self.http.answered(slot, generation, requester, now);
                match answer {
                    Ok(answer) => {
                        let reply = Reply { status: answer.status, used: answer.used, retry_after: answer.retry_after, body: &answer.body };
                        self.input(Input::Reply { request, reply });
                    }
                    Err(sent) => self.input(Input::Failed { request, sent }),
                }
            }
            Done::SocketOpened { conn, generation, socket } => match self.sockets.opened(conn, generation, socket) {
                Some(true) => self.input(Input::Connected { conn }),
                Some(false) => {
                    self.counts.socket_failures += 1;
                    self.input(Input::Closed { conn, why: Closed::Refused });
                }
                None => {}
            },
            Done::SocketClosed { conn, generation } => {
                if self.sockets.closed(conn, generation) {
                    self.input(Input::Closed { conn, why: Closed::Local });
                }
            }
        }
    }

    fn incoming(&mut self, conn: ConnId, incoming: &Incoming) {
        match incoming {
            Incoming::Text(text) => self.input(Input::Frame { conn, bytes: text.as_bytes() }),
            Incoming::Alive => self.input(Input::Alive { conn }),
            Incoming::Dropped(why) => self.input(Input::Dropped { conn, why: *why }),
            Incoming::Ended(dropped, why) => {
                if let Some(why) = *dropped {
                    self.input(Input::Dropped { conn, why });
                }
                self.input(Input::Closed { conn, why: *why });
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        self.stats_old = true;
        self.session.on_input(now, input, &mut self.outputs);
        self.carry_out(now);
    }

    /// Carries out everything that one input caused. Failures known at once are told to the session after it.
    fn carry_out(&mut self, now: Time) {
        while let Some(output) = self.outputs.pop() {
            match output {
                Output::Event { symbol, event } => self.sink.event(symbol, now, event),
                Output::Account(event) => self.sink.account(now, event),
                Output::Request(request) => {
                    let id = request.id;
                    if self.http.send(request, Instant::now(), &self.work).is_err() {
                        self.soon(Done::Answered { slot: usize::MAX, generation: 0, request: id, answer: Err(Sent::No), requester: None });
                    }
                }
                Output::Connect { conn, target } => {
                    if !self.sockets.connect(conn, &target, &self.work) {
                        self.refused(conn);
                    }
                }
                Output::Close { conn } => {
                    if self.sockets.close(conn, &self.work) {
                        self.soon_closed(conn);
                    }
                }
                Output::Booted(report) => self.sink.booted(now, Ok(*report)),
                Output::BootFailed { reason } => self.sink.booted(now, Err(reason)),
                Output::Stopped => self.ended = true,
            }
        }
    }

    fn not_sent(&mut self, sent: Result<(), NotSent>) {
        if let Err(NotSent(request)) = sent {
            self.input(Input::Failed { request, sent: Sent::No });
        }
    }

    /// Tells something in the next turn: the session is not entered while its outputs are being carried out.
    fn soon(&self, done: Done) {
        self.work.push(Box::pin(std::future::ready(done)));
    }

    fn refused(&mut self, conn: ConnId) {
        let generation = self.sockets.expect_refusal(conn);
        self.soon(Done::SocketOpened { conn, generation, socket: None });
    }

    fn soon_closed(&mut self, conn: ConnId) {
        let generation = self.sockets.expect_close(conn);
        self.soon(Done::SocketClosed { conn, generation });
    }

    fn publish(&mut self, now: Instant) {
        if !self.stats_old || now.saturating_duration_since(self.stats_at) < STATS_EVERY {
            return;
        }
        self.stats_at = now;
        self.stats_old = false;
        let [work, ..] = &self.grants;
        work.gauge().set_len(self.work.len());
        self.stats.put(GatewayStats {
            session: self.session.stats(),
            turns: self.counts.turns,
            http_opened: self.http.opened,
            http_failures: self.http.open_failures,
            socket_failures: self.counts.socket_failures,
        });
    }
}
