//! Faults planted on purpose: each must be caught by the swarm, or the swarm proves nothing.
//!
//! A fault is a change of the source text, made in a copy under the target folder; the working tree is never touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::process::{capture, cargo};
use crate::workspace::Workspace;

/// A change of one file.
type Change = (&'static str, &'static str, &'static str);

/// A fault: its name, what it does, and the changes that plant it.
struct Mutant {
    name: &'static str,
    changes: &'static [Change],
}

const SYNC: &str = "crates/position/src/sync.rs";
const BOOKING: &str = "crates/position/src/position/booking.rs";
const ANSWERS: &str = "crates/position/src/position/answers.rs";
const SNAPSHOT: &str = "crates/position/src/position/snapshot.rs";
const POSITION: &str = "crates/position/src/position/mod.rs";
const ENGINE: &str = "crates/engine/src/engine.rs";

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "an execution of the stream is booked as often as it is told",
        changes: &[(SYNC, "        if self.is_booked(id) {\n            return Verdict::Seen;\n        }\n        match", "        match")],
    },
    Mutant {
        name: "an execution that was overtaken counts as seen",
        changes: &[(
            SYNC,
            "self.watermark.is_some_and(|w| id <= w) || self",
            "self.recent.last().is_some_and(|(last, _)| id <= *last) || self.watermark.is_some_and(|w| id <= w) || self",
        )],
    },
    Mutant {
        name: "a catch-up that the stream was ahead of counts as complete",
        changes: &[(SYNC, "if self.ahead > self.watermark {", "if false {")],
    },
    Mutant {
        name: "a page asked for before the gap closes the gap",
        changes: &[(
            BOOKING,
            "if page.last && self.sync.state == SyncState::Fetching && page.asked_at >= self.sync.since {",
            "if page.last && self.sync.state == SyncState::Fetching {",
        )],
    },
    Mutant {
        name: "a request without an answer counts as not sent",
        changes: &[(POSITION, "self.on_unknown(now, *id, *request, out),", "self.on_not_sent(now, *id, *request),")],
    },
    Mutant {
        name: "503 counts as refused",
        changes: &[(
            "crates/exchange/src/binance/error.rs",
            "(_, -1000 | -1001 | -1006 | -1007) => Outcome::Unknown,",
            "(_, -1000 | -1001 | -1006 | -1007) => Outcome::NotDone,",
        )],
    },
    Mutant {
        name: "\"no such order\" is believed at once",
        changes: &[
            (ANSWERS, "if now < order.sent_at + window {", "if now < order.sent_at {"),
            (
                "crates/exchange/src/session/answers.rs",
                "Some(settled) if pending.sent_at < *settled =>",
                "Some(settled) if pending.sent_at > *settled =>",
            ),
        ],
    },
    Mutant {
        name: "a slot may have a second order",
        changes: &[
            (POSITION, "        if slot.order.is_some() {\n            return Err(PlaceError::SlotBusy);\n        }\n", ""),
            (
                "crates/engine/src/reconcile.rs",
                "Some(Slot { order: Some(at), order_side, .. }) => {",
                "Some(Slot { order: Some(at), order_side, .. }) if *order_side == quote.side => {",
            ),
        ],
    },
    Mutant {
        name: "orders of an earlier run are not taken over",
        changes: &[(SNAPSHOT, "None => changes.add(self.adopt(now, id, report, out)),", "None => {}")],
    },
    Mutant {
        name: "orders of the engine before this one are not taken over",
        changes: &[(SNAPSHOT, "id.run() == self.cfg.run && id.generation() > self.first_generation", "id.run() == self.cfg.run")],
    },
    Mutant {
        name: "after a restart orders are placed at once",
        changes: &[(ENGINE, "if boot.state.is_some() { Quiet::Due }", "if boot.state.is_none() { Quiet::Due }")],
    },
    Mutant {
        name: "generations stand still",
        changes: &[(POSITION, "        self.generation += 1;\n", "        self.generation |= 1;\n")],
    },
    Mutant {
        name: "an engine built anew counts its ids from the start",
        changes: &[(POSITION, "(u64::from(cfg.series) << SERIES_BITS) + cfg.placed_before;", "u64::from(cfg.series) << SERIES_BITS;")],
    },
    Mutant {
        name: "executions are booked and not stored",
        changes: &[(
            BOOKING,
            "        out.push(Action::Record(Box::new(self.record(row, Some(booked), slot_row))));\n",
            "        let _unstored = (row, Some(booked), slot_row);\n",
        )],
    },
    Mutant {
        name: "where trading began is not stored",
        changes: &[(
            ENGINE,
            "if books.totals.is_none() && state.baseline.is_some() {",
            "if books.totals.is_some() && state.baseline.is_none() {",
        )],
    },
    Mutant {
        name: "the first order does not wait for the anchor to be on disk",
        changes: &[(
            ENGINE,
            "                self.commit(out);\n                return;\n            }\n            if self.committed < self.state.version {\n                return;\n            }\n",
            "                self.anchored = self.state.version > u64::MAX - 1;\n            }\n",
        )],
    },
    Mutant {
        name: "a closed gate opens",
        changes: &[(
            "crates/safety/src/gate.rs",
            "Some(closed) if !closed.withdraws() => tolerated |= bit,",
            "Some(closed) if !closed.withdraws() => allowed |= bit,",
        )],
    },
    Mutant { name: "what is sold stays in its slot", changes: &[(BOOKING, "                        slot.held -= sold;\n", "")] },
    Mutant {
        name: "fees are forgotten",
        changes: &[("crates/position/src/holding.rs", "totals.fees += fill.fee.units;", "totals.fees += fill.fee.units.min(0);")],
    },
    Mutant {
        name: "pings count as market data",
        changes: &[("crates/exchange/src/session/conns.rs", "if self.role == Role::User {", "if self.role != Role::Books(u8::MAX) {")],
    },
    Mutant {
        name: "a stop ends before the exchange confirms that nothing is open",
        changes: &[
            (ENGINE, "            StopMode::Cancel => view.orders.is_empty(),", "            StopMode::Cancel => true,"),
            (
                ENGINE,
                "if snapshot.asked_at >= at && !snapshot.open.iter().any(|report| ours(report.id)) =>",
                "if snapshot.asked_at >= at && !snapshot.open.iter().any(|report| report.id.is_none() && ours(report.id)) =>",
            ),
        ],
    },
    Mutant {
        name: "everybody's orders are ours",
        changes: &[
            (BOOKING, "id.filter(|id| id.tag() == self.cfg.tag)", "id"),
            ("crates/exchange/src/session/answers.rs", "id.filter(|id| id.tag() == self.config.tag)", "id"),
        ],
    },
];

