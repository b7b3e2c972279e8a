//! Save a PostgreSQL database and prove that it was saved.
//!
//! [`find_pg_dump`] finds a `pg_dump` that can dump the server, [`dump`] streams it into an archive that is read
//! back before it gets its name, [`verify`] reads any archive again, [`list`] says what a folder holds, [`retention::prune`]
//! removes what is too old, and [`restore`](restore()) brings one back.
//!
//! Absent: Django, migrations, settings and terminals. What to dump, as whom and where is handed in; what happened is
//! handed back as values.

mod archive;
mod behind;
mod compress;
mod counts;
mod dump;
mod error;
mod folder;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod list;
mod manifest;
mod needs;
mod password;
mod pg_dump;
mod pipeline;
mod progress;
pub mod prove;
mod read;
mod request;
mod restore;
pub mod retention;
mod running;
mod scan;
mod snapshot;
mod space;
pub mod swap;
mod verify;

pub use archive::{Archive, Checksum, Format, Grade, Snapshot, TableProof, TableRows, Verified};
pub use dump::dump;
pub use error::{DumpError, Looked, Refusal, VerifyError};
pub use list::{Listed, State, Writer, list};
pub use manifest::{
    DatabaseProperties, DatabaseSetting, MANIFEST_VERSION, Manifest, Refutation, Refuted,
};
pub use needs::Needs;
pub use password::Password;
pub use pg_dump::{NoPgRestore, PgDump, Places, Program, Version, find_pg_dump};
pub use progress::{Dumping, Holder, Progress, Waiting};
pub use request::{Compression, DumpRequest, GzipLevel, Selection, ZstdLevel};
pub use restore::{
    Analyze, Changed, Difference, Left, Loading, Mode, OldSessions, OnError, Owners, Phase,
    Privileges, RestoreError, RestoreFailure, RestoreProgress, RestoreRequest, Restored,
    SkipReason, Skipped, StatementError, StatementPlace, Target, TypedName, Unfinished, restore,
};
pub use space::free as free_space;
pub use verify::{Summary, examine, verify, verify_until};
