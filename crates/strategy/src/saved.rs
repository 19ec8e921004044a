//! Strategies written down and read back, whichever they are: `#[serde(with = "plimsoll_strategy::saved")]`.

use crate::{Combo, DcaEnhanced, Grid, MarketMaker, Martingale, MeanReversion, Momentum, Strategy, TrendFollowing};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A strategy as it stood: one variant for each kind that there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Saved {
    /// A grid.
    Grid(Box<Grid>),
    /// Momentum.
    Momentum(Box<Momentum>),
    /// Mean reversion.
    MeanReversion(Box<MeanReversion>),
    /// Trend following.
    TrendFollowing(Box<TrendFollowing>),
    /// Martingale.
    Martingale(Box<Martingale>),
    /// Enhanced DCA.
    DcaEnhanced(Box<DcaEnhanced>),
    /// A market maker.
    MarketMaker(Box<MarketMaker>),
    /// Several on one symbol.
    Combo(Box<Combo>),
}

impl Saved {
    /// The strategy, going on from there.
    pub fn restored(self) -> Box<dyn Strategy> {
        match self {
            Self::Grid(grid) => grid,
            Self::Momentum(trader) => trader,
            Self::MeanReversion(trader) => trader,
            Self::TrendFollowing(trader) => trader,
            Self::Martingale(trader) => trader,
            Self::DcaEnhanced(trader) => trader,
            Self::MarketMaker(maker) => maker,
            Self::Combo(combo) => combo,
        }
    }
}

/// Writes a strategy.
///
/// # Errors
/// Those of the serializer.
#[expect(clippy::borrowed_box, reason = "the form that serde asks for")]
pub fn serialize<S: Serializer>(strategy: &Box<dyn Strategy>, serializer: S) -> Result<S::Ok, S::Error> {
    let saved = strategy.saved().ok_or_else(|| S::Error::custom(format_args!("{} cannot be written down", strategy.name())))?;
    saved.serialize(serializer)
}

/// Reads a strategy.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<dyn Strategy>, D::Error> {
    Saved::deserialize(deserializer).map(Saved::restored)
}
