//! pg_dump itself: finding one that fits, starting it, and understanding what it says; and finding its pg_restore.
//!
//! Absent: reading its output (`scan`), running pg_restore (`read`) and other programs of PostgreSQL; but [`Places`] says
//! where those are.

mod places;
mod said;
mod search;
mod start;
mod version;

use std::path::{Path, PathBuf};

pub use places::{Places, Program};
pub(crate) use said::{Said, classify, is_full};
pub(crate) use search::{install_hint, install_pg_restore_hint};
#[cfg(test)]
pub(crate) use start::tests;
pub(crate) use start::{Start, command, libpq_beside};
pub use version::Version;

use crate::error::{DumpError, Looked, looked_lines};

/// A pg_dump that runs and can dump the server it was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgDump {
    /// The program.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, as it says itself.
    pub version_text: String,
}

/// A pg_restore that runs and can read the archive it was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PgRestore {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPgRestore {
    /// No pg_restore runs on this machine, or the one that was named does not.
    #[error("pg_restore was not found{}", looked_lines(.looked))]
    Missing {
        /// Where it was looked for, and what was there.
        looked: Vec<Looked>,
        /// Of the pg_dump that wrote the archive.
        needed: Option<Version>,
    },
    /// Its format is newer than the newest that was found.
    #[error("pg_restore {found} at {} is too old for it{}", .path.display(), .needed.map_or_else(String::new, |it| format!(": pg_dump {it} wrote it")))]
    TooOld {
        /// The newest that was found.
        found: Version,
        /// Where.
        path: PathBuf,
        /// Of the pg_dump that wrote the archive.
        needed: Option<Version>,
    },
}

impl NoPgRestore {
    /// What to install.
    pub(crate) fn hint(&self) -> String {
        let (Self::Missing { needed, .. } | Self::TooOld { needed, .. }) = self;
        install_pg_restore_hint(*needed)
    }
}

/// Finds the pg_dump to use for a server of this `server_version_num`.
///
/// `explicit` is the only candidate where it is given. Otherwise `PATH` and the usual version folders are searched and
/// **the newest** that can dump the server is taken; among equals the first on `PATH`, and Debian's `pg_wrapper` last,
/// since it chooses a version of its own. The newest, not the server's own major: a newer pg_dump has the fixes, and
/// what it writes restores into the same major.
pub fn find_pg_dump(explicit: Option<&Path>, server_version_num: u32) -> Result<PgDump, DumpError> {
    Places::of_this_machine().find_pg_dump(explicit, server_version_num)
}
