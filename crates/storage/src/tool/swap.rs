//! One database file in the place of another, so that at any instant either the old one or the new one is there.
//!
//! The new file is complete, checked and on the disk under a name of its own before one renaming decides. What is left to do
//! after that is done again by whoever opens the database next, should it be cut short.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::StoreConfig;
use crate::limits::REPLACED_KEPT;
use crate::lock::InstanceLock;
use crate::store::beside;

use super::files::{self, Contents, folder_of, names, prune, remove, stamp, sync_file, sync_folder_of};
use super::{Source, ToolError};

/// A file under this ending, and the time, is to take the database's place.
const INCOMING: &str = ".incoming-";
/// A database that was replaced has this ending, and the time.
pub(super) const REPLACED: &str = ".replaced-";
/// A file that is being written.
const PART: &str = ".part";

/// What going back to a backup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the restored database holds.
    pub contents: Contents,
    /// Where the database is that was there before; `None` when there was none.
    pub replaced: Option<PathBuf>,
}

/// Puts a backup in the place of a SQLite database, after checking all of it; the database before is kept beside it under a dated
/// name.
///
/// # Errors
/// When a bot has the database, or the file is missing, damaged, something else, or of a newer version. Nothing is changed then.
///
/// # Cancel safety
/// Given up, or killed: either the old database is there or the new one.
pub async fn restore(config: &StoreConfig, file: &Path) -> Result<Restored, ToolError> {
    let Some(database) = config.path() else {
        let instead = "run `plimsoll db copy --from sqlite:FILE --to env:NAME --replace`, with the server's url in that variable";
        return Err(ToolError::Server { database: config.display(), instead });
    };
    if !file.is_file() {
        return Err(ToolError::Missing { path: file.to_owned() });
    }
    let _lock = InstanceLock::take(database)?;
    finish(database)?;
    if is_same(file, database) {
        return Err(ToolError::Same { database: config.display() });
    }
    let part = new_part(database)?;
    let from = config.with_file(file);
    // Whether it is ours, and not too new, before anything is written.
    let log = beside(file, "-wal");
    let source = if fs::metadata(&log).is_ok_and(|log| log.len() > 0) { Source::open(&from).await? } else { Source::frozen(&from).await? };
    let complaint = files::self_check(&source).await;
    source.close().await;
    if let Some(what) = complaint?.into_iter().next() {
        return Err(ToolError::Broken { database: from.display(), what });
    }
    let contents = match filled(&from, &part).await {
        Ok(contents) => contents,
        Err(error) => {
            remove(&part)?;
            return Err(error);
        }
    };
    let replaced = publish(&part, database)?;
    Ok(Restored { contents, replaced })
}

/// Writes the successor of a database and looks through all of it.
async fn filled(from: &StoreConfig, part: &Path) -> Result<Contents, ToolError> {
    files::vacuum_into(from, part).await?;
    sync_file(part)?;
    files::verify(part).await
}

/// Names the file in which a database's successor is written, and removes what an attempt before left of it.
pub(super) fn new_part(database: &Path) -> Result<PathBuf, ToolError> {
    let part = beside(database, PART);
    for ending in ["-wal", "-shm", "-journal", ""] {
        remove(&beside(&part, ending))?;
    }
    Ok(part)
}

/// Has a complete file take a database's place; returns where the one before is. The caller holds the lock.
pub(super) fn publish(part: &Path, database: &Path) -> Result<Option<PathBuf>, ToolError> {
    sync_file(part)?;
    // An instant at which two restores end has two names all the same.
    let mut at = files::now();
    while beside(database, &format!("{REPLACED}{}", stamp(at))).exists() {
        at = at + std::time::Duration::from_millis(1);
    }
    let incoming = beside(database, &format!("{INCOMING}{}", stamp(at)));
    // From here on the new one counts.
    fs::rename(part, &incoming).map_err(ToolError::file("rename", part))?;
    sync_folder_of(database)?;
    finish(database)
}

/// Tells whether a file is to take a database's place.
pub(super) fn incoming(database: &Path) -> Result<Option<PathBuf>, ToolError> {
    let Some(name) = database.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let folder = folder_of(database);
    Ok(names(&folder, &format!("{name}{INCOMING}"))?.pop().map(|name| folder.join(name)))
}

