//! The JSON schema of the configuration, made from the table of keys.

use super::combo::SYMBOLS_OWN;
use super::keys::{ALIASES, CHANNEL_KEYS, KEYS, Key, Kind, RULE_KEYS};
use super::reader::allowed;
use super::symbol_keys::{CHILD_KEYS, SYMBOL_KEYS};
use serde_json::{Map, Value, json};

/// The JSON schema, for editors that check YAML while it is written.
pub fn schema() -> Value {
    let mut root = object(KEYS);
    for (old, new) in ALIASES {
        let pointer = |path: &str| format!("/properties/{}", path.replace('.', "/properties/"));
        let Some((section, name)) = old.split_once('.') else { continue };
        let Some(mut like) = root.pointer(&pointer(new)).cloned() else { continue };
        if let Some(map) = like.as_object_mut() {
            map.insert("deprecated".to_owned(), json!(true));
            map.remove("default");
        }
        if let Some(properties) = root.pointer_mut(&format!("{}/properties", pointer(section))).and_then(Value::as_object_mut) {
            properties.insert((*name).to_owned(), like);
        }
    }
    let mut symbol = object(SYMBOL_KEYS);
    let mut child = object(SYMBOL_KEYS);
    if let (Some(child), Some(own)) = (child.as_object_mut(), object(CHILD_KEYS).pointer("/properties").and_then(Value::as_object)) {
        child.remove("required");
        if let Some(properties) = child.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|name, _| !SYMBOLS_OWN.contains(&name.as_str()));
            properties.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    if let Some(combo) = symbol.pointer_mut("/properties/combo/properties").and_then(Value::as_object_mut) {
        combo.insert(
            "children".to_owned(),
            json!({ "type": "array", "minItems": 1, "maxItems": plimsoll_strategy::limits::CHILDREN_MAX, "description": "The strategies of a combo, those that come first before the others.", "items": child }),
        );
    }
    let symbols = json!({
        "type": "array",
        "minItems": 1,
        "maxItems": super::SYMBOLS_MAX,
        "description": "The contracts to trade.",
        "items": symbol,
    });
    if let Some(trading) = root.pointer_mut("/properties/trading/properties").and_then(Value::as_object_mut) {
        trading.insert("symbols".to_owned(), symbols);
    }
    let lists = [
        ("channels", CHANNEL_KEYS, plimsoll_notify::limits::CHANNELS_MAX, "Where alerts go; without any, to the log."),
        ("rules", RULE_KEYS, plimsoll_notify::limits::RULES_MAX, "Who is told what; the first that fits decides."),
    ];
    for (name, keys, max, doc) in lists {
        if let Some(alerts) = root.pointer_mut("/properties/alerts/properties").and_then(Value::as_object_mut) {
            let list = json!({ "type": "array", "maxItems": max, "description": doc, "items": object(keys) });
            alerts.insert(name.to_owned(), list);
        }
    }
    if let Some(map) = root.as_object_mut() {
        map.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        map.insert("title".to_owned(), json!("Plimsoll configuration"));
    }
    root
}

fn object(keys: &[Key]) -> Value {
    let mut root = json!({ "type": "object", "additionalProperties": false, "properties": {} });
    for key in keys {
        let (section, name) = key.path.split_once('.').map_or((None, key.path), |(s, n)| (Some(s), n));
        let target = match section {
            Some(section) => {
                let sections = root.pointer_mut("/properties").and_then(Value::as_object_mut);
                sections.and_then(|s| {
                    s.entry(section)
                        .or_insert_with(|| json!({ "type": "object", "additionalProperties": false, "properties": {} }))
                        .as_object_mut()
                })
            }
            None => root.as_object_mut(),
        };
        let Some(target) = target else { continue };
        if let Some(properties) = target.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert(name.to_owned(), property(key));
        }
        if key.default.is_none()
            && let Some(required) = target.entry("required").or_insert_with(|| json!([])).as_array_mut()
        {
            required.push(json!(name));
        }
    }
    root
}

fn property(key: &Key) -> Value {
    let mut map = Map::new();
    map.insert("description".to_owned(), json!(format!("{} Allowed: {}.", key.doc, allowed(key.kind))));
    if let Some(default) = key.default.filter(|d| !d.is_empty()) {
        map.insert("default".to_owned(), json!(default));
    }
    match key.kind {
        Kind::Choice(["true", "false"]) => {
            map.insert("type".to_owned(), json!(["boolean", "string"]));
        }
        Kind::Choice(words) => {
            map.insert("enum".to_owned(), json!(words));
        }
        Kind::Int { min, max } => {
            map.insert("type".to_owned(), json!("integer"));
            map.insert("minimum".to_owned(), json!(min));
            map.insert("maximum".to_owned(), json!(max));
        }
        Kind::Decimal { .. } => {
            map.insert("type".to_owned(), json!(["number", "string"]));
        }
        Kind::Words | Kind::Hosts => {
            map.insert("type".to_owned(), json!("array"));
            map.insert("items".to_owned(), json!({ "type": "string" }));
        }
        Kind::Megabytes { .. } => {
            map.insert("type".to_owned(), json!(["string", "integer"]));
        }
        Kind::Duration { .. } | Kind::Bytes { .. } | Kind::Text { .. } | Kind::Url(_) | Kind::Listen => {
            map.insert("type".to_owned(), json!("string"));
        }
    }
    Value::Object(map)
}
