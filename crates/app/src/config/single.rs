//! A single value, checked without the others.

use super::keys::KEYS;
use super::reader::{check, nearest};
use super::symbol_keys::SYMBOL_KEYS;
use serde_json::Value;

/// Checks a value for a key with its whole path, as `risk_control.max_exposure` or `trading.symbols[0].price_interval`. Whether it
/// goes with the other values is not looked at.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub fn check_one(path: &str, value: &Value) -> Result<(), String> {
    let of_symbol = path.strip_prefix("trading.symbols[").and_then(|rest| rest.split_once("]."));
    let (keys, name) = of_symbol.map_or((KEYS, path), |(_, name)| (SYMBOL_KEYS, name));
    match keys.iter().find(|key| key.path == name) {
        Some(key) => check(value, key.kind).map(|_| ()),
        None => {
            let hint = nearest(name, keys.iter().map(|key| key.path));
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
        let low = check_one("trading.symbols[0].buy_window_size", &json!(0)).unwrap_err();
        assert!(low.contains("allowed: a whole number, 1 to 63"), "{low}");
        assert_eq!(
            check_one("trading.symbols[0].price_intervall", &json!(1)),
            Err("is no known key; did you mean price_interval?".to_owned())
        );
    }
}
