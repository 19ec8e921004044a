//! What is tried next.

use crate::limits::{LAG, LAG_LEARNING, REDRAWS, STARTUP, TRIALS_MAX};
use crate::space::{Kind, Point, Space};
use crate::trial::Trial;
use rand_pcg_010::Pcg64;
use rand_pcg_010::rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;
use std::collections::BTreeSet;
use tpe::TpeOptimizer;

/// How points are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Every combination, in order.
    Grid,
    /// Drawn evenly.
    Random,
    /// Learns from what was found: a Tree-structured Parzen Estimator for each parameter (Bergstra, Bardenet, Bengio and Kégl,
    /// *Algorithms for Hyper-Parameter Optimization*, 2011).
    Tpe,
}

impl Method {
    /// Runs that may be under way at the same time.
    pub const fn lag(self) -> usize {
        match self {
            Self::Grid | Self::Random => LAG,
            Self::Tpe => LAG_LEARNING,
        }
    }
}

/// Proposes points. The nth depends on the seed and on the results of all trials up to the one [`Method::lag`] before, on
/// nothing else.
pub(crate) struct Proposer<'a> {
    space: &'a Space,
    method: Method,
    seed: u64,
    /// What was proposed, by its rank.
    seen: BTreeSet<u128>, // tidy: bounded by TRIALS_MAX
    /// One for each parameter; they keep the trials that they were told, TRIALS_MAX at most.
    models: Vec<TpeOptimizer>, // tidy: bounded by PARAMETERS_MAX
    told: usize,
}

/// Draws of one proposal: a generator of its own, so that what was drawn before does not matter.
fn draws(seed: u64, n: u64) -> Pcg64 {
    let mut state = [0_u8; 32];
    let words = [seed, n, seed ^ 0x9e37_79b9_7f4a_7c15, n.wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1];
    for (bytes, word) in state.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let mut draws = Pcg64::from_seed(state);
    // Neighbouring seeds begin alike.
    for _ in 0..4 {
        draws.next_u64();
    }
    draws
}

/// A number below a limit; the unevenness of so few values in 64 bits is nothing.
pub(crate) fn below(draws: &mut Pcg64, limit: usize) -> usize {
    ((u128::from(draws.next_u64()) * limit as u128) >> 64) as usize
}

/// A generator for shuffles.
pub(crate) fn generator(seed: u64) -> Pcg64 {
    draws(seed, u64::MAX)
}

impl<'a> Proposer<'a> {
    pub(crate) fn new(space: &'a Space, method: Method, seed: u64) -> Self {
        let model = |(kind, count): (Kind, usize)| {
            let estimator = if kind == Kind::Choice { tpe::histogram_estimator() } else { tpe::parzen_estimator() };
            let range = if kind == Kind::Choice { tpe::categorical_range(count) } else { tpe::range(0.0, count as f64) };
            range.ok().map(|range| TpeOptimizer::new(estimator, range))
        };
        let models = match method {
            // Every parameter has a value, so that no range is empty.
            Method::Tpe => space.parameters().iter().filter_map(|p| model((p.kind(), p.values().len()))).collect(),
            Method::Grid | Method::Random => Vec::new(),
        };
        Self { space, method, seed, seen: BTreeSet::new(), models, told: 0 }
    }

    /// The nth point; `known` are the trials 0, 1, … whose results are there, at least all but the last [`Method::lag`] before it.
    ///
    /// Asked in order, once for each n below the number of combinations.
    pub(crate) fn propose(&mut self, n: usize, known: &[Trial]) -> Point {
        debug_assert!(n < TRIALS_MAX && self.seen.len() == n);
        let point = match self.method {
            Method::Grid => self.space.point(n as u128),
            Method::Random => self.fresh(n, |new, draws| new.uniform(draws)),
            Method::Tpe => {
                self.learn(known.get(..(n + 1).saturating_sub(LAG_LEARNING)).unwrap_or_default());
                if self.told < STARTUP { self.fresh(n, |new, draws| new.uniform(draws)) } else { self.fresh(n, Self::likely) }
            }
        };
        self.seen.insert(self.space.rank(&point));
        point
    }

    fn learn(&mut self, known: &[Trial]) {
        for trial in known.iter().skip(self.told) {
            // Smaller is better there; what was refused is worse than all.
            let value = -trial.outcome.score.filter(|score| score.is_finite()).unwrap_or(f64::MIN);
            for (model, at) in self.models.iter_mut().zip(&trial.point) {
                // The middle of its cell, and a value that is a number: it has nothing to refuse.
                let told = model.tell(f64::from(*at) + 0.5, value);
                debug_assert!(told.is_ok(), "{told:?}");
            }
        }
        self.told = self.told.max(known.len());
    }

    fn uniform(&mut self, draws: &mut Pcg64) -> Point {
        self.space.parameters().iter().map(|p| below(draws, p.values().len()) as u16).collect()
    }

    fn likely(&mut self, draws: &mut Pcg64) -> Point {
        let counts = self.space.parameters().iter().map(|p| p.values().len());
        let place = |(model, count): (&mut TpeOptimizer, usize)| {
            let at = model.ask(draws).map_or_else(|_| below(draws, count), |at| at.max(0.0) as usize);
            at.min(count - 1) as u16
        };
        self.models.iter_mut().zip(counts).map(place).collect()
    }

    /// A point that was not proposed yet: drawn, and after [`REDRAWS`] draws the next one of the last.
    fn fresh(&mut self, n: usize, mut draw: impl FnMut(&mut Self, &mut Pcg64) -> Point) -> Point {
        let mut draws = draws(self.seed, n as u64);
        let mut rank = 0;
        for _ in 0..REDRAWS {
            let point = draw(self, &mut draws);
            rank = self.space.rank(&point);
            if !self.seen.contains(&rank) {
                return point;
            }
        }
        let size = self.space.size();
        // Fewer were seen than there are, so that one of the next is new.
        while self.seen.contains(&rank) {
            rank = (rank + 1) % size;
        }
        self.space.point(rank)
    }
}
