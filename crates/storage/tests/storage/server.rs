//! A PostgreSQL server that stands still, dies, or ends our sessions. The server is this test's own: it is stopped and killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll_storage::{Health, RawStoreConfig, RowLimit, Store, StoreError};

use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::common::{Loop, Place, all_fills, check_prefix, health, key, open};
use crate::faults::STATE;

const STOP: Duration = Duration::from_secs(20);

/// A server in a folder of its own, on the loopback.
struct Server {
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    root: bool,
}

impl Server {
    /// Makes and starts one, if the programs are there.
    fn start(what: &str) -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let newest = versions.max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
        let bin = newest.map(|path| path.join("bin")).filter(|bin| bin.join("initdb").exists());
        let Some(bin) = bin else {
            eprintln!("left out: {what}, because no PostgreSQL is in /usr/lib/postgresql (Debian: apt-get install postgresql)");
            return None;
        };
        let root = Command::new("id").arg("-u").output().is_ok_and(|done| done.stdout == b"0\n");
        let folder = tempfile::tempdir().unwrap();
        if root {
            // The server refuses to run as root.
            let given = Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap();
            assert!(given.success());
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { bin, folder, port, root };
        server.run("initdb", &["-A", "trust", "-U", "plimsoll", "--no-sync"]);
        server.begin();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, args: &[&str]) {
        let program = self.bin.join(program);
        let mut command = Command::new(if self.root { Path::new("runuser") } else { &program });
        if self.root {
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        command.current_dir("/").arg("-D").arg(self.data()).args(args);
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "{} {args:?}", program.display());
    }

    fn begin(&self) {
        let log = self.folder.path().join("log").display().to_string();
        let options = format!("-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off", self.port, self.folder.path().display());
        self.run("pg_ctl", &["-w", "-l", &log, "-o", &options, "start"]);
    }

    /// Kills it as a power cut would.
    fn kill(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://plimsoll@127.0.0.1:{port}/postgres")
    }

    fn place(&self) -> Place {
        Place::at(self.url(self.port))
    }

    /// Sends a signal to the server and to all its processes.
    fn signal(&self, name: &str) {
        let main = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let main = main.lines().next().unwrap().trim().to_owned();
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &main]).output().unwrap().stdout;
        let children = String::from_utf8(children).unwrap();
        let done = Command::new("kill").arg(name).arg(&main).args(children.split_whitespace()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            if std::thread::panicking() {
                self.signal("-CONT");
            }
            self.kill();
        }
    }
}

fn small(place: &Place) -> RawStoreConfig {
    RawStoreConfig { batch_size: 2, flush_interval_ms: 10, ..place.config() }
}

async fn fills_seen(store: &Store) -> u64 {
    store.reader().totals(&key("BTCUSDT")).await.unwrap().map_or(0, |totals| totals.fills)
}

/// Records until there is no room, and returns what is said of it.
async fn fill_up(store: &Store, one: &mut Loop, wanted: impl Fn(&Health) -> bool) -> String {
    while one.record(1) {
        tokio::task::yield_now().await;
    }
    let failing = health(store, |health| health.records_full && wanted(health)).await;
    failing.failing.unwrap()
}

/// Waits until records are stored again, and asserts that none is lost or there twice.
async fn check_recovers(store: &Store, one: &mut Loop) {
    let recorded = one.totals.fills;
    let again = health(store, |health| health.failing.is_none() && !health.records_full);
    tokio::time::timeout(Duration::from_secs(25), again).await.expect("it does not recover");
    one.resume(store, recorded).await;
    assert!(one.record(10));
    store.commit(key("BTCUSDT"), STATE).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(fills_seen(store).await, one.totals.fills, "idle readers work again");
}

/// Asserts that another instance is refused: the lock is held.
async fn check_locked(place: &Place) {
    let error = open(place.config()).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{}", error.chain());
    assert!(error.to_string().contains("stop that one"), "{error}");
}

