//! VALIDATE CONSTRAINT in the transaction that added the constraint.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "validate-with-add",
    title: "NOT VALID and VALIDATE in one transaction",
    happens: "The lock that ADD CONSTRAINT took is held until the commit, so the table is read under that lock after all.",
    hurts: "NOT VALID gains nothing: others wait as long as if it were left away.",
    safer: "Put ValidateConstraint into the next migration.",
    bad: "operations = [AddConstraintNotValid(…), ValidateConstraint(…)]",
    good: "operations = [AddConstraintNotValid(…)], and ValidateConstraint(…) in the next migration",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let validated = scene.changes().filter_map(|(table, change)| match change {
        Change::ValidateConstraint { name } => Some((table, name)),
        _ => None,
    });
    validated
        .filter(|(table, name)| scene.held.not_valid.contains(&((*table).clone(), (*name).clone())))
        .map(|(table, name)| {
            let sized = scene.sized(table);
            let message = format!("{name} is validated by reading all of {sized} under the lock that adding it still holds");
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
