//! Walk forward: what is found in one part of history is tried on the part behind it.

use crate::limits::FOLDS_MAX;
use crate::play::Window;
use core::time::Duration;
use plimsoll_market::Time;
use serde::Serialize;
use thiserror::Error;

/// How history is divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct WalkForward {
    /// How many parts are tried on, one after the other; 1 to 24.
    pub folds: u8,
    /// Percent of the whole that the first search sees, 10 to 90; the folds share the rest evenly.
    pub train_percent: u8,
    /// Whether every search begins at the beginning; else it begins as much later as its part is.
    pub anchored: bool,
}

/// One step: a search in the first part, and a trial of its best in the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Fold {
    /// What the search sees.
    pub train: Window,
    /// What the best is tried on.
    pub test: Window,
}

/// Why history cannot be divided so.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FoldError {
    /// Too many or none.
    #[error("folds must be 1 to {FOLDS_MAX}")]
    Folds,
    /// A share that leaves nothing.
    #[error("train_percent must be 10 to 90")]
    Share,
    /// Parts that are too short to say anything.
    #[error(
        "the data are {hours} hours long, so that each of {folds} folds tries its best on {minutes} minutes; use fewer folds or longer data: a part must have ten minutes"
    )]
    TooShort {
        /// Length of the data.
        hours: u64,
        /// Folds.
        folds: u8,
        /// Length of a part.
        minutes: u64,
    },
}

/// Shortest part.
const PART_MIN: Duration = Duration::from_secs(600);

impl WalkForward {
    /// The steps, in the order of time; `until` is the first moment after the data. Parts end at whole minutes.
    ///
    /// # Errors
    /// What is wrong with the division.
    pub fn divide(&self, from: Time, until: Time) -> Result<Vec<Fold>, FoldError> {
        if !(1..=FOLDS_MAX).contains(&usize::from(self.folds)) {
            return Err(FoldError::Folds);
        }
        if !(10..=90).contains(&self.train_percent) {
            return Err(FoldError::Share);
        }
        let length = until.since(from);
        let part = length * (100 - u32::from(self.train_percent)) / 100 / u32::from(self.folds);
        if part < PART_MIN {
            return Err(FoldError::TooShort { hours: length.as_secs() / 3_600, folds: self.folds, minutes: part.as_secs() / 60 });
        }
        let minute = 60_000_000_000;
        // The last part ends with the data, the others at whole minutes: candles begin there.
        let edge = |parts: u32| {
            let back = part * (u32::from(self.folds) - parts);
            Time::from_nanos((until.nanos() - back.as_nanos() as u64) / minute * minute)
        };
        let edge = |parts: u32| if parts == u32::from(self.folds) { until } else { edge(parts) };
        let begin = |n: u32| if self.anchored { from } else { from + part * n };
        let begin = |n: u32| if n == 0 { from } else { Time::from_nanos(begin(n).nanos() / minute * minute) };
        let fold = |n: u32| Fold { train: Window { from: begin(n), until: edge(n) }, test: Window { from: edge(n), until: edge(n + 1) } };
        Ok((0..u32::from(self.folds)).map(fold).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn hours(fold: &Fold) -> [u64; 4] {
        let zero = 1_704_067_200_000;
        [fold.train.from, fold.train.until, fold.test.from, fold.test.until].map(|t| (t.millis() - zero) / 3_600_000)
    }

    fn divide(folds: u8, train_percent: u8, anchored: bool, length_hours: u64) -> Result<Vec<Fold>, FoldError> {
        let from = Time::from_millis(1_704_067_200_000);
        WalkForward { folds, train_percent, anchored }.divide(from, from + Duration::from_secs(length_hours * 3_600))
    }

    #[test]
    fn parts_follow_each_other_and_nothing_is_seen_before_it_is_tried() {
        let rolling: Vec<_> = divide(3, 40, false, 100).unwrap().iter().map(hours).collect();
        assert_eq!(rolling, [[0, 40, 40, 60], [20, 60, 60, 80], [40, 80, 80, 100]]);
        let anchored: Vec<_> = divide(2, 60, true, 100).unwrap().iter().map(hours).collect();
        assert_eq!(anchored, [[0, 60, 60, 80], [0, 80, 80, 100]]);
        // Uneven lengths: parts meet, and the last one ends with the data.
        let from = Time::from_millis(1_704_067_234_567);
        let until = from + Duration::from_secs(7 * 86_400 + 11);
        let folds = WalkForward { folds: 7, train_percent: 33, anchored: false }.divide(from, until).unwrap();
        assert_eq!(folds.last().unwrap().test.until, until);
        for pair in folds.windows(2) {
            assert_eq!(pair[0].test.until, pair[1].test.from);
            assert_eq!(pair[0].test.from, pair[0].train.until);
            assert_eq!(pair[0].test.from.millis() % 60_000, 0);
        }
    }

    #[test]
    fn what_leaves_nothing_is_refused() {
        assert_eq!(divide(0, 50, false, 100), Err(FoldError::Folds));
        assert_eq!(divide(25, 50, false, 100), Err(FoldError::Folds));
        assert_eq!(divide(1, 91, false, 100), Err(FoldError::Share));
        assert_eq!(divide(4, 50, false, 1), Err(FoldError::TooShort { hours: 1, folds: 4, minutes: 7 }));
        assert!(divide(3, 50, false, 1).is_ok());
    }
}
