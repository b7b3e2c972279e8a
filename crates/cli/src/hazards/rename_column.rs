//! RENAME COLUMN.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "rename-column",
    title: "A column gets another name",
    happens: "The new name holds from the commit on, for every session.",
    hurts: "Code that still runs with the old name fails on its next query; so does the new code before the migration.",
    safer: "Keep the name with db_column; or add the new column, write to both, fill it, and drop the old one in a later deploy.",
    bad: "migrations.RenameField(\"item\", \"cost\", \"price\")",
    good: "RenameField with db_column=\"cost\" on the renamed field",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let renamed = scene.changes().filter_map(|(table, change)| match change {
        Change::RenameColumn { column, to } => Some((table, column, to)),
        _ => None,
    });
    renamed
        .map(|(table, column, to)| {
            let message = format!("column {column} of {table} becomes {to}: code that uses the old name fails from the commit on");
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
