//! What sessions do: our own wait, who blocks it, whom it blocks, and who has been in a transaction for long.
//!
//! `pg_blocking_pids()` decides who blocks whom: joins over `pg_locks` ignore mode conflicts and miss queued waiters,
//! advisory locks and prepared transactions.
//!
//! Absent: polling. How often to ask is the caller's to say.

mod awaited;
mod builds;
mod causes;
pub mod graph;
mod kind;
pub mod locks;
mod prepared;
pub mod progress;
pub mod remedy;
mod session_info;
pub mod signal;
mod target;
mod wait_graph;

use std::time::Duration;

use tokio::try_join;

pub use awaited::{How, LockWait, RowAwaited};
pub use builds::IndexBuild;
pub use causes::Cause;
pub use graph::Edge;
pub use kind::SessionKind;
pub use prepared::Prepared;
pub use session_info::{SessionDetail, SessionInfo};
pub use signal::{cancel_backend, terminate_backend};
pub use target::{AdvisoryKey, Target};
pub use wait_graph::{
    Blocking, Extent, LONGEST, WaitGraph, asker, blocked_by, blockers_of, wait_graph,
};

use crate::permitted::{Permitted, age};
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const WAIT_OF: Sql = sql!("ask what a backend waits for", "wait_of.sql", INT4);
const IS_BLOCKED: Sql = sql!("ask whether a backend is blocked", "is_blocked.sql", INT4);
const EXISTS: Sql = sql!("look for a backend", "backend_exists.sql", INT4);

/// What one backend does at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// `active`, `idle`, `idle in transaction`, …
    pub state: Option<String>,
    /// `Lock`, `LWLock`, `IO`, `Client`, …
    pub wait_event_type: Option<String>,
    /// `relation`, `transactionid`, `ClientRead`, …
    pub wait_event: Option<String>,
    /// Since the query started, or the last one, if none runs.
    pub query_age: Option<Duration>,
    /// Since the transaction started.
    pub xact_age: Option<Duration>,
}

impl Wait {
    /// It stands in the queue of a lock.
    pub fn is_for_lock(&self) -> bool {
        self.wait_event_type.as_deref() == Some("Lock")
    }
}

/// What a backend does; none where it is gone. Cheap enough for every 50 ms.
pub async fn wait_of(session: &Session, pid: i32) -> Result<Option<Permitted<Wait>>, QueryError> {
    WAIT_OF
        .rows(session, &[&pid])
        .await?
        .first()
        .map(wait)
        .transpose()
}

fn wait(row: &Row) -> Result<Permitted<Wait>, QueryError> {
    if !row.get("visible")? {
        return Ok(Permitted::NotPermitted);
    }
    Ok(Permitted::Seen(Wait {
        state: row.get("state")?,
        wait_event_type: row.get("wait_event_type")?,
        wait_event: row.get("wait_event")?,
        query_age: age(row.get("query_age")?),
        xact_age: age(row.get("xact_age")?),
    }))
}

/// Whether somebody blocks a backend: cheaper than [`wait_of`] where there are many sessions, and the same for every role.
pub async fn is_blocked(session: &Session, pid: i32) -> Result<bool, QueryError> {
    IS_BLOCKED.row(session, &[&pid]).await?.get("blocked")
}

/// Sessions that have been in a transaction for long.
#[derive(Debug, Clone, PartialEq)]
pub struct LongTransactions {
    /// The longest first, our own session left out.
    pub sessions: Vec<SessionInfo>,
    /// Sessions whose state this role may not see; any of them may be long, too.
    pub hidden: u64,
}

/// Transactions that are at least so old.
pub async fn long_transactions(
    session: &Session,
    min_age: Duration,
) -> Result<LongTransactions, QueryError> {
    let (sessions, hidden) = try_join!(
        session_info::in_transaction(session, min_age),
        session_info::hidden(session)
    )?;
    Ok(LongTransactions { sessions, hidden })
}

/// All sessions but our own.
pub async fn sessions(session: &Session) -> Result<Vec<SessionInfo>, QueryError> {
    session_info::all(session).await
}

/// How many other sessions use a database.
pub async fn other_sessions_on(session: &Session, database: &str) -> Result<u64, QueryError> {
    session_info::others_on(session, database).await
}

/// There is such a backend.
pub async fn backend_exists(session: &Session, pid: i32) -> Result<bool, QueryError> {
    EXISTS.row(session, &[&pid]).await?.get("exists")
}
