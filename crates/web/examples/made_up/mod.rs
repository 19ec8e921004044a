//! A made-up market behind the web server's ports: a seeded random walk with a small grid trading on it.
//!
//! It is for looking at the page and for tests; nothing of it is in the library.

#![allow(clippy::unwrap_used, missing_docs, reason = "made-up data may stop at once")]

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use plimsoll_bounded::{
    Broadcast, Class, Ended, ExitStatus, ExitText, Grant, Pool, PoolSpec, Subscriber, TaskName, TaskState, TaskStatus, Tasks,
};
use plimsoll_market::{
    Alert, AlertCode, Amount, Asset, Booked, ClientId, Feed, Fill, Holding, Instrument, Leg, LogLevel, MarkPrice, Order, OrderId,
    OrderStatus, OrderView, Phase, Pnl, Price, Qty, RefPrice, Round, Severity, Side, SlotView, Status, Symbol, Tag, Time, Top, TradeId,
};
use plimsoll_web::dto::{
    ChannelDto, EquityPointDto, EventDto, FillDto, FundingDto, HeldDto, LogDto, MoneyDto, OrderDto, PnlDayDto, PoolDto, SpreadDto,
    SystemDayDto, SystemPointDto,
};
use plimsoll_web::{
    Control, ControlError, DaysRange, EquityLine, EquityRange, Health, History, HistoryError, LinkNow, LogFeed, LogListener, LogNews,
    LogsWanted, Mode, Page, PageRequest, Ports, ProfileRefused, Profiler, Source, SymbolNow, System, SystemMetrics, SystemRange, Taken,
    Verb, money,
};

mod desk;
mod vault;

pub use vault::MadeUpVault;

/// Levels the made-up grid buys below the price.
const WINDOW: i64 = 9;
/// Level lines it may hold.
const HELD_MAX: usize = 12;

/// The made-up market. Time moves only by [`MadeUp::advance`].
pub struct MadeUp {
    world: Mutex<World>,
    log: Broadcast<LogDto>,
    /// Who may log in.
    pub vault: Arc<MadeUpVault>,
    tasks: Tasks,
}

struct World {
    now: Time,
    started: Time,
    seed: u64,
    markets: Vec<Market>,
    events: Vec<EventDto>,
    equity: Vec<(Time, i128)>,
    commands: Vec<(Option<Symbol>, Verb)>,
    links_up: bool,
    stopping: bool,
}

struct Market {
    instrument: Instrument,
    drift: f64,
    price: f64,
    anchor: Price,
    interval: Price,
    qty: Qty,
    slots: Vec<Slot>,
    orders: Vec<OrderView>,
    generation: u64,
    holding: i64,
    cost: i128,
    pnl: Pnl,
    fills: Vec<Booked>,
    stored: Vec<Order>,
    placed: u64,
    canceled: u64,
    paused: bool,
}

struct Slot {
    level: i32,
    held: Qty,
    cost: plimsoll_market::Notional,
}

