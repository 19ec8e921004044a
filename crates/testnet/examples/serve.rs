//! Serves a local exchange until Ctrl-C. The first line printed is its address.
//!
//! ```text
//! cargo run -p plimsoll-testnet --example serve -- --listen 127.0.0.1:0 --seed 7 --speed 1 \
//!     --account testkey:testsecret:100000 [--replay FILE]… [--state DIR] [--fresh] [--strict]
//! ```
#![allow(clippy::print_stdout, reason = "the address is what it prints")]

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use plimsoll_bounded::{Ledger, Tasks};
use plimsoll_market::{Round, parse_units};
use plimsoll_testnet::{AccountConfig, Testnet, TestnetConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = read(std::env::args().skip(1))?;
    let ledger = Ledger::with_lines(256 << 20, 256);
    let tasks = Tasks::new(ledger.grant(Tasks::line("serve.tasks", 4, 1024))?);
    let grants = ledger.admit(&Testnet::plan(&config)?)?;
    let exchange = Testnet::start(config, grants, &tasks).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", exchange.http_url())?;
    out.flush()?;
    tokio::select! {
        // Asked to stop first: an exchange that ended by itself is the rarer case.
        biased;
        signal = tokio::signal::ctrl_c() => signal?,
        () = demonstration() => {}
        exit = exchange.ended() => return Err(format!("the exchange ended by itself: {exit}").into()),
    }
    exchange.stop(Duration::from_secs(5)).await?;
    Ok(())
}

/// Ends after so many seconds when the environment says so: for runs that only show that it starts.
async fn demonstration() {
    match std::env::var("PLIMSOLL_EXAMPLE_SECONDS").ok().and_then(|text| text.parse().ok()) {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<TestnetConfig, Box<dyn Error>> {
    let mut config = TestnetConfig::new(1, Vec::new());
    while let Some(option) = words.next() {
        match option.as_str() {
            "--fresh" => config.fresh = true,
            "--strict" => config.strict_routes = true,
            "--listen" | "--seed" | "--speed" | "--account" | "--replay" | "--state" => {
                let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
                match option.as_str() {
                    "--listen" => config.listen = value.parse()?,
                    "--seed" => config.seed = value.parse()?,
                    "--speed" => config.speed_milli = u32::try_from(parse_units(&value, 3, Round::Exact)?)?,
                    "--account" => config.accounts.push(AccountConfig::parse(&value)?),
                    "--replay" => config.replay.push(value.into()),
                    _ => config.state_dir = Some(value.into()),
                }
            }
            other => return Err(format!("{other} is not an option").into()),
        }
    }
    if config.accounts.is_empty() {
        config.accounts.push(AccountConfig::parse("testkey:testsecret:100000")?);
    }
    Ok(config)
}
