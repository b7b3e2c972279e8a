//! A foreign key goes: by DROP CONSTRAINT, DROP COLUMN or DROP TABLE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Change, LockMode, StatementKind};

pub(super) const HAZARD: Hazard = Hazard {
    code: "drop-foreign-key",
    title: "Dropping a foreign key locks the other table too",
    happens: "The key's triggers on the table that it refers to go as well, which takes ACCESS EXCLUSIVE there.",
    hurts: "Everybody waits for both tables, often a busy one such as the users, until the migration commits.",
    safer: "A migration of its own, so that the lock is short, and a low lock_timeout. With AlterField, db_constraint=False in a migration before.",
    bad: "migrations.RemoveField(\"item\", \"owner\")",
    good: "AlterField(\"item\", \"owner\", ForeignKey(…, db_constraint=False)), then RemoveField in a later migration",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let statement = scene.statement;
    let subjects: Vec<_> = statement
        .actions
        .iter()
        .filter_map(|action| action.subject())
        .collect();
    let drops = statement.actions.iter().any(|action| match action {
        Action::Drop(dropped) => dropped.kind == StatementKind::DropTable,
        Action::AlterTable { change, .. } => {
            matches!(
                change,
                Change::DropColumn { .. } | Change::DropConstraint { .. }
            )
        }
        _ => false,
    });
    if !drops {
        return Vec::new();
    }
    let parents = statement.locks.iter().filter(|lock| {
        lock.mode == LockMode::AccessExclusive
            && !subjects.contains(&&lock.relation)
            && !scene.is_new(&lock.relation)
    });
    parents
        .map(|lock| {
            let message = format!(
                "a foreign key between it and {} goes, which locks that table for everybody",
                scene.sized(&lock.relation)
            );
            Fact::new(&lock.relation, message, HAZARD.safer)
        })
        .collect()
}
