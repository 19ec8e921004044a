//! Bounded queries for those who look.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use plimsoll_market::{AccountRecord, Booked, ClientId, FundingPayment, Name, Order, SlotRow, StateRecord, Time, Totals, TradeId};
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::Instant;

use crate::commit;
use crate::db::{Db, number};
use crate::entity::{
    account_state, equity, events, fills, funding, logs, orders, slots, state, system_metrics, system_metrics_daily, totals,
};
use crate::error::StoreError;
use crate::limits::{
    CHUNK_ROWS, COUNT_IDS, DAYS_MAX, LOG_SCAN_MAX, OPEN_ORDERS_MAX, POINTS_MAX, QUERY_TIMEOUT, RANGE_MAX, RECENT_FILLS_MAX, ROWS, ROWS_MAX,
    SLOTS_MAX, SYSTEM_POINTS_MIN,
};
use crate::rows::{
    OPEN, log_level, nanos, read_account_state, read_day_sums, read_equity, read_event, read_fill, read_funding, read_log, read_order,
    read_slot, read_state, read_system, read_totals,
};
use crate::store::Table;
use crate::system::day_of;
use crate::thin::Thinner;
use crate::{EquityPoint, EventId, EventRow, Key, LogCursor, LogQuery, LogRow, SystemDay, SystemRow};

/// Rows that a query returns at most, 1 to [`ROWS_MAX`]; [`ROWS`] by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowLimit(u32);

impl RowLimit {
    /// Checks a limit.
    ///
    /// # Errors
    /// Zero, or more than [`ROWS_MAX`].
    pub fn new(rows: u32) -> Result<Self, StoreError> {
        if (1..=ROWS_MAX).contains(&rows) {
            Ok(Self(rows))
        } else {
            Err(StoreError::TooMuch { what: "limit", value: u64::from(rows), most: u64::from(ROWS_MAX) })
        }
    }

    /// Returns the rows.
    pub fn rows(self) -> u32 {
        self.0
    }
}

impl Default for RowLimit {
    fn default() -> Self {
        Self(ROWS)
    }
}

/// From an instant up to another, the first included, [`RANGE_MAX`] at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    from: Time,
    to: Time,
}

impl TimeRange {
    /// Checks a range.
    ///
    /// # Errors
    /// Longer than [`RANGE_MAX`].
    pub fn new(from: Time, to: Time) -> Result<Self, StoreError> {
        let seconds = to.since(from).as_secs();
        if to.since(from) > RANGE_MAX {
            return Err(StoreError::TooMuch { what: "range in seconds", value: seconds, most: RANGE_MAX.as_secs() });
        }
        Ok(Self { from, to })
    }
}

/// From the day of an instant up to that of another, the first included, [`DAYS_MAX`] days at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

impl DayRange {
    /// Checks a range.
    ///
    /// # Errors
    /// Longer than [`DAYS_MAX`].
    pub fn new(from: Time, to: Time) -> Result<Self, StoreError> {
        let length = to.since(from);
        if length > Duration::from_secs(DAYS_MAX * 86_400) {
            return Err(StoreError::TooMuch { what: "range in days", value: length.as_secs().div_ceil(86_400), most: DAYS_MAX });
        }
        Ok(Self { from: day_of(from), to })
    }
}

/// Some rows, the newest first, and where to go on; `None` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows; at most as many as asked for.
    pub rows: Vec<T>, // tidy: bounded by RowLimit
    /// Give this as `before` to get the next page.
    pub next: Option<C>,
}

/// A place in the list of orders; its text form survives an url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderCursor {
    /// The last row's time.
    pub time: Time,
    /// The last row's id.
    pub id: ClientId,
}

impl fmt::Display for OrderCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time.nanos(), self.id)
    }
}

impl FromStr for OrderCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (time, id) = text.split_once('-').ok_or(CursorError)?;
        let time = time.parse().map(Time::from_nanos).map_err(|_| CursorError)?;
        Ok(Self { time, id: ClientId::parse(id).map_err(|_| CursorError)? })
    }
}

/// Not a place in the list of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of orders")]
pub struct CursorError;

