//! The same for a migration on its way back: there what is undone is an undoing.

use super::{by_others, doubt, left};
use crate::execute::progress::{Commit, Current, Progress};
use crate::execute::settle::Seen;
use crate::execute::settle::by_whom::Open;
use crate::execute::settle::changed::{doubtful, half};
use crate::exit::{Changed, Class};
use crate::failure::Failure;

pub(super) fn state(
    progress: &Progress,
    c: &Current,
    changed: Changed,
    seen: &Seen<'_>,
    recorded: Open,
) -> String {
    let id = &c.id;
    match (changed, recorded) {
        (_, Open::RecordedByUs) => {
            format!("`{id}` is rolled back, and not recorded any more: its commit arrived")
        }
        (_, Open::RecordedByOthers) => by_others(c),
        (Changed::Yes, _) if c.atomic && c.commit == Commit::Arrived => format!(
            "`{id}` is rolled back but still recorded in django_migrations: once you have looked, take its row out, \
             since its way back would run a second time: DELETE FROM django_migrations WHERE app = '{}' AND name = '{}';",
            id.app, id.name
        ),
        (Changed::Yes, _) if half(c, seen) => left(progress, c, seen),
        (Changed::Yes, _) => format!(
            "{}; the migrations that were rolled back before it stay so",
            nothing_of(c)
        ),
        (Changed::No, _) => nothing_of(c),
        (Changed::Unknown, _) => match doubtful(progress, c) {
            Some(_) => doubt(progress, c),
            None if c.commit == Commit::NotSent => format!(
                "no COMMIT of the way back of `{id}` was sent: it stays applied, whole, once its session has ended"
            ),
            None => format!(
                "whether the last commit arrived is unknown: compare the schema with `{id}`, and take its row out of \
                 django_migrations if what it made is gone"
            ),
        },
    }
}

fn nothing_of(c: &Current) -> String {
    let state = match (c.kept.ran(), c.atomic) {
        (false, _) => return format!("`{}` stays applied: nothing of its way back was run", c.id),
        (true, true) => format!(
            "`{}` stays applied, whole: what was run of its way back was undone with its transaction",
            c.id
        ),
        (true, false) => format!(
            "`{}` stays applied: its way back is not atomic, and nothing of it stayed",
            c.id
        ),
    };
    match c.code.as_slice() {
        [] => state,
        code => format!(
            "{state} in this database; what its own code ({}) did elsewhere is not undone",
            code.join(", ")
        ),
    }
}

pub(super) fn next(failure: &Failure, recorded: Open) -> &'static str {
    match failure.class {
        _ if recorded == Open::RecordedByOthers => {
            "find out who migrates beside this tool, then roll back again"
        }
        Class::MigrationIntegrity => {
            "mend the rows that the detail names, then roll back again: what is back stays back"
        }
        Class::MigrationLockTimeout => {
            "roll back again when the table is quieter, or allow more with --retries and --lock-timeout"
        }
        Class::MigrationTimeout => "give it longer with --statement-timeout, then roll back again",
        Class::MigrationConnectionLost => "look at the server's log, then roll back again",
        Class::PlanChanged => {
            "look at the way back without --apply, read what it shows, then roll back again"
        }
        _ => {
            "mend what the error names and roll back again: what is back stays back; or take the run's backup: \
             django-migrate rollback RUN --restore"
        }
    }
}
