use super::symbol_keys::SYMBOL_KEYS;
use super::*;
use plimsoll_strategy::{Average, Cascade, Direction, Entry};

const GOOD: &str = "
exchange: local
trading:
  symbols:
    - { symbol: BTCUSDT, price_interval: 60, order_quantity: 200 }
";

#[track_caller]
fn mistakes(yaml: &str) -> Vec<String> {
    match Config::parse(yaml, Path::new("test.yaml")) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Mistakes { mistakes, .. }) => mistakes.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
    }
}

#[test]
fn what_is_no_yaml_is_told_by_its_place_and_never_repeated() {
    let text = "exchange: local\nstorage:\n  url: \"postgres://bot:sekretword@db/x\ntrading:\n  symbols: []\n";
    let told = Config::parse(text, Path::new("c.yaml")).unwrap_err().to_string();
    assert!(told.contains("line 3") && !told.contains("sekretword"), "{told}");
}

#[test]
fn defaults_fill_what_is_not_written() {
    let config = Config::parse(GOOD, Path::new("test.yaml")).unwrap();
    assert_eq!(config.exchange, Exchange::Local);
    assert_eq!(config.symbols[0].interval, 60 * 100_000_000);
    assert_eq!(config.risk.ladder.red, 300_000);
    assert_eq!(config.local.speed_ppm, 1_000_000);
    assert_eq!(config.slot_cleanup, Duration::from_secs(3_600));
    assert_eq!(config.memory_budget, None);
    assert_eq!(config.memory.purge_every, Duration::from_secs(300));
    assert_eq!((config.memory.high_memory, config.memory.high_tasks), (500 << 20, None));
}

#[test]
fn the_log_is_bounded_and_nothing_need_be_stored_of_it() {
    let with = |log: &str| format!("{GOOD}log: {log}");
    let log = Config::parse(GOOD, Path::new("test.yaml")).unwrap().log;
    assert_eq!((log.files, log.file_bytes, log.keep_bytes), (true, 8 << 20, 64 << 20));
    assert_eq!((log.store, log.keep_days, log.keep_error_days), (Some(LogLevel::Info), 7, 30));
    let quiet = Config::parse(&with("{ files: false, store: none, file_size: 4MB, keep: 8MB }"), Path::new("test.yaml")).unwrap().log;
    assert_eq!((quiet.files, quiet.store), (false, None));
    assert_eq!(mistakes(&with("{ file_size: 8MB, keep: 15MB }")), ["log.keep: 15 MB is less than twice log.file_size, which is 8 MB"]);
}

#[test]
fn names_of_the_original_are_understood_but_not_twice() {
    let with = |memory: &str| format!("{GOOD}memory: {memory}");
    let old = with("{ gc_interval: 2m, high_memory_threshold: 300, high_goroutine_threshold: 70 }");
    let config = Config::parse(&old, Path::new("test.yaml")).unwrap();
    assert_eq!(config.memory.purge_every, Duration::from_secs(120));
    assert_eq!((config.memory.high_memory, config.memory.high_tasks), (300 << 20, Some(70)));
    let twice = mistakes(&with("{ gc_interval: 2m, purge_interval: 3m }"));
    assert_eq!(twice, ["memory.gc_interval: is another name of memory.purge_interval; write one of them"]);
    let far = mistakes(&with("{ high_memory_threshold: 1 }"));
    assert_eq!(far, ["memory.high_memory_threshold: \"1\" is not allowed; allowed: a size, 16MB to 1024GB; a bare number is megabytes"]);
}

