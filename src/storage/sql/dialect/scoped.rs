//! Reading in the name of one tenant.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    Statement, TransactionTrait as _,
};

use super::{Fault, postgres};
use crate::domain::id::TenantId;

/// What a read for a tenant goes through. On PostgreSQL a transaction in a role that sees that tenant's rows only, so
/// that a statement of ours that forgot to ask for the tenant finds nothing. SQLite knows no roles.
pub(in crate::storage::sql) enum Scoped<'a> {
    Open(&'a DatabaseConnection),
    /// It is rolled back when it is dropped; nothing was written.
    Fenced(DatabaseTransaction),
}

/// Reads of `readers` in the name of `tenant`.
pub(in crate::storage::sql) async fn scoped(
    readers: &DatabaseConnection,
    tenant: TenantId,
) -> Result<Scoped<'_>, Fault> {
    if readers.get_database_backend() != DbBackend::Postgres {
        return Ok(Scoped::Open(readers));
    }
    let fenced = readers.begin().await?;
    fenced.execute_unprepared(&postgres::in_the_name_of(tenant.uuid())).await?;
    Ok(Scoped::Fenced(fenced))
}

#[async_trait]
impl ConnectionTrait for Scoped<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Open(db) => db.get_database_backend(),
            Self::Fenced(db) => db.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Open(db) => db.execute_raw(statement).await,
            Self::Fenced(db) => db.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Open(db) => db.execute_unprepared(text).await,
            Self::Fenced(db) => db.execute_unprepared(text).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Open(db) => db.query_one_raw(statement).await,
            Self::Fenced(db) => db.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Open(db) => db.query_all_raw(statement).await,
            Self::Fenced(db) => db.query_all_raw(statement).await,
        }
    }
}
