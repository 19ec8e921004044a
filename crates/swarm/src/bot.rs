//! The bot of a world: session, engines and account, put together as the program puts them together, with its disk and
//! sockets made up.

use crate::options::Options;
use crate::seat::Seat;
use plimsoll_bounded::{Grant, Grants, Plan};
use plimsoll_engine::{Account, AccountConfig, Boot, Engine, EngineConfig};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_exchange::session::{Closed, ConnId, RequestId, Routing, Sent, Session, SessionConfig};
use plimsoll_market::{Action, Asset, Event, Instrument, Price, Symbol, Tag};
use plimsoll_position::PositionConfig;
use plimsoll_safety::GateConfig;
use plimsoll_strategy::{Grid, GridConfig};
use plimsoll_testnet::counter::{Answer, Stream};
use std::collections::VecDeque;
use std::time::Duration;

pub(crate) use plimsoll_exchange::session::Outputs;

pub(crate) const KEY: &str = "key";
pub(crate) const SECRET: &str = "secret";
pub(crate) const TAG: Tag = Tag(7);
pub(crate) const RECV_WINDOW: Duration = Duration::from_secs(5);
/// The most that holding and opening orders of all symbols may be worth, units of 1e-8 USDT.
pub(crate) const EXPOSURE_MAX: i128 = 50_000 * 100_000_000;
const ORDER_QUOTE: i128 = 250 * 100_000_000;

/// An input of a session that owns what it carries.
pub(crate) enum ToSession {
    Start,
    Connected(ConnId),
    Frame(ConnId, String),
    Alive(ConnId),
    Closed(ConnId, Closed),
    Reply(RequestId, Box<Answer>),
    Failed(RequestId, Sent),
    Order(SymbolIndex, Action),
    Wake,
}

/// What the bot has still to do before the next moment.
pub(crate) enum Work {
    Session(ToSession),
    Engine(usize, Event),
}

/// A connection as the bot and the network between know it.
pub(crate) struct Wire {
    pub(crate) generation: u64,
    pub(crate) stream: Option<Stream>,
    /// Nothing overtakes what was sent before.
    pub(crate) free_at: plimsoll_market::Time,
    /// It delivers nothing but pings any more.
    pub(crate) deaf: bool,
    /// A message that so many of the next ones overtake.
    pub(crate) held: Option<(String, u8)>,
}

pub(crate) struct Bot {
    pub(crate) session: Session,
    pub(crate) outputs: Outputs,
    pub(crate) seats: Vec<Seat>, // tidy: bounded by a world's symbols
    pub(crate) account: Account,
    pub(crate) work: VecDeque<Work>,     // tidy: bounded by what one input causes
    pub(crate) wires: Vec<Option<Wire>>, // tidy: bounded by CONNS_MAX
}

pub(crate) fn symbols(options: &Options) -> Vec<Symbol> {
    ["BTCUSDT", "ETHUSDT", "SOLUSDT"].iter().take(options.symbols).filter_map(|name| Symbol::new(name).ok()).collect()
}

impl Bot {
    pub(crate) fn new(options: &Options, run: u64) -> anyhow::Result<Self> {
        let mut plan = Plan::new("swarm");
        Session::plan(&mut plan, "swarm", options.symbols)?;
        let config = SessionConfig {
            symbols: symbols(options),
            tag: TAG,
            routing: Routing::Routed,
            signer: Signer::new(Secret::new(KEY.to_owned())?, &Secret::new(SECRET.to_owned())?),
            recv_window: RECV_WINDOW,
            leverage: Some(options.leverage),
        };
        let session = Session::new(config, run, &mut Grants::detached(&plan))?;
        let quote = Asset::new("USDT")?;
        let account = AccountConfig { quote, exposure_max: EXPOSURE_MAX, orders_per_10s: 100, drawdown_max_ppm: 1_000_000 };
        Ok(Self {
            session,
            outputs: Outputs::new(Grant::detached(Outputs::line("swarm.outputs", options.symbols))),
            seats: Vec::new(),
            account: Account::new(account, options.symbols),
            work: VecDeque::new(),
            wires: Vec::new(),
        })
    }

    pub(crate) fn wire(&mut self, conn: ConnId) -> &mut Option<Wire> {
        let at = conn.usize();
        if self.wires.len() <= at {
            self.wires.resize_with(at + 1, || None);
        }
        // Made just above.
        &mut self.wires[at]
    }
}

/// Builds the engine of a symbol, from what is stored.
pub(crate) fn engine(
    options: &Options,
    instrument: Instrument,
    series: u16,
    run: u64,
    placed_before: u64,
    boot: &Boot,
) -> anyhow::Result<Engine> {
    // About 0.07 % of the price: a round trip pays its fees and fills are frequent.
    let interval = match instrument.symbol.as_str() {
        "BTCUSDT" => 4_000,
        "ETHUSDT" => 200,
        _ => 1_000,
    };
    let interval = Price::from_units(interval);
    let (buy_window, sell_window) = options.windows;
    let grid = Grid::new(GridConfig { interval, order_quote: ORDER_QUOTE, buy_window, sell_window }, 0);
    let recv_window_ms = RECV_WINDOW.as_millis() as u64;
    let config = EngineConfig {
        position: PositionConfig { tag: TAG, run, series, placed_before, recv_window_ms },
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: EXPOSURE_MAX },
        interval,
    };
    Ok(Engine::new(instrument, config, Box::new(grid), boot)?)
}