#[test]
fn all_mistakes_are_told_at_once_with_key_value_and_range() {
    let yaml = "
exchange: bitmex
on_stopp: keep
stop_timeout: 5 parsecs
trading:
  leverage: 126
  symbols:
    - { symbol: BTCUSDT, price_interval: 0, order_quantity: 200, buy_windw_size: 3 }
    - { symbol: ETHUSDT, price_interval: 3, order_quantity: 200, buy_window_size: 40, sell_window_size: 40 }
memory: { budget: 1MB }
web: 3
";
    let got = mistakes(yaml);
    let expected = [
        "exchange: \"bitmex\" is not allowed; allowed: local | paper | binance",
        "stop_timeout: \"5 parsecs\" is not allowed; allowed: a time, 1s to 5m",
        "trading.leverage: \"126\" is not allowed; allowed: a whole number, 1 to 125",
        "memory.budget: \"1MB\" is not allowed; allowed: a size, 32MB to 1024GB",
        "on_stopp: is no known key; did you mean on_stop?",
        "web: 3 is no section; it must contain keys",
        "trading.symbols[0].price_interval: \"0\" is not allowed; allowed: a number, 0.00000001 to 1000000000",
        "trading.symbols[0].buy_windw_size: is no known key; did you mean buy_window_size?",
        "trading.symbols[1].sell_window_size: buy_window_size 40 and sell_window_size 40 are 80 together; allowed: at most 64",
    ];
    for line in expected {
        assert!(got.iter().any(|g| g == line), "missing: {line}\ngot: {got:#?}");
    }
    assert_eq!(got.len(), expected.len(), "{got:#?}");
}

#[test]
fn contradictory_limits_of_risk_are_named() {
    let yaml = GOOD.replacen(
        "trading:",
        "risk_control: { drawdown_yellow_percent: 20, drawdown_orange_percent: 20, trailing_percent: 1, stoploss_guard_trades: 2, \
         max_exposure: 10, monitor_symbols: [NOPEUSDT] }\ntrading:",
        1,
    );
    let got = mistakes(&yaml);
    for expected in [
        "risk_control.drawdown_yellow_percent: must be below drawdown_orange_percent, or 100 to turn it off",
        "trailing_percent: trails nothing: take_profit_percent is 0",
        "risk_control.stoploss_guard_trades: counts stop-losses, but no symbol has stop_loss_percent",
        "order_quantity: is above this symbol's share of risk_control.max_exposure: nothing could ever be bought",
        "risk_control.monitor_symbols: NOPEUSDT is not in trading.symbols: only symbols that are traded can be watched",
    ] {
        assert!(got.iter().any(|line| line.contains(expected)), "{expected}: {got:#?}");
    }
}

#[test]
fn rules_of_a_symbol_go_before_the_common_ones() {
    let yaml = GOOD.replacen("trading:", "risk_control: { stop_loss_percent: 5, max_layers: 7 }\ntrading:", 1).replacen(
        "price_interval:",
        "stop_loss_percent: 8, price_interval:",
        1,
    );
    let config = Config::parse(&yaml, Path::new("test.yaml")).unwrap();
    let guard = config.risk.guard_of(&config.symbols[0]);
    assert_eq!((guard.stop_loss, guard.layers_max, guard.stop_loss_pause), (80_000, 7, None));
    // Told in time whatever its number of symbols is: a third of what the exchange waits.
    let countdown = config.risk.countdown.unwrap();
    assert_eq!((countdown.after.as_secs(), countdown.every.as_secs(), countdown.foreign), (120, 40, false));
}

#[test]
fn a_database_password_is_never_repeated() {
    let got = mistakes(&format!("{GOOD}\nstorage: {{ url: \"mysql://me:secret@db\" }}\n"));
    assert_eq!(got.len(), 1);
    assert!(got[0].starts_with("storage.url") && !got[0].contains("secret"), "{got:?}");
}

#[test]
fn broken_yaml_and_double_keys_are_refused() {
    assert_eq!(mistakes("exchange: [").len(), 1);
    assert_eq!(mistakes("exchange: local\nexchange: binance\n").len(), 1);
    assert_eq!(mistakes("just text").len(), 1);
    assert_eq!(
        mistakes(&format!("{GOOD}    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 200 }}\n")),
        ["trading.symbols[1].symbol: BTCUSDT is listed twice"]
    );
}

