//! The server's facts: what it is, who we are to it, and what a session starts with; and its [`health`].
//!
//! Absent: judgement. Whether a version or a standby will do is the caller's to say.

mod autovacuum;
mod features;
mod health;
mod prepared;
mod replication;
mod role;
mod sessions;
pub mod settings;
mod wraparound;

use std::time::Duration;

use tokio::{join, try_join};

pub use autovacuum::{AutovacuumDetail, AutovacuumWorker, autovacuum_workers};
pub use features::Feature;
pub use health::{Health, Known, TOLD_AGE, TOLD_SEQUENCE, TOLD_TABLES, health};
use prepared::prepared_elsewhere;
pub use prepared::{PreparedElsewhere, PreparedTransaction, prepared_transactions};
pub use replication::{
    Replica, ReplicaDetail, Slot, SlotKind, Standby, Synchronous, replicas, slots, standby,
    synchronous,
};
pub use role::{Grant, Limit, RoleFacts, role};
pub use sessions::{SessionCounts, session_counts};
pub use settings::{Setting, SettingOrigin, timeouts};
pub use wraparound::{
    Age, DatabaseAge, FAILSAFE_AGE, TableAge, TableAges, database_ages, table_ages,
};

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const FACTS: Sql = sql!("read the server's facts", "facts.sql");
const SYSTEM_IDENTIFIER: Sql = sql!("read the system identifier", "system_identifier.sql");
const DATABASE_SIZE: Sql = sql!("read the database's size", "database_size.sql");

/// What the server says about itself, this role and this database.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerFacts {
    /// `150018`
    pub version_num: u32,
    /// `PostgreSQL 15.18 (Debian …) on x86_64-pc-linux-gnu, …`
    pub version: String,
    /// The current role.
    pub role: String,
    /// It is a superuser.
    pub is_superuser: bool,
    /// It sees the state and the queries of other roles' sessions (pg_monitor, pg_read_all_stats).
    pub sees_all_sessions: bool,
    /// It may cancel and terminate other roles' sessions (pg_signal_backend).
    pub may_signal_backends: bool,
    /// A standby.
    pub in_recovery: bool,
    /// `pg_control_system()`; none where the role may not call it.
    pub system_identifier: Option<String>,
    /// The database's name.
    pub database: String,
    /// Its oid.
    pub database_oid: u32,
    /// Bytes on disk; none where the server did not say in time or may not.
    pub database_bytes: Option<u64>,
    /// `UTF8`
    pub encoding: String,
    /// The first schema of the search path that exists.
    pub current_schema: Option<String>,
    /// The role may create schemas (and trusted extensions) in the database.
    pub may_create_schemas: bool,
    /// The role may create tables in `current_schema`.
    pub may_create_tables: bool,
    /// Connections in all, kept for superusers, and in use.
    pub connections: Connections,
    /// A pooler stands between: the cancel key's pid is not the backend's.
    pub behind_pooler: bool,
    /// The server process of this session.
    pub backend_pid: i32,
    /// What a session of this role starts with.
    pub defaults: SessionDefaults,
    /// Standbys and other receivers of WAL; none where the role may not ask.
    pub replicas: Option<Vec<Replica>>,
    /// Two-phase transactions of this database; none where the role may not ask.
    pub prepared_transactions: Option<Vec<PreparedTransaction>>,
    /// And of the other databases of the server; none where the role may not ask.
    pub prepared_elsewhere: Option<Vec<PreparedElsewhere>>,
    /// What the server said of each list that the role may not ask for.
    pub unknown: Vec<String>,
}

impl ServerFacts {
    /// `15`
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }

    /// `15.18`
    pub fn short_version(&self) -> String {
        format!("{}.{}", self.major(), self.version_num % 10_000)
    }
}

/// Connections of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// `max_connections`
    pub max: u32,
    /// Kept for superusers and for pg_use_reserved_connections.
    pub reserved: u32,
    /// Sessions and workers of all databases.
    pub used: u32,
}

impl Connections {
    /// What is left for an ordinary role.
    pub fn free(self) -> u32 {
        self.max
            .saturating_sub(self.reserved)
            .saturating_sub(self.used)
    }
}

