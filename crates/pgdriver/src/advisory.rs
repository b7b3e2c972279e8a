//! One runner at a time per database: an advisory lock on a connection of its own.
//!
//! Advisory locks belong to a database, so two databases of one cluster do not meet. The session's application_name
//! says who holds it: that is visible to every role, unlike queries and addresses.
//!
//! Absent: waiting. A second runner is told at once.

use jiff::Timestamp;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const TRY: Sql = sql!("take the advisory lock", "advisory_try.sql", INT4, INT4);
const TRY_TRANSACTION: Sql = sql!(
    "take the advisory lock",
    "advisory_try_transaction.sql",
    INT4,
    INT4
);
const UNLOCK: Sql = sql!(
    "release the advisory lock",
    "advisory_unlock.sql",
    INT4,
    INT4
);
const HELD: Sql = sql!("check the advisory lock", "advisory_held.sql", INT4, INT4);
const HOLDER: Sql = sql!(
    "ask who holds the advisory lock",
    "advisory_holder.sql",
    INT4,
    INT4
);

/// Which lock: two numbers, as `pg_locks` shows them in classid and objid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockKey {
    namespace: i32,
    number: i32,
}

impl LockKey {
    /// `djmi` in ASCII.
    const NAMESPACE: i32 = i32::from_be_bytes(*b"djmi");

    /// The lock of whoever changes a database's schema with this tool.
    pub const MIGRATIONS: Self = Self {
        namespace: Self::NAMESPACE,
        number: 1,
    };

    /// `classid` and `objid`, as the functions take them.
    pub(crate) const fn parts(self) -> (i32, i32) {
        (self.namespace, self.number)
    }

    /// Another lock of the same tool.
    pub const fn numbered(number: i32) -> Self {
        Self {
            namespace: Self::NAMESPACE,
            number,
        }
    }
}

/// Who holds a lock. What is none may be hidden from this role, or not there: a socket has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The server process.
    pub pid: i32,
    /// Its role.
    pub user: Option<String>,
    /// Its application_name, which names the run.
    pub application: Option<String>,
    /// Its address.
    pub client: Option<String>,
    /// When it connected.
    pub since: Option<Timestamp>,
}

/// What came of [`try_acquire`].
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Acquired(AdvisoryLock),
    /// It is not; the holder may be gone again when we ask for it.
    Busy {
        /// Who has it.
        holder: Option<Holder>,
        /// Given back.
        session: Session,
    },
}

/// A lock that is held until it is released, or until its session ends.
#[derive(Debug)]
#[must_use = "the lock ends with its session"]
pub struct AdvisoryLock {
    session: Session,
    key: LockKey,
    kept_by: KeptBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeptBy {
    Session,
    /// Behind a pooler: an open transaction keeps the server process ours. It holds no snapshot, so it is in nobody's way.
    Transaction,
}

/// A client that does not answer is given up after a minute.
const TCP: &str = "; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
     SET tcp_user_timeout = 60000";

impl KeptBy {
    /// Inside a transaction the unnamed portal of the last query stays open with its snapshot, for which a CREATE INDEX
    /// CONCURRENTLY, ours among them, would wait without end. A simple query replaces it and closes.
    async fn let_go_of_snapshot(self, session: &Session) -> Result<(), QueryError> {
        match self {
            Self::Session => Ok(()),
            Self::Transaction => {
                session
                    .batch("let go of the lock's snapshot", "SELECT 1")
                    .await
            }
        }
    }
}

/// Tries once. The session becomes the lock's own and shows `application_name` (63 bytes of it).
pub async fn try_acquire(
    session: Session,
    key: LockKey,
    application_name: &str,
) -> Result<Attempt, QueryError> {
    let kept_by = if session.behind_pooler() {
        KeptBy::Transaction
    } else {
        KeptBy::Session
    };
    let name = postgres_protocol::escape::escape_literal(application_name);
    let (scope, attempt) = match kept_by {
        KeptBy::Session => ("SET", &TRY),
        KeptBy::Transaction => {
            session
                .batch("open the advisory lock's transaction", "BEGIN")
                .await?;
            ("SET LOCAL", &TRY_TRANSACTION)
        }
    };
    let mut settings = format!(
        "{scope} application_name = {name}; {scope} idle_in_transaction_session_timeout = 0; \
         {scope} statement_timeout = 0"
    );
    // PostgreSQL 14: a session that only holds a lock is idle
    if session.show("idle_session_timeout").await?.is_some() {
        settings.push_str(&format!("; {scope} idle_session_timeout = 0"));
    }
    // behind a network that swallows packets it would keep the next run away for hours; a pooler's connection is its own
    if kept_by == KeptBy::Session {
        settings.push_str(TCP);
    }
    session
        .batch("prepare the advisory lock's session", &settings)
        .await?;
    if attempt
        .row(&session, &[&key.namespace, &key.number])
        .await?
        .get("acquired")?
    {
        kept_by.let_go_of_snapshot(&session).await?;
        return Ok(Attempt::Acquired(AdvisoryLock {
            session,
            key,
            kept_by,
        }));
    }
    let holder = holder(&session, key).await?;
    if kept_by == KeptBy::Transaction {
        session
            .batch("end the advisory lock's transaction", "ROLLBACK")
            .await?;
    }
    Ok(Attempt::Busy { holder, session })
}

/// Who holds a lock now, other than the asking session.
pub async fn holder(session: &Session, key: LockKey) -> Result<Option<Holder>, QueryError> {
    let rows = HOLDER.rows(session, &[&key.namespace, &key.number]).await?;
    rows.first().map(read_holder).transpose()
}

fn read_holder(row: &Row) -> Result<Holder, QueryError> {
    Ok(Holder {
        pid: row.get("pid")?,
        user: row.text("user")?,
        application: row.text("application")?,
        client: row.get("client")?,
        since: row.get("backend_start")?,
    })
}

impl AdvisoryLock {
    /// The server still says that this session holds it. A lost connection is `false`, not an error: the server lets
    /// go of a session's locks when it ends.
    pub async fn is_held(&self) -> Result<bool, QueryError> {
        match HELD
            .row(&self.session, &[&self.key.namespace, &self.key.number])
            .await
        {
            Ok(row) => {
                self.kept_by.let_go_of_snapshot(&self.session).await?;
                row.get("held")
            }
            Err(error) if error.is_connection_lost() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until the lock's connection is gone, and the lock with it.
    pub async fn lost(&self) {
        self.session.closed().await;
    }

    /// The lock's server process.
    pub fn pid(&self) -> i32 {
        self.session.pid()
    }

    /// Gives the lock back and closes its connection. An error means that it was lost before.
    pub async fn release(self) -> Result<(), QueryError> {
        let released = match self.kept_by {
            KeptBy::Session => {
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                    [&self.key.namespace, &self.key.number];
                UNLOCK.row(&self.session, &values).await.map(|_| ())
            }
            KeptBy::Transaction => {
                self.session
                    .batch("release the advisory lock", "ROLLBACK")
                    .await
            }
        };
        self.session.close().await;
        released
    }
}
