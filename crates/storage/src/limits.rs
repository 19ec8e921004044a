//! The limits of storage: what each bounds, why it has this value, what it costs at worst.

use std::time::Duration;

/// Records one transaction takes, unless configured.
///
/// One fsync-free commit of 100 rows takes a few milliseconds; more would only lengthen what a crash costs.
pub const BATCH_SIZE: usize = 100;

/// Largest batch that may be configured.
///
/// 1,000 records of 19 columns each stay below SQLite's 32,766 parameters a statement.
pub const BATCH_SIZE_MAX: usize = 1_000;
const _: () = assert!(BATCH_SIZE <= BATCH_SIZE_MAX && BATCH_SIZE_MAX * COLUMNS_MAX < 32_766);

/// Columns of the widest table (`fills`), its key included.
pub const COLUMNS_MAX: usize = 20;

/// Batches of records that may wait; past that the writer refuses and the exchange is asked again later.
///
/// The hard limit of ten batches: 1,000 records × 800 B = 0.8 MB with the default batch.
pub const QUEUE_BATCHES: usize = 10;

/// Tenths of the queue at which opening is asked to stop.
///
/// What is open by then still brings fills: the other two tenths are for them.
pub const FULL_TENTHS: usize = 8;

/// Tenths of the queue at which opening may go on: well below [`FULL_TENTHS`], so that it does not flutter.
pub const ROOM_TENTHS: usize = 5;
const _: () = assert!(ROOM_TENTHS < FULL_TENTHS && FULL_TENTHS < 10);

/// How long a record waits at most before it is committed, unless configured.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// Shortest flush interval that may be configured: below, every record is its own transaction.
pub const FLUSH_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Longest flush interval that may be configured: so much a crash may have to fetch again from the exchange.
pub const FLUSH_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// State commits that may wait for the writer; a further one makes its caller wait.
///
/// A symbol has one in flight. 64 × 128 B = 8 KiB.
pub const STATE_LANE: usize = 64;

/// Commands (flush, stop, retention, run) that may wait for the writer; a further one makes its caller wait.
pub const COMMAND_LANE: usize = 16;

/// Equity points and events that may wait; past that the oldest goes and is counted.
///
/// 1,000 × 350 B = 350 KB.
pub const HISTORY_QUEUE: usize = 1_000;

/// Equity points and events one transaction takes.
pub const HISTORY_BATCH: usize = 200;

/// Lines of the log that may wait; past that the oldest goes and is counted.
///
/// 500 × (96 B and [`LOG_TEXT_MAX`]) = 2.1 MB.
pub const LOG_QUEUE: usize = 500;

/// Lines of the log one transaction takes.
pub const LOG_BATCH: usize = 100;
const _: () = assert!(LOG_BATCH <= LOG_QUEUE && LOG_BATCH * COLUMNS_MAX < 32_766);

/// How long a line of the log waits at most before it is committed.
pub const LOG_FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of a line's text that are stored. The original kept 10 kB; nothing that we say ourselves has a tenth of this.
pub const LOG_TEXT_MAX: usize = 4_096;

/// Time between two complaints that lines of the log cannot be stored; each would be one line more.
pub const LOG_COMPLAINTS_EVERY: Duration = Duration::from_secs(60);

/// Lines of the log that a query returns unless asked otherwise.
pub const LOG_ROWS: u32 = 100;

/// Lines of the log that a query returns at most.
///
/// Twice 1,000 × (200 B and [`LOG_TEXT_MAX`]), the driver's copy and ours, is less than [`POINTS_MAX`] rows of any other table.
pub const LOG_ROWS_MAX: u32 = 1_000;
const _: () = assert!(2 * LOG_ROWS_MAX as usize * (200 + LOG_TEXT_MAX) <= POINTS_MAX * ROW_BYTES);

/// Lines of the log that are looked through for a text in one query; the next page goes on from there.
///
/// So a text that is nowhere costs some ten milliseconds a page, however much is kept.
pub const LOG_SCAN_MAX: u64 = 5_000;
const _: () = assert!(LOG_SCAN_MAX > LOG_ROWS_MAX as u64);

/// Bytes of a text that is sought in the log.
pub const LOG_CONTAINS_MAX: usize = 200;

/// How long one transaction may take before it is given up and tried again.
///
/// A commit takes milliseconds; ten seconds is a disk that hangs or a server that is gone.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a reader waits for its turn before it is told to come again.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one query may take.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long SQLite waits for another connection's lock before it says busy.
///
/// Only the checkpoint and the writer ever meet; both are short.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const _: () = assert!(BUSY_TIMEOUT.as_secs() < COMMIT_TIMEOUT.as_secs());

/// Time between two attempts to cut a write-ahead log that readers hold: each keeps the writer from its work for a moment.
pub const CUT_EVERY: Duration = Duration::from_secs(5);

/// Time between two complaints that the write-ahead log cannot be cut.
pub const CUT_COMPLAINTS_EVERY: Duration = Duration::from_secs(60);

