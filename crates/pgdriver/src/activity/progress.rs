//! How far a backend is with what it does, where the server tells: `pg_stat_progress_*`.
//!
//! Absent: a rewrite by ALTER TABLE, for which the server has no view, and any guess at the time that is left.

use crate::catalog::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const PROGRESS: Sql = sql!("ask how far a backend is", "progress.sql", INT4);

/// How far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// `CREATE INDEX CONCURRENTLY`, `REINDEX`, `CLUSTER`, `VACUUM FULL`, `VACUUM`, `ANALYZE`, `COPY FROM`, …; where this
    /// role may not see another's: the first word of the view.
    pub command: String,
    /// `building index: scanning table`, `waiting for writers before build`, …; none where this role may not see it.
    pub phase: Option<String>,
    /// The table; none in another database, and for what its transaction has just created.
    pub relation: Option<RelationName>,
    /// What `done` and `total` count.
    pub unit: Unit,
    /// So far, in this phase.
    pub done: u64,
    /// In all; none where this phase has no measure.
    pub total: Option<u64>,
}

/// What progress is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Pages of the table.
    Blocks,
    /// Rows.
    Tuples,
    /// Transactions that an index build waits for.
    Lockers,
    /// Of a file.
    Bytes,
}

impl Progress {
    /// From 0 to 1.
    pub fn fraction(&self) -> Option<f64> {
        self.total
            .map(|total| (self.done as f64 / total as f64).min(1.0))
    }
}

/// How far `pid` is; none where it does nothing that the server measures.
pub async fn progress_of(session: &Session, pid: i32) -> Result<Option<Progress>, QueryError> {
    let rows = PROGRESS.rows(session, &[&pid]).await?;
    rows.first().map(read).transpose()
}

fn read(row: &Row) -> Result<Progress, QueryError> {
    let number = |column: &str| -> Result<u64, QueryError> {
        let number: Option<i64> = row.get(column)?;
        Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
    };
    let schema: Option<&str> = row.get("schema")?;
    let name: Option<&str> = row.get("name")?;
    let total = number("total")?;
    Ok(Progress {
        command: match row.get::<Option<String>>("command")? {
            Some(command) => command,
            None => row.get("view")?,
        },
        phase: row.get("phase")?,
        relation: schema
            .zip(name)
            .map(|(schema, name)| RelationName::new(schema, name)),
        unit: unit(row.get("unit")?),
        done: number("done")?,
        total: (total > 0).then_some(total),
    })
}

fn unit(word: &str) -> Unit {
    match word {
        "tuples" => Unit::Tuples,
        "lockers" => Unit::Lockers,
        "bytes" => Unit::Bytes,
        _ => Unit::Blocks,
    }
}
