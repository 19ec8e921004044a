//! The limits of the exchange protocols, each with its reason.

/// Level changes that one depth message may carry.
///
/// The busiest recorded message has a few hundred; at `@500ms` a crash brings thousands. A longer message is refused and
/// the book is fetched again. Worst case 4,096 × 24 B = 96 KiB a buffer, and one buffer a connection is enough.
pub const DEPTH_CHANGES_MAX: usize = 4_096;

/// Levels a side that a depth snapshot may carry: the most that `limit=1000` brings.
pub const SNAPSHOT_LEVELS_MAX: usize = 1_000;

/// Level changes that wait for a snapshot of one symbol.
///
/// The recorded days bring 800 changes a second at `@0ms` in calm times and ten times that at worst; a snapshot that has not
/// come after that many is late and is asked for again. Worst case 16,384 × 24 B = 384 KiB a symbol, only while syncing.
pub const PENDING_CHANGES_MAX: usize = 16_384;
const _: () = assert!(PENDING_CHANGES_MAX >= 2 * DEPTH_CHANGES_MAX);

/// Depth messages that wait for a snapshot of one symbol: at ten a second, over a minute.
///
/// 1,024 × 48 B = 48 KiB a symbol.
pub const PENDING_UPDATES_MAX: usize = 1_024;

/// Symbols that one instruments table may hold: the exchange lists about 600.
///
/// Worst case 1,024 × 400 B = 400 KiB, held only for as many as were granted.
pub const INSTRUMENTS_MAX: usize = 1_024;
const _: () = assert!(INSTRUMENTS_MAX < u16::MAX as usize);

/// Elements that a list in one reply or frame may have, whatever it lists.
///
/// The largest the exchange sends by documentation is 1,500 candles; `!ticker@arr` and `positionRisk` have one a symbol,
/// `openOrders` of the whole account may have 200 a symbol. The list lives only while the reply is handled.
pub const LIST_MAX: usize = 10_000;

/// Bytes of a value, name or message that an error quotes; the rest is cut.
///
/// Errors are kept by value in events and logs: this is the largest part of one.
pub const QUOTE_MAX: usize = 160;

/// Longest client order id, in bytes: the exchange's own limit is 36; its own ids (`settlement_autoclose-…`) are longer.
pub const CLIENT_TEXT_MAX: usize = 64;

/// Longest listen key, in bytes; today's have 64.
pub const LISTEN_KEY_MAX: usize = 128;

/// Longest API secret, in bytes; today's have 64.
pub const SECRET_MAX: usize = 256;

/// Largest `recvWindow` that the exchange accepts, in milliseconds.
pub const RECV_WINDOW_MAX_MS: u32 = 60_000;

/// Streams that one subscribe request names: its text stays under 4 KiB, and the exchange allows ten requests a second.
pub const SUBSCRIBE_STREAMS_MAX: usize = 100;

/// Bytes of a message that `describe` reads; a full `exchangeInfo` has about 1.5 MB.
pub const DESCRIBE_BYTES_MAX: usize = 16 << 20;

/// Rows of a list that `describe` prints; the rest is counted.
pub const DESCRIBE_ROWS_MAX: usize = 20;
