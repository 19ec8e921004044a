//! The eleventh step: what a strategy must know again after a restart.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds state.memo.
pub(super) struct MemoStep;

impl MigrationName for MemoStep {
    fn name(&self) -> &str {
        "m0011_memo"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for MemoStep {
    /// Adds what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_column("state", "memo").await? {
            return Ok(());
        }
        let memo = ColumnDef::new(Column::Memo).text().null().to_owned();
        manager.alter_table(Table::alter().table(T::State).add_column(memo).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum T {
    State,
}

#[derive(DeriveIden)]
enum Column {
    Memo,
}
