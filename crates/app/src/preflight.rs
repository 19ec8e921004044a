//! What stands against starting a symbol, as far as it is known before its first price.

use crate::config::{Config, SymbolConfig};
use anyhow::bail;
use plimsoll_exchange::binance::sign::Signer;
use plimsoll_exchange::binance::{decode, encode};
use plimsoll_exchange::session::{BootReport, PositionMode, SymbolReport};
use plimsoll_gateway::{Clock, Endpoint, ask_once};
use plimsoll_market::Price;
use plimsoll_safety::preflight;
use std::time::Duration;

/// A configured price on the symbol's scale.
pub fn price(units: i128, symbol: &SymbolReport) -> Option<Price> {
    crate::trade::price_of(units, &symbol.instrument)
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
    if !settings.has_grid() || settings.grid.ratio().is_some() {
        return findings;
    }
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

/// Share of the exchange's request weight that comparisons and the dead man's switch may plan for, in percent: the rest is for
/// catch-ups, queries and whoever else uses the address.
const PLANNED_WEIGHT_PERCENT: u64 = 60;

/// Looks whether what is asked of the exchange every minute, whatever happens, leaves enough of its request weight; else a sentence
/// with what to change.
pub fn check_weight(config: &Config, report: &BootReport) -> Option<String> {
    let symbols = report.symbols.len() as u64;
    // Executions of each symbol, then positions and open orders: one by one for a few, all at once for many.
    let comparison = if symbols <= 5 { symbols * 11 } else { symbols * 5 + 45 };
    let a_minute = |cost: u64, every: Duration| cost * 60_000 / (every.as_millis() as u64).max(1);
    let compared = a_minute(comparison, config.risk.reconcile_every);
    let switch = config.risk.countdown.map_or(0, |countdown| a_minute(symbols * 10, countdown.every));
    let (planned, limit) = (compared + switch, u64::from(report.limits.weight_1m));
    (planned * 100 > limit * PLANNED_WEIGHT_PERCENT).then(|| {
        format!(
            "{symbols} symbols would use a request weight of {planned} a minute ({compared} for comparisons, {switch} for the countdown), above {PLANNED_WEIGHT_PERCENT} % of the exchange's {limit}; lengthen trading.reconcile_interval or trading.countdown, or trade fewer symbols"
        )
    })
}

/// How long the question about the key's rights may take: a start waits for it.
const RIGHTS_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer.
const RIGHTS_BYTES_MAX: usize = 16 << 10;

/// Looks whether the key can do what a trading bot's key must not: whoever steals it would have the money. When the exchange
/// does not tell, that is said and no reason to stop.
///
/// # Errors
/// The key may withdraw and that is not accepted, or it may not trade.
pub async fn check_key(config: &Config, key: &str, signer: &Signer, clock: Clock, recv_window: Duration) -> anyhow::Result<()> {
    let binance = &config.binance;
    let end = Endpoint::rest(&binance.permissions_url)?;
    let mut query = String::new();
    let spec = encode::api_restrictions(&mut query);
    signer.sign(&mut query, clock.now(), u32::try_from(recv_window.as_millis()).unwrap_or(u32::MAX));
    let target = format!("{}?{query}", spec.path);
    let rights = match ask_once(&end, key, &target, RIGHTS_TIMEOUT, RIGHTS_BYTES_MAX).await {
        Ok((200, body)) => decode::api_restrictions(&body).map_err(|error| error.to_string()),
        Ok((status, body)) => Err(format!("status {status}: {}", String::from_utf8_lossy(&body).chars().take(200).collect::<String>())),
        Err(error) => Err(error.to_string()),
    };
    match rights {
        Ok(rights) if rights.withdraw && !binance.accept_withdrawals => bail!(
            "the API key may withdraw: make one that may only read and trade futures, or accept it with binance.accept_withdrawals: true"
        ),
        Ok(rights) if !rights.futures => bail!("the API key may not trade futures: enable futures for it at the exchange"),
        Ok(rights) => {
            if !rights.bound_to_addresses {
                tracing::info!("the API key works from any address; bind it to this machine's at the exchange");
            }
            Ok(())
        }
        Err(why) => {
            tracing::warn!(why, "what the API key may do is not known: see to it that it cannot withdraw");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_exchange::SymbolIndex;
    use plimsoll_exchange::session::RateLimits;
    use plimsoll_market::{Instrument, Time};

    fn told(symbols: usize, interval: &str) -> Option<String> {
        let yaml = format!(
            "exchange: local\ntrading:\n  reconcile_interval: {interval}\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 200 }}\n"
        );
        let config = Config::parse(&yaml, std::path::Path::new("test.yaml")).unwrap();
        let symbol = SymbolReport { index: SymbolIndex(0), instrument: Instrument::example_btcusdt(), leverage: 10, isolated: false };
        let report = BootReport {
            symbols: vec![symbol; symbols],
            unknown: Vec::new(),
            position_mode: PositionMode::OneWay,
            multi_assets: false,
            balances: Vec::new(),
            limits: RateLimits::default(),
            clock_offset_ms: 0,
            round_trip: Duration::ZERO,
            at: Time::ZERO,
        };
        check_weight(&config, &report)
    }

    #[test]
    fn what_is_asked_every_minute_must_leave_room() {
        assert_eq!(told(1, "60s"), None);
        assert_eq!(told(50, "60s"), None);
        let text = told(50, "10s").unwrap();
        assert!(text.contains("1770 for comparisons") && text.contains("reconcile_interval"), "{text}");
    }
}
