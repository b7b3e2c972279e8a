//! A value of an enum that is used in the transaction that adds it.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Action;

pub(super) const HAZARD: Hazard = Hazard {
    code: "enum-value-in-transaction",
    title: "A new value of an enum is used before it is committed",
    happens: "ALTER TYPE … ADD VALUE may run in a transaction, but the value cannot be used in it: as a default, in a row, in a CHECK.",
    hurts: "The migration fails with \"unsafe use of new value\".",
    safer: "Add the value in a migration of its own, and use it in the next.",
    bad: "operations = [RunSQL(\"ALTER TYPE state ADD VALUE 'paid'\"), RunSQL(\"UPDATE shop_order SET state = 'paid' WHERE …\")]",
    good: "0007: RunSQL(\"ALTER TYPE state ADD VALUE 'paid'\"), and in 0008: RunSQL(\"UPDATE …\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let statement = scene.statement;
    let adds = |action: &Action| matches!(action, Action::AddEnumValue { .. });
    if statement.actions.iter().any(adds) {
        return Vec::new();
    }
    let used = scene.held.enum_values.iter().filter(|(_, value)| {
        let literal = format!("'{}'", value.replace('\'', "''"));
        statement.sql.contains(&literal)
    });
    used.map(|(name, value)| {
        let message = format!(
            "'{value}' was added to the enum {name} in this transaction: if it is meant here, this fails"
        );
        Fact::general(message, HAZARD.safer)
    })
    .collect()
}
