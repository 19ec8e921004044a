//! What goes on beside trading: telling symbols whether records have room, dropping empty slots, deleting old rows.

use crate::config::Config;
use crate::ports::{Now, Traded};
use crate::trade::{Control, Inlet, Refusal};
use plimsoll_bounded::{TaskSpec, Tasks};
use plimsoll_gateway::Clock;
use plimsoll_market::{Alert, AlertCode, Event, Severity};
use plimsoll_monitor::Megabytes;
use plimsoll_storage::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long to wait before a lane that was full is tried again.
const LANE_POLL: Duration = Duration::from_millis(20);
/// When old rows are deleted for the first time.
const RETENTION_FIRST: Duration = Duration::from_secs(300);
/// How often old rows are deleted.
const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// How often it is looked whether empty slots are to go.
const CLEANUP_LOOK: Duration = Duration::from_millis(500);

/// How often days of trading are counted: so old are today's figures at most.
const COUNT_EVERY: Duration = Duration::from_secs(60);

/// Tells every symbol when records have no room, and when they have again.
///
/// # Errors
/// When the set has no room for the task.
pub fn watch_records(store: &Store, traded: &[Traded], tasks: &Tasks) -> anyhow::Result<()> {
    let mut health = store.health();
    let inlets: Vec<Inlet> = traded.iter().map(|t| t.inlet.clone()).collect();
    tasks.spawn(TaskSpec { name: "records", group: "app" }, |task| {
        Box::pin(async move {
            let mut told = NoRoom::default();
            while let Some(Ok(())) = task.stop.or(health.changed()).await {
                task.pulse.beat();
                let (now, failing) = health.with(|h| (NoRoom { records: h.records_full, disk: h.disk_short }, h.failing.clone()));
                if let Some(failing) = failing {
                    tracing::error!(error = %failing, "storage fails; records wait");
                }
                for full in told.to(now) {
                    for inlet in &inlets {
                        while inlet.control(Control::Event(Event::RecordsFull(full))) == Err(Refusal::Full) {
                            if task.stop.or(tokio::time::sleep(LANE_POLL)).await.is_none() {
                                return;
                            }
                        }
                    }
                }
                told = now;
            }
        })
    })?;
    Ok(())
}

/// Why records have no room: their queue is full, or the disk is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NoRoom {
    records: bool,
    disk: bool,
}

impl NoRoom {
    /// What symbols are told when this becomes that: whether there is no room.
    ///
    /// A queue that has room again is told even while the disk is short: whoever was refused by it catches up with that, and what
    /// is done while nothing is opened is recorded.
    fn to(self, now: Self) -> impl Iterator<Item = bool> {
        let (before, after) = (self.records || self.disk, now.records || now.disk);
        let relieved = self.records && !now.records;
        let let_go = relieved || (before && !after);
        let closed = after && (relieved || !before);
        let_go.then_some(false).into_iter().chain(closed.then_some(true))
    }
}

/// The chores: empty slots, days of trading, old rows.
///
/// # Errors
/// When the set has no room for the tasks.
pub fn housekeeping(
    config: &Config,
    cleanup: Arc<AtomicU64>,
    store: &Store,
    now: &Arc<Now>,
    clock: Clock,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let shown = Arc::clone(now);
    tasks.spawn(TaskSpec { name: "cleanup", group: "app" }, move |task| {
        Box::pin(async move {
            let mut last = Instant::now();
            while task.stop.or(tokio::time::sleep(CLEANUP_LOOK)).await.is_some() {
                task.pulse.beat();
                // The interval may be another one by now.
                if last.elapsed() < Duration::from_millis(cleanup.load(Ordering::Relaxed)) {
                    continue;
                }
                last = Instant::now();
                for traded in &shown.symbols {
                    if traded.inlet.control(Control::Event(Event::Command(plimsoll_market::Command::CleanupSlots))).is_err() {
                        tracing::warn!(symbol = %traded.instrument.symbol, "cleanup of slots found no room; next time");
                    }
                }
            }
        })
    })?;
    let counting = store.clone();
    tasks.spawn(TaskSpec { name: "days", group: "app" }, move |task| {
        Box::pin(async move {
            loop {
                if let Err(error) = counting.count_days().await {
                    tracing::warn!(%error, "days of trading could not be counted; next time");
                }
                if task.stop.or(tokio::time::sleep(COUNT_EVERY)).await.is_none() {
                    return;
                }
                task.pulse.beat();
            }
        })
    })?;
    let (store, alerts) = (store.clone(), now.alerts.clone());
    let size_max = config.storage.size_max;
    tasks.spawn(TaskSpec { name: "retention", group: "app" }, move |task| {
        Box::pin(async move {
            // Soon after the start: a bot that is started anew every half hour has old rows as well.
            let mut pause = RETENTION_FIRST;
            while task.stop.or(tokio::time::sleep(pause)).await.is_some() {
                pause = RETENTION_EVERY;
                task.pulse.beat();
                match store.retain(clock.now()).await {
                    Ok(done) if done.gave_way => {
                        let text = format_args!(
                            "the database fills 90 % of storage.size_max of {}: {} rows went, history before its age among them",
                            Megabytes(size_max),
                            done.rows()
                        );
                        alerts.raise_of("size_max", Alert::new(Severity::Warning, AlertCode::Database, clock.now(), &text));
                    }
                    Ok(done) => tracing::debug!(rows = done.rows(), bytes = done.returned_bytes, "old rows deleted"),
                    Err(error) => tracing::warn!(%error, "old rows could not be deleted; next time"),
                }
            }
        })
    })?;
    Ok(())
}

/// Leaks as the environment says: to see detector and ladder at work.
///
/// # Errors
/// The environment is not understood, or there is no room for the task.
#[cfg(feature = "leak")]
pub fn leak_on_purpose(grant: Option<plimsoll_bounded::Grant>, tasks: &Tasks) -> anyhow::Result<()> {
    use anyhow::Context;
    const STEP: Duration = Duration::from_millis(200);
    let Some(grant) = grant else { return Ok(()) };
    let text = std::env::var("PLIMSOLL_LEAK").unwrap_or_default();
    let (kind, rate) =
        crate::dripping::Leaker::parse(&text).context("PLIMSOLL_LEAK must be container:N, allocator:N or outside:N, bytes a second")?;
    let mut leaker = crate::dripping::Leaker::new(kind, rate, grant);
    tasks.spawn(TaskSpec { name: "leak", group: "app" }, move |task| {
        Box::pin(async move {
            while task.stop.or(tokio::time::sleep(STEP)).await.is_some() {
                leaker.drip(STEP);
            }
        })
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::NoRoom;

    #[test]
    fn symbols_are_told_of_both_kinds_of_shortness_as_one() {
        let [none, records, disk, both] =
            [(false, false), (true, false), (false, true), (true, true)].map(|(records, disk)| NoRoom { records, disk });
        for (before, after, told) in [
            (none, none, &[] as &[bool]),
            (none, records, &[true]),
            (none, disk, &[true]),
            (none, both, &[true]),
            (records, none, &[false]),
            (disk, none, &[false]),
            (both, none, &[false]),
            (records, both, &[]),
            (disk, both, &[]),
            // Who was refused catches up, and opens nothing all the same.
            (both, disk, &[false, true]),
            (records, disk, &[false, true]),
            (both, records, &[]),
            (disk, records, &[]),
        ] {
            assert_eq!(before.to(after).collect::<Vec<_>>(), told, "{before:?} to {after:?}");
        }
    }
}
