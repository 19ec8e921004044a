//! Every benchmark of the workspace, printed as one report.

use anyhow::Result;

use crate::process::{cargo, step_logged};
use crate::report::{All, Outcome, Report};
use crate::workspace::Workspace;

/// Runs `cargo bench` for each file in each crate's `benches` and keeps what it prints.
pub(crate) fn run() -> Result<bool> {
    let workspace = Workspace::enter()?;
    let results = workspace.results()?;
    let mut report = Report::new(All::IfPossible);
    let mut whole = String::new();
    for package in &workspace.packages {
        for bench in &package.benches {
            let log = results.join(format!("bench-{}-{bench}.txt", package.name));
            report.group(&format!("{} {bench}", package.name), || {
                let outcome = step_logged(cargo(&["bench", "--locked", "--quiet", "--package", &package.name, "--bench", bench]), &log)?;
                whole.push_str(&format!("## {} {bench}\n\n{}\n", package.name, std::fs::read_to_string(&log)?));
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
