//! What each symbol did on each day: summed up from its executions and funding payments.
//!
//! A batch that is stored marks the days that it touches in the same transaction. A day that was touched since it was counted is
//! counted anew from its executions; so it does not matter when that is done, how often, or whether an execution comes late. The
//! sums outlive the executions: the retention deletes none of a day that is still to be counted.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_bounded::reply;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Asset, Booked, Name, Round, Time, TradeId, rescale};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::commit::limited;
use crate::db::Db;
use crate::entity::{fills, funding, instruments, trading_days};
use crate::error::StoreError;
use crate::limits::{CHUNK_ROWS, COUNT_DAYS, DAYS_MAX, ROWS_MAX};
use crate::read::{DayRange, Reader};
use crate::rows::{Column, nanos, read_fill, read_funding, read_instrument, read_key, time};
use crate::store::{Key, Store};
use crate::system::{DAY_NS, day_of};
use crate::writer::Command;

/// What was done on a UTC day, by one symbol or by all that settle in one asset. Money is in units of 1e-8 of that asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingDay {
    /// When it began.
    pub day: Time,
    /// What it is settled in; `None` before anything was executed.
    pub asset: Option<Asset>,
    /// Executions.
    pub fills: u64,
    /// Executions that closed a part of a slot with profit, fees left out.
    pub wins: u64,
    /// Executions that closed a part of a slot with a loss or at cost, fees left out.
    pub losses: u64,
    /// What was bought and sold, at the prices of the executions.
    pub turnover: i128,
    /// Profit against the average entry, before fees.
    pub realized: i128,
    /// Profit of the slots' round trips, before fees.
    pub slot_realized: i128,
    /// Fees paid in that asset; positive is paid.
    pub fees: i128,
    /// Executions whose fees were paid in another asset; they are not among [`TradingDay::fees`].
    pub other_fees: u64,
    /// Funding received; negative is paid.
    pub funding: i128,
}

impl TradingDay {
    const fn empty(day: Time) -> Self {
        Self {
            day,
            asset: None,
            fills: 0,
            wins: 0,
            losses: 0,
            turnover: 0,
            realized: 0,
            slot_realized: 0,
            fees: 0,
            other_fees: 0,
            funding: 0,
        }
    }

    /// Returns what was earned: realised profit less fees, with funding. Fees in another asset are not in it.
    pub const fn net(&self) -> i128 {
        self.realized.saturating_sub(self.fees).saturating_add(self.funding)
    }

    fn book(&mut self, booked: &Booked, money_scale: Option<u8>) {
        let Booked { fill, realized, slot_realized, leg: _ } = booked;
        self.asset = Some(fill.realized.asset);
        self.fills += 1;
        self.wins += u64::from(*slot_realized > 0);
        self.losses += u64::from(*slot_realized < 0);
        let value = money_scale.and_then(|scale| rescale((fill.price * fill.qty).units(), scale, MONEY_SCALE, Round::Nearest).ok());
        self.turnover = self.turnover.saturating_add(value.unwrap_or(0));
        self.realized = self.realized.saturating_add(*realized);
        self.slot_realized = self.slot_realized.saturating_add(*slot_realized);
        if fill.fee.asset == fill.realized.asset {
            self.fees = self.fees.saturating_add(fill.fee.units);
        } else {
            self.other_fees += u64::from(fill.fee.units != 0);
        }
    }

    fn add(&mut self, other: &Self) {
        self.fills += other.fills;
        self.wins += other.wins;
        self.losses += other.losses;
        self.turnover = self.turnover.saturating_add(other.turnover);
        self.realized = self.realized.saturating_add(other.realized);
        self.slot_realized = self.slot_realized.saturating_add(other.slot_realized);
        self.fees = self.fees.saturating_add(other.fees);
        self.other_fees += other.other_fees;
        self.funding = self.funding.saturating_add(other.funding);
    }

