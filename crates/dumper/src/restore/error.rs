//! Why a restore did not come to its end, in classes that a caller maps to exit codes and messages.
//!
//! Absent: exit codes and colours.

use std::fmt;

use pgdriver::{ConnectError, QueryError};

use super::restored::StatementError;
use crate::error::VerifyError;

/// A restore that did not come to its end: why, and what is left of it.
#[derive(Debug, thiserror::Error)]
#[error("{failure}{left}")]
pub struct RestoreError {
    failure: Box<RestoreFailure>,
    left: Left,
}

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFailure {
    /// The request contradicts itself.
    #[error("{0}")]
    Usage(&'static str),
    /// The archive is not whole, or not what its manifest says.
    #[error("the archive cannot be restored: {0}")]
    Archive(#[from] VerifyError),
    /// A line of the dump that is no SQL: another meta-command of psql, a statement without an end.
    #[error("line {line} of the dump cannot be run: {reason}")]
    Dump {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It is no dump of one database; nothing was run.
    #[error("{0}")]
    OfAServer(String),
    /// No session could be opened.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// A pooler stands between.
    #[error(
        "{target} is reached through a connection pooler, which would hand a load's settings to other clients"
    )]
    Pooler {
        /// `shop@db1:6432/shop`
        target: String,
    },
    /// The server has not what the dump needs; nothing was run.
    #[error("the server lacks what the dump needs{}", lines(.missing))]
    Missing {
        /// `role shop_owner`, `extension postgis`, `tablespace fast`.
        missing: Vec<String>,
        /// What to do, one thing a line: statements to paste, flags, packages.
        remedies: Vec<String>,
    },
    /// The target is not what the request says; nothing was run.
    #[error("{reason}")]
    Target {
        /// A stable name for scripts.
        class: &'static str,
        /// A sentence.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A statement failed, and the first error ends a restore.
    #[error("{0}")]
    Statement(Box<StatementError>),
    /// The connection broke.
    #[error("the connection to the server was lost{}: {message}", at_line(*.line))]
    ConnectionLost {
        /// What was under way.
        line: Option<u64>,
        /// What the system or the server said.
        message: String,
    },
    /// A question or command of our own failed.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The caller asked to stop.
    #[error("the restore was interrupted")]
    Interrupted,
}

/// What is left of a restore that did not come to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Left {
    /// Nothing: the server is as it was.
    #[default]
    Nothing,
    /// A database with a part of the dump.
    Part {
        /// Its name.
        database: String,
        /// `12 tables of 40, 3000000 rows; no indexes yet`
        holds: String,
    },
    /// Nobody can tell: the connection broke where it mattered.
    Unknown {
        /// The database in question.
        database: String,
    },
}

/// Whether the server's databases are as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// They are.
    No,
    /// They are not.
    Yes,
    /// Nobody can tell.
    Unknown,
}

impl RestoreError {
    pub(crate) fn new(failure: impl Into<RestoreFailure>) -> Self {
        Self {
            failure: Box::new(failure.into()),
            left: Left::Nothing,
        }
    }

    pub(crate) fn leaving(mut self, left: Left) -> Self {
        self.left = left;
        self
    }

    /// Why.
    pub fn failure(&self) -> &RestoreFailure {
        &self.failure
    }

    /// What is left.
    pub fn left(&self) -> &Left {
        &self.left
    }

    /// A stable name for scripts.
    pub fn class(&self) -> &'static str {
        match &*self.failure {
            RestoreFailure::Usage(_) => "restore-usage",
            RestoreFailure::Archive(error) if error.is_interrupted() => "restore-interrupted",
            RestoreFailure::Archive(error) => error.class(),
            RestoreFailure::Dump { .. } | RestoreFailure::OfAServer(_) => "restore-dump-refused",
            RestoreFailure::Connect(_) => "restore-unreachable",
            RestoreFailure::Pooler { .. } => "restore-through-pooler",
            RestoreFailure::Missing { .. } => "restore-needs-missing",
            RestoreFailure::Target { class, .. } => class,
            RestoreFailure::Statement(_) => "restore-statement-failed",
            RestoreFailure::ConnectionLost { .. } => "restore-connection-lost",
            RestoreFailure::Query(_) => "restore-failed",
            RestoreFailure::Interrupted => "restore-interrupted",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match &*self.failure {
            RestoreFailure::Connect(error) => error.hint().map(str::to_owned),
            RestoreFailure::OfAServer(_) => Some(
                "psql restores a whole server; for one database of it, dump that one alone"
                    .to_owned(),
            ),
            RestoreFailure::Pooler { .. } => {
                Some("name the server itself: its own host and port".to_owned())
            }
            RestoreFailure::Missing { remedies, .. } => Some(remedies.join("\n")),
            RestoreFailure::Target { hint, .. } => hint.clone(),
            RestoreFailure::Statement(error) => error.hint.clone(),
            RestoreFailure::ConnectionLost { .. } => Some(
                "see the server's log: it was stopped, crashed, or the network between broke"
                    .to_owned(),
            ),
            RestoreFailure::Query(error) => error.hint().map(str::to_owned),
            RestoreFailure::Archive(error) => error.hint(),
            RestoreFailure::Usage(_)
            | RestoreFailure::Dump { .. }
            | RestoreFailure::Interrupted => None,
        }
    }

    /// The request itself is wrong.
    pub fn is_usage(&self) -> bool {
        matches!(*self.failure, RestoreFailure::Usage(_))
    }

    /// The caller's `stop` ended it.
    pub fn is_interrupted(&self) -> bool {
        match &*self.failure {
            RestoreFailure::Interrupted => true,
            RestoreFailure::Archive(error) => error.is_interrupted(),
            _ => false,
        }
    }

    /// Whether the server's databases are as they were.
    pub fn changed(&self) -> Changed {
        match self.left {
            Left::Nothing => Changed::No,
            Left::Part { .. } => Changed::Yes,
            Left::Unknown { .. } => Changed::Unknown,
        }
    }
}

impl<E: Into<RestoreFailure>> From<E> for RestoreError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Part { database, holds } => {
                write!(f, "\n  database \"{database}\" is not whole: {holds}")
            }
            Self::Unknown { database } => {
                write!(f, "\n  what database \"{database}\" holds is not known")
            }
        }
    }
}

fn lines(missing: &[String]) -> String {
    missing.iter().map(|one| format!("\n  {one}")).collect()
}

fn at_line(line: Option<u64>) -> String {
    line.map(|line| format!(" at line {line}"))
        .unwrap_or_default()
}
