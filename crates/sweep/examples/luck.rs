//! The best of many strategies that can do nothing: how good it looks, and what the deflated Sharpe ratio says of it.
//!
//! `cargo run -p plimsoll-sweep --example luck`
#![allow(clippy::print_stdout, reason = "an example shows something")]

use plimsoll_sweep::guards::{deflated, variance};

/// Days of each strategy.
const DAYS: u64 = 365;

fn main() {
    let mut state = 42_u64;
    // A throw of a coin each day: no skill at all.
    let mut coin = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 0 { 0.01 } else { -0.01 }
    };
    println!("strategies  best Sharpe ratio a year  expected by luck  probability that it is better");
    for strategies in [1_u64, 10, 100, 1_000] {
        let ratios: Vec<f64> = (0..strategies)
            .map(|_| {
                let returns: Vec<f64> = (0..DAYS).map(|_| coin()).collect();
                let mean = returns.iter().sum::<f64>() / DAYS as f64;
                mean / variance(returns.into_iter()).sqrt()
            })
            .collect();
        let best = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // The returns of a coin have neither skew nor tails: skewness 0, kurtosis 1.
        if let Some(found) = deflated(best, DAYS, 0.0, 1.0, strategies, variance(ratios.into_iter())) {
            let a_year = (DAYS as f64).sqrt();
            println!("{strategies:>10}  {:>24.2}  {:>16.2}  {:>27.1} %", best * a_year, found.by_luck * a_year, found.probability * 100.0);
        }
    }
}
