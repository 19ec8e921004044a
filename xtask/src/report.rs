//! Counts what passed, what failed and what was left out, and prints the closing line.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Whether something may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum All {
    /// What this machine cannot run is named and skipped.
    IfPossible,
    /// What this machine cannot run counts as failed.
    Required,
}

/// How one group ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ran and found nothing wrong.
    Passed,
    /// It ran and found this wrong.
    Failed(String),
    /// It could not run here; the text says what to install.
    LeftOut(String),
}

/// The groups of one run, in the order in which they ended.
pub(crate) struct Report {
    all: All,
    /// A part of the names of the groups that are wanted; empty for all.
    only: String,
    started: Instant,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    outcome: Outcome,
    took: Duration,
}

impl Report {
    pub(crate) fn new(all: All) -> Self {
        Self::only(all, "")
    }

    /// A report of those groups only whose names have this part.
    pub(crate) fn only(all: All, part: &str) -> Self {
        Self { all, only: part.to_owned(), started: Instant::now(), groups: Vec::new() }
    }

    /// Runs one group, prints how long it took and keeps its outcome. An error inside is a failure of that group only.
    pub(crate) fn group(&mut self, name: &str, body: impl FnOnce() -> Result<Outcome>) {
        if !self.wants(name) {
            return;
        }
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = body().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        let took = started.elapsed();
        match &outcome {
            Outcome::Passed => println!("== {name}: passed in {}", seconds(took)),
            Outcome::Failed(why) => println!("== {name}: FAILED after {}: {why}", seconds(took)),
            Outcome::LeftOut(how) => println!("== {name}: left out (install: {how})"),
        }
        self.record(name, outcome, took);
    }

    /// Whether a group of this name is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// Keeps an outcome that was found while another group ran.
    pub(crate) fn record(&mut self, name: &str, outcome: Outcome, took: Duration) {
        self.groups.push(Group { name: name.to_owned(), outcome, took });
    }

    /// Prints the summary and says whether the run is good.
    pub(crate) fn close(&self) -> bool {
        let (text, good) = self.summary();
        println!("\n{text}");
        good
    }

    /// The closing text; its last line is `N passed, M failed, K skipped`.
    fn summary(&self) -> (String, bool) {
        let (mut passed, mut failed, mut skipped) = (0_u32, 0_u32, 0_u32);
        let mut text = String::new();
        for Group { name, outcome, took } in &self.groups {
            // Writing to a String cannot fail.
            let line = match (outcome, self.all) {
                (Outcome::Passed, _) => {
                    passed += 1;
                    writeln!(text, "passed: {name} ({})", seconds(*took))
                }
                (Outcome::Failed(why), _) => {
                    failed += 1;
                    writeln!(text, "failed: {name}: {why}")
                }
                (Outcome::LeftOut(how), All::IfPossible) => {
                    skipped += 1;
                    writeln!(text, "left out: {name} (install: {how})")
                }
                (Outcome::LeftOut(how), All::Required) => {
                    failed += 1;
                    writeln!(text, "failed: {name}: could not run here, and --all leaves nothing out (install: {how})")
                }
            };
            line.unwrap_or_default();
        }
        writeln!(text, "took {}", seconds(self.started.elapsed())).unwrap_or_default();
        text.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
        (text, failed == 0 && passed > 0)
    }
}

/// A duration as a person reads it.
pub(crate) fn seconds(took: Duration) -> String {
    let whole = took.as_secs();
    if whole >= 60 { format!("{} min {:02} s", whole / 60, whole % 60) } else { format!("{:.1} s", took.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(all: All, outcomes: &[Outcome], expected_line: &str, expected_good: bool) {
        let mut report = Report::new(all);
        for outcome in outcomes {
            report.record("thing", outcome.clone(), Duration::from_secs(1));
        }
        let (text, good) = report.summary();
        assert_eq!(text.lines().last(), Some(expected_line), "{text}");
        assert_eq!(good, expected_good, "{text}");
    }

    #[test]
    fn left_out_is_skipped_unless_all_is_required() {
        let outcomes = [Outcome::Passed, Outcome::LeftOut("apt-get install thing".into())];
        check(All::IfPossible, &outcomes, "1 passed, 0 failed, 1 skipped", true);
        check(All::Required, &outcomes, "1 passed, 1 failed, 0 skipped", false);
    }

    #[test]
    fn one_failure_spoils_the_run() {
        check(All::IfPossible, &[Outcome::Passed, Outcome::Failed("bad".into())], "1 passed, 1 failed, 0 skipped", false);
    }

    #[test]
    fn nothing_run_is_not_a_success() {
        check(All::IfPossible, &[], "0 passed, 0 failed, 0 skipped", false);
    }

    #[test]
    fn only_the_wanted_groups_run() {
        let mut report = Report::only(All::IfPossible, "real");
        report.group("a real thing", || Ok(Outcome::Passed));
        report.group("another thing", || anyhow::bail!("was not wanted"));
        assert_eq!(report.summary().0.lines().last(), Some("1 passed, 0 failed, 0 skipped"));
    }

    #[test]
    fn an_error_fails_its_group_only() {
        let mut report = Report::new(All::IfPossible);
        report.group("a", || anyhow::bail!("broken"));
        report.group("b", || Ok(Outcome::Passed));
        assert_eq!(report.summary().0.lines().last(), Some("1 passed, 1 failed, 0 skipped"));
    }
}
