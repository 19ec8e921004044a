//! The schema's steps: which are done, which are to be done, and how they are done so that nothing can be lost by it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use sea_orm_migration::MigratorTrait;

use crate::config::StoreConfig;
use crate::db::{Db, number};
use crate::error::StoreError;
use crate::lock::InstanceLock;
use crate::migration::Migrator;
use crate::pool::Pool;
use crate::vacuum::INCREMENTAL;
use crate::writer::log_path;

use super::{Source, ToolError, backup, files, settled, swap};

/// Steps of a database.
pub(crate) struct Steps {
    /// Known ones that are done, in their order.
    pub(crate) applied: Vec<String>, // tidy: bounded by the steps of the program
    /// Those to be done, in their order.
    pub(crate) pending: Vec<String>, // tidy: bounded by the steps of the program
    /// The newest of those done that this program does not know.
    pub(crate) newer: Option<String>,
}

/// Reads which steps a database has.
pub(crate) async fn read(from: &DatabaseTransaction, db: &Db) -> Result<Steps, StoreError> {
    let lift = |error| db.error(error);
    let there = if db.is_sqlite() {
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'"
    } else {
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'seaql_migrations'"
    };
    let mut done: Vec<String> = Vec::new();
    if number(from, there).await.map_err(lift)? > 0 {
        let sql = "SELECT version FROM seaql_migrations ORDER BY version LIMIT 10000";
        let rows = from.query_all_raw(Statement::from_string(from.get_database_backend(), sql)).await.map_err(lift)?;
        done = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>().map_err(lift)?;
    }
    let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let newer = done.iter().filter(|step| !known.contains(step)).max().cloned();
    let (applied, pending) = known.into_iter().partition(|step| done.contains(step));
    Ok(Steps { applied, pending, newer })
}

/// What bringing a database up to date would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Steps that are done, in their order; empty for a database that is not there yet.
    pub applied: Vec<String>, // tidy: bounded by the steps of the program
    /// Steps to be done, in their order.
    pub pending: Vec<String>, // tidy: bounded by the steps of the program
    /// Whether the file was made by an older version and never becomes smaller; [`loosen`] mends that.
    pub rigid: bool,
}

/// Reads what bringing a database up to date would do; changes nothing, and may be asked while a bot runs.
///
/// # Errors
/// When there is no such database, it cannot be read, or a newer version wrote it.
pub async fn plan(config: &StoreConfig) -> Result<Plan, ToolError> {
    if let Some(path) = config.path() {
        settled(path)?;
    }
    let db = Db::tool(config).await?;
    let found = async {
        let at = db.snapshot("storage.tool").await?;
        let rigid = db.is_sqlite() && number(&at, "PRAGMA auto_vacuum").await.map_err(|error| db.error(error))? != INCREMENTAL;
        Ok((read(&at, &db).await?, rigid))
    }
    .await;
    if let Err(error) = db.connection.close().await {
        tracing::debug!(%error, "a connection was not closed");
    }
    let (Steps { applied, pending, newer }, rigid) = found.map_err(|error: StoreError| ToolError::from(error))?;
    match newer {
        Some(found) => Err(StoreError::SchemaNewer { database: config.display(), found, known: Migrator::newest() }.into()),
        None => Ok(Plan { applied, pending, rigid }),
    }
}

/// What was done to bring a database up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Steps that were done, in their order; empty when nothing was to be done.
    pub done: Vec<String>, // tidy: bounded by the steps of the program
    /// The backup made before; `None` when nothing was to be done, or there was nothing to save.
    pub backup: Option<PathBuf>,
}

