//! Which crate may name which: the arrows of ARCHITECTURE.md.

use super::{Finding, find};
use crate::workspace::Package;

/// Every crate with the crates that it stands on. What those stand on may be named as well, and `bounded` by all.
///
/// ```text
/// bounded ◀ market ◀ position ◀ { strategy, safety } ◀ engine ◀ sim ◀ { testnet ◀ swarm, backtest ◀ sweep }
///           market ◀ exchange ◀ { gateway, sim, testnet }
///           market ◀ { storage, monitor, web, notify, logs }                               engine ◀ journal
/// app ─▶ all      xtask ─▶ none
/// ```
const ARROWS: &[(&str, &[&str])] = &[
    ("bounded", &[]),
    ("market", &["bounded"]),
    ("position", &["market"]),
    ("strategy", &["position"]),
    ("safety", &["position"]),
    ("engine", &["strategy", "safety"]),
    ("exchange", &["market"]),
    ("journal", &["engine"]),
    ("sim", &["engine", "exchange"]),
    ("gateway", &["exchange"]),
    ("testnet", &["sim", "exchange"]),
    ("swarm", &["testnet"]),
    ("backtest", &["sim"]),
    ("sweep", &["backtest"]),
    ("storage", &["market"]),
    ("monitor", &["market"]),
    ("web", &["market"]),
    ("notify", &["market"]),
    ("logs", &["market"]),
    ("app", &["testnet", "swarm", "backtest", "sweep", "journal", "gateway", "storage", "monitor", "web", "notify", "logs"]),
];

/// Crates that decide and never wait.
pub(crate) const PURE: &[&str] = &["bounded", "market", "exchange", "position", "strategy", "safety", "engine", "sim"];

const PREFIX: &str = "plimsoll-";

/// The name without the prefix, for a crate of the house.
pub(crate) fn short(package: &str) -> Option<&str> {
    package.strip_prefix(PREFIX)
}

/// Whether `from` stands, directly or not, on `to`.
fn may_name(from: &str, to: &str) -> bool {
    let below = ARROWS.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, below)| below);
    to == "bounded" || below.iter().any(|&next| next == to || may_name(next, to))
}

/// Finds dependencies, also those of tests, that follow no arrow, and crates that the table does not know.
pub(crate) fn scan(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let manifest = package.folder.join("Cargo.toml").display().to_string();
        let of_house = package.dependencies.iter().filter_map(|name| short(name));
        match short(&package.name) {
            Some(name) if ARROWS.iter().any(|(known, _)| *known == name) => {
                for dependency in of_house.filter(|dependency| *dependency != name && !may_name(name, dependency)) {
                    findings.push(find(&manifest, 0, "arrow", &format!("{name} may not name {dependency} (see ARCHITECTURE.md)")));
                }
            }
            Some(name) => {
                let text = format!("{name} has no arrows yet: enter it in xtask/src/tidy/arrows.rs and in ARCHITECTURE.md");
                findings.push(find(&manifest, 0, "arrow", &text));
            }
            None if package.name == "xtask" => {
                for dependency in of_house {
                    findings.push(find(&manifest, 0, "arrow", &format!("xtask may not name {dependency}: it names none")));
                }
            }
            None => findings.push(find(&manifest, 0, "arrow", &format!("{} is not called {PREFIX}…", package.name))),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check(name: &str, dependencies: &[&str], expected: usize) {
        let package = Package {
            name: name.into(),
            folder: "x".into(),
            dependencies: dependencies.iter().map(|&d| d.to_owned()).collect(),
            examples: vec![],
            benches: vec![],
            features: BTreeSet::new(),
        };
        let found = scan(&[package]);
        assert_eq!(found.len(), expected, "{found:?}");
    }

    #[test]
    fn arrows_of_the_design_are_allowed() {
        check(
            "plimsoll-engine",
            &["plimsoll-safety", "plimsoll-strategy", "plimsoll-position", "plimsoll-market", "plimsoll-bounded", "arrayvec"],
            0,
        );
        check("plimsoll-sim", &["plimsoll-engine", "plimsoll-exchange"], 0);
        check("plimsoll-testnet", &["plimsoll-sim", "plimsoll-exchange"], 0);
        check("plimsoll-app", &["plimsoll-web", "plimsoll-gateway", "plimsoll-position"], 0);
        check("xtask", &["anyhow"], 0);
    }

    #[test]
    fn arrows_against_the_design_are_found() {
        check("plimsoll-strategy", &["plimsoll-safety"], 1);
        check("plimsoll-market", &["plimsoll-position", "plimsoll-exchange"], 2);
        check("plimsoll-bounded", &["plimsoll-market"], 1);
        check("plimsoll-engine", &["plimsoll-exchange"], 1);
        check("plimsoll-gateway", &["plimsoll-engine"], 1);
        check("plimsoll-web", &["plimsoll-storage", "plimsoll-monitor"], 2);
        check("plimsoll-monitor", &["plimsoll-app"], 1);
        check("xtask", &["plimsoll-market"], 1);
    }

    #[test]
    fn unknown_crates_are_found() {
        check("plimsoll-misc", &[], 1);
        check("helpers", &[], 1);
    }

    #[test]
    fn pure_crates_stand_on_pure_crates_only() {
        for pure in PURE {
            for (other, _) in ARROWS.iter().filter(|(other, _)| may_name(pure, other)) {
                assert!(PURE.contains(other), "{pure} may name {other}");
            }
        }
    }
}
