//! Signals to other sessions: to whatever they run, or only to the transaction that was meant.
//!
//! Absent: who deserves one, and what came of it. A signal is a request: true says that it was sent.

use std::collections::BTreeMap;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const CANCEL: Sql = sql!("cancel a backend's query", "cancel_backend.sql", INT4);
const TERMINATE: Sql = sql!("terminate a backend", "terminate_backend.sql", INT4);
const CANCEL_IN: Sql = sql!(
    "cancel a transaction's query",
    "cancel_in_transaction.sql",
    INT4,
    TEXT
);
const TERMINATE_IN: Sql = sql!(
    "terminate a transaction's backend",
    "terminate_in_transaction.sql",
    INT4,
    TEXT
);
const TRANSACTIONS: Sql = sql!(
    "list the transactions of backends",
    "virtual_transactions.sql",
    INT4_ARRAY
);

/// Cancels a backend's query. True: it was told. One that is idle in transaction ignores it.
pub async fn cancel_backend(session: &Session, pid: i32) -> Result<bool, QueryError> {
    CANCEL.row(session, &[&pid]).await?.get("told")
}

/// Ends a backend's session. True: it was told.
pub async fn terminate_backend(session: &Session, pid: i32) -> Result<bool, QueryError> {
    TERMINATE.row(session, &[&pid]).await?.get("told")
}

/// The virtual transaction that each of these backends is in, as `pg_locks` spells it; who is in none is left out.
pub async fn transactions_of(
    session: &Session,
    pids: &[i32],
) -> Result<BTreeMap<i32, String>, QueryError> {
    let rows = TRANSACTIONS.rows(session, &[&pids]).await?;
    let pair = |row: &crate::sql::Row| Ok((row.get("pid")?, row.get("transaction")?));
    rows.iter().map(pair).collect()
}

/// Cancels what a backend runs in this virtual transaction. False: it is not in it any more, and was left alone.
pub async fn cancel_in(session: &Session, pid: i32, transaction: &str) -> Result<bool, QueryError> {
    told(&CANCEL_IN, session, pid, transaction).await
}

/// Ends the session of a backend that is in this virtual transaction. False: it is not in it any more, and was left alone.
pub async fn terminate_in(
    session: &Session,
    pid: i32,
    transaction: &str,
) -> Result<bool, QueryError> {
    told(&TERMINATE_IN, session, pid, transaction).await
}

async fn told(
    signal: &Sql,
    session: &Session,
    pid: i32,
    transaction: &str,
) -> Result<bool, QueryError> {
    let rows = signal.rows(session, &[&pid, &transaction]).await?;
    rows.first().map_or(Ok(false), |row| row.get("told"))
}
