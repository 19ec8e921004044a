//! Between the words of the market and the rows of the tables, without loss in either direction.

use std::fmt::Display;
use std::str::FromStr;

use plimsoll_market::{
    AccountRecord, Amount, Asset, Booked, ClientId, Fill, FundingPayment, Holding, Leg, Lock, LogLevel, Memo, Name, Notional, Order,
    OrderId, OrderStatus, Price, Qty, Rule, Severity, Side, SlotRow, Spacing, StateRecord, Symbol, Time, Totals, TradeId, WaitingFees,
};
use sea_orm::ActiveValue::{NotSet, Set};

use crate::entity::{
    account_state, equity, events, fills, funding, instruments, logs, orders, slots, state, system_metrics, system_metrics_daily, totals,
};
use crate::error::StoreError;
use crate::logs::cut;
use crate::system::{DaySums, Sum};
use crate::{EquityPoint, EventId, EventRow, HistoryEvent, Key, LogLine, LogRow, StoredScales, SystemRow};

pub(crate) fn state_row(key: &Key, record: &StateRecord) -> state::ActiveModel {
    let StateRecord { version, anchor, interval, baseline, paused, halted, lock, closing, idle, memo } = *record;
    state::ActiveModel {
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        version: Set(version as i64),
        anchor: Set(anchor.map(Price::units)),
        grid_interval: Set(match interval {
            Spacing::Even(interval) => interval.units(),
            Spacing::Ratio(_) => 0,
        }),
        grid_ratio: Set(match interval {
            Spacing::Even(_) => None,
            Spacing::Ratio(ratio) => Some(ratio.into()),
        }),
        paused: Set(paused),
        halted: Set(halted),
        baseline: Set(baseline.map(|id| id.0 as i64)),
        lock_rule: Set(lock.map(|lock| lock.rule.as_str().to_owned())),
        lock_until_ns: Set(lock.and_then(|lock| lock.until).map(nanos)),
        closing: Set(closing),
        idle: Set(idle),
        memo: Set((memo != Memo::NONE).then(|| memo.to_string())),
    }
}

pub(crate) fn instrument_row(key: &Key, scales: &StoredScales) -> instruments::ActiveModel {
    let StoredScales { base, quote, price_scale, qty_scale } = *scales;
    instruments::ActiveModel {
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        base: Set(base.to_string()),
        quote: Set(quote.to_string()),
        price_scale: Set(price_scale.into()),
        qty_scale: Set(qty_scale.into()),
    }
}

pub(crate) fn read_instrument(row: &instruments::Model) -> Result<StoredScales, StoreError> {
    let column = Column::of("instruments");
    // What an instrument may have at most.
    let scale = |name, scale: i32| match u8::try_from(scale) {
        Ok(scale @ 0..=12) => Ok(scale),
        _ => Err(column.corrupt(name, scale)),
    };
    Ok(StoredScales {
        base: column.asset("base", &row.base)?,
        quote: column.asset("quote", &row.quote)?,
        price_scale: scale("price_scale", row.price_scale)?,
        qty_scale: scale("qty_scale", row.qty_scale)?,
    })
}

pub(crate) fn account_state_row(account: &Name, record: &AccountRecord) -> account_state::ActiveModel {
    let AccountRecord { peak, latched, day, day_start, day_lost, basis } = *record;
    account_state::ActiveModel {
        account: Set(account.to_string()),
        peak: Set(peak.to_string()),
        latched: Set(latched.map(|rule| rule.as_str().to_owned())),
        day: Set(i64::from(day)),
        day_start: Set(day_start.to_string()),
        day_lost: Set(day_lost),
        basis: Set(basis.map(|units| units.to_string())),
    }
}

pub(crate) fn read_account_state(row: &account_state::Model) -> Result<AccountRecord, StoreError> {
    let column = Column::of("account_state");
    Ok(AccountRecord {
        peak: column.parse("peak", &row.peak)?,
        latched: row.latched.as_deref().map(|word| column.rule("latched", word)).transpose()?,
        day: u32::try_from(row.day).map_err(|_| column.corrupt("day", row.day))?,
        day_start: column.parse("day_start", &row.day_start)?,
        day_lost: row.day_lost,
        basis: row.basis.as_deref().map(|text| column.parse("basis", text)).transpose()?,
    })
}

