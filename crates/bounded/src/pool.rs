//! A few workers for what must not be done on the trading path.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::grant::{Gauge, Grant};
use crate::limits::POOL_WORKERS_MAX;
use crate::line::{Class, Line, WhenFull};
use crate::panics;
use crate::sync::lock;
use crate::task_status::SpawnError;
use crate::tasks::{Task, TaskSpec, Tasks};

/// Runs jobs in the order they came, a few at a time; refuses more than may wait. Cheap to clone.
///
/// Its workers are tasks of a [`Tasks`]. When these are told to stop, or the last handle goes, nothing new is taken, what
/// waits is still done, and the workers end.
///
/// # Bounds
/// The grant's capacity of waiting jobs, and [`POOL_WORKERS_MAX`] that run, each of at most the declared bytes. The workers
/// themselves are declared by their [`Tasks`].
pub struct Pool {
    handle: Arc<Owner>,
}

/// How a pool works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSpec<'a> {
    /// The workers' name, to which their number is added.
    pub name: &'a str,
    /// The workers' group.
    pub group: &'static str,
    /// How many workers, 1 to [`POOL_WORKERS_MAX`].
    pub workers: usize,
    /// How long an asynchronous job may take before it is dropped and counted.
    pub job_deadline: Duration,
}

struct Shared {
    grant: Grant,
    job_bytes: usize,
    job_deadline: Duration,
    state: Mutex<State>,
    /// A permit for every job that waits; closed when no more are taken.
    waiting: Semaphore,
    busy: AtomicUsize,
    submitted: AtomicU64,
    done: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    refused: AtomicU64,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// What an asynchronous job that runs takes beside itself: its deadline's timer.
const RUNNING_BYTES: usize = 192;

enum Job {
    Async(Pin<Box<dyn Future<Output = ()> + Send>>),
    Blocking(Box<dyn FnOnce() + Send>),
}

impl Pool {
    /// Declares room for `jobs` waiting jobs of at most `job_bytes` each, and as much for each that runs, without what these
    /// hold on the heap.
    pub const fn line(name: &str, jobs: usize, job_bytes: usize, class: Class) -> Line<'_> {
        let some = if jobs == 0 { 1 } else { jobs };
        let running = job_bytes.saturating_mul(POOL_WORKERS_MAX).div_ceil(some);
        let item_bytes = Self::item_bytes(jobs).saturating_add(job_bytes).saturating_add(running);
        Line { name, capacity: jobs, item_bytes, policy: WhenFull::Refuse, class }
    }

    /// Returns the bytes of one of `jobs` places beside its job, with its share of what jobs that run need.
    const fn item_bytes(jobs: usize) -> usize {
        let some = if jobs == 0 { 1 } else { jobs };
        size_of::<Job>() + (POOL_WORKERS_MAX * RUNNING_BYTES).div_ceil(some)
    }

    /// Returns the bytes that the line declares for a job: the opposite of [`Pool::line`].
    fn job_bytes(grant: &Grant) -> usize {
        let (jobs, each) = (grant.capacity(), grant.item_bytes() - Self::item_bytes(grant.capacity()));
        (each as u128 * jobs as u128 / (jobs + POOL_WORKERS_MAX) as u128) as usize
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// When a worker cannot be started; those started before end.
    ///
    /// # Panics
    /// When the number of workers is out of range, the line's policy is not `Refuse`, or its item is too small.
    #[track_caller]
    pub fn start(grant: Grant, spec: PoolSpec<'_>, tasks: &Tasks) -> Result<Self, SpawnError> {
        grant.check("Pool", &[WhenFull::Refuse], Self::item_bytes(grant.capacity()));
        let PoolSpec { name, group, workers, job_deadline } = spec;
        assert!((1..=POOL_WORKERS_MAX).contains(&workers), "pool {name}: 1 to {POOL_WORKERS_MAX} workers, not {workers}");
        let shared = Arc::new(Shared {
            state: Mutex::new(State { jobs: VecDeque::with_capacity(grant.capacity()), closed: false }),
            waiting: Semaphore::new(0),
            busy: AtomicUsize::new(0),
            submitted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            job_bytes: Self::job_bytes(&grant),
            job_deadline,
            grant,
        });
        // Should a worker not start, dropping this ends the others.
        let handle = Arc::new(Owner { shared });
        for worker in 1..=workers {
            let shared = Arc::clone(&handle.shared);
            tasks.spawn(TaskSpec { name: &format!("{name}/{worker}"), group }, |task| work(shared, task))?;
        }
        Ok(Self { handle })
    }

    /// Hands in an asynchronous job.
    ///
    /// # Errors
    /// When as many wait as may, the job is larger than declared, or the pool is closed. The job is dropped.
    pub fn submit<F: Future<Output = ()> + Send + 'static>(&self, job: F) -> Result<(), PoolRefused> {
        self.put(size_of::<F>(), || Job::Async(Box::pin(job)))
    }

