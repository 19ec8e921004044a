//! `plimsoll decode EXCHANGE < message`: what was understood.

use clap::{Args, ValueEnum};
use plimsoll_exchange::binance::describe::{Kind, describe};
use std::io::Read;
use std::process::ExitCode;

/// A message larger than this is none.
const MESSAGE_MAX: u64 = 16 << 20;

/// Whose message it is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Exchange {
    /// Binance USDⓈ-M futures.
    Binance,
}

/// What to decode.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// Whose message it is.
    exchange: Exchange,
    /// What it is, when it cannot be told from the message alone: a word as `order` or `positions`.
    #[arg(long)]
    kind: Option<String>,
}

/// Reads a message from standard input and prints what was understood.
///
/// # Errors
/// A message that cannot be read or understood.
pub fn main(args: &DecodeArgs) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MESSAGE_MAX + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() as u64 <= MESSAGE_MAX, "the message has more than {MESSAGE_MAX} bytes");
    let mut text = String::new();
    match args.exchange {
        Exchange::Binance => {
            let kind = args.kind.as_deref().map(str::parse::<Kind>).transpose().map_err(|e| anyhow::anyhow!("{e}"))?;
            describe(&mut text, &bytes, kind)?;
        }
    }
    crate::screen::say(text.trim_end());
    Ok(ExitCode::SUCCESS)
}
