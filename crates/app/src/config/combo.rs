//! Several strategies on one symbol, and what decides who of them opens.

use super::reader::{Checked, Mistake, Values, read};
use super::strategy::{GridSettings, read_strategy};
use super::symbol_keys::{CHILD_KEYS, SYMBOL_KEYS};
use super::{duration, int, text, units};
use plimsoll_market::{Instrument, Price, Spacing};
use plimsoll_strategy::limits::CHILDREN_MAX;
use plimsoll_strategy::{
    AdjusterConfig, CapitalConfig, Child, ChildConfig, Choice, ComboConfig, GridConfig, GridOptions, Regime, Regimes, Size, StrategyConfig,
    TrendConfig,
};
use serde_json::{Map, Value};

/// Keys of a symbol that a child of a combo has not: they are the symbol's.
pub(super) const SYMBOLS_OWN: [&str; 8] =
    ["symbol", "stop_loss_percent", "take_profit_percent", "trailing_percent", "max_layers", "combo", "trend_detector", "dynamic_adjuster"];

/// One strategy of a combo.
#[derive(Clone, Debug)]
pub struct ChildSettings {
    /// What trades, if it is no grid.
    pub strategy: Option<StrategyConfig>,
    /// What a grid has beside its levels.
    pub grid: GridSettings,
    /// Distance of two levels of a grid, units of 1e-8 of the quote asset.
    pub interval: i128,
    /// What an opening order of a grid may cost, units of 1e-8 of the quote asset.
    pub order_quote: i128,
    /// A grid's windows.
    pub windows: (u8, u8),
    /// The regimes in which it opens.
    pub when: Regimes,
    /// Its share of the capital, in millionths.
    pub weight: u32,
}

/// What trades a symbol when it is more than one strategy by itself.
#[derive(Clone, Debug)]
pub struct ComboSettings {
    /// The strategies.
    pub children: Vec<ChildSettings>, // tidy: bounded by CHILDREN_MAX, lives as long as the configuration
    /// Who may open.
    pub choice: Choice,
    /// The capital they share.
    pub capital: Option<CapitalConfig>,
}

impl ComboSettings {
    /// The grid among its children, if there is one.
    pub fn grid(&self) -> Option<&ChildSettings> {
        self.children.iter().find(|child| child.strategy.is_none())
    }

    /// The strategies for a symbol whose levels lie so.
    ///
    /// # Errors
    /// A price with more digits than the symbol's, or children that do not go together.
    pub fn resolve(
        &self,
        instrument: &Instrument,
        spacing: Spacing,
        price: impl Fn(i128) -> Option<Price>,
    ) -> Result<StrategyConfig, String> {
        let mut children = [None; CHILDREN_MAX];
        for (to, child) in children.iter_mut().zip(&self.children) {
            let strategy = match child.strategy {
                Some(strategy) => ChildConfig::of(strategy),
                None => Some(child.resolve(child.grid.options(instrument, &price)?, spacing, instrument.tick)),
            };
            let strategy = strategy.ok_or_else(|| format!("{}: a market maker goes alone", instrument.symbol))?;
            *to = Some(Child { strategy, when: child.when, weight: child.weight });
        }
        let combo = ComboConfig { children, choice: self.choice, capital: self.capital };
        combo.check_all().map_err(|error| format!("{}: {error}", instrument.symbol))?;
        Ok(StrategyConfig::Combo(combo))
    }
}

impl ChildSettings {
    fn resolve(&self, options: GridOptions, spacing: Spacing, tick: Price) -> ChildConfig {
        let (interval, ratio) = match spacing {
            Spacing::Even(interval) => (interval, 0),
            Spacing::Ratio(ratio) => (tick, ratio),
        };
        let (buy_window, sell_window) = self.windows;
        let grid = GridConfig { interval, order_quote: self.order_quote, buy_window, sell_window };
        ChildConfig::Grid(grid, GridOptions { ratio, ..options })
    }

    /// Reads one whose keys lie in `map` as a symbol's do.
    fn read(map: &Map<String, Value>, values: &Values, prefix: &str, mistakes: &mut Vec<Mistake>) -> Self {
        Self {
            strategy: read_strategy(map, values, prefix, mistakes),
            grid: GridSettings::read(values),
            interval: units(values, "price_interval"),
            order_quote: units(values, "order_quantity"),
            windows: (
                u8::try_from(int(values, "buy_window_size")).unwrap_or(u8::MAX),
                u8::try_from(int(values, "sell_window_size")).unwrap_or(u8::MAX),
            ),
            when: Regimes::ALL,
            weight: 1_000_000,
        }
    }
}

fn is_written(map: &Map<String, Value>, section: &str) -> bool {
    map.get(section).is_some_and(|value| !value.is_null())
}

