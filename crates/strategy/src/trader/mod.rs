//! What strategies share that hold one position at a time, long or short, made of layers: entries at the close of a bar, further
//! layers, a target, stops and a trail.

mod config;
mod held;

pub use config::{BadOrder, Direction, Entry, ParameterError, TradeConfig};
pub use held::Held;

use crate::indicators::{Bar, Bars, Closed};
use crate::limits::NUMBERS_A_CHILD;
use crate::{Intent, Quote, Quotes, Strategy, Style};
use config::shifted;
use core::time::Duration;
use plimsoll_market::{Candle, Event, Instrument, Leg, Memo, OrderType, Price, Qty, Round, Side, Time, Top};
use plimsoll_position::{Changes, Seat, Slot, View};

/// How long after its close a bar may still be acted on: what is told of the past only warms indicators up.
const FRESH: Duration = Duration::from_secs(60);

/// The bit of a memo that says that a position is being closed; the others are the end of the pause, in milliseconds.
const LEAVING: u64 = 1 << 63;

/// Where the next layer opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Add {
    /// So many millionths beyond the last layer's price on the losing side: it rests there.
    Losing(u32),
    /// So many on the winning side: it takes when the price is there.
    Winning(u32),
}

/// Where a layer is closed by a resting order: at a gain in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Over the mean price of the whole position.
    Mean(u32),
    /// Over the layer's own price.
    Own(u32),
}

/// When a strategy enters, adds and leaves; [`Trader`] carries it out.
pub trait Plan: Send + Clone + core::fmt::Debug + 'static {
    /// The configured kind, for logs and display.
    const NAME: &'static str;
    /// The keys that its targets are configured by.
    const TARGET: &'static str = "take_profit";
    /// The number of its long legs, of its own for ever: what it holds is found again by it.
    const NUMBER: u8;

    /// Takes a closed bar.
    fn bar(&mut self, bar: &Bar);

    /// Forgets all bars: too much was missing between the last one and the next.
    fn reset(&mut self);

    /// The side to open by, asked at the close of a bar. `None` without a reason, and while its figures are not warm.
    fn enter(&self) -> Option<Side>;

    /// Whether what a side opened is to be closed, asked at the close of a bar. `false` while its figures are not warm.
    fn leave(&self, opened: Side) -> bool;

    /// Whether the figures that [`Plan::leave`] goes by are there.
    fn is_warm(&self) -> bool {
        true
    }

    /// Whether a wish for the other side closes what is held. Not so for plans that only a target or a stop ends.
    fn turns(&self) -> bool {
        true
    }

    /// What a layer may cost, units of 1e-8 of the quote asset; the first is layer 0.
    fn amount(&self, layer: u8) -> i128;

    /// Layers at most, 1 to [`crate::limits::LAYERS_MAX`].
    fn layers_max(&self) -> u8 {
        1
    }

    /// Where the next layer opens; `None` when there is to be none now.
    fn add(&self, _held: &Held, _price: Price) -> Option<Add> {
        None
    }

    /// Where a layer is closed by a resting order; `None` for no such order.
    fn target(&self, held: &Held, layer: u8) -> Option<Target>;

    /// The variant that it is written down as.
    #[cfg(feature = "serde")]
    fn saved(trader: &Trader<Self>) -> crate::saved::Saved;
}

/// An opening that stands until the next bar closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Opening {
    side: Side,
    layer: u8,
    /// Its price and quantity, once there was a price to take them from.
    at: Option<(Price, Qty)>,
}

/// Trades a [`Plan`]: one position at a time, of layers that are slots of its own.
///
/// What it holds it reads from the books, so that a restart goes on with the same position: stops and targets are reckoned from what
/// it cost. Only the best price that a trail goes by begins anew. An order counts as filled when it is booked.
///
/// A stop once decided is carried out, whatever the price does meanwhile: all its orders are withdrawn and each layer is closed at
/// market, again and again until nothing is held and nothing of its own can fill any more. That it was decided, and how long nothing
/// is entered after it, is stored ([`Strategy::memo`]).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trader<P> {
    plan: P,
    cfg: TradeConfig,
    strategy: u8,
    bars: Bars,
    opening: Option<Opening>,
    held: Option<Held>,
    /// Both directions hold something: it closes all of it.
    both: bool,
    /// Best price for the position since it is held, by which the trail goes.
    peak: Option<Price>,
    leaving: bool,
    /// A layer that was filled in part is to be filled no further: it closes with what it has.
    finished: Option<u8>,
    /// Bars closed that were told late; whether to leave is still to be asked.
    late: bool,
    /// Nothing is entered before then.
    calm_at: Time,
    /// Something changed while there was no price.
    behind: bool,
    /// An order is wanted elsewhere, and rests beside the market because it would take there.
    displaced: bool,
}

