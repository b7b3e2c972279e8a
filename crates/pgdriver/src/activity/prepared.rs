//! Prepared transactions that hold locks, by the name under which somebody can end them.
//!
//! Absent: those that are in nobody's way ([`crate::server::prepared_transactions`]).

use std::time::Duration;

use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const PREPARED: Sql = sql!("name prepared transactions", "prepared_by_transaction.sql");

/// A prepared transaction. It has no session: it keeps its locks until somebody ends it, through restarts too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its name.
    pub gid: String,
    /// `virtualtransaction`, which its locks carry.
    pub transaction: String,
    /// Who prepared it, and may end it.
    pub owner: String,
    /// Where it can be ended.
    pub database: String,
    /// Since it was prepared.
    pub age: Duration,
    /// The asking role may end it.
    pub may_end: bool,
}

pub(super) async fn all(session: &Session) -> Result<Vec<Prepared>, QueryError> {
    let rows = PREPARED.rows(session, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Prepared {
                gid: row.text("gid")?.unwrap_or_default(),
                transaction: row.get("transaction")?,
                owner: row.text("owner")?.unwrap_or_default(),
                database: row.text("database")?.unwrap_or_default(),
                age: age(row.get("age")?).unwrap_or_default(),
                may_end: row.get("may_end")?,
            })
        })
        .collect()
}
