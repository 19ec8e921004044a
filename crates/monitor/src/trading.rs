//! What trading shows of itself: per symbol, per account, and of storage.

use std::time::Duration;

use metrics::{Counter, Gauge};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Feed, Instrument, Name, Phase, Status, Symbol};

use crate::exporter::{Exporter, Latency, SeriesFull};
use crate::families as f;

impl Exporter {
    /// Makes the series of a symbol. Made again, they go on where they were.
    ///
    /// # Errors
    /// When as many symbols and accounts have series as may.
    pub fn symbol(&self, account: &Name, symbol: &Symbol) -> Result<SymbolMetrics, SeriesFull> {
        let series = self.admit(account.as_str(), symbol.as_str())?;
        let labels = [account.as_str(), symbol.as_str()];
        let counter = |family| Growing { counter: series.counter(family, &labels), last: 0 };
        let gauge = |family| series.gauge(family, &labels);
        Ok(SymbolMetrics {
            trading: gauge(&f::SYMBOL_TRADING),
            opening: gauge(&f::SYMBOL_OPENING),
            placed: counter(&f::ORDERS_PLACED),
            canceled: counter(&f::ORDERS_CANCELED),
            rejected: counter(&f::ORDERS_REJECTED),
            open: gauge(&f::ORDERS_OPEN),
            foreign: gauge(&f::ORDERS_FOREIGN),
            fills: series.counter(&f::FILLS, &labels),
            fills_before: None,
            cleaned: counter(&f::SLOTS_CLEANED),
            slots: gauge(&f::SLOTS_USED),
            holding: gauge(&f::HOLDING),
            mid: gauge(&f::PRICE_MID),
            realized: gauge(&f::PNL_REALIZED),
            unrealized: gauge(&f::PNL_UNREALIZED),
            fees: gauge(&f::PNL_FEES),
            unconverted: gauge(&f::FEES_UNCONVERTED),
            funding: gauge(&f::PNL_FUNDING),
            net: gauge(&f::PNL_NET),
            refused: series.counter(&f::RECORDS_REFUSED, &labels),
            locked: gauge(&f::LOCKED),
            drift: gauge(&f::DRIFT),
            healed: gauge(&f::HEALED),
            taken_over: counter(&f::TAKEN_OVER),
            late: counter(&f::FILLS_LATE),
            invariants: series.counter(&f::INVARIANTS, &labels),
            decision: self.latency(&f::DECISION, &[]),
            age: self.latency(&f::EVENT_AGE, &[]),
        })
    }

    /// Makes the series of an account.
    ///
    /// # Errors
    /// As [`Exporter::symbol`].
    pub fn account(&self, account: &Name) -> Result<AccountMetrics, SeriesFull> {
        let series = self.admit(account.as_str(), "")?;
        let feed = |feed| {
            let labels = [account.as_str(), feed_name(feed)];
            let (up, reconnects) = (series.gauge(&f::FEED_UP, &labels), series.counter(&f::RECONNECTS, &labels));
            up.set(0.0);
            FeedMetrics { up, reconnects, gaps: series.counter(&f::GAPS, &labels), state: Link::Never }
        };
        Ok(AccountMetrics {
            equity: series.gauge(&f::EQUITY, &[account.as_str()]),
            wallet: series.gauge(&f::WALLET, &[account.as_str()]),
            drawdown: series.gauge(&f::DRAWDOWN, &[account.as_str()]),
            tier: series.gauge(&f::TIER, &[account.as_str()]),
            stopped: series.gauge(&f::STOPPED, &[account.as_str()]),
            drift: series.gauge(&f::EQUITY_DRIFT, &[account.as_str()]),
            abnormal: series.gauge(&f::ABNORMAL, &[account.as_str()]),
            request: self.latency(&f::REQUEST, &[account.as_str()]),
            market: feed(Feed::Market),
            account: feed(Feed::Account),
            requests: feed(Feed::Requests),
        })
    }

    /// Makes the series of the journal.
    pub fn journal(&self) -> JournalMetrics {
        let series = self.series();
        JournalMetrics {
            segments: series.counter(&f::JOURNAL_SEGMENTS, &[]),
            bytes: series.counter(&f::JOURNAL_BYTES, &[]),
            gaps: series.counter(&f::JOURNAL_GAPS, &[]),
            failures: series.counter(&f::JOURNAL_FAILURES, &[]),
            kept: series.gauge(&f::JOURNAL_KEPT, &[]),
        }
    }

    /// Makes the series of storage.
    pub fn storage(&self) -> StorageMetrics {
        let series = self.series();
        StorageMetrics {
            records: series.counter(&f::STORED, &[]),
            batches: series.counter(&f::STORE_BATCHES, &[]),
            failures: series.counter(&f::STORE_FAILURES, &[]),
            waiting: series.gauge(&f::STORE_WAITING, &[]),
            oldest: series.gauge(&f::STORE_OLDEST, &[]),
            commit: series.gauge(&f::STORE_COMMIT, &[]),
            failing: series.gauge(&f::STORE_FAILING, &[]),
            full: series.gauge(&f::STORE_FULL, &[]),
            dropped: series.counter(&f::STORE_DROPPED, &[]),
            bytes: series.gauge(&f::STORE_BYTES, &[]),
        }
    }
}

