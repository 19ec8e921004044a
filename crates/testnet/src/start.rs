use core::net::SocketAddr;
use core::time::Duration;

use plimsoll_bounded::{
    Class, ExitStatus, Grants, LedgerError, Line, List, NoReply, Plan, Sender, TaskHandle, TaskSpec, Tasks, Unresponsive, WhenFull,
    channel, reply,
};
use plimsoll_market::{Name, Symbol, Time};
use plimsoll_sim::generator::GeneratorSpec;
use plimsoll_sim::replay::{Lines, ReplaySpec};
use plimsoll_sim::venue::{AccountSpec, Journal as Rows, MarketSpec, SourceSpec, Venue, VenueConfig};
use tokio::net::TcpListener;
use tracing::info;

use crate::config::{AccountConfig, Listing, TestnetConfig};
use crate::desk::Desk;
use crate::engine::{self, Clock, Command, Inputs, Late};
use crate::error::{StartError, Stopped};
use crate::faults::{Fault, SharedFaults};
use crate::hub::Hub;
use crate::journal::Journal;
use crate::keys::{KeyEntry, Keys};
use crate::limits::{ANSWER_WITHIN, COMMANDS_MAX, CONNECTIONS_MAX, HISTORY_MINUTES, LATE_MAX, RECORDINGS_MAX};
use crate::rates::{OrderCounts, Rates};
use crate::recording::{self, Recording};
use crate::server::{self, Inlets};

/// Time between fundings.
const FUNDING_EVERY: Duration = Duration::from_secs(8 * 3600);

/// Leverage of every symbol until it is set: the exchange's own default.
const LEVERAGE: u16 = 20;

/// How far the market may fall behind before it skips what it missed, as after a suspended machine wakes.
const LAG_MAX: Duration = Duration::from_secs(5);

/// Bytes that a request waiting for the engine holds on the heap: its query and headers; bodies are counted by the sockets.
const COMMAND_HEAP: usize = 1024;

/// Bytes of an account's keys on the heap: its signer, its API key and its listen key.
const KEY_HEAP: usize = 512 + plimsoll_exchange::limits::SECRET_MAX + 64;

/// Starts local exchanges.
#[derive(Clone, Copy, Debug)]
pub struct Testnet;

impl Testnet {
    /// Declares what an exchange of this configuration keeps, for a ledger to admit.
    ///
    /// # Errors
    /// The ledger's names are constants: only a bug.
    pub fn plan(config: &TestnetConfig) -> Result<Plan, LedgerError> {
        let mut plan = Plan::new("testnet");
        let connections = config.connections.clamp(1, CONNECTIONS_MAX);
        Hub::plan(&mut plan, connections, config.listings.len())?;
        let accounts = config.accounts.len().max(1);
        let keys = Line::of::<KeyEntry>("testnet.keys", accounts, WhenFull::Refuse, Class::MustKeep);
        plan.add(keys.with_heap(KEY_HEAP))?;
        plan.add(Line::of::<OrderCounts>("testnet.order_counts", accounts, WhenFull::Refuse, Class::LatestWins))?;
        let commands = Line::of::<Command>("testnet.commands", COMMANDS_MAX, WhenFull::Refuse, Class::MustKeep);
        plan.add(commands.with_heap(COMMAND_HEAP))?;
        let late = Line::of::<Late>("testnet.late", LATE_MAX, WhenFull::Refuse, Class::MustKeep);
        plan.add(late.with_heap(size_of::<Command>() + COMMAND_HEAP))?;
        plan.add(Line::of::<usize>("testnet.closes", connections, WhenFull::Refuse, Class::MustKeep))?;
        plan.add(server::sockets_line("testnet.sockets"))?;
        Ok(plan)
    }

    /// Starts an exchange: listens, restores what it kept, and lets the market move.
    ///
    /// # Errors
    /// See [`StartError`]; then nothing runs.
    ///
    /// # Bounds
    /// What [`Testnet::plan`] declares, and the venue's own limits.
    ///
    /// # Cancel safety
    /// Given up, nothing runs but what was spawned already, which ends with its task set.
    pub async fn start(config: TestnetConfig, grants: Grants, tasks: &Tasks) -> Result<TestnetHandle, StartError> {
        Self::start_mirror(config, Vec::new(), grants, tasks).await
    }

