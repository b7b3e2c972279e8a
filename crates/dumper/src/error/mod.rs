//! Why there is no archive, in classes that a caller maps to exit codes and messages.
//!
//! Absent: exit codes, colours, and names of tables that pg_dump did not say itself.

mod verify;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

pub use self::verify::VerifyError;
use crate::pg_dump::{Version, install_hint};
use crate::progress::Holder;

/// Why there is no archive. No file that looks whole is left behind by any of these.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// No pg_dump runs on this machine, or the one that was named does not.
    #[error("pg_dump was not found{}", looked_lines(.looked))]
    PgDumpMissing {
        /// Where it was looked for, and what was there.
        looked: Vec<Looked>,
        /// The server's version.
        needed: Version,
    },
    /// pg_dump never dumps a server that is newer than itself.
    #[error("pg_dump {found} at {} cannot dump a server of version {needed}", .path.display())]
    PgDumpTooOld {
        /// The newest that was found.
        found: Version,
        /// Where.
        path: PathBuf,
        /// The server's version.
        needed: Version,
    },
    /// The server said no.
    #[error("the server refused the backup: {said}")]
    Refused {
        /// What was refused.
        refusal: Refusal,
        /// pg_dump's words.
        said: String,
    },
    /// A table stayed locked for longer than the request's `lock_wait_timeout`.
    #[error("a lock was not granted within {}: {said}{}", seconds(*.waited), holder_lines(.holders))]
    LockTimeout {
        /// The tables of the LOCK TABLE statement, as pg_dump wrote them.
        tables: Vec<String>,
        /// The limit.
        waited: Duration,
        /// Who was in the way, as far as it was seen.
        holders: Vec<Holder>,
        /// pg_dump's words.
        said: String,
    },
    /// A pattern of the request's selection is no table's.
    #[error("no table matches what was asked for: {said}")]
    NoMatch {
        /// pg_dump's words.
        said: String,
    },
    /// A table was dropped between the snapshot and pg_dump's lock on it.
    #[error("the schema changed while the backup began: {said}")]
    SchemaChanged {
        /// pg_dump's words.
        said: String,
    },
    /// The request asks for what this pg_dump cannot do.
    #[error("{} cannot do that: {what}", .path.display())]
    Unsupported {
        /// pg_dump.
        path: PathBuf,
        /// What it cannot do, and why.
        what: String,
    },
    /// The session that held the snapshot, and counted in it, was lost while pg_dump worked.
    #[error("the session that holds the snapshot was lost: {reason}")]
    SnapshotLost {
        /// What ended it.
        reason: String,
    },
    /// The connection could not be made, or broke.
    #[error("{}: {said}", if *.established { "the connection to the server was lost" } else { "the server cannot be reached" })]
    ConnectionLost {
        /// Whether there had been a connection.
        established: bool,
        /// pg_dump's words.
        said: String,
    },
    /// The disk is full, or a quota is used up.
    #[error("no space left for {}{}", .path.display(), space_facts(*.written, *.free, *.estimated))]
    OutOfDisk {
        /// The file that did not fit.
        path: PathBuf,
        /// Bytes written before.
        written: u64,
        /// Bytes free when it ended, or for a full disk after the partial file was removed.
        free: Option<u64>,
        /// The guess of the plain SQL's size.
        estimated: Option<u64>,
    },
    /// pg_dump said that all is well, and wrote nothing.
    #[error("{} wrote nothing, although it reported success", .path.display())]
    Empty {
        /// pg_dump.
        path: PathBuf,
    },
    /// pg_dump ended in another way than success.
    #[error("pg_dump failed ({status}){}", colon(.said))]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said, without the password.
        said: String,
    },
    /// pg_dump could not be started.
    #[error("{} could not be started: {source}", .path.display())]
    Start {
        /// pg_dump.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be made, written or read.
    #[error("cannot {doing} {}: {source}", .path.display())]
    File {
        /// A verb phrase: `create`, `write`.
        doing: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was written does not read back as a whole dump.
    #[error("the backup does not verify: {0}")]
    Unverified(#[from] VerifyError),
    /// The caller asked to stop.
    #[error("the backup was interrupted; nothing was kept")]
    Interrupted,
}

impl DumpError {
    /// A stable name for scripts.
    pub fn class(&self) -> &'static str {
        match self {
            Self::PgDumpMissing { .. } => "pg-dump-missing",
            Self::PgDumpTooOld { .. } => "pg-dump-too-old",
            Self::Refused { .. } => "backup-refused",
            Self::LockTimeout { .. } => "backup-lock-timeout",
            Self::NoMatch { .. } => "backup-no-match",
            Self::SchemaChanged { .. } => "backup-schema-changed",
            Self::Unsupported { .. } => "backup-unsupported",
            Self::SnapshotLost { .. } => "backup-snapshot-lost",
            Self::ConnectionLost { .. } => "backup-connection-lost",
            Self::OutOfDisk { .. } => "out-of-disk",
            Self::Empty { .. } => "backup-empty",
            Self::Failed { .. } | Self::Start { .. } => "backup-failed",
            Self::File { .. } => "backup-not-writable",
            Self::Unverified(_) => "backup-unverified",
            Self::Interrupted => "backup-interrupted",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PgDumpMissing { needed, .. } | Self::PgDumpTooOld { needed, .. } => Some(install_hint(*needed)),
            Self::Refused { refusal, .. } => Some(refusal.hint()),
            Self::LockTimeout { .. } => Some(
                "see who holds the lock in pg_locks and pg_stat_activity, or give it more time with --lock-wait-timeout"
                    .to_owned(),
            ),
            Self::NoMatch { .. } => Some(
                "patterns are those of psql: `schema.table`, `shop_*`, and \"Quoted\" where a name has capitals".to_owned(),
            ),
            Self::SchemaChanged { .. } => {
                Some("somebody drops tables; back up again when that is over".to_owned())
            }
            Self::ConnectionLost { .. } | Self::SnapshotLost { .. } => {
                Some("see the server's log: it was stopped, crashed, or the network between broke".to_owned())
            }
            Self::OutOfDisk { .. } => Some("free some space, or choose another folder with --backup-dir".to_owned()),
            Self::Empty { path } => Some(format!("run `{} --version` and look at what it is", path.display())),
            Self::File { .. } => Some("choose a folder that can be written with --backup-dir".to_owned()),
            Self::Unsupported { .. }
            | Self::Failed { .. }
            | Self::Start { .. }
            | Self::Unverified(_)
            | Self::Interrupted => None,
        }
    }

    /// Whether the caller's `stop` ended it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// Whether the archive was written but proved wrong when read back.
    pub fn is_unverified(&self) -> bool {
        matches!(self, Self::Unverified(_))
    }
}

/// A place where pg_dump was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The file, or the folder where there was none.
    pub path: PathBuf,
    /// What was there: "not there", "cannot be run: …", "PostgreSQL 13.4".
    pub found: String,
}