/// Reads what trades a symbol when it is more than one strategy by itself; `None` when it is one.
pub fn read_combo(map: &Map<String, Value>, values: &Values, prefix: &str, mistakes: &mut Vec<Mistake>) -> Option<ComboSettings> {
    let name = text(values, "strategy");
    let (trend, adjuster) = (is_written(map, "trend_detector"), is_written(map, "dynamic_adjuster"));
    if is_written(map, "combo") && name != "combo" {
        mistakes.push(Mistake { key: format!("{prefix}combo"), what: format!("does not go with strategy: {name}") });
    }
    if name != "combo" && !trend && !adjuster {
        return None;
    }
    let before = mistakes.len();
    let mut mistake = |key: &str, what: String| mistakes.push(Mistake { key: format!("{prefix}{key}"), what });
    if name == "market_maker" && trend {
        mistake("trend_detector", "does not go with strategy: market_maker".to_owned());
    }
    if adjuster && name != "grid" {
        mistake("dynamic_adjuster", format!("does not go with strategy: {name}"));
    }
    if adjuster && trend {
        mistake("dynamic_adjuster", "stands beside trend_detector; write one of them".to_owned());
    }
    let when = when(values, "trend_detector.when", prefix, mistakes);
    if name == "combo" && trend && matches!(values.get("trend_detector.when"), Some(Checked::List(_))) {
        mistakes.push(Mistake {
            key: format!("{prefix}trend_detector.when"),
            what: "does not go with strategy: combo; each of combo.children has its own".to_owned(),
        });
    }
    let choice = match (trend, adjuster) {
        (true, _) => Choice::Trend(trend_of(values)),
        (false, true) => Choice::Spacing(adjuster_of(values)),
        (false, false) => Choice::All,
    };
    let (children, capital) = if name == "combo" {
        (read_children(map, values, trend, prefix, mistakes), capital_of(values))
    } else {
        (vec![ChildSettings { when, ..ChildSettings::read(map, values, prefix, &mut Vec::new()) }], None)
    };
    let combo = ComboSettings { children, choice, capital };
    if mistakes.len() == before {
        check(&combo, &name, prefix, mistakes);
    }
    Some(combo)
}

/// What can be said of it before the symbol's digits are known.
fn check(combo: &ComboSettings, name: &str, prefix: &str, mistakes: &mut Vec<Mistake>) {
    let grids: Vec<&ChildSettings> = combo.children.iter().filter(|child| child.strategy.is_none()).collect();
    if grids.windows(2).any(|two| two[0].interval != two[1].interval || two[0].grid.ratio() != two[1].grid.ratio()) {
        let what = "price_interval or grid.ratio_percent must be the same for all grids of a symbol".to_owned();
        mistakes.push(Mistake { key: format!("{prefix}combo.children"), what });
        return;
    }
    // Levels of any distance: what depends on it is looked at with the first price.
    let (one, mut children) = (Price::from_units(1), [None; CHILDREN_MAX]);
    for (to, child) in children.iter_mut().zip(&combo.children) {
        let spacing = child.grid.ratio().unwrap_or(Spacing::Even(one));
        let strategy = child.strategy.map_or_else(|| Some(child.resolve(child.grid.rest(), spacing, one)), ChildConfig::of);
        *to = strategy.map(|strategy| Child { strategy, when: child.when, weight: child.weight });
    }
    let config = ComboConfig { children, choice: combo.choice, capital: combo.capital };
    if let Err(error) = config.check_all() {
        let key = match combo.choice {
            _ if name == "combo" => "combo",
            Choice::Spacing(_) => "dynamic_adjuster",
            Choice::Trend(_) | Choice::All => "trend_detector",
        };
        mistakes.push(Mistake { key: format!("{prefix}{key}"), what: error.to_string() });
    }
}

