//! The one task that writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use plimsoll_bounded::{
    Batch, FixedState, LossyReceiver, LossySender, Receiver, ReplySender, SendError, Sender, Task, WatchReceiver, WatchSender,
};
use plimsoll_market::{AccountRecord, Name, Record, StateRecord, Time, TradeId};
use tokio::time::Instant;

use crate::commit::{self, Cut, Item};
use crate::days::{self, Count};
use crate::db::Db;
use crate::error::{StoreError, program};
use crate::limits::{
    AUDIT_TEXT_MAX, COMMIT_TIMEOUT, CUT_COMPLAINTS_EVERY, CUT_EVERY, FULL_TENTHS, LOG_COMPLAINTS_EVERY, LOGIN_CHANGES_MAX, LOGIN_TEXT_MAX,
    RETRY_FIRST, RETRY_MAX, ROOM_TENTHS, STATE_LANE, WAL_BYTES_MAX,
};
use crate::lock::InstanceLock;
use crate::login;
use crate::readers::foreign_readers;
use crate::rollup::{self, RolledUp};
use crate::store::{StoredScales, Table, beside};
use crate::vacuum::{self, Give, Pages};
use crate::{AuditEntry, History, HistoryEvent, Key, LogLine, LoginChange, SystemRow};

/// A state to be committed, and who waits for it.
pub(crate) struct StateRequest {
    pub(crate) key: Key,
    pub(crate) record: StateRecord,
    pub(crate) reply: ReplySender<Result<(), StoreError>>,
}

/// What else the writer can be asked.
pub(crate) enum Command {
    /// Takes the number of this start.
    NextRun { now: Time, reply: ReplySender<Result<u64, StoreError>> },
    /// Stores what the rules of an account must remember.
    Account { name: Name, record: AccountRecord, reply: ReplySender<Result<(), StoreError>> },
    /// Forgets the executions of a symbol after one, its slots and totals.
    Forget { key: Key, after: TradeId, reply: ReplySender<Result<(), StoreError>> },
    /// Stores what a symbol's numbers mean, unless it is known.
    Scales { key: Key, scales: StoredScales, reply: ReplySender<Result<StoredScales, StoreError>> },
    /// Commits everything accepted so far.
    Flush { reply: ReplySender<Result<(), StoreError>> },
    /// Deletes one step of old rows.
    Retain { table: Table, cut: Cut, reply: ReplySender<Result<u64, StoreError>> },
    /// Adds one step of samples to their days, and deletes one step of old ones.
    RollUp { today: Time, cut: Cut, reply: ReplySender<Result<RolledUp, StoreError>> },
    /// Stores a day as it was counted.
    Count { count: Box<Count>, reply: ReplySender<Result<(), StoreError>> },
    /// Reads the pages of the file.
    Pages { reply: ReplySender<Result<Pages, StoreError>> },
    /// Gives one step of free pages back; tells the pages before and after.
    Vacuum { give: Give, reply: ReplySender<Result<(Pages, Pages), StoreError>> },
    /// Moves the write-ahead log into the file and cuts it; tells whether somebody who reads was in the way.
    Checkpoint { reply: ReplySender<Result<bool, StoreError>> },
    /// Changes who may do what.
    Login { changes: Vec<LoginChange>, reply: ReplySender<Result<(), StoreError>> }, // tidy: bounded by LOGIN_CHANGES_MAX
    /// Writes down what was done.
    Audit { entry: Box<AuditEntry>, reply: ReplySender<Result<(), StoreError>> },
    /// Commits everything, closes the database and ends.
    Stop { reply: ReplySender<Result<(), StoreError>> },
}

impl Command {
    /// Bytes that one has on the heap at most: a change of who may do what.
    pub(crate) const HEAP_BYTES: usize = LOGIN_CHANGES_MAX * (size_of::<LoginChange>() + LOGIN_TEXT_MAX);
}
const _: () = assert!(Command::HEAP_BYTES > size_of::<AuditEntry>() + 6 * AUDIT_TEXT_MAX);

/// How storage is; the latest word of the writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether the queue for records is so full that nothing may be opened: what [`plimsoll_market::Event::RecordsFull`] says.
    pub records_full: bool,
    /// Whether the disk is so short of room that nothing may be opened, as whoever watches it says: [`crate::Store::disk_short`].
    pub disk_short: bool,
    /// Why the last commit failed, with its causes, cut at [`Health::TEXT_MAX`] bytes; `None` when it did not.
    pub failing: Option<String>,
    /// Commits of records that failed in a row.
    pub failures: u32,
}

