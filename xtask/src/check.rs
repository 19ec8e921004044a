//! What must hold before a change is merged, apart from the tests.

use anyhow::Result;

use crate::process::{cargo, step, works};
use crate::report::{All, Outcome, Report};
use crate::tidy::{self, PURE};
use crate::ui;
use crate::workspace::Workspace;

/// Runs every check and closes with the counts.
pub(crate) fn run(all: All) -> Result<bool> {
    Workspace::enter()?;
    let mut report = Report::new(all);
    report.group("formatting", || step(cargo(&["fmt", "--all", "--", "--check"])));
    report.group("tidy", || {
        Ok(if tidy::run()? { Outcome::Passed } else { Outcome::Failed("see the findings above, or run cargo xtask tidy".into()) })
    });
    report.group("lints", || step(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])));
    report.group("lints of what features switch on", || {
        step(cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"]))
    });
    report.group("pure crates build without what the edge switches on", || {
        let packages: Vec<String> = PURE.iter().map(|name| format!("--package=plimsoll-{name}")).collect();
        let mut arguments = vec!["check", "--locked"];
        arguments.extend(packages.iter().map(String::as_str));
        step(cargo(&arguments))
    });
    report.group("licences, bans and sources", || {
        if !works(cargo(&["deny", "--version"])) {
            return Ok(Outcome::LeftOut("cargo install cargo-deny --locked".into()));
        }
        // Advisories need a database from the network; `cargo deny check advisories` reads the same file.
        step(cargo(&["deny", "--workspace", "--locked", "check", "licenses", "bans", "sources"]))
    });
    report.group("packaging", || step(cargo(&["package", "--workspace", "--exclude", "xtask", "--no-verify", "--allow-dirty", "--quiet"])));
    report.group("the dashboard matches its source", ui::check);
    Ok(report.close())
}

/// Builds the binary that is given away.
pub(crate) fn dist() -> Result<bool> {
    let workspace = Workspace::enter()?;
    let outcome = step(cargo(&["build", "--package", "plimsoll-app", "--profile", "dist", "--locked"]))?;
    if outcome == Outcome::Passed {
        println!("built {}", workspace.target.join("dist/plimsoll").display());
    }
    Ok(outcome == Outcome::Passed)
}
