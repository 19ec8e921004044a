//! What Prometheus gets to see.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test that cannot go on panics; figures written as text come back exactly")]

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_bounded::{Class, Grant, Ledger, Line, Plan, Ring, TaskSpec, Tasks, WhenFull};
use plimsoll_market::{Feed, Holding, Instrument, Name, Phase, Pnl, Price, Qty, RefPrice, Status, Symbol, Time, Top};
use plimsoll_monitor::limits::{
    ACCOUNT_SERIES, ACCOUNTS_MAX, LATENCIES_PENDING_MAX, LATENCY_BYTES, SERIES_BYTES, SERIES_MAX, SYMBOL_SERIES, SYMBOLS_MAX,
};
use plimsoll_monitor::{
    AlreadyInstalled, DiskConfig, DiskKind, DiskLadder, DiskUse, Exporter, ExporterGrants, FAMILIES, Kind, LogSample, ManagerFigures, Rung,
    Sampler, SeriesFull, StorageFigures, SystemMetrics,
};

fn exporter() -> Exporter {
    Exporter::new(ExporterGrants::detached())
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

/// The value of a series, given as it is written.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    let Some(line) = line else { panic!("no {series} in\n{text}") };
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn status() -> Status {
    Status {
        symbol: symbol("BTCUSDT"),
        phase: Phase::Trading,
        closed: None,
        lock: None,
        closing: false,
        drift: Holding::from_units(-2),
        healed_in: Duration::from_secs(3),
        taken_over: 1,
        late_fills: 4,
        top: Some(Top {
            bid: Price::from_units(600_000),
            bid_qty: Qty::from_units(1),
            ask: Price::from_units(600_200),
            ask_qty: Qty::from_units(1),
            time: Time::ZERO,
        }),
        mark: None,
        holding: Holding::from_units(-125),
        entry: RefPrice::ZERO,
        pnl: Pnl {
            realized: 250_000_000,
            fees: 50_000_000,
            funding: -10_000_000,
            unrealized: Some(100_000_000),
            round_trips: 0,
            other_fees: 1_000_000,
        },
        anchor: None,
        interval: Price::from_units(100),
        slots: Vec::new(),
        orders: Vec::new(),
        foreign_orders: 2,
        placed: 10,
        canceled: 4,
        rejected: 1,
        slots_cleaned: 3,
        fees_unconverted: 2,
        fills: 1_000,
        time: Time::ZERO,
    }
}

#[test]
fn families_are_named_by_the_rules_and_described() {
    let exporter = exporter();
    let mut names = BTreeSet::new();
    for family in FAMILIES {
        assert!(names.insert(family.name), "{} twice", family.name);
        assert!(family.name.starts_with("plimsoll_"), "{}", family.name);
        assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
        for label in family.labels {
            // Configured, compiled in, or (the owner) one for each kind of container.
            let bounded = "version group line policy owner account symbol feed limit culprit rule severity channel state sink kind";
            assert!(bounded.split(' ').any(|word| word == *label), "{label} may not be bounded");
        }
    }
    let text = exporter.render();
    assert!(text.contains("# HELP plimsoll_tasks_live tasks that run\n# TYPE plimsoll_tasks_live gauge\nplimsoll_tasks_live 0"), "{text}");
    assert_eq!(value(&text, "plimsoll_build_info{version=\"0.1.0\"}"), 1.0);
}

#[test]
fn everything_rendered_is_a_documented_family() {
    let exporter = exporter();
    let mut one = exporter.symbol(&name("main"), &symbol("BTCUSDT")).unwrap();
    one.observe(&status(), &Instrument::example_btcusdt());
    one.decision().record(Duration::from_nanos(250));
    let account = exporter.account(&name("main")).unwrap();
    account.request(Duration::from_millis(3));
    exporter.storage().observe(&StorageFigures { database_bytes: Some(4_096), ..StorageFigures::default() });
    let journal = exporter.journal();
    journal.opened();
    journal.wrote(100);
    journal.gap();
    journal.failed();
    journal.kept(5);
    let sinks = [(1, 2), (3, 4), (5, 6), (7, 8)];
    exporter.log().observe(&LogSample { sinks, viewers: 9, file_bytes: 10, ..LogSample::default() });
    let mut disk = DiskUse { free: Some(1 << 40), ..DiskUse::default() };
    disk.add(DiskKind::Backups, 930);
    let mut ladder = DiskLadder::new(DiskConfig::new(1_000));
    let decision = ladder.look(Time::from_millis(1), &disk);
    exporter.disk(&disk, &decision, 1_000);
    let text = exporter.render();
    let kind = |kind: &str| value(&text, &format!("plimsoll_disk_bytes{{kind=\"{kind}\"}}"));
    assert_eq!((kind("backups"), kind("wal"), value(&text, "plimsoll_disk_level")), (930.0, 0.0, 2.0));
    assert_eq!((value(&text, "plimsoll_disk_used_ratio"), value(&text, "plimsoll_disk_budget_bytes")), (0.93, 1_000.0));
    assert_eq!(value(&text, "plimsoll_journal_bytes_total"), 100.0);
    assert_eq!(value(&text, "plimsoll_log_lines_total{sink=\"files\"}"), 3.0);
    assert_eq!(value(&text, "plimsoll_log_lines_dropped_total{sink=\"live\"}"), 8.0);
    assert_eq!((value(&text, "plimsoll_log_viewers"), value(&text, "plimsoll_log_file_bytes")), (9.0, 10.0));
    for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
        let (name, kind) = line.strip_prefix("# TYPE ").unwrap().split_once(' ').unwrap();
        let family = FAMILIES.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("{name} is not documented"));
        assert_eq!(format!("{:?}", family.kind).to_lowercase(), kind, "{name}");
        assert!(text.contains(&format!("# HELP {name} {}", family.help)), "{name} without help");
    }
}

