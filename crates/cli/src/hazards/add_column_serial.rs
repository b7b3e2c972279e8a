//! ADD COLUMN of a serial type.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-column-serial",
    title: "A new serial column",
    happens: "serial is a default of nextval(), which is computed for each row: the whole table is written anew under ACCESS EXCLUSIVE.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Add a nullable bigint, fill it in batches, then attach a sequence or ADD GENERATED … AS IDENTITY.",
    bad: "RunSQL(\"ALTER TABLE shop_item ADD COLUMN number bigserial\")",
    good: "AddField(\"item\", \"number\", BigIntegerField(null=True)), a batched data migration, then the sequence",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let columns = scene.changes().filter_map(|(table, change)| match change {
        Change::AddColumn(column) => Some((table, column)),
        _ => None,
    });
    columns
        .filter_map(|(table, column)| {
            if column.value != Value::Serial {
                return None;
            }
            let message = format!(
                "new {} column {} writes all of {} anew",
                column.type_name,
                column.name,
                scene.sized(table)
            );
            Some(Fact::new(table, message, HAZARD.safer))
        })
        .collect()
}
