//! The loop of a backtest: tells history to a market, and what comes of it to an engine and its account.
//!
//! Time is the tape's. What has the same time is one message: the top is looked at, and told to the engine, when the message is
//! over, as the live loop looks at the last of several tops. Of a candle the engine is told four prices in the course of its
//! time (open, the extreme against its direction, the other one, close) and the candle itself when it is over: nothing is known
//! before it has happened.

mod candles;

use crate::latency::Latency;
use crate::limits::{FIGURES_EVERY, IN_FLIGHT_MAX, RECENT_FILLS_MAX, SAMPLE_EVERY};
use crate::tape::Tick;
use arrayvec::ArrayVec;
use candles::{Course, Pace, QUIET_CANDLES};
use core::time::Duration;
use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use plimsoll_engine::{Account, AccountAction, AccountConfig, AccountInput, Boot, Engine, EngineConfig, EngineError, Shell, turn};
use plimsoll_market::limits::FILL_PAGE_MAX;
use plimsoll_market::{
    AccountEvent, Action, Actions, Balance, Bps, CandleBuilder, Event, Feed, Fill, FillPage, Lease, Link, Notional, Phase, Place,
    PositionReport, PositionSide, Price, Qty, Record, RefPrice, Request, Side, Snapshot, Time, Trade, TradeId,
};
use plimsoll_sim::solo::{Solo, SoloConfig, Told};
use plimsoll_strategy::Strategy;
use thiserror::Error;

/// What a backtest is made of.
pub struct Setup {
    /// The engine's settings.
    pub engine: EngineConfig,
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// The account's rules.
    pub account: AccountConfig,
    /// Contract, money, margin and queues.
    pub market: SoloConfig,
    /// How long orders and answers travel.
    pub latency: Latency,
    /// Length of the data's candles in seconds; zero without candles.
    pub candle_secs: u32,
    /// Funding for data that tell none.
    pub funding: Option<FundingPlan>,
}

/// Funding at a constant rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FundingPlan {
    /// The rate; positive is paid by the long side.
    pub rate: Bps,
    /// How often, counted from midnight UTC.
    pub every: Duration,
}

/// How the account stands at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When.
    pub time: Time,
    /// Price that values the position, 1e-8.
    pub price: RefPrice,
    /// Wallet and unrealised profit, units of 1e-8 of the quote asset.
    pub equity: i128,
    /// The wallet alone.
    pub wallet: i128,
    /// Signed value of the position.
    pub notional: i128,
    /// Signed size of the position.
    pub holding: i64,
    /// Price at which it would be liquidated, 1e-8; zero when there is none.
    pub liquidation: RefPrice,
}

/// Who watches a backtest.
pub trait Observer {
    /// The engine asks for something; orders are `Place` and `Cancel`.
    fn asked(&mut self, now: Time, action: &Action);

    /// Something was booked.
    fn booked(&mut self, now: Time, record: &Record);

    /// The exchange closed the position by force.
    fn liquidated(&mut self, now: Time);

    /// A look at the account: in ticks once a second, of candles at each of the four prices.
    fn sample(&mut self, sample: &Sample);
}

/// Nobody watches.
impl Observer for () {
    fn asked(&mut self, _: Time, _: &Action) {}
    fn booked(&mut self, _: Time, _: &Record) {}
    fn liquidated(&mut self, _: Time) {}
    fn sample(&mut self, _: &Sample) {}
}

/// Why a backtest cannot go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// More was under way than fits: the latency is longer than the pace of orders.
    #[error("more than {IN_FLIGHT_MAX} orders and answers were under way at {at:?}; the latency is too long for so many orders")]
    InFlight {
        /// When.
        at: Time,
    },
    /// More was executed while the engine asked than is kept.
    #[error("the engine asked at {at:?} for executions that are no longer kept")]
    Forgotten {
        /// When.
        at: Time,
    },
    /// The engine cannot be built.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What arrives at our end.
enum Arrival {
    Engine(Event),
    Account(AccountEvent),
}