/// What is stored of a symbol: where a start goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its state; `None` when it was never committed.
    pub state: Option<StateRecord>,
    /// Its totals and watermark; `None` when nothing was ever booked.
    pub totals: Option<Totals>,
    /// Slots that hold something.
    pub slots: Vec<SlotRow>, // tidy: bounded by SLOTS_MAX
    /// Executions above the watermark of the totals that are booked, in the order of their ids; at most [`RECENT_FILLS_MAX`].
    pub recent: Vec<TradeId>, // tidy: bounded by RECENT_FILLS_MAX
    /// Orders that were open by our books, the latest [`OPEN_ORDERS_MAX`], the newest first.
    pub open_orders: Vec<Order>, // tidy: bounded by OPEN_ORDERS_MAX
}

/// Reads while the writer writes. Cheap to clone.
///
/// # Bounds
/// Two queries run at a time; a further one waits five seconds at most, and none runs longer than ten. Each returns
/// [`ROWS_MAX`] rows at most.
#[derive(Clone)]
pub struct Reader {
    db: Db,
}

impl Reader {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Reads fills of a symbol, the newest first, those before a trade id.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be read.
    pub async fn fills(&self, key: &Key, before: Option<TradeId>, limit: RowLimit) -> Result<Page<Booked, TradeId>, StoreError> {
        use fills::Column as C;
        let mut query = fills::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        if let Some(before) = before {
            query = query.filter(C::TradeId.lt(before.0 as i64));
        }
        let query = query.order_by_desc(C::TradeId).limit(u64::from(limit.0));
        let rows = self.with("storage.read_fills", async |from| query.all(from).await).await?;
        page(rows, limit, |row| read_fill(&row), |booked| booked.fill.trade_id)
    }

