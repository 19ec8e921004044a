//! What a run came to, and the file that it is written to.

use crate::limits::{PARAMETERS_MAX, REASON_MAX};
use crate::space::{Point, Space};
use plimsoll_backtest::Summary;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What makes a run better than another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The return in percent.
    Return,
    /// The return by the largest fall, which counts as a hundredth of a percent at least.
    ReturnByDrawdown,
    /// The annualised Sharpe ratio.
    Sharpe,
}

impl Objective {
    /// Its name as in a ranges file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::ReturnByDrawdown => "return_by_drawdown",
            Self::Sharpe => "sharpe",
        }
    }

    /// The score of a run; `None` of one that traded nothing or was liquidated.
    fn score(self, summary: &Summary) -> Option<f64> {
        if summary.fills == 0 || summary.liquidations > 0 {
            return None;
        }
        match self {
            Self::Return => summary.return_percent,
            Self::ReturnByDrawdown => summary.return_percent.map(|percent| percent / summary.drawdown_percent.max(0.01)),
            Self::Sharpe => summary.sharpe,
        }
    }
}

/// What a run came to: a row of the results. Figures are those of [`Summary`].
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Outcome {
    /// What it is compared by; more is better. `None`: it cannot be the best.
    pub score: Option<f64>,
    /// Return in percent.
    pub return_percent: Option<f64>,
    /// Largest fall in percent.
    pub drawdown_percent: f64,
    /// Annualised Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Sharpe ratio of one period.
    pub sharpe_of_period: Option<f64>,
    /// How many periods.
    pub periods: u64,
    /// Skewness of their returns.
    pub skewness: Option<f64>,
    /// Kurtosis of their returns.
    pub kurtosis: Option<f64>,
    /// Round trips.
    pub round_trips: u64,
    /// Executions.
    pub fills: u64,
    /// Round trips that won, in percent.
    pub win_rate_percent: Option<f64>,
    /// Profit factor.
    pub profit_factor: Option<f64>,
    /// Fees.
    pub fees: f64,
    /// Funding.
    pub funding: f64,
    /// Mean exposure in percent.
    pub exposure_percent: Option<f64>,
    /// Liquidations.
    pub liquidations: u32,
    /// Why there was no run; else empty.
    pub refused: String,
}

impl Outcome {
    /// A run's row.
    pub fn of(summary: &Summary, objective: Objective) -> Self {
        Self {
            score: objective.score(summary),
            return_percent: summary.return_percent,
            drawdown_percent: summary.drawdown_percent,
            sharpe: summary.sharpe,
            sharpe_of_period: summary.sharpe_of_period(),
            periods: summary.periods,
            skewness: summary.skewness,
            kurtosis: summary.kurtosis,
            round_trips: summary.round_trips,
            fills: summary.fills,
            win_rate_percent: summary.win_rate_percent,
            profit_factor: summary.profit_factor,
            fees: summary.fees,
            funding: summary.funding,
            exposure_percent: summary.exposure_percent,
            liquidations: summary.liquidations,
            refused: String::new(),
        }
    }

    /// The row of settings that cannot be run.
    pub fn refused(why: &str) -> Self {
        let one_line = why.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { refused: one_line.chars().take(REASON_MAX).collect(), ..Self::default() }
    }
}

/// A point that was tried.
#[derive(Clone, PartialEq, Debug)]
pub struct Trial {
    /// What was tried.
    pub point: Point,
    /// What it came to.
    pub outcome: Outcome,
}

/// The trials that nothing beats: no other has at least their return with a smaller fall, or more return with at most theirs.
/// By rising fall; of equals the first.
pub fn frontier(trials: &[Trial]) -> Vec<usize> {
    let known = |at: &usize| trials.get(*at).filter(|t| t.outcome.score.is_some()).and_then(|t| t.outcome.return_percent);
    let fall = |at: usize| trials.get(at).map_or(0.0, |t| t.outcome.drawdown_percent);
    let mut order: Vec<usize> = (0..trials.len()).filter(|at| known(at).is_some()).collect();
    order.sort_by(|a, b| fall(*a).total_cmp(&fall(*b)).then(known(b).unwrap_or(0.0).total_cmp(&known(a).unwrap_or(0.0))).then(a.cmp(b)));
    let mut best = f64::NEG_INFINITY;
    order.retain(|at| {
        let percent = known(at).unwrap_or(f64::NEG_INFINITY);
        let better = percent > best;
        best = best.max(percent);
        better
    });
    order
}

