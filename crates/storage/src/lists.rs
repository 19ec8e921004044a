//! Orders and executions of all symbols of an account, by what somebody looks for.

use plimsoll_market::{Booked, Name, Order, OrderStatus, Side, Symbol, Time};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::{fills, instruments, orders};
use crate::error::StoreError;
use crate::limits::SCALES_MAX;
use crate::read::{Page, Reader, RowLimit, page};
use crate::rows::{nanos, read_fill, read_instrument, read_order, read_sum, read_symbol, time};
use crate::{LogCursor, StoredScales};

/// A place in a list of rows by time; its text form survives an url.
pub type RowCursor = LogCursor;

/// Which orders or executions are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// Only of this symbol.
    pub symbol: Option<Symbol>,
    /// Only orders in this state; executions have none.
    pub status: Option<OrderStatus>,
    /// Only of this side.
    pub side: Option<Side>,
    /// From when.
    pub since: Option<Time>,
    /// Up to when.
    pub until: Option<Time>,
    /// Only rows before this place, which an earlier page gave.
    pub before: Option<RowCursor>,
}

/// What closed slots of a strategy have earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarnedRow {
    /// The symbol.
    pub symbol: Symbol,
    /// The number of its legs; `None` for executions that are nobody's.
    pub strategy: Option<u8>,
    /// What they have earned before fees, units of 1e-8 of the quote asset.
    pub earned: i128,
    /// Executions.
    pub fills: u64,
}

impl Reader {
    /// Sums what closed slots have earned since an instant, for each number of a strategy.
    ///
    /// # Errors
    /// As [`Reader::fills`], and when a sum is beyond 64 bits.
    pub async fn earned(&self, account: &Name, since: Time) -> Result<Vec<EarnedRow>, StoreError> {
        use fills::Column as C;
        // The texts are whole numbers, and so is their sum.
        let sum = Expr::col(C::SlotRealized).cast_as("BIGINT").sum().cast_as("TEXT");
        let find = fills::Entity::find().filter(C::Account.eq(account.as_str())).filter(C::TimeNs.gte(nanos(since)));
        let find = find.select_only().columns([C::Symbol, C::Strategy]).column_as(sum, "earned").column_as(C::TradeId.count(), "fills");
        let find = find.group_by(C::Symbol).group_by(C::Strategy).order_by_asc(C::Symbol).order_by_asc(C::Strategy);
        let find = find.limit(SCALES_MAX * 64).into_tuple::<(String, Option<i32>, String, i64)>();
        let rows = self.with("storage.read_earned", async |from| find.all(from).await).await?;
        let row = |(symbol, strategy, earned, fills): (String, Option<i32>, String, i64)| {
            Ok(EarnedRow {
                symbol: read_symbol("fills", &symbol)?,
                strategy: strategy.and_then(|number| u8::try_from(number).ok()),
                earned: read_sum("fills", "slot_realized", &earned)?,
                fills: u64::try_from(fills).unwrap_or(0),
            })
        };
        rows.into_iter().map(row).collect()
    }

    /// Reads orders of an account in their last state, the latest changed first.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn all_orders(
        &self,
        account: &Name,
        wanted: &RowQuery,
        limit: RowLimit,
    ) -> Result<Page<(Symbol, Order), RowCursor>, StoreError> {
        use orders::Column as C;
        let RowQuery { symbol, status, side, since, until, before } = *wanted;
        let mut find = orders::Entity::find().filter(C::Account.eq(account.as_str()));
        if let Some(symbol) = symbol {
            find = find.filter(C::Symbol.eq(symbol.as_str()));
        }
        if let Some(status) = status {
            find = find.filter(C::Status.eq(status.as_str()));
        }
        if let Some(side) = side {
            find = find.filter(C::Side.eq(side.as_str()));
        }
        if let Some(since) = since {
            find = find.filter(C::TimeNs.gte(nanos(since)));
        }
        if let Some(until) = until {
            find = find.filter(C::TimeNs.lt(nanos(until)));
        }
        if let Some(RowCursor { time, id }) = before {
            let same = Condition::all().add(C::TimeNs.eq(nanos(time))).add(C::Id.lt(id));
            find = find.filter(C::TimeNs.lte(nanos(time))).filter(Condition::any().add(C::TimeNs.lt(nanos(time))).add(same));
        }
        let find = find.order_by_desc(C::TimeNs).order_by_desc(C::Id).limit(u64::from(limit.rows()));
        let rows = self.with("storage.read_all_orders", async |from| find.all(from).await).await?;
        let last = rows.last().map(|row| RowCursor { time: time(row.time_ns), id: row.id });
        let page = page(rows, limit, |row| Ok((read_symbol("orders", &row.symbol)?, read_order(&row)?)), |_| ())?;
        Ok(Page { next: page.next.and(last), rows: page.rows })
    }

    /// Reads executions of an account, the latest first.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    pub async fn all_fills(
        &self,
        account: &Name,
        wanted: &RowQuery,
        limit: RowLimit,
    ) -> Result<Page<(Symbol, Booked), RowCursor>, StoreError> {
        use fills::Column as C;
        let RowQuery { symbol, status: _, side, since, until, before } = *wanted;
        // The executions of one symbol lie in the order of their ids, and a rare symbol is not found by going through all others. With a
        // first instant, time bounds what is looked through.
        let by_trade = symbol.is_some() && since.is_none();
        let mut find = fills::Entity::find().filter(C::Account.eq(account.as_str()));
        if let Some(symbol) = symbol {
            find = find.filter(C::Symbol.eq(symbol.as_str()));
        }
        if let Some(side) = side {
            find = find.filter(C::Side.eq(side.as_str()));
        }
        if let Some(since) = since {
            find = find.filter(C::TimeNs.gte(nanos(since)));
        }
        if let Some(until) = until {
            find = find.filter(C::TimeNs.lt(nanos(until)));
        }
        if let Some(RowCursor { id, .. }) = before.filter(|_| by_trade) {
            find = find.filter(C::TradeId.lt(id));
        } else if let Some(RowCursor { time, id }) = before {
            let same = Condition::all().add(C::TimeNs.eq(nanos(time))).add(C::Id.lt(id));
            find = find.filter(C::TimeNs.lte(nanos(time))).filter(Condition::any().add(C::TimeNs.lt(nanos(time))).add(same));
        }
        let find = if by_trade { find.order_by_desc(C::TradeId) } else { find.order_by_desc(C::TimeNs).order_by_desc(C::Id) };
        let find = find.limit(u64::from(limit.rows()));
        let rows = self.with("storage.read_all_fills", async |from| find.all(from).await).await?;
        let place = |row: &fills::Model| if by_trade { row.trade_id } else { row.id };
        let last = rows.last().map(|row| RowCursor { time: time(row.time_ns), id: place(row) });
        let page = page(rows, limit, |row| Ok((read_symbol("fills", &row.symbol)?, read_fill(&row)?)), |_| ())?;
        Ok(Page { next: page.next.and(last), rows: page.rows })
    }

    /// Reads what the whole numbers of every symbol mean that an account has ever traded.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    ///
    /// # Bounds
    /// [`SCALES_MAX`] symbols.
    pub async fn scales(&self, account: &Name) -> Result<Vec<(Symbol, StoredScales)>, StoreError> {
        let find = instruments::Entity::find().filter(instruments::Column::Account.eq(account.as_str())).limit(SCALES_MAX);
        let rows = self.with("storage.read_scales", async |from| find.all(from).await).await?;
        rows.iter().map(|row| Ok((read_symbol("instruments", &row.symbol)?, read_instrument(row)?))).collect()
    }
}