#[tokio::test]
async fn server_that_stands_still_is_waited_for_and_nothing_is_lost() {
    let Some(server) = Server::start("a server that stands still") else { return };
    let place = server.place();
    let store = open(small(&place)).await.unwrap();
    let mut one = Loop::new(&store);
    assert!(one.record(4));
    store.flush().await.unwrap();
    assert_eq!(fills_seen(&store).await, 4);
    server.signal("-STOP");
    let began = Instant::now();
    // Longer than a commit may take, and longer than its connection is then waited for.
    let text = fill_up(&store, &mut one, |health| health.failures >= 2 && began.elapsed() > Duration::from_secs(12)).await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(text.contains("127.0.0.1") && (text.contains("did not answer within") || text.contains("cannot be reached")), "{text}");
    let error = store.reader().fills(&key("BTCUSDT"), None, RowLimit::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. } | StoreError::Unreachable { .. }), "{}", error.chain());
    server.signal("-CONT");
    check_recovers(&store, &mut one).await;
    check_locked(&place).await;
    store.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn server_killed_in_the_middle_of_writing_keeps_what_it_confirmed() {
    let Some(server) = Server::start("a server that is killed") else { return };
    let place = server.place();
    let store = open(small(&place)).await.unwrap();
    let mut one = Loop::new(&store);
    for round in 0..2_u64 {
        let mut confirmed = one.totals.fills;
        for _ in 0..20 + 7 * round {
            assert!(one.record(4));
            store.flush().await.unwrap();
            confirmed = one.totals.fills;
        }
        assert_eq!(fills_seen(&store).await, confirmed);
        // A batch is on its way while the server dies.
        assert!(one.record(5));
        server.kill();
        let text = fill_up(&store, &mut one, |health| health.failures >= 2).await;
        assert!(text.contains("127.0.0.1") && text.contains("cannot be reached: check that it runs"), "{text}");
        let error = store.commit(key("BTCUSDT"), STATE).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable { .. } | StoreError::Busy { .. }), "{}", error.chain());
        server.begin();
        check_recovers(&store, &mut one).await;
    }
    check_locked(&place).await;
    store.stop(STOP).await.unwrap();
    let store = place.open().await;
    let key = key("BTCUSDT");
    assert_eq!(check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await), one.totals.fills);
    store.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn session_that_the_server_ends_is_begun_anew_with_its_lock() {
    let Some(server) = Server::start("a session that the server ends") else { return };
    let place = server.place();
    let store = open(small(&place)).await.unwrap();
    let mut one = Loop::new(&store);
    let holders = "SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted";
    for _ in 0..10 {
        assert!(one.record(2));
        let ended = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted";
        assert!(place.number(&[], ended).await >= 1);
        assert!(one.record(6));
        health(&store, |health| health.failing.is_none() && !health.records_full).await;
        let mut tries = 0;
        while let Err(error) = store.flush().await {
            assert!(matches!(error, StoreError::Unreachable { .. } | StoreError::InUse { .. }), "{}", error.chain());
            tries += 1;
            assert!(tries < 20, "{}", error.chain());
        }
        assert_eq!(place.number(&[], holders).await, 1, "the lock is held again, between two commits as well");
        check_locked(&place).await;
    }
    let recorded = one.totals.fills;
    one.resume(&store, recorded).await;
    // The readers' sessions, too.
    assert_eq!(fills_seen(&store).await, recorded);
    let others =
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'plimsoll%' AND pid <> pg_backend_pid()";
    assert!(place.number(&[], others).await >= 2);
    assert_eq!(fills_seen(&store).await, recorded);
    check_recovers(&store, &mut one).await;
    store.stop(STOP).await.unwrap();
}

/// Stands between a store and its server; silenced, it neither passes on nor closes what is open, as a network that lost its state.
struct Between {
    port: u16,
    silent: Arc<AtomicBool>,
}

impl Between {
    async fn start(to: u16) -> Self {
        use tokio::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = Arc::new(AtomicBool::new(false));
        let all = Arc::clone(&silent);
        tokio::task::spawn_local(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::task::spawn_local(pass(near_in, far_out, Arc::clone(&all)));
                tokio::task::spawn_local(pass(far_in, near_out, Arc::clone(&all)));
            }
        });
        Self { port, silent }
    }
}

async fn pass(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, silent: Arc<AtomicBool>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bytes = [0; 16_384];
    let mut lost = false;
    while let Ok(length) = from.read(&mut bytes).await
        && length > 0
    {
        // Once silent, this connection stays so.
        lost |= silent.load(Ordering::Relaxed);
        if !lost && to.write_all(bytes.get(..length).unwrap_or_default()).await.is_err() {
            return;
        }
    }
    if lost {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn connection_that_is_lost_without_a_word_is_given_up_and_made_anew() {
    let Some(server) = Server::start("a connection that is lost without a word") else { return };
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let between = Between::start(server.port).await;
            let place = Place::at(server.url(between.port));
            let store = open(small(&place)).await.unwrap();
            let mut one = Loop::new(&store);
            assert!(one.record(4));
            store.flush().await.unwrap();
            assert_eq!(fills_seen(&store).await, 4);
            // In the middle of a transaction: that is when nobody could tell for how long it must be waited for.
            let other = sea_orm::Database::connect(server.url(server.port)).await.unwrap();
            let locking = other.begin().await.unwrap();
            locking.execute_unprepared("LOCK TABLE fills IN EXCLUSIVE MODE").await.unwrap();
            assert!(one.record(2));
            let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'plimsoll%'";
            while server.place().number(&[], waiting).await == 0 {}
            between.silent.store(true, Ordering::Relaxed);
            locking.rollback().await.unwrap();
            other.close().await.unwrap();
            let text = fill_up(&store, &mut one, |health| health.failures >= 1).await;
            assert!(text.contains("127.0.0.1") && text.contains("did not answer within 10 s"), "{text}");
            // New connections are fine again; the old ones stay silent for ever, and the server ends the session that has the lock.
            between.silent.store(false, Ordering::Relaxed);
            check_recovers(&store, &mut one).await;
            store.stop(STOP).await.unwrap();
        })
        .await;
}
