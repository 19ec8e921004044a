//! The memory plan: every buffer of the process under one budget, checked before anything is begun.

use crate::config::Config;
use crate::limits::{EDGE_TASKS, EQUITY_LANE, FUTURE_BYTES, KEEPER_LANE, TRADING_TASKS};
use crate::trade::{EquityView, Feedback, KeeperRequest, plan_inbox};
use plimsoll_bounded::{Class, Grant, Grants, Ledger, Line, LineStatus, Open, Plan, Refused, Sealed, Tasks, WhenFull};
use plimsoll_engine::Engine;
use plimsoll_exchange::session::Session;
use plimsoll_gateway::Gateway;
use plimsoll_market::{Action, ClientId, Event, Status, Time, limits::ACTIONS_MAX, limits::QUOTES_MAX};
use plimsoll_monitor::{Cgroup, ExporterGrants, Sample, Sampler};
use plimsoll_position::Position;
use plimsoll_position::limits::{SLOTS, WORKING_MAX};
use plimsoll_storage::{StoreConfig, StoreGrants};
use plimsoll_strategy::Grid;
use plimsoll_testnet::Testnet;
use plimsoll_web::{FillTape, SymbolNow};
use std::process::ExitCode;
use std::sync::Arc;

/// Budget without a configured one.
const BUDGET_DEFAULT: u64 = 256 << 20;
/// Share of the control group's limit that the budget may be, in percent.
const CGROUP_PERCENT: u64 = 70;

/// Code, tables, stacks, allocator and runtimes of the idle process: resident pages that no line of ours asked for.
///
/// Measured as resident size of the release binary with everything started and no symbol trading, rounded up.
const BASELINE_BYTES: usize = 24 << 20;

/// Everything granted before the start.
pub struct Memory {
    /// The ledger, to be sealed when all is taken.
    pub ledger: Ledger<Open>,
    /// Storage's lines.
    pub store: StoreGrants,
    /// The edge's tasks.
    pub edge_tasks: Grant,
    /// The trading thread's tasks.
    pub trading_tasks: Grant,
    /// The exporter's lines.
    pub exporter: ExporterGrants,
    /// The local exchange's lines, when it runs inside.
    pub local: Option<Grants>,
    /// Session and gateway.
    pub gateway: Grants,
    /// Keeper, account.
    pub common: Grants,
    /// Each symbol's lines.
    pub symbols: Vec<Grants>, // tidy: bounded by SYMBOLS_MAX, taken apart at the start
}

/// Takes every line of the configuration out of a new ledger.
///
/// # Errors
/// When a line cannot be declared, or the plan is over the budget.
pub fn plan(config: &Config, store: &StoreConfig) -> anyhow::Result<Memory> {
    let ledger = Ledger::open(budget(config.memory_budget));
    let symbols = config.symbols.len();
    let owner = format!("{}:{}", exchange_name(config), config.account);
    ledger.external("process.baseline", BASELINE_BYTES)?.set_len(BASELINE_BYTES);
    ledger.external("app.screen", crate::screen::BYTES)?;
    let local = if config.exchange == crate::config::Exchange::Local {
        Some(ledger.admit(&Testnet::plan(&crate::local::testnet(config, false)?)?)?)
    } else {
        None
    };
    let store = StoreGrants::take(&ledger, store)?;
    let edge_tasks = ledger.grant(Tasks::line("app.tasks.edge", EDGE_TASKS, FUTURE_BYTES))?;
    let trading_tasks = ledger.grant(Tasks::line("app.tasks.trading", TRADING_TASKS + symbols, FUTURE_BYTES))?;
    let exporter = ExporterGrants::take(&ledger)?;
    let mut gateway = Plan::new(&owner);
    Session::plan(&mut gateway, &owner, symbols)?;
    Gateway::plan(&mut gateway, &owner, symbols)?;
    let gateway = ledger.admit(&gateway)?;
    let (keep, refuse) = (Class::MustKeep, WhenFull::Refuse);
    let name = |template: &str| format!("{template}/{owner}");
    let common = Plan::new(&owner)
        .with(Line::of::<KeeperRequest>(&name("app.keeper"), KEEPER_LANE.min(2 * symbols + 8), refuse, keep))?
        .with(Line::of::<Feedback>(&name("app.account"), EQUITY_LANE, refuse, Class::LatestWins))?
        .with(Line::of::<EquityView>(&name("app.equity"), 1, WhenFull::Conflate, Class::LatestWins))?
        .with(Line::of::<Option<Sample>>("app.sample", 1, WhenFull::Conflate, Class::LatestWins))?
        .with(Sampler::line("monitor.samples", crate::metrics::SAMPLES))?;
    let common = ledger.admit(&common)?;
    let mut admitted = Vec::with_capacity(symbols);
    for symbol in &config.symbols {
        let plan = symbol_plan(&format!("{owner}:{}", symbol.symbol))?;
        admitted.push(ledger.admit(&plan)?);
    }
    Ok(Memory { ledger, store, edge_tasks, trading_tasks, exporter, local, gateway, common, symbols: admitted })
}

