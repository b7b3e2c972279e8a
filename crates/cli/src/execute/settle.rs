//! What a `migrate` that ended means: facts in, `Applied` or a failure out. Pure.
//!
//! What is recorded in django_migrations decides, not what Python said last. Django records a migration in the same
//! transaction unless deferred SQL is left over, and then in a second one: only there an atomic migration whose
//! connection was lost may be applied without a row.

use super::progress::{Commit, Current, End, Progress};
use super::resume::drop_index;
use super::{Applied, Ended};
use crate::django::wire::{Exception, ProblemClass};
use crate::event::Blocker;
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::names::MigrationId;
use crate::plan::Plan;
use crate::sql::Relation;
use crate::ui;

/// What an observer saw.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    /// Who stood in the way when a wait was last looked at.
    pub(super) blockers: &'a [Blocker],
    /// Indexes that are INVALID now and were not before. CREATE INDEX CONCURRENTLY leaves one where it fails, which is
    /// the one statement that is not rolled back by its own failure.
    pub(super) invalid: &'a [String],
}

pub(super) fn settle(
    plan: &Plan,
    progress: &Progress,
    ended: &Ended,
    recorded: Result<Vec<MigrationId>, Failure>,
    seen: &Seen<'_>,
) -> Result<Applied, Failure> {
    let known = recorded
        .as_ref()
        .map(Vec::as_slice)
        .map_err(|f| f.message.clone());
    if progress.end == Some(End::Done) && ended.stopped_for.is_none() {
        // whether all of the plan is recorded is for verification to say, in a fresh process
        return recorded
            .map(|_| Applied {
                warnings: progress.warnings.clone(),
            })
            .map_err(|f| f.after_applying(Class::VerificationDiffers));
    }
    let by_whom = known
        .as_ref()
        .ok()
        .map(|ids| ByWhom::of(ids, plan, progress));
    let ours = by_whom.as_ref().map(|by| by.us.len());
    let changed = changed(progress, ours, seen);
    let failure = reason(plan, progress, ended, seen.blockers);
    let failure = match (&known, &by_whom) {
        (Ok(_), Some(by)) => applied(failure, by, plan),
        (Err(why), _) => failure.source("applied", format!("unknown: {why}")),
        (Ok(_), None) => failure,
    };
    let open = Open::of(progress, by_whom.as_ref());
    Err(told(
        failure.changed(changed),
        progress,
        changed,
        seen,
        open,
    ))
}

/// What of the plan is recorded: a plain `migrate` beside this run may have done some of it.
#[derive(Debug, Default)]
struct ByWhom<'a> {
    us: Vec<&'a MigrationId>,
    others: Vec<&'a MigrationId>,
}

impl<'a> ByWhom<'a> {
    fn of(recorded: &'a [MigrationId], plan: &Plan, progress: &Progress) -> Self {
        let told: Vec<&MigrationId> = plan.ids().take(progress.applied).collect();
        let arrived = open(progress).filter(|current| match current.commit {
            Commit::Sent | Commit::Arrived => true,
            // whoever saw it fail has not recorded it
            Commit::NotSent => !current.atomic && lost(progress),
        });
        let (us, others) = recorded
            .iter()
            .partition(|id| told.contains(id) || arrived.is_some_and(|c| c.id == **id));
        Self { us, others }
    }
}

fn applied(failure: Failure, by: &ByWhom<'_>, plan: &Plan) -> Failure {
    let all = plan.steps.len();
    let failure = failure.source(
        "applied",
        format!("{} of {all} migrations of the plan", by.us.len()),
    );
    if by.others.is_empty() {
        return failure;
    }
    let others: Vec<String> = by.others.iter().map(ToString::to_string).collect();
    failure.source("applied by somebody else meanwhile", others.join(", "))
}

fn open(progress: &Progress) -> Option<&Current> {
    let failed = progress.failed_current.as_ref();
    failed.or(progress.current.as_ref())
}

