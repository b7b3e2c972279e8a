//! CREATE INDEX without CONCURRENTLY.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, CreateIndex, Method};

pub(super) const HAZARD: Hazard = Hazard {
    code: "create-index",
    title: "An index is built without CONCURRENTLY",
    happens: "CREATE INDEX holds SHARE on the table until the transaction ends.",
    hurts: "Nobody can write to the table while the index is built, and until the migration commits.",
    safer: "AddIndexConcurrently from django.contrib.postgres.operations, in a migration of its own with atomic = False. For db_index=True: an Index in Meta.indexes instead.",
    bad: "migrations.AddIndex(\"item\", Index(fields=[\"code\"], name=\"item_code\"))",
    good: "AddIndexConcurrently(\"item\", Index(fields=[\"code\"], name=\"item_code\")), with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let built = scene.actions().filter_map(|action| match action {
        Action::CreateIndex(CreateIndex {
            table,
            method: Method::Plain,
            ..
        }) if scene.works_on(table) => Some(table),
        _ => None,
    });
    built
        .map(|table| {
            let message = format!(
                "an index is built on {} while nobody can write to it",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
