use crate::limits::GRID_WINDOWS_MAX;
use crate::trader::close_at_market;
use crate::{GridOptions, Intent, Quote, Quotes, Strategy, Style, Trailing};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{
    Bps, Event, FilterError, Instrument, Leg, Memo, Notional, OrderType, Price, Qty, Round, Side, Spacing, Top, format_units,
};
use plimsoll_position::{Changes, Seat, Slot, View, limits::SLOTS};
use thiserror::Error;

/// A grid: buys one interval apart below the price, and sells each purchase one interval above its own level. A short one sells above
/// the price and buys back one interval below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GridConfig {
    /// Distance of two levels; a multiple of the tick.
    pub interval: Price,
    /// What each opening order may cost, units of 1e-8 of the quote asset.
    pub order_quote: i128,
    /// Opening levels kept, 1 to 64: below the price, of a short grid above it.
    pub buy_window: u8,
    /// Closing orders kept, nearest to the price first, 1 to 64; both windows together at most 64.
    pub sell_window: u8,
}

/// Why a grid cannot run on a symbol.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum GridError {
    /// The interval is not a positive multiple of the tick.
    #[error("{symbol}: price_interval {interval} is not a positive multiple of the tick {tick}")]
    Interval {
        /// Symbol.
        symbol: String,
        /// Interval.
        interval: String,
        /// Tick.
        tick: String,
    },
    /// Levels a ratio apart are less than a tick apart.
    #[error("{symbol}: at {price} levels {ratio} % apart are not a tick of {tick} apart; raise ratio_percent")]
    Ratio {
        /// Symbol.
        symbol: String,
        /// Price looked at.
        price: String,
        /// Ratio in percent.
        ratio: String,
        /// Tick.
        tick: String,
    },
    /// The windows are zero or too large.
    #[error("{symbol}: buy_window {buy} and sell_window {sell} must be at least 1 and together at most {GRID_WINDOWS_MAX}")]
    Windows {
        /// Symbol.
        symbol: String,
        /// Buy window.
        buy: u8,
        /// Sell window.
        sell: u8,
    },
    /// An order would break the exchange's filters.
    #[error(
        "{symbol}: an order of {order_quote} {quote} at {price} is {qty} {base}, worth {value} {quote}; the exchange takes no less than {qty_min} {base} and {value_min} {quote}; raise order_quantity"
    )]
    TooSmall {
        /// Symbol.
        symbol: String,
        /// Configured quote amount.
        order_quote: String,
        /// Quote asset.
        quote: String,
        /// Price looked at.
        price: String,
        /// Quantity it makes.
        qty: String,
        /// Base asset.
        base: String,
        /// What that quantity is worth.
        value: String,
        /// Smallest quantity.
        qty_min: String,
        /// Least value.
        value_min: String,
    },
    /// Quantity beyond the exchange's most.
    #[error("{symbol}: an order of {qty} is above the exchange's most of {qty_max}; lower order_quantity")]
    TooLarge {
        /// Symbol.
        symbol: String,
        /// Quantity.
        qty: String,
        /// Most.
        qty_max: String,
    },
    /// A round trip earns less than its fees.
    #[error("{symbol}: a round trip at {price} earns {gross} {quote} but costs {fees} {quote} in fees; raise price_interval")]
    Fees {
        /// Symbol.
        symbol: String,
        /// Price looked at.
        price: String,
        /// Profit before fees.
        gross: String,
        /// Quote asset.
        quote: String,
        /// Fees of both sides.
        fees: String,
    },
}

impl GridConfig {
    /// Checks that the grid can trade and earn at a price.
    ///
    /// # Errors
    /// The first reason why it cannot, with its numbers.
    pub fn check(&self, instrument: &Instrument, price: Price) -> Result<(), Box<GridError>> {
        self.check_with(&GridOptions::LONG, instrument, price)
    }

