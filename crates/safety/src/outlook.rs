//! What a grid can come to at worst: every level filled, at the first price that is known.

use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{Instrument, Price, Round, Symbol, Top, format_units};
use thiserror::Error;

/// Maintenance margin that is reckoned with, in millionths of a position's worth. The exchange's own brackets begin below it and
/// only grow beyond it for positions worth millions.
pub const MAINTENANCE_PPM: i128 = 10_000;

/// Levels that are reckoned with at most; the slots of a symbol are fewer.
const LEVELS_MAX: u32 = 1_024;

/// What is known when the first price has come. Money is in units of 1e-8 of the quote asset.
#[derive(Clone, Copy, Debug)]
pub struct Prospect {
    /// Best bid and ask.
    pub top: Top,
    /// Distance of two levels.
    pub interval: Price,
    /// What each level costs.
    pub order_quote: i128,
    /// The most that all levels may be worth together.
    pub exposure_max: i128,
    /// Levels that may be filled; zero for no limit but the others.
    pub layers_max: u32,
    /// What stands behind the position: the free margin.
    pub margin: i128,
    /// Leverage; at least 1.
    pub leverage: u16,
    /// Whether only its own margin stands behind a position.
    pub isolated: bool,
    /// Stop-loss, in millionths of the cost; zero when it is off.
    pub stop_loss: u32,
}

/// What it comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outlook {
    /// Levels that can be filled.
    pub levels: u32,
    /// The lowest of them.
    pub lowest: Price,
    /// Mean price paid with all of them filled, units of 1e-8.
    pub entry: i128,
    /// What they cost together.
    pub cost: i128,
    /// Margin that binds.
    pub margin: i128,
    /// Price of liquidation then, units of 1e-8; `None` when there is none above zero.
    pub liquidation: Option<i128>,
    /// What a round trip of one level earns after maker fees, in millionths of its cost.
    pub earns_ppm: i128,
}

impl core::fmt::Display for Outlook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let money = |units: i128| format_units(units / 1_000_000, 2);
        write!(f, "{} levels can fill, worth {} with margin {}, ", self.levels, money(self.cost), money(self.margin))?;
        match self.liquidation {
            Some(at) => write!(f, "liquidation at {}", money(at))?,
            None => f.write_str("no liquidation")?,
        }
        write!(f, "; a round trip earns {} % after fees", crate::trips::Percent(self.earns_ppm))
    }
}

/// What stands against trading it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Objection {
    /// The position would be liquidated before its last level fills.
    #[error(
        "{symbol}: with its levels filled down to {lowest} (cost {cost}, mean price {entry}) the position is liquidated at {liquidation}, above the lowest level; lower order_quantity, max_layers, risk_control.max_exposure or trading.leverage, or set risk_control.accept_liquidation: true"
    )]
    Liquidated {
        /// Symbol.
        symbol: Symbol,
        /// The lowest level.
        lowest: String,
        /// What all levels cost.
        cost: String,
        /// Mean price.
        entry: String,
        /// Price of liquidation.
        liquidation: String,
    },
    /// A stop that any price would fire.
    #[error("{symbol}: stop_loss_percent {stop} is within the spread of {spread} % between bid and ask; a buy would be stopped at once")]
    StopInSpread {
        /// Symbol.
        symbol: Symbol,
        /// The stop.
        stop: String,
        /// The spread.
        spread: String,
    },
    /// A stop that closes a level before the next one is reached.
    #[error(
        "{symbol}: stop_loss_percent {stop} is less than one price_interval ({interval} % of the price); the first level would be stopped before the second is bought"
    )]
    StopInInterval {
        /// Symbol.
        symbol: Symbol,
        /// The stop.
        stop: String,
        /// The interval.
        interval: String,
    },
    /// A stop that comes too late.
    #[error("{symbol}: stop_loss_percent {stop} lies beyond the liquidation of isolated margin at leverage {leverage}; lower one of them")]
    StopBeyondLiquidation {
        /// Symbol.
        symbol: Symbol,
        /// The stop.
        stop: String,
        /// Leverage.
        leverage: u16,
    },
}

