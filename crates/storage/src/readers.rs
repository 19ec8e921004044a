//! Who has a database file beside us: whoever reads for long keeps the write-ahead log from being cut, and whoever writes keeps us
//! from writing.

use std::io::Read;
use std::path::Path;

use crate::limits::{FOREIGN_READERS_MAX, LOCKS_BYTES_MAX};
use crate::store::beside;

/// Bytes of the shared-memory file that SQLite locks while somebody reads: `WAL_READ_LOCK(0)` to `WAL_READ_LOCK(4)` of its wal.c.
const READ_LOCKS: std::ops::RangeInclusive<u64> = 123..=127;

/// Where SQLite locks the same file while somebody writes: `WAL_WRITE_LOCK`.
const WRITE_LOCK: std::ops::RangeInclusive<u64> = 120..=120;

/// A process that reads the database now, or writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignReader {
    /// Its number.
    pub process: u32,
    /// What it is called; empty when the system does not tell.
    pub name: String,
}

impl std::fmt::Display for ForeignReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.process)?;
        if !self.name.is_empty() {
            write!(f, " ({})", self.name)?;
        }
        Ok(())
    }
}

/// Names the processes but our own that are in the middle of reading a database file, as far as the system tells: Linux does, of
/// processes on the same machine and in the same container.
///
/// # Bounds
/// [`FOREIGN_READERS_MAX`] of them; of the system's list of locks the first [`LOCKS_BYTES_MAX`].
pub fn foreign_readers(database: &Path) -> Vec<ForeignReader> {
    foreign(database, &READ_LOCKS)
}

/// Names the process but our own that is in the middle of writing a database file, as far as the system tells.
pub(crate) fn foreign_writer(database: &Path) -> Option<ForeignReader> {
    foreign(database, &WRITE_LOCK).pop()
}

fn foreign(database: &Path, of: &std::ops::RangeInclusive<u64>) -> Vec<ForeignReader> {
    let Some(inode) = inode(&beside(database, "-shm")) else { return Vec::new() };
    let mut locks = String::new();
    let read = std::fs::File::open("/proc/locks").and_then(|file| file.take(LOCKS_BYTES_MAX).read_to_string(&mut locks));
    if read.is_err() {
        return Vec::new();
    }
    let mut found: Vec<ForeignReader> = Vec::new();
    for process in holders(&locks, inode, of) {
        if process != std::process::id() && found.len() < FOREIGN_READERS_MAX && found.iter().all(|known| known.process != process) {
            let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            found.push(ForeignReader { process, name: name.trim().chars().take(32).collect() });
        }
    }
    found
}

#[cfg(unix)]
fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| file.ino())
}

#[cfg(not(unix))]
fn inode(_path: &Path) -> Option<u64> {
    None
}

/// Finds the processes that hold one of some locks on an inode. A line: `1: POSIX  ADVISORY  READ 4711 08:02:131 123 123`.
///
/// The device is not compared: file systems in layers show another one than the file has.
fn holders(locks: &str, inode: u64, wanted: &std::ops::RangeInclusive<u64>) -> impl Iterator<Item = u32> {
    locks.lines().filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1).skip_while(|word| *word == "->");
        let (kind, _advisory, _mode) = (words.next()?, words.next()?, words.next()?);
        let process = words.next()?.parse().ok()?;
        let of = words.next()?.rsplit(':').next()?.parse::<u64>().ok()?;
        let first: u64 = words.next()?.parse().ok()?;
        (matches!(kind, "POSIX" | "OFDLCK") && of == inode && wanted.contains(&first)).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_locks_of_the_file_that_are_asked_for_count() {
        let locks = "1: POSIX  ADVISORY  READ  100 08:02:131 123 123\n\
                     2: POSIX  ADVISORY  READ  101 08:02:131 128 128\n\
                     3: POSIX  ADVISORY  WRITE 102 08:02:131 120 120\n\
                     4: POSIX  ADVISORY  READ  103 08:02:132 124 124\n\
                     5: FLOCK  ADVISORY  WRITE 104 08:02:131 0 EOF\n\
                     6: POSIX  ADVISORY  READ  105 00:1f:131 127 127\n\
                     6: -> POSIX  ADVISORY  WRITE 106 00:1f:131 126 126\n\
                     nonsense\n";
        assert_eq!(holders(locks, 131, &READ_LOCKS).collect::<Vec<_>>(), [100, 105, 106]);
        assert_eq!(holders(locks, 131, &WRITE_LOCK).collect::<Vec<_>>(), [102]);
        assert_eq!(holders("", 131, &READ_LOCKS).count(), 0);
    }
}
