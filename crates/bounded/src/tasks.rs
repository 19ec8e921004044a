//! Tasks with a name, a group, an owner, a heartbeat, an exit status and a restart policy.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::grant::{Gauge, Grant};
use crate::limits::{ABORT_GRACE, EXIT_TEXT_MAX, EXITS_KEPT, TASK_BYTES, TASK_NAME_MAX};
use crate::line::{Class, Line, WhenFull};
use crate::panics;
use crate::restart::{Restart, RestartLog};
use crate::stop::Stop;
use crate::sync::lock;
use crate::task_status::{ShutdownReport, SpawnError, TaskCounts, TaskState, TaskStatus, Unresponsive};
use crate::text::Text;

/// A task's name: the first [`TASK_NAME_MAX`] bytes of it.
pub type TaskName = Text<TASK_NAME_MAX>;

/// Why a task failed: the first [`EXIT_TEXT_MAX`] bytes of it.
pub type ExitText = Text<EXIT_TEXT_MAX>;

/// Owns a limited number of tasks: starts them, watches them, stops and joins them. Cheap to clone.
///
/// Tasks run in the runtime of whoever spawns them, of either flavour. Dropping every handle does not stop them:
/// [`Tasks::shutdown`] does.
///
/// # Bounds
/// The grant's capacity of live tasks, each with a future of at most the declared bytes; [`EXITS_KEPT`] exits remembered.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
    owner: Option<&'static str>,
}

/// What a task is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSpec<'a> {
    /// Its name: `engine/binance:main:BTCUSDT`. Need not be unique.
    pub name: &'a str,
    /// What kind of task it is; groups are counted and can be stopped together.
    pub group: &'static str,
}

/// What a task is given.
#[derive(Debug)]
pub struct Task {
    /// Tells it to end.
    pub stop: Stop,
    /// Lets it show that it lives.
    pub pulse: Pulse,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It returned.
    Finished,
    /// It returned an error.
    Failed(ExitText),
    /// It panicked.
    Panicked(ExitText),
    /// It was aborted, or its runtime went, before it returned.
    Cancelled,
}

impl ExitStatus {
    /// Tells whether it ended as it should.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Finished)
    }

    /// Tells whether it failed or panicked, which is what a [`Restart`] policy acts on.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked(_))
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Failed(text) => write!(f, "failed: {text}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl From<()> for ExitStatus {
    fn from((): ()) -> Self {
        Self::Finished
    }
}

impl<E: std::fmt::Display> From<Result<(), E>> for ExitStatus {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Finished,
            Err(error) => Self::Failed(Text::of(&error)),
        }
    }
}

struct Shared {
    grant: Grant,
    root: CancellationToken,
    tracker: TaskTracker,
    epoch: Instant,
    state: Mutex<State>,
}

struct State {
    /// In the order in which they were spawned; at most the grant's capacity.
    live: Vec<Arc<Record>>,
    /// At most [`EXITS_KEPT`].
    exits: VecDeque<Exited>,
    stopping: bool,
    counts: TaskCounts,
    restarts: u64,
}

struct Record {
    name: TaskName,
    group: &'static str,
    /// The set itself unless somebody else was named.
    owner: Option<&'static str>,
    started_ms: u64,
    future_bytes: usize,
    beats: AtomicU64,
    beat_ms: AtomicU64,
    /// 0 when no heartbeat is expected.
    expected_ms: AtomicU64,
    restarts: AtomicU32,
    /// When the pause before a restart is over; 0 while there is none.
    pause_until_ms: AtomicU64,
    stop: CancellationToken,
    abort: Mutex<Abort>,
    outcome: Mutex<Outcome>,
    ended: CancellationToken,
}

/// Aborting a task that may not have its handle yet.
enum Abort {
    NotYet,
    Wanted,
    Ready(AbortHandle),
}

/// How a task ended last.
enum Outcome {
    /// It has not.
    Running,
    /// It failed and was started again, or will be.
    Failed(ExitStatus),
    /// It stays so.
    Ended(ExitStatus),
}

