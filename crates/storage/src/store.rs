//! The store: what opens, loads, commits and stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_bounded::{
    Batch, BatchSpec, Class, Closed, Gauge, Grant, Ledger, LedgerError, Line, NoReply, Open, ReplyReceiver, Sender, TaskSpec, Tasks,
    WatchReceiver, WhenFull, channel, lossy, reply, watch,
};
use plimsoll_market::{AccountRecord, Asset, Name, StateRecord, Symbol, Time, TradeId};
use tokio::time::Instant;

use crate::commit::Item;
use crate::config::{RawRetention, StoreConfig, Target};
use crate::db::Db;
use crate::error::StoreError;
use crate::limits::{
    ACQUIRE_TIMEOUT, CACHE_READER_KIB, CACHE_WRITER_KIB, CHECK_TIMEOUT, COMMAND_LANE, COMMIT_TIMEOUT, CONNECTION_BYTES, HISTORY_BATCH,
    HISTORY_QUEUE, LOG_BATCH, LOG_FLUSH_INTERVAL, LOG_QUEUE, LOG_TEXT_MAX, POINTS_MAX, QUEUE_BATCHES, READERS, ROW_BYTES, STATE_LANE,
};
use crate::lock::InstanceLock;
use crate::pool::{Pool, PoolFigures};
use crate::read::{Reader, Stored};
use crate::readers::{ForeignReader, foreign_readers};
use crate::tool::{self, Backup, ToolError};
use crate::vacuum::Pages;
use crate::writer::{Command, Counters, Counts, Health, HistoryWriter, Recorder, Room, StateRequest, Writer, log_path};
use crate::{History, LogLine, LogWriter};

/// Whose rows: an account and a symbol on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The account, by its configured name.
    pub account: Name,
    /// The symbol.
    pub symbol: Symbol,
}

/// What the whole numbers of a symbol's prices and quantities mean; the same for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredScales {
    /// What is traded.
    pub base: Asset,
    /// What it is priced and settled in.
    pub quote: Asset,
    /// Digits after the point of every price, 0 to 12.
    pub price_scale: u8,
    /// Digits after the point of every quantity, 0 to 12.
    pub qty_scale: u8,
}

/// Storage's lines in the ledger.
#[derive(Debug)]
pub struct StoreGrants {
    states: Grant,
    commands: Grant,
    records: Grant,
    batch: Grant,
    history: Grant,
    history_batch: Grant,
    logs: Grant,
    logs_batch: Grant,
    health: Grant,
    database: Gauge,
}

/// Bytes of what the database's driver, caches and queries take at worst.
const DATABASE_BYTES: usize = {
    let caches = (CACHE_WRITER_KIB + READERS * CACHE_READER_KIB) as usize * 1_024;
    let connections = (1 + READERS as usize) * CONNECTION_BYTES;
    let queries = READERS as usize * POINTS_MAX * ROW_BYTES;
    caches + connections + queries
};

impl StoreGrants {
    /// Puts down what a store of this configuration needs.
    ///
    /// # Errors
    /// When the ledger has such lines already, or has no room for lines.
    pub fn take(ledger: &Ledger<Open>, config: &StoreConfig) -> Result<Self, LedgerError> {
        let lines = Lines::of(config);
        Ok(Self {
            states: ledger.grant(lines.states)?,
            commands: ledger.grant(lines.commands)?,
            records: ledger.grant(lines.records)?,
            batch: ledger.grant(lines.batch)?,
            history: ledger.grant(lines.history)?,
            history_batch: ledger.grant(lines.history_batch)?,
            logs: ledger.grant(lines.logs)?,
            logs_batch: ledger.grant(lines.logs_batch)?,
            health: ledger.grant(lines.health)?,
            database: ledger.external("storage.database", DATABASE_BYTES)?,
        })
    }

