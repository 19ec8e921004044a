//! One process a database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Holder, StoreError};
use crate::limits::LOCKS_BYTES_MAX;
use crate::store::beside;

/// The right to write a database file: a lock on a file beside it, which the system takes back when the process ends.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    /// Holds the lock until closed.
    _file: File,
}

impl InstanceLock {
    /// Makes the folder if need be and takes the lock of a database file.
    pub(crate) fn take(database: &Path) -> Result<Self, StoreError> {
        let folder = match database.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let refused = |source| StoreError::folder(database, &folder, source);
        std::fs::create_dir_all(&folder).map_err(refused)?;
        let path = beside(database, ".lock");
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { database: database.display().to_string(), holder: read_holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        let id = std::process::id();
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{id}")).and_then(|()| file.flush());
        written.map_err(refused)?;
        Ok(Self { _file: file })
    }
}

/// Reads who holds the lock; a few digits at most, whatever the file holds.
fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.take(16).read_to_string(&mut text);
    match (read, text.trim().parse()) {
        (Ok(_), Ok(id)) => Holder::Process(id),
        _ => Holder::Unknown,
    }
}

/// What of SQLite's write-ahead log a program can hold.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// The right to write.
    Write,
    /// The state of the database at the instant when it began to read.
    Read,
}

/// Names a process other than this one that holds a part of a database's log. `None` when there is none, or the system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn who_holds(database: &Path, part: Part) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    // Where the locks lie in the index of the log: sqlite.org/walformat.html, 2.3.
    let bytes = match part {
        Part::Write => 120..=120_u64,
        Part::Read => 123..=127,
    };
    let index = std::fs::metadata(beside(database, "-shm")).ok()?;
    let (dev, inode) = (index.dev(), index.ino());
    let (major, minor) = ((dev >> 8 & 0xfff) | (dev >> 32 & !0xfff), (dev & 0xff) | (dev >> 12 & !0xff));
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    let mut text = String::new();
    File::open("/proc/locks").ok()?.take(LOCKS_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.lines().find_map(|line| {
        // 3: POSIX  ADVISORY  READ 21854 fe:00:14042162 123 123
        let mut words = line.split_whitespace().skip(4);
        let process: u32 = words.next()?.parse().ok()?;
        let same = words.next()? == file;
        let (first, last): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (same && first <= *bytes.end() && last >= *bytes.start() && process != std::process::id()).then_some(process)
    })
}

/// Names a process other than this one that holds a part of a database's log; this system does not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn who_holds(_database: &Path, _part: Part) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_is_refused_with_the_process_until_the_first_goes() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("deep/er/a.db");
        let lock = InstanceLock::take(&database).unwrap();
        let error = InstanceLock::take(&database).unwrap_err();
        let StoreError::InUse { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(*holder, Holder::Process(std::process::id()));
        assert!(error.to_string().contains("stop that one"), "{error}");
        drop(lock);
        InstanceLock::take(&database).unwrap();
    }

    #[test]
    fn folder_that_is_a_file_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = InstanceLock::take(&file.join("a.db")).unwrap_err();
        assert!(matches!(&error, StoreError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("make it writable"), "{error}");
    }
}
