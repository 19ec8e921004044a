//! A moving average over a Ring, orders in a Map, and what each does when it is full.
//!
//! `cargo run -p plimsoll-bounded --example bounded_containers`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use plimsoll_bounded::{Class, Full, Ledger, Line, List, Map, Ring, WhenFull};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ledger = Ledger::with_lines(64_000, 8);
    // A window: the oldest price goes.
    let mut prices = Ring::<f64>::new(ledger.grant(Line::of::<f64>("demo.prices", 5, WhenFull::DropOldest, Class::LatestWins))?);
    // Orders must never be lost: the third is given back.
    let mut orders = Map::<u64, &str>::new(ledger.grant(Map::<u64, &str>::line("demo.orders", 2, WhenFull::Refuse, Class::MustKeep))?);
    // Working space of a calculation, on the heap once.
    let mut sorted = List::<f64>::new(ledger.grant(Line::of::<f64>("demo.sorted", 5, WhenFull::Halt, Class::BestEffort))?);
    let ledger = ledger.seal()?;

    for turn in 0..12 {
        prices.roll(100.0 + f64::from(turn * 7 % 5));
    }
    prices.iter().try_for_each(|price| sorted.push(*price))?;
    sorted.as_mut_slice().sort_by(f64::total_cmp);
    let mean = prices.iter().sum::<f64>() / prices.len() as f64;
    println!("mean {mean:.2}, median {:.2} of the last {}", sorted.as_slice()[2], prices.len());

    for (id, side) in [(7, "buy"), (3, "sell"), (9, "buy")] {
        match orders.insert(id, side) {
            Ok(_) => println!("order {id} is working"),
            Err(Full((id, _))) => println!("order {id} is refused: {} of {} are working", orders.len(), orders.capacity()),
        }
    }
    orders.remove(&7);
    println!("in the order in which they came: {orders:?}");

    for line in ledger.lines() {
        println!(
            "{:<16} {:>3} of {:>3} now, {:>3} at most, {:>2} overflows ({})",
            line.name, line.len, line.capacity, line.high_water, line.overflows, line.policy
        );
    }
    Ok(())
}