pub(crate) fn read_state(row: &state::Model) -> Result<StateRecord, StoreError> {
    let column = Column::of("state");
    Ok(StateRecord {
        version: row.version as u64,
        anchor: row.anchor.map(|anchor| column.price("anchor", anchor)).transpose()?,
        interval: match row.grid_ratio {
            None => Spacing::Even(column.price("grid_interval", row.grid_interval)?),
            Some(ratio) => Spacing::Ratio(u32::try_from(ratio).map_err(|_| column.corrupt("grid_ratio", ratio))?),
        },
        baseline: row.baseline.map(|id| TradeId(id as u64)),
        paused: row.paused,
        halted: row.halted,
        lock: match &row.lock_rule {
            Some(word) => {
                Some(Lock { rule: column.rule("lock_rule", word)?, until: row.lock_until_ns.map(|ns| Time::from_nanos(ns.unsigned_abs())) })
            }
            None => None,
        },
        closing: row.closing,
        idle: row.idle,
        memo: row.memo.as_deref().map_or(Ok(Memo::NONE), |text| column.parse("memo", text))?,
    })
}

pub(crate) fn order_row(key: &Key, order: &Order) -> orders::ActiveModel {
    let Order { id, order_id, price, qty, filled, status, reduce_only, time } = *order;
    orders::ActiveModel {
        id: NotSet,
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        client_id: Set(id.text().to_string()),
        order_id: Set(order_id.map(|id| id.to_string())),
        side: Set(id.side().as_str().to_owned()),
        price: Set(price.units()),
        qty: Set(qty.units() as i64),
        filled: Set(filled.units() as i64),
        status: Set(status.as_str().to_owned()),
        reduce_only: Set(reduce_only),
        time_ns: Set(nanos(time)),
    }
}

pub(crate) fn read_order(row: &orders::Model) -> Result<Order, StoreError> {
    let column = Column::of("orders");
    Ok(Order {
        id: column.client_id("client_id", &row.client_id)?,
        order_id: row.order_id.as_deref().map(|id| column.parse("order_id", id).map(OrderId)).transpose()?,
        price: column.price("price", row.price)?,
        qty: column.qty("qty", row.qty)?,
        filled: column.qty("filled", row.filled)?,
        status: read_status(&row.status).ok_or_else(|| column.corrupt("status", &row.status))?,
        reduce_only: row.reduce_only,
        time: time(row.time_ns),
    })
}

/// Statuses in which an order can still change.
pub(crate) const OPEN: [&str; 2] = [OrderStatus::New.as_str(), OrderStatus::PartiallyFilled.as_str()];

fn read_status(text: &str) -> Option<OrderStatus> {
    use OrderStatus as S;
    [S::New, S::PartiallyFilled, S::Filled, S::Canceled, S::Expired, S::Rejected].into_iter().find(|status| status.as_str() == text)
}

pub(crate) fn fill_row(key: &Key, booked: &Booked) -> fills::ActiveModel {
    let Booked { fill, leg, realized, slot_realized } = booked;
    let Fill { trade_id, order_id, id, side, price, qty, fee, realized: reported, maker, time } = *fill;
    fills::ActiveModel {
        id: NotSet,
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        // Ids beyond 63 bits would become negative, unique and lossless all the same, only listed last.
        trade_id: Set(trade_id.0 as i64),
        order_id: Set(order_id.to_string()),
        client_id: Set(id.map(|id| id.text().to_string())),
        side: Set(side.as_str().to_owned()),
        price: Set(price.units()),
        qty: Set(qty.units() as i64),
        fee: Set(fee.units.to_string()),
        fee_asset: Set(fee.asset.to_string()),
        reported: Set(reported.units.to_string()),
        reported_asset: Set(reported.asset.to_string()),
        strategy: Set(leg.map(|leg| i32::from(leg.strategy()))),
        level: Set(leg.map(Leg::index)),
        realized: Set(realized.to_string()),
        slot_realized: Set(slot_realized.to_string()),
        maker: Set(maker),
        time_ns: Set(nanos(time)),
    }
}

