//! Code between a market event and its order: it does not panic, has no loop without an end, and holds no lock while it waits.

use std::path::Path;

use super::fields::noted;
use super::lex::{Lexed, Token};
use super::{Finding, find};
use crate::workspace::Package;

/// Folders and files of the order path, from the workspace's root.
const PATH: &[&str] = &[
    "crates/position/src/",
    "crates/strategy/src/",
    "crates/safety/src/",
    "crates/engine/src/",
    "crates/exchange/src/session/",
    "crates/gateway/src/",
    "crates/app/src/trade/",
];

/// Opens the comment that says why a loop ends.
const BOUNDED: &str = "bounded: ";

/// Opens the comment that says why something can only happen by a bug of ours.
const BUG: &str = "bug of ours: ";

/// Methods that panic instead of answering.
const PANICKING: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err"];

/// Macros that panic. Asserts are not among them: they are how a bug of ours is noticed, and the loop catches them.
const PANICS: &[&str] = &["panic", "unreachable", "todo", "unimplemented"];

/// Lints without which a lock could be held while a task waits.
const LINTS: &[&str] = &["await_holding_lock", "await_holding_refcell_ref"];

/// Whether a file is part of the order path.
pub(crate) fn is_on_it(file: &str) -> bool {
    PATH.iter().any(|path| file.starts_with(path))
}

/// Finds panics and loops without an end, in code from which tests have been left out.
pub(crate) fn scan(file: &str, live: &[Token<'_>], lexed: &Lexed<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, token) in live.iter().enumerate() {
        let is = |place: Option<usize>, text: &str| place.and_then(|place| live.get(place)).is_some_and(|token| token.is(text));
        let (before, after) = (at.checked_sub(1), Some(at + 1));
        let said = |note: &str| noted(&lexed.comments, token.line.saturating_sub(1), token.line, note);
        let method = (is(before, ".") || is(before, "::")) && is(after, "(");
        if method && PANICKING.iter().any(|name| token.is(name)) {
            let text = format!("{}: the order path answers instead of panicking; say what happens without a value", token.text);
            findings.push(find(file, token.line, "panic", &text));
        }
        if is(after, "!") && PANICS.iter().any(|name| token.is(name)) && !said(BUG) {
            let text = format!("{}!: answer instead, or say above it `// {BUG}…`", token.text);
            findings.push(find(file, token.line, "panic", &text));
        }
        let endless = (token.is("loop") && is(after, "{")) || (token.is("while") && is(after, "true") && is(Some(at + 2), "{"));
        if endless && !said(BOUNDED) {
            let text = format!("{}: say above it what ends it, `// {BOUNDED}…`", token.text);
            findings.push(find(file, token.line, "loop", &text));
        }
    }
    findings
}

/// Finds a workspace that does not forbid to hold a lock over an await, and packages that do not follow it.
pub(crate) fn scan_lints(root: &str, packages: &[Package], manifest: impl Fn(&Path) -> String) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lints = section(root, "[workspace.lints.clippy]");
    for lint in LINTS {
        let denied = lints.lines().any(|line| line.split_once('=').is_some_and(|(name, level)| name.trim() == *lint && denies(level)));
        if !denied {
            findings.push(find("Cargo.toml", 0, "lock", &format!("[workspace.lints.clippy] does not deny {lint}")));
        }
    }
    for package in packages {
        let path = package.folder.join("Cargo.toml");
        if !section(&manifest(&path), "[lints]").lines().any(|line| line.replace(' ', "") == "workspace=true") {
            findings.push(find(
                &path.display().to_string(),
                0,
                "lock",
                "does not follow the lints of the workspace: `[lints] workspace = true`",
            ));
        }
    }
    findings
}

fn denies(level: &str) -> bool {
    let level = level.trim();
    level == "\"deny\"" || level == "\"forbid\"" || level.contains("level = \"deny\"")
}

