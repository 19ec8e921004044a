//! The search itself: threads that take points and bring results, whose order never shows.

use crate::limits::{LAG, TRIALS_MAX, WORKERS_MAX};
use crate::propose::{Method, Proposer};
use crate::space::{Point, Space};
use crate::trial::{Outcome, Trial, TrialFile, TrialFileError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// What is searched how.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The parameters.
    pub space: &'a Space,
    /// How points are chosen.
    pub method: Method,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// How many are tried at most; a grid tries all, and nothing is tried twice.
    pub trials: usize,
    /// Threads, 1 to [`WORKERS_MAX`].
    pub workers: usize,
}

/// Why a search cannot be begun or ended.
#[derive(Debug, Error)]
pub enum SearchError<E> {
    /// A grid that is too large.
    #[error("the grid has {0} points, more than {TRIALS_MAX}; make steps larger, or use search: random or tpe with a number of trials")]
    TooLarge(u128),
    /// No thread, or too many.
    #[error("{0} threads are not 1 to {WORKERS_MAX}")]
    Workers(usize),
    /// The results cannot be kept.
    #[error(transparent)]
    File(#[from] TrialFileError),
    /// A run broke off, and any other would.
    #[error("{0}")]
    Run(E),
}

impl Search<'_> {
    /// How many points will be tried.
    ///
    /// # Errors
    /// The grid is too large.
    pub fn count(&self) -> Result<usize, u128> {
        let size = self.space.size();
        match self.method {
            Method::Grid if size > TRIALS_MAX as u128 => Err(size),
            Method::Grid => Ok(size as usize),
            Method::Random | Method::Tpe => Ok((self.trials.clamp(1, TRIALS_MAX) as u128).min(size) as usize),
        }
    }
}

/// What the threads share.
struct Board<'a, E> {
    proposer: Proposer<'a>,
    /// The next point to be taken.
    next: usize,
    /// Trials in their order, without a hole.
    trials: Vec<Trial>, // tidy: bounded by TRIALS_MAX
    /// Results that came before those of earlier points.
    early: [Option<Trial>; LAG],
    failed: Option<SearchError<E>>,
}

/// Notes that a thread panicked, so that the others do not wait for what it had taken.
struct Leaving<'a, 'b, E>(&'a Mutex<Board<'b, E>>, &'a Condvar, &'a Mutex<bool>);

impl<E> Drop for Leaving<'_, '_, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *lock(self.2) = true;
            drop(lock(self.0));
            self.1.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Searches one fold and returns its trials in their order. What an earlier start has in the file is not run again.
///
/// Whatever the number of threads, and wherever an earlier start ended, trials and file are the same.
///
/// # Errors
/// The search cannot be made, the file is of another one, or a run broke off for a reason that is not its settings'.
///
/// # Bounds
/// [`TRIALS_MAX`] trials, and a run for each thread.
pub fn search<E: Send>(
    search: &Search<'_>,
    fold: usize,
    file: &mut TrialFile,
    run: &(dyn Fn(&Point) -> Result<Outcome, E> + Sync),
    done: &(dyn Fn(usize, &Trial) + Sync),
) -> Result<Vec<Trial>, SearchError<E>> {
    if !(1..=WORKERS_MAX).contains(&search.workers) {
        return Err(SearchError::Workers(search.workers));
    }
    let count = search.count().map_err(SearchError::TooLarge)?;
    let (space, lag) = (search.space, search.method.lag());
    // A seed of its own for each fold, or all would draw the same points.
    let seed = search.seed ^ (fold as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut proposer = Proposer::new(space, search.method, seed);
    let mut trials: Vec<Trial> = Vec::with_capacity(count);
    while trials.len() < count && file.has_more() {
        let n = trials.len();
        let point = proposer.propose(n, &trials);
        let Some(outcome) = file.take(fold, n, &point, space)? else { break };
        let trial = Trial { point, outcome };
        done(n, &trial);
        trials.push(trial);
    }
    let board = Mutex::new(Board { proposer, next: trials.len(), trials, early: [const { None }; LAG], failed: None });
    let file = Mutex::new(file);
    let (turn, panicked) = (Condvar::new(), Mutex::new(false));
    std::thread::scope(|scope| {
        for _ in 0..search.workers.min(count) {
            scope.spawn(|| {
                let _leaving = Leaving(&board, &turn, &panicked);
                while let Some((n, point)) = take(&board, &turn, &panicked, count, lag) {
                    let result = run(&point);
                    let mut board = lock(&board);
                    match result {
                        Ok(outcome) => {
                            let at = n % LAG;
                            if let Some(place) = board.early.get_mut(at) {
                                *place = Some(Trial { point, outcome });
                            }
                            settle(&mut board, &mut lock(&file), fold, space, done);
                        }
                        Err(error) => {
                            board.failed.get_or_insert(SearchError::Run(error));
                        }
                    }
                    drop(board);
                    turn.notify_all();
                }
            });
        }
    });
    let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    match board.failed {
        Some(error) => Err(error),
        None => Ok(board.trials),
    }
}

/// The next point, as soon as enough is known to propose it; `None` when there is nothing more to do.
fn take<E>(board: &Mutex<Board<'_, E>>, turn: &Condvar, panicked: &Mutex<bool>, count: usize, lag: usize) -> Option<(usize, Point)> {
    let mut board = lock(board);
    while board.failed.is_none() && !*lock(panicked) && board.next < count && board.next - board.trials.len() >= lag {
        board = turn.wait(board).unwrap_or_else(PoisonError::into_inner);
    }
    if board.failed.is_some() || *lock(panicked) || board.next >= count {
        return None;
    }
    let Board { proposer, trials, next, .. } = &mut *board;
    let n = *next;
    *next += 1;
    Some((n, proposer.propose(n, trials)))
}

/// Puts what has come in order as far as there is no hole, and writes it down.
fn settle<E>(board: &mut Board<'_, E>, file: &mut TrialFile, fold: usize, space: &Space, done: &(dyn Fn(usize, &Trial) + Sync)) {
    // bounded: by the results that came early.
    loop {
        let n = board.trials.len();
        let Some(trial) = board.early.get_mut(n % LAG).and_then(Option::take) else { return };
        if let Err(error) = file.push(fold, n, &trial, space) {
            board.failed.get_or_insert(SearchError::File(error));
            return;
        }
        done(n, &trial);
        board.trials.push(trial);
    }
}

/// The best of trials: the highest score, of equals the first.
pub fn best(trials: &[Trial]) -> Option<&Trial> {
    let mut best: Option<(f64, &Trial)> = None;
    for trial in trials {
        if let Some(score) = trial.outcome.score.filter(|score| score.is_finite())
            && best.is_none_or(|(most, _)| score > most)
        {
            best = Some((score, trial));
        }
    }
    best.map(|(_, trial)| trial)
}

#[cfg(test)]
mod tests;