    /// Makes the grants without a ledger, for tests and tools.
    pub fn detached(config: &StoreConfig) -> Self {
        let lines = Lines::of(config);
        Self {
            states: Grant::detached(lines.states),
            commands: Grant::detached(lines.commands),
            records: Grant::detached(lines.records),
            batch: Grant::detached(lines.batch),
            history: Grant::detached(lines.history),
            history_batch: Grant::detached(lines.history_batch),
            logs: Grant::detached(lines.logs),
            logs_batch: Grant::detached(lines.logs_batch),
            health: Grant::detached(lines.health),
            database: Gauge::detached(),
        }
    }
}

struct Lines {
    states: Line<'static>,
    commands: Line<'static>,
    records: Line<'static>,
    batch: Line<'static>,
    history: Line<'static>,
    history_batch: Line<'static>,
    logs: Line<'static>,
    logs_batch: Line<'static>,
    health: Line<'static>,
}

impl Lines {
    fn of(config: &StoreConfig) -> Self {
        let size = config.batch_size();
        // Of the ten batches, one is in the writer's hands. The queue has room for one record even if a batch is one.
        let queue = size * (QUEUE_BATCHES - 1);
        Self {
            states: Line::of::<StateRequest>("storage.states", STATE_LANE, WhenFull::Wait, Class::MustKeep),
            commands: Line::of::<Command>("storage.commands", COMMAND_LANE, WhenFull::Wait, Class::MustKeep).with_heap(Command::HEAP_BYTES),
            records: Line::of::<Item>("storage.records", queue, WhenFull::Refuse, Class::MustKeep),
            batch: Line::of::<Item>("storage.batch", size, WhenFull::Refuse, Class::MustKeep),
            history: Line::of::<History>("storage.history", HISTORY_QUEUE, WhenFull::DropOldest, Class::BestEffort)
                .with_heap(History::HEAP_BYTES),
            history_batch: Line::of::<History>("storage.history_batch", HISTORY_BATCH, WhenFull::Refuse, Class::BestEffort)
                .with_heap(History::HEAP_BYTES),
            logs: Line::of::<LogLine>("storage.logs", LOG_QUEUE, WhenFull::DropOldest, Class::BestEffort).with_heap(LOG_TEXT_MAX + 16),
            logs_batch: Line::of::<LogLine>("storage.logs_batch", LOG_BATCH, WhenFull::Refuse, Class::BestEffort)
                .with_heap(LOG_TEXT_MAX + 16),
            health: Line::of::<Health>("storage.health", 1, WhenFull::Conflate, Class::LatestWins).with_heap(2 * Health::TEXT_MAX),
        }
    }
}

/// A table with a retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// What accounts were worth.
    Equity,
    /// What people were told.
    Events,
    /// Orders that ended.
    Orders,
    /// Fills.
    Fills,
    /// Funding payments.
    Funding,
    /// Lines of the log that are no errors.
    Logs,
    /// Lines of the log that are errors.
    LogErrors,
    /// What was done through the API.
    Audit,
    /// Days of the process. Its samples go by a way of their own: they are summed up first.
    SystemDaily,
}

/// What the database takes on the disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The database.
    pub database: u64,
    /// SQLite's write-ahead log; 0 for a server.
    pub log: u64,
}

/// An open database with its one writer. Cheap to clone.
///
/// Three classes: **state** is on the disk when [`Store::commit`] returns; **records** ([`Store::recorder`]) are batched and
/// commit together with their totals and watermark; **history** ([`Store::history`]) is stored as far as there is room.
///
/// When the last clone is gone the writer commits what it has and ends; [`Store::stop`] waits for that.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    config: StoreConfig,
    reader: Reader,
    /// The writer's connection, to look at only.
    writing: Db,
    states: Sender<StateRequest>,
    commands: Sender<Command>,
    records: Sender<Item>,
    history: HistoryWriter,
    logs: LogWriter,
    room: Arc<Room>,
    counters: Arc<Counters>,
    database: Gauge,
}

