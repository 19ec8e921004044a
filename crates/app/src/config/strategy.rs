//! What trades a symbol: the word, the section of its parameters, and what only goes with it.

use super::reader::{Checked, Mistake, Values};
use super::{duration, int, text, units};
use plimsoll_market::{Instrument, Price, Side, Spacing};
use plimsoll_strategy::{
    Average, Cascade, DcaConfig, Direction, Entry, GridOptions, MarketMakerConfig, MartingaleConfig, MeanReversionConfig, MomentumConfig,
    StrategyConfig, TradeConfig, Trailing, TrendFollowingConfig,
};
use serde_json::{Map, Value};

/// Keys that only a grid has.
const GRID_ONLY: [&str; 3] = ["price_interval", "buy_window_size", "sell_window_size"];
/// Sections, and the strategies that have them; `trade` is of those that hold one position at a time.
const SECTIONS: [&str; 8] =
    ["grid", "market_maker", "trade", "momentum", "mean_reversion", "trend_following", "martingale", "dca_enhanced"];

/// Stop-loss and take-profit in percent where none are written: what the original's users know.
const fn exits(strategy: &str) -> (u32, u32) {
    match strategy.as_bytes() {
        b"trend_following" => (20_000, 50_000),
        b"martingale" => (150_000, 30_000),
        b"dca_enhanced" => (100_000, 0),
        _ => (0, 0),
    }
}

/// What a grid may have beside its levels; prices are units of 1e-8 of the quote asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GridSettings {
    opening: Side,
    /// Trigger, stop, take-profit, lower and upper price.
    prices: [Option<i128>; 5],
    /// All that is no price.
    rest: GridOptions,
}

/// The keys of [`GridSettings`]' prices.
const PRICES: [&str; 5] = ["grid.trigger_price", "grid.stop_price", "grid.take_profit_price", "grid.lower_price", "grid.upper_price"];

impl GridSettings {
    pub(super) fn read(values: &Values) -> Self {
        let written = |key: &str| match values.get(key) {
            Some(Checked::Units(units)) => Some(*units),
            _ => None,
        };
        let share = |key: &str| u32::try_from(units(values, key) / 10_000).unwrap_or(u32::MAX);
        let rest = GridOptions {
            trailing: match text(values, "grid.trailing").as_str() {
                "up" => Trailing::Up,
                "down" => Trailing::Down,
                "both" => Trailing::Both,
                _ => Trailing::Off,
            },
            ratio: share("grid.ratio_percent"),
            compound: share("grid.compound_percent"),
            compound_max: u32::try_from(units(values, "grid.compound_max") / 100).unwrap_or(u32::MAX),
            skew: share("grid.skew_percent"),
            skew_layers: u8::try_from(int(values, "grid.skew_layers")).unwrap_or(u8::MAX),
            ..GridOptions::LONG
        };
        let rest = if rest.compound == 0 { GridOptions { compound_max: GridOptions::LONG.compound_max, ..rest } } else { rest };
        let rest = if rest.skew == 0 { GridOptions { skew_layers: GridOptions::LONG.skew_layers, ..rest } } else { rest };
        let opening = if text(values, "grid.direction") == "short" { Side::Sell } else { Side::Buy };
        Self { opening, prices: PRICES.map(written), rest }
    }

    /// All that is no price.
    pub(super) const fn rest(&self) -> GridOptions {
        GridOptions { opening: self.opening, ..self.rest }
    }

    /// How levels lie that are a ratio apart; `None` for even ones.
    pub const fn ratio(&self) -> Option<Spacing> {
        if self.rest.ratio == 0 { None } else { Some(Spacing::Ratio(self.rest.ratio)) }
    }

    /// The options of a symbol's grid.
    ///
    /// # Errors
    /// What stands against them.
    pub fn options(&self, instrument: &Instrument, price: impl Fn(i128) -> Option<Price>) -> Result<GridOptions, String> {
        let mut prices = [None; 5];
        for ((to, units), key) in prices.iter_mut().zip(self.prices).zip(PRICES) {
            let Some(units) = units else { continue };
            *to = Some(price(units).ok_or_else(|| format!("{}: {key} has more digits than the symbol's prices", instrument.symbol))?);
        }
        let [trigger, stop, take_profit, lower, upper] = prices;
        let options = GridOptions { opening: self.opening, trigger, stop, take_profit, lower, upper, ..self.rest };
        options.check(instrument).map_err(|error| format!("{}: {error}", instrument.symbol))?;
        Ok(options)
    }
}

/// Reads what trades a symbol; `None` for a grid, whose interval is known only with the symbol's digits.
pub fn read_strategy(map: &Map<String, Value>, values: &Values, prefix: &str, mistakes: &mut Vec<Mistake>) -> Option<StrategyConfig> {
    let name = text(values, "strategy");
    let mut mistake = |key: &str, what: String| mistakes.push(Mistake { key: format!("{prefix}{key}"), what });
    for section in SECTIONS.iter().filter(|section| map.get(**section).is_some_and(|value| !value.is_null())) {
        if *section != name && (matches!(name.as_str(), "grid" | "market_maker" | "combo") || *section != "trade") {
            mistake(section, format!("does not go with strategy: {name}"));
        }
    }
    if name == "combo" {
        for key in GRID_ONLY.iter().filter(|key| map.get(**key).is_some_and(|value| !value.is_null())) {
            mistake(key, "does not go with strategy: combo; its children have their own".to_owned());
        }
        return None;
    }
    if name == "grid" {
        let written = |key: &str| matches!(values.get(key), Some(Checked::Units(_)));
        match (written("price_interval"), written("grid.ratio_percent")) {
            (false, false) => mistake("price_interval", "is missing; allowed: a number, 0.00000001 to 1000000000".to_owned()),
            (true, true) => mistake("grid.ratio_percent", "stands beside price_interval; write one of them".to_owned()),
            (true, false) | (false, true) => {}
        }
        return None;
    }
    for key in GRID_ONLY.iter().filter(|key| map.get(**key).is_some_and(|value| !value.is_null())) {
        mistake(key, format!("does not go with strategy: {name}"));
    }
    let config = of(&name, values);
    if let Err(error) = config.build() {
        mistake(&name, error.to_string());
    }
    Some(config)
}

