//! The venue: markets, accounts, and a price-time matching engine between them, for linear perpetual contracts.
//!
//! It behaves as Binance's USDⓈ-M futures do but knows nothing of any wire. One call is one step: whatever a command or an
//! event of a market causes is complete, told and (as rows) stored as a whole before the next one is looked at. Events of a
//! step come in this order: public trades, the book's diff and top, rows with their commit, then what the accounts are told.

mod account;
mod book;
mod candles;
mod checks;
mod clock;
mod history;
mod margin;
mod matching;
mod orders;
mod restore;
mod step;
mod types;

use arrayvec::ArrayVec;
use core::time::Duration;
use plimsoll_bounded::{Class, Grant, Line, Map, Ring, WhenFull};
use plimsoll_market::{Bps, Instrument, MarkPrice, Name, OrderStatus, Price, RefPrice, Symbol, Time, Trade};

use crate::error::{ConfigError, VenueError};
use crate::generator::Generator;
use crate::limits::{
    ACCOUNTS_MAX, BRACKETS_MAX, GENERATED_LEVELS_MAX, INSTRUMENTS_MAX, OPEN_TOTAL_MAX, PUBLIC_TRADES_MAX, REPLAYED_LEVELS_MAX,
};
use crate::replay::Replay;
use crate::source::{MarketSource, SourceEvent};
use account::{Account, Position};
use book::MatchBook;
use candles::Candles;
use step::Step;

pub use candles::Interval;
pub use margin::default_brackets;
pub use types::{
    AccountEvent, AccountId, AccountSpec, AggTrade, BalanceRow, Bracket, Cadence, ClientText, DepthDiff, DepthSnapshot, Execution,
    IncomeKind, IncomeRow, Journal, MarginType, MarketEvent, MarketSpec, NewOrder, OrderRef, OrderRow, Origin, Page, PositionRow, Reason,
    SelfTrade, Sink, SourceSpec, Ticker, Tif, TradeRow, VenueConfig, VenueEvent,
};

/// A contract of the venue with everything that is public about it.
struct Market {
    instrument: Instrument,
    brackets: ArrayVec<Bracket, BRACKETS_MAX>,
    source: MarketSource,
    book: MatchBook,
    candles: Candles,
    trades: Ring<Trade>,
    aggs: Ring<AggTrade>,
    aggregating: Option<AggTrade>,
    fundings: Ring<(Time, Bps, RefPrice)>,
    mark: MarkPrice,
    /// Average of the premium of mark over index, millionths.
    premium_ppm: i64,
    last_price: Option<Price>,
    next_trade: u64,
    next_agg: u64,
    /// Trade, aggregated-trade and update ids below these are covered by the journal.
    reserved: Reserved,
    /// Restored orders are still to be put behind the market's own liquidity.
    requeue: bool,
}

/// Ids that a stored row has set aside.
#[derive(Clone, Copy, Default)]
struct Reserved {
    trade: u64,
    agg: u64,
    update: u64,
}

/// A venue of linear perpetual contracts with its accounts.
///
/// # Bounds
/// Everything that it keeps is bounded by [`crate::limits`]. Open orders are never dropped: limits act when an order is
/// admitted. Histories drop their oldest entries.
pub struct Venue {
    markets: Vec<Market>,   // tidy: bounded by INSTRUMENTS_MAX, made once
    accounts: Vec<Account>, // tidy: bounded by ACCOUNTS_MAX, made once
    open: Map<u64, OrderRow>,
    now: Time,
    begun: bool,
    next_tick: Time,
    next_second: Time,
    next_minute: Time,
    next_funding: Time,
    next_keep: Time,
    funding_interval: Duration,
    lag_max: Option<Duration>,
    next_order: u64,
    reserved_orders: u64,
    journal: Journal,
    commits: u64,
    step: Step,
    /// What a source's step did, kept for its memory; empty between steps.
    scratch: Vec<SourceEvent>, // tidy: bounded by one step of a source: twice the levels of its book
}

