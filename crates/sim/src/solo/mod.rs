//! One account on one market that is told from outside, for replays of long histories.
//!
//! [`crate::venue::Venue`] is a whole exchange: many accounts, their histories, candles, ids, rows to be stored. Who replays a
//! year of recorded levels and trades needs none of it, and pays for it with every event. [`Solo`] keeps the recorded book, the
//! orders of one account in their queues, its position and its money, by the same rules and to the same unit: an event that
//! reaches none of its orders costs a look at a mask. It remembers nothing that grows.
//!
//! What is told is the recorded market, which does not react to the account's orders but for the quantity that they take.

mod book;
mod matching;
mod money;
mod path;

use crate::limits::{BRACKETS_MAX, SOLO_ORDERS_MAX};
use crate::venue::{Bracket, default_brackets};
use arrayvec::ArrayVec;
use book::Ladder;
use plimsoll_market::{
    ClientId, FundingPayment, Holding, Instrument, Notional, OrderReport, OrderType, Price, Qty, RefPrice, Side, Time, TimeInForce, Top,
};

pub use money::{SoloMoney, SoloSums};

/// Who of a level's queue is meant when part of it goes without a trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueModel {
    /// Whoever stands behind us, as long as there is anybody: an order moves forward by trades alone.
    RiskAverse,
    /// Ahead and behind in the proportion of their sizes, each to this power, 1 to 8: the larger it is, the more surely the
    /// larger part loses.
    Probability {
        /// The power.
        power: u8,
    },
}

/// What a [`Solo`] begins with.
#[derive(Clone, Debug)]
pub struct SoloConfig {
    /// The contract, with its fees and filters.
    pub instrument: Instrument,
    /// Brackets in growing order; empty means [`default_brackets`].
    pub brackets: Vec<Bracket>, // tidy: bounded by BRACKETS_MAX, cut when it is taken
    /// Money, units of 1e-8 of the quote asset.
    pub wallet: i128,
    /// Leverage; cut to what the brackets allow.
    pub leverage: u16,
    /// How queues are judged.
    pub queue: QueueModel,
}

/// What the account is told, in the order it happened.
#[expect(clippy::large_enum_variant, reason = "lives for one call")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// An order changed, perhaps by a fill.
    Order(OrderReport),
    /// The wallet is this now, units of 1e-8 of the quote asset.
    Wallet(i128),
    /// Funding was paid or received.
    Funding(FundingPayment),
    /// Margin runs short.
    MarginCall,
    /// The account ran out of margin; its orders were withdrawn and its position was closed.
    Liquidated,
}

/// How much of the market is known beside its trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    /// Levels: what is not there is empty.
    Levels,
    /// The top alone.
    Top,
    /// Trades or candles alone: bid and ask are a tick apart around the last price.
    Prices,
}

/// Quantity ahead in the queue that nobody knows: only a trade beyond the price fills.
const UNKNOWN: u64 = u64::MAX;

/// An order of the account at the exchange.
#[derive(Clone, Copy, Debug)]
struct Own {
    /// `None` for what the exchange places to close a position by force.
    id: Option<ClientId>,
    order_id: u64,
    side: Side,
    price: Price,
    qty: Qty,
    filled: Qty,
    cost: Notional,
    kind: OrderType,
    tif: TimeInForce,
    reduce_only: bool,
    /// Quantity that came before it and still waits, or [`UNKNOWN`].
    ahead: u64,
    /// What was traded at its price since the level was last told.
    traded: u64,
}

impl Own {
    fn remaining(&self) -> Qty {
        self.qty.saturating_sub(self.filled)
    }
}

/// One account on one recorded market.
///
/// Tell it what happened with [`Solo::level`], [`Solo::ticker`], [`Solo::trade`], [`Solo::mark`], [`Solo::fund`] or, of candles,
/// [`Solo::travel`], and end every message with [`Solo::settle`]: only then bid and ask stand as the exchange meant them.
///
/// # Bounds
/// [`SOLO_ORDERS_MAX`] orders and the levels of one book; nothing grows.
#[derive(Clone, Debug)]
pub struct Solo {
    instrument: Instrument,
    brackets: ArrayVec<Bracket, BRACKETS_MAX>,
    leverage: u16,
    queue: QueueModel,
    ladder: Ladder,
    seen: Seen,
    orders: ArrayVec<Own, SOLO_ORDERS_MAX>,
    /// Bits of the prices of all orders: most events miss it.
    bloom: u64,
    /// Their prices in the same order, negative for sells: what is looked through when the bits do not miss.
    keys: ArrayVec<i64, SOLO_ORDERS_MAX>,
    /// Highest own bid and lowest own ask.
    best_bid: i64,
    best_ask: i64,
    holding: Holding,
    cost: Notional,
    sums: SoloSums,
    wallet: i128,
    mark: RefPrice,
    last: Price,
    told: Option<Top>,
    /// Bid and ask as the last bare trade shows them.
    learned: Option<(Price, Price)>,
    dirty: bool,
    /// What a level offered at a price-only market, for tops.
    shown: Qty,
    /// What turns units of a notional and of a price into money and reference prices, and what a whole quantity is.
    scales: money::Scales,
    /// What the position cost, units of 1e-8.
    cost_money: i128,
    /// Where it would be liquidated, by the bracket that it was in when it last changed.
    ruin: RefPrice,
    /// Valuations beyond these are looked at exactly.
    watch: (i64, i64),
    warned: bool,
    liquidations: u32,
    next_order: u64,
    next_trade: u64,
    now: Time,
}

