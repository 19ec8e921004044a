//! Bounded queries for those who look.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use plimsoll_market::{Booked, ClientId, Name, Order, SlotRow, StateRecord, Time, Totals, TradeId};
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::commit;
use crate::db::Db;
use crate::entity::{equity, events, fills, orders, slots, state, totals};
use crate::error::StoreError;
use crate::limits::{CHUNK_ROWS, OPEN_ORDERS_MAX, POINTS_MAX, QUERY_TIMEOUT, RANGE_MAX, ROWS, ROWS_MAX, SLOTS_MAX};
use crate::rows::{OPEN, nanos, read_equity, read_event, read_fill, read_order, read_slot, read_state, read_totals};
use crate::store::Table;
use crate::thin::Thinner;
use crate::{EquityPoint, EventId, EventRow, Key};

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
        let rows = self.limited(query.all(&self.db.connection)).await?;
        page(rows, limit, |row| read_fill(&row), |booked| booked.fill.trade_id)
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
        let rows = self.limited(query.all(&self.db.connection)).await?;
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
        self.limited(query.all(&self.db.connection)).await?.iter().map(read_slot).collect()
    }

    /// Reads the totals of a symbol.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn totals(&self, key: &Key) -> Result<Option<Totals>, StoreError> {
        let query = totals::Entity::find_by_id((key.account.to_string(), key.symbol.to_string()));
        self.limited(query.one(&self.db.connection)).await?.as_ref().map(read_totals).transpose()
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
        if !(2..=POINTS_MAX).contains(&points) {
            return Err(StoreError::TooMuch { what: "points", value: points as u64, most: POINTS_MAX as u64 });
        }
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
            let rows = self.limited(query.all(&self.db.connection)).await?;
            for row in &rows {
                thinner.push(read_equity(row)?);
            }
            match rows.last() {
                Some(last) if rows.len() as u64 == CHUNK_ROWS => after = (last.time_ns, last.id),
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
        let rows = self.limited(query.all(&self.db.connection)).await?;
        page(rows, limit, read_event, |event| event.id)
    }

    /// Reads everything that a start needs to know of a symbol.
    pub(crate) async fn load(&self, key: &Key) -> Result<Stored, StoreError> {
        let id = (key.account.to_string(), key.symbol.to_string());
        let state = self.limited(state::Entity::find_by_id(id).one(&self.db.connection)).await?;
        let state = state.as_ref().map(read_state).transpose()?;
        use orders::Column as C;
        let query = orders::Entity::find().filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
        let query = query.filter(C::Status.is_in(OPEN)).order_by_desc(C::TimeNs).order_by_desc(C::ClientId).limit(OPEN_ORDERS_MAX);
        let open = self.limited(query.all(&self.db.connection)).await?;
        if open.len() as u64 == OPEN_ORDERS_MAX {
            tracing::warn!(symbol = %key.symbol, orders = open.len(), "more open orders stored than are loaded");
        }
        let open_orders = open.iter().map(read_order).collect::<Result<_, _>>()?;
        Ok(Stored { state, totals: self.totals(key).await?, slots: self.slots(key).await?, open_orders })
    }

    /// Counts the rows of a table that the retention may delete.
    pub(crate) async fn count(&self, table: Table) -> Result<u64, StoreError> {
        self.limited(commit::count(&self.db, table)).await
    }

    /// Reads how large the database is, as the server says.
    pub(crate) async fn server_bytes(&self) -> Result<u64, StoreError> {
        let bytes = self.limited_store(self.db.number("SELECT pg_database_size(current_database())")).await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Closes the connections.
    pub(crate) async fn close(&self, within: Duration) {
        if tokio::time::timeout(within, self.db.connection.clone().close()).await.is_err() {
            tracing::warn!("readers did not close in time");
        }
    }

    async fn limited<T>(&self, query: impl Future<Output = Result<T, DbErr>>) -> Result<T, StoreError> {
        self.limited_store(async { query.await.map_err(|error| self.db.error(error)) }).await
    }

    async fn limited_store<T>(&self, query: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(QUERY_TIMEOUT, query).await {
            Ok(done) => done,
            Err(_) => Err(StoreError::Busy { database: self.db.name.clone(), waited: QUERY_TIMEOUT }),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.db.name)
    }
}

/// Turns rows into a page, whose last row says where to go on when it is full.
fn page<R, T, C>(
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
