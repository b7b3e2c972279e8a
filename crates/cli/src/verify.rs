//! Step 5: what is true after applying, in a fresh process, compared with step 1. Pure.
//!
//! What is new since step 1 fails; what was there before is a note. Absent here: gathering the facts.

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::Session;
use pgdriver::catalog::{self, InvalidIndex, UnvalidatedConstraint};

use crate::database::query_failure;
use crate::django::ProjectFacts;
use crate::django::wire::{DriftChange, ModelQuery, Operation, SchemaDifference};
use crate::event::VerifyCheck;
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::gates;
use crate::names::MigrationId;
use crate::plan::Plan;

/// Objects that a migration may leave half made.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    pub(crate) invalid_indexes: Vec<InvalidIndex>,
    pub(crate) unvalidated: Vec<UnvalidatedConstraint>,
}

impl Leftovers {
    pub(crate) async fn read(session: &Session) -> Result<Self, Failure> {
        let failed = |e| query_failure(&e);
        Ok(Self {
            invalid_indexes: catalog::invalid_indexes(session).await.map_err(failed)?,
            unvalidated: catalog::unvalidated_constraints(session)
                .await
                .map_err(failed)?,
        })
    }

    fn index_names(&self) -> BTreeSet<String> {
        self.invalid_indexes
            .iter()
            .map(|i| i.name.to_string())
            .collect()
    }

    fn constraint_names(&self) -> BTreeSet<String> {
        self.unvalidated
            .iter()
            .map(|c| format!("{} on {}", c.name, c.table))
            .collect()
    }
}

/// What verification compares.
pub(crate) struct Comparison<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) before: &'a ProjectFacts,
    pub(crate) after: &'a ProjectFacts,
    pub(crate) leftovers_before: &'a Leftovers,
    pub(crate) leftovers_after: &'a Leftovers,
    /// What Django printed while it migrated.
    pub(crate) warnings: &'a [String],
}

/// Every check, in the report's order.
pub(crate) fn compare(c: &Comparison<'_>) -> Vec<VerifyCheck> {
    vec![
        status(c),
        connectivity(c),
        history(c),
        django_checks(c),
        drift(c),
        schema(c),
        indexes(c),
        constraints(c),
        warnings(c),
    ]
}

/// The checks that failed, as the end of the run.
pub(crate) fn failure(checks: &[VerifyCheck]) -> Option<Failure> {
    let failed: Vec<&VerifyCheck> = checks.iter().filter(|c| !c.ok).collect();
    let first = failed.first()?;
    let class = if first.name == STATUS {
        Class::StillPending
    } else {
        Class::VerificationDiffers
    };
    let lines: Vec<String> = failed
        .iter()
        .map(|c| format!("  {}: {}", c.name, c.detail))
        .collect();
    Some(
        Failure::new(
            class,
            format!(
                "the migrations are applied, but verification differs:\n{}",
                lines.join("\n")
            ),
        )
        .hint("the database was changed; the report lists the way back")
        .changed(Changed::Yes),
    )
}

const STATUS: &str = "Migration status";