impl<P: Plan> Trader<P> {
    /// Makes one of a plan and of what is common to all; both are checked before.
    pub fn new(plan: P, cfg: TradeConfig) -> Self {
        const { assert!(P::NUMBER < NUMBERS_A_CHILD) };
        Self {
            plan,
            cfg,
            strategy: P::NUMBER,
            bars: Bars::new(cfg.bar),
            opening: None,
            held: None,
            both: false,
            peak: None,
            leaving: false,
            finished: None,
            late: false,
            calm_at: Time::ZERO,
            behind: true,
            displaced: false,
        }
    }

    /// With numbers of its own among several strategies of a symbol, 0 to 31 and [`Leg::SHORT`] more.
    pub(crate) const fn numbered(mut self, number: u8) -> Self {
        self.strategy = number;
        self
    }

    pub(crate) const fn number(&self) -> u8 {
        self.strategy
    }

    fn leg(&self, side: Side, layer: i32) -> Option<Leg> {
        let number = match side {
            Side::Buy => self.strategy,
            Side::Sell => self.strategy + Leg::SHORT,
        };
        Leg::new(number, layer)
    }

    /// Takes a candle; tells whether a bar closed now.
    fn candle(&mut self, candle: &Candle, now: Time, instrument: &Instrument) -> bool {
        let closed = self.bars.push(candle, instrument);
        self.take(&closed);
        // Of two bars the last one is the newer.
        let fresh = closed.end.is_some_and(|end| now.since(end) < FRESH);
        self.late |= closed.end.is_some() && !fresh;
        fresh
    }

    fn take(&mut self, closed: &Closed) {
        if closed.hole {
            self.plan.reset();
        }
        for bar in &closed.bars {
            self.plan.bar(bar);
        }
    }

    /// What a closed bar says.
    fn decide(&mut self, now: Time) {
        let wish = self.plan.enter().filter(|side| self.cfg.direction.allows(*side));
        let opened = self.held.map(|held| held.side);
        if let Some(side) = opened {
            self.leaving |= self.plan.leave(side) || self.plan.turns() && wish == Some(side.opposite());
        }
        // What a layer has got until its bar ends is all that it gets.
        self.finished = self.held.filter(|held| !held.is_whole).map(|held| held.last_layer);
        let wish = wish.filter(|side| opened != Some(*side) && now >= self.calm_at);
        self.opening = wish.map(|side| Opening { side, layer: 0, at: None });
    }

    /// Reads what is held.
    fn read(&mut self, view: &View<'_>) {
        let [long, short] = [Side::Buy, Side::Sell].map(|side| self.leg(side, 0).and_then(|leg| Held::read(view, leg.strategy(), side)));
        self.both = long.is_some() && short.is_some();
        let held = long.or(short);
        if held.map(|held| held.side) != self.held.map(|held| held.side) {
            self.peak = None;
            if self.held.is_some() {
                if !self.cfg.cooldown.is_zero() {
                    self.calm_at = view.now + self.cfg.cooldown;
                }
                self.opening = self.opening.filter(|_| self.cfg.cooldown.is_zero());
            }
        }
        // An order of its own that can still fill would hold something again.
        if held.is_none() && !view.orders.iter().any(|(_, order)| self.owns(order.id.leg())) {
            self.leaving = false;
        }
        if held.is_none_or(|held| held.is_whole || self.finished != Some(held.last_layer)) {
            self.finished = None;
        }
        // What was to be opened is there.
        if let Some(held) = held.filter(|held| held.is_whole) {
            self.opening = self.opening.filter(|opening| opening.side != held.side || opening.layer > held.last_layer);
        }
        self.held = held;
        self.leaving |= self.both;
    }

