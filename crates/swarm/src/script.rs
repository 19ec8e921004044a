//! Worlds that follow a script: one symbol, a market that has the orders of the script and nothing else, and a network that does
//! what it is told.

use crate::bot::{Ground, TAG};
use crate::check::{ACCOUNT, executions, ours_open, truth};
use crate::options::{Fault, Options};
use crate::world::World;
use core::time::Duration;
use plimsoll_engine::Engine;
use plimsoll_market::{
    Alert, ClientId, Command, Demand, Instrument, Notional, OrderType, Phase, Price, Qty, Side, StopMode, Symbol, Time, Totals,
};
use plimsoll_position::invariants::Truth;
use plimsoll_safety::GuardConfig;
use plimsoll_sim::VenueError;
use plimsoll_sim::venue::{AccountId, ClientText, NewOrder, OrderRef, OrderRow, Page, SelfTrade, Tif, TradeRow, Venue};
use plimsoll_testnet::Listing;
use plimsoll_testnet::counter::CounterMarkets;

/// The account that makes the market.
const MARKET: AccountId = AccountId(1);
/// What the market has on each side.
const DEPTH: u64 = 300_000;
/// How often the market changes something, so that its streams are alive.
const BEAT: Duration = Duration::from_millis(500);

/// What a script's world is like.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The contract and its rules.
    pub instrument: Instrument,
    /// Distance of two levels.
    pub interval: Price,
    /// What a buy may cost, units of 1e-8 USDT.
    pub order_quote: i128,
    /// Buy and sell levels kept.
    pub windows: (u8, u8),
    /// What the account begins with, USDT.
    pub wallet: u32,
    /// The most that holding and opening orders may be worth, USDT.
    pub exposure: u32,
    /// First best bid; the ask is a tick above.
    pub bid: Price,
    /// The rules of the symbol.
    pub guard: GuardConfig,
}

impl Setup {
    /// BTCUSDT at 60,000 with levels 100 apart, three buys and three sells of 250 USDT.
    pub fn btcusdt() -> Self {
        Self {
            instrument: Instrument::example_btcusdt(),
            interval: Price::from_units(10_000),
            order_quote: 250 * 100_000_000,
            windows: (3, 3),
            wallet: 100_000,
            exposure: 50_000,
            bid: Price::from_units(6_000_000),
            guard: GuardConfig::OFF,
        }
    }
}

/// What becomes of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requests {
    /// They never arrive, and are not answered.
    Lose,
    /// They are carried out, and their answers are lost.
    LoseAnswer,
    /// They are answered so late.
    Late(Duration),
    /// They are refused with a status and a code.
    Refuse(u16, i32),
    /// In their answers the second text stands in place of the first.
    Edit(&'static str, &'static str),
}

/// What becomes of messages of the user stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frames {
    /// They never come.
    Drop,
    /// They come twice.
    Twice,
    /// They come so late, after others.
    Late(Duration),
}

/// A request that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// When.
    pub at: Time,
    /// Method, path and query.
    pub line: String,
}

pub(crate) struct RequestRule {
    pub(crate) with: &'static str,
    pub(crate) left: u32,
    pub(crate) what: Requests,
}

pub(crate) struct FrameRule {
    pub(crate) with: Vec<&'static str>, // tidy: bounded by a script
    pub(crate) left: u32,
    pub(crate) what: Frames,
}

/// What a script has ordered of the network, and what it is told.
#[derive(Default)]
pub(crate) struct Ordered {
    pub(crate) requests: Vec<RequestRule>, // tidy: bounded by a script
    pub(crate) frames: Vec<FrameRule>,     // tidy: bounded by a script
    pub(crate) asked: Vec<Asked>,          // tidy: bounded by a script
    pub(crate) alerts: Vec<Alert>,         // tidy: bounded by a script
    pub(crate) demand: Option<Demand>,
}

/// A world that follows a script.
pub struct Script {
    world: World,
    setup: Setup,
    bid: Price,
    ask: Price,
    beat_at: Time,
    beats: u64,
}