/// What is remembered of a task that has ended.
struct Exited {
    name: TaskName,
    group: &'static str,
    owner: Option<&'static str>,
    exit: ExitStatus,
    age: Duration,
    quiet: Duration,
    beats: u64,
    restarts: u32,
    future_bytes: usize,
}

// A record in its `Arc`, its two tokens (about 200 bytes each with their `Arc`s and the parent's list), the wrapper and the
// runtime's header fit into what a task is charged.
const _: () = assert!(size_of::<Record>() + 16 + 2 * 200 + 256 <= TASK_BYTES);
const EXITS_BYTES: usize = EXITS_KEPT * size_of::<Exited>();

impl Tasks {
    /// Declares room for `tasks` tasks with futures of at most `future_bytes` each, without what these hold on the heap.
    pub const fn line(name: &str, tasks: usize, future_bytes: usize) -> Line<'_> {
        let item_bytes = Self::item_bytes(tasks).saturating_add(future_bytes);
        Line { name, capacity: tasks, item_bytes, policy: WhenFull::Refuse, class: Class::MustKeep }
    }

    /// Returns the bytes of one of `tasks` tasks beside its future, with its share of the exits remembered.
    pub const fn item_bytes(tasks: usize) -> usize {
        TASK_BYTES + EXITS_BYTES.div_ceil(if tasks == 0 { 1 } else { tasks })
    }

    /// Makes a set without tasks.
    ///
    /// # Panics
    /// When the line's policy is not `Refuse` or its item is smaller than [`Tasks::item_bytes`].
    #[track_caller]
    pub fn new(grant: Grant) -> Self {
        grant.check("Tasks", &[WhenFull::Refuse], Self::item_bytes(grant.capacity()));
        let state = State {
            live: Vec::with_capacity(grant.capacity()),
            exits: VecDeque::with_capacity(EXITS_KEPT),
            stopping: false,
            counts: TaskCounts::default(),
            restarts: 0,
        };
        let (root, tracker) = (CancellationToken::new(), TaskTracker::new());
        let shared = Shared { grant, root, tracker, epoch: Instant::now(), state: Mutex::new(state) };
        Self { shared: Arc::new(shared), owner: None }
    }

    /// Returns a handle to the same set whose tasks are shown as owned by `owner`: whoever joins them.
    ///
    /// Without it the owner is the set, under the name of its line, which joins its tasks in [`Tasks::shutdown`].
    #[must_use]
    pub fn owned_by(&self, owner: &'static str) -> Self {
        Self { shared: Arc::clone(&self.shared), owner: Some(owner) }
    }

    /// Starts a task: calls `make` with what the task is given and runs the future it returns.
    ///
    /// A panic ends the task alone and is kept as its exit status.
    ///
    /// # Errors
    /// When there are as many as there may be, its future is larger than declared, the set is shutting down, or there is
    /// no runtime here. Then `make` is not called.
    pub fn spawn<M, F>(&self, spec: TaskSpec<'_>, make: M) -> Result<TaskHandle, SpawnError>
    where
        M: FnOnce(Task) -> F,
        F: Future + Send + 'static,
        F::Output: Into<ExitStatus>,
    {
        let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let mut guard = self.enlist(spec, size_of::<F>())?;
        let record = Arc::clone(&guard.record);
        let future = Box::pin(make(guard.task()));
        let wrapped = async move {
            let exit = outcome(panics::catch(future).await);
            // By a method, so that the whole guard moves into the task: of the field alone it would take a copy.
            guard.ends_as(exit);
        };
        Ok(self.start(wrapped, &runtime, record))
    }

    /// Starts a task that is started again by its policy when it fails: `make` is called for every attempt, in the task.
    ///
    /// The task keeps its place, name and handle over all attempts; [`TaskStatus`] shows how many there were, why the last
    /// one failed, and how long the pause still is. Told to stop, it is not started again, and a pause ends at once; it has
    /// then ended as its last attempt did. So it has when it fails beyond its policy.
    ///
    /// # Errors
    /// As [`Tasks::spawn`]; what `make` holds counts as part of its future.
    ///
    /// # Panics
    /// When the policy is impossible: see the fields of [`Restart`].
    #[track_caller]
    pub fn spawn_restarting<M, F>(&self, spec: TaskSpec<'_>, restart: Restart, mut make: M) -> Result<TaskHandle, SpawnError>
    where
        M: FnMut(Task) -> F + Send + 'static,
        F: Future + Send + 'static,
        F::Output: Into<ExitStatus>,
    {
        restart.check(spec.name);
        let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let mut guard = self.enlist(spec, size_of::<F>() + size_of::<M>() + size_of::<RestartLog>())?;
        let record = Arc::clone(&guard.record);
        let mut log = RestartLog::new(restart, spec.name);
        let wrapped = async move {
            let exit = loop {
                let task = guard.task();
                let exit = match catch_unwind(AssertUnwindSafe(|| Box::pin(make(task)))) {
                    Ok(future) => outcome(panics::catch(future).await),
                    Err(payload) => ExitStatus::Panicked(panics::text(payload.as_ref())),
                };
                if !exit.is_failure() || !guard.pause(exit, &mut log).await {
                    break exit;
                }
            };
            guard.ends_as(exit);
        };
        Ok(self.start(wrapped, &runtime, record))
    }

    /// Puts a task among the live ones. From here on the guard takes it off again, whatever happens.
    fn enlist(&self, spec: TaskSpec<'_>, future_bytes: usize) -> Result<ExitGuard, SpawnError> {
        let record = self.shared.enlist(spec, self.owner, future_bytes)?;
        Ok(ExitGuard { shared: Arc::clone(&self.shared), record, exit: ExitStatus::Cancelled })
    }

    fn start(&self, wrapped: impl Future<Output = ()> + Send + 'static, runtime: &Handle, record: Arc<Record>) -> TaskHandle {
        let handle = self.shared.tracker.spawn_on(wrapped, runtime).abort_handle();
        let before = std::mem::replace(&mut *lock(&record.abort), Abort::Ready(handle));
        if matches!(before, Abort::Wanted) {
            record.abort();
        }
        TaskHandle { record }
    }

    /// Returns the token that stops all tasks, for code that is not one of them.
    pub fn stop_token(&self) -> Stop {
        Stop::over(self.shared.root.clone())
    }

    /// Tells all tasks to end and refuses new ones, without waiting.
    pub fn begin_shutdown(&self) {
        lock(&self.shared.state).stopping = true;
        self.shared.tracker.close();
        self.shared.root.cancel();
    }

    /// Tells all tasks to end, refuses new ones, waits for them, and aborts those that did not end in time.
    ///
    /// # Bounds
    /// Takes `deadline` and [`ABORT_GRACE`] at most.
    ///
    /// # Cancel safety
    /// Given up, all tasks have been told to end, but not all may have ended; it can be called again.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.begin_shutdown();
        self.stop_all(|_| true, deadline).await
    }

    /// Tells the tasks of a group to end, waits for them, and aborts those that did not end in time. New ones may come.
    ///
    /// # Bounds
    /// Takes `deadline` and [`ABORT_GRACE`] at most.
    ///
    /// # Cancel safety
    /// As [`Tasks::shutdown`].
    pub async fn stop_group(&self, group: &str, deadline: Duration) -> ShutdownReport {
        self.stop_all(|record| record.group == group, deadline).await
    }

    /// Reads all live tasks in the order they were spawned, and after them the last [`EXITS_KEPT`] that ended.
    pub fn status(&self) -> Vec<TaskStatus> {
        let now_ms = self.shared.now_ms();
        let set = self.shared.grant.name();
        let state = lock(&self.shared.state);
        let live = state.live.iter().map(|record| record.status(now_ms, set));
        live.chain(state.exits.iter().map(|exited| exited.status(set))).collect()
    }

    /// Returns how many times tasks were started again, all together.
    pub fn restarts(&self) -> u64 {
        lock(&self.shared.state).restarts
    }

    /// Returns how many tasks there are and were.
    pub fn counts(&self) -> TaskCounts {
        let state = lock(&self.shared.state);
        TaskCounts { live: state.live.len(), ..state.counts }
    }

    /// Returns how many tasks of a group live.
    pub fn live_in(&self, group: &str) -> usize {
        lock(&self.shared.state).live.iter().filter(|record| record.group == group).count()
    }

    /// Returns how many tasks there may be.
    pub fn capacity(&self) -> usize {
        self.shared.grant.capacity()
    }

    /// Returns the figures of the line.
    pub fn gauge(&self) -> Gauge {
        self.shared.grant.gauge()
    }

    async fn stop_all(&self, which: impl Fn(&Record) -> bool, deadline: Duration) -> ShutdownReport {
        let chosen: Vec<Arc<Record>> = lock(&self.shared.state).live.iter().filter(|record| which(record)).cloned().collect();
        for record in &chosen {
            record.stop.cancel();
        }
        let mut report = ShutdownReport::default();
        let mut late = Vec::new();
        let at = Instant::now() + deadline;
        for record in chosen {
            match record.ended_by(at).await {
                Some(exit) => report.count(record.name, exit),
                None => late.push(record),
            }
        }
        for record in &late {
            record.abort();
        }
        let at = Instant::now() + ABORT_GRACE;
        for record in late {
            match record.ended_by(at).await {
                // It may have returned just before the abort reached it.
                Some(ExitStatus::Cancelled) => report.aborted.push(record.name),
                Some(exit) => report.count(record.name, exit),
                None => report.unresponsive.push(record.name),
            }
        }
        report
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tasks({}, {:?})", self.shared.grant.name(), self.counts())
    }
}

