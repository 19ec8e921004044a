//! `plimsoll run`: the order of the start, the life in between, and the order of the stop.

use crate::again::Ending;
use crate::alerts::Alerts;
use crate::cli::{EXIT_MEMORY, EXIT_UNCLEAN};
use crate::config::{Config, Exchange};
use crate::desk::{Candles, DeskNow, DiskShown};
use crate::disk::{DiskWatch, Places, disk_config};
use crate::journal::{Journal, Journals};
use crate::limits::WORKERS;
use crate::local::Local;
use crate::logins::StoredLogins;
use crate::memory::{Memory, exchange_name, plan};
use crate::metrics::{Monitor, Seen};
use crate::ports::{Commands, Now, NowSource, StoredHistory, Traded};
use crate::preflight::{check_key, check_weight, findings, free};
use crate::profiles::{LeakProfiles, Profiles};
use crate::screen;
use crate::settings::{ConfigFile, Served, Settings};
use crate::signals::Signals;
use crate::telegram::OperatorDesk;
use crate::threads::{Trading, edge};
use crate::trade::{
    AccountLoop, Control, EquityView, Feedback, Inbox, Inlet, Keeper, KeeperRequest, LinkState, Prospects, Refusal, Router, SymbolLoop,
    SymbolParts, WhyNot, boot, engine_config, grid_config, interval_at_start, lanes, strategy_config,
};
use crate::venue::{Earlier, gateway_config, session_config, tag, told_while_waiting, venue};
use crate::watch::{StorageWatch, WatchParts, Watched, ladder_config, manager_config, watchdog_config};
use anyhow::{Context, bail};
use plimsoll_bounded::{
    Grants, Ledger, List, Pool, PoolSpec, Receiver, Sealed, Stopper, TaskHandle, TaskSpec, Tasks, channel, reply, watch,
};
use plimsoll_engine::{Account, Engine};
use plimsoll_exchange::session::Session;
use plimsoll_gateway::{Clock, Endpoint, Gateway, GatewayHandle};
use plimsoll_market::{Alert, AlertCode, Event, Instrument, Severity, Spacing, StopMode, Time};
use plimsoll_monitor::{DiskLadder, Exporter, Ladder, LeakConfig, LeakDetector, MemoryManager, Sampler, Watchdog};
use plimsoll_notify::{ChannelConfig, Commander, Notifier};
use plimsoll_position::PositionConfig;
use plimsoll_storage::{Key, Store, StoreConfig, StoredScales};
use plimsoll_strategy::GridOptions;
use plimsoll_web::{AdminToken, FillTape, Mode, Ports, SymbolNow, TlsFiles, Web, WebConfig, WebHandle};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long the exchange may take to tell all that a start needs.
pub const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long storage, gateway and web may each take to stop.
pub const PART_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a stop looks whether the loops are done.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// Where the admin token is.
pub fn token_path(config: &Config) -> PathBuf {
    config.data_dir.join("admin.token")
}

/// The database of the configuration; the environment overrides the file.
///
/// # Errors
/// An address that is no database's.
pub fn store_config(config: &Config) -> anyhow::Result<StoreConfig> {
    // What starts containers sets a variable that is not given to nothing.
    let url = std::env::var(&config.storage_url_env).ok().filter(|url| !url.is_empty()).or_else(|| config.storage_url.clone());
    let url = url.unwrap_or_else(|| format!("sqlite:{}", config.data_dir.join("plimsoll.db").display()));
    let (mut retention, watchdog) = (plimsoll_storage::RawRetention::default(), &config.watchdog);
    // Twice what the interval makes in these days: a shorter one for a while loses nothing.
    let a_day = 86_400 / watchdog.every.as_secs().max(1);
    retention.system = plimsoll_storage::Keep { days: watchdog.detail_days, rows: 2 * a_day * u64::from(watchdog.detail_days) };
    retention.system_daily.days = watchdog.daily_days;
    retention.logs.days = config.log.keep_days;
    retention.log_errors.days = config.log.keep_error_days;
    let kept = &config.storage;
    (retention.equity, retention.events, retention.orders) = (kept.equity, kept.events, kept.orders);
    (retention.fills, retention.funding) = (kept.fills, kept.funding);
    crate::log::hide_login(&url);
    let raw = plimsoll_storage::RawStoreConfig {
        retention,
        size_max_bytes: kept.size_max,
        batch_size: config.batch_size,
        flush_interval_ms: u64::try_from(config.flush_interval.as_millis()).unwrap_or(u64::MAX),
        ..plimsoll_storage::RawStoreConfig::new(url)
    };
    Ok(StoreConfig::try_from(raw)?.with_backups(config.data_dir.join("backups")))
}