/// The ways between engine and exchange.
struct Wires {
    latency: Latency,
    orders: Ring<(Time, Time, Action)>,
    answers: Ring<(Time, Arrival)>,
    /// Nothing overtakes what was sent before.
    orders_free: Time,
    answers_free: Time,
    recent: Ring<Fill>,
    balance: Balance,
    alerts: u64,
    liquidated: Option<Time>,
    broken: Option<RunError>,
}

/// A backtest that is under way.
///
/// # Bounds
/// Fixed: the engine, the market, and [`IN_FLIGHT_MAX`] orders and answers. What is watched is the observer's matter.
pub struct Run<O: Observer> {
    solo: Solo,
    engine: Engine,
    /// Whether the strategy goes by candles.
    takes_candles: bool,
    account: Account,
    actions: Box<Actions>,
    wires: Wires,
    now: Time,
    /// The earliest of all that is to be done next.
    due: Time,
    wake: Option<Time>,
    /// Tops have passed the engine by since `wake` was asked for: it may be later now.
    passed: bool,
    /// What the books alone wait for.
    books_at: Option<Time>,
    account_at: Time,
    figures_at: Time,
    sample_at: Time,
    funding: Option<(FundingPlan, Time)>,
    candles: Pace,
    builder: CandleBuilder,
    lent: Option<Lease>,
    /// Version of a state that was just put on disk.
    committed: Option<u64>,
    /// Candles since the account was told its figures.
    quiet: u32,
    events: u64,
    begun: bool,
    funded: bool,
    watched: O,
}

const NEVER: Time = Time::from_nanos(u64::MAX);

fn ring<T>(name: &str, capacity: usize) -> Ring<T> {
    Ring::new(Grant::detached(Line::of::<T>(name, capacity, WhenFull::Refuse, Class::MustKeep)))
}

impl Wires {
    fn break_off(&mut self, error: RunError) {
        self.broken.get_or_insert(error);
    }

    fn send(&mut self, now: Time, action: Action) {
        let (way, _) = self.latency.ways(now);
        let at = (now + way).max(self.orders_free);
        self.orders_free = at;
        if self.orders.push((at, now, action)).is_err() {
            self.break_off(RunError::InFlight { at: now });
        }
    }

    fn answer(&mut self, now: Time, arrival: Arrival) {
        let (_, way) = self.latency.ways(now);
        let at = (now + way).max(self.answers_free);
        self.answers_free = at;
        if self.answers.push((at, arrival)).is_err() {
            self.break_off(RunError::InFlight { at: now });
        }
    }

    fn told(&mut self, now: Time, told: Told) {
        match told {
            Told::Order(report) => {
                if let Some(fill) = report.fill {
                    self.recent.roll(fill);
                }
                self.answer(now, Arrival::Engine(Event::Order(Box::new(report))));
            }
            Told::Wallet(wallet) => {
                self.balance = Balance { wallet, time: now, ..self.balance };
                self.answer(now, Arrival::Account(AccountEvent::Balance(self.balance)));
            }
            Told::Funding(payment) => self.answer(now, Arrival::Engine(Event::Funding(Box::new(payment)))),
            Told::MarginCall => self.answer(now, Arrival::Account(AccountEvent::MarginCall)),
            Told::Liquidated => self.liquidated = Some(now),
        }
    }
}

