//! What a caller asks for.
//!
//! Absent: where the values come from. The caller owns settings, clock and the connection's facts.

use std::fmt;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use pgdriver::ConnectOptions;
use serde::{Deserialize, Serialize};

use crate::archive::{Format, Verified};
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
    /// The same server, role and database for sessions of our own: the one that holds the snapshot and counts, and the
    /// one that sees whom pg_dump waits for.
    pub connection: ConnectOptions,
    /// The server's `server_version_num`.
    pub server_version_num: u32,
    /// The cluster's system identifier, for the manifest; `None` where this role may not ask.
    pub system_identifier: Option<String>,
    /// Where archives live; created 0700, with a `.gitignore`, if it is not there.
    pub directory: PathBuf,
    /// `YYYYmmdd_HHMMSS`, part of the file's name.
    pub timestamp: String,
    /// RFC 3339, for the manifest.
    pub created_at: String,
    /// The version of the tool that asks, for the manifest.
    pub tool_version: String,
    /// What pg_dump writes.
    pub format: Format,
    /// How it is stored; `None` leaves it to the format: gzip for plain, zstd for the others where this pg_dump and a
    /// server of 16 or newer have it, else gzip.
    pub compression: Option<Compression>,
    /// Processes of pg_dump that read tables at once, for [`Format::Directory`]; the others have one.
    pub jobs: NonZeroU8,
    /// What of the database is dumped.
    pub selection: Selection,
    /// What is to be proven. `Restored` is more than a dump can do by itself: it gives `Counts`, and the caller goes on
    /// with the archive.
    pub proof: Verified,
    /// How long pg_dump may wait for the tables' ACCESS SHARE locks; `None` waits for ever.
    pub lock_wait_timeout: Option<Duration>,
    /// Size of the plain SQL as the catalog lets us guess it; for progress and for a word about free space.
    pub estimated_bytes: Option<u64>,
}

/// What of a database is dumped: everything, unless something is said here. pg_dump reads the patterns, as psql's `\d`
/// does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Definitions without rows.
    pub schema_only: bool,
    /// Only these tables: pg_dump's `--table`. What they need is not dumped with them.
    pub tables: Vec<String>,
    /// The definition of these, without their rows: pg_dump's `--exclude-table-data`.
    pub exclude_table_data: Vec<String>,
}

impl Selection {
    /// Nothing was left out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One gzip stream that any `gunzip` reads.
    Gzip(GzipLevel),
    /// One zstd stream.
    Zstd(ZstdLevel),
    /// As pg_dump wrote it.
    None,
}

impl Default for Compression {
    fn default() -> Self {
        Self::Gzip(GzipLevel::default())
    }
}

impl Compression {
    /// What follows `backup_<database>_<timestamp>` where SQL is stored.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Gzip(_) => ".sql.gz",
            Self::Zstd(_) => ".sql.zst",
            Self::None => ".sql",
        }
    }
}

/// `gzip:6`, `zstd:1`, `none`: as pg_dump's `--compress` of 16 and newer takes it, and as the manifest has it.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gzip(level) => write!(f, "gzip:{}", level.get()),
            Self::Zstd(level) => write!(f, "zstd:{}", level.get()),
            Self::None => f.write_str("none"),
        }
    }
}

/// gzip's 1 to 9; 5 unless told otherwise: with zlib-rs a dump gets as small as with `gzip -6`, in six sevenths of the
/// time that its own 6 takes for half a percent less.
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
        Self(5)
    }
}

/// zstd's 1 to 19; 1 unless told otherwise. Beyond 19 it wants more memory than a backup should take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZstdLevel(u8);

impl ZstdLevel {
    /// `None` outside 1 to 19.
    pub fn new(level: u8) -> Option<Self> {
        (1..=19).contains(&level).then_some(Self(level))
    }

    /// 1 to 19.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for ZstdLevel {
    fn default() -> Self {
        Self(1)
    }
}
