//! One session: the client, the task that moves its bytes, and how to stop what it does.
//!
//! Absent: pooling, which is for observers alone ([`crate::ObserverPool`]). A recycled session loses `SET` and
//! advisory locks, and here both matter.

mod bulk;
mod notices;

use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage, Socket};

pub use bulk::CopyIn;
pub use notices::Notice;
use notices::Notices;

use crate::options::Host;
use crate::query_error::QueryError;
use crate::tls::Connector;

pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// An observer waits this long for a lock, then says so: it must not stand in a queue.
pub const OBSERVER_LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// And no query of an observer runs longer.
pub const OBSERVER_STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

const OBSERVER_SETTINGS: &str = "SET default_transaction_read_only = on; SET lock_timeout = '100ms'; \
     SET statement_timeout = '2s'";
/// The settings above, and no transaction that somebody left open: a statement's own begins with it. (Only in the
/// simple protocol: the extended one moves `statement_timestamp()` on between Parse and Execute.)
const STILL_OBSERVES: &str = "SELECT current_setting('default_transaction_read_only') = 'on' \
     AND current_setting('transaction_read_only') = 'on' AND current_setting('lock_timeout') = '100ms' \
     AND current_setting('statement_timeout') = '2s' AND transaction_timestamp() = statement_timestamp()";
const OBSERVER_TRANSACTION: &str =
    "BEGIN READ ONLY; SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '2s'";

/// An open session. Dropping it closes the connection.
pub struct Session {
    opened: Opened,
    key_pid: Option<i32>,
    backend_pid: i32,
    target: String,
    host: Host,
    guard: Guard,
}

/// What keeps a query from doing harm.
enum Guard {
    /// Nothing: the caller's own settings count.
    None,
    /// `SET` once: the session is ours alone.
    Session,
    /// A pooler may hand each transaction to another server process, and would leak `SET` to other clients: every
    /// query in a transaction of its own with `SET LOCAL`. One at a time.
    EachQuery(Mutex<()>),
}

pub(crate) struct Opened {
    pub(crate) client: Client,
    server_version: Option<String>,
    task: JoinHandle<()>,
    closed: watch::Receiver<bool>,
    cancel: Cancel,
    notices: Notices,
}

/// How a cancel request travels: as the session does.
#[derive(Clone)]
pub(crate) enum Cancel {
    Plain,
    Encrypted(Connector),
}

/// Stops the running statement of a session, from anywhere, without its connection.
#[derive(Clone)]
pub struct CancelToken {
    token: tokio_postgres::CancelToken,
    cancel: Cancel,
}

/// Primary or standby, and what a transaction starts as.
pub(crate) struct Standing {
    pub(crate) in_recovery: bool,
    pub(crate) read_only: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(pid {} of {})", self.backend_pid, self.target)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelToken") // its key is a secret
    }
}

impl Opened {
    pub(crate) fn start<T>(
        client: Client,
        mut connection: Connection<Socket, T>,
        cancel: Cancel,
    ) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server_version = connection.parameter("server_version").map(str::to_owned);
        let (gone, closed) = watch::channel(false);
        let notices = Notices::default();
        let heard = notices.clone();
        let task = tokio::spawn(async move {
            // Its error reaches whoever asks next; the end itself is what waiters want to know.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(said) = message {
                    heard.hear(&said);
                }
            }
            drop(connection);
            gone.send_replace(true);
        });
        Self {
            client,
            server_version,
            task,
            closed,
            cancel,
            notices,
        }
    }
}

impl Session {
    pub(crate) async fn new(
        opened: Opened,
        key_pid: Option<i32>,
        target: String,
        host: Host,
    ) -> Result<Self, QueryError> {
        let what = "ask for the backend's pid";
        let answer = opened.client.simple_query("SELECT pg_backend_pid()").await;
        let answer = answer.map_err(|cause| QueryError::new(what, cause))?;
        let backend_pid = first_value(&answer)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        Ok(Self {
            opened,
            key_pid,
            backend_pid,
            target,
            host,
            guard: Guard::None,
        })
    }

    pub(crate) async fn observe_only(&mut self) -> Result<(), QueryError> {
        if self.behind_pooler() {
            self.guard = Guard::EachQuery(Mutex::new(()));
            return Ok(());
        }
        self.batch("restrict the observer's session", OBSERVER_SETTINGS)
            .await?;
        self.guard = Guard::Session;
        Ok(())
    }

    /// The session answers, and nobody has lifted what [`Session::observe_only`] put on it.
    pub(crate) async fn still_observes(&self) -> Result<bool, QueryError> {
        let answer = match self.guard {
            Guard::None => return Ok(false),
            Guard::Session => self.query_text(STILL_OBSERVES).await?,
            // each query brings its own restrictions
            Guard::EachQuery(_) => self.query_text("SELECT true").await?,
        };
        let first = answer.first().and_then(|row| row.first());
        Ok(first.is_some_and(|value| value.as_deref() == Some("t")))
    }

