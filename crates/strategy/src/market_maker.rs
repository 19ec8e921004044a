use crate::indicators::{Bars, Indicator, RealizedVolatility};
use crate::{BadOrder, Intent, ParameterError, Quote, Quotes, Strategy, Style};
use core::time::Duration;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Event, FilterError, Instrument, Leg, OrderType, Price, Round, Side, Top, format_units};
use plimsoll_position::{Changes, Slot, View};

/// The number of its long legs.
pub(crate) const NUMBER: u8 = 6;

/// Layers that it may hold each way.
const LAYERS_MAX: u8 = 30;

/// Parameters of [`MarketMaker`]. Shares are in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MarketMakerConfig {
    /// What each quote may cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// Quotes' worth that it may hold each way, 1 to 30.
    pub layers: u8,
    /// Distance of both quotes from the middle in a market that does not move; up to 10 %.
    pub half_spread: u32,
    /// Deviations of a bar's return by which the quotes shift for each layer held, in thousandths, up to 10,000; half of it widens both.
    pub risk: u32,
    /// Bars of the deviation, 2 to 256.
    pub volatility: u16,
    /// Length of a bar, whole minutes up to a day.
    pub bar: Duration,
    /// How far the middle may move before quotes follow; below the half spread.
    pub requote: u32,
}

impl MarketMakerConfig {
    /// Checks all ranges.
    ///
    /// # Errors
    /// The first parameter that is out of range.
    pub fn check(&self) -> Result<(), ParameterError> {
        if !(1..=LAYERS_MAX).contains(&self.layers) {
            return Err(ParameterError::range("layers", self.layers, "1 to 30"));
        }
        if self.half_spread == 0 || self.half_spread > 100_000 {
            return Err(ParameterError::range("half_spread", self.half_spread, "1 to 100,000 millionths"));
        }
        if self.risk > 10_000 {
            return Err(ParameterError::range("risk", self.risk, "0 to 10,000 thousandths"));
        }
        if self.requote >= self.half_spread {
            return Err(ParameterError::range("requote", self.requote, "below half_spread"));
        }
        let minutes = self.bar.as_secs() / 60;
        if !(1..=1_440).contains(&minutes) || self.bar != Duration::from_secs(minutes * 60) {
            return Err(ParameterError::range("bar", format_args!("{} s", self.bar.as_secs()), "whole minutes, 1 to 1,440"));
        }
        RealizedVolatility::new(self.volatility, 1).map(|_| ()).map_err(|source| ParameterError::Period { key: "volatility", source })
    }

    /// Checks a quote against the exchange's filters at a price, and that both quotes together earn more than their fees.
    ///
    /// # Errors
    /// The reason why it cannot trade.
    pub fn check_at(&self, instrument: &Instrument, price: Price) -> Result<(), ParameterError> {
        let price = instrument.round_price(price, Round::Down).unwrap_or(price);
        let qty = instrument.qty_for(self.amount, price);
        match instrument.check_limit(price, qty, false) {
            Ok(()) | Err(FilterError::PriceRange { .. } | FilterError::OffTick { .. } | FilterError::OffStep { .. }) => {}
            Err(reason @ (FilterError::QtyRange { .. } | FilterError::MinNotional { .. })) => {
                return Err(ParameterError::Order(Box::new(BadOrder {
                    symbol: instrument.symbol,
                    layer: 0,
                    amount: format_units(self.amount, MONEY_SCALE).to_string(),
                    quote: instrument.quote,
                    price: instrument.show_price(price).to_string(),
                    qty: instrument.show_qty(qty).to_string(),
                    base: instrument.base,
                    reason,
                })));
            }
        }
        if i64::from(self.half_spread) <= i64::from(instrument.maker_fee.ppm()) {
            return Err(ParameterError::range("half_spread", self.half_spread, "above the maker's fee"));
        }
        Ok(())
    }
}

/// Quotes both sides of the middle and leans against what it holds.
///
/// The closed form of Guéant, Lehalle and Fernandez-Tapia: with a deviation σ of a bar's return, both quotes are `half_spread` and half
/// of `risk × σ` away from the middle, and both shift by `risk × σ` against each layer held. What one side has opened, the other side
/// closes, the last layer first. Its quotes rest always; without a deviation it opens nothing, and closes at the half spread.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MarketMaker {
    cfg: MarketMakerConfig,
    bars: Bars,
    volatility: RealizedVolatility,
    /// Deviation of a bar's return in millionths; `None` while it is not warm.
    deviation: Option<u32>,
    /// The quotes stand while twice the middle is within `[low, high]`.
    low: i64,
    high: i64,
    behind: bool,
}

