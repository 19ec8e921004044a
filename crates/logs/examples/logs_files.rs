//! Writes lines to files that rotate, with a viewer who watches: `cargo run -p plimsoll-logs --example logs_files`.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use plimsoll_bounded::Ledger;
use plimsoll_logs::{FilesConfig, Logs};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = Logs::new(|line| {
        print!("{line}");
        true
    });
    logs.hide("the-api-secret");
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(logs.layer()));

    let ledger = Ledger::open(64 << 20);
    let mut grants = ledger.admit(&Logs::plan(true)?)?;
    let folder = std::env::temp_dir().join("plimsoll-logs-example");
    let config = FilesConfig { folder: folder.clone(), file_bytes: 1 << 20, keep_bytes: 4 << 20 };
    let writer = logs.start(&mut grants, Some(config))?;
    let mut viewer = logs.subscribe().ok_or("viewers are let in after the start")?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let writing = async {
            if let Some(writer) = writer {
                writer.run().await;
            }
        };
        let speaking = async {
            for number in 0..100 {
                tracing::warn!(symbol = "BTCUSDT", number, "signed with the-api-secret");
            }
            logs.finish(Duration::from_secs(1)).await;
            if let Ok(received) = viewer.next().await {
                println!("the viewer's first line: {}", received.item.text);
            }
        };
        tokio::select! {
            () = speaking => {}
            () = writing => {}
        }
    });
    println!("{:?}\nfiles are in {}", logs.figures(), folder.display());
    Ok(())
}
