use crate::indicators::{Bar, Bollinger, Indicator};
use crate::{Held, ParameterError, Plan, Target, Trader};
use plimsoll_market::Side;

/// Buys a close below the lower Bollinger band and closes near the middle; short the other way round.
pub type MeanReversion = Trader<MeanReversionPlan>;

/// Parameters of [`MeanReversion`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MeanReversionConfig {
    /// What an entry may cost, units of 1e-8 of the quote asset.
    pub amount: i128,
    /// Bars of the mean, 2 to 256; 20 is usual.
    pub period: u16,
    /// Deviations from the mean at which it enters, in thousandths, 100 to 10,000; 2,000 is usual.
    pub enter_milli: u32,
    /// Deviations from the mean within which it leaves, in thousandths, below the entry's; 500 is usual.
    pub leave_milli: u32,
    /// Gain in millionths at which a resting order closes; zero for none.
    pub take_profit: u32,
}

/// What [`MeanReversion`] goes by.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MeanReversionPlan {
    cfg: MeanReversionConfig,
    bands: Bollinger,
    /// Where the close lies, in thousandths of a deviation from the mean: of the bar before and the last one.
    before: Option<i32>,
    now: Option<i32>,
}

impl MeanReversionPlan {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: MeanReversionConfig) -> Result<Self, ParameterError> {
        if !(100..=10_000).contains(&cfg.enter_milli) || cfg.leave_milli >= cfg.enter_milli {
            let value = format_args!("{} and {}", cfg.enter_milli, cfg.leave_milli);
            return Err(ParameterError::range("enter and leave", value, "100 to 10,000 thousandths, the second below the first"));
        }
        // One deviation wide: where a close lies is counted in them.
        let bands = Bollinger::new(cfg.period, 1.0).map_err(|source| ParameterError::Period { key: "period", source })?;
        Ok(Self { cfg, bands, before: None, now: None })
    }
}

impl Plan for MeanReversionPlan {
    const NAME: &'static str = "mean_reversion";
    const NUMBER: u8 = 2;

    fn bar(&mut self, bar: &Bar) {
        self.before = self.now;
        self.now = self.bands.update(bar.close).map(|band| {
            let deviation = band.upper - band.middle;
            // A window without any deviation is at its mean.
            if deviation > 0.0 { ((bar.close - band.middle) / deviation * 1_000.0) as i32 } else { 0 }
        });
    }

    fn reset(&mut self) {
        self.bands.reset();
        (self.before, self.now) = (None, None);
    }

    /// Only when the band is passed: after a stop the same fall is not bought again.
    fn enter(&self) -> Option<Side> {
        let (before, now) = (self.before?, self.now?);
        let far = self.cfg.enter_milli as i32;
        if before >= -far && now < -far {
            Some(Side::Buy)
        } else if before <= far && now > far {
            Some(Side::Sell)
        } else {
            None
        }
    }

    fn leave(&self, opened: Side) -> bool {
        let near = self.cfg.leave_milli as i32;
        self.now.is_some_and(|now| match opened {
            Side::Buy => now >= -near,
            Side::Sell => now <= near,
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
        crate::saved::Saved::MeanReversion(Box::new(trader.clone()))
    }
}
