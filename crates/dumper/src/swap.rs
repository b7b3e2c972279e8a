//! A restored database takes the name of the live one, which stays whole under another name.
//!
//! Both renames, the owner and the rights are one transaction of the server: there is no moment without a database of that
//! name, but that whoever wants in waits while it lasts. Nothing is committed before, so that a swap that is killed at any
//! moment leaves both databases as they were, and open.
//!
//! Absent: making databases, dropping them, asking anybody.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use pgdriver::activity::backend_exists;
use pgdriver::renaming::{self, Clients, Like};
use pgdriver::{ConnectError, ConnectOptions, QueryError, Session, tables};

use crate::restore::{OldSessions, TypedName};

/// How long ended sessions may take to go.
const GONE: Duration = Duration::from_secs(15);
/// How long sessions that have said goodbye may take to go.
const GOING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);
/// Databases that servers have by themselves: one to work from.
const ALWAYS_THERE: [&str; 2] = ["postgres", "template1"];
/// object_in_use
const IN_USE: &str = "55006";
/// NAMEDATALEN - 1.
const LONGEST: usize = 63;

/// Which database takes whose name.
#[derive(Debug, Clone)]
pub struct SwapRequest {
    /// The server and the login.
    pub connection: ConnectOptions,
    /// The live one's name, typed by somebody.
    pub name: TypedName,
    /// The database that takes it.
    pub by: String,
    /// What the old one is called from then on.
    pub kept_as: String,
    /// What becomes of sessions on the old one.
    pub sessions: OldSessions,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// The name that changed hands.
    pub database: String,
    /// What the old one is called now.
    pub kept_as: String,
    /// Sessions that were ended for it.
    pub ended: u64,
}

/// Why it did not come to that. The databases have their names still, but for [`SwapError::Unknown`].
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// There is no such database.
    #[error("there is no database \"{0}\"")]
    Missing(String),
    /// A name is taken, or longer than a name may be.
    #[error("\"{name}\" cannot be the name of the old database: {reason}")]
    Name {
        /// Which.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// Somebody is on one of them.
    #[error("database \"{database}\" is in use: {}", described(.clients))]
    InUse {
        /// Which.
        database: String,
        /// By whom.
        clients: Vec<Clients>,
    },
    /// No session could be opened.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The server refused a part of it.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The connection broke where it mattered, and nobody could be asked since.
    #[error("whether the databases changed their names is unknown: {0}")]
    Unknown(String),
}

