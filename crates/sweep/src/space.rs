//! What is searched: parameters with the values they may take.

use crate::limits::{PARAMETERS_MAX, POINTS_MAX};
use arrayvec::ArrayVec;
use plimsoll_market::format_units;
use plimsoll_market::limits::MONEY_SCALE;
use serde::Serialize;
use thiserror::Error;

/// How the values of a parameter lie to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whole numbers, a step apart.
    Int,
    /// Decimal numbers, a step apart.
    Float,
    /// Decimal numbers, each a factor larger than the last.
    Log,
    /// Words without an order.
    Choice,
}

/// Why a parameter or a space cannot be searched.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SpaceError {
    /// The range is empty.
    #[error("min {min} is above max {max}")]
    Empty {
        /// Least.
        min: String,
        /// Most.
        max: String,
    },
    /// A step that leads nowhere.
    #[error("step {step} is not {must}")]
    Step {
        /// The step.
        step: String,
        /// What it must be.
        must: &'static str,
    },
    /// More values than a parameter may take.
    #[error("it has more than {POINTS_MAX} values; make step larger, or the range smaller")]
    TooManyValues,
    /// A choice of nothing.
    #[error("values is empty; give at least one")]
    NoValues,
    /// A value twice.
    #[error("values has {0:?} twice")]
    Twice(String),
    /// Nothing to search.
    #[error("there is no parameter")]
    NoParameters,
    /// Too many at once.
    #[error("{0} parameters are more than {PARAMETERS_MAX}")]
    TooManyParameters(usize),
    /// The same key twice.
    #[error("{0} is searched twice")]
    SameKey(String),
}

/// A setting by its key, and the values it may take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Parameter {
    key: String,
    kind: Kind,
    values: Vec<String>, // tidy: bounded by POINTS_MAX, checked when it is made
}

fn show(units: i128) -> String {
    let text = format_units(units, MONEY_SCALE).to_string();
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl Parameter {
    /// Whole numbers from `min` to at most `max`.
    ///
    /// # Errors
    /// What is wrong with the range.
    pub fn int(key: &str, min: i64, max: i64, step: i64) -> Result<Self, SpaceError> {
        if step <= 0 {
            return Err(SpaceError::Step { step: step.to_string(), must: "above zero" });
        }
        let (min, max, step) = (i128::from(min), i128::from(max), i128::from(step));
        Self::steps(key, Kind::Int, (min, max, step), |n| n.to_string())
    }

    /// Decimal numbers from `min` to at most `max`, all in units of 1e-8.
    ///
    /// # Errors
    /// What is wrong with the range.
    pub fn float(key: &str, min: i128, max: i128, step: i128) -> Result<Self, SpaceError> {
        if step <= 0 {
            return Err(SpaceError::Step { step: show(step), must: "above zero" });
        }
        Self::steps(key, Kind::Float, (min, max, step), show)
    }

    fn steps(key: &str, kind: Kind, (min, max, step): (i128, i128, i128), show: impl Fn(i128) -> String) -> Result<Self, SpaceError> {
        if min > max {
            return Err(SpaceError::Empty { min: show(min), max: show(max) });
        }
        let count = (max - min) / step + 1;
        if count > POINTS_MAX as i128 {
            return Err(SpaceError::TooManyValues);
        }
        let values = (0..count).map(|n| show(min + n * step)).collect();
        Ok(Self { key: key.to_owned(), kind, values })
    }

    /// Decimal numbers from `min`, each `factor` times the last, to at most `max`; each is rounded to a multiple of `round`, and
    /// none comes twice. All in units of 1e-8.
    ///
    /// # Errors
    /// What is wrong with the range.
    pub fn log(key: &str, min: i128, max: i128, factor: i128, round: i128) -> Result<Self, SpaceError> {
        const ONE: i128 = 100_000_000;
        // Below a ten-thousandth more it takes 92,000 steps to a factor of ten thousand.
        if factor < ONE + ONE / 10_000 {
            return Err(SpaceError::Step { step: show(factor), must: "a factor of at least 1.0001" });
        }
        if round <= 0 {
            return Err(SpaceError::Step { step: show(round), must: "above zero" });
        }
        if min <= 0 || min > max {
            return Err(SpaceError::Empty { min: show(min), max: show(max) });
        }
        let ratio = factor as f64 / ONE as f64;
        let mut values: Vec<String> = Vec::new();
        let mut at = min as f64;
        // The last one may miss the end by what a float loses.
        while at <= max as f64 * (1.0 + 1e-12) {
            let near = ((at / round as f64).round() as i128).max(1) * round;
            let text = show(near);
            if near <= max && values.last() != Some(&text) {
                if values.len() == POINTS_MAX {
                    return Err(SpaceError::TooManyValues);
                }
                values.push(text);
            }
            at *= ratio;
        }
        if values.is_empty() {
            return Err(SpaceError::Step { step: show(round), must: "a rounding that leaves a value in the range" });
        }
        Ok(Self { key: key.to_owned(), kind: Kind::Log, values })
    }

    /// These words.
    ///
    /// # Errors
    /// None, or one twice, or too many.
    pub fn choice(key: &str, values: Vec<String>) -> Result<Self, SpaceError> {
        if values.is_empty() {
            return Err(SpaceError::NoValues);
        }
        if values.len() > POINTS_MAX {
            return Err(SpaceError::TooManyValues);
        }
        if let Some((_, twice)) = values.iter().enumerate().find(|(at, value)| values.iter().take(*at).any(|other| other == *value)) {
            return Err(SpaceError::Twice(twice.clone()));
        }
        Ok(Self { key: key.to_owned(), kind: Kind::Choice, values })
    }

    /// The setting.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How its values lie to each other.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its values as text, in their order; at least one.
    pub fn values(&self) -> &[String] {
        &self.values
    }
}

/// One value of each parameter, by its place.
pub type Point = ArrayVec<u16, PARAMETERS_MAX>;

/// Everything that may be tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Space {
    parameters: Vec<Parameter>, // tidy: bounded by PARAMETERS_MAX, checked when it is made
}

