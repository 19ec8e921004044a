//! The limits of the made-up worlds, each with its reason.

use core::time::Duration;
use plimsoll_market::RefPrice;

/// Instruments one venue may list.
///
/// A testnet lists two; a simulation of a large desk a few hundred.
pub const INSTRUMENTS_MAX: usize = 512;

/// Accounts one venue may have.
///
/// The testnet's command line gives one to a handful; 64 leaves room for a swarm of bots on one venue.
pub const ACCOUNTS_MAX: usize = 64;

/// Open orders an account may have on a symbol when the instrument does not say less.
///
/// Binance's `MAX_NUM_ORDERS`.
pub const OPEN_PER_SYMBOL_MAX: usize = 200;

/// Open orders of all accounts on all symbols together.
///
/// 20 accounts with 200 orders on two symbols each. Worst case 8,192 × 320 B = 2.5 MiB.
pub const OPEN_TOTAL_MAX: usize = 8_192;

/// Orders resting on one side of one symbol, all accounts together; further ones are refused.
///
/// As many as the whole venue may have open, so that this list is never the first limit to act: 8,192 × 48 B a side at worst,
/// taken as touched.
pub const RESTING_MAX: usize = OPEN_TOTAL_MAX;

/// Finished orders an account remembers; the oldest go first.
///
/// A grid at 20× finishes about two orders a second, so this is 40 minutes of it, far beyond any client's re-query.
/// Worst case 5,000 × 256 B = 1.3 MiB an account.
pub const FINISHED_MAX: usize = 5_000;

/// Executions an account remembers; the oldest go first.
///
/// Four for each remembered order. Worst case 20,000 × 192 B = 3.7 MiB an account.
pub const TRADES_MAX: usize = 20_000;
const _: () = assert!(TRADES_MAX >= FINISHED_MAX);

/// The exchange's own coin, in which an account may pay its fees at a tenth less.
pub const COIN: &str = "BNB";

/// What the coin is worth here, always; units of 1e-8 of the settlement asset.
pub const COIN_PRICE: RefPrice = RefPrice::from_units(600 * 100_000_000);

/// What each account begins with of it, units of 1e-8.
pub const COIN_DEPOSIT: i128 = 100 * 100_000_000;

/// Income entries (funding, insurance; realised profit and commission are derived from trades) an account remembers.
///
/// A year of three fundings a day on two symbols is 2,190.
pub const INCOME_MAX: usize = 4_000;

/// Recent market trades kept a symbol, and as many aggregated ones.
///
/// Binance's largest page.
pub const PUBLIC_TRADES_MAX: usize = 1_000;

/// One-minute candles kept a symbol; longer intervals are summed from them.
///
/// Two days: a full page of 1,500 minutes, and the 24-hour ticker. 2,880 × 104 B = 300 KiB.
pub const CANDLES_MAX: usize = 2_880;
const _: () = assert!(CANDLES_MAX > 24 * 60);

/// Price levels a side of outside liquidity on a generated market.
///
/// The generator keeps about 60; the rest is slack for levels it has not yet pruned.
pub const GENERATED_LEVELS_MAX: usize = 128;

/// Price levels a side of outside liquidity on a replayed market.
///
/// The recorded days end with up to 5,018 levels a side.
pub const REPLAYED_LEVELS_MAX: usize = 8_192;

/// Level changes collected between two 100 ms ticks; past it the batch goes out early.
///
/// A REST snapshot of 1,000 levels a side arrives in one step.
pub const CHANGES_MAX: usize = 4_096;

/// Steps of sources and timers that one call of `advance` takes; the rest follows at an immediate wake.
///
/// At 20× two symbols make 3,200 steps a second; a second's worth is a fraction of a millisecond of work each millisecond.
pub const STEPS_PER_TURN: usize = 20_000;

/// Executions one order may cause before the rest of it expires.
///
/// A taker would have to eat this many resting pieces; it stops a runaway loop.
pub const MATCHES_PER_ORDER_MAX: usize = 20_000;

/// Changes of one order by amendment.
pub const AMENDS_MAX: u32 = 10_000;

/// How long after now a good-till-date order must at least live.
pub const GTD_LEAST: Duration = Duration::from_secs(600);

/// Ids reserved ahead in the journal, so that no id is used twice after a crash.
pub const IDS_RESERVED: u64 = 100_000;

/// How many reserved ids must be left; with fewer the next reservation is stored.
///
/// More than one step can use, so that no id is told before its reservation is stored.
pub const IDS_LEFT: u64 = 50_000;
const _: () = assert!(IDS_LEFT < IDS_RESERVED);
const _: () = assert!(IDS_LEFT > MATCHES_PER_ORDER_MAX as u64);

/// Brackets of leverage and maintenance margin an instrument may have.
pub const BRACKETS_MAX: usize = 16;

/// Depth updates buffered while a recording's snapshot has not come yet.
///
/// In the recorded days it comes after 4 and 6.
pub const REPLAY_BUFFER_MAX: usize = 256;

/// Longest line of a recording that is parsed; a longer one is counted as malformed.
///
/// The snapshot of 1,000 levels a side takes 50 KB.
pub const REPLAY_LINE_MAX: usize = 1 << 20;

/// Most entries any query returns.
pub const PAGE_MAX: usize = 1_500;

/// The beat of timers: batched depth, open candles, countdowns, good-till-dates.
pub const TICK_MS: u64 = 100;

/// Orders that the account of a [`crate::solo::Solo`] may have open; further ones are refused.
///
/// Binance's `MAX_NUM_ORDERS`, far above what an engine keeps (64). Worst case 200 × 160 B = 32 KiB.
pub const SOLO_ORDERS_MAX: usize = 200;

/// Price levels a side that a [`crate::solo::Solo`] keeps of the recorded book; the farthest are dropped.
///
/// As many as a replayed market keeps: 2 × 8,192 × 16 B = 256 KiB.
pub const SOLO_LEVELS_MAX: usize = REPLAYED_LEVELS_MAX;