/// What the history has of the migration that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Nothing, or nobody could be asked.
    NotRecorded,
    /// Its commit arrived though nobody was told so.
    RecordedByUs,
    RecordedByOthers,
}

impl Open {
    fn of(progress: &Progress, by: Option<&ByWhom<'_>>) -> Self {
        match (open(progress), by) {
            (Some(c), Some(by)) if by.us.contains(&&c.id) => Self::RecordedByUs,
            (Some(c), Some(by)) if by.others.contains(&&c.id) => Self::RecordedByOthers,
            _ => Self::NotRecorded,
        }
    }
}

/// Migrations of the plan that this run applied though Python did not live to say so.
pub(super) fn arrived<'a>(
    plan: &Plan,
    progress: &Progress,
    recorded: &'a [MigrationId],
) -> Option<&'a MigrationId> {
    let by = ByWhom::of(recorded, plan, progress);
    let open = open(progress)?;
    by.us.into_iter().find(|id| **id == open.id)
}

/// Whether anything of the plan stayed. `recorded` counts what this run applied.
fn changed(progress: &Progress, recorded: Option<usize>, seen: &Seen<'_>) -> Changed {
    // a server that does not answer any more cannot take back what Python was told is committed
    if recorded.unwrap_or(progress.applied) > 0 {
        return Changed::Yes;
    }
    match open(progress) {
        None => Changed::No,
        Some(current)
            if !current.atomic && (current.statements > 0 || !seen.invalid.is_empty()) =>
        {
            Changed::Yes
        }
        // what follows a COMMIT is its recording, in a transaction of its own
        Some(current) if current.commit == Commit::Arrived => Changed::Yes,
        Some(current) if current.commit == Commit::Sent && !refused(progress) => Changed::Unknown,
        // the transaction never reached its COMMIT
        Some(_) => Changed::No,
    }
}

/// The server answered the COMMIT with an error of its own, and so has rolled back: a deferred constraint, a serialization
/// failure. Whatever else ends one, a stop of ours too, leaves it open.
fn refused(progress: &Progress) -> bool {
    let said = progress.failed.as_ref().map(|(_, exception)| exception);
    said.is_some_and(|e| e.sqlstate.is_some() && !is_connection_lost(e))
}

fn lost(progress: &Progress) -> bool {
    match &progress.failed {
        Some((_, exception)) => is_connection_lost(exception),
        // no word at all of how it ended: Python was killed
        None => progress.end.is_none(),
    }
}

fn reason(plan: &Plan, progress: &Progress, ended: &Ended, blockers: &[Blocker]) -> Failure {
    let stopped = ended.stopped_for.clone();
    if let Some(failure) = stopped.or_else(|| ended.asked.anything().then(|| ended.asked.failure()))
    {
        return match progress
            .failed_current
            .as_ref()
            .or(progress.current.as_ref())
        {
            Some(current) => failure.source("in", current.id.to_string()),
            None => failure,
        };
    }
    if let Some((id, exception)) = &progress.failed {
        return migration_failed(plan, id, exception, progress, blockers);
    }
    if let Some(problem) = &progress.problem {
        if problem.class == ProblemClass::PlanChanged {
            return Failure::new(
                Class::PlanChanged,
                format!(
                    "the project changed while the run waited: {}",
                    problem.message
                ),
            );
        }
        return Failure::new(
            Class::MigrationFailed,
            format!("`migrate` failed: {}", problem.message.trim()),
        );
    }
    match (&ended.crash, &progress.current) {
        (Some(crash), Some(current)) => {
            let mut failure = crash.clone();
            failure.class = Class::MigrationConnectionLost;
            failure.message = format!(
                "migration `{}` was cut off: {}",
                current.id, failure.message
            );
            failure
        }
        (Some(crash), None) => crash.clone(),
        (None, _) => Failure::new(Class::MigrationFailed, "`migrate` ended without saying how"),
    }
}