    /// Looks whether a stop, the trail or a layer on the winning side is due; tells whether something is.
    fn look(&mut self, view: &View<'_>, top: &Top) -> bool {
        let Some(held) = self.held else { return false };
        if self.leaving {
            return false;
        }
        let price = exit_price(held.side, top);
        let better = |a: Price, b: Price| if held.side == Side::Buy { a.max(b) } else { a.min(b) };
        let peak = self.peak.map_or(price, |peak| better(peak, price));
        self.peak = Some(peak);
        let gain = held.gain(price);
        let stopped = self.cfg.stop_loss != 0 && gain <= -i64::from(self.cfg.stop_loss);
        let trailed = self.cfg.trailing != 0
            && held.gain(peak) >= i64::from(self.cfg.trailing_from)
            && fall(held.side, peak, price) >= i64::from(self.cfg.trailing);
        if stopped || trailed {
            self.leaving = true;
            self.opening = None;
            return true;
        }
        // Where the position would be closed, a layer that is not whole yet would be left behind.
        if !held.is_whole && self.finished.is_none() && self.is_reached(&held, price, view.instrument) {
            (self.finished, self.opening) = (Some(held.last_layer), None);
            return true;
        }
        // A layer on the winning side takes once, and stands until the bar ends.
        let due = match self.plan.add(&held, price) {
            Some(Add::Winning(step)) => held.is_whole && self.room(&held) && held.from_last(price) >= i64::from(step),
            Some(Add::Losing(_)) | None => false,
        };
        if due && self.opening.is_none() && view.now >= self.calm_at {
            self.opening = Some(Opening { side: held.side, layer: held.last_layer.saturating_add(1), at: None });
            return true;
        }
        false
    }

    /// Whether a price is at the last layer's target, or beyond.
    fn is_reached(&self, held: &Held, price: Price, instrument: &Instrument) -> bool {
        let target = match self.plan.target(held, held.last_layer) {
            Some(Target::Mean(gain)) => held.target(gain, instrument),
            Some(Target::Own(gain)) => return held.from_last(price) >= i64::from(gain),
            None => None,
        };
        target.is_some_and(|target| if held.side == Side::Buy { price >= target } else { price <= target })
    }

    fn room(&self, held: &Held) -> bool {
        held.last_layer.saturating_add(1) < self.plan.layers_max()
    }

    /// Wants what is held closed at market, and nothing else. It needs no price.
    fn write_leaving(&self, view: &View<'_>, want: &mut Quotes) {
        want.clear();
        // With both directions held only the difference is a position, which an order can reduce; the engine closes what is left of
        // them against each other.
        let net = view.totals.holding;
        let mut rest = net.qty();
        for slot in view.slots.holding().filter(|slot| self.owns(slot.leg)) {
            let mut quote = close_at_market(slot, view);
            if self.both {
                let side = slot.leg.opening();
                if net.side() != side {
                    continue;
                }
                quote.qty = quote.qty.min(view.instrument.closing_qty(rest, OrderType::Market));
                quote.reduce_only = true;
                rest -= quote.qty;
            }
            if quote.qty >= view.instrument.qty_min && !quote.qty.is_zero() {
                want.push(quote);
            }
        }
    }

    fn write(&mut self, view: &View<'_>, top: &Top, want: &mut Quotes) {
        want.clear();
        self.displaced = false;
        if let Some(held) = self.held {
            let alone = held.layers == 1;
            for slot in view.slots.holding() {
                if !self.owns(slot.leg) || slot.held < view.instrument.qty_min {
                    continue;
                }
                if let Some(order) =
                    slot.order.and_then(|at| view.orders.get(at)).filter(|_| !slot.exiting && slot.leg.opens(slot.order_side))
                {
                    // A layer that is being filled is wanted as it is, while others are held too; a first one only as long as its bar.
                    let goes_on = self.finished != u8::try_from(slot.leg.index()).ok() && !(alone && slot.leg.index() > 0);
                    if self.opening.is_some() || slot.leg.index() > 0 && goes_on {
                        let style = if self.opening.is_some() { self.cfg.entry.style() } else { Style::PostOnly };
                        let (price, qty) = (order.price, order.qty);
                        want.push(Quote { leg: slot.leg, side: slot.order_side, style, reduce_only: false, price, qty });
                    }
                } else if let Some(target) = self.target(&held, slot, view.instrument) {
                    let quote = close_at(slot, target, view, top);
                    self.displaced |= quote.price != target;
                    want.push(quote);
                }
            }
        }
        self.write_opening(view, top, want);
    }

    fn target(&self, held: &Held, slot: &Slot, instrument: &Instrument) -> Option<Price> {
        match self.plan.target(held, u8::try_from(slot.leg.index()).unwrap_or(0))? {
            Target::Mean(gain) => held.target(gain, instrument),
            Target::Own(gain) => {
                let own = Held { qty: slot.held, cost: slot.cost.units().abs(), ..*held };
                own.target(gain, instrument)
            }
        }
    }

