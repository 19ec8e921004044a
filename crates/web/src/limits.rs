//! The limits of this crate: what each bounds, why it has this value, what it costs at worst.

use core::time::Duration;

/// Connections served at once when the configuration does not say; one beyond it is told 503 and closed.
///
/// A dashboard opens at most 7 (six of HTTP, one live); Prometheus, `ctl` and a few readers more. Each costs at worst
/// [`CONNECTION_BYTES`] and its future: 64 × 107 KiB = 7 MiB.
pub const CONNECTIONS_DEFAULT: usize = 64;

/// Most connections that may be configured.
pub const CONNECTIONS_MAX: usize = 1_024;

/// Bytes an HTTP connection takes at worst: hyper's read buffer, its write buffer, the socket's task.
///
/// Bodies larger than this are streamed in [`CHUNK_BYTES`] and counted in the line of history pages instead.
pub const CONNECTION_BYTES: usize = READ_BUFFER_BYTES + 2 * CHUNK_BYTES + PAGE_SMALL * ROW_BYTES;

/// Bytes of request head that are read before the answer is 431: every head we understand fits in a quarter of it.
pub const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Pieces in which a large body is handed to the socket.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Headers in one request.
pub const HEADERS_MAX: usize = 64;

/// Bytes of a request's body. Commands need none; a short JSON object is put up with.
pub const BODY_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a request that brings a configuration: a hundred symbols with all their keys. Read one at a time, in the turn of pages.
pub const CONFIG_BODY_MAX: usize = 256 * 1024;

/// Rows that a configuration counts as while it is read, compared and sent: several times its text.
pub const CONFIG_ROWS: usize = 8 * CONFIG_BODY_MAX / ROW_BYTES;
const _: () = assert!(CONFIG_ROWS <= PAGE_MAX);

/// Live subscribers when the configuration does not say; when a further one comes, the oldest leaves.
///
/// A desk has a handful of open dashboards. Each costs at worst [`SUBSCRIBER_BYTES`]: 24 × 236 KiB = 6 MiB.
pub const SUBSCRIBERS_DEFAULT: usize = 16;

/// Most live subscribers that may be configured.
pub const SUBSCRIBERS_MAX: usize = 100;
const _: () = assert!(SUBSCRIBERS_MAX <= plimsoll_bounded::SUBSCRIBERS_MAX);
const _: () = assert!(SUBSCRIBERS_DEFAULT < CONNECTIONS_DEFAULT);

/// Bytes a live subscriber takes at worst: its write buffer, its read buffer and the snapshot of the symbols it watches.
pub const SUBSCRIBER_BYTES: usize = WRITE_BUFFER_BYTES + CLIENT_MESSAGE_BYTES * 2 + SNAPSHOT_BYTES_MAX;

/// Bytes of a message from a live subscriber; all it can say is which symbols it watches.
pub const CLIENT_MESSAGE_BYTES: usize = 4 * 1024;

/// Messages a live subscriber may send in ten seconds; one that sends more is let go.
pub const CLIENT_MESSAGES_PER_10S: u32 = 40;

/// Bytes buffered toward a live subscriber's socket.
pub const WRITE_BUFFER_BYTES: usize = 128 * 1024;
const _: () = assert!(WRITE_BUFFER_BYTES >= FRAME_BYTES_MAX);

/// Symbols one live subscriber may watch in detail.
///
/// The dashboard shows one at a time and compares a few; summaries of all symbols come anyway.
pub const WATCH_MAX: usize = 4;

/// Symbols that all subscribers together may watch.
pub const WATCHED_MAX: usize = SUBSCRIBERS_MAX * WATCH_MAX;

/// Bytes of one live frame: [`SYMBOLS_PER_FRAME`] summaries of 1 KiB, or the detail of one symbol (64 orders of 256 B,
/// [`LIVE_SLOTS_MAX`] slots of 192 B, [`FILLS_RECENT`] fills of 384 B).
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(64 * 256 + LIVE_SLOTS_MAX * 192 + FILLS_RECENT * 384 <= FRAME_BYTES_MAX);
const _: () = assert!(SYMBOLS_PER_FRAME * 1_024 < FRAME_BYTES_MAX);

