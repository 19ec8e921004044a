//! The ranges file of a sweep: what is searched, and how.

use crate::config::{Checked, Config, ConfigError, Mistake, Values, check_one, keys, parse_map, read, read_file};
use keys::{Key, Kind};
use plimsoll_sweep::limits::{FOLDS_MAX, PARAMETERS_MAX, POINTS_MAX, RESHUFFLES_MAX, TRIALS_MAX};
use plimsoll_sweep::{Method, Objective, Parameter, Space, WalkForward};
use serde_json::{Map, Value};
use std::path::Path;

const fn key(path: &'static str, kind: Kind, default: Option<&'static str>, doc: &'static str) -> Key {
    Key { path, kind, default, doc }
}

/// The keys of the file beside its list of parameters.
const KEYS: &[Key] = &[
    key("search", Kind::Choice(&["grid", "random", "tpe"]), Some("tpe"), "How points are chosen."),
    key("trials", Kind::Int { min: 1, max: TRIALS_MAX as i64 }, Some("200"), "Runs of each fold's search."),
    key("seed", Kind::Int { min: 0, max: i64::MAX }, Some("1"), "Seed of all that is drawn."),
    key("objective", Kind::Choice(&["return", "return_by_drawdown", "sharpe"]), Some("return_by_drawdown"), "What makes a run better."),
    key("walk_forward.folds", Kind::Int { min: 1, max: FOLDS_MAX as i64 }, Some("3"), "Parts that the best is tried on."),
    key("walk_forward.train_percent", Kind::Int { min: 10, max: 90 }, Some("50"), "Share of the data that the first search sees."),
    key("walk_forward.anchored", Kind::Choice(&["true", "false"]), Some("false"), "Whether every search begins at the beginning."),
    key("reshuffles", Kind::Int { min: 100, max: RESHUFFLES_MAX as i64 }, Some("1000"), "Orders of the round trips that are drawn."),
];

const NUMBER: Kind = Kind::Decimal { min: "-1000000000", max: "1000000000" };

/// The keys of each parameter.
const PARAMETER_KEYS: &[Key] = &[
    key("key", Kind::Text { max: 100 }, None, "The setting."),
    key("kind", Kind::Choice(&["int", "float", "log", "choice"]), None, "How its values lie to each other."),
    key("min", NUMBER, Some(""), "The first value."),
    key("max", NUMBER, Some(""), "The last one at most."),
    key("step", NUMBER, Some(""), "Their distance; of log the factor."),
    key("round", NUMBER, Some(""), "What each value of log is rounded to a multiple of."),
];