    fn write_opening(&mut self, view: &View<'_>, top: &Top, want: &mut Quotes) {
        // While something is held, only its own next layer opens.
        if let Some(mut opening) = self.opening.filter(|opening| self.held.is_none_or(|held| held.side == opening.side)) {
            let Some(leg) = self.leg(opening.side, i32::from(opening.layer)) else { return };
            if want.as_slice().iter().any(|quote| quote.leg == leg) || !is_ready(view, leg) {
                return;
            }
            // An order that closes or opens the other way must be gone: what it fills would be held beside this.
            let other = |leg: Leg| self.owns(leg) && leg.opening() == Some(opening.side.opposite());
            if view.orders.iter().any(|(_, order)| other(order.id.leg())) {
                return;
            }
            // A price that would take now is taken from the market again: post-only, it would be refused until its bar ends.
            let stands = |(price, _): &(Price, Qty)| {
                self.cfg.entry == Entry::Taker || rests(opening.side, *price, top) || working(view, leg).is_some()
            };
            let at = opening.at.filter(stands).or_else(|| self.entry(opening, view.instrument, top));
            let Some((price, qty)) = at else { return };
            opening.at = at;
            self.opening = Some(opening);
            want.push(Quote { leg, side: opening.side, style: self.cfg.entry.style(), reduce_only: false, price, qty });
            return;
        }
        let Some(held) = self.held.filter(|held| held.is_whole && self.room(held)) else { return };
        let Some(Add::Losing(step)) = self.plan.add(&held, exit_price(held.side, top)) else { return };
        let layer = held.last_layer.saturating_add(1);
        let Some(leg) = self.leg(held.side, i32::from(layer)).filter(|leg| is_ready(view, *leg)) else { return };
        let Some(level) = shifted(held.last, held.side, -i64::from(step), view.instrument, away(held.side)) else { return };
        let resting = working(view, leg).filter(|price| rests(held.side, *price, top));
        let price = match held.side {
            _ if rests(held.side, level, top) => level,
            // The price is beyond the level already: it rests at the best price, where it is or anew.
            Side::Buy => resting.unwrap_or(top.bid),
            Side::Sell => resting.unwrap_or(top.ask),
        };
        let qty = view.instrument.qty_for(self.plan.amount(layer), price);
        self.displaced |= price != level;
        if !qty.is_zero() {
            want.push(Quote { leg, side: held.side, style: Style::PostOnly, reduce_only: false, price, qty });
        }
    }

    /// Price and quantity of an opening at this moment.
    fn entry(&self, opening: Opening, instrument: &Instrument, top: &Top) -> Option<(Price, Qty)> {
        let price = match (self.cfg.entry, opening.side) {
            (Entry::Maker, Side::Buy) => top.bid,
            (Entry::Maker, Side::Sell) => top.ask,
            (Entry::Taker, Side::Buy) => shifted(top.ask, Side::Buy, i64::from(self.cfg.slippage), instrument, Round::Down)?,
            (Entry::Taker, Side::Sell) => shifted(top.bid, Side::Sell, i64::from(self.cfg.slippage), instrument, Round::Up)?,
        };
        // A sell that takes is worth what the bid pays, not its limit.
        let worth = if opening.side == Side::Sell { price.max(top.bid) } else { price };
        let qty = instrument.qty_for(self.plan.amount(opening.layer), worth);
        (!qty.is_zero()).then_some((price, qty))
    }
}

/// What closing brings now.
fn exit_price(side: Side, top: &Top) -> Price {
    if side == Side::Buy { top.bid } else { top.ask }
}

/// How far a price fell from the best one, in millionths of that.
fn fall(side: Side, peak: Price, price: Price) -> i64 {
    let away = if side == Side::Buy { peak.minus(price) } else { price.minus(peak) };
    i64::try_from(i128::from(away) * 1_000_000 / i128::from(peak.units().max(1))).unwrap_or(i64::MAX)
}

/// Rounding of an opening price: away from the market, against ourselves never more than asked for.
const fn away(side: Side) -> Round {
    match side {
        Side::Buy => Round::Down,
        Side::Sell => Round::Up,
    }
}

/// Whether an order of a side would rest at a price.
fn rests(side: Side, price: Price, top: &Top) -> bool {
    match side {
        Side::Buy => price < top.ask,
        Side::Sell => price > top.bid,
    }
}

/// Whether a leg's slot can take an opening: nothing of another level is there, and nothing that is only to be closed.
fn is_ready(view: &View<'_>, leg: Leg) -> bool {
    match view.slots.seat(leg) {
        Seat::Own(slot) => !slot.exiting,
        Seat::Free => true,
        Seat::Taken => false,
    }
}