    /// Reads funding payments of a symbol, the newest first, those before an instant.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn funding(&self, key: &Key, before: Option<Time>, limit: RowLimit) -> Result<Page<FundingPayment, Time>, StoreError> {
        use funding::Column as C;
        let mut query = funding::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        if let Some(before) = before {
            query = query.filter(C::TimeNs.lt(nanos(before)));
        }
        let query = query.order_by_desc(C::TimeNs).limit(u64::from(limit.0));
        let rows = self.with("storage.read_funding", async |from| query.all(from).await).await?;
        page(rows, limit, |row| read_funding(&row), |payment| payment.time)
    }

    /// Reads orders of a symbol in their last state, the latest changed first, those before a cursor.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn orders(&self, key: &Key, before: Option<OrderCursor>, limit: RowLimit) -> Result<Page<Order, OrderCursor>, StoreError> {
        use orders::Column as C;
        let mut query = orders::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        if let Some(OrderCursor { time, id }) = before {
            let same = Condition::all().add(C::TimeNs.eq(nanos(time))).add(C::ClientId.lt(id.text().as_str()));
            query = query.filter(C::TimeNs.lte(nanos(time))).filter(Condition::any().add(C::TimeNs.lt(nanos(time))).add(same));
        }
        let query = query.order_by_desc(C::TimeNs).order_by_desc(C::ClientId).limit(u64::from(limit.0));
        let rows = self.with("storage.read_orders", async |from| query.all(from).await).await?;
        page(rows, limit, |row| read_order(&row), |order| OrderCursor { time: order.time, id: order.id })
    }

    /// Reads the slots of a symbol that hold something.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn slots(&self, key: &Key) -> Result<Vec<SlotRow>, StoreError> {
        use slots::Column as C;
        let query = slots::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        let query = query.order_by_asc(C::Strategy).order_by_asc(C::Level).limit(SLOTS_MAX);
        self.with("storage.read_slots", async |from| query.all(from).await).await?.iter().map(read_slot).collect()
    }

    /// Reads the totals of a symbol.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn totals(&self, key: &Key) -> Result<Option<Totals>, StoreError> {
        let query = totals::Entity::find_by_id((key.account.to_string(), key.symbol.to_string()));
        self.with("storage.read_totals", async |from| query.one(from).await).await?.as_ref().map(read_totals).transpose()
    }

    /// Reads what an account was worth, in the order of time, thinned out to `points` (2 to [`POINTS_MAX`]) with the least and
    /// the greatest value of each span.
    ///
    /// # Errors
    /// As [`Reader::fills`], and when `points` is out of range.
    ///
    /// # Bounds
    /// Holds `points` points and 2,000 rows at a time, however many there are.
    pub async fn equity(&self, account: &Name, range: TimeRange, points: usize) -> Result<Vec<EquityPoint>, StoreError> {
        use equity::Column as C;
        check_points(points, 2)?;
        let TimeRange { from, to } = range;
        let mut thinner = Thinner::new(from, to, points);
        // Where to go on: the next chunk begins behind the last row of the one before.
        let mut after = (nanos(from), 0_i64);
        loop {
            let (time, id) = after;
            let later = Condition::any().add(C::TimeNs.gt(time)).add(Condition::all().add(C::TimeNs.eq(time)).add(C::Id.gt(id)));
            let query = equity::Entity::find()
                .filter(C::Account.eq(account.as_str()))
                .filter(C::TimeNs.gte(time))
                .filter(C::TimeNs.lt(nanos(to)))
                .filter(later)
                .order_by_asc(C::TimeNs)
                .order_by_asc(C::Id)
                .limit(CHUNK_ROWS);
            // Only what is needed: each column costs as much as the row.
            let query =
                query.select_only().columns([C::TimeNs, C::Id, C::Wallet, C::Unrealized]).into_tuple::<(i64, i64, String, String)>();
            let rows = self.with("storage.read_equity", async |from| query.all(from).await).await?;
            for (time_ns, _, wallet, unrealized) in &rows {
                thinner.push(read_equity(*account, *time_ns, wallet, unrealized)?);
            }
            match rows.last() {
                Some((time_ns, id, ..)) if rows.len() as u64 == CHUNK_ROWS => after = (*time_ns, *id),
                _ => return Ok(thinner.finish()),
            }
        }
    }

    /// Reads events, the newest first, those before a cursor.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn events(&self, before: Option<EventId>, limit: RowLimit) -> Result<Page<EventRow, EventId>, StoreError> {
        let mut query = events::Entity::find();
        if let Some(EventId(before)) = before {
            query = query.filter(events::Column::Id.lt(before));
        }
        let query = query.order_by_desc(events::Column::Id).limit(u64::from(limit.0));
        let rows = self.with("storage.read_events", async |from| query.all(from).await).await?;
        page(rows, limit, read_event, |event| event.id)
    }

    /// Reads lines of the log, the newest first.
    ///
    /// While a text is sought, a page can have fewer lines than asked for, or none, and still say where to go on.
    ///
    /// # Errors
    /// As [`Reader::fills`], and when the text sought is too long.
    ///
    /// # Bounds
    /// Looks through [`LOG_SCAN_MAX`] lines for a text.
    pub async fn logs(&self, query: &LogQuery) -> Result<Page<LogRow, LogCursor>, StoreError> {
        use logs::Column as C;
        query.check()?;
        let TimeRange { from, to } = query.range;
        let mut find = logs::Entity::find().filter(C::TimeNs.gte(nanos(from))).filter(C::TimeNs.lt(nanos(to)));
        // Every line is at least as urgent as the least level: then the index needs not be asked.
        if query.level > plimsoll_market::LogLevel::Trace {
            find = find.filter(C::Level.lte(log_level(query.level)));
        }
        if let Some(LogCursor { time, id }) = query.before {
            let same = Condition::all().add(C::TimeNs.eq(nanos(time))).add(C::Id.lt(id));
            find = find.filter(C::TimeNs.lte(nanos(time))).filter(Condition::any().add(C::TimeNs.lt(nanos(time))).add(same));
        }
        let find = find.order_by_desc(C::TimeNs).order_by_desc(C::Id);
        let rows = query.limit.rows();
        let (found, last) = match query.pattern() {
            None => (self.with("storage.read_logs", async |from| find.limit(u64::from(rows)).all(from).await).await?, None),
            Some(pattern) => {
                // SQLite's own comparison does not tell cases of A to Z apart, and knows a backslash when it is told to; a
                // server's is the other way round.
                let (message, pattern) = (Expr::col((logs::Entity, C::Message)), LikeExpr::new(pattern));
                let fits = if self.db.is_sqlite() { message.like(pattern.escape('\\')) } else { message.ilike(pattern) };
                self.with("storage.read_logs", async |from| {
                    // The last line that is looked through: found in the index alone.
                    let last = find.clone().select_only().columns([C::TimeNs, C::Id]).offset(LOG_SCAN_MAX - 1).limit(1);
                    let last = last.into_tuple::<(i64, i64)>().one(from).await?;
                    let mut find = find.filter(fits).limit(u64::from(rows));
                    if let Some((time, id)) = last {
                        let same = Condition::all().add(C::TimeNs.eq(time)).add(C::Id.gte(id));
                        find = find.filter(C::TimeNs.gte(time)).filter(Condition::any().add(C::TimeNs.gt(time)).add(same));
                    }
                    Ok((find.all(from).await?, last))
                })
                .await?
            }
        };
        let mut page = page(found, RowLimit(rows), read_log, |line| LogCursor { time: line.time, id: line.id })?;
        page.next = page.next.or(last.map(|(at, id)| LogCursor { time: crate::rows::time(at), id }));
        Ok(page)
    }

    /// Reads samples of the process, in the order of time, thinned out to `points` ([`SYSTEM_POINTS_MIN`] to [`POINTS_MAX`])
    /// with the least and the greatest of each span: see [`SystemRow`].
    ///
    /// # Errors
    /// As [`Reader::fills`], and when `points` is out of range.
    ///
    /// # Bounds
    /// Holds `points` samples and 2,000 rows at a time, however many there are.
    pub async fn system(&self, range: TimeRange, points: usize) -> Result<Vec<SystemRow>, StoreError> {
        use system_metrics::Column as C;
        check_points(points, SYSTEM_POINTS_MIN)?;
        let TimeRange { from, to } = range;
        let mut thinner = Thinner::new(from, to, points);
        let mut next = nanos(from);
        loop {
            let query = system_metrics::Entity::find().filter(C::TimeNs.gte(next)).filter(C::TimeNs.lt(nanos(to)));
            let query = query.order_by_asc(C::TimeNs).limit(CHUNK_ROWS);
            let rows = self.with("storage.read_system", async |from| query.all(from).await).await?;
            for row in &rows {
                thinner.push(read_system(row)?);
            }
            match rows.last() {
                Some(last) if rows.len() as u64 == CHUNK_ROWS => next = last.time_ns.saturating_add(1),
                _ => return Ok(thinner.finish()),
            }
        }
    }

    /// Reads the days of the process in their order. A day is there once it has ended and [`crate::Store::retain`] has run.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    ///
    /// # Bounds
    /// [`DAYS_MAX`] days, and one for a range that begins within a day.
    pub async fn system_daily(&self, range: DayRange) -> Result<Vec<SystemDay>, StoreError> {
        use system_metrics_daily::Column as C;
        let query = system_metrics_daily::Entity::find().filter(C::DayNs.gte(nanos(range.from))).filter(C::DayNs.lt(nanos(range.to)));
        let query = query.order_by_asc(C::DayNs).limit(DAYS_MAX + 1);
        let rows = self.with("storage.read_system_daily", async |from| query.all(from).await).await?;
        rows.iter().map(|row| read_day_sums(row).map(|sums| sums.close())).collect()
    }

    /// Reads what the rules of an account must remember.
    pub(crate) async fn account(&self, name: &Name) -> Result<Option<AccountRecord>, StoreError> {
        let query = account_state::Entity::find_by_id(name.to_string());
        let row = self.with("storage.load", async |from| query.one(from).await).await?;
        row.as_ref().map(read_account_state).transpose()
    }

    /// Reads everything that a start needs to know of a symbol.
    pub(crate) async fn load(&self, key: &Key) -> Result<Stored, StoreError> {
        let query = state::Entity::find_by_id((key.account.to_string(), key.symbol.to_string()));
        let state = self.with("storage.load", async |from| query.one(from).await).await?;
        let state = state.as_ref().map(read_state).transpose()?;
        use orders::Column as C;
        let query = orders::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        let query = query.filter(C::Status.is_in(OPEN)).order_by_desc(C::TimeNs).order_by_desc(C::ClientId).limit(OPEN_ORDERS_MAX);
        let open = self.with("storage.load", async |from| query.all(from).await).await?;
        if open.len() as u64 == OPEN_ORDERS_MAX {
            tracing::warn!(symbol = %key.symbol, orders = open.len(), "more open orders stored than are loaded");
        }
        let open_orders = open.iter().map(read_order).collect::<Result<_, _>>()?;
        let totals = self.totals(key).await?;
        let recent = self.recent(key, totals.and_then(|totals| totals.watermark)).await?;
        Ok(Stored { state, totals, slots: self.slots(key).await?, recent, open_orders })
    }

    /// Reads which executions above a watermark are booked.
    async fn recent(&self, key: &Key, watermark: Option<TradeId>) -> Result<Vec<TradeId>, StoreError> {
        // Without a watermark nothing was ever booked.
        let Some(watermark) = watermark else { return Ok(Vec::new()) };
        use fills::Column as C;
        let query = fills::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        let query = query.filter(C::TradeId.gt(watermark.0 as i64)).order_by_asc(C::TradeId).limit(RECENT_FILLS_MAX);
        let query = query.select_only().column(C::TradeId).into_tuple::<i64>();
        let ids = self.with("storage.load", async |from| query.all(from).await).await?;
        Ok(ids.into_iter().map(|id| TradeId(id as u64)).collect())
    }

    /// Counts how many more rows there are than `most`, of those that the retention may delete.
    ///
    /// # Bounds
    /// Nothing is counted while the ids alone show that there cannot be as many; else [`COUNT_IDS`] a query.
    pub(crate) async fn excess(&self, table: Table, most: u64) -> Result<u64, StoreError> {
        let ids = self.with("storage.count", async |from| commit::ids(from, table).await).await?;
        let Some((first, last)) = ids else {
            let rows = self.with("storage.count", async |from| commit::count(from, table, i64::MIN, i64::MAX).await).await?;
            return Ok(rows.saturating_sub(most));
        };
        if last.abs_diff(first) < most {
            return Ok(0);
        }
        let (mut rows, mut from_id) = (0, first);
        while from_id <= last {
            let to_id = from_id.saturating_add(COUNT_IDS - 1);
            rows += self.with("storage.count", async |from| commit::count(from, table, from_id, to_id).await).await?;
            let Some(next) = to_id.checked_add(1) else { break };
            from_id = next;
        }
        Ok(rows.saturating_sub(most))
    }

    /// Counts the samples of the process.
    pub(crate) async fn count_samples(&self) -> Result<u64, StoreError> {
        self.with("storage.count", async |from| commit::count_samples(from).await).await
    }

    /// Reads how large the database is, as the server says.
    pub(crate) async fn server_bytes(&self) -> Result<u64, StoreError> {
        let sql = "SELECT pg_database_size(current_database())";
        let bytes = self.with("storage.size", async |from| number(from, sql).await).await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Asks the database for a sign of life and remembers the answer.
    pub(crate) async fn check(&self, limit: Duration) -> Result<(), StoreError> {
        let asked = Instant::now();
        let done = self.within(limit, "storage.check", async |from| from.execute_unprepared("SELECT 1").await.map(drop)).await;
        self.db.pool().checked(asked, &done);
        done
    }

    /// Reads a number by any statement, within a time.
    #[cfg(test)]
    pub(crate) async fn run_for_test(&self, limit: Duration, sql: &str) -> Result<i64, StoreError> {
        self.within(limit, "test", async |from| number(from, sql).await).await
    }

    /// Runs a statement that makes a connection's cache smaller.
    pub(crate) async fn shrink(&self, sql: &'static str) -> Result<(), StoreError> {
        self.db.run("storage.shrink", sql).await
    }

    /// Tells how many connections the driver has open to read with, and how many of them are idle.
    pub(crate) fn open_and_idle(&self) -> (u32, u32) {
        self.db.open_and_idle()
    }

    /// Closes the connections.
    pub(crate) async fn close(&self, within: Duration) {
        if tokio::time::timeout(within, self.db.connection.clone().close()).await.is_err() {
            tracing::warn!("readers did not close in time");
        }
    }

    /// Takes a connection, reads with it, and gives it back, all within the time a query may take.
    pub(crate) async fn with<T>(
        &self,
        holder: &'static str,
        read: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
    ) -> Result<T, StoreError> {
        self.within(QUERY_TIMEOUT, holder, read).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        holder: &'static str,
        read: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
    ) -> Result<T, StoreError> {
        let done = tokio::time::timeout(limit, async {
            let held = self.db.read(holder).await?;
            read(&held).await.map_err(|error| self.db.error(error))
        });
        done.await.unwrap_or_else(|_| Err(StoreError::Busy { database: self.db.name.clone(), waited: limit }))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.db.name)
    }
}

fn check_points(points: usize, least: usize) -> Result<(), StoreError> {
    let (value, least, most) = (points as u64, least as u64, POINTS_MAX as u64);
    match value {
        _ if value < least => Err(StoreError::TooLittle { what: "points", value, least }),
        _ if value > most => Err(StoreError::TooMuch { what: "points", value, most }),
        _ => Ok(()),
    }
}

/// Turns rows into a page, whose last row says where to go on when it is full.
pub(crate) fn page<R, T, C>(
    rows: Vec<R>,
    limit: RowLimit,
    read: impl Fn(R) -> Result<T, StoreError>,
    cursor: impl Fn(&T) -> C,
) -> Result<Page<T, C>, StoreError> {
    let full = rows.len() == limit.0 as usize;
    let rows = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let next = rows.last().filter(|_| full).map(cursor);
    Ok(Page { rows, next })
}