impl Solo {
    /// Makes the account; the market is empty.
    pub fn new(config: SoloConfig) -> Self {
        let brackets = if config.brackets.is_empty() { default_brackets() } else { config.brackets };
        let brackets: ArrayVec<Bracket, BRACKETS_MAX> = brackets.into_iter().take(BRACKETS_MAX).collect();
        let most = brackets.iter().map(|b| b.leverage_max).max().unwrap_or(1);
        Self {
            instrument: config.instrument,
            brackets,
            leverage: config.leverage.clamp(1, most),
            queue: config.queue,
            ladder: Ladder::new(config.instrument.tick),
            seen: Seen::Prices,
            orders: ArrayVec::new(),
            bloom: 0,
            keys: ArrayVec::new(),
            best_bid: i64::MIN,
            best_ask: i64::MAX,
            holding: Holding::FLAT,
            cost: Notional::ZERO,
            sums: SoloSums { deposited: config.wallet, ..SoloSums::default() },
            wallet: config.wallet,
            mark: RefPrice::ZERO,
            last: Price::ZERO,
            told: None,
            learned: None,
            dirty: false,
            shown: Qty::ZERO,
            scales: money::Scales::new(&config.instrument),
            cost_money: 0,
            ruin: RefPrice::ZERO,
            watch: (i64::MIN, i64::MAX),
            warned: false,
            liquidations: 0,
            next_order: 1,
            next_trade: 1,
            now: Time::ZERO,
        }
    }

    /// The contract.
    pub const fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// Leverage that is set.
    pub const fn leverage(&self) -> u16 {
        self.leverage
    }

    /// The top as it was last settled.
    pub const fn top(&self) -> Option<&Top> {
        self.told.as_ref()
    }

    /// Size and direction of the position.
    pub const fn holding(&self) -> Holding {
        self.holding
    }

    /// How often the account was liquidated.
    pub const fn liquidations(&self) -> u32 {
        self.liquidations
    }

    /// The last execution's id; zero before the first.
    pub const fn last_trade_id(&self) -> u64 {
        self.next_trade - 1
    }

    /// Levels that were dropped because bid and ask overlapped in the data.
    pub const fn crossed(&self) -> u64 {
        self.ladder.crossed()
    }

    /// Bytes it takes at most.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.ladder.bytes()
    }

    /// The open orders as a snapshot tells them.
    pub fn open(&self) -> impl ExactSizeIterator<Item = OrderReport> + '_ {
        self.orders.iter().map(|own| self.report(own, matching::standing(own), None, plimsoll_market::Source::Query))
    }

    /// How an open order stands; `None` when none is open with this id.
    pub fn find(&self, id: ClientId) -> Option<OrderReport> {
        let own = self.orders.iter().find(|own| own.id == Some(id))?;
        Some(self.report(own, matching::standing(own), None, plimsoll_market::Source::Query))
    }

    /// Open orders.
    pub fn open_count(&self) -> usize {
        self.orders.len()
    }

    fn now(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// A level of the recorded book has this quantity now.
    #[inline]
    pub fn level(&mut self, side: Side, price: Price, qty: Qty) {
        if self.bloom & bit(price) != 0 && self.keys.contains(&key(side, price)) {
            self.queue_changed(side, price, qty);
        }
        self.seen = Seen::Levels;
        self.dirty |= self.ladder.set(side, price, qty);
    }

    /// The best bid and ask are these; nothing better is there.
    pub fn ticker(&mut self, bid: (Price, Qty), ask: (Price, Qty)) {
        if self.seen == Seen::Prices {
            self.seen = Seen::Top;
        }
        let shallow = self.seen == Seen::Top;
        for (side, (price, qty)) in [(Side::Buy, bid), (Side::Sell, ask)] {
            if self.bloom & bit(price) != 0 {
                self.queue_changed(side, price, qty);
            }
            self.ladder.set_top(side, price, qty, shallow);
        }
        self.dirty = true;
    }

    /// The book is not known any more, as at the beginning of a new recording. Orders keep their places.
    pub fn forget(&mut self) {
        self.ladder.clear();
        self.seen = Seen::Prices;
        (self.told, self.learned) = (None, None);
        self.dirty = true;
        for own in &mut self.orders {
            own.ahead = UNKNOWN;
        }
    }

    /// Recounts what most events are compared with.
    fn index(&mut self) {
        (self.bloom, self.best_bid, self.best_ask) = (0, i64::MIN, i64::MAX);
        self.keys.clear();
        for own in &self.orders {
            self.keys.push(key(own.side, own.price));
            self.bloom |= bit(own.price);
            match own.side {
                Side::Buy => self.best_bid = self.best_bid.max(own.price.units()),
                Side::Sell => self.best_ask = self.best_ask.min(own.price.units()),
            }
        }
    }
}

/// Side and price of an order in one number.
#[inline]
const fn key(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => price.units(),
        Side::Sell => -price.units(),
    }
}

/// One of 64 bits for a price.
#[inline]
fn bit(price: Price) -> u64 {
    1 << ((price.units() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58)
}

#[cfg(test)]
mod tests;
