//! One world: the venue, the network, the bot and its disk, moved from one happening to the next.

mod bot_side;
mod mischief;
mod network_side;

use crate::bot::{Bot, KEY, RECV_WINDOW, SECRET, ToSession, Wire, Work, engine, symbols};
use crate::check::{ACCOUNT, Compare, books, legs, ours_open};
use crate::disk::Disk;
use crate::limits::{HANDS_MAX, STEPS_AT_ONCE, TRACE_LINES};
use crate::network::{Fate, mangle};
use crate::options::{Fault, Options};
use crate::seat::{Moment, Seat};
use core::time::Duration;
use plimsoll_engine::{AccountAction, AccountInput};
use plimsoll_exchange::session::{Closed, ConnId, HttpRequest, Input, Output, Reply, Sent, Used};
use plimsoll_market::{
    AccountEvent, Action, Alert, AlertCode, ClientId, Command, Event, Feed, Leg, Link, OrderStatus, OrderType, Phase, Price, Qty, Severity,
    Side, StopMode, Symbol, Tag, Time,
};
use plimsoll_position::SyncState;
use plimsoll_position::invariants::{self, Broken, Invariant};
use plimsoll_sim::venue::{ClientText, NewOrder, OrderRef, SelfTrade, Tif};
use plimsoll_testnet::counter::{Answer, Brought, Counter, CounterConfig};
use plimsoll_testnet::{AccountConfig, Listing, RateLimits, TestnetConfig};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often the world itself looks whether something goes wrong, and checks what must hold.
const SECOND: Duration = Duration::from_secs(1);
/// How often the exchange pings its streams.
const PING_EVERY: u64 = 20;

/// Something on its way.
enum Later {
    /// A request reaches the exchange.
    Arrive {
        run: u64,
        request: Box<HttpRequest>,
        fate: Fate,
        sent_at: Time,
    },
    /// Something reaches the bot.
    Session(u64, ToSession),
    /// A message of a connection reaches the bot.
    Frame {
        run: u64,
        conn: ConnId,
        generation: u64,
        text: String,
    },
    /// The end of a connection reaches the bot.
    Hung {
        run: u64,
        conn: ConnId,
        generation: u64,
        why: Closed,
    },
    /// A connection is asked for at the exchange.
    Dial {
        run: u64,
        conn: ConnId,
        generation: u64,
        target: String,
    },
    /// State is on disk.
    Committed {
        run: u64,
        symbol: usize,
        version: u64,
    },
    /// The bot starts, or begins its boot again.
    Start,
    Boot(u64),
    /// The world looks around.
    Second,
    /// Something that lasted is over.
    Over(Fault),
    /// An operator has finished with a symbol.
    Resume(usize),
}

/// How a world ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was found broken.
    pub broken: Option<Broken>,
    /// Steps taken.
    pub events: u64,
    /// Made-up time that passed.
    pub passed: Duration,
    /// Executions of the account.
    pub fills: u64,
    /// Times the process was killed.
    pub crashes: u64,
    /// How often each fault happened.
    pub faults: [u64; Fault::ALL.len()],
    /// A mark of everything that happened: the same for the same seed.
    pub digest: u64,
    /// What happened last, where it was asked for.
    pub trace: Vec<String>, // tidy: bounded by TRACE_LINES
}

/// A world.
pub(crate) struct World {
    options: Options,
    random: Pcg64Mcg,
    now: Time,
    begun: Time,
    /// How far the exchange's clock is ahead of ours.
    ahead: Duration,
    counter: Counter,
    queue: BTreeMap<(Time, u64), Later>, // tidy: bounded by what is on its way at a time
    sequence: u64,
    bot: Option<Box<Bot>>,
    run: u64,
    disks: Vec<Disk>, // tidy: bounded by a world's symbols
    trouble: bool,
    stopping: bool,
    /// Until when all requests are refused, with this status.
    refusing: Option<(Time, u16)>,
    stuck: bool,
    memory_short: bool,
    generation: u64,
    /// Orders by hand, and those of them that hands have withdrawn.
    hands: Vec<(Symbol, u64)>, // tidy: bounded by HANDS_MAX
    ids: BTreeSet<ClientId>, // tidy: bounded by the orders of a world
    compare: Compare,
    broken: Option<Broken>,
    steps_at_once: u32,
    outcome: Outcome,
    trace: Option<VecDeque<String>>, // tidy: bounded by TRACE_LINES
    seconds: u64,
}

