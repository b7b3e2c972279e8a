//! `locks` as a person reads it: what blocks and what ends it first, then what is old, and one line at the end.
//!
//! Each list is cut where nobody reads on, and says how many are left: a thousand sessions are one screen. Absent here:
//! the live screen.

mod lists;
mod ready;
mod tree;

use super::count;
use super::style::{Look, paint};
use super::{fitted, wrapped};
use crate::locks::{Readiness, Snapshot, words};

/// Rows of a list, and waiters under one blocker.
const ROWS: usize = 8;

/// The whole answer.
pub(crate) fn locks(snapshot: &Snapshot, readiness: Option<&Readiness>) -> String {
    let mut parts = Vec::new();
    parts.extend(readiness.map(ready::readiness));
    // who asks for readiness asks about some tables, not about the rest
    if readiness.is_none() {
        parts.extend(lists::on_relation(snapshot));
        parts.extend(
            snapshot
                .roots
                .iter()
                .map(|root| tree::root(snapshot, root))
                .take(ROWS),
        );
        parts.extend(more(snapshot.roots.len(), "root"));
        parts.extend(lists::runs(snapshot));
        parts.extend(lists::holders(snapshot));
        parts.extend(lists::idle(snapshot));
        parts.extend(lists::long(snapshot));
        parts.extend(lists::prepared(snapshot));
        parts.extend(lists::autovacuum(snapshot));
    }
    parts.extend(hidden(snapshot));
    parts.extend(
        words::limited(snapshot.extent).map(|text| wrapped("", &paint(Look::Warning, text))),
    );
    parts.push(wrapped("", &lists::summary(snapshot, readiness)));
    parts.join("\n\n")
}

fn more(all: usize, what: &str) -> Option<String> {
    (all > ROWS).then(|| {
        format!(
            "… and {}: --format json lists them",
            count((all - ROWS) as u64, &format!("more {what}"))
        )
    })
}

fn hidden(snapshot: &Snapshot) -> Option<String> {
    let hidden = snapshot.hidden();
    let role = &snapshot.us.asker.role;
    let text = format!(
        "{} is not permitted to see what {} of {} do: state, age and query are unknown. {}",
        role,
        hidden,
        count(snapshot.sessions.len() as u64, "session"),
        paint(Look::Name, words::grant_to_see(role)),
    );
    (hidden > 0).then(|| wrapped("", &text))
}

/// A query on the line below its session.
fn faint(query: &str) -> String {
    format!("    {}", paint(Look::Faint, fitted("    ", query)))
}

/// Statements that somebody pastes: each on a line of its own, never broken.
fn remedy(indent: &str, remedy: &pgdriver::activity::remedy::Remedy) -> Vec<String> {
    let mut lines: Vec<String> = remedy
        .sql()
        .into_iter()
        .map(|sql| format!("{indent}{}", paint(Look::Good, format!("{sql};"))))
        .collect();
    lines.push(wrapped(indent, &paint(Look::Faint, remedy)));
    lines
}
