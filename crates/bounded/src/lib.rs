//! Containers, queues and task sets that cannot outgrow what they declared, and the ledger that adds them up.
//!
//! Everything that lives longer than a call takes a [`Grant`] from a [`Ledger`] when it is made: a name, a capacity,
//! the bytes an item takes at worst, what happens when it is full, and how precious its content is. The sum is checked
//! against the memory budget when the ledger is sealed, before anything else happens; afterwards room is given only to
//! whole plans that fit. Capacity, length, high-water mark and overflow count of every line can be read at any time.
//!
//! It deliberately knows nothing of trading, has no clock and no thread of its own, allocates no item lazily, and never
//! grows a container: the limit acts, in the way its [`WhenFull`] says. Queues and tasks for tokio are behind the feature
//! `tokio`, the queue between two threads behind `spsc`; without them the crate depends on no runtime.
//!
//! Read [`Ledger`] and [`Ring`] first.
//!
//! ```
//! use plimsoll_bounded::{Class, Ledger, Line, Ring, WhenFull};
//!
//! let ledger = Ledger::open(1 << 20);
//! let line = Line::of::<u64>("demo.prices/BTCUSDT", 3, WhenFull::DropOldest, Class::LatestWins);
//! let mut prices = Ring::new(ledger.grant(line)?);
//! let ledger = ledger.seal()?; // from here on nothing can be added but whole plans that fit
//!
//! for price in 1..=5u64 {
//!     prices.roll(price);
//! }
//! assert_eq!(prices.iter().copied().collect::<Vec<_>>(), [3, 4, 5]);
//! let line = &ledger.lines()[1];
//! assert_eq!((line.len, line.high_water, line.overflows), (3, 3, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "serde")]
pub mod array;
mod figures;
mod grant;
mod hash;
mod ledger;
mod limits;
mod line;
mod list;
mod map;
mod plan;
mod ring;
mod sync;
mod table;

#[cfg(all(feature = "spsc", loom))]
mod rtrb_model;
#[cfg(feature = "spsc")]
mod spsc;

#[cfg(feature = "tokio")]
mod batch;
#[cfg(feature = "tokio")]
mod broadcast;
#[cfg(feature = "tokio")]
mod channel;
#[cfg(feature = "tokio")]
mod latest;
#[cfg(feature = "tokio")]
mod lossy;
#[cfg(feature = "tokio")]
mod panics;
#[cfg(feature = "tokio")]
mod pool;
#[cfg(feature = "tokio")]
mod reply;
#[cfg(feature = "tokio")]
mod restart;
#[cfg(feature = "tokio")]
mod senders;
#[cfg(feature = "tokio")]
mod stop;
#[cfg(feature = "tokio")]
mod task_status;
#[cfg(feature = "tokio")]
mod tasks;
#[cfg(feature = "tokio")]
mod text;

pub use grant::{Gauge, Grant};
pub use hash::{FixedHasher, FixedState};
pub use ledger::{Ledger, LedgerError, LedgerHandle, Open, Phase, Sealed};
pub use limits::{
    ABORT_GRACE, BATCHES_MAX, CAPACITY_MAX, EXIT_TEXT_MAX, EXITS_KEPT, LINE_BYTES, LINE_INDEX_BYTES, LINES_MAX, NAME_MAX, PLAN_LINES_MAX,
    POOL_WORKERS_MAX, RESTARTS_MAX, SUBSCRIBERS_MAX, TABLE_ROWS_MAX, TASK_BYTES, TASK_NAME_MAX,
};
pub use line::{Class, Line, LineName, LineStatus, TemplateStatus, WhenFull};
pub use list::List;
pub use map::{Map, worst_map_bytes};
pub use plan::{Grants, NotPlanned, Plan, Refused};
pub use ring::{Ring, RingIter};
pub use table::OverBudget;

#[cfg(feature = "spsc")]
pub use spsc::{Consumer, Producer, spsc};

#[cfg(feature = "tokio")]
pub use batch::{Batch, BatchSpec};
#[cfg(feature = "tokio")]
pub use broadcast::{Broadcast, Ended, Subscriber};
#[cfg(feature = "tokio")]
pub use channel::{Permit, Permits, Receiver, ReserveError, SendError, Sender, Sent, TryRecvError, channel};
#[cfg(feature = "tokio")]
pub use latest::{LatestReceiver, LatestSender, Put, WatchReceiver, WatchSender, latest, watch};
#[cfg(feature = "tokio")]
pub use lossy::{LossyReceiver, LossySender, Received, lossy};
#[cfg(feature = "tokio")]
pub use pool::{Pool, PoolCounts, PoolRefused, PoolSpec};
#[cfg(feature = "tokio")]
pub use reply::{NoReply, ReplyReceiver, ReplySender, reply};
#[cfg(feature = "tokio")]
pub use restart::{Backoff, Restart};
#[cfg(feature = "tokio")]
pub use stop::{Stop, Stopper};
#[cfg(feature = "tokio")]
pub use task_status::{ShutdownReport, SpawnError, TaskCounts, TaskState, TaskStatus, Unresponsive};
#[cfg(feature = "tokio")]
pub use tasks::{ExitStatus, ExitText, Pulse, Task, TaskHandle, TaskName, TaskSpec, Tasks};
#[cfg(feature = "tokio")]
pub use text::Text;

/// Gives back what did not fit into a full container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(
    /// What was to be added.
    pub T,
);

impl<T> std::fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> std::fmt::Display for Full<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("container is full")
    }
}

impl<T> std::error::Error for Full<T> {}

/// Says that the other side has gone and gives back what was to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Closed<T>(
    /// What was to be sent.
    pub T,
);

impl<T> std::fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<T> std::fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the other side has gone")
    }
}

impl<T> std::error::Error for Closed<T> {}

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
