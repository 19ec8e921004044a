//! Where the recorded data lies, and tables to decode it with.

use plimsoll_bounded::{Ledger, Open};
use plimsoll_exchange::Instruments;
use plimsoll_exchange::binance::decode::DepthUpdate;
use plimsoll_market::{Instrument, Symbol};
use std::path::PathBuf;

/// A folder of the recorded data; `None`, and a line that says so, when it is not there.
#[allow(dead_code, reason = "not every test binary reads folders")]
pub fn folder(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PLIMSOLL_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let folder = root.join(path);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("left out: {} is not there; PLIMSOLL_SHARED names the folder of recorded data", folder.display());
    None
}

/// Instruments of the names and scales given.
#[allow(dead_code, reason = "not every test binary needs them")]
pub fn instruments(ledger: &Ledger<Open>, symbols: &[(&str, u8, u8)]) -> Instruments {
    let mut table = Instruments::new(ledger.grant(Instruments::line("test.instruments", symbols.len())).unwrap());
    for (name, price_scale, qty_scale) in symbols {
        let symbol = Symbol::new(name).unwrap();
        table.put(Instrument { symbol, price_scale: *price_scale, qty_scale: *qty_scale, ..Instrument::example_btcusdt() }).unwrap();
    }
    table
}

/// A buffer for depth updates.
#[allow(dead_code, reason = "not every test binary needs it")]
pub fn depth_buffer(ledger: &Ledger<Open>) -> DepthUpdate {
    DepthUpdate::new(ledger.grant(DepthUpdate::line("test.depth")).unwrap())
}
