//! The limits of the shared words, each with its reason.

/// Digits after the point of [`crate::Amount`] and [`crate::RefPrice`].
///
/// Exchanges report commissions and balances with eight digits.
pub const MONEY_SCALE: u8 = 8;

/// Longest symbol, in bytes.
///
/// The longest of our exchanges' contract names is 20; some are written in Chinese, three bytes a character.
pub const SYMBOL_LEN_MAX: usize = 32;

/// Longest asset name, in bytes.
pub const ASSET_LEN_MAX: usize = 16;

/// Longest free name (account, exchange, strategy), in bytes.
pub const NAME_LEN_MAX: usize = 24;

/// Open orders one snapshot of a symbol can carry.
///
/// Binance allows 200 open orders a symbol (`MAX_NUM_ORDERS`); the others allow fewer or are set so by configuration.
/// Worst case 200 × 176 B = 35 KiB while a snapshot is in flight.
pub const SNAPSHOT_ORDERS_MAX: usize = 200;

/// Fills in one page of a catch-up; a longer list comes as several pages.
///
/// 100 × 144 B = 14 KiB a page in flight; Binance sends up to 1,000 a request, which makes ten pages.
pub const FILL_PAGE_MAX: usize = 100;

/// Actions one event may cause; the rest follows at an immediate wake.
///
/// The most is a page of executions that close a position: a record for each and one for each slot it takes from, then every
/// working order cancelled and as many placed: 2 × 100 + 256 + 2 × 64 and a handful of alerts. 640 × 48 B = 30 KiB a symbol.
pub const ACTIONS_MAX: usize = 640;
const _: () = assert!(ACTIONS_MAX > 2 * FILL_PAGE_MAX + 256 + 2 * QUOTES_MAX + 32);

/// Quotes one engine may want at once: the bits of one `u64` mask.
pub const QUOTES_MAX: usize = 64;

/// Levels a side that a [`crate::Book`] keeps.
///
/// The recorded BTCUSDT days hold 5,018 and 4,578 levels after six minutes; a REST snapshot brings 1,000 a side.
/// What lies deeper is dropped and counted, and never needed: worst case 2 × 8,192 × 16 B = 256 KiB a symbol at most,
/// chosen by the caller.
pub const BOOK_LEVELS_MAX: usize = 8_192;

/// Largest decimal scale of a price or quantity.
pub const SCALE_MAX: u8 = 12;
