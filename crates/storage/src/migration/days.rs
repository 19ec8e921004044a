//! The tenth step: what each symbol did on each day.

use sea_orm::{ConnectionTrait, DeriveIden};
use sea_orm_migration::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Creates trading_days, with a row for each day that has executions or funding: all are still to be counted.
pub(super) struct Days;

impl MigrationName for Days {
    fn name(&self) -> &str {
        "m0010_trading_days"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Days {
    /// Creates what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use C::*;
        let mut table = Table::create();
        table.table(T::TradingDays).if_not_exists();
        table.col(ColumnDef::new(Account).text().not_null());
        table.col(ColumnDef::new(Symbol).text().not_null());
        table.col(ColumnDef::new(DayNs).big_integer().not_null());
        table.col(ColumnDef::new(Touched).big_integer().not_null().default(1));
        table.col(ColumnDef::new(Counted).big_integer().not_null().default(0));
        table.col(ColumnDef::new(Asset).text().not_null().default(""));
        for count in [Fills, Wins, Losses, OtherFees] {
            table.col(ColumnDef::new(count).big_integer().not_null().default(0));
        }
        for sum in [Turnover, Realized, SlotRealized, Fees, Funding] {
            table.col(ColumnDef::new(sum).text().not_null().default("0"));
        }
        table.primary_key(Index::create().col(Account).col(Symbol).col(DayNs).primary());
        manager.create_table(table).await?;
        let mut time = Index::create();
        time.name("trading_days_time").table(T::TradingDays).if_not_exists().col(Account).col(DayNs);
        manager.create_index(time).await?;
        // Whole numbers divide to whole numbers in both databases.
        for from in ["fills", "funding"] {
            let day = "time_ns / 86400000000000 * 86400000000000";
            manager
                .get_connection()
                .execute_unprepared(&format!(
                    "INSERT INTO trading_days (account, symbol, day_ns) SELECT DISTINCT account, symbol, {day} FROM {from} WHERE true \
                     ON CONFLICT DO NOTHING"
                ))
                .await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum T {
    TradingDays,
}

#[derive(Clone, Copy, DeriveIden)]
enum C {
    Account,
    Symbol,
    DayNs,
    Touched,
    Counted,
    Asset,
    Fills,
    Wins,
    Losses,
    OtherFees,
    Turnover,
    Realized,
    SlotRealized,
    Fees,
    Funding,
}
