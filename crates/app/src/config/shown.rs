//! A symbol's strategies as they are written, for people to look at.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Keys of a symbol that are no parameters of a strategy.
const OTHERS: [&str; 2] = ["symbol", "strategy"];

/// A strategy as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownStrategy {
    /// Its word.
    pub kind: String,
    /// Its parameters: paths of keys, and what is written there.
    pub parameters: BTreeMap<String, String>, // tidy: bounded by the keys of a symbol, lives as long as the configuration
    /// Its share of the symbol's capital in percent, where several share it and it is written.
    pub allocation: Option<String>,
}

/// Lists the strategies of a symbol: its own, or those of its combo.
pub fn strategies(map: &Map<String, Value>, kind: &str) -> Vec<ShownStrategy> {
    let children = map.get("combo").and_then(|combo| combo.get("children")).and_then(Value::as_array);
    match children {
        Some(children) if kind == "combo" => children
            .iter()
            .filter_map(Value::as_object)
            .map(|child| {
                let kind = child.get("strategy").and_then(Value::as_str).unwrap_or("grid");
                let equal = format!("{:.2}", 100.0 / children.len() as f64);
                let allocation = child.get("weight_percent").map_or(equal, word);
                ShownStrategy { kind: kind.to_owned(), parameters: parameters(child), allocation: Some(allocation) }
            })
            .collect(),
        _ => vec![ShownStrategy { kind: kind.to_owned(), parameters: parameters(map), allocation: None }],
    }
}

fn parameters(map: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    flatten("", map, &mut found);
    OTHERS.iter().for_each(|other| drop(found.remove(*other)));
    found
}

fn flatten(prefix: &str, map: &Map<String, Value>, into: &mut BTreeMap<String, String>) {
    for (key, value) in map {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(section) => flatten(&path, section, into),
            Value::Null => {}
            other => drop(into.insert(path, word(other))),
        }
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str, kind: &str) -> Vec<ShownStrategy> {
        strategies(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap(), kind)
    }

    #[test]
    fn one_strategy_has_all_keys_of_its_symbol() {
        let found = shown(r#"{"symbol": "X", "price_interval": 60, "grid": {"trailing": "up", "skew_percent": 1.5}}"#, "grid");
        let pairs: Vec<(&str, &str)> = found[0].parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("grid.skew_percent", "1.5"), ("grid.trailing", "up"), ("price_interval", "60")]);
        assert_eq!((found.len(), found[0].kind.as_str(), &found[0].allocation), (1, "grid", &None));
    }

    #[test]
    fn several_have_their_own_keys_and_shares() {
        let found = shown(
            r#"{"symbol": "X", "strategy": "combo", "combo": {"children": [
                {"strategy": "momentum", "weight_percent": 30, "when": ["up", "down"]}, {"price_interval": 60}]}}"#,
            "combo",
        );
        let kinds: Vec<(&str, Option<&str>)> = found.iter().map(|one| (one.kind.as_str(), one.allocation.as_deref())).collect();
        assert_eq!(kinds, [("momentum", Some("30")), ("grid", Some("50.00"))]);
        assert_eq!(found[0].parameters["when"], "up, down");
    }
}
