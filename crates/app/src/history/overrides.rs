//! Values put in the place of others in a configuration.

use serde_json::{Map, Number, Value};

/// One step of a key's path.
enum Step<'a> {
    Key(&'a str),
    Place(usize),
}

/// The steps of a path such as `trading.symbols[0].grid.direction`; `None` of what is no path.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, places) = part.split_once('[').map_or((part, ""), |(name, places)| (name, places));
        if name.is_empty() {
            return None;
        }
        steps.push(Step::Key(name));
        if !places.is_empty() {
            steps.push(Step::Place(places.strip_suffix(']')?.parse().ok()?));
        }
    }
    Some(steps)
}

/// Puts a value in its place; sections that are not there are made. `None` when the path leads nowhere: it is none, passes through
/// what is no section, or names a symbol that the configuration does not have.
pub fn put(map: &mut Map<String, Value>, path: &str, value: Value) -> Option<()> {
    let steps = steps(path)?;
    let (first, rest) = steps.split_first()?;
    let Step::Key(first) = first else { return None };
    let mut at = map.entry(*first).or_insert_with(|| Value::Object(Map::new()));
    for step in rest {
        at = match step {
            Step::Key(key) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut()?.entry(*key).or_insert(Value::Null)
            }
            Step::Place(place) => at.as_array_mut()?.get_mut(*place)?,
        };
    }
    *at = value;
    Some(())
}

/// A value as it would be read from YAML: a number where its text is one that comes back the same.
pub fn value_of(text: &str) -> Value {
    let whole = text.parse::<i64>().ok().filter(|n| n.to_string() == text).map(|n| Value::Number(n.into()));
    let decimal = || {
        let number = text.parse::<f64>().ok().and_then(Number::from_f64)?;
        (number.to_string() == text).then_some(Value::Number(number))
    };
    whole.or_else(decimal).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_value_takes_its_place() {
        let mut of = map(json!({ "trading": { "symbols": [{ "symbol": "A" }, { "grid": null }] } }));
        put(&mut of, "trading.symbols[0].price_interval", json!(5)).unwrap();
        put(&mut of, "trading.symbols[1].grid.direction", json!("short")).unwrap();
        put(&mut of, "risk_control.max_exposure", json!(9)).unwrap();
        let expected = json!({
            "trading": { "symbols": [{ "symbol": "A", "price_interval": 5 }, { "grid": { "direction": "short" } }] },
            "risk_control": { "max_exposure": 9 }
        });
        assert_eq!(Value::Object(of.clone()), expected);
        for nowhere in ["trading.symbols[2].x", "trading.symbols[0].symbol.x", "trading.symbols[x]", "", "a..b"] {
            assert_eq!(put(&mut of, nowhere, json!(1)), None, "{nowhere}");
        }
    }

    #[test]
    fn texts_become_numbers_when_nothing_is_lost() {
        assert_eq!(value_of("12"), json!(12));
        assert_eq!(value_of("-0.25"), json!(-0.25));
        assert_eq!(value_of("0.00000001"), json!("0.00000001"));
        assert_eq!(value_of("5m"), json!("5m"));
        assert_eq!(value_of("007"), json!("007"));
    }
}
