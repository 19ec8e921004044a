//! Matching: who trades with whom, in price-time priority, and what that does to orders and accounts.

use plimsoll_market::{OrderStatus, Price, Qty, Side, Trade, TradeId};

use super::account;
use super::book::{Maker, Resting, at_least};
use super::types::{AccountEvent, AccountId, AggTrade, Execution, MarketEvent, Origin, Reason, SelfTrade, Sink, TradeRow, VenueEvent};
use super::{Market, Venue};
use crate::limits::MATCHES_PER_ORDER_MAX;

/// One side's part of a trade.
#[derive(Clone, Copy)]
pub(crate) struct Fill {
    pub price: Price,
    pub qty: Qty,
    pub maker: bool,
    pub trade_id: u64,
}

impl Market {
    /// Tells a trade to everybody and counts it into candles and aggregated trades.
    fn print(&mut self, trade: Trade, out: &mut Sink<'_>) {
        let symbol = self.instrument.symbol;
        self.last_price = Some(trade.price);
        self.trades.roll(trade);
        let closed = self.candles.push(&trade);
        out(VenueEvent::Market { symbol, event: MarketEvent::Trade(trade) });
        if let Some(candle) = closed {
            out(VenueEvent::Market { symbol, event: MarketEvent::Candle { candle, closed: true } });
        }
        match &mut self.aggregating {
            Some(agg) if (agg.price, agg.taker, agg.time.millis()) == (trade.price, trade.taker, trade.time.millis()) => {
                agg.qty += trade.qty;
                agg.last = trade.id.0;
            }
            _ => {
                self.flush_agg(out);
                let (id, first) = (self.next_agg, trade.id.0);
                self.next_agg += 1;
                self.aggregating =
                    Some(AggTrade { id, price: trade.price, qty: trade.qty, first, last: first, taker: trade.taker, time: trade.time });
            }
        }
    }

    /// Gives out the aggregated trade that is being collected.
    pub(crate) fn flush_agg(&mut self, out: &mut Sink<'_>) {
        if let Some(agg) = self.aggregating.take() {
            self.aggs.roll(agg);
            out(VenueEvent::Market { symbol: self.instrument.symbol, event: MarketEvent::AggTrade(agg) });
        }
    }
}

impl Venue {
    /// Takes up to `qty` at `limit` or better from the side opposite to `side`, for an order of an account or for the
    /// outside. Returns what was taken.
    pub(crate) fn take(
        &mut self,
        market: usize,
        side: Side,
        qty: Qty,
        limit: Option<Price>,
        taker: Option<u64>,
        out: &mut Sink<'_>,
    ) -> Qty {
        let from = side.opposite();
        let mut taken = Qty::ZERO;
        for _ in 0..MATCHES_PER_ORDER_MAX {
            let left = self.wanted(market, side, qty.saturating_sub(taken), taker);
            if left.is_zero() {
                break;
            }
            let Some(hit) = self.markets.get(market).and_then(|m| m.book.front(from, limit)) else { break };
            let maker = match hit.maker {
                Maker::Outside(_) => None,
                Maker::Order(resting) => match self.prevent_self_trade(taker, resting) {
                    Meeting::Trade => Some(resting),
                    Meeting::MakerGone => continue,
                    Meeting::TakerDone => break,
                },
            };
            let most = match (hit.maker, maker) {
                (Maker::Outside(there), _) => there,
                (_, Some(resting)) => self.fillable(market, from, &resting),
                (_, None) => Qty::ZERO,
            };
            if most.is_zero() {
                // A reduce-only order with nothing left to reduce leaves the book when it is met.
                let Maker::Order(resting) = hit.maker else { break };
                self.finish(resting.order_id, OrderStatus::Expired, Execution::Expired);
                continue;
            }
            let amount = left.min(most);
            let trade_id = self.trade(market, hit.price, amount, side, out);
            taken += amount;
            match maker {
                None => {
                    self.book_mut(market, |book| book.eat_outside(from, hit.price, amount));
                }
                Some(resting) => self.fill(market, resting.order_id, Fill { price: hit.price, qty: amount, maker: true, trade_id }),
            }
            if let Some(order_id) = taker {
                self.fill(market, order_id, Fill { price: hit.price, qty: amount, maker: false, trade_id });
            }
        }
        taken
    }

