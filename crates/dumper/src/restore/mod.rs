//! Load a dump into a database, natively: statements over the simple protocol, rows over COPY, on one session or many.
//!
//! Absent: psql; understanding of a statement beyond what decides where it may run; Django.

mod error;
mod load;
mod place;
mod progress;
mod request;
mod restored;
mod run;
mod stop;

pub use error::{Changed, Left, RestoreError, RestoreFailure};
pub(crate) use place::{beside, connect_soon, drop_whole};
pub use progress::{Loading, Phase, RestoreProgress};
pub use request::{
    Analyze, Mode, OldSessions, OnError, Owners, Privileges, RestoreRequest, Target, TypedName,
    Unfinished,
};
pub use restored::{Difference, Restored, SkipReason, Skipped, StatementError, StatementPlace};
pub use run::restore;
pub(crate) use run::restore_until;
pub(crate) use stop::Stop;
