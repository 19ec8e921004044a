//! Connections: one that writes, a few that read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection as _, Row as _};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::time::Instant;

use crate::config::{StoreConfig, Target};
use crate::error::{Holder, StoreError};
use crate::limits::{
    ACQUIRE_TIMEOUT, BUSY_TIMEOUT, CACHE_READER_KIB, CACHE_WRITER_KIB, COMMIT_TIMEOUT, KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL,
    LOOK_AT_CLOCK_OPS, QUERY_TIMEOUT, READERS, STATEMENTS_KEPT, WAL_BYTES_KEPT,
};
use crate::pool::{Held, Pool};

/// Bytes of a page of SQLite; set so that the limit of the file is what we say.
pub(crate) const PAGE_BYTES: u64 = 4_096;

/// Pages after which SQLite moves its log into the database: 4 MiB.
const CHECKPOINT_PAGES: &str = "1000";

/// The key of PostgreSQL's advisory lock: "plim" in ASCII, and the schema, so that each schema of a database is one bot's.
const LOCK_KEY: &str = "1886153069, hashtext(coalesce(current_schema(), ''))";

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
    /// Reads for a tool, and may write a copy to another file.
    Tool,
    /// Reads a file that nobody writes, and leaves nothing beside it.
    Frozen,
    /// Writes a new file that counts only once it is complete, synced and renamed.
    Filler,
}

/// What is known of the writer's connection to a server, so that it need not be asked.
#[derive(Debug, Default)]
struct Session {
    /// The last transaction ended as it should: the connection answers.
    ended: AtomicBool,
    /// It holds the database's lock, which lasts as long as it does.
    locked: AtomicBool,
}

/// One of the driver's pools, the books of all connections, and what to call the database in messages.
///
/// Once the store is open, connections are taken by [`Db::begin`], [`Db::read`] and [`Db::run`] only, which name the holder.
#[derive(Clone)]
pub(crate) struct Db {
    pub(crate) connection: DatabaseConnection,
    pub(crate) name: String,
    pool: Arc<Pool>,
    /// Whether this is the writer's: nobody else waits for its connection.
    writes: bool,
    session: Arc<Session>,
}

impl Db {
    /// Opens the only connection that writes. SQLite creates the file if there is none.
    pub(crate) async fn writer(config: &StoreConfig, pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let session = Arc::default();
        let mut options = options(config, Role::Writer, &session);
        options.max_connections(1).min_connections(1);
        Ok(Self { writes: true, session, ..Self::connect(config, options, pool).await? })
    }

    /// Opens the connections that only read.
    pub(crate) async fn readers(config: &StoreConfig, pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let mut options = options(config, Role::Reader, &Arc::default());
        options.max_connections(READERS).min_connections(0);
        Self::connect(config, options, pool).await
    }

    /// Opens one connection for a tool that reads; the database must be there.
    pub(crate) async fn tool(config: &StoreConfig) -> Result<Self, StoreError> {
        Self::one(config, Role::Tool).await
    }

    /// Opens a file that nobody writes, its log not counted.
    pub(crate) async fn frozen(config: &StoreConfig) -> Result<Self, StoreError> {
        Self::one(config, Role::Frozen).await
    }

    /// Opens a new file to be filled without a journal: what a crash leaves of it is worth nothing.
    pub(crate) async fn filler(config: &StoreConfig) -> Result<Self, StoreError> {
        Self::one(config, Role::Filler).await
    }

    async fn one(config: &StoreConfig, role: Role) -> Result<Self, StoreError> {
        let mut options = options(config, role, &Arc::default());
        options.max_connections(1).min_connections(1);
        Self::connect(config, options, &Arc::new(Pool::default())).await
    }

    async fn connect(config: &StoreConfig, options: ConnectOptions, pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let name = config.display();
        match Database::connect(options).await {
            Ok(connection) => Ok(Self { connection, name, pool: Arc::clone(pool), writes: false, session: Arc::default() }),
            // The driver tries a server that refuses until the time is over, and then says no more than that.
            Err(error) => match (config.target(), StoreError::of(&name, error.clone())) {
                (Target::Postgres(_), StoreError::Busy { database, .. }) => {
                    Err(StoreError::Unreachable { database, source: Arc::new(error) })
                }
                (_, error) => Err(error),
            },
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.connection.get_database_backend() == DbBackend::Sqlite
    }

    pub(crate) fn error(&self, error: DbErr) -> StoreError {
        StoreError::of(&self.name, error)
    }

    /// Why no connection could be had. The driver tries a server that refuses until the time is over, and then says no more than
    /// that; but then it has no connection open, or none was there to be waited for.
    fn untaken(&self, error: DbErr) -> StoreError {
        let cause = error.clone();
        match self.error(error) {
            StoreError::Busy { database, .. } if !self.is_sqlite() && (self.writes || self.open_and_idle().0 == 0) => {
                StoreError::Unreachable { database, source: Arc::new(cause) }
            }
            error => error,
        }
    }

    /// Returns the books of all connections.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Tells how many connections the driver has open here, and how many of them are idle.
    pub(crate) fn open_and_idle(&self) -> (u32, u32) {
        let (size, idle) = if self.is_sqlite() {
            let pool = self.connection.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle())
        } else {
            let pool = self.connection.get_postgres_connection_pool();
            (pool.size(), pool.num_idle())
        };
        (size, u32::try_from(idle).unwrap_or(u32::MAX))
    }