/// Bytes of the detail frame that opens a watch: a live frame and the price history.
pub const SNAPSHOT_BYTES_MAX: usize = FRAME_BYTES_MAX + HISTORY_POINTS_MAX * 40;

/// Summaries in one live frame; more symbols come as several frames.
pub const SYMBOLS_PER_FRAME: usize = 48;

/// Live frames kept for each subscriber that is behind; one further behind loses frames and is told how many.
///
/// Four frames a second and symbol watched, and four pulses: eight seconds behind with one symbol. Frames are shared: what
/// is kept are the latest 64 and one in the hands of each subscriber, 80 × 64 KiB = 5 MiB at worst by default.
pub const FRAMES_KEPT: usize = 64;

/// Bytes of a frame that each place in a subscriber's queue answers for, so that all places together cover the frames.
pub const fn frame_share(subscribers: usize) -> usize {
    (FRAME_BYTES_MAX * (FRAMES_KEPT + subscribers)).div_ceil(FRAMES_KEPT * subscribers)
}

/// Tasks of subscribers that were replaced and are saying good-bye while their successors begin.
pub const SUBSCRIBERS_LEAVING: usize = 8;

/// Bytes of the future that serves an HTTP connection.
pub const CONNECTION_FUTURE_BYTES: usize = 8 * 1024;

/// Bytes of the future that serves a live subscriber.
pub const SUBSCRIBER_FUTURE_BYTES: usize = 8 * 1024;

/// Time a subscriber's upgrade may take from the answer 101 to an open socket.
pub const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two log lines about refused tokens; each carries how many there were.
pub const REFUSALS_LOGGED_EVERY: Duration = Duration::from_secs(10);

/// Time between two live frames of a symbol at least: four a second is what an eye follows.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// Symbols up to which summaries go out with every frame; with more they go out once a second.
pub const SYMBOLS_LIVELY: usize = 32;

/// Symbols the web server can show.
pub const SYMBOLS_MAX: usize = 1_000;

/// Slots of one symbol in a live frame, those nearest to the price. `/api/symbols/{id}/slots` has them all.
pub const LIVE_SLOTS_MAX: usize = 96;

/// Latest fills of a symbol that are kept for the live view.
pub const FILLS_RECENT: usize = 50;

/// Price samples kept for all symbols together, one a second and symbol: an hour of two symbols, a minute of 120.
///
/// 24 B each: 7,200 × 24 B = 170 KiB.
pub const SAMPLES_MAX: usize = 7_200;

/// Price points sent with the detail of a symbol; more are thinned out keeping extremes.
pub const HISTORY_POINTS_MAX: usize = 900;

/// Time between two price samples of a symbol.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
const _: () = assert!(SAMPLE_INTERVAL.as_millis().is_multiple_of(FRAME_INTERVAL.as_millis()));

/// Rows of a page when the request does not say.
pub const PAGE_DEFAULT: usize = 100;

/// Most rows of a list; a larger `limit` is refused, and a cursor leads to the next. As many as exchanges give at once.
pub const LIST_MAX: usize = 1_000;

/// Most rows, points and the like of any answer. 10,000 × [`ROW_BYTES`] = 10 MB while it is made and sent.
pub const PAGE_MAX: usize = 10_000;
const _: () = assert!(LIST_MAX <= PAGE_MAX && POINTS_MAX <= PAGE_MAX);

/// Bytes a row takes at worst: a dozen short texts as a value, and the same as JSON.
pub const ROW_BYTES: usize = 1_024;

/// Rows up to which a page needs no turn; its bytes are the connection's.
pub const PAGE_SMALL: usize = 50;

