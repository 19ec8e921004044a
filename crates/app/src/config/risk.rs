//! The keys of the risk ladder, typed.

use super::reader::{Checked, Values};
use super::{Mistake, SymbolConfig, duration, int, text, units};
use plimsoll_engine::{AccountConfig, Countdown};
use plimsoll_market::{Asset, Symbol};
use plimsoll_safety::limits::MONITORED_MAX;
use plimsoll_safety::{GuardConfig, LadderConfig, MonitorConfig, Protections, Streak};
use std::time::Duration;

/// Weight of telling the exchange's switch once.
const COUNTDOWN_WEIGHT: u64 = 10;
/// Weight a minute that the switch may cost all symbols together: a fifth of what the exchange gives.
const COUNTDOWN_WEIGHT_PER_MINUTE: u64 = 480;

/// Limits of risk.
#[derive(Clone, Debug)]
pub struct RiskConfig {
    /// Highest leverage.
    pub max_leverage: u16,
    /// Largest exposure, units of 1e-8.
    pub max_exposure: i128,
    /// Orders that free margin must carry.
    pub layers_min: u32,
    /// Orders in ten seconds.
    pub orders_per_10s: u16,
    /// The drawdown ladder.
    pub ladder: LadderConfig,
    /// Whether its last rung closes positions.
    pub close_on_red: bool,
    /// Loss of a day, in millionths.
    pub daily_loss: u32,
    /// The risk monitor; `None` when it is off.
    pub monitor: Option<MonitorConfig>,
    /// The symbols it watches.
    pub watched: Vec<Symbol>, // tidy: bounded by MONITORED_MAX, checked here
    /// The rules of a symbol that says nothing else.
    pub guard: GuardConfig,
    /// Pause between comparisons with the exchange.
    pub reconcile_every: Duration,
    /// The exchange's switch; `None` when it is off.
    pub countdown: Option<Countdown>,
    /// Whether a grid that would be liquidated before its last level fills is accepted.
    pub accept_liquidation: bool,
    /// Whether positions that the books do not know are accepted.
    pub accept_positions: bool,
}

impl RiskConfig {
    /// The limits of the account.
    pub fn account(&self, quote: Asset) -> AccountConfig {
        AccountConfig {
            quote,
            exposure_max: self.max_exposure,
            orders_per_10s: self.orders_per_10s,
            ladder: self.ladder,
            close_on_red: self.close_on_red,
            daily_loss: self.daily_loss,
            monitor: self.monitor,
        }
    }

    /// The rules of a symbol.
    pub fn guard_of(&self, symbol: &SymbolConfig) -> GuardConfig {
        let own = &symbol.own;
        GuardConfig {
            stop_loss: own.stop_loss.unwrap_or(self.guard.stop_loss),
            take_profit: own.take_profit.unwrap_or(self.guard.take_profit),
            trailing: own.trailing.unwrap_or(self.guard.trailing),
            layers_max: own.layers_max.unwrap_or(self.guard.layers_max),
            ..self.guard
        }
    }
}

/// What a symbol says instead of the common rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OwnRules {
    stop_loss: Option<u32>,
    take_profit: Option<u32>,
    trailing: Option<u32>,
    layers_max: Option<u16>,
}

/// Percent at 1e-8 to millionths: 30 % is 300,000.
fn ppm(units: i128) -> u32 {
    u32::try_from(units / 10_000).unwrap_or(0)
}

pub(super) fn own_rules(values: &Values) -> OwnRules {
    let percent = |key: &str| match values.get(key) {
        Some(Checked::Units(n)) => Some(ppm(*n)),
        _ => None,
    };
    OwnRules {
        stop_loss: percent("stop_loss_percent"),
        take_profit: percent("take_profit_percent"),
        trailing: percent("trailing_percent"),
        layers_max: match values.get("max_layers") {
            Some(Checked::Int(n)) => u16::try_from(*n).ok(),
            _ => None,
        },
    }
}

