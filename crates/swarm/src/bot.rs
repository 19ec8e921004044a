//! The bot of a world: session, engines and account, put together as the program puts them together, with its disk and
//! sockets made up.

use crate::disk::Disk;
use crate::options::{Options, Several};
use crate::seat::Seat;
use plimsoll_bounded::{Grant, Grants, Plan};
use plimsoll_engine::{Account, AccountConfig, Boot, Countdown, Engine, EngineConfig};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::binance::encode::Interval;
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_exchange::session::{Closed, ConnId, RequestId, Routing, Sent, Session, SessionConfig};
use plimsoll_market::{Action, Asset, Event, Instrument, Leg, Price, Round, Side, Spacing, Symbol, Tag, Time};
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig, LadderConfig};
use plimsoll_strategy::limits::NUMBERS_A_CHILD;
use plimsoll_strategy::{
    AdjusterConfig, CapitalConfig, Child, ChildConfig, Choice, ComboConfig, Direction, Entry, Grid, GridConfig, GridOptions,
    MarketMakerConfig, MartingaleConfig, MomentumConfig, Regime, Regimes, Size, Strategy, StrategyConfig, TradeConfig, Trailing,
    TrendConfig,
};
use plimsoll_testnet::Listing;
use plimsoll_testnet::counter::{Answer, CounterMarkets, Stream};
use std::collections::VecDeque;
use std::time::Duration;

pub(crate) use plimsoll_exchange::session::Outputs;

pub(crate) const KEY: &str = "key";
pub(crate) const SECRET: &str = "secret";
pub(crate) const TAG: Tag = Tag(7);
/// Market data older than this counts as stale.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(3);
pub(crate) const RECV_WINDOW: Duration = Duration::from_secs(5);

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
    pub(crate) free_at: Time,
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

/// The most that holding and opening orders of all symbols may be worth, units of 1e-8 USDT.
pub(crate) fn exposure_max(options: &Options) -> i128 {
    i128::from(options.exposure) * 100_000_000
}

/// What a world stands on, beside what its options say.
#[derive(Clone)]
pub(crate) struct Ground {
    /// The contracts, each with the distance of two levels of its grid.
    pub(crate) listings: Vec<(Listing, Price)>, // tidy: bounded by a world's symbols
    /// What a buy may cost, units of 1e-8 USDT.
    pub(crate) order_quote: i128,
    pub(crate) markets: CounterMarkets,
    /// Records that are written as soon as so many wait; without it they wait for the world's seconds, and may become too many.
    pub(crate) batch: Option<usize>,
    /// The rules of each symbol.
    pub(crate) guard: GuardConfig,
}

impl Ground {
    /// What drawn worlds stand on. Levels are about 0.07 % of the price apart: a round trip pays its fees and fills are frequent.
    pub(crate) fn drawn(options: &Options) -> Self {
        let listings = [(Listing::btcusdt(), 4_000), (Listing::ethusdt(), 200), (Listing::solusdt(), 1_000)];
        let listings = listings.into_iter().take(options.symbols).map(|(listing, interval)| (listing, Price::from_units(interval)));
        Self {
            listings: listings.collect(),
            order_quote: i128::from(options.order) * 100_000_000,
            markets: CounterMarkets::MadeUp,
            batch: None,
            guard: GuardConfig { stop_loss: options.stop_loss, ..GuardConfig::OFF },
        }
    }

    pub(crate) fn interval(&self, symbol: Symbol) -> Price {
        let listing = self.listings.iter().find(|(listing, _)| listing.instrument.symbol == symbol);
        listing.map_or(Price::ZERO, |(_, interval)| *interval)
    }
}

pub(crate) fn symbols(options: &Options) -> Vec<Symbol> {
    ["BTCUSDT", "ETHUSDT", "SOLUSDT"].iter().take(options.symbols).filter_map(|name| Symbol::new(name).ok()).collect()
}