    /// What a taker still may take: a reduce-only one never more than its position.
    fn wanted(&self, market: usize, side: Side, left: Qty, taker: Option<u64>) -> Qty {
        let Some(row) = taker.and_then(|id| self.open.get(&id)) else { return if taker.is_some() { Qty::ZERO } else { left } };
        let reducible = self.account(row.account).and_then(|a| a.positions.get(market)).map_or(Qty::ZERO, |p| p.reducible(side));
        if row.reduce_only { left.min(reducible) } else { left }
    }

    /// What a resting order may fill now.
    fn fillable(&self, market: usize, side: Side, resting: &Resting) -> Qty {
        if !resting.reduce_only {
            return resting.remaining;
        }
        let reducible = self.account(resting.account).and_then(|a| a.positions.get(market)).map_or(Qty::ZERO, |p| p.reducible(side));
        resting.remaining.min(reducible)
    }

    fn prevent_self_trade(&mut self, taker: Option<u64>, resting: Resting) -> Meeting {
        let Some(row) = taker.and_then(|id| self.open.get(&id)).copied() else { return Meeting::Trade };
        if row.account != resting.account {
            return Meeting::Trade;
        }
        match row.self_trade {
            SelfTrade::None => Meeting::Trade,
            SelfTrade::ExpireMaker => {
                self.expire_in_match(resting.order_id);
                Meeting::MakerGone
            }
            SelfTrade::ExpireTaker => {
                self.expire_in_match(row.order_id);
                Meeting::TakerDone
            }
            SelfTrade::ExpireBoth => {
                self.expire_in_match(resting.order_id);
                self.expire_in_match(row.order_id);
                Meeting::TakerDone
            }
        }
    }

    fn expire_in_match(&mut self, order_id: u64) {
        if let Some(row) = self.open.get_mut(&order_id) {
            row.in_match = true;
        }
        self.finish(order_id, OrderStatus::Expired, Execution::Expired);
    }

    /// Makes a trade public; returns its id.
    fn trade(&mut self, market: usize, price: Price, qty: Qty, taker: Side, out: &mut Sink<'_>) -> u64 {
        let id = self.next_trade_id(market);
        let time = self.now;
        if let Some(m) = self.markets.get_mut(market) {
            m.print(Trade { id: TradeId(id), price, qty, taker, time }, out);
        }
        id
    }