/// Does what is left to do for a file that is to take a database's place; returns where the one before is. The caller holds the
/// lock.
pub(crate) fn finish(database: &Path) -> Result<Option<PathBuf>, ToolError> {
    let Some(incoming) = incoming(database)? else { return Ok(None) };
    let at = incoming.to_string_lossy().rsplit(INCOMING).next().unwrap_or_default().to_owned();
    let replaced = beside(database, &format!("{REPLACED}{at}"));
    if database.exists() && !replaced.exists() {
        keep(database, &replaced)?;
    }
    // A log belongs to its own database: beside the new one it would be played into it.
    let log = beside(database, "-wal");
    if log.exists() {
        fs::rename(&log, beside(&replaced, "-wal")).map_err(ToolError::file("rename", &log))?;
    }
    remove(&beside(database, "-shm"))?;
    sync_folder_of(database)?;
    fs::rename(&incoming, database).map_err(ToolError::file("rename", &incoming))?;
    sync_folder_of(database)?;
    if let Some(name) = database.file_name().and_then(|name| name.to_str()) {
        let folder = folder_of(database);
        let mut old = names(&folder, &format!("{name}{REPLACED}"))?;
        old.retain(|name| name.ends_with('Z'));
        prune(&folder, old, REPLACED_KEPT, Some(&replaced))?;
    }
    tracing::info!(database = %database.display(), "another file took the database's place");
    Ok(replaced.exists().then_some(replaced))
}

/// Gives a database a second name, so that the first is never missing; where the system has no second names, a copy.
fn keep(database: &Path, to: &Path) -> Result<(), ToolError> {
    if fs::hard_link(database, to).is_ok() {
        return Ok(());
    }
    let part = beside(to, PART);
    if let Err(error) = fs::copy(database, &part) {
        remove(&part)?;
        return Err(ToolError::file("write", &part)(error));
    }
    sync_file(&part)?;
    fs::rename(&part, to).map_err(ToolError::file("rename", &part))
}

/// Whether two paths lead to one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state that a kill can leave behind, from the renaming that decides on.
    #[test]
    fn what_was_cut_short_is_finished_from_every_step() {
        for step in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let database = folder.path().join("a.db");
            let (replaced, log) = (beside(&database, ".replaced-20260101T000000Z"), beside(&database, "-wal"));
            fs::write(&database, "old").unwrap();
            fs::write(&log, "old log").unwrap();
            fs::write(beside(&database, "-shm"), "index").unwrap();
            let incoming = beside(&database, ".incoming-20260101T000000Z");
            fs::write(&incoming, "new").unwrap();
            if step >= 1 {
                fs::hard_link(&database, &replaced).unwrap();
            }
            if step >= 2 {
                fs::rename(&log, beside(&replaced, "-wal")).unwrap();
            }
            if step >= 3 {
                remove(&beside(&database, "-shm")).unwrap();
            }
            if step >= 4 {
                fs::rename(&incoming, &database).unwrap();
            }
            let told = finish(&database).unwrap();
            assert_eq!(told.is_some(), step < 4, "step {step}");
            let read = |path: &Path| fs::read_to_string(path).unwrap();
            assert_eq!((read(&database).as_str(), read(&replaced).as_str()), ("new", "old"), "step {step}");
            assert_eq!(read(&beside(&replaced, "-wal")), "old log", "step {step}");
            assert!(!log.exists() && !incoming.exists() && !beside(&database, "-shm").exists(), "step {step}");
            assert_eq!(finish(&database).unwrap(), None, "once is enough");
        }
    }

    #[test]
    fn few_replaced_databases_stay() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.db");
        for n in 0..6 {
            let part = new_part(&database).unwrap();
            fs::write(&part, n.to_string()).unwrap();
            let replaced = publish(&part, &database).unwrap();
            assert_eq!(replaced.is_some(), n > 0, "{n}");
            assert_eq!(fs::read_to_string(&database).unwrap(), n.to_string());
        }
        let old = names(folder.path(), "a.db.replaced-").unwrap();
        let kept: Vec<String> = old.iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap()).collect();
        assert_eq!(kept, ["2", "3", "4"]);
    }
}