fn check(name: &str, ok: bool, detail: impl Into<String>) -> VerifyCheck {
    VerifyCheck {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

fn status(c: &Comparison<'_>) -> VerifyCheck {
    if let Err(failure) = gates::pass(c.after) {
        return check(STATUS, false, failure.message);
    }
    let pending: Vec<String> = c
        .after
        .planned
        .iter()
        .map(|m| MigrationId::new(&m.app, &m.name).to_string())
        .collect();
    if pending.is_empty() {
        check(
            STATUS,
            true,
            format!(
                "nothing pending in scope, {} applied",
                crate::ui::count(c.plan.steps.len() as u64, "migration")
            ),
        )
    } else {
        check(
            STATUS,
            false,
            format!("still pending: {}", pending.join(", ")),
        )
    }
}

fn history(c: &Comparison<'_>) -> VerifyCheck {
    const NAME: &str = "History";
    if c.after.history.is_none() {
        return check(NAME, false, "it could not be read");
    }
    let mut rows: BTreeMap<MigrationId, usize> = BTreeMap::new();
    for row in c.after.history.iter().flat_map(|h| &h.rows) {
        *rows
            .entry(MigrationId::new(&row.app, &row.name))
            .or_default() += 1;
    }
    let wrong = |want: fn(usize) -> bool| -> Vec<String> {
        c.plan
            .ids()
            .filter(|id| want(rows.get(id).copied().unwrap_or(0)))
            .map(ToString::to_string)
            .collect()
    };
    let (missing, twice) = (wrong(|n| n == 0), wrong(|n| n > 1));
    match (missing.is_empty(), twice.is_empty()) {
        (true, true) => check(NAME, true, "each migration is recorded once"),
        (false, _) => check(
            NAME,
            false,
            format!("not recorded in django_migrations: {}", missing.join(", ")),
        ),
        (true, false) => check(
            NAME,
            false,
            format!("recorded more than once: {}", twice.join(", ")),
        ),
    }
}

fn django_checks(c: &Comparison<'_>) -> VerifyCheck {
    let errors: Vec<String> = c
        .after
        .checks
        .iter()
        .filter(|k| k.level >= gates::ERROR && !k.silenced)
        .map(gates::check_line)
        .collect();
    match (errors.is_empty(), c.after.checks_seconds) {
        (true, Some(_)) => check("Django checks", true, "manage.py check passes"),
        (true, None) => check("Django checks", false, "they did not come to their end"),
        (false, _) => check("Django checks", false, errors.join("; ")),
    }
}

fn drift(c: &Comparison<'_>) -> VerifyCheck {
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

fn schema(c: &Comparison<'_>) -> VerifyCheck {
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
fn old_differences<'a>(c: &Comparison<'a>) -> BTreeSet<&'a SchemaDifference> {
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
fn still_pending_apps(c: &Comparison<'_>) -> BTreeSet<String> {
    use crate::django::wire::MigrationState::{PartlySquashed, Pending};
    let pending = c
        .after
        .migrations
        .iter()
        .filter(|m| matches!(m.state, Pending | PartlySquashed));
    pending.map(|m| m.app.clone()).collect()
}

fn difference(d: &SchemaDifference) -> String {
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

fn connectivity(c: &Comparison<'_>) -> VerifyCheck {
    const NAME: &str = "Database connectivity";
    let pending = still_pending_apps(c);
    let in_scope = |model: &str| {
        model
            .split_once('.')
            .is_none_or(|(app, _)| !pending.contains(app))
    };
    if c.after.database().and_then(|d| d.server.as_ref()).is_none() {
        return check(NAME, false, "no connection");
    }
    // step 1 asks no model: a table or column that was missing then says that it would not have answered
    let old = old_differences(c);
    let failed_before = |q: &ModelQuery| {
        old.iter()
            .any(|d| d.table == q.table && d.what.starts_with("missing"))
    };
    let failed = c
        .after
        .queries
        .iter()
        .filter(|q| !q.ok && in_scope(&q.model));
    let (before, new): (Vec<&ModelQuery>, Vec<&ModelQuery>) =
        failed.partition(|q| failed_before(q));
    let lines = |failed: &[&ModelQuery]| {
        shortened(&failed.iter().map(|q| unanswered(q)).collect::<Vec<_>>())
    };
    if !new.is_empty() {
        return check(
            NAME,
            false,
            format!("models that do not answer a query: {}", lines(&new)),
        );
    }
    let answered = c.after.queries.iter().filter(|q| q.ok).count() as u64;
    let answered = format!("{} answer a query", crate::ui::count(answered, "model"));
    if before.is_empty() {
        return check(NAME, true, answered);
    }
    check(
        NAME,
        true,
        format!(
            "{answered}; as before the run, these do not: {}",
            lines(&before)
        ),
    )
}

fn unanswered(query: &ModelQuery) -> String {
    let why = query
        .exception
        .as_ref()
        .map_or("", |e| e.message.lines().next().unwrap_or(""));
    format!("{}: {why}", query.model)
}

fn indexes(c: &Comparison<'_>) -> VerifyCheck {
    leftover(
        "Indexes",
        &c.leftovers_before.index_names(),
        &c.leftovers_after.index_names(),
        "none is INVALID",
        "INVALID, to be dropped or reindexed",
        Leftover::Fails,
    )
}

/// NOT VALID is often meant: VALIDATE comes with a later migration.
fn constraints(c: &Comparison<'_>) -> VerifyCheck {
    leftover(
        "Constraints",
        &c.leftovers_before.constraint_names(),
        &c.leftovers_after.constraint_names(),
        "all are validated",
        "not validated yet",
        Leftover::IsNoted,
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftover {
    Fails,
    IsNoted,
}

fn leftover(
    name: &str,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
    none: &str,
    what: &str,
    new_ones: Leftover,
) -> VerifyCheck {
    let new: Vec<&String> = after.difference(before).collect();
    if !new.is_empty() {
        return check(
            name,
            new_ones == Leftover::IsNoted,
            format!("{what}: {}", join(&new)),
        );
    }
    if after.is_empty() {
        return check(name, true, none);
    }
    check(
        name,
        true,
        format!(
            "as before the run, {what}: {}",
            join(&after.iter().collect::<Vec<_>>())
        ),
    )
}

fn warnings(c: &Comparison<'_>) -> VerifyCheck {
    match c.warnings {
        [] => check("Warnings", true, "Django printed none"),
        some => check(
            "Warnings",
            true,
            format!("Django printed: {}", shortened(some)),
        ),
    }
}

fn join(items: &[&String]) -> String {
    shortened(&items.iter().map(|s| (*s).clone()).collect::<Vec<_>>())
}

/// The first ten, and how many more.
fn shortened(items: &[String]) -> String {
    let shown = items
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    match items.len().saturating_sub(10) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_invalid_index_that_is_new_fails() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|s| (*s).to_owned())
                .collect::<BTreeSet<_>>()
        };
        let run = |before: &[&str], after: &[&str]| {
            leftover(
                "Indexes",
                &names(before),
                &names(after),
                "none",
                "INVALID",
                Leftover::Fails,
            )
            .ok
        };
        assert!(run(&[], &[]) && run(&["a"], &["a"]) && run(&["a"], &[]));
        assert!(!run(&["a"], &["a", "b"]));
    }
}