    /// Books an account's part of a trade: order, position, wallet, and the two events of it.
    pub(crate) fn fill(&mut self, market: usize, order_id: u64, fill: Fill) {
        let now = self.now;
        let Some(instrument) = self.markets.get(market).map(|m| m.instrument) else { return };
        let Some(row) = self.open.get_mut(&order_id) else { return };
        assert!(fill.qty <= row.remaining(), "an order was filled beyond its quantity");
        row.filled += fill.qty;
        row.cost += fill.price * fill.qty;
        row.updated = now;
        row.status = if row.remaining().is_zero() { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let row = *row;
        if fill.maker {
            self.book_mut(market, |book| book.reduce(row.side, row.price, order_id, fill.qty));
        }
        let rate = if fill.maker { instrument.maker_fee } else { instrument.taker_fee };
        let execution = account::Execution { side: row.side, price: fill.price, qty: fill.qty, rate, time: now };
        let Some(held) = self.account_mut(row.account) else { return };
        let (realized, commission, in_coin) = held.book(market, &instrument, execution);
        let (wallet, flat) = (held.wallet, held.positions.get(market).is_none_or(|p| p.holding.side() != Some(row.side.opposite())));
        let trade = TradeRow {
            trade_id: fill.trade_id,
            order_id,
            account: row.account,
            symbol: instrument.symbol,
            side: row.side,
            price: fill.price,
            qty: fill.qty,
            realized,
            commission,
            in_coin,
            maker: fill.maker,
            time: now,
        };
        held.trades.roll(trade);
        self.step.trades.push(trade);
        self.step.touch_wallet(row.account);
        self.step.touch_position(row.account, market);
        let position = self.position_row(row.account, market);
        self.tell(row.account, AccountEvent::Account { reason: Reason::Order, wallet, change: 0, position, time: now });
        let kind = match row.origin {
            Origin::Client => Execution::Trade,
            Origin::Liquidation | Origin::Adl => Execution::Calculated,
        };
        self.tell_order(order_id, kind, Some(trade));
        if row.status == OrderStatus::Filled {
            self.retire(order_id);
        }
        if flat {
            self.expire_idle_reducers(row.account, market);
        }
    }

    /// Ends resting reduce-only orders that have nothing to reduce any more.
    fn expire_idle_reducers(&mut self, account: AccountId, market: usize) {
        let (Some(m), Some(held)) = (self.markets.get(market), self.account(account)) else { return };
        let Some(position) = held.positions.get(market) else { return };
        let idle = |(side, r): &(Side, &Resting)| r.account == account && r.reduce_only && position.reducible(*side).is_zero();
        let ids: Vec<u64> = m.book.all_resting().filter(idle).map(|(_, r)| r.order_id).collect();
        for order_id in ids {
            self.finish(order_id, OrderStatus::Expired, Execution::Expired);
        }
    }

    /// Lets outside liquidity that reaches an account's order trade with it: the order is the maker, at its price.
    pub(crate) fn cross(&mut self, market: usize, out: &mut Sink<'_>) {
        for side in [Side::Buy, Side::Sell] {
            for _ in 0..MATCHES_PER_ORDER_MAX {
                let Some(m) = self.markets.get(market) else { return };
                let Some(order) = m.book.best_resting(side).copied() else { break };
                let Some(level) = m.book.best_outside(side.opposite()) else { break };
                if !at_least(side, order.price, level.price) {
                    break;
                }
                let qty = self.fillable(market, side, &order).min(level.qty);
                if qty.is_zero() {
                    self.finish(order.order_id, OrderStatus::Expired, Execution::Expired);
                    continue;
                }
                let trade_id = self.trade(market, order.price, qty, side.opposite(), out);
                self.book_mut(market, |book| book.eat_outside(side.opposite(), level.price, qty));
                self.fill(market, order.order_id, Fill { price: order.price, qty, maker: true, trade_id });
            }
        }
    }

    /// Matches the accounts' orders against a trade that a recording tells.
    ///
    /// Orders at a better price than the trade are filled whole: the recorded taker emptied their level on its way. At the
    /// trade's price the traded quantity first uses up what was ahead of each order, then fills it. What is left of the
    /// trade is printed as recorded. The recorded book is not reduced: its own next update tells what is left.
    pub(crate) fn recorded_trade(&mut self, market: usize, price: Price, qty: Qty, taker: Side, out: &mut Sink<'_>) {
        let side = taker.opposite();
        for _ in 0..MATCHES_PER_ORDER_MAX {
            let Some(order) = self.markets.get(market).and_then(|m| m.book.best_resting(side)).copied() else { break };
            if order.price == price || !at_least(side, order.price, price) {
                break;
            }
            let amount = self.fillable(market, side, &order);
            if amount.is_zero() {
                self.finish(order.order_id, OrderStatus::Expired, Execution::Expired);
                continue;
            }
            let trade_id = self.trade(market, order.price, amount, taker, out);
            self.fill(market, order.order_id, Fill { price: order.price, qty: amount, maker: true, trade_id });
        }
        let Some(m) = self.markets.get(market) else { return };
        let queue: Vec<Resting> = m.book.queue(side, price).copied().collect();
        let mut ours = Qty::ZERO;
        for order in queue {
            let amount = qty.saturating_sub(order.ahead).saturating_sub(ours).min(self.fillable(market, side, &order));
            // An order before it may have taken the position that this one was to reduce.
            if amount.is_zero() || !self.open.contains_key(&order.order_id) {
                continue;
            }
            let trade_id = self.trade(market, price, amount, taker, out);
            self.fill(market, order.order_id, Fill { price, qty: amount, maker: true, trade_id });
            ours += amount;
        }
        let rest = qty.saturating_sub(ours);
        self.book_mut(market, |book| book.advance_queue(side, price, rest));
        if !rest.is_zero() {
            self.trade(market, price, rest, taker, out);
        }
    }
}

/// What comes of two orders meeting.
enum Meeting {
    Trade,
    MakerGone,
    TakerDone,
}