impl Health {
    /// Bytes of [`Health::failing`] at most.
    pub const TEXT_MAX: usize = 500;
}

/// What storage has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records committed.
    pub records: u64,
    /// Batches of records committed.
    pub batches: u64,
    /// Commits of records that failed.
    pub failures: u64,
    /// States committed.
    pub states: u64,
    /// Equity points, events and samples stored.
    pub history: u64,
    /// Equity points, events and samples lost, because the queue was full or the database refused them.
    pub history_dropped: u64,
    /// Lines of the log stored.
    pub logs: u64,
    /// Lines of the log lost, because the queue was full or the database refused them.
    pub logs_dropped: u64,
    /// How long the last commit of records took.
    pub commit_time: Duration,
    /// How long the oldest record waits that is with the writer; zero when none does. Those in the queue are younger.
    pub oldest: Duration,
}

pub(crate) struct Counters {
    opened: Instant,
    commit_ns: AtomicU64,
    /// When the oldest record came to the writer, in nanoseconds since it was opened; zero when it has none.
    oldest_ns: AtomicU64,
    records: AtomicU64,
    batches: AtomicU64,
    failures: AtomicU64,
    states: AtomicU64,
    history: AtomicU64,
    history_dropped: AtomicU64,
    logs: AtomicU64,
    pub(crate) logs_dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let zero = AtomicU64::default;
        Self {
            opened: Instant::now(),
            commit_ns: zero(),
            oldest_ns: zero(),
            records: zero(),
            batches: zero(),
            failures: zero(),
            states: zero(),
            history: zero(),
            history_dropped: zero(),
            logs: zero(),
            logs_dropped: zero(),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    pub(crate) fn read(&self) -> Counts {
        Counts {
            records: self.records.load(Relaxed),
            batches: self.batches.load(Relaxed),
            failures: self.failures.load(Relaxed),
            states: self.states.load(Relaxed),
            history: self.history.load(Relaxed),
            history_dropped: self.history_dropped.load(Relaxed),
            logs: self.logs.load(Relaxed),
            logs_dropped: self.logs_dropped.load(Relaxed),
            commit_time: Duration::from_nanos(self.commit_ns.load(Relaxed)),
            oldest: match self.oldest_ns.load(Relaxed) {
                0 => Duration::ZERO,
                since => Duration::from_nanos(self.now_ns().saturating_sub(since)),
            },
        }
    }
}

/// Says whether there is room for records; shared by those who fill the queue and the one who empties it.
pub(crate) struct Room {
    health: WatchSender<Health>,
}

impl Room {
    pub(crate) fn new(health: WatchSender<Health>) -> Self {
        Self { health }
    }

    pub(crate) fn subscribe(&self) -> WatchReceiver<Health> {
        self.health.subscribe()
    }

    fn is_full(&self) -> bool {
        self.health.with(|health| health.records_full)
    }

    /// Sets the flag by the items that wait; between the two marks it stays as it is.
    fn update(&self, waiting: usize, capacity: usize) {
        let full = self.is_full();
        let now = if full { waiting * 10 > capacity * ROOM_TENTHS } else { waiting * 10 >= capacity * FULL_TENTHS };
        if now != full {
            self.health.modify(|health| health.records_full = now);
        }
    }

    pub(crate) fn disk_short(&self, short: bool) {
        if self.health.with(|health| health.disk_short) != short {
            self.health.modify(|health| health.disk_short = short);
        }
    }

    fn failed(&self, error: &StoreError) {
        let mut text = error.chain();
        text.truncate(text.floor_char_boundary(Health::TEXT_MAX));
        self.health.modify(|health| {
            health.failures = health.failures.saturating_add(1);
            health.failing = Some(text);
        });
    }

    fn recovered(&self) {
        if self.health.with(|health| health.failing.is_some()) {
            self.health.modify(|health| {
                health.failures = 0;
                health.failing = None;
            });
        }
    }
}

/// Why a record was not taken. Nothing of it is stored, and nothing that follows it either, until [`Recorder::resume`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordRefused {
    /// The queue is full.
    #[error("the queue for records is full")]
    Full,
    /// An earlier record of this symbol was refused: storing this one would leave a hole behind the watermark.
    #[error("an earlier record of this symbol was refused")]
    Behind,
    /// The store was stopped.
    #[error("storage has stopped")]
    Stopped,
}

