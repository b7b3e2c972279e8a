//! One file, one verb. Each takes settings and the context and ends with an exit code or a failure.

mod backup;
mod check;
mod context;
mod findings;
mod finish;
mod lint;
mod locks;
mod pages;
mod preview;
mod previous;
mod report;
mod restore;
mod rollback;
mod run;
mod status;
mod steps;
mod watch;

pub(crate) use backup::backup;
pub(crate) use check::check;
pub(crate) use context::Context;
pub(crate) use finish::never_began;
pub(crate) use lint::lint;
pub(crate) use locks::locks;
pub(crate) use pages::{completions, man};
pub(crate) use preview::preview;
pub(crate) use report::report;
pub(crate) use restore::restore;
pub(crate) use rollback::rollback;
pub(crate) use run::run;
pub(crate) use status::status;
