//! TRUNCATE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Behavior};

pub(super) const HAZARD: Hazard = Hazard {
    code: "truncate",
    title: "A table is emptied",
    happens: "TRUNCATE removes all rows under ACCESS EXCLUSIVE; with CASCADE also all rows of every table that refers to it, and of those that refer to these.",
    hurts: "The rows come back only from a backup. Readers with an older snapshot see an empty table.",
    safer: "Name every table instead of CASCADE, after a verified backup; or delete in batches from a management command.",
    bad: "RunSQL(\"TRUNCATE shop_item CASCADE\")",
    good: "RunSQL(\"TRUNCATE shop_item, shop_itemtag\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let truncated = scene.actions().filter_map(|action| match action {
        Action::Truncate {
            table, behavior, ..
        } => Some((table, behavior)),
        _ => None,
    });
    truncated
        .map(|(table, behavior)| {
            let others = match behavior {
                Behavior::Cascade => ", and every table that refers to it",
                Behavior::Restrict => "",
            };
            Fact::new(
                table,
                format!("{} is emptied{others}", scene.sized(table)),
                HAZARD.safer,
            )
        })
        .collect()
}
