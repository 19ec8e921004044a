//! Rows in the order of their times, for files that people take elsewhere.

use std::collections::BTreeMap;

use plimsoll_market::{Booked, FundingPayment, Order, Time};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::config::StoreConfig;
use crate::entity::{equity, fills, funding, instruments, orders};
use crate::error::StoreError;
use crate::limits::{BOOKS_MAX, COPY_ROWS};
use crate::rows::{nanos, read_equity_of, read_fill, read_funding, read_instrument, read_key, read_order};
use crate::{EquityPoint, Key, StoredScales};

use super::{Source, ToolError};

/// A fill, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillLine {
    /// Account and symbol.
    pub key: Key,
    /// The fill.
    pub booked: Booked,
    /// Where it stands in the table; to go on behind it.
    id: i64,
}

impl FillLine {
    /// Puts together a line that is not of a table, to be computed with.
    pub const fn new(key: Key, booked: Booked) -> Self {
        Self { key, booked, id: 0 }
    }
}

/// An order, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Account and symbol.
    pub key: Key,
    /// The order in its last known state.
    pub order: Order,
    id: i64,
}

/// A funding payment, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingLine {
    /// Account and symbol.
    pub key: Key,
    /// The payment.
    pub payment: FundingPayment,
}

/// What an account was worth at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EquitySample {
    /// It.
    pub point: EquityPoint,
    id: i64,
}

/// Reads a database as it was at one instant, to be exported. A bot may be running.
///
/// # Bounds
/// Every call returns [`COPY_ROWS`] rows at most. Until it is closed, SQLite's log cannot shrink.
pub struct Export {
    source: Source,
    scales: BTreeMap<Key, StoredScales>, // tidy: bounded by BOOKS_MAX
}

impl Export {
    /// Opens a database.
    ///
    /// # Errors
    /// When there is no such database, it cannot be read, is of a newer version, or must be brought up to date first.
    pub async fn open(config: &StoreConfig) -> Result<Self, ToolError> {
        let source = Source::open(config).await?;
        let pending = super::steps::read(&source.at, &source.db).await?.pending;
        if let Some(step) = pending.into_iter().next() {
            source.close().await;
            return Err(ToolError::Old { database: config.display(), step });
        }
        let rows = instruments::Entity::find().limit(BOOKS_MAX as u64).all(of(&source)).await.map_err(|error| source.db.error(error))?;
        let scales = rows.iter().map(|row| Ok((read_key("instruments", &row.account, &row.symbol)?, read_instrument(row)?)));
        let scales = scales.collect::<Result<_, StoreError>>()?;
        Ok(Self { source, scales })
    }

    /// Returns what a symbol's whole numbers mean; `None` when the bot has not run on it since this is stored.
    pub fn scales(&self, key: &Key) -> Option<StoredScales> {
        self.scales.get(key).copied()
    }

