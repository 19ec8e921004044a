//! The rules that hold after every step.

use std::collections::BTreeMap;

use plimsoll_market::{Notional, Qty, Side};

use super::Venue;
use super::types::AccountId;
use crate::error::Broken;

impl Venue {
    /// Checks every rule that holds between calls; for tests and after a restore.
    ///
    /// Wallet = deposits + realised − commission + funding + insurance. A position's flow = cost − realised, its size = bought −
    /// sold, its cost has its sign. An order's fill = the sum of its executions (while all are remembered), and no order is
    /// filled beyond its quantity. Each open order rests exactly once with what it can still fill, none is final, nobody's
    /// queue is longer than the level, and the book is not crossed.
    ///
    /// # Errors
    /// The first broken rule with its figures.
    pub fn check(&self) -> Result<(), Broken> {
        for index in 0..self.accounts.len() {
            self.check_account(AccountId(u16::try_from(index).unwrap_or(u16::MAX)))?;
        }
        let mut resting = 0;
        for market in &self.markets {
            let symbol = market.instrument.symbol.as_str();
            let broken =
                |what, account: u16, found: i128, expected: i128| Broken { what, account, symbol: symbol.to_owned(), found, expected };
            for (side, order) in market.book.all_resting() {
                resting += 1;
                let row = self.open.get(&order.order_id).filter(|row| row.side == side && row.price == order.price);
                let Some(row) = row else { return Err(broken("resting order without a row", order.account.0, order.order_id.into(), 0)) };
                if row.remaining() != order.remaining || row.status.is_final() || order.remaining.is_zero() {
                    let (found, expected) = (order.remaining.units().into(), row.remaining().units().into());
                    return Err(broken("resting quantity", order.account.0, found, expected));
                }
                let there = market.book.outside().qty_at(side, order.price);
                if order.ahead > there && !market.requeue {
                    return Err(broken("quantity ahead", order.account.0, order.ahead.units().into(), there.units().into()));
                }
            }
            if let (Some(bid), Some(ask)) = (market.book.best(Side::Buy), market.book.best(Side::Sell))
                && bid >= ask
                && !market.requeue
            {
                return Err(broken("crossed book", 0, bid.units().into(), ask.units().into()));
            }
        }
        if resting != self.open.len() {
            let (found, expected) = (resting as i128, self.open.len() as i128);
            return Err(Broken { what: "orders in books", account: 0, symbol: String::new(), found, expected });
        }
        Ok(())
    }

    fn check_account(&self, account: AccountId) -> Result<(), Broken> {
        let Some(held) = self.account(account) else { return Ok(()) };
        let broken = |what, symbol: &str, found, expected| Broken { what, account: account.0, symbol: symbol.to_owned(), found, expected };
        if held.wallet != held.sums.wallet() {
            return Err(broken("wallet", "", held.wallet, held.sums.wallet()));
        }
        for (market, position) in self.markets.iter().zip(&held.positions) {
            let symbol = market.instrument.symbol.as_str();
            let expected = position.cost - position.realized;
            if position.flow != expected {
                return Err(broken("flow", symbol, position.flow.units(), expected.units()));
            }
            let net = i128::from(position.bought.units()) - i128::from(position.sold.units());
            if i128::from(position.holding.units()) != net {
                return Err(broken("position", symbol, position.holding.units().into(), net));
            }
            let signs = (position.cost.units().signum(), i128::from(position.holding.units().signum()));
            if signs.0 != signs.1 {
                return Err(broken("sign of cost", symbol, signs.0, signs.1));
            }
        }
        // Executions by order, as long as none was forgotten.
        let forgotten = held.trades.is_full();
        let mut sums: BTreeMap<u64, (Qty, Notional)> = BTreeMap::new();
        for trade in &held.trades {
            let sum = sums.entry(trade.order_id).or_default();
            sum.0 += trade.qty;
            sum.1 += trade.price * trade.qty;
        }
        let open = self.open.values().filter(|row| row.account == account);
        for row in open.chain(&held.finished) {
            let symbol = row.symbol.as_str();
            if row.filled > row.qty {
                return Err(broken("filled beyond the order", symbol, row.filled.units().into(), row.qty.units().into()));
            }
            let (filled, cost) = sums.get(&row.order_id).copied().unwrap_or_default();
            if !forgotten && (filled, cost) != (row.filled, row.cost) {
                return Err(broken("filled", symbol, row.filled.units().into(), filled.units().into()));
            }
        }
        Ok(())
    }
}
