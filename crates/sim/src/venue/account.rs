//! Accounts: wallets, positions with their exact cost, and what is remembered of orders and executions.

use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use plimsoll_market::{Bps, Holding, Instrument, Name, Notional, Price, Qty, Round, Side, Time};

use super::types::{AccountSpec, IncomeKind, IncomeRow, MarginType, OrderRow, TradeRow};
use crate::limits::{COIN_DEPOSIT, COIN_PRICE, FINISHED_MAX, INCOME_MAX, TRADES_MAX};

/// An account's position on one symbol, with its settings.
///
/// `cost` is what the holding cost, signed like it, in exact units of the notional. A reduction takes `cost.share(part, whole)`
/// out, rounded to the nearest unit with halves away from zero, and realises the difference to what it was closed at.
/// So `flow` (price × signed quantity of all executions) always equals `cost − realized`, to the unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    pub holding: Holding,
    pub cost: Notional,
    pub realized: Notional,
    pub flow: Notional,
    pub bought: Qty,
    pub sold: Qty,
    pub leverage: u16,
    pub margin: MarginType,
    pub updated: Time,
    /// When the dead man's switch cancels the symbol's orders.
    pub countdown: Option<Time>,
}

impl Position {
    /// Books an execution and returns the profit that it realised.
    pub(crate) fn book(&mut self, side: Side, price: Price, qty: Qty, time: Time) -> Notional {
        let signed = qty.signed(side);
        let mut realized = Notional::ZERO;
        let mut opening = qty;
        if self.holding.side() == Some(side.opposite()) {
            let whole = self.holding.qty();
            let part = whole.min(qty);
            let taken = self.cost.share(part, whole);
            realized = -(taken + price * part.signed(side));
            self.cost -= taken;
            opening = qty - part;
        }
        self.cost += price * opening.signed(side);
        self.holding += signed;
        self.realized += realized;
        self.flow += price * signed;
        match side {
            Side::Buy => self.bought += qty,
            Side::Sell => self.sold += qty,
        }
        self.updated = time;
        realized
    }

    /// What an order of this side may reduce.
    pub(crate) fn reducible(&self, side: Side) -> Qty {
        if self.holding.side() == Some(side.opposite()) { self.holding.qty() } else { Qty::ZERO }
    }
}

/// What happened to an account's money, to be compared with its wallet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sums {
    pub deposited: i128,
    pub realized: i128,
    pub commission: i128,
    pub funding: i128,
    pub insurance: i128,
    /// Commission paid in the exchange's own coin, 1e-8 of it.
    pub burned: i128,
}

impl Sums {
    pub(crate) fn wallet(&self) -> i128 {
        self.deposited + self.realized - self.commission + self.funding + self.insurance
    }
}

pub(crate) struct Account {
    pub name: Name,
    pub wallet: i128,
    pub sums: Sums,
    pub updated: Time,
    /// One a market, in their order.
    pub positions: Vec<Position>, // tidy: bounded by INSTRUMENTS_MAX, made once
    pub finished: Ring<OrderRow>,
    pub trades: Ring<TradeRow>,
    pub income: Ring<IncomeRow>,
    pub next_income: u64,
    pub liquidating: bool,
    pub warned: bool,
    /// What it has of the exchange's own coin, 1e-8.
    pub coin: i128,
    /// Whether it pays fees in it, as long as it has any.
    pub burn: bool,
}

impl Account {
    pub(crate) fn new(spec: &AccountSpec, markets: usize, leverages: impl Fn(usize) -> u16) -> Self {
        let position = |market| Position {
            holding: Holding::FLAT,
            cost: Notional::ZERO,
            realized: Notional::ZERO,
            flow: Notional::ZERO,
            bought: Qty::ZERO,
            sold: Qty::ZERO,
            leverage: leverages(market),
            margin: MarginType::Cross,
            updated: Time::ZERO,
            countdown: None,
        };
        let sums = Sums { deposited: spec.wallet, ..Sums::default() };
        Self {
            name: spec.name,
            wallet: spec.wallet,
            sums,
            updated: Time::ZERO,
            positions: (0..markets).map(position).collect(),
            finished: ring("sim.finished", &spec.name, FINISHED_MAX),
            trades: ring("sim.trades", &spec.name, TRADES_MAX),
            income: ring("sim.income", &spec.name, INCOME_MAX),
            next_income: 1,
            liquidating: false,
            warned: false,
            coin: COIN_DEPOSIT,
            burn: false,
        }
    }

