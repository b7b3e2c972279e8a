//! Whether "nothing is applied" can be believed.
//!
//! A search path passes over a schema without USAGE in silence. Django then finds no history table, and takes every
//! migration as pending.
//!
//! Absent: a history table of another tenant, in a schema that the role may use. That is as the project wants it.

use pgdriver::{Session, history};

use super::query_failure;
use crate::django::ProjectFacts;
use crate::exit::Class;
use crate::failure::Failure;

/// Django found a history table, or there is none that it may not look at.
pub(crate) async fn history_in_view(
    session: &Session,
    facts: &ProjectFacts,
) -> Result<(), Failure> {
    if facts.history.as_ref().is_none_or(|found| found.has_table) {
        return Ok(());
    }
    let role = facts
        .database()
        .and_then(|d| d.parameters.get("user"))
        .map_or("the role", String::as_str);
    within_reach(session, role).await
}

/// No history table stands in a schema that the role may not use.
pub(crate) async fn within_reach(session: &Session, role: &str) -> Result<(), Failure> {
    let schemas = history::out_of_reach(session)
        .await
        .map_err(|e| query_failure(&e))?;
    let Some(first) = schemas.first() else {
        return Ok(());
    };
    Err(Failure::new(
        Class::Privilege,
        format!(
            "there is a table django_migrations in schema {}, which {role} may not use: to Django every migration looks \
             pending",
            schemas.join(", ")
        ),
    )
    .hint(format!("GRANT USAGE ON SCHEMA {first} TO {role} lets it see")))
}