impl<O: Observer> Run<O> {
    /// Puts a backtest together; nothing has happened yet.
    ///
    /// # Errors
    /// An engine that cannot be built.
    pub fn new(setup: Setup, watched: O) -> Result<Self, RunError> {
        let Setup { engine, strategy, account, market, latency, candle_secs, funding } = setup;
        let takes_candles = strategy.takes_candles();
        let (instrument, wallet) = (market.instrument, market.wallet);
        let quote = instrument.quote;
        let mut engine = engine;
        let length = Duration::from_secs(u64::from(candle_secs));
        // Four prices a candle: silence between them is how candles come, and no reason to withdraw anything.
        engine.gate.stale_after = engine.gate.stale_after.max(length * 2);
        let candles = if candle_secs == 0 { Pace::Ticks } else { Pace::Candles(Course::new(length)) };
        let wires = Wires {
            latency,
            orders: ring("backtest.orders", IN_FLIGHT_MAX),
            answers: ring("backtest.answers", IN_FLIGHT_MAX),
            orders_free: Time::ZERO,
            answers_free: Time::ZERO,
            recent: Ring::new(Grant::detached(Line::of::<Fill>(
                "backtest.fills",
                RECENT_FILLS_MAX,
                WhenFull::DropOldest,
                Class::LatestWins,
            ))),
            balance: Balance { asset: quote, wallet, available: None, time: Time::ZERO },
            alerts: 0,
            liquidated: None,
            broken: None,
        };
        Ok(Self {
            solo: Solo::new(market),
            engine: Engine::new(instrument, engine, strategy, &Boot::default())?,
            takes_candles,
            account: Account::new(account, 1, 0, None, Time::ZERO),
            actions: Box::default(),
            wires,
            now: Time::ZERO,
            due: Time::ZERO,
            wake: None,
            passed: false,
            books_at: None,
            account_at: Time::ZERO,
            figures_at: Time::ZERO,
            sample_at: Time::ZERO,
            funding: funding.map(|plan| (plan, Time::ZERO)),
            candles,
            builder: CandleBuilder::new(Duration::from_secs(60)),
            lent: None,
            committed: None,
            quiet: QUIET_CANDLES,
            events: 0,
            begun: false,
            funded: false,
            watched,
        })
    }