/// Instructions of SQLite's machine between two looks at the clock while it reads: some tenths of a millisecond.
pub const LOOK_AT_CLOCK_OPS: i32 = 10_000;

/// Silence after which a server asks whether the writer's machine is still there.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// Time between two such questions.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Questions without an answer after which a server ends the writer's session and frees the lock: half a minute in all.
pub const KEEPALIVE_COUNT: u32 = 3;

/// First pause after a failed commit; it doubles with each further failure, give or take a quarter.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);

/// Longest pause between two attempts to commit.
pub const RETRY_MAX: Duration = Duration::from_secs(5);

/// Connections that only read. Two, so that one long query does not stop the dashboard.
pub const READERS: u32 = 2;

/// Connections of a store: the readers' and the writer's.
pub const CONNECTIONS: usize = 1 + READERS as usize;

/// Holders of connections that are listed.
///
/// Twice the connections: who commits has given its connection back a moment before its note is gone.
pub const HOLDERS_MAX: usize = 2 * CONNECTIONS;

/// How long a connection may be held before its holder is named as a leak.
///
/// No query and no commit may take longer than ten seconds, so whoever still has it has forgotten it.
pub const HELD_MAX: Duration = Duration::from_secs(30);
const _: () = assert!(HELD_MAX.as_secs() > QUERY_TIMEOUT.as_secs() && HELD_MAX.as_secs() > COMMIT_TIMEOUT.as_secs());

/// How long a health check may take, the wait for a connection included.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a failed health check's text that are kept.
pub const CHECK_TEXT_MAX: usize = 500;

/// Prepared statements a connection keeps.
///
/// We have about 25 shapes; batch sizes multiply the inserts, so the least used go.
pub const STATEMENTS_KEPT: usize = 64;

/// SQLite's page cache of the writer, in KiB.
pub const CACHE_WRITER_KIB: u32 = 2_048;

/// SQLite's page cache of each reader, in KiB. All caches together: 4 MiB.
pub const CACHE_READER_KIB: u32 = 1_024;
const _: () = assert!(CACHE_WRITER_KIB + CACHE_READER_KIB * READERS == 4_096);

/// What a connection takes beside its page cache: statements, parser, thread stack in use, lookaside.
pub const CONNECTION_BYTES: usize = 512 * 1_024;

/// Size above which the write-ahead log is emptied into the database and cut.
///
/// SQLite checkpoints by itself every 4 MiB unless a reader is in the way; then the log grows, and this cuts it.
pub const WAL_BYTES_MAX: u64 = 32 << 20;

/// Size to which SQLite itself cuts the log after a checkpoint.
pub const WAL_BYTES_KEPT: u64 = 8 << 20;
const _: () = assert!(WAL_BYTES_KEPT < WAL_BYTES_MAX);

/// Size of the database file at which writing fails as if the disk were full, unless configured.
pub const DATABASE_BYTES_MAX: u64 = 8 << 30;

/// Smallest such size that may be configured: room for the schema and a few thousand rows.
pub const DATABASE_BYTES_MIN: u64 = 1 << 20;

/// Percent of the greatest size of the file from which history gives way before its age.
pub const GIVE_WAY_PERCENT: u64 = 90;

/// Percent of the greatest size of the file below which no more history has to go.
pub const GIVE_WAY_TO_PERCENT: u64 = 80;
const _: () = assert!(GIVE_WAY_TO_PERCENT < GIVE_WAY_PERCENT && GIVE_WAY_PERCENT < 100);

/// History that gives way is kept for one in so many of its days and rows.
pub const SHED_SHARE: u32 = 4;

/// Pages that one step gives back to the file system: 1 MiB, some ten milliseconds in which nothing else is written.
pub const VACUUM_PAGES: u64 = 256;

/// Steps that one run gives pages back in at most: 8 GiB, the greatest size of a file unless configured.
pub const VACUUM_STEPS: u64 = 8_192;
const _: () = assert!(VACUUM_STEPS * VACUUM_PAGES * 4_096 >= DATABASE_BYTES_MAX);

/// Free pages that stay for the next rows whatever the size of the file: 1 MiB.
pub const FREE_PAGES_KEPT: u64 = 256;

/// One in so many of all pages may stay free as well: it would be asked for again within days.
pub const FREE_SHARE_KEPT: u64 = 16;

/// Processes that are named because they read the file.
pub const FOREIGN_READERS_MAX: usize = 8;

/// Bytes of the system's list of locks that are looked at: some 15,000 locks.
pub const LOCKS_BYTES_MAX: u64 = 1 << 20;

/// Rows a query returns unless asked otherwise.
pub const ROWS: u32 = 100;

/// Rows a query of a list returns at most; a cursor leads to the next.
///
/// As many as exchanges give at once. A page of this size takes some ten milliseconds at any age of the account; the driver
/// takes about ten microseconds a row, so that ten times as much would hold up whoever reads beside it.
pub const ROWS_MAX: u32 = 1_000;