    /// Runs a statement of SQLite that returns nothing and may not be part of a transaction.
    pub(crate) async fn run(&self, holder: &'static str, sql: &'static str) -> Result<(), StoreError> {
        let pool = self.connection.get_sqlite_connection_pool();
        let lift = |error: sqlx::Error| self.error(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error))));
        let mut held = self.pool.acquire(holder, async { pool.acquire().await.map_err(lift) }).await?;
        sqlx::raw_sql(sql).execute(&mut **held).await.map(drop).map_err(lift)
    }

    /// Runs statements of SQLite that may not be part of a transaction, and returns the rows of all of them.
    pub(crate) async fn ask(&self, holder: &'static str, sql: &'static str) -> Result<Vec<SqliteRow>, StoreError> {
        let pool = self.connection.get_sqlite_connection_pool();
        let lift = |error: sqlx::Error| self.error(DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))));
        let mut held = self.pool.acquire(holder, async { pool.acquire().await.map_err(lift) }).await?;
        sqlx::raw_sql(sql).fetch_all(&mut **held).await.map_err(lift)
    }

    /// Takes a connection to read with. All that is read through it is of one instant in SQLite.
    ///
    /// It is given back when dropped; there is nothing to commit.
    pub(crate) async fn read(&self, holder: &'static str) -> Result<Held<DatabaseTransaction>, StoreError> {
        self.pool.acquire(holder, async { self.connection.begin().await.map_err(|error| self.untaken(error)) }).await
    }

    /// Takes a connection to read with, for a tool: everything is of one instant, on a server too.
    pub(crate) async fn snapshot(&self, holder: &'static str) -> Result<Held<DatabaseTransaction>, StoreError> {
        let (isolation_level, access_mode) =
            if self.is_sqlite() { (None, None) } else { (Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)) };
        let options = TransactionOptions { isolation_level, access_mode, ..TransactionOptions::default() };
        let begun = async { self.connection.begin_with_options(options).await.map_err(|error| self.untaken(error)) };
        self.pool.acquire(holder, begun).await
    }

    /// Begins to write. On a new connection to a server it is asked first whether we hold the database: a lost one has lost the lock.
    pub(crate) async fn begin(&self, holder: &'static str) -> Result<Held<DatabaseTransaction>, StoreError> {
        let mode = self.is_sqlite().then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
        let begin = || self.connection.begin_with_options(options);
        let begun = async {
            match begin().await {
                // The connection was lost since it was last used: the next one is new, and nothing was written yet.
                Err(error) if !self.is_sqlite() && !matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => begin().await,
                done => done,
            }
            .map_err(|error| self.untaken(error))
        };
        let transaction = self.pool.acquire(holder, begun).await?;
        self.session.ended.store(false, Relaxed);
        if !self.is_sqlite() && !self.session.locked.load(Relaxed) {
            // Of the session, not of the transaction: a connection that could not have it when it was made keeps it from now on.
            let sql = format!("SELECT pg_try_advisory_lock({LOCK_KEY})");
            let row = transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
            let ours = row.and_then(|row| row.map_or(Ok(false), |row| row.try_get_by_index(0)));
            if !ours.map_err(|error| self.error(error))? {
                return Err(StoreError::InUse { database: self.name.clone(), holder: lock_holder(&transaction).await });
            }
            self.session.locked.store(true, Relaxed);
        }
        Ok(transaction)
    }

    /// Ends a transaction so that it holds.
    pub(crate) async fn commit(&self, transaction: Held<DatabaseTransaction>) -> Result<(), StoreError> {
        let (seat, transaction) = transaction.into_parts();
        let done = transaction.commit().await.map_err(|error| self.error(error));
        // The connection may be given back before this is seen; then it is asked, which costs no more than time.
        self.session.ended.store(done.is_ok(), Relaxed);
        drop(seat);
        done
    }
}

