//! A table is changed in the transaction that wrote rows of it whose deferred foreign keys are not checked yet.

use super::scene::{Fact, Scene};
use super::{Atomic, Hazard};
use crate::sql::{Action, Change};

pub(super) const HAZARD: Hazard = Hazard {
    code: "pending-triggers",
    title: "Rows were written, and now their table is changed, in one transaction",
    happens: "Django's foreign keys are DEFERRABLE INITIALLY DEFERRED: rows that were written are checked at the commit. Until then PostgreSQL refuses ALTER TABLE, CREATE INDEX, DROP and TRUNCATE of the table.",
    hurts: "The migration fails as soon as one row was written: on an empty development database it passes.",
    safer: "Put data and schema changes into migrations of their own; or check the rows before: RunSQL(\"SET CONSTRAINTS ALL IMMEDIATE\").",
    bad: "operations = [RunSQL(\"UPDATE shop_item SET shop_id = 1 WHERE shop_id IS NULL\"), AlterField(\"item\", \"shop\", …)]",
    good: "0007: RunSQL(\"UPDATE …\"), and in 0008: AlterField(…)",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    if scene.atomic == Atomic::No {
        return Vec::new();
    }
    let changed = scene.statement.actions.iter().find_map(|action| {
        let table = match action {
            Action::AlterTable { change, .. } if renames(change) => None,
            Action::AlterTable { table, .. } | Action::Truncate { table, .. } => Some(table),
            Action::CreateIndex(create) => Some(&create.table),
            Action::Drop(dropped) => Some(&dropped.name),
            _ => None,
        };
        table.filter(|table| scene.known.has_pending(table))
    });
    changed
        .map(|table| {
            let message = format!(
                "rows of {table} were written in this transaction and their foreign keys are not checked yet: if there was \
                 a row, this fails (pending trigger events)"
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .into_iter()
        .collect()
}

/// Changes that do not look at the rows' triggers.
fn renames(change: &Change) -> bool {
    matches!(
        change,
        Change::RenameTable { .. } | Change::RenameColumn { .. } | Change::RenameConstraint { .. }
    )
}