    pub(crate) async fn standing(&self) -> Result<Standing, QueryError> {
        let sql =
            "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'";
        let rows = self
            .query("ask whether the server is a standby", sql, &[])
            .await?;
        let row = rows.first();
        Ok(Standing {
            in_recovery: row.is_some_and(|row| row.get(0)),
            read_only: row.is_some_and(|row| row.get(1)),
        })
    }

    /// The server process, as `pg_backend_pid()` said when the session was opened. Behind a transaction pooler it may
    /// be another one for each transaction.
    pub fn pid(&self) -> i32 {
        self.backend_pid
    }

    /// The cancel key's pid is not the server process's: something stands in between.
    pub fn behind_pooler(&self) -> bool {
        self.key_pid.is_some_and(|pid| pid != self.backend_pid)
    }

    /// The host that answered, with the address at which it did.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// `shop@db1:5432/shop`
    pub fn target(&self) -> &str {
        &self.target
    }

    /// `15.18 (Debian 15.18-0+deb12u1)`, as the server introduced itself.
    pub fn server_version(&self) -> Option<&str> {
        self.opened.server_version.as_deref()
    }

    /// The bytes travel in TLS.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.opened.cancel, Cancel::Encrypted(_))
    }

    /// For another task that may have to stop this session's statement.
    pub fn cancel_token(&self) -> CancelToken {
        CancelToken {
            token: self.opened.client.cancel_token(),
            cancel: self.opened.cancel.clone(),
        }
    }

    /// Asks the server to cancel the running statement.
    pub async fn cancel(&self) -> Result<(), QueryError> {
        self.cancel_token().cancel().await
    }

    /// The connection is gone.
    pub fn is_closed(&self) -> bool {
        self.opened.client.is_closed()
    }

    /// Waits until the connection is gone, whoever ends it.
    pub async fn closed(&self) {
        let mut closed = self.opened.closed.clone();
        // an error means that the task is gone, and the connection with it
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Says goodbye and waits until the connection is down.
    pub async fn close(self) {
        let Opened { client, task, .. } = self.opened;
        drop(client);
        let _ = task.await;
    }

    /// Runs statements without parameters and without an answer, as the caller wrote them.
    pub async fn execute(&self, sql: &str) -> Result<(), QueryError> {
        self.batch("run a statement", sql).await
    }

    /// The answer of one statement without parameters, each value as the server's text.
    pub async fn query_text(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, QueryError> {
        let what = "run a query";
        let messages = self
            .opened
            .client
            .simple_query(sql)
            .await
            .map_err(|cause| QueryError::new(what, cause))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|at| row.get(at).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// `SHOW name`.
    pub async fn show(&self, name: &str) -> Result<Option<String>, QueryError> {
        let sql = "SELECT current_setting($1, true)";
        let rows = self
            .query("read a server setting", sql, &[(&name, Type::TEXT)])
            .await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// Another application_name, which every role may see. Behind a pooler nothing is done: the server process is another
    /// client's next.
    pub async fn call_itself(&self, name: &str) -> Result<(), QueryError> {
        if matches!(self.guard, Guard::EachQuery(_)) {
            return Ok(());
        }
        let sql = "SELECT set_config('application_name', $1, false)";
        let what = "set the application_name";
        self.query(what, sql, &[(&name, Type::TEXT)]).await?;
        Ok(())
    }

    pub(crate) async fn batch(&self, what: &'static str, sql: &str) -> Result<(), QueryError> {
        self.opened
            .client
            .batch_execute(sql)
            .await
            .map_err(|cause| QueryError::new(what, cause))
    }

    /// A query without a named prepared statement: those do not survive a transaction pooler.
    pub(crate) async fn query(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, QueryError> {
        let Guard::EachQuery(alone) = &self.guard else {
            return self.query_bare(what, sql, parameters).await;
        };
        let _alone = alone.lock().await;
        self.batch(what, OBSERVER_TRANSACTION).await?;
        let rows = self.query_bare(what, sql, parameters).await;
        // a read-only transaction has nothing to lose; after an error COMMIT is a rollback too
        self.batch(what, "COMMIT").await?;
        rows
    }

    async fn query_bare(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, QueryError> {
        self.opened
            .client
            .query_typed(sql, parameters)
            .await
            .map_err(|cause| QueryError::new(what, cause))
    }
}

impl CancelToken {
    /// Asks the server to cancel. Success means that it was asked, not that something was running.
    pub async fn cancel(&self) -> Result<(), QueryError> {
        let sent = match &self.cancel {
            Cancel::Plain => self.token.cancel_query(NoTls).await,
            Cancel::Encrypted(tls) => self.token.cancel_query(tls.clone()).await,
        };
        sent.map_err(|cause| QueryError::new("send a cancel request", cause))
    }
}

fn first_value(messages: &[SimpleQueryMessage]) -> Option<&str> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}
