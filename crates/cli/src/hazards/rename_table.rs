//! RENAME TO and SET SCHEMA.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "rename-table",
    title: "A table gets another name or schema",
    happens: "The new name holds from the commit on, for every session.",
    hurts: "Code that still runs with the old name fails on its next query; so does the new code before the migration.",
    safer: "Keep the name with Meta.db_table; or leave a view of the old name until the old code is gone.",
    bad: "migrations.RenameModel(\"Item\", \"Product\")",
    good: "RenameModel with db_table = \"shop_item\" kept in Meta",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let renamed = scene.changes().filter_map(|(table, change)| match change {
        Change::RenameTable { to } | Change::SetSchema { to } => Some((table, to)),
        _ => None,
    });
    renamed
        .map(|(table, to)| {
            Fact::new(
                table,
                format!(
                    "{table} becomes {to}: code that uses the old name fails from the commit on"
                ),
                HAZARD.safer,
            )
        })
        .collect()
}
