//! What differs between two configurations, key by key, and which of it a running process can take over.

use super::keys::{ALIASES, KEYS, Key};
use super::reader::find;
use super::symbol_keys::SYMBOL_KEYS;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Since when a changed key counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applies {
    /// At once.
    Live,
    /// With the next start.
    Restart,
}

impl Applies {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Restart => "restart",
        }
    }
}

/// A key whose value differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The key; those of a symbol begin with `trading.symbols.` and its name.
    pub key: String,
    /// Its value before; `None` when it had none, also no default.
    pub from: Option<String>,
    /// Its value after.
    pub to: Option<String>,
    /// Since when it counts.
    pub applies: Applies,
}

/// Sections outside the table of keys: compared as they are written.
const WHOLE: [&str; 2] = ["alerts.channels", "alerts.rules"];
/// A symbol's list of strategies, likewise.
const CHILDREN: &str = "combo.children";

/// Keys outside a symbol that a running process takes over, or what they begin with.
const LIVE: [&str; 8] = [
    "trading.slot_cleanup_interval",
    "trading.stale_after",
    "trading.reconcile_interval",
    "trading.order_cleanup_threshold",
    "trading.countdown",
    "trading.accept_positions",
    "risk_control.",
    "log.level",
];
/// Keys among those that begin so that it does not: they go by what the exchange was asked at the start, and by what was planned.
const NOT_LIVE: [&str; 5] = [
    "risk_control.max_leverage",
    "risk_control.position_safety_check",
    "risk_control.enabled",
    "risk_control.monitor_symbols",
    "risk_control.average_window",
];

/// Returns what differs, in the order of the keys; values that are not written count as their defaults.
///
/// Both must have been found right: what is no key is not looked at.
pub fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let (before, after) = (flat(before), flat(after));
    let mut changes = Vec::new();
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let (from, to) = (before.get(key), after.get(key));
        if from != to {
            changes.push(Change { key: key.clone(), from: from.cloned(), to: to.cloned(), applies: applies(key) });
        }
    }
    // A symbol that comes or goes is one change: its keys say nothing more.
    let whole = changes.iter().filter_map(|change| Some(format!("{}.", change.key.strip_suffix(".symbol")?)));
    let whole: Vec<String> = whole.collect();
    changes.retain(|change| change.key.ends_with(".symbol") || !whole.iter().any(|prefix| change.key.starts_with(prefix.as_str())));
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

/// All keys with their values as text, also those that are not written.
pub fn flat(map: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    take(map, KEYS, "", &mut all);
    for path in WHOLE {
        if let Some(value) = find(map, path) {
            all.insert(path.to_owned(), value.to_string());
        }
    }
    let symbols = find(map, "trading.symbols").and_then(Value::as_array);
    for item in symbols.into_iter().flatten().filter_map(Value::as_object) {
        let Some(name) = item.get("symbol").and_then(Value::as_str) else { continue };
        let prefix = format!("trading.symbols.{name}.");
        take(item, SYMBOL_KEYS, &prefix, &mut all);
        if let Some(children) = find(item, CHILDREN) {
            all.insert(format!("{prefix}{CHILDREN}"), children.to_string());
        }
    }
    all
}

fn take(map: &Map<String, Value>, keys: &[Key], prefix: &str, all: &mut BTreeMap<String, String>) {
    for key in keys {
        let old = ALIASES.iter().find(|(_, new)| *new == key.path).and_then(|(old, _)| find(map, old));
        let value = find(map, key.path).or(old).map(written);
        let value = value.or_else(|| key.default.filter(|default| !default.is_empty()).map(str::to_owned));
        if let Some(value) = value {
            all.insert(format!("{prefix}{}", key.path), value);
        }
    }
}

/// A value as a person writes it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Since when a key counts.
pub fn applies(key: &str) -> Applies {
    let live = match key.strip_prefix("trading.symbols.") {
        Some(rest) => !rest.ends_with(".symbol"),
        None => LIVE.iter().any(|live| key.starts_with(live)) && !NOT_LIVE.contains(&key),
    };
    if live { Applies::Live } else { Applies::Restart }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_map;
    use std::path::Path;

    fn map(text: &str) -> Map<String, Value> {
        parse_map(text, Path::new("test.yaml")).unwrap()
    }

    fn shown(before: &str, after: &str) -> Vec<String> {
        let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let line = |c: Change| format!("{} {} -> {} {}", c.key, show(c.from), show(c.to), c.applies.as_str());
        changes(&map(before), &map(after)).into_iter().map(line).collect()
    }

    const ONE: &str = "exchange: local\ntrading:\n  symbols:\n    - { symbol: BTCUSDT, price_interval: 10, order_quantity: 100 }\n";

    #[test]
    fn what_differs_is_told_key_by_key_with_defaults() {
        assert!(shown(ONE, ONE).is_empty());
        let written = format!("{ONE}    # the default\nstop_timeout: 20s\n");
        assert!(shown(ONE, &written).is_empty(), "a default that is written is no change");
        let after = ONE.replace("100", "150") + "stop_timeout: 30s\nmemory: { gc_interval: 5m }\nrisk_control: { max_order: 500 }\n";
        let told = shown(ONE, &after);
        assert!(told.contains(&"trading.symbols.BTCUSDT.order_quantity 100 -> 150 live".to_owned()), "{told:?}");
        assert!(told.contains(&"stop_timeout 20s -> 30s restart".to_owned()), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("risk_control.max_order ") && line.ends_with("500 live")), "{told:?}");
    }

    #[test]
    fn a_symbol_that_comes_or_goes_is_one_change() {
        let two = format!("{ONE}    - {{ symbol: ETHUSDT, price_interval: 1, order_quantity: 50 }}\n");
        assert_eq!(shown(ONE, &two), ["trading.symbols.ETHUSDT.symbol - -> ETHUSDT restart"]);
        assert_eq!(shown(&two, ONE), ["trading.symbols.ETHUSDT.symbol ETHUSDT -> - restart"]);
    }

    #[test]
    fn every_key_that_counts_at_once_exists() {
        for live in LIVE.iter().chain(&NOT_LIVE) {
            assert!(KEYS.iter().any(|key| key.path.starts_with(live)), "{live}");
        }
    }
}
