//! The tasks: one that sorts alerts, and one for each channel.

use crate::clock::Clock;
use crate::commander::Commander;
use crate::config::{ChannelConfig, ChannelKind, Config, Mistake};
use crate::delivery::{Delivery, Turn};
use crate::error::SendError;
use crate::http::CaError;
use crate::inbox::{Inbox, Submitted};
use crate::letter::{Batch, Letter, Origin};
use crate::limits::{ALERTS_PER_TURN, CA_FILE_MAX, CHANNEL_BYTES, LOG_BYTES, NAME_MAX, SENDING_BYTES, STOP_GRACE};
use crate::pipeline::{Pipeline, Sink};
use crate::status::{ChannelStatus, NotifierStatus};
use crate::transport::{SetUp, Transport, test_letter};
use arrayvec::ArrayString;
use plimsoll_bounded::{
    Class, Gauge, Grant, Grants, LedgerError, Line, NotPlanned, Plan, SpawnError, Stop, Task, TaskHandle, TaskSpec, Tasks, WhenFull,
};
use plimsoll_market::{Alert, Severity, Time};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// Takes alerts and has them told. Cheap to clone.
///
/// # Bounds
/// What [`Notifier::plan`] declares: an inbox of two lanes, the keys that are cooling down, and for each channel two queues
/// and one message on its way. [`Notifier::tasks`] tasks.
#[derive(Clone)]
pub struct Notifier {
    shared: Arc<Shared>,
    sorter: Arc<TaskHandle>,
}

struct Shared {
    clock: Clock,
    inbox: Mutex<Inbox>,
    arrived: Notify,
    /// Figures of the pipeline, which belongs to its task: unmatched, silenced, cooling.
    sorted: [AtomicU64; 3],
    posts: Box<[Arc<Post>]>,
    /// Until then only what is critical is told; milliseconds since the Unix epoch.
    muted_until_ms: AtomicU64,
    /// Set once: no alert comes any more.
    closing: AtomicBool,
    handles: Box<[TaskHandle]>,
}

/// One channel.
struct Post {
    name: ArrayString<NAME_MAX>,
    kind: &'static str,
    clock: Clock,
    desk: Mutex<Desk>,
    wake: Notify,
    transport: Transport,
    sending: Gauge,
    suppressed: AtomicU64,
    testing: AtomicBool,
    /// Kept while the channel is.
    _grants: [Grant; 2],
}

struct Desk {
    delivery: Delivery,
    /// What is on its way counts as queued.
    on_its_way: bool,
    /// When the task has to be done, once the end has begun.
    end_at: Option<Instant>,
    /// Whether nothing more will be put into the queues.
    closed: bool,
}

