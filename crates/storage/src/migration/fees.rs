//! The fifth step: fees paid in other assets.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds totals.other_fees, totals.waiting_fees, totals.waiting_asset and totals.waiting_fills.
pub(super) struct Fees;

impl MigrationName for Fees {
    fn name(&self) -> &str {
        "m0005_fees"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Fees {
    /// Adds what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("other_fees", ColumnDef::new(C::OtherFees).text().not_null().default("0").to_owned()),
            ("waiting_fees", ColumnDef::new(C::WaitingFees).text().null().to_owned()),
            ("waiting_asset", ColumnDef::new(C::WaitingAsset).text().null().to_owned()),
            ("waiting_fills", ColumnDef::new(C::WaitingFills).big_integer().not_null().default(0).to_owned()),
        ];
        for (name, column) in columns {
            if !manager.has_column("totals", name).await? {
                manager.alter_table(Table::alter().table(T::Totals).add_column(column).to_owned()).await?;
            }
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum T {
    Totals,
}

#[derive(DeriveIden)]
enum C {
    OtherFees,
    WaitingFees,
    WaitingAsset,
    WaitingFills,
}
