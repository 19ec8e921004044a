//! What stands against starting a symbol, as far as it is known before its first price.

use crate::config::{Config, SymbolConfig};
use plimsoll_exchange::session::{BootReport, PositionMode, SymbolReport};
use plimsoll_market::{Price, Round, rescale};
use plimsoll_safety::preflight;

/// A configured price on the symbol's scale.
pub fn price(units: i128, symbol: &SymbolReport) -> Option<Price> {
    let scaled = rescale(units, plimsoll_market::limits::MONEY_SCALE, symbol.instrument.price_scale, Round::Exact).ok()?;
    i64::try_from(scaled).ok().filter(|u| *u > 0).map(Price::from_units)
}

/// Free margin of a symbol's quote asset, units of 1e-8.
pub fn free(report: &BootReport, symbol: &SymbolReport) -> i128 {
    let balance = report.balances.iter().find(|b| b.asset == symbol.instrument.quote);
    balance.map_or(0, |b| b.available.unwrap_or(b.wallet))
}

/// All that stands against it, one sentence each.
pub fn findings(config: &Config, settings: &SymbolConfig, symbol: &SymbolReport, report: &BootReport) -> Vec<String> {
    let instrument = &symbol.instrument;
    let facts = preflight::Facts {
        instrument,
        hedge_mode: report.position_mode == PositionMode::Hedge,
        available: free(report, symbol),
        leverage: symbol.leverage,
        order_quote: settings.order_quote,
    };
    let limits = preflight::Limits { max_leverage: config.risk.max_leverage, layers_min: config.risk.layers_min };
    let mut findings: Vec<String> = preflight::check(&facts, &limits).iter().map(ToString::to_string).collect();
    match price(settings.interval, symbol) {
        None => findings.push(format!("{}: price_interval has more digits than the symbol's prices", instrument.symbol)),
        Some(interval) if interval.units() % instrument.tick.units().max(1) != 0 => findings.push(format!(
            "{}: price_interval {} is not a multiple of the tick {}",
            instrument.symbol,
            instrument.show_price(interval),
            instrument.show_price(instrument.tick)
        )),
        Some(_) => {}
    }
    findings
}
