//! Books fills into a database until it is killed, and goes on where it was when it is started again.
//!
//! Prints the number of its run, and after each flush how many fills are safe. Kill it at any instant, start it again: no
//! fill is lost, none is there twice. Try `cargo run --example ledger_of_fills /tmp/fills.db`.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, SystemTime};

use plimsoll_bounded::{Ledger, Tasks};
use plimsoll_market::{Name, Symbol, Time, Totals};
use plimsoll_storage::{Key, Store, StoreConfig, StoreGrants};

#[path = "support/books.rs"]
#[expect(clippy::expect_used, reason = "made up of constants")]
mod books;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Without a place of its own it shows itself: a few fills in a database that is gone afterwards.
    let shown = std::env::temp_dir().join(format!("ledger_of_fills-{}.db", std::process::id()));
    let own = std::env::args().nth(1);
    let path = own.clone().unwrap_or_else(|| shown.display().to_string());
    let fills_max = std::env::args().nth(2).map_or(Ok(if own.is_some() { u64::MAX } else { 700 }), |text| text.parse())?;
    let config = StoreConfig::of_url(format!("sqlite:{path}"))?;
    let ledger = Ledger::open(64 << 20);
    let grants = StoreGrants::take(&ledger, &config)?;
    let tasks = Tasks::new(ledger.grant(Tasks::line("example.tasks", 2, 1_024))?);
    let ledger = ledger.seal()?;
    let store = Store::open(config, grants, &tasks).await?;
    let mut out = std::io::stdout().lock();

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    writeln!(out, "run {}", store.next_run(Time::from_millis(now.as_millis() as u64)).await?)?;
    let key = Key { account: Name::new("main")?, symbol: Symbol::new("BTCUSDT")? };
    let mut totals = store.load(&key).await?.totals.unwrap_or(Totals::EMPTY);
    let mut recorder = store.recorder(key);
    while totals.fills < fills_max {
        for _ in 0..7 {
            let record = books::record(totals.fills + 1, &totals);
            recorder.record(record)?;
            totals = record.totals;
        }
        store.flush().await?;
        writeln!(out, "flushed {} fills", totals.fills)?;
        out.flush()?;
    }
    store.stop(Duration::from_secs(5)).await?;
    writeln!(out, "{ledger:?}, {:?}", store.counts())?;
    if own.is_none() {
        for suffix in ["", "-wal", "-shm", ".lock"] {
            // What is not there need not go.
            std::fs::remove_file(format!("{}{suffix}", shown.display())).ok();
        }
    }
    Ok(())
}
