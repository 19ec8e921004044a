//! The transactions. Each can be run again after an answer that never came: none counts anything twice.

use std::collections::BTreeMap;

use plimsoll_market::{AccountRecord, Booked, LogLevel, Name, Order, Record, SlotRow, StateRecord, Time, Totals, TradeId};
use sea_orm::sea_query::{IntoIden, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, Iterable, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::days::{self, Touched};
use crate::db::Db;
use crate::entity::{
    account_state, audit, equity, events, fills, funding, instruments, logs, orders, runs, slots, state, system_metrics,
    system_metrics_daily, totals,
};
use crate::error::StoreError;
use crate::limits::{COMMIT_TIMEOUT, RETENTION_ROWS};
use crate::rows::{
    OPEN, account_state_row, equity_row, event_row, fill_row, funding_row, instrument_row, log_level, log_row, nanos, order_row,
    read_instrument, slot_row, state_row, system_row, totals_row,
};
use crate::store::Table;
use crate::{History, Key, LogLine, StoredScales};

/// A record on its way.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) record: Record,
}

/// Gives up on what takes longer than a commit may.
pub(crate) async fn limited<T>(db: &Db, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(COMMIT_TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Busy { database: db.name.clone(), waited: COMMIT_TIMEOUT }),
    }
}

/// Stores records: all of them, with the totals after the last, or none.
pub(crate) async fn records(db: &Db, items: &[Item]) -> Result<(), StoreError> {
    let plan = Plan::of(items);
    limited(db, async {
        let transaction = db.begin("storage.records").await?;
        plan.write(&transaction).await.map_err(|error| db.error(error))?;
        db.commit(transaction).await
    })
    .await
}

/// What is left to write of a batch: of rows that change, only their last state.
struct Plan {
    orders: Vec<orders::ActiveModel>, // tidy: bounded by one batch, as are all here
    fills: Vec<fills::ActiveModel>,   // tidy: bounded by one batch
    held: Vec<slots::ActiveModel>,    // tidy: bounded by one batch
    emptied: Vec<(Key, SlotRow)>,     // tidy: bounded by one batch
    paid: Vec<funding::ActiveModel>,  // tidy: bounded by one batch
    totals: Vec<totals::ActiveModel>, // tidy: bounded by one batch
    days: Touched,
}

impl Plan {
    fn of(items: &[Item]) -> Self {
        let mut last_orders: BTreeMap<(Key, u128), &Order> = BTreeMap::new();
        let mut last_slots: BTreeMap<(Key, plimsoll_market::Leg), &SlotRow> = BTreeMap::new();
        let mut last_totals: BTreeMap<Key, &Totals> = BTreeMap::new();
        let mut booked: Vec<(Key, &Booked)> = Vec::new();
        let mut paid = Vec::new();
        let mut days = Touched::default();
        for Item { key, record } in items {
            let Record { order, fill, slot, funding, totals } = record;
            if let Some(order) = order {
                last_orders.insert((*key, order.id.bits()), order);
            }
            if let Some(fill) = fill {
                booked.push((*key, fill));
                days.add(*key, fill.fill.time);
            }
            if let Some(payment) = funding {
                paid.push(funding_row(key, payment));
                days.add(*key, payment.time);
            }
            if let Some(slot) = slot {
                last_slots.insert((*key, slot.leg), slot);
            }
            last_totals.insert(*key, totals);
        }
        let (emptied, held): (Vec<_>, Vec<_>) = last_slots.into_iter().partition(|(_, slot)| slot.held.is_zero());
        Self {
            orders: last_orders.into_iter().map(|((key, _), order)| order_row(&key, order)).collect(),
            fills: booked.into_iter().map(|(key, fill)| fill_row(&key, fill)).collect(),
            held: held.into_iter().map(|((key, _), slot)| slot_row(&key, slot)).collect(),
            emptied: emptied.into_iter().map(|((key, _), slot)| (key, *slot)).collect(),
            paid,
            totals: last_totals.into_iter().map(|(key, sums)| totals_row(&key, sums)).collect(),
            days,
        }
    }

