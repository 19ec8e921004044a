//! The memory plan: every buffer of the process under one budget, checked before anything is begun.

use crate::config::Config;
use crate::journal::{Buffer, Chunk};
use crate::limits::{
    EDGE_TASKS, EDGE_TASKS_FIXED, EQUITY_LANE, FUTURE_BYTES, JOURNAL_BUFFERS, JOURNAL_CHUNK_BYTES, KEEPER_LANE, PAPER_TASKS, TESTNET_TASKS,
    TRADING_TASKS, WORKER_JOB_BYTES, WORKER_JOBS, WORKERS,
};
use crate::metrics::Seen;
use crate::trade::{EquityView, Feedback, KeeperRequest, plan_inbox};
use anyhow::bail;
use plimsoll_bounded::{Class, Gauge, Grant, Grants, Ledger, Line, LineStatus, Open, Plan, Pool, Refused, Sealed, Tasks, WhenFull};
use plimsoll_engine::Engine;
use plimsoll_exchange::session::Session;
use plimsoll_gateway::Gateway;
use plimsoll_logs::Logs;
use plimsoll_market::{Action, ClientId, Event, Status, Time, limits::ACTIONS_MAX, limits::QUOTES_MAX};
use plimsoll_monitor::{Cgroup, ExporterGrants, LeakDetector, ProcessSample, Sample, Sampler, Watchdog};
use plimsoll_notify::Notifier;
use plimsoll_position::Position;
use plimsoll_position::limits::{SLOTS, WORKING_MAX};
use plimsoll_safety::RiskMonitor;
use plimsoll_storage::{StoreConfig, StoreGrants};
use plimsoll_strategy::StrategyConfig;
use plimsoll_testnet::Testnet;
use plimsoll_web::{AdminToken, FillTape, SymbolNow};
use std::process::ExitCode;
use std::sync::Arc;

/// Budget without a configured one.
const BUDGET_DEFAULT: u64 = 256 << 20;
/// Share of the tightest limit that the budget is, in percent.
const LIMIT_PERCENT: u64 = 70;

/// What no line of ours asks for, in bytes. Measured on the release binary with everything started and two symbols trading
/// (`cargo xtask bench` prints the live figures), rounded up well; while the process runs the lines show what is the case.
const EXTERNAL: [(&str, usize); 5] = [
    // Pages of the program and its libraries, and of mapped files: 21 MB, 29 MB once names were looked up for a profile.
    ("process.code", 32 << 20),
    // Free pages that the allocator keeps, its tables, and those of the heap profiler.
    ("process.allocator", 16 << 20),
    // Stacks of threads and what libraries map for themselves.
    ("process.stacks", 6 << 20),
    // What libraries allocate and no line accounts for: runtimes, tables of TLS and HTTP.
    ("process.libraries", 6 << 20),
    // Texts that wait for the terminal: their writer starts before there is a ledger.
    ("app.screen", crate::screen::BYTES),
];

/// Tables of the processor's profiler: they stay after the first profile. Measured: 55 MB, 77 MB while one is taken.
const PROFILER_BYTES: usize = 80 << 20;

/// The live figures of [`EXTERNAL`].
pub struct External {
    lines: [Gauge; EXTERNAL.len()],
}

impl External {
    fn take(ledger: &Ledger<Open>) -> anyhow::Result<Self> {
        let mut gauges = Vec::with_capacity(EXTERNAL.len());
        for (name, bytes) in EXTERNAL {
            gauges.push(ledger.external(name, bytes)?);
        }
        let lines = gauges.try_into().map_err(|_| anyhow::anyhow!("as many lines as there are figures"))?;
        Ok(Self { lines })
    }

