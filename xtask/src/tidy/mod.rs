//! The rules of the house that no compiler knows. Each lives in a module of its own with good and bad examples as tests.

mod arrows;
mod bans;
mod fields;
mod layout;
mod lex;
mod metrics;
mod orderpath;
mod paths;
mod purity;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub(crate) use self::arrows::PURE;
use self::arrows::short;
use self::bans::{IN_PURE, IN_PURE_ABOVE_BOUNDED, OUTSIDE_BOUNDED};
use self::lex::{lex, marks_feature, marks_test, without};
use crate::workspace::Workspace;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, from the workspace's root.
    file: String,
    /// The line from 1; 0 for the whole file.
    line: usize,
    /// The rule's name, as the allow list knows it.
    rule: &'static str,
    /// What was found and what to do.
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: [{}] {}", self.file, self.rule, self.text),
            line => write!(f, "{}:{line}: [{}] {}", self.file, self.rule, self.text),
        }
    }
}

fn find(file: &str, line: usize, rule: &'static str, text: &str) -> Finding {
    Finding { file: file.to_owned(), line, rule, text: text.to_owned() }
}

/// An exception to a ban. It is reviewed here, not beside the code that wants it.
struct Allowed {
    /// The file, from the workspace's root.
    file: &'static str,
    /// The ban's name.
    rule: &'static str,
    /// How often the file may do it.
    most: usize,
    /// Why it does no harm.
    reason: &'static str,
}

/// All exceptions. One that is not used is itself an error.
const ALLOWED: &[Allowed] = &[
    Allowed {
        file: "crates/swarm/src/main.rs",
        rule: "thread",
        most: 1,
        reason: "worlds are lived side by side by a program of its own, which ends with them",
    },
    Allowed {
        file: "crates/sweep/src/board.rs",
        rule: "thread",
        most: 1,
        reason: "backtests are run side by side, at most WORKERS_MAX, in a scope that ends with them",
    },
    Allowed {
        file: "crates/gateway/src/work.rs",
        rule: "futures",
        most: 2,
        reason: "at most WORK_MAX by construction: each HTTP slot and WebSocket has one opening, one connection and one answer",
    },
    Allowed {
        file: "crates/app/src/dripping.rs",
        rule: "thread",
        most: 1,
        reason: "leaks on purpose, so that the detector can be seen to find it; only in builds with the feature `leak`",
    },
    Allowed {
        file: "crates/app/src/threads.rs",
        rule: "thread",
        most: 2,
        reason: "the one thread that trades, with a runtime of its own, joined at the stop; and those that write to terminal and log files",
    },
];

/// Runs every rule and prints what it finds; `false` when there is something.
pub(crate) fn run() -> Result<bool> {
    let workspace = Workspace::enter()?;
    let mut findings = arrows::scan(&workspace.packages);
    println!("tidy: what pure crates depend on");
    findings.extend(purity::run()?);
    for package in workspace.packages.iter().filter(|package| short(&package.name).is_some()) {
        findings.extend(layout::scan_package(package, &workspace.packages));
    }
    let files = layout::files()?;
    println!("tidy: {} files", files.len());
    for file in &files {
        let bytes = std::fs::read(file).with_context(|| format!("could not read {file}"))?;
        // Pictures and recordings are not text.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        findings.extend(layout::scan_text(file, &text));
        if file.ends_with(".rs") {
            findings.extend(layout::scan_ignored(file, &lex(&text)));
        }
    }
    findings.extend(metrics::scan(&files)?);
    let root = std::fs::read_to_string("Cargo.toml").context("could not read Cargo.toml")?;
    findings.extend(orderpath::scan_lints(&root, &workspace.packages, |path| std::fs::read_to_string(path).unwrap_or_default()));
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| Source::of(file).is_some()) {
        sources.push((file.clone(), std::fs::read_to_string(file).with_context(|| format!("could not read {file}"))?));
    }
    findings.extend(allow(scan_sources(&sources), ALLOWED));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(findings.is_empty())
}

/// A file of a crate's `src`.
struct Source<'a> {
    /// The crate's short name.
    of: &'a str,
}

impl<'a> Source<'a> {
    fn of(file: &'a str) -> Option<Self> {
        let (of, inside) = file.strip_prefix("crates/")?.split_once('/')?;
        (inside.starts_with("src/") && file.ends_with(".rs")).then_some(Self { of })
    }
}

/// Runs the rules for code over the sources of all crates; pairs of file and text.
fn scan_sources(sources: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tests = switched_off(sources, |_, attribute| marks_test(attribute));
    // The floor's tokio parts are behind a feature, and only those may touch the runtime.
    let gated = switched_off(sources, |of, attribute| marks_test(attribute) || (of == "bounded" && marks_feature(attribute, "\"tokio\"")));
    for (file, text) in sources {
        let Some(Source { of }) = Source::of(file) else { continue };
        let lexed = lex(text);
        let live = without(&lexed.tokens, marks_test);
        if !is_below(file, &tests) && !live.whole_file && of != "bounded" {
            findings.extend(bans::scan(file, &live.tokens, OUTSIDE_BOUNDED));
            findings.extend(fields::scan(file, &live.tokens, &lexed));
            if orderpath::is_on_it(file) {
                findings.extend(orderpath::scan(file, &live.tokens, &lexed));
            }
        }
        if PURE.contains(&of) && !is_below(file, &gated) {
            let live =
                without(&lexed.tokens, |attribute| marks_test(attribute) || (of == "bounded" && marks_feature(attribute, "\"tokio\"")));
            findings.extend(bans::scan(file, &live.tokens, IN_PURE));
            if of != "bounded" {
                findings.extend(bans::scan(file, &live.tokens, IN_PURE_ABOVE_BOUNDED));
            }
        }
    }
    findings
}