    /// The columns that are counted.
    fn sums(&self) -> trading_days::ActiveModel {
        trading_days::ActiveModel {
            asset: Set(self.asset.map_or_else(String::new, |asset| asset.to_string())),
            fills: Set(self.fills as i64),
            wins: Set(self.wins as i64),
            losses: Set(self.losses as i64),
            other_fees: Set(self.other_fees as i64),
            turnover: Set(self.turnover.to_string()),
            realized: Set(self.realized.to_string()),
            slot_realized: Set(self.slot_realized.to_string()),
            fees: Set(self.fees.to_string()),
            funding: Set(self.funding.to_string()),
            ..Default::default()
        }
    }

    fn read(row: &trading_days::Model) -> Result<Self, StoreError> {
        let column = Column::of("trading_days");
        let asset = (!row.asset.is_empty()).then(|| column.asset("asset", &row.asset)).transpose()?;
        Ok(Self {
            day: time(row.day_ns),
            asset,
            fills: row.fills.unsigned_abs(),
            wins: row.wins.unsigned_abs(),
            losses: row.losses.unsigned_abs(),
            turnover: column.parse("turnover", &row.turnover)?,
            realized: column.parse("realized", &row.realized)?,
            slot_realized: column.parse("slot_realized", &row.slot_realized)?,
            fees: column.parse("fees", &row.fees)?,
            other_fees: row.other_fees.unsigned_abs(),
            funding: column.parse("funding", &row.funding)?,
        })
    }
}

/// A day as it was counted, on its way to the writer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    key: Key,
    day: Time,
    /// What had touched it when counting began.
    touched: i64,
    /// Its sums; `None` when what is stored stays.
    sums: Option<TradingDay>,
}

/// The days that a batch touches.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeSet<(Key, Time)>); // tidy: bounded by one batch

impl Touched {
    pub(crate) fn add(&mut self, key: Key, time: Time) {
        self.0.insert((key, day_of(time)));
    }

    /// Marks them.
    pub(crate) async fn mark(self, to: &DatabaseTransaction) -> Result<(), DbErr> {
        use trading_days::Column as C;
        if self.0.is_empty() {
            return Ok(());
        }
        let more = Expr::col((trading_days::Entity, C::Touched)).add(1);
        let known = OnConflict::columns([C::Account, C::Symbol, C::DayNs]).value(C::Touched, more).to_owned();
        let rows = self.0.into_iter().map(|(key, day)| trading_days::ActiveModel {
            account: Set(key.account.to_string()),
            symbol: Set(key.symbol.to_string()),
            day_ns: Set(nanos(day)),
            ..Default::default()
        });
        trading_days::Entity::insert_many(rows).on_conflict(known).exec_without_returning(to).await.map(drop)
    }
}

/// Marks the days of a symbol's executions after one, which are about to be forgotten.
pub(crate) async fn forget(key: &Key, after: TradeId, on: &DatabaseTransaction) -> Result<(), DbErr> {
    use fills::Column as F;
    let first = fills::Entity::find().filter(F::Account.eq(key.account.as_str())).filter(F::Symbol.eq(key.symbol.as_str()));
    let first = first.filter(F::TradeId.gt(after.0 as i64)).select_only().column_as(F::TimeNs.min(), "first");
    let first: Option<Option<i64>> = first.into_tuple().one(on).await?;
    let Some(first) = first.flatten() else { return Ok(()) };
    use trading_days::Column as C;
    // What is counted of them is forgotten, too: see `Reader::count_day`.
    let days =
        trading_days::Entity::update_many().col_expr(C::Touched, Expr::col(C::Touched).add(1)).col_expr(C::Fills, Expr::value(0_i64));
    let days = days.filter(C::Account.eq(key.account.as_str())).filter(C::Symbol.eq(key.symbol.as_str()));
    days.filter(C::DayNs.gte(nanos(day_of(time(first))))).exec(on).await.map(drop)
}

