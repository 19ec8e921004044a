use crate::indicators::{Atr, Bar, Donchian, Indicator};
use crate::limits::LAYERS_MAX;
use crate::martingale::only;
use crate::trend_following::Trend;
use crate::{Add, Average, Direction, Held, ParameterError, Plan, Target, Trader};
use arrayvec::ArrayVec;
use plimsoll_market::{Price, Side};

/// Averages into a position with safety orders whose distance follows the market's range, and takes profit layer by layer.
pub type DcaEnhanced = Trader<DcaPlan>;

/// When a fall is too fast to be bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cascade {
    /// Movement against the position, in millionths of the extreme.
    pub drop: u32,
    /// Bars within which it must happen, 2 to 256.
    pub bars: u16,
    /// Bars for which no layer is added then, 1 to 1,000.
    pub pause: u16,
}

/// Parameters of [`DcaEnhanced`]. Shares are in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DcaConfig {
    /// Which positions it may hold; both only with the trend filter, which then chooses.
    pub direction: Direction,
    /// What the first layer may cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// What the first safety order may cost, units of 1e-8 of the quote asset.
    pub safety_amount: i128,
    /// Safety orders at most, 0 to 59.
    pub safety_orders: u8,
    /// Bars of the average true range.
    pub atr: u16,
    /// A step is so many ranges; 0.1 to 20 of them.
    pub atr_multiplier: u32,
    /// A step is no less than this.
    pub step_min: u32,
    /// A step is no more than this, before it grows with the layers.
    pub step_max: u32,
    /// By how much each safety order is larger than the last, 0.5 to 3 times.
    pub amount_scale: u32,
    /// By how much each step is wider than the last, 0.5 to 3 times; it is never less than `step_min`.
    pub step_scale: u32,
    /// Gain at which a single layer is closed.
    pub take_first: u32,
    /// Gain over its own price at which the last of several layers is closed; zero for none.
    pub take_last: u32,
    /// Gain over the mean price at which all layers are closed.
    pub take_total: u32,
    /// When a fall is too fast to be bought.
    pub cascade: Option<Cascade>,
    /// Bars of the trend filter's short exponential mean, the long one has twice as many; zero for none.
    pub trend: u16,
}

/// What [`DcaEnhanced`] goes by.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DcaPlan {
    cfg: DcaConfig,
    amounts: ArrayVec<i128, { LAYERS_MAX as usize }>,
    range: Atr,
    extremes: Donchian,
    trend: Option<Trend>,
    /// The step by the last bar's range, in millionths; `None` while it is not warm.
    step: Option<u32>,
    /// Bars for which neither long (first) nor short layers are added.
    pause: [u16; 2],
}

impl DcaPlan {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: DcaConfig) -> Result<Self, ParameterError> {
        let within = |key, value: u32, least: u32, most: u32, allowed| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(ParameterError::range(key, value, allowed)) }
        };
        within("safety_orders", cfg.safety_orders.into(), 0, u32::from(LAYERS_MAX) - 1, "0 to 59")?;
        within("atr_multiplier", cfg.atr_multiplier, 100_000, 20_000_000, "100,000 to 20,000,000 millionths")?;
        within("step_min", cfg.step_min, 100, 500_000, "100 to 500,000 millionths")?;
        within("step_max", cfg.step_max, cfg.step_min, 500_000, "step_min to 500,000 millionths")?;
        within("amount_scale", cfg.amount_scale, 500_000, 3_000_000, "500,000 to 3,000,000 millionths")?;
        within("step_scale", cfg.step_scale, 500_000, 3_000_000, "500,000 to 3,000,000 millionths")?;
        within("take_first", cfg.take_first, 1, 900_000, "1 to 900,000 millionths")?;
        within("take_total", cfg.take_total, 1, 900_000, "1 to 900,000 millionths")?;
        within("take_last", cfg.take_last, 0, 900_000, "0 to 900,000 millionths")?;
        if let Some(cascade) = cfg.cascade {
            within("cascade drop", cascade.drop, 1_000, 900_000, "1,000 to 900,000 millionths")?;
            within("cascade bars", cascade.bars.into(), 2, 256, "2 to 256")?;
            within("cascade pause", cascade.pause.into(), 1, 1_000, "1 to 1,000 bars")?;
        }
        if cfg.direction == Direction::Both && cfg.trend == 0 {
            return Err(ParameterError::range("direction", "both", "long or short without the trend filter, which else chooses"));
        }
        let period = |key| move |source| ParameterError::Period { key, source };
        let trend = match cfg.trend {
            0 => None,
            n => Some(Trend::new(Average::Exponential, n, n.saturating_mul(2)).map_err(period("trend"))?),
        };
        let mut amounts = ArrayVec::new();
        amounts.push(cfg.amount);
        let mut amount = cfg.safety_amount;
        for _ in 0..cfg.safety_orders {
            amounts.push(amount);
            amount = amount.saturating_mul(cfg.amount_scale.into()) / 1_000_000;
        }
        let range = Atr::new(cfg.atr).map_err(period("atr"))?;
        let extremes = Donchian::new(cfg.cascade.map_or(2, |cascade| cascade.bars)).map_err(period("cascade bars"))?;
        Ok(Self { cfg, amounts, range, extremes, trend, step: None, pause: [0; 2] })
    }

    fn watch_for_cascades(&mut self, bar: &Bar) {
        self.pause = self.pause.map(|bars| bars.saturating_sub(1));
        let (Some(cascade), Some(band)) = (self.cfg.cascade, self.extremes.update(*bar)) else { return };
        let drop = f64::from(cascade.drop) / 1e6;
        let [long, short] = &mut self.pause;
        if band.upper > 0.0 && (band.upper - bar.close) / band.upper >= drop {
            *long = cascade.pause;
        }
        if band.lower > 0.0 && (bar.close - band.lower) / band.lower >= drop {
            *short = cascade.pause;
        }
    }

    const fn pauses(&self, side: Side) -> bool {
        let [long, short] = self.pause;
        match side {
            Side::Buy => long > 0,
            Side::Sell => short > 0,
        }
    }
}

