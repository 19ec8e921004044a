//! Answers about what trades, what guards it, and what carries it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RiskDto;

/// Candles of a symbol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CandlesDto {
    /// Their length, as asked for.
    pub interval: String,
    /// The candles, oldest first; the last one may not be over yet.
    pub candles: Vec<CandleDto>, // tidy: bounded by CANDLES_MAX
}

/// A candle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CandleDto {
    /// When it began.
    pub time_ms: u64,
    /// Its first price.
    pub open: String,
    /// Its highest price.
    pub high: String,
    /// Its lowest price.
    pub low: String,
    /// Its last price.
    pub close: String,
    /// How much was traded, in the base asset.
    pub volume: String,
}

/// What trades.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StrategiesDto {
    /// The strategies, in the order of their symbols.
    pub strategies: Vec<StrategyDto>, // tidy: bounded by SYMBOLS_MAX and the strategies of a symbol
    /// Days that `earned` covers.
    pub earned_days: u64,
}

/// A strategy on a symbol.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StrategyDto {
    /// The symbol.
    pub symbol: String,
    /// The number by which what it holds is found again; the same for ever.
    pub number: u8,
    /// Its word in the configuration.
    pub kind: String,
    /// Its parameters, as far as they are written in the configuration; paths of keys with points between them.
    pub parameters: std::collections::BTreeMap<String, String>, // tidy: bounded by the keys of a symbol
    /// Its share of the symbol's capital in percent; `None` where it trades alone.
    pub allocation: Option<String>,
    /// How much it holds, without a sign; long and short together.
    pub held: String,
    /// What it holds cost, in the quote asset.
    pub cost: String,
    /// What its closed slots have earned in `earned_days`, before fees, in the quote asset.
    pub earned: String,
    /// The quote asset.
    pub asset: String,
    /// Its executions in `earned_days`.
    pub fills: u64,
    /// Its orders at the exchange.
    pub orders: u64,
}

/// Everything that guards the account and its symbols.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuardsDto {
    /// How the account's rules stand; `None` before its equity is known.
    pub account: Option<RiskDto>,
    /// The rungs of the drawdown ladder, the lowest first.
    pub ladder: Vec<RungDto>, // tidy: bounded by the rungs
    /// What can stop symbols, and what does.
    pub breakers: Vec<BreakerDto>, // tidy: bounded by SYMBOLS_MAX and the account's rules
    /// What was looked at before trading began.
    pub preflight: Vec<CheckDto>, // tidy: bounded by SYMBOLS_MAX
    /// Symbols whose position at the exchange is another one than in the books.
    pub drift: Vec<DriftDto>, // tidy: bounded by SYMBOLS_MAX
    /// What comparisons with the exchange found.
    pub reconciliations: Vec<ReconciliationDto>, // tidy: bounded by SYMBOLS_MAX
    /// Symbols whose volume and price are watched for signs of trouble.
    pub monitored: Vec<String>, // tidy: bounded by the symbols watched
}

/// A rung of the drawdown ladder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RungDto {
    /// Its name.
    pub tier: String,
    /// The fall from the peak at which it begins, in percent; `None` when it is turned off.
    pub from_percent: Option<String>,
    /// What it does.
    pub text: String,
    /// Whether it is the one we stand on.
    pub here: bool,
}

/// Something that can stop a symbol, or all of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BreakerDto {
    /// The rule, or the state, that stops.
    pub name: String,
    /// The symbol; `None` for all.
    pub symbol: Option<String>,
    /// Whether it stops now.
    pub open: bool,
    /// When it ends by itself; `None`: when its cause is gone, or an operator re-arms.
    pub until_ms: Option<u64>,
    /// What it means.
    pub text: String,
}

/// Something that was looked at before trading began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckDto {
    /// What was looked at: a symbol.
    pub name: String,
    /// Whether nothing stands against it.
    pub ok: bool,
    /// What stands against it; empty when nothing does.
    pub text: String,
}

/// A position that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DriftDto {
    /// The symbol.
    pub symbol: String,
    /// What the exchange's position has beyond ours.
    pub qty: String,
}

/// What comparisons of a symbol with the exchange found since the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReconciliationDto {
    /// The symbol.
    pub symbol: String,
    /// Orders that are not ours, at the last comparison.
    pub foreign_orders: u64,
    /// Times that the exchange's position was taken over.
    pub taken_over: u64,
    /// Executions that came after one with a higher id.
    pub late_fills: u64,
    /// How long the last difference took to end; `None` before the first.
    pub healed_in_ms: Option<u64>,
}

/// Connections to the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamsDto {
    /// What they carry, and whether it comes.
    pub feeds: Vec<super::LinkDto>, // tidy: bounded by the number of feeds
    /// WebSockets open now.
    pub open: u64,
    /// Opened since the start.
    pub connects: u64,
    /// Lost or refused since the start.
    pub disconnects: u64,
    /// Sockets that could not be opened.
    pub failures: u64,
    /// Messages taken.
    pub frames: u64,
    /// Messages that could not be understood.
    pub malformed: u64,
    /// Gaps in books, each healed by a snapshot.
    pub book_gaps: u64,
    /// Snapshots of books.
    pub book_snapshots: u64,
    /// Catch-ups complete, and given up.
    pub resyncs: u64,
    /// Catch-ups given up.
    pub resyncs_failed: u64,
    /// How far the exchange's clock is ahead of ours.
    pub clock_offset_ms: i64,
}

/// What the exchange allows, and what is used of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RatesDto {
    /// Request weight used in this minute.
    pub weight_used: u64,
    /// Request weight that a minute allows.
    pub weight_limit: u64,
    /// Orders used in these ten seconds.
    pub orders_used: u64,
    /// Orders that ten seconds allow.
    pub orders_limit: u64,
    /// Requests on the way.
    pub in_flight: u64,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// Requests sent since the start.
    pub requests: u64,
    /// Of these, without an answer.
    pub requests_failed: u64,
    /// Answers that say we asked too much.
    pub rate_limited: u64,
    /// HTTP connections opened.
    pub http_opened: u64,
    /// HTTP connections that could not be opened.
    pub http_failures: u64,
}

/// What our files take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiskDto {
    /// When it was measured.
    pub time_ms: u64,
    /// What all of them take.
    pub used_bytes: u64,
    /// What the nearer limit allows.
    pub limit_bytes: u64,
    /// Which limit that is.
    pub limit: String,
    /// Percent of it that is used.
    pub percent: u64,
    /// What the file system has left.
    pub free_bytes: Option<u64>,
    /// How short it is, in a word.
    pub level: String,
    /// What each kind takes.
    pub kinds: Vec<DiskKindDto>, // tidy: bounded by the kinds
}

/// What files of a kind take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiskKindDto {
    /// The kind.
    pub kind: String,
    /// What they take.
    pub bytes: u64,
}

/// What the engines were told, as it is recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct JournalDto {
    /// Whether it is recorded.
    pub enabled: bool,
    /// What all files may take.
    pub keep_bytes: u64,
    /// What they take.
    pub bytes: u64,
    /// The files of each symbol.
    pub symbols: Vec<JournalSymbolDto>, // tidy: bounded by SYMBOLS_MAX
}

/// Recorded segments of a symbol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct JournalSymbolDto {
    /// The symbol.
    pub symbol: String,
    /// Files.
    pub segments: u64,
    /// What they take.
    pub bytes: u64,
    /// The first file.
    pub oldest: String,
    /// The last file, which is still written.
    pub newest: String,
}
