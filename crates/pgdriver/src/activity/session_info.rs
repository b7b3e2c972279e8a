//! Other sessions, as far as this role may see them.
//!
//! Absent: shortening of queries and hiding of literals; that is for whoever shows them.

use std::time::Duration;

use super::kind::SessionKind;
use crate::permitted::{Permitted, age};
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const SESSIONS: Sql = sql!("list sessions", "sessions.sql", INT4_ARRAY, FLOAT8);
const VACUUM_AGE: Sql = sql!(
    "ask how old a vacuumed table is",
    "autovacuum_age.sql",
    INT4_ARRAY
);
const HIDDEN: Sql = sql!("count hidden sessions", "hidden_sessions.sql");
const OTHERS: Sql = sql!("count other sessions", "other_sessions.sql", TEXT);

/// A session. What everybody may see is here, the rest is in `detail`.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionInfo {
    /// The server process.
    pub pid: i32,
    /// Its role; none for the server's own workers.
    pub user: Option<String>,
    /// Its database; none for the server's own workers.
    pub database: Option<String>,
    /// Its application_name.
    pub application: Option<String>,
    /// Its role is a superuser: nobody but a superuser may signal it.
    pub superuser: bool,
    /// The asking role may cancel and terminate it.
    pub may_signal: bool,
    /// It sends WAL, to a standby, a subscriber or a base backup.
    pub is_walsender: bool,
    /// Of an autovacuum worker whose query is hidden from the asking role: whether its table is old enough for it to
    /// prevent wraparound.
    pub vacuums_an_old_table: Option<bool>,
    /// What it does.
    pub detail: Permitted<SessionDetail>,
}

/// What a session does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionDetail {
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`, …
    pub state: Option<String>,
    /// `Lock`, `Client`, …
    pub wait_event_type: Option<String>,
    /// `relation`, `ClientRead`, …
    pub wait_event: Option<String>,
    /// Its address; none on a socket.
    pub client: Option<String>,
    /// `client backend`, `autovacuum worker`, `walsender`, …
    pub backend_type: Option<String>,
    /// The session that it works for, of a parallel worker.
    pub leader: Option<i32>,
    /// Since it connected.
    pub session_age: Option<Duration>,
    /// Since its transaction started; none outside of one.
    pub xact_age: Option<Duration>,
    /// Since its query started, or the last one.
    pub query_age: Option<Duration>,
    /// Since its state changed.
    pub state_age: Option<Duration>,
    /// What it runs, or ran last; cut by the server at track_activity_query_size.
    pub query: String,
}

/// Those of these pids, with their parallel workers.
pub(super) async fn of(session: &Session, pids: &[i32]) -> Result<Vec<SessionInfo>, QueryError> {
    let mut sessions = list(session, Some(pids), None).await?;
    let unseen = SessionKind::Autovacuum {
        to_prevent_wraparound: None,
    };
    let workers: Vec<i32> = sessions
        .iter()
        .filter(|session| session.kind() == unseen)
        .map(|session| session.pid)
        .collect();
    if workers.is_empty() {
        return Ok(sessions);
    }
    for row in VACUUM_AGE.rows(session, &[&workers]).await? {
        let pid: i32 = row.get("pid")?;
        let old = row.get("old")?;
        for session in sessions.iter_mut().filter(|session| session.pid == pid) {
            session.vacuums_an_old_table = old;
        }
    }
    Ok(sessions)
}

pub(super) async fn in_transaction(
    session: &Session,
    min_age: Duration,
) -> Result<Vec<SessionInfo>, QueryError> {
    list(session, None, Some(min_age.as_secs_f64())).await
}

pub(super) async fn all(session: &Session) -> Result<Vec<SessionInfo>, QueryError> {
    list(session, None, None).await
}

pub(super) async fn hidden(session: &Session) -> Result<u64, QueryError> {
    let count: i64 = HIDDEN.row(session, &[]).await?.get("hidden")?;
    Ok(count.unsigned_abs())
}

pub(super) async fn others_on(session: &Session, database: &str) -> Result<u64, QueryError> {
    let count: i64 = OTHERS.row(session, &[&database]).await?.get("sessions")?;
    Ok(count.unsigned_abs())
}

async fn list(
    session: &Session,
    pids: Option<&[i32]>,
    min_age: Option<f64>,
) -> Result<Vec<SessionInfo>, QueryError> {
    SESSIONS
        .rows(session, &[&pids, &min_age])
        .await?
        .iter()
        .map(info)
        .collect()
}

fn info(row: &Row) -> Result<SessionInfo, QueryError> {
    let detail = match row.get("visible")? {
        true => Permitted::Seen(detail(row)?),
        false => Permitted::NotPermitted,
    };
    Ok(SessionInfo {
        pid: row.get("pid")?,
        user: row.text("user")?,
        database: row.text("database")?,
        application: row.text("application")?,
        superuser: row.get("superuser")?,
        may_signal: row.get("may_signal")?,
        is_walsender: row.get("is_walsender")?,
        vacuums_an_old_table: None,
        detail,
    })
}

fn detail(row: &Row) -> Result<SessionDetail, QueryError> {
    Ok(SessionDetail {
        state: row.get("state")?,
        wait_event_type: row.get("wait_event_type")?,
        wait_event: row.get("wait_event")?,
        client: row.get("client")?,
        backend_type: row.get("backend_type")?,
        leader: row.get("leader")?,
        session_age: age(row.get("session_age")?),
        xact_age: age(row.get("xact_age")?),
        query_age: age(row.get("query_age")?),
        state_age: age(row.get("state_age")?),
        query: row.text("query")?.unwrap_or_default(),
    })
}