/// Takes the records of one symbol, in their order. Never waits.
///
/// What is stored is always a prefix of what was recorded. So the first refusal is followed by refusals only, until the
/// owner has built its books anew from what is stored ([`crate::Store::load`]), fetched the rest from the exchange, and
/// says so by [`Recorder::resume`].
pub struct Recorder {
    key: Key,
    lane: Sender<Item>,
    room: Arc<Room>,
    behind: bool,
}

impl Recorder {
    pub(crate) fn new(key: Key, lane: Sender<Item>, room: Arc<Room>) -> Self {
        Self { key, lane, room, behind: false }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// When the queue is full, an earlier record was refused, or the store was stopped. The record is not stored then.
    ///
    /// # Bounds
    /// Ten batches may wait, of all symbols together. [`Health::records_full`] says beforehand that they soon will.
    pub fn record(&mut self, record: Record) -> Result<(), RecordRefused> {
        if self.behind {
            return Err(RecordRefused::Behind);
        }
        let sent = self.lane.try_send(Item { key: self.key, record });
        self.room.update(self.lane.capacity() - self.lane.room(), self.lane.capacity());
        match sent {
            Ok(_) => Ok(()),
            Err(SendError::Full(_)) => {
                self.behind = true;
                Err(RecordRefused::Full)
            }
            Err(SendError::Closed(_)) => {
                self.behind = true;
                Err(RecordRefused::Stopped)
            }
        }
    }

    /// Tells whether a record was refused and none is taken until [`Recorder::resume`].
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Takes records again: the next one follows on what is stored.
    pub fn resume(&mut self) {
        self.behind = false;
    }

    /// Returns whose records it takes.
    pub fn key(&self) -> Key {
        self.key
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({}:{})", self.key.account, self.key.symbol)
    }
}

/// Takes equity points, events and samples, as far as there is room. Never waits, never fails. Cheap to clone.
#[derive(Clone)]
pub struct HistoryWriter {
    lane: LossySender<History>,
    counters: Arc<Counters>,
}

impl HistoryWriter {
    pub(crate) fn new(lane: LossySender<History>, counters: Arc<Counters>) -> Self {
        Self { lane, counters }
    }

    /// Takes what an account was worth.
    pub fn equity(&self, point: crate::EquityPoint) {
        self.send(History::Equity(point));
    }

    /// Takes what a person was told.
    pub fn event(&self, event: HistoryEvent) {
        self.send(History::Event(Box::new(event)));
    }

    /// Takes a sample of the process.
    pub fn system(&self, row: &SystemRow) {
        self.send(History::System(Box::new(*row)));
    }

    /// Whatever is lost is counted: the oldest when full, this one after the end.
    fn send(&self, item: History) {
        if !matches!(self.lane.send(item), Ok(plimsoll_bounded::Sent::Queued)) {
            self.counters.history_dropped.fetch_add(1, Relaxed);
        }
    }
}

impl std::fmt::Debug for HistoryWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HistoryWriter")
    }
}

/// The task's own things.
pub(crate) struct Writer {
    pub(crate) db: Db,
    pub(crate) states: Receiver<StateRequest>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) records: Receiver<Item>,
    pub(crate) batch: Batch<Item>,
    pub(crate) history: LossyReceiver<History>,
    pub(crate) history_batch: Batch<History>,
    pub(crate) logs: LossyReceiver<LogLine>,
    pub(crate) logs_batch: Batch<LogLine>,
    /// When it was last told that lines of the log cannot be stored.
    pub(crate) logs_complained: Option<Instant>,
    pub(crate) room: Arc<Room>,
    pub(crate) counters: Arc<Counters>,
    /// How often it looks around when nothing happens.
    pub(crate) tick: Duration,
    /// SQLite's database file; `None` for a server.
    pub(crate) file: Option<PathBuf>,
    /// When it was last told that the write-ahead log cannot be cut.
    pub(crate) cut_complained: Option<Instant>,
    /// When the log, which was held, may be cut again.
    pub(crate) cut_after: Option<Instant>,
    /// Last, so that it is let go after the connection.
    pub(crate) lock: Option<InstanceLock>,
}

