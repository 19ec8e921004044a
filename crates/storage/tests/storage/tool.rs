//! Backups, going back to one, steps of the schema, and copies from one kind of database to the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{Place, all_fills, check_prefix, everywhere, key, open, records};
use plimsoll_market::{AccountRecord, Alert, AlertCode, Asset, LogLevel, Name, Price, Severity, StateRecord, Symbol, Time};
use plimsoll_storage::tool::{self, CopiedTable, Replace, ToolError};
use plimsoll_storage::{EquityPoint, ErrorClass, HistoryEvent, LogLine, StoreConfig, StoreError, StoredScales, SystemRow};

const STOP: Duration = Duration::from_secs(10);
/// More than are copied at a time.
const FILLS: u64 = 1_203;

pub fn config(place: &Place) -> StoreConfig {
    StoreConfig::try_from(place.config()).unwrap()
}

pub fn file(path: &Path) -> StoreConfig {
    StoreConfig::of_url(format!("sqlite:{}", path.display())).unwrap()
}

/// Rows in every table, odd ones among them.
pub async fn fill(place: &Place) {
    let store = place.open().await;
    store.next_run(Time::from_millis(1_700_000_000_123)).await.unwrap();
    let account = Name::new("main").unwrap();
    for (symbol, fills) in [("BTCUSDT", FILLS), ("ETHUSDT", 3)] {
        let key = key(symbol);
        let state = StateRecord {
            version: 7,
            anchor: (fills > 3).then(|| Price::from_units(6_000_000)),
            interval: Price::from_units(100).into(),
            baseline: None,
            paused: fills > 3,
            halted: false,
            lock: None,
            closing: false,
            idle: fills == 3,
            memo: plimsoll_market::Memo::of(u64::from(fills == 3)),
        };
        store.commit(key, state).await.unwrap();
        let asset = |name| Asset::new(name).unwrap();
        let scales = StoredScales { base: asset("BTC"), quote: asset("USDT"), price_scale: 2, qty_scale: 3 };
        assert_eq!(store.commit_scales(key, scales).await.unwrap(), scales);
        let other = StoredScales { price_scale: 1, ..scales };
        assert_eq!(store.commit_scales(key, other).await.unwrap(), scales, "what was stored before stays");
        let mut recorder = store.recorder(key);
        for (n, record) in records(fills).into_iter().enumerate() {
            recorder.record(record).unwrap();
            if n % 500 == 0 {
                store.flush().await.unwrap();
            }
        }
    }
    let record = AccountRecord { peak: -5, latched: None, day: 20_000, day_start: i128::MAX, day_lost: true, basis: Some(i128::MIN) };
    store.commit_account(account, record).await.unwrap();
    let history = store.history();
    for n in 0..20_u64 {
        let time = Time::from_millis(1_700_000_000_000 + n * 86_400_000);
        history.equity(EquityPoint { time, account, wallet: i128::MAX - i128::from(n), unrealized: -1 });
        let text = "quotes \" ' ; -- \\ NULL, a comma, a\nline, Ω and 🐢";
        let alert = Alert::new(Severity::Warning, AlertCode::PositionMismatch, time, &format_args!("{n}: {text}"));
        history.event(HistoryEvent { account: (n % 2 == 0).then_some(account), symbol: None, alert });
        history.system(&SystemRow { rss: Some(1 << 40), cpu_milli: None, ..SystemRow::at(time) });
    }
    store.flush().await.unwrap();
    // Days are summed up, and the first events go: the counter of their numbers is above what is there.
    store.retain(Time::from_millis(1_700_000_000_000 + 30 * 86_400_000)).await.unwrap();
    let time = Time::from_millis(1_700_000_000_000);
    let (account, symbol) = (Some(account), Some(Symbol::new("币安人生USDT").unwrap()));
    store.change_login(crate::login::rows()).await.unwrap();
    store.audit(crate::login::entry(7, "login")).await.unwrap();
    store.logs().write(LogLine { time, level: LogLevel::Warn, target: "test", text: "a line".into(), account, symbol });
    store.flush().await.unwrap();
    store.stop(STOP).await.unwrap();
    place.meddle("DELETE FROM events WHERE id >= 18").await;
    // What no engine of this test books, and what the retention has taken.
    let other = [
        "INSERT INTO funding (account, symbol, time_ns, amount, asset) VALUES ('main', 'BTCUSDT', 1700000000000000000, '-123', 'USDT')",
        "INSERT INTO logs (time_ns, level, target, message) VALUES (1700000000000000000, 3, 'test', 'a line; of it, ''this''')",
        "INSERT INTO system_metrics (time_ns, rolled) VALUES (1702500000000000000, false)",
    ];
    for sql in other {
        place.meddle(sql).await;
    }
}

