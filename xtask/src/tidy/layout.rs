//! Files: their size, the words that do not belong in them, and what every crate must have.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::lex::Lexed;
use super::{Finding, find};
use crate::process::{capture, command};
use crate::workspace::Package;

/// Lines that a source file may have; beyond it is taken apart.
const LINES_MAX: usize = 800;

/// Endings of files that people write and read line by line.
const SOURCE_ENDINGS: &[&str] = &["rs", "py", "sh", "ts", "tsx", "js", "mjs", "css", "html", "svelte"];

/// Built or recorded files, which nobody edits.
const GENERATED: &[&str] = &["crates/web/dist/", "Cargo.lock", "package-lock.json"];

/// Files of the repository, new ones included, ignored ones left out.
pub(crate) fn files() -> Result<Vec<String>> {
    let listed = capture(command("git", &["ls-files", "--cached", "--others", "--exclude-standard", "-z"]))
        .context("tidy reads the files that git knows")?;
    // A file that was deleted but not yet committed is still listed.
    let files = listed.split('\0').filter(|file| !file.is_empty() && Path::new(file).is_file());
    Ok(files.map(str::to_owned).collect())
}

/// Whether a person wrote it.
pub(crate) fn is_written(file: &str) -> bool {
    !GENERATED.iter().any(|part| file.starts_with(part) || file.ends_with(part))
}

/// A word that does not belong in a file.
struct Word {
    word: String,
    why: &'static str,
    /// Only in source files: documents may speak of it.
    in_source_only: bool,
}

fn banned_words() -> [Word; 4] {
    let word = |parts: [&str; 2], why, in_source_only| Word { word: parts.concat(), why, in_source_only };
    // Put together here so that this file passes its own check.
    [
        word(["sub", "agent"], "the repository speaks of the product alone", false),
        word(["helper", " session"], "the repository speaks of the product alone", false),
        word(["/wo", "rk/"], "a path of one machine", false),
        word(["FIX", "ME"], "is fixed before it is merged", true),
    ]
}

/// Checks one file's text.
pub(crate) fn scan_text(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let source = Path::new(file).extension().is_some_and(|ending| SOURCE_ENDINGS.iter().any(|known| ending == *known));
    let lines = text.lines().count();
    if source && is_written(file) && lines > LINES_MAX {
        findings.push(find(file, LINES_MAX + 1, "size", &format!("{lines} lines, {LINES_MAX} are allowed: take it apart")));
    }
    let words = banned_words();
    for (number, line) in text.lines().enumerate() {
        for Word { word, why, in_source_only } in &words {
            if (source || !in_source_only) && line.to_lowercase().contains(&word.to_lowercase()) {
                findings.push(find(file, number + 1, "word", &format!("{word}: {why}")));
            }
        }
        if file.ends_with("package-lock.json") && line.contains("\"resolved\": \"http") && !line.contains("\"https://registry.npmjs.org/") {
            findings.push(find(file, number + 1, "word", "a package from elsewhere than the public registry"));
        }
    }
    findings
}

/// Finds tests that are switched off.
pub(crate) fn scan_ignored(file: &str, lexed: &Lexed<'_>) -> Vec<Finding> {
    let found = lexed.tokens.windows(3).filter(|three| matches!(three, [a, b, c] if a.is("#") && b.is("[") && c.is("ignore")));
    let lines = found.filter_map(|three| Some(three.first()?.line));
    lines.map(|line| find(file, line, "ignored", "a test that does not run proves nothing: run it or remove it")).collect()
}

/// What every crate of the house has: a README and an example whose name no other crate uses.
pub(crate) fn scan_package(package: &Package, others: &[Package]) -> Vec<Finding> {
    let folder = package.folder.display().to_string();
    let mut findings = Vec::new();
    let readme = std::fs::read_to_string(package.folder.join("README.md")).unwrap_or_default();
    if readme.lines().count() < 3 {
        findings.push(find(&folder, 0, "crate", "has no README.md that says something"));
    }
    // The program is its own example.
    if package.examples.is_empty() && package.name != "plimsoll-app" {
        findings.push(find(&folder, 0, "crate", "has no example in examples/"));
    }
    for example in &package.examples {
        if let Some(other) = others.iter().find(|other| other.name != package.name && other.examples.contains(example)) {
            // Cargo would build both into the same file.
            findings.push(find(&folder, 0, "crate", &format!("example {example} is called like one of {}", other.name)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lex::lex;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[&str]) {
        let found = scan_text(file, text);
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, expected, "{found:?}");
    }

    #[test]
    fn the_line_limit_has_two_sides() {
        check("a.rs", &"x\n".repeat(LINES_MAX), &[]);
        check("a.rs", &"x\n".repeat(LINES_MAX + 1), &["size"]);
        check("crates/web/dist/a.js", &"x\n".repeat(LINES_MAX + 1), &[]);
        check("data.json", &"x\n".repeat(LINES_MAX + 1), &[]);
    }

    #[test]
    fn banned_words_are_found() {
        for Word { word, in_source_only, .. } in banned_words() {
            let text = format!("good\nbad {}\n", word.to_uppercase());
            check("a.rs", &text, &["word"]);
            check("a.md", &text, if in_source_only { &[] } else { &["word"] });
        }
        check("a.rs", "works, agents, sessions, fixed\n", &[]);
    }

    #[test]
    fn packages_come_from_the_public_registry() {
        check("ui/package-lock.json", "  \"resolved\": \"https://registry.npmjs.org/a/-/a-1.tgz\",", &[]);
        check("ui/package-lock.json", "  \"resolved\": \"http://mirror.local/a-1.tgz\",", &["word"]);
    }

    #[test]
    fn ignored_tests_are_found_in_code_only() {
        assert_eq!(scan_ignored("a.rs", &lex("#[test]\n#[ignore = \"slow\"]\nfn a() {}")).len(), 1);
        assert!(scan_ignored("a.rs", &lex("// #[ignore]\nlet a = \"#[ignore]\";")).is_empty());
    }

    #[test]
    fn crates_need_a_readme_and_an_example_of_their_own() {
        let package = |name: &str, examples: &[&str]| Package {
            name: name.into(),
            folder: "no/such/folder".into(),
            dependencies: vec![],
            examples: examples.iter().map(|&e| e.to_owned()).collect(),
            benches: vec![],
            features: BTreeSet::new(),
        };
        let others = [package("a", &["same"]), package("b", &["same"]), package("c", &[])];
        let texts = |package: &Package| scan_package(package, &others).len();
        assert_eq!(texts(&others[0]), 2, "no README, and a name used twice");
        assert_eq!(texts(&others[2]), 2, "no README, and no example");
        let this = Package { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/market"), ..package("d", &["own"]) };
        assert!(scan_package(&this, &others).is_empty());
    }
}
