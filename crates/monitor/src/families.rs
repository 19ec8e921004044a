//! Every family of metrics: its name, its kind, what it means. The names are an interface; the README lists them.

/// What kind of metric a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size, in seconds.
    Histogram,
}

/// A family of metrics: series that differ in their labels only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means, and in which unit.
    pub help: &'static str,
}

macro_rules! families {
    ($($ident:ident = $kind:ident $name:literal $labels:tt $help:literal;)*) => {
        $(pub(crate) const $ident: Family = Family { name: $name, kind: Kind::$kind, labels: &$labels, help: $help };)*

        /// Every family that is exported.
        pub const FAMILIES: &[Family] = &[$($ident),*];
    };
}

families! {
    BUILD_INFO = Gauge "plimsoll_build_info" ["version"] "always 1; the label tells the version";
    UPTIME = Gauge "plimsoll_uptime_seconds" [] "seconds since the first sample";

    PROCESS_RESIDENT = Gauge "plimsoll_process_resident_bytes" [] "memory of the process in RAM";
    PROCESS_ANONYMOUS = Gauge "plimsoll_process_anonymous_bytes" [] "memory of the process in RAM that belongs to no file";
    PROCESS_THREADS = Gauge "plimsoll_process_threads" [] "threads";
    PROCESS_FILES = Gauge "plimsoll_process_open_files" [] "open files and sockets";
    PROCESS_CPU = Counter "plimsoll_process_cpu_seconds_total" [] "processor time used, all threads, in whole seconds";
    PROCESS_LOAD = Gauge "plimsoll_process_cpu_load" [] "processors kept busy since the sample before: 1 is one of them";
    PROCESS_FILES_MAX = Gauge "plimsoll_process_open_files_limit" [] "open files and sockets at most";

    ALLOCATED = Gauge "plimsoll_allocator_allocated_bytes" [] "memory asked for and not given back";
    ACTIVE = Gauge "plimsoll_allocator_active_bytes" [] "pages with at least one allocation";
    RESIDENT = Gauge "plimsoll_allocator_resident_bytes" [] "pages of the allocator in RAM";
    MAPPED = Gauge "plimsoll_allocator_mapped_bytes" [] "address space of the allocator";
    RETAINED = Gauge "plimsoll_allocator_retained_bytes" [] "address space kept for later, without RAM";

    CGROUP_CURRENT = Gauge "plimsoll_cgroup_memory_bytes" [] "memory of the control group";
    CGROUP_LIMIT = Gauge "plimsoll_cgroup_memory_limit_bytes" [] "least memory limit of the control group and those around it";

    MACHINE_AVAILABLE = Gauge "plimsoll_machine_memory_available_bytes" [] "memory of the machine that can be had without swapping";

    RUNTIME_ALLOC = Gauge "plimsoll_runtime_alloc_bytes" [] "alloc_mb of the original: memory allocated and not given back";
    RUNTIME_HEAP_ALLOC = Gauge "plimsoll_runtime_heap_alloc_bytes" [] "heap_alloc_mb of the original: the same";
    RUNTIME_SYS = Gauge "plimsoll_runtime_sys_bytes" [] "sys_mb of the original: memory of the process in RAM";
    RUNTIME_HEAP_SYS = Gauge "plimsoll_runtime_heap_sys_bytes" [] "heap_sys_mb of the original: address space that the allocator has mapped";
    RUNTIME_HEAP_INUSE = Gauge "plimsoll_runtime_heap_inuse_bytes" [] "heap_inuse_mb of the original: pages with at least one allocation";
    RUNTIME_HEAP_IDLE = Gauge "plimsoll_runtime_heap_idle_bytes" [] "heap_idle_mb of the original: mapped and not in use";
    RUNTIME_GC = Counter "plimsoll_runtime_gc_total" [] "num_gc of the original: purges done";
    RUNTIME_NEXT_GC = Gauge "plimsoll_runtime_next_gc_bytes" [] "next_gc_mb of the original: resident size at which the next purge comes early";
    RUNTIME_GC_CPU = Gauge "plimsoll_runtime_gc_cpu_ratio" [] "gc_cpu_fraction of the original: the memory manager's share of the processor time used, 0 to 1";
    RUNTIME_GOROUTINES = Gauge "plimsoll_runtime_goroutines" [] "goroutines of the original: tasks that run";

    MEMORY_PURGES = Counter "plimsoll_memory_purges_total" [] "how often free pages were returned to the system";
    MEMORY_CLEANUPS = Counter "plimsoll_memory_cleanups_total" [] "how often what had expired was dropped";
    MEMORY_LIMIT = Gauge "plimsoll_memory_limit_bytes" [] "the tightest limit of memory: control group, rlimit or machine";
    MEMORY_USED = Gauge "plimsoll_memory_used_ratio" [] "how much of the tightest limit is used, 0 to 1";
    MEMORY_RUNG = Gauge "plimsoll_memory_pressure_rung" [] "0 calm, 1 views shed, 2 caches shed, 3 opening stopped, 4 leaving";
    MEMORY_STALL = Gauge "plimsoll_memory_stall_ratio" [] "share of the last 10 s in which some task waited for memory, 0 to 1";
    LEAK_SUSPECTED = Gauge "plimsoll_leak_suspected" ["culprit"] "1 while a container, the allocator or the outside is suspected of a leak";
    LEAK_SLOPE = Gauge "plimsoll_leak_slope_bytes_per_hour" [] "growth of anonymous memory in RAM";
    WATCHDOG_ALERTS = Counter "plimsoll_watchdog_alerts_total" ["rule"] "alerts of the watchdog";
    ALERTS = Counter "plimsoll_alerts_total" ["severity"] "alerts raised";
    CHANNEL_UP = Gauge "plimsoll_alert_channel_up" ["channel"] "1 while the last delivery of the channel worked, or none was tried";
    CHANNEL_SENT = Counter "plimsoll_alerts_sent_total" ["channel"] "messages that the channel delivered";
    CHANNEL_FAILED = Counter "plimsoll_alerts_failed_total" ["channel"] "attempts of the channel that failed";
    CHANNEL_DROPPED = Counter "plimsoll_alerts_dropped_total" ["channel"] "alerts that the channel gave up";
    CHANNEL_QUEUED = Gauge "plimsoll_alerts_queued" ["channel"] "alerts that wait for the channel";
    ALERTS_SUPPRESSED = Counter "plimsoll_alerts_suppressed_total" [] "alerts told together with others or not at all, because the same was told before";

    TASKS_LIVE = Gauge "plimsoll_tasks_live" [] "tasks that run";
    TASKS_OVERDUE = Gauge "plimsoll_tasks_overdue" [] "tasks that broke their promise to show that they live";
    TASKS_GROUP = Gauge "plimsoll_tasks_group_live" ["group"] "tasks of a group that run";
    TASKS_SPAWNED = Counter "plimsoll_tasks_spawned_total" [] "tasks started";
    TASKS_FINISHED = Counter "plimsoll_tasks_finished_total" [] "tasks that returned";
    TASKS_FAILED = Counter "plimsoll_tasks_failed_total" [] "tasks that returned an error";
    TASKS_PANICKED = Counter "plimsoll_tasks_panicked_total" [] "tasks that panicked";
    TASKS_CANCELLED = Counter "plimsoll_tasks_cancelled_total" [] "tasks that were aborted";
    TASKS_REFUSED = Counter "plimsoll_tasks_refused_total" [] "tasks that were not started";
    TASKS_RESTARTED = Counter "plimsoll_tasks_restarted_total" [] "tasks started again after they had failed";

    LEDGER_BUDGET = Gauge "plimsoll_ledger_budget_bytes" [] "the memory budget";
    LEDGER_TOTAL = Gauge "plimsoll_ledger_total_bytes" [] "bytes that all lines take at worst";
    LEDGER_USED = Gauge "plimsoll_ledger_used_bytes" [] "bytes that the items there now take at worst";
    LEDGER_LINES = Gauge "plimsoll_ledger_lines" ["line"] "containers of this kind";
    LEDGER_BYTES = Gauge "plimsoll_ledger_line_bytes" ["line"] "bytes that containers of this kind take at worst";
    LEDGER_CAPACITY = Gauge "plimsoll_ledger_line_capacity" ["line"] "items that containers of this kind can hold";
    LEDGER_LENGTH = Gauge "plimsoll_ledger_line_length" ["line"] "items that containers of this kind hold: for queues, how many wait";
    LEDGER_FILL = Gauge "plimsoll_ledger_fill_ratio_max" ["line"] "how full the fullest container of this kind is, 0 to 1";
    LEDGER_HIGH_WATER = Gauge "plimsoll_ledger_high_water_max" ["line"] "most items that one container of this kind ever held";
    LEDGER_OVERFLOW = Counter "plimsoll_ledger_overflow_total" ["line", "policy"] "how often a limit of this kind acted, in the way the policy says";
    LEDGER_WORST = Gauge "plimsoll_ledger_worst_ratio" ["line", "owner"] "the fullest container of each kind with its owner, 0 to 1";

    SYMBOL_TRADING = Gauge "plimsoll_symbol_trading" ["account", "symbol"] "1 while the symbol trades";
    SYMBOL_OPENING = Gauge "plimsoll_symbol_opening" ["account", "symbol"] "1 while nothing forbids to open";
    ORDERS_PLACED = Counter "plimsoll_orders_placed_total" ["account", "symbol"] "orders sent";
    ORDERS_CANCELED = Counter "plimsoll_orders_canceled_total" ["account", "symbol"] "cancels sent";
    ORDERS_REJECTED = Counter "plimsoll_orders_rejected_total" ["account", "symbol"] "orders that the exchange refused";
    ORDERS_OPEN = Gauge "plimsoll_orders_open" ["account", "symbol"] "orders at the exchange or on their way";
    ORDERS_FOREIGN = Gauge "plimsoll_orders_foreign" ["account", "symbol"] "open orders that are not ours";
    FILLS = Counter "plimsoll_fills_total" ["account", "symbol"] "executions booked since the start";
    SLOTS_CLEANED = Counter "plimsoll_slots_cleaned_total" ["account", "symbol"] "empty slots dropped by the cleanup";
    SLOTS_USED = Gauge "plimsoll_slots_used" ["account", "symbol"] "slots that hold something or have an order";
    HOLDING = Gauge "plimsoll_holding" ["account", "symbol"] "net position, in the base asset";
    PRICE_MID = Gauge "plimsoll_price_mid" ["account", "symbol"] "middle of best bid and ask, in the quote asset";
    PNL_REALIZED = Gauge "plimsoll_pnl_realized" ["account", "symbol"] "realised profit before fees, in the quote asset";
    PNL_UNREALIZED = Gauge "plimsoll_pnl_unrealized" ["account", "symbol"] "what closing at the mark would add, in the quote asset";
    PNL_FEES = Gauge "plimsoll_pnl_fees" ["account", "symbol"] "fees paid, in the quote asset";
    PNL_FUNDING = Gauge "plimsoll_pnl_funding" ["account", "symbol"] "funding received, in the quote asset";
    FEES_UNCONVERTED = Gauge "plimsoll_fees_unconverted" ["account", "symbol"] "executions whose fee, paid in another asset, waits for its rate and is in no sum yet";
    PNL_NET = Gauge "plimsoll_pnl_net" ["account", "symbol"] "realised and unrealised profit after fees and funding, in the quote asset";
    LOCKED = Gauge "plimsoll_symbol_locked" ["account", "symbol"] "1 while a rule of the symbol forbids to open";
    DRIFT = Gauge "plimsoll_position_drift" ["account", "symbol"] "what the exchange holds beyond our books, at the last comparison, in the quote asset at the middle price";
    HEALED = Gauge "plimsoll_position_healed_seconds" ["account", "symbol"] "how long the last divergence from the exchange took to end";
    TAKEN_OVER = Counter "plimsoll_positions_taken_over_total" ["account", "symbol"] "how often the exchange's position replaced ours";
    FILLS_LATE = Counter "plimsoll_fills_late_total" ["account", "symbol"] "executions booked after one with a higher trade id";
    INVARIANTS = Counter "plimsoll_invariants_broken_total" ["account", "symbol"] "looks at the books that found something that must never be";
    RECORDS_REFUSED = Counter "plimsoll_records_refused_total" ["account", "symbol"] "records that storage had no room for";
    DECISION = Histogram "plimsoll_decision_seconds" [] "time from taking an event to its actions";
    EVENT_AGE = Histogram "plimsoll_event_age_seconds" [] "age of market data when it is decided upon, by the exchange's clock";

    EQUITY = Gauge "plimsoll_equity" ["account"] "wallet and unrealised profit, in the quote asset";
    WALLET = Gauge "plimsoll_wallet" ["account"] "deposits, realised profit, fees and funding together, in the quote asset";
    DRAWDOWN = Gauge "plimsoll_drawdown_ratio" ["account"] "fall of the equity from its peak that counts, 0 to 1";
    TIER = Gauge "plimsoll_drawdown_tier" ["account"] "rung of the drawdown ladder: 0 green, 1 yellow, 2 orange, 3 red";
    STOPPED = Gauge "plimsoll_account_stopped" ["account"] "1 while a rule of the account forbids all its symbols to open";
    EQUITY_DRIFT = Gauge "plimsoll_equity_drift" ["account"] "what the wallet gained beyond what our books say, in the quote asset";
    ABNORMAL = Gauge "plimsoll_risk_monitor_abnormal" ["account"] "watched symbols that fall with unusual volume";
    COUNTDOWNS_FAILED = Counter "plimsoll_countdowns_failed_total" ["account"] "times that the exchange's dead man's switch could not be told";
    REQUEST = Histogram "plimsoll_request_seconds" ["account"] "time from sending a request to its answer";
    FEED_UP = Gauge "plimsoll_feed_up" ["account", "feed"] "1 while the feed delivers";
    RECONNECTS = Counter "plimsoll_feed_reconnects_total" ["account", "feed"] "how often a feed came back after it was gone";
    FEED_AGE = Gauge "plimsoll_feed_age_seconds" ["account", "feed"] "how long the feed has been silent";
    BOOK_MISMATCHES = Counter "plimsoll_book_mismatches_total" ["account"] "how often a book's top and the exchange's own best prices differed";
    REQUESTS = Counter "plimsoll_requests_total" ["account"] "requests sent to the exchange";
    REQUESTS_FAILED = Counter "plimsoll_requests_failed_total" ["account"] "requests without an answer";
    RATE_LIMITED = Counter "plimsoll_rate_limited_total" ["account"] "answers of the exchange that we asked too much";
    FILLS_UNATTRIBUTED = Counter "plimsoll_fills_unattributed_total" ["account"] "executions booked without knowing whose order it was";
    CONNECTS = Counter "plimsoll_connects_total" ["account"] "connections to the exchange opened";
    RATE_USED = Gauge "plimsoll_rate_used_ratio" ["account", "limit"] "how much of an exchange's rate limit is used, 0 to 1";
    FRAMES_BAD = Counter "plimsoll_frames_malformed_total" ["account"] "frames that could not be read and were dropped";
    GAPS = Counter "plimsoll_feed_gaps_total" ["account", "feed"] "how often data of a feed was lost";

    STORED = Counter "plimsoll_storage_records_total" [] "records committed";
    STORE_BATCHES = Counter "plimsoll_storage_batches_total" [] "batches of records committed";
    STORE_FAILURES = Counter "plimsoll_storage_failures_total" [] "commits of records that failed";
    STORE_WAITING = Gauge "plimsoll_storage_records_waiting" [] "records that wait to be committed";
    STORE_OLDEST = Gauge "plimsoll_storage_oldest_seconds" [] "how long the oldest record waits to be committed";
    STORE_COMMIT = Gauge "plimsoll_storage_commit_seconds" [] "how long the last commit of records took";
    STORE_FAILING = Gauge "plimsoll_storage_failing" [] "1 while commits of records fail";
    STORE_FULL = Gauge "plimsoll_storage_records_full" [] "1 while records have no room and nothing may be opened";
    STORE_DROPPED = Counter "plimsoll_storage_history_dropped_total" [] "equity points and events lost";
    STORE_BYTES = Gauge "plimsoll_storage_database_bytes" [] "size of the database on the disk";

    LOG_WRITTEN = Counter "plimsoll_log_lines_total" ["sink"] "lines of the log that terminal, files, store and live viewers took";
    LOG_DROPPED = Counter "plimsoll_log_lines_dropped_total" ["sink"] "lines of the log that they lost, because they were too slow or failed";
    LOG_REPEATED = Counter "plimsoll_log_lines_repeated_total" [] "lines of the log that became part of one with their count";
    LOG_LIMITED = Counter "plimsoll_log_lines_limited_total" [] "lines of the log left out because there were too many a second";
    LOG_VIEWERS = Gauge "plimsoll_log_viewers" [] "who follows the log";
    LOG_REPLACED = Counter "plimsoll_log_viewers_replaced_total" [] "who followed the log and had to leave for a newer one";
    LOG_BYTES = Gauge "plimsoll_log_file_bytes" [] "size of all log files";
    LOG_FAILURES = Counter "plimsoll_log_file_failures_total" [] "attempts to write log files that failed";

    JOURNAL_SEGMENTS = Counter "plimsoll_journal_segments_total" [] "segments of the journal begun";
    JOURNAL_BYTES = Counter "plimsoll_journal_bytes_total" [] "bytes of the journal written";
    JOURNAL_GAPS = Counter "plimsoll_journal_gaps_total" [] "gaps in the journal: what an engine was told was not recorded for a while";
    JOURNAL_FAILURES = Counter "plimsoll_journal_failures_total" [] "writes of the journal that failed";
    JOURNAL_KEPT = Gauge "plimsoll_journal_kept_bytes" [] "size of the closed segments when the last one was begun";

    POOL_CONNECTIONS = Gauge "plimsoll_pool_connections" ["state"] "connections to the database, in use and idle";
    POOL_MAX = Gauge "plimsoll_pool_connections_max" [] "connections to the database at most";
    POOL_WAITING = Gauge "plimsoll_pool_waiting" [] "who waits for a connection to the database";
    POOL_ACQUIRES = Counter "plimsoll_pool_acquires_total" [] "connections to the database taken";
    POOL_WAITED = Gauge "plimsoll_pool_wait_seconds_max" [] "the longest that anybody waited for a connection since the start";
    POOL_HELD = Gauge "plimsoll_pool_held_too_long" [] "connections to the database held for longer than any query may take";
    POOL_HEALTHY = Gauge "plimsoll_pool_healthy" [] "1 while the last health check of the database worked";
    DISK_FREE = Gauge "plimsoll_disk_free_bytes" [] "free space where the database lies";

    DROPPED = Counter "plimsoll_metrics_dropped_total" [] "latencies and series left out because of limits";
}

/// Upper bounds of the buckets for decisions, in seconds: from the hot path's target to what no decision may take.
pub(crate) const DECISION_BUCKETS: [f64; 14] = [1e-7, 2e-7, 3e-7, 5e-7, 8e-7, 1.5e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 1e-2, 1e-1];

/// Upper bounds of the buckets for requests and ages, in seconds: from a loopback to a time-out.
pub(crate) const NETWORK_BUCKETS: [f64; 14] = [2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1, 5e-1, 1.0, 3.0, 10.0];
