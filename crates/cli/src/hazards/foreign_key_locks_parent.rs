//! A foreign key of a new table, or one that is NOT VALID, to a table in use.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Change, Lock, LockMode, Relation, Rule, Validity, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "foreign-key-locks-parent",
    title: "A new foreign key locks the table that it refers to",
    happens: "ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables, also from a table that is new and empty.",
    hurts: "Writers of the other table wait until the migration commits, for a moment if nothing long runs with it.",
    safer: "Keep such a migration small, so that it commits at once, and use a low lock_timeout.",
    bad: "operations = [CreateModel(\"Order\", …ForeignKey(\"auth.User\")…), RunPython(fill)]",
    good: "CreateModel alone in its migration",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let is_parent = |lock: &&Lock| {
        let named = scene
            .statement
            .actions
            .iter()
            .any(|action| refers_quietly(scene, action, &lock.relation));
        lock.mode == LockMode::ShareRowExclusive && named && !scene.is_new(&lock.relation)
    };
    let parents = scene.statement.locks.iter().filter(is_parent);
    parents
        .map(|lock| {
            let message = format!(
                "a foreign key to {} keeps its writers waiting until the commit",
                scene.sized(&lock.relation)
            );
            Fact::new(&lock.relation, message, HAZARD.safer)
        })
        .collect()
}

/// The action refers to `parent` without comparing rows that were there before.
fn refers_quietly(scene: &Scene<'_>, action: &Action, parent: &Relation) -> bool {
    let to_parent = |rule: &Rule| matches!(rule, Rule::ForeignKey { to, .. } if to == parent);
    match action {
        Action::CreateTable(create) => {
            let of_columns = create.columns.iter().flat_map(|column| &column.constraints);
            create
                .constraints
                .iter()
                .chain(of_columns)
                .any(|constraint| to_parent(&constraint.rule))
        }
        Action::AlterTable {
            table,
            change: Change::AddConstraint(constraint),
            ..
        } => {
            to_parent(&constraint.rule)
                && (constraint.validity == Validity::NotValid || scene.is_new(table))
        }
        Action::AlterTable {
            table,
            change: Change::AddColumn(column),
            ..
        } => {
            let quiet = column.value == Value::Nothing || scene.is_new(table);
            quiet
                && column
                    .constraints
                    .iter()
                    .any(|constraint| to_parent(&constraint.rule))
        }
        _ => false,
    }
}