#[test]
fn ledger_is_shown_by_template() {
    let ledger = Ledger::open(50_000_000);
    let line = |name| Line::of::<u64>(name, 4, WhenFull::DropOldest, Class::LatestWins);
    let mut first = Ring::new(ledger.grant(line("test.prices/BTC")).unwrap());
    let mut second = Ring::new(ledger.grant(line("test.prices/ETH")).unwrap());
    let grants = ExporterGrants::take(&ledger).unwrap();
    let history = ledger.grant(Sampler::line("monitor.samples", 3)).unwrap();
    let ledger = ledger.seal().unwrap();
    let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 1, 64)));
    let mut sampler = Sampler::new(history, ledger.handle(), [tasks], Exporter::new(grants));
    let exporter = exporter();
    let mut other = Sampler::new(
        Grant::detached(Sampler::line("x", 1)),
        ledger.handle(),
        [Tasks::new(Grant::detached(Tasks::line("y", 1, 64)))],
        exporter.clone(),
    );

    for number in 0..6 {
        first.roll(number);
    }
    second.roll(1);
    let plan = Plan::new("late").with(line("test.late/SOL")).unwrap();
    let late = ledger.admit(&plan).unwrap();
    let sample = other.sample(Time::from_millis(1));
    assert_eq!((sample.ledger_bytes, sample.budget_bytes), (ledger.total_bytes(), 50_000_000));
    let text = exporter.render();
    for (series, expected) in [
        ("plimsoll_ledger_lines{line=\"test.prices\"}", 2.0),
        ("plimsoll_ledger_line_capacity{line=\"test.prices\"}", 8.0),
        ("plimsoll_ledger_line_length{line=\"test.prices\"}", 5.0),
        ("plimsoll_ledger_fill_ratio_max{line=\"test.prices\"}", 1.0),
        ("plimsoll_ledger_high_water_max{line=\"test.prices\"}", 4.0),
        ("plimsoll_ledger_overflow_total{line=\"test.prices\",policy=\"drop_oldest\"}", 2.0),
        ("plimsoll_ledger_worst_ratio{line=\"test.prices\",owner=\"BTC\"}", 1.0),
        ("plimsoll_ledger_lines{line=\"test.late\"}", 1.0),
        ("plimsoll_ledger_budget_bytes", 50_000_000.0),
        ("plimsoll_ledger_total_bytes", ledger.total_bytes() as f64),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    assert_eq!(text.matches("BTC").count(), 1, "a series an owner would be 60,000 of them; only the fullest is named");

    drop(late);
    other.sample(Time::from_millis(2));
    assert_eq!(value(&exporter.render(), "plimsoll_ledger_lines{line=\"test.late\"}"), 0.0, "what has gone is not shown for ever");

    // The sampler's own memory has its limit, too.
    for second in 0..5 {
        sampler.sample(Time::from_millis(second * 1_000));
    }
    assert_eq!(sampler.history().map(|sample| sample.time.millis()).collect::<Vec<_>>(), [2_000, 3_000, 4_000]);
    assert_eq!(sampler.latest().unwrap().time.millis(), 4_000);
}

