//! A query that failed, and the questions that callers ask of it.
//!
//! Absent: the driver's own error type, which hides its cause in `Display` and its kind altogether.

use std::error::Error as _;

/// A query failed. `Display` says which, and why.
#[derive(Debug, thiserror::Error)]
#[error("could not {what}: {}", self.message())]
pub struct QueryError {
    what: &'static str,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Driver(Box<tokio_postgres::Error>),
    /// A query that always has a row had none.
    NoRow,
}

impl QueryError {
    pub(crate) fn new(what: &'static str, cause: tokio_postgres::Error) -> Self {
        Self {
            what,
            cause: Cause::Driver(Box::new(cause)),
        }
    }

    pub(crate) fn no_row(what: &'static str) -> Self {
        Self {
            what,
            cause: Cause::NoRow,
        }
    }

    fn driver(&self) -> Option<&tokio_postgres::Error> {
        match &self.cause {
            Cause::Driver(error) => Some(error),
            Cause::NoRow => None,
        }
    }

    /// Five characters, where the server answered.
    pub fn sqlstate(&self) -> Option<&str> {
        self.driver()?
            .code()
            .map(tokio_postgres::error::SqlState::code)
    }

    /// What the server said, without what was being done.
    pub fn message(&self) -> String {
        match &self.cause {
            Cause::Driver(error) => sentence(error),
            Cause::NoRow => "the server gave no row".to_owned(),
        }
    }

    /// The server's DETAIL.
    pub fn detail(&self) -> Option<&str> {
        self.driver()?.as_db_error()?.detail()
    }

    /// The server's HINT.
    pub fn hint(&self) -> Option<&str> {
        self.driver()?.as_db_error()?.hint()
    }

    /// The server's message alone.
    pub fn server_message(&self) -> Option<&str> {
        Some(self.driver()?.as_db_error()?.message())
    }

    /// Where in the statement, in characters from 1.
    pub fn position(&self) -> Option<u32> {
        use tokio_postgres::error::ErrorPosition as P;
        match self.driver()?.as_db_error()?.position()? {
            P::Original(at) => Some(*at),
            P::Internal { .. } => None,
        }
    }

    /// The server's CONTEXT: `COPY shop_order, line 12, column total: "x"`.
    pub fn context(&self) -> Option<&str> {
        self.driver()?.as_db_error()?.where_()
    }

    /// `lock_timeout` ran out, or NOWAIT found a lock.
    pub fn is_lock_timeout(&self) -> bool {
        self.sqlstate() == Some("55P03")
    }

    /// Cancelled: by us, by somebody else, or by `statement_timeout`.
    pub fn is_cancelled(&self) -> bool {
        self.sqlstate() == Some("57014")
    }

    /// The server broke a cycle of waits by ending this one.
    pub fn is_deadlock(&self) -> bool {
        self.sqlstate() == Some("40P01")
    }

    /// The role may not do this.
    pub fn is_permission_denied(&self) -> bool {
        self.sqlstate() == Some("42501")
    }

    /// The session is gone: closed, terminated, or the server went down.
    pub fn is_connection_lost(&self) -> bool {
        match self.sqlstate() {
            Some(sqlstate) => {
                sqlstate.starts_with("08")
                    || ["57P01", "57P02", "57P03", "57P05"].contains(&sqlstate)
            }
            None => self.driver().is_some_and(is_gone),
        }
    }
}

fn is_gone(error: &tokio_postgres::Error) -> bool {
    error.is_closed()
        || error
            .source()
            .is_some_and(|cause| cause.is::<std::io::Error>())
}

/// The driver's sentence with its causes: `FATAL: sorry, too many clients already (SQLSTATE 53300)`,
/// `error connecting to server: Connection refused (os error 111)`.
pub(crate) fn sentence(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return format!(
            "{}: {} (SQLSTATE {})",
            answer.severity(),
            answer.message(),
            answer.code().code()
        );
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
