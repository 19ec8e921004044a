//! The limits of the process as a whole, each with its reason.

use plimsoll_position::limits::WORKING_MAX;

/// Commands, leases and answers of storage that may wait for one symbol.
///
/// A lease every ten seconds, an answer a commit, and an operator's haste.
pub const CONTROL_LANE: usize = 64;

/// Events of the account that may wait for one symbol.
///
/// Every working order acknowledged, filled in a few parts and cancelled at once; beyond it the symbol is resynced.
pub const ACCOUNT_LANE: usize = 512;
const _: () = assert!(ACCOUNT_LANE >= 4 * WORKING_MAX);

/// Market events that may wait for one symbol; a burst of trades. Tops are conflated when they are taken.
pub const MARKET_LANE: usize = 512;

/// Events a loop takes before it looks at its other lanes again.
pub const EVENTS_PER_TURN: usize = 64;

/// Requests that may wait for the keeper of state: a commit and a load for every symbol.
pub const KEEPER_LANE: usize = 2 * plimsoll_engine::limits::SYMBOLS_MAX;

/// Events of the account as a whole that may wait.
pub const EQUITY_LANE: usize = 1_024;

/// Tasks of the trading runtime beside the symbols: gateway, account.
pub const TRADING_TASKS: usize = 8;

/// Tasks of the edge runtime: storage, keeper, watchers, sampler, screen, web, local exchange.
pub const EDGE_TASKS: usize = 64;

/// Of these, what lives from start to stop beside workers, channels, connections and the local exchange.
pub const EDGE_TASKS_FIXED: usize = 16;

/// Tasks that follow a real market: books, tape, snapshots.
pub const PAPER_TASKS: usize = 3;

/// Messages of a followed market that may wait for the exchange inside the process: a tenth of a second of a wild one. What finds no
/// room is made good by a snapshot.
pub const PAPER_LINES: usize = 128;

/// Bytes of such a message; a snapshot of 500 levels a side takes 35 KB.
pub const PAPER_LINE_BYTES: usize = 64 << 10;

/// Tasks of the local exchange: its engine, its servers, and two connections each of which has a task.
pub const TESTNET_TASKS: usize = 16;

/// Workers for what must not be done on the trading path or by a watcher: profiles.
pub const WORKERS: usize = 10;

/// Jobs that may wait for the workers.
pub const WORKER_JOBS: usize = 32;

/// Bytes of a job.
pub const WORKER_JOB_BYTES: usize = 512;

/// Bytes of a chunk of the journal: one frame.
pub const JOURNAL_CHUNK_BYTES: usize = plimsoll_journal::limits::FRAME_MAX;

/// Buffers of a symbol's journal: one is filled while the other is written. 96 KiB a symbol.
pub const JOURNAL_BUFFERS: usize = 2;

/// The least that a segment is cut down to when many symbols share `journal.keep`.
pub const JOURNAL_SEGMENT_MIN: u64 = 128 << 10;

/// What a segment may be longer than planned: a chunk, and what one event causes at most.
pub const JOURNAL_EXCESS: u64 = 256 << 10;

/// What `journal.keep` must hold for each symbol: its open segment, and one that is closed.
pub const JOURNAL_SYMBOL_MIN: u64 = 512 << 10;
const _: () = assert!(JOURNAL_SYMBOL_MIN >= 2 * JOURNAL_SEGMENT_MIN + JOURNAL_EXCESS);

/// Files that the journal's folder keeps at most, however small they are.
pub const JOURNAL_FILES_MAX: usize = 8_192;
const _: () = assert!(JOURNAL_FILES_MAX > 2 * plimsoll_engine::limits::SYMBOLS_MAX);

/// Bytes that a task's future may have.
pub const FUTURE_BYTES: usize = 8 * 1024;

/// Places for orders that the gateway must have before a market event is taken: all that it could cause.
pub const ORDERS_ROOM: usize = WORKING_MAX;

/// Names of the data folder that are looked at to find out what it takes; the journal's alone may be [`JOURNAL_FILES_MAX`].
///
/// A million a minute would keep a processor busy; so many take a fraction of a second.
pub const DISK_NAMES_MAX: usize = 50_000;
const _: () = assert!(DISK_NAMES_MAX > 2 * JOURNAL_FILES_MAX);

/// How deep the folders of the data folder are looked into; ours are two deep. One open folder each.
pub const DISK_DEPTH_MAX: usize = 8;

/// Lists of candles that are kept for charts, each for a symbol and a length. 16 × 330 KB = 5 MB.
pub const CANDLES_CACHED: usize = 16;

/// Pause between two questions for candles: with a weight of five each, a quarter of what an address may ask in a minute at worst.
pub const CANDLES_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Percent of the exchange's request weight from which on no candles are asked for: the rest is for orders and comparisons.
pub const CANDLES_WEIGHT_PERCENT: u64 = 50;

/// How long the exchange may take to tell candles.
pub const CANDLES_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(6);
