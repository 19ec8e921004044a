//! Tasks with a name, a group, an owner, a heartbeat and an exit status.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::grant::{Gauge, Grant};
use crate::limits::{ABORT_GRACE, EXIT_TEXT_MAX, EXITS_KEPT, TASK_BYTES, TASK_NAME_MAX};
use crate::line::{Class, Line, WhenFull};
use crate::stop::Stop;
use crate::text::Text;
use crate::{lock, panics};

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
    exits: VecDeque<TaskStatus>,
    stopping: bool,
    counts: TaskCounts,
}

struct Record {
    name: TaskName,
    group: &'static str,
    started_ms: u64,
    future_bytes: usize,
    beats: AtomicU64,
    beat_ms: AtomicU64,
    /// 0 when no heartbeat is expected.
    expected_ms: AtomicU64,
    stop: CancellationToken,
    abort: OnceLock<AbortHandle>,
    abort_wanted: AtomicBool,
    exit: OnceLock<ExitStatus>,
    ended: CancellationToken,
}

// A record in its `Arc`, its two tokens (about 200 bytes each with their `Arc`s and the parent's list), the wrapper and the
// runtime's header fit into what a task is charged.
const _: () = assert!(size_of::<Record>() + 16 + 2 * 200 + 256 <= TASK_BYTES);
const EXITS_BYTES: usize = EXITS_KEPT * size_of::<TaskStatus>();

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
        };
        let (root, tracker) = (CancellationToken::new(), TaskTracker::new());
        Self { shared: Arc::new(Shared { grant, root, tracker, epoch: Instant::now(), state: Mutex::new(state) }) }
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
        let shared = &self.shared;
        let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let record = shared.enlist(spec, size_of::<F>())?;
        // From here on the guard takes the record off again, whatever happens.
        let mut guard = ExitGuard { shared: Arc::clone(shared), record: Arc::clone(&record), exit: ExitStatus::Cancelled };
        let pulse = Pulse { shared: Arc::clone(shared), record: Arc::clone(&record) };
        let future = Box::pin(make(Task { stop: Stop::over(record.stop.clone()), pulse }));
        let wrapped = async move {
            let exit = match panics::catch(future).await {
                Ok(output) => output.into(),
                Err(text) => ExitStatus::Panicked(text),
            };
            // By a method, so that the whole guard moves into the task: of the field alone it would take a copy.
            guard.ends_as(exit);
        };
        let abort = shared.tracker.spawn_on(wrapped, &runtime).abort_handle();
        if record.abort.get_or_init(|| abort).is_finished() || record.abort_wanted.load(SeqCst) {
            record.abort();
        }
        Ok(TaskHandle { record })
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
        let state = lock(&self.shared.state);
        let live = state.live.iter().map(|record| record.status(now_ms));
        live.chain(state.exits.iter().copied()).collect()
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
                Some(exit) => report.count(&record, exit),
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
                Some(exit) => report.count(&record, exit),
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
    fn enlist(&self, spec: TaskSpec<'_>, future_bytes: usize) -> Result<Arc<Record>, SpawnError> {
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
            started_ms: now_ms,
            future_bytes,
            beats: AtomicU64::new(0),
            beat_ms: AtomicU64::new(now_ms),
            expected_ms: AtomicU64::new(0),
            stop: self.root.child_token(),
            abort: OnceLock::new(),
            abort_wanted: AtomicBool::new(false),
            exit: OnceLock::new(),
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
        record.exit.get_or_init(|| exit);
        state.live.retain(|other| !Arc::ptr_eq(other, record));
        if state.exits.len() == EXITS_KEPT {
            state.exits.pop_front();
        }
        state.exits.push_back(record.status(now_ms));
        self.grant.figures().set_len(state.live.len());
        drop(state);
        record.ended.cancel();
    }

    fn now_ms(&self) -> u64 {
        Instant::now().saturating_duration_since(self.epoch).as_millis() as u64
    }
}