#[tokio::test]
async fn tasks_are_counted_by_group_and_by_end() {
    let ledger = Ledger::open(50_000_000).seal().unwrap();
    let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 4, 1_024)));
    let spec = |name| TaskSpec { name, group: "engines" };
    let waits = tasks.spawn(spec("waits"), |task| async move { task.stop.stopped().await }).unwrap();
    let fails = tasks.spawn(spec("fails"), |_| async { Err::<(), _>("no") }).unwrap();
    let panics = tasks.spawn(spec("panics"), |_| async { assert!(std::hint::black_box(false), "on purpose") }).unwrap();
    fails.join().await;
    panics.join().await;
    let exporter = exporter();
    let mut sampler = Sampler::new(Grant::detached(Sampler::line("x", 2)), ledger.handle(), [tasks.clone()], exporter.clone());
    let sample = sampler.sample(Time::from_millis(1));
    assert_eq!(SystemMetrics::of(&sample, &ManagerFigures::default()).goroutines, 1);
    let text = exporter.render();
    assert_eq!(value(&text, "plimsoll_tasks_group_live{group=\"engines\"}"), 1.0);
    assert_eq!(value(&text, "plimsoll_tasks_spawned_total"), 3.0);
    assert_eq!(value(&text, "plimsoll_tasks_failed_total"), 1.0);
    assert_eq!(value(&text, "plimsoll_tasks_panicked_total"), 1.0);
    waits.stop();
    waits.join().await;
    sampler.sample(Time::from_millis(2));
    assert_eq!(value(&exporter.render(), "plimsoll_tasks_group_live{group=\"engines\"}"), 0.0);
}

#[test]
fn symbol_shows_its_status() {
    let exporter = exporter();
    let mut metrics = exporter.symbol(&name("main"), &symbol("BTCUSDT")).unwrap();
    let instrument = Instrument::example_btcusdt();
    let mut status = status();
    metrics.observe(&status, &instrument);
    let series = |family: &str| format!("{family}{{account=\"main\",symbol=\"BTCUSDT\"}}");
    let scale = |digits: u8| 10_f64.powi(i32::from(digits));
    let text = exporter.render();
    let close = |family: &str, expected: f64| {
        let shown = value(&text, &series(family));
        assert!((shown - expected).abs() < 1e-9, "{family}: {shown}, not {expected}");
    };
    close("plimsoll_pnl_net", 2.89);
    close("plimsoll_pnl_fees", 0.51);
    close("plimsoll_holding", -125.0 / scale(instrument.qty_scale));
    close("plimsoll_price_mid", 600_100.0 / scale(instrument.price_scale));
    close("plimsoll_orders_placed_total", 10.0);
    // Fills count from the beginning of the books: those of earlier processes are not ours to count.
    close("plimsoll_fills_total", 0.0);
    close("plimsoll_orders_foreign", 2.0);
    close("plimsoll_symbol_opening", 1.0);

    // The engine was built anew and counts from zero; the price has gone.
    (status.placed, status.fills, status.pnl.unrealized, status.top, status.closed) = (3, 1_004, None, None, Some("stale market"));
    metrics.observe(&status, &instrument);
    let text = exporter.render();
    assert_eq!(value(&text, &series("plimsoll_orders_placed_total")), 13.0);
    assert_eq!(value(&text, &series("plimsoll_fills_total")), 4.0);
    assert_eq!(value(&text, &series("plimsoll_symbol_opening")), 0.0);
    assert_eq!(value(&text, &series("plimsoll_symbol_trading")), 1.0);
    for unknown in ["plimsoll_pnl_net", "plimsoll_pnl_unrealized", "plimsoll_price_mid"] {
        assert!(value(&text, &series(unknown)).is_nan(), "{unknown} is unknown, not what it was");
    }
}

