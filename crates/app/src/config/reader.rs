//! Checks a document against the table of keys; finds all mistakes, not only the first.

use super::keys::{ALIASES, Key, Kind};
use plimsoll_market::{Round, parse_units};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Something wrong in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// The key, with its sections.
    pub key: String,
    /// What is wrong, with the value and what is allowed.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// A checked value.
#[derive(Clone, PartialEq, Debug)]
pub enum Checked {
    /// A whole number or size.
    Int(i64),
    /// A decimal, units of 1e-8.
    Units(i128),
    /// A time.
    Duration(Duration),
    /// A word, text or address.
    Text(String),
    /// Names.
    List(Vec<String>), // tidy: bounded by HOSTS_MAX, lives as long as the start
    /// Not written, and without a default.
    Absent,
}

/// Checked values by key.
pub type Values = BTreeMap<&'static str, Checked>;

/// The most words of a list.
const WORDS_MAX: usize = 32;
/// The most host names.
const HOSTS_MAX: usize = 16;

/// Reads the values of `keys` from a mapping; `prefix` names where it lies. Unknown keys are mistakes.
pub fn read(map: &Map<String, Value>, keys: &'static [Key], prefix: &str, elsewhere: &[&str], mistakes: &mut Vec<Mistake>) -> Values {
    let mut values = Values::new();
    for key in keys {
        let old = ALIASES.iter().find(|(_, new)| *new == key.path).map(|(old, _)| *old);
        let found = match (find(map, key.path), old.and_then(|old| find(map, old))) {
            (Some(_), Some(_)) => {
                let old = old.unwrap_or_default();
                mistakes
                    .push(Mistake { key: format!("{prefix}{old}"), what: format!("is another name of {}; write one of them", key.path) });
                continue;
            }
            (new, other) => new.or(other),
        };
        let at = || format!("{prefix}{}", key.path);
        let checked = match (found, key.default) {
            (Some(value), _) => check(value, key.kind),
            (None, Some("")) => Ok(Checked::Absent),
            (None, Some(default)) => check(&Value::String(default.to_owned()), key.kind),
            (None, None) => Err(format!("is missing; allowed: {}", allowed(key.kind))),
        };
        match checked {
            Ok(checked) => {
                values.insert(key.path, checked);
            }
            Err(what) => mistakes.push(Mistake { key: at(), what }),
        }
    }
    unknown(map, keys, elsewhere, "", prefix, mistakes);
    values
}

pub(super) fn find<'v>(map: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let value = match path.split_once('.') {
        Some((section, rest)) => find(map.get(section)?.as_object()?, rest),
        None => map.get(path),
    };
    value.filter(|v| !v.is_null())
}

fn unknown(map: &Map<String, Value>, keys: &[Key], elsewhere: &[&str], section: &str, prefix: &str, mistakes: &mut Vec<Mistake>) {
    for (name, value) in map {
        let path = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        if elsewhere.contains(&path.as_str())
            || keys.iter().any(|k| k.path == path)
            || ALIASES.iter().any(|(old, new)| *old == path && keys.iter().any(|k| k.path == *new))
        {
            continue;
        }
        let inner = format!("{path}.");
        let is_section = keys.iter().any(|k| k.path.starts_with(&inner)) || elsewhere.iter().any(|p| p.starts_with(&inner));
        match value {
            Value::Object(map) if is_section => unknown(map, keys, elsewhere, &path, prefix, mistakes),
            Value::Null if is_section => {}
            _ if is_section => {
                mistakes.push(Mistake { key: format!("{prefix}{path}"), what: format!("{value} is no section; it must contain keys") })
            }
            _ => {
                let hint = nearest(&path, keys.iter().map(|k| k.path).chain(elsewhere.iter().copied()));
                let what = hint.map_or_else(|| "is no known key".to_owned(), |h| format!("is no known key; did you mean {h}?"));
                mistakes.push(Mistake { key: format!("{prefix}{path}"), what });
            }
        }
    }
}

/// The known key that differs least, when it is close.
pub(super) fn nearest<'k>(path: &str, keys: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    keys.map(|k| (distance(path, k), k)).min().filter(|(d, k)| *d <= k.len() / 3).map(|(_, k)| k)
}

/// Edit distance by Levenshtein.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(200).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let up = row[j + 1];
            row[j + 1] = (diagonal + usize::from(ca != *cb)).min(up + 1).min(row[j] + 1);
            diagonal = up;
        }
    }
    row[b.len()]
}

