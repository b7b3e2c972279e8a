//! A pooler that gives each transaction another server connection, and what cannot be done through one.
//!
//! Our own looks bring their settings with each query, the advisory lock is kept by a transaction, and Django's sessions
//! get theirs in each transaction. Absent here: a pooler that keeps a server connection for each client (session
//! pooling): it counts as none.

use std::time::Duration;

use pgdriver::server::ServerFacts;
use pgdriver::{QueryError, Session};

use super::{Reach, query_failure};
use crate::django::wire::{Database, Server};
use crate::exit::Class;
use crate::failure::Failure;
use crate::plan::Plan;

/// How long a second client may wait for a server connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// Others may take the server connection that was just given back; not each time.
const ROUNDS: u32 = 3;

/// Whether a pooler on our own way gives server connections from client to client. Where we go as Django does, it has
/// found that out already.
pub(crate) async fn pools_transactions(
    session: &Session,
    reach: &Reach,
    as_django: Option<&Server>,
) -> bool {
    if !session.behind_pooler() {
        return false;
    }
    match as_django {
        Some(seen) => seen.pooled,
        // what cannot be told is taken for the worse
        None => shared(session, reach).await.unwrap_or(true),
    }
}

/// A second client is given the server process that the first has just had, or the first is given another as soon as the
/// second holds it in a transaction. With a session pooler that is full of sessions the second gets none.
async fn shared(first: &Session, reach: &Reach) -> Result<bool, Failure> {
    let Ok(second) = tokio::time::timeout(PATIENCE, reach.session()).await else {
        return Ok(false);
    };
    let second = second?;
    for _ in 0..ROUNDS {
        if passed_on(first, &second)
            .await
            .map_err(|e| query_failure(&e))?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn passed_on(first: &Session, second: &Session) -> Result<bool, QueryError> {
    let before = backend(first).await?;
    second.query_text("BEGIN").await?;
    let other = backend(second).await?;
    let after = backend(first).await?;
    second.query_text("ROLLBACK").await?;
    Ok(other == before || after != before)
}

async fn backend(session: &Session) -> Result<Option<String>, QueryError> {
    let rows = session.query_text("SELECT pg_backend_pid()").await?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|row| row.into_iter().next())
        .flatten())
}

/// Whether pg_dump can go our way: its session's settings and its snapshot need one server connection throughout.
pub(crate) fn can_dump(server: &ServerFacts) -> Result<(), Failure> {
    if !server.behind_pooler {
        return Ok(());
    }
    Err(Failure::new(
        Class::Pooler,
        "a transaction pooler stands between us and PostgreSQL: pg_dump cannot go through it, and would leave its \
         settings with other clients",
    )
    .hint("say --dsn postgresql://HOST:PORT of the server itself: pg_dump and our own connections go there, Django's stay"))
}

/// Whether the plan can run on Django's way under our timeouts. Pure.
pub(crate) fn can_run(django: &Database, plan: &Plan) -> Result<(), Failure> {
    let pooled = django.server.as_ref().is_some_and(|seen| seen.pooled);
    let outside: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| !step.atomic)
        .map(|step| step.id.to_string())
        .collect();
    if !pooled || outside.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Class::Pooler,
        format!(
            "a transaction pooler stands between Django and PostgreSQL, and {} runs outside a transaction \
             (atomic = False): there no timeout of ours can be in force",
            outside.join(", ")
        ),
    )
    .hint("let the settings connect to the server itself for migrations, past the pooler; --dsn leads only our own connections"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::django::wire::Answer;
    use crate::names::MigrationId;
    use crate::plan::PlanStep;

    fn django(pooled: &str) -> Database {
        let json = format!(
            r#"{{"kind":"database","alias":"default","selected":true,"engine":"e","vendor":"postgresql","name":"n",
                "driver":null,"parameters":{{}},"password":null,"resolved":true,"test":{{"name":"t","mirror":null}},
                "server":{{"version_num":150018,"database":"n","database_oid":1,"user":"u","system_identifier":null,
                "backend_pid":1,"in_recovery":false,"schemas":[],"settings":{{}}{pooled}}}}}"#
        );
        match serde_json::from_str(&json).expect("an answer") {
            Answer::Database(database) => database,
            other => panic!("{other:?}"),
        }
    }

    fn plan(steps: &[(&str, bool)]) -> Plan {
        let step = |&(name, atomic): &(&str, bool)| PlanStep {
            id: MigrationId::new("shop", name),
            atomic,
            file: None,
            source_sha256: None,
            operations: vec![],
            lines: Vec::new(),
            irreversible: vec![],
        };
        Plan {
            direction: crate::plan::Direction::Forward,
            steps: steps.iter().map(step).collect(),
            fingerprint: String::new(),
            previous: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn only_a_pooler_and_a_migration_outside_a_transaction_together_are_refused() {
        let mixed = plan(&[("0001_a", true), ("0002_b", false), ("0003_c", false)]);
        let refused = can_run(&django(r#","pooled":true"#), &mixed).unwrap_err();
        assert_eq!(refused.class, Class::Pooler);
        assert!(
            refused.message.contains("shop.0002_b, shop.0003_c runs")
                && !refused.message.contains("0001_a"),
            "{}",
            refused.message
        );
        assert!(can_run(&django(r#","pooled":true"#), &plan(&[("0001_a", true)])).is_ok());
        assert!(can_run(&django(r#","pooled":false"#), &mixed).is_ok());
        assert!(can_run(&django(""), &mixed).is_ok());
    }
}