/// Where the configuration came from.
#[derive(Debug)]
pub struct Origin {
    /// Its file.
    pub path: PathBuf,
    /// The file's text.
    pub text: String,
}

/// Runs until Ctrl-C, SIGTERM or an operator's stop.
///
/// # Errors
/// Whatever stands against the start, with what to do about it.
pub fn main(config: Config, origin: Origin, fresh: bool) -> anyhow::Result<ExitCode> {
    screen::start().context("cannot start threads")?;
    crate::log::begin(&config.log.level);
    if fresh && config.exchange == Exchange::Binance {
        bail!("--fresh starts the local exchange anew; with exchange: binance there is nothing to start anew");
    }
    // Two providers could be linked in; the first one installed decides, and a second start in one process keeps it.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    let runtime = edge().context("cannot start threads")?;
    let done = runtime.block_on(async {
        let done = run(config, origin, fresh).await;
        if let Ok((_, Some(Ending::Again { .. }))) = &done {
            screen::say("beginning anew with the configuration as it is …");
        }
        crate::log::finish().await;
        screen::finish().await;
        done
    });
    runtime.shutdown_timeout(PART_TIMEOUT);
    match done? {
        (_, Some(Ending::Again { before })) => Err(crate::again::begin(before.as_deref())),
        // Whoever restarts processes must know that this one did not end because it was asked to.
        (code, Some(Ending::Memory(_))) if code == ExitCode::SUCCESS => Ok(ExitCode::from(EXIT_MEMORY)),
        (code, _) => Ok(code),
    }
}

/// What the start has built; the stop takes it apart in reverse.
struct Running {
    config: Config,
    clock: Clock,
    trading: Trading,
    gateway: GatewayHandle,
    trading_tasks: Tasks,
    edge_tasks: Tasks,
    symbols: Vec<(Inlet, TaskHandle)>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    store: Store,
    local: Option<Local>,
    web: Option<WebHandle>,
    now: Arc<Now>,
    notifier: Notifier,
}

async fn run(config: Config, origin: Origin, fresh: bool) -> anyhow::Result<(ExitCode, Option<Ending>)> {
    let clock = Clock::start();
    std::fs::create_dir_all(&config.data_dir).with_context(|| {
        format!("cannot make the data folder {}; give data_dir a place that this user can write", config.data_dir.display())
    })?;
    if fresh {
        forget(&config).await?;
    }
    let stopper = Arc::new(Stopper::new());
    let ending = Arc::new(OnceLock::new());
    // Caught before anything trades: from then on every end is in order.
    let mut signals = Signals::catch();
    let running = tokio::select! {
        biased;
        // A start that is done has loops that trade: it is stopped like any other.
        running = start(config, origin, fresh, clock, Arc::clone(&stopper), Arc::clone(&ending)) => running?,
        () = signals.wait() => {
            screen::say("stopped before it began to trade");
            return Ok((ExitCode::SUCCESS, None));
        }
    };
    wait(&mut signals, &stopper).await;
    let ending = ending.get().cloned();
    let code = stop(running, matches!(ending, Some(Ending::Again { .. }))).await;
    Ok((code, ending))
}

/// `plimsoll alert test CHANNEL`.
///
/// # Errors
/// One sentence that says why the message did not arrive.
pub fn test_alert(config: &Config, channel: &str) -> anyhow::Result<ExitCode> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    let alerts = config.alerts.resolve(&crate::memory::owner(config))?;
    let runtime = edge().context("cannot start threads")?;
    runtime.block_on(plimsoll_notify::send_test(&alerts, channel))?;
    screen::say(&format!("channel {channel}: the service took the test message"));
    Ok(ExitCode::SUCCESS)
}

/// Removes the database of the local exchange's books; the exchange itself forgets by its own means.
async fn forget(config: &Config) -> anyhow::Result<()> {
    let store = store_config(config)?;
    let Some(path) = store.path().map(std::path::Path::to_owned) else {
        bail!("--fresh removes only a database in a file; empty the one of {} yourself", config.storage_url_env)
    };
    if path.exists() {
        // Opening takes the instance lock: a database that another bot works on is not removed.
        let tasks = Tasks::new(plimsoll_bounded::Grant::detached(Tasks::line("app.tasks.fresh", 8, crate::limits::FUTURE_BYTES)));
        let opened = Store::open(store.clone(), plimsoll_storage::StoreGrants::detached(&store), &tasks).await;
        match opened {
            Ok(store) => store.stop(PART_TIMEOUT).await?,
            Err(error @ plimsoll_storage::StoreError::InUse { .. }) => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "the database that is removed could not be opened"),
        }
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("cannot remove {}", PathBuf::from(file).display())),
        }
    }
    Ok(())
}