    async fn write(self, to: &DatabaseTransaction) -> Result<(), DbErr> {
        let Self { orders, fills, held, emptied, paid, totals, days } = self;
        if !orders.is_empty() {
            use orders::Column as C;
            let known = replacing([C::Account, C::Symbol, C::ClientId], [C::Id, C::Side]);
            orders::Entity::insert_many(orders).on_conflict(known).exec_without_returning(to).await?;
        }
        if !fills.is_empty() {
            use fills::Column as C;
            // A fill never changes: one that is there already is the same one, told again.
            let known = OnConflict::columns([C::Account, C::Symbol, C::TradeId]).do_nothing().to_owned();
            fills::Entity::insert_many(fills).on_conflict(known).exec_without_returning(to).await?;
        }
        if !held.is_empty() {
            use slots::Column as C;
            let known = replacing([C::Account, C::Symbol, C::Strategy, C::Level], []);
            slots::Entity::insert_many(held).on_conflict(known).exec_without_returning(to).await?;
        }
        // A slot that holds nothing is a slot that is not there: the table stays as large as the grids.
        for (key, slot) in emptied {
            let row = (key.account.to_string(), key.symbol.to_string(), i32::from(slot.leg.strategy()), slot.leg.index());
            slots::Entity::delete_by_id(row).exec(to).await?;
        }
        if !paid.is_empty() {
            use funding::Column as C;
            let known = OnConflict::columns([C::Account, C::Symbol, C::TimeNs]).do_nothing().to_owned();
            funding::Entity::insert_many(paid).on_conflict(known).exec_without_returning(to).await?;
        }
        if !totals.is_empty() {
            use totals::Column as C;
            let known = replacing([C::Account, C::Symbol], []);
            totals::Entity::insert_many(totals).on_conflict(known).exec_without_returning(to).await?;
        }
        days.mark(to).await
    }
}

/// A row that is there already takes all of the new one's columns but its key and those to be kept: a column added later cannot be
/// forgotten.
fn replacing<C: Iterable + ColumnTrait + IntoIden, const K: usize, const N: usize>(key: [C; K], kept: [C; N]) -> OnConflict {
    let fixed = |column: &C| key.iter().chain(&kept).any(|other| other.as_str() == column.as_str());
    let changing: Vec<C> = C::iter().filter(|column| !fixed(column)).collect();
    OnConflict::columns(key).update_columns(changing).to_owned()
}

/// Stores states durably: they survive a power cut once this returns.
pub(crate) async fn states(db: &Db, states: &[(Key, StateRecord)]) -> Result<(), StoreError> {
    // Of several for one symbol the last wins.
    let rows: BTreeMap<Key, &StateRecord> = states.iter().map(|(key, record)| (*key, record)).collect();
    let rows: Vec<_> = rows.into_iter().map(|(key, record)| state_row(&key, record)).collect();
    durable(db, "storage.states", async |to| {
        use state::Column as C;
        let known = replacing([C::Account, C::Symbol], []);
        state::Entity::insert_many(rows).on_conflict(known).exec_without_returning(to).await.map(drop)
    })
    .await
}

/// Stores what the rules of an account must remember; durable.
pub(crate) async fn account(db: &Db, name: &Name, record: &AccountRecord) -> Result<(), StoreError> {
    durable(db, "storage.account", async |to| {
        use account_state::Column as C;
        let known = replacing([C::Account], []);
        account_state::Entity::insert(account_state_row(name, record)).on_conflict(known).exec_without_returning(to).await.map(drop)
    })
    .await
}

