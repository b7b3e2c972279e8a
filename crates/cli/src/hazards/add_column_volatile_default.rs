//! ADD COLUMN with a default that differs from row to row.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Knowledge, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-column-volatile-default",
    title: "A new column with a volatile default",
    happens: "A default such as gen_random_uuid(), clock_timestamp() or nextval() is computed for each row, so the whole table is written anew under ACCESS EXCLUSIVE. now() and constants are free.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Three steps: AddField with null=True, a batched data migration that fills it, then AlterField with db_default and null=False.",
    bad: "AddField(\"item\", \"token\", UUIDField(db_default=RandomUUID()))",
    good: "AddField(\"item\", \"token\", UUIDField(null=True)), then RunPython in batches, then AlterField(…)",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let columns = scene.changes().filter_map(|(table, change)| match change {
        Change::AddColumn(column) if scene.works_on(table) => Some((table, column)),
        _ => None,
    });
    columns
        .filter_map(|(table, column)| {
            let Value::VolatileDefault { function, known } = &column.value else { return None };
            let name = &column.name;
            let table_text = scene.sized(table);
            let message = match known {
                Knowledge::Known => format!("the default {function}() of new column {name} writes all of {table_text} anew"),
                Knowledge::Assumed => format!(
                    "the default {function}() of new column {name} writes all of {table_text} anew if the function is volatile, \
                     which is not known"
                ),
            };
            Some(Fact::new(table, message, HAZARD.safer))
        })
        .collect()
}
