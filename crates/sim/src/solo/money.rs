//! What the account has: position, wallet, margin, funding, liquidation. The figures are the venue's, to the unit.

use super::{Solo, Told};
use crate::venue::Bracket;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Amount, Bps, FundingPayment, Instrument, Notional, Price, Qty, RefPrice, Reject, Round, Side, Time, rescale};

/// Parts per million in one.
const PPM: i128 = 1_000_000;

/// The powers of ten of a contract, so that valuing a position costs a multiplication and a division.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales {
    /// A notional's unit in money, when it is at least one.
    money: Option<i128>,
    /// A price's unit as a reference price, when it is at least one.
    reference: Option<i64>,
    qty: i128,
    /// The same in 64 bits.
    short_qty: i64,
}

impl Scales {
    pub(super) fn new(instrument: &Instrument) -> Self {
        let up = |scale: u8| MONEY_SCALE.checked_sub(scale).map(|digits| 10_i128.pow(u32::from(digits)));
        Self {
            money: up(instrument.price_scale + instrument.qty_scale),
            reference: up(instrument.price_scale).and_then(|one| i64::try_from(one).ok()),
            qty: 10_i128.pow(u32::from(instrument.qty_scale)),
            short_qty: 10_i64.pow(u32::from(instrument.qty_scale)),
        }
    }
}

/// A quotient rounded to the nearest, halves away from zero.
#[inline]
fn nearest(product: i128, by: i128) -> i128 {
    let half = by / 2;
    let sum = if product < 0 { product - half } else { product + half };
    match (i64::try_from(sum), i64::try_from(by)) {
        // Dividing 128 bits costs ten times as much.
        (Ok(sum), Ok(by)) => i128::from(sum / by),
        _ => sum / by,
    }
}

/// What happened to the account's money, units of 1e-8 of the quote asset: the wallet is their sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SoloSums {
    /// What it began with.
    pub deposited: i128,
    /// Profit realised against the average entry, before commission.
    pub realized: i128,
    /// Commission paid.
    pub commission: i128,
    /// Funding received; negative is paid.
    pub funding: i128,
    /// What the insurance fund put in so that the wallet is not below zero.
    pub insurance: i128,
}

impl SoloSums {
    /// Their sum.
    pub const fn wallet(&self) -> i128 {
        self.deposited + self.realized - self.commission + self.funding + self.insurance
    }
}

/// The account's money at a moment, units of 1e-8 of the quote asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoloMoney {
    /// Deposits, realised profit, commissions and funding together.
    pub wallet: i128,
    /// What closing the position at the valuation would add.
    pub unrealized: i128,
    /// Signed value of the position.
    pub notional: i128,
    /// Margin that position and orders bind.
    pub initial: i128,
    /// Margin below which the account is liquidated.
    pub maintenance: i128,
}

impl SoloMoney {
    /// Wallet and unrealised profit together.
    pub const fn equity(&self) -> i128 {
        self.wallet + self.unrealized
    }
}

impl Solo {
    /// What happened to the money so far.
    pub const fn sums(&self) -> SoloSums {
        self.sums
    }

    /// The wallet, units of 1e-8 of the quote asset.
    pub const fn wallet(&self) -> i128 {
        self.wallet
    }

    /// What the position cost, signed like it.
    pub const fn cost(&self) -> Notional {
        self.cost
    }

    /// The price that values the position: the mark, else the last price, else the middle; zero before any.
    pub fn valuation(&self) -> RefPrice {
        if self.mark != RefPrice::ZERO {
            return self.mark;
        }
        self.reference(if self.last.is_zero() { self.told.map_or(Price::ZERO, |top| top.mid()) } else { self.last })
    }

    /// A price as a reference price.
    #[inline]
    pub fn reference(&self, price: Price) -> RefPrice {
        match self.scales.reference {
            Some(unit) => RefPrice::from_units(price.units().saturating_mul(unit)),
            None => self.instrument.ref_price(price),
        }
    }

    /// Unrealised profit and signed value of the position at the valuation, units of 1e-8.
    pub fn worth(&self) -> (i128, i128) {
        self.worth_at(self.valuation())
    }

    /// The same at any price; without one it is worth what it cost.
    #[inline]
    pub fn worth_at(&self, price: RefPrice) -> (i128, i128) {
        let cost = self.cost_money;
        let notional = match price {
            RefPrice::ZERO => cost,
            price => self.value_at(price),
        };
        (notional - cost, notional)
    }

    /// The money as it stands.
    pub fn money(&self) -> SoloMoney {
        self.money_with(Notional::ZERO, Notional::ZERO)
    }