/// Stores what a symbol's numbers mean unless it is known, and tells what is stored then; durable.
pub(crate) async fn scales(db: &Db, key: &Key, scales: &StoredScales) -> Result<StoredScales, StoreError> {
    let id = (key.account.to_string(), key.symbol.to_string());
    // Every start asks for every symbol: what is known costs no sync.
    let known = limited(db, async {
        let from = db.read("storage.scales").await?;
        let on: &DatabaseTransaction = &from;
        instruments::Entity::find_by_id(id.clone()).one(on).await.map_err(|error| db.error(error))
    });
    if let Some(row) = known.await? {
        return read_instrument(&row);
    }
    let row = durable(db, "storage.scales", async |to| {
        use instruments::Column as C;
        let known = OnConflict::columns([C::Account, C::Symbol]).do_nothing().to_owned();
        instruments::Entity::insert(instrument_row(key, scales)).on_conflict(known).exec_without_returning(to).await?;
        instruments::Entity::find_by_id(id).one(to).await
    })
    .await?;
    row.as_ref().map_or(Ok(*scales), read_instrument)
}

/// Forgets the executions of a symbol after one, its slots, and what its totals say of them; durable.
pub(crate) async fn forget_books(db: &Db, key: &Key, after: TradeId) -> Result<(), StoreError> {
    durable(db, "storage.forget", async |to| {
        days::forget(key, after, to).await?;
        let (account, symbol) = (key.account.as_str(), key.symbol.as_str());
        let fills = fills::Entity::delete_many().filter(fills::Column::Account.eq(account)).filter(fills::Column::Symbol.eq(symbol));
        fills.filter(fills::Column::TradeId.gt(after.0 as i64)).exec(to).await?;
        let slots = slots::Entity::delete_many().filter(slots::Column::Account.eq(account)).filter(slots::Column::Symbol.eq(symbol));
        slots.exec(to).await?;
        // Funding is not among executions: what is known of it stays.
        let Some(row) = totals::Entity::find_by_id((account.to_owned(), symbol.to_owned())).one(to).await? else { return Ok(()) };
        let mut empty = totals_row(key, &Totals { watermark: Some(after), ..Totals::EMPTY });
        (empty.funding, empty.funded_ns) = (Set(row.funding), Set(row.funded_ns));
        let known = replacing([totals::Column::Account, totals::Column::Symbol], []);
        totals::Entity::insert(empty).on_conflict(known).exec_without_returning(to).await.map(drop)
    })
    .await
}

/// Takes the number of this start: above every stored one and at least the Unix second; durable.
pub(crate) async fn next_run(db: &Db, now: Time) -> Result<u64, StoreError> {
    durable(db, "storage.next_run", async |to| {
        let last: Option<Option<i64>> =
            runs::Entity::find().select_only().column_as(runs::Column::Run.max(), "run").into_tuple().one(to).await?;
        let stored = last.flatten().and_then(|run| u64::try_from(run).ok());
        let run = stored.map_or(0, |run| run + 1).max(now.millis() / 1_000);
        let row =
            runs::ActiveModel { run: Set(run as i64), started_ns: Set(nanos(now)), version: Set(env!("CARGO_PKG_VERSION").to_owned()) };
        runs::Entity::insert(row).exec_without_returning(to).await?;
        // The number alone matters; the last starts are kept for people.
        let old = runs::Entity::delete_many().filter(runs::Column::StartedNs.lt(nanos(now) - RUNS_KEPT_NS));
        old.filter(runs::Column::Run.lt(run as i64)).exec(to).await?;
        Ok(run)
    })
    .await
}

/// How long starts are remembered: a year.
const RUNS_KEPT_NS: i64 = 365 * DAY_NS;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// Runs a transaction that waits for the disk. SQLite's log is not synced on ordinary commits; PostgreSQL always does.
pub(crate) async fn durable<T>(
    db: &Db,
    holder: &'static str,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
) -> Result<T, StoreError> {
    limited(db, async {
        if db.is_sqlite() {
            db.run(holder, "PRAGMA synchronous = FULL").await?;
        }
        let done = async {
            let transaction = db.begin(holder).await?;
            let done = work(&transaction).await.map_err(|error| db.error(error))?;
            db.commit(transaction).await?;
            Ok(done)
        }
        .await;
        if db.is_sqlite() {
            // Left at FULL by a cancelled commit, it would only be slower.
            db.run(holder, "PRAGMA synchronous = NORMAL").await?;
        }
        done
    })
    .await
}

