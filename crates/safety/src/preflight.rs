//! The checks a symbol must pass before its first order.

use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Asset, Instrument, Symbol, Trading, format_units};
use thiserror::Error;

/// What is known of account and symbol before trading.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The contract.
    pub instrument: &'a Instrument,
    /// Whether the account holds long and short apart.
    pub hedge_mode: bool,
    /// Free margin in the quote asset, units of 1e-8.
    pub available: i128,
    /// Leverage set for the symbol; zero when unknown.
    pub leverage: u16,
    /// What each order may cost, units of 1e-8 of the quote asset.
    pub order_quote: i128,
}

/// The operator's limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Highest leverage allowed, 1 to 125.
    pub max_leverage: u16,
    /// Orders that the free margin must be able to carry; 0 turns the check off.
    pub layers_min: u32,
}

/// Why a symbol is not started.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Finding {
    /// The account is in hedge mode.
    #[error("{symbol}: the account is in hedge mode; only one-way mode is supported: switch it at the exchange (position mode: one-way)")]
    HedgeMode {
        /// Symbol.
        symbol: Symbol,
    },
    /// The exchange does not trade it.
    #[error("{symbol}: the exchange does not trade this contract now")]
    NotTrading {
        /// Symbol.
        symbol: Symbol,
    },
    /// Nothing to trade with.
    #[error("{symbol}: the account has {available} {asset} free; deposit {asset} or free margin")]
    NoBalance {
        /// Symbol.
        symbol: Symbol,
        /// Free margin.
        available: String,
        /// Asset.
        asset: Asset,
    },
    /// Leverage above the operator's limit.
    #[error("{symbol}: leverage is {leverage}, above risk_control.max_leverage {max}; lower it at the exchange or set trading.leverage")]
    Leverage {
        /// Symbol.
        symbol: Symbol,
        /// Leverage at the exchange.
        leverage: u16,
        /// Limit.
        max: u16,
    },
    /// The free margin carries too few orders.
    #[error(
        "{symbol}: {available} free at leverage {leverage} carries {layers} orders of {order_quote}, fewer than position_safety_check {min}; lower order_quantity or position_safety_check"
    )]
    TooFewLayers {
        /// Symbol.
        symbol: Symbol,
        /// Free margin.
        available: String,
        /// Leverage.
        leverage: u16,
        /// Orders it carries.
        layers: i128,
        /// Cost of an order.
        order_quote: String,
        /// Limit.
        min: u32,
    },
}

/// Looks at everything and returns all that stands against starting the symbol; empty when it may start.
pub fn check(facts: &Facts<'_>, limits: &Limits) -> Vec<Finding> {
    let symbol = facts.instrument.symbol;
    let mut findings = Vec::new();
    if facts.hedge_mode {
        findings.push(Finding::HedgeMode { symbol });
    }
    if facts.instrument.trading != Trading::Open {
        findings.push(Finding::NotTrading { symbol });
    }
    if facts.available <= 0 {
        findings.push(Finding::NoBalance {
            symbol,
            available: format_units(facts.available, MONEY_SCALE).to_string(),
            asset: facts.instrument.quote,
        });
    }
    if facts.leverage > limits.max_leverage {
        findings.push(Finding::Leverage { symbol, leverage: facts.leverage, max: limits.max_leverage });
    }
    // An exchange that does not tell the leverage is taken at its worst, none.
    let leverage = facts.leverage.max(1);
    let layers = facts.available.max(0) * i128::from(leverage) / facts.order_quote.max(1);
    if facts.available > 0 && layers < i128::from(limits.layers_min) {
        findings.push(Finding::TooFewLayers {
            symbol,
            available: format_units(facts.available, MONEY_SCALE).to_string(),
            leverage,
            layers,
            order_quote: format_units(facts.order_quote, MONEY_SCALE).to_string(),
            min: limits.layers_min,
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn findings(change: impl Fn(&mut Facts<'_>)) -> usize {
        let btc = Instrument::example_btcusdt();
        let mut facts =
            Facts { instrument: &btc, hedge_mode: false, available: 1_000 * 100_000_000, leverage: 10, order_quote: 100 * 100_000_000 };
        change(&mut facts);
        check(&facts, &Limits { max_leverage: 10, layers_min: 100 }).len()
    }

    #[test]
    fn each_limit_has_two_sides() {
        assert_eq!(findings(|_| {}), 0, "1,000 at 10 carries exactly 100 orders of 100");
        assert_eq!(findings(|f| f.available -= 1), 1);
        assert_eq!(findings(|f| f.leverage = 11), 1);
        assert_eq!(findings(|f| f.available = 0), 1);
        assert_eq!(findings(|f| f.hedge_mode = true), 1);
        assert_eq!(findings(|f| (f.hedge_mode, f.leverage) = (true, 20)), 2, "all findings are told at once");
    }
}
