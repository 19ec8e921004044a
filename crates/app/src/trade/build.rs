//! What the configuration makes of a symbol: the same for whoever trades it live and whoever trades its history.

use crate::config::{Config, SymbolConfig};
use plimsoll_engine::EngineConfig;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Instrument, Price, Round, Spacing, rescale};
use plimsoll_position::PositionConfig;
use plimsoll_safety::GateConfig;
use plimsoll_strategy::{GridConfig, GridOptions, StrategyConfig};

/// The settings of a symbol's engine.
pub fn engine_config(config: &Config, settings: &SymbolConfig, position: PositionConfig, interval: Spacing) -> EngineConfig {
    EngineConfig {
        position,
        gate: GateConfig { stale_after: config.stale_after, exposure_max: config.risk.max_exposure, guard: config.risk.guard_of(settings) },
        interval,
        countdown: config.risk.countdown,
    }
}

/// A distance or price of the configuration in a contract's own digits; `None` when it has more, or is not above zero.
pub fn price_of(units: i128, instrument: &Instrument) -> Option<Price> {
    let scaled = rescale(units, MONEY_SCALE, instrument.price_scale, Round::Exact).ok()?;
    i64::try_from(scaled).ok().filter(|units| *units > 0).map(Price::from_units)
}

/// How the levels lie; `None` when the configured distance has more digits than the symbol's prices. Levels are a grid's: a
/// strategy of another kind has layers, which need no distance.
pub fn interval_of(settings: &SymbolConfig, instrument: &Instrument) -> Option<Spacing> {
    if !settings.has_grid() {
        return Some(Spacing::Even(instrument.tick));
    }
    settings.grid.ratio().or_else(|| price_of(settings.interval, instrument).map(Spacing::Even))
}

/// The settings of a symbol's strategy.
///
/// # Errors
/// A price with more digits than the symbol's, or children that do not go together.
pub fn strategy_config(settings: &SymbolConfig, instrument: &Instrument, interval: Spacing) -> Result<StrategyConfig, String> {
    if let Some(combo) = &settings.combo {
        return combo.resolve(instrument, interval, |units| price_of(units, instrument));
    }
    if let Some(other) = settings.strategy {
        return Ok(other);
    }
    let options = settings.grid.options(instrument, |units| price_of(units, instrument))?;
    Ok(grid_config(settings, options, interval, instrument.tick))
}

/// The settings of a symbol's grid.
pub fn grid_config(settings: &SymbolConfig, options: GridOptions, spacing: Spacing, tick: Price) -> StrategyConfig {
    let (interval, ratio) = match spacing {
        Spacing::Even(interval) => (interval, 0),
        Spacing::Ratio(ratio) => (tick, ratio),
    };
    let options = GridOptions { ratio, ..options };
    let grid =
        GridConfig { interval, order_quote: settings.order_quote, buy_window: settings.buy_window, sell_window: settings.sell_window };
    if options == GridOptions::LONG { StrategyConfig::Grid(grid) } else { StrategyConfig::GridWith(grid, options) }
}