async fn start(
    config: Config,
    origin: Origin,
    fresh: bool,
    clock: Clock,
    stopper: Arc<Stopper>,
    ending: Arc<OnceLock<Ending>>,
) -> anyhow::Result<Running> {
    // 1. Memory first: what does not fit is not begun.
    let store_config = store_config(&config)?;
    let alerts_config = config.alerts.resolve(&crate::memory::owner(&config))?;
    let Memory {
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
        mut logs,
        mut notify,
        mut gateway,
        mut common,
        symbols,
    } = plan(&config, &store_config, &alerts_config)?;
    crate::memory::check_thresholds(&config, &ledger)?;
    let ledger: Ledger<Sealed> = crate::memory::seal(ledger, &config)?;
    let log_files = crate::log::join(&config, &mut logs)?;
    let edge_tasks = Tasks::new(edge_tasks);
    let exporter = Exporter::new(exporter);
    let trading_tasks = Tasks::new(trading_tasks);
    // 2. Storage, and this start's number on disk before any id is made with it.
    let store_files = store_config.clone();
    let store = Store::open(store_config, store, &edge_tasks).await?;
    // Only now files: another instance on the same data has been refused.
    crate::log::start(&config, log_files, &store)?;
    let run = store.next_run(clock.now()).await?;
    let notifier = Notifier::start(&alerts_config, &mut notify, &edge_tasks)?;
    let channels = alerts_config.channels.iter().map(|channel| channel.name.as_str());
    let alerts = Alerts::new(store.history(), notifier.clone(), exporter.alerts(channels));
    if let Some(why) = crate::again::failed() {
        let text = format!("the restart failed, the configuration before it is in force again: {why}");
        alerts.raise(None, None, Alert::new(Severity::Critical, AlertCode::Command, clock.now(), &text));
    }
    let spec = PoolSpec { name: "worker", group: "workers", workers: WORKERS, job_deadline: PART_TIMEOUT };
    let workers = Pool::start(common.take("app.workers")?, spec, &edge_tasks)?;
    #[cfg(feature = "leak")]
    crate::chores::leak_on_purpose(leak, &edge_tasks)?;
    // 3. The exchange.
    let (venue, local) = venue(&config, fresh, local, paper, clock, &edge_tasks).await?;
    let exchange = exchange_name(&config);
    let tag = tag(exchange, &config.account);
    let trading = Trading::start().context("cannot start the trading thread")?;
    let links = Arc::new(LinkState::default());
    let (account_in, account_lane) = channel::<Feedback>(common.take("app.account")?);
    let mut inlets = Vec::with_capacity(symbols.len());
    let mut seats = Vec::with_capacity(symbols.len());
    for mut grants in symbols {
        let (inlet, inbox) = lanes(&mut grants)?;
        inlets.push(inlet.clone());
        seats.push(Seat { inlet, inbox, grants });
    }
    let (booted, report) = reply();
    let router = Router::new(inlets, account_in.clone(), Arc::clone(&links), booted);
    let gateway_config = gateway_config(&config, &venue)?;
    let mut earlier = Earlier::default();
    for symbol in &config.symbols {
        let stored = store.load(&Key { account: config.account, symbol: symbol.symbol }).await?;
        let Some(totals) = stored.totals else { continue };
        if totals.funded_to > Time::ZERO {
            earlier.funded_to.push((symbol.symbol, totals.funded_to));
        }
        earlier.rates.extend(totals.waiting.map(|waiting| (symbol.symbol, waiting.amount.asset)));
    }
    let session = session_config(&config, &venue, tag, earlier)?;
    if config.exchange == Exchange::Binance {
        check_key(&config, &venue.key, &session.signer, clock, venue.recv_window).await?;
    }
    let session = Session::new(session, run, &mut gateway)?;
    let gateway = trading.within(|| Gateway::spawn(&gateway_config, session, router, clock, &trading_tasks, &mut gateway))?;
    let report = match told_while_waiting(report.wait(BOOT_TIMEOUT), &gateway, exchange).await {
        Ok(Ok(report)) => report,
        Ok(Err(failure)) => bail!("{exchange} does not let us begin: {failure}"),
        Err(_) => {
            bail!("{exchange} did not answer within {} s at {}; check the network and the address", BOOT_TIMEOUT.as_secs(), venue.rest)
        }
    };
    // 4. Who may trade.
    if let Some(weight) = check_weight(&config, &report) {
        gateway.stop(PART_TIMEOUT).await;
        bail!("{weight}");
    }
    let mut refused: Vec<String> = report.unknown.iter().map(|s| format!("{s}: {exchange} has no such contract")).collect();
    let reader = store.reader();
    let (keeper_in, keeper_lane) = channel::<KeeperRequest>(common.take("app.keeper")?);
    let (equity_in, equity) = watch(common.take("app.equity")?, EquityView { equity: None });
    let mut traded: Vec<Traded> = Vec::new();
    // Whether a refused symbol has traded before.
    let mut known = false;
    let mut loops = Vec::new();
    let mut journals = Journals::new(&config, &mut common, config.symbols.len())?;
    let mut keys: Vec<(Key, Inlet)> = Vec::new();
    for (seat, symbol) in seats.into_iter().zip(&report.symbols) {
        let key = Key { account: config.account, symbol: symbol.instrument.symbol };
        // The keeper's list is numbered like the symbols, the refused ones included.
        keys.push((key, seat.inlet.clone()));
        let Some(settings) = config.symbols.iter().find(|s| s.symbol == symbol.instrument.symbol) else { continue };
        let mut findings = findings(&config, settings, symbol, &report);
        let stored = store.load(&key).await?;
        let Instrument { base, quote, price_scale, qty_scale, .. } = symbol.instrument;
        let scales = StoredScales { base, quote, price_scale, qty_scale };
        let before = store.commit_scales(key, scales).await?;
        if (before.price_scale, before.qty_scale) != (price_scale, qty_scale) {
            findings.push(format!(
                "{}: its prices had {} digits and its quantities {}, now {price_scale} and {qty_scale}: what is stored would change its meaning",
                key.symbol, before.price_scale, before.qty_scale
            ));
        }
        let wanted = interval_at_start(settings, &symbol.instrument, &boot(&stored));
        if let Some(interval) = wanted
            && let Err(error) = Engine::check_boot(&symbol.instrument, interval, &boot(&stored))
        {
            findings.push(error.to_string());
        }
        let tick = symbol.instrument.tick;
        let made = |spacing: Option<Spacing>| strategy_config(settings, &symbol.instrument, spacing.unwrap_or(Spacing::Even(tick)));
        let strategy = made(wanted).unwrap_or_else(|error| {
            findings.push(error);
            grid_config(settings, GridOptions::LONG, wanted.unwrap_or(Spacing::Even(tick)), tick)
        });
        let owner = strategy.build()?;
        if let Err(error) = Engine::check_owner(&symbol.instrument, owner.as_ref(), &boot(&stored)) {
            findings.push(error.to_string());
        }
        // A refused symbol still has a loop: what it has at the exchange can be seen, closed and withdrawn, on the grid it was
        // made on. It opens nothing.
        let refusal = Arc::new(WhyNot::default());
        let kept = stored.state.map(|state| state.interval).filter(|_| !findings.is_empty());
        let interval = kept.or(wanted).unwrap_or(Spacing::Even(tick));
        if !findings.is_empty() {
            known |= stored.state.is_some();
            let text = findings.join("; ");
            tracing::error!("{text}");
            refusal.set(text);
        }
        let Seat { inlet, inbox, mut grants } = seat;
        let tape = Arc::new(FillTape::new(grants.take("web.tape")?));
        let (view_in, view) = watch::<Option<Arc<SymbolNow>>>(grants.take("app.view")?, None);
        let mut parts = SymbolParts {
            index: symbol.index,
            instrument: symbol.instrument,
            engine: engine_config(
                &config,
                settings,
                PositionConfig {
                    tag,
                    run,
                    series: symbol.index.0,
                    placed_before: 0,
                    recv_window_ms: u64::try_from(venue.recv_window.as_millis()).unwrap_or(u64::MAX),
                    compare_every: config.risk.reconcile_every,
                    accept_position: config.risk.accept_positions,
                },
                interval,
            ),
            strategy: made(Some(interval)).unwrap_or(strategy),
            prospect: Prospects {
                exposure_max: config.risk.max_exposure / config.symbols.len().max(1) as i128,
                layers_max: u32::from(config.risk.guard_of(settings).layers_max),
                margin: free(&report, symbol),
                leverage: symbol.leverage,
                isolated: symbol.isolated,
                stop_loss: config.risk.guard_of(settings).stop_loss,
                accept_liquidation: config.risk.accept_liquidation,
            },
            orders: gateway.orders(),
            recorder: store.recorder(key),
            keeper: keeper_in.clone(),
            account: account_in.clone(),
            alerts: alerts.clone(),
            tape: Arc::clone(&tape),
            view: view_in,
            mirror: List::new(grants.take("app.mirror")?),
            memory: grants.take("engine.state")?,
            refusal: Arc::clone(&refusal),
            links: Arc::clone(&links),
            journal: Journal::off(),
            metrics: exporter.symbol(&config.account, &symbol.instrument.symbol)?,
            clock,
        };
        parts.journal = journals.symbol(&parts, run, &mut grants)?;
        let symbol_loop = SymbolLoop::new(parts, inbox, &stored)?;
        loops.push((symbol.instrument.symbol, inlet.clone(), symbol_loop));
        traded.push(Traded { instrument: symbol.instrument, view, tape, inlet, refusal });
    }
    if !known && traded.iter().all(|t| t.refusal.get().is_some()) {
        gateway.stop(PART_TIMEOUT).await;
        refused.extend(traded.iter().filter_map(|t| t.refusal.get()));
        bail!("no symbol can trade:\n  {}", refused.join("\n  "));
    }
    for why in &refused {
        tracing::error!("{why}");
    }
    // 5. The loops.
    let record = store.load_account(&config.account).await?;
    let quote = report.symbols.first().map(|s| s.instrument.quote).context("the exchange has none of the configured symbols")?;
    let watched: Vec<u16> =
        report.symbols.iter().filter(|s| config.risk.watched.contains(&s.instrument.symbol)).map(|s| s.index.0).collect();
    let account = AccountLoop {
        account: Account::new(config.risk.account(quote), config.symbols.len(), watched.len(), record, clock.now()),
        watched,
        memory: common.take("safety.monitor")?,
        keeper: keeper_in.clone(),
        name: config.account,
        inlets: keys.iter().map(|(_, i)| i.clone()).collect(),
        view: equity_in,
        alerts: alerts.clone(),
        metrics: exporter.account(&config.account)?,
        links: Arc::clone(&links),
        clock,
    };
    let keeper = Keeper { store: store.clone(), account: config.account, symbols: keys };
    edge_tasks.spawn(TaskSpec { name: "keeper", group: "app" }, |task| Box::pin(keeper.run(keeper_lane, task)))?;
    crate::chores::watch_records(&store, &traded, &edge_tasks)?;
    journals.start(&config, &exporter, clock, &edge_tasks)?;
    let balances = report.balances.iter().filter(|b| traded.iter().any(|t| t.instrument.quote == b.asset));
    for balance in balances {
        let input = plimsoll_engine::AccountInput::Event(plimsoll_market::AccountEvent::Balance(*balance));
        if account_in.try_send(Feedback::Input(input)).is_err() {
            tracing::debug!("account lane is full");
        }
    }
    // 6. What people look at.
    let stopping = Arc::new(AtomicBool::new(false));
    let (shown, seen) = watch(common.take("app.seen")?, Seen::default());
    let monitor = Monitor::new(exporter.clone(), seen, edge_tasks.clone(), trading_tasks.clone(), loops.len());
    let watched = traded.iter().map(|t| Watched {
        inlet: t.inlet.clone(),
        tape: Arc::clone(&t.tape),
        view: t.view.clone(),
        name: t.instrument.symbol,
        told: false,
    });
    let shrink = Arc::new(AtomicBool::new(false));
    let storage = StorageWatch {
        store: store.clone(),
        exporter: exporter.clone(),
        alerts: alerts.clone(),
        shrink: Arc::clone(&shrink),
        cool_down: config.watchdog.cool_down,
        clock,
        spoken: arrayvec::ArrayVec::new(),
    };
    let failed = crate::watch::failed("watch/storage", exporter.clone(), alerts.clone(), clock);
    let spec = TaskSpec { name: "watch/storage", group: "app" };
    crate::watch::start(&edge_tasks, spec, failed, move |task| Box::pin(crate::watch::watch_storage(storage.clone(), task)))?;
    let disk_shown = DiskShown::default();
    let disk = DiskWatch {
        store: store.clone(),
        places: Places { data_dir: config.data_dir.clone(), database: store_files.path().map(std::path::Path::to_owned) },
        config: store_files,
        ladder: DiskLadder::new(disk_config(&config)),
        every: config.storage.disk_every,
        cool_down: config.watchdog.cool_down,
        complained: None,
        workers: workers.clone(),
        exporter: exporter.clone(),
        alerts: alerts.clone(),
        shown: Arc::clone(&disk_shown),
        clock,
    };
    let failed = crate::watch::failed("watch/disk", exporter.clone(), alerts.clone(), clock);
    let spec = TaskSpec { name: "watch/disk", group: "app" };
    crate::watch::start(&edge_tasks, spec, failed, move |task| Box::pin(crate::disk::watch_disk(disk.clone(), task)))?;
    let failed = crate::watch::failed("watch", exporter.clone(), alerts.clone(), clock);
    let mut parts = WatchParts {
        sampler: Sampler::new(
            common.take("monitor.samples")?,
            ledger.handle(),
            [edge_tasks.clone(), trading_tasks.clone()],
            exporter.clone(),
        ),
        manager: MemoryManager::new(manager_config(&config)),
        ladder: Ladder::new(ladder_config(&config)),
        // Every task that was planned may live at once.
        watchdog: Watchdog::new(
            watchdog_config(&config, crate::memory::planned_tasks(&config, &alerts_config)),
            common.take("watchdog.history")?,
            common.take("watchdog.spoken")?,
        ),
        leaks: LeakDetector::new(LeakConfig::default(), common.take("monitor.leak.lines")?, common.take("monitor.leak.spoken")?),
        profiles: LeakProfiles::new(config.data_dir.join("profiles"), workers.clone()),
        external,
        exporter,
        alerts: alerts.clone(),
        shown,
        short: false,
        shrink,
        started: clock.now(),
        symbols: watched.collect(),
        links: Arc::clone(&links),
        stale_after: config.stale_after,
        every: config.watchdog.every,
        account: config.account,
        gateway: gateway.watch_stats(),
        leave: Box::new({
            let (stopper, ending) = (Arc::clone(&stopper), Arc::clone(&ending));
            move |why: &str| {
                ending.get_or_init(|| Ending::Memory(why.to_owned()));
                stopper.stop();
            }
        }),
        clock,
        viewers: None,
        purge_next: false,
    };
    let now = Arc::new(Now {
        exchange: exchange.to_owned(),
        mode: match config.exchange {
            Exchange::Local => Mode::Local,
            Exchange::Paper => Mode::Paper,
            Exchange::Binance => Mode::Live,
        },
        account: config.account,
        started: clock.now(),
        clock,
        symbols: traded,
        refused,
        links,
        equity,
        monitor,
        store: store.clone(),
        alerts: alerts.clone(),
        stopping,
        on_stop: match config.on_stop {
            StopMode::Keep => "keep",
            StopMode::Cancel => "cancel",
            StopMode::Flatten => "flatten",
        },
    });
    let cleanup = Arc::new(AtomicU64::new(u64::try_from(config.slot_cleanup.as_millis()).unwrap_or(u64::MAX)));
    let file = ConfigFile { path: origin.path, backups: crate::settings::backups_of(&config.data_dir) };
    let settings = Arc::new(Settings::new(file, origin.text, config.clone(), Arc::clone(&now), account_in.clone(), Arc::clone(&cleanup))?);
    if config.watch_file {
        let (settings, alerts) = (Arc::clone(&settings), alerts.clone());
        let spec = TaskSpec { name: "watch/config", group: "app" };
        edge_tasks.spawn(spec, |task| Box::pin(crate::settings::watch_file(settings, alerts, clock, task)))?;
    }
    // A followed market is the real one's; its candles are there.
    let candles_at = if config.exchange == Exchange::Paper { &config.binance.rest_url } else { &venue.rest };
    let desk = DeskNow {
        now: Arc::clone(&now),
        reader: reader.clone(),
        settings: Arc::clone(&settings),
        monitored: config.risk.watched.clone(),
        gateway: gateway.watch_stats(),
        disk: disk_shown,
        candles: Candles::new(common.take("app.candles")?, Endpoint::rest(candles_at)?),
        journal: (config.journal.enabled, config.journal.keep_bytes, config.data_dir.clone()),
        workers: workers.clone(),
        clock,
    };
    let ports = Ports {
        settings: Arc::new(Served { settings: Arc::clone(&settings), tasks: edge_tasks.clone() }),
        source: Arc::new(NowSource(Arc::clone(&now))),
        profiler: Arc::new(Profiles { workers: workers.clone() }),
        desk: Arc::new(desk),
        vault: Arc::new(StoredLogins { store: store.clone() }),
        workers,
        logs: Arc::new(crate::log::Feed),
        history: Arc::new(StoredHistory { reader, account: config.account, now: Arc::clone(&now) }),
        control: Arc::new(Commands { now: Arc::clone(&now), account: account_in, stopper, settings, ending }),
    };
    let web = match config.web_listen {
        Some(listen) => Some(serve(&config, listen, ports, &edge_tasks, &ledger).await?),
        None => None,
    };
    web.iter().for_each(|web| parts.include(web));
    for channel in &alerts_config.channels {
        hear_commands(channel, web.as_ref(), &notifier, &mut notify, &edge_tasks)?;
    }
    let (parts, spec) = (Arc::new(Mutex::new(parts)), TaskSpec { name: "watch", group: "watch" });
    crate::watch::start(&edge_tasks, spec, failed, move |task| Box::pin(crate::watch::watch(Arc::clone(&parts), task)))?;
    crate::chores::housekeeping(&config, cleanup, &store, &now, clock, &edge_tasks)?;
    // 7. Only now the loops: nothing stands against the start any more.
    let symbols = trading.within(|| spawn_loops(loops, account, account_lane, &trading_tasks))?;
    let dashboard = web.as_ref().map(WebHandle::url);
    let shown = Arc::clone(&now);
    edge_tasks.spawn(TaskSpec { name: "screen", group: "app" }, |task| Box::pin(screen::run(shown, dashboard, task)))?;
    Ok(Running { config, clock, trading, gateway, trading_tasks, edge_tasks, symbols, store, local, web, now, notifier })
}

