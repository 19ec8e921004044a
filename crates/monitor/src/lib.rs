//! Watches the process it runs in, remembers a bounded stretch of it, and writes metrics as Prometheus reads them.
//!
//! A [`Sampler`] looks every few seconds at the process, the allocator, the control group, the tasks and the memory ledger.
//! An [`Exporter`] holds all metrics; trading code gets handles from it ([`SymbolMetrics`], [`AccountMetrics`],
//! [`StorageMetrics`]). Labels are configured or compiled in, never ids: the number of series has a limit.
//!
//! It deliberately opens no port, runs no task of its own, and acts on nothing it sees.
//!
//! Read [`Sampler`] and [`Exporter`] first.
//!
//! ```
//! use plimsoll_bounded::{Grant, Ledger, Tasks};
//! use plimsoll_market::Time;
//! use plimsoll_monitor::{Exporter, ExporterGrants, ManagerFigures, Sampler, SystemMetrics};
//!
//! let ledger = Ledger::open(64_000_000);
//! let exporter = Exporter::new(ExporterGrants::take(&ledger)?);
//! let tasks = Tasks::new(ledger.grant(Tasks::line("app.tasks", 8, 4_096))?);
//! let history = ledger.grant(Sampler::line("monitor.samples", 720))?;
//! let ledger = ledger.seal()?;
//!
//! let mut sampler = Sampler::new(history, ledger.handle(), [tasks], exporter.clone());
//! let sample = sampler.sample(Time::from_millis(1_700_000_000_000));
//! let manager = ManagerFigures { next_purge_bytes: 200_000_000, ..ManagerFigures::default() };
//! assert_eq!(SystemMetrics::of(&sample, &manager).next_gc_mb, 200.0);
//! assert!(exporter.render().contains("plimsoll_ledger_budget_bytes 64000000"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allocator;
mod cgroup;
mod disk;
mod exporter;
mod families;
mod health;
mod leaks;
pub mod limits;
mod log;
mod manager;
mod pressure;
mod process;
pub mod profile;
mod room;
mod sample;
mod system;
mod trading;
mod watchdog;

pub use allocator::AllocatorSample;
pub use cgroup::{Cgroup, CgroupSample};
pub use disk::{DiskConfig, DiskDecision, DiskKind, DiskLadder, DiskLevel, DiskLimit, DiskUse, Megabytes};
pub use exporter::{AlreadyInstalled, Exporter, ExporterGrants, Latency, SeriesFull};
pub use families::{FAMILIES, Family, Kind};
pub use health::{AlertMetrics, ChannelSample, PoolSample, SessionSample};
pub use leaks::{Culprit, Horizon, Leak, LeakConfig, LeakDetector, POINTS};
pub use log::{LogMetrics, LogSample, LogSink};
pub use manager::{Duties, ManagerConfig, ManagerFigures, MemoryManager};
pub use pressure::{Ladder, LadderConfig, Rung};
pub use process::ProcessSample;
pub use room::{Limiter, Machine, Room, Stall};
pub use sample::{Sample, Sampler};
pub use system::SystemMetrics;
pub use trading::{AccountMetrics, JournalMetrics, StorageFigures, StorageMetrics, SymbolMetrics};
pub use watchdog::{Finding, Rule, Stream, Watchdog, WatchdogConfig};