#[test]
fn coming_back_is_a_reconnect_and_the_first_time_is_not() {
    let exporter = exporter();
    let mut account = exporter.account(&name("main")).unwrap();
    let reconnects = |feed: &str| value(&exporter.render(), &format!("plimsoll_feed_reconnects_total{{account=\"main\",feed=\"{feed}\"}}"));
    account.link(Feed::Market, false);
    account.link(Feed::Market, true);
    account.link(Feed::Market, true);
    assert_eq!(reconnects("market"), 0.0);
    for _ in 0..2 {
        account.link(Feed::Market, false);
        account.link(Feed::Market, false);
        account.link(Feed::Market, true);
    }
    account.gap(Feed::Account);
    assert_eq!((reconnects("market"), reconnects("account")), (2.0, 0.0));
    let text = exporter.render();
    assert_eq!(value(&text, "plimsoll_feed_up{account=\"main\",feed=\"market\"}"), 1.0);
    assert_eq!(value(&text, "plimsoll_feed_gaps_total{account=\"main\",feed=\"account\"}"), 1.0);
    account.worth(12_345_000_000, None);
    let text = exporter.render();
    assert!((value(&text, "plimsoll_wallet{account=\"main\"}") - 123.45).abs() < 1e-9);
    assert!(value(&text, "plimsoll_equity{account=\"main\"}").is_nan());
}

#[test]
fn latencies_fall_into_buckets_and_have_a_limit() {
    let exporter = exporter();
    let metrics = exporter.symbol(&name("main"), &symbol("BTCUSDT")).unwrap();
    for nanos in [90, 250, 250, 40_000] {
        metrics.decision().record(Duration::from_nanos(nanos));
    }
    let text = exporter.render();
    assert_eq!(value(&text, "plimsoll_decision_seconds_bucket{le=\"0.0000001\"}"), 1.0);
    assert_eq!(value(&text, "plimsoll_decision_seconds_bucket{le=\"0.0000003\"}"), 3.0);
    assert_eq!(value(&text, "plimsoll_decision_seconds_bucket{le=\"+Inf\"}"), 4.0);
    exporter.upkeep();

    for _ in 0..LATENCIES_PENDING_MAX + 5 {
        metrics.event_age().record(Duration::from_millis(1));
    }
    exporter.upkeep();
    let text = exporter.render();
    assert_eq!(value(&text, "plimsoll_event_age_seconds_count"), LATENCIES_PENDING_MAX as f64);
    assert_eq!(value(&text, "plimsoll_metrics_dropped_total"), 5.0);
    metrics.event_age().record(Duration::from_millis(1));
    assert_eq!(value(&exporter.render(), "plimsoll_event_age_seconds_count"), LATENCIES_PENDING_MAX as f64 + 1.0);
}