impl Writer {
    /// Writes until it is told to stop, or nobody is left who could send anything.
    pub(crate) async fn run(mut self, task: Task) -> Result<(), StoreError> {
        // A commit may take its whole time, and the next one again.
        task.pulse.expect_every(self.tick * 4 + COMMIT_TIMEOUT * 2);
        let mut next_tick = Instant::now() + self.tick;
        let (mut more_records, mut more_history, mut more_states, mut more_logs) = (true, true, true, true);
        loop {
            tokio::select! {
                biased; // who waits for an answer goes first; then what makes room; then what fills it
                () = task.stop.stopped() => break,
                request = self.states.recv(), if more_states => match request {
                    Some(request) => self.write_states(request).await,
                    None => more_states = false,
                },
                command = self.commands.recv() => match command {
                    Some(Command::Stop { reply }) => {
                        let end = self.finish().await;
                        // Who asked may have given up waiting; then the task's exit tells.
                        drop(reply.send(end.clone()));
                        return end;
                    }
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                () = self.batch.due() => drop(self.write_batch().await),
                item = self.records.recv(), if more_records && !self.batch.is_full() => match item {
                    Some(item) => {
                        self.take(item);
                        // What waits already comes with it, without a look at everything else for each.
                        while !self.batch.is_full()
                            && let Ok(item) = self.records.try_recv()
                        {
                            self.take(item);
                        }
                    }
                    None => more_records = false,
                },
                () = self.history_batch.due() => self.write_history().await,
                item = self.history.recv(), if more_history && !self.history_batch.is_full() => match item {
                    Some(received) => self.take_history(received.item),
                    None => more_history = false,
                },
                () = self.logs_batch.due() => self.write_logs().await,
                item = self.logs.recv(), if more_logs && !self.logs_batch.is_full() => match item {
                    Some(received) => self.take_log(received.item),
                    None => more_logs = false,
                },
                () = tokio::time::sleep_until(next_tick) => {
                    next_tick = Instant::now() + self.tick;
                    self.cut_log().await;
                }
            }
            // Not at the tick alone: while every commit fails after its whole time, something is always due before it.
            task.pulse.beat();
            self.room.update(self.records.len(), self.records.capacity());
        }
        self.finish().await
    }

    fn take(&mut self, item: Item) {
        if self.batch.is_empty() {
            self.counters.oldest_ns.store(self.counters.now_ns(), Relaxed);
        }
        assert!(self.batch.push(item).is_ok(), "a record was taken without room for it");
    }

    fn take_history(&mut self, item: History) {
        assert!(self.history_batch.push(item).is_ok(), "history was taken without room for it");
    }

    fn take_log(&mut self, line: LogLine) {
        assert!(self.logs_batch.push(line).is_ok(), "a line of the log was taken without room for it");
    }

    /// Commits this state and all that wait with it: one sync for all.
    async fn write_states(&mut self, first: StateRequest) {
        let mut states = Vec::with_capacity(STATE_LANE);
        let mut replies = Vec::with_capacity(STATE_LANE);
        let mut next = Some(first);
        while let Some(StateRequest { key, record, reply }) = next.take() {
            states.push((key, record));
            replies.push(reply);
            if states.len() < STATE_LANE {
                next = self.states.try_recv().ok();
            }
        }
        let done = commit::states(&self.db, &states).await;
        match &done {
            Ok(()) => {
                self.counters.states.fetch_add(states.len() as u64, Relaxed);
            }
            Err(error) => tracing::error!(error = error.chain(), "state not stored"),
        }
        for reply in replies {
            // Who gave up waiting asks again.
            drop(reply.send(done.clone()));
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::NextRun { now, reply } => drop(reply.send(commit::next_run(&self.db, now).await)),
            Command::Account { name, record, reply } => drop(reply.send(commit::account(&self.db, &name, &record).await)),
            Command::Forget { key, after, reply } => drop(reply.send(commit::forget_books(&self.db, &key, after).await)),
            Command::Scales { key, scales, reply } => drop(reply.send(commit::scales(&self.db, &key, &scales).await)),
            Command::Flush { reply } => drop(reply.send(self.flush().await)),
            Command::Retain { table, cut, reply } => drop(reply.send(commit::retain(&self.db, table, cut).await)),
            Command::RollUp { today, cut, reply } => drop(reply.send(rollup::step(&self.db, today, cut).await)),
            Command::Count { count, reply } => drop(reply.send(days::store(&self.db, &count).await)),
            Command::Pages { reply } => drop(reply.send(vacuum::pages(&self.db).await)),
            Command::Vacuum { give, reply } => drop(reply.send(vacuum::step(&self.db, give).await)),
            Command::Checkpoint { reply } => drop(reply.send(vacuum::checkpoint(&self.db).await)),
            Command::Login { changes, reply } => drop(reply.send(login::change(&self.db, changes).await)),
            Command::Audit { entry, reply } => drop(reply.send(login::write_audit(&self.db, *entry).await)),
            Command::Stop { reply } => drop(reply.send(Err(StoreError::Stopped))),
        }
    }

    /// Commits every record that was accepted before this was called, and the history as far as it goes.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let mut left = self.records.len();
        loop {
            while left > 0 && !self.batch.is_full() {
                let Ok(item) = self.records.try_recv() else { break };
                self.take(item);
                left -= 1;
            }
            if self.batch.is_empty() {
                break;
            }
            self.write_batch().await?;
        }
        let mut left = self.history.len();
        loop {
            while left > 0 && !self.history_batch.is_full() {
                let Some(received) = self.history.try_recv() else { break };
                self.take_history(received.item);
                left -= 1;
            }
            if self.history_batch.is_empty() {
                break;
            }
            self.write_history().await;
        }
        let mut left = self.logs.len();
        loop {
            while left > 0 && !self.logs_batch.is_full() {
                let Some(received) = self.logs.try_recv() else { break };
                self.take_log(received.item);
                left -= 1;
            }
            if self.logs_batch.is_empty() {
                return Ok(());
            }
            self.write_logs().await;
        }
    }