/// A counter fed by a running total that begins anew when its owner does.
struct Growing {
    counter: Counter,
    last: u64,
}

impl Growing {
    fn reach(&mut self, total: u64) {
        let more = total.checked_sub(self.last).unwrap_or(total);
        self.counter.increment(more);
        self.last = total;
    }
}

/// The series of one symbol. Owned by its loop.
pub struct SymbolMetrics {
    trading: Gauge,
    opening: Gauge,
    placed: Growing,
    canceled: Growing,
    rejected: Growing,
    open: Gauge,
    foreign: Gauge,
    fills: Counter,
    /// Executions ever, when last seen; those before the first look were counted by an earlier process.
    fills_before: Option<u64>,
    cleaned: Growing,
    slots: Gauge,
    holding: Gauge,
    mid: Gauge,
    realized: Gauge,
    unrealized: Gauge,
    fees: Gauge,
    unconverted: Gauge,
    funding: Gauge,
    net: Gauge,
    refused: Counter,
    locked: Gauge,
    drift: Gauge,
    healed: Gauge,
    taken_over: Growing,
    late: Growing,
    invariants: Counter,
    decision: Latency,
    age: Latency,
}

impl SymbolMetrics {
    /// Shows what the engine says of itself.
    pub fn observe(&mut self, status: &Status, instrument: &Instrument) {
        self.trading.set(flag(status.phase == Phase::Trading));
        self.opening.set(flag(status.phase == Phase::Trading && status.closed.is_none()));
        self.placed.reach(status.placed);
        self.canceled.reach(status.canceled);
        self.rejected.reach(status.rejected);
        self.open.set(status.orders.len() as f64);
        self.foreign.set(f64::from(status.foreign_orders));
        self.fills.increment(self.fills_before.map_or(0, |before| status.fills.saturating_sub(before)));
        self.fills_before = Some(status.fills);
        self.cleaned.reach(status.slots_cleaned);
        self.slots.set(status.slots.len() as f64);
        self.holding.set(decimal(i128::from(status.holding.units()), instrument.qty_scale));
        self.locked.set(flag(status.lock.is_some()));
        self.healed.set(status.healed_in.as_secs_f64());
        self.taken_over.reach(u64::from(status.taken_over));
        self.late.reach(status.late_fills);
        let apart = decimal(i128::from(status.drift.units()), instrument.qty_scale);
        let mid = status.top.map_or(f64::NAN, |top| decimal(i128::from(top.mid().units()), instrument.price_scale));
        self.drift.set(if status.drift.is_flat() { 0.0 } else { apart * mid });
        // Without a price, what depends on it is unknown, not what it was.
        self.mid.set(mid);
        self.unrealized.set(status.pnl.unrealized.map_or(f64::NAN, money));
        self.net.set(status.pnl.unrealized.map_or(f64::NAN, |_| money(status.pnl.net())));
        self.realized.set(money(status.pnl.realized));
        self.fees.set(money(status.pnl.fees + status.pnl.other_fees));
        self.unconverted.set(status.fees_unconverted as f64);
        self.funding.set(money(status.pnl.funding));
    }

    /// Counts a look at the books that found something that must never be.
    pub fn invariant_broken(&self) {
        self.invariants.increment(1);
    }

    /// Counts a record that storage had no room for.
    pub fn record_refused(&self) {
        self.refused.increment(1);
    }

    /// Returns the histogram of decisions: from taking an event to its actions.
    pub fn decision(&self) -> &Latency {
        &self.decision
    }

    /// Returns the histogram of how old market data is when it is decided upon.
    pub fn event_age(&self) -> &Latency {
        &self.age
    }
}

impl std::fmt::Debug for SymbolMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SymbolMetrics")
    }
}

/// The series of one account. Owned by its loop.
pub struct AccountMetrics {
    equity: Gauge,
    wallet: Gauge,
    drawdown: Gauge,
    tier: Gauge,
    stopped: Gauge,
    drift: Gauge,
    abnormal: Gauge,
    request: Latency,
    market: FeedMetrics,
    account: FeedMetrics,
    requests: FeedMetrics,
}

struct FeedMetrics {
    up: Gauge,
    reconnects: Counter,
    gaps: Counter,
    state: Link,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Never,
    Up,
    Down,
}

impl AccountMetrics {
    /// Shows what the account is worth, units of 1e-8 of the quote asset; `None` when prices are missing.
    pub fn worth(&self, wallet: i128, equity: Option<i128>) {
        self.wallet.set(money(wallet));
        self.equity.set(equity.map_or(f64::NAN, money));
    }