fn migration_failed(
    plan: &Plan,
    id: &MigrationId,
    exception: &Exception,
    progress: &Progress,
    blockers: &[Blocker],
) -> Failure {
    let class = class_of(exception);
    let sqlstate = exception
        .sqlstate
        .as_deref()
        .map(|s| format!(" (SQLSTATE {s})"))
        .unwrap_or_default();
    let message = format!(
        "migration `{id}` failed: {}{sqlstate}",
        first_line(&exception.message)
    );
    let mut failure = Failure::new(class, message);
    let rows = [
        ("detail", exception.detail.clone()),
        ("constraint", exception.constraint.clone()),
        ("table", exception.table.clone()),
        ("column", exception.column.clone()),
        (
            "statement",
            progress
                .failed_statement
                .as_deref()
                .map(|sql| ui::one_line(sql, 300)),
        ),
        (
            "file",
            plan.steps
                .iter()
                .find(|s| s.id == *id)
                .and_then(|s| s.file.clone()),
        ),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            failure = failure.source(name, value);
        }
    }
    if matches!(class, Class::MigrationLockTimeout) {
        for blocker in blockers {
            failure = failure.source("blocked by", blocker.what.clone());
        }
    }
    failure
}

/// By SQLSTATE; a connection that is gone often has none.
fn class_of(exception: &Exception) -> Class {
    match exception.sqlstate.as_deref() {
        Some("55P03") => Class::MigrationLockTimeout,
        Some("57014") => Class::MigrationTimeout,
        Some(s) if s.starts_with("22") || s.starts_with("23") => Class::MigrationIntegrity,
        _ if is_connection_lost(exception) => Class::MigrationConnectionLost,
        _ => Class::MigrationFailed,
    }
}

fn is_connection_lost(exception: &Exception) -> bool {
    const SAID: [&str; 6] = [
        "server closed the connection",
        "connection is closed",
        "connection already closed",
        "terminating connection",
        "the connection is lost",
        "consuming input failed",
    ];
    let state = exception.sqlstate.as_deref();
    state.is_some_and(|s| s.starts_with("08") || s.starts_with("57P"))
        || SAID.iter().any(|said| exception.message.contains(said))
}

/// The failure with what is true now and what to do next.
fn told(
    failure: Failure,
    progress: &Progress,
    changed: Changed,
    seen: &Seen<'_>,
    recorded: Open,
) -> Failure {
    let hint = hint(&failure, progress, changed, seen, recorded);
    let mut failure = failure.hint(hint);
    if changed == Changed::Unknown && failure.class == Class::MigrationConnectionLost {
        failure.class = Class::OutcomeUnknown;
        if let Some(current) = open(progress) {
            failure.message = format!(
                "whether the commit of `{}` arrived is unknown: {}",
                current.id, failure.message
            );
        }
    }
    failure
}