/// Bytes one row takes at worst while it is read: the driver's copy and ours.
pub const ROW_BYTES: usize = 1_024;

/// Longest range of a detailed query.
pub const RANGE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Points a chart gets at most.
///
/// 10,000 × [`ROW_BYTES`] × [`READERS`] = 20 MB while two such queries run: no query takes more.
pub const POINTS_MAX: usize = 10_000;
const _: () = assert!(ROWS_MAX as usize <= POINTS_MAX && SLOTS_MAX as usize <= POINTS_MAX);

/// Longest range of a query of daily rows.
pub const DAYS_MAX: u64 = 365;

/// Figures of a sample whose least and greatest values survive the thinning out of a chart: see [`crate::SystemRow`].
pub const MEASURES_MAX: usize = 4;

/// Fewest points of a chart of samples: the least and the greatest of each figure.
pub const SYSTEM_POINTS_MIN: usize = 2 * MEASURES_MAX;

/// Rows read at a time while a longer range is thinned out.
pub const CHUNK_ROWS: u64 = 2_000;

/// Open orders that are loaded for one symbol at boot, the latest ones.
///
/// Exchanges allow 200 a symbol; the rest of the room is for orders whose end we never learned of.
pub const OPEN_ORDERS_MAX: u64 = 1_000;

/// Booked executions above the watermark that a start reads: twice what an engine keeps of them. 8 B each.
pub const RECENT_FILLS_MAX: u64 = 256;

/// Slots that are loaded for one symbol at boot.
///
/// A grid's slot ring has a few hundred places.
pub const SLOTS_MAX: u64 = 10_000;

/// Trading days that one call counts: some milliseconds each.
pub const COUNT_DAYS: u64 = 1_000;

/// Ids whose rows one query of the retention counts: a fraction of a second even from a cold disk.
pub const COUNT_IDS: i64 = 250_000;

/// Rows one step of the retention deletes from a table: a transaction of some ten milliseconds.
pub const RETENTION_ROWS: u64 = 1_000;

/// Steps one run of the retention takes at most; what is left goes an hour later.
pub const RETENTION_STEPS: usize = 200;

/// Backups that `plimsoll backup` keeps in its folder; the oldest go. A week of daily ones.
pub const BACKUPS_KEPT: usize = 7;

/// Backups made before migrations that are kept, apart from the others: nobody asked for them, and one is enough to go back.
pub const MIGRATION_BACKUPS_KEPT: usize = 3;

/// Databases that a restore replaced which are kept beside the one in use.
pub const REPLACED_KEPT: usize = 3;

/// Names of a folder that are looked at to find backups: far more than are kept.
pub const FOLDER_NAMES_MAX: usize = 10_000;
const _: () = assert!(BACKUPS_KEPT + MIGRATION_BACKUPS_KEPT + REPLACED_KEPT < FOLDER_NAMES_MAX);

/// Age beyond which a file that a backup left unfinished is removed: no backup takes that long.
pub const UNFINISHED_AGE: Duration = Duration::from_secs(24 * 3_600);

/// Rows that copying, checking and exporting hold at a time: 500 × [`ROW_BYTES`] = 500 KiB, with our copy twice that.
///
/// Times [`COPY_COLUMNS_MAX`] columns it stays below the 32,766 parameters that a statement of SQLite takes.
pub const COPY_ROWS: u64 = 500;

/// Columns of a table that can be copied.
pub const COPY_COLUMNS_MAX: usize = 60;
const _: () = assert!(COPY_ROWS as usize * COPY_COLUMNS_MAX < 32_766 && COLUMNS_MAX <= COPY_COLUMNS_MAX);

/// Tables that a database may have.
pub const TABLES_MAX: usize = 100;

/// Findings of a check that are kept and shown; the rest is counted. 200 × 500 B = 100 KB.
pub const FINDINGS_MAX: usize = 200;

/// Bytes of a finding's text that are kept.
pub const FINDING_TEXT_MAX: usize = 300;

/// Symbols of all accounts whose books a check compares: more than an exchange lists. 10,000 × 300 B = 3 MB.
pub const BOOKS_MAX: usize = 10_000;

/// Users, sessions and tokens that are read; whoever keeps them keeps fewer.
pub const LOGIN_ROWS_MAX: u64 = 256;

/// Changes of who may do what in one transaction: every session ends when a password changes.
pub const LOGIN_CHANGES_MAX: usize = 40;

/// Bytes of all texts of a user, a session or a token: ten hashed recovery codes and a password's hash, with room to spare.
pub const LOGIN_TEXT_MAX: usize = 1_280;

/// Bytes of each text of what was done through the API; what is longer is cut.
pub const AUDIT_TEXT_MAX: usize = 500;

/// Symbols of an account whose scales are read for a list: all that it has ever traded.
pub const SCALES_MAX: u64 = 2_000;