    /// The exchange's side: what is really held.
    pub const fn market(&self) -> &Solo {
        &self.solo
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who watches.
    pub const fn observer(&self) -> &O {
        &self.watched
    }

    /// Ends it and gives back who watched.
    pub fn into_observer(self) -> O {
        self.watched
    }

    /// Events told so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Alerts of the engine and the account so far.
    pub const fn alerts(&self) -> u64 {
        self.wires.alerts
    }

    /// The time that it has reached.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Tells what happened next.
    ///
    /// # Errors
    /// Why it cannot go on; nothing more may be told then.
    #[inline]
    pub fn feed(&mut self, time: Time, tick: &Tick) -> Result<(), RunError> {
        if time != self.now {
            self.turn_to(time)?;
        }
        self.events += 1;
        match *tick {
            Tick::Level { side, price, qty } => self.solo.level(side, price, qty),
            Tick::Trade { taker, price, qty } => self.trade(price, qty, taker),
            Tick::Top { bid, ask } => self.solo.ticker(bid, ask),
            Tick::Mark(mark) => self.mark(mark),
            Tick::Funding(rate) => {
                self.funded = true;
                self.fund(rate);
            }
            Tick::Candle(bar) => self.candle(time, bar),
            Tick::Reset => self.solo.forget(),
        }
        Ok(())
    }

    /// Learns of the book as it stood before the beginning: nobody is told, nothing is traded, no time passes.
    ///
    /// For a run that begins in the middle of a tape; once something was [fed](Run::feed) it does nothing.
    pub fn learn_book(&mut self, tick: &Tick) {
        if self.begun {
            return;
        }
        match *tick {
            Tick::Level { side, price, qty } => self.solo.level(side, price, qty),
            Tick::Top { bid, ask } => self.solo.ticker(bid, ask),
            Tick::Reset => self.solo.forget(),
            Tick::Trade { .. } | Tick::Mark(_) | Tick::Funding(_) | Tick::Candle(_) => {}
        }
    }

    /// The message is over, and time goes on to the next one.
    #[inline]
    fn turn_to(&mut self, time: Time) -> Result<(), RunError> {
        if !self.begun {
            self.begin(time);
        }
        if matches!(self.candles, Pace::Candles(_)) {
            self.walk(time);
        }
        self.end_message();
        if time >= self.due {
            self.advance(time);
        }
        self.now = self.now.max(time);
        match self.wires.broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn begin(&mut self, time: Time) {
        self.begun = true;
        self.now = time;
        self.sample_at = time;
        self.figures_at = time;
        self.wires.balance.time = time;
        if let Some((plan, at)) = &mut self.funding {
            let every = plan.every.as_nanos().max(1) as u64;
            *at = Time::from_nanos((time.nanos() / every + 1) * every);
        }
        self.input(&AccountInput::Event(AccountEvent::Balance(self.wires.balance)));
        for feed in [Feed::Requests, Feed::Market, Feed::Account] {
            self.tell(&Event::Link(Link { feed, up: true }));
        }
    }

    #[inline]
    fn end_message(&mut self) {
        let (now, wires) = (self.now, &mut self.wires);
        let before = wires.answers.len();
        let top = self.solo.settle(now, &mut |told| wires.told(now, told));
        if self.wires.answers.len() != before {
            self.plan();
        }
        if let Some(top) = top {
            if self.engine.pass(now, &[top]) {
                self.passed = true;
            } else {
                self.tell(&Event::Top(top));
            }
        }
    }

    fn trade(&mut self, price: Price, qty: Qty, taker: Side) {
        let (now, wires) = (self.now, &mut self.wires);
        let before = wires.answers.len();
        self.solo.trade(now, price, qty, taker, &mut |told| wires.told(now, told));
        if self.wires.answers.len() != before {
            self.plan();
        }
        // A number of our own: the tape keeps none, and nothing depends on it but that it grows.
        let trade = Trade { id: TradeId(self.events), price, qty, taker, time: now };
        self.tell(&Event::Trade(trade));
        if self.takes_candles
            && let Some(candle) = self.builder.push(&trade)
        {
            self.tell(&Event::Candle(Box::new(candle)));
        }
    }

    fn mark(&mut self, mark: RefPrice) {
        let (now, wires) = (self.now, &mut self.wires);
        self.solo.mark(now, mark, &mut |told| wires.told(now, told));
        let told = plimsoll_market::MarkPrice { mark, index: mark, funding: None, next_funding: Time::ZERO, time: now };
        self.tell(&Event::Mark(told));
    }

    fn fund(&mut self, rate: Bps) {
        let (now, wires) = (self.now, &mut self.wires);
        self.solo.fund(now, rate, &mut |told| wires.told(now, told));
        self.plan();
    }

    /// Everything that is due until then happens in its order.
    #[cold]
    fn advance(&mut self, until: Time) {
        if core::mem::take(&mut self.passed) {
            self.note_wake();
        }
        // bounded: each turn does one thing that was due, and none of them is due again at once for ever.
        loop {
            let order = self.wires.orders.first().map_or(NEVER, |(at, _, _)| *at);
            let answer = self.wires.answers.first().map_or(NEVER, |(at, _)| *at);
            let wake = self.wake.unwrap_or(NEVER);
            let funding = self.funding.filter(|_| !self.funded).map_or(NEVER, |(_, at)| at);
            let ticks = matches!(self.candles, Pace::Ticks);
            let account = if ticks { self.account_at } else { NEVER };
            let (figures, sample) = if ticks { (self.figures_at, self.sample_at) } else { (NEVER, NEVER) };
            let next = order.min(answer).min(wake).min(funding).min(account).min(figures).min(sample);
            self.due = next;
            if next > until || self.wires.broken.is_some() {
                return;
            }
            self.now = self.now.max(next);
            if order == next {
                if let Some((_, asked_at, action)) = self.wires.orders.pop_front() {
                    self.at_exchange(action, asked_at);
                }
            } else if answer == next {
                match self.wires.answers.pop_front() {
                    Some((_, Arrival::Engine(event))) => self.tell(&event),
                    Some((_, Arrival::Account(event))) => self.input(&AccountInput::Event(event)),
                    None => {}
                }
            } else if funding == next {
                if let Some((plan, at)) = &mut self.funding {
                    *at = *at + plan.every;
                    let rate = plan.rate;
                    self.fund(rate);
                }
            } else if account == next {
                self.input(&AccountInput::Wake);
            } else if figures == next {
                self.figures_at = self.now + FIGURES_EVERY;
                self.figures();
            } else if sample == next {
                self.sample_at = self.now + SAMPLE_EVERY;
                self.sample();
            } else {
                self.wake = None;
                self.tell(&Event::Wake);
            }
        }
    }

    fn note_wake(&mut self) {
        self.wake = Time::earliest(self.books_at, self.engine.wake_beside_books());
    }

    /// Looks again when something is due first.
    fn plan(&mut self) {
        let order = self.wires.orders.first().map_or(NEVER, |(at, _, _)| *at);
        let answer = self.wires.answers.first().map_or(NEVER, |(at, _)| *at);
        self.due = self.due.min(order).min(answer).min(self.wake.unwrap_or(NEVER));
    }

    /// Tells the engine, and what comes of it at once.
    #[inline]
    fn tell(&mut self, event: &Event) {
        turn(self, event);
    }

    fn figures(&mut self) {
        let totals = self.engine.position().view(self.now).totals;
        let booked = totals.realized - totals.fees - totals.other_fees + totals.funding;
        let unrealized = self.engine.position().unrealized();
        self.input(&AccountInput::Figures { symbol: 0, unrealized, booked });
    }

    fn input(&mut self, input: &AccountInput) {
        let mut leases: ArrayVec<Lease, 2> = ArrayVec::new();
        let alerts = &mut self.wires.alerts;
        self.account.on_input(self.now, input, |action| match action {
            AccountAction::Lease { lease, .. } => {
                // One symbol: a later lease replaces an earlier one.
                leases.clear();
                leases.push(lease);
            }
            AccountAction::Alert(_) => *alerts += 1,
            AccountAction::Commit(_) => {}
        });
        if matches!(self.candles, Pace::Ticks) {
            self.account_at = self.account.wake_at();
            self.due = self.due.min(self.account_at);
        }
        if let Some(lease) = leases.pop() {
            self.lend(lease);
        }
    }

    fn lend(&mut self, lease: Lease) {
        let lease = match &self.candles {
            Pace::Ticks => lease,
            // Prices come minutes or hours apart; what is lent is lent until the account says otherwise, and it is asked at every candle.
            Pace::Candles(course) => Lease { until: self.now + course.length * 1_000, ..lease },
        };
        let same = self.lent.is_some_and(|lent| {
            (lent.exposure_max, lent.orders_per_10s, lent.demand) == (lease.exposure_max, lease.orders_per_10s, lease.demand)
        });
        if let (Pace::Candles(course), Some(lent), true) = (&self.candles, self.lent, same)
            && lent.until > self.now + course.length * 100
        {
            return;
        }
        self.lent = Some(lease);
        self.tell(&Event::Lease(lease));
    }

    fn sample(&mut self) {
        let price = self.solo.valuation();
        // Before the first price there is nothing to look at.
        if price == RefPrice::ZERO {
            return;
        }
        if let Some(at) = self.wires.liquidated.take() {
            self.watched.liquidated(at);
        }
        self.watched.sample(&sample_of(&self.solo, self.now, price));
    }

    /// What the engine sent has arrived.
    fn at_exchange(&mut self, action: Action, asked_at: Time) {
        let (now, wires) = (self.now, &mut self.wires);
        let answer = match action {
            Action::Place(place) => self.place(&place),
            Action::Cancel(cancel) => match self.solo.cancel(now, cancel.id, &mut |told| wires.told(now, told)) {
                Ok(report) => Event::Order(Box::new(report)),
                Err(reason) => Event::CancelFailed { id: cancel.id, reason },
            },
            Action::Query { id } => match self.solo.find(id) {
                Some(report) => Event::Order(Box::new(report)),
                None => Event::NotFound { id },
            },
            Action::Resync { after } => {
                self.resync(after, asked_at);
                return;
            }
            Action::Commit(_) | Action::Record(_) | Action::Alert(_) | Action::Countdown { .. } | Action::History => return,
        };
        self.wires.answer(now, Arrival::Engine(answer));
    }

    fn place(&mut self, place: &Place) -> Event {
        let (now, wires) = (self.now, &mut self.wires);
        match self.solo.place(now, place, &mut |told| wires.told(now, told)) {
            Ok(report) => Event::Order(Box::new(report)),
            Err(reason) => Event::Rejected { id: place.id, request: Request::Place, reason },
        }
    }

    /// Answers with what was executed after an id, then with position and open orders.
    fn resync(&mut self, after: Option<TradeId>, asked_at: Time) {
        let now = self.now;
        let page =
            |fills: Vec<Fill>, baseline, last| Arrival::Engine(Event::Fills(Box::new(FillPage { fills, baseline, last, asked_at: now })));
        match after {
            None => {
                let baseline = Some(TradeId(self.solo.last_trade_id()));
                self.wires.answer(now, page(Vec::new(), baseline, true));
            }
            Some(after) => {
                let fills: Vec<Fill> = self.wires.recent.iter().filter(|fill| fill.trade_id > after).copied().collect();
                let first = fills.first().map_or(self.solo.last_trade_id() + 1, |fill| fill.trade_id.0);
                if first > after.0 + 1 {
                    self.wires.break_off(RunError::Forgotten { at: now });
                }
                let pages = fills.len().div_ceil(FILL_PAGE_MAX).max(1);
                for at in 0..pages {
                    let fills = fills.iter().skip(at * FILL_PAGE_MAX).take(FILL_PAGE_MAX).copied().collect();
                    self.wires.answer(now, page(fills, None, at + 1 == pages));
                }
            }
        }
        let holding = self.solo.holding();
        let cost = self.solo.cost();
        let instrument = self.solo.instrument();
        let position = PositionReport {
            side: PositionSide::Both,
            holding,
            entry: instrument.average(if cost < Notional::ZERO { -cost } else { cost }, holding.qty()),
            liquidation: self.solo.liquidation_price(),
            leverage: self.solo.leverage(),
        };
        let snapshot = Snapshot { asked_at, position, open: self.solo.open().collect() };
        self.wires.answer(now, Arrival::Engine(Event::Snapshot(Box::new(snapshot))));
    }

    /// The data are over: what is under way still arrives, and the account is looked at a last time.
    ///
    /// # Errors
    /// As [`Run::feed`].
    pub fn finish(&mut self) -> Result<(), RunError> {
        self.finish_candle();
        self.end_message();
        let last = self.now;
        self.sample();
        self.now = last;
        match self.wires.broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether the engine has begun to trade.
    pub fn is_trading(&self) -> bool {
        self.engine.phase() == Phase::Trading
    }
}

/// What the account is worth at a price.
#[inline]
fn sample_of(solo: &Solo, time: Time, price: RefPrice) -> Sample {
    let (wallet, holding) = (solo.wallet(), solo.holding().units());
    let mut sample = Sample { time, price, equity: wallet, wallet, notional: 0, holding, liquidation: RefPrice::ZERO };
    if holding != 0 {
        let (unrealized, notional) = solo.worth_at(price);
        sample.equity += unrealized;
        sample.notional = notional;
        sample.liquidation = solo.near_liquidation();
    }
    sample
}

impl<O: Observer> Shell for Run<O> {
    #[inline]
    fn step(&mut self, event: &Event) {
        let Self { engine, actions, wires, watched, now, .. } = self;
        engine.on_event(*now, event, actions);
        let of_market = matches!(event, Event::Top(_) | Event::Trade(_) | Event::Mark(_) | Event::Candle(_));
        let acted = !actions.is_empty();
        if acted {
            for action in actions.drain() {
                watched.asked(*now, &action);
                match action {
                    Action::Place(_) | Action::Cancel(_) | Action::Query { .. } | Action::Resync { .. } => wires.send(*now, action),
                    // Our own disk answers at once, as far as the exchange is concerned.
                    Action::Commit(state) => self.committed = Some(state.version),
                    Action::Record(record) => watched.booked(*now, &record),
                    Action::Alert(_) => wires.alerts += 1,
                    Action::Countdown { .. } | Action::History => {}
                }
            }
        }
        if acted || !of_market {
            self.books_at = self.engine.position().wake_at();
        }
        self.note_wake();
        self.plan();
    }

    fn next_echo(&mut self) -> Option<Event> {
        self.committed.take().map(|version| Event::Committed { version })
    }
}