/// Settings that a new session of this role has, without what a client sets for itself. No timeout is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDefaults {
    /// `lock_timeout`
    pub lock_timeout: Option<Duration>,
    /// `statement_timeout`
    pub statement_timeout: Option<Duration>,
    /// `idle_in_transaction_session_timeout`: it strikes while Django renders models between statements.
    pub idle_in_transaction_timeout: Option<Duration>,
    /// `deadlock_timeout`
    pub deadlock_timeout: Option<Duration>,
    /// `default_transaction_read_only`
    pub read_only: bool,
    /// `TimeZone`
    pub time_zone: String,
}

/// Reads everything. A fact that this role may not have is none, not an error.
pub async fn facts(session: &Session) -> Result<ServerFacts, QueryError> {
    let row = FACTS.row(session, &[]).await?;
    let (system_identifier, database_bytes) =
        try_join!(system_identifier(session), database_bytes(session))?;
    let (replicas, prepared_transactions, elsewhere) = join!(
        replicas(session),
        prepared_transactions(session),
        prepared_elsewhere(session),
    );
    let mut unknown = Vec::new();
    let replicas = permitted(replicas, &mut unknown)?;
    let prepared_transactions = permitted(prepared_transactions, &mut unknown)?;
    let prepared_elsewhere = permitted(elsewhere, &mut unknown)?;
    Ok(ServerFacts {
        version_num: number(&row, "version_num")?,
        version: row.get("version")?,
        role: row.get("role")?,
        is_superuser: row.get("is_superuser")?,
        sees_all_sessions: row.get("sees_all_sessions")?,
        may_signal_backends: row.get("may_signal_backends")?,
        in_recovery: row.get("in_recovery")?,
        system_identifier,
        database: row.get("database")?,
        database_oid: u32::try_from(row.get::<i64>("database_oid")?).unwrap_or(0),
        database_bytes,
        encoding: row.get("encoding")?,
        current_schema: row.get("current_schema")?,
        may_create_schemas: row.get("may_create_schemas")?,
        may_create_tables: row.get("may_create_tables")?,
        connections: Connections {
            max: number(&row, "max_connections")?,
            reserved: number(&row, "reserved_connections")?,
            used: number(&row, "used_connections")?,
        },
        behind_pooler: session.behind_pooler(),
        backend_pid: row.get("backend_pid")?,
        defaults: defaults(&row)?,
        replicas,
        prepared_transactions,
        prepared_elsewhere,
        unknown,
    })
}

/// An answer; where the role may not ask, none, and the server's words are added to what is unknown.
fn permitted<T>(
    answer: Result<T, QueryError>,
    unknown: &mut Vec<String>,
) -> Result<Option<T>, QueryError> {
    match answer {
        Err(error) if error.is_permission_denied() => {
            unknown.push(error.to_string());
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

async fn system_identifier(session: &Session) -> Result<Option<String>, QueryError> {
    match SYSTEM_IDENTIFIER.row(session, &[]).await {
        Ok(row) => row.get("system_identifier").map(Some),
        Err(error) if error.is_permission_denied() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn database_bytes(session: &Session) -> Result<Option<u64>, QueryError> {
    match DATABASE_SIZE.row(session, &[]).await {
        Ok(row) => Ok(u64::try_from(row.get::<i64>("bytes")?).ok()),
        Err(error) if error.is_permission_denied() || error.is_cancelled() => Ok(None),
        Err(error) => Err(error),
    }
}

fn defaults(row: &Row) -> Result<SessionDefaults, QueryError> {
    let timeout = |column| -> Result<Option<Duration>, QueryError> {
        let milliseconds: Option<i64> = row.get(column)?;
        Ok(milliseconds
            .and_then(|ms| u64::try_from(ms).ok())
            .filter(|ms| *ms > 0)
            .map(Duration::from_millis))
    };
    Ok(SessionDefaults {
        lock_timeout: timeout("lock_timeout_ms")?,
        statement_timeout: timeout("statement_timeout_ms")?,
        idle_in_transaction_timeout: timeout("idle_in_transaction_timeout_ms")?,
        deadlock_timeout: timeout("deadlock_timeout_ms")?,
        read_only: row.get("default_read_only")?,
        time_zone: row.get("time_zone")?,
    })
}

fn number(row: &Row, column: &str) -> Result<u32, QueryError> {
    Ok(u32::try_from(row.get::<i32>(column)?).unwrap_or(0))
}
