//! ADD COLUMN with GENERATED … STORED or AS IDENTITY.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-column-generated",
    title: "A new generated or identity column",
    happens: "The value of each row is computed and stored, so the whole table is written anew under ACCESS EXCLUSIVE.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Use an ordinary column that is filled in batches and kept by a trigger or the model; on PostgreSQL 18 GeneratedField(db_persist=False) stores nothing.",
    bad: "AddField(\"item\", \"total\", GeneratedField(expression=F(\"a\") + F(\"b\"), db_persist=True))",
    good: "AddField(\"item\", \"total\", IntegerField(null=True)), then a batched data migration",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let columns = scene.changes().filter_map(|(table, change)| match change {
        Change::AddColumn(column) => Some((table, column)),
        _ => None,
    });
    columns
        .filter_map(|(table, column)| {
            let what = match column.value {
                Value::GeneratedStored => "generated",
                Value::Identity => "identity",
                _ => return None,
            };
            let message = format!(
                "new {what} column {} writes all of {} anew",
                column.name,
                scene.sized(table)
            );
            Some(Fact::new(table, message, HAZARD.safer))
        })
        .collect()
}
