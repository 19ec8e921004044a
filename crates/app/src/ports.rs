//! Answers the web server's questions from what the loops show and what storage keeps.

use crate::again::Ending;
use crate::alerts::Alerts;
use crate::settings::Settings;
use crate::trade::{Control, EquityView, Feedback, Inlet, LinkState, Refusal, WhyNot};
use async_trait::async_trait;
use plimsoll_bounded::{Sender, Stopper, TaskStatus, WatchReceiver};
use plimsoll_engine::AccountInput;
use plimsoll_gateway::Clock;
use plimsoll_market::{Amount, Command, Event, Feed, FundingPayment, Instrument, Name, Phase, Symbol, Time, TradeId};
use plimsoll_storage::{
    DayRange, EventId, Key, LogLimit, LogQuery, OrderCursor, Reader, RowLimit, Spread, Store, SystemRow, TimeRange, TradingDay,
};
use plimsoll_web::dto::{
    ChannelDto, EquityPointDto, EventDto, FillDto, FundingDto, HeldDto, LogDto, MoneyDto, OrderDto, PnlDayDto, PoolDto, RiskDto, SpreadDto,
    SystemDayDto, SystemPointDto,
};
use plimsoll_web::{
    ControlError, Cursor, DaysRange, EquityLine, EquityRange, FillTape, Health, History, HistoryError, LinkNow, LogsWanted, Mode, Page,
    PageRequest, Source, SymbolNow, System, SystemMetrics, SystemRange, Taken, Verb,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A symbol that is traded, as the web server and the screen see it.
pub struct Traded {
    /// Its rules.
    pub instrument: Instrument,
    /// What it shows; nothing before its loop has begun.
    pub view: WatchReceiver<Option<Arc<SymbolNow>>>,
    /// Its latest fills.
    pub tape: Arc<FillTape>,
    /// The way to its loop.
    pub inlet: Inlet,
    /// Why it does not trade after all, once its price was known.
    pub refusal: Arc<WhyNot>,
}

/// What is the case now.
pub struct Now {
    /// Exchange's name.
    pub exchange: String,
    /// What is at stake.
    pub mode: Mode,
    /// Account's name.
    pub account: Name,
    /// When the process started.
    pub started: Time,
    /// The clock.
    pub clock: Clock,
    /// The symbols.
    pub symbols: Vec<Traded>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    /// Symbols that were refused, and why.
    pub refused: Vec<String>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    /// Connections.
    pub links: Arc<LinkState>,
    /// The account's worth.
    pub equity: WatchReceiver<EquityView>,
    /// Samples of the process.
    pub monitor: crate::metrics::Monitor,
    /// Storage, for its figures.
    pub store: Store,
    /// Alerts and their channels.
    pub alerts: Alerts,
    /// Whether the process is stopping.
    pub stopping: Arc<AtomicBool>,
    /// What becomes of orders and positions then, in a word.
    pub on_stop: &'static str,
}

impl Now {
    /// The account's worth in its quote asset.
    pub fn equity(&self) -> Option<Amount> {
        let total = self.equity.get().equity.and_then(|e| e.total())?;
        self.symbols.first().map(|s| Amount::new(s.instrument.quote, total))
    }

    /// How the account's rules stand.
    fn risk(&self) -> Option<RiskDto> {
        let equity = self.equity.get().equity?;
        let money = |units| plimsoll_market::format_units(units, plimsoll_market::limits::MONEY_SCALE).to_string();
        Some(RiskDto {
            tier: equity.tier.as_str().to_owned(),
            drawdown_percent: plimsoll_market::format_units(i128::from(equity.drawdown), 4).to_string(),
            peak: money(equity.peak),
            day_start: money(equity.day_start),
            stopped_by: equity.demand.map(|demand| demand.rule.as_str().to_owned()),
            closing: equity.demand.is_some_and(|demand| demand.close),
            drift: equity.drift.map(money),
            abnormal_symbols: equity.abnormal,
        })
    }

    /// What every symbol shows.
    pub fn views(&self) -> Vec<Arc<SymbolNow>> {
        self.symbols.iter().filter_map(|s| s.view.get()).collect()
    }

    /// Why symbols do not trade.
    pub fn refusals(&self) -> impl Iterator<Item = String> {
        let late = self.symbols.iter().filter_map(|s| s.refusal.get());
        self.refused.iter().cloned().chain(late)
    }

    fn find(&self, symbol: &Symbol) -> Option<&Traded> {
        self.symbols.iter().find(|s| s.instrument.symbol == *symbol)
    }
}

/// The web server's view of [`Now`].
pub struct NowSource(pub Arc<Now>);

impl Source for NowSource {
    fn now(&self) -> Time {
        self.0.clock.now()
    }

    fn system(&self) -> System {
        let now = &self.0;
        let link = |feed| LinkNow { feed, up: now.links.is_up(feed) };
        let mut hints: Vec<String> = now.refusals().collect();
        if now.mode == Mode::Local {
            hints.push("this is the local exchange: its market is made up and its money is play money".to_owned());
        }
        if now.mode == Mode::Paper {
            hints.push("this is paper: the market is real, the orders and the money are not".to_owned());
        }
        System {
            version: env!("CARGO_PKG_VERSION"),
            exchange: now.exchange.clone(),
            mode: now.mode,
            account: now.account.to_string(),
            started: now.started,
            equity: now.equity(),
            risk: now.risk(),
            links: [Feed::Market, Feed::Account, Feed::Requests].map(link).to_vec(),
            hints,
            stopping: now.stopping.load(Ordering::Relaxed),
            on_stop: now.on_stop,
        }
    }

    fn symbols(&self) -> Vec<Arc<SymbolNow>> {
        self.0.views()
    }

    fn symbol(&self, symbol: &Symbol) -> Option<Arc<SymbolNow>> {
        self.0.find(symbol)?.view.get()
    }

    fn fills(&self, symbol: &Symbol) -> Vec<FillDto> {
        self.0.find(symbol).map(|s| s.tape.newest_first()).unwrap_or_default()
    }

    fn metrics(&self) -> SystemMetrics {
        self.0.monitor.web()
    }

    fn tasks(&self) -> Option<Vec<TaskStatus>> {
        Some(self.0.monitor.tasks())
    }

    fn pool(&self) -> Option<PoolDto> {
        let pool = self.0.store.pool();
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Some(PoolDto {
            max: pool.max,
            size: pool.size,
            in_use: pool.in_use,
            idle: pool.idle,
            waiting: pool.waiting,
            acquires: pool.acquires,
            refused: pool.refused,
            wait_total_ms: millis(pool.wait_total),
            wait_max_ms: millis(pool.wait_max),
            held: pool
                .held
                .iter()
                .map(|held| HeldDto { holder: held.holder.to_owned(), held_ms: millis(held.held), too_long: held.is_too_long() })
                .collect(),
            held_too_long: pool.held_too_long,
            healthy: pool.healthy,
            checked_ago_ms: pool.checked.map(millis),
            check_took_ms: pool.check_took.map(millis),
            failing: pool.failing,
        })
    }

    fn channels(&self) -> Option<Vec<ChannelDto>> {
        let status = self.0.alerts.status();
        let channels = status.channels.iter().map(|channel| ChannelDto {
            name: channel.name.to_string(),
            kind: channel.kind.to_owned(),
            up: channel.up,
            queued: channel.queued as u64,
            sent: channel.sent,
            failed: channel.failed,
            retried: channel.retried,
            dropped: channel.dropped,
            suppressed: channel.suppressed,
            folded: channel.folded,
            last_error: channel.last_error.as_ref().map(|(_, note)| note.as_str().to_owned()),
            last_error_ms: channel.last_error.as_ref().map(|(at, _)| at.millis()),
            last_ok_ms: channel.last_ok.map(Time::millis),
        });
        Some(channels.collect())
    }

    fn health(&self) -> Health {
        let now = &self.0;
        let mut unready = Vec::new();
        for symbol in &now.symbols {
            let name = symbol.instrument.symbol;
            match symbol.view.get() {
                None => unready.push(format!("{name} has not begun")),
                Some(view) if view.status.phase != Phase::Trading && symbol.refusal.get().is_none() => {
                    unready.push(format!("{name} is {}", view.status.phase.as_str()))
                }
                Some(_) => {}
            }
        }
        if now.stopping.load(Ordering::Relaxed) {
            unready.push("the process is stopping".to_owned());
        }
        // Tasks end while the process stops: that is no death.
        let dead = if now.stopping.load(Ordering::Relaxed) { Vec::new() } else { now.monitor.dead() };
        Health { dead, unready }
    }

    fn prometheus(&self) -> String {
        self.0.monitor.render()
    }
}

/// Stored rows for the web server.
pub struct StoredHistory {
    /// Reads storage.
    pub reader: Reader,
    /// The account.
    pub account: Name,
    /// The symbols.
    pub now: Arc<Now>,
}

impl StoredHistory {
    fn key(&self, symbol: &Symbol) -> Result<(Key, Instrument), HistoryError> {
        let traded = self.now.find(symbol);
        let traded = traded.ok_or_else(|| HistoryError::Refused { reason: format!("{symbol} is not traded here") })?;
        Ok((Key { account: self.account, symbol: *symbol }, traded.instrument))
    }
}

fn unavailable(error: plimsoll_storage::StoreError) -> HistoryError {
    HistoryError::Unavailable { reason: error.to_string() }
}

fn cursor<T: std::str::FromStr>(page: &PageRequest) -> Result<Option<T>, HistoryError> {
    let parse = |text: &Cursor| text.parse().map_err(|_| HistoryError::Refused { reason: format!("{text:?} is no cursor of this list") });
    page.before.as_ref().map(parse).transpose()
}

/// A cursor as text; ours have at most 45 characters.
fn written(place: &impl std::fmt::Display) -> Option<Cursor> {
    let mut text = Cursor::new();
    std::fmt::write(&mut text, format_args!("{place}")).ok().map(|()| text)
}

fn limit(page: &PageRequest) -> Result<RowLimit, HistoryError> {
    RowLimit::new(u32::try_from(page.limit).unwrap_or(u32::MAX)).map_err(|e| HistoryError::Refused { reason: e.to_string() })
}

#[async_trait]
impl History for StoredHistory {
    async fn orders(&self, symbol: &Symbol, page: PageRequest) -> Result<Page<OrderDto>, HistoryError> {
        let (key, instrument) = self.key(symbol)?;
        let before: Option<OrderCursor> = cursor(&page)?;
        let rows = self.reader.orders(&key, before, limit(&page)?).await.map_err(unavailable)?;
        let items = rows.rows.iter().map(|o| OrderDto::new(o, &instrument)).collect();
        Ok(Page { items, next: rows.next.and_then(|c| written(&c)) })
    }

    async fn fills(&self, symbol: &Symbol, page: PageRequest) -> Result<Page<FillDto>, HistoryError> {
        let (key, instrument) = self.key(symbol)?;
        let before = cursor(&page)?.map(TradeId);
        let rows = self.reader.fills(&key, before, limit(&page)?).await.map_err(unavailable)?;
        let items = rows.rows.iter().map(|b| FillDto::new(b, &instrument)).collect();
        Ok(Page { items, next: rows.next.and_then(|id| written(&id)) })
    }

    async fn funding(&self, symbol: &Symbol, page: PageRequest) -> Result<Page<FundingDto>, HistoryError> {
        let (key, _) = self.key(symbol)?;
        let before = cursor(&page)?.map(Time::from_nanos);
        let rows = self.reader.funding(&key, before, limit(&page)?).await.map_err(unavailable)?;
        let payment = |paid: &FundingPayment| FundingDto {
            time_ms: paid.time.millis(),
            symbol: symbol.to_string(),
            amount: MoneyDto::new(paid.amount),
        };
        Ok(Page { items: rows.rows.iter().map(payment).collect(), next: rows.next.and_then(|time| written(&time.nanos())) })
    }

    async fn pnl_daily(&self, symbol: Option<&Symbol>, range: DaysRange) -> Result<Vec<PnlDayDto>, HistoryError> {
        let span = DayRange::new(range.from, range.to).map_err(|e| HistoryError::Refused { reason: e.to_string() })?;
        let days = match symbol {
            Some(symbol) => self.reader.symbol_days(&self.key(symbol)?.0, span).await,
            None => self.reader.account_days(&self.account, span).await,
        };
        Ok(days.map_err(unavailable)?.iter().map(pnl_day).collect())
    }

    async fn events(&self, page: PageRequest) -> Result<Page<EventDto>, HistoryError> {
        let before = cursor(&page)?.map(EventId);
        let rows = self.reader.events(before, limit(&page)?).await.map_err(unavailable)?;
        let items = rows
            .rows
            .iter()
            .map(|row| EventDto {
                time_ms: row.time.millis(),
                severity: row.severity.as_str().to_owned(),
                code: row.code.clone(),
                symbol: row.symbol.map(|s| s.to_string()),
                text: row.text.clone(),
            })
            .collect();
        Ok(Page { items, next: rows.next.and_then(|id| written(&id.0)) })
    }

    async fn logs(&self, wanted: LogsWanted) -> Result<Page<LogDto>, HistoryError> {
        let refused = |e: plimsoll_storage::StoreError| HistoryError::Refused { reason: e.to_string() };
        let LogsWanted { from, to, level, contains, page } = wanted;
        let limit = LogLimit::new(u32::try_from(page.limit).unwrap_or(u32::MAX)).map_err(refused)?;
        let range = TimeRange::new(from, to).map_err(refused)?;
        let query = LogQuery { range, level, contains, before: cursor(&page)?, limit };
        let rows = self.reader.logs(&query).await.map_err(unavailable)?;
        let next = rows.next.and_then(|c| written(&c));
        let line = |row: plimsoll_storage::LogRow| LogDto {
            time_ms: row.time.millis(),
            level: row.level.as_str().to_owned(),
            target: row.target,
            text: row.text,
            account: row.account.map(|name| name.to_string()),
            symbol: row.symbol.map(|symbol| symbol.to_string()),
        };
        Ok(Page { items: rows.rows.into_iter().map(line).collect(), next })
    }

    async fn equity(&self, range: EquityRange) -> Result<EquityLine, HistoryError> {
        let asset = self.now.symbols.first().map(|s| s.instrument.quote.to_string()).unwrap_or_default();
        let span = TimeRange::new(range.since, range.until).map_err(|e| HistoryError::Refused { reason: e.to_string() })?;
        let rows = self.reader.equity(&self.account, span, range.points).await.map_err(unavailable)?;
        let points = rows.iter().map(|p| EquityPointDto::new(p.time, Some(p.equity()), p.equity())).collect();
        Ok(EquityLine { asset, points })
    }

    async fn system(&self, range: SystemRange) -> Result<Vec<SystemPointDto>, HistoryError> {
        let span = TimeRange::new(range.from, range.to).map_err(|e| HistoryError::Refused { reason: e.to_string() })?;
        let rows = self.reader.system(span, range.points).await.map_err(unavailable)?;
        Ok(rows.iter().map(system_point).collect())
    }

    async fn system_daily(&self, range: DaysRange) -> Result<Vec<SystemDayDto>, HistoryError> {
        let span = DayRange::new(range.from, range.to).map_err(|e| HistoryError::Refused { reason: e.to_string() })?;
        let days = self.reader.system_daily(span).await.map_err(unavailable)?;
        let spread = |s: Option<Spread>| s.map(|s| SpreadDto { min: s.min, avg: s.avg, max: s.max });
        let cores = |milli: u64| milli as f64 / 1_000.0;
        let days = days.iter().map(|day| SystemDayDto {
            day_ms: day.day.millis(),
            samples: day.samples,
            rss_bytes: spread(day.rss),
            cpu_cores: day.cpu_milli.map(|s| SpreadDto { min: cores(s.min), avg: cores(s.avg), max: cores(s.max) }),
            tasks: spread(day.tasks),
            allocated_bytes: spread(day.allocated),
        });
        Ok(days.collect())
    }
}

fn pnl_day(day: &TradingDay) -> PnlDayDto {
    let money = plimsoll_web::money;
    PnlDayDto {
        day_ms: day.day.millis(),
        asset: day.asset.map_or_else(String::new, |asset| asset.to_string()),
        net: money(day.net()),
        realized: money(day.realized),
        slot_realized: money(day.slot_realized),
        fees: money(day.fees),
        funding: money(day.funding),
        turnover: money(day.turnover),
        fills: day.fills,
        wins: day.wins,
        losses: day.losses,
        other_fees: day.other_fees,
    }
}

fn system_point(row: &SystemRow) -> SystemPointDto {
    SystemPointDto {
        time_ms: row.time.millis(),
        cpu_cores: row.cpu_milli.map(|milli| f64::from(milli) / 1_000.0),
        rss_bytes: row.rss,
        rss_anon_bytes: row.anonymous,
        allocated_bytes: row.allocated,
        active_bytes: row.active,
        resident_bytes: row.resident,
        mapped_bytes: row.mapped,
        retained_bytes: row.retained,
        cgroup_current_bytes: row.cgroup_used,
        cgroup_max_bytes: row.cgroup_limit,
        ledger_used_bytes: row.ledger_used,
        tasks: row.tasks.map(u64::from),
        threads: row.threads.map(u64::from),
        open_files: row.open_files.map(u64::from),
        purges: row.purges,
        pressure_rung: row.rung,
    }
}

/// Commands to the loops.
pub struct Commands {
    /// The symbols.
    pub now: Arc<Now>,
    /// The account's loop.
    pub account: Sender<Feedback>,
    /// Stops the process.
    pub stopper: Arc<Stopper>,
    /// The configuration that it would begin anew with.
    pub settings: Arc<Settings>,
    /// Why it ends.
    pub ending: Arc<OnceLock<Ending>>,
}

#[async_trait]
impl plimsoll_web::Control for Commands {
    async fn command(&self, symbol: Option<Symbol>, verb: Verb) -> Result<Taken, ControlError> {
        if self.now.stopping.load(Ordering::Relaxed) {
            return Err(ControlError::Stopping);
        }
        let Some(command) = verb.command() else {
            if symbol.is_some() {
                return Err(ControlError::Refused { reason: format!("{} is for the whole process", verb.as_str()) });
            }
            if verb == Verb::Restart {
                let before = self.settings.before_restart().map_err(|reason| ControlError::Refused { reason })?;
                self.ending.get_or_init(|| Ending::Again { before });
                self.stopper.stop();
                let detail = "orders and positions stay at the exchange; the process is back in some seconds".to_owned();
                return Ok(Taken { symbols: Vec::new(), detail });
            }
            self.stopper.stop();
            return Ok(Taken { symbols: Vec::new(), detail: "the process stops as configured in on_stop".to_owned() });
        };
        let meant: Vec<&Traded> = match symbol {
            Some(symbol) => vec![self.now.find(&symbol).ok_or(ControlError::UnknownSymbol(symbol))?],
            None => self.now.symbols.iter().collect(),
        };
        if command == Command::Rearm && symbol.is_none() {
            // For everything: the account's rules, too.
            if self.account.try_send(Feedback::Input(AccountInput::Rearm)).is_err() {
                return Err(ControlError::Refused { reason: "the account's lane is full; try again".to_owned() });
            }
        }
        let mut taken = Vec::with_capacity(meant.len());
        for traded in meant {
            let name = traded.instrument.symbol;
            match traded.inlet.control(Control::Event(Event::Command(command))) {
                Ok(()) => taken.push(name),
                Err(Refusal::Full) => return Err(ControlError::Busy(name)),
                Err(Refusal::Ended) => return Err(ControlError::Stopping),
            }
        }
        Ok(Taken { symbols: taken, detail: format!("{} was handed to the symbol loops", verb.as_str()) })
    }
}
