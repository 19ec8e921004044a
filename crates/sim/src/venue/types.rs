//! The words of the venue: what is asked of it and what it tells.

use arrayvec::ArrayString;
use core::time::Duration;
use plimsoll_market::{
    Bps, Candle, Holding, Instrument, LevelChange, MarkPrice, Name, Notional, OrderStatus, OrderType, Price, Qty, RefPrice, Side, Symbol,
    Time, Top, Trade,
};

use crate::generator::GeneratorSpec;
use crate::replay::ReplaySpec;
use crate::rows::Row;

/// A client's own id of an order: 1 to 36 of `.A-Z:/a-z0-9_-`.
pub type ClientText = ArrayString<36>;

/// Which account: its place in [`VenueConfig::accounts`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(pub u16);

/// An account to open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountSpec {
    /// Its name in rows; it must stay the same over restarts.
    pub name: Name,
    /// What it begins with, units of 1e-8 of the settlement asset; stored rows win over it.
    pub wallet: i128,
}

/// One bracket of position value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bracket {
    /// Position values up to this belong to the bracket, units of 1e-8; beyond the last bracket nothing is allowed.
    pub notional_max: i128,
    /// Largest leverage in this bracket.
    pub leverage_max: u16,
    /// Maintenance margin as a share of the position value.
    pub maintenance: Bps,
    /// What is taken off so that the margin has no step between brackets, units of 1e-8.
    pub deduction: i128,
}

/// A contract of the venue and where its market comes from.
pub struct MarketSpec {
    /// The contract, with its fees.
    pub instrument: Instrument,
    /// Brackets in growing order; empty means [`super::default_brackets`].
    pub brackets: Vec<Bracket>, // tidy: bounded by the configuration; checked when the venue opens
    /// Where its market comes from.
    pub source: SourceSpec,
}

/// Where a market comes from.
pub enum SourceSpec {
    /// Made up from a seed.
    Generator(GeneratorSpec),
    /// Played from a recording.
    Replay(ReplaySpec),
    /// A real market, line by line in the same form as it happens; `None` of an iterator that goes on means: nothing yet.
    Live(crate::replay::Lines),
    /// Only the orders of the accounts: for tests.
    Empty,
}

/// How a venue is to be.
pub struct VenueConfig {
    /// The contracts; all settle in one asset.
    pub markets: Vec<MarketSpec>, // tidy: bounded by INSTRUMENTS_MAX; checked when the venue opens
    /// The accounts.
    pub accounts: Vec<AccountSpec>, // tidy: bounded by ACCOUNTS_MAX; checked when the venue opens
    /// When the venue opens.
    pub start: Time,
    /// Time between fundings; Binance's is eight hours. They fall on its multiples since the epoch.
    pub funding_interval: Duration,
    /// Leverage of every symbol until it is set; Binance's is 20.
    pub leverage: u16,
    /// Events of rows are given out only when this is set.
    pub journal: Journal,
    /// When `advance` finds a source further behind than this, the source skips ahead and the time is lost, as after a
    /// suspended machine wakes. `None` never skips: for simulations.
    pub lag_max: Option<Duration>,
}

/// Whether rows for storage are given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Journal {
    /// As [`VenueEvent::Row`], each batch closed by [`Row::Commit`].
    On,
    /// Not at all.
    Off,
}

/// How long an order stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tif {
    /// Until cancelled.
    Gtc,
    /// What fills at once; the rest expires.
    Ioc,
    /// All at once or refused.
    Fok,
    /// Post-only: refused when it would take.
    Gtx,
    /// Until a time.
    Gtd(Time),
}

impl Tif {
    /// As Binance writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::Gtx => "GTX",
            Self::Gtd(_) => "GTD",
        }
    }
}

/// What happens when an order meets one of its own account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SelfTrade {
    /// They trade with each other.
    None,
    /// The taking order's rest expires.
    ExpireTaker,
    /// The resting order expires. The default of the exchange.
    #[default]
    ExpireMaker,
    /// Both expire.
    ExpireBoth,
}

impl SelfTrade {
    /// As Binance writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
        }
    }

    /// Reads Binance's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::ExpireTaker, Self::ExpireMaker, Self::ExpireBoth].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// An order to place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// The contract.
    pub symbol: Symbol,
    /// The client's id; `None` lets the venue make one.
    pub client_id: Option<ClientText>,
    /// Direction.
    pub side: Side,
    /// Limit or market.
    pub kind: OrderType,
    /// How long it stays; ignored for orders at market.
    pub tif: Tif,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Whether it may only reduce the position.
    pub reduce_only: bool,
    /// What happens when it meets an order of its own account.
    pub self_trade: SelfTrade,
}

