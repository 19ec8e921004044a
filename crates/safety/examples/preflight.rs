//! Looks at an account before trading and tells all that stands against it.
#![allow(clippy::print_stdout, reason = "an example")]

use plimsoll_market::Instrument;
use plimsoll_safety::preflight::{Facts, Limits, check};

fn main() {
    let btc = Instrument::example_btcusdt();
    let facts = Facts { instrument: &btc, hedge_mode: true, available: 50 * 100_000_000, leverage: 50, order_quote: 250 * 100_000_000 };
    for finding in check(&facts, &Limits { max_leverage: 20, layers_min: 20 }) {
        println!("{finding}");
    }
}
