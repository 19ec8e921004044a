//! Hours of alerts on a clock that tests move; no sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use common::{Bench, alert, btc};
use plimsoll_market::{Alert, AlertCode, Severity};
use plimsoll_notify::{ChannelConfig, ChannelKind, Config, Origin, Rate, Rule};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn capture() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().with_target(false).finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[tokio::test(start_paused = true)]
async fn six_hours_of_trouble_are_a_dozen_messages() {
    let (log, _guard) = capture();
    let mut config = Config::new("bot-1");
    config.channels.push(ChannelConfig::new("log", ChannelKind::Log));
    let bench = Bench::start(&config);
    let began = common::time(0);
    for second in 0..6 * 3600 {
        let now = began + Duration::from_secs(second);
        bench.notifier.submit_for(&Alert::new(Severity::Warning, AlertCode::Stale, now, &"no market data"), &btc());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let status = bench.stop(Duration::from_secs(1)).await;
    let lines = log.lines();
    // One at once, one each half hour, and what is left at the end.
    assert_eq!((lines.len(), status.channels[0].sent, status.channels[0].suppressed), (13, 13, 6 * 3600 - 1));
    let first = r#" WARN alert id=1 kind="alert" code="stale_market" account="binance:main" symbol="BTCUSDT" subject="" count=1"#;
    assert!(lines[0].starts_with(first) && lines[0].ends_with(r#"text="no market data""#), "{}", lines[0]);
    let told: u64 = lines.iter().map(|line| line.split_once(" count=").unwrap().1.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(told, 6 * 3600, "every alert is told or counted in a digest");
    assert!(lines[1].contains(r#"kind="digest""#) && lines[1].contains(" count=1799 "), "{}", lines[1]);
}

/// Of the acceptance tests (`crates/swarm/tests/acceptance`): whatever fires with every price is told once, and then counted.
#[tokio::test(start_paused = true)]
async fn g19_a_storm_is_one_message_a_cool_down_with_a_counter() {
    let (log, _guard) = capture();
    let mut config = Config::new("bot-1");
    config.channels.push(ChannelConfig::new("log", ChannelKind::Log));
    config.rules = vec![Rule { cooldown: Some(Duration::from_secs(600)), ..Rule::from(Severity::Info, &["log"]) }];
    let bench = Bench::start(&config);
    // Want of margin, an allocation that is used up, an order that breaks a filter: twenty a second for half an hour.
    let storms = [AlertCode::OrderRefused, AlertCode::Drawdown, AlertCode::GridImpossible];
    let (seconds, a_second) = (1_800, 20);
    for second in 0..seconds {
        for (code, n) in storms.iter().flat_map(|code| (0..a_second).map(move |n| (*code, n))) {
            let now = common::time(0) + Duration::from_secs(second) + Duration::from_millis(50 * n);
            bench.notifier.submit_for(&Alert::new(Severity::Warning, code, now, &"again"), &btc());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bench.stop(Duration::from_secs(1)).await;
    for code in storms {
        let word = format!(r#"code="{}""#, code.as_str());
        let lines: Vec<String> = log.lines().into_iter().filter(|line| line.contains(&word)).collect();
        let count = |line: &String| line.split_once(" count=").unwrap().1.split(' ').next().unwrap().parse::<u64>().unwrap();
        // One at once, one after each cool-down, and the rest at the end.
        assert!((3..=4).contains(&lines.len()), "{lines:#?}");
        assert_eq!(count(&lines[0]), 1);
        assert_eq!(lines.iter().map(count).sum::<u64>(), seconds * a_second, "none is forgotten: {lines:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_minute_has_more_messages_than_the_rate_allows() {
    let (log, _guard) = capture();
    let mut config = Config::new("bot-1");
    let mut channel = ChannelConfig::new("log", ChannelKind::Log);
    channel.rate = Rate { burst: 3, per_minute: 15 };
    config.channels.push(channel);
    config.rules = vec![Rule { cooldown: Some(Duration::ZERO), ..Rule::from(Severity::Info, &["log"]) }];
    let bench = Bench::start(&config);
    for n in 0..60 {
        bench.notifier.submit_for(&alert(Severity::Warning, AlertCode::Task, "x"), &Origin::process().about(&n.to_string()));
    }
    let mut before = 0;
    for minute in 0..5 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let sent = log.lines().len() - before;
        before += sent;
        let most = if minute == 0 { 18 } else { 15 };
        assert!(sent <= most && (sent + 1 >= most || before == 60), "{sent} in minute {minute}");
    }
    let status = bench.stop(Duration::from_secs(1)).await;
    assert_eq!((before, status.channels[0].sent, status.channels[0].dropped), (60, 60, 0));
}
