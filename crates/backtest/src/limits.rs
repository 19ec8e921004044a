//! The limits of a backtest, each with its reason.

use core::time::Duration;

/// Bytes of a tape's block before it is written.
///
/// Blocks of 16 KiB to 1 MiB read equally fast; a damaged one costs at most this.
pub const BLOCK_BYTES: usize = 64 << 10;

/// Largest block that is read; a longer one is damaged.
pub const BLOCK_BYTES_MAX: usize = BLOCK_BYTES + RECORD_BYTES_MAX;

/// Longest record of a tape: two heads, and six fields of eight bytes.
pub const RECORD_BYTES_MAX: usize = 4 + 6 * 8;

/// Tapes that are played together.
///
/// Ten years of monthly files and their funding. Each that is open takes one block: 256 × 64 KiB = 16 MiB, if all overlapped;
/// one after the other they take one.
pub const TAPES_MAX: usize = 256;

/// Orders and answers on their way.
///
/// All working orders of an engine, withdrawn and placed anew, each with its answer and its fills: 64 × 2 × 4, and room for a
/// burst of fills.
pub const IN_FLIGHT_MAX: usize = 4_096;

/// Executions kept for an engine that asks for what it missed.
///
/// What can happen while its question and the answer travel; 4,096 × 208 B = 832 KiB.
pub const RECENT_FILLS_MAX: usize = 4_096;

/// Alerts kept for the report; of more the first are kept and the rest counted.
pub const ALERTS_KEPT: usize = 200;

/// Points of a curve; when it is full, neighbours are joined.
///
/// Twice the pixels of a wide chart. 4,096 × 40 B = 160 KiB a curve.
pub const CURVE_POINTS: usize = 4_096;

/// Fills shown in the report; when it is full, every second one is dropped from then on. All are in the CSV.
pub const FILLS_SHOWN: usize = 8_192;

/// Months in the table of a report: fifty years.
pub const MONTHS_MAX: usize = 600;

/// Round trips whose results are kept when somebody asks for them: 65,536 × 16 B = 1 MiB. Later ones count in the figures only.
pub const TRIPS_KEPT: usize = 65_536;

/// How often a symbol tells the account its figures, as the live loop does.
pub const FIGURES_EVERY: Duration = Duration::from_millis(250);

/// How often the worth is looked at when the data are ticks.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Longest line of a file that is imported.
///
/// A recorded REST snapshot of 1,000 levels a side takes 50 KB.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Echoes and questions that are answered before anything else.
pub const ECHOES_MAX: usize = plimsoll_engine::limits::ECHOES_MAX;

/// Measurements of latency that are kept.
///
/// One of a minute for two months, or of an hour for ten years. 100,000 × 24 B = 2.3 MiB.
pub const LATENCY_POINTS_MAX: usize = 100_000;
