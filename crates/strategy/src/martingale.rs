use crate::indicators::Bar;
use crate::limits::LAYERS_MAX;
use crate::trend_following::Trend;
use crate::{Add, Average, Direction, Held, ParameterError, Plan, Target, Trader};
use arrayvec::ArrayVec;
use plimsoll_market::{Price, Side};

/// Adds to a position that loses, each layer larger than the last, and closes all of it at a gain over its mean price; reversed, it
/// adds to one that wins.
pub type Martingale = Trader<MartingalePlan>;

/// Parameters of [`Martingale`]. Shares are in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MartingaleConfig {
    /// Which positions it may hold; both only with the trend filter, which then chooses.
    pub direction: Direction,
    /// What the first layer may cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// How much larger each layer is than the last, 1 to 5 times.
    pub multiplier: u32,
    /// Layers at most, 1 to [`LAYERS_MAX`].
    pub layers: u8,
    /// Distance of two layers.
    pub step: u32,
    /// By what the multiplier shrinks with each layer, 0.1 to 1.
    pub decay: u32,
    /// The multiplier shrinks to no less than this, 0.1 to 5.
    pub multiplier_min: u32,
    /// Gain over the mean price at which resting orders close everything; zero for none.
    pub take_profit: u32,
    /// Whether it adds to what wins.
    pub reverse: bool,
    /// Bars of the trend filter's short mean, the long one has twice as many; zero for none.
    pub trend: u16,
}

/// What [`Martingale`] goes by.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MartingalePlan {
    cfg: MartingaleConfig,
    amounts: ArrayVec<i128, { LAYERS_MAX as usize }>,
    trend: Option<Trend>,
}

impl MartingalePlan {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: MartingaleConfig) -> Result<Self, ParameterError> {
        let within = |key, value: u32, least: u32, most: u32, allowed| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(ParameterError::range(key, value, allowed)) }
        };
        within("layers", cfg.layers.into(), 1, LAYERS_MAX.into(), "1 to 60")?;
        within("multiplier", cfg.multiplier, 1_000_000, 5_000_000, "1,000,000 to 5,000,000 millionths")?;
        within("multiplier_min", cfg.multiplier_min, 100_000, 5_000_000, "100,000 to 5,000,000 millionths")?;
        within("decay", cfg.decay, 100_000, 1_000_000, "100,000 to 1,000,000 millionths")?;
        within("step", cfg.step, 100, 500_000, "100 to 500,000 millionths")?;
        if cfg.direction == Direction::Both && cfg.trend == 0 {
            return Err(ParameterError::range("direction", "both", "long or short without the trend filter, which else chooses"));
        }
        let trend = match cfg.trend {
            0 => None,
            n => Some(
                Trend::new(Average::Simple, n, n.saturating_mul(2)).map_err(|source| ParameterError::Period { key: "trend", source })?,
            ),
        };
        let mut amounts = ArrayVec::new();
        let (mut amount, mut multiplier) = (cfg.amount, i128::from(cfg.multiplier));
        for _ in 0..cfg.layers {
            amounts.push(amount);
            // An amount beyond all money stays there: the gate refuses it.
            amount = amount.saturating_mul(multiplier.max(cfg.multiplier_min.into())) / 1_000_000;
            multiplier = multiplier * i128::from(cfg.decay) / 1_000_000;
        }
        Ok(Self { cfg, amounts, trend })
    }
}

impl Plan for MartingalePlan {
    const NAME: &'static str = "martingale";
    const NUMBER: u8 = 4;

    fn bar(&mut self, bar: &Bar) {
        if let Some(trend) = &mut self.trend {
            trend.bar(bar);
        }
    }

    fn reset(&mut self) {
        if let Some(trend) = &mut self.trend {
            trend.reset();
        }
    }

    fn enter(&self) -> Option<Side> {
        let Some(trend) = &self.trend else { return only(self.cfg.direction) };
        if !trend.known {
            return None;
        }
        // Means that are the same stand against neither.
        trend.side.or(only(self.cfg.direction))
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
        self.cfg.layers
    }

    fn add(&self, _held: &Held, _price: Price) -> Option<Add> {
        Some(if self.cfg.reverse { Add::Winning(self.cfg.step) } else { Add::Losing(self.cfg.step) })
    }

    fn target(&self, _held: &Held, _layer: u8) -> Option<Target> {
        (self.cfg.take_profit != 0).then_some(Target::Mean(self.cfg.take_profit))
    }

    #[cfg(feature = "serde")]
    fn saved(trader: &Trader<Self>) -> crate::saved::Saved {
        crate::saved::Saved::Martingale(Box::new(trader.clone()))
    }
}

/// The one side that a direction allows.
pub(crate) const fn only(direction: Direction) -> Option<Side> {
    match direction {
        Direction::Long => Some(Side::Buy),
        Direction::Short => Some(Side::Sell),
        Direction::Both => None,
    }
}