    fn money_with(&self, bids: Notional, asks: Notional) -> SoloMoney {
        let cost = self.money_of(self.cost);
        let notional = match self.valuation() {
            RefPrice::ZERO => cost,
            mark => self.value_at(mark),
        };
        let opening = |side: Side, extra: Notional| {
            let orders = self.orders.iter().filter(|o| o.side == side && !o.reduce_only);
            self.money_of(orders.map(|o| o.price * o.remaining()).sum::<Notional>() + extra)
        };
        let (bids, asks) = (opening(Side::Buy, bids), opening(Side::Sell, asks));
        let worst = notional.abs().max((notional + bids).abs()).max((notional - asks).abs());
        let leverage = i128::from(self.leverage);
        SoloMoney {
            wallet: self.wallet,
            unrealized: notional - cost,
            notional,
            // Rounded up: margin is never a unit short.
            initial: (worst + leverage - 1) / leverage,
            maintenance: self.maintenance(notional),
        }
    }

    fn maintenance(&self, notional: i128) -> i128 {
        let of = |b: &Bracket| ((notional.abs() * i128::from(b.maintenance.ppm()) + PPM - 1) / PPM - b.deduction).max(0);
        self.bracket(notional.abs()).map_or(0, of)
    }

    fn bracket(&self, value: i128) -> Option<&Bracket> {
        self.brackets.iter().find(|b| value <= b.notional_max).or(self.brackets.last())
    }

    fn money_of(&self, notional: Notional) -> i128 {
        match self.scales.money {
            Some(unit) => notional.units() * unit,
            None => self.instrument.amount(notional, Round::Nearest).map_or(0, |a| a.units),
        }
    }

    #[inline]
    fn value_at(&self, price: RefPrice) -> i128 {
        // Nearly always it fits: with 128 bits it costs three times as much.
        let half = self.scales.short_qty / 2;
        if let Some(product) = price.units().checked_mul(self.holding.units())
            && let Some(sum) = product.checked_add(if product < 0 { -half } else { half })
        {
            return i128::from(sum / self.scales.short_qty);
        }
        nearest(i128::from(price.units()) * i128::from(self.holding.units()), self.scales.qty)
    }

    /// Whether the account may bind the margin of one more order.
    pub(super) fn check_margin(&self, side: Side, price: Price, qty: Qty) -> Result<(), Reject> {
        let extra = price * qty;
        let (bids, asks) = match side {
            Side::Buy => (extra, Notional::ZERO),
            Side::Sell => (Notional::ZERO, extra),
        };
        let (before, after) = (self.money(), self.money_with(bids, asks));
        if after.initial <= before.initial {
            return Ok(());
        }
        let most = self.brackets.iter().filter(|b| b.leverage_max >= self.leverage).map(|b| b.notional_max).max().unwrap_or(0);
        if after.initial * i128::from(self.leverage) > most + i128::from(self.leverage) {
            return Err(Reject::Restricted);
        }
        let available = before.wallet + before.unrealized - before.initial;
        if after.initial - before.initial > available { Err(Reject::Margin) } else { Ok(()) }
    }

    /// Books an execution; returns profit and commission, units of 1e-8.
    pub(super) fn book(&mut self, side: Side, price: Price, qty: Qty, maker: bool) -> (i128, i128) {
        let mut realized = Notional::ZERO;
        let mut opening = qty;
        if self.holding.side() == Some(side.opposite()) {
            let whole = self.holding.qty();
            let part = whole.min(qty);
            let taken = self.cost.share(part, whole);
            realized = -(taken + price * part.signed(side));
            self.cost -= taken;
            opening = qty.saturating_sub(part);
        }
        self.cost += price * opening.signed(side);
        self.holding += qty.signed(side);
        let rate = if maker { self.instrument.maker_fee } else { self.instrument.taker_fee };
        let (realized, commission) = (self.money_of(realized), self.instrument.fee(price * qty, rate).units);
        self.sums.realized += realized;
        self.sums.commission += commission;
        self.wallet += realized - commission;
        self.watch_anew();
        (realized, commission)
    }

    /// A mark price was told.
    pub fn mark(&mut self, now: Time, mark: RefPrice, out: &mut impl FnMut(Told)) {
        self.now(now);
        self.mark = mark;
        self.watch_margin(out);
    }

