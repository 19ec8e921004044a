use crate::indicators::{Bar, Indicator, Rsi};
use crate::{Held, ParameterError, Plan, Target, Trader};
use plimsoll_market::Side;

/// Buys when the relative strength falls below a level and closes when it rises above another; short the other way round.
pub type Momentum = Trader<MomentumPlan>;

/// Parameters of [`Momentum`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MomentumConfig {
    /// What an entry may cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// Bars of the relative strength, 2 to 256; 14 is usual.
    pub period: u16,
    /// The strength below which it is bought, in millionths of 100 %; 300,000 is usual.
    pub oversold: u32,
    /// The strength above which it is sold, in millionths of 100 %; 700,000 is usual.
    pub overbought: u32,
    /// Gain in millionths at which a resting order closes; zero for none.
    pub take_profit: u32,
}

/// What [`Momentum`] goes by.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MomentumPlan {
    cfg: MomentumConfig,
    rsi: Rsi,
    before: Option<u32>,
    now: Option<u32>,
}

impl MomentumPlan {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: MomentumConfig) -> Result<Self, ParameterError> {
        if cfg.oversold == 0 || cfg.oversold >= cfg.overbought || cfg.overbought >= 1_000_000 {
            let value = format_args!("{} and {}", cfg.oversold, cfg.overbought);
            return Err(ParameterError::range("oversold and overbought", value, "above 0, the first below the second, below 1,000,000"));
        }
        let rsi = Rsi::new(cfg.period).map_err(|source| ParameterError::Period { key: "period", source })?;
        Ok(Self { cfg, rsi, before: None, now: None })
    }
}

impl Plan for MomentumPlan {
    const NAME: &'static str = "momentum";
    const NUMBER: u8 = 1;

    fn bar(&mut self, bar: &Bar) {
        self.before = self.now;
        // 0 to 100, in millionths of 100 %.
        self.now = self.rsi.update(bar.close).map(|rsi| (rsi * 10_000.0) as u32);
    }

    fn reset(&mut self) {
        self.rsi.reset();
        (self.before, self.now) = (None, None);
    }

    /// Only when the level is passed: after a stop the same fall is not bought again.
    fn enter(&self) -> Option<Side> {
        let (before, now) = (self.before?, self.now?);
        if before >= self.cfg.oversold && now < self.cfg.oversold {
            Some(Side::Buy)
        } else if before <= self.cfg.overbought && now > self.cfg.overbought {
            Some(Side::Sell)
        } else {
            None
        }
    }

    fn leave(&self, opened: Side) -> bool {
        self.now.is_some_and(|now| match opened {
            Side::Buy => now > self.cfg.overbought,
            Side::Sell => now < self.cfg.oversold,
        })
    }

    fn is_warm(&self) -> bool {
        self.now.is_some()
    }

    fn amount(&self, _layer: u8) -> i128 {
        self.cfg.amount
    }

    fn target(&self, _held: &Held, _layer: u8) -> Option<Target> {
        (self.cfg.take_profit != 0).then_some(Target::Mean(self.cfg.take_profit))
    }

    #[cfg(feature = "serde")]
    fn saved(trader: &Trader<Self>) -> crate::saved::Saved {
        crate::saved::Saved::Momentum(Box::new(trader.clone()))
    }
}