impl Venue {
    /// Opens a venue. Nothing happens before the first [`Venue::advance`] or command.
    ///
    /// # Errors
    /// A configuration that cannot work.
    pub fn new(config: VenueConfig) -> Result<Self, ConfigError> {
        let VenueConfig { markets: specs, accounts: owners, start, funding_interval, leverage, journal, lag_max } = config;
        let quote = specs.first().ok_or(ConfigError::NoInstrument)?.instrument.quote;
        if specs.len() > INSTRUMENTS_MAX {
            return Err(ConfigError::TooManyInstruments(specs.len()));
        }
        if owners.len() > ACCOUNTS_MAX {
            return Err(ConfigError::TooManyAccounts(owners.len()));
        }
        let funding_ms = funding_interval.as_millis();
        if funding_ms == 0 || !funding_ms.is_multiple_of(1_000) || u64::try_from(funding_ms).is_err() {
            return Err(ConfigError::FundingInterval);
        }
        let mut markets: Vec<Market> = Vec::with_capacity(specs.len());
        for spec in specs {
            let symbol = spec.instrument.symbol;
            if markets.iter().any(|m| m.instrument.symbol == symbol) {
                return Err(ConfigError::SymbolTwice(symbol));
            }
            if spec.instrument.quote != quote {
                return Err(ConfigError::Settlement { symbol, found: spec.instrument.quote, expected: quote });
            }
            markets.push(Market::new(spec, start)?);
        }
        Replay::align(markets.iter_mut().filter_map(|m| match &mut m.source {
            MarketSource::Replay(replay) => (!replay.is_live()).then_some(&mut **replay),
            MarketSource::Generator(_) | MarketSource::Empty => None,
        }));
        let mut accounts: Vec<Account> = Vec::with_capacity(owners.len());
        for owner in &owners {
            if accounts.iter().any(|a| a.name == owner.name) {
                return Err(ConfigError::AccountTwice(owner.name));
            }
            let leverages = |m: usize| leverage.clamp(1, markets.get(m).map_or(1, Market::leverage_max));
            accounts.push(Account::new(owner, markets.len(), leverages));
        }
        let line = Map::<u64, OrderRow>::line("sim.open", OPEN_TOTAL_MAX, WhenFull::Refuse, Class::MustKeep);
        Ok(Self {
            markets,
            accounts,
            open: Map::new(Grant::detached(line)),
            now: start,
            begun: false,
            next_tick: start,
            next_second: start,
            next_minute: start,
            next_funding: start,
            next_keep: start,
            funding_interval,
            lag_max,
            next_order: 1,
            reserved_orders: 0,
            journal,
            commits: 0,
            step: Step::default(),
            scratch: Vec::new(),
        })
    }

    /// The accounts' names in order: a name's place is its [`AccountId`].
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = Name> + '_ {
        self.accounts.iter().map(|a| a.name)
    }

    /// The contracts in configured order.
    pub fn instruments(&self) -> impl ExactSizeIterator<Item = &Instrument> + '_ {
        self.markets.iter().map(|m| &m.instrument)
    }

    /// One contract.
    ///
    /// # Errors
    /// A symbol that is not listed.
    pub fn instrument(&self, symbol: Symbol) -> Result<&Instrument, VenueError> {
        self.market(symbol).map(|m| &m.instrument)
    }

    /// The brackets of a contract, in growing order.
    ///
    /// # Errors
    /// A symbol that is not listed.
    pub fn brackets(&self, symbol: Symbol) -> Result<&[Bracket], VenueError> {
        self.market(symbol).map(|m| m.brackets.as_slice())
    }

    /// The venue's time: the latest that it was told.
    pub const fn now(&self) -> Time {
        self.now
    }

    fn find(&self, symbol: Symbol) -> Result<usize, VenueError> {
        self.markets.iter().position(|m| m.instrument.symbol == symbol).ok_or(VenueError::UnknownSymbol)
    }

    fn market(&self, symbol: Symbol) -> Result<&Market, VenueError> {
        self.markets.iter().find(|m| m.instrument.symbol == symbol).ok_or(VenueError::UnknownSymbol)
    }

    fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(usize::from(account.0))
    }

    fn account_mut(&mut self, account: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(usize::from(account.0))
    }

    fn position_mut(&mut self, account: AccountId, market: usize) -> Option<&mut Position> {
        self.account_mut(account)?.positions.get_mut(market)
    }

    /// Changes a market's book; a market that is not there has none.
    fn book_mut<T>(&mut self, market: usize, change: impl FnOnce(&mut MatchBook) -> T) -> Option<T> {
        self.markets.get_mut(market).map(|m| change(&mut m.book))
    }

    fn next_id(&mut self) -> u64 {
        let id = self.next_order;
        self.next_order += 1;
        id
    }

    fn next_trade_id(&mut self, market: usize) -> u64 {
        let Some(m) = self.markets.get_mut(market) else { return 0 };
        let id = m.next_trade;
        m.next_trade += 1;
        id
    }

    fn open_by_client(&self, account: AccountId, client_id: &str) -> Option<&OrderRow> {
        self.open.values().find(|row| row.account == account && row.client_id.as_str() == client_id)
    }

    fn find_open(&self, account: AccountId, symbol: Symbol, order: OrderRef) -> Option<OrderRow> {
        let row = match order {
            OrderRef::Id(id) => self.open.get(&id),
            OrderRef::Client(text) => self.open_by_client(account, &text),
        };
        row.copied().filter(|row| row.account == account && row.symbol == symbol)
    }

    fn finished_row(&self, account: AccountId, order_id: u64) -> Option<OrderRow> {
        self.account(account)?.finished.iter().rev().find(|row| row.order_id == order_id).copied()
    }

    /// Ends an open order: out of the book, told, remembered as finished.
    fn finish(&mut self, order_id: u64, status: OrderStatus, execution: Execution) -> Option<OrderRow> {
        let now = self.now;
        let row = self.open.get_mut(&order_id)?;
        row.status = status;
        row.updated = now;
        let row = *row;
        if let Ok(market) = self.find(row.symbol) {
            self.book_mut(market, |book| book.leave(row.side, row.price, order_id));
        }
        self.tell_order(order_id, execution, None);
        self.retire(order_id)
    }

    /// Moves an order from the open ones to the finished ones.
    fn retire(&mut self, order_id: u64) -> Option<OrderRow> {
        let row = self.open.remove(&order_id)?;
        if let Some(account) = self.account_mut(row.account) {
            account.finished.roll(row);
        }
        Some(row)
    }
}