    /// The same with options: with their spacing, for the smallest and the largest order that they allow.
    ///
    /// # Errors
    /// The first reason why it cannot, with its numbers.
    pub fn check_with(&self, options: &GridOptions, instrument: &Instrument, price: Price) -> Result<(), Box<GridError>> {
        let symbol = || instrument.symbol.to_string();
        let shown =
            |n: Notional| instrument.amount(n, Round::Nearest).map_or_else(|_| String::from("?"), |a| format_units(a.units, 8).to_string());
        let spacing = options.spacing(self.interval);
        if options.ratio == 0 && (self.interval.is_zero() || self.interval.units() % instrument.tick.units().max(1) != 0) {
            return Err(Box::new(GridError::Interval {
                symbol: symbol(),
                interval: instrument.show_price(self.interval).to_string(),
                tick: instrument.show_price(instrument.tick).to_string(),
            }));
        }
        let windows = usize::from(self.buy_window) + usize::from(self.sell_window);
        if self.buy_window == 0 || self.sell_window == 0 || windows > GRID_WINDOWS_MAX {
            return Err(Box::new(GridError::Windows { symbol: symbol(), buy: self.buy_window, sell: self.sell_window }));
        }
        // The lowest level of the window buys the most, the highest is worth the least after rounding; both must pass.
        let lowest = spacing.price(price, -i32::from(self.buy_window), instrument.tick);
        let (least, most) = options.sizes(self.order_quote);
        let sizes = [Some((price, least)), lowest.map(|lowest| (lowest, least)), lowest.map(|lowest| (lowest, most))];
        for (price, order_quote) in sizes.into_iter().flatten() {
            let qty = instrument.qty_for(order_quote, price);
            match instrument.check_limit(instrument.round_price(price, Round::Down).unwrap_or(price), qty, false) {
                Ok(()) | Err(FilterError::PriceRange { .. } | FilterError::OffTick { .. } | FilterError::OffStep { .. }) => {}
                Err(FilterError::QtyRange { .. }) if qty > instrument.qty_max => {
                    return Err(Box::new(GridError::TooLarge {
                        symbol: symbol(),
                        qty: instrument.show_qty(qty).to_string(),
                        qty_max: instrument.show_qty(instrument.qty_max).to_string(),
                    }));
                }
                Err(FilterError::QtyRange { .. } | FilterError::MinNotional { .. }) => {
                    return Err(Box::new(GridError::TooSmall {
                        symbol: symbol(),
                        order_quote: format_units(order_quote, MONEY_SCALE).to_string(),
                        quote: instrument.quote.to_string(),
                        price: instrument.show_price(price).to_string(),
                        qty: instrument.show_qty(qty).to_string(),
                        base: instrument.base.to_string(),
                        value: shown(price * qty),
                        qty_min: instrument.show_qty(instrument.qty_min).to_string(),
                        value_min: shown(instrument.notional_min),
                    }));
                }
            }
        }
        // Of levels a ratio apart the lowest lose the most to the tick; of even ones the highest pay the most fees.
        let looked_at = [Some(price), lowest.filter(|_| options.ratio != 0)];
        looked_at.into_iter().flatten().try_for_each(|price| self.check_fees(options, instrument, price, shown))
    }

    /// Checks that a round trip from a price earns more than its fees.
    fn check_fees(
        &self,
        options: &GridOptions,
        instrument: &Instrument,
        price: Price,
        shown: impl Fn(Notional) -> String,
    ) -> Result<(), Box<GridError>> {
        let symbol = || instrument.symbol.to_string();
        let qty = instrument.qty_for(options.sizes(self.order_quote).0, price);
        let above = options.spacing(self.interval).price(price, 1, instrument.tick).unwrap_or(price);
        if above <= price {
            return Err(Box::new(GridError::Ratio {
                symbol: symbol(),
                price: instrument.show_price(price).to_string(),
                ratio: format_units(i128::from(options.ratio), 4).to_string(),
                tick: instrument.show_price(instrument.tick).to_string(),
            }));
        }
        if self.earns(options, instrument, price, instrument.maker_fee) {
            return Ok(());
        }
        let gross = Price::from_units(above.minus(price)) * qty;
        let fees = instrument.fee(price * qty, instrument.maker_fee).units + instrument.fee(above * qty, instrument.maker_fee).units;
        Err(Box::new(GridError::Fees {
            symbol: symbol(),
            price: instrument.show_price(price).to_string(),
            gross: shown(gross),
            quote: instrument.quote.to_string(),
            fees: format_units(fees, MONEY_SCALE).to_string(),
        }))
    }