async fn copied(from: &StoreConfig, to: &StoreConfig, replace: Replace) -> Result<Vec<CopiedTable>, ToolError> {
    tool::copy(from, to, replace, &mut |_| {}).await.map(|copied| copied.tables)
}

/// The file with everything in it, and a bot goes on with it.
async fn check_goes_on(config: StoreConfig) {
    let grants = plimsoll_storage::StoreGrants::detached(&config);
    let store = plimsoll_storage::Store::open(config, grants, &crate::common::tasks()).await.unwrap();
    let key = key("BTCUSDT");
    assert_eq!(check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await), FILLS);
    // Numbers that were given out are not given out again.
    let alert = Alert::new(Severity::Info, AlertCode::PositionMismatch, Time::from_millis(1), &"next");
    store.history().event(HistoryEvent { account: None, symbol: None, alert });
    store.flush().await.unwrap();
    let newest = store.reader().events(None, plimsoll_storage::RowLimit::default()).await.unwrap().rows;
    assert_eq!(newest.first().map(|event| event.id.0), Some(21));
    let fills = records(FILLS + 1);
    store.recorder(key).record(*fills.last().unwrap()).unwrap();
    store.flush().await.unwrap();
    store.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn round_trip_through_the_other_database_is_identical() {
    let (first, last) = (Place::file(), Place::file());
    fill(&first).await;
    let mut told = 0;
    let mut count = |_: tool::Progress<'_>| told += 1;
    let Some(server) = Place::schema("copy_round_trip").await else {
        let there = tool::copy(&config(&first), &config(&last), Replace::No, &mut count).await.unwrap().tables;
        assert_eq!(there.iter().find(|table| table.table == "fills").map(|table| table.rows), Some(FILLS + 3));
        return check_goes_on(config(&last)).await;
    };
    let there = tool::copy(&config(&first), &config(&server), Replace::No, &mut count).await.unwrap().tables;
    assert!(told > 5, "{told} signs of progress");
    let rows = |name| there.iter().find(|table| table.table == name).map(|table| table.rows);
    assert_eq!((rows("fills"), rows("events"), rows("account_state")), (Some(FILLS + 3), Some(17), Some(1)));
    assert!(there.iter().all(|table| table.rows > 0), "a table without rows shows nothing: {there:?}");
    let back = copied(&config(&server), &config(&last), Replace::No).await.unwrap();
    assert_eq!(there, back);
    // The two files are compared by SQLite itself.
    let path = first.path();
    let attach = format!("ATTACH '{}' AS other", path.display());
    for table in &back {
        let name = &table.table;
        let both = format!(
            "SELECT (SELECT COUNT(*) FROM (SELECT * FROM main.{name} EXCEPT SELECT * FROM other.{name})) + \
                            (SELECT COUNT(*) FROM (SELECT * FROM other.{name} EXCEPT SELECT * FROM main.{name}))"
        );
        assert_eq!(last.number(&[&attach], &both).await, 0, "{name}");
    }
    assert_eq!(
        last.number(&[&attach], "SELECT COUNT(*) FROM (SELECT * FROM sqlite_sequence EXCEPT SELECT * FROM other.sqlite_sequence)").await,
        0
    );
    check_goes_on(config(&last)).await;
    check_goes_on(config(&server)).await;
}