    /// Shows a sample.
    pub fn observe(&self, sample: &Sample) {
        let Some(process) = sample.process else { return };
        let anonymous = process.anonymous_bytes.unwrap_or(process.resident_bytes);
        let (allocated, resident) = sample.allocator.map_or((0, 0), |a| (a.allocated, a.resident));
        let figures = [
            process.resident_bytes.saturating_sub(anonymous),
            resident.saturating_sub(allocated),
            anonymous.saturating_sub(resident),
            // Containers are allocated whole: what they have beyond their items is accounted, too.
            allocated.saturating_sub(sample.ledger_bytes),
            crate::screen::waiting_bytes(),
        ];
        for (line, bytes) in self.lines.iter().zip(figures) {
            line.set_len(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }
}

/// Looks whether thresholds can mean anything.
///
/// # Errors
/// A budget or threshold beyond what control group or rlimits allow, with the figures.
pub fn check_thresholds(config: &Config, ledger: &Ledger<Open>) -> anyhow::Result<()> {
    let Some((limit, whose)) = limit() else { return Ok(()) };
    // Whoever reads this writes it into the configuration: its MB are 2^20 bytes.
    let mb = |bytes: u64| bytes >> 20;
    if ledger.budget() > limit {
        bail!(
            "memory.budget of {} MB is more than the {} MB that {whose} allows; set it to at most {} MB, {LIMIT_PERCENT} % of that",
            mb(ledger.budget()),
            mb(limit),
            mb(limit / 100 * LIMIT_PERCENT)
        );
    }
    if config.memory.high_memory > limit && config.memory.high_memory != HIGH_MEMORY_DEFAULT {
        bail!("memory.high_memory_threshold of {} MB can never be reached: {whose} allows {} MB", mb(config.memory.high_memory), mb(limit));
    }
    Ok(())
}

/// What `memory.high_memory_threshold` is when it is not written.
const HIGH_MEMORY_DEFAULT: u64 = 500 << 20;

/// Tasks that may live at once by plan: what the start, the symbols, the channels and the web server spawn.
pub fn planned_tasks(config: &Config, alerts: &plimsoll_notify::Config) -> usize {
    let local = match config.exchange {
        crate::config::Exchange::Local => TESTNET_TASKS,
        crate::config::Exchange::Paper => TESTNET_TASKS + PAPER_TASKS,
        crate::config::Exchange::Binance => 0,
    };
    // The web server has sets of its own, each with its own limit.
    let web = plimsoll_web::limits::CONNECTIONS_DEFAULT + plimsoll_web::limits::SUBSCRIBERS_DEFAULT + plimsoll_web::limits::LOG_VIEWERS_MAX;
    let web = if config.web_listen.is_some() { web } else { 0 };
    EDGE_TASKS_FIXED + WORKERS + Notifier::tasks(alerts) + TRADING_TASKS + config.symbols.len() + local + web
}

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
    /// The followed market's lines.
    pub paper: Option<Grants>,
    /// A leak on purpose.
    #[cfg(feature = "leak")]
    pub leak: Option<Grant>,
    /// What we do not allocate ourselves.
    pub external: External,
    /// The log.
    pub logs: Grants,
    /// Alert channels.
    pub notify: Grants,
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
pub fn plan(config: &Config, store: &StoreConfig, alerts: &plimsoll_notify::Config) -> anyhow::Result<Memory> {
    let ledger = Ledger::open(budget(config.memory_budget));
    let symbols = config.symbols.len();
    let owner = owner(config);
    let external = External::take(&ledger)?;
    if config.pprof {
        ledger.external("process.profiler", PROFILER_BYTES)?;
    }
    let local = match config.exchange {
        crate::config::Exchange::Local => Some(ledger.admit(&Testnet::plan(&crate::local::testnet(config, false)?)?)?),
        crate::config::Exchange::Paper => {
            let testnet = crate::local::mirror(config, false, crate::paper::placeholders(config))?;
            Some(ledger.admit(&Testnet::plan(&testnet)?)?)
        }
        crate::config::Exchange::Binance => None,
    };
    let paper = match config.exchange {
        crate::config::Exchange::Paper => {
            Some(ledger.admit(&crate::paper::plan(config.symbols.iter().map(|settings| settings.symbol), crate::limits::PAPER_LINES)?)?)
        }
        crate::config::Exchange::Local | crate::config::Exchange::Binance => None,
    };
    let store = StoreGrants::take(&ledger, store)?;
    let edge_tasks = ledger.grant(Tasks::line("app.tasks.edge", EDGE_TASKS + Notifier::tasks(alerts), FUTURE_BYTES))?;
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
        .with(RiskMonitor::line(&name("safety.monitor"), config.risk.watched.len().max(1)))?
        .with(Line::of::<Seen>("app.seen", 1, WhenFull::Conflate, Class::LatestWins).with_heap(8 * 96))?
        .with(Pool::line("app.workers", WORKER_JOBS, WORKER_JOB_BYTES, Class::BestEffort))?
        .with(Sampler::line("monitor.samples", crate::metrics::SAMPLES))?
        .with(crate::desk::Candles::line())?;
    let common = if config.journal.enabled {
        common.with(Line::of::<Chunk>("journal.chunks", JOURNAL_BUFFERS * symbols, refuse, Class::BestEffort))?
    } else {
        common
    };
    let watchers = Watchdog::lines().into_iter().chain(LeakDetector::lines());
    let common = watchers.into_iter().try_fold(common, Plan::with)?;
    let common = ledger.admit(&common)?;
    #[cfg(feature = "leak")]
    let leak = std::env::var_os("PLIMSOLL_LEAK").map(|_| ledger.grant(crate::dripping::line())).transpose()?;
    let logs = ledger.admit(&Logs::plan(config.log.files)?)?;
    let mut notify = Plan::new("notify");
    Notifier::plan(&mut notify, alerts)?;
    let notify = ledger.admit(&notify)?;
    let mut admitted = Vec::with_capacity(symbols);
    for symbol in &config.symbols {
        let strategy = if symbol.combo.is_some() { StrategyConfig::BYTES_SEVERAL } else { StrategyConfig::BYTES_MAX };
        let plan = symbol_plan(&format!("{owner}:{}", symbol.symbol), strategy, config.journal.enabled)?;
        admitted.push(ledger.admit(&plan)?);
    }
    Ok(Memory {
        #[cfg(feature = "leak")]
        leak,
        ledger,
        external,
        store,
        edge_tasks,
        trading_tasks,
        exporter,
        local,
        paper,
        logs,
        notify,
        gateway,
        common,
        symbols: admitted,
    })
}

fn symbol_plan(owner: &str, strategy_bytes: usize, journal: bool) -> Result<Plan, Refused> {
    let mut plan = Plan::new(owner);
    plan_inbox(&mut plan, owner)?;
    // With it the actions of one event and the echoes they cause.
    let turn = ACTIONS_MAX * (size_of::<Action>() + size_of::<Event>());
    let engine = size_of::<Engine>() + Position::BYTES + strategy_bytes + turn;
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
    if journal {
        // Buffers that wait to be filled; with the one that is being filled and those being written they are as many.
        let line = Line::of::<Buffer>("", JOURNAL_BUFFERS, WhenFull::Refuse, Class::BestEffort).with_heap(JOURNAL_CHUNK_BYTES);
        plan.add(Line { name: &name("journal.buffers"), ..line })?;
    }
    Ok(plan)
}

/// The exchange's name in lines, metrics and log.
pub fn exchange_name(config: &Config) -> &'static str {
    match config.exchange {
        crate::config::Exchange::Local => "local",
        crate::config::Exchange::Paper => "paper",
        crate::config::Exchange::Binance => "binance",
    }
}

/// Whose the process's lines and alerts are: exchange and account.
pub fn owner(config: &Config) -> String {
    format!("{}:{}", exchange_name(config), config.account)
}

fn budget(configured: Option<u64>) -> u64 {
    let cgroup = limit().map(|(max, _)| max / 100 * LIMIT_PERCENT);
    configured.unwrap_or_else(|| cgroup.unwrap_or(u64::MAX).min(BUDGET_DEFAULT))
}

/// The least of the control group's limit and of what the process may have by its own limits.
fn limit() -> Option<(u64, &'static str)> {
    let cgroup = Cgroup::find().and_then(|c| c.read()).and_then(|c| c.limit_bytes).map(|bytes| (bytes, "the control group"));
    let process = ProcessSample::read();
    let data = process.and_then(|p| p.data_limit).map(|bytes| (bytes, "RLIMIT_DATA"));
    let space = process.and_then(|p| p.address_space_limit).map(|bytes| (bytes, "RLIMIT_AS"));
    [cgroup, data, space].into_iter().flatten().min()
}

/// Seals the ledger, or says what to change.
///
/// # Errors
/// When the plan is over the budget: its largest lines, what a symbol costs, and which budget would do.
pub fn seal(ledger: Ledger<Open>, config: &Config) -> anyhow::Result<Ledger<Sealed>> {
    // The web server is admitted when it starts; whether it will be is known now.
    let web = web_plan(config)?.map(|plan| ledger.admit(&plan)).transpose()?;
    if ledger.total_bytes() <= ledger.budget() {
        drop(web);
        return Ok(ledger.seal()?);
    }
    let symbols = config.symbols.len();
    // Lines of a symbol end with its name after two colons.
    let of_symbols: u64 = ledger.lines().iter().filter(|line| line.name.owner().matches(':').count() == 2).map(|line| line.bytes).sum();
    let (total, budget) = (ledger.total_bytes(), ledger.budget());
    ledger.seal().map_err(|over| {
        let each = of_symbols / symbols.max(1) as u64;
        let fewer = total.saturating_sub(budget).div_ceil(each.max(1));
        let advice = if (fewer as usize) < symbols {
            format!("each symbol takes {each} bytes: {fewer} fewer would do; ")
        } else {
            format!("each of the {symbols} symbols takes {each} bytes; ")
        };
        anyhow::anyhow!("{over}\n{advice}`plimsoll ledger` shows every line")
    })
}

/// What the web server will take; `None` when it is off.
fn web_plan(config: &Config) -> anyhow::Result<Option<Plan>> {
    if config.web_listen.is_none() {
        return Ok(None);
    }
    Ok(Some(crate::run::web_config(config, AdminToken::random()?).plan()?))
}

/// `plimsoll ledger`: prints the plan.
///
/// # Errors
/// When the plan cannot be made or is over the budget.
pub fn main(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let store = crate::run::store_config(config)?;
    // Secrets are not needed to know what a channel takes; those that are not there leave the channel out.
    let alerts = config.alerts.shape();
    let memory = plan(config, &store, &alerts)?;
    let web = web_plan(config)?.map(|plan| memory.ledger.admit(&plan)).transpose()?;
    let lines = memory.ledger.lines();
    crate::screen::say(&if json { as_json(&memory.ledger, &lines)? } else { as_text(&memory.ledger, &lines) });
    drop(web);
    seal(memory.ledger, config)?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(ledger: &Ledger<Open>, lines: &[LineStatus]) -> String {
    let mut text = String::from("        bytes   capacity  item bytes  when full    class        line\n");
    let mut parts: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for line in lines {
        text.push_str(&row(line));
        *parts.entry(part(line)).or_default() += line.bytes;
    }
    text.push_str("\n        bytes  part\n");
    for (part, bytes) in &parts {
        text.push_str(&format!("{bytes:>13}  {part}\n"));
    }
    let external: u64 = lines.iter().filter(|line| line.class == Class::External).map(|line| line.bytes).sum();
    let (total, budget) = (ledger.total_bytes(), ledger.budget());
    text.push_str(&format!("{external:>13}  of it not allocated by ourselves (class external)\n"));
    text.push_str(&format!("{total:>13} bytes planned of a budget of {budget} ({} %)", total * 100 / budget.max(1)));
    text
}

/// The first word of a line's name: whose it is.
fn part(line: &LineStatus) -> &str {
    line.template().split('.').next().unwrap_or_default()
}

fn as_json(ledger: &Ledger<Open>, lines: &[LineStatus]) -> anyhow::Result<String> {
    let rows: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| {
            serde_json::json!({
                "name": line.name.as_str(),
                "class": line.class.as_str(),
                "policy": line.policy.as_str(),
                "capacity": line.capacity,
                "item_bytes": line.item_bytes,
                "bytes": line.bytes,
            })
        })
        .collect();
    let whole = serde_json::json!({ "lines": rows, "total_bytes": ledger.total_bytes(), "budget_bytes": ledger.budget() });
    Ok(serde_json::to_string_pretty(&whole)?)
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
