//! Markets of which only prices are known: candles and bare trades.
//!
//! Of a candle nobody knows in which order its prices came. The caller decides on a way ([`Solo::travel`] from point to point);
//! an order rests until the way goes *beyond* its price, for nobody knows its place in the queue, and all orders of a candle
//! together never get more than was traded in it. A taker pays the price that was just reached.

use super::{Seen, Solo, Told};
use plimsoll_market::{Price, Qty, Round, Side, Time, Top};

impl Solo {
    /// Bid and ask around the last price.
    pub(super) fn prices_top(&self) -> Option<Top> {
        if self.last.is_zero() {
            return None;
        }
        match self.learned {
            Some((bid, ask)) => Some(Top { bid, bid_qty: self.shown, ask, ask_qty: self.shown, time: self.now }),
            None => self.top_at(self.now, self.last, self.shown),
        }
    }

    /// Learns bid and ask from a trade: a seller met the bid, a buyer the ask.
    pub(super) fn note_price(&mut self, price: Price, qty: Qty, taker: Side) {
        self.shown = qty;
        let tick = self.instrument.tick.units().max(1);
        let told = self.told;
        let top = match taker {
            Side::Sell => {
                let ask = told.map(|t| t.ask).filter(|ask| *ask > price).or_else(|| price.offset(tick));
                ask.map(|ask| (price, ask))
            }
            Side::Buy => {
                let bid = told.map(|t| t.bid).filter(|bid| *bid < price).or_else(|| price.offset(-tick));
                bid.map(|bid| (bid, price))
            }
        };
        self.learned = top;
    }

    /// The price goes to `to` in one direction, past every price between. `volume` is what may still be filled of this candle's
    /// volume, and becomes less. Call [`Solo::settle`] afterwards.
    ///
    /// Where the account runs out of margin on the way it is liquidated there, not at the end of the way.
    pub fn travel(&mut self, now: Time, to: Price, volume: &mut Qty, out: &mut impl FnMut(Told)) {
        self.now(now);
        self.seen = Seen::Prices;
        self.learned = None;
        self.shown = *volume;
        let from = if self.last.is_zero() { to } else { self.last };
        let side = if to < from { Side::Buy } else { Side::Sell };
        // bounded: each turn fills an order, ends one, or liquidates.
        for _ in 0..2 * crate::limits::SOLO_ORDERS_MAX {
            let beyond = match side {
                Side::Buy => self.best_bid > to.units(),
                Side::Sell => self.best_ask < to.units(),
            };
            let own = if beyond { self.best_own(side).copied() } else { None };
            let ruin = self.ruin_on_the_way(side, to);
            match (own, ruin) {
                (own, Some(ruin)) if own.is_none_or(|own| (side == Side::Buy) == (own.price < ruin) && own.price != ruin) => {
                    self.last = ruin;
                    let liquidations = self.liquidations;
                    self.watch_margin(out);
                    if self.liquidations == liquidations {
                        break;
                    }
                }
                (Some(own), _) => {
                    let qty = own.remaining().min(*volume);
                    if qty.is_zero() {
                        break;
                    }
                    *volume = volume.saturating_sub(qty);
                    self.last = own.price;
                    self.fill_resting(own.order_id, qty, out);
                }
                (None, _) => break,
            }
        }
        self.last = to;
        self.dirty = true;
    }

    /// Whether nothing comes of a price that goes between these two but the price itself: no order is reached, and margin need not be
    /// looked at.
    #[inline]
    pub fn is_clear(&self, low: Price, high: Price) -> bool {
        let (worst, best) = (self.reference(low).units(), self.reference(high).units());
        self.seen == Seen::Prices
            && !self.dirty
            && self.marks_by_prices()
            && !(self.last.is_zero() || low.is_zero())
            && self.best_bid <= low.units()
            && self.best_ask >= high.units()
            && (self.holding.is_flat() || worst > self.watch.0 && best < self.watch.1)
    }

    /// The top that [`Solo::travel`] to a price and [`Solo::settle`] lead to.
    #[inline]
    pub fn top_at(&self, time: Time, price: Price, volume: Qty) -> Option<Top> {
        let ask = price.offset(self.instrument.tick.units().max(1))?;
        Some(Top { bid: price, bid_qty: volume, ask, ask_qty: volume, time })
    }

    /// The price has gone where the way is [clear](Solo::is_clear), and is at `to`; `told` is the last top on its way that was new.
    #[inline]
    pub fn glide(&mut self, now: Time, to: Price, volume: Qty, told: Option<&Top>) {
        self.now(now);
        self.learned = None;
        (self.last, self.shown) = (to, volume);
        if let Some(told) = told {
            self.told = Some(*told);
        }
    }

    /// The price between here and `to` at which the account is liquidated, when prices alone value the position.
    fn ruin_on_the_way(&self, side: Side, to: Price) -> Option<Price> {
        // A falling price ruins who is long, a rising one who is short; told marks decide elsewhere.
        if self.holding.side() != Some(side) || !self.marks_by_prices() {
            return None;
        }
        let watched = self.reference(to).units();
        if watched > self.watch.0 && watched < self.watch.1 {
            return None;
        }
        let round = if side == Side::Buy { Round::Down } else { Round::Up };
        let exact = self.instrument.price_of_ref(self.liquidation_price(), round)?;
        let ruin = self.instrument.round_price(exact, round)?;
        let between = match side {
            Side::Buy => ruin >= to && ruin < self.last,
            Side::Sell => ruin <= to && ruin > self.last,
        };
        between.then_some(ruin)
    }

    fn marks_by_prices(&self) -> bool {
        self.mark == plimsoll_market::RefPrice::ZERO
    }
}
