//! ADD COLUMN … NOT NULL without a default.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Nullability, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-column-not-null",
    title: "A new NOT NULL column without a default",
    happens: "PostgreSQL refuses the column as soon as the table has a row.",
    hurts: "The migration fails on a table with rows. On an empty one, inserts of the old code fail from then on.",
    safer: "Give the field a db_default, or add it with null=True, fill it, and set null=False in a later migration.",
    bad: "RunSQL(\"ALTER TABLE shop_item ADD COLUMN state text NOT NULL\")",
    good: "AddField(\"item\", \"state\", TextField(db_default=\"new\"))",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let columns = scene.changes().filter_map(|(table, change)| match change {
        Change::AddColumn(column)
            if column.nullability == Nullability::NotNull && column.value == Value::Nothing =>
        {
            Some((table, column))
        }
        _ => None,
    });
    columns
        .map(|(table, column)| {
            let sized = scene.sized(table);
            let message = format!(
                "new column {} is NOT NULL without a default: this fails if {sized} has a row",
                column.name
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