impl Shared {
    /// Puts a record among the live ones, if there is room.
    fn enlist(&self, spec: TaskSpec<'_>, owner: Option<&'static str>, future_bytes: usize) -> Result<Arc<Record>, SpawnError> {
        let name = TaskName::cut(spec.name);
        let now_ms = self.now_ms();
        let mut state = lock(&self.state);
        let max = self.grant.capacity();
        let declared = self.grant.item_bytes() - Tasks::item_bytes(max);
        let refused = if state.stopping {
            Some(SpawnError::Stopping { name })
        } else if state.live.len() == max {
            Some(SpawnError::TooMany { name, max })
        } else if future_bytes > declared {
            Some(SpawnError::TooBig { name, future_bytes, declared })
        } else {
            None
        };
        if let Some(error) = refused {
            state.counts.refused += 1;
            self.grant.figures().overflowed(1);
            return Err(error);
        }
        let record = Arc::new(Record {
            name,
            group: spec.group,
            owner,
            started_ms: now_ms,
            future_bytes,
            beats: AtomicU64::new(0),
            beat_ms: AtomicU64::new(now_ms),
            expected_ms: AtomicU64::new(0),
            restarts: AtomicU32::new(0),
            pause_until_ms: AtomicU64::new(0),
            stop: self.root.child_token(),
            abort: Mutex::new(Abort::NotYet),
            outcome: Mutex::new(Outcome::Running),
            ended: CancellationToken::new(),
        });
        state.live.push(Arc::clone(&record));
        state.counts.spawned += 1;
        self.grant.figures().set_len(state.live.len());
        Ok(record)
    }

