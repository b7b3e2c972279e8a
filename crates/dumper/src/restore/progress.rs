//! What a caller hears while a restore runs.
//!
//! Absent: words for a screen.

use std::time::Duration;

use super::restored::StatementError;

/// Heard while a restore runs, at most about ten times a second but for what happens once.
#[derive(Debug, Clone, PartialEq)]
pub enum RestoreProgress {
    /// Something the user should know now.
    Warning(String),
    /// The file is read before anything is done.
    Verifying {
        /// Bytes of the file read.
        read: u64,
        /// Size of the file.
        bytes: u64,
    },
    /// The database for the load is there.
    Into {
        /// Its name for the time being.
        database: String,
    },
    /// The dump is on its way.
    Loading(Loading),
    /// A statement failed and is passed over.
    Failed(StatementError),
    /// The rows are compared with the manifest.
    Checking,
    /// ANALYZE runs.
    Analyzing,
    /// The database takes its name.
    Renaming {
        /// The name.
        database: String,
    },
}

/// How far a load is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loading {
    /// What is being loaded.
    pub phase: Phase,
    /// What the sessions are at: tables, indexes, constraints.
    pub at: Vec<String>,
    /// Statements that were run.
    pub statements: u64,
    /// Tables whose rows are all there.
    pub tables: u64,
    /// Rows that were sent.
    pub rows: u64,
    /// Bytes of SQL read.
    pub raw_bytes: u64,
    /// Bytes of the file read; none where another program reads it.
    pub read: Option<u64>,
    /// Size of the file.
    pub bytes: Option<u64>,
    /// Index builds and constraints that were found so far.
    pub jobs_found: u64,
    /// And that are done.
    pub jobs_done: u64,
    /// Errors passed over.
    pub errors: u64,
    /// Since the load began.
    pub elapsed: Duration,
}

/// The parts of a dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Definitions that come before the rows.
    #[default]
    Definitions,
    /// Rows.
    Rows,
    /// Indexes, constraints, triggers.
    Indexes,
}
