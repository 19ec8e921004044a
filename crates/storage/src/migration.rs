//! The schema, step by step. A step never changes once it was released; a further one is added behind it.

mod baseline;
mod days;
mod ended;
mod fees;
mod funding;
mod grid;
mod instruments;
mod login;
mod logs;
mod memo;
mod risk;
mod system;

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Iden, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait};

/// All steps in their order.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Books),
            Box::new(system::System),
            Box::new(baseline::Baseline),
            Box::new(risk::Risk),
            Box::new(fees::Fees),
            Box::new(logs::LogsStep),
            Box::new(instruments::Instruments),
            Box::new(funding::Funding),
            Box::new(ended::Ended),
            Box::new(days::Days),
            Box::new(memo::MemoStep),
            Box::new(grid::Grid),
            Box::new(login::Login),
        ]
    }
}

impl Migrator {
    /// Names the newest step that this program knows.
    pub(crate) fn newest() -> String {
        Self::migrations().last().map(|step| step.name().to_owned()).unwrap_or_default()
    }
}

/// The first schema: state, runs, orders, fills, slots, totals, equity, events.
struct Books;

impl MigrationName for Books {
    fn name(&self) -> &str {
        "m0001_books"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Books {
    /// Creates what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use Column as C;
        let text = |column: C| ColumnDef::new(column).text().not_null().to_owned();
        let text_or_null = |column: C| ColumnDef::new(column).text().null().to_owned();
        let int = |column: C| ColumnDef::new(column).integer().not_null().to_owned();
        let int_or_null = |column: C| ColumnDef::new(column).integer().null().to_owned();
        let big = |column: C| ColumnDef::new(column).big_integer().not_null().to_owned();
        let big_or_null = |column: C| ColumnDef::new(column).big_integer().null().to_owned();
        let flag = |column: C| ColumnDef::new(column).boolean().not_null().to_owned();
        let row_id = || ColumnDef::new(C::Id).big_integer().not_null().auto_increment().primary_key().to_owned();
        let key = |columns: &[C]| {
            let mut index = Index::create();
            for column in columns {
                index.col(*column);
            }
            index.primary().to_owned()
        };
        let table = |name: T, columns: &[ColumnDef], key: Option<sea_orm_migration::sea_query::IndexCreateStatement>| {
            let mut table = Table::create();
            table.table(name).if_not_exists();
            for column in columns {
                table.col(column.clone());
            }
            if let Some(mut key) = key {
                table.primary_key(&mut key);
            }
            table
        };

        let owner = || [text(C::Account), text(C::Symbol)];
        let [account, symbol] = owner();
        let state = [account, symbol, big(C::Version), big_or_null(C::Anchor), big(C::GridInterval), flag(C::Paused), flag(C::Halted)];
        manager.create_table(table(T::State, &state, Some(key(&[C::Account, C::Symbol])))).await?;

        let runs = [big(C::Run), big(C::StartedNs), text(C::Version)];
        manager.create_table(table(T::Runs, &runs, Some(key(&[C::Run])))).await?;

        let [account, symbol] = owner();
        let orders = [
            row_id(),
            account,
            symbol,
            text(C::ClientId),
            text_or_null(C::OrderId),
            text(C::Side),
            big(C::Price),
            big(C::Qty),
            big(C::Filled),
            text(C::Status),
            flag(C::ReduceOnly),
            big(C::TimeNs),
        ];
        manager.create_table(table(T::Orders, &orders, None)).await?;

        let [account, symbol] = owner();
        let fills = [
            row_id(),
            account,
            symbol,
            big(C::TradeId),
            text(C::OrderId),
            text_or_null(C::ClientId),
            text(C::Side),
            big(C::Price),
            big(C::Qty),
            text(C::Fee),
            text(C::FeeAsset),
            text(C::Reported),
            text(C::ReportedAsset),
            int_or_null(C::Strategy),
            int_or_null(C::Level),
            text(C::Realized),
            text(C::SlotRealized),
            flag(C::Maker),
            big(C::TimeNs),
        ];
        manager.create_table(table(T::Fills, &fills, None)).await?;

        let [account, symbol] = owner();
        let slots = [account, symbol, int(C::Strategy), int(C::Level), big(C::Held), text(C::Cost)];
        manager.create_table(table(T::Slots, &slots, Some(key(&[C::Account, C::Symbol, C::Strategy, C::Level])))).await?;

        let [account, symbol] = owner();
        let totals = [
            account,
            symbol,
            big_or_null(C::Watermark),
            big(C::Holding),
            text(C::Cost),
            text(C::Realized),
            text(C::Fees),
            text(C::Funding),
            big(C::Fills),
            big(C::Bought),
            big(C::Sold),
            big(C::ForeignFees),
        ];
        manager.create_table(table(T::Totals, &totals, Some(key(&[C::Account, C::Symbol])))).await?;

        let equity = [row_id(), big(C::TimeNs), text(C::Account), text(C::Wallet), text(C::Unrealized), text(C::Equity)];
        manager.create_table(table(T::Equity, &equity, None)).await?;

        let events =
            [row_id(), big(C::TimeNs), text(C::Severity), text(C::Code), text_or_null(C::Account), text_or_null(C::Symbol), text(C::Text)];
        manager.create_table(table(T::Events, &events, None)).await?;

        // Index names are global in both databases, so they carry their table.
        let index = |name: &str, table: T, columns: &[C]| {
            let mut index = Index::create();
            index.name(name).table(table).if_not_exists();
            for column in columns {
                index.col(*column);
            }
            index
        };
        let mut once = index("orders_client_id", T::Orders, &[C::Account, C::Symbol, C::ClientId]);
        manager.create_index(once.unique().to_owned()).await?;
        manager.create_index(index("orders_time", T::Orders, &[C::Account, C::Symbol, C::TimeNs, C::ClientId])).await?;
        manager.create_index(index("orders_status", T::Orders, &[C::Status, C::TimeNs])).await?;
        let mut once = index("fills_trade_id", T::Fills, &[C::Account, C::Symbol, C::TradeId]);
        manager.create_index(once.unique().to_owned()).await?;
        manager.create_index(index("fills_time", T::Fills, &[C::TimeNs])).await?;
        manager.create_index(index("equity_account_time", T::Equity, &[C::Account, C::TimeNs])).await?;
        manager.create_index(index("equity_time", T::Equity, &[C::TimeNs])).await?;
        manager.create_index(index("events_time", T::Events, &[C::TimeNs])).await
    }
}

/// Tables of the first schema.
#[derive(Clone, Copy)]
enum T {
    State,
    Runs,
    Orders,
    Fills,
    Slots,
    Totals,
    Equity,
    Events,
}

impl Iden for T {
    fn unquoted(&self) -> &str {
        match self {
            Self::State => "state",
            Self::Runs => "runs",
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Slots => "slots",
            Self::Totals => "totals",
            Self::Equity => "equity",
            Self::Events => "events",
        }
    }
}

/// Columns of the first schema.
#[derive(Clone, Copy, DeriveIden)]
enum Column {
    Id,
    Account,
    Symbol,
    Version,
    Anchor,
    GridInterval,
    Paused,
    Halted,
    Run,
    StartedNs,
    ClientId,
    OrderId,
    Side,
    Price,
    Qty,
    Filled,
    Status,
    ReduceOnly,
    TimeNs,
    TradeId,
    Fee,
    FeeAsset,
    Reported,
    ReportedAsset,
    Strategy,
    Level,
    Realized,
    SlotRealized,
    Maker,
    Held,
    Cost,
    Watermark,
    Holding,
    Fees,
    Funding,
    Fills,
    Bought,
    Sold,
    ForeignFees,
    Wallet,
    Unrealized,
    Equity,
    Severity,
    Code,
    Text,
}