    /// Starts an exchange some of whose markets are those of another exchange: their lines come as they happen. The orders are its
    /// own, and meet what is told of the other's book and trades.
    ///
    /// # Errors
    /// As [`Testnet::start`].
    ///
    /// # Bounds
    /// As [`Testnet::start`]; `lines` are as bounded as their caller makes them.
    ///
    /// # Cancel safety
    /// As [`Testnet::start`].
    pub async fn start_mirror(
        config: TestnetConfig,
        lines: Vec<(Symbol, Lines)>,
        mut grants: Grants,
        tasks: &Tasks,
    ) -> Result<TestnetHandle, StartError> {
        check(&config)?;
        let listen = config.listen;
        let listener = TcpListener::bind(listen).await.map_err(|source| StartError::Bind { listen, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Bind { listen, source })?;

        let clock = Clock::new();
        let mut venue = Venue::new(venue_config(&config, lines, clock.now())?)?;
        let journal = match &config.state_dir {
            Some(folder) => Journal::open(folder, config.fresh, &mut venue)?,
            None => Journal::none(),
        };
        let hub = Hub::new(&mut grants, config.connections, &config.listings, config.strict_routes)?;
        let mut hub = hub.ok_or(StartError::PlanMismatch)?;
        let faults = SharedFaults::new(config.faults);
        hub.faults = faults.clone();
        let accounts = config.accounts.len();
        let keys = Keys::new(grants.take("testnet.keys")?, config.accounts, config.listen_key_life).ok_or(StartError::PlanMismatch)?;
        let mut rates = Rates::new(grants.take("testnet.order_counts")?, config.limits, accounts).ok_or(StartError::PlanMismatch)?;
        rates.exempt = config.weightless;
        let (commands, command_receiver) = channel(grants.take("testnet.commands")?);
        let (closes, close_receiver) = channel(grants.take("testnet.closes")?);

        let mut desk = Box::new(Desk { venue, hub, keys, rates, journal, opened: clock.now() });
        // The first step opens the market, so that the first request finds a book.
        desk.step(clock.now());
        let late = List::new(grants.take("testnet.late")?);
        let inputs = Inputs { commands: command_receiver, closes: close_receiver, late, clock };
        let inlets = Inlets { commands: commands.clone(), closes, faults: faults.clone() };
        let sockets = grants.take("testnet.sockets")?;
        let spec = TaskSpec { name: "testnet/engine", group: "testnet" };
        let engine = tasks.spawn(spec, |task| Box::pin(engine::run(desk, inputs, task)))?;
        let spec = TaskSpec { name: "testnet/server", group: "testnet" };
        let server = match tasks.spawn(spec, |task| Box::pin(server::run(listener, sockets, inlets, task))) {
            Ok(server) => server,
            Err(error) => {
                engine.stop();
                return Err(error.into());
            }
        };
        info!(%addr, "local exchange listens");
        Ok(TestnetHandle { addr, commands, engine, server, faults })
    }
}

/// A running exchange. Dropping it leaves the exchange to its task set.
#[derive(Debug)]
pub struct TestnetHandle {
    addr: SocketAddr,
    commands: Sender<Command>,
    engine: TaskHandle,
    server: TaskHandle,
    faults: SharedFaults,
}

impl TestnetHandle {
    /// Returns where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the root of its REST addresses, without a slash at the end.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns the root of its WebSocket addresses, without a slash at the end.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// Returns how often each fault has struck; all zero without faults.
    pub fn fault_counts(&self) -> [(Fault, u64); Fault::ALL.len()] {
        self.faults.counts()
    }

    /// Looks at the venue between two of its steps.
    ///
    /// # Errors
    /// It is not running, or too busy to answer in time.
    ///
    /// # Cancel safety
    /// Given up, the look may still happen.
    pub async fn with_venue<T: Send + 'static>(&self, look: impl FnOnce(&Venue) -> T + Send + 'static) -> Result<T, Stopped> {
        let (sender, receiver) = reply();
        let look = Box::new(move |venue: &Venue| {
            if sender.send(look(venue)).is_err() {
                tracing::debug!("nobody waits for a look at the venue any more");
            }
        });
        self.commands.try_send(Command::Look(look)).map_err(|error| if error.is_full() { Stopped::Late } else { Stopped::Gone })?;
        receiver.wait(ANSWER_WITHIN).await.map_err(no_reply)
    }

    /// Returns how many stream connections are open.
    ///
    /// # Errors
    /// As [`TestnetHandle::with_venue`].
    pub async fn connections(&self) -> Result<usize, Stopped> {
        let (sender, receiver) = reply();
        let sent = self.commands.try_send(Command::Connections(sender));
        sent.map_err(|error| if error.is_full() { Stopped::Late } else { Stopped::Gone })?;
        receiver.wait(ANSWER_WITHIN).await.map_err(no_reply)
    }

