//! What is true now, and what to do next.

mod back;

use super::by_whom::Open;
use super::changed::{doubtful, half};
use super::{Seen, open};
use crate::execute::progress::{Commit, Current, Progress};
use crate::execute::resume::{self, drop_index};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::plan::{Direction, Plan};
use crate::sql::Relation;
use crate::ui::{count, one_line};

const SQL: usize = 160;

/// The failure with each statement of a half migration that stayed, and with what to do.
pub(super) fn with_hint(
    failure: Failure,
    plan: &Plan,
    progress: &Progress,
    changed: Changed,
    seen: &Seen<'_>,
    recorded: Open,
) -> Failure {
    let state = match (open(progress), plan.direction) {
        (Some(c), Direction::Back) => back::state(progress, c, changed, seen, recorded),
        (Some(c), Direction::Forward) => state(progress, c, changed, seen, recorded),
        (None, direction) => nothing_open(direction, changed),
    };
    let next = match plan.direction {
        Direction::Forward => next(&failure, recorded),
        Direction::Back => back::next(&failure, recorded),
    };
    let next = next.to_owned();
    // who stopped it knows best what to do next
    let next = failure.hint.clone().unwrap_or(next);
    let mut failure = failure.hint(format!("{state}; {next}"));
    if recorded == Open::RecordedByUs {
        return failure;
    }
    if let Some(current) = open(progress).filter(|c| half(c, seen) && c.commit != Commit::Arrived) {
        failure = stayed(failure, current);
    }
    match open(progress).and_then(|c| doubtful(progress, c)) {
        Some(sql) => failure.source("perhaps stayed", one_line(sql, SQL)),
        None => failure,
    }
}

fn stayed(failure: Failure, current: &Current) -> Failure {
    let stayed = current.kept.stayed();
    let told = stayed.first.iter().fold(failure, |failure, sql| {
        let proven = match resume::claims(sql) {
            Some(_) => "",
            None => {
                " (nothing in the catalog proves it: run again it would do its work a second time)"
            }
        };
        failure.source("stayed", format!("{}{proven}", one_line(sql, SQL)))
    });
    match stayed.count.saturating_sub(stayed.first.len() as u64) {
        0 => told,
        more => told.source("stayed", format!("and {more} more")),
    }
}

fn nothing_open(direction: Direction, changed: Changed) -> String {
    let done = direction.done();
    match (changed, direction) {
        (Changed::Yes, Direction::Forward) => format!("the migrations that were {done} stayed"),
        (Changed::Yes, Direction::Back) => format!("the migrations that were {done} stay so"),
        _ => format!("nothing was {done}"),
    }
}

fn state(
    progress: &Progress,
    c: &Current,
    changed: Changed,
    seen: &Seen<'_>,
    recorded: Open,
) -> String {
    let id = &c.id;
    match (changed, recorded) {
        (_, Open::RecordedByUs) => format!("`{id}` is applied and recorded: its commit arrived"),
        (_, Open::RecordedByOthers) => by_others(c),
        (Changed::Yes, _) if c.atomic && c.commit == Commit::Arrived => format!(
            "`{id}` is applied but not recorded in django_migrations: `migrate --fake` it once you have looked, \
             since it would run a second time"
        ),
        (Changed::Yes, _) if half(c, seen) => left(progress, c, seen),
        (Changed::Yes, _) => format!("{}; the migrations before it stayed", nothing_of(c)),
        (Changed::No, _) => nothing_of(c),
        (Changed::Unknown, _) => match doubtful(progress, c) {
            Some(_) => doubt(progress, c),
            None if c.commit == Commit::NotSent => {
                format!("no COMMIT of `{id}` was sent: it is rolled back once its session has ended")
            }
            None => "whether the last commit arrived is unknown: compare the schema with the migration, then \
                     `migrate --fake` it if it is there"
                .to_owned(),
        },
    }
}

fn by_others(c: &Current) -> String {
    let ours = match c.kept.stayed().count {
        0 => "what this run did of it was rolled back".to_owned(),
        n => format!("{} of this run's statements of it stayed too", n),
    };
    let done = c.direction.done();
    format!(
        "`{}` was {done} by somebody else at the same time, which the advisory lock does not prevent in a plain \
         `manage.py migrate`; {ours}",
        c.id
    )
}

fn nothing_of(c: &Current) -> String {
    let state = match (c.kept.ran(), c.atomic) {
        (false, _) => return format!("nothing of `{}` was run", c.id),
        (true, true) => format!("`{}` was rolled back whole, and nothing of it stayed", c.id),
        (true, false) => format!("`{}` is not atomic, and nothing of it stayed", c.id),
    };
    match c.code.as_slice() {
        [] => state,
        code => format!(
            "{state} in this database; what its own code ({}) did elsewhere is not rolled back",
            code.join(", ")
        ),
    }
}

/// Half of it is there.
fn left(progress: &Progress, c: &Current, seen: &Seen<'_>) -> String {
    let id = &c.id;
    let why = match c.atomic {
        true => "ends its transaction itself",
        false => "is not atomic",
    };
    let mut said = match c.kept.stayed().count {
        0 => format!("`{id}` {why}"),
        n => format!(
            "`{id}` {why}: {} of it stayed, named above",
            count(n, "statement")
        ),
    };
    if !seen.invalid.is_empty() {
        said.push_str(&format!(
            " and it left an INVALID index: {} before you run again",
            drop_indexes(seen.invalid)
        ));
    }
    if doubtful(progress, c).is_some() {
        said.push_str("; whether the one that failed committed on its way nobody can tell: look at what it left");
    }
    if c.kept.stayed().count > 0 && !c.atomic {
        said.push_str(
            "; as long as the migration's file stays as it is, the next run does not do again what the catalog proves \
             done; before you change the file, take back by hand what stayed",
        );
    }
    said
}

fn doubt(progress: &Progress, c: &Current) -> String {
    let why = match c.kept.unsure() {
        Some(_) => "may have committed on its way before it failed",
        None => "may have come to its end unheard",
    };
    let sql = doubtful(progress, c).unwrap_or_default();
    format!(
        "`{}` is not one transaction, and a statement of it {why}: {}. Look at what it left before you run again",
        c.id,
        one_line(sql, SQL)
    )
}

fn next(failure: &Failure, recorded: Open) -> &'static str {
    match failure.class {
        _ if recorded == Open::RecordedByOthers => {
            "find out who migrates beside this tool, then run again"
        }
        Class::MigrationIntegrity => {
            "mend the rows that the detail names, or change the migration to, then run again"
        }
        Class::MigrationLockTimeout => {
            "run again when the table is quieter, or allow more with --retries and --lock-timeout"
        }
        Class::MigrationTimeout => {
            "give it longer with --statement-timeout, or do the work in smaller steps"
        }
        Class::MigrationConnectionLost => "look at the server's log, then run again",
        Class::PlanChanged => "make a dry run, read what it shows, then run again",
        _ => "the report lists the way back",
    }
}

/// Each with its exact way out.
fn drop_indexes(names: &[String]) -> String {
    let drop = |name: &String| match name.split_once('.') {
        Some((schema, index)) => drop_index(&Relation::new(schema, index)),
        None => drop_index(&Relation::unqualified(name)),
    };
    names.iter().map(drop).collect::<Vec<_>>().join(" ")
}