#[test]
fn the_shipped_file_is_complete_and_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("config/plimsoll.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let config = Config::parse(&text, &path).unwrap();
    assert_eq!((config.exchange, config.symbols.len()), (Exchange::Local, 2));
    for key in KEYS.iter().chain(SYMBOL_KEYS) {
        let name = key.path.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("{name}:")), "{} is not in the shipped file", key.path);
    }
    // What is commented out is right, too: a user only takes the number signs away.
    let whole: String = text.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect();
    let alerts = &whole[whole.find("\nalerts:\n").unwrap()..whole.find("\nlog:\n").unwrap()];
    let alerts: String = alerts.lines().map(|line| format!("{}\n", line.strip_prefix("  # ").map_or(line, |_| ""))).collect();
    let config = Config::parse(&format!("{GOOD}{alerts}"), &path).unwrap();
    assert_eq!(config.alerts.shape().channels.len(), 3);
    let shipped: Value = serde_json::from_str(&std::fs::read_to_string(root.join("config/plimsoll.schema.json")).unwrap()).unwrap();
    assert_eq!(shipped, schema(), "run `plimsoll config schema > config/plimsoll.schema.json`");
}

#[test]
fn alerts_are_read_and_their_mistakes_told() {
    let good = format!(
        "{GOOD}alerts:\n  cooldown: 10m\n  channels:\n    - {{ name: log, kind: log }}\n    - {{ name: hook, kind: webhook, secret_env: NOBODY_HAS_THIS }}\n  \
         rules:\n    - {{ severity: critical, codes: [memory_leak], channels: [log] }}\n"
    );
    let config = Config::parse(&good, Path::new("test.yaml")).unwrap();
    assert_eq!(config.alerts.cooldown, Duration::from_secs(600));
    assert_eq!(config.alerts.shape().channels.len(), 2);
    let error = config.alerts.resolve("test").unwrap_err().to_string();
    assert!(error.contains("alerts.channels.hook") && error.contains("NOBODY_HAS_THIS"), "{error}");

    let bad = "{ channels: [{ name: x, kind: pigeon }], rules: [{ codes: [nonsense], channels: [x], colour: red }], cooldown: soon }";
    let got = mistakes(&format!("{GOOD}alerts: {bad}\n"));
    for part in ["alerts.cooldown:", "alerts.channels[0].kind: \"pigeon\" is not allowed", "alerts.rules[0].colour: is no known key"] {
        assert!(got.iter().any(|line| line.contains(part)), "missing: {part}\ngot: {got:#?}");
    }
    let unknown = mistakes(&format!("{GOOD}alerts: {{ rules: [{{ codes: [nonsense], channels: [] }}] }}\n"));
    assert!(unknown[0].contains("\"nonsense\" is no code of an alert") && unknown[0].contains("memory_leak"), "{unknown:?}");
}

/// A symbol with a strategy and whatever else.
fn strategy(rest: &str) -> String {
    format!("exchange: local\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, order_quantity: 200, {rest} }}\n")
}

#[test]
fn strategies_are_read_with_what_their_users_know() {
    let read = |rest: &str| Config::parse(&strategy(rest), Path::new("test.yaml")).unwrap().symbols[0].strategy.unwrap();
    let StrategyConfig::Martingale(trade, plan) = read("strategy: martingale, trade: { direction: short, bar: 5m }") else { panic!() };
    assert_eq!((plan.multiplier, plan.layers, plan.step, plan.decay, plan.multiplier_min), (2_000_000, 6, 20_000, 900_000, 1_200_000));
    assert_eq!((plan.direction, plan.amount, plan.take_profit, plan.trend), (Direction::Short, 200 * 100_000_000, 30_000, 20));
    assert_eq!((trade.bar, trade.stop_loss, trade.slippage, trade.entry), (Duration::from_secs(300), 150_000, 1_000, Entry::Taker));
    let StrategyConfig::DcaEnhanced(trade, plan) = read("strategy: dca_enhanced") else { panic!() };
    assert_eq!((plan.safety_amount, plan.safety_orders, plan.atr_multiplier), (200 * 100_000_000, 50, 1_500_000));
    assert_eq!((plan.step_min, plan.step_max, plan.amount_scale, plan.step_scale), (10_000, 50_000, 1_050_000, 1_000_000));
    assert_eq!((plan.take_first, plan.take_last, plan.take_total, trade.stop_loss), (10_000, 5_000, 20_000, 100_000));
    assert_eq!(plan.cascade, Some(Cascade { drop: 50_000, bars: 10, pause: 5 }));
    let StrategyConfig::TrendFollowing(trade, plan) = read("strategy: trend_following, trade: { stop_loss_percent: 0 }") else { panic!() };
    assert_eq!((plan.short, plan.long, plan.average, plan.take_profit, trade.stop_loss), (10, 30, Average::Exponential, 50_000, 0));
    let StrategyConfig::Momentum(_, plan) = read("strategy: momentum, momentum: { oversold: 25.5 }") else { panic!() };
    assert_eq!((plan.period, plan.oversold, plan.overbought, plan.take_profit), (14, 255_000, 700_000, 0));
    let StrategyConfig::MarketMaker(maker) = read("strategy: market_maker, market_maker: { risk: 0.5, bar: 5m }") else { panic!() };
    assert_eq!((maker.layers, maker.half_spread, maker.risk, maker.requote, maker.volatility), (5, 1_000, 500, 200, 20));
    assert_eq!(mistakes(&strategy("strategy: market_maker, trade: { bar: 5m }")).len(), 1);
    let StrategyConfig::MeanReversion(_, plan) = read("strategy: mean_reversion") else { panic!() };
    assert_eq!((plan.period, plan.enter_milli, plan.leave_milli), (20, 2_000, 500));
}

