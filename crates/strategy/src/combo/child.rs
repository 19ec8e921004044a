use crate::limits::{GRID_NUMBER, NUMBERS_A_CHILD};
use crate::{
    DcaConfig, DcaEnhanced, DcaPlan, Grid, GridConfig, GridOptions, Martingale, MartingaleConfig, MartingalePlan, MeanReversion,
    MeanReversionConfig, MeanReversionPlan, Momentum, MomentumConfig, MomentumPlan, ParameterError, Plan, Regimes, Strategy,
    StrategyConfig, StrategyError, TradeConfig, Trader, TrendFollowing, TrendFollowingConfig, TrendFollowingPlan,
};
use plimsoll_market::{Instrument, Price};

/// A strategy of a combo: any that holds one direction at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ChildConfig {
    /// A grid.
    Grid(GridConfig, GridOptions),
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
}

/// A child of a combo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Child {
    /// What it does.
    pub strategy: ChildConfig,
    /// The regimes in which it opens, with [`super::Choice::Trend`].
    pub when: Regimes,
    /// Its share of the capital, in millionths.
    pub weight: u32,
}

impl ChildConfig {
    /// What a symbol's only strategy is as a child; `None` for what goes alone.
    pub const fn of(strategy: StrategyConfig) -> Option<Self> {
        Some(match strategy {
            StrategyConfig::Grid(cfg) => Self::Grid(cfg, GridOptions::LONG),
            StrategyConfig::GridWith(cfg, options) => Self::Grid(cfg, options),
            StrategyConfig::Momentum(cfg, plan) => Self::Momentum(cfg, plan),
            StrategyConfig::MeanReversion(cfg, plan) => Self::MeanReversion(cfg, plan),
            StrategyConfig::TrendFollowing(cfg, plan) => Self::TrendFollowing(cfg, plan),
            StrategyConfig::Martingale(cfg, plan) => Self::Martingale(cfg, plan),
            StrategyConfig::DcaEnhanced(cfg, plan) => Self::DcaEnhanced(cfg, plan),
            StrategyConfig::MarketMaker(_) | StrategyConfig::Combo(_) => return None,
        })
    }

    /// The same as a symbol's only strategy.
    pub const fn alone(&self) -> StrategyConfig {
        match *self {
            Self::Grid(cfg, options) => StrategyConfig::GridWith(cfg, options),
            Self::Momentum(cfg, plan) => StrategyConfig::Momentum(cfg, plan),
            Self::MeanReversion(cfg, plan) => StrategyConfig::MeanReversion(cfg, plan),
            Self::TrendFollowing(cfg, plan) => StrategyConfig::TrendFollowing(cfg, plan),
            Self::Martingale(cfg, plan) => StrategyConfig::Martingale(cfg, plan),
            Self::DcaEnhanced(cfg, plan) => StrategyConfig::DcaEnhanced(cfg, plan),
        }
    }

    /// The configured word.
    pub fn name(&self) -> &'static str {
        self.alone().name()
    }

    /// Checks that it can trade on a symbol at a price.
    ///
    /// # Errors
    /// The first reason why it cannot.
    pub fn check(&self, instrument: &Instrument, price: Price) -> Result<(), StrategyError> {
        self.alone().check(instrument, price)
    }

    /// Orders that it may want at once.
    pub(super) fn quotes(&self) -> usize {
        // Every layer is closed by an order of its own, and one more opens the next.
        match self {
            Self::Grid(cfg, _) => usize::from(cfg.buy_window) + usize::from(cfg.sell_window),
            Self::Momentum(..) | Self::MeanReversion(..) | Self::TrendFollowing(..) => 2,
            Self::Martingale(_, plan) => usize::from(plan.layers) + 1,
            Self::DcaEnhanced(_, plan) => usize::from(plan.safety_orders) + 2,
        }
    }

    /// Of these those that open.
    pub(super) fn opening_quotes(&self) -> usize {
        match self {
            Self::Grid(cfg, _) => usize::from(cfg.buy_window),
            _ => 1,
        }
    }
}

/// A child as it stands.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::large_enum_variant, reason = "four of them for a symbol, made once, and never moved")]
pub(super) enum ChildStrategy {
    Grid(Grid),
    Momentum(Momentum),
    MeanReversion(MeanReversion),
    TrendFollowing(TrendFollowing),
    Martingale(Martingale),
    DcaEnhanced(DcaEnhanced),
}

impl ChildStrategy {
    /// Makes one, with the numbers of its place.
    pub(super) fn new(cfg: &ChildConfig, place: u8) -> Result<Self, ParameterError> {
        fn trader<P: Plan>(cfg: TradeConfig, plan: P, first: u8) -> Result<Trader<P>, ParameterError> {
            cfg.check()?;
            Ok(Trader::new(plan, cfg).numbered(first + P::NUMBER))
        }
        let first = place * NUMBERS_A_CHILD;
        Ok(match *cfg {
            ChildConfig::Grid(cfg, options) => Self::Grid(Grid::with(cfg, first + GRID_NUMBER, options)),
            ChildConfig::Momentum(cfg, plan) => Self::Momentum(trader(cfg, MomentumPlan::new(plan)?, first)?),
            ChildConfig::MeanReversion(cfg, plan) => Self::MeanReversion(trader(cfg, MeanReversionPlan::new(plan)?, first)?),
            ChildConfig::TrendFollowing(cfg, plan) => Self::TrendFollowing(trader(cfg, TrendFollowingPlan::new(plan)?, first)?),
            ChildConfig::Martingale(cfg, plan) => Self::Martingale(trader(cfg, MartingalePlan::new(plan)?, first)?),
            ChildConfig::DcaEnhanced(cfg, plan) => Self::DcaEnhanced(trader(cfg, DcaPlan::new(plan)?, first)?),
        })
    }

    pub(super) fn as_ref(&self) -> &dyn Strategy {
        match self {
            Self::Grid(child) => child,
            Self::Momentum(child) => child,
            Self::MeanReversion(child) => child,
            Self::TrendFollowing(child) => child,
            Self::Martingale(child) => child,
            Self::DcaEnhanced(child) => child,
        }
    }

    pub(super) fn as_mut(&mut self) -> &mut dyn Strategy {
        match self {
            Self::Grid(child) => child,
            Self::Momentum(child) => child,
            Self::MeanReversion(child) => child,
            Self::TrendFollowing(child) => child,
            Self::Martingale(child) => child,
            Self::DcaEnhanced(child) => child,
        }
    }

    /// The number of its long legs.
    pub(super) fn number(&self) -> u8 {
        match self {
            Self::Grid(child) => child.number(),
            Self::Momentum(child) => child.number(),
            Self::MeanReversion(child) => child.number(),
            Self::TrendFollowing(child) => child.number(),
            Self::Martingale(child) => child.number(),
            Self::DcaEnhanced(child) => child.number(),
        }
    }
}
