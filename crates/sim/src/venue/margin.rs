//! Margin: what positions and orders bind, when an account is liquidated, and funding.
//!
//! Cross margin over all symbols. A symbol's initial margin is the largest of what the position is worth now, with all
//! opening buys filled, and with all opening sells filled, divided by the leverage.

use core::fmt::Write;
use plimsoll_market::{Bps, Instrument, Notional, OrderStatus, OrderType, Price, Qty, RefPrice, Round, Side, Symbol, Time};

use super::types::{
    AccountEvent, AccountId, BalanceRow, Bracket, ClientText, Execution, IncomeKind, OrderRow, Origin, PositionRow, Reason, SelfTrade,
    Sink, Tif,
};
use super::{Market, Venue};
use crate::error::VenueError;

/// Parts per million in one.
const PPM: i128 = 1_000_000;

/// Brackets of a contract about which nothing else is known: those of Binance's BTCUSDT in 2024, the first four.
pub fn default_brackets() -> Vec<Bracket> {
    let usdt = |n: i128| n * 100_000_000;
    let rows = [(50_000, 125, 4_000, 0), (600_000, 100, 5_000, 50), (3_000_000, 75, 6_500, 950), (12_000_000, 50, 10_000, 11_450)];
    let more = [(70_000_000, 25, 20_000, 131_450), (100_000_000, 20, 25_000, 481_450), (230_000_000, 10, 50_000, 2_981_450)];
    let bracket = |&(max, leverage_max, ppm, deduction): &(i128, u16, i32, i128)| Bracket {
        notional_max: usdt(max),
        leverage_max,
        maintenance: Bps::from_ppm(ppm),
        deduction: usdt(deduction),
    };
    rows.iter().chain(more.iter()).map(bracket).collect()
}

/// What a symbol binds of an account, units of 1e-8.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bound {
    /// Signed value of the position at the mark price.
    pub notional: i128,
    pub unrealized: i128,
    /// Largest value that position and orders can come to.
    pub worst: i128,
    pub initial: i128,
    pub of_orders: i128,
    pub maintenance: i128,
}

/// Orders that are not there yet, as if they were.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extra {
    pub bids: Notional,
    pub asks: Notional,
}

impl Market {
    /// The price that values positions: the mark, else the last trade, else nothing.
    pub(crate) fn valuation(&self) -> RefPrice {
        if self.mark.mark != RefPrice::ZERO {
            return self.mark.mark;
        }
        self.last_price.map_or(RefPrice::ZERO, |price| self.instrument.ref_price(price))
    }

    pub(crate) fn notional_max(&self, leverage: u16) -> i128 {
        self.brackets.iter().filter(|b| b.leverage_max >= leverage).map(|b| b.notional_max).max().unwrap_or(0)
    }

    pub(crate) fn leverage_max(&self) -> u16 {
        self.brackets.iter().map(|b| b.leverage_max).max().unwrap_or(1)
    }

    fn bracket(&self, value: i128) -> Option<&Bracket> {
        self.brackets.iter().find(|b| value <= b.notional_max).or(self.brackets.last())
    }
}

/// A value at 1e-8 rounded to the nearest.
fn money(instrument: &Instrument, notional: Notional) -> i128 {
    instrument.amount(notional, Round::Nearest).map_or(0, |a| a.units)
}

/// A signed quantity at a reference price, units of 1e-8, rounded to the nearest.
fn value_at(instrument: &Instrument, price: RefPrice, units: i64) -> i128 {
    let product = i128::from(price.units()) * i128::from(units);
    plimsoll_market::rescale(product, instrument.qty_scale, 0, Round::Nearest).unwrap_or(0)
}

/// Why a position is closed by force.
#[derive(Clone, Copy)]
enum Force {
    /// Its account ran out of margin: all of it goes to the market.
    Liquidate,
    /// Somebody else's bankruptcy needs it: so much of it, past the market.
    Deleverage(Qty),
}