impl Bot {
    pub(crate) fn new(options: &Options, run: u64, disks: &[Disk]) -> anyhow::Result<Self> {
        let mut plan = Plan::new("swarm");
        Session::plan(&mut plan, "swarm", options.symbols)?;
        let config = SessionConfig {
            symbols: symbols(options),
            tag: TAG,
            routing: Routing::Routed,
            signer: Signer::new(Secret::new(KEY.to_owned())?, &Secret::new(SECRET.to_owned())?),
            recv_window: RECV_WINDOW,
            leverage: Some(options.leverage),
            candles: 0,
            // Its strategies go by bars of a minute; a grid takes no notice.
            bars: symbols(options).into_iter().map(|symbol| (symbol, Interval::M1)).collect(),
            rates: symbols(options)
                .into_iter()
                .zip(disks)
                .filter_map(|(symbol, d)| Some((symbol, d.totals?.waiting?.amount.asset)))
                .collect(),
            funded_to: Vec::new(),
        };
        let session = Session::new(config, run, &mut Grants::detached(&plan))?;
        let quote = Asset::new("USDT")?;
        let off = 1_000_000;
        let account = AccountConfig {
            quote,
            exposure_max: exposure_max(options),
            orders_per_10s: 100,
            ladder: LadderConfig { yellow: off, orange: off, red: off, smoothing: Duration::ZERO },
            close_on_red: false,
            daily_loss: off,
            monitor: None,
        };
        Ok(Self {
            session,
            outputs: Outputs::new(Grant::detached(Outputs::line("swarm.outputs", options.symbols))),
            seats: Vec::new(),
            account: Account::new(account, options.symbols, 0, None, Time::ZERO),
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
    ground: &Ground,
    instrument: Instrument,
    series: u16,
    run: u64,
    placed_before: u64,
    boot: &Boot,
) -> anyhow::Result<Engine> {
    let interval = ground.interval(instrument.symbol);
    let (buy_window, sell_window) = options.windows;
    let grid = GridConfig { interval, order_quote: ground.order_quote, buy_window, sell_window };
    let strategy: Box<dyn Strategy> = match (options.layered, options.short) {
        _ if options.makers => StrategyConfig::MarketMaker(maker(ground)).build()?,
        _ if options.several == Several::Combo => StrategyConfig::Combo(combo(options, grid)).build()?,
        _ if options.several == Several::Spacings => StrategyConfig::Combo(spacings(options, grid)).build()?,
        (false, _) if options.rich => StrategyConfig::GridWith(grid, rich(options, ground, &instrument)).build()?,
        (false, false) => Box::new(Grid::new(grid, 0)),
        (false, true) => Box::new(Grid::short(grid, 0)),
        (true, short) => layers(options, ground, short)?,
    };
    let recv_window_ms = RECV_WINDOW.as_millis() as u64;
    let config = EngineConfig {
        position: PositionConfig {
            tag: TAG,
            run,
            series,
            placed_before,
            recv_window_ms,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: STALE_AFTER, exposure_max: exposure_max(options), guard: ground.guard },
        interval: if options.rich { Spacing::Ratio(RATIO) } else { Spacing::Even(interval) },
        countdown: (!options.countdown.is_zero()).then(|| Countdown {
            after: options.countdown,
            every: options.countdown / 3,
            foreign: false,
        }),
    };
    Ok(Engine::new(instrument, config, strategy, boot)?)
}

/// Levels a ratio apart, in millionths.
const RATIO: u32 = 700;
/// How many times an opening order may grow.
const GROWTH: u32 = 3;

/// How many times as large as usual an order of a leg may be.
pub(crate) fn growth(options: &Options, leg: Leg) -> u32 {
    match options.several {
        Several::Spacings => 1 << (leg.strategy() % Leg::SHORT / NUMBERS_A_CHILD),
        Several::No | Several::Combo => {
            if options.rich {
                GROWTH
            } else {
                1
            }
        }
    }
}

/// All that a grid can have. Bounds lie about where the price of these worlds begins, so that it leaves them.
fn rich(options: &Options, ground: &Ground, instrument: &Instrument) -> GridOptions {
    let listing = ground.listings.iter().find(|(listing, _)| listing.instrument.symbol == instrument.symbol);
    let begins = listing.map_or(0, |(listing, _)| listing.start.units());
    let around = |share: i64| instrument.round_price(Price::from_units(begins * share / 10_000), Round::Down);
    GridOptions {
        opening: if options.short { Side::Sell } else { Side::Buy },
        lower: around(9_980),
        upper: around(10_010),
        trailing: [Trailing::Both, Trailing::Both, Trailing::Up, Trailing::Down][(options.seed % 4) as usize],
        ratio: RATIO,
        compound: 1_000_000,
        compound_max: GROWTH * 1_000_000,
        skew: if options.seed.is_multiple_of(3) { 500_000 } else { 0 },
        skew_layers: 4,
        ..GridOptions::LONG
    }
}

/// A grid, a martingale the other way and momentum both ways; in one world of three who opens changes with the minutes.
fn combo(options: &Options, mut grid: GridConfig) -> ComboConfig {
    let (opening, other) = if options.short { (Side::Sell, Direction::Long) } else { (Side::Buy, Direction::Short) };
    (grid.buy_window, grid.sell_window) = (grid.buy_window.min(20), grid.sell_window.min(20));
    let amount = grid.order_quote;
    let trade = |direction, stop_loss| TradeConfig {
        direction,
        bar: Duration::from_secs(60),
        entry: if options.seed.is_multiple_of(2) { Entry::Taker } else { Entry::Maker },
        slippage: 1_000,
        stop_loss,
        trailing_from: 0,
        trailing: 0,
        cooldown: Duration::ZERO,
    };
    let martingale = MartingaleConfig {
        direction: other,
        amount,
        multiplier: 1_000_000,
        layers: 4,
        step: 700,
        decay: 1_000_000,
        multiplier_min: 1_000_000,
        take_profit: 700,
        reverse: false,
        trend: 0,
    };
    let momentum = MomentumConfig { amount, period: 2, oversold: 400_000, overbought: 600_000, take_profit: 900 };
    let (calm, trends) = (Regimes::NONE.with(Regime::Ranging), Regimes::NONE.with(Regime::Up).with(Regime::Down));
    let child = |strategy, when, weight| Some(Child { strategy, when, weight });
    let trend = TrendConfig {
        bar: Duration::from_secs(60),
        adx: 2,
        trend_from: 50_000,
        trend_until: 40_000,
        mean: 2,
        volatility: 2,
        volatile_from: 0,
        volatile_until: 0,
        confirm: 1,
    };
    ComboConfig {
        children: [
            child(ChildConfig::Grid(grid, GridOptions { opening, ..GridOptions::LONG }), calm, 400_000),
            child(ChildConfig::Martingale(trade(other, 4_000), martingale), trends, 300_000),
            child(ChildConfig::Momentum(trade(Direction::Both, 3_000), momentum), Regimes::ALL, 300_000),
            None,
        ],
        choice: if options.seed.is_multiple_of(3) { Choice::Trend(trend) } else { Choice::All },
        capital: Some(CapitalConfig {
            amount: amount * 20,
            period: Duration::from_secs(60),
            window: 4,
            floor: 100_000,
            ceiling: 600_000,
            step: 50_000,
        }),
    }
}

/// A grid whose spacing changes with every few bars.
fn spacings(options: &Options, mut grid: GridConfig) -> ComboConfig {
    (grid.buy_window, grid.sell_window) = (grid.buy_window.min(16), grid.sell_window.min(16));
    let opening = if options.short { Side::Sell } else { Side::Buy };
    let adjuster =
        AdjusterConfig { bar: Duration::from_secs(60), volatility: 2, deviations: 2_000, spacings: 3, margin: 0, size: Size::Scaled };
    ComboConfig::adjusted(ChildConfig::Grid(grid, GridOptions { opening, ..GridOptions::LONG }), adjuster)
}

/// Quotes nearer than fees allow, so that both sides fill often.
const fn maker(ground: &Ground) -> MarketMakerConfig {
    MarketMakerConfig {
        amount: ground.order_quote,
        layers: 4,
        half_spread: 40,
        risk: 20,
        volatility: 2,
        bar: Duration::from_secs(60),
        requote: 20,
    }
}

/// A position of layers as far apart as a grid's levels, with a stop that is often reached.
fn layers(options: &Options, ground: &Ground, short: bool) -> anyhow::Result<Box<dyn Strategy>> {
    let direction = if short { Direction::Short } else { Direction::Long };
    let trade = TradeConfig {
        direction,
        bar: Duration::from_secs(60),
        entry: if options.seed.is_multiple_of(2) { Entry::Taker } else { Entry::Maker },
        slippage: 1_000,
        stop_loss: 4_000,
        trailing_from: 0,
        trailing: 0,
        cooldown: Duration::ZERO,
    };
    let plan = MartingaleConfig {
        direction,
        amount: ground.order_quote,
        multiplier: 1_000_000,
        layers: 5,
        step: 700,
        decay: 1_000_000,
        multiplier_min: 1_000_000,
        take_profit: 700,
        reverse: options.seed.is_multiple_of(5),
        trend: 0,
    };
    Ok(StrategyConfig::Martingale(trade, plan).build()?)
}
