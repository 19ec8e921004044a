//! What a bot must do that its predecessor did not: one test a defect, each a script on the real session, engine and account
//! against the local exchange, in made-up time. The numbers are those of the list that they come from; what is not here is
//! tested where it lives, or comes with its feature.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod network;
mod orders;
mod restart;

use plimsoll_market::{ClientId, Price, Qty, Side};
use plimsoll_position::invariants::{agree, books, slots_are_covered};
use plimsoll_swarm::script::Script;
use std::time::Duration;

/// Lets everything come to rest, and holds books and disk against the exchange, to the last digit.
#[track_caller]
fn settle(script: &mut Script) {
    script.pass(Duration::from_secs(20)).unwrap();
    let truth = script.truth().unwrap();
    assert_eq!(agree(&script.totals(), &truth), Ok(()), "\n{}", script.tail());
    if truth.fills > 0 {
        assert_eq!(agree(&script.stored().unwrap(), &truth), Ok(()));
    }
    let view = script.engine().unwrap().position().view(script.now());
    assert_eq!(books(&view), Ok(()));
    assert_eq!(slots_are_covered(&view), Ok(()));
    assert_eq!(script.known(), script.open(), "the books know what is open, and nothing else\n{}", script.tail());
}

/// A price in cents.
fn price(cents: i64) -> Price {
    Price::from_units(cents)
}

/// A quantity in thousandths.
fn qty(units: u64) -> Qty {
    Qty::from_units(units)
}

/// Levels and sides of our open orders, from the lowest price up: `B-1` buys at level −1.
fn working(script: &Script) -> Vec<String> {
    let leg =
        |text: &str| ClientId::parse(text).map(|id| format!("{}{:+}", if id.side() == Side::Buy { 'B' } else { 'S' }, id.leg().index()));
    script.open_rows().iter().filter_map(|row| leg(&row.client_id).ok()).collect()
}