/// Why the notifier did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Mistakes in the configuration.
    #[error("the configuration of alerts has {} mistakes; the first: {}", .0.len(), .0.first().map_or_else(String::new, Mistake::to_string))]
    Config(Vec<Mistake>),
    /// A file of certificates.
    #[error("channels.{channel}.ca_file")]
    Ca {
        /// Whose.
        channel: String,
        /// Why.
        #[source]
        source: CaError,
    },
    /// A line that was not planned.
    #[error(transparent)]
    NotPlanned(#[from] NotPlanned),
    /// A task was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

/// Why a test message was not sent.
#[derive(Debug, Error)]
pub enum TestError {
    /// No such channel.
    #[error("there is no channel {0:?}")]
    NoChannel(String),
    /// Another test of it is on its way.
    #[error("channel {0} is being tested already")]
    Busy(String),
    /// It cannot be set up.
    #[error("channel {channel} cannot be set up: {text}")]
    SetUp {
        /// Its name.
        channel: String,
        /// Why.
        text: String,
    },
    /// The service did not take it.
    #[error("channel {channel} ({kind}): {source}")]
    Send {
        /// Its name.
        channel: String,
        /// What it is.
        kind: &'static str,
        /// Why.
        source: SendError,
    },
}

impl Notifier {
    /// Adds the memory that a notifier takes to a plan: four lines, and four for each channel.
    ///
    /// # Errors
    /// When the plan has no room for the lines.
    pub fn plan(plan: &mut Plan, config: &Config) -> Result<(), LedgerError> {
        for line in Inbox::lines().into_iter().chain(Pipeline::lines(config)) {
            plan.add(line)?;
        }
        for channel in &config.channels {
            Delivery::lines(channel, |line| plan.add(line))?;
            if let Some((name, item_bytes)) = Commander::line(channel) {
                plan.add(Line { name: &name, capacity: 1, item_bytes, policy: WhenFull::Refuse, class: Class::External })?;
            }
            for (name, item_bytes) in Post::lines(channel) {
                plan.add(Line { name: &name, capacity: 1, item_bytes, policy: WhenFull::Refuse, class: Class::External })?;
            }
        }
        Ok(())
    }

    /// How many tasks it needs, with boxed futures of [`crate::limits::TASK_FUTURE_BYTES`].
    pub fn tasks(config: &Config) -> usize {
        1 + config.channels.len() + config.channels.iter().filter(|channel| Commander::is_wanted(channel)).count()
    }

    /// Starts the tasks, in group `notify`.
    ///
    /// # Errors
    /// When the configuration has mistakes, a file of certificates cannot be used, or a line or task was not planned.
    pub fn start(config: &Config, grants: &mut Grants, tasks: &Tasks) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        let clock = Clock::start();
        let inbox = Inbox::new(grants)?;
        let pipeline = Pipeline::new(config, grants)?;
        let mut posts = Vec::with_capacity(config.channels.len());
        for (place, channel) in config.channels.iter().enumerate() {
            // Channels with the same seed would all try at the same moments.
            let seed = config.seed.wrapping_mul(31).wrapping_add(place as u64);
            posts.push(Arc::new(Post::new(channel, &config.instance, seed, clock, grants)?));
        }
        let mut handles = Vec::with_capacity(posts.len());
        for post in &posts {
            let name = format!("notify/{}", post.name);
            let post = Arc::clone(post);
            handles.push(tasks.spawn(TaskSpec { name: &name, group: "notify" }, move |task: Task| Box::pin(post.run(task)))?);
        }
        let closing = AtomicBool::new(false);
        let (sorted, posts, handles) = (Default::default(), posts.into_boxed_slice(), handles.into_boxed_slice());
        let shared = Shared {
            clock,
            inbox: Mutex::new(inbox),
            arrived: Notify::new(),
            sorted,
            posts,
            muted_until_ms: AtomicU64::new(0),
            closing,
            handles,
        };
        let shared = Arc::new(shared);
        let sorter = Arc::clone(&shared);
        let sorter = tasks.spawn(TaskSpec { name: "notify", group: "notify" }, move |task: Task| Box::pin(sorter.sort(pipeline, task)))?;
        Ok(Self { shared, sorter: Arc::new(sorter) })
    }

    /// Takes an alert about the process. Never waits and never allocates; a lock is held for some hundred nanoseconds.
    pub fn submit(&self, alert: &Alert) -> Submitted {
        self.submit_for(alert, &Origin::process())
    }

    /// Takes an alert about an account, a symbol, or something of them. As [`Notifier::submit`].
    pub fn submit_for(&self, alert: &Alert, origin: &Origin) -> Submitted {
        let submitted = lock(&self.shared.inbox).push(Batch::of(alert, origin));
        self.shared.arrived.notify_one();
        submitted
    }

    /// Tells only what is critical for so long from now, and counts the rest as suppressed; `None` ends that. The log is told all.
    pub fn mute(&self, span: Option<Duration>) {
        let until = span.map_or(0, |span| (self.shared.clock.now() + span).millis());
        self.shared.muted_until_ms.store(until, SeqCst);
    }

    /// How it does.
    pub fn status(&self) -> NotifierStatus {
        let (counts, waiting) = {
            let inbox = lock(&self.shared.inbox);
            (inbox.counts, inbox.len())
        };
        let [unmatched, silenced, cooling] = &self.shared.sorted;
        NotifierStatus {
            submitted: counts.submitted,
            folded: counts.folded,
            displaced: counts.displaced,
            refused: counts.refused,
            unmatched: unmatched.load(SeqCst),
            silenced: silenced.load(SeqCst),
            waiting,
            cooling: cooling.load(SeqCst) as usize,
            channels: self.shared.posts.iter().map(|post| post.status()).collect(),
        }
    }

    /// Sends a test message past rules, queues and rate limit, and waits for the service's word: at most the channel's timeout.
    ///
    /// # Errors
    /// One sentence that says what is wrong, without secrets.
    ///
    /// # Cancel safety
    /// Given up, the message may have been sent or not.
    pub async fn send_test(&self, channel: &str) -> Result<(), TestError> {
        let found = self.shared.posts.iter().find(|post| post.name.as_str() == channel);
        let post = found.ok_or_else(|| TestError::NoChannel(channel.to_owned()))?;
        if post.testing.swap(true, SeqCst) {
            return Err(TestError::Busy(channel.to_owned()));
        }
        let _free = Free(&post.testing);
        test(&post.transport, channel, post.kind, post.clock.now()).await
    }

    /// Accepts nothing more, tells what is kept silent, sends what it can until the deadline, critical messages first, and ends
    /// its tasks. What was not sent is counted as dropped. Returns the last status.
    ///
    /// # Bounds
    /// Takes `deadline` and [`STOP_GRACE`]; three times that for each task that does not end by itself, which would be a bug.
    ///
    /// # Cancel safety
    /// Given up, the tasks end by themselves at the deadline.
    pub async fn stop(&self, deadline: Duration) -> NotifierStatus {
        let end_at = Instant::now() + deadline;
        lock(&self.shared.inbox).close();
        for post in &self.shared.posts {
            let end = &mut lock(&post.desk).end_at;
            *end = Some(end.map_or(end_at, |end| end.min(end_at)));
        }
        self.shared.closing.store(true, SeqCst);
        self.shared.arrived.notify_one();
        for handle in self.shared.handles.iter().chain([&*self.sorter]) {
            let left = end_at.saturating_duration_since(Instant::now()) + STOP_GRACE;
            if timeout(left, handle.join()).await.is_err()
                && let Err(error) = handle.stop_and_join(STOP_GRACE).await
            {
                tracing::error!(%error, "task of the notifier did not end");
            }
        }
        self.status()
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notifier({:?})", self.status())
    }
}

