//! The sessions of this database in numbers.
//!
//! Absent: who they are ([`crate::activity`]).

use std::time::Duration;

use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const COUNTS: Sql = sql!("count the sessions", "session_counts.sql");

/// Sessions of this database, our own left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCounts {
    /// All of them.
    pub all: u32,
    /// Those whose state this role may not see; the other numbers leave them out.
    pub hidden: u32,
    /// Running a statement.
    pub active: u32,
    /// In a transaction and doing nothing.
    pub idle_in_transaction: u32,
    /// The age of the oldest transaction.
    pub oldest_transaction: Option<Duration>,
    /// For how long the longest of those that do nothing has done nothing.
    pub longest_idle: Option<Duration>,
    /// Transactions since the oldest whose dead rows VACUUM must leave for a session; everybody may see it.
    pub xmin_age: Option<u64>,
}

/// The sessions of this database in numbers.
pub async fn session_counts(session: &Session) -> Result<SessionCounts, QueryError> {
    let row = COUNTS.row(session, &[]).await?;
    Ok(SessionCounts {
        all: number(&row, "sessions")?,
        hidden: number(&row, "hidden")?,
        active: number(&row, "active")?,
        idle_in_transaction: number(&row, "idle_in_transaction")?,
        oldest_transaction: age(row.get("oldest_transaction")?),
        longest_idle: age(row.get("longest_idle")?),
        xmin_age: row
            .get::<Option<i64>>("xmin_age")?
            .and_then(|age| u64::try_from(age).ok()),
    })
}

fn number(row: &Row, column: &str) -> Result<u32, QueryError> {
    Ok(row.get::<i32>(column)?.unsigned_abs())
}