impl World {
    pub(crate) fn new(options: &Options, trace: bool) -> anyhow::Result<Self> {
        let begun = Time::from_millis(1_800_000_000_000);
        let account = AccountConfig::new(KEY.to_owned(), SECRET.to_owned(), i128::from(options.wallet) * 100_000_000)?;
        let mut config = TestnetConfig::new(options.seed, vec![account]);
        config.listings = [Listing::btcusdt(), Listing::ethusdt(), Listing::solusdt()].into_iter().take(options.symbols).collect();
        config.speed_milli = options.speed_milli;
        config.limits = RateLimits { weight_per_minute: options.weight, ..RateLimits::default() };
        config.strict_routes = true;
        let counter = CounterConfig { funding_every: options.funding_every, leverage: 20 };
        let mut random = Pcg64Mcg::seed_from_u64(options.seed);
        let ahead = Duration::from_millis(random.next_u64() % 10_000);
        let mut world = Self {
            random,
            now: begun,
            begun,
            ahead,
            counter: Counter::new(&config, counter, begun + ahead)?,
            queue: BTreeMap::new(),
            sequence: 0,
            bot: None,
            run: 0,
            disks: vec![Disk::default(); options.symbols],
            trouble: true,
            stopping: false,
            refusing: None,
            stuck: false,
            memory_short: false,
            generation: 0,
            hands: Vec::new(),
            ids: BTreeSet::new(),
            compare: Compare::All,
            broken: None,
            steps_at_once: 0,
            outcome: Outcome {
                broken: None,
                events: 0,
                passed: Duration::ZERO,
                fills: 0,
                crashes: 0,
                faults: [0; Fault::ALL.len()],
                digest: 0xcbf2_9ce4_8422_2325,
                trace: Vec::new(),
            },
            trace: trace.then(VecDeque::new),
            seconds: 0,
            options: options.clone(),
        };
        world.push(begun, Later::Start);
        world.push(begun + SECOND, Later::Second);
        Ok(world)
    }

    /// Trouble, then peace, then a stop; and then the books are compared.
    pub(crate) fn live(mut self) -> anyhow::Result<Outcome> {
        let trouble_ends = self.begun + self.options.trouble;
        while self.now < trouble_ends && self.broken.is_none() {
            self.step()?;
        }
        self.make_peace();
        let peace_ends = self.now + self.options.peace;
        while self.now < peace_ends && self.broken.is_none() {
            self.step()?;
        }
        // Whatever holds a symbol up heals within a minute or two more.
        let patience = self.now + Duration::from_secs(180);
        while !self.is_well() && self.now < patience && self.broken.is_none() {
            self.step()?;
        }
        if !self.is_well() {
            let standing = self.standing();
            self.breach(Broken::new(Invariant::Heals, &standing));
        }
        self.stop();
        let patience = self.now + Duration::from_secs(120);
        while !self.is_drained() && self.now < patience && self.broken.is_none() {
            self.step()?;
        }
        if !self.is_drained() {
            let standing = self.standing();
            self.breach(Broken::new(Invariant::Stops, &standing));
        }
        self.compare();
        let mut outcome = self.outcome;
        outcome.broken = self.broken;
        outcome.passed = self.now.since(self.begun);
        outcome.trace = self.trace.into_iter().flatten().collect();
        Ok(outcome)
    }

    // What must hold ---------------------------------------------------------------------------------------------------

    fn breach(&mut self, broken: Broken) {
        self.say(|| format!("BROKEN {broken}"));
        self.broken.get_or_insert(broken);
    }

    fn hold(&mut self, held: Result<(), Broken>) {
        if let Err(broken) = held {
            self.breach(broken);
        }
    }

    /// In step and trading, all of them.
    fn is_well(&self) -> bool {
        self.bot.as_ref().is_some_and(|bot| {
            bot.seats.len() == self.options.symbols
                && bot.seats.iter().all(|seat| {
                    seat.engine.phase() == Phase::Trading
                        && seat.engine.position().sync_state() == SyncState::InStep
                        && seat.engine.closed().is_none()
                })
        })
    }

