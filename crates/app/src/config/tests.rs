use super::*;

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
fn defaults_fill_what_is_not_written() {
    let config = Config::parse(GOOD, Path::new("test.yaml")).unwrap();
    assert_eq!(config.exchange, Exchange::Local);
    assert_eq!(config.symbols[0].interval, 60 * 100_000_000);
    assert_eq!(config.risk.max_drawdown_ppm, 300_000);
    assert_eq!(config.local.speed_ppm, 1_000_000);
    assert_eq!(config.slot_cleanup, Duration::from_secs(3_600));
    assert_eq!(config.memory_budget, None);
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
        "exchange: \"bitmex\" is not allowed; allowed: local | binance",
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
    let shipped: Value = serde_json::from_str(&std::fs::read_to_string(root.join("config/plimsoll.schema.json")).unwrap()).unwrap();
    assert_eq!(shipped, schema(), "run `plimsoll config schema > config/plimsoll.schema.json`");
}