pub(super) fn read_risk(values: &Values, symbols: &[SymbolConfig], mistakes: &mut Vec<Mistake>) -> RiskConfig {
    let of = |name: &str| format!("risk_control.{name}");
    let percent = |name: &str| ppm(units(values, &of(name)));
    let time = |name: &str| duration(values, &of(name));
    let number = |name: &str| int(values, &of(name));
    let small = |name: &str| u8::try_from(number(name)).unwrap_or(0);
    let streak = |name: &str| {
        let trades = small(&format!("{name}_trades"));
        let streak = Streak { trades, look_back: time(&format!("{name}_look_back")), pause: time(&format!("{name}_pause")) };
        (trades > 0).then_some(streak)
    };
    let mut mistake = |key: String, what: String| mistakes.push(Mistake { key, what });
    let ladder = LadderConfig {
        yellow: percent("drawdown_yellow_percent"),
        orange: percent("drawdown_orange_percent"),
        red: percent("max_drawdown_percent"),
        smoothing: time("drawdown_smoothing"),
    };
    let off = 1_000_000;
    for (lower, name, higher, above) in [
        (ladder.yellow, "drawdown_yellow_percent", ladder.orange, "drawdown_orange_percent"),
        (ladder.orange, "drawdown_orange_percent", ladder.red, "max_drawdown_percent"),
        (ladder.yellow, "drawdown_yellow_percent", ladder.red, "max_drawdown_percent"),
    ] {
        if lower != off && higher != off && lower >= higher {
            mistake(of(name), format!("must be below {above}, or 100 to turn it off"));
        }
    }
    let guard = GuardConfig {
        order_max: units(values, &of("max_order")),
        stop_loss: percent("stop_loss_percent"),
        stop_loss_pause: Some(time("stop_loss_pause")).filter(|pause| !pause.is_zero()),
        take_profit: percent("take_profit_percent"),
        trailing: percent("trailing_percent"),
        take_profit_pause: time("take_profit_pause"),
        layers_max: u16::try_from(number("max_layers")).unwrap_or(0),
        orders_max: u8::try_from(int(values, "trading.order_cleanup_threshold")).unwrap_or(0),
        liquidation: percent("min_liquidation_percent"),
        funding: percent("max_funding_percent"),
        funding_before: time("funding_window"),
        margin_lock: time("margin_lock_duration"),
        cancels_per_minute: u32::try_from(number("max_cancels_per_minute")).unwrap_or(0),
        protections: Protections {
            stoploss_guard: streak("stoploss_guard"),
            loss_guard: streak("loss_guard").map(|streak| (streak, percent("loss_guard_percent"))),
            low_profit: streak("low_profit").map(|streak| (streak, i32::try_from(percent("low_profit_percent")).unwrap_or(0))),
            cooldown: Some(time("cooldown")).filter(|pause| !pause.is_zero()),
        },
    };
    if guard.protections.stoploss_guard.is_some() && guard.stop_loss == 0 && symbols.iter().all(|s| s.own.stop_loss.unwrap_or(0) == 0) {
        mistake(of("stoploss_guard_trades"), "counts stop-losses, but no symbol has stop_loss_percent".to_owned());
    }
    let risk = RiskConfig {
        max_leverage: u16::try_from(number("max_leverage")).unwrap_or(1),
        max_exposure: units(values, &of("max_exposure")),
        layers_min: u32::try_from(number("position_safety_check")).unwrap_or(0),
        orders_per_10s: u16::try_from(number("orders_per_10s")).unwrap_or(1),
        ladder,
        close_on_red: text(values, &of("on_max_drawdown")) == "flatten",
        daily_loss: percent("max_daily_loss_percent"),
        monitor: (text(values, &of("enabled")) == "true").then(|| MonitorConfig {
            window: usize::try_from(number("average_window")).unwrap_or(2),
            multiplier: u32::try_from(units(values, &of("volume_multiplier")) / 100_000).unwrap_or(u32::MAX),
            recovery: usize::try_from(number("recovery_threshold")).unwrap_or(1),
            stale_after: time("monitor_stale_after"),
        }),
        watched: watched(values, symbols, &mut mistake),
        guard,
        reconcile_every: duration(values, "trading.reconcile_interval"),
        countdown: countdown(values, symbols.len() as u64),
        accept_liquidation: text(values, &of("accept_liquidation")) == "true",
        accept_positions: text(values, "trading.accept_positions") == "true",
    };
    for symbol in symbols {
        let guard = risk.guard_of(symbol);
        let key = |name: &str| format!("trading.symbols ({}).{name}", symbol.symbol);
        if guard.trailing > 0 && guard.take_profit == 0 {
            mistake(key("trailing_percent"), "trails nothing: take_profit_percent is 0".to_owned());
        }
        if guard.take_profit > 0 && guard.trailing > guard.take_profit {
            mistake(key("trailing_percent"), "is above take_profit_percent: the profit would be gone before it is taken".to_owned());
        }
        if guard.layers_max > 0 && symbol.order_quote * i128::from(guard.layers_max) > risk.max_exposure {
            mistake(key("max_layers"), "levels of order_quantity are worth more than risk_control.max_exposure".to_owned());
        }
        if guard.order_max > 0 && symbol.order_quote > guard.order_max {
            mistake(key("order_quantity"), "is above risk_control.max_order: nothing could ever be bought".to_owned());
        }
        if symbol.order_quote > risk.max_exposure / (symbols.len().max(1) as i128) {
            mistake(
                key("order_quantity"),
                "is above this symbol's share of risk_control.max_exposure: nothing could ever be bought".to_owned(),
            );
        }
    }
    risk
}

fn watched(values: &Values, symbols: &[SymbolConfig], mistake: &mut impl FnMut(String, String)) -> Vec<Symbol> {
    let key = || "risk_control.monitor_symbols".to_owned();
    let named = match values.get("risk_control.monitor_symbols") {
        Some(Checked::List(names)) if !names.is_empty() => names,
        _ => return symbols.iter().map(|s| s.symbol).take(MONITORED_MAX).collect(),
    };
    if named.len() > MONITORED_MAX {
        mistake(key(), format!("lists {} symbols; allowed: {MONITORED_MAX}", named.len()));
    }
    let mut list: Vec<Symbol> = Vec::with_capacity(named.len().min(MONITORED_MAX));
    for name in named.iter().take(MONITORED_MAX) {
        match symbols.iter().find(|s| s.symbol.as_str() == name) {
            Some(found) if list.contains(&found.symbol) => mistake(key(), format!("{name} is listed twice")),
            Some(found) => list.push(found.symbol),
            None => mistake(key(), format!("{name} is not in trading.symbols: only symbols that are traded can be watched")),
        }
    }
    list
}

/// Stretched so that telling it fits into its share of the exchange's request weight.
fn countdown(values: &Values, symbols: u64) -> Option<Countdown> {
    let after = duration(values, "trading.countdown");
    if after.is_zero() {
        return None;
    }
    let least = Duration::from_millis(symbols * COUNTDOWN_WEIGHT * 60_000 / COUNTDOWN_WEIGHT_PER_MINUTE);
    let every = (after / 3).max(least).max(Duration::from_secs(5));
    let foreign = text(values, "trading.countdown_with_foreign_orders") == "true";
    Some(Countdown { after: after.max(every * 3), every, foreign })
}
