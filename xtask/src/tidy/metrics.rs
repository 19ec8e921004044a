//! What is shipped beside the program agrees with it: rules and dashboards name metrics that exist, each rule has a
//! test, and the container's memory limit has room for the budget that is planned in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::{Finding, find};

/// The list of metrics, written by the program's own tests.
const METRICS: &str = "docs/metrics.md";
/// Alert rules and their tests.
const RULES: &str = "config/prometheus/rules.yml";
const RULE_TESTS: &str = "config/prometheus/rules.test.yml";
/// Where limit and budget of the container stand.
const COMPOSE: &str = "docker-compose.yml";

/// Share of a memory limit that the bot plans with.
const PLANNED_PERCENT: u64 = 70;

/// Runs the rules over those of these files that they are about.
pub(crate) fn scan(files: &[String]) -> Result<Vec<Finding>> {
    let read = |file: &str| std::fs::read_to_string(file).with_context(|| format!("could not read {file}"));
    let mut findings = Vec::new();
    let has = |file: &str| files.iter().any(|other| other == file);
    let users = files.iter().filter(|file| names_metrics(file));
    if has(METRICS) {
        let list = read(METRICS)?;
        let known = families(&list);
        for file in users {
            findings.extend(scan_names(file, &read(file)?, &known));
        }
    } else if users.count() > 0 {
        findings.push(find(METRICS, 0, "metrics", "is missing: rules and dashboards cannot be checked against the metrics that exist"));
    }
    if has(RULES) {
        let tests = if has(RULE_TESTS) { read(RULE_TESTS)? } else { String::new() };
        findings.extend(scan_tests(&read(RULES)?, &tests));
    }
    if has(COMPOSE) {
        findings.extend(scan_memory(&read(COMPOSE)?));
    }
    Ok(findings)
}

fn names_metrics(file: &str) -> bool {
    let ending = |known: &str| file.ends_with(known);
    (file.starts_with("config/prometheus/") && ending(".yml")) || (file.starts_with("config/grafana/") && ending(".json"))
}

/// The families of the list's table with their kinds.
fn families(list: &str) -> BTreeMap<&str, &str> {
    let rows = list.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((name, cells.next()?))
    });
    rows.collect()
}

/// Finds names that no family has. A histogram's series have endings of their own.
fn scan_names(file: &str, text: &str, known: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let exists = |name: &str| {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().filter_map(|ending| name.strip_suffix(ending));
        known.contains_key(name) || of_histogram.into_iter().any(|base| known.get(base) == Some(&"histogram"))
    };
    let mut said = BTreeSet::new();
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("plimsoll_"));
        for name in words.filter(|name| !exists(name)) {
            if said.insert(name) {
                findings.push(find(file, number + 1, "metrics", &format!("{name} is not in {METRICS}")));
            }
        }
    }
    findings
}

/// Finds alerts that no test expects to fire.
fn scan_tests(rules: &str, tests: &str) -> Vec<Finding> {
    let alerts = rules.lines().enumerate().filter_map(|(number, line)| Some((number + 1, line.trim().strip_prefix("- alert: ")?)));
    let tested = |alert: &str| tests.contains(&format!("alertname=\"{alert}\"")) || tests.contains(&format!("alertname: {alert}\n"));
    alerts
        .filter(|(_, alert)| !tested(alert))
        .map(|(line, alert)| find(RULES, line, "metrics", &format!("{alert} has no test in {RULE_TESTS}")))
        .collect()
}

/// Compares the container's limit with the budget beside it.
fn scan_memory(compose: &str) -> Vec<Finding> {
    let value =
        |key: &str| compose.lines().enumerate().find_map(|(number, line)| Some((number + 1, line.trim().strip_prefix(key)?.trim())));
    // The bot's service is the one that has a budget; its limit follows it.
    let Some((line, budget)) = value("MEMORY_BUDGET:") else {
        return vec![find(COMPOSE, 0, "memory", "has no MEMORY_BUDGET for the bot")];
    };
    let limit = compose.lines().skip(line).find_map(|text| text.trim().strip_prefix("mem_limit:"));
    match (bytes(budget), limit.and_then(|limit| bytes(limit.trim()))) {
        (Some(budget), Some(limit)) if budget * 100 <= limit * PLANNED_PERCENT => vec![],
        (Some(budget), Some(limit)) => {
            let text = format!("a budget of {budget} bytes is more than {PLANNED_PERCENT} % of the limit of {limit} bytes");
            vec![find(COMPOSE, line, "memory", &text)]
        }
        _ => vec![find(COMPOSE, line, "memory", "the budget, or the mem_limit after it, is no size")],
    }
}

/// `384m` or `256MB`, in powers of 1,024.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.to_ascii_lowercase().trim_end_matches('b') {
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# Metrics\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n\
        | `plimsoll_up` | gauge |  | a |\n| `plimsoll_wait_seconds` | histogram | `a`, `b` | c |\n";

    #[track_caller]
    fn check_names(text: &str, expected: &[&str]) {
        let found: Vec<String> = scan_names("a.yml", text, &families(LIST)).iter().map(|f| format!("{} {}", f.line, f.text)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_must_be_in_the_list() {
        check_names("expr: plimsoll_up{a=\"b\"} > 0\nplimsoll_wait_seconds_bucket / plimsoll_wait_seconds_count", &[]);
        check_names("x\nrate(plimsoll_gone[5m]) plimsoll_gone", &["2 plimsoll_gone is not in docs/metrics.md"]);
        check_names("plimsoll_up_count", &["1 plimsoll_up_count is not in docs/metrics.md"]);
        check_names("uid: plimsoll-memory, not_plimsoll_up_there", &[]);
    }

    #[test]
    fn each_alert_has_a_test() {
        let rules = "groups:\n  - alert: One\n    expr: x\n  - alert: Two\n";
        let found = |tests| scan_tests(rules, tests).iter().map(|f| f.line).collect::<Vec<_>>();
        assert_eq!(found(""), [2, 4]);
        assert_eq!(found("alertname=\"One\"\nalertname: Two\n"), [0; 0]);
        assert_eq!(found("alertname=\"OneMore\" alertname: Two\n"), [2]);
    }

    #[track_caller]
    fn check_memory(compose: &str, expected: Option<&str>) {
        let found = scan_memory(compose);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
        assert!(expected.is_none_or(|part| found[0].text.contains(part)), "{found:?}");
    }

    #[test]
    fn the_budget_fits_into_the_limit() {
        check_memory("  door:\n    mem_limit: 32m\n  bot:\n    MEMORY_BUDGET: 256MB\n    mem_limit: 384m\n", None);
        check_memory("MEMORY_BUDGET: 70MB\nmem_limit: 100m", None);
        check_memory("MEMORY_BUDGET: 71MB\nmem_limit: 100m", Some("more than 70 %"));
        check_memory("MEMORY_BUDGET: 70MB", Some("no size"));
        check_memory("MEMORY_BUDGET: much\nmem_limit: 1g", Some("no size"));
        check_memory("mem_limit: 1g", Some("no MEMORY_BUDGET"));
    }
}
