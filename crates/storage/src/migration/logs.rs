//! The sixth step: lines of the log.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds logs.
pub(super) struct LogsStep;

impl MigrationName for LogsStep {
    fn name(&self) -> &str {
        "m0006_logs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for LogsStep {
    /// Creates what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut logs = Table::create();
        logs.table(T::Logs).if_not_exists();
        logs.col(ColumnDef::new(C::Id).big_integer().not_null().auto_increment().primary_key());
        logs.col(ColumnDef::new(C::TimeNs).big_integer().not_null());
        logs.col(ColumnDef::new(C::Level).integer().not_null());
        logs.col(ColumnDef::new(C::Target).text().not_null());
        logs.col(ColumnDef::new(C::Message).text().not_null());
        logs.col(ColumnDef::new(C::Account).text().null());
        logs.col(ColumnDef::new(C::Symbol).text().null());
        manager.create_table(logs).await?;
        // Pages and the retention go by time; the level is in the index, so that rare levels are found without reading the rest.
        let mut index = Index::create();
        index.name("logs_time").table(T::Logs).if_not_exists().col(C::TimeNs).col(C::Id).col(C::Level);
        manager.create_index(index).await
    }
}

/// The table of this step.
#[derive(Clone, Copy, DeriveIden)]
enum T {
    Logs,
}

/// Columns of this step.
#[derive(Clone, Copy, DeriveIden)]
enum C {
    Id,
    TimeNs,
    Level,
    Target,
    Message,
    Account,
    Symbol,
}
