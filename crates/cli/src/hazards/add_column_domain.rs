//! ADD COLUMN of a domain that checks its values.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-column-domain",
    title: "A new column of a constrained domain",
    happens: "A domain with a CHECK or NOT NULL has every row written anew under ACCESS EXCLUSIVE, also where the column is NULL or has a constant default: only so is the domain's constraint checked.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Add the column with the domain's base type and a CheckConstraint of its own: AddConstraintNotValid, then ValidateConstraint in the next migration.",
    bad: "AddField(\"item\", \"stock\", PositiveDomainField(null=True))  # db_type() returns the domain's name",
    good: "AddField(\"item\", \"stock\", IntegerField(null=True)), AddConstraintNotValid(…), ValidateConstraint(…)",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let added = scene.changes().filter_map(|(table, change)| match change {
        Change::AddColumn(column)
            if scene.known.is_constrained(&column.type_name) && scene.works_on(table) =>
        {
            Some((table, column))
        }
        _ => None,
    });
    added
        .map(|(table, column)| {
            let message = format!(
                "new column {} is of the domain {}, which checks its values: all of {} is written anew, while nobody can read it",
                column.name,
                column.type_name,
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
