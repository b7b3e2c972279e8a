//! pg_dump's own sessions, as others see them.
//!
//! Absent: whom they wait for; [`crate::activity::blockers_of`] says that of any backend.

use std::collections::{HashMap, HashSet};

use super::{number, oid, tentatively};
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const BACKENDS: Sql = sql!("look for pg_dump's sessions", "dump_backends.sql", TEXT);
const LOCKED: Sql = sql!("look at pg_dump's locks", "dump_locked.sql", INT4_ARRAY);
const SIZES: Sql = sql!("measure tables", "dump_sizes.sql", OID_ARRAY);
const COPIES: Sql = sql!("look at pg_dump's progress", "dump_copies.sql", INT4_ARRAY);

const LIMIT: &str = "SET LOCAL statement_timeout = '2s'";

/// A table whose rows a session is copying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copying {
    /// The session.
    pub pid: i32,
    /// The table.
    pub oid: u32,
    /// Bytes so far.
    pub bytes: u64,
    /// Rows so far.
    pub rows: u64,
}

/// The sessions of this database that call themselves so, the first one first. In a transaction the answer stays what it
/// was at first: ask outside of one.
pub async fn backends(session: &Session, application: &str) -> Result<Vec<i32>, QueryError> {
    let rows = BACKENDS.rows(session, &[&application]).await?;
    rows.iter().map(|row| row.get("pid")).collect()
}

/// The relations that these sessions hold locks on.
pub async fn locked(session: &Session, pids: &[i32]) -> Result<HashSet<u32>, QueryError> {
    let rows = LOCKED.rows(session, &[&pids]).await?;
    rows.iter().map(|row| oid(row, "oid")).collect()
}

/// Bytes of these tables with TOAST, in the transaction of [`super::export_snapshot`]; none where that takes too long, or
/// one of them is locked.
pub async fn measured(
    session: &Session,
    oids: &[u32],
) -> Result<Option<HashMap<u32, u64>>, QueryError> {
    let measure = async {
        session.batch("limit a query", LIMIT).await?;
        SIZES.rows(session, &[&oids]).await
    };
    let Some(rows) = tentatively(session, measure).await? else {
        return Ok(None);
    };
    let mut sizes = HashMap::new();
    for row in rows {
        // null: it is gone
        if let Some(bytes) = row.get::<Option<i64>>("bytes")? {
            sizes.insert(oid(&row, "oid")?, number(bytes));
        }
    }
    Ok(Some(sizes))
}

/// What these sessions are copying, as far as this role may see it.
pub async fn copies(session: &Session, pids: &[i32]) -> Result<Vec<Copying>, QueryError> {
    let rows = COPIES.rows(session, &[&pids]).await?;
    rows.iter()
        .map(|row| {
            Ok(Copying {
                pid: row.get("pid")?,
                oid: oid(row, "oid")?,
                bytes: number(row.get("bytes")?),
                rows: number(row.get("rows")?),
            })
        })
        .collect()
}
