//! ADD CHECK, also as part of ADD COLUMN.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Rule, Validity};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-check",
    title: "A check is added and verified at once",
    happens: "PostgreSQL reads the whole table under ACCESS EXCLUSIVE to see that every row passes, also where a new column brings the check and holds only NULL (PositiveIntegerField does).",
    hurts: "Nobody can read the table meanwhile, and one bad row makes the migration fail.",
    safer: "AddConstraintNotValid from django.contrib.postgres.operations, then ValidateConstraint in the next migration. For a PositiveIntegerField: AddField as IntegerField first.",
    bad: "migrations.AddConstraint(\"item\", CheckConstraint(condition=Q(price__gte=0), name=\"price_ok\"))",
    good: "AddConstraintNotValid(\"item\", …), and ValidateConstraint(\"item\", \"price_ok\") in the next migration",
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
        .filter(|(_, constraint)| {
            matches!(constraint.rule, Rule::Check { .. } | Rule::NotNull { .. })
                && constraint.validity == Validity::Validated
        })
        .map(|(table, _)| {
            let message = format!(
                "a check is verified by reading all of {} while nobody else can",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