    /// Whether a round trip from a price earns more than fees of a rate.
    fn earns(&self, options: &GridOptions, instrument: &Instrument, price: Price, fee: Bps) -> bool {
        let qty = instrument.qty_for(options.sizes(self.order_quote).0, price);
        let above = options.spacing(self.interval).price(price, 1, instrument.tick).unwrap_or(price);
        let gross = Price::from_units(above.minus(price).max(0)) * qty;
        let fees = instrument.fee(price * qty, fee).units + instrument.fee(above * qty, fee).units;
        instrument.amount(gross, Round::Down).map_or(0, |a| a.units) > fees
    }

    /// Whether a round trip from a price earns more than fees of a rate, with an order that the exchange takes.
    pub(crate) fn pays(&self, options: &GridOptions, instrument: &Instrument, price: Price, fee: Bps) -> bool {
        let price = instrument.round_price(price, Round::Down).unwrap_or(price);
        let qty = instrument.qty_for(options.sizes(self.order_quote).0, price);
        let fits = match instrument.check_limit(price, qty, false) {
            Ok(()) | Err(FilterError::PriceRange { .. } | FilterError::OffTick { .. } | FilterError::OffStep { .. }) => true,
            Err(FilterError::QtyRange { .. } | FilterError::MinNotional { .. }) => false,
        };
        fits && self.earns(options, instrument, price, fee)
    }
}

/// The grid of one symbol, long or short.
///
/// Level `i` of a long grid lies where [`Spacing`] says, at `anchor + i × interval` or a ratio apart; a short one is its mirror: level
/// `i` lies where level `-i` of a long one does, is sold, and bought back one level below. Inside, prices of a short grid are negative, so that both are the same: it opens at its
/// level, closes one level above, and the bid is what closing brings.
///
/// The centre is the highest level not above the bid; it moves only when the bid leaves its band by half an interval, so that a price
/// dancing on a level does not churn orders.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Grid {
    cfg: GridConfig,
    strategy: u8,
    opening: Side,
    options: GridOptions,
    zone: Zone,
    /// Level 0, mirrored for a short grid.
    anchor: Option<i64>,
    centre: i32,
    /// The centre stands while the bid is within `[low, high)`.
    low: i64,
    high: i64,
    /// Something changed while there was no price: what is wanted must be written anew with the next one.
    behind: bool,
    /// Quantity of a level's opening order, remembered: a division of 128 bits each is what a recentre would cost most.
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_bounded::array"))]
    qtys: [(i32, Qty); QTYS],
    /// What each of them may cost.
    order_quote: i128,
    /// Levels by which the bounds have followed the price, counted upwards.
    shift: i32,
}

/// What the price allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Zone {
    /// Its trigger was not reached yet: whether the price was above it at first.
    Waiting(Option<bool>),
    Trading,
    /// Beyond the stop.
    Stopped,
    /// Beyond the target.
    Taken,
}

/// Levels whose quantity is remembered: a power of two, twice the largest window.
const QTYS: usize = 128;

impl Grid {
    /// Makes a long grid; `strategy` is its number on the symbol, 0 to 31.
    pub const fn new(cfg: GridConfig, strategy: u8) -> Self {
        Self::with(cfg, strategy, GridOptions::LONG)
    }

    /// Makes a short grid; its legs have the number of the long one's and [`Leg::SHORT`] more.
    pub const fn short(cfg: GridConfig, strategy: u8) -> Self {
        Self::with(cfg, strategy, GridOptions::SHORT)
    }