impl MadeUp {
    /// Makes a market that is `history` old.
    pub fn new(seed: u64, now: Time, history: Duration) -> Arc<Self> {
        let started = Time::from_millis(now.millis() - history.as_millis() as u64);
        let btc = Instrument::example_btcusdt();
        let eth = Instrument {
            symbol: Symbol::new("ETHUSDT").unwrap(),
            base: Asset::new("ETH").unwrap(),
            tick: Price::from_units(1),
            price_min: Price::from_units(3_986),
            ..btc
        };
        let markets = vec![Market::new(btc, 61_659.7, 5_000, 8), Market::new(eth, 3_412.55, 300, 150)];
        let world = World {
            now: started,
            started,
            seed: seed.max(1),
            markets,
            events: Vec::new(),
            equity: Vec::new(),
            commands: Vec::new(),
            links_up: true,
            stopping: false,
        };
        let viewers = plimsoll_web::limits::LOG_VIEWERS_MAX;
        let line = Broadcast::<LogDto>::line("made_up.log", viewers, 100, Class::BestEffort).with_heap(200);
        let log = Broadcast::new(Grant::detached(line), viewers);
        let tasks = Tasks::new(Grant::detached(Tasks::line("tasks", 8, 8 * 1_024)));
        let made = Arc::new(Self { world: Mutex::new(world), log, vault: Arc::default(), tasks });
        while made.lock().now < now {
            made.advance(Duration::from_millis(500));
        }
        made
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Lets time pass.
    pub fn advance(&self, step: Duration) {
        self.lock().advance(step);
    }

    /// Lets time pass without a market.
    #[allow(dead_code)]
    pub fn rest(&self, time: Duration) {
        let mut world = self.lock();
        world.now = Time::from_nanos(world.now.nanos() + time.as_nanos() as u64);
    }

    /// Cuts or restores the connections.
    #[allow(dead_code)]
    pub fn set_links(&self, up: bool) {
        self.lock().links_up = up;
    }

    /// The commands that came over the control port.
    #[allow(dead_code)]
    pub fn commands(&self) -> Vec<(Option<Symbol>, Verb)> {
        self.lock().commands.clone()
    }

    /// All ports.
    pub fn ports(self: &Arc<Self>) -> Ports {
        let jobs = Grant::detached(Pool::line("workers", 4, 512, Class::BestEffort));
        let spec = PoolSpec { name: "worker", group: "example", workers: 1, job_deadline: Duration::from_secs(10) };
        Ports {
            settings: Arc::new(plimsoll_web::Fixed),
            source: self.clone(),
            history: self.clone(),
            control: self.clone(),
            profiler: self.clone(),
            logs: self.clone(),
            vault: self.vault.clone(),
            desk: self.clone(),
            workers: Pool::start(jobs, spec, &self.tasks).unwrap(),
        }
    }

    /// Says something to those who follow the log.
    #[allow(dead_code)]
    pub fn say(&self, level: LogLevel, text: &str) {
        self.log.publish(&LogDto { text: text.to_owned(), ..line(0, level) });
    }
}

impl World {
    fn random(&mut self) -> f64 {
        // xorshift64*: small and the same on every machine.
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        (self.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn advance(&mut self, step: Duration) {
        self.now = self.now + step;
        let now = self.now;
        for at in 0..self.markets.len() {
            let noise = self.random() + self.random() + self.random() - 1.5;
            let turn = self.random();
            let before = self.markets[at].fills.len();
            let market = &mut self.markets[at];
            market.step(now, noise, turn, step.as_secs_f64());
            if let Some(Booked { fill, .. }) = market.fills.get(before).copied()
                && market.fills.len().is_multiple_of(7)
            {
                let text =
                    format!("{} {} filled at {}", fill.side.as_str(), market.instrument.symbol, market.instrument.show_price(fill.price));
                let alert = Alert::new(Severity::Info, AlertCode::Gate, now, &text);
                let symbol = Some(market.instrument.symbol.to_string());
                self.events.push(event(&alert, symbol));
            }
        }
        if self.now.millis() % 10_000 < step.as_millis() as u64 {
            let net = self.markets.iter().map(|market| market.pnl.net()).sum();
            self.equity.push((now, net));
        }
    }
}

fn event(alert: &Alert, symbol: Option<String>) -> EventDto {
    let Alert { severity, code, text, time } = alert;
    EventDto {
        time_ms: time.millis(),
        severity: severity.as_str().to_owned(),
        code: code.as_str().to_owned(),
        symbol,
        text: text.to_string(),
    }
}

impl Market {
    fn new(instrument: Instrument, price: f64, interval: i64, qty: u64) -> Self {
        let anchor = instrument.price(price, Round::Nearest).unwrap();
        Self {
            instrument,
            drift: 0.0,
            price,
            anchor,
            interval: Price::from_units(interval),
            qty: Qty::from_units(qty),
            slots: Vec::new(),
            orders: Vec::new(),
            generation: 0,
            holding: 0,
            cost: 0,
            pnl: Pnl { unrealized: Some(0), ..Pnl::default() },
            fills: Vec::new(),
            stored: Vec::new(),
            placed: 0,
            canceled: 0,
            paused: false,
        }
    }

    fn level_price(&self, level: i32) -> Price {
        self.anchor.offset(i64::from(level) * self.interval.units()).unwrap()
    }

    fn step(&mut self, now: Time, noise: f64, turn: f64, seconds: f64) {
        let interval = self.interval.units() as f64 / 100.0;
        if turn < 0.01 * seconds {
            self.drift = (turn * 100.0 / seconds - 0.5) * 0.02;
        }
        let home = self.anchor.units() as f64 / 100.0;
        let pull = (home - self.price) / interval * 0.002;
        self.price += (noise * 0.45 * seconds.sqrt() + (self.drift + pull) * seconds) * interval;
        let price = self.instrument.price(self.price, Round::Nearest).unwrap();
        self.fill(now, price);
        self.want(now, price);
        let entry = self.entry();
        let mark = self.instrument.ref_price(price);
        self.pnl.unrealized = Some(i128::from(mark.units() - entry.units()) * i128::from(self.holding) / 1_000);
    }

    fn entry(&self) -> RefPrice {
        if self.holding == 0 {
            return RefPrice::from_units(0);
        }
        self.instrument.average(plimsoll_market::Notional::from_units(self.cost), Qty::from_units(self.holding.unsigned_abs()))
    }

    fn fill(&mut self, now: Time, price: Price) {
        let (done, left): (Vec<_>, Vec<_>) = self.orders.drain(..).partition(|order| match order.side {
            Side::Buy => price <= order.price,
            Side::Sell => price >= order.price,
        });
        self.orders = left;
        for order in done {
            let leg = order.id.leg();
            let notional = order.price * order.qty;
            let fee = self.instrument.fee(notional, self.instrument.maker_fee);
            let value = self.instrument.amount(notional, Round::Nearest).unwrap().units;
            let (mut realized, mut slot_realized) = (0, 0);
            match order.side {
                Side::Buy => {
                    self.holding += order.qty.units() as i64;
                    self.cost += notional.units();
                    self.slots.push(Slot { level: leg.index(), held: order.qty, cost: notional });
                }
                Side::Sell => {
                    let average = self.cost * i128::from(order.qty.units()) / i128::from(self.holding);
                    realized = value - average * 1_000;
                    self.cost -= average;
                    self.holding -= order.qty.units() as i64;
                    let at = self.slots.iter().position(|slot| slot.level == leg.index()).unwrap();
                    let slot = self.slots.remove(at);
                    slot_realized = value - self.instrument.amount(slot.cost, Round::Nearest).unwrap().units;
                }
            }
            self.pnl.realized += realized;
            self.pnl.round_trips += slot_realized;
            self.pnl.fees += fee.units;
            let number = self.fills.len() as u64 + 1;
            let order_id = OrderId(u128::from(order.id.generation()) + 4_000_000_000);
            let realized_amount = Amount::new(self.instrument.quote, realized);
            let fill = Fill {
                trade_id: TradeId(700_000_000 + number),
                order_id,
                id: Some(order.id),
                side: order.side,
                price: order.price,
                qty: order.qty,
                fee,
                realized: realized_amount,
                maker: true,
                time: now,
            };
            self.fills.push(Booked { fill, leg: Some(leg), realized, slot_realized });
            self.store(&order, order.qty, OrderStatus::Filled, now);
        }
    }

    fn store(&mut self, order: &OrderView, filled: Qty, status: OrderStatus, time: Time) {
        let order_id = Some(OrderId(u128::from(order.id.generation()) + 4_000_000_000));
        let OrderView { id, price, qty, .. } = *order;
        self.stored.push(Order { id, order_id, price, qty, filled, status, reduce_only: order.side == Side::Sell, time });
    }

    fn want(&mut self, now: Time, price: Price) {
        let here = (price.minus(self.anchor)).div_euclid(self.interval.units());
        let lowest = (here - WINDOW + 1).max(here - WINDOW);
        let withdrawn: Vec<OrderView> = self
            .orders
            .iter()
            .filter(|order| order.side == Side::Buy && (self.paused || i64::from(order.id.leg().index()) < lowest))
            .copied()
            .collect();
        for order in withdrawn {
            self.orders.retain(|other| other.id != order.id);
            self.canceled += 1;
            self.store(&order, Qty::ZERO, OrderStatus::Canceled, now);
        }
        for level in lowest..=here {
            let level = level as i32;
            let taken = self.slots.iter().any(|slot| slot.level == level)
                || self.orders.iter().any(|order| order.side == Side::Buy && order.id.leg().index() == level);
            let at = self.level_price(level);
            if !taken && !self.paused && at < price && self.slots.len() < HELD_MAX {
                self.place(now, level, Side::Buy, at);
            }
        }
        let held: Vec<i32> = self.slots.iter().map(|slot| slot.level).collect();
        for level in held {
            let selling = self.orders.iter().any(|order| order.side == Side::Sell && order.id.leg().index() == level);
            if !selling {
                let at = self.level_price(level + 1);
                self.place(now, level, Side::Sell, at);
            }
        }
    }

    fn place(&mut self, now: Time, level: i32, side: Side, price: Price) {
        self.generation += 1;
        self.placed += 1;
        let id = ClientId::new(Tag(7), 1_700_000_000, Leg::new(0, level).unwrap(), side, self.generation);
        self.orders.push(OrderView { id, side, price, qty: self.qty, filled: Qty::ZERO, state: "live", sent_at: now });
    }

    fn now(&self, now: Time) -> SymbolNow {
        let price = self.instrument.price(self.price, Round::Nearest).unwrap();
        let half = 5;
        let top = Top {
            bid: price.offset(-half).unwrap(),
            bid_qty: Qty::from_units(1_200),
            ask: price.offset(half).unwrap(),
            ask_qty: Qty::from_units(900),
            time: now,
        };
        let mark = self.instrument.ref_price(price);
        let status = Status {
            slots_cleaned: 3,
            fees_unconverted: 0,
            symbol: self.instrument.symbol,
            phase: Phase::Trading,
            closed: self.paused.then_some("paused by the operator"),
            lock: None,
            closing: false,
            drift: Holding::FLAT,
            healed_in: Duration::ZERO,
            taken_over: 0,
            late_fills: 0,
            top: Some(top),
            mark: Some(MarkPrice { mark, index: mark, funding: None, next_funding: Time::ZERO, time: now }),
            holding: Holding::from_units(self.holding),
            entry: self.entry(),
            pnl: self.pnl,
            anchor: Some(self.anchor),
            interval: self.interval,
            slots: self.slots().collect(),
            orders: self.orders.clone(),
            foreign_orders: 0,
            placed: self.placed,
            canceled: self.canceled,
            rejected: 0,
            fills: self.fills.len() as u64,
            time: now,
        };
        SymbolNow { instrument: self.instrument, status }
    }

    fn slots(&self) -> impl Iterator<Item = SlotView> {
        let held = self.slots.iter().map(|slot| SlotView {
            leg: Leg::new(0, slot.level).unwrap(),
            price: self.level_price(slot.level),
            held: slot.held,
            cost: slot.cost,
            order: self.orders.iter().find(|order| order.side == Side::Sell && order.id.leg().index() == slot.level).map(|order| order.id),
        });
        let buying = self.orders.iter().filter(|order| order.side == Side::Buy).map(|order| SlotView {
            leg: order.id.leg(),
            price: order.price,
            held: Qty::ZERO,
            cost: plimsoll_market::Notional::ZERO,
            order: Some(order.id),
        });
        held.chain(buying)
    }
}

impl Source for MadeUp {
    fn now(&self) -> Time {
        self.lock().now
    }

    fn system(&self) -> System {
        let world = self.lock();
        let net: i128 = world.markets.iter().map(|market| market.pnl.net()).sum();
        let link = |feed| LinkNow { feed, up: world.links_up };
        System {
            version: "0.1.0",
            exchange: "made-up market (example)".to_owned(),
            mode: Mode::Local,
            account: "example".to_owned(),
            started: world.started,
            equity: Some(Amount::new(Asset::new("USDT").unwrap(), 100_000 * 100_000_000 + net)),
            links: vec![link(Feed::Market), link(Feed::Account), link(Feed::Requests)],
            risk: None,
            hints: vec!["This market is made up by the example: nothing here is real.".to_owned()],
            stopping: world.stopping,
            on_stop: "cancel",
        }
    }

    fn symbols(&self) -> Vec<Arc<SymbolNow>> {
        let world = self.lock();
        world.markets.iter().map(|market| Arc::new(market.now(world.now))).collect()
    }

    fn symbol(&self, symbol: &Symbol) -> Option<Arc<SymbolNow>> {
        let world = self.lock();
        let market = world.markets.iter().find(|market| market.instrument.symbol == *symbol)?;
        Some(Arc::new(market.now(world.now)))
    }

    fn fills(&self, symbol: &Symbol) -> Vec<FillDto> {
        let world = self.lock();
        let market = world.markets.iter().find(|market| market.instrument.symbol == *symbol);
        market.map_or_else(Vec::new, |market| {
            market.fills.iter().rev().take(40).map(|booked| FillDto::new(booked, &market.instrument)).collect()
        })
    }

    fn metrics(&self) -> SystemMetrics {
        let world = self.lock();
        let wave = (world.now.millis() / 1_000 % 60) * 20_000;
        SystemMetrics {
            time: world.now,
            allocated_bytes: Some(14_200_000 + wave),
            active_bytes: Some(16_800_000 + wave),
            mapped_bytes: Some(24_100_000),
            retained_bytes: Some(6_300_000),
            rss_bytes: Some(27_400_000 + wave),
            rss_anon_bytes: Some(12_900_000 + wave),
            purges: 12,
            cleanups: 2,
            next_purge_bytes: Some(48_000_000),
            manager_cpu_share: Some(0.0004),
            cgroup_current_bytes: None,
            cgroup_max_bytes: None,
            memory_pressure: Some(0.0),
            pressure_rung: 0,
            pressure_word: "calm",
            memory_limit_bytes: Some(256_000_000),
            memory_limiter: Some("budget"),
            memory_used_ratio: Some(0.11),
            leak_suspects: Vec::new(),
            leak_slope_bytes_per_hour: Some(-1_200.0),
            cpu_cores: Some(0.031),
            open_files: Some(31),
            tasks: 24,
        }
    }

    fn health(&self) -> Health {
        let world = self.lock();
        let unready = if world.links_up { Vec::new() } else { vec!["the market feed is down".to_owned()] };
        Health { dead: Vec::new(), unready }
    }

    fn tasks(&self) -> Option<Vec<TaskStatus>> {
        let task = |name: &str, group, state, quiet_s, overdue| TaskStatus {
            name: TaskName::of(&name),
            group,
            owner: TaskName::of(&"app"),
            state,
            age: Duration::from_secs(600),
            beats: 120,
            quiet: Duration::from_secs(quiet_s),
            overdue,
            restarts: 1,
            last_failure: Some(ExitStatus::Failed(ExitText::of(&"socket closed"))),
            pause: None,
            future_bytes: 1_024,
        };
        Some(vec![
            task("engine/BTCUSDT", "symbols", TaskState::Running, 1, false),
            task("download", "app", TaskState::Ended(ExitStatus::Finished), 300, false),
            task("gateway/market", "gateway", TaskState::Running, 90, true),
        ])
    }

    fn pool(&self) -> Option<PoolDto> {
        let held = HeldDto { holder: "storage.read_equity".to_owned(), held_ms: 31_000, too_long: true };
        Some(PoolDto {
            max: 3,
            size: 2,
            in_use: 1,
            idle: 1,
            acquires: 4_711,
            wait_total_ms: 12,
            wait_max_ms: 3,
            held: vec![held],
            held_too_long: 1,
            healthy: Some(true),
            checked_ago_ms: Some(42_000),
            check_took_ms: Some(1),
            ..PoolDto::default()
        })
    }

    fn channels(&self) -> Option<Vec<ChannelDto>> {
        let log = ChannelDto { name: "log".to_owned(), kind: "log".to_owned(), up: true, sent: 17, ..ChannelDto::default() };
        let desk = ChannelDto { name: "desk".to_owned(), kind: "telegram".to_owned(), queued: 2, failed: 5, retried: 4, ..log.clone() };
        let last_error = Some("the service answered 429".to_owned());
        Some(vec![log, ChannelDto { up: false, last_error, last_error_ms: Some(self.lock().now.millis()), ..desk }])
    }

    fn prometheus(&self) -> String {
        "# TYPE plimsoll_made_up gauge\nplimsoll_made_up 1\n".to_owned()
    }
}

/// Rows newest first; the cursor is the number of older rows.
fn page<T, U>(rows: &[T], request: PageRequest, write: impl Fn(&T) -> U) -> Result<Page<U>, HistoryError> {
    let until = match request.before {
        Some(before) => before.parse::<u64>().map_err(|_| HistoryError::Refused { reason: format!("cursor {before} is not ours") })?,
        None => u64::MAX,
    };
    let until = rows.len().min(usize::try_from(until).unwrap_or(usize::MAX));
    let from = until.saturating_sub(request.limit);
    let next = (from > 0).then(|| plimsoll_web::Cursor::from(&from.to_string()).unwrap());
    Ok(Page { items: rows[from..until].iter().rev().map(write).collect(), next })
}

#[async_trait]
impl History for MadeUp {
    async fn orders(&self, symbol: &Symbol, request: PageRequest) -> Result<Page<OrderDto>, HistoryError> {
        let world = self.lock();
        let market = world.markets.iter().find(|market| market.instrument.symbol == *symbol);
        let market = market.ok_or_else(|| HistoryError::Refused { reason: "no such symbol".to_owned() })?;
        page(&market.stored, request, |order| OrderDto::new(order, &market.instrument))
    }

    async fn fills(&self, symbol: &Symbol, request: PageRequest) -> Result<Page<FillDto>, HistoryError> {
        let world = self.lock();
        let market = world.markets.iter().find(|market| market.instrument.symbol == *symbol);
        let market = market.ok_or_else(|| HistoryError::Refused { reason: "no such symbol".to_owned() })?;
        page(&market.fills, request, |booked| FillDto::new(booked, &market.instrument))
    }

    async fn funding(&self, symbol: &Symbol, request: PageRequest) -> Result<Page<FundingDto>, HistoryError> {
        // Three times a day, of ten days.
        let last = self.now().millis() / (DAY_MS / 3);
        let payment = |at: &u64| FundingDto {
            time_ms: at * (DAY_MS / 3),
            symbol: symbol.to_string(),
            amount: MoneyDto { asset: "USDT".to_owned(), amount: money(1_000_000 * (at % 7) as i128 - 3_000_000) },
        };
        page(&(last - 29..=last).collect::<Vec<_>>(), request, payment)
    }

    async fn pnl_daily(&self, symbol: Option<&Symbol>, range: DaysRange) -> Result<Vec<PnlDayDto>, HistoryError> {
        let symbols = if symbol.is_some() { 1 } else { self.lock().markets.len() as i128 };
        let (first, last) = (range.from.millis() / DAY_MS, range.to.millis().div_ceil(DAY_MS));
        let day = |day: u64| {
            let realized = symbols * 100_000_000 * ((day * 37 % 101) as i128 - 25);
            let (fees, funding) = (symbols * 210_000_000, symbols * -40_000_000);
            PnlDayDto {
                day_ms: day * DAY_MS,
                asset: "USDT".to_owned(),
                net: money(realized - fees + funding),
                realized: money(realized),
                slot_realized: money(realized.max(0)),
                fees: money(fees),
                funding: money(funding),
                turnover: money(fees * 5_000),
                fills: 120 * symbols as u64,
                wins: 50 * symbols as u64,
                losses: 4,
                other_fees: 0,
            }
        };
        Ok((first..last).map(day).collect())
    }

    async fn events(&self, request: PageRequest) -> Result<Page<EventDto>, HistoryError> {
        page(&self.lock().events, request, EventDto::clone)
    }

    async fn logs(&self, wanted: LogsWanted) -> Result<Page<LogDto>, HistoryError> {
        // A line a minute; the levels take turns.
        let minutes = wanted.from.millis().div_ceil(MINUTE_MS)..wanted.to.millis().div_ceil(MINUTE_MS);
        let lines = minutes.map(|minute| (minute, LogLevel::ALL[minute as usize % 5]));
        let fits = lines.filter(|(_, level)| *level >= wanted.level).map(|(minute, level)| line(minute, level));
        let lines: Vec<LogDto> = fits.filter(|line| line.text.contains(&wanted.contains)).collect();
        page(&lines, wanted.page, LogDto::clone)
    }

    async fn equity(&self, range: EquityRange) -> Result<EquityLine, HistoryError> {
        let world = self.lock();
        let inside: Vec<_> = world.equity.iter().filter(|(time, _)| (range.since..=range.until).contains(time)).collect();
        let every = inside.len().div_ceil(range.points).max(1);
        let points = inside.iter().step_by(every).map(|(time, net)| EquityPointDto::new(*time, Some(100_000 * 100_000_000 + net), *net));
        Ok(EquityLine { asset: "USDT".to_owned(), points: points.collect() })
    }

    async fn system(&self, range: SystemRange) -> Result<Vec<SystemPointDto>, HistoryError> {
        let (first, last) = (range.from.millis().div_ceil(MINUTE_MS), range.to.millis().div_ceil(MINUTE_MS));
        let every = (last - first).div_ceil(range.points as u64).max(1);
        Ok((first..last).step_by(every as usize).map(|minute| minute_of(minute * MINUTE_MS)).collect())
    }

    async fn system_daily(&self, range: DaysRange) -> Result<Vec<SystemDayDto>, HistoryError> {
        let (first, last) = (range.from.millis() / DAY_MS, range.to.millis().div_ceil(DAY_MS));
        Ok((first..last).map(day_of).collect())
    }
}

/// The line of a minute.
fn line(minute: u64, level: LogLevel) -> LogDto {
    LogDto {
        time_ms: minute * MINUTE_MS,
        level: level.as_str().to_owned(),
        target: "plimsoll_made_up".to_owned(),
        text: format!("order refused \"50 %\" minute={minute}"),
        account: Some("main".to_owned()),
        symbol: minute.is_multiple_of(2).then(|| "BTCUSDT".to_owned()),
    }
}

impl LogFeed for MadeUp {
    fn listen(&self) -> Option<Box<dyn LogListener>> {
        Some(Box::new(Listener(self.log.subscribe())))
    }
}

struct Listener(Subscriber<LogDto>);

#[async_trait]
impl LogListener for Listener {
    async fn next(&mut self) -> LogNews {
        match self.0.recv().await {
            Ok(received) => {
                let level = LogLevel::parse(&received.item.level).unwrap();
                LogNews::Line { line: received.item, level, missed: received.missed }
            }
            Err(Ended::Replaced) => LogNews::Replaced,
            Err(Ended::Closed) => LogNews::Ended,
        }
    }
}

/// Milliseconds of a minute and of a day.
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

fn minute_of(time_ms: u64) -> SystemPointDto {
    let wave = time_ms / MINUTE_MS % 60 * 20_000;
    SystemPointDto {
        time_ms,
        cpu_cores: Some(0.031),
        rss_bytes: Some(27_400_000 + wave),
        allocated_bytes: Some(14_200_000 + wave),
        tasks: Some(24),
        threads: Some(5),
        pressure_rung: Some(0),
        ..SystemPointDto::default()
    }
}

fn day_of(day: u64) -> SystemDayDto {
    let spread = |min: u64| Some(SpreadDto { min, avg: min + 590_000, max: min + 1_180_000 });
    SystemDayDto {
        day_ms: day * DAY_MS,
        samples: 1_440,
        rss_bytes: spread(27_400_000),
        cpu_cores: Some(SpreadDto { min: 0.01, avg: 0.031, max: 0.2 }),
        tasks: None,
        allocated_bytes: spread(14_200_000),
    }
}

#[async_trait]
impl Profiler for MadeUp {
    async fn heap(&self) -> Result<Vec<u8>, ProfileRefused> {
        Ok(b"a made-up heap profile".to_vec())
    }

    async fn cpu(&self, duration: Duration) -> Result<Vec<u8>, ProfileRefused> {
        tokio::time::sleep(duration).await;
        Ok(format!("a made-up profile of {} s", duration.as_secs()).into_bytes())
    }
}

#[async_trait]
impl Control for MadeUp {
    async fn command(&self, symbol: Option<Symbol>, verb: Verb) -> Result<Taken, ControlError> {
        let mut world = self.lock();
        world.commands.push((symbol, verb));
        let mut symbols = Vec::new();
        for market in &mut world.markets {
            if symbol.is_none_or(|symbol| symbol == market.instrument.symbol) {
                match verb {
                    Verb::Pause | Verb::Drain => market.paused = true,
                    Verb::Resume => market.paused = false,
                    Verb::Rearm | Verb::CancelAll | Verb::Flatten | Verb::CleanupSlots | Verb::Resync | Verb::Stop | Verb::Restart => {}
                }
                symbols.push(market.instrument.symbol);
            }
        }
        Ok(Taken { symbols, detail: format!("{} was noted by the made-up market", verb.as_str()) })
    }
}
