//! Tasks with a name, an owner, a heartbeat and an exit status; one that fails is started again, but not for ever.
//!
//! `cargo run -p plimsoll-bounded --features tokio --example bounded_tasks`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use plimsoll_bounded::{Backoff, Ledger, Restart, TaskSpec, Tasks};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ledger = Ledger::with_lines(64_000, 4);
    let tasks = Tasks::new(ledger.grant(Tasks::line("demo.tasks", 4, 1024))?);
    let second = Duration::from_secs(1);

    tasks.owned_by("demo").spawn(TaskSpec { name: "ticker", group: "market" }, |task| async move {
        task.pulse.expect_every(Duration::from_secs(1));
        while task.stop.or(tokio::time::sleep(Duration::from_millis(20))).await.is_some() {
            task.pulse.beat();
        }
    })?;

    let backoff = Backoff { first: Duration::from_millis(20), most: Duration::from_millis(100) };
    let restart = Restart::OnFailure { max: 3, within: second, backoff };
    let mut attempt = 0;
    let link = tasks.spawn_restarting(TaskSpec { name: "link", group: "market" }, restart, move |_| {
        attempt += 1;
        async move { Err::<(), _>(format!("attempt {attempt}: no route")) }
    })?;
    tokio::time::sleep(Duration::from_millis(30)).await;
    show(&tasks);
    println!("link ended: {}", link.join().await);

    let report = tasks.shutdown(second).await;
    println!("{} ended when told to, all as they should: {}", report.ended, report.is_clean());
    show(&tasks);
    Ok(())
}

fn show(tasks: &Tasks) {
    for task in tasks.status() {
        println!(
            "  {:<8} {:<8} owned by {:<12} {:>2} beats {:>2} restarts  pause {:?}  {:?}",
            task.name, task.group, task.owner, task.beats, task.restarts, task.pause, task.state
        );
    }
}
