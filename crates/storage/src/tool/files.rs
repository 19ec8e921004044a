//! Files of databases: their names, what is in them, and how they come to stay.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use plimsoll_market::Time;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::config::StoreConfig;
use crate::db::{Db, number};
use crate::error::StoreError;
use crate::limits::{FOLDER_NAMES_MAX, UNFINISHED_AGE};
use crate::store::beside;
use crate::vacuum::INCREMENTAL;

use super::catalogue::{self, count};
use super::{Source, ToolError, steps};

/// What a database file was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Bytes of the file.
    pub bytes: u64,
    /// The newest migration in it.
    pub step: String,
    /// Rows of each table, by name.
    pub tables: Vec<TableRows>, // tidy: bounded by TABLES_MAX
}

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRows {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

/// Opens a file that nobody writes and has SQLite check all of it.
pub(super) async fn verify(path: &Path) -> Result<Contents, ToolError> {
    let config = StoreConfig::of_file(path);
    let source = Source::frozen(&config).await?;
    let done = contents(&source, path).await;
    source.close().await;
    done
}

async fn contents(source: &Source, path: &Path) -> Result<Contents, ToolError> {
    if let Some(what) = self_check(source).await?.into_iter().next() {
        return Err(ToolError::Broken { database: path.display().to_string(), what });
    }
    let found = steps::read(&source.at, &source.db).await?;
    let mut tables = Vec::new();
    for table in catalogue::tables(&source.at, &source.db).await? {
        let rows = count(&source.at, &source.db, &table).await?;
        tables.push(TableRows { table: table.name, rows });
    }
    let bytes = fs::metadata(path).map_err(ToolError::file("read", path))?.len();
    Ok(Contents { bytes, step: found.applied.last().cloned().unwrap_or_default(), tables })
}

/// Has SQLite check its own pages, indexes and keys; the first complaints, a line each. A server checks itself.
pub(super) async fn self_check(source: &Source) -> Result<Vec<String>, ToolError> {
    let mut lines = Vec::new();
    if !source.db.is_sqlite() {
        return Ok(lines);
    }
    for (sql, good) in [("PRAGMA integrity_check(20)", Some("ok")), ("PRAGMA foreign_key_check", None)] {
        let rows = source.at.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.map_err(|error| source.db.error(error))?;
        for row in rows.into_iter().take(20) {
            let text: String = row.try_get_by_index(0).map_err(|error| source.db.error(error))?;
            if good != Some(text.as_str()) {
                // Several complaints can come as lines of one text.
                lines.extend(text.lines().take(20).map(|line| line.chars().take(200).collect::<String>()));
            }
        }
    }
    lines.retain(|line| !line.starts_with("*** in database"));
    lines.truncate(20);
    Ok(lines)
}

/// Writes a copy of a SQLite database, its log included, to a file that is not there yet. What an error leaves of it is removed.
pub(super) async fn vacuum_into(config: &StoreConfig, to: &Path) -> Result<(), ToolError> {
    use sea_orm::sqlx;
    // SQLite takes an empty file; so the system itself says why there cannot be one.
    File::create(to).map_err(ToolError::file("write", to))?;
    let db = Db::tool(config).await?;
    let lift = |error: sqlx::Error| db.error(sea_orm::DbErr::Exec(sea_orm::RuntimeErr::SqlxError(std::sync::Arc::new(error))));
    let done = async {
        let mut held = db.connection.get_sqlite_connection_pool().acquire().await.map_err(lift)?;
        let mode: i64 = sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(&mut *held).await.map_err(lift)?;
        // A copy can give pages back, even if its original cannot. Of the original nothing changes by this, and where it may not
        // be written, the driver remembers all the same what was asked for.
        if mode == 0
            && let Err(error) = sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut *held).await
        {
            tracing::debug!(%error, "the original may not be written");
        }
        let query = sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy().into_owned());
        query.execute(&mut *held).await.map(drop).map_err(lift)
    }
    .await;
    if let Err(error) = db.connection.close().await {
        tracing::debug!(%error, "a connection was not closed");
    }
    let Err(error) = done else { return Ok(()) };
    for ending in ["-journal", ""] {
        remove(&beside(to, ending))?;
    }
    // The source is only read: what is full is where the copy goes.
    Err(if matches!(error, StoreError::Full { .. }) { ToolError::Full { path: to.to_owned() } } else { error.into() })
}

