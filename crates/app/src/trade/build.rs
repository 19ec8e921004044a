//! What the configuration makes of a symbol: the same for whoever trades it live and whoever trades its history.

use crate::config::{Config, SymbolConfig};
use plimsoll_engine::EngineConfig;
use plimsoll_market::Price;
use plimsoll_position::PositionConfig;
use plimsoll_safety::GateConfig;
use plimsoll_strategy::{Grid, GridConfig, Strategy};

/// The settings of a symbol's engine.
pub fn engine_config(config: &Config, settings: &SymbolConfig, position: PositionConfig, interval: Price) -> EngineConfig {
    EngineConfig {
        position,
        gate: GateConfig { stale_after: config.stale_after, exposure_max: config.risk.max_exposure, guard: config.risk.guard_of(settings) },
        interval,
        countdown: config.risk.countdown,
    }
}

/// The settings of a symbol's strategy.
pub const fn strategy_config(settings: &SymbolConfig, interval: Price) -> GridConfig {
    GridConfig { interval, order_quote: settings.order_quote, buy_window: settings.buy_window, sell_window: settings.sell_window }
}

/// A symbol's strategy.
pub fn strategy(config: GridConfig) -> Box<dyn Strategy> {
    Box::new(Grid::new(config, 0))
}
