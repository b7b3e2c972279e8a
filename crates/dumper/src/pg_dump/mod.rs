//! pg_dump itself: finding one that fits, starting it, and understanding what it says.
//!
//! Absent: reading its output (`scan`) and other programs of PostgreSQL.

mod places;
mod said;
mod search;
mod start;
mod version;

use std::path::{Path, PathBuf};

pub use places::Places;
pub(crate) use said::{Said, classify};
pub(crate) use search::install_hint;
pub(crate) use start::{command, libpq_beside};
pub use version::Version;

use crate::error::DumpError;

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

/// Finds the pg_dump to use for a server of this `server_version_num`.
///
/// `explicit` is the only candidate where it is given. Otherwise `PATH` and the usual version folders are searched and
/// **the newest** that can dump the server is taken; among equals the first on `PATH`, and Debian's `pg_wrapper` last,
/// since it chooses a version of its own. The newest, not the server's own major: a newer pg_dump has the fixes, and
/// what it writes restores into the same major.
pub fn find_pg_dump(explicit: Option<&Path>, server_version_num: u32) -> Result<PgDump, DumpError> {
    Places::of_this_machine().find_pg_dump(explicit, server_version_num)
}