#[test]
fn what_does_not_go_with_a_strategy_is_refused() {
    let told = |rest: &str| mistakes(&strategy(rest));
    assert_eq!(told("strategy: grid"), ["trading.symbols[0].price_interval: is missing; allowed: a number, 0.00000001 to 1000000000"]);
    assert_eq!(
        told("strategy: momentum, price_interval: 3, martingale: { max_levels: 3 }"),
        [
            "trading.symbols[0].martingale: does not go with strategy: momentum",
            "trading.symbols[0].price_interval: does not go with strategy: momentum"
        ]
    );
    assert_eq!(told("price_interval: 60, trade: { bar: 5m }"), ["trading.symbols[0].trade: does not go with strategy: grid"]);
    assert_eq!(
        told("strategy: momentum, momentum: { oversold: 80 }"),
        [
            "trading.symbols[0].momentum: oversold and overbought is 800000 and 700000; allowed: above 0, the first below the second, below 1,000,000"
        ]
    );
    assert_eq!(
        told("strategy: momentum, trade: { bar: 90s }"),
        ["trading.symbols[0].momentum: bar is 90 s; allowed: whole minutes, 1 to 1,440"]
    );
    assert_eq!(
        told("strategy: trend_following, trend_following: { short_period: 30 }"),
        ["trading.symbols[0].trend_following: short and long: a short period of 30 is not below the long one of 30"]
    );
    assert_eq!(
        told("strategy: momentum, momentum: { preiod: 3 }"),
        ["trading.symbols[0].momentum.preiod: is no known key; did you mean momentum.period?"]
    );
}

#[test]
fn options_of_a_grid_are_prices_of_its_symbol() {
    let read = |grid: &str| {
        Config::parse(&strategy(&format!("price_interval: 60, grid: {grid}")), Path::new("test.yaml")).unwrap().symbols[0].grid
    };
    let btc = plimsoll_market::Instrument::example_btcusdt();
    let price =
        |units: i128| i64::try_from(units / 1_000_000).ok().filter(|_| units % 1_000_000 == 0).map(plimsoll_market::Price::from_units);
    assert_eq!(read("{ direction: long }").options(&btc, price), Ok(plimsoll_strategy::GridOptions::LONG));
    let options = read("{ direction: short, stop_price: 70000, lower_price: 50000.5 }").options(&btc, price).unwrap();
    assert_eq!((options.stop.unwrap().units(), options.lower.unwrap().units(), options.upper), (7_000_000, 5_000_050, None));
    let told = read("{ stop_price: 0.001 }").options(&btc, price).unwrap_err();
    assert_eq!(told, "BTCUSDT: grid.stop_price has more digits than the symbol's prices");
    let told = read("{ stop_price: 70000, upper_price: 60000, take_profit_price: 50000 }").options(&btc, price).unwrap_err();
    assert!(told.starts_with("BTCUSDT: stop_price is 70000.00; allowed: on the other side"), "{told}");
    assert_eq!(
        mistakes(&strategy("strategy: momentum, grid: { direction: short }")),
        ["trading.symbols[0].grid: does not go with strategy: momentum"]
    );
}

