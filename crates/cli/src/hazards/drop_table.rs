//! DROP TABLE, which DeleteModel and removed many-to-many fields emit.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Loss;

pub(super) const HAZARD: Hazard = Hazard {
    code: "drop-table",
    title: "A table is dropped",
    happens: "The table, its rows, its indexes and its foreign keys are gone when the transaction commits; tables that it refers to are locked ACCESS EXCLUSIVE as well.",
    hurts: "The rows come back only from a backup. Code that still runs with the old model fails on its next query.",
    safer: "Two deploys: take the model out of the code first (SeparateDatabaseAndState with state_operations=[DeleteModel(…)]), drop the table in a later release, after a verified backup.",
    bad: "migrations.DeleteModel(\"Item\")",
    good: "migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel(\"Item\")])",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let losses = scene.statement.losses.iter();
    losses
        .filter_map(|loss| match loss {
            Loss::Table { relation, .. } => {
                let message = format!("{} is dropped with all of its rows", scene.sized(relation));
                Some(Fact::new(relation, message, HAZARD.safer))
            }
            _ => None,
        })
        .collect()
}
