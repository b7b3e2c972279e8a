//! Two-phase transactions that wait for their end, and hold their locks until then.
//!
//! Absent: those of other databases, which hold nothing that anybody here waits for.

use std::time::Duration;

use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const PREPARED: Sql = sql!("list prepared transactions", "prepared_transactions.sql");

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
                gid: row.get("gid")?,
                owner: row.get("owner")?,
                age: age(row.get("age")?).unwrap_or_default(),
                relations: row.get("relations")?,
            })
        })
        .collect()
}
