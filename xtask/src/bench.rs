//! Every benchmark of the workspace, printed as one report.

use anyhow::Result;

use crate::process::{cargo, step_logged};
use crate::report::{All, Outcome, Report};
use crate::workspace::{Bench, Workspace};

/// Runs `cargo bench` for each file in each crate's `benches` and keeps what it prints.
pub(crate) fn run() -> Result<bool> {
    let workspace = Workspace::enter()?;
    let results = workspace.results()?;
    let mut report = Report::new(All::IfPossible);
    let mut whole = String::new();
    for package in &workspace.packages {
        for bench in &package.benches {
            let Bench { name, features } = bench;
            let log = results.join(format!("bench-{}-{name}.txt", package.name));
            report.group(&format!("{} {name}", package.name), || {
                let features = features.join(",");
                let arguments = ["bench", "--locked", "--quiet", "--package", &package.name, "--bench", name, "--features", &features];
                let outcome = step_logged(cargo(&arguments), &log, |_| true)?;
                whole.push_str(&format!("## {} {name}\n\n{}\n", package.name, std::fs::read_to_string(&log)?));
                Ok(outcome)
            });
        }
    }
    if whole.is_empty() {
        report.record("benchmarks", Outcome::Failed("no crate has a file in benches/".into()), std::time::Duration::ZERO);
    }
    let path = results.join("bench.md");
    std::fs::write(&path, &whole)?;
    println!("\n{whole}\nkept in {}", path.display());
    Ok(report.close())
}
