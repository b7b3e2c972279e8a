//! ALTER COLUMN … SET NOT NULL.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "set-not-null",
    title: "A column becomes NOT NULL",
    happens: "PostgreSQL reads the whole table under ACCESS EXCLUSIVE to see that there is no NULL, unless a valid CHECK (column IS NOT NULL) proves it.",
    hurts: "Nobody can read the table meanwhile. A single NULL makes the migration fail, and inserts of the old code that leave the column out fail afterwards.",
    safer: "AddConstraintNotValid with a CheckConstraint(field__isnull=False), ValidateConstraint in the next migration, then AlterField(null=False), then drop the check.",
    bad: "AlterField(\"item\", \"state\", TextField())  # was null=True",
    good: "AddConstraintNotValid(…), ValidateConstraint(…), AlterField(…), in three migrations",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let columns = scene.changes().filter_map(|(table, change)| match change {
        Change::SetNotNull { column } if scene.works_on(table) => Some((table, column)),
        _ => None,
    });
    columns
        .map(|(table, column)| {
            let sized = scene.sized(table);
            let message = format!(
                "SET NOT NULL on {column} reads all of {sized} while nobody else can, unless a valid CHECK proves it; a NULL \
                 makes it fail"
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
