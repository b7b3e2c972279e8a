//! Why a `migrate` that did not end well ended so.

use super::{Ended, is_connection_lost, open};
use crate::django::wire::{Exception, ProblemClass};
use crate::event::Blocker;
use crate::execute::progress::Progress;
use crate::exit::Class;
use crate::failure::Failure;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan};
use crate::ui;

pub(super) fn reason(
    plan: &Plan,
    progress: &Progress,
    ended: &Ended,
    blockers: &[Blocker],
) -> Failure {
    let stopped = ended.stopped_for.clone();
    if let Some(failure) = stopped.or_else(|| ended.asked.anything().then(|| ended.asked.failure()))
    {
        return match open(progress) {
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
                "{} was cut off: {}",
                what(plan, &current.id),
                failure.message
            );
            failure
        }
        (Some(crash), None) => crash.clone(),
        (None, _) => Failure::new(Class::MigrationFailed, "`migrate` ended without saying how"),
    }
}

fn what(plan: &Plan, id: &MigrationId) -> String {
    match plan.direction {
        Direction::Forward => format!("migration `{id}`"),
        Direction::Back => format!("the way back of `{id}`"),
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
        "{} failed: {}{sqlstate}",
        what(plan, id),
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

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or("")
}
