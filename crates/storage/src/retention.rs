//! What goes, when, and in which order.

use std::time::Duration;

use plimsoll_bounded::reply;
use plimsoll_market::Time;

use crate::commit::Cut;
use crate::config::{Keep, RawRetention};
use crate::error::StoreError;
use crate::limits::{GIVE_WAY_PERCENT, GIVE_WAY_TO_PERCENT, RETENTION_STEPS, SHED_SHARE, VACUUM_STEPS};
use crate::rollup::RolledUp;
use crate::store::{Store, Table};
use crate::system::day_of;
use crate::vacuum::{Give, Pages};
use crate::writer::Command;

/// What a run of the retention did: rows that it deleted, and room that it made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Of the equity points.
    pub equity: u64,
    /// Of the events.
    pub events: u64,
    /// Of the orders that ended.
    pub orders: u64,
    /// Of the fills.
    pub fills: u64,
    /// Of the funding payments.
    pub funding: u64,
    /// Of the samples of the process.
    pub system: u64,
    /// Of the days of the process.
    pub system_daily: u64,
    /// Of the lines of the log, the errors left out.
    pub logs: u64,
    /// Of the lines of the log that are errors.
    pub log_errors: u64,
    /// Of what was done through the API.
    pub audit: u64,
    /// Samples that were added to their days; these are not deleted by that.
    pub rolled_up: u64,
    /// Whether there is more to delete: the run's steps were used up.
    pub more: bool,
    /// Whether history went before its age, because the database was near its greatest size.
    pub gave_way: bool,
    /// Bytes that the file became smaller by.
    pub returned_bytes: u64,
    /// Whether somebody who reads kept SQLite's write-ahead log from being cut; see [`Store::foreign_readers`].
    pub log_held: bool,
}

impl Retained {
    /// Counts the rows that were deleted.
    pub fn rows(&self) -> u64 {
        let Self { equity, events, orders, fills, funding, system, system_daily, logs, log_errors, audit, .. } = *self;
        equity + events + orders + fills + funding + system + system_daily + logs + log_errors + audit
    }

    fn count(&mut self, what: What, deleted: u64) {
        let of = match what {
            What::Samples => &mut self.system,
            What::Rows(Table::Equity) => &mut self.equity,
            What::Rows(Table::Events) => &mut self.events,
            What::Rows(Table::Orders) => &mut self.orders,
            What::Rows(Table::Fills) => &mut self.fills,
            What::Rows(Table::Funding) => &mut self.funding,
            What::Rows(Table::SystemDaily) => &mut self.system_daily,
            What::Rows(Table::Logs) => &mut self.logs,
            What::Rows(Table::LogErrors) => &mut self.log_errors,
            What::Rows(Table::Audit) => &mut self.audit,
        };
        *of += deleted;
    }
}

/// What has an age.
#[derive(Clone, Copy)]
enum What {
    /// Samples of the process: they are summed up before they go.
    Samples,
    Rows(Table),
}

impl What {
    fn keep(self, keep: &RawRetention) -> Keep {
        match self {
            Self::Samples => keep.system,
            Self::Rows(Table::Equity) => keep.equity,
            Self::Rows(Table::Events) => keep.events,
            Self::Rows(Table::Orders) => keep.orders,
            Self::Rows(Table::Fills) => keep.fills,
            Self::Rows(Table::Funding) => keep.funding,
            Self::Rows(Table::SystemDaily) => keep.system_daily,
            Self::Rows(Table::Logs) => keep.logs,
            Self::Rows(Table::LogErrors) => keep.log_errors,
            Self::Rows(Table::Audit) => keep.audit,
        }
    }
}

/// The history that gives way before its age when room is needed, in this order: what is missed least goes first.
///
/// SQLite cannot tell what a table takes without reading all of it, so it is the file that has a limit, and the order that says
/// who pays for it.
const GIVE_WAY: [&[What]; 5] = [
    &[What::Rows(Table::Logs), What::Rows(Table::LogErrors)],
    &[What::Samples, What::Rows(Table::SystemDaily)],
    &[What::Rows(Table::Equity)],
    &[What::Rows(Table::Events)],
    &[What::Rows(Table::Orders)],
];

/// What never goes before its age, whatever room is left: the exchange tells it for some weeks only, and taxes are due for years.
const STAYS: [What; 2] = [What::Rows(Table::Fills), What::Rows(Table::Funding)];

/// What does not depend on days of trading, and never goes before its age either: who wants to hide what he did must not get rid of it
/// by filling the disk.
const WITNESS: What = What::Rows(Table::Audit);

/// A run of the retention; its steps are counted over all that it does.
struct Run<'a> {
    store: &'a Store,
    now: Time,
    keep: RawRetention,
    steps: usize,
    done: Retained,
}

