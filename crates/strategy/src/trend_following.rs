use crate::indicators::{Bar, Ema, Indicator, PeriodError, Sma};
use crate::{Held, ParameterError, Plan, Target, Trader};
use core::cmp::Ordering;
use plimsoll_market::Side;

/// Buys when a short mean crosses above a long one and closes when it crosses back; short the other way round.
pub type TrendFollowing = Trader<TrendFollowingPlan>;

/// Which mean.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Average {
    /// The plain mean.
    Simple,
    /// The exponential mean.
    Exponential,
}

/// Parameters of [`TrendFollowing`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrendFollowingConfig {
    /// What an entry may cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// Bars of the short mean; 10 is usual.
    pub short: u16,
    /// Bars of the long mean, 2 to 256; 30 is usual.
    pub long: u16,
    /// Which mean both are.
    pub average: Average,
    /// Gain in millionths at which a resting order closes; zero for none.
    pub take_profit: u32,
}

/// A mean of either kind.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::large_enum_variant, reason = "one or two a strategy, kept inline so that nothing is allocated")]
pub(crate) enum Mean {
    Simple(Sma),
    Exponential(Ema),
}

impl Mean {
    pub(crate) fn new(average: Average, period: u16) -> Result<Self, PeriodError> {
        Ok(match average {
            Average::Simple => Self::Simple(Sma::new(period)?),
            Average::Exponential => Self::Exponential(Ema::new(period)?),
        })
    }

    pub(crate) fn update(&mut self, value: f64) -> Option<f64> {
        match self {
            Self::Simple(mean) => mean.update(value),
            Self::Exponential(mean) => mean.update(value),
        }
    }

    pub(crate) fn reset(&mut self) {
        match self {
            Self::Simple(mean) => mean.reset(),
            Self::Exponential(mean) => mean.reset(),
        }
    }
}

/// Two means and which is above: what several strategies call a trend.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Trend {
    short: Mean,
    long: Mean,
    /// The side that the trend of the last bar goes to; `None` while it is not warm, or when both are the same.
    pub(crate) side: Option<Side>,
    /// Whether it is warm.
    pub(crate) known: bool,
}

impl Trend {
    pub(crate) fn new(average: Average, short: u16, long: u16) -> Result<Self, PeriodError> {
        if short >= long {
            return Err(PeriodError::Order { short, long });
        }
        Ok(Self { short: Mean::new(average, short)?, long: Mean::new(average, long)?, side: None, known: false })
    }

    pub(crate) fn bar(&mut self, bar: &Bar) {
        if let (Some(short), Some(long)) = (self.short.update(bar.close), self.long.update(bar.close)) {
            self.known = true;
            self.side = match short.total_cmp(&long) {
                Ordering::Greater => Some(Side::Buy),
                Ordering::Less => Some(Side::Sell),
                Ordering::Equal => None,
            };
        }
    }

    pub(crate) fn reset(&mut self) {
        self.short.reset();
        self.long.reset();
        (self.side, self.known) = (None, false);
    }
}

/// What [`TrendFollowing`] goes by.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrendFollowingPlan {
    cfg: TrendFollowingConfig,
    trend: Trend,
    /// The trend before the last bar; a crossing is a change of it.
    before: Option<Side>,
}

impl TrendFollowingPlan {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: TrendFollowingConfig) -> Result<Self, ParameterError> {
        let trend =
            Trend::new(cfg.average, cfg.short, cfg.long).map_err(|source| ParameterError::Period { key: "short and long", source })?;
        Ok(Self { cfg, trend, before: None })
    }
}

impl Plan for TrendFollowingPlan {
    const NAME: &'static str = "trend_following";
    const NUMBER: u8 = 3;

    fn bar(&mut self, bar: &Bar) {
        // Means that touch do not end a trend.
        self.before = self.trend.side.or(self.before);
        self.trend.bar(bar);
    }

    fn reset(&mut self) {
        self.trend.reset();
        self.before = None;
    }

    fn enter(&self) -> Option<Side> {
        self.trend.side.filter(|side| self.before == Some(side.opposite()))
    }

    fn leave(&self, opened: Side) -> bool {
        self.trend.side == Some(opened.opposite())
    }

    fn is_warm(&self) -> bool {
        self.trend.known
    }

    fn amount(&self, _layer: u8) -> i128 {
        self.cfg.amount
    }

    fn target(&self, _held: &Held, _layer: u8) -> Option<Target> {
        (self.cfg.take_profit != 0).then_some(Target::Mean(self.cfg.take_profit))
    }

    #[cfg(feature = "serde")]
    fn saved(trader: &Trader<Self>) -> crate::saved::Saved {
        crate::saved::Saved::TrendFollowing(Box::new(trader.clone()))
    }
}