/// What a kind allows, for messages and documents.
pub fn allowed(kind: Kind) -> String {
    match kind {
        Kind::Choice(words) => words.join(" | "),
        Kind::Int { min, max } if max == i64::MAX => format!("a whole number from {min}"),
        Kind::Int { min, max } => format!("a whole number, {min} to {max}"),
        Kind::Decimal { min, max } => format!("a number, {min} to {max}"),
        Kind::Duration { min_ms, max_ms } => format!("a time, {} to {}", show_ms(min_ms), show_ms(max_ms)),
        Kind::Bytes { min, max } => format!("a size, {} to {}", show_bytes(min), show_bytes(max)),
        Kind::Megabytes { min, max } => format!("a size, {} to {}; a bare number is megabytes", show_bytes(min), show_bytes(max)),
        Kind::Text { max } => format!("a text of 1 to {max} characters"),
        Kind::Url(schemes) => format!("an address that begins with {}", schemes.join(" or ")),
        Kind::Listen => "an IP address and port, as 127.0.0.1:15173".to_owned(),
        Kind::Words => format!("a list of at most {WORDS_MAX} words"),
        Kind::Hosts => format!("a list of at most {HOSTS_MAX} host names"),
    }
}

fn show_ms(ms: u64) -> String {
    match ms {
        ms if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        ms if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

fn show_bytes(bytes: u64) -> String {
    match bytes {
        b if b.is_multiple_of(1 << 30) => format!("{}GB", b >> 30),
        b if b.is_multiple_of(1 << 20) => format!("{}MB", b >> 20),
        b => format!("{b}B"),
    }
}

pub(super) fn check(value: &Value, kind: Kind) -> Result<Checked, String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Array(_) if matches!(kind, Kind::Hosts | Kind::Words) => String::new(),
        Value::Array(_) | Value::Object(_) | Value::Null => return Err(format!("must be {}", allowed(kind))),
    };
    let refuse = || format!("{text:?} is not allowed; allowed: {}", allowed(kind));
    match kind {
        Kind::Choice(words) => words.contains(&text.as_str()).then_some(Checked::Text(text.clone())).ok_or_else(refuse),
        Kind::Int { min, max } => text.parse().ok().filter(|n| (min..=max).contains(n)).map(Checked::Int).ok_or_else(refuse),
        Kind::Decimal { min, max } => {
            let units = |t: &str| parse_units(t, 8, Round::Exact).ok();
            let range = units(min).zip(units(max)).ok_or_else(refuse)?;
            units(&text).filter(|u| (range.0..=range.1).contains(u)).map(Checked::Units).ok_or_else(refuse)
        }
        Kind::Duration { min_ms, max_ms } => duration_ms(&text)
            .filter(|ms| (min_ms..=max_ms).contains(ms))
            .map(|ms| Checked::Duration(Duration::from_millis(ms)))
            .ok_or_else(refuse),
        Kind::Bytes { min, max } | Kind::Megabytes { min, max } => {
            let bare = text.parse::<u64>().ok().filter(|_| matches!(kind, Kind::Megabytes { .. }));
            let bytes = bare.map_or_else(|| size_bytes(&text), |mb| mb.checked_mul(1 << 20));
            let bytes = bytes.filter(|b| (min..=max).contains(b)).ok_or_else(refuse)?;
            i64::try_from(bytes).map(Checked::Int).map_err(|_| refuse())
        }
        Kind::Text { max } => {
            let fits = !text.is_empty() && text.chars().count() <= max;
            fits.then_some(Checked::Text(text.clone())).ok_or_else(refuse)
        }
        // An address may carry a password: it is not repeated.
        Kind::Url(schemes) => schemes
            .iter()
            .any(|s| text.starts_with(s) && text.len() > s.len())
            .then_some(Checked::Text(text.clone()))
            .ok_or_else(|| format!("is not allowed; allowed: {}", allowed(kind))),
        Kind::Listen => text.parse::<SocketAddr>().map(|a| Checked::Text(a.to_string())).map_err(|_| refuse()),
        Kind::Words | Kind::Hosts => {
            let max = if matches!(kind, Kind::Words) { WORDS_MAX } else { HOSTS_MAX };
            let Value::Array(items) = value else { return Err(refuse()) };
            // Numbers of chats and people are words, too.
            let word = |value: &Value| value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|n| n.to_string()));
            let names: Option<Vec<String>> = items.iter().map(word).collect();
            names.filter(|n| n.len() <= max).map(Checked::List).ok_or_else(|| format!("must be {}", allowed(kind)))
        }
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text.get(..at)?.parse().ok()?;
    Some((number, text.get(at..)?.trim()))
}

pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let shift = match unit {
        "B" => 0,
        "KB" | "kB" | "KiB" => 10,
        "MB" | "MiB" => 20,
        "GB" | "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}
