//! The limits of the log: what each bounds, why it has this value, what it costs at worst.

use std::time::Duration;

/// Bytes of a line's text; a longer one is cut and ends in `…`.
///
/// The original kept 10 kB. Nothing that we say ourselves has a tenth of this; frames at `trace` are worth their beginning.
pub const TEXT_MAX: usize = 4_096;

/// Bytes of the mark of a text that was cut.
pub(crate) const CUT_MARK: &str = "…";

/// Bytes of a secret at most; what is longer is not taken for one.
pub const SECRET_MAX: usize = 4_096;

/// Bytes of a secret at least: what is shorter would be found in everything.
pub const SECRET_MIN: usize = 6;

/// Secrets that can be named, a dozen of channels with two each, keys and tokens.
///
/// Each is known in the [`SECRET_FORMS`] forms in which it travels: 64 × 4 × 4 KiB at worst, 64 × 4 × 64 B as they are.
pub const SECRETS_MAX: usize = 64;

/// Forms in which a secret is known: as it is, percent-encoded, in base64, and in quotes.
pub const SECRET_FORMS: usize = 4;

/// Bytes of a line that are taken down before secrets are taken out: so many that what is cut off cannot leave the beginning
/// of a secret within [`TEXT_MAX`], though its longest form has three bytes for each of its own.
pub(crate) const CAPTURE_MAX: usize = TEXT_MAX + 3 * SECRET_MAX;

/// Bytes of the fields of one span.
pub(crate) const SPAN_MAX: usize = 256;

/// Spans that are named before a line.
pub(crate) const SPANS_MAX: usize = 8;

/// Bytes of a record while it is shared: the text, its counters, and itself.
pub(crate) const RECORD_BYTES: usize = TEXT_MAX + 256;

/// Lines that may wait for the disk; past that the oldest go.
///
/// Half a second of the most that may be written, and a burst. 1,024 × 4.3 KiB = 4.4 MB at worst.
pub const FILE_QUEUE: usize = 1_024;

/// Bytes that are written to a file at once.
pub(crate) const FILE_BUFFER: usize = 32 * 1_024;

/// Least size of a file before the next is begun: more than its longest line, by far.
pub const FILE_BYTES_MIN: u64 = 64 * 1_024;
const _: () = assert!(FILE_BYTES_MIN as usize > 2 * FILE_BUFFER.saturating_sub(1) && FILE_BUFFER > 2 * RECORD_BYTES);

/// Files at most, however small they are.
pub const FILES_MAX: u64 = 100;

/// How long a disk that fails is left alone before it is tried again.
pub(crate) const FILE_RETRY: Duration = Duration::from_secs(5);

/// Live viewers at once; when one more comes, the oldest leaves.
pub const VIEWERS_MAX: usize = 100;
const _: () = assert!(VIEWERS_MAX <= plimsoll_bounded::SUBSCRIBERS_MAX);

/// Lines kept for each viewer that is behind; one further behind loses lines and is told how many.
///
/// Lines are shared: what is kept are the latest 100 and one in the hands of each viewer, 200 × 4.3 KiB = 0.9 MB.
pub const VIEWER_QUEUE: usize = 100;

/// Bytes of a line that each place in a viewer's queue answers for, so that all places together cover the lines.
pub(crate) const VIEWER_SHARE: usize = (RECORD_BYTES * (VIEWER_QUEUE + VIEWERS_MAX)).div_ceil(VIEWER_QUEUE * VIEWERS_MAX);

/// Kinds of lines whose repeats are counted at the same time; with one more the one whose time is over first is told of at once.
///
/// Each holds its last line: 64 × 4.3 KiB = 280 KB.
pub const REPEATS_MAX: usize = 64;

/// Lines of a kind that are written within [`REPEAT_WINDOW`] before repeats are held back.
pub const REPEATS_FREE: u32 = 3;

/// How long repeats of a line are held back.
pub const REPEAT_WINDOW: Duration = Duration::from_secs(5);

/// Lines of `info` and above a second in the long run, and at once. Trading writes a few a minute.
pub const LINES_PER_SECOND: u32 = 200;
/// The burst that goes with [`LINES_PER_SECOND`].
pub const LINES_BURST: u32 = 1_000;

/// Lines of `debug` and `trace` a second in the long run: some 400 KB/s of files.
pub const CHATTER_PER_SECOND: u32 = 2_000;
/// The burst that goes with [`CHATTER_PER_SECOND`].
pub const CHATTER_BURST: u32 = 4_000;

/// Lines a second that the store is given in the long run: what grows between two runs of its hourly retention is 72,000 lines.
pub const STORE_PER_SECOND: u32 = 20;
/// The burst that goes with [`STORE_PER_SECOND`].
pub const STORE_BURST: u32 = 1_000;

/// How often what was held back is looked at.
pub const TICK: Duration = Duration::from_secs(1);

/// Bytes of the log beside its queues: repeats, secrets, and what is on its way to a file.
pub(crate) const FIXED_BYTES: usize = 2 * FILE_BUFFER + REPEATS_MAX * (RECORD_BYTES + 64) + SECRETS_MAX * SECRET_FORMS * 256;