/// Hears commands over a channel, where somebody may command over it.
fn hear_commands(
    channel: &ChannelConfig,
    web: Option<&WebHandle>,
    notifier: &Notifier,
    grants: &mut Grants,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    if !Commander::is_wanted(channel) {
        return Ok(());
    }
    let web = web.with_context(|| {
        format!("alerts.channels.{}: commanders need web.enabled: true, for they command as the dashboard does", channel.name)
    })?;
    let desk = Arc::new(OperatorDesk(web.operator()));
    if let Some(commander) = Commander::new(channel, desk, notifier.clone(), grants)? {
        let name = format!("commands/{}", channel.name);
        tasks.spawn(TaskSpec { name: &name, group: "app" }, |task| Box::pin(commander.run(task)))?;
    }
    Ok(())
}

/// A symbol's place before it is known whether it may trade.
struct Seat {
    inlet: Inlet,
    inbox: Inbox,
    grants: Grants,
}

type Loops = Vec<(plimsoll_market::Symbol, Inlet, SymbolLoop)>;

fn spawn_loops(loops: Loops, account: AccountLoop, lane: Receiver<Feedback>, tasks: &Tasks) -> anyhow::Result<Vec<(Inlet, TaskHandle)>> {
    let mut handles = Vec::with_capacity(loops.len());
    for (symbol, inlet, symbol_loop) in loops {
        let name = format!("symbol/{symbol}");
        // Boxed: an engine is large, and the set charges futures by their declared size.
        let handle = tasks.spawn(TaskSpec { name: &name, group: "symbols" }, |task| Box::pin(symbol_loop.run(task)))?;
        handles.push((inlet, handle));
    }
    tasks.spawn(TaskSpec { name: "account", group: "account" }, |task| Box::pin(account.run(lane, task)))?;
    Ok(handles)
}

