//! The twelfth step: grids whose levels are a ratio apart.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds state.grid_ratio.
pub(super) struct Grid;

impl MigrationName for Grid {
    fn name(&self) -> &str {
        "m0012_grid"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Grid {
    /// Adds what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_column("state", "grid_ratio").await? {
            return Ok(());
        }
        let ratio = ColumnDef::new(C::GridRatio).big_integer().null().to_owned();
        manager.alter_table(Table::alter().table(T::State).add_column(ratio).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum T {
    State,
}

#[derive(DeriveIden)]
enum C {
    GridRatio,
}
