//! One world: the venue, the network, the bot and its disk, moved from one happening to the next.

mod bot_side;
mod hold;
mod mischief;
mod network_side;
mod scripted;

use crate::bot::{Bot, Ground, KEY, RECV_WINDOW, SECRET, STALE_AFTER, TAG, ToSession, Wire, Work, engine, exposure_max, symbols};
use crate::check::{ACCOUNT, Compare, books, legs, only_reduces, ours_open};
use crate::disk::Disk;
use crate::limits::{HANDS_MAX, STEPS_AT_ONCE, TRACE_LINES};
use crate::network::{Fate, mangle};
use crate::options::{Fault, Options, REFUSALS};
use crate::script::{Asked, Frames, Ordered, Requests};
use crate::seat::{Desk, Moment, Seat};
use core::time::Duration;
use plimsoll_engine::{AccountAction, AccountInput, Boot};
use plimsoll_exchange::session::{Closed, ConnId, HttpRequest, Input, Output, Reply, Sent, Used};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{
    AccountEvent, Action, Alert, AlertCode, ClientId, Command, Event, Feed, Lease, Leg, Link, OrderStatus, OrderType, Phase, Place, Price,
    Qty, Round, Severity, Side, StopMode, Symbol, Tag, Time, TradeId,
};
use plimsoll_position::SyncState;
use plimsoll_position::invariants::{self, Broken, Invariant};
use plimsoll_sim::venue::{ClientText, NewOrder, OrderRef, SelfTrade, Tif};
use plimsoll_testnet::counter::{Answer, Brought, Counter, CounterConfig, CounterMarkets};
use plimsoll_testnet::{AccountConfig, RateLimits, TestnetConfig};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, VecDeque};

/// How often the world itself looks whether something goes wrong, and checks what must hold.
const SECOND: Duration = Duration::from_secs(1);
/// How often streams are pinged, in seconds: by the exchange, or by a proxy that knows nothing of what is behind it.
const PING_EVERY: u64 = 5;

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
    /// The process is killed, with all that has not been written.
    Killed,
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

/// When each part of a world has something to do next.
struct Due {
    next: Time,
    venue_at: Option<Time>,
    session_at: Option<Time>,
    engine_at: Option<Time>,
    account_at: Option<Time>,
    queue_at: Option<Time>,
}

/// A world.
pub(crate) struct World {
    options: Options,
    ground: Ground,
    /// What a script has ordered, and what it wants to know.
    script: Option<Box<Ordered>>,
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
    /// Where the books of each symbol begin: as the first engine said that began with nothing stored.
    began: Vec<Option<TradeId>>, // tidy: bounded by a world's symbols
    trouble: bool,
    stopping: bool,
    /// Until when all requests are refused, with this status.
    refusing: Option<(Time, u16)>,
    /// Until when requests with this in their path are answered with an error.
    failing: Option<(Time, &'static str)>,
    stuck: bool,
    memory_short: bool,
    generation: u64,
    /// Orders by hand.
    hands: Vec<(Symbol, u64)>, // tidy: bounded by HANDS_MAX
    /// The newest id of each run and symbol.
    ids: BTreeMap<(u64, u64), ClientId>, // tidy: bounded by the starts of a world
    /// What each level buys at.
    levels: BTreeMap<(usize, Leg), Price>, // tidy: bounded by the levels of a world's grids
    /// Somebody else has traded on the account: a person, or the exchange by force.
    others: bool,
    compare: Compare,
    broken: Option<Broken>,
    steps_at_once: u32,
    outcome: Outcome,
    trace: Option<VecDeque<String>>, // tidy: bounded by TRACE_LINES
    seconds: u64,
    /// Changes of the best prices that engines were told.
    ticks: u64,
}

impl World {
    pub(crate) fn new(options: &Options, trace: bool) -> anyhow::Result<Self> {
        let mut world = Self::on(options, Ground::drawn(options), trace)?;
        world.open_before()?;
        world.push(world.now, Later::Start);
        world.push(world.now + SECOND, Later::Second);
        if options.killed_at > Duration::ZERO {
            world.push(world.begun + options.killed_at, Later::Killed);
        }
        Ok(world)
    }

    /// A world on a ground, before its bot has started. Where markets have only orders, a second account makes them.
    pub(crate) fn on(options: &Options, ground: Ground, trace: bool) -> anyhow::Result<Self> {
        let begun = Time::from_millis(1_800_000_000_000);
        let mut accounts = vec![AccountConfig::new(KEY.to_owned(), SECRET.to_owned(), i128::from(options.wallet) * 100_000_000)?];
        if ground.markets == CounterMarkets::Orders {
            accounts.push(AccountConfig::new("market".to_owned(), "secret".to_owned(), 1_000_000_000 * 100_000_000)?);
        }
        let mut config = TestnetConfig::new(options.seed, accounts);
        config.listings = ground.listings.iter().map(|(listing, _)| *listing).collect();
        config.speed_milli = options.speed_milli;
        config.limits = RateLimits { weight_per_minute: options.weight, ..RateLimits::default() };
        config.strict_routes = true;
        let counter = CounterConfig { funding_every: options.funding_every, leverage: 20, markets: ground.markets };
        let mut random = Pcg64Mcg::seed_from_u64(options.seed);
        let ahead = Duration::from_millis(random.next_u64() % 10_000);
        Ok(Self {
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
            began: vec![None; options.symbols],
            trouble: true,
            stopping: false,
            refusing: None,
            failing: None,
            stuck: false,
            memory_short: false,
            generation: 0,
            hands: Vec::new(),
            ids: BTreeMap::new(),
            levels: BTreeMap::new(),
            others: false,
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
            ticks: 0,
            options: options.clone(),
            ground,
            script: None,
        })
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
        self.stop(StopMode::Cancel);
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

    /// When what comes next comes.
    fn due(&self) -> Option<Due> {
        let venue_at = self.counter.wake_at().map(|at| Time::from_nanos(at.nanos().saturating_sub(self.ahead.as_nanos() as u64)));
        let bot = self.bot.as_ref();
        let session_at = bot.and_then(|bot| bot.session.wake_at());
        let engine_at = bot.and_then(|bot| bot.seats.iter().filter_map(|seat| seat.engine.wake_at()).min());
        let account_at = bot.filter(|bot| !bot.seats.is_empty()).map(|bot| bot.account.wake_at());
        let queue_at = self.queue.first_key_value().map(|((at, _), _)| *at);
        let next = [venue_at, session_at, engine_at, account_at, queue_at].into_iter().flatten().min()?;
        Some(Due { next, venue_at, session_at, engine_at, account_at, queue_at })
    }

    /// Whatever comes next.
    fn step(&mut self) -> anyhow::Result<()> {
        let Some(Due { next, venue_at, session_at, engine_at, account_at, queue_at }) = self.due() else {
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
            Later::Arrive { run, request, fate, sent_at } => self.arrive(run, &request, &fate, sent_at),
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
            Later::Killed => {
                for disk in &mut self.disks {
                    disk.crash(0);
                }
                self.crash();
            }
            Later::Second => self.second()?,
            Later::Over(fault) => self.over(fault)?,
            Later::Resume(symbol) => self.command(symbol, Command::Resume)?,
        }
        Ok(())
    }
}