impl Space {
    /// All combinations of these.
    ///
    /// # Errors
    /// None, too many, or one twice.
    pub fn new(parameters: Vec<Parameter>) -> Result<Self, SpaceError> {
        if parameters.is_empty() {
            return Err(SpaceError::NoParameters);
        }
        if parameters.len() > PARAMETERS_MAX {
            return Err(SpaceError::TooManyParameters(parameters.len()));
        }
        let same = parameters.iter().enumerate().find(|(at, p)| parameters.iter().take(*at).any(|other| other.key == p.key));
        if let Some((_, parameter)) = same {
            return Err(SpaceError::SameKey(parameter.key.clone()));
        }
        Ok(Self { parameters })
    }

    /// What is searched.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many combinations there are; at most 1,000 to the power of 12.
    pub fn size(&self) -> u128 {
        self.parameters.iter().map(|p| p.values.len() as u128).product()
    }

    /// The combination of a number below [`Space::size`]; the last parameter changes first.
    pub fn point(&self, rank: u128) -> Point {
        let mut left = rank;
        let mut point: Point = self
            .parameters
            .iter()
            .rev()
            .map(|p| {
                let count = p.values.len() as u128;
                let at = left % count;
                left /= count;
                at as u16
            })
            .collect();
        point.reverse();
        point
    }

    /// The number of a combination.
    pub fn rank(&self, point: &Point) -> u128 {
        self.parameters.iter().zip(point).fold(0, |rank, (p, at)| rank * p.values.len() as u128 + u128::from(*at))
    }

    /// Keys and values of a combination.
    pub fn settings<'a>(&'a self, point: &'a Point) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.parameters.iter().zip(point).map(|(p, at)| (p.key.as_str(), p.values.get(usize::from(*at)).map_or("", String::as_str)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    const ONE: i128 = 100_000_000;

    #[test]
    fn values_are_exact_and_end_at_the_end() {
        assert_eq!(Parameter::int("a", 3, 10, 3).unwrap().values(), ["3", "6", "9"]);
        assert_eq!(Parameter::int("a", -2, 2, 2).unwrap().values(), ["-2", "0", "2"]);
        let tenths = Parameter::float("a", ONE / 10, ONE / 2, ONE / 10).unwrap();
        assert_eq!(tenths.values(), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        let doubled = Parameter::log("a", 10 * ONE, 80 * ONE, 2 * ONE, ONE / 10).unwrap();
        assert_eq!(doubled.values(), ["10", "20", "40", "80"]);
        // Rounded to halves, and none twice: 1, 1.1 → 1, 1.21 → 1, 1.331 → 1.5, 1.46 → 1.5, 1.61 → 1.5, 1.77 → 2, 1.95 → 2.
        let close = Parameter::log("a", ONE, 2 * ONE, ONE + ONE / 10, ONE / 2).unwrap();
        assert_eq!(close.values(), ["1", "1.5", "2"]);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        assert_eq!(Parameter::int("a", 1, 0, 1), Err(SpaceError::Empty { min: "1".to_owned(), max: "0".to_owned() }));
        assert!(matches!(Parameter::int("a", 0, 9, 0), Err(SpaceError::Step { .. })));
        assert!(matches!(Parameter::float("a", 0, ONE, -1), Err(SpaceError::Step { .. })));
        assert!(matches!(Parameter::log("a", ONE, 2 * ONE, ONE, 1), Err(SpaceError::Step { .. })));
        assert!(Parameter::int("a", 1, 1_000, 1).is_ok());
        assert_eq!(Parameter::int("a", 1, 1_001, 1), Err(SpaceError::TooManyValues));
        assert_eq!(Parameter::log("a", ONE, 1_000_000 * ONE, ONE + ONE / 100, 1), Err(SpaceError::TooManyValues));
        assert_eq!(Parameter::choice("a", vec!["x".into(), "x".into()]), Err(SpaceError::Twice("x".to_owned())));
        let one = |key: &str| Parameter::int(key, 0, 9, 1).unwrap();
        assert_eq!(Space::new(vec![one("a"), one("a")]), Err(SpaceError::SameKey("a".to_owned())));
        let many = (0..13).map(|n| one(&n.to_string())).collect();
        assert_eq!(Space::new(many), Err(SpaceError::TooManyParameters(13)));
    }

    #[test]
    fn every_combination_has_its_number() {
        let parameters = [("a", 3), ("b", 2), ("c", 4)].map(|(key, count)| Parameter::int(key, 1, count, 1).unwrap());
        let space = Space::new(parameters.to_vec()).unwrap();
        assert_eq!(space.size(), 24);
        for rank in 0..24 {
            assert_eq!(space.rank(&space.point(rank)), rank);
        }
        let last: Vec<_> = space.settings(&space.point(23)).map(|(k, v)| format!("{k}{v}")).collect();
        assert_eq!(last, ["a3", "b2", "c4"]);
    }
}
