//! A single value, checked without the others.

use super::keys::{KEYS, Key};
use super::reader::{check, nearest};
use super::symbol_keys::{CHILD_KEYS, SYMBOL_KEYS};
use serde_json::Value;

/// Checks a value for a key with its whole path, as `risk_control.max_exposure` or `trading.symbols[0].price_interval`. Whether it
/// goes with the other values is not looked at.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub fn check_one(path: &str, value: &Value) -> Result<(), String> {
    let of_symbol = path.strip_prefix("trading.symbols[").and_then(|rest| rest.split_once("]."));
    let of_child = of_symbol.and_then(|(_, name)| name.strip_prefix("combo.children[")?.split_once("]."));
    let (keys, more, name): (&[Key], &[Key], &str) = match (of_symbol, of_child) {
        (_, Some((_, name))) => (SYMBOL_KEYS, CHILD_KEYS, name),
        (Some((_, name)), None) => (SYMBOL_KEYS, &[], name),
        (None, None) => (KEYS, &[], path),
    };
    let keys = || keys.iter().chain(more);
    match keys().find(|key| key.path == name) {
        Some(key) => check(value, key.kind).map(|_| ()),
        None => {
            let hint = nearest(name, keys().map(|key| key.path));
            Err(hint.map_or_else(|| "is no known key".to_owned(), |hint| format!("is no known key; did you mean {hint}?")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_checked_by_its_key() {
        assert_eq!(check_one("trading.symbols[3].grid.direction", &json!("short")), Ok(()));
        assert_eq!(check_one("risk_control.max_exposure", &json!(100)), Ok(()));
        assert_eq!(check_one("trading.symbols[0].combo.children[1].weight_percent", &json!(30)), Ok(()));
        assert_eq!(check_one("trading.symbols[0].combo.children[1].momentum.period", &json!(9)), Ok(()));
        assert!(check_one("trading.symbols[0].weight_percent", &json!(30)).is_err());
        let low = check_one("trading.symbols[0].buy_window_size", &json!(0)).unwrap_err();
        assert!(low.contains("allowed: a whole number, 1 to 63"), "{low}");
        assert_eq!(
            check_one("trading.symbols[0].price_intervall", &json!(1)),
            Err("is no known key; did you mean price_interval?".to_owned())
        );
    }
}