#[test]
fn further_options_of_a_grid_are_read() {
    let read = |rest: &str| Config::parse(&strategy(rest), Path::new("test.yaml")).unwrap().symbols[0].clone();
    let btc = plimsoll_market::Instrument::example_btcusdt();
    let rest = "grid: { ratio_percent: 0.5, trailing: up, upper_price: 70000, compound_percent: 50, skew_percent: 30 }";
    let symbol = read(rest);
    let spacing = crate::trade::interval_of(&symbol, &btc).unwrap();
    assert_eq!(spacing, plimsoll_market::Spacing::Ratio(5_000));
    let Ok(StrategyConfig::GridWith(grid, options)) = crate::trade::strategy_config(&symbol, &btc, spacing) else { panic!() };
    assert_eq!((grid.interval, options.ratio, options.trailing), (btc.tick, 5_000, plimsoll_strategy::Trailing::Up));
    assert_eq!((options.compound, options.compound_max, options.skew, options.skew_layers), (500_000, 3_000_000, 300_000, 10));
    assert_eq!(
        mistakes(&strategy("price_interval: 60, grid: { ratio_percent: 1 }")),
        ["trading.symbols[0].grid.ratio_percent: stands beside price_interval; write one of them"]
    );
    let stray = read("price_interval: 60, grid: { trailing: down }");
    let told = crate::trade::strategy_config(&stray, &btc, plimsoll_market::Price::from_units(6_000).into()).unwrap_err();
    assert!(told.contains("lower_price to follow it down"), "{told}");
}

/// What a symbol's settings make of it, at Bitcoin's digits.
fn made(rest: &str) -> plimsoll_strategy::ComboConfig {
    let symbol = Config::parse(&strategy(rest), Path::new("test.yaml")).unwrap_or_else(|error| panic!("{error}")).symbols[0].clone();
    let btc = plimsoll_market::Instrument::example_btcusdt();
    let spacing = crate::trade::interval_of(&symbol, &btc).unwrap();
    let made = crate::trade::strategy_config(&symbol, &btc, spacing).unwrap();
    made.check(&btc, plimsoll_market::Price::from_units(6_000_000)).unwrap();
    let StrategyConfig::Combo(combo) = made else { panic!("{made:?}") };
    combo
}

#[test]
fn several_strategies_of_a_symbol_are_read() {
    use plimsoll_strategy::{ChildConfig, Choice, Regime, Regimes, Size};
    let combo = made(
        "strategy: combo, trend_detector: { bar: 15m }, combo: { capital: 5000, step_percent: 2, children: [\
         { price_interval: 60, when: [ranging, up], weight_percent: 60 }, \
         { strategy: martingale, order_quantity: 300, trade: { direction: short }, when: [down], weight_percent: 30 }] }",
    );
    let [Some(grid), Some(martingale), None, None] = combo.children else { panic!() };
    assert_eq!((grid.when, grid.weight), (Regimes::NONE.with(Regime::Ranging).with(Regime::Up), 600_000));
    let ChildConfig::Grid(levels, _) = grid.strategy else { panic!() };
    assert_eq!((levels.interval.units(), levels.order_quote), (6_000, 200 * 100_000_000));
    let ChildConfig::Martingale(_, plan) = martingale.strategy else { panic!() };
    assert_eq!((plan.amount, martingale.when, martingale.weight), (300 * 100_000_000, Regimes::NONE.with(Regime::Down), 300_000));
    let Choice::Trend(trend) = combo.choice else { panic!() };
    assert_eq!((trend.bar, trend.adx, trend.trend_from, trend.volatile_from), (Duration::from_secs(900), 14, 25_000, 10_000));
    let capital = combo.capital.unwrap();
    assert_eq!((capital.amount, capital.step, capital.window, capital.ceiling), (5_000 * 100_000_000, 20_000, 24, 700_000));
    let filtered = made("strategy: momentum, trend_detector: { when: [ranging] }");
    assert_eq!(filtered.children[0].unwrap().when, Regimes::NONE.with(Regime::Ranging));
    let adjusted = made("price_interval: 60, dynamic_adjuster: { spacings: 2, size: scaled }");
    let Choice::Spacing(adjuster) = adjusted.choice else { panic!() };
    assert_eq!((adjuster.spacings, adjuster.size, adjuster.margin), (2, Size::Scaled, 500_000));
}

