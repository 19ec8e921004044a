//! The dashboard's build: sources in `crates/web/ui`, result in `crates/web/dist`, which is committed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::{command, find_program, step, works};
use crate::report::Outcome;
use crate::workspace::Workspace;

const SOURCE: &str = "crates/web/ui";
const RESULT: &str = "crates/web/dist";

/// What to say where node is missing or too old.
const INSTALL: &str = "node 20.19 or newer with npm, from nodejs.org or your distribution";

/// Ends well where node is new enough for the dashboard's build tool.
const NEW_ENOUGH: &str = "const [major, minor] = process.versions.node.split('.').map(Number); \
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)";

/// Rebuilds the dashboard.
pub(crate) fn run() -> Result<bool> {
    Workspace::enter()?;
    let outcome = build()?;
    match &outcome {
        Outcome::Passed => println!("built {RESULT}"),
        Outcome::Failed(why) => println!("failed: {why}"),
        Outcome::LeftOut(how) => println!("could not build (install: {how})"),
    }
    Ok(outcome == Outcome::Passed)
}

/// Rebuilds the dashboard and fails if what was there before is not what its source gives.
pub(crate) fn check() -> Result<Outcome> {
    let before = contents(Path::new(RESULT))?;
    let outcome = build()?;
    if outcome != Outcome::Passed {
        return Ok(outcome);
    }
    let after = contents(Path::new(RESULT))?;
    Ok(match difference(&before, &after) {
        None => Outcome::Passed,
        Some(file) => Outcome::Failed(format!("{} was not what {SOURCE} gives; it has been rebuilt: commit it", file.display())),
    })
}

fn build() -> Result<Outcome> {
    if find_program(&["npm"]).is_none() || !works(command("node", &["--eval", NEW_ENOUGH])) {
        return Ok(Outcome::LeftOut(INSTALL.into()));
    }
    for arguments in [&["ci", "--no-audit", "--no-fund"][..], &["run", "build"]] {
        let mut npm = command("npm", arguments);
        npm.current_dir(SOURCE);
        let outcome = step(npm)?;
        if outcome != Outcome::Passed {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed)
}

/// Every file below a folder with its bytes; nothing when the folder is missing.
fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut contents(&path)?);
        } else {
            let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

/// The first file that is missing, new or changed.
fn difference<'a>(before: &'a BTreeMap<PathBuf, Vec<u8>>, after: &'a BTreeMap<PathBuf, Vec<u8>>) -> Option<&'a Path> {
    let changed = before.iter().find(|(path, bytes)| after.get(*path) != Some(*bytes));
    let new = after.iter().find(|(path, _)| !before.contains_key(*path));
    changed.or(new).map(|(path, _)| path.as_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, &str)], after: &[(&str, &str)], expected: Option<&str>) {
        let map = |files: &[(&str, &str)]| files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect();
        let (before, after) = (map(before), map(after));
        assert_eq!(difference(&before, &after), expected.map(Path::new));
    }

    #[test]
    fn changed_missing_and_new_files_are_found() {
        check(&[("a", "1"), ("b", "2")], &[("a", "1"), ("b", "2")], None);
        check(&[("a", "1"), ("b", "2")], &[("a", "1"), ("b", "3")], Some("b"));
        check(&[("a", "1"), ("b", "2")], &[("a", "1")], Some("b"));
        check(&[("a", "1")], &[("a", "1"), ("b", "2")], Some("b"));
    }

    #[test]
    fn folders_are_read_to_the_bottom() {
        let folder = std::env::temp_dir().join(format!("xtask-ui-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deep/er")).unwrap();
        std::fs::write(folder.join("deep/er/a.js"), "x").unwrap();
        let found = contents(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), 1);
        assert!(contents(&folder).unwrap().is_empty());
    }
}
