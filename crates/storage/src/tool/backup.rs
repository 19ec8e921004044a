//! Backups: one file each, complete and checked, of a bot that may be running.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::StoreConfig;
use crate::limits::{BACKUPS_KEPT, MIGRATION_BACKUPS_KEPT};
use crate::store::beside;

use super::files::{self, Contents, folder_of, is_abandoned, names, prune, remove, stamp, sync_file, sync_folder_of};
use super::swap::REPLACED;
use super::{ToolError, copy, settled};

/// How the names of backups begin.
const NAME: &str = "plimsoll-";
/// What stands in the name of one made before a migration.
const BEFORE: &str = "-before-";

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Where it is.
    pub file: PathBuf,
    /// What is in it: found by reading the finished file.
    pub contents: Contents,
}

/// Makes a backup in the folder of backups; the oldest beyond [`BACKUPS_KEPT`] go. A bot may be running on the database.
///
/// The backup is a SQLite file, of a database on a server too.
///
/// # Errors
/// When there is no such database or no folder, something cannot be read or written, or the file does not pass its check.
///
/// # Bounds
/// Reads a page or [`crate::limits::COPY_ROWS`] rows at a time. Until it is done the database's log cannot shrink.
///
/// # Cancel safety
/// Given up, or killed, only an unfinished file stays, which is removed after a day.
pub async fn backup(config: &StoreConfig) -> Result<Backup, ToolError> {
    let Some(folder) = config.backups() else {
        return Err(ToolError::Server { database: config.display(), instead: "name a file for the backup" });
    };
    let made = into_folder(config, &folder, "").await?;
    let backups = names(&folder, NAME)?.into_iter().filter(|name| name.ends_with(".db") && !name.contains(BEFORE)).collect();
    prune(&folder, backups, BACKUPS_KEPT, Some(&made.file))?;
    Ok(made)
}

/// Backups that were removed to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thinned {
    /// How many.
    pub files: usize,
    /// What they had, in bytes.
    pub bytes: u64,
}

/// Removes all backups of the folder of backups but the newest `kept`, whatever they were made for; and of the databases that others
/// took the place of, all but the newest `kept`. To be called when the disk is short of room.
///
/// # Errors
/// When a folder cannot be read or a file not be removed.
pub fn thin_backups(config: &StoreConfig, kept: usize) -> Result<Thinned, ToolError> {
    let mut done = Thinned::default();
    let mut thin = |folder: &Path, prefix: &str, ending: &str| {
        let mut old: Vec<String> = names(folder, prefix)?.into_iter().filter(|name| name.ends_with(ending)).collect();
        // Their names begin with the time, so that their order is that of the times.
        let gone = old.len().saturating_sub(kept);
        for name in &old[..gone] {
            done.files += 1;
            done.bytes += fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        }
        old.truncate(gone);
        prune(folder, old, 0, None)
    };
    if let Some(folder) = config.backups() {
        thin(&folder, NAME, ".db")?;
    }
    if let Some(path) = config.path()
        && let Some(name) = path.file_name().and_then(|name| name.to_str())
    {
        thin(&folder_of(path), &format!("{name}{REPLACED}"), "Z")?;
    }
    Ok(done)
}

/// Makes a backup in a file that is not there yet. A bot may be running on the database.
///
/// # Errors
/// As [`backup`], and when the file exists.
///
/// # Cancel safety
/// As [`backup`].
pub async fn backup_to(config: &StoreConfig, file: &Path) -> Result<Backup, ToolError> {
    if let Some(path) = config.path() {
        settled(path)?;
    }
    if file.exists() {
        return Err(ToolError::Exists { path: file.to_owned() });
    }
    let folder = folder_of(file);
    fs::create_dir_all(&folder).map_err(ToolError::file("make the folder", &folder))?;
    // Two at a time do not write one file.
    let part = beside(file, &format!(".{}.part", std::process::id()));
    remove(&part)?;
    let done = write(config, &part).await;
    if done.is_err() {
        remove(&part)?;
    }
    let contents = done?;
    // A second name instead of another one: what came there meanwhile is not overwritten.
    match fs::hard_link(&part, file) {
        Ok(()) => remove(&part)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            remove(&part)?;
            return Err(ToolError::Exists { path: file.to_owned() });
        }
        Err(_) => fs::rename(&part, file).map_err(ToolError::file("rename", &part))?,
    }
    sync_folder_of(file)?;
    Ok(Backup { file: file.to_owned(), contents })
}

/// Makes the backup before a database is brought up to a step; the oldest beyond [`MIGRATION_BACKUPS_KEPT`] go.
pub(super) async fn before_step(config: &StoreConfig, folder: &Path, step: &str) -> Result<PathBuf, ToolError> {
    let made = into_folder(config, folder, &format!("{BEFORE}{step}")).await?;
    let backups = names(folder, NAME)?.into_iter().filter(|name| name.ends_with(".db") && name.contains(BEFORE)).collect();
    prune(folder, backups, MIGRATION_BACKUPS_KEPT, Some(&made.file))?;
    Ok(made.file)
}

async fn into_folder(config: &StoreConfig, folder: &Path, ending: &str) -> Result<Backup, ToolError> {
    for name in names(folder, NAME)?.into_iter().filter(|name| name.ends_with(".part")) {
        let path = folder.join(name);
        if is_abandoned(&path) {
            remove(&path)?;
        }
    }
    let mut at = files::now();
    let name = |at| folder.join(format!("{NAME}{}{ending}.db", stamp(at)));
    while name(at).exists() {
        at = at + std::time::Duration::from_millis(1);
    }
    backup_to(config, &name(at)).await
}

async fn write(config: &StoreConfig, part: &Path) -> Result<Contents, ToolError> {
    if config.path().is_some() {
        files::vacuum_into(config, part).await?;
    } else {
        copy::into_file(config, part).await?;
    }
    sync_file(part)?;
    files::verify(part).await
}
