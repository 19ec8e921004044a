//! Paper trading: the market is the real exchange's, as its public streams tell it; the orders are ours alone, on the exchange inside
//! the process. No key is used, and nothing but questions about the market leaves this machine.

use crate::config::{BinanceConfig, Config};
use crate::limits::PAPER_LINE_BYTES;
use anyhow::{Context, bail};
use plimsoll_bounded::{Class, Grants, Line, Plan, Receiver, Refused, Sender, Task, TaskSpec, Tasks, WhenFull, channel};
use plimsoll_exchange::binance::decode;
use plimsoll_exchange::binance::encode::{self, DepthSpeed, Route, Stream};
use plimsoll_gateway::{Clock, Endpoint, Tapped, ask_once, tap};
use plimsoll_market::{Symbol, Time};
use plimsoll_sim::replay::RESTART;
use plimsoll_testnet::Listing;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How long the exchange's rules may take: a start waits for them.
const RULES_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer: rules of all contracts.
const RULES_BYTES_MAX: usize = 32 << 20;
/// How long a snapshot of a book may take.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(10);
/// Levels a side of a snapshot.
const SNAPSHOT_LEVELS: u16 = 500;
/// Between two looks whether a snapshot is wanted.
const SNAPSHOT_LOOK: Duration = Duration::from_millis(200);
/// Least pause after snapshots were asked for, whether they came or not.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(5);
/// Pause for each of them: a book that never becomes whole takes half of the exchange's request weight at most, which bans addresses
/// that ask for more than all.
const SNAPSHOT_SPACE: Duration = Duration::from_millis(500);
/// A stream without a message for so long is opened anew.
const SILENCE: Duration = Duration::from_secs(20);
/// First pause before a stream is opened anew; doubled each time until one lived longer than the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Declares what following the market keeps: so many messages of each symbol may wait.
///
/// # Errors
/// A name that cannot be one.
pub fn plan(symbols: impl IntoIterator<Item = Symbol>, waiting: usize) -> Result<Plan, Refused> {
    let mut plan = Plan::new("paper");
    for symbol in symbols {
        let name = format!("paper.lines/{symbol}");
        // What finds no room is missing in the book, which is then made anew from a snapshot.
        let line = Line::of::<String>(&name, waiting, WhenFull::Refuse, Class::LatestWins);
        plan.add(line.with_heap(PAPER_LINE_BYTES))?;
    }
    Ok(plan)
}

/// Contracts by name only, for a plan that is made before the exchange was asked.
pub fn placeholders(config: &Config) -> Vec<Listing> {
    let named = |symbol| {
        let mut listing = Listing::btcusdt();
        listing.instrument.symbol = symbol;
        listing
    };
    config.symbols.iter().map(|settings| named(settings.symbol)).collect()
}

/// Asks the exchange for the rules of what is traded.
///
/// # Errors
/// It does not answer, or has no such contract.
pub async fn rules(config: &Config) -> anyhow::Result<Vec<Listing>> {
    let body = exchange_info(&config.binance.rest_url).await?;
    let info = decode::exchange_info(&body).context("the exchange's rules cannot be read")?;
    let listing = |symbol: &Symbol| {
        let contract = info.contracts.iter().find(|contract| contract.instrument.symbol == *symbol);
        let contract = contract.with_context(|| format!("trading.symbols: {} has no contract {symbol}", config.binance.rest_url))?;
        Ok(Listing { instrument: contract.instrument, ..Listing::btcusdt() })
    };
    config.symbols.iter().map(|settings| listing(&settings.symbol)).collect()
}

/// Asks the exchange for the rules of all contracts, as it tells them.
///
/// # Errors
/// It does not answer.
pub async fn exchange_info(rest_url: &str) -> anyhow::Result<Vec<u8>> {
    let end = Endpoint::rest(rest_url)?;
    let mut query = String::new();
    let spec = encode::exchange_info(&mut query);
    let asked = ask_once(&end, "", spec.path, RULES_TIMEOUT, RULES_BYTES_MAX).await;
    let (status, body) = asked.with_context(|| format!("{rest_url} does not tell its rules; check the network and binance.rest_url"))?;
    if status != 200 {
        bail!("{rest_url} answers {status} when asked for its rules; check binance.rest_url");
    }
    Ok(body.to_vec())
}

/// A symbol whose streams are followed.
struct Followed {
    symbol: Symbol,
    /// Its name in the streams.
    lower: String,
    out: Sender<String>,
    /// Something is missing: what follows says nothing until it was begun anew.
    broken: AtomicBool,
    /// A snapshot is to be asked for.
    wanted: AtomicBool,
}

impl Followed {
    /// Says that lines are missing, and has a snapshot asked for.
    fn restart(&self) {
        let begun = self.out.try_send(RESTART.to_owned()).is_ok();
        self.broken.store(!begun, Relaxed);
        if begun {
            self.wanted.store(true, Relaxed);
        }
    }

    fn pass(&self, now: Time, text: &str) {
        if self.broken.load(Relaxed) {
            self.restart();
        }
        if self.broken.load(Relaxed) {
            return;
        }
        if text.len() > PAPER_LINE_BYTES - 32 || self.out.try_send(format!("{} {text}", now.nanos())).is_err() {
            self.broken.store(true, Relaxed);
        }
    }
}

