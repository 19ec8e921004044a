//! What pure crates may depend on, asked crate by crate: the workspace as a whole unifies features and would hide it.

use anyhow::{Context as _, Result};

use super::arrows::PURE;
use super::{Finding, find};
use crate::process::{capture, cargo};

/// Packages that bring a clock, sockets, threads, files or the system's randomness.
const BANNED: &[&str] = &[
    "tokio",
    "tokio-util",
    "tokio-tungstenite",
    "tokio-rustls",
    "rustls",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "reqwest",
    "hyper",
    "hyper-util",
    "axum",
    "tower",
    "sea-orm",
    "sqlx",
    "sqlx-core",
    "libsqlite3-sys",
    "getrandom",
    "rand_os",
    "fastrand",
    "chrono",
    "time",
    "rayon",
    "crossbeam-channel",
    "dirs",
    "tempfile",
    "notify",
    "metrics",
    "procfs",
    "tracing-subscriber",
];

/// Crate, banned package, the only package that may bring it, and why that does no harm.
const ALLOWED: &[(&str, &str, &str, &str)] = &[
    ("exchange", "getrandom", "ring", "signing is HMAC, which draws no random numbers"),
    ("sim", "getrandom", "ring", "by way of exchange, as above"),
];

/// Asks cargo for the tree of every pure crate.
pub(crate) fn run() -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for name in PURE {
        let package = format!("plimsoll-{name}");
        let tree = capture(cargo(&["tree", "--package", &package, "--edges", "normal", "--prefix", "depth", "--locked"]))
            .with_context(|| format!("could not see what {package} depends on"))?;
        findings.extend(scan(name, &tree));
    }
    Ok(findings)
}

/// Reads a tree whose lines start with their depth.
fn scan(name: &str, tree: &str) -> Vec<Finding> {
    let file = format!("crates/{name}/Cargo.toml");
    let mut findings = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (depth, rest) = line.split_at(digits);
        let (Ok(depth), Some(package)) = (depth.parse::<usize>(), rest.split_whitespace().next()) else { continue };
        above.truncate(depth);
        let parent = above.last().copied().unwrap_or_default();
        let allowed = ALLOWED.iter().any(|(of, what, by, _)| (*of, *what, *by) == (name, package, parent));
        if BANNED.contains(&package) && !allowed {
            let text = format!("pure crate {name} depends on {package}, brought by {parent}");
            findings.push(find(&file, 0, "purity", &text));
        }
        above.push(package);
    }
    if above.is_empty() {
        findings.push(find(&file, 0, "purity", &format!("cargo tree showed nothing for {name}")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, tree: &str, expected: &[&str]) {
        let texts: Vec<String> = scan(name, tree).into_iter().map(|finding| finding.text).collect();
        assert_eq!(texts.len(), expected.len(), "{texts:?}");
        for (text, part) in texts.iter().zip(expected) {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }

    #[test]
    fn banned_packages_are_found_at_any_depth() {
        check(
            "market",
            "0plimsoll-market v0.1.0 (/w)\n1arrayvec v0.7.8\n1tokio v1.54.1\n2mio v1.0.0 (*)",
            &["tokio, brought by plimsoll-market", "mio, brought by tokio"],
        );
    }

    #[test]
    fn a_name_that_only_begins_alike_is_not_banned() {
        check("market", "0plimsoll-market v0.1.0\n1time-core v0.1.0\n1hyperloglog v1.0.0", &[]);
    }

    #[test]
    fn an_exception_holds_for_its_bringer_only() {
        check("exchange", "0plimsoll-exchange v0.1.0\n1ring v0.17.14\n2getrandom v0.2.16", &[]);
        check("exchange", "0plimsoll-exchange v0.1.0\n1ring v0.17.14\n1rand v0.9.0\n2getrandom v0.3.0", &["brought by rand"]);
        check("market", "0plimsoll-market v0.1.0\n1ring v0.17.14\n2getrandom v0.2.16", &["brought by ring"]);
    }

    #[test]
    fn an_empty_tree_is_not_pure() {
        check("market", "", &["showed nothing"]);
    }
}