#[test]
fn strategies_that_do_not_go_together_are_refused() {
    let told = |rest: &str| mistakes(&strategy(rest));
    assert_eq!(told("strategy: combo"), ["trading.symbols[0].combo.children: must be a list of 1 to 4 strategies"]);
    assert_eq!(
        told("strategy: combo, combo: { children: [{ strategy: market_maker }, { strategy: momentum, max_layers: 3, when: [up] }] }"),
        [
            "trading.symbols[0].combo.children[0].strategy: \"market_maker\" is no strategy of a combo: it goes alone",
            "trading.symbols[0].combo.children[1].max_layers: is the symbol's, not a child's"
        ]
    );
    assert_eq!(
        told("strategy: combo, combo: { children: [{ strategy: momentum, when: [up] }] }"),
        ["trading.symbols[0].combo.children[0].when: needs a section trend_detector of the symbol"]
    );
    assert_eq!(
        told("strategy: combo, combo: { children: [{ price_interval: 60 }, { price_interval: 70 }] }"),
        ["trading.symbols[0].combo.children: price_interval or grid.ratio_percent must be the same for all grids of a symbol"]
    );
    assert_eq!(
        told("strategy: momentum, dynamic_adjuster: { bar: 1m }, trend_detector: { when: [sideways] }"),
        [
            "trading.symbols[0].dynamic_adjuster: does not go with strategy: momentum",
            "trading.symbols[0].dynamic_adjuster: stands beside trend_detector; write one of them",
            "trading.symbols[0].trend_detector.when: \"sideways\" is not allowed; allowed: up | down | ranging | volatile"
        ]
    );
    let wide = told("price_interval: 60, buy_window_size: 30, sell_window_size: 20, dynamic_adjuster: { spacings: 3 }");
    assert_eq!(
        wide,
        ["trading.symbols[0].dynamic_adjuster: windows and layers is 90 for all children together; allowed: 64 orders wanted at once"]
    );
    assert_eq!(
        told("price_interval: 60, trend_detector: { trend_until: 30 }"),
        [
            "trading.symbols[0].trend_detector: trend_from and trend_until is 25000 and 30000; allowed: up to 100,000 thousandths, the second not above the first"
        ]
    );
    assert_eq!(told("price_interval: 60, combo: { capital: 3 }"), ["trading.symbols[0].combo: does not go with strategy: grid"]);
}

#[test]
fn the_strategies_of_the_shipped_file_are_right_when_they_are_taken_out_of_their_comments() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/plimsoll.yaml")).unwrap();
    let several = text.find("    # - symbol: BNBUSDT").unwrap();
    let until = several + text[several..].find("\n\n").unwrap();
    let several: String = text[several..until]
        .lines()
        // What explains is not taken out.
        .filter(|line| !line.trim_start().starts_with("# Several") && !line.contains("# # "))
        .map(|line| format!("{}\n", line.replacen("# ", "", 1)))
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let config = Config::parse(&format!("{GOOD}{several}"), Path::new("test.yaml")).unwrap_or_else(|error| panic!("{error}\n{several}"));
    assert!(config.symbols[1].is_adjusted());
    assert!(config.symbols[2].has_grid());
    let from = text.find("    # - symbol: SOLUSDT").unwrap();
    let block: String =
        text[from..text.find("\nrisk_control:").unwrap()].lines().map(|line| format!("{}\n", line.replacen("# ", "", 1))).collect();
    for name in ["momentum", "mean_reversion", "trend_following", "martingale", "dca_enhanced", "market_maker"] {
        // A symbol keeps the section of its own strategy only.
        let mut keep = true;
        let own: String = block
            .lines()
            .filter(|line| {
                let section = line.strip_prefix("      ").filter(|rest| !rest.starts_with(' ') && rest.ends_with(':'));
                if let Some(section) = section {
                    keep = section == "trade:" && name != "market_maker" || section == format!("{name}:");
                }
                keep
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let own = own.replacen("strategy: momentum", &format!("strategy: {name}"), 1);
        let config = Config::parse(&format!("{GOOD}{own}"), Path::new("test.yaml")).unwrap_or_else(|error| panic!("{error}\n{own}"));
        assert_eq!(config.symbols[1].strategy.unwrap().name(), name);
    }
}
