//! Faults planted on purpose: each must be caught by the swarm, or the swarm proves nothing.
//!
//! A fault is a change of the source text, made in a copy under the target folder; the working tree is never touched. First the
//! worlds are lived without a fault: a world that fails anyway would catch everything.

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{capture, cargo};
use crate::workspace::Workspace;
use list::{MUTANTS, Mutant};

/// Worlds that a fault may live through before it counts as not caught.
const WORLDS: u64 = 300;

/// What was asked for.
struct Asked {
    /// Only faults with one of these in their name; none: all.
    parts: Vec<String>, // tidy: bounded by the command line
    worlds: u64,
    /// Threads of the simulation; without it as many as there are processors.
    threads: Option<u64>,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut asked = Self { parts: Vec::new(), worlds: WORLDS, threads: None };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut number = || -> Result<u64> {
                let text = rest.next().with_context(|| format!("{argument} wants a number"))?;
                text.parse()
                    .ok()
                    .filter(|number| (1..=100_000).contains(number))
                    .with_context(|| format!("{argument} {text} is not allowed"))
            };
            match argument.as_str() {
                "--worlds" => asked.worlds = number()?,
                "--threads" => asked.threads = Some(number()?),
                other if other.starts_with('-') => bail!("{other} is not known; known: TEXT ..., --worlds N, --threads N"),
                text => asked.parts.push(text.to_owned()),
            }
        }
        Ok(asked)
    }
}

/// What became of a fault.
enum Verdict {
    /// The first world that failed, and what it said.
    Caught(String),
    NotCaught,
    /// It cannot be built: what is planted has to be mended.
    DoesNotBuild,
}

impl Verdict {
    fn text(&self) -> &str {
        match self {
            Self::Caught(world) => world,
            Self::NotCaught => "NOT CAUGHT",
            Self::DoesNotBuild => "DOES NOT BUILD",
        }
    }
}

/// Plants each fault that was asked for in a copy and lives worlds until one fails; `false` when a fault is not caught.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let asked = Asked::parse(arguments)?;
    let is_wanted = |mutant: &&Mutant| asked.parts.is_empty() || asked.parts.iter().any(|part| mutant.name.contains(part));
    let wanted: Vec<&Mutant> = MUTANTS.iter().filter(is_wanted).collect();
    ensure!(!wanted.is_empty(), "no fault has {:?} in its name", asked.parts);
    let workspace = Workspace::enter()?;
    let folder = workspace.target.join("mutants");
    let (tree, build) = (folder.join("tree"), folder.join("build"));
    copy(&workspace.root, &tree)?;
    let begun = Instant::now();
    println!("{} faults, {} worlds each; first the worlds without one", wanted.len(), asked.worlds);
    match lives(&tree, &build, &asked)? {
        Verdict::NotCaught => println!("{} worlds hold ({:.0} s)", asked.worlds, begun.elapsed().as_secs_f64()),
        failed => bail!("without a fault: {}", failed.text()),
    }
    let mut table = Vec::new();
    for (at, mutant) in wanted.iter().enumerate() {
        let begun = Instant::now();
        println!("{:>2} of {}: {}", at + 1, wanted.len(), mutant.name);
        let kept = plant(&tree, mutant)?;
        let verdict = lives(&tree, &build, &asked);
        for (path, text) in kept.iter().rev() {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let (verdict, took) = (verdict?, begun.elapsed().as_secs_f64());
        println!("         {} ({took:.0} s)", verdict.text());
        table.push((mutant.name, verdict, took));
    }
    println!();
    for (name, verdict, took) in &table {
        println!("{name:<72} {took:>4.0} s  {}", verdict.text().chars().take(90).collect::<String>());
    }
    let caught = table.iter().filter(|(_, verdict, _)| matches!(verdict, Verdict::Caught(_))).count();
    println!("{caught} of {} planted faults are caught ({:.0} s)", table.len(), begun.elapsed().as_secs_f64());
    Ok(caught == table.len())
}

/// Copies what a build needs. Files that are the same stay, so that little is built anew.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    let files = capture(crate::process::command(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard", "Cargo.toml", "Cargo.lock", "crates", "xtask"],
    ))?;
    for file in files.lines() {
        let (from, to) = (root.join(file), tree.join(file));
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// Plants a fault; returns the files as they were.
fn plant(tree: &Path, mutant: &Mutant) -> Result<Vec<(PathBuf, String)>> {
    let mut kept = Vec::new();
    for (file, old, new) in mutant.changes {
        let path = tree.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(text.matches(old).count() == 1, "{}: {file} has not exactly one {old:?}", mutant.name);
        fs::write(&path, text.replace(old, new))?;
        kept.push((path, text));
    }
    Ok(kept)
}

/// Builds the simulation and lives worlds until one fails.
fn lives(tree: &Path, build: &Path, asked: &Asked) -> Result<Verdict> {
    let manifest = tree.join("Cargo.toml");
    let manifest = manifest.to_str().context("the target folder's name is not text")?;
    let mut program = cargo(&["build", "--locked", "--quiet", "--package", "plimsoll-swarm", "--manifest-path", manifest]);
    program.env("CARGO_TARGET_DIR", build).env("RUSTFLAGS", "--allow warnings");
    if !program.status()?.success() {
        return Ok(Verdict::DoesNotBuild);
    }
    // The same worlds for all: what is caught today is caught tomorrow.
    let mut worlds = std::process::Command::new(build.join("debug/plimsoll-swarm"));
    worlds.args(["--first", "1", "--stop-at-first", "--seeds", &asked.worlds.to_string()]);
    if let Some(threads) = asked.threads {
        worlds.args(["--threads", &threads.to_string()]);
    }
    let output = worlds.output().context("cannot run the swarm")?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(match said.lines().find(|line| line.starts_with("seed ")) {
        Some(line) => Verdict::Caught(line.to_owned()),
        None if output.status.success() => Verdict::NotCaught,
        None => bail!("the swarm fails without a world that does: {}", String::from_utf8_lossy(&output.stderr).trim()),
    })
}
