//! What came of a restore, as a value.
//!
//! Absent: whether errors that were passed over count as success. The caller's exit code says.

use std::fmt;

use crate::archive::TableRows;

/// A dump that was read to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The database that holds it.
    pub database: String,
    /// Statements that were run, COPY among them.
    pub statements: u64,
    /// Rows that the server counted.
    pub rows: u64,
    /// Every table that got rows, in the dump's order; a table with an empty COPY block too.
    pub tables: Vec<TableRows>,
    /// What failed and was passed over, by line.
    pub errors: Vec<StatementError>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What is not as the manifest has it.
    pub differences: Vec<Difference>,
    /// What else the user should know, line by line.
    pub notes: Vec<String>,
    /// From the first look at the server to the end.
    pub seconds: f64,
}

/// A statement that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementError {
    /// Where it stands in the dump's SQL, counted from 1; for a row of COPY data the row's line.
    pub line: u64,
    /// Five characters; empty where the connection broke.
    pub sqlstate: String,
    /// The server's message.
    pub message: String,
    /// Its DETAIL.
    pub detail: Option<String>,
    /// Its HINT.
    pub hint: Option<String>,
    /// Where inside the statement, if the server said.
    pub place: Option<StatementPlace>,
    /// The statement's beginning, in one line. What may hold a password is left out.
    pub statement: String,
}

/// A place inside a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementPlace {
    /// Line of the dump's SQL, counted from 1.
    pub line: u64,
    /// Character of that line, counted from 1.
    pub column: u64,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)?;
        if !self.sqlstate.is_empty() {
            write!(f, " (SQLSTATE {})", self.sqlstate)?;
        }
        if let Some(detail) = &self.detail {
            write!(
                f,
                "\n  detail:    {}",
                detail.replace('\n', "\n             ")
            )?;
        }
        if let Some(at) = self.place.filter(|at| at.line != self.line) {
            write!(
                f,
                "\n  at:        line {}, character {}",
                at.line, at.column
            )?;
        }
        write!(f, "\n  statement: {}", self.statement)
    }
}

/// Statements that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub reason: SkipReason,
    /// How many.
    pub count: u64,
    /// The line of the first.
    pub line: u64,
    /// The beginning of the first.
    pub statement: String,
}

/// Why a statement was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// [`Owners::Skip`](crate::Owners::Skip).
    Owner,
    /// [`Privileges::Skip`](crate::Privileges::Skip).
    Privilege,
    /// The server does not know this setting of the dump's preamble.
    UnknownSetting(String),
    /// It is about the database itself (CREATE DATABASE, `\connect`), and the request names another.
    Database,
    /// BEGIN or COMMIT of large objects, inside a transaction that is ours.
    Transaction,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            line,
            statement,
            ..
        } = self;
        let what = match &self.reason {
            SkipReason::Owner => "that set owners",
            SkipReason::Privilege => "that grant or revoke",
            SkipReason::Database => "about the database itself",
            SkipReason::Transaction => "that begin or end a transaction",
            SkipReason::UnknownSetting(name) => {
                return write!(
                    f,
                    "left out, as the server has no parameter \"{name}\": line {line}: {statement}"
                );
            }
        };
        match count {
            1 => write!(f, "left out, one of those {what}: line {line}: {statement}"),
            _ => write!(
                f,
                "left out, {count} statements {what}: the first is line {line}: {statement}"
            ),
        }
    }
}

/// Something that is not as it was when the dump was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `rows of shop.order`
    pub what: String,
    /// In the manifest or the file.
    pub expected: String,
    /// In the database.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            expected,
            found,
        } = self;
        write!(f, "{what}: {found}, expected {expected}")
    }
}
