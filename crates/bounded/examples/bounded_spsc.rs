//! From one thread to another without a lock: a thread that must not wait drops, and it is counted.
//!
//! `cargo run -p plimsoll-bounded --features spsc --example bounded_spsc`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use plimsoll_bounded::{Class, Ledger, Producer, WhenFull, spsc};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const TICKS: u64 = 1_000_000;
    let ledger = Ledger::with_lines(64_000, 4);
    let line = Producer::<u64>::line("demo.ticks", 1024, WhenFull::DropNewest, Class::BestEffort);
    let (mut producer, mut consumer) = spsc::<u64>(ledger.grant(line)?);
    let gauge = producer.gauge();
    let received = std::thread::scope(|scope| {
        scope.spawn(move || (0..TICKS).for_each(|tick| producer.push(tick).unwrap_or_default()));
        let mut received = 0;
        loop {
            let over = consumer.is_closed();
            match consumer.pop() {
                Some(_) => received += 1,
                None if over => break received,
                None => std::thread::yield_now(),
            }
        }
    });
    println!("{received} received and {} dropped of {TICKS}; {} at most waited", gauge.overflows(), gauge.high_water());
    Ok(())
}