impl Record {
    fn status(&self, now_ms: u64) -> TaskStatus {
        let quiet_ms = now_ms.saturating_sub(self.beat_ms.load(Relaxed));
        let expected_ms = self.expected_ms.load(Relaxed);
        let state = self.exit.get().map_or(TaskState::Running, |exit| TaskState::Ended(*exit));
        TaskStatus {
            name: self.name,
            group: self.group,
            state,
            age: Duration::from_millis(now_ms.saturating_sub(self.started_ms)),
            beats: self.beats.load(Relaxed),
            quiet: Duration::from_millis(quiet_ms),
            overdue: state == TaskState::Running && expected_ms > 0 && quiet_ms > expected_ms,
            future_bytes: self.future_bytes,
        }
    }

    async fn ended_by(&self, at: Instant) -> Option<ExitStatus> {
        // Whether it ended is read from the status: with a deadline of zero the timeout may win over an ended task.
        drop(timeout_at(at, self.ended.cancelled()).await);
        self.exit.get().copied().filter(|_| self.ended.is_cancelled())
    }

    fn abort(&self) {
        // The handle may not be there yet: whoever comes second sees the other's mark.
        self.abort_wanted.store(true, SeqCst);
        if let Some(abort) = self.abort.get() {
            abort.abort();
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
    fn ends_as(&mut self, exit: ExitStatus) {
        self.exit = exit;
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        self.shared.delist(&self.record, self.exit);
    }
}

/// A task's heartbeat.
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
        self.record.exit.get().copied().filter(|_| self.record.ended.is_cancelled())
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

/// Whether a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It has not ended.
    Running,
    /// It has.
    Ended(ExitStatus),
}

/// What a task looked like at one moment; of one that has ended, the moment it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskStatus {
    /// Its name.
    pub name: TaskName,
    /// What kind of task it is.
    pub group: &'static str,
    /// Whether it runs, or how it ended.
    pub state: TaskState,
    /// How long it has run.
    pub age: Duration,
    /// Heartbeats since it began.
    pub beats: u64,
    /// Time since its last heartbeat, or since it began.
    pub quiet: Duration,
    /// Whether it has been quiet for longer than it promised.
    pub overdue: bool,
    /// Size of its future.
    pub future_bytes: usize,
}

/// How many tasks there are and were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Tasks that run.
    pub live: usize,
    /// Tasks started ever.
    pub spawned: u64,
    /// Tasks that returned.
    pub finished: u64,
    /// Tasks that returned an error.
    pub failed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks that were aborted.
    pub cancelled: u64,
    /// Tasks that were not started.
    pub refused: u64,
}

/// Who ended how when told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Tasks that ended by themselves in time.
    pub ended: usize,
    /// Of these, tasks that failed or panicked on the way, and how.
    pub failed: Vec<(TaskName, ExitStatus)>,
    /// Tasks that did not end in time and were aborted.
    pub aborted: Vec<TaskName>,
    /// Tasks that block their thread and did not even take the abort.
    pub unresponsive: Vec<TaskName>,
}

impl ShutdownReport {
    /// Tells whether every task ended by itself, in time and without an error.
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.aborted.is_empty() && self.unresponsive.is_empty()
    }

    fn count(&mut self, record: &Record, exit: ExitStatus) {
        self.ended += 1;
        if !exit.is_ok() {
            self.failed.push((record.name, exit));
        }
    }
}

/// Why a task was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// As many live as may.
    #[error("task {name} not started: {max} tasks run already")]
    TooMany {
        /// The task.
        name: TaskName,
        /// The most tasks.
        max: usize,
    },
    /// Its future is larger than declared.
    #[error("task {name} not started: its future takes {future_bytes} bytes, {declared} are declared")]
    TooBig {
        /// The task.
        name: TaskName,
        /// Size of its future.
        future_bytes: usize,
        /// Size that the line declares.
        declared: usize,
    },
    /// The set is shutting down.
    #[error("task {name} not started: shutting down")]
    Stopping {
        /// The task.
        name: TaskName,
    },
    /// There is no runtime here.
    #[error("tasks can be started in a tokio runtime only")]
    NoRuntime,
}

/// A task that did not end when it was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task {name} blocks its thread and cannot be ended")]
pub struct Unresponsive {
    /// The task.
    pub name: TaskName,
}