impl Store {
    /// Adds samples of days that have ended to their days, deletes rows that are too old or too many, and gives the room back, in
    /// steps with the writer's other work in between. To be called every hour.
    ///
    /// A SQLite file that fills more than [`GIVE_WAY_PERCENT`] of its greatest size has history give way before its age: lines of
    /// the log, figures of the process, equity, events and ended orders, one after the other down to a quarter of what they may
    /// keep, until it fills less than [`GIVE_WAY_TO_PERCENT`].
    ///
    /// # Errors
    /// When a step failed; the steps before it hold.
    ///
    /// # Bounds
    /// [`RETENTION_STEPS`] and [`VACUUM_STEPS`] steps; [`Retained::more`] tells that the former were not enough.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn retain(&self, now: Time) -> Result<Retained, StoreError> {
        let mut run = Run::new(self, now);
        // First, because a sample that goes unsummed is lost.
        run.trim(What::Samples, 1).await?;
        // What is to go is summed up first. Today's executions come while this is done, and are too young to go.
        self.count_days().await?;
        let counted = self.reader().oldest_uncounted().await?.is_none_or(|day| day >= day_of(now));
        for what in STAYS.into_iter().filter(|_| counted).chain([WITNESS]).chain(GIVE_WAY.into_iter().flatten().copied()) {
            if !matches!(what, What::Samples) {
                run.trim(what, 1).await?;
            }
        }
        let size_max = self.size_max_bytes();
        let share = |pages: Pages| pages.used_bytes().saturating_mul(100) / size_max.max(1);
        if share(self.pages().await?) >= GIVE_WAY_PERCENT {
            run.done.gave_way = true;
            for stage in GIVE_WAY {
                for what in stage {
                    run.trim(*what, SHED_SHARE).await?;
                }
                if share(self.pages().await?) < GIVE_WAY_TO_PERCENT {
                    break;
                }
            }
        }
        run.vacuum(Give::Excess).await?;
        Ok(run.done)
    }

    /// Makes room on the disk: history down to a quarter of what it may keep, all free pages back to the file system, the
    /// write-ahead log cut. Fills, funding payments and open orders stay.
    ///
    /// # Errors
    /// As [`Store::retain`].
    ///
    /// # Bounds
    /// As [`Store::retain`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn shed(&self, now: Time) -> Result<Retained, StoreError> {
        let mut run = Run::new(self, now);
        run.done.gave_way = true;
        for what in GIVE_WAY.into_iter().flatten() {
            run.trim(*what, SHED_SHARE).await?;
        }
        run.vacuum(Give::All).await?;
        Ok(run.done)
    }
}

impl<'a> Run<'a> {
    fn new(store: &'a Store, now: Time) -> Self {
        Self { store, now, keep: store.keeps(), steps: 0, done: Retained::default() }
    }

    /// Deletes what is older or more than `1 / share` of what may be kept.
    async fn trim(&mut self, what: What, share: u32) -> Result<(), StoreError> {
        if self.done.more {
            return Ok(());
        }
        let keep = what.keep(&self.keep);
        let rows = (keep.rows / u64::from(share)).max(1);
        let mut excess = match what {
            What::Samples => self.store.reader().count_samples().await?.saturating_sub(rows),
            What::Rows(table) => self.store.reader().excess(table, rows).await?,
        };
        loop {
            self.steps += 1;
            if self.steps > RETENTION_STEPS {
                self.done.more = true;
                return Ok(());
            }
            let cut = Cut { before: before(self.now, keep, share), excess };
            let (deleted, added) = match what {
                What::Samples => {
                    let (reply, answer) = reply();
                    self.store.ask(Command::RollUp { today: day_of(self.now), cut, reply }).await?;
                    let RolledUp { added, deleted } = self.store.wait(answer).await?;
                    (deleted, added)
                }
                What::Rows(table) => {
                    let (reply, answer) = reply();
                    self.store.ask(Command::Retain { table, cut, reply }).await?;
                    (self.store.wait(answer).await?, 0)
                }
            };
            excess = excess.saturating_sub(deleted);
            self.done.rolled_up += added;
            self.done.count(what, deleted);
            if deleted == 0 && added == 0 {
                return Ok(());
            }
        }
    }

    /// Gives free pages back a step at a time, and has the file become as small as that allows.
    async fn vacuum(&mut self, give: Give) -> Result<(), StoreError> {
        let mut first: Option<Pages> = None;
        let mut last = Pages::default();
        for _ in 0..VACUUM_STEPS {
            let (reply, answer) = reply();
            self.store.ask(Command::Vacuum { give, reply }).await?;
            let (before, after) = self.store.wait(answer).await?;
            first.get_or_insert(before);
            last = after;
            if after.free >= before.free {
                break;
            }
        }
        let given = first.unwrap_or_default().all.saturating_sub(last.all);
        self.done.returned_bytes = given * crate::db::PAGE_BYTES;
        if given > 0 || give == Give::All {
            // What was given back leaves the file once the log is in it.
            let (reply, answer) = reply();
            self.store.ask(Command::Checkpoint { reply }).await?;
            self.done.log_held = self.store.wait(answer).await?;
        }
        Ok(())
    }
}

/// Returns the instant before which rows are too old.
fn before(now: Time, keep: Keep, share: u32) -> Time {
    let age = Duration::from_secs(u64::from(keep.days) * 86_400 / u64::from(share));
    Time::from_nanos(now.nanos().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
}