/// Stores history.
pub(crate) async fn history(db: &Db, items: &[History]) -> Result<(), StoreError> {
    let mut points = Vec::new();
    let mut told = Vec::new();
    // A statement may name an instant once only; the first sample of an instant is the one that stays.
    let mut samples = BTreeMap::new();
    for item in items {
        match item {
            History::Equity(point) => points.push(equity_row(point)),
            History::Event(event) => told.push(event_row(event)),
            History::System(sample) => drop(samples.entry(sample.time).or_insert_with(|| system_row(sample))),
        }
    }
    limited(db, async {
        let transaction = db.begin("storage.history").await?;
        let to: &DatabaseTransaction = &transaction;
        let written = async {
            if !points.is_empty() {
                equity::Entity::insert_many(points).exec_without_returning(to).await?;
            }
            if !told.is_empty() {
                events::Entity::insert_many(told).exec_without_returning(to).await?;
            }
            if !samples.is_empty() {
                let known = OnConflict::column(system_metrics::Column::TimeNs).do_nothing().to_owned();
                system_metrics::Entity::insert_many(samples.into_values()).on_conflict(known).exec_without_returning(to).await?;
            }
            Ok(())
        };
        written.await.map_err(|error| db.error(error))?;
        db.commit(transaction).await
    })
    .await
}

/// Stores lines of the log.
pub(crate) async fn log_lines(db: &Db, lines: &[LogLine]) -> Result<(), StoreError> {
    let rows: Vec<_> = lines.iter().map(log_row).collect();
    limited(db, async {
        let transaction = db.begin("storage.logs").await?;
        let to: &DatabaseTransaction = &transaction;
        logs::Entity::insert_many(rows).exec_without_returning(to).await.map_err(|error| db.error(error))?;
        db.commit(transaction).await
    })
    .await
}

/// Which rows of a table may go now.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Older ones go.
    pub(crate) before: Time,
    /// So many of the oldest go whatever their age.
    pub(crate) excess: u64,
}

/// Deletes one step of the oldest rows and tells how many.
pub(crate) async fn retain(db: &Db, table: Table, cut: Cut) -> Result<u64, StoreError> {
    match table {
        Table::Equity => retain_in::<equity::Entity>(db, equity::Column::Id, equity::Column::TimeNs, Condition::all(), cut).await,
        Table::Events => retain_in::<events::Entity>(db, events::Column::Id, events::Column::TimeNs, Condition::all(), cut).await,
        Table::Orders => retain_in::<orders::Entity>(db, orders::Column::Id, orders::Column::TimeNs, ended(), cut).await,
        Table::Fills => retain_in::<fills::Entity>(db, fills::Column::Id, fills::Column::TimeNs, Condition::all(), cut).await,
        // Payments of one instant go together.
        Table::Funding => retain_in::<funding::Entity>(db, funding::Column::TimeNs, funding::Column::TimeNs, Condition::all(), cut).await,
        Table::Logs => retain_in::<logs::Entity>(db, logs::Column::Id, logs::Column::TimeNs, log_errors(false), cut).await,
        Table::LogErrors => retain_in::<logs::Entity>(db, logs::Column::Id, logs::Column::TimeNs, log_errors(true), cut).await,
        Table::Audit => retain_in::<audit::Entity>(db, audit::Column::Id, audit::Column::TimeNs, Condition::all(), cut).await,
        Table::SystemDaily => {
            let day = system_metrics_daily::Column::DayNs;
            retain_in::<system_metrics_daily::Entity>(db, day, day, Condition::all(), cut).await
        }
    }
}

/// Lines of the log that are errors, or those that are not: both have ages of their own.
fn log_errors(errors: bool) -> Condition {
    let error = log_level(LogLevel::Error);
    Condition::all().add(if errors { logs::Column::Level.lte(error) } else { logs::Column::Level.gt(error) })
}

/// Orders that may go: what is open stays, whatever its age.
fn ended() -> Condition {
    Condition::all().add(orders::Column::Status.is_not_in(OPEN))
}