/// Reads one number.
pub(crate) async fn number(from: &DatabaseTransaction, sql: &str) -> Result<i64, DbErr> {
    let statement = Statement::from_string(from.get_database_backend(), sql);
    from.query_one_raw(statement).await?.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// Asks the server who holds the lock.
async fn lock_holder(from: &DatabaseTransaction) -> Holder {
    let sql = "SELECT a.application_name || ' at ' || coalesce(host(a.client_addr), 'the server') FROM pg_locks l JOIN pg_stat_activity a \
               ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1886153069 AND l.objsubid = 2 \
               AND l.objid::bigint = hashtext(coalesce(current_schema(), ''))::bigint & 4294967295 \
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1";
    let row = from.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    let name = row.ok().flatten().and_then(|row| row.try_get_by_index::<String>(0).ok());
    name.map_or(Holder::Unknown, Holder::Session)
}

fn options(config: &StoreConfig, role: Role, session: &Arc<Session>) -> ConnectOptions {
    let mut options = match config.target() {
        // The real path is given below as a path: as part of an url, it would have to be escaped.
        Target::Sqlite(_) => ConnectOptions::new("sqlite:plimsoll.db"),
        Target::Postgres(url) => ConnectOptions::new(url.as_str()),
    };
    // An idle connection is kept: opening one costs more than it holds, and a writer's server lock would go with it.
    options.sqlx_logging(false).record_stmt_in_spans(false).acquire_timeout(ACQUIRE_TIMEOUT);
    options
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        // A file is always there, and the writer begins anew on another connection when the one it has is lost.
        .test_before_acquire(!matches!(config.target(), Target::Sqlite(_)) && role != Role::Writer);
    match config.target() {
        Target::Sqlite(path) => {
            let (path, pages) = (path.clone(), config.size_max_bytes() / PAGE_BYTES);
            options.map_sqlx_sqlite_opts(move |_| sqlite_options(&path, pages, role));
            options.map_sqlx_sqlite_pool_opts(move |pool| {
                let pool = pool.after_release(|connection, _| Box::pin(is_out_of_transaction(connection)));
                if role != Role::Reader {
                    return pool;
                }
                let pool = pool.after_connect(|connection, _| Box::pin(limit_query(connection)));
                pool.before_acquire(|connection, _| Box::pin(async { limit_query(connection).await.map(|()| true) }))
            });
        }
        Target::Postgres(_) => {
            options.map_sqlx_postgres_opts(|options| {
                options.application_name(&format!("plimsoll, process {}", std::process::id())).statement_cache_capacity(STATEMENTS_KEPT)
            });
            let session = Arc::clone(session);
            options.map_sqlx_postgres_pool_opts(move |pool| {
                let released = Arc::clone(&session);
                let pool = pool.after_release(move |connection, _| {
                    let known = released.ended.load(Relaxed);
                    Box::pin(async move { if known { Ok(true) } else { answers(connection).await } })
                });
                match role {
                    Role::Writer => {
                        let session = Arc::clone(&session);
                        pool.after_connect(move |connection, _| {
                            session.locked.store(false, Relaxed);
                            Box::pin(take_lock(connection))
                        })
                    }
                    Role::Reader => pool.after_connect(|connection, _| Box::pin(limit_session(connection))),
                    Role::Tool | Role::Frozen | Role::Filler => pool,
                }
            });
        }
    }
    options
}

fn sqlite_options(path: &std::path::Path, pages: u64, role: Role) -> SqliteConnectOptions {
    use sqlx::ConnectOptions as _;
    let cache_kib = match role {
        Role::Writer => CACHE_WRITER_KIB,
        Role::Reader | Role::Tool | Role::Frozen | Role::Filler => CACHE_READER_KIB,
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .pragma("cache_size", format!("-{cache_kib}"))
        .pragma("mmap_size", "0")
        .disable_statement_logging();
    match role {
        Role::Writer => options
            .create_if_missing(true)
            .page_size(PAGE_BYTES as u32)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", WAL_BYTES_KEPT.to_string())
            .pragma("max_page_count", pages.to_string())
            .pragma_of_new(path),
        Role::Reader => options.pragma("query_only", "1"),
        Role::Tool => options,
        Role::Frozen => options.read_only(true).immutable(true),
        Role::Filler => options
            .create_if_missing(true)
            .page_size(PAGE_BYTES as u32)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("max_page_count", pages.to_string())
            .pragma_of_new(path),
    }
}

/// What a file can be told only before its first table is made.
trait New {
    /// Has a new file keep the books that it needs to give pages back; one that is there already is as it was made.
    fn pragma_of_new(self, path: &std::path::Path) -> Self;
}

impl New for SqliteConnectOptions {
    fn pragma_of_new(self, path: &std::path::Path) -> Self {
        let is_new = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
        if is_new { self.auto_vacuum(SqliteAutoVacuum::Incremental) } else { self }
    }
}

/// Tells whether a connection that is given back may be used again.
///
/// SQLite ends a transaction by itself when the disk is full or fails. The driver then cannot, and goes on counting it: what is begun
/// next would be a savepoint within nothing, or, after a further error, within a transaction that nobody ends and whose commits do
/// not hold.
async fn is_out_of_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback may still wait for the connection's thread; this comes after it.
    connection.ping().await?;
    let counted = connection.is_in_transaction();
    if counted {
        tracing::debug!("a transaction ended by itself: its connection is closed");
    }
    Ok(!counted)
}

/// Has SQLite look at the clock while it works and break off a query that nobody waits for any more. Dropping its future would
/// stop it at its next row only, and a sum has one at the end.
async fn limit_query(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let end = Instant::now() + QUERY_TIMEOUT;
    connection.lock_handle().await?.set_progress_handler(LOOK_AT_CLOCK_OPS, move || Instant::now() < end);
    Ok(())
}

/// Has the server break off a query that nobody waits for any more, and a transaction that was forgotten.
async fn limit_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let limit = QUERY_TIMEOUT.as_millis().to_string();
    set(connection, "statement_timeout", &limit).await?;
    set(connection, "idle_in_transaction_session_timeout", &limit).await
}

