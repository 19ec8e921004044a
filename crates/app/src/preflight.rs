//! What stands against starting a symbol, as far as it is known before its first price.

use crate::config::{Config, SymbolConfig};
use anyhow::bail;
use plimsoll_exchange::binance::sign::Signer;
use plimsoll_exchange::binance::{decode, encode};
use plimsoll_exchange::session::{BootReport, PositionMode, SymbolReport};
use plimsoll_gateway::{Clock, Endpoint, ask_once};
use plimsoll_market::{Price, Round, rescale};
use plimsoll_safety::preflight;
use std::time::Duration;

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