pub(crate) fn read_fill(row: &fills::Model) -> Result<Booked, StoreError> {
    let column = Column::of("fills");
    let side = match row.side.as_str() {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        _ => return Err(column.corrupt("side", &row.side)),
    };
    let leg = match (row.strategy, row.level) {
        (Some(strategy), Some(level)) => Some(column.leg(strategy, level)?),
        _ => None,
    };
    let fill = Fill {
        trade_id: TradeId(row.trade_id as u64),
        order_id: OrderId(column.parse("order_id", &row.order_id)?),
        id: row.client_id.as_deref().map(|id| column.client_id("client_id", id)).transpose()?,
        side,
        price: column.price("price", row.price)?,
        qty: column.qty("qty", row.qty)?,
        fee: Amount::new(column.asset("fee_asset", &row.fee_asset)?, column.parse("fee", &row.fee)?),
        realized: Amount::new(column.asset("reported_asset", &row.reported_asset)?, column.parse("reported", &row.reported)?),
        maker: row.maker,
        time: time(row.time_ns),
    };
    let (realized, slot_realized) = (column.parse("realized", &row.realized)?, column.parse("slot_realized", &row.slot_realized)?);
    Ok(Booked { fill, leg, realized, slot_realized })
}

pub(crate) fn slot_row(key: &Key, slot: &SlotRow) -> slots::ActiveModel {
    let SlotRow { leg, held, cost } = *slot;
    slots::ActiveModel {
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        strategy: Set(i32::from(leg.strategy())),
        level: Set(leg.index()),
        held: Set(held.units() as i64),
        cost: Set(cost.units().to_string()),
    }
}

pub(crate) fn read_slot(row: &slots::Model) -> Result<SlotRow, StoreError> {
    let column = Column::of("slots");
    let cost = Notional::from_units(column.parse("cost", &row.cost)?);
    Ok(SlotRow { leg: column.leg(row.strategy, row.level)?, held: column.qty("held", row.held)?, cost })
}

pub(crate) fn totals_row(key: &Key, sums: &Totals) -> totals::ActiveModel {
    let Totals { watermark, holding, cost, realized, fees, other_fees, waiting, funding, fills, bought, sold, foreign_fees, funded_to } =
        *sums;
    totals::ActiveModel {
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        watermark: Set(watermark.map(|id| id.0 as i64)),
        holding: Set(holding.units()),
        cost: Set(cost.units().to_string()),
        realized: Set(realized.to_string()),
        fees: Set(fees.to_string()),
        other_fees: Set(other_fees.to_string()),
        waiting_fees: Set(waiting.map(|w| w.amount.units.to_string())),
        waiting_asset: Set(waiting.map(|w| w.amount.asset.to_string())),
        waiting_fills: Set(waiting.map_or(0, |w| w.fills as i64)),
        funding: Set(funding.to_string()),
        fills: Set(fills as i64),
        bought: Set(bought.units() as i64),
        sold: Set(sold.units() as i64),
        foreign_fees: Set(foreign_fees as i64),
        funded_ns: Set(nanos(funded_to)),
    }
}

pub(crate) fn read_totals(row: &totals::Model) -> Result<Totals, StoreError> {
    let column = Column::of("totals");
    let waiting = match (&row.waiting_fees, &row.waiting_asset) {
        (Some(units), Some(asset)) => {
            let amount = Amount::new(column.asset("waiting_asset", asset)?, column.parse("waiting_fees", units)?);
            Some(WaitingFees { amount, fills: row.waiting_fills as u64 })
        }
        _ => None,
    };
    Ok(Totals {
        watermark: row.watermark.map(|id| TradeId(id as u64)),
        holding: Holding::from_units(row.holding),
        cost: Notional::from_units(column.parse("cost", &row.cost)?),
        realized: column.parse("realized", &row.realized)?,
        fees: column.parse("fees", &row.fees)?,
        other_fees: column.parse("other_fees", &row.other_fees)?,
        waiting,
        funding: column.parse("funding", &row.funding)?,
        fills: row.fills as u64,
        bought: column.qty("bought", row.bought)?,
        sold: column.qty("sold", row.sold)?,
        foreign_fees: row.foreign_fees as u64,
        funded_to: Time::from_nanos(row.funded_ns.unsigned_abs()),
    })
}