#[tokio::test]
async fn no_table_and_no_column_can_be_forgotten() {
    everywhere("forgotten", async |place| {
        place.open().await.stop(STOP).await.unwrap();
        // What a later version might add is copied as it stands, or refused: never left out.
        place.meddle("CREATE TABLE later (name TEXT NOT NULL PRIMARY KEY, much BIGINT)").await;
        place.meddle("INSERT INTO later VALUES ('a', NULL), ('b', 5)").await;
        let to = Place::file();
        let error = copied(&config(place), &config(&to), Replace::No).await.unwrap_err();
        assert!(error.to_string().contains("table later is in the first only"), "{error}");
        assert!(!to.path().exists());
        place.meddle("DROP TABLE later; CREATE TABLE odd (id BIGINT NOT NULL PRIMARY KEY, price REAL)").await;
        let error = copied(&config(place), &config(&to), Replace::No).await.unwrap_err();
        assert!(error.to_string().contains("its column price is of type"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn target_with_rows_or_with_a_bot_is_refused_and_left_alone() {
    let from = Place::file();
    fill(&from).await;
    everywhere("copy_target", async |to| {
        let store = to.open().await;
        store.recorder(key("SOLUSDT")).record(records(1).remove(0)).unwrap();
        store.flush().await.unwrap();
        for replace in [Replace::No, Replace::Yes] {
            let error = copied(&config(&from), &config(to), replace).await.unwrap_err();
            assert!(matches!(error, ToolError::Store(StoreError::InUse { .. })), "{error}");
        }
        store.stop(STOP).await.unwrap();
        let error = copied(&config(&from), &config(to), Replace::No).await.unwrap_err();
        assert!(matches!(&error, ToolError::NotEmpty { rows: 1, .. }), "{error}");
        assert_eq!(error.class(), ErrorClass::Refused);
        let store = to.open().await;
        assert_eq!(all_fills(&store, &key("SOLUSDT")).await.len(), 1, "a refused copy changed something");
        store.stop(STOP).await.unwrap();
        let done = tool::copy(&config(&from), &config(to), Replace::Yes, &mut |_| {}).await.unwrap();
        assert_eq!(done.replaced.is_some(), config(to).path().is_some());
        check_goes_on(config(to)).await;
    })
    .await;
    let error = copied(&config(&from), &config(&from), Replace::Yes).await.unwrap_err();
    assert!(matches!(error, ToolError::Same { .. }), "{error}");
}

#[tokio::test]
async fn backup_of_a_running_bot_is_whole_and_few_are_kept() {
    everywhere("backup", async |place| {
        fill(place).await;
        let folder = tempfile::tempdir().unwrap();
        let config = config(place).with_backups(folder.path().join("deep/er"));
        let store = open(place.config()).await.unwrap();
        let mut made = Vec::new();
        for n in 0..plimsoll_storage::limits::BACKUPS_KEPT + 2 {
            let backup = tool::backup(&config).await.unwrap();
            assert_eq!(backup.contents.tables.iter().find(|table| table.table == "fills").map(|table| table.rows), Some(FILLS + 3), "{n}");
            made.push(backup.file);
        }
        store.stop(STOP).await.unwrap();
        let there: Vec<bool> = made.iter().map(|file| file.exists()).collect();
        assert_eq!(there.iter().filter(|there| **there).count(), plimsoll_storage::limits::BACKUPS_KEPT);
        assert!(!there[0] && !there[1], "the oldest go");
        let names = std::fs::read_dir(folder.path().join("deep/er")).unwrap().count();
        assert_eq!(names, plimsoll_storage::limits::BACKUPS_KEPT, "nothing else stays in the folder");
        let error = tool::backup_to(&config, made.last().unwrap()).await.unwrap_err();
        assert!(matches!(error, ToolError::Exists { .. }), "{error}");
        check_goes_on(file(made.last().unwrap())).await;
    })
    .await;
}

#[tokio::test]
async fn restore_brings_back_what_was_and_keeps_what_is() {
    let place = Place::file();
    fill(&place).await;
    let backup = tool::backup(&config(&place)).await.unwrap();
    place.meddle("DELETE FROM fills").await;
    let store = place.open().await;
    let error = tool::restore(&config(&place), &backup.file).await.unwrap_err();
    assert!(error.to_string().contains("stop that one"), "{error}");
    store.stop(STOP).await.unwrap();
    let restored = tool::restore(&config(&place), &backup.file).await.unwrap();
    assert_eq!(restored.contents.tables, backup.contents.tables);
    check_goes_on(config(&place)).await;
    let before = tool::backup_to(&file(&restored.replaced.unwrap()), &place.path().with_file_name("before.db")).await.unwrap();
    assert_eq!(before.contents.tables.iter().find(|table| table.table == "fills").map(|table| table.rows), Some(0));
    // Without a database there is nothing to keep; from a damaged one everything, its log included.
    std::fs::write(place.path(), "rubbish").unwrap();
    std::fs::write(format!("{}-wal", place.path().display()), "more of it").unwrap();
    let restored = tool::restore(&config(&place), &backup.file).await.unwrap();
    let old = restored.replaced.unwrap();
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "rubbish");
    assert_eq!(std::fs::read_to_string(format!("{}-wal", old.display())).unwrap(), "more of it");
    check_goes_on(config(&place)).await;
    let other = Place::file();
    assert_eq!(tool::restore(&config(&other), &backup.file).await.unwrap().replaced, None);
    check_goes_on(config(&other)).await;
}

/// What a file may be that is no backup, and what is said of it.
async fn spoilt(folder: &Path, good: &Path) -> Vec<(PathBuf, &'static str)> {
    let path = |name: &str| folder.join(name);
    std::fs::write(path("letter"), "this is a letter to my aunt; ".repeat(500)).unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::copy(good, path("cut")).unwrap();
    let whole = std::fs::metadata(good).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(path("cut")).unwrap().set_len(whole / 2).unwrap();
    let mut bytes = std::fs::read(good).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xa5);
    std::fs::write(path("spoilt"), bytes).unwrap();
    std::fs::copy(good, path("newer")).unwrap();
    meddle(&path("newer"), "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)").await;
    meddle(&path("foreign"), "CREATE TABLE songs (id INTEGER PRIMARY KEY)").await;
    vec![
        (path("letter"), "is not a database"),
        (path("empty"), "none of plimsoll's tables"),
        (path("cut"), "damaged"),
        (path("spoilt"), "damaged"),
        (path("newer"), "written by a newer version"),
        (path("foreign"), "none of plimsoll's tables"),
        (path("nowhere"), "there is no file"),
    ]
}

async fn meddle(path: &Path, sql: &str) {
    use sea_orm::ConnectionTrait;
    let db = sea_orm::Database::connect(format!("sqlite:{}?mode=rwc", path.display())).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_nothing_is_changed() {
    let place = Place::file();
    fill(&place).await;
    let folder = tempfile::tempdir().unwrap();
    let good = tool::backup_to(&config(&place), &folder.path().join("good.db")).await.unwrap().file;
    let before = std::fs::read(place.path()).unwrap();
    for (bad, text) in spoilt(folder.path(), &good).await {
        let error = tool::restore(&config(&place), &bad).await.unwrap_err();
        assert!(error.to_string().contains(text), "{}: {error}", bad.display());
        assert!(std::fs::read(place.path()).unwrap() == before, "{}", bad.display());
        // As a source of a copy it is refused as well.
        if !text.contains("damaged") {
            let to = Place::file();
            let error = copied(&file(&bad), &config(&to), Replace::No).await.unwrap_err();
            assert!(error.to_string().contains(text) && !to.path().exists(), "{}: {error}", bad.display());
        }
    }
    let server = StoreConfig::of_url("postgres://nobody@127.0.0.1:1/x").unwrap();
    let error = tool::restore(&server, &good).await.unwrap_err();
    assert!(error.to_string().contains("db copy --from sqlite:FILE"), "{error}");
}

/// Takes all steps but the first two back, as if an older program had made the database.
pub async fn age(place: &Place) {
    place
        .meddle(
            "DELETE FROM seaql_migrations WHERE version > 'm0002_system'; \
             DROP TABLE account_state; DROP TABLE instruments; DROP TABLE logs; DROP TABLE funding; DROP TABLE trading_days; DROP TABLE web_users; DROP TABLE web_sessions; DROP TABLE web_tokens; DROP TABLE audit; DROP INDEX orders_ended; \
             ALTER TABLE totals DROP COLUMN other_fees; ALTER TABLE totals DROP COLUMN waiting_fees; \
             ALTER TABLE totals DROP COLUMN waiting_asset; ALTER TABLE totals DROP COLUMN waiting_fills; \
             ALTER TABLE state DROP COLUMN baseline; ALTER TABLE state DROP COLUMN lock_rule; ALTER TABLE state DROP COLUMN lock_until_ns; \
             ALTER TABLE state DROP COLUMN grid_ratio; \
             ALTER TABLE state DROP COLUMN idle; ALTER TABLE state DROP COLUMN memo; ALTER TABLE state DROP COLUMN closing; ALTER TABLE totals DROP COLUMN funded_ns",
        )
        .await;
}

#[tokio::test]
async fn old_database_is_backed_up_and_brought_up_to_date_once() {
    everywhere("migrate", async |place| {
        fill(place).await;
        age(place).await;
        let folder = tempfile::tempdir().unwrap();
        let config = config(place).with_backups(folder.path());
        let plan = tool::plan(&config).await.unwrap();
        assert_eq!(plan.applied, ["m0001_books", "m0002_system"]);
        assert_eq!(plan.pending.first().map(String::as_str), Some("m0003_baseline"));
        let done = tool::migrate(&config).await.unwrap();
        assert_eq!(done.done, plan.pending);
        let backup = done.backup.unwrap();
        // The backup is the old one, at its old step.
        assert_eq!(tool::plan(&file(&backup)).await.unwrap(), plan);
        assert_eq!(tool::migrate(&config).await.unwrap(), tool::Migrated { done: Vec::new(), backup: None });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // Opened by a bot, it is done as well; the books are those of before.
        check_goes_on(file(&backup)).await;
        let again = backup.with_file_name("backups");
        assert_eq!(std::fs::read_dir(again).unwrap().count(), 1, "the bot makes a backup of its own");
        check_goes_on(config).await;
    })
    .await;
}

#[tokio::test]
async fn failed_step_or_backup_changes_nothing() {
    everywhere("migrate_fails", async |place| {
        fill(place).await;
        age(place).await;
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let before = config(place).with_backups(folder.path());
        let plan = tool::plan(&before).await.unwrap();
        let error = tool::migrate(&config(place).with_backups(&blocked)).await.unwrap_err();
        assert!(matches!(&error, ToolError::Store(StoreError::Backup { .. })), "{error}");
        // The last step meets what it does not expect, or waits for somebody else's lock in vain: the step before is taken back, too.
        let error = if before.path().is_some() {
            place.meddle("CREATE INDEX account_state ON orders (status)").await;
            let error = tool::migrate(&before).await.unwrap_err();
            place.meddle("DROP INDEX account_state").await;
            error
        } else {
            use sea_orm::{ConnectionTrait, TransactionTrait};
            let other = sea_orm::Database::connect(place.config().url).await.unwrap();
            let reading = other.begin().await.unwrap();
            reading.execute_unprepared("LOCK TABLE totals IN ROW EXCLUSIVE MODE").await.unwrap();
            let error = tool::migrate(&before).await.unwrap_err();
            reading.rollback().await.unwrap();
            error
        };
        let expected = if before.path().is_some() {
            matches!(&error, ToolError::Store(StoreError::Database { .. }))
        } else {
            matches!(&error, ToolError::Store(StoreError::Busy { .. })) && error.to_string().contains("did not answer within 10 s")
        };
        assert!(expected, "{error}");
        assert_eq!(tool::plan(&before).await.unwrap(), plan);
        tool::migrate(&before).await.unwrap();
        check_goes_on(before).await;
    })
    .await;
}

#[tokio::test]
async fn newer_schema_is_refused_by_every_tool() {
    everywhere("tool_newer", async |place| {
        place.open().await.stop(STOP).await.unwrap();
        place.meddle("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)").await;
        let folder = tempfile::tempdir().unwrap();
        let config = config(place).with_backups(folder.path());
        let to = Place::file();
        for error in [
            tool::plan(&config).await.unwrap_err(),
            tool::migrate(&config).await.unwrap_err(),
            copied(&config, &StoreConfig::try_from(to.config()).unwrap(), Replace::No).await.unwrap_err(),
        ] {
            assert!(matches!(&error, ToolError::Store(StoreError::SchemaNewer { .. })), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn database_that_a_foreign_process_locks_can_be_read_and_says_why_it_cannot_be_changed() {
    use sea_orm::{ConnectionTrait, SqliteTransactionMode, TransactionOptions, TransactionTrait};
    let place = Place::file();
    fill(&place).await;
    age(&place).await;
    let other = sea_orm::Database::connect(place.config().url).await.unwrap();
    let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
    let writing = other.begin_with_options(options).await.unwrap();
    writing.execute_unprepared("DELETE FROM events").await.unwrap();
    let config = config(&place);
    let backup = tool::backup(&config).await.unwrap();
    assert!(backup.contents.tables.iter().any(|table| table.table == "events" && table.rows == 17), "what is not committed is not there");
    let error = tool::migrate(&config).await.unwrap_err();
    assert!(matches!(&error, ToolError::Store(StoreError::Locked { .. })), "{error}");
    assert!(error.to_string().contains("is locked by another program: close it there"), "{error}");
    writing.rollback().await.unwrap();
    other.close().await.unwrap();
    tool::migrate(&config).await.unwrap();
    check_goes_on(config).await;
}

#[tokio::test]
async fn export_reads_every_row_once_in_its_order_and_range() {
    everywhere("export", async |place| {
        fill(place).await;
        let export = tool::Export::open(&config(place)).await.unwrap();
        assert_eq!(export.scales(&key("BTCUSDT")).map(|scales| (scales.price_scale, scales.qty_scale)), Some((2, 3)));
        assert_eq!(export.scales(&key("SOLUSDT")), None);
        // The fill with number n is of millisecond n; the first of the other symbol share theirs.
        let at = |n: u64| Time::from_millis(1_700_000_000_000 + n);
        for (from, to, expected) in [(0, u64::MAX >> 32, FILLS + 3), (2, 5, 5), (FILLS, FILLS + 1, 1), (FILLS + 1, FILLS + 9, 0)] {
            let (mut last, mut read) = (None, Vec::new());
            loop {
                let batch = export.fills(at(from), at(to), last.as_ref()).await.unwrap();
                let Some(end) = batch.last() else { break };
                last = Some(*end);
                read.extend(batch);
            }
            assert_eq!(read.len() as u64, expected, "{from} to {to}");
            assert!(read.is_sorted_by_key(|line| line.booked.fill.time));
            let (mut last, mut orders) = (None, 0);
            loop {
                let batch = export.orders(at(from), at(to), last.as_ref()).await.unwrap();
                let Some(end) = batch.last() else { break };
                last = Some(*end);
                orders += batch.len() as u64;
            }
            assert_eq!(orders, expected, "orders of {from} to {to}");
        }
        let (mut last, mut read) = (None, Vec::new());
        loop {
            let batch = export.fills_by_symbol(at(u64::MAX >> 32), last.as_ref()).await.unwrap();
            let Some(end) = batch.last() else { break };
            last = Some(*end);
            read.extend(batch.iter().map(|line| (line.key.symbol, line.booked.fill.trade_id.0)));
        }
        assert_eq!(read.len() as u64, FILLS + 3);
        assert!(read.is_sorted(), "by symbol and trade id");
        read.dedup();
        assert_eq!(read.len() as u64, FILLS + 3, "none twice");
        let equity = export.equity(at(0), at(u64::MAX >> 32), None).await.unwrap();
        assert_eq!((equity.len(), equity.last().map(|sample| sample.point.wallet)), (20, Some(i128::MAX - 19)));
        assert!(export.equity(at(0), at(u64::MAX >> 32), equity.last()).await.unwrap().is_empty());
        export.close().await;
        age(place).await;
        let error = tool::Export::open(&config(place)).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("run `plimsoll db migrate` first"), "{error}");
    })
    .await;
}