/// Sends a test message over one channel of a configuration, without a notifier: for the command line.
///
/// # Errors
/// One sentence that says what is wrong, without secrets.
pub async fn send_test(config: &Config, channel: &str) -> Result<(), TestError> {
    let found = config.channels.iter().find(|other| other.name == channel);
    let found = found.ok_or_else(|| TestError::NoChannel(channel.to_owned()))?;
    let clock = Clock::start();
    let transport = Transport::new(found, &config.instance, clock.now().millis()).map_err(|error| {
        let text = match error {
            SetUp::Wrong((key, text)) => format!("{key}: {text}"),
            SetUp::Ca(error) => format!("ca_file: {error}"),
        };
        TestError::SetUp { channel: channel.to_owned(), text }
    })?;
    test(&transport, channel, found.kind.as_str(), clock.now()).await
}

async fn test(transport: &Transport, channel: &str, kind: &'static str, now: Time) -> Result<(), TestError> {
    let sent = transport.send(&test_letter(now.millis(), now), now).await;
    sent.map_err(|source| TestError::Send { channel: channel.to_owned(), kind, source })
}

/// Clears a mark when dropped.
struct Free<'a>(&'a AtomicBool);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

impl Sink for &Shared {
    fn letter(&mut self, channel: usize, letter: Letter) {
        if let Some(post) = self.posts.get(channel) {
            // What is critical is told whatever somebody wants to sleep through; the log is no noise.
            let muted = self.clock.now().millis() < self.muted_until_ms.load(SeqCst);
            if muted && letter.severity != Severity::Critical && post.kind != "log" {
                post.suppressed.fetch_add(1, SeqCst);
                return;
            }
            lock(&post.desk).delivery.push(letter);
            post.wake.notify_one();
        }
    }

