//! ALTER COLUMN … TYPE of a column on which something stands that PostgreSQL does not make anew.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "column-in-use",
    title: "A column changes its type, and a view or its like stands on it",
    happens: "PostgreSQL refuses: it makes indexes and constraints of the column anew, but no view, rule, policy, trigger (WHEN, UPDATE OF), generated column or function with a body of SQL.",
    hurts: "The migration fails. A longer varchar is enough.",
    safer: "Drop what stands on the column in the same migration before, and create it again behind: RunSQL(\"DROP VIEW …\", reverse_sql=\"CREATE VIEW …\"), AlterField, RunSQL(\"CREATE VIEW …\").",
    bad: "AlterField(\"item\", \"name\", CharField(max_length=300))  # and a reporting view selects name",
    good: "RunSQL(\"DROP VIEW report\"), AlterField(…), RunSQL(\"CREATE VIEW report AS …\"), in one migration",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let world = scene.known;
    let retyped = scene.changes().filter_map(|(table, change)| match change {
        Change::AlterType { column, .. } => Some((world.get(table)?.0, table, column)),
        _ => None,
    });
    retyped
        .filter_map(|(id, table, column)| {
            let family = world.descendants(id).into_iter().chain([id]);
            let users: Vec<String> = family
                .flat_map(|id| world.users_of_column(id, column))
                .collect();
            let message = format!(
                "the type of column {column} of {table} cannot change while {} on it",
                super::stand(&users)?
            );
            Some(Fact::new(table, message, HAZARD.safer))
        })
        .collect()
}
