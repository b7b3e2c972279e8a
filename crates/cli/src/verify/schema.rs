//! Models, migrations and the live schema, held against each other.

use std::collections::BTreeSet;

use super::{Comparison, check, join, shortened};
use crate::django::wire::{DriftChange, Operation, SchemaDifference};
use crate::event::VerifyCheck;

pub(super) fn drift(c: &Comparison<'_>) -> VerifyCheck {
    const NAME: &str = "Model drift";
    let Some(after) = &c.after.drift else {
        return check(NAME, false, "it could not be read");
    };
    let lines = |changes: &[DriftChange]| -> BTreeSet<String> {
        changes
            .iter()
            .flat_map(|d| d.operations.iter().map(move |o| format!("{}: {o}", d.app)))
            .collect()
    };
    let now = lines(after);
    let then = c.before.drift.as_deref().map(lines).unwrap_or_default();
    let new: Vec<&String> = now.difference(&then).collect();
    if !new.is_empty() {
        return check(
            NAME,
            false,
            format!("models without a migration: {}", join(&new)),
        );
    }
    if now.is_empty() {
        return check(NAME, true, "models and migrations agree");
    }
    let old: Vec<&String> = now.iter().collect();
    check(
        NAME,
        true,
        format!(
            "as before, models have changes without a migration: {}",
            join(&old)
        ),
    )
}

pub(super) fn schema(c: &Comparison<'_>) -> VerifyCheck {
    const NAME: &str = "Live schema";
    let Some(after) = &c.after.schema else {
        return check(NAME, false, "it could not be read");
    };
    let (old, pending) = (old_differences(c), still_pending_apps(c));
    let excused = |d: &SchemaDifference| match d.model.as_deref().and_then(|m| m.split_once('.')) {
        Some((app, _)) => pending.contains(app),
        None => !pending.is_empty(),
    };
    let new: Vec<String> = after
        .iter()
        .filter(|d| !old.contains(d) && !excused(d))
        .map(difference)
        .collect();
    if !new.is_empty() {
        return check(
            NAME,
            false,
            format!("differs from the models: {}", new.join("; ")),
        );
    }
    if after.is_empty() {
        return check(NAME, true, "tables and columns are as the models say");
    }
    let all: Vec<String> = after.iter().map(difference).collect();
    let why = if pending.is_empty() {
        "as before the run".to_owned()
    } else {
        format!(
            "with migrations of {} still pending outside the scope",
            join(&pending.iter().collect::<Vec<_>>())
        )
    };
    check(
        NAME,
        true,
        format!(
            "{}, {why}: {}",
            crate::ui::count(all.len() as u64, "difference"),
            shortened(&all)
        ),
    )
}

/// Differences of step 1 that the plan was not to settle: what it creates was missing then, and must not be now.
pub(super) fn old_differences<'a>(c: &Comparison<'a>) -> BTreeSet<&'a SchemaDifference> {
    let created: BTreeSet<(&str, Option<&str>)> = c
        .plan
        .steps
        .iter()
        .flat_map(|step| &step.operations)
        .flat_map(created)
        .collect();
    let settled = |d: &SchemaDifference| {
        d.what.starts_with("missing") && created.contains(&(&*d.table, d.column.as_deref()))
    };
    c.before
        .schema
        .iter()
        .flatten()
        .filter(|d| !settled(d))
        .collect()
}

/// The table or column that an operation makes, or gives its name to.
fn created(operation: &Operation) -> Vec<(&str, Option<&str>)> {
    let column = operation
        .field_after
        .as_ref()
        .and_then(|field| field.column.as_deref());
    let creates = column.is_some() || operation.base.as_deref() == Some("CreateModel");
    let own = operation
        .table
        .as_deref()
        .filter(|_| creates)
        .map(|table| (table, column));
    let inner = operation
        .database_operations
        .iter()
        .chain(&operation.state_operations);
    own.into_iter().chain(inner.flat_map(created)).collect()
}

/// Apps whose models may be ahead of the database because the scope left their migrations out.
pub(super) fn still_pending_apps(c: &Comparison<'_>) -> BTreeSet<String> {
    use crate::django::wire::MigrationState::{PartlySquashed, Pending};
    let pending = c
        .after
        .migrations
        .iter()
        .filter(|m| matches!(m.state, Pending | PartlySquashed));
    pending.map(|m| m.app.clone()).collect()
}

pub(super) fn difference(d: &SchemaDifference) -> String {
    let column = d
        .column
        .as_deref()
        .map(|c| format!(".{c}"))
        .unwrap_or_default();
    let detail = d
        .detail
        .as_deref()
        .map(|x| format!(" ({x})"))
        .unwrap_or_default();
    format!("{} {}{column}{detail}", d.what.replace('_', " "), d.table)
}

#[cfg(test)]
mod tests {
    use super::super::{Leftovers, compare};
    use super::*;
    use crate::django::ProjectFacts;
    use crate::plan::Plan;
    use std::collections::BTreeMap;

    fn differing(table: &str) -> SchemaDifference {
        SchemaDifference {
            what: "missing_column".into(),
            table: table.into(),
            column: Some("price".into()),
            model: None,
            detail: None,
        }
    }

    fn facts(schema: Vec<SchemaDifference>) -> ProjectFacts {
        ProjectFacts {
            checks_seconds: Some(0.1),
            drift: Some(vec![]),
            schema: Some(schema),
            ..ProjectFacts::default()
        }
    }

    #[track_caller]
    fn schema_ok(before: Vec<SchemaDifference>, after: Vec<SchemaDifference>, expected: bool) {
        let plan = Plan {
            direction: crate::plan::Direction::Forward,
            steps: vec![],
            fingerprint: String::new(),
            previous: BTreeMap::new(),
        };
        let (before, after) = (facts(before), facts(after));
        let none = Leftovers::default();
        let checks = compare(&Comparison {
            plan: &plan,
            before: &before,
            after: &after,
            leftovers_before: &none,
            leftovers_after: &none,
            warnings: &[],
        });
        let found = checks.iter().find(|c| c.name == "Live schema").unwrap();
        assert_eq!(found.ok, expected, "{}", found.detail);
    }

    #[test]
    fn what_is_new_fails_and_what_is_old_is_a_note() {
        schema_ok(vec![], vec![], true);
        schema_ok(
            vec![differing("shop_item")],
            vec![differing("shop_item")],
            true,
        );
        schema_ok(vec![], vec![differing("shop_item")], false);
        schema_ok(vec![differing("shop_item")], vec![], true);
    }

    /// As where `migrate` only fakes: the column was missing before, since its migration was pending.
    #[test]
    fn what_the_plan_creates_is_never_an_old_difference() {
        let add = serde_json::json!({
            "class": "django.db.migrations.operations.fields.AddField", "base": "AddField", "describe": "Add field",
            "reversible": true, "reduces_to_sql": true, "elidable": false, "atomic": false, "model": "Item",
            "table": "shop_item", "field": "price", "field_before": null, "field_after": {
                "class": "django.db.models.fields.IntegerField", "column": "price", "db_type": "integer", "null": true,
                "unique": false, "db_index": false, "primary_key": false, "has_default": false,
                "has_db_default": false, "related": null
            }, "code": null, "database_operations": [], "state_operations": []
        });
        let operation: Operation = serde_json::from_value(add).unwrap();
        assert_eq!(created(&operation), [("shop_item", Some("price"))]);
        let missing = differing("shop_item");
        assert_eq!(
            (&*missing.what, missing.column.as_deref()),
            ("missing_column", Some("price"))
        );
    }
}