    /// Books an execution: position, profit and commission. Returns profit and commission, units of 1e-8, and whether the commission
    /// is in the exchange's own coin.
    pub(crate) fn book(&mut self, market: usize, instrument: &Instrument, fill: Execution) -> (i128, i128, bool) {
        let Some(position) = self.positions.get_mut(market) else { return (0, 0, false) };
        let realized = position.book(fill.side, fill.price, fill.qty, fill.time);
        let realized = instrument.amount(realized, Round::Nearest).map_or(0, |a| a.units);
        let commission = instrument.fee(fill.price * fill.qty, fill.rate).units;
        self.sums.realized += realized;
        self.updated = fill.time;
        // As at Binance: ten percent less, and in the settlement asset when there is not enough of the coin.
        let in_coin = commission * 9 / 10 * 100_000_000 / i128::from(COIN_PRICE.units());
        if self.burn && in_coin > 0 && in_coin <= self.coin {
            self.coin -= in_coin;
            self.sums.burned += in_coin;
            self.wallet += realized;
            return (realized, in_coin, true);
        }
        self.sums.commission += commission;
        self.wallet += realized - commission;
        (realized, commission, false)
    }

    /// Books money that is neither profit nor commission.
    pub(crate) fn receive(&mut self, kind: IncomeKind, amount: i128, time: Time) {
        match kind {
            IncomeKind::FundingFee => self.sums.funding += amount,
            IncomeKind::InsuranceClear => self.sums.insurance += amount,
            IncomeKind::RealizedPnl => self.sums.realized += amount,
            IncomeKind::Commission => self.sums.commission -= amount,
        }
        self.wallet += amount;
        self.updated = time;
    }
}

/// An execution to book.
#[derive(Clone, Copy)]
pub(crate) struct Execution {
    pub side: Side,
    pub price: Price,
    pub qty: Qty,
    pub rate: Bps,
    pub time: Time,
}

fn ring<T>(what: &str, account: &Name, capacity: usize) -> Ring<T> {
    let name = format!("{what}/{account}");
    Ring::new(Grant::detached(Line::of::<T>(&name, capacity, WhenFull::DropOldest, Class::BestEffort)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat() -> Position {
        let name = Name::new("a").unwrap();
        Account::new(&AccountSpec { name, wallet: 0 }, 1, |_| 20).positions[0]
    }

    #[track_caller]
    fn check(trades: &[(i64, i64)], holding: i64, cost: i128, realized: i128) {
        let mut position = flat();
        for &(qty, price) in trades {
            let side = if qty > 0 { Side::Buy } else { Side::Sell };
            position.book(side, Price::from_units(price), Qty::from_units(qty.unsigned_abs()), Time::ZERO);
        }
        assert_eq!((position.holding.units(), position.cost.units(), position.realized.units()), (holding, cost, realized));
    }

    #[test]
    fn profit_is_against_the_average_entry() {
        check(&[(10, 100), (10, 110)], 20, 2_100, 0);
        check(&[(10, 100), (10, 110), (-10, 120)], 10, 1_050, 150);
        check(&[(-10, 100), (4, 90)], -6, -600, 40);
        check(&[(10, 100), (-15, 120)], -5, -600, 200);
        check(&[(3, 100), (-3, 101)], 0, 0, 3);
        // A third of 10 × 100 + 1 × 101 is rounded to the nearest unit, and nothing is lost on the way.
        check(&[(10, 100), (1, 101), (-4, 0)], 7, 1_101 - 400, -400);
    }

    proptest! {
        #[test]
        fn no_unit_is_lost(trades in proptest::collection::vec((-50_i64..=50, 1_i64..100_000), 0..100)) {
            let mut position = flat();
            for (qty, price) in trades {
                if qty == 0 { continue; }
                let side = if qty > 0 { Side::Buy } else { Side::Sell };
                position.book(side, Price::from_units(price), Qty::from_units(qty.unsigned_abs()), Time::ZERO);
                prop_assert_eq!(position.flow, position.cost - position.realized);
                prop_assert_eq!(position.holding.is_flat(), position.cost == Notional::ZERO);
                prop_assert_eq!(position.holding.units().signum() as i128, position.cost.units().signum());
            }
        }
    }
}
