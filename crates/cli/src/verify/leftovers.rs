//! What a migration may leave half made: INVALID indexes, constraints that are not validated.

use std::collections::BTreeSet;

use pgdriver::Session;
use pgdriver::catalog::{self, InvalidIndex, UnvalidatedConstraint};

use super::{Comparison, check, join};
use crate::database::query_failure;
use crate::event::VerifyCheck;
use crate::failure::Failure;

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

pub(super) fn indexes(c: &Comparison<'_>) -> VerifyCheck {
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
pub(super) fn constraints(c: &Comparison<'_>) -> VerifyCheck {
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

#[cfg(test)]
mod tests {
    use super::*;

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