    /// Shows how the account's rules stand: the fall that counts in millionths, the rung from 0, whether opening is stopped, what
    /// the wallet gained beyond our books in units of 1e-8, and how many watched symbols are abnormal.
    pub fn risk(&self, drawdown_ppm: u32, tier: u8, stopped: bool, drift: Option<i128>, abnormal: u16) {
        self.drawdown.set(f64::from(drawdown_ppm) / 1e6);
        self.tier.set(f64::from(tier));
        self.stopped.set(flag(stopped));
        self.drift.set(drift.map_or(f64::NAN, money));
        self.abnormal.set(f64::from(abnormal));
    }

    /// Shows that a feed delivers or does not; coming back is counted.
    pub fn link(&mut self, feed: Feed, up: bool) {
        let metrics = self.feed(feed);
        metrics.up.set(flag(up));
        match (metrics.state, up) {
            (Link::Down, true) => {
                metrics.reconnects.increment(1);
                metrics.state = Link::Up;
            }
            (Link::Never, true) => metrics.state = Link::Up,
            (Link::Up, false) => metrics.state = Link::Down,
            (Link::Up, true) | (Link::Down | Link::Never, false) => {}
        }
    }

    /// Counts that data of a feed was lost.
    pub fn gap(&mut self, feed: Feed) {
        self.feed(feed).gaps.increment(1);
    }

    /// Counts how long a request took.
    pub fn request(&self, took: Duration) {
        self.request.record(took);
    }

    fn feed(&mut self, feed: Feed) -> &mut FeedMetrics {
        match feed {
            Feed::Market => &mut self.market,
            Feed::Account => &mut self.account,
            Feed::Requests => &mut self.requests,
        }
    }
}

impl std::fmt::Debug for AccountMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountMetrics")
    }
}

const fn feed_name(feed: Feed) -> &'static str {
    match feed {
        Feed::Market => "market",
        Feed::Account => "account",
        Feed::Requests => "requests",
    }
}

/// The series of the journal. Owned by its writer.
pub struct JournalMetrics {
    segments: Counter,
    bytes: Counter,
    gaps: Counter,
    failures: Counter,
    kept: Gauge,
}

impl JournalMetrics {
    /// Counts a segment that was begun.
    pub fn opened(&self) {
        self.segments.increment(1);
    }

    /// Counts bytes written.
    pub fn wrote(&self, bytes: u64) {
        self.bytes.increment(bytes);
    }

    /// Counts a gap.
    pub fn gap(&self) {
        self.gaps.increment(1);
    }

    /// Counts a write that failed.
    pub fn failed(&self) {
        self.failures.increment(1);
    }

    /// Shows what the closed segments take on the disk, in bytes.
    pub fn kept(&self, bytes: u64) {
        self.kept.set(bytes as f64);
    }
}

impl std::fmt::Debug for JournalMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalMetrics")
    }
}

/// What storage says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFigures {
    /// Records committed since the start.
    pub records: u64,
    /// Batches committed since the start.
    pub batches: u64,
    /// Commits that failed since the start.
    pub failures: u64,
    /// Records that wait to be committed.
    pub waiting: u64,
    /// How long the oldest of them waits.
    pub oldest: Duration,
    /// How long the last commit took.
    pub commit_time: Duration,
    /// Whether they fail now.
    pub failing: bool,
    /// Whether records have no room, so that nothing may be opened.
    pub records_full: bool,
    /// Equity points and events lost since the start.
    pub history_dropped: u64,
    /// Size of the database on the disk, in bytes; `None` when it was not asked for.
    pub database_bytes: Option<u64>,
}

/// The series of storage.
pub struct StorageMetrics {
    records: Counter,
    batches: Counter,
    failures: Counter,
    waiting: Gauge,
    oldest: Gauge,
    commit: Gauge,
    failing: Gauge,
    full: Gauge,
    dropped: Counter,
    bytes: Gauge,
}

impl StorageMetrics {
    /// Shows what storage says of itself.
    pub fn observe(&self, figures: &StorageFigures) {
        self.records.absolute(figures.records);
        self.batches.absolute(figures.batches);
        self.failures.absolute(figures.failures);
        self.waiting.set(figures.waiting as f64);
        self.oldest.set(figures.oldest.as_secs_f64());
        self.commit.set(figures.commit_time.as_secs_f64());
        self.failing.set(flag(figures.failing));
        self.full.set(flag(figures.records_full));
        self.dropped.absolute(figures.history_dropped);
        if let Some(bytes) = figures.database_bytes {
            self.bytes.set(bytes as f64);
        }
    }
}

impl std::fmt::Debug for StorageMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StorageMetrics")
    }
}

fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

fn money(units: i128) -> f64 {
    decimal(units, MONEY_SCALE)
}

/// For display only: a float is near enough for a chart.
fn decimal(units: i128, scale: u8) -> f64 {
    units as f64 / 10_f64.powi(i32::from(scale))
}
