//! Makes a failing world smaller: fewer faults, fewer symbols, less time.

use crate::options::{Fault, Options, Several};
use core::time::Duration;
use plimsoll_position::invariants::Invariant;

/// Tries smaller worlds as long as `fails` finds the same breach, and returns the smallest; `step` is told each that was taken.
///
/// # Bounds
/// Each fault and figure is tried a few times; a hundred worlds at most.
pub fn shrink(options: &Options, fails: impl Fn(&Options) -> Option<Invariant>, mut step: impl FnMut(&Options)) -> Options {
    let mut smallest = options.clone();
    let Some(wanted) = fails(options) else { return smallest };
    let mut tries = 0;
    loop {
        let before = smallest.clone();
        for candidate in candidates(&smallest) {
            tries += 1;
            if tries > 100 {
                return smallest;
            }
            if fails(&candidate) == Some(wanted) {
                step(&candidate);
                smallest = candidate;
                break;
            }
        }
        if smallest == before {
            return smallest;
        }
    }
}

/// Smaller worlds, the most hopeful first.
fn candidates(options: &Options) -> Vec<Options> {
    let mut smaller: Vec<Options> = Vec::new();
    let faults: Vec<Fault> = options.faults().map(|(fault, _)| fault).collect();
    // Half of the faults at a time, then one by one.
    if faults.len() > 3 {
        let (first, second) = faults.split_at(faults.len() / 2);
        for half in [first, second] {
            smaller.push(half.iter().fold(options.clone(), |options, fault| options.with(*fault, 0)));
        }
    }
    smaller.extend(faults.iter().map(|fault| options.with(*fault, 0)));
    if options.trouble > Duration::from_secs(2) {
        smaller.push(Options { trouble: options.trouble / 2, ..options.clone() });
        smaller.push(Options { trouble: options.trouble * 3 / 4, ..options.clone() });
    }
    if options.stop_loss > 0 {
        smaller.push(Options { stop_loss: 0, ..options.clone() });
    }
    if options.countdown > Duration::ZERO {
        smaller.push(Options { countdown: Duration::ZERO, ..options.clone() });
    }
    if options.makers {
        smaller.push(Options { makers: false, ..options.clone() });
    }
    if options.several != Several::No {
        smaller.push(Options { several: Several::No, ..options.clone() });
    }
    if options.rich {
        smaller.push(Options { rich: false, ..options.clone() });
    }
    if options.layered {
        smaller.push(Options { layered: false, ..options.clone() });
    }
    if options.short {
        smaller.push(Options { short: false, ..options.clone() });
    }
    if options.burn_from > Duration::ZERO {
        smaller.push(Options { burn_from: Duration::ZERO, ..options.clone() });
    }
    if options.killed_at > Duration::ZERO {
        smaller.push(Options { killed_at: Duration::ZERO, ..options.clone() });
    }
    if options.left_open + options.foreign > 0 {
        smaller.push(Options { left_open: 0, foreign: 0, ..options.clone() });
    }
    if options.symbols > 1 {
        smaller.push(Options { symbols: 1, ..options.clone() });
    }
    smaller
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_goes() {
        let options = Options::draw(3, Duration::from_secs(64)).with(Fault::Reset, 7).with(Fault::Crash, 9);
        let fails =
            |options: &Options| (options.rate(Fault::Reset) > 0 && options.trouble >= Duration::from_secs(8)).then_some(Invariant::Heals);
        let small = shrink(&options, fails, |_| {});
        assert_eq!(small.faults().map(|(fault, _)| fault).collect::<Vec<_>>(), [Fault::Reset]);
        assert_eq!(small.symbols, 1);
        assert!(small.trouble < Duration::from_secs(12), "{:?}", small.trouble);
    }
}
