//! Worlds in which everything goes wrong, lived by the simulation's own program.

use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, step};
use crate::report::Outcome;

/// Worlds that every run of all tests lives, fresh ones each time.
const WORLDS: &str = "200";

/// The program, built with the tests' own settings: its crates are optimised there too.
fn program(arguments: &[&str]) -> Command {
    let mut command = cargo(&["run", "--locked", "--quiet", "--package", "plimsoll-swarm", "--"]);
    command.args(arguments);
    command
}

/// Lives the worlds that were asked for; `false` when one failed. The arguments are the program's own, `--help` shows them.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Thousands of worlds are worth a build that is optimised throughout.
    let mut command = cargo(&["run", "--locked", "--quiet", "--release", "--package", "plimsoll-swarm", "--"]);
    command.args(arguments);
    Ok(step(command)? == Outcome::Passed)
}

/// Lives fresh worlds, as a part of all tests.
pub(crate) fn fresh() -> Result<Outcome> {
    step(program(&["--seeds", WORLDS]))
}