fn of(name: &str, values: &Values) -> StrategyConfig {
    // Of a value with eight digits after the point: percent to millionths, multiples to millionths.
    let share = |key: &str| u32::try_from(units(values, key) / 10_000).unwrap_or(u32::MAX);
    let multiple = |key: &str| u32::try_from(units(values, key) / 100).unwrap_or(u32::MAX);
    let milli = |key: &str| u32::try_from(units(values, key) / 100_000).unwrap_or(u32::MAX);
    let period = |key: &str| u16::try_from(int(values, key)).unwrap_or(0);
    let count = |key: &str| u8::try_from(int(values, key)).unwrap_or(u8::MAX);
    let amount = units(values, "order_quantity");
    let written = |key: &str, default: u32| if matches!(values.get(key), Some(Checked::Units(_))) { share(key) } else { default };
    let (stop_loss, take_profit) = exits(name);
    let take_profit = written("trade.take_profit_percent", take_profit);
    let direction = match text(values, "trade.direction").as_str() {
        "short" => Direction::Short,
        "both" => Direction::Both,
        _ => Direction::Long,
    };
    let trade = TradeConfig {
        direction,
        bar: duration(values, "trade.bar"),
        entry: if text(values, "trade.entry") == "maker" { Entry::Maker } else { Entry::Taker },
        slippage: share("trade.slippage_percent"),
        stop_loss: written("trade.stop_loss_percent", stop_loss),
        trailing_from: share("trade.trailing_from_percent"),
        trailing: share("trade.trailing_percent"),
        cooldown: duration(values, "trade.cooldown"),
    };
    match name {
        "market_maker" => StrategyConfig::MarketMaker(MarketMakerConfig {
            amount,
            layers: count("market_maker.max_layers"),
            half_spread: share("market_maker.half_spread_percent"),
            risk: milli("market_maker.risk"),
            volatility: period("market_maker.volatility_period"),
            bar: duration(values, "market_maker.bar"),
            requote: share("market_maker.requote_percent"),
        }),
        "mean_reversion" => {
            let plan = MeanReversionConfig {
                amount,
                period: period("mean_reversion.period"),
                enter_milli: milli("mean_reversion.deviations"),
                leave_milli: milli("mean_reversion.exit_deviations"),
                take_profit,
            };
            StrategyConfig::MeanReversion(trade, plan)
        }
        "trend_following" => {
            let average = if text(values, "trend_following.average") == "sma" { Average::Simple } else { Average::Exponential };
            let (short, long) = (period("trend_following.short_period"), period("trend_following.long_period"));
            StrategyConfig::TrendFollowing(trade, TrendFollowingConfig { amount, short, long, average, take_profit })
        }
        "martingale" => {
            let plan = MartingaleConfig {
                direction,
                amount,
                multiplier: multiple("martingale.multiplier"),
                layers: count("martingale.max_levels"),
                step: share("martingale.price_step_percent"),
                decay: multiple("martingale.decay_factor"),
                multiplier_min: multiple("martingale.min_multiplier"),
                take_profit,
                reverse: text(values, "martingale.reverse") == "true",
                trend: period("martingale.trend_period"),
            };
            StrategyConfig::Martingale(trade, plan)
        }
        "dca_enhanced" => {
            let drop = share("dca_enhanced.cascade_percent");
            let plan = DcaConfig {
                direction,
                amount,
                safety_amount: units(values, "dca_enhanced.safety_quantity"),
                safety_orders: count("dca_enhanced.max_safety_orders"),
                atr: period("dca_enhanced.atr_period"),
                atr_multiplier: multiple("dca_enhanced.atr_multiplier"),
                step_min: share("dca_enhanced.min_step_percent"),
                step_max: share("dca_enhanced.max_step_percent"),
                amount_scale: multiple("dca_enhanced.safety_order_scale"),
                step_scale: multiple("dca_enhanced.safety_order_step"),
                take_first: share("dca_enhanced.first_take_profit_percent"),
                take_last: share("dca_enhanced.last_take_profit_percent"),
                take_total: share("dca_enhanced.total_take_profit_percent"),
                cascade: (drop > 0).then(|| Cascade {
                    drop,
                    bars: period("dca_enhanced.cascade_bars"),
                    pause: period("dca_enhanced.cascade_pause_bars"),
                }),
                trend: period("dca_enhanced.trend_period"),
            };
            StrategyConfig::DcaEnhanced(trade, plan)
        }
        _ => {
            let plan = MomentumConfig {
                amount,
                period: period("momentum.period"),
                oversold: share("momentum.oversold"),
                overbought: share("momentum.overbought"),
                take_profit,
            };
            StrategyConfig::Momentum(trade, plan)
        }
    }
}