/// Larger pages that are made or sent at the same time; a further request waits its turn within its timeout.
pub const PAGES_AT_ONCE: usize = 1;

/// Points of an equity line when the request does not say. A point takes a tenth of a row.
pub const POINTS_DEFAULT: usize = 500;

/// Most points of an equity line.
pub const POINTS_MAX: usize = 10_000;

/// Longest range of an equity line: daily points go back a year.
pub const RANGE_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Range of an equity line when the request does not say.
pub const RANGE_DEFAULT: Duration = Duration::from_secs(24 * 3_600);

/// Time a request may take, its answer's head included; then the answer is 504.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time a client may take to send a request's head, and a connection may rest between two requests.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Time after which a connection is asked to end; clients connect again without noticing. Bounds what a slow reader holds.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(300);

/// Time a client may leave an answer lying without taking a byte of it; then the connection is cut.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(15);
const _: () = assert!(STALL_TIMEOUT.as_secs() > SEND_TIMEOUT.as_secs());

/// Time a connection has to end once asked: at its end of life and when the server stops.
pub const CONNECTION_GRACE: Duration = Duration::from_secs(3);

/// Time after which a connection's task that still lives is stuck: its life, its end, and as much again for a busy machine.
pub const CONNECTION_SILENCE_MAX: Duration = Duration::from_secs(2 * (CONNECTION_LIFE.as_secs() + CONNECTION_GRACE.as_secs()));

/// Time a live subscriber may take to accept a frame before it is let go.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two pings to a live subscriber; one that answers none between two is let go.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Time after which a live subscriber's task that showed no sign of life is stuck.
///
/// It wakes at least once a ping; a greeting may have many frames, each of which may take nearly [`SEND_TIMEOUT`].
pub const LIVE_SILENCE_MAX: Duration = Duration::from_secs(300);
const _: () = assert!(LIVE_SILENCE_MAX.as_secs() > PING_INTERVAL.as_secs() + 10 * SEND_TIMEOUT.as_secs());

/// Pause after the operating system refused to accept a connection (no file descriptors left).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Host names that the configuration may add to the loopback ones.
pub const HOSTS_MAX: usize = 16;

/// Lines of the log when the request does not say.
pub const LOGS_DEFAULT: usize = 100;

/// Most lines of the log in one answer.
pub const LOGS_MAX: usize = 1_000;

/// Rows of [`ROW_BYTES`] that a line of the log stands for: a text of 4 KiB as a value, and twice that as JSON at worst, because
/// only quotes and backslashes are escaped in it.
pub const LOG_ROWS: usize = 9;
const _: () = assert!(LOGS_MAX * LOG_ROWS <= PAGE_MAX && LOG_ROWS * ROW_BYTES >= 4_096 + 4_096 / 2 * 2);

/// Longest range of lines of the log, and the range when the request does not say.
pub const LOGS_RANGE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Bytes of a text that is sought in the log.
pub const LOGS_CONTAINS_MAX: usize = 200;

/// Live viewers of the log; when a further one comes, the oldest leaves.
///
/// As many as the log itself serves. Each costs at worst [`LOG_VIEWER_BYTES`] and its future: 108 × 44 KiB = 4.7 MB.
pub const LOG_VIEWERS_MAX: usize = 100;

/// Bytes buffered toward a live viewer's socket: three lines at worst.
pub const LOG_WRITE_BUFFER_BYTES: usize = 28 * 1024;
const _: () = assert!(LOG_WRITE_BUFFER_BYTES >= 3 * LOG_ROWS * ROW_BYTES);

/// Bytes a live viewer of the log takes at worst: what is buffered toward it and from it, and the line in its hands.
pub const LOG_VIEWER_BYTES: usize = LOG_WRITE_BUFFER_BYTES + CLIENT_MESSAGE_BYTES * 2 + 4 * 1024;

/// Bytes of the future that serves a live viewer of the log.
pub const LOG_VIEWER_FUTURE_BYTES: usize = 4 * 1024;

