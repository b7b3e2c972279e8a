//! Two-phase transactions that wait for their end, and hold their locks until then.
//!
//! Those of other databases hold nothing that anybody here waits for, but they hold back what the server shares.

use std::time::Duration;

use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const PREPARED: Sql = sql!("list prepared transactions", "prepared_transactions.sql");

const ELSEWHERE: Sql = sql!(
    "list prepared transactions of other databases",
    "prepared_elsewhere.sql"
);

/// A two-phase transaction that waits for its end.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedTransaction {
    /// For `COMMIT PREPARED` and `ROLLBACK PREPARED`.
    pub gid: String,
    /// The role that may end it.
    pub owner: String,
    /// Since PREPARE TRANSACTION.
    pub age: Duration,
    /// What it holds locks on.
    pub relations: Vec<String>,
}

/// Two-phase transactions of this database.
pub async fn prepared_transactions(
    session: &Session,
) -> Result<Vec<PreparedTransaction>, QueryError> {
    let rows = PREPARED.rows(session, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(PreparedTransaction {
                gid: row.text("gid")?.unwrap_or_default(),
                owner: row.text("owner")?.unwrap_or_default(),
                age: age(row.get("age")?).unwrap_or_default(),
                relations: row.get("relations")?,
            })
        })
        .collect()
}

/// A two-phase transaction of another database.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedElsewhere {
    /// For `COMMIT PREPARED` and `ROLLBACK PREPARED`.
    pub gid: String,
    /// The role that may end it.
    pub owner: String,
    /// Where it can be ended.
    pub database: String,
    /// Since PREPARE TRANSACTION.
    pub age: Duration,
    /// How many transaction ids have been given out since its own.
    pub xids: u64,
}

/// Two-phase transactions of the server's other databases, the oldest first.
pub(super) async fn prepared_elsewhere(
    session: &Session,
) -> Result<Vec<PreparedElsewhere>, QueryError> {
    let rows = ELSEWHERE.rows(session, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(PreparedElsewhere {
                gid: row.text("gid")?.unwrap_or_default(),
                owner: row.text("owner")?.unwrap_or_default(),
                database: row.text("database")?.unwrap_or_default(),
                age: age(row.get("age")?).unwrap_or_default(),
                xids: row.get::<i64>("xids")?.unsigned_abs(),
            })
        })
        .collect()
}
