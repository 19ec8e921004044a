//! The eighth step: each funding payment, not only their sum.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Creates funding.
pub(super) struct Funding;

impl MigrationName for Funding {
    fn name(&self) -> &str {
        "m0008_funding"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Funding {
    /// Creates what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table(T::Funding).if_not_exists();
        table.col(ColumnDef::new(C::Account).text().not_null());
        table.col(ColumnDef::new(C::Symbol).text().not_null());
        table.col(ColumnDef::new(C::TimeNs).big_integer().not_null());
        table.col(ColumnDef::new(C::Amount).text().not_null());
        table.col(ColumnDef::new(C::Asset).text().not_null());
        // A symbol is paid once at an instant: told again after a restart, it is the same payment.
        table.primary_key(Index::create().col(C::Account).col(C::Symbol).col(C::TimeNs).primary());
        manager.create_table(table).await?;
        let mut time = Index::create();
        manager.create_index(time.name("funding_time").table(T::Funding).if_not_exists().col(C::TimeNs).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum T {
    Funding,
}

#[derive(DeriveIden)]
enum C {
    Account,
    Symbol,
    TimeNs,
    Amount,
    Asset,
}