    /// Waits until the exchange has ended, by itself or because it was told to, and says how its engine ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self) -> ExitStatus {
        self.engine.join().await
    }

    /// Closes every connection, writes out what is to be kept, waits for all of it, and says how the engine ended.
    ///
    /// # Bounds
    /// Each of its two tasks has `deadline` to end, and a second more when it has to be aborted.
    ///
    /// # Errors
    /// A task blocks its thread.
    ///
    /// # Cancel safety
    /// Given up, the exchange is stopping; it can be called again.
    pub async fn stop(&self, deadline: Duration) -> Result<ExitStatus, Unresponsive> {
        self.server.stop_and_join(deadline).await?;
        self.engine.stop_and_join(deadline).await
    }

    /// Ends the exchange where it stands, without a word to anybody: what a crash would leave behind.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn abort(&self) {
        self.engine.abort();
        self.server.abort();
        self.engine.join().await;
        self.server.join().await;
    }
}

fn no_reply(error: NoReply) -> Stopped {
    match error {
        NoReply::Dropped => Stopped::Gone,
        NoReply::TimedOut { .. } => Stopped::Late,
    }
}

pub(crate) fn check(config: &TestnetConfig) -> Result<(), StartError> {
    if !config.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(config.listen));
    }
    if !(1..=CONNECTIONS_MAX).contains(&config.connections) {
        return Err(StartError::Connections(config.connections));
    }
    if config.accounts.is_empty() {
        return Err(StartError::NoAccount);
    }
    if config.replay.len() > RECORDINGS_MAX {
        return Err(StartError::TooManyRecordings(config.replay.len()));
    }
    for (at, account) in config.accounts.iter().enumerate() {
        if config.accounts.iter().skip(at + 1).any(|other| other.key() == account.key()) {
            return Err(StartError::KeyTwice(account.key().to_owned()));
        }
    }
    Ok(())
}

fn venue_config(config: &TestnetConfig, mut lines: Vec<(Symbol, Lines)>, start: Time) -> Result<VenueConfig, StartError> {
    let mut recordings = recording::group(&config.replay)?;
    let markets = config.listings.iter().enumerate().map(|(at, listing)| {
        if let Some(live) = lines.iter().position(|(symbol, _)| *symbol == listing.instrument.symbol) {
            let source = SourceSpec::Live(lines.swap_remove(live).1);
            return MarketSpec { instrument: listing.instrument, brackets: Vec::new(), source };
        }
        let found = recordings.iter().position(|(symbol, _)| *symbol == listing.instrument.symbol);
        market(config, at, listing, found.map(|found| recordings.swap_remove(found).1))
    });
    let markets = markets.collect();
    if let Some(symbol) = recordings.first().map(|(symbol, _)| symbol).or(lines.first().map(|(symbol, _)| symbol)) {
        return Err(StartError::NotListed(*symbol));
    }
    Ok(VenueConfig {
        markets,
        accounts: config.accounts.iter().map(account).collect(),
        start,
        funding_interval: FUNDING_EVERY,
        leverage: LEVERAGE,
        journal: if config.state_dir.is_some() { Rows::On } else { Rows::Off },
        lag_max: Some(LAG_MAX),
    })
}

fn market(config: &TestnetConfig, at: usize, listing: &Listing, recording: Option<Vec<std::path::PathBuf>>) -> MarketSpec {
    let speed_milli = config.speed_milli;
    let source = match recording {
        Some(files) => SourceSpec::Replay(ReplaySpec { lines: Box::new(Recording::new(&files)), speed_milli }),
        None => SourceSpec::Generator(GeneratorSpec {
            // Each contract has a market of its own.
            seed: config.seed.wrapping_add((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            start_price: listing.start,
            speed_milli,
            history: HISTORY_MINUTES,
        }),
    };
    MarketSpec { instrument: listing.instrument, brackets: Vec::new(), source }
}

/// An account's name in the journal: a mark of its key, the same over restarts and builds (FNV-1a).
pub(crate) fn account(account: &AccountConfig) -> AccountSpec {
    let mark = account.key().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |mark, byte| (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let Ok(name) = Name::new(&format!("key-{mark:016x}")) else { unreachable!("twenty letters and digits are a name") };
    AccountSpec { name, wallet: account.wallet }
}
