//! What sessions do: our own wait, who blocks it, whom it blocks, and who has been in a transaction for long.
//!
//! `pg_blocking_pids()` decides who blocks whom: joins over `pg_locks` ignore mode conflicts and miss queued waiters,
//! advisory locks and prepared transactions.
//!
//! Absent: polling. How often to ask is the caller's to say.

pub mod graph;
mod kind;
pub mod locks;
pub mod progress;
mod session_info;

use std::time::Duration;

use tokio::try_join;

pub use graph::Edge;
pub use kind::SessionKind;
pub use session_info::{SessionDetail, SessionInfo};

use crate::permitted::{Permitted, age};
use crate::query_error::QueryError;
use crate::server::{PreparedTransaction, prepared_transactions};
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const WAIT_OF: Sql = sql!("ask what a backend waits for", "wait_of.sql", INT4);
const BLOCKING: Sql = sql!("ask who blocks a backend", "blocking_edges.sql", INT4);
const WAITING: Sql = sql!("ask who waits for whom", "waiting_edges.sql");
const LOCK_WAITS: Sql = sql!("list awaited locks", "lock_waits.sql", INT4_ARRAY);
const EXISTS: Sql = sql!("look for a backend", "backend_exists.sql", INT4);
const CANCEL: Sql = sql!("cancel a backend's query", "cancel_backend.sql", INT4);
const TERMINATE: Sql = sql!("terminate a backend", "terminate_backend.sql", INT4);

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

/// A lock that a session stands in the queue of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockWait {
    /// Who waits.
    pub pid: i32,
    /// `relation`, `transactionid`, `advisory`, …
    pub lock_type: String,
    /// `schema.name`, unquoted; none for other kinds of lock, and in other databases.
    pub relation: Option<String>,
    /// `AccessExclusiveLock`
    pub mode: String,
    /// Since it waits; none in the first instant.
    pub waited: Option<Duration>,
}

/// A piece of the wait graph, with the sessions in it.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitGraph {
    /// Who waits for whom.
    pub edges: Vec<Edge>,
    /// Everybody in `edges` who is still there.
    pub sessions: Vec<SessionInfo>,
    /// What the waiters wait for.
    pub waits: Vec<LockWait>,
    /// Where 0 is a blocker: the database's prepared transactions, one of which it is.
    pub prepared: Vec<PreparedTransaction>,
}

impl WaitGraph {
    /// Who blocks `pid` directly.
    pub fn direct(&self, pid: i32) -> Vec<i32> {
        graph::direct(&self.edges, pid)
    }

    /// At the ends of the chains: whom to speak to.
    pub fn roots(&self, pid: i32) -> Vec<i32> {
        graph::roots(&self.edges, pid)
    }

    /// Who waits for `pid`, directly or not.
    pub fn queued_behind(&self, pid: i32) -> Vec<i32> {
        graph::queued_behind(&self.edges, pid)
    }

    /// A session by its pid.
    pub fn session(&self, pid: i32) -> Option<&SessionInfo> {
        self.sessions.iter().find(|session| session.pid == pid)
    }

    /// What a session waits for.
    pub fn wait(&self, pid: i32) -> Option<&LockWait> {
        self.waits.iter().find(|wait| wait.pid == pid)
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

/// Who blocks a backend, through all levels. Empty edges: nobody.
pub async fn blockers_of(session: &Session, pid: i32) -> Result<WaitGraph, QueryError> {
    let edges = edges(&BLOCKING.rows(session, &[&pid]).await?)?;
    describe(session, edges).await
}

/// The sessions that wait for `pid`, directly or through others: what stands in the queue behind it.
pub async fn blocked_by(session: &Session, pid: i32) -> Result<WaitGraph, QueryError> {
    let mut edges = edges(&WAITING.rows(session, &[]).await?)?;
    let behind = graph::queued_behind(&edges, pid);
    edges.retain(|edge| behind.contains(&edge.waiter));
    describe(session, edges).await
}

/// Everybody who waits for a lock, anywhere in the cluster.
pub async fn wait_graph(session: &Session) -> Result<WaitGraph, QueryError> {
    let edges = edges(&WAITING.rows(session, &[]).await?)?;
    describe(session, edges).await
}

async fn describe(session: &Session, edges: Vec<Edge>) -> Result<WaitGraph, QueryError> {
    if edges.is_empty() {
        let (sessions, waits, prepared) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(WaitGraph {
            edges,
            sessions,
            waits,
            prepared,
        });
    }
    let mut pids: Vec<i32> = edges
        .iter()
        .flat_map(|edge| [edge.waiter, edge.blocker])
        .collect();
    pids.sort_unstable();
    pids.dedup();
    let some_prepared = async {
        match pids.contains(&0) {
            true => prepared_transactions(session).await,
            false => Ok(Vec::new()),
        }
    };
    let (sessions, waits, prepared) = try_join!(
        session_info::of(session, &pids),
        lock_waits(session, &pids),
        some_prepared
    )?;
    Ok(WaitGraph {
        edges,
        sessions,
        waits,
        prepared,
    })
}

async fn lock_waits(session: &Session, pids: &[i32]) -> Result<Vec<LockWait>, QueryError> {
    let rows = LOCK_WAITS.rows(session, &[&pids]).await?;
    rows.iter()
        .map(|row| {
            Ok(LockWait {
                pid: row.get("pid")?,
                lock_type: row.get("lock_type")?,
                relation: row.get("relation")?,
                mode: row.get("mode")?,
                waited: age(row.get("waited")?),
            })
        })
        .collect()
}

fn edges(rows: &[Row]) -> Result<Vec<Edge>, QueryError> {
    rows.iter()
        .map(|row| {
            Ok(Edge {
                waiter: row.get("waiter")?,
                blocker: row.get("blocker")?,
            })
        })
        .collect()
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

/// Cancels a backend's query. True: it was told. One that is idle in transaction ignores it.
pub async fn cancel_backend(session: &Session, pid: i32) -> Result<bool, QueryError> {
    CANCEL.row(session, &[&pid]).await?.get("told")
}

/// Ends a backend's session. True: it was told.
pub async fn terminate_backend(session: &Session, pid: i32) -> Result<bool, QueryError> {
    TERMINATE.row(session, &[&pid]).await?.get("told")
}
