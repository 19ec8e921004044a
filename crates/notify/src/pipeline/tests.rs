use super::*;
use crate::config::{ChannelConfig, ChannelKind, Hook};
use crate::letter::Origin;
use crate::secret::Secret;
use plimsoll_bounded::Plan;
use plimsoll_market::Alert;

/// Writes down what the pipeline decides, as text.
#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    fn letter(&mut self, channel: usize, letter: Letter) {
        let (kind, code) = (letter.kind.as_str(), letter.code.map_or("", AlertCode::as_str));
        let span = (letter.first.millis() / 1000, letter.last.millis() / 1000);
        self.0.push(format!(
            "{channel} {kind} {} {code} {} ×{} {}-{}",
            letter.severity.as_str(),
            letter.text,
            letter.count,
            span.0,
            span.1
        ));
    }

    fn suppressed(&mut self, channel: usize, count: u64) {
        self.0.push(format!("{channel} kept {count}"));
    }
}

/// Channels 0 `log`, 1 `chat`, 2 `pager`.
fn config() -> Config {
    let mut config = Config::new("test");
    let hook = ChannelKind::Slack(Hook { base: None, hook: Secret::new("T/B/xyz".to_owned()) });
    config.channels =
        vec![ChannelConfig::new("log", ChannelKind::Log), ChannelConfig::new("chat", hook.clone()), ChannelConfig::new("pager", hook)];
    config.cooldown = Duration::from_secs(100);
    config.cooldown_critical = Duration::from_secs(10);
    config
}