    /// Makes a grid with options.
    pub const fn with(cfg: GridConfig, strategy: u8, options: GridOptions) -> Self {
        let (low, high, opening) = (i64::MAX, i64::MIN, options.opening);
        let strategy = match opening {
            Side::Buy => strategy,
            Side::Sell => strategy + Leg::SHORT,
        };
        let zone = if options.trigger.is_some() { Zone::Waiting(None) } else { Zone::Trading };
        Self {
            cfg,
            strategy,
            opening,
            options,
            zone,
            anchor: None,
            centre: 0,
            low,
            high,
            behind: false,
            qtys: [(i32::MAX, Qty::ZERO); QTYS],
            order_quote: cfg.order_quote,
            shift: 0,
        }
    }

    /// The number of its legs, a short one's as if it were long.
    pub(crate) const fn number(&self) -> u8 {
        self.strategy % Leg::SHORT
    }

    /// A price as the grid sees it.
    #[inline]
    const fn seen(&self, price: Price) -> i64 {
        match self.opening {
            Side::Buy => price.units(),
            Side::Sell => -price.units(),
        }
    }

    /// Bid and ask as the grid sees them.
    #[inline]
    const fn seen_top(&self, top: &Top) -> (i64, i64) {
        match self.opening {
            Side::Buy => (top.bid.units(), top.ask.units()),
            Side::Sell => (-top.ask.units(), -top.bid.units()),
        }
    }

    /// Whether the centre stands at a bid.
    #[inline]
    const fn stands_at(&self, bid: i64) -> bool {
        self.low <= bid && bid < self.high
    }

    /// The price that the grid sees as this; `None` when there is none above zero.
    #[inline]
    fn price(&self, seen: i64) -> Option<Price> {
        let units = if self.opening == Side::Buy { seen } else { -seen };
        (units > 0).then(|| Price::from_units(units))
    }

    /// Where a level lies, as the grid sees it.
    #[inline]
    fn level(&self, anchor: i64, level: i32, tick: Price) -> Option<i64> {
        if self.options.ratio == 0 {
            return anchor.checked_add(self.cfg.interval.units().checked_mul(i64::from(level))?);
        }
        let (spacing, anchor) = (Spacing::Ratio(self.options.ratio), self.price(anchor)?);
        let upwards = if self.opening == Side::Buy { level } else { level.checked_neg()? };
        spacing.price(anchor, upwards, tick).map(|price| self.seen(price))
    }

    /// The highest level, as the grid counts, that is not above the bid.
    fn level_at(&self, anchor: i64, bid: i64, tick: Price) -> i32 {
        if self.options.ratio == 0 {
            return i32::try_from((bid - anchor).div_euclid(self.cfg.interval.units())).unwrap_or(0);
        }
        let spacing = Spacing::Ratio(self.options.ratio);
        let (Some(anchor), Some(price)) = (self.price(anchor), self.price(bid)) else { return 0 };
        match self.opening {
            Side::Buy => spacing.level_at(anchor, price, tick),
            // The lowest one that is not below the price.
            Side::Sell => -(spacing.level_at(anchor, price.offset(-1).unwrap_or(price), tick) + 1),
        }
    }

    fn recentre(&mut self, anchor: i64, bid: i64, tick: Price) {
        self.centre = self.level_at(anchor, bid, tick).clamp(-Leg::INDEX_MAX + 256, Leg::INDEX_MAX - 256);
        let base = self.level(anchor, self.centre, tick).unwrap_or(bid);
        let interval = match self.level(anchor, self.centre + 1, tick) {
            Some(above) if self.options.ratio != 0 => (above - base).max(1),
            _ => self.cfg.interval.units(),
        };
        self.low = base - interval / 2;
        self.high = base + interval + interval / 2;
        self.trail(anchor, tick);
    }

