//! One look at everything, and a bounded history of them.

use plimsoll_bounded::{Class, Grant, LedgerHandle, Line, Ring, TaskCounts, TaskStatus, Tasks, WhenFull};
use plimsoll_market::Time;

use crate::allocator::AllocatorSample;
use crate::cgroup::{Cgroup, CgroupSample};
use crate::exporter::Exporter;
use crate::process::ProcessSample;
use crate::room::{Machine, Room, Stall};

/// The process at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub time: Time,
    /// What the operating system knows; `None` without `/proc`.
    pub process: Option<ProcessSample>,
    /// What the allocator knows; `None` without the feature `jemalloc`.
    pub allocator: Option<AllocatorSample>,
    /// The control group's memory; `None` without one.
    pub cgroup: Option<CgroupSample>,
    /// The machine's memory; `None` where it does not tell.
    pub machine: Option<Machine>,
    /// Tasks that are and were.
    pub tasks: TaskCounts,
    /// How often tasks were started again after they had failed.
    pub tasks_restarted: u64,
    /// Live tasks that broke their promise to show that they live.
    pub tasks_overdue: usize,
    /// Bytes that all lines of the ledger take at worst.
    pub ledger_bytes: u64,
    /// Bytes that the items in containers take now at worst; what we do not allocate ourselves is left out.
    pub ledger_used_bytes: u64,
    /// The budget, in bytes.
    pub budget_bytes: u64,
    /// Processors kept busy since the sample before: 1 is one of them all the time. `None` for the first.
    pub cpu_load: Option<f64>,
}

impl Sample {
    /// A sample in which nothing is known.
    pub fn blank(time: Time) -> Self {
        Self {
            time,
            process: None,
            allocator: None,
            cgroup: None,
            machine: None,
            tasks: TaskCounts::default(),
            tasks_restarted: 0,
            tasks_overdue: 0,
            ledger_bytes: 0,
            ledger_used_bytes: 0,
            budget_bytes: 0,
            cpu_load: None,
        }
    }

    /// The tightest memory limit and what is used of it.
    pub fn room(&self) -> Option<Room> {
        Room::tightest(self.process.as_ref(), self.cgroup.as_ref(), self.machine.as_ref())
    }

    /// How long tasks wait for memory.
    pub fn stall(&self) -> Option<Stall> {
        self.cgroup.and_then(|group| group.stall)
    }
}

/// Share of the tightest limit below which the room is looked at less closely.
const CALM: f64 = 0.5;

/// Looks at the process, remembers, and exports. Owned by the one task that samples.
///
/// # Bounds
/// Remembers as many samples as its grant has room for; the oldest goes.
#[derive(Debug)]
pub struct Sampler {
    history: Ring<Sample>,
    ledger: LedgerHandle,
    /// Sets of tasks: one for each runtime, and those of servers.
    tasks: Box<[Tasks]>,
    cgroup: Option<Cgroup>,
    exporter: Exporter,
    started: Option<Time>,
}