/// What `plimsoll sweep --help` says of the file.
pub const HELP: &str = "\
The ranges file (YAML):

  search: tpe                  # grid (all of it) | random | tpe (learns from what was found)
  trials: 200                  # runs of each fold, not of a grid; at most 10000
  seed: 1                      # the same seed, the same result
  objective: return_by_drawdown  # return | return_by_drawdown | sharpe
  walk_forward:
    folds: 3                   # each search's best is tried on the part of the data behind it; at most 24
    train_percent: 50          # of the data, for the first search; the folds share the rest
    anchored: false            # true: every search begins at the beginning
  reshuffles: 1000             # orders of the round trips for the Monte Carlo figures
  parameters:                  # at most 12, each with at most 1000 values
    - { key: \"trading.symbols[0].price_interval\", kind: float, min: 20, max: 120, step: 10 }
    - { key: \"trading.symbols[0].order_quantity\", kind: log, min: 100, max: 1600, step: 2, round: 1 }
    - { key: \"trading.symbols[0].buy_window_size\", kind: int, min: 5, max: 20, step: 5 }
    - { key: \"trading.symbols[0].grid.direction\", kind: choice, values: [long, short] }

Keys are those of the configuration: of the symbol that the tapes are of, trading.leverage, and risk_control.*.
A sweep that was cut short, however, goes on when the same command is given again, and comes to the same result.";

/// A ranges file, checked.
#[derive(Clone, Debug)]
pub struct Ranges {
    /// How points are chosen.
    pub method: Method,
    /// Runs of each fold.
    pub trials: usize,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// What makes a run better.
    pub objective: Objective,
    /// How history is divided.
    pub walk: WalkForward,
    /// Orders of the round trips.
    pub reshuffles: usize,
    /// The parameters.
    pub space: Space,
}

impl Ranges {
    /// Reads and checks a file for the symbol at a place of `trading.symbols`.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(path: &Path, config: &Config, place: usize) -> Result<Self, ConfigError> {
        Self::parse(&read_file(path)?, path, config, place)
    }

    fn parse(text: &str, path: &Path, config: &Config, place: usize) -> Result<Self, ConfigError> {
        let map = parse_map(text, path)?;
        let mut mistakes = Vec::new();
        let values = read(&map, KEYS, "", &["parameters"], &mut mistakes);
        let parameters = parameters(&map, config, place, &mut mistakes);
        if mistakes.is_empty() {
            match Space::new(parameters) {
                Ok(space) => return Ok(Self::of(&values, space)),
                Err(error) => mistakes.push(Mistake { key: "parameters".to_owned(), what: error.to_string() }),
            }
        }
        Err(ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }

    fn of(values: &Values, space: Space) -> Self {
        let word = |key: &str| match values.get(key) {
            Some(Checked::Text(word)) => word.as_str(),
            _ => "",
        };
        let number = |key: &str| match values.get(key) {
            Some(Checked::Int(n)) => n.unsigned_abs(),
            _ => 0,
        };
        let small = |key: &str| u8::try_from(number(key)).unwrap_or(u8::MAX);
        Self {
            method: match word("search") {
                "grid" => Method::Grid,
                "random" => Method::Random,
                _ => Method::Tpe,
            },
            trials: number("trials") as usize,
            seed: number("seed"),
            objective: match word("objective") {
                "return" => Objective::Return,
                "sharpe" => Objective::Sharpe,
                _ => Objective::ReturnByDrawdown,
            },
            walk: WalkForward {
                folds: small("walk_forward.folds"),
                train_percent: small("walk_forward.train_percent"),
                anchored: word("walk_forward.anchored") == "true",
            },
            reshuffles: number("reshuffles") as usize,
            space,
        }
    }
}

fn parameters(map: &Map<String, Value>, config: &Config, place: usize, mistakes: &mut Vec<Mistake>) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    let items = match map.get("parameters") {
        Some(Value::Array(items)) if (1..=PARAMETERS_MAX).contains(&items.len()) => items,
        _ => {
            let what = format!("must be a list of 1 to {PARAMETERS_MAX} parameters, each with key, kind and its values");
            mistakes.push(Mistake { key: "parameters".to_owned(), what });
            return parameters;
        }
    };
    for (at, item) in items.iter().enumerate() {
        let prefix = format!("parameters[{at}]");
        let Value::Object(map) = item else {
            mistakes.push(Mistake { key: prefix, what: "must be a mapping of keys".to_owned() });
            continue;
        };
        let before = mistakes.len();
        let values = read(map, PARAMETER_KEYS, &format!("{prefix}."), &["values"], mistakes);
        if mistakes.len() > before {
            continue;
        }
        match parameter(map, &values).and_then(|parameter| fits(parameter, config, place)) {
            Ok(parameter) => parameters.push(parameter),
            Err((key, what)) => mistakes.push(Mistake { key: format!("{prefix}.{key}"), what }),
        }
    }
    parameters
}

type Wrong = (&'static str, String);

fn parameter(map: &Map<String, Value>, values: &Values) -> Result<Parameter, Wrong> {
    let text = |key: &str| match values.get(key) {
        Some(Checked::Text(text)) => text.as_str(),
        _ => "",
    };
    let kind = text("kind");
    let number = |key: &'static str| match values.get(key) {
        Some(Checked::Units(units)) => Ok(*units),
        _ => Err((key, format!("is missing: kind {kind} needs min, max and step"))),
    };
    let none = |keys: &[&'static str]| {
        let too_much = keys.iter().find(|key| map.get(**key).is_some_and(|value| !value.is_null()));
        too_much.map_or(Ok(()), |key| Err((*key, format!("does not go with kind {kind}"))))
    };
    let key = text("key");
    let space = |error: plimsoll_sweep::SpaceError| ("key", format!("{key}: {error}"));
    const ONE: i128 = 100_000_000;
    let whole = |key: &'static str| {
        let units = number(key)?;
        i64::try_from(units / ONE).ok().filter(|_| units % ONE == 0).ok_or_else(|| (key, "must be a whole number for kind int".to_owned()))
    };
    match kind {
        "int" => {
            none(&["round", "values"])?;
            Parameter::int(key, whole("min")?, whole("max")?, whole("step")?).map_err(space)
        }
        "float" => {
            none(&["round", "values"])?;
            Parameter::float(key, number("min")?, number("max")?, number("step")?).map_err(space)
        }
        "log" => {
            none(&["values"])?;
            let min = number("min")?;
            // Without a rounding: a hundredth of the first value, so that neighbours stay apart.
            let round = number("round").unwrap_or_else(|_| (min / 100).max(1));
            Parameter::log(key, min, number("max")?, number("step")?, round).map_err(space)
        }
        _ => {
            none(&["min", "max", "step", "round"])?;
            let Some(Value::Array(items)) = map.get("values") else {
                return Err(("values", format!("must be a list of 1 to {POINTS_MAX} values")));
            };
            let word = |value: &Value| match value {
                Value::String(text) => Ok(text.clone()),
                Value::Number(number) => Ok(number.to_string()),
                Value::Bool(truth) => Ok(truth.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => Err(("values", format!("{value} is no value of a setting"))),
            };
            let words = items.iter().map(word).collect::<Result<Vec<String>, Wrong>>()?;
            Parameter::choice(key, words).map_err(space)
        }
    }
}

/// Whether a run can depend on it, and the configuration takes each of its values.
fn fits(parameter: Parameter, config: &Config, place: usize) -> Result<Parameter, Wrong> {
    let path = parameter.key();
    if let Some((at, name)) = path.strip_prefix("trading.symbols[").and_then(|rest| rest.split_once("]."))
        && (name == "symbol" || at.parse() != Ok(place))
    {
        let symbol = config.symbols.get(place).map_or_else(String::new, |s| s.symbol.to_string());
        return Err(("key", format!("{path} has no part in this: the tapes are of {symbol}, which is trading.symbols[{place}]")));
    }
    if !(path.starts_with("trading.symbols[") || path.starts_with("risk_control.") || path == "trading.leverage") {
        let what = format!("{path} has no part in a backtest; allowed: trading.symbols[{place}].…, trading.leverage, risk_control.…");
        return Err(("key", what));
    }
    for value in parameter.values() {
        check_one(path, &super::overrides::value_of(value)).map_err(|what| ("key", format!("{path}: {what}")))?;
    }
    Ok(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "exchange: local\ntrading:\n  symbols:\n    - { symbol: BTCUSDT, price_interval: 60, order_quantity: 200 }\n    - { symbol: ETHUSDT, price_interval: 2, order_quantity: 200 }\n";

    fn parse(yaml: &str) -> Result<Ranges, ConfigError> {
        let config = Config::parse(CONFIG, Path::new("c.yaml")).unwrap();
        Ranges::parse(yaml, Path::new("r.yaml"), &config, 0)
    }

    #[track_caller]
    fn told(yaml: &str) -> String {
        parse(yaml).unwrap_err().to_string()
    }

    #[test]
    fn the_example_of_the_help_is_right() {
        let yaml: Vec<&str> = HELP.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let ranges = parse(&yaml.join("\n")).unwrap();
        assert_eq!((ranges.method, ranges.trials, ranges.objective), (Method::Tpe, 200, Objective::ReturnByDrawdown));
        assert_eq!(ranges.walk, WalkForward { folds: 3, train_percent: 50, anchored: false });
        assert_eq!(ranges.space.size(), 11 * 5 * 4 * 2);
        assert_eq!(ranges.space.parameters()[1].values(), ["100", "200", "400", "800", "1600"]);
        // What it shows are the defaults.
        let list: Vec<&str> = yaml.iter().skip_while(|line| !line.starts_with("parameters")).copied().collect();
        let plain = parse(&list.join("\n")).unwrap();
        assert_eq!(format!("{plain:?}"), format!("{ranges:?}"));
    }

    /// The shipped file goes with the shipped configuration.
    #[test]
    fn the_shipped_ranges_are_right() {
        let config = Config::parse(include_str!("../../../../config/plimsoll.yaml"), Path::new("plimsoll.yaml")).unwrap();
        let ranges = Ranges::parse(include_str!("../../../../config/ranges.yaml"), Path::new("ranges.yaml"), &config, 0).unwrap();
        assert_eq!((ranges.method, ranges.trials, ranges.space.parameters().len()), (Method::Tpe, 200, 4));
    }

    #[test]
    fn mistakes_are_told_all_at_once_with_what_to_do() {
        let text = told(
            "search: bayes\ntrails: 9\nwalk_forward: { folds: 99 }\nparameters:\n  - { key: \"trading.symbols[0].price_interval\", kind: float, min: 9, max: 1 }\n  - { kind: int }\n",
        );
        for part in [
            "r.yaml has 5 mistakes",
            "search: \"bayes\" is not allowed; allowed: grid | random | tpe",
            "trails: is no known key; did you mean trials?",
            "walk_forward.folds: \"99\" is not allowed; allowed: a whole number, 1 to 24",
            "parameters[0].step: is missing: kind float needs min, max and step",
            "parameters[1].key: is missing",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        let one = |parameter: &str| told(&format!("parameters:\n  - {{ {parameter} }}\n"));
        for (parameter, part) in [
            (
                "key: \"trading.symbols[0].buy_window_size\", kind: int, min: 0, max: 9, step: 1",
                "\"0\" is not allowed; allowed: a whole number, 1 to 63",
            ),
            (
                "key: \"trading.symbols[0].buy_window_size\", kind: int, min: 1.5, max: 9, step: 1",
                "parameters[0].min: must be a whole number for kind int",
            ),
            ("key: \"trading.symbols[0].buy_windows\", kind: int, min: 1, max: 9, step: 1", "did you mean buy_window_size?"),
            (
                "key: \"trading.symbols[1].price_interval\", kind: int, min: 1, max: 9, step: 1",
                "the tapes are of BTCUSDT, which is trading.symbols[0]",
            ),
            ("key: web.listen, kind: choice, values: [a]", "has no part in a backtest"),
            ("key: trading.leverage, kind: int, min: 9, max: 1, step: 1", "min 9 is above max 1"),
            ("key: trading.leverage, kind: int, min: 1, max: 9, step: 0", "step 0 is not above zero"),
            ("key: trading.leverage, kind: choice, values: []", "values is empty"),
            ("key: trading.leverage, kind: choice, values: [1, 2], min: 3", "parameters[0].min: does not go with kind choice"),
            ("key: risk_control.max_exposure, kind: float, min: 1, max: 10000, step: 1", "more than 1000 values"),
            ("key: risk_control.max_exposure, kind: log, min: 1, max: 10000, step: 0.5", "a factor of at least 1.0001"),
        ] {
            let text = one(parameter);
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(told("trials: 5\n").contains("parameters: must be a list of 1 to 12 parameters"));
    }
}