    /// Lets the bounds follow a price that has left them, by whole levels. What is held has its exits wherever it is.
    fn trail(&mut self, anchor: i64, tick: Price) {
        if self.options.trailing == Trailing::Off {
            return;
        }
        let Some(anchor) = self.price(anchor) else { return };
        let spacing = self.options.spacing(self.cfg.interval);
        let at = if self.opening == Side::Buy { self.centre } else { -self.centre };
        if let Some(upper) = self.options.upper.filter(|_| self.options.trailing.up()) {
            self.shift = self.shift.max(at.saturating_sub(spacing.level_at(anchor, upper, tick)));
        }
        if let Some(lower) = self.options.lower.filter(|_| self.options.trailing.down()) {
            let lowest = spacing.level_at(anchor, lower.offset(-1).unwrap_or(lower), tick).saturating_add(1);
            self.shift = self.shift.min(at.saturating_sub(lowest));
        }
    }

    /// Whether a level's opening is within the bounds: they have moved with its number.
    fn is_within(&self, anchor: i64, level: i32, price: Price, tick: Price) -> bool {
        let (lower, upper) = (self.options.lower, self.options.upper);
        if lower.is_none() && upper.is_none() {
            return true;
        }
        let price = match self.shift {
            0 => Some(price),
            shift => {
                let before = if self.opening == Side::Buy { level.checked_sub(shift) } else { level.checked_add(shift) };
                before.and_then(|before| self.level(anchor, before, tick)).and_then(|seen| self.price(seen))
            }
        };
        price.is_some_and(|price| lower.is_none_or(|lower| price >= lower) && upper.is_none_or(|upper| price <= upper))
    }

    /// What an opening order may cost now: with what was earned, less what too much is held.
    fn size(&self, view: &View<'_>) -> i128 {
        let (least, most) = self.options.sizes(self.cfg.order_quote);
        let totals = view.totals;
        let net = totals.realized - totals.fees - totals.other_fees + totals.funding;
        let earned = net.max(0) * i128::from(self.options.compound) / 1_000_000 / i128::from(self.cfg.buy_window.max(1));
        let grown = (self.cfg.order_quote + earned).min(most.max(self.cfg.order_quote));
        if self.options.skew == 0 {
            return grown;
        }
        let layers = i128::from(self.options.skew_layers.max(1));
        let held = view.slots.holding().filter(|slot| slot.leg.strategy() == self.strategy).count() as i128;
        (grown - grown * i128::from(self.options.skew) * held.min(layers) / layers / 1_000_000).max(least)
    }

    /// A resting order keeps its size until another one is wanted that differs by more than an eighth: it keeps its place in the queue.
    fn keep_size(&self, slot: &Slot, view: &View<'_>, qty: Qty) -> Qty {
        let resting = slot.order.filter(|_| slot.order_side == self.opening).and_then(|at| view.orders.get(at)).map(|order| order.qty);
        resting.filter(|resting| resting.units().abs_diff(qty.units()).saturating_mul(8) <= qty.units()).unwrap_or(qty)
    }

    fn write(&mut self, anchor: i64, view: &View<'_>, bid: i64, ask: i64, want: &mut Quotes) {
        want.clear();
        let tick = view.instrument.tick;
        if self.options.resizes() {
            let size = self.size(view);
            if size != self.order_quote {
                self.order_quote = size;
                self.forget_qtys();
            }
        }
        match self.zone {
            Zone::Trading => self.want_exits(anchor, view, bid, want),
            Zone::Waiting(_) => return,
            Zone::Stopped | Zone::Taken => {
                for slot in view.slots.holding().filter(|s| s.leg.strategy() == self.strategy && s.held >= view.instrument.qty_min) {
                    want.push(close_at_market(slot, view));
                }
                return;
            }
        }
        for i in 0..i32::from(self.cfg.buy_window) {
            let level = self.centre - i;
            let (Some(leg), Some(seen)) = (Leg::new(self.strategy, level), self.level(anchor, level, tick)) else { break };
            let Some(price) = self.price(seen) else { break };
            if !self.is_within(anchor, level, price, tick) {
                continue;
            }
            // Far below the anchor a ratio can be less than a tick: what would close where it opens earns nothing.
            if self.options.ratio != 0 && self.level(anchor, level + 1, tick).is_none_or(|target| target <= seen) {
                continue;
            }
            // An opening order at or above the ask would take; one that already rests stays until it fills.
            let rests = match view.slots.seat(leg) {
                Seat::Own(slot) if slot.exiting => continue,
                Seat::Own(slot) => slot.order.is_some() && slot.order_side == self.opening,
                Seat::Free => false,
                Seat::Taken => continue,
            };
            if seen >= ask && !rests {
                continue;
            }
            let mut qty = self.qty_at(level, price, view.instrument);
            if self.options.resizes()
                && let Some(slot) = view.slots.get(leg)
            {
                qty = self.keep_size(slot, view, qty);
            }
            if qty.is_zero() {
                continue;
            }
            want.push(Quote { leg, side: self.opening, style: Style::PostOnly, reduce_only: false, price, qty });
        }
    }