impl Sampler {
    /// Declares a memory of so many samples.
    pub const fn line(name: &str, samples: usize) -> Line<'_> {
        Line::of::<Sample>(name, samples, WhenFull::DropOldest, Class::BestEffort)
    }

    /// Makes a sampler that has seen nothing yet.
    ///
    /// # Panics
    /// When the grant is not one of [`Sampler::line`].
    #[track_caller]
    pub fn new(grant: Grant, ledger: LedgerHandle, tasks: impl IntoIterator<Item = Tasks>, exporter: Exporter) -> Self {
        let tasks = tasks.into_iter().collect();
        Self { history: Ring::new(grant), ledger, tasks, cgroup: Cgroup::find(), exporter, started: None }
    }

    /// Watches these sets of tasks as well, from the next look on: those of a server that began after the sampler.
    pub fn watch_also(&mut self, tasks: impl IntoIterator<Item = Tasks>) {
        self.tasks = self.tasks.iter().cloned().chain(tasks).collect();
    }

    /// Looks at everything, remembers it, brings the exported figures up to date and does the exporter's upkeep.
    ///
    /// To be called every few seconds. Reads some files of `/proc` and `/sys`: a fraction of a millisecond.
    pub fn sample(&mut self, now: Time) -> Sample {
        let lines = self.ledger.lines();
        let status: Vec<TaskStatus> = self.tasks.iter().flat_map(Tasks::status).collect();
        let counts = self.tasks.iter().map(Tasks::counts).fold(TaskCounts::default(), |sum, set| TaskCounts {
            live: sum.live + set.live,
            spawned: sum.spawned + set.spawned,
            finished: sum.finished + set.finished,
            failed: sum.failed + set.failed,
            panicked: sum.panicked + set.panicked,
            cancelled: sum.cancelled + set.cancelled,
            refused: sum.refused + set.refused,
        });
        let process = ProcessSample::read();
        let sample = Sample {
            time: now,
            process,
            allocator: AllocatorSample::read(),
            cgroup: self.cgroup.as_ref().and_then(Cgroup::read),
            machine: Machine::read(),
            tasks: counts,
            tasks_restarted: self.tasks.iter().map(Tasks::restarts).sum(),
            tasks_overdue: status.iter().filter(|task| task.overdue).count(),
            ledger_bytes: self.ledger.total_bytes(),
            ledger_used_bytes: lines
                .iter()
                .filter(|line| line.class != Class::External)
                .fold(0, |sum, line| sum.saturating_add(line.used_bytes())),
            budget_bytes: self.ledger.budget(),
            cpu_load: self.load_since_last(now, process),
        };
        let started = *self.started.get_or_insert(now);
        self.exporter.publish(&sample, now.since(started), &self.ledger.templates(), &status);
        self.exporter.upkeep();
        self.history.roll(sample);
        sample
    }

    /// Looks only at how much memory may still be used: for the pressure ladder, once a second.
    ///
    /// While the last sample was calm and the control group has not grown by more than a hundredth of its limit since, that
    /// sample's word stands: most seconds cost one small file.
    pub fn room(&self) -> (Option<Room>, Option<Stall>) {
        if let Some(last) = self.history.last()
            && let (Some(room), Some(group), Some(then)) = (last.room(), &self.cgroup, last.cgroup)
            && room.ratio() < CALM
            && let Some(used) = group.used()
            && used.saturating_sub(then.current_bytes) < room.limit_bytes / 100
        {
            return (Some(room), last.stall());
        }
        let cgroup = self.cgroup.as_ref().and_then(Cgroup::read);
        let (process, machine) = (ProcessSample::read(), Machine::read());
        let room = Room::tightest(process.as_ref(), cgroup.as_ref(), machine.as_ref());
        (room, cgroup.and_then(|group| group.stall))
    }

    /// Forgets all samples but the latest: memory is short.
    pub fn shed(&mut self) {
        let latest = self.history.last().copied();
        self.history.clear();
        if let Some(latest) = latest {
            self.history.roll(latest);
        }
    }

    /// The kinds of containers as they are now.
    pub fn templates(&self) -> Vec<plimsoll_bounded::TemplateStatus> {
        self.ledger.templates()
    }

    /// Tasks that broke their promise to show that they live, by name.
    pub fn overdue(&self) -> Vec<TaskStatus> {
        self.tasks.iter().flat_map(Tasks::status).filter(|task| task.overdue).collect()
    }

    /// Returns the latest sample.
    pub fn latest(&self) -> Option<&Sample> {
        self.history.last()
    }

    /// Iterates over the samples remembered, the oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Sample> {
        self.history.iter()
    }

    fn load_since_last(&self, now: Time, process: Option<ProcessSample>) -> Option<f64> {
        let last = self.history.last()?;
        let elapsed = now.since(last.time).as_secs_f64();
        let used = process?.cpu.saturating_sub(last.process?.cpu).as_secs_f64();
        (elapsed > 0.0).then(|| used / elapsed)
    }
}
