//! Why a file is no backup, or no whole one.
//!
//! Absent: reading it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::colon;
use crate::pg_dump::NoPgRestore;
use crate::scan::{SplitError, SplitRefusal};

/// Why a file is not a whole dump.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no content.
    #[error("{} is empty", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Its compressed stream ends too early.
    #[error("{} is cut short: its compressed stream has no end", .path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
    },
    /// Its compressed stream is damaged.
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said: a checksum, a bad block, bytes after the end.
        reason: String,
    },
    /// The SQL in it ends too early, though the file is sound: pg_dump died while writing it.
    #[error("{} holds an incomplete dump: {reason}", .path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        reason: String,
    },
    /// The SQL in it cannot be followed: it would not restore.
    #[error("{} cannot be restored: {reason}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Of the SQL, from 1.
        line: Option<u64>,
        /// Why, with the line.
        reason: String,
    },
    /// It is in a format of pg_dump's own, and there is no pg_restore that reads it.
    #[error("cannot read {}: {missing}", .path.display())]
    PgRestore {
        /// The archive.
        path: PathBuf,
        /// Why there is none.
        missing: NoPgRestore,
    },
    /// pg_restore cannot read it.
    #[error("{} is damaged: pg_restore failed ({status}){}", .path.display(), colon(.said))]
    Script {
        /// The archive.
        path: PathBuf,
        /// How pg_restore ended.
        status: ExitStatus,
        /// The end of what it said.
        said: String,
    },
    /// It is sound, but not what was written.
    #[error("{} differs from what was written: {what} is {found}, was {written}", .path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// `sha256`, `size`, `rows of shop.order`.
        what: String,
        /// In the manifest, or while streaming.
        written: String,
        /// Now.
        found: String,
    },
    /// Its manifest cannot be understood.
    #[error("cannot read the manifest {}: {reason}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("reading was interrupted")]
    Interrupted,
}

impl VerifyError {
    /// What the SQL of this file says of itself.
    pub(crate) fn of_text(path: &Path, error: SplitError) -> Self {
        let (path, line, reason) = (path.to_owned(), error.line, error.to_string());
        match error.refusal {
            SplitRefusal::Incomplete(reason) => Self::Incomplete { path, reason },
            _ => Self::Refused { path, line, reason },
        }
    }

    /// Nothing was read: no such file, a folder, or no permission. It says nothing about a backup.
    pub fn is_unopened(&self) -> bool {
        use io::ErrorKind as K;
        let kinds = [
            K::NotFound,
            K::NotADirectory,
            K::IsADirectory,
            K::PermissionDenied,
        ];
        matches!(self, Self::Read { source, .. } if kinds.contains(&source.kind()))
    }

    /// The file itself is not what was written: it can be relied on no more.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Empty { .. }
            | Self::CutShort { .. }
            | Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::Refused { .. }
            | Self::Script { .. }
            | Self::Differs { .. } => true,
            Self::Read { .. }
            | Self::PgRestore { .. }
            | Self::Manifest { .. }
            | Self::Interrupted => false,
        }
    }

    /// Whether the caller's `stop` ended it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PgRestore { missing, .. } => Some(missing.hint()),
            _ => None,
        }
    }

    /// A stable name for scripts.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Read { .. } => "backup-unreadable",
            Self::Empty { .. } => "backup-empty",
            Self::CutShort { .. } => "backup-cut-short",
            Self::Damaged { .. } => "backup-damaged",
            Self::Incomplete { .. } => "backup-incomplete",
            Self::Refused { .. } => "backup-not-restorable",
            Self::PgRestore { .. } => "pg-restore-missing",
            Self::Script { .. } => "backup-damaged",
            Self::Differs { .. } => "backup-differs",
            Self::Manifest { .. } => "backup-manifest-unreadable",
            Self::Interrupted => "backup-interrupted",
        }
    }
}
