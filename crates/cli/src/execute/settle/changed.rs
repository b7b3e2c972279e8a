//! Whether anything of the plan stayed.

use super::{Seen, is_connection_lost, lost, open};
use crate::execute::progress::{Commit, Current, Progress};
use crate::exit::Changed;

/// `recorded` counts what this run applied.
pub(super) fn changed(progress: &Progress, recorded: Option<usize>, seen: &Seen<'_>) -> Changed {
    // a server that does not answer any more cannot take back what Python was told is committed
    if recorded.unwrap_or(progress.applied) > 0 {
        return Changed::Yes;
    }
    match open(progress) {
        None => Changed::No,
        Some(current) if half(current, seen) => Changed::Yes,
        // what follows a COMMIT is its recording, in a transaction of its own
        Some(current) if current.commit == Commit::Arrived => Changed::Yes,
        Some(current) if current.commit == Commit::Sent && !refused(progress) => Changed::Unknown,
        Some(current) if doubtful(progress, current).is_some() => Changed::Unknown,
        // its session goes on, or nobody knows: what it holds is held until the server ends it
        Some(current) if current.kept.ran() && !seen.left.is_empty() => Changed::Unknown,
        // the transaction never reached its COMMIT
        Some(_) => Changed::No,
    }
}

/// Some of it is committed, and that is known.
pub(super) fn half(current: &Current, seen: &Seen<'_>) -> bool {
    current.kept.stayed().count > 0 || !current.atomic && !seen.invalid.is_empty()
}

/// A statement of which nobody can say whether it left something.
pub(super) fn doubtful<'a>(progress: &Progress, current: &'a Current) -> Option<&'a str> {
    current
        .kept
        .unsure()
        .or_else(|| current.kept.open_end().filter(|_| unheard(progress)))
}

/// The connection ended with nothing said of the statement: its end may have been its COMMIT. Who terminates a backend
/// has it roll back.
fn unheard(progress: &Progress) -> bool {
    let said = progress.failed.as_ref().map(|(_, exception)| exception);
    lost(progress) && said.is_none_or(|e| e.sqlstate.as_deref() != Some("57P01"))
}

/// The server answered the COMMIT with an error of its own, and so has rolled back: a deferred constraint, a serialization
/// failure. Whatever else ends one, a stop of ours too, leaves it open.
fn refused(progress: &Progress) -> bool {
    let said = progress.failed.as_ref().map(|(_, exception)| exception);
    said.is_some_and(|e| e.sqlstate.is_some() && !is_connection_lost(e))
}