/// Brings a database up to date, after a backup: all steps, or none.
///
/// # Errors
/// When a bot has the database, it cannot be read or written, a newer version wrote it, or the backup cannot be made. Nothing
/// is changed then.
///
/// # Cancel safety
/// Given up, or killed, nothing is changed unless everything is done.
pub async fn migrate(config: &StoreConfig) -> Result<Migrated, ToolError> {
    if let Some(path) = config.path() {
        settled(path)?;
    }
    let _lock = config.path().map(InstanceLock::take).transpose()?;
    let db = Db::writer(config, &Arc::new(Pool::default())).await?;
    let done = bring_up(&db, config).await;
    if let Err(error) = db.connection.close().await {
        tracing::debug!(%error, "a connection was not closed");
    }
    Ok(done?)
}

/// What was done so that a file can become smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loosened {
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file now.
    pub after: u64,
    /// Where the file is that was there before; it may be deleted.
    pub replaced: Option<PathBuf>,
}

/// Has a copy that can give pages back take the place of a file of an older version, which never becomes smaller; `None` when there
/// is nothing to do. The file before is kept beside it under a dated name.
///
/// # Errors
/// When a bot has the database, the disk has not the room for the copy, or the copy is not what it should be. Nothing is changed
/// then.
///
/// # Cancel safety
/// Given up, or killed: either the old file is there or the new one.
pub async fn loosen(config: &StoreConfig) -> Result<Option<Loosened>, ToolError> {
    let Some(path) = config.path() else { return Ok(None) };
    settled(path)?;
    let _lock = InstanceLock::take(path)?;
    let source = Source::open(config).await?;
    let rigid = files::is_rigid(&source).await;
    source.close().await;
    if !rigid? {
        return Ok(None);
    }
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    // What is still in the log belongs to it.
    let before = size(path);
    let needed = before + size(&log_path(path));
    let folder = files::folder_of(path);
    if let Some(free) = files::free_bytes(&folder)
        && free < needed + needed / 16
    {
        return Err(ToolError::NoRoom { database: config.display(), needed: needed + needed / 16, folder, free });
    }
    let part = swap::new_part(path)?;
    files::vacuum_into(config, &part).await?;
    files::verify(&part).await?;
    let replaced = swap::publish(&part, path)?;
    Ok(Some(Loosened { before, after: size(path), replaced }))
}

/// Does the steps that are to be done, in one transaction, after a backup of what is there. The caller holds the lock.
pub(crate) async fn bring_up(db: &Db, config: &StoreConfig) -> Result<Migrated, StoreError> {
    // On a server this is where the lock shows.
    let found = {
        let at = db.begin("storage.open").await?;
        if db.is_sqlite() {
            // A file that may not be written shows at the first write only. This one is taken back.
            at.execute_unprepared("PRAGMA user_version = 0").await.map_err(|error| db.error(error))?;
        }
        read(&at, db).await?
    };
    if let Some(found) = found.newer {
        return Err(StoreError::SchemaNewer { database: db.name.clone(), found, known: Migrator::newest() });
    }
    let Some(last) = found.pending.last() else { return Ok(Migrated { done: Vec::new(), backup: None }) };
    let mut saved = None;
    if !found.applied.is_empty() {
        match config.backups() {
            Some(folder) => {
                let made = backup::before_step(config, &folder, last).await;
                let made = made.map_err(|error| StoreError::Backup { database: db.name.clone(), source: Arc::new(error) })?;
                tracing::info!(file = %made.display(), steps = found.pending.len(), "backup made before the database is brought up to date");
                saved = Some(made);
            }
            None => tracing::warn!(database = db.name, "no folder for a backup is known: the steps are done without one"),
        }
    }
    let at = db.begin("storage.migrate").await?;
    Migrator::up(&*at, None).await.map_err(|error| db.error(error))?;
    db.commit(at).await?;
    Ok(Migrated { done: found.pending, backup: saved })
}

/// Does the first `steps` steps of a new database, within a transaction.
pub(crate) async fn make(at: &DatabaseTransaction, steps: usize, db: &Db) -> Result<(), StoreError> {
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    Migrator::up(at, Some(steps)).await.map_err(|error| db.error(error))
}