/// Longest range of samples of the process.
pub const SAMPLES_RANGE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Fewest points of a chart of samples: the least and the greatest of each of its four figures.
pub const SYSTEM_POINTS_MIN: usize = 8;

/// Longest range of days of the process.
pub const DAYS_MAX: u32 = 365;

/// Days of the process when the request does not say: as many as are kept by default.
pub const DAYS_DEFAULT: u32 = 90;
const _: () = assert!(DAYS_DEFAULT <= DAYS_MAX && (DAYS_MAX as usize) < PAGE_MAX);

/// Tasks that are listed; of more, those that need attention are.
///
/// Loops of [`SYMBOLS_MAX`] symbols and the connections of a busy day. 2,000 × [`ROW_BYTES`] = 2 MB of a large page.
pub const TASKS_MAX: usize = 2_000;
const _: () = assert!(TASKS_MAX <= PAGE_MAX);

/// Holders of connections to the database that are listed; there are three connections.
pub const HOLDERS_MAX: usize = 16;

/// Alert channels that are listed; nine kinds exist.
pub const CHANNELS_MAX: usize = 32;
const _: () = assert!(CHANNELS_MAX + HOLDERS_MAX <= PAGE_SMALL);

/// Suspects of a leak that are told.
pub const SUSPECTS_MAX: usize = 8;

/// Characters of a suspect's name that are told. All together: 1 KiB of a frame.
pub const SUSPECT_CHARS: usize = 128;

/// Bytes of a profile that are sent; one that is larger is refused. One at a time, and its line is planned only where
/// profiles are enabled.
pub const PROFILE_BYTES_MAX: usize = 8 << 20;

/// Seconds that a profile of the processor may cover.
pub const PROFILE_SECONDS: core::ops::RangeInclusive<u64> = 1..=60;

/// Seconds that a profile of the processor covers when the request does not say.
pub const PROFILE_SECONDS_DEFAULT: u64 = 10;

/// Time a request for a profile may take: the longest profile, and as long again and more to look up names.
pub const PROFILE_TIMEOUT: Duration = Duration::from_secs(150);
const _: () = assert!(PROFILE_TIMEOUT.as_secs() > 2 * *PROFILE_SECONDS.end());
const _: () = assert!(PROFILE_TIMEOUT.as_secs() < CONNECTION_LIFE.as_secs());

/// Sessions at once; when a further one begins, the one that was unused longest ends.
///
/// One owner with a few browsers. 32 × 1.5 KB = 50 KB.
pub const SESSIONS_MAX: usize = 32;

/// Tokens for programs; a further one is refused. 64 × 1.5 KB = 100 KB.
pub const TOKENS_MAX: usize = 64;

/// Time after which a session that is not used ends: an owner who looks once a day stays logged in.
pub const SESSION_IDLE: Duration = Duration::from_secs(36 * 3_600);

/// Time after which every session ends.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 86_400);
const _: () = assert!(SESSION_IDLE.as_secs() < SESSION_LIFE.as_secs());

/// Changes of logins in one transaction: a new session with the two that it may displace, or a part of all of them.
pub const LOGIN_CHANGES_MAX: usize = 40;
const _: () = assert!(LOGIN_CHANGES_MAX > SESSIONS_MAX);

/// Days that a token may be in force: ten years.
pub const TOKEN_DAYS_MAX: u64 = 3_650;

/// Characters of a token's name.
pub const TOKEN_NAME_CHARS: usize = 40;

/// Characters that are kept of what a browser calls itself.
pub const AGENT_CHARS: usize = 120;

/// Recovery codes, each good for one login without the phone.
pub const RECOVERY_CODES: usize = 10;

/// Time in which one-time codes that were begun must be confirmed.
pub const PENDING_FOR: Duration = Duration::from_secs(600);

/// Fewest characters of a password.
pub const PASSWORD_MIN: usize = 10;