/// Price of a leg's order, if there is one that opens.
fn working(view: &View<'_>, leg: Leg) -> Option<Price> {
    let slot = view.slots.get(leg)?;
    view.orders.get(slot.order?).filter(|order| leg.opens(order.id.side())).map(|order| order.price)
}

pub(crate) fn close_at_market(slot: &Slot, view: &View<'_>) -> Quote {
    let qty = view.instrument.closing_qty(slot.held, OrderType::Market);
    let side = slot.leg.opening().map_or(Side::Sell, Side::opposite);
    Quote { leg: slot.leg, side, style: Style::Market, reduce_only: view.only_reduces(slot.leg), price: Price::ZERO, qty }
}

/// Rests at the target, or at the nearest price beyond it that does not take.
fn close_at(slot: &Slot, target: Price, view: &View<'_>, top: &Top) -> Quote {
    let side = slot.leg.opening().map_or(Side::Sell, Side::opposite);
    let resting = slot.order.and_then(|at| view.orders.get(at)).filter(|o| o.id.side() == side).map(|o| o.price);
    let price = match resting {
        // It rests at its target or better: it stays.
        Some(price) if price == target || !rests(side, target, top) && rests(side, price, top) && price_is_better(side, price, target) => {
            price
        }
        _ if rests(side, target, top) => target,
        _ => match side {
            Side::Sell => top.ask,
            Side::Buy => top.bid,
        },
    };
    let qty = view.instrument.closing_qty(slot.held, OrderType::Limit);
    Quote { leg: slot.leg, side, style: Style::PostOnly, reduce_only: view.only_reduces(slot.leg), price, qty }
}

fn price_is_better(side: Side, price: Price, than: Price) -> bool {
    match side {
        Side::Sell => price > than,
        Side::Buy => price < than,
    }
}

impl<P: Plan> Strategy for Trader<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn anchored(&mut self, _anchor: Price) {
        self.behind = true;
    }

    fn watch(&mut self, event: &Event, view: &View<'_>) {
        if let Event::Past(past) = event {
            let closed = self.bars.push_past(past, view.instrument);
            self.take(&closed);
        }
        if let Event::Candle(candle) = event {
            self.candle(candle, view.now, view.instrument);
            // What a bar said while nothing was traded is over.
            self.opening = None;
        }
    }

    fn on_event(&mut self, event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        let mut news = changes.any(Changes::INVENTORY.and(Changes::FREED).and(Changes::RULES).and(Changes::GATE)) || self.behind;
        if news {
            self.read(view);
        }
        if let Event::Candle(candle) = event
            && self.candle(candle, view.now, view.instrument)
        {
            self.decide(view.now);
            (news, self.late) = (true, false);
        }
        // Bars that were told late open nothing; but what the last of them says of a position still holds.
        if self.late && !matches!(event, Event::Candle(_) | Event::Past(_)) {
            self.late = false;
            if self.held.is_some_and(|held| self.plan.leave(held.side)) {
                (news, self.leaving) = (true, true);
            }
        }
        if !self.leaving
            && let Some(top) = view.top
        {
            news |= self.look(view, top) || self.displaced && changes.any(Changes::TOP);
        }
        if !news {
            return Intent::Keep;
        }
        match view.top {
            _ if self.leaving => {
                self.displaced = false;
                self.write_leaving(view, want);
            }
            Some(top) => self.write(view, top, want),
            None => {
                self.behind = true;
                return Intent::Keep;
            }
        }
        self.behind = false;
        Intent::Want
    }

    fn memo(&self) -> Memo {
        let calm = self.calm_at.millis() & !LEAVING;
        Memo::of(calm | if self.leaving { LEAVING } else { 0 })
    }

    fn recall(&mut self, memo: Memo) {
        let [word, ..] = memo.0;
        self.leaving = word & LEAVING != 0;
        self.calm_at = Time::from_millis(word & !LEAVING);
    }

    fn is_warm(&self) -> bool {
        self.plan.is_warm()
    }

    fn is_indifferent(&self, _top: &Top) -> bool {
        // What is held is looked at with every price; who leaves waits for none.
        !self.behind && !self.late && (self.leaving || self.held.is_none() && !self.displaced)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn owns(&self, leg: Leg) -> bool {
        leg.strategy() % Leg::SHORT == self.strategy && leg.opening().is_some()
    }

    #[cfg(feature = "serde")]
    fn saved(&self) -> Option<crate::saved::Saved> {
        Some(P::saved(self))
    }
}
