//! What the whole numbers of prices and quantities mean: the digits after the point of each symbol.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds instruments.
pub(super) struct Instruments;

impl MigrationName for Instruments {
    fn name(&self) -> &str {
        "m0007_instruments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Instruments {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table(T::Instruments).if_not_exists();
        for column in [C::Account, C::Symbol, C::Base, C::Quote] {
            table.col(ColumnDef::new(column).text().not_null());
        }
        for column in [C::PriceScale, C::QtyScale] {
            table.col(ColumnDef::new(column).integer().not_null());
        }
        table.primary_key(Index::create().col(C::Account).col(C::Symbol).primary());
        manager.create_table(table).await
    }
}

#[derive(DeriveIden)]
enum T {
    Instruments,
}

#[derive(DeriveIden)]
enum C {
    Account,
    Symbol,
    Base,
    Quote,
    PriceScale,
    QtyScale,
}
