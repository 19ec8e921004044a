//! The limits of monitoring: what each bounds, why it has this value, what it costs at worst.

/// Symbols that get series of their own.
///
/// One process holds hundreds; each costs about 25 series. Symbols are configured, so their names may be labels.
pub const SYMBOLS_MAX: usize = 600;

/// Accounts that get series of their own.
pub const ACCOUNTS_MAX: usize = 32;

/// Line templates of the ledger that get series of their own: kinds of containers, not containers.
///
/// Some 30 a symbol, as many for the process, and room to double.
pub const TEMPLATES_MAX: usize = 128;

/// Groups of tasks that get a series of their own.
pub const GROUPS_MAX: usize = 32;

/// Series in all at most, with their buckets: what `render` has to write.
pub const SERIES_MAX: usize =
    SYMBOLS_MAX * SYMBOL_SERIES + ACCOUNTS_MAX * ACCOUNT_SERIES + TEMPLATES_MAX * TEMPLATE_SERIES + GROUPS_MAX + PROCESS_SERIES;

/// Series of one symbol: counters and gauges.
pub const SYMBOL_SERIES: usize = 27;

/// Series of one account, with its feeds and its latency histogram.
pub const ACCOUNT_SERIES: usize = 78;

/// Series of one line template, its suspicion of a leak and its fullest container included.
pub const TEMPLATE_SERIES: usize = 9;

/// Series of the process as a whole, with two histograms.
pub const PROCESS_SERIES: usize = 200;

/// Bytes a series takes at worst: its key with labels, its value, its places in two hash tables.
///
/// Measured by others at 227 bytes each with one label; ours have two.
pub const SERIES_BYTES: usize = 512;

/// Latencies that wait for the next upkeep; further ones are dropped and counted.
///
/// The exporter keeps samples one by one until then. 65,536 × 16 B = 1 MiB, which is 13,000 a second at a sample each 5 s.
pub const LATENCIES_PENDING_MAX: usize = 65_536;

/// Bytes a pending latency takes: its value, and its share of the block it lies in.
pub const LATENCY_BYTES: usize = 16;

/// Samples of the process that are kept, unless the grant says otherwise: an hour of one each 5 s.
///
/// 720 × 320 B = 230 KB.
pub const SAMPLES: usize = 720;

/// Depth of control groups that is walked up in search of a limit.
pub const CGROUP_DEPTH_MAX: usize = 16;

/// Samples that the watchdog remembers for growth: its window at one each 5 s, and room.
pub const WATCH_SAMPLES_MAX: usize = 128;

/// Things that the watchdog remembers having spoken of.
pub const COOL_DOWNS_MAX: usize = 512;

/// Findings of one look of the watchdog; further ones are said at the next.
pub const FINDINGS_MAX: usize = 16;

/// Alert channels that get series of their own.
pub const CHANNELS_MAX: usize = 32;