pub(crate) fn funding_row(key: &Key, payment: &FundingPayment) -> funding::ActiveModel {
    let FundingPayment { amount, time } = *payment;
    funding::ActiveModel {
        account: Set(key.account.to_string()),
        symbol: Set(key.symbol.to_string()),
        time_ns: Set(nanos(time)),
        amount: Set(amount.units.to_string()),
        asset: Set(amount.asset.to_string()),
    }
}

pub(crate) fn read_funding(row: &funding::Model) -> Result<FundingPayment, StoreError> {
    let column = Column::of("funding");
    let amount = Amount::new(column.asset("asset", &row.asset)?, column.parse("amount", &row.amount)?);
    Ok(FundingPayment { amount, time: Time::from_nanos(row.time_ns.unsigned_abs()) })
}

pub(crate) fn equity_row(point: &EquityPoint) -> equity::ActiveModel {
    let EquityPoint { time, account, wallet, unrealized } = *point;
    equity::ActiveModel {
        id: NotSet,
        time_ns: Set(nanos(time)),
        account: Set(account.to_string()),
        wallet: Set(wallet.to_string()),
        unrealized: Set(unrealized.to_string()),
        equity: Set(point.equity().to_string()),
    }
}

/// Reads a row of an account.
pub(crate) fn read_equity_of(row: &equity::Model) -> Result<EquityPoint, StoreError> {
    let account = Name::new(&row.account).map_err(|_| Column::of("equity").corrupt("account", &row.account))?;
    read_equity(account, row.time_ns, &row.wallet, &row.unrealized)
}

pub(crate) fn read_equity(account: Name, time_ns: i64, wallet: &str, unrealized: &str) -> Result<EquityPoint, StoreError> {
    let column = Column::of("equity");
    let (wallet, unrealized) = (column.parse("wallet", wallet)?, column.parse("unrealized", unrealized)?);
    Ok(EquityPoint { time: time(time_ns), account, wallet, unrealized })
}

pub(crate) fn event_row(event: &HistoryEvent) -> events::ActiveModel {
    let HistoryEvent { account, symbol, alert } = event;
    events::ActiveModel {
        id: NotSet,
        time_ns: Set(nanos(alert.time)),
        severity: Set(alert.severity.as_str().to_owned()),
        code: Set(alert.code.as_str().to_owned()),
        account: Set(account.map(|account| account.to_string())),
        symbol: Set(symbol.map(|symbol| symbol.to_string())),
        text: Set(alert.text.to_string()),
    }
}

/// Reads a sum.
pub(crate) fn read_sum(table: &'static str, column: &'static str, text: &str) -> Result<i128, StoreError> {
    Column::of(table).parse(column, text)
}

/// Reads whose row it is.
pub(crate) fn read_symbol(table: &'static str, text: &str) -> Result<Symbol, StoreError> {
    Symbol::new(text).map_err(|_| Column::of(table).corrupt("symbol", text))
}

pub(crate) fn read_event(row: events::Model) -> Result<EventRow, StoreError> {
    let column = Column::of("events");
    let severity = [Severity::Info, Severity::Warning, Severity::Critical].into_iter().find(|s| s.as_str() == row.severity);
    let symbol = row.symbol.map(|symbol| Symbol::new(&symbol).map_err(|_| column.corrupt("symbol", &symbol)));
    let account = row.account.map(|name| plimsoll_market::Name::new(&name).map_err(|_| column.corrupt("account", &name)));
    Ok(EventRow {
        id: EventId(row.id),
        time: time(row.time_ns),
        severity: severity.ok_or_else(|| column.corrupt("severity", &row.severity))?,
        code: row.code,
        account: account.transpose()?,
        symbol: symbol.transpose()?,
        text: row.text,
    })
}