    fn standing(&self) -> String {
        let Some(bot) = &self.bot else { return "the bot is down".to_owned() };
        let seats = bot.seats.iter().map(|seat| {
            let sync = seat.engine.position().sync_state();
            let orders = seat.engine.position().view(self.now).orders.len();
            let closed = seat.engine.closed().map_or("open", |closed| closed.as_str());
            format!("{} {:?} {sync:?} {closed} {orders} orders", seat.instrument.symbol, seat.engine.phase())
        });
        let seats: Vec<String> = seats.collect();
        if seats.is_empty() { "the session has not booted".to_owned() } else { seats.join(", ") }
    }

    fn is_drained(&self) -> bool {
        self.bot.as_ref().is_some_and(|bot| bot.seats.iter().all(|seat| seat.engine.phase() == Phase::Drained))
    }

    fn compare(&mut self) {
        for (at, symbol) in symbols(&self.options).into_iter().enumerate() {
            let all = self.disks.get(at).map_or(0, Disk::waiting);
            if let Some(disk) = self.disks.get_mut(at) {
                disk.flush(all);
            }
            let left = ours_open(self.counter.venue(), symbol);
            if !left.is_empty() {
                self.breach(Broken::new(Invariant::NothingLeftOpen, &format_args!("{symbol}: {left:?}")));
            }
            let Some(disk) = self.disks.get(at) else { continue };
            let held = books(self.counter.venue(), symbol, disk, self.compare);
            self.hold(held);
            if let Some(truth) = crate::check::truth(self.counter.venue(), symbol, None) {
                self.outcome.fills += truth.fills;
            }
            let seat = self.bot.as_ref().and_then(|bot| bot.seats.get(at));
            let alone = self.hands.is_empty() && self.compare != Compare::Position;
            if let Some(view) = seat.map(|seat| seat.engine.position().view(self.now))
                && alone
            {
                let held = invariants::slots_are_covered(&view);
                self.hold(held);
            }
        }
        for (symbol, id) in self.hands.clone() {
            let order = self.counter.venue().order(ACCOUNT, symbol, OrderRef::Id(id));
            if order.is_ok_and(|order| order.status == OrderStatus::Canceled) {
                self.breach(Broken::new(Invariant::ForeignUntouched, &format_args!("{symbol}: order {id} by hand was withdrawn")));
            }
        }
    }

    /// The books had to give way to the exchange: right only where they could not know.
    fn mismatch(&mut self, alert: &Alert) {
        if alert.text.contains("slots hold") && alert.severity != Severity::Critical {
            // A crash has lost the slots of a closing; they follow from its execution.
        } else if alert.severity != Severity::Critical {
            // What the account held before we ever traded.
            self.compare = Compare::Position;
        } else if self.hands.is_empty() && self.compare != Compare::Position {
            self.breach(Broken::new(Invariant::PositionAgrees, &alert.text));
        }
    }

    fn check_orders(&mut self) {
        for symbol in symbols(&self.options) {
            let held = legs(self.counter.venue(), symbol);
            self.hold(held);
        }
    }

    // Chance -----------------------------------------------------------------------------------------------------------

    fn one_in(&mut self, millionths: u32) -> bool {
        millionths > 0 && self.random.next_u64() % 1_000_000 < u64::from(millionths)
    }

    /// Whether a fault happens now.
    fn goes_wrong(&mut self, fault: Fault) -> bool {
        let rate = self.options.rate(fault);
        let happens = self.trouble && self.one_in(rate);
        if happens && let Some(count) = self.outcome.faults.get_mut(fault as usize) {
            *count += 1;
        }
        happens
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_nanos(self.random.next_u64() % (most.as_nanos() as u64 + 1))
    }

    fn delay(&mut self) -> Duration {
        let least = Duration::from_micros(u64::from(self.options.latency_us));
        let mut delay = least + self.up_to(least);
        if self.goes_wrong(Fault::Slow) {
            delay += self.up_to(Duration::from_secs(2));
        }
        delay
    }

    // Time -------------------------------------------------------------------------------------------------------------

    fn exchange_now(&self) -> Time {
        self.now + self.ahead
    }