    /// Looks where the price is; tells whether that changed anything.
    fn look(&mut self, view: &View<'_>, bid: i64) -> bool {
        let interval = self.price(bid).map_or(1, |price| self.options.spacing(self.cfg.interval).interval_at(price).units());
        let seen = |price: Option<Price>| price.map(|price| self.seen(price));
        let (trigger, stop, target) = (seen(self.options.trigger), seen(self.options.stop), seen(self.options.take_profit));
        let beyond_stop = |margin: i64| stop.is_some_and(|stop| bid <= stop.saturating_add(margin));
        let beyond_target = |margin: i64| target.is_some_and(|target| bid >= target.saturating_sub(margin));
        let before = self.zone;
        if let (Zone::Waiting(above), Some(trigger)) = (self.zone, trigger) {
            let is_above = bid >= trigger;
            let reached = bid == trigger || above.is_some_and(|above| above != is_above);
            let held = view.slots.holding().any(|slot| slot.leg.strategy() == self.strategy);
            self.zone = if reached || held { Zone::Trading } else { Zone::Waiting(Some(is_above)) };
        }
        // One interval short of coming back, a price that dances on it does not open and close.
        self.zone = match self.zone {
            Zone::Waiting(above) => Zone::Waiting(above),
            Zone::Stopped if beyond_stop(interval - 1) => Zone::Stopped,
            Zone::Taken if beyond_target(interval - 1) => Zone::Taken,
            _ if beyond_stop(0) => Zone::Stopped,
            _ if beyond_target(0) => Zone::Taken,
            Zone::Trading | Zone::Stopped | Zone::Taken => Zone::Trading,
        };
        self.zone != before
    }

    /// Whether it trades, and a bid neither stops nor ends it.
    fn trades_on_at(&self, bid: i64) -> bool {
        self.zone == Zone::Trading
            && self.options.stop.is_none_or(|stop| bid > self.seen(stop))
            && self.options.take_profit.is_none_or(|target| bid < self.seen(target))
    }

    fn qty_at(&mut self, level: i32, price: Price, instrument: &Instrument) -> Qty {
        let memo = &mut self.qtys[level as usize % QTYS];
        if memo.0 != level {
            *memo = (level, instrument.qty_for(self.order_quote, price));
        }
        memo.1
    }

    fn forget_qtys(&mut self) {
        self.qtys = [(i32::MAX, Qty::ZERO); QTYS];
    }

    /// Wants the exits of the lowest levels: they are the nearest to the price, and first of all those it has passed.
    fn want_exits(&self, anchor: i64, view: &View<'_>, bid: i64, want: &mut Quotes) {
        let room = usize::from(self.cfg.sell_window);
        let highest = self.centre.saturating_add(i32::from(self.cfg.sell_window));
        let lowest = self.centre.saturating_sub(SLOTS as i32 / 2);
        let mut seen = 0;
        for slot in view.slots.holding_from(self.strategy, lowest) {
            seen += 1;
            if want.as_slice().len() == room || slot.leg.index() > highest {
                return;
            }
            self.want_exit(anchor, slot, view, bid, want);
        }
        if seen == view.slots.holding_count() {
            return;
        }
        // What lies farther below than half the ring was passed by a leap; it is closed too.
        for slot in view.slots.holding().filter(|s| s.leg.strategy() == self.strategy && s.leg.index() < lowest) {
            if want.as_slice().len() == room {
                return;
            }
            self.want_exit(anchor, slot, view, bid, want);
        }
    }

