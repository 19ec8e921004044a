//! The eleventh step: grids whose levels are a ratio apart, and whose bounds follow the price.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds state.grid_ratio and state.grid_shift.
pub(super) struct Grid;

impl MigrationName for Grid {
    fn name(&self) -> &str {
        "m0011_grid"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Grid {
    /// Adds what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("grid_ratio", ColumnDef::new(C::GridRatio).big_integer().null().to_owned()),
            ("grid_shift", ColumnDef::new(C::GridShift).big_integer().not_null().default(0).to_owned()),
        ];
        for (name, column) in columns {
            if !manager.has_column("state", name).await? {
                manager.alter_table(Table::alter().table(T::State).add_column(column).to_owned()).await?;
            }
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum T {
    State,
}

#[derive(DeriveIden)]
enum C {
    GridRatio,
    GridShift,
}
