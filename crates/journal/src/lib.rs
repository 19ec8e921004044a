//! What an engine was told and what it answered, written down so that it replays to the same answers.
//!
//! A segment is one file. It opens with the engine as it stood, so that it can be replayed alone; a gap closes it. Here is
//! what stands in it, how it is read back, and what an engine answers when it is told the same again. It opens no file and
//! has no buffer that waits: whoever records brings both.
//!
//! ```text
//! file    = MAGIC, frame …
//! frame   = length u32, !length u32, CRC-32 of number and payload u32 (all little-endian), payload
//! payload = entry …; the first of a file begins with Head and the engine
//! entry   = Event, then as many Action as it says │ Halted, then as many Action │ Fault │ End
//! ```
//!
//! Read [`Entry`] and [`replay`] first.
//!
//! ```
//! // What is no journal is refused, and what was cut off in its beginning holds nothing to replay.
//! assert!(plimsoll_journal::replay(&b"dear diary"[..], |_, _| {}).is_err());
//! assert!(plimsoll_journal::replay(&plimsoll_journal::MAGIC[..], |_, _| {}).is_ok_and(|report| report.is_none()));
//! ```

mod format;
pub mod limits;
mod read;
mod replay;
mod show;

pub use format::{End, Entry, EntryRef, FRAME_HEAD, Head, MAGIC, PAYLOAD_MAX, Settings, seal};
pub use read::{Beginning, Damage, Ending, Next, SegmentReader};
pub use replay::{Answer, Difference, Replayed, Report, Step, Steps, Told, replay, tell};
pub use show::{show_action, show_event, utc, utc_compact};
