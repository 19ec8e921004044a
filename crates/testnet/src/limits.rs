//! The limits of the local exchange, each with its reason.

use core::time::Duration;

/// Stream connections that may be open at a time, unless configured lower.
///
/// ccxt opens two to six, the exchange's own SDK three, our gateway three: room for several bots. Each costs at worst
/// `OUTBOX_BYTES` and its table of streams, 0.8 MiB; what is not used is not touched. The topics' masks have 64 bits.
pub const CONNECTIONS_MAX: usize = 32;
const _: () = assert!(CONNECTIONS_MAX <= 64);

/// Sockets that may be open at a time, HTTP and WebSocket together; further ones wait in the listener's queue.
///
/// Every stream connection, as many again for the WebSocket API, and 64 for HTTP clients that keep theirs open.
pub const SOCKETS_MAX: usize = 2 * CONNECTIONS_MAX + 64;

/// Streams one connection may subscribe to: the exchange's own limit.
pub const STREAMS_PER_CONNECTION_MAX: usize = 1_024;

/// Streams that have a subscriber, all connections together.
///
/// Three symbols have about 45 kinds each. A subscription beyond it is refused with an error.
pub const TOPICS_MAX: usize = 4_096;

/// Accounts whose events one connection may carry.
pub const USERS_PER_CONNECTION_MAX: usize = 4;

/// Events that wait for one connection and must not be lost: the owner's events, book changes, trades, closed candles.
///
/// Five seconds of two busy symbols. When it is full the connection is closed, so that the client knows it missed something.
pub const OUTBOX_KEPT_MAX: usize = 1_024;

/// Bytes of them.
pub const OUTBOX_KEPT_BYTES: usize = 512 * 1024;

/// Events that wait for one connection of which only the latest matter: tops, marks, tickers, open candles.
pub const OUTBOX_LATEST_MAX: usize = 256;

/// Bytes of them.
pub const OUTBOX_LATEST_BYTES: usize = 128 * 1024;

/// Frames written to a socket before it is flushed.
pub const FRAMES_PER_FLUSH: usize = 64;

/// Bytes of one message from a client; a longer one ends the connection.
///
/// 1,024 stream names of 40 bytes fit.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Bytes that a socket reads or writes at once. The library's default of 128 KiB each would cost 8 MiB at 32 connections.
pub const SOCKET_BUFFER_BYTES: usize = 8 * 1024;

/// Bytes of a request's body: five orders as a percent-encoded JSON array take 4 KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Messages a client may send on a stream connection in a second: the exchange's own limit.
pub const MESSAGES_PER_SECOND_MAX: u32 = 10;

/// Time between two pings of the server: the exchange's own.
pub const PING_EVERY: Duration = Duration::from_secs(180);

/// How long a client may leave pings without a pong.
pub const PONG_WITHIN: Duration = Duration::from_secs(600);

/// Life of a stream connection: the exchange closes it after a day.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long a socket may take to accept one write before its connection is given up.
pub const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Requests that wait for the engine; further ones are answered 503.
///
/// A request takes some microseconds. 1,024 × 64 B and the requests themselves, at most the sockets' count of bodies.
pub const COMMANDS_MAX: usize = 1_024;

/// Requests the engine takes before it looks at the market again.
pub const COMMANDS_PER_TURN: usize = 64;

/// How long an HTTP request waits for the engine; after it the fate of the request is unknown to the client.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Shortest time between two steps of the market.
///
/// A hundred steps a second keep an idle venue below one percent of a core; the fastest streams are told every 10 ms.
pub const STEP_LEAST: Duration = Duration::from_millis(10);

/// Longest time between two steps: expiries of listen keys and slow streams fall due.
pub const STEP_MOST: Duration = Duration::from_millis(100);

/// Life of a listen key without renewal: the exchange's own, unless configured.
pub const LISTEN_KEY_LIFE: Duration = Duration::from_secs(3_600);

/// Book changes collected for the streams that come every 250 and 500 ms.
///
/// A symbol changes some hundred levels in half a second. When it is full, all of them go out early. 8,192 × 72 B = 0.6 MiB.
pub const SLOW_CHANGES_MAX: usize = 8_192;

/// Bytes a journal may grow to before it is written anew: an order that comes and fills takes about 1 KiB.
pub const JOURNAL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of a line of a journal that are read back; a longer one is a damaged file.
pub const JOURNAL_LINE_MAX: usize = 64 * 1024;

/// Bytes of a line of a recording; the snapshot of 1,000 levels a side takes 50 KiB.
pub const RECORDING_LINE_MAX: usize = 1024 * 1024;

/// Lines of a recording that are searched for its symbol.
pub const RECORDING_PROBE_LINES: usize = 100;

/// Recordings that may be given.
pub const RECORDINGS_MAX: usize = 64;

/// Orders in a batch: the exchange's own limits for placing and cancelling.
pub const BATCH_PLACE_MAX: usize = 5;
/// See [`BATCH_PLACE_MAX`].
pub const BATCH_CANCEL_MAX: usize = 10;

/// Rows of a page of orders and executions: the exchange's own limit.
pub const PAGE_MAX: usize = 1_000;

/// Candles of a page: the exchange's own limit.
pub const KLINES_MAX: usize = 1_500;

/// Minutes of made-up history that a generated market starts with: a full page of candles.
pub const HISTORY_MINUTES: usize = 1_500;

/// Longest time by which the fault `delay` makes anything late.
///
/// Far below the five seconds in which a request may be taken, so that late requests are still carried out.
pub const FAULT_DELAY_MOST: Duration = Duration::from_millis(500);

/// Requests in a row that faults may keep from succeeding, all clients together: the next gets through.
///
/// It makes sure that every world goes on, whatever the rates.
pub const FAULTS_IN_A_ROW_MAX: u32 = 3;

/// How long the fault `rate_limit` refuses requests, and the time from one such second to the next.
pub const RATE_LIMIT_FOR: Duration = Duration::from_secs(1);
/// See [`RATE_LIMIT_FOR`].
pub const RATE_LIMIT_EVERY: Duration = Duration::from_secs(5);
const _: () = assert!(RATE_LIMIT_FOR.as_millis() < RATE_LIMIT_EVERY.as_millis());

/// How long a stream connection has no faults after it was opened, so that a client can always get into step.
pub const STREAM_FAULTLESS_FOR: Duration = Duration::from_secs(3);

/// Shortest time between two listen keys that the fault `listen_key_expired` ends.
pub const LISTEN_KEY_FAULT_EVERY: Duration = Duration::from_secs(10);

/// How long the fault `half_open` leaves a stream silent before it is cut: a client that looks at nothing goes on, too.
///
/// Long enough that a client which does look has found it out by itself.
pub const HALF_OPEN_MOST: Duration = Duration::from_secs(300);

/// How long the fault `timeout_accepted` leaves a connection without an answer before it is cut.
pub const UNANSWERED_MOST: Duration = Duration::from_secs(60);

/// Requests that the fault `delay` holds back at a time; further ones are carried out at once. 64 × 40 B and the requests.
pub const LATE_MAX: usize = 64;

/// Turns of [`Hub::beat`](crate::hub::Hub::beat), 50 ms each, after which an event held back by the fault `reorder` goes alone.
pub(crate) const HELD_BEATS_MAX: u8 = 4;

/// Bytes of an event held back.
pub(crate) const HELD_BYTES: usize = 2_048;
