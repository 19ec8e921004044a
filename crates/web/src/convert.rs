//! From the words of the market to what the API sends: every number becomes text with its symbol's decimals.

use plimsoll_bounded::{LineStatus, TaskState, TaskStatus};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{
    Amount, Booked, Feed, Instrument, Order, OrderView, Phase, Pnl, Price, Qty, RefPrice, Round, SlotView, Status, format_units,
};

use crate::dto::{
    DetailDto, EquityPointDto, FillDto, LedgerDto, LedgerLineDto, LinkDto, MetricsDto, MoneyDto, OrderDto, PnlDto, SlotDto, StatusDto,
    SummaryDto, TaskDto, TotalsDto, WorkingDto,
};
use crate::limits::{SUSPECT_CHARS, SUSPECTS_MAX};
use crate::ports::{LinkNow, SymbolNow, System, SystemMetrics};
use plimsoll_market::Time;

/// Writes money: units of 1e-8 with eight digits.
pub fn money(units: i128) -> String {
    format_units(units, MONEY_SCALE).to_string()
}

fn price(price: Price, instrument: &Instrument) -> String {
    format_units(i128::from(price.units()), instrument.price_scale).to_string()
}

fn qty(qty: Qty, instrument: &Instrument) -> String {
    format_units(i128::from(qty.units()), instrument.qty_scale).to_string()
}

/// A reference price is shown with the symbol's decimals; one that does not fit is not known.
fn reference(price_8: RefPrice, instrument: &Instrument) -> Option<String> {
    instrument.price_of_ref(price_8, Round::Nearest).map(|p| price(p, instrument))
}

const fn feed_word(feed: Feed) -> &'static str {
    match feed {
        Feed::Market => "market",
        Feed::Account => "account",
        Feed::Requests => "requests",
    }
}

impl MoneyDto {
    /// Writes an amount.
    pub fn new(amount: Amount) -> Self {
        Self { asset: amount.asset.to_string(), amount: money(amount.units) }
    }
}

impl PnlDto {
    /// Writes the profit of one symbol in its quote asset.
    pub fn new(pnl: &Pnl, asset: &str) -> Self {
        Self {
            asset: asset.to_owned(),
            realized: money(pnl.realized),
            fees: money(pnl.fees + pnl.other_fees),
            funding: money(pnl.funding),
            unrealized: pnl.unrealized.map(money),
            net: money(pnl.net()),
            round_trips: money(pnl.round_trips),
        }
    }
}

impl SlotDto {
    /// Writes a slot.
    pub fn new(slot: &SlotView, instrument: &Instrument) -> Self {
        Self {
            strategy: slot.leg.strategy(),
            level: slot.leg.index(),
            price: price(slot.price, instrument),
            held: qty(slot.held, instrument),
            // The scales' sum may exceed eight digits; a display rounds to the nearest.
            cost: instrument.amount(slot.cost, Round::Nearest).map_or_else(|_| money(0), |amount| money(amount.units)),
            order: slot.order.map(|id| id.text().to_string()),
        }
    }
}

impl WorkingDto {
    /// Writes a working order.
    pub fn new(order: &OrderView, instrument: &Instrument) -> Self {
        let leg = order.id.leg();
        Self {
            id: order.id.text().to_string(),
            strategy: leg.strategy(),
            level: leg.index(),
            side: order.side.as_str().to_owned(),
            price: price(order.price, instrument),
            qty: qty(order.qty, instrument),
            filled: qty(order.filled, instrument),
            state: order.state.to_owned(),
            sent_ms: order.sent_at.millis(),
        }
    }
}

impl OrderDto {
    /// Writes a stored order.
    pub fn new(order: &Order, instrument: &Instrument) -> Self {
        let leg = order.id.leg();
        Self {
            id: order.id.text().to_string(),
            order_id: order.order_id.map(|id| id.to_string()),
            symbol: instrument.symbol.to_string(),
            strategy: leg.strategy(),
            level: leg.index(),
            side: order.id.side().as_str().to_owned(),
            price: (!order.price.is_zero()).then(|| price(order.price, instrument)),
            qty: qty(order.qty, instrument),
            filled: qty(order.filled, instrument),
            status: order.status.as_str().to_owned(),
            reduce_only: order.reduce_only,
            time_ms: order.time.millis(),
        }
    }
}