/// Stores a count. What was touched while it was counted stays to be counted.
pub(crate) async fn store(db: &Db, count: &Count) -> Result<(), StoreError> {
    use trading_days::Column as C;
    let Count { key, touched, sums, day } = count;
    limited(db, async {
        let transaction = db.begin("storage.days").await?;
        let row = sums.as_ref().map_or_else(Default::default, TradingDay::sums);
        let row = trading_days::ActiveModel { counted: Set(*touched), ..row };
        let this = trading_days::Entity::update_many().set(row).filter(C::Account.eq(key.account.as_str()));
        let this = this.filter(C::Symbol.eq(key.symbol.as_str())).filter(C::DayNs.eq(nanos(*day)));
        this.exec(&*transaction).await.map_err(|error| db.error(error))?;
        db.commit(transaction).await
    })
    .await
}

fn in_range(account: &Name, range: DayRange) -> Select<trading_days::Entity> {
    use trading_days::Column as C;
    let days = trading_days::Entity::find().filter(C::Account.eq(account.as_str()));
    days.filter(C::DayNs.gte(nanos(range.from))).filter(C::DayNs.lt(nanos(range.to)))
}

impl Store {
    /// Counts the days that were touched since they were counted, the oldest first; tells how many. To be called every minute.
    ///
    /// # Errors
    /// When a day could not be read or stored; those before it hold.
    ///
    /// # Bounds
    /// [`COUNT_DAYS`] days; the rest is counted by the next call.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn count_days(&self) -> Result<u64, StoreError> {
        let reader = self.reader();
        let mut counted = 0;
        while counted < COUNT_DAYS {
            let Some(count) = reader.count_day().await? else { break };
            let (reply, answer) = reply();
            self.ask(Command::Count { count: Box::new(count), reply }).await?;
            self.wait(answer).await?;
            counted += 1;
        }
        Ok(counted)
    }
}

impl Reader {
    /// Reads the days of a symbol, the oldest first, as they were last counted.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    ///
    /// # Bounds
    /// [`DAYS_MAX`] days, and one for a range that begins within a day.
    pub async fn symbol_days(&self, key: &Key, range: DayRange) -> Result<Vec<TradingDay>, StoreError> {
        use trading_days::Column as C;
        let query = in_range(&key.account, range).filter(C::Symbol.eq(key.symbol.as_str()));
        let query = query.order_by_asc(C::DayNs).limit(DAYS_MAX + 1);
        let rows = self.with("storage.read_days", async |from| query.all(from).await).await?;
        rows.iter().map(TradingDay::read).filter(|day| day.as_ref().map_or(true, |day| day.asset.is_some())).collect()
    }

    /// Reads the days of an account, the oldest first: all symbols that settle in one asset together.
    ///
    /// # Errors
    /// As [`Reader::fills`].
    ///
    /// # Bounds
    /// [`DAYS_MAX`] days, one for a range that begins within a day, and each as often as there are assets; [`ROWS_MAX`] in all.
    /// Holds 2,000 rows at a time.
    pub async fn account_days(&self, account: &Name, range: DayRange) -> Result<Vec<TradingDay>, StoreError> {
        use trading_days::Column as C;
        let mut days: BTreeMap<(Time, Asset), TradingDay> = BTreeMap::new();
        let mut place: Option<(i64, String)> = None;
        loop {
            let mut query = in_range(account, range);
            if let Some((day, symbol)) = &place {
                let same = Condition::all().add(C::DayNs.eq(*day)).add(C::Symbol.gt(symbol.as_str()));
                query = query.filter(Condition::any().add(C::DayNs.gt(*day)).add(same));
            }
            let query = query.order_by_asc(C::DayNs).order_by_asc(C::Symbol).limit(CHUNK_ROWS);
            let rows = self.with("storage.read_days", async |from| query.all(from).await).await?;
            for row in &rows {
                let day = TradingDay::read(row)?;
                let Some(asset) = day.asset else { continue };
                if days.len() >= ROWS_MAX as usize && !days.contains_key(&(day.day, asset)) {
                    continue;
                }
                days.entry((day.day, asset)).or_insert(TradingDay { asset: Some(asset), ..TradingDay::empty(day.day) }).add(&day);
            }
            match rows.last() {
                Some(last) if rows.len() as u64 == CHUNK_ROWS => place = Some((last.day_ns, last.symbol.clone())),
                _ => return Ok(days.into_values().collect()),
            }
        }
    }

