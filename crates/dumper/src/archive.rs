//! A finished archive, as a value.
//!
//! Absent: how it came to be (`dump`) and how it is found again (`list`).

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::pg_dump::Version;

/// An archive that has its name, its manifest, and was read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// The manifest beside it.
    pub manifest: PathBuf,
    /// What kind of dump it is.
    pub format: Format,
    /// Size of the file.
    pub bytes: u64,
    /// Size of the plain SQL.
    pub raw_bytes: u64,
    /// Of the file, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Every table with a COPY block, in the dump's order.
    pub tables: Vec<TableRows>,
    /// Rows in all tables.
    pub rows: u64,
    /// From the start of pg_dump to the archive's name.
    pub seconds: f64,
    /// Of the pg_dump that wrote it.
    pub pg_dump_version: Version,
    /// What was proven.
    pub verified: Verified,
    /// What pg_dump said although it succeeded, and what we have to say, line by line.
    pub warnings: Vec<String>,
}

/// pg_dump's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `pg_dump -Fp`: SQL.
    Plain,
}

/// What is known about an archive's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// Read back whole: gzip's CRC, SHA-256, pg_dump's end marker, and as many rows as were streamed.
    Trailer,
}

impl Verified {
    /// As `--verify` and the report spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trailer => "trailer",
        }
    }
}

/// One table's COPY block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// Unquoted.
    pub schema: String,
    /// Unquoted.
    pub name: String,
    /// Rows in the COPY block.
    pub rows: u64,
    /// Bytes of the COPY block.
    pub bytes: u64,
}

impl fmt::Display for TableRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}
