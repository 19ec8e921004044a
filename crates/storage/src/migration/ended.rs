//! The ninth step: the retention finds the oldest orders without looking at all of them.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::Index;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Creates an index of orders by time alone.
pub(super) struct Ended;

impl MigrationName for Ended {
    fn name(&self) -> &str {
        "m0009_orders_by_time"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Ended {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::create();
        index.name("orders_ended").table(T::Orders).if_not_exists().col(C::TimeNs).col(C::Id);
        manager.create_index(index).await
    }
}

#[derive(DeriveIden)]
enum T {
    Orders,
}

#[derive(DeriveIden)]
enum C {
    TimeNs,
    Id,
}
