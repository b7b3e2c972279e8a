//! What in the server's state matters to a migration: facts in, findings out. Pure.
//!
//! Absent here: gathering the facts ([`pgdriver::server::health`]), who is in a transaction, and whether a run may
//! work there at all ([`super::fit`]).

mod leftovers;
mod limits;
pub(crate) mod replication;
mod vacuum;

use pgdriver::catalog::RelationName;
use pgdriver::server::{Health, ServerFacts};

use crate::hazards::{Finding, beyond};
use crate::sql::Relation;

/// How many findings of a kind are told one by one.
const TOLD: usize = 5;

/// In the order in which they would stop a migration.
pub(crate) fn concerns(server: &ServerFacts, health: &Health) -> Vec<Finding> {
    let mut found = limits::sight(server, health);
    found.extend(limits::connections(server, health));
    found.extend(limits::timeouts(server, health));
    found.extend(replication::replicas(
        server.replicas.as_deref().unwrap_or_default(),
    ));
    found.extend(replication::commits(health));
    found.extend(replication::slots(health));
    found.extend(vacuum::workers(server, health));
    found.extend(vacuum::databases(health));
    found.extend(vacuum::tables(health));
    found.extend(vacuum::prepared_elsewhere(server));
    found.extend(leftovers::sequences(health));
    found.extend(leftovers::indexes(health));
    found.extend(leftovers::constraints(health));
    let unknown = health.unknown().into_iter().map(ToString::to_string);
    let unknown = server.unknown.iter().cloned().chain(unknown);
    found.extend(unknown.map(|why| beyond::finding("server-fact-unknown", why)));
    found
}

/// A finding about a relation.
fn about(code: &'static str, message: String, name: &RelationName) -> Finding {
    let schema = name.schema.clone().unwrap_or_default();
    Finding {
        relation: Some(Relation::new(schema, name.name.clone())),
        bytes: None,
        waived: None,
        ..beyond::finding(code, message)
    }
}

/// The first few of them one by one, the rest as a number.
fn told(code: &'static str, all: Vec<Finding>) -> Vec<Finding> {
    let number = all.len() as u64;
    told_of(code, all, number)
}

/// The same where the list is the beginning of a longer one.
fn told_of(code: &'static str, mut all: Vec<Finding>, number: u64) -> Vec<Finding> {
    all.truncate(TOLD);
    let rest = number.saturating_sub(all.len() as u64);
    if rest > 0 {
        all.push(beyond::finding(
            code,
            format!("and {rest} more; -v shows them"),
        ));
    }
    all
}

#[cfg(test)]
mod tests;