    fn push(&mut self, at: Time, what: Later) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), what);
    }

    /// Adds a line to the trace; the market's own frames would fill it.
    fn say(&mut self, line: impl FnOnce() -> String) {
        let at = self.now.since(self.begun);
        if let Some(trace) = &mut self.trace {
            if trace.len() >= TRACE_LINES {
                trace.pop_front();
            }
            trace.push_back(format!("{:>10.4} {}", at.as_secs_f64(), line()));
        }
    }

    fn mark(&mut self, mark: u64) {
        self.outcome.events += 1;
        let mixed = (self.outcome.digest ^ mark ^ self.now.nanos()).wrapping_mul(0x0100_0000_01b3);
        self.outcome.digest = mixed;
    }

    /// Whatever comes next.
    fn step(&mut self) -> anyhow::Result<()> {
        let venue_at = self.counter.wake_at().map(|at| Time::from_nanos(at.nanos().saturating_sub(self.ahead.as_nanos() as u64)));
        let bot = self.bot.as_ref();
        let session_at = bot.and_then(|bot| bot.session.wake_at());
        let engine_at = bot.and_then(|bot| bot.seats.iter().filter_map(|seat| seat.engine.wake_at()).min());
        let account_at = bot.filter(|bot| !bot.seats.is_empty()).map(|bot| bot.account.wake_at());
        let queue_at = self.queue.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = [venue_at, session_at, engine_at, account_at, queue_at].into_iter().flatten().min() else {
            anyhow::bail!("nothing will ever happen");
        };
        if next > self.now {
            self.now = next;
            self.steps_at_once = 0;
        }
        self.steps_at_once += 1;
        if self.steps_at_once > STEPS_AT_ONCE {
            let standing = self.standing();
            self.breach(Broken::new(Invariant::Heals, &format_args!("time stands still: {standing}")));
            return Ok(());
        }
        let now = self.now;
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(queue_at)
            && let Some((_, later)) = self.queue.pop_first()
        {
            self.happen(later)?;
        } else if due(venue_at) {
            self.mark(1);
            let at = self.exchange_now();
            self.counter.step(at);
            self.carry_streams();
        } else if due(session_at) {
            self.with_bot(|_, bot| bot.work.push_back(Work::Session(ToSession::Wake)))?;
        } else if due(engine_at) {
            self.with_bot(|world, bot| {
                for (at, seat) in bot.seats.iter().enumerate() {
                    if seat.is_due(world.now) {
                        bot.work.push_back(Work::Engine(at, Event::Wake));
                    }
                }
            })?;
        } else if due(account_at) {
            self.with_bot(|world, bot| world.account(bot, &AccountInput::Wake))?;
        }
        if self.goes_wrong(Fault::Crash) && !self.stopping {
            self.crash();
        }
        Ok(())
    }

    fn happen(&mut self, later: Later) -> anyhow::Result<()> {
        match later {
            Later::Arrive { run, request, fate, sent_at } => self.arrive(run, &request, fate, sent_at),
            Later::Session(run, what) if run == self.run => self.with_bot(|_, bot| bot.work.push_back(Work::Session(what)))?,
            Later::Frame { run, conn, generation, text } if run == self.run => {
                self.with_bot(|_, bot| {
                    if bot.wire(conn).as_ref().is_some_and(|wire| wire.generation == generation) {
                        bot.work.push_back(Work::Session(ToSession::Frame(conn, text)));
                    }
                })?;
            }
            Later::Hung { run, conn, generation, why } if run == self.run => {
                self.with_bot(|world, bot| {
                    if let Some(wire) = bot.wire(conn).take_if(|wire| wire.generation == generation) {
                        if let Some(stream) = &wire.stream {
                            world.counter.close(stream);
                        }
                        bot.work.push_back(Work::Session(ToSession::Closed(conn, why)));
                    }
                })?;
            }
            Later::Dial { run, conn, generation, target } if run == self.run => self.dial(conn, generation, &target)?,
            Later::Committed { run, symbol, version } if run == self.run => {
                self.with_bot(|_, bot| bot.work.push_back(Work::Engine(symbol, Event::Committed { version })))?;
            }
            // Whom it was for is dead.
            Later::Session(..) | Later::Frame { .. } | Later::Hung { .. } | Later::Dial { .. } | Later::Committed { .. } => {}
            Later::Start => self.start()?,
            Later::Boot(run) if run == self.run => {
                self.with_bot(|_, bot| bot.work.push_back(Work::Session(ToSession::Start)))?;
            }
            Later::Boot(_) => {}
            Later::Second => self.second()?,
            Later::Over(fault) => self.over(fault)?,
            Later::Resume(symbol) => self.command(symbol, Command::Resume)?,
        }
        Ok(())
    }
}
