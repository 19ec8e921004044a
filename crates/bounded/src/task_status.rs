//! What can be read of tasks, and why some are not there.

use std::time::Duration;

use crate::tasks::{ExitStatus, TaskName};

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
    /// Who joins it: whoever was named by [`Tasks::owned_by`](crate::Tasks::owned_by), or else the set's line.
    pub owner: TaskName,
    /// Whether it runs, or how it ended.
    pub state: TaskState,
    /// How long it has run, all attempts and pauses included.
    pub age: Duration,
    /// Heartbeats since it began.
    pub beats: u64,
    /// Time since its last heartbeat, or since it began.
    pub quiet: Duration,
    /// Whether it has been quiet for longer than it promised.
    pub overdue: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// How its last failed attempt ended, if one did.
    pub last_failure: Option<ExitStatus>,
    /// How long it still pauses before it is started again; `None` while it does not pause.
    pub pause: Option<Duration>,
    /// Size of its future, with what starts it again.
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
    /// Tasks that returned an error and were not started again.
    pub failed: u64,
    /// Tasks that panicked and were not started again.
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

    pub(crate) fn count(&mut self, name: TaskName, exit: ExitStatus) {
        self.ended += 1;
        if !exit.is_ok() {
            self.failed.push((name, exit));
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
