//! The `plimsoll` trading bot: reads the configuration, builds everything, runs it, and stops it in order.

mod cli;
mod config;
mod ctl;
mod decode;
mod limits;
mod local;
mod memory;
mod metrics;
mod ports;
mod run;
mod screen;
mod secret;
mod testnet;
mod threads;
mod trade;

use std::process::ExitCode;

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
