//! ADD COLUMN … DEFAULT … UNIQUE: one value for all rows.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, Rule, Value};

pub(super) const HAZARD: Hazard = Hazard {
    code: "unique-default",
    title: "A new unique column with one default for all rows",
    happens: "Every row that exists gets the same value, also where the field's default is a function such as uuid.uuid4: Django calls it once.",
    hurts: "The migration fails as soon as the table has two rows: on an empty development database it passes.",
    safer: "Three steps, as in Django's guide to unique fields: AddField with null=True, RunPython that gives each row a value of its own, AlterField with unique=True. Or db_default=RandomUUID(), which is computed for each row.",
    bad: "AddField(\"item\", \"token\", UUIDField(default=uuid.uuid4, unique=True))",
    good: "AddField(\"item\", \"token\", UUIDField(null=True)), RunPython(fill), AlterField(…, unique=True)",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let added = scene.changes().filter_map(|(table, change)| match change {
        Change::AddColumn(column) if column.value == Value::Default => Some((table, column)),
        _ => None,
    });
    added
        .filter(|(_, column)| {
            let mut rules = column.constraints.iter().map(|constraint| &constraint.rule);
            rules.any(|rule| matches!(rule, Rule::Unique(_) | Rule::PrimaryKey(_)))
        })
        .map(|(table, column)| {
            let message = format!(
                "new column {} is unique and every row gets the same default: this fails if {} has two rows",
                column.name,
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
