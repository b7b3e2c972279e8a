//! ALTER TABLE … DISABLE TRIGGER.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "disable-trigger",
    title: "A trigger or rule is switched off",
    happens: "It no longer fires, for nobody, until it is enabled again. DISABLE TRIGGER ALL switches off foreign keys as well, which are triggers.",
    hurts: "Rows that are written meanwhile are not checked, and nothing checks them later.",
    safer: "Let the triggers fire; where a data migration is too slow with them, enable them again in the same transaction, and check the rows afterwards.",
    bad: "RunSQL(\"ALTER TABLE shop_item DISABLE TRIGGER ALL\")",
    good: "RunPython(fill_in_batches), with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let disabled = scene.changes().filter_map(|(table, change)| match change {
        Change::DisableTrigger { name } => Some((table, name)),
        _ => None,
    });
    disabled
        .map(|(table, name)| {
            let message = format!("trigger or rule {name} of {table} is switched off");
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
