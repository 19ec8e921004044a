//! Work on a whole database beside the bot: backups, going back to one, checking, bringing up to date, copying, exporting.
//!
//! What only reads may do so while a bot runs; what writes takes the bot's lock first. Everything is done in batches, so that
//! memory does not grow with the database.

mod backup;
mod catalogue;
mod check;
mod copy;
mod error;
mod export;
mod files;
mod steps;
mod swap;

pub use backup::{Backup, Thinned, backup, backup_to, thin_backups};
pub use check::{Advice, Finding, Findings, Weight, check};
pub use copy::{Copied, CopiedTable, Progress, Replace, copy};
pub use error::ToolError;
pub use export::{EquitySample, Export, FillLine, FundingLine, OrderLine};
pub use files::{Contents, TableRows};
pub use steps::{Loosened, Migrated, Plan, loosen, migrate, plan};
pub use swap::{Restored, restore};

pub(crate) use steps::bring_up;
pub(crate) use swap::finish;

use std::path::Path;

use sea_orm::DatabaseTransaction;

use crate::config::StoreConfig;
use crate::db::Db;
use crate::lock::InstanceLock;
use crate::pool::Held;

/// A database as it was at one instant.
pub(crate) struct Source {
    pub(crate) db: Db,
    pub(crate) at: Held<DatabaseTransaction>,
}

impl Source {
    /// Opens a database to read; a bot that runs on it is not disturbed.
    pub(crate) async fn open(config: &StoreConfig) -> Result<Self, ToolError> {
        if let Some(path) = config.path() {
            settled(path)?;
        }
        let db = Db::tool(config).await?;
        Self::of(db, config).await
    }

    /// Opens a file that nobody writes.
    pub(crate) async fn frozen(config: &StoreConfig) -> Result<Self, ToolError> {
        let db = Db::frozen(config).await?;
        Self::of(db, config).await
    }

    async fn of(db: Db, config: &StoreConfig) -> Result<Self, ToolError> {
        let at = db.snapshot("storage.tool").await?;
        let steps = steps::read(&at, &db).await?;
        if let Some(found) = steps.newer {
            let error = crate::StoreError::SchemaNewer { database: config.display(), found, known: crate::migration::Migrator::newest() };
            return Err(error.into());
        }
        if steps.applied.is_empty() {
            return Err(ToolError::Foreign { database: config.display() });
        }
        Ok(Self { db, at })
    }

    /// Gives the connection back, so that no file stays beside the database.
    pub(crate) async fn close(self) {
        let Self { db, at } = self;
        drop(at);
        if let Err(error) = db.connection.close().await {
            tracing::debug!(%error, "a connection was not closed");
        }
    }
}

/// Sees to it that a database file is there, and not in the middle of a restore that was cut short.
pub(crate) fn settled(path: &Path) -> Result<(), ToolError> {
    if swap::incoming(path)?.is_some() {
        let _lock = InstanceLock::take(path)?;
        swap::finish(path)?;
    }
    if path.is_file() {
        return Ok(());
    }
    Err(ToolError::Missing { path: path.to_owned() })
}