/// Names an order of an account on a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderRef {
    /// By the venue's id.
    Id(u64),
    /// By the client's id; the open order of it, else the latest finished one.
    Client(ClientText),
}

/// Why an order ended in [`OrderStatus::Expired`], or whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Origin {
    /// Placed by the account's owner.
    #[default]
    Client,
    /// Placed by the venue to close a position that ran out of margin.
    Liquidation,
    /// Placed by the venue to take a position over that somebody else's bankruptcy needs.
    Adl,
}

/// An order as the venue knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRow {
    /// The venue's id: above zero, growing over all symbols.
    pub order_id: u64,
    /// Whose it is.
    pub account: AccountId,
    /// The contract.
    pub symbol: Symbol,
    /// The client's id.
    pub client_id: ClientText,
    /// Direction.
    pub side: Side,
    /// Limit or market.
    pub kind: OrderType,
    /// How long it stays.
    pub tif: Tif,
    /// Limit price; zero for orders at market.
    pub price: Price,
    /// Quantity ordered.
    pub qty: Qty,
    /// Quantity filled, all executions together.
    pub filled: Qty,
    /// What the filled quantity was worth.
    pub cost: Notional,
    /// Whether it may only reduce the position.
    pub reduce_only: bool,
    /// What happens when it meets an order of its own account.
    pub self_trade: SelfTrade,
    /// Where it stands.
    pub status: OrderStatus,
    /// Whether self-trade prevention ended it (Binance: `EXPIRED_IN_MATCH`).
    pub in_match: bool,
    /// Who placed it.
    pub origin: Origin,
    /// How often it was amended.
    pub amends: u32,
    /// When it was placed.
    pub created: Time,
    /// When it last changed.
    pub updated: Time,
}

impl OrderRow {
    /// What can still be filled.
    pub fn remaining(&self) -> Qty {
        self.qty.saturating_sub(self.filled)
    }

    /// Average price of what filled, 1e-8; zero when nothing has.
    pub fn average(&self, instrument: &Instrument) -> RefPrice {
        instrument.average(self.cost, self.filled)
    }
}

/// One execution of an account's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TradeRow {
    /// The venue's id: growing within a symbol, shared with the public trade.
    pub trade_id: u64,
    /// The order.
    pub order_id: u64,
    /// Whose it is.
    pub account: AccountId,
    /// The contract.
    pub symbol: Symbol,
    /// Direction of the order.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Profit realised against the average entry, before commission, units of 1e-8.
    pub realized: i128,
    /// Commission paid, units of 1e-8; negative is a rebate.
    pub commission: i128,
    /// Whether the commission is in the exchange's own coin ([`crate::limits::COIN`]), not in the settlement asset.
    pub in_coin: bool,
    /// Whether the order rested.
    pub maker: bool,
    /// When.
    pub time: Time,
}

/// Money that came or went other than by a trade, or a trade's profit and commission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IncomeRow {
    /// Grows within an account.
    pub id: u64,
    /// The contract.
    pub symbol: Symbol,
    /// What it is.
    pub kind: IncomeKind,
    /// Signed, units of 1e-8 of the settlement asset, or of the exchange's own coin.
    pub amount: i128,
    /// Whether it is in the exchange's own coin.
    pub in_coin: bool,
    /// The trade it belongs to, if any.
    pub trade_id: Option<u64>,
    /// When.
    pub time: Time,
}

/// Kinds of income.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IncomeKind {
    /// Profit realised by a trade.
    RealizedPnl,
    /// Commission of a trade.
    Commission,
    /// Funding.
    FundingFee,
    /// What the insurance fund put in so that the wallet is not below zero.
    InsuranceClear,
}

impl IncomeKind {
    /// As Binance writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RealizedPnl => "REALIZED_PNL",
            Self::Commission => "COMMISSION",
            Self::FundingFee => "FUNDING_FEE",
            Self::InsuranceClear => "INSURANCE_CLEAR",
        }
    }

    /// Reads Binance's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::RealizedPnl, Self::Commission, Self::FundingFee, Self::InsuranceClear].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Margin of a position: shared with the whole account, or its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MarginType {
    /// The whole wallet backs it.
    #[default]
    Cross,
    /// Kept as a setting and reported; the venue's margin arithmetic is the shared one.
    Isolated,
}

