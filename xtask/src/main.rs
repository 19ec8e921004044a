//! The project's own tool: `cargo xtask check · test · tidy · ui · bench · dist`.
//!
//! It runs other programs and reads source text; it never links a crate of the bot, so it builds in seconds and can
//! still judge a tree that does not compile. Read [`report::Report`] for how results are counted and [`tidy`] for
//! the rules of the house that no compiler knows.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod bench;
mod check;
mod process;
mod report;
mod test;
mod tidy;
mod ui;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::report::All;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  check [--all]   formatting, lints, licences, tidy, packaging, the dashboard's build
  test  [--all]   every test that this machine can run; names what it left out and how to install that
  tidy            the rules of the house: arrows, purity, bounds, sizes, words
  ui              rebuild the dashboard: crates/web/ui -> crates/web/dist (needs node)
  bench           every benchmark, printed as one report
  dist            the release binary with link-time optimisation

With --all nothing may be left out: what cannot run counts as failed.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the named command; `false` means that it ran and found something wrong.
fn dispatch(arguments: &[String]) -> Result<bool> {
    let Some((command, flags)) = arguments.split_first() else { bail!("no command given\n\n{USAGE}") };
    if matches!(command.as_str(), "help" | "--help" | "-h") {
        println!("{USAGE}");
        return Ok(true);
    }
    let all = match flags {
        [] => All::IfPossible,
        [flag] if flag == "--all" && matches!(command.as_str(), "check" | "test") => All::Required,
        _ => bail!("unknown arguments for {command}: {}\n\n{USAGE}", flags.join(" ")),
    };
    match command.as_str() {
        "check" => check::run(all),
        "test" => test::run(all),
        "tidy" => tidy::run(),
        "ui" => ui::run(),
        "bench" => bench::run(),
        "dist" => check::dist(),
        _ => bail!("unknown command {command}\n\n{USAGE}"),
    }
}