#[test]
fn series_have_a_limit_and_known_owners_are_served_beyond_it() {
    let exporter = exporter();
    let main = name("main");
    let max = SYMBOLS_MAX + ACCOUNTS_MAX;
    for number in 0..max {
        exporter.symbol(&main, &symbol(&format!("S{number}"))).unwrap();
    }
    assert_eq!(exporter.symbol(&main, &symbol("ONEMORE")).unwrap_err(), SeriesFull { max });
    exporter.symbol(&main, &symbol("S0")).unwrap();
    let text = exporter.render();
    let series = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
    assert!(series <= SERIES_MAX, "{series}");
    let own = text.lines().filter(|line| line.contains("symbol=\"S0\"")).count();
    assert!(own <= SYMBOL_SERIES && own > 10, "{own}");
    assert!(!text.contains("ONEMORE"));
    assert_eq!(value(&text, "plimsoll_metrics_dropped_total"), 1.0);
}

#[test]
fn installed_exporter_hears_libraries_and_there_is_one() {
    let exporter = Exporter::install(ExporterGrants::detached()).unwrap();
    metrics::counter!("library_things_total").increment(3);
    assert_eq!(value(&exporter.render(), "library_things_total"), 3.0);
    assert_eq!(Exporter::install(ExporterGrants::detached()).unwrap_err(), AlreadyInstalled);
}

#[test]
fn ten_figures_have_the_names_that_dashboards_know() {
    let ledger = Ledger::open(50_000_000).seal().unwrap();
    let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 1, 64)));
    let exporter = exporter();
    let mut sampler = Sampler::new(Grant::detached(Sampler::line("x", 2)), ledger.handle(), [tasks], exporter.clone());
    let first = sampler.sample(Time::from_millis(1_000));
    assert_eq!(first.cpu_load, None);
    let sample = sampler.sample(Time::from_millis(2_000));
    let manager = ManagerFigures { purges: 7, next_purge_bytes: 150_000_000, cpu_share: Some(0.25), ..ManagerFigures::default() };
    let metrics = SystemMetrics::of(&sample, &manager);
    exporter.memory(&sample, &manager, Rung::StopOpening, None);
    let names = metrics.fields().map(|(name, _)| name);
    let known = "alloc_mb heap_alloc_mb sys_mb heap_sys_mb heap_inuse_mb heap_idle_mb num_gc next_gc_mb gc_cpu_fraction goroutines";
    assert_eq!(names.join(" "), known);
    assert_eq!((metrics.num_gc, metrics.next_gc_mb, metrics.gc_cpu_fraction), (7, 150.0, Some(0.25)));
    assert_eq!(metrics.alloc_mb.is_some(), cfg!(feature = "jemalloc"));
    let text = exporter.render();
    assert_eq!(text.contains("plimsoll_allocator_allocated_bytes "), cfg!(feature = "jemalloc"), "what is unknown has no series");
    assert_eq!(value(&text, "plimsoll_uptime_seconds"), 1.0);
    assert_eq!(value(&text, "plimsoll_runtime_gc_total"), 7.0);
    assert_eq!(value(&text, "plimsoll_runtime_next_gc_bytes"), 150e6);
    assert_eq!(value(&text, "plimsoll_memory_pressure_rung"), 3.0);
    if cfg!(target_os = "linux") {
        assert!(metrics.sys_mb.is_some_and(|size| size > 1.0), "{metrics:?}");
        assert!(sample.cpu_load.is_some_and(|load| (0.0..100.0).contains(&load)), "{sample:?}");
        assert!(value(&text, "plimsoll_process_resident_bytes") > 1e6);
    }
}

/// `docs/metrics.md` is written by this test when `PLIMSOLL_BLESS` is set.
#[test]
fn documents_list_every_family() {
    let mut text = String::from(
        "# Metrics\n\nEvery family of `/metrics`. The names are an interface: they change only with a major version. Labels are configured or\n\
         compiled in, never ids, so the number of series has a limit. What is not known has no series.\n\n\
         | name | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let labels = family.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let kind = format!("{:?}", family.kind).to_lowercase();
        text.push_str(&format!("| `{}` | {kind} | {labels} | {} |\n", family.name, family.help));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "docs/metrics.md is not what the code says; run this test with PLIMSOLL_BLESS=1");
}

