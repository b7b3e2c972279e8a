//! What a caller asks for, and what it hears while the dump runs.
//!
//! Absent: where the values come from. The caller owns settings, clock and the connection's facts.

use std::path::PathBuf;
use std::time::Duration;

use crate::password::Password;
use crate::pg_dump::PgDump;

/// One dump of one database.
#[derive(Debug, Clone)]
pub struct DumpRequest {
    /// From [`find_pg_dump`](crate::find_pg_dump).
    pub pg_dump: PgDump,
    /// libpq's variables for the connection (`PGHOST`, `PGPORT`, `PGUSER`, `PGSSLMODE`, `PGSERVICE` …), without the
    /// password. No other `PG*` variable reaches pg_dump.
    pub environment: Vec<(String, String)>,
    /// Where there is none, libpq may still find one in the password file.
    pub password: Option<Password>,
    /// Taken literally, never as a connection string.
    pub database: String,
    /// The server's `server_version_num`.
    pub server_version_num: u32,
    /// Where archives live; created 0700, with a `.gitignore`, if it is not there.
    pub directory: PathBuf,
    /// `YYYYmmdd_HHMMSS`, part of the file's name.
    pub timestamp: String,
    /// RFC 3339, for the manifest.
    pub created_at: String,
    /// The version of the tool that asks, for the manifest.
    pub tool_version: String,
    /// How the plain SQL is stored.
    pub compression: Compression,
    /// How long pg_dump may wait for the tables' ACCESS SHARE locks; `None` waits for ever.
    pub lock_wait_timeout: Option<Duration>,
    /// Size of the plain SQL as the catalog lets us guess it; for progress and for a word about free space.
    pub estimated_bytes: Option<u64>,
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One gzip stream that any `gunzip` reads.
    Gzip(GzipLevel),
    /// Plain SQL as pg_dump wrote it.
    None,
}

impl Default for Compression {
    fn default() -> Self {
        Self::Gzip(GzipLevel::default())
    }
}

impl Compression {
    /// What follows `backup_<database>_<timestamp>`.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Gzip(_) => ".sql.gz",
            Self::None => ".sql",
        }
    }
}

/// gzip's 1 to 9; 6 unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzipLevel(u8);

impl GzipLevel {
    /// `None` outside 1 to 9.
    pub fn new(level: u8) -> Option<Self> {
        (1..=9).contains(&level).then_some(Self(level))
    }

    /// 1 to 9.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for GzipLevel {
    fn default() -> Self {
        Self(6)
    }
}

/// Heard while a dump runs, at most about ten times a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something the user should know now, such as scarce space.
    Warning(String),
    /// pg_dump is at work.
    Dumping(Dumping),
    /// The written file is read back.
    Verifying {
        /// Bytes of the file read.
        read: u64,
        /// Size of the file.
        bytes: u64,
    },
}

/// How far a dump is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dumping {
    /// The table whose rows are coming, as `schema.name`.
    pub table: Option<String>,
    /// Tables whose rows are all there.
    pub tables: u64,
    /// Rows so far.
    pub rows: u64,
    /// Bytes of plain SQL so far.
    pub raw_bytes: u64,
    /// Bytes written to the file so far.
    pub bytes: u64,
    /// The request's guess of the plain SQL's size.
    pub estimated_bytes: Option<u64>,
    /// Since the start.
    pub elapsed: Duration,
}