impl Market {
    fn new(spec: MarketSpec, start: Time) -> Result<Self, ConfigError> {
        let MarketSpec { instrument, brackets, source } = spec;
        let symbol = instrument.symbol;
        let brackets = if brackets.is_empty() { default_brackets() } else { brackets };
        let ordered = brackets.is_sorted_by(|a, b| {
            a.notional_max < b.notional_max
                && a.leverage_max > b.leverage_max
                && a.maintenance <= b.maintenance
                && a.deduction <= b.deduction
        });
        if !ordered || brackets.len() > BRACKETS_MAX {
            return Err(ConfigError::Brackets(symbol));
        }
        let levels = match &source {
            SourceSpec::Generator(_) | SourceSpec::Empty => GENERATED_LEVELS_MAX,
            SourceSpec::Replay(_) | SourceSpec::Live(_) => REPLAYED_LEVELS_MAX,
        };
        let source = match source {
            SourceSpec::Generator(spec) => {
                check_speed(spec.speed_milli)?;
                let price = spec.start_price;
                if price.is_zero() || price < instrument.price_min || price > instrument.price_max {
                    return Err(ConfigError::StartPrice(symbol));
                }
                MarketSource::Generator(Box::new(Generator::new(spec, &instrument, start)))
            }
            SourceSpec::Replay(spec) => {
                check_speed(spec.speed_milli)?;
                MarketSource::Replay(Box::new(Replay::new(spec, &instrument, start)))
            }
            SourceSpec::Live(lines) => MarketSource::Replay(Box::new(Replay::live(lines, &instrument, start))),
            SourceSpec::Empty => MarketSource::Empty,
        };
        let mark = MarkPrice { mark: RefPrice::ZERO, index: RefPrice::ZERO, funding: None, next_funding: Time::ZERO, time: start };
        Ok(Self {
            instrument,
            brackets: brackets.into_iter().collect(),
            source,
            book: MatchBook::new(symbol.as_str(), levels),
            candles: Candles::new(symbol.as_str()),
            trades: ring("sim.public_trades", symbol),
            aggs: ring("sim.agg_trades", symbol),
            aggregating: None,
            fundings: ring("sim.fundings", symbol),
            mark,
            premium_ppm: 0,
            last_price: None,
            next_trade: 1,
            next_agg: 1,
            reserved: Reserved::default(),
            requeue: false,
        })
    }
}

fn check_speed(milli: u32) -> Result<(), ConfigError> {
    if (1..=2_000_000).contains(&milli) { Ok(()) } else { Err(ConfigError::Speed(milli)) }
}

fn ring<T>(what: &str, symbol: Symbol) -> Ring<T> {
    let name = format!("{what}/{symbol}");
    Ring::new(Grant::detached(Line::of::<T>(&name, PUBLIC_TRADES_MAX, WhenFull::DropOldest, Class::BestEffort)))
}