/// An account's position and settings on a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionRow {
    /// The contract.
    pub symbol: Symbol,
    /// Size and direction.
    pub holding: Holding,
    /// What it cost, signed like the holding, exact.
    pub cost: Notional,
    /// Average entry price, 1e-8.
    pub entry: RefPrice,
    /// Entry price that covers the commissions of both ways at the taker rate, 1e-8.
    pub break_even: RefPrice,
    /// Mark price now, 1e-8.
    pub mark: RefPrice,
    /// Unrealised profit at the mark price, units of 1e-8.
    pub unrealized: i128,
    /// Profit realised so far before commission, units of 1e-8.
    pub realized: i128,
    /// Signed value at the mark price, units of 1e-8.
    pub notional: i128,
    /// Margin that the position and the orders of the symbol bind, units of 1e-8.
    pub initial_margin: i128,
    /// The part of it that orders bind, units of 1e-8.
    pub order_margin: i128,
    /// Margin below which the account is liquidated, this position's part, units of 1e-8.
    pub maintenance: i128,
    /// Price at which the account would be liquidated if only this symbol moved, 1e-8; zero when there is none.
    pub liquidation: RefPrice,
    /// Leverage set.
    pub leverage: u16,
    /// Largest position value at this leverage, units of 1e-8.
    pub notional_max: i128,
    /// Margin type set.
    pub margin: MarginType,
    /// When the position last changed; zero when never.
    pub updated: Time,
}

/// An account's money, units of 1e-8 of the settlement asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BalanceRow {
    /// Deposits, realised profit, commissions and funding together.
    pub wallet: i128,
    /// What it has of the exchange's own coin, units of 1e-8; no part of the wallet.
    pub coin: i128,
    /// Unrealised profit of all positions at the mark price.
    pub unrealized: i128,
    /// Margin bound by positions and orders.
    pub initial_margin: i128,
    /// The part of it that positions bind.
    pub position_margin: i128,
    /// The part of it that orders bind.
    pub order_margin: i128,
    /// Margin below which the account is liquidated.
    pub maintenance: i128,
    /// What is free for new orders; not below zero.
    pub available: i128,
    /// When the wallet last changed.
    pub updated: Time,
}

/// What a venue tells.
#[derive(Clone, Copy, Debug)]
pub enum VenueEvent<'a> {
    /// Of a market, to everybody.
    Market {
        /// The contract.
        symbol: Symbol,
        /// What.
        event: MarketEvent<'a>,
    },
    /// Of an account, to its owner.
    Account {
        /// Whose.
        account: AccountId,
        /// What.
        event: &'a AccountEvent,
    },
    /// To be stored. The rows of a step come before its account events and end with [`Row::Commit`]; a batch without its
    /// commit is to be ignored when read back.
    Row(&'a Row),
}

/// The receiver of a venue's events.
pub type Sink<'s> = dyn for<'e> FnMut(VenueEvent<'e>) + 's;

/// What happens on a market.
#[derive(Clone, Copy, Debug)]
pub enum MarketEvent<'a> {
    /// A trade.
    Trade(Trade),
    /// Trades of one taker at one price.
    AggTrade(AggTrade),
    /// Changed levels.
    Depth(DepthDiff<'a>),
    /// The top changed.
    BookTicker {
        /// The book's update id; equal to a [`DepthDiff::last`] it describes the same book.
        update_id: u64,
        /// The top.
        top: Top,
    },
    /// Mark price, once a second.
    Mark(MarkPrice),
    /// A one-minute candle: open ones at most ten times a second, the closed one once.
    Candle {
        /// The candle.
        candle: Candle,
        /// Whether it is final.
        closed: bool,
    },
}

/// How often a chain of depth updates comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cadence {
    /// After each change: `@depth@0ms`.
    RealTime,
    /// Ten times a second: `@depth@100ms`.
    Tick,
}

/// Changed levels of a book. The two cadences are two chains.
#[derive(Clone, Copy, Debug)]
pub struct DepthDiff<'a> {
    /// Which chain it belongs to.
    pub cadence: Cadence,
    /// `U`: first update id in it.
    pub first: u64,
    /// `u`: last update id in it.
    pub last: u64,
    /// `pu`: the last update id of the one before in this chain.
    pub previous: u64,
    /// The levels with their new quantities; zero deletes. Bids first, each side in ascending price.
    pub changes: &'a [LevelChange],
    /// When.
    pub time: Time,
}