fn hint(
    failure: &Failure,
    progress: &Progress,
    changed: Changed,
    seen: &Seen<'_>,
    recorded: Open,
) -> String {
    let open = open(progress);
    let state = match (changed, open) {
        (_, Some(c)) if recorded == Open::RecordedByUs => {
            format!("`{}` is applied and recorded: its commit arrived", c.id)
        }
        (_, Some(c)) if recorded == Open::RecordedByOthers => {
            let ours = match c.atomic || c.statements == 0 {
                true => "what this run did of it was rolled back".to_owned(),
                false => format!("{} of this run's statements of it stayed too", c.statements),
            };
            format!(
                "`{}` was applied by somebody else at the same time, which the advisory lock does not prevent in a plain \
                 `manage.py migrate`; {ours}",
                c.id
            )
        }
        (Changed::No, None) => "nothing was applied".to_owned(),
        (Changed::No, Some(c)) if !c.atomic => {
            format!("`{}` is not atomic, and this run did nothing of it", c.id)
        }
        (Changed::No, Some(_)) => "it was rolled back whole and nothing stayed".to_owned(),
        (Changed::Yes, Some(c)) if !c.atomic && !seen.invalid.is_empty() => format!(
            "`{}` is not atomic and left an INVALID index: {} before you run again",
            c.id,
            drop_indexes(seen.invalid)
        ),
        (Changed::Yes, Some(c)) if !c.atomic && c.statements > 0 => format!(
            "`{}` is not atomic: {} of its statements stayed. Look at what it left before you run again",
            c.id, c.statements
        ),
        (Changed::Yes, Some(c)) if c.atomic && c.commit == Commit::Arrived => format!(
            "`{0}` is applied but not recorded in django_migrations: `migrate --fake` it once you have looked, \
             since it would run a second time",
            c.id
        ),
        (Changed::Yes, Some(c)) => format!("`{}` was rolled back; the migrations before it stayed", c.id),
        (Changed::Yes, None) => "the migrations that were applied stayed".to_owned(),
        (Changed::Unknown, _) => {
            "whether the last commit arrived is unknown: compare the schema with the migration, then \
             `migrate --fake` it if it is there"
                .to_owned()
        }
    };
    let next = match failure.class {
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
    };
    // who stopped it knows best what to do next
    let next = failure.hint.as_deref().unwrap_or(next);
    format!("{state}; {next}")
}