/// Reckons with every level filled; returns what it comes to and all that stands against it.
pub fn look_ahead(instrument: &Instrument, prospect: &Prospect) -> (Outlook, Vec<Objection>) {
    let symbol = instrument.symbol;
    let e8 =
        |price: Price| plimsoll_market::rescale(price.units().into(), instrument.price_scale, MONEY_SCALE, Round::Nearest).unwrap_or(0);
    let show = |units: i128| format_units(units, MONEY_SCALE).to_string();
    let percent = |ppm: i128| crate::trips::Percent(ppm).to_string();
    let (first, interval) = (e8(prospect.top.bid).max(1), e8(prospect.interval).max(1));
    let leverage = i128::from(prospect.leverage.max(1));
    let order = prospect.order_quote.max(1);
    let affordable = (prospect.exposure_max / order).min(prospect.margin.max(0) * leverage / order);
    let limit = if prospect.layers_max == 0 { LEVELS_MAX } else { prospect.layers_max.min(LEVELS_MAX) };
    let above_zero = (first - 1) / interval + 1;
    let levels = affordable.min(above_zero).clamp(0, i128::from(limit));
    let lowest = first - interval * (levels - 1).max(0);
    // In 1e-8 of the base asset.
    let qty: i128 = (0..levels).map(|n| order * 100_000_000 / (first - interval * n).max(1)).sum();
    let cost = order * levels;
    let entry = if qty > 0 { cost * 100_000_000 / qty } else { first };
    let behind = if prospect.isolated { cost / leverage } else { prospect.margin.max(0) };
    let liquidation =
        (qty > 0).then(|| (cost - behind) * 100_000_000 / qty * 1_000_000 / (1_000_000 - MAINTENANCE_PPM)).filter(|price| *price > 0);
    let fees = i128::from(instrument.maker_fee.ppm()) * 2;
    let outlook = Outlook {
        levels: levels as u32,
        lowest: prospect.top.bid.offset(-prospect.interval.units().saturating_mul((levels as i64 - 1).max(0))).unwrap_or(Price::ZERO),
        entry,
        cost,
        margin: cost / leverage,
        liquidation,
        earns_ppm: interval * 1_000_000 / first - fees,
    };
    let mut objections = Vec::new();
    if let Some(at) = liquidation.filter(|at| *at > lowest) {
        objections.push(Objection::Liquidated {
            symbol,
            lowest: instrument.show_price(outlook.lowest).to_string(),
            cost: show(cost),
            entry: show(entry),
            liquidation: show(at),
        });
    }
    let stop = i128::from(prospect.stop_loss);
    let spread = (e8(prospect.top.ask) - first).max(0) * 1_000_000 / first;
    let step = interval * 1_000_000 / first;
    if stop > 0 && stop <= spread {
        objections.push(Objection::StopInSpread { symbol, stop: percent(stop), spread: percent(spread) });
    } else if stop > 0 && stop < step {
        objections.push(Objection::StopInInterval { symbol, stop: percent(stop), interval: percent(step) });
    }
    if stop > 0 && prospect.isolated && stop >= 1_000_000 / leverage - MAINTENANCE_PPM {
        objections.push(Objection::StopBeyondLiquidation { symbol, stop: percent(stop), leverage: prospect.leverage });
    }
    (outlook, objections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Qty, Time};

    const USDT: i128 = 100_000_000;

    fn prospect(change: impl Fn(&mut Prospect)) -> (Outlook, Vec<Objection>) {
        let btc = Instrument::example_btcusdt();
        let price = |text: &str| btc.parse_price(text, Round::Exact).unwrap();
        let (bid, ask, qty) = (price("60000"), price("60000.1"), Qty::from_units(1));
        let mut prospect = Prospect {
            top: Top { bid, bid_qty: qty, ask, ask_qty: qty, time: Time::ZERO },
            interval: price("60"),
            order_quote: 100 * USDT,
            exposure_max: 10_000 * USDT,
            layers_max: 0,
            margin: 10_000 * USDT,
            leverage: 10,
            isolated: false,
            stop_loss: 0,
        };
        change(&mut prospect);
        look_ahead(&btc, &prospect)
    }

    #[test]
    fn a_grid_that_its_account_can_carry_has_no_liquidation() {
        let (outlook, objections) = prospect(|_| {});
        assert_eq!((outlook.levels, outlook.cost, outlook.margin, outlook.liquidation), (100, 10_000 * USDT, 1_000 * USDT, None));
        assert!(objections.is_empty());
        assert_eq!(outlook.lowest.units(), 5_406_000, "99 intervals of 60 below 60,000");
    }

    #[test]
    fn levels_end_where_margin_exposure_layers_or_zero_end() {
        assert_eq!(prospect(|p| p.margin = 500 * USDT).0.levels, 50);
        assert_eq!(prospect(|p| p.exposure_max = 700 * USDT).0.levels, 7);
        assert_eq!(prospect(|p| p.layers_max = 5).0.levels, 5);
        assert_eq!(prospect(|p| p.interval = Price::from_units(3_000_000)).0.levels, 2);
        assert_eq!(prospect(|p| p.margin = -1).0.levels, 0);
    }

    #[test]
    fn liquidation_above_the_lowest_level_is_an_objection() {
        // 1,000 behind 10,000 at a mean of about 57,000: gone at some 52,000, below the lowest level.
        let (outlook, objections) = prospect(|p| p.margin = 1_000 * USDT);
        assert!(objections.is_empty() && outlook.liquidation.is_some_and(|at| at < 54_060 * USDT), "{outlook}");
        // At 50 times the same account carries 50,000 down to 30,060, and is gone long before.
        let (_, objections) = prospect(|p| (p.margin, p.leverage, p.exposure_max) = (1_000 * USDT, 50, 50_000 * USDT));
        assert!(matches!(objections.as_slice(), [Objection::Liquidated { .. }]), "{objections:?}");
    }

    #[test]
    fn stops_that_cannot_work_are_named() {
        let one = |change: &dyn Fn(&mut Prospect)| prospect(|p| change(p)).1.pop();
        assert!(matches!(one(&|p| p.stop_loss = 1), Some(Objection::StopInSpread { .. })));
        assert!(matches!(one(&|p| p.stop_loss = 999), Some(Objection::StopInInterval { .. })));
        assert_eq!(one(&|p| p.stop_loss = 1_000), None);
        let isolated = |p: &mut Prospect| (p.isolated, p.layers_max, p.stop_loss) = (true, 5, 90_000);
        assert!(matches!(one(&isolated), Some(Objection::StopBeyondLiquidation { .. })));
    }
}
