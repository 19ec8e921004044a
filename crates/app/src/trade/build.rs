//! What the configuration makes of a symbol: the same for whoever trades it live and whoever trades its history.

use crate::config::{Config, SymbolConfig};
use plimsoll_engine::{Boot, EngineConfig};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Instrument, Price, Round, Spacing, rescale};
use plimsoll_position::PositionConfig;
use plimsoll_safety::GateConfig;
use plimsoll_strategy::{GridConfig, GridOptions, StrategyConfig};

/// The rules of a symbol's gate.
pub fn gate_config(config: &Config, settings: &SymbolConfig) -> GateConfig {
    GateConfig { stale_after: config.stale_after, exposure_max: config.risk.max_exposure, guard: config.risk.guard_of(settings) }
}

/// The settings of a symbol's engine.
pub fn engine_config(config: &Config, settings: &SymbolConfig, position: PositionConfig, interval: Spacing) -> EngineConfig {
    EngineConfig { position, gate: gate_config(config, settings), interval, countdown: config.risk.countdown }
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

/// How the levels lie at a start. What has no levels keeps the spacing that it began with while it holds something: a tick that the
/// exchange has changed since says nothing of its layers, and must not keep a position from its stop. Orders without a position may be
/// another strategy's.
pub fn interval_at_start(settings: &SymbolConfig, instrument: &Instrument, boot: &Boot) -> Option<Spacing> {
    let held = boot.books.slots.iter().any(|slot| !slot.held.is_zero());
    let begun = boot.state.map(|state| state.interval).filter(|_| !settings.has_grid() && held);
    begun.or_else(|| interval_of(settings, instrument))
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

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_engine::Engine;
    use plimsoll_market::{Leg, Memo, Notional, Qty, SlotRow, StateRecord};
    use plimsoll_position::Restored;
    use std::path::Path;

    /// What is stored of a symbol with so much in its first slot, of an interval.
    fn stored(interval: Spacing, held: u64) -> Boot {
        let state = StateRecord {
            version: 3,
            anchor: Some(Price::from_units(6_000_000)),
            interval,
            baseline: None,
            paused: false,
            halted: false,
            lock: None,
            closing: false,
            idle: false,
            memo: Memo::NONE,
        };
        let slot = SlotRow { leg: Leg::new(1, 0).unwrap(), held: Qty::from_units(held), cost: Notional::from_units(60_000) };
        let books = Restored { slots: vec![slot], ..Restored::default() };
        Boot { state: Some(state), books, open_orders: 0 }
    }

    #[test]
    fn a_changed_tick_keeps_no_layer_from_its_stop_and_no_level_from_its_price() {
        let yaml = "exchange: local\ntrading:\n  symbols:\n    - { symbol: BTCUSDT, strategy: momentum, order_quantity: 200 }\n    - { symbol: ETHUSDT, price_interval: 60, order_quantity: 200 }\n";
        let config = Config::parse(yaml, Path::new("test.yaml")).unwrap();
        let [layers, grid] = &config.symbols[..] else { panic!("two symbols") };
        let before = Instrument::example_btcusdt();
        let after = Instrument { tick: Price::from_units(before.tick.units() * 5), ..before };
        let (old, new) = (Spacing::Even(before.tick), Spacing::Even(after.tick));
        let starts = |settings: &SymbolConfig, boot: &Boot| {
            let interval = interval_at_start(settings, &after, boot).unwrap();
            (interval, Engine::check_boot(&after, interval, boot).is_ok())
        };
        // What holds layers goes on with what is stored; with nothing held it begins with the tick of now.
        assert_eq!(starts(layers, &stored(old, 5)), (old, true));
        assert_eq!(starts(layers, &stored(old, 0)), (new, true));
        // A grid's levels are its own: what holds something of others is refused.
        let levels = Spacing::Even(Price::from_units(6_000));
        assert_eq!(starts(grid, &stored(levels, 5)), (levels, true));
        assert_eq!(starts(grid, &stored(old, 5)), (levels, false));
        assert_eq!(starts(grid, &stored(old, 0)), (levels, true));
    }
}