/// What the configuration says of the web server.
pub fn web_config(config: &Config, token: AdminToken) -> WebConfig {
    let mut web = WebConfig::new(token);
    web.hosts.clone_from(&config.web_hosts);
    web.pprof = config.pprof;
    web.open_reading = config.web_open_reading;
    web.tls = config.web_tls.clone().map(|(certificate, key)| TlsFiles { certificate, key });
    web.behind_proxy = config.web_behind_proxy;
    web.label = config.account.to_string();
    web
}

async fn serve(
    config: &Config,
    listen: std::net::SocketAddr,
    ports: Ports,
    tasks: &Tasks,
    ledger: &Ledger<Sealed>,
) -> anyhow::Result<WebHandle> {
    let path = token_path(config);
    let (token, origin) = AdminToken::load_or_create(&path)?;
    crate::log::hide(token.reveal());
    if matches!(origin, plimsoll_web::Origin::Created) {
        screen::say(&format!("admin token, told once and kept in {}: {}", path.display(), token.reveal()));
    }
    let mut web = web_config(config, token);
    web.listen = listen;
    let web = Web::start(web, ports, tasks, ledger).await?;
    if let Some(setup) = web.setup_url() {
        crate::log::hide(setup.rsplit_once('=').map_or(setup, |(_, code)| code));
        screen::say(&format!("no password is set yet; set one here, with this link alone: {setup}"));
    }
    Ok(web)
}