/// The lines of a manifest's section.
fn section<'a>(manifest: &'a str, name: &str) -> &'a str {
    let Some(from) = manifest.find(name) else { return "" };
    let rest = manifest.get(from + name.len()..).unwrap_or_default();
    rest.find("\n[").and_then(|end| rest.get(..end)).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lex::{lex, marks_test, without};
    use std::collections::BTreeSet;

    #[track_caller]
    fn check(source: &str, expected: &[&str]) {
        let lexed = lex(source);
        let live = without(&lexed.tokens, marks_test);
        let found: Vec<String> =
            scan("crates/engine/src/a.rs", &live.tokens, &lexed).iter().map(|f| format!("{} {}", f.line, f.rule)).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn panics_are_found() {
        for source in [
            "fn f() { a.unwrap(); }",
            "fn f() { a.expect(\"there\"); }",
            "fn f() { a.unwrap_err(); }",
            "fn f() { Option::unwrap(a); }",
            "fn f() { panic!(\"no\"); }",
            "fn f() { match a { 1 => {} _ => unreachable!() } }",
            "fn f() { todo!() }",
            "fn f() { std::unimplemented!() }",
        ] {
            check(source, &["1 panic"]);
        }
    }

    #[test]
    fn loops_without_an_end_are_found() {
        check("fn f() { loop { g(); } }", &["1 loop"]);
        check("fn f() { let a = 'outer: loop { break 'outer 1; }; }", &["1 loop"]);
        check("fn f() {\n  // until it is done\n  while true { g(); } }", &["3 loop"]);
        check("fn f() {\n  // bounded: so\n  g();\n  loop { g(); } }", &["4 loop"]);
    }

    #[test]
    fn what_says_why_is_left_alone() {
        check("fn f() {\n  // bounded: by the stop, and each turn waits\n  loop { g(); } }", &[]);
        check("fn f() { loop { g(); } // bounded: by the list it empties\n}", &[]);
        check("fn f() {\n  // bug of ours: the table has every job\n  unreachable!() }", &[]);
        check("fn f() { assert!(a); debug_assert_eq!(a, b); a.unwrap_or(1); a.unwrap_or_default(); }", &[]);
        check("#[expect(clippy::expect_used)] fn f() { let expect = 1; while a { } }", &[]);
        check("#[cfg(test)] mod tests { fn f() { a.unwrap(); loop { panic!(); } } }", &[]);
        check("/// a.unwrap() panic!() loop { }\nfn f() { let s = \"panic!()\"; }", &[]);
    }

    #[test]
    fn the_order_path_is_where_orders_are_made() {
        for file in ["crates/engine/src/engine.rs", "crates/exchange/src/session/core.rs", "crates/app/src/trade/symbol.rs"] {
            assert!(is_on_it(file), "{file}");
        }
        for file in
            ["crates/exchange/src/binance/sign.rs", "crates/app/src/run.rs", "crates/engine/tests/script.rs", "crates/web/src/lib.rs"]
        {
            assert!(!is_on_it(file), "{file}");
        }
        // A folder that was renamed would be looked at no more.
        for path in PATH {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).is_dir(), "{path}");
        }
    }

    fn package() -> Package {
        Package {
            name: "plimsoll-x".into(),
            folder: "crates/x".into(),
            dependencies: vec![],
            examples: vec![],
            benches: vec![],
            features: BTreeSet::new(),
        }
    }

    #[test]
    fn lints_that_are_missing_are_found() {
        let check = |root: &str, manifest: &str, expected: usize| {
            let found = scan_lints(root, &[package()], |_| manifest.to_owned());
            assert_eq!(found.len(), expected, "{found:?}");
        };
        let good = "[workspace.lints.clippy]\nawait_holding_lock = \"deny\"\nawait_holding_refcell_ref = \"deny\"\n[profile.dev]\n";
        check(good, "[lints]\nworkspace = true\n\n[dependencies]\n", 0);
        check(good, "[dependencies]\n", 1);
        check(&good.replace("lock = \"deny\"", "lock = \"warn\""), "[lints]\nworkspace = true\n", 1);
        check("[workspace.lints.rust]\nawait_holding_lock = \"deny\"\n", "[lints]\nworkspace = true\n", 2);
        check("[workspace.lints.clippy]\nall = \"warn\"\n[other]\nawait_holding_lock = \"deny\"\n", "[lints]\nworkspace=true", 2);
    }

    /// The lint itself, on a crate that holds a lock while it waits.
    #[test]
    fn a_lock_held_over_an_await_does_not_pass() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
        let lints = section(&root, "[workspace.lints.clippy]");
        let manifest = format!("[package]\nname = \"planted\"\nedition = \"2024\"\n[workspace]\n[lints.clippy]{lints}\n");
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        let clippy = |source: &str| {
            std::fs::write(folder.path().join("src/lib.rs"), source).unwrap();
            let mut command = std::process::Command::new(env!("CARGO"));
            command.args(["clippy", "--offline", "--quiet"]).current_dir(folder.path());
            command.env("CARGO_TARGET_DIR", folder.path().join("target")).env_remove("RUSTFLAGS");
            let output = command.output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (passed, said) = clippy("//! Good.\n");
        if !passed && (said.contains("not installed") || said.contains("no such command")) {
            eprintln!("left out: a planted lock over an await (install: rustup component add clippy)");
            return;
        }
        assert!(passed, "{said}");
        let (passed, said) = clippy(
            "//! Planted.\n/// Holds it.\npub async fn f(lock: &std::sync::Mutex<u8>) {\n    let held = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);\n    std::future::ready(()).await;\n    drop(held);\n}\n",
        );
        assert!(!passed && said.contains("await_holding_lock"), "{said}");
    }
}
