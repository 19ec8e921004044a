//! The limits of a session: what each bounds, why it has this value, what it costs at worst.

use core::time::Duration;
use plimsoll_market::limits::QUOTES_MAX;

/// Symbols one session may carry.
///
/// Hundreds are the aim; beyond it the request weight of one account no longer suffices for a catch-up within minutes.
pub const SYMBOLS_MAX: usize = 512;

/// Symbols one market connection carries.
///
/// Five streams a symbol on the legacy route: 200 streams, which every generation of the exchange allowed, and an address
/// below 8 KiB. A lost connection is a gap for these symbols only.
pub const SYMBOLS_PER_CONN: usize = 40;

/// Connections of a session: the user stream and two for each 40 symbols.
pub const CONNS_MAX: usize = conns_of(SYMBOLS_MAX);

/// Connections that a session of so many symbols has at most.
pub const fn conns_of(symbols: usize) -> usize {
    1 + 2 * symbols.div_ceil(SYMBOLS_PER_CONN)
}

/// Requests on the way at once that place and cancel orders; each takes one connection of its own.
///
/// HTTP/1.1 answers in turn, so this many round trips overlap: at 10 ms each 600 orders a second, far above the exchange's 30.
pub const ORDER_REQUESTS_MAX: usize = 6;

/// Of these, kept for cancels and for orders that reduce: opening can never take them.
pub const ORDER_REQUESTS_KEPT: usize = 2;

/// All other requests on the way at once; each takes one connection of its own.
pub const OTHER_REQUESTS_MAX: usize = 4;

/// Of these, kept for reconciling: fetching information can never take them.
pub const OTHER_REQUESTS_KEPT: usize = 2;

/// Requests on the way at once, all together.
pub const REQUESTS_MAX: usize = ORDER_REQUESTS_MAX + OTHER_REQUESTS_MAX;
const _: () = assert!(ORDER_REQUESTS_KEPT < ORDER_REQUESTS_MAX && OTHER_REQUESTS_KEPT < OTHER_REQUESTS_MAX);

/// Cancels that may wait, a symbol.
///
/// Every working order and as many again that were asked for twice: a halt can always cancel everything.
pub const CANCELS_WAITING: usize = 2 * QUOTES_MAX;
const _: () = assert!(CANCELS_WAITING > QUOTES_MAX);

/// Orders that may wait, a symbol and lane: all that an engine can want at once.
pub const PLACES_WAITING: usize = QUOTES_MAX;

/// Queries that may wait, a symbol: every working order.
pub const QUERIES_WAITING: usize = QUOTES_MAX;

/// How long an order waits for the rate budget before it is answered with "not sent".
///
/// A quote older than this was decided on another market.
pub const PLACE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a cancel or query waits for the rate budget: as long as a minute's budget can be used up.
pub const CANCEL_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a request to place, cancel or query may take.
pub const ORDER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long any other request may take: exchange information is megabytes.
pub const OTHER_TIMEOUT: Duration = Duration::from_secs(15);

/// How much longer than its timeout the session waits for the gateway's word on a request before it gives it up itself.
pub const TIMEOUT_GRACE: Duration = Duration::from_secs(2);

/// How much longer than `recv_window` an order of unknown outcome may still turn up: the two clocks agree only so well.
///
/// Before that, "no such order" is no answer.
pub const SETTLE_MARGIN: Duration = Duration::from_secs(1);

/// Ids of placed orders whose outcome is open that the session remembers, a symbol.
///
/// For each, "no such order" is believed only when its `recv_window` is over. The oldest leaves first, and is the least needed.
pub const UNCERTAIN_KEPT: usize = QUOTES_MAX;

/// Which order has which client id: remembered orders, a symbol. The oldest leaves first; what left is asked for again.
pub const ORDER_IDS_KEPT: usize = 4 * QUOTES_MAX;

/// Samples of the exchange's clock taken in a row; the one with the shortest round trip counts.
pub const CLOCK_SAMPLES: u8 = 3;

/// How often the exchange's clock is measured again: quartz drifts below 10 ms in this time.
pub const CLOCK_EVERY: Duration = Duration::from_secs(600);

/// How often the instruments' rules are fetched again.
pub const INSTRUMENTS_EVERY: Duration = Duration::from_secs(3600);

/// Attempts at one step of the boot before it fails.
pub const BOOT_ATTEMPTS: u8 = 5;

/// Attempts at one request of a catch-up before the engine is told that it failed.
pub const RESYNC_ATTEMPTS: u8 = 4;

/// Catch-ups that fetch executions at once. Each holds a page of [`TRADES_PAGE`] fills: 4 × 144 KB at worst.
pub const RESYNCS_ACTIVE: usize = 4;

/// Executions asked for in one request: the most that the exchange gives.
pub const TRADES_PAGE: u16 = 1_000;

/// Requests for orders that one page of executions may cause, to learn whose they are; what is then unknown counts as foreign.
pub const ORDER_LOOKUPS_MAX: u8 = 12;

/// Above this many symbols due, position and open orders are asked for all symbols at once: five times weight 1 and 5 against
/// 40 and 5.
pub const SNAPSHOTS_SINGLE_MAX: usize = 5;

/// Levels a side in a snapshot of the book, weight 10.
pub const BOOK_SNAPSHOT_LEVELS: u16 = 500;