pub(crate) fn system_row(row: &SystemRow) -> system_metrics::ActiveModel {
    let SystemRow { time, cpu_milli, rss, anonymous, allocated, active, resident, mapped, retained, .. } = *row;
    let SystemRow { cgroup_used, cgroup_limit, ledger_used, tasks, threads, open_files, purges, rung, .. } = *row;
    let small = |value: Option<u32>| Set(value.map(i64::from));
    let big = |value: Option<u64>| Set(value.map(integer));
    system_metrics::ActiveModel {
        time_ns: Set(nanos(time)),
        cpu_milli: small(cpu_milli),
        rss: big(rss),
        anonymous: big(anonymous),
        allocated: big(allocated),
        active: big(active),
        resident: big(resident),
        mapped: big(mapped),
        retained: big(retained),
        cgroup_used: big(cgroup_used),
        cgroup_limit: big(cgroup_limit),
        ledger_used: big(ledger_used),
        tasks: small(tasks),
        threads: small(threads),
        open_files: small(open_files),
        purges: big(purges),
        rung: Set(rung.map(i64::from)),
        rolled: Set(false),
    }
}

pub(crate) fn read_system(row: &system_metrics::Model) -> Result<SystemRow, StoreError> {
    let column = Column::of("system_metrics");
    Ok(SystemRow {
        time: time(row.time_ns),
        cpu_milli: column.number("cpu_milli", row.cpu_milli)?,
        rss: column.number("rss", row.rss)?,
        anonymous: column.number("anonymous", row.anonymous)?,
        allocated: column.number("allocated", row.allocated)?,
        active: column.number("active", row.active)?,
        resident: column.number("resident", row.resident)?,
        mapped: column.number("mapped", row.mapped)?,
        retained: column.number("retained", row.retained)?,
        cgroup_used: column.number("cgroup_used", row.cgroup_used)?,
        cgroup_limit: column.number("cgroup_limit", row.cgroup_limit)?,
        ledger_used: column.number("ledger_used", row.ledger_used)?,
        tasks: column.number("tasks", row.tasks)?,
        threads: column.number("threads", row.threads)?,
        open_files: column.number("open_files", row.open_files)?,
        purges: column.number("purges", row.purges)?,
        rung: column.number("rung", row.rung)?,
    })
}

pub(crate) fn system_day_row(sums: &DaySums) -> system_metrics_daily::ActiveModel {
    let DaySums { day, samples, rss, cpu_milli, tasks, allocated } = *sums;
    system_metrics_daily::ActiveModel {
        day_ns: Set(nanos(day)),
        samples: Set(integer(samples)),
        rss_count: Set(integer(rss.count)),
        rss_sum: Set(rss.sum.to_string()),
        rss_min: Set(integer(rss.min)),
        rss_max: Set(integer(rss.max)),
        cpu_count: Set(integer(cpu_milli.count)),
        cpu_sum: Set(cpu_milli.sum.to_string()),
        cpu_min: Set(integer(cpu_milli.min)),
        cpu_max: Set(integer(cpu_milli.max)),
        tasks_count: Set(integer(tasks.count)),
        tasks_sum: Set(tasks.sum.to_string()),
        tasks_min: Set(integer(tasks.min)),
        tasks_max: Set(integer(tasks.max)),
        allocated_count: Set(integer(allocated.count)),
        allocated_sum: Set(allocated.sum.to_string()),
        allocated_min: Set(integer(allocated.min)),
        allocated_max: Set(integer(allocated.max)),
    }
}

pub(crate) fn read_day_sums(row: &system_metrics_daily::Model) -> Result<DaySums, StoreError> {
    let column = Column::of("system_metrics_daily");
    let sum = |name: &'static str, count: i64, sum: &str, min: i64, max: i64| {
        Ok(Sum {
            count: column.unsigned(name, count)?,
            sum: column.parse(name, sum)?,
            min: column.unsigned(name, min)?,
            max: column.unsigned(name, max)?,
        })
    };
    Ok(DaySums {
        day: time(row.day_ns),
        samples: column.unsigned("samples", row.samples)?,
        rss: sum("rss", row.rss_count, &row.rss_sum, row.rss_min, row.rss_max)?,
        cpu_milli: sum("cpu", row.cpu_count, &row.cpu_sum, row.cpu_min, row.cpu_max)?,
        tasks: sum("tasks", row.tasks_count, &row.tasks_sum, row.tasks_min, row.tasks_max)?,
        allocated: sum("allocated", row.allocated_count, &row.allocated_sum, row.allocated_min, row.allocated_max)?,
    })
}