impl FillDto {
    /// Writes an execution as it was booked.
    pub fn new(booked: &Booked, instrument: &Instrument) -> Self {
        let fill = &booked.fill;
        let value = instrument.amount(fill.price * fill.qty, Round::Nearest);
        Self {
            trade_id: fill.trade_id.to_string(),
            order_id: fill.order_id.to_string(),
            id: fill.id.map(|id| id.text().to_string()),
            symbol: instrument.symbol.to_string(),
            strategy: booked.leg.map(plimsoll_market::Leg::strategy),
            level: booked.leg.map(plimsoll_market::Leg::index),
            side: fill.side.as_str().to_owned(),
            price: price(fill.price, instrument),
            qty: qty(fill.qty, instrument),
            value: value.map_or_else(|_| money(0), |amount| money(amount.units)),
            fee: MoneyDto::new(fill.fee),
            realized: money(booked.realized),
            slot_realized: money(booked.slot_realized),
            maker: fill.maker,
            time_ms: fill.time.millis(),
        }
    }
}

impl EquityPointDto {
    /// Writes a point; both figures are units of 1e-8.
    pub fn new(time: Time, equity: Option<i128>, net: i128) -> Self {
        Self { time_ms: time.millis(), equity: equity.map(money), net: money(net) }
    }
}

/// What the screen calls the price of a symbol: the middle, or the mark without a book.
pub(crate) fn shown_price(now: &SymbolNow) -> Option<Price> {
    let Status { top, mark, .. } = &now.status;
    match (top, mark) {
        (Some(top), _) => Some(top.mid()),
        (None, Some(mark)) => now.instrument.price_of_ref(mark.mark, Round::Nearest),
        (None, None) => None,
    }
}

impl SummaryDto {
    /// Writes a symbol at a glance.
    pub fn new(now: &SymbolNow) -> Self {
        let SymbolNow { instrument, status } = now;
        let price_time = status.top.map(|top| top.time).or(status.mark.map(|mark| mark.time));
        Self {
            symbol: status.symbol.to_string(),
            base: instrument.base.to_string(),
            quote: instrument.quote.to_string(),
            price_decimals: instrument.price_scale,
            qty_decimals: instrument.qty_scale,
            phase: status.phase.as_str().to_owned(),
            closed: status.closed.map(str::to_owned),
            locked_until_ms: status.lock.and_then(|lock| lock.until).map(Time::millis),
            closing: status.closing,
            price: shown_price(now).map(|p| price(p, instrument)),
            bid: status.top.map(|top| price(top.bid, instrument)),
            ask: status.top.map(|top| price(top.ask, instrument)),
            mark: status.mark.and_then(|mark| reference(mark.mark, instrument)),
            price_time_ms: price_time.map(Time::millis),
            holding: format_units(i128::from(status.holding.units()), instrument.qty_scale).to_string(),
            entry: (!status.holding.is_flat()).then(|| status.entry.to_string()),
            anchor: status.anchor.map(|p| price(p, instrument)),
            interval: price(status.interval, instrument),
            slots_held: status.slots.iter().filter(|slot| !slot.held.is_zero()).count(),
            slots_cleaned: status.slots_cleaned,
            fees_unconverted: status.fees_unconverted,
            orders_working: status.orders.len(),
            orders_placed: status.placed,
            orders_canceled: status.canceled,
            orders_rejected: status.rejected,
            orders_foreign: status.foreign_orders,
            fills: status.fills,
            pnl: PnlDto::new(&status.pnl, instrument.quote.as_str()),
            time_ms: status.time.millis(),
        }
    }
}

impl DetailDto {
    /// Writes a symbol in full.
    pub fn new(now: &SymbolNow) -> Self {
        Self { summary: SummaryDto::new(now), slots: slots(now, usize::MAX), orders: orders(now) }
    }
}