impl Script {
    /// Opens a market and starts a bot that has never traded; it does not trade yet.
    ///
    /// # Errors
    /// The world cannot be set up.
    pub fn new(setup: Setup) -> anyhow::Result<Self> {
        let options = Options {
            seed: 1,
            trouble: Duration::MAX,
            peace: Duration::ZERO,
            symbols: 1,
            speed_milli: 1_000,
            latency_us: 1_000,
            windows: setup.windows,
            wallet: setup.wallet,
            leverage: 10,
            funding_every: Duration::from_secs(8 * 3_600),
            weight: 2_400,
            exposure: setup.exposure,
            order: 250,
            left_open: 0,
            foreign: 0,
            killed_at: Duration::ZERO,
            stop_loss: 0,
            countdown: Duration::ZERO,
            burn_from: Duration::ZERO,
            short: false,
            layered: false,
            makers: false,
            rich: false,
            several: crate::options::Several::No,
            rates: [0; Fault::ALL.len()],
        };
        let listing = Listing { instrument: setup.instrument, start: setup.bid, ..Listing::btcusdt() };
        let ground = Ground {
            listings: vec![(listing, setup.interval)],
            order_quote: setup.order_quote,
            markets: CounterMarkets::Orders,
            batch: Some(100),
            guard: setup.guard,
        };
        let world = World::on(&options, ground, true)?;
        let beat_at = world.now();
        let ask = Price::from_units(setup.bid.units() + setup.instrument.tick.units());
        let mut script = Self { world, setup, bid: setup.bid, ask, beat_at, beats: 0 };
        script.quote()?;
        script.world.begin(Some(Ordered::default()));
        Ok(script)
    }

    /// The same, and it trades.
    ///
    /// # Errors
    /// The world cannot be set up, or the bot does not come to trade within half a minute.
    pub fn trading(setup: Setup) -> anyhow::Result<Self> {
        let mut script = Self::new(setup)?;
        script.pass_until("it trades", Duration::from_secs(30), |script| script.phase() == Some(Phase::Trading))?;
        script.pass(Duration::from_secs(1))?;
        Ok(script)
    }

    // What happens -----------------------------------------------------------------------------------------------------

    /// Lets time pass.
    ///
    /// # Errors
    /// The simulation fails, or something is broken that must hold.
    pub fn pass(&mut self, span: Duration) -> anyhow::Result<()> {
        let end = self.world.now() + span;
        loop {
            self.world.live_until(self.beat_at.min(end))?;
            if let Some(broken) = self.world.broken() {
                anyhow::bail!("{broken}\n{}", self.tail());
            }
            if self.beat_at > end {
                return Ok(());
            }
            self.quote()?;
        }
    }

    /// Lets time pass until something is so.
    ///
    /// # Errors
    /// It is not so in time; and as [`Script::pass`].
    pub fn pass_until(&mut self, what: &str, most: Duration, is: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let end = self.world.now() + most;
        while !is(self) {
            if self.world.now() >= end {
                anyhow::bail!("within {most:?} not so: {what}\n{}", self.tail());
            }
            self.pass(Duration::from_millis(10))?;
        }
        Ok(())
    }

    /// The market goes there: its best bid, with the ask a tick above. What rests on the way is filled at its own price.
    ///
    /// # Errors
    /// The venue refuses the market's orders.
    pub fn go(&mut self, bid: Price) -> anyhow::Result<()> {
        self.bid = bid;
        self.ask = Price::from_units(bid.units() + self.setup.instrument.tick.units());
        self.quote()
    }

    /// The market's orders are put where they belong.
    fn quote(&mut self) -> anyhow::Result<()> {
        self.beat_at = self.world.now() + BEAT;
        self.beats += 1;
        let (symbol, bid, ask) = (self.symbol(), self.bid, self.ask);
        let qty = DEPTH + self.setup.instrument.step.units() * (self.beats % 2);
        self.world.at_venue(|at, venue, sink| {
            // The new ones come before the old ones go: the market is never without its best prices.
            let before = venue.open_orders(MARKET, Some(symbol))?;
            for (side, price) in [(Side::Sell, ask), (Side::Buy, bid)] {
                venue.place(at, MARKET, order(symbol, side, price, Qty::from_units(qty), Tif::Gtc), sink)?;
            }
            for row in before {
                match venue.cancel(at, MARKET, symbol, OrderRef::Id(row.order_id), sink) {
                    // It has met one of the new ones.
                    Ok(_) | Err(VenueError::UnknownOrder) => {}
                    Err(error) => anyhow::bail!(error),
                }
            }
            anyhow::Ok(())
        })
    }

