//! DELETE without WHERE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Rows, StatementKind};

pub(super) const HAZARD: Hazard = Hazard {
    code: "delete-all-rows",
    title: "All rows are deleted",
    happens: "DELETE without WHERE touches every row of the table in one transaction.",
    hurts: "What was there comes back only from a backup. Every row stays locked until the commit, and the table is left bloated.",
    safer: "Say which rows with WHERE, and work in batches: RunPython with atomic = False, or a management command.",
    bad: "RunSQL(\"DELETE FROM shop_item\")",
    good: "RunPython(delete_in_batches), with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let queries = scene.actions().filter_map(|action| match action {
        Action::Query(query) => Some(query),
        _ => None,
    });
    queries
        .flat_map(|query| &query.writes)
        .filter(|write| {
            write.kind == StatementKind::Delete
                && write.rows == Rows::All
                && !scene.is_new(&write.table)
        })
        .map(|write| {
            let table = scene.sized(&write.table);
            Fact::new(
                &write.table,
                format!("all rows of {table} are deleted"),
                HAZARD.safer,
            )
        })
        .collect()
}
