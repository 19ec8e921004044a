//! `plimsoll testnet`: a local exchange for other people's bots and client libraries.

use crate::limits::{EDGE_TASKS, FUTURE_BYTES};
use crate::threads::edge;
use anyhow::{Context, ensure};
use clap::Args;
use plimsoll_bounded::{Grant, Grants, Tasks};
use plimsoll_market::{Round, parse_units};
use plimsoll_testnet::{AccountConfig, Fault, FaultTextError, Testnet, TestnetConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// How the local exchange is to be.
#[derive(Debug, Args)]
pub struct TestnetArgs {
    /// Loopback address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Seed of the made-up market; the same seed makes the same market.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How much happens a second; a recording is played that much faster.
    #[arg(long, value_name = "X", default_value = "1")]
    speed: String,
    /// A recording in hftbacktest's raw format, gzipped or plain, to play instead of a made-up market; may be repeated.
    #[arg(long, value_name = "FILE")]
    replay: Vec<PathBuf>, // tidy: bounded by the command line
    /// An account; may be repeated. Without one there is testkey:testsecret:100000.
    #[arg(long, value_name = "KEY:SECRET:USDT")]
    account: Vec<String>, // tidy: bounded by the command line
    /// Folder that keeps accounts and orders; without it nothing is kept.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Throw away what the folder keeps.
    #[arg(long)]
    fresh: bool,
    /// Refuse streams on routes that the exchange would not serve them on.
    #[arg(long)]
    strict_routes: bool,
    /// Something that goes wrong on purpose, as often as RATE (0 to 1) says; may be repeated. `--fault help` lists them.
    #[arg(long, value_name = "NAME=RATE", long_help = fault_help())]
    fault: Vec<String>, // tidy: bounded by the command line
    /// Seed of the faults; without it that of the market.
    #[arg(long, value_name = "SEED")]
    fault_seed: Option<u64>,
    /// Count no request weight: for tests that start a client more often in a minute than the exchange would allow.
    #[arg(long)]
    weightless: bool,
    /// How much is logged to standard error.
    #[arg(long, default_value = "warn")]
    log: String,
}

/// The list of faults, as the command line explains it.
fn fault_help() -> String {
    let mut text =
        "Something that goes wrong on purpose, as often as RATE says, a probability from 0 to 1; may be repeated. NAME is one of"
            .to_owned();
    for fault in Fault::ALL {
        text.push_str(&format!("\n  {:<18} {}", fault.name(), fault.meaning()));
    }
    text.push_str("\nHow often each has struck is told at GET /fault/counts and at the end.");
    text
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// A wrong argument, a port that is taken, a folder that cannot be written.
pub fn main(args: TestnetArgs) -> anyhow::Result<ExitCode> {
    crate::log::begin(&args.log);
    let speed = parse_units(&args.speed, 3, Round::Exact).ok().and_then(|s| u32::try_from(s).ok()).filter(|s| (1..=2_000_000).contains(s));
    let speed_milli = speed.with_context(|| format!("--speed {} is not allowed; allowed: 0.001 to 2000", args.speed))?;
    let texts = if args.account.is_empty() { vec!["testkey:testsecret:100000".to_owned()] } else { args.account };
    let accounts = texts.iter().map(|text| AccountConfig::parse(text)).collect::<Result<Vec<_>, _>>()?;
    ensure!(args.listen.ip().is_loopback(), "--listen {} is not allowed: a local exchange listens on loopback only", args.listen);
    let mut config = TestnetConfig::new(args.seed, accounts);
    config.listen = args.listen;
    config.speed_milli = speed_milli;
    config.replay = args.replay;
    config.state_dir = args.state;
    config.fresh = args.fresh;
    config.strict_routes = args.strict_routes;
    config.weightless = args.weightless;
    config.faults.seed = args.fault_seed.unwrap_or(args.seed);
    if args.fault.iter().any(|text| text == "help") {
        crate::screen::say(&fault_help());
        return Ok(ExitCode::SUCCESS);
    }
    // All mistakes at once, and the list of names behind the last.
    let wrong: Vec<FaultTextError> = args.fault.iter().filter_map(|text| config.faults.set(text).err()).collect();
    if let Some((last, others)) = wrong.split_last() {
        let others: String = others.iter().map(|error| format!("--fault {}; ", error.text())).collect();
        anyhow::bail!("{others}--fault {last}");
    }
    let faults = config.faults;
    let runtime = edge().context("cannot start threads")?;
    runtime.block_on(async {
        let tasks = Tasks::new(Grant::detached(Tasks::line("testnet.tasks", EDGE_TASKS, FUTURE_BYTES)));
        // Nothing else is in this process: the plan is the budget.
        let grants = Grants::detached(&Testnet::plan(&config)?);
        let handle = Testnet::start(config, grants, &tasks).await?;
        crate::screen::say(&handle.http_url());
        if !faults.is_none() {
            crate::screen::say(&faults.to_string());
        }
        let mut signals = crate::signals::Signals::catch();
        tokio::select! {
            biased;
            // A signal, or a fault that ended it.
            () = signals.wait() => {}
            () = crate::log::ticking() => {}
            exit = handle.ended() => anyhow::bail!("the exchange ended by itself: {exit}"),
        }
        handle.stop(STOP).await?;
        if !faults.is_none() {
            let struck = handle.fault_counts().into_iter().filter(|(_, count)| *count > 0);
            let struck: String = struck.map(|(fault, count)| format!(" {} {count}", fault.name())).collect();
            crate::screen::say(&format!("faults that struck:{}", if struck.is_empty() { " none" } else { &struck }));
        }
        let report = tasks.shutdown(STOP).await;
        if !report.is_clean() {
            tracing::warn!(?report, "not everything ended by itself");
        }
        crate::log::finish().await;
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
