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
    /// The file, or the folder of [`Format::Directory`].
    pub path: PathBuf,
    /// The manifest beside it.
    pub manifest: PathBuf,
    /// What kind of dump it is.
    pub format: Format,
    /// `gzip:6`, `zstd:1`, `none`.
    pub compression: String,
    /// Size of the file; of a folder, of all its files.
    pub bytes: u64,
    /// Size of the plain SQL.
    pub raw_bytes: u64,
    /// Of the file, in lower-case hexadecimal digits; of a folder, of the list of its files as `sha256sum` writes it.
    pub sha256: String,
    /// Every table with a COPY block, in the dump's order.
    pub tables: Vec<TableProof>,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `pg_dump -Fp`: SQL.
    #[default]
    Plain,
    /// `pg_dump -Fc`: one file for `pg_restore`.
    Custom,
    /// `pg_dump -Fd`: a folder for `pg_restore`, read by several processes at once.
    Directory,
}

impl Format {
    /// As `--backup-format` and pg_dump's `--format` spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Custom => "custom",
            Self::Directory => "directory",
        }
    }
}

/// What is known about an archive's content. Each grade includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// Read back whole: gzip's CRC, SHA-256, pg_dump's end marker, and as many rows as were streamed.
    Trailer,
    /// And each table has as many rows as the server counted in the snapshot that was dumped, but for those whose
    /// [`Grade`] says otherwise.
    Counts,
    /// And it was restored into a scratch database, which was then compared.
    Restored,
}

impl Verified {
    /// As `--verify` and the report spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trailer => "trailer",
            Self::Counts => "counts",
            Self::Restored => "restored",
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

/// What the server said about the rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// It counted them in the snapshot that was dumped, and there are as many.
    Exact,
    /// It was not asked to count so large a table; its estimate stands beside.
    Estimate,
    /// Nothing that holds: it was not asked, or the table was changed in a way that a snapshot does not hide.
    #[default]
    Unknown,
}

/// One table's COPY block, and what the server said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableProof {
    /// Unquoted.
    pub schema: String,
    /// Unquoted.
    pub name: String,
    /// Rows in the COPY block.
    pub rows: u64,
    /// Bytes of the COPY block.
    pub bytes: u64,
    /// How much the server's number is worth.
    #[serde(default)]
    pub grade: Grade,
    /// What the server counted or estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_rows: Option<u64>,
    /// Of the rows in the snapshot that was dumped, where the dump was asked to let itself be compared with a restored
    /// database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
}

/// What two tables share that hold the same rows, in whatever order: see [`pgdriver::dumped::columns`] for how it is made,
/// and for what it does not see. 16 hexadecimal digits in the manifest: JSON's numbers have no 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum(pub u64);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

impl TryFrom<String> for Checksum {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

impl TableProof {
    /// What is in the archive, without the server's say.
    pub fn table_rows(&self) -> TableRows {
        let Self {
            schema,
            name,
            rows,
            bytes,
            ..
        } = self;
        TableRows {
            schema: schema.clone(),
            name: name.clone(),
            rows: *rows,
            bytes: *bytes,
        }
    }
}

impl fmt::Display for TableProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

impl From<TableRows> for TableProof {
    fn from(table: TableRows) -> Self {
        let TableRows {
            schema,
            name,
            rows,
            bytes,
        } = table;
        Self {
            schema,
            name,
            rows,
            bytes,
            grade: Grade::Unknown,
            server_rows: None,
            checksum: None,
        }
    }
}

/// When the dumped snapshot was taken, and where in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// RFC 3339, by the server's clock.
    pub taken_at: String,
    /// `0/16B3740`: written by then, or replayed where `standby`; none where this role may not ask.
    pub lsn: Option<String>,
    /// The dump was taken from a standby.
    #[serde(default)]
    pub standby: bool,
}