/// Most characters of a password: none is longer, and each costs time to hash. With 4 bytes each it fits a body.
pub const PASSWORD_MAX: usize = 256;
const _: () = assert!(2 * 4 * PASSWORD_MAX < BODY_BYTES_MAX);

/// Bytes that hashing a password takes: argon2id with 19 MiB, as OWASP recommends, one at a time.
pub const HASH_BYTES: usize = 20 << 20;

/// Time that hashing a password may take, the workers' other jobs included.
pub const HASH_TIMEOUT: Duration = Duration::from_secs(8);
const _: () = assert!(HASH_TIMEOUT.as_secs() < REQUEST_TIMEOUT.as_secs());

/// Addresses whose failed logins are remembered; of more, those who need not wait any more are forgotten. 1,024 × 48 B = 50 KB.
pub const ADDRESSES_MAX: usize = 1_024;

/// Failed logins in a row after which an address waits: a second, then two, four and so on.
pub const STRIKES_FREE: u32 = 3;

/// Failed logins in a row after which an address is locked for [`LOCKED_FOR`].
pub const LOCK_AFTER: u32 = 11;

/// How long an address is locked.
pub const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// Time without a failed login after which an address begins anew.
pub const STRIKES_FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
const _: () = assert!(STRIKES_FORGOTTEN_AFTER.as_secs() > LOCKED_FOR.as_secs());

/// Failed logins of all addresses together, beyond which everybody but this machine waits: two seconds, then four and so on.
pub const OVERALL_FREE: u32 = 30;

/// Time in which one failed login is forgotten in that count.
pub const OVERALL_LEAK: Duration = Duration::from_secs(10);

/// Longest time that everybody waits: the owner gets in, and nobody guesses more than 1,440 passwords a day.
pub const OVERALL_WAIT_MAX: Duration = Duration::from_secs(60);

/// Time between two looks for sessions that have ended; then it is stored, too, when those that go on were last seen.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// How far what is stored of when somebody was last seen may lag behind.
pub const STORED_EVERY: Duration = Duration::from_secs(600);

/// Time after which a sweep that has shown no sign of life is stuck.
pub const SWEEP_SILENCE_MAX: Duration = Duration::from_secs(300);
const _: () = assert!(SWEEP_SILENCE_MAX.as_secs() > SWEEP_INTERVAL.as_secs() + 4 * VAULT_WAIT.as_secs());

/// Longest time that a request waits for a change of logins to be stored.
pub const VAULT_WAIT: Duration = Duration::from_secs(5);
const _: () = assert!(VAULT_WAIT.as_secs() < REQUEST_TIMEOUT.as_secs());

/// Longest time that an answer waits until what was done is written down: a disk that hangs does not keep a command's answer.
pub const AUDIT_WAIT: Duration = Duration::from_secs(2);

/// Time between two looks whether the login of a live subscriber still stands. It wakes at least once a [`PING_INTERVAL`].
pub const PASS_LOOKED_EVERY: Duration = Duration::from_secs(5);

/// Time that a client may take to agree on TLS.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that TLS takes of a connection beside the connection itself: two records of 16 KiB, keys and state.
pub const TLS_BYTES: usize = 40 * 1024;

/// Symbols of which a preview says a sentence each; of the rest it says how many.
pub const PREVIEW_SENTENCES: usize = 20;

/// Keys that count from a restart on which its preview names; of the rest it says how many.
pub const PREVIEW_KEYS: usize = 12;

/// Candles when the request does not say.
pub const CANDLES_DEFAULT: usize = 500;

/// Most candles of an answer: what exchanges give at once. A candle is a fifth of a row.
pub const CANDLES_MAX: usize = 1_000;
const _: () = assert!(CANDLES_DEFAULT <= CANDLES_MAX && CANDLES_MAX / 5 <= PAGE_MAX);

/// Over how long it is told what a strategy has earned.
pub const EARNED_FOR: Duration = Duration::from_secs(30 * 86_400);
