//! ALTER COLUMN … TYPE that cuts or rounds values in silence.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Loss;

pub(super) const HAZARD: Hazard = Hazard {
    code: "narrowing-type-change",
    title: "A new type cuts or rounds old values",
    happens: "A cast that USING spells out cuts text to the new length, and numbers and times are rounded by any cast, without an error.",
    hurts: "What was cut comes back only from a backup.",
    safer: "Look for such values first (a query with length(…) > n). Add a new column, fill it, check it, and switch in a later deploy.",
    bad: "migrations.AlterField(\"item\", \"note\", models.CharField(max_length=20))  # was TextField",
    good: "AddField(\"item\", \"short_note\", …), a data migration, RemoveField in a later release",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let losses = scene.statement.losses.iter();
    losses
        .filter_map(|loss| match loss {
            Loss::Precision { relation, column, to, .. } => {
                let table = scene.sized(relation);
                let message = format!("values in column {column} of {table} that do not fit into {to} are cut or rounded");
                Some(Fact::new(relation, message, HAZARD.safer))
            }
            _ => None,
        })
        .collect()
}