/// The first and the last id of a table whose rows are numbered; `None` when it is empty or has no numbers.
pub(crate) async fn ids(from: &DatabaseTransaction, table: Table) -> Result<Option<(i64, i64)>, DbErr> {
    async fn ends<E: EntityTrait>(from: &DatabaseTransaction, id: E::Column) -> Result<Option<(i64, i64)>, DbErr> {
        // Two queries: only alone is each answered by the end of the index.
        let end = |column| E::find().select_only().column_as(column, "id").into_tuple::<Option<i64>>();
        let (first, last) = (end(id.min()).one(from).await?, end(id.max()).one(from).await?);
        Ok(first.flatten().zip(last.flatten()))
    }
    match table {
        Table::Equity => ends::<equity::Entity>(from, equity::Column::Id).await,
        Table::Events => ends::<events::Entity>(from, events::Column::Id).await,
        Table::Orders => ends::<orders::Entity>(from, orders::Column::Id).await,
        Table::Fills => ends::<fills::Entity>(from, fills::Column::Id).await,
        Table::Logs | Table::LogErrors => ends::<logs::Entity>(from, logs::Column::Id).await,
        Table::Audit => ends::<audit::Entity>(from, audit::Column::Id).await,
        Table::Funding | Table::SystemDaily => Ok(None),
    }
}

/// Counts the rows of a table that may go, of those with these ids; of a table without numbers all.
pub(crate) async fn count(from: &DatabaseTransaction, table: Table, first: i64, last: i64) -> Result<u64, DbErr> {
    async fn between<E: EntityTrait>(from: &DatabaseTransaction, id: E::Column, may: Condition, first: i64, last: i64) -> Result<u64, DbErr>
    where
        for<'a> sea_orm::Select<E>: PaginatorTrait<'a, DatabaseTransaction>,
    {
        E::find().filter(may).filter(id.between(first, last)).count(from).await
    }
    let all = Condition::all;
    match table {
        Table::Equity => between::<equity::Entity>(from, equity::Column::Id, all(), first, last).await,
        Table::Events => between::<events::Entity>(from, events::Column::Id, all(), first, last).await,
        Table::Orders => between::<orders::Entity>(from, orders::Column::Id, ended(), first, last).await,
        Table::Fills => between::<fills::Entity>(from, fills::Column::Id, all(), first, last).await,
        Table::Logs => between::<logs::Entity>(from, logs::Column::Id, log_errors(false), first, last).await,
        Table::LogErrors => between::<logs::Entity>(from, logs::Column::Id, log_errors(true), first, last).await,
        Table::Audit => between::<audit::Entity>(from, audit::Column::Id, all(), first, last).await,
        Table::Funding => funding::Entity::find().count(from).await,
        Table::SystemDaily => system_metrics_daily::Entity::find().count(from).await,
    }
}

/// Counts the samples of the process.
pub(crate) async fn count_samples(from: &DatabaseTransaction) -> Result<u64, DbErr> {
    system_metrics::Entity::find().count(from).await
}

async fn retain_in<E>(db: &Db, id: E::Column, time: E::Column, may: Condition, cut: Cut) -> Result<u64, StoreError>
where
    E: EntityTrait,
{
    limited(db, async {
        let oldest = |condition: Condition, limit: u64| {
            E::find().select_only().column(id).filter(condition).order_by_asc(time).order_by_asc(id).limit(limit).into_query()
        };
        let transaction = db.begin("storage.retention").await?;
        let on: &DatabaseTransaction = &transaction;
        let delete = async |query| {
            let done = E::delete_many().filter(id.in_subquery(query)).exec(on).await;
            done.map(|done| done.rows_affected).map_err(|error| db.error(error))
        };
        let mut deleted = delete(oldest(may.clone().add(time.lt(nanos(cut.before))), RETENTION_ROWS)).await?;
        let excess = cut.excess.min(RETENTION_ROWS);
        if excess > deleted {
            deleted += delete(oldest(may, excess - deleted)).await?;
        }
        db.commit(transaction).await?;
        Ok(deleted)
    })
    .await
}