/// As SQL needs a name.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `4 sessions of shop (gunicorn) from 10.0.0.7`
pub fn described(clients: &[Clients]) -> String {
    let one = |c: &Clients| {
        let s = if c.sessions == 1 { "" } else { "s" };
        let program = match c.application.as_str() {
            "" => String::new(),
            name => format!(" ({name})"),
        };
        let from = c
            .client
            .as_ref()
            .map(|c| format!(" from {c}"))
            .unwrap_or_default();
        format!("{} session{s} of {}{program}{from}", c.sessions, c.role)
    };
    clients.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Who is on a database now.
pub async fn clients(
    connection: &ConnectOptions,
    database: &str,
) -> Result<Vec<Clients>, SwapError> {
    let session = outside(connection, &[database]).await?;
    let clients = renaming::clients(&session, database).await?;
    session.close().await;
    Ok(clients)
}

/// Exchanges the names.
pub async fn swap(request: &SwapRequest) -> Result<Swapped, SwapError> {
    let (connection, name) = (&request.connection, request.name.as_str());
    let none_of = [name, &request.by, &request.kept_as];
    let session = outside(connection, &none_of).await?;
    let like = checked(&session, request).await?;
    if request.sessions == OldSessions::Refuse {
        unused(&session, name).await?;
    }
    left(&session, &request.by).await?;
    let watch = outside(connection, &none_of).await?;
    let mut ended = BTreeSet::new();
    let done = exchanged(&session, &watch, request, &like, &mut ended).await;
    let done = match done {
        Err(error) if session.is_closed() => what_came(error, session.pid(), request).await,
        other => other,
    };
    session.close().await;
    watch.close().await;
    done.map(|()| Swapped {
        database: name.to_owned(),
        kept_as: request.kept_as.clone(),
        ended: ended.len() as u64,
    })
}

/// A session that is on none of these databases.
async fn outside(connection: &ConnectOptions, not: &[&str]) -> Result<Session, SwapError> {
    let own = connection.database();
    let mut candidates = vec![own, ALWAYS_THERE[0], ALWAYS_THERE[1]];
    candidates.retain(|name| !not.contains(name));
    let mut failed = None;
    for name in candidates {
        match pgdriver::connect(&connection.clone().with_database(name)).await {
            Ok(session) => return Ok(session),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.map_or_else(
        || SwapError::Missing(ALWAYS_THERE[0].to_owned()),
        SwapError::Connect,
    ))
}

async fn checked(session: &Session, request: &SwapRequest) -> Result<Like, SwapError> {
    let SwapRequest { by, kept_as, .. } = request;
    let name = request.name.as_str();
    let refused = |reason| SwapError::Name {
        name: kept_as.clone(),
        reason,
    };
    if kept_as.len() > LONGEST {
        return Err(refused("a name has 63 bytes at the most"));
    }
    if tables::database_exists(session, kept_as).await? {
        return Err(refused("there is a database of that name"));
    }
    if !tables::database_exists(session, by).await? {
        return Err(SwapError::Missing(by.clone()));
    }
    let like = renaming::like(session, name, by).await?;
    like.ok_or_else(|| SwapError::Missing(name.to_owned()))
}

async fn unused(session: &Session, database: &str) -> Result<(), SwapError> {
    let clients = renaming::clients(session, database).await?;
    if clients.is_empty() {
        return Ok(());
    }
    Err(SwapError::InUse {
        database: database.to_owned(),
        clients,
    })
}

/// Those that have just said goodbye are waited for.
async fn left(session: &Session, database: &str) -> Result<(), SwapError> {
    let begun = Instant::now();
    loop {
        match unused(session, database).await {
            Err(SwapError::InUse { .. }) if begun.elapsed() < GOING => {}
            other => return other,
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Once the server has begun with it nobody new gets in. Those that are there go, where they may be ended; over another
/// session, since this one waits for them.
async fn exchanged(
    session: &Session,
    watch: &Session,
    request: &SwapRequest,
    like: &Like,
    ended: &mut BTreeSet<i32>,
) -> Result<(), SwapError> {
    let (name, by) = (request.name.as_str(), request.by.as_str());
    let begun = Instant::now();
    loop {
        if request.sessions == OldSessions::Terminate {
            ended.extend(renaming::end_sessions(watch, name).await?.0);
        }
        let exchange = renaming::exchange(session, name, by, &request.kept_as, like);
        let done = tokio::select! {
            biased;
            done = exchange => done,
            never = ending(watch, request, ended) => match never {},
        };
        let Err(error) = done else { return Ok(()) };
        if error.sqlstate() != Some(IN_USE) {
            return Err(error.into());
        }
        if request.sessions == OldSessions::Refuse || begun.elapsed() > GONE {
            unused(watch, name).await?;
            unused(watch, by).await?;
            return Err(error.into()); // a prepared transaction, or somebody who has gone this moment
        }
    }
}

/// What comes in before the exchange has its lock is ended, too. A refusal is the exchange's to tell.
async fn ending(watch: &Session, request: &SwapRequest, ended: &mut BTreeSet<i32>) -> Infallible {
    loop {
        tokio::time::sleep(AGAIN).await;
        if request.sessions == OldSessions::Terminate
            && let Ok((told, _)) = renaming::end_sessions(watch, request.name.as_str()).await
        {
            ended.extend(told);
        }
    }
}

/// The answer was lost, and perhaps not the commit: what the server has when nobody is at work on it any more.
async fn what_came(error: SwapError, pid: i32, request: &SwapRequest) -> Result<(), SwapError> {
    let found = async {
        let none_of = [request.name.as_str(), &request.by, &request.kept_as];
        let session = outside(&request.connection, &none_of).await?;
        let begun = Instant::now();
        while backend_exists(&session, pid).await? && begun.elapsed() < GONE {
            tokio::time::sleep(AGAIN).await;
        }
        let is_there = tables::database_exists(&session, &request.kept_as).await?;
        let at_work = backend_exists(&session, pid).await?;
        session.close().await;
        Ok::<_, SwapError>((is_there, at_work))
    };
    match found.await {
        Ok((true, _)) => Ok(()),
        Ok((false, false)) => Err(error),
        Ok((false, true)) => Err(SwapError::Unknown(error.to_string())),
        Err(why) => Err(SwapError::Unknown(format!("{error}; {why}"))),
    }
}
