//! Verbs on the database, on real processes: beside a bot that trades, after it, and killed in the middle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::json;
use shared::{Running, free_port, get, until, verb};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Asserts the exit code and a part of what is said.
#[track_caller]
fn check(args: &[&str], code: i32, says: &str) -> String {
    let (found, told) = verb(args);
    assert!(found == Some(code) && told.contains(says), "{args:?}: {found:?}, {told}");
    told
}

fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn sql(database: &Path, statement: &str) {
    use sea_orm::{ConnectionTrait, Database};
    within(async {
        let db = Database::connect(format!("sqlite://{}", database.display())).await.unwrap();
        db.execute_unprepared(statement).await.unwrap();
        db.close().await.unwrap();
    });
}

fn number(database: &Path, query: &str) -> i64 {
    use sea_orm::{ConnectionTrait, Database, Statement};
    within(async {
        let db = Database::connect(format!("sqlite://{}", database.display())).await.unwrap();
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap().unwrap();
        let number = row.try_get_by_index(0).unwrap();
        db.close().await.unwrap();
        number
    })
}

#[test]
fn verbs_work_beside_a_bot_and_a_bot_works_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let web = free_port();
    let (file, api) = (shared::quick(folder.path(), web), format!("127.0.0.1:{web}"));
    let with = ["--config", file.as_str()];
    let all = |args: &[&'static str]| args.iter().copied().chain(with).map(str::to_owned).collect::<Vec<_>>();
    let run = |args: &[&'static str], code: i32, says: &str| {
        let args = all(args);
        check(&args.iter().map(String::as_str).collect::<Vec<_>>(), code, says)
    };
    let symbol = || get(&api, "/api/symbols/BTCUSDT");
    run(&["db", "check"], 2, "there is no file");

    let mut bot = Running::start(&["run", "--config", &file], &[]);
    until(Duration::from_secs(60), "some dozen executions", || symbol().is_some_and(|s| s["fills"].as_u64().unwrap() >= 40));
    run(&["backup"], 0, "is complete and passed its check");
    let backup = path("mine.db");
    check(&["backup", "--to", &backup, "--config", &file], 0, "fills");
    check(&["backup", "--to", &backup, "--config", &file], 2, "is there already");
    run(&["db", "check"], 0, "nothing is wrong");
    run(&["db", "migrate"], 0, "nothing is to be done");
    check(&["restore", &backup, "--config", &file], 2, "in use by another instance");
    check(
        &["db", "copy", "--from", &format!("sqlite:{backup}"), "--to", &format!("sqlite:{}", path("plimsoll.db")), "--replace"],
        2,
        "in use",
    );
    check(&["db", "copy", "--config", &file, "--to", &format!("sqlite:{}", path("copy.db"))], 0, "are the same in both");
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    run(&["db", "check"], 0, "nothing is wrong");

    let database = folder.path().join("plimsoll.db");
    let fills = number(&database, "SELECT COUNT(*) FROM fills");
    // A file as older versions made it.
    sql(&database, "PRAGMA auto_vacuum = NONE; VACUUM");
    run(&["db", "check"], 0, "run `plimsoll db migrate`");
    run(&["db", "migrate", "--dry-run"], 1, "never becomes smaller");
    run(&["db", "migrate"], 0, "what was there before is");
    run(&["db", "migrate"], 0, "nothing is to be done");
    assert_eq!((number(&database, "PRAGMA auto_vacuum"), number(&database, "SELECT COUNT(*) FROM fills")), (2, fills));
    for what in ["fills", "orders", "trades", "equity"] {
        let (csv, parquet) = (path(&format!("{what}.csv")), path(&format!("{what}.parquet")));
        check(&["export", what, "--out", &csv, "--config", &file], 0, "rows");
        check(&["export", what, "--out", &parquet, "--format", "parquet", "--config", &file], 0, "rows");
        check(&["export", what, "--out", &csv, "--config", &file], 2, "is there already");
        let text = std::fs::read_to_string(&csv).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&parquet).unwrap()).unwrap();
        let rows = reader.metadata().file_metadata().num_rows();
        assert_eq!(text.lines().count() as i64, rows + 1, "{what}");
        assert!(rows > 0, "{what} is empty");
        if what == "fills" {
            assert_eq!(rows, fills);
            let (mut by_text, mut by_type) = (0_i128, 0_i128);
            for line in text.lines().skip(1) {
                let value: Vec<&str> = line.split(',').collect();
                by_text += value[9].replace('.', "").parse::<i128>().unwrap();
            }
            for row in reader.get_row_iter(None).unwrap() {
                let decimal = row.unwrap().get_decimal(9).unwrap().data().to_vec();
                by_type += i128::from_be_bytes(decimal.try_into().unwrap());
            }
            // The contract has five digits of price and quantity together, the column twelve.
            assert_eq!(by_text * 10_i128.pow(7), by_type);
        }
    }
    // What the round trips earned is what the slots booked, as every slot opened since the beginning.
    let sum = |name: &str, column: usize| -> i128 {
        let text = std::fs::read_to_string(path(name)).unwrap();
        let column = text.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().replace('.', "").parse::<i128>().unwrap());
        column.sum()
    };
    assert_eq!(sum("trades.csv", 10), sum("fills.csv", 15), "profit of the round trips, and of the slots");

    check(&["restore", &backup, "--config", &file], 0, "what was there before is");
    run(&["db", "check"], 0, "nothing is wrong");
    assert!(number(&database, "SELECT COUNT(*) FROM fills") <= fills);
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    until(Duration::from_secs(60), "what the exchange executed since is booked", || {
        symbol().is_some_and(|s| s["phase"] == json!("trading") && s["fills"].as_u64().unwrap() as i64 >= fills)
    });
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    run(&["db", "check"], 0, "nothing is wrong");
    // A contract whose digits changed would change what every stored number means.
    sql(&database, "UPDATE instruments SET price_scale = price_scale - 1");
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    until(Duration::from_secs(30), "the refusal", || {
        get(&api, "/api/status").is_some_and(|s| s["hints"].to_string().contains("would change its meaning"))
    });
    // The page is there before the symbols' loops.
    until(Duration::from_secs(30), "the symbol", || symbol().is_some());
    assert_eq!(symbol().unwrap()["orders"], json!([]), "a refused symbol opens nothing");
    assert_eq!(bot.stop(Duration::from_secs(30)).code(), Some(0));
    sql(&database, "UPDATE totals SET fills = fills + 5");
    run(&["db", "check"], 1, "plimsoll rebuild --write");
}

