//! Step 5 of a rollback: the history is what it was before the run, and nothing else has changed. Pure.
//!
//! The code on disk is still that of after the run, so that models which expect more than the database has are no failure.

use std::collections::BTreeSet;

use super::{Comparison, STATUS, check, connectivity, django_checks, leftovers, schema, warnings};
use crate::django::ProjectFacts;
use crate::event::VerifyCheck;
use crate::gates;
use crate::names::MigrationId;

/// Every check, in the report's order.
pub(crate) fn compare_back(c: &Comparison<'_>) -> Vec<VerifyCheck> {
    vec![
        status(c),
        connectivity(c),
        history(c),
        django_checks(c),
        schema::drift(c),
        schema::schema(c),
        leftovers::indexes(c),
        leftovers::constraints(c),
        warnings(c),
    ]
}

fn status(c: &Comparison<'_>) -> VerifyCheck {
    if let Err(failure) = gates::pass(c.after) {
        return check(STATUS, false, failure.message);
    }
    let there = recorded(c.after);
    let still: Vec<String> = c
        .plan
        .ids()
        .filter(|id| there.contains(id))
        .map(ToString::to_string)
        .collect();
    if !still.is_empty() {
        return check(
            STATUS,
            false,
            format!("still applied: {}", still.join(", ")),
        );
    }
    let back = crate::ui::count(c.plan.steps.len() as u64, "migration");
    check(STATUS, true, format!("{back} back, pending again"))
}

fn recorded(facts: &ProjectFacts) -> BTreeSet<MigrationId> {
    let rows = facts.history.iter().flat_map(|h| &h.rows);
    rows.map(|row| MigrationId::new(&row.app, &row.name))
        .collect()
}

/// A squash takes its replaced migrations' rows with it.
fn history(c: &Comparison<'_>) -> VerifyCheck {
    const NAME: &str = "History";
    if c.after.history.is_none() {
        return check(NAME, false, "it could not be read");
    }
    let replaced = c
        .before
        .planned
        .iter()
        .flat_map(|planned| &planned.replaces);
    let replaced = replaced.filter_map(|name| {
        let (app, name) = name.split_once('.')?;
        Some(MigrationId::new(app, name))
    });
    let gone: BTreeSet<MigrationId> = c.plan.ids().cloned().chain(replaced).collect();
    let expected: BTreeSet<MigrationId> = recorded(c.before).difference(&gone).cloned().collect();
    let now = recorded(c.after);
    let list = |ids: BTreeSet<&MigrationId>| -> String {
        let names: Vec<String> = ids.into_iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let more = list(now.difference(&expected).collect());
    let less = list(expected.difference(&now).collect());
    match (more.is_empty(), less.is_empty()) {
        (true, true) => check(NAME, true, "it is what it was before the run"),
        (false, _) => check(
            NAME,
            false,
            format!("recorded, and not before the run: {more}"),
        ),
        (true, false) => check(NAME, false, format!("gone, and not of the run: {less}")),
    }
}