/// Trades of one taker at one price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AggTrade {
    /// Grows by one within a symbol.
    pub id: u64,
    /// Price.
    pub price: Price,
    /// Quantity of all.
    pub qty: Qty,
    /// First trade in it.
    pub first: u64,
    /// Last trade in it.
    pub last: u64,
    /// Side of the order that took.
    pub taker: Side,
    /// When.
    pub time: Time,
}

/// Why an order event is told (Binance's `x`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Execution {
    /// Accepted.
    New,
    /// Filled in part or whole.
    Trade,
    /// Withdrawn.
    Canceled,
    /// Ended by its time in force, self-trade prevention, or for want of a position to reduce.
    Expired,
    /// Price or quantity changed.
    Amendment,
    /// Filled by a liquidation.
    Calculated,
}

impl Execution {
    /// As Binance writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Trade => "TRADE",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::Amendment => "AMENDMENT",
            Self::Calculated => "CALCULATED",
        }
    }
}

/// Why an account event is told (Binance's `m`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// A fill.
    Order,
    /// Funding.
    FundingFee,
    /// The insurance fund covered a loss.
    InsuranceClear,
}

impl Reason {
    /// As Binance writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "ORDER",
            Self::FundingFee => "FUNDING_FEE",
            Self::InsuranceClear => "INSURANCE_CLEAR",
        }
    }
}

/// What happens to an account. The account update of a fill comes before the order update of it, with the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountEvent {
    /// An order changed.
    Order {
        /// The order after it.
        row: OrderRow,
        /// Why.
        execution: Execution,
        /// The execution, for `Trade` and `Calculated`.
        fill: Option<TradeRow>,
        /// Value of the account's open buy and sell orders on the symbol (Binance's `b` and `a`), in units of the notional.
        bids: Notional,
        /// See `bids`.
        asks: Notional,
    },
    /// Balance and position changed.
    Account {
        /// Why.
        reason: Reason,
        /// The wallet after it, units of 1e-8.
        wallet: i128,
        /// Change of the wallet that is neither profit nor commission, units of 1e-8.
        change: i128,
        /// The position that changed; `None` for funding in cross margin.
        position: Option<PositionRow>,
        /// When.
        time: Time,
    },
    /// Leverage of a symbol changed.
    Leverage {
        /// The contract.
        symbol: Symbol,
        /// The new leverage.
        leverage: u16,
        /// When.
        time: Time,
    },
    /// Margin runs short: below 1.25 times the maintenance margin.
    MarginCall {
        /// The wallet, units of 1e-8.
        wallet: i128,
        /// The position that weighs most.
        position: PositionRow,
        /// When.
        time: Time,
    },
}

/// A book as of one update id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DepthSnapshot {
    /// `lastUpdateId`: the first diff to apply has `U` at or below and `u` at or above it.
    pub last_update_id: u64,
    /// Bids, best first.
    pub bids: Vec<plimsoll_market::Level>, // tidy: bounded by the limit asked for; an answer
    /// Asks, best first.
    pub asks: Vec<plimsoll_market::Level>, // tidy: bounded by the limit asked for; an answer
    /// The book's last change.
    pub time: Time,
}

/// The last 24 hours of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticker {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub last: Price,
    /// Quantity of the last trade.
    pub last_qty: Qty,
    /// Base quantity traded.
    pub volume: Qty,
    /// Quote value traded.
    pub turnover: Notional,
    /// Volume-weighted average price, 1e-8.
    pub average: RefPrice,
    /// Trades.
    pub trades: u64,
    /// First trade id; zero when there was none.
    pub first_id: u64,
    /// Last trade id; zero when there was none.
    pub last_id: u64,
    /// When the window opens.
    pub open_time: Time,
    /// When it ends.
    pub close_time: Time,
}

/// Which rows a history query wants. Rows come in growing order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// From this id on; with it, the times are ignored.
    pub from_id: Option<u64>,
    /// From this time on.
    pub start: Option<Time>,
    /// Up to and including this time.
    pub end: Option<Time>,
    /// At most so many; with neither `from_id` nor `start` the latest ones.
    pub limit: usize,
}

impl Page {
    /// The latest `limit` rows.
    pub const fn latest(limit: usize) -> Self {
        Self { from_id: None, start: None, end: None, limit }
    }
}
