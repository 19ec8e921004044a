//! The result as one page of HTML that needs nothing else, and as JSON.

use crate::folds::Fold;
use crate::guards::{Deflated, Reshuffled};
use crate::limits::SHOWN_MAX;
use crate::look_ahead::Cut;
use crate::space::Space;
use crate::trial::{Outcome, Trial, frontier};
use plimsoll_backtest::report::{escape, fill};
use serde::Serialize;
use serde_json::{Value, json};

/// What is told of a sweep beside its results. Everything in it is the same however it was run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct About {
    /// The contract.
    pub symbol: String,
    /// What money is counted in.
    pub quote: String,
    /// First and last moment of the data, milliseconds since the epoch.
    pub span: (u64, u64),
    /// What makes a run better: its name as in the ranges file.
    pub objective: String,
    /// What was searched how: names and values, in the order they are shown.
    pub settings: Vec<(String, String)>, // tidy: bounded by its maker, lives as long as one page is made
    /// What the reader should know before believing it.
    pub notes: Vec<String>, // tidy: bounded by its maker, lives as long as one page is made
    /// Name of the file with the best settings, when there is one.
    pub ready: Option<String>,
}

/// What a fold came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FoldResult {
    /// Its parts.
    pub fold: Fold,
    /// Runs of its search.
    pub trials: usize,
    /// Of these, runs that were refused.
    pub refused: usize,
    /// Keys and values of the best; empty when there is none.
    pub settings: Vec<(String, String)>, // tidy: bounded by PARAMETERS_MAX
    /// What the best came to where it was found.
    pub found: Option<Outcome>,
    /// What it came to on the part behind.
    pub tried: Option<Outcome>,
}

/// The guards, of the last fold's best.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Guards {
    /// Deflated Sharpe ratio.
    pub deflated: Option<Deflated>,
    /// Look-ahead check.
    pub look_ahead: Vec<Cut>, // tidy: bounded by CUTS
    /// Other orders of the round trips, and of the periods' returns.
    pub reshuffled: Vec<Reshuffled>, // tidy: bounded by these two
}

/// The result of a sweep.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// What was searched.
    pub about: About,
    /// The parameters with their values.
    pub parameters: Space,
    /// What each fold came to.
    pub folds: Vec<FoldResult>, // tidy: bounded by FOLDS_MAX
    /// The guards.
    pub guards: Guards,
}

/// The page of a result; `trials` are those of the last fold.
///
/// # Errors
/// The result cannot be written as JSON.
pub fn page(report: &Report, trials: &[Trial]) -> Result<String, serde_json::Error> {
    let front = frontier(trials);
    let every = trials.len().div_ceil(SHOWN_MAX).max(1);
    let shown = |at: &usize| at.is_multiple_of(every) || front.contains(at);
    let rows: Vec<Value> = (0..trials.len())
        .filter(|at| trials.len() <= SHOWN_MAX || shown(at))
        .filter_map(|at| trials.get(at).map(|trial| row(at, trial, front.contains(&at))))
        .collect();
    let data = json!({ "report": report, "rows": rows, "every": every });
    // Nothing in it may end the script that it stands in.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    Ok(fill(TEMPLATE, &escape(&format!("{} sweep", report.about.symbol)), &data))
}

/// In order: number, places of the values, score, return, fall, Sharpe ratio, round trips, whether nothing beats it.
fn row(at: usize, trial: &Trial, front: bool) -> Value {
    let o = &trial.outcome;
    let short = |value: f64| (value * 1e4).round() / 1e4;
    let some = |value: Option<f64>| value.map(short);
    json!([
        at,
        trial.point.as_slice(),
        some(o.score),
        if o.refused.is_empty() { some(o.return_percent) } else { None },
        short(o.drawdown_percent),
        some(o.sharpe),
        o.round_trips,
        u8::from(front)
    ])
}

const TEMPLATE: &str = include_str!("page.html");
