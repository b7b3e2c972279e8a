//! Small words between the guard's parts: modes, names, and what a failure says of those in the way.
//!
//! Pure, but for the dice of a pause. Absent here: decisions.

use std::hash::{BuildHasher, RandomState};

use pgdriver::activity::locks::LockMode;

use super::retry::{Ends, Failed};
use crate::django::wire::Operation;
use crate::event::Blocker;
use crate::failure::Failure;
use crate::sql::{self, Lock};

/// The server's word for a forecast's mode.
pub(in crate::execute) fn mode(mode: sql::LockMode) -> LockMode {
    match mode {
        sql::LockMode::AccessShare => LockMode::AccessShare,
        sql::LockMode::RowShare => LockMode::RowShare,
        sql::LockMode::RowExclusive => LockMode::RowExclusive,
        sql::LockMode::ShareUpdateExclusive => LockMode::ShareUpdateExclusive,
        sql::LockMode::Share => LockMode::Share,
        sql::LockMode::ShareRowExclusive => LockMode::ShareRowExclusive,
        sql::LockMode::Exclusive => LockMode::Exclusive,
        sql::LockMode::AccessExclusive => LockMode::AccessExclusive,
    }
}

/// Whether one mode, as `pg_locks` spells it, is stronger than another.
pub(super) fn stronger(one: &str, other: &str) -> bool {
    LockMode::from_pg_locks(one) > LockMode::from_pg_locks(other)
}

/// `public.a and public.b`
pub(super) fn relations(locks: &[Lock]) -> String {
    let names: Vec<String> = locks.iter().map(|l| l.relation.to_string()).collect();
    match names.as_slice() {
        [] => "a relation".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// Whether an operation runs code of the project, whose effects beyond the database nothing rolls back.
pub(super) fn runs_code(operation: &Operation) -> bool {
    operation.code.is_some()
        || operation.base.as_deref() == Some("RunPython")
        || operation.base.is_none()
        || operation.database_operations.iter().any(runs_code)
}

/// Whether a statement that is run outside a transaction can commit before its end.
pub(super) fn ends(sql: &str) -> Ends {
    let inside = sql
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| {
            ["do", "call", "commit", "end"]
                .iter()
                .any(|w| word.eq_ignore_ascii_case(w))
        });
    if inside {
        Ends::MayCommitInside
    } else {
        Ends::Whole
    }
}

/// Whether a statement leaves no lock that a writer would wait for.
pub(super) fn only_reads(sql: &str) -> bool {
    let first = first_word(sql);
    let reads = ["select", "show", "set", "savepoint", "release"];
    reads.contains(&first.as_str()) && !locks_rows(sql)
}

/// Whether a statement leaves a lock that ACCESS EXCLUSIVE would wait for.
pub(super) fn reads(sql: &str) -> bool {
    first_word(sql) == "select"
}

/// `SELECT … FOR UPDATE` and its kin; rather too often than not.
fn locks_rows(sql: &str) -> bool {
    let words: Vec<String> = sql
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    words.windows(2).any(|two| {
        two[0] == "for"
            && ["update", "share", "no", "key"].contains(&two[1].trim_end_matches([';', ')']))
    })
}

fn first_word(sql: &str) -> String {
    sql.trim_start()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Whether it failed for want of a lock.
pub(super) fn is_for_lock(failed: &Failed<'_>) -> bool {
    let exception = match failed {
        Failed::Migration(failed) => &failed.exception,
        Failed::Statement { exception, .. } => exception,
    };
    exception.sqlstate.as_deref() == Some("55P03")
}

/// Names those in the way.
pub(super) fn blocked_by(failure: Failure, blockers: &[Blocker]) -> Failure {
    blockers.iter().fold(failure, |failure, b| {
        failure.source("blocked by", b.what.clone())
    })
}

/// Between 0 and 1, another one each time.
pub(super) fn jitter() -> f64 {
    let dice = RandomState::new().hash_one(std::process::id());
    (dice % 1000) as f64 / 1000.0
}
