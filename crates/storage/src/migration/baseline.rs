//! The third step: where trading of a symbol began.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds state.baseline.
pub(super) struct Baseline;

impl MigrationName for Baseline {
    fn name(&self) -> &str {
        "m0003_baseline"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Baseline {
    /// Adds what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_column("state", "baseline").await? {
            return Ok(());
        }
        let column = ColumnDef::new(C::Baseline).big_integer().null().to_owned();
        manager.alter_table(Table::alter().table(T::State).add_column(column).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum T {
    State,
}

#[derive(DeriveIden)]
enum C {
    Baseline,
}