impl Venue {
    pub(crate) fn bound(&self, account: AccountId, market: usize, extra: Extra, leverage: Option<u16>) -> Bound {
        let (Some(held), Some(m)) = (self.account(account), self.markets.get(market)) else { return Bound::default() };
        let Some(position) = held.positions.get(market) else { return Bound::default() };
        let bids = money(&m.instrument, m.book.value_of(Side::Buy, account, true) + extra.bids);
        let asks = money(&m.instrument, m.book.value_of(Side::Sell, account, true) + extra.asks);
        if position.holding.is_flat() && bids == 0 && asks == 0 {
            return Bound::default();
        }
        let cost = money(&m.instrument, position.cost);
        let notional = match m.valuation() {
            RefPrice::ZERO => cost,
            mark => value_at(&m.instrument, mark, position.holding.units()),
        };
        let worst = notional.abs().max((notional + bids).abs()).max((notional - asks).abs());
        let leverage = i128::from(leverage.unwrap_or(position.leverage).max(1));
        // Rounded up: margin is never a unit short.
        let initial = (worst + leverage - 1) / leverage;
        let of_position = (notional.abs() + leverage - 1) / leverage;
        let maintenance = m
            .bracket(notional.abs())
            .map_or(0, |b| ((notional.abs() * i128::from(b.maintenance.ppm()) + PPM - 1) / PPM - b.deduction).max(0));
        Bound { notional, unrealized: notional - cost, worst, initial, of_orders: initial - of_position, maintenance }
    }

    /// The money of an account as it stands; `available` unfloored.
    pub(crate) fn money_of(&self, account: AccountId) -> BalanceRow {
        let (wallet, coin, updated) = self.account(account).map_or((0, 0, Time::ZERO), |a| (a.wallet, a.coin, a.updated));
        let mut sum = BalanceRow {
            wallet,
            coin,
            unrealized: 0,
            initial_margin: 0,
            position_margin: 0,
            order_margin: 0,
            maintenance: 0,
            available: 0,
            updated,
        };
        for market in 0..self.markets.len() {
            let bound = self.bound(account, market, Extra::default(), None);
            sum.unrealized += bound.unrealized;
            sum.initial_margin += bound.initial;
            sum.order_margin += bound.of_orders;
            sum.position_margin += bound.initial - bound.of_orders;
            sum.maintenance += bound.maintenance;
        }
        sum.available = sum.wallet + sum.unrealized - sum.initial_margin;
        sum
    }

    /// Whether an account may bind the margin of more orders.
    pub(crate) fn check_margin(&self, account: AccountId, market: usize, extra: Extra) -> Result<(), VenueError> {
        let (Some(held), Some(m)) = (self.account(account), self.markets.get(market)) else { return Err(VenueError::UnknownAccount) };
        let before = self.bound(account, market, Extra::default(), None);
        let after = self.bound(account, market, extra, None);
        if after.worst <= before.worst {
            return Ok(());
        }
        let max = m.notional_max(held.positions.get(market).map_or(1, |p| p.leverage));
        if after.worst > max {
            return Err(VenueError::PositionLimit { max });
        }
        let (needed, available) = (after.initial - before.initial, self.money_of(account).available);
        if needed > available { Err(VenueError::InsufficientMargin { needed, available }) } else { Ok(()) }
    }

    pub(crate) fn position_row(&self, account: AccountId, market: usize) -> Option<PositionRow> {
        let (held, m) = (self.account(account)?, self.markets.get(market)?);
        let position = held.positions.get(market)?;
        let bound = self.bound(account, market, Extra::default(), None);
        let positive = if position.cost < Notional::ZERO { -position.cost } else { position.cost };
        let entry = m.instrument.average(positive, position.holding.qty());
        let both_ways = i128::from(entry.units()) * 2 * i128::from(m.instrument.taker_fee.ppm()) / PPM;
        let both_ways = i64::try_from(both_ways).unwrap_or(0) * position.holding.units().signum();
        Some(PositionRow {
            symbol: m.instrument.symbol,
            holding: position.holding,
            cost: position.cost,
            entry,
            break_even: RefPrice::from_units(entry.units() + both_ways),
            mark: m.valuation(),
            unrealized: bound.unrealized,
            realized: money(&m.instrument, position.realized),
            notional: bound.notional,
            initial_margin: bound.initial,
            order_margin: bound.of_orders,
            maintenance: bound.maintenance,
            liquidation: self.liquidation_price(account, market, &bound),
            leverage: position.leverage,
            notional_max: m.notional_max(position.leverage),
            margin: position.margin,
            updated: position.updated,
        })
    }