    fn suppressed(&mut self, channel: usize, count: u64) {
        if let Some(post) = self.posts.get(channel) {
            post.suppressed.fetch_add(count, SeqCst);
        }
    }
}

impl Shared {
    /// The task that sorts.
    async fn sort(self: Arc<Self>, mut pipeline: Pipeline, task: Task) {
        let mut sink = &*self;
        loop {
            task.pulse.beat();
            let closing = self.closing.load(SeqCst);
            for _ in 0..ALERTS_PER_TURN {
                let Some(batch) = lock(&self.inbox).pop() else { break };
                pipeline.take(self.clock.now(), &batch, &mut sink);
            }
            pipeline.tick(self.clock.now(), &mut sink);
            let empty = lock(&self.inbox).is_empty();
            if closing && empty {
                pipeline.close(self.clock.now(), &mut sink);
            }
            for (figure, value) in self.sorted.iter().zip([pipeline.unmatched, pipeline.silenced, pipeline.windows() as u64]) {
                figure.store(value, SeqCst);
            }
            if closing && empty {
                break;
            }
            if !empty {
                tokio::task::yield_now().await;
                continue;
            }
            let next = pipeline.wake_at().map(|time| self.clock.instant(time));
            tokio::select! {
                biased; // the end first
                () = task.stop.stopped() => break,
                () = self.arrived.notified() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
        // Without a stop of ours, the set of tasks is going down: nothing is left to wait for.
        lock(&self.inbox).close();
        for post in &self.posts {
            lock(&post.desk).end_at.get_or_insert_with(Instant::now);
            post.closed();
        }
    }
}

impl Post {
    fn lines(config: &ChannelConfig) -> [(String, usize); 2] {
        let name = &config.name;
        let (sending, channel) = match config.kind {
            ChannelKind::Log => (LOG_BYTES, LOG_BYTES),
            _ => (SENDING_BYTES, CHANNEL_BYTES),
        };
        // Read, and taken apart for each of two libraries.
        let own = if config.ca_file.is_some() { 3 * CA_FILE_MAX as usize } else { 0 };
        [(format!("notify.sending/{name}"), sending), (format!("notify.channel/{name}"), channel + own)]
    }

    fn new(config: &ChannelConfig, instance: &str, seed: u64, clock: Clock, grants: &mut Grants) -> Result<Self, StartError> {
        let transport = Transport::new(config, instance, clock.now().millis()).map_err(|error| match error {
            SetUp::Wrong((key, text)) => {
                StartError::Config(vec![Mistake { key: format!("channels.{}.{key}", config.name), text: text.to_owned() }])
            }
            SetUp::Ca(source) => StartError::Ca { channel: config.name.clone(), source },
        })?;
        let [(sending, _), (channel, _)] = Self::lines(config);
        let (sending, channel) = (grants.take(&sending)?, grants.take(&channel)?);
        channel.gauge().set_len(1);
        let delivery = Delivery::new(config, seed, grants)?;
        Ok(Self {
            name: ArrayString::from(&config.name).unwrap_or_default(),
            kind: config.kind.as_str(),
            clock,
            desk: Mutex::new(Desk { delivery, on_its_way: false, end_at: None, closed: false }),
            wake: Notify::new(),
            transport,
            sending: sending.gauge(),
            suppressed: AtomicU64::new(0),
            testing: AtomicBool::new(false),
            _grants: [sending, channel],
        })
    }

    /// Nothing more is put into its queues.
    fn closed(&self) {
        let mut desk = lock(&self.desk);
        desk.closed = true;
        desk.delivery.hurry(self.clock.now());
        drop(desk);
        self.wake.notify_one();
    }

    fn status(&self) -> ChannelStatus {
        let desk = lock(&self.desk);
        let (delivery, counts) = (&desk.delivery, desk.delivery.counts.clone());
        ChannelStatus {
            name: self.name,
            kind: self.kind,
            up: delivery.is_up(),
            queued: delivery.queued() + usize::from(desk.on_its_way),
            sent: counts.sent,
            failed: counts.failed,
            retried: counts.retried,
            dropped: counts.dropped,
            suppressed: self.suppressed.load(SeqCst),
            folded: counts.folded,
            last_error: counts.last_error,
            last_ok: counts.last_ok,
        }
    }

    /// The task that sends. Ends when the queues are closed and empty, or the time is over.
    async fn run(self: Arc<Self>, task: Task) {
        while !task.stop.is_stopped() {
            task.pulse.beat();
            let (turn, end_at, closed) = {
                let mut desk = lock(&self.desk);
                let turn = desk.delivery.turn(self.clock.now());
                desk.on_its_way = matches!(turn, Turn::Send(_));
                (turn, desk.end_at, desk.closed)
            };
            let mut wait_until = match turn {
                Turn::Send(letter) => {
                    self.send(letter, &task.stop).await;
                    if lock(&self.desk).end_at.is_some_and(|end_at| end_at <= Instant::now()) {
                        break;
                    }
                    continue;
                }
                Turn::Wait(time) => Some(self.clock.instant(time)),
                Turn::Idle => None,
            };
            if let Some(end_at) = end_at {
                // Waiting longer than the end, or for nothing, is no use.
                if Instant::now() >= end_at || (closed && wait_until.is_none_or(|until| until >= end_at)) {
                    break;
                }
                wait_until = Some(wait_until.map_or(end_at, |until| until.min(end_at)));
            }
            tokio::select! {
                biased; // the end first
                () = task.stop.stopped() => {}
                () = self.wake.notified() => {}
                () = sleep_until(wait_until.unwrap_or_else(Instant::now)), if wait_until.is_some() => {}
            }
        }
        lock(&self.desk).delivery.abandon();
    }

    /// Makes one attempt and notes how it went.
    async fn send(&self, letter: Letter, stop: &Stop) {
        self.sending.set_len(1);
        let outcome = {
            let mut attempt = pin!(self.transport.send(&letter, self.clock.now()));
            loop {
                let end_at = lock(&self.desk).end_at;
                tokio::select! {
                    biased; // an outcome is noted even if the end comes with it
                    outcome = &mut attempt => break Some(outcome),
                    () = stop.stopped() => break None,
                    () = sleep_until(end_at.unwrap_or_else(Instant::now)), if end_at.is_some() => break None,
                    () = self.wake.notified() => {
                        let desk = lock(&self.desk);
                        // The time that is left belongs to critical letters.
                        if desk.end_at.is_some() && !letter.is_critical() && desk.delivery.has_critical() {
                            break None;
                        }
                    }
                }
            }
        };
        self.sending.set_len(0);
        let now = self.clock.now();
        let mut desk = lock(&self.desk);
        desk.on_its_way = false;
        let (channel, kind, failures) = (self.name.as_str(), self.kind, desk.delivery.failures());
        match outcome {
            None => desk.delivery.put_back(letter),
            Some(Ok(())) => {
                desk.delivery.sent(&letter, now);
                drop(desk);
                if failures > 0 {
                    tracing::info!(channel, kind, failures, "alert channel works again");
                }
            }
            Some(Err(error)) => {
                desk.delivery.failed(letter, &error, now);
                drop(desk);
                if failures == 0 {
                    // Once for each outage; how often is in the status.
                    tracing::warn!(channel, kind, %error, "alert channel failed");
                } else {
                    tracing::debug!(channel, kind, %error, failures, "alert channel failed again");
                }
            }
        }
    }
}

/// Locks, going on with the data of a task that panicked: each critical section leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