    /// Reads the next fills by their time, `from` included and `to` not, behind the last one read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn fills(&self, from: Time, to: Time, after: Option<&FillLine>) -> Result<Vec<FillLine>, ToolError> {
        use fills::Column as C;
        let place = after.map_or((nanos(from), i64::MIN), |line| (nanos(line.booked.fill.time), line.id));
        let query =
            fills::Entity::find().filter(C::TimeNs.gte(place.0)).filter(C::TimeNs.lt(nanos(to))).filter(behind(C::TimeNs, C::Id, place));
        let query = query.order_by_asc(C::TimeNs).order_by_asc(C::Id).limit(COPY_ROWS);
        self.lines(query.all(of(&self.source)).await, fill_line)
    }

    /// Reads the next fills before `to` by account, symbol and trade id, behind the last one read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn fills_by_symbol(&self, to: Time, after: Option<&FillLine>) -> Result<Vec<FillLine>, ToolError> {
        use fills::Column as C;
        let mut query = fills::Entity::find().filter(C::TimeNs.lt(nanos(to)));
        if let Some(FillLine { key, booked, .. }) = after {
            let columns = Expr::tuple([Expr::col(C::Account), Expr::col(C::Symbol), Expr::col(C::TradeId)]);
            let (account, symbol) = (key.account.to_string(), key.symbol.to_string());
            let place = Expr::tuple([Expr::value(account), Expr::value(symbol), Expr::value(booked.fill.trade_id.0 as i64)]);
            query = query.filter(columns.gt(place));
        }
        let query = query.order_by_asc(C::Account).order_by_asc(C::Symbol).order_by_asc(C::TradeId).limit(COPY_ROWS);
        self.lines(query.all(of(&self.source)).await, fill_line)
    }

    /// Reads the next orders, the first stored first, of those that last changed from `from` up to `to`, behind the last one read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn orders(&self, from: Time, to: Time, after: Option<&OrderLine>) -> Result<Vec<OrderLine>, ToolError> {
        use orders::Column as C;
        let query = orders::Entity::find().filter(C::TimeNs.gte(nanos(from))).filter(C::TimeNs.lt(nanos(to)));
        let query = query.filter(C::Id.gt(after.map_or(i64::MIN, |line| line.id))).order_by_asc(C::Id).limit(COPY_ROWS);
        self.lines(query.all(of(&self.source)).await, |row: &orders::Model| {
            Ok(OrderLine { key: read_key("orders", &row.account, &row.symbol)?, order: read_order(row)?, id: row.id })
        })
    }

    /// Reads the next samples of equity by their time, `from` included and `to` not, behind the last one read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn equity(&self, from: Time, to: Time, after: Option<&EquitySample>) -> Result<Vec<EquitySample>, ToolError> {
        use equity::Column as C;
        let place = after.map_or((nanos(from), i64::MIN), |sample| (nanos(sample.point.time), sample.id));
        let query =
            equity::Entity::find().filter(C::TimeNs.gte(place.0)).filter(C::TimeNs.lt(nanos(to))).filter(behind(C::TimeNs, C::Id, place));
        let query = query.order_by_asc(C::TimeNs).order_by_asc(C::Id).limit(COPY_ROWS);
        self.lines(query.all(of(&self.source)).await, |row: &equity::Model| Ok(EquitySample { point: read_equity_of(row)?, id: row.id }))
    }

    /// Reads the next funding payments by their time, `from` included and `to` not, behind the last one read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn funding(&self, from: Time, to: Time, after: Option<&FundingLine>) -> Result<Vec<FundingLine>, ToolError> {
        use funding::Column as C;
        let mut query = funding::Entity::find().filter(C::TimeNs.gte(nanos(from))).filter(C::TimeNs.lt(nanos(to)));
        if let Some(FundingLine { key, payment }) = after {
            let columns = Expr::tuple([Expr::col(C::TimeNs), Expr::col(C::Account), Expr::col(C::Symbol)]);
            let (account, symbol) = (key.account.to_string(), key.symbol.to_string());
            query = query.filter(columns.gt(Expr::tuple([Expr::value(nanos(payment.time)), Expr::value(account), Expr::value(symbol)])));
        }
        let query = query.order_by_asc(C::TimeNs).order_by_asc(C::Account).order_by_asc(C::Symbol).limit(COPY_ROWS);
        self.lines(query.all(of(&self.source)).await, |row: &funding::Model| {
            Ok(FundingLine { key: read_key("funding", &row.account, &row.symbol)?, payment: read_funding(row)? })
        })
    }

    /// Gives the connection back.
    pub async fn close(self) {
        self.source.close().await;
    }

    fn lines<M, T>(&self, rows: Result<Vec<M>, sea_orm::DbErr>, read: impl Fn(&M) -> Result<T, StoreError>) -> Result<Vec<T>, ToolError> {
        let rows = rows.map_err(|error| self.source.db.error(error))?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }
}

fn of(source: &Source) -> &DatabaseTransaction {
    &source.at
}

fn fill_line(row: &fills::Model) -> Result<FillLine, StoreError> {
    Ok(FillLine { key: read_key("fills", &row.account, &row.symbol)?, booked: read_fill(row)?, id: row.id })
}

/// Rows behind a place in the order of time and number.
fn behind<C: ColumnTrait>(time: C, id: C, (time_ns, last): (i64, i64)) -> Condition {
    Condition::any().add(time.gt(time_ns)).add(Condition::all().add(time.eq(time_ns)).add(id.gt(last)))
}