    /// Solves `wallet + other + p·h − cost = |h|·p·rate − deduction` for p.
    fn liquidation_price(&self, account: AccountId, market: usize, bound: &Bound) -> RefPrice {
        let (Some(m), Some(held)) = (self.markets.get(market), self.account(account)) else { return RefPrice::ZERO };
        let Some(position) = held.positions.get(market).filter(|p| !p.holding.is_flat()) else { return RefPrice::ZERO };
        let Some(bracket) = m.bracket(bound.notional.abs()) else { return RefPrice::ZERO };
        let money_all = self.money_of(account);
        let others = money_all.wallet + money_all.unrealized - bound.unrealized - (money_all.maintenance - bound.maintenance);
        let above = money(&m.instrument, position.cost) - others - bracket.deduction;
        let holding = i128::from(position.holding.units());
        let slope = holding * PPM - holding.abs() * i128::from(bracket.maintenance.ppm());
        let scale = 10_i128.pow(u32::from(m.instrument.qty_scale)) * PPM;
        let price = above.checked_mul(scale).and_then(|n| n.checked_div(slope)).unwrap_or(0);
        i64::try_from(price).ok().filter(|p| *p > 0).map_or(RefPrice::ZERO, RefPrice::from_units)
    }

    /// Looks after every account's margin: warns, and liquidates whoever is below maintenance.
    pub(crate) fn watch_margins(&mut self, out: &mut Sink<'_>) {
        for index in 0..self.accounts.len() {
            let account = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            let exposed = self.account(account).is_some_and(|a| a.positions.iter().any(|p| !p.holding.is_flat()));
            if !exposed {
                continue;
            }
            let money = self.money_of(account);
            let balance = money.wallet + money.unrealized;
            let short = balance * 4 < money.maintenance * 5;
            if balance < money.maintenance {
                self.liquidate(account, out);
            } else if short && !self.account(account).is_some_and(|a| a.warned) {
                let heaviest = (0..self.markets.len()).filter_map(|m| self.position_row(account, m)).max_by_key(|p| p.maintenance);
                if let Some(position) = heaviest {
                    self.tell(account, AccountEvent::MarginCall { wallet: money.wallet, position, time: self.now });
                }
            }
            if let Some(held) = self.account_mut(account) {
                held.warned = short;
            }
        }
    }

    /// Withdraws all orders, closes all positions at market, and lets the insurance fund cover what is below zero.
    fn liquidate(&mut self, account: AccountId, out: &mut Sink<'_>) {
        if let Some(held) = self.account_mut(account) {
            held.liquidating = true;
        }
        for market in 0..self.markets.len() {
            self.cancel_all_of(account, market);
            self.close_by_force(account, market, Force::Liquidate, out);
        }
        let Some(held) = self.account_mut(account) else { return };
        held.liquidating = false;
        let missing = -held.wallet;
        if missing > 0 {
            // No one symbol is to blame in cross margin; the entry is kept under the first.
            self.receive(account, 0, IncomeKind::InsuranceClear, missing);
            let wallet = self.account(account).map_or(0, |a| a.wallet);
            let event = AccountEvent::Account { reason: Reason::InsuranceClear, wallet, change: missing, position: None, time: self.now };
            self.tell(account, event);
        }
    }

    /// Closes an account's whole holdings by force, as when its margin runs out.
    ///
    /// # Errors
    /// An account that is not there.
    pub fn liquidate_now(&mut self, now: Time, account: AccountId, out: &mut Sink<'_>) -> Result<(), VenueError> {
        self.run_to(now, out);
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        self.liquidate(account, out);
        for market in 0..self.markets.len() {
            self.settle(market, out);
        }
        Ok(())
    }

