//! A configuration as YAML text.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Keys that say what the others are of.
const FIRST: [&str; 4] = ["exchange", "account", "symbol", "strategy"];

/// Writes a mapping: sections as blocks, everything else on a line of its own.
pub fn to_yaml(map: &Map<String, Value>) -> String {
    let mut text = String::new();
    block(map, 0, &mut text);
    text
}

fn block(map: &Map<String, Value>, indent: usize, out: &mut String) {
    // As a person would write it: names first, then values, then sections.
    let mut items: Vec<(&String, &Value)> = map.iter().collect();
    let name = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    items.sort_by_key(|(key, value)| (name(key), value.is_object() || value.is_array()));
    for (key, value) in items {
        let _written = write!(out, "{:indent$}{}:", "", scalar(&Value::String(key.clone())));
        below(value, indent, out);
    }
}

/// The value after `key:`, and the end of its line.
fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            block(map, indent + 2, out);
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            out.push('\n');
            for item in items {
                let mut inner = String::new();
                match item {
                    Value::Object(map) if !map.is_empty() => block(map, indent + 4, &mut inner),
                    other => {
                        let _written = writeln!(inner, "{:width$}{}", "", scalar(other), width = indent + 4);
                    }
                }
                // The first line begins with the dash.
                let _written = write!(out, "{:width$}- {}", "", inner.trim_start(), width = indent + 2);
            }
        }
        other => {
            let _written = writeln!(out, " {}", scalar(other));
        }
    }
}

/// A value on one line: JSON, which is YAML; words that YAML takes for nothing else stand without quotes.
fn scalar(value: &Value) -> String {
    if let Value::String(text) = value {
        let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'))
            && !matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | "nan" | "inf"
            );
        if word {
            return text.clone();
        }
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again() {
        let value = json!({
            "exchange": "local", "on": "no", "data_dir": "./data", "time": "5m", "text": "a: b # c\n\"d\"", "none": null, "empty": {},
            "trading": { "leverage": 10, "deep": { "er": { "x": 0.1 } }, "symbols": [{ "symbol": "BTCUSDT", "grid": { "direction": "short" }, "count": -1 }, { "a": true }] },
            "hosts": ["a", "b.c", "1"], "rules": [{}, "word"]
        });
        let text = to_yaml(value.as_object().unwrap());
        let again: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(again, value, "{text}");
        assert!(text.contains("  symbols:\n    - symbol: BTCUSDT\n      count: -1\n      grid:\n        direction: short\n"), "{text}");
    }

    /// The shipped configuration, whatever is in it.
    #[test]
    fn the_shipped_configuration_comes_back() {
        let text = include_str!("../../../../config/plimsoll.yaml");
        let value: Value = serde_saphyr::from_str(text).unwrap();
        let again: Value = serde_saphyr::from_str(&to_yaml(value.as_object().unwrap())).unwrap();
        assert_eq!(again, value);
    }
}