    /// Somebody takes so much from the book at a price or better, as far as it is there.
    ///
    /// # Errors
    /// The venue refuses the order.
    pub fn take(&mut self, side: Side, price: Price, qty: Qty) -> anyhow::Result<OrderRow> {
        let symbol = self.symbol();
        Ok(self.world.at_venue(|at, venue, sink| venue.place(at, MARKET, order(symbol, side, price, qty, Tif::Ioc), sink))?)
    }

    /// Somebody trades on our account at market, by hand.
    ///
    /// # Errors
    /// The venue refuses the order.
    pub fn by_hand(&mut self, side: Side, qty: Qty) -> anyhow::Result<OrderRow> {
        let order = NewOrder { kind: OrderType::Market, ..order(self.symbol(), side, Price::ZERO, qty, Tif::Gtc) };
        Ok(self.world.at_venue(|at, venue, sink| venue.place(at, ACCOUNT, order, sink))?)
    }

    /// Requests with this text, so many, have this fate.
    pub fn requests(&mut self, with: &'static str, times: u32, what: Requests) {
        if let Some(script) = self.world.script() {
            script.requests.push(RequestRule { with, left: times, what });
        }
    }

    /// Messages of the user stream with all these texts, so many, have this fate.
    pub fn frames(&mut self, with: &[&'static str], times: u32, what: Frames) {
        if let Some(script) = self.world.script() {
            script.frames.push(FrameRule { with: with.to_vec(), left: times, what });
        }
    }

    /// The process dies, and all that waits for the disk with it.
    pub fn kill(&mut self) {
        self.world.kill();
    }

    /// A process is started on the same disk.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.world.start()
    }

    /// An operator gives an order.
    ///
    /// # Errors
    /// The simulation fails.
    pub fn command(&mut self, command: Command) -> anyhow::Result<()> {
        self.world.command(0, command)
    }

    /// The process is asked to stop.
    pub fn stop(&mut self, mode: StopMode) {
        self.world.stop(mode);
    }

    /// The account demands something of the symbol, with every lease from the next one on.
    pub fn demand(&mut self, demand: Option<Demand>) {
        if let Some(script) = self.world.script() {
            script.demand = demand;
        }
    }

    /// Connections stay open and bring nothing any more: 0 is the user stream, 1 has the books, 2 trades and marks.
    pub fn deafen(&mut self, conns: &[usize]) {
        self.world.deafen(conns);
    }

    /// The key of the user stream ends.
    pub fn end_listen_key(&mut self) {
        self.world.end_listen_key();
    }

    /// A world in which a process that held so many slots is dead, and so many executions of its orders happened since.
    ///
    /// # Errors
    /// As [`Script::pass`]; and more executions than its open orders have units.
    pub fn missing(slots: usize, fills: usize) -> anyhow::Result<Self> {
        let interval = Price::from_units(1_000);
        let instrument = Instrument { notional_min: Notional::from_units(100_000), ..Instrument::example_btcusdt() };
        let setup = Setup { instrument, interval, order_quote: 12_300 * 100_000_000, windows: (32, 32), ..Self::large() };
        let mut script = Self::trading(setup)?;
        let (mut bid, step) = (setup.bid.units(), 10 * interval.units());
        while script.slots().len() < slots {
            bid -= step.min(interval.units() * (slots - script.slots().len()) as i64);
            script.go(Price::from_units(bid))?;
            script.pass(Duration::from_secs(2))?;
        }
        script.kill();
        // Unit by unit, half of them sold to the market and half bought from it.
        for (side, away, many) in [(Side::Buy, 3, fills / 2), (Side::Sell, -3, fills - fills / 2)] {
            let limit = Price::from_units(bid + bid / 100 * away).offset(-bid % 10).unwrap_or(setup.bid);
            for _ in 0..many {
                let taken = script.take(side, limit, Qty::from_units(1))?;
                anyhow::ensure!(taken.filled == Qty::from_units(1), "nothing is left to be executed");
            }
        }
        Ok(script)
    }