    /// Moves a record from the live ones to the exits and tells those who wait for it.
    fn delist(&self, record: &Arc<Record>, exit: ExitStatus) {
        let now_ms = self.now_ms();
        let mut state = lock(&self.state);
        match exit {
            ExitStatus::Finished => state.counts.finished += 1,
            ExitStatus::Failed(_) => state.counts.failed += 1,
            ExitStatus::Panicked(_) => state.counts.panicked += 1,
            ExitStatus::Cancelled => state.counts.cancelled += 1,
        }
        *lock(&record.outcome) = Outcome::Ended(exit);
        state.live.retain(|other| !Arc::ptr_eq(other, record));
        if state.exits.len() == EXITS_KEPT {
            state.exits.pop_front();
        }
        state.exits.push_back(record.exited(exit, now_ms));
        self.grant.figures().set_len(state.live.len());
        drop(state);
        record.ended.cancel();
    }

    fn now_ms(&self) -> u64 {
        Instant::now().saturating_duration_since(self.epoch).as_millis() as u64
    }
}

impl Exited {
    fn status(&self, set: &str) -> TaskStatus {
        TaskStatus {
            name: self.name,
            group: self.group,
            owner: TaskName::cut(self.owner.unwrap_or(set)),
            state: TaskState::Ended(self.exit),
            age: self.age,
            beats: self.beats,
            quiet: self.quiet,
            overdue: false,
            restarts: self.restarts,
            last_failure: self.exit.is_failure().then_some(self.exit),
            pause: None,
            future_bytes: self.future_bytes,
        }
    }
}

