use crate::ParameterError;
use crate::indicators::{Adx, Bar, Bars, Ema, Indicator, RealizedVolatility};
use core::time::Duration;
use plimsoll_market::Event;
use plimsoll_position::View;

/// What a market does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Regime {
    /// It rises steadily.
    Up,
    /// It falls steadily.
    Down,
    /// It goes nowhere.
    Ranging,
    /// It moves so much that its direction says little.
    Volatile,
}

impl Regime {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Down, Self::Ranging, Self::Volatile];

    /// The configured word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Ranging => "ranging",
            Self::Volatile => "volatile",
        }
    }
}

/// A set of regimes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Regimes(u8);

impl Regimes {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(15);

    /// With one more.
    #[must_use]
    pub const fn with(self, regime: Regime) -> Self {
        Self(self.0 | 1 << regime as u8)
    }

    /// Whether one is in it.
    pub const fn has(self, regime: Regime) -> bool {
        self.0 & 1 << regime as u8 != 0
    }
}

/// Parameters of [`TrendDetector`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrendConfig {
    /// Length of a bar, whole minutes up to a day.
    pub bar: Duration,
    /// Bars of Wilder's ADX, 2 to 256; 14 is usual.
    pub adx: u16,
    /// ADX from which on the market trends, in thousandths, up to 100,000; 25,000 is usual.
    pub trend_from: u32,
    /// ADX below which a trend is over, in thousandths; at most `trend_from`.
    pub trend_until: u32,
    /// Bars of the exponential mean whose slope tells the trend's direction, 1 to 256.
    pub mean: u16,
    /// Bars of the realised volatility, 2 to 256.
    pub volatility: u16,
    /// Deviation of a bar's return from which on the market is volatile, in millionths; zero turns it off.
    pub volatile_from: u32,
    /// Deviation below which it is so no longer, in millionths; at most `volatile_from`.
    pub volatile_until: u32,
    /// Bars that must say the same in a row until it counts, 1 to 100.
    pub confirm: u8,
}

/// Tells by closed bars what the market does.
///
/// It is volatile while the deviation of its returns is high; else it trends while the ADX is high, in the direction in which its mean
/// goes; else it ranges. What is entered at one threshold is left at a lower one only, and a change counts when so many bars in a row
/// have said the same. Until it is warm, and after a hole in the candles, it says nothing.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrendDetector {
    cfg: TrendConfig,
    bars: Bars,
    adx: Adx,
    mean: Ema,
    volatility: RealizedVolatility,
    regime: Option<Regime>,
    /// What the last bars said instead, and how many of them.
    next: Option<(Regime, u8)>,
}

impl TrendDetector {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: TrendConfig) -> Result<Self, ParameterError> {
        let minutes = cfg.bar.as_secs() / 60;
        if !(1..=1_440).contains(&minutes) || cfg.bar != Duration::from_secs(minutes * 60) {
            return Err(ParameterError::range("bar", format_args!("{} s", cfg.bar.as_secs()), "whole minutes, 1 to 1,440"));
        }
        if cfg.trend_from > 100_000 || cfg.trend_until > cfg.trend_from {
            let value = format_args!("{} and {}", cfg.trend_from, cfg.trend_until);
            return Err(ParameterError::range(
                "trend_from and trend_until",
                value,
                "up to 100,000 thousandths, the second not above the first",
            ));
        }
        if cfg.volatile_from != 0 && cfg.volatile_until > cfg.volatile_from {
            let value = format_args!("{} and {}", cfg.volatile_from, cfg.volatile_until);
            return Err(ParameterError::range("volatile_from and volatile_until", value, "the second not above the first"));
        }
        if !(1..=100).contains(&cfg.confirm) {
            return Err(ParameterError::range("confirm", cfg.confirm, "1 to 100 bars"));
        }
        let period = |key| move |source| ParameterError::Period { key, source };
        Ok(Self {
            cfg,
            bars: Bars::new(cfg.bar),
            adx: Adx::new(cfg.adx).map_err(period("adx_period"))?,
            mean: Ema::new(cfg.mean).map_err(period("mean_period"))?,
            volatility: RealizedVolatility::new(cfg.volatility, 1).map_err(period("volatility_period"))?,
            regime: None,
            next: None,
        })
    }

    /// Bars that it takes until it says something.
    pub fn warm_up(&self) -> usize {
        // The mean's slope needs one bar more than the mean.
        let figures = self.adx.warm_up().max(self.mean.warm_up() + 1).max(self.volatility.warm_up());
        figures + usize::from(self.cfg.confirm) - 1
    }

    /// What the market does; `None` while it is not known.
    pub const fn regime(&self) -> Option<Regime> {
        self.regime
    }

    /// Takes a candle of an event; tells whether it says something else now.
    pub fn event(&mut self, event: &Event, view: &View<'_>) -> bool {
        let closed = match event {
            Event::Candle(candle) => self.bars.push(candle, view.instrument),
            Event::Past(past) => self.bars.push_past(past, view.instrument),
            _ => return false,
        };
        let before = self.regime;
        if closed.hole {
            self.adx.reset();
            self.mean.reset();
            self.volatility.reset();
            (self.regime, self.next) = (None, None);
        }
        for bar in &closed.bars {
            self.bar(bar);
        }
        self.regime != before
    }

    fn bar(&mut self, bar: &Bar) {
        let mean = self.mean.value();
        let (adx, slope) = (self.adx.update(*bar), self.mean.update(bar.close));
        let deviation = self.volatility.update(bar.close);
        let (Some(adx), Some(before), Some(after), Some(deviation)) = (adx, mean, slope, deviation) else { return };
        let saw = self.judge(adx.adx, after - before, deviation);
        if self.regime == Some(saw) {
            self.next = None;
            return;
        }
        let count = match self.next {
            Some((regime, count)) if regime == saw => count.saturating_add(1),
            _ => 1,
        };
        if count >= self.cfg.confirm {
            (self.regime, self.next) = (Some(saw), None);
        } else {
            self.next = Some((saw, count));
        }
    }

    fn judge(&self, adx: f64, slope: f64, deviation: f64) -> Regime {
        let volatile = if self.regime == Some(Regime::Volatile) { self.cfg.volatile_until } else { self.cfg.volatile_from };
        if self.cfg.volatile_from != 0 && deviation * 1e6 >= f64::from(volatile) {
            return Regime::Volatile;
        }
        let trends = matches!(self.regime, Some(Regime::Up | Regime::Down));
        let from = if trends { self.cfg.trend_until } else { self.cfg.trend_from };
        if adx * 1e3 < f64::from(from) {
            return Regime::Ranging;
        }
        match self.regime {
            _ if slope > 0.0 => Regime::Up,
            _ if slope < 0.0 => Regime::Down,
            Some(trend @ (Regime::Up | Regime::Down)) => trend,
            _ => Regime::Ranging,
        }
    }
}
