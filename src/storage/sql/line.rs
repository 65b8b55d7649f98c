//! The one connection that writes, held for as long as it is good.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait as _};

use super::dialect::{self, Fault};

/// A connection out of its pool for good: the pool would look after it each time it comes back, which costs as much as
/// a statement. sea-orm hands out a single connection only as a transaction; that one is ended at once, and what begins
/// and ends transactions from then on is said in SQL, also within the text of a batch.
pub(super) struct Line {
    pub(super) conn: DatabaseTransaction,
    db: DatabaseConnection,
}

impl Line {
    pub(super) async fn hold(db: DatabaseConnection) -> Result<Self, Fault> {
        let conn = db.begin().await?;
        conn.execute_unprepared("COMMIT").await?;
        // The pool may have replaced the connection that was opened first.
        if let Some(text) = dialect::greeting(&conn) {
            conn.execute_unprepared(text).await?;
        }
        Ok(Self { conn, db })
    }

    /// Begins a transaction that may write at once, so that it never has to be upgraded.
    pub(super) async fn begin(&self) -> Result<(), Fault> {
        self.say(dialect::begin(&self.conn)).await
    }

    pub(super) async fn commit(&self) -> Result<(), Fault> {
        self.say("COMMIT").await
    }

    pub(super) async fn rollback(&self) -> Result<(), Fault> {
        self.say("ROLLBACK").await
    }

    async fn say(&self, text: &str) -> Result<(), Fault> {
        self.conn.execute_unprepared(text).await.map(drop).map_err(Fault::from)
    }

    /// Says what the database wants to hear before its writer leaves.
    pub(super) async fn take_leave(&self) -> Result<(), Fault> {
        match dialect::farewell(&self.conn) {
            Some(text) => self.say(text).await,
            None => Ok(()),
        }
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        drop(self.conn);
        self.db.close().await
    }
}