impl MarketMaker {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: MarketMakerConfig) -> Result<Self, ParameterError> {
        cfg.check()?;
        let volatility =
            RealizedVolatility::new(cfg.volatility, 1).map_err(|source| ParameterError::Period { key: "volatility", source })?;
        Ok(Self { cfg, bars: Bars::new(cfg.bar), volatility, deviation: None, low: i64::MAX, high: i64::MIN, behind: true })
    }

    fn leg(side: Side, layer: u8) -> Option<Leg> {
        Leg::new(if side == Side::Buy { NUMBER } else { NUMBER + Leg::SHORT }, i32::from(layer))
    }

    /// Takes a candle; tells whether a bar closed.
    fn candle(&mut self, event: &Event, view: &View<'_>) -> bool {
        let closed = match event {
            Event::Candle(candle) => self.bars.push(candle, view.instrument),
            Event::Past(past) => self.bars.push_past(past, view.instrument),
            _ => return false,
        };
        if closed.hole {
            self.volatility.reset();
            self.deviation = None;
        }
        for bar in &closed.bars {
            // In millionths; a deviation beyond one is one.
            self.deviation = self.volatility.update(bar.close).map(|deviation| ((deviation * 1e6) as u32).min(1_000_000));
        }
        !closed.bars.is_empty()
    }

    fn write(&mut self, view: &View<'_>, top: &Top, want: &mut Quotes) {
        want.clear();
        let twice = top.bid.units().saturating_add(top.ask.units());
        let tolerance = i64::try_from(i128::from(twice) * i128::from(self.cfg.requote) / 1_000_000).unwrap_or(0);
        (self.low, self.high) = (twice - tolerance, twice + tolerance);
        let held = |side: Side| {
            (0..self.cfg.layers).filter_map(|layer| view.slots.get(Self::leg(side, layer)?)).filter(|slot| !slot.held.is_zero()).count()
                as i64
        };
        let layers = held(Side::Buy) - held(Side::Sell);
        let shift = i64::from(self.cfg.risk) * i64::from(self.deviation.unwrap_or(0)) / 1_000;
        let half = i64::from(self.cfg.half_spread) + shift / 2;
        let at = |ppm: i64, round: Round| {
            let product = i128::from(twice) * i128::from((1_000_000 + ppm).max(1));
            let units = if round == Round::Up { (product + 1_999_999) / 2_000_000 } else { product / 2_000_000 };
            view.instrument.round_price(Price::from_units(i64::try_from(units).ok()?), round).filter(|price| !price.is_zero())
        };
        let tick = view.instrument.tick.units();
        // They rest: at the nearest price that does not take, when they are wanted beyond it.
        let bid = at(-half - layers * shift, Round::Down).and_then(|price| Some(price.min(top.ask.offset(-tick)?)));
        let ask = at(half - layers * shift, Round::Up).and_then(|price| Some(price.max(top.bid.offset(tick)?)));
        for (side, price) in [(Side::Buy, bid), (Side::Sell, ask)] {
            if let Some(price) = price.filter(|price| !price.is_zero()) {
                self.quote(side, price, view, want);
            }
        }
    }

    fn quote(&self, side: Side, price: Price, view: &View<'_>, want: &mut Quotes) {
        // What the other side has opened goes first, the last layer of it.
        let mut closes = (0..self.cfg.layers).rev().filter_map(|layer| view.slots.get(Self::leg(side.opposite(), layer)?));
        if let Some(slot) = closes.find(|slot: &&Slot| slot.exiting && slot.held >= view.instrument.qty_min) {
            let qty = view.instrument.closing_qty(slot.held, OrderType::Limit);
            want.push(Quote { leg: slot.leg, side, style: Style::PostOnly, reduce_only: view.only_reduces(slot.leg), price, qty });
            return;
        }
        let free = |leg: &Leg| view.slots.has_room(*leg) && view.slots.get(*leg).is_none_or(|slot| !slot.exiting);
        let next = (0..self.cfg.layers).filter_map(|layer| Self::leg(side, layer)).find(free);
        let qty = view.instrument.qty_for(self.cfg.amount, price);
        if let Some(leg) = next.filter(|_| self.deviation.is_some() && !qty.is_zero()) {
            want.push(Quote { leg, side, style: Style::PostOnly, reduce_only: false, price, qty });
        }
    }
}

impl Strategy for MarketMaker {
    fn name(&self) -> &'static str {
        "market_maker"
    }

    fn anchored(&mut self, _anchor: Price) {
        self.behind = true;
    }

    fn watch(&mut self, event: &Event, view: &View<'_>) {
        self.candle(event, view);
    }

    fn on_event(&mut self, event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        let news = changes.any(Changes::INVENTORY.and(Changes::FREED).and(Changes::RULES).and(Changes::GATE));
        self.behind |= news | self.candle(event, view);
        let Some(top) = view.top else { return Intent::Keep };
        if self.is_indifferent(top) {
            return Intent::Keep;
        }
        self.behind = false;
        self.write(view, top, want);
        Intent::Want
    }

    fn is_indifferent(&self, top: &Top) -> bool {
        !self.behind && (self.low..=self.high).contains(&top.bid.units().saturating_add(top.ask.units()))
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn owns(&self, leg: Leg) -> bool {
        leg.strategy() % Leg::SHORT == NUMBER && leg.opening().is_some()
    }

    #[cfg(feature = "serde")]
    fn saved(&self) -> Option<crate::saved::Saved> {
        Some(crate::saved::Saved::MarketMaker(Box::new(self.clone())))
    }
}
