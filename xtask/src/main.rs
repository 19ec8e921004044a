//! The project's own tool: `cargo xtask check · test · tidy · ui · bench · soak · swarm · mutants · crash · dist`.
//!
//! It runs other programs and reads source text; it never links a crate of the bot, so it builds in seconds and can
//! still judge a tree that does not compile. Read [`report::Report`] for how results are counted and [`tidy`] for
//! the rules of the house that no compiler knows.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod bench;
mod check;
mod children;
mod crash;
mod http;
mod mutants;
mod process;
mod prometheus;
mod report;
mod soak;
mod swarm;
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
  test  [--all] [--only TEXT]
                  every test that this machine can run; names what it left out and how to install that
  tidy            the rules of the house: arrows, purity, bounds, sizes, words
  ui              rebuild the dashboard: crates/web/ui -> crates/web/dist (needs node)
  soak  [--days N] [--speed max|N] [--minutes M] [--seed S] [--out FOLDER] [--binary FILE]
                  simulated weeks of trading over a bad line; judges memory, limits, orders and fills
  crash [--rounds N] [--seed S] [--seconds-per-round A..B] [--fault NAME=RATE|none] [--out FOLDER] [--binary FILE]
                  kill -9 at random instants while it trades over a line with faults; holds it against the exchange
  swarm [--seeds N] [--seed S] [--minutes M] [--shrink] [--fault NAME=RATE] ...
                  the trading stack in made-up worlds where everything goes wrong; a seed replays exactly
  mutants [TEXT ...] [--worlds N] [--threads N]
                  plants faults (those with a TEXT in their name) in a copy of the source; the swarm must catch each
  bench           every benchmark, printed as one report
  dist            the release binary with link-time optimisation

With --all nothing may be left out: what cannot run counts as failed. With --only the groups with TEXT in their name run.";

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
    if command == "soak" {
        return soak::run(flags);
    }
    if command == "mutants" {
        return mutants::run(flags);
    }
    if command == "swarm" {
        return swarm::run(flags);
    }
    if command == "crash" {
        return crash::run(flags);
    }
    if let ("test", [rest @ .., only, part]) = (command.as_str(), flags)
        && only == "--only"
    {
        let all = match rest {
            [] => All::IfPossible,
            [flag] if flag == "--all" => All::Required,
            _ => bail!("unknown arguments for test: {}\n\n{USAGE}", rest.join(" ")),
        };
        return test::run(all, part);
    }
    let all = match flags {
        [] => All::IfPossible,
        [flag] if flag == "--all" && matches!(command.as_str(), "check" | "test") => All::Required,
        _ => bail!("unknown arguments for {command}: {}\n\n{USAGE}", flags.join(" ")),
    };
    match command.as_str() {
        "check" => check::run(all),
        "test" => test::run(all, ""),
        "tidy" => tidy::run(),
        "ui" => ui::run(),
        "bench" => bench::run(),
        "dist" => check::dist(),
        _ => bail!("unknown command {command}\n\n{USAGE}"),
    }
}
