//! One process a database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Holder, StoreError};
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