pub(crate) fn log_row(line: &LogLine) -> logs::ActiveModel {
    let LogLine { time, level, target, text, account, symbol } = line;
    logs::ActiveModel {
        id: NotSet,
        time_ns: Set(nanos(*time)),
        level: Set(log_level(*level)),
        target: Set((*target).to_owned()),
        // PostgreSQL takes no zero byte in a text.
        message: Set(cut(text).replace('\0', "\\0")),
        account: Set(account.map(|name| name.to_string())),
        symbol: Set(symbol.map(|symbol| symbol.to_string())),
    }
}

pub(crate) fn read_log(row: logs::Model) -> Result<LogRow, StoreError> {
    let column = Column::of("logs");
    let level = LogLevel::ALL.into_iter().find(|level| log_level(*level) == row.level);
    Ok(LogRow {
        id: row.id,
        time: time(row.time_ns),
        level: level.ok_or_else(|| column.corrupt("level", row.level))?,
        target: row.target,
        text: row.message,
        account: row.account.map(|text| Name::new(&text).map_err(|_| column.corrupt("account", &text))).transpose()?,
        symbol: row.symbol.map(|text| Symbol::new(&text).map_err(|_| column.corrupt("symbol", &text))).transpose()?,
    })
}

/// A level as the table keeps it: the less, the more urgent.
pub(crate) const fn log_level(level: LogLevel) -> i32 {
    match level {
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
        LogLevel::Trace => 5,
    }
}

/// A number as the tables keep it; what is beyond them is all the same to them.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Nanoseconds as the tables keep them; the years after 2262 are all the same to them.
pub(crate) fn nanos(time: Time) -> i64 {
    i64::try_from(time.nanos()).unwrap_or(i64::MAX)
}

/// Reads whose row it is.
pub(crate) fn read_key(table: &'static str, account: &str, symbol: &str) -> Result<Key, StoreError> {
    let column = Column::of(table);
    Ok(Key {
        account: Name::new(account).map_err(|_| column.corrupt("account", account))?,
        symbol: Symbol::new(symbol).map_err(|_| column.corrupt("symbol", symbol))?,
    })
}

pub(crate) fn time(nanos: i64) -> Time {
    Time::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// Reads the columns of a table, refusing what we never write.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    table: &'static str,
}

impl Column {
    pub(crate) fn of(table: &'static str) -> Self {
        Self { table }
    }

    fn corrupt(self, column: &'static str, value: impl Display) -> StoreError {
        StoreError::Corrupt { table: self.table, column, value: value.to_string().chars().take(80).collect() }
    }

    fn rule(self, column: &'static str, word: &str) -> Result<Rule, StoreError> {
        Rule::parse(word).ok_or_else(|| self.corrupt(column, word))
    }

    pub(crate) fn parse<N: FromStr>(self, column: &'static str, text: &str) -> Result<N, StoreError> {
        text.parse().map_err(|_| self.corrupt(column, text))
    }

    fn unsigned<N: TryFrom<i64>>(self, column: &'static str, value: i64) -> Result<N, StoreError> {
        value.try_into().map_err(|_| self.corrupt(column, value))
    }

    fn number<N: TryFrom<i64>>(self, column: &'static str, value: Option<i64>) -> Result<Option<N>, StoreError> {
        value.map(|value| self.unsigned(column, value)).transpose()
    }

    fn price(self, column: &'static str, units: i64) -> Result<Price, StoreError> {
        if units < 0 { Err(self.corrupt(column, units)) } else { Ok(Price::from_units(units)) }
    }

    fn qty(self, column: &'static str, units: i64) -> Result<Qty, StoreError> {
        u64::try_from(units).map(Qty::from_units).map_err(|_| self.corrupt(column, units))
    }

    pub(crate) fn asset(self, column: &'static str, text: &str) -> Result<Asset, StoreError> {
        Asset::new(text).map_err(|_| self.corrupt(column, text))
    }

    fn client_id(self, column: &'static str, text: &str) -> Result<ClientId, StoreError> {
        ClientId::parse(text).map_err(|_| self.corrupt(column, text))
    }

    fn leg(self, strategy: i32, level: i32) -> Result<Leg, StoreError> {
        let leg = u8::try_from(strategy).ok().and_then(|strategy| Leg::new(strategy, level));
        leg.ok_or_else(|| self.corrupt("level", format_args!("{strategy}/{level}")))
    }
}