impl Record {
    /// Reads a task that lives.
    fn status(&self, now_ms: u64, set: &str) -> TaskStatus {
        let quiet_ms = now_ms.saturating_sub(self.beat_ms.load(Relaxed));
        let expected_ms = self.expected_ms.load(Relaxed);
        let pause = match self.pause_until_ms.load(Relaxed) {
            0 => None,
            until => Some(Duration::from_millis(until.saturating_sub(now_ms))),
        };
        let last_failure = match *lock(&self.outcome) {
            Outcome::Failed(exit) => Some(exit),
            Outcome::Running | Outcome::Ended(_) => None,
        };
        TaskStatus {
            name: self.name,
            group: self.group,
            owner: TaskName::cut(self.owner.unwrap_or(set)),
            state: TaskState::Running,
            age: Duration::from_millis(now_ms.saturating_sub(self.started_ms)),
            beats: self.beats.load(Relaxed),
            quiet: Duration::from_millis(quiet_ms),
            overdue: pause.is_none() && expected_ms > 0 && quiet_ms > expected_ms,
            restarts: self.restarts.load(Relaxed),
            last_failure,
            pause,
            future_bytes: self.future_bytes,
        }
    }

    fn exited(&self, exit: ExitStatus, now_ms: u64) -> Exited {
        Exited {
            name: self.name,
            group: self.group,
            owner: self.owner,
            exit,
            age: Duration::from_millis(now_ms.saturating_sub(self.started_ms)),
            quiet: Duration::from_millis(now_ms.saturating_sub(self.beat_ms.load(Relaxed))),
            beats: self.beats.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            future_bytes: self.future_bytes,
        }
    }

    /// Returns how the task ended, once all are told.
    fn exit(&self) -> Option<ExitStatus> {
        match *lock(&self.outcome) {
            Outcome::Ended(exit) if self.ended.is_cancelled() => Some(exit),
            Outcome::Ended(_) | Outcome::Running | Outcome::Failed(_) => None,
        }
    }

    async fn ended_by(&self, at: Instant) -> Option<ExitStatus> {
        // Whether it ended is read from the status: with a deadline of zero the timeout may win over an ended task.
        drop(timeout_at(at, self.ended.cancelled()).await);
        self.exit()
    }

    fn abort(&self) {
        let mut abort = lock(&self.abort);
        match &*abort {
            Abort::NotYet => *abort = Abort::Wanted,
            Abort::Wanted => {}
            Abort::Ready(handle) => {
                let handle = handle.clone();
                // Without the lock: an abort may drop the task's future here and now.
                drop(abort);
                handle.abort();
            }
        }
    }
}

/// Records the exit when the task's future is gone, be it returned, aborted or dropped with its runtime.
struct ExitGuard {
    shared: Arc<Shared>,
    record: Arc<Record>,
    exit: ExitStatus,
}

impl ExitGuard {
    fn task(&self) -> Task {
        let pulse = Pulse { shared: Arc::clone(&self.shared), record: Arc::clone(&self.record) };
        Task { stop: Stop::over(self.record.stop.clone()), pulse }
    }