/// Makes a database of some megabytes.
fn make(database: &Path, mark: &str) {
    use plimsoll_bounded::{Grant, Tasks};
    use plimsoll_storage::{Store, StoreConfig, StoreGrants};
    within(async {
        let config = StoreConfig::of_url(format!("sqlite:{}", database.display())).unwrap();
        let grants = StoreGrants::detached(&config);
        let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 4, 1_024)));
        let store = Store::open(config, grants, &tasks).await.unwrap();
        store.stop(Duration::from_secs(10)).await.unwrap();
    });
    sql(
        database,
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO events (time_ns, severity, code, text) \
             SELECT 1700000000000000000 + i, 'info', '{mark}', 'one of many: ' || hex(randomblob(60)) FROM n"
        ),
    );
}

/// Starts a verb and kills it after a time; whether it had ended before.
fn kill_after(args: &[&str], after: Duration) -> bool {
    let quiet = Stdio::null;
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(args).stdout(quiet()).stderr(quiet()).spawn().unwrap();
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().ok();
    child.wait().unwrap();
    ended
}

/// Kills a verb at instants spread over its whole length, from one to the next state made by `before`; `after` looks at what is left.
fn killed_everywhere(args: &[&str], before: impl Fn(), after: impl Fn()) {
    const KILLS: u32 = 14;
    before();
    let began = Instant::now();
    let (code, told) = verb(args);
    assert_eq!(code, Some(0), "{told}");
    let whole = began.elapsed();
    let mut cut_short = 0;
    for n in 0..KILLS {
        before();
        cut_short += u32::from(!kill_after(args, whole * n / KILLS));
        after();
    }
    assert!(cut_short >= KILLS / 2, "only {cut_short} of {KILLS} were cut short");
}