    /// Takes up to `qty` of a position over at the mark price, as when the insurance fund cannot bear somebody else's loss.
    /// Without a position nothing happens.
    ///
    /// # Errors
    /// An account or symbol that is not there.
    pub fn deleverage(&mut self, now: Time, account: AccountId, symbol: Symbol, qty: Qty, out: &mut Sink<'_>) -> Result<(), VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        self.account(account).ok_or(VenueError::UnknownAccount)?;
        self.close_by_force(account, market, Force::Deleverage(qty), out);
        self.settle(market, out);
        Ok(())
    }

    fn close_by_force(&mut self, account: AccountId, market: usize, force: Force, out: &mut Sink<'_>) {
        let (Some(held), Some(m)) = (self.account(account), self.markets.get(market)) else { return };
        let Some(position) = held.positions.get(market) else { return };
        let Some(side) = position.holding.side().map(Side::opposite) else { return };
        let (all, symbol, now) = (position.holding.qty(), m.instrument.symbol, self.now);
        let (qty, origin, name) = match force {
            Force::Liquidate => (all, Origin::Liquidation, "autoclose"),
            Force::Deleverage(qty) => (all.min(qty), Origin::Adl, "adl_autoclose"),
        };
        if qty.is_zero() {
            return;
        }
        let mark = m.instrument.price_of_ref(m.valuation(), Round::Nearest).unwrap_or(Price::ZERO);
        let order_id = self.next_id();
        let mut client_id = ClientText::new();
        // 14 letters and at most 20 digits always fit.
        if write!(client_id, "{name}-{order_id}").is_err() {
            client_id.clear();
        }
        let row = OrderRow {
            order_id,
            account,
            symbol,
            client_id,
            side,
            kind: OrderType::Market,
            tif: Tif::Ioc,
            price: Price::ZERO,
            qty,
            filled: Qty::ZERO,
            cost: Notional::ZERO,
            reduce_only: true,
            self_trade: SelfTrade::ExpireMaker,
            status: OrderStatus::New,
            in_match: false,
            origin,
            amends: 0,
            created: now,
            updated: now,
        };
        if self.open.insert(order_id, row).is_err() {
            return; // The venue is full of orders; the next look, a second later, tries again.
        }
        self.tell_order(order_id, Execution::New, None);
        if origin == Origin::Liquidation {
            self.take(market, side, qty, None, Some(order_id), out);
        }
        let left = self.open.get(&order_id).map_or(Qty::ZERO, OrderRow::remaining);
        if !left.is_zero() && !mark.is_zero() {
            // What the book cannot take the insurance fund takes over at the mark price, and deleveraging the bankrupt account:
            // it is no trade of the market.
            let trade_id = self.next_trade_id(market);
            self.fill(market, order_id, super::matching::Fill { price: mark, qty: left, maker: false, trade_id });
        }
        self.finish(order_id, OrderStatus::Expired, Execution::Expired);
    }

    /// Pays funding between every position and the venue.
    pub(crate) fn pay_funding(&mut self, market: usize) {
        let Some(m) = self.markets.get_mut(market) else { return };
        let (rate, mark, time) = (m.mark.funding.unwrap_or_default(), m.valuation(), self.now);
        m.fundings.roll((time, rate, mark));
        let instrument = m.instrument;
        for index in 0..self.accounts.len() {
            let account = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            let Some(position) = self.account(account).and_then(|a| a.positions.get(market)) else { continue };
            if position.holding.is_flat() {
                continue;
            }
            let value = value_at(&instrument, mark, position.holding.units());
            // A positive rate is paid by the long side. Six more digits, then back, rounded to the nearest.
            let amount = plimsoll_market::rescale(-value * i128::from(rate.ppm()), 6, 0, Round::Nearest).unwrap_or(0);
            self.receive(account, market, IncomeKind::FundingFee, amount);
            let wallet = self.account(account).map_or(0, |a| a.wallet);
            self.tell(account, AccountEvent::Account { reason: Reason::FundingFee, wallet, change: amount, position: None, time });
        }
    }

    /// Books income that is neither profit nor commission.
    fn receive(&mut self, account: AccountId, market: usize, kind: IncomeKind, amount: i128) {
        let time = self.now;
        let Some(symbol) = self.markets.get(market).map(|m| m.instrument.symbol) else { return };
        let Some(held) = self.account_mut(account) else { return };
        held.receive(kind, amount, time);
        self.note_income(account, symbol, kind, amount, None);
        self.step.touch_wallet(account);
    }

