//! DROP COLUMN, which RemoveField emits.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Loss;

pub(super) const HAZARD: Hazard = Hazard {
    code: "drop-column",
    title: "A column is dropped",
    happens: "The column and its values are gone when the transaction commits. Up to Django 5.2 the statement says CASCADE, which also drops views and constraints that use the column.",
    hurts: "The values come back only from a backup. Code that still runs with the old model names the column in every query and fails.",
    safer: "Two deploys: take the field out of the code first (SeparateDatabaseAndState with state_operations=[RemoveField(…)], the column nullable or with a db_default), drop the column in a later release, after a verified backup.",
    bad: "migrations.RemoveField(\"item\", \"price\")",
    good: "migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField(\"item\", \"price\")])",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let losses = scene.statement.losses.iter();
    losses
        .filter_map(|loss| match loss {
            Loss::Column {
                relation, column, ..
            } => {
                let message = format!(
                    "column {column} of {} is dropped with its values",
                    scene.sized(relation)
                );
                Some(Fact::new(relation, message, HAZARD.safer))
            }
            _ => None,
        })
        .collect()
}
