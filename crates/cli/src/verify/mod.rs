//! Step 5: what is true after applying, in a fresh process, compared with step 1. Pure.
//!
//! What is new since step 1 fails; what was there before is a note. Absent here: gathering the facts.

mod back;
mod leftovers;
mod schema;

use std::collections::BTreeMap;

pub(crate) use back::compare_back;
pub(crate) use leftovers::Leftovers;

use crate::django::ProjectFacts;
use crate::django::wire::ModelQuery;
use crate::event::VerifyCheck;
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::gates;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan};

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
        schema::drift(c),
        schema::schema(c),
        leftovers::indexes(c),
        leftovers::constraints(c),
        warnings(c),
    ]
}

/// The checks that failed, as the end of the run.
pub(crate) fn failure(checks: &[VerifyCheck], direction: Direction) -> Option<Failure> {
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
                "the migrations are {}, but verification differs:\n{}",
                direction.done(),
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

fn connectivity(c: &Comparison<'_>) -> VerifyCheck {
    const NAME: &str = "Database connectivity";
    let pending = schema::still_pending_apps(c);
    let in_scope = |model: &str| {
        model
            .split_once('.')
            .is_none_or(|(app, _)| !pending.contains(app))
    };
    if c.after.database().and_then(|d| d.server.as_ref()).is_none() {
        return check(NAME, false, "no connection");
    }
    // step 1 asks no model: a table or column that was missing then says that it would not have answered
    let old = schema::old_differences(c);
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