/// Tells whether a file was made so that it cannot give pages back: an older version did.
pub(super) async fn is_rigid(source: &Source) -> Result<bool, ToolError> {
    if !source.db.is_sqlite() {
        return Ok(false);
    }
    let mode = number(&source.at, "PRAGMA auto_vacuum").await.map_err(|error| source.db.error(error))?;
    Ok(mode != INCREMENTAL)
}

/// Free space of the file system of a folder, in bytes; `None` where it is not told.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Sees to it that a file's content survives a power cut.
pub(super) fn sync_file(path: &Path) -> Result<(), ToolError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(ToolError::file("write", path))
}

/// Sees to it that the names in a folder survive a power cut.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), ToolError> {
    let folder = folder_of(path);
    File::open(&folder).and_then(|file| file.sync_all()).map_err(ToolError::file("write in", &folder))
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), ToolError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ToolError::file("remove", path)(error)),
    }
}

/// Names in a folder that begin so, in their order; the first [`FOLDER_NAMES_MAX`] of the folder are looked at.
pub(super) fn names(folder: &Path, prefix: &str) -> Result<Vec<String>, ToolError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ToolError::file("read", folder)(error)),
    };
    let names = entries.take(FOLDER_NAMES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort_unstable();
    Ok(names)
}

/// Removes the oldest of some names of a folder, and what stands beside them, so that `kept` stay, `made` in any case: a clock that
/// was set back makes the newest look old.
pub(super) fn prune(folder: &Path, mut names: Vec<String>, kept: usize, made: Option<&Path>) -> Result<(), ToolError> {
    let gone = names.len().saturating_sub(kept);
    names.retain(|name| made.is_none_or(|made| made != folder.join(name)));
    let gone = gone.min(names.len());
    for name in names.drain(..gone) {
        for ending in ["-wal", "-shm", ""] {
            remove(&folder.join(format!("{name}{ending}")))?;
        }
    }
    Ok(())
}

/// Whether a file was left by work that cannot be going on any more.
pub(super) fn is_abandoned(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|file| file.modified()).map(|at| SystemTime::now().duration_since(at).unwrap_or(Duration::ZERO));
    age.is_ok_and(|age| age > UNFINISHED_AGE)
}

/// The clock of the system, for names of files.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time::from_millis(u64::try_from(since.as_millis()).unwrap_or(0))
}

/// Writes a time as names of files have it: `20261123T161116.123Z`. Their order is that of the times.
pub(super) fn stamp(time: Time) -> String {
    let seconds = time.millis() / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for days since 1970: years begin in March, so that the leap day is the last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, milli) = (second / 3_600, second / 60 % 60, time.millis() % 1_000);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{:02}.{milli:03}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_calendar_times() {
        let known = [
            (0, "19700101T000000.000Z"),
            (951_782_399, "20000228T235959.000Z"),
            (951_782_400, "20000229T000000.000Z"),
            (951_868_800, "20000301T000000.000Z"),
            (1_709_164_800, "20240229T000000.000Z"),
            (1_735_689_599, "20241231T235959.000Z"),
            (1_795_450_276, "20261123T161116.000Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(stamp(Time::from_millis(seconds * 1_000)), text, "{seconds}");
        }
    }

    #[test]
    fn the_oldest_go_and_what_stands_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a-1", "a-1-wal", "a-2", "a-3", "b-0"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let of_a = names(folder.path(), "a-").unwrap().into_iter().filter(|name| !name.ends_with("-wal")).collect();
        prune(folder.path(), of_a, 2, None).unwrap();
        assert_eq!(names(folder.path(), "").unwrap(), ["a-2", "a-3", "b-0"]);
        let of_a = names(folder.path(), "a-").unwrap();
        prune(folder.path(), of_a, 1, Some(&folder.path().join("a-2"))).unwrap();
        assert_eq!(names(folder.path(), "").unwrap(), ["a-2", "b-0"]);
        assert!(names(&folder.path().join("nowhere"), "").unwrap().is_empty());
    }
}