/// What the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The login: password, pg_hba.conf, role, database.
    Login,
    /// A read, named as PostgreSQL names it: `table shop_order`, `schema audit`.
    Privilege {
        /// `table shop_order`
        object: String,
    },
    /// Row-level security would hide rows, and pg_dump does not dump a part.
    RowSecurity {
        /// The table.
        table: String,
    },
}

impl Refusal {
    fn hint(&self) -> String {
        match self {
            Self::Login => "pg_dump logs in on its own: check the password, pg_hba.conf and that the role may connect".to_owned(),
            Self::Privilege { object } if object.starts_with("large object") => format!(
                "the role cannot read {object}, and pg_read_all_data does not cover large objects: back up as their owner or a superuser"
            ),
            Self::Privilege { object } => format!(
                "the role cannot read {object}: GRANT pg_read_all_data TO the role (PostgreSQL 14 and newer), or back up as the owner"
            ),
            Self::RowSecurity { table } => format!(
                "row-level security hides rows of {table}: back up as the table's owner or with a role that has BYPASSRLS"
            ),
        }
    }
}

pub(crate) fn looked_lines(looked: &[Looked]) -> String {
    looked
        .iter()
        .map(|at| format!("\n  {}: {}", at.path.display(), at.found))
        .collect()
}

fn holder_lines(holders: &[Holder]) -> String {
    holders
        .iter()
        .map(|holder| format!("\n  held by {holder}"))
        .collect()
}

fn colon(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

fn seconds(duration: Duration) -> impl fmt::Display {
    format!("{} s", duration.as_secs_f64())
}

fn space_facts(written: u64, free: Option<u64>, estimated: Option<u64>) -> String {
    let mut facts = format!("\n  written: {}", size(written));
    if let Some(free) = free {
        facts += &format!("\n  free:    {}", size(free));
    }
    if let Some(estimated) = estimated {
        facts += &format!(
            "\n  needed:  up to {} (the size of the plain SQL, estimated from the catalog)",
            size(estimated)
        );
    }
    facts
}

/// `1.5 MB`, in powers of 1000 as disks are sold.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let cases = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn out_of_disk_says_written_free_and_needed() {
        let error = DumpError::OutOfDisk {
            path: "b/x.sql.gz".into(),
            written: 1_500_000,
            free: Some(2_000_000),
            estimated: Some(9_000_000),
        };
        let text = error.to_string();
        assert!(text.starts_with("no space left for b/x.sql.gz\n  written: 1.5 MB\n  free:    2.0 MB\n  needed:  up to 9.0 MB"));
    }
}
