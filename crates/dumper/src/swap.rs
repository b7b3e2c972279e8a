//! A restored database takes the name of the live one, which stays whole under another name.
//!
//! Both renames, the owner and the rights are one transaction of the server: there is no moment without a database of that
//! name, but that nobody is let in while it lasts. Absent: making databases, dropping them, asking anybody.

use std::time::{Duration, Instant};

use pgdriver::renaming::{self, Allow, Clients, Like};
use pgdriver::{ConnectError, ConnectOptions, QueryError, Session, tables};

use crate::restore::{OldSessions, TypedName};

/// How long ended sessions may take to go.
const GONE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(50);
/// Databases that servers have by themselves: one to work from.
const ALWAYS_THERE: [&str; 2] = ["postgres", "template1"];
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

/// Exchanges the names. Whatever fails, the old database lets its users in again.
pub async fn swap(request: &SwapRequest) -> Result<Swapped, SwapError> {
    let name = request.name.as_str();
    let session = outside(&request.connection, &[name, &request.by, &request.kept_as]).await?;
    let like = checked(&session, request).await?;
    if request.sessions == OldSessions::Refuse {
        unused(&session, name).await?;
    }
    unused(&session, &request.by).await?;
    renaming::allow_connections(&session, name, Allow::No).await?;
    let done = closed(&session, request, &like).await;
    let now = match &done {
        Ok(_) => request.kept_as.as_str(),
        Err(_) => name,
    };
    let opened = reopened(&session, &request.connection, request, now, like.allow).await;
    session.close().await;
    match (done, opened) {
        (Ok(swapped), _) => Ok(swapped),
        // the answer of the commit was lost, not the commit
        (Err(_), Ok(Names::Exchanged)) => Ok(Swapped {
            database: name.to_owned(),
            kept_as: request.kept_as.clone(),
            ended: 0,
        }),
        (Err(error), Ok(Names::AsBefore)) => Err(error),
        (Err(error), Err(why)) => Err(SwapError::Unknown(format!("{error}; {why}"))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    AsBefore,
    Exchanged,
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

/// Nobody new gets in: those that are there go, then the names change hands.
async fn closed(
    session: &Session,
    request: &SwapRequest,
    like: &Like,
) -> Result<Swapped, SwapError> {
    let name = request.name.as_str();
    let mut ended = 0;
    if request.sessions == OldSessions::Terminate {
        ended = renaming::end_sessions(session, name).await?.0;
    }
    let begun = Instant::now();
    while let Err(in_use) = unused(session, name).await {
        if begun.elapsed() > GONE || request.sessions == OldSessions::Refuse {
            return Err(in_use);
        }
        tokio::time::sleep(AGAIN).await;
    }
    renaming::exchange(session, name, &request.by, &request.kept_as, like).await?;
    Ok(Swapped {
        database: name.to_owned(),
        kept_as: request.kept_as.clone(),
        ended,
    })
}

/// Opens the old database again, whatever it is called, over a new session where this one is gone.
async fn reopened(
    session: &Session,
    connection: &ConnectOptions,
    request: &SwapRequest,
    now: &str,
    allow: Allow,
) -> Result<Names, SwapError> {
    let names = |now: &str| match now == request.kept_as {
        true => Names::Exchanged,
        false => Names::AsBefore,
    };
    if !session.is_closed() {
        renaming::allow_connections(session, now, allow).await?;
        return Ok(names(now));
    }
    let name = request.name.as_str();
    let other = outside(connection, &[name, &request.by, &request.kept_as]).await?;
    let exchanged = tables::database_exists(&other, &request.kept_as).await?;
    let now = if exchanged { &request.kept_as } else { name };
    renaming::allow_connections(&other, now, allow).await?;
    other.close().await;
    Ok(names(now))
}