/// Plants each fault (those with `part` in their name) in a copy and lives worlds until one fails; `false` when a fault is not caught.
pub(crate) fn run(part: &str) -> Result<bool> {
    let workspace = Workspace::enter()?;
    let folder = workspace.target.join("mutants");
    let tree = folder.join("tree");
    copy(&workspace.root, &tree)?;
    let wanted: Vec<&Mutant> = MUTANTS.iter().filter(|mutant| mutant.name.contains(part)).collect();
    ensure!(!wanted.is_empty(), "no fault has {part:?} in its name");
    let mut missed = Vec::new();
    for (at, mutant) in wanted.iter().enumerate() {
        let begun = Instant::now();
        let kept = plant(&tree, mutant)?;
        let caught = lives(&tree, &folder.join("build"));
        for (path, text) in kept.iter().rev() {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let caught = caught?;
        let verdict = caught.as_deref().unwrap_or("NOT CAUGHT");
        println!("{:>2} of {}: {}: {verdict} ({:.0} s)", at + 1, wanted.len(), mutant.name, begun.elapsed().as_secs_f64());
        if caught.is_none() {
            missed.push(mutant.name);
        }
    }
    println!("{} of {} planted faults are caught", wanted.len() - missed.len(), wanted.len());
    Ok(missed.is_empty())
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

/// Lives worlds until one fails; returns what the first one said.
fn lives(tree: &Path, build: &Path) -> Result<Option<String>> {
    let manifest = tree.join("Cargo.toml");
    let manifest = manifest.to_str().context("the target folder's name is not text")?;
    let mut program = cargo(&["build", "--locked", "--quiet", "--package", "plimsoll-swarm", "--manifest-path", manifest]);
    program.env("CARGO_TARGET_DIR", build).env("RUSTFLAGS", "--allow warnings");
    ensure!(program.status()?.success(), "a planted fault does not compile");
    // The same worlds for all: what is caught today is caught tomorrow.
    let mut worlds = std::process::Command::new(build.join("debug/plimsoll-swarm"));
    worlds.args(["--first", "1", "--seeds", "1000", "--stop-at-first"]);
    let output = worlds.output().context("cannot run the swarm")?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(if output.status.success() { None } else { said.lines().find(|line| line.starts_with("seed ")).map(str::to_owned) })
}
