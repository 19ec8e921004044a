//! The `plimsoll` trading bot: reads the configuration, builds everything, runs it, and stops it in order.

mod again;
mod alerts;
mod chores;
mod cli;
mod config;
mod ctl;
mod db;
mod decode;
mod desk;
mod disk;
#[cfg(feature = "leak")]
mod dripping;
mod history;
mod journal;
mod limits;
mod local;
mod log;
mod logins;
mod memory;
mod metrics;
mod paper;
mod pinned;
mod ports;
mod preflight;
mod profiles;
mod rebuild;
mod run;
mod screen;
mod secret;
mod settings;
mod signals;
mod telegram;
mod testnet;
mod threads;
mod top;
mod trade;
mod venue;
mod watch;

use std::process::ExitCode;

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Few arenas, because few threads allocate; free pages go back within a second; the heap profiler is there, but samples
/// nothing until an alarm or an operator switches it on. The environment's `MALLOC_CONF` still overrides.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[expect(unsafe_code, reason = "jemalloc reads its settings from a symbol of this name before the program begins")]
#[expect(non_upper_case_globals, reason = "the name is jemalloc's")]
#[unsafe(export_name = "malloc_conf")]
static malloc_conf: Option<&'static std::ffi::c_char> = Some(match CONF.first() {
    // SAFETY: a constant text that ends with a zero byte, read as bytes.
    Some(first) => unsafe { &*(core::ptr::from_ref(first).cast()) },
    None => unreachable!(),
});

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
const CONF: &[u8] =
    b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:2,prof:true,prof_active:false,lg_prof_sample:17\0";

fn main() -> ExitCode {
    cli::main()
}
