use crate::ParameterError;
use plimsoll_market::{Instrument, Price, Side};

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
}

impl GridOptions {
    /// A long grid without any.
    pub const LONG: Self = Self { opening: Side::Buy, trigger: None, stop: None, take_profit: None, lower: None, upper: None };
    /// A short grid without any.
    pub const SHORT: Self = Self { opening: Side::Sell, ..Self::LONG };

    /// Whether every price has to be looked at.
    pub(crate) const fn watches(&self) -> bool {
        self.trigger.is_some() || self.stop.is_some() || self.take_profit.is_some()
    }

    /// Checks that the prices stand in their order: a stop on the losing side of the levels, a target on the winning one.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self, instrument: &Instrument) -> Result<(), ParameterError> {
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
