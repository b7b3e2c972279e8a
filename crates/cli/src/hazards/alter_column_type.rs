//! ALTER COLUMN … TYPE that may write the table anew.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "alter-column-type",
    title: "A column changes its type",
    happens: "Nearly every change of a type writes the whole table and its indexes anew under ACCESS EXCLUSIVE. Free are a longer varchar, varchar to text, a greater numeric precision of the same scale.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Add a column of the new type, fill it in batches, switch the code over, drop the old one in a later deploy.",
    bad: "migrations.AlterField(\"item\", \"code\", models.BigIntegerField())",
    good: "AddField(\"item\", \"code_big\", BigIntegerField(null=True)), a batched data migration, RemoveField later",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let changes = scene.changes().filter_map(|(table, change)| match change {
        Change::AlterType { column, to, .. } if scene.statement.rewrites.contains(table) => {
            Some((table, column, to))
        }
        _ => None,
    });
    changes
        .map(|(table, column, to)| {
            let certainty = if scene.statement.unknowns.is_empty() { "writes" } else { "may write" };
            let sized = scene.sized(table);
            let message =
                format!("changing column {column} to {to} {certainty} all of {sized} anew, while nobody can read it");
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
