use crate::limits::GRID_NUMBER;
use crate::{
    Combo, ComboConfig, DcaConfig, DcaPlan, Grid, GridConfig, GridError, GridOptions, MarketMaker, MarketMakerConfig, MartingaleConfig,
    MartingalePlan, MeanReversionConfig, MeanReversionPlan, MomentumConfig, MomentumPlan, ParameterError, Plan, Strategy, TradeConfig,
    Trader, TrendFollowingConfig, TrendFollowingPlan,
};
use core::time::Duration;
use plimsoll_market::{Instrument, Price, Side, Spacing};
use thiserror::Error;

/// A strategy with its parameters: what a symbol is configured to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::large_enum_variant, reason = "one for a symbol, read once")]
pub enum StrategyConfig {
    /// A long grid.
    Grid(GridConfig),
    /// A grid with options, or a short one.
    GridWith(GridConfig, GridOptions),
    /// Momentum.
    Momentum(TradeConfig, MomentumConfig),
    /// Mean reversion.
    MeanReversion(TradeConfig, MeanReversionConfig),
    /// Trend following.
    TrendFollowing(TradeConfig, TrendFollowingConfig),
    /// Martingale.
    Martingale(TradeConfig, MartingaleConfig),
    /// Enhanced DCA.
    DcaEnhanced(TradeConfig, DcaConfig),
    /// A market maker.
    MarketMaker(MarketMakerConfig),
    /// Several on one symbol, or one that opens only when it suits.
    Combo(ComboConfig),
}

/// Why a strategy cannot run on a symbol.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum StrategyError {
    /// A grid.
    #[error(transparent)]
    Grid(#[from] Box<GridError>),
    /// Any other.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

impl StrategyConfig {
    /// Bytes that several on one symbol take, for the ledger.
    pub const BYTES_SEVERAL: usize = size_of::<Combo>();

    /// Bytes the largest of those takes that go alone, for the ledger.
    pub const BYTES_MAX: usize = {
        let sizes = [
            size_of::<Grid>(),
            size_of::<Trader<MomentumPlan>>(),
            size_of::<Trader<MeanReversionPlan>>(),
            size_of::<Trader<TrendFollowingPlan>>(),
            size_of::<Trader<MartingalePlan>>(),
            size_of::<Trader<DcaPlan>>(),
            size_of::<MarketMaker>(),
        ];
        let (mut most, mut at) = (0, 0);
        // Ends with the list.
        while at < sizes.len() {
            if sizes[at] > most {
                most = sizes[at];
            }
            at += 1;
        }
        most
    };

    /// The configured word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Grid(_) | Self::GridWith(..) => "grid",
            Self::Momentum(..) => MomentumPlan::NAME,
            Self::MeanReversion(..) => MeanReversionPlan::NAME,
            Self::TrendFollowing(..) => TrendFollowingPlan::NAME,
            Self::Martingale(..) => MartingalePlan::NAME,
            Self::DcaEnhanced(..) => DcaPlan::NAME,
            Self::MarketMaker(_) => "market_maker",
            Self::Combo(combo) => combo.name(),
        }
    }

    /// Makes the strategy, as it begins.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn build(&self) -> Result<Box<dyn Strategy>, ParameterError> {
        fn trader<P: Plan>(cfg: TradeConfig, plan: P) -> Result<Box<dyn Strategy>, ParameterError> {
            cfg.check()?;
            Ok(Box::new(Trader::new(plan, cfg)))
        }
        match *self {
            Self::Grid(cfg) => Ok(Box::new(Grid::new(cfg, GRID_NUMBER))),
            Self::GridWith(cfg, options) => Ok(Box::new(Grid::with(cfg, GRID_NUMBER, options))),
            Self::Momentum(cfg, plan) => trader(cfg, MomentumPlan::new(plan)?),
            Self::MeanReversion(cfg, plan) => trader(cfg, MeanReversionPlan::new(plan)?),
            Self::TrendFollowing(cfg, plan) => trader(cfg, TrendFollowingPlan::new(plan)?),
            Self::Martingale(cfg, plan) => trader(cfg, MartingalePlan::new(plan)?),
            Self::DcaEnhanced(cfg, plan) => trader(cfg, DcaPlan::new(plan)?),
            Self::MarketMaker(cfg) => Ok(Box::new(MarketMaker::new(cfg)?)),
            Self::Combo(ref combo) => Ok(Box::new(Combo::new(combo)?)),
        }
    }

    /// Length of the bars that it goes by; `None` for what goes by prices alone.
    pub fn bar(&self) -> Option<Duration> {
        match self {
            Self::Grid(_) | Self::GridWith(..) => None,
            Self::Momentum(cfg, _)
            | Self::MeanReversion(cfg, _)
            | Self::TrendFollowing(cfg, _)
            | Self::Martingale(cfg, _)
            | Self::DcaEnhanced(cfg, _) => Some(cfg.bar),
            Self::MarketMaker(cfg) => Some(cfg.bar),
            Self::Combo(combo) => combo.bar(),
        }
    }

    /// How its levels lie; `None` for what has layers instead.
    pub fn interval(&self) -> Option<Spacing> {
        match self {
            Self::Grid(cfg) => Some(Spacing::Even(cfg.interval)),
            Self::GridWith(cfg, options) => Some(options.spacing(cfg.interval)),
            Self::Momentum(..)
            | Self::MeanReversion(..)
            | Self::TrendFollowing(..)
            | Self::Martingale(..)
            | Self::DcaEnhanced(..)
            | Self::MarketMaker(_) => None,
            Self::Combo(combo) => combo.grid().map(|(cfg, options)| options.spacing(cfg.interval)),
        }
    }

    /// Checks that it can trade on a symbol at a price, and that a grid earns.
    ///
    /// # Errors
    /// The first reason why it cannot.
    pub fn check(&self, instrument: &Instrument, price: Price) -> Result<(), StrategyError> {
        match *self {
            Self::Grid(cfg) => cfg.check(instrument, price)?,
            Self::GridWith(cfg, options) => {
                options.check(instrument)?;
                if options.opening == Side::Sell {
                    // Of a short one the highest level is worth the least after rounding.
                    let highest = options.spacing(cfg.interval).price(price, i32::from(cfg.buy_window), instrument.tick);
                    cfg.check_with(&options, instrument, highest.unwrap_or(price))?;
                }
                cfg.check_with(&options, instrument, price)?;
            }
            Self::Momentum(cfg, plan) => cfg.check_layers(&MomentumPlan::new(plan)?, instrument, price)?,
            Self::MeanReversion(cfg, plan) => cfg.check_layers(&MeanReversionPlan::new(plan)?, instrument, price)?,
            Self::TrendFollowing(cfg, plan) => cfg.check_layers(&TrendFollowingPlan::new(plan)?, instrument, price)?,
            Self::Martingale(cfg, plan) => cfg.check_layers(&MartingalePlan::new(plan)?, instrument, price)?,
            Self::DcaEnhanced(cfg, plan) => cfg.check_layers(&DcaPlan::new(plan)?, instrument, price)?,
            Self::MarketMaker(cfg) => cfg.check_at(instrument, price)?,
            Self::Combo(ref combo) => combo.check(instrument, price)?,
        }
        Ok(())
    }
}
