//! The limits of a symbol's books, each with its reason.

use plimsoll_market::limits::{QUOTES_MAX, SNAPSHOT_ORDERS_MAX};

/// Orders one engine may have at the exchange, both sides, sent ones included.
///
/// Every wanted quote, and nothing else: an order that is being replaced leaves before its successor is sent.
/// Below the smallest per-symbol cap of our exchanges (Binance 200), leaving room for orders placed by hand.
/// Worst case 64 × 160 B = 10 KiB a symbol.
pub const WORKING_MAX: usize = 64;
const _: () = assert!(QUOTES_MAX <= WORKING_MAX);
const _: () = assert!(WORKING_MAX < SNAPSHOT_ORDERS_MAX);

/// Slots of the ring: grid levels that can hold something at the same time.
///
/// A power of two. A buy window and a sell window of at most 64 levels together, and inventory of a fall of some 190
/// intervals. A level whose place is taken by another that still holds something is not opened. 256 × 80 B = 20 KiB a symbol.
pub const SLOTS: usize = 256;
const _: () = assert!(SLOTS.is_power_of_two() && SLOTS >= 4 * QUOTES_MAX / 2);

/// Readings of a position that must differ in the same way before the exchange's is taken.
///
/// One reading can be older than a fill on its way; three in a row, each after a completed catch-up, cannot.
pub const MISMATCH_READINGS: u8 = 3;

/// The strategy number of orders that close a position at an operator's word.
///
/// The last of the 64 that fit the client id, so that it never meets a configured strategy. Its fills reduce the slots,
/// highest index first.
pub const CLOSING_STRATEGY: u8 = plimsoll_market::Leg::CLOSING;

/// How late an execution may come by the stream after one with a higher trade id, and still be told from one that was missed.
pub const REORDER_WINDOW: core::time::Duration = core::time::Duration::from_secs(5);

/// Executions booked within that time that a symbol remembers: 25 a second. More, and the oldest counts as in order.
///
/// 128 × 16 B = 2 KiB a symbol.
pub const RECENT_MAX: usize = 128;

/// Comparisons in a row that may differ, each in another way, before the symbol is locked: with the pauses between them, some
/// minutes.
pub const DIVERGENCE_ROUNDS: u8 = 12;

/// How much younger than our first order an unknown order with our mark must be to be another instance's: the receive window of
/// the last request of a process before us is long over then.
pub const WRITER_GRACE: core::time::Duration = core::time::Duration::from_secs(10);

/// Longest pause before a position that is not ours is looked at again: somebody is closing it and waits for us to see it.
pub const FOREIGN_PAUSE: core::time::Duration = core::time::Duration::from_secs(10);
