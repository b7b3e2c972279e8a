//! What a session that loads a dump needs beside its statements: no limits, a commit that need not wait, who descends
//! from whom, and which types the columns of a table have.
//!
//! Absent: the dump, and the order of its statements.

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const NO_LIMITS: Sql = sql!("take off the session's limits", "load_no_limits.sql");
const FLUSH: Sql = sql!("make the load durable", "load_flush.sql");
const DESCENT: Sql = sql!("list the partitions", "load_descent.sql");
const COLUMNS: Sql = sql!(
    "list the columns of a table",
    "load_columns.sql",
    TEXT,
    TEXT
);

/// A partition or an inheriting table, and one of those that it descends from. Names as in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descent {
    /// Schema and name.
    pub parent: (String, String),
    /// Schema and name.
    pub child: (String, String),
}

/// A column that rows are copied into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadColumn {
    /// As in the catalog.
    pub name: String,
    /// `typname` of PostgreSQL's own types, and of those that a domain restricts; `enum` for any enum; none for others.
    pub type_name: Option<String>,
    /// `typelem`: of an array type, the type of its elements; 0 without.
    pub element: u32,
}

/// Takes off the time limits that a role or database puts on its sessions.
pub async fn without_limits(session: &Session) -> Result<(), QueryError> {
    NO_LIMITS.rows(session, &[]).await.map(drop)
}

/// From now on a commit does not wait for the disk. A load has thousands of them, and none of them counts before the
/// last; [`flush`] makes all of them durable at once.
pub async fn commit_without_waiting(session: &Session) -> Result<(), QueryError> {
    let sql = "SET synchronous_commit = off";
    session.batch("put off the waiting for the disk", sql).await
}

/// Waits until everything that was committed before is on the disk, as far as the server's own `synchronous_commit`
/// asks for it.
pub async fn flush(session: &Session) -> Result<(), QueryError> {
    let sql = "RESET synchronous_commit";
    session.batch("wait for the disk again", sql).await?;
    FLUSH.rows(session, &[]).await.map(drop)
}

/// Every partition and inheriting table of the database.
pub async fn descents(session: &Session) -> Result<Vec<Descent>, QueryError> {
    let rows = DESCENT.rows(session, &[]).await?;
    let descents = rows.iter().map(|row| {
        Ok(Descent {
            parent: (row.get("parent_schema")?, row.get("parent_name")?),
            child: (row.get("child_schema")?, row.get("child_name")?),
        })
    });
    descents.collect()
}

/// The columns of a table, none where there is no such table.
pub async fn columns(
    session: &Session,
    schema: &str,
    table: &str,
) -> Result<Vec<LoadColumn>, QueryError> {
    let rows = COLUMNS.rows(session, &[&schema, &table]).await?;
    let columns = rows.iter().map(|row| {
        Ok(LoadColumn {
            name: row.get("name")?,
            type_name: row.get("type")?,
            element: row.get("element")?,
        })
    });
    columns.collect()
}