    /// Hands in a job that blocks; it runs on the runtime's blocking threads, one for each worker at most.
    ///
    /// It cannot be dropped halfway, so no deadline holds for it: it must end by itself.
    ///
    /// # Errors
    /// As [`Pool::submit`].
    pub fn submit_blocking<F: FnOnce() + Send + 'static>(&self, job: F) -> Result<(), PoolRefused> {
        self.put(size_of::<F>(), || Job::Blocking(Box::new(job)))
    }

    /// Returns how many jobs there are and were.
    pub fn counts(&self) -> PoolCounts {
        let shared = &self.handle.shared;
        PoolCounts {
            waiting: lock(&shared.state).jobs.len(),
            busy: shared.busy.load(Relaxed),
            submitted: shared.submitted.load(Relaxed),
            done: shared.done.load(Relaxed),
            panicked: shared.panicked.load(Relaxed),
            timed_out: shared.timed_out.load(Relaxed),
            refused: shared.refused.load(Relaxed),
        }
    }

    /// Returns the figures of the line.
    pub fn gauge(&self) -> Gauge {
        self.handle.shared.grant.gauge()
    }

    /// Takes nothing new any more; what waits is still done.
    pub fn close(&self) {
        self.handle.shared.close();
    }

    fn put(&self, job_bytes: usize, job: impl FnOnce() -> Job) -> Result<(), PoolRefused> {
        let shared = &self.handle.shared;
        let declared = shared.job_bytes;
        let mut state = lock(&shared.state);
        let refused = if state.closed {
            Some(PoolRefused::Closed)
        } else if state.jobs.len() == shared.grant.capacity() {
            Some(PoolRefused::Full { capacity: state.jobs.len() })
        } else if job_bytes > declared {
            Some(PoolRefused::TooBig { job_bytes, declared })
        } else {
            None
        };
        if let Some(refused) = refused {
            shared.refused.fetch_add(1, Relaxed);
            shared.grant.figures().overflowed(1);
            // Unlocked first: the job is dropped on return, and what its drop does is not ours.
            drop(state);
            return Err(refused);
        }
        state.jobs.push_back(job());
        shared.submitted.fetch_add(1, Relaxed);
        shared.grant.figures().set_len(state.jobs.len());
        drop(state);
        shared.waiting.add_permits(1);
        Ok(())
    }
}

impl Clone for Pool {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({}, {:?})", self.handle.shared.grant.name(), self.counts())
    }
}

/// What the handles share and the workers do not: with the last handle the pool closes.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        lock(&self.state).closed = true;
        self.waiting.close();
    }

    fn pop(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let job = state.jobs.pop_front();
        self.grant.figures().set_len(state.jobs.len());
        job
    }

    async fn run(&self, job: Job) {
        let outcome = match job {
            // The timeout within, so that the drop of a job that is late cannot take the worker along either.
            Job::Async(job) => match panics::catch(Box::pin(tokio::time::timeout(self.job_deadline, job))).await {
                Ok(in_time) => in_time.map_err(|_| &self.timed_out),
                Err(_) => Err(&self.panicked),
            },
            Job::Blocking(job) => tokio::task::spawn_blocking(job).await.map_err(|_| &self.panicked),
        };
        let counter = outcome.err().unwrap_or(&self.done);
        counter.fetch_add(1, Relaxed);
    }
}

/// Does jobs until there are no more and none will come.
async fn work(shared: Arc<Shared>, task: Task) {
    loop {
        let open = tokio::select! {
            biased; // what waits is done before a stop is heeded; the stop ends what can come
            permit = shared.waiting.acquire() => permit.map(|permit| permit.forget()).is_ok() && !task.stop.is_stopped(),
            () = task.stop.stopped() => false,
        };
        if !open {
            shared.close();
        }
        match shared.pop() {
            Some(job) => {
                let busy = Busy::new(&shared.busy);
                shared.run(job).await;
                drop(busy);
                task.pulse.beat();
            }
            None if open => {}
            None => return,
        }
    }
}

/// Counts a worker as busy, also when it is aborted in the middle.
struct Busy<'a> {
    busy: &'a AtomicUsize,
}

impl<'a> Busy<'a> {
    fn new(busy: &'a AtomicUsize) -> Self {
        busy.fetch_add(1, Relaxed);
        Self { busy }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Relaxed);
    }
}

/// How many jobs there are and were. Every job submitted ends in `done`, `panicked` or `timed_out`,
/// unless its worker was aborted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Jobs that wait.
    pub waiting: usize,
    /// Workers that do a job.
    pub busy: usize,
    /// Jobs taken ever.
    pub submitted: u64,
    /// Jobs done.
    pub done: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// Jobs dropped at their deadline.
    pub timed_out: u64,
    /// Jobs not taken.
    pub refused: u64,
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolRefused {
    /// As many wait as may.
    #[error("{capacity} jobs wait already")]
    Full {
        /// The most jobs.
        capacity: usize,
    },
    /// The job is larger than declared.
    #[error("the job takes {job_bytes} bytes, {declared} are declared")]
    TooBig {
        /// Size of the job.
        job_bytes: usize,
        /// Size that the line declares.
        declared: usize,
    },
    /// No more are taken.
    #[error("the pool is closed")]
    Closed,
}