/// Follows the market of all symbols.
struct Follower {
    rest: Endpoint,
    websocket: Endpoint,
    routed: bool,
    symbols: Vec<Followed>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    clock: Clock,
}

/// Which of the exchange's two kinds of streams.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Books,
    Tape,
}

/// The channel's end as lines of a live market.
pub struct Waiting(pub Receiver<String>);

impl Iterator for Waiting {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0.try_recv().ok()
    }
}

/// Begins to follow the market. Lines are what the streams told, each behind the time at which it came: the form of recordings, and
/// of what the exchange inside the process takes.
///
/// # Errors
/// An address that cannot be one, or no room for the tasks.
pub fn follow(
    binance: &BinanceConfig,
    names: &[Symbol],
    mut grants: Grants,
    clock: Clock,
    tasks: &Tasks,
) -> anyhow::Result<Vec<(Symbol, Receiver<String>)>> {
    let mut lines = Vec::with_capacity(names.len());
    let mut symbols = Vec::with_capacity(names.len());
    for symbol in names.iter().copied() {
        let (out, into) = channel::<String>(grants.take(&format!("paper.lines/{symbol}"))?);
        lines.push((symbol, into));
        let lower = symbol.as_str().chars().flat_map(char::to_lowercase).collect();
        symbols.push(Followed { symbol, lower, out, broken: AtomicBool::new(false), wanted: AtomicBool::new(false) });
    }
    let follower = Arc::new(Follower {
        rest: Endpoint::rest(&binance.rest_url)?,
        websocket: Endpoint::websocket(&binance.websocket_url)?,
        routed: binance.routed,
        symbols,
        clock,
    });
    for (name, kind) in [("paper/books", Kind::Books), ("paper/tape", Kind::Tape)] {
        let follower = Arc::clone(&follower);
        tasks.spawn(TaskSpec { name, group: "paper" }, |task| Box::pin(follower.stream(kind, task)))?;
    }
    tasks.spawn(TaskSpec { name: "paper/snapshots", group: "paper" }, |task| Box::pin(follower.snapshots(task)))?;
    Ok(lines)
}

impl Follower {
    fn target(&self, kind: Kind) -> String {
        let (route, streams): (Route, &[Stream]) = match kind {
            Kind::Books => (Route::Public, &[Stream::BookTicker, Stream::Depth(DepthSpeed::Ms100)]),
            Kind::Tape => (Route::Market, &[Stream::AggTrade, Stream::MarkPrice]),
        };
        let mut target = String::new();
        encode::public_url(&mut target, "", self.routed.then_some(route));
        let mut separator = "?streams=";
        for followed in &self.symbols {
            for stream in streams {
                target.push_str(separator);
                separator = "/";
                encode::stream_name(&mut target, &followed.symbol, *stream);
            }
        }
        target
    }

    /// Whose message it is: `{"stream":"btcusdt@…`.
    fn owner(&self, text: &str) -> Option<&Followed> {
        let (name, _) = text.strip_prefix(r#"{"stream":""#)?.split_once('@')?;
        self.symbols.iter().find(|followed| followed.lower == name)
    }

    async fn stream(self: Arc<Self>, kind: Kind, task: Task) {
        let target = self.target(kind);
        let mut pause = PAUSE_FIRST;
        loop {
            let opened = self.clock.now();
            let followed = tap(&self.websocket, &target, SILENCE, |what| match what {
                Tapped::Opened if kind == Kind::Books => self.symbols.iter().for_each(Followed::restart),
                Tapped::Opened => {}
                Tapped::Text(text) => {
                    let now = self.clock.now();
                    if let Some(followed) = self.owner(text) {
                        followed.pass(now, text);
                    }
                }
            });
            let Some(Err(error)) = task.stop.or(followed).await else { return };
            if self.clock.now().since(opened) > PAUSE_MAX {
                pause = PAUSE_FIRST;
            }
            tracing::warn!(%error, "the real market's stream is opened anew; what it tells meanwhile is missing");
            if task.stop.or(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn snapshots(self: Arc<Self>, task: Task) {
        loop {
            let mut asked = 0;
            for followed in &self.symbols {
                if !followed.wanted.swap(false, Relaxed) {
                    continue;
                }
                asked += 1;
                let Some(snapshot) = task.stop.or(self.snapshot(&followed.symbol)).await else { return };
                match snapshot {
                    Ok(snapshot) => followed.pass(self.clock.now(), &snapshot),
                    Err(why) => {
                        tracing::warn!(symbol = %followed.symbol, why, "the real market's book cannot be had; it is asked for again");
                        followed.wanted.store(true, Relaxed);
                    }
                }
            }
            let pause = if asked == 0 { SNAPSHOT_LOOK } else { SNAPSHOT_PAUSE.max(SNAPSHOT_SPACE * asked) };
            if task.stop.or(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn snapshot(&self, symbol: &Symbol) -> Result<String, String> {
        let mut query = String::new();
        let spec = encode::depth(&mut query, symbol, SNAPSHOT_LEVELS);
        let target = format!("{}?{query}", spec.path);
        match ask_once(&self.rest, "", &target, SNAPSHOT_TIMEOUT, PAPER_LINE_BYTES).await {
            Ok((200, body)) => Ok(String::from_utf8_lossy(&body).into_owned()),
            Ok((status, _)) => Err(format!("status {status}")),
            Err(error) => Err(error.to_string()),
        }
    }
}