#[test]
fn names_are_what_prometheus_recommends() {
    for family in FAMILIES {
        for unit in ["_mb", "_ms", "_milliseconds", "_megabytes", "_percent"] {
            assert!(!family.name.contains(unit), "{} is not in a base unit", family.name);
        }
    }
}

#[test]
fn sets_of_tasks_that_come_later_are_watched_like_the_first() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::open(64_000_000);
        let exporter = Exporter::new(ExporterGrants::take(&ledger).unwrap());
        let [first, later] = ["first", "later"].map(|name| Tasks::new(ledger.grant(Tasks::line(name, 4, 4_096)).unwrap()));
        let history = ledger.grant(Sampler::line("monitor.samples", 4)).unwrap();
        let mut sampler = Sampler::new(history, ledger.handle(), [first.clone()], exporter.clone());
        first.spawn(TaskSpec { name: "one", group: "app" }, |task| async move { task.stop.stopped().await }).unwrap();
        let stuck = TaskSpec { name: "web/live", group: "web" };
        later
            .spawn(stuck, |task| async move {
                task.pulse.expect_every(Duration::from_millis(1));
                task.stop.stopped().await;
            })
            .unwrap();
        while !later.status().iter().any(|task| task.overdue) {
            tokio::task::yield_now().await;
        }
        assert_eq!(sampler.sample(Time::from_millis(1_000)).tasks.live, 1);
        assert!(sampler.overdue().is_empty());

        sampler.watch_also([later.clone()]);
        let sample = sampler.sample(Time::from_millis(2_000));
        assert_eq!((sample.tasks.live, sample.tasks_overdue), (2, 1));
        assert_eq!(sampler.overdue().iter().map(|task| task.name.to_string()).collect::<Vec<_>>(), ["web/live"]);
        let text = exporter.render();
        assert_eq!(value(&text, "plimsoll_tasks_group_live{group=\"web\"}"), 1.0);
        assert_eq!(value(&text, "plimsoll_tasks_live"), 2.0);
        assert_eq!(value(&text, "plimsoll_tasks_overdue"), 1.0);
        for set in [first, later] {
            assert!(set.shutdown(Duration::from_secs(1)).await.is_clean());
        }
    });
}

#[test]
fn what_the_library_keeps_is_shown_in_the_ledger() {
    let ledger = Ledger::open(64_000_000);
    let exporter = Exporter::new(ExporterGrants::take(&ledger).unwrap());
    let tasks = Tasks::new(ledger.grant(Tasks::line("tasks", 1, 64)).unwrap());
    let history = ledger.grant(Sampler::line("monitor.samples", 4)).unwrap();
    let mut sampler = Sampler::new(history, ledger.handle(), [tasks], exporter.clone());
    let shown = |name: &str| ledger.lines().into_iter().find(|line| &*line.name == name).unwrap().len;
    let bare = shown("monitor.series");
    let account = exporter.account(&name("main")).unwrap();
    let _symbols = ["BTCUSDT", "ETHUSDT"].map(|id| exporter.symbol(&name("main"), &symbol(id)).unwrap());
    account.request(Duration::from_millis(1));
    sampler.sample(Time::from_millis(1_000));
    let owners = 2 * SYMBOL_SERIES + ACCOUNT_SERIES;
    let grown = shown("monitor.series") - bare;
    assert!(grown > owners * SERIES_BYTES, "two symbols, an account, and the kinds of containers: {grown}");
    assert_eq!(shown("monitor.latencies"), LATENCY_BYTES);
    // Never less than there really are, and not beyond the plan.
    let real = exporter.render().lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(shown("monitor.series") >= real * SERIES_BYTES && shown("monitor.series") <= SERIES_MAX * SERIES_BYTES, "{real} series");
    sampler.sample(Time::from_millis(2_000));
    assert_eq!(shown("monitor.latencies"), 0, "none waits any more");
}