#[test]
fn restore_killed_at_any_instant_leaves_the_old_database_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = shared::quick(folder.path(), 0);
    let (database, old, new) = (folder.path().join("plimsoll.db"), folder.path().join("old.db"), folder.path().join("new.db"));
    make(&old, "old");
    make(&new, "new");
    let (both, new) = (std::cell::Cell::new([0, 0]), new.display().to_string());
    killed_everywhere(
        &["restore", &new, "--config", &file],
        || {
            for ending in ["", "-wal", "-shm"] {
                std::fs::remove_file(format!("{}{ending}", database.display())).ok();
            }
            std::fs::copy(&old, &database).unwrap();
        },
        || {
            check(&["db", "check", "--config", &file], 0, "nothing is wrong");
            let of = |mark: &str| number(&database, &format!("SELECT COUNT(*) FROM events WHERE code = '{mark}'"));
            let found = (of("old"), of("new"));
            assert!(found == (60_000, 0) || found == (0, 60_000), "{found:?}");
            let mut seen = both.get();
            seen[usize::from(found.0 == 0)] += 1;
            both.set(seen);
        },
    );
    assert!(both.get()[0] > 0, "never the old one: {:?}", both.get());
}

#[test]
fn migration_killed_at_any_instant_is_done_or_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let file = shared::quick(folder.path(), 0);
    let (database, old) = (folder.path().join("plimsoll.db"), folder.path().join("old.db"));
    make(&old, "old");
    sql(
        &old,
        "DELETE FROM seaql_migrations WHERE version NOT IN ('m0001_books', 'm0002_system'); DROP TABLE account_state; DROP TABLE instruments; \
         ALTER TABLE state DROP COLUMN baseline; ALTER TABLE totals DROP COLUMN funded_ns",
    );
    killed_everywhere(
        &["db", "migrate", "--config", &file],
        || {
            for ending in ["", "-wal", "-shm"] {
                std::fs::remove_file(format!("{}{ending}", database.display())).ok();
            }
            std::fs::copy(&old, &database).unwrap();
        },
        || {
            let steps = number(&database, "SELECT COUNT(*) FROM seaql_migrations");
            let (code, told) = verb(&["db", "migrate", "--dry-run", "--config", &file]);
            assert_eq!(code, Some(i32::from(steps == 2)), "{steps} steps: {told}");
            check(&["db", "migrate", "--config", &file], 0, if steps == 2 { "done: m0003_baseline" } else { "nothing is to be done" });
            check(&["db", "check", "--config", &file], 0, "nothing is wrong");
            assert_eq!(number(&database, "SELECT COUNT(*) FROM events WHERE code = 'old'"), 60_000);
        },
    );
    let backups = std::fs::read_dir(folder.path().join("backups")).unwrap();
    let whole = backups.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "db")).count();
    assert_eq!(whole, plimsoll_storage::limits::MIGRATION_BACKUPS_KEPT);
}

#[test]
fn copies_go_to_a_server_and_back() {
    let Ok(url) = std::env::var("PLIMSOLL_TEST_POSTGRES") else {
        eprintln!("left out: copies to a server, because PLIMSOLL_TEST_POSTGRES is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (first, last) = (folder.path().join("first.db"), folder.path().join("last.db"));
    make(&first, "old");
    within(async {
        use sea_orm::{ConnectionTrait, Database};
        let server = Database::connect(&url).await.unwrap();
        server.execute_unprepared("DROP SCHEMA IF EXISTS app_copy CASCADE; CREATE SCHEMA app_copy").await.unwrap();
        server.close().await.unwrap();
    });
    let sign = if url.contains('?') { '&' } else { '?' };
    let server = format!("{url}{sign}options[search_path]=app_copy");
    let (first, last) = (format!("sqlite:{}", first.display()), format!("sqlite:{}", last.display()));
    let there = check(&["db", "copy", "--from", &first, "--to", &server], 0, "are the same in both");
    check(&["db", "copy", "--from", &first, "--to", &server], 2, "say --replace");
    let back = check(&["db", "copy", "--from", &server, "--to", &last], 0, "are the same in both");
    let sums = |told: &str| told.lines().filter(|line| line.contains("checksum")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(sums(&there), sums(&back));
    check(&["db", "copy", "--from", &first, "--to", "env:NO_SUCH_NAME"], 2, "the environment has no");
}
