//! What a `migrate` that ended means: facts in, `Applied` or a failure out. Pure.
//!
//! What is recorded in django_migrations, or on the way back is not any more, decides, not what Python said last. Django records a migration in the same
//! transaction unless deferred SQL is left over, and then in a second one: only there an atomic migration whose
//! connection was lost may be applied without a row. One that is not atomic leaves what it committed on its way.

mod by_whom;
mod changed;
mod hint;
mod kept;
mod left;
mod reason;
#[cfg(test)]
mod tests;

use super::progress::{Commit, Current, End, Progress};
use super::{Applied, Ended};
use crate::django::wire::Exception;
use crate::event::Blocker;
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan};
use crate::ui::one_line;
pub(super) use by_whom::arrived;
use by_whom::{ByWhom, Open};
pub(super) use kept::Kept;
pub(super) use left::Left;

/// What an observer saw.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    /// Who stood in the way when a wait was last looked at.
    pub(super) blockers: &'a [Blocker],
    /// Indexes that are INVALID now and were not before. CREATE INDEX CONCURRENTLY leaves one where it fails, which is
    /// the one statement that is not rolled back by its own failure.
    pub(super) invalid: &'a [String],
    /// Server processes of the run that did not end with it.
    pub(super) left: &'a [Left],
}

pub(super) fn settle(
    plan: &Plan,
    progress: &Progress,
    ended: &Ended,
    done: Result<Vec<MigrationId>, Failure>,
    seen: &Seen<'_>,
) -> Result<Applied, Failure> {
    let known = done
        .as_ref()
        .map(Vec::as_slice)
        .map_err(|f| f.message.clone());
    if progress.end == Some(End::Done) && ended.stopped_for.as_ref().is_none_or(was_let_go) {
        // whether all of the plan is recorded is for verification to say, in a fresh process
        return done
            .map(|_| Applied {
                warnings: progress.warnings.clone(),
                let_go: ended.stopped_for.as_ref().map(|f| f.message.clone()),
            })
            .map_err(|f| f.after_applying(Class::VerificationDiffers, plan.direction));
    }
    let by_whom = known
        .as_ref()
        .ok()
        .map(|ids| ByWhom::of(ids, plan, progress));
    let ours = by_whom.as_ref().map(|by| by.us.len());
    let changed = changed::changed(progress, ours, seen);
    let failure = reason::reason(plan, progress, ended, seen.blockers);
    let failure = match (&known, &by_whom) {
        (Ok(_), Some(by)) => by.told(failure, plan),
        (Err(why), _) => failure.source(plan.direction.done(), format!("unknown: {why}")),
        (Ok(_), None) => failure,
    };
    let recorded = Open::of(progress, by_whom.as_ref());
    let failure = hint::with_hint(
        failure.changed(changed),
        plan,
        progress,
        changed,
        seen,
        recorded,
    );
    Err(left::told(of_outcome(failure, progress), seen.left))
}

/// A statement was given up for want of a lock or for those behind it. The project's own code may have caught that and
/// gone on to its end; whatever else stopped the run is not to be caught.
fn was_let_go(failure: &Failure) -> bool {
    matches!(
        failure.class,
        Class::BlastRadius | Class::MigrationLockTimeout
    )
}

/// The migration that was under way.
fn open(progress: &Progress) -> Option<&Current> {
    let failed = progress.failed_current.as_ref();
    failed.or(progress.current.as_ref())
}

fn lost(progress: &Progress) -> bool {
    match &progress.failed {
        Some((_, exception)) => is_connection_lost(exception),
        // no word at all of how it ended: Python was killed
        None => progress.end.is_none(),
    }
}

fn is_connection_lost(exception: &Exception) -> bool {
    const SAID: [&str; 10] = [
        "server closed the connection",
        "connection is closed",
        "connection already closed",
        "terminating connection",
        "the connection is lost",
        "consuming input failed",
        // libpq's words where the network ends a connection
        "could not receive data from server",
        "could not send data to server",
        "SSL SYSCALL error",
        "SSL connection has been closed unexpectedly",
    ];
    let state = exception.sqlstate.as_deref();
    state.is_some_and(|s| s.starts_with("08") || s.starts_with("57P"))
        || SAID.iter().any(|said| exception.message.contains(said))
}

/// A connection that was lost where nobody can say what the server did with its last word.
fn of_outcome(mut failure: Failure, progress: &Progress) -> Failure {
    if failure.changed != Changed::Unknown || failure.class != Class::MigrationConnectionLost {
        return failure;
    }
    failure.class = Class::OutcomeUnknown;
    if let Some(current) = open(progress) {
        let what = match changed::doubtful(progress, current) {
            Some(sql) => format!(
                "whether a statement of `{}` stayed is unknown ({})",
                current.id,
                one_line(sql, 100)
            ),
            None if current.commit == Commit::NotSent => match current.direction {
                Direction::Forward => {
                    format!("whether `{}` is rolled back yet is unknown", current.id)
                }
                Direction::Back => format!(
                    "whether what was run of the way back of `{}` is undone yet is unknown",
                    current.id
                ),
            },
            None => format!("whether the commit of `{}` arrived is unknown", current.id),
        };
        failure.message = format!("{what}: {}", failure.message);
    }
    failure
}