    fn large() -> Setup {
        Setup { wallet: 4_000_000, exposure: 4_000_000, ..Setup::btcusdt() }
    }

    // What is so -------------------------------------------------------------------------------------------------------

    /// The symbol.
    pub const fn symbol(&self) -> Symbol {
        self.setup.instrument.symbol
    }

    /// Now.
    pub const fn now(&self) -> Time {
        self.world.now()
    }

    /// The engine, once the session has booted.
    pub fn engine(&self) -> Option<&Engine> {
        self.world.bot()?.seats.first().map(|seat| &seat.engine)
    }

    /// Where the engine is in its life.
    pub fn phase(&self) -> Option<Phase> {
        self.engine().map(Engine::phase)
    }

    /// The books' totals.
    pub fn totals(&self) -> Totals {
        self.engine().map_or(Totals::EMPTY, |engine| *engine.position().view(self.now()).totals)
    }

    /// What each slot holds, and what that cost, lowest level first.
    pub fn slots(&self) -> Vec<(i32, Qty, i128)> {
        let Some(engine) = self.engine() else { return Vec::new() };
        let view = engine.position().view(self.now());
        let mut slots: Vec<_> = view.slots.holding().map(|slot| (slot.leg.index(), slot.held, slot.cost.units())).collect();
        slots.sort_unstable();
        slots
    }

    /// The ids of the orders that the books know, sorted.
    pub fn known(&self) -> Vec<ClientId> {
        let Some(engine) = self.engine() else { return Vec::new() };
        let mut known: Vec<_> = engine.position().view(self.now()).orders.iter().map(|(_, order)| order.id).collect();
        known.sort_unstable();
        known
    }

    /// The ids of our open orders at the exchange, sorted.
    pub fn open(&self) -> Vec<ClientId> {
        let mut open = ours_open(self.world.venue(), self.symbol());
        open.sort_unstable();
        open
    }

    /// Our open orders at the exchange, in the order of their prices.
    pub fn open_rows(&self) -> Vec<OrderRow> {
        let open = self.world.venue().open_orders(ACCOUNT, Some(self.symbol())).unwrap_or_default();
        let ours = |row: &OrderRow| ClientId::parse(&row.client_id).is_ok_and(|id| id.tag() == TAG);
        let mut open: Vec<_> = open.into_iter().filter(ours).collect();
        open.sort_by_key(|row| row.price);
        open
    }

    /// Every execution of the account that the exchange remembers, oldest first.
    pub fn executions(&self) -> Vec<TradeRow> {
        executions(self.world.venue(), self.symbol(), None).unwrap_or_default()
    }

    /// Every order of the account that the exchange remembers, oldest first; at most as many as a page has.
    pub fn all_rows(&self) -> Vec<OrderRow> {
        let page = Page { from_id: Some(0), start: None, end: None, limit: usize::MAX };
        self.world.venue().all_orders(ACCOUNT, self.symbol(), page).unwrap_or_default()
    }

    /// The exchange itself.
    pub fn venue(&self) -> &Venue {
        self.world.venue()
    }

    /// What the exchange says of everything since trading began.
    pub fn truth(&self) -> Option<Truth> {
        truth(self.world.venue(), self.symbol(), self.world.began(0))
    }

    /// What is stored of the totals, when all that waits is written.
    pub fn stored(&mut self) -> Option<Totals> {
        self.world.write();
        self.world.disk(0)?.totals
    }

    /// What was sent, in order.
    pub fn asked(&self) -> &[Asked] {
        self.world.told().map_or(&[], |told| &told.asked)
    }

    /// How many requests with this text were sent.
    pub fn count(&self, with: &str) -> usize {
        self.asked().iter().filter(|asked| asked.line.contains(with)).count()
    }

    /// What humans were told, in order.
    pub fn alerts(&self) -> &[Alert] {
        self.world.told().map_or(&[], |told| &told.alerts)
    }

    /// What happened last.
    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self.world.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

fn order(symbol: Symbol, side: Side, price: Price, qty: Qty, tif: Tif) -> NewOrder {
    NewOrder {
        symbol,
        client_id: None::<ClientText>,
        side,
        kind: OrderType::Limit,
        tif,
        price,
        qty,
        reduce_only: false,
        self_trade: SelfTrade::ExpireMaker,
    }
}
