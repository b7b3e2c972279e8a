//! ADD EXCLUDE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Rule};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-exclude",
    title: "An exclusion constraint is added",
    happens: "Its index is built under ACCESS EXCLUSIVE, and there is no way to build it before.",
    hurts: "Nobody can read the table meanwhile, and one overlap makes the migration fail.",
    safer: "Do it in a maintenance window, or on a new table into which the rows are moved.",
    bad: "migrations.AddConstraint(\"booking\", ExclusionConstraint(…))",
    good: "CreateModel with the constraint in Meta.constraints, then a batched move",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let added = scene.changes().flat_map(|(table, change)| {
        let constraints = match change {
            Change::AddConstraint(constraint) => std::slice::from_ref(constraint),
            Change::AddColumn(column) => column.constraints.as_slice(),
            _ => &[],
        };
        constraints
            .iter()
            .map(move |constraint| (table, constraint))
    });
    added
        .filter(|(_, constraint)| constraint.rule == Rule::Exclude)
        .map(|(table, _)| {
            let message = format!(
                "the index of an exclusion constraint is built on {} while nobody can read it",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