    /// Pays funding: a positive rate is paid by the long side.
    pub fn fund(&mut self, now: Time, rate: Bps, out: &mut impl FnMut(Told)) {
        self.now(now);
        if self.holding.is_flat() {
            return;
        }
        let value = self.value_at(self.valuation());
        let amount = rescale(-value * i128::from(rate.ppm()), 6, 0, Round::Nearest).unwrap_or(0);
        self.sums.funding += amount;
        self.wallet += amount;
        self.watch_anew();
        out(Told::Wallet(self.wallet));
        out(Told::Funding(FundingPayment { amount: Amount::new(self.instrument.quote, amount), time: self.now }));
        self.watch_margin(out);
    }

    /// Sets the prices beyond which margin is looked at exactly: well before it can be short.
    ///
    /// Floating point only decides when to look; what is then decided is decided in integers.
    fn watch_anew(&mut self) {
        self.watch = (i64::MIN, i64::MAX);
        self.cost_money = self.money_of(self.cost);
        self.ruin = self.liquidation_price();
        let units = self.holding.units();
        if units == 0 {
            self.warned = false;
            return;
        }
        let rate = match self.holding.side() {
            // A falling price makes the position smaller, a rising one larger: its bracket then may be a higher one.
            Some(Side::Buy) => self.bracket(self.value_at(self.valuation()).abs()).map_or(1.0, |b| f64::from(b.maintenance.ppm())),
            _ => self.brackets.iter().map(|b| f64::from(b.maintenance.ppm())).fold(0.0, f64::max),
        };
        let rate = rate / 1e6 * 1.5;
        let size = units as f64 / 10_f64.powi(i32::from(self.instrument.qty_scale));
        let fixed = self.wallet as f64 - self.money_of(self.cost) as f64;
        // wallet − cost + size × p = |size| × p × rate
        let slope = size - size.abs() * rate;
        let price = -fixed / slope;
        if !price.is_finite() {
            return;
        }
        if units > 0 {
            self.watch.0 = price.clamp(0.0, 9e18) as i64;
        } else {
            self.watch.1 = price.clamp(0.0, 9e18) as i64;
        }
    }

    /// Warns, and liquidates an account below its maintenance margin.
    #[inline]
    pub(super) fn watch_margin(&mut self, out: &mut impl FnMut(Told)) {
        if self.holding.is_flat() {
            return;
        }
        let price = self.valuation().units();
        if price > self.watch.0 && price < self.watch.1 {
            return;
        }
        self.judge_margin(out);
    }

    fn judge_margin(&mut self, out: &mut impl FnMut(Told)) {
        let money = self.money();
        let balance = money.equity();
        let short = balance * 4 < money.maintenance * 5;
        if balance < money.maintenance {
            self.liquidate(out);
        } else if short && !self.warned {
            out(Told::MarginCall);
        }
        self.warned = short && !self.holding.is_flat();
    }

    /// [`Solo::liquidation_price`] as it was when the position or the wallet last changed: what a price has done to the bracket since
    /// then is not in it.
    pub const fn near_liquidation(&self) -> RefPrice {
        self.ruin
    }

    /// The price at which the account would be liquidated, 1e-8; zero when there is none.
    pub fn liquidation_price(&self) -> RefPrice {
        if self.holding.is_flat() {
            return RefPrice::ZERO;
        }
        let Some(bracket) = self.bracket(self.value_at(self.valuation()).abs()) else { return RefPrice::ZERO };
        let above = self.money_of(self.cost) - self.wallet - bracket.deduction;
        let holding = i128::from(self.holding.units());
        let slope = holding * PPM - holding.abs() * i128::from(bracket.maintenance.ppm());
        let scale = 10_i128.pow(u32::from(self.instrument.qty_scale)) * PPM;
        let price = above.checked_mul(scale).and_then(|n| n.checked_div(slope)).unwrap_or(0);
        i64::try_from(price).ok().filter(|p| *p > 0).map_or(RefPrice::ZERO, RefPrice::from_units)
    }

    /// Withdraws all orders, closes the position at market, and lets the insurance fund cover what is below zero.
    fn liquidate(&mut self, out: &mut impl FnMut(Told)) {
        self.liquidations += 1;
        self.withdraw_all(out);
        if let Some(side) = self.holding.side().map(Side::opposite) {
            self.close_by_force(side, self.holding.qty(), out);
        }
        if self.wallet < 0 {
            self.sums.insurance -= self.wallet;
            self.wallet = 0;
            out(Told::Wallet(0));
        }
        out(Told::Liquidated);
    }

    /// The mark as a price, for what the book cannot take.
    pub(super) fn mark_price(&self) -> Price {
        self.instrument.price_of_ref(self.valuation(), Round::Nearest).unwrap_or(self.last)
    }
}