/// Files and folders of modules that an attribute in their parent switches off.
fn switched_off(sources: &[(String, String)], off: impl Fn(&str, &[lex::Token<'_>]) -> bool) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for (file, text) in sources {
        let Some(Source { of }) = Source::of(file) else { continue };
        let lexed = lex(text);
        let live = without(&lexed.tokens, |attribute| off(of, attribute));
        let path = Path::new(file);
        let folder = match path.file_name().and_then(|name| name.to_str()) {
            Some("lib.rs" | "main.rs" | "mod.rs") => path.with_file_name(""),
            _ => path.with_extension(""),
        };
        for module in live.modules {
            found.insert(folder.join(module));
            found.insert(folder.join(format!("{module}.rs")));
        }
    }
    found
}

fn is_below(file: &str, switched_off: &BTreeSet<PathBuf>) -> bool {
    Path::new(file).ancestors().any(|path| switched_off.contains(path))
}

/// Takes away what the list allows, and adds what is wrong with the list.
fn allow(findings: Vec<Finding>, list: &[Allowed]) -> Vec<Finding> {
    let mut kept = findings;
    for Allowed { file, rule, most, reason } in list {
        let before = kept.len();
        let (covered, rest): (Vec<_>, Vec<_>) = kept.into_iter().partition(|finding| (&*finding.file, finding.rule) == (file, rule));
        kept = rest;
        if before == kept.len() {
            kept.push(find(file, 0, rule, "is in the allow list of xtask/src/tidy/mod.rs and does not need to be"));
        }
        if covered.len() > *most {
            kept.extend(covered);
        }
        assert!(!reason.is_empty(), "an exception has a reason");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sources: &[(&str, &str)], expected: &[&str]) {
        let sources: Vec<_> = sources.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        let found: Vec<String> = scan_sources(&sources).iter().map(|f| format!("{}:{} {}", f.file, f.line, f.rule)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn rules_follow_the_crate() {
        let source = "use std::time::Instant;\nstruct A { a: Vec<u8> }\nfn f() { tokio::spawn(g()); }";
        check(&[("crates/web/src/lib.rs", source)], &["crates/web/src/lib.rs:3 spawn", "crates/web/src/lib.rs:2 field"]);
        check(&[("crates/bounded/src/lib.rs", source)], &["crates/bounded/src/lib.rs:1 clock"]);
        check(
            &[("crates/market/src/a.rs", source)],
            &["crates/market/src/a.rs:3 spawn", "crates/market/src/a.rs:2 field", "crates/market/src/a.rs:1 clock"],
        );
        check(&[("crates/market/tests/a.rs", source), ("crates/market/examples/a.rs", source)], &[]);
    }

    #[test]
    fn the_order_path_has_rules_of_its_own() {
        let source = "fn f() { a.unwrap(); loop { g(); } }";
        check(&[("crates/engine/src/a.rs", source)], &["crates/engine/src/a.rs:1 panic", "crates/engine/src/a.rs:1 loop"]);
        check(&[("crates/web/src/a.rs", source), ("crates/engine/tests/a.rs", source)], &[]);
        check(
            &[("crates/exchange/src/session/mod.rs", "#[cfg(test)]\nmod tests;"), ("crates/exchange/src/session/tests/mod.rs", source)],
            &[],
        );
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_left_alone() {
        let test = "use std::time::Instant;\nstruct A { a: Vec<u8> }";
        check(&[("crates/market/src/book.rs", "#[cfg(test)]\nmod tests;"), ("crates/market/src/book/tests.rs", test)], &[]);
        check(&[("crates/market/src/lib.rs", "#[cfg(test)]\nmod tests;"), ("crates/market/src/tests/cases.rs", test)], &[]);
        check(
            &[("crates/market/src/lib.rs", "mod tests;"), ("crates/market/src/tests.rs", test)],
            &["crates/market/src/tests.rs:2 field", "crates/market/src/tests.rs:1 clock"],
        );
    }

    #[test]
    fn the_floor_may_use_the_runtime_behind_its_feature_only() {
        let tasks = "use std::time::Instant;";
        check(&[("crates/bounded/src/lib.rs", "#[cfg(feature = \"tokio\")]\nmod tasks;"), ("crates/bounded/src/tasks.rs", tasks)], &[]);
        check(
            &[("crates/bounded/src/lib.rs", "mod tasks;"), ("crates/bounded/src/tasks.rs", tasks)],
            &["crates/bounded/src/tasks.rs:1 clock"],
        );
    }

    #[test]
    fn exceptions_cover_so_many_and_no_more() {
        let list = [Allowed { file: "a.rs", rule: "thread", most: 1, reason: "the runtime's own" }];
        let one = vec![find("a.rs", 1, "thread", "x")];
        assert!(allow(one.clone(), &list).is_empty());
        let two = vec![find("a.rs", 1, "thread", "x"), find("a.rs", 2, "thread", "x")];
        assert_eq!(allow(two, &list).len(), 2);
        assert_eq!(allow(vec![find("b.rs", 1, "thread", "x")], &list).len(), 2, "the other file, and the unused exception");
        assert_eq!(allow(one, &[]).len(), 1);
    }
}
