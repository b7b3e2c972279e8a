//! What is said of each way in which a `migrate` can end.

mod back;

use std::collections::BTreeMap;

use super::changed::changed;
use super::*;
use crate::django::wire::{Answer, MigrateOutcome};
use crate::plan::PlanStep;
use crate::signal::Asked;

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

/// It is sent, and runs in no transaction.
fn alone(number: u64, sql: &str) -> [Answer; 2] {
    [
        Answer::StatementStarted {
            number,
            app: None,
            name: None,
            sql: sql.into(),
            in_transaction: false,
        },
        Answer::StatementRunning {
            number,
            settings: BTreeMap::new(),
        },
    ]
}

fn finished(number: u64) -> Answer {
    Answer::StatementFinished {
        number,
        seconds: 0.1,
    }
}

fn failing(number: u64, exception: &Exception) -> Answer {
    Answer::StatementFailed {
        number,
        seconds: 0.1,
        exception: exception.clone(),
        asks: false,
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
        lines: Vec::new(),
        irreversible: vec![],
    };
    Plan {
        direction: crate::plan::Direction::Forward,
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
    let answers = [started(true), statement(1), failing(1, &e), failed(&e)];
    let failure = recorded_though(&answers);
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

const COLUMN: &str = "ALTER TABLE shop_item ADD x int";
const ROWS: &str = "UPDATE shop_item SET x = 1";

/// What is said of `shop.0002`, the only migration of the plan, which is not recorded.
fn ended(answers: &[Answer], stopped_for: Option<Failure>) -> Result<Applied, Failure> {
    let mut progress = Progress::default();
    answers.iter().for_each(|a| progress.absorb(a));
    let id = MigrationId::new("shop", "0002");
    let plan = plan([&id].into_iter());
    let ended = Ended {
        crash: None,
        asked: Asked::default(),
        stopped_for,
    };
    settle(&plan, &progress, &ended, Ok(vec![]), &Seen::default())
}

fn told(answers: &[Answer]) -> Failure {
    ended(answers, None).expect_err("a failure")
}

#[test]
fn half_of_a_migration_that_is_not_atomic_stays_and_is_named() {
    let e = exception(Some("55P03"), "canceling statement due to lock timeout");
    let mut answers = vec![started(false)];
    answers.extend(alone(1, COLUMN));
    answers.push(finished(1));
    answers.extend(alone(2, ROWS));
    answers.push(finished(2));
    answers.extend(alone(3, "ALTER TABLE shop_item ADD y int"));
    answers.extend([failing(3, &e), failed(&e)]);
    check(&answers, 0, Class::MigrationLockTimeout, Changed::Yes);
    let failure = told(&answers);
    let stayed: Vec<&str> = failure
        .sources
        .iter()
        .filter(|(name, _)| name == "stayed")
        .map(|(_, sql)| sql.as_str())
        .collect();
    assert_eq!(stayed[0], COLUMN);
    assert!(stayed[1].starts_with(ROWS) && stayed[1].contains("a second time"));
    assert_eq!(stayed.len(), 2);
    let hint = failure.hint.expect("a hint");
    assert!(hint.contains("2 statements of it stayed"), "{hint}");
    assert!(hint.contains("the next run does not do again"), "{hint}");
    assert!(!hint.contains("rolled back"), "{hint}");
}

#[test]
fn what_may_have_committed_before_it_failed_leaves_the_outcome_unknown() {
    let e = exception(Some("22012"), "division by zero");
    let block = "DO $$ BEGIN DELETE FROM shop_item; COMMIT; PERFORM 1/0; END $$";
    let mut answers = vec![started(false)];
    answers.extend(alone(1, block));
    answers.extend([failing(1, &e), failed(&e)]);
    let failure = told(&answers);
    assert_eq!(
        (failure.class, failure.changed, failure.code()),
        (Class::MigrationIntegrity, Changed::Unknown, 52)
    );
    let hint = failure.hint.clone().expect("a hint");
    assert!(hint.contains("may have committed on its way"), "{hint}");
    assert!(
        failure
            .sources
            .iter()
            .any(|(name, _)| name == "perhaps stayed")
    );
    // what is known to have stayed is known
    let mut more = vec![started(false)];
    more.extend(alone(1, COLUMN));
    more.push(finished(1));
    more.extend(answers.drain(1..));
    check(&more, 0, Class::MigrationIntegrity, Changed::Yes);
}

#[test]
fn a_connection_lost_outside_a_transaction_leaves_its_statement_open() {
    for (sqlstate, class, changed) in [
        (None, Class::OutcomeUnknown, Changed::Unknown),
        (Some("57P01"), Class::MigrationConnectionLost, Changed::No),
    ] {
        let e = exception(sqlstate, "server closed the connection unexpectedly");
        let mut answers = vec![started(false)];
        answers.extend(alone(1, ROWS));
        answers.extend([failing(1, &e), failed(&e)]);
        check(&answers, 0, class, changed);
    }
}

#[test]
fn nothing_is_said_to_be_rolled_back_where_nothing_ran() {
    let e = exception(Some("23505"), "duplicate key");
    for (atomic, ran, words) in [
        (true, false, "nothing of `shop.0002` was run"),
        (false, false, "nothing of `shop.0002` was run"),
        (true, true, "`shop.0002` was rolled back whole"),
        (false, true, "is not atomic, and nothing of it stayed"),
    ] {
        let mut answers = vec![started(atomic)];
        if ran {
            answers.extend(alone(1, ROWS));
            answers.push(failing(1, &e));
        }
        answers.push(failed(&e));
        let failure = told(&answers);
        assert_eq!(failure.changed, Changed::No);
        let hint = failure.hint.expect("a hint");
        assert!(hint.contains(words), "{hint}");
        assert_eq!(hint.contains("rolled back"), atomic && ran, "{hint}");
    }
}

#[test]
fn what_the_projects_code_caught_is_no_end_and_what_it_cannot_catch_is_one() {
    let done = Answer::MigrateDone {
        outcome: MigrateOutcome::Done,
        seconds: 1.0,
    };
    let let_go = Failure::new(Class::BlastRadius, "left the lock's queue");
    let applied = ended(std::slice::from_ref(&done), Some(let_go)).expect("applied");
    assert_eq!(applied.let_go.as_deref(), Some("left the lock's queue"));
    let lock_lost = Failure::new(Class::MigrationConnectionLost, "the lock is lost");
    assert!(ended(&[done], Some(lock_lost)).is_err());
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
    [started(false), statement(1), failing(1, &e), failed(&e)]
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
                blockers: &[],
                left: &[]
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
        direction: crate::plan::Direction::Forward,
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

#[test]
fn a_session_that_stays_leaves_the_outcome_open_and_is_named() {
    let mut progress = Progress::default();
    for answer in [started(true), statement(1)] {
        progress.absorb(&answer);
    }
    let left = [Left::unseen(4711, "nobody answers")];
    let seen = Seen {
        left: &left,
        ..Seen::default()
    };
    // nothing of it reached the server yet
    assert_eq!(changed(&progress, Some(0), &seen), Changed::No);
    progress.absorb(&Answer::StatementRunning {
        number: 1,
        settings: BTreeMap::new(),
    });
    assert_eq!(changed(&progress, Some(0), &seen), Changed::Unknown);
    assert_eq!(changed(&progress, Some(0), &Seen::default()), Changed::No);
    let told = super::left::told(
        Failure::new(Class::MigrationConnectionLost, "cut").hint("look"),
        &left,
    );
    let hint = told.hint.expect("a hint");
    assert!(hint.starts_with("look; "), "{hint}");
    assert!(
        hint.contains("SELECT pg_terminate_backend(4711);"),
        "{hint}"
    );
}
