//! Every test that this machine can run; what it cannot run is named with how to install it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{capture, cargo, command, find_program, step, step_logged, step_within, works};
use crate::prometheus;
use crate::report::{All, Outcome, Report};
use crate::swarm;
use crate::workspace::Workspace;

/// Names the folder of recorded market data; `../shared` beside the workspace if unset.
const SHARED: &str = "PLIMSOLL_SHARED";

/// A test prints this and a reason when it cannot run here.
const LEFT_OUT: &str = "left out: ";

/// Models of threads that meet.
const LOOM: &str = "crates/bounded/tests/loom.rs";

/// How long one example may run.
const EXAMPLE_MAX: Duration = Duration::from_secs(60);

/// How long a script that drives the binary may run. It ends itself well before.
const SCRIPT_MAX: Duration = Duration::from_secs(480);

/// The first and largest group.
const TESTS: &str = "unit and integration tests";

/// Runs every group whose name has `part` and closes with the counts.
pub(crate) fn run(all: All, part: &str) -> Result<bool> {
    let workspace = Workspace::enter()?;
    let mut report = Report::only(all, part);
    let shared = shared_folder(std::env::var_os(SHARED).map_or_else(|| workspace.root.join("../shared"), PathBuf::from));
    let log = workspace.results()?.join("test.log");
    report.group(TESTS, || step_logged(tests(&workspace, shared.as_deref()), &log, unless_it_passed()));
    if !report.wants(TESTS) {
        // Its log is another run's.
    } else if shared.is_none() && uses_recordings() {
        let how = format!("put the recordings into ../shared/data, or name the folder above data in {SHARED}");
        report.record("tests on recorded market data", Outcome::LeftOut(how), Duration::ZERO);
    } else {
        for text in tests_left_out(&std::fs::read_to_string(&log).unwrap_or_default()) {
            let (name, how) = text.split_once(" (install: ").unwrap_or((&text, "see the test's text"));
            report.record(name, Outcome::LeftOut(how.trim_end_matches(')').to_owned()), Duration::ZERO);
        }
    }
    report.group("examples in documentation", || {
        let features = workspace.features();
        step(with_shared(cargo(&["test", "--workspace", "--locked", "--doc", "--features", &features]), shared.as_deref()))
    });
    if Path::new(LOOM).is_file() {
        report.group("every order in which threads can meet", || loom(&workspace));
    }
    report.group("fresh worlds of the swarm", swarm::fresh);
    report.group("examples", || examples(&workspace));
    report.group("the binary", || step(cargo(&["build", "--locked", "--package", "plimsoll-app"])));
    let binary = workspace.target.join("debug/plimsoll");
    let configured = workspace.results()?.join("prometheus");
    report.group("alert rules and dashboards", || prometheus::rules(&configured));
    report.group("the Alertmanager's configuration", prometheus::alertmanager);
    report.group("a real Prometheus scrapes the bot", || prometheus::scrapes(&binary, &configured));
    report.group("ccxt trades on the local exchange", || ccxt(&workspace, &binary));
    report.group("Schemathesis finds no answer beside the OpenAPI", || schemathesis(&workspace, &binary));
    report.group("the dashboard in a browser", || browser(&workspace, &binary));
    if report.wants(TESTS) {
        // Far above by now, among all that passing tests said.
        for line in failures(&std::fs::read_to_string(&log).unwrap_or_default()) {
            println!("{line}");
        }
    }
    Ok(report.close())
}

/// Whose words follow in a runner's output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    /// The runner itself.
    Runner,
    /// A test that passed.
    Passed,
    /// A test that failed.
    Failed,
}

impl Speaker {
    /// Who speaks from this line on: libtest and nextest both say it before a test's words. Their own words may look the same, for which
    /// nothing is lost: the log has all of it.
    fn after(self, line: &str) -> Self {
        let text = line.trim_start();
        let is = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
        if text == "successes:" || is(&["PASS ["]) {
            Self::Passed
        } else if text == "failures:" || is(&["FAIL [", "TIMEOUT [", "ABORT [", "SIGSEGV [", "SIGABRT [", "SIGKILL ["]) {
            Self::Failed
        } else if is(&["Summary [", "────", "Running ", "SLOW ["]) || (is(&["test result: "]) && text.len() == line.len()) {
            Self::Runner
        } else {
            self
        }
    }
}