/// Why the results cannot be written or gone on with.
#[derive(Debug, Error)]
pub enum TrialFileError {
    /// The file system says no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A row is not what this sweep would have written there.
    #[error("{path}, line {line}: {what}; it is not of this sweep, or was changed: give another --out, or --fresh to begin anew")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its line, counted from one.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

/// The results as a CSV file that only grows; rows are in the order of folds and trials.
///
/// A row counts when its line has ended: what a killed process left half written is cut off by the next one.
///
/// # Bounds
/// One row is in memory; the file has at most [`crate::limits::TRIALS_MAX`] rows for each of [`crate::limits::FOLDS_MAX`] folds.
pub struct TrialFile {
    path: PathBuf,
    file: File,
    /// Rows of an earlier start that nobody has asked for yet.
    rows: Option<csv::Reader<BufReader<File>>>,
    /// The row that is next.
    ahead: Option<csv::StringRecord>,
    line: u64,
    keys: usize,
}

const FIGURES: [&str; 17] = [
    "score",
    "return_percent",
    "drawdown_percent",
    "sharpe",
    "sharpe_of_period",
    "periods",
    "skewness",
    "kurtosis",
    "round_trips",
    "fills",
    "win_rate_percent",
    "profit_factor",
    "fees",
    "funding",
    "exposure_percent",
    "liquidations",
    "refused",
];
/// Largest row: keys' values, figures of at most 25 characters, and a reason.
const ROW_BYTES: usize = 64 * PARAMETERS_MAX + 25 * FIGURES.len() + 4 * REASON_MAX;

impl TrialFile {
    /// Opens the results of a sweep, or begins them.
    ///
    /// # Errors
    /// The disk says no, or the file is of other parameters.
    pub fn open(path: &Path, space: &Space) -> Result<Self, TrialFileError> {
        let io = |source| TrialFileError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        cut_torn_row(&mut file).map_err(io)?;
        let mut head: Vec<&str> = vec!["fold", "trial"];
        head.extend(space.parameters().iter().map(crate::space::Parameter::key));
        head.extend(FIGURES);
        let keys = space.parameters().len();
        let mut new = Self { path: path.to_owned(), file, rows: None, ahead: None, line: 1, keys };
        if new.file.metadata().map_err(io)?.len() == 0 {
            new.write(&head)?;
            return Ok(new);
        }
        let again = File::open(path).map_err(io)?;
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::new(again));
        let mut first = csv::StringRecord::new();
        if !rows.read_record(&mut first).map_err(|error| new.foreign(error.to_string()))? || first != head {
            return Err(new.foreign("it has other columns".to_owned()));
        }
        new.rows = Some(rows);
        new.look()?;
        Ok(new)
    }

    fn foreign(&self, what: String) -> TrialFileError {
        TrialFileError::Foreign { path: self.path.clone(), line: self.line, what }
    }

    fn look(&mut self) -> Result<(), TrialFileError> {
        self.line += 1;
        let mut row = csv::StringRecord::new();
        let read = match &mut self.rows {
            Some(rows) => rows.read_record(&mut row).map_err(|error| error.to_string()),
            None => Ok(false),
        };
        self.ahead = read.map_err(|what| self.foreign(what))?.then_some(row);
        Ok(())
    }

    /// Whether rows of an earlier start are still to be taken.
    pub const fn has_more(&self) -> bool {
        self.ahead.is_some()
    }

    /// The row of a trial from an earlier start; `None` when that one had not come so far.
    ///
    /// # Errors
    /// The next row is of something else.
    pub(crate) fn take(&mut self, fold: usize, n: usize, point: &Point, space: &Space) -> Result<Option<Outcome>, TrialFileError> {
        let Some(row) = self.ahead.take() else { return Ok(None) };
        let mut expected = vec![fold.to_string(), n.to_string()];
        expected.extend(space.settings(point).map(|(_, value)| value.to_owned()));
        if row.iter().take(2 + self.keys).ne(expected.iter().map(String::as_str)) {
            return Err(self.foreign(format!("it is not fold {fold}, trial {n} with {}", expected.get(2..).unwrap_or_default().join(", "))));
        }
        let outcome = parse(&row, 2 + self.keys).ok_or_else(|| self.foreign("a figure cannot be read".to_owned()))?;
        self.look()?;
        Ok(Some(outcome))
    }

    /// Appends a trial.
    ///
    /// # Errors
    /// The disk says no.
    pub(crate) fn push(&mut self, fold: usize, n: usize, trial: &Trial, space: &Space) -> Result<(), TrialFileError> {
        let number = |value: Option<f64>| value.filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string());
        let o = &trial.outcome;
        let mut row = vec![fold.to_string(), n.to_string()];
        row.extend(space.settings(&trial.point).map(|(_, value)| value.to_owned()));
        row.extend([
            number(o.score),
            number(o.return_percent),
            number(Some(o.drawdown_percent)),
            number(o.sharpe),
            number(o.sharpe_of_period),
            o.periods.to_string(),
            number(o.skewness),
            number(o.kurtosis),
            o.round_trips.to_string(),
            o.fills.to_string(),
            number(o.win_rate_percent),
            number(o.profit_factor),
            number(Some(o.fees)),
            number(Some(o.funding)),
            number(o.exposure_percent),
            o.liquidations.to_string(),
            o.refused.clone(),
        ]);
        let row: Vec<&str> = row.iter().map(String::as_str).collect();
        self.write(&row)
    }

    /// Writes a line in one call: a process that is killed leaves it whole, or torn at its end.
    fn write(&mut self, row: &[&str]) -> Result<(), TrialFileError> {
        let io = |source| TrialFileError::Io { path: self.path.clone(), source };
        let mut line = csv::Writer::from_writer(Vec::with_capacity(ROW_BYTES));
        line.write_record(row).map_err(|error| io(std::io::Error::other(error)))?;
        let line = line.into_inner().map_err(|error| io(std::io::Error::other(error.to_string())))?;
        self.file.write_all(&line).map_err(io)
    }
}

