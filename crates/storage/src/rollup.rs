//! Samples of the process become days before they go.
//!
//! A sample is added to its day once: in the transaction that does, it is marked. So it does not matter how often this is run,
//! when it is cut short, or whether a sample comes late, even one of a day whose other samples have gone already.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use plimsoll_market::Time;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};

use crate::commit::{Cut, limited};
use crate::db::Db;
use crate::entity::{system_metrics as detail, system_metrics_daily as daily};
use crate::error::StoreError;
use crate::limits::RETENTION_ROWS;
use crate::rows::{nanos, read_day_sums, read_system, system_day_row};
use crate::system::{DaySums, day_of};

/// What a step has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RolledUp {
    /// Samples added to their days.
    pub(crate) added: u64,
    /// Samples deleted.
    pub(crate) deleted: u64,
}

/// Adds samples of days that ended before `today` to their days, and deletes old ones that have been added.
///
/// Where there are too many, the oldest are added and deleted even if they are of today.
///
/// # Bounds
/// [`RETENTION_ROWS`] samples added, as many deleted by age and as many by number.
pub(crate) async fn step(db: &Db, today: Time, cut: Cut) -> Result<RolledUp, StoreError> {
    limited(db, async {
        let transaction = db.begin("storage.roll_up").await?;
        let done = run(db, &transaction, today, cut).await?;
        db.commit(transaction).await?;
        Ok(done)
    })
    .await
}

async fn run(db: &Db, on: &DatabaseTransaction, today: Time, cut: Cut) -> Result<RolledUp, StoreError> {
    use detail::Column as C;
    let ended = oldest(RETENTION_ROWS).filter(C::TimeNs.lt(nanos(today))).filter(C::Rolled.eq(false));
    let mut added = add(db, on, ended).await?;

    let aged = oldest(RETENTION_ROWS).filter(C::TimeNs.lt(nanos(cut.before))).filter(C::Rolled.eq(true));
    let mut deleted = delete(db, on, aged).await?;
    let excess = cut.excess.saturating_sub(deleted).min(RETENTION_ROWS);
    if excess > 0 {
        // They are the oldest of all, so what is not marked among them is added first, today's as well.
        let first = oldest(excess).select_only().column(C::TimeNs).into_query();
        added += add(db, on, oldest(excess).filter(C::TimeNs.in_subquery(first)).filter(C::Rolled.eq(false))).await?;
        deleted += delete(db, on, oldest(excess)).await?;
    }
    Ok(RolledUp { added, deleted })
}

fn oldest(limit: u64) -> Select<detail::Entity> {
    detail::Entity::find().order_by_asc(detail::Column::TimeNs).limit(limit)
}

/// Adds samples to their days and marks them.
async fn add(db: &Db, on: &DatabaseTransaction, samples: Select<detail::Entity>) -> Result<u64, StoreError> {
    let samples = samples.all(on).await.map_err(|error| db.error(error))?;
    let mut days: BTreeMap<Time, DaySums> = BTreeMap::new();
    for row in &samples {
        let sample = read_system(row)?;
        let day = day_of(sample.time);
        let sums = match days.entry(day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let stored = daily::Entity::find_by_id(nanos(day)).one(on).await.map_err(|error| db.error(error))?;
                let sums = stored.as_ref().map(read_day_sums).transpose()?;
                unknown.insert(sums.unwrap_or_else(|| DaySums::new(day)))
            }
        };
        sums.add(&sample);
    }
    write(on, &days, samples.iter().map(|row| row.time_ns)).await.map_err(|error| db.error(error))?;
    Ok(samples.len() as u64)
}

async fn write(on: &DatabaseTransaction, days: &BTreeMap<Time, DaySums>, samples: impl Iterator<Item = i64>) -> Result<(), DbErr> {
    if days.is_empty() {
        return Ok(());
    }
    use daily::Column as C;
    let sums = [
        [C::RssCount, C::RssSum, C::RssMin, C::RssMax],
        [C::CpuCount, C::CpuSum, C::CpuMin, C::CpuMax],
        [C::TasksCount, C::TasksSum, C::TasksMin, C::TasksMax],
        [C::AllocatedCount, C::AllocatedSum, C::AllocatedMin, C::AllocatedMax],
    ];
    let known = OnConflict::column(C::DayNs).update_column(C::Samples).update_columns(sums.into_iter().flatten()).to_owned();
    daily::Entity::insert_many(days.values().map(system_day_row)).on_conflict(known).exec_without_returning(on).await?;
    let mark = detail::Entity::update_many().col_expr(detail::Column::Rolled, Expr::value(true));
    mark.filter(detail::Column::TimeNs.is_in(samples)).exec(on).await.map(drop)
}

async fn delete(db: &Db, on: &DatabaseTransaction, samples: Select<detail::Entity>) -> Result<u64, StoreError> {
    use detail::Column as C;
    let which = samples.select_only().column(C::TimeNs).into_query();
    let done = detail::Entity::delete_many().filter(C::TimeNs.in_subquery(which)).exec(on).await;
    done.map(|done| done.rows_affected).map_err(|error| db.error(error))
}
