use crate::indicators::{Bars, Indicator, RealizedVolatility};
use crate::{GridConfig, GridOptions, ParameterError};
use core::time::Duration;
use plimsoll_market::{Bps, Event, Instrument, Price};
use plimsoll_position::View;

/// Parameters of [`DynamicAdjuster`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AdjusterConfig {
    /// Length of a bar, whole minutes up to a day.
    pub bar: Duration,
    /// Bars of the realised volatility, 2 to 256.
    pub volatility: u16,
    /// Deviations of a bar's return that levels are to be apart, in thousandths, 1 to 100,000.
    pub deviations: u32,
    /// Spacings to choose from, each twice as wide as the one before, 2 to 4; the first is the grid's own.
    pub spacings: u8,
    /// What a round trip must earn beyond its fees, in millionths of them, up to 10,000,000.
    pub margin: u32,
    /// Whether orders grow with the spacing: as much is held for a move of the price as with the narrowest.
    pub size: Size,
}

/// What becomes of the size of orders when levels are farther apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Size {
    /// It stays.
    Fixed,
    /// It is as many times larger.
    Scaled,
}

impl AdjusterConfig {
    /// A grid's parameters with one of the spacings, counted from zero.
    pub fn grid(&self, grid: GridConfig, options: GridOptions, spacing: u8) -> (GridConfig, GridOptions) {
        let factor = 1_u32 << spacing.min(3);
        let interval = Price::from_units(grid.interval.units().saturating_mul(i64::from(factor)));
        let order_quote = match self.size {
            Size::Fixed => grid.order_quote,
            Size::Scaled => grid.order_quote.saturating_mul(i128::from(factor)),
        };
        (GridConfig { interval, order_quote, ..grid }, GridOptions { ratio: options.ratio.saturating_mul(factor), ..options })
    }
}

/// Chooses how far apart the levels of a grid open.
///
/// The spacings are grids of their own, with numbers of their own: a change of mind moves no level, and what one of them has opened it
/// closes at its own levels, whoever opens meanwhile. At the close of a bar, and when the exchange changes its rules, the narrowest is
/// chosen whose levels are as many deviations apart as asked for, whose round trip earns its fees and the margin at the price of now,
/// and whose orders the exchange takes. Going back to a narrower one takes a fifth less volatility than was needed to leave it. Where
/// no spacing earns its fees, or the volatility is not known, nothing is opened.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DynamicAdjuster {
    cfg: AdjusterConfig,
    grid: GridConfig,
    options: GridOptions,
    bars: Bars,
    volatility: RealizedVolatility,
    chosen: Option<u8>,
    /// It is to choose as soon as there is a price.
    pending: bool,
}

impl DynamicAdjuster {
    /// Makes one for a grid.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: AdjusterConfig, grid: GridConfig, options: GridOptions) -> Result<Self, ParameterError> {
        let minutes = cfg.bar.as_secs() / 60;
        if !(1..=1_440).contains(&minutes) || cfg.bar != Duration::from_secs(minutes * 60) {
            return Err(ParameterError::range("bar", format_args!("{} s", cfg.bar.as_secs()), "whole minutes, 1 to 1,440"));
        }
        if !(1..=100_000).contains(&cfg.deviations) {
            return Err(ParameterError::range("deviations", cfg.deviations, "1 to 100,000 thousandths"));
        }
        if !(2..=4).contains(&cfg.spacings) {
            return Err(ParameterError::range("spacings", cfg.spacings, "2 to 4"));
        }
        if cfg.margin > 10_000_000 {
            return Err(ParameterError::range("margin", cfg.margin, "0 to 10,000,000 millionths"));
        }
        let volatility =
            RealizedVolatility::new(cfg.volatility, 1).map_err(|source| ParameterError::Period { key: "volatility_period", source })?;
        Ok(Self { cfg, grid, options, bars: Bars::new(cfg.bar), volatility, chosen: None, pending: false })
    }

    /// The spacing that may open, counted from zero; `None` for none.
    pub const fn chosen(&self) -> Option<u8> {
        self.chosen
    }

    /// Whether it is to choose with the next price.
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Bars that it takes until it chooses.
    pub fn warm_up(&self) -> usize {
        self.volatility.warm_up()
    }

    /// Takes a candle; tells whether it chose anew. `rules` tells that the exchange's rules changed.
    pub fn event(&mut self, event: &Event, rules: bool, view: &View<'_>) -> bool {
        let mut look = rules | self.pending;
        let closed = match event {
            Event::Candle(candle) => Some(self.bars.push(candle, view.instrument)),
            Event::Past(past) => Some(self.bars.push_past(past, view.instrument)),
            _ => None,
        };
        if let Some(closed) = closed {
            if closed.hole {
                self.volatility.reset();
                look = true;
            }
            for bar in &closed.bars {
                self.volatility.update(bar.close);
                look = true;
            }
        }
        // Without a price it is chosen with the next one; until then the last choice holds.
        self.pending = look && view.top.is_none();
        if !look || self.pending {
            return false;
        }
        let before = self.chosen;
        self.chosen = self.choose(view);
        self.chosen != before
    }

    fn choose(&self, view: &View<'_>) -> Option<u8> {
        // In millionths; a deviation beyond one is one.
        let deviation = self.volatility.value().map(|deviation| ((deviation * 1e6) as i64).min(1_000_000))?;
        let price = view.top?.bid;
        let needed = i128::from(deviation) * i128::from(self.cfg.deviations) * i128::from(price.units()) / 1_000_000_000;
        let mut widest = None;
        for spacing in 0..self.cfg.spacings {
            let (grid, options) = self.cfg.grid(self.grid, self.options, spacing);
            if !self.pays(&grid, &options, view.instrument, price) {
                continue;
            }
            widest = Some(spacing);
            let interval = i128::from(options.spacing(grid.interval).interval_at(price).units());
            let asked = if self.chosen.is_some_and(|chosen| spacing < chosen) { needed * 5 / 4 } else { needed };
            if interval >= asked {
                return widest;
            }
        }
        widest
    }

    /// Whether a round trip earns its fees and the margin at a price, with an order that the exchange takes.
    fn pays(&self, grid: &GridConfig, options: &GridOptions, instrument: &Instrument, price: Price) -> bool {
        let fee = i64::from(instrument.maker_fee.ppm());
        let dear = fee.saturating_add(fee.max(0).saturating_mul(i64::from(self.cfg.margin)) / 1_000_000);
        grid.pays(options, instrument, price, Bps::from_ppm(i32::try_from(dear).unwrap_or(i32::MAX)))
    }
}
