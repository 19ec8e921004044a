//! Serves the dashboard over a made-up market: nothing real is shown, nothing is traded.
//!
//! `cargo run -p plimsoll-web --example dashboard [-- ADDRESS [SECONDS]]`, by default on 127.0.0.1:15173 until Ctrl-C.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example may stop at once and talk")]

mod made_up;

use std::time::{Duration, SystemTime};

use plimsoll_bounded::{Class, Grant, Ledger, Line, TaskSpec, Tasks, WhenFull};
use plimsoll_market::Time;
use plimsoll_web::{AdminToken, Web, WebConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = WebConfig::new(AdminToken::random()?);
    if let Some(address) = std::env::args().nth(1) {
        config.listen = address.parse()?;
    }
    // The environment's word is for runs that only show that it starts.
    let seconds = std::env::args().nth(2).or_else(|| std::env::var("PLIMSOLL_EXAMPLE_SECONDS").ok());
    let seconds: Option<u64> = seconds.map(|text| text.parse()).transpose()?;

    let ledger = Ledger::open(64_000_000);
    let tasks = Tasks::new(ledger.grant(Tasks::line("app.tasks", 8, 8 * 1024))?);
    // Lines as a bot with two symbols has them, so that the page's ledger is no empty table.
    let mut kept: Vec<Grant> = Vec::new();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        for (template, capacity, item, used) in [
            ("engine.inbox.control", 64, 64, 0),
            ("engine.inbox.market", 1_024, 48, 37),
            ("position.slots", 256, 96, 21),
            ("position.orders", 64, 160, 19),
            ("strategy.indicators", 2_048, 8, 1_880),
            ("storage.records.outbox", 1_000, 512, 12),
            ("exchange.book", 16_384, 16, 9_114),
        ] {
            let name = format!("{template}/made-up:example:{symbol}");
            let grant = ledger.grant(Line { name: &name, capacity, item_bytes: item, policy: WhenFull::Refuse, class: Class::MustKeep })?;
            grant.gauge().set_len(used);
            kept.push(grant);
        }
    }
    let ledger = ledger.seal()?;

    let now = Time::from_millis(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as u64);
    let market = made_up::MadeUp::new(20_240_101, now, Duration::from_secs(40 * 60));
    let web = Web::start(config, market.ports(), &tasks, &ledger).await?;
    println!("{} (a made-up market, nothing real)", web.url());
    if let Some(setup) = web.setup_url() {
        println!("set a password: {setup}");
    }

    let moving = market.clone();
    tasks.spawn(TaskSpec { name: "market", group: "example" }, |task| async move {
        let step = Duration::from_millis(100);
        let mut ticker = tokio::time::interval(step);
        while task.stop.or(ticker.tick()).await.is_some() {
            moving.advance(step);
        }
    })?;
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => tokio::signal::ctrl_c().await?,
    }
    web.stop().await;
    tasks.shutdown(Duration::from_secs(2)).await;
    Ok(())
}
