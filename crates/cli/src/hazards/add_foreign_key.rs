//! ADD FOREIGN KEY that is verified at once.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Rule, Validity, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "add-foreign-key",
    title: "A foreign key is added and verified at once",
    happens: "Both tables are locked SHARE ROW EXCLUSIVE, and the whole table is compared with the one that it refers to.",
    hurts: "Nobody can write to either table meanwhile, and one orphan makes the migration fail.",
    safer: "Two migrations: AddField with db_constraint=False, then RunSQL ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in the next one, which hinders nobody.",
    bad: "AlterField(\"item\", \"shop\", ForeignKey(\"Shop\", on_delete=CASCADE))  # was IntegerField",
    good: "RunSQL(\"ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID\", state_operations=[…]), then RunSQL(\"ALTER TABLE … VALIDATE CONSTRAINT …\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let keys = scene.changes().filter_map(|(table, change)| {
        let constraint = match change {
            Change::AddConstraint(constraint) => constraint,
            // a new column that holds only NULL is not compared
            Change::AddColumn(column) if column.value != Value::Nothing => column
                .constraints
                .iter()
                .find(|constraint| matches!(constraint.rule, Rule::ForeignKey { .. }))?,
            _ => return None,
        };
        match &constraint.rule {
            Rule::ForeignKey { to, .. } if constraint.validity == Validity::Validated => {
                Some((table, to))
            }
            _ => None,
        }
    });
    keys.map(|(table, to)| {
        let message = format!(
            "a foreign key compares all of {} with {} while nobody can write to either",
            scene.sized(table),
            scene.sized(to)
        );
        Fact::new(table, message, HAZARD.safer)
    })
    .collect()
}