/// Levels a side that a book keeps: twice a snapshot, since diffs add levels around it. 2 × 1,000 × 16 B = 32 KB a symbol.
pub const BOOK_LEVELS: usize = 1_000;

/// Changes of a book that wait for its snapshot: two seconds of the busiest that was recorded. 8,192 × 24 B = 192 KiB a symbol.
pub const BOOK_CHANGES_WAITING: usize = 8_192;

/// Updates of a book that wait for its snapshot: at ten a second, 25 seconds.
pub const BOOK_UPDATES_WAITING: usize = 256;

/// How long a book must have been true for its next snapshot to be asked for without a wait.
pub const BOOK_STABLE: Duration = Duration::from_secs(60);

/// Balances told at once; an account has fewer assets.
pub const BALANCES_MAX: usize = 128;

/// Silence after which a market connection counts as dead: marks come every second.
pub const MARKET_SILENCE_MAX: Duration = Duration::from_secs(15);

/// Silence after which the user stream counts as dead: the exchange pings every three minutes.
pub const USER_SILENCE_MAX: Duration = Duration::from_secs(600);

/// How long the user stream may take to tell what an answer has told already; longer, and it counts as dead though it answers
/// pings.
pub const USER_ECHO_MAX: Duration = Duration::from_secs(10);

/// How long opening a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection is kept: the exchange closes it after 24 hours, and we go first, at a moment of our own.
pub const CONN_AGE_MAX: Duration = Duration::from_secs(23 * 3600 + 50 * 60);

/// How long a connection must have lived for the next reconnect to begin again with the shortest wait.
pub const CONN_STABLE: Duration = Duration::from_secs(60);

/// First wait before a reconnect or a repeated request; doubles each time, with jitter.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(250);

/// Longest wait before a reconnect or a repeated request.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// How often the listen key is extended: it lives an hour.
pub const LISTEN_KEY_EVERY: Duration = Duration::from_secs(30 * 60);

/// Failed extensions after which the key counts as lost.
pub const LISTEN_KEY_ATTEMPTS: u8 = 4;

/// How long after a funding message the payments are fetched, so that the exchange has booked all symbols.
pub const FUNDING_DELAY: Duration = Duration::from_secs(2);

/// Attempts at fetching funding payments before it waits for the next occasion.
pub const FUNDING_ATTEMPTS: u8 = 3;

/// Requests without an answer in a row after which the request channel counts as down.
pub const REQUESTS_DOWN_AFTER: u8 = 3;

/// How long orders already sent may still be answered after a stop.
pub const STOP_WAIT: Duration = Duration::from_secs(3);

/// Outputs one input may cause, beside those counted per symbol and connection.
///
/// All requests that can be on their way, a thousand fills in pages of a hundred, an account's balances and positions, and a
/// handful more.
pub const OUTPUTS_BASE: usize = REQUESTS_MAX + PAST_MAX as usize + TRADES_PAGE as usize / 100 + 1 + 3 * BALANCES_MAX + 16;
const _: () = assert!(CANDLES_MAX <= PAST_MAX);

/// Funding payments asked for in one request: the most that the exchange gives.
pub const INCOME_PAGE: u16 = 1_000;

/// Candles of a minute that are fetched at most: as many as cost a weight of 1, and more than an hour.
pub const CANDLES_MAX: u16 = 98;

/// Bars of the past that are fetched at most: they cost a weight of 2, find room in a symbol's queue, and warm any figure that looks
/// back over 256.
pub const PAST_MAX: u16 = 384;

/// Requests for candles of the past that may fail in a row: until they are answered those of the stream wait.
pub const PAST_TRIES: u8 = 6;

/// How long candles of the stream wait for those of the past: ten of them are lost to a strategy then, which begins cold.
pub const PAST_WAIT_MAX: Duration = Duration::from_secs(600);

/// Pairs of an asset in which fees are paid and one to value it in: an account pays in BNB at most, for contracts in USDT and in USDC.
pub const FEE_ASSETS_MAX: usize = 4;

/// How old a rate may be when another fee is paid in that asset; a conversion is then at most so far from its execution.
pub const RATE_MAX_AGE: Duration = Duration::from_secs(60);

/// Pause before a rate that the exchange did not tell is asked for again.
pub const RATE_RETRY: Duration = Duration::from_secs(600);

/// Pause before a request for candles or for the exchange's switch is repeated.
pub const SIDE_RETRY: Duration = Duration::from_secs(5);

/// Outputs one input may cause for each symbol: all its queued requests answered at a stop, and links, gaps and snapshots.
pub const OUTPUTS_PER_SYMBOL: usize = CANCELS_WAITING + 2 * PLACES_WAITING + QUERIES_WAITING + 8;

/// Weight a minute assumed until the exchange has told its limits.
pub const WEIGHT_1M: u32 = 2_400;

/// Orders in ten seconds assumed until the exchange has told its limits.
pub const ORDERS_10S: u32 = 300;

/// Orders a minute assumed until the exchange has told its limits.
pub const ORDERS_1M: u32 = 1_200;

/// How long everything rests after a 429 that does not say how long.
pub const RATE_LIMITED_REST: Duration = Duration::from_secs(10);

/// How long everything rests after a 418 that does not say how long: the shortest ban.
pub const BANNED_REST: Duration = Duration::from_secs(120);
