//! Has a burst of alerts told by the log, and shows what rules and cool-downs make of it.

use plimsoll_bounded::{Ledger, Plan, Tasks};
use plimsoll_market::{Alert, AlertCode, Severity, Time};
use plimsoll_notify::{ChannelConfig, ChannelKind, Config, Notifier, Origin, Rule, limits};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();

    let mut config = Config::new("example");
    config.channels.push(ChannelConfig::new("log", ChannelKind::Log));
    config.rules.push(Rule { cooldown: Some(Duration::from_millis(200)), ..Rule::from(Severity::Info, &["log"]) });
    config.check().map_err(|mistakes| format!("{mistakes:?}"))?;

    let mut plan = Plan::new("notify");
    plan.add(Tasks::line("tasks", Notifier::tasks(&config), limits::TASK_FUTURE_BYTES))?;
    Notifier::plan(&mut plan, &config)?;
    let ledger = Ledger::open(4 << 20).seal()?;
    let mut grants = ledger.admit(&plan)?;
    let tasks = Tasks::new(grants.take("tasks")?);
    let notifier = Notifier::start(&config, &mut grants, &tasks)?;

    let now = Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH)?;
    let btc = Origin::symbol("binance:main", "BTCUSDT");
    for age_ms in 0..1000 {
        let text = format_args!("market data is {} ms old", 5_000 + age_ms);
        notifier.submit_for(&Alert::new(Severity::Warning, AlertCode::Stale, now + Duration::from_millis(age_ms), &text), &btc);
    }
    notifier.submit_for(&Alert::new(Severity::Critical, AlertCode::Halted, now, &"a bug was caught; orders were withdrawn"), &btc);

    // One warning, one critical alert; the other 999 warnings follow as one digest when the cool-down ends.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = notifier.stop(Duration::from_secs(1)).await;
    for channel in &status.channels {
        tracing::info!(channel = %channel.name, sent = channel.sent, suppressed = channel.suppressed, dropped = channel.dropped, "done");
    }
    Ok(())
}
