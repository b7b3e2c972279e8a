//! The file beside an archive that says what the archive is: `<archive>.json`.
//!
//! Absent: anything secret, and anything needed to restore. The archive stands alone; the manifest lets it be checked.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::{Format, Snapshot, TableProof, TableRows, Verified};
use crate::error::VerifyError;
use crate::folder::{self, with_suffix};
use crate::needs::Needs;
use crate::pg_dump::Version;
use crate::request::Selection;

/// The version that this program writes, and the newest that it reads.
///
/// 1: without the fields that have a default here.
pub const MANIFEST_VERSION: u32 = 2;

/// A manifest on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub manifest_version: u32,
    /// Of the tool that took the backup.
    pub tool_version: String,
    /// RFC 3339.
    pub created_at: String,
    /// The database's name.
    pub database: String,
    /// Of the server.
    pub server_version: Version,
    /// The cluster's: two servers may have databases of one name. A standby has its primary's.
    #[serde(default)]
    pub system_identifier: Option<String>,
    /// Of the pg_dump.
    pub pg_dump_version: Version,
    /// The archive's file name.
    pub file: String,
    /// pg_dump's format.
    pub format: Format,
    /// `gzip:6`, `zstd:1` or `none`.
    pub compression: String,
    /// pg_dump's client encoding.
    pub encoding: String,
    /// Of the file.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Size of the plain SQL.
    pub raw_bytes: u64,
    /// Rows in all tables.
    pub rows: u64,
    /// From the start of pg_dump to the verified file.
    pub seconds: f64,
    /// What was proven when it was written.
    pub verified: Verified,
    /// What was found wrong with it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuted: Option<Refuted>,
    /// Every COPY block.
    pub tables: Vec<TableProof>,
    /// What the database is, for making another like it.
    #[serde(default)]
    pub properties: Option<DatabaseProperties>,
    /// None where pg_dump took a snapshot of its own that nobody else saw.
    #[serde(default)]
    pub snapshot: Option<Snapshot>,
    /// What of the database was dumped.
    #[serde(default)]
    pub selection: Selection,
    /// Processes that read tables at once.
    #[serde(default)]
    pub jobs: Option<u8>,
    /// What a restore expects of its server; none where nobody looked.
    #[serde(default)]
    pub needs: Option<Needs>,
}

/// Why a backup is none any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuted {
    /// What was done with it.
    pub by: Refutation,
    /// What came of that.
    pub why: String,
}

/// What a backup did not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refutation {
    /// It was read to its end.
    Read,
    /// It was restored, and compared with what was dumped.
    Restored,
}

/// A database as `CREATE DATABASE` and `ALTER DATABASE … SET` made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseProperties {
    /// `UTF8`
    pub encoding: String,
    /// LC_COLLATE
    pub collate: String,
    /// LC_CTYPE
    pub ctype: String,
    /// `libc`, `icu`, `builtin`
    pub provider: String,
    /// ICU's or the builtin provider's locale.
    #[serde(default)]
    pub locale: Option<String>,
    /// ICU_RULES
    #[serde(default)]
    pub icu_rules: Option<String>,
    /// `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET`.
    #[serde(default)]
    pub settings: Vec<DatabaseSetting>,
}

/// But for its settings.
impl From<pgdriver::dumped::Database> for DatabaseProperties {
    fn from(made: pgdriver::dumped::Database) -> Self {
        let pgdriver::dumped::Database {
            encoding,
            collate,
            ctype,
            provider,
            locale,
            icu_rules,
        } = made;
        Self {
            encoding,
            collate,
            ctype,
            provider,
            locale,
            icu_rules,
            settings: Vec::new(),
        }
    }
}

/// A setting that sessions of the database begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSetting {
    /// For this role alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `search_path`
    pub name: String,
    /// None where it is an application's own (`app.jwt_secret`): such a value may be a secret, and is not written down.
    pub value: Option<String>,
}

impl Manifest {
    /// Where the manifest of this archive is.
    pub fn path_of(archive: &Path) -> PathBuf {
        with_suffix(archive, ".json")
    }

    /// The manifest of this archive; `None` where it has none.
    pub fn of(archive: &Path) -> Result<Option<Self>, VerifyError> {
        let path = Self::path_of(archive);
        let unreadable = |reason: String| VerifyError::Manifest {
            path: path.clone(),
            reason,
        };
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| unreadable(error.to_string()))?,
        };
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if manifest.manifest_version > MANIFEST_VERSION {
            let version = manifest.manifest_version;
            return Err(unreadable(format!(
                "it has version {version}, and this program reads up to {MANIFEST_VERSION}"
            )));
        }
        Ok(Some(manifest))
    }

    /// Every COPY block, without the server's say.
    pub fn table_rows(&self) -> Vec<TableRows> {
        self.tables.iter().map(TableProof::table_rows).collect()
    }

    /// Writes into the manifest of this archive that it was restored, compared, and the same.
    pub fn mark_restored(archive: &Path) -> io::Result<()> {
        Self::change(archive, |manifest| {
            manifest.verified = Verified::Restored;
            manifest.refuted = None;
        })
    }

    /// Writes into the manifest of this archive that it was read to its end, and is what was written. What a restore has
    /// refuted stays so.
    pub fn mark_read(archive: &Path) -> io::Result<()> {
        Self::change(archive, |manifest| {
            let by_reading = |it: &Refuted| it.by == Refutation::Read;
            manifest.refuted = manifest.refuted.take().filter(|it| !by_reading(it));
        })
    }

    /// Writes into the manifest of this archive that it is no good backup.
    pub fn mark_refuted(archive: &Path, refuted: &Refuted) -> io::Result<()> {
        Self::change(archive, |manifest| {
            manifest.refuted = Some(refuted.clone());
        })
    }

    /// Where there is one, and something to change.
    fn change(archive: &Path, change: impl FnOnce(&mut Self)) -> io::Result<()> {
        let before = Self::of(archive).map_err(io::Error::other)?;
        let Some(before) = before else {
            return Ok(());
        };
        let mut manifest = before.clone();
        change(&mut manifest);
        if manifest == before {
            return Ok(());
        }
        let path = Self::path_of(archive);
        let partial = with_suffix(&path, ".partial");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        let written = manifest
            .write(&file)
            .and_then(|()| std::fs::rename(&partial, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        written?;
        path.parent().map_or(Ok(()), folder::sync)
    }

    pub(crate) fn write(&self, mut file: &File) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()
    }
}
