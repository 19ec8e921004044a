//! A quick producer and a slow consumer, by each way of being full.
//!
//! `cargo run -p plimsoll-bounded --features tokio --example bounded_channel`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use plimsoll_bounded::{Class, Ledger, Line, Open, WhenFull, channel, lossy};

const ITEMS: u32 = 20;
const ROOM: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ledger = Ledger::with_lines(64_000, 8);
    for policy in [WhenFull::Wait, WhenFull::Refuse, WhenFull::DropNewest] {
        by_channel(&ledger, policy).await?;
    }
    // Only the latest matter, and the receiver is told what it has missed.
    let (sender, mut receiver) =
        lossy::<u32>(ledger.grant(Line::of::<u32>("demo.lossy", ROOM, WhenFull::DropOldest, Class::LatestWins))?);
    for item in 0..ITEMS {
        sender.send(item)?;
    }
    drop(sender);
    while let Some(received) = receiver.recv().await {
        println!("lossy: {} after {} that were missed", received.item, received.missed);
    }
    Ok(())
}

async fn by_channel(ledger: &Ledger<Open>, policy: WhenFull) -> Result<(), Box<dyn std::error::Error>> {
    let name = format!("demo.channel/{policy}");
    let (sender, mut receiver) = channel::<u32>(ledger.grant(Line::of::<u32>(&name, ROOM, policy, Class::MustKeep))?);
    let gauge = receiver.gauge();
    let produces = async move {
        for item in 0..ITEMS {
            match policy {
                WhenFull::Wait => sender.send(item).await.unwrap_or_default(),
                // The others never wait: what does not fit is given back, or counted and forgotten.
                _ => drop(sender.try_send(item)),
            }
        }
    };
    let consumes = async move {
        let mut received = 0;
        while receiver.recv().await.is_some() {
            received += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        received
    };
    let ((), received) = tokio::join!(produces, consumes);
    println!("{policy}: {received} of {ITEMS} received, {} at most in the queue, {} overflows", gauge.high_water(), gauge.overflows());
    Ok(())
}
