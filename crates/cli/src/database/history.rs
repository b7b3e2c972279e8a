//! What `django_migrations` says, read by our own connections, and whether it still says so.

use std::collections::BTreeSet;

use pgdriver::Session;

use super::query_failure;
use crate::django::ProjectFacts;
use crate::exit::Class;
use crate::failure::Failure;
use crate::names::MigrationId;

/// What the history says is applied.
pub(super) async fn applied(session: &Session) -> Result<BTreeSet<MigrationId>, Failure> {
    let history = pgdriver::history::read(session)
        .await
        .map_err(|e| query_failure(&e))?;
    let rows = history.map(|h| h.rows).unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| MigrationId::new(&row.app, &row.name))
        .collect())
}

/// The history must say what it said when the plan was made.
pub(crate) async fn same_history(session: &Session, facts: &ProjectFacts) -> Result<(), Failure> {
    let now = applied(session).await?;
    let rows = facts
        .history
        .as_ref()
        .map(|h| h.rows.as_slice())
        .unwrap_or_default();
    let then: BTreeSet<MigrationId> = rows
        .iter()
        .map(|row| MigrationId::new(&row.app, &row.name))
        .collect();
    if now == then {
        return Ok(());
    }
    let list = |a: &BTreeSet<MigrationId>, b: &BTreeSet<MigrationId>| {
        a.difference(b)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut failure = Failure::new(
        Class::PlanChanged,
        "the history of migrations changed while the run waited",
    );
    for (name, ids) in [
        ("applied since", list(&now, &then)),
        ("gone since", list(&then, &now)),
    ] {
        if !ids.is_empty() {
            failure = failure.source(name, ids);
        }
    }
    Err(failure.hint("somebody else migrates this database: find out who, then run again"))
}