    /// Returns when the oldest day begins that is still to be counted.
    pub(crate) async fn oldest_uncounted(&self) -> Result<Option<Time>, StoreError> {
        let row = self.uncounted().await?;
        Ok(row.map(|row| time(row.day_ns)))
    }

    async fn uncounted(&self) -> Result<Option<trading_days::Model>, StoreError> {
        use trading_days::Column as C;
        let query = trading_days::Entity::find().filter(Expr::col(C::Touched).ne(Expr::col(C::Counted)));
        let query = query.order_by_asc(C::DayNs).order_by_asc(C::Account).order_by_asc(C::Symbol);
        self.with("storage.count_days", async |from| query.one(from).await).await
    }

    /// Counts the oldest day that was touched since it was counted.
    async fn count_day(&self) -> Result<Option<Count>, StoreError> {
        let Some(row) = self.uncounted().await? else { return Ok(None) };
        let key = read_key("trading_days", &row.account, &row.symbol)?;
        let (from, day) = (row.day_ns, time(row.day_ns));
        let to = from.saturating_add(DAY_NS as i64);
        let scales = instruments::Entity::find_by_id((row.account.clone(), row.symbol.clone()));
        let scales = self.with("storage.count_days", async |from| scales.one(from).await).await?;
        let scales = scales.as_ref().map(read_instrument).transpose()?.map(|scales| scales.price_scale + scales.qty_scale);
        let mut sums = TradingDay::empty(day);
        let mut place = (from, i64::MIN);
        loop {
            use fills::Column as C;
            let behind = Condition::all().add(C::TimeNs.eq(place.0)).add(C::Id.gt(place.1));
            let query = fills::Entity::find()
                .filter(C::Account.eq(row.account.as_str()))
                .filter(C::Symbol.eq(row.symbol.as_str()))
                .filter(C::TimeNs.gte(place.0))
                .filter(C::TimeNs.lt(to))
                .filter(Condition::any().add(C::TimeNs.gt(place.0)).add(behind));
            let query = query.order_by_asc(C::TimeNs).order_by_asc(C::Id).limit(CHUNK_ROWS);
            let rows = self.with("storage.count_days", async |from| query.all(from).await).await?;
            for row in &rows {
                sums.book(&read_fill(row)?, scales);
            }
            match rows.last() {
                Some(last) if rows.len() as u64 == CHUNK_ROWS => place = (last.time_ns, last.id),
                _ => break,
            }
        }
        use funding::Column as P;
        // Once an hour at most, on any exchange.
        let paid = funding::Entity::find().filter(P::Account.eq(row.account.as_str())).filter(P::Symbol.eq(row.symbol.as_str()));
        let paid = paid.filter(P::TimeNs.gte(from)).filter(P::TimeNs.lt(to)).limit(CHUNK_ROWS);
        for payment in self.with("storage.count_days", async |from| paid.all(from).await).await? {
            let payment = read_funding(&payment)?.amount;
            sums.asset.get_or_insert(payment.asset);
            sums.funding = sums.funding.saturating_add(payment.units);
        }
        // Fewer than were counted: the retention has deleted some since, and what is stored is all that there will be.
        let whole = sums.fills >= row.fills.unsigned_abs();
        Ok(Some(Count { key, touched: row.touched, sums: whole.then_some(sums), day }))
    }
}