impl Plan for DcaPlan {
    const NAME: &'static str = "dca_enhanced";
    const TARGET: &'static str = "take_first, take_last or take_total";
    const NUMBER: u8 = 5;

    fn bar(&mut self, bar: &Bar) {
        if let Some(trend) = &mut self.trend {
            trend.bar(bar);
        }
        self.watch_for_cascades(bar);
        // A share of the price in millionths; whatever it comes to, it is brought within its limits.
        let share = |range: f64| (range / bar.close * f64::from(self.cfg.atr_multiplier)) as u32;
        self.step = self.range.update(*bar).map(|range| share(range).clamp(self.cfg.step_min, self.cfg.step_max));
    }

    fn reset(&mut self) {
        self.range.reset();
        self.extremes.reset();
        if let Some(trend) = &mut self.trend {
            trend.reset();
        }
        self.step = None;
    }

    fn enter(&self) -> Option<Side> {
        // Without a step there would be no safety order.
        self.step?;
        let side = match &self.trend {
            None => only(self.cfg.direction),
            Some(trend) if trend.known => trend.side.or(only(self.cfg.direction)),
            Some(_) => None,
        };
        side.filter(|side| !self.pauses(*side))
    }

    fn leave(&self, _opened: Side) -> bool {
        false
    }

    fn turns(&self) -> bool {
        false
    }

    fn amount(&self, layer: u8) -> i128 {
        self.amounts.get(usize::from(layer)).copied().unwrap_or(0)
    }

    fn layers_max(&self) -> u8 {
        self.cfg.safety_orders.saturating_add(1)
    }

    fn add(&self, held: &Held, _price: Price) -> Option<Add> {
        let mut step = u64::from(self.step?);
        if self.pauses(held.side) {
            return None;
        }
        for _ in 0..held.last_layer {
            step = (step * u64::from(self.cfg.step_scale) / 1_000_000).clamp(u64::from(self.cfg.step_min), 1_000_000);
        }
        // Beyond nine tenths there is no price for it.
        u32::try_from(step).ok().filter(|step| *step <= crate::limits::SHARE_MAX).map(Add::Losing)
    }

    fn target(&self, held: &Held, layer: u8) -> Option<Target> {
        Some(if held.layers <= 1 {
            Target::Mean(self.cfg.take_first)
        } else if layer == held.last_layer && self.cfg.take_last != 0 {
            Target::Own(self.cfg.take_last)
        } else {
            Target::Mean(self.cfg.take_total)
        })
    }

    #[cfg(feature = "serde")]
    fn saved(trader: &Trader<Self>) -> crate::saved::Saved {
        crate::saved::Saved::DcaEnhanced(Box::new(trader.clone()))
    }
}