/// Which lines are for the terminal: what passing tests said is in the log, and a panic that was meant to be misleads whoever looks for
/// another.
fn unless_it_passed() -> impl FnMut(&str) -> bool + Clone + Send {
    let mut speaker = Speaker::Runner;
    move |line| {
        let before = speaker;
        speaker = before.after(line);
        before != speaker || speaker != Speaker::Passed || line.trim_start().starts_with("PASS [")
    }
}

/// What the tests that failed said, without the frames of their backtraces.
fn failures(log: &str) -> Vec<&str> {
    let mut speaker = Speaker::Runner;
    let said = log.lines().filter(|line| {
        speaker = speaker.after(line);
        speaker == Speaker::Failed && !line.is_empty() && !is_frame(line)
    });
    said.collect()
}

/// `  12: a::function` or `             at ./src/file.rs:1:2`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    text.len() < line.len() && (text.starts_with("at ") || text.split_once(": ").is_some_and(|(n, _)| n.parse::<u16>().is_ok()))
}

/// The command for all tests but those in documentation.
fn tests(workspace: &Workspace, shared: Option<&Path>) -> Command {
    // Without its features cargo leaves a test out and says nothing.
    let features = workspace.features();
    // What passing tests print is shown, because it says what they left out.
    let command = if works(cargo(&["nextest", "--version"])) {
        cargo(&["nextest", "run", "--workspace", "--features", &features, "--locked", "--no-fail-fast", "--success-output", "immediate"])
    } else {
        cargo(&[
            "test",
            "--workspace",
            "--features",
            &features,
            "--locked",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
            "--",
            "--show-output",
        ])
    };
    with_shared(command, shared)
}

fn with_shared(mut command: Command, shared: Option<&Path>) -> Command {
    match shared {
        Some(folder) => command.env(SHARED, folder),
        None => command.env_remove(SHARED),
    };
    command
}

/// The folder of recordings, if it is there.
fn shared_folder(folder: PathBuf) -> Option<PathBuf> {
    folder.join("data").is_dir().then(|| folder.canonicalize().ok())?
}

/// Whether any crate has a test that reads recordings.
fn uses_recordings() -> bool {
    let found = capture(command("grep", &["--recursive", "--files-with-matches", "--include=*.rs", SHARED, "crates"]));
    // grep fails when it finds nothing.
    found.is_ok_and(|files| !files.is_empty())
}

/// What tests said they left out, each once.
fn tests_left_out(log: &str) -> BTreeSet<String> {
    log.lines().filter_map(|line| line.trim().strip_prefix(LEFT_OUT)).map(str::to_owned).collect()
}

/// Builds and runs every example: what the documents show must work, and must end.
fn examples(workspace: &Workspace) -> Result<Outcome> {
    let outcome = step(cargo(&["build", "--workspace", "--features", &workspace.features(), "--locked", "--examples"]))?;
    if outcome != Outcome::Passed {
        return Ok(outcome);
    }
    let mut failed = Vec::new();
    for example in workspace.packages.iter().flat_map(|package| &package.examples) {
        let binary = workspace.target.join("debug/examples").join(example);
        let mut command = Command::new(binary);
        // Servers among them end by themselves then.
        command.env("PLIMSOLL_EXAMPLE_SECONDS", "3");
        if let Outcome::Failed(why) = step_within(command, EXAMPLE_MAX)? {
            failed.push(why);
        }
    }
    Ok(if failed.is_empty() { Outcome::Passed } else { Outcome::Failed(failed.join("; ")) })
}

/// The models of the parts without locks. Loom puts its own atomics in the place of the real ones, in a build of its own.
fn loom(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo(&["test", "--locked", "--release", "--package", "plimsoll-bounded", "--features", "spsc", "--test", "loom"]);
    command.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", workspace.target.join("loom"));
    step_logged(command, &workspace.results()?.join("loom.log"), |_| true)
}

/// An unmodified ccxt from PyPI against `plimsoll testnet`.
fn ccxt(workspace: &Workspace, binary: &Path) -> Result<Outcome> {
    script(workspace, binary, "tests/ccxt", "import ccxt.pro")
}

/// Schemathesis from PyPI against the API of `plimsoll run`.
fn schemathesis(workspace: &Workspace, binary: &Path) -> Result<Outcome> {
    script(workspace, binary, "tests/schemathesis", "import schemathesis")
}