impl Store {
    /// Opens a database, makes its tables or brings them up to date after a backup, and starts the writer among `tasks`.
    ///
    /// # Errors
    /// When another instance has the database, its folder cannot be written, it is no database or of a newer version, the
    /// disk is full, the server cannot be reached, or `tasks` has no room. The text says what to do.
    ///
    /// # Bounds
    /// One connection that writes and two that read; a writer task; the queues granted.
    pub async fn open(config: StoreConfig, grants: StoreGrants, tasks: &Tasks) -> Result<Self, StoreError> {
        let lock = config.path().map(InstanceLock::take).transpose()?;
        let pool = Arc::new(Pool::default());
        if let Some(path) = config.path() {
            let refused = |error| StoreError::Restore { database: config.display(), source: Arc::new(error) };
            tool::finish(path).map_err(refused)?;
        }
        let db = Db::writer(&config, &pool).await?;
        if let Err(error) = tool::bring_up(&db, &config).await {
            drop(db.connection.close().await);
            return Err(error);
        }
        let reader = Reader::new(Db::readers(&config, &pool).await?);
        let writing = db.clone();

        let StoreGrants { states, commands, records, batch, history, history_batch, logs, logs_batch, health, database } = grants;
        let (states, states_in) = channel(states);
        let (commands, commands_in) = channel(commands);
        let (records, records_in) = channel(records);
        let (history, history_in) = lossy(history);
        let (logs, logs_in) = lossy(logs);
        let (health, _first) = watch(health, Health::default());
        let room = Arc::new(Room::new(health));
        let counters = Arc::new(Counters::new());
        let spec = |size| BatchSpec { size, flush_interval: config.flush_interval() };
        let writer = Writer {
            db,
            states: states_in,
            commands: commands_in,
            records: records_in,
            batch: Batch::new(batch, spec(config.batch_size())),
            history: history_in,
            history_batch: Batch::new(history_batch, spec(HISTORY_BATCH)),
            logs: logs_in,
            logs_batch: Batch::new(logs_batch, BatchSpec { size: LOG_BATCH, flush_interval: LOG_FLUSH_INTERVAL }),
            logs_complained: None,
            room: Arc::clone(&room),
            counters: Arc::clone(&counters),
            tick: config.flush_interval(),
            file: config.path().map(Path::to_owned),
            cut_complained: None,
            cut_after: None,
            lock,
        };
        // Boxed here, so that the set's tasks need not declare the size of a database driver's futures.
        let spec = TaskSpec { name: "storage/writer", group: "storage" };
        tasks.spawn(spec, |task| Box::pin(run(writer, task))).map_err(StoreError::start)?;
        let history = HistoryWriter::new(history, Arc::clone(&counters));
        let logs = LogWriter::new(logs, Arc::clone(&counters));
        let inner = Inner { config, reader, writing, states, commands, records, history, logs, room, counters, database };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes the number of this start: above every number taken before and at least the Unix second, and on the disk
    /// before it is returned, so that ids made with it are unique for ever.
    ///
    /// # Errors
    /// When it could not be stored.
    ///
    /// # Cancel safety
    /// Given up, a number may be used up.
    pub async fn next_run(&self, now: Time) -> Result<u64, StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::NextRun { now, reply }).await?;
        self.wait(answer).await
    }

    /// Stores what the rules of an account must remember; it survives a power cut once this returns.
    ///
    /// # Errors
    /// When it could not be stored.
    ///
    /// # Cancel safety
    /// Given up, it may or may not be stored.
    pub async fn commit_account(&self, name: Name, record: AccountRecord) -> Result<(), StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::Account { name, record, reply }).await?;
        self.wait(answer).await
    }

    /// Forgets the executions of a symbol after one, its slots and totals, in one transaction: the next start books them anew.
    ///
    /// # Errors
    /// When it could not be done; nothing is changed then.
    ///
    /// # Cancel safety
    /// Given up, it may or may not be done.
    pub async fn forget_books(&self, key: Key, after: TradeId) -> Result<(), StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::Forget { key, after, reply }).await?;
        self.wait(answer).await
    }

    /// Makes a backup of everything accepted so far in the folder of backups; see [`tool::backup`].
    ///
    /// # Errors
    /// When something could not be committed, or as [`tool::backup`].
    ///
    /// # Cancel safety
    /// Given up, an unfinished file stays, which is removed after a day.
    pub async fn backup(&self) -> Result<Backup, ToolError> {
        self.flush().await?;
        tool::backup(&self.inner.config).await
    }

    /// Reads what the rules of an account must remember; `None` when nothing was ever stored.
    ///
    /// # Errors
    /// When it cannot be read, or is no such record.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn load_account(&self, name: &Name) -> Result<Option<AccountRecord>, StoreError> {
        self.inner.reader.account(name).await
    }

    /// Stores the state of a symbol; it survives a power cut once this returns.
    ///
    /// # Errors
    /// When it could not be stored, or not within the time of three commits; then it may be stored later, and asking again
    /// with the same does no harm.
    ///
    /// # Cancel safety
    /// Given up, the state may or may not be stored.
    pub async fn commit(&self, key: Key, record: StateRecord) -> Result<(), StoreError> {
        let (reply, answer) = reply();
        self.inner.states.send(StateRequest { key, record, reply }).await.map_err(|Closed(_)| StoreError::Stopped)?;
        self.wait(answer).await
    }

    /// Stores what a symbol's whole numbers mean, and returns what was stored before, which stays: other scales would change what
    /// every stored price and quantity means.
    ///
    /// # Errors
    /// When it could not be stored.
    ///
    /// # Cancel safety
    /// Given up, it may or may not be stored.
    pub async fn commit_scales(&self, key: Key, scales: StoredScales) -> Result<StoredScales, StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::Scales { key, scales, reply }).await?;
        self.wait(answer).await
    }

    /// Makes the recorder of a symbol. There must be one at a time: the order of two would be nobody's.
    pub fn recorder(&self, key: Key) -> Recorder {
        Recorder::new(key, self.inner.records.clone(), Arc::clone(&self.inner.room))
    }

    /// Returns the writer for history.
    pub fn history(&self) -> HistoryWriter {
        self.inner.history.clone()
    }

    /// Returns the writer for lines of the log.
    pub fn logs(&self) -> LogWriter {
        self.inner.logs.clone()
    }

    /// Returns the reader for queries.
    pub fn reader(&self) -> Reader {
        self.inner.reader.clone()
    }

    /// Reads what is stored of a symbol, after committing what is on its way.
    ///
    /// # Errors
    /// When something could not be committed or read.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn load(&self, key: &Key) -> Result<Stored, StoreError> {
        self.flush().await?;
        self.inner.reader.load(key).await
    }

    /// Commits every record accepted so far, the history, and lines of the log.
    ///
    /// # Errors
    /// When records could not be committed. They are kept and tried again.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::Flush { reply }).await?;
        self.wait(answer).await
    }

    /// Returns who has the connections to the database, and who waits for one.
    pub fn pool(&self) -> PoolFigures {
        let (reading, writing) = (self.inner.reader.open_and_idle(), self.inner.writing.open_and_idle());
        self.inner.writing.pool().figures(Instant::now(), reading.0 + writing.0, reading.1 + writing.1)
    }

    /// Asks the database for a sign of life; [`Store::pool`] tells how it went. To be called every minute or so.
    ///
    /// # Errors
    /// When no connection could be had or no answer came within [`CHECK_TIMEOUT`].
    ///
    /// # Cancel safety
    /// Given up, the answer of the check before stays.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.inner.reader.check(CHECK_TIMEOUT).await
    }

    /// Has SQLite give back what its caches can spare; a server's memory is its own.
    ///
    /// # Errors
    /// When no connection could be had.
    ///
    /// # Cancel safety
    /// Given up, some of the caches are smaller than others.
    pub async fn shrink(&self) -> Result<(), StoreError> {
        const SHRINK: &str = "PRAGMA shrink_memory";
        if !self.inner.writing.is_sqlite() {
            return Ok(());
        }
        self.inner.writing.run("storage.shrink", SHRINK).await?;
        // The pool hands out its connections in turn.
        for _ in 0..READERS {
            self.inner.reader.shrink(SHRINK).await?;
        }
        Ok(())
    }

    /// Returns how storage is, to be watched: whether records have room, and whether commits fail.
    pub fn health(&self) -> WatchReceiver<Health> {
        self.inner.room.subscribe()
    }

    /// Says whether the disk is so short of room that nothing may be opened; [`Health::disk_short`] tells it on.
    pub fn disk_short(&self, short: bool) {
        self.inner.room.disk_short(short);
    }

    /// Names the other processes that read the database file now, as far as the system tells: they keep its write-ahead log from
    /// being cut. None for a server.
    pub fn foreign_readers(&self) -> Vec<ForeignReader> {
        self.inner.config.path().map(foreign_readers).unwrap_or_default()
    }

    /// Reads the pages of the file.
    pub(crate) async fn pages(&self) -> Result<Pages, StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::Pages { reply }).await?;
        self.wait(answer).await
    }

    pub(crate) fn keeps(&self) -> RawRetention {
        self.inner.config.retention()
    }

    pub(crate) fn size_max_bytes(&self) -> u64 {
        self.inner.config.size_max_bytes()
    }

    /// Returns what was done since the start.
    pub fn counts(&self) -> Counts {
        self.inner.counters.read()
    }

    /// Returns the records that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.inner.records.len()
    }

    /// Reads what the database takes on the disk.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn sizes(&self) -> Result<Sizes, StoreError> {
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        match self.inner.config.target() {
            Target::Sqlite(path) => Ok(Sizes { database: length(path), log: length(&log_path(path)) }),
            Target::Postgres(_) => Ok(Sizes { database: self.inner.reader.server_bytes().await?, log: 0 }),
        }
    }

    /// Returns the gauge of what the database takes in memory, to be set by whoever can measure it.
    pub fn memory(&self) -> Gauge {
        self.inner.database.clone()
    }

    /// Commits everything that was accepted, closes the database and ends the writer. Nothing is taken afterwards.
    ///
    /// To be called after those who record have ended, and before the task set is shut down (which ends the writer, too).
    ///
    /// # Errors
    /// When not everything could be committed, or not in time, or the writer has ended already.
    ///
    /// # Cancel safety
    /// Given up, the writer goes on ending.
    pub async fn stop(&self, deadline: Duration) -> Result<(), StoreError> {
        let (reply, answer) = reply();
        let stopped = tokio::time::timeout(deadline, async {
            self.ask(Command::Stop { reply }).await?;
            self.answer(answer, deadline).await
        });
        let stopped = stopped.await.unwrap_or_else(|_| Err(self.busy(deadline)));
        self.inner.reader.close(ACQUIRE_TIMEOUT).await;
        stopped
    }

    pub(crate) async fn ask(&self, command: Command) -> Result<(), StoreError> {
        self.inner.commands.send(command).await.map_err(|Closed(_)| StoreError::Stopped)
    }

    /// Waits for the commit before ours, ours, and as long again for a database that takes its time.
    pub(crate) async fn wait<T>(&self, answer: ReplyReceiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        self.answer(answer, 3 * COMMIT_TIMEOUT).await
    }

    async fn answer<T>(&self, answer: ReplyReceiver<Result<T, StoreError>>, within: Duration) -> Result<T, StoreError> {
        match answer.wait(within).await {
            Ok(done) => done,
            Err(NoReply::Dropped) => Err(StoreError::Stopped),
            Err(NoReply::TimedOut { .. }) => Err(self.busy(within)),
        }
    }

    fn busy(&self, waited: Duration) -> StoreError {
        StoreError::Busy { database: self.inner.config.display(), waited }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.inner.config.display())
    }
}

/// Runs the writer; its error's text becomes the task's exit status.
async fn run(writer: Writer, task: plimsoll_bounded::Task) -> Result<(), String> {
    writer.run(task).await.map_err(|error| error.chain())
}

/// Names a file beside another: its name and an ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
