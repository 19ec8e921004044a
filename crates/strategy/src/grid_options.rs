use crate::ParameterError;
use crate::limits::SHARE_MAX;
use plimsoll_market::{Instrument, Price, Side, Spacing};

/// What a grid may have beside its levels. Prices are what closing brings: the bid of a long grid, the ask of a short one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GridOptions {
    /// The side that opens its levels.
    pub opening: Side,
    /// Nothing opens before the price was here; what is held already, after a restart, shows that it was.
    pub trigger: Option<Price>,
    /// At this price or worse everything is closed at market and nothing opens, until the price is one interval better.
    pub stop: Option<Price>,
    /// At this price or better everything is closed at market and nothing opens, until the price is one interval back.
    pub take_profit: Option<Price>,
    /// Levels below it open nothing.
    pub lower: Option<Price>,
    /// Levels above it open nothing.
    pub upper: Option<Price>,
    /// Which way the bounds follow the price when it leaves them.
    pub trailing: Trailing,
    /// Levels so many millionths apart, each of the one below, instead of an interval; zero for the interval.
    pub ratio: u32,
    /// Share of the profit realised on the symbol, fees and funding taken off, that is added to the opening orders, divided by their
    /// window, in millionths up to 1,000,000; zero for none.
    pub compound: u32,
    /// The most that an opening order may grow to by it, in millionths of `order_quote`, 1,000,000 to 10,000,000.
    pub compound_max: u32,
    /// Share by which an opening order is smaller when `skew_layers` levels hold something, in millionths up to 900,000; with fewer
    /// it shrinks in proportion.
    pub skew: u32,
    /// Levels holding at which the whole skew applies, at least 1.
    pub skew_layers: u8,
}

/// Which way a grid's bounds follow the price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Trailing {
    /// They stay.
    Off,
    /// Upwards only.
    Up,
    /// Downwards only.
    Down,
    /// Both ways.
    Both,
}

impl Trailing {
    pub(crate) const fn up(self) -> bool {
        matches!(self, Self::Up | Self::Both)
    }

    pub(crate) const fn down(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }
}

impl GridOptions {
    /// A long grid without any.
    pub const LONG: Self = Self {
        opening: Side::Buy,
        trigger: None,
        stop: None,
        take_profit: None,
        lower: None,
        upper: None,
        trailing: Trailing::Off,
        ratio: 0,
        compound: 0,
        compound_max: 1_000_000,
        skew: 0,
        skew_layers: 1,
    };
    /// A short grid without any.
    pub const SHORT: Self = Self { opening: Side::Sell, ..Self::LONG };

    /// Whether opening orders change their size with what was earned or is held.
    pub(crate) const fn resizes(&self) -> bool {
        self.compound != 0 || self.skew != 0
    }

    /// The least and the most that an opening order may cost.
    pub(crate) fn sizes(&self, order_quote: i128) -> (i128, i128) {
        let part = |millionths: u32| order_quote * i128::from(millionths) / 1_000_000;
        (part(1_000_000 - self.skew.min(SHARE_MAX)), if self.compound == 0 { order_quote } else { part(self.compound_max) })
    }

    /// How the levels lie.
    pub const fn spacing(&self, interval: Price) -> Spacing {
        if self.ratio == 0 { Spacing::Even(interval) } else { Spacing::Ratio(self.ratio) }
    }

    /// Whether every price has to be looked at.
    pub(crate) const fn watches(&self) -> bool {
        self.trigger.is_some() || self.stop.is_some() || self.take_profit.is_some()
    }

    /// Checks that the prices stand in their order: a stop on the losing side of the levels, a target on the winning one.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self, instrument: &Instrument) -> Result<(), ParameterError> {
        if self.ratio != 0 && !(Spacing::RATIO_MIN..=Spacing::RATIO_MAX).contains(&self.ratio) {
            return Err(ParameterError::range("ratio", self.ratio, "100 to 200,000 millionths"));
        }
        if self.compound > 1_000_000 || !(1_000_000..=10_000_000).contains(&self.compound_max) {
            let value = format_args!("{} up to {}", self.compound, self.compound_max);
            return Err(ParameterError::range("compound", value, "a share up to 1,000,000, growth to 1,000,000 to 10,000,000 millionths"));
        }
        if self.skew > SHARE_MAX || self.skew_layers == 0 {
            let value = format_args!("{} at {} layers", self.skew, self.skew_layers);
            return Err(ParameterError::range("skew", value, "up to 900,000 millionths, at 1 layer or more"));
        }
        if self.trailing.up() && self.upper.is_none() || self.trailing.down() && self.lower.is_none() {
            return Err(ParameterError::range("trailing", "on", "with upper_price to follow the price up, lower_price to follow it down"));
        }
        let show = |price: Price| instrument.show_price(price).to_string();
        if let (Some(lower), Some(upper)) = (self.lower, self.upper)
            && lower >= upper
        {
            return Err(ParameterError::range("lower_price", show(lower), "below upper_price"));
        }
        let (low, high) = match self.opening {
            Side::Buy => (("stop_price", self.stop), ("take_profit_price", self.take_profit)),
            Side::Sell => (("take_profit_price", self.take_profit), ("stop_price", self.stop)),
        };
        if let (Some(price), Some(other)) = (low.1, high.1)
            && price >= other
        {
            return Err(ParameterError::range(
                low.0,
                show(price),
                "on the other side: below for a long grid's stop, above for a short one's",
            ));
        }
        if let (Some(price), Some(lower)) = (low.1, self.lower)
            && price >= lower
        {
            return Err(ParameterError::range(low.0, show(price), "below lower_price"));
        }
        if let (Some(price), Some(upper)) = (high.1, self.upper)
            && price <= upper
        {
            return Err(ParameterError::range(high.0, show(price), "above upper_price"));
        }
        Ok(())
    }
}
