//! The schema's steps: which are done, which are to be done, and how they are done so that nothing can be lost by it.

use std::path::PathBuf;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use sea_orm_migration::MigratorTrait;

use crate::config::StoreConfig;
use crate::db::{Db, number};
use crate::error::StoreError;
use crate::lock::InstanceLock;
use crate::migration::Migrator;
use crate::pool::Pool;

use super::{ToolError, backup, settled};

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
        read(&at, &db).await
    }
    .await;
    if let Err(error) = db.connection.close().await {
        tracing::debug!(%error, "a connection was not closed");
    }
    let Steps { applied, pending, newer } = found?;
    match newer {
        Some(found) => Err(StoreError::SchemaNewer { database: config.display(), found, known: Migrator::newest() }.into()),
        None => Ok(Plan { applied, pending }),
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
