//! Lives one small world and says what happened in it.

#![allow(clippy::print_stdout, reason = "an example prints")]

use plimsoll_swarm::{Options, run};
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let options = Options::draw(7, Duration::from_secs(20));
    println!("{options}");
    let outcome = run(&options, false)?;
    println!("{} steps, {} fills, {} crashes, digest {:016x}", outcome.events, outcome.fills, outcome.crashes, outcome.digest);
    match outcome.broken {
        None => println!("nothing was broken"),
        Some(broken) => anyhow::bail!("broken: {broken}"),
    }
    Ok(())
}