    fn ends_as(&mut self, exit: ExitStatus) {
        self.exit = exit;
    }

    /// Pauses after a failure; tells whether the task is to be started again.
    async fn pause(&self, exit: ExitStatus, log: &mut RestartLog) -> bool {
        let Self { shared, record, .. } = self;
        let now_ms = shared.now_ms();
        if record.stop.is_cancelled() {
            return false;
        }
        let Some(pause) = log.decide(now_ms) else { return false };
        *lock(&record.outcome) = Outcome::Failed(exit);
        record.pause_until_ms.store(now_ms + pause.as_millis() as u64, Relaxed);
        let stopped = timeout(pause, record.stop.cancelled()).await.is_ok();
        record.pause_until_ms.store(0, Relaxed);
        if !stopped {
            // The next attempt makes its own promise.
            record.expected_ms.store(0, Relaxed);
            record.beat_ms.store(shared.now_ms(), Relaxed);
            record.restarts.fetch_add(1, Relaxed);
            lock(&shared.state).restarts += 1;
        }
        !stopped
    }
}

/// Reads how an attempt ended.
fn outcome<T: Into<ExitStatus>>(ended: Result<T, ExitText>) -> ExitStatus {
    match ended {
        Ok(output) => output.into(),
        Err(text) => ExitStatus::Panicked(text),
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        self.shared.delist(&self.record, self.exit);
    }
}

/// A task's heartbeat.
///
/// # Bounds
/// Two figures of the task's record.
#[derive(Clone)]
pub struct Pulse {
    shared: Arc<Shared>,
    record: Arc<Record>,
}

impl Pulse {
    /// Shows that the task lives.
    pub fn beat(&self) {
        self.record.beats.fetch_add(1, Relaxed);
        self.record.beat_ms.store(self.shared.now_ms(), Relaxed);
    }

    /// Promises a beat at least this often from now on; a task that breaks it is shown as overdue. Zero takes it back.
    pub fn expect_every(&self, period: Duration) {
        self.record.beat_ms.store(self.shared.now_ms(), Relaxed);
        self.record.expected_ms.store(period.as_millis() as u64, Relaxed);
    }
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pulse({})", self.record.name)
    }
}

/// Refers to one task. Dropping it leaves the task to its set.
///
/// # Bounds
/// Keeps the task's record, of less than [`TASK_BYTES`], also after its end: whoever holds handles of ended tasks holds these.
pub struct TaskHandle {
    record: Arc<Record>,
}

impl TaskHandle {
    /// Returns the task's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Tells the task to end, without waiting.
    pub fn stop(&self) {
        self.record.stop.cancel();
    }

    /// Ends the task at its next await.
    pub fn abort(&self) {
        self.record.abort();
    }

    /// Returns how the task ended, if it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        self.record.exit()
    }

    /// Waits until the task has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn join(&self) -> ExitStatus {
        self.record.ended.cancelled().await;
        self.exit().unwrap_or(ExitStatus::Cancelled)
    }

    /// Tells the task to end, waits for it, and aborts it if it did not end in time (`Cancelled`).
    ///
    /// # Errors
    /// When it did not even end within [`ABORT_GRACE`] of the abort: it blocks its thread.
    ///
    /// # Bounds
    /// Takes `deadline` and [`ABORT_GRACE`] at most.
    ///
    /// # Cancel safety
    /// Given up, the task has been told to end; it can be called again.
    pub async fn stop_and_join(&self, deadline: Duration) -> Result<ExitStatus, Unresponsive> {
        self.stop();
        if let Some(exit) = self.record.ended_by(Instant::now() + deadline).await {
            return Ok(exit);
        }
        self.abort();
        let ended = self.record.ended_by(Instant::now() + ABORT_GRACE).await;
        ended.ok_or(Unresponsive { name: self.record.name })
    }
}

impl std::fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TaskHandle({}, {:?})", self.record.name, self.exit())
    }
}
