//! REINDEX without CONCURRENTLY.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Method};

pub(super) const HAZARD: Hazard = Hazard {
    code: "reindex",
    title: "Indexes are built anew without CONCURRENTLY",
    happens: "REINDEX takes SHARE on the table and ACCESS EXCLUSIVE on each index, which every query on the table opens.",
    hurts: "Nobody can write to the table, and nearly nobody can read it.",
    safer: "REINDEX … CONCURRENTLY, in a migration with atomic = False.",
    bad: "RunSQL(\"REINDEX TABLE shop_item\")",
    good: "RunSQL(\"REINDEX TABLE CONCURRENTLY shop_item\"), with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let plain = scene.actions().any(|action| {
        matches!(
            action,
            Action::Reindex {
                method: Method::Plain,
                ..
            }
        )
    });
    if !plain {
        return Vec::new();
    }
    let table = scene.statement.scans.first();
    let what = table.map_or_else(|| "its table".to_owned(), |table| scene.sized(table));
    vec![Fact {
        message: format!(
            "indexes are built anew, while nobody can write to {what} and queries wait for the index"
        ),
        remedy: HAZARD.safer.into(),
        relation: table.cloned(),
    }]
}