/// Waits for a signal or an operator's stop.
async fn wait(signals: &mut Signals, stopper: &Stopper) {
    let stop = stopper.stop_token();
    tokio::select! {
        biased;
        // Whoever comes first; both mean the same.
        () = signals.wait() => {}
        () = stop.stopped() => {}
    }
}

/// Stops in order: the engines withdraw what they must and have it confirmed, then the sockets, then storage. What begins anew keeps its
/// orders, whatever is configured.
async fn stop(running: Running, again: bool) -> ExitCode {
    let Running { config, clock, trading, gateway, trading_tasks, edge_tasks, symbols, store, local, web, now, notifier } = running;
    now.stopping.store(true, Ordering::Relaxed);
    let on_stop = if again { StopMode::Keep } else { config.on_stop };
    let what = match on_stop {
        StopMode::Keep => "keeping orders and positions",
        StopMode::Cancel => "withdrawing our orders",
        StopMode::Flatten => "withdrawing our orders and closing positions",
    };
    let began = Instant::now();
    let deadline = began + config.stop_timeout;
    for (inlet, _) in &symbols {
        while inlet.control(Control::Event(Event::Shutdown(on_stop))) == Err(Refusal::Full) && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }
    screen::say(&format!("stopping: {what} …"));
    let mut open = Vec::new();
    for (_, handle) in &symbols {
        while handle.exit().is_none() && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        if handle.exit().is_none_or(|exit| !exit.is_ok()) {
            open.push(handle.name().to_owned());
        }
    }
    let views = now.views();
    let left: usize = views.iter().map(|v| v.status.orders.len()).sum();
    let clean = open.is_empty();
    // From here on nothing new can be caused; everything is joined, each within its own time.
    let parts = Instant::now();
    let report = trading_tasks.stop_group("symbols", PART_TIMEOUT).await;
    let sockets = gateway.stop(PART_TIMEOUT).await;
    let trading_report = trading_tasks.shutdown(PART_TIMEOUT).await;
    trading.stop();
    tracing::debug!(ms = parts.elapsed().as_millis() as u64, "stopped: trading thread");
    let flushed = store.flush().await;
    tracing::debug!(ms = parts.elapsed().as_millis() as u64, "stopped: flush");
    if let Some(web) = web {
        web.stop().await;
    }
    if let Some(local) = local {
        local.stop().await;
    }
    tracing::debug!(ms = parts.elapsed().as_millis() as u64, "stopped: web and local exchange");
    notifier.stop(PART_TIMEOUT).await;
    tracing::debug!(ms = parts.elapsed().as_millis() as u64, "stopped: alerts");
    let stored = store.stop(PART_TIMEOUT).await;
    tracing::debug!(ms = parts.elapsed().as_millis() as u64, "stopped: storage");
    let edge_report = edge_tasks.shutdown(PART_TIMEOUT).await;
    tracing::debug!(ms = parts.elapsed().as_millis() as u64, "stopped: edge");
    for (part, problem) in [("flush of records", flushed.err()), ("storage", stored.err())] {
        if let Some(error) = problem {
            tracing::error!(%error, "{part} failed at the stop; what is missing is fetched from the exchange at the next start");
        }
    }
    if !sockets.is_clean() || !trading_report.is_clean() || !report.is_clean() || !edge_report.is_clean() {
        tracing::warn!(gateway = ?sockets.exit, trading = ?trading_report, edge = ?edge_report, "not everything ended by itself");
    }
    let fills: u64 = views.iter().map(|v| v.status.fills).sum();
    let net: i128 = views.iter().map(|v| v.status.pnl.net()).sum();
    let net = plimsoll_market::format_units(net / 1_000_000, 2).to_string();
    let took = began.elapsed().as_secs_f32();
    let up = clock.now().since(now.started).as_secs();
    if clean {
        let confirmed = match on_stop {
            StopMode::Keep => format!("{left} orders stay at the exchange"),
            StopMode::Cancel | StopMode::Flatten => "the exchange confirms that none of our orders is open".to_owned(),
        };
        screen::say(&format!("stopped after {up} s in {took:.1} s: {confirmed}; {fills} fills, net {net}"));
        ExitCode::SUCCESS
    } else {
        screen::say(&format!(
            "stopped after {up} s, but in {took:.1} s it was not confirmed for {} that everything is withdrawn; look at the exchange, or start and stop again",
            open.join(", ")
        ));
        ExitCode::from(EXIT_UNCLEAN)
    }
}
