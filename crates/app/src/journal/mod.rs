//! The journal: all that each engine was told and what it answered, in files that replay to the same answers.
//!
//! A segment is one file. It opens with the engine as it stood, so that it can be replayed alone; a gap closes it. The loop
//! of a symbol encodes into a buffer of fixed size ([`Journal`]) and hands over whole chunks; one task writes them
//! ([`Writer`]) and lets the oldest segments go. Neither ever holds up the loop: what finds no room is lost, counted, and
//! the next segment begins with the engine as it stands then.

mod record;
mod replay;
mod start;
#[cfg(test)]
mod tests;
mod writer;

pub use record::Journal;
pub use replay::{ReplayArgs, main};
pub use start::Journals;
pub use writer::{Buffer, Chunk, SUFFIX, folder as journal_folder};

/// What tells this build from others: CRC-32 of its file's length, beginning (where linkers put a build's id) and end; zero
/// when it cannot be read.
pub fn build() -> u32 {
    fingerprint().unwrap_or(0)
}

fn fingerprint() -> std::io::Result<u32> {
    use std::io::{Read, Seek, SeekFrom};
    const PART: u64 = 256 << 10;
    let mut file = std::fs::File::open(std::env::current_exe()?)?;
    let length = file.metadata()?.len();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    for from in [0, length.saturating_sub(PART)] {
        file.seek(SeekFrom::Start(from))?;
        let mut part = Vec::new();
        Read::by_ref(&mut file).take(PART).read_to_end(&mut part)?;
        hasher.update(&part);
    }
    Ok(hasher.finalize())
}