/// The slots nearest to the price, at most `most`, highest price first.
pub(crate) fn slots(now: &SymbolNow, most: usize) -> Vec<SlotDto> {
    let mut slots = now.status.slots.clone();
    if slots.len() > most {
        let center = shown_price(now).unwrap_or_default();
        slots.sort_by_key(|slot| slot.price.minus(center).unsigned_abs());
        slots.truncate(most);
    }
    slots.sort_by(|a, b| b.price.cmp(&a.price).then(a.leg.cmp(&b.leg)));
    slots.iter().map(|slot| SlotDto::new(slot, &now.instrument)).collect()
}

/// The working orders, highest price first.
pub(crate) fn orders(now: &SymbolNow) -> Vec<WorkingDto> {
    let mut orders = now.status.orders.clone();
    orders.sort_by(|a, b| b.price.cmp(&a.price).then(a.id.cmp(&b.id)));
    orders.iter().map(|order| WorkingDto::new(order, &now.instrument)).collect()
}

impl TotalsDto {
    /// Adds all symbols up, profit by asset.
    pub fn new<'a>(symbols: impl IntoIterator<Item = &'a SymbolNow>, equity: Option<Amount>) -> Self {
        let mut totals = Self {
            trading: 0,
            symbols: 0,
            orders_working: 0,
            orders_placed: 0,
            orders_canceled: 0,
            orders_rejected: 0,
            fills: 0,
            pnl: Vec::new(),
            equity: equity.map(MoneyDto::new),
        };
        let mut sums: Vec<(plimsoll_market::Asset, Pnl)> = Vec::new();
        for SymbolNow { instrument, status } in symbols {
            totals.symbols += 1;
            totals.trading += usize::from(status.phase == Phase::Trading);
            totals.orders_working += status.orders.len() as u64;
            totals.orders_placed += status.placed;
            totals.orders_canceled += status.canceled;
            totals.orders_rejected += status.rejected;
            totals.fills += status.fills;
            // Nothing held has nothing unrealised, price or not.
            let unrealized = if status.holding.is_flat() { Some(status.pnl.unrealized.unwrap_or(0)) } else { status.pnl.unrealized };
            let pnl = Pnl { unrealized, ..status.pnl };
            match sums.iter_mut().find(|(asset, _)| *asset == instrument.quote) {
                Some((_, sum)) => add(sum, &pnl),
                None => sums.push((instrument.quote, pnl)),
            }
        }
        totals.pnl = sums.iter().map(|(asset, pnl)| PnlDto::new(pnl, asset.as_str())).collect();
        totals
    }
}

fn add(sum: &mut Pnl, pnl: &Pnl) {
    sum.realized += pnl.realized;
    sum.fees += pnl.fees;
    sum.other_fees += pnl.other_fees;
    sum.funding += pnl.funding;
    sum.round_trips += pnl.round_trips;
    // One unknown part makes the sum unknown.
    sum.unrealized = sum.unrealized.zip(pnl.unrealized).map(|(a, b)| a + b);
}

impl LinkDto {
    /// Writes a connection.
    pub fn new(link: &LinkNow) -> Self {
        Self { feed: feed_word(link.feed).to_owned(), up: link.up }
    }
}

impl StatusDto {
    /// Writes the whole system at a glance.
    pub fn new<'a>(now: Time, system: &System, symbols: impl Iterator<Item = &'a SymbolNow> + Clone, dashboard: String) -> Self {
        Self {
            name: "plimsoll".to_owned(),
            version: system.version.to_owned(),
            exchange: system.exchange.clone(),
            mode: system.mode.as_str().to_owned(),
            account: system.account.clone(),
            dashboard,
            time_ms: now.millis(),
            started_ms: system.started.millis(),
            uptime_s: now.since(system.started).as_secs(),
            stopping: system.stopping,
            links: system.links.iter().map(LinkDto::new).collect(),
            totals: TotalsDto::new(symbols.clone(), system.equity),
            symbols: symbols.map(SummaryDto::new).collect(),
            hints: system.hints.clone(),
            risk: system.risk.clone(),
        }
    }
}

impl LedgerDto {
    /// Writes all lines, in their order.
    pub fn new(budget_bytes: u64, planned_bytes: u64, lines: &[LineStatus]) -> Self {
        Self {
            budget_bytes,
            planned_bytes,
            used_bytes: lines.iter().map(LineStatus::used_bytes).sum(),
            overflows: lines.iter().map(|line| line.overflows).sum(),
            lines: lines.iter().map(LedgerLineDto::new).collect(),
        }
    }
}

