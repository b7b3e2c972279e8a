//! Index builds that wait for the transactions of others: what they build, and how far they are.
//!
//! CREATE INDEX and REINDEX CONCURRENTLY wait for virtual transactions, whose locks name no relation. Absent: builds that
//! work ([`super::progress`]).

use std::collections::BTreeMap;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const BUILDS: Sql = sql!("ask what waits to build", "index_builds.sql", INT4_ARRAY);

/// An index that is built while others write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexBuild {
    /// `CREATE INDEX CONCURRENTLY`; none where this role may not see it.
    pub command: Option<String>,
    /// `schema.name`, unquoted.
    pub table: Option<String>,
    /// `schema.name`, unquoted; none while it is not committed.
    pub index: Option<String>,
    /// `waiting for old snapshots`, …
    pub phase: Option<String>,
    /// Transactions that it waited for in this phase, and how many there are in all.
    pub lockers: Option<(i64, i64)>,
    /// Whom it waits for just now.
    pub locker: Option<i32>,
}

pub(super) async fn of(
    session: &Session,
    pids: &[i32],
) -> Result<BTreeMap<i32, IndexBuild>, QueryError> {
    if pids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = BUILDS.rows(session, &[&pids]).await?;
    rows.iter().map(build).collect()
}

fn build(row: &Row) -> Result<(i32, IndexBuild), QueryError> {
    let done: Option<i64> = row.get("lockers_done")?;
    let build = IndexBuild {
        command: row.get("command")?,
        table: row.get("table_name")?,
        index: row.get("index_name")?,
        phase: row.get("phase")?,
        lockers: done.zip(row.get("lockers_total")?),
        locker: row.get("locker")?,
    };
    Ok((row.get("pid")?, build))
}