fn pipeline(config: &Config) -> Pipeline {
    let mut plan = Plan::new("test");
    for line in Pipeline::lines(config) {
        plan.add(line).unwrap();
    }
    Pipeline::new(config, &mut Grants::detached(&plan)).unwrap()
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// One line of a script: `SECOND SEVERITY CODE [ACCOUNT [SYMBOL]]`, or `SECOND tick` or `SECOND close`.
#[track_caller]
fn check(config: &Config, script: &[&str], expected: &[&str]) {
    let (mut pipeline, mut told) = (pipeline(config), Told::default());
    for line in script {
        let words: Vec<&str> = line.split(' ').collect();
        let now = at(words[0].parse().unwrap());
        match words[1] {
            "tick" => pipeline.tick(now, &mut told),
            "close" => pipeline.close(now, &mut told),
            severity => {
                let origin = match words.get(3..).unwrap_or_default() {
                    [account, symbol] => Origin::symbol(account, symbol),
                    [account] => Origin::account(account),
                    _ => Origin::process(),
                };
                let (severity, code) = (Severity::parse(severity).unwrap(), AlertCode::parse(words[2]).unwrap());
                pipeline.take(now, &Batch::of(&Alert::new(severity, code, now, &words[0]), &origin), &mut told);
            }
        }
    }
    assert_eq!(told.0, expected);
}

#[test]
fn without_rules_warnings_go_to_all_and_the_rest_to_the_log() {
    check(
        &config(),
        &["1 warning stale_market", "2 info started"],
        &[
            "0 alert warning stale_market 1 ×1 1-1",
            "1 alert warning stale_market 1 ×1 1-1",
            "2 alert warning stale_market 1 ×1 1-1",
            "0 alert info started 2 ×1 2-2",
        ],
    );
}

#[test]
fn a_cool_down_keeps_silent_and_tells_how_often() {
    let mut config = config();
    config.rules = vec![Rule::from(Severity::Info, &["chat"])];
    check(
        &config,
        &[
            "1 warning gate",
            "2 warning gate",
            "5 warning gate",
            "100 warning gate",
            "100 tick",
            "101 tick",
            "102 warning gate",
            "201 tick",
            "301 tick",
            "302 warning gate",
        ],
        &[
            "1 alert warning gate 1 ×1 1-1",
            "1 kept 1",
            "1 kept 1",
            "1 kept 1",
            // At its end, not before; with the last text. And the window goes on.
            "1 digest warning gate 100 ×3 2-100",
            "1 kept 1",
            "1 digest warning gate 102 ×1 102-102",
            // Nothing was kept from 201 to 301, so the key is free again.
            "1 alert warning gate 302 ×1 302-302",
        ],
    );
}

#[test]
fn an_alert_after_the_end_of_an_unseen_window_waits_for_its_digest_or_is_told() {
    let mut config = config();
    config.rules = vec![Rule::from(Severity::Info, &["log"])];
    check(
        &config,
        &["1 warning gate", "2 warning gate", "150 warning gate", "250 tick", "400 warning gate"],
        &[
            "0 alert warning gate 1 ×1 1-1",
            "0 kept 1",
            "0 digest warning gate 2 ×1 2-2",
            "0 kept 1",
            "0 digest warning gate 150 ×1 150-150",
            "0 alert warning gate 400 ×1 400-400",
        ],
    );
}

#[test]
fn keys_differ_by_code_severity_and_origin() {
    let mut config = config();
    config.rules = vec![Rule::from(Severity::Info, &["log"])];
    check(
        &config,
        &[
            "1 warning gate a BTC",
            "1 warning gate a ETH",
            "1 warning gate b BTC",
            "1 critical gate a BTC",
            "1 warning stale_market a BTC",
            "1 warning gate a BTC",
        ],
        &[
            "0 alert warning gate 1 ×1 1-1",
            "0 alert warning gate 1 ×1 1-1",
            "0 alert warning gate 1 ×1 1-1",
            "0 alert critical gate 1 ×1 1-1",
            "0 alert warning stale_market 1 ×1 1-1",
            "0 kept 1",
        ],
    );
}

#[test]
fn critical_alerts_are_told_again_sooner() {
    let mut config = config();
    config.rules = vec![Rule::from(Severity::Critical, &["pager"])];
    check(
        &config,
        &["1 critical halted", "2 critical halted", "11 tick"],
        &["2 alert critical halted 1 ×1 1-1", "2 kept 1", "2 digest critical halted 2 ×1 2-2"],
    );
}

#[test]
fn the_first_rule_that_fits_decides() {
    let mut config = config();
    config.rules = vec![
        Rule { codes: vec![AlertCode::Stale], symbols: vec!["DOGE".into()], ..Rule::from(Severity::Info, &[]) },
        Rule { accounts: vec!["a".into()], cooldown: Some(Duration::ZERO), ..Rule::from(Severity::Warning, &["chat"]) },
        Rule { codes: vec![AlertCode::Gate, AlertCode::Stale], ..Rule::from(Severity::Warning, &["pager"]) },
    ];
    check(
        &config,
        &[
            "1 critical stale_market a DOGE",
            "1 warning gate a BTC",
            "1 warning gate a BTC",
            "1 warning gate b BTC",
            "1 warning gate",
            "1 info gate b BTC",
            "1 warning cpu b BTC",
            "1 critical cpu b BTC",
        ],
        &[
            "1 alert warning gate 1 ×1 1-1",
            // Without a cool-down, each.
            "1 alert warning gate 1 ×1 1-1",
            "2 alert warning gate 1 ×1 1-1",
            "2 alert warning gate 1 ×1 1-1",
            // No rule fits the last one: critical, so all are told.
            "0 alert critical cpu 1 ×1 1-1",
            "1 alert critical cpu 1 ×1 1-1",
            "2 alert critical cpu 1 ×1 1-1",
        ],
    );
}

#[test]
fn what_is_silenced_and_unmatched_is_counted() {
    let mut config = config();
    config.rules = vec![Rule { codes: vec![AlertCode::Stale], ..Rule::from(Severity::Info, &[]) }];
    let (mut pipeline, mut told) = (pipeline(&config), Told::default());
    for (severity, code) in [(Severity::Critical, AlertCode::Stale), (Severity::Warning, AlertCode::Gate)] {
        pipeline.take(at(1), &Batch::of(&Alert::new(severity, code, at(1), &""), &Origin::process()), &mut told);
    }
    assert_eq!((pipeline.silenced, pipeline.unmatched, told.0.len(), pipeline.windows()), (1, 1, 0, 0));
}

#[test]
fn the_end_tells_what_is_kept() {
    let mut config = config();
    config.rules = vec![Rule::from(Severity::Info, &["log"])];
    check(
        &config,
        &["1 warning gate", "2 warning gate", "3 warning cpu", "4 close"],
        &["0 alert warning gate 1 ×1 1-1", "0 kept 1", "0 alert warning cpu 3 ×1 3-3", "0 digest warning gate 2 ×1 2-2"],
    );
}

#[test]
fn a_full_table_closes_the_oldest_and_tells_its_digest() {
    let mut config = config();
    config.rules = vec![Rule::from(Severity::Info, &["log"])];
    let (mut pipeline, mut told) = (pipeline(&config), Told::default());
    let alert = |n: usize| Batch::of(&Alert::new(Severity::Warning, AlertCode::Leak, at(1), &n), &Origin::process().about(&n.to_string()));
    for n in 0..WINDOWS_MAX {
        pipeline.take(at(1), &alert(n), &mut told);
    }
    pipeline.take(at(2), &alert(0), &mut told);
    assert_eq!(pipeline.windows(), WINDOWS_MAX);
    told.0.clear();
    pipeline.take(at(3), &alert(WINDOWS_MAX), &mut told);
    assert_eq!(told.0, ["0 digest warning memory_leak 0 ×1 1-1", "0 alert warning memory_leak 512 ×1 1-1"]);
    for n in 0..10 * WINDOWS_MAX {
        pipeline.take(at(4), &alert(n), &mut told);
    }
    assert_eq!(pipeline.windows(), WINDOWS_MAX);
}

#[test]
fn the_next_wake_is_never_late() {
    let config = config();
    let (mut pipeline, mut told) = (pipeline(&config), Told::default());
    assert_eq!(pipeline.wake_at(), None);
    let batch = |severity| Batch::of(&Alert::new(severity, AlertCode::Gate, at(1), &""), &Origin::process());
    pipeline.take(at(1), &batch(Severity::Warning), &mut told);
    assert_eq!(pipeline.wake_at(), Some(at(101)));
    pipeline.take(at(5), &batch(Severity::Critical), &mut told);
    assert_eq!(pipeline.wake_at(), Some(at(15)));
    pipeline.tick(at(15), &mut told);
    assert_eq!(pipeline.wake_at(), Some(at(101)));
    pipeline.tick(at(101), &mut told);
    assert_eq!(pipeline.wake_at(), None);
}
