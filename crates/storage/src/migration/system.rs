//! The second step: figures of the process.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds system_metrics and system_metrics_daily.
pub(super) struct System;

impl MigrationName for System {
    fn name(&self) -> &str {
        "m0002_system"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for System {
    /// Creates what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use Column as C;
        let mut detail = Table::create();
        detail.table(T::SystemMetrics).if_not_exists();
        detail.col(ColumnDef::new(C::TimeNs).big_integer().not_null().primary_key());
        let figures = [
            C::CpuMilli,
            C::Rss,
            C::Anonymous,
            C::Allocated,
            C::Active,
            C::Resident,
            C::Mapped,
            C::Retained,
            C::CgroupUsed,
            C::CgroupLimit,
            C::LedgerUsed,
            C::Tasks,
            C::Threads,
            C::OpenFiles,
            C::Purges,
            C::Rung,
        ];
        for figure in figures {
            detail.col(ColumnDef::new(figure).big_integer().null());
        }
        detail.col(ColumnDef::new(C::Rolled).boolean().not_null());
        manager.create_table(detail).await?;

        let mut daily = Table::create();
        daily.table(T::SystemMetricsDaily).if_not_exists();
        daily.col(ColumnDef::new(C::DayNs).big_integer().not_null().primary_key());
        daily.col(ColumnDef::new(C::Samples).big_integer().not_null());
        let figures = [
            [C::RssCount, C::RssSum, C::RssMin, C::RssMax],
            [C::CpuCount, C::CpuSum, C::CpuMin, C::CpuMax],
            [C::TasksCount, C::TasksSum, C::TasksMin, C::TasksMax],
            [C::AllocatedCount, C::AllocatedSum, C::AllocatedMin, C::AllocatedMax],
        ];
        for [count, sum, min, max] in figures {
            daily.col(ColumnDef::new(count).big_integer().not_null());
            // A day's sum of bytes may need more than 64 bits.
            daily.col(ColumnDef::new(sum).text().not_null());
            daily.col(ColumnDef::new(min).big_integer().not_null());
            daily.col(ColumnDef::new(max).big_integer().not_null());
        }
        manager.create_table(daily).await?;

        let mut index = Index::create();
        index.name("system_metrics_rolled").table(T::SystemMetrics).if_not_exists().col(C::Rolled).col(C::TimeNs);
        manager.create_index(index).await
    }
}

/// Tables of this step.
#[derive(Clone, Copy, DeriveIden)]
enum T {
    SystemMetrics,
    SystemMetricsDaily,
}

/// Columns of this step.
#[derive(Clone, Copy, DeriveIden)]
enum Column {
    TimeNs,
    CpuMilli,
    Rss,
    Anonymous,
    Allocated,
    Active,
    Resident,
    Mapped,
    Retained,
    CgroupUsed,
    CgroupLimit,
    LedgerUsed,
    Tasks,
    Threads,
    OpenFiles,
    Purges,
    Rung,
    Rolled,
    DayNs,
    Samples,
    RssCount,
    RssSum,
    RssMin,
    RssMax,
    CpuCount,
    CpuSum,
    CpuMin,
    CpuMax,
    TasksCount,
    TasksSum,
    TasksMin,
    TasksMax,
    AllocatedCount,
    AllocatedSum,
    AllocatedMin,
    AllocatedMax,
}
