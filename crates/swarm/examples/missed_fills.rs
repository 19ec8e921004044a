//! Measures how long it takes to come back to a symbol of 200 slots of which 10,000 executions were missed.

#![allow(clippy::print_stdout, reason = "an example prints")]

use plimsoll_market::Phase;
use plimsoll_position::SyncState;
use plimsoll_position::invariants::agree;
use plimsoll_swarm::script::Script;
use std::time::{Duration, Instant};

fn main() -> anyhow::Result<()> {
    let (slots, fills) = (200, 10_000);
    let mut script = Script::missing(slots, fills)?;
    let (begun, began, booked) = (script.now(), Instant::now(), script.stored().map_or(0, |totals| totals.fills));
    script.start()?;
    let in_step = |script: &Script| script.engine().is_some_and(|engine| engine.position().sync_state() == SyncState::InStep);
    script.pass_until("it is in step", Duration::from_secs(60), in_step)?;
    let (made_up, real) = (script.now().since(begun), began.elapsed());
    let missed = script.totals().fills - booked;
    println!(
        "{missed} executions of {slots} slots: in step after {made_up:?} of made-up time, {real:?} of computing, the exchange's included"
    );
    script.pass_until("it trades", Duration::from_secs(60), |script| script.phase() == Some(Phase::Trading))?;
    println!("trading after {:?} of made-up time, {:?} of computing", script.now().since(begun), began.elapsed());
    let truth = script.truth().ok_or_else(|| anyhow::anyhow!("the exchange does not know the symbol"))?;
    agree(&script.totals(), &truth).map_err(|broken| anyhow::anyhow!("{broken}"))?;
    println!("books and exchange agree: {} executions, {} bought, {} sold", truth.fills, truth.bought.units(), truth.sold.units());
    anyhow::ensure!(real < Duration::from_secs(3) && made_up < Duration::from_secs(3), "it took longer than three seconds");
    Ok(())
}