impl LedgerLineDto {
    /// Writes a line.
    pub fn new(line: &LineStatus) -> Self {
        Self {
            name: line.name.as_str().to_owned(),
            capacity: line.capacity as u64,
            len: line.len as u64,
            high_water: line.high_water as u64,
            overflows: line.overflows,
            item_bytes: line.item_bytes as u64,
            bytes: line.bytes,
            policy: line.policy.as_str().to_owned(),
            class: line.class.as_str().to_owned(),
        }
    }
}

/// The ledger in four figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LedgerSum {
    /// Budget in bytes.
    pub budget_bytes: u64,
    /// What all lines take at worst.
    pub planned_bytes: u64,
    /// What the items there now take at worst.
    pub used_bytes: u64,
    /// Times that a limit acted.
    pub overflows: u64,
}

impl MetricsDto {
    /// Writes the figures under the original's ten names and ours.
    pub fn new(metrics: &SystemMetrics, ledger: LedgerSum) -> Self {
        let mb = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1e6);
        let idle = metrics.mapped_bytes.zip(metrics.active_bytes).map(|(mapped, active)| mapped.saturating_sub(active));
        Self {
            alloc_mb: mb(metrics.allocated_bytes),
            sys_mb: mb(metrics.rss_bytes),
            heap_alloc_mb: mb(metrics.allocated_bytes),
            heap_sys_mb: mb(metrics.mapped_bytes),
            heap_inuse_mb: mb(metrics.active_bytes),
            heap_idle_mb: mb(idle),
            num_gc: metrics.purges,
            next_gc_mb: mb(metrics.next_purge_bytes),
            gc_cpu_fraction: metrics.manager_cpu_share,
            goroutines: metrics.tasks,
            time_ms: metrics.time.millis(),
            rss_bytes: metrics.rss_bytes,
            rss_anon_bytes: metrics.rss_anon_bytes,
            retained_bytes: metrics.retained_bytes,
            cgroup_current_bytes: metrics.cgroup_current_bytes,
            cgroup_max_bytes: metrics.cgroup_max_bytes,
            memory_pressure: metrics.memory_pressure,
            pressure_rung: metrics.pressure_rung,
            pressure_word: if metrics.pressure_word.is_empty() { "unknown" } else { metrics.pressure_word }.to_owned(),
            memory_limit_bytes: metrics.memory_limit_bytes,
            memory_limiter: metrics.memory_limiter.map(str::to_owned),
            memory_used_ratio: metrics.memory_used_ratio,
            leak_suspects: metrics.leak_suspects.iter().take(SUSPECTS_MAX).map(|who| who.chars().take(SUSPECT_CHARS).collect()).collect(),
            leak_slope_bytes_per_hour: metrics.leak_slope_bytes_per_hour,
            purges: metrics.purges,
            cleanups: metrics.cleanups,
            cpu_cores: metrics.cpu_cores,
            open_files: metrics.open_files,
            tasks: metrics.tasks,
            ledger_budget_bytes: ledger.budget_bytes,
            ledger_planned_bytes: ledger.planned_bytes,
            ledger_used_bytes: ledger.used_bytes,
            ledger_overflows: ledger.overflows,
        }
    }
}

impl TaskDto {
    /// Writes a task.
    pub fn new(task: &TaskStatus) -> Self {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (state, exit) = match task.state {
            TaskState::Running if task.pause.is_some() => ("pausing", None),
            TaskState::Running => ("running", None),
            TaskState::Ended(exit) => ("ended", Some(exit)),
        };
        Self {
            name: task.name.to_string(),
            group: task.group.to_owned(),
            owner: task.owner.to_string(),
            state: state.to_owned(),
            age_ms: ms(task.age),
            quiet_ms: ms(task.quiet),
            beats: task.beats,
            overdue: task.overdue,
            restarts: task.restarts,
            exit: exit.map(|exit| exit.to_string()),
            last_failure: task.last_failure.map(|exit| exit.to_string()),
        }
    }
}