    #[inline]
    fn want_exit(&self, anchor: i64, slot: &Slot, view: &View<'_>, bid: i64, want: &mut Quotes) {
        if !slot.exiting {
            return;
        }
        let side = self.opening.opposite();
        let Some(target) = self.level(anchor, slot.leg.index().saturating_add(1), view.instrument.tick) else { return };
        let resting = slot.order.and_then(|at| view.orders.get(at)).filter(|o| o.id.side() == side).map(|o| self.seen(o.price));
        let seen = match resting {
            // It rests at its target or better: it stays.
            Some(seen) if seen >= target => seen,
            // The market is beyond the target: rest just above the bid rather than take.
            _ if target <= bid => bid.saturating_add(view.instrument.tick.units()),
            _ => target,
        };
        let Some(price) = self.price(seen) else { return };
        let qty = view.instrument.closing_qty(slot.held, OrderType::Limit);
        want.push(Quote { leg: slot.leg, side, style: Style::PostOnly, reduce_only: view.only_reduces(slot.leg), price, qty });
    }
}

impl Strategy for Grid {
    fn name(&self) -> &'static str {
        "grid"
    }

    fn anchored(&mut self, anchor: Price) {
        self.anchor = Some(self.seen(anchor));
        self.low = i64::MAX;
        self.high = i64::MIN;
        self.forget_qtys();
    }

    fn memo(&self) -> Memo {
        Memo::of(u64::from(self.shift.cast_unsigned()))
    }

    fn recall(&mut self, memo: Memo) {
        let [word, ..] = memo.0;
        let shift = u32::try_from(word).map_or(0, u32::cast_signed);
        self.shift = match self.options.trailing {
            Trailing::Off => 0,
            Trailing::Up => shift.max(0),
            Trailing::Down => shift.min(0),
            Trailing::Both => shift,
        };
    }

    fn on_event(&mut self, _event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        // Without a price nothing is known; what was wanted stands, and the gate decides what may stay.
        let changed = changes.any(Changes::INVENTORY.and(Changes::FREED).and(Changes::RULES).and(Changes::GATE));
        let (Some(anchor), Some(top)) = (self.anchor, view.top) else {
            self.behind |= changed;
            return Intent::Keep;
        };
        let (bid, ask) = self.seen_top(top);
        let crossed = self.options.watches() && self.look(view, bid);
        let moved = crossed || !self.stands_at(bid);
        if !moved && !changed && !self.behind {
            return Intent::Keep;
        }
        self.behind = false;
        if changes.any(Changes::RULES) {
            self.forget_qtys();
        }
        if moved {
            self.recentre(anchor, bid, view.instrument.tick);
        }
        self.write(anchor, view, bid, ask, want);
        Intent::Want
    }

    fn takes_candles(&self) -> bool {
        false
    }

    fn is_indifferent(&self, top: &Top) -> bool {
        let bid = self.seen_top(top).0;
        self.anchor.is_some() && !self.behind && self.stands_at(bid) && (!self.options.watches() || self.trades_on_at(bid))
    }

    fn owns(&self, leg: Leg) -> bool {
        leg.strategy() == self.strategy
    }

    fn level_price(&self, leg: Leg, tick: Price) -> Option<Price> {
        let seen = self.level(self.anchor?, Some(leg).filter(|leg| self.owns(*leg))?.index(), tick)?;
        self.price(seen)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    #[cfg(feature = "serde")]
    fn saved(&self) -> Option<crate::saved::Saved> {
        Some(crate::saved::Saved::Grid(Box::new(self.clone())))
    }
}