/// Cuts off what follows the last end of a line.
fn cut_torn_row(file: &mut File) -> std::io::Result<()> {
    let mut end = file.metadata()?.len();
    let mut part = [0_u8; 4_096];
    while end > 0 {
        let len = end.min(part.len() as u64);
        file.seek(SeekFrom::Start(end - len))?;
        let bytes = part.get_mut(..len as usize).unwrap_or_default();
        file.read_exact(bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return file.set_len(end - len + at as u64 + 1);
        }
        end -= len;
    }
    file.set_len(0)
}

fn parse(row: &csv::StringRecord, from: usize) -> Option<Outcome> {
    let text = |at: usize| row.get(from + at);
    let number = |at: usize| match text(at)? {
        "" => Some(None),
        some => some.parse::<f64>().ok().map(Some),
    };
    let count = |at: usize| text(at)?.parse::<u64>().ok();
    Some(Outcome {
        score: number(0)?,
        return_percent: number(1)?,
        drawdown_percent: number(2)??,
        sharpe: number(3)?,
        sharpe_of_period: number(4)?,
        periods: count(5)?,
        skewness: number(6)?,
        kurtosis: number(7)?,
        round_trips: count(8)?,
        fills: count(9)?,
        win_rate_percent: number(10)?,
        profit_factor: number(11)?,
        fees: number(12)??,
        funding: number(13)??,
        exposure_percent: number(14)?,
        liquidations: u32::try_from(count(15)?).ok()?,
        refused: text(16)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;
    use crate::space::Parameter;

    fn space() -> Space {
        Space::new(vec![Parameter::int("a", 0, 9, 1).unwrap(), Parameter::choice("b", vec!["x".into(), "y, z".into()]).unwrap()]).unwrap()
    }

    fn trial(rank: u128) -> Trial {
        let third = 1.0 / (rank as f64 + 3.0);
        let outcome =
            Outcome { score: Some(third), drawdown_percent: third * 7.0, periods: 9, kurtosis: Some(3e-17), ..Outcome::default() };
        Trial { point: space().point(rank), outcome }
    }

    #[test]
    fn a_row_comes_back_to_the_last_bit_and_a_torn_one_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trials.csv");
        let space = space();
        let mut file = TrialFile::open(&path, &space).unwrap();
        assert!(!file.has_more());
        let refused = Trial { outcome: Outcome::refused("not\nallowed, \"really\""), ..trial(1) };
        for (n, t) in [trial(0), refused.clone(), trial(2)].iter().enumerate() {
            file.push(0, n, t, &space).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        // Wherever the process ended, the file goes on to be the same.
        let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        for len in 0..=whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            let mut file = TrialFile::open(&path, &space).unwrap();
            let mut there = 0;
            for (n, t) in [trial(0), refused.clone(), trial(2)].iter().enumerate() {
                match file.take(0, n, &t.point, &space).unwrap() {
                    Some(outcome) => {
                        assert_eq!(outcome, t.outcome);
                        there += 1;
                    }
                    None => file.push(0, n, t, &space).unwrap(),
                }
            }
            assert_eq!(there, ends.iter().filter(|end| **end <= len).count().saturating_sub(1), "{len}");
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{len}");
        }
    }

    #[test]
    fn rows_of_another_sweep_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trials.csv");
        TrialFile::open(&path, &space()).unwrap().push(0, 0, &trial(3), &space()).unwrap();
        let mut file = TrialFile::open(&path, &space()).unwrap();
        let error = file.take(0, 0, &space().point(4), &space()).unwrap_err().to_string();
        assert!(error.contains("trials.csv, line 2: it is not fold 0, trial 0 with 2, x"), "{error}");
        let other = Space::new(vec![Parameter::int("c", 0, 9, 1).unwrap()]).unwrap();
        assert!(matches!(TrialFile::open(&path, &other), Err(TrialFileError::Foreign { line: 1, .. })));
    }

    #[test]
    fn the_frontier_is_what_nothing_beats() {
        let of = |percent: f64, fall: f64| Trial {
            outcome: Outcome { score: Some(0.0), return_percent: Some(percent), drawdown_percent: fall, ..Outcome::default() },
            ..trial(0)
        };
        let mut trials = vec![of(5.0, 3.0), of(4.0, 1.0), of(4.0, 2.0), of(9.0, 8.0), of(9.0, 8.0), of(-1.0, 0.5), of(8.0, 9.0)];
        assert_eq!(frontier(&trials), [5, 1, 0, 3]);
        // What cannot be the best is not on it.
        trials[3].outcome.score = None;
        assert_eq!(frontier(&trials), [5, 1, 0, 4]);
    }
}
