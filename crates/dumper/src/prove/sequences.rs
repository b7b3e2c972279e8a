//! The sequences of the scratch database against the archive's `setval` statements: one that is behind gives out keys that
//! are taken.
//!
//! Absent: how a sequence is defined; that is a definition.

use pgdriver::ConnectOptions;

use super::ProofFailure;
use crate::restore::{Difference, Stop};

/// Sequences that are read by one statement.
const ROUND: usize = 50;

/// `SELECT pg_catalog.setval('public.s', 42, true)`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    /// Quoted as SQL needs it.
    name: String,
    /// `42, true`
    state: String,
}

pub(super) async fn compare(
    scratch: &ConnectOptions,
    statements: &[String],
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Vec<Difference>, ProofFailure> {
    let sets: Vec<Set> = statements.iter().filter_map(|it| set(it)).collect();
    let work = async {
        let session = pgdriver::connect(scratch).await?;
        let mut differences = Vec::new();
        for round in sets.chunks(ROUND) {
            let rows = session.query_text(&question(round)).await?;
            for (set, row) in round.iter().zip(rows) {
                let found = row.get(1).cloned().flatten().unwrap_or_default();
                if found != set.state {
                    differences.push(Difference {
                        what: format!("sequence {}", set.name),
                        expected: set.state.clone(),
                        found,
                    });
                }
            }
        }
        session.close().await;
        Ok(differences)
    };
    tokio::select! {
        biased;
        () = stop.future.as_mut() => Err(ProofFailure::Interrupted),
        done = work => done,
    }
}

fn set(statement: &str) -> Option<Set> {
    let rest = statement.strip_prefix("SELECT pg_catalog.setval('")?;
    let (name, state) = rest.rsplit_once("', ")?;
    Some(Set {
        name: name.replace("''", "'"),
        state: state.strip_suffix(')')?.to_owned(),
    })
}

fn question(sets: &[Set]) -> String {
    let one = |(at, set): (usize, &Set)| {
        format!(
            "SELECT {at} AS at, last_value || ', ' || is_called::text FROM {}",
            set.name
        )
    };
    let parts: Vec<String> = sets.iter().enumerate().map(one).collect();
    format!("{} ORDER BY 1", parts.join(" UNION ALL "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_out_of_its_literal() {
        let of = |name: &str, state: &str| {
            Some(Set {
                name: name.to_owned(),
                state: state.to_owned(),
            })
        };
        assert_eq!(
            set("SELECT pg_catalog.setval('public.s', 42, true)"),
            of("public.s", "42, true")
        );
        assert_eq!(
            set("SELECT pg_catalog.setval('\"S x\".\"it''s, \"\"1\"\"\"', 1, false)"),
            of("\"S x\".\"it's, \"\"1\"\"\"", "1, false")
        );
        assert_eq!(set("SELECT 1"), None);
    }
}
