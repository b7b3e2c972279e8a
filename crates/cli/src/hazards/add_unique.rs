//! ADD UNIQUE and ADD PRIMARY KEY, also as part of ADD COLUMN.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, KeySource, Rule};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-unique",
    title: "A unique constraint or primary key is added",
    happens: "Its index is built under ACCESS EXCLUSIVE.",
    hurts: "Nobody can read the table meanwhile, and one duplicate makes the migration fail.",
    safer: "Build the index first (CREATE UNIQUE INDEX CONCURRENTLY in a migration with atomic = False), then ADD CONSTRAINT … UNIQUE USING INDEX, with SeparateDatabaseAndState around AddConstraint.",
    bad: "migrations.AddConstraint(\"item\", UniqueConstraint(fields=[\"code\"], name=\"code_once\"))",
    good: "RunSQL(\"CREATE UNIQUE INDEX CONCURRENTLY code_once ON shop_item (code)\"), then RunSQL(\"ALTER TABLE … ADD CONSTRAINT code_once UNIQUE USING INDEX code_once\", state_operations=[AddConstraint(…)])",
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
            matches!(
                constraint.rule,
                Rule::Unique(KeySource::Columns(_)) | Rule::PrimaryKey(_)
            )
        })
        .filter(|(table, _)| scene.works_on(table))
        .map(|(table, _)| {
            let message = format!(
                "a unique index is built on {}, or its key verified, while nobody can read it",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