fn symbol_plan(owner: &str) -> Result<Plan, Refused> {
    let mut plan = Plan::new(owner);
    plan_inbox(&mut plan, owner)?;
    // With it the actions of one event and the echoes they cause.
    let turn = ACTIONS_MAX * (size_of::<Action>() + size_of::<Event>());
    let engine = size_of::<Engine>() + Position::BYTES + size_of::<Grid>() + turn;
    let name = |template: &str| format!("{template}/{owner}");
    let fixed = |name, item_bytes| Line { name, capacity: 1, item_bytes, policy: WhenFull::Conflate, class: Class::MustKeep };
    plan.add(fixed(&name("engine.state"), engine))?;
    // A status shown, the one before it that somebody still reads, and the one being made.
    let shown =
        size_of::<SymbolNow>() + SLOTS * size_of::<plimsoll_market::SlotView>() + QUOTES_MAX * size_of::<plimsoll_market::OrderView>();
    let view = Line::of::<Option<Arc<SymbolNow>>>("", 1, WhenFull::Conflate, Class::LatestWins).with_heap(3 * shown + size_of::<Status>());
    plan.add(Line { name: &name("app.view"), ..view })?;
    plan.add(Line::of::<(ClientId, Time)>(&name("app.mirror"), WORKING_MAX * 2, WhenFull::Refuse, Class::MustKeep))?;
    plan.add(FillTape::line(&name("web.tape")))?;
    Ok(plan)
}

/// The exchange's name in lines, metrics and log.
pub fn exchange_name(config: &Config) -> &'static str {
    match config.exchange {
        crate::config::Exchange::Local => "local",
        crate::config::Exchange::Binance => "binance",
    }
}

fn budget(configured: Option<u64>) -> u64 {
    let cgroup = Cgroup::find().and_then(|c| c.read()).and_then(|c| c.limit_bytes).map(|max| max / 100 * CGROUP_PERCENT);
    configured.unwrap_or_else(|| cgroup.unwrap_or(u64::MAX).min(BUDGET_DEFAULT))
}

/// `plimsoll ledger`: prints the plan.
///
/// # Errors
/// When the plan cannot be made or is over the budget.
pub fn main(config: &Config) -> anyhow::Result<ExitCode> {
    let store = crate::run::store_config(config)?;
    let memory = plan(config, &store)?;
    let (lines, total, budget) = (memory.ledger.lines(), memory.ledger.total_bytes(), memory.ledger.budget());
    let mut text = String::from("        bytes   capacity  item bytes  when full    class        line\n");
    for line in &lines {
        text.push_str(&row(line));
    }
    text.push_str(&format!("{total:>13} bytes planned of a budget of {budget} ({} %)", total * 100 / budget.max(1)));
    crate::screen::say(&text);
    let sealed: Result<Ledger<Sealed>, _> = memory.ledger.seal();
    sealed?;
    Ok(ExitCode::SUCCESS)
}

fn row(line: &LineStatus) -> String {
    format!(
        "{:>13} {:>10} {:>11}  {:<12} {:<12} {}\n",
        line.bytes,
        line.capacity,
        line.item_bytes,
        line.policy.as_str(),
        line.class.as_str(),
        line.name
    )
}
