//! The limits of the gateway: what each bounds, why it has this value, what it costs at worst.

use plimsoll_exchange::session::limits::{CONNS_MAX, REQUESTS_MAX};
use std::time::Duration;

/// Longest WebSocket message, and longest frame of one, in bytes.
///
/// The longest that the exchange sends us is a depth update: 300 bytes of names and 40 for each of the 4,096 changes that the
/// decoder takes at most. Anything longer is an error of the other side; the connection is closed and a gap declared.
pub const MESSAGE_MAX: usize = 1 << 20;

/// Bytes of a connection's read buffer, allocated at once: a hundred ordinary messages.
pub const READ_BUFFER: usize = 16 << 10;

/// Bytes that may wait to be written on a WebSocket: pongs and the closing frame. Subscriptions are in the address.
pub const WRITE_BUFFER_MAX: usize = 64 << 10;

/// Bytes of an HTTP connection's buffer at most: the head of an answer must fit.
pub const HTTP_BUFFER_MAX: usize = 64 << 10;

/// Largest TLS record buffers of a connection: 16 KiB each way, and the handshake's.
pub const TLS_BUFFERS: usize = 64 << 10;

/// How long opening a connection may take: address, TCP, TLS and the WebSocket's handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a WebSocket may take to close in order before it is cut.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// First wait before a lost connection for orders is opened anew in advance; doubles up to [`WARM_MAX`].
pub const WARM_FIRST: Duration = Duration::from_secs(1);

/// Longest wait before a lost connection for orders is opened anew in advance.
pub const WARM_MAX: Duration = Duration::from_secs(60);

/// Connections for orders that are kept open in advance; the others open when needed.
pub const WARM_CONNS: usize = 2;

/// Futures that the driver holds at once: each HTTP connection has its own and the answer it waits for, each WebSocket
/// may open and close.
pub const WORK_MAX: usize = 2 * REQUESTS_MAX + 2 * CONNS_MAX;

/// Bytes of such a future on the heap at worst: opening a TLS connection is the largest.
pub const WORK_BYTES: usize = 8 << 10;

/// Actions that may wait for the driver, a symbol, beside cancels: two turns of everything that one event may cause.
pub const ORDERS_WAITING: usize = 2 * plimsoll_market::limits::ACTIONS_MAX;

/// How often the figures for others are refreshed at most.
pub const STATS_EVERY: Duration = Duration::from_millis(100);

/// How long a timer may sleep without looking at the session again: a guard, not a schedule.
pub const SLEEP_MAX: Duration = Duration::from_secs(60);
