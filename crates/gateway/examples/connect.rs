//! Connects to a local exchange and prints what happens for some seconds: `connect HOST:PORT [SYMBOL] [KEY] [SECRET]`.
//!
//! Start one with `plimsoll testnet`; its first line is the address.
#![allow(clippy::print_stdout, reason = "it is what an example does")]

use plimsoll_bounded::{Ledger, Plan, TaskSpec, Tasks};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_exchange::session::{BootFailure, BootReport, Routing, Session, SessionConfig};
use plimsoll_gateway::{Clock, Gateway, GatewayConfig, Sink};
use plimsoll_market::{AccountEvent, Event, Symbol, Tag, Time};
use std::error::Error;
use std::time::Duration;

struct Print {
    left: u32,
}

impl Print {
    fn line(&mut self, now: Time, what: &dyn std::fmt::Debug) {
        if self.left > 0 {
            self.left -= 1;
            println!("{now:?} {what:?}");
        }
    }
}

impl Sink for Print {
    fn event(&mut self, _symbol: SymbolIndex, now: Time, event: Event) {
        self.line(now, &event);
    }

    fn account(&mut self, now: Time, event: AccountEvent) {
        self.line(now, &event);
    }

    fn booted(&mut self, now: Time, report: Result<BootReport, BootFailure>) {
        self.line(now, &report);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let Some(address) = args.next() else {
        println!("usage: connect HOST:PORT [SYMBOL] [KEY] [SECRET]");
        return Ok(());
    };
    let symbol = args.next().unwrap_or_else(|| "BTCUSDT".to_owned());
    let key = args.next().unwrap_or_else(|| "testkey".to_owned());
    let secret = args.next().unwrap_or_else(|| "testsecret".to_owned());

    let ledger = Ledger::open(64 << 20);
    let mut plan = Plan::new("example");
    Session::plan(&mut plan, "example", 1)?;
    Gateway::plan(&mut plan, "example", 1)?;
    let mut grants = ledger.admit(&plan)?;
    let tasks = Tasks::new(ledger.grant(Tasks::line("example.tasks", 2, 16 << 10))?);
    let _ledger = ledger.seal()?;

    let config = GatewayConfig::new("example", &format!("http://{address}"), &format!("ws://{address}"), &key)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let session = SessionConfig {
        symbols: vec![Symbol::new(&symbol)?],
        tag: Tag(0),
        routing: Routing::Routed,
        signer: Signer::new(Secret::new(key)?, &Secret::new(secret)?),
        recv_window: Duration::from_secs(5),
        leverage: None,
        candles: 0,
        bars: Vec::new(),
        rates: Vec::new(),
        funded_to: Vec::new(),
    };
    let session = Session::new(session, 1, &mut grants)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let gateway = Gateway::spawn(&config, session, Print { left: 60 }, Clock::start(), &tasks, &mut grants)?;
        let wait = tasks.spawn(TaskSpec { name: "wait", group: "example" }, |task| async move {
            // Ends early when the set is told to stop.
            task.stop.or(tokio::time::sleep(Duration::from_secs(5))).await;
        })?;
        wait.join().await;
        let stats = gateway.stats();
        println!("{stats:#?}");
        let report = gateway.stop(Duration::from_secs(8)).await;
        println!("stopped: clean {}", report.is_clean());
        Ok(())
    })
}