/// Each with its exact way out.
fn drop_indexes(names: &[String]) -> String {
    let drop = |name: &String| match name.split_once('.') {
        Some((schema, index)) => drop_index(&Relation::new(schema, index)),
        None => drop_index(&Relation::unqualified(name)),
    };
    names.iter().map(drop).collect::<Vec<_>>().join(" ")
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::django::wire::{Answer, MigrateOutcome};
    use crate::plan::PlanStep;
    use crate::signal::Asked;
    use std::collections::BTreeMap;

    fn exception(sqlstate: Option<&str>, message: &str) -> Exception {
        Exception {
            class: "django.db.utils.OperationalError".into(),
            message: message.into(),
            cause: None,
            sqlstate: sqlstate.map(Into::into),
            detail: None,
            hint: None,
            constraint: None,
            table: None,
            column: None,
            traceback: vec![],
        }
    }

    fn started(atomic: bool) -> Answer {
        Answer::MigrationStarted {
            app: "shop".into(),
            name: "0002".into(),
            backward: false,
            atomic,
            attempt: 1,
        }
    }

    fn statement(number: u64) -> Answer {
        let sql = "ALTER TABLE shop_item ADD x int".into();
        Answer::StatementStarted {
            number,
            app: None,
            name: None,
            sql,
            in_transaction: true,
        }
    }

    fn failed(exception: &Exception) -> Answer {
        Answer::MigrationFailed {
            app: "shop".into(),
            name: "0002".into(),
            backward: false,
            seconds: 0.1,
            exception: exception.clone(),
        }
    }

    fn done(id: &MigrationId) -> Answer {
        Answer::MigrationApplied {
            app: id.app.0.clone(),
            name: id.name.0.clone(),
            backward: false,
            seconds: 0.1,
        }
    }

    fn plan<'a>(ids: impl Iterator<Item = &'a MigrationId>) -> Plan {
        let step = |id: &MigrationId| PlanStep {
            id: id.clone(),
            atomic: true,
            file: None,
            source_sha256: None,
            operations: vec![],
            irreversible: vec![],
        };
        Plan {
            steps: ids.map(step).collect(),
            fingerprint: String::new(),
            previous: BTreeMap::new(),
        }
    }

    /// What is said of `shop.0002`, the only migration of the plan, which is recorded though it failed.
    fn recorded_though(answers: &[Answer]) -> Failure {
        let mut progress = Progress::default();
        answers.iter().for_each(|a| progress.absorb(a));
        let id = MigrationId::new("shop", "0002");
        let ended = Ended {
            crash: None,
            asked: Asked::default(),
            stopped_for: None,
        };
        let plan = plan([&id].into_iter());
        let recorded = vec![id];
        assert_eq!(
            arrived(&plan, &progress, &recorded).is_some(),
            changed(&progress, Some(0), &Seen::default()) != Changed::No
        );
        settle(&plan, &progress, &ended, Ok(recorded), &Seen::default()).expect_err("a failure")
    }

    #[test]
    fn a_commit_that_arrived_is_said_to_have_arrived() {
        let e = exception(
            Some("57P01"),
            "terminating connection due to administrator command",
        );
        let answers = [
            started(true),
            statement(1),
            Answer::CommitStarted,
            failed(&e),
        ];
        let failure = recorded_though(&answers);
        assert_eq!(
            (failure.class, failure.changed),
            (Class::MigrationConnectionLost, Changed::Yes)
        );
        let hint = failure.hint.expect("a hint");
        assert!(
            hint.contains("`shop.0002` is applied and recorded"),
            "{hint}"
        );
    }

    #[test]
    fn what_somebody_else_applied_meanwhile_is_not_ours() {
        let e = exception(
            Some("42701"),
            "column \"x\" of relation \"shop_item\" already exists",
        );
        let failing = Answer::StatementFailed {
            number: 1,
            seconds: 0.1,
            exception: e.clone(),
            asks: false,
        };
        let failure = recorded_though(&[started(true), statement(1), failing, failed(&e)]);
        assert_eq!(
            (failure.class, failure.changed),
            (Class::MigrationFailed, Changed::No)
        );
        let said = format!("{:?} {:?}", failure.sources, failure.hint);
        for words in [
            "0 of 1 migrations",
            "applied by somebody else meanwhile",
            "shop.0002",
            "plain `manage.py migrate`",
            "rolled back",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[track_caller]
    fn check(answers: &[Answer], recorded: usize, class: Class, changed: Changed) {
        let mut progress = Progress::default();
        // those that were applied before come first in the plan
        let ids: Vec<MigrationId> = (0..recorded)
            .map(|n| MigrationId::new("shop", &format!("000{n}")))
            .collect();
        let open = MigrationId::new("shop", "0002");
        let plan = plan(ids.iter().chain([&open]));
        ids.iter().for_each(|id| progress.absorb(&done(id)));
        answers.iter().for_each(|a| progress.absorb(a));
        let ended = Ended {
            crash: None,
            asked: Asked::default(),
            stopped_for: None,
        };
        let failure =
            settle(&plan, &progress, &ended, Ok(ids), &Seen::default()).expect_err("a failure");
        assert_eq!(
            (failure.class, failure.changed),
            (class, changed),
            "{}",
            failure.message
        );
    }

    #[test]
    fn a_statement_that_fails_is_rolled_back_with_its_atomic_migration() {
        let e = exception(
            Some("23505"),
            "duplicate key value violates unique constraint",
        );
        let answers = [
            started(true),
            statement(1),
            Answer::StatementFailed {
                number: 1,
                seconds: 0.1,
                exception: e.clone(),
                asks: false,
            },
            failed(&e),
        ];
        check(&answers, 0, Class::MigrationIntegrity, Changed::No);
        check(&answers, 1, Class::MigrationIntegrity, Changed::Yes);
    }

    #[test]
    fn half_of_a_migration_that_is_not_atomic_stays() {
        let e = exception(Some("55P03"), "canceling statement due to lock timeout");
        let answers = [
            started(false),
            statement(1),
            Answer::StatementFinished {
                number: 1,
                seconds: 0.1,
            },
            statement(2),
            Answer::StatementFailed {
                number: 2,
                seconds: 2.0,
                exception: e.clone(),
                asks: false,
            },
            failed(&e),
        ];
        check(&answers, 0, Class::MigrationLockTimeout, Changed::Yes);
    }

    #[test]
    fn where_the_history_cannot_be_read_what_was_told_counts() {
        let mut progress = Progress::default();
        [started(true), statement(1)]
            .iter()
            .for_each(|a| progress.absorb(a));
        assert_eq!(changed(&progress, None, &Seen::default()), Changed::No);
        progress.absorb(&Answer::StatementFinished {
            number: 1,
            seconds: 0.1,
        });
        progress.absorb(&Answer::CommitStarted);
        assert_eq!(changed(&progress, None, &Seen::default()), Changed::Unknown);
        progress.applied = 1;
        assert_eq!(changed(&progress, None, &Seen::default()), Changed::Yes);
    }

    #[test]
    fn an_invalid_index_is_a_change_though_no_statement_came_to_its_end() {
        let e = exception(Some("23505"), "could not create unique index");
        let mut progress = Progress::default();
        let failing = Answer::StatementFailed {
            number: 1,
            seconds: 0.1,
            exception: e.clone(),
            asks: false,
        };
        [started(false), statement(1), failing, failed(&e)]
            .iter()
            .for_each(|a| progress.absorb(a));
        let left = ["public.uniq".to_owned()];
        assert_eq!(changed(&progress, Some(0), &Seen::default()), Changed::No);
        assert_eq!(
            changed(
                &progress,
                Some(0),
                &Seen {
                    invalid: &left,
                    blockers: &[]
                }
            ),
            Changed::Yes
        );
    }

    #[test]
    fn only_a_connection_lost_in_a_commit_leaves_the_outcome_unknown() {
        let e = exception(None, "server closed the connection unexpectedly");
        let between = [
            started(true),
            statement(1),
            Answer::StatementFinished {
                number: 1,
                seconds: 0.1,
            },
            failed(&e),
        ];
        check(&between, 0, Class::MigrationConnectionLost, Changed::No);
        let [a, b, c, d] = between;
        let committing = [a, b, c, Answer::CommitStarted, d];
        check(&committing, 0, Class::OutcomeUnknown, Changed::Unknown);
        let [a, b, c, commit, d] = committing;
        let recording = [a, b, c, commit, statement(2), d];
        check(&recording, 0, Class::MigrationConnectionLost, Changed::Yes);
        // the run stopped itself meanwhile: that says nothing of the COMMIT
        let stopped = exception(None, "stopped");
        let [a, b, c, commit, _] = committing_again(&e);
        let cut = [a, b, c, commit, failed(&stopped)];
        check(&cut, 0, Class::MigrationFailed, Changed::Unknown);
        // an error of the server's own is its answer
        let deferred = exception(Some("23503"), "violates foreign key constraint");
        let [a, b, c, commit, _] = committing_again(&e);
        let refused = [a, b, c, commit, failed(&deferred)];
        check(&refused, 0, Class::MigrationIntegrity, Changed::No);
        let within = [
            started(true),
            statement(1),
            Answer::StatementFailed {
                number: 1,
                seconds: 0.1,
                exception: e.clone(),
                asks: false,
            },
            failed(&e),
        ];
        check(&within, 0, Class::MigrationConnectionLost, Changed::No);
    }

    fn committing_again(e: &Exception) -> [Answer; 5] {
        let finished = Answer::StatementFinished {
            number: 1,
            seconds: 0.1,
        };
        [
            started(true),
            statement(1),
            finished,
            Answer::CommitStarted,
            failed(e),
        ]
    }

    #[test]
    fn a_migrate_that_ends_well_is_applied() {
        let mut progress = Progress::default();
        progress.absorb(&Answer::MigrateDone {
            outcome: MigrateOutcome::Done,
            seconds: 1.0,
        });
        let plan = Plan {
            steps: vec![],
            fingerprint: String::new(),
            previous: BTreeMap::new(),
        };
        let ended = Ended {
            crash: None,
            asked: Asked::default(),
            stopped_for: None,
        };
        assert!(settle(&plan, &progress, &ended, Ok(vec![]), &Seen::default()).is_ok());
    }
}
