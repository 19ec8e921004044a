//! `kill -9` on a process that writes.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::{Place, all_fills, check_prefix, key};

/// The example stands beside the folder of the tests' own program.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples").join(format!("ledger_of_fills{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: `cargo test -p plimsoll-storage` builds it", path.display());
    path
}

/// Lets it write until it has confirmed so many flushes, kills it, and returns the run and the last fill it confirmed.
pub fn run_and_kill(place: &Place, flushes: usize) -> (u64, u64) {
    let mut child = Command::new(example()).arg(place.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let number = |line: String| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
    let run = number(lines.next().unwrap());
    let mut flushed = 0;
    for line in lines.by_ref().take(flushes) {
        flushed = number(line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it confirmed between our reading and the kill counts, too; the last line may be cut.
    for line in lines.filter(|line| line.ends_with(" fills")) {
        flushed = number(line);
    }
    (run, flushed)
}

#[tokio::test]
async fn killed_process_loses_nothing_it_confirmed_and_doubles_nothing() {
    let place = Place::file();
    let (mut last_run, mut confirmed) = (0, 0);
    for flushes in [1, 7, 30, 3] {
        let (run, flushed) = run_and_kill(&place, flushes);
        assert!(run > last_run, "run {run} after {last_run}");
        assert!(flushed > confirmed, "went on at {flushed} after {confirmed}");
        (last_run, confirmed) = (run, flushed);
        let store = place.open().await;
        let key = key("BTCUSDT");
        let stored = check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await);
        assert!(stored >= confirmed, "{stored} stored, {confirmed} confirmed");
        store.stop(std::time::Duration::from_secs(10)).await.unwrap();
    }
}
