//! The two runtimes: one thread that trades, and the edge where storage, web and watchers live.

use plimsoll_bounded::Stopper;
use std::io;
use tokio::runtime::{Builder, Handle, Runtime};

/// Worker threads of the edge: storage and web wait for disk and sockets more than they compute.
const EDGE_WORKERS: usize = 2;
/// Threads for blocking calls of the edge.
const EDGE_BLOCKING: usize = 4;
/// Stack of a thread.
const STACK: usize = 1 << 20;

/// Makes the runtime of the edge.
///
/// # Errors
/// When threads or descriptors are short.
pub fn edge() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(EDGE_WORKERS)
        .max_blocking_threads(EDGE_BLOCKING)
        .thread_stack_size(STACK)
        .thread_name("plimsoll-edge")
        .enable_all()
        .build()
}

/// A thread with a runtime of its own, for everything between a market event and its order: no other task delays it, and
/// its tasks wake each other without a change of thread.
pub struct Trading {
    handle: Handle,
    stopper: Stopper,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Trading {
    /// Starts the thread.
    ///
    /// # Errors
    /// When threads or descriptors are short.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().thread_name("plimsoll-trade").max_blocking_threads(1).enable_all().build()?;
        let (handle, stopper) = (runtime.handle().clone(), Stopper::new());
        let stop = stopper.stop_token();
        let thread = std::thread::Builder::new()
            .name("plimsoll-trade".to_owned())
            .stack_size(2 * STACK)
            .spawn(move || runtime.block_on(stop.stopped()))?;
        Ok(Self { handle, stopper, thread: Some(thread) })
    }

    /// Runs `make` so that tasks it starts belong to this thread.
    pub fn within<T>(&self, make: impl FnOnce() -> T) -> T {
        let _guard = self.handle.enter();
        make()
    }

    /// Ends the thread; its tasks must have been joined.
    pub fn stop(mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("trading thread ended by a panic");
        }
    }
}

/// Starts a thread that writes to the terminal, or to log files, and does nothing else; it ends with the process, because a
/// terminal that takes nothing, or a disk that hangs, could hold it for ever.
///
/// # Errors
/// When threads are short.
pub fn writer<F: Future<Output = ()>>(name: &str, make: impl FnOnce() -> F + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name(name.to_owned()).stack_size(STACK / 4).spawn(move || runtime.block_on(make())).map(drop)
}