    /// Whether an account pays its fees in the exchange's own coin ([`crate::limits::COIN`]), as long as it has any.
    ///
    /// # Errors
    /// An unknown account.
    pub fn set_burn(&mut self, account: AccountId, burn: bool) -> Result<(), VenueError> {
        self.account_mut(account).ok_or(VenueError::UnknownAccount)?.burn = burn;
        self.step.touch_wallet(account);
        Ok(())
    }

    /// Sets leverage.
    ///
    /// # Errors
    /// Out of range, too little margin for it, or an isolated position.
    pub fn set_leverage(
        &mut self,
        now: Time,
        account: AccountId,
        symbol: Symbol,
        leverage: u16,
        out: &mut Sink<'_>,
    ) -> Result<i128, VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        let (Some(m), Some(held)) = (self.markets.get(market), self.account(account)) else { return Err(VenueError::UnknownAccount) };
        if leverage < 1 || leverage > m.leverage_max() {
            return Err(VenueError::BadLeverage { leverage });
        }
        let max = m.notional_max(leverage);
        let Some(position) = held.positions.get(market) else { return Err(VenueError::UnknownAccount) };
        if leverage < position.leverage && position.margin == super::MarginType::Isolated && !position.holding.is_flat() {
            return Err(VenueError::IsolatedLeverage);
        }
        let (before, after) =
            (self.bound(account, market, Extra::default(), None), self.bound(account, market, Extra::default(), Some(leverage)));
        if after.worst > max {
            return Err(VenueError::PositionLimit { max });
        }
        if after.initial > before.initial && after.initial - before.initial > self.money_of(account).available {
            return Err(VenueError::LeverageMargin);
        }
        let time = self.now;
        if let Some(position) = self.position_mut(account, market)
            && position.leverage != leverage
        {
            position.leverage = leverage;
            self.step.touch_position(account, market);
            self.tell(account, AccountEvent::Leverage { symbol, leverage, time });
        }
        self.commit(out);
        Ok(max)
    }

    /// Sets the margin type. It is kept and reported; the arithmetic stays cross.
    ///
    /// # Errors
    /// Unchanged, or the symbol has open orders or a position.
    pub fn set_margin_type(
        &mut self,
        now: Time,
        account: AccountId,
        symbol: Symbol,
        margin: super::MarginType,
        out: &mut Sink<'_>,
    ) -> Result<(), VenueError> {
        self.run_to(now, out);
        let market = self.find(symbol)?;
        let orders = self.markets.get(market).map_or(0, |m| m.book.count_of(account));
        let Some(position) = self.position_mut(account, market) else { return Err(VenueError::UnknownAccount) };
        if position.margin == margin {
            return Err(VenueError::MarginTypeUnchanged);
        }
        if orders > 0 {
            return Err(VenueError::MarginTypeOrders);
        }
        if !position.holding.is_flat() {
            return Err(VenueError::MarginTypePosition);
        }
        position.margin = margin;
        self.step.touch_position(account, market);
        self.commit(out);
        Ok(())
    }

    /// Sets the position mode. This venue keeps one-way accounts only, so hedge mode is refused.
    ///
    /// # Errors
    /// Always: unchanged, with open orders, with a position, or unsupported.
    pub fn set_hedge_mode(&mut self, now: Time, account: AccountId, hedge: bool, out: &mut Sink<'_>) -> Result<(), VenueError> {
        self.run_to(now, out);
        let Some(held) = self.account(account) else { return Err(VenueError::UnknownAccount) };
        if !hedge {
            Err(VenueError::PositionModeUnchanged)
        } else if self.markets.iter().any(|m| m.book.count_of(account) > 0) {
            Err(VenueError::PositionModeOrders)
        } else if held.positions.iter().any(|p| !p.holding.is_flat()) {
            Err(VenueError::PositionModePosition)
        } else {
            Err(VenueError::HedgeUnsupported)
        }
    }
}