/// Tells whether a connection that is given back still answers. Without a limit, one whose server is gone without a word would be
/// waited for until the system gives up on it, a quarter of an hour later, and the pool would be without it so long.
async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(COMMIT_TIMEOUT, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Takes the server's lock for the life of a connection. Whether it was free shows at the first transaction.
async fn take_lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let limit = COMMIT_TIMEOUT.as_millis().to_string();
    set(connection, "statement_timeout", &limit).await?;
    set(connection, "idle_in_transaction_session_timeout", &(2 * COMMIT_TIMEOUT).as_millis().to_string()).await?;
    // A process that vanished with its machine holds the lock no longer than the server takes to notice.
    set(connection, "tcp_keepalives_idle", &KEEPALIVE_IDLE.as_secs().to_string()).await?;
    set(connection, "tcp_keepalives_interval", &KEEPALIVE_INTERVAL.as_secs().to_string()).await?;
    set(connection, "tcp_keepalives_count", &KEEPALIVE_COUNT.to_string()).await?;
    let sql = format!("SELECT pg_try_advisory_lock({LOCK_KEY})");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
    let ours: bool = row.try_get(0)?;
    tracing::debug!(ours, "asked for the lock of the database");
    Ok(())
}

/// Sets a parameter of a server's session.
async fn set(connection: &mut PgConnection, name: &str, value: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config($1, $2, false)").bind(name.to_owned()).bind(value.to_owned()).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small file system of its own; unmounted when dropped.
    struct Small(tempfile::TempDir);

    impl Small {
        fn mount() -> Option<Self> {
            let folder = tempfile::tempdir().unwrap();
            let done = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).output();
            done.is_ok_and(|done| done.status.success()).then_some(Self(folder))
        }
    }

    impl Drop for Small {
        fn drop(&mut self) {
            std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).status().ok();
        }
    }

    async fn insert(db: &Db) -> Result<(), StoreError> {
        let at = db.begin("test").await?;
        at.execute_unprepared("INSERT INTO rows VALUES (printf('%.*c', 100000, 'x'))").await.map_err(|error| db.error(error))?;
        db.commit(at).await
    }

    #[tokio::test]
    async fn a_disk_that_was_full_leaves_no_transaction_behind() {
        let Some(small) = Small::mount() else {
            #[allow(clippy::print_stderr, reason = "a test says what it leaves out")]
            {
                eprintln!("left out: a full file system (install: run as root, so that a small tmpfs can be mounted)");
            }
            return;
        };
        let config = StoreConfig::of_url(format!("sqlite:{}", small.0.path().join("bot.db").display())).unwrap();
        let db = Db::writer(&config, &Arc::default()).await.unwrap();
        db.run("test", "CREATE TABLE rows (text TEXT)").await.unwrap();
        let ballast = small.0.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &[7; 4_096]).is_ok() {}
        for _ in 0..3 {
            let error = insert(&db).await.unwrap_err();
            assert!(matches!(error, StoreError::Full { .. }), "{}", error.chain());
        }
        drop(file);
        std::fs::remove_file(&ballast).unwrap();
        insert(&db).await.unwrap();
        {
            let at = db.read("test").await.unwrap();
            assert_eq!(number(&at, "SELECT COUNT(*) FROM rows").await.unwrap(), 1, "each once, and only what was confirmed");
        }
        // With a transaction still open this is refused.
        assert!(!crate::vacuum::checkpoint(&db).await.unwrap());
        assert_eq!(std::fs::metadata(small.0.path().join("bot.db-wal")).unwrap().len(), 0);
        db.run("test", "BEGIN").await.unwrap();
    }
}