/// Runs a folder's `run.py` by a Python that has what it imports.
fn script(workspace: &Workspace, binary: &Path, folder: &str, imports: &str) -> Result<Outcome> {
    let venv = workspace.target.join("ci-venv");
    let candidates = [std::env::var_os("PLIMSOLL_PYTHON").map(PathBuf::from), Some(venv.join("bin/python")), find_program(&["python3"])];
    let has_it = |python: &PathBuf| works(command(&python.to_string_lossy(), &["-c", imports]));
    let Some(python) = candidates.into_iter().flatten().find(has_it) else {
        let pip = venv.join("bin/pip");
        let how = format!("python3 -m venv {} && {} install -r {folder}/requirements.txt", venv.display(), pip.display());
        return Ok(Outcome::LeftOut(how));
    };
    let binary = binary.to_str().context("the target folder's name is not text")?;
    step_within(command(&python.to_string_lossy(), &[&format!("{folder}/run.py"), binary]), SCRIPT_MAX)
}

/// A real browser on the dashboard of `plimsoll run`.
fn browser(workspace: &Workspace, binary: &Path) -> Result<Outcome> {
    let chromium = std::env::var_os("PLIMSOLL_CHROMIUM").map(PathBuf::from);
    let chromium = chromium.or_else(|| find_program(&["chromium", "chromium-browser", "google-chrome"]));
    let (Some(node), Some(chromium)) = (find_program(&["node"]), chromium) else {
        return Ok(Outcome::LeftOut("node 18 or newer with npm, and chromium; then npm ci --prefix crates/web/ui".into()));
    };
    if !Path::new("crates/web/ui/node_modules/playwright-core").is_dir() {
        return Ok(Outcome::LeftOut("npm ci --prefix crates/web/ui".into()));
    }
    let mut script = Command::new(node);
    script.arg("crates/web/ui/tests/run.mjs").arg(binary).arg(chromium).arg(workspace.results()?);
    step_within(script, SCRIPT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_leave_out_is_named_once() {
        let log = "test a ... ok\nleft out: recorded days (install: x)\n  left out: recorded days (install: x)\nnothing left out: b\nleft out: c\n";
        let found: Vec<String> = tests_left_out(log).into_iter().collect();
        assert_eq!(found, ["c", "recorded days (install: x)"]);
    }

    #[test]
    fn what_failed_tests_said_is_said_again() {
        let log = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nsuccesses:\n\n---- a stdout ----\nfine\n\n\nsuccesses:\n    a\n\nfailures:\n\n\
                   ---- b stdout ----\nthread 'b' panicked at x.rs:1:2:\nleft: 1\nstack backtrace:\n   0: core::panicking\n             at /rustc/x.rs:3\n\n\n\
                   failures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed\n\nsuccesses:\n\n---- c stdout ----\nfine\n";
        let said = ["---- b stdout ----", "thread 'b' panicked at x.rs:1:2:", "left: 1", "stack backtrace:", "    b"];
        assert_eq!(failures(log).into_iter().filter(|line| *line != "failures:").collect::<Vec<_>>(), said);
        assert!(failures("").is_empty());
    }

    #[test]
    fn so_is_it_where_nextest_runs_them() {
        let log = "        PASS [   0.1s] (1/3) a one\n  stdout ───\n\n    panicked, and was meant to\n    test result: ok. 1 passed\n\n\
                   left out: recordings (install: them)\n        FAIL [   0.2s] (2/3) b two\n  stderr ───\n    panicked at x.rs:1:2:\n\
                   \n      1: core::panicking\n               at /rustc/x.rs:3\n        PASS [   0.1s] (3/3) a three\n────────────\n\
                   \u{20}    Summary [   1.0s] 3 tests run\n        FAIL [   0.2s] (2/3) b two\n";
        let said =
            ["        FAIL [   0.2s] (2/3) b two", "  stderr ───", "    panicked at x.rs:1:2:", "        FAIL [   0.2s] (2/3) b two"];
        assert_eq!(failures(log), said);
        let mut shows = unless_it_passed();
        let shown: Vec<&str> = log.lines().filter(|line| shows(line)).collect();
        assert_eq!(shown.len(), 11, "{shown:#?}");
        assert!(!shown.iter().any(|line| line.contains("was meant to") || line.contains("left out")));
    }

    #[test]
    fn a_shared_folder_without_data_is_not_there() {
        let folder = std::env::temp_dir().join(format!("xtask-shared-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(shared_folder(folder.clone()), None);
        std::fs::create_dir_all(folder.join("data")).unwrap();
        assert!(shared_folder(folder.clone()).is_some());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
