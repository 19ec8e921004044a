//! The fourth step: what the risk rules must remember.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds state.lock_rule, state.lock_until_ns, state.closing, state.idle, totals.funded_ns and account_state.
pub(super) struct Risk;

impl MigrationName for Risk {
    fn name(&self) -> &str {
        "m0004_risk"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Risk {
    /// Adds what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("lock_rule", ColumnDef::new(C::LockRule).text().null().to_owned()),
            ("lock_until_ns", ColumnDef::new(C::LockUntilNs).big_integer().null().to_owned()),
            ("idle", ColumnDef::new(C::Idle).boolean().not_null().default(false).to_owned()),
            ("closing", ColumnDef::new(C::Closing).boolean().not_null().default(false).to_owned()),
        ];
        for (name, column) in columns {
            if !manager.has_column("state", name).await? {
                manager.alter_table(Table::alter().table(T::State).add_column(column).to_owned()).await?;
            }
        }
        if !manager.has_column("totals", "funded_ns").await? {
            let funded = ColumnDef::new(C::FundedNs).big_integer().not_null().default(0).to_owned();
            manager.alter_table(Table::alter().table(T::Totals).add_column(funded).to_owned()).await?;
        }
        let mut account = Table::create();
        account.table(T::AccountState).if_not_exists();
        account.col(ColumnDef::new(C::Account).text().not_null().primary_key());
        account.col(ColumnDef::new(C::Peak).text().not_null());
        account.col(ColumnDef::new(C::Latched).text().null());
        account.col(ColumnDef::new(C::Day).big_integer().not_null());
        account.col(ColumnDef::new(C::DayStart).text().not_null());
        account.col(ColumnDef::new(C::DayLost).boolean().not_null());
        account.col(ColumnDef::new(C::Basis).text().null());
        manager.create_table(account).await
    }
}

#[derive(DeriveIden)]
enum T {
    State,
    Totals,
    AccountState,
}

#[derive(DeriveIden)]
enum C {
    LockRule,
    LockUntilNs,
    Closing,
    Idle,
    Basis,
    FundedNs,
    Account,
    Peak,
    Latched,
    Day,
    DayStart,
    DayLost,
}