fn read_children(map: &Map<String, Value>, symbol: &Values, trend: bool, prefix: &str, mistakes: &mut Vec<Mistake>) -> Vec<ChildSettings> {
    let at = format!("{prefix}combo.children");
    let items = match map.get("combo").and_then(|combo| combo.get("children")) {
        Some(Value::Array(items)) if (1..=CHILDREN_MAX).contains(&items.len()) => items,
        _ => {
            mistakes.push(Mistake { key: at, what: format!("must be a list of 1 to {CHILDREN_MAX} strategies") });
            return Vec::new();
        }
    };
    let mut children = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let prefix = format!("{at}[{i}].");
        let Value::Object(item) = item else {
            mistakes.push(Mistake { key: format!("{at}[{i}]"), what: "must be a mapping of keys".to_owned() });
            continue;
        };
        let before = mistakes.len();
        for key in SYMBOLS_OWN.iter().filter(|key| is_written(item, key)) {
            mistakes.push(Mistake { key: format!("{prefix}{key}"), what: "is the symbol's, not a child's".to_owned() });
        }
        let (mut own, mut rest) = (Map::new(), Map::new());
        for (key, value) in item.iter().filter(|(key, _)| !SYMBOLS_OWN.contains(&key.as_str())) {
            let mine = CHILD_KEYS.iter().any(|known| known.path == key);
            if mine { &mut own } else { &mut rest }.insert(key.clone(), value.clone());
        }
        // What a child does not say of its orders is the symbol's.
        rest.insert("symbol".to_owned(), Value::String(text(symbol, "symbol")));
        if !is_written(&rest, "order_quantity") {
            let quantity = plimsoll_market::format_units(units(symbol, "order_quantity"), 8).to_string();
            rest.insert("order_quantity".to_owned(), Value::String(quantity));
        }
        let values = read(&rest, SYMBOL_KEYS, &prefix, &["combo.children"], mistakes);
        let own = read(&own, CHILD_KEYS, &prefix, &[], mistakes);
        if mistakes.len() > before {
            continue;
        }
        if matches!(text(&values, "strategy").as_str(), "combo" | "market_maker") {
            let what = format!("{:?} is no strategy of a combo: it goes alone", text(&values, "strategy"));
            mistakes.push(Mistake { key: format!("{prefix}strategy"), what });
            continue;
        }
        if !trend && matches!(own.get("when"), Some(Checked::List(_))) {
            mistakes.push(Mistake { key: format!("{prefix}when"), what: "needs a section trend_detector of the symbol".to_owned() });
        }
        let when = when(&own, "when", &prefix, mistakes);
        let weight = match own.get("weight_percent") {
            Some(Checked::Units(units)) => u32::try_from(units / 10_000).unwrap_or(u32::MAX),
            _ => 1_000_000 / items.len() as u32,
        };
        rest.remove("symbol");
        children.push(ChildSettings { when, weight, ..ChildSettings::read(&rest, &values, &prefix, mistakes) });
    }
    children
}

fn when(values: &Values, key: &str, prefix: &str, mistakes: &mut Vec<Mistake>) -> Regimes {
    let Some(Checked::List(words)) = values.get(key) else { return Regimes::ALL };
    let mut regimes = Regimes::NONE;
    for word in words {
        match Regime::ALL.into_iter().find(|regime| regime.as_str() == word) {
            Some(regime) => regimes = regimes.with(regime),
            None => mistakes.push(Mistake {
                key: format!("{prefix}{key}"),
                what: format!("{word:?} is not allowed; allowed: up | down | ranging | volatile"),
            }),
        }
    }
    regimes
}

fn share(values: &Values, key: &str) -> u32 {
    u32::try_from(units(values, key) / 10_000).unwrap_or(u32::MAX)
}

fn milli(values: &Values, key: &str) -> u32 {
    u32::try_from(units(values, key) / 100_000).unwrap_or(u32::MAX)
}

fn period(values: &Values, key: &str) -> u16 {
    u16::try_from(int(values, key)).unwrap_or(0)
}

fn trend_of(values: &Values) -> TrendConfig {
    TrendConfig {
        bar: duration(values, "trend_detector.bar"),
        adx: period(values, "trend_detector.adx_period"),
        trend_from: milli(values, "trend_detector.trend_from"),
        trend_until: milli(values, "trend_detector.trend_until"),
        mean: period(values, "trend_detector.mean_period"),
        volatility: period(values, "trend_detector.volatility_period"),
        volatile_from: share(values, "trend_detector.volatile_from_percent"),
        volatile_until: share(values, "trend_detector.volatile_until_percent"),
        confirm: u8::try_from(int(values, "trend_detector.confirm_bars")).unwrap_or(0),
    }
}

fn adjuster_of(values: &Values) -> AdjusterConfig {
    AdjusterConfig {
        bar: duration(values, "dynamic_adjuster.bar"),
        volatility: period(values, "dynamic_adjuster.volatility_period"),
        deviations: milli(values, "dynamic_adjuster.deviations"),
        spacings: u8::try_from(int(values, "dynamic_adjuster.spacings")).unwrap_or(0),
        margin: share(values, "dynamic_adjuster.margin_percent"),
        size: if text(values, "dynamic_adjuster.size") == "scaled" { Size::Scaled } else { Size::Fixed },
    }
}

fn capital_of(values: &Values) -> Option<CapitalConfig> {
    let Some(Checked::Units(amount)) = values.get("combo.capital") else { return None };
    Some(CapitalConfig {
        amount: *amount,
        period: duration(values, "combo.period"),
        window: u8::try_from(int(values, "combo.window")).unwrap_or(0),
        floor: share(values, "combo.floor_percent"),
        ceiling: share(values, "combo.ceiling_percent"),
        step: share(values, "combo.step_percent"),
    })
}
