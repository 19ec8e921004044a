//! The thirteenth step: who may log in, who is logged in, and what was done through the API.

use sea_orm::DeriveIden;
use sea_orm_migration::sea_query::{ColumnDef, Index, Table, TableCreateStatement};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Adds web_users, web_sessions, web_tokens and audit.
pub(super) struct Login;

impl MigrationName for Login {
    fn name(&self) -> &str {
        "m0013_login"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Login {
    /// Creates what is not there yet, so that a step cut short can be taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let key = |column: C| ColumnDef::new(column).text().not_null().primary_key().to_owned();
        let text = |column: C| ColumnDef::new(column).text().not_null().to_owned();
        let text_or_null = |column: C| ColumnDef::new(column).text().null().to_owned();
        let big = |column: C| ColumnDef::new(column).big_integer().not_null().to_owned();
        let big_or_null = |column: C| ColumnDef::new(column).big_integer().null().to_owned();
        let row_id = ColumnDef::new(C::Id).big_integer().not_null().auto_increment().primary_key().to_owned();

        let users = [key(C::Name), text(C::Password), text_or_null(C::Totp), big(C::TotpStep), text(C::Recovery), big(C::ChangedNs)];
        manager.create_table(table(T::WebUsers, users)).await?;
        let sessions = [key(C::Id), text(C::Hash), big(C::CreatedNs), big(C::SeenNs), text(C::Agent), text(C::Address)];
        manager.create_table(table(T::WebSessions, sessions)).await?;
        let tokens = [
            key(C::Id),
            text(C::Hash),
            text(C::Name),
            text(C::Scope),
            big(C::CreatedNs),
            big_or_null(C::UsedNs),
            big_or_null(C::ExpiresNs),
        ];
        manager.create_table(table(T::WebTokens, tokens)).await?;
        let audit =
            [row_id, big(C::TimeNs), text(C::Actor), text(C::Address), text(C::Action), text(C::Target), text(C::Outcome), text(C::Detail)];
        manager.create_table(table(T::Audit, audit)).await?;
        // The retention goes by time; pages go by the number.
        manager.create_index(Index::create().name("audit_time").table(T::Audit).if_not_exists().col(C::TimeNs).to_owned()).await
    }
}

fn table<const N: usize>(name: T, columns: [ColumnDef; N]) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    for column in columns {
        table.col(column);
    }
    table
}

/// The tables of this step.
#[derive(Clone, Copy, DeriveIden)]
enum T {
    WebUsers,
    WebSessions,
    WebTokens,
    Audit,
}

/// Columns of this step.
#[derive(Clone, Copy, DeriveIden)]
enum C {
    Id,
    Name,
    Password,
    Totp,
    TotpStep,
    Recovery,
    ChangedNs,
    Hash,
    CreatedNs,
    SeenNs,
    Agent,
    Address,
    Scope,
    UsedNs,
    ExpiresNs,
    TimeNs,
    Actor,
    Action,
    Target,
    Outcome,
    Detail,
}