    /// Commits lines of the log, or lets them go.
    async fn write_logs(&mut self) {
        let batch = self.logs_batch.front();
        let size = batch.len() as u64;
        match commit::log_lines(&self.db, batch).await {
            Ok(()) => drop(self.counters.logs.fetch_add(size, Relaxed)),
            Err(error) => {
                self.counters.logs_dropped.fetch_add(size, Relaxed);
                // Said seldom: what is said here becomes a line that is to be stored.
                if self.logs_complained.is_none_or(|last| last.elapsed() >= LOG_COMPLAINTS_EVERY) {
                    self.logs_complained = Some(Instant::now());
                    tracing::warn!(error = error.chain(), rows = size, "lines of the log not stored, let go");
                }
            }
        }
        self.logs_batch.written();
    }

    /// Commits a batch, or keeps it and is put off.
    async fn write_batch(&mut self) -> Result<(), StoreError> {
        let batch = self.batch.front();
        let size = batch.len() as u64;
        let begun = Instant::now();
        let done = commit::records(&self.db, batch).await;
        self.counters.commit_ns.store(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        match done {
            Ok(()) => {
                self.batch.written();
                self.counters.oldest_ns.store(0, Relaxed);
                self.counters.records.fetch_add(size, Relaxed);
                self.counters.batches.fetch_add(1, Relaxed);
                self.room.recovered();
                Ok(())
            }
            Err(error) => {
                self.counters.failures.fetch_add(1, Relaxed);
                self.room.failed(&error);
                let failures = self.room.health.with(|health| health.failures);
                let pause = pause_after(failures);
                tracing::error!(error = error.chain(), failures, pause_ms = pause.as_millis() as u64, "records not stored, trying again");
                self.batch.put_off(pause);
                Err(error)
            }
        }
    }

    /// Commits history, or lets it go.
    async fn write_history(&mut self) {
        let batch = self.history_batch.front();
        let size = batch.len() as u64;
        match commit::history(&self.db, batch).await {
            Ok(()) => self.counters.history.fetch_add(size, Relaxed),
            Err(error) => {
                tracing::warn!(error = error.chain(), rows = size, "history not stored, let go");
                self.counters.history_dropped.fetch_add(size, Relaxed)
            }
        };
        self.history_batch.written();
    }

    async fn cut_log(&mut self) {
        let Some(file) = &self.file else { return };
        if self.cut_after.is_some_and(|after| Instant::now() < after) {
            return;
        }
        let uncut = cut_log(&self.db, file, WAL_BYTES_MAX).await;
        if matches!(uncut, Ok(None)) {
            self.cut_after = None;
            if self.cut_complained.take().is_some() {
                tracing::info!("write-ahead log cut again");
            }
            return;
        }
        self.cut_after = Some(Instant::now() + CUT_EVERY);
        if self.cut_complained.is_some_and(|last| last.elapsed() < CUT_COMPLAINTS_EVERY) {
            return;
        }
        self.cut_complained = Some(Instant::now());
        match uncut {
            Ok(Some(size_bytes)) => {
                let held_by = program(foreign_readers(file).first());
                tracing::warn!(
                    size_bytes,
                    held_by,
                    "write-ahead log cannot be cut and grows on: a program reads the database in one long transaction; end it there"
                );
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(error = error.chain(), "write-ahead log not cut"),
        }
    }

    /// Takes what is still on its way, commits it, and closes the database.
    async fn finish(mut self) -> Result<(), StoreError> {
        self.states.close();
        self.records.close();
        while let Ok(request) = self.states.try_recv() {
            self.write_states(request).await;
        }
        let flushed = self.flush().await;
        if let Err(error) = &flushed {
            let left = self.records.len() + self.batch.len();
            tracing::error!(error = error.chain(), left, "records left unstored at the end: they are fetched again at the next start");
        }
        if self.db.is_sqlite() {
            // Leaves one file behind, without a log to be replayed.
            let cut = commit::limited(&self.db, self.db.run("storage.checkpoint", "PRAGMA wal_checkpoint(TRUNCATE)")).await;
            if let Err(error) = cut {
                tracing::warn!(error = error.chain(), "write-ahead log not cut");
            }
        }
        let closed = self.db.connection.clone().close().await;
        drop(self.lock.take());
        flushed.and(closed.map_err(|error| self.db.error(error)))
    }
}

/// Moves a write-ahead log that grew above `bytes_max` into the database and cuts it; returns its size when a reader is in the way.
async fn cut_log(db: &Db, file: &Path, bytes_max: u64) -> Result<Option<u64>, StoreError> {
    let log = log_path(file);
    let size = || std::fs::metadata(&log).map_or(0, |file| file.len());
    if size() <= bytes_max {
        return Ok(None);
    }
    let held = vacuum::checkpoint(db).await?;
    tracing::debug!(size_bytes = size(), held, "cut the write-ahead log");
    Ok(Some(size()).filter(|size| *size > bytes_max))
}

/// How long to wait after so many failures in a row: doubling, and off by up to a quarter, so that several instances do not
/// come back to a server in step.
fn pause_after(failures: u32) -> Duration {
    use std::hash::BuildHasher;
    let pause = RETRY_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(RETRY_MAX);
    let spread = (FixedState.hash_one((failures, std::process::id())) % 512) as u32;
    pause * (768 + spread) / 1_024
}

/// Names the write-ahead log of a database file.
pub(crate) fn log_path(database: &std::path::Path) -> PathBuf {
    beside(database, "-wal")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreConfig;

    #[tokio::test]
    async fn log_is_cut_when_it_is_too_large_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::of_url(format!("sqlite:{}", folder.path().join("bot.db").display())).unwrap();
        let db = Db::writer(&config, &Arc::default()).await.unwrap();
        db.run("test", "CREATE TABLE rows (text TEXT)").await.unwrap();
        db.run("test", "INSERT INTO rows VALUES (printf('%.*c', 100000, 'x'))").await.unwrap();
        let log = log_path(config.path().unwrap());
        let size = || std::fs::metadata(&log).unwrap().len();
        let full = size();
        assert!(full > 100_000, "{full}");
        let file = config.path().unwrap();
        assert_eq!(cut_log(&db, file, full).await.unwrap(), None);
        assert_eq!(size(), full);
        assert_eq!(cut_log(&db, file, full - 1).await.unwrap(), None);
        assert_eq!(size(), 0);
        let read = db.read("test").await.unwrap();
        assert_eq!(crate::db::number(&read, "SELECT length(text) FROM rows").await.unwrap(), 100_000);
    }

    #[test]
    fn pauses_double_up_to_the_limit_within_a_quarter() {
        for (failures, expected) in [(1, 100), (2, 200), (3, 400), (7, 5_000), (40, 5_000), (u32::MAX, 5_000)] {
            let pause = pause_after(failures).as_millis();
            assert!((expected * 3 / 4..=expected * 5 / 4).contains(&pause), "{failures}: {pause}");
        }
    }
}
