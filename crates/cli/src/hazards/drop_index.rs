//! DROP INDEX without CONCURRENTLY.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Method, StatementKind};

pub(super) const HAZARD: Hazard = Hazard {
    code: "drop-index",
    title: "An index is dropped without CONCURRENTLY",
    happens: "DROP INDEX takes ACCESS EXCLUSIVE on the table of the index, for a moment, but until the migration commits.",
    hurts: "Everybody waits behind it while it waits for running queries.",
    safer: "RemoveIndexConcurrently from django.contrib.postgres.operations, in a migration of its own with atomic = False.",
    bad: "migrations.RemoveIndex(\"item\", \"item_code\")",
    good: "RemoveIndexConcurrently(\"item\", \"item_code\"), with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let dropped = scene.actions().filter_map(|action| match action {
        Action::Drop(dropped)
            if dropped.kind == StatementKind::DropIndex && dropped.method == Method::Plain =>
        {
            Some(&dropped.name)
        }
        _ => None,
    });
    dropped
        .filter_map(|index| {
            let table = scene.known.index_table(index);
            if table.is_some_and(|table| scene.is_new(table)) {
                return None;
            }
            let locked = table.map_or_else(|| "its table".to_owned(), |table| scene.sized(table));
            let message =
                format!("dropping index {index} locks {locked} for everybody until the commit");
            Some(Fact::new(table.unwrap_or(index), message, HAZARD.safer))
        })
        .collect()
}
